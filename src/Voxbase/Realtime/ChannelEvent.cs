namespace Voxbase.Realtime;

/// <summary>Something that goes to everyone in a channel. It does not change, so a transport makes its own form of it once for all.</summary>
public abstract class ChannelEvent
{
    private readonly object?[] forms = new object?[4];

    private protected ChannelEvent()
    {
    }

    /// <summary>What a transport made of it, made when first asked for and told apart by numbers below 4. Two at once may both make it.</summary>
    public T Form<T>(int slot, Func<T> make)
        where T : class => (T)(forms[slot] ??= make());
}

/// <summary>A message.</summary>
public sealed class Broadcast : ChannelEvent
{
    private Broadcast(string name, ReadOnlyMemory<byte> payload, bool isBinary, Guid? id, bool isReplayed) =>
        (Name, Payload, IsBinary, Id, IsReplayed) = (name, payload, isBinary, id, isReplayed);

    /// <summary>The event's name.</summary>
    public string Name { get; }

    /// <summary>JSON in UTF-8, or bytes.</summary>
    public ReadOnlyMemory<byte> Payload { get; }

    /// <summary>Whether the payload is bytes. Clients of protocol 1.0.0 don't get those.</summary>
    public bool IsBinary { get; }

    /// <summary>Its id where it is stored, else null.</summary>
    public Guid? Id { get; }

    /// <summary>Whether it is told again to someone who came late.</summary>
    public bool IsReplayed { get; }

    /// <summary>The whole object, to the letter, where a client sent one as text: it may hold more than a name and a payload.</summary>
    public ReadOnlyMemory<byte> Whole { get; private init; }

    /// <summary>A message whose payload is JSON; the caller has checked that it is.</summary>
    public static Broadcast Json(string name, ReadOnlyMemory<byte> payload) => new(name, payload, isBinary: false, id: null, isReplayed: false);

    /// <summary>A message of bytes.</summary>
    public static Broadcast Binary(string name, ReadOnlyMemory<byte> payload) => new(name, payload, isBinary: true, id: null, isReplayed: false);

    /// <summary>A message that is stored.</summary>
    internal static Broadcast Stored(string name, ReadOnlyMemory<byte> payload, bool isBinary, Guid id, bool isReplayed = false) =>
        new(name, payload, isBinary, id, isReplayed);

    /// <summary>A message as a client sent it, an object in JSON.</summary>
    public static Broadcast Object(ReadOnlyMemory<byte> whole) => new("", default, isBinary: false, id: null, isReplayed: false) { Whole = whole };
}

/// <summary>Who is present: everyone, to who asks; or who came and went, to everyone. In the form that Phoenix's clients merge.</summary>
public sealed class PresenceChange : ChannelEvent
{
    internal PresenceChange(bool isState, ReadOnlyMemory<byte> json) => (IsState, Json) = (isState, json);

    /// <summary>Whether it is everyone, and not a change.</summary>
    public bool IsState { get; }

    /// <summary><c>{key: {metas: […]}}</c>, or <c>{joins: …, leaves: …}</c> of such.</summary>
    public ReadOnlyMemory<byte> Json { get; }
}
