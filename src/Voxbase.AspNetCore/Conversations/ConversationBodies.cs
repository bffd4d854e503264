namespace Voxbase.AspNetCore;

/// <summary>A page of conversations, newest first.</summary>
/// <param name="Data">The conversations.</param>
/// <param name="Next">What to give as <c>before</c> for the next page; null at the end.</param>
internal sealed record ConversationPage(IReadOnlyList<Conversation> Data, Guid? Next);

/// <summary>A page of turns, in sequence.</summary>
/// <param name="Data">The turns.</param>
/// <param name="Next">What to give as <c>after</c> for the next page; null at the end.</param>
internal sealed record TurnPage(IReadOnlyList<Turn> Data, int? Next);

/// <summary>A move of the live state.</summary>
internal sealed record ConversationStateChange
{
    /// <summary>The state to be in.</summary>
    public required ConversationState State { get; init; }
}

/// <summary>pending → active.</summary>
internal sealed record ConversationActivation
{
    public static ConversationActivation Now { get; } = new();

    /// <summary>Now when null.</summary>
    public DateTimeOffset? ConnectedAt { get; init; }
}

/// <summary>How a conversation ended.</summary>
internal sealed record ConversationEnd
{
    public static ConversationEnd Now { get; } = new();

    /// <summary>Why.</summary>
    public string? Reason { get; init; }

    /// <summary><c>completed</c> (also when null) or <c>failed</c>.</summary>
    public ConversationStatus? Status { get; init; }

    /// <summary>Now when null.</summary>
    public DateTimeOffset? EndedAt { get; init; }
}

/// <summary>How a participant left.</summary>
internal sealed record ParticipantLeave
{
    public static ParticipantLeave Now { get; } = new();

    /// <summary>Why.</summary>
    public string? Reason { get; init; }

    /// <summary>Now when null.</summary>
    public DateTimeOffset? LeftAt { get; init; }
}

/// <summary>How the participant who joined last under an identity left.</summary>
internal sealed record ParticipantLeaveByIdentity
{
    /// <summary>The name the room or line knows it by.</summary>
    public required string Identity { get; init; }

    /// <summary>Why.</summary>
    public string? Reason { get; init; }

    /// <summary>Now when null.</summary>
    public DateTimeOffset? LeftAt { get; init; }
}
