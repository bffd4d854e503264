using Npgsql;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Data;

public sealed class SchemaDumpTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_committed_schema_is_what_the_migrations_make()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await CommittedFile.ShouldHoldAsync("src/Voxbase/Migrations/schema.sql", await DumpAsync(db.Database), "voxbase migrate dump");
    }

    [Fact]
    public async Task The_dump_applied_to_an_empty_database_makes_the_same_schema()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var dump = await DumpAsync(db.Database);
        await using var database = new Database(await cluster.CreateEmptyDatabaseAsync());
        await using (var connection = await database.OpenWithoutCallerAsync(Cancel))
        await using (var command = new NpgsqlCommand(dump, connection))
            await command.ExecuteNonQueryAsync(Cancel);
        (await DumpAsync(database)).ShouldBe(dump);
    }

    [Fact]
    public async Task The_dump_does_not_depend_on_months_data_or_the_logins_path()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var before = await DumpAsync(db.Database);
        var owner = await db.NewUserAsync();
        await db.Conversations.StartAsync(owner, new NewConversation { StartedAt = new DateTimeOffset(2021, 5, 1, 0, 0, 0, TimeSpan.Zero) }, Cancel);
        await using var elsewhere = new Database(
            new NpgsqlConnectionStringBuilder(db.ConnectionString) { SearchPath = "vox, vox_private, auth" }.ConnectionString);
        (await DumpAsync(elsewhere)).ShouldBe(before);
        before.ShouldNotContain("_2021_05");
        // The publication has its name of itself.
        before.Replace("voxbase_feed", "", StringComparison.Ordinal).ShouldNotContain("voxbase_");
    }

    [Fact]
    public async Task The_id_function_of_older_servers_is_printed_as_they_have_it()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        Assert.SkipUnless(cluster.Postgres.ServerVersion.Major < 18, "PostgreSQL 18 has its own.");
        var actual = (string)(await db.ScalarAsync(Caller.Service, "select pg_get_functiondef('vox.uuid_v7()'::regprocedure)"))!;
        SchemaDump.PortableUuid.ReplaceLineEndings("\n").ShouldBe(actual.TrimEnd('\n'));
    }

    private static async Task<string> DumpAsync(Database database)
    {
        await using var writer = new StringWriter { NewLine = "\n" };
        await SchemaDump.WriteAsync(database, writer, Cancel);
        return writer.ToString();
    }
}
