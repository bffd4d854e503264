using System.Diagnostics.Metrics;

namespace Voxbase;

/// <summary>What the feed measures of itself, as the meter <c>Voxbase.Feed</c>.</summary>
internal sealed class FeedMetrics : IDisposable
{
    private readonly Meter meter = new("Voxbase.Feed");

    public FeedMetrics(Func<FeedHealth> health)
    {
        Changes = meter.CreateCounter<long>("voxbase.feed.changes", "{change}", "Committed changes read from the write-ahead log.");
        Delivered = meter.CreateCounter<long>("voxbase.feed.delivered", "{event}", "Changes put into subscribers' queues.");
        Resyncs = meter.CreateCounter<long>("voxbase.feed.resyncs", "{time}", "How often all subscribers had to read anew.");
        Faults = meter.CreateCounter<long>("voxbase.feed.policy_faults", "{batch}", "Batches that a subscriber lost because its policy raised or was slow.");
        meter.CreateObservableGauge("voxbase.feed.subscriptions", () => health().Subscriptions, "{subscription}", "Open subscriptions.");
        meter.CreateObservableGauge("voxbase.feed.retained_wal", () => health().RetainedWalBytes, "By", "Write-ahead log that the slot holds back.");
        meter.CreateObservableGauge("voxbase.feed.log", () => health().LogBytes, "By", "Changes in memory for those who come back.");
    }

    public Counter<long> Changes { get; }

    public Counter<long> Delivered { get; }

    public Counter<long> Resyncs { get; }

    public Counter<long> Faults { get; }

    public void Dispose() => meter.Dispose();
}

/// <summary>Where the feed is.</summary>
public enum FeedState
{
    /// <summary>Nobody has asked for it yet.</summary>
    Idle,

    /// <summary>Connecting, or waiting for its slot.</summary>
    Starting,

    /// <summary>Following the write-ahead log.</summary>
    Running,

    /// <summary>The options or the database do not let it run; <see cref="FeedHealth.Reason"/> says what is missing.</summary>
    Off,

    /// <summary>It has lost the database and connects again.</summary>
    Lost,
}

/// <summary>How the feed is.</summary>
/// <param name="State">Where it is.</param>
/// <param name="Reason">Why it is off, or null.</param>
/// <param name="Slot">Its replication slot, or null before it has one.</param>
/// <param name="RetainedWalBytes">How much of the write-ahead log the slot holds back.</param>
/// <param name="LogBytes">How much is kept in memory for subscribers that come back.</param>
/// <param name="Subscriptions">Open subscriptions.</param>
/// <param name="Identities">How many of them policies can tell apart.</param>
/// <param name="SlowIdentities">Those whose policies raise or are slow.</param>
public sealed record FeedHealth(
    FeedState State, string? Reason, string? Slot, long RetainedWalBytes, long LogBytes, int Subscriptions, int Identities, int SlowIdentities);
