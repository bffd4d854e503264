-- What policies and frequent statements call. A function in SQL that cannot be put in place of its call, as none with rights or a search path of
-- its own can, is parsed and planned anew in each query that calls it, which costs several times its work; one in PL/pgSQL keeps its plan as
-- long as its connection.

create or replace function vox_private.is_admin() returns boolean
language plpgsql stable parallel safe security definer set search_path = '' as
$$
begin
  return exists (
    select from vox.users
    where id = auth.uid() and role = 'admin' and is_active and deleted_at is null
  );
end
$$;

create or replace function vox_private.took_part(conversation uuid) returns boolean
language plpgsql stable parallel safe security definer set search_path = '' as
$$
begin
  return exists (
    select from vox.participants where conversation_id = conversation and user_id = auth.uid()
  );
end
$$;

create or replace function vox_private.writer_serves_admin() returns boolean
language plpgsql stable parallel safe security definer set search_path = '' as
$$
begin
  return exists (
    select from vox.users
    where id = case when pg_catalog.length(pg_catalog.current_setting('vox.caller', true)) = 36 then pg_catalog.current_setting('vox.caller', true)::uuid end
      and role = 'admin' and is_active and deleted_at is null
  );
end
$$;

create or replace function vox_private.audit_read(conversation uuid) returns void
language plpgsql security definer set search_path = '' as
$$
begin
  insert into vox.audit_log (actor_id, actor_role, action, resource)
  select auth.uid(), auth.role(), 'conversation.read', 'conversations/' || c.id
  from vox.conversations c
  where c.id = conversation
    and c.user_id is distinct from auth.uid()
    and (auth.role() = 'service_role' or vox_private.is_admin());
end
$$;

create or replace function vox_private.seconds_between(since timestamptz, until timestamptz) returns integer
language plpgsql immutable parallel safe strict set search_path = '' as
$$
begin
  return greatest(0, floor(extract(epoch from (until - since))))::integer;
end
$$;

create or replace function vox.uuid_v7_floor(moment timestamptz) returns uuid
language plpgsql immutable parallel safe strict set search_path = '' as
$$
begin
  return (pg_catalog.lpad(pg_catalog.to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || '00000000000000000000')::uuid;
end
$$;

create or replace function vox_private.conversation_of_topic(topic text) returns uuid
language plpgsql immutable parallel safe strict set search_path = '' as
$$
begin
  return case when topic ~ '^conversation:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then pg_catalog.substr(topic, 14)::uuid end;
end
$$;
