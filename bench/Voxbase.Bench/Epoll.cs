using System.Buffers.Binary;
using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Voxbase.Bench;

/// <summary>
/// Many sockets read by one thread, with Linux's epoll: what a client costs beyond its system calls is next to nothing, and the same whatever server it speaks to.
/// .NET's own way of waiting for many sockets wakes a thread for each.
/// </summary>
internal sealed class Epoll : IDisposable
{
    private const uint Readable = 1;
    private const int AddOperation = 1;
    private const int DoNotWait = 0x40;
    private const int MaxReady = 256;

    // The struct epoll_event is packed on x64 alone.
    private static readonly int ReadySize = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;

    private readonly byte[] ready = new byte[MaxReady * ReadySize];
    private readonly int handle = epoll_create1(0);

    /// <summary>Has a socket watched under a number. One that .NET has been asked to wait for asynchronously would be watched by .NET as well.</summary>
    public void Add(Socket socket, int number)
    {
        Span<byte> interest = stackalloc byte[ReadySize];
        BinaryPrimitives.WriteUInt32LittleEndian(interest, Readable);
        BinaryPrimitives.WriteInt32LittleEndian(interest[(ReadySize - 8)..], number);
        if (epoll_ctl(handle, AddOperation, (int)socket.Handle, ref MemoryMarshal.GetReference(interest)) != 0)
            throw new Win32Exception();
    }

    /// <summary>Waits for something to read, and calls back for each socket that has.</summary>
    public void Wait(int milliseconds, Action<int> read)
    {
        var count = epoll_wait(handle, ref ready[0], MaxReady, milliseconds);
        for (var at = 0; at < count; at++)
            read(BinaryPrimitives.ReadInt32LittleEndian(ready.AsSpan(((at + 1) * ReadySize) - 8)));
    }

    /// <summary>Reads what is there: 0 when the other side has closed, less when nothing is.</summary>
    public static int Read(Socket socket, Span<byte> buffer) => (int)recv((int)socket.Handle, ref MemoryMarshal.GetReference(buffer), buffer.Length, DoNotWait);

    public void Dispose() => _ = close(handle);

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
