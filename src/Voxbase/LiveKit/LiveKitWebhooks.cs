using System.Security.Cryptography;
using System.Text.Json;

namespace Voxbase.LiveKit;

/// <summary>LiveKit's webhooks: believed when signed, answered when kept, read afterwards (<see cref="LiveKitInbox"/>).</summary>
public sealed class LiveKitWebhooks(LiveKitTokens tokens, LiveKitInbox inbox)
{
    /// <summary>The longest body taken.</summary>
    public const int MaxBodyBytes = 1 << 20;

    /// <summary>Keeps a webhook. The same event again changes nothing.</summary>
    /// <param name="authorization">The header as it came: a bare token.</param>
    /// <param name="body">The bytes as they came: what is signed is these.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VoxbaseException">
    /// <c>livekit_webhook_unsigned</c>, <c>livekit_webhook_invalid</c>, <c>livekit_not_configured</c>; nothing is kept.
    /// </exception>
    public Task ReceiveAsync(string? authorization, ReadOnlyMemory<byte> body, CancellationToken cancellationToken = default)
    {
        VerifySignature(authorization, body.Span);
        var (e, payload) = LiveKitEvent.Accept(body.Span);
        return inbox.AcceptAsync(e, payload, cancellationToken);
    }

    internal void VerifySignature(string? authorization, ReadOnlySpan<byte> body)
    {
        JsonElement claims;
        try
        {
            claims = tokens.Verify(authorization);
        }
        catch (VoxbaseException e) when (e.Error == LiveKitErrors.TokenInvalid)
        {
            throw LiveKitErrors.WebhookUnsigned.With(e.Message, inner: e);
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(body, hash);
        Span<byte> claimed = stackalloc byte[SHA256.HashSizeInBytes];
        if (LiveKitJson.Text(claims, "sha256") is not { Length: 44 } text || !Convert.TryFromBase64String(text, claimed, out var length) || length != claimed.Length)
            throw LiveKitErrors.WebhookUnsigned.With("The token has no hash of a body (sha256).");
        if (!CryptographicOperations.FixedTimeEquals(hash, claimed))
            throw LiveKitErrors.WebhookUnsigned.With("The body is not the one that was signed.");
    }
}
