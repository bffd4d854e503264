using Npgsql;
using Voxbase.Data;

namespace Voxbase.Capture;

/// <summary>
/// One conversation being captured: events go in, and their raw text and everything that follows from them are committed together.
/// Whoever captures the same conversation waits until this is disposed. Not thread-safe.
/// </summary>
/// <remarks>
/// State is the reader's, rebuilt from the events kept: after a crash, or for a later piece of a log, capture goes on where the last
/// commit left it, and events kept before are recognised and skipped.
/// </remarks>
public sealed class CaptureSession : IAsyncDisposable
{
    internal const string Provider = "openai";

    // Serialises captures of one conversation across processes; released with the connection at the latest.
    private const string LockText = "select pg_advisory_lock(hashtextextended('voxbase.capture:' || $1::text, 0))";
    private const string UnlockText = "select pg_advisory_unlock(hashtextextended('voxbase.capture:' || $1::text, 0))";

    private readonly Database database;
    private readonly NpgsqlConnection lease;
    private readonly HashSet<Guid> keys = [];
    private readonly List<(Guid Key, bool IsAnchor, bool HasId)> kept = [];
    private EventKeys? naming;

    private CaptureSession(Database database, NpgsqlConnection lease, Conversation conversation) =>
        (this.database, this.lease, ConversationId, StartedAt) = (database, lease, conversation.Id, conversation.StartedAt);

    /// <summary>The conversation.</summary>
    public Guid ConversationId { get; }

    /// <summary>When it began: offsets of the log count from here.</summary>
    public DateTimeOffset StartedAt { get; }

    /// <summary>What the events came to so far.</summary>
    public IProviderReader Reader { get; } = new OpenAiReader();

    /// <summary>How many events were given to <see cref="RecordAsync"/>.</summary>
    public int LogEvents { get; private set; }

    /// <summary>How many of them were new.</summary>
    public int NewEvents { get; private set; }

    internal static async Task<CaptureSession> OpenAsync(Database database, Conversation conversation, CancellationToken cancellationToken)
    {
        var lease = await database.OpenWithoutCallerAsync(cancellationToken);
        try
        {
            await using (var take = new NpgsqlCommand(LockText, lease) { CommandTimeout = 0, Parameters = { Parameter.Uuid(conversation.Id) } })
                await take.ExecuteNonQueryAsync(cancellationToken);
            var session = new CaptureSession(database, lease, conversation);
            await session.ReadKeptAsync(cancellationToken);
            return session;
        }
        catch
        {
            await ReleaseAsync(lease, conversation.Id);
            throw;
        }
    }

    /// <summary>
    /// Records the next events: those kept before are skipped, the others committed with what follows from them. When it returns,
    /// nothing of them can be lost; when it throws, nothing of them was kept, and capture goes on in a session opened anew. The first call of a piece should hold its events up to the first of the server with an id.
    /// </summary>
    /// <returns>How many were new.</returns>
    public async Task<int> RecordAsync(IReadOnlyList<LoggedEvent> events, CancellationToken cancellationToken = default)
    {
        if (events.Count == 0)
            return 0;
        naming ??= Resume(events);
        var fresh = new List<StoredEvent>();
        var changes = new Pending();
        foreach (var e in events)
        {
            var key = naming.Next(e);
            if (!keys.Add(key))
                continue;
            var ordinal = kept.Count + 1;
            kept.Add((key, EventKeys.IsAnchor(e), e.EventId is not null));
            fresh.Add(new StoredEvent(ordinal, key, e));
            changes.Add(Reader.Read(ordinal, e));
        }

        if (fresh.Count == 0)
        {
            LogEvents += events.Count;
            return 0;
        }

        await database.InTransactionAsync(
            Caller.Service,
            transaction =>
            {
                transaction.Add(CaptureRows.Events(ConversationId, Provider, fresh));
                Add(transaction, changes);
                return Task.FromResult(0);
            },
            cancellationToken);
        LogEvents += events.Count;
        NewEvents += fresh.Count;
        return fresh.Count;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ReleaseAsync(lease, ConversationId);

    // The lock is the connection's, and the pool hands a connection on with all it holds: never give one back without this. Where
    // the lock was not taken, letting go of it is a warning.
    private static async ValueTask ReleaseAsync(NpgsqlConnection lease, Guid conversationId)
    {
        try
        {
            await using var release = new NpgsqlCommand(UnlockText, lease) { Parameters = { Parameter.Uuid(conversationId) } };
            await release.ExecuteNonQueryAsync();
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
        {
            // The connection is gone, and the lock with it.
        }

        await lease.DisposeAsync();
    }

    private void Add(Database.Transaction transaction, Pending changes)
    {
        if (changes.Session)
            transaction.Add(CaptureRows.Session(ConversationId, Provider, Reader.Session));
        if (changes.Order)
        {
            // Positions moved: every turn, and every call that names one, may be concerned.
            var all = Reader.Snapshot();
            changes.Turns.UnionWith(all.Turns.Select(turn => turn.ItemId));
            changes.FunctionCalls.UnionWith(all.FunctionCalls.Select(call => call.CallId));
        }

        var turns = changes.Turns.Select(Reader.Turn).OfType<CapturedTurn>().OrderBy(turn => turn.Position).ToList();
        if (turns.Count > 0)
            transaction.Add(CaptureRows.Turns(ConversationId, Provider, StartedAt, turns));
        var calls = changes.FunctionCalls.Select(Reader.FunctionCall).OfType<CapturedFunctionCall>().ToList();
        if (calls.Count > 0)
            transaction.Add(CaptureRows.FunctionCalls(ConversationId, StartedAt, calls));
        var usage = changes.Usage.Select(Reader.UsageEvent).OfType<CapturedUsage>().ToList();
        if (usage.Count > 0)
            transaction.Add(CaptureRows.UsageEvents(ConversationId, StartedAt, usage, Reader));
        var quantities = changes.Quantities.Select(Reader.Quantity).OfType<CapturedQuantity>().ToList();
        if (quantities.Count > 0)
            transaction.Add(Charges.Record(CaptureRows.Charges(ConversationId, Provider, StartedAt, quantities, Reader)));
    }

    private EventKeys Resume(IReadOnlyList<LoggedEvent> events)
    {
        var leadIn = events.TakeWhile(e => !EventKeys.IsAnchor(e)).ToList();
        var hasAnchor = leadIn.Count < events.Count;
        var place = hasAnchor && EventKeys.KeyOf(events[leadIn.Count]) is { } key ? kept.FindIndex(e => e.Key == key) : -1;
        return EventKeys.Resume(leadIn, hasAnchor, place < 0 ? null : TailBefore(place), kept.Count == 0 ? null : TailBefore(kept.Count));
    }

    private StoredTail TailBefore(int end)
    {
        var since = new HashSet<Guid>();
        for (var i = end - 1; i >= 0; i--)
        {
            if (kept[i].IsAnchor)
                return new StoredTail(kept[i].Key, since);
            if (!kept[i].HasId)
                since.Add(kept[i].Key);
        }

        return new StoredTail(EventKeys.Start, since);
    }

    private Task<int> ReadKeptAsync(CancellationToken cancellationToken) => database.RunAsync(
        Caller.Service,
        [new Statement(CaptureRows.StoredEventsSql, Parameter.Uuid(ConversationId))],
        async (results, ct) =>
        {
            while (await results.ReadAsync(ct))
            {
                var at = new RowReader(results);
                var (ordinal, key) = (at.Integer()!.Value, at.Uuid()!.Value);
                var e = new LoggedEvent(at.Text()!, at.Text()!, EventId: at.Text(), At: at.Time(), OffsetMs: at.Integer(), Payload: at.Text()!);
                keys.Add(key);
                kept.Add((key, EventKeys.IsAnchor(e), e.EventId is not null));
                Reader.Read(ordinal, e);
            }

            return 0;
        },
        cancellationToken);

    /// <summary>What several events changed together.</summary>
    private sealed class Pending
    {
        public bool Session { get; private set; }

        public bool Order { get; private set; }

        public HashSet<string> Turns { get; } = [];

        public HashSet<string> FunctionCalls { get; } = [];

        public HashSet<string> Usage { get; } = [];

        public HashSet<string> Quantities { get; } = [];

        public void Add(Changes changes)
        {
            Session |= changes.Session;
            Order |= changes.Order;
            Turns.UnionWith(changes.Turns);
            FunctionCalls.UnionWith(changes.FunctionCalls);
            Usage.UnionWith(changes.Usage);
            Quantities.UnionWith(changes.Quantities);
        }
    }
}
