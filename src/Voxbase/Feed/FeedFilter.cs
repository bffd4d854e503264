using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Voxbase;

public sealed partial record FeedFilter
{
    private const int MaxValues = 100;

    /// <summary>
    /// Reads filters as PostgREST writes them, all of which must hold: <c>user_id=eq.…</c>, <c>sequence_number=gte.5,role=in.(user,assistant)</c>,
    /// <c>status=not.eq.failed</c>.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>feed_request_invalid</c>.</exception>
    public static IReadOnlyList<FeedFilter> Parse(string text)
    {
        var filters = new List<FeedFilter>();
        foreach (var part in SplitOutside(text))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
                throw Wrong(part, "a column, '=', an operator, '.' and a value");
            filters.Add(Parse(part[..equals].Trim().Trim('"'), part[(equals + 1)..]));
        }

        return filters;
    }

    /// <summary>Reads one condition on a column: <c>eq.5</c>, <c>not.in.(a,b)</c>.</summary>
    /// <exception cref="VoxbaseException"><c>feed_request_invalid</c>.</exception>
    public static FeedFilter Parse(string column, string condition)
    {
        var rest = condition;
        var isNegated = rest.StartsWith("not.", StringComparison.Ordinal);
        if (isNegated)
            rest = rest[4..];
        var dot = rest.IndexOf('.', StringComparison.Ordinal);
        if (dot < 0 || !Names.TryGetValue(rest[..dot], out var comparison))
            throw Wrong(condition, $"one of {string.Join(", ", Names.Keys)}, '.' and a value");
        var value = rest[(dot + 1)..];
        if (comparison != FeedOperator.In)
            return new FeedFilter(column, comparison, [Unquoted(value)], isNegated);
        if (value is not ['(', .., ')'])
            throw Wrong(condition, "in.(…,…)");
        var values = SplitOutside(value[1..^1]).Select(Unquoted).ToArray();
        return values.Length is > 0 and <= MaxValues
            ? new FeedFilter(column, comparison, values, isNegated)
            : throw FeedErrors.RequestInvalid.With($"A list in a filter has 1 to {MaxValues} values (was {values.Length}).");
    }

    internal static Dictionary<string, FeedOperator> Names { get; } =
        Enum.GetValues<FeedOperator>().ToDictionary(value => value.ToString().ToLowerInvariant(), StringComparer.Ordinal);

    private static string Unquoted(string value) =>
        value is ['"', .., '"'] ? value[1..^1].Replace("\\\"", "\"", StringComparison.Ordinal).Replace("\\\\", "\\", StringComparison.Ordinal) : value;

    // At commas that are neither in quotes nor in parentheses.
    private static List<string> SplitOutside(string text)
    {
        var parts = new List<string>();
        var (depth, isQuoted, begin) = (0, false, 0);
        for (var i = 0; i < text.Length; i++)
        {
            switch (text[i])
            {
                case '\\' when isQuoted:
                    i++;
                    break;
                case '"':
                    isQuoted = !isQuoted;
                    break;
                case '(' when !isQuoted:
                    depth++;
                    break;
                case ')' when !isQuoted:
                    depth--;
                    break;
                case ',' when !isQuoted && depth <= 0:
                    parts.Add(text[begin..i]);
                    begin = i + 1;
                    break;
            }
        }

        parts.Add(text[begin..]);
        return parts;
    }

    private static VoxbaseException Wrong(string text, string expected) =>
        FeedErrors.RequestInvalid.With($"The filter '{(text.Length <= 64 ? text : text[..64] + "…")}' must be {expected}.");
}

/// <summary>A filter made ready for the type of its column.</summary>
internal sealed class FilterTest
{
    private readonly FeedFilter filter;
    private readonly int column;
    private readonly byte[][] exact;
    private readonly IComparable[]? ordered;
    private readonly Func<string, IComparable?>? read;
    private readonly Regex? pattern;

    private FilterTest(FeedFilter filter, int column, string type)
    {
        (this.filter, this.column) = (filter, column);
        read = ReaderOf(type);
        exact = [.. filter.Values.Select(value => Encoding.UTF8.GetBytes(Canonical(type, value)))];
        switch (filter.Operator)
        {
            case FeedOperator.Is:
                if (filter.Values[0].ToLowerInvariant() is not ("null" or "not_null" or "true" or "false" or "unknown"))
                    throw FeedErrors.RequestInvalid.With($"'{filter.Column}=is.' takes null, not_null, true, false or unknown.");
                break;
            case FeedOperator.Like or FeedOperator.Ilike:
                pattern = Compile("^" + Regex.Escape(filter.Values[0]).Replace("%", ".*", StringComparison.Ordinal).Replace("\\*", ".*", StringComparison.Ordinal)
                    .Replace("_", ".", StringComparison.Ordinal) + "$", filter.Operator == FeedOperator.Ilike, RegexOptions.Singleline);
                break;
            case FeedOperator.Match or FeedOperator.Imatch:
                pattern = Compile(filter.Values[0], filter.Operator == FeedOperator.Imatch, RegexOptions.None);
                break;
            default:
                if (read is not null)
                {
                    ordered = [.. filter.Values.Select(value => read(value)
                        ?? throw FeedErrors.RequestInvalid.With($"'{Shown(value)}' is no value of {filter.Column}, which is of the type {type}."))];
                }

                break;
        }

        static string Shown(string value) => value.Length <= 64 ? value : value[..64] + "…";
    }

    /// <summary>The column and the text, when the filter holds of exactly the rows that have this text there; the index of subscribers is made of these.</summary>
    public (int Column, string Text)? Exact =>
        filter is { Operator: FeedOperator.Eq, IsNegated: false } && IsExact ? (column, Encoding.UTF8.GetString(exact[0])) : null;

    // What equals has one text: no numbers with fractions and no times.
    private bool IsExact { get; init; }

    public static FilterTest Make(FeedFilter filter, int column, string type) => new(filter, column, type)
    {
        IsExact = type is "uuid" or "int2" or "int4" or "int8" or "bool" || ReaderOf(type) is null,
    };

    /// <summary>Whether it holds; never of a value that is null or not known.</summary>
    public bool Holds(WalChange change)
    {
        var value = column < change.Values.Length ? change.Values[column] : new WalValue(0, WalValue.Unchanged);
        if (value.Length == WalValue.Unchanged)
            return false;
        var isNull = value.Length == WalValue.Null;
        if (filter.Operator == FeedOperator.Is)
            return HoldsIs(change, value, isNull) != filter.IsNegated;
        if (filter.Operator == FeedOperator.Isdistinct)
            return (isNull || !EqualsAny(change.Text(value))) != filter.IsNegated;
        return !isNull && HoldsOf(change.Text(value)) != filter.IsNegated;
    }

    private bool HoldsIs(WalChange change, WalValue value, bool isNull) => filter.Values[0].ToLowerInvariant() switch
    {
        "null" or "unknown" => isNull,
        "not_null" => !isNull,
        "true" => !isNull && change.Text(value) is [(byte)'t'],
        _ => !isNull && change.Text(value) is [(byte)'f'],
    };

    private bool HoldsOf(ReadOnlySpan<byte> text) => filter.Operator switch
    {
        FeedOperator.Eq or FeedOperator.In => EqualsAny(text),
        FeedOperator.Neq => !EqualsAny(text),
        FeedOperator.Like or FeedOperator.Ilike or FeedOperator.Match or FeedOperator.Imatch => Matches(text),
        FeedOperator.Lt => Compare(text) < 0,
        FeedOperator.Lte => Compare(text) <= 0,
        FeedOperator.Gt => Compare(text) > 0,
        _ => Compare(text) >= 0,
    };

    private bool EqualsAny(ReadOnlySpan<byte> text)
    {
        foreach (var value in exact)
        {
            if (text.SequenceEqual(value))
                return true;
        }

        return !IsExact && ordered is not null && read!(Encoding.UTF8.GetString(text)) is { } read_ && Array.Exists(ordered, value => value.CompareTo(read_) == 0);
    }

    private bool Matches(ReadOnlySpan<byte> text)
    {
        try
        {
            return pattern!.IsMatch(Encoding.UTF8.GetString(text));
        }
        catch (RegexMatchTimeoutException)
        {
            return false;
        }
    }

    private int Compare(ReadOnlySpan<byte> text)
    {
        var value = Encoding.UTF8.GetString(text);
        return ordered is null ? string.CompareOrdinal(value, filter.Values[0]) : read!(value) is { } number ? number.CompareTo(ordered[0]) : -2;
    }

    private static string Canonical(string type, string value) => type switch
    {
        "uuid" => value.ToLowerInvariant(),
        "bool" => value.ToLowerInvariant() switch { "true" => "t", "false" => "f", var other => other },
        "int2" or "int4" or "int8" when long.TryParse(value, NumberStyles.Integer, CultureInfo.InvariantCulture, out var number) =>
            number.ToString(CultureInfo.InvariantCulture),
        _ => value,
    };

    private static Func<string, IComparable?>? ReaderOf(string type) => type switch
    {
        "int2" or "int4" or "int8" or "oid" => static text => long.TryParse(text, NumberStyles.Integer, CultureInfo.InvariantCulture, out var value) ? value : null,
        "numeric" => static text => decimal.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : null,
        "float4" or "float8" => static text => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : null,
        "timestamptz" or "timestamp" or "date" => static text =>
            DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var value) ? value : null,
        "uuid" => static text => Guid.TryParseExact(text, "D", out var value) ? value.ToString() : null,
        "bool" => static text => Canonical("bool", text) switch { "t" => "t", "f" => "f", _ => null },
        _ => null,
    };

    // Without backtracking: a client's pattern cannot cost more than the text is long.
    private static Regex Compile(string text, bool ignoreCase, RegexOptions more)
    {
        try
        {
            return new Regex(
                text, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant | more | (ignoreCase ? RegexOptions.IgnoreCase : RegexOptions.None),
                TimeSpan.FromMilliseconds(100));
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw FeedErrors.RequestInvalid.With("A pattern in a filter is no regular expression that is known here.", inner: e);
        }
    }
}
