using System.Net.Http.Headers;
using System.Text;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests;

public sealed class CaptureEndpointsTests(TestCluster cluster)
{
    private const string Session = """{"dir":"server","t":0,"event":{"type":"session.created","event_id":"e1","session":{"id":"sess_http","model":"gpt-realtime"}}}""";

    private const string Item = """{"dir":"server","t":40,"event":{"type":"conversation.item.added","event_id":"e2","previous_item_id":null,"item":{"id":"item_1","type":"message","role":"user","status":"completed","content":[{"type":"input_text","text":"Good morning"}]}}}""";

    private const string Response = """{"dir":"server","t":900,"event":{"type":"response.done","event_id":"e3","response":{"id":"resp_1","conversation_id":"conv_1","status":"completed","output":[],"usage":{"total_tokens":110,"input_tokens":100,"output_tokens":10,"input_token_details":{"text_tokens":100,"audio_tokens":0,"cached_tokens":0},"output_token_details":{"text_tokens":10,"audio_tokens":0}}}}}""";

    [Fact]
    public async Task A_log_becomes_its_callers_conversation_and_again_nothing_new()
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        using var client = api.As(user);

        var captured = (await client.PostAsync("/v1/capture/openai?started_at=2026-05-01T12:00:00Z", Log(Session, "not json", Item, Response))).ShouldBe(200);

        var summary = captured["conversations"].EnumerateArray().ShouldHaveSingleItem();
        summary.GetProperty("cost_usd").GetString().ShouldBe("0.000560", "100 × 4 + 10 × 16 per million");
        summary.GetProperty("turn_count").GetInt32().ShouldBe(1);
        summary.GetProperty("responses").GetInt32().ShouldBe(1);
        summary.GetProperty("malformed")[0].GetProperty("number").GetInt32().ShouldBe(2);
        summary.GetProperty("status").GetString().ShouldBe("completed");
        var again = (await client.PostAsync("/v1/capture/openai", Log(Session, Item, Response))).ShouldBe(200);
        again["conversations"][0].GetProperty("new_events").GetInt32().ShouldBe(0);
        var record = (await client.GetAsync($"/v1/conversations/{summary.GetProperty("conversation_id").GetGuid()}")).ShouldBe(200);
        record["conversation"].GetProperty("user_id").GetGuid().ShouldBe(user.UserId!.Value);
        record["turns"][0].GetProperty("raw_text").GetString().ShouldBe("Good morning");
    }

    [Fact]
    public async Task A_log_longer_than_other_bodies_may_be_is_streamed()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var audio = new string('A', 64 * 1024);
        var deltas = Enumerable.Range(0, 200).Select(i =>
            $$$"""{"dir":"server","event":{"type":"response.output_audio.delta","event_id":"d{{{i}}}","response_id":"resp_1","item_id":"item_2","delta":"{{{audio}}}"}}""");
        var summary = (await client.PostAsync("/v1/capture/openai", Log([Session, Item, .. deltas, Response]))).ShouldBe(200)["conversations"][0];
        summary.GetProperty("events").GetInt32().ShouldBe(203);
    }

    [Fact]
    public async Task Bad_logs_and_bad_wishes_are_refused_and_change_nothing()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var stranger = await api.Database.NewUserAsync();

        (await client.PostAsync("/v1/capture/openai", Log())).ShouldFail(400, "log_empty");
        (await client.PostAsync("/v1/capture/openai", Log("nonsense"))).ShouldFail(400, "log_empty");
        (await client.PostAsync($"/v1/capture/openai?user_id={stranger.UserId}", Log(Session))).ShouldFail(403, "capture_refused");
        (await client.PostAsync("/v1/capture/openai?started_at=yesterday", Log(Session))).ShouldFail(400, "query_invalid");
        (await client.PostAsync("/v1/capture/openai?sesion_id=x", Log(Session))).ShouldFail(400, "query_invalid");
        (await client.PostAsync("/v1/capture/openai", new StringContent(Session, Encoding.UTF8, "image/png"))).ShouldFail(415, "content_type_unsupported");
        using var nobody = api.As(null);
        (await nobody.PostAsync("/v1/capture/openai", Log(Session))).ShouldFail(401, "token_missing");
        (await api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.conversations")).ShouldBe(0L);
    }

    [Fact]
    public async Task A_session_of_somebody_else_is_refused()
    {
        await using var api = await Api.StartAsync(cluster);
        using var owner = api.As(await api.Database.NewUserAsync());
        using var stranger = api.As(await api.Database.NewUserAsync());
        (await owner.PostAsync("/v1/capture/openai", Log(Session, Item))).ShouldBe(200);
        (await stranger.PostAsync("/v1/capture/openai", Log(Session, Item, Response))).ShouldFail(409, "session_taken");
        (await api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe(2L);
    }

    [Fact]
    public async Task A_piece_at_a_time_goes_on_where_the_last_ended()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        var first = (await client.PostAsync("/v1/capture/openai?keep_open=true", Log(Session, Item))).ShouldBe(200)["conversations"][0];
        first.GetProperty("status").GetString().ShouldBe("active");
        var second = (await client.PostAsync("/v1/capture/openai?session_id=sess_http", Log(Response))).ShouldBe(200)["conversations"][0];
        second.GetProperty("conversation_id").GetGuid().ShouldBe(first.GetProperty("conversation_id").GetGuid());
        second.GetProperty("status").GetString().ShouldBe("completed");
        second.GetProperty("cost_usd").GetString().ShouldBe("0.000560");
    }

    private static StringContent Log(params string[] lines) =>
        new(string.Join('\n', lines), Encoding.UTF8) { Headers = { ContentType = new MediaTypeHeaderValue("application/x-ndjson") } };
}
