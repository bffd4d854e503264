-- Users and the audit log.

create type vox.user_role as enum ('user', 'admin');
create type vox.user_tier as enum ('free', 'pro', 'enterprise');

create table vox.users (
  id uuid not null default vox.uuid_v7(),
  email text,
  first_name text,
  last_name text,
  role vox.user_role not null default 'user',
  tier vox.user_tier not null default 'free',
  personality_traits text[] not null default '{}',
  settings jsonb not null default '{}',
  is_active boolean not null default true,
  last_login_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz,
  constraint users_pkey primary key (id),
  constraint users_email_shape check (email ~ '^[^@[:space:]]+@[^@[:space:]]+$' and length(email) <= 320),
  constraint users_settings_object check (jsonb_typeof(settings) = 'object')
);
-- Unique whatever the case; a deleted user's address stays taken until the hard delete, so that a restore cannot collide.
create unique index users_email_key on vox.users (lower(email));
comment on table vox.users is 'The people and programs that own conversations. The id is the token''s subject.';
comment on column vox.users.email is 'Null for users known only by their token.';
comment on column vox.users.role is 'admin sees everything; asked by policies at each query.';
comment on column vox.users.settings is 'Preferences, including audio tags. An object.';
comment on column vox.users.deleted_at is 'Soft delete: invisible to ordinary queries, restorable until the hard delete.';

create trigger users_touch before update on vox.users for each row execute function vox_private.touch_updated_at();

-- Asked once per query: policies write (select vox_private.is_admin()), which the planner evaluates a single time.
create function vox_private.is_admin() returns boolean
language sql stable security definer parallel safe set search_path = '' as
$$
  select exists (
    select from vox.users
    where id = auth.uid() and role = 'admin' and is_active and deleted_at is null
  )
$$;
revoke execute on function vox_private.is_admin() from public;
grant execute on function vox_private.is_admin() to authenticated, service_role, vox_writer;

alter table vox.users enable row level security;
alter table vox.users force row level security;
grant select on vox.users to authenticated;
grant update (first_name, last_name, personality_traits, settings) on vox.users to authenticated;
grant select, insert, update, delete on vox.users to service_role;

create policy users_service on vox.users to service_role using (true) with check (true);
create policy users_select on vox.users for select to authenticated
  using ((id = (select auth.uid()) and deleted_at is null) or (select vox_private.is_admin()));
create policy users_update on vox.users for update to authenticated
  using ((id = (select auth.uid()) and deleted_at is null) or (select vox_private.is_admin()))
  with check ((id = (select auth.uid()) and deleted_at is null) or (select vox_private.is_admin()));

-- A token's subject becomes a user at its first write. The address is the token's claim, dropped where another user has it.
create function vox_private.ensure_current_user() returns void
language plpgsql security definer set search_path = '' as
$$
declare
  subject uuid := auth.uid();
  claimed text := nullif(auth.jwt() ->> 'email', '');
begin
  if subject is null or exists (select from vox.users where id = subject) then
    return;
  end if;
  if claimed !~ '^[^@[:space:]]+@[^@[:space:]]+$' or length(claimed) > 320
    or exists (select from vox.users where lower(email) = lower(claimed)) then
    claimed := null;
  end if;
  insert into vox.users (id, email) values (subject, claimed) on conflict do nothing;
  if not found then
    insert into vox.users (id) values (subject) on conflict do nothing;
  end if;
end
$$;
revoke execute on function vox_private.ensure_current_user() from public;
grant execute on function vox_private.ensure_current_user() to authenticated, service_role;

create table vox.audit_log (
  id uuid not null default vox.uuid_v7(),
  actor_id uuid,
  actor_role text not null,
  action text not null,
  resource text,
  result text not null default 'success',
  ip_address inet,
  user_agent text,
  metadata jsonb not null default '{}',
  created_at timestamptz not null default now(),
  constraint audit_log_pkey primary key (id),
  constraint audit_log_result_known check (result in ('success', 'failure'))
);
create index audit_log_actor_id_idx on vox.audit_log (actor_id, id);
comment on table vox.audit_log is 'Who did what to which resource. Append-only for everybody: nobody is granted update or delete.';
comment on column vox.audit_log.actor_id is 'The user, or null for the service itself. No reference: the log outlives its actors.';
comment on column vox.audit_log.action is 'Subject and verb: user.login, document.upload, conversation.read.';
comment on column vox.audit_log.resource is 'What was acted on, as table/id.';

alter table vox.audit_log enable row level security;
alter table vox.audit_log force row level security;
grant select on vox.audit_log to authenticated;
grant select, insert on vox.audit_log to service_role;
create policy audit_log_service on vox.audit_log to service_role using (true) with check (true);
create policy audit_log_select on vox.audit_log for select to authenticated
  using (actor_id = (select auth.uid()) or (select vox_private.is_admin()));
