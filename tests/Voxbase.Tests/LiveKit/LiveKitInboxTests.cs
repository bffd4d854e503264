using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Voxbase.Capture;
using Voxbase.Data;
using Voxbase.LiveKit;
using Voxbase.Testing;

namespace Voxbase.Tests.LiveKit;

public sealed class LiveKitInboxTests(TestCluster cluster)
{
    // Everything that a call's events come to, without what tells one telling from another: ids, and the suffix of its names.
    private const string RowsSql =
        """
        select jsonb_build_object(
          'conversation', (
            select to_jsonb(c) - 'id' - 'created_at' - 'updated_at' from vox.conversations c where c.session_id = 'RM_' || $1),
          'participants', (
            select jsonb_agg(to_jsonb(p) - 'id' - 'conversation_id' - 'created_at' - 'updated_at' order by p.joined_at, p.identity)
            from vox.participants p join vox.conversations c on c.id = p.conversation_id where c.session_id = 'RM_' || $1),
          'recordings', (
            select jsonb_agg(to_jsonb(r) - 'id' - 'conversation_id' - 'created_at' - 'updated_at' order by r.provider_id)
            from vox.recordings r join vox.conversations c on c.id = r.conversation_id where c.session_id = 'RM_' || $1),
          'usage', (
            select jsonb_agg(to_jsonb(u) - 'id' - 'conversation_id' - 'created_at' order by u.at, u.event_type)
            from vox.usage_events u join vox.conversations c on c.id = u.conversation_id where c.session_id = 'RM_' || $1),
          'events', (
            select jsonb_agg(e.event_id order by e.event_id)
            from vox.provider_events e join vox.conversations c on c.id = e.conversation_id where c.session_id = 'RM_' || $1))::text
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Any_order_repetition_and_delay_of_the_same_events_comes_to_the_same_rows()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var inbox = Inbox(db);
        await EnsureUserAsync(db);
        var told = await TellAsync(db, inbox, "s0", [.. Enumerable.Range(0, 13)], 1);
        told.ShouldContain("\"status\": \"completed\"");
        told.ShouldContain("room_finished");
        told.ShouldContain("/rec/s.ogg", Case.Sensitive, "the end of the egress, which names the room by name alone");
        var random = new Random(7);
        for (var i = 1; i <= 20; i++)
        {
            int[] order = [.. Enumerable.Range(0, 13), .. random.GetItems(Enumerable.Range(0, 13).ToArray(), 4)];
            random.Shuffle(order);
            (await TellAsync(db, inbox, $"s{i}", order, random.Next(1, 6))).ShouldBe(told, $"order {string.Join(',', order)}");
        }

        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.livekit_inbox where room_sid is not null")).ShouldBe(0L, "what was read has left");
    }

    // The four that move a conversation's status, and the one that names its room by name alone.
    [Fact]
    public async Task All_orders_of_the_events_that_decide_come_to_the_same_rows()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var inbox = Inbox(db);
        await EnsureUserAsync(db);
        int[] deciding = [0, 3, 11, 12];
        string? told = null;
        var i = 0;
        foreach (var order in Orders(deciding))
        {
            var rows = await TellAsync(db, inbox, $"p{i++}", order, 1);
            (told ??= rows).ShouldBe(rows, string.Join(',', order));
        }

        i.ShouldBe(24);
    }

    [Fact]
    public async Task A_participant_whose_identity_is_a_users_sees_the_call_and_nobody_else_does()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var inbox = Inbox(db);
        var (user, stranger) = (await db.NewUserAsync(), await db.NewUserAsync());
        var events = LiveKitStory.Events("x").Select(e => e.Replace(LiveKitStory.User, user.UserId.ToString(), StringComparison.Ordinal)).ToList();
        await DeliverAsync(inbox, events);
        await inbox.RunOnceAsync(Cancel);

        var conversation = (await db.Conversations.ListAsync(user, cancellationToken: Cancel)).ShouldHaveSingleItem();
        conversation.UserId.ShouldBeNull();
        (await db.Conversations.ListAsync(stranger, cancellationToken: Cancel)).ShouldBeEmpty();
        (await db.ScalarAsync(user, "select count(*) from vox.recordings")).ShouldBe(0L, "recordings are the owner's");
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events where payload like '%hush%'")).ShouldBe(0L, "no TURN password is kept");
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.livekit_inbox where convert_from(payload, 'UTF8') like '%hush%'")).ShouldBe(0L);
    }

    [Fact]
    public async Task A_name_used_again_is_another_call_and_what_names_no_sid_finds_its_own()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var inbox = Inbox(db);
        string Room(string sid, long at) => $$"""{"sid":"{{sid}}","name":"lobby","creationTime":"{{at}}"}""";
        string[] events =
        [
            $$"""{"event":"room_started","room":{{Room("RM_1", 1000000000)}},"id":"E1","createdAt":"1000000000"}""",
            $$"""{"event":"room_finished","room":{{Room("RM_1", 1000000000)}},"id":"E2","createdAt":"1000000100"}""",
            $$"""{"event":"room_started","room":{{Room("RM_2", 1000000200)}},"id":"E3","createdAt":"1000000200"}""",
            """{"event":"egress_ended","egressInfo":{"egressId":"EG_1","roomName":"lobby","status":"EGRESS_COMPLETE"},"id":"E4","createdAt":"1000000101"}""",
            """{"event":"egress_ended","egressInfo":{"egressId":"EG_2","roomName":"lobby","status":"EGRESS_COMPLETE"},"id":"E5","createdAt":"1000000250"}""",
        ];
        // The nameless first: nobody can know yet whose they are. One event at a time, so that each is taken for somebody's meanwhile.
        foreach (var i in (int[])[4, 3, 0, 2, 1])
        {
            await DeliverAsync(inbox, [events[i]]);
            await inbox.RunOnceAsync(Cancel);
        }

        (await db.ScalarAsync(
            Caller.Service,
            """
            select string_agg(c.session_id || ' ' || c.status || ' ' || r.provider_id, ', ' order by c.session_id)
            from vox.conversations c left join vox.recordings r on r.conversation_id = c.id
            """)).ShouldBe("RM_1 completed EG_1, RM_2 pending EG_2");
    }

    [Fact]
    public async Task An_end_that_was_asked_for_stays_when_the_rooms_end_follows()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var inbox = Inbox(db);
        var events = LiveKitStory.Events("e");
        await DeliverAsync(inbox, events[..12]);
        await inbox.RunOnceAsync(Cancel);
        var call = (await db.Conversations.ListAsync(Caller.Service, cancellationToken: Cancel)).ShouldHaveSingleItem();
        call.Status.ShouldBe(ConversationStatus.Active);
        var ended = await db.Conversations.EndAsync(Caller.Service, call.Id, "budget_exceeded", cancellationToken: Cancel);
        await DeliverAsync(inbox, events[12..]);
        await inbox.RunOnceAsync(Cancel);

        var after = await db.Conversations.FindAsync(Caller.Service, call.Id, Cancel);
        (after.EndReason, after.EndedAt, after.Status).ShouldBe(("budget_exceeded", ended.EndedAt, ConversationStatus.Completed));
    }

    [Fact]
    public async Task What_cannot_be_read_holds_up_nothing_and_is_put_aside_in_the_end()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var inbox = Inbox(db);
        await db.ExecuteAsync(
            Caller.Service,
            "insert into vox.livekit_inbox (event_key, kind, room_sid, room_name, payload) values (vox.uuid_v7(), 'event', 'RM_g', 'support-g', 'no json')");
        await DeliverAsync(inbox, LiveKitStory.Events("g"));
        for (var i = 0; i < 12; i++)
            await inbox.RunOnceAsync(Cancel);

        (await db.ScalarAsync(Caller.Service, "select status::text from vox.conversations where session_id = 'RM_g'")).ShouldBe("completed");
        (await db.ScalarAsync(Caller.Service, "select attempts || ' ' || (read_at is not null) || ' ' || (fault is not null) from vox.livekit_inbox where fault is not null")).ShouldBe("10 true true");
    }

    [Fact]
    public async Task Two_servers_that_read_at_once_read_each_delivery_once()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (one, other) = (Inbox(db), Inbox(db));
        for (var i = 0; i < 5; i++)
            await DeliverAsync(one, LiveKitStory.Events($"t{i}"));
        await Task.WhenAll(one.RunOnceAsync(Cancel), other.RunOnceAsync(Cancel));
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.conversations where status = 'completed'")).ShouldBe(5L);
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe(60L, "all but the one that names no sid");
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task An_unknown_event_about_nothing_is_kept()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var inbox = Inbox(db);
        await DeliverAsync(inbox, ["""{"event":"weather_changed","id":"EV_w","createdAt":"1787074610"}"""]);
        await inbox.RunOnceAsync(Cancel);
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.livekit_inbox where read_at is not null")).ShouldBe(1L);
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.conversations")).ShouldBe(0L);
    }

    internal static LiveKitInbox Inbox(TestDatabase db) =>
        new(db.Database, db.Conversations, new CallAdmission(new RunningCalls()), db.Time, NullLogger<LiveKitInbox>.Instance);

    private static async Task EnsureUserAsync(TestDatabase db) =>
        await db.ExecuteAsync(Caller.Service, "insert into vox.users (id) values ($1)", Parameter.Uuid(Guid.Parse(LiveKitStory.User)));

    private static async Task<string> TellAsync(TestDatabase db, LiveKitInbox inbox, string suffix, int[] order, int atOnce)
    {
        var events = LiveKitStory.Events(suffix);
        foreach (var chunk in order.Chunk(atOnce))
        {
            await DeliverAsync(inbox, [.. chunk.Select(i => events[i])]);
            await inbox.RunOnceAsync(Cancel);
        }

        var rows = (string)(await db.ScalarAsync(Caller.Service, RowsSql, Parameter.Text(suffix)))!;
        return rows.Replace(suffix, "s", StringComparison.Ordinal);
    }

    private static async Task DeliverAsync(LiveKitInbox inbox, IReadOnlyList<string> events)
    {
        foreach (var body in events)
        {
            var (e, payload) = LiveKitEvent.Accept(Encoding.UTF8.GetBytes(body));
            await inbox.AcceptAsync(e, payload, Cancel);
        }
    }

    private static IEnumerable<int[]> Orders(int[] items) =>
        items.Length <= 1 ? [items] : items.SelectMany((item, i) => Orders([.. items[..i], .. items[(i + 1)..]]).Select(rest => (int[])[item, .. rest]));
}
