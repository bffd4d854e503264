using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Voxbase.Sideband;

/// <summary>What a webhook's sender says about it, in the headers of the Standard Webhooks specification.</summary>
/// <param name="Id"><c>webhook-id</c>: the same for every attempt to deliver it.</param>
/// <param name="Timestamp"><c>webhook-timestamp</c>: Unix seconds of this attempt.</param>
/// <param name="Signatures"><c>webhook-signature</c>: <c>v1,…</c> in base64, several with spaces between them while a secret is changed.</param>
public sealed record WebhookHeaders(string? Id, string? Timestamp, string? Signatures);

/// <summary>Signatures of the Standard Webhooks specification: HMAC-SHA256 over id, timestamp and the body to the byte.</summary>
public static class StandardWebhooks
{
    /// <summary>How far a timestamp may be from now, either way: a copy of an old webhook is refused.</summary>
    public static readonly TimeSpan Tolerance = TimeSpan.FromMinutes(5);

    private const string Prefix = "whsec_";
    private const int MaxHeaderLength = 4096;

    /// <summary>The key of a secret, <c>whsec_</c> and base64; null when it is none.</summary>
    public static byte[]? KeyOf(string secret)
    {
        if (!secret.StartsWith(Prefix, StringComparison.Ordinal))
            return null;
        var text = secret.AsSpan(Prefix.Length);
        var key = new byte[Base64.GetMaxDecodedFromUtf8Length(text.Length) + 3];
        return Convert.TryFromBase64Chars(text, key, out var length) && length > 0 ? key[..length] : null;
    }

    /// <summary>The signature of a body: <c>v1,…</c>.</summary>
    public static string Sign(ReadOnlySpan<byte> key, string id, string timestamp, ReadOnlySpan<byte> body) =>
        "v1," + Convert.ToBase64String(Digest(key, id, timestamp, body));

    /// <summary>Proves that who knows the secret sent this body, now.</summary>
    /// <exception cref="VoxbaseException"><c>webhook_refused</c>.</exception>
    public static void Verify(ReadOnlySpan<byte> key, WebhookHeaders headers, ReadOnlySpan<byte> body, DateTimeOffset now)
    {
        if (headers is not { Id: { Length: > 0 and <= MaxHeaderLength } id, Timestamp: { Length: > 0 and <= 20 } timestamp, Signatures: { Length: > 0 and <= MaxHeaderLength } signatures })
            throw SidebandErrors.WebhookRefused.With("A header is missing or too long: webhook-id, webhook-timestamp and webhook-signature are needed.");
        if (!long.TryParse(timestamp, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds)
            || Math.Abs((decimal)seconds - now.ToUnixTimeSeconds()) > (decimal)Tolerance.TotalSeconds)
        {
            throw SidebandErrors.WebhookRefused.With("webhook-timestamp is not within five minutes of now.");
        }

        var expected = Digest(key, id, timestamp, body);
        Span<byte> given = stackalloc byte[32];
        var matches = false;
        foreach (var part in signatures.AsSpan().Split(' '))
        {
            var signature = signatures.AsSpan(part);
            // Every one is looked at, so that the time taken tells nothing.
            matches |= signature.StartsWith("v1,", StringComparison.Ordinal)
                && Convert.TryFromBase64Chars(signature[3..], given, out var length) && length == given.Length
                && CryptographicOperations.FixedTimeEquals(given, expected);
        }

        if (!matches)
            throw SidebandErrors.WebhookRefused.With("No signature in webhook-signature is that of this body.");
    }

    private static byte[] Digest(ReadOnlySpan<byte> key, string id, string timestamp, ReadOnlySpan<byte> body)
    {
        using var hash = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        hash.AppendData(Encoding.UTF8.GetBytes($"{id}.{timestamp}."));
        hash.AppendData(body);
        return hash.GetHashAndReset();
    }
}
