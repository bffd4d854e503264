using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Voxbase.Data;

namespace Voxbase;

/// <summary>
/// Adds what conversations used to the rollups that statistics are read from. Any number of servers may do it at once, and one that dies
/// in the middle leaves what it had begun undone.
/// </summary>
public sealed class UsageFold(Database database, VoxbaseOptions options, TimeProvider time)
{
    internal const string FoldSql =
        """
        select vox_private.fold_stale_usage($1, $2)
        """;

    private const int ConversationsPerCommit = 25;

    /// <summary>Folds every conversation that is over, or has been quiet for <see cref="UsageOptions.FoldIdleAfter"/>, and changed since its last fold; returns how many.</summary>
    public async Task<int> RunOnceAsync(CancellationToken cancellationToken = default)
    {
        var idleSince = time.GetUtcNow() - options.Usage.FoldIdleAfter;
        var folded = 0;
        while (true)
        {
            var some = await database.RunAsync(
                Caller.Service,
                [new Statement(FoldSql, Parameter.Integer(ConversationsPerCommit), Parameter.Time(idleSince))],
                static async (results, ct) => await results.ReadAsync(ct) ? results.GetInt32(0) : 0,
                cancellationToken);
            folded += some;
            if (some < ConversationsPerCommit)
                return folded;
        }
    }
}

/// <summary>Runs <see cref="UsageFold.RunOnceAsync"/> every <see cref="UsageOptions.FoldInterval"/>.</summary>
internal sealed class UsageFoldJob(UsageFold fold, VoxbaseOptions options, TimeProvider time, ILogger<UsageFoldJob> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Usage.FoldInterval, time);
        do
        {
            try
            {
                await fold.RunOnceAsync(stoppingToken);
            }
            catch (VoxbaseException e)
            {
                UsageLog.FoldFailed(logger, e.Code);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}
