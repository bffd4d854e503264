using System.Text.Json;
using Npgsql;
using Voxbase.Data;

namespace Voxbase;

/// <summary>A turn on its way into the database.</summary>
internal readonly record struct TurnInput(Guid ConversationId, Guid Id, NewTurn Turn);

/// <summary>How turns become rows and rows turns.</summary>
internal static class TurnRows
{
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

    public static string Lower(TurnRole role) => role switch
    {
        TurnRole.User => "user",
        TurnRole.Assistant => "assistant",
        TurnRole.System => "system",
        _ => "tool",
    };

    public static string Lower(CleaningLevel level) => level switch
    {
        CleaningLevel.None => "none",
        CleaningLevel.Light => "light",
        _ => "full",
    };

    public static string Upper(Confidence confidence) => confidence switch
    {
        Confidence.High => "HIGH",
        Confidence.Medium => "MEDIUM",
        _ => "LOW",
    };
}
