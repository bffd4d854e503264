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

    // Evidence refers to its conversation by id and owner, and without an owner nothing would refuse it once the conversation is gone.
    internal const string HoldSql =
        """
        select from vox.conversations where id = $1 for key share
        """;

    private readonly Database database;
    private readonly IAsyncDisposable lease;
    private readonly KeptKeys kept = new();
    // Usage that names an item or a response which was no turn yet when it was written.
    private readonly HashSet<string> turnless = [];
    private EventKeys? naming;

    private CaptureSession(Database database, IAsyncDisposable lease, Conversation conversation) =>
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

    /// <summary>How many charges were recorded.</summary>
    internal int ChargeCount { get; private set; }

    /// <summary>How many events are kept of the conversation.</summary>
    internal int KeptEvents => kept.Count;

    internal static async Task<CaptureSession> OpenAsync(
        Database database, CaptureLeases leases, Conversation conversation, CancellationToken cancellationToken)
    {
        var lease = await leases.TakeAsync(conversation.Id, cancellationToken);
        try
        {
            var session = new CaptureSession(database, lease, conversation);
            await session.ReadKeptAsync(cancellationToken);
            return session;
        }
        catch
        {
            await lease.DisposeAsync();
            throw;
        }
    }

    /// <summary>
    /// Says that the events to come are those that came after the first <paramref name="count"/> kept ones, in the same order: the ones
    /// among them that are kept already then have the keys they had, whether the provider or their place names them.
    /// </summary>
    internal void GoOnAfter(int count)
    {
        var end = Math.Min(count, kept.Count);
        naming = EventKeys.Resume([], hasAnchor: true, beforeAnchor: null, end == 0 ? null : TailBefore(end));
    }

    /// <summary>
    /// Records the next events: those kept before are skipped, the others committed with what follows from them. When it returns,
    /// nothing of them can be lost; when it throws, nothing of them was kept, and capture goes on in a session opened anew. The first
    /// call of a piece should hold its events up to the first of the server with an id.
    /// </summary>
    /// <returns>How many were new.</returns>
    public async Task<int> RecordAsync(IReadOnlyList<LoggedEvent> events, CancellationToken cancellationToken = default)
    {
        if (events.Count == 0)
            return 0;
        naming ??= Resume(events);
        var fresh = new List<StoredEvent>(events.Count);
        var changes = new Pending();
        foreach (var e in events)
        {
            var key = naming.Next(e);
            if (!kept.Add(key, e))
                continue;
            var ordinal = kept.Count;
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
            async transaction =>
            {
                if (!await transaction.QueryAsync(new Statement(HoldSql, Parameter.Uuid(ConversationId)), static (rows, ct) => rows.ReadAsync(ct), cancellationToken))
                    throw ConversationErrors.NotFound.With($"The conversation {ConversationId} is gone.");
                transaction.Add(CaptureRows.Events(ConversationId, Provider, fresh));
                Add(transaction, changes);
                return 0;
            },
            cancellationToken);
        LogEvents += events.Count;
        NewEvents += fresh.Count;
        return fresh.Count;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => lease.DisposeAsync();

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
        // Speech starts before its turn is there, so usage is written again when that comes: rows do not depend on where commits fall.
        changes.Usage.UnionWith(turnless.Where(key => CaptureRows.HasTurn(Reader.UsageEvent(key)!, Reader)));
        turnless.ExceptWith(changes.Usage);
        turnless.UnionWith(changes.Usage.Where(key => Reader.UsageEvent(key) is { } u && !CaptureRows.HasTurn(u, Reader)));
        var usage = changes.Usage.Select(Reader.UsageEvent).OfType<CapturedUsage>().ToList();
        if (usage.Count > 0)
            transaction.Add(CaptureRows.UsageEvents(ConversationId, StartedAt, usage, Reader));
        var quantities = changes.Quantities.Select(Reader.Quantity).OfType<CapturedQuantity>().ToList();
        ChargeCount += quantities.Count;
        if (quantities.Count > 0)
            transaction.Add(Charges.Record(CaptureRows.Charges(ConversationId, Provider, StartedAt, quantities, Reader)));
    }

    private EventKeys Resume(IReadOnlyList<LoggedEvent> events)
    {
        var leadIn = events.TakeWhile(e => !EventKeys.IsAnchor(e)).ToList();
        var hasAnchor = leadIn.Count < events.Count;
        var place = hasAnchor && EventKeys.KeyOf(events[leadIn.Count]) is { } key ? kept.IndexOf(key) : -1;
        return EventKeys.Resume(leadIn, hasAnchor, place < 0 ? null : TailBefore(place), kept.Count == 0 ? null : TailBefore(kept.Count));
    }

    private StoredTail TailBefore(int end)
    {
        var since = new HashSet<Guid>();
        for (var i = end - 1; i >= 0; i--)
        {
            if (kept.IsAnchor(i))
                return new StoredTail(kept[i], since);
            if (!kept.HasId(i))
                since.Add(kept[i]);
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
                kept.Add(key, e);
                Reader.Read(ordinal, e);
            }

            turnless.UnionWith(Reader.Snapshot().Usage.Where(usage => !CaptureRows.HasTurn(usage, Reader)).Select(usage => usage.Key));
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
