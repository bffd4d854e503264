-- The library's writer says who is asking once, as vox.caller, and no longer as claims too: parsed for an admin only, they cost every append.

create function vox_private.writer_serves_admin() returns boolean
language sql stable parallel safe security definer set search_path = '' as
$$
  select exists (
    select from vox.users
    where id = case when pg_catalog.length(pg_catalog.current_setting('vox.caller', true)) = 36 then pg_catalog.current_setting('vox.caller', true)::uuid end
      and role = 'admin' and is_active and deleted_at is null
  )
$$;
revoke execute on function vox_private.writer_serves_admin() from public;
grant execute on function vox_private.writer_serves_admin() to vox_writer;
comment on function vox_private.writer_serves_admin() is 'Whether vox.caller, which is a user''s id or a role''s name, is an admin.';

alter policy conversations_append on vox.conversations using (
  current_setting('vox.caller', true) = any (array[user_id::text, 'service_role']) or vox_private.writer_serves_admin()
);
alter policy turns_find on vox.turns using (
  current_setting('vox.caller', true) = any (array[user_id::text, 'service_role']) or vox_private.writer_serves_admin()
);
