using System.Buffers.Binary;
using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace Voxbase.Bench;

/// <summary>
/// Thousands of clients that follow a stream over a socket each. One thread reads them all with Linux's epoll, so that what the clients cost is little, and the same
/// whatever server they follow; yet each takes every event apart, and what it was told has to be what the others were.
/// </summary>
internal sealed class FeedClients : IDisposable
{
    private const uint Readable = 1;
    private const int Add = 1;
    private const int DoNotWait = 0x40;
    private const int MaxReady = 256;

    // The struct epoll_event is packed on x64 alone.
    private static readonly int ReadySize = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;

    private readonly Socket[] sockets;
    private readonly double[] times;
    private readonly byte[]?[] begun;
    private readonly int epoll;
    private readonly Thread thread;
    private TaskCompletionSource all = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private byte[]? told;
    private volatile bool isOver;
    private long began;
    private int arrived;

    private FeedClients(int count)
    {
        (sockets, times, begun) = (new Socket[count], new double[count], new byte[]?[count]);
        epoll = epoll_create1(0);
        thread = new Thread(Follow) { IsBackground = true, Name = "clients" };
    }

    /// <summary>Connects them, a few at once, and waits until each follows.</summary>
    public static FeedClients Connect(int count, FeedServer server, string token)
    {
        var clients = new FeedClients(count);
        var request = Encoding.ASCII.GetBytes(
            $"GET /v1/feed?tables=turns&events=insert HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nAuthorization: Bearer {token}\r\n\r\n");
        // Without a task in sight: a socket that was asked to wait asynchronously would be watched by .NET as well.
        Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = 16 }, i =>
        {
            var socket = clients.sockets[i] = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            socket.Connect(IPAddress.Loopback, server.Port);
            socket.Send(request);
            var (buffer, length) = (new byte[1024], 0);
            while (buffer.AsSpan(0, length).IndexOf("event: ready"u8) is var at && (at < 0 || buffer.AsSpan(at, length - at).IndexOf("\n\n"u8) < 0))
            {
                var more = socket.Receive(buffer.AsSpan(length));
                length += more > 0 ? more : throw new IOException(Encoding.ASCII.GetString(buffer, 0, length));
            }

            Span<byte> interest = stackalloc byte[ReadySize];
            BinaryPrimitives.WriteUInt32LittleEndian(interest, Readable);
            BinaryPrimitives.WriteInt32LittleEndian(interest[(ReadySize - 8)..], i);
            if (epoll_ctl(clients.epoll, Add, (int)socket.Handle, ref MemoryMarshal.GetReference(interest)) != 0)
                throw new Win32Exception();
        });
        clients.thread.Start();
        return clients;
    }

    /// <summary>Has something told, and waits until it has come to all; how long it took to each from when <paramref name="tell"/> began, or told otherwise, in milliseconds.</summary>
    public async Task<double[]> TimesAsync(Func<Task> tell)
    {
        all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        (arrived, told) = (0, null);
        Volatile.Write(ref began, long.MaxValue);
        await tell();
        await all.Task.WaitAsync(TimeSpan.FromSeconds(20));
        return [.. times];
    }

    /// <summary>From here on time is counted.</summary>
    public void Begin() => Volatile.Write(ref began, Stopwatch.GetTimestamp());

    public void Dispose()
    {
        isOver = true;
        thread.Join();
        foreach (var socket in sockets)
            socket?.Dispose();
        _ = close(epoll);
    }

    private void Follow()
    {
        Span<byte> ready = stackalloc byte[MaxReady * ReadySize];
        Span<byte> buffer = stackalloc byte[16 * 1024];
        try
        {
            while (!isOver)
            {
                var count = epoll_wait(epoll, ref MemoryMarshal.GetReference(ready), MaxReady, 100);
                for (var at = 0; at < count; at++)
                {
                    var i = BinaryPrimitives.ReadInt32LittleEndian(ready[(((at + 1) * ReadySize) - 8)..]);
                    var length = (int)recv((int)sockets[i].Handle, ref MemoryMarshal.GetReference(buffer), buffer.Length, DoNotWait);
                    if (length == 0)
                        throw new IOException("The server closed a stream.");
                    if (length > 0)
                        Take(i, buffer[..length]);
                }
            }
        }
        catch (Exception e)
        {
            all.TrySetException(e);
        }
    }

    // An event is whole with its empty line; what comes before that is kept. The lines of HTTP's chunks in between are none of its fields.
    private void Take(int i, ReadOnlySpan<byte> bytes)
    {
        var now = Stopwatch.GetTimestamp();
        if (begun[i] is { } before)
        {
            bytes = (byte[])[.. before, .. bytes];
            begun[i] = null;
        }

        while (bytes.IndexOf("\n\n"u8) is >= 0 and var end)
        {
            ReadOnlySpan<byte> type = default, data = default;
            foreach (var range in bytes[..end].Split((byte)'\n'))
            {
                var line = bytes[..end][range];
                if (line.StartsWith("event: "u8))
                    type = line[7..];
                else if (line.StartsWith("data: "u8))
                    data = line[6..];
            }

            bytes = bytes[(end + 2)..];
            if (!type.SequenceEqual("change"u8))
                continue;
            told ??= data.ToArray();
            if (!data.SequenceEqual(told))
                throw new InvalidDataException("Two clients were told differently of one change.");
            // One may be told before its writer has been answered.
            times[i] = Math.Max(0, (now - Volatile.Read(ref began)) * 1_000.0 / Stopwatch.Frequency);
            if (++arrived == sockets.Length)
                all.TrySetResult();
        }

        // The end of a chunk.
        if (bytes.Length > 2)
            begun[i] = bytes.ToArray();
    }

#pragma warning disable CA5392, SYSLIB1054, IDE1006 // The C library's own functions, under their own names; blittable, so nothing has to be generated.
    [DllImport("libc", SetLastError = true)]
    private static extern int epoll_create1(int flags);

    [DllImport("libc", SetLastError = true)]
    private static extern int epoll_ctl(int epoll, int operation, int socket, ref byte interest);

    [DllImport("libc", SetLastError = true)]
    private static extern int epoll_wait(int epoll, ref byte ready, int max, int timeoutMs);

    [DllImport("libc", SetLastError = true)]
    private static extern nint recv(int socket, ref byte buffer, nint length, int flags);

    [DllImport("libc", SetLastError = true)]
    private static extern int close(int file);
#pragma warning restore CA5392, SYSLIB1054, IDE1006
}
