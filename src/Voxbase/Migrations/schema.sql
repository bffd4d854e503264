-- The schema as the migrations leave it: what they are about, not how it came to be. Written from the catalogs by
-- `voxbase migrate dump`; a test keeps it equal. Owners and the partitions of single months are left out.
-- The roles are those of 0001_roles.sql.

-- Functions come before the tables that they read.
set check_function_bodies = off;

-- Schemas ---------------------------------------------------------------------------------------------------------------------------------

create schema if not exists auth;
comment on schema auth is 'The identity of the present request, as its claims state it.';
grant usage on schema auth to anon, authenticated, service_role, vox_writer;

create schema if not exists vox;
comment on schema vox is 'Voxbase: the system of record for voice AI. Exposed: row-level security guards every table.';
grant usage on schema vox to authenticated, service_role, vox_writer;

create schema if not exists vox_private;
comment on schema vox_private is 'Voxbase internals: trigger and policy functions. Never exposed over HTTP.';
grant usage on schema vox_private to authenticated, service_role, vox_writer;

-- Types -----------------------------------------------------------------------------------------------------------------------------------

create type vox.alert_severity as enum ('info', 'warning', 'critical');
create type vox.cleaning_level as enum ('none', 'light', 'full');
create type vox.confidence as enum ('HIGH', 'MEDIUM', 'LOW');
create type vox.conversation_kind as enum ('realtime', 'call', 'clone', 'transcript', 'agent');
create type vox.conversation_state as enum ('idle', 'listening', 'processing', 'speaking', 'interrupted', 'error');
create type vox.conversation_status as enum ('pending', 'active', 'completed', 'failed');
create type vox.on_exceed as enum ('stop', 'warn');
create type vox.participant_type as enum ('user', 'agent', 'admin');
create type vox.turn_role as enum ('user', 'assistant', 'system', 'tool');
create type vox.user_role as enum ('user', 'admin');
create type vox.user_tier as enum ('free', 'pro', 'enterprise');

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

create type vox_private.usage_part as (
  day date,
  measure text,
  kind text,
  provider text,
  model text,
  stage text,
  meter text,
  bucket smallint,
  count bigint,
  quantity numeric,
  amount_usd numeric,
  saved_usd numeric
);
comment on type vox_private.usage_part is 'One thing that a conversation adds to the statistics of a day.';

create type vox_private.usage_sum as (
  scope uuid,
  dimension text,
  by_month boolean,
  period date,
  key text,
  provider text,
  conversations bigint,
  completed bigint,
  failed bigint,
  ai_conversations bigint,
  duration_seconds bigint,
  completed_seconds bigint,
  turns bigint,
  interruptions bigint,
  function_calls bigint,
  errors bigint,
  processing_ms bigint,
  high_confidence_turns bigint,
  input_tokens bigint,
  output_tokens bigint,
  cached_tokens bigint,
  input_text_tokens bigint,
  input_audio_tokens bigint,
  input_image_tokens bigint,
  cached_text_tokens bigint,
  cached_audio_tokens bigint,
  output_text_tokens bigint,
  output_audio_tokens bigint,
  charges bigint,
  unpriced bigint,
  cost_usd numeric(24,9),
  saved_usd numeric(24,9),
  meters text[],
  meter_quantities numeric[],
  meter_unpriced bigint[],
  latency_count bigint,
  latency_ms bigint,
  latency_buckets smallint[],
  latency_counts bigint[]
);
comment on type vox_private.usage_sum is 'A row of the rollups: what parts come to under one key.';

-- Domains ---------------------------------------------------------------------------------------------------------------------------------

create domain vox.json_array as jsonb constraint json_array CHECK ((jsonb_typeof(VALUE) = 'array'::text));
create domain vox.json_object as jsonb constraint json_object CHECK ((jsonb_typeof(VALUE) = 'object'::text));

create domain vox.nonnegative as integer constraint nonnegative CHECK ((VALUE >= 0));
comment on domain vox.nonnegative is 'Tokens, milliseconds, counts: from 0 up.';

create domain vox.nonnegative_usd as numeric(18,9) constraint nonnegative_usd CHECK ((VALUE >= (0)::numeric));
comment on domain vox.nonnegative_usd is 'US dollars to the nano-dollar, from 0 up.';

create domain vox.provider_name as text constraint provider_name CHECK (((length(VALUE) >= 1) AND (length(VALUE) <= 512)));
comment on domain vox.provider_name is 'A name that a provider or client gives: 1 to 512 characters.';

-- Functions -------------------------------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION auth.jwt()
 RETURNS jsonb
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb $function$;
comment on function auth.jwt() is 'All claims of the request, or null without one.';
grant execute on function auth.jwt() to anon, authenticated, service_role, vox_writer;

CREATE OR REPLACE FUNCTION auth.role()
 RETURNS text
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'role' $function$;
comment on function auth.role() is 'The role that the request claims: anon, authenticated or service_role.';
grant execute on function auth.role() to anon, authenticated, service_role, vox_writer;

CREATE OR REPLACE FUNCTION auth.uid()
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$ select (nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $function$;
comment on function auth.uid() is 'The user of the request (claim sub), or null without one.';
grant execute on function auth.uid() to anon, authenticated, service_role, vox_writer;

CREATE OR REPLACE FUNCTION vox.usage_stats(for_user uuid, since date, until date, by text)
 RETURNS TABLE(key text, provider text, model text, conversations bigint, completed bigint, failed bigint, ai_conversations bigint, duration_seconds bigint, completed_seconds bigint, turns bigint, interruptions bigint, function_calls bigint, errors bigint, processing_ms bigint, high_confidence_turns bigint, input_tokens bigint, output_tokens bigint, cached_tokens bigint, input_text_tokens bigint, input_audio_tokens bigint, input_image_tokens bigint, cached_text_tokens bigint, cached_audio_tokens bigint, output_text_tokens bigint, output_audio_tokens bigint, charges bigint, unpriced bigint, cost_usd numeric, saved_usd numeric, meters jsonb, latency_count bigint, latency_mean_ms numeric, latency_p50_ms numeric, latency_p95_ms numeric, latency_p99_ms numeric)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
#variable_conflict use_column
declare
  whose constant uuid := coalesce(for_user, 'ffffffff-ffff-ffff-ffff-ffffffffffff');
  asked constant text := case when by in ('kind', 'model', 'stage') then by else 'total' end;
  whole_from date := date_trunc('month', since::timestamp + interval '1 month' - interval '1 day')::date;
  whole_until date := date_trunc('month', until::timestamp)::date;
  stale uuid[];
  live vox_private.usage_part[];
begin
  if by is null or by not in ('total', 'day', 'month', 'kind', 'model', 'stage') then
    raise exception 'by must be total, day, month, kind, model or stage' using errcode = 'invalid_parameter_value';
  end if;
  if since is null or until is null or since >= until then
    raise exception 'since must be before until' using errcode = 'invalid_parameter_value';
  end if;
  -- The policies hide what is not the caller's; this says so instead of answering with nothing.
  if current_user = 'authenticated' and for_user is distinct from auth.uid() and not vox_private.is_admin() then
    raise exception 'the statistics of others are for admins' using errcode = 'insufficient_privilege';
  end if;

  -- Whole months from the months' rows, what is left at both ends, and every single day when days are asked for, from the days'.
  if by = 'day' or whole_from >= whole_until then
    whole_from := until;
    whole_until := until;
  end if;
  if for_user is null then
    stale := array(select c.id from vox.conversations c where c.usage_stale);
  else
    stale := array(select c.id from vox.conversations c where c.usage_stale and c.user_id = for_user);
  end if;
  if cardinality(stale) > 0 then
    select array_agg(p.part) into live
    from (
      select l.part from vox_private.usage_parts(stale) l
      union all
      select row(k.day, k.measure, k.kind, k.provider, k.model, k.stage, k.meter, k.bucket, -k.count, -k.quantity, -k.amount_usd, -k.saved_usd)::vox_private.usage_part
      from vox.usage_folds f
      cross join unnest(f.parts) k
      where f.conversation_id = any (stale)
    ) p
    where (p.part).day >= since and (p.part).day < until;
  end if;

  return query
  with facts as materialized (
    select dense_rank() over (order by f.label, f.provider)::integer as place, count(*) over (partition by f.label, f.provider) = 1 as is_alone, f.*
    from (
      select case by when 'day' then to_char(r.period, 'YYYY-MM-DD') when 'month' then to_char(r.period, 'YYYY-MM') else r.key end as label, r.*
      from (
        select r.* from vox.usage_rollups r
        where r.scope = whose and r.dimension = asked and r.by_month and r.period >= whole_from and r.period < whole_until
        union all
        select r.* from vox.usage_rollups r
        where r.scope = whose and r.dimension = asked and not r.by_month and r.period >= since and r.period < least(whole_from, until)
        union all
        select r.* from vox.usage_rollups r
        where r.scope = whose and r.dimension = asked and not r.by_month and r.period >= whole_until and r.period < until
        union all
        select l.* from vox_private.usage_sums(array_fill(whose, array[coalesce(cardinality(live), 0)]), live) l
        where l.dimension = asked and not l.by_month
      ) r
    ) f
  ), sums as (
    select
      f.place, f.label, f.provider,
      sum(f.conversations)::bigint as conversations, sum(f.completed)::bigint as completed, sum(f.failed)::bigint as failed,
      sum(f.ai_conversations)::bigint as ai_conversations, sum(f.duration_seconds)::bigint as duration_seconds,
      sum(f.completed_seconds)::bigint as completed_seconds, sum(f.turns)::bigint as turns, sum(f.interruptions)::bigint as interruptions,
      sum(f.function_calls)::bigint as function_calls, sum(f.errors)::bigint as errors, sum(f.processing_ms)::bigint as processing_ms,
      sum(f.high_confidence_turns)::bigint as high_confidence_turns, sum(f.input_tokens)::bigint as input_tokens,
      sum(f.output_tokens)::bigint as output_tokens, sum(f.cached_tokens)::bigint as cached_tokens,
      sum(f.input_text_tokens)::bigint as input_text_tokens, sum(f.input_audio_tokens)::bigint as input_audio_tokens,
      sum(f.input_image_tokens)::bigint as input_image_tokens, sum(f.cached_text_tokens)::bigint as cached_text_tokens,
      sum(f.cached_audio_tokens)::bigint as cached_audio_tokens, sum(f.output_text_tokens)::bigint as output_text_tokens,
      sum(f.output_audio_tokens)::bigint as output_audio_tokens, sum(f.charges)::bigint as charges, sum(f.unpriced)::bigint as unpriced,
      sum(f.cost_usd) as cost_usd, sum(f.saved_usd) as saved_usd, sum(f.latency_count)::bigint as latency_count, sum(f.latency_ms) as latency_ms
    from facts f
    group by f.place, f.label, f.provider
  ), charged as (
    select m.place, jsonb_object_agg(m.meter, m.quantity) as meters
    from (
      select f.place, u.meter, sum(u.quantity) as quantity
      from facts f
      cross join lateral unnest(f.meters, f.meter_quantities) u(meter, quantity)
      group by f.place, u.meter
      having sum(u.quantity) <> 0
    ) m
    group by m.place
  ), histograms as (
    -- A day's row is a group of its own: its histogram is there already.
    select f.place, f.latency_buckets as buckets, f.latency_counts as counts
    from facts f
    where f.is_alone
    union all
    select c.place, array_agg(c.bucket order by c.bucket), array_agg(c.count order by c.bucket)
    from (
      select f.place, u.bucket, sum(u.count)::bigint as count
      from facts f
      cross join lateral unnest(f.latency_buckets, f.latency_counts) u(bucket, count)
      where not f.is_alone
      group by f.place, u.bucket
    ) c
    group by c.place
  ), percentiles as materialized (
    select h.place, vox_private.percentiles(h.buckets, h.counts) as ms from histograms h
  )
  select
    case when by = 'total' then null else s.label end, nullif(s.provider, ''), case when by = 'model' then nullif(s.label, '') end,
    s.conversations, s.completed, s.failed, s.ai_conversations, s.duration_seconds, s.completed_seconds, s.turns, s.interruptions,
    s.function_calls, s.errors, s.processing_ms, s.high_confidence_turns, s.input_tokens, s.output_tokens, s.cached_tokens,
    s.input_text_tokens, s.input_audio_tokens, s.input_image_tokens, s.cached_text_tokens, s.cached_audio_tokens, s.output_text_tokens,
    s.output_audio_tokens, s.charges, s.unpriced, s.cost_usd::numeric(24,9), s.saved_usd::numeric(24,9), coalesce(m.meters, '{}'), s.latency_count,
    case when s.latency_count > 0 then round(s.latency_ms / s.latency_count, 2) end,
    q.ms[1], q.ms[2], q.ms[3]
  from sums s
  left join charged m on m.place = s.place
  left join percentiles q on q.place = s.place
  -- What was taken back entirely leaves rows of nothing.
  where (s.conversations, s.charges, s.latency_count, s.cost_usd, s.saved_usd, s.unpriced, s.input_tokens, s.output_tokens, s.cached_tokens)
    <> (0, 0, 0, 0, 0, 0, 0, 0, 0)
  order by s.place;
end
$function$;
comment on function vox.usage_stats(uuid,date,date,text) is 'Usage and cost of a user, or of everyone (null), from a day to another that is not included, UTC; by total, day, month, kind, model or stage. Percentiles are within 2 %.';
revoke execute on function vox.usage_stats(uuid,date,date,text) from public;
grant execute on function vox.usage_stats(uuid,date,date,text) to authenticated, service_role;

CREATE OR REPLACE FUNCTION vox.usage_stats(for_user uuid, period interval DEFAULT '30 days'::interval)
 RETURNS TABLE(key text, provider text, model text, conversations bigint, completed bigint, failed bigint, ai_conversations bigint, duration_seconds bigint, completed_seconds bigint, turns bigint, interruptions bigint, function_calls bigint, errors bigint, processing_ms bigint, high_confidence_turns bigint, input_tokens bigint, output_tokens bigint, cached_tokens bigint, input_text_tokens bigint, input_audio_tokens bigint, input_image_tokens bigint, cached_text_tokens bigint, cached_audio_tokens bigint, output_text_tokens bigint, output_audio_tokens bigint, charges bigint, unpriced bigint, cost_usd numeric, saved_usd numeric, meters jsonb, latency_count bigint, latency_mean_ms numeric, latency_p50_ms numeric, latency_p95_ms numeric, latency_p99_ms numeric)
 LANGUAGE sql
 STABLE
 SET search_path TO ''
AS $function$
  select * from vox.usage_stats(
    for_user, ((now() at time zone 'UTC') - period)::date, (now() at time zone 'UTC')::date + 1, 'total')
$function$;
comment on function vox.usage_stats(uuid,interval) is 'The same in one row, of the days that the past period touches, today included.';
revoke execute on function vox.usage_stats(uuid,interval) from public;
grant execute on function vox.usage_stats(uuid,interval) to authenticated, service_role;

-- On PostgreSQL 18 its body is: select pg_catalog.uuidv7()
CREATE OR REPLACE FUNCTION vox.uuid_v7()
 RETURNS uuid
 LANGUAGE plpgsql
 PARALLEL SAFE
 SET search_path TO ''
AS $function$
    begin
      return pg_catalog.encode(
        pg_catalog.set_bit(
          pg_catalog.set_bit(
            pg_catalog.overlay(
              pg_catalog.uuid_send(pg_catalog.gen_random_uuid()),
              pg_catalog.substring(
                pg_catalog.int8send((extract(epoch from pg_catalog.clock_timestamp()) * 1000)::bigint), 3),
              1, 6),
            52, 1),
          53, 1),
        'hex')::uuid;
    end
    $function$;
comment on function vox.uuid_v7() is 'A new id whose order is its time of making.';
grant execute on function vox.uuid_v7() to anon, authenticated, service_role, vox_writer;

CREATE OR REPLACE FUNCTION vox.uuid_v7_floor(moment timestamp with time zone)
 RETURNS uuid
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO ''
AS $function$
begin
  return (pg_catalog.lpad(pg_catalog.to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid;
end
$function$;
comment on function vox.uuid_v7_floor(timestamp with time zone) is 'The lowest uuid of that moment: a range of times is the range of ids between two floors.';
grant execute on function vox.uuid_v7_floor(timestamp with time zone) to authenticated, service_role;

CREATE OR REPLACE FUNCTION vox_private.audit_change()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  changed jsonb := case when tg_op = 'DELETE' then pg_catalog.to_jsonb(old) else pg_catalog.to_jsonb(new) end;
begin
  insert into vox.audit_log (actor_id, actor_role, action, resource)
  values (auth.uid(), coalesce(auth.role(), session_user::text), tg_argv[0] || '.' || lower(tg_op),
    tg_table_name || '/' || coalesce(changed ->> 'user_id', changed ->> 'tier', changed ->> 'name', changed ->> 'id'));
  return null;
end
$function$;
revoke execute on function vox_private.audit_change() from public;

CREATE OR REPLACE FUNCTION vox_private.audit_read(conversation uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  insert into vox.audit_log (actor_id, actor_role, action, resource)
  select auth.uid(), auth.role(), 'conversation.read', 'conversations/' || c.id
  from vox.conversations c
  where c.id = conversation
    and c.user_id is distinct from auth.uid()
    and (auth.role() = 'service_role' or vox_private.is_admin());
end
$function$;
revoke execute on function vox_private.audit_read(uuid) from public;
grant execute on function vox_private.audit_read(uuid) to authenticated, service_role;

CREATE OR REPLACE FUNCTION vox_private.audit_usage(for_user uuid)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  insert into vox.audit_log (actor_id, actor_role, action, resource)
  select auth.uid(), auth.role(), 'usage.read', 'users/' || for_user
  where for_user is distinct from auth.uid() and for_user is not null
    and (auth.role() = 'service_role' or vox_private.is_admin())
$function$;
revoke execute on function vox_private.audit_usage(uuid) from public;
grant execute on function vox_private.audit_usage(uuid) to authenticated, service_role;

CREATE OR REPLACE FUNCTION vox_private.budget_month(moment timestamp with time zone)
 RETURNS date
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE STRICT
 SET search_path TO ''
AS $function$
begin
  return (select vox_private.month_of(moment, w.time_zone, w.first_day) from vox.budget_window w);
end
$function$;
revoke execute on function vox_private.budget_month(timestamp with time zone) from public;
grant execute on function vox_private.budget_month(timestamp with time zone) to authenticated, service_role;

CREATE OR REPLACE FUNCTION vox_private.budget_window_changed()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform vox_private.recount_spend(null);
  return null;
end
$function$;
revoke execute on function vox_private.budget_window_changed() from public;

CREATE OR REPLACE FUNCTION vox_private.budget_window_changing()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  perform pg_catalog.now() at time zone new.time_zone;
  new.updated_at := pg_catalog.now();
  return new;
end
$function$;
revoke execute on function vox_private.budget_window_changing() from public;

CREATE OR REPLACE FUNCTION vox_private.budgets_forget()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform vox_private.forget_standing(case when coalesce(new.tier, old.tier) is null then array[new.user_id, old.user_id] end);
  return null;
end
$function$;
revoke execute on function vox_private.budgets_forget() from public;

CREATE OR REPLACE FUNCTION vox_private.channel_access(topic text, role text, claims jsonb, headers text, OUT broadcast_read boolean, OUT broadcast_write boolean, OUT presence_read boolean, OUT presence_write boolean)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
declare
  probes uuid[] := array[pg_catalog.gen_random_uuid(), pg_catalog.gen_random_uuid()];
begin
  begin
    insert into realtime.messages (id, topic, extension)
    values (probes[1], channel_access.topic, 'broadcast'), (probes[2], channel_access.topic, 'presence');
    perform pg_catalog.set_config('realtime.topic', channel_access.topic, true),
      pg_catalog.set_config('request.jwt.claims', channel_access.claims::text, true),
      pg_catalog.set_config('request.jwt.claim.sub', coalesce(channel_access.claims ->> 'sub', ''), true),
      pg_catalog.set_config('request.jwt.claim.role', channel_access.role, true),
      pg_catalog.set_config('request.headers', channel_access.headers, true),
      pg_catalog.set_config('role', channel_access.role, true);
    begin
      select coalesce(pg_catalog.bool_or(m.id = probes[1]), false), coalesce(pg_catalog.bool_or(m.id = probes[2]), false)
      into broadcast_read, presence_read
      from realtime.messages m
      where m.id = any (probes) and m.inserted_at >= (pg_catalog.now() at time zone 'utc') - interval '1 minute';
    exception when others then
      broadcast_read := false;
      presence_read := false;
    end;
    begin
      insert into realtime.messages (topic, extension) values (channel_access.topic, 'broadcast');
      broadcast_write := true;
    exception when others then
      broadcast_write := false;
    end;
    begin
      insert into realtime.messages (topic, extension) values (channel_access.topic, 'presence');
      presence_write := true;
    exception when others then
      presence_write := false;
    end;
    raise exception 'undo' using errcode = 'VX001';
  exception when sqlstate 'VX001' then
    null;
  end;
end
$function$;
comment on function vox_private.channel_access(text,text,jsonb,text) is 'What the policies of realtime.messages allow a caller in a private channel. Leaves nothing behind.';
revoke execute on function vox_private.channel_access(text,text,jsonb,text) from public;
grant execute on function vox_private.channel_access(text,text,jsonb,text) to service_role;

CREATE OR REPLACE FUNCTION vox_private.channels_tell(messages bytea[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  message bytea;
begin
  foreach message in array messages loop
    perform pg_catalog.pg_logical_emit_message(true, 'voxbase.channels', message);
  end loop;
end
$function$;
comment on function vox_private.channels_tell(bytea[]) is 'Tells what happened in this server''s channels to the other servers of the database.';
revoke execute on function vox_private.channels_tell(bytea[]) from public;
grant execute on function vox_private.channels_tell(bytea[]) to service_role;

CREATE OR REPLACE FUNCTION vox_private.charges_added()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
begin
  -- Turns before their conversation, as everything that changes a turn does: in one order nobody waits in a circle.
  update vox.turns t set
    asr_cost_usd = t.asr_cost_usd + a.asr,
    llm_cost_usd = t.llm_cost_usd + a.llm,
    tts_cost_usd = t.tts_cost_usd + a.tts
  from (
    select
      conversation_id,
      turn_id,
      coalesce(sum(amount_usd) filter (where stage = 'asr'), 0) as asr,
      coalesce(sum(amount_usd) filter (where stage in ('llm', 'session')), 0) as llm,
      coalesce(sum(amount_usd) filter (where stage = 'tts'), 0) as tts
    from added_charges
    where turn_id is not null and amount_usd <> 0
    group by conversation_id, turn_id
  ) a
  where t.conversation_id = a.conversation_id and t.id = a.turn_id;

  update vox.conversations c set
    cost_usd = c.cost_usd + a.amount,
    unpriced_count = c.unpriced_count + a.unpriced,
    usage_stale = true,
    updated_at = pg_catalog.now()
  from (
    select
      conversation_id,
      coalesce(sum(amount_usd), 0) as amount,
      -- A revision of a charge without a price takes its place.
      sum((unit_price_usd is null)::integer - (corrects is not null and before_usd is null)::integer) as unpriced
    from added_charges
    group by conversation_id
  ) a
  where c.id = a.conversation_id;
  return null;
end
$function$;
revoke execute on function vox_private.charges_added() from public;

CREATE OR REPLACE FUNCTION vox_private.charges_moved()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
revoke execute on function vox_private.charges_moved() from public;

CREATE OR REPLACE FUNCTION vox_private.charges_spent()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
revoke execute on function vox_private.charges_spent() from public;

CREATE OR REPLACE FUNCTION vox_private.cleaning_wanted()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  said jsonb := new.preferences -> 'cleaning';
  wanted boolean;
begin
  wanted := case pg_catalog.jsonb_typeof(said)
    when 'object' then coalesce(said -> 'enabled' <> 'false'::jsonb, true)
    when 'boolean' then said = 'true'::jsonb
    else (select s.is_enabled from vox.cleaning_settings s)
  end;
  if tg_op = 'INSERT' then
    if wanted then
      insert into vox.cleanings (conversation_id, user_id) values (new.id, new.user_id);
    end if;
  else
    insert into vox.cleanings (conversation_id, user_id, is_enabled) values (new.id, new.user_id, wanted)
    on conflict (conversation_id) do update set is_enabled = excluded.is_enabled, is_open = excluded.is_enabled;
  end if;
  return null;
end
$function$;
comment on function vox_private.cleaning_wanted() is 'Takes a conversation on as its preferences say: {"cleaning": true}, or an object with engine, level, mode, language, window_size and enabled; otherwise as the installation does.';
revoke execute on function vox_private.cleaning_wanted() from public;

CREATE OR REPLACE FUNCTION vox_private.conversation_deleted()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
begin
  -- Rows of nobody have no foreign key that takes them along.
  if old.user_id is null then
    delete from vox.function_calls where conversation_id = old.id;
    delete from vox.usage_events where conversation_id = old.id;
  end if;
  -- These have no foreign key to their conversation.
  delete from vox.turns where conversation_id = old.id;
  delete from vox.provider_events where conversation_id = old.id;
  perform vox_private.fold_usage(array[old.id]);
  return null;
end
$function$;
revoke execute on function vox_private.conversation_deleted() from public;

CREATE OR REPLACE FUNCTION vox_private.conversation_going()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform pg_catalog.pg_logical_emit_message(
    true,
    'voxbase.conversation',
    pg_catalog.json_build_object(
      'id', old.id,
      'users', pg_catalog.to_json(array(
        select old.user_id where old.user_id is not null
        union
        select p.user_id from vox.participants p where p.conversation_id = old.id and p.user_id is not null
      )))::text);
  return old;
end
$function$;
revoke execute on function vox_private.conversation_going() from public;

CREATE OR REPLACE FUNCTION vox_private.conversation_moving()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  if new.status <> old.status and not (
    (old.status = 'pending' and new.status in ('active', 'failed'))
    or (old.status = 'active' and new.status in ('completed', 'failed'))
  ) then
    raise exception 'status cannot move from % to %', old.status, new.status
      using errcode = 'check_violation', constraint = 'conversations_status_moves', schema = 'vox', table = 'conversations',
        hint = 'pending moves to active or failed, active to completed or failed; nothing moves on from those.';
  end if;
  if new.state <> old.state and not (
    new.state = 'error'
    or (old.state = 'idle' and new.state = 'listening')
    or (old.state = 'listening' and new.state = 'processing')
    or (old.state = 'processing' and new.state = 'speaking')
    or (old.state = 'speaking' and new.state in ('idle', 'interrupted'))
    or (old.state = 'interrupted' and new.state in ('listening', 'idle'))
    or (old.state = 'error' and new.state = 'idle')
  ) then
    raise exception 'state cannot move from % to %', old.state, new.state
      using errcode = 'check_violation', constraint = 'conversations_state_moves', schema = 'vox', table = 'conversations',
        hint = 'idle, listening, processing, speaking, then idle or interrupted; interrupted to listening or idle; error from anywhere and back to idle.';
  end if;
  if new.status <> old.status and new.status = 'active' then
    new.connected_at := coalesce(new.connected_at, pg_catalog.now());
  end if;
  if new.status <> old.status and new.status in ('completed', 'failed') then
    new.ended_at := coalesce(new.ended_at, pg_catalog.now());
  end if;
  perform vox_private.require_end(new.status, new.ended_at);
  new.duration_seconds := vox_private.seconds_between(coalesce(new.connected_at, new.started_at), new.ended_at);
  new.usage_stale := true;
  new.updated_at := pg_catalog.now();
  return new;
end
$function$;
revoke execute on function vox_private.conversation_moving() from public;

CREATE OR REPLACE FUNCTION vox_private.conversation_of_topic(topic text)
 RETURNS uuid
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO ''
AS $function$
begin
  return case when topic ~ '^conversation:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then pg_catalog.substr(topic, 14)::uuid end;
end
$function$;
comment on function vox_private.conversation_of_topic(text) is 'The conversation whose channel conversation:<id> is, or null for another topic.';
revoke execute on function vox_private.conversation_of_topic(text) from public;
grant execute on function vox_private.conversation_of_topic(text) to authenticated, service_role;

CREATE OR REPLACE FUNCTION vox_private.conversation_owner_changed()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
begin
  -- Who gives a conversation away takes its rows along by their foreign keys; those of nobody have no key that holds them.
  if old.user_id is null then
    update vox.participants set owner_id = new.user_id where conversation_id = new.id and owner_id is null;
    update vox.function_calls set user_id = new.user_id where conversation_id = new.id and user_id is null;
    update vox.usage_events set user_id = new.user_id where conversation_id = new.id and user_id is null;
    update vox.charges set user_id = new.user_id where conversation_id = new.id and user_id is null;
    update vox.cleanings set user_id = new.user_id where conversation_id = new.id and user_id is null;
    update vox.cleaned_versions set user_id = new.user_id where conversation_id = new.id and user_id is null;
    update vox.key_terms set user_id = new.user_id where conversation_id = new.id and user_id is null;
    update vox.recordings set user_id = new.user_id where conversation_id = new.id and user_id is null;
  end if;
  -- These have no foreign key to their conversation.
  update vox.turns set user_id = new.user_id where conversation_id = new.id;
  update vox.provider_events set user_id = new.user_id where conversation_id = new.id;
  perform vox_private.fold_usage(array[new.id]);
  return null;
end
$function$;
revoke execute on function vox_private.conversation_owner_changed() from public;

CREATE OR REPLACE FUNCTION vox_private.conversation_starting()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if new.user_id is null and auth.role() = 'authenticated' then
    new.user_id := auth.uid();
  end if;
  if new.user_id = auth.uid() then
    perform vox_private.ensure_current_user();
  end if;
  if new.status <> 'pending' and new.connected_at is null then
    new.connected_at := new.started_at;
  end if;
  if new.status in ('completed', 'failed') and new.ended_at is null then
    new.ended_at := pg_catalog.now();
  end if;
  perform vox_private.require_end(new.status, new.ended_at);
  new.duration_seconds := vox_private.seconds_between(coalesce(new.connected_at, new.started_at), new.ended_at);
  return new;
end
$function$;
revoke execute on function vox_private.conversation_starting() from public;

CREATE OR REPLACE FUNCTION vox_private.drop_lapsed(payer uuid, but uuid)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
revoke execute on function vox_private.drop_lapsed(uuid,uuid) from public;

CREATE OR REPLACE FUNCTION vox_private.ensure_current_user()
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  subject uuid := auth.uid();
  claimed text := nullif(auth.jwt() ->> 'email', '');
begin
  if subject is null or exists (select from vox.users where id = subject) then
    return;
  end if;
  if claimed !~ '^[^@[:space:]]+@[^@[:space:]]+$' or length(claimed) > 320
    or exists (select from vox.users where lower(email) = lower(claimed)) then
    claimed := null;
  end if;
  insert into vox.users (id, email) values (subject, claimed) on conflict do nothing;
  if not found then
    insert into vox.users (id) values (subject) on conflict do nothing;
  end if;
end
$function$;
revoke execute on function vox_private.ensure_current_user() from public;
grant execute on function vox_private.ensure_current_user() to authenticated, service_role;

CREATE OR REPLACE FUNCTION vox_private.ensure_month(month date)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  parent text;
  child text;
  stored_columns text;
  settings text;
  low uuid := vox.uuid_v7_floor(date_trunc('month', month::timestamp) at time zone 'UTC');
  high uuid := vox.uuid_v7_floor((date_trunc('month', month::timestamp) + interval '1 month') at time zone 'UTC');
  made integer := 0;
begin
  -- Partitions made twice at once would fail the second; one at a time, whatever the server.
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('vox_private.ensure_month'));
  for parent in
    select c.relname from pg_catalog.pg_class c
    where c.relnamespace = 'vox'::regnamespace and c.relkind = 'p' order by c.relname
  loop
    child := parent || pg_catalog.to_char(month, '_YYYY_MM');
    continue when pg_catalog.to_regclass('vox.' || pg_catalog.quote_ident(child)) is not null;
    execute pg_catalog.format('create table vox.%I (like vox.%I including all)', child, parent);
    -- A partitioned table has no settings of storage to be like: those of its default partition are.
    select pg_catalog.array_to_string(c.reloptions, ', ') into settings
    from pg_catalog.pg_class c
    where c.oid = pg_catalog.to_regclass('vox.' || pg_catalog.quote_ident(parent || '_default'));
    if settings <> '' then
      execute pg_catalog.format('alter table vox.%I set (%s)', child, settings);
    end if;
    execute pg_catalog.format('alter table vox.%I enable row level security', child);
    select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' order by a.attnum) into stored_columns
    from pg_catalog.pg_attribute a
    where a.attrelid = ('vox.' || pg_catalog.quote_ident(parent))::regclass
      and a.attnum > 0 and not a.attisdropped and a.attgenerated = '';
    execute pg_catalog.format('alter table vox.%I no force row level security', parent || '_default');
    execute pg_catalog.format(
      'with taken as (delete from vox.%1$I where conversation_id >= $1 and conversation_id < $2 returning %3$s)
       insert into vox.%2$I (%3$s) select %3$s from taken',
      parent || '_default', child, stored_columns) using low, high;
    execute pg_catalog.format('alter table vox.%I force row level security', parent || '_default');
    execute pg_catalog.format('alter table vox.%I force row level security', child);
    execute pg_catalog.format('alter table vox.%I attach partition vox.%I for values from (%L) to (%L)', parent, child, low, high);
    if parent = 'turns' then
      perform vox_private.open_month(('vox.' || pg_catalog.quote_ident(child))::regclass);
    end if;
    made := made + 1;
  end loop;
  return made;
end
$function$;
comment on function vox_private.ensure_month(date) is 'Makes that month''s partition of every partitioned table where it is absent; returns how many it made.';
revoke execute on function vox_private.ensure_month(date) from public;
grant execute on function vox_private.ensure_month(date) to service_role;

CREATE OR REPLACE FUNCTION vox_private.feed_abandoned(prefix text, after interval)
 RETURNS SETOF text
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  insert into vox_private.feed_slots (slot_name, server_name)
  select s.slot_name, 'unknown'
  from pg_catalog.pg_replication_slots s
  where s.database = pg_catalog.current_database() and pg_catalog.starts_with(s.slot_name::text, prefix)
  on conflict (slot_name) do nothing;
  delete from vox_private.feed_slots f
  where f.seen_at < pg_catalog.now() - after
    and not exists (select from pg_catalog.pg_replication_slots s where s.slot_name = f.slot_name);
  select s.slot_name::text
  from pg_catalog.pg_replication_slots s
  join vox_private.feed_slots f on f.slot_name = s.slot_name
  where s.database = pg_catalog.current_database() and pg_catalog.starts_with(s.slot_name::text, prefix)
    and not s.active and f.seen_at < pg_catalog.now() - after
$function$;
revoke execute on function vox_private.feed_abandoned(text,interval) from public;
grant execute on function vox_private.feed_abandoned(text,interval) to service_role;

CREATE OR REPLACE FUNCTION vox_private.feed_mark()
 RETURNS pg_lsn
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$ select pg_catalog.pg_logical_emit_message(true, 'voxbase.mark', '') $function$;
revoke execute on function vox_private.feed_mark() from public;
grant execute on function vox_private.feed_mark() to service_role;

CREATE OR REPLACE FUNCTION vox_private.feed_seen(slot text, server text)
 RETURNS void
 LANGUAGE sql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
  insert into vox_private.feed_slots (slot_name, server_name) values (slot, server)
  on conflict (slot_name) do update set server_name = excluded.server_name, seen_at = pg_catalog.now()
$function$;
revoke execute on function vox_private.feed_seen(text,text) from public;
grant execute on function vox_private.feed_seen(text,text) to service_role;

CREATE OR REPLACE FUNCTION vox_private.feed_setup()
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  wanted record;
begin
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('voxbase.feed_setup', 0));
  if not exists (select from pg_catalog.pg_publication where pubname = 'voxbase_feed') then
    create publication voxbase_feed with (publish = 'insert, update, delete', publish_via_partition_root = true);
  end if;
  for wanted in
    select c.oid::pg_catalog.regclass as name
    from pg_catalog.pg_class c
    where c.relnamespace = 'vox'::pg_catalog.regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and pg_catalog.has_table_privilege('authenticated', c.oid, 'select')
      and c.relname not in ('provider_events', 'audit_log', 'usage_folds', 'usage_rollups', 'alert_endpoints', 'alert_deliveries')
      and exists (select from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisprimary)
      and not exists (
        select from pg_catalog.pg_publication_rel r
        join pg_catalog.pg_publication p on p.oid = r.prpubid
        where r.prrelid = c.oid and p.pubname = 'voxbase_feed'
      )
    order by c.relname
  loop
    execute pg_catalog.format('alter publication voxbase_feed add table %s', wanted.name);
  end loop;
  for wanted in
    select c.oid::pg_catalog.regclass as name
    from pg_catalog.pg_class c
    where c.relnamespace = 'vox'::pg_catalog.regnamespace and c.relname in ('participants', 'budgets', 'alerts') and c.relreplident <> 'f'
    order by c.relname
  loop
    execute pg_catalog.format('alter table %s replica identity full', wanted.name);
  end loop;
end
$function$;
revoke execute on function vox_private.feed_setup() from public;
grant execute on function vox_private.feed_setup() to service_role;

CREATE OR REPLACE FUNCTION vox_private.fill_owner_id()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  select c.user_id into new.owner_id from vox.conversations c where c.id = new.conversation_id;
  return new;
end
$function$;
revoke execute on function vox_private.fill_owner_id() from public;

CREATE OR REPLACE FUNCTION vox_private.fill_user_id()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  select c.user_id into new.user_id from vox.conversations c where c.id = new.conversation_id;
  if not found then
    raise exception 'conversation % does not exist', new.conversation_id
      using errcode = 'foreign_key_violation', constraint = tg_table_name || '_conversation_fkey',
        schema = tg_table_schema, table = tg_table_name;
  end if;
  return new;
end
$function$;
comment on function vox_private.fill_user_id() is 'The owner, where the writer didn''t say. It also proves that the conversation exists, which the composite key cannot with a null.';
revoke execute on function vox_private.fill_user_id() from public;

CREATE OR REPLACE FUNCTION vox_private.fold_stale_usage(most integer, idle_since timestamp with time zone)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
declare
  chosen uuid[];
begin
  -- A conversation under way is read live until it has been quiet for a while: folding it each time would read it each time.
  select array_agg(s.id) into chosen
  from (
    select c.id from vox.conversations c
    where c.usage_stale and (c.status in ('completed', 'failed') or c.updated_at < idle_since)
    limit most
    for update skip locked
  ) s;
  if chosen is null then
    return 0;
  end if;
  perform vox_private.fold_usage(chosen);
  return cardinality(chosen);
end
$function$;
comment on function vox_private.fold_stale_usage(integer,timestamp with time zone) is 'Folds at most so many conversations that are over, or quiet since; returns how many.';
revoke execute on function vox_private.fold_stale_usage(integer,timestamp with time zone) from public;
grant execute on function vox_private.fold_stale_usage(integer,timestamp with time zone) to service_role;

CREATE OR REPLACE FUNCTION vox_private.fold_usage(conversations uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
declare
  fresh vox.usage_folds[];
  scopes uuid[];
  changes vox_private.usage_part[];
begin
  -- Who writes to a conversation updates its row. Behind this lock nothing is half written, and what comes later marks it stale again.
  perform from vox.conversations c where c.id = any (conversations) order by c.id for update;
  select array_agg(row(f.conversation_id, f.user_id, f.parts, pg_catalog.now())::vox.usage_folds) into fresh
  from (
    select p.conversation_id, p.user_id, array_agg(p.part) as parts
    from vox_private.usage_parts(conversations) p
    group by p.conversation_id, p.user_id
  ) f;

  -- What these parts are more or less than those of the last fold.
  with changed as (
    select d.user_id,
      row(d.day, d.measure, d.kind, d.provider, d.model, d.stage, d.meter, d.bucket, sum(d.sign * d.count), sum(d.sign * d.quantity),
        sum(d.sign * d.amount_usd), sum(d.sign * d.saved_usd))::vox_private.usage_part as part
    from (
      select 1 as sign, f.user_id, p.* from unnest(fresh) f cross join unnest(f.parts) p
      union all
      select -1, f.user_id, p.* from vox.usage_folds f cross join unnest(f.parts) p where f.conversation_id = any (conversations)
    ) d
    group by d.user_id, d.day, d.measure, d.kind, d.provider, d.model, d.stage, d.meter, d.bucket
    having sum(d.sign * d.count) <> 0 or sum(d.sign * d.quantity) <> 0 or sum(d.sign * d.amount_usd) <> 0
      or sum(d.sign * d.saved_usd) <> 0
  )
  select array_agg(s.scope), array_agg(c.part) into scopes, changes
  from changed c
  cross join lateral (values (c.user_id), ('ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)) s(scope)
  where s.scope is not null;

  insert into vox.usage_rollups as r
  select s.* from vox_private.usage_sums(scopes, changes) s
  on conflict (scope, dimension, by_month, period, key, provider) do update set
    conversations = r.conversations + excluded.conversations,
    completed = r.completed + excluded.completed,
    failed = r.failed + excluded.failed,
    ai_conversations = r.ai_conversations + excluded.ai_conversations,
    duration_seconds = r.duration_seconds + excluded.duration_seconds,
    completed_seconds = r.completed_seconds + excluded.completed_seconds,
    turns = r.turns + excluded.turns,
    interruptions = r.interruptions + excluded.interruptions,
    function_calls = r.function_calls + excluded.function_calls,
    errors = r.errors + excluded.errors,
    processing_ms = r.processing_ms + excluded.processing_ms,
    high_confidence_turns = r.high_confidence_turns + excluded.high_confidence_turns,
    input_tokens = r.input_tokens + excluded.input_tokens,
    output_tokens = r.output_tokens + excluded.output_tokens,
    cached_tokens = r.cached_tokens + excluded.cached_tokens,
    input_text_tokens = r.input_text_tokens + excluded.input_text_tokens,
    input_audio_tokens = r.input_audio_tokens + excluded.input_audio_tokens,
    input_image_tokens = r.input_image_tokens + excluded.input_image_tokens,
    cached_text_tokens = r.cached_text_tokens + excluded.cached_text_tokens,
    cached_audio_tokens = r.cached_audio_tokens + excluded.cached_audio_tokens,
    output_text_tokens = r.output_text_tokens + excluded.output_text_tokens,
    output_audio_tokens = r.output_audio_tokens + excluded.output_audio_tokens,
    charges = r.charges + excluded.charges,
    unpriced = r.unpriced + excluded.unpriced,
    cost_usd = r.cost_usd + excluded.cost_usd,
    saved_usd = r.saved_usd + excluded.saved_usd,
    (meters, meter_quantities, meter_unpriced) = (
      select coalesce(array_agg(m.meter order by m.meter), '{}'), coalesce(array_agg(m.quantity order by m.meter), '{}'),
        coalesce(array_agg(m.unpriced order by m.meter), '{}')
      from (
        select b.meter, sum(b.quantity) as quantity, sum(b.unpriced)::bigint as unpriced
        from (
          select * from unnest(r.meters, r.meter_quantities, r.meter_unpriced)
          union all
          select * from unnest(excluded.meters, excluded.meter_quantities, excluded.meter_unpriced)
        ) b(meter, quantity, unpriced)
        group by b.meter
        having sum(b.quantity) <> 0 or sum(b.unpriced) <> 0
      ) m
    ),
    latency_count = r.latency_count + excluded.latency_count,
    latency_ms = r.latency_ms + excluded.latency_ms,
    (latency_buckets, latency_counts) = (
      select coalesce(array_agg(m.bucket order by m.bucket), '{}'), coalesce(array_agg(m.count order by m.bucket), '{}')
      from (
        select b.bucket, sum(b.count)::bigint as count
        from (
          select * from unnest(r.latency_buckets, r.latency_counts)
          union all
          select * from unnest(excluded.latency_buckets, excluded.latency_counts)
        ) b(bucket, count)
        group by b.bucket
        having sum(b.count) <> 0
      ) m
    );

  delete from vox.usage_folds f where f.conversation_id = any (conversations);
  insert into vox.usage_folds select (f).* from unnest(fresh) f;
  update vox.conversations c set usage_stale = false where c.id = any (conversations);
end
$function$;
comment on function vox_private.fold_usage(uuid[]) is 'Brings conversations into the rollups, again where they are already; takes out those that are gone.';
revoke execute on function vox_private.fold_usage(uuid[]) from public;
grant execute on function vox_private.fold_usage(uuid[]) to service_role;

CREATE OR REPLACE FUNCTION vox_private.forget_standing(only_users uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;
comment on function vox_private.forget_standing(uuid[]) is 'The next reservation of these users, or of all (null), reads month, spent and limit again.';
revoke execute on function vox_private.forget_standing(uuid[]) from public;

CREATE OR REPLACE FUNCTION vox_private.function_calls_added()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  update vox.conversations c set
    function_call_count = c.function_call_count + a.calls,
    usage_stale = true,
    updated_at = pg_catalog.now()
  from (select conversation_id, count(*) as calls from added_calls group by conversation_id) a
  where c.id = a.conversation_id;
  return null;
end
$function$;
revoke execute on function vox_private.function_calls_added() from public;

CREATE OR REPLACE FUNCTION vox_private.is_admin()
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return exists (
    select from vox.users
    where id = auth.uid() and role = 'admin' and is_active and deleted_at is null
  );
end
$function$;
revoke execute on function vox_private.is_admin() from public;
grant execute on function vox_private.is_admin() to authenticated, service_role, vox_writer;

CREATE OR REPLACE FUNCTION vox_private.keep_message_days(days_back integer, days_ahead integer)
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  today date := (pg_catalog.now() at time zone 'utc')::date;
  day date;
  partition text;
  changed integer := 0;
begin
  if not pg_catalog.pg_has_role((select c.relowner from pg_catalog.pg_class c where c.oid = 'realtime.messages'::regclass), 'usage') then
    return 0;
  end if;
  perform pg_catalog.pg_advisory_xact_lock(7246130011);
  for offset_days in 0..days_ahead loop
    day := today + offset_days;
    partition := 'messages_' || pg_catalog.to_char(day, 'YYYY_MM_DD');
    continue when pg_catalog.to_regclass('realtime.' || partition) is not null;
    if pg_catalog.to_regclass('realtime.messages_default') is not null then
      continue when exists (select from realtime.messages_default m where m.inserted_at >= day and m.inserted_at < day + 1);
    end if;
    execute pg_catalog.format('create table realtime.%I partition of realtime.messages for values from (%L) to (%L)', partition, day, day + 1);
    execute pg_catalog.format('alter table realtime.%I enable row level security', partition);
    changed := changed + 1;
  end loop;
  for partition in
    select c.relname from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'realtime.messages'::regclass and c.relname ~ '^messages_\d{4}_\d{2}_\d{2}$'
      and pg_catalog.to_date(pg_catalog.right(c.relname, 10), 'YYYY_MM_DD') < today - days_back
  loop
    execute pg_catalog.format('drop table realtime.%I', partition);
    changed := changed + 1;
  end loop;
  if pg_catalog.to_regclass('realtime.messages_default') is not null then
    delete from realtime.messages_default m where m.inserted_at < today - days_back;
  end if;
  return changed;
end
$function$;
comment on function vox_private.keep_message_days(integer,integer) is 'Makes the partitions of realtime.messages ahead of time and drops those of days that are over; returns how many.';
revoke execute on function vox_private.keep_message_days(integer,integer) from public;
grant execute on function vox_private.keep_message_days(integer,integer) to service_role;

CREATE OR REPLACE FUNCTION vox_private.key_terms_starting()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  if new.conversation_id is not null then
    select c.user_id into new.user_id from vox.conversations c where c.id = new.conversation_id;
  end if;
  if new.user_id = auth.uid() then
    perform vox_private.ensure_current_user();
  end if;
  return new;
end
$function$;
revoke execute on function vox_private.key_terms_starting() from public;

CREATE OR REPLACE FUNCTION vox_private.latency_p95(minutes integer, scope text)
 RETURNS TABLE(subject text, user_id uuid, p95_ms numeric, turns integer)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET enable_seqscan TO 'off'
 SET enable_indexscan TO 'off'
 SET enable_bitmapscan TO 'on'
AS $function$
begin
  return query
  select a.subject, case when scope = 'user' then min(a.user_id::text)::uuid end,
    percentile_disc(0.95) within group (order by a.end_to_end_ms)::numeric, count(*)::integer
  from (
    select t.user_id, t.end_to_end_ms,
      case scope
        when 'user' then 'user/' || t.user_id
        when 'model' then 'model/' || t.model
        else 'installation' end as subject
    from vox.turns t
    where t.created_at >= pg_catalog.now() - make_interval(mins => minutes) and t.end_to_end_ms is not null
  ) a
  where a.subject is not null
  group by a.subject;
end
$function$;
comment on function vox_private.latency_p95(integer,text) is 'The 95th percentile of the time to answer, of the turns that arrived in the last minutes, for the installation, each user or each model.';
revoke execute on function vox_private.latency_p95(integer,text) from public;
grant execute on function vox_private.latency_p95(integer,text) to service_role;

CREATE OR REPLACE FUNCTION vox_private.learn_standing(payer uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
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
$function$;
comment on function vox_private.learn_standing(uuid) is 'Reads month, spent and limit of a user into their row of reserved_spend.';
revoke execute on function vox_private.learn_standing(uuid) from public;

CREATE OR REPLACE FUNCTION vox_private.month_of(moment timestamp with time zone, time_zone text, first_day integer)
 RETURNS date
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE STRICT
 SET search_path TO ''
AS $function$
begin
  return (date_trunc('month', (moment at time zone time_zone) - (first_day - 1) * interval '1 day'))::date + (first_day - 1);
end
$function$;
comment on function vox_private.month_of(timestamp with time zone,text,integer) is 'The first day of the budget month that holds the moment.';
revoke execute on function vox_private.month_of(timestamp with time zone,text,integer) from public;
grant execute on function vox_private.month_of(timestamp with time zone,text,integer) to authenticated, service_role;

CREATE OR REPLACE FUNCTION vox_private.number_turn()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  owner uuid;
  next integer;
begin
  if new.sequence_number is null then
    update vox.conversations c set last_sequence = c.last_sequence + 1
    where c.id = new.conversation_id
    returning c.user_id, c.last_sequence into owner, next;
    new.sequence_number := next;
  else
    select c.user_id into owner from vox.conversations c where c.id = new.conversation_id;
  end if;
  if not found then
    raise exception 'conversation % does not exist', new.conversation_id
      using errcode = 'foreign_key_violation', constraint = 'turns_conversation_fkey', schema = 'vox', table = 'turns';
  end if;
  new.user_id := coalesce(new.user_id, owner);
  return new;
end
$function$;
comment on function vox_private.number_turn() is 'Owner and number for a turn that comes without; the library gives both and never pays for this.';
revoke execute on function vox_private.number_turn() from public;

CREATE OR REPLACE FUNCTION vox_private.open_month(partition regclass)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  execute pg_catalog.format('grant insert, select (sequence_number) on %s to vox_writer', partition);
  execute pg_catalog.format('create policy turns_append on %s for insert to vox_writer with check (true)', partition);
  execute pg_catalog.format('create policy turns_number on %s for select to vox_writer using (true)', partition);
end
$function$;
comment on function vox_private.open_month(regclass) is 'Has the library''s writer insert into a month''s partition by its name, where no policy of the parent is asked, and see the number that it gave.';
revoke execute on function vox_private.open_month(regclass) from public;

CREATE OR REPLACE FUNCTION vox_private.percentiles(buckets smallint[], counts bigint[])
 RETURNS numeric[]
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
declare
  total bigint := 0;
  upto bigint := 0;
  place integer := 0;
  share numeric;
  result numeric[] := '{}';
begin
  for i in 1 .. cardinality(counts) loop
    total := total + counts[i];
  end loop;
  if total = 0 then
    return null;
  end if;
  foreach share in array array[0.50, 0.95, 0.99] loop
    declare
      rank constant bigint := ceil(share * total);
    begin
      while upto < rank loop
        place := place + 1;
        upto := upto + counts[place];
      end loop;
    end;
    -- The middle of the bucket: within 2 % of whatever fell into it.
    result := result || case when buckets[place] = -1 then 0 else round((2 * power(1.04::double precision, buckets[place]) / 2.04)::numeric, 2) end;
  end loop;
  return result;
end
$function$;
comment on function vox_private.percentiles(smallint[],bigint[]) is 'Of a histogram of latencies p50, p95 and p99 by the nearest rank, in ms; null where nothing was measured.';
revoke execute on function vox_private.percentiles(smallint[],bigint[]) from public;
grant execute on function vox_private.percentiles(smallint[],bigint[]) to authenticated, service_role;

CREATE OR REPLACE FUNCTION vox_private.price_changed()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  price vox.prices := case tg_op when 'DELETE' then old else new end;
begin
  insert into vox.audit_log (actor_id, actor_role, action, resource, metadata)
  values (
    auth.uid(), coalesce(auth.role(), 'owner'), case tg_op when 'DELETE' then 'price.delete' else 'price.set' end, 'prices/' || price.id,
    pg_catalog.jsonb_build_object(
      'provider', price.provider, 'model', price.model, 'meter', price.meter, 'valid_from', price.valid_from,
      'unit_price_usd', price.unit_price_usd::text, 'per', price.per));
  return null;
end
$function$;
revoke execute on function vox_private.price_changed() from public;

CREATE OR REPLACE FUNCTION vox_private.provider_events_added()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
declare
  missing boolean;
begin
  with added as (
    select distinct conversation_id, user_id from added_events
  ), held as (
    select c.id from vox.conversations c join added a on c.id = a.conversation_id and c.user_id is not distinct from a.user_id
    for key share of c
  )
  select (select count(*) from held) <> (select count(*) from added) into missing;
  if missing then
    raise exception 'an event names a conversation that does not exist, or another owner than the conversation''s'
      using errcode = 'foreign_key_violation', constraint = 'provider_events_conversation_fkey', schema = 'vox', table = 'provider_events';
  end if;
  return null;
end
$function$;
comment on function vox_private.provider_events_added() is 'Proves that each conversation exists and belongs to the events'' user_id, and keeps it from being deleted until the transaction ends.';
revoke execute on function vox_private.provider_events_added() from public;

CREATE OR REPLACE FUNCTION vox_private.publish_messages()
 RETURNS boolean
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('voxbase.feed_setup', 0));
  if not exists (select from pg_catalog.pg_publication where pubname = 'voxbase_feed') then
    create publication voxbase_feed with (publish = 'insert, update, delete', publish_via_partition_root = true);
  end if;
  if not exists (
    select from pg_catalog.pg_publication_rel r
    join pg_catalog.pg_publication p on p.oid = r.prpubid
    where r.prrelid = 'realtime.messages'::pg_catalog.regclass and p.pubname = 'voxbase_feed'
  ) then
    alter publication voxbase_feed add table realtime.messages;
  end if;
  return true;
exception when insufficient_privilege then
  return false;
end
$function$;
comment on function vox_private.publish_messages() is 'Adds realtime.messages to the feed''s publication; true when it is in it.';
revoke execute on function vox_private.publish_messages() from public;
grant execute on function vox_private.publish_messages() to service_role;

CREATE OR REPLACE FUNCTION vox_private.recount_spend(only_users uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;
revoke execute on function vox_private.recount_spend(uuid[]) from public;

CREATE OR REPLACE FUNCTION vox_private.release_lapsed()
 RETURNS integer
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  payer uuid;
  released integer := 0;
begin
  for payer in select distinct r.user_id from vox.reservations r where r.lapses_at <= pg_catalog.now() order by r.user_id loop
    released := released + vox_private.drop_lapsed(payer, null);
  end loop;
  return released;
end
$function$;
revoke execute on function vox_private.release_lapsed() from public;
grant execute on function vox_private.release_lapsed() to vox_writer;

CREATE OR REPLACE FUNCTION vox_private.release_spend(call uuid)
 RETURNS void
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
declare
  setting text := pg_catalog.set_config('synchronous_commit', 'off', true);
begin
  with gone as (
    delete from vox.reservations r where r.conversation_id = call returning r.user_id, r.held_usd
  )
  update vox.reserved_spend s set reserved_usd = s.reserved_usd - g.held_usd, updated_at = pg_catalog.now()
  from gone g
  where s.user_id = g.user_id;
end
$function$;
revoke execute on function vox_private.release_spend(uuid) from public;

CREATE OR REPLACE FUNCTION vox_private.require_admin()
 RETURNS void
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
AS $function$
begin
  if current_user = 'authenticated' and not vox_private.is_admin() then
    raise exception 'this is for admins' using errcode = 'insufficient_privilege';
  end if;
end
$function$;
revoke execute on function vox_private.require_admin() from public;
grant execute on function vox_private.require_admin() to authenticated, service_role;

CREATE OR REPLACE FUNCTION vox_private.require_end(status vox.conversation_status, ended_at timestamp with time zone)
 RETURNS void
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  if (status in ('completed', 'failed')) <> (ended_at is not null) then
    raise exception 'ended_at belongs to a conversation that is completed or failed, and to no other'
      using errcode = 'check_violation', constraint = 'conversations_ended_when_over', schema = 'vox', table = 'conversations';
  end if;
end
$function$;
revoke execute on function vox_private.require_end(vox.conversation_status,timestamp with time zone) from public;
grant execute on function vox_private.require_end(vox.conversation_status,timestamp with time zone) to authenticated, service_role;

CREATE OR REPLACE FUNCTION vox_private.reserve_spend(call uuid, payer uuid, amount numeric, lapse interval, is_new boolean)
 RETURNS vox_private.standing
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
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
$function$;
comment on function vox_private.reserve_spend(uuid,uuid,numeric,interval,boolean) is 'Where the payer stands with this call''s reservation made or kept; null for a call that is over or that nobody pays for. is_new: this statement has made it, and the payer''s sum does not have it yet.';
revoke execute on function vox_private.reserve_spend(uuid,uuid,numeric,interval,boolean) from public;
grant execute on function vox_private.reserve_spend(uuid,uuid,numeric,interval,boolean) to vox_writer;

CREATE OR REPLACE FUNCTION vox_private.seconds_between(since timestamp with time zone, until timestamp with time zone)
 RETURNS integer
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE STRICT
 SET search_path TO ''
AS $function$
begin
  return greatest(0, floor(extract(epoch from (until - since))))::integer;
end
$function$;
revoke execute on function vox_private.seconds_between(timestamp with time zone,timestamp with time zone) from public;
grant execute on function vox_private.seconds_between(timestamp with time zone,timestamp with time zone) to authenticated, service_role;

CREATE OR REPLACE FUNCTION vox_private.took_part(conversation uuid)
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return exists (
    select from vox.participants where conversation_id = conversation and user_id = auth.uid()
  );
end
$function$;
revoke execute on function vox_private.took_part(uuid) from public;
grant execute on function vox_private.took_part(uuid) to authenticated, service_role;

CREATE OR REPLACE FUNCTION vox_private.touch_updated_at()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO ''
AS $function$
begin
  new.updated_at := pg_catalog.now();
  return new;
end
$function$;
revoke execute on function vox_private.touch_updated_at() from public;

CREATE OR REPLACE FUNCTION vox_private.turns_added()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
declare
  gap boolean;
  missing boolean;
begin
  with added as (
    select
      conversation_id,
      user_id,
      count(*) as turns,
      max(sequence_number) as last_sequence,
      coalesce(sum(input_tokens), 0) as input_tokens,
      coalesce(sum(output_tokens), 0) as output_tokens,
      coalesce(sum(cached_tokens), 0) as cached_tokens,
      coalesce(sum(processing_ms), 0) as processing_ms,
      coalesce(sum(end_to_end_ms), 0) as latency_ms,
      count(end_to_end_ms) as latency_count,
      count(*) filter (where confidence = 'HIGH') as high,
      count(*) filter (where confidence = 'MEDIUM') as medium,
      count(*) filter (where confidence = 'LOW') as low,
      count(*) filter (where interrupted) as interruptions
    from added_turns
    group by conversation_id, user_id
  ), counted as (
    update vox.conversations c set
      turn_count = c.turn_count + a.turns,
      last_sequence = greatest(c.last_sequence, a.last_sequence),
      input_tokens = c.input_tokens + a.input_tokens,
      output_tokens = c.output_tokens + a.output_tokens,
      cached_tokens = c.cached_tokens + a.cached_tokens,
      processing_ms = c.processing_ms + a.processing_ms,
      latency_ms = c.latency_ms + a.latency_ms,
      latency_count = c.latency_count + a.latency_count,
      confidence_high_count = c.confidence_high_count + a.high,
      confidence_medium_count = c.confidence_medium_count + a.medium,
      confidence_low_count = c.confidence_low_count + a.low,
      interruption_count = c.interruption_count + a.interruptions,
      usage_stale = true,
      updated_at = pg_catalog.now()
    from added a
    where c.id = a.conversation_id and c.user_id is not distinct from a.user_id
    returning c.turn_count <> c.last_sequence as gap
  )
  select bool_or(counted.gap), count(*) <> (select count(*) from added) into gap, missing from counted;
  if missing then
    raise exception 'a turn names a conversation that does not exist, or another owner than the conversation''s'
      using errcode = 'foreign_key_violation', constraint = 'turns_conversation_fkey', schema = 'vox', table = 'turns';
  end if;
  if gap then
    raise exception 'turns must be numbered from 1 without a gap'
      using errcode = 'check_violation', constraint = 'turns_sequence_gapless', schema = 'vox', table = 'turns',
        hint = 'Leave sequence_number out: the database gives the next one.';
  end if;
  return null;
end
$function$;
comment on function vox_private.turns_added() is 'Adds to the totals of each conversation, and with that proves that it exists and belongs to the turns'' user_id.';
revoke execute on function vox_private.turns_added() from public;

CREATE OR REPLACE FUNCTION vox_private.turns_changed()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
begin
  with change as (
    select
      conversation_id,
      sum(sign * coalesce(input_tokens, 0)) as input_tokens,
      sum(sign * coalesce(output_tokens, 0)) as output_tokens,
      sum(sign * coalesce(cached_tokens, 0)) as cached_tokens,
      sum(sign * coalesce(processing_ms, 0)) as processing_ms,
      sum(sign * coalesce(end_to_end_ms, 0)) as latency_ms,
      sum(sign * (end_to_end_ms is not null)::integer) as latency_count,
      sum(sign * coalesce((confidence = 'HIGH')::integer, 0)) as high,
      sum(sign * coalesce((confidence = 'MEDIUM')::integer, 0)) as medium,
      sum(sign * coalesce((confidence = 'LOW')::integer, 0)) as low,
      sum(sign * interrupted::integer) as interruptions,
      max(sequence_number) filter (where sign = 1) as last_sequence
    from (
      select 1 as sign, conversation_id, sequence_number, input_tokens, output_tokens, cached_tokens, processing_ms, end_to_end_ms, confidence,
        interrupted
      from turns_after
      union all
      select -1, conversation_id, sequence_number, input_tokens, output_tokens, cached_tokens, processing_ms, end_to_end_ms,
        confidence, interrupted
      from turns_before
    ) both_sides
    group by conversation_id
  )
  update vox.conversations c set
    input_tokens = c.input_tokens + d.input_tokens,
    output_tokens = c.output_tokens + d.output_tokens,
    cached_tokens = c.cached_tokens + d.cached_tokens,
    processing_ms = c.processing_ms + d.processing_ms,
    latency_ms = c.latency_ms + d.latency_ms,
    latency_count = c.latency_count + d.latency_count,
    confidence_high_count = c.confidence_high_count + d.high,
    confidence_medium_count = c.confidence_medium_count + d.medium,
    confidence_low_count = c.confidence_low_count + d.low,
    interruption_count = c.interruption_count + d.interruptions,
    -- A turn put before others moves them on; of an upsert this runs first, and what it added is counted next.
    last_sequence = greatest(c.last_sequence, d.last_sequence),
    usage_stale = true,
    updated_at = pg_catalog.now()
  from change d
  -- Also where no total moved: a fold under way must meet this update, or it would take the turn as it was for good.
  where c.id = d.conversation_id;
  return null;
end
$function$;
revoke execute on function vox_private.turns_changed() from public;

CREATE OR REPLACE FUNCTION vox_private.usage_events_added()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
begin
  update vox.conversations c set
    input_tokens = c.input_tokens + a.input_tokens,
    output_tokens = c.output_tokens + a.output_tokens,
    cached_tokens = c.cached_tokens + a.cached_tokens,
    error_count = c.error_count + a.errors,
    usage_stale = true,
    updated_at = pg_catalog.now()
  from (
    select
      conversation_id,
      coalesce(sum(input_tokens) filter (where turn_id is null), 0) as input_tokens,
      coalesce(sum(output_tokens) filter (where turn_id is null), 0) as output_tokens,
      coalesce(sum(cached_tokens) filter (where turn_id is null), 0) as cached_tokens,
      count(*) filter (where event_type = 'error') as errors
    from added_events
    group by conversation_id
  ) a
  where c.id = a.conversation_id and (a.input_tokens, a.output_tokens, a.cached_tokens, a.errors) <> (0, 0, 0, 0);
  return null;
end
$function$;
revoke execute on function vox_private.usage_events_added() from public;

CREATE OR REPLACE FUNCTION vox_private.usage_events_changed()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
begin
  update vox.conversations c set
    input_tokens = c.input_tokens + d.input_tokens,
    output_tokens = c.output_tokens + d.output_tokens,
    cached_tokens = c.cached_tokens + d.cached_tokens,
    usage_stale = true,
    updated_at = pg_catalog.now()
  from (
    select
      conversation_id,
      sum(sign * coalesce(input_tokens, 0)) as input_tokens,
      sum(sign * coalesce(output_tokens, 0)) as output_tokens,
      sum(sign * coalesce(cached_tokens, 0)) as cached_tokens
    from (
      select 1 as sign, conversation_id, turn_id, input_tokens, output_tokens, cached_tokens from events_after
      union all
      select -1, conversation_id, turn_id, input_tokens, output_tokens, cached_tokens from events_before
    ) both_sides
    where turn_id is null
    group by conversation_id
  ) d
  where c.id = d.conversation_id;
  return null;
end
$function$;
revoke execute on function vox_private.usage_events_changed() from public;

CREATE OR REPLACE FUNCTION vox_private.usage_parts(conversations uuid[])
 RETURNS TABLE(conversation_id uuid, user_id uuid, part vox_private.usage_part)
 LANGUAGE plpgsql
 STABLE
 SET search_path TO ''
 SET enable_seqscan TO 'off'
AS $function$
begin
  return query
  with chosen as materialized (
    select c.*, (c.started_at at time zone 'UTC')::date as started_on, c.kind::text as kind_name,
      coalesce(c.llm_provider, '') as first_provider, coalesce(c.duration_seconds, 0) as seconds
    from vox.conversations c
    where c.id = any (conversations)
  ), of_turns as materialized (
    select t.conversation_id, c.user_id, c.started_on, c.seconds, coalesce((t.started_at at time zone 'UTC')::date, c.started_on) as day, c.kind_name,
      case when t.model is null then '' else coalesce(t.provider, c.first_provider) end as provider, coalesce(t.model, '') as model, t.input_tokens, t.output_tokens, t.cached_tokens,
      t.input_text_tokens, t.input_audio_tokens, t.input_image_tokens, t.cached_text_tokens, t.cached_audio_tokens,
      t.output_text_tokens, t.output_audio_tokens, t.end_to_end_ms, t.asr_ms, t.rag_ms, t.llm_first_token_ms, t.tts_first_byte_ms
    from chosen c
    join vox.turns t on t.conversation_id = c.id
  ), of_charges as materialized (
    select x.conversation_id, c.user_id, c.started_on, c.seconds, (x.charged_at at time zone 'UTC')::date as day, c.kind_name, x.provider, coalesce(x.model, '') as model,
      x.stage, x.meter, (x.revision = 0)::integer as count, x.quantity - coalesce(x.before_quantity, 0) as quantity,
      coalesce(x.amount_usd, 0) as amount_usd, x.saved_usd,
      (x.unit_price_usd is null)::integer - (x.corrects is not null and x.before_usd is null)::integer as unpriced
    from chosen c
    join vox.charges x on x.conversation_id = c.id
  ), models as (
    select c.id as conversation_id, c.user_id, c.started_on, c.kind_name, c.seconds, c.first_provider as provider, c.llm_model as model
    from chosen c where c.llm_model is not null
    union
    select t.conversation_id, t.user_id, t.started_on, t.kind_name, t.seconds, t.provider, t.model from of_turns t where t.model <> ''
    union
    select x.conversation_id, x.user_id, x.started_on, x.kind_name, x.seconds, x.provider, x.model from of_charges x where x.model <> ''
  ), stages as (
    select x.conversation_id, x.user_id, x.started_on, x.kind_name, x.seconds, x.stage from of_charges x
    union
    select t.conversation_id, t.user_id, t.started_on, t.kind_name, t.seconds, v.stage
    from of_turns t
    cross join lateral (values ('asr', t.asr_ms), ('rag', t.rag_ms), ('llm', t.llm_first_token_ms), ('tts', t.tts_first_byte_ms)) v(stage, ms)
    where v.ms is not null
  ), facts as (
    -- The conversation as a whole, on the day that it began.
    select c.id as conversation_id, c.user_id, c.started_on as day, v.measure, c.kind_name, '' as provider, '' as model, '' as stage, '' as meter,
      0 as bucket, v.count::bigint as count, v.quantity::numeric as quantity, 0::numeric as amount_usd, 0::numeric as saved_usd
    from chosen c
    cross join lateral (values
      ('conversation', 1, c.seconds),
      ('completed', (c.status = 'completed')::integer, case when c.status = 'completed' then c.duration_seconds else 0 end),
      ('failed', (c.status = 'failed')::integer, 0),
      ('ai', c.ai_agent_used::integer, 0),
      ('turn', c.turn_count, 0),
      ('interruption', c.interruption_count, 0),
      ('function_call', c.function_call_count, 0),
      ('error', c.error_count, 0),
      ('processing', 0, c.processing_ms),
      ('confidence.high', c.confidence_high_count, 0)
    ) v(measure, count, quantity)
    union all
    select m.conversation_id, m.user_id, m.started_on, 'conversation.model', m.kind_name, m.provider, m.model, '', '', 0, 1, m.seconds, 0, 0
    from models m
    union all
    select s.conversation_id, s.user_id, s.started_on, 'conversation.stage', s.kind_name, '', '', s.stage, '', 0, 1, s.seconds, 0, 0
    from stages s
    union all
    select t.conversation_id, t.user_id, t.day, 'tokens', t.kind_name, t.provider, t.model, 'llm', v.meter, 0, 0, v.tokens, 0, 0
    from of_turns t
    cross join lateral (values
      ('input', t.input_tokens), ('output', t.output_tokens), ('cached', t.cached_tokens), ('input_text', t.input_text_tokens),
      ('input_audio', t.input_audio_tokens), ('input_image', t.input_image_tokens), ('cached_text', t.cached_text_tokens),
      ('cached_audio', t.cached_audio_tokens), ('output_text', t.output_text_tokens), ('output_audio', t.output_audio_tokens)
    ) v(meter, tokens)
    where v.tokens <> 0
    union all
    -- Tokens of what belongs to no turn, as the conversation's totals count them.
    select c.id, c.user_id, (e.at at time zone 'UTC')::date, 'tokens', c.kind_name, case when e.model is null then '' else c.first_provider end, coalesce(e.model, ''), 'llm', v.meter,
      0, 0, v.tokens, 0, 0
    from chosen c
    join vox.usage_events e on e.conversation_id = c.id and e.turn_id is null
    cross join lateral (values ('input', e.input_tokens), ('output', e.output_tokens), ('cached', e.cached_tokens)) v(meter, tokens)
    where v.tokens <> 0
    union all
    select x.conversation_id, x.user_id, x.day, 'charge', x.kind_name, x.provider, x.model, x.stage, x.meter, 0, x.count, x.quantity,
      x.amount_usd, x.saved_usd
    from of_charges x
    union all
    select x.conversation_id, x.user_id, x.day, 'unpriced', x.kind_name, x.provider, x.model, x.stage, x.meter, 0, x.unpriced, 0, 0, 0
    from of_charges x
    where x.unpriced <> 0
    union all
    -- Histograms say one thing each: not every stage of every model of every kind.
    select t.conversation_id, t.user_id, t.day, v.measure, v.kind, v.provider, v.model, v.stage, '',
      case when v.ms = 0 then -1 else ceil(ln(v.ms::double precision) / ln(1.04::double precision))::integer end, 1, v.ms, 0, 0
    from of_turns t
    cross join lateral (values
      ('latency', '', '', '', '', t.end_to_end_ms), ('latency.kind', t.kind_name, '', '', '', t.end_to_end_ms),
      ('latency.model', '', t.provider, t.model, '', t.end_to_end_ms), ('latency.stage', '', '', '', 'asr', t.asr_ms),
      ('latency.stage', '', '', '', 'rag', t.rag_ms), ('latency.stage', '', '', '', 'llm', t.llm_first_token_ms),
      ('latency.stage', '', '', '', 'tts', t.tts_first_byte_ms)
    ) v(measure, kind, provider, model, stage, ms)
    where v.ms is not null
  )
  select f.conversation_id, f.user_id,
    row(f.day, f.measure, f.kind_name, f.provider, f.model, f.stage, f.meter, f.bucket::smallint, sum(f.count), sum(f.quantity),
      sum(f.amount_usd), sum(f.saved_usd))::vox_private.usage_part
  from facts f
  group by f.conversation_id, f.user_id, f.day, f.measure, f.kind_name, f.provider, f.model, f.stage, f.meter, f.bucket
  having sum(f.count) <> 0 or sum(f.quantity) <> 0 or sum(f.amount_usd) <> 0 or sum(f.saved_usd) <> 0;
end
$function$;
comment on function vox_private.usage_parts(uuid[]) is 'What conversations add to the statistics, counted from their rows.';
revoke execute on function vox_private.usage_parts(uuid[]) from public;
grant execute on function vox_private.usage_parts(uuid[]) to authenticated, service_role;

CREATE OR REPLACE FUNCTION vox_private.usage_sums(scopes uuid[], parts vox_private.usage_part[])
 RETURNS SETOF vox_private.usage_sum
 LANGUAGE plpgsql
 IMMUTABLE
 SET search_path TO ''
AS $function$
begin
  return query
  with facts as (
    select p.scope, d.dimension, g.by_month, g.period, d.key, d.provider,
      case when p.measure = 'unpriced' then 'charge' else split_part(p.measure, '.', 1) end as figure, p.meter, p.bucket,
      coalesce(sum(p.count) filter (where p.measure <> 'unpriced'), 0)::bigint as count,
      coalesce(sum(p.count) filter (where p.measure = 'unpriced'), 0)::bigint as unpriced,
      sum(p.quantity) as quantity, sum(p.amount_usd) as amount_usd, sum(p.saved_usd) as saved_usd
    from unnest(scopes, parts) p(scope, day, measure, kind, provider, model, stage, meter, bucket, count, quantity, amount_usd, saved_usd)
    cross join lateral (values
      ('total', '', ''), ('kind', p.kind, ''), ('model', p.model, p.provider), ('stage', p.stage, '')
    ) d(dimension, key, provider)
    cross join lateral (values (false, p.day), (true, date_trunc('month', p.day::timestamp)::date)) g(by_month, period)
    where case
      when p.measure in ('tokens', 'charge', 'unpriced') then true
      when p.measure = 'latency' then d.dimension = 'total'
      when p.measure in ('latency.kind', 'latency.model', 'latency.stage', 'conversation.model', 'conversation.stage')
        then d.dimension = split_part(p.measure, '.', 2)
      else d.dimension in ('total', 'kind')
    end
    group by p.scope, d.dimension, g.by_month, g.period, d.key, d.provider, 7, p.meter, p.bucket
    having sum(p.count) <> 0 or sum(p.quantity) <> 0 or sum(p.amount_usd) <> 0 or sum(p.saved_usd) <> 0
      or sum(p.count) filter (where p.measure = 'unpriced') <> 0
  )
  select f.scope, f.dimension, f.by_month, f.period, f.key, f.provider,
    coalesce(sum(f.count) filter (where f.figure = 'conversation'), 0)::bigint,
    coalesce(sum(f.count) filter (where f.figure = 'completed'), 0)::bigint,
    coalesce(sum(f.count) filter (where f.figure = 'failed'), 0)::bigint,
    coalesce(sum(f.count) filter (where f.figure = 'ai'), 0)::bigint,
    coalesce(sum(f.quantity) filter (where f.figure = 'conversation'), 0)::bigint,
    coalesce(sum(f.quantity) filter (where f.figure = 'completed'), 0)::bigint,
    coalesce(sum(f.count) filter (where f.figure = 'turn'), 0)::bigint,
    coalesce(sum(f.count) filter (where f.figure = 'interruption'), 0)::bigint,
    coalesce(sum(f.count) filter (where f.figure = 'function_call'), 0)::bigint,
    coalesce(sum(f.count) filter (where f.figure = 'error'), 0)::bigint,
    coalesce(sum(f.quantity) filter (where f.figure = 'processing'), 0)::bigint,
    coalesce(sum(f.count) filter (where f.figure = 'confidence'), 0)::bigint,
    coalesce(sum(f.quantity) filter (where f.figure = 'tokens' and f.meter = 'input'), 0)::bigint,
    coalesce(sum(f.quantity) filter (where f.figure = 'tokens' and f.meter = 'output'), 0)::bigint,
    coalesce(sum(f.quantity) filter (where f.figure = 'tokens' and f.meter = 'cached'), 0)::bigint,
    coalesce(sum(f.quantity) filter (where f.figure = 'tokens' and f.meter = 'input_text'), 0)::bigint,
    coalesce(sum(f.quantity) filter (where f.figure = 'tokens' and f.meter = 'input_audio'), 0)::bigint,
    coalesce(sum(f.quantity) filter (where f.figure = 'tokens' and f.meter = 'input_image'), 0)::bigint,
    coalesce(sum(f.quantity) filter (where f.figure = 'tokens' and f.meter = 'cached_text'), 0)::bigint,
    coalesce(sum(f.quantity) filter (where f.figure = 'tokens' and f.meter = 'cached_audio'), 0)::bigint,
    coalesce(sum(f.quantity) filter (where f.figure = 'tokens' and f.meter = 'output_text'), 0)::bigint,
    coalesce(sum(f.quantity) filter (where f.figure = 'tokens' and f.meter = 'output_audio'), 0)::bigint,
    coalesce(sum(f.count) filter (where f.figure = 'charge'), 0)::bigint,
    sum(f.unpriced)::bigint,
    coalesce(sum(f.amount_usd) filter (where f.figure = 'charge'), 0)::numeric(24,9),
    coalesce(sum(f.saved_usd) filter (where f.figure = 'charge'), 0)::numeric(24,9),
    coalesce(array_agg(f.meter order by f.meter) filter (where f.figure = 'charge' and (f.quantity <> 0 or f.unpriced <> 0)), '{}'),
    coalesce(array_agg(f.quantity order by f.meter) filter (where f.figure = 'charge' and (f.quantity <> 0 or f.unpriced <> 0)), '{}'),
    coalesce(array_agg(f.unpriced order by f.meter) filter (where f.figure = 'charge' and (f.quantity <> 0 or f.unpriced <> 0)), '{}'),
    coalesce(sum(f.count) filter (where f.figure = 'latency'), 0)::bigint,
    coalesce(sum(f.quantity) filter (where f.figure = 'latency'), 0)::bigint,
    coalesce(array_agg(f.bucket order by f.bucket) filter (where f.figure = 'latency'), '{}'),
    coalesce(array_agg(f.count order by f.bucket) filter (where f.figure = 'latency'), '{}')
  from facts f
  group by f.scope, f.dimension, f.by_month, f.period, f.key, f.provider
  -- In one order: two folds at once wait for each other, and never in a circle. Everyone's rows come last and are held for the shortest time.
  order by f.scope, f.dimension, f.by_month, f.period, f.key, f.provider;
end
$function$;
comment on function vox_private.usage_sums(uuid[],vox_private.usage_part[]) is 'The rows of the rollups that parts come to, each part under the scope in its place.';
revoke execute on function vox_private.usage_sums(uuid[],vox_private.usage_part[]) from public;
grant execute on function vox_private.usage_sums(uuid[],vox_private.usage_part[]) to authenticated, service_role;

CREATE OR REPLACE FUNCTION vox_private.users_forget()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  perform vox_private.forget_standing(array[new.id]);
  return null;
end
$function$;
revoke execute on function vox_private.users_forget() from public;

CREATE OR REPLACE FUNCTION vox_private.writer_serves_admin()
 RETURNS boolean
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE SECURITY DEFINER
 SET search_path TO ''
AS $function$
begin
  return exists (
    select from vox.users
    where id = case when pg_catalog.length(pg_catalog.current_setting('vox.caller', true)) = 36 then pg_catalog.current_setting('vox.caller', true)::uuid end
      and role = 'admin' and is_active and deleted_at is null
  );
end
$function$;
comment on function vox_private.writer_serves_admin() is 'Whether vox.caller, which is a user''s id or a role''s name, is an admin.';
revoke execute on function vox_private.writer_serves_admin() from public;
grant execute on function vox_private.writer_serves_admin() to vox_writer;

-- Tables ----------------------------------------------------------------------------------------------------------------------------------

create table vox.alert_deliveries (
  id uuid not null default vox.uuid_v7(),
  alert_id uuid not null,
  endpoint_id uuid not null,
  event text not null,
  attempts integer not null default 0,
  next_attempt_at timestamp with time zone not null default now(),
  delivered_at timestamp with time zone,
  dead_at timestamp with time zone,
  last_error text,
  created_at timestamp with time zone not null default now(),
  constraint alert_deliveries_pkey PRIMARY KEY (id),
  constraint alert_deliveries_once UNIQUE (alert_id, endpoint_id, event),
  constraint alert_deliveries_event_known CHECK ((event = ANY (ARRAY['alert.opened'::text, 'alert.resolved'::text])))
);
comment on table vox.alert_deliveries is 'What is to be told to whom: written with the alert, sent afterwards, again until it was taken.';
comment on column vox.alert_deliveries.id is 'The webhook-id: the same at every attempt, so that the receiver can tell a repetition.';
comment on column vox.alert_deliveries.next_attempt_at is 'When it is due; moved on while a server is sending it.';
comment on column vox.alert_deliveries.dead_at is 'Given up after too many attempts.';
comment on column vox.alert_deliveries.last_error is 'The status, or the kind of failure, of the last attempt.';
CREATE INDEX alert_deliveries_due_idx ON vox.alert_deliveries USING btree (next_attempt_at) WHERE ((delivered_at IS NULL) AND (dead_at IS NULL));
CREATE INDEX alert_deliveries_endpoint_idx ON vox.alert_deliveries USING btree (endpoint_id);

create table vox.alert_endpoints (
  id uuid not null default vox.uuid_v7(),
  url text not null,
  secret text not null,
  rules text[],
  is_enabled boolean not null default true,
  created_at timestamp with time zone not null default now(),
  constraint alert_endpoints_pkey PRIMARY KEY (id),
  constraint alert_endpoints_secret_shape CHECK ((secret ~ '^whsec_[A-Za-z0-9+/]{32,88}={0,2}$'::text)),
  constraint alert_endpoints_url_shape CHECK (((url ~ '^https?://'::text) AND (length(url) <= 2000)))
);
comment on table vox.alert_endpoints is 'Webhooks that alerts are delivered to. Only admins and the service see them, as the secret signs deliveries.';
comment on column vox.alert_endpoints.secret is 'Standard Webhooks: whsec_ and the base64 of the HMAC-SHA256 key.';
comment on column vox.alert_endpoints.rules is 'Alerts of these rules alone; null for all.';

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
  severity vox.alert_severity not null default 'warning'::vox.alert_severity,
  is_enabled boolean not null default true,
  evaluated_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint alert_rules_pkey PRIMARY KEY (name),
  constraint alert_rules_every_seconds_range CHECK (((every_seconds >= 0) AND (every_seconds <= 86400))),
  constraint alert_rules_min_samples_positive CHECK ((min_samples >= 1)),
  constraint alert_rules_name_shape CHECK ((name ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
  constraint alert_rules_resolve_ratio_range CHECK (((resolve_ratio > (0)::numeric) AND (resolve_ratio <= (1)::numeric))),
  constraint alert_rules_threshold_range CHECK (((threshold >= (0)::numeric) AND (threshold < ('1000000000000'::bigint)::numeric))),
  constraint alert_rules_window_minutes_range CHECK (((window_minutes >= 1) AND (window_minutes <= 44640)))
);
comment on table vox.alert_rules is 'What is watched: a named measurement, for whom it is taken, and from which value on it is an alert.';
comment on column vox.alert_rules.measure is 'What is measured; a high value is the bad one.';
comment on column vox.alert_rules.scope is 'What a value is taken for: installation, user, kind, model or conversation.';
comment on column vox.alert_rules.threshold is 'An alert opens when the value reaches it. A measurement may bring its own, as budgets do.';
comment on column vox.alert_rules.resolve_ratio is 'It resolves below this part of the threshold: what lies between does neither.';
comment on column vox.alert_rules.window_minutes is 'How far back is looked, where the measurement looks back.';
comment on column vox.alert_rules.min_samples is 'With fewer observations in the window than these nothing is concluded.';
comment on column vox.alert_rules.evaluated_at is 'Which server evaluates is settled by who moves this.';

create table vox.alerts (
  id uuid not null default vox.uuid_v7(),
  rule text not null,
  subject text not null,
  user_id uuid,
  severity vox.alert_severity not null,
  value numeric not null,
  threshold numeric not null,
  message text not null,
  opened_at timestamp with time zone not null default now(),
  resolved_at timestamp with time zone,
  acknowledged_at timestamp with time zone,
  acknowledged_by uuid,
  created_at timestamp with time zone not null default now(),
  constraint alerts_pkey PRIMARY KEY (id)
);
comment on table vox.alerts is 'One row a crossing: opened when a value reaches its threshold, resolved when it has fallen well below.';
comment on column vox.alerts.subject is 'What it is about, for example user/…/2026-11-01 or conversation/….';
comment on column vox.alerts.user_id is 'The user it concerns, who sees it too; null for the installation''s.';
comment on column vox.alerts.value is 'As it was when the alert opened.';
CREATE UNIQUE INDEX alerts_open_key ON vox.alerts USING btree (rule, subject) WHERE (resolved_at IS NULL);
CREATE INDEX alerts_user_id_idx ON vox.alerts USING btree (user_id, id DESC) WHERE (user_id IS NOT NULL);

create table vox.audit_log (
  id uuid not null default vox.uuid_v7(),
  actor_id uuid,
  actor_role text not null,
  action text not null,
  resource text,
  result text not null default 'success'::text,
  ip_address inet,
  user_agent text,
  metadata jsonb not null default '{}'::jsonb,
  created_at timestamp with time zone not null default now(),
  constraint audit_log_pkey PRIMARY KEY (id),
  constraint audit_log_result_known CHECK ((result = ANY (ARRAY['success'::text, 'failure'::text])))
);
comment on table vox.audit_log is 'Who did what to which resource. Append-only for everybody: nobody is granted update or delete.';
comment on column vox.audit_log.actor_id is 'The user, or null for the service itself. No reference: the log outlives its actors.';
comment on column vox.audit_log.action is 'Subject and verb: user.login, document.upload, conversation.read.';
comment on column vox.audit_log.resource is 'What was acted on, as table/id.';
CREATE INDEX audit_log_actor_id_idx ON vox.audit_log USING btree (actor_id, id);

create table vox.budget_window (
  id boolean not null default true,
  time_zone text not null default 'UTC'::text,
  first_day integer not null default 1,
  updated_at timestamp with time zone not null default now(),
  constraint budget_window_pkey PRIMARY KEY (id),
  constraint budget_window_first_day_range CHECK (((first_day >= 1) AND (first_day <= 28))),
  constraint budget_window_single CHECK (id)
);
comment on table vox.budget_window is 'When a budget''s month begins. One row, in the database so that every server counts alike. Changing it counts all months again.';
comment on column vox.budget_window.time_zone is 'Whose midnight it is, for example UTC or Europe/Berlin.';
comment on column vox.budget_window.first_day is 'The day of the month on which it begins, 1 to 28; 1 is the calendar month.';

create table vox.budgets (
  id uuid not null default vox.uuid_v7(),
  user_id uuid,
  tier vox.user_tier,
  limit_usd numeric(18,9),
  alert_ratio numeric(5,4),
  on_exceed vox.on_exceed,
  override_limit_usd numeric(18,9),
  override_until timestamp with time zone,
  override_note text,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint budgets_pkey PRIMARY KEY (id),
  constraint budgets_tier_key UNIQUE (tier),
  constraint budgets_user_id_key UNIQUE (user_id),
  constraint budgets_alert_ratio_range CHECK (((alert_ratio > (0)::numeric) AND (alert_ratio <= (1)::numeric))),
  constraint budgets_limit_range CHECK (((limit_usd >= (0)::numeric) AND (limit_usd < (1000000000)::numeric))),
  constraint budgets_one_owner CHECK (((user_id IS NULL) <> (tier IS NULL))),
  constraint budgets_override_note_length CHECK ((length(override_note) <= 1000)),
  constraint budgets_override_of_user CHECK (((override_until IS NULL) OR (user_id IS NOT NULL))),
  constraint budgets_override_range CHECK (((override_limit_usd >= (0)::numeric) AND (override_limit_usd < (1000000000)::numeric))),
  constraint budgets_override_whole CHECK (((override_limit_usd IS NULL) = (override_until IS NULL))),
  constraint budgets_tier_complete CHECK (((tier IS NULL) OR (ROW(limit_usd, alert_ratio, on_exceed) IS NOT NULL)))
);
comment on table vox.budgets is 'What may be spent in a month: a default for each tier, and what differs from it for single users.';
comment on column vox.budgets.user_id is 'Whose it is; null for a tier''s default.';
comment on column vox.budgets.tier is 'Which tier''s default it is; null for a user''s.';
comment on column vox.budgets.limit_usd is 'US dollars a month; null in a user''s row: as the tier.';
comment on column vox.budgets.alert_ratio is 'From which part of the limit on an alert is raised, above 0 to 1; null: as the tier.';
comment on column vox.budgets.on_exceed is 'stop refuses new calls and ends running ones, warn only tells; null: as the tier.';
comment on column vox.budgets.override_limit_usd is 'Another limit until override_until; then the former holds again by itself.';

create table vox.charges (
  conversation_id uuid not null,
  id uuid not null default vox.uuid_v7(),
  user_id uuid,
  turn_id uuid,
  stage text not null,
  meter text not null,
  provider text not null,
  model text,
  quantity numeric(18,6) not null,
  unit_price_usd numeric(18,9),
  per integer not null default 1,
  charged_at timestamp with time zone not null,
  created_at timestamp with time zone not null default now(),
  corrects uuid,
  revision integer not null default 0,
  before_quantity numeric(18,6),
  before_usd numeric(18,9),
  saved_usd numeric(18,9) not null default 0,
  amount_usd numeric(18,9) generated always as ((round(((quantity * unit_price_usd) / (per)::numeric), 9) - COALESCE(before_usd, (0)::numeric))) stored,
  constraint charges_pkey PRIMARY KEY (conversation_id, id),
  constraint charges_before_corrects CHECK (
CASE
    WHEN (corrects IS NULL) THEN ((before_quantity IS NULL) AND (before_usd IS NULL))
    ELSE (before_quantity IS NOT NULL)
END),
  constraint charges_per_positive CHECK ((per > 0)),
  constraint charges_quantity_not_negative CHECK ((quantity >= (0)::numeric)),
  constraint charges_revision_corrects CHECK (
CASE
    WHEN (corrects IS NULL) THEN (revision = 0)
    ELSE (revision > 0)
END),
  constraint charges_stage_known CHECK ((stage = ANY (ARRAY['llm'::text, 'asr'::text, 'tts'::text, 'session'::text])))
) partition by range (conversation_id);
comment on table vox.charges is 'What was used, at the price that held then. Never updated and never deleted; a retry adds nothing. What is found to be otherwise later is a revision: a charge that corrects another.';
comment on column vox.charges.model is 'Null where the provider never named it.';
comment on column vox.charges.quantity is 'Units, of a revision all that the series stands for: what it adds is quantity − before_quantity.';
comment on column vox.charges.unit_price_usd is 'Copied from the price book; null where it had no price (unpriced), and then so is amount_usd.';
comment on column vox.charges.corrects is 'The first charge of the series that this one revises; null for a charge of its own.';
comment on column vox.charges.revision is '0, then counted up within the series. The highest holds.';
comment on column vox.charges.before_quantity is 'The quantity that held before this revision.';
comment on column vox.charges.before_usd is 'What the series came to before this revision; null where it had no price.';
comment on column vox.charges.saved_usd is 'What the provider''s cache saved: the difference to the price of the same meter uncached. Of a revision, the difference.';
comment on column vox.charges.amount_usd is 'quantity × unit_price_usd ÷ per, rounded to the nano-dollar, less before_usd; null without a price.';
CREATE INDEX charges_user_id_idx ON vox.charges USING btree (user_id, charged_at);
create table vox.charges_default partition of vox.charges default;

create table vox.cleaned_versions (
  conversation_id uuid not null,
  turn_id uuid not null,
  version integer not null,
  user_id uuid,
  cleaned_text text,
  cleaning_level vox.cleaning_level,
  cleaning_applied boolean not null,
  confidence vox.confidence,
  corrections vox.json_array not null,
  context_detected text,
  business_domain text,
  conversation_flow text,
  transcription_error_detected boolean not null,
  cleaner_model text,
  cleaner_request_id text,
  processing_ms vox.nonnegative,
  replaced_at timestamp with time zone not null default now(),
  constraint cleaned_versions_pkey PRIMARY KEY (conversation_id, turn_id, version),
  constraint cleaned_versions_version_positive CHECK ((version > 0))
);
comment on table vox.cleaned_versions is 'Results of the cleaner that another took the place of, as they stood then, undone corrections included. The current one is in the turn.';
comment on column vox.cleaned_versions.version is 'From 1; the current result''s number is one more than the last.';

create table vox.cleaning_settings (
  id boolean not null default true,
  is_enabled boolean not null default false,
  updated_at timestamp with time zone not null default now(),
  constraint cleaning_settings_pkey PRIMARY KEY (id),
  constraint cleaning_settings_single CHECK (id)
);
comment on table vox.cleaning_settings is 'One row, which servers set at their start. In the database, so that a conversation is taken on by the transaction that makes it.';
comment on column vox.cleaning_settings.is_enabled is 'Whether conversations that begin from now on are cleaned unless their preferences say otherwise.';

create table vox.cleanings (
  conversation_id uuid not null,
  user_id uuid,
  is_enabled boolean not null default true,
  cleaned_through integer not null default 0,
  awaited uuid[] not null default '{}'::uuid[],
  is_open boolean not null default true,
  revision integer not null default 0,
  claimed_by uuid,
  claimed_until timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint cleanings_pkey PRIMARY KEY (conversation_id),
  constraint cleanings_cleaned_through_not_negative CHECK ((cleaned_through >= 0))
) with (fillfactor=60);
comment on table vox.cleanings is 'Conversations whose turns are cleaned as they come, and how far that has come.';
comment on column vox.cleanings.cleaned_through is 'The sequence number up to which every turn has its result, but for those awaited.';
comment on column vox.cleanings.awaited is 'Turns passed over because their text had not come; at most 100.';
comment on column vox.cleanings.is_open is 'Whether it is looked at from time to time. Closed once the conversation is over, or quiet, and cleaned to its end.';
comment on column vox.cleanings.revision is 'Moves when texts that count as context change otherwise than by cleaning on: whoever remembers them reads them anew.';
comment on column vox.cleanings.claimed_by is 'The server that asks a language model about its turns now, so that no two pay for the same.';
comment on column vox.cleanings.claimed_until is 'From then on another may: that server died.';
CREATE INDEX cleanings_open_idx ON vox.cleanings USING btree (conversation_id) WHERE is_open;

create table vox.conversations (
  id uuid not null default vox.uuid_v7(),
  user_id uuid,
  kind vox.conversation_kind not null,
  session_id vox.provider_name,
  room_name text,
  name text,
  description text,
  status vox.conversation_status not null default 'pending'::vox.conversation_status,
  state vox.conversation_state not null default 'idle'::vox.conversation_state,
  end_reason text,
  started_at timestamp with time zone not null default now(),
  connected_at timestamp with time zone,
  ended_at timestamp with time zone,
  duration_seconds integer,
  asr_provider text,
  asr_model text,
  llm_provider text,
  llm_model text,
  tts_provider text,
  tts_model text,
  ai_agent_used boolean not null default false,
  recording_file_id uuid,
  transcript_file_id uuid,
  turn_count integer not null default 0,
  last_sequence integer not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cached_tokens bigint not null default 0,
  cost_usd numeric(18,9) not null default 0,
  unpriced_count integer not null default 0,
  processing_ms bigint not null default 0,
  latency_ms bigint not null default 0,
  latency_count integer not null default 0,
  confidence_high_count integer not null default 0,
  confidence_medium_count integer not null default 0,
  confidence_low_count integer not null default 0,
  interruption_count integer not null default 0,
  function_call_count integer not null default 0,
  error_count integer not null default 0,
  summary text,
  metadata vox.json_object not null default '{}'::jsonb,
  preferences vox.json_object not null default '{}'::jsonb,
  session_state vox.json_object not null default '{}'::jsonb,
  archived_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  usage_stale boolean not null default true,
  constraint conversations_pkey PRIMARY KEY (id),
  constraint conversations_id_user_id_key UNIQUE (id, user_id),
  constraint conversations_session_id_key UNIQUE (session_id)
) with (fillfactor=50);
comment on table vox.conversations is 'One model for realtime sessions, calls, clone sessions, uploaded transcripts and agent chats.';
comment on column vox.conversations.user_id is 'The owner; null for a call of nobody known, which only the service sees.';
comment on column vox.conversations.session_id is 'The provider''s name of it (OpenAI session, LiveKit room); starting twice with one name starts once.';
comment on column vox.conversations.duration_seconds is 'Whole seconds from connected_at (else started_at) to ended_at. Kept by the triggers, which run when one of these moves: a generated column would be worked out at every turn appended.';
comment on column vox.conversations.turn_count is 'All turns ever appended, those moved to the archive included.';
comment on column vox.conversations.last_sequence is 'The last sequence number given; equals turn_count after every statement.';
comment on column vox.conversations.input_tokens is 'Of turns, and of usage events that belong to no turn.';
comment on column vox.conversations.cached_tokens is 'The part of input_tokens that the provider had cached.';
comment on column vox.conversations.cost_usd is 'Sum of the charges, US dollars.';
comment on column vox.conversations.unpriced_count is 'Charges that had no price when they were recorded; they are not in cost_usd.';
comment on column vox.conversations.latency_ms is 'Sum of turns'' end_to_end_ms; divide by latency_count for the mean.';
comment on column vox.conversations.usage_stale is 'Whether something happened that vox.usage_rollups does not hold yet.';
CREATE INDEX conversations_active_idx ON vox.conversations USING btree (id DESC) WHERE (status = ANY (ARRAY['pending'::vox.conversation_status, 'active'::vox.conversation_status]));
CREATE INDEX conversations_provider_conversation_idx ON vox.conversations USING btree ((((metadata)::jsonb ->> 'provider_conversation_id'::text))) WHERE ((metadata)::jsonb ? 'provider_conversation_id'::text);
CREATE INDEX conversations_room_name_idx ON vox.conversations USING btree (room_name) WHERE (room_name IS NOT NULL);
CREATE INDEX conversations_usage_stale_idx ON vox.conversations USING btree (user_id, id) WHERE usage_stale;
CREATE INDEX conversations_user_id_id_idx ON vox.conversations USING btree (user_id, id DESC);
CREATE INDEX conversations_watched_idx ON vox.conversations USING btree (id) WHERE ((status = ANY (ARRAY['pending'::vox.conversation_status, 'active'::vox.conversation_status])) AND ((metadata)::jsonb ?| ARRAY['livekit'::text, 'sideband'::text]));

create table vox.function_calls (
  conversation_id uuid not null,
  id uuid not null default vox.uuid_v7(),
  user_id uuid,
  turn_id uuid,
  call_id text not null,
  name text,
  arguments jsonb,
  result jsonb,
  status text not null default 'in_progress'::text,
  error_message text,
  execution_ms vox.nonnegative,
  started_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint function_calls_pkey PRIMARY KEY (conversation_id, id),
  constraint function_calls_call_id_key UNIQUE (conversation_id, call_id),
  constraint function_calls_status_known CHECK ((status = ANY (ARRAY['in_progress'::text, 'completed'::text, 'failed'::text, 'cancelled'::text])))
);
comment on table vox.function_calls is 'The audit of every tool an agent called.';
comment on column vox.function_calls.turn_id is 'The turn it was called in, where the provider told.';
comment on column vox.function_calls.call_id is 'The provider''s id of the call; unique in its conversation.';
comment on column vox.function_calls.name is 'Null where only the result was seen.';
comment on column vox.function_calls.arguments is 'As JSON; a JSON string where the model sent something that is not JSON.';
CREATE INDEX function_calls_user_id_idx ON vox.function_calls USING btree (user_id, id DESC);

create table vox.key_terms (
  id uuid not null default vox.uuid_v7(),
  conversation_id uuid,
  user_id uuid,
  terms text[] not null,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint key_terms_pkey PRIMARY KEY (id),
  constraint key_terms_scope_key UNIQUE NULLS NOT DISTINCT (conversation_id, user_id),
  constraint key_terms_count CHECK ((cardinality(terms) <= 10000))
);
comment on table vox.key_terms is 'Names and terms as they are spelled, which the cleaner trusts: a list for the installation, for each user, for each conversation.';
comment on column vox.key_terms.conversation_id is 'The conversation whose list it is; null for a user''s and the installation''s.';
comment on column vox.key_terms.user_id is 'The user whose list it is, or the conversation''s owner; null for the installation''s.';
comment on column vox.key_terms.terms is 'Up to 10,000, of 1 to 200 characters each.';
CREATE INDEX key_terms_user_id_idx ON vox.key_terms USING btree (user_id);

create table vox.livekit_inbox (
  id uuid not null default vox.uuid_v7(),
  event_key uuid not null,
  kind text not null,
  room_sid vox.provider_name,
  room_name vox.provider_name,
  payload bytea not null,
  received_at timestamp with time zone not null default now(),
  conversation_id uuid,
  read_at timestamp with time zone,
  attempts integer not null default 0,
  fault text,
  constraint livekit_inbox_pkey PRIMARY KEY (id),
  constraint livekit_inbox_event_key_key UNIQUE (event_key),
  constraint livekit_inbox_kind_known CHECK ((kind = ANY (ARRAY['event'::text, 'agent'::text])))
);
comment on table vox.livekit_inbox is 'What LiveKit and its agents delivered: accepted, and waiting to be read. The service''s alone.';
comment on column vox.livekit_inbox.event_key is 'Identifies the delivery, so that one sent again while it waits is kept once.';
comment on column vox.livekit_inbox.kind is 'event: of the room, by webhook or by asking. agent: what an agent uploaded.';
comment on column vox.livekit_inbox.room_sid is 'Null where the delivery names its room by name alone, or none.';
comment on column vox.livekit_inbox.payload is 'An event as it came, without the secrets that LiveKit puts into some; of an upload the records that are kept, and the audio.';
comment on column vox.livekit_inbox.conversation_id is 'Of a delivery without sid: the conversation it was last taken to belong to.';
comment on column vox.livekit_inbox.read_at is 'Null while it waits. Kept afterwards: deliveries without sid, and what could not be read.';
comment on column vox.livekit_inbox.attempts is 'How often reading it failed.';
comment on column vox.livekit_inbox.fault is 'The code of the last failure.';
CREATE INDEX livekit_inbox_conversation_id_idx ON vox.livekit_inbox USING btree (conversation_id) WHERE (conversation_id IS NOT NULL);
CREATE INDEX livekit_inbox_room_name_idx ON vox.livekit_inbox USING btree (room_name) WHERE (room_sid IS NULL);
CREATE INDEX livekit_inbox_waiting_idx ON vox.livekit_inbox USING btree (id) WHERE (read_at IS NULL);

create table vox.monthly_spend (
  user_id uuid not null,
  month date not null,
  amount_usd numeric(18,9) not null default 0,
  tokens numeric(20,6) not null default 0,
  conversations integer not null default 0,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint monthly_spend_pkey PRIMARY KEY (user_id, month)
) with (fillfactor=70);
comment on table vox.monthly_spend is 'What each user''s charges came to by budget month, kept as they arrive. Written by the database alone.';
comment on column vox.monthly_spend.month is 'The month''s first day; by the time of the charge, not of its arrival.';
comment on column vox.monthly_spend.amount_usd is 'Sum of the charges, corrections included.';
comment on column vox.monthly_spend.tokens is 'Tokens charged, of every kind and modality.';
comment on column vox.monthly_spend.conversations is 'Conversations with a charge in the month.';
CREATE INDEX monthly_spend_month_idx ON vox.monthly_spend USING btree (month);

create table vox.participants (
  conversation_id uuid not null,
  id uuid not null default vox.uuid_v7(),
  owner_id uuid,
  user_id uuid,
  identity vox.provider_name not null,
  name text,
  type vox.participant_type not null default 'user'::vox.participant_type,
  kind text not null default 'standard'::text,
  joined_at timestamp with time zone not null default now(),
  left_at timestamp with time zone,
  duration_seconds integer generated always as ((GREATEST((0)::numeric, floor(EXTRACT(epoch FROM (left_at - joined_at)))))::integer) stored,
  is_muted boolean not null default false,
  disconnect_reason text,
  attributes vox.json_object not null default '{}'::jsonb,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint participants_pkey PRIMARY KEY (conversation_id, id)
);
comment on table vox.participants is 'Who was in a conversation. Joining again is another row.';
comment on column vox.participants.owner_id is 'The conversation''s user_id, maintained by the database.';
comment on column vox.participants.user_id is 'The participant''s own user; null for an anonymous caller or an agent.';
CREATE INDEX participants_user_id_idx ON vox.participants USING btree (user_id, conversation_id) WHERE (user_id IS NOT NULL);

create table vox.prices (
  id uuid not null default vox.uuid_v7(),
  provider text not null,
  model text not null,
  meter text not null,
  unit_price_usd numeric(18,9) not null,
  per integer not null default 1,
  valid_from timestamp with time zone not null,
  note text,
  is_default boolean not null default false,
  created_at timestamp with time zone not null default now(),
  expression text generated always as (
CASE
    WHEN (model ~~ '/%/'::text) THEN (('^(?:'::text || substr(model, 2, (length(model) - 2))) || ')$'::text)
    ELSE NULL::text
END) stored,
  constraint prices_pkey PRIMARY KEY (id),
  constraint prices_key UNIQUE (provider, model, meter, valid_from, is_default),
  constraint prices_meter_shape CHECK ((meter ~ '^[a-z]+(\.[a-z]+)*$'::text)),
  constraint prices_model_shape CHECK (
CASE
    WHEN (model !~~ '/%/'::text) THEN (model ~ '^[^*[:space:]]+\*?$|^\*$'::text)
    WHEN ((length(model) < 3) OR (length(model) > 128) OR (POSITION(('(?'::text) IN (model)) > 0) OR (model !~ '^/([A-Za-z0-9_:@.-]|\\[.d]|\[\^?[A-Za-z0-9_:.-]+\]|[()|?*+])+/$'::text)) THEN false
    ELSE ((''::text ~ (('^(?:'::text || substr(model, 2, (length(model) - 2))) || ')$'::text)) IS NOT NULL)
END),
  constraint prices_per_positive CHECK ((per > 0)),
  constraint prices_unit_price_not_negative CHECK ((unit_price_usd >= (0)::numeric))
);
comment on table vox.prices is 'What a unit of a meter costs from a date on. A price holds until a later valid_from of the same key.';
comment on column vox.prices.model is 'A model''s exact name, a prefix ending in *, or a /regular expression/ over the whole name. The exact name wins, then the longest prefix, then the longest expression.';
comment on column vox.prices.per is 'How many units unit_price_usd buys: 1000000 for tokens quoted per million, 60 for seconds quoted per minute.';
comment on column vox.prices.is_default is 'Shipped with Voxbase. A price set by hand for the same model, meter and time wins over it.';
comment on column vox.prices.expression is 'What a /regular expression/ is matched with; null for names and prefixes.';
CREATE INDEX prices_meter_idx ON vox.prices USING btree (provider, meter, valid_from);

create table vox.provider_events (
  conversation_id uuid not null,
  ordinal integer not null,
  event_key uuid not null,
  user_id uuid,
  provider text not null,
  direction text not null,
  event_type text not null,
  event_id text,
  received_at timestamp with time zone not null default now(),
  logged_at timestamp with time zone,
  offset_ms integer,
  payload text not null,
  constraint provider_events_pkey PRIMARY KEY (conversation_id, ordinal),
  constraint provider_events_event_key_key UNIQUE (conversation_id, event_key),
  constraint provider_events_ordinal_positive CHECK ((ordinal > 0))
) partition by range (conversation_id);
comment on table vox.provider_events is 'The evidence: every raw event in order. All else of a captured conversation can be rebuilt from it.';
comment on column vox.provider_events.event_key is 'Identifies the event itself, so that a log replayed twice, or in pieces, is kept once.';
comment on column vox.provider_events.received_at is 'When it came here.';
comment on column vox.provider_events.logged_at is 'The time of day on the clock of the log; null where the log has none.';
comment on column vox.provider_events.offset_ms is 'Milliseconds on the clock of the log; null where the log has none.';
comment on column vox.provider_events.payload is E'The event to the letter. Text, because jsonb refuses some of what providers send (\\u0000, lone surrogates).';
create table vox.provider_events_default partition of vox.provider_events default with (toast_tuple_target=8160, autovacuum_vacuum_insert_threshold=-1);

create table vox.recordings (
  conversation_id uuid not null,
  id uuid not null default vox.uuid_v7(),
  user_id uuid,
  source text not null,
  provider_id vox.provider_name,
  status text not null,
  location text,
  content_type text,
  size_bytes bigint,
  duration_ms bigint,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  error_message text,
  audio bytea,
  details vox.json_object not null default '{}'::jsonb,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint recordings_pkey PRIMARY KEY (conversation_id, id),
  constraint recordings_figures_not_negative CHECK (((size_bytes >= 0) AND (duration_ms >= 0))),
  constraint recordings_source_known CHECK ((source = ANY (ARRAY['egress'::text, 'agent'::text])))
);
comment on table vox.recordings is 'Recordings of a conversation: where they are, or the bytes themselves.';
comment on column vox.recordings.source is 'egress: LiveKit recorded the room. agent: the agent uploaded what it heard and said.';
comment on column vox.recordings.provider_id is 'The egress, or the agent''s job.';
comment on column vox.recordings.status is 'starting, active, ending, complete, failed, aborted, limit_reached; or what LiveKit calls it.';
comment on column vox.recordings.location is 'URL or path, as LiveKit tells it. Null while there is none, and where the bytes are in audio.';
comment on column vox.recordings.size_bytes is 'Null where LiveKit didn''t say.';
comment on column vox.recordings.audio is 'The bytes, of an agent''s upload.';

create table vox.reservations (
  conversation_id uuid not null,
  user_id uuid not null,
  held_usd vox.nonnegative_usd not null,
  lapses_at timestamp with time zone not null,
  created_at timestamp with time zone not null default now(),
  constraint reservations_pkey PRIMARY KEY (conversation_id, user_id)
) with (fillfactor=70);
comment on table vox.reservations is 'What a running call holds of its payer''s budget. The conversation need not exist yet.';
comment on column vox.reservations.held_usd is 'What is left of it: charges of the conversation use it up.';
comment on column vox.reservations.lapses_at is 'From then on it counts no more, whether or not anybody has taken it away.';
CREATE INDEX reservations_user_idx ON vox.reservations USING btree (user_id);

create table vox.reserved_spend (
  user_id uuid not null,
  reserved_usd vox.nonnegative_usd not null default 0,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  month date not null default '-infinity'::date,
  spent_usd numeric(18,9) not null default 0,
  limit_usd numeric(18,9) not null default 0,
  alert_ratio numeric(5,4) not null default 1,
  on_exceed vox.on_exceed not null default 'stop'::vox.on_exceed,
  known_until timestamp with time zone not null default '-infinity'::timestamp with time zone,
  constraint reserved_spend_pkey PRIMARY KEY (user_id)
) with (fillfactor=50);
comment on table vox.reserved_spend is 'Where each user stands: what running calls hold, and what a reservation must know; the lock under which that changes.';
comment on column vox.reserved_spend.reserved_usd is 'The sum of the user''s reservations, those that lapsed included until they are taken away.';
comment on column vox.reserved_spend.month is 'The budget month that spent_usd is of.';
comment on column vox.reserved_spend.spent_usd is 'What the month''s charges came to: monthly_spend, while it is known.';
comment on column vox.reserved_spend.limit_usd is 'The limit in force, US dollars.';
comment on column vox.reserved_spend.known_until is 'Until when month, spent, limit, ratio and on_exceed hold: to the month''s or an override''s end; -infinity: read them again.';

create table vox.turns (
  conversation_id uuid not null,
  sequence_number integer not null,
  id uuid not null default vox.uuid_v7(),
  user_id uuid,
  role vox.turn_role not null,
  speaker text,
  started_at timestamp with time zone,
  ended_at timestamp with time zone,
  raw_text text,
  cleaned_text text,
  heard_text text,
  interrupted boolean not null default false,
  status text not null default 'completed'::text,
  language text,
  provider text,
  model text,
  response_id text,
  item_id text,
  input_tokens vox.nonnegative,
  output_tokens vox.nonnegative,
  cached_tokens vox.nonnegative,
  input_text_tokens vox.nonnegative,
  input_audio_tokens vox.nonnegative,
  input_image_tokens vox.nonnegative,
  cached_text_tokens vox.nonnegative,
  cached_audio_tokens vox.nonnegative,
  output_text_tokens vox.nonnegative,
  output_audio_tokens vox.nonnegative,
  asr_ms vox.nonnegative,
  end_of_utterance_ms vox.nonnegative,
  rag_ms vox.nonnegative,
  llm_first_token_ms vox.nonnegative,
  tts_first_byte_ms vox.nonnegative,
  end_to_end_ms vox.nonnegative,
  queue_ms vox.nonnegative,
  delivery_ms vox.nonnegative,
  audio_duration_ms vox.nonnegative,
  asr_cost_usd numeric(18,9) not null default 0,
  llm_cost_usd numeric(18,9) not null default 0,
  tts_cost_usd numeric(18,9) not null default 0,
  cost_usd numeric(18,9) generated always as (((asr_cost_usd + llm_cost_usd) + tts_cost_usd)) stored,
  audio_file_id uuid,
  cleaning_level vox.cleaning_level,
  cleaning_applied boolean not null default false,
  confidence vox.confidence,
  corrections vox.json_array not null default '[]'::jsonb,
  context_detected text,
  transcription_error_detected boolean not null default false,
  business_domain text,
  conversation_flow text,
  cleaner_model text,
  cleaner_request_id text,
  processing_ms vox.nonnegative,
  sliding_window_size vox.nonnegative,
  context_turns_used vox.nonnegative,
  metadata vox.json_object not null default '{}'::jsonb,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  constraint turns_pkey PRIMARY KEY (conversation_id, id),
  constraint turns_sequence_number_key UNIQUE (conversation_id, sequence_number) DEFERRABLE,
  constraint turns_sequence_number_positive CHECK ((sequence_number > 0))
) partition by range (conversation_id);
comment on table vox.turns is 'One utterance each, numbered from 1 without a gap. Partitioned by month of the conversation''s id.';
comment on column vox.turns.raw_text is 'As the provider sent it, to the letter; null while a transcript is awaited.';
comment on column vox.turns.heard_text is 'What had been played when the speaker was interrupted; null where that is unknown or everything was heard.';
comment on column vox.turns.response_id is 'The provider''s response that made it.';
comment on column vox.turns.item_id is 'The provider''s item.';
comment on column vox.turns.cached_tokens is 'The part of input_tokens that the provider had cached.';
comment on column vox.turns.asr_ms is 'From the end of speech to its transcript.';
comment on column vox.turns.end_of_utterance_ms is 'From the end of speech to the decision that it had ended.';
comment on column vox.turns.llm_first_token_ms is 'From the request to the first token.';
comment on column vox.turns.tts_first_byte_ms is 'From the first token to the first audio.';
comment on column vox.turns.end_to_end_ms is 'From the end of the user''s speech to the first audio of the answer.';
comment on column vox.turns.queue_ms is 'Waiting before the cleaner took it.';
comment on column vox.turns.delivery_ms is 'From commit to the subscriber.';
comment on column vox.turns.processing_ms is 'The cleaner''s own time.';
CREATE INDEX turns_created_at_idx ON vox.turns USING brin (created_at) WITH (pages_per_range='16', autosummarize='on');
create table vox.turns_default partition of vox.turns default;

create table vox.usage_events (
  conversation_id uuid not null,
  id uuid not null default vox.uuid_v7(),
  user_id uuid,
  event_type text not null,
  turn_id uuid,
  response_id text,
  model text,
  latency_ms vox.nonnegative,
  audio_duration_ms vox.nonnegative,
  input_tokens vox.nonnegative,
  output_tokens vox.nonnegative,
  cached_tokens vox.nonnegative,
  at timestamp with time zone not null default now(),
  details vox.json_object not null default '{}'::jsonb,
  created_at timestamp with time zone not null default now(),
  constraint usage_events_pkey PRIMARY KEY (conversation_id, id),
  constraint usage_events_event_type_length CHECK (((length(event_type) >= 1) AND (length(event_type) <= 64)))
) partition by range (conversation_id);
comment on table vox.usage_events is 'What happened and what it used: session_start, response, transcription, error, rate_limits…';
comment on column vox.usage_events.turn_id is 'Tokens of an event with a turn are counted on the turn, those of one without on the conversation.';
create table vox.usage_events_default partition of vox.usage_events default;

create table vox.usage_folds (
  conversation_id uuid not null,
  user_id uuid,
  parts vox_private.usage_part[] not null,
  folded_at timestamp with time zone not null default now(),
  constraint usage_folds_pkey PRIMARY KEY (conversation_id)
);
comment on table vox.usage_folds is 'What of a conversation is in the rollups. No reference: a conversation that is deleted is taken out of them by its trigger.';
comment on column vox.usage_folds.user_id is 'In whose rollups it is.';

create table vox.usage_rollups (
  scope uuid not null,
  dimension text not null,
  by_month boolean not null,
  period date not null,
  key text not null,
  provider text not null,
  conversations bigint not null default 0,
  completed bigint not null default 0,
  failed bigint not null default 0,
  ai_conversations bigint not null default 0,
  duration_seconds bigint not null default 0,
  completed_seconds bigint not null default 0,
  turns bigint not null default 0,
  interruptions bigint not null default 0,
  function_calls bigint not null default 0,
  errors bigint not null default 0,
  processing_ms bigint not null default 0,
  high_confidence_turns bigint not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cached_tokens bigint not null default 0,
  input_text_tokens bigint not null default 0,
  input_audio_tokens bigint not null default 0,
  input_image_tokens bigint not null default 0,
  cached_text_tokens bigint not null default 0,
  cached_audio_tokens bigint not null default 0,
  output_text_tokens bigint not null default 0,
  output_audio_tokens bigint not null default 0,
  charges bigint not null default 0,
  unpriced bigint not null default 0,
  cost_usd numeric(24,9) not null default 0,
  saved_usd numeric(24,9) not null default 0,
  meters text[] not null default '{}'::text[],
  meter_quantities numeric[] not null default '{}'::numeric[],
  meter_unpriced bigint[] not null default '{}'::bigint[],
  latency_count bigint not null default 0,
  latency_ms bigint not null default 0,
  latency_buckets smallint[] not null default '{}'::smallint[],
  latency_counts bigint[] not null default '{}'::bigint[],
  constraint usage_rollups_pkey PRIMARY KEY (scope, dimension, by_month, period, key, provider),
  constraint usage_rollups_dimension CHECK ((dimension = ANY (ARRAY['total'::text, 'kind'::text, 'model'::text, 'stage'::text]))),
  constraint usage_rollups_latencies CHECK ((cardinality(latency_counts) = cardinality(latency_buckets))),
  constraint usage_rollups_meters CHECK (((cardinality(meter_quantities) = cardinality(meters)) AND (cardinality(meter_unpriced) = cardinality(meters))))
) with (fillfactor=80);
comment on table vox.usage_rollups is 'Sums of the parts of conversations: a row for each group of each day and month, of each user and of everyone.';
comment on column vox.usage_rollups.scope is 'A user; ffffffff-ffff-ffff-ffff-ffffffffffff for everyone together.';
comment on column vox.usage_rollups.dimension is 'total, kind, model or stage: what the row is a group of.';
comment on column vox.usage_rollups.period is 'The day, or the first day of the month, UTC.';
comment on column vox.usage_rollups.key is 'The kind, model or stage; empty for the total and for a model that was not named.';
comment on column vox.usage_rollups.provider is 'Whose model; empty in the other dimensions.';
comment on column vox.usage_rollups.conversations is 'Of a model or stage, those that used it.';
comment on column vox.usage_rollups.completed_seconds is 'Seconds of those that ended well.';
comment on column vox.usage_rollups.meters is 'What was charged, each meter once.';
comment on column vox.usage_rollups.meter_quantities is 'Units of each of the meters.';
comment on column vox.usage_rollups.meter_unpriced is 'Charges without a price of each of the meters.';
comment on column vox.usage_rollups.latency_ms is 'The sum of the latencies.';
comment on column vox.usage_rollups.latency_buckets is 'Each bucket b that something fell into: the least with 1.04^b ms not below it, -1 for 0 ms.';
comment on column vox.usage_rollups.latency_counts is 'How many fell into each of the buckets.';

create table vox.users (
  id uuid not null default vox.uuid_v7(),
  email text,
  first_name text,
  last_name text,
  role vox.user_role not null default 'user'::vox.user_role,
  tier vox.user_tier not null default 'free'::vox.user_tier,
  personality_traits text[] not null default '{}'::text[],
  settings jsonb not null default '{}'::jsonb,
  is_active boolean not null default true,
  last_login_at timestamp with time zone,
  created_at timestamp with time zone not null default now(),
  updated_at timestamp with time zone not null default now(),
  deleted_at timestamp with time zone,
  constraint users_pkey PRIMARY KEY (id),
  constraint users_email_shape CHECK (((email ~ '^[^@[:space:]]+@[^@[:space:]]+$'::text) AND (length(email) <= 320))),
  constraint users_settings_object CHECK ((jsonb_typeof(settings) = 'object'::text))
);
comment on table vox.users is 'The people and programs that own conversations. The id is the token''s subject.';
comment on column vox.users.email is 'Null for users known only by their token.';
comment on column vox.users.role is 'admin sees everything; asked by policies at each query.';
comment on column vox.users.settings is 'Preferences, including audio tags. An object.';
comment on column vox.users.deleted_at is 'Soft delete: invisible to ordinary queries, restorable until the hard delete.';
CREATE UNIQUE INDEX users_email_key ON vox.users USING btree (lower(email));

create table vox_private.feed_slots (
  slot_name text not null,
  server_name text not null,
  seen_at timestamp with time zone not null default now(),
  created_at timestamp with time zone not null default now(),
  constraint feed_slots_pkey PRIMARY KEY (slot_name)
);
comment on table vox_private.feed_slots is 'Replication slots of this database''s servers.';
comment on column vox_private.feed_slots.slot_name is 'As in pg_replication_slots.';
comment on column vox_private.feed_slots.server_name is 'The server whose it is, as it calls itself.';
comment on column vox_private.feed_slots.seen_at is 'When that server last said that it reads it; it does so every few seconds.';

create table vox_private.migrations (
  number integer not null,
  name text not null,
  hash text not null,
  applied_at timestamp with time zone not null default now(),
  constraint migrations_pkey PRIMARY KEY (number)
);
comment on table vox_private.migrations is 'Which migrations this database has had, with the SHA-256 of each file.';

-- Views -----------------------------------------------------------------------------------------------------------------------------------

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
    GREATEST(0::numeric, COALESCE(r.reserved_usd::numeric, 0::numeric) - COALESCE(l.held_usd, 0::numeric)) AS reserved_usd,
    COALESCE(s.tokens, 0::numeric) AS tokens,
    COALESCE(s.conversations, 0) AS conversations
   FROM ( SELECT vox_private.budget_month(now()) AS month
         OFFSET 0) w
     CROSS JOIN vox.users u
     LEFT JOIN vox.budgets b ON b.user_id = u.id
     LEFT JOIN vox.budgets t ON t.tier = u.tier
     LEFT JOIN vox.monthly_spend s ON s.user_id = u.id AND s.month = w.month
     LEFT JOIN vox.reserved_spend r ON r.user_id = u.id
     LEFT JOIN LATERAL ( SELECT sum(reservations.held_usd::numeric) AS held_usd
           FROM vox.reservations
          WHERE reservations.user_id = u.id AND reservations.lapses_at <= now()) l ON true
  WHERE u.deleted_at IS NULL;
comment on view vox.budget_positions is 'Where each user stands this month: limit in force, spent, reserved.';

-- References ------------------------------------------------------------------------------------------------------------------------------

alter table vox.alert_deliveries add constraint alert_deliveries_alert_fkey FOREIGN KEY (alert_id) REFERENCES vox.alerts(id) ON DELETE CASCADE;
alter table vox.alert_deliveries add constraint alert_deliveries_endpoint_fkey FOREIGN KEY (endpoint_id) REFERENCES vox.alert_endpoints(id) ON DELETE CASCADE;
alter table vox.alerts add constraint alerts_rule_fkey FOREIGN KEY (rule) REFERENCES vox.alert_rules(name) ON DELETE CASCADE;
alter table vox.budgets add constraint budgets_user_id_fkey FOREIGN KEY (user_id) REFERENCES vox.users(id) ON DELETE CASCADE;
alter table vox.charges add constraint charges_conversation_fkey FOREIGN KEY (conversation_id, user_id) REFERENCES vox.conversations(id, user_id) ON UPDATE CASCADE;
alter table vox.cleaned_versions add constraint cleaned_versions_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES vox.conversations(id) ON DELETE CASCADE;
alter table vox.cleaned_versions add constraint cleaned_versions_owner_fkey FOREIGN KEY (conversation_id, user_id) REFERENCES vox.conversations(id, user_id) ON UPDATE CASCADE ON DELETE CASCADE;
alter table vox.cleanings add constraint cleanings_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES vox.conversations(id) ON DELETE CASCADE;
alter table vox.cleanings add constraint cleanings_owner_fkey FOREIGN KEY (conversation_id, user_id) REFERENCES vox.conversations(id, user_id) ON UPDATE CASCADE ON DELETE CASCADE;
alter table vox.conversations add constraint conversations_user_id_fkey FOREIGN KEY (user_id) REFERENCES vox.users(id);
alter table vox.function_calls add constraint function_calls_conversation_fkey FOREIGN KEY (conversation_id, user_id) REFERENCES vox.conversations(id, user_id) ON UPDATE CASCADE ON DELETE CASCADE;
alter table vox.key_terms add constraint key_terms_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES vox.conversations(id) ON DELETE CASCADE;
alter table vox.key_terms add constraint key_terms_owner_fkey FOREIGN KEY (conversation_id, user_id) REFERENCES vox.conversations(id, user_id) ON UPDATE CASCADE ON DELETE CASCADE;
alter table vox.key_terms add constraint key_terms_user_id_fkey FOREIGN KEY (user_id) REFERENCES vox.users(id);
alter table vox.livekit_inbox add constraint livekit_inbox_conversation_fkey FOREIGN KEY (conversation_id) REFERENCES vox.conversations(id) ON DELETE CASCADE;
alter table vox.participants add constraint participants_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES vox.conversations(id) ON DELETE CASCADE;
alter table vox.participants add constraint participants_owner_fkey FOREIGN KEY (conversation_id, owner_id) REFERENCES vox.conversations(id, user_id) ON UPDATE CASCADE ON DELETE CASCADE;
alter table vox.participants add constraint participants_user_id_fkey FOREIGN KEY (user_id) REFERENCES vox.users(id);
alter table vox.recordings add constraint recordings_conversation_id_fkey FOREIGN KEY (conversation_id) REFERENCES vox.conversations(id) ON DELETE CASCADE;
alter table vox.recordings add constraint recordings_owner_fkey FOREIGN KEY (conversation_id, user_id) REFERENCES vox.conversations(id, user_id) ON UPDATE CASCADE ON DELETE CASCADE;
alter table vox.usage_events add constraint usage_events_conversation_fkey FOREIGN KEY (conversation_id, user_id) REFERENCES vox.conversations(id, user_id) ON UPDATE CASCADE ON DELETE CASCADE;

-- Triggers --------------------------------------------------------------------------------------------------------------------------------

CREATE TRIGGER alert_endpoints_audit AFTER INSERT OR DELETE OR UPDATE ON vox.alert_endpoints FOR EACH ROW EXECUTE FUNCTION vox_private.audit_change('alert_endpoint');
CREATE TRIGGER alert_rules_audit AFTER INSERT OR DELETE OR UPDATE OF measure, scope, threshold, resolve_ratio, window_minutes, min_samples, every_seconds, severity, is_enabled ON vox.alert_rules FOR EACH ROW EXECUTE FUNCTION vox_private.audit_change('alert_rule');
CREATE TRIGGER alert_rules_touch BEFORE UPDATE OF description, measure, scope, threshold, resolve_ratio, window_minutes, min_samples, every_seconds, severity, is_enabled ON vox.alert_rules FOR EACH ROW EXECUTE FUNCTION vox_private.touch_updated_at();
CREATE TRIGGER budget_window_audit AFTER UPDATE ON vox.budget_window FOR EACH ROW EXECUTE FUNCTION vox_private.audit_change('budget_window');
CREATE TRIGGER budget_window_changed AFTER UPDATE OF time_zone, first_day ON vox.budget_window FOR EACH ROW WHEN (((new.time_zone <> old.time_zone) OR (new.first_day <> old.first_day))) EXECUTE FUNCTION vox_private.budget_window_changed();
CREATE TRIGGER budget_window_changing BEFORE UPDATE ON vox.budget_window FOR EACH ROW EXECUTE FUNCTION vox_private.budget_window_changing();
CREATE TRIGGER budgets_audit AFTER INSERT OR DELETE OR UPDATE ON vox.budgets FOR EACH ROW EXECUTE FUNCTION vox_private.audit_change('budget');
CREATE TRIGGER budgets_forget AFTER INSERT OR DELETE OR UPDATE ON vox.budgets FOR EACH ROW EXECUTE FUNCTION vox_private.budgets_forget();
CREATE TRIGGER budgets_touch BEFORE UPDATE ON vox.budgets FOR EACH ROW EXECUTE FUNCTION vox_private.touch_updated_at();
CREATE TRIGGER charges_added AFTER INSERT ON vox.charges REFERENCING NEW TABLE AS added_charges FOR EACH STATEMENT EXECUTE FUNCTION vox_private.charges_added();
CREATE TRIGGER charges_fill_user BEFORE INSERT ON vox.charges FOR EACH ROW WHEN ((new.user_id IS NULL)) EXECUTE FUNCTION vox_private.fill_user_id();
CREATE TRIGGER charges_moved AFTER UPDATE ON vox.charges REFERENCING OLD TABLE AS charges_before NEW TABLE AS charges_after FOR EACH STATEMENT EXECUTE FUNCTION vox_private.charges_moved();
CREATE TRIGGER charges_spent AFTER INSERT ON vox.charges REFERENCING NEW TABLE AS added_charges FOR EACH STATEMENT EXECUTE FUNCTION vox_private.charges_spent();
CREATE TRIGGER cleaned_versions_fill_user BEFORE INSERT ON vox.cleaned_versions FOR EACH ROW WHEN ((new.user_id IS NULL)) EXECUTE FUNCTION vox_private.fill_user_id();
CREATE TRIGGER cleanings_touch BEFORE UPDATE ON vox.cleanings FOR EACH ROW EXECUTE FUNCTION vox_private.touch_updated_at();
CREATE TRIGGER conversations_cleaning_changed AFTER UPDATE OF preferences ON vox.conversations FOR EACH ROW WHEN ((((old.preferences)::jsonb -> 'cleaning'::text) IS DISTINCT FROM ((new.preferences)::jsonb -> 'cleaning'::text))) EXECUTE FUNCTION vox_private.cleaning_wanted();
CREATE TRIGGER conversations_cleaning_wanted AFTER INSERT ON vox.conversations FOR EACH ROW EXECUTE FUNCTION vox_private.cleaning_wanted();
CREATE TRIGGER conversations_deleted AFTER DELETE ON vox.conversations FOR EACH ROW EXECUTE FUNCTION vox_private.conversation_deleted();
CREATE TRIGGER conversations_going BEFORE DELETE ON vox.conversations FOR EACH ROW EXECUTE FUNCTION vox_private.conversation_going();
CREATE TRIGGER conversations_moving BEFORE UPDATE OF status, state, user_id, kind, session_id, room_name, name, description, end_reason, connected_at, ended_at, asr_provider, asr_model, llm_provider, llm_model, tts_provider, tts_model, ai_agent_used, recording_file_id, transcript_file_id, summary, metadata, preferences, session_state, archived_at ON vox.conversations FOR EACH ROW EXECUTE FUNCTION vox_private.conversation_moving();
CREATE TRIGGER conversations_owner_changed AFTER UPDATE OF user_id ON vox.conversations FOR EACH ROW WHEN ((old.user_id IS DISTINCT FROM new.user_id)) EXECUTE FUNCTION vox_private.conversation_owner_changed();
CREATE TRIGGER conversations_starting BEFORE INSERT ON vox.conversations FOR EACH ROW EXECUTE FUNCTION vox_private.conversation_starting();
CREATE TRIGGER function_calls_added AFTER INSERT ON vox.function_calls REFERENCING NEW TABLE AS added_calls FOR EACH STATEMENT EXECUTE FUNCTION vox_private.function_calls_added();
CREATE TRIGGER function_calls_fill_user BEFORE INSERT ON vox.function_calls FOR EACH ROW WHEN ((new.user_id IS NULL)) EXECUTE FUNCTION vox_private.fill_user_id();
CREATE TRIGGER function_calls_touch BEFORE UPDATE ON vox.function_calls FOR EACH ROW EXECUTE FUNCTION vox_private.touch_updated_at();
CREATE TRIGGER key_terms_starting BEFORE INSERT ON vox.key_terms FOR EACH ROW EXECUTE FUNCTION vox_private.key_terms_starting();
CREATE TRIGGER key_terms_touch BEFORE UPDATE ON vox.key_terms FOR EACH ROW EXECUTE FUNCTION vox_private.touch_updated_at();
CREATE TRIGGER participants_fill_owner BEFORE INSERT ON vox.participants FOR EACH ROW EXECUTE FUNCTION vox_private.fill_owner_id();
CREATE TRIGGER participants_touch BEFORE UPDATE ON vox.participants FOR EACH ROW EXECUTE FUNCTION vox_private.touch_updated_at();
CREATE TRIGGER prices_changed AFTER INSERT OR DELETE OR UPDATE ON vox.prices FOR EACH ROW EXECUTE FUNCTION vox_private.price_changed();
CREATE TRIGGER provider_events_added AFTER INSERT ON vox.provider_events REFERENCING NEW TABLE AS added_events FOR EACH STATEMENT EXECUTE FUNCTION vox_private.provider_events_added();
CREATE TRIGGER provider_events_fill_user BEFORE INSERT ON vox.provider_events FOR EACH ROW WHEN ((new.user_id IS NULL)) EXECUTE FUNCTION vox_private.fill_user_id();
CREATE TRIGGER recordings_fill_user BEFORE INSERT ON vox.recordings FOR EACH ROW WHEN ((new.user_id IS NULL)) EXECUTE FUNCTION vox_private.fill_user_id();
CREATE TRIGGER recordings_touch BEFORE UPDATE ON vox.recordings FOR EACH ROW EXECUTE FUNCTION vox_private.touch_updated_at();
CREATE TRIGGER turns_added AFTER INSERT ON vox.turns REFERENCING NEW TABLE AS added_turns FOR EACH STATEMENT WHEN ((current_setting('role'::text) <> 'vox_writer'::text)) EXECUTE FUNCTION vox_private.turns_added();
CREATE TRIGGER turns_changed AFTER UPDATE ON vox.turns REFERENCING OLD TABLE AS turns_before NEW TABLE AS turns_after FOR EACH STATEMENT EXECUTE FUNCTION vox_private.turns_changed();
CREATE TRIGGER turns_number BEFORE INSERT ON vox.turns FOR EACH ROW WHEN (((new.sequence_number IS NULL) OR (new.user_id IS NULL))) EXECUTE FUNCTION vox_private.number_turn();
CREATE TRIGGER turns_touch BEFORE UPDATE ON vox.turns FOR EACH ROW EXECUTE FUNCTION vox_private.touch_updated_at();
CREATE TRIGGER usage_events_added AFTER INSERT ON vox.usage_events REFERENCING NEW TABLE AS added_events FOR EACH STATEMENT EXECUTE FUNCTION vox_private.usage_events_added();
CREATE TRIGGER usage_events_changed AFTER UPDATE ON vox.usage_events REFERENCING OLD TABLE AS events_before NEW TABLE AS events_after FOR EACH STATEMENT EXECUTE FUNCTION vox_private.usage_events_changed();
CREATE TRIGGER usage_events_fill_user BEFORE INSERT ON vox.usage_events FOR EACH ROW WHEN ((new.user_id IS NULL)) EXECUTE FUNCTION vox_private.fill_user_id();
CREATE TRIGGER users_forget AFTER UPDATE OF tier, deleted_at ON vox.users FOR EACH ROW WHEN (((old.tier <> new.tier) OR (old.deleted_at IS DISTINCT FROM new.deleted_at))) EXECUTE FUNCTION vox_private.users_forget();
CREATE TRIGGER users_forget_new AFTER INSERT ON vox.users FOR EACH ROW WHEN ((new.tier <> 'free'::vox.user_tier)) EXECUTE FUNCTION vox_private.users_forget();
CREATE TRIGGER users_touch BEFORE UPDATE ON vox.users FOR EACH ROW EXECUTE FUNCTION vox_private.touch_updated_at();

-- Policies --------------------------------------------------------------------------------------------------------------------------------

alter table vox.alert_deliveries enable row level security;
alter table vox.alert_deliveries force row level security;
create policy alert_deliveries_select on vox.alert_deliveries for select to authenticated
  using (( SELECT vox_private.is_admin() AS is_admin));
create policy alert_deliveries_service on vox.alert_deliveries for all to service_role
  using (true)
  with check (true);

alter table vox.alert_endpoints enable row level security;
alter table vox.alert_endpoints force row level security;
create policy alert_endpoints_delete on vox.alert_endpoints for delete to authenticated
  using (( SELECT vox_private.is_admin() AS is_admin));
create policy alert_endpoints_insert on vox.alert_endpoints for insert to authenticated
  with check (( SELECT vox_private.is_admin() AS is_admin));
create policy alert_endpoints_select on vox.alert_endpoints for select to authenticated
  using (( SELECT vox_private.is_admin() AS is_admin));
create policy alert_endpoints_service on vox.alert_endpoints for all to service_role
  using (true)
  with check (true);
create policy alert_endpoints_update on vox.alert_endpoints for update to authenticated
  using (( SELECT vox_private.is_admin() AS is_admin))
  with check (( SELECT vox_private.is_admin() AS is_admin));

alter table vox.alert_rules enable row level security;
alter table vox.alert_rules force row level security;
create policy alert_rules_delete on vox.alert_rules for delete to authenticated
  using (( SELECT vox_private.is_admin() AS is_admin));
create policy alert_rules_insert on vox.alert_rules for insert to authenticated
  with check (( SELECT vox_private.is_admin() AS is_admin));
create policy alert_rules_select on vox.alert_rules for select to authenticated
  using (( SELECT vox_private.is_admin() AS is_admin));
create policy alert_rules_service on vox.alert_rules for all to service_role
  using (true)
  with check (true);
create policy alert_rules_update on vox.alert_rules for update to authenticated
  using (( SELECT vox_private.is_admin() AS is_admin))
  with check (( SELECT vox_private.is_admin() AS is_admin));

alter table vox.alerts enable row level security;
alter table vox.alerts force row level security;
create policy alerts_select on vox.alerts for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy alerts_service on vox.alerts for all to service_role
  using (true)
  with check (true);
create policy alerts_update on vox.alerts for update to authenticated
  using (( SELECT vox_private.is_admin() AS is_admin))
  with check (( SELECT vox_private.is_admin() AS is_admin));

alter table vox.audit_log enable row level security;
alter table vox.audit_log force row level security;
create policy audit_log_select on vox.audit_log for select to authenticated
  using (((actor_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy audit_log_service on vox.audit_log for all to service_role
  using (true)
  with check (true);

alter table vox.budget_window enable row level security;
alter table vox.budget_window force row level security;
create policy budget_window_select on vox.budget_window for select to authenticated
  using (true);
create policy budget_window_service on vox.budget_window for all to service_role
  using (true)
  with check (true);
create policy budget_window_update on vox.budget_window for update to authenticated
  using (( SELECT vox_private.is_admin() AS is_admin))
  with check (( SELECT vox_private.is_admin() AS is_admin));

alter table vox.budgets enable row level security;
alter table vox.budgets force row level security;
create policy budgets_delete on vox.budgets for delete to authenticated
  using (((user_id IS NOT NULL) AND ( SELECT vox_private.is_admin() AS is_admin)));
create policy budgets_insert on vox.budgets for insert to authenticated
  with check (( SELECT vox_private.is_admin() AS is_admin));
create policy budgets_select on vox.budgets for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR (tier IS NOT NULL) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy budgets_service on vox.budgets for all to service_role
  using (true)
  with check (true);
create policy budgets_service_delete on vox.budgets as restrictive for delete to service_role
  using ((user_id IS NOT NULL));
create policy budgets_update on vox.budgets for update to authenticated
  using (( SELECT vox_private.is_admin() AS is_admin))
  with check (( SELECT vox_private.is_admin() AS is_admin));

alter table vox.charges enable row level security;
alter table vox.charges force row level security;
create policy charges_select on vox.charges for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy charges_service on vox.charges for all to service_role
  using (true)
  with check (true);

alter table vox.charges_default enable row level security;
alter table vox.charges_default force row level security;

alter table vox.cleaned_versions enable row level security;
alter table vox.cleaned_versions force row level security;
create policy cleaned_versions_insert on vox.cleaned_versions for insert to authenticated
  with check (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy cleaned_versions_select on vox.cleaned_versions for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy cleaned_versions_service on vox.cleaned_versions for all to service_role
  using (true)
  with check (true);

alter table vox.cleaning_settings enable row level security;
alter table vox.cleaning_settings force row level security;
create policy cleaning_settings_service on vox.cleaning_settings for all to service_role
  using (true)
  with check (true);

alter table vox.cleanings enable row level security;
alter table vox.cleanings force row level security;
create policy cleanings_select on vox.cleanings for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy cleanings_service on vox.cleanings for all to service_role
  using (true)
  with check (true);
create policy cleanings_update on vox.cleanings for update to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)))
  with check (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));

alter table vox.conversations enable row level security;
alter table vox.conversations force row level security;
create policy conversations_append on vox.conversations for update to vox_writer
  using (((current_setting('vox.caller'::text, true) = ANY (ARRAY[(user_id)::text, 'service_role'::text])) OR vox_private.writer_serves_admin()))
  with check (true);
create policy conversations_delete on vox.conversations for delete to authenticated
  using (( SELECT vox_private.is_admin() AS is_admin));
create policy conversations_find on vox.conversations for select to vox_writer
  using (true);
create policy conversations_insert on vox.conversations for insert to authenticated
  with check (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy conversations_select on vox.conversations for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin) OR (EXISTS ( SELECT
   FROM vox.participants p
  WHERE ((p.conversation_id = conversations.id) AND (p.user_id = ( SELECT auth.uid() AS uid)))))));
create policy conversations_service on vox.conversations for all to service_role
  using (true)
  with check (true);
create policy conversations_update on vox.conversations for update to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)))
  with check (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));

alter table vox.function_calls enable row level security;
alter table vox.function_calls force row level security;
create policy function_calls_insert on vox.function_calls for insert to authenticated
  with check (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy function_calls_select on vox.function_calls for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin) OR (EXISTS ( SELECT
   FROM vox.participants p
  WHERE ((p.conversation_id = function_calls.conversation_id) AND (p.user_id = ( SELECT auth.uid() AS uid)))))));
create policy function_calls_service on vox.function_calls for all to service_role
  using (true)
  with check (true);
create policy function_calls_update on vox.function_calls for update to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)))
  with check (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));

alter table vox.key_terms enable row level security;
alter table vox.key_terms force row level security;
create policy key_terms_delete on vox.key_terms for delete to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy key_terms_insert on vox.key_terms for insert to authenticated
  with check (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy key_terms_select on vox.key_terms for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ((user_id IS NULL) AND (conversation_id IS NULL)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy key_terms_service on vox.key_terms for all to service_role
  using (true)
  with check (true);
create policy key_terms_update on vox.key_terms for update to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)))
  with check (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));

alter table vox.livekit_inbox enable row level security;
alter table vox.livekit_inbox force row level security;
create policy livekit_inbox_service on vox.livekit_inbox for all to service_role
  using (true)
  with check (true);

alter table vox.monthly_spend enable row level security;
alter table vox.monthly_spend force row level security;
create policy monthly_spend_select on vox.monthly_spend for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy monthly_spend_service on vox.monthly_spend for all to service_role
  using (true)
  with check (true);

alter table vox.participants enable row level security;
alter table vox.participants force row level security;
create policy participants_insert on vox.participants for insert to authenticated
  with check (((owner_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy participants_select on vox.participants for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR (owner_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin) OR vox_private.took_part(conversation_id)));
create policy participants_service on vox.participants for all to service_role
  using (true)
  with check (true);
create policy participants_update on vox.participants for update to authenticated
  using (((owner_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)))
  with check (((owner_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));

alter table vox.prices enable row level security;
alter table vox.prices force row level security;
create policy prices_delete on vox.prices for delete to authenticated
  using (( SELECT vox_private.is_admin() AS is_admin));
create policy prices_insert on vox.prices for insert to authenticated
  with check (( SELECT vox_private.is_admin() AS is_admin));
create policy prices_select on vox.prices for select to authenticated
  using (true);
create policy prices_service on vox.prices for all to service_role
  using (true)
  with check (true);
create policy prices_update on vox.prices for update to authenticated
  using (( SELECT vox_private.is_admin() AS is_admin))
  with check (( SELECT vox_private.is_admin() AS is_admin));

alter table vox.provider_events enable row level security;
alter table vox.provider_events force row level security;
create policy provider_events_select on vox.provider_events for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy provider_events_service on vox.provider_events for all to service_role
  using (true)
  with check (true);

alter table vox.provider_events_default enable row level security;
alter table vox.provider_events_default force row level security;

alter table vox.recordings enable row level security;
alter table vox.recordings force row level security;
create policy recordings_select on vox.recordings for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy recordings_service on vox.recordings for all to service_role
  using (true)
  with check (true);

alter table vox.reservations enable row level security;
alter table vox.reservations force row level security;
create policy reservations_select on vox.reservations for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy reservations_service on vox.reservations for all to service_role
  using (true)
  with check (true);
create policy reservations_write on vox.reservations for all to vox_writer
  using (true)
  with check (true);

alter table vox.reserved_spend enable row level security;
alter table vox.reserved_spend force row level security;
create policy reserved_spend_select on vox.reserved_spend for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy reserved_spend_service on vox.reserved_spend for all to service_role
  using (true)
  with check (true);
create policy reserved_spend_write on vox.reserved_spend for all to vox_writer
  using (true)
  with check (true);

alter table vox.turns enable row level security;
alter table vox.turns force row level security;
create policy turns_append on vox.turns for insert to vox_writer
  with check (true);
create policy turns_find on vox.turns for select to vox_writer
  using (((current_setting('vox.caller'::text, true) = ANY (ARRAY[(user_id)::text, 'service_role'::text])) OR vox_private.writer_serves_admin()));
create policy turns_insert on vox.turns for insert to authenticated
  with check (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy turns_select on vox.turns for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin) OR (EXISTS ( SELECT
   FROM vox.participants p
  WHERE ((p.conversation_id = turns.conversation_id) AND (p.user_id = ( SELECT auth.uid() AS uid)))))));
create policy turns_service on vox.turns for all to service_role
  using (true)
  with check (true);
create policy turns_update on vox.turns for update to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)))
  with check (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));

alter table vox.turns_default enable row level security;
alter table vox.turns_default force row level security;

alter table vox.usage_events enable row level security;
alter table vox.usage_events force row level security;
create policy usage_events_insert on vox.usage_events for insert to authenticated
  with check (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy usage_events_select on vox.usage_events for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy usage_events_service on vox.usage_events for all to service_role
  using (true)
  with check (true);

alter table vox.usage_events_default enable row level security;
alter table vox.usage_events_default force row level security;

alter table vox.usage_folds enable row level security;
alter table vox.usage_folds force row level security;
create policy usage_folds_select on vox.usage_folds for select to authenticated
  using (((user_id = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy usage_folds_service on vox.usage_folds for all to service_role
  using (true)
  with check (true);

alter table vox.usage_rollups enable row level security;
alter table vox.usage_rollups force row level security;
create policy usage_rollups_select on vox.usage_rollups for select to authenticated
  using (((scope = ( SELECT auth.uid() AS uid)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy usage_rollups_service on vox.usage_rollups for all to service_role
  using (true)
  with check (true);

alter table vox.users enable row level security;
alter table vox.users force row level security;
create policy users_select on vox.users for select to authenticated
  using ((((id = ( SELECT auth.uid() AS uid)) AND (deleted_at IS NULL)) OR ( SELECT vox_private.is_admin() AS is_admin)));
create policy users_service on vox.users for all to service_role
  using (true)
  with check (true);
create policy users_update on vox.users for update to authenticated
  using ((((id = ( SELECT auth.uid() AS uid)) AND (deleted_at IS NULL)) OR ( SELECT vox_private.is_admin() AS is_admin)))
  with check ((((id = ( SELECT auth.uid() AS uid)) AND (deleted_at IS NULL)) OR ( SELECT vox_private.is_admin() AS is_admin)));
alter table vox_private.feed_slots enable row level security;
alter table vox_private.migrations enable row level security;

-- Grants ----------------------------------------------------------------------------------------------------------------------------------

grant select on vox.alert_deliveries to authenticated, service_role;
grant insert (alert_id, endpoint_id, event) on vox.alert_deliveries to service_role;
grant update (attempts, next_attempt_at, delivered_at, dead_at, last_error) on vox.alert_deliveries to service_role;
grant select, delete on vox.alert_endpoints to authenticated, service_role;
grant insert (id, url, secret, rules) on vox.alert_endpoints to authenticated, service_role;
grant update (is_enabled) on vox.alert_endpoints to authenticated, service_role;
grant select, delete on vox.alert_rules to authenticated, service_role;

grant insert (name, description, measure, scope, threshold, resolve_ratio, window_minutes, min_samples, every_seconds, severity,
    is_enabled) on vox.alert_rules to authenticated, service_role;

grant update (description, measure, scope, threshold, resolve_ratio, window_minutes, min_samples, every_seconds, severity, is_enabled) on
    vox.alert_rules to authenticated;

grant update (description, measure, scope, threshold, resolve_ratio, window_minutes, min_samples, every_seconds, severity, is_enabled,
    evaluated_at) on vox.alert_rules to service_role;
grant select on vox.alerts to authenticated, service_role;
grant insert (id, rule, subject, user_id, severity, value, threshold, message) on vox.alerts to service_role;
grant update (acknowledged_at, acknowledged_by) on vox.alerts to authenticated;
grant update (resolved_at, acknowledged_at, acknowledged_by) on vox.alerts to service_role;
grant select on vox.audit_log to authenticated;
grant select, insert on vox.audit_log to service_role;
grant select on vox.budget_positions to authenticated, service_role;
grant select on vox.budget_window to authenticated, service_role;
grant update (time_zone, first_day) on vox.budget_window to authenticated, service_role;
grant select, delete on vox.budgets to authenticated, service_role;

grant insert (user_id, tier, limit_usd, alert_ratio, on_exceed, override_limit_usd, override_until, override_note) on vox.budgets to
    authenticated, service_role;

grant update (limit_usd, alert_ratio, on_exceed, override_limit_usd, override_until, override_note) on vox.budgets to authenticated,
    service_role;
grant select on vox.charges to authenticated, service_role;

grant insert (conversation_id, id, user_id, turn_id, stage, meter, provider, model, quantity, unit_price_usd, per, charged_at, corrects,
    revision, before_quantity, before_usd, saved_usd) on vox.charges to service_role;
grant select on vox.cleaned_versions to authenticated, service_role;

grant insert (conversation_id, turn_id, version, cleaned_text, cleaning_level, cleaning_applied, confidence, corrections, context_detected,
    business_domain, conversation_flow, transcription_error_detected, cleaner_model, cleaner_request_id, processing_ms) on
    vox.cleaned_versions to authenticated, service_role;
grant select on vox.cleaning_settings to service_role;
grant update (is_enabled, updated_at) on vox.cleaning_settings to service_role;
grant select on vox.cleanings to authenticated, service_role;
grant update (cleaned_through, awaited, is_open, revision, claimed_by, claimed_until) on vox.cleanings to service_role;
grant update (revision) on vox.cleanings to authenticated;
grant select, delete on vox.conversations to authenticated, service_role;
grant select, update on vox.conversations to vox_writer;

grant insert (id, user_id, kind, session_id, room_name, name, description, status, state, end_reason, started_at, connected_at, ended_at,
    asr_provider, asr_model, llm_provider, llm_model, tts_provider, tts_model, ai_agent_used, recording_file_id, transcript_file_id,
    summary, metadata, preferences, session_state, archived_at) on vox.conversations to authenticated, service_role;

grant update (room_name, name, description, status, state, end_reason, connected_at, ended_at, asr_provider, asr_model, llm_provider,
    llm_model, tts_provider, tts_model, ai_agent_used, recording_file_id, transcript_file_id, summary, metadata, preferences, session_state,
    archived_at) on vox.conversations to authenticated;

grant update (user_id, kind, session_id, room_name, name, description, status, state, end_reason, started_at, connected_at, ended_at,
    asr_provider, asr_model, llm_provider, llm_model, tts_provider, tts_model, ai_agent_used, recording_file_id, transcript_file_id,
    summary, metadata, preferences, session_state, archived_at, usage_stale) on vox.conversations to service_role;
grant select on vox.function_calls to authenticated, service_role;

grant insert (conversation_id, id, user_id, turn_id, call_id, name, arguments, result, status, error_message, execution_ms, started_at) on
    vox.function_calls to authenticated, service_role;

grant update (turn_id, name, arguments, result, status, error_message, execution_ms, started_at) on vox.function_calls to authenticated,
    service_role;
grant select, delete on vox.key_terms to authenticated, service_role;
grant insert (id, conversation_id, user_id, terms) on vox.key_terms to authenticated, service_role;
grant update (terms) on vox.key_terms to authenticated, service_role;
grant select, insert, delete on vox.livekit_inbox to service_role;
grant update (conversation_id, read_at, attempts, fault) on vox.livekit_inbox to service_role;
grant select on vox.monthly_spend to authenticated, service_role;
grant select on vox.participants to authenticated;
grant select, delete on vox.participants to service_role;

grant insert (conversation_id, id, user_id, identity, name, type, kind, joined_at, left_at, is_muted, disconnect_reason, attributes) on
    vox.participants to authenticated, service_role;
grant update (name, left_at, is_muted, disconnect_reason, attributes) on vox.participants to authenticated;
grant update (user_id, name, type, kind, joined_at, left_at, is_muted, disconnect_reason, attributes) on vox.participants to service_role;
grant select, insert, update, delete on vox.prices to authenticated, service_role;
grant select on vox.provider_events to authenticated;
grant select, insert on vox.provider_events to service_role;
grant select on vox.recordings to authenticated;
grant select, delete on vox.recordings to service_role;

grant insert (conversation_id, id, source, provider_id, status, location, content_type, size_bytes, duration_ms, started_at, ended_at,
    error_message, audio, details) on vox.recordings to service_role;

grant update (status, location, content_type, size_bytes, duration_ms, started_at, ended_at, error_message, audio, details) on
    vox.recordings to service_role;
grant delete on vox.reservations to vox_writer;
grant select on vox.reservations to authenticated, service_role;
grant insert (conversation_id, user_id, held_usd, lapses_at) on vox.reservations to vox_writer;
grant select (conversation_id, user_id, held_usd) on vox.reservations to vox_writer;
grant select on vox.reserved_spend to authenticated, service_role;
grant select (user_id, reserved_usd, month, spent_usd, limit_usd, alert_ratio, on_exceed, known_until) on vox.reserved_spend to vox_writer;
grant update (reserved_usd, updated_at) on vox.reserved_spend to vox_writer;
grant insert on vox.turns to vox_writer;
grant select on vox.turns to authenticated, service_role;

grant insert (conversation_id, sequence_number, id, user_id, role, speaker, started_at, ended_at, raw_text, cleaned_text, heard_text,
    interrupted, status, language, provider, model, response_id, item_id, input_tokens, output_tokens, cached_tokens, input_text_tokens,
    input_audio_tokens, input_image_tokens, cached_text_tokens, cached_audio_tokens, output_text_tokens, output_audio_tokens, asr_ms,
    end_of_utterance_ms, rag_ms, llm_first_token_ms, tts_first_byte_ms, end_to_end_ms, queue_ms, delivery_ms, audio_duration_ms,
    audio_file_id, cleaning_level, cleaning_applied, confidence, corrections, context_detected, transcription_error_detected,
    business_domain, conversation_flow, cleaner_model, cleaner_request_id, processing_ms, sliding_window_size, context_turns_used, metadata)
    on vox.turns to authenticated, service_role;
grant select (conversation_id, sequence_number, id, user_id) on vox.turns to vox_writer;

grant update (role, speaker, started_at, ended_at, raw_text, cleaned_text, heard_text, interrupted, status, language, provider, model,
    response_id, item_id, input_tokens, output_tokens, cached_tokens, input_text_tokens, input_audio_tokens, input_image_tokens,
    cached_text_tokens, cached_audio_tokens, output_text_tokens, output_audio_tokens, asr_ms, end_of_utterance_ms, rag_ms,
    llm_first_token_ms, tts_first_byte_ms, end_to_end_ms, queue_ms, delivery_ms, audio_duration_ms, audio_file_id, cleaning_level,
    cleaning_applied, confidence, corrections, context_detected, transcription_error_detected, business_domain, conversation_flow,
    cleaner_model, cleaner_request_id, processing_ms, sliding_window_size, context_turns_used, metadata) on vox.turns to authenticated;

grant update (sequence_number, role, speaker, started_at, ended_at, raw_text, cleaned_text, heard_text, interrupted, status, language,
    provider, model, response_id, item_id, input_tokens, output_tokens, cached_tokens, input_text_tokens, input_audio_tokens,
    input_image_tokens, cached_text_tokens, cached_audio_tokens, output_text_tokens, output_audio_tokens, asr_ms, end_of_utterance_ms,
    rag_ms, llm_first_token_ms, tts_first_byte_ms, end_to_end_ms, queue_ms, delivery_ms, audio_duration_ms, audio_file_id, cleaning_level,
    cleaning_applied, confidence, corrections, context_detected, transcription_error_detected, business_domain, conversation_flow,
    cleaner_model, cleaner_request_id, processing_ms, sliding_window_size, context_turns_used, metadata) on vox.turns to service_role;
grant select on vox.usage_events to authenticated, service_role;

grant insert (conversation_id, id, user_id, event_type, turn_id, response_id, model, latency_ms, audio_duration_ms, input_tokens,
    output_tokens, cached_tokens, at, details) on vox.usage_events to authenticated, service_role;

grant update (turn_id, response_id, model, latency_ms, audio_duration_ms, input_tokens, output_tokens, cached_tokens, at, details) on
    vox.usage_events to service_role;
grant select on vox.usage_folds to authenticated;
grant select, insert, update, delete on vox.usage_folds to service_role;
grant select on vox.usage_rollups to authenticated;
grant select, insert, update on vox.usage_rollups to service_role;
grant select on vox.users to authenticated;
grant select, insert, update, delete on vox.users to service_role;
grant update (first_name, last_name, personality_traits, settings) on vox.users to authenticated;
