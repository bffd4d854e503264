using Voxbase.Capture;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Capture;

/// <summary>No evidence without its conversation, and none of another owner, though no foreign key looks; and what remembers it.</summary>
public sealed class EvidenceReferenceTests(TestCluster cluster)
{
    private const string Insert =
        "insert into vox.provider_events (conversation_id, ordinal, event_key, provider, direction, event_type, payload, user_id) ";

    private const string OrphansSql =
        """
        select count(*)
        from vox.provider_events e
        left join vox.conversations c on c.id = e.conversation_id
        where c.id is null or c.user_id is distinct from e.user_id
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_event_of_no_conversation_or_of_another_owner_is_refused_with_all_of_its_statement()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, other) = (await db.NewUserAsync(), await db.NewUserAsync());
        var mine = (await db.Conversations.StartAsync(owner, new NewConversation(), Cancel)).Id;
        // Ids of this month and of none go to different partitions.
        foreach (var absent in (Guid[])[Guid.CreateVersion7(), Guid.NewGuid()])
        {
            foreach (var user in (Guid?[])[null, owner.UserId])
            {
                (await Should.ThrowAsync<VoxbaseException>(() => db.ExecuteAsync(
                    Caller.Service,
                    Insert + "select id, 1, gen_random_uuid(), 'openai', 'server', 'error', '{}', case when id = $1 then $3 else $4 end from unnest(array[$1, $2]) id",
                    Parameter.Uuid(mine), Parameter.Uuid(absent), Parameter.Uuid(owner.UserId), Parameter.Uuid(user)))).Code.ShouldBe("reference_not_found");
            }
        }

        (await Should.ThrowAsync<VoxbaseException>(() => db.ExecuteAsync(
            Caller.Service, Insert + "values ($1, 1, gen_random_uuid(), 'openai', 'server', 'error', '{}', $2)",
            Parameter.Uuid(mine), Parameter.Uuid(other.UserId)))).Code.ShouldBe("reference_not_found");
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe(0L);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Evidence_follows_the_owner_and_goes_with_its_conversation(bool isOwned)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (first, second) = (await db.NewUserAsync(), await db.NewUserAsync());
        var id = (await db.Conversations.StartAsync(Caller.Service, new NewConversation { UserId = isOwned ? first.UserId : null }, Cancel)).Id;
        await db.ExecuteAsync(
            Caller.Service, Insert + "select $1, n, gen_random_uuid(), 'openai', 'server', 'error', '{}', null from generate_series(1, 5) n", Parameter.Uuid(id));

        await AsOwnerAsync(db, "update vox.conversations set user_id = $2 where id = $1", Parameter.Uuid(id), Parameter.Uuid(second.UserId));

        (await db.ScalarAsync(second, "select count(*) from vox.provider_events")).ShouldBe(5L);
        (await db.ScalarAsync(first, "select count(*) from vox.provider_events")).ShouldBe(0L);
        (await db.ScalarAsync(Caller.Service, OrphansSql)).ShouldBe(0L);

        await AsOwnerAsync(db, "delete from vox.conversations where id = $1", Parameter.Uuid(id));

        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe(0L);
    }

    [Fact]
    public async Task A_month_keeps_events_of_a_few_kilobytes_in_their_rows_uncompressed_and_is_not_vacuumed_for_what_is_added()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await db.ScalarAsync(Caller.Service, "select vox_private.ensure_month('2031-05-01')");
        (await db.ScalarAsync(Caller.Service, """
            select bool_and(c.reloptions @> array['toast_tuple_target=8160', 'autovacuum_vacuum_insert_threshold=-1'] and a.attstorage = 'e') and count(*) > 2
            from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_attribute a on a.attrelid = c.oid and a.attname = 'payload'
            where i.inhparent = 'vox.provider_events'::regclass
            """)).ShouldBe(true);
    }

    [Fact]
    public void Kept_keys_are_found_again_each_once_and_in_their_order()
    {
        var keys = new KeptKeys();
        var all = Enumerable.Range(0, 3_000).Select(_ => Guid.NewGuid()).ToList();
        var (anchor, named, nameless) = (
            new LoggedEvent(EventDirections.Server, "error", "event_1", null, null, "{}"), new LoggedEvent(EventDirections.Client, "error", "event_1", null, null, "{}"),
            new LoggedEvent(EventDirections.Server, "error", null, null, null, "{}"));
        LoggedEvent Event(int i) => (i % 3) switch { 0 => anchor, 1 => named, _ => nameless };
        for (var i = 0; i < all.Count; i++)
        {
            keys.Add(all[i], Event(i)).ShouldBeTrue();
            keys.Add(all[i / 2], anchor).ShouldBeFalse("it is there");
        }

        keys.Count.ShouldBe(all.Count);
        for (var i = 0; i < all.Count; i++)
        {
            keys[i].ShouldBe(all[i]);
            keys.IndexOf(all[i]).ShouldBe(i);
            (keys.IsAnchor(i), keys.HasId(i)).ShouldBe((i % 3 == 0, i % 3 != 2));
        }

        keys.IndexOf(Guid.NewGuid()).ShouldBe(-1);
    }

    [Theory]
    [InlineData("""{"type":"response.output_audio.delta","event_id":"e1","delta":"AAAA"}""", "response.output_audio.delta", "e1")]
    [InlineData("""  {"delta":{"type":"inner"},"event_id":7,"type":"a","type":"b"}  """, "b", null)]
    [InlineData("""{"type":"a","event_id":"e\u0031"}""", "a", "e1")]
    [InlineData("""{"type":null}""", "voxbase.frame", null)]
    [InlineData("""{"type":"a"} x""", "voxbase.frame", null)]
    [InlineData("""{"type":"a","event_id":"\ud800"}""", "voxbase.frame", null)]
    [InlineData("""[{"type":"a"}]""", "voxbase.frame", null)]
    [InlineData("", "voxbase.frame", null)]
    public void A_frame_is_named_as_the_event_that_it_would_be_in_a_log(string frame, string type, string? eventId)
    {
        var e = ProviderLog.Frame(EventDirections.Server, 5, System.Text.Encoding.UTF8.GetBytes(frame), isText: true);
        (e.Type, e.EventId, e.OffsetMs).ShouldBe((type, eventId, 5));
        if (type == "voxbase.frame")
            return;
        e.Payload.ShouldBe(frame.Trim());
        var logged = ProviderLog.Parse(2, System.Text.Encoding.UTF8.GetBytes(frame))!.Event! with { OffsetMs = 5 };
        e.ShouldBe(logged);
        EventKeys.KeyOf(e).ShouldBe(EventKeys.KeyOf(logged), "what it lies in makes no difference");
    }

    private static async Task AsOwnerAsync(TestDatabase db, string sql, params Npgsql.NpgsqlParameter[] parameters)
    {
        await using var connection = await db.Database.OpenWithoutCallerAsync(Cancel);
        await using var command = new Npgsql.NpgsqlCommand(sql, connection);
        command.Parameters.AddRange(parameters);
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
