using System.Text;
using Voxbase.Cleaning;

namespace Voxbase.Tests.Transcripts;

/// <summary>What holds for every text, language, level and mode: over texts made of everything that cleaning looks for, and of nonsense.</summary>
public sealed class CleaningPropertiesTests
{
    private static readonly string[] Pieces =
    [
        "um", "uh", "äh", "ähm", "euh", "eh", "I", "I'm", "you know", "I mean", "the", "a", "an", "to", "no", "no wait", "or rather", "sorry", "not", "don't", "never",
        "we", "we're", "going", "home", "that", "that's", "is", "was", "like", "right", "yeah", "mm-hmm", "th-", "gar- garden", "num number", "five", "twenty five",
        "hundred", "million", "dollars", "percent", "point", "july", "twenty second", "42", "3.5", "$7.20", "5%", "a@b.org", "https://x.example/a?b=c", "foo_bar()",
        "\"so so, um\"", "\"no wait\"", "\"sorry\"", "`x = x`", "(well)", "agnes", "kovalsky", "Kowalski", "zefirion", "vector of marketing", "der", "die", "das", "und", "nicht", "mein", "meine",
        "le", "la", "l'eau", "de", "d'un", "pas", "el", "la", "no", "muy", "é", "👍", "\u0301", "漢字", "\uD800", "\u0000", "’", "“", "«", "ﬁ", "İ", "ß",
        "zwei hundert", "vierundzwanzigster juli", "und zwanzig", "komma", "millionen", "euro", "uhr", "viertel vor", "hundertste", "neuntel", "quatre-vingt-dix",
        "deux-cent", "vingt-et-unième", "virgule", "heures", "moins le quart", "dos mil", "treinta y", "millones", "trillones", "menos", "coma", "las dos", "y media",
        "dot", "at", "slash", "oh", "double", "o'clock", "p", "m", "s", "x", "uh yeah", "ähm ja", "genau", "my name is", "that's s-m-y-t-h", "sierra mike", "as in",
        "ich heiße", "m a y e r", "je m'appelle", "me llamo", "smith", "or wait", "actually no", "we are, uh, we're", "die das", "l'app l'application", "Baden-Baden",
    ];

    private static readonly string[] Kept = ["42", "3.5", "7.20", "5%", "a@b.org", "https://x.example/a?b=c", "foo_bar", "x = x", "so so, um"];

    private static readonly string[] Negations = ["not", "don't", "never"];

    private static readonly string[] Joints = [" ", " ", " ", " ", ", ", ". ", "? ", " - ", "-", "… ", "\n", "; ", "", "  ", "!"];

    [Fact]
    public void Corrections_applied_give_the_cleaned_text_and_undone_give_the_raw_text() => EachTurn((raw, turn, _) =>
    {
        Corrections.Apply(raw, turn.Corrections).ShouldBe(turn.Text);
        Corrections.Apply(raw, []).ShouldBe(raw);
        Corrections.UndoAll(turn.Text, turn.Corrections).ShouldBe(raw);
        var at = 0;
        foreach (var correction in turn.Corrections)
        {
            correction.Start.ShouldBeGreaterThanOrEqualTo(at);
            raw[correction.Start..correction.End].ShouldBe(correction.Original);
            correction.Confidence.ShouldNotBe(Confidence.Low);
            correction.Original.ShouldNotBe(correction.Corrected);
            at = correction.End;
        }

        turn.Reported.ShouldAllBe(correction => raw.Substring(correction.Start, correction.End - correction.Start) == correction.Original);
    });

    [Fact]
    public void Cleaning_what_is_clean_changes_nothing() => EachTurn((raw, turn, again) => again(turn.Text).Text.ShouldBe(turn.Text, raw));

    [Fact]
    public void Digits_negations_addresses_code_and_quotations_change_only_when_numbers_are_written() => EachTurn((raw, turn, _) =>
    {
        foreach (var correction in turn.Corrections.Where(correction => correction.Reason != CorrectionReasons.Number))
        {
            foreach (var kept in Kept)
                Occurrences(correction.Original, kept).ShouldBe(Occurrences(correction.Corrected, kept), raw);
        }

        // A negation may go as the first of two copies; the last one never does.
        if (turn.Corrections.All(correction => correction.Reason != CorrectionReasons.Repair))
        {
            foreach (var negation in turn.Language == "en" ? Negations : turn.Language == "de" ? ["nicht"] : [])
            {
                if (Has(raw, negation))
                    Has(turn.Text, negation).ShouldBeTrue(raw);
            }
        }
    });

    [Fact]
    public void Nothing_comes_out_only_where_nothing_was_said() => EachTurn((raw, turn, _) =>
    {
        if (string.IsNullOrWhiteSpace(turn.Text))
            raw.Any(char.IsLetterOrDigit).ShouldBeFalse(raw);
    });

    [Theory]
    [InlineData("um ")]
    [InlineData("the the ")]
    [InlineData("no wait ")]
    [InlineData("\"no wait\" to ")]
    [InlineData("five ")]
    [InlineData("\"")]
    [InlineData("“")]
    [InlineData("a-")]
    [InlineData("we're going to uh ")]
    [InlineData("you know ")]
    [InlineData("x@y ")]
    [InlineData("agnes kovalsky ")]
    [InlineData("twenty twenty ")]
    [InlineData("zwei und ")]
    [InlineData("hunderttausend")]
    [InlineData("quatre-vingt-")]
    [InlineData("mil trillones ")]
    [InlineData("cent ")]
    [InlineData("a b c ")]
    [InlineData("my name is ")]
    [InlineData("double ")]
    [InlineData("s as in ")]
    [InlineData("uh yeah ")]
    public void Any_length_is_cleaned(string piece)
    {
        var raw = new StringBuilder().Insert(0, piece, 6_000 / piece.Length).ToString();
        foreach (var level in Enum.GetValues<CleaningLevel>())
        {
            foreach (var language in new[] { "en", "de", "fr", "es" })
            {
                var turn = Cleaned.Turn(raw, language, level, CleaningMode.Assistant, Cleaned.Knowing("Agnes Kowalski"));
                Corrections.Apply(raw, turn.Corrections).ShouldBe(turn.Text);
                Corrections.UndoAll(turn.Text, turn.Corrections).ShouldBe(raw);
                var state = new CleaningState();
                state.Add("Could you spell that?", TurnTrust.Written);
                state.Add(turn, TurnTrust.Heard);
                state.Lexicon().ShouldAllBe(name => name.Name.Length < 200);
            }
        }
    }

    [Fact]
    public void Corrections_of_another_text_are_refused()
    {
        var turn = Cleaned.Turn("well, um, yes it is");
        Should.Throw<VoxbaseException>(() => Corrections.Apply("something else", turn.Corrections)).Error.ShouldBe(CleaningErrors.CorrectionsForeign);
        Should.Throw<VoxbaseException>(() => Corrections.UndoAll("x", [new Correction("a", "bb", Confidence.High, "filler", 0, 1, 0)]))
            .Error.ShouldBe(CleaningErrors.CorrectionsForeign);
    }

    [Fact]
    public void Each_correction_can_be_undone_without_the_others()
    {
        const string raw = "Um, I, I saw the, the gar- garden, you know, near the lake";
        var turn = Cleaned.Turn(raw);
        turn.Corrections.Count.ShouldBeGreaterThan(2);
        for (var i = 0; i < turn.Corrections.Count; i++)
        {
            var undone = Corrections.Apply(raw, turn.Corrections.Where((_, n) => n != i));
            undone.Length.ShouldBe(turn.Text.Length + turn.Corrections[i].Original.Length - turn.Corrections[i].Corrected.Length);
        }
    }

    private static void EachTurn(Action<string, CleanedTurn, Func<string, CleanedTurn>> check)
    {
        var random = new Random(20260517);
        var cleaner = new TurnCleaner();
        var rounds = int.TryParse(Environment.GetEnvironmentVariable("VOXBASE_CLEANING_ROUNDS"), out var asked) ? asked : 300;
        for (var round = 0; round < rounds; round++)
        {
            var text = new StringBuilder();
            for (var n = random.Next(1, 24); n > 0; n--)
                text.Append(Pieces[random.Next(Pieces.Length)]).Append(Joints[random.Next(Joints.Length)]);
            var raw = text.ToString();
            var state = random.Next(2) == 0 ? new CleaningState() : Cleaned.Knowing("Agnes Kowalski", "Zephyrion");
            if (random.Next(2) == 0)
                state.Add("Welcome to Thessaly Foods. What is your role?", TurnTrust.Written);
            if (random.Next(2) == 0)
                state.Add("my name is john smith, that's s m y t h", TurnTrust.Heard);
            var request = new CleaningRequest
            {
                Level = (CleaningLevel)random.Next(3),
                Mode = (CleaningMode)random.Next(2),
                Language = random.Next(3) == 0 ? null : new[] { "en", "de", "fr", "es" }[random.Next(4)],
            };
            check(raw, cleaner.Clean(raw, state, request), next => cleaner.Clean(next, state, request));
        }
    }

    private static int Occurrences(string text, string part) => (text.Length - text.Replace(part, "", StringComparison.Ordinal).Length) / part.Length;

    private static bool Has(string text, string word) =>
        text.Split([' ', ',', '.', '?', '!', ';', '\n', '…', '-', '(', ')', '"', '`', '“', '«'], StringSplitOptions.RemoveEmptyEntries)
            .Contains(word, StringComparer.OrdinalIgnoreCase);
}
