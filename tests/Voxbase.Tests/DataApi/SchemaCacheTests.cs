using Npgsql;
using Voxbase.DataApi;
using Voxbase.Testing;

namespace Voxbase.Tests.DataApi;

public sealed class SchemaCacheTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Five_hundred_tables_and_two_thousand_functions_are_found_by_name()
    {
        await using var db = await cluster.CreateDatabaseAsync(options => options.DataApi.Schemas = "many");
        await ExecuteAsync(
            db,
            """
            create schema many;
            do $$
            begin
              for i in 1..500 loop
                execute format('create table many.t%s (id int primary key, other_id int %s, a text, b jsonb)', i, case when i > 1 then format('references many.t%s', i - 1) end);
              end loop;
              for i in 1..2000 loop
                execute format('create function many.f%s(a int, b text default %L) returns int language sql immutable as %L', i, 'x', 'select 1');
              end loop;
            end $$;
            """);
        using var caches = new SchemaCaches(db.Database, db.Options);
        var cache = await caches.GetAsync(Cancel);
        cache.Tables.Count().ShouldBe(500);
        cache.Routines.Count().ShouldBe(2000);
        cache.FindTable(new QName("many", "t250"))!.PrimaryKey.ShouldBe(["id"]);
        cache.RelationshipsOf(new QName("many", "t250")).Count.ShouldBe(2);
        cache.Overloads(new QName("many", "f1999")).ShouldHaveSingleItem().Parameters.Select(each => each.IsRequired).ShouldBe([true, false]);
    }

    [Fact]
    public async Task A_reload_takes_what_is_new_and_a_failed_one_keeps_what_is_old()
    {
        await using var db = await cluster.CreateDatabaseAsync(options => options.DataApi.Schemas = "shop");
        await ExecuteAsync(db, "create schema shop; create table shop.first (id int)");
        using var caches = new SchemaCaches(db.Database, db.Options);
        (await caches.GetAsync(Cancel)).Tables.Count().ShouldBe(1);
        await ExecuteAsync(db, "create table shop.second (id int)");
        (await caches.GetAsync(Cancel)).Tables.Count().ShouldBe(1);
        (await caches.ReloadAsync(Cancel)).Tables.Count().ShouldBe(2);
        using var canceled = new CancellationTokenSource();
        await canceled.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => caches.ReloadAsync(canceled.Token));
        (await caches.GetAsync(Cancel)).Tables.Count().ShouldBe(2);
    }

    // Union, a view over a view, a column shown twice and a name full of the format's own signs.
    [Fact]
    public async Task Views_are_followed_to_the_columns_they_show()
    {
        await using var db = await cluster.CreateDatabaseAsync(options => options.DataApi.Schemas = "seen");
        await ExecuteAsync(
            db,
            """
            create schema seen;
            create table seen.parents (id int primary key, "a {(:resno 7) } b" text);
            create table seen.children (id int primary key, parent_id int references seen.parents);
            create view seen.inner_view as select c.id as "x {(:resno 9", c.parent_id as up, c.parent_id as again, p."a {(:resno 7) } b" from seen.children c join seen.parents p on p.id = c.parent_id;
            create view seen.outer_view as select up from seen.inner_view where up > (select min(id) from seen.parents);
            create view seen.united as select id from seen.parents union all select id from seen.children;
            """);
        using var caches = new SchemaCaches(db.Database, db.Options);
        var cache = await caches.GetAsync(Cancel);
        Ways("outer_view", "parents").ShouldBe(["up=id"]);
        Ways("inner_view", "parents").Order().ShouldBe(["again=id", "up=id"]);
        Ways("parents", "inner_view").Order().ShouldBe(["id=again", "id=up"]);
        cache.FindTable(new QName("seen", "inner_view"))!.PrimaryKey.ShouldBe(["x {(:resno 9"]);

        IEnumerable<string> Ways(string from, string to) => cache.RelationshipsOf(new QName("seen", from))
            .Where(each => each.Target.Name == to).Select(each => $"{each.Columns[0].Own}={each.Columns[0].Theirs}");
    }

    [Fact]
    public async Task Settings_of_authenticator_go_before_options_and_those_of_this_database_before_those_of_all()
    {
        await using var db = await cluster.CreateDatabaseAsync(options => options.DataApi.MaxRows = 5);
        var name = new NpgsqlConnectionStringBuilder(db.ConnectionString).Database!;
        await ExecuteAsync(
            db,
            $"""
            create schema mine;
            alter role authenticator in database {name} set pgrst.db_schemas = 'mine, vox';
            alter role authenticator in database {name} set pgrst.db_max_rows = '77';
            alter role authenticator in database {name} set pgrst.db_tx_end = 'rollback-allow-override';
            alter role anon in database {name} set statement_timeout = '3s';
            alter role anon in database {name} set default_transaction_isolation = 'serializable';
            """);
        using var caches = new SchemaCaches(db.Database, db.Options);
        var settings = (await caches.GetAsync(Cancel)).Settings;
        settings.Schemas.ShouldBe(["mine", "vox"]);
        (settings.MaxRows, settings.MayChooseEnd, settings.RollsBack, settings.Aggregates).ShouldBe((77L, true, true, false));
        settings.Roles["anon"].Settings.ShouldBe([new("statement_timeout", "3s")]);
        settings.Roles["anon"].Isolation.ShouldBe("serializable");
    }

    private async Task ExecuteAsync(TestDatabase db, string sql)
    {
        await using var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(cluster.SuperuserConnectionStringOf(new NpgsqlConnectionStringBuilder(db.ConnectionString).Database!)) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 120 };
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
