using System.Buffers;
using System.Text.Json;
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

    // A spool that is behind grows; one that was caught up with is emptied once it is worth the trouble.
    private const long EmptyAbove = 4 << 20;
    private const int AudioOnlyPatience = 4;

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

    // What was read of the spool and is not committed yet.
    private readonly List<LoggedEvent> pending = [];
    private CaptureSession? session;
    private long readTo = Spool.Start;
    private int pendingBytes;
    private bool onlyAudio = true;
    private bool isAllRead;
    private End? end;
    private bool isNamed;

    private int isAwake;
    private int isHurried;
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

    internal long WaitingBytes => spool.Length - Volatile.Read(ref readTo);

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
        if (fromServer && isText)
            owner.Live?.Pass(topic, frame.Span);
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

        Interlocked.Exchange(ref isHurried, 1);
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

        Interlocked.Exchange(ref isHurried, 1);
        Wake();
        return Completion.WaitAsync(cancellationToken);
    }

    internal void Start() => _ = Task.Run(RunAsync);

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
            catch (VoxbaseException e) when (e.Error.Kind == ErrorKind.Unavailable)
            {
                Log.CommitDelayed(owner.Logger, conversation.Id, e.Code);
            }
            catch (VoxbaseException e) when (e.Error.Kind == ErrorKind.NotFound)
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
        var committedAt = owner.Time.GetTimestamp();
        while (true)
        {
            await wake.WaitAsync(cancellationToken);
            if (!isEnded && Volatile.Read(ref isHurried) == 0)
                await Task.Delay(owner.Options.CommitInterval, owner.Time, cancellationToken);
            Volatile.Write(ref isAwake, 0);
            var isHurriedNow = Interlocked.Exchange(ref isHurried, 0) == 1 || isEnded;
            do
            {
                ReadMore();
                var isDue = isHurriedNow || !onlyAudio || pendingBytes >= owner.Options.CommitBytes
                    || owner.Time.GetElapsedTime(committedAt) >= owner.Options.CommitInterval * AudioOnlyPatience;
                if (pending.Count > 0 && !isDue)
                {
                    Wake();
                    break;
                }

                if (pending.Count > 0)
                {
                    await CommitPendingAsync(cancellationToken);
                    committedAt = owner.Time.GetTimestamp();
                }
            }
            while (spool.Length > readTo && end is null && !isAllRead);

            Answer();
            if (end is not null && pending.Count == 0)
                return;
        }
    }

    private void ReadMore()
    {
        var buffer = ArrayPool<byte>.Shared.Rent(256 * 1024);
        try
        {
            while (pendingBytes < owner.Options.CommitBytes && end is null && !isAllRead)
            {
                var read = spool.Read(readTo, buffer);
                var rest = buffer.AsMemory(0, read);
                var taken = 0;
                int size;
                while (Spool.TryRead(rest, out var kind, out var offsetMs, out var payload, out size))
                {
                    rest = rest[size..];
                    taken += size;
                    if (kind == EndKind)
                    {
                        end = new End(JsonSerializer.Deserialize<string>(payload.Span)!, offsetMs);
                        break;
                    }

                    Take(kind, offsetMs, payload);
                }

                Volatile.Write(ref readTo, readTo + taken);
                if (taken > 0)
                    continue;
                if (size > buffer.Length && readTo + size <= spool.Length)
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = ArrayPool<byte>.Shared.Rent(size);
                    continue;
                }

                end = endWithoutRecord;
                if (isRecovery)
                {
                    // Whatever follows is not whole: the machine, not only the process, broke down in the middle of it.
                    isAllRead = true;
                    end ??= new End(
                        spool.EndsWithServer ? EndReasons.ServerLost : null,
                        (int)Math.Max(0, (spool.WrittenAt - conversation.StartedAt).TotalMilliseconds));
                }

                return;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private void Take(byte kind, int offsetMs, ReadOnlyMemory<byte> payload)
    {
        var direction = (kind & ServerBit) != 0 ? EventDirections.Server : EventDirections.Client;
        var e = ProviderLog.Frame(direction, offsetMs, payload, isText: (kind & BinaryBit) == 0);
        pending.Add(e);
        pendingBytes += payload.Length;
        onlyAudio &= RealtimeEventTypes.Canonical(e.Type) is "input_audio_buffer.append" or "response.output_audio.delta" or "session.output_audio.delta"
            or "session.input_audio_buffer.append";
    }

    private async Task CommitPendingAsync(CancellationToken cancellationToken)
    {
        if (session is null)
        {
            session = await owner.Captures.OpenAsServiceAsync(conversation, cancellationToken);
            session.GoOnAfter(spool.KeptBefore);
        }

        var charges = session.ChargeCount;
        await owner.Writing.WaitAsync(cancellationToken);
        try
        {
            await session.RecordAsync(pending, cancellationToken);
            if (!isNamed && session.Reader.SessionId is { } sessionId)
            {
                await owner.Captures.NameAsServiceAsync(conversation.Id, sessionId, cancellationToken);
                isNamed = true;
            }
        }
        finally
        {
            owner.Writing.Release();
        }

        pending.Clear();
        (pendingBytes, onlyAudio) = (0, true);
        if (session.ChargeCount > charges)
            owner.Admission.Charged(conversation.Id);
        if (readTo > EmptyAbove && spool.TryEmpty(readTo, session.KeptEvents))
            Volatile.Write(ref readTo, Spool.Start);
        if (end is { Reason: EndReasons.UpstreamClosed } closed && session.Reader.EndReason is { } said)
            end = closed with { Reason = said };
    }

    // Tells who waits for a commit.
    private void Answer()
    {
        lock (waiting)
        {
            if (pending.Count > 0)
                return;
            var committed = spool.Total - (spool.Length - readTo);
            waiting.RemoveAll(each => each.Total <= committed && each.Done.TrySetResult());
        }
    }

    private async Task ForgetAsync()
    {
        pending.Clear();
        (pendingBytes, onlyAudio, isAllRead, end) = (0, true, false, null);
        Volatile.Write(ref readTo, Spool.Start);
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
