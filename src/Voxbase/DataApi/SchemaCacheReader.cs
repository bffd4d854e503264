using System.Data;
using System.Runtime.InteropServices;
using Npgsql;
using Voxbase.Data;

namespace Voxbase.DataApi;

/// <summary>Makes a <see cref="SchemaCache"/> of the catalogs, in two round trips.</summary>
internal sealed class SchemaCacheReader(Database database, DataApiOptions options)
{
    // Of the login and, as PostgREST has it, of authenticator; those of this database go before those of all.
    internal const string SettingsSql =
        """
        select distinct on (name) replace(name, 'pgrst.', ''), value
        from (
          select s.setdatabase, s.setrole, substr(c, 1, strpos(c, '=') - 1) as name, substr(c, strpos(c, '=') + 1) as value
          from pg_catalog.pg_db_role_setting s
          join pg_catalog.pg_roles r on r.oid = s.setrole
          cross join unnest(s.setconfig) as c
          where r.rolname in ('authenticator', current_user)
            and (s.setdatabase = 0 or s.setdatabase = (select oid from pg_catalog.pg_database where datname = current_database()))
        ) as settings
        where name like 'pgrst.%'
        order by name, setdatabase desc
        """;

    // Only what the login may set for a role that is not its own.
    internal const string RoleSettingsSql =
        """
        select distinct on (role, name) role, name, value
        from (
          select r.rolname::text as role, s.setdatabase, substr(c, 1, strpos(c, '=') - 1) as name, substr(c, strpos(c, '=') + 1) as value
          from pg_catalog.pg_db_role_setting s
          join pg_catalog.pg_roles r on r.oid = s.setrole
          cross join unnest(s.setconfig) as c
          where r.rolname in ('anon', 'authenticated', 'service_role')
            and (s.setdatabase = 0 or s.setdatabase = (select oid from pg_catalog.pg_database where datname = current_database()))
        ) as settings
        where exists (
          select from pg_catalog.pg_settings p
          where p.name = settings.name and (p.context = 'user' or has_parameter_privilege(p.name, 'set')))
        order by role, name, setdatabase desc
        """;

    // Names of types come out with their schema when nothing is on the path.
    internal const string QuietSql =
        """
        select set_config('search_path', '', true), set_config('enable_seqscan', 'on', true)
        """;

    internal const string RelationsSql =
        """
        select c.oid, n.nspname::text, c.relname::text, c.relkind in ('v', 'm'),
          case when c.relkind in ('r', 'p') then 28 when c.relkind in ('v', 'f') then pg_relation_is_updatable(c.oid, true) else 0 end,
          d.description, n.nspname = any($1) and c.relkind <> 'c' and not c.relispartition, c.reltype
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        left join pg_catalog.pg_description d on d.objoid = c.oid and d.classoid = 'pg_catalog.pg_class'::regclass and d.objsubid = 0
        where c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
          and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\_toast%' and n.nspname not like 'pg\_temp\_%'
        """;

    // Every relation's names, for views and keys lead anywhere; the rest for exposed ones. Types by number: there are far fewer than columns.
    internal const string ColumnsSql =
        """
        select a.attrelid, a.attnum, a.attname::text,
          a.atttypid, a.atttypmod, not (a.attnotnull or t.typtype = 'd' and t.typnotnull),
          case
            when not d.exposed or a.attgenerated <> '' then null
            when a.attidentity = 'd' then format('nextval(%L)', pg_get_serial_sequence(a.attrelid::regclass::text, a.attname))
            when e.adbin is not null then pg_get_expr(e.adbin, e.adrelid)
            when t.typtype = 'd' and t.typdefaultbin is not null then pg_get_expr(t.typdefaultbin, 0)
          end,
          x.description
        from pg_catalog.pg_attribute a
        join (
          select c.oid, n.nspname = any($1) as exposed
          from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
          where c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
            and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\_toast%' and n.nspname not like 'pg\_temp\_%'
        ) as d on d.oid = a.attrelid
        join pg_catalog.pg_type t on t.oid = a.atttypid
        left join pg_catalog.pg_attrdef e on e.adrelid = a.attrelid and e.adnum = a.attnum
        left join pg_catalog.pg_description x on x.objoid = a.attrelid and x.classoid = 'pg_catalog.pg_class'::regclass and x.objsubid = a.attnum
        where a.attnum > 0 and not a.attisdropped
        order by a.attrelid, a.attnum
        """;

    // The types of exposed columns and of arguments, each once.
    internal const string FormsSql =
        """
        select u.type, u.mod, format_type(case when t.typtype = 'd' then t.typbasetype else t.oid end, null), format_type(u.type, u.mod), format_type(u.type, null),
          case when t.oid in ('varchar'::regtype, 'bpchar'::regtype) and u.mod > 4 then u.mod - 4 end,
          case when t.typtype = 'e' then (select array_agg(enumlabel::text order by enumsortorder) from pg_catalog.pg_enum where enumtypid = t.oid) end
        from (
          select a.atttypid as type, a.atttypmod as mod
          from pg_catalog.pg_namespace n
          join pg_catalog.pg_class c on c.relnamespace = n.oid
          join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
          where n.nspname = any($1) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
          union
          select a.type, -1
          from pg_catalog.pg_namespace n
          join pg_catalog.pg_proc p on p.pronamespace = n.oid
          cross join unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) as a(type)
          where n.nspname = any($1)
        ) as u
        join pg_catalog.pg_type t on t.oid = u.type
        """;

    // Implicit casts of domains, by a function, from and to what requests and answers are made of.
    internal const string DomainFormsSql =
        """
        select case when s.typtype = 'd' then s.oid else t.oid end, s.typtype = 'd', c.castsource = 'json'::regtype, format('%I.%I', n.nspname, p.proname)
        from pg_catalog.pg_cast c
        join pg_catalog.pg_type s on s.oid = c.castsource
        join pg_catalog.pg_type t on t.oid = c.casttarget
        join pg_catalog.pg_proc p on p.oid = c.castfunc
        join pg_catalog.pg_namespace n on n.oid = p.pronamespace
        where c.castcontext = 'i' and c.castmethod = 'f' and has_function_privilege(p.oid, 'execute')
          and (s.typtype = 'd' and c.casttarget = 'json'::regtype or t.typtype = 'd' and c.castsource in ('json'::regtype, 'text'::regtype))
        """;

    internal const string KeysSql =
        """
        select conname::text, contype::text, conrelid, confrelid, conkey, confkey
        from pg_catalog.pg_constraint
        where contype in ('p', 'u', 'f') and conrelid <> 0 and (contype <> 'f' or conparentid = 0)
          and connamespace <> 'pg_catalog'::regnamespace
        order by conrelid, conname
        """;

    internal const string ViewsSql =
        """
        select c.oid, r.ev_action::text
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        join pg_catalog.pg_rewrite r on r.ev_class = c.oid and r.ev_type = '1'
        where c.relkind in ('v', 'm') and n.nspname not in ('pg_catalog', 'information_schema')
        """;

    internal const string RoutinesSql =
        """
        with recursive domains as (
          select oid, typbasetype as base from pg_catalog.pg_type where typtype = 'd'
          union
          select d.oid, t.typbasetype from domains d join pg_catalog.pg_type t on t.oid = d.base and t.typtype = 'd'
        ), bases as (
          select d.oid, d.base from domains d join pg_catalog.pg_type t on t.oid = d.base and t.typtype <> 'd'
        )
        select n.nspname::text, p.proname::text, x.description, p.proargnames, p.proargmodes::text[],
          coalesce(p.proallargtypes, p.proargtypes::oid[]),
          p.pronargdefaults::int, p.provolatile::text, p.proretset, rn.nspname::text, t.typname::text,
          t.typtype = 'c' or coalesce(p.proargmodes::text[] && '{t,b,o}', false), b.oid is not null, p.proconfig, t.typrelid
        from pg_catalog.pg_proc p
        join pg_catalog.pg_namespace n on n.oid = p.pronamespace
        left join bases b on b.oid = p.prorettype
        join pg_catalog.pg_type t on t.oid = coalesce(b.base, p.prorettype)
        join pg_catalog.pg_namespace rn on rn.oid = t.typnamespace
        left join pg_catalog.pg_description x on x.objoid = p.oid and x.classoid = 'pg_catalog.pg_proc'::regclass and x.objsubid = 0
        where p.prokind = 'f' and n.nspname = any($1) and t.oid not in ('trigger'::regtype, 'event_trigger'::regtype)
        order by p.oid
        """;

    // Functions of one row: computed columns, and, where they make rows of a table, computed relationships.
    internal const string ComputedSql =
        """
        select n.nspname::text, p.proname::text, a.typrelid, r.typrelid, not p.proretset or p.prorows = 1
        from pg_catalog.pg_proc p
        join pg_catalog.pg_namespace n on n.oid = p.pronamespace
        join pg_catalog.pg_type a on a.oid = p.proargtypes[0] and a.typtype = 'c'
        join pg_catalog.pg_type r on r.oid = p.prorettype
        where p.pronargs = 1 and p.prokind = 'f' and n.nspname not in ('pg_catalog', 'information_schema')
        """;

    internal const string TypesSql =
        """
        select n.nspname::text, t.typname::text, format('%I.%I', n.nspname, t.typname)
        from pg_catalog.pg_type t
        join pg_catalog.pg_namespace n on n.oid = t.typnamespace
        where n.nspname = any($1) and (t.typtype in ('b', 'd', 'e', 'r', 'm') or t.typtype = 'c' and t.typname not like '\_%')
        """;

    // Functions that return a domain named like a media type, and aggregates that make one of rows.
    internal const string MediaHandlersSql =
        """
        select lower(m.typname), p.prokind = 'a', format('%I.%I', n.nspname, p.proname), n.nspname::text, p.proname::text,
          a.oid = 'anyelement'::regtype, an.nspname::text, a.typname::text, m.typbasetype = 'bytea'::regtype
        from pg_catalog.pg_type m
        join pg_catalog.pg_proc p on p.prorettype = m.oid
        join pg_catalog.pg_namespace n on n.oid = p.pronamespace
        left join pg_catalog.pg_type a on p.prokind = 'a' and a.oid = p.proargtypes[0]
        left join pg_catalog.pg_namespace an on an.oid = a.typnamespace
        where m.typtype = 'd' and (m.typname ~ '^[A-Za-z0-9.-]+/[A-Za-z0-9.+-]+$' or m.typname = '*/*') and n.nspname = any($1)
          and (p.prokind = 'f' and not p.proretset or p.prokind = 'a' and p.pronargs = 1 and (a.typtype = 'c' or a.oid = 'anyelement'::regtype))
        order by p.oid
        """;

    internal const string TimeZonesSql =
        """
        select name from pg_catalog.pg_timezone_names
        """;

    // Spellings that are grammar and not names of types.
    private static readonly (string Name, string Type)[] Spellings =
    [
        ("int", "pg_catalog.int4"), ("integer", "pg_catalog.int4"), ("bigint", "pg_catalog.int8"), ("smallint", "pg_catalog.int2"),
        ("real", "pg_catalog.float4"), ("float", "pg_catalog.float8"), ("double precision", "pg_catalog.float8"), ("decimal", "pg_catalog.numeric"),
        ("dec", "pg_catalog.numeric"), ("boolean", "pg_catalog.bool"), ("character varying", "pg_catalog.varchar"),
        ("character", "pg_catalog.bpchar"), ("char", "pg_catalog.bpchar"), ("bit varying", "pg_catalog.varbit"),
        ("timestamp with time zone", "pg_catalog.timestamptz"), ("timestamp without time zone", "pg_catalog.timestamp"),
        ("time with time zone", "pg_catalog.timetz"), ("time without time zone", "pg_catalog.time"),
    ];

    private static readonly (string Name, QName From, string Column, QName To, string Key)[] Kept =
    [
        ("turns_conversation_fkey", new("vox", "turns"), "conversation_id", new("vox", "conversations"), "id"),
    ];

    private static readonly string[] RowTypes = ["bytea", "json", "jsonb", "text", "xml"];

    /// <summary>Reads the catalogs.</summary>
    /// <param name="previous">What was read before, or null. Time zones are the server's files, slow to list, and stay as they were.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<SchemaCache> ReadAsync(SchemaCache? previous, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenWithoutCallerAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        var settings = await SettingsAsync(connection, cancellationToken);
        string[] schemas = [.. settings.Schemas];
        string[] named = [.. settings.Schemas.Concat(settings.ExtraSearchPath).Append("pg_catalog").Distinct()];
        await using var batch = new NpgsqlBatch(connection) { Timeout = 60 };
        Add(QuietSql);
        Add(RelationsSql, schemas);
        Add(FormsSql, schemas);
        Add(DomainFormsSql);
        Add(ColumnsSql, schemas);
        Add(KeysSql);
        Add(ViewsSql);
        Add(RoutinesSql, schemas);
        Add(ComputedSql);
        Add(MediaHandlersSql, schemas);
        Add(TypesSql, named);
        if (previous is null)
            Add(TimeZonesSql);
        await using var results = await batch.ExecuteReaderAsync(cancellationToken);
        await results.NextResultAsync(cancellationToken);
        var catalog = new Catalog();
        await EachAsync(catalog.AddRelation);
        await EachAsync(catalog.AddForm);
        await EachAsync(catalog.AddDomainForm);
        await EachAsync(catalog.AddColumn);
        await EachAsync(catalog.AddKey);
        await EachAsync(catalog.AddView);
        await EachAsync(catalog.AddRoutine);
        await EachAsync(catalog.AddComputed);
        await EachAsync(catalog.AddHandler);
        var types = new Dictionary<QName, string>();
        await EachAsync(rows => types[new QName(rows.GetString(0), rows.GetString(1))] = rows.GetString(2));
        foreach (var (name, type) in Spellings)
            types[new QName("pg_catalog", name)] = type;
        if (previous is not null)
            return catalog.Close(settings, types, previous.TimeZones);
        var zones = new HashSet<string>(StringComparer.Ordinal);
        await EachAsync(rows => zones.Add(rows.GetString(0)));
        return catalog.Close(settings, types, zones);

        void Add(string sql, string[]? names = null)
        {
            var command = new NpgsqlBatchCommand(sql);
            if (names is not null)
                command.Parameters.Add(Parameter.Texts(names, name => name));
            batch.BatchCommands.Add(command);
        }

        async Task EachAsync(Action<NpgsqlDataReader> read)
        {
            while (await results.ReadAsync(cancellationToken))
                read(results);
            await results.NextResultAsync(cancellationToken);
        }
    }

    private async Task<ApiSettings> SettingsAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var inDatabase = new Dictionary<string, string>(StringComparer.Ordinal);
        var roles = new Dictionary<string, RoleSettings>(StringComparer.Ordinal);
        await using var batch = new NpgsqlBatch(connection) { BatchCommands = { new(SettingsSql), new(RoleSettingsSql) } };
        await using var rows = await batch.ExecuteReaderAsync(cancellationToken);
        while (await rows.ReadAsync(cancellationToken))
            inDatabase[rows.GetString(0)] = rows.GetString(1);
        await rows.NextResultAsync(cancellationToken);
        while (await rows.ReadAsync(cancellationToken))
        {
            var (role, name, value) = (rows.GetString(0), rows.GetString(1), rows.GetString(2));
            var settings = roles.GetValueOrDefault(role) ?? new RoleSettings([], null);
            roles[role] = name == "default_transaction_isolation"
                ? settings with { Isolation = value }
                : settings with { Settings = [.. settings.Settings, new(name, value)] };
        }

        return ApiSettings.Of(options, inDatabase, roles);
    }

    /// <summary>The catalogs' rows on their way into a cache.</summary>
    private sealed class Catalog
    {
        private readonly Dictionary<uint, Relation> relations = [];
        private readonly Dictionary<(uint Type, int Modifier), Form> forms = [];
        private readonly Dictionary<uint, DomainForm> domainForms = [];
        private readonly List<Key> keys = [];
        private readonly Dictionary<uint, List<ViewColumn>> views = [];
        private readonly List<Routine> routines = [];
        private readonly List<(QName Function, uint Argument, uint Result, bool MakesOne)> computed = [];
        private readonly List<MediaHandler> handlers = [];

        public void AddRelation(NpgsqlDataReader row) =>
            relations[row.GetFieldValue<uint>(0)] = new Relation(
                new QName(row.GetString(1), row.GetString(2)), row.GetBoolean(3), row.GetInt32(4), Text(row, 5), row.GetBoolean(6));

        public void AddForm(NpgsqlDataReader row) => forms[(row.GetFieldValue<uint>(0), row.GetInt32(1))] = new Form(
            row.GetString(2), row.GetString(3), row.GetString(4), row.IsDBNull(5) ? null : row.GetInt32(5), row.IsDBNull(6) ? [] : row.GetFieldValue<string[]>(6));

        public void AddDomainForm(NpgsqlDataReader row)
        {
            ref var known = ref CollectionsMarshal.GetValueRefOrAddDefault(domainForms, row.GetFieldValue<uint>(0), out _);
            var (function, before) = (row.GetString(3), known ?? new DomainForm(null, null, null));
            known = row.GetBoolean(1) ? before with { ToJson = function }
                : row.GetBoolean(2) ? before with { FromJson = function }
                : before with { FromText = function };
        }

        public void AddColumn(NpgsqlDataReader row)
        {
            if (!relations.TryGetValue(row.GetFieldValue<uint>(0), out var relation))
                return;
            var name = row.GetString(2);
            relation.Names[row.GetInt16(1)] = name;
            if (relation.IsExposed)
            {
                var type = row.GetFieldValue<uint>(3);
                var form = forms[(type, row.GetInt32(4))];
                relation.Columns.Add(new Column(
                    name, form.DataType, form.NominalType, row.GetBoolean(5), form.MaxLength, Text(row, 6), Text(row, 7), form.Labels,
                    domainForms.GetValueOrDefault(type)));
            }
        }

        public void AddKey(NpgsqlDataReader row) => keys.Add(new Key(
            row.GetString(0), row.GetString(1)[0], row.GetFieldValue<uint>(2), row.GetFieldValue<uint>(3), row.GetFieldValue<short[]>(4),
            row.IsDBNull(5) ? [] : row.GetFieldValue<short[]>(5)));

        public void AddView(NpgsqlDataReader row) => views[row.GetFieldValue<uint>(0)] = ViewColumns.Read(row.GetString(1));

        public void AddRoutine(NpgsqlDataReader row)
        {
            var names = row.IsDBNull(3) ? null : row.GetFieldValue<string[]>(3);
            var modes = row.IsDBNull(4) ? null : row.GetFieldValue<string[]>(4);
            var types = row.IsDBNull(5) ? [] : Array.ConvertAll(row.GetFieldValue<uint[]>(5), type => forms[(type, -1)].ArgumentType);
            var defaults = row.GetInt32(6);
            var inputs = Enumerable.Range(0, types.Length).Where(i => modes is null || modes[i] is "i" or "b" or "v").ToList();
            var unnamed = inputs.Count(i => names is null || names[i].Length == 0);
            // Such a function can only be called with a body that is its one argument.
            if (unnamed > 1 || (unnamed == 1 && !(inputs.Count == 1 && RowTypes.Contains(types[inputs[0]]))))
                return;
            var parameters = inputs.Select((i, place) => new RoutineParameter(
                names?[i] ?? "", types[i], Uncut(types[i]), place < inputs.Count - defaults, modes?[i] == "v")).ToList();
            var outputs = modes is null || names is null ? [] : Enumerable.Range(0, modes.Length).Where(i => modes[i] is "t" or "b" or "o").Select(i => names[i]).ToList();
            var rows = row.GetFieldValue<uint>(14);
            var settings = row.IsDBNull(13) ? [] : row.GetFieldValue<string[]>(13)
                .Select(setting => setting.Split('=', 2)).Select(pair => KeyValuePair.Create(pair[0], pair[1])).ToList();
            routines.Add(new Routine(new QName(row.GetString(0), row.GetString(1)), parameters)
            {
                Description = Text(row, 2),
                Volatility = row.GetString(7) switch { "i" => Volatility.Immutable, "s" => Volatility.Stable, _ => Volatility.Volatile },
                ReturnsSet = row.GetBoolean(8),
                ReturnType = new QName(row.GetString(9), row.GetString(10)),
                ReturnsRow = row.GetBoolean(11),
                IsRowAlias = row.GetBoolean(12),
                ReturnColumns = outputs.Count > 0 ? outputs.ToHashSet(StringComparer.Ordinal)
                    : rows != 0 && relations.TryGetValue(rows, out var relation) ? relation.Names.Values.ToHashSet(StringComparer.Ordinal)
                    : null,
                Settings = [.. settings.Where(setting => setting.Key is "statement_timeout" or "plan_filter.statement_cost_limit")],
                Isolation = settings.FirstOrDefault(setting => setting.Key == "default_transaction_isolation").Value,
            });
        }

        public void AddComputed(NpgsqlDataReader row) => computed.Add(
            (new QName(row.GetString(0), row.GetString(1)), row.GetFieldValue<uint>(2), row.GetFieldValue<uint>(3), row.GetBoolean(4)));

        public void AddHandler(NpgsqlDataReader row)
        {
            var isAggregate = row.GetBoolean(1);
            QName? target = !isAggregate ? new QName(row.GetString(3), row.GetString(4))
                : row.GetBoolean(5) ? null
                : new QName(row.GetString(6), row.GetString(7));
            handlers.Add(new MediaHandler(row.GetString(0), target, isAggregate ? row.GetString(2) : null, row.GetBoolean(8)));
        }

        public SchemaCache Close(ApiSettings settings, Dictionary<QName, string> types, IReadOnlySet<string> zones)
        {
            AddKept();
            var origins = new ViewColumns(views);
            var tables = Tables(origins);
            var found = Foreign(origins);
            Cross(found, tables);
            foreach (var (function, argument, result, makesOne) in computed)
                Compute(found, tables, function, argument, result, makesOne);
            var exposed = settings.Schemas.ToHashSet(StringComparer.Ordinal);
            return new SchemaCache(
                tables.Values.Where(table => exposed.Contains(table.Name.Schema)),
                found.Where(each => exposed.Contains(each.Table.Schema) && exposed.Contains(each.Target.Schema)
                    && (each.Junction is null || exposed.Contains(each.Junction.Table.Schema))),
                routines, types, handlers, zones, settings);
        }

        // References of Voxbase's own tables that triggers keep in place of constraints.
        private void AddKept()
        {
            foreach (var (name, from, column, to, key) in Kept)
            {
                var (relation, referenced) = (relations.FirstOrDefault(each => each.Value.Name == from), relations.FirstOrDefault(each => each.Value.Name == to));
                var own = relation.Value?.Names.FirstOrDefault(each => each.Value == column).Key ?? 0;
                var theirs = referenced.Value?.Names.FirstOrDefault(each => each.Value == key).Key ?? 0;
                if (own > 0 && theirs > 0 && !keys.Exists(each => each.Relation == relation.Key && each.Name == name))
                    keys.Add(new Key(name, 'f', relation.Key, referenced.Key, [own], [theirs]));
            }
        }

        private Dictionary<QName, Table> Tables(ViewColumns origins)
        {
            var primary = keys.Where(key => key.Kind == 'p').ToDictionary(key => key.Relation);
            var tables = new Dictionary<QName, Table>();
            foreach (var (oid, relation) in relations)
            {
                if (!relation.IsExposed)
                    continue;
                var key = primary.TryGetValue(oid, out var own) ? Names(oid, own.Columns) : relation.IsView ? KeyOfView(oid, primary, origins) : [];
                tables[relation.Name] = new Table(relation.Name, relation.IsView, relation.Events, relation.Description, key, relation.Columns);
            }

            return tables;
        }

        // What a view shows of each key whole; of a column shown twice the first.
        private string[] KeyOfView(uint view, Dictionary<uint, Key> primary, ViewColumns origins)
        {
            var shown = origins.Of(view);
            var columns = new List<string>();
            foreach (var table in shown.Keys.Select(origin => origin.Table).Distinct())
            {
                if (primary.TryGetValue(table, out var key) && key.Columns.All(column => shown.ContainsKey((table, column))))
                    columns.AddRange(key.Columns.Select(column => relations[view].Names[shown[(table, column)][0]]));
            }

            return [.. columns];
        }

        private List<Relationship> Foreign(ViewColumns origins)
        {
            var unique = keys.Where(key => key.Kind is 'p' or 'u').ToLookup(key => key.Relation, key => key.Columns.Order().ToArray());
            // Of each table the views that show something of it.
            var showing = new Dictionary<uint, List<uint>>();
            foreach (var view in views.Keys.Where(relations.ContainsKey))
            {
                foreach (var table in origins.Of(view).Keys.Select(origin => origin.Table).Distinct())
                    (CollectionsMarshal.GetValueRefOrAddDefault(showing, table, out _) ??= []).Add(view);
            }

            var found = new List<Relationship>();
            foreach (var key in keys.Where(key => key.Kind == 'f' && relations.ContainsKey(key.Relation) && relations.ContainsKey(key.Referenced)))
            {
                var isOne = unique[key.Relation].Any(columns => columns.AsSpan().SequenceEqual(key.Columns.Order().ToArray()));
                var ends = Ends(key.Relation, key.Columns, showing, origins).ToList();
                var referenced = Ends(key.Referenced, key.ReferencedColumns, showing, origins).ToList();
                foreach (var (from, fromColumns, fromIsView) in ends)
                {
                    foreach (var (to, toColumns, toIsView) in referenced)
                        Both(found, key, isOne, (from, fromColumns, fromIsView), (to, toColumns, toIsView));
                }
            }

            return found;
        }

        private static void Both(
            List<Relationship> found, Key key, bool isOne,
            (QName Name, string[] Columns, bool IsView) from, (QName Name, string[] Columns, bool IsView) to)
        {
            var isSelf = from.Name == to.Name;
            found.Add(new Relationship(from.Name, to.Name, isOne ? Cardinality.OneToOne : Cardinality.ManyToOne)
            {
                IsSelf = isSelf,
                Constraint = key.Name,
                Columns = [.. from.Columns.Zip(to.Columns)],
                IsTableView = from.IsView,
                IsTargetView = to.IsView,
            });
            found.Add(new Relationship(to.Name, from.Name, isOne ? Cardinality.OneToOne : Cardinality.OneToMany)
            {
                IsSelf = isSelf,
                Constraint = key.Name,
                Columns = [.. to.Columns.Zip(from.Columns)],
                IsTableView = to.IsView,
                IsTargetView = from.IsView,
                IsInverse = true,
            });
        }

        // The table itself, and every view through which all columns of the key can be seen, once for each way to see them.
        private IEnumerable<(QName Name, string[] Columns, bool IsView)> Ends(
            uint table, short[] columns, Dictionary<uint, List<uint>> showing, ViewColumns origins)
        {
            yield return (relations[table].Name, Names(table, columns), relations[table].IsView);
            foreach (var view in showing.GetValueOrDefault(table) ?? [])
            {
                var shown = origins.Of(view);
                IEnumerable<string[]> ways = [[]];
                foreach (var column in columns)
                {
                    var places = shown.GetValueOrDefault((table, column)) ?? [];
                    ways = [.. ways.SelectMany(way => places.Select(place => (string[])[.. way, relations[view].Names[place]]))];
                }

                foreach (var way in ways)
                    yield return (relations[view].Name, way, true);
            }
        }

        // Many to many: a table whose key holds the columns of two foreign keys.
        private static void Cross(List<Relationship> found, Dictionary<QName, Table> tables)
        {
            var leading = found.Where(each => each.Cardinality == Cardinality.ManyToOne).ToLookup(each => each.Table);
            foreach (var group in leading)
            {
                if (!tables.TryGetValue(group.Key, out var junction) || junction.PrimaryKey.Length == 0)
                    continue;
                foreach (var first in group)
                {
                    foreach (var second in group)
                    {
                        if (first.Constraint == second.Constraint
                            || !first.Columns.Concat(second.Columns).All(pair => junction.PrimaryKey.Contains(pair.Own)))
                            continue;
                        found.Add(new Relationship(first.Target, second.Target, Cardinality.ManyToMany)
                        {
                            IsSelf = first.Target == second.Target,
                            IsTableView = first.IsTargetView,
                            IsTargetView = second.IsTargetView,
                            Junction = new Junction(
                                group.Key, first.Constraint, second.Constraint,
                                [.. first.Columns.Select(pair => (pair.Theirs, pair.Own))], [.. second.Columns.Select(pair => (pair.Theirs, pair.Own))]),
                        });
                    }
                }
            }
        }

        private void Compute(
            List<Relationship> found, Dictionary<QName, Table> tables, QName function, uint argument, uint result, bool makesOne)
        {
            if (!relations.TryGetValue(argument, out var from))
                return;
            if (tables.TryGetValue(from.Name, out var table))
                (CollectionsMarshal.GetValueRefOrAddDefault(table.Computed, function.Name, out _) ??= []).Add(function.Schema);
            if (result == 0 || !relations.TryGetValue(result, out var to))
                return;
            // The function's name goes before a table's.
            found.RemoveAll(each => each.Table == from.Name && each.Target.Name == function.Name && each.Target.Schema == function.Schema);
            found.Add(new Relationship(from.Name, to.Name, Cardinality.Computed)
            {
                IsSelf = argument == result,
                Function = function,
                MakesOne = makesOne,
            });
        }

        private string[] Names(uint relation, short[] columns) => [.. columns.Select(column => relations[relation].Names[column])];

        private static string? Text(NpgsqlDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

        // A value cast to these without a length would be cut to one character.
        private static string Uncut(string type) => type switch
        {
            "bit" => "bit varying",
            "bit[]" => "bit varying[]",
            "character" => "character varying",
            "character[]" => "character varying[]",
            _ => type,
        };

        private sealed record Relation(QName Name, bool IsView, int Events, string? Description, bool IsExposed)
        {
            public Dictionary<short, string> Names { get; } = [];

            public List<Column> Columns { get; } = [];
        }

        /// <summary>How a type is written.</summary>
        private sealed record Form(string DataType, string NominalType, string ArgumentType, int? MaxLength, string[] Labels);

        private sealed record Key(string Name, char Kind, uint Relation, uint Referenced, short[] Columns, short[] ReferencedColumns);
    }
}
