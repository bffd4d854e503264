using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Npgsql;
using Voxbase.DataApi;
using Voxbase.Testing;

namespace Voxbase.Tests.DataApi;

/// <summary>
/// Queries and bodies made by the grammar of the dialect, and then damaged. <c>VOXBASE_FUZZ</c> says how many; each is planned and written,
/// and every twentieth, in a campaign (more than 100,000) every one, is answered by the database as well.
/// </summary>
/// <remarks>
/// What hangs is ended, by the role's <c>statement_timeout</c> or the request's own limit; a campaign also takes the time of each request. Either
/// may be the machine's doing, so what was ended, and in a campaign what took more than a second, is asked again alone, nine times: a fault
/// if most of these were too long as well.
/// </remarks>
public sealed partial class FuzzTests(TestCluster cluster)
{
    // Stands in every value and nowhere else, so that it shows where a value went.
    private const string Marker = "zq9v";

    private const string Sql =
        """
        create schema garden;
        create domain garden.hue as int;
        create function garden.hue_of(text) returns garden.hue language sql immutable as $$ select length($1) $$;
        create function garden.hue_of(json) returns garden.hue language sql immutable as $$ select length($1 #>> '{}') $$;
        create function garden.hue_to(garden.hue) returns json language sql immutable as $$ select to_json('hue ' || $1) $$;
        create cast (garden.hue as json) with function garden.hue_to(garden.hue) as implicit;
        create cast (json as garden.hue) with function garden.hue_of(json) as implicit;
        create cast (text as garden.hue) with function garden.hue_of(text) as implicit;
        create table garden.beds (id int primary key, "odd name" text, tags text[], spec jsonb, size numeric, span int4range, words tsvector, sown timestamptz default now(), hue garden.hue default 3);
        create table garden.plants (id int primary key, bed_id int references garden.beds, kind text not null default 'rose', parent_id int references garden.plants);
        create table garden.visits (bed_id int references garden.beds, plant_id int references garden.plants, primary key (bed_id, plant_id));
        create view garden.big_beds as select * from garden.beds where size > 1;
        create function garden.find(word text, most int default 3) returns setof garden.plants language sql stable as $$ select * from garden.plants where kind like word limit most $$;
        create function garden.size_of(bed garden.beds) returns numeric language sql stable as $$ select ($1).size $$;
        create function garden.sum_up(numbers int[]) returns bigint language sql immutable as $$ select sum(n) from unnest(numbers) n $$;
        create domain garden."text/list" as text;
        create function garden.listed(text, anyelement) returns garden."text/list" language sql immutable as $$ select ($1 || $2::text)::garden."text/list" $$;
        create aggregate garden.list_of (anyelement) (sfunc = garden.listed, stype = garden."text/list", initcond = '');
        insert into garden.beds select i, 'bed ' || i, array['a', 'b'], '{"k": [1, {"j": 2}]}', i, int4range(i, i + 5), to_tsvector('simple', 'red green') from generate_series(1, 20) i;
        insert into garden.plants select i, 1 + i % 20, 'kind ' || i, case when i > 1 then 1 end from generate_series(1, 60) i;
        insert into garden.visits select 1 + i % 20, i from generate_series(1, 60) i;
        grant usage on schema garden to anon, authenticated, service_role;
        grant all on all tables in schema garden to anon, authenticated, service_role;
        alter role service_role in database {database} set statement_timeout = '20s';
        analyze;
        """;

    private static readonly string[] Beds = ["id", "\"odd name\"", "tags", "spec", "size", "span", "words", "sown", "hue", "id", "size"];
    private static readonly string[] Plants = ["id", "bed_id", "kind", "parent_id"];
    private static readonly string[] Visits = ["bed_id", "plant_id"];
    private static readonly string[] Operators =
    [
        "eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch", "in", "is", "isdistinct", "cs", "cd", "ov", "sl", "sr", "nxr", "nxl", "adj",
        "fts", "plfts", "phfts(simple)", "wfts", "eq(any)", "like(all)", "eq", "lt", "gt", "xx",
    ];

    private const string QueryCanceled = "57014";
    private const int Campaign = 100_000;
    private const int Repetitions = 9;

    private static readonly TimeSpan Slow = TimeSpan.FromSeconds(1);

    // Generous: a machine may be busy. What hangs is found all the same.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    // No request of its own takes as long as one that was ended.
    private static readonly TimeSpan Ended = TimeSpan.MaxValue - TimeSpan.FromTicks(1);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task No_request_breaks_the_server_or_gets_a_value_into_a_statement()
    {
        var count = int.Parse(Environment.GetEnvironmentVariable("VOXBASE_FUZZ") ?? "20000", CultureInfo.InvariantCulture);
        var seed = int.Parse(Environment.GetEnvironmentVariable("VOXBASE_FUZZ_SEED") ?? "7", CultureInfo.InvariantCulture);
        await using var db = await cluster.CreateDatabaseAsync(options =>
        {
            options.DataApi.Schemas = "garden";
            options.DataApi.Aggregates = true;
            options.DataApi.Plans = true;
            options.DataApi.MayRollBack = true;
        });
        var database = new NpgsqlConnectionStringBuilder(db.ConnectionString).Database!;
        await using (var connection = new NpgsqlConnection(cluster.SuperuserConnectionStringOf(database)))
        {
            await connection.OpenAsync(Cancel);
            await using var command = new NpgsqlCommand(Sql.Replace("{database}", database, StringComparison.Ordinal), connection);
            await command.ExecuteNonQueryAsync(Cancel);
        }

        using var caches = new SchemaCaches(db.Database, db.Options);
        var api = new RestApi(db.Database, caches);
        var cache = await caches.GetAsync(Cancel);
        var random = new Random(seed);
        var (faults, planned, answered) = (new List<string>(), 0, 0);
        var (slow, longest) = (new List<ApiRequest>(), TimeSpan.Zero);
        for (var i = 0; i < count && faults.Count < 10; i++)
        {
            var request = Make(random);
            var shown = Shown(request);
            try
            {
                var preferences = Preferences.Parse(request.Prefer, mayChooseEnd: true);
                var (plan, payload) = Planner.Plan(request, cache, "garden", preferences);
                var text = StatementWriter.Write(plan, payload, cache, preferences).ToString();
                planned++;
                // Names that a client gives to its columns stand in quotes; nothing else of it may stand anywhere.
                if (Quoted().Replace(text, "").Contains(Marker, StringComparison.OrdinalIgnoreCase))
                    faults.Add($"a value in a statement: {text} of {shown}");
                // Twice, so that the second comes from what the first left behind.
                for (var time = 0; time < 2; time++)
                {
                    if (PlanCacheTests.Told(RestApi.Planned(request, Caller.ServiceRole, cache, "garden")) != PlanCacheTests.Told(RestApi.Plan(request, Caller.ServiceRole, cache, "garden")))
                        faults.Add($"another request's plan: {shown}");
                }
            }
            catch (ApiException e) when (e.Status < 500)
            {
            }
            catch (Exception e)
            {
                faults.Add($"{e} of {shown}");
            }

            if (i % 20 != 0 && count <= Campaign)
                continue;
            var (took, isAnswered) = await AnswerAsync(api, request, faults);
            answered += isAnswered ? 1 : 0;
            longest = took > longest && took <= Ended ? took : longest;
            if (took > (count > Campaign ? Slow : Ended))
                slow.Add(request);
        }

        foreach (var request in slow)
            await AgainAsync(api, request, count > Campaign ? Slow : Ended, faults);
        TestContext.Current.SendDiagnosticMessage(
            "{0} requests, {1} planned, {2} answered and the others refused; the longest took {3:F0} ms, {4} were asked again alone; {5} faults",
            count, planned, answered, longest.TotalMilliseconds, slow.Count, faults.Count);
        faults.ShouldBeEmpty();
        // Most of what the grammar makes is answered: the rest would be tested for nothing.
        planned.ShouldBeGreaterThan(count / 10);
        answered.ShouldBeGreaterThan(0);
    }

    private static async Task<(TimeSpan Took, bool IsAnswered)> AnswerAsync(RestApi api, ApiRequest request, List<string> faults)
    {
        var start = Stopwatch.GetTimestamp();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        limit.CancelAfter(Limit);
        try
        {
            await api.AnswerAsync(request, Caller.Service, static (_, _) => Task.CompletedTask, limit.Token);
            return (Stopwatch.GetElapsedTime(start), true);
        }
        catch (ApiException e) when (e.Status < 500)
        {
            return (Stopwatch.GetElapsedTime(start), false);
        }
        catch (Exception e) when (e is ApiException { Code: QueryCanceled } or OperationCanceledException && !Cancel.IsCancellationRequested)
        {
            return (TimeSpan.MaxValue, false);
        }
        catch (Exception e)
        {
            faults.Add($"{(e as ApiException)?.Code} {e.Message} of {Shown(request)}");
            return (TimeSpan.Zero, false);
        }
    }

    private static async Task AgainAsync(RestApi api, ApiRequest request, TimeSpan most, List<string> faults)
    {
        var times = new List<TimeSpan>(Repetitions);
        for (var i = 0; i < Repetitions; i++)
            times.Add((await AnswerAsync(api, request, faults)).Took);
        times.Sort();
        if (times[Repetitions / 2] > most)
            faults.Add($"too long, alone as well ({string.Join(", ", times.Select(time => time == TimeSpan.MaxValue ? "ended" : $"{time.TotalMilliseconds:F0} ms"))}): {Shown(request)}");
    }

    private static string Shown(ApiRequest request) =>
        $"{request.Method} {string.Join('/', request.Path)}?{request.Query} {Encoding.UTF8.GetString(request.Body.Span)} Accept: {request.Accept} Prefer: {string.Join(", ", request.Prefer)}";

    private static ApiRequest Make(Random random)
    {
        var method = Pick(random, "GET", "GET", "GET", "GET", "HEAD", "POST", "PATCH", "DELETE", "PUT");
        var isCall = method is "GET" or "POST" && random.Next(6) == 0;
        var path = isCall ? Pick(random, "find", "find", "sum_up", "size_of", "nope") : Pick(random, "beds", "beds", "plants", "plants", "visits", "big_beds");
        if (random.Next(30) == 0)
            path = "nope";
        var query = Query(random, isCall && method == "GET", path);
        if (random.Next(3) == 0)
            query = Damage(random, query);
        var body = method is "POST" or "PATCH" or "PUT" ? Body(random, isCall) : "";
        if (random.Next(5) == 0)
            body = Damage(random, body);
        return new ApiRequest
        {
            Method = method,
            Path = isCall ? ["rpc", path] : [path],
            FullPath = "/rest/v1/x",
            Query = query,
            Accept = Pick(random, null, "application/json", "text/csv", "application/vnd.pgrst.object+json", "application/vnd.pgrst.array+json;nulls=stripped", "application/vnd.pgrst.plan+json", "text/list"),
            // Nothing stays: each is asked on the same ground.
            Prefer = ["tx=rollback, " + Pick(random, "count=exact", "count=planned", "count=estimated", "return=representation", "resolution=merge-duplicates, return=representation", "missing=default", "handling=strict, max-affected=1", "return=headers-only")],
            ContentType = Pick(random, "application/json", "application/json", "application/json", "text/csv", "application/x-www-form-urlencoded"),
            Body = Encoding.UTF8.GetBytes(body),
        };
    }

    private static string Query(Random random, bool isCallByGet, string table)
    {
        var parts = new List<string>();
        if (isCallByGet)
            parts.Add(Pick(random, $"word={Value(random)}", "numbers={1,2}", $"word=%25&most={random.Next(9)}"));
        if (random.Next(2) == 0)
            parts.Add("select=" + Uri.EscapeDataString(Items(random, table, 0)));
        for (var i = random.Next(3); i > 0; i--)
            parts.Add($"{Uri.EscapeDataString(Path(random, table) + Column(random, table) + Arrow(random))}={Uri.EscapeDataString(Operation(random, inTree: false))}");
        if (random.Next(4) == 0)
            parts.Add($"{Path(random, table)}{Pick(random, "or", "and", "not.or", "not.and")}={Uri.EscapeDataString(Tree(random, table, 0))}");
        if (random.Next(4) == 0)
            parts.Add($"{Path(random, table)}order={Uri.EscapeDataString(Column(random, table) + Arrow(random) + Pick(random, "", ".asc", ".desc.nullslast", ".nullsfirst"))}");
        if (random.Next(6) == 0)
            parts.Add($"order={Related(random, table)}({Column(random, table)}).desc");
        if (random.Next(3) == 0)
            parts.Add($"{Path(random, table)}limit={random.Next(-1, 5)}&{Path(random, table)}offset={random.Next(-1, 30)}");
        if (random.Next(10) == 0)
            parts.Add("columns=id,kind");
        if (random.Next(10) == 0)
            parts.Add("on_conflict=" + Pick(random, "id", "bed_id,plant_id", "nope"));
        return string.Join('&', parts);
    }

    private static string Items(Random random, string table, int depth)
    {
        var related = Related(random, table);
        var items = Enumerable.Range(0, random.Next(1, 4)).Select(_ => random.Next(depth > 2 ? 6 : 9) switch
        {
            0 => "*",
            1 => "count()",
            2 => Column(random, table) + Pick(random, ".sum()", ".avg()::int", ".max()", ".count()"),
            3 => $"al{random.Next(3)}:{Column(random, table)}{Arrow(random)}",
            4 => Column(random, table) + "::" + Pick(random, "text", "int", "nope", "double precision"),
            5 => Column(random, table) + Arrow(random),
            var n => $"{(n == 6 ? "..." : n == 7 ? $"e{random.Next(2)}:" : "")}{related}{Pick(random, "", "", "", "!inner", "!left", "!bed_id", "!visits")}({(random.Next(5) == 0 ? "" : Items(random, related, depth + 1))})",
        });
        return string.Join(',', items);
    }

    private static string Tree(Random random, string table, int depth) =>
        "(" + string.Join(',', Enumerable.Range(0, random.Next(1, 4)).Select(_ => depth < 3 && random.Next(4) == 0
            ? Pick(random, "or", "and", "not.and") + Tree(random, table, depth + 1)
            : $"{Column(random, table)}{Arrow(random)}.{Operation(random, inTree: true)}")) + ")";

    private static string Operation(Random random, bool inTree)
    {
        var op = Pick(random, Operators);
        var value = op switch
        {
            "in" => $"({Value(random)},\"{Value(random)}\")",
            "is" => Pick(random, "null", "NOT_NULL", "true", "unknown", "nope"),
            "eq(any)" or "like(all)" or "cs" or "ov" => $"{{{Value(random)},{random.Next(5)}}}",
            _ => Value(random),
        };
        return (random.Next(5) == 0 ? "not." : "") + op + "." + (inTree && random.Next(3) == 0 && op is "eq" or "neq" ? $"\"{value}\"" : value);
    }

    private static string Value(Random random) => Marker + Pick(random, "", "%", "1", " & ", "'", "\\", "--", "😀", "[1,3)", "$1", "*");

    // Now and then one that is not there.
    private static string Column(Random random, string table) => random.Next(25) == 0 ? Pick(random, "nope", "size_of") : table switch
    {
        "plants" or "find" or "parent_id" => Pick(random, Plants),
        "visits" => Pick(random, Visits),
        _ => Pick(random, Beds),
    };

    private static string Related(Random random, string table) => random.Next(25) == 0 ? Pick(random, "nope", "plants_bed_id_fkey") : table switch
    {
        "plants" or "find" or "parent_id" => Pick(random, "beds", "visits", "parent_id", "bed_id", "big_beds"),
        "visits" => Pick(random, "beds", "plants"),
        _ => Pick(random, "plants", "visits"),
    };

    private static string Arrow(Random random) => random.Next(8) == 0 ? Pick(random, "->k", "->>k", "->0", "->k->1->>j", "->-1", $"->>{Marker}", "->\"a b\"") : "";

    private static string Path(Random random, string table) => random.Next(8) == 0 ? Related(random, table) + "." : "";

    private static string Body(Random random, bool isCall) => isCall
        ? Pick(random, $$"""{"word":"{{Marker}}"}""", """{"numbers":[1,2]}""", """{"bed":{"id":1}}""", "{}", "[1]", "")
        : Pick(random,
            $$"""{"id":{{random.Next(100)}},"kind":"{{Marker}}"}""", $$"""[{"id":{{random.Next(100)}}},{"id":{{random.Next(100)}}}]""", """{"id":1,"tags":["x"],"spec":{"a":null}}""",
            "{}", "[]", "[{},{}]", """{"nope":1}""", $$"""{"size":"{{Marker}}"}""", $$"""{"id":{{random.Next(100)}},"hue":"{{Marker}}"}""", "id,kind\n500,a\n", """{"bed_id":1,"plant_id":2}""", "null", "", """{"span":"[1,2)","id":7}""");

    private static string Damage(Random random, string text)
    {
        var damaged = new StringBuilder(text);
        for (var i = random.Next(1, 4); i > 0; i--)
        {
            var place = random.Next(damaged.Length + 1);
            switch (random.Next(4))
            {
                case 0 when damaged.Length > 0:
                    damaged.Remove(Math.Min(place, damaged.Length - 1), 1);
                    break;
                case 1:
                    damaged.Insert(place, Pick(random, "(", ")", ",", ".", "\"", "'", "%22", "%00", "%", "{", "}", "->", "::", "!", "*", "&", "=", "\u0000", "%F0%9F", "é", "not.", "and", ";--"));
                    break;
                case 2:
                    damaged.Insert(place, text.AsSpan(0, Math.Min(text.Length, random.Next(40))));
                    break;
                default:
                    damaged.Insert(place, new string(Pick(random, "(", "a", "[", "{", "\"")[0], random.Next(1, 80)));
                    break;
            }
        }

        return damaged.ToString();
    }

    private static T Pick<T>(Random random, params T[] of) => of[random.Next(of.Length)];

    [GeneratedRegex("\"(?:[^\"]|\"\")*\"")]
    private static partial Regex Quoted();
}
