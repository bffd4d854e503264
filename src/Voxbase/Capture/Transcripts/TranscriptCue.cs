namespace Voxbase.Capture;

/// <summary>Something of a transcript that could not be taken as it is. The rest is unaffected.</summary>
/// <param name="Line">Where, from 1.</param>
/// <param name="Reason">What is wrong, in words that repeat nothing of the content.</param>
/// <param name="Skipped">True when it is left out; false when it is kept, changed as the reason says.</param>
public sealed record TranscriptFault(int Line, string Reason, bool Skipped);

/// <summary>One utterance as a file has it, before anything is believed: times may be negative or backwards, text may hold anything.</summary>
/// <param name="Line">Where it begins, from 1.</param>
/// <param name="StartMs">Milliseconds from the beginning.</param>
/// <param name="EndMs">The same of its end.</param>
/// <param name="Speaker">Who.</param>
/// <param name="Text">What.</param>
internal sealed record TranscriptCue(int Line, long? StartMs, long? EndMs, string? Speaker, string Text)
{
    /// <summary>What the file itself says the speaker is (<c>assistant</c>, <c>user</c>…).</summary>
    public string? Role { get; init; }

    /// <summary>BCP 47.</summary>
    public string? Language { get; init; }

    /// <summary>When it began, where the file has the time of day.</summary>
    public DateTimeOffset? At { get; init; }
}

/// <summary>What a reader finds: exactly one of the two.</summary>
internal readonly record struct TranscriptItem(TranscriptCue? Cue, TranscriptFault? Fault)
{
    public static TranscriptItem Of(TranscriptCue cue) => new(cue, null);

    public static TranscriptItem Skipped(int line, string reason) => new(null, new TranscriptFault(line, reason, true));

    public static TranscriptItem Changed(int line, string reason) => new(null, new TranscriptFault(line, reason, false));
}

/// <summary>
/// Makes items of lines, a line at a time: a pure state machine, one a format. It holds one cue at most, so its memory is bounded by
/// <see cref="TranscriptLimits"/>.
/// </summary>
internal abstract class TranscriptLineReader
{
    /// <summary>Takes the next line and adds what it completes.</summary>
    public abstract void Read(TranscriptLine line, List<TranscriptItem> items);

    /// <summary>Adds what the end completes.</summary>
    public abstract void End(List<TranscriptItem> items);
}

/// <summary>What bounds the memory of an import.</summary>
internal static class TranscriptLimits
{
    /// <summary>The longest text of one turn, in characters: a day of speech.</summary>
    public const int TextLength = 1 << 20;

    /// <summary>The longest line, in bytes; a longer one is reported and never held.</summary>
    public const int LineBytes = 4 << 20;

    /// <summary>The longest speaker's name; a longer one is cut.</summary>
    public const int SpeakerLength = 256;

    /// <summary>The most speakers that become participants.</summary>
    public const int Speakers = 1_000;

    /// <summary>How much of the beginning is looked at to tell the format.</summary>
    public const int SniffBytes = 64 << 10;

    /// <summary>Whether a conversation may have been then, and its turns be counted from there.</summary>
    public static bool IsPlausible(DateTimeOffset moment) => moment.Year is >= 1900 and < 9999;
}
