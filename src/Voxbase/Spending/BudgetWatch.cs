using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Voxbase.Capture;

namespace Voxbase;

/// <summary>What a round of <see cref="BudgetWatch.RunOnceAsync"/> did.</summary>
/// <param name="Checked">Calls whose standing was read.</param>
/// <param name="Unanswered">Calls whose standing the database did not tell.</param>
/// <param name="Ending">Calls that were told to end.</param>
/// <param name="Lapsed">Reservations of calls that nobody hears of any more.</param>
public sealed record BudgetRound(int Checked, int Unanswered, int Ending, int Lapsed);

/// <summary>
/// Holds the running calls of this process to their budgets. A call that was charged is looked at at once; every call, from time to time:
/// limits are lowered, and other servers' calls spend too.
/// </summary>
/// <remarks>
/// Of a user who reaches the alerting part of the limit each running call is told once, and one alert is raised. When the limit is spent and
/// says stop, or a call has used up what it holds and there is no more, the call is told, and ended after the grace unless it may go on by then.
/// </remarks>
public sealed class BudgetWatch(
    Budgets budgets, Alerts alerts, RunningCalls calls, VoxbaseOptions options, TimeProvider time, ILogger<BudgetWatch> logger)
{
    // Each waits once: however many charges come, the queue is never longer than the calls there are.
    private const int MostWaiting = 100_000;
    private const int ChecksAtOnce = 4;
    private static readonly TimeSpan TellingTimeout = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<Guid, Watched> watched = new();
    private readonly ConcurrentDictionary<Guid, bool> waiting = new();
    private readonly ConcurrentDictionary<Task, bool> endings = new();
    private readonly Channel<Guid> queue = Channel.CreateBounded<Guid>(MostWaiting);

    /// <summary>Ends that were begun and wait for their grace or their provider.</summary>
    internal Task Endings => Task.WhenAll(endings.Keys);

    internal async Task AdmitAsync(Guid userId, Guid conversationId, CancellationToken cancellationToken)
    {
        try
        {
            await budgets.ReserveAsync(userId, conversationId, cancellationToken);
        }
        catch (VoxbaseException e) when (e.Error.Kind == ErrorKind.Unavailable)
        {
            if (!options.Spending.AdmitWhenUnavailable)
                throw BudgetErrors.Unknown.With("The database did not say whether the budget allows the call.", e.Code, e);
            Log.CallAdmittedUnchecked(logger, conversationId, e.Code);
        }

        watched.GetOrAdd(conversationId, static _ => new Watched()).UserId = userId;
    }

    internal void Charged(Guid conversationId)
    {
        if (!waiting.TryAdd(conversationId, true))
            return;
        // Full: the next round over all calls finds it.
        if (!queue.Writer.TryWrite(conversationId))
            waiting.TryRemove(conversationId, out _);
    }

    internal async Task ReleaseAsync(Guid conversationId, CancellationToken cancellationToken)
    {
        watched.TryRemove(conversationId, out _);
        try
        {
            await budgets.ReleaseAsync(conversationId, cancellationToken);
        }
        catch (VoxbaseException e) when (e.Error.Kind == ErrorKind.Unavailable)
        {
            // It lapses by itself.
            Log.ReleaseFailed(logger, conversationId, e.Code);
        }
    }

    /// <summary>Looks at every call that runs here or was charged, and takes lapsed reservations away.</summary>
    public async Task<BudgetRound> RunOnceAsync(CancellationToken cancellationToken = default)
    {
        foreach (var conversationId in watched.Keys)
            Charged(conversationId);
        var round = await CheckWaitingAsync(cancellationToken);
        return round with { Lapsed = await budgets.ReleaseLapsedAsync(cancellationToken) };
    }

    /// <summary>Looks at the calls that were charged since.</summary>
    internal async Task<BudgetRound> CheckWaitingAsync(CancellationToken cancellationToken)
    {
        var (looked, unanswered, ending) = (0, 0, 0);
        while (queue.Reader.TryPeek(out _))
        {
            await Parallel.ForEachAsync(
                Waiting(),
                new ParallelOptions { MaxDegreeOfParallelism = ChecksAtOnce, CancellationToken = cancellationToken },
                async (conversationId, ct) =>
                {
                    var outcome = await CheckAsync(conversationId, ct);
                    Interlocked.Increment(ref looked);
                    if (outcome == Outcome.Unanswered)
                        Interlocked.Increment(ref unanswered);
                    if (outcome == Outcome.Ending)
                        Interlocked.Increment(ref ending);
                });
        }

        return new BudgetRound(looked, unanswered, ending, 0);
    }

    internal ValueTask<bool> WaitAsync(CancellationToken cancellationToken) => queue.Reader.WaitToReadAsync(cancellationToken);

    private IEnumerable<Guid> Waiting()
    {
        while (queue.Reader.TryRead(out var conversationId))
        {
            // Before it is looked at: what is charged from here on is looked at again.
            waiting.TryRemove(conversationId, out _);
            yield return conversationId;
        }
    }

    private async Task<Outcome> CheckAsync(Guid conversationId, CancellationToken cancellationToken)
    {
        try
        {
            var standing = await budgets.CheckAsServiceAsync(conversationId, cancellationToken);
            if (standing is null)
            {
                // Over, or nobody's.
                watched.TryRemove(conversationId, out _);
                return Outcome.GoesOn;
            }

            var call = watched.GetOrAdd(conversationId, static _ => new Watched());
            call.Enter(standing);
            if (standing.IsAlerting)
                await AlertAsync(call, conversationId, standing, cancellationToken);
            if (!standing.MustStop || call.WasTold(Watched.Ending))
                return Outcome.GoesOn;
            return End(call, await calls.FindAsync(conversationId, cancellationToken), conversationId, "budget_exceeded", MessageOf(standing))
                ? Outcome.Ending
                : Outcome.GoesOn;
        }
        catch (VoxbaseException e)
        {
            Log.CheckFailed(logger, conversationId, e.Code);
            // Only calls of this process: where others run is not to be found out without the database.
            if (options.Spending.EndWhenUnavailable && e.Error.Kind == ErrorKind.Unavailable && watched.TryGetValue(conversationId, out var call))
                End(call, calls.Find(conversationId), conversationId, "budget_unknown", "Whether the budget allows this call could not be found out.");
            return Outcome.Unanswered;
        }
    }

    private async Task AlertAsync(Watched call, Guid conversationId, CallStanding standing, CancellationToken cancellationToken)
    {
        // With another server, or not here yet: told when it is.
        if (!call.WasTold(Watched.Alert) && await calls.FindAsync(conversationId, cancellationToken) is { } running && call.TryTell(Watched.Alert))
        {
            await TellAsync(
                running, conversationId, "budget_alert",
                FormattableString.Invariant($"{standing.SpentUsd:0.00####} of this month's {standing.LimitUsd:0.00####} USD are spent."), cancellationToken);
        }

        if (!call.TryTell(standing.IsSpent ? Watched.Spent : Watched.Alerting))
            return;
        // The other calls of the same user are concerned just as much.
        foreach (var (other, its) in watched)
        {
            if (other != conversationId && its.UserId == standing.UserId)
                Charged(other);
        }

        try
        {
            await alerts.OpenForBudgetAsync(standing, cancellationToken);
        }
        catch (VoxbaseException e)
        {
            // The rules are evaluated from time to time as well.
            Log.RuleFailed(logger, Alerts.BudgetAlertRule, e.Code);
        }
    }

    // At most one end of a call is under way.
    private bool End(Watched call, IRunningCall? running, Guid conversationId, string reason, string message)
    {
        if (running is null || !call.TryTell(Watched.Ending))
            return false;
        var ending = EndAsync(call, running, conversationId, reason, message);
        endings[ending] = true;
        _ = ending.ContinueWith(done => endings.TryRemove(done, out _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return true;
    }

    private async Task EndAsync(Watched call, IRunningCall running, Guid conversationId, string reason, string message)
    {
        await Task.Yield();
        try
        {
            await TellAsync(running, conversationId, reason, message, CancellationToken.None);
            if (options.Spending.ExceededGrace > TimeSpan.Zero)
            {
                await Task.Delay(options.Spending.ExceededGrace, time);
                if (await MayGoOnAsync(conversationId))
                {
                    call.Forget(Watched.Ending);
                    return;
                }
            }

            await running.EndAsync(reason, CancellationToken.None);
            Log.CallEnded(logger, conversationId, reason);
        }
        catch (Exception e)
        {
            // The provider's failures are of many types, and none may take the watch down. The next look tries again.
            Log.EndFailed(logger, conversationId, e.GetType().Name);
            call.Forget(Watched.Ending);
        }
    }

    // The limit may have been raised in the grace. Where that cannot be told, what was decided stands.
    private async Task<bool> MayGoOnAsync(Guid conversationId)
    {
        try
        {
            return await budgets.CheckAsServiceAsync(conversationId) is not { MustStop: true };
        }
        catch (VoxbaseException)
        {
            return false;
        }
    }

    private async Task TellAsync(IRunningCall running, Guid conversationId, string code, string message, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(TellingTimeout);
        try
        {
            await running.TellAsync(code, message, timeout.Token);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Best effort: a client that cannot be told does not keep its call.
            Log.TellingFailed(logger, conversationId, e.GetType().Name);
        }
    }

    private static string MessageOf(CallStanding standing) => standing.IsSpent
        ? FormattableString.Invariant($"This month's {standing.LimitUsd:0.00####} USD are spent: the call ends.")
        : FormattableString.Invariant($"What is left of this month's {standing.LimitUsd:0.00####} USD is held by other calls: this one ends.");

    private enum Outcome
    {
        GoesOn,
        Unanswered,
        Ending,
    }

    /// <summary>What a call was told already.</summary>
    private sealed class Watched
    {
        public const int Alert = 1;
        public const int Alerting = 2;
        public const int Spent = 4;
        public const int Ending = 8;

        private int told;
        private DateOnly month;

        public Guid? UserId { get; set; }

        public void Enter(CallStanding standing)
        {
            UserId = standing.UserId;
            // A new month is told of anew.
            if (month != standing.Month)
                Forget(Alert | Alerting | Spent);
            month = standing.Month;
        }

        public bool WasTold(int what) => (Volatile.Read(ref told) & what) != 0;

        public bool TryTell(int what) => (Interlocked.Or(ref told, what) & what) == 0;

        public void Forget(int what) => Interlocked.And(ref told, ~what);
    }
}

/// <summary>Looks at charged calls as they come, and at all from time to time.</summary>
internal sealed class BudgetWatchJob(BudgetWatch watch, VoxbaseOptions options, TimeProvider time, ILogger<BudgetWatchJob> logger) : BackgroundService
{
    // A call that is charged many times a second is looked at this often, and once more after the last.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.WhenAll(AsTheyComeAsync(stoppingToken), FromTimeToTimeAsync(stoppingToken));

    private async Task AsTheyComeAsync(CancellationToken stoppingToken)
    {
        while (await watch.WaitAsync(stoppingToken))
        {
            await watch.CheckWaitingAsync(stoppingToken);
            await Task.Delay(Pause, time, stoppingToken);
        }
    }

    private async Task FromTimeToTimeAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Spending.CheckEvery, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await watch.RunOnceAsync(stoppingToken);
            }
            catch (VoxbaseException e)
            {
                Log.WatchFailed(logger, e.Code);
            }
        }
    }
}
