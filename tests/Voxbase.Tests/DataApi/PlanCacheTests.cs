using System.Globalization;
using System.Text;
using Npgsql;
using Voxbase.DataApi;
using Voxbase.Testing;

namespace Voxbase.Tests.DataApi;

public sealed class PlanCacheTests(TestCluster cluster)
{
    private const string Sql =
        """
        create schema stall;
        create table stall.fruits (id int primary key, name text, price numeric, tags text[], data jsonb, kind_id int);
        create table stall.kinds (id int primary key, name text);
        alter table stall.fruits add foreign key (kind_id) references stall.kinds;
        create function stall.found(word text, most int default 3) returns setof stall.fruits language sql stable as 'select * from stall.fruits where name like word limit most';
        insert into stall.kinds values (1, 'pome'), (2, 'stone');
        insert into stall.fruits values (1, 'apple', 1.5, '{a,b}', '{"a": 1}', 1), (2, 'plum', 2.5, '{b}', '{"a": 2}', 2), (3, 'a*e', 3, '{}', null, null);
        grant usage on schema stall to anon, authenticated, service_role;
        grant all on all tables in schema stall to anon, authenticated, service_role;
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Requests_of_one_shape_share_a_plan_and_keep_their_values()
    {
        await using var db = await OpenAsync();
        using var caches = new SchemaCaches(db.Database, db.Options);
        var cache = await caches.GetAsync(Cancel);
        string[][] groups =
        [
            ["id=eq.1", "id=eq.2", "id=eq.", "id=eq.eq.1", "id=eq.%26id%3Deq.2", "id=eq.null"],
            ["id=not.eq.1", "id=not.eq.not.eq.1"],
            ["name=like.a*e", "name=like.*", "name=like.%25_"],
            ["id=in.(1,2)", "id=in.(3)", "id=in.(,)", "id=in.(1,2,3,4)"],
            ["select=id,name&price=gt.1&name=neq.x&limit=2", "select=id,name&price=gt.9&name=neq.gt&limit=2"],
            ["select=*,kinds!inner(name)&kinds.name=eq.pome", "select=*,kinds!inner(name)&kinds.name=eq.stone"],
            ["data->>a=eq.1", "data->>a=eq.2"],
            ["name=fts(english).red", "name=fts(english).green"],
            ["tags=cs.{a}", "tags=cs.{a,b}"],
        ];
        foreach (var group in groups)
        {
            var before = cache.Plans.Count;
            foreach (var query in group)
            {
                var request = Get(query);
                Told(RestApi.Planned(request, "anon", cache, "stall")).ShouldBe(Told(RestApi.Plan(request, "anon", cache, "stall")), query);
            }

            cache.Plans.Count.ShouldBe(before + 1, group[0]);
        }
    }

    [Fact]
    public async Task Requests_that_look_alike_do_not_share_one()
    {
        await using var db = await OpenAsync();
        using var caches = new SchemaCaches(db.Database, db.Options);
        var cache = await caches.GetAsync(Cancel);
        ApiRequest[] requests =
        [
            Get("id=eq.1"), Get("id=neq.1"), Get("id=not.eq.1"), Get("id=is.null"), Get("id=is.not_null"), Get("id=in.(1)"), Get("id=in.(\"1\")"), Get("id=in.()"),
            Get("id=eq(any).{1}"), Get("id=eq(all).{1}"), Get("name=eq.1"), Get("id=eq.1&name=eq.1"), Get("name=eq.1&id=eq.1"), Get("id=eq.1&limit=1"),
            Get("id=eq.1&limit=2"), Get("id=eq.1&offset=1"), Get("id=eq.1&order=id"), Get("id=eq.1&order=id.desc"), Get("select=id&id=eq.1"),
            Get("select=name&id=eq.1"), Get("or=(id.eq.1,id.eq.2)"), Get("or=(id.eq.1,id.eq.3)"), Get("name=fts(english).a"), Get("name=fts(simple).a"),
            Get("name=fts.a"), Get("id=eq.1") with { Method = "HEAD" }, Get("id=eq.1") with { Method = "DELETE" }, Get("id=eq.1") with { Prefer = ["count=exact"] },
            Get("id=eq.1") with { Prefer = ["count=planned"] }, Get("id=eq.1") with { Accept = "text/csv" },
            Get("id=eq.1") with { Accept = "application/vnd.pgrst.object+json" }, Get("id=eq.1") with { Range = "0-1" }, Get("id=eq.1") with { Range = "1-2" },
            Get("id=eq.1") with { Path = ["kinds"] }, Call("word=a"), Call("word=a&most=2"), Call("most=2&word=a"), Call("word=a&id=eq.2"), Call("word=a&word=b"), Call("word"), Call("word="), Get("id"),
            Write("POST", "", """{"id":4,"name":"x"}"""), Write("POST", "", """[{"id":4,"name":"x"}]"""), Write("POST", "", """{"name":"x","id":4}"""),
            Write("POST", "", """{"id":5}"""), Write("POST", "columns=id", """[{"id":5,"name":"x"}]"""), Write("POST", "columns=id,name", """[{"id":5,"name":"x"}]"""),
            Write("PATCH", "id=eq.1", """{"name":"x"}"""), Write("PATCH", "name=eq.1", """{"id":7}"""), Write("PUT", "id=eq.4", """{"id":4,"name":"x"}"""),
            Write("POST", "", """{"id":4,"name":"x"}""") with { Prefer = ["return=representation"] },
            Write("POST", "", """{"id":4,"name":"x"}""") with { Prefer = ["resolution=merge-duplicates"] },
            Write("POST", "", "id,name\n4,x") with { ContentType = "text/csv" },
        ];
        // Forwards and backwards and by two roles, so that each comes after every other.
        foreach (var request in requests.Concat(requests.Reverse()).Concat(requests))
        {
            foreach (var role in (string[])["anon", "service_role"])
                Try(() => RestApi.Planned(request, role, cache, "stall")).ShouldBe(Try(() => RestApi.Plan(request, role, cache, "stall")), $"{request.Method} {request.Query}");
        }

        static string Try(Func<PlannedRequest> plan)
        {
            try
            {
                return Told(plan());
            }
            catch (ApiException e)
            {
                return e.Code;
            }
        }
    }

    [Fact]
    public async Task Values_of_each_request_reach_the_database_and_a_reload_begins_anew()
    {
        await using var db = await OpenAsync();
        using var caches = new SchemaCaches(db.Database, db.Options);
        var api = new RestApi(db.Database, caches);
        for (var time = 0; time < 2; time++)
        {
            (await AskAsync(Get("select=name&id=eq.1"))).ShouldBe("""[{"name":"apple"}]""");
            (await AskAsync(Get("select=name&id=eq.2"))).ShouldBe("""[{"name":"plum"}]""");
            (await AskAsync(Get("select=id&id=in.(1,3)&order=id"))).ShouldBe("[{\"id\":1}, \n {\"id\":3}]");
            (await AskAsync(Get("select=id&name=like.p*"))).ShouldBe("""[{"id":2}]""");
            (await AskAsync(Call("select=id&word=plum"))).ShouldBe("""[{"id":2}]""");
            var written = Write("POST", "select=id,name", $$"""{"id":{{10 + time}},"name":"n{{time}}"}""") with { Prefer = ["return=representation"] };
            (await AskAsync(written)).ShouldBe($$"""[{"id":{{10 + time}},"name":"n{{time}}"}]""");
        }

        await ExecuteAsync(db, "alter table stall.fruits rename column name to title; notify pgrst, 'reload schema'");
        await caches.ReloadAsync(Cancel);
        (await caches.GetAsync(Cancel)).Plans.Count.ShouldBe(0);
        (await Should.ThrowAsync<ApiException>(() => AskAsync(Get("select=name&id=eq.1")))).Code.ShouldBe("42703");
        (await AskAsync(Get("select=title&id=eq.1"))).ShouldBe("""[{"title":"apple"}]""");

        async Task<string> AskAsync(ApiRequest request)
        {
            var body = "";
            await api.AnswerAsync(
                request, Caller.Service,
                (answer, _) =>
                {
                    body = Encoding.UTF8.GetString(answer.Body.Span);
                    return Task.CompletedTask;
                },
                Cancel);
            return body;
        }
    }

    [Fact]
    public async Task However_many_shapes_come_few_are_kept()
    {
        await using var db = await OpenAsync();
        using var caches = new SchemaCaches(db.Database, db.Options);
        var cache = await caches.GetAsync(Cancel);
        for (var i = 0; i < 3000; i++)
        {
            var request = Get($"id=eq.{i}&limit={i + 1}");
            Told(RestApi.Planned(request, "anon", cache, "stall")).ShouldBe(Told(RestApi.Plan(request, "anon", cache, "stall")));
        }

        cache.Plans.Count.ShouldBeInRange(1, 1024);
    }

    /// <summary>All that the database would be told.</summary>
    internal static string Told(PlannedRequest planned)
    {
        var text = new StringBuilder().Append(planned.SearchPath).Append('|').Append(planned.Plan.Operation).Append(planned.Plan.Range).Append(planned.Plan.IsReadOnly)
            .Append(planned.Plan.WritesBody).Append(planned.Plan.Media.ContentType).Append(planned.Preferences.Applied(planned.Plan.Operation, resolves: true));
        foreach (var statement in planned.Statements)
        {
            text.Append('\n').Append(statement.Sql);
            foreach (var parameter in statement.Parameters)
            {
                text.Append(CultureInfo.InvariantCulture, $"\n  {parameter.NpgsqlDbType} ").Append(parameter switch
                {
                    NpgsqlParameter<string> one => one.TypedValue,
                    NpgsqlParameter<ReadOnlyMemory<byte>> one => Encoding.UTF8.GetString(one.TypedValue.Span),
                    NpgsqlParameter<string[]> one => string.Join('\u001f', one.TypedValue!),
                    _ => parameter.Value,
                });
            }
        }

        return text.ToString();
    }

    private static ApiRequest Get(string query) => new() { Method = "GET", Path = ["fruits"], FullPath = "/rest/v1/fruits", Query = query };

    private static ApiRequest Call(string query) => Get(query) with { Path = ["rpc", "found"] };

    private static ApiRequest Write(string method, string query, string body) => Get(query) with { Method = method, Body = Encoding.UTF8.GetBytes(body) };

    private async Task<TestDatabase> OpenAsync()
    {
        var db = await cluster.CreateDatabaseAsync(options => options.DataApi.Schemas = "stall");
        await ExecuteAsync(db, Sql);
        return db;
    }

    private async Task ExecuteAsync(TestDatabase db, string sql)
    {
        await using var connection = new NpgsqlConnection(cluster.SuperuserConnectionStringOf(new NpgsqlConnectionStringBuilder(db.ConnectionString).Database!));
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
