using System.Collections.Frozen;

namespace Voxbase.Capture;

/// <summary>The names of OpenAI's Live events (gpt-live-1).</summary>
internal static class LiveEventTypes
{
    /// <summary>Not OpenAI's: how Voxbase, accepting a call over HTTP, writes down what it asked for. Its body is that of <c>session.start</c>.</summary>
    public const string Accept = "session.accept";

    private static readonly FrozenSet<string> Client = FrozenSet.ToFrozenSet(
    [
        "session.start", "session.update", "session.close", "session.input_audio.append", "session.input_audio.mute",
        "session.input_audio.unmute", "session.instructions.append", "session.thinking.append", "session.commentary.append",
        "response.item.create", "response.create", Accept,
    ]);

    private static readonly FrozenSet<string> Server = FrozenSet.ToFrozenSet(
    [
        "session.started", "session.updated", "session.closed", "session.input_transcript.delta", "session.output_transcript.delta",
        "session.output_audio.delta", "session.delegation.created", "session.instructions.appended", "session.thinking.appended",
        "session.commentary.appended", "session.input_audio.muted", "session.input_audio.unmuted", "session.usage.updated",
        "response.event", "error",
    ]);

    // What a Realtime session has too says nothing about which of the two it is.
    private static readonly FrozenSet<string> Own = Client.Union(Server).Where(type => !RealtimeEventTypes.IsKnown(type)).ToFrozenSet();

    public static bool IsKnown(string type) => Server.Contains(type) || Client.Contains(type);

    public static bool IsServer(string type) => Server.Contains(type);

    public static bool IsClientOnly(string type) => Client.Contains(type);

    /// <summary>Whether only a Live session has events of this type.</summary>
    public static bool IsOwn(string type) => Own.Contains(type);
}
