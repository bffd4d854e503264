namespace Voxbase;

/// <summary>Errors about conversations.</summary>
public static class ConversationErrors
{
    /// <summary>No such conversation for this caller.</summary>
    public static ErrorCode NotFound { get; } = new(
        "conversation_not_found", ErrorKind.NotFound,
        "There is no such conversation, or the caller may not see or change it.",
        "Check the id and whose token it is; `voxbase list` shows the conversations there are.");

    /// <summary>The session id belongs to somebody else's conversation.</summary>
    public static ErrorCode SessionTaken { get; } = new(
        "session_taken", ErrorKind.Conflict,
        "A conversation with this session_id exists and belongs to somebody else.",
        "Session ids are unique across users: use the provider's own, or prefix yours.");

    /// <summary>No such function call.</summary>
    public static ErrorCode FunctionCallNotFound { get; } = new(
        "function_call_not_found", ErrorKind.NotFound,
        "The conversation has no function call with this call_id.",
        "Begin the call before finishing it.");

    /// <summary>No such participant, or it has left.</summary>
    public static ErrorCode ParticipantNotFound { get; } = new(
        "participant_not_found", ErrorKind.NotFound,
        "The conversation has no such participant.",
        "Join first; a participant is named by its id or by the identity it joined with.");

    /// <summary>Values out of their range.</summary>
    public static ErrorCode InputInvalid { get; } = new(
        "input_invalid", ErrorKind.Invalid,
        "A field is missing, of the wrong form or out of its range.",
        "The message names the field and what it accepts.");
}
