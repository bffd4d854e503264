using System.Buffers;
using System.IO.Pipelines;
using System.Net.WebSockets;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Voxbase.AspNetCore;

/// <summary>How events go out: server-sent events, or messages of a WebSocket.</summary>
internal abstract class FeedStream
{
    /// <summary>Puts an event into what is sent next.</summary>
    /// <param name="next">The event.</param>
    /// <param name="isPlaced">Whether the client is to go on behind it when it comes back.</param>
    public abstract void Write(FeedEvent next, bool isPlaced);

    /// <summary>Puts a JSON object of an event's shape, without a line break, into what is sent next.</summary>
    public abstract void Write(string type, byte[] json);

    /// <summary>Sends what was put in.</summary>
    public abstract Task FlushAsync(CancellationToken cancellationToken);

    /// <summary>Tells that it still lives.</summary>
    public abstract Task BeatAsync(CancellationToken cancellationToken);

    /// <summary>Ends it, after an error or without.</summary>
    public abstract Task CloseAsync(ErrorCode? error);
}

/// <summary>Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).</summary>
internal sealed class ServerSentEvents : FeedStream
{
    private static readonly byte[] Beat = [.. ":\n\n"u8];

    private readonly PipeWriter output;

    // One event alone, which is what a live stream mostly has, is sent as it is: not copied into a buffer of this stream first.
    private byte[]? only;
    private bool isMore;

    public ServerSentEvents(HttpContext context)
    {
        context.Response.ContentType = "text/event-stream";
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        // Proxies of nginx's kind would hold it back.
        context.Response.Headers["X-Accel-Buffering"] = "no";
        output = context.Response.BodyWriter;
    }

    public override void Write(FeedEvent next, bool isPlaced)
    {
        Put(isPlaced ? next.Frame ??= FrameOf(next.Name, next.Position, next.ToJson().Span) : FrameOf(next.Name, null, next.ToJson().Span));
    }

    public override void Write(string type, byte[] json) => Put(FrameOf(type, null, json));

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        if (only is { } alone)
        {
            only = null;
            await output.WriteAsync(alone, cancellationToken);
            return;
        }

        isMore = false;
        await output.FlushAsync(cancellationToken);
    }

    public override async Task BeatAsync(CancellationToken cancellationToken) => await output.WriteAsync(Beat, cancellationToken);

    public override Task CloseAsync(ErrorCode? error) => Task.CompletedTask;

    private void Put(byte[] frame)
    {
        if (only is null && !isMore)
        {
            only = frame;
            return;
        }

        if (only is { } first)
            output.Write(first);
        output.Write(frame);
        (only, isMore) = (null, true);
    }

    private static byte[] FrameOf(string type, FeedPosition? position, ReadOnlySpan<byte> json)
    {
        var frame = new ArrayBufferWriter<byte>(json.Length + 96);
        if (position is { } at)
        {
            frame.Write("id: "u8);
            Encoding.ASCII.GetBytes(at.ToString(), frame);
            frame.Write("\n"u8);
        }

        frame.Write("event: "u8);
        Encoding.ASCII.GetBytes(type, frame);
        frame.Write("\ndata: "u8);
        frame.Write(json);
        frame.Write("\n\n"u8);
        return frame.WrittenSpan.ToArray();
    }
}

/// <summary>One message a JSON object. What the client says is not read, but for the end.</summary>
internal sealed class FeedSocket(WebSocket socket) : FeedStream
{
    private readonly List<ReadOnlyMemory<byte>> messages = [];

    public override void Write(FeedEvent next, bool isPlaced) => messages.Add(next.ToJson());

    public override void Write(string type, byte[] json) => messages.Add(json);

    public override async Task FlushAsync(CancellationToken cancellationToken)
    {
        foreach (var message in messages)
            await socket.SendAsync(message, WebSocketMessageType.Text, endOfMessage: true, cancellationToken);
        messages.Clear();
    }

    // The server's own keep-alive pings do.
    public override Task BeatAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override async Task CloseAsync(ErrorCode? error)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        try
        {
            if (socket.State is WebSocketState.Open or WebSocketState.CloseReceived)
                await socket.CloseOutputAsync(StatusOf(error), error?.Code, patience.Token);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException)
        {
            // It is gone already.
        }
    }

    // 4401 and its like, as HTTP's 401: https://datatracker.ietf.org/doc/html/rfc6455#section-7.4.2 leaves 4000 to 4999 to applications.
    private static WebSocketCloseStatus StatusOf(ErrorCode? error) =>
        error is null ? WebSocketCloseStatus.EndpointUnavailable : (WebSocketCloseStatus)(4000 + Responses.StatusOf(error));

    /// <summary>Returns when the client has closed it or is gone.</summary>
    public async Task WaitForEndAsync(CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(256);
        try
        {
            while (socket.State == WebSocketState.Open
                && (await socket.ReceiveAsync(buffer.AsMemory(0, 256), cancellationToken)).MessageType != WebSocketMessageType.Close)
            {
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException)
        {
            // Gone without a word.
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
