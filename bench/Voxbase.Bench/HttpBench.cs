using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
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
            await RateAsync(environment, port, token, 200);
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

    // The server as it ships: its own process, its own runtime settings.
    internal static Process Start(string connectionString, string secret)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true };
        start.ArgumentList.Add(typeof(VoxbaseHost).Assembly.Location);
        start.ArgumentList.Add("up");
        start.ArgumentList.Add("--port");
        start.ArgumentList.Add("0");
        start.Environment["VOXBASE_DATABASE"] = connectionString;
        start.Environment["VOXBASE_JWT_SECRET"] = secret;
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
        await Task.WhenAll(requests.Select(request => Task.Run(() => PostAsync(port, request, each))));
        return Connections * each / watch.Elapsed.TotalSeconds;
    }

    private static async Task PostAsync(int port, byte[] request, int times)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        var buffer = new byte[4096];
        for (var i = 0; i < times; i++)
        {
            await socket.SendAsync(request);
            var received = 0;
            int whole;
            while ((whole = LengthOf(buffer.AsSpan(0, received))) < 0 || received < whole)
            {
                var more = await socket.ReceiveAsync(buffer.AsMemory(received));
                received += more > 0 ? more : throw new IOException("The server closed the connection.");
            }

            if (!buffer.AsSpan(0, received).StartsWith("HTTP/1.1 201"u8))
                throw new IOException(Encoding.ASCII.GetString(buffer, 0, received));
        }
    }

    // Headers and body of an answer, or -1 while its headers are incomplete.
    private static int LengthOf(ReadOnlySpan<byte> answer)
    {
        var end = answer.IndexOf("\r\n\r\n"u8);
        if (end < 0)
            return -1;
        var at = answer.IndexOf("Content-Length: "u8);
        var digits = answer[(at + 16)..];
        return end + 4 + int.Parse(digits[..digits.IndexOf((byte)'\r')], CultureInfo.InvariantCulture);
    }
}
