using System.Collections.Frozen;

namespace Voxbase.Cleaning;

/// <summary>
/// What of a model's edits may be done. A model is not trusted to follow its instructions, and a transcript may hold instructions of its own: so each edit
/// is judged by what it would do, whatever the model says of it.
/// </summary>
/// <param name="turn">The turn; what is accepted is proposed to it.</param>
/// <param name="trusted">The terms that may correct others: key terms first.</param>
/// <param name="alternatives">Other hearings of the turn.</param>
internal sealed class LlmGuard(TurnText turn, IReadOnlyList<TermIndex> trusted, IReadOnlyList<TurnText> alternatives)
{
    private const float Farthest = .4f;
    private const float FarthestOfOrdinary = .25f;
    private const float FarthestOfKnown = .1f;
    private const float SameSound = .05f;
    private const double MostDeleted = .4;
    private const int LongestSpan = 12;
    private const int LongestRestart = 6;
    private const int MostWords = 4;
    private const int LongestText = 80;

    // What makes a word mean the opposite.
    private static readonly string[] Prefixes = ["un", "in", "im", "ir", "il", "dis", "non", "mis", "de", "re", "anti", "ab", "a", "en", "ex"];

    // Amounts, times and dates beyond the number words of the languages' tables.
    private static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> Measures = FrozenSet.ToFrozenSet(
        """
        first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth
        nineteenth twentieth thirtieth half quarter dozen once twice couple percent per dollar dollars cent cents euro euros pound pounds franc francs yen
        second seconds minute minutes hour hours day days week weeks month months year years am pm noon midnight o'clock
        today tomorrow yesterday tonight morning afternoon evening night
        monday tuesday wednesday thursday friday saturday sunday january february march april may june july august september october november december
        kilo kilos gram grams kilogram kilograms meter meters metre metres kilometer kilometers mile miles inch inches foot feet liter liters litre litres
        erste ersten erster zweite zweiten dritte dritten halb halbe hälfte viertel ein eine einen einem einer einmal zweimal prozent
        heute morgen gestern montag dienstag mittwoch donnerstag freitag samstag sonntag januar februar märz mai juni juli oktober dezember uhr
        premier première deuxième troisième demi demie moitié un une aujourd'hui demain hier lundi mardi mercredi jeudi vendredi samedi dimanche
        janvier février mars avril juin juillet août septembre octobre novembre décembre heure heures
        primero primera segundo segunda tercero tercera medio media mitad uno una hoy mañana ayer lunes martes miércoles jueves viernes sábado domingo
        enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre hora horas
        """.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Distinct(StringComparer.Ordinal)).GetAlternateLookup<ReadOnlySpan<char>>();

    // Words that carry nothing where a sentence begins or commas set them off.
    private static readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> Markers = FrozenSet.ToFrozenSet(
        "well so okay ok oh yeah like actually basically also halt eben naja quasi ben bon alors enfin pues bueno".Split(' ')).GetAlternateLookup<ReadOnlySpan<char>>();

    // Small words that sound the same, which the letter-to-sound rules, made for names, do not know.
    private static readonly string[][] Homophones =
        [["to", "too"], ["their", "there", "they're"], ["your", "you're"], ["its", "it's"], ["whose", "who's"], ["than", "then"], ["are", "our"], ["by", "buy", "bye"]];

    private readonly TurnText other = new();

    /// <summary>How many edits were accepted.</summary>
    public int Accepted { get; private set; }

    /// <summary>Whether one of them put other words in.</summary>
    public bool HasReworded { get; private set; }

    /// <summary>What was refused and why, with its tokens; without where it has none.</summary>
    public List<(string Rule, int First, int Last, string Text)> Refused { get; } = [];

    /// <summary>Whether a token goes through every edit as it is: a digit, a negation, an amount, a date, an address, code, a quotation.</summary>
    public static bool IsHeld(TurnText turn, int i) =>
        turn[i].Kind != TokenKind.Word || turn[i].Has(Words.Negation | Words.Number) || IsNegated(turn.Lower(i)) || Measures.Contains(turn.Lower(i));

    /// <summary>Judges a model's answer about a segment, and proposes what is left of it to the turn.</summary>
    public void Judge(Segment segment, IReadOnlyList<LlmEdit> edits)
    {
        var taken = new bool[turn.Count];
        var deletions = new List<(int First, int Last, string Reason)>();
        foreach (var edit in edits)
        {
            var (first, last) = (edit.From - 1, edit.To - 1);
            if (first < segment.First || last > segment.Last || last < first)
            {
                Refused.Add(("index", -1, -1, ""));
                continue;
            }

            var rule = last - first >= LongestSpan ? "span"
                : taken.AsSpan(first, last - first + 1).Contains(true) ? "overlap"
                : !edit.IsSure ? "low_confidence"
                : edit.Text.Length == 0 ? Deletion(segment, first, last, edit.Reason)
                : Replacement(first, last, edit.Text);
            if (rule is not null)
            {
                Refused.Add((rule, first, last, edit.Text));
                continue;
            }

            taken.AsSpan(first, last - first + 1).Fill(true);
            if (edit.Text.Length == 0)
                deletions.Add((first, last, edit.Reason));
            else
                Accepted++;
        }

        // Whoever wants to take out that much has not understood: nothing goes.
        var all = deletions.Sum(deletion => deletion.Last - deletion.First + 1) > segment.Count * MostDeleted;
        foreach (var (first, last, reason) in deletions)
        {
            if (all)
            {
                Refused.Add(("too_much", first, last, ""));
                continue;
            }

            Accepted++;
            turn.Delete(first, last, reason, Confidence.Medium);
        }
    }

    // Everybody's contraction of not, and no's.
    private static bool IsNegated(ReadOnlySpan<char> word) => word.EndsWith("n't") || word.StartsWith("kein") || word.StartsWith("n'");

    private string? Deletion(Segment segment, int first, int last, string reason)
    {
        for (var i = first; i <= last; i++)
        {
            if (IsHeld(turn, i))
                return "held";
            if (LlmNeed.IsOfTerm(turn, i, trusted))
                return "term";
        }

        return reason switch
        {
            CorrectionReasons.Filler => IsFiller(first, last) ? null : "no_filler",
            CorrectionReasons.Repetition => IsRepetition(segment, first, last) ? null : "no_repetition",
            CorrectionReasons.FalseStart or CorrectionReasons.Repair => IsRestart(segment, first, last) ? null : "no_restart",
            _ => "deletion",
        };
    }

    private bool IsFiller(int first, int last)
    {
        foreach (var phrase in turn.Language.EditPhrases)
        {
            if (phrase.Phrase.Length == last - first + 1 && Phrases.Follows(turn, turn.Live, first, phrase.Phrase))
                return !IsOneOf(first - 1, phrase.NotAfter) && !IsOneOf(last + 1, phrase.NotBefore);
        }

        for (var i = first; i <= last; i++)
        {
            if (!turn[i].Has(Words.Filler) && !(Markers.Contains(turn.Lower(i)) && IsSetOff(first, last)))
                return false;
        }

        return true;
    }

    private bool IsOneOf(int i, string[] words) => i >= 0 && i < turn.Count && words.Any(word => turn.Is(i, word));

    private bool IsSetOff(int first, int last)
    {
        const Gap off = Gap.Comma | Gap.Dash | Gap.Ellipsis | Gap.End;
        return (turn[first].Before & off) != 0 && (turn[first].StartsSentence || (turn[last + 1].Before & off) != 0);
    }

    // Which stands right before or after it again, word for word.
    private bool IsRepetition(Segment segment, int first, int last)
    {
        var length = last - first + 1;
        if (length == 1 && turn[first].Has(Words.Doubles | Words.DoublesAnywhere))
            return false;
        return Repeats(first, last + 1) || Repeats(first - length, first);

        bool Repeats(int one, int two)
        {
            if (one < segment.First || two + length - 1 > segment.Last || turn[two].StartsSentence)
                return false;
            for (var k = 0; k < length; k++)
            {
                if (!turn.Same(one + k, two + k))
                    return false;
            }

            return true;
        }
    }

    // The sentence goes on after it, and something besides the model's word says that it begins anew: a break, a cue, or its first word again.
    private bool IsRestart(Segment segment, int first, int last)
    {
        var next = last + 1;
        if (last - first >= LongestRestart || next > segment.Last || turn[next].StartsSentence)
            return false;
        if ((turn[next].Before & (Gap.Dash | Gap.Ellipsis | Gap.Broken)) != 0)
            return true;
        for (var i = first; i <= next; i++)
        {
            foreach (var cue in turn.Language.Cues.All)
            {
                if (i + cue.Length - 1 <= Math.Min(next + cue.Length - 1, segment.Last) && Phrases.Follows(turn, turn.Live, i, cue))
                    return true;
            }
        }

        // "to Bob and to Al" is a list.
        return turn.Same(first, next) && !IsList(first, last);
    }

    private bool IsList(int first, int last)
    {
        for (var i = first; i <= last; i++)
        {
            if (turn[i].Has(Words.Conjunction))
                return true;
        }

        return false;
    }

    private string? Replacement(int first, int last, string text)
    {
        if (text.Length > LongestText)
            return "length";
        other.Read(text);
        other.Classify(turn.Language);
        if (other.Count == 0 || other[0].Start > 0)
            return "characters";
        var mark = text[other[other.Count - 1].End..];
        if (mark is not ("" or "," or "." or "?"))
            return "characters";
        for (var k = 0; k < other.Count; k++)
        {
            if (other[k].Kind != TokenKind.Word && !turn.Is(first + k, other.Lower(k).ToString()))
                return "held";
            if (k > 0 && text[other[k - 1].End..other[k].Start] is not (" " or "-"))
                return "characters";
        }

        // Words that both have at the same end are as they should be.
        var length = last - first + 1;
        var (head, tail) = (0, 0);
        while (head < Math.Min(length, other.Count) && SameWord(first + head, head))
            head++;
        while (tail < Math.Min(length, other.Count) - head && SameWord(last - tail, other.Count - 1 - tail))
            tail++;
        if (head + tail == length && length == other.Count)
            return Spelling(first, last, mark);
        if (head + tail >= length)
            return "insertion";
        if (head + tail >= other.Count)
            return "deletion_hidden";
        return Rewording(first + head, last - tail, head, other.Count - 1 - tail);
    }

    private bool SameWord(int i, int k) => turn.Lower(i).SequenceEqual(other.Lower(k));

    // The same words: with other capitals, or a mark after them.
    private string? Spelling(int first, int last, string mark)
    {
        var asked = false;
        for (var i = first; i <= last; i++)
        {
            var surface = other.Surface(i - first);
            if (surface.SequenceEqual(turn.Surface(i)))
                continue;
            asked = true;
            if (turn[i].Kind != TokenKind.Word || turn[i].Has(Words.Negation) || !IsCase(surface))
                return "casing";
        }

        // A mark between two numbers, or after a negation, may make others of them.
        var isMarked = mark.Length > 0 && turn.Raw.AsSpan(turn[last].End, turn[last + 1].Start - turn[last].End).IsWhiteSpace();
        if (isMarked && (IsHeld(turn, last) || (last + 1 < turn.Count && IsHeld(turn, last + 1))))
            return "held";
        if (!asked && !isMarked)
            return "nothing";
        for (var i = first; i <= last; i++)
        {
            var surface = other.Surface(i - first);
            var marked = i == last && isMarked;
            if (marked || !surface.SequenceEqual(turn.Surface(i)))
                turn.Replace(i, i, marked ? surface.ToString() + mark : surface.ToString(), marked ? CorrectionReasons.Punctuation : CorrectionReasons.Casing, Confidence.Medium, 0);
        }

        return null;
    }

    private static bool IsCase(ReadOnlySpan<char> surface)
    {
        var upper = 0;
        foreach (var c in surface)
            upper += char.IsUpper(c) ? 1 : 0;
        return upper == 0 || (upper == 1 && char.IsUpper(surface[0])) || surface.Length <= 5;
    }

    // Tokens from..to become the other text's words there..until.
    private string? Rewording(int from, int to, int there, int until)
    {
        var (length, words) = (to - from + 1, until - there + 1);
        if (length > MostWords || words > MostWords)
            return "span";
        var (unknown, function, known) = (0, 0, 0);
        for (var i = from; i <= to; i++)
        {
            if (IsHeld(turn, i) || (i > from && LexiconMatcher.IsApart(turn, i)))
                return "held";
            if (LlmNeed.IsOfTerm(turn, i, trusted))
                return "term";
            if (!IsLatin(turn.Lower(i)))
                return "distance";
            unknown += turn[i].Has(Words.Common | Words.Ordinary | Words.Function) ? 0 : 1;
            function += turn[i].Has(Words.Function) ? 1 : 0;
            known += turn[i].Has(Words.Known) ? 1 : 0;
        }

        var target = new string[words];
        for (var k = there; k <= until; k++)
        {
            if (IsHeld(other, k))
                return "held";
            if (!IsLatin(other.Lower(k)))
                return "distance";
            target[k - there] = other.Lower(k).ToString();
        }

        if (Contains(target, from, to))
            return "insertion";
        if (ContainedIn(target, from, to))
            return "deletion_hidden";
        var term = trusted.Select(index => TermWith(index, target)).FirstOrDefault(found => found is not null);
        var isHeard = alternatives.Any(alternative => IsIn(alternative, target));
        var distance = Distance(turn.Language.Sounds, from, to, target);
        // A name of another language is said as in English as well.
        if (term is not null && turn.Language != Language.English)
            distance = Math.Min(distance, Distance(Language.English.Sounds, from, to, target));
        var limit = function == length ? SameSound
            : term is not null || isHeard ? Farthest
            : known > 0 ? FarthestOfKnown
            : unknown == length ? Farthest : FarthestOfOrdinary;
        if (!(distance <= limit) && !AreHomophones(from, to, target))
            return "distance";
        // A word that nobody knows may have been misheard to its end; a known one is some form of itself.
        if (!AreHomophones(from, to, target) && (unknown < length || IsBeginning(from, to, target)) && LexiconMatcher.IsInflection(turn, from, to, target))
            return "inflection";
        if (IsOpposite(from, to, target))
            return "opposite";
        if (distance > SameSound && LexiconMatcher.LosesFunctionWord(turn, from, to, target))
            return "function_word";
        // Two ordinary words are as often one: any way, anyway. Which, only the speaker knows.
        if (unknown == 0 && term is null && !isHeard && length != words && LexiconMatcher.SameLetters(turn, from, to, target))
            return "ordinary";
        var surface = term?.Words.Length == words ? term.Surface : other.Raw[other[there].Start..other[until].End];
        if (term is null && surface.Split(' ', '-').Any(word => !IsCase(word)))
            return "casing";
        if (turn[from].Capitalised && (turn[from].StartsSentence || term is null))
            surface = char.ToUpperInvariant(surface[0]) + surface[1..];
        HasReworded = true;
        for (var k = 0; k < other.Count; k++)
        {
            var i = k < there ? from - there + k : k > until ? to + k - until : -1;
            if (i >= 0 && turn[i].Kind == TokenKind.Word && !turn[i].Has(Words.Negation) && IsCase(other.Surface(k)) && !other.Surface(k).SequenceEqual(turn.Surface(i)))
                turn.Replace(i, i, other.Surface(k).ToString(), CorrectionReasons.Casing, Confidence.Medium, 0);
        }

        turn.Replace(from, to, surface, term is null ? CorrectionReasons.Model : CorrectionReasons.Lexicon, Confidence.Medium, term is null ? 0 : 1);
        return null;
    }

    private float Distance(LetterSounds sounds, int from, int to, string[] target)
    {
        Span<byte> said = stackalloc byte[Phonemes.Longest];
        Span<byte> meant = stackalloc byte[Phonemes.Longest];
        var (saidCount, meantCount) = (0, 0);
        for (var i = from; i <= to; i++)
            saidCount += sounds.Write(turn.Lower(i), said[saidCount..]);
        foreach (var word in target)
            meantCount += sounds.Write(word, meant[meantCount..]);
        // Too short to be like anything, or longer than was looked at.
        return saidCount < 2 || meantCount < 2 || saidCount >= Phonemes.Longest || meantCount >= Phonemes.Longest
            ? float.MaxValue
            : Phonemes.Distance(said[..saidCount], meant[..meantCount], 1);
    }

    // Letters that the letter-to-sound rules have sounds for.
    private static bool IsLatin(ReadOnlySpan<char> word)
    {
        foreach (var c in word)
        {
            if (c is > '\u024f' and not '’')
                return false;
        }

        return true;
    }

    // Whether all of the turn's words are among the target's, in order: then the rest was added.
    private bool Contains(string[] target, int from, int to)
    {
        var i = from;
        foreach (var word in target)
            i += i <= to && turn.Is(i, word) ? 1 : 0;
        return i > to;
    }

    private bool ContainedIn(string[] target, int from, int to)
    {
        var k = 0;
        for (var i = from; i <= to && k < target.Length; i++)
            k += turn.Is(i, target[k]) ? 1 : 0;
        return k == target.Length;
    }

    private bool AreHomophones(int from, int to, string[] target)
    {
        if (from != to || target.Length != 1 || turn.Language != Language.English)
            return false;
        foreach (var words in Homophones)
        {
            if (words.Contains(target[0]) && words.Any(word => turn.Is(from, word)))
                return true;
        }

        return false;
    }

    private bool IsBeginning(int from, int to, string[] target) => from == to && target.Length == 1
        && (turn.Lower(from).StartsWith(target[0]) || target[0].AsSpan().StartsWith(turn.Lower(from)));

    private bool IsOpposite(int from, int to, string[] target)
    {
        if (from != to || target.Length != 1)
            return false;
        var word = turn.Lower(from);
        foreach (var prefix in Prefixes)
        {
            if (Prefixed(word, target[0], prefix) || Prefixed(target[0], word, prefix))
                return true;
        }

        return false;

        static bool Prefixed(ReadOnlySpan<char> longer, ReadOnlySpan<char> shorter, string prefix) =>
            longer.Length == shorter.Length + prefix.Length && longer.StartsWith(prefix) && longer.EndsWith(shorter);
    }

    // One of just these words before one that has them among others.
    private static Term? TermWith(TermIndex index, string[] target)
    {
        Term? found = null;
        foreach (var t in index.WithWord(Vocabulary.Find(target[0])))
        {
            if (index[t].Words.AsSpan().IndexOf(target) >= 0 && (found is null || index[t].Words.Length == target.Length))
                found = index[t];
        }

        return found;
    }

    private static bool IsIn(TurnText text, string[] words)
    {
        for (var first = 0; first + words.Length <= text.Count; first++)
        {
            var same = true;
            for (var k = 0; k < words.Length && same; k++)
                same = text.Is(first + k, words[k]);
            if (same)
                return true;
        }

        return false;
    }
}
