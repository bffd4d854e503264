using System.Buffers.Text;
using System.Globalization;
using System.Text.Json;

namespace Voxbase.AspNetCore;

/// <summary>A token that holds: whom it names, until when.</summary>
internal sealed record ChannelSession(string Token, Caller Caller, DateTimeOffset ExpiresAt);

/// <summary>Why one does not, in the protocol's words.</summary>
internal sealed record Refusal(string Code, string Message)
{
    public override string ToString() => $"{Code}: {Message}";
}

/// <summary>
/// Tokens as the Realtime protocol speaks of them. A socket outlives its tokens, so here one ends at its second, without the leeway that a request has.
/// </summary>
internal sealed class ChannelTokens(Tokens tokens, TimeProvider time)
{
    /// <summary>Keys that are no tokens begin so: they open a socket, and a client that has nothing better sends them where a token belongs.</summary>
    public static bool IsKey(string token) => token.StartsWith("sb_", StringComparison.Ordinal);

    public async ValueTask<(ChannelSession? Session, Refusal? Refusal)> VerifyAsync(string? token, CancellationToken cancellationToken)
    {
        var claims = ClaimsOf(token);
        try
        {
            var caller = await tokens.VerifyAsync(token, cancellationToken);
            // A key holds as long as the server's secret.
            var expiresAt = IsKey(token!) ? DateTimeOffset.MaxValue : Expiry(claims);
            return expiresAt > time.GetUtcNow() ? (new ChannelSession(token!, caller, expiresAt), null) : (null, Expired(expiresAt));
        }
        catch (VoxbaseException e)
        {
            return (null, RefusalOf(e, claims));
        }
    }

    /// <summary>The refusal of a session that was good until now.</summary>
    public Refusal Expired(DateTimeOffset at)
    {
        var seconds = Math.Max(0, (long)(time.GetUtcNow() - at).TotalSeconds);
        return new("InvalidJWTToken", string.Create(CultureInfo.InvariantCulture, $"Token has expired {seconds} seconds ago"));
    }

    private Refusal RefusalOf(VoxbaseException e, JsonElement claims)
    {
        if (e.Error == TokenErrors.Expired)
            return Expired(Expiry(claims));
        if (e.Error == TokenErrors.NotYetValid)
            return new("InvalidJWTToken", e.Message);
        if (e.Error == TokenErrors.KeysUnavailable)
            return new("JwtSignerError", "Failed to generate JWT signer, check your JWT secret or JWKS configuration");
        if (claims.ValueKind != JsonValueKind.Object)
            return new("MalformedJWT", "The token provided is not a valid JWT");
        if (JoinRequest.TextOf(JoinRequest.Part(claims, "role")) is null || JoinRequest.Part(claims, "exp").ValueKind != JsonValueKind.Number)
            return new("InvalidJWTToken", "Fields `role` and `exp` are required in JWT");
        return e.Error == IdentityErrors.ClaimsInvalid ? new("InvalidJWTToken", e.Message) : new("JwtSignatureError", "Failed to validate JWT signature");
    }

    // Of a token that holds it is there; of another it only says how it is refused.
    private static DateTimeOffset Expiry(JsonElement claims) =>
        JoinRequest.Part(claims, "exp") is { ValueKind: JsonValueKind.Number } exp && exp.TryGetDouble(out var seconds) && seconds is >= 0 and <= 253_000_000_000
            ? DateTimeOffset.UnixEpoch.AddSeconds(seconds)
            : DateTimeOffset.UnixEpoch;

    private static JsonElement ClaimsOf(string? token)
    {
        if (token is null || token.Length > Tokens.MaxLength || token.Split('.') is not [_, var payload, _])
            return default;
        try
        {
            return JsonElement.Parse(Base64Url.DecodeFromChars(payload));
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            return default;
        }
    }
}
