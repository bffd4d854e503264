using System.Text.Json;
using System.Threading.Channels;
using Voxbase.Realtime;

namespace Voxbase.AspNetCore;

#pragma warning disable CA1001 // What it holds ends with its run.

/// <summary>
/// One topic of one client, from its join to its end. Its messages are handled one after the other, in the order in which they came. Codes and messages are
/// those that Supabase's clients know.
/// </summary>
internal sealed class PhoenixChannel
{
    // What a client may have on the way before it is taken for a flood.
    private const int InboxCapacity = 2_000;

    private static readonly JsonElement Nothing = JsonElement.Parse("{}");

    private readonly PhoenixSocket socket;
    private readonly PhoenixMessage joining;
    private readonly string topic;
    private readonly Channel<Work> inbox = Channel.CreateBounded<Work>(new BoundedChannelOptions(InboxCapacity) { SingleReader = true });
    private readonly TaskCompletionSource completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource replaced = new();

    private JoinRequest request = null!;
    private ChannelSession session = null!;
    private ChannelRights rights;
    private ChannelMember? member;
    private TableChanges? changes;
    private ITimer? recheck;
    private HashSet<Guid>? replayed;
    private volatile string? shutDown;
    private int presenceCalls;
    private long presenceSince;

    public PhoenixChannel(PhoenixSocket socket, PhoenixMessage joining)
    {
        (this.socket, this.joining) = (socket, joining);
        topic = joining.Topic[PhoenixFrames.TopicPrefix.Length..];
    }

    public string WireTopic => joining.Topic;

    public string Topic => topic;

    /// <summary>Whose it is at present.</summary>
    public Guid? UserId => session.Caller.UserId;

    /// <summary>Has the policies asked again.</summary>
    public void Recheck() => inbox.Writer.TryWrite(new Work(WorkKind.Recheck, null));

    public string? JoinRef => joining.JoinRef ?? joining.Ref;

    /// <summary>Done when nothing of it is left.</summary>
    public Task Completion => completion.Task;

    private ChannelParts Parts => socket.Parts;

    public void Start(Task previous) => _ = Task.Run(() => RunAsync(previous));

    /// <summary>Hands over a message. One too many closes the channel.</summary>
    public void Post(PhoenixMessage message)
    {
        if (!inbox.Writer.TryWrite(new Work(WorkKind.Message, message)))
            ShutDown("Too many messages per second");
    }

    /// <summary>Ends the channel, before anything that still waits, and says why.</summary>
    public bool ShutDown(string reason)
    {
        shutDown ??= reason;
        inbox.Writer.TryComplete();
        return false;
    }

    /// <summary>Ends the channel because the client joins its topic anew.</summary>
    public void Replace()
    {
        replaced.Cancel();
        inbox.Writer.TryComplete();
    }

    private async Task RunAsync(Task previous)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(socket.Over, replaced.Token);
        try
        {
            await previous;
            if (!await JoinAsync(ending.Token))
                return;
            var goesOn = true;
            while (goesOn && shutDown is null && await inbox.Reader.WaitToReadAsync(ending.Token))
            {
                while (goesOn && shutDown is null && inbox.Reader.TryRead(out var work))
                    goesOn = await HandleAsync(work, ending.Token);
            }

            if (shutDown is { } reason)
                Say("system", isOk: false, reason);
            Push("phx_close", Nothing);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            if (replaced.IsCancellationRequested)
                Push("phx_close", Nothing);
        }
        catch (Exception e)
        {
            Log.ChannelFailed(Parts.Logger, (e as VoxbaseException)?.Code ?? e.GetType().FullName!);
            Push("phx_error", Nothing);
        }
        finally
        {
            inbox.Writer.TryComplete();
            member?.Leave();
            recheck?.Dispose();
            Parts.Watch.Remove(this);
            if (changes is not null)
                await changes.DisposeAsync();
            socket.Remove(this);
            completion.SetResult();
        }
    }

    private async Task<bool> JoinAsync(CancellationToken cancellationToken)
    {
        request = JoinRequest.Of(joining.Payload, Parts.Options.MaxSubscribeWait);
        var token = request.AccessToken is { } own && !ChannelTokens.IsKey(own) ? own : socket.Session.Token;
        var (verified, refusal) = await Parts.Tokens.VerifyAsync(token, cancellationToken);
        if (verified is null)
            return Refuse(refusal!.ToString());
        session = verified;
        try
        {
            rights = await RightsAsync(cancellationToken);
        }
        catch (VoxbaseException e)
        {
            Log.ChannelFailed(Parts.Logger, e.Code);
            return Refuse("UnableToConnectToProject: Realtime was unable to connect to the project database");
        }

        if (!rights.MayJoin || (request.WantsReplay && request.IsPrivate && !rights.BroadcastRead))
            return Refuse($"Unauthorized: {NotAllowed}");
        if (request.WantsReplay && !request.IsPrivate)
            return Refuse("UnableToReplayMessages: Replay is not allowed for public channels");
        if (request is { WantsReplay: true, Replay: null })
            return Refuse("UnableToReplayMessages: Replay params are not valid");

        Parts.Broadcasts.Start();
        Parts.Peers.Start();
        var missed = new List<Broadcast>();
        if (request.Replay is { } replay)
        {
            missed = await Parts.Messages.ReplayAsServiceAsync(topic, replay.Since, replay.Limit, cancellationToken);
            replayed = [.. missed.Select(message => message.Id!.Value)];
        }

        if (request.Changes.Count > 0)
        {
            changes = new TableChanges(Parts, request.Changes, Changed, (isOk, message) => Say("postgres_changes", isOk, message));
            changes.Begin(session.Caller);
            if (request.Wait is { } wait && await changes.WaitAsync(wait, cancellationToken) is { } fault)
                return Refuse(fault);
        }

        member = Parts.Channels.Join(new ChannelTopic(topic, request.IsPrivate), request.PresenceKey, rights.BroadcastRead, Deliver);
        socket.Reply(joining with { JoinRef = JoinRef }, isOk: true, TableChanges.Answer(changes));
        foreach (var message in missed)
            socket.Send(PhoenixFrames.Of(socket.Version, message, WireTopic));
        if (request.FollowsPresence && rights.PresenceRead)
            member.FollowPresence();
        changes?.Announce();
        if (request.WantsReplicationReady)
            _ = AnnounceReplicationAsync(cancellationToken);
        if (request.IsPrivate)
            Parts.Watch.Add(this);
        Schedule();
        return true;
    }

    private string NotAllowed => $"You do not have permissions to read from this Channel topic: {topic}";

    private async ValueTask<ChannelRights> RightsAsync(CancellationToken cancellationToken) =>
        request.IsPrivate ? await Parts.Access.AskAsync(session.Caller, topic, socket.Headers, cancellationToken) : ChannelRights.All;

    // False: the channel is over.
    private async ValueTask<bool> HandleAsync(Work work, CancellationToken cancellationToken)
    {
        if (work.Kind == WorkKind.Recheck)
            return await RecheckAsync(cancellationToken);
        var message = work.Message!;
        switch (message.Event)
        {
            case "broadcast":
                return Send(message);
            case "presence":
                return Present(message);
            case "access_token":
                return await RefreshAsync(message, cancellationToken);
            case "phx_leave":
                Answer(message, isOk: true, "{}"u8);
                return false;
            default:
                // A later version's, perhaps.
                return true;
        }
    }

    private bool Send(PhoenixMessage message)
    {
        var broadcast = BroadcastOf(message);
        var fault = broadcast is null ? "invalid_payload"
            : !rights.BroadcastWrite ? "unauthorized"
            : LengthOf(broadcast) > Parts.Options.MaxPayloadBytes ? "payload_size_exceeded"
            : null;
        if (fault is null)
            member!.Send(broadcast!, request.IncludesSelf);
        if (request.IsAcknowledged)
            Answer(message, isOk: fault is null, fault is null ? "{}"u8 : PhoenixFrames.Texts(("error", fault)));
        return true;

        static int LengthOf(Broadcast broadcast) => broadcast.Whole.IsEmpty ? broadcast.Payload.Length : broadcast.Whole.Length;
    }

    private static Broadcast? BroadcastOf(PhoenixMessage message) => message.Pushed switch
    {
        { IsBinary: true } pushed => Broadcast.Binary(pushed.Name, pushed.Payload),
        { } pushed => Broadcast.Json(pushed.Name, pushed.Payload),
        null when message.Payload.ValueKind == JsonValueKind.Object => Broadcast.Object(PhoenixFrames.RawOf(message.Payload)),
        _ => null,
    };

    private bool Present(PhoenixMessage message)
    {
        if (JoinRequest.TextOf(JoinRequest.Part(message.Payload, "event")) is not { } wanted)
        {
            Answer(message, isOk: true, "{}"u8);
            return true;
        }

        if (!MayCallPresence())
            return ShutDown("Client presence rate limit exceeded");
        switch (wanted.ToLowerInvariant())
        {
            case "track" when rights.PresenceWrite:
                return Track(message);
            case "untrack":
                member!.Untrack();
                Answer(message, isOk: true, "{}"u8);
                return true;
            default:
                Answer(message, isOk: false, "{}"u8);
                return true;
        }
    }

    private bool Track(PhoenixMessage message)
    {
        var payload = JoinRequest.Part(message.Payload, "payload");
        if (payload.ValueKind is not (JsonValueKind.Object or JsonValueKind.Undefined))
        {
            Answer(message, isOk: false, """{"reason":"Presence track payload must be a map"}"""u8);
            return true;
        }

        var json = PhoenixFrames.RawOf(payload.ValueKind == JsonValueKind.Object ? payload : Nothing);
        if (json.Length > Parts.Options.MaxPayloadBytes)
            return ShutDown("Track message size exceeded");
        // Who is present is also told of the others, however it joined.
        if (!request.FollowsPresence)
        {
            request = request with { FollowsPresence = true };
            if (rights.PresenceRead)
                member!.FollowPresence();
        }

        member!.Track(json);
        Answer(message, isOk: true, "{}"u8);
        return true;
    }

    private bool MayCallPresence()
    {
        var now = Parts.Time.GetTimestamp();
        if (presenceCalls == 0 || Parts.Time.GetElapsedTime(presenceSince, now) > Parts.Options.PresenceWindow)
            (presenceCalls, presenceSince) = (0, now);
        return ++presenceCalls <= Parts.Options.PresenceCalls;
    }

    private async ValueTask<bool> RefreshAsync(PhoenixMessage message, CancellationToken cancellationToken)
    {
        var token = JoinRequest.TextOf(JoinRequest.Part(message.Payload, "access_token"));
        if (token is null || ChannelTokens.IsKey(token) || token == session.Token)
            return true;
        var (verified, refusal) = await Parts.Tokens.VerifyAsync(token, cancellationToken);
        if (verified is null)
            return ShutDown(refusal!.Message);
        var isSameCaller = verified.Caller == session.Caller;
        session = verified;
        if (!await AskAgainAsync(cancellationToken))
            return false;
        if (!isSameCaller)
            changes?.Begin(session.Caller);
        Schedule();
        return true;
    }

    private async ValueTask<bool> RecheckAsync(CancellationToken cancellationToken)
    {
        if (session.ExpiresAt <= Parts.Time.GetUtcNow())
            return ShutDown(Parts.Tokens.Expired(session.ExpiresAt).Message);
        // The issuer's keys may have changed meanwhile.
        var (verified, refusal) = await Parts.Tokens.VerifyAsync(session.Token, cancellationToken);
        if (verified is null)
            return ShutDown(refusal!.Message);
        if (!await AskAgainAsync(cancellationToken))
            return false;
        Schedule();
        return true;
    }

    // A right to listen that is gone ends the channel; others come and go with the policies.
    private async ValueTask<bool> AskAgainAsync(CancellationToken cancellationToken)
    {
        if (!request.IsPrivate)
            return true;
        ChannelRights now;
        try
        {
            now = await RightsAsync(cancellationToken);
        }
        catch (VoxbaseException e)
        {
            Log.ChannelFailed(Parts.Logger, e.Code);
            return ShutDown("Realtime was unable to connect to the project database");
        }

        if (!now.MayJoin || (rights.BroadcastRead && !now.BroadcastRead) || (rights.PresenceRead && !now.PresenceRead))
            return ShutDown(NotAllowed);
        var seesPresence = !rights.PresenceRead && now.PresenceRead && request.FollowsPresence;
        rights = now;
        member!.HearsBroadcasts = now.BroadcastRead;
        if (seesPresence)
            member.FollowPresence();
        return true;
    }

    private void Schedule()
    {
        var left = session.ExpiresAt - Parts.Time.GetUtcNow();
        var due = left < Parts.Options.RecheckInterval ? left : Parts.Options.RecheckInterval;
        // A timer may be a little early: not before the second is over.
        due = due > TimeSpan.Zero ? due + TimeSpan.FromMilliseconds(1) : TimeSpan.Zero;
        recheck ??= Parts.Time.CreateTimer(
            static state => ((PhoenixChannel)state!).Recheck(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        recheck.Change(due, Timeout.InfiniteTimeSpan);
    }

    private async Task AnnounceReplicationAsync(CancellationToken cancellationToken)
    {
        try
        {
            await Parts.Broadcasts.Ready.WaitAsync(Parts.Options.MaxSubscribeWait, Parts.Time, cancellationToken);
            Say("system", isOk: true, "Replication connection established");
        }
        catch (TimeoutException)
        {
            ShutDown("Replication connection was not established in time");
        }
        catch (OperationCanceledException)
        {
            // The channel is over.
        }
    }

    private void Deliver(ChannelEvent happened)
    {
        if (happened is Broadcast { Id: { } id } && replayed?.Contains(id) == true)
            return;
        socket.Send(PhoenixFrames.Of(socket.Version, happened, WireTopic));
    }

    private void Changed(ReadOnlyMemory<byte> payload) => socket.Send(PhoenixFrames.Write(socket.Version, null, null, WireTopic, "postgres_changes", payload.Span));

    private bool Refuse(string reason)
    {
        socket.Refuse(joining with { JoinRef = JoinRef }, reason);
        return false;
    }

    private void Answer(PhoenixMessage message, bool isOk, ReadOnlySpan<byte> response)
    {
        // Who gives no ref waits for no answer.
        if (message.Ref is not null)
            socket.Reply(message with { JoinRef = JoinRef }, isOk, response);
    }

    private void Say(string extension, bool isOk, string message) =>
        socket.Send(PhoenixFrames.Write(socket.Version, JoinRef, null, WireTopic, "system", PhoenixFrames.Texts(
            ("extension", extension), ("status", isOk ? "ok" : "error"), ("message", message), ("channel", topic))));

    private void Push(string name, JsonElement payload) =>
        socket.Send(PhoenixFrames.Write(socket.Version, JoinRef, JoinRef, WireTopic, name, PhoenixFrames.RawOf(payload)));

    private enum WorkKind
    {
        Message,
        Recheck,
    }

    private readonly record struct Work(WorkKind Kind, PhoenixMessage? Message);
}
