using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Voxbase.Data;

namespace Voxbase;

/// <summary>
/// Rules over measured values, one alert a crossing, told to webhooks. A rule names a measure, what it is taken for, and a threshold; it is
/// a row, so operations add and change rules without a new version.
/// </summary>
/// <remarks>
/// Safe on many servers: who evaluates a rule is settled by moving its evaluated_at, a unique index allows one open alert of a rule and
/// subject, and a delivery is claimed before it is sent. What is to be delivered is written with the alert, so neither is without the other.
/// </remarks>
public sealed class Alerts(
    Database database, WebhookSender sender, IEnumerable<AlertMeasure> registered, VoxbaseOptions options, ILogger<Alerts> logger)
{
    internal const string BudgetAlertRule = "budget_alert";
    internal const string BudgetExceededRule = "budget_exceeded";

    internal const string ListSql =
        """
        select id, rule, subject, user_id, severity::text, value, threshold, message, opened_at, resolved_at, acknowledged_at, acknowledged_by
        from vox.alerts
        where ($1 or resolved_at is null) and ($2::uuid is null or id < $2)
        order by id desc
        limit $3
        """;

    internal const string AcknowledgeSql =
        """
        update vox.alerts set acknowledged_at = coalesce(acknowledged_at, now()),
          acknowledged_by = case when acknowledged_at is null then auth.uid() else acknowledged_by end
        where id = $1
        """;

    internal const string RulesSql =
        """
        select name, description, measure, scope, threshold, resolve_ratio, window_minutes, min_samples, every_seconds, severity::text,
          is_enabled, evaluated_at
        from vox.alert_rules
        order by name
        """;

    internal const string AddRuleSql =
        """
        insert into vox.alert_rules (
          name, description, measure, scope, threshold, resolve_ratio, window_minutes, min_samples, every_seconds, severity, is_enabled)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::vox.alert_severity, $11)
        """;

    internal const string ChangeRuleSql =
        """
        update vox.alert_rules set description = $2, measure = $3, scope = $4, threshold = $5, resolve_ratio = $6, window_minutes = $7,
          min_samples = $8, every_seconds = $9, severity = $10::vox.alert_severity, is_enabled = $11
        where name = $1
        """;

    internal const string DeleteRuleSql =
        """
        delete from vox.alert_rules where name = $1
        """;

    internal const string EndpointsSql =
        """
        select e.id, e.url, e.rules, e.is_enabled,
          count(d.id) filter (where d.delivered_at is null and d.dead_at is null)::integer,
          count(d.id) filter (where d.dead_at is not null)::integer,
          (array_agg(d.last_error order by d.id desc) filter (where d.last_error is not null and d.delivered_at is null))[1]
        from vox.alert_endpoints e
        left join vox.alert_deliveries d on d.endpoint_id = e.id and d.delivered_at is null
        group by e.id
        order by e.id
        """;

    internal const string AddEndpointSql =
        """
        insert into vox.alert_endpoints (id, url, secret, rules) values ($1, $2, $3, $4)
        """;

    internal const string DeleteEndpointSql =
        """
        delete from vox.alert_endpoints where id = $1
        """;

    internal const string EndpointSecretSql =
        """
        select url, secret from vox.alert_endpoints where id = $1
        """;

    private const int DeliveriesAtOnce = 8;
    private const int DeliveriesPerRun = 200;
    private static readonly TimeSpan LongestRetry = TimeSpan.FromHours(6);

    private readonly Dictionary<string, AlertMeasure> measures =
        new AlertMeasures(database).All().Concat(registered).GroupBy(measure => measure.Name).ToDictionary(group => group.Key, group => group.Last());

    /// <summary>What rules may measure, by name. One registered under the name of another takes its place.</summary>
    public IReadOnlyCollection<AlertMeasure> Measures => measures.Values;

    /// <summary>Alerts, the newest first: those that concern the caller; all for admins and the service.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="all">Those resolved as well.</param>
    /// <param name="before">Only those before this one.</param>
    /// <param name="limit">How many at most, from 1 to 1,000.</param>
    /// <param name="cancellationToken">Cancels.</param>
    public async Task<IReadOnlyList<Alert>> ListAsync(
        Caller caller, bool all = false, Guid? before = null, int limit = 100, CancellationToken cancellationToken = default)
    {
        if (limit is < 1 or > 1_000)
            throw ConversationErrors.InputInvalid.With($"limit must be between 1 and 1,000 (was {limit})");
        return await database.RunAsync(
            caller,
            [new Statement(ListSql, Parameter.Boolean(all), Parameter.Uuid(before), Parameter.Integer(limit))],
            static async (results, ct) =>
            {
                var alerts = new List<Alert>();
                while (await results.ReadAsync(ct))
                    alerts.Add(ReadAlert(new RowReader(results)));
                return alerts;
            },
            cancellationToken);
    }

    /// <summary>Takes an alert on; the first who does is kept. Admins and the service only.</summary>
    /// <exception cref="VoxbaseException"><c>alert_not_found</c>.</exception>
    public async Task AcknowledgeAsync(Caller caller, Guid id, CancellationToken cancellationToken = default)
    {
        if (await ChangedAsync(caller, new Statement(AcknowledgeSql, Parameter.Uuid(id)), cancellationToken) == 0)
            throw AlertErrors.NotFound.With($"There is no alert {id} for this caller.");
    }

    /// <summary>The rules, by name. Admins and the service only; others see none.</summary>
    public Task<IReadOnlyList<AlertRule>> RulesAsync(Caller caller, CancellationToken cancellationToken = default) =>
        database.RunAsync<IReadOnlyList<AlertRule>>(
            caller,
            [new Statement(RulesSql)],
            static async (results, ct) =>
            {
                var rules = new List<AlertRule>();
                while (await results.ReadAsync(ct))
                    rules.Add(ReadRule(results));
                return rules;
            },
            cancellationToken);

    /// <summary>Changes a rule, or makes one. Holds from its next evaluation on. Admins and the service only.</summary>
    /// <returns>The rule as it is now.</returns>
    /// <exception cref="VoxbaseException"><c>alert_rule_invalid</c>, <c>forbidden</c>.</exception>
    public async Task<AlertRule> SetRuleAsync(Caller caller, string name, AlertRuleChange change, CancellationToken cancellationToken = default)
    {
        var known = (await RulesAsync(caller, cancellationToken)).FirstOrDefault(rule => rule.Name == name);
        var measureName = change.Measure ?? known?.Measure ?? throw AlertErrors.RuleInvalid.With($"the rule '{name}' is new and needs a measure");
        if (!measures.TryGetValue(measureName, out var measure))
            throw AlertErrors.RuleInvalid.With($"'{measureName}' is not a measure; the measures are {string.Join(", ", measures.Keys.Order(StringComparer.Ordinal))}");
        var rule = new AlertRule
        {
            Name = name,
            Description = change.Description ?? known?.Description ?? name,
            Measure = measureName,
            Scope = change.Scope ?? (known?.Measure == measureName ? known.Scope : measure.Scopes[0]),
            Threshold = change.Threshold ?? known?.Threshold ?? throw AlertErrors.RuleInvalid.With($"the rule '{name}' is new and needs a threshold"),
            ResolveRatio = change.ResolveRatio ?? known?.ResolveRatio ?? 0.9m,
            WindowMinutes = change.WindowMinutes ?? known?.WindowMinutes ?? 60,
            MinSamples = change.MinSamples ?? known?.MinSamples ?? 1,
            EverySeconds = change.EverySeconds ?? known?.EverySeconds ?? 60,
            Severity = change.Severity ?? known?.Severity ?? AlertSeverity.Warning,
            IsEnabled = change.IsEnabled ?? known?.IsEnabled ?? true,
            EvaluatedAt = known?.EvaluatedAt,
        };
        Validate(rule, measure);
        var changed = await ChangedAsync(
            caller,
            new Statement(
                known is null ? AddRuleSql : ChangeRuleSql, Parameter.Text(rule.Name), Parameter.Text(rule.Description), Parameter.Text(rule.Measure),
                Parameter.Text(rule.Scope), Parameter.Numeric(rule.Threshold), Parameter.Numeric(rule.ResolveRatio),
                Parameter.Integer(rule.WindowMinutes), Parameter.Integer(rule.MinSamples), Parameter.Integer(rule.EverySeconds),
                Parameter.Text(Word(rule.Severity)), Parameter.Boolean(rule.IsEnabled)),
            cancellationToken);
        return changed > 0 ? rule : throw AlertErrors.RuleNotFound.With($"There is no alert rule '{name}' for this caller.");
    }

    /// <summary>Takes a rule and its alerts away. A shipped one is better turned off. Admins and the service only.</summary>
    /// <exception cref="VoxbaseException"><c>alert_rule_not_found</c>.</exception>
    public async Task DeleteRuleAsync(Caller caller, string name, CancellationToken cancellationToken = default)
    {
        if (await ChangedAsync(caller, new Statement(DeleteRuleSql, Parameter.Text(name)), cancellationToken) == 0)
            throw AlertErrors.RuleNotFound.With($"There is no alert rule '{name}' for this caller.");
    }

    /// <summary>The webhooks, without their secrets. Admins and the service only; others see none.</summary>
    public Task<IReadOnlyList<AlertEndpoint>> EndpointsAsync(Caller caller, CancellationToken cancellationToken = default) =>
        database.RunAsync<IReadOnlyList<AlertEndpoint>>(
            caller,
            [new Statement(EndpointsSql)],
            static async (results, ct) =>
            {
                var endpoints = new List<AlertEndpoint>();
                while (await results.ReadAsync(ct))
                {
                    endpoints.Add(new AlertEndpoint
                    {
                        Id = results.GetGuid(0),
                        Url = results.GetString(1),
                        Rules = await results.IsDBNullAsync(2, ct) ? null : results.GetFieldValue<string[]>(2),
                        IsEnabled = results.GetBoolean(3),
                        Waiting = results.GetInt32(4),
                        Dead = results.GetInt32(5),
                        LastError = await results.IsDBNullAsync(6, ct) ? null : results.GetString(6),
                    });
                }

                return endpoints;
            },
            cancellationToken);

    /// <summary>Adds a webhook with a new secret, which the result alone tells. Alerts that open from now on are delivered to it. Admins and the service only.</summary>
    /// <exception cref="VoxbaseException"><c>alert_endpoint_invalid</c>, <c>forbidden</c>.</exception>
    public async Task<AlertEndpoint> AddEndpointAsync(Caller caller, NewAlertEndpoint endpoint, CancellationToken cancellationToken = default)
    {
        if (!Uri.TryCreate(endpoint.Url, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || endpoint.Url.Length > 2000
            || endpoint.Url.Any(char.IsWhiteSpace))
        {
            throw AlertErrors.EndpointInvalid.With("url must be an absolute http or https URL of at most 2,000 characters without spaces");
        }

        if (url.UserInfo.Length > 0)
            throw AlertErrors.EndpointInvalid.With("url must not carry a login");
        sender.Refuse(url);
        if (endpoint.Rules is { } rules)
        {
            var known = (await RulesAsync(caller, cancellationToken)).Select(rule => rule.Name).ToList();
            // Who may see no rule may add no endpoint either, and is told that below.
            if (rules.Count == 0 || (known.Count > 0 && rules.FirstOrDefault(rule => !known.Contains(rule)) is not null))
                throw AlertErrors.EndpointInvalid.With($"rules must name one or more of {string.Join(", ", known)}");
        }

        // The URL in its canonical form: what is stored is what is called.
        var added = new AlertEndpoint { Id = Guid.CreateVersion7(), Url = url.AbsoluteUri, Rules = endpoint.Rules, Secret = WebhookSignature.NewSecret() };
        await database.RunAsync(
            caller,
            [
                new Statement(
                    AddEndpointSql, Parameter.Uuid(added.Id), Parameter.Text(added.Url), Parameter.Text(added.Secret),
                    endpoint.Rules is { } only ? Parameter.Texts(only, rule => rule) : Parameter.NoTexts()),
            ],
            cancellationToken);
        return added;
    }

    /// <summary>Takes a webhook away, with what was still to be delivered. Admins and the service only.</summary>
    /// <exception cref="VoxbaseException"><c>alert_endpoint_not_found</c>.</exception>
    public async Task DeleteEndpointAsync(Caller caller, Guid id, CancellationToken cancellationToken = default)
    {
        if (await ChangedAsync(caller, new Statement(DeleteEndpointSql, Parameter.Uuid(id)), cancellationToken) == 0)
            throw AlertErrors.EndpointNotFound.With($"There is no webhook {id} for this caller.");
    }

    /// <summary>Sends a webhook an event <c>alert.test</c> now, once. Admins and the service only.</summary>
    /// <exception cref="VoxbaseException"><c>alert_endpoint_not_found</c>.</exception>
    public async Task<DeliveryAttempt> TestEndpointAsync(Caller caller, Guid id, CancellationToken cancellationToken = default)
    {
        var (url, secret) = await database.RunAsync(
            caller,
            [new Statement(EndpointSecretSql, Parameter.Uuid(id))],
            static async (results, ct) => await results.ReadAsync(ct) ? (results.GetString(0), results.GetString(1)) : (null!, null!),
            cancellationToken);
        if (url is null)
            throw AlertErrors.EndpointNotFound.With($"There is no webhook {id} for this caller.");
        return await sender.SendAsync(url, secret, Guid.CreateVersion7(), AlertEvent.Test(), cancellationToken);
    }

    /// <summary>
    /// Evaluates the rules that are due, opens and resolves alerts, and delivers what is to be delivered. Safe to run at once on many servers.
    /// </summary>
    public async Task<AlertsRun> RunOnceAsync(CancellationToken cancellationToken = default)
    {
        var (evaluated, opened, resolved) = (0, 0, 0);
        foreach (var rule in await RulesAsync(Caller.Service, cancellationToken))
        {
            try
            {
                if (await ClaimAsync(rule.Name, cancellationToken) is not { } due)
                    continue;
                evaluated++;
                var (itsOpened, itsResolved) = await EvaluateAsync(due, cancellationToken);
                (opened, resolved) = (opened + itsOpened, resolved + itsResolved);
            }
            catch (VoxbaseException e)
            {
                // One that cannot be measured must not keep the others from it.
                Log.RuleFailed(logger, rule.Name, e.Code);
            }
        }

        await ChangedAsync(Caller.Service, new Statement(AlertRows.ResolveDisabledSql), cancellationToken);
        var (delivered, failed) = await DeliverAsync(cancellationToken);
        return new AlertsRun(evaluated, opened, resolved, delivered, failed);
    }

    /// <summary>Opens the alerts that a call's payer has earned, unless they are open.</summary>
    internal async Task OpenForBudgetAsync(CallStanding standing, CancellationToken cancellationToken)
    {
        var ratio = standing.LimitUsd > 0 ? decimal.Round(standing.SpentUsd / standing.LimitUsd, 6) : 1;
        var subject = string.Create(CultureInfo.InvariantCulture, $"user/{standing.UserId}/{standing.Month:yyyy-MM-dd}");
        var rules = await RulesAsync(Caller.Service, cancellationToken);
        if (standing.IsAlerting)
            await OpenAsync(rules, BudgetAlertRule, new Measured(subject, standing.UserId, ratio, standing.AlertRatio), cancellationToken);
        await OpenAsync(rules, BudgetExceededRule, new Measured(subject, standing.UserId, ratio), cancellationToken);
    }

    private Task<AlertRule?> ClaimAsync(string name, CancellationToken cancellationToken) =>
        database.RunAsync(
            Caller.Service,
            [new Statement(AlertRows.ClaimRuleSql, Parameter.Text(name))],
            static async (results, ct) => await results.ReadAsync(ct) ? ReadRule(results) : null,
            cancellationToken);

    private async Task<(int Opened, int Resolved)> EvaluateAsync(AlertRule rule, CancellationToken cancellationToken)
    {
        if (!measures.TryGetValue(rule.Measure, out var measure))
            throw AlertErrors.RuleInvalid.With($"'{rule.Measure}' is not a measure of this server");
        var values = await measure.MeasureAsync(rule, cancellationToken);
        var opened = 0;
        var high = new List<string>();
        var open = await OpenSubjectsAsync(rule.Name, cancellationToken);
        foreach (var value in values)
        {
            var threshold = value.Threshold ?? rule.Threshold;
            // What is between the two keeps an open alert open, and too few observations say nothing either way.
            if (value.Value >= threshold * rule.ResolveRatio || value.Samples < rule.MinSamples)
                high.Add(value.Subject);
            if (value.Value >= threshold && value.Samples >= rule.MinSamples && !open.Contains(value.Subject)
                && await OpenAsync(rule, measure, value, cancellationToken))
            {
                opened++;
            }
        }

        var resolved = await database.RunAsync(
            Caller.Service,
            [new Statement(AlertRows.ResolveSql, Parameter.Text(rule.Name), Parameter.Time(rule.EvaluatedAt), Parameter.Texts(high, subject => subject))],
            static async (results, ct) => await results.ReadAsync(ct) ? results.GetInt32(0) : 0,
            cancellationToken);
        return (opened, resolved);
    }

    private Task<HashSet<string>> OpenSubjectsAsync(string rule, CancellationToken cancellationToken) =>
        database.RunAsync(
            Caller.Service,
            [new Statement(AlertRows.OpenSubjectsSql, Parameter.Text(rule))],
            static async (results, ct) =>
            {
                var subjects = new HashSet<string>(StringComparer.Ordinal);
                while (await results.ReadAsync(ct))
                    subjects.Add(results.GetString(0));
                return subjects;
            },
            cancellationToken);

    private async Task OpenAsync(IReadOnlyList<AlertRule> rules, string name, Measured value, CancellationToken cancellationToken)
    {
        if (rules.FirstOrDefault(rule => rule.Name == name && rule.IsEnabled) is { } rule && measures.TryGetValue(rule.Measure, out var measure)
            && value.Value >= (value.Threshold ?? rule.Threshold))
        {
            await OpenAsync(rule, measure, value, cancellationToken);
        }
    }

    // True for the one who opened it.
    private Task<bool> OpenAsync(AlertRule rule, AlertMeasure measure, Measured value, CancellationToken cancellationToken)
    {
        var threshold = value.Threshold ?? rule.Threshold;
        return database.RunAsync(
            Caller.Service,
            [
                new Statement(
                    AlertRows.OpenSql, Parameter.Uuid(Guid.CreateVersion7()), Parameter.Text(rule.Name), Parameter.Text(value.Subject),
                    Parameter.Uuid(value.UserId), Parameter.Numeric(value.Value), Parameter.Numeric(threshold),
                    Parameter.Text($"{rule.Description}: {measure.Show(value.Value)}, threshold {measure.Show(threshold)} ({value.Subject}).")),
            ],
            static async (results, ct) => await results.ReadAsync(ct),
            cancellationToken);
    }

    private async Task<(int Delivered, int Failed)> DeliverAsync(CancellationToken cancellationToken)
    {
        // One that is waiting for a slow receiver is not claimed again by the next run.
        var lease = options.Alerts.DeliveryTimeout * (2 + (DeliveriesPerRun / DeliveriesAtOnce));
        var due = await database.RunAsync(
            Caller.Service,
            [new Statement(AlertRows.ClaimDeliveriesSql, Parameter.Double(lease.TotalSeconds), Parameter.Integer(DeliveriesPerRun))],
            static async (results, ct) =>
            {
                var deliveries = new List<Delivery>();
                while (await results.ReadAsync(ct))
                {
                    var at = new RowReader(results);
                    deliveries.Add(new Delivery(
                        at.Uuid()!.Value, at.Text()!, at.Integer()!.Value, at.Uuid()!.Value, at.Text()!, at.Text()!, ReadAlert(at)));
                }

                return deliveries;
            },
            cancellationToken);
        var (delivered, failed) = (0, 0);
        await Parallel.ForEachAsync(
            due,
            new ParallelOptions { MaxDegreeOfParallelism = DeliveriesAtOnce, CancellationToken = cancellationToken },
            async (delivery, ct) =>
            {
                if (await DeliverAsync(delivery, ct))
                    Interlocked.Increment(ref delivered);
                else
                    Interlocked.Increment(ref failed);
            });
        return (delivered, failed);
    }

    private async Task<bool> DeliverAsync(Delivery delivery, CancellationToken cancellationToken)
    {
        var attempt = await sender.SendAsync(
            delivery.Url, delivery.Secret, delivery.Id, AlertEvent.Of(delivery.Event, delivery.Alert), cancellationToken);
        if (attempt.Delivered)
        {
            await ChangedAsync(Caller.Service, new Statement(AlertRows.DeliveredSql, Parameter.Uuid(delivery.Id)), cancellationToken);
            return true;
        }

        // Standard Webhooks: 410 says that nobody is there any more.
        var gone = attempt.Outcome == "410";
        var dead = gone || delivery.Attempts >= options.Alerts.DeliveryAttempts;
        await ChangedAsync(
            Caller.Service,
            new Statement(
                AlertRows.FailedSql, Parameter.Uuid(delivery.Id), Parameter.Text(attempt.Outcome), Parameter.Double(RetryAfter(delivery.Attempts).TotalSeconds),
                Parameter.Boolean(dead)),
            cancellationToken);
        if (gone)
            await ChangedAsync(Caller.Service, new Statement(AlertRows.GoneSql, Parameter.Uuid(delivery.EndpointId)), cancellationToken);
        if (dead)
            Log.DeliveryDead(logger, delivery.Id, delivery.EndpointId, delivery.Attempts, attempt.Outcome);
        return false;
    }

    /// <summary>How long after that many failures it is tried again.</summary>
    internal TimeSpan RetryAfter(int attempts)
    {
        var wait = Math.Min(LongestRetry.TotalSeconds, options.Alerts.DeliveryRetry.TotalSeconds * Math.Pow(3, attempts - 1));
        // Receivers that come back are not met by everybody at once.
        return TimeSpan.FromSeconds(wait * (0.8 + (RandomNumberGenerator.GetInt32(0, 401) / 1000d)));
    }

    private Task<int> ChangedAsync(Caller caller, Statement statement, CancellationToken cancellationToken) =>
        database.RunAsync(caller, [statement], static (results, _) => Task.FromResult(results.RecordsAffected), cancellationToken);

    private static void Validate(AlertRule rule, AlertMeasure measure)
    {
        if (!System.Text.RegularExpressions.Regex.IsMatch(rule.Name, "^[a-z][a-z0-9_]{0,62}$"))
            throw AlertErrors.RuleInvalid.With("name must be of lower-case letters, digits and underscores, at most 63, and begin with a letter");
        if (rule.Description.Length is 0 or > 500)
            throw AlertErrors.RuleInvalid.With($"description must have 1 to 500 characters (has {rule.Description.Length})");
        if (!measure.Scopes.Contains(rule.Scope))
            throw AlertErrors.RuleInvalid.With($"scope must be one of {string.Join(", ", measure.Scopes)} for {measure.Name} (was '{rule.Scope}')");
        if (rule.Threshold is < 0 or >= 1_000_000_000_000)
            throw AlertErrors.RuleInvalid.With($"threshold must be from 0 to below 1,000,000,000,000 (was {rule.Threshold})");
        if (rule.ResolveRatio is <= 0 or > 1)
            throw AlertErrors.RuleInvalid.With($"resolve_ratio must be above 0 and at most 1 (was {rule.ResolveRatio})");
        if (rule.WindowMinutes is < 1 or > 44_640)
            throw AlertErrors.RuleInvalid.With($"window_minutes must be between 1 and 44640 (was {rule.WindowMinutes})");
        if (rule.MinSamples < 1)
            throw AlertErrors.RuleInvalid.With($"min_samples must be at least 1 (was {rule.MinSamples})");
        if (rule.EverySeconds is < 0 or > 86_400)
            throw AlertErrors.RuleInvalid.With($"every_seconds must be between 0 and 86400 (was {rule.EverySeconds})");
        if (!Enum.IsDefined(rule.Severity))
            throw AlertErrors.RuleInvalid.With("severity must be info, warning or critical");
    }

    private static string Word<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();

    private static Alert ReadAlert(RowReader at) => new()
    {
        Id = at.Uuid()!.Value,
        Rule = at.Text()!,
        Subject = at.Text()!,
        UserId = at.Uuid(),
        Severity = at.Enum<AlertSeverity>()!.Value,
        Value = at.Numeric()!.Value,
        Threshold = at.Numeric()!.Value,
        Message = at.Text()!,
        OpenedAt = at.Time()!.Value,
        ResolvedAt = at.Time(),
        AcknowledgedAt = at.Time(),
        AcknowledgedBy = at.Uuid(),
    };

    private static AlertRule ReadRule(NpgsqlDataReader row)
    {
        var at = new RowReader(row);
        return new AlertRule
        {
            Name = at.Text()!,
            Description = at.Text()!,
            Measure = at.Text()!,
            Scope = at.Text()!,
            Threshold = at.Numeric()!.Value,
            ResolveRatio = at.Numeric()!.Value,
            WindowMinutes = at.Integer()!.Value,
            MinSamples = at.Integer()!.Value,
            EverySeconds = at.Integer()!.Value,
            Severity = at.Enum<AlertSeverity>()!.Value,
            IsEnabled = at.Boolean(),
            EvaluatedAt = at.Time(),
        };
    }

    private sealed record Delivery(Guid Id, string Event, int Attempts, Guid EndpointId, string Url, string Secret, Alert Alert);
}

/// <summary>Runs <see cref="Alerts.RunOnceAsync"/> from time to time.</summary>
internal sealed class AlertsJob(Alerts alerts, VoxbaseOptions options, TimeProvider time, ILogger<AlertsJob> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Alerts.Every, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                var run = await alerts.RunOnceAsync(stoppingToken);
                if (run.Opened + run.Resolved + run.Delivered + run.Failed > 0)
                    Log.AlertsRan(logger, run.Opened, run.Resolved, run.Delivered, run.Failed);
            }
            catch (VoxbaseException e)
            {
                Log.AlertsFailed(logger, e.Code);
            }
        }
    }
}
