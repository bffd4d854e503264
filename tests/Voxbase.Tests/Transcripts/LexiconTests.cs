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

    [Theory]
    [InlineData("en", "my name is agnes kovalsky, that's K-O-W-A-L-S-K-I", "Kowalski", "Agnes Kowalski")]
    [InlineData("en", "My name is John Smith, that's S M Y T H", "Smyth", "John Smyth")]
    [InlineData("en", "my name is john smith s as in sugar m y t h", "Smyth", "John Smyth")]
    [InlineData("en", "my last name is zefanta spelled zulu echo papa hotel alpha november tango alpha", "Zephanta", null)]
    [InlineData("en", "it is spelled h a double r o w g a t e", "Harrowgate", null)]
    [InlineData("en", "yes that is Kowalsky, K, O, W, A, L, S, K, I", "Kowalski", null)]
    [InlineData("de", "mein Name ist Maier, M A Y E R", "Mayer", null)]
    [InlineData("de", "ich heiße Anna Maier, buchstabiert Martha Anton Ypsilon Emil Richard", "Mayer", "Anna Mayer")]
    [InlineData("fr", "je m'appelle Lucie Morel, m o r e l l e", "Morelle", "Lucie Morelle")]
    [InlineData("es", "me llamo Ana Vidal, se escribe b i d a l", "Bidal", "Ana Bidal")]
    public void A_name_that_is_spelled_is_known_by_its_letters(string language, string raw, string name, string? whole)
    {
        var state = new CleaningState();
        var turn = Cleaned.Turn(raw, language, state: state);
        state.Add(turn, TurnTrust.Heard);
        state.Lexicon().ShouldContain(new KnownName(name, NameTrust.Spelled, true));
        if (whole is not null)
            state.Lexicon().ShouldContain(new KnownName(whole, NameTrust.Spelled, true));
    }

    [Fact]
    public void A_spelled_name_corrects_what_sounds_like_it_until_it_ages_out()
    {
        var state = new CleaningState(windowSize: 3);
        Cleaned.Text("ask agnes kovalsky", state: state).ShouldBe("ask agnes kovalsky");
        state.Add("Could you spell your last name for me?", TurnTrust.Written);
        state.Add("sure k o w a l s k i", TurnTrust.Heard);
        var turn = Cleaned.Turn("um ask agnes kovalsky", state: state);
        turn.Text.ShouldBe("ask agnes Kowalski");
        turn.Corrections.ShouldContain(correction => correction.Reason == CorrectionReasons.Lexicon);
        for (var i = 0; i < 3; i++)
            state.Add("and then we talked about the weather", TurnTrust.Heard);
        state.Lexicon().ShouldBeEmpty();
        Cleaned.Text("ask agnes kovalsky", state: state).ShouldBe("ask agnes kovalsky");
    }

    [Theory]
    [InlineData("my name is zefanta kovalsky", "Zefanta Kovalsky")]
    [InlineData("hi my name's Zefanta", "Zefanta")]
    [InlineData("guten Tag ich heiße Zefanta Kovalsky", "Zefanta Kovalsky")]
    [InlineData("bonjour je m'appelle Zefanta", "Zefanta")]
    [InlineData("hola me llamo Zefanta", "Zefanta")]
    public void A_name_that_somebody_introduced_corrects_nothing_before_it_was_written(string raw, string name)
    {
        var state = new CleaningState();
        state.Add(raw, TurnTrust.Heard);
        state.Lexicon().ShouldBe([new KnownName(name, NameTrust.Introduced, false)]);
        Cleaned.Turn("the zephanta office", "en", state: state).Corrections.ShouldBeEmpty();
        state.Add("Zefanta, thank you.", TurnTrust.Written);
        state.Lexicon().ShouldContain(new KnownName(name, NameTrust.Introduced, true));
        Cleaned.Text("the zephanta office", "en", state: state).ShouldBe("the Zefanta office");
    }

    [Theory]
    [InlineData("my name is not important")]
    [InlineData("my name is on the list")]
    [InlineData("we work with i b m and the u s a")]
    [InlineData("plan b or plan c or d")]
    [InlineData("he plays golf and tango in november")]
    [InlineData("that's an a to z of it all a b c d e")]
    [InlineData("i like golf hotel bravo")]
    public void What_is_no_name_and_no_spelling_of_one_teaches_nothing(string raw)
    {
        var state = new CleaningState();
        state.Add(raw, TurnTrust.Heard);
        state.Lexicon().ShouldBeEmpty();
    }

    [Fact]
    public void A_window_made_anew_knows_the_same_introduced_and_spelled_names()
    {
        var random = new Random(41);
        string[] said =
        [
            "my name is zefanta kovalsky", "that's k o w a l s k i", "um we met at thessalie foods", "yes please", "my name is agnes", "z e p h a n t a", "call me tomorrow",
        ];
        string[] written = ["Could you spell that?", "Thank you, Zefanta.", "Welcome to Thessaly Foods.", "What is your name?"];
        var turns = Enumerable.Range(1, 300).Select(n => random.Next(3) > 0 ? (said[random.Next(said.Length)], TurnTrust.Heard) : (written[random.Next(written.Length)], TurnTrust.Written)).ToList();
        var live = new ContextWindow(TermIndex.Empty, 20);
        for (var through = 1; through <= turns.Count; through++)
        {
            live.Add(through, turns[through - 1].Item1, turns[through - 1].Item2);
            if (through % 37 != 0)
                continue;
            var anew = new ContextWindow(TermIndex.Empty, 20);
            anew.Begin(through);
            while (anew.Through < through)
                anew.Add(anew.Through + 1, turns[anew.Through].Item1, turns[anew.Through].Item2);
            anew.State.Lexicon().ShouldBe(live.State.Lexicon());
            foreach (var raw in said)
                Cleaned.Turn(raw, null, state: anew.State).Corrections.ShouldBe(Cleaned.Turn(raw, null, state: live.State).Corrections);
        }
    }

    [Fact]
    public void Terms_that_could_only_do_harm_are_left_out() =>
        new TermIndex(["the", "Q4", "et cetera", "Max.", "A", "", "Company"]).Count.ShouldBeLessThanOrEqualTo(1);
}
