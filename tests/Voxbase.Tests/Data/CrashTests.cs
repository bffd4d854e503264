using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;
using Npgsql;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Data;

/// <summary>
/// Kills the server in the middle of concurrent appends, again and again. <c>VOXBASE_CRASH_ROUNDS</c> says how often; see
/// docs/operating/crash-safety.md.
/// </summary>
[SupportedOSPlatform("linux")]
public sealed class CrashTests : IAsyncLifetime
{
    private const int Writers = 32;
    private const int Conversations = 8;

    private readonly string home = Path.Combine(Path.GetTempPath(), "vx-" + Path.GetRandomFileName().Replace(".", "", StringComparison.Ordinal));
    private readonly ConcurrentDictionary<(Guid Conversation, Guid Turn), int> acknowledged = new();
    private readonly ConcurrentQueue<Guid[]> unanswered = new();
    private int failures;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static int Rounds => int.Parse(Environment.GetEnvironmentVariable("VOXBASE_CRASH_ROUNDS") ?? "5", CultureInfo.InvariantCulture);

    public ValueTask InitializeAsync()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Kills by process id and reads /proc.");
        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync()
    {
        if (Directory.Exists(home))
            Directory.Delete(home, recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Every_acknowledged_turn_survives_kills_of_the_server_and_none_is_there_twice_or_by_half()
    {
        await using var postgres = await EmbeddedPostgres.StartAsync(new EmbeddedPostgresOptions { Home = home }, cancellationToken: Cancel);
        await using (var migrating = new Database(postgres.ConnectionString))
            await new Migrator(migrating).ApplyAsync(Cancel);

        // The server comes back on its port, so the writers keep their pool: what they meet is what an application meets.
        await using var db = new TestDatabase(new NpgsqlConnectionStringBuilder(postgres.ConnectionString) { Timeout = 5 }.ConnectionString);
        var port = postgres.Port;
        var owner = await db.NewUserAsync();
        var conversations = new List<Guid>();
        for (var i = 0; i < Conversations; i++)
            conversations.Add((await db.Conversations.StartAsync(owner, new NewConversation(), Cancel)).Id);

        for (var round = 1; round <= Rounds; round++)
        {
            var before = acknowledged.Count;
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
            var dead = new TaskCompletionSource();
            var writers = Enumerable.Range(0, Writers).Select(n => WriteAsync(db, owner, conversations[n % Conversations], n, dead.Task, stop.Token)).ToList();
            // In the thick of it: enough acknowledged for every lane and batch size to have been in use, a different moment each time.
            await UntilAsync(() => acknowledged.Count >= before + 300 + (round * 37 % 400), writers);
            KillWithChildren(postgres.ProcessId, hard: round % 2 == 0);
            (await postgres.EnsureRunningAsync(Cancel)).ShouldBeTrue("the server was killed");
            postgres.Port.ShouldBe(port);
            // Before anybody repeats anything: what failed is there as a whole or not at all.
            while (unanswered.TryDequeue(out var ids))
                (await db.ScalarAsync(Caller.Service, "select count(*) from vox.turns where id = any($1)", Parameter.Uuids(ids, id => id))).ShouldBeOneOf(0L, (long)ids.Length);
            dead.SetResult();
            var atRestart = acknowledged.Count;
            await UntilAsync(() => acknowledged.Count >= atRestart + 100, writers);
            await stop.CancelAsync();
            await Task.WhenAll(writers);
            await CheckAsync(db, round);
        }

        failures.ShouldBeGreaterThan(0, "no writer ever met the crash, so nothing was tested");
        TestContext.Current.TestOutputHelper?.WriteLine($"{Rounds} kills, {acknowledged.Count} turns acknowledged, {failures} appends failed and were repeated");
    }

    // Appends one to three turns at a time, and the same ones again until they are acknowledged.
    private async Task WriteAsync(TestDatabase db, Caller owner, Guid conversation, int seed, Task alive, CancellationToken stop)
    {
        var random = new Random(seed);
        var caller = seed % 4 == 0 ? Caller.Service : owner;
        while (!stop.IsCancellationRequested)
        {
            var turns = Enumerable.Range(0, random.Next(1, 4)).Select(_ => new NewTurn
            {
                Id = Guid.CreateVersion7(),
                Role = TurnRole.User,
                RawText = "in the thick of it",
                InputTokens = random.Next(100),
                OutputTokens = 7,
                Interrupted = random.Next(5) == 0,
                EndToEndMs = random.Next(1000),
                Confidence = Confidence.High,
            }).ToList();
            while (true)
            {
                try
                {
                    foreach (var turn in await db.Conversations.AppendAsync(caller, conversation, turns, CancellationToken.None))
                        acknowledged.TryAdd((conversation, turn.Id), turn.SequenceNumber).ShouldBeTrue();
                    break;
                }
                catch (VoxbaseException e) when (e.Error.Kind == ErrorKind.Unavailable)
                {
                    Interlocked.Increment(ref failures);
                    unanswered.Enqueue([.. turns.Select(turn => turn.Id!.Value)]);
                    await alive;
                }
            }
        }
    }

    private async Task CheckAsync(TestDatabase db, int round)
    {
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty($"round {round}");
        var kept = await db.Database.RunAsync(
            Caller.Service,
            [new Statement("select conversation_id, id, sequence_number from vox.turns")],
            static async (results, ct) =>
            {
                var rows = new Dictionary<(Guid, Guid), int>();
                while (await results.ReadAsync(ct))
                    rows.Add((results.GetGuid(0), results.GetGuid(1)), results.GetInt32(2));
                return rows;
            },
            Cancel);
        var lost = acknowledged.Where(turn => !kept.TryGetValue(turn.Key, out var number) || number != turn.Value).ToList();
        lost.ShouldBeEmpty($"round {round}: acknowledged under a number and not kept under it");
        // Every writer repeated what it hadn't heard of until it had, so nothing else can be there.
        kept.Count.ShouldBe(acknowledged.Count, $"round {round}");
    }

    private static async Task UntilAsync(Func<bool> reached, List<Task> writers)
    {
        var waited = Stopwatch.StartNew();
        while (!reached())
        {
            if (writers.FirstOrDefault(writer => writer.IsCompleted) is { } ended)
                await ended;
            if (waited.Elapsed > TimeSpan.FromMinutes(1))
                throw new TimeoutException("The writers do not get on.");
            await Task.Delay(1, Cancel);
        }
    }

    // The postmaster, then its children as they are found, as when the machine takes memory back or loses power. With hard false
    // the children are left to notice by themselves, and some may still commit meanwhile.
    private static void KillWithChildren(int postmaster, bool hard)
    {
        var children = hard ? ChildrenOf(postmaster) : [];
        Kill(postmaster);
        foreach (var child in children)
            Kill(child);
    }

    private static List<int> ChildrenOf(int parent)
    {
        var found = new List<int>();
        foreach (var folder in Directory.EnumerateDirectories("/proc").Where(f => char.IsAsciiDigit(Path.GetFileName(f)[0])))
        {
            try
            {
                // "pid (name) state ppid …"; a name may hold anything, so read from its last bracket on.
                var stat = File.ReadAllText(Path.Combine(folder, "stat"));
                if (int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[1], CultureInfo.InvariantCulture) == parent)
                    found.Add(int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture));
            }
            catch (IOException)
            {
                // It ended meanwhile.
            }
        }

        return found;
    }

    private static void Kill(int id)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            process.Kill();
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // It ended meanwhile.
        }
    }
}
