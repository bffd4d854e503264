using System.Globalization;
using System.Text.Json;

namespace Voxbase.LiveKit;

/// <summary>
/// Reads protobuf's JSON without believing it: names in camelCase or snake_case, 64-bit numbers in quotes or not, enums by name or
/// number, times in seconds, milliseconds or nanoseconds. A field of the wrong type is absent. Names are asked for in camelCase.
/// </summary>
internal static class LiveKitJson
{
    public const int MaxText = 512;

    public static readonly string[] ParticipantStates = ["joining", "joined", "active", "disconnected"];

    public static readonly string[] ParticipantKinds = ["standard", "ingress", "egress", "sip", "agent", "", "", "connector", "bridge"];

    public static readonly string[] EgressStatuses = ["starting", "active", "ending", "complete", "failed", "aborted", "limit_reached"];

    public static readonly string[] JobStatuses = ["pending", "running", "success", "failed"];

    public static readonly string[] DisconnectReasons =
    [
        "unknown", "client_initiated", "duplicate_identity", "server_shutdown", "participant_removed", "room_deleted", "state_mismatch",
        "join_failure", "migration", "signal_close", "room_closed", "user_unavailable", "user_rejected", "sip_trunk_failure",
        "connection_timeout", "media_failure", "agent_error",
    ];

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 64 };

    public static bool TryParse(string text, out JsonElement element)
    {
        try
        {
            using var document = JsonDocument.Parse(text, Options);
            element = document.RootElement.Clone();
            return true;
        }
        catch (JsonException)
        {
            element = default;
            return false;
        }
    }

    /// <summary>Whether every text in it is one: half of a surrogate pair is JSON, and cannot be given out.</summary>
    public static bool IsText(JsonElement element)
    {
        try
        {
            return element.ValueKind switch
            {
                JsonValueKind.String => element.GetString() is not null,
                JsonValueKind.Array => element.EnumerateArray().All(IsText),
                JsonValueKind.Object => element.EnumerateObject().All(property => property.Name is not null && IsText(property.Value)),
                _ => true,
            };
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    public static bool Find(JsonElement owner, string name, out JsonElement value)
    {
        value = default;
        return owner.ValueKind == JsonValueKind.Object
            && (owner.TryGetProperty(name, out value) || owner.TryGetProperty(SnakeCase(name), out value))
            && value.ValueKind is not (JsonValueKind.Null or JsonValueKind.Undefined);
    }

    public static JsonElement Object(JsonElement owner, string name) =>
        Find(owner, name, out var value) && value.ValueKind == JsonValueKind.Object ? value : default;

    public static IEnumerable<JsonElement> Items(JsonElement owner, string name) =>
        Find(owner, name, out var value) && value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : [];

    /// <summary>A short text that PostgreSQL can keep: a name, an id, a code.</summary>
    public static string? Text(JsonElement owner, string name) => LongText(owner, name) is { Length: > 0 and <= MaxText } text && !text.Contains('\0') ? text : null;

    /// <summary>Text of any length; U+0000, which PostgreSQL's text cannot hold, becomes U+FFFD.</summary>
    public static string? LongText(JsonElement owner, string name) => Find(owner, name, out var value) ? Text(value) : null;

    public static string? Text(JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString()!.Replace('\0', '\uFFFD') : null;
        }
        catch (InvalidOperationException)
        {
            // Half of a surrogate pair: System.Text.Json parses it and cannot give it out.
            return null;
        }
    }

    public static bool Flag(JsonElement owner, string name) => Find(owner, name, out var value) && value.ValueKind == JsonValueKind.True;

    public static double? Number(JsonElement owner, string name) =>
        !Find(owner, name, out var value) ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) ? number
        : value.ValueKind == JsonValueKind.String && Text(value) is { } text
            && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number) && double.IsFinite(number) ? number
        : null;

    public static long? Integer(JsonElement owner, string name) =>
        !Find(owner, name, out var value) ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) ? number
        : value.ValueKind == JsonValueKind.String && long.TryParse(Text(value), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number) ? number
        : null;

    /// <summary>An enum's value, lower case and without the prefix of its type; one that is not known as it is spelled.</summary>
    public static string? Enum(JsonElement owner, string name, string[] names)
    {
        if (!Find(owner, name, out var value))
            return null;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number))
            return number >= 0 && number < names.Length && names[number].Length > 0 ? names[number] : number.ToString(CultureInfo.InvariantCulture);
        if (Text(value) is not { Length: > 0 and <= 64 } text)
            return null;
        var lower = text.ToLowerInvariant();
        foreach (var prefix in (ReadOnlySpan<string>)["egress_", "js_", "jt_"])
        {
            if (lower.StartsWith(prefix, StringComparison.Ordinal))
                return lower[prefix.Length..];
        }

        return lower;
    }

    /// <summary>A time: RFC 3339, or a number since 1970 whose unit its magnitude tells. 0 means never.</summary>
    public static DateTimeOffset? Time(JsonElement owner, string name)
    {
        if (!Find(owner, name, out var value))
            return null;
        if (value.ValueKind == JsonValueKind.String && Text(value) is { } text && text.Contains('T')
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var time))
            return time;
        // Whole numbers first: nanoseconds have more digits than a double.
        return Integer(owner, name) is { } whole ? Time(whole) : Number(owner, name) is { } number ? Time((decimal)Math.Clamp(number, -1e20, 1e20)) : null;
    }

    /// <summary>A time since 1970 in seconds, milliseconds, microseconds or nanoseconds: of the years 1973 to 5000, no two units overlap.</summary>
    public static DateTimeOffset? Time(decimal number) => number switch
    {
        <= 0 => null,
        < 100_000_000_000m => DateTimeOffset.UnixEpoch.AddTicks((long)(number * TimeSpan.TicksPerSecond)),
        < 100_000_000_000_000m => DateTimeOffset.UnixEpoch.AddTicks((long)(number * TimeSpan.TicksPerMillisecond)),
        < 100_000_000_000_000_000m => DateTimeOffset.UnixEpoch.AddTicks((long)(number * TimeSpan.TicksPerMicrosecond)),
        < 100_000_000_000_000_000_000m => DateTimeOffset.UnixEpoch.AddTicks((long)(number / 100)),
        _ => null,
    };

    private static string SnakeCase(string name) => JsonNamingPolicy.SnakeCaseLower.ConvertName(name);
}
