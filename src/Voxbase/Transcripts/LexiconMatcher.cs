namespace Voxbase.Cleaning;

/// <summary>Buffers of <see cref="LexiconMatcher"/>.</summary>
internal sealed class MatchBuffers
{
    public byte[] Sounds { get; set; } = new byte[2048];

    public int[] Starts { get; set; } = new int[256];

    public byte[] Locked { get; set; } = new byte[256];

    public List<Match> Matches { get; } = [];
}

/// <summary>A term found at tokens <paramref name="First"/> to <paramref name="Last"/>.</summary>
internal readonly record struct Match(int First, int Last, Term Term, float Distance, Confidence Confidence);

/// <summary>
/// Finds trusted terms under what a recogniser made of them, by sound. How near it must be depends on what would be lost: an ordinary word is
/// replaced only beside another word of the term that is there as it should be, or never.
/// </summary>
internal static class LexiconMatcher
{
    private const float Furthest = .17f;
    private const int LongestWindow = 4;

    // Farther than any: a term that takes in more than what lacks a capital comes first.
    private const float OnlyCapitals = 1;

    public static void Find(TurnText turn, TermIndex index, MatchBuffers buffers, string reason, float relevance)
    {
        if (index.Count == 0 || turn.Count == 0)
            return;
        Prepare(turn, buffers);
        var matches = buffers.Matches;
        matches.Clear();
        Lock(turn, index, buffers, matches);
        for (var i = 0; i < turn.Count; i++)
        {
            if (turn[i].Gone || turn[i].Kind != TokenKind.Word || buffers.Locked[i] > 1)
                continue;
            for (var length = 1; length <= LongestWindow && i + length <= turn.Count; length++)
            {
                var last = i + length - 1;
                if (turn[last].Gone || buffers.Locked[last] > 1 || turn[last].Kind != TokenKind.Word || (length > 1 && IsApart(turn, last)))
                    break;
                Window(turn, index, buffers, i, last, matches);
            }
        }

        Choose(turn, matches, reason, relevance);
    }

    private static void Prepare(TurnText turn, MatchBuffers buffers)
    {
        if (buffers.Starts.Length < turn.Count + 1)
        {
            buffers.Starts = new int[turn.Count * 2];
            buffers.Locked = new byte[turn.Count * 2];
        }

        Array.Clear(buffers.Locked, 0, turn.Count);
        var at = 0;
        for (var i = 0; i < turn.Count; i++)
        {
            if (buffers.Sounds.Length < at + Phonemes.Longest)
            {
                var larger = new byte[buffers.Sounds.Length * 2];
                buffers.Sounds.CopyTo(larger, 0);
                buffers.Sounds = larger;
            }

            buffers.Starts[i] = at;
            if (turn[i].Kind == TokenKind.Word && !turn[i].Gone)
                at += Phonemes.Write(turn.Lower(i), buffers.Sounds.AsSpan(at, Phonemes.Longest));
        }

        buffers.Starts[turn.Count] = at;
    }

    // A comma, the end of a sentence or a sign: the words are not one name.
    internal static bool IsApart(TurnText turn, int i) => (turn[i].Before & ~(Gap.Space | Gap.Dash)) != 0;

    // Words that are a term already are let be, but for their capitals; and with them, what sounds like the rest of one.
    private static void Lock(TurnText turn, TermIndex index, MatchBuffers buffers, List<Match> matches)
    {
        for (var i = 0; i < turn.Count; i++)
        {
            if (turn[i].Gone)
                continue;
            foreach (var t in index.WithWord(turn.Lower(i)))
            {
                var term = index[t];
                if (!turn.Is(i, term.Words[0]) || i + term.Words.Length > turn.Count)
                    continue;
                var same = true;
                for (var k = 1; k < term.Words.Length && same; k++)
                    same = turn.Is(i + k, term.Words[k]) && !IsApart(turn, i + k) && !turn[i + k].Gone;
                if (!same)
                    continue;
                var last = i + term.Words.Length - 1;
                for (var k = i; k <= last; k++)
                    buffers.Locked[k] = Math.Max(buffers.Locked[k], (byte)(term.Words.Length > 1 ? 2 : 1));
                if (!index.IsPhrases && IsPlainCase(turn, i, last) && !IsOrdinary(turn, i, last) && char.IsUpper(term.Surface[0]))
                    matches.Add(new Match(i, last, term, OnlyCapitals, Confidence.High));
            }
        }
    }

    // Written without any capital: nobody decided on it.
    private static bool IsPlainCase(TurnText turn, int first, int last)
    {
        for (var i = first; i <= last; i++)
        {
            if (turn[i].Capitalised)
                return false;
        }

        return true;
    }

    private static bool IsOrdinary(TurnText turn, int first, int last)
    {
        for (var i = first; i <= last; i++)
        {
            if ((turn[i].Is & (Words.Common | Words.Function)) == 0)
                return false;
        }

        return true;
    }

    private static void Window(TurnText turn, TermIndex index, MatchBuffers buffers, int first, int last, List<Match> matches)
    {
        var (from, to) = (buffers.Starts[first], buffers.Starts[last + 1]);
        if (to - from is < 3 or >= Phonemes.Longest)
            return;
        Span<byte> said = stackalloc byte[to - from];
        ReadOnlySpan<byte> sounds = said[..Join(buffers, first, last, said)];
        var (function, ordinary) = (0, 0);
        for (var i = first; i <= last; i++)
        {
            if (turn[i].IsFixed && !turn[i].Has(Words.Number))
                return;
            if (turn[i].Has(Words.Function))
                function++;
            if (turn[i].Has(Words.Common | Words.Function))
                ordinary++;
        }

        var length = last - first + 1;
        // Nothing but ordinary words and no word of a term among them: never.
        var anchorable = length > 1 && HasAnchor(turn, index, first, last);
        if (ordinary == length && !anchorable && !(length == 1 && sounds.Length >= 6 && HasCue(turn, first)))
            return;
        if (function == length)
            return;

        var (best, second, distance, secondDistance) = (-1, -1, float.MaxValue, float.MaxValue);
        index.Near(sounds, Phonemes.Signature(sounds), Furthest, ref best, ref distance, ref second, ref secondDistance);
        if (best < 0)
            return;
        Judge(turn, index, buffers, first, last, index[best], distance, secondDistance, matches);
        if (second >= 0 && secondDistance - distance < .03f)
            Judge(turn, index, buffers, first, last, index[second], secondDistance, distance, matches);
    }

    // The sounds of the words said in one breath: what ends one and begins the next is heard once.
    private static int Join(MatchBuffers buffers, int first, int last, Span<byte> said)
    {
        var count = 0;
        for (var i = first; i <= last; i++)
        {
            var word = buffers.Sounds.AsSpan(buffers.Starts[i], buffers.Starts[i + 1] - buffers.Starts[i]);
            if (count > 0 && word.Length > 1 && word[0] == said[count - 1] && !Phonemes.IsVowel(word[0]))
                word = word[1..];
            word.CopyTo(said[count..]);
            count += word.Length;
        }

        return count;
    }

    private static bool HasAnchor(TurnText turn, TermIndex index, int first, int last)
    {
        for (var i = first; i <= last; i++)
        {
            if (!turn[i].Has(Words.Function) && index.WithWord(turn.Lower(i)).Length > 0)
                return true;
        }

        return false;
    }

    private static void Judge(
        TurnText turn, TermIndex index, MatchBuffers buffers, int first, int last, Term term, float distance, float rival, List<Match> matches)
    {
        var length = last - first + 1;
        // Words that both have at the same end are as they should be: the rest is what differs.
        var (head, tail) = (0, 0);
        while (head < Math.Min(length, term.Words.Length) && turn.Is(first + head, term.Words[head]))
            head++;
        while (tail < Math.Min(length, term.Words.Length) - head && turn.Is(last - tail, term.Words[term.Words.Length - 1 - tail]))
            tail++;
        if (head + tail >= length || head + tail >= term.Words.Length)
            return;
        var (from, to) = (first + head, last - tail);
        var anchored = false;
        for (var i = first; i < from; i++)
            anchored |= IsAnchor(turn, i);
        for (var i = to + 1; i <= last; i++)
            anchored |= IsAnchor(turn, i);
        if (head + tail > 0 && !anchored)
            return;
        var (unknown, function, known) = (0, 0, 0);
        for (var i = from; i <= to; i++)
        {
            // A term of its own, as it should be.
            if (buffers.Locked[i] > 0 && !index.IsPhrases)
                return;
            if (turn[i].Has(Words.Known))
                known++;
            if ((turn[i].Is & (Words.Common | Words.Function)) == 0)
                unknown++;
            if (turn[i].Has(Words.Function))
                function++;
        }

        var words = to - from + 1;
        var there = term.Words.AsSpan(head, term.Words.Length - head - tail);
        if (function == words || IsInflection(turn, from, to, there) || (distance > .03f && LosesFunctionWord(turn, from, to, there)))
            return;
        var joined = SameLetters(turn, from, to, there);
        // An ordinary word of the term's own spelled otherwise is somebody's choice: center, centre.
        var limit = Limit(turn, index, first, joined, anchored, unknown, words, term, function);
        if (distance > limit || (known > 0 && distance > (anchored ? .1f : words > 1 ? .05f : .02f)))
            return;
        if (anchored && !joined && Between(buffers, from, to, there) > (index.IsPhrases ? .42f : .34f))
            return;
        // Two terms sound the same: there is no telling which.
        if (rival <= distance && !joined)
            return;
        var confidence = joined || (anchored && distance <= .1f) || distance <= .06f ? Confidence.High : Confidence.Medium;
        matches.Add(new Match(first, last, term, distance, confidence));
    }

    // How far the words that differ are from each other, without those that agree.
    private static float Between(MatchBuffers buffers, int from, int to, ReadOnlySpan<string> there)
    {
        Span<byte> sounds = stackalloc byte[Phonemes.Longest];
        var count = 0;
        foreach (var word in there)
            count += Phonemes.Write(word, sounds[count..]);
        var start = buffers.Starts[from];
        return Phonemes.Distance(buffers.Sounds.AsSpan(start, buffers.Starts[to + 1] - start), sounds[..count], 1);
    }

    private static bool IsAnchor(TurnText turn, int i) => !turn[i].Has(Words.Function) && turn.Lower(i).Length >= 3;

    private static float Limit(
        TurnText turn, TermIndex index, int first, bool joined, bool anchored, int unknown, int words, Term term, int function)
    {
        if (index.IsPhrases)
            return anchored ? .14f : -1;
        if (joined)
            return unknown > 0 || words == 1 ? .36f : -1;
        if (anchored)
            return (unknown == words ? Furthest : unknown > 0 ? .12f : .08f) - index.Strictness;
        if (unknown == 0)
            return term.Sounds.Length >= 6 && words == 1 && HasCue(turn, first) ? .06f - index.Strictness : -1;
        var sounds = term.Sounds.Length;
        var cue = HasCue(turn, first) || turn[first].Capitalised;
        // Part of it is an ordinary word: more has to agree.
        if (unknown < words)
            return sounds >= 6 && function == 0 ? (cue ? .12f : .11f) - index.Strictness : sounds >= 5 ? .04f - index.Strictness : .02f;
        if (sounds >= 6)
            return (cue ? .16f : .13f) - index.Strictness;
        return sounds >= 4 ? (cue ? .12f : .08f) - index.Strictness : -1;
    }

    // What often stands before a name.
    private static bool HasCue(TurnText turn, int first)
    {
        if (first == 0)
            return false;
        if ((turn[first].Capitalised && !turn[first].StartsSentence) || turn[first - 1].Has(Words.Known))
            return true;
        return turn.Lower(first - 1) is "from" or "with" or "mr" or "mrs" or "ms" or "dr" or "thanks" or "hi" or "hello" or "by" or "name" or "morning"
            || (turn.Is(first - 1, "of") && turn.Is(first - 2, "line"))
            || (turn.Is(first - 1, "is") && (turn.Is(first - 2, "this") || turn.Is(first - 2, "name")))
            || (turn.Is(first - 1, "you") && turn.Is(first - 2, "thank"));
    }

    // market and markets, America and American: other words, rightly heard.
    internal static bool IsInflection(TurnText turn, int from, int to, ReadOnlySpan<string> there)
    {
        if (to != from || there.Length != 1)
            return false;
        var one = turn.Lower(from);
        ReadOnlySpan<char> other = there[0];
        var common = one.CommonPrefixLength(other);
        if (common < 3 || Math.Max(one.Length, other.Length) - common > 3)
            return false;
        return IsEnding(one[common..]) && IsEnding(other[common..]);
    }

    private static bool IsEnding(ReadOnlySpan<char> rest) =>
        rest is "" or "s" or "es" or "'s" or "d" or "ed" or "n" or "an" or "en" or "er" or "r" or "ing" or "ly" or "y" or "ies" or "ian" or "al" or "ic" or "ns" or "ers";

    internal static bool LosesFunctionWord(TurnText turn, int from, int to, ReadOnlySpan<string> there)
    {
        for (var i = from; i <= to; i++)
        {
            if (!turn[i].Has(Words.Function) || turn.Lower(i).Length < 2 || (from == to))
                continue;
            var kept = false;
            foreach (var word in there)
                kept |= turn.Is(i, word);
            if (!kept && turn[i].Has(Words.Preposition | Words.Determiner | Words.Conjunction | Words.Pronoun) && turn.Lower(i) is not "oh")
                return true;
        }

        return false;
    }

    internal static bool SameLetters(TurnText turn, int from, int to, ReadOnlySpan<string> there)
    {
        var (word, letter) = (0, 0);
        for (var i = from; i <= to; i++)
        {
            foreach (var c in turn.Lower(i))
            {
                if (c == '\'')
                    continue;
                while (word < there.Length && (letter >= there[word].Length || there[word][letter] == '\''))
                {
                    if (letter >= there[word].Length)
                        (word, letter) = (word + 1, 0);
                    else
                        letter++;
                }

                if (word >= there.Length || there[word][letter++] != c)
                    return false;
            }
        }

        return word >= there.Length || (word == there.Length - 1 && letter == there[word].Length);
    }

    // The nearest and longest first; none over another.
    private static void Choose(TurnText turn, List<Match> matches, string reason, float relevance)
    {
        if (matches.Count == 0)
            return;
        matches.Sort(static (a, b) =>
        {
            var (one, other) = (a.Distance - (.02f * (a.Last - a.First)), b.Distance - (.02f * (b.Last - b.First)));
            return one != other ? one.CompareTo(other) : a.First != b.First ? a.First.CompareTo(b.First) : string.CompareOrdinal(a.Term.Surface, b.Term.Surface);
        });
        for (var m = 0; m < matches.Count; m++)
        {
            var match = matches[m];
            var free = true;
            for (var n = 0; n < m && free; n++)
                free = matches[n].Last < match.First || matches[n].First > match.Last;
            if (!free)
                continue;
            turn.Replace(match.First, match.Last, SurfaceOf(turn, match), IsExact(turn, match) ? CorrectionReasons.Casing : reason, match.Confidence, relevance);
        }
    }

    private static bool IsExact(TurnText turn, in Match match)
    {
        if (match.Last - match.First + 1 != match.Term.Words.Length)
            return false;
        for (var k = 0; k < match.Term.Words.Length; k++)
        {
            if (!turn.Is(match.First + k, match.Term.Words[k]))
                return false;
        }

        return true;
    }

    // With the possessive that the raw word had: "bets's".
    private static string SurfaceOf(TurnText turn, in Match match)
    {
        var last = turn.Lower(match.Last);
        return last.EndsWith("'s") && !match.Term.Words[^1].EndsWith("'s", StringComparison.Ordinal) ? match.Term.Surface + "'s" : match.Term.Surface;
    }
}
