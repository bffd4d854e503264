using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Npgsql;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Spending;

[SuppressMessage("Security", "CA5394", Justification = "A seed that can be repeated.")]
public sealed class UsageTests(TestCluster cluster)
{
    private static readonly DateTimeOffset Now = new(2026, 5, 20, 12, 0, 0, TimeSpan.Zero);

    // What the rollups must say, from the rows and nothing else: no parts, no folds, no buckets.
    private const string RecountText =
        """
        with c as (
          select *, (started_at at time zone 'UTC')::date as day from vox.conversations where ($1::uuid is null or user_id = $1) and ($4::text is null or kind::text = $4)
        ), t as (
          select t.*, coalesce((t.started_at at time zone 'UTC')::date, c.day) as day from vox.turns t join c on c.id = t.conversation_id
        ), e as (
          select e.*, (e.at at time zone 'UTC')::date as day from vox.usage_events e join c on c.id = e.conversation_id where e.turn_id is null
        ), x as (
          select x.*, (x.charged_at at time zone 'UTC')::date as day from vox.charges x join c on c.id = x.conversation_id
        )
        select jsonb_build_object(
          'conversations', (select count(*) from c where day >= $2 and day < $3),
          'completed', (select count(*) from c where day >= $2 and day < $3 and status = 'completed'),
          'failed', (select count(*) from c where day >= $2 and day < $3 and status = 'failed'),
          'duration', (select coalesce(sum(duration_seconds), 0) from c where day >= $2 and day < $3),
          'turns', (select coalesce(sum(turn_count), 0) from c where day >= $2 and day < $3),
          'input', (select coalesce(sum(input_tokens), 0) from t where day >= $2 and day < $3) + (select coalesce(sum(input_tokens), 0) from e where day >= $2 and day < $3),
          'output', (select coalesce(sum(output_tokens), 0) from t where day >= $2 and day < $3) + (select coalesce(sum(output_tokens), 0) from e where day >= $2 and day < $3),
          'charges', (select count(*) from x where day >= $2 and day < $3 and revision = 0),
          'unpriced', (select count(*) from x where day >= $2 and day < $3 and unit_price_usd is null and revision = 0
            and not exists (select from vox.charges y where y.conversation_id = x.conversation_id and y.corrects = x.id)),
          'cost', (select coalesce(sum(amount_usd), 0) from x where day >= $2 and day < $3)::text,
          'latencies', (select count(end_to_end_ms) from t where day >= $2 and day < $3),
          'p50', (select percentile_disc(0.50) within group (order by end_to_end_ms) from t where day >= $2 and day < $3),
          'p95', (select percentile_disc(0.95) within group (order by end_to_end_ms) from t where day >= $2 and day < $3),
          'p99', (select percentile_disc(0.99) within group (order by end_to_end_ms) from t where day >= $2 and day < $3)
        )::text
        """;

    // Row by row, what the rollups hold and what these parts come to: how many rows are in one of them alone.
    private const string DifferenceText =
        """
        with counted as (
          select to_jsonb(s) as row
          from (
            select array_agg(s.scope) as scopes, array_agg(p.part) as parts
            from ({0}) p
            cross join lateral (values (p.user_id), ('ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)) s(scope)
            where s.scope is not null
          ) p
          cross join lateral vox_private.usage_sums(p.scopes, p.parts) s
        ), kept as (
          select to_jsonb(r) as row from vox.usage_rollups r
          -- What was taken back leaves a row of nothing.
          where (conversations, charges, unpriced, cost_usd, saved_usd, input_tokens, output_tokens, cached_tokens, processing_ms, latency_count, latency_ms)
            <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) or cardinality(meters) + cardinality(latency_buckets) > 0
        )
        select count(*) from ((select row from counted except select row from kept) union all (select row from kept except select row from counted)) d
        """;

    private const string FoldedParts = "select f.user_id, row(k.*)::vox_private.usage_part as part from vox.usage_folds f cross join unnest(f.parts) k";
    private const string CountedParts = "select user_id, part from vox_private.usage_parts(array(select id from vox.conversations))";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    // Writers, late charges, corrections, owners that come later, deletions, folds by three at once, and folds that are cut off.
    [Fact]
    public async Task At_every_moment_the_answer_is_what_counting_the_rows_again_gives()
    {
        await using var db = await cluster.CreateDatabaseAsync(time: new Clock(Now));
        var seed = Environment.TickCount;
        Caller[] users = [await db.NewUserAsync(), await db.NewUserAsync()];
        for (var round = 0; round < 2; round++)
        {
            await Task.WhenAll(
                [
                    .. Enumerable.Range(0, 4).Select(writer => WriteAsync(db, users, new Random(seed + (round * 10) + writer), 25)),
                    FoldAsync(db, 8), FoldAsync(db, 8), CutOffAsync(db), RepriceAsync(db, round),
                ]);
            await ShouldBeExactAsync(db, users, $"round {round}, seed {seed}, something unfolded");
            await db.UsageFold.RunOnceAsync(Cancel);
            await ShouldBeExactAsync(db, users, $"round {round}, seed {seed}, folded");
        }

        // Nothing that goes on stays out for ever: quiet for long enough, it is folded too.
        await db.ExecuteAsync(Caller.Service, "update vox.conversations set status = 'active' where status = 'pending'");
        await using var connection = new NpgsqlConnection(db.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using var fold = new NpgsqlCommand("set role service_role; select vox_private.fold_stale_usage(10000, now() + interval '1 hour')", connection);
        await fold.ExecuteNonQueryAsync(Cancel);
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.conversations where usage_stale")).ShouldBe(0L);
        await ShouldBeExactAsync(db, users, $"seed {seed}, all folded");
        (await DifferenceAsync(db.ConnectionString, CountedParts)).ShouldBe(0, $"seed {seed}, folded bit by bit, and counted at once");
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Groups_say_what_was_used_by_day_month_kind_model_and_stage()
    {
        await using var db = await cluster.CreateDatabaseAsync(time: new Clock(Now));
        var user = await db.NewUserAsync();
        var april = new DateTimeOffset(2026, 4, 30, 23, 59, 0, TimeSpan.Zero);
        var call = await ConversationAsync(db, user, ConversationKind.Call, april, "gpt-realtime");
        await db.Conversations.AppendAsync(
            user, call,
            [
                new NewTurn { Role = TurnRole.User, StartedAt = april, AsrMs = 120 },
                new NewTurn { Role = TurnRole.Assistant, StartedAt = april.AddMinutes(2), Model = "gpt-realtime", InputTokens = 100, OutputTokens = 20, CachedTokens = 40, InputTextTokens = 60, InputAudioTokens = 40, LlmFirstTokenMs = 300, TtsFirstByteMs = 90, EndToEndMs = 800 },
            ],
            Cancel);
        await ChargeAsync(db, call, "llm", Meters.InputAudioCached, 1_000_000, april.AddMinutes(2));
        await ChargeAsync(db, call, "llm", Meters.OutputAudio, 500_000, april.AddMinutes(2));
        await db.Conversations.EndAsync(user, call, "done", endedAt: april.AddMinutes(5), cancellationToken: Cancel);
        var chat = await ConversationAsync(db, user, ConversationKind.Agent, Now, "other-model");
        await db.Conversations.AppendAsync(user, chat, new NewTurn { Role = TurnRole.Assistant, Model = "other-model", InputTokens = 7 }, Cancel);
        await db.UsageFold.RunOnceAsync(Cancel);

        var (from, to) = (new DateOnly(2026, 4, 1), new DateOnly(2026, 6, 1));
        (await KeysAsync(UsageBy.Day)).ShouldBe(["2026-04-30 1 0", "2026-05-01 0 32.400000000", "2026-05-20 1 0"]);
        (await KeysAsync(UsageBy.Month)).ShouldBe(["2026-04 1 0", "2026-05 1 32.400000000"]);
        (await KeysAsync(UsageBy.Kind)).ShouldBe(["agent 1 0", "call 1 32.400000000"]);
        (await KeysAsync(UsageBy.Model)).ShouldBe(["gpt-realtime 1 32.400000000", "other-model 1 0"]);
        (await KeysAsync(UsageBy.Stage)).ShouldBe(["asr 1 0", "llm 1 32.400000000", "tts 1 0"]);
        var total = (await ReadAsync(UsageBy.Total)).Total;
        (total.Conversations, total.Completed, total.DurationSeconds, total.MeanDurationSeconds, total.Turns, total.Charges).ShouldBe((2, 1, 300, 300m, 3, 2));
        total.CostUsd.ShouldBe(32.4m);
        total.CacheSavingsUsd.ShouldBe(31.6m);
        total.Tokens.ShouldBe(new UsageTokens(107, 20, 40, 60, 40, 0, 0, 0, 0, 0));
        total.Meters.ShouldBe(new Dictionary<string, decimal> { [Meters.InputAudioCached] = 1_000_000, [Meters.OutputAudio] = 500_000 }, ignoreOrder: true);
        (total.Latency.Count, total.Latency.MeanMs).ShouldBe((1, 800m));
        total.Latency.P95Ms!.Value.ShouldBeInRange(784, 816);
        var stages = (await ReadAsync(UsageBy.Stage)).Data.ToDictionary(stage => stage.Key!);
        (stages["asr"].Latency.MeanMs, stages["llm"].Latency.MeanMs, stages["tts"].Latency.MeanMs).ShouldBe((120m, 300m, 90m));

        async Task<List<string>> KeysAsync(UsageBy by) => [.. (await ReadAsync(by)).Data.Select(g => $"{g.Key} {g.Conversations} {(g.CostUsd == 0 ? "0" : g.CostUsd)}")];

        Task<UsageReport> ReadAsync(UsageBy by) => db.Usage.ReadAsync(user, new UsageQuery { From = from, To = to, By = by }, Cancel);
    }

    [Fact]
    public async Task Statistics_from_before_they_were_kept_in_rows_and_reservations_are_carried_over()
    {
        var connectionString = await cluster.CreateEmptyDatabaseAsync();
        await using var database = new Database(connectionString);
        await new Migrator(database, [.. new Migrator(database).Migrations.TakeWhile(m => m.Name != "0022_usage_and_reservations")]).ApplyAsync(Cancel);
        // As the superuser, without triggers: rows of users who are nowhere else.
        await using var connection = new NpgsqlConnection(cluster.SuperuserConnectionStringOf(new NpgsqlConnectionStringBuilder(connectionString).Database!));
        await connection.OpenAsync(Cancel);
        await using var make = new NpgsqlCommand(
            """
            create table public.made as
              select vox.uuid_v7() as id, ('00000000-0000-7000-8000-00000000000' || i % 3)::uuid as user_id, '2026-03-25Z'::timestamptz + make_interval(hours => i * 5) as at, i
              from generate_series(1, 60) i;
            grant select on public.made to service_role;
            set session_replication_role = replica;
            insert into vox.conversations (id, user_id, kind, status, started_at, connected_at, ended_at, duration_seconds, llm_provider, llm_model, ai_agent_used)
              select id, nullif(user_id, '00000000-0000-7000-8000-000000000000'), (array['call', 'agent', 'realtime'])[1 + i % 3]::vox.conversation_kind,
                (array['completed', 'failed'])[1 + i % 2]::vox.conversation_status, at, at, at + interval '90 s', 90, 'openai', 'm' || i % 2, i % 4 = 0 from public.made;
            insert into vox.turns (conversation_id, id, sequence_number, role, started_at, provider, model, input_tokens, output_tokens, end_to_end_ms, asr_ms, llm_first_token_ms)
              select id, vox.uuid_v7(), n, 'assistant', at + make_interval(hours => 7 * n), 'openai', 'm' || (i + n) % 3, i * n, i, i * 40 * n, 0, i from public.made cross join generate_series(1, 3) n;
            insert into vox.charges (conversation_id, id, user_id, stage, meter, provider, model, quantity, unit_price_usd, per, charged_at)
              select id, vox.uuid_v7(), nullif(user_id, '00000000-0000-7000-8000-000000000000'), 'llm', 'llm.input.text', 'openai', 'm' || n, i * n, case when n < 3 then n end, 1000, at
              from public.made cross join generate_series(1, 3) n;
            insert into vox.reserved_spend (user_id, reserved_usd) values ('00000000-0000-7000-8000-000000000001', 1);
            set session_replication_role = default;
            """,
            connection);
        await make.ExecuteNonQueryAsync(Cancel);
        var folded = await StatsAsync("set role service_role; select vox_private.fold_usage(array(select id from public.made));");
        await new Migrator(database).ApplyAsync(Cancel);

        (await StatsAsync("set role service_role;")).ShouldBe(folded);
        folded.ShouldContain("\"latency_count\": 180");
        (await DifferenceAsync(connectionString, CountedParts)).ShouldBe(0);
        (await DifferenceAsync(connectionString, FoldedParts)).ShouldBe(0);
        await using var held = new NpgsqlCommand("select reserved_usd::text || ' ' || known_until || ' ' || on_exceed from vox.reserved_spend", connection);
        (await held.ExecuteScalarAsync(Cancel)).ShouldBe("1.000000000 -infinity stop", "what is held stays, under terms to be read anew");

        async Task<string> StatsAsync(string first)
        {
            await using var command = new NpgsqlCommand(
                first + """
                select jsonb_agg(to_jsonb(s) order by u, b, s.key, s.provider)::text as jsonb_agg
                from unnest(array[null, '00000000-0000-7000-8000-000000000001'::uuid, '00000000-0000-7000-8000-000000000002'::uuid]) u
                cross join unnest(array['total', 'day', 'month', 'kind', 'model', 'stage']) b
                cross join lateral vox.usage_stats(u, '2026-03-01', '2026-06-01', b) s;
                reset role;
                """,
                connection);
            await using var rows = await command.ExecuteReaderAsync(Cancel);
            while (rows.GetName(0) != "jsonb_agg")
                await rows.NextResultAsync(Cancel);
            await rows.ReadAsync(Cancel);
            return rows.GetString(0);
        }
    }

    [Fact]
    public async Task Percentiles_are_within_two_percent_of_the_nearest_rank()
    {
        await using var db = await cluster.CreateDatabaseAsync(time: new Clock(Now));
        var user = await db.NewUserAsync();
        var random = new Random(7);
        var conversation = await ConversationAsync(db, user, ConversationKind.Call, Now, "m");
        List<int> values = [.. Enumerable.Range(0, 3_000).Select(_ => (int)Math.Exp(random.NextDouble() * 12)), 0, 0, 1, 2, 3, 120_000, int.MaxValue];
        await db.Conversations.AppendAsync(user, conversation, [.. values.Select(v => new NewTurn { Role = TurnRole.Assistant, EndToEndMs = v })], Cancel);
        values.Sort();
        var latency = (await db.Usage.ReadAsync(user, cancellationToken: Cancel)).Total.Latency;
        latency.Count.ShouldBe(values.Count);
        foreach (var (share, value) in new[] { (0.50, latency.P50Ms), (0.95, latency.P95Ms), (0.99, latency.P99Ms) })
        {
            decimal rank = values[(int)Math.Ceiling(share * values.Count) - 1];
            Math.Abs(value!.Value - rank).ShouldBeLessThanOrEqualTo((rank * 0.02m) + 0.01m);
        }
    }

    [Fact]
    public async Task Nobody_reads_the_statistics_of_others_but_admins_and_they_leave_a_row()
    {
        await using var db = await cluster.CreateDatabaseAsync(time: new Clock(Now));
        var (user, stranger, admin) = (await db.NewUserAsync(), await db.NewUserAsync(), await db.NewUserAsync(isAdmin: true));
        await ConversationAsync(db, user, ConversationKind.Call, Now, "m");
        var folded = await ConversationAsync(db, user, ConversationKind.Call, Now, "m");
        await db.Conversations.EndAsync(user, folded, "done", cancellationToken: Cancel);
        await db.UsageFold.RunOnceAsync(Cancel);

        (await db.Usage.ReadAsync(user, cancellationToken: Cancel)).Total.Conversations.ShouldBe(2);
        (await db.Usage.ReadAsync(stranger, cancellationToken: Cancel)).Total.Conversations.ShouldBe(0);
        foreach (var query in new[] { new UsageQuery { UserId = user.UserId }, new UsageQuery { Everyone = true } })
        {
            (await Should.ThrowAsync<VoxbaseException>(() => db.Usage.ReadAsync(stranger, query, Cancel))).Code.ShouldBe("forbidden");
            (await db.Usage.ReadAsync(admin, query, Cancel)).Total.Conversations.ShouldBe(2);
        }

        (await Should.ThrowAsync<VoxbaseException>(() => db.Usage.ReadAsync(Caller.Anonymous, cancellationToken: Cancel))).Code.ShouldBe("forbidden");
        (await db.Usage.ReadAsync(Caller.Service, cancellationToken: Cancel)).Total.Conversations.ShouldBe(2, "everyone");
        (await db.ScalarAsync(Caller.Service, "select string_agg(resource, ' ') from vox.audit_log where action = 'usage.read' and actor_id = $1", Parameter.Uuid(admin.UserId)))
            .ShouldBe($"users/{user.UserId}");
        (await db.ScalarAsync(user, "select conversations from vox.usage_stats($1, interval '100 years')", Parameter.Uuid(user.UserId))).ShouldBe(2L);
        (await Should.ThrowAsync<VoxbaseException>(() => db.ScalarAsync(user, "select vox_private.fold_usage('{}')"))).Code.ShouldBe("forbidden");
        (await db.ScalarAsync(stranger, "select count(*) from vox.usage_rollups")).ShouldBe(0L);
    }

    [Theory]
    [InlineData("2026-05-01", "2026-05-01", UsageBy.Total)]
    [InlineData("2026-05-02", "2026-05-01", UsageBy.Month)]
    [InlineData("2020-01-01", "2026-05-01", UsageBy.Day)]
    [InlineData("0001-01-01", "2026-05-01", UsageBy.Total)]
    public async Task A_period_that_is_none_is_refused(string from, string to, UsageBy by)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        (await Should.ThrowAsync<VoxbaseException>(() => db.Usage.ReadAsync(
            Caller.Service, new UsageQuery { From = DateOnly.Parse(from, null), To = DateOnly.Parse(to, null), By = by }, Cancel))).Code.ShouldBe("period_invalid");
    }

    [Fact]
    public async Task The_check_finds_models_without_a_price_and_models_that_are_switched_off()
    {
        await using var db = await cluster.CreateDatabaseAsync(time: new Clock(Now));
        var (user, admin) = (await db.NewUserAsync(), await db.NewUserAsync(isAdmin: true));
        (await db.PriceCheck.RunAsync(admin, cancellationToken: Cancel)).ShouldBeEmpty();
        var dying = await ConversationAsync(db, user, ConversationKind.Call, Now, "gpt-realtime");
        await ChargeAsync(db, dying, "llm", Meters.InputUnsplit, 10, Now);
        var unpriced = await ConversationAsync(db, user, ConversationKind.Call, Now, "gpt-realtime-9");
        await ChargeAsync(db, unpriced, "llm", Meters.InputText, 10, Now, "gpt-realtime-9");
        await ChargeAsync(db, unpriced, "llm", Meters.OutputText, 10, Now, "gpt-realtime-9");
        await ConversationAsync(db, user, ConversationKind.Call, Now, "gpt-quiet");
        await db.UsageFold.RunOnceAsync(Cancel);
        await db.Prices.SetAsync(Caller.Service, new Price { Provider = "openai", Model = "gpt-realtime-9", Meter = Meters.OutputText, UnitPriceUsd = 1, ValidFrom = Now.AddDays(-1) }, cancellationToken: Cancel);

        var findings = await db.PriceCheck.RunAsync(admin, cancellationToken: Cancel);
        findings.Select(f => $"{f.Problem} {f.Model} {f.Meter} {f.Count} {f.ShutdownOn:yyyy-MM-dd}".TrimEnd()).Order(StringComparer.Ordinal).ShouldBe(
            ["NoPrice gpt-quiet  1", "NoPrice gpt-realtime-9 llm.input.text 1", "PricedSince gpt-realtime-9 llm.output.text 1", "ShuttingDown gpt-realtime  1 2027-01-20", "Unknown gpt-realtime llm.input.unsplit 1"]);
        (await Should.ThrowAsync<VoxbaseException>(() => db.PriceCheck.RunAsync(user, cancellationToken: Cancel))).Code.ShouldBe("forbidden");

        await db.Repricing.RunAsServiceAsync(Now.AddDays(-1), Now.AddDays(1), cancellationToken: Cancel);
        (await db.PriceCheck.RunAsync(Caller.Service, cancellationToken: Cancel)).ShouldNotContain(f => f.Problem == PriceProblem.PricedSince);
    }

    private static async Task WriteAsync(TestDatabase db, Caller[] users, Random random, int steps)
    {
        var mine = new List<(Guid Id, Guid Turn)>();
        for (var step = 0; step < steps; step++)
        {
            var at = Now.AddDays(-random.Next(50)).AddHours(random.Next(24));
            switch (mine.Count == 0 ? 0 : random.Next(9))
            {
                case 0 or 1:
                    var owner = random.Next(5) == 0 ? Caller.Service : users[random.Next(users.Length)];
                    var id = await ConversationAsync(db, owner, (ConversationKind)random.Next(5), at, random.Next(2) == 0 ? "gpt-realtime" : null);
                    var turns = await db.Conversations.AppendAsync(owner, id, [.. Enumerable.Range(0, random.Next(1, 5)).Select(_ => Turn(random, at))], Cancel);
                    mine.Add((id, turns[0].Id));
                    break;
                case 2 or 3:
                    await db.Conversations.AppendAsync(Caller.Service, Any(), Turn(random, at), Cancel);
                    break;
                case 4:
                    var (conversation, turn) = mine[random.Next(mine.Count)];
                    var charge = Guid.CreateVersion7();
                    var (model, quantity) = ($"m{random.Next(3)}", random.Next(100));
                    await AgainAsync(() => db.Charges.RecordAsServiceAsync(
                        [new NewCharge { Id = charge, ConversationId = conversation, TurnId = turn, Stage = "llm", Meter = Meters.Requests, Provider = "acme", Model = model, Quantity = quantity, ChargedAt = at }],
                        Cancel));
                    break;
                case 5:
                    var (first, seconds) = (mine[0], random.Next(600));
                    await AgainAsync(() => db.Charges.RecordReadingAsServiceAsync(
                        new NewCharge { Id = first.Turn, ConversationId = first.Id, Stage = "session", Meter = Meters.SessionSeconds, Provider = "openai", Model = "gpt-live-1", Quantity = seconds, ChargedAt = Now },
                        Cancel));
                    break;
                case 6:
                    var ended = Any();
                    await AgainAsync(() => db.Conversations.EndAsync(Caller.Service, ended, "done", cancellationToken: Cancel));
                    break;
                case 7:
                    // What came late: a latency, a model, an owner for a call of nobody.
                    var (late, ms) = (Any(), random.Next(3_000));
                    await AgainAsync(() => db.ExecuteAsync(Caller.Service, "update vox.turns set end_to_end_ms = $2, model = 'late' where conversation_id = $1", Parameter.Uuid(late), Parameter.Integer(ms)));
                    var orphan = Any();
                    await AgainAsync(() => db.ExecuteAsync(
                        Caller.Service, "update vox.conversations set user_id = $2 where id = $1 and user_id is null", Parameter.Uuid(orphan), Parameter.Uuid(users[0].UserId)));
                    break;
                default:
                    var (used, tokens) = (Any(), random.Next(500));
                    await AgainAsync(() => db.ExecuteAsync(
                        Caller.Service, "insert into vox.usage_events (conversation_id, event_type, input_tokens, model, at) values ($1, 'response', $2, 'gpt-realtime', $3)",
                        Parameter.Uuid(used), Parameter.Integer(tokens), Parameter.Time(at)));
                    await AgainAsync(() => db.ExecuteAsync(Caller.Service, "delete from vox.conversations c where id = $1 and not exists (select from vox.charges x where x.conversation_id = c.id)", Parameter.Uuid(mine[^1].Id)));
                    if ((bool)(await db.ScalarAsync(Caller.Service, "select not exists (select from vox.conversations where id = $1)", Parameter.Uuid(mine[^1].Id)))!)
                        mine.RemoveAt(mine.Count - 1);
                    break;
            }
        }

        Guid Any() => mine[random.Next(mine.Count)].Id;
    }

    // A deletion, an owner's change, and re-pricing where a turn is charged for the first time meanwhile, lock the conversation before its turns, everybody else
    // the turns first: now and then one of the two is undone and told to try again, which adds nothing twice.
    private static async Task AgainAsync(Func<Task> work)
    {
        while (true)
        {
            try
            {
                await work();
                return;
            }
            catch (VoxbaseException e) when (e.Error == DataErrors.Unavailable)
            {
            }
        }
    }

    private static NewTurn Turn(Random random, DateTimeOffset at) => new()
    {
        Role = TurnRole.Assistant,
        StartedAt = random.Next(3) == 0 ? null : at.AddMinutes(random.Next(3_000)),
        Model = random.Next(2) == 0 ? "gpt-realtime" : null,
        InputTokens = random.Next(1_000),
        OutputTokens = random.Next(100),
        EndToEndMs = random.Next(4) == 0 ? null : random.Next(5_000),
    };

    private static async Task FoldAsync(TestDatabase db, int times)
    {
        for (var i = 0; i < times; i++)
            await db.UsageFold.RunOnceAsync(Cancel);
    }

    // A server that dies in the middle of a fold: its transaction was open and is gone.
    private static async Task CutOffAsync(TestDatabase db)
    {
        for (var i = 0; i < 4; i++)
        {
            await using var connection = new NpgsqlConnection(db.ConnectionString);
            await connection.OpenAsync(Cancel);
            await using var transaction = await connection.BeginTransactionAsync(Cancel);
            await using var fold = new NpgsqlCommand("set local role service_role; select vox_private.fold_stale_usage(5, now())", connection, transaction);
            try
            {
                await fold.ExecuteNonQueryAsync(Cancel);
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.DeadlockDetected)
            {
                // Undone by the database, for a writer that it met crosswise: cut off all the same. The library's own folds are repeated then.
            }
        }
    }

    private static async Task RepriceAsync(TestDatabase db, int round)
    {
        await db.Prices.SetAsync(
            Caller.Service, new Price { Provider = "acme", Model = "m1", Meter = Meters.Requests, UnitPriceUsd = round + 0.333333333m, Per = 7, ValidFrom = Now.AddYears(-1) }, replace: true, Cancel);
        await db.Repricing.RunAsServiceAsync(Now.AddYears(-1), Now.AddYears(1), cancellationToken: Cancel);
    }

    private static async Task<long> DifferenceAsync(string connectionString, string parts)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand("set role service_role; " + DifferenceText.Replace("{0}", parts, StringComparison.Ordinal), connection);
        return (long)(await command.ExecuteScalarAsync(Cancel))!;
    }

    private static async Task ShouldBeExactAsync(TestDatabase db, Caller[] users, string when)
    {
        (await DifferenceAsync(db.ConnectionString, FoldedParts)).ShouldBe(0, when);
        foreach (var (from, to) in new[] { ("2026-03-01", "2026-07-01"), ("2026-04-10", "2026-05-21"), ("2026-05-19", "2026-05-20") })
        {
            foreach (var user in (Guid?[])[null, .. users.Select(u => u.UserId)])
            {
                var (first, last) = (DateOnly.Parse(from, null), DateOnly.Parse(to, null));
                var query = new UsageQuery { UserId = user, Everyone = user is null, From = first, To = last, By = UsageBy.Day };
                var report = await db.Usage.ReadAsync(user is null ? Caller.Service : users.Single(u => u.UserId == user), query, Cancel);
                await ShouldBeAsync(db, user, first, last, null, report.Total, when);
                foreach (var by in new[] { UsageBy.Kind, UsageBy.Model, UsageBy.Stage })
                {
                    var groups = (await db.Usage.ReadAsync(Caller.Service, query with { By = by }, Cancel)).Data;
                    (groups.Sum(g => g.CostUsd), groups.Sum(g => g.Charges), groups.Sum(g => g.Unpriced), groups.Sum(g => g.Tokens.Input))
                        .ShouldBe((report.Total.CostUsd, report.Total.Charges, report.Total.Unpriced, report.Total.Tokens.Input), $"{by}, {when}");
                    if (by == UsageBy.Kind && groups.Count > 0)
                        await ShouldBeAsync(db, user, first, last, groups[^1].Key, groups[^1], when);
                }

                // Every seventh day: the sums below say the same of all.
                foreach (var day in report.Data.Where((_, i) => i % 7 == 0))
                    await ShouldBeAsync(db, user, DateOnly.Parse(day.Key!, null), DateOnly.Parse(day.Key!, null).AddDays(1), null, day, when);
                var months = (await db.Usage.ReadAsync(Caller.Service, query with { By = UsageBy.Month }, Cancel)).Data;
                (report.Data.Sum(d => d.CostUsd), report.Data.Sum(d => d.Conversations), report.Data.Sum(d => d.Tokens.Input))
                    .ShouldBe((months.Sum(m => m.CostUsd), months.Sum(m => m.Conversations), months.Sum(m => m.Tokens.Input)), when);
            }
        }
    }

    private static async Task ShouldBeAsync(TestDatabase db, Guid? user, DateOnly from, DateOnly to, string? kind, UsageFigures figures, string when)
    {
        var counted = JsonElement.Parse((string)(await db.ScalarAsync(Caller.Service, RecountText, Parameter.Uuid(user), Parameter.Date(from), Parameter.Date(to), Parameter.Text(kind)))!);
        var cost = decimal.Parse(counted.GetProperty("cost").GetString()!, null);
        (figures.Conversations, figures.Completed, figures.Failed, figures.DurationSeconds, figures.Turns, figures.Tokens.Input, figures.Tokens.Output, figures.Charges, figures.Unpriced, figures.CostUsd, figures.Latency.Count)
            .ShouldBe((Of("conversations"), Of("completed"), Of("failed"), Of("duration"), Of("turns"), Of("input"), Of("output"), Of("charges"), Of("unpriced"), cost, Of("latencies")), $"{user} {from} to {to} {kind}, {when}");
        foreach (var (name, value) in new[] { ("p50", figures.Latency.P50Ms), ("p95", figures.Latency.P95Ms), ("p99", figures.Latency.P99Ms) })
        {
            if (counted.GetProperty(name).ValueKind == JsonValueKind.Null)
                value.ShouldBeNull();
            else
                Math.Abs(value!.Value - Of(name)).ShouldBeLessThanOrEqualTo((Of(name) * 0.02m) + 0.01m, $"{name}, {when}");
        }

        long Of(string name) => counted.GetProperty(name).GetInt64();
    }

    private static async Task<Guid> ConversationAsync(TestDatabase db, Caller owner, ConversationKind kind, DateTimeOffset at, string? model) =>
        (await db.Conversations.StartAsync(
            owner, new NewConversation { Kind = kind, Status = ConversationStatus.Active, StartedAt = at, LlmProvider = model is null ? null : "openai", LlmModel = model }, Cancel)).Id;

    private static Task ChargeAsync(TestDatabase db, Guid conversation, string stage, string meter, decimal quantity, DateTimeOffset at, string model = "gpt-realtime") => db.Charges.RecordAsServiceAsync(
        [new NewCharge { Id = Guid.CreateVersion7(), ConversationId = conversation, Stage = stage, Meter = meter, Provider = "openai", Model = model, Quantity = quantity, ChargedAt = at }],
        Cancel);

    private sealed class Clock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
