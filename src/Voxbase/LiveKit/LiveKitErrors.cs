namespace Voxbase.LiveKit;

/// <summary>Errors about LiveKit. No message holds a token, a secret or what was said.</summary>
public static class LiveKitErrors
{
    /// <summary>No key, secret or address.</summary>
    public static ErrorCode NotConfigured { get; } = new(
        "livekit_not_configured", ErrorKind.Unavailable,
        "LiveKit's address, key or secret is not set.",
        "Set LiveKit.Url, LiveKit.ApiKey and LiveKit.ApiSecret; `voxbase config` shows what is in force.");

    /// <summary>No answer.</summary>
    public static ErrorCode Unavailable { get; } = new(
        "livekit_unavailable", ErrorKind.Unavailable,
        "LiveKit cannot be reached, is too slow, or answers that it is not available.",
        "Try again. If it persists, check LiveKit.Url and that server's health.");

    /// <summary>An answer that says no.</summary>
    public static ErrorCode Refused { get; } = new(
        "livekit_refused", ErrorKind.Conflict,
        "LiveKit answered that it will not do this.",
        "details has LiveKit's code: permission_denied or unauthenticated mean a wrong key or secret, resource_exhausted a limit.");

    /// <summary>No such room, participant or egress.</summary>
    public static ErrorCode RoomNotFound { get; } = new(
        "livekit_not_found", ErrorKind.NotFound,
        "LiveKit has no such room, participant or egress; a room goes away when everybody has left.",
        "Check the name; the lists show what there is.");

    /// <summary>The conversation is none of LiveKit's.</summary>
    public static ErrorCode NotACall { get; } = new(
        "livekit_no_room", ErrorKind.Conflict,
        "The conversation has no LiveKit room.",
        "Start it with POST /v1/livekit/calls, or name its room in room_name.");

    /// <summary>It is over.</summary>
    public static ErrorCode CallOver { get; } = new(
        "livekit_call_over", ErrorKind.Conflict,
        "The call is over: nobody can join it, and nothing can be recorded.",
        "Start another call.");

    /// <summary>More than the caller may give.</summary>
    public static ErrorCode GrantRefused { get; } = new(
        "livekit_grant_refused", ErrorKind.Forbidden,
        "The caller may not have a token for that identity or with that grant.",
        "A user joins as itself and may only narrow what it can do there; other identities and grants are for admins and the service.");

    /// <summary>A token that cannot be made.</summary>
    public static ErrorCode TokenNotMintable { get; } = new(
        "livekit_token_not_mintable", ErrorKind.Invalid,
        "A LiveKit token with this identity, lifetime, grant or room configuration cannot be made.",
        "The message names the field and what it accepts.");

    /// <summary>A token of LiveKit's that does not hold.</summary>
    public static ErrorCode TokenInvalid { get; } = new(
        "livekit_token_invalid", ErrorKind.Unauthenticated,
        "The LiveKit token is missing, malformed, expired, signed with another secret, of another key, or lacks the grant.",
        "Sign with this server's LiveKit key and secret; agents take them from LIVEKIT_API_KEY and LIVEKIT_API_SECRET.");

    /// <summary>A webhook that LiveKit did not sign.</summary>
    public static ErrorCode WebhookUnsigned { get; } = new(
        "livekit_webhook_unsigned", ErrorKind.Unauthenticated,
        "The webhook's signature is missing, has expired, or is not of this key, secret and body.",
        "In LiveKit's configuration the webhook's api_key must be LiveKit.ApiKey, and nothing between may change the body.");

    /// <summary>A signed body that is no event.</summary>
    public static ErrorCode WebhookInvalid { get; } = new(
        "livekit_webhook_invalid", ErrorKind.Invalid,
        "The webhook's body is signed, but is no LiveKit event.",
        "Send what LiveKit sends: a JSON object with `event` and, where they apply, room, participant, track, egressInfo, ingressInfo, job.");

    /// <summary>An upload that cannot be read.</summary>
    public static ErrorCode UploadInvalid { get; } = new(
        "livekit_upload_invalid", ErrorKind.Invalid,
        "The upload is not OTLP, not the multipart form of a recording, or not compressed as it says.",
        "Point LIVEKIT_OBSERVABILITY_URL here and let the agent send it; protobuf and JSON are read, gzip or plain.");

    /// <summary>A report that is none.</summary>
    public static ErrorCode ReportInvalid { get; } = new(
        "livekit_report_invalid", ErrorKind.Invalid,
        "The session report is not one: it lacks its room or its chat history.",
        "Send what sessionReportToJSON (JavaScript) or SessionReport.to_dict (Python) gives, as it is.");

    /// <summary>Too many uploads at once.</summary>
    public static ErrorCode UploadsBusy { get; } = new(
        "livekit_uploads_busy", ErrorKind.Unavailable,
        "More uploads came at once than are taken in.",
        "Send it again after the time that the answer names; agents do by themselves. LiveKit.MaxUploads sets how many.");
}
