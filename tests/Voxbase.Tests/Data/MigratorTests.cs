using Npgsql;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Data;

public sealed class MigratorTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_fresh_database_gets_every_migration_in_order_and_a_second_run_finds_nothing_to_do()
    {
        await using var database = new Database(await cluster.CreateEmptyDatabaseAsync());
        var migrator = new Migrator(database);
        (await migrator.StatusAsync(Cancel)).ShouldAllBe(m => m.AppliedAt == null);
        (await migrator.ApplyAsync(Cancel)).ShouldBe(migrator.Migrations.Select(m => m.Name));
        (await migrator.ApplyAsync(Cancel)).ShouldBeEmpty();
        (await migrator.StatusAsync(Cancel)).ShouldAllBe(m => m.AppliedAt != null);
        migrator.Migrations.Select(m => m.Number).ShouldBe(Enumerable.Range(1, migrator.Migrations.Count), "numbered from 1 without a gap");
    }

    [Fact]
    public async Task Of_eight_migrators_at_once_each_migration_is_applied_by_one()
    {
        var connectionString = await cluster.CreateEmptyDatabaseAsync();
        var databases = Enumerable.Range(0, 8).Select(_ => new Database(connectionString)).ToList();
        var applied = await Task.WhenAll(databases.Select(database => Task.Run(() => new Migrator(database).ApplyAsync(Cancel))));
        applied.SelectMany(names => names).Order(StringComparer.Ordinal).ShouldBe(new Migrator(databases[0]).Migrations.Select(m => m.Name));
        foreach (var database in databases)
            await database.DisposeAsync();
    }

    // Roles belong to the cluster, and the advisory lock to the database: here nothing but the migration itself keeps order.
    [Fact]
    public async Task Databases_of_one_new_cluster_may_be_migrated_at_once()
    {
        var home = Path.Combine(Path.GetTempPath(), "vx-" + Path.GetRandomFileName().Replace(".", "", StringComparison.Ordinal));
        try
        {
            await using var postgres = await EmbeddedPostgres.StartAsync(new EmbeddedPostgresOptions { Home = home }, cancellationToken: Cancel);
            var connectionStrings = new List<string>();
            for (var i = 0; i < 4; i++)
            {
                await ExecuteAsync(postgres.ConnectionString, $"create database other_{i}");
                connectionStrings.Add(new NpgsqlConnectionStringBuilder(postgres.ConnectionString) { Database = $"other_{i}", Pooling = false }.ConnectionString);
            }

            await Task.WhenAll(connectionStrings.Select(connectionString => Task.Run(async () =>
            {
                await using var db = new TestDatabase(connectionString);
                await new Migrator(db.Database).ApplyAsync(Cancel);
                var user = await db.NewUserAsync();
                var conversation = await db.Conversations.StartAsync(user, new NewConversation(), Cancel);
                (await db.Conversations.AppendAsync(user, conversation.Id, new NewTurn { Role = TurnRole.User }, Cancel)).SequenceNumber.ShouldBe(1);
            })));
        }
        finally
        {
            if (Directory.Exists(home))
                Directory.Delete(home, recursive: true);
        }
    }

    [Fact]
    public async Task Auth_functions_that_are_there_are_left_alone_and_used()
    {
        var connectionString = await cluster.CreateEmptyDatabaseAsync();
        var name = new NpgsqlConnectionStringBuilder(connectionString).Database!;
        // As Supabase has them: another owner, and claims that may come one by one.
        await ExecuteAsync(cluster.SuperuserConnectionStringOf(name),
            """
            create schema auth;
            create function auth.uid() returns uuid language sql stable as $$
              select coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
                (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid
            $$;
            create function auth.role() returns text language sql stable as $$
              select coalesce(nullif(current_setting('request.jwt.claim.role', true), ''),
                (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'))::text
            $$;
            create function auth.jwt() returns jsonb language sql stable as $$
              select coalesce(nullif(current_setting('request.jwt.claim', true), ''), nullif(current_setting('request.jwt.claims', true), ''))::jsonb
            $$;
            grant usage on schema auth to anon, authenticated, service_role, voxbase;
            """);
        const string bodies = "select string_agg(prosrc || proowner, '' order by proname) from pg_proc where pronamespace = 'auth'::regnamespace";
        await using var db = new TestDatabase(connectionString);
        var before = await QueryAsync<string>(connectionString, bodies);
        await new Migrator(db.Database).ApplyAsync(Cancel);
        (await QueryAsync<string>(connectionString, bodies)).ShouldBe(before);

        var (owner, stranger) = (await db.NewUserAsync(), await db.NewUserAsync());
        var conversation = await db.Conversations.StartAsync(owner, new NewConversation(), Cancel);
        await db.Conversations.AppendAsync(owner, conversation.Id, new NewTurn { Role = TurnRole.User }, Cancel);
        (await db.Conversations.GetAsync(owner, conversation.Id, Cancel)).Turns.Count.ShouldBe(1);
        (await db.ScalarAsync(stranger, "select count(*) from vox.turns")).ShouldBe(0L);
    }

    [Fact]
    public async Task A_migration_whose_text_changed_is_refused_and_nothing_is_applied()
    {
        await using var database = new Database(await cluster.CreateEmptyDatabaseAsync());
        await new Migrator(database, [Migrator.Of("0001_first", "create schema one;")]).ApplyAsync(Cancel);
        var changed = new Migrator(database, [Migrator.Of("0001_first", "create schema uno;"), Migrator.Of("0002_second", "create schema two;")]);
        foreach (var act in (Func<Task>[])[() => changed.ApplyAsync(Cancel), () => changed.StatusAsync(Cancel)])
        {
            var error = await Should.ThrowAsync<VoxbaseException>(act);
            error.Code.ShouldBe("migration_changed");
            error.Message.ShouldContain("0001_first");
        }

        (await SchemasAsync(database)).ShouldBe(["one"]);
    }

    [Fact]
    public void Line_ends_do_not_change_a_migration() =>
        Migrator.Of("0001_first", "select 1;\r\nselect 2;\r\n").Hash.ShouldBe(Migrator.Of("0001_first", "select 1;\nselect 2;\n").Hash);

    [Fact]
    public async Task A_database_that_is_ahead_is_refused()
    {
        await using var database = new Database(await cluster.CreateEmptyDatabaseAsync());
        var first = Migrator.Of("0001_first", "create schema one;");
        await new Migrator(database, [first, Migrator.Of("0002_second", "create schema two;")]).ApplyAsync(Cancel);
        var error = await Should.ThrowAsync<VoxbaseException>(() => new Migrator(database, [first]).ApplyAsync(Cancel));
        error.Code.ShouldBe("schema_newer");
        error.Message.ShouldContain("0002_second");
    }

    [Fact]
    public async Task A_failing_migration_is_undone_and_named_and_those_before_it_stay()
    {
        await using var database = new Database(await cluster.CreateEmptyDatabaseAsync());
        var first = Migrator.Of("0001_first", "create schema one;");
        var error = await Should.ThrowAsync<VoxbaseException>(() => new Migrator(
            database, [first, Migrator.Of("0002_second", "create schema two; select 1 / 0;"), Migrator.Of("0003_third", "create schema three;")]).ApplyAsync(Cancel));
        error.Code.ShouldBe("migration_failed");
        error.Message.ShouldContain("0002_second");
        error.Message.ShouldContain("22012");
        (await SchemasAsync(database)).ShouldBe(["one"]);

        var mended = new Migrator(database, [first, Migrator.Of("0002_second", "create schema two;")]);
        (await mended.ApplyAsync(Cancel)).ShouldBe(["0002_second"]);
        (await SchemasAsync(database)).ShouldBe(["one", "two"]);
    }

    [Fact]
    public void A_server_older_than_15_is_refused()
    {
        Should.Throw<VoxbaseException>(() => Migrator.RequireSupported(new Version(14, 11))).Code.ShouldBe("postgres_too_old");
        Should.NotThrow(() => Migrator.RequireSupported(new Version(15, 0)));
    }

    [Fact]
    public async Task Before_the_first_migration_work_is_refused_with_the_way_out()
    {
        await using var db = new TestDatabase(await cluster.CreateEmptyDatabaseAsync());
        var error = await Should.ThrowAsync<VoxbaseException>(() => db.Conversations.ListAsync(Caller.Service, cancellationToken: Cancel));
        error.Code.ShouldBe("not_migrated");
        error.Hint.ShouldContain("voxbase migrate");
    }

    private static async Task<List<string>> SchemasAsync(Database database)
    {
        await using var connection = await database.OpenWithoutCallerAsync(Cancel);
        await using var command = new NpgsqlCommand(
            "select nspname::text from pg_namespace where nspname in ('one', 'uno', 'two', 'three') order by nspname", connection);
        await using var rows = await command.ExecuteReaderAsync(Cancel);
        var found = new List<string>();
        while (await rows.ReadAsync(Cancel))
            found.Add(rows.GetString(0));
        return found;
    }

    private static async Task ExecuteAsync(string connectionString, string sql) => await QueryAsync<object?>(connectionString, sql);

    private static async Task<T> QueryAsync<T>(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection);
        return (T)(await command.ExecuteScalarAsync(Cancel))!;
    }
}
