using System.Globalization;
using System.Text;
using Npgsql;
using NpgsqlTypes;
using Voxbase.Data;

namespace Voxbase;

/// <summary>A column of a published table.</summary>
/// <param name="Schema">The table's schema.</param>
/// <param name="Table">The table.</param>
/// <param name="Column">Its name.</param>
/// <param name="Type">Its type, of a domain that beneath it.</param>
/// <param name="IsReadable">Whether changes tell the role that asked of it: it may select it, and the log has it, which generated columns are not in.</param>
internal sealed record PublishedColumn(string Schema, string Table, string Column, string Type, bool IsReadable);

/// <summary>What is published.</summary>
internal sealed class PublishedTables(List<PublishedColumn> columns)
{
    private readonly ILookup<string, (string Schema, Dictionary<string, PublishedColumn> Columns)> tables = columns
        .GroupBy(column => (column.Schema, column.Table))
        .ToLookup(table => table.Key.Table, table => (table.Key.Schema, table.ToDictionary(column => column.Column, StringComparer.Ordinal)));

    /// <summary>The columns of each published table of that name, by name; of any schema for <c>*</c>.</summary>
    public List<Dictionary<string, PublishedColumn>> Of(string schema, string table) =>
        [.. tables[table].Where(one => schema == "*" || one.Schema == schema).Select(one => one.Columns)];
}

/// <summary>An identity as policies see it.</summary>
internal sealed record AskedIdentity(string Role, string Claims, string Key);

/// <summary>Rows of one table, for which the policies are asked.</summary>
/// <param name="Transactions">Which transactions changed them: the answer must know of all of these.</param>
/// <param name="Keys">Their keys as text, column by column.</param>
/// <param name="Policy">The columns that policies name, as text, column by column; <see cref="Unknown"/> where the change does not tell.</param>
/// <param name="Groups">Which of them are equal in all that policies name: these share an answer.</param>
internal sealed record AskedRows(long[] Transactions, string[][] Keys, string?[][] Policy, int[] Groups)
{
    public const string Unknown = "\u0001";

    /// <summary>Whether all that policies name is known of every row.</summary>
    public bool IsWhole { get; } = !Policy.Any(column => column.Contains(Unknown));

    /// <summary>One of those of the rows (by number, from 1) that are there, of each group.</summary>
    public AskedRows Chosen(IEnumerable<int> live)
    {
        var chosen = live.DistinctBy(row => Groups[row - 1]).Select(row => row - 1).ToArray();
        T[] Of<T>(T[] column) => [.. chosen.Select(row => column[row])];
        return new AskedRows(Transactions, [.. Keys.Select(Of)], [.. Policy.Select(Of)], Of(Groups));
    }
}

/// <summary>Policies as an expression over columns' values.</summary>
/// <param name="Expression">In SQL, for whatever row source has the table's name.</param>
/// <param name="Types">Of the columns that policies name, in SQL.</param>
internal sealed record PolicyCondition(string Expression, string[] Types);

/// <summary>What was answered.</summary>
internal enum AskOutcome
{
    Answered,

    /// <summary>A transaction is in the log, but not yet visible to others.</summary>
    TooEarly,

    /// <summary>The table's definition, policies or privileges are others than those that the question was made with.</summary>
    Stale,

    /// <summary>Rows changed while they were looked at.</summary>
    Moved,
}

/// <summary>Of one identity: the groups it sees, or what went wrong.</summary>
internal sealed record Answer(int[] Groups, string? Fault, double ElapsedMs);

/// <summary>
/// One connection that asks PostgreSQL's policies which rows identities see, each under its own role and claims. The question is a temporary function, so that
/// hundreds of identities are asked in one round trip with one plan.
/// </summary>
internal sealed class FeedAsker(NpgsqlConnection connection) : IAsyncDisposable
{
    internal const string StampSql =
        """
        select concat_ws(':', c.xmin::text, n.xmin::text,
          (select coalesce(string_agg(p.oid::text || '.' || p.xmin::text, ',' order by p.oid), '') from pg_catalog.pg_policy p where p.polrelid = c.oid),
          (select coalesce(sum(a.xmin::text::bigint), 0) from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attacl is not null),
          (select coalesce(sum(m.xmin::text::bigint), 0) from pg_catalog.pg_auth_members m))
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.oid = $1::oid
        """;

    internal const string TableSql =
        """
        select
          array(
            select a.attname::text
            from pg_catalog.pg_index i cross join unnest(i.indkey) with ordinality k(attnum, place)
            join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
            where i.indrelid = c.oid and i.indisprimary
            order by k.place),
          array(
            select format_type(a.atttypid, a.atttypmod)
            from pg_catalog.pg_index i cross join unnest(i.indkey) with ordinality k(attnum, place)
            join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
            where i.indrelid = c.oid and i.indisprimary
            order by k.place),
          array(
            select a.attname::text
            from pg_catalog.pg_attribute a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
              and (exists (
                  select from pg_catalog.pg_depend d join pg_catalog.pg_policy p on p.oid = d.objid
                  where d.classid = 'pg_policy'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid and d.refobjsubid = a.attnum
                    and p.polcmd in ('r', '*'))
                -- A policy that is handed the whole row names no column.
                or exists (
                  select from pg_catalog.pg_policy p
                  where p.polrelid = c.oid and p.polcmd in ('r', '*') and pg_get_expr(p.polqual, p.polrelid) like '%.*%'))
            order by a.attnum),
          exists (
            select from pg_catalog.pg_policy p
            where p.polrelid = c.oid and p.polcmd in ('r', '*') and pg_get_expr(p.polqual, p.polrelid) like '%.*%')
        from pg_catalog.pg_class c
        where c.oid = $1::oid
        """;

    internal const string AccessSql =
        """
        select has_schema_privilege(r.oid, c.relnamespace, 'usage'),
          array(
            select a.attname::text from pg_catalog.pg_attribute a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and has_column_privilege(r.oid, c.oid, a.attnum, 'select')),
          r.rolsuper or r.rolbypassrls or not c.relrowsecurity or (not c.relforcerowsecurity and pg_has_role(r.oid, c.relowner, 'usage'))
            or coalesce((
              select bool_or(p.polpermissive and pg_get_expr(p.polqual, p.polrelid) = 'true') and not bool_or(not p.polpermissive)
              from pg_catalog.pg_policy p
              where p.polrelid = c.oid and p.polcmd in ('r', '*')
                and exists (select from unnest(p.polroles) as named(role) where named.role = 0 or pg_has_role(r.oid, named.role, 'usage'))), false)
        from pg_catalog.pg_class c
        join pg_catalog.pg_roles r on r.rolname = $2
        where c.oid = $1::oid
        """;

    // What a role's policies for reading come to, as one expression; names that are not the catalog's own are told with their schema.
    internal const string ConditionSql =
        """
        select concat_ws(' and ',
          '(' || coalesce(string_agg('(' || pg_get_expr(p.polqual, p.polrelid) || ')', ' or ') filter (where p.polpermissive), 'false') || ')',
          string_agg('(' || pg_get_expr(p.polqual, p.polrelid) || ')', ' and ') filter (where not p.polpermissive))
        from pg_catalog.pg_policy p
        join pg_catalog.pg_roles r on r.rolname = $2
        where p.polrelid = $1::oid and p.polcmd in ('r', '*')
          and exists (select from unnest(p.polroles) as named(role) where named.role = 0 or pg_has_role(r.oid, named.role, 'usage'))
        """;

    internal const string PolicyTypesSql =
        """
        select format_type(a.atttypid, a.atttypmod), a.attcollation in (0, t.typcollation)
        from unnest($2::text[]) with ordinality as named(name, place)
        join pg_catalog.pg_attribute a on a.attrelid = $1::oid and a.attname = named.name
        join pg_catalog.pg_type t on t.oid = a.atttypid
        order by named.place
        """;

    // What a generated column is made of is kept as the column's own dependency, or since some version as its default's.
    internal const string GeneratedSql =
        """
        select a.attname::text, a.atttypid::bigint, pg_get_expr(f.adbin, f.adrelid), needed.names, needed.types
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
        cross join lateral (
          select coalesce(array_agg(n.attname::text order by n.attnum), '{}') as names, coalesce(array_agg(format_type(n.atttypid, n.atttypmod) order by n.attnum), '{}') as types
          from pg_catalog.pg_attribute n
          where n.attrelid = a.attrelid and n.attnum > 0 and n.attnum <> a.attnum
            and exists (
              select from pg_catalog.pg_depend d
              where d.refclassid = 'pg_class'::regclass and d.refobjid = a.attrelid and d.refobjsubid = n.attnum
                and ((d.classid = 'pg_class'::regclass and d.objid = a.attrelid and d.objsubid = a.attnum) or (d.classid = 'pg_attrdef'::regclass and d.objid = f.oid)))
        ) needed
        where a.attrelid = $1::oid and a.attgenerated <> '' and not a.attisdropped
        order by a.attnum
        """;

    internal const string TypesSql =
        """
        select t.oid::bigint, t.typname::text, t.typtype::text, t.typbasetype::bigint, case when t.typcategory = 'A' then t.typelem::bigint else 0 end,
          t.typdelim::text,
          array(select a.attname::text from pg_catalog.pg_attribute a where a.attrelid = t.typrelid and t.typrelid <> 0 and a.attnum > 0 and not a.attisdropped order by a.attnum),
          array(select a.atttypid::bigint from pg_catalog.pg_attribute a where a.attrelid = t.typrelid and t.typrelid <> 0 and a.attnum > 0 and not a.attisdropped order by a.attnum)
        from pg_catalog.pg_type t
        where t.oid = any($1::bigint[]::oid[])
        """;

    internal const string PublishedSql =
        """
        select t.schemaname::text, t.tablename::text, a.attname::text, coalesce(base.typname, ty.typname)::text,
          a.attgenerated = '' and pg_catalog.has_column_privilege($1, c.oid, a.attnum, 'select')
        from pg_catalog.pg_publication_tables t
        join pg_catalog.pg_namespace n on n.nspname = t.schemaname
        join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = t.tablename
        join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        join pg_catalog.pg_type ty on ty.oid = a.atttypid
        left join pg_catalog.pg_type base on base.oid = ty.typbasetype
        where t.pubname = 'voxbase_feed'
        """;

    private const string OutcomeTooEarly = "early";
    private const string OutcomeStale = "stale";
    private const string OutcomeMoved = "moved";
    private const string OutcomeLive = "live";

    private const string Tag = "$feed$";

    private readonly Dictionary<(uint Table, string Role, bool IsOfValues), (string Stamp, string Name)> functions = [];
    private int made;

    public bool IsOpen => connection.FullState == System.Data.ConnectionState.Open;

    public async Task<string?> StampAsync(uint table, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(StampSql, connection) { Parameters = { Oid(table) } };
        return await command.ExecuteScalarAsync(cancellationToken) as string;
    }

    public async Task<(string[] Key, string[] KeyTypes, string[] PolicyColumns, bool NamesWholeRow)?> TableAsync(uint table, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(TableSql, connection) { Parameters = { Oid(table) } };
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken)
            ? (row.GetFieldValue<string[]>(0), row.GetFieldValue<string[]>(1), row.GetFieldValue<string[]>(2), row.GetBoolean(3))
            : null;
    }

    public async Task<FeedAccess> AccessAsync(uint table, string role, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(AccessSql, connection) { Parameters = { Oid(table), Parameter.Text(role) } };
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        if (!await row.ReadAsync(cancellationToken) || !row.GetBoolean(0))
            return new FeedAccess([], SeesAll: false);
        return new FeedAccess([.. row.GetFieldValue<string[]>(1)], row.GetBoolean(2));
    }

    /// <summary>The columns of a table that are made of others and not in the log.</summary>
    public async Task<List<(string Name, uint Type, string Expression, string[] Needs, string[] Types)>> GeneratedAsync(WalRelation relation, CancellationToken cancellationToken)
    {
        var found = new List<(string, uint, string, string[], string[])>();
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await ExecuteAsync("set local search_path = ''", cancellationToken);
        await using var command = new NpgsqlCommand(GeneratedSql, connection) { Parameters = { Oid(relation.Oid) } };
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            if (!Array.Exists(relation.Columns, column => column.Name == row.GetString(0)))
                found.Add((row.GetString(0), (uint)row.GetInt64(1), row.GetString(2), row.GetFieldValue<string[]>(3), row.GetFieldValue<string[]>(4)));
        }

        return found;
    }

    /// <summary>Makes the generated columns of changes of their other values.</summary>
    public async Task GenerateAsync(FeedTable table, IReadOnlyList<WalChange> changes, CancellationToken cancellationToken)
    {
        var needs = table.Generated.SelectMany(column => column.Needs).Distinct().ToArray();
        var sources = needs.Select((need, i) => string.Create(CultureInfo.InvariantCulture, $"${i + 1}::text[]::{need.Type}[], "));
        await using var command = new NpgsqlCommand(
            $"""
            select {string.Join(", ", table.Generated.Select(column => $"({column.Expression})::text"))}
            from unnest({string.Concat(sources)}array_fill(0, array[{changes.Count.ToString(CultureInfo.InvariantCulture)}])) with ordinality
              as {Quoted(table.Name)}({string.Concat(needs.Select(need => Quoted(table.Relation.Columns[need.Column].Name) + ", "))}{GroupColumn}, {OrderColumn})
            order by {OrderColumn}
            """,
            connection);
        foreach (var need in needs)
        {
            command.Parameters.Add(Parameter.Texts(changes, change =>
                change.Values[need.Column] is { Length: >= 0 } value ? Encoding.UTF8.GetString(change.Text(value)) : null));
        }

        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        foreach (var change in changes)
        {
            await row.ReadAsync(cancellationToken);
            var values = new byte[]?[table.Generated.Length];
            for (var i = 0; i < values.Length; i++)
            {
                values[i] = Array.Exists(table.Generated[i].Needs, need => change.Values[need.Column].Length == WalValue.Unchanged) ? GeneratedValues.Unknown
                    : row.IsDBNull(i) ? null : Encoding.UTF8.GetBytes(row.GetString(i));
            }

            change.Generated = new GeneratedValues(table, values);
        }
    }

    /// <summary>
    /// A role's policies of a table as one expression over the columns that they name, or null where it takes the table's own rows: a policy that looks at the whole row
    /// or at system columns, or a column with an order of its own.
    /// </summary>
    public async Task<PolicyCondition?> ConditionAsync(FeedTable table, string role, CancellationToken cancellationToken)
    {
        if (table.PolicyNamesWholeRow || !table.ServiceSeesAll)
            return null;
        var names = table.PolicyColumns.Select(i => table.Relation.Columns[i].Name).ToArray();
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var types = new List<string>();
        await using (var command = new NpgsqlCommand(PolicyTypesSql, connection) { Parameters = { Oid(table.Relation.Oid), Parameter.Texts(names, static name => name) } })
        await using (var row = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await row.ReadAsync(cancellationToken) && row.GetBoolean(1))
                types.Add(row.GetString(0));
        }

        if (types.Count != names.Length)
            return null;
        await ExecuteAsync("set local search_path = ''", cancellationToken);
        string expression;
        await using (var command = new NpgsqlCommand(ConditionSql, connection) { Parameters = { Oid(table.Relation.Oid), Parameter.Text(role) } })
            expression = (string)(await command.ExecuteScalarAsync(cancellationToken))!;
        if (expression.Contains(Tag, StringComparison.Ordinal))
            return null;
        var found = new PolicyCondition(expression, [.. types]);
        try
        {
            // As it will be asked, of no rows: what names more than these columns fails here.
            await ExecuteAsync(
                $"""
                reset search_path; set local role {Quoted(role)};
                select from (select {string.Concat(names.Select((name, i) => $"null::{types[i]} as {Quoted(name)}, "))}1 as {GroupColumn} offset 0) as {Quoted(table.Name)}
                where {expression} limit 0
                """,
                cancellationToken);
            return found;
        }
        catch (PostgresException e) when (DataErrors.From(e) is not { Error.Kind: ErrorKind.Unavailable })
        {
            return null;
        }
    }

    public async Task<List<PublishedColumn>> PublishedAsync(string role, CancellationToken cancellationToken)
    {
        var found = new List<PublishedColumn>();
        await using var command = new NpgsqlCommand(PublishedSql, connection) { Parameters = { new NpgsqlParameter<string> { TypedValue = role } } };
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
            found.Add(new PublishedColumn(row.GetString(0), row.GetString(1), row.GetString(2), row.GetString(3), row.GetBoolean(4)));
        return found;
    }

    /// <summary>Adds the types with these ids, and those they are made of, to what is known.</summary>
    public async Task LoadTypesAsync(Dictionary<uint, FeedType> known, IEnumerable<uint> wanted, CancellationToken cancellationToken)
    {
        var missing = wanted.Where(oid => oid != 0 && !known.ContainsKey(oid)).Distinct().ToArray();
        if (missing.Length == 0)
            return;
        var found = new List<(uint Oid, string Name, string Kind, uint Base, uint Element, byte Delimiter, string[] Names, uint[] Types)>();
        await using (var command = new NpgsqlCommand(TypesSql, connection)
        {
            Parameters = { new NpgsqlParameter<long[]> { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bigint, TypedValue = [.. missing.Select(oid => (long)oid)] } },
        })
        {
            await using var row = await command.ExecuteReaderAsync(cancellationToken);
            while (await row.ReadAsync(cancellationToken))
            {
                found.Add((
                    (uint)row.GetInt64(0), row.GetString(1), row.GetString(2), (uint)row.GetInt64(3), (uint)row.GetInt64(4), (byte)row.GetString(5)[0],
                    row.GetFieldValue<string[]>(6), [.. row.GetFieldValue<long[]>(7).Select(oid => (uint)oid)]));
            }
        }

        await LoadTypesAsync(known, found.SelectMany(type => type.Types.Append(type.Base).Append(type.Element)), cancellationToken);
        foreach (var type in found)
        {
            var underlying = type.Kind == "d" ? known.GetValueOrDefault(type.Base, FeedType.Unknown) : null;
            known[type.Oid] = new FeedType(type.Name, underlying?.Form ?? FormOf(type.Name, type.Kind, type.Element))
            {
                BaseName = underlying?.BaseName ?? type.Name,
                Element = underlying?.Element ?? known.GetValueOrDefault(type.Element),
                Delimiter = type.Element != 0 && known.GetValueOrDefault(type.Element) is { } element ? element.Delimiter : type.Delimiter,
                Fields = underlying?.Fields
                    ?? [.. type.Names.Select((name, i) => (Encoding.UTF8.GetBytes(name), known.GetValueOrDefault(type.Types[i], FeedType.Unknown)))],
            };
        }

        // Dropped since: its values are still there as text.
        foreach (var oid in missing)
            known.TryAdd(oid, FeedType.Unknown);
    }

    /// <summary>
    /// Asks for each identity which groups it sees. May answer for the first of them alone when that took long: ask again for the others. Rows that are gone, or
    /// that differ now in what policies name, are in no group's answer and not in <c>Live</c>.
    /// </summary>
    /// <param name="table">The table.</param>
    /// <param name="rows">Its rows.</param>
    /// <param name="identities">Of one role.</param>
    /// <param name="wanted">For each, the groups to ask about, or null for all.</param>
    /// <param name="condition">The policies of the identities' role as an expression, so that not the table is asked but the values; null asks the table.</param>
    /// <param name="isKnown">Whether the rows are known to be as they are told: one of each group, as an answer before has said which are.</param>
    /// <param name="role">Of the identities.</param>
    /// <param name="isSafe">Whether an identity whose policy raises is told apart; costs a savepoint each.</param>
    /// <param name="budgetMs">After how long it stops to answer.</param>
    /// <param name="cancellationToken">Cancels the statement.</param>
    public async Task<(AskOutcome Outcome, HashSet<int> Live, List<Answer> Answers)> AskAsync(
        FeedTable table, AskedRows rows, PolicyCondition? condition, bool isKnown, string role, IReadOnlyList<AskedIdentity> identities, IReadOnlyList<int[]?> wanted, bool isSafe,
        double budgetMs, CancellationToken cancellationToken)
    {
        var name = await FunctionAsync(table, role, rows.IsWhole ? condition : null, cancellationToken);
        var places = string.Join(", ", Enumerable.Range(1, 8 + rows.Keys.Length + rows.Policy.Length).Select(i => "$" + i.ToString(CultureInfo.InvariantCulture)));
        await using var command = new NpgsqlCommand($"select a_identity, a_groups, a_fault, a_ms from pg_temp.{name}({places})", connection);
        command.Parameters.Add(new NpgsqlParameter<long[]> { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bigint, TypedValue = rows.Transactions });
        foreach (var column in rows.Keys)
            command.Parameters.Add(Parameter.Texts(column, static value => value));
        foreach (var column in rows.Policy)
            command.Parameters.Add(Parameter.Texts(column, static value => value));
        command.Parameters.Add(Parameter.Integers(rows.Groups, static value => value));
        command.Parameters.Add(Parameter.Boolean(isKnown));
        command.Parameters.Add(Parameter.Texts(identities, static identity => identity.Claims));
        command.Parameters.Add(Parameter.Texts(identities, static identity => identity.Key));
        command.Parameters.Add(Parameter.Texts(wanted, static groups => groups is null ? null : $"{{{string.Join(',', groups)}}}"));
        command.Parameters.Add(Parameter.Boolean(isSafe));
        command.Parameters.Add(Parameter.Double(budgetMs));

        var live = new HashSet<int>();
        var answers = new List<Answer>();
        var outcome = AskOutcome.Answered;
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            var groups = row.IsDBNull(1) ? [] : row.GetFieldValue<int[]>(1);
            var fault = row.IsDBNull(2) ? null : row.GetString(2);
            if (row.GetInt32(0) > 0)
            {
                answers.Add(new Answer(groups, fault, row.GetDouble(3)));
                continue;
            }

            switch (fault)
            {
                case OutcomeLive:
                    live.UnionWith(groups);
                    break;
                case OutcomeTooEarly:
                    outcome = AskOutcome.TooEarly;
                    break;
                case OutcomeStale:
                    outcome = AskOutcome.Stale;
                    break;
                case OutcomeMoved:
                    outcome = AskOutcome.Moved;
                    break;
            }
        }

        return (outcome, live, answers);
    }

    public ValueTask DisposeAsync() => connection.DisposeAsync();

    private static NpgsqlParameter<long> Oid(uint table) => new() { NpgsqlDbType = NpgsqlDbType.Bigint, TypedValue = table };

    private static JsonForm FormOf(string name, string kind, uint element) => (name, kind) switch
    {
        (_, "c") => JsonForm.Composite,
        _ when element != 0 => JsonForm.Array,
        ("bool", _) => JsonForm.Boolean,
        ("int2" or "int4" or "int8" or "float4" or "float8" or "numeric", _) => JsonForm.Number,
        ("json" or "jsonb", _) => JsonForm.Json,
        ("timestamp", _) => JsonForm.Timestamp,
        ("timestamptz", _) => JsonForm.TimestampTz,
        _ => JsonForm.Text,
    };

    private async Task<string> FunctionAsync(FeedTable table, string role, PolicyCondition? condition, CancellationToken cancellationToken)
    {
        var (place, stamp) = ((table.Relation.Oid, role, condition is not null), table.Stamp);
        if (functions.TryGetValue(place, out var known))
        {
            if (known.Stamp == stamp)
                return known.Name;
            await ExecuteAsync($"drop function pg_temp.{known.Name}", cancellationToken);
            await ExecuteAsync($"drop type if exists pg_temp.{RowOf(known.Name)}", cancellationToken);
            functions.Remove(place);
        }

        var name = string.Create(CultureInfo.InvariantCulture, $"feed_ask_{++made}");
        if (condition is not null)
            await ExecuteAsync($"create type pg_temp.{RowOf(name)} as ({string.Concat(condition.Types.Select((type, i) => $"p{i} {type}, "))}g int)", cancellationToken);
        await ExecuteAsync(FunctionText(name, table, role, condition), cancellationToken);
        functions[place] = (stamp, name);
        return name;
    }

    // First the service says which of the rows are as the change left them, in their key and in all that policies name, and one of each group is chosen. Then each
    // identity is asked about those: its policies, as an expression, about their values, or else the table. In the end it is looked whether all of this stood still
    // meanwhile. Where the service itself does not see every row, each row is a group.
    private static string FunctionText(string name, FeedTable table, string role, PolicyCondition? condition)
    {
        var columns = table.Relation.Columns;
        string Column(int i) => "t." + Quoted(columns[i].Name);
        var keys = Enumerable.Range(0, table.Key.Length).ToArray();
        var policies = Enumerable.Range(0, table.PolicyColumns.Length).ToArray();
        string Each(int[] which, Func<int, string> text) => string.Concat(which.Select(i => text(i) + ", "));
        string Same(string alias) => string.Concat(policies.Select(i =>
            $" and ({alias}.p{i} = chr(1) or {Column(table.PolicyColumns[i])}::text is not distinct from {alias}.p{i})"));
        string Joined(string alias) => string.Join(" and ", keys.Select(i => $"{Column(table.Key[i])} = {alias}.k{i}"));
        var from = $"{Quoted(table.Schema)}.{Quoted(table.Name)} t";
        var rows = $"unnest({Each(keys, i => $"a_k{i}::{table.KeyTypes[i]}[]")}{Each(policies, i => $"a_p{i}")}a_grp) with ordinality as b({Each(keys, i => $"k{i}")}{Each(policies, i => $"p{i}")}g, o)";
        var representatives = $"unnest({Each(keys, i => $"r_k{i}")}{Each(policies, i => $"r_p{i}")}r_g) as r({Each(keys, i => $"k{i}")}{Each(policies, i => $"p{i}")}g)";
        // A role without the privilege on a column that policies name cannot compare it.
        var guard = table.ServiceSeesAll ? "" : Same("r");
        var stamp = StampSql.Replace("$1::oid", table.Relation.Oid.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
        var checkStamp =
            $"""
              if ({stamp}) is distinct from {Literal(table.Stamp)} then
                a_identity := 0; a_fault := '{OutcomeStale}'; return next; return;
              end if;
            """;
        var seen = condition is null
            ? $"select r.g from {representatives} join {from} on {Joined("r")}{guard} where (asked.groups is null or r.g = any(asked.groups::int[]))"
            : $"""
              select {Quoted(table.Name)}.{GroupColumn}
              from unnest(v_rows) as {Quoted(table.Name)}({Each(policies, i => Quoted(columns[table.PolicyColumns[i]].Name))}{GroupColumn})
              where (asked.groups is null or {Quoted(table.Name)}.{GroupColumn} = any(asked.groups::int[])) and ({condition.Expression})
              """;
        var question = $"a_groups := array({seen});";
        var service = $"perform set_config('role', '{Caller.ServiceRole}', true);";
        return
            $"""
            create function pg_temp.{name}(
              a_xids bigint[], {Each(keys, i => $"a_k{i} text[]")}{Each(policies, i => $"a_p{i} text[]")}a_grp int[], a_known boolean, a_claims text[], a_keys text[], a_wanted text[],
              a_safe boolean, a_budget float8, out a_identity int, out a_groups int[], out a_fault text, out a_ms float8)
            returns setof record language plpgsql as {Tag}
            #variable_conflict use_column
            declare
              snapshot pg_snapshot := pg_current_snapshot();
              top bigint := pg_snapshot_xmax(snapshot)::text::bigint;
              started timestamptz := clock_timestamp();
              begun timestamptz;
              asked record;
              a_live int[];
              {string.Concat(keys.Select(i => $"r_k{i} {table.KeyTypes[i]}[]; "))}{string.Concat(policies.Select(i => $"r_p{i} text[]; "))}
              {(condition is null ? "" : $"v_rows pg_temp.{RowOf(name)}[];")}
              r_g int[];
            begin
            {checkStamp}
              if a_known then
                {string.Concat(keys.Select(i => $"r_k{i} := a_k{i}; "))}{string.Concat(policies.Select(i => $"r_p{i} := a_p{i}; "))}r_g := a_grp;
              else
                if exists (
                  select from unnest(a_xids) as x(id), lateral (select (top - x.id) & 4294967295) as behind(n)
                  where behind.n not between 1 and 2147483647 or not pg_visible_in_snapshot((top - behind.n)::text::xid8, snapshot)
                ) then
                  a_identity := 0; a_fault := '{OutcomeTooEarly}'; return next; return;
                end if;
                {(table.ServiceSeesAll
                  ? $"""
                    {service}
                    with live as materialized (select b.* from {rows} join {from} on {Joined("b")}{Same("b")}),
                      chosen as (select distinct on (l.g) l.* from live l order by l.g, l.o desc)
                    select (select array_agg(l.o::int) from live l), {Each(keys, i => $"array_agg(c.k{i})")}{Each(policies, i => $"array_agg(c.p{i})")}array_agg(c.g)
                    into a_live, {Each(keys, i => $"r_k{i}")}{Each(policies, i => $"r_p{i}")}r_g
                    from chosen c;
                    """
                  : $"""
                    select array_agg(b.o::int), {Each(keys, i => $"array_agg(b.k{i})")}{Each(policies, i => $"array_agg(b.p{i})")}array_agg(b.g)
                    into a_live, {Each(keys, i => $"r_k{i}")}{Each(policies, i => $"r_p{i}")}r_g
                    from {rows};
                    """)}
                a_identity := 0; a_fault := '{OutcomeLive}'; a_groups := a_live; return next;
                a_fault := null;
              end if;
              {(condition is null
                ? ""
                : $"v_rows := array(select row({Each(policies, i => $"r.p{i}::{condition.Types[i]}")}r.g)::pg_temp.{RowOf(name)} from unnest({Each(policies, i => $"r_p{i}")}r_g) as r({Each(policies, i => $"p{i}")}g));")}
              perform set_config('role', {Literal(role)}, true);
              for asked in select w.* from unnest(a_claims, a_keys, a_wanted) with ordinality as w(claims, caller, groups, place) loop
                begun := clock_timestamp();
                perform set_config('request.jwt.claims', asked.claims, true), set_config('vox.caller', asked.caller, true);
                a_fault := null;
                a_groups := null;
                if r_g is not null then
                  if a_safe then
                    begin
                      {question}
                    exception when others then
                      a_fault := sqlstate;
                    end;
                  else
                    {question}
                  end if;
                end if;
                a_identity := asked.place::int;
                a_ms := extract(epoch from clock_timestamp() - begun) * 1000;
                return next;
                exit when extract(epoch from clock_timestamp() - started) * 1000 > a_budget;
              end loop;
              a_groups := null;
              {(table.ServiceSeesAll && condition is null
                ? $"""
                  {service}
                  if r_g is not null and (select count(*) from {representatives} join {from} on {Joined("r")}{Same("r")}) <> cardinality(r_g) then
                    a_identity := 0; a_fault := '{OutcomeMoved}'; return next; return;
                  end if;
                  """
                : "")}
            {checkStamp}
            end
            {Tag}
            """;
    }

    // The values that policies are asked about, as one array of rows: several arrays would be put together anew for each identity.
    private static string RowOf(string function) => function + "_row";

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    // No column of anybody's.
    private const string GroupColumn = "\"voxbase feed's group\"";

    private const string OrderColumn = "\"voxbase feed's order\"";

    private static string Quoted(string name) => "\"" + name.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";

    private static string Literal(string text) => "'" + text.Replace("'", "''", StringComparison.Ordinal) + "'";
}
