using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;

namespace Voxbase.Data;

/// <summary>
/// What <c>postmaster.pid</c> says of the server on a data directory. Its lines: process id, data directory, start time, port, socket folder,
/// listen address, shared memory key, status.
/// </summary>
internal sealed record PostmasterFile(int ProcessId, string DataDirectory, int Port, string SocketDirectory, string Status)
{
    public const string Name = "postmaster.pid";

    // Above what any system gives out, so PostgreSQL takes the file for a leftover and still checks the shared memory key in it.
    private const string NobodysProcessId = "2147483647";

    public bool IsReady => Status == "ready";

    /// <summary>Null when there is none, or it has no readable process id (it may be being written).</summary>
    public static PostmasterFile? Read(string dataDirectory)
    {
        string[] lines;
        try
        {
            lines = File.ReadAllLines(PathIn(dataDirectory));
        }
        catch (IOException)
        {
            return null;
        }

        string Line(int number) => lines.Length >= number ? lines[number - 1].Trim() : "";
        return int.TryParse(Line(1), NumberStyles.None, null, out var processId) && processId > 0
            ? new PostmasterFile(processId, Line(2), int.TryParse(Line(4), out var port) ? port : 0, Line(5), Line(8))
            : null;
    }

    /// <summary>Whether that server runs. A process that merely has the same id by now does not count.</summary>
    public bool IsAlive() => IsPostmaster() || IsListening();

    /// <summary>
    /// Whether a postmaster on this data directory has this process id. PostgreSQL itself only asks whether the id is in use, and refuses to
    /// start after a power failure when some other process of the same user has got it.
    /// </summary>
    public bool IsPostmaster()
    {
        if (!OperatingSystem.IsLinux())
            return ProcessName() is { } name && name.StartsWith("postgres", StringComparison.OrdinalIgnoreCase);
        try
        {
            // Empty for a zombie. A postmaster keeps the arguments it was started with; only its children change theirs.
            var arguments = File.ReadAllText($"/proc/{ProcessId}/cmdline").Split('\0', StringSplitOptions.RemoveEmptyEntries);
            return arguments.Length > 0
                && Path.GetFileName(arguments[0]) is "postgres" or "postmaster"
                && arguments.Any(a => a == DataDirectory || a == "-D" + DataDirectory);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>
    /// The same file with nobody's process id, for PostgreSQL to see that it is a leftover when the id now belongs to somebody else. The
    /// file must not just be deleted: its shared memory key is what keeps a second server away while children of a killed one still write.
    /// </summary>
    public static string AsLeftover(string dataDirectory) =>
        string.Join('\n', File.ReadAllLines(PathIn(dataDirectory)).Skip(1).Prepend(NobodysProcessId)) + "\n";

    public static string PathIn(string dataDirectory) => Path.Combine(dataDirectory, Name);

    public bool ProcessExists() => ProcessName() is not null;

    // Finds a server that another container started on the same volume: its process id means nothing here, its socket does.
    private bool IsListening()
    {
        if (SocketDirectory.Length == 0)
            return false;
        try
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Connect(new UnixDomainSocketEndPoint(Path.Combine(SocketDirectory, $".s.PGSQL.{Port}")));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private string? ProcessName()
    {
        try
        {
            using var process = Process.GetProcessById(ProcessId);
            return process.ProcessName;
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }
}
