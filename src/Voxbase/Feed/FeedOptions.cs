namespace Voxbase;

/// <summary>The feed of committed changes.</summary>
public sealed class FeedOptions
{
    /// <summary>Whether the feed runs where the database allows it. It begins with the first subscription. Default true.</summary>
    public bool IsEnabled { get; set; } = true;

    /// <summary>
    /// This server's name in its replication slot, which outlives the process: letters, digits, '-', '_' and '.'. Give servers that come back under other host
    /// names (containers) a lasting one. Null (default) takes the machine's name.
    /// </summary>
    public string? ServerName { get; set; }

    /// <summary>
    /// How many megabytes of changes are kept in memory for subscribers that come back. What is kept is not acknowledged to the database either, so
    /// a server that starts anew has it again. From 1 to 4,096; default 64.
    /// </summary>
    public int LogMegabytes { get; set; } = 64;

    /// <summary>How long changes are kept for subscribers that come back, while <see cref="LogMegabytes"/> lasts. From 1 second to 1 day; default 15 minutes.</summary>
    public TimeSpan LogFor { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>
    /// How many megabytes of write-ahead log the database may keep for this server. A slot behind by more is given up, with an error in the log, and
    /// subscribers are told to read the state anew. From 64 to 1,048,576; default 4,096.
    /// </summary>
    public int MaxRetainedWalMegabytes { get; set; } = 4_096;

    /// <summary>After how long without its server a slot is dropped by the others. From 1 minute to 30 days; default 1 day.</summary>
    public TimeSpan AbandonAfter { get; set; } = TimeSpan.FromDays(1);

    /// <summary>How many database connections ask policies at once. From 1 to 32; default 2.</summary>
    public int Connections { get; set; } = 2;

    /// <summary>
    /// How long the policies may take for one subscriber and one batch of changes; a subscriber over it loses that batch and is told. From 10 milliseconds to
    /// 1 minute; default 2 seconds.
    /// </summary>
    public TimeSpan PolicyTimeout { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How many subscriptions a server takes. From 1 to 1,000,000; default 20,000.</summary>
    public int MaxSubscriptions { get; set; } = 20_000;

    /// <summary>How many events wait for a subscriber before it is cut off or, when it asked so, its rows are coalesced. From 16 to 1,000,000; default 4,096.</summary>
    public int QueueEvents { get; set; } = 4_096;

    /// <summary>How many kilobytes of events wait for a subscriber, likewise. From 64 to 1,048,576; default 8,192.</summary>
    public int QueueKilobytes { get; set; } = 8_192;

    /// <summary>After how long without an event a subscriber is told its position. From 1 second to 10 minutes; default 15 seconds.</summary>
    public TimeSpan ProgressEvery { get; set; } = TimeSpan.FromSeconds(15);

    internal void Validate(Action<string> fail)
    {
        if (ServerName is { } name && (name.Length is 0 or > 200 || name.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.'))))
            fail($"Feed.ServerName must be 1 to 200 letters, digits, '-', '_' and '.' (was '{name}')");
        Number(LogMegabytes, 1, 4_096, nameof(LogMegabytes));
        Number(MaxRetainedWalMegabytes, 64, 1_048_576, nameof(MaxRetainedWalMegabytes));
        Number(Connections, 1, 32, nameof(Connections));
        Number(MaxSubscriptions, 1, 1_000_000, nameof(MaxSubscriptions));
        Number(QueueEvents, 16, 1_000_000, nameof(QueueEvents));
        Number(QueueKilobytes, 64, 1_048_576, nameof(QueueKilobytes));
        Range(LogFor, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), nameof(LogFor));
        Range(AbandonAfter, TimeSpan.FromMinutes(1), TimeSpan.FromDays(30), nameof(AbandonAfter));
        Range(PolicyTimeout, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1), nameof(PolicyTimeout));
        Range(ProgressEvery, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10), nameof(ProgressEvery));

        void Number(int value, int low, int high, string property)
        {
            if (value < low || value > high)
                fail($"Feed.{property} must be between {low:N0} and {high:N0} (was {value:N0})");
        }

        void Range(TimeSpan value, TimeSpan low, TimeSpan high, string property)
        {
            if (value < low || value > high)
                fail($"Feed.{property} must be between {low} and {high} (was {value})");
        }
    }
}
