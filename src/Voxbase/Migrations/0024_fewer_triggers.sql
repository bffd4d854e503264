-- A trigger of conversations costs every append a little, also where it does not fire: it is copied for each statement and asked for each row.
-- What follows a change of owner becomes one trigger, and what follows a deletion another.

drop trigger conversations_cleanings_owner on vox.conversations;
drop trigger conversations_owner_changed on vox.conversations;
drop trigger conversations_provider_events_follow_owner on vox.conversations;
drop trigger conversations_recordings_owner on vox.conversations;
drop trigger conversations_turns_follow_owner on vox.conversations;
drop trigger conversations_usage_owner on vox.conversations;
drop trigger conversations_deleted on vox.conversations;
drop trigger conversations_provider_events_deleted on vox.conversations;
drop trigger conversations_turns_deleted on vox.conversations;
drop trigger conversations_usage_gone on vox.conversations;
drop function vox_private.cleanings_owner_changed();
drop function vox_private.provider_events_follow_owner();
drop function vox_private.recordings_owner_changed();
drop function vox_private.turns_follow_owner();
drop function vox_private.provider_events_go_with_conversation();
drop function vox_private.turns_go_with_conversation();
drop function vox_private.conversation_usage_moved();

-- The plans of statements over partitioned tables are made once, maybe while they are empty; they must use the indexes later.
create or replace function vox_private.conversation_owner_changed() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
begin
  -- Who gives a conversation away takes its rows along by their foreign keys; those of nobody have no key that holds them.
  if old.user_id is null then
    update vox.participants set owner_id = new.user_id where conversation_id = new.id and owner_id is null;
    update vox.function_calls set user_id = new.user_id where conversation_id = new.id and user_id is null;
    update vox.usage_events set user_id = new.user_id where conversation_id = new.id and user_id is null;
    update vox.charges set user_id = new.user_id where conversation_id = new.id and user_id is null;
    update vox.cleanings set user_id = new.user_id where conversation_id = new.id and user_id is null;
    update vox.cleaned_versions set user_id = new.user_id where conversation_id = new.id and user_id is null;
    update vox.key_terms set user_id = new.user_id where conversation_id = new.id and user_id is null;
    update vox.recordings set user_id = new.user_id where conversation_id = new.id and user_id is null;
  end if;
  -- These have no foreign key to their conversation.
  update vox.turns set user_id = new.user_id where conversation_id = new.id;
  update vox.provider_events set user_id = new.user_id where conversation_id = new.id;
  perform vox_private.fold_usage(array[new.id]);
  return null;
end
$$;
create trigger conversations_owner_changed after update of user_id on vox.conversations
for each row when (old.user_id is distinct from new.user_id) execute function vox_private.conversation_owner_changed();

create or replace function vox_private.conversation_deleted() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
begin
  -- Rows of nobody have no foreign key that takes them along.
  if old.user_id is null then
    delete from vox.function_calls where conversation_id = old.id;
    delete from vox.usage_events where conversation_id = old.id;
  end if;
  -- These have no foreign key to their conversation.
  delete from vox.turns where conversation_id = old.id;
  delete from vox.provider_events where conversation_id = old.id;
  perform vox_private.fold_usage(array[old.id]);
  return null;
end
$$;
create trigger conversations_deleted after delete on vox.conversations
for each row execute function vox_private.conversation_deleted();
