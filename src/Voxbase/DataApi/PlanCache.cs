using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Npgsql;
using NpgsqlTypes;
using Voxbase.Data;

namespace Voxbase.DataApi;

/// <summary>A request on its way to the database.</summary>
/// <param name="Plan">What it does.</param>
/// <param name="Preferences">What it prefers, checked.</param>
/// <param name="SearchPath">Where names are looked for.</param>
/// <param name="Statements">What does it.</param>
internal readonly record struct PlannedRequest(RequestPlan Plan, Preferences Preferences, string SearchPath, IReadOnlyList<Statement> Statements);

/// <summary>
/// What was planned for requests of a shape, so that the next one only brings its values. It belongs to one <see cref="SchemaCache"/> and
/// goes with it. Bounded: when a generation is full it becomes the older one, and what nobody asked for since then is forgotten.
/// </summary>
internal sealed class PlanCache
{
    private const int GenerationSize = 512;

    private readonly Lock turn = new();
    private volatile ConcurrentDictionary<string, PlanTemplate> recent = new(StringComparer.Ordinal);
    private volatile ConcurrentDictionary<string, PlanTemplate> older = new(StringComparer.Ordinal);

    /// <summary>How many shapes it holds.</summary>
    public int Count => recent.Count + older.Count;

    public PlanTemplate? Find(ReadOnlySpan<char> key)
    {
        if (recent.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(key, out var template))
            return template;
        if (!older.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(key, out template))
            return null;
        Add(key.ToString(), template);
        return template;
    }

    public void Add(string key, PlanTemplate template)
    {
        lock (turn)
        {
            if (recent.Count >= GenerationSize)
                (older, recent) = (recent, new ConcurrentDictionary<string, PlanTemplate>(StringComparer.Ordinal));
            recent[key] = template;
        }
    }
}

/// <summary>The plan and statements of a shape, with places for values.</summary>
internal sealed class PlanTemplate
{
    // Nobody can send it, so where it comes out a value stood.
    private static readonly string Mark = "vox" + RandomNumberGenerator.GetHexString(32, lowercase: true);

    private readonly PlannedRequest planned;
    private readonly (string Sql, Place[] Places)[]? statements;

    private PlanTemplate(PlannedRequest planned, (string, Place[])[]? statements) => (this.planned, this.statements) = (planned, statements);

    /// <summary>For a shape of which no template can be made.</summary>
    public static PlanTemplate None { get; } = new(default, null);

    public bool IsUsable => statements is not null;

    /// <summary>
    /// Makes a template of a request that was planned: plans it again with marks in place of its values and sees where the marks come out.
    /// It is taken only if the texts are the same and, filled with the request's values, it gives the request's own parameters.
    /// </summary>
    /// <param name="request">The request.</param>
    /// <param name="values">Its values.</param>
    /// <param name="planned">What was planned for it.</param>
    /// <param name="plan">Plans a request.</param>
    public static PlanTemplate Of(ApiRequest request, IReadOnlyList<ShapeValue> values, PlannedRequest planned, Func<ApiRequest, PlannedRequest> plan)
    {
        var marks = new List<ShapeValue>(values.Count);
        for (var i = 0; i < values.Count; i++)
        {
            var mark = $"{Mark}x{i}x";
            marks.Add(values[i] with { Value = values[i].Kind == ValueKind.List ? $"({mark})" : mark });
        }

        PlannedRequest marked;
        try
        {
            marked = plan(request with { Query = Marked(request.Query, marks) });
        }
        catch (ApiException)
        {
            return None;
        }

        if (marked.Statements.Count != planned.Statements.Count)
            return None;
        var statements = new (string, Place[])[marked.Statements.Count];
        var isUsed = new bool[marks.Count];
        for (var i = 0; i < statements.Length; i++)
        {
            var (one, other) = (planned.Statements[i], marked.Statements[i]);
            if (one.Sql != other.Sql || Places(one.Parameters, other.Parameters, values, marks, isUsed) is not { } places)
                return None;
            statements[i] = (one.Sql, places);
        }

        // What a value does if not that, nobody knows here.
        return isUsed.Contains(false) ? None : new PlanTemplate(marked with { Statements = [] }, statements);
    }

    /// <summary>The request of this shape with these values and this body.</summary>
    public PlannedRequest Fill(IReadOnlyList<ShapeValue> values, Payload? payload)
    {
        var filled = new Statement[statements!.Length];
        for (var i = 0; i < filled.Length; i++)
        {
            var (sql, places) = statements[i];
            var parameters = new NpgsqlParameter[places.Length];
            for (var p = 0; p < places.Length; p++)
            {
                parameters[p] = places[p] switch
                {
                    { Number: { } number } => new NpgsqlParameter<long> { NpgsqlDbType = places[p].Type, TypedValue = number },
                    { Text: { } text } => new NpgsqlParameter<string> { NpgsqlDbType = places[p].Type, TypedValue = text },
                    { IsBody: true } => new NpgsqlParameter<ReadOnlyMemory<byte>> { NpgsqlDbType = places[p].Type, TypedValue = payload!.Bytes },
                    var place => new NpgsqlParameter<string> { NpgsqlDbType = place.Type, TypedValue = values[place.Value].ToParameter() },
                };
            }

            filled[i] = new Statement(sql, parameters);
        }

        return planned with { Statements = filled };
    }

    // The query again with marks for its values.
    private static string Marked(string query, List<ShapeValue> marks)
    {
        var (text, place, next) = (new StringBuilder(query.Length + 64), 0, 0);
        foreach (var range in query.AsSpan().Split('&'))
        {
            var pair = query.AsSpan(range);
            if (pair.IsEmpty)
                continue;
            text.Append(place == 0 ? "" : "&");
            if (next < marks.Count && marks[next].Pair == place)
            {
                text.Append(pair[..pair.IndexOf('=')]).Append('=').Append(Uri.EscapeDataString(marks[next].Prefix + marks[next].Value));
                next++;
            }
            else
            {
                text.Append(pair);
            }

            place++;
        }

        return text.ToString();
    }

    // Where each parameter comes from, or null when that is not certain.
    private static Place[]? Places(NpgsqlParameter[] own, NpgsqlParameter[] marked, IReadOnlyList<ShapeValue> values, List<ShapeValue> marks, bool[] isUsed)
    {
        if (own.Length != marked.Length)
            return null;
        var places = new Place[own.Length];
        for (var i = 0; i < places.Length; i++)
        {
            var type = own[i].NpgsqlDbType;
            if (type != marked[i].NpgsqlDbType)
                return null;
            switch (own[i], marked[i])
            {
                case (NpgsqlParameter<long> one, NpgsqlParameter<long> other) when one.TypedValue == other.TypedValue:
                    places[i] = new Place(type) { Number = one.TypedValue };
                    break;
                case (NpgsqlParameter<ReadOnlyMemory<byte>>, NpgsqlParameter<ReadOnlyMemory<byte>>):
                    places[i] = new Place(type) { IsBody = true };
                    break;
                case (NpgsqlParameter<string> one, NpgsqlParameter<string> { TypedValue: { } text }) when text.Contains(Mark, StringComparison.Ordinal):
                    var value = marks.FindIndex(mark => mark.ToParameter() == text);
                    if (value < 0 || values[value].ToParameter() != one.TypedValue)
                        return null;
                    isUsed[value] = true;
                    places[i] = new Place(type) { Value = value };
                    break;
                case (NpgsqlParameter<string> one, NpgsqlParameter<string> other) when one.TypedValue == other.TypedValue:
                    places[i] = new Place(type) { Text = one.TypedValue };
                    break;
                default:
                    return null;
            }
        }

        return places;
    }

    /// <summary>Where a parameter comes from: always the same, the body, or one of the values.</summary>
    private readonly record struct Place(NpgsqlDbType Type)
    {
        public string? Text { get; init; }

        public long? Number { get; init; }

        public bool IsBody { get; init; }

        public int Value { get; init; }
    }
}
