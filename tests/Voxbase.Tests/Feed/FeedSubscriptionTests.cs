namespace Voxbase.Tests.Feeds;

/// <summary>A subscription alone, filled and woken by hand.</summary>
public sealed class FeedSubscriptionTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_gives_up_waiting_waits_again_and_misses_nothing()
    {
        const int count = 20_000;
        await using var subscription = Subscription(count);
        var writer = Task.Run(
            async () =>
            {
                for (var i = 1; i <= count; i++)
                {
                    subscription.Add(Change(i));
                    // The reader waits for most of them, a little or longer.
                    for (var pause = i % 7; pause > 0 || subscription.Waiting > 1; pause--)
                        await Task.Yield();
                    if (i % 3 == 0)
                        subscription.Wake();
                }
            },
            Cancel);
        var (read, gaveUp) = (0, 0);
        while (read < count)
        {
            // Cancelled before, while and after it is waited for, by another thread.
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
            var hurry = Task.Run(patience.Cancel, Cancel);
            try
            {
                (await subscription.WaitToReadAsync(patience.Token)).ShouldBeTrue();
            }
            catch (OperationCanceledException)
            {
                gaveUp++;
            }

            for (; subscription.TryRead(out var next); read++)
                next.Position.ShouldBe(Position(read + 1));
            await hurry;
        }

        await writer;
        gaveUp.ShouldBeGreaterThan(0);
        subscription.Waiting.ShouldBe(0);
    }

    [Fact]
    public async Task Whoever_waits_is_told_that_it_is_over()
    {
        for (var i = 0; i < 1_000; i++)
        {
            var subscription = Subscription(10);
            var waiting = Task.Run(async () => await subscription.WaitToReadAsync(Cancel), Cancel);
            if (i % 2 == 0)
                await Task.Yield();
            await subscription.DisposeAsync();
            (await waiting).ShouldBeFalse();
            (await subscription.WaitToReadAsync(Cancel)).ShouldBeFalse();
        }
    }

    [Fact]
    public async Task A_second_reader_is_refused_and_the_first_goes_on()
    {
        await using var subscription = Subscription(10);
        var first = subscription.WaitToReadAsync(Cancel).AsTask();
        await Should.ThrowAsync<InvalidOperationException>(async () => await subscription.WaitToReadAsync(Cancel));
        subscription.Add(Change(1));
        (await first).ShouldBeTrue();
        subscription.TryRead(out var next).ShouldBeTrue();
        next!.Position.ShouldBe(Position(1));
    }

    private static FeedPosition Position(int number) => new(1, (ulong)number, 1);

    private static FeedEvent Change(int number) => new() { Kind = FeedEventKind.Change, Position = Position(number) };

    private static FeedSubscription Subscription(int events) => new(
        Caller.Service, new FeedRequest([new FeedEntry("vox", "turns")]), new FeedOptions { QueueEvents = events, QueueKilobytes = 1_000_000 }, static _ => { });
}
