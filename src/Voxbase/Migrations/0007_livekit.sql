-- LiveKit: what it delivered and has not been read yet, the recordings it made, and rooms by their name.

-- A delivery is accepted by keeping it, and read afterwards: LiveKit is answered at once, and neither a crash nor a fault of the
-- reader loses it. What was read becomes evidence (provider_events) and leaves; what names a room without its sid stays, because
-- only the other events of that name tell which of its rooms is meant.
create table vox.livekit_inbox (
  id uuid not null default vox.uuid_v7(),
  event_key uuid not null,
  kind text not null,
  room_sid vox.provider_name,
  room_name vox.provider_name,
  payload bytea not null,
  received_at timestamptz not null default now(),
  conversation_id uuid,
  read_at timestamptz,
  attempts integer not null default 0,
  fault text,
  constraint livekit_inbox_pkey primary key (id),
  constraint livekit_inbox_event_key_key unique (event_key),
  constraint livekit_inbox_kind_known check (kind in ('event', 'agent')),
  constraint livekit_inbox_conversation_fkey foreign key (conversation_id) references vox.conversations (id) on delete cascade
);
create index livekit_inbox_waiting_idx on vox.livekit_inbox (id) where read_at is null;
create index livekit_inbox_room_name_idx on vox.livekit_inbox (room_name) where room_sid is null;
create index livekit_inbox_conversation_id_idx on vox.livekit_inbox (conversation_id) where conversation_id is not null;
comment on table vox.livekit_inbox is 'What LiveKit and its agents delivered: accepted, and waiting to be read. The service''s alone.';
comment on column vox.livekit_inbox.kind is 'event: of the room, by webhook or by asking. agent: what an agent uploaded.';
comment on column vox.livekit_inbox.event_key is 'Identifies the delivery, so that one sent again while it waits is kept once.';
comment on column vox.livekit_inbox.room_sid is 'Null where the delivery names its room by name alone, or none.';
comment on column vox.livekit_inbox.payload is 'An event as it came, without the secrets that LiveKit puts into some; of an upload the records that are kept, and the audio.';
comment on column vox.livekit_inbox.conversation_id is 'Of a delivery without sid: the conversation it was last taken to belong to.';
comment on column vox.livekit_inbox.read_at is 'Null while it waits. Kept afterwards: deliveries without sid, and what could not be read.';
comment on column vox.livekit_inbox.attempts is 'How often reading it failed.';
comment on column vox.livekit_inbox.fault is 'The code of the last failure.';

create table vox.recordings (
  conversation_id uuid not null,
  id uuid not null default vox.uuid_v7(),
  user_id uuid,
  source text not null,
  provider_id vox.provider_name,
  status text not null,
  location text,
  content_type text,
  size_bytes bigint,
  duration_ms bigint,
  started_at timestamptz,
  ended_at timestamptz,
  error_message text,
  audio bytea,
  details vox.json_object not null default '{}',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint recordings_pkey primary key (conversation_id, id),
  constraint recordings_conversation_id_fkey foreign key (conversation_id) references vox.conversations (id) on delete cascade,
  constraint recordings_owner_fkey foreign key (conversation_id, user_id)
    references vox.conversations (id, user_id) on update cascade on delete cascade,
  constraint recordings_source_known check (source in ('egress', 'agent')),
  constraint recordings_figures_not_negative check (size_bytes >= 0 and duration_ms >= 0)
);
-- Compressed audio does not get smaller, and is read whole.
alter table vox.recordings alter column audio set storage external;
comment on table vox.recordings is 'Recordings of a conversation: where they are, or the bytes themselves.';
comment on column vox.recordings.source is 'egress: LiveKit recorded the room. agent: the agent uploaded what it heard and said.';
comment on column vox.recordings.provider_id is 'The egress, or the agent''s job.';
comment on column vox.recordings.status is 'starting, active, ending, complete, failed, aborted, limit_reached; or what LiveKit calls it.';
comment on column vox.recordings.location is 'URL or path, as LiveKit tells it. Null while there is none, and where the bytes are in audio.';
comment on column vox.recordings.size_bytes is 'Null where LiveKit didn''t say.';
comment on column vox.recordings.audio is 'The bytes, of an agent''s upload.';

create function vox_private.recordings_owner_changed() returns trigger
language plpgsql security definer set search_path = '' as
$$
begin
  update vox.recordings set user_id = new.user_id where conversation_id = new.id and user_id is null;
  return null;
end
$$;
revoke execute on function vox_private.recordings_owner_changed() from public;

create trigger recordings_fill_user before insert on vox.recordings
  for each row when (new.user_id is null) execute function vox_private.fill_user_id();
create trigger recordings_touch before update on vox.recordings for each row execute function vox_private.touch_updated_at();
create trigger conversations_recordings_owner after update of user_id on vox.conversations
  for each row when (old.user_id is null and new.user_id is not null) execute function vox_private.recordings_owner_changed();

-- Of a room only its name is known until LiveKit has made it.
create index conversations_room_name_idx on vox.conversations (room_name) where room_name is not null;
create index conversations_livekit_open_idx on vox.conversations (id)
  where status in ('pending', 'active') and metadata ? 'livekit';

-- Events come in any order: the first to come may not be the one that says when the room was made.
grant update (started_at) on vox.conversations to service_role;

alter table vox.livekit_inbox enable row level security;
alter table vox.livekit_inbox force row level security;
grant select, insert, delete on vox.livekit_inbox to service_role;
grant update (conversation_id, read_at, attempts, fault) on vox.livekit_inbox to service_role;
create policy livekit_inbox_service on vox.livekit_inbox to service_role using (true) with check (true);

-- A recording is the owner's business, as the evidence is: other participants don't hear it.
alter table vox.recordings enable row level security;
alter table vox.recordings force row level security;
grant select on vox.recordings to authenticated;
grant select, delete on vox.recordings to service_role;
grant insert (conversation_id, id, source, provider_id, status, location, content_type, size_bytes, duration_ms, started_at, ended_at,
  error_message, audio, details) on vox.recordings to service_role;
grant update (status, location, content_type, size_bytes, duration_ms, started_at, ended_at, error_message, audio, details)
  on vox.recordings to service_role;
create policy recordings_service on vox.recordings to service_role using (true) with check (true);
create policy recordings_select on vox.recordings for select to authenticated
  using (user_id = (select auth.uid()) or (select vox_private.is_admin()));
