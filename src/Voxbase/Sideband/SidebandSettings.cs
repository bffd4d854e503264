namespace Voxbase.Sideband;

/// <summary>How a call is attached to.</summary>
public sealed record SidebandSettings
{
    /// <summary>
    /// The conversation that the call belongs to, such as the one its session token was made for. Null takes the one of the call's id, or
    /// makes one.
    /// </summary>
    public Guid? ConversationId { get; init; }

    /// <summary>Whose conversation it becomes, when it is made. A user attaches for itself; the service may name anyone, or nobody.</summary>
    public Guid? UserId { get; init; }

    /// <summary>The model of a Live session, which a sideband is not told and its price depends on. A Realtime call says it itself.</summary>
    public string? Model { get; init; }
}
