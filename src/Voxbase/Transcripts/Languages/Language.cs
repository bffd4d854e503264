using System.Collections.Frozen;

namespace Voxbase.Cleaning;

/// <summary>
/// What the cleaner knows of a language: what its words are, and which words together are edit phrases or take back what came before. The lists are
/// written for Voxbase.
/// </summary>
internal sealed class Language
{
    private readonly FrozenDictionary<string, Words>.AlternateLookup<ReadOnlySpan<char>> words;
    private readonly bool stripsEndings;

    private Language(int index, string code, IEnumerable<(Words Is, string List)> lists, bool stripsEndings)
    {
        (Index, Code) = (index, code);
        this.stripsEndings = stripsEndings;
        var table = new Dictionary<string, Words>();
        foreach (var (what, list) in lists)
        {
            foreach (var word in list.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
                table[word] = table.GetValueOrDefault(word) | what;
        }

        words = table.ToFrozenDictionary(StringComparer.Ordinal).GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public static Language English { get; } = new(0, "en", EnglishWords.Lists, stripsEndings: true)
    {
        Sounds = new LetterSounds(EnglishSounds.Rules, EnglishSounds.Letters),
        NameCues = Phrases.Words("from with mr mrs ms dr thanks hi hello by name morning"),
        Introductions = Phrases.Sorted("my name is\nmy name's\nmy first name is\nmy last name is\nmy surname is\nthe name is\nthe name's\ni am called\ni'm called\ncall me"),
        Agreements = Phrases.Words("yeah yes yea yep yup oh okay ok"),
        EditPhrases = EnglishWords.EditPhrases,
        Markers = Phrases.Words("mm yeah right oh okay like"),
        Cues = new Cues(EnglishWords.Cues),
        SingleCues = new Cues(EnglishWords.SingleCues),
    };

    public static Language German { get; } = new(1, "de", GermanWords.Lists, stripsEndings: false)
    {
        Sounds = new LetterSounds(GermanSounds.Rules, GermanSounds.Letters),
        NameCues = Phrases.Words("herr herrn frau firma dr heißt heiße heisse familie hallo"),
        Inflections = Phrases.Words("e en er es em n s t st te ten"),
        LearnedEndings = Phrases.Words("ung ungen heit heiten keit keiten schaft lich liche lichen licher liches isch ische ischen ischer isches bar los lose losen tion tionen ieren iert ierte ität nisse"),
        Introductions = Phrases.Sorted("mein name ist\nmein nachname ist\nmein vorname ist\nder name ist\nich heiße\nich heisse"),
        Agreements = Phrases.Words("ja genau also doch"),
        Cues = new Cues(GermanWords.Cues),
        SingleCues = new Cues(GermanWords.SingleCues),
        Agrees = true,
    };

    public static Language French { get; } = new(2, "fr", FrenchWords.Lists, stripsEndings: false)
    {
        Sounds = new LetterSounds(FrenchSounds.Rules, FrenchSounds.Letters),
        NameCues = Phrases.Words("monsieur madame mademoiselle m mme mlle maître docteur m'appelle s'appelle société chez bonjour"),
        Inflections = Phrases.Words("s x e es"),
        LearnedEndings = Phrases.Words("tion tions ment ments ité ités able ables ible ibles ique iques isme iste istes ence ences ance ances aient eront erait eraient erons erez issez issons ées euse euses ateur ateurs"),
        Introductions = Phrases.Sorted("mon nom est\nmon prénom est\nmon nom c'est\nle nom est\nje m'appelle\nje suis monsieur\nje suis madame"),
        Cues = new Cues(FrenchWords.Cues),
        SingleCues = new Cues(FrenchWords.SingleCues),
        Agrees = true,
    };

    public static Language Spanish { get; } = new(3, "es", SpanishWords.Lists, stripsEndings: false)
    {
        Sounds = new LetterSounds(SpanishSounds.Rules, SpanishSounds.Letters),
        NameCues = Phrases.Words("señor señora señorita sr sra don doña doctor doctora llamo llama hola"),
        Inflections = Phrases.Words("s es"),
        LearnedEndings = Phrases.Words("ción ciones dad dades mente ado ados ada adas ido idos ida idas ando iendo able ables ible ibles miento mientos ancia encia ismo ista istas aron ieron aban arán erán irán ará erá irá"),
        Introductions = Phrases.Sorted("mi nombre es\nmi apellido es\nme llamo\nmi nombre completo es"),
        Cues = new Cues(SpanishWords.Cues),
        SingleCues = new Cues(SpanishWords.SingleCues),
        Agrees = true,
    };

    public static IReadOnlyList<Language> All { get; } = [English, German, French, Spanish];

    /// <summary>Its place in <see cref="All"/>.</summary>
    public int Index { get; }

    /// <summary>Two letters.</summary>
    public string Code { get; }

    /// <summary>Phrases that carry nothing where their guards hold.</summary>
    public IReadOnlyList<EditPhrase> EditPhrases { get; private init; } = [];

    /// <summary>Words that together take back what came before.</summary>
    public Cues Cues { get; private init; } = new("");

    /// <summary>Words that do so when said to a machine.</summary>
    public Cues SingleCues { get; private init; } = new("");

    /// <summary>How its words sound.</summary>
    public required LetterSounds Sounds { get; init; }

    /// <summary>Words that carry nothing in some places.</summary>
    public string[] Markers { get; private init; } = [];

    /// <summary>What people say before their own name. Longer ones first.</summary>
    public string[][] Introductions { get; private init; } = [];

    /// <summary>What forms of a common word end with; English has rules of its own.</summary>
    public string[] Inflections { get; private init; } = [];

    /// <summary>What long words end with that are no names.</summary>
    public string[] LearnedEndings { get; private init; } = [];

    /// <summary>Words after which a name often stands.</summary>
    public string[] NameCues { get; private init; } = [];

    /// <summary>Words that, between two copies of the same words, only agree to them.</summary>
    public string[] Agreements { get; private init; } = [];

    /// <summary>Whether determiners agree with their noun, so that two in a row are one corrected: un une photo.</summary>
    public bool Agrees { get; private init; }

    /// <summary>What a lower-cased word is.</summary>
    public Words Look(ReadOnlySpan<char> word)
    {
        if (words.TryGetValue(word, out var found))
            return found;
        if (stripsEndings)
            return word.Length > 3 ? Inflected(word) : Words.None;
        return IsOrdinaryForm(word) ? Words.Ordinary : Words.None;
    }

    /// <summary>What a lower-cased word may be to the stages.</summary>
    public Roles RolesOf(string word)
    {
        var roles = Roles.None;
        if ((Look(word) & Cleaning.Words.Filler) != 0 || IsDrawnOut(word))
            roles |= Roles.Pause;
        if (Cues.BeginningWith(word).Length + SingleCues.BeginningWith(word).Length > 0)
            roles |= Roles.Cue;
        if (EditPhrases.Any(phrase => phrase.Phrase[0] == word))
            roles |= Roles.Phrase;
        if (Markers.Contains(word))
            roles |= Roles.Marker;
        return roles;
    }

    // A pause drawn out: "euuuh", "emmmm". Each letter once, it is in the list.
    private bool IsDrawnOut(ReadOnlySpan<char> word)
    {
        if (word.Length is < 3 or > 24 || Look(word) != Cleaning.Words.None)
            return false;
        Span<char> once = stackalloc char[word.Length];
        var length = 0;
        foreach (var letter in word)
        {
            if (letter is not ('u' or 'e' or 'a' or 'ä' or 'ö' or 'ü' or 'h' or 'm' or 'r'))
                return false;
            if (length == 0 || once[length - 1] != letter)
                once[length++] = letter;
        }

        if (length == word.Length)
            return false;
        if ((Look(once[..length]) & Cleaning.Words.Filler) != 0)
            return true;
        // So long that it is none of the words that it begins as: ummmm among Germans, euuu.
        return word.Length >= length + 2 && once[..length] is "um" or "uhm" or "em" or "ehm" or "hm" or "hmh" or "mh" or "ämh" or "ähm" or "äm" or "eu" or "euh" or "uh";
    }

    /// <summary>The language of a tag such as <c>en</c> or <c>de-AT</c>; null for one that is not known.</summary>
    public static Language? Find(ReadOnlySpan<char> tag)
    {
        foreach (var language in All)
        {
            if (tag.StartsWith(language.Code, StringComparison.OrdinalIgnoreCase) && (tag.Length == 2 || tag[2] is '-' or '_'))
                return language;
        }

        return null;
    }

    /// <summary>
    /// The language whose small words and fillers are most of a turn's. Another than <paramref name="usual"/> needs two of them, and more than
    /// the usual one has: a name or a borrowed word does not turn a conversation.
    /// </summary>
    public static Language Detect(TurnText turn, Language usual)
    {
        Span<int> seen = stackalloc int[All.Count];
        for (var i = 0; i < Math.Min(turn.Count, 100); i++)
        {
            // "m o r e l l e": letters, no words.
            if (turn[i].LowerLength == 1 && ((i > 0 && turn[i - 1].LowerLength == 1) || (i + 1 < turn.Count && turn[i + 1].LowerLength == 1)))
                continue;
            for (var l = 0; l < seen.Length; l++)
            {
                seen[l] += (turn[i].Form.Small >> l) & 1;
            }
        }

        var best = usual;
        var most = 0;
        for (var l = 0; l < seen.Length; l++)
        {
            if (All[l] == usual)
                most = Math.Max(most, seen[l]);
        }

        for (var l = 0; l < seen.Length; l++)
        {
            if (seen[l] >= 2 && seen[l] > most)
                (best, most) = (All[l], seen[l]);
        }

        return best;
    }

    private Words Inflected(ReadOnlySpan<char> word)
    {
        if (word.EndsWith("'s") && words.TryGetValue(word[..^2], out var owner))
            return owner & (Words.Common | Words.Known);
        return (word.Length > 4 && IsInflected(word)) || (word[^1] == 's' && IsKnown(word[..^1])) ? Words.Common : Words.None;
    }

    // A form of a common word, or a word with an ending that names do not have.
    private bool IsOrdinaryForm(ReadOnlySpan<char> word)
    {
        foreach (var ending in Inflections)
        {
            if (word.Length >= ending.Length + 3 && word.EndsWith(ending) && words.TryGetValue(word[..^ending.Length], out var stem) && (stem & (Words.Common | Words.Ordinary)) != 0)
                return true;
        }

        if (word.Length < 7)
            return false;
        foreach (var ending in LearnedEndings)
        {
            if (word.EndsWith(ending))
                return true;
        }

        return false;
    }

    // English only: plurals, past, participles and adverbs of a common word are common words.
    private bool IsInflected(ReadOnlySpan<char> word)
    {
        Span<char> stem = stackalloc char[40];
        if (word.Length >= stem.Length)
            return false;
        if (word.EndsWith("ies") || word.EndsWith("ied") || word.EndsWith("ily"))
        {
            word[..^3].CopyTo(stem);
            stem[word.Length - 3] = 'y';
            return IsKnown(stem[..(word.Length - 2)]);
        }

        return (word.EndsWith("s") && IsKnown(word[..^1]))
            || (word.EndsWith("es") && IsKnown(word[..^2]))
            || (word.EndsWith("ly") && IsKnown(word[..^2]))
            || EndsAs(word, "ed", stem)
            || EndsAs(word, "er", stem)
            || EndsAs(word, "est", stem)
            || EndsAs(word, "ing", stem)
            || (word.Length >= 7 && HasLearnedEnding(word[^1] == 's' ? word[..^1] : word));
    }

    // mitigation, liquidity, profitable: no name ends so.
    private static bool HasLearnedEnding(ReadOnlySpan<char> word) =>
        word.EndsWith("tion") || word.EndsWith("sion") || word.EndsWith("ment") || word.EndsWith("ness") || word.EndsWith("ity") || word.EndsWith("able")
        || word.EndsWith("ible") || word.EndsWith("ative") || word.EndsWith("ance") || word.EndsWith("ence") || word.EndsWith("ology") || word.EndsWith("ical")
        || word.EndsWith("ship") || word.EndsWith("less") || word.EndsWith("ful") || word.EndsWith("ously") || word.EndsWith("ized") || word.EndsWith("izing")
        || word.EndsWith("ating") || word.EndsWith("ated") || word.EndsWith("ative") || word.EndsWith("ially") || word.EndsWith("ally") || word.EndsWith("ists");

    // With the ending taken off, an e put back, or a doubled consonant undone.
    private bool EndsAs(ReadOnlySpan<char> word, string ending, Span<char> stem)
    {
        if (!word.EndsWith(ending) || word.Length - ending.Length < 2)
            return false;
        var rest = word[..^ending.Length];
        if (IsKnown(rest))
            return true;
        rest.CopyTo(stem);
        stem[rest.Length] = 'e';
        return IsKnown(stem[..(rest.Length + 1)]) || (rest.Length > 3 && rest[^1] == rest[^2] && IsKnown(rest[..^1]));
    }

    private bool IsKnown(ReadOnlySpan<char> word) => words.TryGetValue(word, out var found) && (found & (Words.Common | Words.Function)) != 0;
}

/// <summary>A phrase that carries nothing, and the neighbours among which it means what it says.</summary>
/// <param name="Phrase">Its words.</param>
/// <param name="NotAfter">Words before it that make it part of the sentence.</param>
/// <param name="NotBefore">Words after it that do.</param>
internal sealed record EditPhrase(string[] Phrase, string[] NotAfter, string[] NotBefore);

/// <summary>Phrases that take back what came before.</summary>
internal sealed class Cues
{
    private readonly FrozenDictionary<string, string[][]>.AlternateLookup<ReadOnlySpan<char>> byFirst;

    public Cues(string list)
    {
        All = Phrases.Sorted(list);
        byFirst = All.GroupBy(phrase => phrase[0])
            .ToFrozenDictionary(group => group.Key, group => group.ToArray(), StringComparer.Ordinal)
            .GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>All of them, longer ones first.</summary>
    public string[][] All { get; }

    /// <summary>Those that begin with a word, longer ones first.</summary>
    public ReadOnlySpan<string[]> BeginningWith(ReadOnlySpan<char> word) => byFirst.TryGetValue(word, out var found) ? found : [];
}

/// <summary>Lists of phrases.</summary>
internal static class Phrases
{
    public static string[][] Sorted(string list) =>
        [.. list.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .OrderByDescending(words => words.Length)];

    public static string[] Words(string list) => list.Split(' ', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Whether the live tokens from <paramref name="at"/> on are the phrase, with no end of a sentence inside.</summary>
    public static bool Follows(TurnText turn, ReadOnlySpan<int> live, int at, string[] phrase)
    {
        if (at + phrase.Length > live.Length)
            return false;
        for (var i = 0; i < phrase.Length; i++)
        {
            if (!turn.Lower(live[at + i]).SequenceEqual(phrase[i]) || (i > 0 && turn[live[at + i]].StartsSentence))
                return false;
        }

        return true;
    }
}
