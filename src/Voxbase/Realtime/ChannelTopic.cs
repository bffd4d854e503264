namespace Voxbase.Realtime;

/// <summary>Where messages go. A private channel and a public one of the same name have nothing in common.</summary>
/// <param name="Name">Any text, for example <c>conversation:01890a5d-…</c>.</param>
/// <param name="IsPrivate">Whether the policies of <c>realtime.messages</c> say who may listen and send.</param>
public readonly record struct ChannelTopic(string Name, bool IsPrivate)
{
    /// <summary>The private channel of a conversation: its owner and those who take part may use it.</summary>
    public static ChannelTopic Of(Guid conversationId) => new($"conversation:{conversationId}", IsPrivate: true);
}
