namespace Voxbase.Capture;

/// <summary>How a transcript is written down.</summary>
public enum TranscriptFormat
{
    /// <summary>WebVTT.</summary>
    Vtt,

    /// <summary>SubRip.</summary>
    Srt,

    /// <summary>Plain text, a turn beginning with <c>Speaker:</c>, a time, or both.</summary>
    Text,

    /// <summary>One JSON document: a list of segments, or an object that holds one.</summary>
    Json,

    /// <summary>A JSON object a line.</summary>
    Jsonl,
}
