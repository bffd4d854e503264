using System.Text.Json;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests;

public sealed class CleaningEndpointsTests(TestCluster cluster)
{
    private static readonly (string Method, string Path, string? Body)[] Everything =
    [
        ("POST", "/v1/transcripts/clean", """{"raw_text":"um hello"}"""),
        ("POST", "/v1/conversations/{id}/clean", null),
        ("PUT", "/v1/conversations/{id}/cleaning", "{}"),
        ("GET", "/v1/conversations/{id}/corrections", null),
        ("POST", "/v1/conversations/{id}/undo", null),
        ("POST", "/v1/conversations/{id}/turns/{turn}/undo", null),
        ("GET", "/v1/conversations/{id}/turns/{turn}/versions", null),
        ("GET", "/v1/conversations/{id}/terms", null),
        ("PUT", "/v1/conversations/{id}/terms", """{"terms":["Zephanta"]}"""),
        ("POST", "/v1/conversations/{id}/terms", """{"terms":["Zephanta"]}"""),
        ("DELETE", "/v1/conversations/{id}/terms?term=Zephanta", null),
        ("GET", "/v1/terms", null),
        ("PUT", "/v1/terms", """{"terms":["Zephanta"]}"""),
        ("PUT", "/v1/terms/installation", """{"terms":["Zephanta"]}"""),
        ("GET", "/v1/conversations/{id}/window", null),
        ("GET", "/v1/conversations/{id}/analysis/contexts", null),
        ("GET", "/v1/conversations/{id}/analysis/confidence", null),
        ("GET", "/v1/conversations/{id}/analysis/performance", null),
        ("GET", "/v1/transcripts/hours", null),
    ];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Turns_are_cleaned_without_being_kept_one_or_many()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var one = (await client.PostAsync("/v1/transcripts/clean", """{"id":"a","raw_text":"um I would like uh a table","level":"full"}""")).ShouldBe(200);
        (one["id"].GetString(), one["cleaned_text"].GetString()).ShouldBe(("a", "I would like a table"));
        var correction = one["corrections"][0];
        (correction.GetProperty("original").GetString(), correction.GetProperty("reason").GetString(), correction.GetProperty("status").GetString(),
            correction.GetProperty("confidence").GetString(), correction.GetProperty("position").GetProperty("start").GetInt32())
            .ShouldBe(("um ", "filler", "applied", "HIGH", 0));
        var many = (await client.PostAsync(
            "/v1/transcripts/clean",
            """[{"raw_text":"Welcome to Zephanta","is_written":true},{"raw_text":"um the zefanta office"},{"raw_text":"um fine","level":"none"}]""")).ShouldBe(200);
        many.Body.EnumerateArray().Select(turn => turn.GetProperty("cleaned_text").GetString()).ShouldBe(["Welcome to Zephanta", "the Zephanta office", "um fine"]);
        (await client.PostAsync("/v1/transcripts/clean", """{"raw_text":"the zefanta office","terms":["Zephanta"]}"""))["cleaned_text"].GetString()
            .ShouldBe("the Zephanta office");
        (await client.PostAsync("/v1/transcripts/clean", "[]")).ShouldBe(200).Body.GetArrayLength().ShouldBe(0);

        foreach (var (body, code) in new[]
        {
            ("""{"raw_text":"x","level":"FULL"}""", "input_invalid"),
            ("""{"level":"full"}""", "input_invalid"),
            ("""{"raw_text":null}""", "input_invalid"),
            ("[null]", "input_invalid"),
            ("""{"raw_text":"x","nothing":1}""", "field_unknown"),
            ("""{"raw_text":"x","language":"tlh"}""", "cleaning_language_unknown"),
            ("""{"raw_text":"x","terms":[""]}""", "key_terms_invalid"),
            ("[" + string.Join(",", Enumerable.Repeat("""{"raw_text":"x"}""", 1_001)) + "]", "input_invalid"),
        })
        {
            (await client.PostAsync("/v1/transcripts/clean", body)).ShouldFail(400, code);
        }
    }

    [Fact]
    public async Task A_conversation_is_cleaned_looked_at_undone_and_cleaned_anew()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var (id, turn) = await SaidAsync(client);

        (await client.GetAsync($"/v1/conversations/{id}/corrections"))["data"].GetArrayLength().ShouldBe(0);
        (await client.PostAsync($"/v1/conversations/{id}/turns/{turn}/undo")).ShouldFail(404, "turn_not_cleaned");
        var summary = (await client.PostAsync($"/v1/conversations/{id}/clean", """{"level":"light"}""")).ShouldBe(200);
        (summary["turns"].GetInt32(), summary["changed"].GetInt32(), summary["written"].GetInt32()).ShouldBe((2, 1, 2));
        summary["reasons"].GetProperty("filler").GetInt32().ShouldBeGreaterThan(0);
        (await client.PostAsync($"/v1/conversations/{id}/clean")).ShouldBe(200)["written"].GetInt32().ShouldBe(2);
        var page = (await client.GetAsync($"/v1/conversations/{id}/corrections?limit=1")).ShouldBe(200);
        page["next"].GetInt32().ShouldBe(1);
        var corrected = page["data"][0];
        (corrected.GetProperty("version").GetInt32(), corrected.GetProperty("cleaned_text").GetString()).ShouldBe((2, "I would like a table"));
        (await client.GetAsync($"/v1/conversations/{id}/turns/{turn}/versions")).ShouldBe(200)["data"].GetArrayLength().ShouldBe(1);

        (await client.PostAsync($"/v1/conversations/{id}/turns/{turn}/undo", """{"correction":0}""")).ShouldBe(200)["cleaned_text"].GetString()
            .ShouldBe("um I would like a table");
        (await client.PostAsync($"/v1/conversations/{id}/turns/{turn}/undo", """{"correction":9}""")).ShouldFail(404, "correction_not_found");
        (await client.PostAsync($"/v1/conversations/{id}/turns/{turn}/undo")).ShouldBe(200)["cleaned_text"].GetString().ShouldBe("um I would like uh a table");
        (await client.PostAsync($"/v1/conversations/{id}/undo")).ShouldBe(200)["turns"].GetInt32().ShouldBe(0);
        (await client.PostAsync($"/v1/conversations/{id}/clean", """{"language":"tlh"}""")).ShouldFail(400, "cleaning_language_unknown");
        (await client.PostAsync($"/v1/conversations/{id}/clean", """{"level":7}""")).ShouldFail(400, "input_invalid");
        (await client.GetAsync($"/v1/conversations/{id}/corrections?limit=0")).ShouldFail(400, "input_invalid");
        (await client.GetAsync($"/v1/conversations/{id}/corrections?x=0")).ShouldFail(400, "query_invalid");
        (await client.PutAsync($"/v1/conversations/{id}/cleaning", """{"window_size":0}""")).ShouldFail(400, "input_invalid");
        (await client.PostAsync($"/v1/conversations/{Guid.NewGuid()}/clean")).ShouldFail(404, "conversation_not_found");

        (await client.GetAsync($"/v1/conversations/{id}/window?before=2&size=5")).ShouldBe(200)["data"].GetArrayLength().ShouldBe(1);
        (await client.GetAsync($"/v1/conversations/{id}/window?size=0")).ShouldFail(400, "input_invalid");
        (await client.GetAsync($"/v1/conversations/{id}/analysis/confidence")).ShouldBe(200)["data"][0].GetProperty("percentage").GetDouble().ShouldBeGreaterThan(0);
        (await client.GetAsync($"/v1/conversations/{id}/analysis/contexts")).ShouldBe(200)["data"].GetArrayLength().ShouldBeGreaterThan(0);
        (await client.GetAsync($"/v1/conversations/{id}/analysis/performance")).ShouldBe(200)["total_turns"].GetInt32().ShouldBe(3);
        (await client.GetAsync("/v1/transcripts/hours")).ShouldBe(200)["data"].EnumerateArray().Sum(hour => hour.GetProperty("turns_processed").GetInt32()).ShouldBe(2);
        (await client.GetAsync("/v1/transcripts/hours?hours=0")).ShouldFail(400, "input_invalid");
    }

    [Fact]
    public async Task A_conversation_that_asks_for_it_is_cleaned_as_its_turns_come()
    {
        await using var api = await Api.StartAsync(cluster, options => options.Transcripts.SweepEvery = TimeSpan.FromMilliseconds(200));
        using var client = api.As(await api.Database.NewUserAsync());
        var (id, _) = await SaidAsync(client);
        (await client.PutAsync($"/v1/conversations/{id}/cleaning", """{"level":"full"}""")).ShouldBe(200)["enabled"].GetBoolean().ShouldBeTrue();
        await CleanedAsync(client, id, 2);
        await client.PostAsync($"/v1/conversations/{id}/turns", """{"role":"user","raw_text":"uh and two chairs"}""");
        var turns = await CleanedAsync(client, id, 3);
        turns[2].GetProperty("cleaned_text").GetString().ShouldBe("and two chairs");
        (await client.PutAsync($"/v1/conversations/{id}/cleaning", """{"enabled":false}""")).ShouldBe(200);
        api.Logs.From(Microsoft.Extensions.Logging.LogLevel.Warning).ShouldBeEmpty();
    }

    [Fact]
    public async Task Nothing_is_told_or_done_without_a_token_that_holds_nor_to_strangers()
    {
        await using var api = await Api.StartAsync(cluster);
        var owner = await api.Database.NewUserAsync();
        using var mine = api.As(owner);
        var (id, turn) = await SaidAsync(mine);
        (await mine.PostAsync($"/v1/conversations/{id}/clean")).ShouldBe(200);
        (await mine.PutAsync($"/v1/conversations/{id}/terms", """{"terms":["Agnes Kowalski"]}""")).ShouldBe(200);
        var before = (await mine.GetAsync($"/v1/conversations/{id}")).Body.GetProperty("turns").ToString();

        using var early = new Tokens(new TokensOptions { Secret = Api.Secret }, new Clock(DateTimeOffset.UtcNow.AddHours(-2)));
        using var other = new Tokens(new TokensOptions { Secret = new string('?', 32) }, TimeProvider.System);
        using var nobody = api.As(null);
        using var late = api.AsToken(early.Mint("authenticated", owner.UserId));
        using var forged = api.AsToken(other.Mint("authenticated", owner.UserId));
        using var anonymous = api.AsToken(api.Tokens.Mint("anon"));
        using var stranger = api.As(await api.Database.NewUserAsync());
        foreach (var (method, path, body) in Everything)
        {
            var full = path.Replace("{id}", id.ToString(), StringComparison.Ordinal).Replace("{turn}", turn.ToString(), StringComparison.Ordinal);
            (await nobody.SendAsync(new HttpMethod(method), full, body)).ShouldFail(401, "token_missing");
            (await late.SendAsync(new HttpMethod(method), full, body)).ShouldFail(401, "token_expired");
            (await forged.SendAsync(new HttpMethod(method), full, body)).ShouldFail(401, "token_invalid");
            (await anonymous.SendAsync(new HttpMethod(method), full, body)).ShouldFail(401, "sign_in_required");
            var answer = await stranger.SendAsync(new HttpMethod(method), full, body);
            if (path.Contains("{id}", StringComparison.Ordinal))
                answer.Status.ShouldBe(404, $"{method} {path}");
            else if (path.EndsWith("installation", StringComparison.Ordinal))
                answer.ShouldFail(403, "forbidden");
            else
                answer.Body.ToString().ShouldNotContain("Kowalski");
        }

        (await mine.GetAsync($"/v1/conversations/{id}")).Body.GetProperty("turns").ToString().ShouldBe(before);
        (await mine.GetAsync($"/v1/conversations/{id}/terms"))["terms"].EnumerateArray().Select(term => term.GetString()).ShouldBe(["Agnes Kowalski"]);
    }

    [Fact]
    public async Task Terms_are_listed_added_replaced_and_taken_out()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        using var admin = api.As(await api.Database.NewUserAsync(isAdmin: true));
        (await client.GetAsync("/v1/terms")).ShouldBe(200)["terms"].GetArrayLength().ShouldBe(0);
        (await client.PutAsync("/v1/terms", """{"terms":["Ada","Bo"]}""")).ShouldBe(200);
        (await client.PostAsync("/v1/terms", """{"terms":["Bo","Cy"]}""")).ShouldBe(200)["terms"].GetArrayLength().ShouldBe(3);
        (await client.SendAsync(HttpMethod.Delete, "/v1/terms?term=Bo")).ShouldBe(200)["terms"].GetArrayLength().ShouldBe(2);
        (await client.SendAsync(HttpMethod.Delete, "/v1/terms")).ShouldFail(400, "input_invalid");
        (await client.PutAsync("/v1/terms", """{"terms":["  "]}""")).ShouldFail(400, "key_terms_invalid");
        (await client.PutAsync("/v1/terms", """{"terms":"Ada"}""")).ShouldFail(400, "input_invalid");
        (await admin.PutAsync("/v1/terms/installation", """{"terms":["Zephanta"]}""")).ShouldBe(200);
        (await client.GetAsync("/v1/terms/installation"))["terms"][0].GetString().ShouldBe("Zephanta");
        (await client.SendAsync(HttpMethod.Delete, "/v1/terms/installation?term=Zephanta")).ShouldFail(403, "forbidden");
        using var service = api.As(Caller.Service);
        (await service.GetAsync("/v1/terms")).ShouldFail(400, "input_invalid");
    }

    private static async Task<(Guid Id, Guid Turn)> SaidAsync(Client client)
    {
        var id = await client.StartAsync();
        var said = (await client.PostAsync(
            $"/v1/conversations/{id}/turns",
            """[{"role":"user","raw_text":"um I would like uh a table"},{"role":"user","raw_text":"that is all"},{"role":"assistant","raw_text":"um yes"}]""")).ShouldBe(201);
        return (id, said.Body[0].GetProperty("id").GetGuid());
    }

    private static async Task<List<JsonElement>> CleanedAsync(Client client, Guid id, int count)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(TimeSpan.FromMinutes(2));
        while (true)
        {
            var data = (await client.GetAsync($"/v1/conversations/{id}/corrections"))["data"];
            if (data.GetArrayLength() >= count)
                return [.. data.EnumerateArray()];
            await Task.Delay(20, patience.Token);
        }
    }
}
