namespace Voxbase.Cleaning;

/// <summary>
/// What a speaker takes back: "to Boston no wait to Denver". A cue says that something is wrong, and the words after it say from where on: the
/// reparandum begins where they begin again.
/// </summary>
internal static class Repairs
{
    private const int Reach = 14;

    /// <summary>Finds cues. Single words count only when the speaker talks to a machine; talking to people they mean what they say.</summary>
    public static void Find(TurnText turn, CleaningMode mode)
    {
        // No cue, and no pause that could be one.
        if ((turn.Roles & Roles.Cue) == 0 && turn.LiveCount == turn.Count)
            return;
        var live = turn.Live;
        for (var l = 1; l < live.Length - 1; l++)
        {
            if (turn[live[l]].Gone)
                continue;
            var compound = CueAt(turn, live, l, turn.Language.Cues);
            var length = compound;
            if (length == 0 && mode == CleaningMode.Assistant)
                length = CueAt(turn, live, l, turn.Language.SingleCues);
            var pause = 0;
            if (length == 0 && (pause = PauseBefore(live, l)) > 0 && IsQuestionRestart(turn, live, l))
            {
                // The pause itself was the cue: "What type er what are …".
                if (Take(turn, live, SentenceStart(turn, live, l), l, l))
                {
                    turn.Refresh();
                    live = turn.Live;
                    l = 0;
                }

                continue;
            }

            if (length == 0)
                continue;
            var repair = l + length;
            if (repair >= live.Length || EndsSentence(turn, live, repair))
                continue;
            if (compound == 0 ? !IsPlausible(turn, live, l, length) : !MeansIt(turn, live, l, repair))
                continue;
            var start = ReparandumStart(turn, live, l, repair);
            if (start < 0)
                continue;
            if (!Take(turn, live, start, l, repair))
                continue;
            turn.Refresh();
            live = turn.Live;
            // The repair may be repaired in turn.
            l = start;
        }
    }

    // Every token from the reparandum to before the repair; only reported when digits, a negation or a quotation would go with it.
    private static bool Take(TurnText turn, ReadOnlySpan<int> live, int start, int cue, int repair)
    {
        var confidence = Confidence.Medium;
        for (var l = start; l < cue; l++)
        {
            if (turn[live[l]].IsFixed)
                confidence = Confidence.Low;
        }

        return turn.Delete(live[start], live[repair - 1], CorrectionReasons.Repair, confidence);
    }

    private static int CueAt(TurnText turn, ReadOnlySpan<int> live, int l, Cues cues)
    {
        if ((turn[live[l]].Roles & Roles.Cue) == 0)
            return 0;
        foreach (var cue in cues.BeginningWith(turn.Lower(live[l])))
        {
            if (Phrases.Follows(turn, live, l, cue) && !turn[live[l]].StartsSentence)
                return cue.Length;
        }

        return 0;
    }

    private static int PauseBefore(ReadOnlySpan<int> live, int l) => live[l] - live[l - 1] - 1;

    // A sentence that began as a question and, after a pause, begins as one again.
    private static bool IsQuestionRestart(TurnText turn, ReadOnlySpan<int> live, int l)
    {
        if (turn.Language != Language.English || EndsSentence(turn, live, l) || l + 2 >= live.Length)
            return false;
        var start = SentenceStart(turn, live, l);
        return start < l && l - start <= 8 && turn[live[start]].Has(Words.Question) && Asks(turn, live, l);
    }

    // what are, how long did, in what year.
    private static bool Asks(TurnText turn, ReadOnlySpan<int> live, int l) =>
        turn[live[l]].Has(Words.Question) && turn.Lower(live[l]) is "what" or "who" or "how" or "when" or "where" or "why" or "which"
        || (turn[live[l]].Has(Words.Preposition) && l + 1 < live.Length && turn.Lower(live[l + 1]) is "what" or "which" or "whom");

    // "no longer", "no one", "no more", "sorry to", "sorry for", "wait for": the word is part of what is said.
    private static bool IsPlausible(TurnText turn, ReadOnlySpan<int> live, int l, int length)
    {
        if (length > 1)
            return true;
        var next = live[l + 1];
        if (turn.Lower(next) is "longer" or "one" or "more" or "matter" or "to" or "for" or "that" or "about" or "until" or "times" or "time" or "less" or "doubt" or "problem" or "way" or "idea" or "good")
            return (turn[next].Before & Gap.Comma) != 0;
        var before = live[l - 1];
        if (turn.Is(live[l], "no") && turn[before].Has(Words.Auxiliary) && turn.Lower(before) is "is" or "are" or "was" or "were" or "has" or "have" or "had")
            return (turn[live[l]].Before & Gap.Comma) != 0 || turn[next].Has(Words.Auxiliary | Words.Question);
        if (turn.Is(live[l], "rather") || turn.Is(live[l], "actually"))
            return turn[before].Has(Words.Question) || (turn[live[l]].Before & Gap.Comma) != 0 && turn[next].Has(Words.Determiner | Words.Preposition | Words.Question);
        if (turn.Is(live[l], "wait"))
            return !turn[before].Has(Words.Auxiliary | Words.Pronoun) && !turn.Is(before, "to") && !turn.Is(before, "please");
        return !turn.Is(before, "say") && !turn.Is(before, "says") && !turn.Is(before, "i'm") && !turn.Is(before, "am");
    }

    // Two words that take back may stand side by side and mean what they say: "or wait for me", "there is actually no way", "what I meant to say is".
    private static bool MeansIt(TurnText turn, ReadOnlySpan<int> live, int l, int repair)
    {
        if (turn.Language != Language.English)
            return true;
        var (before, first, last, next) = (live[l - 1], live[l], live[repair - 1], live[repair]);
        var paused = (turn[first].Before & (Gap.Comma | Gap.Dash | Gap.Ellipsis)) != 0;
        // "or wait for what" asks anew.
        var asks = Asks(turn, live, repair) || (repair + 1 < live.Length && turn[live[repair + 1]].Has(Words.Question));
        switch (turn.Lower(last))
        {
            case "wait" when turn.Lower(next) is "time" or "times" or "list" or "lists":
                return asks;
            case "wait" when turn.Is(first, "or") && turn.Lower(next) is "for" or "until" or "till" or "a" or "here" or "there" or "another" or "longer" or "and" or "or"
                or "outside" or "to" or "at":
                return asks;
            case "wait" when turn.Is(first, "no"):
                return paused || asks || !(turn[before].Has(Words.Auxiliary) || turn.Lower(before) is "with" or "there" or "little" or "and" or "or" or "but");
            case "on" when turn.Lower(next) is "to" or "for" or "a" or "until" or "till" or "and":
                return asks;
            // "or make that call"
            case "that" when turn.Lower(live[repair - 2]) is "make":
                return asks || turn[next].Capitalised || turn[next].Kind != TokenKind.Word || turn[next].Has(Words.Function | Words.Number);
            case "instead":
                return !turn.Is(next, "of");
            case "no" when turn.Lower(next) is "one" or "longer" or "more" or "matter" or "doubt" or "problem" or "problems" or "way" or "idea" or "such" or "need" or "reason":
                return false;
            case "no" when turn.Is(first, "actually"):
                return asks || (turn[next].Has(Words.Function) && !turn[before].Has(Words.Auxiliary));
            case "no" when turn.Is(first, "sorry"):
                return paused || !(turn.Lower(before) is "i'm" or "am" or "so" or "very" or "are" or "was" or "really" or "feel");
            case "ask" when turn.Is(first, "i"):
                return asks;
            case "say" when turn.Is(first, "i") && turn.Lower(live[l + 1]) is "meant":
                return asks || !(turn.Lower(before) is "what" or "all" or "that" or "thing" || turn.Lower(next) is "is" or "was" or "that" or "it" or "to" or "something" or "this");
            default:
                return true;
        }
    }

    private static int SentenceStart(TurnText turn, ReadOnlySpan<int> live, int l)
    {
        var start = l - 1;
        while (start > 0 && !EndsSentence(turn, live, start) && l - start < 40)
            start--;
        return start;
    }

    private static bool EndsSentence(TurnText turn, ReadOnlySpan<int> live, int l)
    {
        var from = l > 0 ? live[l - 1] + 1 : 0;
        for (var i = from; i <= live[l]; i++)
        {
            if ((turn[i].Before & Gap.End) != 0)
                return true;
        }

        return false;
    }

    // Where what is taken back begins; -1 when there is no telling.
    private static int ReparandumStart(TurnText turn, ReadOnlySpan<int> live, int cue, int repair)
    {
        var sentence = SentenceStart(turn, live, cue);
        var first = live[repair];
        var farthest = Math.Max(sentence, cue - Reach);

        // The word that the repair begins with, said again.
        for (var l = cue - 1; l >= farthest; l--)
        {
            if (turn.Same(live[l], first))
                return l;
        }

        // A question asked anew.
        if (turn.Language == Language.English && Asks(turn, live, repair) && (turn[live[sentence]].Has(Words.Question) || turn[live[sentence]].Has(Words.Auxiliary) || cue - sentence <= 3))
            return sentence;
        if (turn.Language == Language.English && turn[first].Has(Words.Auxiliary) && turn[live[sentence]].Has(Words.Question | Words.Auxiliary) && cue - sentence <= 3 && repair + 1 < live.Length && turn[live[repair + 1]].Has(Words.Pronoun | Words.Determiner))
            return sentence;

        // A word of the same kind.
        var kinds = turn[first].Is & (Words.Preposition | Words.Determiner);
        if (kinds != 0)
        {
            for (var l = cue - 1; l >= farthest; l--)
            {
                if ((turn[live[l]].Is & kinds) != 0)
                    return l;
            }
        }

        // A name for a name.
        if (turn[first].Capitalised && turn[live[cue - 1]].Capitalised)
        {
            var l = cue - 1;
            while (l - 1 > sentence && turn[live[l - 1]].Capitalised && !turn[live[l]].StartsSentence)
                l--;
            return l;
        }

        return cue - 1 >= sentence ? cue - 1 : -1;
    }
}
