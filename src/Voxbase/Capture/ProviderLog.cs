using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Unicode;

namespace Voxbase.Capture;

/// <summary>
/// Reads a log of provider events, one JSON object a line. A line is either an envelope,
/// <c>{"dir":"server|client|client-abbrev|object","event":{…},"t":ms}</c>, or a bare event, <c>{"type":…}</c>. The clock is optional:
/// <c>t</c> counts milliseconds from the start; <c>timestamp</c>, <c>received_at</c> or <c>ts</c> is ISO 8601 (UTC where it names no
/// offset) or Unix time in milliseconds (in seconds below 10¹¹). Other members of an envelope are ignored.
/// A line that cannot be read is reported by its number and costs nothing but itself.
/// </summary>
public static class ProviderLog
{
    /// <summary>A longer line is reported as malformed and never held in memory: 64 MiB is half an hour of audio in one event.</summary>
    public const int MaxLineBytes = 64 * 1024 * 1024;

    /// <summary>Deeper JSON is reported as malformed. The deepest thing OpenAI sends is a tool's schema inside a session, about 20.</summary>
    public const int MaxDepth = 128;

    private const int MaxNameLength = 256;

    internal static readonly JsonDocumentOptions JsonOptions = new() { MaxDepth = MaxDepth };

    // JSON's own, and no other.
    private static readonly byte[] WhiteSpace = [.. " \t\r\n"u8];

    private static readonly string[] IsoFormats = ["yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK", "yyyy-MM-dd HH:mm:ss.FFFFFFFK"];

    /// <summary>
    /// The lines of a log in order, blank ones left out. Memory is one line, whatever the size of the log. The stream is read to its end
    /// and stays open.
    /// </summary>
    public static async IAsyncEnumerable<LogLine> ReadAsync(Stream log, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var buffer = new byte[64 * 1024];
        var (start, end, number) = (0, 0, 0);
        var (overlong, atEnd) = (false, false);
        while (!atEnd)
        {
            if (end == buffer.Length)
            {
                if (start > 0)
                {
                    buffer.AsSpan(start, end - start).CopyTo(buffer);
                    (start, end) = (0, end - start);
                }
                else if (buffer.Length < MaxLineBytes)
                {
                    Array.Resize(ref buffer, Math.Min(MaxLineBytes, buffer.Length * 2));
                }
                else
                {
                    (overlong, start, end) = (true, 0, 0);
                }
            }

            var searchFrom = end;
            var read = await log.ReadAsync(buffer.AsMemory(end), cancellationToken).ConfigureAwait(false);
            end += read;
            atEnd = read == 0;
            while (true)
            {
                var newline = buffer.AsSpan(searchFrom, end - searchFrom).IndexOf((byte)'\n');
                if (newline < 0 && !(atEnd && (end > start || overlong)))
                {
                    break;
                }

                var lineEnd = newline < 0 ? end : searchFrom + newline;
                number++;
                var line = overlong
                    ? Bad(number, $"the line is longer than {MaxLineBytes} bytes")
                    : Parse(number, buffer.AsMemory(start, lineEnd - start));
                overlong = false;
                start = searchFrom = newline < 0 ? end : lineEnd + 1;
                if (line is not null)
                {
                    yield return line;
                }
            }
        }
    }

    /// <summary>Reads one line. Null when it is blank. Never throws.</summary>
    /// <param name="number">The line's number, from 1; a byte order mark is tolerated on line 1.</param>
    /// <param name="utf8">Its bytes, with or without the line break.</param>
    public static LogLine? Parse(int number, ReadOnlyMemory<byte> utf8)
    {
        if (number == 1 && utf8.Span.StartsWith("\uFEFF"u8))
        {
            utf8 = utf8[3..];
        }

        if (utf8.Span.IndexOfAnyExcept(" \t\r\n"u8) < 0)
        {
            return null;
        }

        if (!Utf8.IsValid(utf8.Span))
        {
            return Bad(number, "the line is not valid UTF-8");
        }

        try
        {
            using var document = JsonDocument.Parse(utf8, JsonOptions);
            return Interpret(number, document.RootElement);
        }
        catch (JsonException e)
        {
            return Bad(number, e.Message.Contains("depth", StringComparison.Ordinal)
                ? $"the JSON is nested deeper than {MaxDepth}"
                : string.Create(CultureInfo.InvariantCulture, $"the line is not valid JSON (at byte {e.BytePositionInLine ?? 0})"));
        }
        catch (InvalidOperationException)
        {
            // Only now does System.Text.Json find that an escape such as \ud800 makes no character.
            return Bad(number, "the line holds an escape that makes no character");
        }
    }

    /// <summary>
    /// A frame of a live connection as the event that it would be in a log, whose payload stays where the frame is. Never throws: a frame that
    /// is no event becomes an object that holds its bytes, kept as evidence and read by nobody.
    /// </summary>
    internal static LoggedEvent Frame(string direction, int offsetMs, ReadOnlyMemory<byte> frame, bool isText)
    {
        if (isText && Utf8.IsValid(frame.Span))
        {
            try
            {
                if (TryName(frame.Span, out var type, out var eventId) && IsName(type))
                    return new(direction, type, eventId is null or "" || !IsName(eventId) ? null : eventId, offsetMs, frame.Trim(WhiteSpace));
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                // Not an event, then.
            }
        }

        const string kind = "voxbase.frame";
        var kept = $$"""{"object":"{{kind}}","from":"{{direction}}","text":{{(isText ? "true" : "false")}},"base64":"{{Convert.ToBase64String(frame.Span)}}"}""";
        return new(EventDirections.Object, kind, null, offsetMs, null, kept);
    }

    // Reads an object to its end and keeps its type and its id, where they are strings. Of a member that is there twice, the last counts.
    private static bool TryName(ReadOnlySpan<byte> json, [NotNullWhen(true)] out string? type, out string? eventId)
    {
        (type, eventId) = (null, null);
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = MaxDepth });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            return false;
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName)
                continue;
            var (isType, isEventId) = (reader.ValueTextEquals("type"u8), reader.ValueTextEquals("event_id"u8));
            if (!reader.Read())
                return false;
            var isText = reader.TokenType == JsonTokenType.String;
            if (isType)
                type = isText ? RealtimeEventTypes.Audio(reader.ValueSpan) ?? reader.GetString() : null;
            else if (isEventId)
                eventId = isText ? reader.GetString() : null;
            reader.Skip();
        }

        return type is not null;
    }

    private static LogLine Interpret(int number, JsonElement root)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            return Bad(number, "the line is not a JSON object");
        }

        // A bare event may itself have a member called "event" (a DTMF digit, a delegated response), so a type without a direction
        // decides before that member is looked at.
        var direction = StringOf(root, "dir");
        var payload = root;
        if (direction is not null || StringOf(root, "type") is null)
        {
            if (!root.TryGetProperty("event", out payload))
            {
                return Bad(number, "the line holds no event");
            }

            if (payload.ValueKind != JsonValueKind.Object)
            {
                return Bad(number, "the event is not a JSON object");
            }
        }

        var type = StringOf(payload, "type");
        if (direction == EventDirections.Object)
        {
            type ??= StringOf(payload, "object") ?? "";
        }
        else if (type is null)
        {
            return Bad(number, "the event's type is not a string");
        }

        if (!IsName(type))
        {
            return Bad(number, $"the event's type is longer than {MaxNameLength} characters or holds U+0000");
        }

        if (direction is not (EventDirections.Server or EventDirections.Client or EventDirections.ClientAbbreviated or EventDirections.Object))
        {
            direction = RealtimeEventTypes.IsClientOnly(type) || LiveEventTypes.IsClientOnly(type) ? EventDirections.Client : EventDirections.Server;
        }

        var eventId = StringOf(payload, "event_id");
        var at = At(root, "timestamp") ?? At(root, "received_at") ?? At(root, "ts");
        return new(number, new(direction, type, eventId is null or "" || !IsName(eventId) ? null : eventId, Offset(root), at, payload.GetRawText()), null);
    }

    private static LogLine Bad(int number, string reason) => new(number, null, new(number, reason));

    // Names go into indexed text columns, which take neither NUL nor pages of text. An id that is no name is as good as none.
    private static bool IsName(string text) => text.Length <= MaxNameLength && !text.Contains('\0');

    private static string? StringOf(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static int? Offset(JsonElement root) =>
        root.TryGetProperty("t", out var t) && t.ValueKind == JsonValueKind.Number && t.TryGetDouble(out var ms) && ms is >= 0 and <= int.MaxValue
            ? (int)ms
            : null;

    // Exact formats only: a lenient parser reads "2:30:35 PM" as today, and the same log would mean something else tomorrow.
    private static DateTimeOffset? At(JsonElement root, string name)
    {
        if (!root.TryGetProperty(name, out var value))
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.String)
        {
            return DateTimeOffset.TryParseExact(
                value.GetString(), IsoFormats, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at)
                ? at.ToUniversalTime()
                : null;
        }

        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out var unix) || unix is not (> 0 and < 253_402_300_800_000))
        {
            return null;
        }

        return DateTimeOffset.FromUnixTimeMilliseconds((long)(unix < 1e11 ? unix * 1000 : unix));
    }
}
