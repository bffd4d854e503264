-- The price book grows regular expressions, charges can be corrected, and statistics are read from rollups.

-- 1. Prices ------------------------------------------------------------------------------------------------------------------

-- A model between slashes is a regular expression over the whole name, in a language small enough to be matched in linear time and
-- to mean the same everywhere: letters, digits, . - _ : @, \. and \d, [classes], groups, | and the quantifiers ? * +. No counts, no
-- look-around, no back references. CASE: what is not of that form is never compiled, and what does not compile is refused here.
alter table vox.prices drop constraint prices_model_shape;
alter table vox.prices add constraint prices_model_shape check (
  case
    when model not like '/%/' then model ~ '^[^*[:space:]]+\*?$|^\*$'
    when length(model) < 3 or length(model) > 128 or position('(?' in model) > 0
      or model !~ '^/([A-Za-z0-9_:@.-]|\\[.d]|\[\^?[A-Za-z0-9_:.-]+\]|[()|?*+])+/$' then false
    else ('' ~ ('^(?:' || substr(model, 2, length(model) - 2) || ')$')) is not null
  end
);
alter table vox.prices add column expression text generated always as (
  case when model like '/%/' then '^(?:' || substr(model, 2, length(model) - 2) || ')$' end
) stored;
create index prices_meter_idx on vox.prices (provider, meter, valid_from);
comment on column vox.prices.model is
  'A model''s exact name, a prefix ending in *, or a /regular expression/ over the whole name. The exact name wins, then the longest prefix, then the longest expression.';
comment on column vox.prices.expression is 'What a /regular expression/ is matched with; null for names and prefixes.';

-- The table forces its policies on its owner too, so the rows are written as the service.
set local role service_role;
insert into vox.prices (provider, model, meter, unit_price_usd, per, valid_from, note, is_default)
select p.provider, p.model, p.meter, p.unit_price_usd, p.per, p.valid_from::timestamp at time zone 'UTC', p.note, true
from (values
  ('openai', 'gpt-live-1.1', 'session.seconds', 0.05, 60, '2025-08-28', 'quoted per minute, billed per second; release date not published with the price'),
  ('openai', 'gpt-live-1.1', 'session.standby.seconds', 0.02, 60, '2025-08-28', 'quoted per minute, billed per second; release date not published with the price'),
  ('openai', 'whisper-1', 'stt.seconds', 0.006, 60, '2023-03-01', 'openai.com/api/pricing, quoted per minute'),
  ('openai', 'gpt-4o-transcribe', 'stt.input.audio', 6, 1000000, '2025-03-20', 'openai.com/api/pricing'),
  ('openai', 'gpt-4o-transcribe', 'stt.input.text', 2.50, 1000000, '2025-03-20', 'openai.com/api/pricing'),
  ('openai', 'gpt-4o-transcribe', 'stt.output.text', 10, 1000000, '2025-03-20', 'openai.com/api/pricing'),
  ('openai', 'gpt-4o-mini-transcribe', 'stt.input.audio', 3, 1000000, '2025-03-20', 'openai.com/api/pricing'),
  ('openai', 'gpt-4o-mini-transcribe', 'stt.input.text', 1.25, 1000000, '2025-03-20', 'openai.com/api/pricing'),
  ('openai', 'gpt-4o-mini-transcribe', 'stt.output.text', 5, 1000000, '2025-03-20', 'openai.com/api/pricing'),
  ('openai', 'tts-1', 'tts.characters', 15, 1000000, '2023-11-06', 'openai.com/api/pricing'),
  ('openai', 'tts-1-hd', 'tts.characters', 30, 1000000, '2023-11-06', 'openai.com/api/pricing'),
  ('openai', 'gpt-4o-mini-tts', 'tts.input.text', 0.60, 1000000, '2025-03-20', 'openai.com/api/pricing'),
  ('openai', 'gpt-4o-mini-tts', 'tts.output.audio', 12, 1000000, '2025-03-20', 'openai.com/api/pricing'),
  ('openai', 'gpt-4-turbo', 'llm.input.text', 10, 1000000, '2023-11-06', 'openai.com/api/pricing'),
  ('openai', 'gpt-4-turbo', 'llm.output.text', 30, 1000000, '2023-11-06', 'openai.com/api/pricing'),
  ('google', 'gemini-2.5-flash-lite', 'llm.input.text', 0.10, 1000000, '2025-07-22', 'ai.google.dev/pricing, paid tier'),
  ('google', 'gemini-2.5-flash-lite', 'llm.input.audio', 0.30, 1000000, '2025-07-22', 'ai.google.dev/pricing, paid tier'),
  ('google', 'gemini-2.5-flash-lite', 'llm.output.text', 0.40, 1000000, '2025-07-22', 'ai.google.dev/pricing, paid tier'),
  -- Google names a voice, and the voice names its class: de-DE-Standard-A, en-US-Chirp3-HD-Kore.
  ('google-cloud-tts', '/[a-z]+-[A-Z]+-Standard-[A-Z]/', 'tts.characters', 4, 1000000, '2024-01-01', 'cloud.google.com/text-to-speech/pricing, beyond the free tier'),
  ('google-cloud-tts', '/[a-z]+-[A-Z]+-Chirp3-HD-[A-Za-z]+/', 'tts.characters', 30, 1000000, '2025-01-01', 'cloud.google.com/text-to-speech/pricing, beyond the free tier'),
  ('fish-audio', 's1', 'tts.characters', 15, 1000000, '2025-06-01', 'docs.fish.audio: per UTF-8 byte, so count bytes'),
  ('fish-audio', 's2-pro', 'tts.characters', 15, 1000000, '2025-06-01', 'docs.fish.audio: per UTF-8 byte, so count bytes'),
  ('fish-audio', 'speech-1.5', 'tts.characters', 15, 1000000, '2025-01-01', 'docs.fish.audio: per UTF-8 byte, so count bytes'),
  ('fish-audio', 'speech-1.6', 'tts.characters', 15, 1000000, '2025-01-01', 'docs.fish.audio: per UTF-8 byte, so count bytes'),
  ('fish-audio', 'transcribe-1', 'stt.seconds', 0.36, 3600, '2025-06-01', 'docs.fish.audio, quoted per hour'),
  ('xtts-v2', '*', 'tts.characters', 0, 1, '2023-11-01', 'runs on your own machines; set what they cost you')
) as p(provider, model, meter, unit_price_usd, per, valid_from, note);
reset role;

-- Whoever changes a price leaves a row: a price decides what others are charged. After the rows above, which came with Voxbase.
create function vox_private.price_changed() returns trigger
language plpgsql security definer set search_path = '' as
$$
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
$$;
create trigger prices_changed after insert or update or delete on vox.prices
  for each row execute function vox_private.price_changed();

-- 2. Charges that correct ------------------------------------------------------------------------------------------------------

-- A charge never changes. What must count otherwise gets a revision: a charge of its own that names the one it corrects, states the
-- quantity and price now in force, and what stood before. Its amount is the difference, so a series always sums to
-- round(quantity × price ÷ per, 9) of its last revision, to the nano-dollar; and a revision can be revised.
alter table vox.charges drop column amount_usd;
alter table vox.charges
  add column corrects uuid,
  add column revision integer not null default 0,
  add column before_quantity numeric(18,6),
  add column before_usd numeric(18,9),
  add column saved_usd numeric(18,9) not null default 0,
  add column amount_usd numeric(18,9) generated always as (round(quantity * unit_price_usd / per, 9) - coalesce(before_usd, 0)) stored,
  add constraint charges_revision_corrects check (case when corrects is null then revision = 0 else revision > 0 end),
  add constraint charges_before_corrects check (
    case when corrects is null then before_quantity is null and before_usd is null else before_quantity is not null end);
comment on table vox.charges is
  'What was used, at the price that held then. Never updated and never deleted; a retry adds nothing. What is found to be otherwise later is a revision: a charge that corrects another.';
comment on column vox.charges.corrects is 'The first charge of the series that this one revises; null for a charge of its own.';
comment on column vox.charges.revision is '0, then counted up within the series. The highest holds.';
comment on column vox.charges.quantity is 'Units, of a revision all that the series stands for: what it adds is quantity − before_quantity.';
comment on column vox.charges.before_quantity is 'The quantity that held before this revision.';
comment on column vox.charges.before_usd is 'What the series came to before this revision; null where it had no price.';
comment on column vox.charges.saved_usd is 'What the provider''s cache saved: the difference to the price of the same meter uncached. Of a revision, the difference.';
comment on column vox.charges.amount_usd is 'quantity × unit_price_usd ÷ per, rounded to the nano-dollar, less before_usd; null without a price.';
grant insert (corrects, revision, before_quantity, before_usd, saved_usd) on vox.charges to service_role;

-- 3. Which conversations the rollups don't know yet -----------------------------------------------------------------------------

-- Set by every statement that adds to a conversation, which writes this row anyway: an append pays nothing for statistics. While it
-- is set already the update stays off the indexes.
alter table vox.conversations add column usage_stale boolean not null default true;
create index conversations_usage_stale_idx on vox.conversations (user_id, id) where usage_stale;
comment on column vox.conversations.usage_stale is 'Whether something happened that vox.usage_rollups does not hold yet.';
grant update (usage_stale) on vox.conversations to service_role, vox_writer;

create or replace function vox_private.charges_added() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
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
$$;

-- The functions below are those of 0003 with usage_stale added; turns_added follows in 0010, which changes it further.

create or replace function vox_private.conversation_moving() returns trigger
language plpgsql set search_path = '' as
$$
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
$$;

create or replace function vox_private.turns_changed() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
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
$$;

create or replace function vox_private.function_calls_added() returns trigger
language plpgsql security definer set search_path = '' as
$$
begin
  update vox.conversations c set
    function_call_count = c.function_call_count + a.calls,
    usage_stale = true,
    updated_at = pg_catalog.now()
  from (select conversation_id, count(*) as calls from added_calls group by conversation_id) a
  where c.id = a.conversation_id;
  return null;
end
$$;

create or replace function vox_private.usage_events_added() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
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
$$;

create or replace function vox_private.usage_events_changed() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
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
$$;

-- Charges were left behind when a conversation of nobody got an owner, who then did not see what it cost.
-- 4. Rollups -----------------------------------------------------------------------------------------------------------------
--
-- What a conversation contributes is a set of parts, all of them additive: a count, a quantity and money under one key. A fold takes a
-- conversation's parts, keeps them, and adds the difference to what was kept before to the rollups. So folding again changes nothing,
-- whatever happened late is folded by folding again, and the whole is exact: rollups, less the kept parts of what is stale, plus the
-- parts of what is stale, read in one snapshot.

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

create table vox.usage_folds (
  conversation_id uuid not null,
  user_id uuid,
  parts vox_private.usage_part[] not null,
  folded_at timestamptz not null default now(),
  constraint usage_folds_pkey primary key (conversation_id)
);
comment on table vox.usage_folds is 'What of a conversation is in the rollups. No reference: a conversation that is deleted is taken out of them by its trigger.';
comment on column vox.usage_folds.user_id is 'In whose rollups it is.';

create table vox.usage_rollups (
  scope uuid not null,
  by_month boolean not null,
  measure text not null,
  period date not null,
  kind text not null,
  provider text not null,
  model text not null,
  stage text not null,
  meter text not null,
  bucket smallint not null,
  count bigint not null,
  quantity numeric not null,
  amount_usd numeric(24,9) not null,
  saved_usd numeric(24,9) not null,
  -- The measure before the period: a question asks for few measures over many days.
  constraint usage_rollups_pkey primary key (scope, by_month, measure, period, kind, provider, model, stage, meter, bucket)
) with (fillfactor = 80);
comment on table vox.usage_rollups is 'Sums of the parts of conversations, by day and by month, of each user and of everyone.';
comment on column vox.usage_rollups.scope is 'A user; ffffffff-ffff-ffff-ffff-ffffffffffff for everyone together.';
comment on column vox.usage_rollups.period is 'The day, or the first day of the month, UTC.';
comment on column vox.usage_rollups.measure is
  'conversation, conversation.model, conversation.stage, completed, failed, ai, turn, interruption, function_call, error, processing, confidence.high, tokens, charge, unpriced, latency, latency.kind, latency.model, latency.stage.';
comment on column vox.usage_rollups.bucket is 'Of a latency: the least b with 1.04^b ms not below it, -1 for 0 ms; else 0.';
comment on column vox.usage_rollups.quantity is 'Seconds, milliseconds, tokens or units, as the measure says.';

alter table vox.usage_folds enable row level security;
alter table vox.usage_folds force row level security;
alter table vox.usage_rollups enable row level security;
alter table vox.usage_rollups force row level security;
grant select on vox.usage_folds, vox.usage_rollups to authenticated;
grant select, insert, update, delete on vox.usage_folds to service_role;
grant select, insert, update on vox.usage_rollups to service_role;
create policy usage_folds_service on vox.usage_folds to service_role using (true) with check (true);
create policy usage_folds_select on vox.usage_folds for select to authenticated
  using (user_id = (select auth.uid()) or (select vox_private.is_admin()));
create policy usage_rollups_service on vox.usage_rollups to service_role using (true) with check (true);
create policy usage_rollups_select on vox.usage_rollups for select to authenticated
  using (scope = (select auth.uid()) or (select vox_private.is_admin()));

create function vox_private.usage_parts(conversations uuid[])
returns table (conversation_id uuid, user_id uuid, part vox_private.usage_part)
language plpgsql stable set search_path = '' set enable_seqscan = off as
$$
begin
  return query
  with chosen as (
    select c.*, (c.started_at at time zone 'UTC')::date as started_on, c.kind::text as kind_name,
      coalesce(c.llm_provider, '') as first_provider
    from vox.conversations c
    where c.id = any (conversations)
  ), of_turns as materialized (
    select t.conversation_id, coalesce((t.started_at at time zone 'UTC')::date, c.started_on) as day, c.kind_name,
      case when t.model is null then '' else coalesce(t.provider, c.first_provider) end as provider, coalesce(t.model, '') as model, t.input_tokens, t.output_tokens, t.cached_tokens,
      t.input_text_tokens, t.input_audio_tokens, t.input_image_tokens, t.cached_text_tokens, t.cached_audio_tokens,
      t.output_text_tokens, t.output_audio_tokens, t.end_to_end_ms, t.asr_ms, t.rag_ms, t.llm_first_token_ms, t.tts_first_byte_ms
    from chosen c
    join vox.turns t on t.conversation_id = c.id
  ), of_charges as materialized (
    select x.conversation_id, (x.charged_at at time zone 'UTC')::date as day, c.kind_name, x.provider, coalesce(x.model, '') as model,
      x.stage, x.meter, (x.revision = 0)::integer as count, x.quantity - coalesce(x.before_quantity, 0) as quantity,
      coalesce(x.amount_usd, 0) as amount_usd, x.saved_usd,
      (x.unit_price_usd is null)::integer - (x.corrects is not null and x.before_usd is null)::integer as unpriced
    from chosen c
    join vox.charges x on x.conversation_id = c.id
  ), models as (
    select c.id as conversation_id, c.first_provider as provider, c.llm_model as model from chosen c where c.llm_model is not null
    union
    select t.conversation_id, t.provider, t.model from of_turns t where t.model <> ''
    union
    select x.conversation_id, x.provider, x.model from of_charges x where x.model <> ''
  ), stages as (
    select x.conversation_id, x.stage from of_charges x
    union
    select t.conversation_id, v.stage
    from of_turns t
    cross join lateral (values ('asr', t.asr_ms), ('rag', t.rag_ms), ('llm', t.llm_first_token_ms), ('tts', t.tts_first_byte_ms)) v(stage, ms)
    where v.ms is not null
  ), facts as (
    -- The conversation as a whole, on the day that it began.
    select c.id as conversation_id, c.started_on as day, v.measure, c.kind_name, '' as provider, '' as model, '' as stage, '' as meter,
      0 as bucket, v.count::bigint as count, v.quantity::numeric as quantity, 0::numeric as amount_usd, 0::numeric as saved_usd
    from chosen c
    cross join lateral (values
      ('conversation', 1, coalesce(c.duration_seconds, 0)),
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
    select c.id, c.started_on, 'conversation.model', c.kind_name, m.provider, m.model, '', '', 0, 1, coalesce(c.duration_seconds, 0), 0, 0
    from chosen c join models m on m.conversation_id = c.id
    union all
    select c.id, c.started_on, 'conversation.stage', c.kind_name, '', '', s.stage, '', 0, 1, coalesce(c.duration_seconds, 0), 0, 0
    from chosen c join stages s on s.conversation_id = c.id
    union all
    select t.conversation_id, t.day, 'tokens', t.kind_name, t.provider, t.model, 'llm', v.meter, 0, 0, v.tokens, 0, 0
    from of_turns t
    cross join lateral (values
      ('input', t.input_tokens), ('output', t.output_tokens), ('cached', t.cached_tokens), ('input_text', t.input_text_tokens),
      ('input_audio', t.input_audio_tokens), ('input_image', t.input_image_tokens), ('cached_text', t.cached_text_tokens),
      ('cached_audio', t.cached_audio_tokens), ('output_text', t.output_text_tokens), ('output_audio', t.output_audio_tokens)
    ) v(meter, tokens)
    where v.tokens <> 0
    union all
    -- Tokens of what belongs to no turn, as the conversation's totals count them.
    select c.id, (e.at at time zone 'UTC')::date, 'tokens', c.kind_name, case when e.model is null then '' else c.first_provider end, coalesce(e.model, ''), 'llm', v.meter,
      0, 0, v.tokens, 0, 0
    from chosen c
    join vox.usage_events e on e.conversation_id = c.id and e.turn_id is null
    cross join lateral (values ('input', e.input_tokens), ('output', e.output_tokens), ('cached', e.cached_tokens)) v(meter, tokens)
    where v.tokens <> 0
    union all
    select x.conversation_id, x.day, 'charge', x.kind_name, x.provider, x.model, x.stage, x.meter, 0, x.count, x.quantity,
      x.amount_usd, x.saved_usd
    from of_charges x
    union all
    select x.conversation_id, x.day, 'unpriced', x.kind_name, x.provider, x.model, x.stage, x.meter, 0, x.unpriced, 0, 0, 0
    from of_charges x
    where x.unpriced <> 0
    union all
    -- Histograms take the most rows, so each says one thing only: not every stage of every model of every kind.
    select t.conversation_id, t.day, v.measure, v.kind, v.provider, v.model, v.stage, '',
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
  select f.conversation_id, c.user_id,
    row(f.day, f.measure, f.kind_name, f.provider, f.model, f.stage, f.meter, f.bucket::smallint, sum(f.count), sum(f.quantity),
      sum(f.amount_usd), sum(f.saved_usd))::vox_private.usage_part
  from facts f
  join chosen c on c.id = f.conversation_id
  group by f.conversation_id, c.user_id, f.day, f.measure, f.kind_name, f.provider, f.model, f.stage, f.meter, f.bucket
  having sum(f.count) <> 0 or sum(f.quantity) <> 0 or sum(f.amount_usd) <> 0 or sum(f.saved_usd) <> 0;
end
$$;
comment on function vox_private.usage_parts(uuid[]) is 'What conversations add to the statistics, counted from their rows.';

create function vox_private.fold_usage(conversations uuid[]) returns void
language plpgsql set search_path = '' set enable_seqscan = off as
$$
declare
  fresh vox.usage_folds[];
begin
  -- Who writes to a conversation updates its row. Behind this lock nothing is half written, and what comes later marks it stale again.
  perform from vox.conversations c where c.id = any (conversations) order by c.id for update;
  select array_agg(row(f.conversation_id, f.user_id, f.parts, pg_catalog.now())::vox.usage_folds) into fresh
  from (
    select p.conversation_id, p.user_id, array_agg(p.part) as parts
    from vox_private.usage_parts(conversations) p
    group by p.conversation_id, p.user_id
  ) f;

  insert into vox.usage_rollups as r (
    scope, by_month, measure, period, kind, provider, model, stage, meter, bucket, count, quantity, amount_usd, saved_usd)
  select s.scope, g.by_month, d.measure, g.period, d.kind, d.provider, d.model, d.stage, d.meter, d.bucket,
    sum(d.sign * d.count), sum(d.sign * d.quantity), sum(d.sign * d.amount_usd), sum(d.sign * d.saved_usd)
  from (
    select 1 as sign, f.user_id, p.* from unnest(fresh) f cross join unnest(f.parts) p
    union all
    select -1, f.user_id, p.* from vox.usage_folds f cross join unnest(f.parts) p where f.conversation_id = any (conversations)
  ) d
  cross join lateral (values (d.user_id), ('ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)) s(scope)
  cross join lateral (values (false, d.day), (true, date_trunc('month', d.day::timestamp)::date)) g(by_month, period)
  where s.scope is not null
  group by s.scope, g.by_month, d.measure, g.period, d.kind, d.provider, d.model, d.stage, d.meter, d.bucket
  having sum(d.sign * d.count) <> 0 or sum(d.sign * d.quantity) <> 0 or sum(d.sign * d.amount_usd) <> 0
    or sum(d.sign * d.saved_usd) <> 0
  -- In one order: two folds at once wait for each other, and never in a circle.
  order by s.scope, g.by_month, d.measure, g.period, d.kind, d.provider, d.model, d.stage, d.meter, d.bucket
  on conflict (scope, by_month, measure, period, kind, provider, model, stage, meter, bucket) do update set
    count = r.count + excluded.count, quantity = r.quantity + excluded.quantity,
    amount_usd = r.amount_usd + excluded.amount_usd, saved_usd = r.saved_usd + excluded.saved_usd;

  delete from vox.usage_folds f where f.conversation_id = any (conversations);
  insert into vox.usage_folds select (f).* from unnest(fresh) f;
  update vox.conversations c set usage_stale = false where c.id = any (conversations);
end
$$;
comment on function vox_private.fold_usage(uuid[]) is
  'Brings conversations into the rollups, again where they are already; takes out those that are gone.';

create function vox_private.fold_stale_usage(most integer, idle_since timestamptz) returns integer
language plpgsql set search_path = '' set enable_seqscan = off as
$$
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
$$;
comment on function vox_private.fold_stale_usage(integer, timestamptz) is
  'Folds at most so many conversations that are over, or quiet since; returns how many.';

create function vox_private.conversation_usage_moved() returns trigger
language plpgsql security definer set search_path = '' as
$$
begin
  perform vox_private.fold_usage(array[old.id]);
  return null;
end
$$;
create trigger conversations_usage_owner after update of user_id on vox.conversations
  for each row when (old.user_id is distinct from new.user_id) execute function vox_private.conversation_usage_moved();
create trigger conversations_usage_gone after delete on vox.conversations
  for each row execute function vox_private.conversation_usage_moved();

-- 5. Statistics --------------------------------------------------------------------------------------------------------------

create function vox.usage_stats(for_user uuid, since date, until date, by text)
returns table (
  key text, provider text, model text, conversations bigint, completed bigint, failed bigint, ai_conversations bigint,
  duration_seconds bigint, completed_seconds bigint, turns bigint, interruptions bigint, function_calls bigint, errors bigint,
  processing_ms bigint, high_confidence_turns bigint, input_tokens bigint, output_tokens bigint, cached_tokens bigint,
  input_text_tokens bigint, input_audio_tokens bigint, input_image_tokens bigint, cached_text_tokens bigint,
  cached_audio_tokens bigint, output_text_tokens bigint, output_audio_tokens bigint, charges bigint, unpriced bigint,
  cost_usd numeric, saved_usd numeric, meters jsonb, latency_count bigint, latency_mean_ms numeric, latency_p50_ms numeric,
  latency_p95_ms numeric, latency_p99_ms numeric)
language plpgsql stable set search_path = '' set enable_seqscan = off as
$$
#variable_conflict use_column
declare
  everyone constant uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  whole_from date := date_trunc('month', since::timestamp + interval '1 month' - interval '1 day')::date;
  whole_until date := date_trunc('month', until::timestamp)::date;
  counted text := case by when 'model' then 'conversation.model' when 'stage' then 'conversation.stage' else 'conversation' end;
  timed text := case when by in ('kind', 'model', 'stage') then 'latency.' || by else 'latency' end;
  measures text[];
  stale uuid[];
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

  measures := array[counted, timed, 'tokens', 'charge', 'unpriced'];
  if by not in ('model', 'stage') then
    measures := measures || array['completed', 'failed', 'ai', 'turn', 'interruption', 'function_call', 'error', 'processing', 'confidence.high'];
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

  return query
  with facts as (
    select r.measure, r.period, r.kind, r.provider, r.model, r.stage, r.meter, r.bucket, r.count, r.quantity, r.amount_usd, r.saved_usd
    from vox.usage_rollups r
    where r.scope = coalesce(for_user, everyone) and r.by_month and r.measure = any (measures)
      and r.period >= whole_from and r.period < whole_until
    union all
    select r.measure, r.period, r.kind, r.provider, r.model, r.stage, r.meter, r.bucket, r.count, r.quantity, r.amount_usd, r.saved_usd
    from vox.usage_rollups r
    where r.scope = coalesce(for_user, everyone) and not r.by_month and r.measure = any (measures)
      and r.period >= since and r.period < least(whole_from, until)
    union all
    select r.measure, r.period, r.kind, r.provider, r.model, r.stage, r.meter, r.bucket, r.count, r.quantity, r.amount_usd, r.saved_usd
    from vox.usage_rollups r
    where r.scope = coalesce(for_user, everyone) and not r.by_month and r.measure = any (measures)
      and r.period >= whole_until and r.period < until
    union all
    select p.measure, p.day, p.kind, p.provider, p.model, p.stage, p.meter, p.bucket, s.sign * p.count, s.sign * p.quantity,
      s.sign * p.amount_usd, s.sign * p.saved_usd
    from (
      select 1 as sign, l.part from vox_private.usage_parts(stale) l where cardinality(stale) > 0
      union all
      select -1, k from vox.usage_folds f cross join unnest(f.parts) k where f.conversation_id = any (stale)
    ) s
    cross join lateral (select (s.part).*) p
    where p.day >= since and p.day < until and p.measure = any (measures)
  ), keyed as (
    select
      case by
        when 'day' then to_char(f.period, 'YYYY-MM-DD')
        when 'month' then to_char(f.period, 'YYYY-MM')
        when 'kind' then f.kind
        when 'model' then f.model
        when 'stage' then f.stage
        else ''
      end as key,
      case by when 'model' then f.provider else '' end as provider,
      f.measure, f.meter, f.bucket,
      sum(f.count) as count, sum(f.quantity) as quantity, sum(f.amount_usd) as amount_usd, sum(f.saved_usd) as saved_usd
    from facts f
    group by 1, 2, 3, 4, 5
  ), sums as (
    select
      k.key, k.provider,
      sum(k.count) filter (where k.measure = counted) as conversations,
      sum(k.quantity) filter (where k.measure = counted) as duration_seconds,
      sum(k.count) filter (where k.measure = 'completed') as completed,
      sum(k.quantity) filter (where k.measure = 'completed') as completed_seconds,
      sum(k.count) filter (where k.measure = 'failed') as failed,
      sum(k.count) filter (where k.measure = 'ai') as ai,
      sum(k.count) filter (where k.measure = 'turn') as turns,
      sum(k.count) filter (where k.measure = 'interruption') as interruptions,
      sum(k.count) filter (where k.measure = 'function_call') as function_calls,
      sum(k.count) filter (where k.measure = 'error') as errors,
      sum(k.quantity) filter (where k.measure = 'processing') as processing_ms,
      sum(k.count) filter (where k.measure = 'confidence.high') as high_confidence,
      sum(k.quantity) filter (where k.measure = 'tokens' and k.meter = 'input') as input,
      sum(k.quantity) filter (where k.measure = 'tokens' and k.meter = 'output') as output,
      sum(k.quantity) filter (where k.measure = 'tokens' and k.meter = 'cached') as cached,
      sum(k.quantity) filter (where k.measure = 'tokens' and k.meter = 'input_text') as input_text,
      sum(k.quantity) filter (where k.measure = 'tokens' and k.meter = 'input_audio') as input_audio,
      sum(k.quantity) filter (where k.measure = 'tokens' and k.meter = 'input_image') as input_image,
      sum(k.quantity) filter (where k.measure = 'tokens' and k.meter = 'cached_text') as cached_text,
      sum(k.quantity) filter (where k.measure = 'tokens' and k.meter = 'cached_audio') as cached_audio,
      sum(k.quantity) filter (where k.measure = 'tokens' and k.meter = 'output_text') as output_text,
      sum(k.quantity) filter (where k.measure = 'tokens' and k.meter = 'output_audio') as output_audio,
      sum(k.count) filter (where k.measure = 'charge') as charges,
      sum(k.count) filter (where k.measure = 'unpriced') as unpriced,
      sum(k.amount_usd) filter (where k.measure = 'charge') as cost_usd,
      sum(k.saved_usd) filter (where k.measure = 'charge') as saved_usd,
      jsonb_object_agg(k.meter, k.quantity) filter (where k.measure = 'charge' and k.quantity <> 0) as meters,
      sum(k.count) filter (where k.measure = timed) as latencies,
      sum(k.quantity) filter (where k.measure = timed) as latency_ms
    from keyed k
    group by k.key, k.provider
  ), ranked as (
    select k.key, k.provider, k.bucket,
      sum(k.count) over (partition by k.key, k.provider order by k.bucket) as upto,
      sum(k.count) over (partition by k.key, k.provider) as total
    from keyed k
    where k.measure = timed and k.count > 0
  ), percentiles as (
    select r.key, r.provider,
      min(r.bucket) filter (where r.upto >= ceil(0.50 * r.total)) as p50,
      min(r.bucket) filter (where r.upto >= ceil(0.95 * r.total)) as p95,
      min(r.bucket) filter (where r.upto >= ceil(0.99 * r.total)) as p99
    from ranked r
    group by r.key, r.provider
  )
  select
    case when by = 'total' then null else s.key end, nullif(s.provider, ''), case when by = 'model' then nullif(s.key, '') end,
    coalesce(s.conversations, 0)::bigint, coalesce(s.completed, 0)::bigint, coalesce(s.failed, 0)::bigint, coalesce(s.ai, 0)::bigint,
    coalesce(s.duration_seconds, 0)::bigint, coalesce(s.completed_seconds, 0)::bigint, coalesce(s.turns, 0)::bigint,
    coalesce(s.interruptions, 0)::bigint, coalesce(s.function_calls, 0)::bigint, coalesce(s.errors, 0)::bigint,
    coalesce(s.processing_ms, 0)::bigint, coalesce(s.high_confidence, 0)::bigint,
    coalesce(s.input, 0)::bigint, coalesce(s.output, 0)::bigint, coalesce(s.cached, 0)::bigint, coalesce(s.input_text, 0)::bigint,
    coalesce(s.input_audio, 0)::bigint, coalesce(s.input_image, 0)::bigint, coalesce(s.cached_text, 0)::bigint,
    coalesce(s.cached_audio, 0)::bigint, coalesce(s.output_text, 0)::bigint, coalesce(s.output_audio, 0)::bigint,
    coalesce(s.charges, 0)::bigint, coalesce(s.unpriced, 0)::bigint, coalesce(s.cost_usd, 0)::numeric(24,9),
    coalesce(s.saved_usd, 0)::numeric(24,9), coalesce(s.meters, '{}'), coalesce(s.latencies, 0)::bigint,
    case when s.latencies > 0 then round(s.latency_ms / s.latencies, 2) end,
    -- The middle of the bucket: within 2 % of whatever fell into it.
    case when q.p50 = -1 then 0 else round((2 * power(1.04, q.p50) / 2.04)::numeric, 2) end,
    case when q.p95 = -1 then 0 else round((2 * power(1.04, q.p95) / 2.04)::numeric, 2) end,
    case when q.p99 = -1 then 0 else round((2 * power(1.04, q.p99) / 2.04)::numeric, 2) end
  from sums s
  left join percentiles q on q.key = s.key and q.provider = s.provider
  -- What was taken back entirely leaves rows of nothing.
  where (coalesce(s.conversations, 0), coalesce(s.charges, 0), coalesce(s.latencies, 0), coalesce(s.cost_usd, 0), coalesce(s.saved_usd, 0),
      coalesce(s.unpriced, 0), coalesce(s.input, 0), coalesce(s.output, 0), coalesce(s.cached, 0)) <> (0, 0, 0, 0, 0, 0, 0, 0, 0)
  order by 1, 2;
end
$$;
comment on function vox.usage_stats(uuid, date, date, text) is
  'Usage and cost of a user, or of everyone (null), from a day to another that is not included, UTC; by total, day, month, kind, model or stage. Percentiles are within 2 %.';

create function vox.usage_stats(for_user uuid, period interval default '30 days')
returns table (
  key text, provider text, model text, conversations bigint, completed bigint, failed bigint, ai_conversations bigint,
  duration_seconds bigint, completed_seconds bigint, turns bigint, interruptions bigint, function_calls bigint, errors bigint,
  processing_ms bigint, high_confidence_turns bigint, input_tokens bigint, output_tokens bigint, cached_tokens bigint,
  input_text_tokens bigint, input_audio_tokens bigint, input_image_tokens bigint, cached_text_tokens bigint,
  cached_audio_tokens bigint, output_text_tokens bigint, output_audio_tokens bigint, charges bigint, unpriced bigint,
  cost_usd numeric, saved_usd numeric, meters jsonb, latency_count bigint, latency_mean_ms numeric, latency_p50_ms numeric,
  latency_p95_ms numeric, latency_p99_ms numeric)
language sql stable set search_path = '' as
$$
  select * from vox.usage_stats(
    for_user, ((now() at time zone 'UTC') - period)::date, (now() at time zone 'UTC')::date + 1, 'total')
$$;
comment on function vox.usage_stats(uuid, interval) is 'The same in one row, of the days that the past period touches, today included.';

-- An admin who looks at one other user's statistics leaves a row, as with a conversation.
create function vox_private.audit_usage(for_user uuid) returns void
language sql volatile security definer set search_path = '' as
$$
  insert into vox.audit_log (actor_id, actor_role, action, resource)
  select auth.uid(), auth.role(), 'usage.read', 'users/' || for_user
  where for_user is distinct from auth.uid() and for_user is not null
    and (auth.role() = 'service_role' or vox_private.is_admin())
$$;

-- For what concerns everyone: the policies would answer others with a part of it, as if it were the whole.
create function vox_private.require_admin() returns void
language plpgsql stable set search_path = '' as
$$
begin
  if current_user = 'authenticated' and not vox_private.is_admin() then
    raise exception 'this is for admins' using errcode = 'insufficient_privilege';
  end if;
end
$$;

revoke execute on all functions in schema vox_private from public;
revoke execute on function vox.usage_stats(uuid, date, date, text), vox.usage_stats(uuid, interval) from public;
grant execute on function vox.usage_stats(uuid, date, date, text), vox.usage_stats(uuid, interval) to authenticated, service_role;
grant execute on function vox_private.usage_parts(uuid[]) to authenticated, service_role;
grant execute on function vox_private.fold_usage(uuid[]), vox_private.fold_stale_usage(integer, timestamptz) to service_role;
grant execute on function vox_private.audit_usage(uuid), vox_private.require_admin() to authenticated, service_role;
