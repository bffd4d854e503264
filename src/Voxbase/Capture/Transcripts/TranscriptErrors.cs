namespace Voxbase.Capture;

/// <summary>Errors about importing transcripts.</summary>
public static class TranscriptErrors
{
    /// <summary>Nothing there.</summary>
    public static ErrorCode Empty { get; } = new(
        "transcript_empty", ErrorKind.Invalid,
        "A transcript to import is empty, or nothing but white space.",
        "Check the file; over HTTP the body is the file itself, not a form.");

    /// <summary>Not a transcript, as far as its beginning tells.</summary>
    public static ErrorCode FormatUnknown { get; } = new(
        "transcript_format_unknown", ErrorKind.Invalid,
        "The beginning of a file looks like none of WebVTT, SRT, `Speaker: text`, JSON and JSON lines.",
        "Name the format (--format, or format= in the query) if it is one of them; the encoding must be UTF-8, or UTF-16 with a byte order mark.");

    /// <summary>No cue of it could be read.</summary>
    public static ErrorCode Unusable { get; } = new(
        "transcript_unusable", ErrorKind.Invalid,
        "A transcript holds not one turn that could be read.",
        "The details name the first line that could not be read; docs/guides/import.md shows what each format may look like.");

    /// <summary>Longer than any transcript.</summary>
    public static ErrorCode TooLarge { get; } = new(
        "transcript_too_large", ErrorKind.TooLarge,
        "A transcript is longer than 256 MiB.",
        "Split it: each file becomes a conversation of its own.");
}
