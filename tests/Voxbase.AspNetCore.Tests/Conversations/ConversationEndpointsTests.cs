using System.Text.Json;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests;

public sealed class ConversationEndpointsTests(TestCluster cluster)
{
    [Fact]
    public async Task A_conversation_is_started_spoken_ended_and_read_back()
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        using var client = api.As(user);

        var started = (await client.PostAsync("/v1/conversations", """
            {"kind":"agent","session_id":"sess_1","name":"Größe 😀","llm_provider":"openai","llm_model":"gpt-realtime","ai_agent_used":true,
             "started_at":"2026-05-01T12:00:00.25+02:00","metadata":{"a":[1,2.50,null]}}
            """)).ShouldBe(201);
        started["user_id"].GetGuid().ShouldBe(user.UserId!.Value);
        (started["kind"].GetString(), started["status"].GetString(), started["state"].GetString()).ShouldBe(("agent", "pending", "idle"));
        started["started_at"].GetString().ShouldBe("2026-05-01T10:00:00.25Z");
        started["name"].GetString().ShouldBe("Größe 😀");
        started["cost_usd"].GetString().ShouldBe("0.000000000", "money is decimal text");
        var path = $"/v1/conversations/{started.Id}";

        (await client.PostAsync($"{path}/activate", """{"connected_at":"2026-05-01T10:00:01Z"}""")).ShouldBe(200)["status"].GetString().ShouldBe("active");
        var joined = (await client.PostAsync($"{path}/participants", """{"identity":"ada","type":"user"}""")).ShouldBe(201);
        (await client.PutAsync($"{path}/state", """{"state":"listening"}""")).ShouldBe(200)["state"].GetString().ShouldBe("listening");
        (await client.PostAsync($"{path}/state", """{"state":"processing"}""")).ShouldBe(200)["state"].GetString().ShouldBe("processing");

        var one = (await client.PostAsync($"{path}/turns", """{"role":"user","raw_text":"hello","input_tokens":3}""")).ShouldBe(201);
        (one["sequence_number"].GetInt32(), one["added"].GetBoolean()).ShouldBe((1, true));
        var many = (await client.PostAsync($"{path}/turns", """
            [{"role":"assistant","raw_text":"Hi there","cleaned_text":"Hi there.","confidence":"HIGH","cleaning_level":"light","output_tokens":4},
             {"role":"tool","metadata":{"x":{}},"corrections":[]}]
            """)).ShouldBe(201);
        many.Body.EnumerateArray().Select(turn => turn.GetProperty("sequence_number").GetInt32()).ShouldBe([2, 3]);

        (await client.PostAsync($"{path}/function-calls", """{"call_id":"call/1 ?","name":"weather","arguments":{"city":"Oslo"}}""")).ShouldBe(201)["status"].GetString().ShouldBe("in_progress");
        var finished = (await client.PostAsync($"{path}/function-calls/call%2F1%20%3F/finish", """{"result":{"c":3},"execution_ms":12}""")).ShouldBe(200);
        (finished["status"].GetString(), finished["execution_ms"].GetInt32()).ShouldBe(("completed", 12));
        (await client.PostAsync($"{path}/participants/{joined.Id}/leave", """{"reason":"bye"}""")).ShouldBe(200)["disconnect_reason"].GetString().ShouldBe("bye");
        var ended = (await client.PostAsync($"{path}/end", """{"reason":"hangup","status":"completed","ended_at":"2026-05-01T10:01:01Z"}""")).ShouldBe(200);
        (ended["status"].GetString(), ended["end_reason"].GetString(), ended["duration_seconds"].GetInt32()).ShouldBe(("completed", "hangup", 60));

        var record = (await client.GetAsync(path)).ShouldBe(200);
        record.Body.EnumerateObject().Select(p => p.Name).ShouldBe(["conversation", "participants", "turns", "function_calls", "usage_events", "charges"]);
        record["conversation"].GetProperty("turn_count").GetInt32().ShouldBe(3);
        record["conversation"].GetProperty("metadata").GetRawText().ShouldBe("""{"a":[1,2.50,null]}""");
        record["turns"].EnumerateArray().Select(turn => turn.GetProperty("role").GetString()).ShouldBe(["user", "assistant", "tool"]);
        record["turns"][1].GetProperty("confidence").GetString().ShouldBe("HIGH");
        record["turns"][1].GetProperty("cleaning_level").GetString().ShouldBe("light");
        record["function_calls"][0].GetProperty("arguments").GetProperty("city").GetString().ShouldBe("Oslo");

        var context = (await client.GetAsync($"{path}/context?max_turns=2&max_tokens=100")).ShouldBe(200);
        context["messages"].EnumerateArray().Single().GetProperty("text").GetString().ShouldBe("Hi there.");
        record.Response.Headers.GetValues("X-Content-Type-Options").ShouldBe(["nosniff"]);
        record.Response.Headers.CacheControl!.NoStore.ShouldBeTrue();
        record.Response.Headers.Contains("Set-Cookie").ShouldBeFalse();
        record.Response.Headers.Contains("Server").ShouldBeTrue("the host leaves it out; this application keeps its own");
    }

    [Fact]
    public async Task Starting_again_answers_200_and_the_first()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var first = (await client.PostAsync("/v1/conversations", """{"session_id":"s"}""")).ShouldBe(201);
        (await client.PostAsync("/v1/conversations", """{"session_id":"s","name":"other"}""")).ShouldBe(200).Body.ToString().ShouldBe(first.Body.ToString());
        (await client.PostAsync("/v1/conversations", $$"""{"id":"{{first.Id}}"}""")).ShouldBe(200).Id.ShouldBe(first.Id);
    }

    [Fact]
    public async Task Repeating_an_append_answers_200_and_the_numbers_of_the_first()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var path = $"/v1/conversations/{await client.StartAsync()}/turns";
        var turn = $$"""{"id":"{{Guid.CreateVersion7()}}","role":"user","raw_text":"once"}""";
        (await client.PostAsync(path, turn)).ShouldBe(201);
        var again = (await client.PostAsync(path, turn)).ShouldBe(200);
        (again["sequence_number"].GetInt32(), again["added"].GetBoolean()).ShouldBe((1, false));
        (await client.PostAsync(path, "[]")).ShouldBe(200).Body.GetArrayLength().ShouldBe(0);
        (await client.GetAsync(path)).ShouldBe(200)["data"].GetArrayLength().ShouldBe(1);
    }

    [Fact]
    public async Task Turns_come_in_pages()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var path = $"/v1/conversations/{await client.StartAsync()}/turns";
        await client.PostAsync(path, "[" + string.Join(",", Enumerable.Range(1, 5).Select(i => $$"""{"role":"user","raw_text":"{{i}}"}""")) + "]");
        var seen = new List<string>();
        int? after = 0;
        while (after is { } number)
        {
            var page = (await client.GetAsync($"{path}?after={number}&limit=2")).ShouldBe(200);
            seen.AddRange(page["data"].EnumerateArray().Select(turn => turn.GetProperty("raw_text").GetString()!));
            after = page["next"].ValueKind == JsonValueKind.Null ? null : page["next"].GetInt32();
        }

        seen.ShouldBe(["1", "2", "3", "4", "5"]);
    }

    [Fact]
    public async Task Conversations_come_in_pages_newest_first_and_filtered()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        // The order is that of the ids, so two of one millisecond would have none that is promised.
        var ids = Enumerable.Range(0, 5).Select(i => Guid.CreateVersion7(DateTimeOffset.UtcNow.AddSeconds(i - 5))).ToList();
        foreach (var (i, id) in ids.Index())
            await client.StartAsync(i % 2 == 0 ? $$"""{"id":"{{id}}","kind":"call"}""" : $$"""{"id":"{{id}}","kind":"clone","status":"active"}""");
        var seen = new List<Guid>();
        var query = "?limit=2";
        while (query is not null)
        {
            var page = (await client.GetAsync($"/v1/conversations{query}")).ShouldBe(200);
            seen.AddRange(page["data"].EnumerateArray().Select(c => c.GetProperty("id").GetGuid()));
            query = page["next"].GetString() is { } next ? $"?limit=2&before={next}" : null;
        }

        seen.ShouldBe(ids.AsEnumerable().Reverse());
        (await client.GetAsync("/v1/conversations?kind=clone"))["data"].GetArrayLength().ShouldBe(2);
        (await client.GetAsync("/v1/conversations?status=active&kind=call"))["data"].GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task Optional_bodies_may_be_left_out()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var path = $"/v1/conversations/{await client.StartAsync()}";
        (await client.PostAsync($"{path}/activate")).ShouldBe(200)["status"].GetString().ShouldBe("active");
        await client.PostAsync($"{path}/participants", """{"identity":"ada"}""");
        (await client.PostAsync($"{path}/participants/leave", """{"identity":"ada"}""")).ShouldBe(200)["left_at"].ValueKind.ShouldBe(JsonValueKind.String);
        await client.PostAsync($"{path}/function-calls", """{"call_id":"c","name":"f"}""");
        (await client.PostAsync($"{path}/function-calls/c/finish")).ShouldBe(200)["status"].GetString().ShouldBe("completed");
        (await client.PostAsync($"{path}/end")).ShouldBe(200)["status"].GetString().ShouldBe("completed");
        (await client.PostAsync($"{path}/end", """{"status":"failed"}""")).ShouldBe(200)["status"].GetString().ShouldBe("completed", "the first end counts");
    }

    [Fact]
    public async Task A_conversation_may_have_begun_before_computers_kept_time()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        (await client.PostAsync("/v1/conversations", """{"started_at":"1960-01-01T00:00:00Z"}""")).ShouldBe(201)["started_at"].GetString().ShouldBe("1960-01-01T00:00:00Z");
    }

    [Fact]
    public async Task Prices_are_listed_with_decimal_text()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var price = (await client.GetAsync("/v1/prices")).ShouldBe(200)["data"][0];
        price.GetProperty("unit_price_usd").ValueKind.ShouldBe(JsonValueKind.String);
        price.GetProperty("meter").GetString().ShouldNotBeNullOrEmpty();
    }

    [Fact]
    public async Task Sixty_four_connections_append_to_one_conversation_without_a_gap()
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        using var first = api.As(user);
        var path = $"/v1/conversations/{await first.StartAsync()}/turns";
        var numbers = await Task.WhenAll(Enumerable.Range(0, 64).Select(async _ =>
        {
            using var client = api.As(user);
            var own = new List<int>();
            for (var i = 0; i < 5; i++)
                own.Add((await client.PostAsync(path, """{"role":"user","raw_text":"hi"}""")).ShouldBe(201)["sequence_number"].GetInt32());
            return own;
        }));
        numbers.SelectMany(n => n).Order().ShouldBe(Enumerable.Range(1, 320));
    }
}
