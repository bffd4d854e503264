using System.Net.Http.Headers;
using System.Net.WebSockets;
using System.Text.Json;
using Voxbase.Capture;
using Voxbase.Testing;

namespace Voxbase.Server.Tests;

/// <summary>The real server, killed while it listens in on a call: the next one listens on, and what was recorded is kept.</summary>
public sealed class SidebandKillTests : KillTests
{
    [Fact]
    public async Task A_killed_server_leaves_the_call_to_the_next_one_with_all_that_was_recorded()
    {
        await using var db = await Cluster.CreateDatabaseAsync();
        await using var openAi = await FakeCalls.StartAsync();
        var call = openAi.Call("rtc_1");
        var said = new List<string>();
        Guid id;
        long kept;
        await using (var up = await StartAsync(db, openAi))
        {
            id = await AttachAsync(up, await db.NewUserAsync());
            await call.AttachedAsync();
            using var cutOff = new CancellationTokenSource();
            var talk = TalkAsync(call, said, cutOff.Token);
            while ((kept = await KeptAsync(db, id)) < 50)
                await Task.Delay(20, Cancel);
            await up.KillAsync();
            await cutOff.CancelAsync();
            await talk;
        }

        await using (await StartAsync(db, openAi))
        {
            await call.AttachedAsync();
            said.Add(Said(said.Count));
            await call.SendAsync(said[^1]);
            await openAi.EndAsync("rtc_1");
            Conversation ended;
            while ((ended = await db.Conversations.FindAsync(Caller.Service, id, Cancel)).EndedAt is null)
                await Task.Delay(20, Cancel);
            (ended.Status, ended.EndReason).ShouldBe((ConversationStatus.Completed, EndReasons.UpstreamClosed));
        }

        var events = (await KeptRecord.EventsAsync(db, id, Cancel)).Select(e => e.Payload).ToList();
        events.Count.ShouldBeGreaterThan((int)kept);
        // What the killed server never read was said to nobody; all before it is there, in order and once, and what the next one heard.
        events[^1].ShouldBe(said[^1]);
        events[..^1].ShouldBe(said.Take(events.Count - 1));
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
        await using var empty = await Cluster.CreateDatabaseAsync();
        await KeptRecord.ShouldReplayToItselfAsync(db, id, empty, Cancel);
    }

    private Task<UpProcess> StartAsync(TestDatabase db, FakeCalls openAi) =>
        StartAsync(db, ("VOXBASE_OPENAI__BASEURL", openAi.BaseUrl), ("VOXBASE_OPENAI__APIKEY", FakeCalls.Key));

    private static async Task<Guid> AttachAsync(UpProcess up, Caller user)
    {
        using var http = new HttpClient { DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", TokenOf(user)) } };
        using var answer = await http.PostAsync(up.Url + "/v1/realtime/calls/rtc_1/attach", null, Cancel);
        var body = await answer.Content.ReadAsStringAsync(Cancel);
        answer.IsSuccessStatusCode.ShouldBeTrue(body);
        return JsonElement.Parse(body).GetProperty("id").GetGuid();
    }

    private static async Task<long> KeptAsync(TestDatabase db, Guid id) =>
        (long)(await db.ScalarAsync(Caller.Service, $"select count(*) from vox.provider_events where conversation_id = '{id}'"))!;

    // The provider speaks without a pause until it is cut off.
    private static async Task TalkAsync(FakeCall call, List<string> said, CancellationToken cutOff)
    {
        try
        {
            while (!cutOff.IsCancellationRequested)
            {
                said.Add(Said(said.Count));
                await call.SendAsync(said[^1]);
                await Task.Delay(1, cutOff);
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or InvalidOperationException)
        {
            // Cut off.
        }
    }

    private static string Said(int n) => n == 0
        ? """{"type":"session.created","event_id":"event_0","session":{"id":"sess_kill","type":"realtime","model":"gpt-realtime"}}"""
        : $$$"""{"type":"conversation.item.added","event_id":"event_{{{n}}}","previous_item_id":{{{(n == 1 ? "null" : $"\"item_{n - 1}\"")}}},"item":{"id":"item_{{{n}}}","type":"message","role":"user","status":"completed","content":[{"type":"input_text","text":"Line {{{n}}}"}]}}""";
}
