using System.Globalization;
using System.Text.Json.Nodes;
using Npgsql;
using NpgsqlTypes;
using Voxbase.Capture;
using Voxbase.Data;

namespace Voxbase.LiveKit;

/// <summary>
/// How what LiveKit's events and agents' records come to becomes rows. Every id follows from what it names, and every row is written
/// whole, so that reading the same evidence again writes the same rows.
/// </summary>
internal static class LiveKitRows
{
    public const string Provider = "livekit";

    // The same lock as captures of a log take, for as long as the transaction.
    public const string LockSql =
        """
        select pg_advisory_xact_lock(hashtextextended('voxbase.capture:' || $1::text, 0))
        """;

    public const string KeptSql =
        """
        select event_key, event_type, payload
        from vox.provider_events
        where conversation_id = $1 and provider = $2
        order by ordinal
        """;

    public const string LastOrdinalSql =
        """
        select coalesce(max(ordinal), 0)
        from vox.provider_events
        where conversation_id = $1
        """;

    // Appends take this row too: none comes between the numbers that are read here and those that are given.
    public const string LastSequenceSql =
        """
        select last_sequence
        from vox.conversations
        where id = $1
        for no key update
        """;

    public const string NumberedTurnsSql =
        """
        select id, sequence_number
        from vox.turns
        where conversation_id = $1
        """;

    public const string ActivateSql =
        """
        update vox.conversations set status = 'active', connected_at = $2 where id = $1 and status = 'pending'
        """;

    // An end that somebody else set stays: it was asked for, and the room's end followed. One that was read from the room's events is
    // read anew with each event.
    public const string CallSql =
        """
        update vox.conversations set
          status = case when status = 'active' and $2 then 'completed' else status end,
          started_at = coalesce($3, started_at),
          connected_at = coalesce($4, connected_at),
          ended_at = case
            when $2 and (status in ('pending', 'active') or metadata -> 'livekit' ->> 'ended_by' = 'room') then $5 else ended_at end,
          end_reason = case
            when $2 and (status in ('pending', 'active') or metadata -> 'livekit' ->> 'ended_by' = 'room') then $6 else end_reason end,
          room_name = coalesce(room_name, $7),
          ai_agent_used = ai_agent_used or $8,
          metadata = metadata || jsonb_build_object('livekit', $9 || case
            when $2 and (status in ('pending', 'active') or metadata -> 'livekit' ->> 'ended_by' = 'room') then '{"ended_by": "room"}'::jsonb
            else '{}'::jsonb end)
        where id = $1
        """;

    // An identity that is a user's id is that user, who may then read the conversation: LiveKit's tokens are made by those who hold
    // the secret.
    public const string ParticipantsSql =
        """
        insert into vox.participants (
          conversation_id, id, user_id, identity, name, type, kind, joined_at, left_at, is_muted, disconnect_reason, attributes)
        select $1, n.id, u.id, n.identity, n.name, n.type::vox.participant_type, n.kind, n.joined_at, n.left_at, n.is_muted,
          n.disconnect_reason, n.attributes
        from unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
          as n(id, user_id, identity, name, type, kind, joined_at, left_at, is_muted, disconnect_reason, attributes)
        left join vox.users u on u.id = n.user_id and u.deleted_at is null
        on conflict (conversation_id, id) do update set
          user_id = excluded.user_id, name = excluded.name, type = excluded.type, kind = excluded.kind, joined_at = excluded.joined_at,
          left_at = excluded.left_at, is_muted = excluded.is_muted, disconnect_reason = excluded.disconnect_reason,
          attributes = excluded.attributes
        """;

    public const string RecordingsSql =
        """
        insert into vox.recordings (
          conversation_id, id, source, provider_id, status, location, size_bytes, duration_ms, started_at, ended_at, error_message)
        select $1, n.id, 'egress', n.provider_id, n.status, n.location, n.size_bytes, n.duration_ms, n.started_at, n.ended_at,
          n.error_message
        from unnest($2, $3, $4, $5, $6, $7, $8, $9, $10)
          as n(id, provider_id, status, location, size_bytes, duration_ms, started_at, ended_at, error_message)
        on conflict (conversation_id, id) do update set
          status = excluded.status, location = excluded.location, size_bytes = excluded.size_bytes, duration_ms = excluded.duration_ms,
          started_at = excluded.started_at, ended_at = excluded.ended_at, error_message = excluded.error_message
        """;

    // What was taken for this call's, and turned out to be of another room of the same name.
    public const string NotItsRecordingsSql =
        """
        delete from vox.recordings where conversation_id = $1 and source = 'egress' and id <> all($2)
        """;

    public const string AudioSql =
        """
        insert into vox.recordings (conversation_id, id, source, provider_id, status, content_type, size_bytes, duration_ms, started_at, audio)
        values ($1, $2, 'agent', $3, 'complete', 'audio/ogg', $4, $5, $6, $7)
        on conflict (conversation_id, id) do nothing
        """;

    // What a cleaner or the application added to a turn stays as it is.
    public const string TurnsSql =
        """
        insert into vox.turns (
          conversation_id, id, sequence_number, role, started_at, ended_at, raw_text, heard_text, interrupted, provider, model, item_id,
          asr_ms, end_of_utterance_ms, rag_ms, llm_first_token_ms, tts_first_byte_ms, end_to_end_ms, metadata)
        select $1, n.id, n.sequence_number, n.role::vox.turn_role, n.started_at, n.ended_at, n.raw_text, n.heard_text, n.interrupted, $2,
          n.model, n.item_id, n.asr_ms, n.end_of_utterance_ms, n.rag_ms, n.llm_first_token_ms, n.tts_first_byte_ms, n.end_to_end_ms,
          n.metadata
        from unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
          as n(
            id, sequence_number, role, started_at, ended_at, raw_text, heard_text, interrupted, model, item_id, asr_ms,
            end_of_utterance_ms, rag_ms, llm_first_token_ms, tts_first_byte_ms, end_to_end_ms, metadata)
        on conflict (conversation_id, id) do update set
          sequence_number = excluded.sequence_number, role = excluded.role, started_at = excluded.started_at,
          ended_at = excluded.ended_at, raw_text = excluded.raw_text, heard_text = excluded.heard_text,
          interrupted = excluded.interrupted, model = excluded.model, asr_ms = excluded.asr_ms,
          end_of_utterance_ms = excluded.end_of_utterance_ms, rag_ms = excluded.rag_ms,
          llm_first_token_ms = excluded.llm_first_token_ms, tts_first_byte_ms = excluded.tts_first_byte_ms,
          end_to_end_ms = excluded.end_to_end_ms, metadata = turns.metadata || excluded.metadata
        """;

    // By the provider's id of the call: the application may have recorded it as well.
    public const string FunctionCallsSql =
        """
        insert into vox.function_calls (
          conversation_id, id, call_id, name, arguments, result, status, error_message, execution_ms, started_at)
        select $1, n.id, n.call_id, n.name, n.arguments, n.result, n.status, n.error_message, n.execution_ms, n.started_at
        from unnest($2, $3, $4, $5, $6, $7, $8, $9, $10)
          as n(id, call_id, name, arguments, result, status, error_message, execution_ms, started_at)
        on conflict (conversation_id, call_id) do update set
          name = excluded.name, arguments = excluded.arguments, result = excluded.result, status = excluded.status,
          error_message = excluded.error_message, execution_ms = excluded.execution_ms, started_at = excluded.started_at
        """;

    public static Statement Call(Guid conversationId, LiveKitCall call, AgentSession agents)
    {
        var facts = new JsonObject();
        Add("room_sid", call.RoomSid);
        Add("room_name", call.RoomName);
        foreach (var (name, value) in agents.Facts)
            facts[name] = value;
        if (call.Dropped > 0)
            facts["events_dropped"] = call.Dropped;
        if (agents.FlaggedCount > 0)
            facts["impossible_count"] = agents.FlaggedCount;
        return new Statement(
            CallSql, Parameter.Uuid(conversationId), Parameter.Boolean(call.IsEnded), Parameter.Time(call.CreatedAt), Parameter.Time(ConnectedAt(call)),
            Parameter.Time(call.EndedAt), Parameter.Text(call.EndReason), Parameter.Text(call.RoomName),
            Parameter.Boolean(call.AgentUsed || agents.IsReported), Parameter.Json(Safe(facts.ToJsonString())));

        void Add(string name, string? value)
        {
            if (value is not null)
                facts[name] = value;
        }
    }

    /// <summary>When it became active: with the first person; and a room that closed was open at least.</summary>
    public static DateTimeOffset? ConnectedAt(LiveKitCall call) => call.ConnectedAt ?? (call.IsEnded ? call.CreatedAt ?? call.EndedAt : null);

    public static Statement Activate(Guid conversationId, DateTimeOffset at) => new(ActivateSql, Parameter.Uuid(conversationId), Parameter.Time(at));

    public static Statement Participants(Guid conversationId, IReadOnlyList<LiveKitVisit> visits) => new(
        ParticipantsSql,
        Parameter.Uuid(conversationId),
        Parameter.Uuids(visits, v => CaptureRows.IdOf(conversationId, "participant", v.Sid)),
        Parameter.Uuids(visits, v => v.Kind == "standard" && Guid.TryParseExact(v.Identity, "D", out var user) ? user : null),
        Parameter.Texts(visits, v => v.Identity),
        Parameter.Texts(visits, v => v.Name),
        Parameter.Texts(visits, v => v.Kind == "agent" ? "agent" : "user"),
        Parameter.Texts(visits, v => v.Kind),
        Parameter.Times(visits, v => v.JoinedAt),
        Parameter.Times(visits, v => v.LeftAt),
        Parameter.Booleans(visits, v => v.IsMuted),
        Parameter.Texts(visits, v => v.DisconnectReason),
        Parameter.Jsons(visits, v => Safe(v.Attributes ?? "{}")));

    public static Statement Recordings(Guid conversationId, IReadOnlyList<LiveKitRecording> recordings) => new(
        RecordingsSql,
        Parameter.Uuid(conversationId),
        Parameter.Uuids(recordings, r => CaptureRows.IdOf(conversationId, "recording", r.EgressId)),
        Parameter.Texts(recordings, r => r.EgressId),
        Parameter.Texts(recordings, r => r.Status),
        Parameter.Texts(recordings, r => r.Location),
        Parameter.Bigints(recordings, r => r.SizeBytes),
        Parameter.Bigints(recordings, r => r.DurationMs),
        Parameter.Times(recordings, r => r.StartedAt),
        Parameter.Times(recordings, r => r.EndedAt),
        Parameter.Texts(recordings, r => r.Error));

    public static Statement NotItsRecordings(Guid conversationId, IReadOnlyList<LiveKitRecording> recordings) => new(
        NotItsRecordingsSql, Parameter.Uuid(conversationId), Parameter.Uuids(recordings, r => CaptureRows.IdOf(conversationId, "recording", r.EgressId)));

    public static Statement Audio(Guid conversationId, string? jobId, DateTimeOffset? startedAt, long? durationMs, byte[] audio) => new(
        AudioSql,
        Parameter.Uuid(conversationId),
        Parameter.Uuid(CaptureRows.IdOf(conversationId, "recording", $"agent:{jobId}")),
        Parameter.Text(jobId),
        Bigint(audio.LongLength),
        Bigint(durationMs),
        Parameter.Time(startedAt),
        Bytes(audio));

    public static Statement Occurrences(Guid conversationId, DateTimeOffset start, IReadOnlyList<LiveKitOccurrence> events) => new(
        CaptureRows.UsageEventsSql,
        Parameter.Uuid(conversationId),
        Parameter.Uuids(events, e => CaptureRows.IdOf(conversationId, "usage", e.Key)),
        Parameter.Texts(events, e => e.EventType),
        Parameter.Uuids(events, _ => null),
        Parameter.Texts(events, _ => null),
        Parameter.Texts(events, _ => null),
        Parameter.Integers(events, e => e.LatencyMs),
        Parameter.Integers(events, _ => null),
        Parameter.Integers(events, _ => null),
        Parameter.Integers(events, _ => null),
        Parameter.Integers(events, _ => null),
        Parameter.Times(events, e => e.At ?? start),
        Parameter.Jsons(events, e => Safe(e.Details)));

    public static Statement Usage(Guid conversationId, DateTimeOffset start, IReadOnlyList<AgentUsage> usage) => new(
        CaptureRows.UsageEventsSql,
        Parameter.Uuid(conversationId),
        Parameter.Uuids(usage, u => CaptureRows.IdOf(conversationId, "usage", $"agent:{u.Key}")),
        Parameter.Texts(usage, u => u.EventType.Length <= 64 ? u.EventType : u.EventType[..64]),
        Parameter.Uuids(usage, _ => null),
        Parameter.Texts(usage, _ => null),
        Parameter.Texts(usage, u => u.Model),
        Parameter.Integers(usage, _ => null),
        Parameter.Integers(usage, u => u.AudioSeconds > 0 ? (int)Math.Min(u.AudioSeconds * 1000, int.MaxValue) : null),
        Parameter.Integers(usage, u => u.Tokens?.Input),
        Parameter.Integers(usage, u => u.Tokens?.Output),
        Parameter.Integers(usage, u => u.Tokens?.Cached),
        Parameter.Times(usage, u => u.At ?? start),
        Parameter.Jsons(usage, u => Safe(UsageDetails(u))));

    public static List<NewCharge> Charges(Guid conversationId, DateTimeOffset start, IReadOnlyList<AgentUsage> usage) =>
    [
        .. from u in usage
           from part in Quantities(u)
           where part.Quantity > 0
           select new NewCharge
           {
               Id = CaptureRows.IdOf(conversationId, "charge", $"agent:{u.Key}:{part.Meter}"),
               ConversationId = conversationId,
               Stage = part.Stage,
               Meter = part.Meter,
               Provider = u.Provider,
               Model = u.Model,
               Quantity = part.Quantity,
               ChargedAt = u.At ?? start,
           },
    ];

    public static Statement FunctionCalls(Guid conversationId, IReadOnlyList<AgentFunctionCall> calls) => new(
        FunctionCallsSql,
        Parameter.Uuid(conversationId),
        Parameter.Uuids(calls, c => CaptureRows.IdOf(conversationId, "function_call", c.CallId)),
        Parameter.Texts(calls, c => c.CallId),
        Parameter.Texts(calls, c => c.Name),
        Parameter.Jsons(calls, c => CaptureRows.AsJson(c.Arguments)),
        Parameter.Jsons(calls, c => CaptureRows.AsJson(c.Output)),
        Parameter.Texts(calls, c => c.Status),
        Parameter.Texts(calls, c => c.IsError ? c.Output : null),
        Parameter.Integers(calls, c => c.ExecutionMs),
        Parameter.Times(calls, c => c.StartedAt));

    public static Statement Turns(Guid conversationId, DateTimeOffset start, IReadOnlyList<(AgentTurn Turn, Guid Id, int Number)> turns) => new(
        TurnsSql,
        Parameter.Uuid(conversationId),
        Parameter.Text(Provider),
        Parameter.Uuids(turns, t => t.Id),
        Parameter.Integers(turns, t => t.Number),
        Parameter.Texts(turns, t => t.Turn.Role),
        Parameter.Times(turns, t => t.Turn.StartedAt ?? start),
        Parameter.Times(turns, t => t.Turn.EndedAt),
        Parameter.Texts(turns, t => t.Turn.Text),
        // Of an interrupted message LiveKit keeps what was spoken.
        Parameter.Texts(turns, t => t.Turn.Interrupted ? t.Turn.Text : null),
        Parameter.Booleans(turns, t => t.Turn.Interrupted),
        Parameter.Texts(turns, t => t.Turn.Model),
        Parameter.Texts(turns, t => t.Turn.ItemId),
        Latency(turns, "asr_ms"),
        Latency(turns, "end_of_utterance_ms"),
        Latency(turns, "rag_ms"),
        Latency(turns, "llm_first_token_ms"),
        Latency(turns, "tts_first_byte_ms"),
        Latency(turns, "end_to_end_ms"),
        Parameter.Jsons(turns, t => Safe(t.Turn.Metadata)));

    public static Guid TurnId(Guid conversationId, AgentTurn turn) => CaptureRows.IdOf(conversationId, "turn", turn.ItemId);

    public static NpgsqlParameter Bytes(byte[] value) => new NpgsqlParameter<byte[]> { NpgsqlDbType = NpgsqlDbType.Bytea, TypedValue = value };

    private static NpgsqlParameter Bigint(long? value) => new() { NpgsqlDbType = NpgsqlDbType.Bigint, Value = value is { } known ? known : DBNull.Value };

    private static NpgsqlParameter Latency(IReadOnlyList<(AgentTurn Turn, Guid Id, int Number)> turns, string column) =>
        Parameter.Integers(turns, t => t.Turn.Latencies.TryGetValue(column, out var ms) ? ms : null);

    // By tokens where the provider counts them, else by time: what is counted twice would be charged twice.
    private static IEnumerable<(string Stage, string Meter, decimal Quantity)> Quantities(AgentUsage usage)
    {
        switch (usage.EventType)
        {
            case "llm_usage":
                foreach (var (meter, quantity) in usage.Tokens?.Meters() ?? [])
                    yield return ("llm", meter, quantity);
                yield return ("session", Meters.SessionSeconds, usage.SessionSeconds);
                break;
            case "stt_usage" when usage.Tokens is { } tokens:
                yield return ("asr", Meters.TranscriptionInputAudio, tokens.Input ?? 0);
                yield return ("asr", Meters.TranscriptionOutputText, tokens.Output ?? 0);
                break;
            case "stt_usage":
                yield return ("asr", Meters.TranscribedSeconds, usage.AudioSeconds);
                break;
            case "tts_usage":
                yield return ("tts", Meters.SpokenCharacters, usage.Characters);
                break;
        }
    }

    private static string UsageDetails(AgentUsage usage)
    {
        var details = (JsonObject)JsonNode.Parse(usage.Details)!;
        details["provider"] = usage.Provider;
        if (usage.Characters > 0)
            details["characters"] = usage.Characters.ToString("0", CultureInfo.InvariantCulture);
        if (usage.SessionSeconds > 0)
            details["session_seconds"] = usage.SessionSeconds.ToString(CultureInfo.InvariantCulture);
        return details.ToJsonString();
    }

    private static string Safe(string json) => CaptureRows.SafeJson(json) ?? "{}";
}
