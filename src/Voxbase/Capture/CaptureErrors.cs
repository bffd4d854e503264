namespace Voxbase.Capture;

/// <summary>Errors about capturing a provider's traffic.</summary>
public static class CaptureErrors
{
    /// <summary>Nothing in the log could be read.</summary>
    public static ErrorCode LogEmpty { get; } = new(
        "log_empty", ErrorKind.Invalid,
        "A log holds no event: it is empty, or none of its lines is a JSON event.",
        "A log is JSON lines: {\"dir\":\"server\",\"event\":{\"type\":…}} or the bare event, one a line.");

    /// <summary>Capture needs an owner.</summary>
    public static ErrorCode CallerRefused { get; } = new(
        "capture_refused", ErrorKind.Forbidden,
        "The caller may not capture, or not for that user.",
        "Capture as a signed-in user for oneself, or as the service for anyone.");

    /// <summary>What is said could not be kept.</summary>
    public static ErrorCode RecordingUnavailable { get; } = new(
        "recording_unavailable", ErrorKind.Unavailable,
        "A call cannot be recorded, because the folder of the spool cannot be written to.",
        "Check Recording.SpoolFolder: the server must own it, and its disk must have room.");
}
