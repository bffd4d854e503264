using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Voxbase.Bench;

/// <summary>A client that spends next to nothing: prepared bytes over a plain socket.</summary>
internal static class HttpLoop
{
    /// <summary>Sends a request again and again over one socket, each after the answer to the one before, which must begin with a status.</summary>
    /// <exception cref="IOException">An answer begins otherwise, or none came.</exception>
    public static async Task AskAsync(int port, byte[] request, int times, string status)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        var (buffer, expected) = (new byte[64 * 1024], Encoding.ASCII.GetBytes(status));
        for (var i = 0; i < times; i++)
        {
            await socket.SendAsync(request);
            var received = 0;
            long whole;
            while ((whole = LengthOf(buffer.AsSpan(0, received))) < 0 || received < whole)
            {
                var more = await socket.ReceiveAsync(buffer.AsMemory(received));
                received += more > 0 ? more : throw new IOException("The server closed the connection.");
            }

            if (!buffer.AsSpan(0, received).StartsWith(expected))
                throw new IOException(Encoding.ASCII.GetString(buffer, 0, received));
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
