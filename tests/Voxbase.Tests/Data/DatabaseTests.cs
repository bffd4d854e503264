using Npgsql;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Data;

public sealed class DatabaseTests(TestCluster cluster)
{
    private const string TouchSql = "update vox.conversations set name = $2 where id = $1";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_a_deadlock_undid_is_done_again()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var first = (await db.Conversations.StartAsync(Caller.Service, new NewConversation(), Cancel)).Id;
        var second = (await db.Conversations.StartAsync(Caller.Service, new NewConversation(), Cancel)).Id;
        var name = new NpgsqlConnectionStringBuilder(db.ConnectionString).Database!;
        await using var connection = new NpgsqlConnection(cluster.SuperuserConnectionStringOf(name));
        await connection.OpenAsync(Cancel);
        // Whoever looks for deadlocks first is undone: not this one.
        await using (var patient = new NpgsqlCommand("set deadlock_timeout = '10min'", connection))
            await patient.ExecuteNonQueryAsync(Cancel);
        await using var transaction = await connection.BeginTransactionAsync(Cancel);
        await TouchAsync(connection, first);

        var crossing = db.Database.RunAsync(
            Caller.Service,
            [new Statement(TouchSql, Parameter.Uuid(second), Parameter.Text("crossing")), new Statement(TouchSql, Parameter.Uuid(first), Parameter.Text("crossing"))],
            Cancel);
        while (!crossing.IsCompleted && (long)(await db.ScalarAsync(Caller.Service, "select count(*) from pg_locks where not granted"))! == 0)
            await Task.Delay(10, Cancel);
        await TouchAsync(connection, second);
        await transaction.CommitAsync(Cancel);
        await crossing;

        (await db.ScalarAsync(Caller.Service, "select string_agg(name, ' ') from vox.conversations")).ShouldBe("crossing crossing");
    }

    private static async Task TouchAsync(NpgsqlConnection connection, Guid id)
    {
        await using var command = new NpgsqlCommand(TouchSql, connection) { Parameters = { new() { Value = id }, new() { Value = "held" } } };
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
