using System.Collections.Frozen;

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

    public static bool IsKnown(string canonical) => Server.Contains(canonical) || Client.Contains(canonical);

    public static bool IsServer(string canonical) => Server.Contains(canonical);

    public static bool IsClientOnly(string type) => Client.Contains(Canonical(type));
}
