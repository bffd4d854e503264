namespace Voxbase;

/// <summary>
/// A caller's view of the feed: the changes it asked for and may see, in the order of their commits, each once. One reader at a time. Dispose it to end it.
/// </summary>
public sealed class FeedSubscription : IAsyncDisposable, IAsyncEnumerable<FeedEvent>
{
    /// <summary>Whose it is.</summary>
    public required Caller Caller { get; init; }

    /// <summary>What was asked for.</summary>
    public required FeedRequest Request { get; init; }

    /// <summary>
    /// The events, the first of them <see cref="FeedEventKind.Ready"/>. Ends after an event that ends the subscription and when it is disposed.
    /// </summary>
    public IAsyncEnumerator<FeedEvent> GetAsyncEnumerator(CancellationToken cancellationToken = default) => throw new NotImplementedException();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
