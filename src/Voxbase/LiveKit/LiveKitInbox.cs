using System.Text;
using System.Text.RegularExpressions;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Npgsql;
using Voxbase.Capture;
using Voxbase.Data;

namespace Voxbase.LiveKit;

/// <summary>
/// What LiveKit and its agents deliver: accepted by being kept, read afterwards. Whatever the order, however late and often, the rows
/// that come of the same deliveries are the same, because they are made anew of everything kept about a room.
/// </summary>
public sealed partial class LiveKitInbox(Database database, Conversations conversations, CallAdmission admission, TimeProvider time, ILogger<LiveKitInbox> logger)
{
    internal const string AcceptSql =
        """
        insert into vox.livekit_inbox (id, event_key, kind, room_sid, room_name, payload)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (event_key) do nothing
        """;

    internal const string WaitingSql =
        """
        select id, kind, room_sid, room_name
        from vox.livekit_inbox
        where read_at is null
        order by id
        limit $1
        """;

    internal const string TakeSql =
        """
        select id, kind, event_key, payload
        from vox.livekit_inbox
        where id = any($1) and read_at is null
        order by id
        for update
        """;

    internal const string DoneSql =
        """
        delete from vox.livekit_inbox where id = any($1)
        """;

    internal const string FailedSql =
        """
        update vox.livekit_inbox
        set attempts = attempts + 1, fault = $2, read_at = case when attempts + 1 >= $3 then now() end
        where id = $1
        """;

    internal const string KeepSql =
        """
        update vox.livekit_inbox set read_at = coalesce(read_at, now()) where id = any($1)
        """;

    internal const string AdriftSql =
        """
        select id, event_key, conversation_id, payload
        from vox.livekit_inbox
        where room_name = $1 and room_sid is null and kind = 'event'
        order by id
        """;

    internal const string AssignSql =
        """
        update vox.livekit_inbox set conversation_id = $2, read_at = coalesce(read_at, now()) where id = $1
        """;

    internal const string AssignedSql =
        """
        select event_key, payload
        from vox.livekit_inbox
        where conversation_id = $1
        """;

    internal const string NamesakesSql =
        """
        select id, started_at
        from vox.conversations
        where room_name = $1 and metadata ? 'livekit'
        order by started_at, id
        """;

    internal const string EgressesSql =
        """
        select conversation_id, payload
        from vox.provider_events
        where conversation_id = any($1) and event_type like 'egress\_%'
        """;

    internal const string BindSql =
        """
        update vox.conversations set session_id = $2
        where id = $1 and session_id is null and room_name = $3
          and not exists (select from vox.conversations o where o.session_id = $2)
        """;

    internal const string KnownSql =
        """
        select id
        from vox.conversations
        where id = $1 or session_id = $2
        """;

    private const int RoomsAtOnce = 500;

    // A delivery that cannot be read this often is put aside, so that it doesn't hold up the others for ever.
    private const int MaxAttempts = 10;

    private readonly Channel<bool> arrivals = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>How the room of a conversation of ours is named: the name says which one it is, and nobody can guess it.</summary>
    public static string RoomNameOf(Guid conversationId) => $"call_{conversationId:n}";

    /// <summary>
    /// Reads what waits; safe to run at once on many servers. A delivery that fails is tried again the next time, and put aside when it
    /// failed often; it does not hold up the others.
    /// </summary>
    /// <returns>How many deliveries were read.</returns>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken = default)
    {
        var read = 0;
        while (true)
        {
            var waiting = await WaitingAsync(cancellationToken);
            var progress = 0;
            foreach (var room in waiting.GroupBy(row => row.RoomName ?? row.RoomSid))
                progress += await ReadSafelyAsync(room.First().RoomName, [.. room], cancellationToken);
            read += progress;
            if (waiting.Count < RoomsAtOnce || progress == 0)
                return read;
        }
    }

    /// <summary>Waits for the next arrival in this process, or for the time to be over.</summary>
    internal async Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(atMost);
        try
        {
            await arrivals.Reader.ReadAsync(patience.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Nothing came here; another server may have taken something in and died.
        }
    }

    internal Task AcceptAsync(LiveKitEvent e, string payload, CancellationToken cancellationToken)
    {
        var (sid, name) = e.Room;
        return AcceptAsync("event", e.Key, sid, name, Encoding.UTF8.GetBytes(payload), cancellationToken);
    }

    internal async Task<Guid> AcceptAsync(AgentUpload upload, CancellationToken cancellationToken)
    {
        var payload = upload.Encode();
        return await AcceptAsync("agent", LiveKitEvent.KeyOf(payload), upload.RoomSid, upload.RoomName, payload, cancellationToken);
    }

    /// <summary>Reads one upload now. Null when it was not to be read yet, or is being read elsewhere.</summary>
    internal async Task<Guid?> ReadAsync(Guid id, AgentUpload upload, CancellationToken cancellationToken)
    {
        if (upload.RoomSid is null)
            return null;
        if (await ResolveAsync(upload.RoomSid, upload.RoomName, cancellationToken) is not { } conversation)
            return null;
        await FoldAsync(conversation, [id], cancellationToken);
        return conversation.Id;
    }

    private async Task<Guid> AcceptAsync(string kind, Guid key, string? sid, string? name, byte[] payload, CancellationToken cancellationToken)
    {
        var id = Guid.CreateVersion7(time.GetUtcNow());
        await database.RunAsync(
            Caller.Service,
            [
                new Statement(
                    AcceptSql, Parameter.Uuid(id), Parameter.Uuid(key), Parameter.Text(kind), Parameter.Text(sid), Parameter.Text(name),
                    LiveKitRows.Bytes(payload)),
            ],
            cancellationToken);
        arrivals.Writer.TryWrite(true);
        return id;
    }

    private Task<List<Waiting>> WaitingAsync(CancellationToken cancellationToken) => database.RunAsync(
        Caller.Service,
        [new Statement(WaitingSql, Parameter.Integer(RoomsAtOnce))],
        static async (results, ct) =>
        {
            var rows = new List<Waiting>();
            while (await results.ReadAsync(ct))
            {
                var at = new RowReader(results);
                rows.Add(new Waiting(at.Uuid()!.Value, at.Text()!, at.Text(), at.Text()));
            }

            return rows;
        },
        cancellationToken);

    private async Task<int> ReadSafelyAsync(string? name, List<Waiting> rows, CancellationToken cancellationToken)
    {
        try
        {
            await ReadRoomAsync(name, rows, cancellationToken);
            return rows.Count;
        }
        catch (VoxbaseException e) when (e.Error.Kind == ErrorKind.Unavailable)
        {
            // Nothing is wrong with the deliveries.
            throw;
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // One of them may be at fault; the others are not to suffer.
            if (rows.Count > 1)
            {
                var read = 0;
                foreach (var row in rows)
                    read += await ReadSafelyAsync(name, [row], cancellationToken);
                return read;
            }

            var code = e is VoxbaseException { Code: var known } ? known : e.GetType().Name;
            Log.DeliveryFailed(logger, rows[0].Id, rows[0].Kind, code);
            await database.RunAsync(
                Caller.Service,
                [new Statement(FailedSql, Parameter.Uuid(rows[0].Id), Parameter.Text(code), Parameter.Integer(MaxAttempts))],
                cancellationToken);
            return 0;
        }
    }

    private async Task ReadRoomAsync(string? name, List<Waiting> rows, CancellationToken cancellationToken)
    {
        foreach (var room in rows.Where(row => row.RoomSid is not null).GroupBy(row => row.RoomSid!))
        {
            if (await ResolveAsync(room.Key, name, cancellationToken) is { } conversation)
                await FoldAsync(conversation, [.. room.Select(row => row.Id)], cancellationToken);
            else
                await KeepAsync([.. room.Select(row => row.Id)], cancellationToken);
        }

        // Neither a room's id nor its name: kept, and about nobody's conversation.
        foreach (var row in rows.Where(row => row.RoomSid is null && (row.RoomName is null || row.Kind != "event")))
        {
            if (row.RoomName is not null && await ByNameAsync(row.RoomName, cancellationToken) is { } conversation)
                await FoldAsync(conversation, [row.Id], cancellationToken);
            else
                await KeepAsync([row.Id], cancellationToken);
        }

        if (name is not null)
            await AssignAdriftAsync(name, cancellationToken);
    }

    /// <summary>
    /// Events that name their room without its sid: which of the rooms of that name they belong to follows from all that is known of
    /// these, so it is asked again whenever one of the name has news.
    /// </summary>
    private async Task AssignAdriftAsync(string name, CancellationToken cancellationToken)
    {
        var adrift = await database.RunAsync(
            Caller.Service,
            [new Statement(AdriftSql, Parameter.Text(name))],
            static async (results, ct) =>
            {
                var rows = new List<Adrift>();
                while (await results.ReadAsync(ct))
                    rows.Add(new Adrift(results.GetGuid(0), await results.IsDBNullAsync(2, ct) ? null : results.GetGuid(2), LiveKitEvent.Of(results.GetGuid(1), TextOf(results, 3))));
                return rows;
            },
            cancellationToken);
        if (adrift.Count == 0)
            return;
        var (namesakes, egresses) = await NamesakesAsync(name, cancellationToken);
        var concerned = new HashSet<Guid>();
        foreach (var row in adrift)
        {
            var owner = OwnerOf(row.Event, namesakes, egresses);
            if (owner == row.ConversationId && owner is not null)
                continue;
            await database.RunAsync(Caller.Service, [new Statement(AssignSql, Parameter.Uuid(row.Id), Parameter.Uuid(owner))], cancellationToken);
            concerned.UnionWith(new[] { owner, row.ConversationId }.OfType<Guid>());
        }

        foreach (var id in concerned)
            await FoldAsync(await conversations.FindAsync(Caller.Service, id, cancellationToken), [], cancellationToken);
    }

    // By the egress, where another event of it has the sid; else by time: the room of that name that was open then, or the first.
    private static Guid? OwnerOf(LiveKitEvent e, List<(Guid Id, DateTimeOffset StartedAt)> namesakes, Dictionary<string, Guid> egresses)
    {
        if (LiveKitJson.Text(LiveKitJson.Object(e.Body, "egressInfo"), "egressId") is { } egress && egresses.TryGetValue(egress, out var known))
            return known;
        var open = namesakes.Where(room => e.At is null || room.StartedAt <= e.At).Select(room => (Guid?)room.Id).LastOrDefault();
        return open ?? namesakes.Select(room => (Guid?)room.Id).FirstOrDefault();
    }

    private async Task<(List<(Guid Id, DateTimeOffset StartedAt)> Rooms, Dictionary<string, Guid> Egresses)> NamesakesAsync(
        string name, CancellationToken cancellationToken)
    {
        var rooms = await database.RunAsync(
            Caller.Service,
            [new Statement(NamesakesSql, Parameter.Text(name))],
            static async (results, ct) =>
            {
                var rows = new List<(Guid, DateTimeOffset)>();
                while (await results.ReadAsync(ct))
                {
                    var at = new RowReader(results);
                    rows.Add((at.Uuid()!.Value, at.Time()!.Value));
                }

                return rows;
            },
            cancellationToken);
        var egresses = await database.RunAsync(
            Caller.Service,
            [new Statement(EgressesSql, Parameter.Uuids(rooms, room => room.Item1))],
            static async (results, ct) =>
            {
                var byId = new Dictionary<string, Guid>(StringComparer.Ordinal);
                while (await results.ReadAsync(ct))
                {
                    if (LiveKitJson.TryParse(results.GetString(1), out var e) && LiveKitJson.Text(LiveKitJson.Object(e, "egressInfo"), "egressId") is { } id)
                        byId[id] = results.GetGuid(0);
                }

                return byId;
            },
            cancellationToken);
        return (rooms, egresses);
    }

    private Task KeepAsync(IReadOnlyList<Guid> ids, CancellationToken cancellationToken) =>
        database.RunAsync(Caller.Service, [new Statement(KeepSql, Parameter.Uuids(ids, id => id))], cancellationToken);

    // The conversation of a room: the one that has its sid; the one that asked for it; else a new one of nobody's. Null for a room of a
    // call of ours that was taken back: it did not happen.
    private async Task<Conversation?> ResolveAsync(string sid, string? name, CancellationToken cancellationToken)
    {
        if (name is not null && OwnRoomName().Match(name) is { Success: true } match)
        {
            var asker = Guid.ParseExact(match.Groups[1].ValueSpan, "N");
            var isKnown = await database.RunAsync(
                Caller.Service,
                [
                    new Statement(BindSql, Parameter.Uuid(asker), Parameter.Text(sid), Parameter.Text(name)),
                    new Statement(KnownSql, Parameter.Uuid(asker), Parameter.Text(sid)),
                ],
                static (results, ct) => results.ReadAsync(ct),
                cancellationToken);
            if (!isKnown)
                return null;
        }

        return await conversations.StartAsync(
            Caller.Service,
            new NewConversation { Kind = ConversationKind.Call, SessionId = sid, RoomName = name, Metadata = LiveKitMetadata.Empty },
            cancellationToken);
    }

    private async Task<Conversation?> ByNameAsync(string name, CancellationToken cancellationToken)
    {
        var (rooms, _) = await NamesakesAsync(name, cancellationToken);
        return rooms.Count == 0 ? null : await conversations.FindAsync(Caller.Service, rooms[^1].Id, cancellationToken);
    }

    /// <summary>Adds deliveries to what is kept of a conversation and makes its rows of all of it, in one transaction.</summary>
    private async Task FoldAsync(Conversation conversation, IReadOnlyList<Guid> deliveries, CancellationToken cancellationToken)
    {
        var id = conversation.Id;
        var (isOver, hasCharges) = await database.InTransactionAsync(
            Caller.Service,
            async transaction =>
            {
                await transaction.QueryAsync(new Statement(LiveKitRows.LockSql, Parameter.Uuid(id)), NothingAsync, cancellationToken);
                var evidence = await Evidence.LoadAsync(transaction, id, cancellationToken);
                await evidence.AddAsync(transaction, deliveries, cancellationToken);
                var call = LiveKitCallReader.Read(evidence.Events);
                var agents = AgentReader.Read(evidence.AgentRecords);
                var start = call.CreatedAt ?? conversation.StartedAt;
                evidence.Write(transaction);
                if (LiveKitRows.ConnectedAt(call) is { } connectedAt)
                    transaction.Add(LiveKitRows.Activate(id, connectedAt));
                else if (agents.IsReported || agents.Turns.Count > 0 || agents.Usage.Count > 0)
                    transaction.Add(LiveKitRows.Activate(id, agents.Turns.Select(turn => turn.StartedAt).Min() ?? start));
                transaction.Add(LiveKitRows.Call(id, call, agents));
                if (call.Visits.Count > 0)
                    transaction.Add(LiveKitRows.Participants(id, call.Visits));
                transaction.Add(LiveKitRows.NotItsRecordings(id, call.Recordings));
                if (call.Recordings.Count > 0)
                    transaction.Add(LiveKitRows.Recordings(id, call.Recordings));
                var occurrences = call.Occurrences.Concat(agents.Occurrences).ToList();
                if (occurrences.Count > 0)
                    transaction.Add(LiveKitRows.Occurrences(id, start, occurrences));
                if (agents.Turns.Count > 0)
                    transaction.Add(LiveKitRows.Turns(id, start, await NumberAsync(transaction, id, agents.Turns, cancellationToken)));
                if (agents.FunctionCalls.Count > 0)
                    transaction.Add(LiveKitRows.FunctionCalls(id, agents.FunctionCalls));
                if (agents.Usage.Count > 0)
                    transaction.Add(LiveKitRows.Usage(id, start, agents.Usage));
                var charges = LiveKitRows.Charges(id, start, agents.Usage);
                foreach (var statement in Charges.RecordReadings(charges))
                    transaction.Add(statement);
                return (call.IsEnded, charges.Count > 0);
            },
            cancellationToken);
        if (hasCharges)
            admission.Charged(id);
        if (isOver)
            await admission.ReleaseAsync(id, cancellationToken);
    }

    // In the order of the conversation, as long as every turn is the agents'. Where the application appended turns of its own, those
    // have their numbers, and what is new goes behind them.
    private static async Task<List<(AgentTurn Turn, Guid Id, int Number)>> NumberAsync(
        Database.Transaction transaction, Guid conversationId, IReadOnlyList<AgentTurn> turns, CancellationToken cancellationToken)
    {
        var last = await transaction.QueryAsync(
            new Statement(LiveKitRows.LastSequenceSql, Parameter.Uuid(conversationId)),
            static async (results, ct) => await results.ReadAsync(ct) ? results.GetInt32(0) : 0,
            cancellationToken);
        var numbers = await transaction.QueryAsync(
            new Statement(LiveKitRows.NumberedTurnsSql, Parameter.Uuid(conversationId)),
            static async (results, ct) =>
            {
                var known = new Dictionary<Guid, int>();
                while (await results.ReadAsync(ct))
                    known.Add(results.GetGuid(0), results.GetInt32(1));
                return known;
            },
            cancellationToken);
        var ids = turns.Select(turn => LiveKitRows.TurnId(conversationId, turn)).ToList();
        var areAllOurs = numbers.Count == last && numbers.Keys.All(new HashSet<Guid>(ids).Contains);
        return [.. turns.Select((turn, i) => (turn, ids[i], areAllOurs ? i + 1 : numbers.TryGetValue(ids[i], out var number) ? number : ++last))];
    }

    private static Task<int> NothingAsync(NpgsqlDataReader results, CancellationToken cancellationToken) => Task.FromResult(0);

    private static string TextOf(NpgsqlDataReader row, int column) => Encoding.UTF8.GetString(row.GetFieldValue<byte[]>(column));

    [GeneratedRegex("^call_([0-9a-f]{32})$")]
    private static partial Regex OwnRoomName();

    private sealed record Waiting(Guid Id, string Kind, string? RoomSid, string? RoomName);

    private sealed record Adrift(Guid Id, Guid? ConversationId, LiveKitEvent Event);

    /// <summary>Everything kept of a conversation, and what is added to it.</summary>
    private sealed class Evidence
    {
        private readonly Guid conversationId;
        private readonly HashSet<Guid> keys = [];
        private readonly List<StoredEvent> fresh = [];
        private readonly List<Guid> done = [];
        private readonly List<Statement> audio = [];
        private int lastOrdinal;

        private Evidence(Guid conversationId) => this.conversationId = conversationId;

        public List<LiveKitEvent> Events { get; } = [];

        public List<string> AgentRecords { get; } = [];

        public static async Task<Evidence> LoadAsync(Database.Transaction transaction, Guid conversationId, CancellationToken cancellationToken)
        {
            var evidence = new Evidence(conversationId);
            await transaction.QueryAsync(
                new Statement(LiveKitRows.KeptSql, Parameter.Uuid(conversationId), Parameter.Text(LiveKitRows.Provider)),
                async (results, ct) =>
                {
                    while (await results.ReadAsync(ct))
                        evidence.Take(results.GetGuid(0), results.GetString(1).StartsWith("agent.", StringComparison.Ordinal), results.GetString(2));
                    return 0;
                },
                cancellationToken);
            await transaction.QueryAsync(
                new Statement(AssignedSql, Parameter.Uuid(conversationId)),
                async (results, ct) =>
                {
                    while (await results.ReadAsync(ct))
                        evidence.Take(results.GetGuid(0), isAgents: false, TextOf(results, 1));
                    return 0;
                },
                cancellationToken);
            evidence.lastOrdinal = await transaction.QueryAsync(
                new Statement(LiveKitRows.LastOrdinalSql, Parameter.Uuid(conversationId)),
                static async (results, ct) => await results.ReadAsync(ct) ? results.GetInt32(0) : 0,
                cancellationToken);
            return evidence;
        }

        public async Task AddAsync(Database.Transaction transaction, IReadOnlyList<Guid> deliveries, CancellationToken cancellationToken)
        {
            if (deliveries.Count == 0)
                return;
            var taken = await transaction.QueryAsync(
                new Statement(TakeSql, Parameter.Uuids(deliveries, d => d)),
                static async (results, ct) =>
                {
                    var rows = new List<(Guid Id, string Kind, Guid Key, byte[] Payload)>();
                    while (await results.ReadAsync(ct))
                        rows.Add((results.GetGuid(0), results.GetString(1), results.GetGuid(2), results.GetFieldValue<byte[]>(3)));
                    return rows;
                },
                cancellationToken);
            foreach (var (id, kind, key, payload) in taken)
            {
                done.Add(id);
                if (kind == "event")
                    AddEvent(key, Encoding.UTF8.GetString(payload));
                else
                    AddUpload(payload);
            }
        }

        public void Write(Database.Transaction transaction)
        {
            if (fresh.Count > 0)
                transaction.Add(CaptureRows.Events(conversationId, LiveKitRows.Provider, fresh));
            foreach (var statement in audio)
                transaction.Add(statement);
            if (done.Count > 0)
                transaction.Add(new Statement(DoneSql, Parameter.Uuids(done, id => id)));
        }

        private void AddEvent(Guid key, string payload)
        {
            if (!Take(key, isAgents: false, payload))
                return;
            var e = Events[^1];
            Keep(key, new LoggedEvent("server", e.Type, EventId: e.Id, At: e.At, OffsetMs: null, Payload: payload));
        }

        private void AddUpload(byte[] payload)
        {
            var (records, sound) = AgentUpload.Decode(payload);
            foreach (var raw in records)
            {
                var key = LiveKitEvent.KeyOf(raw);
                if (!LiveKitJson.TryParse(raw, out var record) || LiveKitJson.Text(record, "type") is not { } type)
                    continue;
                if (type == AgentUpload.Recording && sound.Length > 0)
                {
                    audio.Add(LiveKitRows.Audio(
                        conversationId, LiveKitJson.Text(record, "jobId"), LiveKitJson.Time(record, "startedAt"),
                        LiveKitJson.Integer(record, "durationMs"), sound));
                }

                if (Take(key, isAgents: true, raw))
                    Keep(key, new LoggedEvent("agent", type, EventId: null, At: null, OffsetMs: null, Payload: raw));
            }
        }

        private bool Take(Guid key, bool isAgents, string payload)
        {
            if (!keys.Add(key))
                return false;
            if (isAgents)
                AgentRecords.Add(payload);
            else
                Events.Add(LiveKitEvent.Of(key, payload));
            return true;
        }

        private void Keep(Guid key, LoggedEvent e) => fresh.Add(new StoredEvent(++lastOrdinal, key, e));
    }
}
