namespace Voxbase.AspNetCore;

/// <summary>
/// Wakes streams that have been silent for long or whose token has expired. One timer for all: thousands of timers go off one by one, and each wakes a thread for one
/// stream; those that are due in the same second are woken together.
/// </summary>
internal sealed class FeedBeats(TimeProvider time)
{
    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);

    // Shorter than the minute after which proxies close what is silent.
    private static readonly TimeSpan BeatEvery = TimeSpan.FromSeconds(45);

    private readonly TimeProvider time = time;
    private readonly Lock gate = new();
    private readonly HashSet<Pulse> pulses = [];
    private ITimer? timer;

    /// <summary>Looks after a stream until what is returned is disposed.</summary>
    public Pulse Begin(FeedSubscription subscription, DateTimeOffset expiry)
    {
        var pulse = new Pulse(this, subscription, expiry);
        lock (gate)
        {
            pulses.Add(pulse);
            timer ??= time.CreateTimer(static beats => ((FeedBeats)beats!).Look(), this, Tick, Tick);
        }

        return pulse;
    }

    private void End(Pulse pulse)
    {
        lock (gate)
        {
            pulses.Remove(pulse);
            if (pulses.Count > 0)
                return;
            timer?.Dispose();
            timer = null;
        }
    }

    private void Look()
    {
        var now = time.GetUtcNow();
        lock (gate)
        {
            foreach (var pulse in pulses)
                pulse.Look(now);
        }
    }

    /// <summary>A stream's last sign of life.</summary>
    public sealed class Pulse(FeedBeats beats, FeedSubscription subscription, DateTimeOffset expiry) : IDisposable
    {
        private long felt = beats.time.GetTimestamp();

        /// <summary>Something was sent.</summary>
        public void Felt() => Volatile.Write(ref felt, beats.time.GetTimestamp());

        public void Dispose() => beats.End(this);

        internal void Look(DateTimeOffset now)
        {
            if (now >= expiry || beats.time.GetElapsedTime(Volatile.Read(ref felt)) >= BeatEvery)
                subscription.Wake();
        }
    }
}
