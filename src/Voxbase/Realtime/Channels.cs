using System.Collections.Concurrent;

namespace Voxbase.Realtime;

/// <summary>
/// The channels of this process: whoever is in one gets what is sent to it, at once and without the database; members on other servers are told by
/// <see cref="ChannelPeers"/>. Nothing is stored; who is not there misses it. Thread-safe.
/// </summary>
public sealed class Channels
{
    private readonly ConcurrentDictionary<ChannelTopic, ChannelRoom> rooms = new();
    private long members;

    /// <summary>The other servers, where there may be any.</summary>
    internal ChannelPeers? Peers { get; set; }

    /// <summary>How many channels have someone in them.</summary>
    public int Count => rooms.Count;

    /// <summary>Whether anybody is, or on another server may be, in the channel, so that what nobody would hear need not be made.</summary>
    public bool HasMembers(ChannelTopic topic) => rooms.ContainsKey(topic) || Peers?.MayHavePeers == true;

    /// <summary>Whether anybody is in the channel here.</summary>
    internal bool HasMembersHere(ChannelTopic topic) => rooms.ContainsKey(topic);

    /// <summary>
    /// Sends a message to everyone in a channel, of whom nobody can hold up the others. It passes every policy: whether the sender may send here is asked before.
    /// </summary>
    /// <returns>How many got it here.</returns>
    public int Send(ChannelTopic topic, Broadcast message) => Send(topic, message, except: null);

    internal int Send(ChannelTopic topic, Broadcast message, ChannelMember? except)
    {
        Peers?.Sent(topic, message);
        return SendHere(topic, message, except);
    }

    /// <summary>Sends to those on this server alone.</summary>
    internal int SendHere(ChannelTopic topic, Broadcast message, ChannelMember? except = null) =>
        rooms.TryGetValue(topic, out var room) ? room.Send(message, except) : 0;

    /// <summary>What somebody on another server tracks; nothing any more with null.</summary>
    internal void Track(ChannelTopic topic, (Guid Server, long Member) who, string key, PresenceMeta? meta)
    {
        while (true)
        {
            if (meta is null && !rooms.ContainsKey(topic))
                return;
            var room = rooms.GetOrAdd(topic, static _ => new ChannelRoom());
            if (room.TryTrack(who, key, meta, out var isEmpty))
            {
                if (isEmpty)
                    Remove(topic, room);
                return;
            }

            Remove(topic, room);
        }
    }

    /// <summary>Nobody on that server is present any more.</summary>
    internal void Forget(Guid server)
    {
        foreach (var (topic, room) in rooms)
        {
            if (room.Forget(server))
                Remove(topic, room);
        }
    }

    /// <summary>Everybody here who tracks something, and what.</summary>
    internal List<(ChannelMember Member, PresenceMeta Meta)> Tracking() => [.. rooms.Values.SelectMany(room => room.Tracking())];

    /// <summary>
    /// Enters a channel. <paramref name="deliver"/> is called for everything that happens there, by whoever causes it: it must neither wait nor throw.
    /// </summary>
    public ChannelMember Join(ChannelTopic topic, string presenceKey, bool hearsBroadcasts, Action<ChannelEvent> deliver)
    {
        while (true)
        {
            var room = rooms.GetOrAdd(topic, static _ => new ChannelRoom());
            var member = new ChannelMember(this, topic, room, presenceKey, hearsBroadcasts, deliver) { Id = Interlocked.Increment(ref members) };
            if (room.TryEnter(member))
                return member;
            // It was empty and is being taken away: the next one is new.
            rooms.TryRemove(new(topic, room));
        }
    }

    internal void Remove(ChannelTopic topic, ChannelRoom room) => rooms.TryRemove(new(topic, room));
}

/// <summary>Someone in a channel.</summary>
public sealed class ChannelMember
{
    private readonly Channels channels;
    private readonly ChannelRoom room;
    private readonly Action<ChannelEvent> deliver;
    private volatile bool hearsBroadcasts;

    internal ChannelMember(
        Channels channels, ChannelTopic topic, ChannelRoom room, string presenceKey, bool hearsBroadcasts, Action<ChannelEvent> deliver)
    {
        (this.channels, this.room, this.deliver, this.hearsBroadcasts) = (channels, room, deliver, hearsBroadcasts);
        (Topic, PresenceKey) = (topic, presenceKey);
    }

    /// <summary>Under what name it is present; several may share one.</summary>
    public string PresenceKey { get; }

    /// <summary>The channel.</summary>
    public ChannelTopic Topic { get; }

    // Tells it apart from all others of this process.
    internal long Id { get; init; }

    internal ChannelPeers? Peers => channels.Peers;

    /// <summary>Whether messages come here; presence may without them.</summary>
    public bool HearsBroadcasts
    {
        get => hearsBroadcasts;
        set => hearsBroadcasts = value;
    }

    /// <summary>Whether changes of presence come here. Kept by the room.</summary>
    internal bool HearsPresence { get; set; }

    /// <summary>What this member tracks, or null. Kept by the room.</summary>
    internal PresenceMeta? Tracked { get; set; }

    internal void Deliver(ChannelEvent happened) => deliver(happened);

    /// <summary>Sends to the others, or to all.</summary>
    public void Send(Broadcast message, bool toSelf) => channels.Send(Topic, message, toSelf ? null : this);

    /// <summary>From here on changes of presence come here; everyone present comes first.</summary>
    public void FollowPresence() => room.Follow(this);

    /// <summary>No more of them.</summary>
    public void UnfollowPresence() => room.Unfollow(this);

    /// <summary>Says to all who follow that this member is present, with this object. The same again changes nothing.</summary>
    public void Track(ReadOnlyMemory<byte> payload) => room.Track(this, payload);

    /// <summary>Says that it is not any more.</summary>
    public void Untrack() => room.Untrack(this);

    /// <summary>Goes, and is not present any more. Once is enough.</summary>
    public void Leave()
    {
        if (room.Leave(this))
            channels.Remove(Topic, room);
    }
}
