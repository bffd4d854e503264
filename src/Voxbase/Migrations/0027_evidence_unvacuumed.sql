-- Evidence is not vacuumed for being inserted. Such a vacuum, after every fifth more, reads what is new once more, marks its pages and writes each of them to the
-- log whole: a quarter of a core for minutes, while calls go on. Nothing needs the marks: events are found by their key, and read with their rows. Rows that are
-- updated or deleted are still vacuumed, and so is what grows old, before transaction ids come round.
-- Partitions that are made later take it from the default one.

do $$
declare
  part regclass;
begin
  for part in select inhrelid from pg_catalog.pg_inherits where inhparent = 'vox.provider_events'::regclass
  loop
    execute format('alter table %s set (autovacuum_vacuum_insert_threshold = -1)', part);
  end loop;
end
$$;
