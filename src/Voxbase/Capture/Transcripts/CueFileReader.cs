using System.Text;

namespace Voxbase.Capture;

/// <summary>
/// WebVTT and SRT: blocks between blank lines, each of an optional name, a line of times and lines of text. Lenient as players are: a
/// missing blank line, a missing header or a comma for a point costs nothing.
/// </summary>
internal sealed class CueFileReader(bool isVtt) : TranscriptLineReader
{
    private readonly StringBuilder text = new();
    private Place place = Place.Between;
    private bool begun;
    private int line;
    private long startMs;
    private long endMs;
    // Where the last line of the text begins: when a new cue follows without a blank line, it was that cue's number.
    private int lastLine;

    private enum Place { Between, Header, Comment, AfterName, Text, Skipping }

    public override void Read(TranscriptLine next, List<TranscriptItem> items)
    {
        if (!begun && !next.IsBlank)
        {
            begun = true;
            if (next.Text.TrimStart('\uFEFF').StartsWith("WEBVTT", StringComparison.Ordinal))
            {
                place = Place.Header;
                return;
            }
        }

        if (next.IsOverlong)
        {
            Skip(next.Number, "the line is too long", items);
            return;
        }

        if (next.IsBlank)
            EndBlock(items);
        else if (IsTiming(next.Text))
            Begin(next, items);
        else
            Continue(next, items);
    }

    public override void End(List<TranscriptItem> items) => EndBlock(items);

    // Within a text only what begins like times: "a --> b" may be said.
    private bool IsTiming(string next) =>
        next.Contains("-->", StringComparison.Ordinal)
        && (place is Place.Between or Place.AfterName || next.AsSpan().TrimStart()[0] is (>= '0' and <= '9') or '-');

    private void Begin(TranscriptLine next, List<TranscriptItem> items)
    {
        if (place == Place.Text)
        {
            if (lastLine > 0 && text.ToString(lastLine, text.Length - lastLine).Trim() is { Length: > 0 } name && name.All(char.IsAsciiDigit))
                text.Length = lastLine;
            Emit(items);
        }

        text.Clear();
        (line, lastLine, place) = (next.Number, 0, Place.Text);
        if (!Timestamps.TryReadRange(next.Text, out startMs, out endMs))
            Skip(next.Number, "the times of a cue cannot be read", items);
    }

    private void Continue(TranscriptLine next, List<TranscriptItem> items)
    {
        switch (place)
        {
            case Place.Between when isVtt && IsComment(next.Text):
                place = Place.Comment;
                break;
            case Place.Between:
                (line, place) = (next.Number, Place.AfterName);
                break;
            case Place.AfterName:
                Skip(line, "a cue has no times", items);
                break;
            case Place.Text when text.Length + next.Text.Length > TranscriptLimits.TextLength:
                Skip(line, "the text of a cue is too long", items);
                break;
            case Place.Text:
                lastLine = text.Length;
                text.Append(text.Length == 0 ? "" : "\n").Append(next.Text);
                break;
        }
    }

    private void EndBlock(List<TranscriptItem> items)
    {
        if (place == Place.Text)
            Emit(items);
        else if (place == Place.AfterName)
            items.Add(TranscriptItem.Skipped(line, "a cue has no times"));
        place = Place.Between;
    }

    private void Emit(List<TranscriptItem> items)
    {
        foreach (var (speaker, said) in CueText.Parts(text.ToString(), isVtt))
            items.Add(TranscriptItem.Of(new TranscriptCue(line, startMs, endMs, speaker, said)));
        text.Clear();
    }

    private void Skip(int at, string reason, List<TranscriptItem> items)
    {
        items.Add(TranscriptItem.Skipped(at, reason));
        text.Clear();
        place = Place.Skipping;
    }

    private static bool IsComment(string next)
    {
        foreach (var word in (ReadOnlySpan<string>)["NOTE", "STYLE", "REGION"])
        {
            if (next.StartsWith(word, StringComparison.Ordinal) && (next.Length == word.Length || char.IsWhiteSpace(next[word.Length])))
                return true;
        }

        return false;
    }
}
