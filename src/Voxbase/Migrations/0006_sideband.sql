-- Calls that run at the provider and are listened in on: a server that starts looks for those that nobody listens in on any more, and
-- attaching looks for the conversation of a call's id. Both find what is active now, however many conversations there were.

create index conversations_sideband_idx on vox.conversations ((metadata ->> 'sideband'))
  where status = 'active' and metadata ->> 'sideband' is not null;
