using Voxbase.Cleaning;

namespace Voxbase.Tests.Transcripts;

/// <summary>Names that a recogniser misheard.</summary>
public sealed class LexiconTests
{
    [Theory]
    [InlineData("Agnes Kowalski", "please ask agnes kovalsky about it", "please ask Agnes Kowalski about it")]
    [InlineData("Thessaly Foods", "thanks to thessalie foods we grew", "thanks to Thessaly Foods we grew")]
    [InlineData("Zephanta", "we moved to zefanta last year", "we moved to Zephanta last year")]
    [InlineData("OAuth", "do you support oh auth here", "do you support OAuth here")]
    public void A_trusted_term_replaces_what_sounds_like_it(string term, string raw, string cleaned)
    {
        var turn = Cleaned.Turn(raw, state: Cleaned.Knowing(term));
        turn.Text.ShouldBe(cleaned);
        turn.TranscriptionErrorDetected.ShouldBeTrue();
        turn.Corrections.ShouldContain(correction => correction.Reason == CorrectionReasons.Lexicon && correction.ContextRelevance == 1);
    }

    [Theory]
    [InlineData("Paul", "call me tomorrow")]
    [InlineData("Marcus", "the markets are open")]
    [InlineData("Apple", "there is ample time")]
    [InlineData("North American", "people in North America")]
    [InlineData("GE Aviation", "our aviation people")]
    [InlineData("Kim", "she came late")]
    [InlineData("Rand", "we invest in r and d here")]
    [InlineData("México", "we opened a shop in Mexico")]
    [InlineData("Daniel", "thanks danielle for that")]
    public void An_ordinary_word_is_never_taken_for_a_name(string term, string raw) =>
        Cleaned.Turn(raw, state: Cleaned.Knowing(term)).Corrections.ShouldBeEmpty();

    [Theory]
    [InlineData(TurnTrust.Written, "the office of Zephanta is closed")]
    [InlineData(TurnTrust.Heard, "the office of zefanta is closed")]
    public void Only_what_was_written_teaches_a_name(TurnTrust trust, string expected)
    {
        var state = Cleaned.After(("Welcome to Zephanta, how can I help?", trust));
        Cleaned.Text("the office of zefanta is closed", state: state).ShouldBe(expected);
    }

    [Fact]
    public void Nothing_is_corrected_without_trusted_terms()
    {
        var state = Cleaned.After(("my name is Zephanta Kowalski", TurnTrust.Heard), ("and this is Thessaly", TurnTrust.Heard));
        foreach (var raw in new[] { "zefanta kovalsky called", "thessalie foods is late", "ask agnes kovalsky" })
            Cleaned.Turn(raw, state: state).Corrections.Where(c => c.Reason == CorrectionReasons.Lexicon).ShouldBeEmpty();
    }

    [Fact]
    public void A_name_of_a_turn_ages_out_and_a_key_term_does_not()
    {
        var state = new CleaningState(new TermIndex(["Thessaly Foods"]), windowSize: 3);
        state.Add("Welcome to Zephanta.", TurnTrust.Written);
        Cleaned.Text("the zefanta office", state: state).ShouldBe("the Zephanta office");
        for (var i = 0; i < 3; i++)
            state.Add("and then we talked about the weather", TurnTrust.Heard);
        state.TurnsHeld.ShouldBe(3);
        Cleaned.Text("the zefanta office", state: state).ShouldBe("the zefanta office");
        Cleaned.Text("thessalie foods is late", state: state).ShouldBe("Thessaly Foods is late");
    }

    [Theory]
    [InlineData("Tell me your name and your role, please.", "I am the vector of finance here", "I am the Director of finance here", "identity_role")]
    [InlineData("Tell me your name and your role, please.", "I study the vector of a disease", "I study the vector of a disease", null)]
    [InlineData("What did you paint?", "a nice present", "a nice present", null)]
    public void A_fixed_phrase_is_restored_while_its_topic_is_talked_about(string before, string raw, string cleaned, string? topic)
    {
        var turn = Cleaned.Turn(raw, state: Cleaned.After((before, TurnTrust.Written)));
        turn.Text.ShouldBe(cleaned);
        if (topic is not null)
            turn.ContextDetected.ShouldBe(topic);
    }

    [Fact]
    public void Two_trusted_names_that_sound_alike_do_not_turn_into_each_other()
    {
        var state = new CleaningState(new TermIndex(["Harrigate"]));
        state.Add("Thank you, Mr Harrowgate.", TurnTrust.Written);
        Cleaned.Text("um please ask Harrowgate and Harrigate", state: state).ShouldBe("please ask Harrowgate and Harrigate");
    }

    [Fact]
    public void Among_many_terms_the_same_one_is_found_as_alone()
    {
        var many = Enumerable.Range(0, 5_000).Select(n => $"{(char)('A' + (n % 26))}or{(char)('a' + (n / 26 % 26))}an{(char)('a' + (n / 676))}vik Teb{n % 7}").Select(name => name.TrimEnd('0', '1', '2', '3', '4', '5', '6'));
        var state = new CleaningState(new TermIndex([.. many, "Agnes Kowalski"]));
        Cleaned.Text("please ask agnes kovalsky about it", state: state).ShouldBe("please ask Agnes Kowalski about it");
    }

    [Fact]
    public void State_rebuilt_from_the_turns_gives_the_same_result()
    {
        var turns = new[]
        {
            ("Welcome to Zephanta. Who is calling?", TurnTrust.Written), ("I, uh, lead sales", TurnTrust.Heard),
            ("Thank you, Agnes Kowalski. What is your role?", TurnTrust.Written),
        };
        const string raw = "so agnes kovalsky works for zefanta as the vector of marketing";
        var (first, second) = (Cleaned.Turn(raw, state: Cleaned.After(turns)), Cleaned.Turn(raw, state: Cleaned.After(turns)));
        first.Text.ShouldBe("so Agnes Kowalski works for Zephanta as the Director of marketing");
        second.Text.ShouldBe(first.Text);
        second.Corrections.ShouldBe(first.Corrections);
        second.ContextTurnsUsed.ShouldBe(3);
    }

    [Fact]
    public void Terms_that_could_only_do_harm_are_left_out() =>
        new TermIndex(["the", "Q4", "et cetera", "Max.", "A", "", "Company"]).Count.ShouldBeLessThanOrEqualTo(1);
}
