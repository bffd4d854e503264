using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using Spectre.Console;
using Voxbase.Capture;
using Voxbase.Data;
using Voxbase.Server.Configuration;
using Voxbase.Server.Demo;
using Voxbase.Server.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Hosting;

/// <summary>
/// What <c>voxbase up</c> runs: the embedded database, unless the user has one, and the server on it. A database that dies is started
/// again; should it come back on another port, the server moves with it.
/// </summary>
internal sealed class RunningServer(Shell shell, ParseResult parsed)
{
    private const string DemoUser = "demo@example.org";
    private static readonly TimeSpan BeforeTryingAgain = TimeSpan.FromSeconds(1);

    private readonly Output output = shell.Output;
    private readonly Settings settings = shell.SettingsOf(parsed);

    /// <summary>Serves until cancelled, or until the demo is over.</summary>
    public async Task<int> RunAsync(IPEndPoint endpoint, bool demo, bool exitAfterDemo, CancellationToken cancellationToken)
    {
        Scheduling.PreferSoon();
        WatchSocketsWithTwoThreads();
        // Before anything is made: a taken port is the likeliest mistake, and should cost nothing.
        CheckFree(endpoint);
        await using var postgres = settings.HasOwnDatabase
            ? null
            : await EmbeddedPostgres.StartAsync(settings.Embedded, new TerminalLogger(output), cancellationToken);
        settings.Voxbase.Tokens.Secret ??= ServerKeys.ReadOrCreate(settings.Home, settings.Voxbase.Tokens).Secret;
        try
        {
            for (var isFirst = true; ; isFirst = false)
            {
                await using var host = await StartAsync(endpoint, postgres, cancellationToken);
                try
                {
                    if (isFirst)
                    {
                        Banner.Write(shell, host.Url, postgres, host.Services.GetRequiredService<Database>(), endpoint.Address);
                        if (demo)
                            await PlayAsync(host, cancellationToken);
                        if (exitAfterDemo)
                            return 0;
                    }

                    await WaitForMoveAsync(postgres, cancellationToken);
                }
                finally
                {
                    await host.StopAsync(CancellationToken.None);
                }
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Ctrl-C is how it is meant to end.
            if (output.IsLive)
                output.Standard.WriteLine(postgres is { Owned: true } ? "\nStopping the server and its database." : "\nStopping the server.", Tables.Dim);
            return 0;
        }
    }

    // By default one thread tells which sockets can be read, and on busy processors every frame of every call waits for it to get its turn: with two, a relayed frame's 99th percentile
    // is a quarter less. .NET asks for this in the environment alone, at the first socket that waits.
    private static void WatchSocketsWithTwoThreads()
    {
        const string variable = "DOTNET_SYSTEM_NET_SOCKETS_THREAD_COUNT";
        if (Environment.GetEnvironmentVariable(variable) is null)
            Environment.SetEnvironmentVariable(variable, "2");
    }

    private async Task<VoxbaseHost> StartAsync(IPEndPoint endpoint, EmbeddedPostgres? postgres, CancellationToken cancellationToken)
    {
        // A host that fails to start logs the stack trace; a database that is away or too new should be told in two lines.
        await using (var database = new Database(postgres?.ConnectionString ?? settings.Voxbase.Database!))
            await new Migrator(database).StatusAsync(cancellationToken);
        try
        {
            return await VoxbaseHost.StartAsync(
                new VoxbaseHostOptions
                {
                    Address = endpoint.Address,
                    Port = endpoint.Port,
                    Configure = options =>
                    {
                        settings.Configure(options);
                        options.Recording.SpoolFolder ??= Path.Combine(settings.Home, "spool");
                        if (postgres is not null)
                            options.Database = postgres.ConnectionString;
                    },
                },
                cancellationToken);
        }
        catch (IOException e)
        {
            throw ServerErrors.PortTaken.With($"{endpoint} cannot be listened on.", e.Message, e);
        }
    }

    /// <summary>Returns when the embedded database runs on another port than before; else never.</summary>
    private async Task WaitForMoveAsync(EmbeddedPostgres? postgres, CancellationToken cancellationToken)
    {
        var port = postgres?.Port;
        while (postgres is null || postgres.Port == port)
        {
            if (postgres is null)
            {
                await Task.Delay(Timeout.Infinite, cancellationToken);
                continue;
            }

            await postgres.WaitForExitAsync(cancellationToken);
            try
            {
                if (await postgres.EnsureRunningAsync(cancellationToken))
                    output.Error.WriteLine("The database had stopped and was started again.", Tables.Dim);
            }
            catch (VoxbaseException e)
            {
                ErrorReport.Write(output, e, asJson: false);
                await Task.Delay(BeforeTryingAgain, cancellationToken);
            }
        }
    }

    private async Task PlayAsync(VoxbaseHost host, CancellationToken cancellationToken)
    {
        var user = await host.Services.GetRequiredService<Users>().EnsureAsServiceAsync(DemoUser, cancellationToken);
        var call = new DemoCall(output, host.Services.GetRequiredService<Captures>());
        var result = await call.PlayAsync(user.Id, cancellationToken);
        output.Standard.WriteLine();
        RecordTable.Write(output, await host.Services.GetRequiredService<Conversations>().GetAsync(Caller.Service, result.Conversation.Id, cancellationToken));
        Banner.WriteNextSteps(shell, parsed, host.Url, result.Conversation.Id, DemoUser);
    }

    private static void CheckFree(IPEndPoint endpoint)
    {
        try
        {
            using var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(endpoint);
            socket.Listen(1);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            throw ServerErrors.PortTaken.With($"Another program listens on {endpoint}.", inner: e);
        }
        catch (SocketException e)
        {
            throw ServerErrors.AddressUnusable.With($"{endpoint} cannot be listened on.", e.Message, e);
        }
    }
}
