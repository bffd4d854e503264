namespace Voxbase.Cleaning;

/// <summary>Buffers of <see cref="LexiconMatcher"/>.</summary>
internal sealed class MatchBuffers
{
    public byte[] Sounds { get; set; } = new byte[2048];

    public int[] Starts { get; set; } = new int[256];

    /// <summary>Which tokens are a trusted term as they stand: 1, or 2 for words of a longer one.</summary>
    public byte[] Locked { get; set; } = new byte[256];

    /// <summary>What a window over each token needs to know of it.</summary>
    public Pane[] Panes { get; set; } = new Pane[256];

    public Sightings Terms { get; } = new();

    public Sightings Names { get; } = new();

    public Sightings Phrases { get; } = new();

    public NearBuffers Near { get; } = new();

    /// <summary>Sounds that no term of an index is near to, as far as this turn has been listened to: a later pass hears most of them again.</summary>
    public HeardInVain InVain { get; } = new();
}

/// <summary>Where a turn has words of an index's terms.</summary>
internal sealed class Sightings
{
    /// <summary>Which tokens are a word of a term, and no small one.</summary>
    public bool[] Anchors { get; set; } = new bool[256];

    /// <summary>Which are a word of a term.</summary>
    public bool[] Parts { get; set; } = new bool[256];

    /// <summary>How many tokens on the next is that a term may be about, a word of one or one that is not ordinary; as far as a window goes.</summary>
    public byte[] Ahead { get; set; } = new byte[256];

    public List<Match> Matches { get; } = [];
}

/// <summary>What a token is to the windows over it, whatever the index.</summary>
[Flags]
internal enum Pane : byte
{
    None = 0,

    /// <summary>No window goes on over it: taken out, or fixed.</summary>
    Wall = 1,

    /// <summary>No window goes on to it from the one before: a comma, the end of a sentence or a sign.</summary>
    Apart = 2,
    Function = 4,

    /// <summary>Common or small.</summary>
    Ordinary = 8,

    /// <summary>A small word that a term which sounds a little otherwise must have too.</summary>
    Kept = 16,
}

/// <summary>A set of hashes, of bounded size: what no longer fits is not remembered.</summary>
internal sealed class HeardInVain
{
    private const int Places = 512;

    private readonly ulong[] slots = new ulong[Places];
    private int count;

    public void Clear()
    {
        if (count > 0)
            Array.Clear(slots);
        count = 0;
    }

    public bool Contains(ulong hash)
    {
        for (var at = (int)(hash >> 55); slots[at] != 0; at = (at + 1) & (Places - 1))
        {
            if (slots[at] == hash)
                return true;
        }

        return false;
    }

    public void Add(ulong hash)
    {
        if (count >= Places / 2)
            return;
        var at = (int)(hash >> 55);
        while (slots[at] != 0)
            at = (at + 1) & (Places - 1);
        slots[at] = hash;
        count++;
    }

    /// <summary>A hash of what was listened for, never 0.</summary>
    public static ulong Hash(int index, float most, ReadOnlySpan<byte> sounds)
    {
        var hash = ((ulong)(uint)index << 32 | BitConverter.SingleToUInt32Bits(most)) * 0x9E3779B97F4A7C15ul;
        foreach (var sound in sounds)
            hash = (hash ^ sound) * 0x100000001B3ul;
        return (hash ^ (hash >> 29)) * 0xBF58476D1CE4E5B9ul | 1;
    }
}

/// <summary>A term found at tokens <paramref name="First"/> to <paramref name="Last"/>.</summary>
internal readonly record struct Match(int First, int Last, Term Term, float Distance, Confidence Confidence);

/// <summary>
/// Finds trusted terms under what a recogniser made of them, by sound. How near it must be depends on what would be lost: an ordinary word is
/// replaced only beside another word of the term that is there as it should be, or never.
/// </summary>
internal static class LexiconMatcher
{
    private const float Furthest = .22f;
    private const int LongestWindow = 4;

    // An ordinary word alone is replaced from so many sounds on.
    private const int LongWord = 6;

    // How near a name of six sounds must be that nothing announces, in a language of whose words few are known.
    private const float Uncued = .10f;

    // And one of eight, which fewer words come near to by chance.
    private const float UncuedLong = .14f;

    // So near that a small word may go: it was heard into the name.
    private const float Lossless = .03f;

    // Farther than any: a term that takes in more than what lacks a capital comes first.
    private const float OnlyCapitals = 1;

    /// <summary>
    /// Proposes key terms and names, while the turn sounds as <see cref="Prepare"/> has it. Words that are one of them as they stand are let be: two
    /// trusted names that sound alike do not turn into each other.
    /// </summary>
    public static void FindNames(TurnText turn, TermIndex terms, TermIndex names, MatchBuffers buffers, float mentioned)
    {
        (terms, names) = (terms.In(turn.Language), names.In(turn.Language));
        Array.Clear(buffers.Locked, 0, turn.Count);
        Lock(turn, terms, buffers, buffers.Terms);
        Lock(turn, names, buffers, buffers.Names);
        Find(turn, terms, buffers, buffers.Terms, CorrectionReasons.Lexicon, 1);
        Find(turn, names, buffers, buffers.Names, CorrectionReasons.Lexicon, mentioned);
    }

    /// <summary>Proposes fixed phrases.</summary>
    public static void FindPhrases(TurnText turn, TermIndex phrases, MatchBuffers buffers, float relevance)
    {
        Array.Clear(buffers.Locked, 0, turn.Count);
        Lock(turn, phrases, buffers, buffers.Phrases);
        Find(turn, phrases, buffers, buffers.Phrases, CorrectionReasons.Phrase, relevance);
    }

    private static void Find(TurnText turn, TermIndex index, MatchBuffers buffers, Sightings seen, string reason, float relevance)
    {
        if (index.Count == 0)
            return;
        LookAhead(turn.Count, buffers.Panes, seen);
        for (var i = 0; i < turn.Count; i++)
        {
            // Nothing but ordinary words as far as a window goes: only one that stands alone may be a term.
            if (seen.Ahead[i] < LongestWindow || buffers.Starts[i + 1] - buffers.Starts[i] >= LongWord)
                WindowsFrom(turn, index, buffers, seen, i);
        }

        Choose(turn, seen.Matches, reason, relevance);
    }

    /// <summary>Writes how the turn sounds, for every index to be looked up in.</summary>
    public static void Prepare(TurnText turn, MatchBuffers buffers)
    {
        if (buffers.Starts.Length < turn.Count + 1)
        {
            buffers.Starts = new int[turn.Count * 2];
            buffers.Locked = new byte[turn.Count * 2];
            buffers.Panes = new Pane[turn.Count * 2];
        }

        var at = 0;
        var cased = turn.Language != Language.English && IsCased(turn);
        for (var i = 0; i < turn.Count; i++)
        {
            if (buffers.Sounds.Length < at + Phonemes.Longest)
            {
                var larger = new byte[buffers.Sounds.Length * 2];
                buffers.Sounds.CopyTo(larger, 0);
                buffers.Sounds = larger;
            }

            buffers.Starts[i] = at;
            buffers.Panes[i] = PaneOf(turn, i, cased);
            if (turn[i].Kind != TokenKind.Word || turn[i].Gone)
                continue;
            var sounds = turn[i].Form.SoundsIn(turn.Language);
            sounds.CopyTo(buffers.Sounds.AsSpan(at));
            at += sounds.Length;
        }

        buffers.Starts[turn.Count] = at;
    }

    // Written by something that knows of capitals: what it gave none it took for no name. Of English words enough are known without that.
    private static bool IsCased(TurnText turn)
    {
        for (var i = 1; i < turn.Count; i++)
        {
            if (turn[i].Capitalised && !turn[i].StartsSentence)
                return true;
        }

        return false;
    }

    private static Pane PaneOf(TurnText turn, int i, bool cased)
    {
        ref var token = ref turn[i];
        var pane = token.Gone || token.Kind != TokenKind.Word || (token.IsFixed && !token.Has(Words.Number)) ? Pane.Wall : Pane.None;
        if (IsApart(turn, i))
            pane |= Pane.Apart;
        if (token.Has(Words.Common | Words.Ordinary | Words.Function) || (cased && !token.Capitalised && !HasCue(turn, i)))
            pane |= Pane.Ordinary;
        if (token.Has(Words.Function))
            pane |= IsKept(turn, i) ? Pane.Function | Pane.Kept : Pane.Function;
        return pane;
    }

    private static void LookAhead(int count, Pane[] panes, Sightings seen)
    {
        var (anchors, ahead) = (seen.Anchors, seen.Ahead);
        var next = (byte)LongestWindow;
        for (var i = count - 1; i >= 0; i--)
        {
            next = (panes[i] & Pane.Ordinary) == 0 || anchors[i] ? (byte)0 : (byte)Math.Min(next + 1, LongestWindow);
            ahead[i] = next;
        }
    }

    // A comma, the end of a sentence or a sign: the words are not one name.
    internal static bool IsApart(TurnText turn, int i) => (turn[i].Before & ~(Gap.Space | Gap.Dash)) != 0;

    // Words that are a term already are let be, but for their capitals; and with them, what sounds like the rest of one.
    private static void Lock(TurnText turn, TermIndex index, MatchBuffers buffers, Sightings seen)
    {
        seen.Matches.Clear();
        if (index.Count == 0)
            return;
        if (seen.Parts.Length < turn.Count)
            (seen.Anchors, seen.Parts, seen.Ahead) = (new bool[turn.Count * 2], new bool[turn.Count * 2], new byte[turn.Count * 2]);
        for (var i = 0; i < turn.Count; i++)
        {
            var with = index.WithWord(turn[i].Form);
            seen.Parts[i] = with.Length > 0;
            seen.Anchors[i] = with.Length > 0 && !turn[i].Has(Words.Function);
            if (turn[i].Gone)
                continue;
            if (index.AcronymOf(turn[i].Form) is { } acronym && IsPlainCase(turn, i, i) && !IsOrdinary(turn, i, i))
                seen.Matches.Add(new Match(i, i, acronym, OnlyCapitals, Confidence.High));
            foreach (var t in with)
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
                if (!index.IsPhrases && IsPlainCase(turn, i, last) && !IsOrdinary(turn, i, last))
                    seen.Matches.Add(new Match(i, last, term, OnlyCapitals, Confidence.High));
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
            if ((turn[i].Is & (Words.Common | Words.Ordinary | Words.Function)) == 0)
                return false;
        }

        return true;
    }

    // The windows that begin at a word: what they are made of is counted as they grow, and only those are listened to that may be a term.
    private static void WindowsFrom(TurnText turn, TermIndex index, MatchBuffers buffers, Sightings seen, int first)
    {
        Span<byte> said = stackalloc byte[Phonemes.Longest];
        var (joined, heard) = (0, first);
        var letters = Vocabulary.HashSeed;
        var keys = new SoundKeys();
        var (function, ordinary, anchors) = (0, 0, 0);
        bool? cue = null;
        var losing = false;
        var barred = Pane.Wall;
        var end = Math.Min(first + LongestWindow, turn.Count);
        for (var last = first; last < end; last++)
        {
            var pane = buffers.Panes[last];
            if ((pane & barred) != 0 || buffers.Locked[last] > 1)
                return;
            // A term of its own that is no part of another: no window with it is one.
            if (buffers.Locked[last] > 0 && !seen.Parts[last] && !index.IsPhrases)
                return;
            barred = Pane.Wall | Pane.Apart;
            function += (pane & Pane.Function) != 0 ? 1 : 0;
            ordinary += (pane & Pane.Ordinary) != 0 ? 1 : 0;
            anchors += seen.Anchors[last] ? 1 : 0;
            losing |= (pane & Pane.Kept) != 0 && !seen.Parts[last];
            var count = buffers.Starts[last + 1] - buffers.Starts[first];
            if (count >= Phonemes.Longest)
                return;
            var length = last - first + 1;
            if (count < 3 || function == length)
                continue;
            // Nothing but ordinary words and no word of a term among them: never.
            var anchorable = length > 1 && anchors > 0;
            if (ordinary == length && !anchorable && !(length == 1 && count >= LongWord && (cue ??= HasCue(turn, first))))
                continue;
            for (; heard <= last; heard++)
            {
                var from = joined;
                joined = Join(buffers, heard, said, joined);
                keys.Add(said[from..joined]);
                letters = TermIndex.HashLetters(letters, turn.Lower(heard));
            }

            if (!index.MayHave(keys, joined))
                continue;
            ReadOnlySpan<byte> sounds = said[..joined];
            var most = index.HasLetters(letters) ? Furthest : Farthest(turn, index, anchorable, length - ordinary, length, anchorable || (cue ??= HasCue(turn, first)) || IsNameCapital(turn, first));
            if (losing && length > 1)
                most = Math.Min(most, Lossless);
            if (most < 0)
                continue;
            var hash = HeardInVain.Hash(index.Id, most, sounds);
            if (buffers.InVain.Contains(hash))
                continue;
            var (best, second, distance, secondDistance) = (-1, -1, float.MaxValue, float.MaxValue);
            index.Near(sounds, keys, most, buffers.Near, ref best, ref distance, ref second, ref secondDistance);
            if (best < 0)
            {
                buffers.InVain.Add(hash);
                continue;
            }

            Judge(turn, index, buffers, first, last, index[best], distance, secondDistance, seen.Matches);
            if (second >= 0 && secondDistance - distance < .03f)
                Judge(turn, index, buffers, first, last, index[second], secondDistance, distance, seen.Matches);
        }
    }

    // One more word said in the same breath: what ends one and begins the next is heard once.
    private static int Join(MatchBuffers buffers, int i, Span<byte> said, int count)
    {
        var word = buffers.Sounds.AsSpan(buffers.Starts[i], buffers.Starts[i + 1] - buffers.Starts[i]);
        if (count > 0 && word.Length > 1 && word[0] == said[count - 1] && !Phonemes.IsVowel(word[0]))
            word = word[1..];
        word.CopyTo(said[count..]);
        return count + word.Length;
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
            if ((buffers.Panes[i] & Pane.Ordinary) == 0)
                unknown++;
            if (turn[i].Has(Words.Function))
                function++;
        }

        var words = to - from + 1;
        var there = term.Words.AsSpan(head, term.Words.Length - head - tail);
        if (function == words || IsInflection(turn, from, to, there) || (distance > Lossless && LosesFunctionWord(turn, from, to, there)))
            return;
        // A place or a first name is as it should be when the term is but another spelling of it, or another name.
        if (known == words && (SameFolded(turn, from, to, there) || (words == 1 && there.Length == 1 && ((Language.English.Look(there[0]) | turn.Language.Look(there[0])) & Words.Known) != 0)))
            return;
        var joined = SameLetters(turn, from, to, there);
        if (joined && HasConjunction(turn, from, to))
            return;
        // An ordinary word of the term's own spelled otherwise is somebody's choice: center, centre.
        var limit = Limit(turn, index, first, joined, anchored, unknown, words, term, function);
        if (distance > limit || (known > 0 && distance > (anchored ? .1f : words > 1 ? .05f : .02f)))
            return;
        if (anchored && !joined && Between(buffers, from, to, term.WordSounds.AsSpan(head, there.Length)) > (index.IsPhrases ? .42f : .46f))
            return;
        // Two terms sound the same: there is no telling which.
        if (rival <= distance && !joined)
            return;
        var confidence = joined || (anchored && distance <= .1f) || distance <= .06f ? Confidence.High : Confidence.Medium;
        matches.Add(new Match(first, last, term, distance, confidence));
    }

    // How far the words that differ are from each other, without those that agree.
    private static float Between(MatchBuffers buffers, int from, int to, ReadOnlySpan<byte[]> there)
    {
        Span<byte> sounds = stackalloc byte[Phonemes.Longest];
        var count = 0;
        foreach (var word in there)
        {
            var taken = word.AsSpan(0, Math.Min(word.Length, sounds.Length - count));
            taken.CopyTo(sounds[count..]);
            count += taken.Length;
        }

        var start = buffers.Starts[from];
        return Phonemes.Distance(buffers.Sounds.AsSpan(start, buffers.Starts[to + 1] - start), sounds[..count], 1);
    }

    private static bool IsAnchor(TurnText turn, int i) => !turn[i].Has(Words.Function) && turn.Lower(i).Length >= 3;

    // The most that Limit may come to for any term under a window that no term has the letters of.
    private static float Farthest(TurnText turn, TermIndex index, bool anchorable, int unknown, int words, bool cue)
    {
        if (index.IsPhrases)
            return anchorable ? .14f : -1;
        if (anchorable)
            return Math.Max(.02f, (unknown > 0 ? Furthest : .12f) - index.Strictness);
        if (unknown == 0)
            return .06f - index.Strictness;
        if (!cue && turn.Language != Language.English)
            return Math.Max(.02f, UncuedLong - index.Strictness);
        return Math.Max(.02f, (unknown < words ? (cue ? .14f : .13f) : cue ? .16f : .15f) - index.Strictness);
    }

    private static float Limit(
        TurnText turn, TermIndex index, int first, bool joined, bool anchored, int unknown, int words, Term term, int function)
    {
        if (index.IsPhrases)
            return anchored ? .14f : -1;
        if (joined)
            return unknown > 0 || words == 1 ? .36f : -1;
        if (anchored)
            return (unknown == words ? Furthest : unknown > 0 ? .16f : .12f) - index.Strictness;
        if (unknown == 0)
            return term.Sounds.Length >= 6 && words == 1 && HasCue(turn, first) ? .06f - index.Strictness : -1;
        var sounds = term.Sounds.Length;
        var cue = HasCue(turn, first) || IsNameCapital(turn, first);
        // Of other languages fewer words are known to be ordinary: what nothing announces has to sound as good as alike.
        if (!cue && turn.Language != Language.English)
            return unknown < words ? (sounds >= 6 && function == 0 ? .02f : -1) : sounds >= 8 ? UncuedLong - index.Strictness : sounds >= 6 ? Uncued - index.Strictness : sounds >= 5 ? .04f - index.Strictness : sounds >= 4 ? .02f : -1;
        // Part of it is an ordinary word: more has to agree.
        if (unknown < words)
            return sounds >= 6 && function == 0 ? (cue ? .14f : .13f) - index.Strictness : sounds >= 5 ? .04f - index.Strictness : .02f;
        if (sounds >= 6)
            return (cue ? .16f : .15f) - index.Strictness;
        return sounds >= 4 ? (cue ? .12f : .10f) - index.Strictness : -1;
    }

    // German writes every noun with one, and of other languages too few words are known to tell a name that begins a sentence.
    private static bool IsNameCapital(TurnText turn, int first) =>
        turn[first].Capitalised && (turn.Language == Language.English || (turn.Language != Language.German && first > 0 && !turn[first].StartsSentence));

    // What often stands before a name.
    private static bool HasCue(TurnText turn, int first)
    {
        if (first == 0)
            return false;
        if ((IsNameCapital(turn, first) && !turn[first].StartsSentence) || turn[first - 1].Has(Words.Known))
            return true;
        return turn[first - 1].Form.Announces(turn.Language)
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
        return (IsEnding(one[common..]) && IsEnding(other[common..]))
            || (turn.Language == Language.Spanish && one[common..] is "o" or "a" or "os" or "as" or "e" && other[common..] is "o" or "a" or "os" or "as" or "e");
    }

    private static bool IsEnding(ReadOnlySpan<char> rest) =>
        rest is "" or "s" or "es" or "'s" or "d" or "ed" or "n" or "an" or "en" or "er" or "r" or "ing" or "ly" or "y" or "ies" or "ian" or "al" or "ic" or "ns" or "ers";

    internal static bool LosesFunctionWord(TurnText turn, int from, int to, ReadOnlySpan<string> there)
    {
        for (var i = from; i <= to; i++)
        {
            if (from == to)
                continue;
            var kept = false;
            foreach (var word in there)
                kept |= turn.Is(i, word);
            if (!kept && IsKept(turn, i))
                return true;
        }

        return false;
    }

    // A small word that a term which sounds a little otherwise must have too.
    private static bool IsKept(TurnText turn, int i) =>
        turn[i].Has(Words.Function) && turn[i].LowerLength >= 2
        && turn[i].Has(Words.Preposition | Words.Determiner | Words.Conjunction | Words.Pronoun) && turn.Lower(i) is not "oh";

    // r and d is not Rand d.
    private static bool HasConjunction(TurnText turn, int from, int to)
    {
        for (var i = from; i <= to; i++)
        {
            if (turn[i].Has(Words.Conjunction) && to > from)
                return true;
        }

        return false;
    }

    // The same but for accents: Mexico, México.
    private static bool SameFolded(TurnText turn, int from, int to, ReadOnlySpan<string> there)
    {
        if (to - from + 1 != there.Length)
            return false;
        for (var w = 0; w < there.Length; w++)
        {
            if (!Phonemes.SameFolded(turn.Lower(from + w), there[w]))
                return false;
        }

        return true;
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
