namespace Voxbase.LiveKit;

/// <summary>What the events about one room came to.</summary>
internal sealed record LiveKitCall
{
    public string? RoomSid { get; init; }

    public string? RoomName { get; init; }

    /// <summary>When the room was made.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>When the first one came who is neither an agent nor a recorder.</summary>
    public DateTimeOffset? ConnectedAt { get; init; }

    /// <summary>When the room closed; null while nothing says that it did.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary><c>room_finished</c>; <c>nobody_joined</c>; <c>room_gone</c> when its end was not told and it was found missing.</summary>
    public string? EndReason { get; init; }

    public bool AgentUsed { get; init; }

    public required IReadOnlyList<LiveKitVisit> Visits { get; init; }

    public required IReadOnlyList<LiveKitRecording> Recordings { get; init; }

    public required IReadOnlyList<LiveKitOccurrence> Occurrences { get; init; }

    /// <summary>Events that LiveKit says it dropped.</summary>
    public long Dropped { get; init; }

    public bool IsConnected => ConnectedAt is not null;

    public bool IsEnded => EndReason is not null;
}

/// <summary>Somebody's stay in the room. Coming again is another one.</summary>
internal sealed record LiveKitVisit
{
    public required string Sid { get; init; }

    public required string Identity { get; init; }

    public string? Name { get; init; }

    public required string Kind { get; init; }

    public required DateTimeOffset JoinedAt { get; init; }

    public DateTimeOffset? LeftAt { get; init; }

    public string? DisconnectReason { get; init; }

    /// <summary>A JSON object.</summary>
    public string? Attributes { get; init; }

    public bool IsMuted { get; init; }

    public bool IsPerson => Kind is "standard" or "sip" or "connector";
}

/// <summary>A recording of the room.</summary>
internal sealed record LiveKitRecording
{
    public required string EgressId { get; init; }

    public required string Status { get; init; }

    public string? Location { get; init; }

    public long? SizeBytes { get; init; }

    public long? DurationMs { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    public string? Error { get; init; }

    public bool IsOver => Status is "complete" or "failed" or "aborted" or "limit_reached";
}

/// <summary>Something that happened and is worth counting.</summary>
/// <param name="Key">Identity within the conversation.</param>
/// <param name="EventType">As LiveKit names it; <c>error</c> for an agent's job that failed.</param>
/// <param name="At">When.</param>
/// <param name="LatencyMs">How long it took, where that is known.</param>
/// <param name="Details">A JSON object.</param>
internal sealed record LiveKitOccurrence(string Key, string EventType, DateTimeOffset? At, int? LatencyMs, string Details);
