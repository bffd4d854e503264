using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Voxbase.Server;

namespace Voxbase.Bench;

/// <summary>
/// The server in a process of its own, posted to over 64 connections. The client writes prepared bytes to sockets: on two cores, what a
/// client spends is missing on the server.
/// </summary>
internal static partial class HttpBench
{
    private const int Connections = 64;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchEnvironment environment, int rounds)
    {
        var secret = Convert.ToBase64String(RandomNumberGenerator.GetBytes(48));
        using var tokens = new Tokens(new TokensOptions { Secret = secret }, TimeProvider.System);
        var token = tokens.Mint(Caller.UserRole, environment.User.UserId, null, TimeSpan.FromHours(1));
        using var server = Start(environment.Database.ConnectionString, secret);
        try
        {
            var port = await PortAsync(server);
            // Until the server's runtime has compiled anew what is hot.
            await RateAsync(environment, port, token, 1_000);
            await Benches.LibraryRateAsync(environment, 100);
            var rates = new List<(double, double)>();
            var memory = 0L;
            for (var round = 0; round < rounds; round++)
            {
                var library = await Benches.LibraryRateAsync(environment, 400);
                var http = await RateAsync(environment, port, token, 400);
                rates.Add((http, library));
                server.Refresh();
                memory = Math.Max(memory, server.WorkingSet64);
            }

            var megabytes = memory / 1024.0 / 1024.0;
            return
            [
                Figure.Of("http-append", "64 connections post a turn each", "turns/s", rates, "the library, 64 writers", 0.45, atLeast: true),
                new Figure("http-append", "resident memory of the server under that load", "MB", megabytes, 250, "bound", megabytes / 250, 1, AtLeast: false),
            ];
        }
        finally
        {
            server.Kill();
            await server.WaitForExitAsync();
        }
    }

    // The server as it ships: its own process, its own runtime settings. Without a connection string it has a database of its own.
    internal static Process Start(string? connectionString, string? secret, params (string Name, string Value)[] settings)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true };
        start.ArgumentList.Add(typeof(VoxbaseHost).Assembly.Location);
        start.ArgumentList.Add("up");
        start.ArgumentList.Add("--port");
        start.ArgumentList.Add("0");
        // Null takes away what this process was given.
        start.Environment["VOXBASE_DATABASE"] = connectionString;
        start.Environment["VOXBASE_JWT_SECRET"] = secret;
        foreach (var (name, value) in settings)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    internal static async Task<int> PortAsync(Process server)
    {
        while (await server.StandardOutput.ReadLineAsync() is { } line)
        {
            if (PortInUrl().Match(line) is { Success: true } match)
                return int.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture);
        }

        throw new IOException("The server ended before it was ready.");
    }

    [GeneratedRegex(@"http://[^\s:]+:(\d+)")]
    private static partial Regex PortInUrl();

    private static async Task<double> RateAsync(BenchEnvironment environment, int port, string token, int each)
    {
        var requests = new byte[Connections][];
        var body = $$"""{"role":"user","raw_text":"{{RawAppends.Text}}","model":"gpt-realtime","input_tokens":120,"output_tokens":30,"end_to_end_ms":640}""";
        for (var i = 0; i < Connections; i++)
        {
            var conversation = await environment.NewConversationAsync();
            requests[i] = Encoding.ASCII.GetBytes(
                $"POST /v1/conversations/{conversation}/turns HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n" +
                $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}");
        }

        var watch = Stopwatch.StartNew();
        await HttpLoop.AskAsync(port, requests, each, "HTTP/1.1 201");
        return Connections * each / watch.Elapsed.TotalSeconds;
    }
}
