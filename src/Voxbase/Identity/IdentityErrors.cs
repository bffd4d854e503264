namespace Voxbase;

/// <summary>Errors about who is asking.</summary>
public static class IdentityErrors
{
    /// <summary>A verified token whose claims do not name a caller.</summary>
    public static ErrorCode ClaimsInvalid { get; } = new(
        "token_claims_invalid", ErrorKind.Unauthenticated,
        "A token's signature holds, but its claims do not name a caller.",
        "A token needs a role (anon, authenticated or service_role) and, for authenticated, a sub that is a UUID. `voxbase token` makes one.");

    /// <summary>The user named does not exist.</summary>
    public static ErrorCode UserNotFound { get; } = new(
        "user_not_found", ErrorKind.NotFound,
        "The user named does not exist.",
        "Create the user first, or leave user_id out to own the row yourself.");

    /// <summary>An address that cannot be one.</summary>
    public static ErrorCode EmailInvalid { get; } = new(
        "email_invalid", ErrorKind.Invalid,
        "An e-mail address without exactly one @, with a space in it, or of more than 320 characters.",
        "Give an address like ada@example.org.");
}
