using System.Runtime.InteropServices;
using System.Text.Json;
using Npgsql;
using Voxbase.Data;

namespace Voxbase;

/// <summary>A turn on its way into the database.</summary>
internal readonly record struct TurnInput(Guid ConversationId, Guid Id, NewTurn Turn);

/// <summary>How turns become rows and rows turns.</summary>
internal static class TurnRows
{
    // The columns a live turn brings, and their parameters from $3 on when it comes alone.
    private const string LiveColumns =
        """
        role, speaker, started_at, ended_at, raw_text, cleaned_text, heard_text, interrupted, status, language, provider, model,
        response_id, item_id, input_tokens, output_tokens, cached_tokens, end_to_end_ms, metadata
        """;

    // The rest: what a provider tells in detail, and what a cleaner adds.
    private const string OtherColumns =
        """
        input_text_tokens, input_audio_tokens, input_image_tokens, cached_text_tokens, cached_audio_tokens, output_text_tokens,
        output_audio_tokens, asr_ms, end_of_utterance_ms, rag_ms, llm_first_token_ms, tts_first_byte_ms, queue_ms, delivery_ms,
        audio_duration_ms, audio_file_id, cleaning_level, cleaning_applied, confidence, corrections, context_detected,
        transcription_error_detected, business_domain, conversation_flow, cleaner_model, cleaner_request_id, processing_ms,
        sliding_window_size, context_turns_used
        """;

    /// <summary>
    /// Appends one turn that has only <see cref="LiveColumns"/>: what <see cref="AppendSql"/> does, without the cost of its arrays.
    /// </summary>
    public const string AppendOneSql =
        $"""
        with target as (
          update vox.conversations set
            turn_count = turn_count + 1,
            last_sequence = last_sequence + 1,
            input_tokens = input_tokens + coalesce($17, 0),
            output_tokens = output_tokens + coalesce($18, 0),
            cached_tokens = cached_tokens + coalesce($19, 0),
            latency_ms = latency_ms + coalesce($20, 0),
            latency_count = latency_count + ($20 is not null)::integer,
            interruption_count = interruption_count + $10::integer,
            usage_stale = true,
            updated_at = now()
          where id = $1
          returning user_id, last_sequence
        ), added as (
          insert into vox.turns (conversation_id, id, sequence_number, user_id, {LiveColumns})
          select $1, $2, t.last_sequence, t.user_id, $3::vox.turn_role, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
            $17, $18, $19, $20, $21
          from target t
        )
        select $1, last_sequence - 1 from target
        """;

    /// <summary>
    /// Appends turns of one caller, as <see cref="Caller.AsWriter"/>: adds to the totals of each conversation, takes the numbers from
    /// there and inserts, each row touched once. Returns each conversation and its last number before: the turns follow in the order
    /// given. A conversation that the caller may not write is not among those updated, and so none of its turns is inserted. A turn id
    /// that exists already fails the statement (unique_violation).
    /// </summary>
    public const string AppendSql =
        $"""
        {AddTotals}, added as (
        insert into vox.turns (conversation_id, id, sequence_number, user_id, {LiveColumns}, {OtherColumns})
        select
          {NewTurn},
          n.input_text_tokens, n.input_audio_tokens, n.input_image_tokens, n.cached_text_tokens, n.cached_audio_tokens,
          n.output_text_tokens, n.output_audio_tokens, n.asr_ms, n.end_of_utterance_ms, n.rag_ms, n.llm_first_token_ms,
          n.tts_first_byte_ms, n.queue_ms, n.delivery_ms, n.audio_duration_ms, n.audio_file_id,
          n.cleaning_level::vox.cleaning_level, n.cleaning_applied, n.confidence::vox.confidence, n.corrections,
          n.context_detected, n.transcription_error_detected, n.business_domain, n.conversation_flow, n.cleaner_model,
          n.cleaner_request_id, n.processing_ms, n.sliding_window_size, n.context_turns_used
        from unnest(
            $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36,
            $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60,
            $61, $62, $63)
          as n(conversation_id, id, rank, {LiveColumns}, {OtherColumns})
        join target t on t.id = n.conversation_id
        )
        select id, last_sequence from target
        """;

    /// <summary><see cref="AppendSql"/> for turns that have only <see cref="LiveColumns"/>: a fifth cheaper, and the usual case.</summary>
    public const string AppendLiveSql =
        $"""
        {AddTotals}, added as (
        insert into vox.turns (conversation_id, id, sequence_number, user_id, {LiveColumns})
        select
          {NewTurn}
        from unnest(
            $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33, $34)
          as n(conversation_id, id, rank, {LiveColumns})
        join target t on t.id = n.conversation_id
        )
        select id, last_sequence from target
        """;

    private const string AddTotals =
        """
        with target as (
          update vox.conversations c set
            turn_count = c.turn_count + a.turns,
            last_sequence = c.last_sequence + a.turns,
            input_tokens = c.input_tokens + a.input_tokens,
            output_tokens = c.output_tokens + a.output_tokens,
            cached_tokens = c.cached_tokens + a.cached_tokens,
            processing_ms = c.processing_ms + a.processing_ms,
            latency_ms = c.latency_ms + a.latency_ms,
            latency_count = c.latency_count + a.latency_count,
            confidence_high_count = c.confidence_high_count + a.high,
            confidence_medium_count = c.confidence_medium_count + a.medium,
            confidence_low_count = c.confidence_low_count + a.low,
            interruption_count = c.interruption_count + a.interruptions,
            usage_stale = true,
            updated_at = now()
          from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) as a(
            conversation_id, turns, input_tokens, output_tokens, cached_tokens, processing_ms, latency_ms, latency_count, high,
            medium, low, interruptions)
          where c.id = a.conversation_id
          returning c.id, c.user_id, c.last_sequence - a.turns as last_sequence
        )
        """;

    private const string NewTurn =
        """
        n.conversation_id, n.id, t.last_sequence + n.rank, t.user_id, n.role::vox.turn_role, n.speaker, n.started_at, n.ended_at,
          n.raw_text, n.cleaned_text, n.heard_text, n.interrupted, n.status, n.language, n.provider, n.model, n.response_id, n.item_id,
          n.input_tokens, n.output_tokens, n.cached_tokens, n.end_to_end_ms, n.metadata
        """;

    /// <summary>Takes the locks that make <see cref="FindSql"/> exact: whoever else appends to these conversations waits.</summary>
    public const string LockSql =
        """
        select c.id
        from vox.conversations c
        where c.id = any($1)
        order by c.id
        for no key update
        """;

    /// <summary>Which of these turns are there already.</summary>
    public const string FindSql =
        """
        select t.id, t.sequence_number, t.conversation_id
        from vox.turns t
        join unnest($1, $2) as n(conversation_id, id) on t.conversation_id = n.conversation_id and t.id = n.id
        """;

    /// <summary>The columns of <see cref="Read"/>, in its order.</summary>
    public const string Columns =
        """
        conversation_id, sequence_number, id, role::text, speaker, started_at, ended_at, raw_text, cleaned_text, heard_text,
        interrupted, status, language, provider, model, response_id, item_id, input_tokens, output_tokens, cached_tokens,
        input_text_tokens, input_audio_tokens, input_image_tokens, cached_text_tokens, cached_audio_tokens, output_text_tokens,
        output_audio_tokens, asr_ms, end_of_utterance_ms, rag_ms, llm_first_token_ms, tts_first_byte_ms, end_to_end_ms, queue_ms,
        delivery_ms, audio_duration_ms, audio_file_id, cleaning_level::text, cleaning_applied, confidence::text, corrections,
        context_detected, transcription_error_detected, business_domain, conversation_flow, cleaner_model, cleaner_request_id,
        processing_ms, sliding_window_size, context_turns_used, metadata, asr_cost_usd, llm_cost_usd, tts_cost_usd, cost_usd,
        created_at, updated_at
        """;

    /// <summary>The statement that appends these turns, no two of one id.</summary>
    public static Statement Append(IReadOnlyList<TurnInput> rows)
    {
        if (rows is [var one] && IsLive(one.Turn))
            return AppendOne(one);

        var ranks = new int[rows.Count];
        var totals = new Dictionary<Guid, Totals>();
        for (var i = 0; i < ranks.Length; i++)
        {
            ref var total = ref CollectionsMarshal.GetValueRefOrAddDefault(totals, rows[i].ConversationId, out _);
            total.Add(rows[i].Turn);
            ranks[i] = total.Turns;
        }

        // In the order of their ids, so that two writers never wait for each other crosswise.
        var sums = totals.OrderBy(total => total.Key).ToList();
        NpgsqlParameter[] live =
        [
            Parameter.Uuids(sums, s => s.Key),
            Parameter.Integers(sums, s => s.Value.Turns),
            Parameter.Bigints(sums, s => s.Value.InputTokens),
            Parameter.Bigints(sums, s => s.Value.OutputTokens),
            Parameter.Bigints(sums, s => s.Value.CachedTokens),
            Parameter.Bigints(sums, s => s.Value.ProcessingMs),
            Parameter.Bigints(sums, s => s.Value.LatencyMs),
            Parameter.Integers(sums, s => s.Value.LatencyCount),
            Parameter.Integers(sums, s => s.Value.High),
            Parameter.Integers(sums, s => s.Value.Medium),
            Parameter.Integers(sums, s => s.Value.Low),
            Parameter.Integers(sums, s => s.Value.Interruptions),
            Parameter.Uuids(rows, r => r.ConversationId),
            Parameter.Uuids(rows, r => r.Id),
            Parameter.Integers(ranks, rank => rank),
            Parameter.Texts(rows, r => Lower(r.Turn.Role)),
            Parameter.Texts(rows, r => r.Turn.Speaker),
            Parameter.Times(rows, r => r.Turn.StartedAt),
            Parameter.Times(rows, r => r.Turn.EndedAt),
            Parameter.Texts(rows, r => r.Turn.RawText),
            Parameter.Texts(rows, r => r.Turn.CleanedText),
            Parameter.Texts(rows, r => r.Turn.HeardText),
            Parameter.Booleans(rows, r => r.Turn.Interrupted),
            Parameter.Texts(rows, r => r.Turn.Status ?? "completed"),
            Parameter.Texts(rows, r => r.Turn.Language),
            Parameter.Texts(rows, r => r.Turn.Provider),
            Parameter.Texts(rows, r => r.Turn.Model),
            Parameter.Texts(rows, r => r.Turn.ResponseId),
            Parameter.Texts(rows, r => r.Turn.ItemId),
            Parameter.Integers(rows, r => r.Turn.InputTokens),
            Parameter.Integers(rows, r => r.Turn.OutputTokens),
            Parameter.Integers(rows, r => r.Turn.CachedTokens),
            Parameter.Integers(rows, r => r.Turn.EndToEndMs),
            Parameter.Jsons(rows, r => r.Turn.Metadata?.GetRawText() ?? "{}"),
        ];
        if (rows.All(row => IsLive(row.Turn)))
            return new Statement(AppendLiveSql, live);
        NpgsqlParameter[] other =
        [
            Parameter.Integers(rows, r => r.Turn.InputTextTokens),
            Parameter.Integers(rows, r => r.Turn.InputAudioTokens),
            Parameter.Integers(rows, r => r.Turn.InputImageTokens),
            Parameter.Integers(rows, r => r.Turn.CachedTextTokens),
            Parameter.Integers(rows, r => r.Turn.CachedAudioTokens),
            Parameter.Integers(rows, r => r.Turn.OutputTextTokens),
            Parameter.Integers(rows, r => r.Turn.OutputAudioTokens),
            Parameter.Integers(rows, r => r.Turn.AsrMs),
            Parameter.Integers(rows, r => r.Turn.EndOfUtteranceMs),
            Parameter.Integers(rows, r => r.Turn.RagMs),
            Parameter.Integers(rows, r => r.Turn.LlmFirstTokenMs),
            Parameter.Integers(rows, r => r.Turn.TtsFirstByteMs),
            Parameter.Integers(rows, r => r.Turn.QueueMs),
            Parameter.Integers(rows, r => r.Turn.DeliveryMs),
            Parameter.Integers(rows, r => r.Turn.AudioDurationMs),
            Parameter.Uuids(rows, r => r.Turn.AudioFileId),
            Parameter.Texts(rows, r => r.Turn.CleaningLevel is { } level ? Lower(level) : null),
            Parameter.Booleans(rows, r => r.Turn.CleaningApplied),
            Parameter.Texts(rows, r => r.Turn.Confidence is { } confidence ? Upper(confidence) : null),
            Parameter.Jsons(rows, r => r.Turn.Corrections?.GetRawText() ?? "[]"),
            Parameter.Texts(rows, r => r.Turn.ContextDetected),
            Parameter.Booleans(rows, r => r.Turn.TranscriptionErrorDetected),
            Parameter.Texts(rows, r => r.Turn.BusinessDomain),
            Parameter.Texts(rows, r => r.Turn.ConversationFlow),
            Parameter.Texts(rows, r => r.Turn.CleanerModel),
            Parameter.Texts(rows, r => r.Turn.CleanerRequestId),
            Parameter.Integers(rows, r => r.Turn.ProcessingMs),
            Parameter.Integers(rows, r => r.Turn.SlidingWindowSize),
            Parameter.Integers(rows, r => r.Turn.ContextTurnsUsed),
        ];
        return new Statement(AppendSql, [.. live, .. other]);
    }

    private static Statement AppendOne(TurnInput row) => new(
        AppendOneSql,
        Parameter.Uuid(row.ConversationId),
        Parameter.Uuid(row.Id),
        Parameter.Text(Lower(row.Turn.Role)),
        Parameter.Text(row.Turn.Speaker),
        Parameter.Time(row.Turn.StartedAt),
        Parameter.Time(row.Turn.EndedAt),
        Parameter.Text(row.Turn.RawText),
        Parameter.Text(row.Turn.CleanedText),
        Parameter.Text(row.Turn.HeardText),
        Parameter.Boolean(row.Turn.Interrupted),
        Parameter.Text(row.Turn.Status ?? "completed"),
        Parameter.Text(row.Turn.Language),
        Parameter.Text(row.Turn.Provider),
        Parameter.Text(row.Turn.Model),
        Parameter.Text(row.Turn.ResponseId),
        Parameter.Text(row.Turn.ItemId),
        Parameter.Integer(row.Turn.InputTokens),
        Parameter.Integer(row.Turn.OutputTokens),
        Parameter.Integer(row.Turn.CachedTokens),
        Parameter.Integer(row.Turn.EndToEndMs),
        Parameter.Json(row.Turn.Metadata?.GetRawText() ?? "{}"));

    // Whether a turn has nothing beyond LiveColumns.
    private static bool IsLive(NewTurn t) =>
        t is
        {
            InputTextTokens: null, InputAudioTokens: null, InputImageTokens: null, CachedTextTokens: null, CachedAudioTokens: null,
            OutputTextTokens: null, OutputAudioTokens: null, AsrMs: null, EndOfUtteranceMs: null, RagMs: null, LlmFirstTokenMs: null,
            TtsFirstByteMs: null, QueueMs: null, DeliveryMs: null, AudioDurationMs: null, AudioFileId: null, CleaningLevel: null,
            CleaningApplied: false, Confidence: null, Corrections: null, ContextDetected: null, TranscriptionErrorDetected: false,
            BusinessDomain: null, ConversationFlow: null, CleanerModel: null, CleanerRequestId: null, ProcessingMs: null,
            SlidingWindowSize: null, ContextTurnsUsed: null,
        };

    /// <summary>What turns add to their conversation's totals.</summary>
    private struct Totals
    {
        public int Turns, LatencyCount, High, Medium, Low, Interruptions;
        public long InputTokens, OutputTokens, CachedTokens, ProcessingMs, LatencyMs;

        public void Add(NewTurn turn)
        {
            Turns++;
            InputTokens += turn.InputTokens ?? 0;
            OutputTokens += turn.OutputTokens ?? 0;
            CachedTokens += turn.CachedTokens ?? 0;
            ProcessingMs += turn.ProcessingMs ?? 0;
            LatencyMs += turn.EndToEndMs ?? 0;
            LatencyCount += turn.EndToEndMs is null ? 0 : 1;
            High += turn.Confidence == Confidence.High ? 1 : 0;
            Medium += turn.Confidence == Confidence.Medium ? 1 : 0;
            Low += turn.Confidence == Confidence.Low ? 1 : 0;
            Interruptions += turn.Interrupted ? 1 : 0;
        }
    }

    public static Turn Read(NpgsqlDataReader row)
    {
        var at = new RowReader(row);
        return new Turn
        {
            ConversationId = at.Uuid()!.Value,
            SequenceNumber = at.Integer()!.Value,
            Id = at.Uuid(),
            Role = at.Enum<TurnRole>()!.Value,
            Speaker = at.Text(),
            StartedAt = at.Time(),
            EndedAt = at.Time(),
            RawText = at.Text(),
            CleanedText = at.Text(),
            HeardText = at.Text(),
            Interrupted = at.Boolean(),
            Status = at.Text(),
            Language = at.Text(),
            Provider = at.Text(),
            Model = at.Text(),
            ResponseId = at.Text(),
            ItemId = at.Text(),
            InputTokens = at.Integer(),
            OutputTokens = at.Integer(),
            CachedTokens = at.Integer(),
            InputTextTokens = at.Integer(),
            InputAudioTokens = at.Integer(),
            InputImageTokens = at.Integer(),
            CachedTextTokens = at.Integer(),
            CachedAudioTokens = at.Integer(),
            OutputTextTokens = at.Integer(),
            OutputAudioTokens = at.Integer(),
            AsrMs = at.Integer(),
            EndOfUtteranceMs = at.Integer(),
            RagMs = at.Integer(),
            LlmFirstTokenMs = at.Integer(),
            TtsFirstByteMs = at.Integer(),
            EndToEndMs = at.Integer(),
            QueueMs = at.Integer(),
            DeliveryMs = at.Integer(),
            AudioDurationMs = at.Integer(),
            AudioFileId = at.Uuid(),
            CleaningLevel = at.Enum<CleaningLevel>(),
            CleaningApplied = at.Boolean(),
            Confidence = at.Enum<Confidence>(),
            Corrections = at.Json(),
            ContextDetected = at.Text(),
            TranscriptionErrorDetected = at.Boolean(),
            BusinessDomain = at.Text(),
            ConversationFlow = at.Text(),
            CleanerModel = at.Text(),
            CleanerRequestId = at.Text(),
            ProcessingMs = at.Integer(),
            SlidingWindowSize = at.Integer(),
            ContextTurnsUsed = at.Integer(),
            Metadata = at.Json(),
            AsrCostUsd = at.Numeric()!.Value,
            LlmCostUsd = at.Numeric()!.Value,
            TtsCostUsd = at.Numeric()!.Value,
            CostUsd = at.Numeric()!.Value,
            CreatedAt = at.Time()!.Value,
            UpdatedAt = at.Time()!.Value,
        };
    }

    /// <summary>What is wrong with a turn, or null.</summary>
    public static string? Fault(NewTurn turn)
    {
        return Enum.IsDefined(turn.Role) ? Negative(turn) ?? Shape(turn) : $"role is none of user, assistant, system and tool";

        static string? Negative(NewTurn t) =>
            Below(t.InputTokens, "input_tokens") ?? Below(t.OutputTokens, "output_tokens") ?? Below(t.CachedTokens, "cached_tokens")
            ?? Below(t.InputTextTokens, "input_text_tokens") ?? Below(t.InputAudioTokens, "input_audio_tokens")
            ?? Below(t.InputImageTokens, "input_image_tokens") ?? Below(t.CachedTextTokens, "cached_text_tokens")
            ?? Below(t.CachedAudioTokens, "cached_audio_tokens") ?? Below(t.OutputTextTokens, "output_text_tokens")
            ?? Below(t.OutputAudioTokens, "output_audio_tokens") ?? Below(t.AsrMs, "asr_ms")
            ?? Below(t.EndOfUtteranceMs, "end_of_utterance_ms") ?? Below(t.RagMs, "rag_ms")
            ?? Below(t.LlmFirstTokenMs, "llm_first_token_ms") ?? Below(t.TtsFirstByteMs, "tts_first_byte_ms")
            ?? Below(t.EndToEndMs, "end_to_end_ms") ?? Below(t.QueueMs, "queue_ms") ?? Below(t.DeliveryMs, "delivery_ms")
            ?? Below(t.AudioDurationMs, "audio_duration_ms") ?? Below(t.ProcessingMs, "processing_ms")
            ?? Below(t.SlidingWindowSize, "sliding_window_size") ?? Below(t.ContextTurnsUsed, "context_turns_used");

        static string? Shape(NewTurn t) =>
            t.Metadata is { ValueKind: not JsonValueKind.Object } ? "metadata must be an object"
            : t.Corrections is { ValueKind: not JsonValueKind.Array } ? "corrections must be an array"
            : t.EndedAt < t.StartedAt ? "ended_at is before started_at"
            : null;

        static string? Below(int? value, string name) => value < 0 ? $"{name} must not be negative (was {value})" : null;
    }

    private static string Lower(TurnRole role) => role switch
    {
        TurnRole.User => "user",
        TurnRole.Assistant => "assistant",
        TurnRole.System => "system",
        _ => "tool",
    };

    private static string Lower(CleaningLevel level) => level switch
    {
        CleaningLevel.None => "none",
        CleaningLevel.Light => "light",
        _ => "full",
    };

    private static string Upper(Confidence confidence) => confidence switch
    {
        Confidence.High => "HIGH",
        Confidence.Medium => "MEDIUM",
        _ => "LOW",
    };
}
