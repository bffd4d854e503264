using System.Runtime.CompilerServices;
using System.Text;

namespace Voxbase.Capture;

/// <summary>The stages from bytes to cues that may be kept: decode, tell the format, read, make sound. Memory does not follow the size.</summary>
internal static class TranscriptReader
{
    /// <summary>
    /// The transcript as UTF-8 without its byte order mark. UTF-16 is known by its mark alone. The stream must seek, and stays open.
    /// </summary>
    public static async Task<Stream> Utf8Async(Stream transcript, CancellationToken cancellationToken)
    {
        transcript.Position = 0;
        var mark = new byte[3];
        var length = await transcript.ReadAtLeastAsync(mark, mark.Length, throwOnEndOfStream: false, cancellationToken);
        var (skipped, utf16) = mark.AsSpan(0, length) switch
        {
            [0xEF, 0xBB, 0xBF] => (3, (string?)null),
            [0xFF, 0xFE, ..] => (2, "utf-16"),
            [0xFE, 0xFF, ..] => (2, "utf-16BE"),
            _ => (0, null),
        };
        transcript.Position = skipped;
        return utf16 is null
            ? transcript
            : Encoding.CreateTranscodingStream(
                transcript,
                // As in TranscriptLines: what is no text becomes U+FFFF, and is reported where it matters.
                Encoding.GetEncoding(utf16, EncoderFallback.ReplacementFallback, new DecoderReplacementFallback("\uFFFF")),
                new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
                leaveOpen: true);
    }

    /// <summary>The format of a transcript.</summary>
    /// <exception cref="VoxbaseException"><c>transcript_empty</c>, <c>transcript_format_unknown</c>.</exception>
    public static async Task<TranscriptFormat> DetectAsync(Stream transcript, CancellationToken cancellationToken)
    {
        var head = new byte[TranscriptLimits.SniffBytes];
        var utf8 = await Utf8Async(transcript, cancellationToken);
        var length = await utf8.ReadAtLeastAsync(head, head.Length, throwOnEndOfStream: false, cancellationToken);
        if (length == 0 || (length < head.Length && head.AsSpan(0, length).IndexOfAnyExcept(" \t\r\n"u8) < 0))
            throw TranscriptErrors.Empty.With("The transcript is empty.");
        return TranscriptFormats.Detect(head.AsSpan(0, length), length < head.Length)
            ?? throw TranscriptErrors.FormatUnknown.With("The format of the transcript cannot be told from its beginning.");
    }

    /// <summary>The cues that may be kept, in the order of the file, and what could not be taken as it is.</summary>
    public static async IAsyncEnumerable<TranscriptItem> ReadAsync(
        Stream transcript, TranscriptFormat format, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var utf8 = await Utf8Async(transcript, cancellationToken);
        var found = format == TranscriptFormat.Json
            ? JsonTranscripts.ReadAsync(utf8, cancellationToken)
            : LinesAsync(utf8, ReaderOf(format), cancellationToken);
        var sound = new List<TranscriptItem>();
        await foreach (var item in found)
        {
            if (item.Cue is not { } cue)
            {
                yield return item;
                continue;
            }

            MakeSound(cue, sound);
            foreach (var each in sound)
                yield return each;
            sound.Clear();
        }
    }

    private static TranscriptLineReader ReaderOf(TranscriptFormat format) => format switch
    {
        TranscriptFormat.Vtt => new CueFileReader(isVtt: true),
        TranscriptFormat.Srt => new CueFileReader(isVtt: false),
        TranscriptFormat.Text => new PlainTextReader(),
        _ => new JsonLinesReader(),
    };

    private static async IAsyncEnumerable<TranscriptItem> LinesAsync(
        Stream utf8, TranscriptLineReader reader, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var items = new List<TranscriptItem>();
        await foreach (var line in TranscriptLines.ReadAsync(utf8, cancellationToken))
        {
            reader.Read(line, items);
            foreach (var item in items)
                yield return item;
            items.Clear();
        }

        reader.End(items);
        foreach (var item in items)
            yield return item;
    }

    // What a turn may hold: times that are times, text that PostgreSQL takes.
    private static void MakeSound(TranscriptCue cue, List<TranscriptItem> items)
    {
        if (cue.Text.Length > TranscriptLimits.TextLength)
        {
            items.Add(TranscriptItem.Skipped(cue.Line, "the text of a turn is too long"));
            return;
        }

        var (start, end) = (cue.StartMs, cue.EndMs);
        if (IsOutOfRange(start) || IsOutOfRange(end))
        {
            items.Add(TranscriptItem.Changed(cue.Line, "a time is negative or beyond 24 days and is left out"));
            start = IsOutOfRange(start) ? null : start;
            end = IsOutOfRange(end) ? null : end;
        }

        if (end < start)
        {
            items.Add(TranscriptItem.Changed(cue.Line, "the end is before the start and is left out"));
            end = null;
        }

        var speaker = cue.Speaker;
        if (speaker?.Length > TranscriptLimits.SpeakerLength)
        {
            items.Add(TranscriptItem.Changed(cue.Line, "the speaker's name is too long and is cut"));
            var length = TranscriptLimits.SpeakerLength;
            speaker = speaker[..(char.IsHighSurrogate(speaker[length - 1]) ? length - 1 : length)];
        }

        var text = Sound(cue.Text);
        var name = speaker is null ? null : Sound(speaker);
        if (!ReferenceEquals(text, cue.Text) || !ReferenceEquals(name, speaker))
            items.Add(TranscriptItem.Changed(cue.Line, "characters that are no text are replaced by U+FFFD"));
        items.Add(TranscriptItem.Of(cue with { StartMs = start, EndMs = end, Speaker = name, Text = text }));
    }

    private static bool IsOutOfRange(long? milliseconds) => milliseconds is < 0 or > int.MaxValue;

    // The same string when there is nothing to replace, which is nearly always.
    private static string Sound(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') && !text.AsSpan().ContainsAny('\0', '\uFFFF'))
            return text;
        var clean = new StringBuilder(text.Length);
        // A half of a surrogate pair is given out as U+FFFD already.
        foreach (var rune in text.EnumerateRunes())
            clean.Append(rune.Value is 0 or 0xFFFF ? "\uFFFD" : rune.ToString());
        var result = clean.ToString();
        return string.Equals(result, text, StringComparison.Ordinal) ? text : result;
    }
}
