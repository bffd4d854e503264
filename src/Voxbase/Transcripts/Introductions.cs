using System.Collections.Frozen;

namespace Voxbase.Cleaning;

/// <summary>Where the cleaner knows a name from, and what that allows.</summary>
public enum NameTrust
{
    /// <summary>Heard by a recogniser as somebody said who they are: corrects nothing until a written turn has one of its words, or it is spelled.</summary>
    Introduced,

    /// <summary>Spelled letter by letter.</summary>
    Spelled,

    /// <summary>In a turn that was written.</summary>
    Written,

    /// <summary>A key term or a participant: never ages.</summary>
    KeyTerm,
}

/// <summary>A name that a conversation knows.</summary>
/// <param name="Name">As it is spelled.</param>
/// <param name="Trust">Where from.</param>
/// <param name="Corrects">Whether what sounds like it is corrected to it.</param>
public sealed record KnownName(string Name, NameTrust Trust, bool Corrects);

/// <summary>A name as a turn has it.</summary>
internal readonly record struct SaidName(string Name, NameTrust Trust);

/// <summary>
/// What people say about their own names: "my name is …", and letters, "that's S-M-Y-T-H", "t as in tango", "double l". What was heard is a
/// recogniser's guess; what was spelled is the speaker's word.
/// </summary>
internal static class Introductions
{
    private const int MostWords = 4;
    private const int MostNames = 8;
    private const int FewestLetters = 3;
    private const int MostLetters = 20;

    // How far letters may sound from the name that they spell.
    private const float Alike = .34f;

    private static readonly FrozenDictionary<string, char> Letters = MakeLetters();

    /// <summary>The letter that a word stands for: one itself, its name, or a word of a spelling alphabet; NUL for none.</summary>
    public static char LetterOf(string word) => word.Length == 1 && char.IsLetter(word[0]) ? word[0] : Letters.GetValueOrDefault(word);

    /// <summary>Whether a turn asks for a spelling, or announces one.</summary>
    public static bool AsksToSpell(TurnText turn)
    {
        for (var i = 0; i < turn.Count; i++)
        {
            if (IsAboutSpelling(turn, i))
                return true;
        }

        return false;
    }

    /// <summary>Adds the names that a heard turn introduces and spells.</summary>
    /// <param name="turn">The turn, cleaned.</param>
    /// <param name="asked">Whether the turn before it asked for a spelling.</param>
    /// <param name="introduced">Names that were introduced before.</param>
    /// <param name="found">Where they are added.</param>
    public static void Find(TurnText turn, bool asked, IReadOnlyList<string> introduced, List<SaidName> found)
    {
        var letters = 0;
        for (var i = 0; i < turn.Count && found.Count < MostNames; i++)
        {
            letters += turn[i].Form.Letter == '\0' ? 0 : 1;
            if (turn[i].Form.Introduces)
                Introduced(turn, i, found);
        }

        if (letters < FewestLetters)
            return;
        for (var i = 0; i < turn.Count && found.Count < 2 * MostNames; i++)
        {
            if (Run(turn, i, out var spelled, out var end))
            {
                Spelled(turn, i, end, spelled, asked, introduced, found);
                i = end - 1;
            }
        }
    }

    // A phrase tells its language: a turn that is little else is too short to.
    private static void Introduced(TurnText turn, int at, List<SaidName> found)
    {
        foreach (var language in Language.All)
        {
            foreach (var phrase in language.Introductions)
            {
                if (!Phrases.Follows(turn, turn.Live, at, phrase))
                    continue;
                if (NameAt(turn, at + phrase.Length, language) is { } name)
                    found.Add(new SaidName(name, NameTrust.Introduced));
                return;
            }
        }
    }

    // Words that are neither small nor ordinary, or are written with a capital, up to a mark; a particle only inside.
    private static string? NameAt(TurnText turn, int first, Language language)
    {
        var end = first;
        for (var i = first; i < turn.Count && i - first < MostWords; i++)
        {
            if (turn[i].Kind != TokenKind.Word || (i > first && (turn[i].Before & ~(Gap.Space | Gap.Dash)) != 0) || turn[i].LowerLength < 2)
                break;
            var word = turn[i].Form.In(language);
            if ((word & (Words.Negation | Words.Number)) != 0 || IsAboutSpelling(turn, i) || turn.Lower(i) is "double" or "doppel" or "doble" or "speaking" or "calling")
                break;
            var small = (word & Words.Function) != 0;
            var ordinary = (word & (Words.Function | Words.Common | Words.Ordinary)) != 0 && (word & Words.Known) == 0;
            if (!ordinary || (turn[i].Capitalised && !small))
                end = i + 1;
            else if (i == first || !(turn.Lower(i) is "van" or "von" or "de" or "del" or "la" or "der" or "den" or "al"))
                break;
        }

        return end == first
            ? null
            : string.Join(' ', Enumerable.Range(first, end - first).Select(i => Capital(turn.Surface(i).ToString(), (turn[i].Form.In(language) & Words.Function) != 0)));
    }

    private static string Capital(string word, bool particle) => particle || char.IsUpper(word[0]) ? word : char.ToUpperInvariant(word[0]) + word[1..];

    // Letters from a word on: alone, by their names, doubled, explained or in a spelling alphabet.
    private static bool Run(TurnText turn, int first, out string spelled, out int end)
    {
        Span<char> letters = stackalloc char[MostLetters + 2];
        var (count, items, i) = (0, 0, first);
        while (i < turn.Count && count <= MostLetters && (i == first || (turn[i].Before & ~(Gap.Space | Gap.Dash | Gap.Comma)) == 0))
        {
            var twice = turn.Lower(i) is "double" or "doppel" or "doppelt" or "doble" && i + 1 < turn.Count && turn[i].Form.Letter == '\0' && turn[i + 1].Form.Letter != '\0';
            if (twice)
                i++;
            var letter = turn[i].Form.Letter;
            if (letter == '\0' || turn[i].Kind != TokenKind.Word)
            {
                i -= twice ? 1 : 0;
                break;
            }

            i++;
            items++;
            if (twice && ((letter == 'u' && turn.Language == Language.English) || (letter == 'v' && turn.Language == Language.Spanish)))
                letters[count++] = 'w';
            else if (twice)
                (letters[count], letters[count + 1], count) = (letter, letter, count + 2);
            else
                letters[count++] = letter;
            i = AfterExplanation(turn, i, letter);
        }

        (spelled, end) = (new string(letters[..Math.Min(count, MostLetters)]), i);
        return items >= FewestLetters && count <= MostLetters;
    }

    // "as in sierra", "wie Siegfried", "comme Simone".
    private static int AfterExplanation(TurnText turn, int i, char letter)
    {
        var words = turn.Is(i, "as") && turn.Is(i + 1, "in") ? 2
            : i < turn.Count && turn.Lower(i) is "for" or "like" or "wie" or "comme" or "como" ? 1 : 0;
        return words > 0 && i + words < turn.Count && turn[i + words].LowerLength > 1 && turn.Lower(i + words)[0] == letter ? i + words + 1 : i;
    }

    private static void Spelled(
        TurnText turn, int first, int end, string spelled, bool asked, IReadOnlyList<string> introduced, List<SaidName> found)
    {
        // The name that it spells: one that somebody introduced, or a word right before.
        var (best, distance, name, word) = (spelled, Alike, (string?)null, "");
        foreach (var said in found.Where(one => one.Trust == NameTrust.Introduced).Select(one => one.Name).Concat(introduced))
        {
            foreach (var part in said.Split(' ', '-'))
                Compare(part, said);
        }

        for (var i = Math.Max(0, first - 3); i < first; i++)
        {
            if (turn[i].Kind == TokenKind.Word && !turn[i].Has(Words.Function) && turn[i].LowerLength > 1)
                Compare(turn.Surface(i).ToString(), null);
        }

        var announced = asked && end - first >= turn.Count / 2;
        for (var i = 0; i < first && !announced; i++)
            announced = IsAboutSpelling(turn, i);
        if (word.Length == 0 && !announced)
            return;
        var surface = char.ToUpperInvariant(best[0]) + best[1..];
        found.Add(new SaidName(surface, NameTrust.Spelled));
        if (name is not null && name.Length > word.Length)
            found.Add(new SaidName(name.Replace(word, surface, StringComparison.Ordinal), NameTrust.Spelled));

        void Compare(string candidate, string? whole)
        {
            var sounds = turn.Language.Sounds.Of(candidate.ToLowerInvariant());
            // "a" and "i" before the first letter, or after the last, are words of their own as often.
            for (var trim = 0; trim < 3; trim++)
            {
                if (spelled.Length - (trim > 0 ? 1 : 0) < FewestLetters
                    || (trim == 1 && spelled[0] is not ('a' or 'i' or 'o' or 'y' or 'e')) || (trim == 2 && spelled[^1] is not ('a' or 'i' or 'o' or 'y' or 'e')))
                {
                    continue;
                }

                var letters = trim == 1 ? spelled[1..] : trim == 2 ? spelled[..^1] : spelled;
                var apart = Phonemes.Distance(sounds, turn.Language.Sounds.Of(letters), Alike);
                if (sounds.Length > 0 && apart < distance)
                    (best, distance, name, word) = (letters, apart, whole, candidate);
            }
        }
    }

    private static bool IsAboutSpelling(TurnText turn, int i) => turn.Lower(i) is
        "spell" or "spells" or "spelled" or "spelt" or "spelling" or "buchstabieren" or "buchstabiere" or "buchstabiert" or "geschrieben" or "épeler" or "épelle"
        or "épelez" or "écrit" or "s'écrit" or "deletrear" or "deletreo" or "deletrea" or "deletree" or "deletréelo" or "escribe";

    private static FrozenDictionary<string, char> MakeLetters()
    {
        var found = new Dictionary<string, char>(StringComparer.Ordinal);
        // Names of letters that are no words of these languages; the others are heard as letters.
        foreach (var name in "b:bee,bé c:cee,cé d:dee,dé f:eff,effe,efe g:gee,gé h:aitch,haitch,hache j:jay,jot,jota k:kay,ka l:ele,elle m:eme,emme n:ene,enne ñ:eñe p:pee,pé q:cue,qu r:erre s:ess,esse t:tee,té v:vee,vé,uve,vau x:ixe,equis y:ypsilon,wye z:zee,zed,zett,zeta,zède".Split(' '))
        {
            foreach (var word in name[2..].Split(','))
                found[word] = name[0];
        }

        const string alphabets =
            "alfa alpha bravo charlie delta echo foxtrot golf hotel india juliett juliet kilo lima mike november oscar papa quebec romeo sierra tango uniform victor whiskey whisky xray yankee zulu " +
            "anton berta cäsar dora emil friedrich gustav heinrich ida julius kaufmann ludwig martha nordpol otto paula quelle richard samuel siegfried theodor ulrich viktor wilhelm xanthippe zacharias zeppelin";
        foreach (var word in alphabets.Split(' '))
            found.TryAdd(word, word[0]);
        return found.ToFrozenDictionary(StringComparer.Ordinal);
    }
}
