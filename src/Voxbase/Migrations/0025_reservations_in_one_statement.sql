-- A call that begins, of somebody whose terms are known and who has room, is reserved for by one statement, and let go of by another, without a
-- function around them: a quarter less. What is left to the function is all that needs a closer look.

grant insert (conversation_id, user_id, held_usd, lapses_at), select (conversation_id, user_id, held_usd), delete on vox.reservations to vox_writer;
create policy reservations_write on vox.reservations for all to vox_writer using (true) with check (true);
grant select (user_id, month, limit_usd, alert_ratio, on_exceed, spent_usd, reserved_usd, known_until), update (reserved_usd, updated_at)
  on vox.reserved_spend to vox_writer;
create policy reserved_spend_write on vox.reserved_spend for all to vox_writer using (true) with check (true);

-- A table's own checks are read again from their text for each statement; a domain's are kept ready.
create domain vox.nonnegative_usd as numeric(18,9) constraint nonnegative_usd check (value >= 0);
comment on domain vox.nonnegative_usd is 'US dollars to the nano-dollar, from 0 up.';
drop view vox.budget_positions;
alter table vox.reservations drop constraint reservations_held_not_negative;
alter table vox.reserved_spend drop constraint reserved_spend_not_negative;
alter table vox.reservations alter column held_usd type vox.nonnegative_usd;
alter table vox.reserved_spend alter column reserved_usd type vox.nonnegative_usd;
create view vox.budget_positions with (security_invoker=true) as
 SELECT u.id AS user_id,
    u.email,
    u.tier,
    w.month,
        CASE
            WHEN b.override_until > now() THEN b.override_limit_usd
            ELSE COALESCE(b.limit_usd, t.limit_usd, 500::numeric)
        END AS limit_usd,
    COALESCE(b.alert_ratio, t.alert_ratio, 0.8) AS alert_ratio,
    COALESCE(b.on_exceed, t.on_exceed, 'stop'::vox.on_exceed) AS on_exceed,
        CASE
            WHEN b.override_until > now() THEN b.override_until
            ELSE NULL::timestamp with time zone
        END AS override_until,
    COALESCE(s.amount_usd, 0::numeric) AS spent_usd,
    GREATEST(0::numeric, COALESCE(r.reserved_usd, 0::numeric) - COALESCE(l.held_usd, 0::numeric)) AS reserved_usd,
    COALESCE(s.tokens, 0::numeric) AS tokens,
    COALESCE(s.conversations, 0) AS conversations
   FROM ( SELECT vox_private.budget_month(now()) AS month
         OFFSET 0) w
     CROSS JOIN vox.users u
     LEFT JOIN vox.budgets b ON b.user_id = u.id
     LEFT JOIN vox.budgets t ON t.tier = u.tier
     LEFT JOIN vox.monthly_spend s ON s.user_id = u.id AND s.month = w.month
     LEFT JOIN vox.reserved_spend r ON r.user_id = u.id
     LEFT JOIN LATERAL ( SELECT sum(reservations.held_usd) AS held_usd
           FROM vox.reservations
          WHERE reservations.user_id = u.id AND reservations.lapses_at <= now()) l ON true
  WHERE u.deleted_at IS NULL;
comment on view vox.budget_positions is 'Where each user stands this month: limit in force, spent, reserved.';
grant select on vox.budget_positions to authenticated, service_role;

drop function vox_private.reserve_spend(uuid, uuid, numeric, interval);
create function vox_private.reserve_spend(call uuid, payer uuid, amount numeric, lapse interval, is_new boolean) returns vox_private.standing
language plpgsql security definer set search_path = '' as
$$
declare
  standing vox_private.standing;
  known record;
  held numeric;
  added numeric;
  is_over boolean;
  is_needed boolean;
  setting text;
begin
  -- Not worth a flush of its own: the next durable commit, of the conversation or its first charge, carries it to the disk, and a crash
  -- before that takes the call's beginning with it.
  setting := pg_catalog.set_config('synchronous_commit', 'off', true);

  if payer is null then
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
comment on function vox_private.reserve_spend(uuid, uuid, numeric, interval, boolean) is
  'Where the payer stands with this call''s reservation made or kept; null for a call that is over or that nobody pays for. is_new: this statement has made it, and the payer''s sum does not have it yet.';
revoke execute on function vox_private.reserve_spend(uuid, uuid, numeric, interval, boolean) from public;
grant execute on function vox_private.reserve_spend(uuid, uuid, numeric, interval, boolean) to vox_writer;
revoke execute on function vox_private.release_spend(uuid) from service_role, vox_writer;
revoke execute on function vox_private.release_lapsed() from service_role;
grant execute on function vox_private.release_lapsed() to vox_writer;
