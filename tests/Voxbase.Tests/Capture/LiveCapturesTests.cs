using System.Text;
using Voxbase.Capture;
using Voxbase.Testing;

namespace Voxbase.Tests.Capture;

public sealed class LiveCapturesTests(TestCluster cluster)
{
    private static readonly DateTimeOffset Start = new(2026, 11, 3, 10, 0, 0, TimeSpan.Zero);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_recorded_live_session_costs_its_seconds_at_the_price_of_a_minute()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        await using var log = File.OpenRead(Logs.Sample("openai/live-delegation.jsonl"));

        var result = (await db.Captures.ReplayAsync(user, log, cancellationToken: Cancel)).ShouldHaveSingleItem();

        result.Conversation.CostUsd.ShouldBe(Math.Round(7 * 0.05m / 60, 9));
        (result.Conversation.TurnCount, result.Conversation.UnpricedCount, result.Conversation.FunctionCallCount).ShouldBe((3, 0, 1));
        result.Conversation.LlmModel.ShouldBe("gpt-live-1");
        result.Conversation.Metadata.GetProperty("usage_final").GetBoolean().ShouldBeFalse();
        var record = await db.Conversations.GetAsync(user, result.Conversation.Id, Cancel);
        var charge = record.Charges.ShouldHaveSingleItem();
        (charge.Meter, charge.Quantity, charge.Stage).ShouldBe(("session.seconds", 7m, "session"));
    }

    [Fact]
    public async Task A_log_in_pieces_and_again_costs_what_the_whole_costs()
    {
        await using var whole = await cluster.CreateDatabaseAsync();
        var lines = LiveLogs.Call().Select(LiveLogs.Line).ToArray();
        var settings = new CaptureSettings { StartedAt = Start, SessionId = "live_demo" };
        await whole.Captures.ReplayAsync(Caller.Service, Log(lines), settings, cancellationToken: Cancel);
        var expected = await RowsAsync(whole);
        (await whole.ScalarAsync(Caller.Service, "select sum(quantity) from vox.charges where meter = 'session.seconds'")).ShouldBe(22m);

        var random = new Random(5);
        for (var round = 0; round < 4; round++)
        {
            await using var pieces = await cluster.CreateDatabaseAsync();
            for (var at = 0; at < lines.Length;)
            {
                var size = random.Next(1, lines.Length / 2);
                await pieces.Captures.ReplayAsync(Caller.Service, Log(lines.Skip(at).Take(size)), settings, cancellationToken: Cancel);
                at += size;
                await pieces.Captures.ReplayAsync(Caller.Service, Log(lines.Take(at)), settings, cancellationToken: Cancel);
            }

            (await RowsAsync(pieces)).ShouldBe(expected, $"round {round}");
        }
    }

    [Fact]
    public async Task A_crash_in_mid_call_and_a_backlog_leave_the_same_amount()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var settings = new CaptureSettings { StartedAt = Start };
        var events = LiveLogs.Call();
        foreach (var stop in new[] { 3, 8, 13 })
        {
            // Disposed without finishing: what a killed process leaves behind. Attaching again repeats what the server had said.
            await using var session = await db.Captures.OpenAsync(Caller.Service, "live_demo", settings, Cancel);
            await session.RecordAsync([.. events.Take(stop)], Cancel);
        }

        CaptureResult result;
        await using (var session = await db.Captures.OpenAsync(Caller.Service, "live_demo", settings, Cancel))
        {
            await session.RecordAsync([.. events.Where(e => e.Direction == EventDirections.Server)], Cancel);
            result = await db.Captures.FinishAsync(session, settings, Cancel);
        }

        (await db.ScalarAsync(Caller.Service, "select sum(quantity) from vox.charges where meter = 'session.seconds'")).ShouldBe(22m);
        (result.Conversation.Status, result.Conversation.EndReason).ShouldBe((ConversationStatus.Completed, "remote_hangup"));
        result.Conversation.TurnCount.ShouldBe(4);
        result.Conversation.Metadata.GetProperty("usage_final").GetBoolean().ShouldBeTrue();
    }

    private static MemoryStream Log(IEnumerable<string> lines) => new(Encoding.UTF8.GetBytes(string.Join('\n', lines)));

    private static async Task<string> RowsAsync(TestDatabase db) => (string)(await db.ScalarAsync(
        Caller.Service,
        """
        select jsonb_pretty(jsonb_build_object(
          'turns', (select jsonb_agg(to_jsonb(t) - d.names order by t.sequence_number) from vox.turns t),
          'function_calls', (select jsonb_agg(to_jsonb(f) - d.names order by f.call_id) from vox.function_calls f),
          'usage_events', (select jsonb_agg(to_jsonb(u) - d.names order by u.event_type, u.at, u.details::text) from vox.usage_events u),
          'charges', (select jsonb_agg(to_jsonb(c) - d.names order by c.quantity, c.meter) from vox.charges c),
          'cost', (select sum(cost_usd) from vox.conversations)))
        from (select array['id', 'conversation_id', 'turn_id', 'created_at', 'updated_at'] as names) d
        """))!;
}
