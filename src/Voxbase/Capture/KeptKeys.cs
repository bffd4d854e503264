namespace Voxbase.Capture;

/// <summary>
/// The keys of a conversation's kept events, in their order, each once. An hour of a call has a hundred thousand and more, and hundreds of calls go on at
/// once: 17 bytes and a place in a table each, in pieces that are never copied into larger ones.
/// </summary>
internal sealed class KeptKeys
{
    private const int PieceLength = 256;
    private const byte Anchor = 1;
    private const byte Id = 2;

    private readonly List<(Guid[] Keys, byte[] Flags)> pieces = [];

    // Ordinals from 1, by the key's hash; 0 is free. At most three quarters full.
    private int[] places = new int[64];

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>The key at a place from 0.</summary>
    public Guid this[int index] => pieces[index / PieceLength].Keys[index % PieceLength];

    /// <summary>Whether the event there is one that others hang on, see <see cref="EventKeys.IsAnchor"/>.</summary>
    public bool IsAnchor(int index) => (Flags(index) & Anchor) != 0;

    /// <summary>Whether the event there has an id of its own.</summary>
    public bool HasId(int index) => (Flags(index) & Id) != 0;

    /// <summary>Adds the key of an event; false when it is there already.</summary>
    public bool Add(Guid key, LoggedEvent e)
    {
        if (Find(key) is var place && places[place] != 0)
            return false;
        if (Count == pieces.Count * PieceLength)
            pieces.Add((new Guid[PieceLength], new byte[PieceLength]));
        var (keys, flags) = pieces[^1];
        keys[Count % PieceLength] = key;
        flags[Count % PieceLength] = (byte)((EventKeys.IsAnchor(e) ? Anchor : 0) | (e.EventId is not null ? Id : 0));
        places[place] = ++Count;
        if (Count > places.Length / 4 * 3)
            Grow();
        return true;
    }

    /// <summary>Where a key is, or -1.</summary>
    public int IndexOf(Guid key) => places[Find(key)] - 1;

    private byte Flags(int index) => pieces[index / PieceLength].Flags[index % PieceLength];

    // The key's place, or the free one that would be its.
    private int Find(Guid key)
    {
        var place = key.GetHashCode() & (places.Length - 1);
        while (places[place] is > 0 and var ordinal && this[ordinal - 1] != key)
            place = (place + 1) & (places.Length - 1);
        return place;
    }

    private void Grow()
    {
        places = new int[places.Length * 2];
        for (var i = 0; i < Count; i++)
            places[Find(this[i])] = i + 1;
    }
}
