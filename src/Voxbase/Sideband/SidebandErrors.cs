namespace Voxbase.Sideband;

/// <summary>Errors about calls that run at the provider.</summary>
public static class SidebandErrors
{
    /// <summary>A webhook that its sender has not proved to have sent.</summary>
    public static ErrorCode WebhookRefused { get; } = new(
        "webhook_refused", ErrorKind.Unauthenticated,
        "A webhook has no signature, an old one, or none that fits its body.",
        "Set OpenAi.WebhookSecret to the secret of this endpoint (whsec_…), pass the body on unchanged, and keep the clock right.");

    /// <summary>A webhook whose signature holds and whose body does not.</summary>
    public static ErrorCode WebhookInvalid { get; } = new(
        "webhook_invalid", ErrorKind.Invalid,
        "The body of a signed webhook is not an event.",
        "It is a JSON object with type and, for an incoming call, data with call_id or session_id.");

    /// <summary>No secret, no webhooks.</summary>
    public static ErrorCode WebhookUnavailable { get; } = new(
        "webhook_unavailable", ErrorKind.Unavailable,
        "Webhooks of OpenAI cannot be believed, because their secret is not configured.",
        "Set OpenAi.WebhookSecret to the secret of the endpoint (whsec_…).");

    /// <summary>The provider does not have the call.</summary>
    public static ErrorCode CallNotFound { get; } = new(
        "call_not_found", ErrorKind.NotFound,
        "OpenAI has no such call: it is over, or belongs to another project.",
        "Attach while the call runs, with the id of its Location header or webhook and a key of the same project.");

    /// <summary>An id that cannot be a call's.</summary>
    public static ErrorCode CallIdInvalid { get; } = new(
        "call_id_invalid", ErrorKind.Invalid,
        "A call id is neither that of a Realtime call nor that of a Live session.",
        "Ids of Realtime calls begin with rtc_, those of Live sessions with live_.");

    /// <summary>The conversation of a call has ended.</summary>
    public static ErrorCode ConversationOver { get; } = new(
        "conversation_over", ErrorKind.Conflict,
        "A call cannot be attached to a conversation that has ended.",
        "Attach without conversation_id to record the call as a conversation of its own.");

    /// <summary>Two cannot record one call.</summary>
    public static ErrorCode AttachedElsewhere { get; } = new(
        "call_attached_elsewhere", ErrorKind.Conflict,
        "Another server records this call.",
        "Nothing needs to be done: the call is recorded once, by whoever attached first.");
}
