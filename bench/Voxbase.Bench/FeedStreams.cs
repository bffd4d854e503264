using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Voxbase.Bench;

/// <summary>A server in a process of its own, whose streams are followed.</summary>
internal sealed class FeedServer : IAsyncDisposable
{
    private readonly Process process;
    private readonly Tokens? tokens;

    private FeedServer(Process process, int port, Tokens? tokens) => (this.process, Port, this.tokens) = (process, port, tokens);

    public int Port { get; }

    /// <summary>Resident memory, in bytes.</summary>
    public long Memory
    {
        get
        {
            process.Refresh();
            return process.WorkingSet64;
        }
    }

    /// <summary>Processor time that it has taken.</summary>
    public TimeSpan Busy
    {
        get
        {
            process.Refresh();
            return process.TotalProcessorTime;
        }
    }

    public static async Task<FeedServer> StartAsync(BenchEnvironment environment)
    {
        var secret = Convert.ToBase64String(RandomNumberGenerator.GetBytes(48));
        var process = HttpBench.Start(environment.Database.ConnectionString, secret, ("VOXBASE_FEED__SERVERNAME", "bench"));
        return new FeedServer(process, await HttpBench.PortAsync(process), new Tokens(new TokensOptions { Secret = secret }, TimeProvider.System));
    }

    /// <summary>The same web server with nothing behind it: see <see cref="BareStreams"/>.</summary>
    public static async Task<FeedServer> StartBareAsync()
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true };
        start.ArgumentList.Add(typeof(BareStreams).Assembly.Location);
        start.ArgumentList.Add(BareStreams.Argument);
        var process = Process.Start(start)!;
        return new FeedServer(process, await HttpBench.PortAsync(process), null);
    }

    public string TokenOf(Caller caller) => tokens?.Mint(Caller.UserRole, caller.UserId, null, TimeSpan.FromHours(1)) ?? "none";

    public async ValueTask DisposeAsync()
    {
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        tokens?.Dispose();
    }
}

/// <summary>
/// What one would write without Voxbase, to compare connections with: server-sent events by the bare web server, the same bytes to everybody as soon as they are posted.
/// </summary>
internal static class BareStreams
{
    /// <summary>What the bench calls itself with to be this server.</summary>
    public const string Argument = "bare-streams";

    public static async Task RunAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        await using var app = builder.Build();
        var next = new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously);
        app.MapGet("/v1/feed", async context =>
        {
            context.Response.ContentType = "text/event-stream";
            var waiting = Volatile.Read(ref next).Task;
            await context.Response.BodyWriter.WriteAsync("event: ready\n\n"u8.ToArray(), context.RequestAborted);
            while (!context.RequestAborted.IsCancellationRequested)
            {
                var told = await waiting.WaitAsync(context.RequestAborted);
                waiting = Volatile.Read(ref next).Task;
                await context.Response.BodyWriter.WriteAsync(told, context.RequestAborted);
            }
        });
        app.MapPost("/tell", async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            Interlocked.Exchange(ref next, new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult(body.ToArray());
        });
        app.Lifetime.ApplicationStarted.Register(() => Console.WriteLine(app.Urls.First()));
        await app.RunAsync();
    }
}

/// <summary>Thousands of clients that follow a stream over a socket each and spend next to nothing: they look for the name of the event alone.</summary>
internal sealed class FeedClients : IDisposable
{
    private readonly Socket[] sockets;
    private readonly double[] times;
    private TaskCompletionSource all = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long began;
    private int arrived;

    private FeedClients(int count) => (sockets, times) = (new Socket[count], new double[count]);

    /// <summary>Connects them, a few at once, and waits until each follows.</summary>
    public static async Task<FeedClients> ConnectAsync(int count, FeedServer server, string token)
    {
        var clients = new FeedClients(count);
        var request = Encoding.ASCII.GetBytes(
            $"GET /v1/feed?tables=turns&events=insert HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nAuthorization: Bearer {token}\r\n\r\n");
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (i, cancel) =>
        {
            var socket = clients.sockets[i] = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Loopback, server.Port, cancel);
            await socket.SendAsync(request, cancel);
            var (buffer, length) = (new byte[1024], 0);
            while (buffer.AsSpan(0, length).IndexOf("event: ready"u8) < 0)
            {
                var more = await socket.ReceiveAsync(buffer.AsMemory(length), cancel);
                length += more > 0 ? more : throw new IOException(Encoding.ASCII.GetString(buffer, 0, length));
            }

            _ = clients.FollowAsync(i);
        });
        return clients;
    }

    /// <summary>Has something told, and waits until it has come to all; how long it took to each from when <paramref name="tell"/> began, or told otherwise, in milliseconds.</summary>
    public async Task<double[]> TimesAsync(Func<Task> tell)
    {
        all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        arrived = 0;
        Volatile.Write(ref began, long.MaxValue);
        await tell();
        await all.Task.WaitAsync(TimeSpan.FromSeconds(20));
        return [.. times];
    }

    /// <summary>From here on time is counted.</summary>
    public void Begin() => Volatile.Write(ref began, Stopwatch.GetTimestamp());

    public void Dispose()
    {
        foreach (var socket in sockets)
            socket?.Dispose();
    }

    private async Task FollowAsync(int i)
    {
        var buffer = new byte[4 * 1024];
        try
        {
            while (await sockets[i].ReceiveAsync(buffer) is > 0 and var length)
            {
                if (buffer.AsSpan(0, length).IndexOf("event: change"u8) < 0)
                    continue;
                var now = Stopwatch.GetTimestamp();
                // One may be told before its writer has been answered.
                times[i] = Math.Max(0, (now - Volatile.Read(ref began)) * 1_000.0 / Stopwatch.Frequency);
                if (Interlocked.Increment(ref arrived) == sockets.Length)
                    all.TrySetResult();
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The end.
        }
    }
}
