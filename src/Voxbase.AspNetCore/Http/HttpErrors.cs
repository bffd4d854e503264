namespace Voxbase.AspNetCore;

/// <summary>Errors that only a request over HTTP can meet.</summary>
public static class HttpErrors
{
    /// <summary>Nothing is at this path.</summary>
    public static ErrorCode PathNotFound { get; } = new(
        "path_not_found", ErrorKind.NotFound,
        "Nothing is at the path asked for.",
        "GET /openapi.json lists every path.");

    /// <summary>The path exists, the method doesn't. Answered with 405 and Allow.</summary>
    public static ErrorCode MethodNotAllowed { get; } = new(
        "method_not_allowed", ErrorKind.Invalid,
        "The path exists, but not with this method.",
        "The header Allow names the methods there are.");

    /// <summary>The body is not what the endpoint reads. Answered with 415.</summary>
    public static ErrorCode ContentTypeUnsupported { get; } = new(
        "content_type_unsupported", ErrorKind.Invalid,
        "The body's content type, character set or encoding is not one that the endpoint reads.",
        "Send `Content-Type: application/json` in UTF-8, not compressed.");

    /// <summary>The body is too long.</summary>
    public static ErrorCode BodyTooLarge { get; } = new(
        "body_too_large", ErrorKind.TooLarge,
        "The body is longer than the server accepts.",
        "Send it in parts: turns may be appended in as many requests as you like.");

    /// <summary>The body is not JSON, or not well-formed.</summary>
    public static ErrorCode BodyInvalid { get; } = new(
        "body_invalid", ErrorKind.Invalid,
        "The body is missing, not JSON, not UTF-8, nested deeper than 64, or has one field twice.",
        "The message says where. Comments, trailing commas and NaN are not JSON.");

    /// <summary>A field nobody knows.</summary>
    public static ErrorCode FieldUnknown { get; } = new(
        "field_unknown", ErrorKind.Invalid,
        "The body has a field that the endpoint doesn't know.",
        "Check the spelling against /openapi.json; what is your own belongs into metadata.");

    /// <summary>An id that is none.</summary>
    public static ErrorCode IdInvalid { get; } = new(
        "id_invalid", ErrorKind.Invalid,
        "An id in the path is not a UUID.",
        "Ids look like 01890a5d-ac96-774b-bcce-b302099a8057.");

    /// <summary>A query parameter that is none, or has a value that is none.</summary>
    public static ErrorCode QueryInvalid { get; } = new(
        "query_invalid", ErrorKind.Invalid,
        "A query parameter is unknown, given twice or of the wrong form.",
        "The message names the parameter and what is accepted.");

    /// <summary>The request is not HTTP as it should be.</summary>
    public static ErrorCode RequestInvalid { get; } = new(
        "request_invalid", ErrorKind.Invalid,
        "The request breaks off, is too slow or is not well-formed HTTP.",
        "Send it again, whole.");

    /// <summary>A WebSocket is asked for over plain HTTP.</summary>
    public static ErrorCode UpgradeRequired { get; } = new(
        "upgrade_required", ErrorKind.Invalid,
        "The path is a WebSocket, and the request does not ask for one.",
        "Connect with a WebSocket client to ws:// or wss://; a proxy in between must pass Upgrade and Connection on.");

    /// <summary>The anonymous key, where a user is needed.</summary>
    public static ErrorCode SignInRequired { get; } = new(
        "sign_in_required", ErrorKind.Unauthenticated,
        "The anon key sees nothing: a user's token is needed.",
        "Sign in and send the user's token as `Authorization: Bearer <token>`; the anon key may stay in `apikey`.");

    /// <summary>A fault of the server.</summary>
    public static ErrorCode Internal { get; } = new(
        "internal_error", ErrorKind.Internal,
        "A fault of Voxbase itself.",
        "Report it with the trace id in details: the server's log has an entry with the same one.");
}
