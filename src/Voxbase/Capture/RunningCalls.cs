using System.Collections.Concurrent;

namespace Voxbase.Capture;

/// <summary>A call that this process can reach while it runs: one that it relays, listens in on, or can end through the provider.</summary>
public interface IRunningCall
{
    /// <summary>
    /// Tells the client of the call something in the provider's own form, where the provider has one. Best effort: a call that ends
    /// meanwhile is not told, and that is no error.
    /// </summary>
    /// <param name="code">What happened, in the form of an error code, for example <c>budget_alert</c>.</param>
    /// <param name="message">The same for a person.</param>
    /// <param name="cancellationToken">Gives up telling.</param>
    ValueTask TellAsync(string code, string message, CancellationToken cancellationToken);

    /// <summary>Ends the call; its conversation gets <paramref name="endReason"/>. Ending twice is harmless.</summary>
    ValueTask EndAsync(string endReason, CancellationToken cancellationToken);
}

/// <summary>Where calls are found that run in no process of ours, but at their provider: null when the conversation has none.</summary>
public delegate ValueTask<IRunningCall?> RunningCallSource(Guid conversationId, CancellationToken cancellationToken);

/// <summary>The calls running in this process, by conversation. What must reach into a call, such as a budget, finds it here.</summary>
public sealed class RunningCalls(IEnumerable<RunningCallSource>? sources = null)
{
    private readonly ConcurrentDictionary<Guid, IRunningCall> calls = new();

    /// <summary>How many run.</summary>
    public int Count => calls.Count;

    /// <summary>The call of a conversation, or null when this process runs none.</summary>
    public IRunningCall? Find(Guid conversationId) => calls.GetValueOrDefault(conversationId);

    /// <summary>The same, and where this process runs none, the call that runs at its provider.</summary>
    public async ValueTask<IRunningCall?> FindAsync(Guid conversationId, CancellationToken cancellationToken = default)
    {
        if (Find(conversationId) is { } here)
            return here;
        foreach (var source in sources ?? [])
        {
            if (await source(conversationId, cancellationToken) is { } call)
                return call;
        }

        return null;
    }

    /// <summary>Enters a call until the result is disposed. A conversation has one call at a time: the newest is found.</summary>
    public IDisposable Enter(Guid conversationId, IRunningCall call)
    {
        calls[conversationId] = call;
        return new Entry(this, conversationId, call);
    }

    private sealed class Entry(RunningCalls owner, Guid conversationId, IRunningCall call) : IDisposable
    {
        // Only its own entry: a newer call of the conversation stays.
        public void Dispose() => owner.calls.TryRemove(KeyValuePair.Create(conversationId, call));
    }
}
