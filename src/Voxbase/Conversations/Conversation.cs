using System.Text.Json;
using System.Text.Json.Serialization;

namespace Voxbase;

/// <summary>Where a conversation comes from.</summary>
public enum ConversationKind { Realtime, Call, Clone, Transcript, Agent }

/// <summary>pending → active → completed or failed; pending → failed. Nothing else.</summary>
public enum ConversationStatus { Pending, Active, Completed, Failed }

/// <summary>What a live conversation is doing: idle → listening → processing → speaking → idle or interrupted; error from anywhere.</summary>
public enum ConversationState { Idle, Listening, Processing, Speaking, Interrupted, Error }

/// <summary>Who is speaking.</summary>
public enum TurnRole { User, Assistant, System, Tool }

/// <summary>What a participant is.</summary>
public enum ParticipantType { User, Agent, Admin }

/// <summary>
/// How much a cleaner may change: nothing; filled pauses, certain stutters, trusted names and casing; or everything that is certain or likely,
/// restarts, repairs and numbers too.
/// </summary>
public enum CleaningLevel { None, Light, Full }

/// <summary>How sure a cleaner is, from low, which is reported and never applied, to high. Written in capitals.</summary>
public enum Confidence { Low, Medium, High }

/// <summary>A conversation to start. Everything but the kind is optional.</summary>
public sealed record NewConversation
{
    /// <summary>A UUIDv7 made by the caller, or null for one made here. Its month decides the partition.</summary>
    public Guid? Id { get; init; }

    /// <summary>The owner. A user starts conversations for itself and leaves this out; the service may name anyone or nobody.</summary>
    public Guid? UserId { get; init; }

    /// <summary>Where it comes from.</summary>
    public ConversationKind Kind { get; init; } = ConversationKind.Realtime;

    /// <summary>The provider's name of it, unique: starting again with the same one returns the first. Up to 512 characters.</summary>
    public string? SessionId { get; init; }

    /// <summary>The room, where there is one.</summary>
    public string? RoomName { get; init; }

    /// <summary>A title for people.</summary>
    public string? Name { get; init; }

    /// <summary>More for people.</summary>
    public string? Description { get; init; }

    /// <summary><c>pending</c> (default) until connected, or <c>active</c> at once.</summary>
    public ConversationStatus Status { get; init; }

    /// <summary>Now when null.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>Speech recognition.</summary>
    public string? AsrProvider { get; init; }

    /// <inheritdoc cref="AsrProvider"/>
    public string? AsrModel { get; init; }

    /// <summary>Language or realtime model.</summary>
    public string? LlmProvider { get; init; }

    /// <inheritdoc cref="LlmProvider"/>
    public string? LlmModel { get; init; }

    /// <summary>Speech synthesis.</summary>
    public string? TtsProvider { get; init; }

    /// <inheritdoc cref="TtsProvider"/>
    public string? TtsModel { get; init; }

    /// <summary>Whether an AI agent answers.</summary>
    public bool AiAgentUsed { get; init; }

    /// <summary>A JSON object of the application's own.</summary>
    public JsonElement? Metadata { get; init; }

    /// <summary>A JSON object of the user's preferences for it.</summary>
    public JsonElement? Preferences { get; init; }

    /// <summary>A JSON object of the session's own state.</summary>
    public JsonElement? SessionState { get; init; }
}

/// <summary>A conversation and its totals. Totals are exact after every statement.</summary>
public sealed record Conversation
{
    /// <summary>Its id, a UUIDv7.</summary>
    public required Guid Id { get; init; }

    /// <summary>The owner; null for a call of nobody known.</summary>
    public Guid? UserId { get; init; }

    /// <summary>Where it comes from.</summary>
    public ConversationKind Kind { get; init; }

    /// <summary>The provider's name of it.</summary>
    public string? SessionId { get; init; }

    /// <summary>The room.</summary>
    public string? RoomName { get; init; }

    /// <summary>A title for people.</summary>
    public string? Name { get; init; }

    /// <summary>More for people.</summary>
    public string? Description { get; init; }

    /// <summary>How far it is.</summary>
    public ConversationStatus Status { get; init; }

    /// <summary>What it is doing.</summary>
    public ConversationState State { get; init; }

    /// <summary>Why it ended.</summary>
    public string? EndReason { get; init; }

    /// <summary>When it was made or began.</summary>
    public DateTimeOffset StartedAt { get; init; }

    /// <summary>When it became active.</summary>
    public DateTimeOffset? ConnectedAt { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Whole seconds from connected (else started) to ended.</summary>
    public int? DurationSeconds { get; init; }

    /// <summary>Speech recognition.</summary>
    public string? AsrProvider { get; init; }

    /// <inheritdoc cref="AsrProvider"/>
    public string? AsrModel { get; init; }

    /// <summary>Language or realtime model.</summary>
    public string? LlmProvider { get; init; }

    /// <inheritdoc cref="LlmProvider"/>
    public string? LlmModel { get; init; }

    /// <summary>Speech synthesis.</summary>
    public string? TtsProvider { get; init; }

    /// <inheritdoc cref="TtsProvider"/>
    public string? TtsModel { get; init; }

    /// <summary>Whether an AI agent answers.</summary>
    public bool AiAgentUsed { get; init; }

    /// <summary>All turns ever appended.</summary>
    public int TurnCount { get; init; }

    /// <summary>Tokens sent to models, cached ones included.</summary>
    public long InputTokens { get; init; }

    /// <summary>Tokens that models made.</summary>
    public long OutputTokens { get; init; }

    /// <summary>The part of <see cref="InputTokens"/> that the provider had cached.</summary>
    public long CachedTokens { get; init; }

    /// <summary>Sum of the charges, US dollars.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public decimal CostUsd { get; init; }

    /// <summary>Charges without a price; they are not in <see cref="CostUsd"/>.</summary>
    public int UnpricedCount { get; init; }

    /// <summary>Sum of the cleaner's times.</summary>
    public long ProcessingMs { get; init; }

    /// <summary>Mean time from the end of speech to the first audio of the answer, or null when none was measured.</summary>
    public int? AverageLatencyMs { get; init; }

    /// <summary>Turns cleaned with that confidence.</summary>
    public int ConfidenceHighCount { get; init; }

    /// <inheritdoc cref="ConfidenceHighCount"/>
    public int ConfidenceMediumCount { get; init; }

    /// <inheritdoc cref="ConfidenceHighCount"/>
    public int ConfidenceLowCount { get; init; }

    /// <summary>Turns cut short by the other side.</summary>
    public int InterruptionCount { get; init; }

    /// <summary>Tools called.</summary>
    public int FunctionCallCount { get; init; }

    /// <summary>Usage events of type error.</summary>
    public int ErrorCount { get; init; }

    /// <summary>A summary of what was said.</summary>
    public string? Summary { get; init; }

    /// <summary>The application's own.</summary>
    public JsonElement Metadata { get; init; }

    /// <summary>The user's preferences for it.</summary>
    public JsonElement Preferences { get; init; }

    /// <summary>The session's own state.</summary>
    public JsonElement SessionState { get; init; }

    /// <summary>When it was put away.</summary>
    public DateTimeOffset? ArchivedAt { get; init; }

    /// <summary>When the row was written.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it last changed.</summary>
    public DateTimeOffset UpdatedAt { get; init; }
}

/// <summary>A conversation that was asked to start.</summary>
/// <param name="Conversation">As it is now.</param>
/// <param name="IsNew">False when it had been there before.</param>
public sealed record StartedConversation(Conversation Conversation, bool IsNew);

/// <summary>A participant to add.</summary>
public sealed record NewParticipant
{
    /// <summary>A UUIDv7 made by the caller, so that a retry is harmless; or null for one made here.</summary>
    public Guid? Id { get; init; }

    /// <summary>The participant's own user, who may then read the conversation; null for an anonymous caller.</summary>
    public Guid? UserId { get; init; }

    /// <summary>The name the room or line knows it by. 1 to 512 characters.</summary>
    public required string Identity { get; init; }

    /// <summary>A name for people.</summary>
    public string? Name { get; init; }

    /// <summary>user (default), agent or admin.</summary>
    public ParticipantType Type { get; init; }

    /// <summary>The provider's kind: standard (default), sip, agent, egress…</summary>
    public string? Kind { get; init; }

    /// <summary>Now when null.</summary>
    public DateTimeOffset? JoinedAt { get; init; }

    /// <summary>Whether it is muted.</summary>
    public bool IsMuted { get; init; }

    /// <summary>A JSON object of the provider's attributes.</summary>
    public JsonElement? Attributes { get; init; }
}

/// <summary>Someone who was in a conversation. Joining again is another one.</summary>
public sealed record Participant
{
    /// <summary>The conversation.</summary>
    public required Guid ConversationId { get; init; }

    /// <summary>Its id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The participant's own user.</summary>
    public Guid? UserId { get; init; }

    /// <summary>The name the room or line knows it by.</summary>
    public required string Identity { get; init; }

    /// <summary>A name for people.</summary>
    public string? Name { get; init; }

    /// <summary>user, agent or admin.</summary>
    public ParticipantType Type { get; init; }

    /// <summary>The provider's kind.</summary>
    public required string Kind { get; init; }

    /// <summary>When it came.</summary>
    public DateTimeOffset JoinedAt { get; init; }

    /// <summary>When it went.</summary>
    public DateTimeOffset? LeftAt { get; init; }

    /// <summary>Whole seconds between.</summary>
    public int? DurationSeconds { get; init; }

    /// <summary>Whether it is muted.</summary>
    public bool IsMuted { get; init; }

    /// <summary>Why it went.</summary>
    public string? DisconnectReason { get; init; }

    /// <summary>The provider's attributes.</summary>
    public JsonElement Attributes { get; init; }
}

/// <summary>A tool call that begins.</summary>
public sealed record NewFunctionCall
{
    /// <summary>The provider's id of the call, unique in its conversation: beginning twice begins once.</summary>
    public required string CallId { get; init; }

    /// <summary>The function.</summary>
    public required string Name { get; init; }

    /// <summary>Any JSON.</summary>
    public JsonElement? Arguments { get; init; }

    /// <summary>The turn it was called in.</summary>
    public Guid? TurnId { get; init; }

    /// <summary>Now when null.</summary>
    public DateTimeOffset? StartedAt { get; init; }
}

/// <summary>How a tool call ended.</summary>
public sealed record FunctionCallEnd
{
    /// <summary><c>completed</c> (default), <c>failed</c> or <c>cancelled</c>.</summary>
    public string Status { get; init; } = "completed";

    /// <summary>Any JSON.</summary>
    public JsonElement? Result { get; init; }

    /// <summary>What went wrong.</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>Milliseconds; when null, the time since the beginning.</summary>
    public int? ExecutionMs { get; init; }
}

/// <summary>A tool call.</summary>
public sealed record FunctionCall
{
    /// <summary>The conversation.</summary>
    public required Guid ConversationId { get; init; }

    /// <summary>Its id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The turn it was called in.</summary>
    public Guid? TurnId { get; init; }

    /// <summary>The provider's id.</summary>
    public required string CallId { get; init; }

    /// <summary>The function; null where only the result was seen.</summary>
    public string? Name { get; init; }

    /// <summary>Its arguments.</summary>
    public JsonElement? Arguments { get; init; }

    /// <summary>Its result.</summary>
    public JsonElement? Result { get; init; }

    /// <summary><c>in_progress</c>, <c>completed</c>, <c>failed</c> or <c>cancelled</c>.</summary>
    public required string Status { get; init; }

    /// <summary>What went wrong.</summary>
    public string? ErrorMessage { get; init; }

    /// <summary>Milliseconds from beginning to end.</summary>
    public int? ExecutionMs { get; init; }

    /// <summary>When it began.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>When the row was written.</summary>
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>Something that happened, and what it used.</summary>
public sealed record UsageEvent
{
    /// <summary>Its id.</summary>
    public required Guid Id { get; init; }

    /// <summary>session_start, response, transcription, function_call, rate_limits, error…</summary>
    public required string EventType { get; init; }

    /// <summary>The turn it belongs to.</summary>
    public Guid? TurnId { get; init; }

    /// <summary>The provider's response.</summary>
    public string? ResponseId { get; init; }

    /// <summary>The model.</summary>
    public string? Model { get; init; }

    /// <summary>Milliseconds.</summary>
    public int? LatencyMs { get; init; }

    /// <summary>Milliseconds of audio.</summary>
    public int? AudioDurationMs { get; init; }

    /// <summary>Tokens.</summary>
    public int? InputTokens { get; init; }

    /// <inheritdoc cref="InputTokens"/>
    public int? OutputTokens { get; init; }

    /// <inheritdoc cref="InputTokens"/>
    public int? CachedTokens { get; init; }

    /// <summary>When.</summary>
    public DateTimeOffset At { get; init; }

    /// <summary>An object with more.</summary>
    public JsonElement Details { get; init; }
}

/// <summary>What something cost, at the price that held then.</summary>
public sealed record Charge
{
    /// <summary>Its id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The turn it is for; null for what belongs to no turn.</summary>
    public Guid? TurnId { get; init; }

    /// <summary>llm, asr, tts or session.</summary>
    public required string Stage { get; init; }

    /// <summary>What is counted, for example <c>llm.input.audio.cached</c>.</summary>
    public required string Meter { get; init; }

    /// <summary>Who charges.</summary>
    public required string Provider { get; init; }

    /// <summary>The model; null where the provider never named it.</summary>
    public string? Model { get; init; }

    /// <summary>How many units; of a revision, all that its series stands for.</summary>
    public decimal Quantity { get; init; }

    /// <summary>US dollars for <see cref="Per"/> units; null when there was no price.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public decimal? UnitPriceUsd { get; init; }

    /// <summary>How many units the price buys.</summary>
    public int Per { get; init; }

    /// <summary>quantity × unit price ÷ per, to the nano-dollar, less <see cref="BeforeUsd"/>; null when there was no price.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public decimal? AmountUsd { get; init; }

    /// <summary>When it was used.</summary>
    public DateTimeOffset ChargedAt { get; init; }

    /// <summary>The charge that this one revises, with a later reading or a corrected price; null for a charge of its own.</summary>
    public Guid? Corrects { get; init; }

    /// <summary>0, then counted up within the series; the highest holds.</summary>
    public int Revision { get; init; }

    /// <summary>What the series came to before this revision; null where it had no price.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public decimal? BeforeUsd { get; init; }
}

/// <summary>Everything about one conversation, read in one transaction.</summary>
/// <param name="Conversation">The conversation and its totals.</param>
/// <param name="Participants">In the order they joined.</param>
/// <param name="Turns">In sequence.</param>
/// <param name="FunctionCalls">In the order they began.</param>
/// <param name="UsageEvents">In time; empty for a participant who is not the owner.</param>
/// <param name="Charges">In time; empty for a participant who is not the owner.</param>
public sealed record ConversationRecord(
    Conversation Conversation,
    IReadOnlyList<Participant> Participants,
    IReadOnlyList<Turn> Turns,
    IReadOnlyList<FunctionCall> FunctionCalls,
    IReadOnlyList<UsageEvent> UsageEvents,
    IReadOnlyList<Charge> Charges);
