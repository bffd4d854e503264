namespace Voxbase.Cleaning;

/// <summary>
/// The stages that take out what was said and not meant: filled pauses, words broken off, words said twice, beginnings given up, phrases that
/// carry nothing, and what a correction takes back. Each walks the turn once and looks a bounded distance ahead.
/// </summary>
internal static class Disfluencies
{
    private const int LongestRepeat = 6;

    /// <summary>Filled pauses. A turn that is nothing else is an answer, and stays.</summary>
    public static void Fillers(TurnText turn)
    {
        if ((turn.Roles & Roles.Pause) == 0)
            return;
        var words = 0;
        for (var i = 0; i < turn.Count; i++)
        {
            if (!IsFiller(turn, i))
                words++;
        }

        if (words == 0)
            return;
        for (var i = 0; i < turn.Count; i++)
        {
            if (IsFiller(turn, i))
                turn.Delete(i, i, CorrectionReasons.Filler, Confidence.High);
        }

        turn.Refresh();
    }

    private static bool IsFiller(TurnText turn, int i)
    {
        ref var token = ref turn[i];
        if (token.Kind != TokenKind.Word || (token.Roles & Roles.Pause) == 0)
            return false;
        // ER, UM and AH in capitals are names of their own; um-hum, uh-huh and AH-64 are one word.
        if (token.Capitalised && token.End - token.Start > 1 && char.IsUpper(turn.Raw[token.Start + 1]))
            return false;
        if (IsHyphenated(turn, i))
            return false;
        if (turn.Language == Language.Spanish && turn.Is(i, "eh"))
            return i > 0 && (token.Before & Gap.Comma) != 0 && (turn[i + 1].Before & Gap.Comma) != 0;
        return true;
    }

    private static bool IsHyphenated(TurnText turn, int i)
    {
        ref var token = ref turn[i];
        return (token.End < turn.Raw.Length - 1 && turn.Raw[token.End] == '-' && turn[i + 1].Start == token.End + 1)
            || (i > 0 && token.Before == Gap.Dash && turn[i - 1].End == token.Start - 1);
    }

    /// <summary>Words broken off: "th- the", "num number".</summary>
    public static void PartialWords(TurnText turn)
    {
        for (var l = 0; l < turn.LiveCount; l++)
        {
            var i = turn.Live[l];
            ref var token = ref turn[i];
            if (token.Kind != TokenKind.Word || token.Has(Words.Negation) || IsFixedNumber(turn, i))
                continue;
            var next = l + 1 < turn.LiveCount ? turn.Live[l + 1] : -1;
            var broken = (turn[i + 1].Before & Gap.Broken) != 0;
            if (IsBegunAgain(turn, l))
            {
                turn.Delete(i, turn.Live[l + 1], CorrectionReasons.FalseStart, Confidence.Medium);
                l++;
            }
            else if (broken)
                Broken(turn, l, i, next);
            else if (next >= 0 && !turn[next].StartsSentence)
                Fragment(turn, l, i, next);
        }

        turn.Refresh();
    }

    private static bool IsFixedNumber(TurnText turn, int i) => turn[i].Has(Words.Number) && !(turn.Lower(i).Length == 1);

    private static void Broken(TurnText turn, int l, int i, int next)
    {
        ref var token = ref turn[i];
        var suspended = next >= 0 && (turn.Is(next, "and") || turn.Is(next, "or") || turn.Is(next, "to") || turn.Is(next, "und")
            || turn.Is(next, "oder") || turn.Is(next, "bis") || turn.Is(next, "et") || turn.Is(next, "ou") || turn.Is(next, "y") || turn.Is(next, "o"));
        if (suspended || IsHyphenated(turn, i))
            return;
        var completes = Completes(turn, l, i, 3);
        if (token.Has(Words.Prefix) && !completes)
            return;
        if (completes)
            turn.Delete(i, i, CorrectionReasons.PartialWord, Confidence.High);
        else if ((token.Is & (Words.Common | Words.Function)) == 0)
            turn.Delete(i, i, CorrectionReasons.PartialWord, token.LowerLength <= 4 && !(token.Capitalised && token.LowerLength > 2) ? Confidence.Medium : Confidence.Low);
        else if (next >= 0 && turn.Language == Language.English && token.Has(Words.Function) && turn.Lower(i) is not "yes" and not "yeah" and not "no" and not "okay" and not "ok")
            turn.Delete(i, i, CorrectionReasons.PartialWord, Confidence.Medium);
    }

    // Whether one of the next words begins with this one.
    private static bool Completes(TurnText turn, int l, int i, int within)
    {
        for (var n = l + 1; n < turn.LiveCount && n <= l + within; n++)
        {
            var next = turn.Live[n];
            if (turn.Lower(next).StartsWith(turn.Lower(i)))
                return true;
            // Only over words that are themselves broken off.
            if ((turn[next + 1].Before & Gap.Broken) == 0)
                return false;
        }

        return false;
    }

    // A beginning of the next word, written without a hyphen.
    private static void Fragment(TurnText turn, int l, int i, int next)
    {
        ref var token = ref turn[i];
        ref var following = ref turn[next];
        var word = turn.Lower(i);
        var whole = turn.Lower(next);
        if (following.Kind != TokenKind.Word || (following.Before & Gap.Other) != 0 || word.Length == whole.Length)
            return;
        if (whole.StartsWith(word))
        {
            var known = (token.Is & (Words.Common | Words.Ordinary | Words.Function | Words.Number)) != 0;
            // "l'app l'application": the article is no letter of it.
            var letters = word.Length - (turn.Language == Language.French && word.Length > 2 && word[1] == '\'' ? 2 : 0);
            // A longer one may be a word that the table lacks: smart smartwatch. Over a pause, or when its article is said again, even a word that
            // is one was not yet the one meant.
            var sure = (!known && letters <= (following.Has(Words.Common) ? 7 : 4))
                || (next > i + 1 && letters >= 3 && !token.Has(Words.Function | Words.Number));
            if (sure && (!token.Capitalised || l == 0 || (following.Capitalised && whole[word.Length] is not '\'')))
                turn.Delete(i, i, CorrectionReasons.PartialWord, Confidence.Medium);
            else if (token.Capitalised && following.Capitalised && l > 0 && !token.Has(Words.Function) && !following.Has(Words.Common) && whole.Length > word.Length + 1 && whole[word.Length] is not '\'')
                turn.Delete(i, i, CorrectionReasons.PartialWord, Confidence.Medium);
            else if (turn.Language.Agrees == false && whole[word.Length] == '\'' && token.Has(Words.Pronoun) && following.Has(Words.Auxiliary))
                turn.Delete(i, i, CorrectionReasons.FalseStart, turn.Is(i, "that") ? Confidence.Low : Confidence.Medium);
        }
        else if (next > i + 1 && whole.Length >= 4 && word.StartsWith(whole) && word.Length - whole.Length <= 2 && !token.Has(Words.Function | Words.Number))
        {
            // "öffnen ähm öffne": the same word in another form, over a pause.
            turn.Delete(i, i, CorrectionReasons.FalseStart, Confidence.Medium);
        }
        else if (turn.Language == Language.French && word.Length == 2 && whole.Length > 2 && whole[1] == '\'' && word[0] == whole[0]
            && token.Has(Words.Function) && turn.Lower(i) is not ("ne" or "de"))
        {
            // le l'appli: the elided form replaces the full one.
            turn.Delete(i, i, CorrectionReasons.FalseStart, Confidence.Medium);
        }
    }

    // "the gar the garden": a small word, the beginning of a word, and both again.
    private static bool IsBegunAgain(TurnText turn, int l)
    {
        if (l + 3 >= turn.LiveCount)
            return false;
        var (small, begun, again, whole) = (turn.Live[l], turn.Live[l + 1], turn.Live[l + 2], turn.Live[l + 3]);
        ref var broken = ref turn[begun];
        return turn[small].Has(Words.Determiner | Words.Preposition) && turn.Same(small, again) && !turn[small].IsFixed
            && !broken.IsFixed && broken.Kind == TokenKind.Word && broken.LowerLength >= 2 && turn[whole].Kind == TokenKind.Word
            && !broken.Has(Words.Function | Words.Number) && turn[whole].LowerLength > broken.LowerLength && turn.Lower(whole).StartsWith(turn.Lower(begun))
            && turn.Lower(whole)[broken.LowerLength..] is not ("s" or "'s" or "es" or "n" or "en" or "e")
            && !Breaks(turn, turn.Live, l + 1) && !Breaks(turn, turn.Live, l + 2) && !Breaks(turn, turn.Live, l + 3);
    }

    /// <summary>The same words twice: the first copy goes. Longer ones first, so that "in the in the" is one.</summary>
    public static void Repetitions(TurnText turn)
    {
        var distances = Distances(turn);
        for (var length = LongestRepeat; length >= 1 && distances != 0; length--)
        {
            // Copies begin as far apart as they are long, or farther by one word given up, or by three that agree.
            if (((distances >> length) & 15) == 0)
                continue;
            var found = false;
            var live = turn.Live;
            for (var l = 0; l + (2 * length) <= live.Length; l++)
            {
                if (turn[live[l]].Gone)
                    continue;
                if (IsGivenUp(turn, live, l, length))
                {
                    turn.Delete(live[l], live[l + length], CorrectionReasons.FalseStart, Confidence.Medium);
                    found = true;
                    l += length;
                    continue;
                }

                if (Agreed(turn, live, l, length) is var agreed and > 0)
                {
                    turn.Delete(live[l], live[l + length + agreed - 1], CorrectionReasons.Repetition, Confidence.Medium);
                    found = true;
                    l += length + agreed - 1;
                    continue;
                }

                if (!IsRepeat(turn, live, l, length))
                    continue;
                var confidence = ConfidenceOf(turn, live, l, length);
                if (confidence is not { } sure)
                    continue;
                turn.Delete(live[l], live[l + length - 1], CorrectionReasons.Repetition, sure);
                if (sure == Confidence.Low)
                    continue;
                found = true;
                // The copy kept may be repeated again: it is looked at next.
                l += length - 1;
            }

            if (!found)
                continue;
            turn.Refresh();
            distances = Distances(turn);
        }
    }

    // At which distances a word comes again: bit d for d words on. Most turns have none, and nothing more is to be looked at.
    private static int Distances(TurnText turn)
    {
        const int farthest = LongestRepeat + 3;
        var live = turn.Live;
        // A bit for some words each: one whose bit is not set was not said before.
        Span<ulong> said = stackalloc ulong[4];
        said.Clear();
        var found = 0;
        for (var l = 0; l < live.Length; l++)
        {
            var hash = turn[live[l]].Hash;
            ref var bits = ref said[(int)(hash >> 8) & 3];
            var bit = 1ul << (int)(hash & 63);
            if ((bits & bit) == 0)
            {
                bits |= bit;
                continue;
            }

            for (var d = 1; d <= farthest && d <= l; d++)
            {
                if (turn[live[l - d]].Hash == hash)
                    found |= 1 << d;
            }
        }

        return found;
    }

    /// <summary>"We're going to, uh, we're going home": two words and more again, after one given up and a pause.</summary>
    private static bool IsGivenUp(TurnText turn, ReadOnlySpan<int> live, int l, int length)
    {
        var again = l + length + 1;
        if (length < 2 || !turn[live[l]].Has(Words.Pronoun) || again + length > live.Length || live[again] == live[again - 1] + 1 || turn[live[again - 1]].IsFixed)
            return false;
        for (var k = 0; k < length; k++)
        {
            if (!turn.Same(live[l + k], live[again + k]) || turn[live[l + k]].IsFixed || (k > 0 && Breaks(turn, live, l + k)) || Breaks(turn, live, again + k))
                return false;
        }

        return !Breaks(turn, live, again - 1);
    }

    // How many words between two copies only agree to what was said: "add uh yeah add". Without a pause they do so where a name or a pronoun would not
    // stand; "that yeah that" may be two sentences. 0 when there are none.
    private static int Agreed(TurnText turn, ReadOnlySpan<int> live, int l, int length)
    {
        var words = 0;
        while (words < 3 && l + length + words < live.Length && turn[live[l + length + words]].Form.Agrees(turn.Language))
            words++;
        if (words == 0 || l + (2 * length) + words > live.Length || turn[live[l]].Form.Agrees(turn.Language))
            return 0;
        var again = l + length + words;
        var paused = live[again] - live[l + length - 1] - 1 > words;
        if (!paused && (turn.Language != Language.German || (turn[live[l]].Is & (Words.Pronoun | Words.Auxiliary | Words.Conjunction)) != 0
            || turn[live[l]].Capitalised != turn[live[again]].Capitalised && l > 0))
        {
            return 0;
        }

        for (var n = l; n < again + length; n++)
        {
            if (turn[live[n]].IsFixed || (n > l && Breaks(turn, live, n)) || (!paused && n > l && (turn[live[n]].Before & Gap.Comma) != 0))
                return 0;
            if (n >= again && !turn.Same(live[n], live[n - length - words]))
                return 0;
        }

        return words;
    }

    private static bool IsRepeat(TurnText turn, ReadOnlySpan<int> live, int l, int length)
    {
        for (var k = 0; k < length; k++)
        {
            var (one, other) = (live[l + k], live[l + length + k]);
            if (turn[one].Hash != turn[other].Hash || !turn.Same(one, other) || turn[one].Kind != TokenKind.Word)
                return false;
            if ((k > 0 && Breaks(turn, live, l + k)) || Breaks(turn, live, l + length + k))
                return false;
        }

        return true;
    }

    // A name that no place or person is called twice, in the languages of which we know it: "on Strava Strava".
    private static bool IsSaidTwice(TurnText turn, ReadOnlySpan<int> live, int l, int length, bool paused) =>
        length == 1 && turn.Language.Agrees && l > 0 && (turn[live[l + 1]].Before & Gap.Comma) == 0
        && (paused || turn.Lower(live[l]) is not ("baden" or "bora" or "pago" or "walla" or "duran" or "sing" or "ping" or "wagga" or "coco" or "jojo" or "toto"
            or "tamtam" or "bling" or "kuku" or "mama" or "papa" or "lala" or "zaza" or "gaga" or "yo" or "cha" or "can" or "tic" or "phi" or "puka" or "moni"))
        && !(l + 2 < live.Length && turn.Same(live[l], live[l + 2])) && !turn.Same(live[l], live[l - 1]);

    // A sentence ends, or a bracket or quotation mark stands, before this live token. What was said in a pause between is over.
    private static bool Breaks(TurnText turn, ReadOnlySpan<int> live, int l)
    {
        var from = l > 0 ? live[l - 1] + 1 : 0;
        for (var i = from; i <= live[l]; i++)
        {
            if ((turn[i].Before & (Gap.End | Gap.Other)) != 0)
                return true;
        }

        return false;
    }

    private static Confidence? ConfidenceOf(TurnText turn, ReadOnlySpan<int> live, int l, int length)
    {
        var first = live[l];
        var second = live[l + length];
        var between = turn[second].Before;
        var paused = (between & (Gap.Comma | Gap.Dash | Gap.Ellipsis | Gap.Broken)) != 0 || second != live[l + length - 1] + 1;
        var (fixedWords, function, capitalised, numbers) = (0, 0, 0, 0);
        for (var k = 0; k < length; k++)
        {
            ref var token = ref turn[live[l + k]];
            if (token.IsFixed)
                fixedWords++;
            if (token.Has(Words.Number) || token.Form.Number.Kind is NumberKind.DigitOrdinal or NumberKind.TeenOrdinal or NumberKind.TenOrdinal && turn.Language == Language.English)
                numbers++;
            if (token.Has(Words.Function))
                function++;
            if (token.Capitalised && turn[live[l + length + k]].Capitalised && (!token.Has(Words.Function | Words.Common) || token.Has(Words.Known))
                && second == live[l + length - 1] + 1 && !(turn.Language == Language.German && (paused || l == 0)) && !IsSaidTwice(turn, live, l, length, paused))
            {
                capitalised++;
            }
        }

        if (numbers > 0 || fixedWords == length || capitalised == length)
            return null;
        // "Tant pis, tant pis": the phrase doubles as its last word does.
        if (length > 1 && turn[live[l + length - 1]].Has(Words.DoublesAnywhere) && (between & Gap.Comma) != 0)
            return null;
        if (length == 1)
            return Single(turn, live, l, first, second, paused);
        var ends = l + (2 * length) >= live.Length || Breaks(turn, live, l + (2 * length));
        // "If it works, it works." and "tant pis, tant pis." say what they say.
        if ((between & Gap.Comma) != 0 && ends && (length > 1 && function < length))
            return Confidence.Low;
        if (IsParallel(turn, live, l, length))
            return Confidence.Low;
        if ((between & Gap.Comma) != 0 && IsCondition(turn, live, l))
            return Confidence.Low;
        // "restrictions on restrictions on marketing"
        if (length == 2 && !paused && !turn[first].Has(Words.Function) && turn[live[l + 1]].Has(Words.Preposition)
            && turn.Lower(live[l + 1]) is not ("to" or "up") && l > 0)
            return Confidence.Low;
        return function == length ? Confidence.High : Confidence.Medium;
    }

    // "if it comes up, it comes up and": what follows from a condition may be the condition.
    private static bool IsCondition(TurnText turn, ReadOnlySpan<int> live, int l) =>
        l > 0 && !Breaks(turn, live, l) && turn.Lower(live[l - 1]) is "if" or "when" or "whatever" or "what" or "wherever" or "whoever" or "wenn" or "falls" or "was"
            or "wer" or "wo" or "si" or "quand" or "où" or "qui" or "cuando" or "que" or "donde" or "quien";

    // "step by step by", "day after day after": a list or an idiom, not a stumble.
    private static bool IsParallel(TurnText turn, ReadOnlySpan<int> live, int l, int length)
    {
        for (var k = 0; k < length; k++)
        {
            if (turn.Lower(live[l + k]) is "after" or "by" or "upon" or "and" or "or" && !Breaks(turn, live, l + k))
            {
                // "and we and we" is a stumble; "forever and ever and ever" is not.
                if (k > 0)
                    return true;
                return l > 0 && turn.Lower(live[l - 1]).EndsWith(turn.Lower(live[l + length - 1]));
            }
        }

        return false;
    }

    private static Confidence? Single(TurnText turn, ReadOnlySpan<int> live, int l, int first, int second, bool paused)
    {
        ref var token = ref turn[first];
        if (token.Has(Words.DoublesAnywhere) && !(turn.Is(first, "so") && paused && token.StartsSentence
            && !(l + 2 < live.Length && turn.Lower(live[l + 2]) is "many" or "much" or "few" or "far" or "long" or "little")))
        {
            return null;
        }

        // Three times and more is meant: gang, gang, gang.
        if (!token.Has(Words.Function) && ((l > 0 && turn.Same(live[l - 1], first)) || (l + 2 < live.Length && turn.Same(live[l + 2], first))))
            return Confidence.Low;
        // "mes contacts, contacts Skype" says it more exactly.
        if (turn.Language != Language.English && !token.Has(Words.Function) && (turn[second].Before & Gap.Comma) != 0 && second == first + 1 && l > 0)
            return Confidence.Low;
        // "the way it will be paid to you, you should"
        if (token.Has(Words.Pronoun) && (turn[second].Before & Gap.Comma) != 0 && l > 0 && turn[live[l - 1]].Has(Words.Preposition) && !turn[live[l - 1]].Has(Words.Conjunction)
            && turn.Lower(first) is "you" or "it" or "her" or "anything" or "this")
        {
            return Confidence.Low;
        }

        if (token.Has(Words.Doubles) && !(paused && turn.Language == Language.English))
            return IsGermanStumble(turn, live, l, first, second) ? Confidence.Medium : null;
        // "Moi, moi je reste"; "Yo, yo no sé": said for emphasis.
        if (turn.Language.Agrees && (turn[second].Before & Gap.Comma) != 0 && second == first + 1 && (l == 0 || token.StartsSentence)
            && turn.Lower(first) is "moi" or "toi" or "lui" or "elle" or "eux" or "yo" or "tú" or "él" or "ella")
        {
            return Confidence.Low;
        }

        // "He did, did he?"; "Wenn er will, will er"; "Lo que es, es": two clauses.
        if (token.Has(Words.Auxiliary) && (turn[second].Before & Gap.Comma) != 0 && second == first + 1
            && (turn.Language != Language.English ? l > 0 && IsSubordinate(turn, live, l) : l > 0 && IsTag(turn, live, l)))
        {
            return Confidence.Low;
        }

        // "wenn er angegeben wird, wird er": the clause ends with its verb, and the next begins with it. "Benennen Sie ihn um, um das zu tun."
        if (turn.Language == Language.German && l > 0 && second == first + 1
            && ((token.Has(Words.Auxiliary) && ((turn[second].Before & Gap.Comma) != 0 ? !turn[live[l - 1]].Has(Words.Pronoun)
                    : !turn[live[l - 1]].Capitalised && !turn[live[l - 1]].Has(Words.Function | Words.Common)))
                || (turn.Is(first, "um") && (turn[second].Before & Gap.Comma) != 0)))
        {
            return Confidence.Low;
        }

        // Baden-Baden.
        if (token.Capitalised && turn[second].Capitalised && !token.Has(Words.Function) && turn[second].Before == Gap.Dash)
            return null;

        // Letters are spelled; only these are words of their own.
        if (token.LowerLength == 1 && (!token.Has(Words.Function) || (l > 0 && turn[live[l - 1]].LowerLength == 1) || (l + 2 < live.Length && turn[live[l + 2]].LowerLength == 1 && !turn.Same(live[l + 2], first))))
            return null;
        // "das, das er meint": the article and the pronoun that takes it up.
        if (turn.Language == Language.German && token.Has(Words.Determiner | Words.Pronoun) && (turn[second].Before & Gap.Comma) != 0
            && turn.Lower(first) is "das" or "die" or "der" or "den" or "dem" && l + 2 < live.Length)
        {
            return Confidence.Low;
        }

        // "What it is is a problem"; "I was in in the sense".
        if (turn.Language == Language.English && !paused)
        {
            if (turn.Lower(first) is "does" or "be" && (Precedes(turn, live, l, "what") || Precedes(turn, live, l, "whatever")))
                return Confidence.Low;
            if (turn.Lower(first) is "is" or "was" && (Precedes(turn, live, l, "what") || Precedes(turn, live, l, "is") || Precedes(turn, live, l, "thing") || Precedes(turn, live, l, "all")))
                return Confidence.Low;
            if (turn.Lower(first) is "in" or "on" && l > 0 && (turn[live[l - 1]].Has(Words.Auxiliary) || turn.Is(live[l - 1], "part") || turn.Is(live[l - 1], "came") || turn.Is(live[l - 1], "come")))
                return Confidence.Low;
            if (turn.Lower(first) is "do" or "her")
                return Confidence.Medium;
        }

        return token.Has(Words.Function) ? Confidence.High : Confidence.Medium;
    }

    // Whether the clause begins with a word after which its verb comes last, or with what it asks for.
    private static bool IsSubordinate(TurnText turn, ReadOnlySpan<int> live, int l)
    {
        for (var n = l - 1; n >= Math.Max(0, l - 6); n--)
        {
            if (turn.Lower(live[n]) is "wenn" or "was" or "wer" or "wo" or "wie" or "ob" or "falls" or "weil" or "dass" or "que" or "qui" or "quien" or "si" or "quand" or "cuando")
                return true;
            if (Breaks(turn, live, n))
                return false;
        }

        return false;
    }

    // "He did, did he?"
    private static bool IsTag(TurnText turn, ReadOnlySpan<int> live, int l) =>
        l + 2 < live.Length && turn[live[l + 2]].Has(Words.Pronoun) && !turn[live[l + 2]].Has(Words.Determiner)
        && (l + 3 >= live.Length || Breaks(turn, live, l + 3) || turn.Is(live[l + 3], "not") || (turn[live[l + 3]].Before & Gap.Comma) != 0);

    // "die die" after a noun is a relative pronoun and an article: "alle, die die Stadt kennen". After a verb that begins the sentence, a preposition or
    // nothing there is no noun that it could be about, and over a pause it is one word said twice.
    private static bool IsGermanStumble(TurnText turn, ReadOnlySpan<int> live, int l, int first, int second)
    {
        if (turn.Language != Language.German || turn.Lower(first) is not ("das" or "die" or "der" or "den" or "dem") || l + 2 >= live.Length
            || (turn[second].Before & Gap.Comma) != 0)
        {
            return false;
        }

        if (IsRelativeAfterPreposition(turn, first))
            return false;
        if (l == 0 || turn[first].StartsSentence)
            return true;
        ref var before = ref turn[live[l - 1]];
        var begins = l == 1 || turn[live[l - 1]].StartsSentence;
        return before.Has(Words.Preposition) || (begins && before.Has(Words.Common) && turn.Lower(live[l - 1]) is not ("leute" or "menschen" or "kinder" or "personen" or "kunden" or "alle"))
            || turn.Lower(live[l - 1]) is "bitte" or "mir";
    }

    // ", in der der Typ steht": the preposition begins a clause.
    private static bool IsRelativeAfterPreposition(TurnText turn, int article) =>
        article > 0 && turn[article - 1].Has(Words.Preposition) && (turn[article - 1].Before & Gap.Comma) != 0;

    private static bool Precedes(TurnText turn, ReadOnlySpan<int> live, int l, string word)
    {
        for (var n = l - 1; n >= Math.Max(0, l - 5); n--)
        {
            if (turn.Is(live[n], word))
                return true;
        }

        return false;
    }

    /// <summary>Phrases that carry nothing, where their neighbours do not make them part of the sentence.</summary>
    public static void EditPhrases(TurnText turn)
    {
        if ((turn.Roles & Roles.Phrase) == 0)
            return;
        foreach (var phrase in turn.Language.EditPhrases)
        {
            var live = turn.Live;
            for (var l = 0; l + phrase.Phrase.Length <= live.Length; l++)
            {
                if ((turn[live[l]].Roles & Roles.Phrase) == 0 || !Phrases.Follows(turn, live, l, phrase.Phrase))
                    continue;
                var next = l + phrase.Phrase.Length;
                var continues = next < live.Length && !Breaks(turn, live, next);
                var begins = l == 0 || Breaks(turn, live, l);
                var commaBefore = (turn[live[l]].Before & (Gap.Comma | Gap.Dash | Gap.Ellipsis)) != 0;
                var commaAfter = next < live.Length && (turn[live[next - 1] + 1].Before & (Gap.Comma | Gap.Dash | Gap.Ellipsis)) != 0;
                if (!begins && !commaBefore && IsOneOf(turn, live[l - 1], phrase.NotAfter))
                    continue;
                if (continues && !commaAfter && IsOneOf(turn, live[next], phrase.NotBefore))
                    continue;
                // "If you know, you know."
                if (l > 0 && turn.Same(live[l - 1], live[next - 1]))
                    continue;
                // Alone it is a sentence: "You know." And at its end "I mean" is one: "You see what I mean."
                if ((begins && !continues) || (!continues && (turn.Is(live[l], "i") || (l > 0 && turn.Is(live[l - 1], "so")))))
                    continue;
                // "No, I mean, it went away" explains the no.
                if (l > 0 && turn[live[l - 1]].StartsSentence && turn.Lower(live[l - 1]) is "no" or "yes" or "yeah" && turn.Is(live[l], "i"))
                    continue;
                // At the beginning of a sentence "You know we close at five" says so, and "I mean" is an attitude.
                var sure = !begins || (commaAfter && turn.Is(live[l], "you")) ? Confidence.Medium : Confidence.Low;
                turn.Delete(live[l], live[next - 1], CorrectionReasons.EditPhrase, sure);
                l = next - 1;
            }

            turn.Refresh();
        }
    }

    /// <summary>
    /// Markers that carry nothing where they stand: a listener's "mm-hmm" or "Yeah." inside another's turn, a "Like" that begins a sentence, a
    /// "right?" at its end.
    /// </summary>
    public static void Markers(TurnText turn)
    {
        if ((turn.Roles & Roles.Marker) == 0)
            return;
        var live = turn.Live;
        for (var l = 0; l < live.Length; l++)
        {
            var i = live[l];
            if (turn[i].Kind != TokenKind.Word || (turn[i].Roles & Roles.Marker) == 0)
                continue;
            var word = turn.Lower(i);
            var last = l;
            if (word is "mm" && l + 1 < live.Length && turn.Is(live[l + 1], "hmm") && turn[live[l + 1]].Before == Gap.Dash)
            {
                last = l + 1;
                if (l == 0 || live.Length <= 4)
                    continue;
            }
            else if (!IsMarker(turn, live, l))
            {
                continue;
            }

            turn.Delete(i, live[last], CorrectionReasons.EditPhrase, Confidence.Medium);
            l = last;
        }

        turn.Refresh();
    }

    private static bool IsMarker(TurnText turn, ReadOnlySpan<int> live, int l)
    {
        if (l == 0 || l + 1 >= live.Length)
            return false;
        var i = live[l];
        var begins = turn[i].StartsSentence || (turn[i].Before & (Gap.Broken | Gap.Ellipsis)) != 0;
        var ends = turn[live[l + 1]].StartsSentence && turn[i + 1].StartsSentence;
        switch (turn.Lower(i))
        {
            case "yeah" or "right" or "oh" or "okay" when begins && ends:
                // After a question it is the answer.
                return !turn.Raw.AsSpan(turn[i - 1].End, turn[i].Start - turn[i - 1].End).Contains('?');
            case "right":
                return ends && turn[i].Before is (Gap.Comma | Gap.Space) && turn[i].End < turn.Raw.Length && turn.Raw[turn[i].End] is '.' or ',' or '?';
            case "like":
                return turn[i].StartsSentence && !turn[live[l + 1]].Has(Words.Determiner | Words.Number) && !ends
                    || (turn[i + 1].Before & Gap.Broken) != 0;
            default:
                return false;
        }
    }

    private static bool IsOneOf(TurnText turn, int token, string[] words)
    {
        foreach (var word in words)
        {
            if (turn.Is(token, word))
                return true;
        }

        return false;
    }

    /// <summary>Beginnings given up: "I was I am", "un une photo", "Show me the show me".</summary>
    public static void Restarts(TurnText turn)
    {
        var live = turn.Live;
        for (var l = 0; l + 1 < live.Length; l++)
        {
            var (i, next) = (live[l], live[l + 1]);
            if (turn[i].Gone || Breaks(turn, live, l + 1))
                continue;
            if (Begins(turn, live, l) && SameAgain(turn, live, l) is var again and > 0)
            {
                // "Notiz eine Notiz": a noun keeps the determiner that it got the second time.
                var noun = turn.Language == Language.German && turn[live[again]].Capitalised && turn[live[again - 1]].Has(Words.Determiner);
                // "Send please send it": what was polite stays.
                var polite = again == l + 2 && turn.Lower(next) is "please" or "bitte";
                turn.Delete(i, noun || polite ? i : live[again - 1], CorrectionReasons.FalseStart, Confidence.Medium);
                l = again - 1;
            }
            else if (turn.Language == Language.English && ((turn.Is(i, "a") && turn.Is(next, "an")) || (turn.Is(i, "an") && turn.Is(next, "a"))) && l + 2 < live.Length && !turn[next].Capitalised)
                turn.Delete(i, i, CorrectionReasons.FalseStart, Confidence.Medium);
            else if (IsPronounRestart(turn, live, l))
                turn.Delete(live[l], live[l + 1], CorrectionReasons.FalseStart, Confidence.Medium);
            else if (IsContractedAgain(turn, live, l))
                turn.Delete(live[l], live[l + 1], CorrectionReasons.FalseStart, Confidence.Medium);
            else if (turn.Language.Agrees && (IsSwap(turn, i, next) || IsContractedPreposition(turn, i, next) || IsOtherForm(turn, live, l) || IsPrefixAlone(turn, live, l) || IsOtherModal(turn, live, l) || IsSaidAtTheEnd(turn, live, l)))
                turn.Delete(i, i, CorrectionReasons.FalseStart, Confidence.Medium);
            else if (IsPrepositionAgain(turn, live, l))
                turn.Delete(i, next, CorrectionReasons.FalseStart, Confidence.Medium);
        }

        turn.Refresh();
    }

    private static bool Begins(TurnText turn, ReadOnlySpan<int> live, int l) => l == 0 || turn[live[l]].StartsSentence;

    // Where the word that a sentence begins with comes again, after small words only, and the sentence goes on: "Send the send a message".
    private static int SameAgain(TurnText turn, ReadOnlySpan<int> live, int l)
    {
        ref var first = ref turn[live[l]];
        if (first.IsFixed || first.Has(Words.Function) || first.LowerLength < 3)
            return 0;
        for (var n = l + 1; n < Math.Min(l + 4, live.Length - 1); n++)
        {
            if (Breaks(turn, live, n) || (turn[live[n]].Before & Gap.Comma) != 0)
                return 0;
            if (n > l + 1 && turn.Same(live[l], live[n]))
                return Breaks(turn, live, n + 1) ? 0 : n;
            ref var between = ref turn[live[n]];
            if (between.IsFixed || !(between.Has(Words.Determiner) || turn.Is(live[n], "please") || turn.Is(live[n], "me") || turn.Is(live[n], "mir")))
                return 0;
        }

        return 0;
    }

    // I was I am; we will we can.
    private static bool IsPronounRestart(TurnText turn, ReadOnlySpan<int> live, int l)
    {
        if (turn.Language != Language.English || l + 3 >= live.Length)
            return false;
        var (pronoun, auxiliary, again, other) = (live[l], live[l + 1], live[l + 2], live[l + 3]);
        return turn[pronoun].Is is var first && (first & Words.Pronoun) != 0 && (first & (Words.Auxiliary | Words.Determiner | Words.Question)) == 0
            && turn.Same(pronoun, again)
            && turn[auxiliary].Has(Words.Auxiliary) && !turn[auxiliary].IsFixed && turn[other].Has(Words.Auxiliary) && !turn[other].IsFixed
            && !turn.Same(auxiliary, other)
            && !Breaks(turn, live, l + 2) && !Breaks(turn, live, l + 3);
    }

    // "we are, uh, we're": the same two words, contracted, after a pause.
    private static bool IsContractedAgain(TurnText turn, ReadOnlySpan<int> live, int l)
    {
        if (turn.Language != Language.English || l + 3 >= live.Length)
            return false;
        var (pronoun, auxiliary, again) = (live[l], live[l + 1], live[l + 2]);
        if (!turn[pronoun].Has(Words.Pronoun) || !turn[auxiliary].Has(Words.Auxiliary) || turn[auxiliary].IsFixed || turn[pronoun].IsFixed
            || Breaks(turn, live, l + 1) || Breaks(turn, live, l + 2)
            || (again == auxiliary + 1 && (turn[again].Before & (Gap.Comma | Gap.Dash | Gap.Ellipsis | Gap.Broken)) == 0))
        {
            return false;
        }

        var one = turn.Lower(pronoun);
        var whole = turn.Lower(again);
        return whole.Length > one.Length + 1 && whole.StartsWith(one) && whole[one.Length] == '\''
            && turn.Lower(auxiliary).EndsWith(whole[(one.Length + 1)..]);
    }

    // "in the, uh, in core loans", "as a, as an offer": after a pause the preposition begins again.
    private static bool IsPrepositionAgain(TurnText turn, ReadOnlySpan<int> live, int l)
    {
        if (turn.Language != Language.English || l + 3 >= live.Length || !turn[live[l]].Has(Words.Preposition) || (turn[live[l]].Has(Words.Conjunction) && !turn.Is(live[l], "as"))
            || !turn[live[l + 1]].Has(Words.Determiner) || turn[live[l + 1]].IsFixed || turn[live[l + 1]].Has(Words.Pronoun) || !turn.Same(live[l], live[l + 2]))
        {
            return false;
        }

        // "in the, in my view, best place"
        for (var n = l + 4; n < Math.Min(l + 6, live.Length); n++)
        {
            if ((turn[live[n]].Before & Gap.Comma) != 0 && live[n] == live[n - 1] + 1)
                return false;
        }

        return IsPaused(turn, live, l + 2) && !Breaks(turn, live, l + 2) && !Breaks(turn, live, l + 3);
    }

    // Whether a pause, filled or written, stands before this live token.
    private static bool IsPaused(TurnText turn, ReadOnlySpan<int> live, int l) =>
        live[l] != live[l - 1] + 1 || (turn[live[l]].Before & (Gap.Comma | Gap.Dash | Gap.Ellipsis | Gap.Broken)) != 0;

    // "à au Sudoku", "de du pain": the preposition, and then it with its article.
    private static bool IsContractedPreposition(TurnText turn, int one, int other) =>
        turn.Language == Language.French && (turn.Is(one, "à") ? turn.Lower(other) is "au" or "aux" : turn.Is(one, "de") && turn.Lower(other) is "du" or "des");

    // "Annuler annule ma course", "Stopp stoppe": the verb that a sentence begins with, in the form that was meant.
    private static bool IsOtherForm(TurnText turn, ReadOnlySpan<int> live, int l)
    {
        if (!Begins(turn, live, l) || l + 2 >= live.Length || Breaks(turn, live, l + 2))
            return false;
        ref var first = ref turn[live[l]];
        ref var second = ref turn[live[l + 1]];
        if (first.IsFixed || second.IsFixed || first.Has(Words.Function) || second.Has(Words.Function) || turn.Same(live[l], live[l + 2]) || (second.Before & Gap.Comma) != 0 || (second.Capitalised && turn.Language == Language.German))
            return false;
        var one = turn.Lower(live[l]);
        var other = turn.Lower(live[l + 1]);
        var common = one.CommonPrefixLength(other);
        if (common < 3 || one.Length == other.Length)
            return false;
        // An imperative takes the place of an infinitive, or a longer imperative that of a shorter one; the other way round, and in German, either may be meant.
        return turn.Language == Language.French
            ? one[common..] is "r" or "er" or "ir" or "re" ? other[common..] is "" or "e" or "s" or "z" or "ez" : one[common..] is "" or "e" or "s" && other[common..] is "z" or "ez"
            : turn.Language == Language.German && one.Length == common && other[common..] is "e";
    }

    // "Video auf aufnehmen.": what a verb begins with, alone before it, at the end. "an anderen Tagen" goes on.
    private static bool IsPrefixAlone(TurnText turn, ReadOnlySpan<int> live, int l)
    {
        if (turn.Language != Language.German || l == 0 || !turn[live[0]].Capitalised || turn[live[l + 1]].Capitalised || turn[live[l + 1]].Kind != TokenKind.Word)
            return false;
        var prefix = turn.Lower(live[l]);
        var verb = turn.Lower(live[l + 1]);
        return prefix is "auf" or "an" or "ab" or "aus" or "ein" or "vor" or "zu" or "mit" or "herunter" or "weiter" && verb.Length >= prefix.Length + 4
            && verb.StartsWith(prefix) && verb.EndsWith("en") && !turn[live[l + 1]].Has(Words.Function)
            && (l + 2 >= live.Length || Breaks(turn, live, l + 2) || turn.Is(live[l + 2], "bitte") || (turn[live[l + 2]].Before & Gap.Comma) != 0);
    }

    // "Öffne neue Apps öffnen.": begun as an order, and ended as a wish. What is a noun as well may be what is done: "Spiele mit Freunden spielen".
    private static bool IsSaidAtTheEnd(TurnText turn, ReadOnlySpan<int> live, int l)
    {
        if (turn.Language != Language.German || !Begins(turn, live, l) || turn[live[l]].LowerLength < 4 || turn[live[l]].Has(Words.Function))
            return false;
        var order = turn.Lower(live[l]);
        if (order is "spiele" or "träume" or "reise" or "liebe" or "kämpfe" or "frage" or "suche" or "tänze" or "lüge" or "rufe" or "leben" or "laufe" or "liste" or "pause")
            return false;
        for (var n = l + 1; n < Math.Min(l + 9, live.Length); n++)
        {
            if (Breaks(turn, live, n) || (turn[live[n]].Before & Gap.Comma) != 0 && live[n] == live[n - 1] + 1)
                return false;
            var word = turn.Lower(live[n]);
            if (n > l + 1 && !turn[live[n]].Capitalised && word.StartsWith(order) && word[order.Length..] is "n" or "en" && (word[order.Length..] is "n") == (order[^1] == 'e'))
                return n + 1 >= live.Length || Breaks(turn, live, n + 1) || (turn.Is(live[n + 1], "bitte") && (n + 2 >= live.Length || Breaks(turn, live, n + 2)));
        }

        return false;
    }

    // "Ich will möchte abgeholt werden."
    private static bool IsOtherModal(TurnText turn, ReadOnlySpan<int> live, int l) =>
        turn.Language == Language.German && l > 0 && l + 2 < live.Length && Begins(turn, live, l - 1) && turn.Lower(live[l - 1]) is "ich" or "wir"
        && IsModal(turn, live[l]) && IsModal(turn, live[l + 1]) && !turn.Same(live[l], live[l + 1]) && (turn[live[l + 1]].Before & Gap.Comma) == 0;

    private static bool IsModal(TurnText turn, int i) =>
        turn.Lower(i) is "will" or "möchte" or "kann" or "könnte" or "muss" or "müsste" or "soll" or "sollte" or "darf" or "wollen" or "möchten" or "können" or "könnten" or "müssen";

    private static bool IsSwap(TurnText turn, int one, int other)
    {
        ref var first = ref turn[one];
        ref var second = ref turn[other];
        return first.Has(Words.Determiner) && second.Has(Words.Determiner) && !first.IsFixed && !second.IsFixed
            && Swaps.Are(turn.Lower(one), turn.Lower(other), turn.Language) && !IsRelative(turn, one, other);
    }

    // What is no article corrected. "die das sagen", "sag das der Polizei": an article in German is a pronoun as well. It is none where a sentence begins, and after a preposition.
    private static bool IsRelative(TurnText turn, int one, int other)
    {
        // "à la une": on the front page.
        if (turn.Language == Language.French && turn.Is(other, "une") && turn.Is(one - 1, "à"))
            return true;
        // "fügt es ein, die": what begins after the comma is a clause.
        if (turn.Language == Language.German && (turn[other].Before & Gap.Comma) != 0)
            return true;
        // ", in das die Datei kommt"
        if (turn.Language == Language.German && IsRelativeAfterPreposition(turn, one))
            return true;
        if (turn.Language != Language.German || !(turn.Lower(one) is "der" or "die" or "das" or "den" or "dem"))
            return false;
        if ((turn[one].Before & Gap.Comma) != 0 || (turn[other].Before & Gap.Comma) != 0)
            return true;
        if (one == 0 || turn[one].StartsSentence)
            return true;
        return !(turn[one - 1].Has(Words.Preposition) || turn.Is(one - 1, "bitte")
            || (turn[one - 1].Has(Words.Common) && (one == 1 || turn[one - 1].StartsSentence) && turn.Lower(other) is "die" or "das" && !turn.Is(one, "das")));
    }
}

/// <summary>Forms of one determiner, of which two in a row are one corrected.</summary>
internal static class Swaps
{
    private static readonly string[][] French =
        [["un", "une"], ["le", "la"], ["le", "les"], ["la", "les"], ["ma", "mon"], ["mon", "ma"], ["ma", "mes"], ["mes", "ma"], ["ce", "cet"], ["cet", "ce"], ["cette", "ce"], ["ce", "cette"], ["ces", "ce"], ["ce", "ces"], ["une", "un"], ["la", "le"], ["les", "le"], ["les", "la"], ["ta", "ton"], ["sa", "son"], ["des", "un"], ["du", "de"], ["au", "aux"], ["le", "un"], ["la", "une"], ["un", "le"], ["une", "la"], ["la", "ma"], ["le", "mon"], ["les", "mes"], ["ma", "la"], ["mon", "le"], ["mes", "les"], ["cette", "cet"], ["cet", "cette"]];

    private static readonly string[][] German =
        [["der", "die"], ["die", "der"], ["das", "die"], ["die", "das"], ["der", "das"], ["das", "der"], ["den", "die"], ["die", "den"], ["den", "das"], ["das", "den"], ["den", "dem"], ["dem", "den"], ["ein", "eine"], ["eine", "ein"], ["ein", "einen"], ["eine", "einen"], ["einen", "ein"], ["einen", "eine"], ["einem", "einen"], ["einer", "einem"], ["mein", "meinen"], ["meine", "meinen"], ["meinen", "meine"], ["meinen", "mein"], ["meinem", "meinen"], ["meiner", "meinem"], ["meinem", "meiner"], ["das", "mein"], ["die", "meine"], ["den", "meinen"], ["der", "meine"], ["ein", "das"], ["ein", "die"], ["eine", "die"], ["einen", "den"]];

    private static readonly string[][] Spanish =
        [["un", "una"], ["una", "un"], ["el", "la"], ["la", "el"], ["los", "las"], ["las", "los"], ["el", "los"], ["la", "las"], ["mi", "mis"], ["mis", "mi"]];

    public static bool Are(ReadOnlySpan<char> one, ReadOnlySpan<char> other, Language language)
    {
        foreach (var pair in language == Language.French ? French : language == Language.German ? German : Spanish)
        {
            if (one.SequenceEqual(pair[0]) && other.SequenceEqual(pair[1]))
                return true;
        }

        return false;
    }
}
