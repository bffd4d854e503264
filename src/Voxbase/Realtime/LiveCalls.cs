using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Threading.Channels;
using Voxbase.Capture;

namespace Voxbase.Realtime;

/// <summary>
/// The live state of running calls: who speaks, and what is being said, to whoever is in the conversation's private channel. It touches no table and holds up nobody: a
/// call hands over a copy of the few events that tell something, and only while somebody listens; when the reader is behind, they are left out.
/// </summary>
/// <remarks>
/// <c>speaking</c>: <c>{role, speaking, item_id}</c>. <c>transcript</c>: <c>{role, item_id, delta}</c> while it is being said, then once
/// <c>{role, item_id, text, final: true}</c>. What is kept is the record, which comes as changes of <c>vox.turns</c>.
/// </remarks>
public sealed class LiveCalls : IAsyncDisposable
{
    private const int MaxWaiting = 4_096;
    private const int MaxEventBytes = 64 << 10;

    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    // Names as providers send them, the beta's too.
    private static readonly byte[][] Telling =
    [
        .. new[]
        {
            "input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "output_audio_buffer.started", "output_audio_buffer.stopped",
            "output_audio_buffer.cleared", "response.content_part.added", "response.done", "conversation.item.input_audio_transcription.delta",
            "conversation.item.input_audio_transcription.completed", "response.output_audio_transcript.delta", "response.output_audio_transcript.done",
            "response.audio_transcript.delta", "response.audio_transcript.done", "response.output_text.delta", "response.output_text.done", "response.text.delta",
            "response.text.done", "session.input_transcript.delta", "session.output_transcript.delta",
        }.Select(System.Text.Encoding.ASCII.GetBytes),
    ];

    private readonly Channels channels;
    private readonly Channel<(ChannelTopic Topic, byte[] Event)> waiting = Channel.CreateBounded<(ChannelTopic, byte[])>(
        new BoundedChannelOptions(MaxWaiting) { SingleReader = true, FullMode = BoundedChannelFullMode.DropWrite });

    private readonly Task telling;

    /// <summary>Use <c>services.AddVoxbase(…)</c>.</summary>
    public LiveCalls(Channels channels)
    {
        this.channels = channels;
        telling = Task.Run(TellAsync);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        waiting.Writer.TryComplete();
        await telling;
    }

    /// <summary>A provider's event, as it passes. Returns at once.</summary>
    internal void Pass(ChannelTopic topic, ReadOnlySpan<byte> sent)
    {
        if (sent.Length <= MaxEventBytes && Tells(sent) && channels.HasMembers(topic))
            waiting.Writer.TryWrite((topic, sent.ToArray()));
    }

    /// <summary>What an event tells, or null.</summary>
    internal static Broadcast? Told(ReadOnlyMemory<byte> sent)
    {
        try
        {
            using var document = JsonDocument.Parse(sent);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || Text(root, "type") is not { } type)
                return null;
            return RealtimeEventTypes.Canonical(type) switch
            {
                "input_audio_buffer.speech_started" => Speaking(root, "user", true),
                "input_audio_buffer.speech_stopped" => Speaking(root, "user", false),
                "output_audio_buffer.started" or "response.content_part.added" => Speaking(root, "assistant", true),
                "output_audio_buffer.stopped" or "output_audio_buffer.cleared" or "response.done" => Speaking(root, "assistant", false),
                "conversation.item.input_audio_transcription.delta" or "session.input_transcript.delta" => Said(root, "user", "delta"),
                "conversation.item.input_audio_transcription.completed" => Said(root, "user", "transcript"),
                "response.output_audio_transcript.delta" or "response.output_text.delta" or "session.output_transcript.delta" => Said(root, "assistant", "delta"),
                "response.output_audio_transcript.done" => Said(root, "assistant", "transcript"),
                "response.output_text.done" => Said(root, "assistant", "text"),
                _ => null,
            };
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // No event, or text that is none. The recorder keeps it as it is.
            return null;
        }
    }

    private async Task TellAsync()
    {
        await foreach (var (topic, sent) in waiting.Reader.ReadAllAsync())
        {
            if (Told(sent) is { } told)
                channels.Send(topic, told);
        }
    }

    private static bool Tells(ReadOnlySpan<byte> sent)
    {
        var type = RealtimeEventTypes.TypeWithin(sent);
        foreach (var telling in Telling)
        {
            if (type.SequenceEqual(telling))
                return true;
        }

        return false;
    }

    private static Broadcast Speaking(JsonElement sent, string role, bool isSpeaking) => Make("speaking", sent, role, writer => writer.WriteBoolean("speaking", isSpeaking));

    private static Broadcast? Said(JsonElement sent, string role, string field) =>
        Text(sent, field) is not { } text ? null : Make("transcript", sent, role, writer =>
        {
            writer.WriteString(field == "delta" ? "delta" : "text", text);
            if (field != "delta")
                writer.WriteBoolean("final", true);
        });

    private static Broadcast Make(string name, JsonElement sent, string role, Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(128);
        using (var writer = new Utf8JsonWriter(buffer, Relaxed))
        {
            writer.WriteStartObject();
            writer.WriteString("role", role);
            if (Text(sent, "item_id") is { } item)
                writer.WriteString("item_id", item);
            write(writer);
            writer.WriteEndObject();
        }

        return Broadcast.Json(name, buffer.WrittenMemory);
    }

    private static string? Text(JsonElement value, string name) =>
        value.TryGetProperty(name, out var part) && part.ValueKind == JsonValueKind.String ? part.GetString() : null;
}
