using System.Text.Json;
using Microsoft.Extensions.Logging;
using Voxbase.Capture;
using Voxbase.Data;

namespace Voxbase.LiveKit;

/// <summary>A call to start.</summary>
public sealed record NewLiveKitCall
{
    /// <summary>The owner. A user calls for itself and leaves this out; the service may name anyone or nobody.</summary>
    public Guid? UserId { get; init; }

    /// <summary>A title for people.</summary>
    public string? Name { get; init; }

    /// <summary>More for people.</summary>
    public string? Description { get; init; }

    /// <summary>A JSON object of the application's own. The name <c>livekit</c> in it is taken.</summary>
    public JsonElement? Metadata { get; init; }

    /// <summary>Room metadata, which its participants see.</summary>
    public string? RoomMetadata { get; init; }

    /// <summary>The most participants; 0 (default) for no limit.</summary>
    public int MaxParticipants { get; init; }

    /// <summary>Agents to call into the room.</summary>
    public IReadOnlyList<LiveKitAgentDispatch>? Agents { get; init; }

    /// <summary>The first participant's identity; the owner's id when null. Needed for a call of nobody.</summary>
    public string? Identity { get; init; }

    /// <summary>The first participant's name for people.</summary>
    public string? ParticipantName { get; init; }
}

/// <summary>What a client needs to join.</summary>
/// <param name="Token">The access token.</param>
/// <param name="Url">LiveKit's address, or null where none is configured.</param>
/// <param name="RoomName">The room that it is for; null for a token without one.</param>
/// <param name="Identity">Whom it makes its bearer; null for a token without one.</param>
/// <param name="ExpiresAt">Until when it holds.</param>
public sealed record LiveKitAccess(string Token, string? Url, string? RoomName, string? Identity, DateTimeOffset ExpiresAt);

/// <summary>A call that was started.</summary>
/// <param name="Conversation">Its record.</param>
/// <param name="Room">Its room.</param>
/// <param name="Access">What the first participant joins with.</param>
public sealed record StartedLiveKitCall(Conversation Conversation, LiveKitRoom Room, LiveKitAccess Access);

/// <summary>
/// Calls on LiveKit: record, room and token together, and what is done to a call while it runs. Whom a call belongs to the database
/// decides; a user reaches only rooms that were made here, because what a conversation's room is called is the user's to write.
/// </summary>
public sealed class LiveKitCalls(
    Database database, Conversations conversations, LiveKitRooms rooms, LiveKitTokens tokens, CallAdmission admission, VoxbaseOptions options,
    TimeProvider time, ILogger<LiveKitCalls> logger)
{
    internal const string IsAdminSql =
        """
        select vox_private.is_admin()
        """;

    internal const string OpenedSql =
        """
        update vox.conversations
        set session_id = $2, metadata = metadata || jsonb_build_object('livekit', jsonb_build_object('room_sid', $2::text, 'room_name', room_name))
        where id = $1 and (session_id is null or session_id = $2)
        """;

    // Only what nobody was told of: an answer was given after its room had been made.
    internal const string UndoSql =
        """
        delete from vox.conversations where id = $1 and status in ('pending', 'failed') and turn_count = 0
        """;

    /// <summary>The topic under which a room is told something by Voxbase.</summary>
    public const string Topic = "voxbase";

    /// <summary>
    /// Makes a call's record, its room and a token to join it, or nothing: what was made is undone when the next thing fails, and by
    /// <see cref="LiveKitReconciler"/> when this process dies between.
    /// </summary>
    /// <exception cref="VoxbaseException">
    /// <c>livekit_not_configured</c>, <c>livekit_unavailable</c>, <c>livekit_refused</c>, <c>livekit_token_not_mintable</c>, <c>forbidden</c>,
    /// <c>user_not_found</c>, or what admission says.
    /// </exception>
    public async Task<StartedLiveKitCall> StartAsync(Caller caller, NewLiveKitCall call, CancellationToken cancellationToken = default)
    {
        var owner = caller.IsService ? call.UserId : call.UserId ?? caller.UserId;
        if (!caller.IsService && owner != caller.UserId && !await IsAdminAsync(caller, cancellationToken))
            throw LiveKitErrors.GrantRefused.With("A user starts calls for itself.");
        var identity = call.Identity ?? owner?.ToString() ?? throw LiveKitErrors.TokenNotMintable.With("identity is needed for a call of nobody");
        if (!caller.IsService && identity != caller.UserId?.ToString() && !await IsAdminAsync(caller, cancellationToken))
            throw LiveKitErrors.GrantRefused.With("A user joins as itself.");
        var id = Guid.CreateVersion7(time.GetUtcNow());
        var roomName = LiveKitInbox.RoomNameOf(id);
        // First what can be refused without having done anything.
        var access = Access(new NewLiveKitToken { Identity = identity, Name = call.ParticipantName, Video = new() { RoomJoin = true, Room = roomName } });
        if (options.LiveKit.Url is null)
            throw LiveKitErrors.NotConfigured.With("LiveKit.Url is not set.");
        var record = new NewConversation
        {
            Id = id,
            UserId = owner,
            Kind = ConversationKind.Call,
            RoomName = roomName,
            Name = call.Name,
            Description = call.Description,
            AiAgentUsed = call.Agents is { Count: > 0 },
            Metadata = MetadataOf(call.Metadata),
        };
        await admission.AdmitAsync(owner, id, cancellationToken);
        try
        {
            await conversations.StartAsync(caller, record, cancellationToken);
        }
        catch
        {
            await admission.ReleaseAsync(id, CancellationToken.None);
            throw;
        }

        try
        {
            var room = await rooms.CreateAsync(
                new NewLiveKitRoom
                {
                    Name = roomName,
                    Metadata = call.RoomMetadata,
                    MaxParticipants = call.MaxParticipants,
                    Agents = call.Agents ?? [],
                },
                cancellationToken);
            if (room.Sid.Length == 0)
                throw LiveKitErrors.Unavailable.With("LiveKit made a room without an id.");
            await database.RunAsync(Caller.Service, [new Statement(OpenedSql, Parameter.Uuid(id), Parameter.Text(room.Sid))], cancellationToken);
            return new StartedLiveKitCall(await conversations.FindAsync(caller, id, cancellationToken), room, access);
        }
        catch
        {
            // Whoever asked may be gone; what was begun is undone all the same.
            await UndoAsync(id, roomName);
            throw;
        }
    }

    /// <summary>Ends a call: its record gets the reason, and its room is closed. Ending twice is harmless.</summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>, <c>livekit_no_room</c>, <c>livekit_unavailable</c>: then the record has ended, and the reconciler closes the room.</exception>
    public async Task<Conversation> EndAsync(Caller caller, Guid conversationId, string? reason = null, CancellationToken cancellationToken = default)
    {
        var (_, room) = await CallAsync(caller, conversationId, mustRun: false, cancellationToken);
        var ended = await conversations.EndAsync(caller, conversationId, reason ?? "ended", cancellationToken: cancellationToken);
        await admission.ReleaseAsync(conversationId, cancellationToken);
        await rooms.DeleteAsync(room, cancellationToken);
        return ended;
    }

    /// <summary>Who is in a call's room now, by LiveKit's word.</summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>, <c>livekit_no_room</c>, <c>livekit_not_found</c>, <c>livekit_unavailable</c>.</exception>
    public async Task<IReadOnlyList<LiveKitParticipant>> ParticipantsAsync(Caller caller, Guid conversationId, CancellationToken cancellationToken = default) =>
        await rooms.ParticipantsAsync((await CallAsync(caller, conversationId, mustRun: false, cancellationToken)).Room, cancellationToken);

    /// <summary>Sends a participant out of a call. One who is gone already is no error.</summary>
    /// <returns>Whether it was there.</returns>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>, <c>livekit_no_room</c>, <c>livekit_unavailable</c>.</exception>
    public async Task<bool> RemoveAsync(Caller caller, Guid conversationId, string identity, CancellationToken cancellationToken = default) =>
        await rooms.RemoveAsync((await CallAsync(caller, conversationId, mustRun: false, cancellationToken)).Room, identity, cancellationToken);

    /// <summary>Begins to record a call's sound: the agent on one channel, everybody else on the other.</summary>
    /// <param name="caller">The owner, an admin, or the service; the latter two may say where to.</param>
    /// <param name="conversationId">The call.</param>
    /// <param name="path">Where to, as LiveKit's egress understands it; null for the configured one.</param>
    /// <param name="mixed">All voices on both channels instead.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>, <c>livekit_no_room</c>, <c>livekit_call_over</c>, <c>livekit_grant_refused</c>, <c>livekit_unavailable</c>.</exception>
    public async Task<LiveKitEgress> StartRecordingAsync(
        Caller caller, Guid conversationId, string? path = null, bool mixed = false, CancellationToken cancellationToken = default)
    {
        var (_, room) = await CallAsync(caller, conversationId, mustRun: true, cancellationToken);
        // A path is one on the machine that records.
        if (path is not null && !caller.IsService && !await IsAdminAsync(caller, cancellationToken))
            throw LiveKitErrors.GrantRefused.With("path may be given by admins and the service.");
        return await rooms.StartRecordingAsync(room, path, mixed, cancellationToken);
    }

    /// <summary>A call's recordings, by LiveKit's word.</summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>, <c>livekit_no_room</c>, <c>livekit_unavailable</c>.</exception>
    public async Task<IReadOnlyList<LiveKitEgress>> RecordingsAsync(Caller caller, Guid conversationId, CancellationToken cancellationToken = default) =>
        await rooms.RecordingsAsync((await CallAsync(caller, conversationId, mustRun: false, cancellationToken)).Room, cancellationToken: cancellationToken);

    /// <summary>Ends a recording of a call. One that has ended already is no error.</summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>, <c>livekit_no_room</c>, <c>livekit_not_found</c>, <c>livekit_unavailable</c>.</exception>
    public async Task<LiveKitEgress> StopRecordingAsync(Caller caller, Guid conversationId, string egressId, CancellationToken cancellationToken = default)
    {
        // Only this call's own: an id alone would stop anybody's.
        var egress = (await RecordingsAsync(caller, conversationId, cancellationToken)).FirstOrDefault(egress => egress.EgressId == egressId)
            ?? throw LiveKitErrors.RoomNotFound.With($"Call {conversationId} has no recording '{egressId}'.");
        return await rooms.StopRecordingAsync(egress.EgressId, cancellationToken);
    }

    /// <summary>
    /// A token for a conversation's room. Its owner and those who took part get one to join, as themselves, and may only narrow what it
    /// allows; admins and the service may name identity, kind and grants.
    /// </summary>
    /// <exception cref="VoxbaseException">
    /// <c>conversation_not_found</c>, <c>livekit_no_room</c>, <c>livekit_call_over</c>, <c>livekit_grant_refused</c>, <c>livekit_token_not_mintable</c>,
    /// <c>livekit_not_configured</c>.
    /// </exception>
    public async Task<LiveKitAccess> TokenAsync(Caller caller, Guid conversationId, NewLiveKitToken token, CancellationToken cancellationToken = default)
    {
        var conversation = await conversations.FindAsync(caller, conversationId, cancellationToken);
        var isTrusted = caller.IsService || await IsAdminAsync(caller, cancellationToken);
        var room = RoomOf(conversation, isTrusted);
        if (conversation.Status is ConversationStatus.Completed or ConversationStatus.Failed)
            throw LiveKitErrors.CallOver.With($"Conversation {conversationId} is {conversation.Status.ToString().ToLowerInvariant()}.");
        var identity = token.Identity ?? caller.UserId?.ToString();
        if (isTrusted)
        {
            var grant = token.Video ?? new LiveKitVideoGrant { RoomJoin = true };
            if (grant.Room is not null && grant.Room != room)
                throw LiveKitErrors.GrantRefused.With($"The conversation's room is '{room}', and the token is for that.");
            return Access(token with { Identity = identity, Video = grant with { Room = room } });
        }

        if (identity != caller.UserId?.ToString())
            throw LiveKitErrors.GrantRefused.With("A user joins as itself.");
        var wish = token.Video ?? new LiveKitVideoGrant();
        // Taken over one by one: a grant that LiveKit adds later is refused, not passed on.
        var narrowed = new LiveKitVideoGrant
        {
            RoomJoin = true,
            Room = room,
            CanPublish = wish.CanPublish,
            CanSubscribe = wish.CanSubscribe,
            CanPublishData = wish.CanPublishData,
            CanPublishSources = wish.CanPublishSources,
            // Attributes are what others know a participant by.
            CanUpdateOwnMetadata = wish.CanUpdateOwnMetadata is false ? false : null,
        };
        // A list of sources compares by reference, and is the same one on both sides.
        if (wish with { RoomJoin = true, Room = wish.Room == room ? room : wish.Room ?? room } != narrowed)
            throw LiveKitErrors.GrantRefused.With("A user's token joins the conversation's room, and may only narrow can_publish, can_subscribe, can_publish_data and can_publish_sources.");
        if (token.Sip is not null || token.Agent is not null || token.Inference is not null || token.Observability is not null
            || token.Kind is not (null or "standard") || token.KindDetails is not null || token.RoomConfig is not null || token.RoomPreset is not null
            || token.Sha256 is not null || token.Attributes?.Keys.Any(name => name.StartsWith("lk.", StringComparison.Ordinal)) == true)
        {
            throw LiveKitErrors.GrantRefused.With("A user's token has no grants, kind, room configuration or attributes of LiveKit's own.");
        }

        if (token.Lifetime > options.LiveKit.TokenLifetime)
            throw LiveKitErrors.GrantRefused.With($"A user's token holds for {options.LiveKit.TokenLifetime} at most.");
        return Access(token with { Identity = identity, Video = narrowed });
    }

    /// <summary>The call of a conversation, to be told something or ended from any process; null when it has no room of ours that may be open.</summary>
    internal async ValueTask<IRunningCall?> FindRunningAsync(Guid conversationId, CancellationToken cancellationToken)
    {
        Conversation conversation;
        try
        {
            conversation = await conversations.FindAsync(Caller.Service, conversationId, cancellationToken);
        }
        catch (VoxbaseException e) when (e.Error == ConversationErrors.NotFound)
        {
            return null;
        }

        return conversation.Status is ConversationStatus.Pending or ConversationStatus.Active && conversation.RoomName is { } room
            && conversation.Metadata.TryGetProperty("livekit", out _)
            ? new RunningLiveKitCall(this, rooms, conversationId, room)
            : null;
    }

    /// <summary>Whether the caller is an admin, by the database's word.</summary>
    public async Task<bool> IsAdminAsync(Caller caller, CancellationToken cancellationToken = default) =>
        caller.UserId is not null && await database.RunAsync(
            caller, [new Statement(IsAdminSql)], static async (results, ct) => await results.ReadAsync(ct) && results.GetBoolean(0), cancellationToken);

    /// <summary>Closes a room and takes back the record of a call that never began. Does not throw.</summary>
    internal async Task UndoAsync(Guid conversationId, string room)
    {
        try
        {
            await rooms.DeleteAsync(room, CancellationToken.None);
        }
        catch (VoxbaseException e)
        {
            // It closes by itself when nobody joins, and nobody was given a token.
            Log.RoomLeft(logger, conversationId, e.Code);
        }

        try
        {
            await database.RunAsync(Caller.Service, [new Statement(UndoSql, Parameter.Uuid(conversationId))], CancellationToken.None);
            await admission.ReleaseAsync(conversationId, CancellationToken.None);
        }
        catch (VoxbaseException e)
        {
            Log.RoomLeft(logger, conversationId, e.Code);
        }
    }

    private LiveKitAccess Access(NewLiveKitToken token)
    {
        var jwt = tokens.Mint(token, out var expiresAt);
        return new LiveKitAccess(jwt, options.LiveKit.Url, token.Video?.Room, token.Identity, expiresAt);
    }

    private async Task<(Conversation Conversation, string Room)> CallAsync(Caller caller, Guid conversationId, bool mustRun, CancellationToken cancellationToken)
    {
        var conversation = await conversations.FindAsync(caller, conversationId, cancellationToken);
        var isTrusted = caller.IsService || await IsAdminAsync(caller, cancellationToken);
        // Those who take part see the conversation; to govern it is the owner's.
        if (!isTrusted && conversation.UserId != caller.UserId)
            throw ConversationErrors.NotFound.With($"There is no conversation {conversationId}, or it is not the caller's to change.");
        var room = RoomOf(conversation, isTrusted);
        return mustRun && conversation.Status is ConversationStatus.Completed or ConversationStatus.Failed
            ? throw LiveKitErrors.CallOver.With($"Conversation {conversationId} is {conversation.Status.ToString().ToLowerInvariant()}.")
            : (conversation, room);
    }

    // Users write what their conversations' rooms are called, so that a name proves nothing: for them it must be the one made here.
    private static string RoomOf(Conversation conversation, bool isTrusted) =>
        conversation.RoomName is { } room && (isTrusted || room == LiveKitInbox.RoomNameOf(conversation.Id))
            ? room
            : throw LiveKitErrors.NotACall.With($"Conversation {conversation.Id} has no LiveKit room that was made here.");

    private static JsonElement MetadataOf(JsonElement? given)
    {
        if (given is null or { ValueKind: JsonValueKind.Null or JsonValueKind.Undefined })
            return LiveKitMetadata.Empty;
        if (given is not { ValueKind: JsonValueKind.Object } metadata)
            throw ConversationErrors.InputInvalid.With("metadata must be an object");
        if (metadata.TryGetProperty("livekit", out _))
            throw ConversationErrors.InputInvalid.With("metadata.livekit is written by Voxbase");
        var raw = metadata.GetRawText().Trim();
        return JsonElement.Parse(raw == "{}" || metadata.EnumerateObject().All(_ => false) ? LiveKitMetadata.Empty.GetRawText() : $$"""{"livekit":{},{{raw[1..]}}""");
    }

    /// <summary>A call on LiveKit, which is at LiveKit and in no process of ours.</summary>
    private sealed class RunningLiveKitCall(LiveKitCalls calls, LiveKitRooms rooms, Guid conversationId, string room) : IRunningCall
    {
        public async ValueTask TellAsync(string code, string message, CancellationToken cancellationToken)
        {
            try
            {
                await rooms.SendAsync(room, Topic, JsonSerializer.Serialize(new { type = "voxbase", code, message }), cancellationToken);
            }
            catch (VoxbaseException e) when (e.Error == LiveKitErrors.RoomNotFound)
            {
                // Over meanwhile.
            }
        }

        public async ValueTask EndAsync(string endReason, CancellationToken cancellationToken) =>
            await calls.EndAsync(Caller.Service, conversationId, endReason, cancellationToken);
    }
}
