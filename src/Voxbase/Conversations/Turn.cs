using System.Text.Json;
using System.Text.Json.Serialization;

namespace Voxbase;

/// <summary>A turn to append: one utterance. Only the role is required; latencies and durations are milliseconds and never negative.</summary>
public record NewTurn
{
    /// <summary>A UUID made by the caller, best a UUIDv7. Appending the same id again adds nothing. Made here when null.</summary>
    public Guid? Id { get; init; }

    /// <summary>Who is speaking.</summary>
    public required TurnRole Role { get; init; }

    /// <summary>The speaker's name.</summary>
    public string? Speaker { get; init; }

    /// <summary>When speech began.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When speech ended.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>What was said, as the provider sent it.</summary>
    public string? RawText { get; init; }

    /// <summary>What was said, cleaned.</summary>
    public string? CleanedText { get; init; }

    /// <summary>What was heard before an interruption.</summary>
    public string? HeardText { get; init; }

    /// <summary>Whether the other side cut it short.</summary>
    public bool Interrupted { get; init; }

    /// <summary><c>completed</c> when null; else in_progress, incomplete, cancelled, failed or the provider's own.</summary>
    public string? Status { get; init; }

    /// <summary>BCP 47.</summary>
    public string? Language { get; init; }

    /// <summary>Who made it, for example <c>openai</c>.</summary>
    public string? Provider { get; init; }

    /// <summary>The model.</summary>
    public string? Model { get; init; }

    /// <summary>The provider's response.</summary>
    public string? ResponseId { get; init; }

    /// <summary>The provider's item.</summary>
    public string? ItemId { get; init; }

    /// <summary>Tokens sent to the model, cached ones included.</summary>
    public int? InputTokens { get; init; }

    /// <summary>Tokens the model made.</summary>
    public int? OutputTokens { get; init; }

    /// <summary>The part of <see cref="InputTokens"/> that the provider had cached.</summary>
    public int? CachedTokens { get; init; }

    /// <summary>The parts of the tokens by modality.</summary>
    public int? InputTextTokens { get; init; }

    /// <inheritdoc cref="InputTextTokens"/>
    public int? InputAudioTokens { get; init; }

    /// <inheritdoc cref="InputTextTokens"/>
    public int? InputImageTokens { get; init; }

    /// <inheritdoc cref="InputTextTokens"/>
    public int? CachedTextTokens { get; init; }

    /// <inheritdoc cref="InputTextTokens"/>
    public int? CachedAudioTokens { get; init; }

    /// <inheritdoc cref="InputTextTokens"/>
    public int? OutputTextTokens { get; init; }

    /// <inheritdoc cref="InputTextTokens"/>
    public int? OutputAudioTokens { get; init; }

    /// <summary>From the end of speech to its transcript.</summary>
    public int? AsrMs { get; init; }

    /// <summary>From the end of speech to the decision that it had ended.</summary>
    public int? EndOfUtteranceMs { get; init; }

    /// <summary>Retrieval.</summary>
    public int? RagMs { get; init; }

    /// <summary>From the request to the first token.</summary>
    public int? LlmFirstTokenMs { get; init; }

    /// <summary>From the first token to the first audio.</summary>
    public int? TtsFirstByteMs { get; init; }

    /// <summary>From the end of the user's speech to the first audio of the answer.</summary>
    public int? EndToEndMs { get; init; }

    /// <summary>Waiting before the cleaner took it.</summary>
    public int? QueueMs { get; init; }

    /// <summary>From commit to the subscriber.</summary>
    public int? DeliveryMs { get; init; }

    /// <summary>Length of the audio.</summary>
    public int? AudioDurationMs { get; init; }

    /// <summary>The stored audio.</summary>
    public Guid? AudioFileId { get; init; }

    /// <summary>How much the cleaner was allowed to change.</summary>
    public CleaningLevel? CleaningLevel { get; init; }

    /// <summary>Whether it changed anything.</summary>
    public bool CleaningApplied { get; init; }

    /// <summary>How sure it was.</summary>
    public Confidence? Confidence { get; init; }

    /// <summary>A JSON array of what it changed.</summary>
    public JsonElement? Corrections { get; init; }

    /// <summary>The context it saw.</summary>
    public string? ContextDetected { get; init; }

    /// <summary>Whether it found a mistake of the recogniser.</summary>
    public bool TranscriptionErrorDetected { get; init; }

    /// <summary>The domain it saw.</summary>
    public string? BusinessDomain { get; init; }

    /// <summary>Where the conversation was going.</summary>
    public string? ConversationFlow { get; init; }

    /// <summary>The cleaner.</summary>
    public string? CleanerModel { get; init; }

    /// <summary>The cleaner's own id of its request.</summary>
    public string? CleanerRequestId { get; init; }

    /// <summary>The cleaner's own time.</summary>
    public int? ProcessingMs { get; init; }

    /// <summary>How many turns the cleaner could have looked back.</summary>
    public int? SlidingWindowSize { get; init; }

    /// <summary>How many it did.</summary>
    public int? ContextTurnsUsed { get; init; }

    /// <summary>A JSON object of the application's own.</summary>
    public JsonElement? Metadata { get; init; }
}

/// <summary>A turn as it is kept.</summary>
public sealed record Turn : NewTurn
{
    /// <summary>The conversation.</summary>
    public required Guid ConversationId { get; init; }

    /// <summary>From 1, without a gap.</summary>
    public required int SequenceNumber { get; init; }

    /// <summary>US dollars by stage.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public decimal AsrCostUsd { get; init; }

    /// <inheritdoc cref="AsrCostUsd"/>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public decimal LlmCostUsd { get; init; }

    /// <inheritdoc cref="AsrCostUsd"/>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public decimal TtsCostUsd { get; init; }

    /// <summary>US dollars, all stages.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public decimal CostUsd { get; init; }

    /// <summary>When the row was written.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it last changed.</summary>
    public DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>Where an appended turn stands.</summary>
/// <param name="Id">The turn.</param>
/// <param name="SequenceNumber">From 1, without a gap.</param>
/// <param name="Added">False when the turn had been there before.</param>
public sealed record AppendedTurn(Guid Id, int SequenceNumber, bool Added);
