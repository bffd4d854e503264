using System.Text.Json;
using Voxbase.LiveKit;

namespace Voxbase.AspNetCore;

/// <summary>A LiveKit token to make.</summary>
internal sealed record LiveKitTokenRequest
{
    /// <summary>The conversation whose room it is for.</summary>
    public required Guid ConversationId { get; init; }

    /// <summary>The participant's identity; the caller's own id when left out.</summary>
    public string? Identity { get; init; }

    /// <summary>The participant's name for people.</summary>
    public string? Name { get; init; }

    /// <summary>standard, sip, agent, egress, ingress, connector or bridge.</summary>
    public string? Kind { get; init; }

    /// <summary>More about the kind.</summary>
    public IReadOnlyList<string>? KindDetails { get; init; }

    /// <summary>The participant's metadata.</summary>
    public string? Metadata { get; init; }

    /// <summary>The participant's attributes.</summary>
    public IReadOnlyDictionary<string, string>? Attributes { get; init; }

    /// <summary>Rights over the room; to join it when left out.</summary>
    public LiveKitVideoGrant? Video { get; init; }

    /// <summary>Rights over telephony.</summary>
    public LiveKitSipGrant? Sip { get; init; }

    /// <summary>Rights over agents.</summary>
    public LiveKitAgentGrant? Agent { get; init; }

    /// <summary>Rights over LiveKit's models.</summary>
    public LiveKitInferenceGrant? Inference { get; init; }

    /// <summary>Rights over observability.</summary>
    public LiveKitObservabilityGrant? Observability { get; init; }

    /// <summary>A room configuration that LiveKit keeps, by name.</summary>
    public string? RoomPreset { get; init; }

    /// <summary>LiveKit's RoomConfiguration, without credentials.</summary>
    public JsonElement? RoomConfig { get; init; }

    /// <summary>How long it holds; the configured time when left out.</summary>
    public int? LifetimeSeconds { get; init; }

    public NewLiveKitToken Token => new()
    {
        Identity = Identity,
        Name = Name,
        Kind = Kind,
        KindDetails = KindDetails,
        Metadata = Metadata,
        Attributes = Attributes,
        Video = Video,
        Sip = Sip,
        Agent = Agent,
        Inference = Inference,
        Observability = Observability,
        RoomPreset = RoomPreset,
        RoomConfig = RoomConfig,
        Lifetime = LifetimeSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
    };
}

/// <summary>Whom to send out.</summary>
internal sealed record LiveKitRemoval
{
    /// <summary>The participant's identity.</summary>
    public required string Identity { get; init; }
}

/// <summary>Whether somebody was sent out.</summary>
/// <param name="Removed">False when nobody of that identity was there.</param>
internal sealed record LiveKitRemoved(bool Removed);

/// <summary>How to record.</summary>
internal sealed record LiveKitRecordingRequest
{
    public static LiveKitRecordingRequest Default { get; } = new();

    /// <summary>Where to, as LiveKit's egress understands it; admins and the service only.</summary>
    public string? Path { get; init; }

    /// <summary>All voices on both channels, instead of the agent on one and everybody else on the other.</summary>
    public bool Mixed { get; init; }
}

/// <summary>Why a call ends.</summary>
internal sealed record LiveKitCallEnd
{
    public static LiveKitCallEnd Now { get; } = new();

    /// <summary>Why.</summary>
    public string? Reason { get; init; }
}

/// <summary>Who is in a room.</summary>
internal sealed record LiveKitParticipantList(IReadOnlyList<LiveKitParticipant> Data);

/// <summary>A call's recordings.</summary>
internal sealed record LiveKitEgressList(IReadOnlyList<LiveKitEgress> Data);

/// <summary>Rooms.</summary>
internal sealed record LiveKitRoomList(IReadOnlyList<LiveKitRoom> Data);

/// <summary>Nothing to say.</summary>
internal sealed record LiveKitAccepted(bool Accepted);

/// <summary>What a session report came to.</summary>
/// <param name="Accepted">True: it is kept.</param>
/// <param name="Conversation">The conversation that it is of; null while its room is not known.</param>
internal sealed record LiveKitReportAnswer(bool Accepted, Conversation? Conversation);
