using System.Buffers;
using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Voxbase.AspNetCore;

#pragma warning disable CA1001 // A CancellationTokenSource without a timer holds nothing, and the one with a timer is disposed at the end of the run.

/// <summary>
/// One client's socket, with all its channels. Frames are read one after the other and handed to their channel, which works on its own: a join that waits
/// holds up nothing else. What goes out waits in a queue of bounded bytes; a client that lets it run full is cut off and costs the others nothing.
/// </summary>
internal sealed class PhoenixSocket
{
    private const int FrameBuffer = 4 * 1024;

    // Room for refs, topic, event name and meta around a payload.
    private const int FrameOverhead = 16 * 1024;

    private const string HeartbeatTopic = "phoenix";
    private static readonly TimeSpan ClosePatience = TimeSpan.FromSeconds(3);

    private readonly WebSocket socket;
    private readonly Channel<PhoenixFrame> outgoing = Channel.CreateUnbounded<PhoenixFrame>(new UnboundedChannelOptions { SingleReader = true });
    private readonly ConcurrentDictionary<string, PhoenixChannel> channels = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource over = new();
    private readonly Allowance messages;
    private readonly Allowance joins;
    private (WebSocketCloseStatus Status, string Reason)? closing;
    private long queued;

    public PhoenixSocket(WebSocket socket, PhoenixVersion version, ChannelSession session, string headers, ChannelParts parts)
    {
        (this.socket, Version, Session, Headers, Parts) = (socket, version, session, headers, parts);
        messages = new Allowance(parts.Options.MessagesPerSecond, parts.Time);
        joins = new Allowance(parts.Options.JoinsPerSecond, parts.Time);
    }

    public PhoenixVersion Version { get; }

    /// <summary>Who connected; a channel may be someone else's.</summary>
    public ChannelSession Session { get; }

    /// <summary>The handshake's headers, as policies may see them: a JSON object.</summary>
    public string Headers { get; }

    public ChannelParts Parts { get; }

    /// <summary>Cancelled when the socket is gone.</summary>
    public CancellationToken Over => over.Token;

    /// <summary>Runs until either side closes.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        var sending = SendAllAsync();
        await using (stopping.Register(() => Close(WebSocketCloseStatus.EndpointUnavailable, "Server requested disconnect")))
        {
            try
            {
                try
                {
                    await ReceiveAllAsync();
                }
                catch (FormatException e)
                {
                    Close(WebSocketCloseStatus.InvalidPayloadData, e.Message);
                }

                await AwaitCloseAsync();
            }
            catch (Exception e) when (IsLoss(e))
            {
                // The client is gone, or was cut off.
            }
        }

        outgoing.Writer.TryComplete();
        await Task.WhenAny(sending, Task.Delay(ClosePatience, CancellationToken.None));
        await over.CancelAsync();
        await Task.WhenAll(channels.Values.Select(each => each.Completion).Append(sending));
        if (socket.State != WebSocketState.Closed)
            socket.Abort();
    }

    /// <summary>Queues a frame. A client that is too far behind is cut off instead.</summary>
    public void Send(PhoenixFrame frame)
    {
        if (frame.Bytes.IsEmpty)
            return;
        if (Interlocked.Add(ref queued, frame.Bytes.Length) > Parts.Options.MaxQueuedBytes)
        {
            // There is no telling a client that does not read.
            if (!over.IsCancellationRequested)
            {
                Log.ClientTooSlow(Parts.Logger, Parts.Options.MaxQueuedBytes);
                outgoing.Writer.TryComplete();
                over.Cancel();
            }

            return;
        }

        outgoing.Writer.TryWrite(frame);
    }

    public void Reply(PhoenixMessage message, bool isOk, ReadOnlySpan<byte> response) =>
        Send(PhoenixFrames.Reply(Version, message.JoinRef, message.Ref, message.Topic, isOk, response));

    /// <summary>Sends what is queued, then closes. The reason is cut to what a close frame holds.</summary>
    public void Close(WebSocketCloseStatus status, string reason)
    {
        closing ??= (status, reason.Length <= 120 ? reason : reason[..120]);
        outgoing.Writer.TryComplete();
    }

    /// <summary>A channel is over.</summary>
    public void Remove(PhoenixChannel channel) => channels.TryRemove(new(channel.WireTopic, channel));

    private static bool IsLoss(Exception e) => e is WebSocketException or IOException or InvalidOperationException or OperationCanceledException;

    private async Task ReceiveAllAsync()
    {
        var longest = Parts.Options.MaxPayloadBytes + FrameOverhead;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(over.Token);
        var buffer = Array.Empty<byte>();
        try
        {
            while (true)
            {
                patience.CancelAfter(Parts.Options.IdleTimeout);
                // Waits without a buffer: thousands of idle clients hold none.
                var got = await socket.ReceiveAsync(Memory<byte>.Empty, patience.Token);
                var length = 0;
                if (got.MessageType != WebSocketMessageType.Close && !got.EndOfMessage)
                {
                    buffer = ArrayPool<byte>.Shared.Rent(FrameBuffer);
                    do
                    {
                        if (length == buffer.Length)
                        {
                            var larger = ArrayPool<byte>.Shared.Rent(buffer.Length * 2);
                            buffer.AsSpan(0, length).CopyTo(larger);
                            ArrayPool<byte>.Shared.Return(buffer);
                            buffer = larger;
                        }

                        got = await socket.ReceiveAsync(buffer.AsMemory(length), patience.Token);
                        length += got.Count;
                        if (length > longest)
                        {
                            Close(WebSocketCloseStatus.MessageTooBig, $"A frame may have {longest} bytes.");
                            return;
                        }
                    }
                    while (!got.EndOfMessage && got.MessageType != WebSocketMessageType.Close);
                }

                if (got.MessageType == WebSocketMessageType.Close || closing is not null)
                {
                    Close(WebSocketCloseStatus.NormalClosure, "");
                    return;
                }

                Handle(got.MessageType == WebSocketMessageType.Text
                    ? PhoenixFrames.ReadText(Version, buffer.AsSpan(0, length))
                    : PhoenixFrames.ReadBinary(Version, buffer.AsSpan(0, length)));
                if (buffer.Length > 0)
                    ArrayPool<byte>.Shared.Return(buffer);
                buffer = [];
            }
        }
        finally
        {
            if (buffer.Length > 0)
                ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // A client that is cut off before it has read why never learns it. Sending the close sets the time that this may take.
    private async Task AwaitCloseAsync()
    {
        var unread = ArrayPool<byte>.Shared.Rent(FrameBuffer);
        try
        {
            while (socket.State is WebSocketState.Open or WebSocketState.CloseSent)
                await socket.ReceiveAsync(unread.AsMemory(), over.Token);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(unread);
        }
    }

    private void Handle(PhoenixMessage message)
    {
        // The channel of the message that was one too many goes first; who goes on loses the socket.
        var left = messages.Take();
        channels.TryGetValue(message.Topic, out var channel);
        if (left < -Parts.Options.MessagesPerSecond)
        {
            Close(WebSocketCloseStatus.PolicyViolation, "Too many messages per second");
            return;
        }

        if (left < 0)
        {
            channel?.ShutDown("Too many messages per second");
            if (message.Event == "phx_join")
                Refuse(message, "ClientJoinRateLimitReached: Too many messages per second");
            return;
        }

        if (message is { Topic: HeartbeatTopic, Event: "heartbeat" })
        {
            Reply(message, isOk: true, "{}"u8);
            return;
        }

        if (message.Event == "phx_join")
            Join(message, channel);
        else if (channel is not null && (message.JoinRef is null || message.JoinRef == channel.JoinRef))
            channel.Post(message);
        else if (message.Event == "phx_leave")
            Reply(message, isOk: true, "{}"u8);
        else if (channel is null)
            Reply(message, isOk: false, """{"reason":"unmatched topic"}"""u8);
    }

    private void Join(PhoenixMessage message, PhoenixChannel? before)
    {
        if (!message.Topic.StartsWith(PhoenixFrames.TopicPrefix, StringComparison.Ordinal))
        {
            Reply(message, isOk: false, """{"reason":"unmatched topic"}"""u8);
        }
        else if (message.Topic.Length == PhoenixFrames.TopicPrefix.Length)
        {
            Refuse(message, "TopicNameRequired: You must provide a topic name");
        }
        else if (joins.Take() < 0)
        {
            Refuse(message, "ClientJoinRateLimitReached: Too many joins per second");
            Close(WebSocketCloseStatus.PolicyViolation, "Too many joins per second");
        }
        else if (before is null && channels.Count >= Parts.Options.MaxChannelsPerConnection)
        {
            Refuse(message, "ChannelRateLimitReached: Too many channels");
        }
        else
        {
            // A second join of a topic takes the place of the first.
            before?.Replace();
            var channel = new PhoenixChannel(this, message);
            channels[message.Topic] = channel;
            channel.Start(before?.Completion ?? Task.CompletedTask);
        }
    }

    /// <summary>Answers that it cannot be, and why.</summary>
    public void Refuse(PhoenixMessage message, string reason) => Reply(message, isOk: false, PhoenixFrames.Texts(("reason", reason)));

    private async Task SendAllAsync()
    {
        try
        {
            await foreach (var frame in outgoing.Reader.ReadAllAsync(over.Token))
            {
                await socket.SendAsync(frame.Bytes, frame.IsText ? WebSocketMessageType.Text : WebSocketMessageType.Binary, endOfMessage: true, over.Token);
                Interlocked.Add(ref queued, -frame.Bytes.Length);
            }

            var (status, reason) = closing ?? (WebSocketCloseStatus.NormalClosure, "");
            if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
                await socket.CloseOutputAsync(status, reason, over.Token);
            // A client that answers the close ends the reading; one that does not is cut off.
            over.CancelAfter(ClosePatience);
        }
        catch (Exception e) when (IsLoss(e))
        {
            await over.CancelAsync();
        }
    }

    /// <summary>So many a second, as many at once.</summary>
    private sealed class Allowance(int perSecond, TimeProvider time)
    {
        private double left = perSecond;
        private long at = time.GetTimestamp();

        /// <summary>Takes one; what is left, below 0 when it was one too many.</summary>
        public double Take()
        {
            var now = time.GetTimestamp();
            left = Math.Min(perSecond, left + (time.GetElapsedTime(at, now).TotalSeconds * perSecond)) - 1;
            at = now;
            return left;
        }
    }
}

/// <summary>What every channel works with.</summary>
internal sealed record ChannelParts(
    Voxbase.Realtime.Channels Channels, Voxbase.Realtime.ChannelAccess Access, Voxbase.Realtime.ChannelMessages Messages, Voxbase.Realtime.DatabaseBroadcasts Broadcasts,
    Voxbase.Realtime.ChannelPeers Peers, ChannelWatch Watch, ChannelTokens Tokens, Feed Feed, ChannelsOptions Options, TimeProvider Time, ILogger Logger);
