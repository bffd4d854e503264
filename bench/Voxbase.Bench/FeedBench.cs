using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql.Replication;
using Npgsql.Replication.PgOutput;
using Npgsql.Replication.PgOutput.Messages;

namespace Voxbase.Bench;

/// <summary>What the feed does in a second, and how long a change is on its way.</summary>
internal static class FeedBench
{
    private const int Decoded = 50_000;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchEnvironment environment, int rounds)
    {
        var figures = new List<Figure> { await DecodingAsync(environment, rounds) };
        figures.AddRange(await LatencyAsync(environment, rounds));
        figures.Add(await IdentitiesAsync(environment, rounds, 500, 5_000));
        figures.Add(await IdentitiesAsync(environment, rounds, 2_000, 1_500));
        figures.AddRange(await FanOutAsync(environment));
        return figures;
    }

    private static Feed NewFeed(BenchEnvironment environment, string server, Action<FeedOptions>? configure = null)
    {
        var options = new VoxbaseOptions { Database = environment.Database.ConnectionString };
        options.Feed.ServerName = server;
        configure?.Invoke(options.Feed);
        return new Feed(environment.Database.Database, options, TimeProvider.System, NullLogger<Feed>.Instance);
    }

    private static async Task DropSlotsAsync(BenchEnvironment environment) => await environment.Database.DropSlotsAsync();

    // The same rows, written before either reads: one consumer takes every value of them with Npgsql's own reader, the other is the feed's source into its log.
    private static async Task<Figure> DecodingAsync(BenchEnvironment environment, int rounds)
    {
        var db = environment.Database;
        var pairs = new List<(double, double)>();
        for (var round = -1; round < rounds; round++)
        {
            var options = new VoxbaseOptions { Database = db.ConnectionString };
            (options.Feed.ServerName, options.Feed.LogMegabytes) = ("decoding", 1_024);
            await using (var begun = NewFeed(environment, "decoding"))
            {
                await using var subscription = begun.Subscribe(Caller.Service, new FeedRequest([new FeedEntry("vox", "turns")]));
                await subscription.WaitToReadAsync();
            }

            await using var raw = new LogicalReplicationConnection(db.ConnectionString);
            await raw.Open();
            var slot = await raw.CreatePgOutputReplicationSlot("bench_raw");
            var conversation = await environment.NewConversationAsync();
            for (var i = 0; i < Decoded / 1_000; i++)
                await db.Conversations.AppendAsync(environment.User, conversation, [.. Enumerable.Range(0, 1_000).Select(_ => RawAppends.Turn())]);

            var clock = Stopwatch.StartNew();
            using (var enough = new CancellationTokenSource())
            {
                var seen = 0;
                try
                {
                    await foreach (var message in raw.StartReplication(slot, new PgOutputReplicationOptions("voxbase_feed", PgOutputProtocolVersion.V1), enough.Token))
                    {
                        if (message is not InsertMessage insert || insert.Relation.RelationName != "turns")
                            continue;
                        await foreach (var value in insert.NewRow)
                        {
                            if (!value.IsDBNull)
                                await value.Get<string>();
                        }

                        if (++seen == Decoded)
                            await enough.CancelAsync();
                    }
                }
                catch (OperationCanceledException)
                {
                    // All of it has come.
                }
            }

            var bare = Decoded / clock.Elapsed.TotalSeconds;
            await raw.DisposeAsync();
            var log = new FeedLog(1L << 30, TimeSpan.FromHours(1), TimeProvider.System);
            using var metrics = new FeedMetrics(() => new FeedHealth(FeedState.Running, null, null, 0, 0, 0, 0, 0));
            var source = new FeedSource(db.Database, options, log, TimeProvider.System, metrics, NullLogger.Instance);
            using var ending = new CancellationTokenSource();
            var running = source.RunAsync(ending.Token);
            await source.Began;
            clock.Restart();
            var (after, count) = (log.Floor, 0);
            while (count < Decoded)
            {
                await log.WaitAsync(after, ending.Token);
                count += log.Read(after, int.MaxValue, out after)!.Count(change => change.Relation.Table == "turns");
            }

            var own = Decoded / clock.Elapsed.TotalSeconds;
            await ending.CancelAsync();
            await running;
            await DropSlotsAsync(environment);
            if (round >= 0)
                pairs.Add((own, bare));
        }

        return Figure.Of("feed", "turns decoded a second", "changes/s", pairs, "a bare pgoutput consumer", 0.7, atLeast: true);
    }

    private static async Task<IReadOnlyList<Figure>> LatencyAsync(BenchEnvironment environment, int rounds)
    {
        await using var feed = NewFeed(environment, "latency");
        await using var subscription = feed.Subscribe(environment.User, new FeedRequest([new FeedEntry("vox", "turns", FeedChanges.Insert)]));
        await subscription.WaitToReadAsync();
        var (medians, slowest) = (new List<(double, double)>(), new List<(double, double)>());
        for (var round = -1; round < rounds; round++)
        {
            var conversation = await environment.NewConversationAsync();
            var committed = new ConcurrentDictionary<Guid, long>();
            const int changes = 1_500;
            var reading = Task.Run(async () =>
            {
                var took = new List<double>();
                await foreach (var each in subscription)
                {
                    if (each.Kind != FeedEventKind.Change)
                        continue;
                    each.ToJson();
                    var now = Stopwatch.GetTimestamp();
                    var id = System.Text.Json.JsonElement.Parse(each.Record.Span).GetProperty("id").GetGuid();
                    // One may be told before its writer has been answered.
                    took.Add(committed.TryGetValue(id, out var at) ? Stopwatch.GetElapsedTime(at, now).TotalMilliseconds : 0);
                    if (took.Count == changes)
                        return took;
                }

                return took;
            });
            var began = Stopwatch.GetTimestamp();
            for (var i = 0; i < changes; i++)
            {
                while (Stopwatch.GetElapsedTime(began).TotalMilliseconds < i * 2)
                    await Task.Delay(1);
                var id = Guid.CreateVersion7();
                await environment.Database.Conversations.AppendAsync(environment.User, conversation, RawAppends.Turn() with { Id = id });
                committed[id] = Stopwatch.GetTimestamp();
            }

            var times = (await reading).Order().ToList();
            if (round < 0)
                continue;
            medians.Add((times[changes / 2], 5));
            slowest.Add((times[changes * 99 / 100], 25));
        }

        await DropAsync(feed, environment);
        return
        [
            Figure.Of("feed", "commit to subscriber at 500 changes a second, p50", "ms", medians, "5 ms", 1, atLeast: false),
            Figure.Of("feed", "commit to subscriber at 500 changes a second, p99", "ms", slowest, "25 ms", 1, atLeast: false),
        ];
    }

    // Each identity follows all turns and has a conversation of its own, so that each change is asked about for all and shown to one.
    private static async Task<Figure> IdentitiesAsync(BenchEnvironment environment, int rounds, int identities, int bound)
    {
        var db = environment.Database;
        await using var feed = NewFeed(environment, $"identities{identities}");
        var users = new List<(Caller User, Guid Conversation, FeedSubscription Subscription)>();
        for (var i = 0; i < identities; i++)
        {
            var user = await db.NewUserAsync();
            var conversation = (await db.Conversations.StartAsync(user, new NewConversation { Status = ConversationStatus.Active })).Id;
            users.Add((user, conversation, feed.Subscribe(user, new FeedRequest([new FeedEntry("vox", "turns", FeedChanges.Insert)]))));
        }

        var received = 0;
        var readers = users.Select(user => Task.Run(async () =>
        {
            await foreach (var each in user.Subscription)
            {
                if (each.Kind == FeedEventKind.Change)
                    Interlocked.Increment(ref received);
            }
        })).ToList();
        var rates = new List<(double, double)>();
        for (var round = -1; round < rounds; round++)
        {
            var before = received;
            var clock = Stopwatch.StartNew();
            var expected = 0;
            await Parallel.ForEachAsync(users, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (user, cancel) =>
            {
                var turns = Enumerable.Range(0, Math.Max(4, 8_000 / identities)).Select(_ => RawAppends.Turn()).ToList();
                await db.Conversations.AppendAsync(user.User, user.Conversation, turns, cancel);
                Interlocked.Add(ref expected, turns.Count);
            });
            while (received - before < expected)
                await Task.Delay(1);
            if (round >= 0)
                rates.Add((expected / clock.Elapsed.TotalSeconds, bound));
        }

        foreach (var (_, _, subscription) in users)
            await subscription.DisposeAsync();
        await Task.WhenAll(readers);
        await DropAsync(feed, environment);
        return Figure.Of("feed", $"changes to {identities:N0} identities, policies asked, writing included", "changes/s", rates, $"{bound:N0}", 1, atLeast: true);
    }

    private static async Task<IReadOnlyList<Figure>> FanOutAsync(BenchEnvironment environment)
    {
        const int subscribers = 5_000;
        await using var feed = NewFeed(environment, "fanout");
        await using (var first = feed.Subscribe(environment.User, new FeedRequest([new FeedEntry("vox", "turns")])))
            await first.WaitToReadAsync();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var arrived = new CountdownEvent(subscribers);
        var subscriptions = new List<FeedSubscription>();
        var readers = new List<Task>();
        for (var i = 0; i < subscribers; i++)
        {
            var subscription = feed.Subscribe(environment.User, new FeedRequest([new FeedEntry("vox", "turns", FeedChanges.Insert)]));
            subscriptions.Add(subscription);
            readers.Add(Task.Run(async () =>
            {
                await foreach (var each in subscription)
                {
                    if (each.Kind is FeedEventKind.Change or FeedEventKind.Ready)
                        arrived.Signal();
                }
            }));
        }

        await Task.Run(arrived.Wait);
        var memory = (GC.GetTotalMemory(forceFullCollection: true) - before) / 1024.0 / subscribers;
        var process = Process.GetCurrentProcess();
        var busy = process.TotalProcessorTime;
        var idle = Stopwatch.StartNew();
        await Task.Delay(TimeSpan.FromSeconds(10));
        process.Refresh();
        var share = (process.TotalProcessorTime - busy).TotalSeconds / idle.Elapsed.TotalSeconds * 100;
        var conversation = await environment.NewConversationAsync();
        var times = new List<double>();
        for (var i = 0; i < 100; i++)
        {
            arrived.Reset();
            await environment.Database.Conversations.AppendAsync(environment.User, conversation, RawAppends.Turn());
            var clock = Stopwatch.StartNew();
            await Task.Run(arrived.Wait);
            times.Add(clock.Elapsed.TotalMilliseconds);
        }

        foreach (var subscription in subscriptions)
            await subscription.DisposeAsync();
        await Task.WhenAll(readers);
        await DropAsync(feed, environment);
        times.Sort();
        return
        [
            Figure.Of("feed", "one change to 5,000 idle subscribers, p99", "ms", [(times[98], 50)], "50 ms", 1, atLeast: false),
            Figure.Of("feed", "memory of an idle subscriber, without its connection", "KB", [(memory, 30)], "30 KB", 1, atLeast: false),
            Figure.Of("feed", "processor while 5,000 subscribers are idle", "% of a core", [(share, 1)], "1 %", 1, atLeast: false),
        ];
    }

    private static async Task DropAsync(Feed feed, BenchEnvironment environment)
    {
        await feed.DisposeAsync();
        await DropSlotsAsync(environment);
    }
}
