using System.Text.Json;
using System.Text.Json.Nodes;

namespace Voxbase.LiveKit;

/// <summary>The fields of LiveKit's messages that hold a secret: rooms have a TURN password, outputs of egress the keys of a storage.</summary>
internal static class LiveKitSecrets
{
    // Without underscores and in lower case, so that both spellings of protobuf's JSON are met.
    private static readonly HashSet<string> Names = new(StringComparer.Ordinal)
    {
        "turnpassword", "secret", "secretkey", "accesskey", "accesskeyid", "sessiontoken", "assumerolearn", "assumeroleexternalid",
        "credentials", "accountkey", "accountname", "password", "signingkey", "streamkey",
    };

    /// <summary>The first of them that holds something, or null.</summary>
    public static string? Find(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var property in element.EnumerateObject())
                {
                    if (IsSecret(property.Name) && property.Value is not { ValueKind: JsonValueKind.Null } && !property.Value.ValueEqualsEmpty())
                        return property.Name;
                    if (Find(property.Value) is { } found)
                        return found;
                }

                return null;
            case JsonValueKind.Array:
                return element.EnumerateArray().Select(Find).FirstOrDefault(found => found is not null);
            default:
                return null;
        }
    }

    /// <summary>Takes them out; tells whether there were any.</summary>
    public static bool Remove(JsonNode? node)
    {
        var removed = false;
        switch (node)
        {
            case JsonObject fields:
                foreach (var name in fields.Select(field => field.Key).Where(IsSecret).ToList())
                    removed |= fields.Remove(name);
                foreach (var (_, value) in fields)
                    removed |= Remove(value);
                break;
            case JsonArray items:
                foreach (var item in items)
                    removed |= Remove(item);
                break;
        }

        return removed;
    }

    private static bool IsSecret(string name) => Names.Contains(name.Replace("_", "", StringComparison.Ordinal).ToLowerInvariant());

    private static bool ValueEqualsEmpty(this JsonElement value) => value.ValueKind == JsonValueKind.String && value.ValueEquals("");
}
