-- What an append asks of the database, asked in its cheapest form.

-- 1. Policies of the writer. They decide about the few rows that a statement names by their keys: there, a sub-select that is made ready
-- once for many rows costs more than asking the setting for each.

alter policy conversations_append on vox.conversations using (
  current_setting('vox.caller', true) = any (array[user_id::text, 'service_role']) or vox_private.is_admin()
);
alter policy turns_find on vox.turns using (
  current_setting('vox.caller', true) = any (array[user_id::text, 'service_role']) or vox_private.is_admin()
);

-- 2. The writer's door to a month. It names the partition of its conversations itself, so that nobody looks for it row by row, and the
-- triggers that number and count what others insert, which belong to the parent, are not made ready in vain: the append numbers and
-- counts what it writes. Only the writer has this door, and only for inserting.

create function vox_private.open_month(partition regclass) returns void
language plpgsql set search_path = '' as
$$
begin
  execute pg_catalog.format('grant insert on %s to vox_writer', partition);
  execute pg_catalog.format('create policy turns_append on %s for insert to vox_writer with check (true)', partition);
end
$$;
revoke execute on function vox_private.open_month(regclass) from public;
comment on function vox_private.open_month(regclass) is
  'Lets the writer append to a partition of the turns by its own name.';

select vox_private.open_month(i.inhrelid)
from pg_catalog.pg_inherits i
where i.inhparent = 'vox.turns'::regclass and i.inhrelid <> 'vox.turns_default'::regclass;

-- Takes in the rows that came before their month's partition did. A retry after a crash finds either all or nothing done.
create or replace function vox_private.ensure_month(month date) returns integer
language plpgsql security definer set search_path = '' as
$$
declare
  parent text;
  child text;
  stored_columns text;
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

-- 3. Rights by column are looked up one by one, at each append. Nobody but the library can be the writer.

-- This takes those by column with it.
revoke select, update on vox.conversations from vox_writer;
grant select, update on vox.conversations to vox_writer;
