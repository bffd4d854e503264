using Voxbase.Cleaning;

namespace Voxbase.Tests.Transcripts;

/// <summary>What holds whatever a model answers: over turns of everything that may not change, and answers of everything that would change it.</summary>
public sealed class LlmGuardTests
{
    private static readonly string[] Pieces =
    [
        "um", "the", "the", "a", "to", "not", "don't", "never", "without", "five", "twenty", "dollars", "percent", "monday", "42", "3.5", "$7.20", "a@b.org",
        "https://x.example/a?b=c", "foo_bar()", "\"so so\"", "`x = x`", "zefirien", "kovalske", "Agnes", "Kowalski", "pump", "vecter", "well", "you", "know",
        "I", "mean", "paid", "is", "here", "very", "very", "loud", "car", "漢字", "é", "\uD800", "👍", "möchte", "l'eau",
    ];

    private static readonly string[] Texts =
    [
        "", "", "", "", "not", "never", "don't", "now", "five", "nine", "43", "42", "percent", "sunday", "zefirian", "Kowalski", "kowalski", "vector", "pumps", "pump,",
        "pump.", "The", "THE", "car and more", "is not", "bump", "hear", "there", "their", "https://evil.example", "\"so\"", "x\ny", "\uD800", "a b c d e f g h",
        "unknown", "Well,", "loudly", "cough", "car?", "wealth", "paid.", "pay", "he", "漢字", "laud",
    ];

    // What a model that means well would say.
    private static readonly Dictionary<string, string> Meant = new()
    {
        ["zefirien"] = "zefirian",
        ["kovalske"] = "Kowalski",
        ["vecter"] = "vector",
        ["pump"] = "bump",
        ["here"] = "here.",
        ["loud"] = "laud",
        ["car"] = "car,",
        ["the"] = "The",
        ["well"] = "",
        ["to"] = "too",
        ["paid"] = "Paid",
    };

    private static readonly string[] Reasons = ["misheard", "filler", "repetition", "false_start", "repair", "casing", "punctuation", "", "obey"];

    private static readonly string[] Joints = [" ", " ", " ", " ", ", ", ". ", "? ", " - ", "… "];

    [Fact]
    public async Task Whatever_a_model_answers_the_corrections_make_the_text_undo_to_the_raw_one_and_held_words_stay()
    {
        var random = new Random(20261121);
        var (accepted, refused) = (0, 0);
        for (var n = 0; n < 1_500; n++)
        {
            var raw = string.Concat(Enumerable.Range(0, random.Next(1, 40)).Select(_ => Pick(Pieces) + Pick(Joints)));
            var state = new CleaningState(new TermIndex(["Agnes Kowalski"]));
            var before = Cleaned.Turn(raw, null, state: state);
            var words = WordsOf(before.Text, before.Language);
            var edits = Enumerable.Range(0, random.Next(0, 12)).Select(_ =>
            {
                var from = random.Next(-1, 42);
                return from >= 1 && from <= words.Count && Meant.TryGetValue(words[from - 1], out var meant) && random.Next(3) > 0
                    ? (from, from, meant, meant.Length == 0 ? "filler" : "misheard")
                    : (from, from + random.Next(-1, 4), Pick(Texts), Pick(Reasons));
            }).ToArray();
            using var cleaner = new LlmCleaner(new ScriptedClient(LlmCleanerTests.Edits(edits)), new LlmCleaningOptions { Timeout = TimeSpan.FromMinutes(1) }, TimeProvider.System);

            var turn = await cleaner.CleanAsync(raw, state, new CleaningRequest { Alternatives = ["something else"] }, cancellationToken: TestContext.Current.CancellationToken);

            var about = $"{n}: {raw} / {string.Join("; ", edits)}";
            if (turn.Llm!.Engine == LlmEngine.Skipped)
                continue;
            turn.Llm.Engine.ShouldBe(LlmEngine.Llm, about);
            Corrections.Apply(raw, turn.Corrections).ShouldBe(turn.Text, about);
            Corrections.UndoAll(turn.Text, turn.Corrections).ShouldBe(raw, about);
            Held(turn.Text, turn.Language).ShouldBe(Held(before.Text, turn.Language), about);
            turn.Corrections.ShouldAllBe(one => one.Confidence != Confidence.Low && raw.Substring(one.Start, one.End - one.Start) == one.Original, about);
            turn.Reported.ShouldAllBe(one => raw.Substring(one.Start, one.End - one.Start) == one.Original, about);
            (turn.Llm.Accepted + turn.Llm.Refused.Values.Sum()).ShouldBe(edits.Length, about);
            // At least three words in five are left.
            WordsOf(turn.Text, turn.Language).Count.ShouldBeGreaterThanOrEqualTo((int)(WordsOf(before.Text, turn.Language).Count * .6) - 1, about);
            // No word comes from nowhere: each is one of the turn's, or of an answer that sounds like one of them.
            foreach (var word in WordsOf(turn.Text, turn.Language).Except(WordsOf(before.Text, turn.Language)))
                word.ShouldBeOneOf("zefirian", "kowalski", "vector", "bump", "hear", "their", "there", "laud", "wealth", "pay", "he", "now", "cough", "unknown", "agnes", "too");
            accepted += turn.Llm.Accepted;
            refused += turn.Llm.Refused.Values.Sum();
        }

        accepted.ShouldBeGreaterThan(100);
        refused.ShouldBeGreaterThan(1_000);

        string Pick(string[] from) => from[random.Next(from.Length)];
    }

    [Fact]
    public async Task An_answer_that_takes_out_most_of_a_turn_takes_out_nothing()
    {
        // None of the copies is one that the deterministic cleaner takes out: they are said three times.
        const string raw = "zefirien zefirien zefirien is here";
        var before = Cleaned.Turn(raw);
        before.Text.ShouldBe(raw);
        using var cleaner = new LlmCleaner(
            new ScriptedClient(LlmCleanerTests.Edits((1, 1, "", "repetition"), (2, 2, "", "repetition"), (3, 3, "", "repetition"))), new LlmCleaningOptions(),
            TimeProvider.System);

        var turn = await cleaner.CleanAsync(raw, new CleaningState(), cancellationToken: TestContext.Current.CancellationToken);

        turn.Llm!.Refused.ShouldBe(new Dictionary<string, int> { ["too_much"] = 3 });
        turn.Text.ShouldBe(raw);
    }

    private static List<string> Held(string text, string language)
    {
        var turn = Read(text, language);
        return [.. Enumerable.Range(0, turn.Count).Where(i => LlmGuard.IsHeld(turn, i)).Select(i => turn.Lower(i).ToString())];
    }

    private static List<string> WordsOf(string text, string language)
    {
        var turn = Read(text, language);
        return [.. Enumerable.Range(0, turn.Count).Select(i => turn.Lower(i).ToString())];
    }

    private static TurnText Read(string text, string language)
    {
        var turn = new TurnText();
        turn.Read(text);
        turn.Classify(Language.Find(language)!);
        return turn;
    }
}
