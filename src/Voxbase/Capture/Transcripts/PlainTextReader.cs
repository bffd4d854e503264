using System.Text;

namespace Voxbase.Capture;

/// <summary>
/// Plain text. A turn begins with <c>Speaker: text</c>, with a time (<c>[00:01:02]</c>, <c>(00:12)</c>, <c>00:01:02</c>) before or
/// after the speaker, or with a time alone; every other line goes on with it.
/// </summary>
internal sealed class PlainTextReader : TranscriptLineReader
{
    private const int HeadLength = 96;

    private readonly StringBuilder text = new();
    private bool inTurn;
    private int line;
    private long? startMs;
    private long? endMs;
    private string? speaker;

    public override void Read(TranscriptLine next, List<TranscriptItem> items)
    {
        if (next.IsBlank)
            return;
        if (next.IsOverlong)
        {
            items.Add(TranscriptItem.Skipped(next.Number, "the line is too long"));
        }
        else if (TryHead(next.Text, out var head))
        {
            Emit(items);
            (inTurn, line, startMs, endMs, speaker) = (true, next.Number, head.StartMs, head.EndMs, head.Speaker);
            text.Append(head.Text);
        }
        else if (inTurn)
        {
            // Nobody's turn is that long; but nothing that was said is to be lost for it.
            if (text.Length + next.Text.Length > TranscriptLimits.TextLength)
            {
                Emit(items);
                items.Add(TranscriptItem.Changed(next.Number, "a turn is too long and goes on as another"));
                (inTurn, line, startMs, endMs) = (true, next.Number, null, null);
            }

            text.Append(text.Length == 0 ? "" : "\n").Append(next.Text.AsSpan().Trim());
        }
        else
        {
            items.Add(TranscriptItem.Skipped(next.Number, "the line comes before the first speaker or time"));
        }
    }

    public override void End(List<TranscriptItem> items) => Emit(items);

    /// <summary>Whether a line begins a turn.</summary>
    public static bool IsHead(string line) => TryHead(line, out _);

    private void Emit(List<TranscriptItem> items)
    {
        if (inTurn && text.Length > 0)
            items.Add(TranscriptItem.Of(new TranscriptCue(line, startMs, endMs, speaker, text.ToString())));
        text.Clear();
        inTurn = false;
    }

    private static bool TryHead(string line, out Head head)
    {
        var rest = SpeakerNames.WithoutMarkers(line);
        if (TryTime(ref rest, out var time))
        {
            var after = rest.TrimStart(" \t-–|:");
            if (SpeakerNames.TrySplit(after, out var name, out var said))
                head = new Head(time.StartMs, time.EndMs, name, said.ToString());
            else
                head = new Head(time.StartMs, time.EndMs, null, after.Trim().ToString());
            // A sentence may begin with the time of day.
            return head.Speaker is not null || time.IsMarked;
        }

        rest = SpeakerNames.WithoutMarkers(line);
        if (SpeakerNames.TrySplit(rest, out var speaker, out var text))
        {
            var within = text;
            var timed = TryTime(ref within, out time) && time.IsBracketed;
            head = new Head(timed ? time.StartMs : null, timed ? time.EndMs : null, speaker, (timed ? within : text).Trim().ToString());
            return true;
        }

        return TryTimeAfterName(rest, out head);
    }

    // Ada Lovelace (00:12): text, Ada Lovelace [00:01:02] text, and Ada Lovelace  0:03 alone on its line.
    private static bool TryTimeAfterName(ReadOnlySpan<char> rest, out Head head)
    {
        head = default;
        for (var i = 1; i < Math.Min(rest.Length, HeadLength); i++)
        {
            if (rest[i] is not ('[' or '(') && !(char.IsAsciiDigit(rest[i]) && char.IsWhiteSpace(rest[i - 1])))
                continue;
            var after = rest[i..];
            if (!TryTime(ref after, out var time))
                continue;
            var name = rest[..i].TrimEnd(" \t-–|,");
            after = after.TrimStart();
            if (!SpeakerNames.IsName(name) || !(time.IsBracketed || after.IsEmpty || after[0] == ':'))
                return false;
            head = new Head(time.StartMs, time.EndMs, name.ToString(), after.TrimStart(':').Trim().ToString());
            return true;
        }

        return false;
    }

    // A time or a range of two, in brackets or not, at the beginning.
    private static bool TryTime(ref ReadOnlySpan<char> text, out Time time)
    {
        time = default;
        var rest = text;
        var closing = rest.IsEmpty ? '\0' : rest[0] == '[' ? ']' : rest[0] == '(' ? ')' : '\0';
        if (closing != '\0')
            rest = rest[1..].TrimStart();
        if (!Timestamps.TryRead(rest, out var start, out var length, out var hasHours))
            return false;
        rest = rest[length..];
        long? end = null;
        var second = rest.TrimStart();
        second = second.StartsWith("-->", StringComparison.Ordinal) ? second[3..] : second is ['-' or '–', ..] ? second[1..] : default;
        if (Timestamps.TryRead(second.TrimStart(), out var until, out length, out _))
        {
            end = until;
            rest = second.TrimStart()[length..];
        }

        if (closing != '\0')
        {
            rest = rest.TrimStart();
            if (rest.IsEmpty || rest[0] != closing)
                return false;
            rest = rest[1..];
        }
        else if (!rest.IsEmpty && !char.IsWhiteSpace(rest[0]) && rest[0] is not (':' or '-' or '–' or '|'))
        {
            return false;
        }

        time = new Time(start, end, closing != '\0', closing != '\0' || hasHours || end is not null);
        text = rest;
        return true;
    }

    private readonly record struct Head(long? StartMs, long? EndMs, string? Speaker, string Text);

    /// <param name="StartMs">Milliseconds.</param>
    /// <param name="EndMs">Milliseconds, of a range.</param>
    /// <param name="IsBracketed">Whether brackets say that it is no part of the text.</param>
    /// <param name="IsMarked">Whether anything does.</param>
    private readonly record struct Time(long StartMs, long? EndMs, bool IsBracketed, bool IsMarked);
}
