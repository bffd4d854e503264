-- Budgets, what was spent and is held of them by month and user, and alerts.
--
-- Improved on the domain model where noted:
--   * What running calls hold stands per user (reserved_spend), not per month: a call that crosses midnight keeps what it holds, and the
--     new month knows of it without anything being carried over.
--   * A running call holds a reservation in full until its charges use it up, so spent + reserved never passes a limit by more than one
--     reservation, however many calls begin at once.
--
-- Lock order: conversation, month rows by (user, month), reserved_spend by user, reservations. Who charges takes them in that order in one
-- statement; who reserves or releases takes the last two. One transaction holds one charging statement.

create type vox.on_exceed as enum ('stop', 'warn');
create type vox.alert_severity as enum ('info', 'warning', 'critical');

-- 1. The month -------------------------------------------------------------------------------------------------------------------

create table vox.budget_window (
  id boolean not null default true,
  time_zone text not null default 'UTC',
  first_day integer not null default 1,
  updated_at timestamptz not null default now(),
  constraint budget_window_pkey primary key (id),
  constraint budget_window_single check (id),
  constraint budget_window_first_day_range check (first_day between 1 and 28)
);
insert into vox.budget_window default values;
comment on table vox.budget_window is 'When a budget''s month begins. One row, in the database so that every server counts alike. Changing it counts all months again.';
comment on column vox.budget_window.time_zone is 'Whose midnight it is, for example UTC or Europe/Berlin.';
comment on column vox.budget_window.first_day is 'The day of the month on which it begins, 1 to 28; 1 is the calendar month.';

create function vox_private.month_of(moment timestamptz, time_zone text, first_day integer) returns date
language sql stable strict parallel safe set search_path = '' as
$$
  select (date_trunc('month', (moment at time zone time_zone) - (first_day - 1) * interval '1 day'))::date + (first_day - 1)
$$;
comment on function vox_private.month_of(timestamptz, text, integer) is 'The first day of the budget month that holds the moment.';

create function vox_private.budget_month(moment timestamptz) returns date
language sql stable strict parallel safe set search_path = '' as
$$
  select vox_private.month_of(moment, w.time_zone, w.first_day) from vox.budget_window w
$$;
grant execute on function vox_private.month_of(timestamptz, text, integer) to authenticated, service_role;
grant execute on function vox_private.budget_month(timestamptz) to authenticated, service_role;

-- 2. Budgets, and what is spent and held of them -------------------------------------------------------------------------------------

create table vox.budgets (
  id uuid not null default vox.uuid_v7(),
  user_id uuid,
  tier vox.user_tier,
  limit_usd numeric(18,9),
  alert_ratio numeric(5,4),
  on_exceed vox.on_exceed,
  override_limit_usd numeric(18,9),
  override_until timestamptz,
  override_note text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint budgets_pkey primary key (id),
  constraint budgets_user_id_key unique (user_id),
  constraint budgets_tier_key unique (tier),
  constraint budgets_user_id_fkey foreign key (user_id) references vox.users (id) on delete cascade,
  constraint budgets_one_owner check ((user_id is null) <> (tier is null)),
  constraint budgets_tier_complete check (tier is null or (limit_usd, alert_ratio, on_exceed) is not null),
  -- With an upper bound, because NaN is greater than every number.
  constraint budgets_limit_range check (limit_usd >= 0 and limit_usd < 1000000000),
  constraint budgets_alert_ratio_range check (alert_ratio > 0 and alert_ratio <= 1),
  constraint budgets_override_range check (override_limit_usd >= 0 and override_limit_usd < 1000000000),
  constraint budgets_override_whole check ((override_limit_usd is null) = (override_until is null)),
  constraint budgets_override_of_user check (override_until is null or user_id is not null),
  constraint budgets_override_note_length check (length(override_note) <= 1000)
);
insert into vox.budgets (tier, limit_usd, alert_ratio, on_exceed)
select t, 500, 0.8, 'stop' from unnest(enum_range(null::vox.user_tier)) t;
comment on table vox.budgets is 'What may be spent in a month: a default for each tier, and what differs from it for single users.';
comment on column vox.budgets.user_id is 'Whose it is; null for a tier''s default.';
comment on column vox.budgets.tier is 'Which tier''s default it is; null for a user''s.';
comment on column vox.budgets.limit_usd is 'US dollars a month; null in a user''s row: as the tier.';
comment on column vox.budgets.alert_ratio is 'From which part of the limit on an alert is raised, above 0 to 1; null: as the tier.';
comment on column vox.budgets.on_exceed is 'stop refuses new calls and ends running ones, warn only tells; null: as the tier.';
comment on column vox.budgets.override_limit_usd is 'Another limit until override_until; then the former holds again by itself.';
create trigger budgets_touch before update on vox.budgets for each row execute function vox_private.touch_updated_at();

-- No reference to users: somebody known only by their token may hold a reservation before their first write.
create table vox.monthly_spend (
  user_id uuid not null,
  month date not null,
  amount_usd numeric(18,9) not null default 0,
  tokens numeric(20,6) not null default 0,
  conversations integer not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint monthly_spend_pkey primary key (user_id, month)
) with (fillfactor = 70);  -- Changes with every charge: room on the page keeps that off the indexes.
create index monthly_spend_month_idx on vox.monthly_spend (month);
comment on table vox.monthly_spend is 'What each user''s charges came to by budget month, kept as they arrive. Written by the database alone.';
comment on column vox.monthly_spend.month is 'The month''s first day; by the time of the charge, not of its arrival.';
comment on column vox.monthly_spend.amount_usd is 'Sum of the charges, corrections included.';
comment on column vox.monthly_spend.tokens is 'Tokens charged, of every kind and modality.';
comment on column vox.monthly_spend.conversations is 'Conversations with a charge in the month.';

create table vox.reserved_spend (
  user_id uuid not null,
  reserved_usd numeric(18,9) not null default 0,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint reserved_spend_pkey primary key (user_id),
  constraint reserved_spend_not_negative check (reserved_usd >= 0)
) with (fillfactor = 50);
comment on table vox.reserved_spend is 'The sum of a user''s reservations, and the lock under which they change.';

create table vox.reservations (
  conversation_id uuid not null,
  user_id uuid not null,
  held_usd numeric(18,9) not null,
  lapses_at timestamptz not null,
  created_at timestamptz not null default now(),
  constraint reservations_pkey primary key (conversation_id, user_id),
  constraint reservations_held_not_negative check (held_usd >= 0)
) with (fillfactor = 70);
create index reservations_lapsing_idx on vox.reservations (user_id, lapses_at);
comment on table vox.reservations is 'What a running call holds of its payer''s budget. The conversation need not exist yet.';
comment on column vox.reservations.held_usd is 'What is left of it: charges of the conversation use it up.';
comment on column vox.reservations.lapses_at is 'From then on it counts no more, whether or not anybody has taken it away.';

-- One row a user; what a user may see of it is what the policies of its tables say.
create view vox.budget_positions with (security_invoker = true) as
select
  u.id as user_id,
  u.email,
  u.tier,
  (select vox_private.budget_month(now())) as month,
  case when b.override_until > now() then b.override_limit_usd else coalesce(b.limit_usd, t.limit_usd, 500) end as limit_usd,
  coalesce(b.alert_ratio, t.alert_ratio, 0.8) as alert_ratio,
  coalesce(b.on_exceed, t.on_exceed, 'stop') as on_exceed,
  case when b.override_until > now() then b.override_until end as override_until,
  coalesce(s.amount_usd, 0) as spent_usd,
  greatest(0, coalesce(r.reserved_usd, 0) - coalesce(l.held_usd, 0)) as reserved_usd,
  coalesce(s.tokens, 0) as tokens,
  coalesce(s.conversations, 0) as conversations
from vox.users u
left join vox.budgets b on b.user_id = u.id
left join vox.budgets t on t.tier = u.tier
left join vox.monthly_spend s on s.user_id = u.id and s.month = (select vox_private.budget_month(now()))
left join vox.reserved_spend r on r.user_id = u.id
-- Those that lapsed and that nobody has taken away yet: few, as whoever reserves next takes them.
left join lateral (
  select sum(held_usd) as held_usd from vox.reservations where user_id = u.id and lapses_at <= now()
) l on true
where u.deleted_at is null;
comment on view vox.budget_positions is 'Where each user stands this month: limit in force, spent, reserved.';
grant select on vox.budget_positions to authenticated, service_role;

-- 3. Charges become spending -------------------------------------------------------------------------------------------------------

-- After charges_added by name, so the conversations are locked: of two statements that bring a conversation's first charge of a month,
-- the later sees the earlier's.
create function vox_private.charges_spent() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
declare
  zone text;
  day integer;
begin
  select w.time_zone, w.first_day into zone, day from vox.budget_window w;

  insert into vox.monthly_spend as m (user_id, month, amount_usd, tokens, conversations)
  select a.user_id, a.month, sum(a.amount_usd), sum(a.tokens),
    count(*) filter (where not exists (
      select from vox.charges c
      where c.conversation_id = a.conversation_id and c.user_id = a.user_id and c.id <> all (a.ids)
        and vox_private.month_of(c.charged_at, zone, day) = a.month))
  from (
    select c.user_id, c.conversation_id, vox_private.month_of(c.charged_at, zone, day) as month,
      coalesce(sum(c.amount_usd), 0) as amount_usd,
      coalesce(sum(c.quantity - coalesce(c.before_quantity, 0)) filter (where c.meter like '%.input.%' or c.meter like '%.output.%'), 0) as tokens,
      array_agg(c.id) as ids
    from added_charges c
    where c.user_id is not null
    group by 1, 2, 3
  ) a
  group by a.user_id, a.month
  order by a.user_id, a.month
  on conflict (user_id, month) do update set
    amount_usd = m.amount_usd + excluded.amount_usd,
    tokens = m.tokens + excluded.tokens,
    conversations = m.conversations + excluded.conversations,
    updated_at = pg_catalog.now();

  -- What a call holds is used up by what it is charged. Under the lock of the user's sum, so that what is read here stays true.
  if exists (
    select from added_charges a
    join vox.reservations r on r.conversation_id = a.conversation_id and r.user_id = a.user_id
    where r.held_usd > 0
  ) then
    perform from vox.reserved_spend s
    where s.user_id in (select a.user_id from added_charges a)
    order by s.user_id
    for no key update;

    with used as (
      select r.conversation_id, r.user_id, least(r.held_usd, a.amount_usd) as amount_usd
      from (
        select c.conversation_id, c.user_id, sum(c.amount_usd) as amount_usd from added_charges c group by 1, 2
      ) a
      join vox.reservations r on r.conversation_id = a.conversation_id and r.user_id = a.user_id
      where a.amount_usd > 0 and r.held_usd > 0
    ), settled as (
      update vox.reservations r set held_usd = r.held_usd - u.amount_usd
      from used u
      where r.conversation_id = u.conversation_id and r.user_id = u.user_id
    )
    update vox.reserved_spend s set reserved_usd = s.reserved_usd - u.amount_usd, updated_at = pg_catalog.now()
    from (select user_id, sum(amount_usd) as amount_usd from used group by user_id) u
    where s.user_id = u.user_id;
  end if;
  return null;
end
$$;
create trigger charges_spent after insert on vox.charges
  referencing new table as added_charges
  for each statement execute function vox_private.charges_spent();

-- All months anew from the charges: for what was charged before this migration, another window, and a conversation's other owner.
create function vox_private.recount_spend(only_users uuid[]) returns void
language plpgsql security definer set search_path = '' as
$$
begin
  -- Nobody charges meanwhile.
  lock table vox.charges in share row exclusive mode;
  delete from vox.monthly_spend where only_users is null or user_id = any (only_users);
  insert into vox.monthly_spend (user_id, month, amount_usd, tokens, conversations)
  select c.user_id, vox_private.month_of(c.charged_at, w.time_zone, w.first_day), coalesce(sum(c.amount_usd), 0),
    coalesce(sum(c.quantity - coalesce(c.before_quantity, 0)) filter (where c.meter like '%.input.%' or c.meter like '%.output.%'), 0),
    count(distinct c.conversation_id)
  from vox.charges c
  cross join vox.budget_window w
  where c.user_id is not null and (only_users is null or c.user_id = any (only_users))
  group by 1, 2;
end
$$;

create function vox_private.budget_window_changed() returns trigger
language plpgsql security definer set search_path = '' as
$$
begin
  perform vox_private.recount_spend(null);
  return null;
end
$$;
-- A zone that does not exist fails here, before anything is counted by it.
create function vox_private.budget_window_changing() returns trigger
language plpgsql set search_path = '' as
$$
begin
  perform pg_catalog.now() at time zone new.time_zone;
  new.updated_at := pg_catalog.now();
  return new;
end
$$;
create trigger budget_window_changing before update on vox.budget_window
  for each row execute function vox_private.budget_window_changing();
create trigger budget_window_changed after update of time_zone, first_day on vox.budget_window
  for each row when (new.time_zone <> old.time_zone or new.first_day <> old.first_day)
  execute function vox_private.budget_window_changed();

-- Charges follow their conversation to another owner, and so does what they came to. A conversation's charges move all together, so it
-- counts once less for the one and once more for the other. Month rows in one order, as everywhere.
create function vox_private.charges_moved() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
declare
  zone text;
  day integer;
begin
  select w.time_zone, w.first_day into zone, day from vox.budget_window w;

  insert into vox.monthly_spend as m (user_id, month, amount_usd, tokens, conversations)
  select d.user_id, d.month, sum(d.sign * d.amount_usd), sum(d.sign * d.tokens), sum(d.sign)
  from (
    select c.sign, c.user_id, c.conversation_id, vox_private.month_of(c.charged_at, zone, day) as month,
      coalesce(sum(c.amount_usd), 0) as amount_usd,
      coalesce(sum(c.quantity - coalesce(c.before_quantity, 0)) filter (where c.meter like '%.input.%' or c.meter like '%.output.%'), 0) as tokens
    from (
      select -1 as sign, b.user_id, b.conversation_id, b.charged_at, b.amount_usd, b.quantity, b.before_quantity, b.meter from charges_before b
      union all
      select 1, a.user_id, a.conversation_id, a.charged_at, a.amount_usd, a.quantity, a.before_quantity, a.meter from charges_after a
    ) c
    where c.user_id is not null
    group by c.sign, c.user_id, c.conversation_id, 4
  ) d
  group by d.user_id, d.month
  having sum(d.sign * d.amount_usd) <> 0 or sum(d.sign * d.tokens) <> 0 or sum(d.sign) <> 0
  order by d.user_id, d.month
  on conflict (user_id, month) do update set
    amount_usd = m.amount_usd + excluded.amount_usd,
    tokens = m.tokens + excluded.tokens,
    conversations = m.conversations + excluded.conversations,
    updated_at = pg_catalog.now();
  return null;
end
$$;
create trigger charges_moved after update on vox.charges
  referencing old table as charges_before new table as charges_after
  for each statement execute function vox_private.charges_moved();

-- 4. Reservations --------------------------------------------------------------------------------------------------------------------

-- Takes a user's lapsed reservations away. The caller holds the lock of the user's sum.
create function vox_private.drop_lapsed(payer uuid) returns integer
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
declare
  lapsed integer;
  held numeric;
begin
  with gone as (
    delete from vox.reservations where user_id = payer and lapses_at <= pg_catalog.now() returning held_usd
  )
  select count(*), sum(held_usd) into lapsed, held from gone;
  if lapsed > 0 then
    update vox.reserved_spend set reserved_usd = reserved_usd - held, updated_at = pg_catalog.now() where user_id = payer;
  end if;
  return lapsed;
end
$$;

-- Reserves for a call that begins, and looks after that of one that runs: below half it is filled up again, by the same rule.
create function vox_private.reserve_spend(
  call uuid, payer uuid, amount numeric, lapse interval,
  out user_id uuid, out month date, out limit_usd numeric, out alert_ratio numeric, out on_exceed text, out spent_usd numeric,
  out reserved_usd numeric, out held_usd numeric
) returns setof record rows 1
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
declare
  stand record;
  is_over boolean;
  added numeric;
begin
  -- Not worth a flush of its own: the next durable commit, of the conversation or its first charge, carries it to the disk, and a crash
  -- before that takes the call's beginning with it.
  perform pg_catalog.set_config('synchronous_commit', 'off', true);
  -- A running call is known by its conversation alone; one that is over holds nothing.
  if payer is null then
    select c.user_id, c.ended_at is not null into payer, is_over from vox.conversations c where c.id = call;
    if is_over then
      perform vox_private.release_spend(call);
      return;
    end if;
    if payer is null then
      select r.user_id into payer from vox.reservations r where r.conversation_id = call limit 1;
    end if;
    if payer is null then
      return;
    end if;
  end if;

  -- Whoever reserves for this user waits here. What follows are statements of their own, so they see what the others did.
  perform from vox.reserved_spend s where s.user_id = payer for no key update;
  if not found then
    insert into vox.reserved_spend (user_id) values (payer) on conflict do nothing;
    perform from vox.reserved_spend s where s.user_id = payer for no key update;
  end if;
  if exists (select from vox.reservations r where r.user_id = payer and r.lapses_at <= pg_catalog.now()) then
    perform vox_private.drop_lapsed(payer);
  end if;

  select r.held_usd into held_usd from vox.reservations r where r.conversation_id = call and r.user_id = payer;
  select p.month, p.limit_usd, p.alert_ratio, p.on_exceed, p.spent_usd, p.reserved_usd into stand
  from vox.budget_positions p where p.user_id = payer;
  if not found then
    -- Known only by their token so far, or deleted: the tier that users begin with.
    select w.month, b.limit_usd, b.alert_ratio, b.on_exceed, coalesce(m.amount_usd, 0) as spent_usd, s.reserved_usd
    into stand
    from vox.reserved_spend s
    cross join (select vox_private.budget_month(pg_catalog.now()) as month) w
    left join vox.monthly_spend m on m.user_id = payer and m.month = w.month
    left join vox.budgets b on b.tier = 'free'
    where s.user_id = payer;
  end if;

  if (held_usd is null or held_usd < amount / 2)
    and (stand.on_exceed = 'warn' or stand.spent_usd + stand.reserved_usd < stand.limit_usd) then
    added := amount - coalesce(held_usd, 0);
  end if;
  if held_usd is null and added is not null then
    insert into vox.reservations (conversation_id, user_id, held_usd, lapses_at)
    values (call, payer, added, pg_catalog.now() + lapse);
  elsif held_usd is not null then
    update vox.reservations r set held_usd = r.held_usd + coalesce(added, 0), lapses_at = pg_catalog.now() + lapse
    where r.conversation_id = call and r.user_id = payer;
  end if;
  if added is not null then
    update vox.reserved_spend s set reserved_usd = s.reserved_usd + added, updated_at = pg_catalog.now() where s.user_id = payer;
  end if;

  user_id := payer;
  month := stand.month;
  limit_usd := stand.limit_usd;
  alert_ratio := stand.alert_ratio;
  on_exceed := stand.on_exceed;
  spent_usd := stand.spent_usd;
  reserved_usd := stand.reserved_usd + coalesce(added, 0);
  held_usd := coalesce(held_usd + coalesce(added, 0), added);
  return next;
end
$$;
comment on function vox_private.reserve_spend(uuid, uuid, numeric, interval) is
  'Where the payer stands with this call''s reservation made or kept. held_usd is null when the call holds none: there was no room.';

create function vox_private.release_spend(call uuid) returns void
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
declare
  payer uuid;
  held numeric;
begin
  perform pg_catalog.set_config('synchronous_commit', 'off', true);
  for payer in select r.user_id from vox.reservations r where r.conversation_id = call order by r.user_id loop
    perform from vox.reserved_spend s where s.user_id = payer for no key update;
    delete from vox.reservations r where r.conversation_id = call and r.user_id = payer returning r.held_usd into held;
    if found then
      update vox.reserved_spend s set reserved_usd = s.reserved_usd - held, updated_at = pg_catalog.now() where s.user_id = payer;
    end if;
  end loop;
end
$$;

create function vox_private.release_lapsed() returns integer
language plpgsql security definer set search_path = '' as
$$
declare
  payer uuid;
  released integer := 0;
begin
  for payer in select distinct r.user_id from vox.reservations r where r.lapses_at <= pg_catalog.now() order by r.user_id loop
    perform from vox.reserved_spend s where s.user_id = payer for no key update;
    released := released + vox_private.drop_lapsed(payer);
  end loop;
  return released;
end
$$;
grant execute on function vox_private.reserve_spend(uuid, uuid, numeric, interval) to service_role;
grant execute on function vox_private.release_spend(uuid) to service_role;
grant execute on function vox_private.release_lapsed() to service_role;

-- 5. Alerts ---------------------------------------------------------------------------------------------------------------------------

create table vox.alert_rules (
  name text not null,
  description text not null,
  measure text not null,
  scope text not null,
  threshold numeric not null,
  resolve_ratio numeric not null default 0.9,
  window_minutes integer not null default 60,
  min_samples integer not null default 1,
  every_seconds integer not null default 60,
  severity vox.alert_severity not null default 'warning',
  is_enabled boolean not null default true,
  evaluated_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint alert_rules_pkey primary key (name),
  constraint alert_rules_name_shape check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
  constraint alert_rules_threshold_range check (threshold >= 0 and threshold < 1000000000000),
  constraint alert_rules_resolve_ratio_range check (resolve_ratio > 0 and resolve_ratio <= 1),
  constraint alert_rules_window_minutes_range check (window_minutes between 1 and 44640),
  constraint alert_rules_min_samples_positive check (min_samples >= 1),
  constraint alert_rules_every_seconds_range check (every_seconds between 0 and 86400)
);
comment on table vox.alert_rules is 'What is watched: a named measurement, for whom it is taken, and from which value on it is an alert.';
comment on column vox.alert_rules.measure is 'What is measured; a high value is the bad one.';
comment on column vox.alert_rules.scope is 'What a value is taken for: installation, user, kind, model or conversation.';
comment on column vox.alert_rules.threshold is 'An alert opens when the value reaches it. A measurement may bring its own, as budgets do.';
comment on column vox.alert_rules.resolve_ratio is 'It resolves below this part of the threshold: what lies between does neither.';
comment on column vox.alert_rules.window_minutes is 'How far back is looked, where the measurement looks back.';
comment on column vox.alert_rules.min_samples is 'With fewer observations in the window than these nothing is concluded.';
comment on column vox.alert_rules.evaluated_at is 'Which server evaluates is settled by who moves this.';
create trigger alert_rules_touch before update of description, measure, scope, threshold, resolve_ratio, window_minutes, min_samples,
    every_seconds, severity, is_enabled on vox.alert_rules
  for each row execute function vox_private.touch_updated_at();

insert into vox.alert_rules (name, description, measure, scope, threshold, resolve_ratio, window_minutes, min_samples, every_seconds, severity)
values
  ('budget_alert', 'A user has spent the alerting part of the month''s budget', 'budget_alert_ratio', 'user', 0.8, 1, 60, 1, 60, 'warning'),
  ('budget_exceeded', 'A user has spent the month''s budget', 'budget_ratio', 'user', 1, 1, 60, 1, 60, 'critical'),
  ('daily_tokens', 'A user''s tokens of the day are over twice the mean of the seven days before', 'daily_tokens_ratio', 'user', 2, 0.9, 1440, 100000, 600, 'warning'),
  ('failure_rate', 'More than 5 % of the conversations fail', 'failure_rate', 'installation', 0.05, 0.8, 60, 20, 60, 'critical'),
  ('call_duration', 'A call has been running for more than 2 hours', 'call_duration', 'conversation', 7200, 1, 60, 1, 60, 'warning'),
  ('latency_p95', 'The 95th percentile of the time to answer is over 3 seconds', 'latency_p95', 'installation', 3000, 0.8, 15, 20, 60, 'warning');

create table vox.alerts (
  id uuid not null default vox.uuid_v7(),
  rule text not null,
  subject text not null,
  user_id uuid,
  severity vox.alert_severity not null,
  value numeric not null,
  threshold numeric not null,
  message text not null,
  opened_at timestamptz not null default now(),
  resolved_at timestamptz,
  acknowledged_at timestamptz,
  acknowledged_by uuid,
  created_at timestamptz not null default now(),
  constraint alerts_pkey primary key (id),
  constraint alerts_rule_fkey foreign key (rule) references vox.alert_rules (name) on delete cascade
);
-- One open alert of a rule and subject, whoever opens it.
create unique index alerts_open_key on vox.alerts (rule, subject) where resolved_at is null;
create index alerts_user_id_idx on vox.alerts (user_id, id desc) where user_id is not null;
comment on table vox.alerts is 'One row a crossing: opened when a value reaches its threshold, resolved when it has fallen well below.';
comment on column vox.alerts.subject is 'What it is about, for example user/…/2026-11-01 or conversation/….';
comment on column vox.alerts.user_id is 'The user it concerns, who sees it too; null for the installation''s.';
comment on column vox.alerts.value is 'As it was when the alert opened.';

create table vox.alert_endpoints (
  id uuid not null default vox.uuid_v7(),
  url text not null,
  secret text not null,
  rules text[],
  is_enabled boolean not null default true,
  created_at timestamptz not null default now(),
  constraint alert_endpoints_pkey primary key (id),
  constraint alert_endpoints_url_shape check (url ~ '^https?://' and length(url) <= 2000),
  constraint alert_endpoints_secret_shape check (secret ~ '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$')
);
comment on table vox.alert_endpoints is 'Webhooks that alerts are delivered to. Only admins and the service see them, as the secret signs deliveries.';
comment on column vox.alert_endpoints.secret is 'Standard Webhooks: whsec_ and the base64 of the HMAC-SHA256 key.';
comment on column vox.alert_endpoints.rules is 'Alerts of these rules alone; null for all.';

create table vox.alert_deliveries (
  id uuid not null default vox.uuid_v7(),
  alert_id uuid not null,
  endpoint_id uuid not null,
  event text not null,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  delivered_at timestamptz,
  dead_at timestamptz,
  last_error text,
  created_at timestamptz not null default now(),
  constraint alert_deliveries_pkey primary key (id),
  constraint alert_deliveries_once unique (alert_id, endpoint_id, event),
  constraint alert_deliveries_alert_fkey foreign key (alert_id) references vox.alerts (id) on delete cascade,
  constraint alert_deliveries_endpoint_fkey foreign key (endpoint_id) references vox.alert_endpoints (id) on delete cascade,
  constraint alert_deliveries_event_known check (event in ('alert.opened', 'alert.resolved'))
);
create index alert_deliveries_due_idx on vox.alert_deliveries (next_attempt_at) where delivered_at is null and dead_at is null;
create index alert_deliveries_endpoint_idx on vox.alert_deliveries (endpoint_id);
comment on table vox.alert_deliveries is 'What is to be told to whom: written with the alert, sent afterwards, again until it was taken.';
comment on column vox.alert_deliveries.id is 'The webhook-id: the same at every attempt, so that the receiver can tell a repetition.';
comment on column vox.alert_deliveries.next_attempt_at is 'When it is due; moved on while a server is sending it.';
comment on column vox.alert_deliveries.dead_at is 'Given up after too many attempts.';
comment on column vox.alert_deliveries.last_error is 'The status, or the kind of failure, of the last attempt.';

-- 6. Who may do what ------------------------------------------------------------------------------------------------------------------

-- Who changes a budget, a rule or an endpoint leaves a row, without the values: a secret may be among them.
create function vox_private.audit_change() returns trigger
language plpgsql security definer set search_path = '' as
$$
declare
  changed jsonb := case when tg_op = 'DELETE' then pg_catalog.to_jsonb(old) else pg_catalog.to_jsonb(new) end;
begin
  insert into vox.audit_log (actor_id, actor_role, action, resource)
  values (auth.uid(), coalesce(auth.role(), session_user::text), tg_argv[0] || '.' || lower(tg_op),
    tg_table_name || '/' || coalesce(changed ->> 'user_id', changed ->> 'tier', changed ->> 'name', changed ->> 'id'));
  return null;
end
$$;
create trigger budgets_audit after insert or update or delete on vox.budgets
  for each row execute function vox_private.audit_change('budget');
create trigger budget_window_audit after update on vox.budget_window
  for each row execute function vox_private.audit_change('budget_window');
create trigger alert_rules_audit after insert or delete or update of measure, scope, threshold, resolve_ratio, window_minutes, min_samples,
    every_seconds, severity, is_enabled on vox.alert_rules
  for each row execute function vox_private.audit_change('alert_rule');
create trigger alert_endpoints_audit after insert or update or delete on vox.alert_endpoints
  for each row execute function vox_private.audit_change('alert_endpoint');

alter table vox.budget_window enable row level security;
alter table vox.budget_window force row level security;
alter table vox.budgets enable row level security;
alter table vox.budgets force row level security;
alter table vox.monthly_spend enable row level security;
alter table vox.monthly_spend force row level security;
alter table vox.reserved_spend enable row level security;
alter table vox.reserved_spend force row level security;
alter table vox.reservations enable row level security;
alter table vox.reservations force row level security;
alter table vox.alert_rules enable row level security;
alter table vox.alert_rules force row level security;
alter table vox.alerts enable row level security;
alter table vox.alerts force row level security;
alter table vox.alert_endpoints enable row level security;
alter table vox.alert_endpoints force row level security;
alter table vox.alert_deliveries enable row level security;
alter table vox.alert_deliveries force row level security;

grant select on vox.budget_window to authenticated, service_role;
grant update (time_zone, first_day) on vox.budget_window to authenticated, service_role;
create policy budget_window_service on vox.budget_window to service_role using (true) with check (true);
create policy budget_window_select on vox.budget_window for select to authenticated using (true);
create policy budget_window_update on vox.budget_window for update to authenticated
  using ((select vox_private.is_admin())) with check ((select vox_private.is_admin()));

-- What a tier may spend is no secret. A tier's row is changed, never taken away.
grant select, delete on vox.budgets to authenticated, service_role;
grant insert (user_id, tier, limit_usd, alert_ratio, on_exceed, override_limit_usd, override_until, override_note)
  on vox.budgets to authenticated, service_role;
grant update (limit_usd, alert_ratio, on_exceed, override_limit_usd, override_until, override_note) on vox.budgets to authenticated, service_role;
create policy budgets_service on vox.budgets to service_role using (true) with check (true);
create policy budgets_service_delete on vox.budgets as restrictive for delete to service_role using (user_id is not null);
create policy budgets_select on vox.budgets for select to authenticated
  using (user_id = (select auth.uid()) or tier is not null or (select vox_private.is_admin()));
create policy budgets_insert on vox.budgets for insert to authenticated with check ((select vox_private.is_admin()));
create policy budgets_update on vox.budgets for update to authenticated
  using ((select vox_private.is_admin())) with check ((select vox_private.is_admin()));
create policy budgets_delete on vox.budgets for delete to authenticated
  using (user_id is not null and (select vox_private.is_admin()));

-- Written by the functions above alone.
grant select on vox.monthly_spend, vox.reserved_spend, vox.reservations to authenticated, service_role;
create policy monthly_spend_service on vox.monthly_spend to service_role using (true) with check (true);
create policy monthly_spend_select on vox.monthly_spend for select to authenticated
  using (user_id = (select auth.uid()) or (select vox_private.is_admin()));
create policy reserved_spend_service on vox.reserved_spend to service_role using (true) with check (true);
create policy reserved_spend_select on vox.reserved_spend for select to authenticated
  using (user_id = (select auth.uid()) or (select vox_private.is_admin()));
create policy reservations_service on vox.reservations to service_role using (true) with check (true);
create policy reservations_select on vox.reservations for select to authenticated
  using (user_id = (select auth.uid()) or (select vox_private.is_admin()));

grant select, delete on vox.alert_rules to authenticated, service_role;
grant insert (name, description, measure, scope, threshold, resolve_ratio, window_minutes, min_samples, every_seconds, severity, is_enabled)
  on vox.alert_rules to authenticated, service_role;
grant update (description, measure, scope, threshold, resolve_ratio, window_minutes, min_samples, every_seconds, severity, is_enabled)
  on vox.alert_rules to authenticated, service_role;
grant update (evaluated_at) on vox.alert_rules to service_role;
create policy alert_rules_service on vox.alert_rules to service_role using (true) with check (true);
create policy alert_rules_select on vox.alert_rules for select to authenticated using ((select vox_private.is_admin()));
create policy alert_rules_insert on vox.alert_rules for insert to authenticated with check ((select vox_private.is_admin()));
create policy alert_rules_update on vox.alert_rules for update to authenticated
  using ((select vox_private.is_admin())) with check ((select vox_private.is_admin()));
create policy alert_rules_delete on vox.alert_rules for delete to authenticated using ((select vox_private.is_admin()));

-- Whom an alert concerns sees it; admins see all and acknowledge.
grant select on vox.alerts to authenticated, service_role;
grant insert (id, rule, subject, user_id, severity, value, threshold, message) on vox.alerts to service_role;
grant update (acknowledged_at, acknowledged_by) on vox.alerts to authenticated;
grant update (acknowledged_at, acknowledged_by, resolved_at) on vox.alerts to service_role;
create policy alerts_service on vox.alerts to service_role using (true) with check (true);
create policy alerts_select on vox.alerts for select to authenticated
  using (user_id = (select auth.uid()) or (select vox_private.is_admin()));
create policy alerts_update on vox.alerts for update to authenticated
  using ((select vox_private.is_admin())) with check ((select vox_private.is_admin()));

grant select, delete on vox.alert_endpoints to authenticated, service_role;
grant insert (id, url, secret, rules) on vox.alert_endpoints to authenticated, service_role;
grant update (is_enabled) on vox.alert_endpoints to authenticated, service_role;
create policy alert_endpoints_service on vox.alert_endpoints to service_role using (true) with check (true);
create policy alert_endpoints_select on vox.alert_endpoints for select to authenticated using ((select vox_private.is_admin()));
create policy alert_endpoints_insert on vox.alert_endpoints for insert to authenticated with check ((select vox_private.is_admin()));
create policy alert_endpoints_update on vox.alert_endpoints for update to authenticated
  using ((select vox_private.is_admin())) with check ((select vox_private.is_admin()));
create policy alert_endpoints_delete on vox.alert_endpoints for delete to authenticated using ((select vox_private.is_admin()));

grant select on vox.alert_deliveries to authenticated, service_role;
grant insert (alert_id, endpoint_id, event) on vox.alert_deliveries to service_role;
grant update (attempts, next_attempt_at, delivered_at, dead_at, last_error) on vox.alert_deliveries to service_role;
create policy alert_deliveries_service on vox.alert_deliveries to service_role using (true) with check (true);
create policy alert_deliveries_select on vox.alert_deliveries for select to authenticated using ((select vox_private.is_admin()));

-- Triggers need no grant to fire; what is called was granted by name.
revoke execute on function
  vox_private.month_of(timestamptz, text, integer), vox_private.budget_month(timestamptz), vox_private.charges_spent(),
  vox_private.recount_spend(uuid[]), vox_private.budget_window_changed(), vox_private.budget_window_changing(), vox_private.charges_moved(),
  vox_private.drop_lapsed(uuid), vox_private.reserve_spend(uuid, uuid, numeric, interval), vox_private.release_spend(uuid),
  vox_private.release_lapsed(), vox_private.audit_change()
  from public;

-- What was charged before.
select vox_private.recount_spend(null);
