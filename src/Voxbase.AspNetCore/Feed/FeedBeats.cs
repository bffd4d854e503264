namespace Voxbase.AspNetCore;

/// <summary>
/// Wakes streams that have been silent for long or whose token has expired. One timer for all: thousands of timers go off one by one, and each wakes a thread for one
/// stream; those that are due within seconds of each other are woken together, for little more than one alone. A stream is looked at when it may be due.
/// </summary>
internal sealed class FeedBeats(TimeSpan beatEvery, TimeProvider time)
{
    private const int Ticks = 10;

    private readonly TimeSpan beatEvery = beatEvery;
    private readonly TimeSpan tick = beatEvery / Ticks;
    private readonly TimeProvider time = time;
    private readonly Lock gate = new();

    // A wheel: each slot is of one tick, and the next round comes after the longest that one waits.
    private readonly List<Pulse>[] slots = [.. Enumerable.Range(0, Ticks + 1).Select(static _ => new List<Pulse>())];
    private List<Pulse> due = [];
    private ITimer? timer;
    private int streams;
    private int at;

    /// <summary>Looks after a stream until what is returned is disposed.</summary>
    public Pulse Begin(FeedSubscription subscription, DateTimeOffset expiry)
    {
        var pulse = new Pulse(this, subscription, expiry);
        lock (gate)
        {
            streams++;
            LookLater(pulse, time.GetUtcNow());
            timer ??= time.CreateTimer(static beats => ((FeedBeats)beats!).Look(), this, tick, tick);
        }

        return pulse;
    }

    private void End()
    {
        lock (gate)
        {
            if (--streams > 0)
                return;
            foreach (var slot in slots)
                slot.Clear();
            timer?.Dispose();
            timer = null;
        }
    }

    private void Look()
    {
        var now = time.GetUtcNow();
        lock (gate)
        {
            at = (at + 1) % slots.Length;
            (due, slots[at]) = (slots[at], due);
            foreach (var pulse in due)
            {
                if (pulse.Look(now))
                    LookLater(pulse, now);
            }

            due.Clear();
        }
    }

    private void LookLater(Pulse pulse, DateTimeOffset now)
    {
        var ticks = Math.Clamp((int)Math.Ceiling(pulse.DueIn(now) / tick), 1, Ticks);
        slots[(at + ticks) % slots.Length].Add(pulse);
    }

    /// <summary>A stream's last sign of life.</summary>
    public sealed class Pulse(FeedBeats beats, FeedSubscription subscription, DateTimeOffset expiry) : IDisposable
    {
        private FeedSubscription? subscription = subscription;
        private long felt = beats.time.GetTimestamp();

        /// <summary>Something was sent.</summary>
        public void Felt() => Volatile.Write(ref felt, beats.time.GetTimestamp());

        public void Dispose()
        {
            if (Interlocked.Exchange(ref subscription, null) is not null)
                beats.End();
        }

        /// <summary>Wakes the stream when it is time; false when it is over.</summary>
        internal bool Look(DateTimeOffset now)
        {
            if (Volatile.Read(ref subscription) is not { } mine)
                return false;
            if (DueIn(now) <= TimeSpan.Zero)
                mine.Wake();
            return true;
        }

        internal TimeSpan DueIn(DateTimeOffset now)
        {
            var (silent, left) = (beats.beatEvery - beats.time.GetElapsedTime(Volatile.Read(ref felt)), expiry - now);
            return left < silent ? left : silent;
        }
    }
}
