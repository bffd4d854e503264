using System.Buffers;
using Microsoft.AspNetCore.Http;
using Voxbase.Capture;
using Voxbase.Sideband;

namespace Voxbase.AspNetCore;

/// <summary>How a call is attached to.</summary>
public sealed record CallAttachment
{
    /// <summary>The conversation that the call belongs to; left out for the one of the call's id, made when there is none.</summary>
    public Guid? ConversationId { get; init; }

    /// <summary>Whose it becomes; the service may name anyone, a user only itself.</summary>
    public Guid? UserId { get; init; }

    /// <summary>The model of a Live session, which its price depends on.</summary>
    public string? Model { get; init; }
}

/// <summary>Calls that run at OpenAI: its webhooks about them, and listening in on them.</summary>
internal sealed class SidebandEndpoints(IncomingCalls incoming, Sidebands sidebands)
{
    // A SIP INVITE's headers are a few kilobytes.
    private const int MaxWebhookBytes = 256 * 1024;

    private static readonly CallAttachment Nothing = new();

    public void Map(VoxbaseRoutes routes)
    {
        routes.At("/v1/realtime/webhooks")
            .PostOpen(WebhookAsync, new Operation("realtime.webhook", "Take in a webhook of OpenAI, signed after Standard Webhooks: an incoming call becomes a conversation")
            {
                Answers = { [200] = typeof(IncomingCall) },
                Errors =
                [
                    SidebandErrors.WebhookRefused, SidebandErrors.WebhookInvalid, SidebandErrors.WebhookUnavailable, SidebandErrors.CallIdInvalid,
                    ProviderErrors.Refused, ProviderErrors.Unavailable, ProviderErrors.NotConfigured, HttpErrors.BodyTooLarge,
                ],
            });
        routes.At("/v1/realtime/calls/{call_id}/attach")
            .Post(AttachAsync, new Operation("realtime.attach", "Listen in on a running WebRTC or SIP call and record it; safe to repeat")
            {
                Body = typeof(CallAttachment),
                BodyIsOptional = true,
                Answers = { [200] = typeof(Conversation) },
                Errors =
                [
                    SidebandErrors.CallIdInvalid, SidebandErrors.CallNotFound, SidebandErrors.ConversationOver, SidebandErrors.AttachedElsewhere,
                    ProviderErrors.NotConfigured, ProviderErrors.Refused, ProviderErrors.Unavailable, CaptureErrors.CallerRefused,
                    ConversationErrors.NotFound, ConversationErrors.SessionTaken,
                ],
            });
    }

    private async Task AttachAsync(Request request)
    {
        request.Query();
        var body = await request.BodyOrAsync(VoxbaseJson.Types.CallAttachment, Nothing);
        var conversation = await sidebands.AttachAsync(
            request.Caller, request.Text("call_id"),
            new SidebandSettings { ConversationId = body.ConversationId, UserId = body.UserId, Model = body.Model }, request.Aborted);
        await Responses.WriteAsync(request.Context, conversation, VoxbaseJson.Types.Conversation);
    }

    private async Task WebhookAsync(HttpContext context)
    {
        var headers = context.Request.Headers;
        var body = await ReadAsync(context);
        var call = await incoming.ReceiveAsync(
            // Two of a header are joined with a comma, and then are none.
            new WebhookHeaders(headers["webhook-id"], headers["webhook-timestamp"], headers["webhook-signature"]), body, context.RequestAborted);
        await Responses.WriteShortAsync(context, call, VoxbaseJson.Types.IncomingCall);
    }

    // To the byte, whatever its content type says: the signature is over it.
    private static async Task<byte[]> ReadAsync(HttpContext context)
    {
        var reader = context.Request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(context.RequestAborted);
            if (read.Buffer.Length > MaxWebhookBytes)
            {
                reader.AdvanceTo(read.Buffer.End);
                throw HttpErrors.BodyTooLarge.With($"The body is longer than {MaxWebhookBytes:N0} bytes.");
            }

            if (read.IsCompleted)
            {
                var body = read.Buffer.ToArray();
                reader.AdvanceTo(read.Buffer.End);
                return body;
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }
}
