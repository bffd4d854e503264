namespace Voxbase.Capture;

/// <summary>
/// The order of a conversation's items by their links to the item before, whatever order they arrived in.
/// Announcing and linking are O(1); the order is computed when asked for, O(items), unless every item simply went to the end.
/// <list type="bullet">
/// <item>An item goes right after the one it names, and so before items that named the same one earlier: that is what inserting means.</item>
/// <item>One that names nobody, or somebody not (yet) announced, goes to the end; when the named item turns up, it moves behind it.</item>
/// <item>The first link an item gets is the one that counts: the provider never moves an item.</item>
/// <item>A deleted item keeps its place, and what is later put after its predecessor goes after it: it was said, and said before.</item>
/// <item>Links in a circle are cut at the item that came first.</item>
/// </list>
/// </summary>
internal sealed class ItemOrder
{
    private readonly List<RealtimeItem> _arrivals = [];
    private readonly List<RealtimeItem> _atFront = [];
    private List<RealtimeItem> _sorted = [];
    private bool _isSorted = true;
    private bool _isNumbered = true;
    private RealtimeItem? _lastTurn;
    private int _sorts;

    /// <summary>Puts an item at the end, if it is not in the order yet. True when the items before it may have changed places.</summary>
    public bool Announce(RealtimeItem item)
    {
        if (item.IsAnnounced)
        {
            return false;
        }

        item.IsAnnounced = true;
        item.Arrival = _arrivals.Count;
        _arrivals.Add(item);
        if (!_isSorted)
        {
            return false;
        }

        _sorted.Add(item);
        if (_isNumbered)
        {
            Number(item);
        }

        return item.Followers is not null && Unsort();
    }

    /// <summary>Puts an item behind another. True when places changed that had been taken before.</summary>
    public bool Link(RealtimeItem item, RealtimeItem previous)
    {
        if (item.Previous is not null || item.IsAtFront || previous == item)
        {
            return false;
        }

        previous = LastDeletedAfter(previous);
        if (previous == item)
        {
            return false;
        }

        item.Previous = previous;
        (previous.Followers ??= []).Add(item);
        if (item.IsAnnounced && !previous.IsAnnounced)
        {
            return false;
        }

        var isInPlace = _isSorted && _sorted.Count >= 2 && _sorted[^1] == item && _sorted[^2] == previous;
        return !isInPlace && Unsort();
    }

    /// <summary>Puts an item before all others, as "root" asks for.</summary>
    public bool PutAtFront(RealtimeItem item)
    {
        if (item.Previous is not null || item.IsAtFront)
        {
            return false;
        }

        item.IsAtFront = true;
        _atFront.Add(item);
        return !(_isSorted && _sorted.Count == 1) && Unsort();
    }

    /// <summary>Remembers that the provider no longer counts this item.</summary>
    public static void Delete(RealtimeItem item)
    {
        item.IsDeleted = true;

        // Only a root of the forest is hung below another tree, so no circle can come of it, whatever the links are.
        if (item.Previous is { } previous && previous.DeletedFollower is null && LastDeletedAfter(item) != previous)
        {
            previous.DeletedFollower = item;
        }
    }

    /// <summary>An item became a turn, or ceased to be one.</summary>
    public void Renumber() => _isNumbered = false;

    /// <summary>All announced items in their order, the turns among them numbered from 1.</summary>
    public IReadOnlyList<RealtimeItem> Sorted()
    {
        if (!_isSorted)
        {
            Sort();
        }

        if (!_isNumbered)
        {
            _lastTurn = null;
            foreach (var item in _sorted)
            {
                Number(item);
            }

            _isNumbered = true;
        }

        return _sorted;
    }

    private void Number(RealtimeItem item)
    {
        item.TurnBefore = _lastTurn;
        if (item.IsTurn)
        {
            item.Position = (_lastTurn?.Position ?? 0) + 1;
            _lastTurn = item;
        }
    }

    private bool Unsort()
    {
        (_isSorted, _isNumbered) = (false, false);
        return true;
    }

    private void Sort()
    {
        _sorts++;
        _sorted = new(_arrivals.Count);
        var pending = new Stack<RealtimeItem>();
        for (var i = _atFront.Count - 1; i >= 0; i--)
        {
            Place(_atFront[i], pending);
        }

        CutCircles();
        foreach (var item in _arrivals)
        {
            if (item.Previous is not { IsAnnounced: true } || item.IsCutIn == _sorts)
            {
                Place(item, pending);
            }
        }

        _isSorted = true;
    }

    // Walks up from every item, each step once. A walk that meets itself has gone round a circle.
    private void CutCircles()
    {
        foreach (var item in _arrivals)
        {
            var at = item;
            while (at is { IsAnnounced: true } && at.WalkedIn != _sorts)
            {
                (at.WalkedIn, at.WalkedFrom) = (_sorts, item.Arrival);
                at = at.Previous;
            }

            if (at is not { IsAnnounced: true } || at.WalkedFrom != item.Arrival)
            {
                continue;
            }

            var first = at;
            for (var next = at.Previous; next is not null && next != at; next = next.Previous)
            {
                first = next.Arrival < first.Arrival ? next : first;
            }

            first.IsCutIn = _sorts;
        }
    }

    private void Place(RealtimeItem first, Stack<RealtimeItem> pending)
    {
        pending.Push(first);
        while (pending.TryPop(out var item))
        {
            if (!item.IsAnnounced || item.SortedIn == _sorts)
            {
                continue;
            }

            item.SortedIn = _sorts;
            _sorted.Add(item);
            if (item.Followers is null)
            {
                continue;
            }

            foreach (var follower in item.Followers)
            {
                pending.Push(follower);
            }
        }
    }

    private static RealtimeItem LastDeletedAfter(RealtimeItem item)
    {
        var last = item;
        while (last.DeletedFollower is { } next)
        {
            last = next;
        }

        while (item.DeletedFollower is { } next && next != last)
        {
            (item.DeletedFollower, item) = (last, next);
        }

        return last;
    }
}
