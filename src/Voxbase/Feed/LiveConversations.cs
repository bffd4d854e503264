using System.Globalization;
using System.Text;
using Voxbase.Data;

namespace Voxbase;

/// <summary>A conversation as it stood at one moment, and which changes that moment holds already.</summary>
/// <param name="Json">
/// Its <c>conversation</c>, <c>participants</c>, last <c>turns</c> and <c>function_calls</c>, as members of a JSON object without its braces; UTF-8, rows in the form of
/// the feed's records.
/// </param>
/// <param name="Snapshot">PostgreSQL's name of the moment.</param>
public sealed record LiveSnapshot(ReadOnlyMemory<byte> Json, string Snapshot)
{
    private readonly ulong xmin = Part(Snapshot, 0);
    private readonly ulong xmax = Part(Snapshot, 1);
    private readonly HashSet<uint> open = [.. Snapshot.Split(':')[2].Split(',', StringSplitOptions.RemoveEmptyEntries)
        .Select(id => (uint)ulong.Parse(id, CultureInfo.InvariantCulture))];

    /// <summary>Whether the snapshot shows what this change did.</summary>
    public bool Holds(FeedEvent change)
    {
        // A transaction's id in the log has 32 bits; it is within two thousand million of the newest.
        var behind = unchecked((int)((uint)xmax - change.TransactionId));
        return behind > 0 && (unchecked((int)((uint)xmin - change.TransactionId)) > 0 || !open.Contains(change.TransactionId));
    }

    private static ulong Part(string snapshot, int place) => ulong.Parse(snapshot.Split(':')[place], CultureInfo.InvariantCulture);
}

/// <summary>Conversations as they happen: what is there, and then every change, with nothing missing in between and nothing twice.</summary>
public sealed class LiveConversations(Database database)
{
    /// <summary>How many turns a snapshot may hold.</summary>
    public const int MaxTurns = 1_000;

    internal const string SnapshotSql =
        """
        select
          pg_current_snapshot()::text,
          (select to_json(c)::text from vox.conversations c where c.id = $1),
          coalesce((select json_agg(p order by p.joined_at, p.id)::text from vox.participants p where p.conversation_id = $1), '[]'),
          coalesce((
            select json_agg(t order by t.sequence_number)::text
            from (select l.* from vox.turns l where l.conversation_id = $1 order by l.sequence_number desc limit $2) t), '[]'),
          coalesce((
            select json_agg(f order by f.created_at, f.id)::text
            from (select l.* from vox.function_calls l where l.conversation_id = $1 order by l.created_at desc, l.id desc limit $2) f), '[]')
        """;

    /// <summary>What the caller follows of a conversation.</summary>
    public static IReadOnlyList<FeedEntry> EntriesOf(Guid conversationId)
    {
        FeedFilter Is(string column) => new(column, FeedOperator.Eq, [conversationId.ToString()]);
        return
        [
            new FeedEntry("vox", "conversations", Filters: [Is("id")]),
            new FeedEntry("vox", "participants", Filters: [Is("conversation_id")]),
            new FeedEntry("vox", "turns", Filters: [Is("conversation_id")]),
            new FeedEntry("vox", "function_calls", Filters: [Is("conversation_id")]),
        ];
    }

    /// <summary>
    /// A conversation as it stands. Take it after the subscription is <see cref="FeedEventKind.Ready"/>, and leave out the changes that it
    /// <see cref="LiveSnapshot.Holds"/>: then none is missing, and none comes twice.
    /// </summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="conversationId">The conversation.</param>
    /// <param name="turns">How many of the last turns and function calls, up to <see cref="MaxTurns"/>.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>.</exception>
    public async Task<LiveSnapshot> SnapshotAsync(Caller caller, Guid conversationId, int turns, CancellationToken cancellationToken = default) =>
        await database.RunAsync(
            caller,
            [new Statement(SnapshotSql, Parameter.Uuid(conversationId), Parameter.Integer(turns))],
            async (row, ct) =>
            {
                await row.ReadAsync(ct);
                if (await row.IsDBNullAsync(1, ct))
                    throw ConversationErrors.NotFound.With($"There is no conversation {conversationId}, or you may not see it.");
                // json_agg breaks lines between rows; inside of JSON's strings there are none.
                var json = $"\"conversation\":{row.GetString(1)},\"participants\":{row.GetString(2)},\"turns\":{row.GetString(3)},\"function_calls\":{row.GetString(4)}";
                return new LiveSnapshot(Encoding.UTF8.GetBytes(json.ReplaceLineEndings(" ")), row.GetString(0));
            },
            cancellationToken);
}
