using System.Buffers;
using System.Text.Json;
using Voxbase.Data;
using Voxbase.Realtime;

namespace Voxbase.Capture;

#pragma warning disable CA1001 // Neither a SemaphoreSlim nor a CancellationTokenSource holds anything while nobody asks for its wait handle.

/// <summary>
/// Records one running call. <see cref="Record"/> is for the way of the audio: it takes microseconds, waits for no database, and what it
/// was given outlives this process. Behind it, batches of events go through the same fold as a replayed log and are committed with all
/// that follows from them. Made by <see cref="LiveRecorders.OpenAsync"/>; over with <see cref="EndAsync"/>.
/// </summary>
public sealed class LiveRecorder
{
    private const byte EndKind = 8;
    private const byte ServerBit = 1;
    private const byte BinaryBit = 2;

    // A spool that is behind grows; one that was caught up with is emptied once it is worth the trouble: after so many commits' worth.
    private const int EmptyAbove = 4;
    private const int AudioOnlyPatience = 8;

    private static readonly TimeSpan ShortestRetry = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(2);

    private readonly LiveRecorders owner;
    private readonly Conversation conversation;
    private readonly ChannelTopic topic;
    private readonly Spool spool;
    private readonly bool isRecovery;
    private readonly int openedAtMs;
    private readonly long openedAt;
    private readonly CancellationTokenSource abandoned = new();
    private readonly TaskCompletionSource completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SemaphoreSlim wake = new(0);
    private readonly Lock ending = new();
    private readonly List<(long Total, TaskCompletionSource Done)> waiting = [];

    private CaptureSession? session;
    private long committedTo = Spool.Start;
    private int mostEvents;
    private End? end;
    private bool isNamed;
    private bool hasCommitted;

    private int isAwake;
    private volatile bool isHurried;
    private volatile bool hasWords;
    private volatile bool isEnded;
    private volatile End? endWithoutRecord;
    private long events;

    internal LiveRecorder(LiveRecorders owner, Conversation conversation, Spool spool, CaptureSession? session, bool isRecovery)
    {
        (this.owner, this.conversation, this.spool, this.session, this.isRecovery) = (owner, conversation, spool, session, isRecovery);
        topic = ChannelTopic.Of(conversation.Id);
        isNamed = conversation.SessionId is not null;
        isEnded = isRecovery;
        openedAt = owner.Time.GetTimestamp();
        openedAtMs = (int)Math.Clamp((owner.Time.GetUtcNow() - conversation.StartedAt).TotalMilliseconds, 0, int.MaxValue / 2);
        if (isRecovery)
            Wake();
    }

    /// <summary>The conversation.</summary>
    public Guid ConversationId => conversation.Id;

    /// <summary>How many events were recorded since this was opened.</summary>
    public long Events => Interlocked.Read(ref events);

    /// <summary>
    /// Done when the call has ended and everything of it is committed. Fails when the events cannot be committed at all; they are kept in the
    /// spool, and tried again after a restart.
    /// </summary>
    public Task Completion => completion.Task;

    internal bool HasEnded => isEnded;

    internal long WaitingBytes => spool.Length - Volatile.Read(ref committedTo);

    /// <summary>
    /// Records a frame: an event as one side sent it. When this returns true, the event outlives this process and will be committed, in
    /// the order of the calls, so pass it on after that. False when the call has ended: then it must not be passed on. Thread-safe; the
    /// bytes are the caller's again when it returns.
    /// </summary>
    /// <param name="fromServer">Whether the provider sent it.</param>
    /// <param name="frame">The whole message. One that is no event is kept as it is and read by nobody.</param>
    /// <param name="isText">Whether it is a text message, as events are.</param>
    /// <exception cref="IOException">The spool cannot be written, such as on a full disk; the frame is not recorded.</exception>
    public bool Record(bool fromServer, ReadOnlyMemory<byte> frame, bool isText = true)
    {
        if (!spool.Append((byte)((fromServer ? ServerBit : 0) | (isText ? 0 : BinaryBit)), NowMs(), frame))
            return false;
        Interlocked.Increment(ref events);
        owner.Counted(1);
        if (!isText || !RealtimeEventTypes.IsAudio(frame.Span))
        {
            hasWords = true;
            if (fromServer && isText)
                owner.Live?.Pass(topic, frame.Span);
        }

        Wake();
        return true;
    }

    /// <summary>Waits until everything recorded so far is committed.</summary>
    public async Task FlushAsync(CancellationToken cancellationToken = default)
    {
        TaskCompletionSource done;
        lock (waiting)
        {
            done = new(TaskCreationOptions.RunContinuationsAsynchronously);
            waiting.Add((spool.Total, done));
        }

        isHurried = true;
        Wake();
        await (await Task.WhenAny(done.Task, Completion)).WaitAsync(cancellationToken);
    }

    /// <summary>
    /// Ends the call and its conversation, and waits until everything is committed. The end itself is durable at once: whoever stops
    /// waiting, or is killed, has it done later. The first end counts.
    /// </summary>
    /// <param name="reason">See <see cref="EndReasons"/>; what the provider said itself goes before its closed socket.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task EndAsync(string reason, CancellationToken cancellationToken = default)
    {
        lock (ending)
        {
            if (!isEnded)
            {
                try
                {
                    spool.Append(EndKind, NowMs(), JsonSerializer.SerializeToUtf8Bytes(reason), isLast: true);
                }
                catch (IOException)
                {
                    // A full disk. It is remembered as long as this process lives.
                    endWithoutRecord = new End(reason, NowMs());
                }

                isEnded = true;
            }
        }

        isHurried = true;
        Wake();
        return Completion.WaitAsync(cancellationToken);
    }

    internal void Start() => owner.Lane.Run(RunAsync);

    /// <summary>Stops committing; the spool is left for whoever recovers it.</summary>
    internal async Task AbandonAsync()
    {
        isEnded = true;
        await abandoned.CancelAsync();
        await completion.Task.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    private int NowMs() => openedAtMs + (int)owner.Time.GetElapsedTime(openedAt).TotalMilliseconds;

    private void Wake()
    {
        if (Interlocked.Exchange(ref isAwake, 1) == 0)
            wake.Release();
    }

    private async Task RunAsync()
    {
        var retry = ShortestRetry;
        while (true)
        {
            try
            {
                await CommitAsync(abandoned.Token);
                if (end is { Reason: { } reason })
                    await owner.FinishAsync(conversation, reason, conversation.StartedAt.AddMilliseconds(end.OffsetMs), abandoned.Token);
                spool.Delete();
                await CloseAsync(null);
                return;
            }
            catch (OperationCanceledException e) when (abandoned.IsCancellationRequested)
            {
                await CloseAsync(e);
                return;
            }
            catch (VoxbaseException e) when (e.Error.Kind == ErrorKind.Unavailable || e.Error == DataErrors.AlreadyExists)
            {
                // What exists already is of a commit that was cut off from us, not from the database, and came through meanwhile.
                Log.CommitDelayed(owner.Logger, conversation.Id, e.Code);
            }
            catch (VoxbaseException e) when (e.Error == ConversationErrors.NotFound)
            {
                // Somebody deleted the conversation while it went on, and its words with it.
                Log.ConversationGone(owner.Logger, conversation.Id);
                spool.Delete();
                await owner.ReleaseAsync(conversation.Id);
                await CloseAsync(null);
                return;
            }
            catch (Exception e)
            {
                Log.CommitFailed(owner.Logger, conversation.Id, (e as VoxbaseException)?.Code ?? e.GetType().FullName!);
                await owner.ReleaseAsync(conversation.Id);
                await CloseAsync(e);
                return;
            }

            if (hasCommitted)
                (retry, hasCommitted) = (ShortestRetry, false);
            // Whether the last commit happened is unknown. Read again from the start: what was committed is recognised.
            await ForgetAsync();
            try
            {
                await Task.Delay(retry, owner.Time, abandoned.Token);
            }
            catch (OperationCanceledException)
            {
                // Seen above, at the first thing that waits.
            }

            retry = retry * 2 < LongestRetry ? retry * 2 : LongestRetry;
            Wake();
        }
    }

    // Returns when all is committed and the call has ended.
    private async Task CommitAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await wake.WaitAsync(cancellationToken);
            // What comes with audio is gathered for one interval; audio alone for some, or until it is as much as a commit takes.
            for (var waited = 0; !isEnded && !isHurried && waited < AudioOnlyPatience; waited++)
            {
                if (waited > 0 && (hasWords || WaitingBytes >= owner.Options.CommitBytes))
                    break;
                await Task.Delay(owner.Options.CommitInterval, owner.Time, cancellationToken);
            }

            // Before anything is looked at: whoever records from here on wakes this again.
            Interlocked.Exchange(ref isAwake, 0);
            (isHurried, hasWords) = (false, false);
            // Nothing is recorded after it; so what is there now is all, when it is set.
            var unwritten = endWithoutRecord;
            if (session is null)
            {
                session = await owner.Captures.OpenAsServiceAsync(conversation, cancellationToken);
                session.GoOnAfter(spool.KeptBefore);
            }

            while (end is null && spool.Length > committedTo && await CommitInTurnAsync(session, cancellationToken))
            {
            }

            Answer();
            if ((end ??= unwritten ?? (isRecovery ? EndOfTheDead() : null)) is not null)
            {
                if (end is { Reason: EndReasons.UpstreamClosed } closed && session.Reader.EndReason is { } said)
                    end = closed with { Reason = said };
                return;
            }
        }
    }

    // Until its turn comes a call's events are in the spool, and nowhere in memory.
    private async Task<bool> CommitInTurnAsync(CaptureSession to, CancellationToken cancellationToken)
    {
        await owner.Writing.WaitAsync(cancellationToken);
        try
        {
            return await CommitNextAsync(to, cancellationToken);
        }
        finally
        {
            owner.Writing.Release();
        }
    }

    // As much as one commit takes, read and committed. False when there is nothing that is whole.
    private async Task<bool> CommitNextAsync(CaptureSession to, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(WaitingBytes, Spool.RecordHead, owner.Options.CommitBytes));
        try
        {
            var (events, taken) = (new List<LoggedEvent>(Math.Max(4, mostEvents)), 0);
            End? read = null;
            while (true)
            {
                var rest = buffer.AsMemory(0, spool.Read(committedTo, buffer));
                int size;
                while (Spool.TryRead(rest, out var kind, out var offsetMs, out var payload, out size))
                {
                    rest = rest[size..];
                    taken += size;
                    if (kind == EndKind)
                    {
                        read = new End(JsonSerializer.Deserialize<string>(payload.Span)!, offsetMs);
                        break;
                    }

                    var direction = (kind & ServerBit) != 0 ? EventDirections.Server : EventDirections.Client;
                    events.Add(ProviderLog.Frame(direction, offsetMs, payload, isText: (kind & BinaryBit) == 0));
                }

                if (taken > 0 || size <= buffer.Length || committedTo + size > spool.Length)
                    break;
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = ArrayPool<byte>.Shared.Rent(size);
            }

            if (taken == 0)
            {
                // The machine, not only the process, broke down in the middle of it. In a process that lives, what is written is whole.
                return isRecovery ? false : throw new InvalidDataException($"The spool {spool.Path} is damaged.");
            }

            mostEvents = Math.Max(mostEvents, Math.Min(events.Count, 1_024));
            var charges = to.ChargeCount;
            hasCommitted |= await to.RecordAsync(events, cancellationToken) > 0;
            if (!isNamed && to.Reader.SessionId is { } sessionId)
            {
                await owner.Captures.NameAsServiceAsync(conversation.Id, sessionId, cancellationToken);
                isNamed = true;
            }

            Volatile.Write(ref committedTo, committedTo + taken);
            end = read;
            if (to.ChargeCount > charges)
                owner.Admission.Charged(conversation.Id);
            // Not its end: that is kept until the conversation has it.
            if (read is null && committedTo > (long)EmptyAbove * owner.Options.CommitBytes && spool.TryEmpty(committedTo, to.KeptEvents))
                Volatile.Write(ref committedTo, Spool.Start);
            return true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // What no end was written for.
    private End EndOfTheDead() => new(
        spool.EndsWithServer ? EndReasons.ServerLost : null, (int)Math.Max(0, (spool.WrittenAt - conversation.StartedAt).TotalMilliseconds));

    // Tells who waits for a commit.
    private void Answer()
    {
        lock (waiting)
        {
            var committed = spool.Total - WaitingBytes;
            waiting.RemoveAll(each => each.Total <= committed && each.Done.TrySetResult());
        }
    }

    private async Task ForgetAsync()
    {
        end = null;
        Volatile.Write(ref committedTo, Spool.Start);
        if (session is { } broken)
        {
            session = null;
            await broken.DisposeAsync();
        }
    }

    private async Task CloseAsync(Exception? failure)
    {
        isEnded = true;
        spool.Dispose();
        if (session is { } open)
            await open.DisposeAsync();
        owner.Leave(this);
        if (failure is null)
            completion.TrySetResult();
        else if (failure is OperationCanceledException)
            completion.TrySetCanceled();
        else
            completion.TrySetException(failure);
        // Nobody has to look.
        _ = completion.Task.Exception;
    }

    // Without a reason the call may go on elsewhere.
    private sealed record End(string? Reason, int OffsetMs);
}
