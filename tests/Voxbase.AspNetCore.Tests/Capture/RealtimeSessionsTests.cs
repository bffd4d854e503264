using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests.Capture;

public sealed class RealtimeSessionsTests(TestCluster cluster)
{
    private const string Path = "/v1/realtime/sessions";

    [Fact]
    public async Task A_session_is_a_pending_conversation_and_a_key_for_it()
    {
        await using var openAi = await FakeOpenAi.StartAsync();
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi));
        var user = await api.Database.NewUserAsync();
        using var client = api.As(user);

        var made = (await client.PostAsync(
            Path, """{"model":"gpt-realtime","expires_after_seconds":60,"name":"Support","metadata":{"page":"/help"},"session":{"instructions":"Be brief."}}""")).ShouldBe(201);

        made["client_secret"].GetString().ShouldStartWith("ek_");
        made["expires_at"].GetDateTimeOffset().ShouldBeGreaterThan(DateTimeOffset.UtcNow.AddSeconds(-60));
        made["calls_url"].GetString().ShouldBe(openAi.BaseUrl + "/realtime/calls");
        made["provider_session_id"].GetString().ShouldStartWith("sess_");
        made["relay_path"].GetString()!.ShouldContain(made["conversation_id"].GetString()!);
        var conversation = (await client.GetAsync($"/v1/conversations/{made["conversation_id"].GetString()}")).ShouldBe(200)["conversation"];
        conversation.GetProperty("status").GetString().ShouldBe("pending");
        conversation.GetProperty("kind").GetString().ShouldBe("realtime");
        conversation.GetProperty("user_id").GetGuid().ShouldBe(user.UserId!.Value);
        conversation.GetProperty("metadata").GetProperty("page").GetString().ShouldBe("/help");
        var asked = openAi.SecretRequests.ShouldHaveSingleItem();
        asked.GetProperty("expires_after").GetRawText().ShouldBe("""{"anchor":"created_at","seconds":60}""");
        asked.GetProperty("session").GetProperty("instructions").GetString().ShouldBe("Be brief.");
        asked.GetProperty("session").GetProperty("model").GetString().ShouldBe("gpt-realtime");
        asked.GetProperty("session").GetProperty("type").GetString().ShouldBe("realtime");
    }

    [Theory]
    [InlineData(400, 400, "provider_rejected")]
    [InlineData(401, 503, "provider_refused")]
    [InlineData(429, 503, "provider_refused")]
    [InlineData(503, 503, "provider_unavailable")]
    [InlineData(200, 503, "provider_unavailable")]
    public async Task When_the_provider_fails_nothing_remains_and_no_key_is_shown(int answers, int status, string code)
    {
        await using var openAi = await FakeOpenAi.StartAsync();
        openAi.Instead = context =>
        {
            context.Response.StatusCode = answers;
            return context.Response.WriteAsync($$$"""{"error":{"message":"Unknown model, asked with {{{FakeOpenAi.Key}}}","code":"x"}}""");
        };
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi));
        using var client = api.As(await api.Database.NewUserAsync());
        var refused = (await client.PostAsync(Path, """{"model":"gpt-unheard-of"}""")).ShouldFail(status, code);
        if (answers == 400)
            refused["details"].GetString().ShouldBe("Unknown model, asked with …");
        refused.Body.ToString().ShouldNotContain(FakeOpenAi.Key);
        api.Logs.From(LogLevel.Trace).ShouldNotContain(line => line.Contains(FakeOpenAi.Key, StringComparison.Ordinal));
        await ShouldHaveNothingAsync(api);
    }

    [Fact]
    public async Task A_provider_that_never_answers_is_given_up()
    {
        await using var openAi = await FakeOpenAi.StartAsync();
        openAi.Instead = context => Task.Delay(Timeout.Infinite, context.RequestAborted);
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi, options => options.Relay.ConnectTimeout = TimeSpan.FromSeconds(1)));
        using var client = api.As(await api.Database.NewUserAsync());
        (await client.PostAsync(Path, """{"model":"m"}""")).ShouldFail(503, "provider_unavailable");
        await ShouldHaveNothingAsync(api);
    }

    [Fact]
    public async Task When_the_conversation_cannot_be_made_the_key_is_not_given()
    {
        await using var openAi = await FakeOpenAi.StartAsync();
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi));
        using var client = api.As(Caller.Service);
        var refused = (await client.PostAsync(Path, $$"""{"model":"m","user_id":"{{Guid.NewGuid()}}"}""")).ShouldFail(404, "user_not_found");
        refused.Body.ToString().ShouldNotContain("ek_");
        openAi.SecretRequests.Count.ShouldBe(1);
        await ShouldHaveNothingAsync(api);
    }

    [Fact]
    public async Task Bad_input_and_bad_credentials_are_refused_before_the_provider_is_asked()
    {
        await using var openAi = await FakeOpenAi.StartAsync();
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi));
        var user = await api.Database.NewUserAsync();
        using var client = api.As(user);
        (await client.PostAsync(Path, """{"model":""}""")).ShouldFail(400, "realtime_session_invalid");
        (await client.PostAsync(Path, """{"model":"m","expires_after_seconds":9}""")).ShouldFail(400, "realtime_session_invalid");
        (await client.PostAsync(Path, """{"model":"m","session":[]}""")).ShouldFail(400, "realtime_session_invalid");
        (await client.PostAsync(Path, """{"model":"m","session":{"model":"other"}}""")).ShouldFail(400, "realtime_session_invalid");
        (await client.PostAsync(Path, """{"model":"m","modle":1}""")).ShouldFail(400, "field_unknown");
        (await client.PostAsync(Path, $$"""{"model":"m","user_id":"{{Guid.NewGuid()}}"}""")).ShouldFail(403, "capture_refused");
        using var nobody = api.As(null);
        (await nobody.PostAsync(Path, """{"model":"m"}""")).ShouldFail(401, "token_missing");
        using var late = api.AsToken(RelayClient.ExpiredTokenOf(user));
        (await late.PostAsync(Path, """{"model":"m"}""")).ShouldFail(401, "token_expired");
        using var other = new Tokens(new VoxbaseOptions { Tokens = { Secret = "another secret for tests that is long enough" } }, TimeProvider.System);
        using var forged = api.AsToken(other.Mint(Caller.UserRole, user.UserId));
        (await forged.PostAsync(Path, """{"model":"m"}""")).ShouldFail(401, "token_invalid");
        openAi.SecretRequests.ShouldBeEmpty();
        await ShouldHaveNothingAsync(api);
        await using var without = await Api.StartAsync(cluster);
        using var there = without.As(await without.Database.NewUserAsync());
        (await there.PostAsync(Path, """{"model":"m"}""")).ShouldFail(503, "provider_not_configured");
    }

    private static async Task ShouldHaveNothingAsync(Api api) =>
        (await api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.conversations")).ShouldBe(0L);
}
