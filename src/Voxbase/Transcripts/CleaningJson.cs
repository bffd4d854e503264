using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Voxbase.Cleaning;

/// <summary>Whether a correction is in the cleaned text.</summary>
public enum CorrectionStatus
{
    /// <summary>It is.</summary>
    Applied,

    /// <summary>Noticed, and not applied: too uncertain, or more than the level allows.</summary>
    Reported,

    /// <summary>It was, until somebody took it back.</summary>
    Undone,
}

/// <summary>Where in the raw text, in UTF-16 units.</summary>
/// <param name="Start">The first.</param>
/// <param name="End">The one after the last.</param>
public sealed record CorrectionPosition(int Start, int End);

/// <summary>A correction as a turn keeps it.</summary>
/// <param name="Original">What stands in the raw text.</param>
/// <param name="Corrected">What stands in its place in the cleaned text; empty for what was taken out.</param>
/// <param name="Confidence">How sure.</param>
/// <param name="Reason">Which rule: one of <see cref="CorrectionReasons"/>.</param>
/// <param name="Position">Where in the raw text.</param>
/// <param name="ContextRelevance">How much the conversation spoke for it, from 0 to 1.</param>
/// <param name="Status">Whether it is in the cleaned text.</param>
public sealed record TurnCorrection(
    string Original, string Corrected, Confidence Confidence, string Reason, CorrectionPosition Position, double ContextRelevance, CorrectionStatus Status)
{
    internal static TurnCorrection Of(Correction correction, CorrectionStatus status) => new(
        correction.Original, correction.Corrected, correction.Confidence, correction.Reason, new CorrectionPosition(correction.Start, correction.End),
        correction.ContextRelevance, status);

    /// <summary>Those applied, and then those reported.</summary>
    public static IReadOnlyList<TurnCorrection> Of(CleanedTurn turn) =>
    [
        .. turn.Corrections.Select(correction => Of(correction, CorrectionStatus.Applied)),
        .. turn.Reported.Select(correction => Of(correction, CorrectionStatus.Reported)),
    ];

    internal Correction ToCorrection() => new(Original, Corrected, Confidence, Reason, Position.Start, Position.End, ContextRelevance);
}

/// <summary>Corrections as the turn's column holds them.</summary>
internal static class CleaningJson
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Write(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer, Options))
            write(json);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    public static string Write(IReadOnlyList<TurnCorrection> corrections) => corrections.Count == 0 ? "[]" : Write(json =>
    {
        json.WriteStartArray();
        foreach (var correction in corrections)
        {
            json.WriteStartObject();
            json.WriteString("original", correction.Original);
            json.WriteString("corrected", correction.Corrected);
            json.WriteString("confidence", correction.Confidence.ToString().ToUpperInvariant());
            json.WriteString("reason", correction.Reason);
            json.WriteStartObject("position");
            json.WriteNumber("start", correction.Position.Start);
            json.WriteNumber("end", correction.Position.End);
            json.WriteEndObject();
            json.WriteNumber("context_relevance", correction.ContextRelevance);
            json.WriteString("status", correction.Status.ToString().ToLowerInvariant());
            json.WriteEndObject();
        }

        json.WriteEndArray();
    });

    /// <summary>What the column holds; empty for what the application wrote there in another form.</summary>
    public static IReadOnlyList<TurnCorrection> Read(JsonElement? column)
    {
        if (column is not { ValueKind: JsonValueKind.Array } array || array.GetArrayLength() == 0)
            return [];
        try
        {
            return
            [
                .. array.EnumerateArray().Select(each => new TurnCorrection(
                    each.GetProperty("original").GetString()!,
                    each.GetProperty("corrected").GetString()!,
                    Enum.Parse<Confidence>(each.GetProperty("confidence").GetString()!, ignoreCase: true),
                    each.GetProperty("reason").GetString()!,
                    new CorrectionPosition(each.GetProperty("position").GetProperty("start").GetInt32(), each.GetProperty("position").GetProperty("end").GetInt32()),
                    each.GetProperty("context_relevance").GetDouble(),
                    Enum.Parse<CorrectionStatus>(each.GetProperty("status").GetString()!, ignoreCase: true))),
            ];
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException)
        {
            return [];
        }
    }
}
