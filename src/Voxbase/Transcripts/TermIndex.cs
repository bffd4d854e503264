using System.Numerics;

namespace Voxbase.Cleaning;

/// <summary>
/// Trusted names and terms, ready to be found under the misspellings of a recogniser, by the sounds of English; for turns of another language there
/// is a second one, made when first asked for, in which each term sounds by that language's rules and by the English ones. Immutable and shared freely.
/// </summary>
public sealed class TermIndex
{
    /// <summary>No terms.</summary>
    public static TermIndex Empty { get; } = new([]);

    internal const int MostWords = 6;

    private static int made;

    private const float Widest = .30f;

    /// <summary>The fewest sounds that a term may have to be found under so many.</summary>
    internal static int Shortest(int sounds) => (int)(sounds * (1 - Widest));

    /// <summary>The most.</summary>
    internal static int Longest(int sounds) => (int)Math.Ceiling(sounds * (1 + Widest));

    private readonly Term[] terms;
    private readonly string[] surfaces;
    private readonly TermsRead? read;
    private readonly TermIndex?[] others = new TermIndex?[Language.All.Count];
    // By the key of the first and of the last consonants; put in order when first asked for.
    private readonly List<int>?[] firsts = new List<int>?[Phonemes.KeyCount];
    private readonly List<int>?[] lasts = new List<int>?[Phonemes.KeyCount];
    private readonly SoundList?[] byFirst = new SoundList?[Phonemes.KeyCount];
    private readonly SoundList?[] byLast = new SoundList?[Phonemes.KeyCount];
    private readonly WordMap words;
    private readonly HashSet<uint> letters = [];
    private readonly Dictionary<string, Term> acronyms = new(StringComparer.Ordinal);
    // Sounds of the shortest term and of the longest.
    private readonly int fewest, most;
    // How many terms are found by their sounds.
    private readonly int heard;

    /// <summary>
    /// Key terms: names of people, companies, products, words of a trade. A term of several words is found by its parts too where they are names.
    /// What can only do harm is left out: a single ordinary word, an article, anything with digits.
    /// </summary>
    public TermIndex(IEnumerable<string> surfaces)
        : this(surfaces, isPhrases: false)
    {
    }

    /// <param name="surfaces">The terms.</param>
    /// <param name="isPhrases">Whether they are fixed phrases, not names.</param>
    /// <param name="read">What was read before, which is not read again. With it, the index is for one thread.</param>
    internal TermIndex(IEnumerable<string> surfaces, bool isPhrases, TermsRead? read = null)
        : this([.. surfaces], isPhrases, read, Language.English)
    {
    }

    private TermIndex(string[] surfaces, bool isPhrases, TermsRead? read, Language language)
    {
        (this.surfaces, this.read) = (surfaces, read);
        var found = new List<Term>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var parts = new List<Term>();
        foreach (var surface in surfaces)
        {
            if (Read(surface) is not { } term || !seen.Add(term.Surface))
                continue;
            if (term.IsAcronym)
            {
                acronyms.TryAdd(term.Words[0], term);
                continue;
            }

            found.Add(term);
            if (!isPhrases && term.Words.Length > 1)
            {
                foreach (var part in term.Parts())
                {
                    if (Read(part) is { IsAcronym: false } single && seen.Add(single.Surface))
                        parts.Add(single);
                }
            }
        }

        // A part that sounds like a term of its own is that term, spelled otherwise.
        if (parts.Count > 0)
        {
            var sounds = found.Where(term => term.Words.Length == 1).Select(term => Convert.ToHexString(term.Sounds)).ToHashSet(StringComparer.Ordinal);
            found.AddRange(parts.Where(part => !sounds.Contains(Convert.ToHexString(part.Sounds))));
        }

        heard = found.Count;
        if (language != Language.English)
            found.AddRange(found.Select(term => term.Otherwise).OfType<Term>().ToArray());
        terms = [.. found.OrderBy(term => term.Sounds.Length).ThenBy(term => term.Surface, StringComparer.Ordinal)];
        IsPhrases = isPhrases;
        var anchors = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        for (var t = 0; t < terms.Length; t++)
        {
            var keys = SoundKeys.Of(terms[t].Sounds);
            (firsts[keys.First] ??= []).Add(t);
            (lasts[keys.Last] ??= []).Add(t);
            // What is looked up by letters is there once.
            if (terms[t].IsOtherwise)
                continue;
            letters.Add(terms[t].Words.Aggregate(Vocabulary.HashSeed, (hash, word) => HashLetters(hash, word)));
            foreach (var word in terms[t].Words)
            {
                if (!anchors.TryGetValue(word, out var list))
                    anchors[word] = list = [];
                if (list.Count == 0 || list[^1] != t)
                    list.Add(t);
            }
        }

        words = new WordMap(anchors);
        (fewest, most) = terms.Length == 0 ? (0, 0) : (terms[0].Sounds.Length, terms[^1].Sounds.Length);
        // The more terms there are, the likelier one sounds like anything.
        Strictness = heard > 1000 ? .06f : heard > 400 ? .03f : 0;

        Term? Read(string surface)
        {
            if (read is null)
                return Term.Read(surface, isPhrases, language);
            if (!read.TryGetValue((surface, language.Index), out var term))
                read[(surface, language.Index)] = term = Term.Read(surface, isPhrases, language);
            return term;
        }
    }

    /// <summary>How many terms there are, with the parts of names.</summary>
    public int Count => heard + acronyms.Count;

    /// <summary>These terms for turns of a language.</summary>
    internal TermIndex In(Language language)
    {
        if (language == Language.English || Count == 0)
            return this;
        ref var other = ref others[language.Index];
        // Two threads may make it at once: both are the same, and one stays.
        return Volatile.Read(ref other) ?? Interlocked.CompareExchange(ref other, new TermIndex(surfaces, IsPhrases, read, language), null) ?? other;
    }

    internal bool IsPhrases { get; }

    /// <summary>Tells it from others that a turn is cleaned with.</summary>
    internal int Id { get; } = Interlocked.Increment(ref made);

    internal float Strictness { get; }

    internal Term this[int index] => terms[index];

    internal IReadOnlyList<Term> Terms => terms;

    /// <summary>The terms that have this word.</summary>
    internal ReadOnlySpan<int> WithWord(WordForm word) => words.Find(word);

    /// <summary>The term of capitals alone that is this word; it is put in capitals, and never found by its sound.</summary>
    internal Term? AcronymOf(WordForm word) => acronyms.Count == 0 ? null : acronyms.GetValueOrDefault(word.Text);

    /// <summary>Whether some term may have these letters, however they are parted into words.</summary>
    internal bool HasLetters(uint hash) => letters.Contains(hash);

    /// <summary>Whether some term begins or ends with these consonants and is about as long.</summary>
    internal bool MayHave(in SoundKeys keys, int sounds) =>
        (firsts[keys.First] is not null || lasts[keys.Last] is not null) && fewest <= Longest(sounds) && most >= Shortest(sounds);

    /// <summary>Adds a word to a hash of letters.</summary>
    internal static uint HashLetters(uint hash, ReadOnlySpan<char> word)
    {
        foreach (var letter in word)
            hash = letter == '\'' ? hash : Vocabulary.Hash(hash, letter);
        return hash;
    }

    /// <summary>
    /// The two terms that sound nearest to these words, of those that share its first or last consonants. Each kind of sound that only one of them
    /// has costs something: those that cannot be near for that reason, or for their length, are passed over.
    /// </summary>
    internal void Near(
        ReadOnlySpan<byte> sounds, in SoundKeys keys, float most, NearBuffers buffers, ref int best, ref float distance, ref int second, ref float secondDistance)
    {
        var (first, last) = (keys.First, keys.Last);
        var signature = Phonemes.Signature(sounds);
        var found = buffers.Found;
        found.Clear();
        if (firsts[first] is { } begin)
            (byFirst[first] ??= SoundList.Of(terms, begin, reversed: false)).Near(sounds, signature, most, buffers);
        if (lasts[last] is { } end)
            (byLast[last] ??= SoundList.Of(terms, end, reversed: true)).Near(sounds, signature, most, buffers);
        if (found.Count == 0)
            return;
        if (found.Count > 1)
            found.Sort();
        for (var f = 0; f < found.Count; f++)
        {
            if (f > 0 && found[f] == found[f - 1])
                continue;
            var measured = Phonemes.Distance(sounds, terms[found[f]].Sounds, most);
            if (measured > most)
                continue;
            // The same term said otherwise is no rival.
            if (best >= 0 && terms[best].Surface == terms[found[f]].Surface)
                (best, distance) = measured < distance ? (found[f], measured) : (best, distance);
            else if (measured < distance)
                (second, secondDistance, best, distance) = (best, distance, found[f], measured);
            else if (measured < secondDistance)
                (second, secondDistance) = (found[f], measured);
        }
    }
}

/// <summary>Which terms have a word: a table of the words' hashes, most of which a turn's words miss at once.</summary>
internal sealed class WordMap
{
    private readonly (uint Hash, string? Word, int[] Terms)[] slots;
    // Which of the slots are taken.
    private readonly uint[] taken;

    public WordMap(Dictionary<string, List<int>> words)
    {
        slots = new (uint, string?, int[])[(int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(32, words.Count * 3))];
        taken = new uint[slots.Length / 32];
        foreach (var (word, terms) in words)
        {
            var hash = Vocabulary.Hash(word);
            var at = Place(hash);
            while (slots[at].Word is not null)
                at = (at + 1) & (slots.Length - 1);
            slots[at] = (hash, word, [.. terms]);
            taken[at / 32] |= 1u << (at % 32);
        }
    }

    public ReadOnlySpan<int> Find(WordForm word)
    {
        for (var at = Place(word.Hash); (taken[at / 32] & (1u << (at % 32))) != 0; at = (at + 1) & (slots.Length - 1))
        {
            if (slots[at].Hash == word.Hash && slots[at].Word == word.Text)
                return slots[at].Terms;
        }

        return [];
    }

    private int Place(uint hash) => (int)((hash * 0x9E3779B1u) >> 8) & (slots.Length - 1);
}

/// <summary>Terms by how they are written and the place of the language that they were read in; null for what is no term.</summary>
internal sealed class TermsRead : Dictionary<(string Surface, int Language), Term?>;

/// <summary>What <see cref="TermIndex.Near"/> needs to work.</summary>
internal sealed class NearBuffers
{
    /// <summary>Rows of distances, one for each sound of a term.</summary>
    public float[] Rows { get; } = new float[(Phonemes.Longest + 1) * (Phonemes.Longest + 1)];

    public List<int> Found { get; } = [];
}

/// <summary>
/// Terms in the order of their sounds, forwards or backwards, so that terms which begin alike lie together: what their beginnings cost against what
/// was said is computed once, and a beginning that is too far already rules out all of them.
/// </summary>
internal sealed class SoundList
{
    private readonly int[] terms;
    private readonly byte[] sounds;
    private readonly int[] starts;
    private readonly uint[] signatures;
    private readonly byte[] shared;
    private readonly bool reversed;
    private readonly int longest;

    private SoundList(int[] terms, byte[] sounds, int[] starts, uint[] signatures, byte[] shared, bool reversed)
    {
        (this.terms, this.sounds, this.starts, this.signatures, this.shared, this.reversed) = (terms, sounds, starts, signatures, shared, reversed);
        for (var t = 0; t < terms.Length; t++)
            longest = Math.Max(longest, starts[t + 1] - starts[t]);
    }

    public static SoundList Of(Term[] all, List<int> terms, bool reversed)
    {
        var ordered = terms.Select(t => (Term: t, Sounds: reversed ? [.. all[t].Sounds.Reverse()] : all[t].Sounds)).ToList();
        ordered.Sort((one, other) => one.Sounds.AsSpan().SequenceCompareTo(other.Sounds));
        var starts = new int[ordered.Count + 1];
        var shared = new byte[ordered.Count];
        for (var t = 0; t < ordered.Count; t++)
        {
            starts[t + 1] = starts[t] + ordered[t].Sounds.Length;
            shared[t] = (byte)(t == 0 ? 0 : ordered[t].Sounds.AsSpan().CommonPrefixLength(ordered[t - 1].Sounds));
        }

        return new SoundList(
            [.. ordered.Select(one => one.Term)], [.. ordered.SelectMany(one => one.Sounds)], starts,
            [.. ordered.Select(one => all[one.Term].Signature)], shared, reversed);
    }

    /// <summary>Adds those that may be near; each is to be measured.</summary>
    public void Near(ReadOnlySpan<byte> said, uint signature, float most, NearBuffers buffers)
    {
        var (shortest, farthest) = (TermIndex.Shortest(said.Length), TermIndex.Longest(said.Length));
        var bound = most * (said.Length + Math.Min(farthest, longest)) * .5f + .001f;
        // Each sound more on one side than on the other costs something: what lies farther apart cannot be near.
        var band = (int)(bound / Phonemes.LeastIndel);
        (shortest, farthest) = (Math.Max(shortest, said.Length - band), Math.Min(farthest, said.Length + band));
        var width = said.Length + 1;
        var rows = buffers.Rows;
        Span<byte> turned = stackalloc byte[said.Length];
        Span<float> indels = stackalloc float[said.Length];
        var ready = false;
        // How many sounds of the term looked at last have their row; from which on all are too far.
        var (depth, dead) = (0, int.MaxValue);
        for (var t = 0; t < terms.Length; t++)
        {
            if (shared[t] >= dead)
                continue;
            depth = Math.Min(depth, shared[t]);
            dead = int.MaxValue;
            var length = starts[t + 1] - starts[t];
            if (length < shortest || length > farthest
                || BitOperations.PopCount(signature ^ signatures[t]) * .125f > most * (said.Length + length) * .5f)
            {
                continue;
            }

            if (!ready)
            {
                Begin(said, band, rows, turned, indels);
                ready = true;
            }

            var (near, enough) = (true, (most * (said.Length + length) * .5f) + .001f);
            while (depth < length)
            {
                var row = rows.AsSpan(depth * width, 2 * width);
                depth++;
                var least = Phonemes.Step(
                    turned, indels, sounds[starts[t] + depth - 1], row[..width], row[width..], Math.Max(0, depth - band), Math.Min(said.Length, depth + band));
                if (least > enough)
                {
                    dead = least > bound ? depth : int.MaxValue;
                    near = false;
                    break;
                }
            }

            if (near && rows[(length * width) + said.Length] <= enough)
                buffers.Found.Add(terms[t]);
        }
    }

    // The first row of distances, and what each sound costs alone.
    private void Begin(ReadOnlySpan<byte> said, int band, float[] rows, Span<byte> turned, Span<float> indels)
    {
        said.CopyTo(turned);
        if (reversed)
            turned.Reverse();
        rows[0] = 0;
        for (var j = 0; j < turned.Length; j++)
        {
            indels[j] = Phonemes.Indel(turned[j]);
            if (j <= band)
                rows[j + 1] = rows[j] + indels[j];
        }
    }
}

/// <summary>A trusted term.</summary>
internal sealed class Term
{
    [ThreadStatic]
    private static TurnText? reading;

    private Term(string surface, string[] words, byte[] sounds, LetterSounds letters)
    {
        WordSounds = [.. words.Select(word => letters.Of(word))];
        Surface = surface;
        Words = words;
        Sounds = sounds;
        Signature = Phonemes.Signature(sounds);
    }

    /// <summary>As it is written.</summary>
    public string Surface { get; }

    /// <summary>Its words, lower-cased.</summary>
    public string[] Words { get; }

    public byte[] Sounds { get; }

    /// <summary>Those of each word by itself, as it is spelled.</summary>
    public byte[][] WordSounds { get; }

    public uint Signature { get; }

    /// <summary>The same term as English has it, where that sounds otherwise; null in English.</summary>
    public Term? Otherwise { get; private init; }

    /// <summary>Whether it is one word of capitals alone: how it sounds is not known.</summary>
    public bool IsAcronym { get; private init; }

    /// <summary>Whether it is such a one.</summary>
    public bool IsOtherwise { get; private init; }

    public static Term? Read(string surface, bool isPhrase, Language language)
    {
        surface = surface.Trim();
        if (surface.Length is < 2 or > 80)
            return null;
        if (surface.StartsWith("the ", StringComparison.OrdinalIgnoreCase))
            surface = surface[4..].TrimStart();
        if (surface.EndsWith("'s", StringComparison.Ordinal) || surface.EndsWith("’s", StringComparison.Ordinal))
            surface = surface[..^2];
        var text = reading ??= new TurnText();
        text.Read(surface);
        text.Classify(Language.English);
        if (text.Count is 0 or > TermIndex.MostWords)
            return null;
        var words = new string[text.Count];
        var (upper, names) = (0, 0);
        for (var i = 0; i < text.Count; i++)
        {
            if (text[i].Kind != TokenKind.Word || (i > 0 && (text[i].Before & ~(Gap.Space | Gap.Dash | Gap.Broken)) != 0))
                return null;
            words[i] = text.Lower(i).ToString();
            foreach (var c in text.Surface(i))
                upper += char.IsUpper(c) ? 1 : 0;
            names += ((text[i].Is | text[i].Form.In(language)) & (Cleaning.Words.Common | Cleaning.Words.Ordinary | Cleaning.Words.Function)) == 0 ? 1 : 0;
        }

        var sounds = Sound(text, language.Sounds);
        if (!isPhrase && words.Length == 1 && names > 0 && surface.Length is >= 3 and <= 6 && upper == surface.Length)
            return new Term(surface, words, sounds, language.Sounds) { IsAcronym = true };
        // Without a capital, or one ordinary word, it is no name; letters spelled out sound otherwise.
        if (!isPhrase && (upper == 0 || sounds.Length < 3 || (words.Length == 1 && (names == 0 || surface.Length < 3 || upper == surface.Length)) || surface.EndsWith('-')))
            return null;
        var otherwise = language == Language.English ? [] : Sound(text, Language.English.Sounds);
        return new Term(surface, words, sounds, language.Sounds)
        {
            Otherwise = otherwise.Length < 3 || otherwise.AsSpan().SequenceEqual(sounds) ? null : new Term(surface, words, otherwise, Language.English.Sounds) { IsOtherwise = true },
        };
    }

    private static byte[] Sound(TurnText text, LetterSounds letters)
    {
        Span<byte> sounds = stackalloc byte[Phonemes.Longest];
        var count = 0;
        for (var i = 0; i < text.Count; i++)
        {
            var written = letters.WriteSurface(text.Surface(i), sounds[count..]);
            // What ends one word and begins the next is heard once.
            if (count > 0 && written > 1 && sounds[count] == sounds[count - 1] && !Phonemes.IsVowel(sounds[count]))
            {
                sounds.Slice(count + 1, written - 1).CopyTo(sounds[count..]);
                written--;
            }

            count += written;
        }

        return sounds[..count].ToArray();
    }

    /// <summary>The names in it: each word that is no ordinary one, and runs of words without what stands before a name.</summary>
    public IEnumerable<string> Parts()
    {
        foreach (var part in Surface.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part.Length >= 4 && char.IsUpper(part[0]))
                yield return part;
        }
    }
}
