namespace Voxbase.LiveKit;

/// <summary>LiveKit's MetricsRecordingHeader: which room and job an uploaded recording is of.</summary>
internal sealed record RecordingHeader(string? RoomId, string? RoomName, string? JobId, DateTimeOffset? StartedAt, long? DurationMs)
{
    /// <exception cref="VoxbaseException"><c>livekit_upload_invalid</c>.</exception>
    public static RecordingHeader Read(ReadOnlySpan<byte> bytes)
    {
        var header = new RecordingHeader(null, null, null, null, null);
        try
        {
            for (var field = new ProtoReader(bytes); field.Next();)
            {
                switch (field.Field)
                {
                    case 1:
                        header = header with { RoomId = Name(field.Text()) };
                        break;
                    case 3:
                        header = header with { DurationMs = field.Signed() is > 0 and var duration ? duration : null };
                        break;
                    case 4:
                        header = header with { StartedAt = Timestamp(field.Bytes()) };
                        break;
                    case 6:
                        header = header with { RoomName = Name(field.Text()) };
                        break;
                    case 8:
                        header = header with { JobId = Name(field.Text()) };
                        break;
                    default:
                        field.Skip();
                        break;
                }
            }
        }
        catch (FormatException e)
        {
            throw LiveKitErrors.UploadInvalid.With($"The header is not protobuf: {e.Message}", inner: e);
        }

        return header;

        static string? Name(string text) => text.Length is > 0 and <= LiveKitJson.MaxText ? text : null;
    }

    private static DateTimeOffset? Timestamp(ReadOnlySpan<byte> bytes)
    {
        var (seconds, nanoseconds) = (0L, 0L);
        for (var field = new ProtoReader(bytes); field.Next();)
        {
            if (field.Field == 1)
                seconds = field.Signed();
            else if (field.Field == 2)
                nanoseconds = field.Signed();
            else
                field.Skip();
        }

        return seconds is > 0 and < 253_402_300_800 ? DateTimeOffset.FromUnixTimeSeconds(seconds).AddTicks(Math.Clamp(nanoseconds, 0, 999_999_999) / 100) : null;
    }
}
