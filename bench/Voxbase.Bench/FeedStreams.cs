using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
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
