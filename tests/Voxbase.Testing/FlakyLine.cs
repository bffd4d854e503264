using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace Voxbase.Testing;

/// <summary>
/// A line to a database that breaks now and then: before a statement has arrived, while it runs, or when it is done and nobody has heard of
/// it. What runs goes on without whoever asked for it.
/// </summary>
[SuppressMessage("Security", "CA5394", Justification = "A seed that can be repeated.")]
public sealed class FlakyLine : IAsyncDisposable
{
    private readonly Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly CancellationTokenSource over = new();
    private readonly EndPoint target;
    private readonly Random random;
    private readonly Task accepting;

    /// <param name="connectionString">The database.</param>
    /// <param name="seed">Of when it breaks.</param>
    public FlakyLine(string connectionString, int seed)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString);
        target = settings.Host!.StartsWith('/')
            ? new UnixDomainSocketEndPoint($"{settings.Host}/.s.PGSQL.{settings.Port}") : new IPEndPoint(IPAddress.Loopback, settings.Port);
        random = new Random(seed);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(64);
        (settings.Host, settings.Port) = ("127.0.0.1", ((IPEndPoint)listener.LocalEndPoint!).Port);
        ConnectionString = settings.ConnectionString;
        accepting = AcceptAsync();
    }

    /// <summary>How to reach the database over the line.</summary>
    public string ConnectionString { get; }

    /// <summary>How likely the line breaks at each piece that either side sends, from 0 (default) to 1.</summary>
    public double Odds { get; set; }

    /// <summary>How often it broke.</summary>
    public int Breaks { get; private set; }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await over.CancelAsync();
        listener.Dispose();
        await accepting;
        over.Dispose();
    }

    private async Task AcceptAsync()
    {
        var carried = new List<Task>();
        try
        {
            while (true)
                carried.Add(CarryAsync(await listener.AcceptAsync(over.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(carried);
        }
    }

    private async Task CarryAsync(Socket client)
    {
        using var server = new Socket(target.AddressFamily, SocketType.Stream, target is IPEndPoint ? ProtocolType.Tcp : ProtocolType.Unspecified);
        using var broken = CancellationTokenSource.CreateLinkedTokenSource(over.Token);
        using (client)
        {
            try
            {
                await server.ConnectAsync(target, broken.Token);
                await Task.WhenAny(PumpAsync(client, server, broken.Token), PumpAsync(server, client, broken.Token));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException)
            {
                // The database is not there.
            }

            await broken.CancelAsync();
        }
    }

    private async Task PumpAsync(Socket from, Socket to, CancellationToken cancellationToken)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.ReceiveAsync(buffer, cancellationToken) is > 0 and var length && !BreaksNow())
            {
                for (var sent = 0; sent < length;)
                    sent += await to.SendAsync(buffer.AsMemory(sent, length - sent), cancellationToken);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // Broken.
        }
    }

    private bool BreaksNow()
    {
        lock (random)
        {
            if (random.NextDouble() >= Odds)
                return false;
            Breaks++;
            return true;
        }
    }
}
