namespace Voxbase.DataApi;

internal enum Operation
{
    Read,
    Insert,
    Update,
    Upsert,
    Delete,
    Call,
}

/// <summary>A column as the catalogs know it, and a path into it.</summary>
/// <param name="Name">A column's or computed column's name, or <c>*</c>.</param>
/// <param name="Path">Into JSON.</param>
/// <param name="Type">Its type, empty where the catalogs have none.</param>
internal readonly record struct PlanField(string Name, IReadOnlyList<JsonStep> Path, string Type)
{
    public bool IsStar => Name == "*";

    /// <summary>How a domain is written; null for a path into it, which is JSON already.</summary>
    public DomainForm? Form { get; init; }

    public static PlanField Of(Column column) => Of(column, []);

    public static PlanField Of(Column column, IReadOnlyList<JsonStep> path) =>
        new(column.Name, path, column.NominalType) { Form = path.Count == 0 ? column.Form : null };

    /// <summary>Arrows need JSON; anything else is made JSON first.</summary>
    public bool NeedsJson => Path.Count > 0 && Type is not ("json" or "jsonb");
}

/// <param name="Field">What is read.</param>
/// <param name="Aggregate">What is made of all rows' values.</param>
/// <param name="AggregateCast">The type of that, as a statement names it.</param>
/// <param name="Cast">The type of each value.</param>
/// <param name="Alias">The name in the answer.</param>
internal sealed record PlanSelect(PlanField Field, Aggregate Aggregate, string? AggregateCast, string? Cast, string? Alias)
{
    /// <summary>Whether rows are meant, not a column: the counting of a spread relation.</summary>
    public bool IsWholeRow { get; init; }

    public string Output => Alias ?? Field.Name;
}

internal abstract record Condition;

internal sealed record FilterCondition(PlanField Field, Filter Filter) : Condition;

/// <summary>Whether anything related was found.</summary>
internal sealed record EmbedCondition(ReadNode Node, bool IsNull) : Condition;

internal sealed record GroupCondition(bool IsNot, bool IsOr, IReadOnlyList<Condition> Members) : Condition;

/// <param name="Field">The column.</param>
/// <param name="Relation">The related row that has it, or null.</param>
/// <param name="IsDescending">Null where nothing was said.</param>
/// <param name="IsNullsFirst">Null where nothing was said.</param>
internal sealed record PlanOrder(PlanField Field, ReadNode? Relation, bool? IsDescending, bool? IsNullsFirst);

/// <summary>A column that a spread relation gives to the row it is spread into.</summary>
internal sealed record SpreadItem(string Name, Aggregate Aggregate, string? AggregateCast, string? Alias)
{
    public string Output => Alias ?? Name;
}

internal enum SpreadKind
{
    None,
    ToOne,
    ToMany,
}

/// <summary>A relation that is read, with those embedded in it.</summary>
internal sealed class ReadNode
{
    /// <summary>What it is called in the request.</summary>
    public required string Name { get; init; }

    public string? Alias { get; init; }

    public string? Hint { get; init; }

    public bool IsInner { get; init; }

    public int Depth { get; init; }

    public ReadNode? Parent { get; init; }

    /// <summary>The key of it in the answer.</summary>
    public string Output => Alias ?? Name;

    /// <summary>What the statement calls its rows.</summary>
    public string RowAlias { get; set; } = "";

    /// <summary>What the statement calls the rows or the list that the parent joins.</summary>
    public string JoinAlias { get; set; } = "";

    public Relationship? Relationship { get; set; }

    /// <summary>What its rows are made of.</summary>
    public RowShape Shape { get; set; } = RowShape.Unknown;

    public SpreadKind Spread { get; set; }

    public List<PlanSelect> Select { get; set; } = [];

    public List<Condition> Where { get; } = [];

    public List<PlanOrder> Order { get; set; } = [];

    public RowRange Range { get; set; } = RowRange.All;

    public List<ReadNode> Children { get; } = [];

    /// <summary>Of a spread node: what it gives.</summary>
    public List<SpreadItem> SpreadItems { get; set; } = [];

    public bool IsEmptyEmbed => Select.Count == 0 && Children.TrueForAll(child => child.IsEmptyEmbed) && (IsExplicitlyEmpty || Children.Count > 0);

    /// <summary>Whether nothing was asked of it: <c>rel()</c>.</summary>
    public bool IsExplicitlyEmpty { get; init; }

    public bool IsToOne => Relationship?.IsToOne == true;

    public bool HasAggregates => Select.Exists(each => each.Aggregate != Aggregate.None)
        || Children.Exists(child => child.Spread != SpreadKind.None && child.SpreadItems.Exists(item => item.Aggregate != Aggregate.None));
}

/// <summary>Which columns rows have: those of a table, those a function returns, or one value.</summary>
internal sealed class RowShape(string name, Table? table, IReadOnlySet<string>? columns)
{
    public static RowShape Unknown { get; } = new("", null, null);

    /// <summary>What an error calls it.</summary>
    public string Name { get; } = name;

    public Table? Table { get; } = table;

    /// <summary>The column, when there is one of that name; a computed one has no type.</summary>
    /// <exception cref="ApiException">42703.</exception>
    public PlanField Find(Field field, IReadOnlyList<string> path)
    {
        if (field.Name == "*" && field.Path.Count == 0)
            return new PlanField("*", [], "");
        if (Table?.Find(field.Name) is { } column)
            return PlanField.Of(column, field.Path);
        if (Has(field.Name, path))
            return new PlanField(field.Name, field.Path, "");
        throw ApiFaults.UndefinedColumn(Name, field.Name, Suggest(field.Name));
    }

    /// <summary>Whether there is a column of that name, a computed one too.</summary>
    public bool Has(string name, IReadOnlyList<string> path) =>
        Table?.Find(name) is not null
        || (Table is not null && Table.Computed.TryGetValue(name, out var schemas) && schemas.Exists(path.Contains))
        || columns?.Contains(name) == true;

    public bool IsComputed(string name) => Table is not null && name != "*" && Table.Find(name) is null;

    // As PostgreSQL suggests one: at most three letters away, and not more than half of them.
    private string? Suggest(string name)
    {
        string? best = null;
        var least = Math.Min(4, (name.Length / 2) + 1);
        foreach (var candidate in Table?.Columns.Select(column => column.Name) ?? columns ?? Enumerable.Empty<string>())
        {
            if (Math.Abs(candidate.Length - name.Length) < least && Similarity.Distance(candidate, name) is var distance && distance < least)
                (best, least) = (candidate, distance);
        }

        return best;
    }
}

/// <summary>What a write writes.</summary>
internal sealed class WritePlan
{
    public required Operation Operation { get; init; }

    public required Table Table { get; init; }

    public IReadOnlyList<Column> Columns { get; init; } = [];

    public List<Condition> Where { get; init; } = [];

    /// <summary>Columns of <c>on conflict</c>; empty for none.</summary>
    public IReadOnlyList<string> Conflict { get; init; } = [];

    public bool MergesDuplicates { get; init; }

    public bool AppliesDefaults { get; init; }
}

/// <summary>What a call calls.</summary>
internal sealed class CallPlan
{
    public required Routine Routine { get; init; }

    /// <summary>The parameters that are given.</summary>
    public IReadOnlyList<RoutineParameter> Parameters { get; init; } = [];

    /// <summary>Values of a call by GET or by a form; null when the body has them.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>>? Arguments { get; init; }

    /// <summary>Whether the body as it is is the only argument.</summary>
    public bool TakesBody { get; init; }
}

/// <summary>Everything that is to be done for a request, resolved against the catalogs.</summary>
internal sealed class RequestPlan
{
    public required Operation Operation { get; init; }

    public required ReadNode Root { get; init; }

    public WritePlan? Write { get; init; }

    public CallPlan? Call { get; init; }

    public required MediaType Media { get; init; }

    /// <summary>Whether a body is answered.</summary>
    public bool WritesBody { get; init; }

    public bool IsReadOnly { get; init; }

    /// <summary>Which rows the request asked for, before the most that are answered.</summary>
    public RowRange Range { get; init; } = RowRange.All;
}
