using System.Globalization;
using System.Text;

namespace Voxbase.DataApi;

/// <summary>From the query string to <see cref="ParsedQuery"/>. Knows the grammar and nothing of the database.</summary>
internal static class QueryReader
{
    private const int MaxDepth = 32;

    // Never added to.
    private static readonly List<JsonStep> None = [];

    private static readonly Dictionary<string, Operator> Operators = new(StringComparer.Ordinal)
    {
        ["eq"] = Operator.Eq,
        ["neq"] = Operator.Neq,
        ["gt"] = Operator.Gt,
        ["gte"] = Operator.Gte,
        ["lt"] = Operator.Lt,
        ["lte"] = Operator.Lte,
        ["like"] = Operator.Like,
        ["ilike"] = Operator.ILike,
        ["match"] = Operator.Match,
        ["imatch"] = Operator.IMatch,
        ["in"] = Operator.In,
        ["is"] = Operator.Is,
        ["isdistinct"] = Operator.IsDistinct,
        ["cs"] = Operator.Contains,
        ["cd"] = Operator.Contained,
        ["ov"] = Operator.Overlaps,
        ["sl"] = Operator.StrictlyLeft,
        ["sr"] = Operator.StrictlyRight,
        ["nxr"] = Operator.NotExtendsRight,
        ["nxl"] = Operator.NotExtendsLeft,
        ["adj"] = Operator.Adjacent,
        ["fts"] = Operator.Fts,
        ["plfts"] = Operator.PlainFts,
        ["phfts"] = Operator.PhraseFts,
        ["wfts"] = Operator.WebFts,
    };

    private static readonly Dictionary<string, Operator>.AlternateLookup<ReadOnlySpan<char>> OperatorsBySpan = Operators.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Reads a query.</summary>
    /// <param name="query">Without its question mark; empty for none.</param>
    /// <param name="isCallByGet">Whether what compares nothing is an argument.</param>
    /// <exception cref="ApiException">PGRST100.</exception>
    public static ParsedQuery Read(string query, bool isCallByGet)
    {
        // A name without "=" says nothing.
        var pairs = Pairs(query, onlyWithValue: true);
        string? select = null, columns = null, onConflict = null;
        foreach (var (name, value) in pairs)
        {
            switch (name)
            {
                case "select":
                    select ??= value;
                    break;
                case "columns":
                    columns ??= value;
                    break;
                case "on_conflict":
                    onConflict ??= value;
                    break;
            }
        }

        var parsed = new ParsedQuery
        {
            Select = select is null ? [] : Beginning("select parameter", select, 0, static (ref Cursor c) => Items(ref c, 0)),
            Columns = columns is null ? null : Whole("columns parameter", columns, 0, Names),
            OnConflict = onConflict is null ? null : Whole("on_conflict parameter", onConflict, 0, Names),
        };
        foreach (var (name, value) in pairs)
        {
            if (name is not ("select" or "columns" or "on_conflict"))
                Add(parsed, name, value, isCallByGet);
        }

        return parsed;
    }

    private static void Add(ParsedQuery parsed, string name, string value, bool isCallByGet)
    {
        switch (LastSegment(name))
        {
            case "order":
                if (value.Length > 0)
                    parsed.Orders.Add(new(PathOf(name), Whole("order", value, 0, Order)));
                break;
            case "limit":
            case "offset":
                var path = name.Length > 6 && name.Contains('.', StringComparison.Ordinal) ? name[..name.LastIndexOf('.')] : "";
                var range = parsed.Ranges.GetValueOrDefault(path);
                if (long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var rows))
                    range = name.EndsWith("limit", StringComparison.Ordinal) ? range with { Limit = rows } : range with { Offset = Math.Max(0, rows) };
                parsed.Ranges[path] = range;
                break;
            case "and":
            case "or":
                var segments = Whole("logic path", name, 0, Path);
                var isNot = segments.SkipLast(1).Contains("not");
                var text = (isNot ? "not." : "") + segments[^1] + value;
                var group = Beginning("logic tree", text, text.Length - value.Length, static (ref Cursor c) => Tree(ref c, 0), value);
                parsed.Logic.Add(new([.. segments.SkipLast(1).Where(each => each != "not")], group));
                break;
            default:
                if (isCallByGet && !name.Contains('.', StringComparison.Ordinal) && !Compares(value))
                {
                    parsed.Arguments.Add(new(name, value));
                    break;
                }

                var (where, field) = Whole("tree path", name, 0, TreePath);
                parsed.Filters.Add(new(where, Whole("filter", value, 0, (ref Cursor c) => Comparison(ref c, field, inTree: false))));
                break;
        }
    }

    // A function's argument may look like anything but a comparison.
    private static bool Compares(ReadOnlySpan<char> value)
    {
        var text = value;
        if (text.StartsWith("not.", StringComparison.Ordinal))
            text = text[4..];
        var dot = text.IndexOf('.');
        if (dot <= 0)
            return false;
        var name = text[..dot];
        var open = name.IndexOf('(');
        if (open > 0 && name[^1] == ')')
            name = name[..open];
        return OperatorsBySpan.ContainsKey(name);
    }

    /// <summary>Whether it names an operator.</summary>
    public static bool IsOperator(ReadOnlySpan<char> word) => OperatorsBySpan.ContainsKey(word);

    private static string LastSegment(string name)
    {
        var dot = name.LastIndexOf('.');
        return dot < 0 ? name : name[(dot + 1)..];
    }

    private static string[] PathOf(string name)
    {
        if (!name.Contains('.', StringComparison.Ordinal))
            return [];
        var segments = Whole("tree path", name, 0, Path);
        return segments[..^1];
    }

    /// <summary>A path of <c>rel.limit</c> without its last part.</summary>
    public static IReadOnlyList<string> RangePath(string path) => path.Length == 0 ? [] : Whole("tree path", path, 0, Path);

    private static List<(string Name, string Value)> Pairs(string query, bool onlyWithValue)
    {
        var pairs = new List<(string, string)>(4);
        foreach (var range in query.AsSpan().Split('&'))
        {
            var pair = query.AsSpan(range);
            if (pair.IsEmpty)
                continue;
            var equals = pair.IndexOf('=');
            if (equals >= 0 || !onlyWithValue)
                pairs.Add(equals < 0 ? (Decode(pair), "") : (Decode(pair[..equals]), Decode(pair[(equals + 1)..])));
        }

        return pairs;
    }

    /// <summary>A name or value as it is meant.</summary>
    public static string Decode(ReadOnlySpan<char> text) =>
        text.ContainsAny('%', '+') ? Uri.UnescapeDataString(text.ToString().Replace('+', ' ')) : text.ToString();

    /// <summary>The query with its parameters in the order of their names, as an answer names its own place.</summary>
    public static string Canonical(string query)
    {
        var pairs = Pairs(query, onlyWithValue: false);
        var text = new StringBuilder();
        foreach (var (name, value) in pairs.Count == 1 ? pairs : [.. pairs.OrderBy(pair => pair.Name, StringComparer.Ordinal)])
        {
            text.Append(text.Length == 0 ? "" : "&").Append(Uri.EscapeDataString(name)).Append('=').Append(Uri.EscapeDataString(value));
        }

        return text.ToString();
    }

    private delegate T Reader<T>(ref Cursor cursor);

    // What stands behind a closed parenthesis is nobody's: the dialect has always passed over it.
    private static T Beginning<T>(string what, string text, int shift, Reader<T> read, string? shown = null)
    {
        var cursor = new Cursor(text, what, shown ?? text, shift);
        return read(ref cursor);
    }

    // Everything must be read to the end.
    private static T Whole<T>(string what, string text, int shift, Reader<T> read)
    {
        var cursor = new Cursor(text, what, text, shift);
        var value = read(ref cursor);
        if (!cursor.IsAtEnd)
            throw cursor.Unexpected("end of input");
        return value;
    }

    private static string[] Names(ref Cursor cursor)
    {
        var names = new List<string>();
        do
        {
            cursor.SkipSpace();
            names.Add(Name(ref cursor));
            cursor.SkipSpace();
        }
        while (cursor.Take(','));
        return [.. names];
    }

    private static string[] Path(ref Cursor cursor)
    {
        var names = new List<string>(2);
        do
            names.Add(Name(ref cursor));
        while (cursor.Take('.'));
        return [.. names];
    }

    private static (IReadOnlyList<string> Path, Field Field) TreePath(ref Cursor cursor)
    {
        var path = Path(ref cursor);
        var field = new Field(path[^1], Arrows(ref cursor));
        return (path[..^1], field);
    }

    private static List<SelectItem> Items(ref Cursor cursor, int depth)
    {
        if (depth > MaxDepth)
            throw cursor.Unexpected("fewer levels");
        var items = new List<SelectItem>();
        cursor.SkipSpace();
        if (cursor.IsAtEnd || cursor.Current == ')')
            return items;
        do
        {
            cursor.SkipSpace();
            items.Add(Item(ref cursor, depth));
            cursor.SkipSpace();
        }
        while (cursor.Take(','));
        return items;
    }

    private static SelectItem Item(ref Cursor cursor, int depth)
    {
        var start = cursor.Position;
        if (cursor.Take("...") || cursor.Take(".."))
            return Relation(ref cursor, null, Name(ref cursor), isSpread: true, depth);
        if (cursor.Current == '*' && cursor.Take('*'))
        {
            EndOfItem(ref cursor);
            return new SelectField(Field.All, Aggregate.None, null, null, null);
        }

        var name = Name(ref cursor);
        string? alias = null;
        if (cursor.Current == ':' && cursor.Peek(1) != ':')
        {
            cursor.Take(':');
            alias = name;
            name = Name(ref cursor);
        }

        if (name == "count" && cursor.Take("()"))
        {
            var cast = cursor.Take("::") ? Identifier(ref cursor) : null;
            EndOfItem(ref cursor);
            return new SelectField(Field.All, Aggregate.Count, cast, null, alias);
        }

        if (cursor.Current is '!' or '(')
            return Relation(ref cursor, alias, name, isSpread: false, depth);

        var field = new Field(name, Arrows(ref cursor));
        cursor.SkipSpace();
        var fieldCast = cursor.Take("::") ? Identifier(ref cursor) : null;
        var aggregate = Aggregate.None;
        if (cursor.Take('.'))
        {
            aggregate =
                cursor.Take("sum") ? Aggregate.Sum
                : cursor.Take("avg") ? Aggregate.Avg
                : cursor.Take("count") ? Aggregate.Count
                : cursor.Take("max") ? Aggregate.Max
                : cursor.Take("min") ? Aggregate.Min
                : throw cursor.Unexpected("\"sum\", \"avg\", \"count\", \"max\" or \"min\"");
            cursor.Expect("()");
        }

        var aggregateCast = aggregate != Aggregate.None && cursor.Take("::") ? Identifier(ref cursor) : null;
        if (cursor.Position == start)
            throw cursor.Unexpected("field name (* or [a..z0..9_$])");
        EndOfItem(ref cursor);
        return new SelectField(field, aggregate, aggregateCast, fieldCast, alias);
    }

    private static SelectRelation Relation(ref Cursor cursor, string? alias, string name, bool isSpread, int depth)
    {
        string? hint = null;
        var isInner = false;
        var isJoinSaid = false;
        for (var i = 0; i < 2 && cursor.Take('!'); i++)
        {
            var word = Name(ref cursor);
            if (word is "inner" or "left" && !isJoinSaid)
                (isInner, isJoinSaid) = (word == "inner", true);
            else
                hint ??= word;
        }

        cursor.Expect("(");
        var items = Items(ref cursor, depth + 1);
        cursor.Expect(")");
        return new SelectRelation(name, alias, hint, isInner, isSpread, items);
    }

    private static void EndOfItem(ref Cursor cursor)
    {
        cursor.SkipSpace();
        if (!cursor.IsAtEnd && cursor.Current is not (')' or ','))
            throw cursor.Unexpected("letter, digit, \"-\", \"->>\", \"->\", \"::\", \".\", \")\", \",\" or end of input");
    }

    // Quoted, or of letters, digits, _, $ and spaces, with dashes between.
    private static string Name(ref Cursor cursor)
    {
        if (cursor.Current == '"' && !cursor.IsAtEnd)
            return Quoted(ref cursor);
        var start = cursor.Position;
        var first = Identifier(ref cursor, "field name (* or [a..z0..9_$])");
        if (cursor.Current != '-')
            return first;
        var name = new StringBuilder(first);
        while (cursor.Current == '-' && cursor.Peek(1) != '>' && cursor.Position > start)
        {
            cursor.Take('-');
            name.Append('-').Append(Identifier(ref cursor, "letter or digit"));
        }

        return name.ToString();
    }

    private static string Identifier(ref Cursor cursor) => Identifier(ref cursor, "letter or digit");

    private static string Identifier(ref Cursor cursor, string expected)
    {
        var start = cursor.Position;
        while (IsOfName(cursor.Current))
            cursor.Skip();
        var text = cursor.Since(start).Trim(' ');
        return text.IsEmpty ? throw cursor.Unexpected(expected) : text.ToString();
    }

    private static bool IsOfName(char c) => char.IsLetterOrDigit(c) || char.IsSurrogate(c) || c is '_' or ' ' or '$';

    private static string Quoted(ref Cursor cursor)
    {
        cursor.Expect("\"");
        var text = new StringBuilder();
        while (!cursor.IsAtEnd && cursor.Current != '"')
        {
            if (cursor.Current == '\\')
                cursor.Skip();
            if (cursor.IsAtEnd)
                break;
            text.Append(cursor.Current);
            cursor.Skip();
        }

        cursor.Expect("\"");
        return text.ToString();
    }

    private static List<JsonStep> Arrows(ref Cursor cursor)
    {
        List<JsonStep>? steps = null;
        while (cursor.Current == '-' && cursor.Peek(1) == '>')
        {
            var asText = cursor.Take("->>");
            if (!asText)
                cursor.Expect("->");
            (steps ??= []).Add(Step(ref cursor, asText));
        }

        return steps ?? None;
    }

    private static JsonStep Step(ref Cursor cursor, bool asText)
    {
        var start = cursor.Position;
        var sign = cursor.Take('-') ? "-" : "+";
        var digits = cursor.Position;
        while (char.IsAsciiDigit(cursor.Current))
            cursor.Skip();
        if (cursor.Position > digits && cursor.Position - digits < 10
            && (cursor.IsAtEnd || cursor.Current is '.' or ',' or ')' || cursor.StartsWith("->") || cursor.StartsWith("::")))
        {
            return new JsonStep(asText, sign + cursor.Since(digits).ToString(), IsIndex: true);
        }

        if (sign == "-")
            throw cursor.Unexpected(cursor.Position == digits ? "digit" : "digit, \"->\", \"::\", \".\", \",\" or end of input");
        cursor.Position = start;
        if (cursor.Current == '"' && !cursor.IsAtEnd)
            return new JsonStep(asText, Quoted(ref cursor), IsIndex: false);
        while (!cursor.IsAtEnd && cursor.Current is not ('(' or ':' or '.' or ',' or '>' or ')')
            && !(cursor.Current == '-' && (cursor.Peek(1) is '>' or '-' or '\0' || cursor.Position == start)))
        {
            cursor.Skip();
        }

        var key = cursor.Since(start).Trim(' ');
        return key.IsEmpty ? throw cursor.Unexpected("\"-\", digit or any non reserved character different from: .,>()") : new JsonStep(asText, key.ToString(), IsIndex: false);
    }

    private static Filter Comparison(ref Cursor cursor, Field field, bool inTree)
    {
        var isNot = cursor.Take("not.");
        var start = cursor.Position;
        while (char.IsAsciiLetter(cursor.Current))
            cursor.Skip();
        if (!OperatorsBySpan.TryGetValue(cursor.Since(start), out var op))
        {
            cursor.Position = start;
            throw isNot ? cursor.Unexpected("operator (eq, gt, ...)") : cursor.Unlike("not", "\"not\" or operator (eq, gt, ...)");
        }

        var quantifier = Quantifier.None;
        string? language = null;
        if (cursor.Current == '(' && op is Operator.Fts or Operator.PlainFts or Operator.PhraseFts or Operator.WebFts)
        {
            cursor.Take('(');
            language = Identifier(ref cursor, "operator (eq, gt, ...)");
            cursor.Expect(")");
        }
        else if (cursor.Current == '(' && op <= Operator.IMatch && op != Operator.Neq)
        {
            quantifier = cursor.Take("(any)") ? Quantifier.Any : cursor.Take("(all)") ? Quantifier.All : throw cursor.Unexpected("operator (eq, gt, ...)");
        }

        cursor.Expect(".", "delimiter (.)");
        switch (op)
        {
            case Operator.In:
                return new Filter(field, isNot, op, quantifier, "") { Values = List(ref cursor) };
            case Operator.Is:
                return new Filter(field, isNot, op, quantifier, Truth(ref cursor));
            default:
                return new Filter(field, isNot, op, quantifier, inTree ? TreeValue(ref cursor) : cursor.TakeRest()) { Language = language };
        }
    }

    private static string Truth(ref Cursor cursor)
    {
        foreach (var word in (ReadOnlySpan<string>)["not_null", "null", "true", "false", "unknown"])
        {
            if (cursor.TakeIgnoringCase(word))
                return word;
        }

        throw cursor.Unexpected("isVal: (null, not_null, true, false, unknown)");
    }

    private static List<string> List(ref Cursor cursor)
    {
        cursor.SkipSpace();
        cursor.Expect("(");
        cursor.SkipSpace();
        var values = new List<string>();
        do
            values.Add(Element(ref cursor));
        while (cursor.Take(','));
        cursor.SkipSpace();
        cursor.Expect(")");
        cursor.SkipSpace();
        return values;
    }

    private static string Element(ref Cursor cursor)
    {
        var start = cursor.Position;
        if (cursor.Current == '"' && !cursor.IsAtEnd)
        {
            if (cursor.HasQuoted() && Quoted(ref cursor) is var quoted && (cursor.IsAtEnd || cursor.Current is ',' or ')'))
                return quoted;
            cursor.Position = start;
        }

        while (!cursor.IsAtEnd && cursor.Current is not (',' or ')'))
            cursor.Skip();
        return cursor.Since(start).ToString();
    }

    private static string TreeValue(ref Cursor cursor)
    {
        var start = cursor.Position;
        if (cursor.Current == '{' && !cursor.IsAtEnd)
        {
            cursor.Skip();
            while (!cursor.IsAtEnd && cursor.Current is not ('{' or '}'))
                cursor.Skip();
            if (cursor.Take('}'))
                return cursor.Since(start).ToString();
            cursor.Position = start;
        }

        return Element(ref cursor);
    }

    private static Logic Tree(ref Cursor cursor, int depth)
    {
        if (depth > MaxDepth)
            throw cursor.Unexpected("fewer levels");
        cursor.SkipSpace();
        var start = cursor.Position;
        var isNot = cursor.Take("not.");
        var isOr = false;
        if ((isOr = cursor.Take("or")) || cursor.Take("and"))
        {
            cursor.SkipSpace();
            if (cursor.Take('('))
            {
                var members = new List<Logic>();
                do
                {
                    members.Add(Tree(ref cursor, depth + 1));
                    cursor.SkipSpace();
                }
                while (cursor.Take(','));
                cursor.Expect(")");
                cursor.SkipSpace();
                return new LogicGroup(isNot, isOr, members);
            }
        }

        // A column may be named like an operator.
        var (wasOperator, afterOperator) = (isOr || cursor.Position > start + (isNot ? "not.".Length : 0), cursor.Position);
        cursor.Position = start;
        if (depth == 0)
        {
            cursor.Position = cursor.Shift;
            throw cursor.Unexpected("\"(\"");
        }

        // A column may be named "not", too: then an operator follows.
        var isNegated = cursor.StartsWith("not.") && !Compares(cursor.Rest["not.".Length..]);
        if (isNegated)
            cursor.Take("not.");
        if (!IsOfName(cursor.Current) && cursor.Current != '"')
            throw cursor.Unexpected("field name (* or [a..z0..9_$]), negation operator (not) or logic operator (and, or)");
        var named = cursor.Position;
        var field = new Field(Name(ref cursor), Arrows(ref cursor));
        cursor.SkipSpace();
        if ((wasOperator || isNegated) && cursor.Current == '(')
        {
            cursor.Position = wasOperator ? afterOperator : named;
            throw cursor.Unexpected(wasOperator ? "\"(\"" : "logic operator (and, or)");
        }

        cursor.Expect(".", "delimiter (.)");
        var filter = Comparison(ref cursor, field, inTree: true);
        return isNegated ? filter with { IsNot = !filter.IsNot } : filter;
    }

    private static IReadOnlyList<OrderTerm> Order(ref Cursor cursor)
    {
        var terms = new List<OrderTerm>(1);
        do
        {
            cursor.SkipSpace();
            terms.Add(Term(ref cursor));
            cursor.SkipSpace();
        }
        while (cursor.Take(','));
        return terms;
    }

    private static OrderTerm Term(ref Cursor cursor)
    {
        string? relation = null;
        var field = new Field(Name(ref cursor), Arrows(ref cursor));
        if (field.Path.Count == 0 && cursor.Take('('))
        {
            relation = field.Name;
            cursor.SkipSpace();
            field = new Field(Name(ref cursor), Arrows(ref cursor));
            cursor.SkipSpace();
            cursor.Expect(")");
        }

        bool? isDescending = cursor.Take(".asc") ? false : cursor.Take(".desc") ? true : null;
        bool? isNullsFirst = cursor.Take(".nullsfirst") ? true : cursor.Take(".nullslast") ? false : null;
        cursor.SkipSpace();
        if (cursor.IsAtEnd || cursor.Current == ',')
            return new OrderTerm(field, relation, isDescending, isNullsFirst);
        if (isNullsFirst is not null)
            throw cursor.Unexpected("\",\" or end of input");
        if (!cursor.Take('.'))
            throw cursor.Unexpected((isDescending is null ? "letter, digit, \"-\", \"->>\", \"->\", " : "") + "delimiter (.), \",\" or end of input");
        throw isDescending is null
            ? cursor.Unlike("asc", "\"asc\", \"desc\", \"nullsfirst\" or \"nullslast\"")
            : cursor.Unlike("nullsfirst", "\"nullsfirst\" or \"nullslast\"");
    }

    /// <summary>A place in a text.</summary>
    private ref struct Cursor(string text, string what, string shown, int shift)
    {
        public int Position;

        // Where the client's own text begins.
        public readonly int Shift = shift;

        public readonly bool IsAtEnd => Position >= text.Length;

        public readonly char Current => Position < text.Length ? text[Position] : '\0';

        public readonly char Peek(int ahead) => Position + ahead < text.Length ? text[Position + ahead] : '\0';

        public readonly bool StartsWith(string word) => text.AsSpan(Position).StartsWith(word, StringComparison.Ordinal);

        public readonly ReadOnlySpan<char> Since(int start) => text.AsSpan(start, Position - start);

        public readonly ReadOnlySpan<char> Rest => text.AsSpan(Math.Min(Position, text.Length));

        public void Skip() => Position++;

        public void SkipSpace()
        {
            while (Current is ' ' or '\t')
                Position++;
        }

        public bool Take(char c)
        {
            if (IsAtEnd || text[Position] != c)
                return false;
            Position++;
            return true;
        }

        public bool Take(string word)
        {
            if (!StartsWith(word))
                return false;
            Position += word.Length;
            return true;
        }

        public bool TakeIgnoringCase(string word)
        {
            if (!text.AsSpan(Position).StartsWith(word, StringComparison.OrdinalIgnoreCase))
                return false;
            Position += word.Length;
            return true;
        }

        public string TakeRest()
        {
            var rest = text[Position..];
            Position = text.Length;
            return rest;
        }

        // Whether the quote here is ever closed.
        public readonly bool HasQuoted()
        {
            for (var i = Position + 1; i < text.Length; i++)
            {
                if (text[i] == '\\')
                    i++;
                else if (text[i] == '"')
                    return true;
            }

            return false;
        }

        public void Expect(string word, string? expected = null)
        {
            if (!Take(word))
                throw Unexpected(expected ?? $"\"{word}\"");
        }

        /// <summary>The fault at this place. Where the text might have ended, a letter stands in single quotes, as clients know it.</summary>
        public readonly ApiException Unexpected(string expected)
        {
            var quote = expected.EndsWith("end of input", StringComparison.Ordinal) ? '\'' : '"';
            return Fault(Current, IsAtEnd, quote, expected);
        }

        /// <summary>The fault that a word is not here: it names the first letter that is another.</summary>
        public readonly ApiException Unlike(string word, string expected)
        {
            var same = 0;
            while (same < word.Length && Peek(same) == word[same])
                same++;
            return Fault(Peek(same), Position + same >= text.Length, '"', expected);
        }

        private readonly ApiException Fault(char found, bool isEnd, char quote, string expected)
        {
            var letter = isEnd ? "end of input" : $"{quote}{(char.IsSurrogate(found) ? '?' : found)}{quote}";
            return ApiFaults.Parse(what, shown, Position + 1, $"unexpected {letter} expecting {expected}");
        }
    }
}
