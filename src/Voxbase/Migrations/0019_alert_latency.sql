-- The latency of a window was read from all turns of the conversations of two hours more. Turns are stored in the order of their arrival, so
-- a block range index finds those of the window, whatever else there is, and an append keeps it for next to nothing.
create index turns_created_at_idx on vox.turns using brin (created_at) with (pages_per_range = 16, autosummarize = on);

-- As a function, because such an index is read by a bitmap, which the library's connections else go without.
create function vox_private.latency_p95(minutes integer, scope text)
returns table (subject text, user_id uuid, p95_ms numeric, turns integer)
language plpgsql stable set search_path = '' set enable_seqscan = off set enable_indexscan = off set enable_bitmapscan = on as
$$
begin
  return query
  select a.subject, case when scope = 'user' then min(a.user_id::text)::uuid end,
    percentile_disc(0.95) within group (order by a.end_to_end_ms)::numeric, count(*)::integer
  from (
    select t.user_id, t.end_to_end_ms,
      case scope
        when 'user' then 'user/' || t.user_id
        when 'model' then 'model/' || t.model
        else 'installation' end as subject
    from vox.turns t
    where t.created_at >= pg_catalog.now() - make_interval(mins => minutes) and t.end_to_end_ms is not null
  ) a
  where a.subject is not null
  group by a.subject;
end
$$;
comment on function vox_private.latency_p95(integer, text) is
  'The 95th percentile of the time to answer, of the turns that arrived in the last minutes, for the installation, each user or each model.';
revoke execute on function vox_private.latency_p95(integer, text) from public;
grant execute on function vox_private.latency_p95(integer, text) to service_role;

-- An id made by the database took a tenth of a millisecond: a function in SQL with settings of its own is read and planned at each call.
-- PL/pgSQL plans once for a session. Where PostgreSQL has a function of its own, that stays.
do $$
begin
  if pg_catalog.to_regprocedure('pg_catalog.uuidv7()') is null then
    create or replace function vox.uuid_v7() returns uuid
    language plpgsql volatile parallel safe set search_path = '' as
    $f$
    begin
      return pg_catalog.encode(
        pg_catalog.set_bit(
          pg_catalog.set_bit(
            pg_catalog.overlay(
              pg_catalog.uuid_send(pg_catalog.gen_random_uuid()),
              pg_catalog.substring(
                pg_catalog.int8send((extract(epoch from pg_catalog.clock_timestamp()) * 1000)::bigint), 3),
              1, 6),
            52, 1),
          53, 1),
        'hex')::uuid;
    end
    $f$;
  end if;
end
$$;
