using Microsoft.AspNetCore.Http;
using Voxbase.LiveKit;

namespace Voxbase.AspNetCore;

/// <summary><c>/v1/livekit</c>: calls, tokens, and what LiveKit sends.</summary>
internal sealed class LiveKitEndpoints(LiveKitCalls calls, LiveKitRooms rooms, LiveKitWebhooks webhooks, LiveKitUploads uploads, Tokens tokens)
{
    private static readonly ErrorCode[] AtLiveKit =
        [LiveKitErrors.NotConfigured, LiveKitErrors.Unavailable, LiveKitErrors.Refused, LiveKitErrors.RoomNotFound];

    private static readonly ErrorCode[] OfACall = [ConversationErrors.NotFound, LiveKitErrors.NotACall, .. AtLiveKit];

    private static JsonTypes Json => VoxbaseJson.Types;

    public void Map(VoxbaseRoutes routes)
    {
        routes.At("/v1/livekit/tokens")
            .Post(TokenAsync, new Operation("livekit.token", "A LiveKit access token for a conversation's room: to join for those who take part, with any grant for admins and the service")
            {
                Body = typeof(LiveKitTokenRequest),
                Answers = { [201] = typeof(LiveKitAccess) },
                Errors = [ConversationErrors.NotFound, LiveKitErrors.NotACall, LiveKitErrors.CallOver, LiveKitErrors.GrantRefused, LiveKitErrors.TokenNotMintable, LiveKitErrors.NotConfigured],
            });
        routes.At("/v1/livekit/calls")
            .Post(StartAsync, new Operation("livekit.startCall", "Make a call's record, its LiveKit room and a token to join it, together or not at all")
            {
                Body = typeof(NewLiveKitCall),
                BodyIsOptional = true,
                Answers = { [201] = typeof(StartedLiveKitCall) },
                Errors = [LiveKitErrors.GrantRefused, LiveKitErrors.TokenNotMintable, IdentityErrors.UserNotFound, .. AtLiveKit],
            });
        routes.At("/v1/livekit/calls/{id}/end")
            .Post(EndAsync, new Operation("livekit.endCall", "End a call: its record gets the reason, its room is closed; again is harmless")
            {
                Body = typeof(LiveKitCallEnd),
                BodyIsOptional = true,
                Answers = { [200] = typeof(Conversation) },
                Errors = OfACall,
            });
        routes.At("/v1/livekit/calls/{id}/participants")
            .Get(ParticipantsAsync, new Operation("livekit.participants", "Who is in a call's room now, by LiveKit's word")
            {
                Answers = { [200] = typeof(LiveKitParticipantList) },
                Errors = OfACall,
            });
        routes.At("/v1/livekit/calls/{id}/participants/remove")
            .Post(RemoveAsync, new Operation("livekit.removeParticipant", "Send a participant out of a call")
            {
                Body = typeof(LiveKitRemoval),
                Answers = { [200] = typeof(LiveKitRemoved) },
                Errors = OfACall,
            });
        routes.At("/v1/livekit/calls/{id}/egress")
            .Post(RecordAsync, new Operation("livekit.startEgress", "Record a call's sound: the agent on one channel, everybody else on the other")
            {
                Body = typeof(LiveKitRecordingRequest),
                BodyIsOptional = true,
                Answers = { [201] = typeof(LiveKitEgress) },
                Errors = [LiveKitErrors.CallOver, LiveKitErrors.GrantRefused, .. OfACall],
            })
            .Get(RecordingsAsync, new Operation("livekit.egresses", "A call's recordings, by LiveKit's word")
            {
                Answers = { [200] = typeof(LiveKitEgressList) },
                Errors = OfACall,
            });
        routes.At("/v1/livekit/calls/{id}/egress/{egress_id}/stop")
            .Post(StopRecordingAsync, new Operation("livekit.stopEgress", "End a recording; again is harmless")
            {
                Answers = { [200] = typeof(LiveKitEgress) },
                Errors = OfACall,
            });
        routes.At("/v1/livekit/rooms")
            .Get(RoomsAsync, new Operation("livekit.rooms", "Every room that is open at LiveKit; for admins and the service")
            {
                Answers = { [200] = typeof(LiveKitRoomList) },
                Errors = [LiveKitErrors.GrantRefused, .. AtLiveKit],
            });
        routes.At("/v1/livekit/webhooks")
            .PostOpen(WebhookAsync, new Operation("livekit.webhook", "What LiveKit tells of its rooms; signed by it")
            {
                Answers = { [200] = typeof(LiveKitAccepted) },
                Errors = [LiveKitErrors.WebhookUnsigned, LiveKitErrors.WebhookInvalid, HttpErrors.BodyTooLarge, LiveKitErrors.NotConfigured],
            });
        routes.At("/v1/livekit/session-reports")
            .PostOpen(ReportAsync, new Operation("livekit.sessionReport", "An agent's session report, as JSON; with the service's key, or a LiveKit token with observability.write")
            {
                Answers = { [200] = typeof(LiveKitReportAnswer) },
                Errors =
                [
                    TokenErrors.Missing, TokenErrors.Invalid, TokenErrors.Expired, LiveKitErrors.TokenInvalid, LiveKitErrors.GrantRefused,
                    LiveKitErrors.ReportInvalid, HttpErrors.BodyTooLarge,
                ],
            });
    }

    private async Task TokenAsync(Request request)
    {
        var wanted = await request.BodyAsync(Json.LiveKitTokenRequest);
        var access = await calls.TokenAsync(request.Caller, wanted.ConversationId, wanted.Token, request.Aborted);
        await Responses.WriteShortAsync(request.Context, access, Json.LiveKitAccess, StatusCodes.Status201Created);
    }

    private async Task StartAsync(Request request)
    {
        var started = await calls.StartAsync(request.Caller, await request.BodyOrAsync(Json.NewLiveKitCall, new NewLiveKitCall()), request.Aborted);
        await Responses.WriteShortAsync(request.Context, started, Json.StartedLiveKitCall, StatusCodes.Status201Created);
    }

    private async Task EndAsync(Request request)
    {
        var id = request.ConversationId;
        var end = await request.BodyOrAsync(Json.LiveKitCallEnd, LiveKitCallEnd.Now);
        await Responses.WriteShortAsync(request.Context, await calls.EndAsync(request.Caller, id, end.Reason, request.Aborted), Json.Conversation);
    }

    private async Task ParticipantsAsync(Request request)
    {
        request.Query();
        var present = await calls.ParticipantsAsync(request.Caller, request.ConversationId, request.Aborted);
        await Responses.WriteAsync(request.Context, new LiveKitParticipantList(present), Json.LiveKitParticipantList);
    }

    private async Task RemoveAsync(Request request)
    {
        var id = request.ConversationId;
        var removal = await request.BodyAsync(Json.LiveKitRemoval);
        var removed = await calls.RemoveAsync(request.Caller, id, removal.Identity, request.Aborted);
        await Responses.WriteShortAsync(request.Context, new LiveKitRemoved(removed), Json.LiveKitRemoved);
    }

    private async Task RecordAsync(Request request)
    {
        var id = request.ConversationId;
        var wanted = await request.BodyOrAsync(Json.LiveKitRecordingRequest, LiveKitRecordingRequest.Default);
        var egress = await calls.StartRecordingAsync(request.Caller, id, wanted.Path, wanted.Mixed, request.Aborted);
        await Responses.WriteShortAsync(request.Context, egress, Json.LiveKitEgress, StatusCodes.Status201Created);
    }

    private async Task RecordingsAsync(Request request)
    {
        request.Query();
        var recordings = await calls.RecordingsAsync(request.Caller, request.ConversationId, request.Aborted);
        await Responses.WriteAsync(request.Context, new LiveKitEgressList(recordings), Json.LiveKitEgressList);
    }

    private async Task StopRecordingAsync(Request request)
    {
        var egress = await calls.StopRecordingAsync(request.Caller, request.ConversationId, request.TextBeforeLast("egress_id"), request.Aborted);
        await Responses.WriteShortAsync(request.Context, egress, Json.LiveKitEgress);
    }

    private async Task RoomsAsync(Request request)
    {
        request.Query();
        if (!request.Caller.IsService && !await calls.IsAdminAsync(request.Caller, request.Aborted))
            throw LiveKitErrors.GrantRefused.With("Rooms are listed for admins and the service.");
        await Responses.WriteAsync(request.Context, new LiveKitRoomList(await rooms.ListAsync(null, request.Aborted)), Json.LiveKitRoomList);
    }

    private async Task WebhookAsync(HttpContext context)
    {
        // The bytes as they came, whatever they are: the signature is over them, and decides first.
        var body = await RawBody.ReadAsync(context, LiveKitWebhooks.MaxBodyBytes, unzip: false);
        await webhooks.ReceiveAsync(context.Request.Headers.Authorization.Count == 1 ? context.Request.Headers.Authorization[0] : null, body, context.RequestAborted);
        await Responses.WriteShortAsync(context, new LiveKitAccepted(true), Json.LiveKitAccepted);
    }

    private async Task ReportAsync(HttpContext context)
    {
        var token = RawBody.Bearer(context);
        if (uploads.IsLiveKitToken(token))
        {
            uploads.Authorise(token);
        }
        else if (!(await tokens.VerifyAsync(token, context.RequestAborted)).IsService)
        {
            throw LiveKitErrors.GrantRefused.With("Session reports are taken from the service and from LiveKit's agents.");
        }

        var body = await RawBody.ReadAsync(context, VoxbaseEndpoints.MaxBodyBytes, unzip: true);
        var conversation = await uploads.ReportAsync(body, context.RequestAborted);
        await Responses.WriteShortAsync(context, new LiveKitReportAnswer(true, conversation), Json.LiveKitReportAnswer);
    }
}
