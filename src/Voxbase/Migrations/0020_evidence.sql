-- Evidence comes in as fast as people speak: a relayed call sends forty events of 3 KB a second, nearly all of them audio, and 200
-- calls 26 MB. What an event costs beyond its bytes decides how many calls a machine records. Measured, in processor time of 40,000 such events:
-- as it was 4.6 s; uncompressed 2.7; in the row itself 1.9; without a look-up per row 1.0.
--
-- Uncompressed: audio in base64 does not get smaller, and trying took half of the time.
-- In the row: up to a page, so that an event of 3 KB is one row and not one row, two pieces and their index entries elsewhere.

alter table vox.provider_events alter column payload set storage external;

do $$
declare
  part regclass;
begin
  for part in select inhrelid from pg_catalog.pg_inherits where inhparent = 'vox.provider_events'::regclass
  loop
    execute format('alter table %s set (toast_tuple_target = 8160)', part);
  end loop;
end
$$;

create or replace function vox_private.ensure_month(month date) returns integer
language plpgsql security definer set search_path = '' as
$$
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
$$;

-- The reference to conversation and owner, asked once a statement and not once a row. What the key did besides is done here: evidence
-- goes with its conversation, and follows its owner.

alter table vox.provider_events drop constraint provider_events_conversation_fkey;

create function vox_private.provider_events_added() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
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
$$;
comment on function vox_private.provider_events_added() is
  'Proves that each conversation exists and belongs to the events'' user_id, and keeps it from being deleted until the transaction ends.';
create trigger provider_events_added after insert on vox.provider_events
  referencing new table as added_events for each statement execute function vox_private.provider_events_added();

create function vox_private.provider_events_follow_owner() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
begin
  update vox.provider_events set user_id = new.user_id where conversation_id = new.id;
  return null;
end
$$;
create trigger conversations_provider_events_follow_owner after update of user_id on vox.conversations
  for each row when (old.user_id is distinct from new.user_id) execute function vox_private.provider_events_follow_owner();

create function vox_private.provider_events_go_with_conversation() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
begin
  delete from vox.provider_events where conversation_id = old.id;
  return null;
end
$$;
create trigger conversations_provider_events_deleted after delete on vox.conversations
  for each row execute function vox_private.provider_events_go_with_conversation();

-- What these two did for the evidence of nobody's conversations is done above.
create or replace function vox_private.conversation_owner_changed() returns trigger
language plpgsql security definer set search_path = '' as
$$
begin
  update vox.participants set owner_id = new.user_id where conversation_id = new.id and owner_id is null;
  update vox.function_calls set user_id = new.user_id where conversation_id = new.id and user_id is null;
  update vox.usage_events set user_id = new.user_id where conversation_id = new.id and user_id is null;
  update vox.charges set user_id = new.user_id where conversation_id = new.id and user_id is null;
  return null;
end
$$;
create or replace function vox_private.conversation_deleted() returns trigger
language plpgsql security definer set search_path = '' as
$$
begin
  delete from vox.function_calls where conversation_id = old.id;
  delete from vox.usage_events where conversation_id = old.id;
  return null;
end
$$;

revoke execute on function vox_private.provider_events_added() from public;
revoke execute on function vox_private.provider_events_follow_owner() from public;
revoke execute on function vox_private.provider_events_go_with_conversation() from public;
