using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Voxbase.Realtime;

namespace Voxbase.AspNetCore;

/// <summary>
/// Frames of both protocols, read and written. Whatever a client sends that is no message is a <see cref="FormatException"/>, whose text says why; nothing that
/// could break another client's parser is passed on.
/// </summary>
internal static class PhoenixFrames
{
    /// <summary>What topics begin with on the wire.</summary>
    public const string TopicPrefix = "realtime:";

    private const byte PushKind = 3;
    private const byte BroadcastKind = 4;
    private const byte JsonEncoding = 1;
    private const int MaxName = byte.MaxValue;

    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>Reads a text frame. The message keeps nothing of the buffer.</summary>
    public static PhoenixMessage ReadText(PhoenixVersion version, ReadOnlySpan<byte> frame)
    {
        if (!Utf8.IsValid(frame))
            throw new FormatException("The frame is not valid UTF-8.");
        JsonElement root;
        try
        {
            root = JsonElement.Parse(frame);
        }
        catch (JsonException)
        {
            throw new FormatException("The frame is not JSON.");
        }

        if (version == PhoenixVersion.V1)
        {
            if (root.ValueKind != JsonValueKind.Object)
                throw new FormatException("A message of protocol 1.0.0 is an object with topic, event, payload, ref and join_ref.");
            return new PhoenixMessage(
                Reference(Field(root, "join_ref")), Reference(Field(root, "ref")), Text(Field(root, "topic"), "topic"), Text(Field(root, "event"), "event"),
                Field(root, "payload"));
        }

        if (root.ValueKind != JsonValueKind.Array || root.GetArrayLength() < 5)
            throw new FormatException("A message of protocol 2.0.0 is an array of join_ref, ref, topic, event and payload.");
        return new PhoenixMessage(Reference(root[0]), Reference(root[1]), Text(root[2], "topic"), Text(root[3], "event"), root[4]);
    }

    /// <summary>Reads a binary frame: a broadcast of protocol 2.0.0. The message keeps nothing of the buffer.</summary>
    public static PhoenixMessage ReadBinary(PhoenixVersion version, ReadOnlySpan<byte> frame)
    {
        const int header = 7;
        if (version == PhoenixVersion.V1)
            throw new FormatException("Protocol 1.0.0 has no binary frames.");
        if (frame.Length < header || frame[0] != PushKind)
            throw new FormatException("A binary frame is a broadcast: it begins with 3, five lengths and the encoding.");
        var (joinRefLength, refLength, topicLength, nameLength, metaLength) = (frame[1], frame[2], frame[3], frame[4], frame[5]);
        var isBinary = frame[6] != JsonEncoding;
        var rest = frame[header..];
        if (rest.Length < joinRefLength + refLength + topicLength + nameLength + metaLength)
            throw new FormatException("The binary frame is shorter than its lengths say.");
        var joinRef = Take(ref rest, joinRefLength);
        var reference = Take(ref rest, refLength);
        var topic = Take(ref rest, topicLength);
        var name = Take(ref rest, nameLength);
        rest = rest[metaLength..];
        if (!isBinary && !IsJson(rest))
            throw new FormatException("The broadcast's payload is not the JSON that it is said to be.");
        return new PhoenixMessage(Quoted(joinRef), Quoted(reference), topic, "broadcast", default, new PushedBroadcast(name, rest.ToArray(), isBinary));

        static string Take(ref ReadOnlySpan<byte> rest, int length)
        {
            var part = rest[..length];
            rest = rest[length..];
            return Utf8.IsValid(part) ? Encoding.UTF8.GetString(part) : throw new FormatException("The binary frame's header is not valid UTF-8.");
        }

        static string? Quoted(string text) => text.Length == 0 ? null : $"\"{JsonEncodedText.Encode(text)}\"";
    }

    /// <summary>Whether bytes are one JSON value.</summary>
    public static bool IsJson(ReadOnlySpan<byte> bytes)
    {
        if (!Utf8.IsValid(bytes))
            return false;
        try
        {
            var reader = new Utf8JsonReader(bytes);
            if (!reader.Read())
                return false;
            reader.Skip();
            return !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>A value's JSON, to the letter.</summary>
    public static byte[] RawOf(JsonElement value) => JsonMarshal.GetRawUtf8Value(value).ToArray();

    /// <summary>An object of texts.</summary>
    public static ReadOnlySpan<byte> Texts(params ReadOnlySpan<(string Name, string Value)> texts)
    {
        var buffer = new ArrayBufferWriter<byte>(128);
        using (var writer = new Utf8JsonWriter(buffer, Relaxed))
        {
            writer.WriteStartObject();
            foreach (var (name, value) in texts)
                writer.WriteString(name, value);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan;
    }

    /// <summary>A text frame.</summary>
    public static PhoenixFrame Write(PhoenixVersion version, string? joinRef, string? reference, string topic, string name, ReadOnlySpan<byte> payload)
    {
        var buffer = new ArrayBufferWriter<byte>(payload.Length + topic.Length + 128);
        using (var writer = new Utf8JsonWriter(buffer, Relaxed))
        {
            if (version == PhoenixVersion.V1)
            {
                writer.WriteStartObject();
                writer.WriteString("topic", topic);
                writer.WriteString("event", name);
                writer.WritePropertyName("payload");
                writer.WriteRawValue(payload, skipInputValidation: true);
                writer.WritePropertyName("ref");
                writer.WriteRawValue(reference ?? "null", skipInputValidation: true);
                writer.WritePropertyName("join_ref");
                writer.WriteRawValue(joinRef ?? "null", skipInputValidation: true);
                writer.WriteEndObject();
            }
            else
            {
                writer.WriteStartArray();
                writer.WriteRawValue(joinRef ?? "null", skipInputValidation: true);
                writer.WriteRawValue(reference ?? "null", skipInputValidation: true);
                writer.WriteStringValue(topic);
                writer.WriteStringValue(name);
                writer.WriteRawValue(payload, skipInputValidation: true);
                writer.WriteEndArray();
            }
        }

        return new PhoenixFrame(buffer.WrittenMemory, IsText: true);
    }

    /// <summary>A reply; <paramref name="response"/> is an object in JSON.</summary>
    public static PhoenixFrame Reply(PhoenixVersion version, string? joinRef, string? reference, string topic, bool isOk, ReadOnlySpan<byte> response) =>
        Write(version, joinRef, reference, topic, "phx_reply", Object(writer =>
        {
            writer.WriteString("status", isOk ? "ok" : "error");
        }, "response"u8, response));

    /// <summary>What happened in a channel, in one protocol; made once for all who are there.</summary>
    public static PhoenixFrame Of(PhoenixVersion version, ChannelEvent happened, string topic) => happened.Form((int)version, () => Make(version, happened, topic));

    private static PhoenixFrame Make(PhoenixVersion version, ChannelEvent happened, string topic) => happened switch
    {
        PresenceChange presence => Write(version, null, null, topic, presence.IsState ? "presence_state" : "presence_diff", presence.Json.Span),
        Broadcast { Whole.IsEmpty: false } broadcast => Write(version, null, null, topic, "broadcast", broadcast.Whole.Span),
        Broadcast { IsBinary: true } when version == PhoenixVersion.V1 => PhoenixFrame.None,
        // What a client pushed as binary goes out so; what came out of the database goes as text, as its clients have always had it.
        Broadcast broadcast when version == PhoenixVersion.V2 && (broadcast.IsBinary || broadcast.Id is null) && IsShort(topic) && IsShort(broadcast.Name) =>
            WriteBinary(broadcast, topic),
        Broadcast { IsBinary: true } => PhoenixFrame.None,
        Broadcast broadcast => Write(version, null, null, topic, "broadcast", Object(
            writer =>
            {
                writer.WriteString("event", broadcast.Name);
                writer.WriteString("type", "broadcast");
                if (broadcast.Id is not null)
                {
                    writer.WritePropertyName("meta");
                    writer.WriteRawValue(MetaOf(broadcast), skipInputValidation: true);
                }
            },
            "payload"u8,
            broadcast.Payload.Span)),
        _ => throw new ArgumentException("An event without a form.", nameof(happened)),
    };

    private static PhoenixFrame WriteBinary(Broadcast broadcast, string topic)
    {
        var meta = broadcast.Id is null ? "" : MetaOf(broadcast);
        var (topicLength, nameLength) = (Encoding.UTF8.GetByteCount(topic), Encoding.UTF8.GetByteCount(broadcast.Name));
        var frame = new byte[5 + topicLength + nameLength + meta.Length + broadcast.Payload.Length];
        ReadOnlySpan<byte> header = [BroadcastKind, (byte)topicLength, (byte)nameLength, (byte)meta.Length, broadcast.IsBinary ? (byte)0 : JsonEncoding];
        header.CopyTo(frame);
        var at = header.Length;
        at += Encoding.UTF8.GetBytes(topic, frame.AsSpan(at));
        at += Encoding.UTF8.GetBytes(broadcast.Name, frame.AsSpan(at));
        at += Encoding.UTF8.GetBytes(meta, frame.AsSpan(at));
        broadcast.Payload.Span.CopyTo(frame.AsSpan(at));
        return new PhoenixFrame(frame, IsText: false);
    }

    private static string MetaOf(Broadcast broadcast) =>
        broadcast.IsReplayed ? $$"""{"id":"{{broadcast.Id}}","replayed":true}""" : $$"""{"id":"{{broadcast.Id}}"}""";

    private static bool IsShort(string text) => text.Length <= MaxName && Encoding.UTF8.GetByteCount(text) <= MaxName;

    private static ReadOnlySpan<byte> Object(Action<Utf8JsonWriter> write, ReadOnlySpan<byte> last, ReadOnlySpan<byte> value)
    {
        var buffer = new ArrayBufferWriter<byte>(value.Length + 128);
        using (var writer = new Utf8JsonWriter(buffer, Relaxed))
        {
            writer.WriteStartObject();
            write(writer);
            writer.WritePropertyName(last);
            writer.WriteRawValue(value, skipInputValidation: true);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan;
    }

    private static JsonElement Field(JsonElement message, string name) => message.TryGetProperty(name, out var value) ? value : default;

    private static string Text(JsonElement value, string name)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString()! : throw new FormatException($"The message's {name} is not a text.");
        }
        catch (InvalidOperationException)
        {
            // Half a surrogate pair, escaped.
            throw new FormatException($"The message's {name} is not a text.");
        }
    }

    private static string? Reference(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Undefined or JsonValueKind.Null => null,
        JsonValueKind.String or JsonValueKind.Number => value.GetRawText(),
        _ => throw new FormatException("The message's ref and join_ref are texts, or null."),
    };
}
