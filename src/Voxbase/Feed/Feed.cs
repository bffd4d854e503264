namespace Voxbase;

/// <summary>
/// Every committed change, to everyone who may see it: read from the database's write-ahead log, authorised by its policies, in the order of commits.
/// </summary>
public sealed class Feed(VoxbaseOptions options)
{
    /// <summary>
    /// Begins a subscription. Returns at once; <see cref="FeedEventKind.Ready"/> is the first event, when changes are followed. The caller's claims are
    /// asked as they are: who closes the subscription when its token expires, and opens one for a new token with the last position, is the one who calls.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>feed_off</c>, <c>feed_request_invalid</c>, <c>feed_full</c>.</exception>
    public FeedSubscription Subscribe(Caller caller, FeedRequest request) =>
        options.Feed.IsEnabled ? new() { Caller = caller, Request = request } : throw FeedErrors.Off.With("Feed.IsEnabled is false.");
}
