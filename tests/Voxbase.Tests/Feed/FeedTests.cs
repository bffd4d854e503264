using System.Text.Json;
using Npgsql;
using Voxbase.Testing;

namespace Voxbase.Tests.Feeds;

/// <summary>Every committed change, to those who may see it and to nobody else.</summary>
public sealed class FeedTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Ending_a_feed_twice_ends_it_once()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await using (await FeedFollower.StartAsync(db.Feed, Caller.Service, "turns"))
            await db.Feed.DisposeAsync();
        await Should.NotThrowAsync(() => db.Feed.DisposeAsync().AsTask());
    }

    [Fact]
    public async Task Who_asks_for_some_columns_of_one_table_takes_none_from_others_of_another()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, other) = (await db.NewUserAsync(), await db.NewUserAsync());
        var call = await CallAsync(db, owner);
        // Of the same role and there first.
        await using var some = await FeedFollower.StartAsync(db.Feed, other, new FeedRequest([new FeedEntry("vox", "conversations", Columns: ["name"])]));
        await using var same = await FeedFollower.StartAsync(db.Feed, owner, new FeedRequest([new FeedEntry("vox", "conversations", Columns: ["name"])]));
        await using var all = await FeedFollower.StartAsync(db.Feed, owner, "turns");
        await AppendAsync(db, owner, call.Id, [Said("hello")]);
        await all.SeesAsync("hello");
        all.Changes[0].Columns.Where(column => column.IsKey).Select(column => column.Name).ShouldBe(["conversation_id", "id"]);
        await db.ExecuteAsync(owner, $"update vox.conversations set name = 'Named' where id = '{call.Id}'");
        await same.UntilAsync(seen => seen.Any(each => each.Kind == FeedEventKind.Change && FeedFollower.Record(each).GetProperty("name").GetString() == "Named"));
        FeedFollower.Record(same.Changes[^1]).EnumerateObject().Select(column => column.Name).ShouldBe(["id", "name"], ignoreOrder: true);
    }

    [Fact]
    public async Task A_turn_reaches_owner_participant_admin_and_service_and_no_stranger()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, participant, stranger, admin) = (await db.NewUserAsync(), await db.NewUserAsync(), await db.NewUserAsync(), await db.NewUserAsync(isAdmin: true));
        var call = await CallAsync(db, owner);
        var other = await CallAsync(db, stranger);
        await JoinAsync(db, call.Id, participant);
        var followers = new Dictionary<string, FeedFollower>();
        foreach (var (name, caller) in new[] { ("owner", owner), ("participant", participant), ("stranger", stranger), ("admin", admin), ("service", Caller.Service), ("anon", Caller.Anonymous) })
            followers[name] = await FeedFollower.StartAsync(db.Feed, caller, "turns");

        await AppendAsync(db, owner, call.Id, [Said("hello")]);
        await db.ExecuteAsync(owner, $"update vox.turns set cleaned_text = 'Hello.' where conversation_id = '{call.Id}'");
        // What everybody is told after it: then nothing of before is on its way any more.
        await AppendAsync(db, stranger, other.Id, [Said("the end")]);
        await followers["service"].SeesAsync("the end");
        await JoinAsync(db, other.Id, owner, participant);
        await AppendAsync(db, stranger, other.Id, [Said("over")]);

        foreach (var name in new[] { "owner", "participant", "stranger", "admin", "service" })
            await followers[name].SeesAsync("over");
        Texts("owner").ShouldBe(["Insert hello", "Update hello", "Insert over"]);
        Texts("participant").ShouldBe(["Insert hello", "Update hello", "Insert over"]);
        Texts("stranger").ShouldBe(["Insert the end", "Insert over"]);
        Texts("admin").ShouldBe(["Insert hello", "Update hello", "Insert the end", "Insert over"]);
        Texts("service").ShouldBe(["Insert hello", "Update hello", "Insert the end", "Insert over"]);
        followers["anon"].Changes.ShouldBeEmpty();
        var update = followers["owner"].Changes[1];
        FeedFollower.Record(update).GetProperty("cleaned_text").GetString().ShouldBe("Hello.");
        FeedFollower.OldRecord(update).EnumerateObject().Select(column => column.Name).ShouldBe(["conversation_id", "id"]);
        (update.CommittedAt - DateTimeOffset.UtcNow).Duration().ShouldBeLessThan(TimeSpan.FromMinutes(5));
        foreach (var follower in followers.Values)
            await follower.DisposeAsync();

        IEnumerable<string> Texts(string name) =>
            followers[name].Changes.Select(change => $"{change.Change} {FeedFollower.Record(change).GetProperty("raw_text").GetString()}");
    }

    [Fact]
    public async Task Who_was_put_out_is_told_nothing_of_the_next_change_and_who_came_in_is()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, guest) = (await db.NewUserAsync(), await db.NewUserAsync());
        var call = await CallAsync(db, owner);
        var own = await CallAsync(db, guest);
        await using var follower = await FeedFollower.StartAsync(db.Feed, guest, "turns");
        await using var service = await FeedFollower.StartAsync(db.Feed, Caller.Service, "turns");
        for (var round = 0; round < 5; round++)
        {
            await AppendAsync(db, owner, call.Id, [Said($"secret {round}")]);
            // When one has been told of a change, everybody has been asked about it. Later, it would be seen by who came in since.
            await service.SeesAsync($"secret {round}");
            await JoinAsync(db, call.Id, guest);
            await AppendAsync(db, owner, call.Id, [Said($"open {round}")]);
            await follower.SeesAsync($"open {round}");
            await db.ExecuteAsync(Caller.Service, $"delete from vox.participants where conversation_id = '{call.Id}'");
        }

        await AppendAsync(db, owner, call.Id, [Said("secret end")]);
        await AppendAsync(db, guest, own.Id, [Said("end")]);
        await follower.UntilAsync(all => all.Exists(each => FeedFollower.Shown(each).Contains("\"end\"", StringComparison.Ordinal)));
        follower.Changes.Select(change => FeedFollower.Record(change).GetProperty("raw_text").GetString())
            .ShouldBe(["open 0", "open 1", "open 2", "open 3", "open 4", "end"]);
    }

    [Fact]
    public async Task Filters_columns_and_entries_say_what_comes()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var call = await CallAsync(db, owner);
        await using var follower = await FeedFollower.StartAsync(db.Feed, owner, new FeedRequest(
        [
            new FeedEntry("vox", "turns", FeedChanges.Insert, FeedFilter.Parse("role=eq.user"), ["raw_text"]),
            new FeedEntry("vox", "turns", FeedChanges.All, FeedFilter.Parse("sequence_number=gte.2,raw_text=not.like.b*")),
            new FeedEntry("*", "conversations", FeedChanges.Update, FeedFilter.Parse("status=in.(completed,failed)")),
        ]));
        await AppendAsync(db, owner, call.Id, [Said("a"), Said("bb"), Said("c") with { Role = TurnRole.Assistant }, Said("d")]);
        await db.ExecuteAsync(owner, $"update vox.conversations set name = 'x' where id = '{call.Id}'");
        await db.ExecuteAsync(owner, $"update vox.conversations set status = 'active' where id = '{call.Id}'");
        await db.ExecuteAsync(owner, $"update vox.conversations set status = 'completed', ended_at = now() where id = '{call.Id}'");
        await follower.UntilAsync(all => all.Exists(each => each.Table == "conversations"));
        follower.Changes.Where(change => change.Table == "turns")
            .Select(change => $"{FeedFollower.Record(change).GetProperty("raw_text").GetString()} {string.Join(',', change.Matches)}")
            .ShouldBe(["a 0", "bb 0", "c 1", "d 0,1"]);
        follower.Changes.Last().Matches.ShouldBe([2]);
        FeedFollower.Record(follower.Changes.Last()).GetProperty("status").GetString().ShouldBe("completed");
    }

    [Theory]
    [InlineData("vox", "nothing", null, "does not publish")]
    [InlineData("vox", "provider_events", null, "does not publish")]
    [InlineData("vox", "turns", "no_such=eq.1", "no_such")]
    [InlineData("vox", "turns", "sequence_number=eq.one", "no value of sequence_number")]
    [InlineData("vox", "turns", "user_id=eq.me", "no value of user_id")]
    [InlineData("vox", "turns", "raw_text=match.(", "regular expression")]
    public async Task What_cannot_be_is_told(string schema, string table, string? filter, string message)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await using var follower = FeedFollower.Begin(
            db.Feed, await db.NewUserAsync(), new FeedRequest([new FeedEntry(schema, table, Filters: filter is null ? null : FeedFilter.Parse(filter))]));
        await follower.Ended;
        var error = follower.All.ShouldHaveSingleItem().Error.ShouldNotBeNull();
        error.Code.ShouldBe("feed_request_invalid");
        error.Message.ShouldContain(message);
    }

    [Theory]
    [InlineData("raw_text")]
    [InlineData("raw_text=is")]
    [InlineData("raw_text=like_this.a")]
    [InlineData("=eq.a")]
    [InlineData("raw_text=in.a")]
    [InlineData("raw_text=in.()", true)]
    public void A_filter_that_does_not_read_is_refused(string filter, bool reads = false)
    {
        if (reads)
            FeedFilter.Parse(filter).ShouldHaveSingleItem().Values.ShouldBe([""]);
        else
            Should.Throw<VoxbaseException>(() => FeedFilter.Parse(filter)).Code.ShouldBe("feed_request_invalid");
    }

    [Fact]
    public async Task A_position_goes_on_where_it_was_exactly_once()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var call = await CallAsync(db, owner);
        await using var whole = await FeedFollower.StartAsync(db.Feed, owner, "turns");
        var begin = whole.All[0].Position;
        for (var i = 0; i < 30; i++)
            await AppendAsync(db, owner, call.Id, [Said($"{i}a"), Said($"{i}b"), Said($"{i}c")]);
        await whole.UntilAsync(all => all.Count(each => each.Kind == FeedEventKind.Change) == 90);
        var changes = whole.Changes;
        changes.Select(change => change.Position).ShouldBeInOrder();
        changes.Select(change => change.Position.ToString()).ShouldBeInOrder();
        changes.Select(change => change.Position).Distinct().Count().ShouldBe(90);
        foreach (var from in new[] { -1, 0, 1, 44, 89 })
        {
            var after = from < 0 ? begin : changes[from].Position;
            FeedPosition.TryParse(after.ToString(), out var read).ShouldBeTrue();
            await using var later = await FeedFollower.StartAsync(db.Feed, owner, new FeedRequest([new FeedEntry("vox", "turns")], read));
            await AppendAsync(db, owner, call.Id, [Said($"after {from}")]);
            await later.SeesAsync($"after {from}");
            await whole.SeesAsync($"after {from}");
            later.Changes.Select(change => change.Position).ShouldBe(whole.Changes.Skip(from + 1).Select(change => change.Position));
        }
    }

    [Fact]
    public async Task Who_comes_back_from_afar_and_is_cut_off_again_has_come_nearer()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, other) = (await db.NewUserAsync(), await db.NewUserAsync());
        var (call, busy) = (await CallAsync(db, owner), await CallAsync(db, other));
        await using var live = await FeedFollower.StartAsync(db.Feed, owner, "turns", $"conversation_id=eq.{call.Id}");
        var at = live.All[0].Position;
        // Far more of others than a client is brought up to at once, and in several transactions.
        for (var i = 0; i < 10; i++)
            await AppendAsync(db, other, busy.Id, [.. Enumerable.Range(0, 500).Select(turn => Said($"{i}.{turn}"))]);
        await AppendAsync(db, owner, call.Id, [Said("mine")]);
        await live.SeesAsync("mine");
        var end = live.Changes.Single().Position;

        // Each time it hears of the first place it has come to, and of no more.
        var cuts = 0;
        for (; at < end; cuts++)
        {
            await using var later = await FeedFollower.StartAsync(
                db.Feed, owner, new FeedRequest([new FeedEntry("vox", "turns", Filters: FeedFilter.Parse($"conversation_id=eq.{call.Id}"))], at));
            await later.UntilAsync(all => all.Count > 1);
            var (before, next) = (at, later.All[1]);
            at = next.Position;
            at.ShouldBeGreaterThan(before);
            next.Kind.ShouldBe(at < end ? FeedEventKind.Progress : FeedEventKind.Change);
        }

        cuts.ShouldBeGreaterThan(1);
    }

    [Fact]
    public async Task A_position_that_is_not_kept_or_never_was_is_answered_with_a_resync()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var call = await CallAsync(db, owner);
        await using var first = await FeedFollower.StartAsync(db.Feed, owner, "turns");
        var now = first.All[0].Position;
        foreach (var wrong in new[] { now with { Epoch = now.Epoch + 1 }, now with { Commit = 1 }, now with { Commit = now.Commit + (1UL << 50) } })
        {
            await using var follower = await FeedFollower.StartAsync(db.Feed, owner, new FeedRequest([new FeedEntry("vox", "turns")], wrong));
            await follower.UntilAsync(all => all.Count >= 2);
            follower.All[1].Kind.ShouldBe(FeedEventKind.Resync);
            follower.All[1].Error!.Code.ShouldBe("feed_resync");
            var text = Guid.NewGuid().ToString();
            await AppendAsync(db, owner, call.Id, [Said(text)]);
            await follower.SeesAsync(text);
            follower.Changes.Count.ShouldBe(1);
        }

        FeedPosition.TryParse("nonsense", out _).ShouldBeFalse();
        FeedPosition.TryParse(now.ToString().ToUpperInvariant() + "0", out _).ShouldBeFalse();
    }

    [Fact]
    public async Task Deletes_carry_the_key_and_reach_those_who_saw_the_row()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, guest, stranger, admin) = (await db.NewUserAsync(), await db.NewUserAsync(), await db.NewUserAsync(), await db.NewUserAsync(isAdmin: true));
        var call = await CallAsync(db, owner);
        var own = await CallAsync(db, stranger);
        await AppendAsync(db, owner, call.Id, [Said("hello")]);
        await JoinAsync(db, call.Id, guest, stranger);
        var request = new FeedRequest([new FeedEntry("vox", "*", FeedChanges.Delete), new FeedEntry("vox", "turns", FeedChanges.Insert)]);
        var followers = new List<FeedFollower>();
        foreach (var caller in new[] { owner, guest, stranger, admin })
            followers.Add(await FeedFollower.StartAsync(db.Feed, caller, request));

        // First the stranger is put out, then all of it goes.
        await db.ExecuteAsync(Caller.Service, $"delete from vox.participants where user_id = '{stranger.UserId}'");
        foreach (var follower in followers)
            await follower.UntilAsync(all => all.Exists(each => each.Table == "participants"));
        await db.ExecuteAsync(admin, $"delete from vox.conversations where id = '{call.Id}'");
        await JoinAsync(db, own.Id, owner, guest);
        await AppendAsync(db, stranger, own.Id, [Said("end")]);
        foreach (var follower in followers)
            await follower.SeesAsync("\"end\"");

        var expected = new[] { "participants", "conversations", "participants", "turns" };
        Deleted(followers[0]).Order().ShouldBe(expected.Order());
        Deleted(followers[1]).Order().ShouldBe(expected.Order());
        // Of its own participation it is told; of the conversation not any more.
        Deleted(followers[2]).ShouldBe(["participants"]);
        Deleted(followers[3]).Order().ShouldBe(expected.Order());
        foreach (var change in followers.SelectMany(follower => follower.Changes).Where(change => change.Change == FeedChanges.Delete))
        {
            change.Record.Span.SequenceEqual("{}"u8).ShouldBeTrue();
            FeedFollower.OldRecord(change).EnumerateObject().Select(column => column.Name).ShouldBeSubsetOf(["conversation_id", "id", "sequence_number"]);
        }

        foreach (var follower in followers)
            await follower.DisposeAsync();

        static IEnumerable<string> Deleted(FeedFollower follower) => follower.Changes.Where(change => change.Change == FeedChanges.Delete).Select(change => change.Table);
    }

    [Fact]
    public async Task A_table_of_ones_own_comes_in_postgres_own_json_with_the_columns_one_may_see()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        await OwnAsync(
            db,
            """
            create type mood as enum ('good', 'bad');
            create type pair as (a int, b text);
            create domain positive as int check (value > 0);
            create table public.notes (
              id int primary key, owner uuid, secret text, b bool, i8 int8, f float8, n numeric, t text, v varchar(9), j json, jb jsonb, ts timestamp, tz timestamptz,
              d date, tm time, iv interval, u uuid, by bytea, m mood, p pair, po positive, ia int[], ta text[], tza timestamptz[], ja jsonb[], nested int[][], r int4range,
              ip inet, x xml);
            alter table public.notes enable row level security;
            create policy own on public.notes for select to authenticated using (owner = (select auth.uid()));
            create policy service on public.notes for all to service_role using (true) with check (true);
            grant select (id, owner, b, i8, f, n, t, v, j, jb, ts, tz, d, tm, iv, u, by, m, p, po, ia, ta, tza, ja, nested, r, ip, x) on public.notes to authenticated;
            grant all on public.notes to service_role;
            """);
        // The publication is made by the first that follows.
        await using (await FeedFollower.StartAsync(db.Feed, user, "turns"))
            await OwnAsync(db, "alter publication voxbase_feed add table public.notes");
        var request = new FeedRequest([new FeedEntry("public", "notes")]);
        await using var follower = await FeedFollower.StartAsync(db.Feed, user, request);
        await using var service = await FeedFollower.StartAsync(db.Feed, Caller.Service, request);
        await db.ExecuteAsync(
            Caller.Service,
            $$$"""
            insert into public.notes values
              (1, '{{{user.UserId}}}', 'secret', true, 9007199254740993, 1.5e300, 12345678901234567890.123, E'a"b\\c\n\t\u0001é', 'v', E'{"a":\n 1}', '{"b": [1, null]}',
               '2026-01-02 03:04:05.678', '2026-01-02 03:04:05+02', '2026-01-02', '03:04:05', '1 day 02:00', gen_random_uuid(), '\xdead', 'good', (1, 'x "y", z'), 7,
               '{1,2,null}', '{a,"b c","NULL",null,"q\"\\"}', '{2026-01-02 03:04:05+00}', array['{"k": "v, w"}'::jsonb], '{{1,2},{3,4}}', '[1,5)', '10.0.0.1', '<a/>'),
              (2, '{{{Guid.NewGuid()}}}', 'secret', false, null, 'NaN', 'Infinity', '', null, null, 'null', 'infinity', '-infinity', '0044-03-15 BC', null, null, null, null, null,
               row(null, ''), null, '{}', '{}', '{}', '{}', '[0:1][0:0]={{1},{2}}', 'empty', null, null),
              (3, '{{{user.UserId}}}', 'secret', false, 0, -0.1, 1e-10, 'x', null, '[]', '"s"', '2026-06-01 00:00', '2026-06-01 00:00:00.000001+00', 'infinity', null, '-3 months',
               null, '', 'bad', null, null, null, null, null, null, null, null, null, null)
            """);
        await follower.UntilAsync(all => all.Count(each => each.Kind == FeedEventKind.Change) == 2);
        await service.UntilAsync(all => all.Count(each => each.Kind == FeedEventKind.Change) == 3);
        foreach (var change in service.Changes)
        {
            var id = FeedFollower.Record(change).GetProperty("id").GetInt32();
            var expected = (string)(await db.ScalarAsync(
                Caller.Service, $"select set_config('timezone', 'UTC', true) || (select to_json(the_row)::text from public.notes the_row where id = {id})"))!;
            foreach (var column in JsonElement.Parse(expected[3..]).EnumerateObject())
            {
                var sent = FeedFollower.Record(change).GetProperty(column.Name);
                JsonElement.DeepEquals(sent, column.Value).ShouldBeTrue($"{id} {column.Name}: {sent.GetRawText()} for {column.Value.GetRawText()}");
            }

            FeedFollower.Record(change).EnumerateObject().Count().ShouldBe(29);
            FeedFollower.Shown(change).ShouldNotContain('\n');
        }

        follower.Changes.Select(change => FeedFollower.Record(change).GetProperty("id").GetInt32()).ShouldBe([1, 3]);
        follower.Changes.ShouldAllBe(change => !FeedFollower.Shown(change).Contains("secret"));
        follower.Changes[0].Columns.ShouldContain(new FeedColumn("ta", "_text"));
        follower.Changes[0].Columns.ShouldNotContain(column => column.Name == "secret");

        // Policies and privileges that change in mid-stream hold for the next change.
        await OwnAsync(db, "revoke select on public.notes from authenticated; grant select (id, owner) on public.notes to authenticated");
        await db.ExecuteAsync(Caller.Service, "update public.notes set t = 'changed' where id = 1");
        await follower.UntilAsync(all => all.Count(each => each.Kind == FeedEventKind.Change) == 3);
        FeedFollower.Record(follower.Changes[2]).EnumerateObject().Select(column => column.Name).ShouldBe(["id", "owner"]);
        await OwnAsync(db, "drop policy own on public.notes; create policy odd on public.notes for select to authenticated using (id % 2 = 0)");
        await db.ExecuteAsync(Caller.Service, "update public.notes set t = 'again'");
        await follower.UntilAsync(all => all.Count(each => each.Kind == FeedEventKind.Change) == 4);
        FeedFollower.Record(follower.Changes[3]).GetProperty("id").GetInt32().ShouldBe(2);
    }

    [Fact]
    public async Task Columns_that_are_made_of_others_are_in_the_record()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        await OwnAsync(
            db,
            """
            create table public.sums (id int primary key, user_id uuid, a int, b text, total int generated always as (a * 2) stored,
              shout text generated always as (upper(b) || '!') stored, secret int generated always as (a + 1) stored);
            alter table public.sums enable row level security;
            create policy own on public.sums to authenticated using (user_id = (select auth.uid()));
            grant select (id, user_id, a, b, total, shout) on public.sums to authenticated;
            """);
        await using var follower = await FeedFollower.StartAsync(db.Feed, owner, "conversations");
        await OwnAsync(db, "alter publication voxbase_feed add table public.sums");
        await using var sums = await FeedFollower.StartAsync(db.Feed, owner, new FeedRequest([new FeedEntry("public", "sums")]));
        var call = (await CallAsync(db, owner)).Id;
        await OwnAsync(db, $"update vox.conversations set started_at = '2026-01-01 10:00Z', connected_at = '2026-01-01 10:00Z', status = 'active' where id = '{call}'");
        await OwnAsync(db, $"update vox.conversations set ended_at = '2026-01-01 10:01:30Z', status = 'completed' where id = '{call}'");
        await follower.SeesAsync("completed");
        FeedFollower.Record(follower.Changes[^1]).GetProperty("duration_seconds").GetInt32().ShouldBe(90);
        await OwnAsync(db, $"insert into public.sums (id, user_id, a, b) values (1, '{owner.UserId}', 21, 'hey'), (2, '{owner.UserId}', null, null), (3, gen_random_uuid(), 1, 'x')");
        await OwnAsync(db, "update public.sums set a = 5 where id = 1");
        await sums.UntilAsync(all => all.Count(each => each.Kind == FeedEventKind.Change) == 3);
        sums.Changes.Select(each => FeedFollower.Record(each)).Select(row => (row.GetProperty("total").GetRawText(), row.GetProperty("shout").GetRawText()))
            .ShouldBe([("42", "\"HEY!\""), ("null", "null"), ("10", "\"HEY!\"")]);
        sums.Changes[0].Columns.Select(column => $"{column.Name} {column.Type}").ShouldBe(["id int4", "user_id uuid", "a int4", "b text", "total int4", "shout text"]);
    }

    [Fact]
    public async Task A_large_value_that_stayed_is_named_and_not_sent()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var call = await CallAsync(db, owner);
        await using var follower = await FeedFollower.StartAsync(db.Feed, owner, "turns");
        var random = new Random(1);
        var text = string.Concat(Enumerable.Range(0, 20_000).Select(_ => (char)('a' + random.Next(26))));
        await AppendAsync(db, owner, call.Id, [Said(text)]);
        await db.ExecuteAsync(owner, $"update vox.turns set speaker = 'Ada' where conversation_id = '{call.Id}'");
        await follower.UntilAsync(all => all.Count(each => each.Kind == FeedEventKind.Change) == 2);
        FeedFollower.Record(follower.Changes[0]).GetProperty("raw_text").GetString().ShouldBe(text);
        follower.Changes[1].Unchanged.ShouldBe(["raw_text"]);
        FeedFollower.Record(follower.Changes[1]).TryGetProperty("raw_text", out _).ShouldBeFalse();
        FeedFollower.Record(follower.Changes[1]).GetProperty("speaker").GetString().ShouldBe("Ada");
    }

    [Fact]
    public async Task One_whose_policy_raises_loses_its_own_changes_alone_and_is_told()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await OwnAsync(
            db,
            """
            create table public.items (id int primary key, team text);
            alter table public.items enable row level security;
            create policy by_team on public.items for select to authenticated using (team = (select auth.jwt() ->> 'team') and (select (auth.jwt() ->> 'level')::int) > 0);
            create policy service on public.items for all to service_role using (true) with check (true);
            grant select on public.items to authenticated;
            grant all on public.items to service_role;
            """);
        await using (await FeedFollower.StartAsync(db.Feed, Caller.Service, "turns"))
            await OwnAsync(db, "alter publication voxbase_feed add table public.items");
        var request = new FeedRequest([new FeedEntry("public", "items")]);
        var followers = new List<FeedFollower>();
        for (var i = 0; i < 200; i++)
            followers.Add(await FeedFollower.StartAsync(db.Feed, Member(i == 77 ? "high" : "1"), request));
        const int items = 60;
        for (var i = 0; i < items; i++)
            await db.ExecuteAsync(Caller.Service, $"insert into public.items values ({i}, 'red')");
        for (var i = 0; i < followers.Count; i++)
        {
            if (i == 77)
                continue;
            await followers[i].UntilAsync(all => all.Count(each => each.Kind == FeedEventKind.Change) == items);
            followers[i].Changes.Select(change => FeedFollower.Record(change).GetProperty("id").GetInt32()).ShouldBe(Enumerable.Range(0, items));
            followers[i].All.ShouldNotContain(each => each.Kind == FeedEventKind.Error);
        }

        // It is told, once for each batch it lost, that its changes up to there were left out.
        var last = followers[0].Changes.Last().Position;
        await followers[77].UntilAsync(all => all.Exists(each => each.Kind == FeedEventKind.Error && each.Position >= last));
        followers[77].Changes.ShouldBeEmpty();
        followers[77].All.Skip(1).ShouldAllBe(each => each.Kind == FeedEventKind.Error && each.Error!.Code == "feed_policy_failed" && each.Error.Details == "SQLSTATE 22P02");
        db.Feed.Health.SlowIdentities.ShouldBe(1);
        foreach (var follower in followers)
            await follower.DisposeAsync();

        static Caller Member(string level) => Caller.FromClaims(JsonElement.Parse(
            $$"""{"role":"authenticated","sub":"{{Guid.NewGuid()}}","team":"red","level":"{{level}}"}"""));
    }

    [Fact]
    public async Task One_whose_policy_is_slow_loses_its_own_changes_alone_and_is_told()
    {
        await using var db = await cluster.CreateDatabaseAsync(options => options.Feed.PolicyTimeout = TimeSpan.FromMilliseconds(500));
        await OwnAsync(
            db,
            """
            create table public.items (id int primary key);
            alter table public.items enable row level security;
            create policy slow on public.items for select to authenticated using ((select pg_sleep((auth.jwt() ->> 'sleep')::float8)) is not null);
            create policy service on public.items for all to service_role using (true) with check (true);
            grant select on public.items to authenticated;
            grant all on public.items to service_role;
            """);
        await using (await FeedFollower.StartAsync(db.Feed, Caller.Service, "turns"))
            await OwnAsync(db, "alter publication voxbase_feed add table public.items");
        var request = new FeedRequest([new FeedEntry("public", "items")]);
        await using var quick = await FeedFollower.StartAsync(db.Feed, Sleeper(0), request);
        await using var slow = await FeedFollower.StartAsync(db.Feed, Sleeper(30), request);
        for (var i = 0; i < 20; i++)
            await db.ExecuteAsync(Caller.Service, $"insert into public.items values ({i})");
        await quick.UntilAsync(all => all.Count(each => each.Kind == FeedEventKind.Change) == 20);
        await slow.UntilAsync(all => all.Exists(each => each.Kind == FeedEventKind.Error));
        slow.Changes.ShouldBeEmpty();
        slow.All[1].Error!.Code.ShouldBe("feed_policy_slow");
        quick.All.ShouldNotContain(each => each.Kind == FeedEventKind.Error);

        static Caller Sleeper(double seconds) => Caller.FromClaims(JsonElement.Parse(
            $$"""{"role":"authenticated","sub":"{{Guid.NewGuid()}}","sleep":"{{seconds.ToString(System.Globalization.CultureInfo.InvariantCulture)}}"}"""));
    }

    [Fact]
    public async Task One_who_does_not_read_is_cut_off_with_a_position_or_coalesced_and_others_get_all()
    {
        await using var db = await cluster.CreateDatabaseAsync(options => options.Feed.QueueEvents = 20);
        var owner = await db.NewUserAsync();
        var call = await CallAsync(db, owner);
        var entries = new[] { new FeedEntry("vox", "conversations", FeedChanges.Update) };
        await using var reader = await FeedFollower.StartAsync(db.Feed, owner, new FeedRequest(entries));
        await using var asleep = db.Feed.Subscribe(owner, new FeedRequest(entries));
        await using var coalescing = db.Feed.Subscribe(owner, new FeedRequest(entries, IsCoalescing: true));
        (await asleep.WaitToReadAsync(Cancel)).ShouldBeTrue();
        (await coalescing.WaitToReadAsync(Cancel)).ShouldBeTrue();
        for (var i = 0; i < 100; i++)
        {
            await db.ExecuteAsync(owner, $"update vox.conversations set name = 'name {i}' where id = '{call.Id}'");
            await reader.SeesAsync($"\"name {i}\"");
        }

        var cut = new List<FeedEvent>();
        await foreach (var each in asleep)
            cut.Add(each);
        cut.Last().Error!.Code.ShouldBe("feed_too_slow");
        cut.Count.ShouldBeLessThan(30);
        await using var again = await FeedFollower.StartAsync(db.Feed, owner, new FeedRequest(entries, cut.Last().Position));
        await again.SeesAsync("\"name 99\"");
        cut.Concat(again.Changes).Where(each => each.Kind == FeedEventKind.Change).Select(change => change.Position)
            .ShouldBe(reader.Changes.Select(change => change.Position));

        var kept = new List<FeedEvent>();
        while (coalescing.TryRead(out var next))
            kept.Add(next);
        kept.ShouldNotContain(each => each.Kind == FeedEventKind.Error);
        FeedFollower.Record(kept.Last()).GetProperty("name").GetString().ShouldBe("name 99");
        kept.Select(each => each.Position).ShouldBeInOrder();
        kept.Count.ShouldBeLessThan(30);
    }

    [Fact]
    public async Task Equal_users_share_an_answer_whatever_their_tokens_are()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        await using var one = await FeedFollower.StartAsync(db.Feed, Token(1, "a"), "turns");
        await using var two = await FeedFollower.StartAsync(db.Feed, Token(2, "a"), "turns");
        await using var other = await FeedFollower.StartAsync(db.Feed, Token(3, "b"), "turns");
        db.Feed.Health.Subscriptions.ShouldBe(3);
        db.Feed.Health.Identities.ShouldBe(2);

        Caller Token(int expiry, string team) => Caller.FromClaims(JsonElement.Parse(
            $$"""{"role":"authenticated","sub":"{{owner.UserId}}","exp":{{expiry}},"iat":{{expiry}},"jti":"{{expiry}}","team":"{{team}}"}"""));
    }

    internal static async Task<Conversation> CallAsync(TestDatabase db, Caller owner) =>
        await db.Conversations.StartAsync(owner, new NewConversation { Kind = ConversationKind.Call }, Cancel);

    internal static async Task AppendAsync(TestDatabase db, Caller owner, Guid conversation, IReadOnlyList<NewTurn> turns) =>
        await db.Conversations.AppendAsync(owner, conversation, turns, Cancel);

    internal static NewTurn Said(string text) => new() { Role = TurnRole.User, RawText = text };

    internal static async Task JoinAsync(TestDatabase db, Guid conversation, params Caller[] users)
    {
        foreach (var user in users)
        {
            await db.ExecuteAsync(
                Caller.Service, $"insert into vox.participants (conversation_id, user_id, identity) values ('{conversation}', '{user.UserId}', '{Guid.NewGuid()}')");
        }
    }

    internal static async Task OwnAsync(TestDatabase db, string sql)
    {
        await using var connection = new NpgsqlConnection(db.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
