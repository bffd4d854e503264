using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Voxbase.Bench;

/// <summary>Clients that spend next to nothing: prepared bytes over plain sockets, and one thread for all of them.</summary>
internal static class HttpLoop
{
    /// <summary>Sends each request again and again over a socket of its own, each after the answer to the one before, which must begin with a status.</summary>
    /// <exception cref="IOException">An answer begins otherwise, or none came.</exception>
    public static Task AskAsync(int port, IReadOnlyList<byte[]> requests, int times, string status) =>
        Task.Factory.StartNew(() => Ask(port, requests, times, status), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static void Ask(int port, IReadOnlyList<byte[]> requests, int times, string status)
    {
        using var epoll = new Epoll();
        var connections = requests.Select(request => new Connection(port, request, times, Encoding.ASCII.GetBytes(status))).ToList();
        try
        {
            for (var i = 0; i < connections.Count; i++)
                epoll.Add(connections[i].Socket, i);
            foreach (var connection in connections)
                connection.Send();
            var left = connections.Count;
            while (left > 0)
            {
                epoll.Wait(1_000, i =>
                {
                    if (connections[i].Read())
                        left--;
                });
            }
        }
        finally
        {
            foreach (var connection in connections)
                connection.Socket.Dispose();
        }
    }

    private sealed class Connection
    {
        private readonly byte[] request;
        private readonly byte[] status;
        private readonly byte[] buffer = new byte[64 * 1024];
        private int left;
        private int received;

        public Connection(int port, byte[] request, int times, byte[] status)
        {
            (this.request, this.status, left) = (request, status, times);
            Socket.Connect(IPAddress.Loopback, port);
        }

        public Socket Socket { get; } = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

        // Small enough for the system to take it at once.
        public void Send() => Socket.Send(request);

        /// <summary>True when that was the end of the last answer.</summary>
        public bool Read()
        {
            var more = Epoll.Read(Socket, buffer.AsSpan(received));
            if (more < 0)
                return false;
            received += more > 0 ? more : throw new IOException("The server closed the connection.");
            if (LengthOf(buffer.AsSpan(0, received)) is var whole && (whole < 0 || received < whole))
                return false;
            if (!buffer.AsSpan(0, received).StartsWith(status))
                throw new IOException(Encoding.ASCII.GetString(buffer, 0, received));
            received = 0;
            if (--left == 0)
                return true;
            Send();
            return false;
        }
    }

    /// <summary>Headers and body of an answer, or -1 while its headers are incomplete.</summary>
    public static long LengthOf(ReadOnlySpan<byte> answer)
    {
        var end = answer.IndexOf("\r\n\r\n"u8);
        if (end < 0)
            return -1;
        var at = answer.IndexOf("Content-Length: "u8);
        if (at < 0 || at > end)
            return end + 4;
        var digits = answer[(at + 16)..];
        return end + 4 + long.Parse(digits[..digits.IndexOf((byte)'\r')], CultureInfo.InvariantCulture);
    }
}
