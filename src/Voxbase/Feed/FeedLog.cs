namespace Voxbase;

/// <summary>
/// The last committed transactions, in order, bounded by size and age. Behind <see cref="Floor"/> nothing is missing; before it the write-ahead log is
/// acknowledged, so what is here is also what a new process gets from the database again.
/// </summary>
internal sealed class FeedLog(long maxBytes, TimeSpan keepFor, TimeProvider time)
{
    private readonly Lock gate = new();
    private readonly List<Entry> entries = [];
    private int first;
    private long bytes;
    private TaskCompletionSource grown = New();

    private readonly record struct Entry(FeedTransaction Transaction, DateTimeOffset At);

    /// <summary>After this place everything is here.</summary>
    public FeedPosition Floor { get; private set; }

    /// <summary>Up to this place everything has come.</summary>
    public FeedPosition End { get; private set; }

    /// <summary>How much of it is used.</summary>
    public long Bytes
    {
        get
        {
            lock (gate)
                return bytes;
        }
    }

    /// <summary>Begins anew at a place: what was before is gone.</summary>
    public void Reset(FeedPosition at)
    {
        lock (gate)
        {
            entries.Clear();
            (first, bytes, Floor, End) = (0, 0, at, at);
        }

        Wake();
    }

    /// <summary>Adds the next transaction; one that is here already (a connection that began anew sends it again) is left out.</summary>
    public bool Add(FeedTransaction transaction)
    {
        lock (gate)
        {
            if (transaction.Commit <= End.Commit)
                return false;
            End = transaction.At(FeedPosition.WholeTransaction);
            // Also one without changes: it moves the floor when its time has come.
            entries.Add(new Entry(transaction, time.GetUtcNow()));
            bytes += transaction.Bytes + 100;
            TrimOld(0);
        }

        Wake();
        return true;
    }

    /// <summary>Lets go of what is older than it must be, and of what is before a place in the write-ahead log that has to be let go.</summary>
    public void Trim(ulong before)
    {
        lock (gate)
            TrimOld(before);
    }

    /// <summary>The changes after a place, in order, at most so many; null when not all of them are here any more. Tells where it has come to.</summary>
    public List<WalChange>? Read(FeedPosition after, int max, out FeedPosition upTo)
    {
        lock (gate)
        {
            upTo = after;
            if (after < Floor)
                return null;
            var found = new List<WalChange>();
            for (var i = Find(after.Commit); i < entries.Count; i++)
            {
                var transaction = entries[i].Transaction;
                var begin = transaction.Commit == after.Commit ? (int)Math.Min(after.Index, (uint)transaction.Changes.Count) : 0;
                var take = Math.Min(transaction.Changes.Count - begin, max - found.Count);
                found.AddRange(transaction.Changes.GetRange(begin, take));
                if (begin + take < transaction.Changes.Count)
                {
                    upTo = transaction.At((uint)(begin + take));
                    return found;
                }

                upTo = transaction.At(FeedPosition.WholeTransaction);
                if (found.Count >= max)
                    return found;
            }

            if (End > upTo)
                upTo = End;
            return found;
        }
    }

    /// <summary>Waits until something is after a place.</summary>
    public async ValueTask WaitAsync(FeedPosition after, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task wait;
            lock (gate)
            {
                if (End > after || after < Floor)
                    return;
                wait = grown.Task;
            }

            await wait.WaitAsync(cancellationToken);
        }
    }

    // The first with a commit at or after it.
    private int Find(ulong commit)
    {
        var (low, high) = (first, entries.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (entries[middle].Transaction.Commit < commit)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    private void TrimOld(ulong before)
    {
        var oldest = time.GetUtcNow() - keepFor;
        // The last one stays: readers are about to come for it.
        while (first < entries.Count - 1 && (bytes > maxBytes || entries[first].At < oldest || entries[first].Transaction.Commit < before))
        {
            var gone = entries[first].Transaction;
            bytes -= gone.Bytes + 100;
            Floor = gone.At(FeedPosition.WholeTransaction);
            entries[first++] = default;
        }

        if (first > 1024 && first > entries.Count / 2)
        {
            entries.RemoveRange(0, first);
            first = 0;
        }
    }

    private void Wake()
    {
        TaskCompletionSource woken;
        lock (gate)
            (woken, grown) = (grown, New());
        woken.SetResult();
    }

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
