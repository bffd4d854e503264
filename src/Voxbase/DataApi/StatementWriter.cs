using NpgsqlTypes;

namespace Voxbase.DataApi;

/// <summary>
/// From a plan to the one statement that does it. Its row: total, rows, headers, status, inserted, location, and last the body, which
/// PostgreSQL has made and may be long.
/// </summary>
internal sealed class StatementWriter(SqlText sql, RequestPlan plan, Payload? payload, SchemaCache cache, Preferences preferences)
{
    /// <summary>The columns of the row.</summary>
    public const int Total = 0;

    /// <inheritdoc cref="Total"/>
    public const int Rows = 1;

    /// <inheritdoc cref="Total"/>
    public const int Headers = 2;

    /// <inheritdoc cref="Total"/>
    public const int Status = 3;

    /// <inheritdoc cref="Total"/>
    public const int Inserted = 4;

    /// <inheritdoc cref="Total"/>
    public const int Location = 5;

    /// <inheritdoc cref="Total"/>
    public const int Body = 6;

    private const string Source = "pgrst_source";
    private const string Answer = "_postgrest_t";
    private const string InsertedSetting = "nullif(current_setting('pgrst.inserted', true), '')";

    // A function of one value answers one row, whatever it is.
    private bool CountsOne => plan.Call?.Routine.ReturnsOne == true;

    public static SqlText Write(RequestPlan plan, Payload? payload, SchemaCache cache, Preferences preferences)
    {
        var sql = new SqlText();
        if (plan.Media.Kind == MediaKind.Plan)
            sql.Add("explain (").Add(plan.Media.PlanOptions).Add(") ");
        new StatementWriter(sql, plan, payload, cache, preferences).Main();
        return sql;
    }

    /// <summary>The statement whose plan tells about how many rows there are.</summary>
    public static SqlText WriteEstimate(RequestPlan plan, SchemaCache cache, Preferences preferences)
    {
        var sql = new SqlText();
        sql.Add("explain (format json) ");
        new StatementWriter(sql, plan, null, cache, preferences).CountQuery(plan.Root);
        return sql;
    }

    private void Main()
    {
        var needsSource = plan.Operation != Operation.Read || plan.Media.Body == MediaKind.Csv;
        if (needsSource)
        {
            sql.Add("with ").Add(Source).Add(" as (");
            if (plan.Write is { } write)
                Write(write);
            else if (plan.Call is { } call)
                Call(call);
            else
                Query(plan.Root);
            sql.Add(") ");
        }

        sql.Add("select ");
        TotalOf();
        sql.Add(", ").Add(CountsOne ? "1::bigint" : $"count({Answer})");
        sql.Add(", nullif(current_setting('response.headers', true), ''), nullif(current_setting('response.status', true), ''), ");
        sql.Add(plan.Write is { MergesDuplicates: true, Operation: Operation.Insert or Operation.Upsert } ? $"{InsertedSetting}::bigint" : "null::bigint").Add(", ");
        LocationOf();
        sql.Add(", ");
        BodyOf();
        sql.Add(" from (");
        if (plan.Operation == Operation.Read)
        {
            if (needsSource)
                sql.Add("select * from ").Add(Source);
            else
                Query(plan.Root);
        }
        else if (plan.Write is not null && !plan.WritesBody)
        {
            sql.Add("select * from ").Add(Source);
        }
        else
        {
            Query(plan.Root);
        }

        sql.Add(") ").Add(Answer);
    }

    private void TotalOf()
    {
        if (plan.Write is not null || preferences.Count is not (Count.Exact or Count.Estimated))
        {
            sql.Add("null::bigint");
            return;
        }

        if (plan.Root.Range.IsAll)
        {
            sql.Add(CountsOne ? "1::bigint" : $"count({Answer})");
            return;
        }

        sql.Add("(select count(*) from (");
        CountQuery(plan.Root);
        // One more tells that there are more than an answer can hold.
        if (preferences.Count == Count.Estimated && cache.Settings.MaxRows is { } most)
            sql.Add(" limit ").Value(most + 1);
        sql.Add(") as counted)");
    }

    private void LocationOf()
    {
        if (plan.Write is not { Operation: Operation.Insert, Table.PrimaryKey: { Length: > 0 } key } || preferences.Representation != Representation.HeadersOnly)
        {
            sql.Add("null::text[]");
            return;
        }

        sql.Add($"case when count({Answer}) = 1 then (select array_agg(array[k.key, coalesce('eq.' || k.value, 'is.null')]) from (select row_to_json(s) as row from ")
            .Add(Source).Add(" s limit 1) as one cross join json_each_text(one.row) as k where k.key in (").Each(key, ", ", column => sql.Literal(column))
            .Add(")) end");
    }

    private void BodyOf()
    {
        if (!plan.WritesBody && plan.Media.Kind != MediaKind.Plan)
        {
            sql.Add("''::text");
            return;
        }

        var routine = plan.Call?.Routine;
        var value = routine is not null && (routine.ReturnsScalar || routine.ReturnsSetOfScalar) ? $"{Answer}.pgrst_scalar" : Answer;
        switch (plan.Media.Body)
        {
            case MediaKind.Csv:
                sql.Add("coalesce((select string_agg(h.k, ',') from (select json_object_keys(row_to_json(f)) as k from (select * from ").Add(Source)
                    .Add(" limit 1) as f) as h), '') || E'\\n' || ")
                    .Add($"coalesce(string_agg(substring({Answer}::text, 2, length({Answer}::text) - 2), E'\\n'), '')");
                break;
            case MediaKind.Own:
                Own(plan.Media.Handler!, value);
                break;
            case MediaKind.GeoJson:
                sql.Add("json_build_object('type', 'FeatureCollection', 'features', coalesce(json_agg(st_asgeojson(").Add(Answer).Add(")::json), '[]'))::text");
                break;
            case MediaKind.Object:
                sql.Add("coalesce(json_agg(").Add(value).Add(")->0, 'null')::text");
                break;
            case MediaKind.ObjectStripped:
                sql.Add("coalesce(json_strip_nulls(json_agg(").Add(value).Add(")->0), 'null')::text");
                break;
            case MediaKind.ArrayStripped when routine is null or { ReturnsScalar: false, ReturnsOneRow: false }:
                sql.Add("coalesce(json_strip_nulls(json_agg(").Add(value).Add(")), '[]')::text");
                break;
            case MediaKind.ArrayStripped:
                sql.Add("coalesce(json_strip_nulls(json_agg(").Add(value).Add(")->0), 'null')::text");
                break;
            default:
                sql.Add(routine is { ReturnsScalar: true } or { ReturnsOneRow: true } ? "coalesce(json_agg(" : "coalesce(json_agg(").Add(value)
                    .Add(routine is { ReturnsScalar: true } or { ReturnsOneRow: true } ? ")->0, 'null')::text" : "), '[]')::text");
                break;
        }
    }

    private void Own(MediaHandler handler, string value)
    {
        if (handler.Aggregate is null)
        {
            sql.Add(value);
        }
        else
        {
            sql.Add(handler.Aggregate).Add("(").Add(value);
            if (handler.Target is { } table)
                sql.Add("::").Name(table);
            sql.Add(")");
        }

        sql.Add(handler.IsBinary ? "::bytea" : "::text");
    }

    private void Query(ReadNode node)
    {
        var grouped = IsGrouped(node);
        var terms = new List<int>();
        var place = 0;
        sql.Add("select ");
        void Next()
        {
            if (place++ > 0)
                sql.Add(", ");
        }

        if (node.Select.Count == 0 && node.Children.Count == 0)
        {
            Next();
            sql.Column(node.RowAlias, "*");
        }

        foreach (var each in node.Select)
        {
            if (each.Field.IsStar && each.Aggregate == Aggregate.None && node.Parent is null && plan.Operation != Operation.Read && HasComputed(node))
            {
                // The source has the computed columns too; a star would answer them twice.
                foreach (var column in node.Shape.Table!.Columns)
                {
                    Next();
                    sql.Column(node.RowAlias, column.Name);
                }

                continue;
            }

            Next();
            if (each.Aggregate == Aggregate.None)
                terms.Add(place);
            Select(node, each);
        }

        foreach (var child in node.Children)
        {
            if (child.Spread != SpreadKind.None)
            {
                foreach (var item in child.SpreadItems)
                {
                    Next();
                    if (ItemAggregate(node, child, item) is var aggregate && aggregate.Aggregate == Aggregate.None)
                        terms.Add(place);
                    SpreadColumn(child, aggregate);
                }
            }
            else if (!child.IsEmptyEmbed)
            {
                Next();
                terms.Add(place);
                if (child.IsToOne)
                    sql.Add("row_to_json(").Name(child.JoinAlias).Add(".*)").Add(grouped ? "::jsonb" : "");
                else
                    sql.Add("coalesce(").Name(child.JoinAlias).Add(".").Name(child.JoinAlias).Add(", '[]')").Add(grouped ? "::jsonb" : "");
                sql.Add(" as ").Name(child.Output);
            }
        }

        From(node);
        foreach (var child in node.Children)
            Join(child);
        Where(node, isCount: false);
        if (node.HasAggregates && terms.Count > 0)
            sql.Add(" group by ").Each(terms, ", ", term => sql.Add(term.ToString(System.Globalization.CultureInfo.InvariantCulture)));
        if (node.Order.Count > 0)
        {
            sql.Add(" order by ").Each(node.Order, ", ", order =>
            {
                OrderField(node, order);
                Direction(order);
            });
        }

        if (node.Range.Limit is { } limit)
            sql.Add(" limit ").Value(limit);
        if (node.Range.Offset > 0)
            sql.Add(" offset ").Value(node.Range.Offset);
    }

    // Whether its columns are compared with those of other rows, here or, spread, in the row where they land: json cannot be.
    private static bool IsGrouped(ReadNode node) => node.HasAggregates || (node.Spread == SpreadKind.ToOne && IsGrouped(node.Parent!));

    // Hoisted aggregates stand where a row lands that is no spread itself.
    private static SpreadItem ItemAggregate(ReadNode node, ReadNode child, SpreadItem item) =>
        node.Spread == SpreadKind.None && child.Spread == SpreadKind.ToOne ? item : item with { Aggregate = Aggregate.None };

    private void SpreadColumn(ReadNode child, SpreadItem item)
    {
        var cast = item.Aggregate != Aggregate.None && item.AggregateCast is not null;
        if (cast)
            sql.Add("cast(");
        if (item.Aggregate != Aggregate.None)
            sql.Add(NameOf(item.Aggregate)).Add("(");
        sql.Column(child.JoinAlias, item.Name);
        if (item.Aggregate != Aggregate.None)
            sql.Add(")");
        if (cast)
            sql.Add(" as ").Add(item.AggregateCast!).Add(")");
        if (item.Alias is not null && item.Name != "*")
            sql.Add(" as ").Name(item.Alias);
    }

    private void Select(ReadNode node, PlanSelect each)
    {
        var castsAggregate = each.Aggregate != Aggregate.None && each.AggregateCast is not null;
        // An aggregate is one of values, not of how they are written.
        var formatter = each.Aggregate == Aggregate.None ? each.Field.Form?.ToJson : null;
        if (castsAggregate)
            sql.Add("cast(");
        if (each.Aggregate != Aggregate.None)
            sql.Add(NameOf(each.Aggregate)).Add("(");
        if (each.Cast is not null)
            sql.Add("cast(");
        if (each.IsWholeRow)
            sql.Name(node.RowAlias);
        else if (each.Aggregate == Aggregate.Count && each.Field.IsStar)
            sql.Add("*");
        else if (formatter is not null)
            sql.Add(formatter).Add("(").Column(node.RowAlias, each.Field.Name).Add(")");
        else
            Field(node, each.Field);
        if (each.Cast is not null)
            sql.Add(" as ").Add(each.Cast).Add(")");
        if (each.Aggregate != Aggregate.None)
            sql.Add(")");
        if (castsAggregate)
            sql.Add(" as ").Add(each.AggregateCast!).Add(")");
        if (each.Alias is not null)
            sql.Add(" as ").Name(each.Alias);
        // A cast, a function or an aggregate of a column is otherwise named by its type or by itself; the first two shall be the column's.
        else if ((each.Cast ?? formatter) is not null && each.Aggregate == Aggregate.None)
            sql.Add(" as ").Name(each.Field.Name);
    }

    private static string NameOf(Aggregate aggregate) => aggregate switch
    {
        Aggregate.Sum => "sum",
        Aggregate.Avg => "avg",
        Aggregate.Count => "count",
        Aggregate.Min => "min",
        _ => "max",
    };

    private void Field(ReadNode node, PlanField field) => Field(node.RowAlias, field);

    private void Field(string row, PlanField field)
    {
        if (field.NeedsJson)
            sql.Add("to_jsonb(").Column(row, field.Name).Add(")");
        else
            sql.Column(row, field.Name);
        foreach (var step in field.Path)
        {
            sql.Add(step.AsText ? "->>" : "->").Value(step.Key);
            if (step.IsIndex)
                sql.Add("::int");
        }
    }

    private void From(ReadNode node)
    {
        sql.Add(" from ");
        if (node.Relationship is { Cardinality: Cardinality.Computed } computed)
        {
            sql.Name(computed.Function).Add("(");
            if (node.Parent!.Parent is null && plan.Operation != Operation.Read)
            {
                // The source's rows are no rows of the table; they can be made some.
                sql.Add("row(").Each(node.Parent.Shape.Table!.Columns, ", ", column => sql.Column(node.Parent.RowAlias, column.Name)).Add(")");
            }
            else
            {
                sql.Name(node.Parent.RowAlias);
            }

            sql.Add("::").Name(computed.Table).Add(") as ").Name(node.RowAlias);
            return;
        }

        if (node.Parent is null && plan.Operation != Operation.Read)
            sql.Add(Source).Add(" as ").Name(node.RowAlias);
        else if (node.Parent is null)
            RootTable(node);
        else
            sql.Name(node.Relationship!.Target).Add(" as ").Name(node.RowAlias);
        if (node.Relationship?.Junction is { } junction)
            sql.Add(", ").Name(junction.Table).Add(" as ").Name(node.JoinAlias + "_between");
    }

    private void RootTable(ReadNode node)
    {
        var table = node.Shape.Table!.Name;
        sql.Name(table);
        if (node.RowAlias != table.Name)
            sql.Add(" as ").Name(node.RowAlias);
    }

    private void Join(ReadNode child)
    {
        sql.Add(child.IsInner ? " inner join lateral (" : " left join lateral (");
        if (child.IsToOne)
        {
            Query(child);
            sql.Add(") as ").Name(child.JoinAlias).Add(" on true");
            return;
        }

        var rows = child.JoinAlias + "_rows";
        sql.Add("select json_agg(").Name(rows).Add(")").Add(IsGrouped(child.Parent!) ? "::jsonb" : "").Add(" as ").Name(child.JoinAlias);
        if (child.Spread == SpreadKind.ToMany)
        {
            foreach (var item in child.SpreadItems)
                sql.Add(", coalesce(json_agg(").Column(rows, item.Name).Add("), '[]')::jsonb as ").Name(item.Output);
        }

        sql.Add(" from (");
        Query(child);
        sql.Add(") as ").Name(rows).Add(") as ").Name(child.JoinAlias).Add(" on ");
        if (child.IsInner)
            sql.Name(child.JoinAlias).Add(".").Name(child.JoinAlias).Add(" is not null");
        else
            sql.Add("true");
    }

    private void OrderField(ReadNode node, PlanOrder order)
    {
        if (order.Relation is null)
        {
            Field(node, order.Field);
            return;
        }

        Field(order.Relation.JoinAlias, order.Field);
    }

    private void Direction(PlanOrder order)
    {
        sql.Add(order.IsDescending switch { true => " desc", false => " asc", null => "" });
        sql.Add(order.IsNullsFirst switch { true => " nulls first", false => " nulls last", null => "" });
    }

    private void Where(ReadNode node, bool isCount)
    {
        var isFirst = true;
        void Next()
        {
            sql.Add(isFirst ? " where " : " and ");
            isFirst = false;
        }

        foreach (var condition in node.Where)
        {
            Next();
            Is(condition, node.RowAlias, isCount);
        }

        if (node.Relationship is { } relationship)
        {
            var parent = node.Parent!.RowAlias;
            if (relationship.Junction is { } junction)
            {
                foreach (var (theirs, own) in junction.Target)
                {
                    Next();
                    sql.Column(node.RowAlias, theirs).Add(" = ").Column(node.JoinAlias + "_between", own);
                }

                foreach (var (theirs, own) in junction.Source)
                {
                    Next();
                    sql.Column(parent, theirs).Add(" = ").Column(node.JoinAlias + "_between", own);
                }
            }

            foreach (var (own, theirs) in relationship.Columns)
            {
                Next();
                sql.Column(node.RowAlias, theirs).Add(" = ").Column(parent, own);
            }
        }

        if (!isCount)
            return;
        foreach (var child in node.Children.Where(child => child.IsInner))
        {
            Next();
            sql.Add("exists (");
            CountQuery(child);
            sql.Add(")");
        }
    }

    private void CountQuery(ReadNode node)
    {
        sql.Add("select 1");
        From(node);
        Where(node, isCount: true);
    }

    private void Is(Condition condition, string row, bool isCount)
    {
        switch (condition)
        {
            case GroupCondition group:
                sql.Add(group.IsNot ? "not (" : "(").Each(group.Members, group.IsOr ? " or " : " and ", member => Is(member, row, isCount)).Add(")");
                break;
            case EmbedCondition embed when isCount:
                sql.Add(embed.IsNull ? "not exists (" : "exists (");
                CountQuery(embed.Node);
                sql.Add(")");
                break;
            case EmbedCondition { Node: var node } embed:
                sql.Name(node.JoinAlias);
                if (node.IsToOne)
                    sql.Add(embed.IsNull ? " is not distinct from null" : " is distinct from null");
                else
                    sql.Add(".").Name(node.JoinAlias).Add(embed.IsNull ? " is null" : " is not null");
                break;
            case FilterCondition compare:
                Compare(compare.Field, compare.Filter, row);
                break;
        }
    }

    private void Compare(PlanField field, Filter filter, string row)
    {
        if (filter.IsNot)
            sql.Add("not ");
        var isSearch = filter.Operator >= Operator.Fts;
        var asVector = isSearch && !(field.Type == "tsvector" && field.Path.Count == 0);
        if (asVector)
        {
            sql.Add("to_tsvector(");
            if (filter.Language is not null)
                sql.Value(filter.Language).Add("::regconfig, ");
        }

        Field(row, field);
        if (asVector)
            sql.Add(")");
        switch (filter.Operator)
        {
            case Operator.Is:
                sql.Add(" is ").Add(filter.Value switch
                {
                    "null" => "null",
                    "not_null" => "not null",
                    "true" => "true",
                    "false" => "false",
                    _ => "unknown",
                });
                break;
            case Operator.In:
                Array(" = any(", ArrayOf(filter.Values!), field);
                break;
            case Operator.IsDistinct:
                sql.Add(" is distinct from ");
                Value(filter.Value, field);
                break;
            case Operator.Fts or Operator.PlainFts or Operator.PhraseFts or Operator.WebFts:
                sql.Add(filter.Operator switch
                {
                    Operator.Fts => " @@ to_tsquery(",
                    Operator.PlainFts => " @@ plainto_tsquery(",
                    Operator.PhraseFts => " @@ phraseto_tsquery(",
                    _ => " @@ websearch_to_tsquery(",
                });
                if (filter.Language is not null)
                    sql.Value(filter.Language).Add("::regconfig, ");
                sql.Value(filter.Value).Add(")");
                break;
            default:
                sql.Add(SignOf(filter.Operator));
                var isPattern = filter.Operator is Operator.Like or Operator.ILike or Operator.Match or Operator.IMatch;
                var value = filter.Operator is Operator.Like or Operator.ILike ? filter.Value.Replace('*', '%') : filter.Value;
                if (isPattern)
                    field = field with { Form = null };
                if (filter.Quantifier == Quantifier.None)
                    Value(value, field);
                else
                    Array(filter.Quantifier == Quantifier.Any ? "any(" : "all(", value, field);
                break;
        }
    }

    // What a field is compared with, which its domain may read in a way of its own.
    private void Value(string value, PlanField field)
    {
        if (field.Form?.FromText is { } parser)
            sql.Add(parser).Add("(").Value(value).Add(")");
        else
            sql.Value(value);
    }

    private void Array(string before, string array, PlanField field)
    {
        sql.Add(before);
        if (field.Form?.FromText is { } parser)
            sql.Add("array(select ").Add(parser).Add("(each) from unnest(").Value(array).Add("::text[]) as each)");
        else
            sql.Value(array);
        sql.Add(")");
    }

    private static string SignOf(Operator op) => op switch
    {
        Operator.Eq => " = ",
        Operator.Neq => " <> ",
        Operator.Gt => " > ",
        Operator.Gte => " >= ",
        Operator.Lt => " < ",
        Operator.Lte => " <= ",
        Operator.Like => " like ",
        Operator.ILike => " ilike ",
        Operator.Match => " ~ ",
        Operator.IMatch => " ~* ",
        Operator.Contains => " @> ",
        Operator.Contained => " <@ ",
        Operator.Overlaps => " && ",
        Operator.StrictlyLeft => " << ",
        Operator.StrictlyRight => " >> ",
        Operator.NotExtendsRight => " &< ",
        Operator.NotExtendsLeft => " &> ",
        Operator.Adjacent => " -|- ",
        _ => throw new ArgumentOutOfRangeException(nameof(op), op, null),
    };

    /// <summary>One array of a type that PostgreSQL finds out: the statement stays the same, however many there are.</summary>
    internal static string ArrayOf(IReadOnlyList<string> values)
    {
        if (values is [""])
            return "{}";
        var array = new System.Text.StringBuilder("{");
        foreach (var value in values)
        {
            array.Append(array.Length > 1 ? ",\"" : "\"")
                .Append(value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)).Append('"');
        }

        return array.Append('}').ToString();
    }

    private void Write(WritePlan write)
    {
        var table = write.Table.Name;
        switch (write.Operation)
        {
            case Operation.Delete:
                sql.Add("delete from ").Name(table);
                Conditions(write, table.Name);
                break;
            case Operation.Update when write.Columns.Count == 0:
                // Nothing to set: nothing is found, and the answer has the columns asked for.
                sql.Add("select ");
                Returning(table.Name, "null");
                sql.Add(" from ").Name(table).Add(" where false");
                return;
            case Operation.Update:
                sql.Add("update ").Name(table).Add(" set ").Each(write.Columns, ", ", column => sql.Name(column.Name).Add(" = pgrst_body.").Name(column.Name));
                BodyRows(write.Columns, write.AppliesDefaults, isOne: false);
                Conditions(write, table.Name);
                break;
            default:
                Insert(write, table);
                break;
        }

        sql.Add(" returning ");
        Returning(table.Name, "1");
    }

    private void Insert(WritePlan write, QName table)
    {
        sql.Add("insert into ").Name(table);
        if (write.Columns.Count > 0)
            sql.Add(" (").Each(write.Columns, ", ", column => sql.Name(column.Name)).Add(")");
        sql.Add(" select ").Each(write.Columns, ", ", column => sql.Add("pgrst_body.").Name(column.Name));
        BodyRows(write.Columns, write.AppliesDefaults, isOne: false);
        var counts = write.MergesDuplicates && write.Conflict.Count > 0;
        if (write.Operation == Operation.Upsert)
            Conditions(write, "pgrst_body");
        // How many were inserted rather than updated: each row adds one, and each that meets another takes it back.
        if (counts)
            sql.Add(write.Operation == Operation.Upsert ? " and " : " where ").Add(Tally("+ 1", "0"));
        if (write.Conflict.Count == 0)
            return;
        sql.Add(" on conflict (").Each(write.Conflict, ", ", column => sql.Name(column)).Add(")");
        if (!write.MergesDuplicates || write.Columns.Count == 0)
        {
            sql.Add(" do nothing");
            return;
        }

        sql.Add(" do update set ").Each(write.Columns, ", ", column => sql.Name(column.Name).Add(" = excluded.").Name(column.Name));
        if (counts)
            sql.Add(" where ").Add(Tally("- 1", "-1"));
    }

    private static string Tally(string change, string never) =>
        $"set_config('pgrst.inserted', (coalesce({InsertedSetting}::int, 0) {change})::text, true) <> '{never}'";

    private void Conditions(WritePlan write, string row)
    {
        if (write.Where.Count > 0)
            sql.Add(" where ").Each(write.Where, " and ", condition => Is(condition, row, isCount: false));
    }

    // The body as a whole is one parameter; PostgreSQL takes it apart.
    private void BodyRows(IReadOnlyList<Column> columns, bool appliesDefaults, bool isOne) =>
        BodyRows(
            [.. columns.Select(column => column.Form?.FromJson is { } parser ? (column.Name, "json", parser) : (column.Name, column.NominalType, (string?)null))],
            appliesDefaults ? columns : null, isOne);

    private void BodyRows(IReadOnlyList<(string Name, string Type, string? Parser)> columns, IReadOnlyList<Column>? defaults, bool isOne)
    {
        var isObject = payload!.IsObject;
        var (kind, source) = defaults is null ? ("json", "pgrst_payload.json_data") : ("jsonb", "pgrst_filled.val");
        sql.Add(" from (select ").Value(payload.Bytes, defaults is null ? NpgsqlDbType.Json : NpgsqlDbType.Jsonb).Add(" as json_data) pgrst_payload, ");
        if (defaults is not null)
        {
            void Defaults() => sql.Add("jsonb_build_object(").Each(defaults.Where(column => column.Default is not null), ", ",
                column => Default(column)).Add(") || ");
            sql.Add("lateral (select ");
            if (isObject)
            {
                Defaults();
                sql.Add("pgrst_payload.json_data as val");
            }
            else
            {
                sql.Add("jsonb_agg(");
                Defaults();
                sql.Add("elem) as val from jsonb_array_elements(pgrst_payload.json_data) elem");
            }

            sql.Add(") pgrst_filled, ");
        }

        sql.Add("lateral (select ").Each(columns, ", ", column =>
        {
            if (column.Parser is not null)
                sql.Add(column.Parser).Add("(").Name(column.Name).Add(") as ");
            sql.Name(column.Name);
        }).Add(" from ");
        if (columns.Count > 0)
        {
            sql.Add(kind).Add(isObject ? "_to_record(" : "_to_recordset(").Add(source).Add(") as _(")
                .Each(columns, ", ", column => sql.Name(column.Name).Add(" ").Add(column.Type)).Add(")");
        }
        else
        {
            sql.Add(isObject ? "(values (1)) _" : $"{kind}_array_elements({source}) _");
        }

        sql.Add(isOne ? " limit 1" : "").Add(") pgrst_body");
    }

    // As the body would have it.
    private void Default(Column column)
    {
        sql.Literal(column.Name).Add(", ");
        if (column.Form is { FromJson: not null, ToJson: { } formatter })
            sql.Add(formatter).Add("((").Add(column.Default!).Add(")::").Add(column.NominalType).Add(")");
        else
            sql.Add(column.Default!);
    }

    private void Returning(string row, string nothing)
    {
        var names = Needed();
        if (names.Count == 0)
            sql.Add(nothing);
        else
            sql.Each(names, ", ", name => sql.Column(row, name));
    }

    // The columns of the source that the answer, its embedded relations, its order and its place need.
    private List<string> Needed()
    {
        var (root, table) = (plan.Root, plan.Root.Shape.Table);
        var names = new List<string>();
        if (plan.Write is { } write)
        {
            if (preferences.Representation == Representation.HeadersOnly && write.Operation == Operation.Insert)
                return [.. write.Table.PrimaryKey];
            if (!plan.WritesBody)
                return names;
        }

        var hasStar = root.Select.Exists(each => each.Field.IsStar) || root.Children.Exists(child => child.Relationship?.Cardinality == Cardinality.Computed);
        var computed = HasComputed(root);
        if (hasStar && (!computed || table is null))
            return ["*"];
        if (hasStar)
            names.AddRange(table!.Columns.Select(column => column.Name));
        foreach (var each in root.Select.Where(each => !each.Field.IsStar))
            Need(each.Field.Name);
        foreach (var order in root.Order.Where(order => order.Relation is null))
            Need(order.Field.Name);
        foreach (var condition in root.Where)
            NeedAll(condition);
        foreach (var child in root.Children)
        {
            foreach (var (own, _) in child.Relationship!.Columns)
                Need(own);
            foreach (var (theirs, _) in child.Relationship.Junction?.Source ?? [])
                Need(theirs);
        }

        return names;

        void Need(string name)
        {
            if (!names.Contains(name))
                names.Add(name);
        }

        void NeedAll(Condition condition)
        {
            if (condition is FilterCondition filter)
                Need(filter.Field.Name);
            else if (condition is GroupCondition group)
                group.Members.ToList().ForEach(NeedAll);
        }
    }

    private static bool HasComputed(ReadNode root) =>
        root.Select.Exists(each => root.Shape.IsComputed(each.Field.Name)) || root.Order.Exists(each => each.Relation is null && root.Shape.IsComputed(each.Field.Name))
        || root.Where.Exists(condition => Uses(root, condition));

    private static bool Uses(ReadNode root, Condition condition) => condition switch
    {
        FilterCondition filter => root.Shape.IsComputed(filter.Field.Name),
        GroupCondition group => group.Members.Any(member => Uses(root, member)),
        _ => false,
    };

    private void Call(CallPlan call)
    {
        var routine = call.Routine;
        var isScalar = routine.ReturnsScalar || routine.ReturnsSetOfScalar;
        sql.Add("select ");
        if (isScalar)
        {
            sql.Add("pgrst_call.pgrst_scalar");
        }
        else
        {
            var names = Needed();
            if (names.Count == 0)
                sql.Add("pgrst_call.*");
            else
                sql.Each(names, ", ", name => sql.Column("pgrst_call", name));
        }

        if (call.TakesBody || call.Parameters.Count == 0 || call.Arguments is not null)
        {
            sql.Add(" from ");
        }
        else
        {
            BodyRows([.. call.Parameters.Select(parameter => (parameter.Name, parameter.CastType, (string?)null))], null, isOne: true);
            sql.Add(", lateral ");
        }

        sql.Add(isScalar ? "(select " : "").Name(routine.Name).Add("(");
        if (call.TakesBody)
            WholeBody(call.Parameters[0]);
        else
            sql.Each(call.Parameters, ", ", parameter => Argument(call, parameter));
        sql.Add(isScalar ? ") as pgrst_scalar) pgrst_call" : ") pgrst_call");
    }

    private void Argument(CallPlan call, RoutineParameter parameter)
    {
        sql.Add(parameter.IsVariadic ? "variadic " : "").Name(parameter.Name).Add(" := ");
        if (call.Arguments is not { } arguments)
            sql.Add("pgrst_body.").Name(parameter.Name);
        else if (parameter.IsVariadic)
            sql.Value([.. arguments[parameter.Name]]).Add("::").Add(parameter.CastType);
        else
            sql.Value(arguments[parameter.Name][^1]).Add("::").Add(parameter.CastType);
    }

    private void WholeBody(RoutineParameter parameter)
    {
        var type = parameter.Type switch
        {
            "json" => NpgsqlDbType.Json,
            "jsonb" => NpgsqlDbType.Jsonb,
            "bytea" => NpgsqlDbType.Bytea,
            _ => NpgsqlDbType.Text,
        };
        if (payload is null)
            sql.Add("null::").Add(parameter.CastType);
        else if (type == NpgsqlDbType.Text)
            sql.Value(System.Text.Encoding.UTF8.GetString(payload.Bytes.Span)).Add("::").Add(parameter.CastType);
        else
            sql.Value(payload.Bytes, type);
    }
}
