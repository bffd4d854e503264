using System.Buffers;

namespace Voxbase.DataApi;

/// <summary>
/// A request without its values: everything that may decide what its statement is, and apart from that the values that only ever become
/// parameters. Two requests with the same key differ in nothing but their values and their body.
/// </summary>
/// <remarks>
/// What is not understood to be a value is part of the key; what is no plain comparison has no shape. Each part of the key is preceded by
/// its length, so that no two lists of parts are the same text.
/// </remarks>
internal ref struct RequestShape
{
    private const int MostChars = 2048;

    private static readonly SearchValues<char> Quoting = SearchValues.Create("()\"\\ \t");

    private readonly Span<char> key;
    private int length;
    private int pairs;

    private RequestShape(Span<char> key) => this.key = key;

    /// <summary>The space that a key needs at most.</summary>
    public static int Size => MostChars;

    public readonly ReadOnlySpan<char> Key => key[..length];

    /// <summary>The values, in the order of the query.</summary>
    public List<ShapeValue> Values { get; } = new(2);

    /// <summary>What is written; null when the request has no body.</summary>
    public Payload? Payload { get; private set; }

    /// <summary>Takes a request apart.</summary>
    /// <param name="request">The request.</param>
    /// <param name="schema">The schema it speaks of.</param>
    /// <param name="role">The caller's, for each role has statements of its own.</param>
    /// <param name="space">Room for the key, of <see cref="Size"/>.</param>
    /// <param name="shape">The shape.</param>
    /// <returns>Whether the request has one; one that has none is planned each time.</returns>
    public static bool TryRead(ApiRequest request, string schema, string role, Span<char> space, out RequestShape shape)
    {
        shape = new RequestShape(space);
        return shape.Add(request.Method) && shape.Add(schema) && shape.Add(role) && shape.Add(request.Accept) && shape.Add(request.Range)
            && shape.AddPath(request.Path) && shape.AddPreferences(request.Prefer) && shape.AddQuery(request, out var hasColumns)
            && shape.AddBody(request, hasColumns);
    }

    private bool AddPath(IReadOnlyList<string> path)
    {
        var fits = AddNumber(path.Count);
        for (var i = 0; i < path.Count; i++)
            fits = fits && Add(path[i]);
        return fits;
    }

    private bool AddPreferences(IEnumerable<string?> headers)
    {
        var count = 0;
        foreach (var header in headers)
        {
            if (!Add(header))
                return false;
            count++;
        }

        return AddNumber(count);
    }

    private bool AddQuery(ApiRequest request, out bool hasColumns)
    {
        hasColumns = false;
        var isCallByGet = request.IsRpc && request.Method is "GET" or "HEAD";
        foreach (var range in request.Query.AsSpan().Split('&'))
        {
            var pair = request.Query.AsSpan(range);
            if (pair.IsEmpty)
                continue;
            // A name alone is not a name with an empty value.
            var equals = pair.IndexOf('=');
            if (equals < 0)
                return false;
            var name = QueryReader.Decode(pair[..equals]);
            var value = QueryReader.Decode(pair[(equals + 1)..]);
            hasColumns |= name == "columns";
            if (!AddPair(name, value, isCallByGet))
                return false;
            pairs++;
        }

        return AddNumber(Values.Count);
    }

    private bool AddPair(string name, string value, bool isCallByGet)
    {
        switch (name.AsSpan(name.LastIndexOf('.') + 1))
        {
            case "and" or "or":
                return false;
            case "order" or "limit" or "offset":
            case "select" or "columns" or "on_conflict" when !name.Contains('.', StringComparison.Ordinal):
                return Add(name) && Add(value);
        }

        if (!TryOperator(value, out var end, out var op))
            return false;
        if (op.IsEmpty)
        {
            // What compares nothing can only be an argument.
            Values.Add(new ShapeValue(pairs, "", value, ValueKind.Whole));
            return isCallByGet && !name.Contains('.', StringComparison.Ordinal) && Add(name) && Add("");
        }

        var operand = value.AsSpan(end);
        var kind = op switch
        {
            "is" => (ValueKind?)null,
            "in" => ValueKind.List,
            "like" or "ilike" => ValueKind.Pattern,
            _ => ValueKind.Whole,
        };
        if (kind is null)
            return Add(name) && Add(value);
        // Of lists only those whose members are plain.
        if (kind == ValueKind.List && (operand.Length < 3 || operand[0] != '(' || operand[^1] != ')' || operand[1..^1].ContainsAny(Quoting)))
            return false;
        Values.Add(new ShapeValue(pairs, value[..end], operand.ToString(), kind.Value));
        return Add(name) && Add(value.AsSpan(0, end));
    }

    // <c>not.eq(any).</c> and what it is made of; false for what looks like one and may be another thing.
    private static bool TryOperator(string value, out int end, out ReadOnlySpan<char> op)
    {
        var start = value.StartsWith("not.", StringComparison.Ordinal) ? 4 : 0;
        var dot = value.IndexOf('.', start);
        end = dot + 1;
        op = default;
        if (dot < 0)
            return start == 0;
        var word = value.AsSpan(start, dot - start);
        var open = word.IndexOf('(');
        if (open >= 0)
        {
            if (word[^1] != ')' || word[(open + 1)..^1].ContainsAnyExceptInRange('a', 'z'))
                return false;
            word = word[..open];
        }

        if (QueryReader.IsOperator(word))
            op = word;
        return !op.IsEmpty || (open < 0 && start == 0);
    }

    // A body of JSON decides with its keys alone; another has no shape.
    private bool AddBody(ApiRequest request, bool hasColumns)
    {
        if (request.Method is not ("POST" or "PATCH" or "PUT"))
            return AddNumber(0);
        if (Payload.BaseType(request.ContentType) != "application/json")
            return false;
        Payload = Payload.Read(request, hasColumns && request.Method != "PUT" ? [] : null);
        var fits = AddNumber(Payload.IsObject ? 1 : 2) && AddNumber(Payload.Keys.Count);
        foreach (var name in Payload.Keys)
            fits = fits && Add(name);
        return fits;
    }

    private bool AddNumber(int number) => TryAppend((char)number, default);

    private bool Add(string? part) => part is null ? TryAppend('\0', default) : Add(part.AsSpan());

    private bool Add(ReadOnlySpan<char> part) => TryAppend((char)(part.Length + 1), part);

    private bool TryAppend(char first, scoped ReadOnlySpan<char> rest)
    {
        if (rest.Length >= key.Length - length)
            return false;
        key[length++] = first;
        rest.CopyTo(key[length..]);
        length += rest.Length;
        return true;
    }
}

internal enum ValueKind
{
    /// <summary>Is the parameter as it is.</summary>
    Whole,

    /// <summary>With stars for any text.</summary>
    Pattern,

    /// <summary>Several in parentheses, which become one array.</summary>
    List,
}

/// <summary>A value of a request, and where it stood.</summary>
/// <param name="Pair">The pair of the query, counted from 0 without empty ones.</param>
/// <param name="Prefix">What goes before it: negation and operator.</param>
/// <param name="Value">The value.</param>
/// <param name="Kind">What becomes of it.</param>
internal readonly record struct ShapeValue(int Pair, string Prefix, string Value, ValueKind Kind)
{
    /// <summary>The parameter that it becomes.</summary>
    public string ToParameter() => Kind switch
    {
        ValueKind.Pattern => Value.Replace('*', '%'),
        ValueKind.List => StatementWriter.ArrayOf(Value[1..^1].Split(',')),
        _ => Value,
    };
}
