using System.Text.Json;

namespace Voxbase.AspNetCore;

/// <summary>What a join asks for. What is of another form than it should be counts as left out, as the protocol has it; entries of tables are looked at later.</summary>
internal sealed record JoinRequest
{
    public bool IsPrivate { get; private init; }

    /// <summary>Whether each broadcast is answered.</summary>
    public bool IsAcknowledged { get; private init; }

    /// <summary>Whether the sender gets its own broadcasts.</summary>
    public bool IncludesSelf { get; private init; }

    public string PresenceKey { get; private init; } = "";

    public bool FollowsPresence { get; init; } = true;

    /// <summary>Whether to say when broadcasts from the database arrive.</summary>
    public bool WantsReplicationReady { get; private init; }

    public bool WantsReplay { get; private init; }

    /// <summary>Null when it is wanted and of another form.</summary>
    public (DateTimeOffset Since, int Limit)? Replay { get; private init; }

    public IReadOnlyList<JsonElement> Changes { get; private init; } = [];

    /// <summary>How long the reply may wait for the changes of tables to be followed; null when it does not.</summary>
    public TimeSpan? Wait { get; private init; }

    public string? AccessToken { get; private init; }

    public static JoinRequest Of(JsonElement payload, TimeSpan maxWait)
    {
        var config = Part(payload, "config");
        var (broadcast, presence, options) = (Part(config, "broadcast"), Part(config, "presence"), Part(config, "postgres_changes_options"));
        var replay = Part(broadcast, "replay");
        var changes = Part(config, "postgres_changes");
        return new JoinRequest
        {
            IsPrivate = IsTrue(Part(config, "private")),
            IsAcknowledged = IsTrue(Part(broadcast, "ack")),
            IncludesSelf = IsTrue(Part(broadcast, "self")),
            PresenceKey = KeyOf(Part(presence, "key")),
            FollowsPresence = Part(presence, "enabled").ValueKind != JsonValueKind.False,
            WantsReplicationReady = IsTrue(Part(broadcast, "replication_ready")),
            WantsReplay = replay.ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Null),
            Replay = ReplayOf(replay),
            Changes = changes.ValueKind == JsonValueKind.Array ? [.. changes.EnumerateArray().Where(each => each.ValueKind != JsonValueKind.Null)] : [],
            Wait = IsTrue(Part(options, "wait")) ? WaitOf(Part(options, "timeout"), maxWait) : null,
            AccessToken = TokenOf(Part(payload, "user_token")) ?? TokenOf(Part(payload, "access_token")),
        };
    }

    /// <summary>A property, or nothing where there is none.</summary>
    public static JsonElement Part(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty(name, out var part) ? part : default;

    /// <summary>A text, or null where it is none.</summary>
    public static string? TextOf(JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private static string? TokenOf(JsonElement value) => TextOf(value);

    private static bool IsTrue(JsonElement value) => value.ValueKind == JsonValueKind.True;

    // Without a key of its own each client is someone else.
    private static string KeyOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String when TextOf(value) is { Length: > 0 } key => key,
        JsonValueKind.Number => value.GetRawText(),
        _ => Guid.CreateVersion7().ToString(),
    };

    private static (DateTimeOffset, int)? ReplayOf(JsonElement replay)
    {
        if (replay.ValueKind != JsonValueKind.Object)
            return null;
        var (since, limit) = (Part(replay, "since"), Part(replay, "limit"));
        var most = Voxbase.Realtime.ChannelMessages.MaxReplayed;
        if (since.ValueKind != JsonValueKind.Number || !since.TryGetInt64(out var milliseconds) || milliseconds is < 0 or > 253_402_300_799_999)
            return null;
        if (limit.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null)
            return (DateTimeOffset.FromUnixTimeMilliseconds(milliseconds), most);
        return limit.ValueKind == JsonValueKind.Number && limit.TryGetInt32(out var count) && count >= 1 && count <= most
            ? (DateTimeOffset.FromUnixTimeMilliseconds(milliseconds), count)
            : null;
    }

    private static TimeSpan WaitOf(JsonElement timeout, TimeSpan most)
    {
        var wanted = timeout.ValueKind == JsonValueKind.Number && timeout.TryGetDouble(out var milliseconds) && milliseconds > 0
            ? TimeSpan.FromMilliseconds(Math.Min(milliseconds, most.TotalMilliseconds))
            : TimeSpan.FromSeconds(15);
        return wanted < most ? wanted : most;
    }
}
