using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Data;

public sealed class PartitionsTests(TestCluster cluster)
{
    private const string PartitionedTables = "select count(*) from pg_class where relnamespace = 'vox'::regnamespace and relkind = 'p'";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_job_makes_this_month_and_those_ahead_once()
    {
        await using var db = await cluster.CreateDatabaseAsync(
            options => options.Conversations.PartitionMonthsAhead = 2, new FixedTime(new DateTimeOffset(2031, 11, 30, 23, 59, 0, TimeSpan.Zero)));
        var tables = (long)(await db.ScalarAsync(Caller.Service, PartitionedTables))!;
        tables.ShouldBe(4);
        (await db.Partitions.RunOnceAsync(Cancel)).ShouldBe(3 * (int)tables);
        (await db.Partitions.RunOnceAsync(Cancel)).ShouldBe(0);
        (await db.ScalarAsync(Caller.Service,
            """
            select string_agg(inhrelid::regclass::text, ' ' order by inhrelid::regclass::text) from pg_inherits
            where inhparent = 'vox.turns'::regclass and inhrelid::regclass::text ~ '_203'
            """)).ShouldBe("vox.turns_2031_11 vox.turns_2031_12 vox.turns_2032_01");
    }

    [Fact]
    public async Task A_conversation_of_the_past_gets_the_partition_of_its_month_from_the_service()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var past = new NewConversation { StartedAt = new DateTimeOffset(2021, 5, 31, 23, 59, 59, TimeSpan.Zero), UserId = owner.UserId };
        // Nobody makes tables by inventing ids: a user reaches a year back.
        foreach (var (caller, partition) in ((Caller, string)[])[(owner, "vox.turns_default"), (Caller.Service, "vox.turns_2021_05")])
        {
            var conversation = await db.Conversations.StartAsync(caller, past, Cancel);
            await db.Conversations.AppendAsync(owner, conversation.Id, new NewTurn { Role = TurnRole.User }, Cancel);
            (await WhereAsync(db, "turns", conversation.Id)).ShouldBe(partition);
        }
    }

    [Fact]
    public async Task Ids_without_a_plausible_time_go_to_the_default_partition()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        foreach (var id in (Guid[])[Guid.NewGuid(), Guid.CreateVersion7(DateTimeOffset.UtcNow.AddYears(70)), Guid.CreateVersion7(DateTimeOffset.UnixEpoch), Guid.AllBitsSet])
        {
            await db.Conversations.StartAsync(owner, new NewConversation { Id = id }, Cancel);
            (await db.Conversations.AppendAsync(owner, id, new NewTurn { Role = TurnRole.User, RawText = "kept" }, Cancel)).SequenceNumber.ShouldBe(1);
            (await WhereAsync(db, "turns", id)).ShouldBe("vox.turns_default");
            (await db.Conversations.GetAsync(owner, id, Cancel)).Turns.Single().RawText.ShouldBe("kept");
        }
    }

    [Fact]
    public async Task Rows_that_came_before_their_month_move_when_it_is_made_and_stay_as_they_were()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var (id, other) = (Guid.CreateVersion7(new DateTimeOffset(2019, 3, 15, 0, 0, 0, TimeSpan.Zero)), Guid.NewGuid());
        foreach (var conversation in (Guid[])[id, other])
        {
            // Past the library, which would have made the month.
            await db.ExecuteAsync(owner, "insert into vox.conversations (id, kind) values ($1, 'call')", Parameter.Uuid(conversation));
            await db.Conversations.AppendAsync(
                owner, conversation, [.. Enumerable.Range(0, 20).Select(n => new NewTurn { Role = TurnRole.User, RawText = $"{n}", InputTokens = n })], Cancel);
            await db.ExecuteAsync(owner, "insert into vox.usage_events (conversation_id, event_type, input_tokens) values ($1, 'error', 3)", Parameter.Uuid(conversation));
            await db.Charges.RecordAsServiceAsync(
                [
                    new NewCharge
                    {
                        Id = Guid.CreateVersion7(), ConversationId = conversation, Stage = "llm", Meter = Meters.InputText, Provider = "openai",
                        Model = "gpt-realtime", Quantity = 1000, ChargedAt = DateTimeOffset.UtcNow,
                    },
                ], Cancel);
        }

        var before = await db.Conversations.GetAsync(owner, id, Cancel);
        before.Conversation.CostUsd.ShouldBeGreaterThan(0);
        (await WhereAsync(db, "turns", id)).ShouldBe("vox.turns_default");
        (await db.ScalarAsync(Caller.Service, Partitions.EnsureSql, Parameter.Date(new DateOnly(2019, 3, 1)))).ShouldBe(4);

        foreach (var table in (string[])["turns", "usage_events", "charges"])
        {
            (await WhereAsync(db, table, id)).ShouldBe($"vox.{table}_2019_03");
            (await WhereAsync(db, table, other)).ShouldBe($"vox.{table}_default");
        }

        var after = await db.Conversations.GetAsync(owner, id, Cancel);
        after.Conversation.ShouldBe(before.Conversation);
        after.Turns.Select(t => (t.Id, t.SequenceNumber, t.RawText, t.CreatedAt)).ShouldBe(before.Turns.Select(t => (t.Id, t.SequenceNumber, t.RawText, t.CreatedAt)));
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
        (await db.Conversations.AppendAsync(owner, id, new NewTurn { Role = TurnRole.User }, Cancel)).SequenceNumber.ShouldBe(21);
        (await db.ScalarAsync(await db.NewUserAsync(), "select count(*) from vox.turns")).ShouldBe(0L, "a new partition is as closed as the others");
    }

    [Fact]
    public async Task A_month_made_by_many_at_once_is_made_once()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var made = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ =>
            db.ScalarAsync(Caller.Service, Partitions.EnsureSql, Parameter.Date(new DateOnly(2030, 1, 1)))));
        made.Sum(n => (int)n!).ShouldBe(4);
    }

    [Fact]
    public async Task Making_months_disturbs_nobody_who_appends()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var ids = new List<Guid>();
        for (var i = 0; i < 8; i++)
        {
            ids.Add(i % 2 == 0 ? Guid.NewGuid() : Guid.CreateVersion7());
            await db.Conversations.StartAsync(owner, new NewConversation { Id = ids[i] }, Cancel);
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var writers = Enumerable.Range(0, 16).Select(n => Task.Run(async () =>
        {
            var appended = 0;
            while (!stop.IsCancellationRequested)
            {
                await db.Conversations.AppendAsync(owner, ids[n % ids.Count], new NewTurn { Role = TurnRole.User }, Cancel);
                appended++;
            }

            return appended;
        })).ToList();
        for (var month = new DateOnly(2018, 1, 1); month.Year < 2019; month = month.AddMonths(1))
            await db.ScalarAsync(Caller.Service, Partitions.EnsureSql, Parameter.Date(month));
        await stop.CancelAsync();
        var appended = (await Task.WhenAll(writers)).Sum();
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.turns")).ShouldBe((long)appended);
    }

    [Fact]
    public void The_time_inside_an_id_is_read_back()
    {
        var moment = new DateTimeOffset(2026, 7, 1, 12, 0, 0, 123, TimeSpan.Zero);
        Partitions.TimeOf(Guid.CreateVersion7(moment)).ShouldBe(moment);
        Partitions.TimeOf(Guid.NewGuid()).ShouldBeNull();
    }

    private static Task<object?> WhereAsync(TestDatabase db, string table, Guid conversation) =>
        db.ScalarAsync(Caller.Service, $"select string_agg(distinct tableoid::regclass::text, ' ') from vox.{table} where conversation_id = $1", Parameter.Uuid(conversation));

    private sealed class FixedTime(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
