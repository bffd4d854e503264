-- The reference from a turn to its conversation and owner, without a key that looks it up row by row.
--
-- Every turn that comes updates its conversation in the same transaction: the library's own statement takes the owner from that
-- update, and for everybody else turns_added counts. So the row is there, is locked against deletion and names the owner, and the
-- lookup of a foreign key, a third of the cost of a batch, would ask what was just answered. What the key did besides is done here:
-- turns go with their conversation, and follow its owner. No caller may change a turn's conversation_id or user_id.

alter table vox.turns drop constraint turns_conversation_fkey;

create or replace function vox_private.turns_added() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
declare
  gap boolean;
  missing boolean;
begin
  with added as (
    select
      conversation_id,
      user_id,
      count(*) as turns,
      max(sequence_number) as last_sequence,
      coalesce(sum(input_tokens), 0) as input_tokens,
      coalesce(sum(output_tokens), 0) as output_tokens,
      coalesce(sum(cached_tokens), 0) as cached_tokens,
      coalesce(sum(processing_ms), 0) as processing_ms,
      coalesce(sum(end_to_end_ms), 0) as latency_ms,
      count(end_to_end_ms) as latency_count,
      count(*) filter (where confidence = 'HIGH') as high,
      count(*) filter (where confidence = 'MEDIUM') as medium,
      count(*) filter (where confidence = 'LOW') as low,
      count(*) filter (where interrupted) as interruptions
    from added_turns
    group by conversation_id, user_id
  ), counted as (
    update vox.conversations c set
      turn_count = c.turn_count + a.turns,
      last_sequence = greatest(c.last_sequence, a.last_sequence),
      input_tokens = c.input_tokens + a.input_tokens,
      output_tokens = c.output_tokens + a.output_tokens,
      cached_tokens = c.cached_tokens + a.cached_tokens,
      processing_ms = c.processing_ms + a.processing_ms,
      latency_ms = c.latency_ms + a.latency_ms,
      latency_count = c.latency_count + a.latency_count,
      confidence_high_count = c.confidence_high_count + a.high,
      confidence_medium_count = c.confidence_medium_count + a.medium,
      confidence_low_count = c.confidence_low_count + a.low,
      interruption_count = c.interruption_count + a.interruptions,
      usage_stale = true,
      updated_at = pg_catalog.now()
    from added a
    where c.id = a.conversation_id and c.user_id is not distinct from a.user_id
    returning c.turn_count <> c.last_sequence as gap
  )
  select bool_or(counted.gap), count(*) <> (select count(*) from added) into gap, missing from counted;
  if missing then
    raise exception 'a turn names a conversation that does not exist, or another owner than the conversation''s'
      using errcode = 'foreign_key_violation', constraint = 'turns_conversation_fkey', schema = 'vox', table = 'turns';
  end if;
  if gap then
    raise exception 'turns must be numbered from 1 without a gap'
      using errcode = 'check_violation', constraint = 'turns_sequence_gapless', schema = 'vox', table = 'turns',
        hint = 'Leave sequence_number out: the database gives the next one.';
  end if;
  return null;
end
$$;
comment on function vox_private.turns_added() is
  'Adds to the totals of each conversation, and with that proves that it exists and belongs to the turns'' user_id.';

create function vox_private.turns_follow_owner() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
begin
  update vox.turns set user_id = new.user_id where conversation_id = new.id;
  return null;
end
$$;
create trigger conversations_turns_follow_owner after update of user_id on vox.conversations
  for each row when (old.user_id is distinct from new.user_id) execute function vox_private.turns_follow_owner();

create function vox_private.turns_go_with_conversation() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
begin
  delete from vox.turns where conversation_id = old.id;
  return null;
end
$$;
create trigger conversations_turns_deleted after delete on vox.conversations
  for each row execute function vox_private.turns_go_with_conversation();

-- What these two did for the turns of nobody's conversations is done above.
create or replace function vox_private.conversation_owner_changed() returns trigger
language plpgsql security definer set search_path = '' as
$$
begin
  update vox.participants set owner_id = new.user_id where conversation_id = new.id and owner_id is null;
  update vox.function_calls set user_id = new.user_id where conversation_id = new.id and user_id is null;
  update vox.usage_events set user_id = new.user_id where conversation_id = new.id and user_id is null;
  update vox.provider_events set user_id = new.user_id where conversation_id = new.id and user_id is null;
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
  delete from vox.provider_events where conversation_id = old.id;
  return null;
end
$$;

revoke execute on function vox_private.turns_follow_owner() from public;
revoke execute on function vox_private.turns_go_with_conversation() from public;
