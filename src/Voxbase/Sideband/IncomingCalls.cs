using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Voxbase.Sideband;

/// <summary>What a webhook came to.</summary>
/// <param name="Type">Its type.</param>
/// <param name="CallId">The call; null for a webhook about something else, which is accepted and changes nothing.</param>
/// <param name="ConversationId">Its conversation.</param>
public sealed record IncomingCall(string Type, string? CallId, Guid? ConversationId);

/// <summary>
/// Calls that come in at OpenAI over SIP, as its webhooks tell of them: each becomes a pending conversation, and is accepted and attached
/// to where that is configured.
/// </summary>
public sealed class IncomingCalls(
    Conversations conversations, CallAdmission admission, OpenAiCalls calls, Sidebands sidebands, VoxbaseOptions options, TimeProvider time,
    ILogger<IncomingCalls>? logger = null)
{
    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 64, AllowDuplicateProperties = false };

    private readonly ILogger logger = logger ?? NullLogger<IncomingCalls>.Instance;
    private readonly OpenAiOptions options = options.OpenAi;
    private readonly byte[]? key = options.OpenAi.WebhookSecret is { } secret ? StandardWebhooks.KeyOf(secret) : null;

    /// <summary>
    /// Takes a webhook in. One that is delivered again is answered the same and adds nothing. The caller's numbers stay in the
    /// conversation's metadata (<c>incoming</c>), which its policies guard.
    /// </summary>
    /// <param name="headers">Its headers.</param>
    /// <param name="body">Its body to the byte.</param>
    /// <param name="cancellationToken">Stops; the provider delivers it again.</param>
    /// <exception cref="VoxbaseException">
    /// <c>webhook_unavailable</c>, <c>webhook_refused</c>, <c>webhook_invalid</c>, <c>call_id_invalid</c>: nothing has changed.
    /// <c>provider_refused</c>, <c>provider_unavailable</c>, or what admission says: the conversation is pending, and the next delivery tries
    /// to accept the call again.
    /// </exception>
    public async Task<IncomingCall> ReceiveAsync(WebhookHeaders headers, ReadOnlyMemory<byte> body, CancellationToken cancellationToken = default)
    {
        if (key is null)
            throw SidebandErrors.WebhookUnavailable.With("OpenAi.WebhookSecret is not set.");
        StandardWebhooks.Verify(key, headers, body.Span, time.GetUtcNow());
        var (type, call, incoming) = Read(headers.Id!, body);
        if (call is null)
            return new IncomingCall(type, null, null);

        var conversation = await conversations.StartAsync(
            Caller.Service,
            new NewConversation
            {
                UserId = options.IncomingCallsUserId is { } owner ? Guid.Parse(owner) : null,
                Kind = ConversationKind.Realtime,
                SessionId = call.Id,
                LlmProvider = "openai",
                AiAgentUsed = true,
                Metadata = incoming,
            },
            cancellationToken);
        // What runs, or is over, was accepted by an earlier delivery, or by the application itself.
        if (conversation.Status == ConversationStatus.Pending && (call.IsLive ? options.AcceptLive : options.AcceptRealtime) is { } session)
            await AcceptAsync(conversation, call, session, cancellationToken);
        return new IncomingCall(type, call.Id, conversation.Id);
    }

    private async Task AcceptAsync(Conversation conversation, ProviderCall call, string session, CancellationToken cancellationToken)
    {
        await admission.AdmitAsync(conversation.UserId, conversation.Id, cancellationToken);
        try
        {
            await calls.AcceptAsync(call, session, cancellationToken);
        }
        catch (VoxbaseException) when (!cancellationToken.IsCancellationRequested)
        {
            await admission.ReleaseAsync(conversation.Id, CancellationToken.None);
            // Two deliveries at once: the other one accepted it, and only once can be.
            if ((await conversations.FindAsync(Caller.Service, conversation.Id, cancellationToken)).Status == ConversationStatus.Pending)
                throw;
            return;
        }

        await conversations.ActivateAsync(Caller.Service, conversation.Id, cancellationToken: cancellationToken);
        Log.CallAccepted(logger, conversation.Id);
        // The provider is answered now; what the sideband cannot do is no reason to deliver the webhook again.
        sidebands.AttachBehind(conversation, call, session);
    }

    private static (string Type, ProviderCall? Call, JsonElement Incoming) Read(string webhookId, ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body, Strict);
            var root = document.RootElement;
            var type = root.ValueKind == JsonValueKind.Object && root.TryGetProperty("type", out var given) && given.ValueKind == JsonValueKind.String
                ? given.GetString()!
                : throw SidebandErrors.WebhookInvalid.With("$.type must be a text.");
            var name = type switch
            {
                "realtime.call.incoming" => "call_id",
                // The older name of the same.
                "live.call.incoming" or "live.transport.incoming" => "session_id",
                _ => null,
            };
            if (name is null)
                return (type.Length <= 64 ? type : type[..64], null, default);
            if (!root.TryGetProperty("data", out var data) || data.ValueKind != JsonValueKind.Object
                || !data.TryGetProperty(name, out var id) || id.ValueKind != JsonValueKind.String)
            {
                throw SidebandErrors.WebhookInvalid.With($"$.data.{name} must be a text.");
            }

            return (type, ProviderCall.Of(id.GetString()!), Incoming(webhookId, type, root, data));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw SidebandErrors.WebhookInvalid.With("The body is not JSON, or has a text that is none.", inner: e);
        }
    }

    private static JsonElement Incoming(string webhookId, string type, JsonElement root, JsonElement data)
    {
        var headers = new List<Dictionary<string, string>>();
        if (data.TryGetProperty("sip_headers", out var given))
        {
            if (given.ValueKind != JsonValueKind.Array)
                throw SidebandErrors.WebhookInvalid.With("$.data.sip_headers must be an array.");
            foreach (var header in given.EnumerateArray())
            {
                if (header.ValueKind != JsonValueKind.Object || Text(header, "name") is not { } name || Text(header, "value") is not { } value)
                    throw SidebandErrors.WebhookInvalid.With("$.data.sip_headers must hold objects with name and value.");
                headers.Add(new() { ["name"] = name, ["value"] = value });
            }
        }

        return JsonSerializer.SerializeToElement(new Dictionary<string, object?>
        {
            ["incoming"] = new Dictionary<string, object?>
            {
                ["type"] = type,
                ["webhook_id"] = webhookId.Replace('\0', '\uFFFD'),
                ["event_id"] = Text(root, "id"),
                ["created_at"] = root.TryGetProperty("created_at", out var created) && created.TryGetInt64(out var seconds) ? seconds : null,
                ["sip_headers"] = headers,
            },
        });

        // jsonb takes no U+0000.
        static string? Text(JsonElement owner, string name) =>
            owner.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()!.Replace('\0', '\uFFFD') : null;
    }
}
