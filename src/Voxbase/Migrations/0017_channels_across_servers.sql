-- Channels across servers: what one server tells the others goes through the write-ahead log, which each of them reads for its feed. Nothing is stored. All of a
-- call is one transaction, so that one flush to disk tells it.
create function vox_private.channels_tell(messages bytea[]) returns void
language plpgsql volatile security definer set search_path = '' as
$$
declare
  message bytea;
begin
  foreach message in array messages loop
    perform pg_catalog.pg_logical_emit_message(true, 'voxbase.channels', message);
  end loop;
end
$$;
comment on function vox_private.channels_tell(bytea[]) is 'Tells what happened in this server''s channels to the other servers of the database.';
revoke execute on function vox_private.channels_tell(bytea[]) from public;
grant execute on function vox_private.channels_tell(bytea[]) to service_role;
