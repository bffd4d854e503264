using System.Text;
using System.Text.RegularExpressions;
using Npgsql;

namespace Voxbase.Data;

/// <summary>
/// Writes the schema as the migrations have left it, from the catalogs: the migrations tell the history, this tells the truth.
/// </summary>
/// <remarks>
/// Deterministic and equal on PostgreSQL 15 to 18. Applied to an empty database of a cluster that has the roles of
/// <c>0001_roles.sql</c>, it makes the same schema without the data. Owners and the partitions of single months are left out.
/// </remarks>
public static partial class SchemaDump
{
    internal const string SchemasSql =
        """
        select format('create schema if not exists %I;', n.nspname)
          || coalesce(E'\ncomment on schema ' || quote_ident(n.nspname) || ' is ' || quote_literal(obj_description(n.oid, 'pg_namespace')) || ';', '')
          || coalesce(E'\ngrant usage on schema ' || quote_ident(n.nspname) || ' to ' || g.grantees || ';', '')
        from pg_catalog.pg_namespace n
        left join lateral (
          select string_agg(pg_get_userbyid(a.grantee)::text, ', ' order by pg_get_userbyid(a.grantee)) as grantees
          from aclexplode(n.nspacl) a
          where a.grantee <> n.nspowner and a.privilege_type = 'USAGE'
        ) g on true
        where n.nspname in ('vox', 'vox_private')
          or n.nspname = 'auth' and n.nspowner = (select nspowner from pg_catalog.pg_namespace where nspname = 'vox')
        order by n.nspname collate "C"
        """;

    internal const string TypesSql =
        """
        select case t.typtype
          when 'e' then format('create type %s as enum (%s);', t.oid::regtype,
            (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder) from pg_catalog.pg_enum e where e.enumtypid = t.oid))
          else format(E'create type %s as (\n  %s\n);', t.oid::regtype,
            (
              select string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), E',\n  ' order by a.attnum)
              from pg_catalog.pg_attribute a
              where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
            ))
          end
          || coalesce(E'\ncomment on type ' || t.oid::regtype || ' is ' || quote_literal(obj_description(t.oid, 'pg_type')) || ';', '')
        from pg_catalog.pg_type t
        where t.typnamespace in ('vox'::regnamespace, 'vox_private'::regnamespace)
          and (t.typtype = 'e' or t.typtype = 'c' and (select c.relkind from pg_catalog.pg_class c where c.oid = t.typrelid) = 'c')
        order by t.oid::regtype::text collate "C"
        """;

    internal const string DomainsSql =
        """
        select concat_ws(' ', format('create domain %s as %s', t.oid::regtype, format_type(t.typbasetype, t.typtypmod)),
            'default ' || t.typdefault, case when t.typnotnull then 'not null' end,
            (
              select string_agg(format('constraint %I %s', k.conname, pg_get_constraintdef(k.oid)), ' ' order by k.conname collate "C")
              from pg_catalog.pg_constraint k
              where k.contypid = t.oid and k.contype = 'c'
            )) || ';'
          || coalesce(E'\ncomment on domain ' || t.oid::regtype || ' is ' || quote_literal(obj_description(t.oid, 'pg_type')) || ';', '')
        from pg_catalog.pg_type t
        where t.typnamespace in ('vox'::regnamespace, 'vox_private'::regnamespace) and t.typtype = 'd'
        order by t.oid::regtype::text collate "C"
        """;

    internal const string FunctionsSql =
        """
        select p.oid::regprocedure::text,
          pg_get_functiondef(p.oid),
          format('comment on function %s is %L;', p.oid::regprocedure, obj_description(p.oid, 'pg_proc')),
          obj_description(p.oid, 'pg_proc') is not null,
          exists (select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee = 0),
          (
            select string_agg(pg_get_userbyid(a.grantee)::text, ', ' order by pg_get_userbyid(a.grantee))
            from aclexplode(p.proacl) a
            where a.grantee not in (0, p.proowner)
          )
        from pg_catalog.pg_proc p
        join pg_catalog.pg_namespace n on n.oid = p.pronamespace
        where n.nspname in ('vox', 'vox_private')
          or n.nspname = 'auth' and p.proname in ('jwt', 'role', 'uid')
            and p.proowner = (select nspowner from pg_catalog.pg_namespace where nspname = 'vox')
        order by p.oid::regprocedure::text collate "C"
        """;

    // Columns, then keys and checks; references between tables come when all tables are there.
    internal const string TablesSql =
        """
        select case
          when c.relispartition then
            format('create table %s partition of %s %s', c.oid::regclass,
              (select i.inhparent::regclass from pg_catalog.pg_inherits i where i.inhrelid = c.oid), lower(pg_get_expr(c.relpartbound, c.oid)))
          else
            format(E'create table %s (\n  %s\n)', c.oid::regclass, concat_ws(E',\n  ', l.columns, k.constraints))
              || coalesce(' partition by ' || lower(pg_get_partkeydef(c.oid)), '')
          end
          || coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', '') || ';'
          || coalesce(E'\ncomment on table ' || c.oid::regclass || ' is ' || quote_literal(obj_description(c.oid, 'pg_class')) || ';', '')
          || coalesce(l.comments, '') || coalesce(i.indexes, '')
        from pg_catalog.pg_class c
        cross join lateral (
          select
            string_agg(concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
              case when a.attnotnull then 'not null' end,
              case a.attgenerated when 's' then format('generated always as (%s) stored', pg_get_expr(d.adbin, d.adrelid)) end,
              case when a.attgenerated = '' then 'default ' || pg_get_expr(d.adbin, d.adrelid) end), E',\n  ' order by a.attnum) as columns,
            string_agg(E'\n' || format('comment on column %s.%I is %L;', c.oid::regclass, a.attname, col_description(c.oid, a.attnum)), ''
              order by a.attnum) filter (where col_description(c.oid, a.attnum) is not null and not c.relispartition) as comments
          from pg_catalog.pg_attribute a
          left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
          where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        ) l
        cross join lateral (
          select string_agg(format('constraint %I %s', k.conname, pg_get_constraintdef(k.oid)), E',\n  '
            order by array_position('{p,u,c,x}', k.contype::text), k.conname collate "C") as constraints
          from pg_catalog.pg_constraint k
          where k.conrelid = c.oid and k.contype in ('p', 'u', 'c', 'x')
        ) k
        cross join lateral (
          select string_agg(E'\n' || replace(pg_get_indexdef(x.indexrelid), ' ON ONLY ', ' ON ') || ';', ''
            order by x.indexrelid::regclass::text collate "C") as indexes
          from pg_catalog.pg_index x
          where x.indrelid = c.oid and not c.relispartition
            and not exists (select from pg_catalog.pg_constraint k where k.conindid = x.indexrelid and k.contype in ('p', 'u', 'x'))
        ) i
        where c.relnamespace in ('vox'::regnamespace, 'vox_private'::regnamespace) and c.relkind in ('r', 'p')
          and not (c.relispartition and c.relname ~ '_\d{4}_\d{2}$')
        order by c.oid::regclass::text collate "C"
        """;

    internal const string ViewsSql =
        """
        select format(E'create %s %s%s as\n%s', case c.relkind when 'm' then 'materialized view' else 'view' end, c.oid::regclass,
            coalesce(' with (' || array_to_string(c.reloptions, ', ') || ')', ''), pg_get_viewdef(c.oid, true))
          || coalesce(E'\ncomment on view ' || c.oid::regclass || ' is ' || quote_literal(obj_description(c.oid, 'pg_class')) || ';', '')
        from pg_catalog.pg_class c
        where c.relnamespace in ('vox'::regnamespace, 'vox_private'::regnamespace) and c.relkind in ('v', 'm')
        order by c.oid
        """;

    internal const string ReferencesSql =
        """
        select format('alter table %s add constraint %I %s;', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid))
        from pg_catalog.pg_constraint k
        join pg_catalog.pg_class c on c.oid = k.conrelid
        where c.relnamespace in ('vox'::regnamespace, 'vox_private'::regnamespace) and k.contype = 'f' and k.conparentid = 0
          and not c.relispartition
        order by k.conrelid::regclass::text collate "C", k.conname collate "C"
        """;

    internal const string TriggersSql =
        """
        select pg_get_triggerdef(t.oid) || ';'
        from pg_catalog.pg_trigger t
        join pg_catalog.pg_class c on c.oid = t.tgrelid
        where c.relnamespace in ('vox'::regnamespace, 'vox_private'::regnamespace) and not t.tgisinternal and t.tgparentid = 0
        order by t.tgrelid::regclass::text collate "C", t.tgname collate "C"
        """;

    internal const string PoliciesSql =
        """
        select concat_ws(E'\n',
          case when c.relrowsecurity then format('alter table %s enable row level security;', c.oid::regclass) end,
          case when c.relforcerowsecurity then format('alter table %s force row level security;', c.oid::regclass) end,
          (
            select string_agg(
              format('create policy %I on %s%s for %s to %s', p.polname, c.oid::regclass, case when not p.polpermissive then ' as restrictive' end,
                case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end,
                (select string_agg(coalesce(nullif(pg_get_userbyid(r), 'unknown (OID=0)'), 'public'), ', ' order by pg_get_userbyid(r)) from unnest(p.polroles) r))
                || coalesce(E'\n  using (' || pg_get_expr(p.polqual, p.polrelid) || ')', '')
                || coalesce(E'\n  with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '') || ';',
              E'\n' order by p.polname collate "C")
            from pg_catalog.pg_policy p
            where p.polrelid = c.oid
          ))
        from pg_catalog.pg_class c
        where c.relnamespace in ('vox'::regnamespace, 'vox_private'::regnamespace) and c.relkind in ('r', 'p') and c.relrowsecurity
          and not (c.relispartition and c.relname ~ '_\d{4}_\d{2}$')
        order by c.oid::regclass::text collate "C"
        """;

    internal const string GrantsSql =
        """
        with granted as (
          select c.oid, a.grantee, c.relowner, lower(a.privilege_type) as verb, null::text as columns
          from pg_catalog.pg_class c, aclexplode(c.relacl) a
          where c.relkind in ('r', 'p', 'v', 'm')
          union all
          select c.oid, a.grantee, c.relowner, lower(a.privilege_type), string_agg(quote_ident(t.attname), ', ' order by t.attnum)
          from pg_catalog.pg_class c join pg_catalog.pg_attribute t on t.attrelid = c.oid, aclexplode(t.attacl) a
          where t.attnum > 0 and not t.attisdropped
          group by c.oid, a.grantee, c.relowner, a.privilege_type
        ), by_grantee as (
          select g.oid, coalesce(nullif(pg_get_userbyid(g.grantee), 'unknown (OID=0)'), 'public')::text as grantee,
            string_agg(g.verb || coalesce(' (' || g.columns || ')', ''), ', '
              order by array_position('{select,insert,update,delete,truncate,references,trigger}', g.verb)) as verbs, g.columns is null as whole
          from granted g
          join pg_catalog.pg_class c on c.oid = g.oid
          where c.relnamespace in ('vox'::regnamespace, 'vox_private'::regnamespace) and g.grantee <> g.relowner
            and not (c.relispartition and c.relname ~ '_\d{4}_\d{2}$')
          group by g.oid, g.grantee, g.columns is null, case when g.columns is not null then g.verb end
        )
        select format('grant %s on %s to %s;', verbs, oid::regclass, string_agg(grantee, ', ' order by grantee))
        from by_grantee
        group by oid, verbs, whole
        order by oid::regclass::text collate "C", whole desc, verbs collate "C", string_agg(grantee, ', ' order by grantee)
        """;

    // What PostgreSQL before 18 has; 18 has a function of its own, which vox.uuid_v7() then calls.
    private const string UuidFunction = "vox.uuid_v7()";

    internal const string PortableUuid =
        """
        CREATE OR REPLACE FUNCTION vox.uuid_v7()
         RETURNS uuid
         LANGUAGE plpgsql
         PARALLEL SAFE
         SET search_path TO ''
        AS $function$
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
            $function$
        """;

    private const int Width = 140;

    /// <summary>Writes the schemas vox and vox_private, and what the migrations made of auth. Lines end in LF.</summary>
    public static async Task WriteAsync(Database database, TextWriter writer, CancellationToken cancellationToken)
    {
        var text = new StringBuilder(
            """
            -- The schema as the migrations leave it: what they are about, not how it came to be. Written from the catalogs by
            -- `voxbase migrate dump`; a test keeps it equal. Owners and the partitions of single months are left out.
            -- The roles are those of 0001_roles.sql.

            -- Functions come before the tables that they read.
            set check_function_bodies = off;

            """.ReplaceLineEndings("\n"));
        await using var connection = await database.OpenWithoutCallerAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        // With an empty path every name is printed with its schema, whatever the login's own path.
        await using (var qualify = new NpgsqlCommand("set local search_path = ''", connection))
            await qualify.ExecuteNonQueryAsync(cancellationToken);

        await SectionAsync("Schemas", SchemasSql, Text);
        await SectionAsync("Types", TypesSql, Text);
        await SectionAsync("Domains", DomainsSql, Text);
        await SectionAsync("Functions", FunctionsSql, Function);
        await SectionAsync("Tables", TablesSql, Text);
        await SectionAsync("Views", ViewsSql, Text);
        await SectionAsync("References", ReferencesSql, Text);
        await SectionAsync("Triggers", TriggersSql, Text);
        await SectionAsync("Policies", PoliciesSql, Text);
        await SectionAsync("Grants", GrantsSql, static row => Wrap(row.GetString(0)));
        await writer.WriteAsync(text, cancellationToken);

        async Task SectionAsync(string title, string sql, Func<NpgsqlDataReader, string> print)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await using var rows = await command.ExecuteReaderAsync(cancellationToken);
            var isFirst = true;
            while (await rows.ReadAsync(cancellationToken))
            {
                var block = print(rows);
                if (isFirst)
                    text.Append("\n-- ").Append(title).Append(' ').Append('-', Width - title.Length - 4).Append("\n\n");
                else if (block.Contains('\n', StringComparison.Ordinal))
                    text.Append('\n');
                text.Append(block).Append('\n');
                isFirst = false;
            }
        }
    }

    // What is a keyword, and so quoted, differs by version: json_array is one since 16. Behind a schema none needs quotes.
    private static string Text(NpgsqlDataReader row) => NeedlesslyQuoted().Replace(row.GetString(0), "$1");

    private static string Function(NpgsqlDataReader row)
    {
        var name = row.GetString(0);
        var text = new StringBuilder();
        if (name == UuidFunction)
            text.Append("-- On PostgreSQL 18 its body is: select pg_catalog.uuidv7()\n").Append(PortableUuid.ReplaceLineEndings("\n"));
        else
            text.Append(row.GetString(1).TrimEnd('\n'));
        text.Append(';');
        if (row.GetBoolean(3))
            text.Append('\n').Append(row.GetString(2));
        if (!row.GetBoolean(4))
            text.Append("\nrevoke execute on function ").Append(name).Append(" from public;");
        if (!row.IsDBNull(5))
            text.Append("\ngrant execute on function ").Append(name).Append(" to ").Append(row.GetString(5)).Append(';');
        return text.ToString();
    }

    // Long lists of columns; no names with a comma and a space in them.
    private static string Wrap(string line)
    {
        var text = new StringBuilder();
        var length = 0;
        foreach (var word in line.Split(' '))
        {
            if (length > 0 && length + 1 + word.Length > Width)
            {
                text.Append("\n   ");
                length = 3;
            }

            if (length > 0)
                text.Append(' ');
            text.Append(word);
            length += word.Length + 1;
        }

        return text.ToString();
    }

    [GeneratedRegex("(?<=\\b(?:vox|vox_private)\\.|\\bconstraint )\"([a-z_][a-z0-9_]*)\"")]
    private static partial Regex NeedlesslyQuoted();
}
