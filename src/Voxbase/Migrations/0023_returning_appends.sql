-- An append is one statement that returns what it inserted, without a third part that reads what the first one returned: a twentieth less. And
-- each index of conversations costs every append, also where it changes nothing: the two of calls that are looked after become one.

create or replace function vox_private.open_month(partition regclass) returns void
language plpgsql set search_path = '' as
$$
begin
  execute pg_catalog.format('grant insert, select (sequence_number) on %s to vox_writer', partition);
  execute pg_catalog.format('create policy turns_append on %s for insert to vox_writer with check (true)', partition);
  execute pg_catalog.format('create policy turns_number on %s for select to vox_writer using (true)', partition);
end
$$;
comment on function vox_private.open_month(regclass) is
  'Has the library''s writer insert into a month''s partition by its name, where no policy of the parent is asked, and see the number that it gave.';

do
$$
declare
  partition regclass;
begin
  for partition in
    select i.inhrelid from pg_catalog.pg_inherits i where i.inhparent = 'vox.turns'::regclass and i.inhrelid <> 'vox.turns_default'::regclass
  loop
    execute pg_catalog.format('grant select (sequence_number) on %s to vox_writer', partition);
    execute pg_catalog.format('create policy turns_number on %s for select to vox_writer using (true)', partition);
  end loop;
end
$$;

drop index vox.conversations_sideband_idx;
drop index vox.conversations_livekit_open_idx;
create index conversations_watched_idx on vox.conversations (id)
  where status in ('pending', 'active') and metadata ?| array['livekit', 'sideband'];
