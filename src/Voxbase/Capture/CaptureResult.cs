namespace Voxbase.Capture;

/// <summary>How a log is to be captured.</summary>
public sealed record CaptureSettings
{
    /// <summary>Whose conversation it becomes. A user captures for itself; the service may name anyone, or nobody.</summary>
    public Guid? UserId { get; init; }

    /// <summary>
    /// The conversation's session id. Null takes the one in the log; a later piece of a log that names no session needs it when it
    /// doesn't name the provider's conversation either.
    /// </summary>
    public string? SessionId { get; init; }

    /// <summary>When the log began, for one without a clock of its own. Null means now. Prices of that time apply.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>Whether the end of the log is the end of the conversation. Default true.</summary>
    public bool EndWhenRead { get; init; } = true;
}

/// <summary>What capturing a log came to.</summary>
public sealed record CaptureResult
{
    /// <summary>The conversation, with its totals as they are now.</summary>
    public required Conversation Conversation { get; init; }

    /// <summary>What the reader counted, over everything kept of the conversation.</summary>
    public required CaptureCounters Counters { get; init; }

    /// <summary>How many events this log holds of it.</summary>
    public required int LogEvents { get; init; }

    /// <summary>How many of them were new.</summary>
    public required int NewEvents { get; init; }

    /// <summary>How many lines could not be read.</summary>
    public required int MalformedCount { get; init; }

    /// <summary>The first hundred of them, by number.</summary>
    public required IReadOnlyList<MalformedLine> Malformed { get; init; }
}
