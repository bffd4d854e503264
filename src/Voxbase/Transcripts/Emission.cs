using System.Buffers;
using System.Text;

namespace Voxbase.Cleaning;

/// <summary>A change of a text by position, before it is told as a <see cref="Correction"/>.</summary>
internal readonly record struct TextEdit(int Start, int End, string Text, string Reason, Confidence Confidence, double Relevance);

/// <summary>
/// The arbiter and what follows from its decisions: which proposals apply, what becomes of the commas and capitals around what is taken out, and
/// the edits that make it so.
/// </summary>
internal static class Emission
{
    /// <summary>The edits of the proposals that a level applies, in order; what it does not apply goes to <paramref name="reported"/>.</summary>
    public static void Write(TurnText turn, CleaningLevel level, List<TextEdit> edits, List<TextEdit> reported)
    {
        var proposals = turn.Proposals;
        if (proposals.Count == 0)
            return;
        Span<short> by = turn.Count <= 512 ? stackalloc short[turn.Count] : new short[turn.Count];
        by.Fill(-1);

        // Deletions first, the surer and longer before the others: what is gone needs no other word.
        for (var confidence = Confidence.High; confidence >= Confidence.Low; confidence--)
        {
            for (var p = 0; p < Math.Min(proposals.Count, short.MaxValue); p++)
            {
                if (proposals[p] is { Text: null } proposal && proposal.Confidence == confidence)
                    Decide(turn, level, by, p, reported);
            }
        }

        for (var confidence = Confidence.High; confidence >= Confidence.Low; confidence--)
        {
            for (var p = 0; p < Math.Min(proposals.Count, short.MaxValue); p++)
            {
                if (proposals[p] is { Text: not null } proposal && proposal.Confidence == confidence)
                    Decide(turn, level, by, p, reported);
            }
        }

        Spell(turn, by, edits);
    }

    private static void Decide(TurnText turn, CleaningLevel level, Span<short> by, int p, List<TextEdit> reported)
    {
        var proposal = turn.Proposals[p];
        var free = true;
        for (var i = proposal.First; i <= proposal.Last; i++)
            free &= by[i] < 0 || (proposal.Text is null && turn.Proposals[by[i]].Text is null);
        if (!free)
            return;
        if (!Applies(proposal, level))
        {
            reported.Add(new TextEdit(
                turn[proposal.First].Start, turn[proposal.Last].End, proposal.Text ?? "", proposal.Reason, proposal.Confidence, proposal.Relevance));
            return;
        }

        for (var i = proposal.First; i <= proposal.Last; i++)
        {
            if (by[i] < 0)
                by[i] = (short)p;
        }
    }

    private static bool Applies(in Proposal proposal, CleaningLevel level) => level switch
    {
        CleaningLevel.None => false,
        CleaningLevel.Light => proposal.Confidence == Confidence.High && proposal.Reason is not (CorrectionReasons.EditPhrase
            or CorrectionReasons.Repair or CorrectionReasons.FalseStart or CorrectionReasons.Number),
        _ => proposal.Confidence >= Confidence.Medium,
    };

    private static void Spell(TurnText turn, Span<short> by, List<TextEdit> edits)
    {
        var i = 0;
        while (i < turn.Count)
        {
            if (by[i] < 0)
            {
                i++;
                continue;
            }

            var proposal = turn.Proposals[by[i]];
            if (proposal.Text is not null)
            {
                Add(turn, edits, turn[i].Start, turn[proposal.Last].End, proposal.Text, proposal.Reason, proposal.Confidence, proposal.Relevance);
                i = proposal.Last + 1;
                continue;
            }

            var first = i;
            var (reason, confidence) = (proposal.Reason, proposal.Confidence);
            while (i < turn.Count && by[i] >= 0 && turn.Proposals[by[i]].Text is null)
            {
                var next = turn.Proposals[by[i]];
                // The weightiest reason names a run of several: a pause inside a repair is part of it.
                if (next.Reason != reason && reason == CorrectionReasons.Filler)
                    reason = next.Reason;
                confidence = next.Confidence < confidence ? next.Confidence : confidence;
                i++;
            }

            Remove(turn, by, first, i - 1, reason, confidence, edits);
        }
    }

    // The run first..last goes, with the punctuation that belonged to it.
    private static void Remove(TurnText turn, Span<short> by, int first, int last, string reason, Confidence confidence, List<TextEdit> edits)
    {
        var raw = turn.Raw;
        var before = first == 0 ? 0 : turn[first - 1].End;
        var after = last + 1 < turn.Count ? turn[last + 1].Start : raw.Length;
        var left = raw.AsSpan(before, turn[first].Start - before);
        var right = raw.AsSpan(turn[last].End, after - turn[last].End);
        var atEnd = last + 1 >= turn.Count;
        var (leftGap, rightGap) = (turn[first].Before, turn[last + 1].Before & ~Gap.Broken);
        if (!left.IsEmpty && !right.IsEmpty && (left[^1], right[0]) is ('(', ')') or ('[', ']'))
        {
            RemoveBrackets(turn, first, last, reason, confidence, edits);
            return;
        }

        // What opens the words that follow is theirs: a question mark upside down, a quotation mark, a bracket.
        ReadOnlySpan<char> opening = [];
        if (!atEnd && (leftGap & Gap.Other) == 0 && right.IndexOfAny(Opening) is >= 0 and var open)
        {
            opening = right[open..];
            right = right[..open];
            rightGap = GapOf(right, opening);
        }

        if ((leftGap & Gap.Other) != 0 || (rightGap & Gap.Other) != 0)
        {
            // Brackets and signs stay where they are: only the words and the spaces between them go.
            var end = turn[last].End;
            if ((rightGap & Gap.Other) == 0)
                end = atEnd ? end : after;
            else if (left.Length > 0 && char.IsWhiteSpace(left[^1]) || first == 0)
                end = SkipSpaces(raw, end);
            Add(turn, edits, turn[first].Start, end, "", reason, confidence, 0);
            return;
        }

        string gap;
        if (first == 0)
            gap = Written(left);
        else if (atEnd)
            gap = Written(HasEnd(right) ? WithoutComma(turn.Language, right) : HasEnd(left) ? left.TrimEnd() : TrimCommas(right));
        else if ((leftGap & Gap.End) != 0)
            gap = Written(left);
        else if ((rightGap & Gap.End) != 0)
            gap = Written(right);
        else if (reason is CorrectionReasons.Filler or CorrectionReasons.EditPhrase && (leftGap & Gap.Comma) != 0 && (rightGap & (Gap.Comma | Gap.Dash | Gap.Ellipsis)) != 0)
            gap = KeepsComma(turn, last + 1, opening) ? ", " : " ";
        else if (reason == CorrectionReasons.Filler && left.IsEmpty)
            gap = Written(right);
        else
            gap = Written((leftGap & (Gap.Space | Gap.Dash)) == 0 ? right : left);

        // The next word takes over the capital of a beginning of a sentence.
        var capital = !atEnd && turn[first].Capitalised && (first == 0 || turn[first].StartsSentence)
            && (by[last + 1] < 0 || turn.Proposals[by[last + 1]].Text is not null) && !turn[last + 1].Capitalised
            && turn[last + 1].Kind == TokenKind.Word && by[last + 1] < 0;
        if (!opening.IsEmpty)
            gap = string.Concat(gap, opening);
        if (capital)
            Add(turn, edits, before, after + 1, gap + char.ToUpperInvariant(raw[after]), reason, confidence, 0);
        else
            Add(turn, edits, before, after, gap, reason, confidence, 0);
    }

    // Nothing is left in them: "We left (uh)."
    private static void RemoveBrackets(TurnText turn, int first, int last, string reason, Confidence confidence, List<TextEdit> edits)
    {
        var (start, end) = (turn[first].Start - 1, turn[last].End + 1);
        if (start == 0)
            end = SkipSpaces(turn.Raw, end);
        else if (char.IsWhiteSpace(turn.Raw[start - 1]))
            start--;
        Add(turn, edits, start, end, "", reason, confidence, 0);
    }

    private static readonly SearchValues<char> Opening = SearchValues.Create("¿¡\"“„«([");

    // What stands before an opening mark; Other when the mark closes what came before, or opens nothing.
    private static Gap GapOf(ReadOnlySpan<char> right, ReadOnlySpan<char> opening)
    {
        if (opening.ContainsAny(")]»”"))
            return Gap.Other;
        var gap = Gap.None;
        foreach (var c in right)
        {
            gap |= c switch
            {
                ',' => Gap.Comma,
                '.' or '!' or '?' or '\n' => Gap.End,
                '…' => Gap.Ellipsis,
                '-' or '–' or '—' => Gap.Dash,
                ';' or ':' => Gap.Pause,
                _ => char.IsWhiteSpace(c) ? Gap.Space : Gap.Other,
            };
        }

        return gap;
    }

    // The comma before a pause is not always the pause's: German has one before a clause, and quoted words and questions inside a sentence have one before them.
    private static bool KeepsComma(TurnText turn, int next, ReadOnlySpan<char> opening) =>
        (opening is ['"' or '“' or '„' or '¿' or '¡', ..])
        || (turn.Language == Language.German && turn.Lower(next) is "dass" or "weil" or "ob" or "wenn" or "obwohl" or "damit" or "sondern" or "aber" or "denn"
            or "falls" or "bevor" or "nachdem" or "sobald" or "solange" or "indem" or "sodass" or "was" or "wer" or "wie" or "wo" or "warum" or "wann" or "wohin"
            or "woher" or "weshalb" or "wieso" or "welche" or "welcher" or "welches");

    // ", ." is what is left of a pause between a comma and the end; French keeps the space before its marks.
    private static ReadOnlySpan<char> WithoutComma(Language language, ReadOnlySpan<char> right)
    {
        if (right[0] != ',')
            return right;
        var rest = right.TrimStart(", ");
        return language == Language.French && rest.Length > 0 && rest[0] is '?' or '!' && right.Length > rest.Length + 1 ? right[(right.Length - rest.Length - 1)..] : rest;
    }

    private static string Written(ReadOnlySpan<char> gap) => gap switch { "" => "", " " => " ", ", " => ", ", ". " => ". ", "." => ".", _ => gap.ToString() };

    private static bool HasEnd(ReadOnlySpan<char> gap) => gap.IndexOfAny('.', '!', '?') >= 0 || gap.Contains('…') || gap.Contains('\n');

    private static ReadOnlySpan<char> TrimCommas(ReadOnlySpan<char> gap) => gap.TrimStart(", -–—;:");

    private static int SkipSpaces(string raw, int at)
    {
        while (at < raw.Length && char.IsWhiteSpace(raw[at]))
            at++;
        return at;
    }

    private static void Add(
        TurnText turn, List<TextEdit> edits, int start, int end, string text, string reason, Confidence confidence, double relevance) =>
        Add(turn.Raw, start, end, text, reason, confidence, relevance, edits);

    // As short as it can be: what both texts begin and end with is no part of the edit. Names and numbers stay whole words, for people to read.
    private static void Add(
        string raw, int start, int end, string text, string reason, Confidence confidence, double relevance, List<TextEdit> edits)
    {
        var original = raw.AsSpan(start, end - start);
        if (original.SequenceEqual(text))
            return;
        var (head, tail) = (0, 0);
        if (reason is not (CorrectionReasons.Lexicon or CorrectionReasons.Phrase or CorrectionReasons.Number))
        {
            head = original.CommonPrefixLength(text);
            while (tail < Math.Min(original.Length, text.Length) - head && original[^(tail + 1)] == text[text.Length - 1 - tail])
                tail++;
        }

        edits.Add(new TextEdit(start + head, end - tail, text[head..(text.Length - tail)], reason, confidence, relevance));
    }

    /// <summary>A text with edits applied.</summary>
    public static string Apply(string raw, List<TextEdit> edits)
    {
        var length = raw.Length;
        foreach (var edit in edits)
            length += edit.Text.Length - (edit.End - edit.Start);
        return string.Create(length, (raw, edits), static (text, of) =>
        {
            var at = 0;
            foreach (var edit in of.edits)
            {
                of.raw.AsSpan(at, edit.Start - at).CopyTo(text);
                text = text[(edit.Start - at)..];
                edit.Text.CopyTo(text);
                text = text[edit.Text.Length..];
                at = edit.End;
            }

            of.raw.AsSpan(at).CopyTo(text);
        });
    }

    /// <summary>Whether one of the edits begins where another ends: to a reader they are one.</summary>
    public static bool Touch(List<TextEdit> edits)
    {
        for (var e = 1; e < edits.Count; e++)
        {
            if (edits[e].Start <= edits[e - 1].End)
                return true;
        }

        return false;
    }

    /// <summary>
    /// The edits that take the raw text to what a second pass made of the first one's result: <paramref name="second"/> is in positions of the text
    /// that <paramref name="first"/> made of <paramref name="raw"/>. Those that touch become one.
    /// </summary>
    public static void Compose(string raw, string middle, List<TextEdit> first, List<TextEdit> second, List<TextEdit> result)
    {
        // Both lists cut the middle text into pieces; a piece that any edit touches is part of a joint edit.
        result.Clear();
        var (f, s, shift) = (0, 0, 0);
        while (f < first.Count || s < second.Count)
        {
            // shift: raw position = middle position - shift, before the next first edit.
            var firstStart = f < first.Count ? first[f].Start + shift : int.MaxValue;
            var secondStart = s < second.Count ? second[s].Start : int.MaxValue;
            var start = Math.Min(firstStart, secondStart);
            var end = start;
            var rawStart = start - shift;
            var rawShift = shift;
            var joined = new StringBuilder();
            var at = start;
            var reason = "";
            var confidence = Confidence.High;
            var relevance = 0.0;
            while (true)
            {
                if (f < first.Count && first[f].Start + rawShift <= end && first[f].Start + rawShift >= start)
                {
                    var edit = first[f++];
                    end = Math.Max(end, edit.Start + rawShift + edit.Text.Length);
                    rawShift += edit.Text.Length - (edit.End - edit.Start);
                    Note(edit, ref reason, ref confidence, ref relevance);
                }
                else if (s < second.Count && second[s].Start <= end)
                {
                    var edit = second[s++];
                    joined.Append(middle, at, edit.Start - at).Append(edit.Text);
                    at = edit.End;
                    end = Math.Max(end, edit.End);
                    Note(edit, ref reason, ref confidence, ref relevance);
                }
                else
                {
                    break;
                }
            }

            joined.Append(middle, at, end - at);
            shift = rawShift;
            var rawEnd = end - shift;
            Add(raw, rawStart, rawEnd, joined.ToString(), reason, confidence, relevance, result);
        }
    }

    private static void Note(in TextEdit edit, ref string reason, ref Confidence confidence, ref double relevance)
    {
        reason = reason is "" or CorrectionReasons.Filler or CorrectionReasons.Casing ? edit.Reason : reason;
        confidence = edit.Confidence < confidence ? edit.Confidence : confidence;
        relevance = Math.Max(relevance, edit.Relevance);
    }
}
