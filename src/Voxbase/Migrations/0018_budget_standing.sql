-- A reservation reads one row and writes two, and letting go of it writes the same two.
--
-- reserved_spend now holds all that a reservation asks: what is spent this month, the limit in force and until when this is known
-- (known_until). While it is known, one update checks and reserves: PostgreSQL repeats its condition on the row that another call left, so
-- callers at once are counted exactly. Whatever changes the terms (a budget, a tier, a user, the window, a conversation's owner) only says
-- that they are known no more; the next reservation reads them again.
--
-- Whoever reads the terms holds the user's row, and so does whoever changes them, even of a user who has no row yet: nothing falls between.
--
-- Lock order: conversation, month rows by (user, month), reservations by (conversation, user), reserved_spend by user. Lapsed reservations
-- are taken away only where nobody holds them, so that waits for none.

alter table vox.reserved_spend
  add column month date,
  add column spent_usd numeric(18,9) not null default 0,
  add column limit_usd numeric(18,9),
  add column alert_ratio numeric(5,4),
  add column on_exceed vox.on_exceed,
  add column known_until timestamptz not null default '-infinity',
  add constraint reserved_spend_known check (known_until = '-infinity' or (month, limit_usd, alert_ratio, on_exceed) is not null);
comment on table vox.reserved_spend is 'Where each user stands: what running calls hold, and what a reservation must know; the lock under which that changes.';
comment on column vox.reserved_spend.reserved_usd is 'The sum of the user''s reservations, those that lapsed included until they are taken away.';
comment on column vox.reserved_spend.month is 'The budget month that spent_usd is of.';
comment on column vox.reserved_spend.spent_usd is 'What the month''s charges came to: monthly_spend, while it is known.';
comment on column vox.reserved_spend.limit_usd is 'The limit in force, US dollars.';
comment on column vox.reserved_spend.known_until is 'Until when month, spent, limit, ratio and on_exceed hold: to the month''s or an override''s end; -infinity: read them again.';

-- By user alone: a renewal moves lapses_at, and must not touch an index.
drop index vox.reservations_lapsing_idx;
create index reservations_user_idx on vox.reservations (user_id);

-- 1. What a reservation must know ------------------------------------------------------------------------------------------------------

-- The caller holds the user's row; this is a statement of its own, so it sees what was committed before.
create function vox_private.learn_standing(payer uuid) returns void
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
begin
  update vox.reserved_spend s set
    month = p.month,
    spent_usd = p.spent_usd,
    limit_usd = p.limit_usd,
    alert_ratio = p.alert_ratio,
    on_exceed = p.on_exceed,
    known_until = least((p.month + interval '1 month') at time zone p.time_zone, p.override_until),
    updated_at = pg_catalog.now()
  from (
    select w.month, w.time_zone, coalesce(m.amount_usd, 0) as spent_usd,
      case when b.override_until > pg_catalog.now() then b.override_limit_usd else coalesce(b.limit_usd, t.limit_usd, 500) end as limit_usd,
      coalesce(b.alert_ratio, t.alert_ratio, 0.8) as alert_ratio,
      coalesce(b.on_exceed, t.on_exceed, 'stop') as on_exceed,
      case when b.override_until > pg_catalog.now() then b.override_until end as override_until
    from (select time_zone, vox_private.budget_month(pg_catalog.now()) as month from vox.budget_window offset 0) w
    -- Somebody known only by their token so far, or deleted, is held to the tier that users begin with.
    left join vox.users u on u.id = payer and u.deleted_at is null
    left join vox.budgets b on b.user_id = u.id
    left join vox.budgets t on t.tier = coalesce(u.tier, 'free')
    left join vox.monthly_spend m on m.user_id = payer and m.month = w.month
  ) p
  where s.user_id = payer;
end
$$;
comment on function vox_private.learn_standing(uuid) is 'Reads month, spent and limit of a user into their row of reserved_spend.';

create function vox_private.forget_standing(only_users uuid[]) returns void
language plpgsql security definer set search_path = '' as
$$
begin
  if only_users is null then
    -- Nobody reserves meanwhile, nor for the first time.
    lock table vox.reserved_spend in share row exclusive mode;
    update vox.reserved_spend set known_until = '-infinity' where known_until <> '-infinity';
    return;
  end if;
  -- A row for who has none: whoever makes it at the same time waits for the other.
  insert into vox.reserved_spend as s (user_id)
  select distinct u from unnest(only_users) u where u is not null order by u
  on conflict (user_id) do update set known_until = '-infinity';
end
$$;
comment on function vox_private.forget_standing(uuid[]) is 'The next reservation of these users, or of all (null), reads month, spent and limit again.';

create function vox_private.budgets_forget() returns trigger
language plpgsql security definer set search_path = '' as
$$
begin
  perform vox_private.forget_standing(case when coalesce(new.tier, old.tier) is null then array[new.user_id, old.user_id] end);
  return null;
end
$$;
create trigger budgets_forget after insert or update or delete on vox.budgets
  for each row execute function vox_private.budgets_forget();

create function vox_private.users_forget() returns trigger
language plpgsql security definer set search_path = '' as
$$
begin
  perform vox_private.forget_standing(array[new.id]);
  return null;
end
$$;
-- Somebody new in the first tier is held to what they were held to before.
create trigger users_forget_new after insert on vox.users
  for each row when (new.tier <> 'free') execute function vox_private.users_forget();
create trigger users_forget after update of tier, deleted_at on vox.users
  for each row when (old.tier <> new.tier or old.deleted_at is distinct from new.deleted_at) execute function vox_private.users_forget();

create or replace function vox_private.recount_spend(only_users uuid[]) returns void
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
  perform vox_private.forget_standing(only_users);
end
$$;

-- 2. Charges become spending -----------------------------------------------------------------------------------------------------------

create or replace function vox_private.charges_spent() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
declare
  zone text;
  day integer;
  payers uuid[];
  used numeric[];
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

  -- What a call holds is used up by what it is charged. Nobody else takes from it: the conversation is locked.
  with held as (
    select r.conversation_id, r.user_id, least(r.held_usd, a.amount_usd) as amount_usd
    from (
      select c.conversation_id, c.user_id, sum(c.amount_usd) as amount_usd from added_charges c group by 1, 2
    ) a
    join vox.reservations r on r.conversation_id = a.conversation_id and r.user_id = a.user_id
    where a.amount_usd > 0 and r.held_usd > 0
    order by r.conversation_id, r.user_id
    for no key update of r
  ), settled as (
    update vox.reservations r set held_usd = r.held_usd - h.amount_usd
    from held h
    where r.conversation_id = h.conversation_id and r.user_id = h.user_id
    returning r.user_id, h.amount_usd
  )
  select array_agg(s.user_id), array_agg(s.amount_usd) into payers, used from settled s;

  -- A row for who has none: whoever reserves for the first time waits for it, and then reads what is charged here.
  insert into vox.reserved_spend as s (user_id)
  select c.user_id from added_charges c where c.user_id is not null group by c.user_id order by c.user_id
  on conflict (user_id) do update set
    spent_usd = s.spent_usd + coalesce((
      select sum(c.amount_usd) from added_charges c
      where c.user_id = s.user_id and c.charged_at at time zone zone >= s.month and c.charged_at at time zone zone < s.month + interval '1 month'), 0),
    reserved_usd = s.reserved_usd - coalesce((select sum(u.amount_usd) from unnest(payers, used) u(user_id, amount_usd) where u.user_id = s.user_id), 0),
    updated_at = pg_catalog.now();
  return null;
end
$$;

create or replace function vox_private.charges_moved() returns trigger
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

  perform vox_private.forget_standing(array(select b.user_id from charges_before b union select a.user_id from charges_after a));
  return null;
end
$$;

-- 3. Reservations ----------------------------------------------------------------------------------------------------------------------

-- Takes a user's lapsed reservations away, but those that somebody holds at this moment, and one that is to stay.
drop function vox_private.drop_lapsed(uuid);
create function vox_private.drop_lapsed(payer uuid, but uuid) returns integer
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
declare
  lapsed integer;
  held numeric;
begin
  with gone as (
    delete from vox.reservations r
    where (r.conversation_id, r.user_id) in (
      select l.conversation_id, l.user_id from vox.reservations l
      where l.user_id = payer and l.lapses_at <= pg_catalog.now() and l.conversation_id is distinct from but
      for update skip locked)
    returning r.held_usd
  )
  select count(*), sum(g.held_usd) into lapsed, held from gone g;
  if lapsed > 0 then
    update vox.reserved_spend s set reserved_usd = s.reserved_usd - held, updated_at = pg_catalog.now() where s.user_id = payer;
  end if;
  return lapsed;
end
$$;

create type vox_private.standing as (
  user_id uuid,
  month date,
  limit_usd numeric,
  alert_ratio numeric,
  on_exceed text,
  spent_usd numeric,
  reserved_usd numeric,
  held_usd numeric
);
comment on type vox_private.standing is 'Where a call''s payer stands. held_usd is null when the call holds nothing: there was no room.';

-- A value, not a set of rows: those would be put into a tuplestore, which takes a tenth of the whole.
drop function vox_private.reserve_spend(uuid, uuid, numeric, interval);
create function vox_private.reserve_spend(call uuid, payer uuid, amount numeric, lapse interval) returns vox_private.standing
language plpgsql security definer set search_path = '' as
$$
declare
  standing vox_private.standing;
  known record;
  held numeric;
  added numeric;
  is_over boolean;
  is_new boolean := false;
  is_needed boolean;
  setting text;
begin
  -- Not worth a flush of its own: the next durable commit, of the conversation or its first charge, carries it to the disk, and a crash
  -- before that takes the call's beginning with it.
  setting := pg_catalog.set_config('synchronous_commit', 'off', true);

  if payer is not null then
    -- A call that begins, of somebody whose terms are known and who has room: this is all.
    insert into vox.reservations (conversation_id, user_id, held_usd, lapses_at)
    values (call, payer, amount, pg_catalog.now() + lapse)
    on conflict do nothing;
    is_new := found;
    if is_new then
      update vox.reserved_spend s set reserved_usd = s.reserved_usd + amount, updated_at = pg_catalog.now()
      where s.user_id = payer and s.known_until > pg_catalog.now()
        and (s.on_exceed = 'warn' or s.spent_usd + s.reserved_usd < s.limit_usd)
      returning s.user_id, s.month, s.limit_usd, s.alert_ratio, s.on_exceed::text, s.spent_usd, s.reserved_usd, amount into standing;
      if found then
        return standing;
      end if;
    end if;
  else
    -- A running call is known by its conversation alone; one that is over holds nothing.
    select c.user_id, c.ended_at is not null into payer, is_over from vox.conversations c where c.id = call;
    if is_over then
      perform vox_private.release_spend(call);
      return null;
    end if;
    if payer is null then
      select r.user_id into payer from vox.reservations r where r.conversation_id = call limit 1;
    end if;
    if payer is null then
      return null;
    end if;
    -- Nothing to renew and nothing to fill up.
    select s.user_id, s.month, s.limit_usd, s.alert_ratio, s.on_exceed::text, s.spent_usd, s.reserved_usd, r.held_usd into standing
    from vox.reservations r
    join vox.reserved_spend s on s.user_id = r.user_id
    where r.conversation_id = call and r.user_id = payer and r.held_usd >= amount / 2 and r.lapses_at > pg_catalog.now() + lapse / 2
      and s.known_until > pg_catalog.now();
    if found then
      return standing;
    end if;
  end if;

  -- The call's reservation, there already or made, which nobody else has now; then the user's row.
  while not is_new loop
    select r.held_usd into held from vox.reservations r where r.conversation_id = call and r.user_id = payer for no key update;
    exit when found;
    insert into vox.reservations (conversation_id, user_id, held_usd, lapses_at)
    values (call, payer, amount, pg_catalog.now() + lapse)
    on conflict do nothing;
    is_new := found;
  end loop;
  select s.* into known from vox.reserved_spend s where s.user_id = payer for no key update;
  if not found then
    insert into vox.reserved_spend (user_id) values (payer) on conflict do nothing;
    select s.* into known from vox.reserved_spend s where s.user_id = payer for no key update;
  end if;
  if known.known_until <= pg_catalog.now() then
    perform vox_private.learn_standing(payer);
    select s.* into known from vox.reserved_spend s where s.user_id = payer;
  end if;

  is_needed := is_new or held < amount / 2;
  if is_needed and known.on_exceed = 'stop' and known.spent_usd + known.reserved_usd >= known.limit_usd
    and vox_private.drop_lapsed(payer, call) > 0 then
    select s.* into known from vox.reserved_spend s where s.user_id = payer;
  end if;
  if is_needed and (known.on_exceed = 'warn' or known.spent_usd + known.reserved_usd < known.limit_usd) then
    added := amount - coalesce(held, 0);
    update vox.reserved_spend s set reserved_usd = s.reserved_usd + added, updated_at = pg_catalog.now() where s.user_id = payer;
  end if;
  if not is_new then
    update vox.reservations r set held_usd = r.held_usd + coalesce(added, 0), lapses_at = pg_catalog.now() + lapse
    where r.conversation_id = call and r.user_id = payer;
  elsif added is null then
    delete from vox.reservations r where r.conversation_id = call and r.user_id = payer;
  end if;

  return row(
    payer, known.month, known.limit_usd, known.alert_ratio, known.on_exceed::text, known.spent_usd,
    known.reserved_usd + coalesce(added, 0), coalesce(held + coalesce(added, 0), added));
end
$$;
comment on function vox_private.reserve_spend(uuid, uuid, numeric, interval) is
  'Where the payer stands with this call''s reservation made or kept; null for a call that is over or that nobody pays for.';
grant execute on function vox_private.reserve_spend(uuid, uuid, numeric, interval) to service_role;

create or replace function vox_private.release_spend(call uuid) returns void
language plpgsql security definer set search_path = '' as
$$
declare
  payer uuid;
  held numeric;
  setting text := pg_catalog.set_config('synchronous_commit', 'off', true);
begin
  for payer, held in delete from vox.reservations r where r.conversation_id = call returning r.user_id, r.held_usd loop
    update vox.reserved_spend s set reserved_usd = s.reserved_usd - held, updated_at = pg_catalog.now() where s.user_id = payer;
  end loop;
end
$$;

create or replace function vox_private.release_lapsed() returns integer
language plpgsql security definer set search_path = '' as
$$
declare
  payer uuid;
  released integer := 0;
begin
  for payer in select distinct r.user_id from vox.reservations r where r.lapses_at <= pg_catalog.now() order by r.user_id loop
    released := released + vox_private.drop_lapsed(payer, null);
  end loop;
  return released;
end
$$;

revoke execute on function
  vox_private.learn_standing(uuid), vox_private.forget_standing(uuid[]), vox_private.budgets_forget(), vox_private.users_forget(),
  vox_private.drop_lapsed(uuid, uuid), vox_private.reserve_spend(uuid, uuid, numeric, interval)
  from public;
