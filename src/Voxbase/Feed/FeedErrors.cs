namespace Voxbase;

/// <summary>Errors about the feed.</summary>
public static class FeedErrors
{
    /// <summary>The database or the options do not let the feed run.</summary>
    public static ErrorCode Off { get; } = new(
        "feed_off", ErrorKind.Unavailable,
        "The feed does not run here: it is turned off, or the database is not set up for logical replication.",
        "On the database: `alter system set wal_level = logical`, then restart PostgreSQL; the server's login needs REPLICATION (`alter role … replication`) "
        + "and a free replication slot (max_replication_slots). /ready and the server's log say which of them is missing.");

    /// <summary>The feed is not connected now.</summary>
    public static ErrorCode Unavailable { get; } = new(
        "feed_unavailable", ErrorKind.Unavailable,
        "The feed is starting or has lost its database.",
        "Connect again with the position of the last event; nothing in between is lost.");

    /// <summary>Entries that cannot be.</summary>
    public static ErrorCode RequestInvalid { get; } = new(
        "feed_request_invalid", ErrorKind.Invalid,
        "A subscription names no table, a table or column that the feed does not publish, or a filter of the wrong form.",
        "The message names what is wrong. Tables outside of vox are added with `alter publication voxbase_feed add table …`.");

    /// <summary>A position that is none.</summary>
    public static ErrorCode PositionInvalid { get; } = new(
        "feed_position_invalid", ErrorKind.Invalid,
        "A position to go on from is not one that the feed gave.",
        "Send the position of the last event received, as it came, or none.");

    /// <summary>Too old.</summary>
    public static ErrorCode Resync { get; } = new(
        "feed_resync", ErrorKind.Conflict,
        "What came after the position is no longer kept, or the position is of another database.",
        "Read the state anew; the changes after it follow on the same subscription.");

    /// <summary>A client that does not read.</summary>
    public static ErrorCode TooSlow { get; } = new(
        "feed_too_slow", ErrorKind.Unavailable,
        "The subscriber did not take its events in time and its queue is full.",
        "Connect again with the position of the last event received; ask for coalescing to get only the latest change of each row when behind.");

    /// <summary>A policy that raises.</summary>
    public static ErrorCode PolicyFailed { get; } = new(
        "feed_policy_failed", ErrorKind.Internal,
        "A policy of the table raised an error when it was asked for this subscriber; the changes it was asked about are left out.",
        "Mend the policy: details has its SQLSTATE. A cast of a claim that may be missing or malformed is the usual cause.");

    /// <summary>A policy that takes too long.</summary>
    public static ErrorCode PolicySlow { get; } = new(
        "feed_policy_slow", ErrorKind.Internal,
        "The policies of the table took longer for this subscriber than Feed.PolicyTimeout allows; the changes they were asked about are left out.",
        "Index the columns that the policy compares, and wrap calls that don't depend on the row in (select …).");

    /// <summary>Too many.</summary>
    public static ErrorCode TooMany { get; } = new(
        "feed_full", ErrorKind.Unavailable,
        "This server has as many subscriptions as Feed.MaxSubscriptions allows.",
        "Connect to another server, or raise Feed.MaxSubscriptions.");

    /// <summary>The credential ended in mid-stream.</summary>
    public static ErrorCode SessionOver { get; } = new(
        "feed_token_expired", ErrorKind.Unauthenticated,
        "The token of a subscription expired while it was open.",
        "Connect again with a new token and the position of the last event.");
}
