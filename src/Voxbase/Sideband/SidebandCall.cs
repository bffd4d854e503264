using System.Net.WebSockets;
using Microsoft.Extensions.Logging;
using Voxbase.Capture;

namespace Voxbase.Sideband;

#pragma warning disable CA1001 // Neither a SemaphoreSlim nor a CancellationTokenSource holds anything while nobody asks for its wait handle.

/// <summary>One call that this process listens in on, from attaching until it is over or this process lets it go.</summary>
internal sealed class SidebandCall : IRunningCall
{
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ClosingPatience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LeavingPatience = TimeSpan.FromSeconds(2);

    private readonly OpenAiCalls calls;
    private readonly LiveRecorder recorder;
    private readonly OpenAiOptions options;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly ToolDesk tools;
    private readonly ContextUpkeep? upkeep;
    private readonly CancellationTokenSource over = new();
    private readonly SemaphoreSlim sending = new(1);
    private volatile TaskCompletionSource<ClientWebSocket> attached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource finished = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Why we hang up, while it is not certain that we can.
    private volatile string? wanted;
    private volatile string? endReason;
    private volatile bool isLeaving;

    public SidebandCall(
        Conversation conversation, ProviderCall call, LiveRecorder recorder, OpenAiCalls calls, VoxbaseOptions options, TimeProvider time,
        ToolAnswers answers, Microsoft.Extensions.AI.IChatClient? chat, ILogger logger)
    {
        (Conversation, Call, this.recorder, this.calls, this.options, this.time, this.logger) =
            (conversation, call, recorder, calls, options.OpenAi, time, logger);
        tools = new ToolDesk(conversation, answers, SendAsync, logger);
        // A Live session looks after its context itself.
        upkeep = call.IsLive || !options.Upkeep.Enabled ? null : new ContextUpkeep(conversation.Id, options.Upkeep, SendAsync, chat, time, logger);
    }

    public Conversation Conversation { get; }

    public ProviderCall Call { get; }

    /// <summary>Takes in what was recorded before.</summary>
    public void Restore(IReadOnlyList<LoggedEvent> events, IEnumerable<string> answered)
    {
        upkeep?.Restore(events);
        tools.Skip(answered);
    }

    /// <summary>Records an event of ours that goes to nobody.</summary>
    public void Note(ReadOnlyMemory<byte> e) => recorder.Record(fromServer: false, e);

    /// <summary>
    /// Listens until the call is over, attaching again when cut off. Cancelled, it takes its leave and lets the call go on without us: what
    /// the provider sent before it knew is recorded.
    /// </summary>
    public async Task RunAsync(ClientWebSocket first, CancellationToken stopping)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(stopping, over.Token);
        using var leaving = stopping.UnsafeRegister(static call => _ = ((SidebandCall)call!).LeaveAsync(), this);
        var socket = first;
        try
        {
            while (true)
            {
                attached.TrySetResult(socket);
                var cut = await ReceiveAsync(socket, over.Token);
                attached = new(TaskCreationOptions.RunContinuationsAsynchronously);
                socket.Dispose();
                if (cut.Reason is { } reason)
                    endReason ??= wanted ?? reason;
                if (endReason is not null || stopping.IsCancellationRequested)
                    break;
                if (await ReattachAsync(cut, either.Token) is not { } again)
                    break;
                socket = again;
            }
        }
        catch (OperationCanceledException)
        {
            // Let go, or ended while attaching again.
        }
        finally
        {
            socket.Dispose();
            await over.CancelAsync();
            finished.TrySetResult();
        }

        // What stops only here goes on at the provider; the next process attaches again.
        if (endReason is { } ended)
            await recorder.EndAsync(ended, CancellationToken.None);
    }

    /// <summary>The provider's client cannot be reached through a sideband: nobody is told.</summary>
    public ValueTask TellAsync(string code, string message, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <inheritdoc/>
    /// <remarks>A call that cannot be hung up goes on, and so does its record.</remarks>
    public async ValueTask EndAsync(string endReason, CancellationToken cancellationToken)
    {
        // Before it is done: the provider closes the sideband sooner than it answers.
        wanted ??= endReason;
        try
        {
            if (!Call.IsLive || !await CloseAsync(cancellationToken))
                await calls.HangUpAsync(Call, cancellationToken);
        }
        catch (VoxbaseException e)
        {
            wanted = null;
            Log.NotHungUp(logger, Conversation.Id, e.Code);
            return;
        }

        this.endReason ??= wanted ?? endReason;
        await over.CancelAsync();
    }

    // A Live session closes from within, and then gives its last word on the seconds; hanging up is for SIP alone.
    private async Task<bool> CloseAsync(CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(ClosingPatience);
        try
        {
            await SendAsync("""{"type":"session.close"}"""u8.ToArray(), patience.Token);
            await finished.Task.WaitAsync(patience.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // It did not answer, or it is over.
            return finished.Task.IsCompleted;
        }
    }

    // The provider sends until it has read our goodbye; then it says its own, which ends the listening.
    private async Task LeaveAsync()
    {
        isLeaving = true;
        if (!attached.Task.IsCompleted)
        {
            await over.CancelAsync();
            return;
        }

        over.CancelAfter(LeavingPatience);
        try
        {
            await attached.Task.Result.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, over.Token);
        }
        catch (Exception e) when (e is WebSocketException or ObjectDisposedException or InvalidOperationException or OperationCanceledException)
        {
            // Cut off, which ends it as well.
        }
    }

    // Recorded first, as everything that passes; a socket that breaks under it is waited for, and gets it then.
    private async Task SendAsync(ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, over.Token);
        await sending.WaitAsync(either.Token);
        try
        {
            var isRecorded = false;
            while (true)
            {
                var socket = await attached.Task.WaitAsync(either.Token);
                if (!isRecorded)
                {
                    if (isLeaving || !recorder.Record(fromServer: false, frame))
                        throw new OperationCanceledException("The call is over, or goes on without us.");
                    isRecorded = true;
                    See(fromServer: false, frame);
                }

                try
                {
                    await socket.SendAsync(frame, WebSocketMessageType.Text, endOfMessage: true, either.Token);
                    return;
                }
                catch (Exception e) when (e is WebSocketException or ObjectDisposedException or InvalidOperationException)
                {
                    await Task.Delay(ShortestWait, time, either.Token);
                }
            }
        }
        finally
        {
            sending.Release();
        }
    }

    private async Task<Cut> ReceiveAsync(ClientWebSocket socket, CancellationToken cancellationToken)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            while (true)
            {
                var length = 0;
                ValueWebSocketReceiveResult received;
                do
                {
                    if (length == buffer.Length)
                    {
                        if (length >= ProviderLog.MaxLineBytes)
                            return new Cut(false, EndReasons.MessageTooLarge);
                        Array.Resize(ref buffer, Math.Min(ProviderLog.MaxLineBytes, length * 2));
                    }

                    received = await socket.ReceiveAsync(buffer.AsMemory(length), cancellationToken);
                    length += received.Count;
                }
                while (!received.EndOfMessage);

                if (received.MessageType == WebSocketMessageType.Close)
                {
                    if (socket.State == WebSocketState.CloseReceived)
                        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, cancellationToken);
                    return new Cut(socket.CloseStatus == WebSocketCloseStatus.NormalClosure, null);
                }

                var frame = buffer.AsMemory(0, length);
                if (!recorder.Record(fromServer: true, frame, received.MessageType == WebSocketMessageType.Text))
                    return new Cut(false, endReason ?? EndReasons.UpstreamClosed);
                if (See(fromServer: true, frame))
                    return new Cut(true, EndReasons.UpstreamClosed);
            }
        }
        catch (IOException e)
        {
            Log.CutOff(logger, Conversation.Id, e.GetType().Name);
            return new Cut(false, EndReasons.RecordingFailed);
        }
        catch (Exception e) when (e is WebSocketException or ObjectDisposedException)
        {
            return new Cut(false, null);
        }
    }

    // True for the provider's word that the session is over.
    private bool See(bool fromServer, ReadOnlyMemory<byte> frame)
    {
        var line = ProviderLog.Parse(0, frame);
        if (line?.Event is not { } e)
            return false;
        e = e with { Direction = fromServer ? EventDirections.Server : EventDirections.Client };
        upkeep?.Seen(e, over.Token);
        tools.Seen(e, over.Token);
        return fromServer && e.Type == "session.closed";
    }

    // Null when the call is over, with endReason set.
    private async Task<ClientWebSocket?> ReattachAsync(Cut cut, CancellationToken cancellationToken)
    {
        var since = time.GetTimestamp();
        var wait = ShortestWait;
        var isTold = false;
        while (true)
        {
            try
            {
                return await calls.AttachAsync(Call, cancellationToken);
            }
            catch (VoxbaseException e) when (e.Error == SidebandErrors.CallNotFound)
            {
                endReason ??= wanted ?? EndReasons.UpstreamClosed;
                return null;
            }
            catch (VoxbaseException e)
            {
                if (e.Error != ProviderErrors.Unavailable || time.GetElapsedTime(since) >= options.ReattachFor)
                {
                    endReason ??= cut.IsClean ? EndReasons.UpstreamClosed : EndReasons.UpstreamLost;
                    return null;
                }

                if (!isTold)
                    Log.CutOff(logger, Conversation.Id, e.Code);
                isTold = true;
                await Task.Delay(wait, time, cancellationToken);
                wait = wait * 2 < LongestWait ? wait * 2 : LongestWait;
            }
        }
    }

    /// <summary>How a socket ended.</summary>
    /// <param name="IsClean">Whether the provider closed it in good order.</param>
    /// <param name="Reason">Why there is no use in attaching again; null when there is.</param>
    private sealed record Cut(bool IsClean, string? Reason);
}
