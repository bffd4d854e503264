namespace Voxbase;

/// <summary>What an event tells.</summary>
public enum FeedEventKind
{
    /// <summary>The subscription is live: every change that is committed from here on is looked at. The first event of each subscription.</summary>
    Ready,

    /// <summary>A row came, changed or went.</summary>
    Change,

    /// <summary>Nothing for this subscriber up to this position: what to go on from after a quiet time.</summary>
    Progress,

    /// <summary>Changes were missed, or the position given is too old: read the state anew. Changes after this position follow.</summary>
    Resync,

    /// <summary>
    /// Something is wrong, as <see cref="FeedEvent.Error"/> says. <c>feed_policy_failed</c> and <c>feed_policy_slow</c>: the changes up to this position
    /// could not be authorised and are left out, later ones follow. Anything else ends the subscription.
    /// </summary>
    Error,
}

/// <summary>A column of a table.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type as PostgreSQL's catalog names it: <c>int4</c>, <c>text</c>, <c>timestamptz</c>, <c>_text</c> for an array.</param>
public readonly record struct FeedColumn(string Name, string Type);

/// <summary>
/// One event of a subscription. Events are shared between subscribers that may see the same of a row: never change what they hold.
/// </summary>
public sealed partial class FeedEvent
{
    private static readonly IReadOnlyList<FeedColumn> NoColumns = [];
    private static readonly IReadOnlyList<int> NoMatches = [];

    /// <summary>What it tells.</summary>
    public required FeedEventKind Kind { get; init; }

    /// <summary>Where it stands: give it as <see cref="FeedRequest.After"/> to go on behind it.</summary>
    public required FeedPosition Position { get; init; }

    /// <summary>When the transaction was committed, by the database's clock; of another kind of event, the default.</summary>
    public DateTimeOffset CommittedAt { get; init; }

    /// <summary>Which <see cref="FeedRequest.Entries"/> a change matched, by index, ascending.</summary>
    public IReadOnlyList<int> Matches { get; init; } = NoMatches;

    /// <summary>The table's schema.</summary>
    public string Schema { get; init; } = "";

    /// <summary>The table; partitions come under their parent.</summary>
    public string Table { get; init; } = "";

    /// <summary>Insert, Update or Delete.</summary>
    public FeedChanges Change { get; init; }

    /// <summary>The columns that the subscriber asked for and whose privileges it has, in the table's order.</summary>
    public IReadOnlyList<FeedColumn> Columns { get; init; } = NoColumns;

    /// <summary>
    /// The new row as a JSON object in PostgreSQL's own form (to_json), UTF-8; <c>{}</c> on a delete. A large value that an update left as it was is not in it:
    /// see <see cref="Unchanged"/>.
    /// </summary>
    public ReadOnlyMemory<byte> Record { get; init; }

    /// <summary>The old row's primary key as a JSON object, UTF-8: of a delete, and of an update that changed it; otherwise <c>{}</c>.</summary>
    public ReadOnlyMemory<byte> OldRecord { get; init; }

    /// <summary>Columns left out of <see cref="Record"/> because the update did not touch them and they are stored apart (TOAST).</summary>
    public IReadOnlyList<string> Unchanged { get; init; } = [];

    /// <summary>The error of <see cref="FeedEventKind.Error"/> and <see cref="FeedEventKind.Resync"/>: its code, message and hint.</summary>
    public VoxbaseException? Error { get; init; }

    // The transaction's id, by which a snapshot tells whether it holds the change already.
    internal uint TransactionId { get; init; }

    // Tells rows apart: table and key.
    internal string RowKey { get; init; } = "";

    // What it takes in a queue, roughly.
    internal int Size => 200 + Record.Length + OldRecord.Length;
}
