using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;

namespace Voxbase;

/// <summary>
/// An identity provider's public keys (JWKS, RFC 7517), from a file or an address. Read when first needed, again when they are old or
/// a token names a key that is not among them, but never more often than the shortest interval. When a reading fails, the keys
/// of the one before stay.
/// </summary>
internal sealed class JsonWebKeys : IDisposable
{
    private const int MaxBytes = 256 * 1024;
    private const int MaxKeys = 100;

    private readonly TokensOptions options;
    private readonly TimeProvider time;
    private readonly HttpClient? http;
    private readonly Lock gate = new();
    private KeySet? current;
    private Task? reading;
    private long? attemptedAt;

    public JsonWebKeys(TokensOptions options, TimeProvider time)
    {
        (this.options, this.time) = (options, time);
        if (!options.Jwks!.Contains("://", StringComparison.Ordinal))
            return;
        // A redirect could lead anywhere, also away from TLS.
        http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
        {
            Timeout = options.JwksTimeout,
            MaxResponseContentBufferSize = MaxBytes,
        };
    }

    /// <summary>The key for a token's header, or null when there is none. Without a key id the only key of the algorithm is meant.</summary>
    /// <exception cref="VoxbaseException"><c>token_keys_unavailable</c>.</exception>
    public async ValueTask<JsonWebKey?> FindAsync(string? keyId, string algorithm, CancellationToken cancellationToken)
    {
        var keys = current;
        if (keys is not null && time.GetElapsedTime(keys.ReadAt) < options.JwksMaxAge && keys.Find(keyId, algorithm) is { } key)
            return key;
        await ReadAgainAsync().WaitAsync(cancellationToken);
        return (current ?? throw TokenErrors.KeysUnavailable.With("The identity provider's keys cannot be read.")).Find(keyId, algorithm);
    }

    public void Dispose() => http?.Dispose();

    // One reading at a time, for everybody who waits.
    private Task ReadAgainAsync()
    {
        lock (gate)
        {
            if (reading is { IsCompleted: false })
                return reading;
            if (attemptedAt is { } last && time.GetElapsedTime(last) < options.JwksMinInterval)
                return Task.CompletedTask;
            attemptedAt = time.GetTimestamp();
            return reading = ReadAsync();
        }
    }

    private async Task ReadAsync()
    {
        try
        {
            // Off the caller's stack: the lock is held there.
            await Task.Yield();
            var json = http is null ? await ReadFileAsync() : await http.GetByteArrayAsync(options.Jwks);
            current = new KeySet(Parse(json), time.GetTimestamp());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or HttpRequestException or OperationCanceledException or JsonException)
        {
            // What was read before still holds; with nothing, the caller is told.
        }
    }

    private async Task<byte[]> ReadFileAsync()
    {
        using var timeout = new CancellationTokenSource(options.JwksTimeout);
        await using var file = File.OpenRead(options.Jwks!);
        if (file.Length > MaxBytes)
            throw new IOException("The file is too large.");
        var json = new byte[file.Length];
        await file.ReadExactlyAsync(json, timeout.Token);
        return json;
    }

    private static List<JsonWebKey> Parse(byte[] json)
    {
        using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = 16 });
        if (document.RootElement.ValueKind != JsonValueKind.Object
            || !document.RootElement.TryGetProperty("keys", out var listed) || listed.ValueKind != JsonValueKind.Array)
        {
            throw new JsonException("There is no array 'keys'.");
        }

        // Keys for other purposes and of other kinds may stand beside ours, secrets ("oct") among them: those are never used.
        return [.. listed.EnumerateArray().Take(MaxKeys).Select(JsonWebKey.From).OfType<JsonWebKey>()];
    }

    private sealed record KeySet(List<JsonWebKey> Keys, long ReadAt)
    {
        public JsonWebKey? Find(string? keyId, string algorithm)
        {
            var fitting = Keys.Where(key => key.Algorithm == algorithm && (keyId is null || key.KeyId == keyId)).Take(2).ToList();
            return fitting.Count == 1 ? fitting[0] : null;
        }
    }
}

/// <summary>One public key, and the one algorithm it is used with.</summary>
internal sealed class JsonWebKey
{
    // Below 2048 bits RSA is weak (RFC 7518, section 3.3); far above it only costs.
    private const int MinRsaBytes = 256;
    private const int MaxRsaBytes = 1024;
    private const int P256Bytes = 32;

    private readonly RSAParameters? rsa;
    private readonly ECParameters? ec;

    private JsonWebKey(string? keyId, RSAParameters rsa) => (KeyId, Algorithm, this.rsa) = (keyId, "RS256", rsa);

    private JsonWebKey(string? keyId, ECParameters ec) => (KeyId, Algorithm, this.ec) = (keyId, "ES256", ec);

    public string? KeyId { get; }

    public string Algorithm { get; }

    /// <summary>A key to check signatures with, or null for any other.</summary>
    public static JsonWebKey? From(JsonElement json)
    {
        if (json.ValueKind != JsonValueKind.Object || Text(json, "use") is not (null or "sig") || !MayVerify(json))
            return null;
        var (type, algorithm, keyId) = (Text(json, "kty"), Text(json, "alg"), Text(json, "kid"));
        if (type == "RSA" && algorithm is null or "RS256"
            && Bytes(json, "n") is { Length: >= MinRsaBytes and <= MaxRsaBytes } modulus && Bytes(json, "e") is { Length: >= 1 and <= 8 } exponent)
        {
            return new JsonWebKey(keyId, new RSAParameters { Modulus = modulus, Exponent = exponent });
        }

        if (type == "EC" && algorithm is null or "ES256" && Text(json, "crv") == "P-256"
            && Bytes(json, "x") is { Length: P256Bytes } x && Bytes(json, "y") is { Length: P256Bytes } y)
        {
            return new JsonWebKey(keyId, new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = x, Y = y } });
        }

        return null;
    }

    /// <summary>Whether a signature is this key's. A key that is none (a point off its curve) signs nothing.</summary>
    public bool Holds(byte[] signed, byte[] signature)
    {
        // Imported each time: verified callers are remembered, so this is rare, and key objects are not safe to share.
        try
        {
            if (rsa is { } rsaParameters)
            {
                using var key = RSA.Create(rsaParameters);
                return key.VerifyData(signed, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
            }

            using var point = ECDsa.Create(ec!.Value);
            return signature.Length == 2 * P256Bytes
                && point.VerifyData(signed, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private static bool MayVerify(JsonElement json) =>
        !json.TryGetProperty("key_ops", out var operations)
        || (operations.ValueKind == JsonValueKind.Array
            && operations.EnumerateArray().Any(o => o.ValueKind == JsonValueKind.String && o.ValueEquals("verify")));

    private static string? Text(JsonElement json, string name) =>
        json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static byte[]? Bytes(JsonElement json, string name)
    {
        if (Text(json, name) is not { } text)
            return null;
        try
        {
            return Base64Url.DecodeFromChars(text);
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
