using System.Threading.Tasks.Sources;

namespace Voxbase;

#pragma warning disable CA2213 // A source of cancellation without timer or wait handle holds nothing.

/// <summary>
/// A caller's view of the feed: the changes it asked for and may see, in the order of their commits, each once. One reader at a time. Dispose it to end it.
/// </summary>
public sealed class FeedSubscription : IAsyncDisposable, IAsyncEnumerable<FeedEvent>, IValueTaskSource<bool>
{
    private readonly Lock gate = new();
    private readonly int maxEvents;
    private readonly int maxBytes;
    private readonly Action<FeedSubscription> ended;
    private readonly CancellationTokenSource ending = new();

    // What the reader waits on, the same each time: thousands that wait would else hold thousands of tasks, and a change make as many anew.
    private ManualResetValueTaskSourceCore<bool> arrival = new() { RunContinuationsAsynchronously = true };
    private CancellationTokenRegistration giveUp;
    private CancellationToken patience;
    private Queue<FeedEvent>? queue;
    private Dictionary<string, FeedEvent>? latest;
    private HashSet<FeedEvent>? replaced;
    private TaskCompletionSource? drained;
    private FeedEvent? last;
    private int count;
    private int bytes;
    private bool isWaiting;
    private bool isWoken;
    private bool isOver;

    internal FeedSubscription(Caller caller, FeedRequest request, FeedOptions options, Action<FeedSubscription> ended)
    {
        (Caller, Request, this.ended) = (caller, request, ended);
        (maxEvents, maxBytes) = (options.QueueEvents, options.QueueKilobytes * 1024);
    }

    /// <summary>Whose it is.</summary>
    public Caller Caller { get; }

    /// <summary>What was asked for.</summary>
    public FeedRequest Request { get; }

    /// <summary>What is waiting to be read.</summary>
    public int Waiting
    {
        get
        {
            lock (gate)
                return count;
        }
    }

    /// <summary>The position of the last event read; to go on from there later.</summary>
    public FeedPosition ReadUpTo { get; private set; }

    // What the dispatcher keeps of it; under the dispatcher's gate.
    internal SubscriptionState? State { get; set; }

    internal FeedPosition Told { get; private set; }

    // While it is brought up to now, it is waited for rather than cut off.
    internal bool IsCatchingUp { get; set; }

    internal CancellationToken Ending => ending.Token;

    /// <summary>
    /// The events, the first of them <see cref="FeedEventKind.Ready"/>. Ends after an event that ends the subscription and when it is disposed.
    /// </summary>
    public async IAsyncEnumerator<FeedEvent> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        while (await WaitToReadAsync(cancellationToken))
        {
            while (TryRead(out var next))
                yield return next;
        }
    }

    /// <summary>Takes the next event when there is one. With <see cref="WaitToReadAsync"/> for readers that write several events at once.</summary>
    public bool TryRead([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out FeedEvent? next)
    {
        lock (gate)
        {
            while (queue is not null && queue.TryDequeue(out next))
            {
                if (replaced is not null && replaced.Remove(next))
                    continue;
                latest?.Remove(next.RowKey);
                count--;
                bytes -= next.Size;
                ReadUpTo = next.Position;
                if (count * 2 <= maxEvents && bytes * 2 <= maxBytes)
                    drained?.TrySetResult();
                return true;
            }

            // Said last, whatever still was in the queue, and not counted against it.
            if (last is not null)
            {
                (next, last) = (last, null);
                return true;
            }

            // An idle subscription holds no buffers.
            (queue, latest, replaced, next) = (null, null, null, null);
            drained?.TrySetResult();
            return false;
        }
    }

    /// <summary>Waits for an event; false when none will come any more. To be awaited once, and before it is called again.</summary>
    /// <exception cref="InvalidOperationException">Somebody waits already.</exception>
    public ValueTask<bool> WaitToReadAsync(CancellationToken cancellationToken = default)
    {
        if (cancellationToken.IsCancellationRequested)
            return ValueTask.FromCanceled<bool>(cancellationToken);
        ValueTask<bool> arrived;
        lock (gate)
        {
            if (isWaiting)
                throw new InvalidOperationException("A subscription has one reader at a time.");
            if (TakeNews() is { } news)
                return ValueTask.FromResult(news);
            arrival.Reset();
            isWaiting = true;
            patience = cancellationToken;
            arrived = new ValueTask<bool>(this, arrival.Version);
        }

        // Not under the gate: it calls back at once when it has been cancelled meanwhile.
        giveUp = cancellationToken.UnsafeRegister(static subscription => ((FeedSubscription)subscription!).GiveUp(), this);
        return arrived;
    }

    bool IValueTaskSource<bool>.GetResult(short token)
    {
        giveUp.Unregister();
        arrival.GetResult(token);
        lock (gate)
            return TakeNews() ?? true;
    }

    ValueTaskSourceStatus IValueTaskSource<bool>.GetStatus(short token) => arrival.GetStatus(token);

    void IValueTaskSource<bool>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        arrival.OnCompleted(continuation, state, token, flags);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        lock (gate)
        {
            isOver = true;
            (queue, latest, replaced, last) = (null, null, null, null);
            (count, bytes) = (0, 0);
            Signal();
            drained?.TrySetResult();
        }

        ending.Cancel();
        ended(this);
        return ValueTask.CompletedTask;
    }

    // Has a reader that waits look around, without an event: thousands that wait for a time to pass by themselves would cost a processor.
    internal void Wake()
    {
        lock (gate)
        {
            isWoken = true;
            Signal();
        }
    }

    /// <summary>Puts an event into the queue. One that finds it full ends the subscription, unless a newer state of its row can take an older one's place.</summary>
    internal void Add(FeedEvent next)
    {
        lock (gate)
        {
            // What is told has a later place than all before it, so nothing comes twice.
            if (isOver || (next.Kind == FeedEventKind.Change && next.Position <= Told))
                return;
            if (Request.IsCoalescing && next.Kind == FeedEventKind.Change && count * 2 > maxEvents)
            {
                latest ??= Index();
                if (latest.TryGetValue(next.RowKey, out var older) && (replaced ??= []).Add(older))
                {
                    count--;
                    bytes -= older.Size;
                }
            }

            if (next.Kind == FeedEventKind.Change && !IsCatchingUp && count > 0 && (count >= maxEvents || bytes + next.Size > maxBytes))
            {
                Over(FeedErrors.TooSlow.With($"{count} events were waiting."));
                return;
            }

            (queue ??= new Queue<FeedEvent>(2)).Enqueue(next);
            Told = next.Position;
            if (latest is not null && next.Kind == FeedEventKind.Change)
                latest[next.RowKey] = next;
            count++;
            bytes += next.Size;
            Signal();
        }
    }

    /// <summary>Ends it with an error, told after what is waiting.</summary>
    internal void Fail(VoxbaseException error)
    {
        lock (gate)
            Over(error);
    }

    /// <summary>Waits until half of the queue is free.</summary>
    internal Task DrainedAsync(CancellationToken cancellationToken)
    {
        lock (gate)
        {
            if (isOver || (count * 2 <= maxEvents && bytes * 2 <= maxBytes))
                return Task.CompletedTask;
            drained = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return drained.Task.WaitAsync(cancellationToken);
        }
    }

    private Dictionary<string, FeedEvent> Index()
    {
        var index = new Dictionary<string, FeedEvent>();
        foreach (var waiting in queue ?? [])
        {
            if (waiting.Kind == FeedEventKind.Change)
                index[waiting.RowKey] = waiting;
        }

        return index;
    }

    private void Over(VoxbaseException error)
    {
        if (isOver)
            return;
        isOver = true;
        last = new FeedEvent { Kind = FeedEventKind.Error, Position = Told, Error = error };
        Signal();
        ended(this);
    }

    // Whether there is something to read; null when that is not known yet.
    private bool? TakeNews()
    {
        if (count == 0 && last is null && !isWoken)
            return isOver ? false : null;
        isWoken = false;
        return true;
    }

    private void Signal()
    {
        if (!isWaiting)
            return;
        isWaiting = false;
        arrival.SetResult(true);
    }

    private void GiveUp()
    {
        lock (gate)
        {
            // What is waited for now may have another token than what was waited for when this was registered.
            if (!isWaiting || !patience.IsCancellationRequested)
                return;
            isWaiting = false;
            arrival.SetException(new OperationCanceledException(patience));
        }
    }
}
