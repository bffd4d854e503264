using System.Collections.Concurrent;
using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Voxbase.Testing;

/// <summary>OpenAI as a sideband meets it: its calls over REST and WebSocket, in its wire format, on a loopback port.</summary>
internal sealed class FakeCalls : IAsyncDisposable
{
    public const string Key = "sk-test-of-the-fake";

    private readonly ConcurrentDictionary<string, FakeCall> calls = new();
    private readonly WebApplication app;

    private FakeCalls(WebApplication app) => this.app = app;

    public string BaseUrl => app.Urls.First() + "/v1";

    /// <summary>What was posted, as path and body.</summary>
    public ConcurrentQueue<(string Path, string Body)> Posts { get; } = new();

    /// <summary>The status of every answer to a POST; a call that is not there answers 404 all the same.</summary>
    public HttpStatusCode Answers { get; set; } = HttpStatusCode.OK;

    /// <summary>Whether sidebands are refused with 503.</summary>
    public bool IsDown { get; set; }

    public static async Task<FakeCalls> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var fake = new FakeCalls(app);
        app.UseWebSockets();
        app.Map("/v1/realtime", (HttpContext context) => fake.SidebandAsync(context, context.Request.Query["call_id"].ToString()));
        app.Map("/v1/live/sessions/{id}/attach", (HttpContext context, string id) => fake.SidebandAsync(context, id));
        app.MapPost("/v1/realtime/calls/{id}/{action}", (HttpContext context, string id) => fake.PostAsync(context, id));
        app.MapPost("/v1/live/sessions/{id}/{action}", (HttpContext context, string id) => fake.PostAsync(context, id));
        await app.StartAsync();
        return fake;
    }

    public FakeCall Call(string id) => calls.GetOrAdd(id, _ => new FakeCall());

    /// <summary>The call is over: its sockets close in good order and its id is known no more.</summary>
    public async Task EndAsync(string id)
    {
        if (calls.TryRemove(id, out var call))
            await call.CloseAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var call in calls.Values)
            call.Cut();
        await app.DisposeAsync();
    }

    private async Task PostAsync(HttpContext context, string id)
    {
        using var reader = new StreamReader(context.Request.Body);
        Posts.Enqueue((context.Request.Path, await reader.ReadToEndAsync()));
        context.Response.StatusCode = context.Request.Headers.Authorization != $"Bearer {Key}" ? 401 : !calls.ContainsKey(id) ? 404 : (int)Answers;
        if (context.Request.Path.Value!.EndsWith("/hangup", StringComparison.Ordinal) && context.Response.StatusCode == 200)
            await EndAsync(id);
    }

    private async Task SidebandAsync(HttpContext context, string id)
    {
        if (!context.WebSockets.IsWebSocketRequest || context.Request.Headers.Authorization != $"Bearer {Key}")
            context.Response.StatusCode = 401;
        else if (IsDown)
            context.Response.StatusCode = 503;
        else if (!calls.TryGetValue(id, out var call))
            context.Response.StatusCode = 404;
        else
            await call.ServeAsync(context, await context.WebSockets.AcceptWebSocketAsync());
    }
}

#pragma warning disable CA1001 // A SemaphoreSlim whose wait handle nobody asks for holds nothing.

/// <summary>A running call.</summary>
internal sealed class FakeCall
{
    private readonly Channel<JsonElement> received = Channel.CreateUnbounded<JsonElement>();
    private readonly SemaphoreSlim attachments = new(0);
    private readonly SemaphoreSlim sending = new(1);
    private (HttpContext Context, WebSocket Socket)? current;

    /// <summary>Sent to everybody who attaches.</summary>
    public List<string> Greeting { get; } = [];

    /// <summary>Answers events of the client as they come; null leaves them to <see cref="ReceiveAsync"/>.</summary>
    public Func<JsonElement, Task>? OnReceived { get; set; }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Waits for somebody to attach once more.</summary>
    public async Task AttachedAsync() => Assert.True(await attachments.WaitAsync(TimeSpan.FromSeconds(60), Cancel), "nobody attached");

    public async Task SendAsync(params string[] events)
    {
        await sending.WaitAsync(Cancel);
        try
        {
            foreach (var e in events)
                await current!.Value.Socket.SendAsync(Encoding.UTF8.GetBytes(e), WebSocketMessageType.Text, true, Cancel);
        }
        finally
        {
            sending.Release();
        }
    }

    /// <summary>The next event of the client of this type; others before it are passed over.</summary>
    public async Task<JsonElement> ReceiveAsync(string type)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        while (true)
        {
            var e = await received.Reader.ReadAsync(patience.Token);
            if (e.GetProperty("type").GetString() == type)
                return e;
        }
    }

    /// <summary>The connection breaks without a word.</summary>
    public void Cut()
    {
        // Forgotten first: whoever attaches again may be quicker than the end of this method.
        var open = current;
        current = null;
        try
        {
            open?.Context.Abort();
        }
        catch (ObjectDisposedException)
        {
            // The other side was quicker.
        }
    }

    public async Task CloseAsync()
    {
        if (current is { } open)
        {
            current = null;
            try
            {
                await open.Socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
            }
            catch (WebSocketException)
            {
                // The other side was quicker.
            }
        }
    }

    public async Task ServeAsync(HttpContext context, WebSocket socket)
    {
        current = (context, socket);
        await SendAsync([.. Greeting]);
        attachments.Release();
        var buffer = new byte[1 << 20];
        try
        {
            while (true)
            {
                var length = 0;
                ValueWebSocketReceiveResult part;
                do
                {
                    part = await socket.ReceiveAsync(buffer.AsMemory(length), context.RequestAborted);
                    length += part.Count;
                }
                while (!part.EndOfMessage);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    if (socket.State == WebSocketState.CloseReceived)
                        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
                    return;
                }

                var e = JsonElement.Parse(buffer.AsSpan(0, length));
                if (OnReceived is { } answer)
                    await answer(e);
                else
                    await received.Writer.WriteAsync(e, CancellationToken.None);
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException)
        {
            // Cut off.
        }
    }
}
