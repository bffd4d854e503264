using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Voxbase.Capture;

/// <summary>What is stored between an anchor and the next one (or the end): where the keys of the next piece of a log carry on.</summary>
/// <param name="Anchor">The key of the last server event with an id, or <see cref="EventKeys.Start"/> before the first.</param>
/// <param name="KeysSince">The keys of the events without an id that are stored after it and before the next anchor.</param>
public sealed record StoredTail(Guid Anchor, IReadOnlySet<Guid> KeysSince);

/// <summary>
/// Gives each event of a log a key by which storing it twice stores it once. Deterministic: SHA-256, no clock, no randomness.
/// <list type="bullet">
/// <item>An event with an id: direction, id, type and payload (white space between JSON tokens aside). The payload is part of it because a
/// client may use an id twice, and so do examples; the provider's backlog after a reconnect repeats itself to the letter.</item>
/// <item>An event without one: its <em>anchor</em> (the nearest server event with an id before it), direction, type, clock, payload, and
/// how many like it came since the anchor.</item>
/// </list>
/// A log may come in pieces, each any number of times. Only the events before a piece's first anchor need what is stored: collect them
/// (<see cref="IsAnchor"/>), look the anchor up by <see cref="KeyOf"/>, and call <see cref="Resume"/>. Store that lead-in and its anchor in
/// one transaction. What no rule can tell: a piece without any anchor, whose events have neither ids nor clock, either repeats the
/// one before or says the same again. It is taken to repeat. Not thread-safe.
/// </summary>
public sealed class EventKeys
{
    /// <summary>The anchor of what precedes the first server event with an id.</summary>
    public static readonly Guid Start = Guid.Empty;

    private readonly Dictionary<Guid, int> _occurrences = [];
    private readonly IReadOnlySet<Guid>? _stored;

    /// <summary>For a log from its start, or for one that goes on right after an anchor.</summary>
    /// <param name="lastAnchor">The key of that anchor; null for the start.</param>
    public EventKeys(Guid? lastAnchor = null)
        : this(lastAnchor ?? Start, null)
    {
    }

    private EventKeys(Guid anchor, IReadOnlySet<Guid>? stored) => (Anchor, _stored) = (anchor, stored);

    /// <summary>The key that events without an id hang on now.</summary>
    public Guid Anchor { get; private set; }

    /// <summary>Whether events without an id may hang on this one: a server event with an id, which the server never gives twice.</summary>
    public static bool IsAnchor(LoggedEvent e) => e.EventId is not null && e.Direction == EventDirections.Server;

    /// <summary>The key of an event with an id, wherever it stands; null for one without, whose key depends on its place.</summary>
    public static Guid? KeyOf(LoggedEvent e) => e.EventId is null ? null : Hash(e, Start, withClock: false);

    /// <summary>
    /// The keys for a piece of a log.
    /// </summary>
    /// <param name="leadIn">The piece's events before its first anchor (all of them when it has none).</param>
    /// <param name="hasAnchor">Whether the piece has an anchor at all.</param>
    /// <param name="beforeAnchor">When that anchor is stored already: the tail that is stored in front of it. Then the piece is a
    /// repetition, and its lead-in is what stands there. Null when the anchor is new.</param>
    /// <param name="last">The tail at the end of what is stored, or null when nothing is.</param>
    public static EventKeys Resume(IReadOnlyList<LoggedEvent> leadIn, bool hasAnchor, StoredTail? beforeAnchor, StoredTail? last)
    {
        if (beforeAnchor is not null)
        {
            return new(beforeAnchor.Anchor);
        }

        if (last is null)
        {
            return new();
        }

        // With no anchor on one side there is nothing to recognise a repetition by but the events themselves: all of them stored
        // (the piece came before), or all that is stored among them (it broke off, and now comes whole).
        if ((!hasAnchor || last.Anchor == Start) && Repeats(leadIn, last))
        {
            return new(last.Anchor);
        }

        return new(last.Anchor, last.KeysSince);
    }

    /// <summary>The key of the next event of the piece.</summary>
    public Guid Next(LoggedEvent e)
    {
        if (KeyOf(e) is { } own)
        {
            if (IsAnchor(e))
            {
                Anchor = own;
                _occurrences.Clear();
            }

            return own;
        }

        var likeness = Hash(e, Anchor, withClock: true);
        var occurrence = _occurrences.GetValueOrDefault(likeness);
        Guid key;
        do
        {
            // The keys already stored belong to this anchor alone: after the next one none of them can be met again.
            key = Hash(likeness, ++occurrence);
        }
        while (_stored is not null && _stored.Contains(key));

        _occurrences[likeness] = occurrence;
        return key;
    }

    private static bool Repeats(IReadOnlyList<LoggedEvent> leadIn, StoredTail last)
    {
        var keys = new EventKeys(last.Anchor);
        var own = leadIn.Where(e => e.EventId is null).Select(keys.Next).ToList();
        var found = own.Count(last.KeysSince.Contains);
        return found > 0 && (found == own.Count || found == last.KeysSince.Count);
    }

    private static Guid Hash(LoggedEvent e, Guid anchor, bool withClock)
    {
        const int headLength = 40;
        var payload = e.Utf8.Span;
        var names = e.Direction.Length + e.Type.Length + (e.EventId?.Length ?? 0);
        var buffer = ArrayPool<byte>.Shared.Rent(
            headLength + Encoding.UTF8.GetMaxByteCount(names) + (payload.IsEmpty ? Encoding.UTF8.GetMaxByteCount(e.Payload.Length) : payload.Length));
        var bytes = buffer.AsSpan();
        bytes[..headLength].Clear();
        anchor.TryWriteBytes(bytes, bigEndian: true, out _);
        BinaryPrimitives.WriteInt32BigEndian(bytes[16..], withClock ? e.OffsetMs ?? -1 : -1);
        BinaryPrimitives.WriteInt64BigEndian(bytes[20..], withClock ? e.At?.UtcTicks ?? -1 : -1);
        BinaryPrimitives.WriteInt32BigEndian(bytes[28..], e.Direction.Length);
        BinaryPrimitives.WriteInt32BigEndian(bytes[32..], e.Type.Length);
        BinaryPrimitives.WriteInt32BigEndian(bytes[36..], e.EventId?.Length ?? -1);
        var length = headLength;
        length += Encoding.UTF8.GetBytes(e.Direction, bytes[length..]);
        length += Encoding.UTF8.GetBytes(e.Type, bytes[length..]);
        length += Encoding.UTF8.GetBytes(e.EventId ?? "", bytes[length..]);
        var rest = bytes[length..];
        if (payload.IsEmpty)
            rest = rest[..Encoding.UTF8.GetBytes(e.Payload, rest)];
        else
            payload.CopyTo(rest = rest[..payload.Length]);
        length += Compact(rest);
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(bytes[..length], digest);
        ArrayPool<byte>.Shared.Return(buffer);
        return new(digest[..16], bigEndian: true);
    }

    private static Guid Hash(Guid likeness, int occurrence)
    {
        Span<byte> input = stackalloc byte[20];
        likeness.TryWriteBytes(input, bigEndian: true, out _);
        BinaryPrimitives.WriteInt32BigEndian(input[16..], occurrence);
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(input, digest);
        return new(digest[..16], bigEndian: true);
    }

    // Drops the white space between JSON tokens in place: the same event, written by another serialiser, stays the same event.
    private static int Compact(Span<byte> json)
    {
        var (kept, at) = (0, 0);
        while (at < json.Length)
        {
            var quote = json[at..].IndexOf((byte)'"');
            for (var end = quote < 0 ? json.Length : at + quote + 1; at < end; at++)
            {
                if (json[at] is not ((byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n'))
                    json[kept++] = json[at];
            }

            if (quote < 0)
                break;
            // The inside of a string, nearly all of an event, goes in one piece.
            var start = at;
            while (at < json.Length)
            {
                var next = json[at..].IndexOfAny((byte)'"', (byte)'\\');
                at = next < 0 ? json.Length : at + next + 1;
                if (next < 0 || json[at - 1] == '"')
                    break;
                at = Math.Min(at + 1, json.Length);
            }

            if (kept != start)
                json[start..at].CopyTo(json[kept..]);
            kept += at - start;
        }

        return kept;
    }
}
