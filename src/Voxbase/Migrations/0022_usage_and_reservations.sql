-- Two things asked for often become cheaper: statistics of a month (1 to 5), and a reservation at the beginning and the end of a call (6).
--
-- Statistics are kept in the shape in which they are asked for: a row holds every figure of one group (all, a kind, a model, a stage) of one
-- day or month, its latencies as one histogram. A question reads a row a day and group, however many conversations, meters or buckets there
-- are; before, each figure and each bucket was a row, and a month of everyone read tens of thousands.

-- 1. The rows ---------------------------------------------------------------------------------------------------------------------

alter table vox.usage_rollups rename to usage_rollups_before;
alter table vox.usage_rollups_before rename constraint usage_rollups_pkey to usage_rollups_before_pkey;

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
  meters text[] not null default '{}',
  meter_quantities numeric[] not null default '{}',
  meter_unpriced bigint[] not null default '{}',
  latency_count bigint not null default 0,
  latency_ms bigint not null default 0,
  latency_buckets smallint[] not null default '{}',
  latency_counts bigint[] not null default '{}',
  -- A question asks one scope for one dimension, of days or of months, over a range of them.
  constraint usage_rollups_pkey primary key (scope, dimension, by_month, period, key, provider),
  constraint usage_rollups_dimension check (dimension in ('total', 'kind', 'model', 'stage')),
  constraint usage_rollups_meters check (cardinality(meter_quantities) = cardinality(meters) and cardinality(meter_unpriced) = cardinality(meters)),
  constraint usage_rollups_latencies check (cardinality(latency_counts) = cardinality(latency_buckets))
) with (fillfactor = 80);
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

alter table vox.usage_rollups enable row level security;
alter table vox.usage_rollups force row level security;
grant select on vox.usage_rollups to authenticated;
grant select, insert, update on vox.usage_rollups to service_role;
create policy usage_rollups_service on vox.usage_rollups to service_role using (true) with check (true);
create policy usage_rollups_select on vox.usage_rollups for select to authenticated
  using (scope = (select auth.uid()) or (select vox_private.is_admin()));

-- 2. From parts to rows ------------------------------------------------------------------------------------------------------------

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

create function vox_private.usage_sums(scopes uuid[], parts vox_private.usage_part[]) returns setof vox_private.usage_sum
language plpgsql immutable set search_path = '' as
$$
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
$$;
comment on function vox_private.usage_sums(uuid[], vox_private.usage_part[]) is 'The rows of the rollups that parts come to, each part under the scope in its place.';

revoke execute on function vox_private.usage_sums(uuid[], vox_private.usage_part[]) from public;
grant execute on function vox_private.usage_sums(uuid[], vox_private.usage_part[]) to authenticated, service_role;

-- What was folded before is carried over, scope by scope. The tables force their policies on their owner too, so the service does it.
set local role service_role;
do
$$
declare
  whose uuid;
begin
  for whose in select distinct b.scope from vox.usage_rollups_before b loop
    insert into vox.usage_rollups
    select s.*
    from (
      select array_agg(b.scope) as scopes,
        array_agg(row(b.period, b.measure, b.kind, b.provider, b.model, b.stage, b.meter, b.bucket, b.count, b.quantity, b.amount_usd, b.saved_usd)::vox_private.usage_part) as parts
      from vox.usage_rollups_before b
      where b.scope = whose and not b.by_month
    ) p
    cross join lateral vox_private.usage_sums(p.scopes, p.parts) s;
  end loop;
end
$$;
reset role;
drop table vox.usage_rollups_before;

-- 3. Parts: what their conversation says goes along with every row, so that nothing is joined again by it ---------------------------

create or replace function vox_private.usage_parts(conversations uuid[])
returns table (conversation_id uuid, user_id uuid, part vox_private.usage_part)
language plpgsql stable set search_path = '' set enable_seqscan = off as
$$
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
$$;

-- 4. Folding -------------------------------------------------------------------------------------------------------------------------

create or replace function vox_private.fold_usage(conversations uuid[]) returns void
language plpgsql set search_path = '' set enable_seqscan = off as
$$
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
$$;

-- 5. Statistics ----------------------------------------------------------------------------------------------------------------------

create function vox_private.percentiles(buckets smallint[], counts bigint[]) returns numeric[]
language plpgsql immutable set search_path = '' as
$$
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
$$;
comment on function vox_private.percentiles(smallint[], bigint[]) is 'Of a histogram of latencies p50, p95 and p99 by the nearest rank, in ms; null where nothing was measured.';
revoke execute on function vox_private.percentiles(smallint[], bigint[]) from public;
grant execute on function vox_private.percentiles(smallint[], bigint[]) to authenticated, service_role;

create or replace function vox.usage_stats(for_user uuid, since date, until date, by text)
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
$$;

-- 6. Reservations -------------------------------------------------------------------------------------------------------------------
--
-- PostgreSQL reads the text of a check anew with every statement that writes to its table. What this one said is said by the columns
-- themselves now: none is ever empty, and known_until alone says whether the terms are known.

update vox.reserved_spend set
  month = coalesce(month, '-infinity'), limit_usd = coalesce(limit_usd, 0), alert_ratio = coalesce(alert_ratio, 1),
  on_exceed = coalesce(on_exceed, 'stop'), known_until = '-infinity'
where month is null or limit_usd is null or alert_ratio is null or on_exceed is null;
alter table vox.reserved_spend
  alter column month set default '-infinity', alter column month set not null,
  alter column limit_usd set default 0, alter column limit_usd set not null,
  alter column alert_ratio set default 1, alter column alert_ratio set not null,
  alter column on_exceed set default 'stop', alter column on_exceed set not null,
  drop constraint reserved_spend_known;

-- Letting go is one statement; a loop over rows opens a cursor.
create or replace function vox_private.release_spend(call uuid) returns void
language plpgsql security definer set search_path = '' as
$$
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
$$;

-- The library's own writer calls them: on its connections no identity goes ahead of a statement. They work with their owner's rights.
grant execute on function vox_private.reserve_spend(uuid, uuid, numeric, interval), vox_private.release_spend(uuid) to vox_writer;
