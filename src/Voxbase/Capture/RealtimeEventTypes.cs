using System.Collections.Frozen;
using System.Text;

namespace Voxbase.Capture;

/// <summary>The names of OpenAI's Realtime events: beta, GA, transcription and translation sessions (openai-openapi 2.3.0).</summary>
internal static class RealtimeEventTypes
{
    // A sent name that the server never uses for something of its own.
    private static readonly FrozenSet<string> Client = FrozenSet.ToFrozenSet(
    [
        "session.update", "session.close", "session.input_audio_buffer.append", "transcription_session.update",
        "input_audio_buffer.append", "input_audio_buffer.commit", "input_audio_buffer.clear", "output_audio_buffer.clear",
        "conversation.item.create", "conversation.item.delete", "conversation.item.retrieve", "conversation.item.truncate",
        "response.create", "response.cancel",
    ]);

    private static readonly FrozenSet<string> Server = FrozenSet.ToFrozenSet(
    [
        "session.created", "session.updated", "session.closed", "transcription_session.created", "transcription_session.updated",
        "session.input_transcript.delta", "session.output_transcript.delta", "session.output_audio.delta",
        "conversation.created", "conversation.item.created", "conversation.item.added", "conversation.item.done",
        "conversation.item.deleted", "conversation.item.retrieved", "conversation.item.truncated",
        "conversation.item.input_audio_transcription.delta", "conversation.item.input_audio_transcription.completed",
        "conversation.item.input_audio_transcription.failed", "conversation.item.input_audio_transcription.segment",
        "input_audio_buffer.committed", "input_audio_buffer.cleared", "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped", "input_audio_buffer.timeout_triggered", "input_audio_buffer.dtmf_event_received",
        "output_audio_buffer.started", "output_audio_buffer.stopped", "output_audio_buffer.cleared",
        "response.created", "response.done", "response.output_item.added", "response.output_item.done",
        "response.content_part.added", "response.content_part.done", "response.output_text.delta", "response.output_text.done",
        "response.output_audio.delta", "response.output_audio.done",
        "response.output_audio_transcript.delta", "response.output_audio_transcript.done",
        "response.function_call_arguments.delta", "response.function_call_arguments.done",
        "response.mcp_call_arguments.delta", "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress", "response.mcp_call.completed", "response.mcp_call.failed",
        "mcp_list_tools.in_progress", "mcp_list_tools.completed", "mcp_list_tools.failed",
        "rate_limits.updated", "error",
    ]);

    // As providers send them, the beta's name too.
    private static readonly (byte[] Utf8, string Name)[] AudioTypes =
    [
        .. new[]
        {
            "input_audio_buffer.append", "response.output_audio.delta", "response.audio.delta", "session.output_audio.delta",
            "session.input_audio_buffer.append",
        }.Select(name => (Encoding.ASCII.GetBytes(name), name)),
    ];

    /// <summary>
    /// The GA name of an event: the beta names of outputs are mapped, and surrounding space is dropped (OpenAI's own example of
    /// <c>input_audio_buffer.dtmf_event_received</c> has a leading one). <c>conversation.item.created</c> keeps its name.
    /// </summary>
    public static string Canonical(string type) => type.AsSpan().Trim() switch
    {
        "response.audio.delta" => "response.output_audio.delta",
        "response.audio.done" => "response.output_audio.done",
        "response.audio_transcript.delta" => "response.output_audio_transcript.delta",
        "response.audio_transcript.done" => "response.output_audio_transcript.done",
        "response.text.delta" => "response.output_text.delta",
        "response.text.done" => "response.output_text.done",
        var trimmed => trimmed.Length == type.Length ? type : trimmed.ToString(),
    };

    /// <summary>Whether a frame is audio, by a look at its beginning: nearly everything that passes is. An odd frame of audio may be taken for something else.</summary>
    public static bool IsAudio(ReadOnlySpan<byte> frame) => Audio(TypeWithin(frame)) is not null;

    /// <summary>The type itself when it is one of audio, the same string each time; else null.</summary>
    public static string? Audio(ReadOnlySpan<byte> type)
    {
        foreach (var (utf8, name) in AudioTypes)
        {
            if (type.SequenceEqual(utf8))
                return name;
        }

        return null;
    }

    /// <summary>A frame's type as it stands in the text, where its beginning tells; else empty. Nothing is parsed.</summary>
    public static ReadOnlySpan<byte> TypeWithin(ReadOnlySpan<byte> frame)
    {
        // It is among the first of an event's fields.
        const int within = 256;
        var head = frame[..Math.Min(frame.Length, within)];
        var at = head.IndexOf("\"type\""u8);
        if (at < 0)
            return default;
        head = head[(at + "\"type\""u8.Length)..].TrimStart(": \t\r\n"u8);
        return head is [(byte)'"', ..] && head[1..].IndexOf((byte)'"') is > 0 and var length ? head.Slice(1, length) : default;
    }

    public static bool IsKnown(string canonical) => Server.Contains(canonical) || Client.Contains(canonical);

    public static bool IsServer(string canonical) => Server.Contains(canonical);

    public static bool IsClientOnly(string type) => Client.Contains(Canonical(type));
}
