using System.Buffers;
using System.Diagnostics;
using System.Net.WebSockets;
using System.Text.Json;
using Voxbase.Capture;
using Voxbase.Sideband;

namespace Voxbase.AspNetCore;

#pragma warning disable CA1001 // A CancellationTokenSource without a timer holds nothing.

/// <summary>
/// One relayed call: what either side sends goes to the other as it came, chunk by chunk and unparsed. The last chunk of a message
/// waits until the message is in the recorder's spool: whatever was heard is recorded, however this process ends.
/// </summary>
/// <remarks>
/// Back-pressure is the sockets' own: who does not read is not written to, and then the other side is not read from. The database has
/// no part in it.
/// </remarks>
internal sealed class RelayCall : IRunningCall
{
    private const int SmallBuffer = 16 * 1024;

    private readonly Side client;
    private readonly Side upstream;
    private readonly LiveRecorder recorder;
    private readonly RelayOptions options;
    private readonly RelayUpkeep? upkeep;
    private readonly CancellationTokenSource over = new();
    private readonly TaskCompletionSource<string> ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long lastMessageAt = Stopwatch.GetTimestamp();

    /// <param name="client">Whoever calls, accepted.</param>
    /// <param name="upstream">The provider, connected.</param>
    /// <param name="recorder">Keeps what passes.</param>
    /// <param name="options">Limits and patience.</param>
    /// <param name="upkeep">Makes the upkeep of the call's context of what records and sends an event to the provider; null keeps none.</param>
    public RelayCall(
        WebSocket client, WebSocket upstream, LiveRecorder recorder, RelayOptions options,
        Func<Func<ReadOnlyMemory<byte>, CancellationToken, Task>, ContextUpkeep>? upkeep)
    {
        (this.recorder, this.options) = (recorder, options);
        this.upkeep = upkeep is null ? null : new RelayUpkeep(upkeep(SendUpstreamAsync));
        this.client = new Side(client, EndReasons.ClientClosed, EndReasons.ClientLost);
        this.upstream = new Side(upstream, EndReasons.UpstreamClosed, EndReasons.UpstreamLost);
    }

    /// <summary>Relays until the call is over; returns why it is.</summary>
    public async Task<string> RunAsync()
    {
        var idle = EndWhenIdleAsync();
        var seeing = upkeep?.RunAsync(over.Token) ?? Task.CompletedTask;
        var pumps = Task.WhenAll(PumpAsync(client, upstream, fromServer: false), PumpAsync(upstream, client, fromServer: true));
        var reason = await ended.Task;
        // Whoever closed waits for the other's answer, and what is on its way still arrives.
        try
        {
            await pumps.WaitAsync(options.CloseTimeout);
        }
        catch (TimeoutException)
        {
            // Cancelled below.
        }

        await over.CancelAsync();
        await pumps;
        await idle;
        await seeing;
        client.Socket.Abort();
        upstream.Socket.Abort();
        return reason;
    }

    /// <inheritdoc/>
    public async ValueTask TellAsync(string code, string message, CancellationToken cancellationToken)
    {
        // An error of OpenAI's shape is the one thing that every client takes at any time. It is not the provider's, so not recorded.
        var told = JsonSerializer.SerializeToUtf8Bytes(
            new ToldEvent("error", $"event_voxbase_{Guid.CreateVersion7():n}", new ToldError("voxbase", code, message, null, null)), VoxbaseJson.Types.ToldEvent);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, over.Token);
        try
        {
            await client.Sending.WaitAsync(patience.Token);
            try
            {
                if (client.Socket.State is WebSocketState.Open or WebSocketState.CloseReceived && !client.IsClosed)
                    await client.Socket.SendAsync(told, WebSocketMessageType.Text, endOfMessage: true, over.Token);
            }
            finally
            {
                client.Sending.Release();
            }
        }
        catch (Exception e) when (IsLoss(e))
        {
            // It ended meanwhile.
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The same.
        }
    }

    /// <inheritdoc/>
    public async ValueTask EndAsync(string endReason, CancellationToken cancellationToken)
    {
        if (!ended.TrySetResult(endReason))
            return;
        var status = endReason == EndReasons.ServerStopped ? WebSocketCloseStatus.EndpointUnavailable
            : endReason == EndReasons.MessageTooLarge ? WebSocketCloseStatus.MessageTooBig
            : endReason is EndReasons.RecordingFailed ? WebSocketCloseStatus.InternalServerError
            : endReason == EndReasons.Idle ? WebSocketCloseStatus.NormalClosure
            : WebSocketCloseStatus.PolicyViolation;
        await Task.WhenAll(CloseAsync(client, status, endReason), CloseAsync(upstream, WebSocketCloseStatus.NormalClosure, null));
    }

    private async Task PumpAsync(Side from, Side to, bool fromServer)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(SmallBuffer);
        var (length, isSending) = (0, false);
        try
        {
            while (true)
            {
                if (length == buffer.Length)
                    buffer = Resized(buffer, length, Math.Min(buffer.Length * 2, options.MaxMessageBytes + 1));
                ValueWebSocketReceiveResult got;
                try
                {
                    got = await from.Socket.ReceiveAsync(buffer.AsMemory(length), over.Token);
                }
                catch (Exception e) when (IsLoss(e))
                {
                    if (ended.TrySetResult(from.Lost))
                        await CloseAsync(to, fromServer ? WebSocketCloseStatus.InternalServerError : WebSocketCloseStatus.EndpointUnavailable, from.Lost);
                    return;
                }

                if (got.MessageType == WebSocketMessageType.Close)
                {
                    ended.TrySetResult(from.Closed);
                    await CloseAsync(to, from.Socket.CloseStatus ?? WebSocketCloseStatus.Empty, from.Socket.CloseStatusDescription);
                    return;
                }

                var chunk = buffer.AsMemory(length, got.Count);
                length += got.Count;
                if (length > options.MaxMessageBytes)
                {
                    await EndAsync(EndReasons.MessageTooLarge, CancellationToken.None);
                    return;
                }

                if (!isSending)
                {
                    await to.Sending.WaitAsync(over.Token);
                    isSending = true;
                }

                if (got.EndOfMessage && !Record(fromServer, buffer.AsMemory(0, length), got.MessageType == WebSocketMessageType.Text))
                {
                    isSending = Release(to);
                    await EndAsync(EndReasons.RecordingFailed, CancellationToken.None);
                    return;
                }

                try
                {
                    if (!to.IsClosed)
                        await to.Socket.SendAsync(chunk, got.MessageType, got.EndOfMessage, over.Token);
                }
                catch (Exception e) when (IsLoss(e))
                {
                    isSending = Release(to);
                    if (ended.TrySetResult(to.Lost))
                        await CloseAsync(from, fromServer ? WebSocketCloseStatus.EndpointUnavailable : WebSocketCloseStatus.InternalServerError, to.Lost);
                    return;
                }

                if (!got.EndOfMessage)
                    continue;
                isSending = Release(to);
                length = 0;
                Volatile.Write(ref lastMessageAt, Stopwatch.GetTimestamp());
                if (buffer.Length > 4 * SmallBuffer)
                    buffer = Resized(buffer, 0, SmallBuffer);
            }
        }
        catch (OperationCanceledException)
        {
            // The call is over, and the other side did not answer in time.
        }
        finally
        {
            if (isSending)
                to.Sending.Release();
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private bool Record(bool fromServer, ReadOnlyMemory<byte> message, bool isText)
    {
        try
        {
            if (!recorder.Record(fromServer, message, isText))
                return false;
            upkeep?.Passed(fromServer, message.Span);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    // An event of ours, between those of the client. A provider that is gone is the pumps' to find out.
    private async Task SendUpstreamAsync(ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        await upstream.Sending.WaitAsync(cancellationToken);
        try
        {
            if (upstream.IsClosed || !Record(fromServer: false, message, isText: true))
                throw new OperationCanceledException("The call is over.");
            await upstream.Socket.SendAsync(message, WebSocketMessageType.Text, endOfMessage: true, over.Token);
        }
        finally
        {
            upstream.Sending.Release();
        }
    }

    // After a message that is under way, and never in the middle of one; a side that does not take it in time is cut off.
    private async Task CloseAsync(Side side, WebSocketCloseStatus status, string? description)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(over.Token);
        patience.CancelAfter(options.CloseTimeout);
        try
        {
            await side.Sending.WaitAsync(patience.Token);
            try
            {
                if (side.IsClosed)
                    return;
                side.IsClosed = true;
                await side.Socket.CloseOutputAsync(status, status == WebSocketCloseStatus.Empty ? null : description, patience.Token);
            }
            finally
            {
                side.Sending.Release();
            }
        }
        catch (Exception e) when (IsLoss(e) || e is OperationCanceledException)
        {
            side.Socket.Abort();
        }
    }

    private async Task EndWhenIdleAsync()
    {
        try
        {
            while (true)
            {
                var left = options.IdleTimeout - Stopwatch.GetElapsedTime(Volatile.Read(ref lastMessageAt));
                if (left <= TimeSpan.Zero)
                {
                    await EndAsync(EndReasons.Idle, CancellationToken.None);
                    return;
                }

                await Task.Delay(left, over.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // The call is over.
        }
    }

    private static bool IsLoss(Exception e) => e is WebSocketException or IOException or InvalidOperationException;

    // False: nobody is sending any more.
    private static bool Release(Side side)
    {
        side.Sending.Release();
        return false;
    }

    private static byte[] Resized(byte[] buffer, int length, int size)
    {
        var other = ArrayPool<byte>.Shared.Rent(size);
        buffer.AsSpan(0, length).CopyTo(other);
        ArrayPool<byte>.Shared.Return(buffer);
        return other;
    }

    /// <summary>One of the two sockets. Whoever sends, or closes, holds <see cref="Sending"/> for a whole message.</summary>
    private sealed class Side(WebSocket socket, string closed, string lost)
    {
        public WebSocket Socket { get; } = socket;

        public string Closed { get; } = closed;

        public string Lost { get; } = lost;

        public SemaphoreSlim Sending { get; } = new(1);

        public bool IsClosed { get; set; }
    }
}

/// <summary>What a running call is told, in OpenAI's shape.</summary>
internal sealed record ToldEvent(string Type, string EventId, ToldError Error);

/// <summary>The error inside.</summary>
internal sealed record ToldError(string Type, string Code, string Message, string? Param, string? EventId);
