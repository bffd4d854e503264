using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;

namespace Voxbase.Bench;

/// <summary>
/// Calls at real audio rates through a server process of its own. Callers and provider are a third process (<see cref="RelayLoad"/>), in which
/// a tenth as many calls are spoken to the provider directly at the same moment: what the machine's load costs anybody is in both.
/// </summary>
internal static class RelayBench
{
    private const int Sessions = 200;
    private const double AddedBoundMs = 2;
    private const double LimitMs = 10;
    private const int MostSessions = 2_000;

    // A round is this long; a short one to try the bench itself.
    private static readonly TimeSpan Length = TimeSpan.FromSeconds(
        int.TryParse(Environment.GetEnvironmentVariable("VOXBASE_BENCH_SECONDS"), CultureInfo.InvariantCulture, out var seconds) ? seconds : 8);

    // Numbers of calls to measure instead of the whole bench.
    private static readonly int[]? Asked = Environment.GetEnvironmentVariable("VOXBASE_BENCH_CALLS")?
        .Split(',').Select(count => int.Parse(count, CultureInfo.InvariantCulture)).ToArray();

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchEnvironment environment, int rounds)
    {
        var secret = Convert.ToBase64String(RandomNumberGenerator.GetBytes(48));
        using var tokens = new Tokens(new VoxbaseOptions { Tokens = { Secret = secret } }, TimeProvider.System);
        var token = tokens.Mint(Caller.UserRole, environment.User.UserId, null, TimeSpan.FromHours(1));
        using var load = StartLoad();
        var providerPort = int.Parse((await load.StandardOutput.ReadLineAsync())!, CultureInfo.InvariantCulture);
        var home = Directory.CreateTempSubdirectory("voxbase-bench-").FullName;
        using var server = HttpBench.Start(
            environment.Database.ConnectionString, secret,
            ("VOXBASE_OPENAI__BASEURL", $"http://127.0.0.1:{providerPort}/v1"), ("VOXBASE_OPENAI__APIKEY", "sk-bench"), ("VOXBASE_RELAY__MAXSESSIONS", "10000"),
            ("VOXBASE_HOME", home));
        try
        {
            var port = await HttpBench.PortAsync(server);
            var bed = new Bed(environment, load, server, port, token);
            // What has run for a while is compiled for good, by a thread that takes a third of a core for most of a minute.
            await bed.RunAsync(Sessions / 2, TimeSpan.FromSeconds(60));
            return Asked is null ? await WholeAsync(bed, rounds) : await AskedAsync(bed, Asked);
        }
        finally
        {
            load.Kill();
            server.Kill();
            await server.WaitForExitAsync();
            Directory.Delete(home, recursive: true);
        }
    }

    private static async Task<IReadOnlyList<Figure>> WholeAsync(Bed bed, int rounds)
    {
        var idle = bed.ServerMemory();
        var runs = new List<Measured>();
        for (var round = 0; round < rounds; round++)
            runs.Add(await bed.RunAsync(Sessions, Length));
        var (recorded, sent) = (await bed.RecordedAsync(), runs[^1].Run.Frames);
        var limit = Sessions;
        var last = runs.MaxBy(run => run.Run.Relayed.P99)!;
        while (last.Run.Relayed.P99 <= LimitMs && limit < MostSessions)
            last = await bed.RunAsync(limit += Sessions / 2, Length);
        double Of(Func<Measured, double> value) => Figure.Median(runs.Select(value));
        var (added50, added99, perSession) = (Of(r => r.Added50), Of(r => r.Added99), Of(r => r.Memory - idle) / 1024 / Sessions);
        return
        [
            new Figure("relay", $"added latency of a frame, {Sessions} calls, p50", "ms", added50, AddedBoundMs, "bound", added50 / AddedBoundMs, 1, AtLeast: false),
            new Figure("relay", $"added latency of a frame, {Sessions} calls, p99", "ms", added99, AddedBoundMs, "bound", added99 / AddedBoundMs, 1, AtLeast: false),
            Figure.Of("relay", $"latency of a frame, {Sessions} calls, p50", "ms", [.. runs.Select(r => (r.Run.Relayed.P50, r.Run.Direct.P50))], "spoken directly", null, atLeast: false),
            Figure.Of("relay", $"latency of a frame, {Sessions} calls, p99", "ms", [.. runs.Select(r => (r.Run.Relayed.P99, r.Run.Direct.P99))], "spoken directly", null, atLeast: false),
            new Figure("relay", "events recorded, of those sent", "events", recorded, sent, "sent", (double)recorded / sent, 1, AtLeast: true),
            new Figure("relay", "resident memory of a call", "KB", perSession, 1_024, "bound", perSession / 1_024, 1, AtLeast: false),
            new Figure("relay", "processor time of the server", "cores", Of(r => r.ServerCores), Of(r => r.DatabaseCores), "the database's", Of(r => r.ServerCores / r.DatabaseCores), null, AtLeast: false),
            new Figure("relay", $"calls at which p99 passes {LimitMs} ms", "calls", limit, Sessions, $"{Sessions} calls", (double)limit / Sessions, null, AtLeast: true),
        ];
    }

    private static async Task<IReadOnlyList<Figure>> AskedAsync(Bed bed, int[] counts)
    {
        var figures = new List<Figure>();
        foreach (var calls in counts)
        {
            var idle = bed.ServerMemory();
            var run = await bed.RunAsync(calls, Length);
            figures.Add(Figure.Of("relay", $"latency of a frame, {calls} calls, p50", "ms", [(run.Run.Relayed.P50, run.Run.Direct.P50)], "spoken directly", null, atLeast: false));
            figures.Add(Figure.Of("relay", $"latency of a frame, {calls} calls, p99", "ms", [(run.Run.Relayed.P99, run.Run.Direct.P99)], "spoken directly", null, atLeast: false));
            var recorded = await bed.RecordedAsync();
            figures.Add(new Figure("relay", "events recorded, of those sent", "events", recorded, run.Run.Frames, "sent", (double)recorded / run.Run.Frames, 1, AtLeast: true));
            var perCall = (run.Memory - idle) / 1024.0 / calls;
            figures.Add(new Figure("relay", $"resident memory of a call, {calls} calls", "KB", perCall, 1_024, "bound", perCall / 1_024, null, AtLeast: false));
        }

        return figures;
    }

    // Its sockets are read where they are polled, without a way through the pool of threads: it does nothing that takes time.
    private static Process StartLoad()
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardInput = true, RedirectStandardOutput = true };
        start.ArgumentList.Add(typeof(RelayBench).Assembly.Location);
        start.ArgumentList.Add(RelayLoad.Argument);
        start.Environment["DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS"] = "1";
        start.Environment["DOTNET_gcConcurrent"] = "0";
        return Process.Start(start)!;
    }

    /// <summary>A run, and what the processes took while it was measured.</summary>
    private sealed record Measured(RelayRun Run, long Memory, double ServerCores, double DatabaseCores, double LoadCores)
    {
        public double Added50 => Run.Relayed.P50 - Run.Direct.P50;

        public double Added99 => Run.Relayed.P99 - Run.Direct.P99;
    }

    private sealed class Bed(BenchEnvironment environment, Process load, Process server, int port, string token)
    {
        public long ServerMemory()
        {
            server.Refresh();
            return server.WorkingSet64;
        }

        /// <summary>Calls side by side, for a time; returns when they are all in the database.</summary>
        public async Task<Measured> RunAsync(int calls, TimeSpan length)
        {
            var direct = Math.Max(10, calls / 10);
            await load.StandardInput.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{port} {token} {calls} {direct} {length.TotalMilliseconds:F0}"));
            await load.StandardInput.FlushAsync();
            await SaidAsync("measuring");
            var before = Times();
            var watch = Stopwatch.StartNew();
            await SaidAsync("measured");
            var (after, seconds) = (Times(), watch.Elapsed.TotalSeconds);
            var memory = ServerMemory();
            var run = JsonSerializer.Deserialize<RelayRun>(await LineAsync())!;
            watch.Restart();
            await CaughtUpAsync();
            var measured = new Measured(
                run, memory, (after.Server - before.Server) / seconds, (after.Database - before.Database) / seconds, (after.Load - before.Load) / seconds);
            Report.Step(string.Create(
                CultureInfo.InvariantCulture,
                $"{calls} calls: p50 {run.Relayed.P50:F2} ms (directly {run.Direct.P50:F2}), p99 {run.Relayed.P99:F2} ms (directly {run.Direct.P99:F2}), {run.Relayed.Count + run.Direct.Count} frames; "
                + $"cores: server {measured.ServerCores:F2}, database {measured.DatabaseCores:F2}, callers and provider {measured.LoadCores:F2}; "
                + $"{memory >> 20} MB; in the database {watch.Elapsed.TotalSeconds:F1} s later"));
            return measured;
        }

        public async Task<long> RecordedAsync()
        {
            await using var command = environment.Raw.CreateCommand("select count(*) from vox.provider_events");
            command.CommandTimeout = 0;
            return (long)(await command.ExecuteScalarAsync())!;
        }

        private async Task CaughtUpAsync()
        {
            await using var command = environment.Raw.CreateCommand("select count(*) from vox.conversations where status in ('pending', 'active') and kind = 'realtime'");
            while ((long)(await command.ExecuteScalarAsync())! > 0)
                await Task.Delay(100);
        }

        private async Task SaidAsync(string word)
        {
            if (await LineAsync() is var line && line != word)
                throw new IOException($"The callers said '{line}'.");
        }

        private async Task<string> LineAsync() => await load.StandardOutput.ReadLineAsync() ?? throw new IOException("The callers ended.");

        private (double Server, double Database, double Load) Times()
        {
            server.Refresh();
            load.Refresh();
            return (server.TotalProcessorTime.TotalSeconds, environment.DatabaseSeconds(), load.TotalProcessorTime.TotalSeconds);
        }
    }
}
