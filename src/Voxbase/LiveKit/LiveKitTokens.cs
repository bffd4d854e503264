using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Voxbase.LiveKit;

/// <summary>
/// LiveKit's access tokens (JWT, HS256, the API secret as key): made for clients, servers and ourselves, and checked where LiveKit and
/// its agents come to us. They have nothing in common with <see cref="Tokens"/>: neither is ever taken for the other.
/// </summary>
public sealed class LiveKitTokens(VoxbaseOptions options, TimeProvider time)
{
    /// <summary>The longest token looked at.</summary>
    public const int MaxLength = 16 * 1024;

    private const int MaxNameLength = 512;
    private const int MaxMetadataLength = 16 * 1024;
    private const int MaxAttributes = 64;

    private static readonly string[] Kinds = ["standard", "ingress", "egress", "sip", "agent", "connector", "bridge"];

    private static readonly string[] Sources = ["camera", "microphone", "screen_share", "screen_share_audio"];

    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 32 };

    private readonly LiveKitOptions options = options.LiveKit;

    /// <summary>A token signed with the API secret.</summary>
    /// <exception cref="VoxbaseException"><c>livekit_not_configured</c>, <c>livekit_token_not_mintable</c>.</exception>
    public string Mint(NewLiveKitToken token) => Mint(token, out _);

    /// <inheritdoc cref="Mint(NewLiveKitToken)"/>
    public string Mint(NewLiveKitToken token, out DateTimeOffset expiresAt)
    {
        var (key, secret) = Credentials();
        Check(token);
        var now = time.GetUtcNow();
        var lifetime = token.Lifetime ?? options.TokenLifetime;
        expiresAt = DateTimeOffset.FromUnixTimeSeconds((now + lifetime).ToUnixTimeSeconds());
        var claims = new JsonObject
        {
            ["iss"] = key,
            ["nbf"] = now.ToUnixTimeSeconds(),
            ["iat"] = now.ToUnixTimeSeconds(),
            ["exp"] = expiresAt.ToUnixTimeSeconds(),
        };
        Add("sub", token.Identity);
        Add("name", token.Name);
        Add("kind", token.Kind);
        if (token.KindDetails is { Count: > 0 } details)
            claims["kindDetails"] = new JsonArray([.. details.Select(detail => (JsonNode)detail)]);
        Add("metadata", token.Metadata);
        if (token.Attributes is { Count: > 0 } attributes)
            claims["attributes"] = new JsonObject(attributes.Select(a => KeyValuePair.Create(a.Key, (JsonNode?)a.Value)));
        if (token.Video is { } video)
            claims["video"] = Claims(video);
        AddFlags("sip", token.Sip is null ? null : [("admin", token.Sip.Admin), ("call", token.Sip.Call)]);
        AddFlags("agent", token.Agent is not { } agent ? null
            : [("admin", agent.Admin), ("simulationAdmin", agent.SimulationAdmin), ("databaseAdmin", agent.DatabaseAdmin)]);
        AddFlags("inference", token.Inference is null ? null : [("perform", token.Inference.Perform)]);
        AddFlags("observability", token.Observability is null ? null : [("write", token.Observability.Write)]);
        Add("sha256", token.Sha256);
        Add("roomPreset", token.RoomPreset);
        if (token.RoomConfig is { } config)
            claims["roomConfig"] = JsonNode.Parse(config.GetRawText());

        var signed = $"{Encode("""{"alg":"HS256","typ":"JWT"}"""u8)}.{Encode(Encoding.UTF8.GetBytes(claims.ToJsonString()))}";
        var jwt = $"{signed}.{Encode(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.ASCII.GetBytes(signed)))}";
        return jwt.Length <= MaxLength ? jwt : throw LiveKitErrors.TokenNotMintable.With($"The token would be longer than {MaxLength} characters.");

        void Add(string name, string? value)
        {
            if (value is not null)
                claims[name] = value;
        }

        void AddFlags(string name, (string Name, bool Value)[]? flags)
        {
            if (flags is not null)
                claims[name] = new JsonObject(flags.Where(f => f.Value).Select(f => KeyValuePair.Create(f.Name, (JsonNode?)true)));
        }
    }

    /// <summary>
    /// The claims of a token that LiveKit, an SDK of it or <see cref="Mint(NewLiveKitToken)"/> made: HS256 alone, our key as issuer, with
    /// an expiry, within the leeway.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>livekit_not_configured</c>, <c>livekit_token_invalid</c>.</exception>
    public JsonElement Verify(string? token)
    {
        var (key, secret) = Credentials();
        if (string.IsNullOrEmpty(token))
            throw Invalid("There is no token.");
        if (token.Length > MaxLength)
            throw Invalid($"The token is longer than {MaxLength} characters.");
        var parts = token.Split('.');
        if (parts.Length != 3)
            throw Invalid($"A token has three parts between two dots (was {parts.Length}).");
        var header = Parse(parts[0], "header");
        if (!Is(header, "alg", "HS256") || header.TryGetProperty("crit", out _))
            throw Invalid("The token is not signed with HS256.");
        Span<byte> expected = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.ASCII.GetBytes(token, 0, parts[0].Length + 1 + parts[1].Length), expected);
        if (!CryptographicOperations.FixedTimeEquals(expected, Decode(parts[2], "signature")))
            throw Invalid("The token's signature does not hold.");

        var claims = Parse(parts[1], "payload");
        if (!Is(claims, "iss", key))
            throw Invalid("The token is of another API key.");
        var now = time.GetUtcNow();
        if (Moment(claims, "exp") is not { } expiry)
            throw Invalid("The token has no expiry (exp).");
        if (expiry + options.Leeway <= now)
            throw Invalid($"The token ended at {expiry:u}.");
        if (Moment(claims, "nbf") is { } begin && begin - options.Leeway > now)
            throw Invalid($"The token begins at {begin:u}.");
        return claims;
    }

    /// <summary>The same, and the token has this grant, for example <c>observability</c>, <c>write</c>.</summary>
    /// <exception cref="VoxbaseException"><c>livekit_not_configured</c>, <c>livekit_token_invalid</c>.</exception>
    public JsonElement Verify(string? token, string part, string grant)
    {
        var claims = Verify(token);
        return claims.TryGetProperty(part, out var grants) && grants.ValueKind == JsonValueKind.Object
            && grants.TryGetProperty(grant, out var given) && given.ValueKind == JsonValueKind.True
            ? claims
            : throw Invalid($"The token lacks the grant {part}.{grant}.");
    }

    /// <summary>Whether a token says that it is of our API key. Nothing is verified.</summary>
    internal bool IsOurs(string token)
    {
        try
        {
            return options.ApiKey is { } key && token.Length <= MaxLength && token.Split('.') is [_, var payload, _] && Is(Parse(payload, "payload"), "iss", key);
        }
        catch (VoxbaseException)
        {
            return false;
        }
    }

    private static JsonObject Claims(LiveKitVideoGrant grant)
    {
        var video = new JsonObject();
        Flag("roomCreate", grant.RoomCreate);
        Flag("roomList", grant.RoomList);
        Flag("roomRecord", grant.RoomRecord);
        Flag("roomAdmin", grant.RoomAdmin);
        Flag("roomJoin", grant.RoomJoin);
        if (grant.Room is not null)
            video["room"] = grant.Room;
        Choice("canPublish", grant.CanPublish);
        Choice("canSubscribe", grant.CanSubscribe);
        Choice("canPublishData", grant.CanPublishData);
        if (grant.CanPublishSources is { } sources)
            video["canPublishSources"] = new JsonArray([.. sources.Select(source => (JsonNode)source)]);
        Choice("canUpdateOwnMetadata", grant.CanUpdateOwnMetadata);
        Choice("canSubscribeMetrics", grant.CanSubscribeMetrics);
        Choice("canManageAgentSession", grant.CanManageAgentSession);
        Flag("ingressAdmin", grant.IngressAdmin);
        Flag("hidden", grant.Hidden);
        Flag("recorder", grant.Recorder);
        Flag("agent", grant.Agent);
        if (grant.DestinationRoom is not null)
            video["destinationRoom"] = grant.DestinationRoom;
        return video;

        void Flag(string name, bool value)
        {
            if (value)
                video[name] = true;
        }

        // Absent and false are different things.
        void Choice(string name, bool? value)
        {
            if (value is { } given)
                video[name] = given;
        }
    }

    private static void Check(NewLiveKitToken token)
    {
        Require(token.Identity is null or { Length: >= 1 and <= MaxNameLength }, $"identity must be 1 to {MaxNameLength} characters");
        Require(token.Name is null or { Length: <= MaxNameLength }, $"name must be at most {MaxNameLength} characters");
        Require(token.Kind is null || Kinds.Contains(token.Kind), $"kind must be one of {string.Join(", ", Kinds)}");
        Require(token.Metadata is null or { Length: <= MaxMetadataLength }, $"metadata must be at most {MaxMetadataLength} characters");
        Require(token.Attributes is null or { Count: <= MaxAttributes }, $"attributes must be at most {MaxAttributes}");
        Require(
            token.Lifetime is not { } lifetime || (lifetime >= TimeSpan.FromSeconds(1) && lifetime <= TimeSpan.FromHours(24)),
            "the lifetime must be from 1 second to 24 hours");
        if (token.Video is { } video)
        {
            Require(!video.RoomJoin || token.Identity is not null, "a token to join needs an identity");
            Require(!(video.RoomJoin || video.RoomAdmin) || video.Room is { Length: > 0 }, "a token to join or govern a room needs the room's name");
            Require(
                video.CanPublishSources is null || video.CanPublishSources.All(Sources.Contains),
                $"can_publish_sources may hold {string.Join(", ", Sources)}");
        }

        if (token.RoomConfig is not { } config)
            return;
        Require(config.ValueKind == JsonValueKind.Object, "room_config must be an object");
        if (LiveKitSecrets.Find(config) is { } secret)
            throw LiveKitErrors.TokenNotMintable.With($"room_config must not hold credentials: whoever bears the token can read '{secret}'.");

        static void Require(bool holds, string otherwise)
        {
            if (!holds)
                throw LiveKitErrors.TokenNotMintable.With(otherwise);
        }
    }

    private (string Key, string Secret) Credentials() => options is { ApiKey: { } key, ApiSecret: { } secret }
        ? (key, secret)
        : throw LiveKitErrors.NotConfigured.With("LiveKit.ApiKey and LiveKit.ApiSecret are not set.");

    private static bool Is(JsonElement owner, string name, string value) =>
        owner.TryGetProperty(name, out var given) && given.ValueKind == JsonValueKind.String && given.ValueEquals(value);

    private static DateTimeOffset? Moment(JsonElement claims, string name) =>
        !claims.TryGetProperty(name, out var value) ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var seconds) && seconds is >= 0 and <= 253_000_000_000
            ? DateTimeOffset.UnixEpoch.AddSeconds(seconds)
            : throw Invalid($"The token's {name} is not a time in seconds since 1970.");

    private static JsonElement Parse(string part, string name)
    {
        try
        {
            using var document = JsonDocument.Parse(Decode(part, name), Strict);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
                return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            // Answered below, without the text.
        }

        throw Invalid($"The token's {name} is not a JSON object.");
    }

    // Strict: no padding, no white space, no left-over bits.
    private static byte[] Decode(string part, string name)
    {
        try
        {
            var bytes = Base64Url.DecodeFromChars(part);
            if (bytes.Length > 0 && Base64Url.EncodeToString(bytes) == part)
                return bytes;
        }
        catch (FormatException)
        {
            // Answered below.
        }

        throw Invalid($"The token's {name} is not base64url.");
    }

    private static string Encode(ReadOnlySpan<byte> bytes) => Base64Url.EncodeToString(bytes);

    private static VoxbaseException Invalid(string message) => LiveKitErrors.TokenInvalid.With(message);
}
