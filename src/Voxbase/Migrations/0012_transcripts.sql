-- Cleaning transcripts: which conversations are cleaned and how far, results that were replaced, and key terms.
--
-- A turn's current result stands in the turn itself: there is exactly one by construction, and cleaning costs one update. What a later
-- cleaning replaces goes to cleaned_versions. An append pays nothing: no trigger and no index on turns knows of cleaning. How far a
-- conversation is cleaned is compared with the number of its last turn, which is kept anyway.

create table vox.cleaning_settings (
  id boolean not null default true,
  is_enabled boolean not null default false,
  updated_at timestamptz not null default now(),
  constraint cleaning_settings_pkey primary key (id),
  constraint cleaning_settings_single check (id)
);
insert into vox.cleaning_settings default values;
comment on table vox.cleaning_settings is 'One row, which servers set at their start. In the database, so that a conversation is taken on by the transaction that makes it.';
comment on column vox.cleaning_settings.is_enabled is 'Whether conversations that begin from now on are cleaned unless their preferences say otherwise.';

create table vox.cleanings (
  conversation_id uuid not null,
  user_id uuid,
  is_enabled boolean not null default true,
  cleaned_through integer not null default 0,
  awaited uuid[] not null default '{}',
  is_open boolean not null default true,
  revision integer not null default 0,
  claimed_by uuid,
  claimed_until timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint cleanings_pkey primary key (conversation_id),
  constraint cleanings_conversation_id_fkey foreign key (conversation_id) references vox.conversations (id) on delete cascade,
  constraint cleanings_owner_fkey foreign key (conversation_id, user_id)
    references vox.conversations (id, user_id) on update cascade on delete cascade,
  constraint cleanings_cleaned_through_not_negative check (cleaned_through >= 0)
) with (fillfactor = 60);  -- Moves on with every batch of turns: room on the page keeps that off the indexes.
create index cleanings_open_idx on vox.cleanings (conversation_id) where is_open;
comment on table vox.cleanings is 'Conversations whose turns are cleaned as they come, and how far that has come.';
comment on column vox.cleanings.cleaned_through is 'The sequence number up to which every turn has its result, but for those awaited.';
comment on column vox.cleanings.awaited is 'Turns passed over because their text had not come; at most 100.';
comment on column vox.cleanings.is_open is 'Whether it is looked at from time to time. Closed once the conversation is over, or quiet, and cleaned to its end.';
comment on column vox.cleanings.revision is 'Moves when texts that count as context change otherwise than by cleaning on: whoever remembers them reads them anew.';

comment on column vox.cleanings.claimed_by is 'The server that asks a language model about its turns now, so that no two pay for the same.';
comment on column vox.cleanings.claimed_until is 'From then on another may: that server died.';

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
  replaced_at timestamptz not null default now(),
  constraint cleaned_versions_pkey primary key (conversation_id, turn_id, version),
  constraint cleaned_versions_conversation_id_fkey foreign key (conversation_id) references vox.conversations (id) on delete cascade,
  constraint cleaned_versions_owner_fkey foreign key (conversation_id, user_id)
    references vox.conversations (id, user_id) on update cascade on delete cascade,
  constraint cleaned_versions_version_positive check (version > 0)
);
comment on table vox.cleaned_versions is 'Results of the cleaner that another took the place of, as they stood then, undone corrections included. The current one is in the turn.';
comment on column vox.cleaned_versions.version is 'From 1; the current result''s number is one more than the last.';

create table vox.key_terms (
  id uuid not null default vox.uuid_v7(),
  conversation_id uuid,
  user_id uuid,
  terms text[] not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint key_terms_pkey primary key (id),
  constraint key_terms_scope_key unique nulls not distinct (conversation_id, user_id),
  constraint key_terms_user_id_fkey foreign key (user_id) references vox.users (id),
  constraint key_terms_conversation_id_fkey foreign key (conversation_id) references vox.conversations (id) on delete cascade,
  constraint key_terms_owner_fkey foreign key (conversation_id, user_id)
    references vox.conversations (id, user_id) on update cascade on delete cascade,
  constraint key_terms_count check (cardinality(terms) <= 10000)
);
create index key_terms_user_id_idx on vox.key_terms (user_id);
comment on table vox.key_terms is 'Names and terms as they are spelled, which the cleaner trusts: a list for the installation, for each user, for each conversation.';
comment on column vox.key_terms.conversation_id is 'The conversation whose list it is; null for a user''s and the installation''s.';
comment on column vox.key_terms.user_id is 'The user whose list it is, or the conversation''s owner; null for the installation''s.';
comment on column vox.key_terms.terms is 'Up to 10,000, of 1 to 200 characters each.';

-- 1. Owners -----------------------------------------------------------------------------------------------------------------------

create trigger cleaned_versions_fill_user before insert on vox.cleaned_versions
  for each row when (new.user_id is null) execute function vox_private.fill_user_id();

create function vox_private.key_terms_starting() returns trigger
language plpgsql security definer set search_path = '' as
$$
begin
  if new.conversation_id is not null then
    select c.user_id into new.user_id from vox.conversations c where c.id = new.conversation_id;
  end if;
  if new.user_id = auth.uid() then
    perform vox_private.ensure_current_user();
  end if;
  return new;
end
$$;
create trigger key_terms_starting before insert on vox.key_terms for each row execute function vox_private.key_terms_starting();
create trigger key_terms_touch before update on vox.key_terms for each row execute function vox_private.touch_updated_at();
create trigger cleanings_touch before update on vox.cleanings for each row execute function vox_private.touch_updated_at();

create function vox_private.cleanings_owner_changed() returns trigger
language plpgsql security definer set search_path = '' as
$$
begin
  update vox.cleanings set user_id = new.user_id where conversation_id = new.id and user_id is null;
  update vox.cleaned_versions set user_id = new.user_id where conversation_id = new.id and user_id is null;
  update vox.key_terms set user_id = new.user_id where conversation_id = new.id and user_id is null;
  return null;
end
$$;
create trigger conversations_cleanings_owner after update of user_id on vox.conversations
  for each row when (old.user_id is null and new.user_id is not null) execute function vox_private.cleanings_owner_changed();

-- 2. Which conversations are cleaned ---------------------------------------------------------------------------------------------------

create function vox_private.cleaning_wanted() returns trigger
language plpgsql security definer set search_path = '' as
$$
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
$$;
comment on function vox_private.cleaning_wanted() is
  'Takes a conversation on as its preferences say: {"cleaning": true}, or an object with engine, level, mode, language, window_size and enabled; otherwise as the installation does.';
create trigger conversations_cleaning_wanted after insert on vox.conversations
  for each row execute function vox_private.cleaning_wanted();
create trigger conversations_cleaning_changed after update of preferences on vox.conversations
  for each row when (old.preferences -> 'cleaning' is distinct from new.preferences -> 'cleaning')
  execute function vox_private.cleaning_wanted();

-- 3. Who may do what -------------------------------------------------------------------------------------------------------------------

alter table vox.cleaning_settings enable row level security;
alter table vox.cleaning_settings force row level security;
alter table vox.cleanings enable row level security;
alter table vox.cleanings force row level security;
alter table vox.cleaned_versions enable row level security;
alter table vox.cleaned_versions force row level security;
alter table vox.key_terms enable row level security;
alter table vox.key_terms force row level security;

grant select on vox.cleaning_settings to service_role;
grant update (is_enabled, updated_at) on vox.cleaning_settings to service_role;
create policy cleaning_settings_service on vox.cleaning_settings to service_role using (true) with check (true);

-- Made by the functions above alone. Owners may say that what counts as context has changed, and nothing else.
grant select on vox.cleanings to authenticated, service_role;
grant update (revision) on vox.cleanings to authenticated;
grant update (cleaned_through, awaited, is_open, revision, claimed_by, claimed_until) on vox.cleanings to service_role;
create policy cleanings_service on vox.cleanings to service_role using (true) with check (true);
create policy cleanings_select on vox.cleanings for select to authenticated
  using (user_id = (select auth.uid()) or (select vox_private.is_admin()));
create policy cleanings_update on vox.cleanings for update to authenticated
  using (user_id = (select auth.uid()) or (select vox_private.is_admin()))
  with check (user_id = (select auth.uid()) or (select vox_private.is_admin()));

-- What was once said of a turn is not changed afterwards.
grant select on vox.cleaned_versions to authenticated, service_role;
grant insert (conversation_id, turn_id, version, cleaned_text, cleaning_level, cleaning_applied, confidence, corrections, context_detected,
    business_domain, conversation_flow, transcription_error_detected, cleaner_model, cleaner_request_id, processing_ms)
  on vox.cleaned_versions to authenticated, service_role;
create policy cleaned_versions_service on vox.cleaned_versions to service_role using (true) with check (true);
create policy cleaned_versions_select on vox.cleaned_versions for select to authenticated
  using (user_id = (select auth.uid()) or (select vox_private.is_admin()));
create policy cleaned_versions_insert on vox.cleaned_versions for insert to authenticated
  with check (user_id = (select auth.uid()) or (select vox_private.is_admin()));

-- The installation's list is everybody's to read and the administrators' to change.
grant select, delete on vox.key_terms to authenticated, service_role;
grant insert (id, conversation_id, user_id, terms) on vox.key_terms to authenticated, service_role;
grant update (terms) on vox.key_terms to authenticated, service_role;
create policy key_terms_service on vox.key_terms to service_role using (true) with check (true);
create policy key_terms_select on vox.key_terms for select to authenticated
  using (user_id = (select auth.uid()) or (user_id is null and conversation_id is null) or (select vox_private.is_admin()));
create policy key_terms_insert on vox.key_terms for insert to authenticated
  with check (user_id = (select auth.uid()) or (select vox_private.is_admin()));
create policy key_terms_update on vox.key_terms for update to authenticated
  using (user_id = (select auth.uid()) or (select vox_private.is_admin()))
  with check (user_id = (select auth.uid()) or (select vox_private.is_admin()));
create policy key_terms_delete on vox.key_terms for delete to authenticated
  using (user_id = (select auth.uid()) or (select vox_private.is_admin()));

revoke execute on function vox_private.key_terms_starting(), vox_private.cleanings_owner_changed(), vox_private.cleaning_wanted() from public;
