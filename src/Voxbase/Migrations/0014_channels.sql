-- Channels: the schema `realtime` as Supabase's clients and policies know it.
--
-- A private channel is guarded by the policies of realtime.messages: who could read a message of the topic may listen, who could insert one may
-- send. Nothing that is sent over a socket is stored; a row inserted here is a broadcast from the database, kept for a few days for
-- who joins late. Where Supabase made the schema already, it is left as it is, and gets the policies of conversations.

do $$
begin
  if pg_catalog.to_regnamespace('realtime') is null then
    create schema realtime;
    comment on schema realtime is 'Channels: messages sent from the database, and the policies of private channels.';
  end if;
  if pg_catalog.pg_has_role((select nspowner from pg_catalog.pg_namespace where nspname = 'realtime'), 'usage') then
    grant usage on schema realtime to anon, authenticated, service_role, vox_writer;
  end if;
end
$$;

-- 1. Messages ----------------------------------------------------------------------------------------------------------------------

do $$
begin
  if pg_catalog.to_regclass('realtime.messages') is not null then
    return;
  end if;
  -- Times without a zone, in UTC: what the policies and functions written for Supabase expect.
  create table realtime.messages (
    topic text not null,
    extension text not null,
    payload jsonb,
    binary_payload bytea,
    event text,
    private boolean default false,
    updated_at timestamp not null default (now() at time zone 'utc'),
    inserted_at timestamp not null default (now() at time zone 'utc'),
    id uuid not null default gen_random_uuid(),
    constraint messages_pkey primary key (id, inserted_at),
    constraint messages_one_payload check (payload is null or binary_payload is null)
  ) partition by range (inserted_at);
  create index messages_topic_inserted_at_idx on realtime.messages (topic, inserted_at desc) where extension = 'broadcast';
  create table realtime.messages_default partition of realtime.messages default;
  comment on table realtime.messages is 'Broadcasts sent from the database, a partition a day, and by its policies the gate of private channels.';
  comment on column realtime.messages.extension is 'What the policy is asked about: broadcast or presence. Stored messages are broadcasts.';
  comment on column realtime.messages.private is 'Whether it goes to the private channel of the topic; the public one has the same name and nothing else in common.';
  comment on column realtime.messages.inserted_at is 'UTC.';
  alter table realtime.messages enable row level security;
  alter table realtime.messages_default enable row level security;
  grant select, insert on realtime.messages to authenticated;
  grant select, insert, delete on realtime.messages to service_role;
  grant insert on realtime.messages to vox_writer;
end
$$;

do $$
begin
  if pg_catalog.to_regprocedure('realtime.topic()') is null then
    create function realtime.topic() returns text
    language sql stable parallel safe as
    $f$ select nullif(pg_catalog.current_setting('realtime.topic', true), '') $f$;
    comment on function realtime.topic() is 'The topic that a policy is asked about.';
    grant execute on function realtime.topic() to anon, authenticated, service_role, vox_writer;
  end if;

  -- A message that may not be sent warns and does not fail: the row that a trigger tells of was written all the same.
  if pg_catalog.to_regprocedure('realtime.send(jsonb, text, text, boolean)') is null then
    create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
    language plpgsql set search_path = '' as
    $f$
    declare
      message_id uuid := pg_catalog.gen_random_uuid();
      sent jsonb := payload;
    begin
      if pg_catalog.jsonb_typeof(sent) = 'object' and not sent ? 'id' then
        sent := sent || pg_catalog.jsonb_build_object('id', message_id);
      end if;
      perform pg_catalog.set_config('realtime.topic', send.topic, true);
      insert into realtime.messages (id, payload, event, topic, private, extension)
      values (message_id, sent, send.event, send.topic, send.private, 'broadcast');
    exception when others then
      raise warning 'nothing was sent to topic %: %', send.topic, sqlerrm;
    end
    $f$;
    comment on function realtime.send(jsonb, text, text, boolean) is 'Broadcasts to everyone in a channel, once the transaction commits.';
    revoke execute on function realtime.send(jsonb, text, text, boolean) from public;
    grant execute on function realtime.send(jsonb, text, text, boolean) to authenticated, service_role, vox_writer;
  end if;

  if pg_catalog.to_regprocedure('realtime.send_binary(bytea, text, text, boolean)') is null
    and exists (select from pg_catalog.pg_attribute where attrelid = 'realtime.messages'::regclass and attname = 'binary_payload')
    and pg_catalog.has_schema_privilege('realtime', 'create') then
    create function realtime.send_binary(payload bytea, event text, topic text, private boolean default true) returns void
    language plpgsql set search_path = '' as
    $f$
    begin
      perform pg_catalog.set_config('realtime.topic', send_binary.topic, true);
      insert into realtime.messages (binary_payload, event, topic, private, extension)
      values (send_binary.payload, send_binary.event, send_binary.topic, send_binary.private, 'broadcast');
    exception when others then
      raise warning 'nothing was sent to topic %: %', send_binary.topic, sqlerrm;
    end
    $f$;
    comment on function realtime.send_binary(bytea, text, text, boolean) is 'The same with bytes, for clients of protocol 2.0.0.';
    revoke execute on function realtime.send_binary(bytea, text, text, boolean) from public;
    grant execute on function realtime.send_binary(bytea, text, text, boolean) to authenticated, service_role, vox_writer;
  end if;

  if pg_catalog.to_regprocedure('realtime.broadcast_changes(text, text, text, text, text, record, record, text)') is null then
    create function realtime.broadcast_changes(
      topic_name text, event_name text, operation text, table_name text, table_schema text, new record, old record, level text default 'ROW'
    ) returns void
    language plpgsql set search_path = '' as
    $f$
    begin
      if level = 'STATEMENT' then
        raise exception 'realtime.broadcast_changes needs a trigger for each row, not for each statement' using errcode = 'feature_not_supported';
      end if;
      if operation not in ('INSERT', 'UPDATE', 'DELETE') then
        raise exception 'realtime.broadcast_changes knows INSERT, UPDATE and DELETE (was %)', operation using errcode = 'invalid_parameter_value';
      end if;
      perform realtime.send(
        pg_catalog.jsonb_build_object('old_record', old, 'record', new, 'operation', operation, 'table', table_name, 'schema', table_schema),
        event_name, topic_name);
    end
    $f$;
    comment on function realtime.broadcast_changes(text, text, text, text, text, record, record, text) is
      'For a row trigger: broadcasts what changed to the private channel of a topic.';
    revoke execute on function realtime.broadcast_changes(text, text, text, text, text, record, record, text) from public;
    grant execute on function realtime.broadcast_changes(text, text, text, text, text, record, record, text) to authenticated, service_role, vox_writer;
  end if;
end
$$;

-- 2. Conversations' channels -------------------------------------------------------------------------------------------------------

create function vox_private.conversation_of_topic(topic text) returns uuid
language sql immutable strict parallel safe set search_path = '' as
$$
  select case when topic ~ '^conversation:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then pg_catalog.substr(topic, 14)::uuid end
$$;
comment on function vox_private.conversation_of_topic(text) is 'The conversation whose channel conversation:<id> is, or null for another topic.';
revoke execute on function vox_private.conversation_of_topic(text) from public;
grant execute on function vox_private.conversation_of_topic(text) to authenticated, service_role;

-- Who may see the conversation, by its own policies, may listen and send: its owner, those who took part, admins.
do $$
begin
  create policy vox_service on realtime.messages to service_role using (true) with check (true);
  create policy vox_writer on realtime.messages for insert to vox_writer with check (true);
  create policy vox_conversation_listen on realtime.messages for select to authenticated
    using (exists (select from vox.conversations c where c.id = vox_private.conversation_of_topic(messages.topic)));
  create policy vox_conversation_send on realtime.messages for insert to authenticated
    with check (exists (select from vox.conversations c where c.id = vox_private.conversation_of_topic(messages.topic)));
exception when insufficient_privilege then
  raise notice 'realtime.messages belongs to another role: create the policies of topic conversation:<id> as its owner';
end
$$;

-- 3. What a caller may do in a private channel --------------------------------------------------------------------------------------

-- One probe of each kind is inserted, the caller's policies are asked about it, and all of it is undone before this returns: a raised error
-- takes rows, role and settings back. A policy that raises means no.
create function vox_private.channel_access(
  topic text, role text, claims jsonb, headers text,
  out broadcast_read boolean, out broadcast_write boolean, out presence_read boolean, out presence_write boolean
)
language plpgsql volatile set search_path = '' as
$$
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
$$;
comment on function vox_private.channel_access(text, text, jsonb, text) is 'What the policies of realtime.messages allow a caller in a private channel. Leaves nothing behind.';
revoke execute on function vox_private.channel_access(text, text, jsonb, text) from public;
grant execute on function vox_private.channel_access(text, text, jsonb, text) to service_role;

-- The feed tells of rows inserted here, on servers where channels are used. Says whether it does: a table of another's is that owner's to publish.
create function vox_private.publish_messages() returns boolean
language plpgsql security definer set search_path = '' as
$$
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
$$;
comment on function vox_private.publish_messages() is 'Adds realtime.messages to the feed''s publication; true when it is in it.';
revoke execute on function vox_private.publish_messages() from public;
grant execute on function vox_private.publish_messages() to service_role;

-- 4. Days --------------------------------------------------------------------------------------------------------------------------

-- A partition for today and the days ahead, none for days that are over. Where a day's messages are in the default partition already, the day
-- stays there. Does nothing where the table is another's.
create function vox_private.keep_message_days(days_back integer, days_ahead integer) returns integer
language plpgsql security definer set search_path = '' as
$$
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
$$;
comment on function vox_private.keep_message_days(integer, integer) is 'Makes the partitions of realtime.messages ahead of time and drops those of days that are over; returns how many.';
revoke execute on function vox_private.keep_message_days(integer, integer) from public;
grant execute on function vox_private.keep_message_days(integer, integer) to service_role;
