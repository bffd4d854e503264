using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Voxbase.Data;

namespace Voxbase.Capture;

/// <summary>How what a reader makes becomes rows. Every id follows from what it names, so that writing again writes the same rows.</summary>
internal static class CaptureRows
{
    public const string EventsSql =
        """
        insert into vox.provider_events (
          conversation_id, ordinal, event_key, user_id, provider, direction, event_type, event_id, logged_at, offset_ms, payload)
        select $1, n.ordinal, n.event_key, (select c.user_id from vox.conversations c where c.id = $1), $2, n.direction, n.event_type, n.event_id,
          n.logged_at, n.offset_ms, n.payload
        from unnest($3, $4, $5, $6, $7, $8, $9, $10)
          as n(ordinal, event_key, direction, event_type, event_id, logged_at, offset_ms, payload)
        """;

    public const string StoredEventsSql =
        """
        select ordinal, event_key, direction, event_type, event_id, logged_at, offset_ms, payload
        from vox.provider_events
        where conversation_id = $1
        order by ordinal
        """;

    // What a cleaner or the application added to a turn stays as it is. What capture itself said of it before is said anew: a
    // commit in the middle of a call may know less than the next.
    public const string TurnsSql =
        """
        insert into vox.turns (
          conversation_id, id, sequence_number, role, started_at, ended_at, raw_text, heard_text, interrupted, status, language,
          provider, model, response_id, item_id, input_tokens, output_tokens, cached_tokens, input_text_tokens, input_audio_tokens,
          input_image_tokens, cached_text_tokens, cached_audio_tokens, output_text_tokens, output_audio_tokens, asr_ms,
          llm_first_token_ms, tts_first_byte_ms, end_to_end_ms, audio_duration_ms, metadata)
        select $1, n.id, n.sequence_number, n.role::vox.turn_role, n.started_at, n.ended_at, n.raw_text, n.heard_text, n.interrupted,
          n.status, n.language, $2, n.model, n.response_id, n.item_id, n.input_tokens, n.output_tokens, n.cached_tokens,
          n.input_text_tokens, n.input_audio_tokens, n.input_image_tokens, n.cached_text_tokens, n.cached_audio_tokens,
          n.output_text_tokens, n.output_audio_tokens, n.asr_ms, n.llm_first_token_ms, n.tts_first_byte_ms, n.end_to_end_ms,
          n.audio_duration_ms, n.metadata
        from unnest(
            $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27,
            $28, $29, $30, $31)
          as n(
            id, sequence_number, role, started_at, ended_at, raw_text, heard_text, interrupted, status, language, model, response_id,
            item_id, input_tokens, output_tokens, cached_tokens, input_text_tokens, input_audio_tokens, input_image_tokens,
            cached_text_tokens, cached_audio_tokens, output_text_tokens, output_audio_tokens, asr_ms, llm_first_token_ms,
            tts_first_byte_ms, end_to_end_ms, audio_duration_ms, metadata)
        on conflict (conversation_id, id) do update set
          sequence_number = excluded.sequence_number, role = excluded.role, started_at = excluded.started_at,
          ended_at = excluded.ended_at, raw_text = excluded.raw_text, heard_text = excluded.heard_text,
          interrupted = excluded.interrupted, status = excluded.status, language = excluded.language, model = excluded.model,
          response_id = excluded.response_id, input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
          cached_tokens = excluded.cached_tokens, input_text_tokens = excluded.input_text_tokens,
          input_audio_tokens = excluded.input_audio_tokens, input_image_tokens = excluded.input_image_tokens,
          cached_text_tokens = excluded.cached_text_tokens, cached_audio_tokens = excluded.cached_audio_tokens,
          output_text_tokens = excluded.output_text_tokens, output_audio_tokens = excluded.output_audio_tokens,
          asr_ms = excluded.asr_ms, llm_first_token_ms = excluded.llm_first_token_ms, tts_first_byte_ms = excluded.tts_first_byte_ms,
          end_to_end_ms = excluded.end_to_end_ms, audio_duration_ms = excluded.audio_duration_ms,
          metadata = (turns.metadata - array[
            'deleted', 'truncated_ms', 'heard_unknown', 'audio_start_ms', 'audio_end_ms', 'transcription_failed', 'cached_split'
          ]) || excluded.metadata
        """;

    public const string FunctionCallsSql =
        """
        insert into vox.function_calls (
          conversation_id, id, turn_id, call_id, name, arguments, result, status, error_message, execution_ms, started_at)
        select $1, n.id, n.turn_id, n.call_id, n.name, n.arguments, n.result, n.status, n.error_message, n.execution_ms, n.started_at
        from unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
          as n(id, turn_id, call_id, name, arguments, result, status, error_message, execution_ms, started_at)
        on conflict (conversation_id, id) do update set
          turn_id = excluded.turn_id, name = excluded.name, arguments = excluded.arguments, result = excluded.result,
          status = excluded.status, error_message = excluded.error_message, execution_ms = excluded.execution_ms,
          started_at = excluded.started_at
        """;

    public const string UsageEventsSql =
        """
        insert into vox.usage_events (
          conversation_id, id, event_type, turn_id, response_id, model, latency_ms, audio_duration_ms, input_tokens, output_tokens,
          cached_tokens, at, details)
        select $1, n.id, n.event_type, n.turn_id, n.response_id, n.model, n.latency_ms, n.audio_duration_ms, n.input_tokens,
          n.output_tokens, n.cached_tokens, n.at, n.details
        from unnest($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
          as n(id, event_type, turn_id, response_id, model, latency_ms, audio_duration_ms, input_tokens, output_tokens, cached_tokens,
            at, details)
        on conflict (conversation_id, id) do update set
          turn_id = excluded.turn_id, response_id = excluded.response_id, model = excluded.model, latency_ms = excluded.latency_ms,
          audio_duration_ms = excluded.audio_duration_ms, input_tokens = excluded.input_tokens,
          output_tokens = excluded.output_tokens, cached_tokens = excluded.cached_tokens, at = excluded.at,
          details = excluded.details
        """;

    public const string SessionSql =
        """
        update vox.conversations
        set llm_provider = $2, llm_model = coalesce($3, llm_model), asr_provider = case when $4 is null then asr_provider else $2 end,
          asr_model = coalesce($4, asr_model), ai_agent_used = true, metadata = metadata || $5, summary = coalesce($6, summary)
        where id = $1
        """;

    /// <summary>
    /// The id of something in a conversation: a UUIDv7 with the conversation's time, whose other bits are the SHA-256 of what it names.
    /// The same thing has the same id however often and wherever its log is read.
    /// </summary>
    public static Guid IdOf(Guid conversationId, string kind, string key)
    {
        Span<byte> id = stackalloc byte[16];
        conversationId.TryWriteBytes(id, bigEndian: true, out _);
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData([.. id, .. Encoding.UTF8.GetBytes($"{kind}:{key}")], digest);
        digest[..10].CopyTo(id[6..]);
        id[6] = (byte)(0x70 | (id[6] & 0x0f));
        id[8] = (byte)(0x80 | (id[8] & 0x3f));
        return new Guid(id, bigEndian: true);
    }

    public static Statement Events(Guid conversationId, string provider, IReadOnlyList<StoredEvent> events) => new(
        EventsSql,
        Parameter.Uuid(conversationId),
        Parameter.Text(provider),
        Parameter.Integers(events, e => e.Ordinal),
        Parameter.Uuids(events, e => e.Key),
        Parameter.Texts(events, e => e.Event.Direction),
        Parameter.Texts(events, e => e.Event.Type),
        Parameter.Texts(events, e => e.Event.EventId),
        Parameter.Times(events, e => e.Event.At),
        Parameter.Integers(events, e => e.Event.OffsetMs),
        events.All(e => !e.Event.Utf8.IsEmpty) ? Parameter.Utf8s(events, e => e.Event.Utf8) : Parameter.Texts(events, e => e.Event.Payload));

    public static Statement Turns(Guid conversationId, string provider, DateTimeOffset start, IReadOnlyList<CapturedTurn> turns) => new(
        TurnsSql,
        Parameter.Uuid(conversationId),
        Parameter.Text(provider),
        Parameter.Uuids(turns, t => TurnId(conversationId, t.ItemId)),
        Parameter.Integers(turns, t => t.Position),
        Parameter.Texts(turns, t => t.Role),
        Parameter.Times(turns, t => start.AddMilliseconds(t.StartedAtOffsetMs)),
        Parameter.Times(turns, t => start.AddMilliseconds(t.EndedAtOffsetMs)),
        Parameter.Texts(turns, t => t.RawText),
        Parameter.Texts(turns, t => t.HeardText),
        Parameter.Booleans(turns, t => t.Interrupted),
        Parameter.Texts(turns, t => t.Status),
        Parameter.Texts(turns, t => t.Language),
        Parameter.Texts(turns, t => t.Model),
        Parameter.Texts(turns, t => t.ResponseId),
        Parameter.Texts(turns, t => t.ItemId),
        Parameter.Integers(turns, t => t.Usage?.Input),
        Parameter.Integers(turns, t => t.Usage?.Output),
        Parameter.Integers(turns, t => t.Usage?.Cached),
        Parameter.Integers(turns, t => t.Usage?.TextInput),
        Parameter.Integers(turns, t => t.Usage?.AudioInput),
        Parameter.Integers(turns, t => t.Usage?.ImageInput),
        Parameter.Integers(turns, t => t.Usage?.TextCached),
        Parameter.Integers(turns, t => t.Usage?.AudioCached),
        Parameter.Integers(turns, t => t.Usage?.TextOutput),
        Parameter.Integers(turns, t => t.Usage?.AudioOutput),
        Parameter.Integers(turns, t => t.AsrMs),
        Parameter.Integers(turns, t => t.LlmFirstTokenMs),
        // The stages add up: what the first audio took beyond the first token.
        Parameter.Integers(turns, t => t.FirstAudioMs is { } audio ? Math.Max(0, audio - (t.LlmFirstTokenMs ?? 0)) : null),
        Parameter.Integers(turns, t => t.EndToEndMs),
        Parameter.Integers(turns, t => t.AudioDurationMs),
        Parameter.Jsons(turns, Metadata));

    public static Statement FunctionCalls(Guid conversationId, DateTimeOffset start, IReadOnlyList<CapturedFunctionCall> calls) => new(
        FunctionCallsSql,
        Parameter.Uuid(conversationId),
        Parameter.Uuids(calls, c => IdOf(conversationId, "function_call", c.CallId)),
        Parameter.Uuids(calls, c => TurnId(conversationId, c.TurnItemId)),
        Parameter.Texts(calls, c => c.CallId),
        Parameter.Texts(calls, c => c.Name),
        Parameter.Jsons(calls, c => AsJson(c.Arguments)),
        Parameter.Jsons(calls, c => AsJson(c.Output)),
        Parameter.Texts(calls, c => c.Status),
        Parameter.Texts(calls, c => c.Error),
        Parameter.Integers(calls, c => c.ExecutionMs),
        Parameter.Times(calls, c => start.AddMilliseconds(c.StartedAtOffsetMs)));

    public static Statement UsageEvents(
        Guid conversationId, DateTimeOffset start, IReadOnlyList<CapturedUsage> events, IProviderReader reader) => new(
        UsageEventsSql,
        Parameter.Uuid(conversationId),
        Parameter.Uuids(events, e => IdOf(conversationId, "usage", e.Key)),
        Parameter.Texts(events, e => e.EventType),
        Parameter.Uuids(events, e => TurnIdOf(conversationId, e.ItemId, e.ResponseId, reader)),
        Parameter.Texts(events, e => e.ResponseId),
        Parameter.Texts(events, e => e.ResponseId is { } id ? reader.ResponseRecord(id)?.Model : null),
        Parameter.Integers(events, e => e.LatencyMs),
        Parameter.Integers(events, e => e.AudioDurationMs),
        Parameter.Integers(events, e => e.InputTokens),
        Parameter.Integers(events, e => e.OutputTokens),
        Parameter.Integers(events, e => e.CachedTokens),
        Parameter.Times(events, e => start.AddMilliseconds(e.OffsetMs) ?? start),
        Parameter.Jsons(events, e => e.Details is { } details ? SafeJson(details) ?? "{}" : "{}"));

    public static List<NewCharge> Charges(
        Guid conversationId, string provider, DateTimeOffset start, IReadOnlyList<CapturedQuantity> quantities, IProviderReader reader) =>
    [
        .. quantities.Select(q => new NewCharge
        {
            Id = IdOf(conversationId, "charge", q.Key),
            ConversationId = conversationId,
            TurnId = TurnIdOf(conversationId, q.ItemId, q.ResponseId, reader),
            Stage = q.Stage,
            Meter = q.Meter,
            Provider = provider,
            Model = q.Model,
            Quantity = q.Quantity,
            ChargedAt = start.AddMilliseconds(q.ResponseId is { } id ? reader.ResponseRecord(id)?.EndedAtOffsetMs : null) ?? start,
        }),
    ];

    public static Statement Session(Guid conversationId, string provider, CapturedSession session)
    {
        var facts = new Dictionary<string, object?>
        {
            ["provider_conversation_id"] = session.ConversationId,
            ["session_kind"] = session.Kind,
            ["voice"] = session.Voice,
            ["modalities"] = session.Modalities.Count == 0 ? null : session.Modalities,
            ["turn_detection"] = session.TurnDetection,
            ["language"] = session.Language,
            ["usage_final"] = session.IsUsageFinal,
        };
        var known = JsonSerializer.Serialize(facts.Where(fact => fact.Value is not null).ToDictionary());
        return new Statement(
            SessionSql, Parameter.Uuid(conversationId), Parameter.Text(provider), Parameter.Text(session.Model),
            Parameter.Text(session.TranscriptionModel), Parameter.Json(SafeJson(known) ?? "{}"), Parameter.Text(session.Summary));
    }

    /// <summary>Whether what a usage event names, if anything, is a turn by now.</summary>
    public static bool HasTurn(CapturedUsage usage, IProviderReader reader) =>
        (usage.ItemId is null && usage.ResponseId is null) || TurnIdOf(default, usage.ItemId, usage.ResponseId, reader) is not null;

    private static Guid? TurnId(Guid conversationId, string? itemId) => itemId is null ? null : IdOf(conversationId, "turn", itemId);

    private static Guid? TurnIdOf(Guid conversationId, string? itemId, string? responseId, IProviderReader reader)
    {
        if (itemId is not null && reader.Turn(itemId) is not null)
            return TurnId(conversationId, itemId);
        return responseId is null ? null : TurnId(conversationId, reader.ResponseRecord(responseId)?.TurnItemId);
    }

    // Its keys are those that TurnsSql says anew.
    private static string Metadata(CapturedTurn turn)
    {
        var facts = new Dictionary<string, object>();
        if (turn.Deleted)
            facts["deleted"] = true;
        if (turn.TruncatedMs is { } truncated)
            facts["truncated_ms"] = truncated;
        if (turn.HeardUnknown)
            facts["heard_unknown"] = true;
        if (turn.AudioStartMs is { } audioStart)
            facts["audio_start_ms"] = audioStart;
        if (turn.AudioEndMs is { } audioEnd)
            facts["audio_end_ms"] = audioEnd;
        if (turn.TranscriptionFailed is { } failure)
            facts["transcription_failed"] = failure;
        if (turn.Usage is { CachedSplit: CachedSplit.Unknown })
            facts["cached_split"] = "unknown";
        return facts.Count == 0 ? "{}" : SafeJson(JsonSerializer.Serialize(facts)) ?? "{}";
    }

    // Arguments and results are meant to be JSON and not promised to be; what isn't is kept as a JSON string.
    internal static string? AsJson(string? text) =>
        text is null ? null : SafeJson(text) ?? SafeJson(JsonSerializer.Serialize(text.Replace('\0', '\uFFFD')))
            ?? JsonSerializer.Serialize(Convert.ToBase64String(Encoding.UTF8.GetBytes(text)));

    // JSON that jsonb takes too: no \u0000, no half of a surrogate pair, numbers in range. Null when it is none.
    internal static string? SafeJson(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text, ProviderLog.JsonOptions);
            if (text.Contains("\\u", StringComparison.Ordinal) && !IsSafe(document.RootElement))
                return null;
            return text;
        }
        catch (JsonException)
        {
            return null;
        }

        static bool IsSafe(JsonElement element)
        {
            try
            {
                return element.ValueKind switch
                {
                    JsonValueKind.String => !element.GetString()!.Contains('\0', StringComparison.Ordinal),
                    JsonValueKind.Array => element.EnumerateArray().All(IsSafe),
                    JsonValueKind.Object => element.EnumerateObject().All(p => !p.Name.Contains('\0', StringComparison.Ordinal) && IsSafe(p.Value)),
                    _ => true,
                };
            }
            catch (InvalidOperationException)
            {
                // A lone surrogate: System.Text.Json parses it and cannot give it out.
                return false;
            }
        }
    }

    private static DateTimeOffset? AddMilliseconds(this DateTimeOffset start, int? offsetMs) =>
        offsetMs is { } milliseconds ? start.AddMilliseconds(milliseconds) : null;
}

/// <summary>An event and its place among those kept.</summary>
internal readonly record struct StoredEvent(int Ordinal, Guid Key, LoggedEvent Event);
