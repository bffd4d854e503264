using System.Text;
using Npgsql;
using Voxbase.Capture;
using Voxbase.Data;

namespace Voxbase.Testing;

/// <summary>Everything that capture made of one conversation, comparable between databases; and its evidence as a log.</summary>
public static class KeptRecord
{
    // Ids differ between databases, how a live call was reached and how it ended is not in its log, and whether statistics know of it is a matter of the moment. A turn is named by its number.
    private const string RowsSql =
        """
        with c as (select * from vox.conversations where id = $1),
          t as (select * from vox.turns where conversation_id = $1)
        select jsonb_pretty(jsonb_build_object(
          'conversation', (select to_jsonb(c) - array['id', 'user_id', 'session_id', 'status', 'state', 'end_reason', 'connected_at', 'ended_at',
            'duration_seconds', 'name', 'description', 'usage_stale', 'created_at', 'updated_at'] #- '{metadata,sideband}' from c),
          'turns', (select jsonb_agg(to_jsonb(t) - array['id', 'conversation_id', 'user_id', 'created_at', 'updated_at'] order by t.sequence_number) from t),
          'function_calls', (
            select jsonb_agg(to_jsonb(f) - array['id', 'conversation_id', 'user_id', 'turn_id', 'created_at', 'updated_at']
              || jsonb_build_object('turn', t.sequence_number) order by f.call_id)
            from vox.function_calls f left join t on t.id = f.turn_id where f.conversation_id = $1),
          'usage_events', (
            select jsonb_agg(to_jsonb(u) - array['id', 'conversation_id', 'user_id', 'turn_id', 'created_at', 'updated_at']
              || jsonb_build_object('turn', t.sequence_number) 
              order by u.at, t.sequence_number, (to_jsonb(u) - array['id', 'conversation_id', 'user_id', 'turn_id', 'created_at', 'updated_at'])::text)
            from vox.usage_events u left join t on t.id = u.turn_id where u.conversation_id = $1),
          'charges', (
            select jsonb_agg(to_jsonb(x) - array['id', 'conversation_id', 'user_id', 'turn_id', 'created_at', 'updated_at']
              || jsonb_build_object('turn', t.sequence_number) 
              order by x.charged_at, t.sequence_number, (to_jsonb(x) - array['id', 'conversation_id', 'user_id', 'turn_id', 'created_at', 'updated_at'])::text)
            from vox.charges x left join t on t.id = x.turn_id where x.conversation_id = $1),
          'provider_events', (
            select jsonb_agg(to_jsonb(e) - array['conversation_id', 'user_id', 'received_at'] order by e.ordinal)
            from vox.provider_events e where e.conversation_id = $1)))
        """;

    private const string EventsSql =
        """
        select direction, offset_ms, payload from vox.provider_events where conversation_id = $1 order by ordinal
        """;

    /// <summary>Its events in their order: who sent them, and the payload to the letter.</summary>
    public static Task<List<(string Direction, int? OffsetMs, string Payload)>> EventsAsync(
        TestDatabase database, Guid conversationId, CancellationToken cancellationToken) => database.Database.RunAsync(
            Caller.Service,
            [new Statement(EventsSql, Parameter.Uuid(conversationId))],
            static async (NpgsqlDataReader results, CancellationToken ct) =>
            {
                var events = new List<(string, int?, string)>();
                while (await results.ReadAsync(ct))
                    events.Add((results.GetString(0), await results.IsDBNullAsync(1, ct) ? null : results.GetInt32(1), results.GetString(2)));
                return events;
            },
            cancellationToken);

    /// <summary>Its rows, without what no log can say.</summary>
    public static async Task<string> RowsAsync(TestDatabase database, Guid conversationId) =>
        (string)(await database.ScalarAsync(Caller.Service, RowsSql, Parameter.Uuid(conversationId)))!;

    /// <summary>Replays what is kept of a conversation into another database, and gives the rows that this makes.</summary>
    public static async Task<string> ReplayedRowsAsync(
        TestDatabase from, Guid conversationId, TestDatabase into, CancellationToken cancellationToken)
    {
        var conversation = await from.Conversations.FindAsync(Caller.Service, conversationId, cancellationToken);
        var log = new StringBuilder();
        foreach (var (direction, offsetMs, payload) in await EventsAsync(from, conversationId, cancellationToken))
            log.Append($$"""{"dir":"{{direction}}","t":{{offsetMs}},"event":""").Append(payload.ReplaceLineEndings(" ")).Append("}\n");
        var replayed = await into.Captures.ReplayAsync(
            Caller.Service, new MemoryStream(Encoding.UTF8.GetBytes(log.ToString())),
            new CaptureSettings { StartedAt = conversation.StartedAt, SessionId = conversation.SessionId }, cancellationToken: cancellationToken);
        return await RowsAsync(into, replayed.Single().Conversation.Id);
    }

    /// <summary>Fails, showing the first lines that differ, unless what is kept of a conversation replays to the rows that it has.</summary>
    public static async Task ShouldReplayToItselfAsync(
        TestDatabase live, Guid conversationId, TestDatabase empty, CancellationToken cancellationToken)
    {
        var kept = (await RowsAsync(live, conversationId)).Split('\n');
        var replayed = (await ReplayedRowsAsync(live, conversationId, empty, cancellationToken)).Split('\n');
        var same = kept.Zip(replayed).TakeWhile(pair => pair.First == pair.Second).Count();
        if (same == kept.Length && same == replayed.Length)
            return;
        throw new InvalidOperationException(
            $"""
            The record is not what its replay makes, from line {same + 1} of {kept.Length} and {replayed.Length} on:
              recorded: {Lines(kept)}
              replayed: {Lines(replayed)}
            """);

        string Lines(string[] rows) => string.Join(' ', rows.Skip(Math.Max(0, same - 2)).Take(6).Select(row => row.Trim()));
    }
}
