using System.Buffers;
using System.Buffers.Text;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Voxbase;

/// <summary>
/// Signed tokens (JWT, RFC 7519): who bears one is the caller it names. HS256 is checked with the server's secret and nothing else,
/// RS256 and ES256 with the keys of an identity provider and nothing else; there is no other algorithm. See RFC 8725.
/// </summary>
public sealed class Tokens : IDisposable
{
    /// <summary>The shortest secret accepted: as long as the hash (RFC 7518, section 3.2).</summary>
    public const int MinSecretBytes = 32;

    /// <summary>The longest token looked at.</summary>
    public const int MaxLength = 8 * 1024;

    /// <summary>The longest time a token may be made for.</summary>
    public static readonly TimeSpan MaxLifetime = TimeSpan.FromDays(3653);

    private const string DefaultIssuer = "voxbase";

    private static readonly SearchValues<char> Base64UrlCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    // Of two properties of one name, one reader takes the first and another the last: such a token is refused.
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    private readonly TokensOptions options;
    private readonly TimeProvider time;
    private readonly byte[]? secret;
    private readonly JsonWebKeys? keys;
    private readonly RememberedCallers remembered;
    private readonly ApiKeys? apiKeys;

    /// <summary>Use <c>services.AddVoxbase(…)</c>.</summary>
    public Tokens(VoxbaseOptions options, TimeProvider time)
        : this(options.Tokens, time)
    {
    }

    internal Tokens(TokensOptions options, TimeProvider time)
    {
        (this.options, this.time) = (options, time);
        secret = options.Secret is null ? null : Encoding.UTF8.GetBytes(options.Secret);
        keys = options.Jwks is null ? null : new JsonWebKeys(options, time);
        remembered = new RememberedCallers(options.RememberedTokens);
        apiKeys = options.Secret is null ? null : new ApiKeys(options.Secret);
    }

    /// <summary>
    /// The caller that a token names. The same token gives the same instance for a while, and is not looked at again meanwhile.
    /// </summary>
    /// <exception cref="VoxbaseException">
    /// <c>token_missing</c>, <c>token_invalid</c>, <c>token_expired</c>, <c>token_not_yet_valid</c>, <c>token_claims_invalid</c>,
    /// <c>token_keys_unavailable</c>.
    /// </exception>
    public ValueTask<Caller> VerifyAsync(ReadOnlySpan<char> token, CancellationToken cancellationToken = default)
    {
        if (token.IsEmpty)
            throw TokenErrors.Missing.With("There is no token.");
        if (token.Length > MaxLength)
            throw TokenErrors.Invalid.With($"The token is longer than {MaxLength} characters.");
        if (token.StartsWith(ApiKeys.Prefix, StringComparison.Ordinal))
            return ValueTask.FromResult(apiKeys?.Find(token) ?? throw TokenErrors.Invalid.With("The key is not one of this server."));
        var hash = TokenHash.Of(token);
        return remembered.Find(hash, time.GetUtcNow()) is { } caller
            ? ValueTask.FromResult(caller)
            : VerifyAnewAsync(token.ToString(), hash, cancellationToken);
    }

    /// <inheritdoc cref="VerifyAsync(ReadOnlySpan{char}, CancellationToken)"/>
    public ValueTask<Caller> VerifyAsync(string? token, CancellationToken cancellationToken = default) =>
        VerifyAsync(token.AsSpan(), cancellationToken);

    /// <summary>
    /// A token signed with the server's secret (HS256). It carries <c>iss</c>, <c>aud</c> when one is asked, <c>iat</c>, <c>exp</c>,
    /// <c>role</c>, <c>sub</c> and <c>email</c>; <paramref name="extraClaims"/> come on top and may replace none of them.
    /// </summary>
    /// <param name="role"><see cref="Caller.AnonymousRole"/>, <see cref="Caller.UserRole"/> or <see cref="Caller.ServiceRole"/>.</param>
    /// <param name="userId">The user; needed for <see cref="Caller.UserRole"/>.</param>
    /// <param name="email">The user's address.</param>
    /// <param name="lifetime">One hour when null.</param>
    /// <param name="extraClaims">More claims.</param>
    /// <exception cref="VoxbaseException"><c>token_not_mintable</c>.</exception>
    public string Mint(
        string role, Guid? userId = null, string? email = null, TimeSpan? lifetime = null, JsonObject? extraClaims = null) =>
        Mint(options, role, userId, email, time.GetUtcNow(), lifetime ?? TimeSpan.FromHours(1), extraClaims);

    /// <inheritdoc/>
    public void Dispose() => keys?.Dispose();

    internal static string Mint(
        TokensOptions options, string role, Guid? userId, string? email, DateTimeOffset issuedAt, TimeSpan lifetime, JsonObject? extraClaims)
    {
        if (options.Secret is null || Encoding.UTF8.GetByteCount(options.Secret) < MinSecretBytes)
            throw TokenErrors.NotMintable.With("The server has no secret to sign with.");
        if (role is not (Caller.AnonymousRole or Caller.UserRole or Caller.ServiceRole))
            throw TokenErrors.NotMintable.With($"The role must be anon, authenticated or service_role (was '{role}').");
        if (role == Caller.UserRole && userId is null)
            throw TokenErrors.NotMintable.With("The role authenticated needs a user.");
        if (lifetime < TimeSpan.FromSeconds(1) || lifetime > MaxLifetime)
            throw TokenErrors.NotMintable.With($"The lifetime must be from 1 second to {MaxLifetime.TotalDays} days (was {lifetime}).");

        var claims = new JsonObject { ["iss"] = options.Issuer ?? DefaultIssuer };
        if (options.Audience is not null)
            claims["aud"] = options.Audience;
        claims["iat"] = issuedAt.ToUnixTimeSeconds();
        claims["exp"] = (issuedAt + lifetime).ToUnixTimeSeconds();
        claims["role"] = role;
        if (userId is { } user)
            claims["sub"] = user.ToString();
        if (email is not null)
            claims["email"] = email;
        foreach (var (name, value) in extraClaims ?? [])
        {
            if (!claims.TryAdd(name, value?.DeepClone()))
                throw TokenErrors.NotMintable.With($"The claim '{name}' is not free.");
        }

        var signed = $"{Encode("""{"alg":"HS256","typ":"JWT"}"""u8)}.{Encode(Encoding.UTF8.GetBytes(claims.ToJsonString()))}";
        var token = $"{signed}.{Encode(HMACSHA256.HashData(Encoding.UTF8.GetBytes(options.Secret), Encoding.ASCII.GetBytes(signed)))}";
        return token.Length <= MaxLength
            ? token
            : throw TokenErrors.NotMintable.With($"The token would be longer than {MaxLength} characters.");
    }

    private async ValueTask<Caller> VerifyAnewAsync(string token, TokenHash hash, CancellationToken cancellationToken)
    {
        var parts = token.Split('.');
        if (parts.Length != 3)
            throw TokenErrors.Invalid.With($"A token has three parts between two dots (was {parts.Length}).");
        var header = ReadHeader(Decode(parts[0], "header"));
        var payload = Decode(parts[1], "payload");
        var signature = Decode(parts[2], "signature");
        var signed = Encoding.ASCII.GetBytes(token, 0, parts[0].Length + 1 + parts[1].Length);
        if (!await HoldsAsync(header, signed, signature, cancellationToken))
            throw TokenErrors.Invalid.With("The token's signature does not hold.");

        using var document = Parse(payload, "payload");
        var claims = document.RootElement;
        var expiry = CheckTimes(claims);
        CheckOrigin(claims);
        // FromClaims copies the text of the claims, so the document may go.
        var caller = Caller.FromClaims(claims);
        var now = time.GetUtcNow();
        var until = now + options.RememberFor;
        return remembered.Add(hash, caller, until < expiry + options.Leeway ? until : expiry + options.Leeway, now);
    }

    // The algorithm a token names only chooses between two kinds of keys that have nothing in common: a public key is never taken
    // for a secret, and "none" is no kind.
    private async ValueTask<bool> HoldsAsync(Header header, byte[] signed, byte[] signature, CancellationToken cancellationToken)
    {
        switch (header.Algorithm)
        {
            case "HS256" when secret is not null:
                Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
                HMACSHA256.HashData(secret, signed, expected);
                return CryptographicOperations.FixedTimeEquals(expected, signature);
            case "RS256" or "ES256" when keys is not null:
                return await keys.FindAsync(header.KeyId, header.Algorithm, cancellationToken) is { } key
                    ? key.Holds(signed, signature)
                    : throw TokenErrors.Invalid.With("The token is signed with a key that the identity provider does not list.");
            default:
                throw TokenErrors.Invalid.With("The token's algorithm is not accepted here.", $"accepted: {Accepted}");
        }
    }

    private string Accepted => (secret, keys) switch
    {
        (null, null) => "none; the server has neither a secret nor keys",
        (_, null) => "HS256",
        (null, _) => "RS256, ES256",
        _ => "HS256, RS256, ES256",
    };

    private DateTimeOffset CheckTimes(JsonElement claims)
    {
        var now = time.GetUtcNow();
        var expiry = Moment(claims, "exp") ?? throw TokenErrors.Invalid.With("The token has no expiry (exp).");
        if (expiry + options.Leeway <= now)
            throw TokenErrors.Expired.With($"The token ended at {expiry:u}.");
        if (Moment(claims, "nbf") is { } begin && begin - options.Leeway > now)
            throw TokenErrors.NotYetValid.With($"The token begins at {begin:u}.");
        if (Moment(claims, "iat") is { } issued && issued - options.Leeway > now)
            throw TokenErrors.NotYetValid.With($"The token was issued in the future, at {issued:u}.");
        return expiry;
    }

    private void CheckOrigin(JsonElement claims)
    {
        if (options.Issuer is { } issuer
            && !(claims.TryGetProperty("iss", out var iss) && iss.ValueKind == JsonValueKind.String && iss.ValueEquals(issuer)))
        {
            throw TokenErrors.Invalid.With("The token is not of the issuer that is asked (iss).");
        }

        if (options.Audience is { } audience && !(claims.TryGetProperty("aud", out var aud) && IsFor(aud, audience)))
            throw TokenErrors.Invalid.With("The token is not for the audience that is asked (aud).");

        static bool IsFor(JsonElement aud, string audience) => aud.ValueKind switch
        {
            JsonValueKind.String => aud.ValueEquals(audience),
            JsonValueKind.Array => aud.EnumerateArray().Any(a => a.ValueKind == JsonValueKind.String && a.ValueEquals(audience)),
            _ => false,
        };
    }

    // RFC 7519: seconds since 1970, and fractions are allowed. Bounded well inside DateTimeOffset, so that leeway can be added.
    private static DateTimeOffset? Moment(JsonElement claims, string name)
    {
        if (!claims.TryGetProperty(name, out var value))
            return null;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var seconds) && seconds is >= 0 and <= 253_000_000_000
            ? DateTimeOffset.UnixEpoch.AddSeconds(seconds)
            : throw TokenErrors.Invalid.With($"The token's {name} is not a time in seconds since 1970.");
    }

    private static Header ReadHeader(byte[] json)
    {
        using var document = Parse(json, "header");
        var header = document.RootElement;
        if (header.TryGetProperty("crit", out _))
            throw TokenErrors.Invalid.With("The token's header demands extensions (crit) that are not known here.");
        // A token made for another purpose (a logout, a DPoP proof) says so in its type.
        if (Text(header, "typ") is { } type && !IsAccessToken(type))
            throw TokenErrors.Invalid.With("The token's type (typ) is neither JWT nor at+jwt.");
        return new Header(
            Text(header, "alg") ?? throw TokenErrors.Invalid.With("The token's header names no algorithm (alg)."),
            Text(header, "kid"));

        static bool IsAccessToken(string type) =>
            type.Equals("JWT", StringComparison.OrdinalIgnoreCase)
            || type.Equals("at+jwt", StringComparison.OrdinalIgnoreCase)
            || type.Equals("application/at+jwt", StringComparison.OrdinalIgnoreCase);

        static string? Text(JsonElement header, string name) =>
            !header.TryGetProperty(name, out var value) ? null
            : value.ValueKind == JsonValueKind.String ? value.GetString()
            : throw TokenErrors.Invalid.With($"The token's {name} is not a text.");
    }

    private static JsonDocument Parse(byte[] json, string part)
    {
        try
        {
            var document = JsonDocument.Parse(json, Strict);
            if (document.RootElement.ValueKind == JsonValueKind.Object && IsStorable(document.RootElement))
                return document;
            document.Dispose();
        }
        catch (JsonException)
        {
            // Answered below, without the text.
        }

        throw TokenErrors.Invalid.With($"The token's {part} is not a JSON object.");
    }

    // The claims go into the database as jsonb, which takes neither U+0000 nor half a surrogate pair nor any number of digits.
    private static bool IsStorable(JsonElement value)
    {
        try
        {
            return value.ValueKind switch
            {
                JsonValueKind.Object => value.EnumerateObject().All(p => IsText(p.Name) && IsStorable(p.Value)),
                JsonValueKind.Array => value.EnumerateArray().All(IsStorable),
                JsonValueKind.String => IsText(value.GetString()!),
                JsonValueKind.Number => double.IsFinite(value.GetDouble()),
                _ => true,
            };
        }
        catch (InvalidOperationException)
        {
            return false;
        }

        static bool IsText(string text) => !text.Contains('\0', StringComparison.Ordinal);
    }

    // Strict: no padding, no white space, no left-over bits. One token, one spelling.
    private static byte[] Decode(string part, string name)
    {
        if (part.Length > 0 && !part.AsSpan().ContainsAnyExcept(Base64UrlCharacters) && part.Length % 4 != 1)
        {
            var bytes = Base64Url.DecodeFromChars(part);
            if (Base64Url.EncodeToString(bytes) == part)
                return bytes;
        }

        throw TokenErrors.Invalid.With($"The token's {name} is not base64url.");
    }

    private static string Encode(ReadOnlySpan<byte> bytes) => Base64Url.EncodeToString(bytes);

    private readonly record struct Header(string Algorithm, string? KeyId);

    /// <summary>SHA-256 of a token: remembering tokens must not mean keeping them.</summary>
    private readonly record struct TokenHash(ulong A, ulong B, ulong C, ulong D)
    {
        public static TokenHash Of(ReadOnlySpan<char> token)
        {
            // Anything but ASCII becomes '?', which no token has: such a text is remembered by nobody.
            Span<byte> bytes = stackalloc byte[512];
            var rented = token.Length > bytes.Length ? ArrayPool<byte>.Shared.Rent(token.Length) : null;
            bytes = rented ?? bytes;
            var length = Encoding.ASCII.GetBytes(token, bytes);
            Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
            SHA256.HashData(bytes[..length], hash);
            if (rented is not null)
                ArrayPool<byte>.Shared.Return(rented, clearArray: true);
            var words = MemoryMarshal.Cast<byte, ulong>(hash);
            return new TokenHash(words[0], words[1], words[2], words[3]);
        }

        public override int GetHashCode() => (int)A;
    }

    /// <summary>
    /// Callers by their token's hash, in two generations: when the young one is full it becomes the old one, and what nobody asked
    /// for since goes with the old one before it. Bounded, without a clock or a list to keep in order.
    /// </summary>
    private sealed class RememberedCallers(int capacity)
    {
        private readonly Lock gate = new();
        private Dictionary<TokenHash, Entry> young = [];
        private Dictionary<TokenHash, Entry> old = [];

        public Caller? Find(TokenHash hash, DateTimeOffset now)
        {
            lock (gate)
                return Look(hash, now);
        }

        /// <summary>Remembers a caller; of two at once the first, so that equal tokens are one instance.</summary>
        public Caller Add(TokenHash hash, Caller caller, DateTimeOffset until, DateTimeOffset now)
        {
            if (until <= now)
                return caller;
            lock (gate)
            {
                if (Look(hash, now) is { } first)
                    return first;
                Keep(hash, new Entry(caller, until));
                return caller;
            }
        }

        private Caller? Look(TokenHash hash, DateTimeOffset now)
        {
            if (young.TryGetValue(hash, out var entry))
                return entry.Until > now ? entry.Caller : null;
            if (!old.TryGetValue(hash, out entry) || entry.Until <= now)
                return null;
            Keep(hash, entry);
            return entry.Caller;
        }

        private void Keep(TokenHash hash, Entry entry)
        {
            if (young.Count >= capacity / 2)
                (old, young) = (young, []);
            young[hash] = entry;
        }

        private readonly record struct Entry(Caller Caller, DateTimeOffset Until);
    }
}
