using Voxbase.Cleaning;

namespace Voxbase.Tests.Transcripts;

/// <summary>What is taken out, and what only looks as if it should be.</summary>
public sealed class DisfluencyTests
{
    [Theory]
    [InlineData("en", "I'd like, um, a table for two", "I'd like a table for two")]
    [InlineData("en", "Uh, we close at nine.", "We close at nine.")]
    [InlineData("en", "It opens at ten, uh.", "It opens at ten.")]
    [InlineData("en", "Please open ummmm the door", "Please open the door")]
    [InlineData("de", "Ich hätte ähm gern einen Tisch", "Ich hätte gern einen Tisch")]
    [InlineData("en", "They want to want to see it", "They want to see it")]
    [InlineData("de", "Öffne die die Tür bitte", "Öffne die Tür bitte")]
    [InlineData("fr", "Joue ça sur Zephirion Zephirion ce soir", "Joue ça sur Zephirion ce soir")]
    [InlineData("fr", "Je voudrais euuuh une table", "Je voudrais une table")]
    [InlineData("es", "Quiero, eh, una mesa", "Quiero una mesa")]
    public void Filled_pauses_go_with_their_commas(string language, string raw, string cleaned) => Cleaned.Text(raw, language).ShouldBe(cleaned);

    [Theory]
    [InlineData("en", "I, I think the, the garden is fine", "I think the garden is fine")]
    [InlineData("en", "We can we can go home", "We can go home")]
    [InlineData("en", "in the in the in the morning please", "in the morning please")]
    [InlineData("en", "the, um, the second floor", "the second floor")]
    [InlineData("de", "Ich habe habe ein Problem", "Ich habe ein Problem")]
    [InlineData("fr", "Je veux veux partir demain", "Je veux partir demain")]
    [InlineData("fr", "Annuler annule ma course", "Annule ma course")]
    [InlineData("fr", "Jouons à au Sudoku", "Jouons au Sudoku")]
    [InlineData("fr", "Continuer à mhm m'entraîner", "Continuer à m'entraîner")]
    [InlineData("de", "Öffne neue Apps öffnen.", "Neue Apps öffnen.")]
    [InlineData("de", "Starte bitte Doom starten", "Bitte Doom starten")]
    [InlineData("de", "Ein kurzes Video auf aufnehmen.", "Ein kurzes Video aufnehmen.")]
    [InlineData("de", "Ich will möchte abgeholt werden", "Ich möchte abgeholt werden")]
    [InlineData("de", "Stopp stoppe den Lauf", "Stoppe den Lauf")]
    [InlineData("de", "Halt das das Training an", "Halt das Training an")]
    [InlineData("en", "growth in the, uh, in core loans", "growth in core loans")]
    [InlineData("en", "nothing to say as a, as an answer", "nothing to say as an answer")]
    public void Of_words_said_twice_the_first_go(string language, string raw, string cleaned) => Cleaned.Text(raw, language).ShouldBe(cleaned);

    [Theory]
    [InlineData("the gar- garden gate", "the garden gate")]
    [InlineData("call Sal Sally at home", "call Sally at home")]
    [InlineData("it it's over there", "it's over there")]
    [InlineData("I was I am the tenant", "I am the tenant")]
    [InlineData("write a an answer", "write an answer")]
    [InlineData("the house is, you know, quite old", "the house is quite old")]
    [InlineData("but, I mean, nobody came", "but nobody came")]
    public void Beginnings_given_up_and_phrases_that_carry_nothing_go(string raw, string cleaned) => Cleaned.Text(raw).ShouldBe(cleaned);

    [Theory]
    [InlineData("fly to Lisbon no wait to Porto please", "fly to Porto please")]
    [InlineData("the red one or rather the green one", "the green one")]
    [InlineData("Who wrote no sorry what is the title of the book?", "What is the title of the book?")]
    public void What_a_compound_cue_takes_back_goes(string raw, string cleaned) => Cleaned.Text(raw).ShouldBe(cleaned);

    [Fact]
    public void A_single_word_takes_back_only_when_said_to_a_machine()
    {
        const string raw = "Where is the station no the airport?";
        Cleaned.Text(raw).ShouldBe(raw);
        Cleaned.Text(raw, mode: CleaningMode.Assistant).ShouldBe("Where is the airport?");
    }

    [Theory]
    [InlineData("en", "He had had enough of that.")]
    [InlineData("en", "I know that that is so.")]
    [InlineData("en", "No, no, it is far too much.")]
    [InlineData("en", "Sydney, Sydney is what she calls him.")]
    [InlineData("en", "Do you know where he is?")]
    [InlineData("en", "That is what I mean.")]
    [InlineData("en", "The UM team works in the ER.")]
    [InlineData("en", "These are pre- and post-war houses.")]
    [InlineData("en", "The code is four four seven.")]
    [InlineData("en", "What it was was a mistake.")]
    [InlineData("en", "If he comes, he comes.")]
    [InlineData("en", "Wait for me and don't be sorry.")]
    [InlineData("de", "Er geht um den See.")]
    [InlineData("de", "Das, das du suchst, ist weg.")]
    [InlineData("de", "Alle, die die Stadt kennen, sind da.")]
    [InlineData("de", "Wir fahren nach Baden Baden weiter.")]
    [InlineData("en", "He won, but that, that's racing.")]
    [InlineData("en", "They hold a third, a third, a third.")]
    [InlineData("fr", "J'arrive dans dix min minutes comprises.")]
    [InlineData("fr", "Vous vous trompez, et nous nous taisons.")]
    [InlineData("es", "Eh, oye, no, no es eso.")]
    public void Fluent_speech_stays_as_it_is(string language, string raw) => Cleaned.Turn(raw, language).Corrections.ShouldBeEmpty();

    [Theory]
    [InlineData("set it to 5 no wait to 6")]
    [InlineData("do not no wait open it")]
    public void Digits_and_negations_are_not_taken_back_but_reported(string raw)
    {
        var turn = Cleaned.Turn(raw);
        turn.Text.ShouldBe(raw);
        turn.Reported.ShouldContain(correction => correction.Reason == CorrectionReasons.Repair && correction.Confidence == Confidence.Low);
    }

    [Theory]
    [InlineData("en", "the sign \"no wait\" hangs on the door", CleaningMode.Conversation)]
    [InlineData("en", "take me to the \"sorry\" page of it", CleaningMode.Assistant)]
    [InlineData("es", "pulsa la tecla \"no\" del mando", CleaningMode.Assistant)]
    public void A_cue_in_quotation_marks_takes_nothing_back(string language, string raw, CleaningMode mode) =>
        Cleaned.Text(raw, language, mode: mode).ShouldBe(raw);

    [Fact]
    public void A_turn_of_nothing_but_fillers_is_an_answer_and_stays() => Cleaned.Text("Uh, um...").ShouldBe("Uh, um...");

    [Fact]
    public void Light_leaves_what_was_said_and_none_leaves_everything()
    {
        const string raw = "Um, I, I live, you know, near near the lake no wait the sea";
        Cleaned.Text(raw, level: CleaningLevel.Light).ShouldBe("I live, you know, near the lake no wait the sea");
        Cleaned.Turn(raw, level: CleaningLevel.None).Corrections.ShouldBeEmpty();
        Cleaned.Text(raw, level: CleaningLevel.None).ShouldBe(raw);
    }

    [Fact]
    public void The_language_is_detected_and_stays_with_the_conversation()
    {
        Cleaned.Turn("ich möchte ähm einen Termin", language: null).Language.ShouldBe("de");
        Cleaned.Turn("je voudrais euh une table", language: null).Language.ShouldBe("fr");
        var state = Cleaned.After(("Guten Tag, was kann ich für Sie tun?", TurnTrust.Written));
        Cleaned.Turn("Dienstag", language: null, state: state).Language.ShouldBe("de");
    }

    [Fact]
    public void A_language_that_is_none_of_the_four_is_refused() =>
        Should.Throw<VoxbaseException>(() => Cleaned.Text("hei", "fi")).Error.ShouldBe(CleaningErrors.LanguageUnknown);
}
