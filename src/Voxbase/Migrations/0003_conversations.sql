-- Conversations and what belongs to them.
--
-- Three rules carry the weight:
--   1. user_id stands on every row. Where the writer gives it, the composite foreign key (conversation_id, user_id) proves it;
--      where it doesn't, a trigger fills it. So a policy is a comparison with a column, never a join back to the conversation.
--   2. Totals are maintained per statement from transition tables: an append costs the same in a conversation of 100,000 turns.
--   3. Sequence numbers are gapless: turn_count is also the last number, and a statement that would break that fails.

create type vox.conversation_kind as enum ('realtime', 'call', 'clone', 'transcript', 'agent');
create type vox.conversation_status as enum ('pending', 'active', 'completed', 'failed');
create type vox.conversation_state as enum ('idle', 'listening', 'processing', 'speaking', 'interrupted', 'error');
create type vox.participant_type as enum ('user', 'agent', 'admin');
create type vox.turn_role as enum ('user', 'assistant', 'system', 'tool');
create type vox.cleaning_level as enum ('none', 'light', 'full');
create type vox.confidence as enum ('HIGH', 'MEDIUM', 'LOW');

-- Domains rather than checks of the table where a column stands for itself: a table's checks are parsed and asked at each statement,
-- also when it only adds to a total, and were a fifth of the cost of an append. A domain is asked where its column is written.
create domain vox.nonnegative as integer constraint nonnegative check (value >= 0);
create domain vox.json_object as jsonb constraint json_object check (jsonb_typeof(value) = 'object');
create domain vox.json_array as jsonb constraint json_array check (jsonb_typeof(value) = 'array');
create domain vox.provider_name as text constraint provider_name check (length(value) between 1 and 512);
comment on domain vox.nonnegative is 'Tokens, milliseconds, counts: from 0 up.';
comment on domain vox.provider_name is 'A name that a provider or client gives: 1 to 512 characters.';

create table vox.conversations (
  id uuid not null default vox.uuid_v7(),
  user_id uuid,
  kind vox.conversation_kind not null,
  session_id vox.provider_name,
  room_name text,
  name text,
  description text,
  status vox.conversation_status not null default 'pending',
  state vox.conversation_state not null default 'idle',
  end_reason text,
  started_at timestamptz not null default now(),
  connected_at timestamptz,
  ended_at timestamptz,
  duration_seconds integer,
  asr_provider text,
  asr_model text,
  llm_provider text,
  llm_model text,
  tts_provider text,
  tts_model text,
  ai_agent_used boolean not null default false,
  recording_file_id uuid,
  transcript_file_id uuid,
  turn_count integer not null default 0,
  last_sequence integer not null default 0,
  input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cached_tokens bigint not null default 0,
  cost_usd numeric(18,9) not null default 0,
  unpriced_count integer not null default 0,
  processing_ms bigint not null default 0,
  latency_ms bigint not null default 0,
  latency_count integer not null default 0,
  confidence_high_count integer not null default 0,
  confidence_medium_count integer not null default 0,
  confidence_low_count integer not null default 0,
  interruption_count integer not null default 0,
  function_call_count integer not null default 0,
  error_count integer not null default 0,
  summary text,
  metadata vox.json_object not null default '{}',
  preferences vox.json_object not null default '{}',
  session_state vox.json_object not null default '{}',
  archived_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint conversations_pkey primary key (id),
  constraint conversations_id_user_id_key unique (id, user_id),
  constraint conversations_session_id_key unique (session_id),
  constraint conversations_user_id_fkey foreign key (user_id) references vox.users (id)
) with (fillfactor = 70);  -- Totals change with every turn: room on the page keeps those updates off the indexes.
create index conversations_user_id_id_idx on vox.conversations (user_id, id desc);
-- A piece of a provider's log that doesn't name its session may still name this.
create index conversations_provider_conversation_idx on vox.conversations ((metadata ->> 'provider_conversation_id'))
  where metadata ? 'provider_conversation_id';
create index conversations_active_idx on vox.conversations (id desc) where status in ('pending', 'active');
comment on table vox.conversations is 'One model for realtime sessions, calls, clone sessions, uploaded transcripts and agent chats.';
comment on column vox.conversations.user_id is 'The owner; null for a call of nobody known, which only the service sees.';
comment on column vox.conversations.session_id is 'The provider''s name of it (OpenAI session, LiveKit room); starting twice with one name starts once.';
comment on column vox.conversations.duration_seconds is
  'Whole seconds from connected_at (else started_at) to ended_at. Kept by the triggers, which run when one of these moves: a generated column would be worked out at every turn appended.';
comment on column vox.conversations.turn_count is 'All turns ever appended, those moved to the archive included.';
comment on column vox.conversations.last_sequence is 'The last sequence number given; equals turn_count after every statement.';
comment on column vox.conversations.input_tokens is 'Of turns, and of usage events that belong to no turn.';
comment on column vox.conversations.cached_tokens is 'The part of input_tokens that the provider had cached.';
comment on column vox.conversations.cost_usd is 'Sum of the charges, US dollars.';
comment on column vox.conversations.unpriced_count is 'Charges that had no price when they were recorded; they are not in cost_usd.';
comment on column vox.conversations.latency_ms is 'Sum of turns'' end_to_end_ms; divide by latency_count for the mean.';

create table vox.participants (
  conversation_id uuid not null,
  id uuid not null default vox.uuid_v7(),
  owner_id uuid,
  user_id uuid,
  identity vox.provider_name not null,
  name text,
  type vox.participant_type not null default 'user',
  kind text not null default 'standard',
  joined_at timestamptz not null default now(),
  left_at timestamptz,
  duration_seconds integer generated always as (
    greatest(0, floor(extract(epoch from (left_at - joined_at))))::integer
  ) stored,
  is_muted boolean not null default false,
  disconnect_reason text,
  attributes vox.json_object not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint participants_pkey primary key (conversation_id, id),
  constraint participants_conversation_id_fkey foreign key (conversation_id)
    references vox.conversations (id) on delete cascade,
  constraint participants_owner_fkey foreign key (conversation_id, owner_id)
    references vox.conversations (id, user_id) on update cascade on delete cascade,
  constraint participants_user_id_fkey foreign key (user_id) references vox.users (id)
);
create index participants_user_id_idx on vox.participants (user_id, conversation_id) where user_id is not null;
comment on table vox.participants is 'Who was in a conversation. Joining again is another row.';
comment on column vox.participants.owner_id is 'The conversation''s user_id, maintained by the database.';
comment on column vox.participants.user_id is 'The participant''s own user; null for an anonymous caller or an agent.';

create table vox.turns (
  conversation_id uuid not null,
  sequence_number integer not null,
  id uuid not null default vox.uuid_v7(),
  user_id uuid,
  role vox.turn_role not null,
  speaker text,
  started_at timestamptz,
  ended_at timestamptz,
  raw_text text,
  cleaned_text text,
  heard_text text,
  interrupted boolean not null default false,
  status text not null default 'completed',
  language text,
  provider text,
  model text,
  response_id text,
  item_id text,
  input_tokens vox.nonnegative,
  output_tokens vox.nonnegative,
  cached_tokens vox.nonnegative,
  input_text_tokens vox.nonnegative,
  input_audio_tokens vox.nonnegative,
  input_image_tokens vox.nonnegative,
  cached_text_tokens vox.nonnegative,
  cached_audio_tokens vox.nonnegative,
  output_text_tokens vox.nonnegative,
  output_audio_tokens vox.nonnegative,
  asr_ms vox.nonnegative,
  end_of_utterance_ms vox.nonnegative,
  rag_ms vox.nonnegative,
  llm_first_token_ms vox.nonnegative,
  tts_first_byte_ms vox.nonnegative,
  end_to_end_ms vox.nonnegative,
  queue_ms vox.nonnegative,
  delivery_ms vox.nonnegative,
  audio_duration_ms vox.nonnegative,
  asr_cost_usd numeric(18,9) not null default 0,
  llm_cost_usd numeric(18,9) not null default 0,
  tts_cost_usd numeric(18,9) not null default 0,
  cost_usd numeric(18,9) generated always as (asr_cost_usd + llm_cost_usd + tts_cost_usd) stored,
  audio_file_id uuid,
  cleaning_level vox.cleaning_level,
  cleaning_applied boolean not null default false,
  confidence vox.confidence,
  corrections vox.json_array not null default '[]',
  context_detected text,
  transcription_error_detected boolean not null default false,
  business_domain text,
  conversation_flow text,
  cleaner_model text,
  cleaner_request_id text,
  processing_ms vox.nonnegative,
  sliding_window_size vox.nonnegative,
  context_turns_used vox.nonnegative,
  metadata vox.json_object not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint turns_pkey primary key (conversation_id, id),
  -- Deferrable: a transcript that belongs before turns already kept renumbers them in one statement.
  constraint turns_sequence_number_key unique (conversation_id, sequence_number) deferrable initially immediate,
  constraint turns_conversation_fkey foreign key (conversation_id, user_id)
    references vox.conversations (id, user_id) on update cascade on delete cascade,
  constraint turns_sequence_number_positive check (sequence_number > 0)
) partition by range (conversation_id);
comment on table vox.turns is 'One utterance each, numbered from 1 without a gap. Partitioned by month of the conversation''s id.';
comment on column vox.turns.raw_text is 'As the provider sent it, to the letter; null while a transcript is awaited.';
comment on column vox.turns.heard_text is 'What had been played when the speaker was interrupted; null where that is unknown or everything was heard.';
comment on column vox.turns.response_id is 'The provider''s response that made it.';
comment on column vox.turns.item_id is 'The provider''s item.';
comment on column vox.turns.cached_tokens is 'The part of input_tokens that the provider had cached.';
comment on column vox.turns.asr_ms is 'From the end of speech to its transcript.';
comment on column vox.turns.end_of_utterance_ms is 'From the end of speech to the decision that it had ended.';
comment on column vox.turns.llm_first_token_ms is 'From the request to the first token.';
comment on column vox.turns.tts_first_byte_ms is 'From the first token to the first audio.';
comment on column vox.turns.end_to_end_ms is 'From the end of the user''s speech to the first audio of the answer.';
comment on column vox.turns.queue_ms is 'Waiting before the cleaner took it.';
comment on column vox.turns.delivery_ms is 'From commit to the subscriber.';
comment on column vox.turns.processing_ms is 'The cleaner''s own time.';

create table vox.function_calls (
  conversation_id uuid not null,
  id uuid not null default vox.uuid_v7(),
  user_id uuid,
  turn_id uuid,
  call_id text not null,
  name text,
  arguments jsonb,
  result jsonb,
  status text not null default 'in_progress',
  error_message text,
  execution_ms vox.nonnegative,
  started_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint function_calls_pkey primary key (conversation_id, id),
  constraint function_calls_call_id_key unique (conversation_id, call_id),
  constraint function_calls_conversation_fkey foreign key (conversation_id, user_id)
    references vox.conversations (id, user_id) on update cascade on delete cascade,
  constraint function_calls_status_known check (status in ('in_progress', 'completed', 'failed', 'cancelled'))
);
create index function_calls_user_id_idx on vox.function_calls (user_id, id desc);
comment on table vox.function_calls is 'The audit of every tool an agent called.';
comment on column vox.function_calls.turn_id is 'The turn it was called in, where the provider told.';
comment on column vox.function_calls.call_id is 'The provider''s id of the call; unique in its conversation.';
comment on column vox.function_calls.name is 'Null where only the result was seen.';
comment on column vox.function_calls.arguments is 'As JSON; a JSON string where the model sent something that is not JSON.';

create table vox.usage_events (
  conversation_id uuid not null,
  id uuid not null default vox.uuid_v7(),
  user_id uuid,
  event_type text not null,
  turn_id uuid,
  response_id text,
  model text,
  latency_ms vox.nonnegative,
  audio_duration_ms vox.nonnegative,
  input_tokens vox.nonnegative,
  output_tokens vox.nonnegative,
  cached_tokens vox.nonnegative,
  at timestamptz not null default now(),
  details vox.json_object not null default '{}',
  created_at timestamptz not null default now(),
  constraint usage_events_pkey primary key (conversation_id, id),
  constraint usage_events_conversation_fkey foreign key (conversation_id, user_id)
    references vox.conversations (id, user_id) on update cascade on delete cascade,
  constraint usage_events_event_type_length check (length(event_type) between 1 and 64)
) partition by range (conversation_id);
comment on table vox.usage_events is 'What happened and what it used: session_start, response, transcription, error, rate_limits…';
comment on column vox.usage_events.turn_id is 'Tokens of an event with a turn are counted on the turn, those of one without on the conversation.';

create table vox.provider_events (
  conversation_id uuid not null,
  ordinal integer not null,
  event_key uuid not null,
  user_id uuid,
  provider text not null,
  direction text not null,
  event_type text not null,
  event_id text,
  received_at timestamptz not null default now(),
  logged_at timestamptz,
  offset_ms integer,
  payload text not null,
  constraint provider_events_pkey primary key (conversation_id, ordinal),
  constraint provider_events_event_key_key unique (conversation_id, event_key),
  constraint provider_events_conversation_fkey foreign key (conversation_id, user_id)
    references vox.conversations (id, user_id) on update cascade on delete cascade,
  constraint provider_events_ordinal_positive check (ordinal > 0)
) partition by range (conversation_id);
comment on table vox.provider_events is 'The evidence: every raw event in order. All else of a captured conversation can be rebuilt from it.';
comment on column vox.provider_events.event_key is 'Identifies the event itself, so that a log replayed twice, or in pieces, is kept once.';
comment on column vox.provider_events.received_at is 'When it came here.';
comment on column vox.provider_events.logged_at is 'The time of day on the clock of the log; null where the log has none.';
comment on column vox.provider_events.offset_ms is 'Milliseconds on the clock of the log; null where the log has none.';
comment on column vox.provider_events.payload is 'The event to the letter. Text, because jsonb refuses some of what providers send (\u0000, lone surrogates).';

-- 1. user_id on children ------------------------------------------------------------------------------------------------

create function vox_private.fill_user_id() returns trigger
language plpgsql security definer set search_path = '' as
$$
begin
  select c.user_id into new.user_id from vox.conversations c where c.id = new.conversation_id;
  if not found then
    raise exception 'conversation % does not exist', new.conversation_id
      using errcode = 'foreign_key_violation', constraint = tg_table_name || '_conversation_fkey',
        schema = tg_table_schema, table = tg_table_name;
  end if;
  return new;
end
$$;
comment on function vox_private.fill_user_id() is
  'The owner, where the writer didn''t say. It also proves that the conversation exists, which the composite key cannot with a null.';

create function vox_private.fill_owner_id() returns trigger
language plpgsql security definer set search_path = '' as
$$
begin
  select c.user_id into new.owner_id from vox.conversations c where c.id = new.conversation_id;
  return new;
end
$$;

create trigger participants_fill_owner before insert on vox.participants
  for each row execute function vox_private.fill_owner_id();
create trigger function_calls_fill_user before insert on vox.function_calls
  for each row when (new.user_id is null) execute function vox_private.fill_user_id();
create trigger usage_events_fill_user before insert on vox.usage_events
  for each row when (new.user_id is null) execute function vox_private.fill_user_id();
create trigger provider_events_fill_user before insert on vox.provider_events
  for each row when (new.user_id is null) execute function vox_private.fill_user_id();

-- A composite key with a null is not checked, so neither does it cascade: conversations of nobody are followed by hand.
create function vox_private.conversation_owner_changed() returns trigger
language plpgsql security definer set search_path = '' as
$$
begin
  update vox.participants set owner_id = new.user_id where conversation_id = new.id and owner_id is null;
  update vox.turns set user_id = new.user_id where conversation_id = new.id and user_id is null;
  update vox.function_calls set user_id = new.user_id where conversation_id = new.id and user_id is null;
  update vox.usage_events set user_id = new.user_id where conversation_id = new.id and user_id is null;
  update vox.provider_events set user_id = new.user_id where conversation_id = new.id and user_id is null;
  return null;
end
$$;
create trigger conversations_owner_changed after update of user_id on vox.conversations
  for each row when (old.user_id is null and new.user_id is not null)
  execute function vox_private.conversation_owner_changed();

create function vox_private.conversation_deleted() returns trigger
language plpgsql security definer set search_path = '' as
$$
begin
  delete from vox.turns where conversation_id = old.id;
  delete from vox.function_calls where conversation_id = old.id;
  delete from vox.usage_events where conversation_id = old.id;
  delete from vox.provider_events where conversation_id = old.id;
  return null;
end
$$;
create trigger conversations_deleted after delete on vox.conversations
  for each row when (old.user_id is null) execute function vox_private.conversation_deleted();

-- 2. Conversations: defaults, and the only moves there are -----------------------------------------------------------------

create function vox_private.seconds_between(since timestamptz, until timestamptz) returns integer
language sql immutable strict parallel safe set search_path = '' as
$$
  select greatest(0, floor(extract(epoch from (until - since))))::integer
$$;

-- A check of the table would be asked whenever a turn adds to a total, and neither column can move without the triggers.
create function vox_private.require_end(status vox.conversation_status, ended_at timestamptz) returns void
language plpgsql immutable set search_path = '' as
$$
begin
  if (status in ('completed', 'failed')) <> (ended_at is not null) then
    raise exception 'ended_at belongs to a conversation that is completed or failed, and to no other'
      using errcode = 'check_violation', constraint = 'conversations_ended_when_over', schema = 'vox', table = 'conversations';
  end if;
end
$$;

-- Updates run their trigger as who updates.
grant execute on function vox_private.seconds_between(timestamptz, timestamptz) to authenticated, service_role;
grant execute on function vox_private.require_end(vox.conversation_status, timestamptz) to authenticated, service_role;

create function vox_private.conversation_starting() returns trigger
language plpgsql security definer set search_path = '' as
$$
begin
  if new.user_id is null and auth.role() = 'authenticated' then
    new.user_id := auth.uid();
  end if;
  if new.user_id = auth.uid() then
    perform vox_private.ensure_current_user();
  end if;
  if new.status <> 'pending' and new.connected_at is null then
    new.connected_at := new.started_at;
  end if;
  if new.status in ('completed', 'failed') and new.ended_at is null then
    new.ended_at := pg_catalog.now();
  end if;
  perform vox_private.require_end(new.status, new.ended_at);
  new.duration_seconds := vox_private.seconds_between(coalesce(new.connected_at, new.started_at), new.ended_at);
  return new;
end
$$;
create trigger conversations_starting before insert on vox.conversations
  for each row execute function vox_private.conversation_starting();

create function vox_private.conversation_moving() returns trigger
language plpgsql set search_path = '' as
$$
begin
  if new.status <> old.status and not (
    (old.status = 'pending' and new.status in ('active', 'failed'))
    or (old.status = 'active' and new.status in ('completed', 'failed'))
  ) then
    raise exception 'status cannot move from % to %', old.status, new.status
      using errcode = 'check_violation', constraint = 'conversations_status_moves', schema = 'vox', table = 'conversations',
        hint = 'pending moves to active or failed, active to completed or failed; nothing moves on from those.';
  end if;
  if new.state <> old.state and not (
    new.state = 'error'
    or (old.state = 'idle' and new.state = 'listening')
    or (old.state = 'listening' and new.state = 'processing')
    or (old.state = 'processing' and new.state = 'speaking')
    or (old.state = 'speaking' and new.state in ('idle', 'interrupted'))
    or (old.state = 'interrupted' and new.state in ('listening', 'idle'))
    or (old.state = 'error' and new.state = 'idle')
  ) then
    raise exception 'state cannot move from % to %', old.state, new.state
      using errcode = 'check_violation', constraint = 'conversations_state_moves', schema = 'vox', table = 'conversations',
        hint = 'idle, listening, processing, speaking, then idle or interrupted; interrupted to listening or idle; error from anywhere and back to idle.';
  end if;
  if new.status <> old.status and new.status = 'active' then
    new.connected_at := coalesce(new.connected_at, pg_catalog.now());
  end if;
  if new.status <> old.status and new.status in ('completed', 'failed') then
    new.ended_at := coalesce(new.ended_at, pg_catalog.now());
  end if;
  perform vox_private.require_end(new.status, new.ended_at);
  new.duration_seconds := vox_private.seconds_between(coalesce(new.connected_at, new.started_at), new.ended_at);
  new.updated_at := pg_catalog.now();
  return new;
end
$$;
-- Named columns: maintaining totals is not a move and skips it.
create trigger conversations_moving before update of
    status, state, user_id, kind, session_id, room_name, name, description, end_reason, connected_at, ended_at,
    asr_provider, asr_model, llm_provider, llm_model, tts_provider, tts_model, ai_agent_used, recording_file_id,
    transcript_file_id, summary, metadata, preferences, session_state, archived_at
  on vox.conversations for each row execute function vox_private.conversation_moving();

create trigger participants_touch before update on vox.participants for each row execute function vox_private.touch_updated_at();
create trigger function_calls_touch before update on vox.function_calls
  for each row execute function vox_private.touch_updated_at();
create trigger turns_touch before update on vox.turns for each row execute function vox_private.touch_updated_at();

-- 3. Sequence numbers and totals -------------------------------------------------------------------------------------------

create function vox_private.number_turn() returns trigger
language plpgsql security definer set search_path = '' as
$$
declare
  owner uuid;
  next integer;
begin
  if new.sequence_number is null then
    update vox.conversations c set last_sequence = c.last_sequence + 1
    where c.id = new.conversation_id
    returning c.user_id, c.last_sequence into owner, next;
    new.sequence_number := next;
  else
    select c.user_id into owner from vox.conversations c where c.id = new.conversation_id;
  end if;
  if not found then
    raise exception 'conversation % does not exist', new.conversation_id
      using errcode = 'foreign_key_violation', constraint = 'turns_conversation_fkey', schema = 'vox', table = 'turns';
  end if;
  new.user_id := coalesce(new.user_id, owner);
  return new;
end
$$;
comment on function vox_private.number_turn() is
  'Owner and number for a turn that comes without; the library gives both and never pays for this.';
create trigger turns_number before insert on vox.turns
  for each row when (new.sequence_number is null or new.user_id is null) execute function vox_private.number_turn();

-- The plans of the three functions below are made once per connection, often when the tables are still empty. Index scans
-- forced: a plan made on ten rows must not read a million.
create function vox_private.turns_added() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
declare
  gap boolean;
begin
  with added as (
    select
      conversation_id,
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
    group by conversation_id
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
      updated_at = pg_catalog.now()
    from added a
    where c.id = a.conversation_id
    returning c.turn_count <> c.last_sequence as gap
  )
  select bool_or(counted.gap) into gap from counted;
  if gap then
    raise exception 'turns must be numbered from 1 without a gap'
      using errcode = 'check_violation', constraint = 'turns_sequence_gapless', schema = 'vox', table = 'turns',
        hint = 'Leave sequence_number out: the database gives the next one.';
  end if;
  return null;
end
$$;
-- Not for the library's own statement, which adds to the totals itself: one update of the conversation instead of a lock and an
-- update. No caller can take the role vox_writer, so nobody else can skip this.
create trigger turns_added after insert on vox.turns
  referencing new table as added_turns
  for each statement when (current_setting('role') <> 'vox_writer') execute function vox_private.turns_added();

create function vox_private.turns_changed() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
begin
  with change as (
    select
      conversation_id,
      sum(sign * coalesce(input_tokens, 0)) as input_tokens,
      sum(sign * coalesce(output_tokens, 0)) as output_tokens,
      sum(sign * coalesce(cached_tokens, 0)) as cached_tokens,
      sum(sign * coalesce(processing_ms, 0)) as processing_ms,
      sum(sign * coalesce(end_to_end_ms, 0)) as latency_ms,
      sum(sign * (end_to_end_ms is not null)::integer) as latency_count,
      sum(sign * coalesce((confidence = 'HIGH')::integer, 0)) as high,
      sum(sign * coalesce((confidence = 'MEDIUM')::integer, 0)) as medium,
      sum(sign * coalesce((confidence = 'LOW')::integer, 0)) as low,
      sum(sign * interrupted::integer) as interruptions,
      max(sequence_number) filter (where sign = 1) as last_sequence
    from (
      select 1 as sign, conversation_id, sequence_number, input_tokens, output_tokens, cached_tokens, processing_ms, end_to_end_ms, confidence,
        interrupted
      from turns_after
      union all
      select -1, conversation_id, sequence_number, input_tokens, output_tokens, cached_tokens, processing_ms, end_to_end_ms,
        confidence, interrupted
      from turns_before
    ) both_sides
    group by conversation_id
  )
  update vox.conversations c set
    input_tokens = c.input_tokens + d.input_tokens,
    output_tokens = c.output_tokens + d.output_tokens,
    cached_tokens = c.cached_tokens + d.cached_tokens,
    processing_ms = c.processing_ms + d.processing_ms,
    latency_ms = c.latency_ms + d.latency_ms,
    latency_count = c.latency_count + d.latency_count,
    confidence_high_count = c.confidence_high_count + d.high,
    confidence_medium_count = c.confidence_medium_count + d.medium,
    confidence_low_count = c.confidence_low_count + d.low,
    interruption_count = c.interruption_count + d.interruptions,
    -- A turn put before others moves them on; of an upsert this runs first, and what it added is counted next.
    last_sequence = greatest(c.last_sequence, d.last_sequence),
    updated_at = pg_catalog.now()
  from change d
  where c.id = d.conversation_id
    and (d.last_sequence > c.last_sequence or (d.input_tokens, d.output_tokens, d.cached_tokens, d.processing_ms, d.latency_ms, d.latency_count, d.high, d.medium,
      d.low, d.interruptions) <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  return null;
end
$$;
create trigger turns_changed after update on vox.turns
  referencing old table as turns_before new table as turns_after
  for each statement execute function vox_private.turns_changed();

create function vox_private.function_calls_added() returns trigger
language plpgsql security definer set search_path = '' as
$$
begin
  update vox.conversations c set
    function_call_count = c.function_call_count + a.calls,
    updated_at = pg_catalog.now()
  from (select conversation_id, count(*) as calls from added_calls group by conversation_id) a
  where c.id = a.conversation_id;
  return null;
end
$$;
create trigger function_calls_added after insert on vox.function_calls
  referencing new table as added_calls
  for each statement execute function vox_private.function_calls_added();

create function vox_private.usage_events_added() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
begin
  update vox.conversations c set
    input_tokens = c.input_tokens + a.input_tokens,
    output_tokens = c.output_tokens + a.output_tokens,
    cached_tokens = c.cached_tokens + a.cached_tokens,
    error_count = c.error_count + a.errors,
    updated_at = pg_catalog.now()
  from (
    select
      conversation_id,
      coalesce(sum(input_tokens) filter (where turn_id is null), 0) as input_tokens,
      coalesce(sum(output_tokens) filter (where turn_id is null), 0) as output_tokens,
      coalesce(sum(cached_tokens) filter (where turn_id is null), 0) as cached_tokens,
      count(*) filter (where event_type = 'error') as errors
    from added_events
    group by conversation_id
  ) a
  where c.id = a.conversation_id and (a.input_tokens, a.output_tokens, a.cached_tokens, a.errors) <> (0, 0, 0, 0);
  return null;
end
$$;
create trigger usage_events_added after insert on vox.usage_events
  referencing new table as added_events
  for each statement execute function vox_private.usage_events_added();

create function vox_private.usage_events_changed() returns trigger
language plpgsql security definer set search_path = '' set enable_seqscan = off as
$$
begin
  update vox.conversations c set
    input_tokens = c.input_tokens + d.input_tokens,
    output_tokens = c.output_tokens + d.output_tokens,
    cached_tokens = c.cached_tokens + d.cached_tokens,
    updated_at = pg_catalog.now()
  from (
    select
      conversation_id,
      sum(sign * coalesce(input_tokens, 0)) as input_tokens,
      sum(sign * coalesce(output_tokens, 0)) as output_tokens,
      sum(sign * coalesce(cached_tokens, 0)) as cached_tokens
    from (
      select 1 as sign, conversation_id, turn_id, input_tokens, output_tokens, cached_tokens from events_after
      union all
      select -1, conversation_id, turn_id, input_tokens, output_tokens, cached_tokens from events_before
    ) both_sides
    where turn_id is null
    group by conversation_id
  ) d
  where c.id = d.conversation_id and (d.input_tokens, d.output_tokens, d.cached_tokens) <> (0, 0, 0);
  return null;
end
$$;
create trigger usage_events_changed after update on vox.usage_events
  referencing old table as events_before new table as events_after
  for each statement execute function vox_private.usage_events_changed();

-- 4. Partitions --------------------------------------------------------------------------------------------------------------

-- Takes in the rows that came before their month's partition did. A retry after a crash finds either all or nothing done.
create function vox_private.ensure_month(month date) returns integer
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
    made := made + 1;
  end loop;
  return made;
end
$$;
revoke execute on function vox_private.ensure_month(date) from public;
grant execute on function vox_private.ensure_month(date) to service_role;
comment on function vox_private.ensure_month(date) is
  'Makes that month''s partition of every partitioned table where it is absent; returns how many it made.';

create table vox.turns_default partition of vox.turns default;
create table vox.usage_events_default partition of vox.usage_events default;
create table vox.provider_events_default partition of vox.provider_events default;

-- No index by user on the partitioned tables: their rows are found by conversation, and one more index is a twentieth of an append.

-- 5. Who may do what -----------------------------------------------------------------------------------------------------------
--
-- anon: nothing is granted. authenticated: own rows, and the rows of conversations one took part in; an admin all.
-- service_role: everything but what nobody may do. Money (cost_usd), totals, owners and numbers are granted to nobody but the
-- database itself; turns are never deleted one by one, because that would leave a gap.

alter table vox.conversations enable row level security;
alter table vox.conversations force row level security;
alter table vox.participants enable row level security;
alter table vox.participants force row level security;
alter table vox.turns enable row level security;
alter table vox.turns force row level security;
alter table vox.turns_default enable row level security;
alter table vox.turns_default force row level security;
alter table vox.function_calls enable row level security;
alter table vox.function_calls force row level security;
alter table vox.usage_events enable row level security;
alter table vox.usage_events force row level security;
alter table vox.usage_events_default enable row level security;
alter table vox.usage_events_default force row level security;
alter table vox.provider_events enable row level security;
alter table vox.provider_events force row level security;
alter table vox.provider_events_default enable row level security;
alter table vox.provider_events_default force row level security;

-- Other participants of a conversation are seen by those in it; asked through a function, because a policy on participants that
-- reads participants would ask itself.
create function vox_private.took_part(conversation uuid) returns boolean
language sql stable security definer parallel safe set search_path = '' as
$$
  select exists (
    select from vox.participants where conversation_id = conversation and user_id = auth.uid()
  )
$$;
revoke execute on function vox_private.took_part(uuid) from public;
grant execute on function vox_private.took_part(uuid) to authenticated, service_role;

-- Who reads somebody else's conversation by virtue of being an admin or the service leaves a row. In the reading transaction: no
-- row, no read.
create function vox_private.audit_read(conversation uuid) returns void
language sql volatile security definer set search_path = '' as
$$
  insert into vox.audit_log (actor_id, actor_role, action, resource)
  select auth.uid(), auth.role(), 'conversation.read', 'conversations/' || c.id
  from vox.conversations c
  where c.id = conversation
    and c.user_id is distinct from auth.uid()
    and (auth.role() = 'service_role' or vox_private.is_admin())
$$;
revoke execute on function vox_private.audit_read(uuid) from public;
grant execute on function vox_private.audit_read(uuid) to authenticated, service_role;

grant select, delete on vox.conversations to authenticated, service_role;
grant insert (id, user_id, kind, session_id, room_name, name, description, status, state, end_reason, started_at, connected_at,
    ended_at, asr_provider, asr_model, llm_provider, llm_model, tts_provider, tts_model, ai_agent_used, recording_file_id,
    transcript_file_id, summary, metadata, preferences, session_state, archived_at)
  on vox.conversations to authenticated, service_role;
grant update (room_name, name, description, status, state, end_reason, connected_at, ended_at, asr_provider, asr_model,
    llm_provider, llm_model, tts_provider, tts_model, ai_agent_used, recording_file_id, transcript_file_id, summary, metadata,
    preferences, session_state, archived_at)
  on vox.conversations to authenticated, service_role;
grant update (user_id, session_id, kind) on vox.conversations to service_role;

create policy conversations_service on vox.conversations to service_role using (true) with check (true);
create policy conversations_select on vox.conversations for select to authenticated
  using (
    user_id = (select auth.uid())
    or (select vox_private.is_admin())
    or exists (select from vox.participants p where p.conversation_id = conversations.id and p.user_id = (select auth.uid()))
  );
-- Whose turns the library may append: the same as an update's.
grant select (id, user_id, turn_count, last_sequence, input_tokens, output_tokens, cached_tokens, processing_ms, latency_ms,
    latency_count, confidence_high_count, confidence_medium_count, confidence_low_count, interruption_count)
  on vox.conversations to vox_writer;
grant update (turn_count, last_sequence, input_tokens, output_tokens, cached_tokens, processing_ms, latency_ms, latency_count,
    confidence_high_count, confidence_medium_count, confidence_low_count, interruption_count, updated_at)
  on vox.conversations to vox_writer;
-- The one gate of an append is its update of the conversation. Asked again for the rows it returns and inserts, which come from
-- there, it would cost a tenth of the append and decide the same.
-- It asks the setting that the library makes of the claims, the cheapest form: only the library can be vox_writer.
create policy conversations_append on vox.conversations for update to vox_writer
  using (
    (select current_setting('vox.caller', true)) = any (array[user_id::text, 'service_role'])
    or (select vox_private.is_admin())
  )
  with check (true);
create policy conversations_find on vox.conversations for select to vox_writer using (true);
create policy conversations_insert on vox.conversations for insert to authenticated
  with check (user_id = (select auth.uid()) or (select vox_private.is_admin()));
create policy conversations_update on vox.conversations for update to authenticated
  using (user_id = (select auth.uid()) or (select vox_private.is_admin()))
  with check (user_id = (select auth.uid()) or (select vox_private.is_admin()));
create policy conversations_delete on vox.conversations for delete to authenticated
  using ((select vox_private.is_admin()));

grant select on vox.participants to authenticated, service_role;
grant insert (conversation_id, id, user_id, identity, name, type, kind, joined_at, left_at, is_muted, disconnect_reason, attributes)
  on vox.participants to authenticated, service_role;
grant update (name, left_at, is_muted, disconnect_reason, attributes) on vox.participants to authenticated, service_role;
grant update (user_id, type, kind, joined_at) on vox.participants to service_role;
grant delete on vox.participants to service_role;

create policy participants_service on vox.participants to service_role using (true) with check (true);
create policy participants_select on vox.participants for select to authenticated
  using (
    user_id = (select auth.uid())
    or owner_id = (select auth.uid())
    or (select vox_private.is_admin())
    or vox_private.took_part(conversation_id)
  );
create policy participants_insert on vox.participants for insert to authenticated
  with check (owner_id = (select auth.uid()) or (select vox_private.is_admin()));
create policy participants_update on vox.participants for update to authenticated
  using (owner_id = (select auth.uid()) or (select vox_private.is_admin()))
  with check (owner_id = (select auth.uid()) or (select vox_private.is_admin()));

grant select on vox.turns to authenticated, service_role;
grant insert (conversation_id, sequence_number, id, user_id, role, speaker, started_at, ended_at, raw_text, cleaned_text, heard_text,
    interrupted, status, language, provider, model, response_id, item_id, input_tokens, output_tokens, cached_tokens,
    input_text_tokens, input_audio_tokens, input_image_tokens, cached_text_tokens, cached_audio_tokens, output_text_tokens,
    output_audio_tokens, asr_ms, end_of_utterance_ms, rag_ms, llm_first_token_ms, tts_first_byte_ms, end_to_end_ms, queue_ms,
    delivery_ms, audio_duration_ms, audio_file_id, cleaning_level, cleaning_applied, confidence, corrections, context_detected,
    transcription_error_detected, business_domain, conversation_flow, cleaner_model, cleaner_request_id, processing_ms,
    sliding_window_size, context_turns_used, metadata)
  on vox.turns to authenticated, service_role;
grant update (role, speaker, started_at, ended_at, raw_text, cleaned_text, heard_text, interrupted, status, language, provider, model,
    response_id, item_id, input_tokens, output_tokens, cached_tokens, input_text_tokens, input_audio_tokens, input_image_tokens,
    cached_text_tokens, cached_audio_tokens, output_text_tokens, output_audio_tokens, asr_ms, end_of_utterance_ms, rag_ms,
    llm_first_token_ms, tts_first_byte_ms, end_to_end_ms, queue_ms, delivery_ms, audio_duration_ms, audio_file_id, cleaning_level,
    cleaning_applied, confidence, corrections, context_detected, transcription_error_detected, business_domain, conversation_flow,
    cleaner_model, cleaner_request_id, processing_ms, sliding_window_size, context_turns_used, metadata)
  on vox.turns to authenticated, service_role;
grant update (sequence_number) on vox.turns to service_role;

create policy turns_service on vox.turns to service_role using (true) with check (true);
create policy turns_select on vox.turns for select to authenticated
  using (
    user_id = (select auth.uid())
    or (select vox_private.is_admin())
    or exists (select from vox.participants p where p.conversation_id = turns.conversation_id and p.user_id = (select auth.uid()))
  );
grant select (conversation_id, id, sequence_number, user_id) on vox.turns to vox_writer;
grant insert on vox.turns to vox_writer;
create policy turns_append on vox.turns for insert to vox_writer with check (true);
create policy turns_find on vox.turns for select to vox_writer
  using (
    (select current_setting('vox.caller', true)) = any (array[user_id::text, 'service_role'])
    or (select vox_private.is_admin())
  );
create policy turns_insert on vox.turns for insert to authenticated
  with check (user_id = (select auth.uid()) or (select vox_private.is_admin()));
create policy turns_update on vox.turns for update to authenticated
  using (user_id = (select auth.uid()) or (select vox_private.is_admin()))
  with check (user_id = (select auth.uid()) or (select vox_private.is_admin()));

grant select on vox.function_calls to authenticated, service_role;
grant insert (conversation_id, id, user_id, turn_id, call_id, name, arguments, result, status, error_message, execution_ms, started_at)
  on vox.function_calls to authenticated, service_role;
grant update (turn_id, name, arguments, result, status, error_message, execution_ms, started_at)
  on vox.function_calls to authenticated, service_role;

create policy function_calls_service on vox.function_calls to service_role using (true) with check (true);
create policy function_calls_select on vox.function_calls for select to authenticated
  using (
    user_id = (select auth.uid())
    or (select vox_private.is_admin())
    or exists (
      select from vox.participants p where p.conversation_id = function_calls.conversation_id and p.user_id = (select auth.uid()))
  );
create policy function_calls_insert on vox.function_calls for insert to authenticated
  with check (user_id = (select auth.uid()) or (select vox_private.is_admin()));
create policy function_calls_update on vox.function_calls for update to authenticated
  using (user_id = (select auth.uid()) or (select vox_private.is_admin()))
  with check (user_id = (select auth.uid()) or (select vox_private.is_admin()));

-- Usage is the owner's business, not the other participants'. Users append it; capture alone completes what it wrote.
grant select on vox.usage_events to authenticated, service_role;
grant insert (conversation_id, id, user_id, event_type, turn_id, response_id, model, latency_ms, audio_duration_ms, input_tokens,
    output_tokens, cached_tokens, at, details)
  on vox.usage_events to authenticated, service_role;

grant update (turn_id, response_id, model, latency_ms, audio_duration_ms, input_tokens, output_tokens, cached_tokens, at, details)
  on vox.usage_events to service_role;

create policy usage_events_service on vox.usage_events to service_role using (true) with check (true);
create policy usage_events_select on vox.usage_events for select to authenticated
  using (user_id = (select auth.uid()) or (select vox_private.is_admin()));
create policy usage_events_insert on vox.usage_events for insert to authenticated
  with check (user_id = (select auth.uid()) or (select vox_private.is_admin()));

-- Evidence is written by capture alone, and nobody changes it.
grant select on vox.provider_events to authenticated;
grant select, insert on vox.provider_events to service_role;

create policy provider_events_service on vox.provider_events to service_role using (true) with check (true);
create policy provider_events_select on vox.provider_events for select to authenticated
  using (user_id = (select auth.uid()) or (select vox_private.is_admin()));
