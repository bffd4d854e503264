-- The roles, the request's identity and the id function that every table stands on.
--
-- Works on a bare PostgreSQL 15+ and on one that has the Supabase roles and auth functions: what exists is left alone.

create schema if not exists vox;
create schema if not exists vox_private;
comment on schema vox is 'Voxbase: the system of record for voice AI. Exposed: row-level security guards every table.';
comment on schema vox_private is 'Voxbase internals: trigger and policy functions. Never exposed over HTTP.';

-- anon, authenticated and service_role are what a token may claim. vox_writer is not: the library appends turns as it, with the
-- caller's claims. The same policies decide whose conversation it may write to, and it alone may add to the totals in the
-- statement that adds the turns.
--
-- Roles are shared by all databases of a cluster, so two migrations may meet here.
do $$
declare
  wanted text;
begin
  foreach wanted in array array['anon', 'authenticated', 'service_role', 'vox_writer', 'authenticator'] loop
    if not exists (select from pg_catalog.pg_roles where rolname = wanted) then
      begin
        if wanted = 'authenticator' then
          -- No password: nobody can log in as it until the operator sets one.
          create role authenticator login noinherit;
        else
          execute pg_catalog.format('create role %I nologin noinherit', wanted);
        end if;
      exception when duplicate_object or unique_violation then
        null;
      end;
    end if;
  end loop;

  foreach wanted in array array['anon', 'authenticated', 'service_role', 'vox_writer'] loop
    begin
      -- The migrating role sets these roles per transaction, and the internal functions that it owns act as the service. Ask for
      -- what it may use, not whether it is a member: since PostgreSQL 16 a role's maker is a member that may only administer it.
      -- (A superuser may use every role.)
      if not pg_catalog.pg_has_role(current_user, wanted, 'usage') then
        execute pg_catalog.format('grant %I to current_user', wanted);
      end if;
      if not exists (
        select from pg_catalog.pg_auth_members m
        where m.roleid = wanted::regrole and m.member = 'authenticator'::regrole
      ) then
        execute pg_catalog.format('grant %I to authenticator', wanted);
      end if;
    exception when unique_violation then
      null;
    end;
  end loop;
end
$$;

grant usage on schema vox to authenticated, service_role, vox_writer;
-- Trigger and policy functions live here; each is granted by name to those who need it.
grant usage on schema vox_private to authenticated, service_role, vox_writer;

-- auth.uid(), auth.role(), auth.jwt(): who the request's claims say is asking. Without a SET clause, so that the planner takes
-- them apart and a policy costs a comparison; everything in them is schema-qualified instead.
do $$
begin
  if pg_catalog.to_regnamespace('auth') is null then
    create schema auth;
    comment on schema auth is 'The identity of the present request, as its claims state it.';
  end if;

  if pg_catalog.to_regprocedure('auth.jwt()') is null then
    create function auth.jwt() returns jsonb
    language sql stable parallel safe as
    $f$ select nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb $f$;
    comment on function auth.jwt() is 'All claims of the request, or null without one.';
    grant execute on function auth.jwt() to anon, authenticated, service_role, vox_writer;
  end if;

  if pg_catalog.to_regprocedure('auth.uid()') is null then
    create function auth.uid() returns uuid
    language sql stable parallel safe as
    $f$ select (nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $f$;
    comment on function auth.uid() is 'The user of the request (claim sub), or null without one.';
    grant execute on function auth.uid() to anon, authenticated, service_role, vox_writer;
  end if;

  if pg_catalog.to_regprocedure('auth.role()') is null then
    create function auth.role() returns text
    language sql stable parallel safe as
    $f$ select nullif(pg_catalog.current_setting('request.jwt.claims', true), '')::jsonb ->> 'role' $f$;
    comment on function auth.role() is 'The role that the request claims: anon, authenticated or service_role.';
    grant execute on function auth.role() to anon, authenticated, service_role, vox_writer;
  end if;

  -- A no-op on Supabase, where its owner granted this already.
  if pg_catalog.pg_has_role((select nspowner from pg_catalog.pg_namespace where nspname = 'auth'), 'usage') then
    grant usage on schema auth to anon, authenticated, service_role, vox_writer;
  end if;
end
$$;

-- UUIDv7 (RFC 9562): 48 bits of Unix milliseconds, then version, variant and 74 random bits. The server's own function
-- on PostgreSQL 18; before it, a random uuid whose first six bytes become the time and whose version nibble becomes 7
-- (4 = 0100 and 7 = 0111 differ in the two bits set here).
do $$
begin
  if pg_catalog.to_regprocedure('pg_catalog.uuidv7()') is not null then
    create function vox.uuid_v7() returns uuid
    language sql volatile parallel safe set search_path = '' as
    $f$ select pg_catalog.uuidv7() $f$;
  else
    create function vox.uuid_v7() returns uuid
    language sql volatile parallel safe set search_path = '' as
    $f$
      select pg_catalog.encode(
        pg_catalog.set_bit(
          pg_catalog.set_bit(
            pg_catalog.overlay(
              pg_catalog.uuid_send(pg_catalog.gen_random_uuid()),
              pg_catalog.substring(
                pg_catalog.int8send((extract(epoch from pg_catalog.clock_timestamp()) * 1000)::bigint), 3),
              1, 6),
            52, 1),
          53, 1),
        'hex')::uuid
    $f$;
  end if;
end
$$;
comment on function vox.uuid_v7() is 'A new id whose order is its time of making.';
grant execute on function vox.uuid_v7() to anon, authenticated, service_role, vox_writer;

create function vox.uuid_v7_floor(moment timestamptz) returns uuid
language sql immutable strict parallel safe set search_path = '' as
$$
  select (pg_catalog.lpad(pg_catalog.to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0')
    || '00000000000000000000')::uuid
$$;
comment on function vox.uuid_v7_floor(timestamptz) is
  'The lowest uuid of that moment: a range of times is the range of ids between two floors.';
grant execute on function vox.uuid_v7_floor(timestamptz) to authenticated, service_role;

create function vox_private.touch_updated_at() returns trigger
language plpgsql set search_path = '' as
$$
begin
  new.updated_at := pg_catalog.now();
  return new;
end
$$;
