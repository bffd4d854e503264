namespace Voxbase;

/// <summary>What evaluating and delivering does to the tables: the service's statements.</summary>
internal static class AlertRows
{
    public const string ClaimRuleSql =
        """
        update vox.alert_rules set evaluated_at = now()
        where name = $1 and is_enabled and (evaluated_at is null or evaluated_at <= now() - make_interval(secs => every_seconds))
        returning name, description, measure, scope, threshold, resolve_ratio, window_minutes, min_samples, every_seconds, severity::text,
          is_enabled, evaluated_at
        """;

    public const string OpenSubjectsSql =
        """
        select subject from vox.alerts where rule = $1 and resolved_at is null
        """;

    public const string OpenSql =
        """
        with opened as (
          insert into vox.alerts (id, rule, subject, user_id, severity, value, threshold, message)
          select $1, r.name, $3, $4, r.severity, $5, $6, $7
          from vox.alert_rules r
          where r.name = $2 and r.is_enabled
          on conflict (rule, subject) where resolved_at is null do nothing
          returning id, rule
        ), queued as (
          insert into vox.alert_deliveries (alert_id, endpoint_id, event)
          select o.id, e.id, 'alert.opened'
          from opened o
          join vox.alert_endpoints e on e.is_enabled and (e.rules is null or o.rule = any (e.rules))
        )
        select id from opened
        """;

    // Not those opened since the values were measured: they may not be among them.
    public const string ResolveSql =
        """
        with resolved as (
          update vox.alerts set resolved_at = now()
          where rule = $1 and resolved_at is null and opened_at < $2 and subject <> all ($3)
          returning id, rule
        ), queued as (
          insert into vox.alert_deliveries (alert_id, endpoint_id, event)
          select r.id, e.id, 'alert.resolved'
          from resolved r
          join vox.alert_endpoints e on e.is_enabled and (e.rules is null or r.rule = any (e.rules))
        )
        select count(*)::integer from resolved
        """;

    // Nobody watches them any more.
    public const string ResolveDisabledSql =
        """
        update vox.alerts a set resolved_at = now()
        from vox.alert_rules r
        where r.name = a.rule and not r.is_enabled and a.resolved_at is null
        """;

    // The lease is longer than an attempt may take: no two servers send one delivery at once, and one that dies leaves it to the others.
    public const string ClaimDeliveriesSql =
        """
        update vox.alert_deliveries d set attempts = d.attempts + 1, next_attempt_at = now() + make_interval(secs => $1)
        from vox.alert_endpoints e, vox.alerts a
        where d.id in (
            select due.id
            from vox.alert_deliveries due
            join vox.alert_endpoints its on its.id = due.endpoint_id and its.is_enabled
            where due.delivered_at is null and due.dead_at is null and due.next_attempt_at <= now()
            order by due.next_attempt_at
            limit $2
            for update of due skip locked)
          and e.id = d.endpoint_id and a.id = d.alert_id
        returning d.id, d.event, d.attempts, e.id, e.url, e.secret, a.id, a.rule, a.subject, a.user_id, a.severity::text, a.value, a.threshold,
          a.message, a.opened_at, case when d.event = 'alert.resolved' then a.resolved_at end, null::timestamptz, null::uuid
        """;

    public const string DeliveredSql =
        """
        update vox.alert_deliveries set delivered_at = now(), last_error = null where id = $1
        """;

    public const string FailedSql =
        """
        update vox.alert_deliveries set last_error = $2, next_attempt_at = now() + make_interval(secs => $3),
          dead_at = case when $4 then now() end
        where id = $1
        """;

    public const string GoneSql =
        """
        update vox.alert_endpoints set is_enabled = false where id = $1
        """;
}
