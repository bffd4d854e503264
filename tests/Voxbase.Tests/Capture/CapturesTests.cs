using System.Text;
using Voxbase.Capture;
using Voxbase.Testing;

namespace Voxbase.Tests.Capture;

public sealed class CapturesTests(TestCluster cluster)
{
    private static readonly DateTimeOffset Start = new(2026, 11, 3, 10, 0, 0, TimeSpan.Zero);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_real_interrupted_session_costs_exactly_what_its_provider_bills()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        await using var log = File.OpenRead(Logs.Sample("openai/realtime-2025-05-interrupted.jsonl"));

        var result = (await db.Captures.ReplayAsync(user, log, cancellationToken: Cancel)).ShouldHaveSingleItem();

        result.Conversation.CostUsd.ShouldBe(0.022450m);
        result.Conversation.UnpricedCount.ShouldBe(0);
        result.Conversation.TurnCount.ShouldBe(4);
        result.Conversation.InputTokens.ShouldBe(1764);
        result.Conversation.OutputTokens.ShouldBe(252);
        result.Conversation.InterruptionCount.ShouldBe(1);
        result.Conversation.UserId.ShouldBe(user.UserId);
        result.Counters.Responses.ShouldBe(2);
        result.Counters.Unknown.ShouldBe(0);
        var record = await db.Conversations.GetAsync(user, result.Conversation.Id, Cancel);
        record.Charges.Sum(c => c.AmountUsd).ShouldBe(0.022450m);
        record.Turns.Sum(t => t.CostUsd).ShouldBe(0.022450m);
    }

    [Theory]
    [InlineData("openai/official-ga-examples.jsonl", 75)]
    [InlineData("openai/official-beta-examples.jsonl", 50)]
    public async Task Every_official_example_is_kept(string sample, int lines)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await using var log = File.OpenRead(Logs.Sample(sample));
        var result = (await db.Captures.ReplayAsync(Caller.Service, log, cancellationToken: Cancel)).ShouldHaveSingleItem();
        result.NewEvents.ShouldBe(lines);
        result.MalformedCount.ShouldBe(0);
        result.Counters.Unknown.ShouldBe(0);
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe((long)lines);
    }

    [Fact]
    public async Task A_log_captured_twice_leaves_the_same_rows()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var log = Demo();
        await db.Captures.ReplayAsync(Caller.Service, new MemoryStream(log), new CaptureSettings { StartedAt = Start }, cancellationToken: Cancel);
        var first = await RowsAsync(db, withTimes: true);
        var again = await db.Captures.ReplayAsync(Caller.Service, new MemoryStream(log), cancellationToken: Cancel);
        again[0].NewEvents.ShouldBe(0);
        (await RowsAsync(db, withTimes: true)).ShouldBe(first);
    }

    [Fact]
    public async Task A_log_in_pieces_leaves_the_rows_of_the_whole()
    {
        await using var whole = await cluster.CreateDatabaseAsync();
        var lines = Encoding.UTF8.GetString(Demo()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var settings = new CaptureSettings { StartedAt = Start, SessionId = "sess_pieces" };
        await whole.Captures.ReplayAsync(Caller.Service, Log(lines), settings, cancellationToken: Cancel);
        var expected = await RowsAsync(whole, withTimes: false);

        var random = new Random(7);
        for (var round = 0; round < 6; round++)
        {
            await using var pieces = await cluster.CreateDatabaseAsync();
            for (var at = 0; at < lines.Length;)
            {
                var size = random.Next(1, lines.Length / 2);
                var piece = lines.Skip(at).Take(size).ToArray();
                await pieces.Captures.ReplayAsync(Caller.Service, Log(piece), settings, cancellationToken: Cancel);
                // The same piece again, and now and then all that came so far.
                await pieces.Captures.ReplayAsync(Caller.Service, Log(piece), settings, cancellationToken: Cancel);
                at += size;
                if (random.Next(3) == 0)
                    await pieces.Captures.ReplayAsync(Caller.Service, Log(lines[..Math.Min(at, lines.Length)]), settings, cancellationToken: Cancel);
            }

            (await RowsAsync(pieces, withTimes: false)).ShouldBe(expected, $"round {round}");
        }
    }

    [Fact]
    public async Task Many_captures_of_one_log_at_once_record_it_once()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var log = Demo();
        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() =>
            db.Captures.ReplayAsync(Caller.Service, new MemoryStream(log), new CaptureSettings { StartedAt = Start }, cancellationToken: Cancel))));
        results.Sum(r => r[0].NewEvents).ShouldBe(Encoding.UTF8.GetString(log).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        results.Select(r => r[0].Conversation.Id).Distinct().ShouldHaveSingleItem();
        results.Select(r => r[0].Conversation.CostUsd).Distinct().ShouldHaveSingleItem().ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task A_malformed_line_is_reported_by_number_and_costs_only_itself()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var lines = Encoding.UTF8.GetString(Demo()).Split('\n', StringSplitOptions.RemoveEmptyEntries).ToList();
        var whole = await db.Captures.ReplayAsync(Caller.Service, Log([.. lines]), cancellationToken: Cancel);
        lines.Insert(3, "{\"dir\":\"server\",");
        lines.Insert(9, "[]");
        await using var other = await cluster.CreateDatabaseAsync();
        var result = (await other.Captures.ReplayAsync(Caller.Service, Log([.. lines]), cancellationToken: Cancel)).ShouldHaveSingleItem();
        result.MalformedCount.ShouldBe(2);
        result.Malformed.Select(m => m.Number).ShouldBe([4, 10]);
        result.Conversation.TurnCount.ShouldBe(whole[0].Conversation.TurnCount);
        result.Conversation.CostUsd.ShouldBe(whole[0].Conversation.CostUsd);
    }

    [Fact]
    public async Task A_model_without_a_price_is_reported_as_unpriced()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var log = Encoding.UTF8.GetString(Demo()).Replace("\"gpt-realtime\"", "\"gpt-realtime-unheard-of\"", StringComparison.Ordinal);
        var result = (await db.Captures.ReplayAsync(Caller.Service, new MemoryStream(Encoding.UTF8.GetBytes(log)), cancellationToken: Cancel))[0];
        result.Conversation.UnpricedCount.ShouldBeGreaterThan(0);
        result.Conversation.CostUsd.ShouldBeLessThan(0.01m, "only the transcription has a price");
    }

    [Fact]
    public async Task Another_users_session_is_refused_and_nothing_changes()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        await db.Captures.ReplayAsync(owner, new MemoryStream(Demo()), new CaptureSettings { StartedAt = Start }, cancellationToken: Cancel);
        var before = await RowsAsync(db, withTimes: true);
        var error = await Should.ThrowAsync<VoxbaseException>(async () =>
            await db.Captures.ReplayAsync(await db.NewUserAsync(), new MemoryStream(Demo()), cancellationToken: Cancel));
        error.Code.ShouldBe("session_taken");
        (await RowsAsync(db, withTimes: true)).ShouldBe(before);
    }

    [Fact]
    public async Task An_empty_log_is_refused_with_the_reason()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        (await Should.ThrowAsync<VoxbaseException>(() => db.Captures.ReplayAsync(Caller.Service, new MemoryStream(), cancellationToken: Cancel)))
            .Code.ShouldBe("log_empty");
        (await Should.ThrowAsync<VoxbaseException>(() => db.Captures.ReplayAsync(Caller.Anonymous, new MemoryStream(Demo()), cancellationToken: Cancel)))
            .Code.ShouldBe("capture_refused");
    }

    [Fact]
    public async Task A_crash_between_two_commits_is_caught_up_by_capturing_again()
    {
        await using var whole = await cluster.CreateDatabaseAsync();
        var lines = Encoding.UTF8.GetString(Demo()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var settings = new CaptureSettings { StartedAt = Start };
        await whole.Captures.ReplayAsync(Caller.Service, Log(lines), settings, cancellationToken: Cancel);
        var expected = await RowsAsync(whole, withTimes: false);

        await using var db = await cluster.CreateDatabaseAsync();
        var parsed = new List<LoggedEvent>();
        await foreach (var line in ProviderLog.ReadAsync(Log(lines), Cancel))
            parsed.Add(line.Event!);
        var sessionId = (string)(await whole.ScalarAsync(Caller.Service, "select session_id from vox.conversations"))!;
        foreach (var stop in new[] { 40, 111, 200 })
        {
            // Disposed without finishing: what a killed process leaves behind.
            await using var session = await db.Captures.OpenAsync(Caller.Service, sessionId, settings, Cancel);
            await session.RecordAsync(parsed[..stop], Cancel);
        }

        await db.Captures.ReplayAsync(Caller.Service, Log(lines), settings, cancellationToken: Cancel);
        (await RowsAsync(db, withTimes: false)).ShouldBe(expected);
    }

    private static MemoryStream Log(string[] lines) => new(Encoding.UTF8.GetBytes(string.Join('\n', lines)));

    private static byte[] Demo() => File.ReadAllBytes(Logs.Demo());

    // Every row of the conversation as JSON. The conversation's id is random, and ids below follow from it.
    private static async Task<string> RowsAsync(TestDatabase db, bool withTimes)
    {
        var dropped = withTimes
            ? "'{}'::text[]"
            : "array['id', 'conversation_id', 'turn_id', 'session_id', 'created_at', 'updated_at', 'received_at']";
        var rows = await db.ScalarAsync(
            Caller.Service,
            $"""
            select jsonb_pretty(jsonb_build_object(
              'conversations', (select jsonb_agg(to_jsonb(c) - {dropped} order by c.id) from vox.conversations c),
              'turns', (select jsonb_agg(to_jsonb(t) - {dropped} order by t.sequence_number) from vox.turns t),
              'function_calls', (select jsonb_agg(to_jsonb(f) - {dropped} order by f.call_id) from vox.function_calls f),
              'usage_events', (select jsonb_agg(to_jsonb(u) - {dropped} order by u.at, u.event_type, u.details::text, u.response_id) from vox.usage_events u),
              'charges', (select jsonb_agg(to_jsonb(c) - {dropped} order by c.charged_at, c.meter, c.quantity) from vox.charges c),
              'provider_events', (select jsonb_agg(to_jsonb(e) - {dropped} order by e.ordinal) from vox.provider_events e)))
            """);
        return (string)rows!;
    }
}
