using System.Globalization;
using System.Text;

namespace Voxbase.DataApi;

/// <summary>
/// From a parsed query and the catalogs to a plan: every name that the client wrote becomes a name that the catalogs know, or an error.
/// Pure: the same request and cache give the same plan.
/// </summary>
internal sealed class Planner
{
    private const int MaxIdentifierBytes = 63;

    // The order in which several relationships are told.
    private static readonly Cardinality[] Told = [Cardinality.OneToMany, Cardinality.ManyToOne, Cardinality.OneToOne, Cardinality.ManyToMany];

    private readonly ApiRequest request;
    private readonly SchemaCache cache;
    private readonly string schema;
    private readonly ParsedQuery query;
    private readonly Preferences preferences;
    private readonly string[] searchPath;
    private int aliases;

    private Planner(ApiRequest request, SchemaCache cache, string schema, ParsedQuery query, Preferences preferences)
    {
        (this.request, this.cache, this.schema, this.query, this.preferences) = (request, cache, schema, query, preferences);
        searchPath = cache.Settings.SearchPath(schema);
    }

    /// <summary>Plans a request.</summary>
    /// <exception cref="ApiException">PGRST1…, PGRST2…, 42703, 42704.</exception>
    public static (RequestPlan Plan, Payload? Payload) Plan(ApiRequest request, SchemaCache cache, string schema, Preferences preferences)
    {
        var isGet = request.Method is "GET" or "HEAD";
        var operation = request.IsRpc ? Operation.Call : request.Method switch
        {
            "GET" or "HEAD" => Operation.Read,
            "POST" => Operation.Insert,
            "PATCH" => Operation.Update,
            "PUT" => Operation.Upsert,
            "DELETE" => Operation.Delete,
            var other => throw ApiFaults.Method(other),
        };
        if (request.IsRpc && !isGet && request.Method != "POST")
            throw ApiFaults.RpcMethod(request.Method);
        var query = QueryReader.Read(request.Query, isCallByGet: request.IsRpc && isGet);
        var planner = new Planner(request, cache, schema, query, preferences);
        var range = planner.TopRange();
        if (operation == Operation.Upsert && !range.IsAll)
            throw ApiFaults.PutLimit();
        var payload = operation is Operation.Insert or Operation.Update or Operation.Upsert || (request.IsRpc && !isGet)
            ? Payload.Read(request, operation == Operation.Upsert ? null : query.Columns)
            : null;
        var plan = operation switch
        {
            Operation.Read => planner.Read(range),
            Operation.Call => planner.Call(range, payload),
            _ => planner.Write(operation, payload),
        };
        return (plan, payload);
    }

    private RequestPlan Read(RowRange range)
    {
        var table = Table();
        var root = Tree(new RowShape(table.Name.Name, table, null), table.Name.Name);
        Finish(root, Operation.Read, range);
        return new RequestPlan
        {
            Operation = Operation.Read,
            Root = root,
            Media = Media(root, table.Name),
            WritesBody = !request.IsHead,
            IsReadOnly = true,
            Range = range,
        };
    }

    private RequestPlan Write(Operation operation, Payload? payload)
    {
        var table = Table();
        var shape = new RowShape(table.Name.Name, table, null);
        var root = Tree(shape, table.Name.Name);
        Finish(root, operation, RowRange.All);
        var columns = new List<Column>();
        foreach (var name in payload?.Keys.Distinct() ?? [])
            columns.Add(table.Find(name) ?? throw ApiFaults.ColumnOf(table.Name.Name, name));
        if (operation == Operation.Upsert && !IsOfKey(table))
            throw ApiFaults.PutFilters();
        var where = new List<Condition>();
        foreach (var each in query.Logic.Where(each => each.Path.Count == 0))
            where.Add(Resolve(each.Value, root));
        foreach (var each in query.Filters.Where(each => each.Path.Count == 0))
            where.Add(Resolve(each.Value, root));
        var conflict = operation == Operation.Upsert ? table.PrimaryKey
            : operation == Operation.Insert && preferences.Resolution != Resolution.None ? query.OnConflict ?? table.PrimaryKey
            : [];
        foreach (var name in conflict)
            _ = table.Find(name) ?? throw ApiFaults.UndefinedColumn("", name, null);
        return new RequestPlan
        {
            Operation = operation,
            Root = root,
            Write = new WritePlan
            {
                Operation = operation,
                Table = table,
                Columns = columns,
                Where = operation == Operation.Insert ? [] : where,
                Conflict = conflict,
                MergesDuplicates = operation == Operation.Upsert || preferences.Resolution == Resolution.MergeDuplicates,
                AppliesDefaults = preferences.MissingIsDefault == true && operation is Operation.Insert or Operation.Update,
            },
            Media = Media(root, table.Name),
            WritesBody = preferences.Representation == Representation.Full,
        };
    }

    private bool IsOfKey(Table table) =>
        table.PrimaryKey.Length > 0 && query.Logic.Count == 0
        && query.Filters.Where(each => each.Path.Count == 0).Select(each => each.Value.Field.Name).ToHashSet(StringComparer.Ordinal).SetEquals(table.PrimaryKey)
        && query.Filters.TrueForAll(each => each.Path.Count > 0
            || each.Value is { IsNot: false, Operator: Operator.Eq, Quantifier: Quantifier.None });

    private RequestPlan Call(RowRange range, Payload? payload)
    {
        var isGet = payload is null;
        var name = new QName(schema, request.Path[1]);
        var contentType = Payload.BaseType(request.ContentType);
        IReadOnlyList<string> keys = isGet ? [.. query.Arguments.Select(each => each.Key).Distinct()] : payload!.Keys;
        var routine = Choose(name, keys, contentType, isPost: !isGet);
        if (preferences is { IsStrict: true, MaxAffected: not null } && routine.ReturnsOne)
            throw ApiFaults.MaxAffectedSingle();
        var returned = routine.ReturnsRow ? cache.FindTable(routine.ReturnType) : null;
        var scalar = routine.ReturnsRow ? null : new HashSet<string>(StringComparer.Ordinal) { "pgrst_scalar" };
        var shape = new RowShape("pgrst_call", returned, returned is null ? scalar ?? (IReadOnlySet<string>?)routine.ReturnColumns : null);
        var root = Tree(shape, returned?.Name.Name ?? name.Name);
        Finish(root, Operation.Call, range);
        var takesBody = routine.Parameters is [{ Name: "" }];
        var arguments = payload?.Form;
        if (isGet)
        {
            arguments = query.Arguments.GroupBy(each => each.Key)
                .ToDictionary(group => group.Key, group => (IReadOnlyList<string>)[.. group.Select(each => each.Value)], StringComparer.Ordinal);
        }

        return new RequestPlan
        {
            Operation = Operation.Call,
            Root = root,
            Call = new CallPlan
            {
                Routine = routine,
                Parameters = takesBody ? routine.Parameters : [.. routine.Parameters.Where(parameter => keys.Contains(parameter.Name))],
                Arguments = arguments,
                TakesBody = takesBody,
            },
            Media = Media(root, returned?.Name ?? name),
            WritesBody = !request.IsHead,
            IsReadOnly = isGet || routine.Volatility != Volatility.Volatile,
            Range = range,
        };
    }

    // What the database brings goes before what we have; of a table's rows only whole ones will do.
    private MediaType Media(ReadNode root, QName target)
    {
        var media = MediaType.Negotiate(request.Accept, cache.Settings.Plan, !cache.HasHandlers ? null : type =>
            (query.Select is [] or [SelectField { Field.Name: "*", Aggregate: Aggregate.None }] ? cache.FindHandler(target, "*/*") ?? cache.FindHandler(target, type) : null)
            ?? cache.FindHandler(null, type));
        // An aggregate takes rows as they are kept.
        if (media.Handler?.Aggregate is not null)
            root.Select = [.. root.Select.Select(each => each with { Field = each.Field with { Form = null } })];
        return media;
    }

    private Table Table()
    {
        var name = new QName(schema, request.Path[0]);
        return cache.FindTable(name) ?? throw ApiFaults.Table(name, cache.SimilarTable(name));
    }

    // By the names of the arguments alone: all required ones and no unknown one. Then the one that takes the body as it is.
    private Routine Choose(QName name, IReadOnlyList<string> keys, string contentType, bool isPost)
    {
        var overloads = cache.Overloads(name);
        var isBody = isPost && contentType is "text/plain" or "text/xml" or "application/octet-stream";
        var fitting = overloads.Where(Fits).ToList();
        if (fitting.Count == 0)
            fitting = [.. overloads.Where(TakesBody)];
        if (fitting.Count == 1)
            return fitting[0];
        if (fitting.Count > 1)
        {
            var all = fitting.OrderBy(each => each.Parameters.Count).ThenBy(Signature, StringComparer.Ordinal).Select(each =>
                $"{each.Name}({string.Join(", ", each.Parameters.Select(parameter => $"{parameter.Name} => {parameter.Type}"))})");
            throw new ApiException(
                "PGRST203", 300, $"Could not choose the best candidate function between: {string.Join(", ", all)}",
                hint: "Try renaming the parameters or the function itself in the database so function overloading can be resolved");
        }

        throw NotFound(name, [.. keys.Order(StringComparer.Ordinal)], contentType, isPost, isBody, overloads);

        static string Signature(Routine routine) => string.Join('\n', routine.Parameters.Select(parameter => parameter.Name + '\t' + parameter.Type));

        bool Fits(Routine routine)
        {
            if (routine.Parameters.Count == 0)
                return keys.Count == 0 && !isBody;
            return routine.Parameters.All(parameter => !parameter.IsRequired || keys.Contains(parameter.Name))
                && keys.All(key => routine.Parameters.Any(parameter => parameter.Name == key));
        }

        bool TakesBody(Routine routine) => isPost && routine.Parameters is [{ Name: "", Type: var type }] && (contentType, type) is
            ("application/json", "json" or "jsonb") or ("text/plain", "text") or ("text/xml", "xml") or ("application/octet-stream", "bytea");
    }

    private ApiException NotFound(
        QName name, IReadOnlyList<string> keys, string contentType, bool isPost, bool isBody, IReadOnlyList<Routine> overloads)
    {
        var given = string.Join(", ", keys);
        var shown = keys.Count == 0 ? " without parameters" : $"({given})";
        var searched = keys.Count == 0 ? " without parameters" : $" with parameter{(keys.Count > 1 ? "s" : "")} {given}";
        var how = (isPost, contentType) switch
        {
            (true, "text/plain") => " with a single unnamed text parameter",
            (true, "text/xml") => " with a single unnamed xml parameter",
            (true, "application/octet-stream") => " with a single unnamed bytea parameter",
            (true, "application/json") => searched + " or with a single unnamed json/jsonb parameter",
            _ => searched,
        };
        string? suggestion = null;
        if (!isBody)
        {
            suggestion = overloads.Count == 0
                ? cache.SimilarRoutine(name)
                : Similarity.Best(overloads.Select(Listed), $"({given})", 0.33) is { } list ? name.Name + list : null;
        }

        return new ApiException(
            "PGRST202", 404, $"Could not find the function {name}{(isBody ? "" : shown)} in the schema cache",
            $"Searched for the function {name}{how}, but no matches were found in the schema cache.",
            suggestion is null ? null : $"Perhaps you meant to call the function {name.Schema}.{suggestion}");

        static string Listed(Routine routine) =>
            $"({string.Join(", ", routine.Parameters.Select(parameter => parameter.Name).Order(StringComparer.Ordinal))})";
    }

    private RowRange TopRange()
    {
        var (offset, limit) = query.Ranges.GetValueOrDefault("");
        if (limit < 0)
            throw ApiFaults.Range("Limit should be greater than or equal to zero.");
        var range = new RowRange(offset ?? 0, limit);
        if (request.Method != "GET" || request.Range is not { } header || limit == 0)
            return range;
        // <c>first-last</c>, the last included and possibly absent; anything else is no range.
        var dash = header.IndexOf('-', StringComparison.Ordinal);
        if (dash <= 0 || !long.TryParse(header.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out var first))
            return range;
        long? last = null;
        if (dash + 1 < header.Length)
        {
            if (!long.TryParse(header.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var parsed))
                return range;
            last = parsed;
        }

        if (last < first)
            throw ApiFaults.Range("The lower boundary must be lower than or equal to the upper boundary in the Range header.");
        var start = Math.Max(first, range.Offset);
        var end = Math.Min(last + 1 ?? long.MaxValue, limit is { } rows ? range.Offset + rows : long.MaxValue);
        if (end <= start)
            throw ApiFaults.Range("The lower boundary must be lower than or equal to the upper boundary in the Range header.");
        return new RowRange(start, end == long.MaxValue ? null : end - start);
    }

    private ReadNode Tree(RowShape shape, string name)
    {
        var root = new ReadNode { Name = name, RowAlias = Short(name), Shape = shape };
        Fill(root, query.Select);
        return root;
    }

    // Relations first, for a relation's columns can only be looked up when it is known which it is.
    private void Fill(ReadNode node, IReadOnlyList<SelectItem> items)
    {
        foreach (var item in items)
        {
            if (item is SelectField field && IsRowCount(node, field))
            {
                // As the dialect has it without aggregates switched on: alone, for then nothing is grouped.
                if (items.Count > 1 && !cache.Settings.Aggregates)
                    throw ApiFaults.Aggregates();
                node.Select.Add(new PlanSelect(new PlanField("*", [], ""), Aggregate.Count, TypeOf(field.Cast), null, field.Alias));
            }
            else if (item is SelectField column)
            {
                node.Select.Add(new PlanSelect(
                    node.Shape.Find(column.Field, searchPath), column.Aggregate, TypeOf(column.AggregateCast), TypeOf(column.Cast), column.Alias ?? LastKey(column)));
                if (column.Aggregate != Aggregate.None && !cache.Settings.Aggregates)
                    throw ApiFaults.Aggregates();
            }
            else if (item is SelectRelation relation)
            {
                var child = Embed(node, relation);
                // A row has each name once.
                if (node.Children.Exists(other => other.Output == child.Output))
                    throw ApiFaults.DuplicateName(string.Create(CultureInfo.InvariantCulture, $"{node.Shape.Table?.Name.Name ?? node.Name}_{child.Output}_{child.Depth}"));
                node.Children.Add(child);
            }
        }

        if (node.Select.Count == 0 && node.Children.Count == 0 && !node.IsExplicitlyEmpty)
            node.Select.Add(new PlanSelect(new PlanField("*", [], ""), Aggregate.None, null, null, null));
    }

    // "count" where nothing is called so.
    private bool IsRowCount(ReadNode node, SelectField item) =>
        item is { Field: { Name: "count", Path.Count: 0 }, Aggregate: Aggregate.None } && node.Shape.Table is not null && !node.Shape.Has("count", searchPath);

    private ReadNode Embed(ReadNode parent, SelectRelation item)
    {
        var relationship = Find(parent, item);
        var target = relationship.Target;
        var depth = parent.Depth + 1;
        var table = cache.FindTable(target);
        var rowAlias = Short(string.Create(CultureInfo.InvariantCulture, $"{(relationship.Cardinality == Cardinality.Computed ? relationship.Function.Name : target.Name)}_{depth}"));
        var node = new ReadNode
        {
            Name = item.Name,
            Alias = item.Alias,
            Hint = item.Hint,
            IsInner = item.IsInner,
            Depth = depth,
            Parent = parent,
            Relationship = relationship,
            RowAlias = rowAlias,
            JoinAlias = string.Create(CultureInfo.InvariantCulture, $"vox_{++aliases}"),
            Shape = new RowShape(rowAlias, table, null),
            Spread = !item.IsSpread ? SpreadKind.None : relationship.IsToOne ? SpreadKind.ToOne : SpreadKind.ToMany,
            IsExplicitlyEmpty = item.Items.Count == 0,
        };
        Fill(node, item.Items);
        return node;
    }

    // PostgreSQL cuts long names, and two that are cut may become one.
    private string Short(string name) =>
        Encoding.UTF8.GetByteCount(name) <= MaxIdentifierBytes ? name : string.Create(CultureInfo.InvariantCulture, $"vox_row_{++aliases}");

    private string? TypeOf(string? name)
    {
        if (name is null)
            return null;
        return cache.FindType(name, schema) ?? cache.FindType(name.ToLowerInvariant(), schema) ?? throw ApiFaults.UndefinedType(name);
    }

    private static string? LastKey(SelectField field)
    {
        if (field.Field.Path.Count == 0 || field.Aggregate != Aggregate.None)
            return null;
        for (var i = field.Field.Path.Count - 1; i >= 0; i--)
        {
            if (!field.Field.Path[i].IsIndex)
                return field.Field.Path[i].Key;
        }

        return field.Field.Name;
    }

    private Relationship Find(ReadNode parent, SelectRelation item)
    {
        var origin = parent.Shape.Table?.Name ?? new QName(schema, parent.Name);
        var (target, hint) = (item.Name, item.Hint);
        var all = cache.RelationshipsOf(origin)
            .Where(each => (each.Cardinality == Cardinality.Computed ? each.Function.Schema : each.Target.Schema) == schema).ToList();
        var found = all.Where(Matches).ToList();
        // A function overrides what the keys say.
        if (found.Find(each => each.Cardinality == Cardinality.Computed) is { } computed)
            return computed;
        if (found.Count == 1)
            return found[0];
        if (found.Count == 0)
            throw NotRelated(origin, item, all);
        found = [.. found.OrderBy(each => Array.IndexOf(Told, each.Cardinality)).ThenBy(each => each.Junction?.Table.Name, StringComparer.Ordinal)
            .ThenBy(each => each.Junction?.SourceConstraint ?? each.Constraint, StringComparer.Ordinal)
            .ThenBy(each => each.Junction?.TargetConstraint, StringComparer.Ordinal)
            .ThenBy(each => string.Join('\n', each.Columns.Select(pair => pair.Own + '\t' + pair.Theirs)), StringComparer.Ordinal)];
        throw new ApiException("PGRST201", 300, $"Could not embed because more than one relationship was found for '{origin.Name}' and '{target}'",
            hint: $"Try changing '{target}' to one of the following: {string.Join(", ", found.Select(Disambiguated))}. Find the desired relationship in the 'details' key.")
        {
            Candidates = [.. found.Select(Candidate)],
        };

        bool Matches(Relationship each)
        {
            if (each.Cardinality == Cardinality.Computed)
                return each.Function.Name == target;
            var own = each.Columns.Count == 1 ? each.Columns[0].Own : null;
            var theirs = each.Columns.Count == 1 ? each.Columns[0].Theirs : null;
            if (each.IsSelf)
            {
                // The table's name means its children and a column's name the row it leads to.
                return hint is null
                    ? (target == each.Target.Name && each.Cardinality == Cardinality.OneToMany)
                        || (target == own && each.Cardinality == Cardinality.ManyToOne)
                    : target == each.Target.Name && ((each.Cardinality == Cardinality.OneToMany && (hint == theirs || hint == each.Constraint))
                        || (each.Junction is { } between && (hint == between.Table.Name || hint == between.SourceConstraint)));
            }

            if (hint is null)
                return target == each.Target.Name || (!each.IsTargetView && (target == each.Constraint || target == own));
            return target == each.Target.Name
                && (hint == each.Constraint || hint == own || hint == theirs || hint == each.Junction?.Table.Name);
        }
    }

    private ApiException NotRelated(QName origin, SelectRelation item, List<Relationship> all)
    {
        string? suggestion = null;
        if (all.Count > 0)
        {
            var names = all.Select(each => each.Target.Name).Distinct().ToList();
            if (!names.Contains(item.Name) && Similarity.Best(names, item.Name, 0.33) is { } child)
                suggestion = $"Perhaps you meant '{child}' instead of '{item.Name}'.";
        }
        else if (cache.SimilarParent(schema, origin.Name) is { } parent)
        {
            suggestion = $"Perhaps you meant '{parent}' instead of '{origin.Name}'.";
        }

        return new ApiException(
            "PGRST200", 400, $"Could not find a relationship between '{origin.Name}' and '{item.Name}' in the schema cache",
            $"Searched for a foreign key relationship between '{origin.Name}' and '{item.Name}'"
                + (item.Hint is null ? "" : $" using the hint '{item.Hint}'") + $" in the schema '{schema}', but no matches were found.",
            suggestion);
    }

    private static string Disambiguated(Relationship each) => $"'{each.Target.Name}!{(each.IsSelf ? each.Junction?.SourceConstraint : each.Junction?.Table.Name) ?? each.Constraint}'";

    private static KeyValuePair<string, string>[] Candidate(Relationship each)
    {
        var embedding = KeyValuePair.Create("embedding", $"{each.Table.Name} with {each.Target.Name}");
        if (each.Junction is { } junction)
        {
            return
            [
                KeyValuePair.Create("cardinality", "many-to-many"),
                embedding,
                KeyValuePair.Create("relationship",
                    $"{junction.Table.Name} using {junction.SourceConstraint}({string.Join(", ", junction.Source.Select(pair => pair.Own))}) "
                    + $"and {junction.TargetConstraint}({string.Join(", ", junction.Target.Select(pair => pair.Own))})"),
            ];
        }

        return
        [
            KeyValuePair.Create("cardinality", each.Cardinality switch
            {
                Cardinality.ManyToOne => "many-to-one",
                Cardinality.OneToMany => "one-to-many",
                _ => "one-to-one",
            }),
            embedding,
            KeyValuePair.Create("relationship",
                $"{each.Constraint} using {each.Table.Name}({string.Join(", ", each.Columns.Select(pair => pair.Own))}) "
                + $"and {each.Target.Name}({string.Join(", ", each.Columns.Select(pair => pair.Theirs))})"),
        ];
    }

    private void Finish(ReadNode root, Operation operation, RowRange range)
    {
        var isWrite = operation is not (Operation.Read or Operation.Call);
        foreach (var (path, filter) in query.Filters)
        {
            if (path.Count > 0 || !isWrite)
                NodeAt(root, path).Where.Add(Resolve(filter, NodeAt(root, path)));
        }

        foreach (var (path, logic) in query.Logic)
        {
            if (path.Count > 0 || !isWrite)
                NodeAt(root, path).Where.Add(Resolve(logic, NodeAt(root, path)));
        }

        foreach (var (path, terms) in query.Orders)
        {
            var node = NodeAt(root, path);
            // Of two orders of the same rows the first counts.
            if (node.Order.Count == 0)
                node.Order = [.. terms.Select(term => Resolve(term, node))];
        }

        foreach (var (path, asked) in query.Ranges)
        {
            if (path.Length == 0)
                continue;
            if (asked.Limit < 0)
                throw ApiFaults.Range("Limit should be greater than or equal to zero.");
            var node = NodeAt(root, QueryReader.RangePath(path));
            if (!isWrite)
                node.Range = new RowRange(asked.Offset ?? 0, asked.Limit);
        }

        if (!isWrite)
        {
            root.Range = range;
            Restrict(root, cache.Settings.MaxRows);
        }

        ExpandStars(root, isAggregated: false);
        SpreadUp(root);
    }

    private static void Restrict(ReadNode node, long? maxRows)
    {
        node.Range = node.Range.AtMost(maxRows);
        foreach (var child in node.Children)
            Restrict(child, maxRows);
    }

    private static ReadNode NodeAt(ReadNode root, IReadOnlyList<string> path)
    {
        var node = root;
        foreach (var name in path)
        {
            node = node.Children.Find(child => child.Output == name)
                ?? throw (node.Children.Find(child => child.Name == name) is { Alias: { } alias }
                    ? ApiFaults.NotEmbedded(name, (name, alias))
                    : ApiFaults.NotEmbedded(name));
        }

        return node;
    }

    private Condition Resolve(Logic logic, ReadNode node)
    {
        if (logic is LogicGroup group)
            return new GroupCondition(group.IsNot, group.IsOr, [.. group.Members.Select(member => Resolve(member, node))]);
        var filter = (Filter)logic;
        if (filter.Field.Path.Count == 0 && node.Children.Find(child => child.Output == filter.Field.Name) is { } embedded)
        {
            if (filter is { Operator: Operator.Is, Value: "null" or "not_null" })
                return new EmbedCondition(embedded, filter.IsNot == (filter.Value == "not_null"));
            if (node.Shape.Table?.Find(filter.Field.Name) is null)
            {
                throw new ApiException(
                    "PGRST120", 400, $"Bad operator on the '{filter.Field.Name}' embedded resource",
                    "Only is null or not is null filters are allowed on embedded resources");
            }
        }

        return new FilterCondition(node.Shape.Find(filter.Field, searchPath), filter);
    }

    private PlanOrder Resolve(OrderTerm term, ReadNode node)
    {
        if (term.Relation is null)
            return new PlanOrder(node.Shape.Find(term.Field, searchPath), null, term.IsDescending, term.IsNullsFirst);
        var related = node.Children.Find(child => child.Output == term.Relation) ?? throw ApiFaults.NotEmbedded(term.Relation);
        if (!related.IsToOne)
            throw ApiFaults.RelatedOrder(node.Shape.Table?.Name.Name ?? node.Name, related.Output);
        return new PlanOrder(Selected(related, term.Field), related, term.IsDescending, term.IsNullsFirst);
    }

    // A related row has what was selected of it, by the names that it got.
    private PlanField Selected(ReadNode related, Field field)
    {
        if (related.Select.Find(each => !each.Field.IsStar && each.Output == field.Name) is { } named)
            return new PlanField(field.Name, field.Path, named is { Cast: null, Field.Path.Count: 0 } ? named.Field.Type : "");
        var column = related.Shape.Find(field, searchPath);
        return related.IsEmptyEmbed || related.Select.Exists(each => each.Field.IsStar)
            ? column
            : throw ApiFaults.UndefinedColumn(related.Output, field.Name, null);
    }

    // Where rows are grouped, or their columns gathered or written in a way of their own, each column must be named.
    private static void ExpandStars(ReadNode node, bool isAggregated)
    {
        var expands = isAggregated || node.Spread == SpreadKind.ToMany || node.Select.Exists(each => each.Aggregate != Aggregate.None)
            || Gives(node);
        if (node.Shape.Table is { } table && (expands || table.HasForms))
        {
            node.Select = [.. node.Select.SelectMany(each => each switch
            {
                { Field.IsStar: true, Aggregate: Aggregate.None } => table.Columns.Select(column =>
                    new PlanSelect(PlanField.Of(column), Aggregate.None, null, null, null)),
                { Field.IsStar: true } when node.Spread != SpreadKind.None => [each with { IsWholeRow = true }],
                _ => [each],
            })];
        }

        foreach (var child in node.Children)
            ExpandStars(child, expands);

        static bool Gives(ReadNode node) => node.Children.Exists(child =>
            child.Spread == SpreadKind.ToOne && (child.Select.Exists(each => each.Aggregate != Aggregate.None) || Gives(child)));
    }

    // What is aggregated in a related row that is spread is aggregated where it lands: within one row there is nothing to aggregate.
    private static void SpreadUp(ReadNode node)
    {
        foreach (var child in node.Children)
            SpreadUp(child);
        if (node.Spread == SpreadKind.None)
            return;
        var items = new List<SpreadItem>();
        for (var i = 0; i < node.Select.Count; i++)
        {
            var each = node.Select[i];
            var name = each.Aggregate == Aggregate.None || each.Alias is not null ? each.Output : Names.Of(each.Aggregate);
            if (node.Spread == SpreadKind.ToOne)
            {
                items.Add(new SpreadItem(name, each.Aggregate, each.AggregateCast, each.Aggregate == Aggregate.None ? null : name));
                if (each.Aggregate != Aggregate.None)
                    node.Select[i] = each with { Aggregate = Aggregate.None, AggregateCast = null, Alias = name };
            }
            else if (each.Aggregate != Aggregate.None)
            {
                throw ApiFaults.NotImplemented("Aggregates are not implemented for one-to-many or many-to-many spreads.");
            }
            else
            {
                items.Add(new SpreadItem(name, Aggregate.None, null, null));
            }
        }

        foreach (var child in node.Children)
        {
            if (child.Spread == SpreadKind.None)
            {
                if (!child.IsEmptyEmbed)
                    items.Add(new SpreadItem(child.Output, Aggregate.None, null, null));
                continue;
            }

            for (var i = 0; i < child.SpreadItems.Count; i++)
            {
                var item = child.SpreadItems[i];
                if (item.Aggregate != Aggregate.None && node.Spread == SpreadKind.ToMany)
                    throw ApiFaults.NotImplemented("Aggregates are not implemented for one-to-many or many-to-many spreads.");
                items.Add(new SpreadItem(item.Output, item.Aggregate, item.AggregateCast, item.Alias));
                if (item.Aggregate != Aggregate.None)
                    child.SpreadItems[i] = item with { Aggregate = Aggregate.None, AggregateCast = null };
            }
        }

        node.SpreadItems = items;
    }

    private static class Names
    {
        public static string Of(Aggregate aggregate) => aggregate switch
        {
            Aggregate.Sum => "sum",
            Aggregate.Avg => "avg",
            Aggregate.Count => "count",
            Aggregate.Min => "min",
            _ => "max",
        };
    }
}
