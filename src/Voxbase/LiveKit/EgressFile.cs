using System.Text.Json;

namespace Voxbase.LiveKit;

/// <summary>The file that an egress wrote. LiveKit names it in <c>fileResults</c>, in the deprecated <c>file</c>, in both, or not at all.</summary>
internal sealed record EgressFile(string? Location, long? SizeBytes, long? DurationMs)
{
    public static EgressFile? Of(JsonElement egress)
    {
        var file = LiveKitJson.Items(egress, "fileResults").FirstOrDefault(result => result.ValueKind == JsonValueKind.Object);
        if (file.ValueKind != JsonValueKind.Object)
            file = LiveKitJson.Object(egress, "file");
        if (file.ValueKind != JsonValueKind.Object)
            return null;
        // A location is a URL; where the egress wrote to its own disk there is a file name only.
        var location = LiveKitJson.LongText(file, "location") is { Length: > 0 } url ? url : LiveKitJson.LongText(file, "filename");
        return new EgressFile(
            location is { Length: > 0 } ? location : null,
            LiveKitJson.Integer(file, "size") is >= 0 and var size ? size : null,
            LiveKitJson.Integer(file, "duration") is >= 0 and var nanoseconds ? nanoseconds / 1_000_000 : null);
    }
}
