using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using Microsoft.Win32.SafeHandles;

namespace Voxbase.Capture;

/// <summary>
/// What a call has said and the database has not got yet: a file, written before a frame is passed on and read by what commits. A write
/// ends in the operating system's memory, not on the disk, so it takes microseconds and outlives this process, whatever kills it.
/// </summary>
/// <remarks>
/// <code>
/// header   magic 8 · conversation 16 · flags 4 · events kept before the first record 4
/// record   length 4 · kind 1 · milliseconds since the conversation began 4 · CRC-32C of kind, time and payload 4 · payload
/// </code>
/// Little-endian. A record that is not whole ends the file. The file is locked as long as its process lives.
/// </remarks>
internal sealed class Spool : IDisposable
{
    public const string Extension = ".spool";
    public const int RecordHead = 13;

    private const int HeaderLength = 32;

    private static readonly byte[] Magic = "voxspl01"u8.ToArray();

    private readonly Lock gate = new();
    private readonly SafeFileHandle file;
    private long length;
    private long emptied;
    private bool isClosed;

    private Spool(string path, SafeFileHandle file, Guid conversationId, bool endsWithServer, int keptBefore) =>
        (Path, this.file, ConversationId, EndsWithServer, KeptBefore) = (path, file, conversationId, endsWithServer, keptBefore);

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>Whose it is.</summary>
    public Guid ConversationId { get; }

    /// <summary>Whether the call is over when the process is gone.</summary>
    public bool EndsWithServer { get; }

    /// <summary>How many events of the conversation were kept before the first record.</summary>
    public int KeptBefore { get; private set; }

    /// <summary>The first record's place.</summary>
    public static long Start => HeaderLength;

    /// <summary>The end of the last record.</summary>
    public long Length => Volatile.Read(ref length);

    /// <summary>All that was ever written to it, in bytes.</summary>
    public long Total
    {
        get
        {
            lock (gate)
                return emptied + length;
        }
    }

    /// <summary>When it was last written to, for a file that was found.</summary>
    public DateTimeOffset WrittenAt => File.GetLastWriteTimeUtc(file);

    /// <summary>A new one.</summary>
    /// <exception cref="IOException">The folder cannot be written to.</exception>
    public static Spool Create(string folder, Guid conversationId, bool endsWithServer, int keptBefore)
    {
        MakeFolder(folder);
        var path = System.IO.Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{conversationId:n}-{Guid.CreateVersion7():n}"));
        var file = Open(path, FileMode.CreateNew);
        try
        {
            var spool = new Spool(path + Extension, file, conversationId, endsWithServer, keptBefore) { length = HeaderLength };
            spool.WriteHeader();
            // Who looks for files of the dead finds it only when it is locked and named.
            File.Move(path, path + Extension);
            return spool;
        }
        catch
        {
            file.Dispose();
            File.Delete(path);
            throw;
        }
    }

    /// <summary>Where the files of a conversation are, whoever has them open, the oldest first.</summary>
    public static string[] PathsOf(string folder, Guid conversationId)
    {
        if (!Directory.Exists(folder))
            return [];
        var paths = Directory.GetFiles(folder, string.Create(CultureInfo.InvariantCulture, $"{conversationId:n}-*{Extension}"));
        Array.Sort(paths, StringComparer.Ordinal);
        return paths;
    }

    /// <summary>The file of a process that is gone; null when that lives, or when it is no such file.</summary>
    public static Spool? Find(string path)
    {
        SafeFileHandle file;
        try
        {
            file = Open(path, FileMode.Open);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        var header = new byte[HeaderLength];
        if (RandomAccess.Read(file, header, 0) < HeaderLength || !header.AsSpan().StartsWith(Magic))
        {
            file.Dispose();
            return null;
        }

        return new Spool(
            path, file, new Guid(header.AsSpan(8, 16), bigEndian: true), BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(24)) == 1,
            BinaryPrimitives.ReadInt32LittleEndian(header.AsSpan(28)))
        {
            length = RandomAccess.GetLength(file),
        };
    }

    /// <summary>
    /// Adds a record; when this returns true, the record outlives the process. False after the last one, or once closed. Thread-safe.
    /// </summary>
    /// <exception cref="IOException">The disk is full or gone; the record is not there.</exception>
    public bool Append(byte kind, int offsetMs, ReadOnlyMemory<byte> payload, bool isLast = false)
    {
        lock (gate)
        {
            if (isClosed)
                return false;
            isClosed = isLast;
            // In one piece: gathered from two, the system would have to pin each, for more than a copy costs.
            var buffer = ArrayPool<byte>.Shared.Rent(RecordHead + payload.Length);
            var record = buffer.AsSpan(0, RecordHead + payload.Length);
            BinaryPrimitives.WriteInt32LittleEndian(record, payload.Length);
            record[4] = kind;
            BinaryPrimitives.WriteInt32LittleEndian(record[5..], offsetMs);
            BinaryPrimitives.WriteUInt32LittleEndian(record[9..], Checksum(record.Slice(4, 5), payload.Span));
            payload.Span.CopyTo(record[RecordHead..]);
            try
            {
                RandomAccess.Write(file, record, length);
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }

            Volatile.Write(ref length, length + RecordHead + payload.Length);
            return true;
        }
    }

    /// <summary>Reads from a place on; returns how much.</summary>
    public int Read(long at, Span<byte> buffer)
    {
        var available = (int)Math.Min(buffer.Length, Length - at);
        var read = 0;
        while (read < available && RandomAccess.Read(file, buffer[read..available], at + read) is > 0 and var more)
            read += more;
        return read;
    }

    /// <summary>Takes one record off the front of what was read. False when it is not whole; then <paramref name="size"/> says how long it would be, or is 0 where there is none.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, out byte kind, out int offsetMs, out ReadOnlyMemory<byte> payload, out int size)
    {
        (kind, offsetMs, payload, size) = (0, 0, default, 0);
        var head = bytes.Span;
        if (head.Length < RecordHead)
            return false;
        var length = BinaryPrimitives.ReadInt32LittleEndian(head);
        if (length is < 0 or > int.MaxValue - RecordHead)
            return false;
        size = RecordHead + length;
        if (head.Length < size)
            return false;
        if (BinaryPrimitives.ReadUInt32LittleEndian(head[9..]) != Checksum(head.Slice(4, 5), head[RecordHead..size]))
        {
            size = 0;
            return false;
        }

        (kind, offsetMs, payload) = (head[4], BinaryPrimitives.ReadInt32LittleEndian(head[5..]), bytes[RecordHead..size]);
        return true;
    }

    /// <summary>Empties it, once everything up to <paramref name="read"/> is committed and nothing came since.</summary>
    public bool TryEmpty(long read, int keptBefore)
    {
        lock (gate)
        {
            if (length != read)
                return false;
            RandomAccess.SetLength(file, HeaderLength);
            emptied += length - HeaderLength;
            (length, KeptBefore) = (HeaderLength, keptBefore);
            WriteHeader();
            return true;
        }
    }

    /// <summary>Closes and deletes it.</summary>
    public void Delete()
    {
        // Deleted while it is locked: nobody can find it in between.
        File.Delete(Path);
        Dispose();
    }

    /// <summary>Closes it; what it holds waits for somebody to find it.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            isClosed = true;
            file.Dispose();
        }
    }

    private void WriteHeader()
    {
        Span<byte> header = stackalloc byte[HeaderLength];
        header.Clear();
        Magic.CopyTo(header);
        ConversationId.TryWriteBytes(header[8..], bigEndian: true, out _);
        BinaryPrimitives.WriteInt32LittleEndian(header[24..], EndsWithServer ? 1 : 0);
        BinaryPrimitives.WriteInt32LittleEndian(header[28..], KeptBefore);
        RandomAccess.Write(file, header, 0);
    }

    // Nobody else on the machine may read what was said.
    private static void MakeFolder(string folder)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(folder);
        else
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private static SafeFileHandle Open(string path, FileMode mode)
    {
        // Windows must be told that a file may be renamed and deleted while it is open; elsewhere nothing but None locks.
        var file = File.OpenHandle(path, mode, FileAccess.ReadWrite, OperatingSystem.IsWindows() ? FileShare.Delete : FileShare.None);
        if (mode == FileMode.CreateNew && !OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return file;
    }

    private static uint Checksum(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second) => Checksum(Checksum(uint.MaxValue, first), second);

    private static uint Checksum(uint crc, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= 8)
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }

        foreach (var each in bytes)
            crc = BitOperations.Crc32C(crc, each);
        return crc;
    }
}
