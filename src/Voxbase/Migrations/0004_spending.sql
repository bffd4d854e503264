-- The price book and what was charged.

create table vox.prices (
  id uuid not null default vox.uuid_v7(),
  provider text not null,
  model text not null,
  meter text not null,
  unit_price_usd numeric(18,9) not null,
  per integer not null default 1,
  valid_from timestamptz not null,
  note text,
  is_default boolean not null default false,
  created_at timestamptz not null default now(),
  constraint prices_pkey primary key (id),
  constraint prices_key unique (provider, model, meter, valid_from, is_default),
  constraint prices_unit_price_not_negative check (unit_price_usd >= 0),
  constraint prices_per_positive check (per > 0),
  constraint prices_meter_shape check (meter ~ '^[a-z]+(\.[a-z]+)*$'),
  constraint prices_model_shape check (model ~ '^[^*[:space:]]+\*?$|^\*$')
);
comment on table vox.prices is 'What a unit of a meter costs from a date on. A price holds until a later valid_from of the same key.';
comment on column vox.prices.model is 'A model''s exact name, or a prefix ending in *. The exact name wins, then the longest prefix.';
comment on column vox.prices.per is 'How many units unit_price_usd buys: 1000000 for tokens quoted per million, 60 for seconds quoted per minute.';
comment on column vox.prices.is_default is 'Shipped with Voxbase. A price set by hand for the same model, meter and time wins over it.';

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
  amount_usd numeric(18,9) generated always as (round(quantity * unit_price_usd / per, 9)) stored,
  charged_at timestamptz not null,
  created_at timestamptz not null default now(),
  constraint charges_pkey primary key (conversation_id, id),
  -- Not cascading: what was spent stays known when its conversation is to be deleted.
  constraint charges_conversation_fkey foreign key (conversation_id, user_id)
    references vox.conversations (id, user_id) on update cascade,
  constraint charges_stage_known check (stage in ('llm', 'asr', 'tts', 'session')),
  constraint charges_quantity_not_negative check (quantity >= 0),
  constraint charges_per_positive check (per > 0)
) partition by range (conversation_id);
create table vox.charges_default partition of vox.charges default;
create index charges_user_id_idx on vox.charges (user_id, charged_at);
comment on table vox.charges is 'What was used, at the price that held then. Never updated and never deleted; a retry adds nothing.';
comment on column vox.charges.unit_price_usd is 'Copied from the price book; null where it had no price (unpriced), and then so is amount_usd.';
comment on column vox.charges.amount_usd is 'quantity × unit_price_usd ÷ per, rounded to the nano-dollar.';
comment on column vox.charges.model is 'Null where the provider never named it.';

create trigger charges_fill_user before insert on vox.charges
  for each row when (new.user_id is null) execute function vox_private.fill_user_id();

create function vox_private.charges_added() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
begin
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
    where turn_id is not null and amount_usd > 0
    group by conversation_id, turn_id
  ) a
  where t.conversation_id = a.conversation_id and t.id = a.turn_id;

  update vox.conversations c set
    cost_usd = c.cost_usd + a.amount,
    unpriced_count = c.unpriced_count + a.unpriced,
    updated_at = pg_catalog.now()
  from (
    select conversation_id, coalesce(sum(amount_usd), 0) as amount, count(*) filter (where unit_price_usd is null) as unpriced
    from added_charges
    group by conversation_id
  ) a
  where c.id = a.conversation_id;
  return null;
end
$$;
create trigger charges_added after insert on vox.charges
  referencing new table as added_charges
  for each statement execute function vox_private.charges_added();

alter table vox.prices enable row level security;
alter table vox.prices force row level security;
grant select, insert, update, delete on vox.prices to authenticated, service_role;
create policy prices_service on vox.prices to service_role using (true) with check (true);
create policy prices_select on vox.prices for select to authenticated using (true);
create policy prices_insert on vox.prices for insert to authenticated with check ((select vox_private.is_admin()));
create policy prices_update on vox.prices for update to authenticated
  using ((select vox_private.is_admin())) with check ((select vox_private.is_admin()));
create policy prices_delete on vox.prices for delete to authenticated using ((select vox_private.is_admin()));

alter table vox.charges enable row level security;
alter table vox.charges force row level security;
alter table vox.charges_default enable row level security;
alter table vox.charges_default force row level security;
grant select on vox.charges to authenticated, service_role;
grant insert (conversation_id, id, user_id, turn_id, stage, meter, provider, model, quantity, unit_price_usd, per, charged_at)
  on vox.charges to service_role;
create policy charges_service on vox.charges to service_role using (true) with check (true);
create policy charges_select on vox.charges for select to authenticated
  using (user_id = (select auth.uid()) or (select vox_private.is_admin()));

-- Functions are everybody's by default. What users may call was granted to them by name; triggers need no grant to fire.
revoke execute on all functions in schema vox_private from public;
