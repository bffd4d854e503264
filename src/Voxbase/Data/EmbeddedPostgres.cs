using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Voxbase.Data;

/// <summary>
/// A private PostgreSQL server in a folder of its own, started by the first process that asks for it and joined by the others.
/// <para>
/// Two lock files, held through the operating system so that they fall with their process, decide everything. <c>start.lock</c> is held
/// while starting, joining or stopping: of any number of starters one starts the server and the others then join it. <c>owner.lock</c> is
/// held for life by the process that will stop the server. Whoever comes and finds nobody holding it takes it, be it by starting the
/// server or by finding one whose owner was killed. So a server outlives a killed owner, and never its last owner's orderly end.
/// </para>
/// <para>
/// Postmaster runs in a session of its own: a Ctrl-C in the terminal reaches this process, which then stops it in good order.
/// </para>
/// </summary>
public sealed class EmbeddedPostgres : IAsyncDisposable
{
    private const string SuperuserName = "postgres";
    private const string ApplicationRole = "voxbase";
    private const string SettingsFile = "voxbase.conf";

    // sun_path less its ending zero: 107 bytes on Linux, 103 on macOS and the BSDs.
    private static readonly int MaxSocketPathBytes = OperatingSystem.IsLinux() ? 107 : 103;

    private static readonly string[] UnprivilegedAccounts = ["voxbase", "postgres", "_postgres", "nobody"];

    private const string FindRoleSql = """
        select rolpassword,
               rolcanlogin and rolcreaterole and rolcreatedb and rolreplication and not rolsuper and not rolbypassrls
        from pg_catalog.pg_authid
        where rolname = 'voxbase'
        """;

    private const string FindDatabaseSql = """
        select exists (select from pg_catalog.pg_database where datname = $1)
        """;

    private const string RoleAttributes = "login createrole createdb replication nosuperuser nobypassrls";

    private readonly EmbeddedPostgresOptions _options;
    private readonly ILogger _logger;
    private readonly string? _user;
    private PostgresPasswords _passwords = null!;
    private PostgresBinaries _binaries = null!;
    private PostmasterFile _server = null!;
    private FileStream? _ownership;
    private bool _closed;

    private EmbeddedPostgres(EmbeddedPostgresOptions options, string home, string? user, ILogger logger)
    {
        (_options, Home, _user, _logger) = (options, home, user, logger);
        DataDirectory = Path.Combine(home, "data");
    }

    /// <summary>The folder that holds everything.</summary>
    public string Home { get; }

    /// <summary>The data directory, <c>{Home}/data</c>.</summary>
    public string DataDirectory { get; }

    /// <summary>The folder of the binaries that this process uses.</summary>
    public string BinariesDirectory => _binaries.Directory;

    /// <summary>The version of the running server.</summary>
    public Version ServerVersion { get; private set; } = new();

    /// <summary>The port on 127.0.0.1. It may change in <see cref="EnsureRunningAsync"/>, when it was taken in the meantime.</summary>
    public int Port => _server.Port;

    /// <summary>The process id of postmaster. It changes in <see cref="EnsureRunningAsync"/> when that started the server again.</summary>
    public int ProcessId => _server.ProcessId;

    /// <summary>Whether this object started the server that runs now.</summary>
    public bool Started { get; private set; }

    /// <summary>Whether the server ran already.</summary>
    public bool Joined => !Started;

    /// <summary>Whether stopping is up to this object. True for a starter, and for a joiner that found a server whose owner is gone.</summary>
    public bool Owned => _ownership is not null;

    /// <summary>For the role <c>voxbase</c>, which owns the database: no superuser, bound by policies. Holds the password.</summary>
    public string ConnectionString => ConnectionTo(_options.DatabaseName, ApplicationRole, _passwords.Application);

    /// <summary>For the role <c>postgres</c>, the superuser, in the same database. Holds the password.</summary>
    public string SuperuserConnectionString => ConnectionTo(_options.DatabaseName, SuperuserName, _passwords.Superuser);

    /// <summary>
    /// Starts the server or joins the one that runs, and answers when it accepts connections and role, database and extension are there. What
    /// an earlier attempt left half done is done again. Waits for another process that is starting or stopping it.
    /// </summary>
    /// <exception cref="VoxbaseException">One of <see cref="EmbeddedPostgresErrors"/>.</exception>
    public static async Task<EmbeddedPostgres> StartAsync(
        EmbeddedPostgresOptions? options = null, ILogger? logger = null, CancellationToken cancellationToken = default)
    {
        options ??= new EmbeddedPostgresOptions();
        options.Validate();
        var home = options.ResolveHome();
        var user = HostCommand.IsRoot ? await ChooseUserAsync(options, home, cancellationToken) : null;
        await PrepareHomeAsync(home, user, cancellationToken);

        var postgres = new EmbeddedPostgres(options, home, user, logger ?? NullLogger.Instance);
        await using var starting = await postgres.LockStartAsync(cancellationToken);
        await postgres.FindOrMakeDataAsync(cancellationToken);
        await postgres.StartOrJoinAsync(cancellationToken);
        return postgres;
    }

    /// <summary>
    /// Starts the server again when it does not run; true if it had to. Committed rows are all there afterwards. Safe to call from any number of
    /// processes at once.
    /// </summary>
    public async Task<bool> EnsureRunningAsync(CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        await using var starting = await LockStartAsync(cancellationToken);
        var before = _server;
        await StartOrJoinAsync(cancellationToken);
        return _server.ProcessId != before.ProcessId;
    }

    /// <summary>
    /// Returns when the server ends, however it ends, at most about 250 ms later. A host that wants it back:
    /// <c>while (true) { await pg.WaitForExitAsync(ct); await pg.EnsureRunningAsync(ct); }</c>.
    /// </summary>
    public async Task WaitForExitAsync(CancellationToken cancellationToken = default)
    {
        // Asked all day long by a server that may have nothing else to do, so not more often.
        while (!_closed && _server.IsAlive())
            await Task.Delay(250, cancellationToken);
    }

    /// <summary>
    /// Stops the server if stopping it is up to this object (<see cref="Owned"/>), else only lets go of it. Open transactions are rolled back
    /// and connections closed; when that takes longer than the time-out, the server is stopped at once and the next start recovers. A
    /// second call does nothing.
    /// </summary>
    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        if (_closed)
            return;
        if (_ownership is not null)
        {
            await using var stopping = await LockStartAsync(cancellationToken);
            await StopServerAsync(cancellationToken);
            await ReleaseOwnershipAsync();
        }

        _closed = true;
    }

    /// <summary>The same as <see cref="StopAsync"/>.</summary>
    public async ValueTask DisposeAsync() => await StopAsync(CancellationToken.None);

    // ---- Home, user and locks

    private static async Task<string> ChooseUserAsync(EmbeddedPostgresOptions options, string home, CancellationToken cancellationToken)
    {
        var accounts = File.ReadLines("/etc/passwd")
            .Select(line => line.Split(':'))
            .Where(fields => fields.Length > 2 && fields[2] != "0")
            .Select(fields => fields[0])
            .ToHashSet();
        if (options.RunAs is { } wanted)
        {
            return accounts.Contains(wanted)
                ? wanted
                : throw EmbeddedPostgresErrors.NoUnprivilegedUser.With($"Embedded.RunAs names '{wanted}', which is no unprivileged account of this machine");
        }

        // An account made later must not take precedence over the one that owns the data.
        var data = Path.Combine(home, "data");
        if (Directory.Exists(data))
        {
            var nameOnly = OperatingSystem.IsLinux() ? "-c%U" : "-f%Su";
            var owner = await HostCommand.RunAsync("stat", [nameOnly, data], cancellationToken: cancellationToken);
            if (accounts.Contains(owner.Output.Trim()))
                return owner.Output.Trim();
        }

        return UnprivilegedAccounts.FirstOrDefault(accounts.Contains)
            ?? throw EmbeddedPostgresErrors.NoUnprivilegedUser.With("There is none of the accounts voxbase, postgres and nobody to run PostgreSQL as");
    }

    private static async Task PrepareHomeAsync(string home, string? user, CancellationToken cancellationToken)
    {
        const UnixFileMode ownerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        string[] folders = [Path.Combine(home, "log"), Path.Combine(home, "run")];
        try
        {
            if (!Directory.Exists(home))
            {
                Directory.CreateDirectory(home);
                if (!OperatingSystem.IsWindows())
                    File.SetUnixFileMode(home, user is null ? ownerOnly : ownerOnly | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute);
            }

            foreach (var folder in folders)
            {
                if (OperatingSystem.IsWindows())
                    Directory.CreateDirectory(folder);
                else
                    Directory.CreateDirectory(folder, ownerOnly);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw EmbeddedPostgresErrors.HomeUnusable.With($"The home {home} cannot be made or written to", e.Message, e);
        }

        if (user is null)
            return;
        await CheckReachableAsync(home, user, cancellationToken);
        await GiveAsync(user, folders, cancellationToken);
    }

    private static async Task CheckReachableAsync(string home, string user, CancellationToken cancellationToken)
    {
        if ((await HostCommand.RunAsync("test", ["-x", home], user, cancellationToken: cancellationToken)).ExitCode == 0)
            return;
        var closed = home;
        for (var folder = home; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(folder) & UnixFileMode.OtherExecute) == 0)
                closed = folder;
        }

        throw EmbeddedPostgresErrors.HomeUnusable.With(
            $"PostgreSQL would run as '{user}' (this process is root), who cannot reach the home {home} because {closed} is closed to others; "
            + $"set VOXBASE_HOME to a folder elsewhere, or open the way with: chmod o+x {closed}");
    }

    private static async Task GiveAsync(string user, string[] paths, CancellationToken cancellationToken)
    {
        var answer = await HostCommand.RunAsync("chown", [user, .. paths], cancellationToken: cancellationToken);
        if (answer.ExitCode != 0)
            throw EmbeddedPostgresErrors.HomeUnusable.With($"Files could not be given to '{user}'", answer.Tail);
    }

    private async Task<FileStream> LockStartAsync(CancellationToken cancellationToken)
    {
        var waited = Stopwatch.StartNew();
        for (var reported = 0L; ; await Task.Delay(10, cancellationToken))
        {
            if (TryLock("start.lock") is { } held)
                return held;
            if (waited.Elapsed > _options.StartTimeout)
                throw EmbeddedPostgresErrors.StartTimeout.With(
                    $"Another process has been starting or stopping the server in {Home} for {_options.StartTimeout}");
            reported = ReportProgress(waited, reported, "another process is starting or stopping PostgreSQL");
        }
    }

    private FileStream? TryLock(string name)
    {
        try
        {
            return new FileStream(Path.Combine(Home, name), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1);
        }
        catch (UnauthorizedAccessException e)
        {
            throw EmbeddedPostgresErrors.HomeUnusable.With($"The home {Home} belongs to another user", e.Message, e);
        }
        catch (IOException)
        {
            return null;
        }
    }

    private async Task ReleaseOwnershipAsync()
    {
        if (_ownership is not null)
            await _ownership.DisposeAsync();
        _ownership = null;
    }

    private long ReportProgress(Stopwatch waited, long reported, string what)
    {
        var seconds = waited.ElapsedMilliseconds / 5000 * 5;
        if (seconds > reported)
            Log.WaitingForPostgres(_logger, seconds, what);
        return seconds;
    }

    // ---- The data directory

    private async Task FindOrMakeDataAsync(CancellationToken cancellationToken)
    {
        var versionFile = Path.Combine(DataDirectory, "PG_VERSION");
        var made = File.Exists(versionFile);
        var major = made && int.TryParse((await File.ReadAllTextAsync(versionFile, cancellationToken)).Trim(), out var number) ? number : (int?)null;
        _binaries = await PostgresBinaries.FindAsync(_options, Home, major, _logger, cancellationToken);
        _passwords = PostgresPasswords.ReadOrCreate(Path.Combine(Home, "passwords.json"), mayCreate: !made);
        if (!made)
            await MakeDataAsync(cancellationToken);
    }

    /// <summary>
    /// Made under another name and renamed when complete, so a data directory is whole or not there. Each attempt has a name of its own, as
    /// the initdb of a killed process may still be at work, and clears up its folder when it fails.
    /// </summary>
    private async Task MakeDataAsync(CancellationToken cancellationToken)
    {
        if (Directory.Exists(DataDirectory))
        {
            if (Directory.EnumerateFileSystemEntries(DataDirectory).Any())
                throw EmbeddedPostgresErrors.InitFailed.With($"{DataDirectory} is there, but is no PostgreSQL data directory");
            Directory.Delete(DataDirectory);
        }

        Log.InitialisingPostgres(_logger, _binaries.Version, DataDirectory);
        DeleteLeftovers();
        var temporary = Directory.CreateDirectory(Path.Combine(Home, $"data.{Path.GetRandomFileName()}.tmp")).FullName;
        var passwordFile = Path.Combine(Home, "initdb.password");
        try
        {
            PostgresPasswords.WritePrivately(passwordFile, Encoding.ASCII.GetBytes(_passwords.Superuser + "\n"));
            if (_user is not null)
                await GiveAsync(_user, [temporary, passwordFile], cancellationToken);
            var answer = await RunToolAsync(
                _binaries.InitDb,
                [
                    "-D", temporary, "-U", SuperuserName, "--pwfile=" + passwordFile, "--auth=scram-sha-256", "--data-checksums",
                    "--encoding=UTF8", "--locale=C", "--no-instructions",
                ],
                cancellationToken);
            if (answer.ExitCode != 0)
                throw EmbeddedPostgresErrors.InitFailed.With($"initdb of PostgreSQL {_binaries.Version} failed for {DataDirectory}", answer.Tail);
            await File.AppendAllTextAsync(
                Path.Combine(temporary, "postgresql.conf"),
                $"\n# Written by Voxbase at every start.\ninclude_if_exists '{SettingsFile}'\n",
                cancellationToken);
            Directory.Move(temporary, DataDirectory);
        }
        catch
        {
            DeleteLeftovers();
            throw;
        }
        finally
        {
            File.Delete(passwordFile);
        }

        // Without this a power failure could take back the rename but not the rows committed after it.
        if (!OperatingSystem.IsWindows())
            await HostCommand.RunAsync("sync", [Home], cancellationToken: cancellationToken);
    }

    private void DeleteLeftovers()
    {
        foreach (var leftover in Directory.EnumerateDirectories(Home, "data.*.tmp"))
        {
            try
            {
                Directory.Delete(leftover, recursive: true);
            }
            catch (IOException)
            {
                // An initdb is still writing there; a later start clears it up.
            }
        }
    }

    // ---- Start or join, under start.lock

    private async Task StartOrJoinAsync(CancellationToken cancellationToken)
    {
        var waited = Stopwatch.StartNew();
        PostmasterFile? before = _server;
        var started = false;
        try
        {
            while (true)
            {
                (_server, var launched) = await BringUpAsync(waited, cancellationToken);
                started |= launched;
                try
                {
                    await PrepareDatabaseAsync(cancellationToken);
                    break;
                }
                catch (Exception e) when (e is NpgsqlException { IsTransient: true } && waited.Elapsed < _options.StartTimeout)
                {
                    // It went away between its "ready" and the connection.
                    await Task.Delay(50, cancellationToken);
                }
            }
        }
        catch (Exception) when (started)
        {
            // Nobody would own it.
            await StopServerAsync(CancellationToken.None);
            throw;
        }

        Started = started || (Started && _server.ProcessId == before?.ProcessId);
        _ownership ??= TryLock("owner.lock");
        if (started)
            Log.PostgresStarted(_logger, ServerVersion, Port, ProcessId, waited.ElapsedMilliseconds, DataDirectory);
        else
            Log.PostgresJoined(_logger, ServerVersion, Port, ProcessId, DataDirectory, Owned);
    }

    /// <summary>A server that is ready, and whether it was started here.</summary>
    private async Task<(PostmasterFile Server, bool Launched)> BringUpAsync(Stopwatch waited, CancellationToken cancellationToken)
    {
        var avoidPort = 0;
        for (var reported = 0L; ; await Task.Delay(10, cancellationToken))
        {
            if (PostmasterFile.Read(DataDirectory) is { } there && there.IsAlive())
            {
                if (there.IsReady)
                    return (there, false);
                reported = ReportProgress(waited, reported, $"PostgreSQL process {there.ProcessId} is {there.Status}");
            }
            else
            {
                var port = ChoosePort(avoidPort);
                var (server, failure) = await LaunchAsync(port, waited, cancellationToken);
                if (server is not null)
                    return (server, true);
                if (failure.Contains("could not create any TCP/IP sockets", StringComparison.Ordinal))
                {
                    if (_options.Port is > 0)
                        throw PortTaken(port);
                    Log.PortTaken(_logger, avoidPort = port);
                }
                else if (new FileInfo(PostmasterFile.PathIn(DataDirectory)) is { Exists: true, Length: 0 } empty)
                {
                    // A power failure came between making the file and writing it, so no server got as far as shared memory.
                    empty.Delete();
                }
                else if (!failure.Contains("pre-existing shared memory block", StringComparison.Ordinal)
                    && !failure.Contains("lock file \"postmaster.pid\" already exists", StringComparison.Ordinal))
                {
                    throw EmbeddedPostgresErrors.StartFailed.With($"PostgreSQL {_binaries.Version} did not start on {DataDirectory}", failure);
                }

                // Else children of a killed server are still ending, or another one came first: look again.
                reported = ReportProgress(waited, reported, HostCommand.LastLines(failure, 1));
            }

            if (waited.Elapsed > _options.StartTimeout)
                throw EmbeddedPostgresErrors.StartTimeout.With($"PostgreSQL on {DataDirectory} was not ready after {_options.StartTimeout}");
        }
    }

    /// <summary>
    /// One attempt through <c>pg_ctl</c>, on every system the same: it gives the server a session of its own and notices at once when
    /// it fails. Its own look at the server comes only every 100 ms, so readiness is read here.
    /// </summary>
    private async Task<(PostmasterFile? Server, string Failure)> LaunchAsync(int port, Stopwatch waited, CancellationToken cancellationToken)
    {
        if (PostmasterFile.Read(DataDirectory) is { } leftover && leftover.ProcessExists())
            await WriteDataFileAsync(PostmasterFile.Name, PostmasterFile.AsLeftover(DataDirectory), cancellationToken);
        var run = Path.Combine(Home, "run");
        foreach (var socket in Directory.EnumerateFiles(run, ".s.PGSQL.*"))
            File.Delete(socket);
        await WriteSettingsAsync(port, cancellationToken);

        var log = Path.Combine(Home, "log", "start.log");
        File.Delete(log);
        var patience = (_options.StartTimeout.TotalSeconds + 10).ToString("0", CultureInfo.InvariantCulture);
        var launching = RunToolAsync(
            _binaries.PgCtl, ["start", "-s", "-w", "-t", patience, "-D", DataDirectory, "-l", log], CancellationToken.None, Allocation);
        for (var reported = 0L; ; await Task.Delay(4, CancellationToken.None))
        {
            var server = PostmasterFile.Read(DataDirectory) is { } there && there.IsPostmaster() ? there : null;
            if (server is not null && cancellationToken.IsCancellationRequested)
            {
                await StopServerAsync(CancellationToken.None);
                cancellationToken.ThrowIfCancellationRequested();
            }

            if (server is { IsReady: true })
                return (server, "");
            if (launching.IsCompleted && ((await launching).ExitCode != 0 || server is null))
            {
                cancellationToken.ThrowIfCancellationRequested();
                var said = File.Exists(log) ? await File.ReadAllTextAsync(log, CancellationToken.None) : "";
                return (null, HostCommand.LastLines(said + "\n" + (await launching).Error));
            }

            // It goes on by itself: a recovery begun is better finished than begun again, and the next start joins it.
            if (waited.Elapsed > _options.StartTimeout)
                throw EmbeddedPostgresErrors.StartTimeout.With($"PostgreSQL on {DataDirectory} was not ready after {_options.StartTimeout}");
            reported = ReportProgress(waited, reported, "PostgreSQL is starting or recovering");
        }
    }

    private int ChoosePort(int avoid)
    {
        if (_options.Port is { } wanted and > 0)
            return IsFree(wanted) ? wanted : throw PortTaken(wanted);
        if (RememberedPort() is { } remembered && remembered != avoid)
        {
            if (IsFree(remembered))
                return remembered;
            Log.PortTaken(_logger, remembered);
        }

        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            socket.Listen(1);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private int? RememberedPort()
    {
        var file = Path.Combine(DataDirectory, SettingsFile);
        var line = File.Exists(file) ? File.ReadLines(file).FirstOrDefault(l => l.StartsWith("port = ", StringComparison.Ordinal)) : null;
        return int.TryParse(line?["port = ".Length..].Trim('\''), out var port) ? port : null;
    }

    private static VoxbaseException PortTaken(int port) =>
        EmbeddedPostgresErrors.PortTaken.With($"Port {port} on 127.0.0.1, asked for with Embedded.Port, is taken by another program");

    // ---- Settings

    private async Task WriteSettingsAsync(int port, CancellationToken cancellationToken)
    {
        var text = new StringBuilder("# Written by Voxbase at every start; change it through Embedded.Settings.\n");
        foreach (var (name, value) in Settings(port))
        {
            var quoted = value.Replace("'", "''", StringComparison.Ordinal).Replace(@"\", @"\\", StringComparison.Ordinal);
            text.Append(CultureInfo.InvariantCulture, $"{name} = '{quoted}'\n");
        }

        await WriteDataFileAsync(SettingsFile, text.ToString(), cancellationToken);
    }

    /// <summary>Written in the home, which is this process's own, and then moved: root must not write through a link another user made.</summary>
    private async Task WriteDataFileAsync(string name, string text, CancellationToken cancellationToken)
    {
        var file = Path.Combine(Home, name);
        PostgresPasswords.WritePrivately(file, Encoding.UTF8.GetBytes(text));
        if (_user is not null)
            await GiveAsync(_user, [file], cancellationToken);
        File.Move(file, Path.Combine(DataDirectory, name), overwrite: true);
    }

    // A statement of many rows takes hundreds of kilobytes and gives them back. By its defaults the C library hands all above 128 KB back to the system each time, and
    // fetches it anew, page by page, for the next: a tenth of an append. So a backend keeps up to 8 MB of what it once needed. (glibc's, see mallopt(3); others ignore it.)
    private static readonly Dictionary<string, string> Allocation = new()
    {
        ["MALLOC_TRIM_THRESHOLD_"] = "8388608",
        ["MALLOC_MMAP_THRESHOLD_"] = "4194304",
    };

    private Dictionary<string, string> Settings(int port)
    {
        var run = Path.Combine(Home, "run");
        var socketFits = !OperatingSystem.IsWindows() && Encoding.UTF8.GetByteCount($"{run}/.s.PGSQL.65535.lock") <= MaxSocketPathBytes;
        var settings = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
        {
            ["port"] = port.ToString(CultureInfo.InvariantCulture),
            ["listen_addresses"] = "127.0.0.1",
            ["unix_socket_directories"] = socketFits ? run : "",
            ["max_connections"] = "200",
            ["password_encryption"] = "scram-sha-256",
            ["shared_buffers"] = $"{SharedBuffersMb()}MB",

            ["wal_level"] = "logical",
            ["fsync"] = "on",
            ["full_page_writes"] = "on",
            ["synchronous_commit"] = "on",
            ["wal_compression"] = "on",
            // What commits without waiting is on the disk with its page. Else PostgreSQL wakes its WAL writer at each of those commits, in vain,
            // until a megabyte has gathered: a third of a reservation.
            ["wal_writer_flush_after"] = "0",
            ["max_wal_size"] = "2GB",
            ["max_wal_senders"] = "20",
            ["max_replication_slots"] = "20",

            // A feed that nobody reads must not fill the disk.
            ["max_slot_wal_keep_size"] = "8GB",

            ["shared_preload_libraries"] = "pg_stat_statements",
            ["jit"] = "off",
            ["timezone"] = "UTC",

            ["logging_collector"] = "on",
            ["log_destination"] = "stderr",
            ["log_directory"] = Path.Combine(Home, "log"),

            // One file for each weekday, written anew a week later.
            ["log_filename"] = "postgresql-%a.log",
            ["log_truncate_on_rotation"] = "on",
            ["log_rotation_age"] = "1d",
            ["log_rotation_size"] = "0",
            ["log_timezone"] = "UTC",
            ["log_line_prefix"] = "%m [%p] ",
            ["lc_messages"] = "C",

            // No user's data in the log: an error's message names values, its detail whole rows, and the statement is all of it. "log"
            // ranks above "error" here. The caller is told the error anyway.
            ["log_min_messages"] = "log",
            ["log_min_error_statement"] = "panic",
            ["log_error_verbosity"] = "terse",
            ["log_statement"] = "none",
            ["log_min_duration_statement"] = "-1",
            ["log_parameter_max_length"] = "0",
            ["log_parameter_max_length_on_error"] = "0",
        };
        foreach (var (name, value) in _options.Settings)
            settings[name] = value;
        return settings;
    }

    /// <summary>An eighth of what this machine or container has: the application lives beside it, and the system caches files too.</summary>
    private static long SharedBuffersMb() => Math.Clamp(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 8 / (1024 * 1024), 128, 1024);

    // ---- Role, database and extension

    /// <summary>Idempotent, so that a crash between two steps is made good by the next start.</summary>
    private async Task PrepareDatabaseAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (await TryConnectAsync(_options.DatabaseName, cancellationToken) is not { } connection)
            {
                await using var maintenance = await TryConnectAsync(SuperuserName, cancellationToken)
                    ?? throw EmbeddedPostgresErrors.StartFailed.With($"The server on {DataDirectory} has no database 'postgres'");
                await EnsureRoleAsync(maintenance, cancellationToken);
                await EnsureDatabaseAsync(maintenance, cancellationToken);
                connection = (await TryConnectAsync(_options.DatabaseName, cancellationToken))!;
            }

            await using (connection)
            {
                await EnsureRoleAsync(connection, cancellationToken);
                await ExecuteAsync(
                    connection,
                    $"""
                    alter database "{_options.DatabaseName}" owner to {ApplicationRole};
                    create extension if not exists pg_stat_statements;
                    grant pg_monitor to {ApplicationRole};
                    """,
                    cancellationToken);
                ServerVersion = connection.PostgreSqlVersion;
            }
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InvalidPassword)
        {
            throw EmbeddedPostgresErrors.PasswordsLost.With(
                $"The server on {DataDirectory} does not accept the superuser's password in {Home}/passwords.json", inner: e);
        }
        catch (PostgresException e) when (!e.IsTransient)
        {
            throw EmbeddedPostgresErrors.StartFailed.With(
                $"The server on {DataDirectory} runs, but its role and database could not be prepared", e.MessageText, e);
        }
    }

    /// <summary>Null when there is no such database.</summary>
    private async Task<NpgsqlConnection?> TryConnectAsync(string database, CancellationToken cancellationToken)
    {
        // No pool to outlive this connection, and no types to load: what is asked here has only built-in ones.
        var builder = new NpgsqlSlimDataSourceBuilder(ConnectionTo(database, SuperuserName, _passwords.Superuser));
        builder.ConnectionStringBuilder.Pooling = false;
        builder.ConfigureTypeLoading(types => types.EnableTypeLoading(false));
        await using var source = builder.Build();
        try
        {
            return await source.OpenConnectionAsync(cancellationToken);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InvalidCatalogName)
        {
            return null;
        }
    }

    private async Task EnsureRoleAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        string? verifier = null;
        var (exists, asItShould) = (false, false);
        await using (var find = new NpgsqlCommand(FindRoleSql, connection))
        await using (var reader = await find.ExecuteReaderAsync(cancellationToken))
        {
            if (await reader.ReadAsync(cancellationToken))
                (exists, verifier, asItShould) = (true, reader.IsDBNull(0) ? null : reader.GetString(0), reader.GetBoolean(1));
        }

        if (exists && asItShould && PostgresPasswords.Fits(_passwords.Application, verifier))
            return;
        verifier = PostgresPasswords.Verifier(_passwords.Application);
        var verb = exists ? "alter" : "create";
        await ExecuteAsync(connection, $"{verb} role {ApplicationRole} {RoleAttributes} password '{verifier}'", cancellationToken);
    }

    private async Task EnsureDatabaseAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using (var find = new NpgsqlCommand(FindDatabaseSql, connection) { Parameters = { new() { Value = _options.DatabaseName } } })
        {
            if ((bool)(await find.ExecuteScalarAsync(cancellationToken))!)
                return;
        }

        await ExecuteAsync(
            connection,
            $"create database \"{_options.DatabaseName}\" owner {ApplicationRole} template template0 encoding 'UTF8' locale 'C'",
            cancellationToken);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string statements, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(statements, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private string ConnectionTo(string database, string user, string password) => new NpgsqlConnectionStringBuilder
    {
        Host = _server.SocketDirectory.Length > 0 ? _server.SocketDirectory : "127.0.0.1",
        Port = _server.Port,
        Database = database,
        Username = user,
        Password = password,

        // The server offers neither and never leaves the machine; asking costs a round trip each.
        SslMode = SslMode.Disable,
        GssEncryptionMode = GssEncryptionMode.Disable,
    }.ConnectionString;

    // ---- Stop, under start.lock

    /// <summary>Whichever server runs on the data directory by now, not only the one first started.</summary>
    private async Task StopServerAsync(CancellationToken cancellationToken)
    {
        if (PostmasterFile.Read(DataDirectory) is not { } server || !server.IsPostmaster())
            return;
        var waited = Stopwatch.StartNew();
        if (!await SignalAsync(server, "INT", _options.StopTimeout, cancellationToken))
        {
            Log.StoppingPostgresAtOnce(_logger, server.ProcessId, _options.StopTimeout);

            // PostgreSQL itself kills children that have not ended five seconds later.
            if (!await SignalAsync(server, "QUIT", TimeSpan.FromSeconds(15), cancellationToken))
                throw EmbeddedPostgresErrors.StopFailed.With($"PostgreSQL process {server.ProcessId} on {DataDirectory} does not end");
        }

        Log.PostgresStopped(_logger, server.ProcessId, waited.ElapsedMilliseconds);
    }

    /// <summary>True when the server has ended within the time.</summary>
    private async Task<bool> SignalAsync(PostmasterFile server, string signal, TimeSpan patience, CancellationToken cancellationToken)
    {
        var waited = Stopwatch.StartNew();

        // Windows has no signals; there pg_ctl delivers them through a pipe.
        await RunToolAsync(_binaries.PgCtl, ["kill", signal, server.ProcessId.ToString(CultureInfo.InvariantCulture)], cancellationToken);
        while (server.IsPostmaster())
        {
            if (waited.Elapsed > patience)
                return false;
            await Task.Delay(4, cancellationToken);
        }

        return true;
    }

    private async Task<HostCommand.Result> RunToolAsync(
        string program, string[] arguments, CancellationToken cancellationToken, IReadOnlyDictionary<string, string>? environment = null)
    {
        try
        {
            return await HostCommand.RunAsync(program, arguments, _user, environment: environment, cancellationToken: cancellationToken);
        }
        catch (Win32Exception e)
        {
            throw EmbeddedPostgresErrors.StartFailed.With($"{program} cannot be run{(_user is null ? "" : $" as '{_user}'")}", e.Message, e);
        }
    }
}
