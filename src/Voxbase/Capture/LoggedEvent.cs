using System.Text;
using System.Text.Json;

namespace Voxbase.Capture;

/// <summary>Who an event of a provider's log came from.</summary>
public static class EventDirections
{
    /// <summary>Sent by the provider. Only these prove that something happened.</summary>
    public const string Server = "server";

    /// <summary>Sent by the application: a request, not yet a fact.</summary>
    public const string Client = "client";

    /// <summary>Sent by the application, of which the recorder kept only the name.</summary>
    public const string ClientAbbreviated = "client-abbrev";

    /// <summary>Not an event at all (a REST object, a webhook): kept as evidence, read by nobody.</summary>
    public const string Object = "object";
}

/// <summary>One event of a provider's log, as it was recorded.</summary>
/// <param name="Direction">One of <see cref="EventDirections"/>; inferred from the type where the log does not say.</param>
/// <param name="Type">The event's own <c>type</c>, exactly as sent. For an object: its <c>type</c>, else its <c>object</c>, else empty.</param>
/// <param name="EventId">The event's <c>event_id</c>, or null where it has none. A client chooses its own and may use one twice.</param>
/// <param name="OffsetMs">Milliseconds since the recording began, by the log's own clock (<c>t</c>), or null.</param>
/// <param name="At">The time of day by the log's own clock (<c>timestamp</c>, <c>received_at</c> or <c>ts</c>), or null.</param>
/// <param name="Payload">The event's JSON text, byte for byte as in the log. It may hold escapes (<c>\u0000</c>, lone surrogates) that
/// <c>jsonb</c> refuses: store it as text.</param>
public sealed record LoggedEvent(string Direction, string Type, string? EventId, int? OffsetMs, DateTimeOffset? At, string Payload)
{
    private readonly ReadOnlyMemory<byte> utf8;
    private string? text = Payload;

    // Its payload lies in a buffer that somebody else fills anew later. Nearly all of what comes live is audio, which nobody reads as text.
    internal LoggedEvent(string direction, string type, string? eventId, int? offsetMs, ReadOnlyMemory<byte> utf8)
        : this(direction, type, eventId, offsetMs, null, null!) => this.utf8 = utf8;

    /// <inheritdoc/>
    public string Payload
    {
        get => text ??= Encoding.UTF8.GetString(utf8.Span);
        init => text = value;
    }

    /// <summary>The payload in UTF-8 where that is how it came, else empty. Good as long as the buffer that it came in.</summary>
    internal ReadOnlyMemory<byte> Utf8 => utf8;

    /// <inheritdoc/>
    public bool Equals(LoggedEvent? other) =>
        other is not null && Direction == other.Direction && Type == other.Type && EventId == other.EventId && OffsetMs == other.OffsetMs && At == other.At
        && Payload == other.Payload;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Direction, Type, EventId, OffsetMs, At, Payload);

    /// <summary>The payload's JSON.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    internal JsonDocument Parse() =>
        text is null ? JsonDocument.Parse(utf8, ProviderLog.JsonOptions) : JsonDocument.Parse(text, ProviderLog.JsonOptions);

    /// <summary>The same, to keep.</summary>
    internal LoggedEvent Kept() => new(Direction, Type, EventId, OffsetMs, At, Payload);
}

/// <summary>A line that could not be read. The rest of the log is unaffected.</summary>
/// <param name="Number">Its number in the file, from 1, blank lines counted.</param>
/// <param name="Reason">What is wrong with it, in words that repeat nothing of its content.</param>
public sealed record MalformedLine(int Number, string Reason);

/// <summary>One line of a log: exactly one of <see cref="Event"/> and <see cref="Malformed"/> is set.</summary>
/// <param name="Number">The line's number in the file, from 1, blank lines counted.</param>
/// <param name="Event">What it holds.</param>
/// <param name="Malformed">Why it holds nothing.</param>
public sealed record LogLine(int Number, LoggedEvent? Event, MalformedLine? Malformed);
