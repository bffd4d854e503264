using System.Collections.Frozen;

namespace Voxbase.Cleaning;

/// <summary>How the words of a language sound, by rules from letters to sounds.</summary>
internal sealed class LetterSounds
{
    // All letters that a language may have rules for: beyond, there is none but what is left without its accent.
    private const int LastLetter = 0x180;

    private readonly Rule[]?[] rules = new Rule[LastLetter][];
    private readonly FrozenDictionary<char, string> letterNames;

    /// <param name="rules">
    /// A rule a line: what must come before (# the edge of the word, V a vowel letter, C a consonant, E one of e i y, . anything), the letters, what must
    /// come after, letter by letter, and the sounds (- for none). More letters come first, then more conditions. Every letter from a to z has one
    /// without a condition; accented ones that have none sound as they do without the accent.
    /// </param>
    /// <param name="letterNames">Letters that are said by their name where they stand alone in a word, each with its name.</param>
    public LetterSounds(string rules, string letterNames)
    {
        var all = new List<Rule>();
        foreach (var line in rules.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var parts = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            all.Add(new Rule(parts[1], parts[0], parts[2], [.. parts[3..].Where(name => name != "-").Select(name => checked((byte)Phonemes.Find(name)))]));
        }

        foreach (var letter in all.GroupBy(rule => rule.Letters[0]))
            this.rules[letter.Key] = [.. letter.OrderByDescending(rule => rule.Letters.Length).ThenByDescending(rule => rule.Conditions)];
        var names = letterNames.Split(' ');
        this.letterNames = names.Chunk(2).ToFrozenDictionary(pair => pair[0][0], pair => pair[1]);
    }

    /// <summary>The sounds of a lower-cased word.</summary>
    public byte[] Of(ReadOnlySpan<char> word)
    {
        Span<byte> sounds = stackalloc byte[Phonemes.Longest];
        return sounds[..Write(word, sounds)].ToArray();
    }

    /// <summary>Writes the sounds of a lower-cased word; gives how many.</summary>
    public int Write(ReadOnlySpan<char> word, Span<byte> sounds)
    {
        Span<char> plain = stackalloc char[Math.Min(word.Length, Phonemes.Longest)];
        var length = 0;
        foreach (var letter in word)
        {
            if (length == plain.Length)
                break;
            var known = letter < LastLetter && rules[letter] is not null ? letter : Phonemes.Fold(letter);
            if (known != '\0')
                plain[length++] = known;
        }

        var letters = plain[..length];
        var count = 0;
        var at = 0;
        while (at < length && count < sounds.Length)
        {
            ref readonly var rule = ref RuleAt(letters, at);
            foreach (var sound in rule.Sounds)
            {
                // Doubled letters are one sound.
                if (count < sounds.Length && (count == 0 || sounds[count - 1] != sound || Phonemes.IsVowel(sound)))
                    sounds[count++] = sound;
            }

            at += rule.Letters.Length;
        }

        return count;
    }

    /// <summary>Writes the sounds of a term's word, in which capitals show parts that are said by themselves: OAuth, LiveSmart, G-CAS.</summary>
    public int WriteSurface(ReadOnlySpan<char> surface, Span<byte> sounds)
    {
        var (count, start) = (0, 0);
        Span<char> lower = stackalloc char[Math.Min(surface.Length, 80)];
        for (var i = 1; i <= surface.Length; i++)
        {
            var ends = i == surface.Length || (char.IsUpper(surface[i]) && (char.IsLower(surface[i - 1]) || (i + 1 < surface.Length && char.IsLower(surface[i + 1]))));
            if (!ends)
                continue;
            var part = surface[start..i];
            part.ToLowerInvariant(lower);
            count += part.Length == 1 && surface.Length > 1 && char.IsUpper(part[0]) && letterNames.TryGetValue(lower[0], out var name)
                ? Write(name, sounds[count..])
                : Write(lower[..part.Length], sounds[count..]);
            start = i;
        }

        return count;
    }

    private ref readonly Rule RuleAt(ReadOnlySpan<char> letters, int at)
    {
        var of = rules[letters[at]]!;
        for (var r = 0; r < of.Length; r++)
        {
            if (of[r].Fits(letters, at))
                return ref of[r];
        }

        throw new InvalidOperationException("Every letter has a rule without a condition.");
    }

    private readonly record struct Rule(string Letters, string Before, string After, byte[] Sounds)
    {
        public int Conditions => (Before == "." ? 0 : 1) + (After == "." ? 0 : After.Length);

        public bool Fits(ReadOnlySpan<char> word, int at)
        {
            if (!word[at..].StartsWith(Letters))
                return false;
            if (Before != "." && !Is(Before[0], at == 0 ? '#' : word[at - 1]))
                return false;
            var end = at + Letters.Length;
            for (var i = 0; i < After.Length && After != "."; i++)
            {
                if (!Is(After[i], end + i >= word.Length ? '#' : word[end + i]))
                    return false;
            }

            return true;
        }

        private static bool Is(char condition, char letter) => condition switch
        {
            '#' => letter == '#',
            'V' => IsVowel(letter),
            'C' => letter != '#' && !IsVowel(letter),
            'E' => letter is 'e' or 'i' or 'y' or 'é' or 'è' or 'ê' or 'ë' or 'î' or 'ï' or 'í',
            _ => letter == condition,
        };

        private static bool IsVowel(char letter) => letter is 'œ' || Phonemes.Fold(letter) is 'a' or 'e' or 'i' or 'o' or 'u' or 'y';
    }
}
