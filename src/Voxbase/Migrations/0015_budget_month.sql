-- The month of a budget is asked for with every reservation and every charge. As SQL its functions were read and planned anew at each
-- call, which took longer than the rest of a reservation; PL/pgSQL plans once for a session. And a position asks for it once, not twice.

create or replace function vox_private.month_of(moment timestamptz, time_zone text, first_day integer) returns date
language plpgsql stable parallel safe strict set search_path = '' as
$$
begin
  return (date_trunc('month', (moment at time zone time_zone) - (first_day - 1) * interval '1 day'))::date + (first_day - 1);
end
$$;

create or replace function vox_private.budget_month(moment timestamptz) returns date
language plpgsql stable parallel safe strict set search_path = '' as
$$
begin
  return (select vox_private.month_of(moment, w.time_zone, w.first_day) from vox.budget_window w);
end
$$;

create or replace view vox.budget_positions with (security_invoker = true) as
select
  u.id as user_id,
  u.email,
  u.tier,
  w.month,
  case when b.override_until > now() then b.override_limit_usd else coalesce(b.limit_usd, t.limit_usd, 500) end as limit_usd,
  coalesce(b.alert_ratio, t.alert_ratio, 0.8) as alert_ratio,
  coalesce(b.on_exceed, t.on_exceed, 'stop') as on_exceed,
  case when b.override_until > now() then b.override_until end as override_until,
  coalesce(s.amount_usd, 0) as spent_usd,
  greatest(0, coalesce(r.reserved_usd, 0) - coalesce(l.held_usd, 0)) as reserved_usd,
  coalesce(s.tokens, 0) as tokens,
  coalesce(s.conversations, 0) as conversations
from (select vox_private.budget_month(now()) as month offset 0) w
cross join vox.users u
left join vox.budgets b on b.user_id = u.id
left join vox.budgets t on t.tier = u.tier
left join vox.monthly_spend s on s.user_id = u.id and s.month = w.month
left join vox.reserved_spend r on r.user_id = u.id
-- Those that lapsed and that nobody has taken away yet: few, as whoever reserves next takes them.
left join lateral (
  select sum(held_usd) as held_usd from vox.reservations where user_id = u.id and lapses_at <= now()
) l on true
where u.deleted_at is null;
