namespace Voxbase;

/// <summary>Kinds of changes, as a set.</summary>
[Flags]
public enum FeedChanges
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Rows that came.</summary>
    Insert = 1,

    /// <summary>Rows that changed.</summary>
    Update = 2,

    /// <summary>Rows that went.</summary>
    Delete = 4,

    /// <summary>Every kind.</summary>
    All = Insert | Update | Delete,
}

/// <summary>How a column is compared; PostgREST's names.</summary>
public enum FeedOperator
{
    /// <summary>Equal.</summary>
    Eq,

    /// <summary>Not equal; like SQL's, not true of null.</summary>
    Neq,

    /// <summary>Less.</summary>
    Lt,

    /// <summary>Less or equal.</summary>
    Lte,

    /// <summary>Greater.</summary>
    Gt,

    /// <summary>Greater or equal.</summary>
    Gte,

    /// <summary>One of a list.</summary>
    In,

    /// <summary>SQL's LIKE; <c>*</c> stands for <c>%</c> as well.</summary>
    Like,

    /// <summary>LIKE whatever the case.</summary>
    Ilike,

    /// <summary><c>null</c>, <c>not_null</c>, <c>true</c>, <c>false</c> or <c>unknown</c>.</summary>
    Is,

    /// <summary>A regular expression.</summary>
    Match,

    /// <summary>A regular expression whatever the case.</summary>
    Imatch,

    /// <summary>Not equal, where null equals null and nothing else.</summary>
    Isdistinct,
}

/// <summary>A condition on a column of a changed row. Of a delete only the key is known: a condition on another column lets none through.</summary>
/// <param name="Column">The column.</param>
/// <param name="Operator">How it is compared.</param>
/// <param name="Values">With what, as PostgreSQL writes it: one text, or the list of <see cref="FeedOperator.In"/> (at most 100).</param>
/// <param name="IsNegated">Whether the condition must not hold; neither holds of null.</param>
public sealed partial record FeedFilter(string Column, FeedOperator Operator, IReadOnlyList<string> Values, bool IsNegated = false);

/// <summary>What of one table a subscriber asks for.</summary>
/// <param name="Schema">The schema, such as <c>vox</c>; <c>*</c> for each.</param>
/// <param name="Table">The table; <c>*</c> for each that the feed publishes.</param>
/// <param name="Changes">Which kinds of changes.</param>
/// <param name="Filters">Conditions that must all hold.</param>
/// <param name="Columns">Columns wanted in records, the key's always among them; null for all.</param>
public sealed record FeedEntry(
    string Schema, string Table, FeedChanges Changes = FeedChanges.All, IReadOnlyList<FeedFilter>? Filters = null, IReadOnlyList<string>? Columns = null);

/// <summary>What a subscriber asks for.</summary>
/// <param name="Entries">Any number of entries; a change that several match comes once and names them all.</param>
/// <param name="After">The position to go on from: of the last event received. Null begins with what is committed from now on.</param>
/// <param name="IsCoalescing">
/// Whether a subscriber that cannot keep up gets only the latest change of a row, where otherwise it would be cut off.
/// </param>
public sealed record FeedRequest(IReadOnlyList<FeedEntry> Entries, FeedPosition? After = null, bool IsCoalescing = false);
