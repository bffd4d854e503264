using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

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
/// <param name="IsKey">Whether it is of the primary key.</param>
public readonly record struct FeedColumn(string Name, string Type, bool IsKey = false);

/// <summary>
/// One event of a subscription. Events are shared between subscribers that may see the same of a row: never change what they hold.
/// </summary>
public sealed class FeedEvent
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

    /// <summary>The old row's primary key as a JSON object, UTF-8, of an update and of a delete; <c>{}</c> on an insert.</summary>
    public ReadOnlyMemory<byte> OldRecord { get; init; }

    /// <summary>Columns left out of <see cref="Record"/> because the update did not touch them and they are stored apart (TOAST).</summary>
    public IReadOnlyList<string> Unchanged { get; init; } = [];

    /// <summary>The error of <see cref="FeedEventKind.Error"/> and <see cref="FeedEventKind.Resync"/>: its code, message and hint.</summary>
    public VoxbaseException? Error { get; init; }

    // Its kind as the doors tell it.
    internal string Name => Kind switch
    {
        FeedEventKind.Ready => "ready",
        FeedEventKind.Change => "change",
        FeedEventKind.Progress => "progress",
        FeedEventKind.Resync => "resync",
        _ => "error",
    };

    // The transaction's id, by which a snapshot tells whether it holds the change already.
    internal uint TransactionId { get; init; }

    // Tells rows apart: table and key.
    internal string RowKey { get; init; } = "";

    // What a door made of it to send it; made once for all that share the event.
    internal byte[]? Frame { get; set; }

    private byte[]? json;

    /// <summary>
    /// The event as a JSON object, UTF-8 and without a line break: <c>type</c>, <c>position</c>, and of a change <c>committed_at</c>, <c>schema</c>, <c>table</c>,
    /// <c>event</c>, <c>record</c>, <c>old_record</c> and, when there are such, <c>unchanged</c>. Made once for all that share the event.
    /// </summary>
    public ReadOnlyMemory<byte> ToJson() => json ??= Write();

    private byte[] Write()
    {
        var output = new ArrayBufferWriter<byte>(Size + 200);
        using var writer = new Utf8JsonWriter(output, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true });
        writer.WriteStartObject();
        writer.WriteString("type"u8, Name);
        writer.WriteString("position"u8, Position.ToString());
        if (Kind == FeedEventKind.Change)
        {
            writer.WriteString("committed_at"u8, CommittedAt.UtcDateTime);
            writer.WriteString("schema"u8, Schema);
            writer.WriteString("table"u8, Table);
            writer.WriteString("event"u8, Change switch { FeedChanges.Insert => "insert"u8, FeedChanges.Update => "update"u8, _ => "delete"u8 });
            writer.WritePropertyName("record"u8);
            writer.WriteRawValue(Record.Span, skipInputValidation: true);
            writer.WritePropertyName("old_record"u8);
            writer.WriteRawValue(OldRecord.Span, skipInputValidation: true);
            if (Unchanged.Count > 0)
            {
                writer.WriteStartArray("unchanged"u8);
                foreach (var column in Unchanged)
                    writer.WriteStringValue(column);
                writer.WriteEndArray();
            }
        }

        if (Error is { } error)
        {
            writer.WriteString("code"u8, error.Code);
            writer.WriteString("message"u8, error.Message);
            writer.WriteString("details"u8, error.Details);
            writer.WriteString("hint"u8, error.Hint);
        }

        writer.WriteEndObject();
        writer.Flush();
        return output.WrittenSpan.ToArray();
    }

    // What it takes in a queue, roughly.
    internal int Size => 200 + Record.Length + OldRecord.Length;
}
