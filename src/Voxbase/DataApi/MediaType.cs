using System.Globalization;

namespace Voxbase.DataApi;

internal enum MediaKind
{
    Json,
    Csv,
    GeoJson,
    Object,
    ObjectStripped,
    ArrayStripped,
    Plan,
    OpenApi,
    Own,
}

/// <summary>
/// A form of answers that the database brings: a domain named like a media type, and a function that returns it, or an aggregate of rows.
/// </summary>
/// <param name="Media">The domain's name in small letters, <c>*/*</c> for any.</param>
/// <param name="Target">The function, or the table whose rows it takes; null for rows of every table.</param>
/// <param name="Aggregate">The aggregate as a statement names it, or null where the function itself answers so.</param>
/// <param name="IsBinary">Whether it is bytes rather than text.</param>
internal sealed record MediaHandler(string Media, QName? Target, string? Aggregate, bool IsBinary);

/// <summary>The form of an answer.</summary>
/// <param name="Kind">What is written.</param>
/// <param name="ContentType">How it is named in the answer.</param>
internal sealed record MediaType(MediaKind Kind, string ContentType)
{
    private const string Charset = "; charset=utf-8";

    public static MediaType Json { get; } = new(MediaKind.Json, "application/json" + Charset);

    private static readonly MediaType Csv = new(MediaKind.Csv, "text/csv" + Charset);
    private static readonly MediaType GeoJson = new(MediaKind.GeoJson, "application/geo+json" + Charset);
    private static readonly MediaType One = new(MediaKind.Object, "application/vnd.pgrst.object+json" + Charset);
    private static readonly MediaType OneStripped = new(MediaKind.ObjectStripped, "application/vnd.pgrst.object+json;nulls=stripped" + Charset);
    private static readonly MediaType ManyStripped = new(MediaKind.ArrayStripped, "application/vnd.pgrst.array+json;nulls=stripped" + Charset);
    private static readonly MediaType OpenApi = new(MediaKind.OpenApi, "application/openapi+json" + Charset);

    /// <summary>Of a plan: the form that would have been written.</summary>
    public MediaKind PlanOf { get; private init; }

    /// <summary>Of a form that the database brings, a plan's too.</summary>
    public MediaHandler? Handler { get; private init; }

    /// <summary>Of a plan: <c>format json, verbose</c> and so on.</summary>
    public string PlanOptions { get; private init; } = "";

    public bool IsSingular => Kind is MediaKind.Object or MediaKind.ObjectStripped;

    /// <summary>The form of the body, a plan's too.</summary>
    public MediaKind Body => Kind == MediaKind.Plan ? PlanOf : Kind;

    /// <summary>The first form that the header Accept takes and that there is.</summary>
    /// <param name="accept">The header.</param>
    /// <param name="mayPlan">Whether a plan is answered.</param>
    /// <param name="own">Finds what the database brings for a media type; null where it brings none.</param>
    /// <exception cref="ApiException">PGRST107.</exception>
    public static MediaType Negotiate(string? accept, bool mayPlan, Func<string, MediaHandler?>? own)
    {
        // What nearly everybody sends.
        if (own is null && accept is null or "" or "*/*" or "application/json")
            return Json;
        var offered = Ordered(accept is null or "" ? "*/*" : accept);
        foreach (var name in offered)
        {
            if (Find(name, mayPlan, own) is { Kind: not MediaKind.OpenApi } type)
                return type;
        }

        throw ApiFaults.MediaType(offered);
    }

    /// <summary>The form of the root, which is described in one way alone.</summary>
    /// <exception cref="ApiException">PGRST107.</exception>
    public static MediaType NegotiateRoot(string? accept)
    {
        if (accept is null or "")
            return OpenApi;
        var offered = Ordered(accept);
        return offered.Exists(name => Find(name, mayPlan: false, own: null) is { Kind: MediaKind.OpenApi or MediaKind.Json })
            ? OpenApi
            : throw ApiFaults.MediaType(offered);
    }

    private static MediaType? Find(string text, bool mayPlan, Func<string, MediaHandler?>? own)
    {
        var parts = Parts(text);
        if (!parts[0].StartsWith("application/vnd.pgrst.", StringComparison.OrdinalIgnoreCase) && own?.Invoke(parts[0].ToLowerInvariant()) is { } handler)
            return new MediaType(MediaKind.Own, NameOf(handler.Media)) { Handler = handler };
        var stripped = parts.Skip(1).Any(part => part.Equals("nulls=stripped", StringComparison.OrdinalIgnoreCase));
        switch (parts[0].ToLowerInvariant())
        {
            case "*/*" or "application/json":
                return Json;
            case "text/csv":
                return Csv;
            case "application/geo+json":
                return GeoJson;
            case "application/openapi+json":
                return OpenApi;
            case "application/vnd.pgrst.object+json" or "application/vnd.pgrst.object":
                return stripped ? OneStripped : One;
            case "application/vnd.pgrst.array+json" or "application/vnd.pgrst.array":
                return stripped ? ManyStripped : Json;
            case "application/vnd.pgrst.plan" or "application/vnd.pgrst.plan+text" when mayPlan:
                return Plan("text", parts, own);
            case "application/vnd.pgrst.plan+json" when mayPlan:
                return Plan("json", parts, own);
            default:
                return null;
        }
    }

    // Of those that are text a client knows which.
    private static string NameOf(string media) => media switch
    {
        "*/*" => "application/octet-stream",
        "application/json" or "application/geo+json" or "application/openapi+json" or "text/csv" or "text/plain" or "text/xml" => media + Charset,
        _ => media,
    };

    private static MediaType? Plan(string format, List<string> parts, Func<string, MediaHandler?>? own)
    {
        var planned = Json;
        var options = new List<string>();
        foreach (var part in parts.Skip(1))
        {
            if (part.StartsWith("for=", StringComparison.OrdinalIgnoreCase))
            {
                if (Find(part["for=".Length..].Trim('"'), mayPlan: false, own) is not { Kind: not MediaKind.OpenApi } known)
                    return null;
                planned = known;
            }
            else if (part.StartsWith("options=", StringComparison.OrdinalIgnoreCase))
            {
                foreach (var option in part["options=".Length..].Split('|'))
                {
                    if (option is "analyze" or "verbose" or "settings" or "buffers" or "wal" && !options.Contains(option))
                        options.Add(option);
                }
            }
        }

        var shown = $"application/vnd.pgrst.plan+{format}; for=\"{planned.ContentType.Replace(Charset, "", StringComparison.Ordinal)}\""
            + (options.Count == 0 ? "" : "; options=" + string.Join('|', options));
        return new MediaType(MediaKind.Plan, shown + Charset)
        {
            PlanOf = planned.Kind,
            Handler = planned.Handler,
            PlanOptions = string.Join(", ", options.Prepend("format " + format)),
        };
    }

    // By their q, and of equal ones the first.
    private static List<string> Ordered(string accept)
    {
        var offered = new List<(string Name, double Quality)>();
        foreach (var item in Split(accept, ','))
        {
            var parts = Parts(item);
            var quality = parts.FindIndex(part => part.StartsWith("q=", StringComparison.OrdinalIgnoreCase));
            var weight = quality > 0 && double.TryParse(parts[quality][2..], CultureInfo.InvariantCulture, out var q) ? q : 1;
            if (quality > 0)
                parts.RemoveAt(quality);
            if (parts[0].Length > 0)
                offered.Add((string.Join(';', parts), weight));
        }

        return [.. offered.OrderByDescending(each => each.Quality).Select(each => each.Name)];
    }

    private static List<string> Parts(string text) => [.. Split(text, ';').Select(part => part.Trim())];

    // Quoted commas and semicolons are part of a value.
    private static IEnumerable<string> Split(string text, char separator)
    {
        var (start, quoted) = (0, false);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '"')
                quoted = !quoted;
            if (text[i] != separator || quoted)
                continue;
            yield return text[start..i];
            start = i + 1;
        }

        yield return text[start..];
    }
}
