-- The feed: what it needs of the database.
--
-- The publication itself is made by the first server that runs the feed (feed_setup), so that a database without one pays nothing for it.

-- Which server reads which replication slot, and when it was last there: a slot without its server keeps the write-ahead log for nobody.
create table vox_private.feed_slots (
  slot_name text not null,
  server_name text not null,
  seen_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  constraint feed_slots_pkey primary key (slot_name)
);
comment on table vox_private.feed_slots is 'Replication slots of this database''s servers.';
comment on column vox_private.feed_slots.slot_name is 'As in pg_replication_slots.';
comment on column vox_private.feed_slots.server_name is 'The server whose it is, as it calls itself.';
comment on column vox_private.feed_slots.seen_at is 'When that server last said that it reads it; it does so every few seconds.';
alter table vox_private.feed_slots enable row level security;

create function vox_private.feed_seen(slot text, server text) returns void
language sql security definer set search_path = '' as
$$
  insert into vox_private.feed_slots (slot_name, server_name) values (slot, server)
  on conflict (slot_name) do update set server_name = excluded.server_name, seen_at = pg_catalog.now()
$$;
revoke execute on function vox_private.feed_seen(text, text) from public;
grant execute on function vox_private.feed_seen(text, text) to service_role;

-- One that nobody has claimed yet counts from now.
create function vox_private.feed_abandoned(prefix text, after interval) returns setof text
language sql security definer set search_path = '' as
$$
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
$$;
revoke execute on function vox_private.feed_abandoned(text, interval) from public;
grant execute on function vox_private.feed_abandoned(text, interval) to service_role;

-- Publishes every table of vox that users may read, those of later versions included, but for what nobody follows: the raw evidence, and what is
-- counted from other tables. Partitions come under their parents. Deletes carry the key alone; of these small tables, which seldom change, all
-- that tells whose the row was. Tables outside of vox are the database owner's to add, and stay.
create function vox_private.feed_setup() returns void
language plpgsql security definer set search_path = '' as
$$
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
$$;
revoke execute on function vox_private.feed_setup() from public;
grant execute on function vox_private.feed_setup() to service_role;

-- A conversation that goes takes everything of it along, and no policy can say any more whose that was. So its end is written to the log with
-- those who could see it, in the same transaction.
create function vox_private.conversation_going() returns trigger
language plpgsql security definer set search_path = '' as
$$
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
$$;
revoke execute on function vox_private.conversation_going() from public;

create trigger conversations_going before delete on vox.conversations
  for each row execute function vox_private.conversation_going();

-- Keeps the place of a server in a log that says nothing it wants, so that the slot moves on.
create function vox_private.feed_mark() returns pg_lsn
language sql volatile security definer set search_path = '' as
$$ select pg_catalog.pg_logical_emit_message(true, 'voxbase.mark', '') $$;
revoke execute on function vox_private.feed_mark() from public;
grant execute on function vox_private.feed_mark() to service_role;
