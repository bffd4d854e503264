namespace Voxbase;

/// <summary>How conversations are written and read.</summary>
public sealed class ConversationsOptions
{
    /// <summary>
    /// How many batches of appended turns are written at once: with two, one is gathered while the other is written. More hides more of
    /// a slow disk's latency and uses as many connections; fewer makes larger, cheaper batches. A conversation always stays in one lane.
    /// From 1 to 64; default 2, and 1 in <c>voxbase up</c> on at most two processors, which its HTTP needs too.
    /// </summary>
    public int AppendLanes { get; set; } = 2;

    /// <summary>
    /// The most turns written by one statement. Larger batches delay the callers at the head of the queue. From 1 to 10,000;
    /// default 256.
    /// </summary>
    public int AppendBatchTurns { get; set; } = 256;

    /// <summary>The most turns one call may append. From 1 to 100,000; default 10,000.</summary>
    public int MaxTurnsPerAppend { get; set; } = 10_000;

    /// <summary>The most rows a page holds, whatever is asked. From 1 to 10,000; default 1,000.</summary>
    public int MaxPageSize { get; set; } = 1_000;

    /// <summary>
    /// How many months ahead partitions are made. A write for a month without one still succeeds. From 1 to 24; default 3.
    /// </summary>
    public int PartitionMonthsAhead { get; set; } = 3;

    internal void Validate(Action<string> fail)
    {
        Range(AppendLanes, 1, 64, nameof(AppendLanes));
        Range(AppendBatchTurns, 1, 10_000, nameof(AppendBatchTurns));
        Range(MaxTurnsPerAppend, 1, 100_000, nameof(MaxTurnsPerAppend));
        Range(MaxPageSize, 1, 10_000, nameof(MaxPageSize));
        Range(PartitionMonthsAhead, 1, 24, nameof(PartitionMonthsAhead));

        void Range(int value, int low, int high, string name)
        {
            if (value < low || value > high)
                fail($"Conversations.{name} must be between {low} and {high} (was {value})");
        }
    }
}
