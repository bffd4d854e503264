using System.Net.Sockets;
using System.Text;
using Npgsql;

namespace Voxbase.Data;

/// <summary>Errors that come from the database, told by SQLSTATE and constraint name, never by message text.</summary>
public static class DataErrors
{
    /// <summary>The connection string does not parse.</summary>
    public static ErrorCode ConnectionStringInvalid { get; } = new(
        "connection_string_invalid", ErrorKind.Invalid,
        "The connection string of --database or VOXBASE_DATABASE does not parse.",
        "Write Host=…;Port=5432;Database=…;Username=…;Password=… or postgresql://user:password@host:5432/database.");

    /// <summary>No answer from the database.</summary>
    public static ErrorCode Unavailable { get; } = new(
        "database_unavailable", ErrorKind.Unavailable,
        "The database cannot be reached, is starting or stopping, or dropped the connection.",
        "Try again: every write of Voxbase may be repeated safely. `voxbase config` shows which database is meant.");

    /// <summary>The database refused the login or the database name.</summary>
    public static ErrorCode Refused { get; } = new(
        "database_refused", ErrorKind.Unavailable,
        "The database refused the login, or has no database of that name.",
        "Check user, password and database of --database or VOXBASE_DATABASE.");

    /// <summary>The schema is not there, or older than the program.</summary>
    public static ErrorCode NotMigrated { get; } = new(
        "not_migrated", ErrorKind.Unavailable,
        "The database lacks a table, column or function that this version uses.",
        "Run `voxbase migrate`.");

    /// <summary>A statement was stopped for taking too long.</summary>
    public static ErrorCode TimedOut { get; } = new(
        "database_timeout", ErrorKind.Unavailable,
        "A statement was stopped because it took too long or waited too long for a lock.",
        "Try again; if it persists, the view pg_stat_statements names the slow statements.");

    /// <summary>The policies or grants forbid it.</summary>
    public static ErrorCode Forbidden { get; } = new(
        "forbidden", ErrorKind.Forbidden,
        "The caller's role may not do this.",
        "Users write their own rows only; totals, costs and charges are written by the database and the service alone.");

    /// <summary>A value the database does not accept.</summary>
    public static ErrorCode ValueInvalid { get; } = new(
        "value_invalid", ErrorKind.Invalid,
        "A value is of the wrong form or outside what its column accepts.",
        "The message names the column or the check; docs/reference/schema.md says what it accepts.");

    /// <summary>Something with this key exists already.</summary>
    public static ErrorCode AlreadyExists { get; } = new(
        "already_exists", ErrorKind.Conflict,
        "Something with this key exists already.",
        "Read the existing one, or choose another key.");

    /// <summary>Something referred to does not exist.</summary>
    public static ErrorCode ReferenceNotFound { get; } = new(
        "reference_not_found", ErrorKind.NotFound,
        "A row refers to something that does not exist or belongs to somebody else.",
        "The message names the reference; create that first.");

    /// <summary>The row is still referred to.</summary>
    public static ErrorCode StillReferenced { get; } = new(
        "still_referenced", ErrorKind.Conflict,
        "The row cannot go while others refer to it; a conversation with charges stays.",
        "Archive it instead (archived_at).");

    /// <summary>A status that cannot follow the present one.</summary>
    public static ErrorCode StatusMoveRefused { get; } = new(
        "status_move_refused", ErrorKind.Conflict,
        "A conversation's status cannot move that way.",
        "pending moves to active or failed, active to completed or failed; nothing moves on from those.");

    /// <summary>A state that cannot follow the present one.</summary>
    public static ErrorCode StateMoveRefused { get; } = new(
        "state_move_refused", ErrorKind.Conflict,
        "A conversation's live state cannot move that way.",
        "idle, listening, processing, speaking, then idle or interrupted; interrupted to listening or idle; error from anywhere and back to idle.");

    /// <summary>
    /// The error that an exception of Npgsql stands for, or null when it stands for none (a bug, a cancellation).
    /// </summary>
    internal static VoxbaseException? From(Exception exception) => exception switch
    {
        PostgresException e => From(e),
        NpgsqlException { InnerException: TimeoutException } e => TimedOut.With("The database did not answer in time.", inner: e),
        NpgsqlException e => Unavailable.With("The database cannot be reached.", e.InnerException?.Message ?? e.Message, e),
        // Thrown before anything is sent: half of a surrogate pair has no place in UTF-8.
        EncoderFallbackException e => ValueInvalid.With("A text is not valid Unicode: it holds half of a surrogate pair.", inner: e),
        SocketException e => Unavailable.With("The database cannot be reached.", e.Message, e),
        TimeoutException e => TimedOut.With("The database did not answer in time.", inner: e),
        _ => null,
    };

    // A server's DETAIL may quote the row, so it is never passed on; MESSAGE names columns and constraints, and for malformed
    // input the literal that the caller sent.
    private static VoxbaseException? From(PostgresException e) => e.SqlState switch
    {
        // 428C9: a generated column, which the database alone writes, like one that is granted to nobody.
        PostgresErrorCodes.InsufficientPrivilege or "428C9" => Forbidden.With("The caller may not do this.", e.MessageText, e),
        PostgresErrorCodes.ForeignKeyViolation when e.ConstraintName == "conversations_user_id_fkey" =>
            IdentityErrors.UserNotFound.With("The user named does not exist.", e.ConstraintName, e),
        // Charges are written after their conversation by the service alone, so this key only fails when a conversation is to go.
        PostgresErrorCodes.ForeignKeyViolation when e.ConstraintName == "charges_conversation_fkey" =>
            StillReferenced.With("The conversation has charges.", e.ConstraintName, e),
        PostgresErrorCodes.ForeignKeyViolation => ReferenceNotFound.With("It refers to something that does not exist.", e.ConstraintName, e),
        PostgresErrorCodes.CheckViolation when e.ConstraintName == "conversations_status_moves" => StatusMoveRefused.With(e.MessageText, inner: e),
        PostgresErrorCodes.CheckViolation when e.ConstraintName == "conversations_state_moves" => StateMoveRefused.With(e.MessageText, inner: e),
        PostgresErrorCodes.CheckViolation => ValueInvalid.With($"The check {e.ConstraintName} does not hold.", e.ConstraintName, e),
        PostgresErrorCodes.NotNullViolation => ValueInvalid.With($"{e.ColumnName} must not be null.", e.ColumnName, e),
        PostgresErrorCodes.UniqueViolation => AlreadyExists.With("It exists already.", e.ConstraintName, e),
        PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn or PostgresErrorCodes.UndefinedFunction
            or PostgresErrorCodes.InvalidSchemaName or PostgresErrorCodes.UndefinedObject => NotMigrated.With("The schema is not what this version expects.", e.MessageText, e),
        PostgresErrorCodes.QueryCanceled or PostgresErrorCodes.LockNotAvailable => TimedOut.With("A statement was stopped.", e.SqlState, e),
        PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification or PostgresErrorCodes.InvalidCatalogName =>
            Refused.With("The database refused the connection.", e.MessageText, e),
        PostgresErrorCodes.SerializationFailure or PostgresErrorCodes.DeadlockDetected => Unavailable.With("Two transactions met; this one was undone.", e.SqlState, e),
        PostgresErrorCodes.TooManyConnections => Unavailable.With("The database has no connection left.", e.SqlState, e),
        _ when e.SqlState.StartsWith("08", StringComparison.Ordinal) || e.SqlState.StartsWith("57P", StringComparison.Ordinal) =>
            Unavailable.With("The database is not answering.", e.SqlState, e),
        _ when e.SqlState.StartsWith("53", StringComparison.Ordinal) => Unavailable.With("The database has run out of a resource.", e.SqlState, e),
        // Class 22: data exceptions — out of range, malformed, \u0000 and the like.
        _ when e.SqlState.StartsWith("22", StringComparison.Ordinal) => ValueInvalid.With("A value is not acceptable.", e.SqlState, e),
        _ => null,
    };
}
