using System.Text.Json;

namespace Voxbase.Tests.Feeds;

/// <summary>Reads a subscription as it comes.</summary>
internal sealed class FeedFollower : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly List<FeedEvent> events = [];
    private readonly FeedSubscription subscription;
    private readonly Task reading;
    private TaskCompletionSource grown = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private FeedFollower(FeedSubscription subscription)
    {
        this.subscription = subscription;
        reading = Task.Run(async () =>
        {
            await foreach (var each in subscription)
            {
                TaskCompletionSource woken;
                lock (events)
                {
                    events.Add(each);
                    (woken, grown) = (grown, new(TaskCreationOptions.RunContinuationsAsynchronously));
                }

                woken.SetResult();
            }
        });
    }

    public List<FeedEvent> All
    {
        get
        {
            lock (events)
                return [.. events];
        }
    }

    public List<FeedEvent> Changes => [.. All.Where(each => each.Kind == FeedEventKind.Change)];

    public Task Ended => reading.WaitAsync(Patience);

    /// <summary>Begins, and returns when it is live.</summary>
    public static async Task<FeedFollower> StartAsync(Feed feed, Caller caller, FeedRequest request)
    {
        var follower = new FeedFollower(feed.Subscribe(caller, request));
        await follower.UntilAsync(all => all.Count > 0);
        follower.All[0].Kind.ShouldBe(FeedEventKind.Ready, follower.All[0].Error?.Message);
        return follower;
    }

    public static Task<FeedFollower> StartAsync(Feed feed, Caller caller, string table, string? filter = null) =>
        StartAsync(feed, caller, new FeedRequest([new FeedEntry("vox", table, Filters: filter is null ? null : FeedFilter.Parse(filter))]));

    /// <summary>Without waiting for anything.</summary>
    public static FeedFollower Begin(Feed feed, Caller caller, FeedRequest request) => new(feed.Subscribe(caller, request));

    public async Task UntilAsync(Func<List<FeedEvent>, bool> holds)
    {
        using var patience = new CancellationTokenSource(Patience);
        while (true)
        {
            Task wait;
            lock (events)
            {
                if (holds(events))
                    return;
                wait = grown.Task;
            }

            try
            {
                await wait.WaitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"Waited in vain; there is: {string.Join(" | ", All.TakeLast(10).Select(Shown))}");
            }
        }
    }

    /// <summary>Waits for a change whose record has this text.</summary>
    public Task SeesAsync(string text) => UntilAsync(all => all.Exists(each => each.Kind == FeedEventKind.Change && Shown(each).Contains(text, StringComparison.Ordinal)));

    public static string Shown(FeedEvent each) => System.Text.Encoding.UTF8.GetString(each.ToJson().Span);

    public static JsonElement Record(FeedEvent each) => JsonElement.Parse(each.Record.Span);

    public static JsonElement OldRecord(FeedEvent each) => JsonElement.Parse(each.OldRecord.Span);

    public async ValueTask DisposeAsync()
    {
        await subscription.DisposeAsync();
        await reading.WaitAsync(Patience);
    }
}
