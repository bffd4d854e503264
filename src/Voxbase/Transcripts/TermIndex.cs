using System.Numerics;

namespace Voxbase.Cleaning;

/// <summary>Trusted names and terms, ready to be found under the misspellings of a recogniser. Immutable and shared freely.</summary>
public sealed class TermIndex
{
    /// <summary>No terms.</summary>
    public static TermIndex Empty { get; } = new([]);

    internal const int MostWords = 6;
    private const float Widest = .30f;

    private readonly Term[] terms;
    private readonly int[][] byKey = new int[128][];
    private readonly Dictionary<string, int> byWord = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> byWordSpan;
    private readonly int[][] byAnchor;

    /// <summary>
    /// Key terms: names of people, companies, products, words of a trade. A term of several words is found by its parts too where they are names.
    /// What can only do harm is left out: a single ordinary word, an article, anything with digits.
    /// </summary>
    public TermIndex(IEnumerable<string> surfaces)
        : this(surfaces, isPhrases: false)
    {
    }

    internal TermIndex(IEnumerable<string> surfaces, bool isPhrases)
    {
        var found = new List<Term>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var parts = new List<Term>();
        foreach (var surface in surfaces)
        {
            if (Term.Read(surface, isPhrases) is not { } term || !seen.Add(term.Surface))
                continue;
            found.Add(term);
            if (!isPhrases && term.Words.Length > 1)
            {
                foreach (var part in term.Parts())
                {
                    if (Term.Read(part, isPhrases) is { } single && seen.Add(single.Surface))
                        parts.Add(single);
                }
            }
        }

        // A part that sounds like a term of its own is that term, spelled otherwise.
        var sounds = found.Where(term => term.Words.Length == 1).Select(term => Convert.ToHexString(term.Sounds)).ToHashSet(StringComparer.Ordinal);
        found.AddRange(parts.Where(part => !sounds.Contains(Convert.ToHexString(part.Sounds))));
        terms = [.. found.OrderBy(term => term.Sounds.Length).ThenBy(term => term.Surface, StringComparer.Ordinal)];
        IsPhrases = isPhrases;
        var keys = new List<int>[128];
        var anchors = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        for (var t = 0; t < terms.Length; t++)
        {
            var (first, last) = Phonemes.Keys(terms[t].Sounds);
            (keys[first] ??= []).Add(t);
            (keys[last] ??= []).Add(t);
            foreach (var word in terms[t].Words)
            {
                if (!anchors.TryGetValue(word, out var list))
                    anchors[word] = list = [];
                if (list.Count == 0 || list[^1] != t)
                    list.Add(t);
            }
        }

        for (var k = 0; k < keys.Length; k++)
            byKey[k] = keys[k]?.ToArray() ?? [];
        byAnchor = new int[anchors.Count][];
        foreach (var (word, list) in anchors)
        {
            byAnchor[byWord.Count] = [.. list];
            byWord[word] = byWord.Count;
        }

        byWordSpan = byWord.GetAlternateLookup<ReadOnlySpan<char>>();
        // The more terms there are, the likelier one sounds like anything.
        Strictness = terms.Length > 1000 ? .06f : terms.Length > 400 ? .03f : 0;
    }

    /// <summary>How many terms there are, with the parts of names.</summary>
    public int Count => terms.Length;

    internal bool IsPhrases { get; }

    internal float Strictness { get; }

    internal Term this[int index] => terms[index];

    internal IReadOnlyList<Term> Terms => terms;

    /// <summary>The terms that have this word.</summary>
    internal ReadOnlySpan<int> WithWord(ReadOnlySpan<char> word) => byWordSpan.TryGetValue(word, out var at) ? byAnchor[at] : [];

    /// <summary>The term that sounds nearest to these words, of those that share its first or last consonants.</summary>
    internal void Near(ReadOnlySpan<byte> sounds, uint signature, float most, ref int best, ref float distance, ref int second, ref float secondDistance)
    {
        var (first, last) = Phonemes.Keys(sounds);
        Scan(byKey[first], sounds, signature, most, ref best, ref distance, ref second, ref secondDistance);
        Scan(byKey[last], sounds, signature, most, ref best, ref distance, ref second, ref secondDistance);
    }

    private void Scan(
        int[] list, ReadOnlySpan<byte> sounds, uint signature, float most, ref int best, ref float distance, ref int second, ref float secondDistance)
    {
        if (list.Length == 0)
            return;
        var (shortest, longest) = ((int)(sounds.Length * (1 - Widest)), (int)Math.Ceiling(sounds.Length * (1 + Widest)));
        var (low, high) = (0, list.Length);
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (terms[list[middle]].Sounds.Length < shortest)
                low = middle + 1;
            else
                high = middle;
        }

        for (var l = low; l < list.Length; l++)
        {
            var term = terms[list[l]];
            if (term.Sounds.Length > longest)
                break;
            // Each kind of sound that only one of them has costs something.
            if (BitOperations.PopCount(signature ^ term.Signature) * .125f > most * (sounds.Length + term.Sounds.Length) * .5f)
                continue;
            if (list[l] == best || list[l] == second)
                continue;
            var found = Phonemes.Distance(sounds, term.Sounds, most);
            if (found > most)
                continue;
            if (found < distance)
                (second, secondDistance, best, distance) = (best, distance, list[l], found);
            else if (found < secondDistance)
                (second, secondDistance) = (list[l], found);
        }
    }
}

/// <summary>A trusted term.</summary>
internal sealed class Term
{
    private Term(string surface, string[] words, byte[] sounds)
    {
        Surface = surface;
        Words = words;
        Sounds = sounds;
        Signature = Phonemes.Signature(sounds);
        Letters = string.Concat(words).Replace("'", "", StringComparison.Ordinal);
    }

    /// <summary>As it is written.</summary>
    public string Surface { get; }

    /// <summary>Its words, lower-cased.</summary>
    public string[] Words { get; }

    public byte[] Sounds { get; }

    public uint Signature { get; }

    /// <summary>All of its letters, without spaces.</summary>
    public string Letters { get; }

    public static Term? Read(string surface, bool isPhrase)
    {
        surface = surface.Trim();
        if (surface.Length is < 2 or > 80)
            return null;
        if (surface.StartsWith("the ", StringComparison.OrdinalIgnoreCase))
            surface = surface[4..].TrimStart();
        if (surface.EndsWith("'s", StringComparison.Ordinal) || surface.EndsWith("’s", StringComparison.Ordinal))
            surface = surface[..^2];
        var text = new TurnText();
        text.Read(surface);
        text.Classify(Language.English);
        if (text.Count is 0 or > TermIndex.MostWords)
            return null;
        var words = new string[text.Count];
        Span<byte> sounds = stackalloc byte[Phonemes.Longest];
        var (count, upper, names) = (0, 0, 0);
        for (var i = 0; i < text.Count; i++)
        {
            if (text[i].Kind != TokenKind.Word || (i > 0 && (text[i].Before & ~(Gap.Space | Gap.Dash | Gap.Broken)) != 0))
                return null;
            words[i] = text.Lower(i).ToString();
            var written = Phonemes.WriteSurface(text.Surface(i), sounds[count..]);
            // What ends one word and begins the next is heard once.
            if (count > 0 && written > 1 && sounds[count] == sounds[count - 1] && !Phonemes.IsVowel(sounds[count]))
            {
                sounds.Slice(count + 1, written - 1).CopyTo(sounds[count..]);
                written--;
            }

            count += written;
            foreach (var c in text.Surface(i))
                upper += char.IsUpper(c) ? 1 : 0;
            names += (text[i].Is & (Cleaning.Words.Common | Cleaning.Words.Function)) == 0 ? 1 : 0;
        }

        if (isPhrase)
            return new Term(surface, words, sounds[..count].ToArray());
        // Without a capital, or one ordinary word, it is no name; letters spelled out sound otherwise.
        if (upper == 0 || count < 3 || (words.Length == 1 && (names == 0 || surface.Length < 3 || upper == surface.Length)) || surface.EndsWith('-'))
            return null;
        return new Term(surface, words, sounds[..count].ToArray());
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
