namespace Voxbase.DataApi;

/// <summary>One arrow of a path into JSON.</summary>
/// <param name="AsText"><c>-&gt;&gt;</c> rather than <c>-&gt;</c>.</param>
/// <param name="Key">The key, or the index with its sign.</param>
/// <param name="IsIndex">Whether it counts elements.</param>
internal readonly record struct JsonStep(bool AsText, string Key, bool IsIndex);

/// <summary>A column and a path into it.</summary>
internal readonly record struct Field(string Name, IReadOnlyList<JsonStep> Path)
{
    public static readonly Field All = new("*", []);
}

internal enum Aggregate
{
    None,
    Sum,
    Avg,
    Count,
    Min,
    Max,
}

internal abstract record SelectItem;

/// <summary>A column to answer.</summary>
internal sealed record SelectField(Field Field, Aggregate Aggregate, string? AggregateCast, string? Cast, string? Alias) : SelectItem;

/// <summary>Something related to answer with each row, as an object or array or, spread, as columns of the row.</summary>
internal sealed record SelectRelation(string Name, string? Alias, string? Hint, bool IsInner, bool IsSpread, IReadOnlyList<SelectItem> Items) : SelectItem;

internal enum Operator
{
    Eq,
    Neq,
    Gt,
    Gte,
    Lt,
    Lte,
    Like,
    ILike,
    Match,
    IMatch,
    In,
    Is,
    IsDistinct,
    Contains,
    Contained,
    Overlaps,
    StrictlyLeft,
    StrictlyRight,
    NotExtendsRight,
    NotExtendsLeft,
    Adjacent,
    Fts,
    PlainFts,
    PhraseFts,
    WebFts,
}

internal enum Quantifier
{
    None,
    Any,
    All,
}

/// <summary>A condition, or several under one operator.</summary>
internal abstract record Logic;

/// <summary>A column compared with a value. Values are the client's and only ever become parameters.</summary>
internal sealed record Filter(Field Field, bool IsNot, Operator Operator, Quantifier Quantifier, string Value) : Logic
{
    /// <summary>The members of <c>in</c>.</summary>
    public IReadOnlyList<string>? Values { get; init; }

    /// <summary>The configuration of a text search.</summary>
    public string? Language { get; init; }
}

internal sealed record LogicGroup(bool IsNot, bool IsOr, IReadOnlyList<Logic> Members) : Logic;

/// <summary>One term of an order; null where nothing was said.</summary>
internal sealed record OrderTerm(Field Field, string? Relation, bool? IsDescending, bool? IsNullsFirst);

/// <summary>Which rows, counted from 0.</summary>
/// <param name="Offset">The first.</param>
/// <param name="Limit">How many at most; null for all.</param>
internal readonly record struct RowRange(long Offset, long? Limit)
{
    public static readonly RowRange All = new(0, null);

    public bool IsAll => Offset == 0 && Limit is null;

    public RowRange AtMost(long? most) => most is { } rows && !(Limit <= rows) ? this with { Limit = rows } : this;
}

/// <summary>What a part of the query speaks of: names from the outermost relation inwards.</summary>
internal readonly record struct At<T>(IReadOnlyList<string> Path, T Value);

/// <summary>The query string, taken apart.</summary>
internal sealed class ParsedQuery
{
    /// <summary>What to answer; empty for everything.</summary>
    public IReadOnlyList<SelectItem> Select { get; init; } = [];

    public List<At<Filter>> Filters { get; } = [];

    public List<At<Logic>> Logic { get; } = [];

    public List<At<IReadOnlyList<OrderTerm>>> Orders { get; } = [];

    public Dictionary<string, (long? Offset, long? Limit)> Ranges { get; } = new(StringComparer.Ordinal);

    public IReadOnlyList<string>? Columns { get; init; }

    public IReadOnlyList<string>? OnConflict { get; init; }

    /// <summary>Arguments of a function called by GET.</summary>
    public List<KeyValuePair<string, string>> Arguments { get; } = [];
}
