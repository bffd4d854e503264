namespace Voxbase;

/// <summary>How running calls are recorded.</summary>
public sealed class RecordingOptions
{
    /// <summary>
    /// The folder of the spool: what running calls have said and the database has not got yet, one file a call, removed when the call is in
    /// the database. Put it on a local disk that survives a restart of the server; it grows while the database is away or behind. Null
    /// (default): <c>spool</c> in the home folder of Voxbase.
    /// </summary>
    public string? SpoolFolder { get; set; }

    /// <summary>
    /// How long events of a call are gathered before they are committed together. Longer makes larger, cheaper commits; shorter shows a
    /// running call sooner and lets a budget act sooner. Audio alone waits eight times as long. From 10 ms to 10 seconds; default 250 ms.
    /// </summary>
    public TimeSpan CommitInterval { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>The most bytes of events in one commit, and so in memory for one call. From 64 KiB to 64 MiB; default 1 MiB.</summary>
    public int CommitBytes { get; set; } = 1 << 20;

    /// <summary>
    /// How many calls commit at once, each on a connection of its own; the others wait their turn, in the spool. More catches up sooner,
    /// fewer leaves more of the machine to the audio. From 1 to 64; null (default): half as many as
    /// there are processors, from 1 to 8.
    /// </summary>
    public int? Writers { get; set; }

    internal int ResolvedWriters => Writers ?? Math.Clamp(Environment.ProcessorCount / 2, 1, 8);

    /// <summary>How often spools of servers that are gone are looked for, beside at the start. From 1 second to 1 hour; default 15 seconds.</summary>
    public TimeSpan RecoveryInterval { get; set; } = TimeSpan.FromSeconds(15);

    internal string ResolveFolder() => SpoolFolder ?? Path.Combine(new Data.EmbeddedPostgresOptions().ResolveHome(), "spool");

    internal void Validate(Action<string> fail)
    {
        if (CommitInterval < TimeSpan.FromMilliseconds(10) || CommitInterval > TimeSpan.FromSeconds(10))
            fail($"Recording.CommitInterval must be between 10 ms and 10 s (was {CommitInterval})");
        if (CommitBytes is < 64 << 10 or > 64 << 20)
            fail($"Recording.CommitBytes must be between 65536 and 67108864 (was {CommitBytes})");
        if (Writers is < 1 or > 64)
            fail($"Recording.Writers must be between 1 and 64 (was {Writers})");
        if (RecoveryInterval < TimeSpan.FromSeconds(1) || RecoveryInterval > TimeSpan.FromHours(1))
            fail($"Recording.RecoveryInterval must be between 1 s and 1 h (was {RecoveryInterval})");
        if (SpoolFolder is { Length: 0 })
            fail("Recording.SpoolFolder must not be empty");
    }
}
