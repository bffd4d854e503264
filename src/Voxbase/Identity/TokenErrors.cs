namespace Voxbase;

/// <summary>Errors about tokens and the keys behind them. No message holds a token, a secret or a claim of a person.</summary>
public static class TokenErrors
{
    /// <summary>No credential.</summary>
    public static ErrorCode Missing { get; } = new(
        "token_missing", ErrorKind.Unauthenticated,
        "The request has no token.",
        "Send `Authorization: Bearer <token>` or `apikey: <token>`; `voxbase keys` prints keys and `voxbase token` makes a user's.");

    /// <summary>A token that is not one, or whose signature does not hold.</summary>
    public static ErrorCode Invalid { get; } = new(
        "token_invalid", ErrorKind.Unauthenticated,
        "The token is malformed, signed with a key or an algorithm that is not accepted, or meant for somebody else.",
        "Send a token of this server (`voxbase token`) or of the identity provider whose keys it was given, unchanged.");

    /// <summary>Its time is over.</summary>
    public static ErrorCode Expired { get; } = new(
        "token_expired", ErrorKind.Unauthenticated,
        "The token's time (exp) is over.",
        "Get a new token. If it is new, compare the clocks of issuer and server.");

    /// <summary>Its time has not come.</summary>
    public static ErrorCode NotYetValid { get; } = new(
        "token_not_yet_valid", ErrorKind.Unauthenticated,
        "The token's time (nbf) has not come, or it was issued (iat) in the future.",
        "Wait, or compare the clocks of issuer and server.");

    /// <summary>The identity provider's keys cannot be read.</summary>
    public static ErrorCode KeysUnavailable { get; } = new(
        "token_keys_unavailable", ErrorKind.Unavailable,
        "The identity provider's keys (JWKS) cannot be read, and none were read before.",
        "Check Tokens.Jwks: the file must exist, or the address answer with a JSON object that has 'keys'. Then try again.");

    /// <summary>A token that cannot be made.</summary>
    public static ErrorCode NotMintable { get; } = new(
        "token_not_mintable", ErrorKind.Invalid,
        "A token with this role, user, lifetime or claim cannot be made, or the server has no secret to sign it with.",
        "Roles are anon, authenticated and service_role; authenticated needs a user; the lifetime is from 1 second to 10 years.");

    /// <summary>The secret of the server's tokens is too short.</summary>
    public static ErrorCode SecretTooShort { get; } = new(
        "jwt_secret_too_short", ErrorKind.Invalid,
        "The secret in VOXBASE_JWT_SECRET has fewer than 32 bytes.",
        "Use at least 32 random bytes, for example the output of `openssl rand -base64 48`.");

    /// <summary>The file with the server's secret cannot be used.</summary>
    public static ErrorCode KeysFileUnusable { get; } = new(
        "keys_file_unusable", ErrorKind.Internal,
        "The file keys.json in the home cannot be read, written or understood.",
        "Restore it, or delete it for a new secret: every token and key made with the old one then ends. VOXBASE_JWT_SECRET goes before it.");
}
