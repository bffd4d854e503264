namespace Voxbase.AspNetCore.Tests.Feeds;

/// <summary>Streams that are silent, by a clock that is moved by hand.</summary>
public sealed class FeedBeatsTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_silent_stream_is_woken_before_a_minute_is_over_and_again_only_as_long_after()
    {
        var clock = new HandClock();
        await using var subscription = Subscription();
        using var pulse = new FeedBeats(TimeSpan.FromSeconds(50), clock).Begin(subscription, DateTimeOffset.MaxValue);
        for (var beat = 0; beat < 3; beat++)
        {
            var woken = subscription.WaitToReadAsync(Cancel).AsTask();
            clock.Pass(49);
            woken.IsCompleted.ShouldBeFalse();
            clock.Pass(6);
            (await woken).ShouldBeTrue();
            subscription.TryRead(out _).ShouldBeFalse();
            pulse.Felt();
        }
    }

    [Fact]
    public async Task A_stream_is_woken_when_its_token_expires_however_much_it_says()
    {
        var clock = new HandClock();
        var beats = new FeedBeats(TimeSpan.FromSeconds(50), clock);
        await using var subscription = Subscription();
        using (var pulse = beats.Begin(subscription, clock.GetUtcNow() + TimeSpan.FromSeconds(10)))
        {
            var woken = subscription.WaitToReadAsync(Cancel).AsTask();
            clock.Pass(9);
            pulse.Felt();
            woken.IsCompleted.ShouldBeFalse();
            clock.Pass(5);
            (await woken).ShouldBeTrue();
        }

        // Nobody is looked after any more, so nothing runs.
        clock.Timers.ShouldBe(0);
    }

    private static FeedSubscription Subscription() => new(Caller.Service, new FeedRequest([new FeedEntry("vox", "turns")]), new FeedOptions(), static _ => { });

    private sealed class HandClock : TimeProvider
    {
        private readonly List<Timer> timers = [];
        private DateTimeOffset now = new(2026, 5, 1, 0, 0, 0, TimeSpan.Zero);

        public int Timers => timers.Count;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override DateTimeOffset GetUtcNow() => now;

        public override long GetTimestamp() => now.Ticks;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            dueTime.ShouldBe(period);
            var timer = new Timer(this, (int)period.TotalSeconds, () => callback(state));
            timers.Add(timer);
            return timer;
        }

        public void Pass(int seconds)
        {
            for (var i = 0; i < seconds; i++)
            {
                now += TimeSpan.FromSeconds(1);
                foreach (var timer in timers.ToList())
                    timer.Pass();
            }
        }

        private sealed class Timer(HandClock clock, int seconds, Action fire) : ITimer
        {
            private int passed;

            public void Pass()
            {
                if (++passed % seconds == 0)
                    fire();
            }

            public bool Change(TimeSpan dueTime, TimeSpan period) => throw new NotSupportedException();

            public void Dispose() => clock.timers.Remove(this);

            public ValueTask DisposeAsync()
            {
                Dispose();
                return ValueTask.CompletedTask;
            }
        }
    }
}
