using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Voxbase.Realtime;

/// <summary>What one member tracks. A reference of its own for each change, so that clients can tell a new one from one they know.</summary>
internal sealed record PresenceMeta(string Reference, string? Before, ReadOnlyMemory<byte> Payload);

/// <summary>
/// Who is in a channel and what they track. Changes happen one after the other and are told in that order; messages are sent to a copy of the list.
/// </summary>
internal sealed class ChannelRoom
{
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly Lock gate = new();
    private readonly HashSet<ChannelMember> members = [];
    private readonly Dictionary<(Guid Server, long Member), (string Key, PresenceMeta Meta)> elsewhere = [];
    private ChannelMember[]? copy;
    private bool isGone;

    public bool TryEnter(ChannelMember member)
    {
        lock (gate)
        {
            if (isGone)
                return false;
            members.Add(member);
            copy = null;
            return true;
        }
    }

    public int Send(Broadcast message, ChannelMember? except)
    {
        var sent = 0;
        foreach (var member in Members())
        {
            if (member == except || !member.HearsBroadcasts)
                continue;
            member.Deliver(message);
            sent++;
        }

        return sent;
    }

    public void Follow(ChannelMember member)
    {
        lock (gate)
        {
            member.HearsPresence = true;
            member.Deliver(new PresenceChange(isState: true, State()));
        }
    }

    public void Unfollow(ChannelMember member)
    {
        lock (gate)
            member.HearsPresence = false;
    }

    public void Track(ChannelMember member, ReadOnlyMemory<byte> payload)
    {
        lock (gate)
        {
            if (!members.Contains(member) || (member.Tracked is { } same && same.Payload.Span.SequenceEqual(payload.Span)))
                return;
            var before = member.Tracked;
            member.Tracked = new PresenceMeta(NewReference(), before?.Reference, payload);
            Tell(member.PresenceKey, joined: member.Tracked, left: before);
            member.Peers?.Tracked(member, member.Tracked);
        }
    }

    /// <summary>What somebody on another server tracks, or does not any more. False where this room takes nobody in any more.</summary>
    public bool TryTrack((Guid Server, long Member) who, string key, PresenceMeta? meta, out bool isEmpty)
    {
        lock (gate)
        {
            isEmpty = false;
            if (isGone)
                return false;
            var isKnown = elsewhere.TryGetValue(who, out var before);
            // Told again, to somebody else.
            if (isKnown && before.Meta.Reference == meta?.Reference)
                return true;
            if (meta is null)
                elsewhere.Remove(who);
            else
                elsewhere[who] = (key, meta);
            if (meta is not null || isKnown)
                Tell(key, meta, isKnown ? before.Meta : null);
            isEmpty = isGone = members.Count + elsewhere.Count == 0;
            return true;
        }
    }

    /// <summary>Nobody on that server is present any more. True when nobody is left.</summary>
    public bool Forget(Guid server)
    {
        lock (gate)
        {
            foreach (var (who, (key, meta)) in elsewhere.Where(each => each.Key.Server == server).ToList())
            {
                elsewhere.Remove(who);
                Tell(key, joined: null, left: meta);
            }

            return isGone = members.Count + elsewhere.Count == 0;
        }
    }

    public List<(ChannelMember Member, PresenceMeta Meta)> Tracking()
    {
        lock (gate)
            return [.. members.Where(member => member.Tracked is not null).Select(member => (member, member.Tracked!))];
    }

    public void Untrack(ChannelMember member)
    {
        lock (gate)
            Forget(member);
    }

    /// <summary>True when nobody is left: then this room takes nobody in any more.</summary>
    public bool Leave(ChannelMember member)
    {
        lock (gate)
        {
            if (!members.Remove(member))
                return false;
            copy = null;
            member.HearsPresence = false;
            Forget(member);
            return isGone = members.Count + elsewhere.Count == 0;
        }
    }

    private ChannelMember[] Members()
    {
        if (Volatile.Read(ref copy) is { } known)
            return known;
        lock (gate)
            return copy ??= [.. members];
    }

    private void Forget(ChannelMember member)
    {
        if (member.Tracked is not { } left)
            return;
        member.Tracked = null;
        Tell(member.PresenceKey, joined: null, left);
        member.Peers?.Tracked(member, null);
    }

    private void Tell(string key, PresenceMeta? joined, PresenceMeta? left)
    {
        PresenceChange? change = null;
        foreach (var other in members)
        {
            if (other.HearsPresence)
                other.Deliver(change ??= new PresenceChange(isState: false, Difference(key, joined, left)));
        }
    }

    private byte[] State() => Write(writer =>
    {
        writer.WriteStartObject();
        var all = members.Where(each => each.Tracked is not null).Select(each => (Key: each.PresenceKey, Meta: each.Tracked!)).Concat(elsewhere.Values);
        foreach (var present in all.GroupBy(each => each.Key, StringComparer.Ordinal))
            WriteMetas(writer, present.Key, present.Select(each => each.Meta));
        writer.WriteEndObject();
    });

    private static byte[] Difference(string key, PresenceMeta? joined, PresenceMeta? left) => Write(writer =>
    {
        writer.WriteStartObject();
        WriteOne("joins", joined);
        WriteOne("leaves", left);
        writer.WriteEndObject();

        void WriteOne(string name, PresenceMeta? meta)
        {
            writer.WriteStartObject(name);
            if (meta is not null)
                WriteMetas(writer, key, [meta]);
            writer.WriteEndObject();
        }
    });

    private static void WriteMetas(Utf8JsonWriter writer, string key, IEnumerable<PresenceMeta> metas)
    {
        writer.WriteStartObject(key);
        writer.WriteStartArray("metas");
        foreach (var meta in metas)
        {
            writer.WriteStartObject();
            using (var payload = JsonDocument.Parse(meta.Payload))
            {
                foreach (var property in payload.RootElement.EnumerateObject())
                {
                    // The references are the server's to give.
                    if (!property.NameEquals("phx_ref") && !property.NameEquals("phx_ref_prev"))
                        property.WriteTo(writer);
                }
            }

            writer.WriteString("phx_ref", meta.Reference);
            if (meta.Before is { } before)
                writer.WriteString("phx_ref_prev", before);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static byte[] Write(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var writer = new Utf8JsonWriter(buffer, Relaxed))
            write(writer);
        return buffer.WrittenSpan.ToArray();
    }

    private static string NewReference()
    {
        Span<byte> random = stackalloc byte[12];
        RandomNumberGenerator.Fill(random);
        return Base64Url.EncodeToString(random);
    }
}
