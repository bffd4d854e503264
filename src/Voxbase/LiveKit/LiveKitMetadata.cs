using System.Text.Json;

namespace Voxbase.LiveKit;

/// <summary>What a conversation's metadata holds of LiveKit: its room, and whether the room's end ended it.</summary>
internal static class LiveKitMetadata
{
    public static JsonElement Empty { get; } = JsonElement.Parse("""{"livekit":{}}""");
}
