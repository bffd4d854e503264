using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests;

public sealed class BudgetEndpointsTests(TestCluster cluster)
{
    [Fact]
    public async Task Users_read_their_position_and_admins_change_what_it_is()
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        using var mine = api.As(user);
        using var admin = api.As(await api.Database.NewUserAsync(isAdmin: true));
        using var service = api.As(Caller.Service);

        var position = (await mine.GetAsync("/v1/budgets/position")).ShouldBe(200);
        position["limit_usd"].GetString().ShouldBe("500.000000000");
        position["spent_usd"].GetString().ShouldBe("0");
        position["on_exceed"].GetString().ShouldBe("stop");
        (await mine.GetAsync("/v1/budgets")).ShouldBe(200)["data"].GetArrayLength().ShouldBe(3);

        (await admin.PutAsync("/v1/budgets/tiers/free", """{"limit_usd":"20.5","alert_ratio":0.5}""")).ShouldBe(200);
        (await mine.GetAsync("/v1/budgets/position"))["limit_usd"].GetString().ShouldBe("20.500000000");
        (await admin.PutAsync($"/v1/budgets/users/{user.UserId}", """{"limit_usd":7,"on_exceed":"warn"}""")).ShouldBe(200)["on_exceed"].GetString().ShouldBe("warn");
        var until = DateTimeOffset.UtcNow.AddDays(2).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);
        var given = (await service.PutAsync($"/v1/budgets/users/{user.UserId}/override", $$"""{"limit_usd":100,"until":"{{until}}","note":"launch"}""")).ShouldBe(200);
        (given["limit_usd"].GetString(), given["override_until"].GetString()).ShouldBe(("100.000000000", until));
        (await admin.SendAsync(HttpMethod.Delete, $"/v1/budgets/users/{user.UserId}/override")).ShouldBe(200)["limit_usd"].GetString().ShouldBe("7.000000000");
        (await admin.SendAsync(HttpMethod.Delete, $"/v1/budgets/users/{user.UserId}")).ShouldBe(200)["limit_usd"].GetString().ShouldBe("20.500000000");
        (await admin.PutAsync("/v1/budgets/window", """{"time_zone":"Europe/Berlin","first_day":15}""")).ShouldBe(200);
        (await mine.GetAsync("/v1/budgets/window"))["first_day"].GetInt32().ShouldBe(15);
        (await admin.GetAsync($"/v1/budgets/position?user_id={user.UserId}")).ShouldBe(200);
    }

    [Fact]
    public async Task Bad_wishes_are_refused_and_change_nothing()
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        using var mine = api.As(user);
        using var stranger = api.As(await api.Database.NewUserAsync());
        using var admin = api.As(await api.Database.NewUserAsync(isAdmin: true));
        using var service = api.As(Caller.Service);
        var path = $"/v1/budgets/users/{user.UserId}";

        (await mine.PutAsync(path, """{"limit_usd":1000000}""")).ShouldFail(403, "forbidden");
        (await mine.PutAsync("/v1/budgets/tiers/free", """{"limit_usd":1000000}""")).ShouldFail(403, "forbidden");
        (await stranger.GetAsync($"/v1/budgets/position?user_id={user.UserId}")).ShouldFail(404, "user_not_found");
        (await service.GetAsync("/v1/budgets/position")).ShouldFail(400, "query_invalid");
        (await admin.PutAsync("/v1/budgets/tiers/gold", """{"limit_usd":1}""")).ShouldFail(400, "budget_invalid");
        (await admin.PutAsync(path, """{"limit_usd":-1}""")).ShouldFail(400, "budget_invalid");
        (await admin.PutAsync(path, """{"limit_usd":1e30}""")).ShouldFail(400, "input_invalid");
        (await admin.PutAsync(path, """{"limit_usd":"NaN"}""")).ShouldFail(400, "input_invalid");
        (await admin.PutAsync(path, """{"limit_usd":NaN}""")).ShouldFail(400, "body_invalid");
        (await admin.PutAsync(path, """{"limt_usd":1}""")).ShouldFail(400, "field_unknown");
        (await admin.PutAsync(path, """{"on_exceed":"explode"}""")).ShouldFail(400, "input_invalid");
        (await admin.PutAsync(path, "{}")).ShouldFail(400, "budget_invalid");
        (await admin.PutAsync(path + "/override", """{"limit_usd":1,"until":"2001-01-01T00:00:00Z"}""")).ShouldFail(400, "budget_invalid");
        (await admin.PutAsync(path + "/override", """{"limit_usd":1}""")).ShouldFail(400, "input_invalid");
        (await admin.PutAsync("/v1/budgets/users/nobody", """{"limit_usd":1}""")).ShouldFail(400, "id_invalid");
        (await admin.PutAsync($"/v1/budgets/users/{Guid.CreateVersion7()}", """{"limit_usd":1}""")).ShouldFail(404, "user_not_found");
        (await admin.SendAsync(HttpMethod.Delete, path)).ShouldFail(404, "budget_not_found");
        (await admin.PutAsync("/v1/budgets/window", """{"time_zone":"Mars/Olympus","first_day":1}""")).ShouldFail(400, "value_invalid");
        (await mine.GetAsync("/v1/budgets/position"))["limit_usd"].GetString().ShouldBe("500.000000000");
        (await mine.GetAsync("/v1/budgets"))["data"].GetArrayLength().ShouldBe(3);
    }
}
