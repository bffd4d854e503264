using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Voxbase.Data;

namespace Voxbase.Bench;

/// <summary>What a run of calls came to.</summary>
/// <param name="Relayed">Latency of the frames of relayed calls, both ways.</param>
/// <param name="Direct">The same of calls spoken to the provider directly, at the same moment.</param>
/// <param name="Frames">Frames sent in relayed calls since the process began.</param>
internal sealed record RelayRun(Latency Relayed, Latency Direct, long Frames);

/// <summary>Latencies in milliseconds.</summary>
internal sealed record Latency(double P50, double P99, int Count);

/// <summary>
/// Both ends of calls, callers and provider, in a process of their own and on one clock. It spends as little as it can: one thread sends
/// prepared frames to plain sockets when they are due, and one reads what comes and looks at nothing but the time in it.
/// </summary>
internal static class RelayLoad
{
    /// <summary>The argument by which the bench starts itself as this.</summary>
    public const string Argument = "relay-load";

    /// <summary>A frame holds so much audio, and comes so often.</summary>
    public const int FrameMs = 50;

    // Base64 of 50 ms of 16-bit samples at 24 kHz.
    private const int AudioCharacters = 24_000 / 1000 * FrameMs * 2 * 4 / 3;
    private const string DirectPath = "/direct";

    // Calls begin at this rate; what their beginning costs is not the price of a frame.
    private const int CallsPerSecond = 150;
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(6);

    private static readonly Lazy<Pacer> pacer = new();
    private static volatile bool isMeasuring;
    private static long frames;

    /// <summary>
    /// Says the provider's port, then runs each line of the input, <c>port token relayed direct milliseconds</c>. Says <c>measuring</c> and
    /// <c>measured</c> in time, and the <see cref="RelayRun"/> when all calls are over.
    /// </summary>
    public static async Task<int> RunAsync()
    {
        // It stands for other machines, whose processors are their own.
        Scheduling.PreferSoon();
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start(10_000);
        var provided = new ConcurrentBag<End>();
        _ = Task.Run(() => AcceptAsync(listener, provided));
        var ownPort = ((IPEndPoint)listener.LocalEndpoint).Port;
        Console.WriteLine(ownPort);
        while (await Console.In.ReadLineAsync() is { } line)
        {
            var words = line.Split(' ');
            int Number(int word) => int.Parse(words[word], CultureInfo.InvariantCulture);
            var (port, token, length) = (Number(0), words[1], TimeSpan.FromMilliseconds(Number(4)));
            var calls = await CallsAsync(port, "/v1/realtime?model=gpt-realtime", token, Number(2));
            calls.AddRange(await CallsAsync(ownPort, DirectPath, token, Number(3)));
            await Task.Delay(Settling);
            Console.WriteLine("measuring");
            isMeasuring = true;
            await Task.Delay(length);
            isMeasuring = false;
            Console.WriteLine("measured");
            foreach (var (end, _) in calls)
                await end.CloseAsync();
            await Task.WhenAll(calls.Select(call => call.Listening));
            var ends = calls.Select(call => call.End).Concat(provided).ToList();
            provided.Clear();
            Console.WriteLine(JsonSerializer.Serialize(
                new RelayRun(Of(ends.Where(end => !end.IsDirect)), Of(ends.Where(end => end.IsDirect)), Interlocked.Read(ref frames))));
        }

        return 0;
    }

    private static async Task<List<(End End, Task Listening)>> CallsAsync(int port, string path, string token, int count)
    {
        var calls = new List<(End, Task)>();
        var watch = Stopwatch.StartNew();
        var connecting = new List<Task<End>>();
        for (var i = 0; i < count; i++)
        {
            var wait = TimeSpan.FromSeconds((double)i / CallsPerSecond) - watch.Elapsed;
            if (wait > TimeSpan.Zero)
                await Task.Delay(wait);
            connecting.Add(End.ConnectAsync(port, path, token));
        }

        foreach (var end in await Task.WhenAll(connecting))
            calls.Add((end, Task.Run(end.ListenAsync)));
        return calls;
    }

    private static Latency Of(IEnumerable<End> ends)
    {
        var all = ends.SelectMany(end => end.Latencies).Order().ToList();
        return all.Count == 0 ? new Latency(0, 0, 0) : new Latency(all[all.Count / 2], all[(int)(all.Count * 0.99)], all.Count);
    }

    // The provider: takes any WebSocket, and talks as long as the other side does.
    private static async Task AcceptAsync(TcpListener listener, ConcurrentBag<End> ends)
    {
        while (true)
        {
            var socket = await listener.AcceptSocketAsync();
            _ = Task.Run(async () =>
            {
                var end = await End.AcceptAsync(socket);
                ends.Add(end);
                await end.ListenAsync();
                // After the last frame that it sends, and before the close: who waits for that finds the frames counted.
                await end.CloseAsync(closing: () => Interlocked.Add(ref frames, end.IsDirect ? 0 : end.Sent + end.Received));
            });
        }
    }

    /// <summary>The thread that sends.</summary>
    private sealed class Pacer
    {
        private readonly Lock gate = new();
        private End[] talking = [];

        public Pacer() => new Thread(Run) { IsBackground = true, Name = "pacer" }.Start();

        public void Add(End end)
        {
            lock (gate)
                talking = [.. talking, end];
        }

        public void Remove(End end)
        {
            lock (gate)
                talking = [.. talking.Where(each => each != end)];
        }

        private void Run()
        {
            while (true)
            {
                var next = Stopwatch.GetTimestamp() + (Stopwatch.Frequency / 500);
                foreach (var end in Volatile.Read(ref talking))
                    next = Math.Min(next, end.SendWhatIsDue());
                // As each is due, and not by the millisecond all at once: calls know nothing of each other.
                if (Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), next).TotalMicroseconds is > 1 and var left)
                    Sleep((uint)left);
            }
        }

        private static void Sleep(uint microseconds)
        {
            if (OperatingSystem.IsWindows())
                Thread.Sleep(1);
            else
                _ = USleep(microseconds);
        }

        [DllImport("libc", EntryPoint = "usleep")]
        private static extern int USleep(uint microseconds);
    }

    /// <summary>One end of a call: a WebSocket as bytes. A frame carries the time at which it was sent.</summary>
    private sealed class End
    {
        private const string Before = """{"event_id":"0000000000000000","type":"response.output_audio.delta","item_id":"item_1","delta":" """;
        private const int TimeAt = 13;
        private const int TimeLength = 16;

        private static readonly long Period = Stopwatch.Frequency * FrameMs / 1000;

        private readonly Socket socket;
        private readonly byte[] frame;
        private readonly int payloadAt;
        private readonly Lock sending = new();
        private long due = Stopwatch.GetTimestamp() + RandomNumberGenerator.GetInt32((int)Period);
        private int sentOfFrame;
        private bool isClosed;

        private End(Socket socket, bool isClient, bool isDirect)
        {
            (this.socket, IsDirect) = (socket, isDirect);
            socket.NoDelay = true;
            socket.Blocking = false;
            var type = isClient ? Before.Replace("response.output_audio.delta", "input_audio_buffer.append", StringComparison.Ordinal).Replace("\"delta\"", "\"audio\"", StringComparison.Ordinal) : Before;
            var payload = Encoding.ASCII.GetBytes(type.TrimEnd() + Convert.ToBase64String(RandomNumberGenerator.GetBytes(AudioCharacters / 4 * 3)) + "\"}");
            // A client masks what it sends; with zeros, that changes nothing.
            payloadAt = isClient ? 8 : 4;
            frame = new byte[payloadAt + payload.Length];
            (frame[0], frame[1]) = (0x81, (byte)((isClient ? 0x80 : 0) | 126));
            BinaryPrimitives.WriteUInt16BigEndian(frame.AsSpan(2), (ushort)payload.Length);
            payload.CopyTo(frame, payloadAt);
            pacer.Value.Add(this);
        }

        public bool IsDirect { get; }

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
            return answer.StartsWith("HTTP/1.1 101", StringComparison.Ordinal)
                ? new End(socket, isClient: true, path == DirectPath)
                : throw new IOException(answer);
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
            return new End(socket, isClient: false, head.StartsWith("GET " + DirectPath, StringComparison.Ordinal));
        }

        /// <summary>A frame every 50 ms, as audio comes; returns when the next one is due. One that has to wait for its socket has waited since it was due.</summary>
        public long SendWhatIsDue()
        {
            lock (sending)
            {
                var now = Stopwatch.GetTimestamp();
                var isLate = sentOfFrame > 0;
                while (!isClosed && due <= now)
                {
                    if (sentOfFrame == 0)
                        (isLate ? due : now).TryFormat(frame.AsSpan(payloadAt + TimeAt, TimeLength), out _, "x16", CultureInfo.InvariantCulture);
                    sentOfFrame += socket.Send(frame.AsSpan(sentOfFrame), SocketFlags.None, out var error);
                    if (error is not (SocketError.Success or SocketError.WouldBlock))
                        isClosed = true;
                    if (sentOfFrame < frame.Length)
                        return now + (Period / 50);
                    sentOfFrame = 0;
                    due += Period;
                    Sent++;
                    isLate = true;
                }

                return isClosed ? long.MaxValue : due;
            }
        }

        /// <summary>After the frame that is under way. <paramref name="closing"/> is called when no more will be sent.</summary>
        public async Task CloseAsync(Action? closing = null)
        {
            pacer.Value.Remove(this);
            while (true)
            {
                lock (sending)
                {
                    if (isClosed)
                    {
                        closing?.Invoke();
                        return;
                    }

                    if (sentOfFrame == 0)
                    {
                        isClosed = true;
                        closing?.Invoke();
                        socket.Send((byte[])(payloadAt == 8 ? [0x88, 0x80, 0, 0, 0, 0] : [0x88, 0x00]), 0, payloadAt == 8 ? 6 : 2, SocketFlags.None, out _);
                        return;
                    }
                }

                SendWhatIsDue();
                await Task.Delay(1);
            }
        }

        /// <summary>Until the other side closes.</summary>
        public async Task ListenAsync()
        {
            var buffer = new byte[16 * 1024];
            var filled = 0;
            while (true)
            {
                int more;
                try
                {
                    more = await socket.ReceiveAsync(buffer.AsMemory(filled));
                }
                catch (SocketException)
                {
                    return;
                }

                if (more == 0)
                    return;
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
