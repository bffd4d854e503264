namespace Voxbase.Capture;

/// <summary>
/// Reads the events of one provider's session and says what conversation they make. A fold: what it holds depends on the sequence of
/// events and nothing else (no clock, no I/O, no randomness), so a stored log read again gives equal records. Nothing in an event makes
/// it throw: unknown types are counted, and a field that cannot be right is treated as absent and its event counted as anomalous.
/// Events must come without repetitions (<see cref="EventKeys"/>). Not thread-safe.
/// </summary>
public interface IProviderReader
{
    /// <summary>The session as it is now.</summary>
    CapturedSession Session { get; }

    /// <summary>The provider's session id, or null before the session is known.</summary>
    string? SessionId { get; }

    /// <summary>Why the session ended: the provider's reason, <c>closed</c>, or <c>expired</c>. Null while nothing says that it did.</summary>
    string? EndReason { get; }

    /// <summary>Whether the provider said that the session is over. Most sessions end without a word: a closed socket is no event.</summary>
    bool IsEnded { get; }

    /// <summary>Reads the next event and says what it changed.</summary>
    /// <param name="ordinal">The event's place among those stored, rising: it names what has no id of its own.</param>
    /// <param name="e">The event.</param>
    Changes Read(int ordinal, LoggedEvent e);

    /// <summary>Everything read so far. The records are values: they do not change when more events are read.</summary>
    /// <param name="malformedLines">How many lines of the log could not be read; the reader never sees them.</param>
    CapturedConversation Snapshot(int malformedLines = 0);

    /// <summary>A turn as it is now, or null.</summary>
    CapturedTurn? Turn(string itemId);

    /// <summary>A response as it is now, or null.</summary>
    CapturedResponse? ResponseRecord(string responseId);

    /// <summary>A function call as it is now, or null.</summary>
    CapturedFunctionCall? FunctionCall(string callId);

    /// <summary>A usage event as it is now, or null.</summary>
    CapturedUsage? UsageEvent(string key);

    /// <summary>A quantity, or null.</summary>
    CapturedQuantity? Quantity(string key);
}
