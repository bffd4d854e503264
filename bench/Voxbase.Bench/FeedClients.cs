using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Voxbase.Bench;

/// <summary>
/// Thousands of clients that follow a stream over a socket each. One thread reads them all; yet each takes every event apart, and what it was told has to be what
/// the others were.
/// </summary>
internal sealed class FeedClients : IDisposable
{
    private readonly Socket[] sockets;
    private readonly double[] times;
    private readonly byte[]?[] begun;
    private readonly byte[] buffer = new byte[16 * 1024];
    private readonly Epoll epoll = new();
    private readonly Thread thread;
    private TaskCompletionSource all = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private byte[]? told;
    private volatile bool isOver;
    private long began;
    private int arrived;

    private FeedClients(int count)
    {
        (sockets, times, begun) = (new Socket[count], new double[count], new byte[]?[count]);
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

            clients.epoll.Add(socket, i);
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
        epoll.Dispose();
    }

    private void Follow()
    {
        try
        {
            while (!isOver)
                epoll.Wait(100, Read);
        }
        catch (Exception e)
        {
            all.TrySetException(e);
        }
    }

    private void Read(int i)
    {
        var length = Epoll.Read(sockets[i], buffer);
        if (length == 0)
            throw new IOException("The server closed a stream.");
        if (length > 0)
            Take(i, buffer.AsSpan(0, length));
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
}
