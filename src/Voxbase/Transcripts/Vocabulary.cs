namespace Voxbase.Cleaning;

/// <summary>What is known of a word, in every language: looked up once, and then for every token that is this word.</summary>
internal sealed class WordForm
{
    private readonly Words english, german, french, spanish;
    private readonly byte agrees, announces;
    private readonly uint roles;
    private byte[]? sounds;
    private byte[]?[]? otherSounds;

    public WordForm(string text, uint hash)
    {
        Text = text;
        Hash = hash;
        english = Language.English.Look(text);
        german = Language.German.Look(text);
        french = Language.French.Look(text);
        spanish = Language.Spanish.Look(text);
        Topic = Cleaning.Topic.OfWord(text);
        Letter = Introductions.LetterOf(text);
        Number = EnglishNumbers.ReadWord(text);
        foreach (var language in Language.All)
        {
            var bit = (byte)(1 << language.Index);
            Small |= (In(language) & (Words.Function | Words.Filler)) != 0 ? bit : (byte)0;
            roles |= (uint)language.RolesOf(text) << (8 * language.Index);
            Introduces |= Array.Exists(language.Introductions, phrase => phrase[0] == text);
            agrees |= language.Agreements.Contains(text) ? bit : (byte)0;
            announces |= language.NameCues.Contains(text) ? bit : (byte)0;
        }
    }

    /// <summary>Lower-cased.</summary>
    public string Text { get; }

    public uint Hash { get; }

    /// <summary>The place in a vote of the topic it speaks for; -1 for none.</summary>
    public int Topic { get; }

    /// <summary>What it is in an English number.</summary>
    public NumberWord Number { get; }

    /// <summary>In which languages it is a small word or a pause: a bit for each, by <see cref="Language.Index"/>.</summary>
    public byte Small { get; }

    /// <summary>Whether, between two copies of the same words, it only says that these are the words: yeah, ja, oui.</summary>
    public bool Agrees(Language language) => ((agrees >> language.Index) & 1) != 0;

    /// <summary>Whether a name often stands after it: from, Frau, monsieur.</summary>
    public bool Announces(Language language) => ((announces >> language.Index) & 1) != 0;

    /// <summary>Whether a phrase in which people say their names begins with it, in any language.</summary>
    public bool Introduces { get; }

    /// <summary>The letter that it stands for when letters are spelled; none: NUL.</summary>
    public char Letter { get; }

    /// <summary>How it sounds in a language.</summary>
    public ReadOnlySpan<byte> SoundsIn(Language language) =>
        language.Index == 0 ? sounds ??= language.Sounds.Of(Text) : (otherSounds ??= new byte[]?[Language.All.Count])[language.Index] ??= language.Sounds.Of(Text);

    public Roles RolesIn(Language language) => (Roles)(byte)(roles >> (8 * language.Index));

    public Words In(Language language) => language.Index switch { 0 => english, 1 => german, 2 => french, _ => spanish };
}

/// <summary>
/// The words met lately, by spelling: shared by all conversations, of bounded size, without locks. A word that is pushed out is looked up anew,
/// with the same result.
/// </summary>
internal static class Vocabulary
{
    private const int Bits = 14;
    private const int Longest = 40;

    private static readonly WordForm?[] Slots = new WordForm?[1 << Bits];

    /// <summary>What stands after the last word.</summary>
    public static WordForm Nothing { get; } = new("", HashSeed);

    public static WordForm Find(ReadOnlySpan<char> text) => Find(Hash(text), text);

    public static WordForm Find(uint hash, ReadOnlySpan<char> text)
    {
        var at = (int)((hash * 0x9E3779B1u) >> (32 - Bits));
        var first = Volatile.Read(ref Slots[at]);
        if (first is not null && first.Hash == hash && text.SequenceEqual(first.Text))
            return first;
        var other = Volatile.Read(ref Slots[at ^ 1]);
        if (other is not null && other.Hash == hash && text.SequenceEqual(other.Text))
            return other;
        var word = new WordForm(text.ToString(), hash);
        if (text.Length > Longest)
            return word;
        // The newest of two stays at its place; the one that was there takes the neighbour's.
        if (first is not null)
            Volatile.Write(ref Slots[at ^ 1], first);
        Volatile.Write(ref Slots[at], word);
        return word;
    }

    /// <summary>The hash that words are found by.</summary>
    public static uint Hash(ReadOnlySpan<char> text)
    {
        var hash = HashSeed;
        foreach (var letter in text)
            hash = Hash(hash, letter);
        return hash;
    }

    public const uint HashSeed = 2166136261u;

    public static uint Hash(uint hash, char letter) => (hash ^ letter) * 16777619u;
}
