namespace Voxbase.Server;

/// <summary>What can go wrong on the command line itself.</summary>
public static class ServerErrors
{
    /// <summary>Somebody listens on the server's port.</summary>
    public static ErrorCode PortTaken { get; } = new(
        "port_taken", ErrorKind.Conflict,
        "Another program listens on the address that the server is to use.",
        "Stop the other program, or choose another port with --port.");

    /// <summary>The address cannot be listened on.</summary>
    public static ErrorCode AddressUnusable { get; } = new(
        "address_unusable", ErrorKind.Invalid,
        "The server cannot listen on the address given with --host and --port.",
        "Give an address of this machine, 0.0.0.0 for all of them, and a port that this account may use.");

    /// <summary>A file given on the command line.</summary>
    public static ErrorCode FileUnreadable { get; } = new(
        "file_unreadable", ErrorKind.NotFound,
        "A file named on the command line does not exist or cannot be read.",
        "Check the path and its permissions; - reads the standard input.");

    /// <summary>A file of prices that is none.</summary>
    public static ErrorCode PriceFileInvalid { get; } = new(
        "price_file_invalid", ErrorKind.Invalid,
        "A file of prices cannot be read as CSV or JSON, or lacks a field; nothing was set.",
        "The message and the details name each line. CSV has the heading provider,model,meter,unit_price_usd,per,valid_from,note; per and note may be left out.");

    /// <summary>A file that a command was to write.</summary>
    public static ErrorCode FileUnwritable { get; } = new(
        "file_unwritable", ErrorKind.Invalid,
        "A file that a command was to write cannot be written.",
        "Check the path, its permissions and the space on the disk.");

    /// <summary>A setting that does not parse.</summary>
    public static ErrorCode SettingInvalid { get; } = new(
        "setting_invalid", ErrorKind.Invalid,
        "An environment variable VOXBASE_… holds a value that its setting cannot take, or names no setting.",
        "`voxbase config` lists the settings with their variables and meaning.");

    /// <summary>The schema of a database of the user's own is behind.</summary>
    public static ErrorCode SchemaBehind { get; } = new(
        "schema_behind", ErrorKind.Unavailable,
        "The database given with --database was set up by an older version, and only `voxbase up` and `voxbase migrate` bring it up to date.",
        "Run `voxbase migrate` when the servers that share this database may be updated too.");

    /// <summary>The benchmarks are not part of the installed program.</summary>
    public static ErrorCode CheckoutNeeded { get; } = new(
        "checkout_needed", ErrorKind.Unavailable,
        "The command needs the source code, which an installed program doesn't have.",
        "Run ./voxbase bench in a checkout of the source code.");

    /// <summary>The scorer of an evaluation did not run.</summary>
    public static ErrorCode ScoringFailed { get; } = new(
        "scoring_failed", ErrorKind.Unavailable,
        "The score.py of an evaluation could not be run, or gave up.",
        "Install Python 3, and check that the folder holds score.py beside its sets.");

    /// <summary>Anything not foreseen.</summary>
    public static ErrorCode Unexpected { get; } = new(
        "unexpected", ErrorKind.Internal,
        "Something went wrong that Voxbase did not foresee.",
        "Set VOXBASE_DEBUG=1 to see where, and report it.");
}
