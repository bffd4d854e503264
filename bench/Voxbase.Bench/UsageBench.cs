using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using Npgsql;

namespace Voxbase.Bench;

/// <summary>
/// Statistics of a month, the more conversations the month has. Rows and rollups are made by SQL, as folding a million conversations one
/// by one would take an hour; before that, the rollups of some conversations are compared with what the server folds of them.
/// </summary>
internal static class UsageBench
{
    private const int Questions = 200;
    private const int Compared = 500;
    private const int Chunk = 50_000;
    private const double BoundMs = 20;
    private const string Period = "from=2026-05-01&to=2026-06-01";

    // 1,000 users, 31 days, one turn and three charges a conversation, whatever the size: only how many there are changes.
    private const string Made =
        """
        select i,
          (lpad(to_hex(1777593600000 + i::bigint * 2), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0'))::uuid as id,
          ('00000000-0000-7000-8000-' || lpad((1 + i % 1000)::text, 12, '0'))::uuid as user_id,
          '2026-05-01Z'::timestamptz + make_interval(days => i % 31, secs => i % 86400) as at,
          (array['realtime', 'call'])[1 + i % 2] as kind,
          (array['gpt-realtime', 'gpt-realtime-mini', 'gpt-realtime-2.1'])[1 + i / 7 % 3] as model,
          1000 + i % 700 as input, 200 + i % 90 as output, 100 + i % 333 as quantity,
          (300 * exp((i::bigint * 7919 % 1000) / 400::double precision))::integer as answered_ms
        from generate_series($1::integer, $2::integer) i
        """;

    // Triggers are off: a million conversations are to be there, not to be measured.
    private const string MakeRows =
        $"""
        with made as materialized ({Made}), conversations as (
          insert into vox.conversations (
            id, user_id, kind, status, started_at, connected_at, ended_at, duration_seconds, llm_provider, llm_model, turn_count, last_sequence, usage_stale)
          select id, user_id, kind::vox.conversation_kind, 'completed', at, at, at + interval '3 min', 180, 'openai', model, 1, 1, $3::boolean from made
        ), turns as (
          insert into vox.turns (
            conversation_id, id, sequence_number, user_id, role, started_at, provider, model, input_tokens, output_tokens, end_to_end_ms)
          select id, id, 1, user_id, 'assistant', at, 'openai', model, input, output, answered_ms from made
        )
        insert into vox.charges (conversation_id, id, user_id, turn_id, stage, meter, provider, model, quantity, unit_price_usd, per, charged_at)
        select id, ('00000000-0000-7000-8' || x.n || '00-' || lpad(to_hex(i), 12, '0'))::uuid, user_id, id, 'llm', x.meter, 'openai', model, quantity, 4, 1000000, at
        from made
        cross join (values (1, 'llm.input.text'), (2, 'llm.input.audio'), (3, 'llm.output.audio')) x(n, meter)
        """;

    // What folding them comes to: cells of users and days first, everything else from those.
    private const string MakeRollups =
        $"""
        with cells as materialized (
          select m.user_id as scope, (m.at at time zone 'UTC')::date as period, m.kind, m.model,
            ceil(ln(m.answered_ms::double precision) / ln(1.04::double precision))::smallint as bucket,
            count(*) as count, sum(m.input) as input, sum(m.output) as output, sum(m.quantity) as quantity,
            sum(m.quantity::numeric * 4 / 1000000) as usd, sum(m.answered_ms) as ms
          from ({Made}) m
          group by 1, 2, 3, 4, 5
        ), days as materialized (
          select c.scope, c.period, d.dimension, d.key, d.provider, c.bucket,
            sum(c.count) as count, sum(c.input) as input, sum(c.output) as output, sum(c.quantity) as quantity, sum(c.usd) as usd, sum(c.ms) as ms
          from cells c
          cross join lateral (values ('total', '', ''), ('kind', c.kind, ''), ('model', c.model, 'openai'), ('stage', 'llm', '')) d(dimension, key, provider)
          group by 1, 2, 3, 4, 5, 6
        ), scopes as materialized (
          select * from days
          union all
          select 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid, period, dimension, key, provider, bucket,
            sum(count), sum(input), sum(output), sum(quantity), sum(usd), sum(ms)
          from days
          group by 2, 3, 4, 5, 6
        ), periods as (
          select false as by_month, * from scopes
          union all
          select true, scope, '2026-05-01'::date, dimension, key, provider, bucket, sum(count), sum(input), sum(output), sum(quantity), sum(usd), sum(ms)
          from scopes
          group by scope, dimension, key, provider, bucket
        ), rows as (
          select scope, dimension, by_month, period, key, provider, dimension in ('total', 'kind') as is_whole, dimension <> 'stage' as is_timed,
            sum(count) as count, sum(input) as input, sum(output) as output, sum(quantity) as quantity, sum(usd) as usd, sum(ms) as ms,
            array_agg(bucket order by bucket) as buckets, array_agg(count::bigint order by bucket) as counts
          from periods
          group by 1, 2, 3, 4, 5, 6
        )
        insert into vox.usage_rollups (
          scope, dimension, by_month, period, key, provider, conversations, completed, duration_seconds, completed_seconds, turns, input_tokens,
          output_tokens, charges, cost_usd, meters, meter_quantities, meter_unpriced, latency_count, latency_ms, latency_buckets, latency_counts)
        select scope, dimension, by_month, period, key, provider, count, count * is_whole::integer, count * 180, count * 180 * is_whole::integer,
          count * is_whole::integer, input, output, count * 3, usd * 3, array['llm.input.audio', 'llm.input.text', 'llm.output.audio'],
          array[quantity, quantity, quantity], array[0, 0, 0], count * is_timed::integer, ms * is_timed::integer,
          case when is_timed then buckets else array[]::smallint[] end, case when is_timed then counts else array[]::bigint[] end
        from rows
        """;

    private const string Rollups =
        """
        select md5(coalesce(string_agg(
          (to_jsonb(r) || jsonb_build_object('meter_quantities', array(select trim_scale(q) from unnest(r.meter_quantities) with ordinality u(q, n) order by n)))::text,
          chr(10) order by scope, dimension, by_month, period, key, provider), ''))
        from vox.usage_rollups r
        """;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchEnvironment environment, int rounds)
    {
        var sizes = (Environment.GetEnvironmentVariable("VOXBASE_BENCH_CONVERSATIONS") ?? "10000,100000,1000000")
            .Split(',').Select(size => int.Parse(size, CultureInfo.InvariantCulture)).Order().ToList();
        await CompareAsync(environment);
        var secret = Convert.ToBase64String(RandomNumberGenerator.GetBytes(48));
        using var tokens = new Tokens(new TokensOptions { Secret = secret }, TimeProvider.System);
        using var server = HttpBench.Start(environment.Database.ConnectionString, secret);
        try
        {
            var address = new Uri($"http://127.0.0.1:{await HttpBench.PortAsync(server)}");
            using var admin = Client(address, tokens.Mint(Caller.ServiceRole, null, null, TimeSpan.FromHours(6)));
            using var user = Client(address, tokens.Mint(Caller.UserRole, new Guid("00000000-0000-7000-8000-000000000007"), null, TimeSpan.FromHours(6)));
            (string Name, Func<Task> Ask)[] questions =
            [
                ("a month of everyone by day", () => GetAsync(admin, $"/v1/usage?everyone=true&{Period}&by=day")),
                ("of everyone by model", () => GetAsync(admin, $"/v1/usage?everyone=true&{Period}&by=model")),
                ("of everyone, one row", () => GetAsync(admin, $"/v1/usage?everyone=true&{Period}&by=total")),
                ("one's own by day", () => GetAsync(user, $"/v1/usage?{Period}&by=day")),
            ];
            var figures = new List<Figure>();
            var smallest = new List<double>[questions.Length];
            var made = 0;
            foreach (var size in sizes)
            {
                for (; made < size; made = Math.Min(made + Chunk, size))
                {
                    await MakeAsync(environment, MakeRows, made, Math.Min(made + Chunk, size) - 1, false);
                    await Console.Error.WriteAsync(FormattableString.Invariant($"\r{Math.Min(made + Chunk, size):N0} conversations of {sizes[^1]:N0} "));
                }

                await Console.Error.WriteLineAsync();
                await MakeRollupsAsync(environment, size);
                await environment.ExecuteAsync("vacuum analyze vox.usage_rollups, vox.conversations");
                var name = size.ToString("N0", CultureInfo.InvariantCulture);
                for (var i = 0; i < questions.Length; i++)
                {
                    // At first until the server's runtime has compiled anew what is hot.
                    await TimesAsync(size == sizes[0] ? Questions : 20, questions[i].Ask);
                    var (p50, p95) = (new List<double>(), new List<double>());
                    for (var round = 0; round < rounds; round++)
                    {
                        var times = (await TimesAsync(Questions, questions[i].Ask)).Order().ToList();
                        p50.Add(times[times.Count / 2]);
                        p95.Add(times[(int)Math.Ceiling(times.Count * 0.95) - 1]);
                    }

                    smallest[i] ??= p50;
                    figures.Add(Figure.Of("usage", $"{questions[i].Name}, {name} conversations, p95", "ms", [.. p95.Select(ms => (ms, BoundMs))], "bound", 1, atLeast: false));
                    figures.Add(Figure.Of("usage", $"{questions[i].Name}, {name} conversations, p50", "ms", [.. p50.Zip(smallest[i])], $"of {sizes[0].ToString("N0", CultureInfo.InvariantCulture)}", size == sizes[0] || i == questions.Length - 1 ? null : 1.5, atLeast: false));
                }
            }

            return figures;
        }
        finally
        {
            server.Kill();
            await server.WaitForExitAsync();
        }
    }

    // Some conversations as the server folds them, and then as they are made here.
    private static async Task CompareAsync(BenchEnvironment environment)
    {
        await environment.ExecuteAsync(
            """
            insert into vox.users (id, email)
            select ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 'bench-' || i || '@example.org' from generate_series(1, 1000) i
            """);
        await MakeAsync(environment, MakeRows, 0, Compared - 1, true);
        await environment.Database.UsageFold.RunOnceAsync();
        var folded = await RollupsAsync();
        await MakeRollupsAsync(environment, Compared);
        if (await RollupsAsync() != folded)
            throw new InvalidOperationException("The rollups that are made are not those that folding comes to.");
        await environment.ExecuteAsync("truncate vox.usage_rollups, vox.usage_folds; truncate vox.turns, vox.charges, vox.conversations cascade");

        async Task<string> RollupsAsync()
        {
            await using var command = environment.Raw.CreateCommand(Rollups);
            return (string)(await command.ExecuteScalarAsync())!;
        }
    }

    private static async Task MakeRollupsAsync(BenchEnvironment environment, int count)
    {
        await environment.ExecuteAsync("truncate vox.usage_rollups");
        await MakeAsync(environment, MakeRollups, 0, count - 1);
    }

    private static async Task MakeAsync(BenchEnvironment environment, string sql, params object[] parameters)
    {
        await using var connection = await environment.Raw.OpenConnectionAsync();
        await RunAsync("set session_replication_role = replica; set work_mem = '1GB'");
        await RunAsync(sql, parameters);
        await RunAsync("set session_replication_role = default; reset work_mem");

        async Task RunAsync(string text, params object[] values)
        {
            await using var command = new NpgsqlCommand(text, connection) { CommandTimeout = 0 };
            foreach (var value in values)
                command.Parameters.Add(new NpgsqlParameter { Value = value });
            await command.ExecuteNonQueryAsync();
        }
    }

    private static HttpClient Client(Uri address, string token) => new()
    {
        BaseAddress = address,
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) },
    };

    private static async Task GetAsync(HttpClient http, string path) =>
        (await http.GetAsync(new Uri(path, UriKind.Relative))).EnsureSuccessStatusCode();

    private static async Task<List<double>> TimesAsync(int count, Func<Task> work)
    {
        var times = new List<double>(count);
        for (var i = 0; i < count; i++)
        {
            var started = Stopwatch.GetTimestamp();
            await work();
            times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
        }

        return times;
    }
}
