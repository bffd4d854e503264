using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;

namespace Voxbase.Bench;

/// <summary>Statistics of a month, the more conversations the month has. The rows are made by SQL and folded as the server folds them.</summary>
internal static class UsageBench
{
    private const int Questions = 200;
    private const double BoundMs = 20;

    // 1,000 users, 31 days, one turn of latency and three charges a conversation. Triggers are off while rows are made: a million
    // conversations are to be there, not to be measured.
    private static string Generate(int first, int last) =>
        $"""
        set session_replication_role = replica;
        insert into vox.users (id, email)
        select ('00000000-0000-7000-8000-' || lpad(i::text, 12, '0'))::uuid, 'bench-' || i || '@example.org' from generate_series(1, 1000) i
        on conflict do nothing;
        with made as (
          select vox.uuid_v7() as id, ('00000000-0000-7000-8000-' || lpad((1 + i % 1000)::text, 12, '0'))::uuid as user_id, i,
            '2026-05-01'::timestamptz + make_interval(secs => i % (31 * 86400)) as at
          from generate_series({first}, {last}) i
        ), conversations as (
          insert into vox.conversations (id, user_id, kind, status, started_at, connected_at, ended_at, duration_seconds, llm_provider, llm_model, turn_count, last_sequence)
          select id, user_id, (array['realtime', 'call']::vox.conversation_kind[])[1 + i % 2], 'completed', at, at, at + interval '3 min', 180, 'openai',
            (array['gpt-realtime', 'gpt-realtime-mini', 'gpt-realtime-2.1'])[1 + i % 3], 1, 1
          from made
        ), turns as (
          insert into vox.turns (conversation_id, id, sequence_number, user_id, role, started_at, provider, model, input_tokens, output_tokens, end_to_end_ms, llm_first_token_ms)
          select id, id, 1, user_id, 'assistant', at, 'openai', (array['gpt-realtime', 'gpt-realtime-mini', 'gpt-realtime-2.1'])[1 + i % 3],
            1000 + i % 700, 200 + i % 90, (300 * exp((i * 7919 % 1000) / 400.0))::integer, (100 * exp((i * 104729 % 1000) / 400.0))::integer
          from made
        )
        insert into vox.charges (conversation_id, id, user_id, turn_id, stage, meter, provider, model, quantity, unit_price_usd, per, charged_at)
        select m.id, vox.uuid_v7(), m.user_id, m.id, 'llm', x.meter, 'openai', (array['gpt-realtime', 'gpt-realtime-mini', 'gpt-realtime-2.1'])[1 + i % 3],
          100 + i % 333, 4, 1000000, at
        from made m
        cross join (values ('llm.input.text'), ('llm.input.audio'), ('llm.output.audio')) x(meter);
        set session_replication_role = default;
        """;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchEnvironment environment, int rounds)
    {
        var sizes = (Environment.GetEnvironmentVariable("VOXBASE_BENCH_CONVERSATIONS") ?? "10000,100000,1000000")
            .Split(',').Select(size => int.Parse(size, CultureInfo.InvariantCulture)).Order().ToList();
        var secret = Convert.ToBase64String(RandomNumberGenerator.GetBytes(48));
        using var tokens = new Tokens(new TokensOptions { Secret = secret }, TimeProvider.System);
        using var server = HttpBench.Start(environment.Database.ConnectionString, secret);
        try
        {
            using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{await HttpBench.PortAsync(server)}") };
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", tokens.Mint(Caller.ServiceRole, null, null, TimeSpan.FromHours(6)));
            var figures = new List<Figure>();
            var (made, smallest) = (0, new List<double>());
            foreach (var size in sizes)
            {
                for (; made < size; made += Math.Min(20_000, size - made))
                {
                    await environment.ExecuteAsync(Generate(made, Math.Min(made + 20_000, size) - 1));
                    await environment.Database.UsageFold.RunOnceAsync();
                }

                await environment.ExecuteAsync("vacuum analyze vox.usage_rollups, vox.conversations");
                var (library, overHttp) = (new List<double>(), new List<double>());
                var query = new UsageQuery { Everyone = true, From = new DateOnly(2026, 5, 1), To = new DateOnly(2026, 6, 1), By = UsageBy.Day };
                Func<Task> ask = () => environment.Database.Usage.ReadAsync(Caller.Service, query);
                Func<Task> get = async () => (await http.GetAsync(new Uri("/v1/usage?everyone=true&from=2026-05-01&to=2026-06-01&by=day", UriKind.Relative))).EnsureSuccessStatusCode();
                await TimesAsync(20, ask);
                await TimesAsync(20, get);
                for (var round = 0; round < rounds; round++)
                {
                    library.Add(P95(await TimesAsync(Questions, ask)));
                    overHttp.Add(P95(await TimesAsync(Questions, get)));
                }

                if (smallest.Count == 0)
                    smallest = library;
                var name = size.ToString("N0", CultureInfo.InvariantCulture);
                figures.Add(Figure.Of("usage", $"a month by day of {name} conversations, p95", "ms", [.. library.Select(ms => (ms, BoundMs))], "bound", 1, atLeast: false));
                figures.Add(Figure.Of("usage", $"the same over HTTP, {name} conversations", "ms", [.. overHttp.Select(ms => (ms, BoundMs))], "bound", 1, atLeast: false));
                if (size == sizes[^1] && sizes.Count > 1)
                {
                    var first = sizes[0].ToString("N0", CultureInfo.InvariantCulture);
                    figures.Add(Figure.Of("usage", $"{name} conversations, against {first}", "ms", [.. library.Zip(smallest)], $"{first} conversations", 2, atLeast: false));
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

    private static double P95(List<double> times) => times.Order().ElementAt((int)Math.Ceiling(times.Count * 0.95) - 1);

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
