using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Voxbase.Data;

/// <summary>
/// Keeps a partition ready for every month that something is written to: ahead of time by a background job, and on demand when a
/// conversation starts. Without one a write still succeeds; it lands in the default partition and moves when the month is made.
/// </summary>
public sealed class Partitions(Database database, VoxbaseOptions options, TimeProvider time)
{
    internal const string EnsureSql =
        """
        select vox_private.ensure_month($1)
        """;

    private readonly ConcurrentDictionary<DateOnly, bool> ready = new();

    /// <summary>
    /// Makes the partitions of this month and the next <see cref="ConversationsOptions.PartitionMonthsAhead"/> where they are
    /// absent; returns how many tables got one. Safe to run at once on many servers.
    /// </summary>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken = default)
    {
        var month = MonthOf(time.GetUtcNow());
        var made = 0;
        for (var ahead = 0; ahead <= options.Conversations.PartitionMonthsAhead; ahead++)
            made += await EnsureAsync(month.AddMonths(ahead), cancellationToken);
        return made;
    }

    /// <summary>
    /// The partition for a conversation's id; free once the month is known. Users get one for the past year on demand, the service for
    /// any year from 2015 on; other ids use the default partition, so that nobody can make partitions by inventing ids.
    /// </summary>
    internal ValueTask EnsureForAsync(Caller caller, Guid conversationId, CancellationToken cancellationToken)
    {
        if (ReadyMonthOf(conversationId) is not null)
            return ValueTask.CompletedTask;
        var now = time.GetUtcNow();
        var oldest = caller.IsService ? new DateTimeOffset(2015, 1, 1, 0, 0, 0, TimeSpan.Zero) : now.AddYears(-1);
        if (TimeOf(conversationId) is not { } madeAt || madeAt > now.AddMonths(1) || madeAt < oldest)
            return ValueTask.CompletedTask;
        return new ValueTask(EnsureAsync(MonthOf(madeAt), cancellationToken));
    }

    /// <summary>The month whose partition holds this conversation, or null when it may not have one.</summary>
    internal DateOnly? ReadyMonthOf(Guid conversationId) =>
        TimeOf(conversationId) is { } madeAt && MonthOf(madeAt) is var month && ready.ContainsKey(month) ? month : null;

    /// <summary>A partition that is no longer there. It is made again when a conversation of its month starts.</summary>
    internal void Forget(DateOnly month) => ready.TryRemove(month, out _);

    /// <summary>The moment inside a UUIDv7, or null for another version.</summary>
    internal static DateTimeOffset? TimeOf(Guid id)
    {
        if (id.Version != 7)
            return null;
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        var milliseconds = 0L;
        for (var i = 0; i < 6; i++)
            milliseconds = (milliseconds << 8) | bytes[i];
        return milliseconds <= 253_402_300_799_999 ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds) : null;
    }

    private async Task<int> EnsureAsync(DateOnly month, CancellationToken cancellationToken)
    {
        var made = await database.RunAsync(
            Caller.Service,
            [new Statement(EnsureSql, Parameter.Date(month))],
            static async (results, ct) => await results.ReadAsync(ct) ? results.GetInt32(0) : 0,
            cancellationToken);
        ready[month] = true;
        return made;
    }

    private static DateOnly MonthOf(DateTimeOffset moment) => new(moment.UtcDateTime.Year, moment.UtcDateTime.Month, 1);
}

/// <summary>Runs <see cref="Partitions.RunOnceAsync"/> at the start and every six hours.</summary>
internal sealed class PartitionsJob(Partitions partitions, TimeProvider time, ILogger<PartitionsJob> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromHours(6), time);
        do
        {
            try
            {
                var made = await partitions.RunOnceAsync(stoppingToken);
                if (made > 0)
                    Log.PartitionsMade(logger, made);
            }
            catch (VoxbaseException e)
            {
                Log.PartitionsFailed(logger, e.Code);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}
