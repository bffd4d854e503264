using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests;

public sealed class AlertEndpointsTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Alerts_are_listed_to_whom_they_concern_and_acknowledged_by_admins()
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        using var mine = api.As(user);
        using var stranger = api.As(await api.Database.NewUserAsync());
        using var admin = api.As(await api.Database.NewUserAsync(isAdmin: true));
        await api.Database.ExecuteAsync(
            Caller.Service,
            """
            insert into vox.alerts (rule, subject, user_id, severity, value, threshold, message)
            values ('daily_tokens', 'user/x', $1, 'warning', 2.5, 2, 'Many tokens.')
            """,
            Parameter.Uuid(user.UserId));

        var alert = (await mine.GetAsync("/v1/alerts")).ShouldBe(200)["data"].EnumerateArray().ShouldHaveSingleItem();
        var id = alert.GetProperty("id").GetGuid();
        alert.GetProperty("severity").GetString().ShouldBe("warning");
        (await stranger.GetAsync("/v1/alerts")).ShouldBe(200)["data"].GetArrayLength().ShouldBe(0);
        (await mine.PostAsync($"/v1/alerts/{id}/acknowledge")).ShouldFail(404, "alert_not_found");
        (await admin.PostAsync($"/v1/alerts/{id}/acknowledge")).ShouldBe(200);
        (await admin.GetAsync("/v1/alerts?all=true&limit=1"))["next"].GetGuid().ShouldBe(id);
        (await admin.GetAsync($"/v1/alerts?before={id}"))["data"].GetArrayLength().ShouldBe(0);
        (await admin.GetAsync("/v1/alerts?limit=0")).ShouldFail(400, "input_invalid");
        (await admin.PostAsync($"/v1/alerts/{Guid.CreateVersion7()}/acknowledge")).ShouldFail(404, "alert_not_found");
    }

    [Fact]
    public async Task Rules_and_webhooks_are_the_admins()
    {
        await using var api = await Api.StartAsync(cluster);
        using var mine = api.As(await api.Database.NewUserAsync());
        using var admin = api.As(await api.Database.NewUserAsync(isAdmin: true));

        (await admin.PutAsync("/v1/alerts/rules/latency_p95", """{"threshold":2000}""")).ShouldBe(200)["window_minutes"].GetInt32().ShouldBe(15);
        (await admin.PutAsync("/v1/alerts/rules/by_model", """{"measure":"failure_rate","scope":"model","threshold":0.1,"severity":"info"}""")).ShouldBe(200);
        (await admin.GetAsync("/v1/alerts/rules"))["data"].GetArrayLength().ShouldBe(7);
        (await admin.SendAsync(HttpMethod.Delete, "/v1/alerts/rules/by_model")).ShouldBe(200);
        (await admin.SendAsync(HttpMethod.Delete, "/v1/alerts/rules/by_model")).ShouldFail(404, "alert_rule_not_found");
        (await admin.PutAsync("/v1/alerts/rules/by_model", """{"measure":"weather","threshold":1}""")).ShouldFail(400, "alert_rule_invalid");
        (await mine.GetAsync("/v1/alerts/rules"))["data"].GetArrayLength().ShouldBe(0);
        (await mine.PutAsync("/v1/alerts/rules/mine", """{"measure":"failure_rate","threshold":1}""")).ShouldFail(403, "forbidden");

        var added = (await admin.PostAsync("/v1/alerts/webhooks", """{"url":"http://127.0.0.1:1/hook","rules":["latency_p95"]}""")).ShouldBe(201);
        added["secret"].GetString()!.ShouldStartWith("whsec_");
        var listed = (await admin.GetAsync("/v1/alerts/webhooks")).ShouldBe(200)["data"].EnumerateArray().ShouldHaveSingleItem();
        listed.TryGetProperty("secret", out _).ShouldBeFalse("it is told once");
        (await admin.PostAsync($"/v1/alerts/webhooks/{added.Id}/test")).ShouldBe(200)["delivered"].GetBoolean().ShouldBeFalse();
        (await mine.GetAsync("/v1/alerts/webhooks"))["data"].GetArrayLength().ShouldBe(0);
        (await mine.PostAsync("/v1/alerts/webhooks", """{"url":"https://example.org/"}""")).ShouldFail(403, "forbidden");
        (await admin.PostAsync("/v1/alerts/webhooks", """{"url":"javascript:alert(1)"}""")).ShouldFail(400, "alert_endpoint_invalid");
        (await admin.PostAsync("/v1/alerts/webhooks", """{"url":"https://example.org/","rules":["no_such"]}""")).ShouldFail(400, "alert_endpoint_invalid");
        (await admin.SendAsync(HttpMethod.Delete, $"/v1/alerts/webhooks/{added.Id}")).ShouldBe(200);
        (await admin.SendAsync(HttpMethod.Delete, $"/v1/alerts/webhooks/{added.Id}")).ShouldFail(404, "alert_endpoint_not_found");
        (await api.Database.Alerts.EndpointsAsync(Caller.Service, Cancel)).ShouldBeEmpty();
    }
}
