using System.Text.Json;

namespace Voxbase.LiveKit;

/// <summary>A LiveKit access token to make. Everything that is null is left out of the token.</summary>
public sealed record NewLiveKitToken
{
    /// <summary>Who bears it: the participant's identity. Needed to join. At most 512 characters.</summary>
    public string? Identity { get; init; }

    /// <summary>The participant's name for people.</summary>
    public string? Name { get; init; }

    /// <summary>What kind of participant it joins as: standard, sip, agent, egress, ingress, connector or bridge.</summary>
    public string? Kind { get; init; }

    /// <summary>More about the kind.</summary>
    public IReadOnlyList<string>? KindDetails { get; init; }

    /// <summary>The participant's metadata, a text of the application's own.</summary>
    public string? Metadata { get; init; }

    /// <summary>The participant's attributes.</summary>
    public IReadOnlyDictionary<string, string>? Attributes { get; init; }

    /// <summary>What it may do with rooms.</summary>
    public LiveKitVideoGrant? Video { get; init; }

    /// <summary>What it may do with telephony.</summary>
    public LiveKitSipGrant? Sip { get; init; }

    /// <summary>What it may do with agents.</summary>
    public LiveKitAgentGrant? Agent { get; init; }

    /// <summary>What it may do with LiveKit's models.</summary>
    public LiveKitInferenceGrant? Inference { get; init; }

    /// <summary>What it may do with observability.</summary>
    public LiveKitObservabilityGrant? Observability { get; init; }

    /// <summary>The name of a room configuration that LiveKit keeps.</summary>
    public string? RoomPreset { get; init; }

    /// <summary>
    /// How LiveKit is to make the room when the bearer is the first to join (its RoomConfiguration, as JSON). It may hold no credential of a
    /// storage: whoever bears the token can read it.
    /// </summary>
    public JsonElement? RoomConfig { get; init; }

    /// <summary>SHA-256 of a body, in base64: the token signs a webhook.</summary>
    public string? Sha256 { get; init; }

    /// <summary>How long it holds; <see cref="LiveKitOptions.TokenLifetime"/> when null. From 1 second to 24 hours.</summary>
    public TimeSpan? Lifetime { get; init; }
}

/// <summary>Rights over rooms. Of the rights named <c>Can…</c>, null leaves LiveKit's default (allowed), which false takes away.</summary>
public sealed record LiveKitVideoGrant
{
    /// <summary>Make and delete rooms.</summary>
    public bool RoomCreate { get; init; }

    /// <summary>List rooms.</summary>
    public bool RoomList { get; init; }

    /// <summary>Record rooms.</summary>
    public bool RoomRecord { get; init; }

    /// <summary>Govern <see cref="Room"/>: its participants, their tracks, its data.</summary>
    public bool RoomAdmin { get; init; }

    /// <summary>Join <see cref="Room"/>.</summary>
    public bool RoomJoin { get; init; }

    /// <summary>The room's name.</summary>
    public string? Room { get; init; }

    /// <summary>Publish tracks.</summary>
    public bool? CanPublish { get; init; }

    /// <summary>Subscribe to others' tracks.</summary>
    public bool? CanSubscribe { get; init; }

    /// <summary>Send data.</summary>
    public bool? CanPublishData { get; init; }

    /// <summary>The only sources it may publish: camera, microphone, screen_share, screen_share_audio.</summary>
    public IReadOnlyList<string>? CanPublishSources { get; init; }

    /// <summary>Change its own metadata and attributes.</summary>
    public bool? CanUpdateOwnMetadata { get; init; }

    /// <summary>Subscribe to metrics.</summary>
    public bool? CanSubscribeMetrics { get; init; }

    /// <summary>Manage an agent's session.</summary>
    public bool? CanManageAgentSession { get; init; }

    /// <summary>Control ingress.</summary>
    public bool IngressAdmin { get; init; }

    /// <summary>Be invisible to others.</summary>
    public bool Hidden { get; init; }

    /// <summary>Record, and let the room show that it is recorded.</summary>
    public bool Recorder { get; init; }

    /// <summary>Connect as an agent's worker.</summary>
    public bool Agent { get; init; }

    /// <summary>Where participants may be forwarded or moved to.</summary>
    public string? DestinationRoom { get; init; }
}

/// <summary>Rights over telephony.</summary>
/// <param name="Admin">Manage trunks and rules.</param>
/// <param name="Call">Call out.</param>
public sealed record LiveKitSipGrant(bool Admin = false, bool Call = false);

/// <summary>Rights over agents.</summary>
/// <param name="Admin">Manage agents.</param>
/// <param name="SimulationAdmin">Manage simulations.</param>
/// <param name="DatabaseAdmin">Manage databases.</param>
public sealed record LiveKitAgentGrant(bool Admin = false, bool SimulationAdmin = false, bool DatabaseAdmin = false);

/// <summary>Rights over LiveKit's models.</summary>
/// <param name="Perform">Use them.</param>
public sealed record LiveKitInferenceGrant(bool Perform = false);

/// <summary>Rights over observability.</summary>
/// <param name="Write">Upload.</param>
public sealed record LiveKitObservabilityGrant(bool Write = false);
