using System.Text.Json;

namespace Voxbase.Cleaning;

/// <summary>An edit as a model proposes it: other words, or none, for the tokens <paramref name="From"/> to <paramref name="To"/>, counted from 1.</summary>
internal readonly record struct LlmEdit(int From, int To, string Text, string Reason, bool IsSure)
{
    // More than a model has any use for.
    private const int MostEdits = 200;

    /// <summary>Reads an answer; null when it isn't the JSON that was asked for. A fence around it is taken off.</summary>
    public static IReadOnlyList<LlmEdit>? Read(string answer)
    {
        var json = answer.AsSpan().Trim();
        if (json.StartsWith("```") && json.EndsWith("```") && json.Length > 6 && json.IndexOf('\n') is var line and > 0)
            json = json[(line + 1)..^3];
        try
        {
            using var document = JsonDocument.Parse(json.ToString(), new JsonDocumentOptions { MaxDepth = 8 });
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("edits", out var array)
                || array.ValueKind != JsonValueKind.Array || array.GetArrayLength() > MostEdits)
            {
                return null;
            }

            var edits = new List<LlmEdit>();
            foreach (var edit in array.EnumerateArray())
            {
                if (Read(edit) is not { } read)
                    return null;
                edits.Add(read);
            }

            return edits;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            // The last two: text with half a surrogate pair.
            return null;
        }
    }

    private static LlmEdit? Read(JsonElement edit)
    {
        if (edit.ValueKind != JsonValueKind.Object || !edit.TryGetProperty("from", out var from) || from.ValueKind != JsonValueKind.Number
            || !edit.TryGetProperty("to", out var to) || to.ValueKind != JsonValueKind.Number
            || !edit.TryGetProperty("text", out var text) || text.ValueKind != JsonValueKind.String)
        {
            return null;
        }

        var reason = edit.TryGetProperty("reason", out var given) && given.ValueKind == JsonValueKind.String ? given.GetString()! : "";
        var sure = !edit.TryGetProperty("confidence", out var confidence) || confidence.ValueKind != JsonValueKind.String
            || !string.Equals(confidence.GetString(), "low", StringComparison.OrdinalIgnoreCase);
        // A number out of range is an index that no turn has.
        return new LlmEdit(from.TryGetInt32(out var first) ? first : 0, to.TryGetInt32(out var last) ? last : 0, text.GetString()!.Trim(), reason, sure);
    }
}
