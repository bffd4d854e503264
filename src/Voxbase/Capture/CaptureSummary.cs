using System.Globalization;
using System.Text.Json.Serialization;

namespace Voxbase.Capture;

/// <summary>What a captured conversation comes to, flat: the answer of the HTTP API and of <c>voxbase replay --json</c>.</summary>
public sealed record CaptureSummary
{
    /// <summary>The conversation.</summary>
    public required Guid ConversationId { get; init; }

    /// <summary>The provider's session.</summary>
    public string? SessionId { get; init; }

    /// <summary>The file it was read from; left out where there is none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? File { get; init; }

    /// <summary>How far it is.</summary>
    public required ConversationStatus Status { get; init; }

    /// <summary>Why it ended.</summary>
    public string? EndReason { get; init; }

    /// <summary>The model that answered.</summary>
    public string? Model { get; init; }

    /// <summary>When it began.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Whole seconds from its beginning to its end; 0 for a log without a clock.</summary>
    public int? DurationSeconds { get; init; }

    /// <summary>Turns.</summary>
    public required int TurnCount { get; init; }

    /// <summary>Turns of the user.</summary>
    public required int UserTurns { get; init; }

    /// <summary>Turns of the assistant.</summary>
    public required int AssistantTurns { get; init; }

    /// <summary>Turns cut short by the other side.</summary>
    public required int InterruptedTurns { get; init; }

    /// <summary>Tools called.</summary>
    public required int FunctionCalls { get; init; }

    /// <summary>Responses of the model, cancelled ones included.</summary>
    public required int Responses { get; init; }

    /// <summary>Responses cancelled; what they had used is charged.</summary>
    public required int CancelledResponses { get; init; }

    /// <summary>Events kept of the conversation, unknown ones and those of earlier logs included.</summary>
    public required int Events { get; init; }

    /// <summary>Events that this log holds of it.</summary>
    public required int LogEvents { get; init; }

    /// <summary>Events of this log that were not kept before.</summary>
    public required int NewEvents { get; init; }

    /// <summary>Events of a type that this version doesn't know; kept, and read once it does.</summary>
    public required int UnknownEvents { get; init; }

    /// <summary>Events with a field that cannot be right; the rest of them was read.</summary>
    public required int AnomalousEvents { get; init; }

    /// <summary>Lines that could not be read.</summary>
    public required int MalformedLines { get; init; }

    /// <summary>The first hundred of them.</summary>
    public required IReadOnlyList<MalformedLine> Malformed { get; init; }

    /// <summary>Errors that the provider reported.</summary>
    public required int Errors { get; init; }

    /// <summary>Mean time from the end of speech to the first audio of the answer; null when the log has no clock.</summary>
    public int? AverageLatencyMs { get; init; }

    /// <summary>Tokens read.</summary>
    public required long InputTokens { get; init; }

    /// <summary>Tokens made.</summary>
    public required long OutputTokens { get; init; }

    /// <summary>The part of the tokens read that the provider had cached.</summary>
    public required long CachedTokens { get; init; }

    /// <summary>US dollars as decimal text, with at least six and at most nine decimals.</summary>
    public required string CostUsd { get; init; }

    /// <summary>Charges without a price; they are not in the cost.</summary>
    public required int Unpriced { get; init; }

    /// <summary>The summary of a result.</summary>
    public static CaptureSummary Of(CaptureResult result, string? file = null) => new()
    {
        File = file,
        ConversationId = result.Conversation.Id,
        SessionId = result.Conversation.SessionId,
        Status = result.Conversation.Status,
        EndReason = result.Conversation.EndReason,
        Model = result.Conversation.LlmModel,
        StartedAt = result.Conversation.StartedAt,
        DurationSeconds = result.Conversation.DurationSeconds,
        TurnCount = result.Conversation.TurnCount,
        UserTurns = result.Counters.UserTurns,
        AssistantTurns = result.Counters.AssistantTurns,
        InterruptedTurns = result.Counters.InterruptedTurns,
        FunctionCalls = result.Counters.FunctionCalls,
        Responses = result.Counters.Responses,
        CancelledResponses = result.Counters.CancelledResponses,
        Events = result.Counters.Events,
        LogEvents = result.LogEvents,
        NewEvents = result.NewEvents,
        UnknownEvents = result.Counters.Unknown,
        AnomalousEvents = result.Counters.Anomalous,
        MalformedLines = result.MalformedCount,
        Malformed = result.Malformed,
        Errors = result.Counters.Errors,
        AverageLatencyMs = result.Conversation.AverageLatencyMs,
        InputTokens = result.Conversation.InputTokens,
        OutputTokens = result.Conversation.OutputTokens,
        CachedTokens = result.Conversation.CachedTokens,
        CostUsd = result.Conversation.CostUsd.ToString("0.000000###", CultureInfo.InvariantCulture),
        Unpriced = result.Conversation.UnpricedCount,
    };
}
