using System.Globalization;
using Npgsql;
using Voxbase.Data;

namespace Voxbase;

/// <summary>A value measured for something.</summary>
/// <param name="Subject">What for, for example <c>user/…</c>: one alert of a rule is open for it at a time.</param>
/// <param name="UserId">The user it concerns, or null.</param>
/// <param name="Value">How much; a high value is the bad one.</param>
/// <param name="Threshold">A threshold of the subject's own; null for the rule's.</param>
/// <param name="Samples">How many observations it stands on.</param>
public sealed record Measured(string Subject, Guid? UserId, decimal Value, decimal? Threshold = null, int Samples = 1);

/// <summary>
/// Something that alert rules can watch. Register one of your own with <c>services.AddSingleton(new AlertMeasure { … })</c>, and rules may
/// name it.
/// </summary>
public sealed class AlertMeasure
{
    /// <summary>What rules call it.</summary>
    public required string Name { get; init; }

    /// <summary>What it says, for the list of measures.</summary>
    public required string Summary { get; init; }

    /// <summary>How a value is shown: <c>ratio</c>, <c>seconds</c>, <c>ms</c>, or anything that follows a number.</summary>
    public required string Unit { get; init; }

    /// <summary>What it can be taken for; the first is a new rule's default.</summary>
    public IReadOnlyList<string> Scopes { get; init; } = ["installation"];

    /// <summary>
    /// Measures for a rule now. Subjects far below the rule's threshold may be left out; one that is absent counts as well again.
    /// </summary>
    public required Func<AlertRule, CancellationToken, Task<IReadOnlyList<Measured>>> MeasureAsync { get; init; }

    /// <summary>A value as people read it.</summary>
    internal string Show(decimal value) => Unit switch
    {
        "ratio" => (value * 100).ToString("0.#", CultureInfo.InvariantCulture) + " %",
        "times" => value.ToString("0.#", CultureInfo.InvariantCulture) + " times",
        "seconds" => value < 120
            ? value.ToString("0", CultureInfo.InvariantCulture) + " s"
            : (value / 60).ToString("0", CultureInfo.InvariantCulture) + " min",
        _ => value.ToString("0.##", CultureInfo.InvariantCulture) + " " + Unit,
    };
}

/// <summary>The measures that come with Voxbase. Each reads what is kept anyway, and none more turns than its window has.</summary>
internal sealed class AlertMeasures(Database database)
{
    // Only users near a limit: everybody else's absence says all. Who follows a tier and is far below all of them is not looked at further.
    public const string BudgetSql =
        """
        select 'user/' || p.user_id || to_char(p.month, '/YYYY-MM-DD'), p.user_id,
          case when p.limit_usd > 0 then round(p.spent_usd / p.limit_usd, 6) else 1 end,
          case when $1 = 'budget_alert_ratio' then p.alert_ratio end, 1
        from vox.monthly_spend s
        join vox.budget_positions p on p.user_id = s.user_id and p.month = s.month
        where s.month = (select vox_private.budget_month(now()))
          and s.amount_usd > 0
          and (
            s.amount_usd >= (select min(t.limit_usd * t.alert_ratio) * 0.5 from vox.budgets t where t.tier is not null)
            or exists (select from vox.budgets b where b.user_id = s.user_id))
          and s.amount_usd >= p.limit_usd * p.alert_ratio * 0.5
        """;

    // By the day (UTC) that conversations began on, as their ids say.
    public const string DailyTokensSql =
        """
        with day as (
          select date_trunc('day', now() at time zone 'UTC') at time zone 'UTC' as began
        ), counted as (
          select c.user_id,
            sum(c.input_tokens + c.output_tokens) filter (where c.id >= vox.uuid_v7_floor(d.began)) as today,
            sum(c.input_tokens + c.output_tokens) filter (where c.id < vox.uuid_v7_floor(d.began)) as before
          from day d
          join vox.conversations c on c.id >= vox.uuid_v7_floor(d.began - interval '7 days')
          where c.user_id is not null
          group by c.user_id
        )
        select 'user/' || user_id, user_id, round(today / (before / 7), 6), null::numeric, least(today, 2147483647)::integer
        from counted
        where today > 0 and before > 0
        """;

    // Conversations that began in the window and are over.
    public const string FailureRateSql =
        """
        select subject, case when $2 = 'user' then min(user_id::text)::uuid end, round(avg((status = 'failed')::integer), 6), null::numeric,
          count(*)::integer
        from (
          select user_id, status,
            case $2
              when 'user' then 'user/' || user_id
              when 'kind' then 'kind/' || kind
              when 'model' then 'model/' || llm_model
              else 'installation' end as subject
          from vox.conversations
          where id >= vox.uuid_v7_floor(now() - make_interval(mins => $1)) and status in ('completed', 'failed')
        ) over_since
        where subject is not null
        group by subject
        """;

    // Both conditions on the status: the first is the index's.
    public const string CallDurationSql =
        """
        select 'conversation/' || id, user_id, round(extract(epoch from now() - coalesce(connected_at, started_at)), 3), null::numeric, 1
        from vox.conversations
        where status in ('pending', 'active') and status = 'active'
          and coalesce(connected_at, started_at) <= now() - make_interval(secs => $1)
        """;

    public const string LatencySql =
        """
        select subject, user_id, p95_ms, null::numeric, turns from vox_private.latency_p95($1, $2)
        """;

    public IReadOnlyList<AlertMeasure> All() =>
    [
        new()
        {
            Name = "budget_alert_ratio", Unit = "ratio", Scopes = ["user"],
            Summary = "What a user has spent of the month's limit; the threshold is the budget's own alert ratio.",
            MeasureAsync = (rule, ct) => ReadAsync(new Statement(BudgetSql, Parameter.Text(rule.Measure)), ct),
        },
        new()
        {
            Name = "budget_ratio", Unit = "ratio", Scopes = ["user"],
            Summary = "What a user has spent of the month's limit.",
            MeasureAsync = (rule, ct) => ReadAsync(new Statement(BudgetSql, Parameter.Text(rule.Measure)), ct),
        },
        new()
        {
            Name = "daily_tokens_ratio", Unit = "times", Scopes = ["user"],
            Summary = "A user's tokens of the day by the mean of the seven days before; samples are the day's tokens.",
            MeasureAsync = (_, ct) => ReadAsync(new Statement(DailyTokensSql), ct),
        },
        new()
        {
            Name = "failure_rate", Unit = "ratio", Scopes = ["installation", "user", "kind", "model"],
            Summary = "The part of conversations that failed, of those that began in the window and are over.",
            MeasureAsync = (rule, ct) => ReadAsync(new Statement(FailureRateSql, Parameter.Integer(rule.WindowMinutes), Parameter.Text(rule.Scope)), ct),
        },
        new()
        {
            Name = "call_duration", Unit = "seconds", Scopes = ["conversation"],
            Summary = "How long a call that is active has been running.",
            // From below the threshold on, so that one that is near it does not count as gone.
            MeasureAsync = (rule, ct) => ReadAsync(new Statement(CallDurationSql, Parameter.Double((double)(rule.Threshold * rule.ResolveRatio))), ct),
        },
        new()
        {
            Name = "latency_p95", Unit = "ms", Scopes = ["installation", "user", "model"],
            Summary = "The 95th percentile of the time from the end of the user's speech to the answer, of the window's turns.",
            MeasureAsync = (rule, ct) => ReadAsync(new Statement(LatencySql, Parameter.Integer(rule.WindowMinutes), Parameter.Text(rule.Scope)), ct),
        },
    ];

    private Task<IReadOnlyList<Measured>> ReadAsync(Statement statement, CancellationToken cancellationToken) =>
        database.RunAsync<IReadOnlyList<Measured>>(
            Caller.Service,
            [statement],
            static async (NpgsqlDataReader results, CancellationToken ct) =>
            {
                var values = new List<Measured>();
                while (await results.ReadAsync(ct))
                {
                    var at = new RowReader(results);
                    values.Add(new Measured(at.Text()!, at.Uuid(), at.Numeric()!.Value, at.Numeric(), at.Integer()!.Value));
                }

                return values;
            },
            cancellationToken);
}
