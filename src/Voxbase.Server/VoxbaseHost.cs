using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Voxbase.AspNetCore;

namespace Voxbase.Server;

/// <summary>Where and how the server listens.</summary>
public sealed class VoxbaseHostOptions
{
    /// <summary>The address to listen on. Loopback by default: open it to others only behind TLS.</summary>
    public IPAddress Address { get; set; } = IPAddress.Loopback;

    /// <summary>The port. 0 chooses a free one, see <see cref="VoxbaseHost.Url"/>. Default 8700.</summary>
    public int Port { get; set; } = 8700;

    /// <summary>How long requests under way may go on when the server stops. Default 10 seconds.</summary>
    public TimeSpan StopTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The least that is logged, to standard error. Default: warnings.</summary>
    public LogLevel LogLevel { get; set; } = LogLevel.Warning;

    /// <summary>Changes what <c>AddVoxbase</c> is told: the database and the secret, at least.</summary>
    public Action<VoxbaseOptions> Configure { get; set; } = static _ => { };
}

/// <summary>
/// The server: Kestrel with Voxbase on it and nothing else. Reads no configuration of its own, so what it does is what its options
/// say. Signals are the caller's: stop it by stopping.
/// </summary>
public sealed class VoxbaseHost : IAsyncDisposable
{
    private readonly WebApplication app;

    private VoxbaseHost(WebApplication app) => this.app = app;

    /// <summary>Where it listens, for example <c>http://127.0.0.1:8700</c>.</summary>
    public string Url => app.Urls.First();

    /// <summary>Its services, for who needs a subject directly.</summary>
    public IServiceProvider Services => app.Services;

    /// <summary>Migrates, listens and returns when requests are served.</summary>
    /// <exception cref="VoxbaseException">The database cannot be reached, or its schema is newer.</exception>
    /// <exception cref="IOException">The port is taken.</exception>
    public static async Task<VoxbaseHost> StartAsync(VoxbaseHostOptions options, CancellationToken cancellationToken = default)
    {
        var host = new VoxbaseHost(Build(options));
        try
        {
            await host.app.StartAsync(cancellationToken);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Listens no more, lets requests under way finish for <see cref="VoxbaseHostOptions.StopTimeout"/>, and stops.</summary>
    public Task StopAsync(CancellationToken cancellationToken = default) => app.StopAsync(cancellationToken);

    /// <summary>Stops, when it has not, and lets everything go.</summary>
    public async ValueTask DisposeAsync()
    {
        // Stopping twice is harmless; disposing without it would tear background work out in the middle.
        await app.StopAsync();
        await app.DisposeAsync();
    }

    private static WebApplication Build(VoxbaseHostOptions options)
    {
        // Empty: no configuration files, no environment, no console lifetime that would take Ctrl-C from the caller.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "voxbase" });
        builder.Services.AddRoutingCore();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.StopTimeout);
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Logging.SetMinimumLevel(options.LogLevel);
        builder.Logging.AddSimpleConsole(console => console.SingleLine = true);
        builder.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(
            console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = VoxbaseEndpoints.MaxBodyBytes;
            // A token may have 8 KB, and a request two of them.
            kestrel.Limits.MaxRequestHeadersTotalSize = 32 * 1024;
            // The Data API's queries are part of the address; lists of ids make them long.
            kestrel.Limits.MaxRequestLineSize = 64 * 1024;
            // HTTP/2 needs TLS, and that is the business of what stands in front.
            kestrel.Listen(options.Address, options.Port, listen => listen.Protocols = HttpProtocols.Http1);
        });
        builder.Services.AddVoxbase(options.Configure);
        builder.Services.AddVoxbaseHttp();

        var app = builder.Build();
        app.UseRouting();
        app.MapVoxbase();
        app.MapFallback(VoxbaseEndpoints.PathNotFoundAsync);
        return app;
    }

    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
