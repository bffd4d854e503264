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

    private static Feed NewFeed(BenchEnvironment environment, string server, Action<FeedOptions>? configure = null)
    {
        var options = new VoxbaseOptions { Database = environment.Database.ConnectionString };
        options.Feed.ServerName = server;
        configure?.Invoke(options.Feed);
        return new Feed(environment.Database.Database, options, TimeProvider.System, NullLogger<Feed>.Instance);
    }

    private static async Task DropSlotsAsync(BenchEnvironment environment) => await environment.Database.DropSlotsAsync();

    // The same rows, written before either reads: one consumer takes every value of them with Npgsql's own reader, the other is the feed's source into its log.
    public static async Task<IReadOnlyList<Figure>> DecodingAsync(BenchEnvironment environment, int rounds)
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
            // Its connection and slot are in it.
            clock.Restart();
            var running = source.RunAsync(ending.Token);
            await source.Began;
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

        return [Figure.Of("feed-decoding", "turns decoded a second", "changes/s", pairs, "a bare pgoutput consumer", 0.7, atLeast: true)];
    }

    // From the moment that the database gives the commit to the moment that the client has read the event: the flush to disk is in it, on both sides.
    public static async Task<IReadOnlyList<Figure>> LatencyAsync(BenchEnvironment environment, int rounds)
    {
        const int changes = 2_000;
        var (medians, slowest) = (new List<(double, double)>(), new List<(double, double)>());
        await using (var server = await FeedServer.StartAsync(environment))
        {
            for (var round = -1; round < rounds; round++)
            {
                // Once the server's feed is there, what it publishes is.
                var own = await StreamTimesAsync(environment, server, round < 0 ? 5_000 : changes);
                var bare = await BareTimesAsync(environment, round < 0 ? 500 : changes);
                Report.Progress($"feed-latency, round {round + 1}: p50 {own[own.Count / 2]:F1} ms, p99 {own[own.Count * 99 / 100]:F1} ms; bare {bare[bare.Count / 2]:F1} and {bare[bare.Count * 99 / 100]:F1} ms");
                if (round < 0)
                    continue;
                medians.Add((own[own.Count / 2], bare[bare.Count / 2]));
                slowest.Add((own[own.Count * 99 / 100], bare[bare.Count * 99 / 100]));
            }
        }

        await DropSlotsAsync(environment);
        return
        [
            Figure.Limited("feed-latency", "commit to a client of server-sent events at 500 changes a second, p50", "ms", medians, "a bare pgoutput consumer", 5),
            Figure.Limited("feed-latency", "the same, p99", "ms", slowest, "a bare pgoutput consumer", 25),
        ];
    }

    private static async Task<List<double>> BareTimesAsync(BenchEnvironment environment, int changes)
    {
        await using var raw = new LogicalReplicationConnection(environment.Database.ConnectionString);
        await raw.Open();
        var slot = await raw.CreatePgOutputReplicationSlot("bench_raw", temporarySlot: true);
        var conversation = await environment.NewConversationAsync();
        using var enough = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var times = new List<double>();
        var reading = Task.Run(async () =>
        {
            var committed = DateTime.MinValue;
            try
            {
                await foreach (var message in raw.StartReplication(slot, new PgOutputReplicationOptions("voxbase_feed", PgOutputProtocolVersion.V1), enough.Token))
                {
                    if (message is BeginMessage begin)
                        committed = begin.TransactionCommitTimestamp;
                    if (message is not InsertMessage insert || insert.Relation.RelationName != "turns")
                        continue;
                    await foreach (var value in insert.NewRow)
                    {
                        if (!value.IsDBNull)
                            await value.Get<string>();
                    }

                    times.Add((DateTime.UtcNow - committed).TotalMilliseconds);
                    if (times.Count == changes)
                        return;
                }
            }
            catch (OperationCanceledException)
            {
                // Too slow.
            }
        });
        await WriteEvenlyAsync(environment, conversation, changes);
        await reading;
        times.Sort();
        return times;
    }

    private static async Task<List<double>> StreamTimesAsync(BenchEnvironment environment, FeedServer server, int changes)
    {
        using var http = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
        http.DefaultRequestHeaders.Authorization = new("Bearer", server.TokenOf(environment.User));
        await using var stream = await http.GetStreamAsync($"http://127.0.0.1:{server.Port}/v1/feed?tables=turns&events=insert");
        using var lines = new StreamReader(stream);
        while (await lines.ReadLineAsync() is { } line && line != "event: ready")
        {
        }

        var times = new List<double>();
        var conversation = await environment.NewConversationAsync();
        var reading = Task.Run(async () =>
        {
            const string name = "\"committed_at\":\"";
            while (times.Count < changes && await lines.ReadLineAsync() is { } line)
            {
                var at = line.IndexOf(name, StringComparison.Ordinal) + name.Length;
                if (at < name.Length)
                    continue;
                var now = DateTime.UtcNow;
                times.Add((now - DateTime.Parse(line.AsSpan(at, line.IndexOf('"', at) - at), null, System.Globalization.DateTimeStyles.AdjustToUniversal)).TotalMilliseconds);
            }
        });
        await WriteEvenlyAsync(environment, conversation, changes);
        await reading.WaitAsync(TimeSpan.FromSeconds(60));
        times.Sort();
        return times;
    }

    // 500 a second, whether the one before is committed or not.
    private static async Task WriteEvenlyAsync(BenchEnvironment environment, Guid conversation, int changes)
    {
        var began = Stopwatch.GetTimestamp();
        var writing = new List<Task>();
        for (var i = 0; i < changes; i++)
        {
            while (Stopwatch.GetElapsedTime(began).TotalMilliseconds < i * 2)
                await Task.Delay(1);
            writing.Add(environment.Database.Conversations.AppendAsync(environment.User, conversation, RawAppends.Turn()));
        }

        await Task.WhenAll(writing);
    }

    public static Task<IReadOnlyList<Figure>> FewIdentitiesAsync(BenchEnvironment environment, int rounds) => IdentitiesAsync(environment, rounds, 500, 5_000);

    public static Task<IReadOnlyList<Figure>> ManyIdentitiesAsync(BenchEnvironment environment, int rounds) => IdentitiesAsync(environment, rounds, 2_000, 1_500);

    // Each identity follows all turns and has a conversation of its own, so that each change is asked about for all and shown to one.
    private static async Task<IReadOnlyList<Figure>> IdentitiesAsync(BenchEnvironment environment, int rounds, int identities, int limit)
    {
        var (db, name) = (environment.Database, $"feed-{identities}-identities");
        await using var feed = NewFeed(environment, $"identities{identities}");
        var users = new (Caller User, Guid Conversation, FeedSubscription Subscription)[identities];
        await Parallel.ForAsync(0, identities, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, cancel) =>
        {
            var user = await db.NewUserAsync();
            var conversation = (await db.Conversations.StartAsync(user, new NewConversation { Status = ConversationStatus.Active }, cancel)).Id;
            users[i] = (user, conversation, feed.Subscribe(user, new FeedRequest([new FeedEntry("vox", "turns", FeedChanges.Insert)])));
        });
        Report.Progress($"{name}: users are there");
        var (received, ready) = (0, 0);
        var readers = users.Select(user => Task.Run(async () =>
        {
            await foreach (var each in user.Subscription)
            {
                if (each.Kind == FeedEventKind.Change)
                    Interlocked.Increment(ref received);
                else if (each.Kind == FeedEventKind.Ready)
                    Interlocked.Increment(ref ready);
            }
        })).ToList();
        while (Volatile.Read(ref ready) < identities)
            await Task.Delay(1);
        Report.Progress($"{name}: all follow");
        await environment.ExecuteAsync(RawQuestion);
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
            var written = clock.Elapsed;
            while (Volatile.Read(ref received) - before < expected)
                await Task.Delay(1);
            var rate = expected / clock.Elapsed.TotalSeconds;
            // The newest rows, in statements of 500, asked about for everybody.
            clock.Restart();
            await using var command = environment.Raw.CreateCommand("select public.bench_ask($1, 500, 2)");
            command.CommandTimeout = 0;
            command.Parameters.Add(new Npgsql.NpgsqlParameter<string[]> { TypedValue = [.. users.Select(user => user.User.Claims)] });
            var seen = (long)(await command.ExecuteScalarAsync())!;
            var raw = 1_000 / clock.Elapsed.TotalSeconds;
            Report.Progress($"{name}, round {round + 1}: {rate:N0} changes/s (written in {written.TotalSeconds:F1} s); asked plainly {raw:N0}/s, {seen} seen");
            if (round >= 0)
                rates.Add((rate, raw));
        }

        foreach (var (_, _, subscription) in users)
            await subscription.DisposeAsync();
        await Task.WhenAll(readers);
        await feed.DisposeAsync();
        await DropSlotsAsync(environment);
        return
        [
            Figure.Limited(
                name, $"changes a second to {identities:N0} identities, policies asked, writing them included", "changes/s", rates,
                "the policies asked in a plain loop over the identities, 500 changes at once, nothing written", limit, atLeast: true),
        ];
    }

    // Identity by identity: role and claims, and which of the rows it sees. The number of rows seen comes back.
    private const string RawQuestion =
        """
        create or replace function public.bench_ask(claims text[], batch int, times int) returns bigint language plpgsql as $$
        declare
          conversations uuid[]; ids uuid[]; seen bigint := 0; more bigint; claim text;
        begin
          for i in 0 .. times - 1 loop
            perform set_config('role', 'none', true);
            select array_agg(t.conversation_id), array_agg(t.id) into conversations, ids
            from (select t.conversation_id, t.id from vox.turns t order by t.id desc limit batch offset i * batch) t;
            foreach claim in array claims loop
              perform set_config('role', 'authenticated', true), set_config('request.jwt.claims', claim, true);
              select count(*) into more from unnest(conversations, ids) r(c, i) join vox.turns t on t.conversation_id = r.c and t.id = r.i;
              seen := seen + more;
            end loop;
          end loop;
          perform set_config('role', 'none', true);
          return seen;
        end
        $$;
        """;

    /// <summary>Thousands of clients that follow the same: one change to all of them, and what they cost while nothing happens.</summary>
    public static async Task<IReadOnlyList<Figure>> IdleAsync(BenchEnvironment environment, int rounds)
    {
        const int subscribers = 5_000;
        var (last, cost, memory) = (new List<(double, double)>(), new List<(double, double)>(), new List<(double, double)>());
        var share = new List<(double, double)>();
        for (var round = 0; round < rounds; round++)
        {
            Idle bare, own;
            await using (var server = await FeedServer.StartBareAsync())
            {
                using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{server.Port}") };
                bare = await IdleAsync(environment, server, subscribers, before: TimeSpan.Zero, idle: TimeSpan.FromSeconds(3), begin: async begin =>
                {
                    begin();
                    using var content = new StringContent($"event: change\ndata: {new string('x', 900)}\n\n");
                    (await http.PostAsync(new Uri("/tell", UriKind.Relative), content)).EnsureSuccessStatusCode();
                });
            }

            var conversation = await environment.NewConversationAsync();
            await using (var server = await FeedServer.StartAsync(environment))
            {
                // What runs every few seconds is compiled anew after some minutes: a server's beginning, and not what it costs while it idles. Waited for once.
                // Then as long as it takes each stream to beat twice.
                own = await IdleAsync(environment, server, subscribers, before: TimeSpan.FromMinutes(round == 0 ? 10 : 0), idle: TimeSpan.FromSeconds(round == 0 ? 110 : 1), begin: async begin =>
                {
                    await environment.Database.Conversations.AppendAsync(environment.User, conversation, RawAppends.Turn());
                    begin();
                });
            }

            await DropSlotsAsync(environment);
            Report.Progress($"feed-idle, round {round + 1}: {own}; bare: {bare}");
            last.Add((own.Last, bare.Last));
            cost.Add((own.Cost, bare.Cost));
            memory.Add((own.Kilobytes, bare.Kilobytes));
            if (round == 0)
                share.Add((own.Share, bare.Share));
        }

        return
        [
            Figure.Limited("feed-idle", "one change to 5,000 idle clients of server-sent events, until the last has it, p99 of changes", "ms", last, "a bare stream of the same web server", 50),
            Figure.Of("feed-idle", "processor time of the server for such a change", "ms", cost, "a bare stream of the same web server", bound: null, atLeast: false),
            Figure.Limited("feed-idle", "resident memory of an idle client, its connection included", "KB", memory, "a bare stream of the same web server", 30),
            Figure.Limited("feed-idle", "processor of the server while 5,000 clients are idle", "% of a core", share, "a bare stream, which does not even beat", 1),
        ];
    }

    /// <summary>Without connections: thousands of readers wait, on subscriptions and on plain channels.</summary>
    public static async Task<IReadOnlyList<Figure>> FanOutAsync(BenchEnvironment environment, int rounds)
    {
        var times = new List<(double, double)>();
        for (var round = 0; round < rounds; round++)
            times.Add(await NearAsync(environment, 5_000));
        return [Figure.Limited("feed-fan-out", "one change to 5,000 idle subscribers, until the last has it, p99 of changes", "ms", times, "a channel of .NET for each", 50)];
    }

    private static async Task<(double, double)> NearAsync(BenchEnvironment environment, int subscribers)
    {
        const int changes = 100;
        await using var feed = NewFeed(environment, "near");
        using var arrived = new CountdownEvent(subscribers);
        var subscriptions = Enumerable.Range(0, subscribers)
            .Select(_ => feed.Subscribe(environment.User, new FeedRequest([new FeedEntry("vox", "turns", FeedChanges.Insert)]))).ToList();
        var channels = Enumerable.Range(0, subscribers).Select(_ => System.Threading.Channels.Channel.CreateBounded<object>(4_096)).ToList();
        var readers = subscriptions.Select(subscription => Task.Run(async () =>
        {
            await foreach (var each in subscription)
            {
                if (each.Kind is FeedEventKind.Change or FeedEventKind.Ready)
                    arrived.Signal();
            }
        })).ToList();
        await Task.Run(arrived.Wait);
        readers.AddRange(channels.Select(channel => Task.Run(async () =>
        {
            await foreach (var _ in channel.Reader.ReadAllAsync())
                arrived.Signal();
        })));
        var conversation = await environment.NewConversationAsync();
        var own = await TimesAsync(() => environment.Database.Conversations.AppendAsync(environment.User, conversation, RawAppends.Turn()));
        var bare = await TimesAsync(() =>
        {
            foreach (var channel in channels)
                channel.Writer.TryWrite(channel);
            return Task.CompletedTask;
        });
        foreach (var subscription in subscriptions)
            await subscription.DisposeAsync();
        channels.ForEach(channel => channel.Writer.Complete());
        await Task.WhenAll(readers);
        await feed.DisposeAsync();
        await DropSlotsAsync(environment);
        return (own, bare);

        // From before the append: its commit is in it.
        async Task<double> TimesAsync(Func<Task> tell)
        {
            var times = new List<double>();
            for (var i = -10; i < changes; i++)
            {
                arrived.Reset();
                var clock = Stopwatch.StartNew();
                await tell();
                await Task.Run(arrived.Wait);
                if (i >= 0)
                    times.Add(clock.Elapsed.TotalMilliseconds);
            }

            times.Sort();
            return times[(changes * 99 / 100) - 1];
        }
    }

    private sealed record Idle(double Last, double Typical, double Cost, double Kilobytes, double Share)
    {
        public override string ToString() =>
            $"last {Last:F1} ms (p50 of all {Typical:F1} ms, {Cost:F1} ms of processor a change), {Kilobytes:F1} KB, {Share:F2} %";
    }

    private static async Task<Idle> IdleAsync(BenchEnvironment environment, FeedServer server, int subscribers, TimeSpan before, TimeSpan idle, Func<Action, Task> begin)
    {
        const int changes = 50;
        var token = server.TokenOf(environment.User);
        // What is made once is made before.
        using (var first = FeedClients.Connect(50, server, token))
            await first.TimesAsync(() => begin(first.Begin));
        await SettleAsync(server);
        var empty = server.Memory;
        using var clients = FeedClients.Connect(subscribers, server, token);
        await SettleAsync(server);
        var memory = (server.Memory - empty) / 1024.0 / subscribers;
        await Task.Delay(before);
        var share = await ShareAsync(server, idle);
        var (last, all) = (new List<double>(), new List<double>());
        var busy = TimeSpan.Zero;
        for (var i = -10; i < changes; i++)
        {
            if (i == 0)
                busy = server.Busy;
            var times = await clients.TimesAsync(() => begin(clients.Begin));
            if (i < 0)
                continue;
            last.Add(times.Max());
            all.AddRange(times);
        }

        busy = server.Busy - busy;
        last.Sort();
        return new Idle(last[(last.Count * 99 / 100) - 1], Figure.Median(all), busy.TotalMilliseconds / changes, memory, share);
    }

    private static async Task SettleAsync(FeedServer server)
    {
        await Task.Delay(TimeSpan.FromSeconds(1));
        for (var i = 0; i < 24 && await ShareAsync(server, TimeSpan.FromSeconds(5)) > 1; i++)
        {
        }
    }

    // In percent of a core.
    private static async Task<double> ShareAsync(FeedServer server, TimeSpan over)
    {
        var (busy, clock) = (server.Busy, Stopwatch.StartNew());
        await Task.Delay(over);
        return (server.Busy - busy).TotalSeconds / clock.Elapsed.TotalSeconds * 100;
    }
}
