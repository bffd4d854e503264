using System.Diagnostics;
using Npgsql;
using Voxbase.Data;

namespace Voxbase.Bench;

/// <summary>A bench: what it shows, and how.</summary>
internal sealed record BenchDefinition(string Name, string About, Func<BenchEnvironment, int, Task<IReadOnlyList<Figure>>> RunAsync);

/// <summary>All of them. Each warms both sides up, then measures them in turns, round by round.</summary>
internal static class Benches
{
    private const int Writers = 64;

    public static IReadOnlyList<BenchDefinition> All { get; } =
    [
        new("start", "The command up with a database of its own, from the start of its process to the line that says where it is ready; first in an empty folder, then again. Beside the start of its PostgreSQL alone.", StartBench.RunAsync),
        new("append-concurrent", "64 writers append durably, each to a conversation of its own, each waiting for its commit before the next turn. Baselines: one connection, and 64 connections, that insert the same turn into a plain table with a prepared autocommit statement.", ConcurrentAsync),
        new("append-sequential", "One writer appends turn after turn; the median time of one append beside that of one raw insert.", SequentialAsync),
        new("append-long", "One append to a conversation that has 100,000 turns beside one that has 100.", LongAsync),
        new("read-last-20", "The last 20 turns of a conversation of 1,000, as its owner under row-level security; beside the same select, prepared, as superuser on an open connection, its rows read the same way.", ReadAsync),
        new("budgets", "Reserving a call's share of a budget and letting go of it, one after the other, beside one prepared autocommit update of a row; an append to a call whose budget is watched and that is charged after each, beside one to a call without; and a charge kept by month that uses up a reservation, beside one without either.", BudgetBench.RunAsync),
        new("usage", "Statistics of a month over 10,000, 100,000 and 1,000,000 generated conversations, asked over HTTP 200 times each: of everyone by day, by model and in one row, and one's own by day. Their rollups are made by SQL, and are compared with folded ones first. Baseline: 20 ms for p95; the smallest size for p50. VOXBASE_BENCH_CONVERSATIONS=1000,10000 measures other sizes.", UsageBench.RunAsync),
        new("http-append", "64 connections post one turn each over HTTP to a server process of its own; beside the library appending with 64 writers in this process.", HttpBench.RunAsync),
        new("rest", "The Data API over 64 connections, in this process: one row by its key, 100 rows, one insert, each beside a bare endpoint of the same web server that runs the same statement, prepared, and answers its text; what a small request allocates, with the client's share; memory while 200 MB stream; and the catalog of 500 tables and 2,000 functions.", RestBench.RunAsync),
        new("import", "A WebVTT file imported by its owner: read, hashed, and its turns appended; beside the same turns, made beforehand, appended in batches of the same size.", ImportBench.RunAsync),
        new("relay", "200 calls at real audio rates, 50 ms of 24 kHz PCM in base64 a frame, both ways, through a server process of its own; beside the same calls spoken to the provider directly. Then the number of calls at which p99 passes 10 ms.", RelayBench.RunAsync),
        new("cleaning", "Turns cleaned through the library and kept nowhere, beside the bound of 30,000 a second; 32 conversations of 250 turns, read, cleaned and written by two lanes, beside the same columns of as many turns updated in a plain table, a thousand a statement; and an append to a conversation that is cleaned after each turn, beside one to a conversation that is not.", CleaningPipelineBench.RunAsync),
        new("feed-decoding", "50,000 turns that are in the write-ahead log already, read into the feed's log; beside a bare pgoutput consumer that takes each value.", FeedBench.DecodingAsync),
        new("feed-latency", "500 turns a second appended through the library, from the moment of their commits by the database's clock until a client of /v1/feed, a server process of its own, has read them; beside a bare pgoutput consumer of as many.", FeedBench.LatencyAsync),
        new("feed-500-identities", "500 users follow all turns in this process, and each gets the 16 of its own conversation, appended by 16 writers at once: from the first append to the last event. Baseline: the same policies asked in a plain PL/pgSQL loop over the users, for 500 rows at once, on one connection; nothing is written or told meanwhile.", FeedBench.FewIdentitiesAsync),
        new("feed-2000-identities", "The same with 2,000 users and 4 turns each.", FeedBench.ManyIdentitiesAsync),
        new("feed-fan-out", "100 changes, one after the other, each to 5,000 subscribers in this process that wait for it: from before its append until the last has it. Baseline: as many channels of .NET, written to in a loop.", FeedBench.FanOutAsync),
        new("feed-idle", "5,000 clients of server-sent events over a connection each, to a server process of its own: its memory and its processor time while nothing is committed, and 50 changes that all of them see, one after the other. Baseline: as many connections to the bare web server, which writes as many bytes to all of them.", FeedBench.IdleAsync),
        new("clean", "One turn of 25 words through the transcript cleaner, with 100 key terms in a conversation of ten turns: the time of a turn, what it allocates beyond its result, and turns a second on all cores, each beside the bound that was set for it; then with 10,000 terms, and at the end of 10,000 turns.", CleaningBench.RunAsync),
    ];

    private static async Task<IReadOnlyList<Figure>> ConcurrentAsync(BenchEnvironment environment, int rounds)
    {
        await RateAsync(Writers, 50, _ => RawAppends.LoopAsync(environment.Raw, 50));
        await LibraryRateAsync(environment, 100);
        var (one, many) = (new List<(double, double)>(), new List<(double, double)>());
        for (var round = 0; round < rounds; round++)
        {
            var single = await RateAsync(1, 3_000, _ => RawAppends.LoopAsync(environment.Raw, 3_000));
            var parallel = await RateAsync(Writers, 300, _ => RawAppends.LoopAsync(environment.Raw, 300));
            var library = await LibraryRateAsync(environment, 600);
            one.Add((library, single));
            many.Add((library, parallel));
        }

        return
        [
            Figure.Of("append-concurrent", "64 writers, against one raw connection", "turns/s", one, "one raw connection", 5, atLeast: true),
            Figure.Of("append-concurrent", "64 writers, against 64 raw connections", "turns/s", many, "64 raw connections", 2, atLeast: true),
        ];
    }

    private static async Task<IReadOnlyList<Figure>> SequentialAsync(BenchEnvironment environment, int rounds)
    {
        await RawAppends.LoopAsync(environment.Raw, 500);
        await AppendTimesAsync(environment, await environment.NewConversationAsync(), 1_000);
        var times = new List<(double, double)>();
        for (var round = 0; round < rounds; round++)
        {
            // Small slices in turns: a slow second of the machine hits both.
            var (library, raw) = (new List<double>(), new List<double>());
            var conversation = await environment.NewConversationAsync();
            for (var slice = 0; slice < 10; slice++)
            {
                await RawAppends.LoopAsync(environment.Raw, 200, raw);
                library.AddRange(await AppendTimesAsync(environment, conversation, 200));
            }

            times.Add((Figure.Median(library), Figure.Median(raw)));
        }

        return [Figure.Of("append-sequential", "one append, nobody else writing", "µs", times, "raw insert", 1.8, atLeast: false)];
    }

    private static async Task<IReadOnlyList<Figure>> LongAsync(BenchEnvironment environment, int rounds)
    {
        var (big, small) = (await environment.NewConversationAsync(), await environment.NewConversationAsync());
        for (var i = 0; i < 100; i++)
        {
            await environment.Database.Conversations.AppendAsync(
                environment.User, big, [.. Enumerable.Range(0, 1_000).Select(_ => RawAppends.Turn())]);
        }

        await environment.Database.Conversations.AppendAsync(environment.User, small, [.. Enumerable.Range(0, 100).Select(_ => RawAppends.Turn())]);
        await environment.ExecuteAsync("vacuum analyze vox.turns");
        await AppendTimesAsync(environment, big, 300);
        var times = new List<(double, double)>();
        for (var round = 0; round < rounds; round++)
        {
            var (large, few) = (new List<double>(), new List<double>());
            for (var slice = 0; slice < 10; slice++)
            {
                large.AddRange(await AppendTimesAsync(environment, big, 100));
                // A conversation of about a hundred turns each time: it must not grow long in the measuring.
                var fresh = await environment.NewConversationAsync();
                await environment.Database.Conversations.AppendAsync(environment.User, fresh, [.. Enumerable.Range(0, 100).Select(_ => RawAppends.Turn())]);
                few.AddRange(await AppendTimesAsync(environment, fresh, 100));
            }

            times.Add((Figure.Median(large), Figure.Median(few)));
        }

        return [Figure.Of("append-long", "an append to a conversation of 100,000 turns", "µs", times, "one of 100 turns", 1.2, atLeast: false)];
    }

    private static async Task<IReadOnlyList<Figure>> ReadAsync(BenchEnvironment environment, int rounds)
    {
        var conversation = await environment.NewConversationAsync();
        await environment.Database.Conversations.AppendAsync(environment.User, conversation, [.. Enumerable.Range(0, 1_000).Select(_ => RawAppends.Turn())]);
        await environment.ExecuteAsync("vacuum analyze vox.turns");
        await using var connection = await environment.Raw.OpenConnectionAsync();
        await using var command = new NpgsqlCommand(Conversations.LastTurnsSql, connection)
        {
            Parameters = { Parameter.Uuid(conversation), Parameter.Integer(20) },
        };
        await command.PrepareAsync();
        await LibraryAsync(500);
        await RawAsync(500);
        var times = new List<(double, double)>();
        for (var round = 0; round < rounds; round++)
        {
            var (library, raw) = (new List<double>(), new List<double>());
            for (var slice = 0; slice < 10; slice++)
            {
                raw.AddRange(await RawAsync(200));
                library.AddRange(await LibraryAsync(200));
            }

            times.Add((Figure.Median(library), Figure.Median(raw)));
        }

        return [Figure.Of("read-last-20", "the last 20 turns, with identity", "µs", times, "raw prepared select", 1.6, atLeast: false)];

        Task<List<double>> LibraryAsync(int times) =>
            TimesAsync(times, () => environment.Database.Conversations.LastTurnsAsync(environment.User, conversation, 20));

        Task<List<double>> RawAsync(int times) => TimesAsync(times, async () =>
        {
            var turns = new List<Turn>();
            await using var rows = await command.ExecuteReaderAsync();
            while (await rows.ReadAsync())
                turns.Add(TurnRows.Read(rows));
        });
    }

    /// <summary>Turns a second of 64 writers through the library.</summary>
    public static async Task<double> LibraryRateAsync(BenchEnvironment environment, int turns)
    {
        var conversations = new Guid[Writers];
        for (var i = 0; i < Writers; i++)
            conversations[i] = await environment.NewConversationAsync();
        return await RateAsync(Writers, turns, async writer =>
        {
            for (var i = 0; i < turns; i++)
                await environment.Database.Conversations.AppendAsync(environment.User, conversations[writer], RawAppends.Turn());
        });
    }

    private static async Task<double> RateAsync(int writers, int each, Func<int, Task> write)
    {
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, writers).Select(writer => Task.Run(() => write(writer))));
        return writers * each / watch.Elapsed.TotalSeconds;
    }

    private static Task<List<double>> AppendTimesAsync(BenchEnvironment environment, Guid conversation, int turns) =>
        TimesAsync(turns, () => environment.Database.Conversations.AppendAsync(environment.User, conversation, RawAppends.Turn()));

    internal static async Task<List<double>> TimesAsync(int count, Func<Task> work)
    {
        var times = new List<double>(count);
        for (var i = 0; i < count; i++)
        {
            var started = Stopwatch.GetTimestamp();
            await work();
            times.Add(Stopwatch.GetElapsedTime(started).TotalMicroseconds);
        }

        return times;
    }
}
