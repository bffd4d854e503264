using System.Collections.Concurrent;
using System.Threading.Channels;

namespace Voxbase.Cleaning;

/// <summary>
/// Conversations that got turns in this process, each once, in the order in which they did. What an append pays for cleaning: nothing
/// while no conversation is cleaned, a look into a table of this process otherwise. It may forget: the database knows what is behind.
/// </summary>
public sealed class CleaningQueue
{
    // More than these are left to the sweep: the backlog lives in the database, not here.
    private const int Most = 100_000;

    private readonly ConcurrentDictionary<Guid, Place> places = new();
    private readonly Channel<Guid> waiting = Channel.CreateUnbounded<Guid>();
    private readonly ConcurrentDictionary<Guid, bool> passed = new();

    private enum Place
    {
        Waiting,
        Taken,
        TakenAndBack,
    }

    /// <summary>Whether any conversation is cleaned at all.</summary>
    internal bool IsListening { get; set; }

    /// <summary>How many wait.</summary>
    internal int Count => waiting.Reader.Count;

    /// <summary>A conversation got turns.</summary>
    internal void Add(Guid conversationId)
    {
        if (IsListening && !passed.ContainsKey(conversationId))
            Enqueue(conversationId);
    }

    /// <summary>Puts a conversation in, whoever says so; back of the queue while it is being cleaned.</summary>
    internal bool Enqueue(Guid conversationId)
    {
        while (true)
        {
            if (places.TryGetValue(conversationId, out var place))
            {
                if (place != Place.Taken || places.TryUpdate(conversationId, Place.TakenAndBack, Place.Taken))
                    return true;
            }
            else if (places.Count >= Most)
            {
                return false;
            }
            else if (places.TryAdd(conversationId, Place.Waiting))
            {
                return waiting.Writer.TryWrite(conversationId);
            }
        }
    }

    /// <summary>Takes up to so many; no one else gets them until they are given back.</summary>
    internal List<Guid> Take(int most)
    {
        var taken = new List<Guid>();
        while (taken.Count < most && waiting.Reader.TryRead(out var conversationId))
        {
            places[conversationId] = Place.Taken;
            taken.Add(conversationId);
        }

        return taken;
    }

    /// <summary>Done with a conversation for now; it goes to the back when turns came meanwhile, or more are known of.</summary>
    internal void GiveBack(Guid conversationId, bool hasMore)
    {
        if (!hasMore && places.TryRemove(KeyValuePair.Create(conversationId, Place.Taken)))
            return;
        places[conversationId] = Place.Waiting;
        waiting.Writer.TryWrite(conversationId);
    }

    /// <summary>A conversation that is not cleaned: its appends are not asked about again until it is forgotten.</summary>
    internal void PassBy(Guid conversationId) => passed[conversationId] = true;

    /// <summary>Whoever was passed by is asked about again.</summary>
    internal void Forget() => passed.Clear();

    /// <summary>Whoever was passed by is asked about again.</summary>
    internal void Forget(Guid conversationId) => passed.TryRemove(conversationId, out _);

    internal ValueTask<bool> WaitAsync(CancellationToken cancellationToken) => waiting.Reader.WaitToReadAsync(cancellationToken);
}
