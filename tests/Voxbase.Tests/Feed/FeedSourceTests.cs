using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Feeds;

/// <summary>Slots: kept, taken over, given up and cleaned away.</summary>
public sealed class FeedSourceTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_server_that_starts_anew_goes_on_where_its_clients_were()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var call = (await FeedTests.CallAsync(db, owner)).Id;
        FeedPosition position;
        await using (var feed = New(db))
        {
            await using var follower = await FeedFollower.StartAsync(feed, owner, "turns");
            await FeedTests.AppendAsync(db, owner, call, [FeedTests.Said("one"), FeedTests.Said("two")]);
            await follower.SeesAsync("two");
            position = follower.Changes[0].Position;
        }

        await FeedTests.AppendAsync(db, owner, call, [FeedTests.Said("three")]);
        await using (var feed = New(db))
        {
            await using var follower = await FeedFollower.StartAsync(feed, owner, new FeedRequest([new FeedEntry("vox", "turns")], position));
            await FeedTests.AppendAsync(db, owner, call, [FeedTests.Said("four")]);
            await follower.SeesAsync("four");
            follower.Changes.Select(change => FeedFollower.Record(change).GetProperty("raw_text").GetString()).ShouldBe(["two", "three", "four"]);
            follower.All.ShouldNotContain(each => each.Kind == FeedEventKind.Resync);
        }

        await db.DropSlotsAsync();
    }

    [Fact]
    public async Task Two_servers_have_a_slot_each_and_a_position_of_one_does_for_the_other()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var call = (await FeedTests.CallAsync(db, owner)).Id;
        await using (var one = New(db, "one"))
        await using (var two = New(db, "Two.2"))
        {
            await using var first = await FeedFollower.StartAsync(one, owner, "turns");
            await using (await FeedFollower.StartAsync(two, owner, "turns"))
            {
                one.Health.Slot.ShouldNotBe(two.Health.Slot);
                await FeedTests.AppendAsync(db, owner, call, [FeedTests.Said("a"), FeedTests.Said("b")]);
                await first.SeesAsync("\"b\"");
            }

            await using var second = await FeedFollower.StartAsync(two, owner, new FeedRequest([new FeedEntry("vox", "turns")], first.Changes[0].Position));
            await FeedTests.AppendAsync(db, owner, call, [FeedTests.Said("c")]);
            await second.SeesAsync("\"c\"");
            second.Changes.Count.ShouldBe(2);
        }

        await db.DropSlotsAsync();
    }

    [Fact]
    public async Task A_slot_that_is_gone_is_made_anew_and_everybody_is_told_to_read_anew()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var call = (await FeedTests.CallAsync(db, owner)).Id;
        await using (var feed = New(db))
        {
            await using var follower = await FeedFollower.StartAsync(feed, owner, "turns");
            // The walsender is ended and its slot dropped, again until nobody was quicker.
            while (!follower.All.Exists(each => each.Kind == FeedEventKind.Resync))
            {
                await FeedTests.OwnAsync(db, "select pg_terminate_backend(active_pid) from pg_replication_slots where database = current_database() and active_pid is not null");
                try
                {
                    await FeedTests.OwnAsync(db, "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database() and not active");
                }
                catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.ObjectInUse)
                {
                    // It is back already.
                }

                await Task.Delay(20, Cancel);
            }

            await SeesInTheEndAsync(db, follower, owner, call);
        }

        await db.DropSlotsAsync();
    }

    [Fact]
    public async Task A_slot_that_holds_too_much_back_is_given_up_and_everybody_is_told_to_read_anew()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var call = (await FeedTests.CallAsync(db, owner)).Id;
        var logs = new FeedLogs();
        await using (var feed = New(db, configure: options => options.MaxRetainedWalMegabytes = 8, logger: logs))
        {
            await using var follower = await FeedFollower.StartAsync(feed, owner, "turns");
            // Faster than the database says where a slot may begin anew, every 15 seconds.
            while (!follower.All.Exists(each => each.Kind == FeedEventKind.Resync))
            {
                await FeedTests.OwnAsync(db, "select pg_logical_emit_message(false, 'filler', repeat('x', 1000000)) from generate_series(1, 4)");
                await Task.Delay(50, Cancel);
            }

            follower.All.First(each => each.Kind == FeedEventKind.Resync).Error!.Code.ShouldBe("feed_resync");
            logs.Errors.ShouldContain(line => line.StartsWith("Gave up slot", StringComparison.Ordinal));
            await SeesInTheEndAsync(db, follower, owner, call);
        }

        await db.DropSlotsAsync();
    }

    [Fact]
    public async Task A_message_in_the_log_that_nobody_can_read_is_left_out_and_what_is_behind_it_comes()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var call = (await FeedTests.CallAsync(db, owner)).Id;
        FeedPosition position;
        await using (var feed = New(db))
        {
            feed.Heard = static message => JsonElement.Parse(message.Span).GetProperty("server").GetGuid();
            await using var follower = await FeedFollower.StartAsync(feed, owner, "turns");
            foreach (var prefix in new[] { "voxbase.channels", "voxbase.conversation" })
            {
                foreach (var content in new[] { "", "{", "[]", "{}", "{\"server\":1,\"id\":1,\"users\":1}", "{\"server\":\"x\",\"id\":null,\"users\":[]}" })
                    await FeedTests.OwnAsync(db, $"select pg_logical_emit_message(true, '{prefix}', '{content}')");
            }

            await FeedTests.AppendAsync(db, owner, call, [FeedTests.Said("behind it")]);
            await follower.SeesAsync("behind it");
            position = follower.All[0].Position;
        }

        // Another process is sent them again.
        await using (var feed = New(db))
        {
            await using var follower = await FeedFollower.StartAsync(feed, owner, new FeedRequest([new FeedEntry("vox", "turns")], position));
            await follower.SeesAsync("behind it");
        }

        await db.DropSlotsAsync();
    }

    [Fact]
    public async Task A_fault_that_nobody_thought_of_costs_a_resync_and_not_the_feed()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var call = (await FeedTests.CallAsync(db, owner)).Id;
        var logs = new FeedLogs();
        await using (var feed = New(db, logger: logs))
        {
            await using var follower = await FeedFollower.StartAsync(feed, owner, "turns");
            var faulty = new FaultyEntries([new FeedEntry("vox", "turns")]);
            await using var other = await FeedFollower.StartAsync(feed, owner, new FeedRequest(faulty));
            faulty.IsFaulty = true;
            await FeedTests.AppendAsync(db, owner, call, [FeedTests.Said("lost")]);
            await follower.UntilAsync(all => all.Exists(each => each.Kind == FeedEventKind.Resync));
            logs.Errors.ShouldContain(line => line.Contains("a fault that it does not know", StringComparison.Ordinal));
            faulty.IsFaulty = false;
            await FeedTests.AppendAsync(db, owner, call, [FeedTests.Said("told")]);
            await follower.SeesAsync("told");
            await other.SeesAsync("told");

            // One that is met while a subscription begins ends that one alone, and says so.
            faulty.IsFaulty = true;
            await using var third = FeedFollower.Begin(feed, owner, new FeedRequest(faulty));
            await third.Ended;
            third.All.ShouldHaveSingleItem().Error!.Code.ShouldBe("feed_unavailable");
            faulty.IsFaulty = false;
            await FeedTests.AppendAsync(db, owner, call, [FeedTests.Said("still")]);
            await follower.SeesAsync("still");
        }

        await db.DropSlotsAsync();
    }

    // A caller's list that fails under the reader.
    private sealed class FaultyEntries(IReadOnlyList<FeedEntry> entries) : IReadOnlyList<FeedEntry>
    {
        public volatile bool IsFaulty;

        public int Count => entries.Count;

        public FeedEntry this[int index] => IsFaulty ? throw new DivideByZeroException() : entries[index];

        public IEnumerator<FeedEntry> GetEnumerator() => IsFaulty ? throw new DivideByZeroException() : entries.GetEnumerator();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }

    [Fact]
    public async Task Who_joins_after_a_restart_is_told_of_nothing_older()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var call = (await FeedTests.CallAsync(db, owner)).Id;
        await using (var feed = New(db))
        {
            await using var follower = await FeedFollower.StartAsync(feed, owner, "turns");
            await FeedTests.AppendAsync(db, owner, call, [FeedTests.Said("before")]);
            await follower.SeesAsync("before");
        }

        await using (var feed = New(db))
        {
            await using var follower = await FeedFollower.StartAsync(feed, owner, "turns");
            await FeedTests.AppendAsync(db, owner, call, [FeedTests.Said("after")]);
            await follower.SeesAsync("after");
            follower.Changes.ShouldHaveSingleItem();
        }

        await db.DropSlotsAsync();
    }

    [Fact]
    public async Task A_server_without_logical_wal_is_told_what_to_set_and_all_else_runs()
    {
        var home = Path.Combine(Path.GetTempPath(), "voxbase-tests-" + Guid.NewGuid().ToString("n")[..12]);
        try
        {
            await using var postgres = await EmbeddedPostgres.StartAsync(new EmbeddedPostgresOptions { Home = home, Settings = { ["wal_level"] = "replica" } }, cancellationToken: Cancel);
            await using var database = new Database(postgres.ConnectionString);
            await new Migrator(database).ApplyAsync(Cancel);
            await using var feed = new Feed(database, new VoxbaseOptions { Database = postgres.ConnectionString }, TimeProvider.System, NullLogger<Feed>.Instance);
            await using var follower = FeedFollower.Begin(feed, Caller.Service, new FeedRequest([new FeedEntry("vox", "turns")]));
            await follower.Ended;
            follower.All.ShouldHaveSingleItem().Error!.Code.ShouldBe("feed_off");
            feed.Health.Reason.ShouldNotBeNull().ShouldContain("alter system set wal_level = logical");
            (await new Users(database).EnsureAsServiceAsync("someone@example.org", cancellationToken: Cancel)).Email.ShouldBe("someone@example.org");
        }
        finally
        {
            Directory.Delete(home, recursive: true);
        }
    }

    [Fact]
    public async Task The_slot_of_a_server_that_is_gone_for_long_is_dropped_and_no_other()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await using (var dead = New(db, "dead"))
            await (await FeedFollower.StartAsync(dead, Caller.Service, "turns")).DisposeAsync();
        await using (var late = New(db, "late"))
            await (await FeedFollower.StartAsync(late, Caller.Service, "turns")).DisposeAsync();
        await FeedTests.OwnAsync(db, "update vox_private.feed_slots set seen_at = now() - interval '2 days' where server_name = 'dead'");
        await using (var living = New(db, "living"))
        {
            await using var follower = await FeedFollower.StartAsync(living, Caller.Service, "turns");
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
            patience.CancelAfter(TimeSpan.FromSeconds(60));
            while (await SlotsAsync(db) is var slots && slots.Exists(slot => slot.EndsWith("dead", StringComparison.Ordinal)))
                await Task.Delay(20, patience.Token);
            (await SlotsAsync(db)).Select(slot => slot.Split('_')[^1]).ShouldBe(["late", "living"]);
        }

        await db.DropSlotsAsync();
    }

    [Fact]
    public async Task A_login_that_may_not_replicate_is_told_what_to_set_and_all_else_runs()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var role = "plain_" + Guid.NewGuid().ToString("n")[..8];
        await FeedTests.OwnAsync(db, $"create role {role} login password 'x'; grant authenticated, service_role, anon to {role}");
        var connection = new NpgsqlConnectionStringBuilder(db.ConnectionString) { Username = role, Password = "x" }.ConnectionString;
        await using var database = new Database(connection);
        await using var feed = new Feed(database, new VoxbaseOptions { Database = connection }, TimeProvider.System, NullLogger<Feed>.Instance);
        await using var follower = FeedFollower.Begin(feed, Caller.Service, new FeedRequest([new FeedEntry("vox", "turns")]));
        await follower.Ended;
        follower.All.ShouldHaveSingleItem().Error!.Code.ShouldBe("feed_off");
        feed.Health.State.ShouldBe(FeedState.Off);
        feed.Health.Reason.ShouldNotBeNull().ShouldContain($"alter role \"{role}\" replication");
        Should.Throw<VoxbaseException>(() => feed.Subscribe(Caller.Service, new FeedRequest([new FeedEntry("vox", "turns")]))).Code.ShouldBe("feed_off");
    }

    [Fact]
    public void A_slots_name_is_one_for_each_server_and_short()
    {
        FeedSource.SlotOf("voxbase_1_", "web-1", 1).ShouldNotBe(FeedSource.SlotOf("voxbase_1_", "web_1", 1));
        FeedSource.SlotOf("voxbase_1_", "web", 2).ShouldBe("voxbase_1_web_2");
        FeedSource.SlotOf("voxbase_4294967295_", new string('x', 200), 8).Length.ShouldBeLessThanOrEqualTo(63);
    }

    [Fact]
    public async Task Every_table_that_users_read_is_published_but_for_those_named()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await using var follower = await FeedFollower.StartAsync(db.Feed, Caller.Service, "turns");
        var missing = await db.ScalarAsync(
            Caller.Service,
            """
            select coalesce(string_agg(c.relname, ' ' order by c.relname), '') from pg_class c
            where c.relnamespace = 'vox'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
              and has_table_privilege('authenticated', c.oid, 'select')
              and not exists (select from pg_publication_tables t where t.pubname = 'voxbase_feed' and t.tablename = c.relname)
            """);
        missing.ShouldBe("alert_deliveries alert_endpoints audit_log provider_events usage_folds usage_rollups");
    }

    // The slot may be made anew more than once: what falls in between is told of by a resync.
    private static async Task SeesInTheEndAsync(TestDatabase db, FeedFollower follower, Caller owner, Guid call)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(TimeSpan.FromSeconds(120));
        while (!follower.Changes.Exists(each => FeedFollower.Shown(each).Contains("after", StringComparison.Ordinal)))
        {
            await FeedTests.AppendAsync(db, owner, call, [FeedTests.Said("after")]);
            await Task.Delay(100, patience.Token);
        }
    }

    private static Feed New(TestDatabase db, string server = "test", Action<FeedOptions>? configure = null, ILogger<Feed>? logger = null)
    {
        var options = new VoxbaseOptions { Database = db.ConnectionString };
        options.Feed.ServerName = server;
        configure?.Invoke(options.Feed);
        return new Feed(db.Database, options, TimeProvider.System, logger ?? NullLogger<Feed>.Instance);
    }

    private sealed class FeedLogs : ILogger<Feed>
    {
        private readonly List<string> errors = [];

        public List<string> Errors
        {
            get
            {
                lock (errors)
                    return [.. errors];
            }
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Error;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
                return;
            lock (errors)
                errors.Add(formatter(state, exception));
        }
    }

    private static async Task<List<string>> SlotsAsync(TestDatabase db)
    {
        var names = (string)(await db.ScalarAsync(
            Caller.Service, "select coalesce(string_agg(slot_name, ' ' order by slot_name), '') from pg_replication_slots where database = current_database()"))!;
        return [.. names.Split(' ', StringSplitOptions.RemoveEmptyEntries)];
    }
}
