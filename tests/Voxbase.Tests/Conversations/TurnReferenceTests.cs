using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests;

/// <summary>No turn without its conversation, and none of another owner, though no foreign key looks.</summary>
public sealed class TurnReferenceTests(TestCluster cluster)
{
    private const string OrphansSql =
        """
        select count(*)
        from vox.turns t
        left join vox.conversations c on c.id = t.conversation_id
        where c.id is null or c.user_id is distinct from t.user_id
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("(conversation_id, role) values ($1, 'user')")]
    [InlineData("(conversation_id, role, sequence_number) values ($1, 'user', 1)")]
    [InlineData("(conversation_id, role, user_id) values ($1, 'user', $2)")]
    [InlineData("(conversation_id, role, user_id, sequence_number) values ($1, 'user', $2, 1)")]
    public async Task A_turn_of_no_conversation_is_refused(string insert)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        // Ids of this month and of none go to different partitions.
        foreach (var absent in (Guid[])[Guid.CreateVersion7(), Guid.NewGuid()])
        {
            foreach (var caller in (Caller[])[user, Caller.Service])
            {
                (await Should.ThrowAsync<VoxbaseException>(() => db.ExecuteAsync(
                    caller, $"insert into vox.turns {insert}", Parameter.Uuid(absent), Parameter.Uuid(user.UserId)))).Code.ShouldBe("reference_not_found");
            }
        }

        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.turns")).ShouldBe(0L);
    }

    [Fact]
    public async Task Of_turns_for_several_conversations_one_that_is_absent_refuses_all()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        var mine = (await db.Conversations.StartAsync(user, new NewConversation(), Cancel)).Id;
        (await Should.ThrowAsync<VoxbaseException>(() => db.ExecuteAsync(
            user,
            "insert into vox.turns (conversation_id, role, user_id, sequence_number) values ($1, 'user', $3, 1), ($2, 'user', $3, 1)",
            Parameter.Uuid(mine), Parameter.Uuid(Guid.CreateVersion7()), Parameter.Uuid(user.UserId)))).Code.ShouldBe("reference_not_found");
        (await db.Conversations.FindAsync(user, mine, Cancel)).TurnCount.ShouldBe(0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Turns_follow_the_owner_and_go_with_their_conversation(bool isOwned)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (first, second) = (await db.NewUserAsync(), await db.NewUserAsync());
        var id = (await db.Conversations.StartAsync(
            Caller.Service, new NewConversation { UserId = isOwned ? first.UserId : null, Status = ConversationStatus.Active }, Cancel)).Id;
        await db.Conversations.AppendAsync(Caller.Service, id, [.. Enumerable.Range(0, 5).Select(_ => new NewTurn { Role = TurnRole.User })], Cancel);

        await AsOwnerAsync(db, "update vox.conversations set user_id = $2 where id = $1", Parameter.Uuid(id), Parameter.Uuid(second.UserId));

        (await db.Conversations.LastTurnsAsync(second, id, 10, Cancel)).Count.ShouldBe(5);
        if (isOwned)
            (await db.ScalarAsync(first, "select count(*) from vox.turns")).ShouldBe(0L);
        (await db.ScalarAsync(Caller.Service, OrphansSql)).ShouldBe(0L);

        await AsOwnerAsync(db, "delete from vox.conversations where id = $1", Parameter.Uuid(id));

        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.turns")).ShouldBe(0L);
    }

    [Fact]
    public async Task Appending_while_conversations_are_deleted_and_given_away_leaves_no_turn_behind()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await using var other = new TestDatabase(db.ConnectionString);
        var (owner, heir) = (await db.NewUserAsync(), await db.NewUserAsync());
        var ids = new List<Guid>();
        for (var i = 0; i < 40; i++)
            ids.Add((await db.Conversations.StartAsync(owner, new NewConversation { Status = ConversationStatus.Active }, Cancel)).Id);

        var appends = Enumerable.Range(0, 8).Select(n => Task.Run(
            async () =>
            {
                var random = new Random(n);
                for (var i = 0; i < 60; i++)
                {
                    var id = ids[random.Next(ids.Count)];
                    try
                    {
                        if (n % 2 == 0)
                            await (n % 4 == 0 ? db : other).Conversations.AppendAsync(Caller.Service, id, [new NewTurn { Role = TurnRole.User }, new NewTurn { Role = TurnRole.Assistant }], Cancel);
                        else
                            await db.ExecuteAsync(Caller.Service, "insert into vox.turns (conversation_id, role) values ($1, 'user')", Parameter.Uuid(id));
                    }
                    catch (VoxbaseException e) when (e.Code is "conversation_not_found" or "reference_not_found")
                    {
                        // Deleted, or given away between the look for its owner and the count: whoever asked is told.
                    }
                }
            },
            Cancel));
        var changes = ids.Select((id, i) => (id, i)).Where(c => c.i % 4 != 3).Select(c => Task.Run(
            () => c.i % 2 == 0
                ? AsOwnerAsync(db, "delete from vox.conversations where id = $1", Parameter.Uuid(c.id))
                : AsOwnerAsync(db, "update vox.conversations set user_id = $2 where id = $1", Parameter.Uuid(c.id), Parameter.Uuid(heir.UserId)),
            Cancel));
        await Task.WhenAll([.. appends, .. changes]);

        (await db.ScalarAsync(Caller.Service, OrphansSql)).ShouldBe(0L);
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    // What no caller may do: an operator's own SQL.
    private static async Task AsOwnerAsync(TestDatabase db, string sql, params Npgsql.NpgsqlParameter[] parameters)
    {
        await using var connection = await db.Database.OpenWithoutCallerAsync(Cancel);
        await using var command = new Npgsql.NpgsqlCommand(sql, connection);
        command.Parameters.AddRange(parameters);
        (await command.ExecuteNonQueryAsync(Cancel)).ShouldBe(1);
    }
}
