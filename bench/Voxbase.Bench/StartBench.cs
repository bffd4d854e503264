using System.Diagnostics;
using System.Globalization;
using Voxbase.Data;

namespace Voxbase.Bench;

/// <summary>The command <c>voxbase up</c> with a database of its own, from the start of the process to the line that says where it is ready.</summary>
internal static class StartBench
{
    // As asked of a start after the build.
    private const double FirstBoundMs = 6_000;
    private const double LaterBoundMs = 2_000;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchEnvironment environment, int rounds)
    {
        var (first, later) = (new List<(double, double)>(), new List<(double, double)>());
        // The first round only brings the programs into the system's cache.
        for (var round = -1; round < rounds; round++)
        {
            var folder = Path.Combine(Path.GetTempPath(), "voxbase-bench-" + Guid.NewGuid().ToString("n")[..12]);
            try
            {
                var (database, server) = (Path.Combine(folder, "database"), Path.Combine(folder, "server"));
                var (firstAlone, firstReady) = (await DatabaseAsync(database), await ServerAsync(server));
                var (laterAlone, laterReady) = (await DatabaseAsync(database), await ServerAsync(server));
                if (round < 0)
                    continue;
                first.Add((firstReady, firstAlone));
                later.Add((laterReady, laterAlone));
            }
            finally
            {
                if (Directory.Exists(folder))
                    Directory.Delete(folder, recursive: true);
            }
        }

        const string alone = "its PostgreSQL alone";
        return
        [
            Figure.Limited("start", "ready, the first start: a new cluster, all migrations", "ms", first, alone, FirstBoundMs),
            Figure.Limited("start", "ready, a later start", "ms", later, alone, LaterBoundMs),
        ];
    }

    private static async Task<double> DatabaseAsync(string home)
    {
        var started = Stopwatch.GetTimestamp();
        await using var postgres = await EmbeddedPostgres.StartAsync(new EmbeddedPostgresOptions { Home = home });
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    private static async Task<double> ServerAsync(string home)
    {
        var started = Stopwatch.GetTimestamp();
        using var server = HttpBench.Start(null, null, ("VOXBASE_HOME", home));
        try
        {
            await HttpBench.PortAsync(server);
            return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        }
        finally
        {
            using var stop = Process.Start("kill", ["-TERM", server.Id.ToString(CultureInfo.InvariantCulture)]);
            await stop.WaitForExitAsync();
            await server.WaitForExitAsync();
        }
    }
}
