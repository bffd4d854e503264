using Microsoft.Extensions.Logging;
using Npgsql;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests;

public sealed class AnswersTests(TestCluster cluster)
{
    [Fact]
    public async Task Without_a_token_the_answer_is_401_and_a_challenge()
    {
        await using var api = await Api.StartAsync(cluster);
        using var nobody = api.As(null);
        var answer = (await nobody.GetAsync("/v1/conversations")).ShouldFail(401, "token_missing");
        answer.Response.Headers.WwwAuthenticate.ToString().ShouldBe("Bearer");
        (await nobody.PostAsync("/v1/conversations", "{}")).ShouldFail(401, "token_missing");
    }

    [Fact]
    public async Task A_token_that_does_not_hold_is_401_and_changes_nothing()
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        var expired = new Clock(DateTimeOffset.UtcNow.AddHours(-2));
        using var minter = new Tokens(new TokensOptions { Secret = Api.Secret }, expired);
        using var stranger = new Tokens(new TokensOptions { Secret = new string('?', 32) }, TimeProvider.System);
        var good = api.Tokens.Mint("authenticated", user.UserId);
        foreach (var (token, code) in new[]
        {
            (minter.Mint("authenticated", user.UserId), "token_expired"),
            (stranger.Mint("authenticated", user.UserId), "token_invalid"),
            (good[..^2] + (good[^2] == 'A' ? "B" : "A") + good[^1], "token_invalid"),
            ("nonsense", "token_invalid"),
        })
        {
            using var client = api.AsToken(token);
            var answer = (await client.PostAsync("/v1/conversations", "{}")).ShouldFail(401, code);
            answer.Response.Headers.WwwAuthenticate.ToString().ShouldBe("Bearer error=\"invalid_token\"");
            answer.Body.ToString().ShouldNotContain(token);
        }

        using var owner = api.As(user);
        (await owner.GetAsync("/v1/conversations"))["data"].GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task Bearer_goes_before_apikey_and_apikey_alone_does()
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        var (anon, mine) = (api.Tokens.Mint("anon"), api.Tokens.Mint("authenticated", user.UserId));
        using var both = api.AsToken(mine);
        both.Headers.Add("apikey", anon);
        (await both.GetAsync("/v1/conversations")).ShouldBe(200);
        using var alone = api.As(null);
        alone.Headers.Add("apikey", mine);
        (await alone.GetAsync("/v1/conversations")).ShouldBe(200);
        using var reversed = api.AsToken(anon);
        reversed.Headers.Add("apikey", mine);
        (await reversed.GetAsync("/v1/conversations")).ShouldFail(401, "sign_in_required");
        using var broken = api.AsToken("nonsense");
        broken.Headers.Add("apikey", mine);
        (await broken.GetAsync("/v1/conversations")).ShouldFail(401, "token_invalid");
    }

    [Theory]
    [InlineData("Basic YTpi")]
    [InlineData("Bearer")]
    [InlineData("Bearer ")]
    [InlineData("eyJhbGciOiJIUzI1NiJ9.e30.x")]
    public async Task Another_kind_of_authorization_is_401(string header)
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(null);
        client.Headers.TryAddWithoutValidation("Authorization", header);
        var answer = await client.GetAsync("/v1/conversations");
        answer.Status.ShouldBe(401);
        answer.Code.ShouldBeOneOf("token_invalid", "token_missing");
    }

    [Fact]
    public async Task A_credential_in_the_query_or_a_cookie_is_none()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(null);
        var token = api.Tokens.Mint("service_role");
        client.Headers.TryAddWithoutValidation("Cookie", $"token={token}; sb-access-token={token}");
        (await client.GetAsync($"/v1/conversations?apikey={token}")).ShouldFail(401, "token_missing");
    }

    [Theory]
    [InlineData("DELETE", "/v1/conversations", "POST, GET")]
    [InlineData("DELETE", "/v1/conversations/01890a5d-ac96-774b-bcce-b302099a8057", "GET")]
    [InlineData("GET", "/v1/conversations/01890a5d-ac96-774b-bcce-b302099a8057/end", "POST")]
    [InlineData("PATCH", "/v1/conversations/01890a5d-ac96-774b-bcce-b302099a8057/state", "PUT, POST")]
    [InlineData("POST", "/health", "GET")]
    [InlineData("PUT", "/openapi.json", "GET")]
    public async Task Another_method_is_405_and_told_which(string method, string path, string allowed)
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(Caller.Service);
        var answer = (await client.SendAsync(new HttpMethod(method), path)).ShouldFail(405, "method_not_allowed");
        answer.Response.Content.Headers.Allow.ShouldBe(allowed.Split(", "), ignoreOrder: true);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/v1")]
    [InlineData("/v1/nothing")]
    [InlineData("/v1/conversations/01890a5d-ac96-774b-bcce-b302099a8057/nothing")]
    [InlineData("/v2/conversations")]
    [InlineData("/openapi")]
    public async Task Another_path_is_404_in_the_same_shape(string path)
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(null);
        (await client.GetAsync(path)).ShouldFail(404, "path_not_found");
        (await client.PostAsync(path, "{}")).ShouldFail(404, "path_not_found");
    }

    [Fact]
    public async Task Without_a_database_the_answer_is_503_and_tells_nothing_about_it()
    {
        var gone = new NpgsqlConnectionStringBuilder(cluster.ConnectionStringOf("postgres")) { Host = "127.0.0.1", Port = 1, Password = "hush-hush" }.ConnectionString;
        await using var api = await Api.StartAsync(cluster, connectionString: gone);
        using var client = api.As(Caller.Service);
        var answer = (await client.GetAsync("/v1/conversations")).ShouldFail(503, "database_unavailable");
        answer.Body.ToString().ShouldNotContain("127.0.0.1");
        (await client.GetAsync("/health")).ShouldBe(200)["status"].GetString().ShouldBe("alive");
        var ready = (await client.GetAsync("/ready")).ShouldBe(503);
        ready["status"].GetString().ShouldBe("not_ready");
        ready["checks"][0].GetProperty("code").GetString().ShouldBe("database_unavailable");
        ready.Body.ToString().ShouldNotContain("127.0.0.1");
        api.Logs.From(LogLevel.Trace).ShouldAllBe(line => !line.Contains("hush-hush"));
    }

    [Fact]
    public async Task Ready_means_reachable_and_migrated()
    {
        await using var api = await Api.StartAsync(cluster);
        using var nobody = api.As(null);
        var ready = (await nobody.GetAsync("/ready")).ShouldBe(200);
        ready["checks"].EnumerateArray().Select(c => (c.GetProperty("name").GetString(), c.GetProperty("ok").GetBoolean()))
            .ShouldBe([("database", true), ("migrations", true), ("feed", true)]);

        await using var empty = await Api.StartAsync(cluster, connectionString: await cluster.CreateEmptyDatabaseAsync());
        using var client = empty.As(null);
        var not = (await client.GetAsync("/ready")).ShouldBe(503);
        not["checks"].EnumerateArray().Select(c => (c.GetProperty("name").GetString(), c.GetProperty("ok").GetBoolean()))
            .ShouldBe([("database", true), ("migrations", false)]);
    }

    [Fact]
    public async Task A_fault_of_the_server_is_told_by_its_trace_alone()
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        using var client = api.As(user);
        var id = await client.StartAsync();
        await BreakAsync(api, "create function vox_private.broken() returns trigger language plpgsql as $$ begin raise exception 'said: %', new.raw_text; end $$");
        await BreakAsync(api, "create trigger broken before insert on vox.turns for each row execute function vox_private.broken()");
        var answer = (await client.PostAsync($"/v1/conversations/{id}/turns", """{"role":"user","raw_text":"my phone is 555-0100"}""")).ShouldFail(500, "internal_error");
        answer.Body.ToString().ShouldNotContain("555-0100");
        var trace = answer["details"].GetString()!.Replace("trace ", "", StringComparison.Ordinal);
        var logged = api.Logs.From(LogLevel.Error).Single();
        logged.ShouldContain(trace);
        logged.ShouldContain("PostgresException");
        logged.ShouldContain("/v1/conversations/{id}/turns");
        api.Logs.From(LogLevel.Trace).ShouldAllBe(line => !line.Contains("555-0100"));
    }

    [Fact]
    public async Task Ordinary_requests_log_nothing_of_what_is_said_and_no_token()
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        var token = api.Tokens.Mint("authenticated", user.UserId);
        using var client = api.AsToken(token);
        var id = await client.StartAsync();
        await client.PostAsync($"/v1/conversations/{id}/turns", """{"role":"user","raw_text":"my phone is 555-0100"}""");
        await client.PostAsync($"/v1/conversations/{id}/turns", """{"role":"user","raw_text":"my phone is 555-0100","x":1}""");
        await client.GetAsync($"/v1/conversations/{id}");
        api.Logs.From(LogLevel.Trace).ShouldAllBe(line => !line.Contains("555-0100") && !line.Contains(token) && !line.Contains(Api.Secret));
    }

    [Fact]
    public async Task The_description_of_the_api_covers_every_path_with_schemas_and_errors()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(null);
        var document = (await client.GetAsync("/openapi.json")).ShouldBe(200);
        document["openapi"].GetString()!.ShouldStartWith("3.1");
        document["paths"].EnumerateObject().SelectMany(path => path.Value.EnumerateObject().Select(method => $"{method.Name} {path.Name}")).ShouldBe(
            [
"get /health",
                "get /ready",
                "get /v1/alerts",
                "get /v1/alerts/rules",
                "delete /v1/alerts/rules/{rule}",
                "put /v1/alerts/rules/{rule}",
                "get /v1/alerts/webhooks",
                "post /v1/alerts/webhooks",
                "delete /v1/alerts/webhooks/{id}",
                "post /v1/alerts/webhooks/{id}/test",
                "post /v1/alerts/{id}/acknowledge",
                "get /v1/budgets",
                "get /v1/budgets/position",
                "put /v1/budgets/tiers/{tier}",
                "delete /v1/budgets/users/{id}",
                "put /v1/budgets/users/{id}",
                "delete /v1/budgets/users/{id}/override",
                "put /v1/budgets/users/{id}/override",
                "get /v1/budgets/window",
                "put /v1/budgets/window",
                "post /v1/capture/openai",
                "post /v1/capture/transcripts",
                "get /v1/conversations",
                "post /v1/conversations",
                "get /v1/conversations/{id}",
                "post /v1/conversations/{id}/activate",
                "get /v1/conversations/{id}/context",
                "post /v1/conversations/{id}/end",
                "post /v1/conversations/{id}/function-calls",
                "post /v1/conversations/{id}/function-calls/{call_id}/finish",
                "post /v1/conversations/{id}/participants",
                "post /v1/conversations/{id}/participants/leave",
                "post /v1/conversations/{id}/participants/{participant_id}/leave",
                "post /v1/conversations/{id}/state",
                "put /v1/conversations/{id}/state",
                "get /v1/conversations/{id}/live",
                "get /v1/conversations/{id}/turns",
                "get /v1/feed",
                "post /v1/conversations/{id}/turns",
                "post /v1/livekit/calls",
                "get /v1/livekit/calls/{id}/egress",
                "post /v1/livekit/calls/{id}/egress",
                "post /v1/livekit/calls/{id}/egress/{egress_id}/stop",
                "post /v1/livekit/calls/{id}/end",
                "get /v1/livekit/calls/{id}/participants",
                "post /v1/livekit/calls/{id}/participants/remove",
                "get /v1/livekit/rooms",
                "post /v1/livekit/session-reports",
                "post /v1/livekit/tokens",
                "post /v1/livekit/webhooks",
                "get /v1/prices",
                "put /v1/prices",
                "get /v1/prices/check",
                "post /v1/realtime/calls/{call_id}/attach",
                "post /v1/realtime/sessions",
                "post /v1/realtime/webhooks",
                "get /v1/conversations/{id}/analysis/confidence",
                "get /v1/conversations/{id}/analysis/contexts",
                "get /v1/conversations/{id}/analysis/performance",
                "post /v1/conversations/{id}/clean",
                "put /v1/conversations/{id}/cleaning",
                "get /v1/conversations/{id}/corrections",
                "get /v1/conversations/{id}/terms",
                "put /v1/conversations/{id}/terms",
                "post /v1/conversations/{id}/terms",
                "delete /v1/conversations/{id}/terms",
                "post /v1/conversations/{id}/turns/{turn_id}/undo",
                "get /v1/conversations/{id}/turns/{turn_id}/versions",
                "post /v1/conversations/{id}/undo",
                "get /v1/conversations/{id}/window",
                "get /v1/terms",
                "put /v1/terms",
                "post /v1/terms",
                "delete /v1/terms",
                "get /v1/terms/installation",
                "put /v1/terms/installation",
                "post /v1/terms/installation",
                "delete /v1/terms/installation",
                "post /v1/transcripts/clean",
                "get /v1/transcripts/hours",
                "get /v1/usage",
            ],
            ignoreOrder: true);
        foreach (var path in document["paths"].EnumerateObject())
        {
            foreach (var method in path.Value.EnumerateObject())
            {
                method.Value.GetProperty("summary").GetString().ShouldNotBeNullOrEmpty();
                foreach (var answer in method.Value.GetProperty("responses").EnumerateObject())
                    answer.Value.GetProperty("content").GetProperty("application/json").TryGetProperty("schema", out _).ShouldBeTrue();
                if (path.Name.StartsWith("/v1", StringComparison.Ordinal))
                    method.Value.GetProperty("responses").TryGetProperty("401", out _).ShouldBeTrue();
            }
        }

        var schemas = document["components"].GetProperty("schemas");
        var turn = schemas.GetProperty("NewTurn").GetProperty("properties");
        turn.GetProperty("raw_text").GetProperty("type").EnumerateArray().Select(t => t.GetString()).ShouldBe(["null", "string"]);
        turn.GetProperty("input_tokens").GetProperty("type").EnumerateArray().Select(t => t.GetString()).ShouldBe(["null", "integer"]);
        turn.GetProperty("confidence").GetProperty("enum").EnumerateArray().Select(t => t.GetString()).ShouldBe(["LOW", "MEDIUM", "HIGH", null]);
        schemas.GetProperty("Conversation").GetProperty("properties").GetProperty("cost_usd").GetProperty("type").GetString().ShouldBe("string");
        document["tags"].EnumerateArray().Select(tag => tag.GetProperty("name").GetString())
            .ShouldBe(["conversations", "turns", "participants", "functionCalls", "capture", "realtime", "livekit", "prices", "usage", "budgets", "alerts", "transcripts", "terms", "feed", "health", "ready"], ignoreOrder: true);
        schemas.GetProperty("ErrorBody").GetProperty("properties").EnumerateObject().Select(p => p.Name).ShouldBe(["code", "message", "details", "hint"]);
        var text = document.Body.ToString();
        text.ShouldNotContain("rawText");
        document["components"].GetProperty("securitySchemes").TryGetProperty("bearer", out _).ShouldBeTrue();
    }

    private static async Task BreakAsync(Api api, string sql)
    {
        await using var connection = new NpgsqlConnection(api.Database.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
