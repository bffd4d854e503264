using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Voxbase.Data;

namespace Voxbase.AspNetCore;

/// <summary>Whether the process answers.</summary>
/// <param name="Status">Always <c>alive</c>.</param>
internal sealed record Liveness(string Status);

/// <summary>Whether requests can be served.</summary>
/// <param name="Status"><c>ready</c> or <c>not_ready</c>.</param>
/// <param name="Checks">What was looked at.</param>
internal sealed record Readiness(string Status, IReadOnlyList<ReadinessCheck> Checks);

/// <summary>One thing that must hold.</summary>
/// <param name="Name"><c>database</c>, <c>migrations</c> or <c>feed</c>.</param>
/// <param name="Ok">Whether it does.</param>
/// <param name="ElapsedMs">How long looking took.</param>
/// <param name="Code">The error's code when it doesn't; of the feed also where it is off, which keeps nothing else from being served.</param>
/// <param name="Hint">What to do then.</param>
internal sealed record ReadinessCheck(string Name, bool Ok, long ElapsedMs, string? Code = null, string? Hint = null);

/// <summary><c>/health</c> and <c>/ready</c>, for whoever restarts processes and routes requests. They need no token and tell no secrets.</summary>
internal sealed class HealthEndpoints(Migrator migrator, Feed feed)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly Liveness Alive = new("alive");

    private readonly Lock gate = new();
    private Task<Readiness>? running;

    public void Map(VoxbaseRoutes routes)
    {
        routes.At("/health")
            .GetOpen(HealthAsync, new Operation("health", "The process is alive") { Answers = { [200] = typeof(Liveness) } });
        routes.At("/ready")
            .GetOpen(ReadyAsync, new Operation("ready", "The database is reachable and migrated")
            {
                Answers = { [200] = typeof(Readiness), [503] = typeof(Readiness) },
            });
    }

    private static Task HealthAsync(HttpContext context) => Responses.WriteShortAsync(context, Alive, VoxbaseJson.Types.Liveness);

    private async Task ReadyAsync(HttpContext context)
    {
        var readiness = await CheckAsync().WaitAsync(context.RequestAborted);
        await Responses.WriteShortAsync(
            context, readiness, VoxbaseJson.Types.Readiness,
            readiness.Checks.All(check => check.Ok) ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
    }

    // Anybody may ask, so all who ask at once share one look at the database.
    private Task<Readiness> CheckAsync()
    {
        lock (gate)
            return running is { IsCompleted: false } ? running : running = CheckOnceAsync();
    }

    private async Task<Readiness> CheckOnceAsync()
    {
        await Task.Yield();
        using var patience = new CancellationTokenSource(Patience);
        var elapsed = Stopwatch.StartNew();
        try
        {
            var migrations = await migrator.StatusAsync(patience.Token);
            var reached = new ReadinessCheck("database", true, elapsed.ElapsedMilliseconds);
            return migrations.All(migration => migration.AppliedAt is not null)
                ? new Readiness("ready", [reached, new ReadinessCheck("migrations", true, elapsed.ElapsedMilliseconds), FeedCheck()])
                : Not(reached, Failed("migrations", DataErrors.NotMigrated));
        }
        catch (VoxbaseException e) when (e.Error == MigrationErrors.SchemaNewer || e.Error == MigrationErrors.HistoryChanged)
        {
            return Not(new ReadinessCheck("database", true, elapsed.ElapsedMilliseconds), Failed("migrations", e.Error));
        }
        catch (VoxbaseException e)
        {
            return Not(Failed("database", e.Error));
        }
        catch (Exception)
        {
            return Not(Failed("database", DataErrors.TimedOut));
        }

        // Without the feed everything else is served; who watches it looks at the code.
        ReadinessCheck FeedCheck() => feed.Health switch
        {
            { State: FeedState.Off, Reason: var reason } => new("feed", true, elapsed.ElapsedMilliseconds, FeedErrors.Off.Code, reason),
            { State: FeedState.Lost } => new("feed", true, elapsed.ElapsedMilliseconds, FeedErrors.Unavailable.Code, FeedErrors.Unavailable.Hint),
            _ => new("feed", true, elapsed.ElapsedMilliseconds),
        };

        ReadinessCheck Failed(string name, ErrorCode error) => new(name, false, elapsed.ElapsedMilliseconds, error.Code, error.Hint);

        static Readiness Not(params IReadOnlyList<ReadinessCheck> checks) => new("not_ready", checks);
    }
}
