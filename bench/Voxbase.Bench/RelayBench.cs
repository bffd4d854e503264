using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Voxbase.Bench;

/// <summary>
/// Calls at real audio rates through a server process of its own, beside the same calls spoken to the provider directly. Both ends of a
/// call are here, on one clock, and write prepared frames to plain sockets: what they spend is missing on the server.
/// </summary>
internal static class RelayBench
{
    private const int Sessions = 200;
    private const int FrameMs = 50;
    private const double AddedBoundMs = 2;
    private const double LimitMs = 10;

    // Base64 of 50 ms of 16-bit samples at 24 kHz.
    private const int AudioCharacters = 24_000 / 1000 * FrameMs * 2 * 4 / 3;

    // A round is this long; a short one to try the bench itself.
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(
        int.TryParse(Environment.GetEnvironmentVariable("VOXBASE_BENCH_SECONDS"), CultureInfo.InvariantCulture, out var seconds) ? seconds : 10);

    // Calls begin within a second; what their beginning costs is not the price of a frame.
    private static readonly TimeSpan Beginning = TimeSpan.FromSeconds(3);
    private static volatile bool isMeasuring;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchEnvironment environment, int rounds)
    {
        var secret = Convert.ToBase64String(RandomNumberGenerator.GetBytes(48));
        using var tokens = new Tokens(new VoxbaseOptions { Tokens = { Secret = secret } }, TimeProvider.System);
        var token = tokens.Mint(Caller.UserRole, environment.User.UserId, null, TimeSpan.FromHours(1));
        using var provider = new Provider();
        var home = Directory.CreateTempSubdirectory("voxbase-bench-").FullName;
        using var server = HttpBench.Start(
            environment.Database.ConnectionString, secret,
            ("VOXBASE_OPENAI__BASEURL", $"http://127.0.0.1:{provider.Port}/v1"), ("VOXBASE_OPENAI__APIKEY", "sk-bench"), ("VOXBASE_RELAY__MAXSESSIONS", "10000"),
            ("VOXBASE_HOME", home));
        try
        {
            var port = await HttpBench.PortAsync(server);
            server.Refresh();
            var idle = server.WorkingSet64;
            await CallsAsync(port, token, 20, TimeSpan.FromSeconds(2));
            var (p50, p99) = (new List<(double Relay, double Direct)>(), new List<(double Relay, double Direct)>());
            var busiest = 0L;
            for (var round = 0; round < rounds; round++)
            {
                var direct = await CallsAsync(provider.Port, token, Sessions, Length, provider);
                var relay = await CallsAsync(port, token, Sessions, Length, provider, () =>
                {
                    server.Refresh();
                    busiest = Math.Max(busiest, server.WorkingSet64);
                });
                await CaughtUpAsync(environment);
                p50.Add((relay.P50, direct.P50));
                p99.Add((relay.P99, direct.P99));
            }

            var (recorded, sent) = (await RecordedAsync(environment), provider.RelayedFrames);
            var added50 = Figure.Median(p50.Select(r => r.Relay - r.Direct));
            var added99 = Figure.Median(p99.Select(r => r.Relay - r.Direct));
            var perSession = (busiest - idle) / 1024.0 / Sessions;
            var limit = await LimitAsync(environment, port, token, provider);
            return
            [
                new Figure("relay", $"added latency of a frame, {Sessions} calls, p50", "ms", added50, AddedBoundMs, "bound", added50 / AddedBoundMs, 1, AtLeast: false),
                new Figure("relay", $"added latency of a frame, {Sessions} calls, p99", "ms", added99, AddedBoundMs, "bound", added99 / AddedBoundMs, 1, AtLeast: false),
                Figure.Of("relay", $"latency of a frame, {Sessions} calls, p99", "ms", p99, "spoken directly", null, atLeast: false),
                new Figure("relay", "events recorded, of those sent", "events", recorded, sent, "sent", (double)recorded / sent, 1, AtLeast: true),
                new Figure("relay", "resident memory of a call", "KB", perSession, 1_024, "bound", perSession / 1_024, 1, AtLeast: false),
                new Figure("relay", $"calls at which p99 passes {LimitMs} ms", "calls", limit, Sessions, $"{Sessions} calls", (double)limit / Sessions, null, AtLeast: true),
            ];
        }
        finally
        {
            server.Kill();
            await server.WaitForExitAsync();
            Directory.Delete(home, recursive: true);
        }
    }

    private static async Task<int> LimitAsync(BenchEnvironment environment, int port, string token, Provider provider)
    {
        for (var calls = Sessions / 4; ; calls += Sessions / 4)
        {
            var latency = await CallsAsync(port, token, calls, Length, provider);
            await CaughtUpAsync(environment);
            if (latency.P99 > LimitMs || calls >= 10 * Sessions)
                return calls;
        }
    }

    // Calls side by side, for a time; the latencies of all frames both ways.
    private static async Task<(double P50, double P99)> CallsAsync(
        int port, string token, int calls, TimeSpan length, Provider? provider = null, Action? atTheEnd = null)
    {
        var isRelay = provider is null || port != provider.Port;
        provider?.Begin(isRelay);
        using var over = new CancellationTokenSource();
        var latencies = new ConcurrentBag<List<double>>();
        var running = Enumerable.Range(0, calls).Select(i => Task.Run(async () =>
        {
            // Spread, as calls are: nobody's frames come in step.
            await Task.Delay(i * 1000 / calls);
            using var end = await End.ConnectAsync(port, isRelay ? "/v1/realtime?model=gpt-realtime" : "/v1/realtime", token);
            var listening = end.ListenAsync();
            await end.TalkAsync(over.Token);
            await end.CloseAsync();
            await listening;
            latencies.Add(end.Latencies);
        })).ToList();
        await Task.Delay(Beginning);
        isMeasuring = true;
        await Task.Delay(length);
        isMeasuring = false;
        atTheEnd?.Invoke();
        await over.CancelAsync();
        await Task.WhenAll(running);
        var all = latencies.Concat(provider?.Take() ?? []).SelectMany(each => each).Order().ToList();
        return all.Count == 0 ? default : (all[all.Count / 2], all[(int)(all.Count * 0.99)]);
    }

    private static async Task CaughtUpAsync(BenchEnvironment environment)
    {
        await using var command = environment.Raw.CreateCommand("select count(*) from vox.conversations where status in ('pending', 'active') and kind = 'realtime'");
        while ((long)(await command.ExecuteScalarAsync())! > 0)
            await Task.Delay(100);
    }

    private static async Task<long> RecordedAsync(BenchEnvironment environment)
    {
        await using var command = environment.Raw.CreateCommand("select count(*) from vox.provider_events");
        command.CommandTimeout = 0;
        return (long)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>The provider: takes any WebSocket, and talks as long as the other side does.</summary>
    private sealed class Provider : IDisposable
    {
        private readonly TcpListener listener = new(IPAddress.Loopback, 0);
        private ConcurrentBag<List<double>> latencies = [];
        private long frames;
        private bool isRelayed = true;

        public Provider()
        {
            listener.Start(10_000);
            _ = Task.Run(AcceptAsync);
        }

        public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

        /// <summary>Frames sent and received in calls that were relayed.</summary>
        public long RelayedFrames => Interlocked.Read(ref frames);

        public void Begin(bool isRelay)
        {
            isRelayed = isRelay;
            Take();
        }

        public ConcurrentBag<List<double>> Take() => Interlocked.Exchange(ref latencies, []);

        public void Dispose() => listener.Dispose();

        private async Task AcceptAsync()
        {
            while (true)
            {
                Socket socket;
                try
                {
                    socket = await listener.AcceptSocketAsync();
                }
                catch (Exception e) when (e is SocketException or ObjectDisposedException)
                {
                    return;
                }

                _ = Task.Run(() => ServeAsync(socket));
            }
        }

        private async Task ServeAsync(Socket socket)
        {
            var counted = isRelayed;
            using var end = await End.AcceptAsync(socket);
            using var closed = new CancellationTokenSource();
            var talking = end.TalkAsync(closed.Token);
            await end.ListenAsync();
            await closed.CancelAsync();
            await talking;
            latencies.Add(end.Latencies);
            if (counted)
                Interlocked.Add(ref frames, end.Sent + end.Received);
            // Last: who waits for the close finds the frames counted.
            await end.CloseAsync();
        }
    }

    /// <summary>One end of a call: a WebSocket as bytes. A frame carries the time at which it was sent.</summary>
    private sealed class End : IDisposable
    {
        private const string Before = """{"event_id":"0000000000000000","type":"response.output_audio.delta","item_id":"item_1","delta":" """;
        private const int TimeAt = 13;
        private const int TimeLength = 16;

        private readonly Socket socket;
        private readonly byte[] frame;
        private readonly int payloadAt;

        private End(Socket socket, bool isClient)
        {
            this.socket = socket;
            socket.NoDelay = true;
            var type = isClient ? Before.Replace("response.output_audio.delta", "input_audio_buffer.append", StringComparison.Ordinal).Replace("\"delta\"", "\"audio\"", StringComparison.Ordinal) : Before;
            var payload = Encoding.ASCII.GetBytes(type.TrimEnd() + Convert.ToBase64String(RandomNumberGenerator.GetBytes(AudioCharacters / 4 * 3)) + "\"}");
            // A client masks what it sends; with zeros, that changes nothing.
            payloadAt = isClient ? 8 : 4;
            frame = new byte[payloadAt + payload.Length];
            (frame[0], frame[1]) = (0x81, (byte)((isClient ? 0x80 : 0) | 126));
            BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2), (ushort)payload.Length);
            payload.CopyTo(frame, payloadAt);
        }

        /// <summary>Milliseconds on the way, of every frame that came while it was measured.</summary>
        public List<double> Latencies { get; } = [];

        public int Sent { get; private set; }

        public int Received { get; private set; }

        public static async Task<End> ConnectAsync(int port, string path, string token)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(IPAddress.Loopback, port);
            await socket.SendAsync(Encoding.ASCII.GetBytes(
                $"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
                $"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {Convert.ToBase64String(RandomNumberGenerator.GetBytes(16))}\r\n\r\n"));
            var answer = await HeadAsync(socket);
            return answer.StartsWith("HTTP/1.1 101", StringComparison.Ordinal) ? new End(socket, isClient: true) : throw new IOException(answer);
        }

        public static async Task<End> AcceptAsync(Socket socket)
        {
            const string name = "Sec-WebSocket-Key: ";
            var head = await HeadAsync(socket);
            var key = head[(head.IndexOf(name, StringComparison.OrdinalIgnoreCase) + name.Length)..].Split('\r')[0];
#pragma warning disable CA5350 // RFC 6455 says SHA-1.
            var accept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
#pragma warning restore CA5350
            await socket.SendAsync(Encoding.ASCII.GetBytes(
                $"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"));
            return new End(socket, isClient: false);
        }

        /// <summary>A frame every 50 ms, as audio comes.</summary>
        public async Task TalkAsync(CancellationToken over)
        {
            using var rhythm = new PeriodicTimer(TimeSpan.FromMilliseconds(FrameMs));
            try
            {
                while (await rhythm.WaitForNextTickAsync(over))
                {
                    Stopwatch.GetTimestamp().TryFormat(frame.AsSpan(payloadAt + TimeAt, TimeLength), out _, "x16", CultureInfo.InvariantCulture);
                    await socket.SendAsync(frame, CancellationToken.None);
                    Sent++;
                }
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException)
            {
                // The call is over.
            }
        }

        public async Task CloseAsync()
        {
            try
            {
                await socket.SendAsync((byte[])(payloadAt == 8 ? [0x88, 0x80, 0, 0, 0, 0] : [0x88, 0x00]));
            }
            catch (SocketException)
            {
                // The other side was quicker.
            }
        }

        /// <summary>Until the other side closes.</summary>
        public async Task ListenAsync()
        {
            var buffer = new byte[64 * 1024];
            var filled = 0;
            while (await socket.ReceiveAsync(buffer.AsMemory(filled)) is > 0 and var more)
            {
                var now = Stopwatch.GetTimestamp();
                filled += more;
                var at = 0;
                while (Take(buffer.AsSpan(at, filled - at), now, out var isClose) is > 0 and var taken)
                {
                    at += taken;
                    if (isClose)
                        return;
                }

                buffer.AsSpan(at, filled - at).CopyTo(buffer);
                filled -= at;
            }
        }

        public void Dispose() => socket.Dispose();

        // The first frame's length, or 0 while it is not whole.
        private int Take(Span<byte> bytes, long now, out bool isClose)
        {
            isClose = false;
            if (bytes.Length < 2)
                return 0;
            var (length, head) = (bytes[1] & 0x7f, 2);
            if (length == 126)
            {
                if (bytes.Length < 4)
                    return 0;
                (length, head) = (BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]), 4);
            }

            var isMasked = (bytes[1] & 0x80) != 0;
            var payload = head + (isMasked ? 4 : 0);
            if (bytes.Length < payload + length)
                return 0;
            isClose = (bytes[0] & 0x0f) == 8;
            if ((bytes[0] & 0x0f) == 1)
            {
                var time = bytes.Slice(payload + TimeAt, TimeLength);
                for (var i = 0; isMasked && i < time.Length; i++)
                    time[i] ^= bytes[head + ((TimeAt + i) & 3)];
                Received++;
                if (isMeasuring)
                    Latencies.Add(Stopwatch.GetElapsedTime(long.Parse(time, NumberStyles.HexNumber, CultureInfo.InvariantCulture), now).TotalMilliseconds);
            }

            return payload + length;
        }

        private static async Task<string> HeadAsync(Socket socket)
        {
            var head = new byte[8192];
            var filled = 0;
            // A byte at a time at its end: what follows is no longer the head.
            while (filled < head.Length && !head.AsSpan(0, filled).EndsWith("\r\n\r\n"u8))
                filled += await socket.ReceiveAsync(head.AsMemory(filled, 1)) is > 0 and var more ? more : throw new IOException("The connection was closed.");
            return Encoding.ASCII.GetString(head, 0, filled);
        }
    }
}
