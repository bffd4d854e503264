using Voxbase.Cleaning;

namespace Voxbase.Tests.Transcripts;

/// <summary>The marks and capitals around what is taken out, and those that a word has wherever it stands.</summary>
public sealed class MarksAndCapitalsTests
{
    [Theory]
    [InlineData("en", "Um, the report is ready.", "The report is ready.")]
    [InlineData("en", "We met on Monday. Uh, then we left.", "We met on Monday. Then we left.")]
    [InlineData("en", "He came, um, and left.", "He came and left.")]
    [InlineData("en", "He came, uh.", "He came.")]
    [InlineData("en", "He came, uh, .", "He came.")]
    [InlineData("en", "Really, um?", "Really?")]
    [InlineData("en", "Uh... the door is open.", "The door is open.")]
    [InlineData("en", "Well — uh — we left.", "Well — we left.")]
    [InlineData("en", "He said, um, \"go home\" twice.", "He said, \"go home\" twice.")]
    [InlineData("en", "He said um \"go home\" twice.", "He said \"go home\" twice.")]
    [InlineData("en", "We left, um, (late) today.", "We left (late) today.")]
    [InlineData("en", "We left (uh) today.", "We left today.")]
    [InlineData("en", "(Um) we left.", "we left.")]
    [InlineData("en", "We left [uh, um].", "We left.")]
    [InlineData("en", "We left (uh, late) today.", "We left (late) today.")]
    [InlineData("de", "Äh, der Bericht ist fertig.", "Der Bericht ist fertig.")]
    [InlineData("de", "Und dann, äh, kam er.", "Und dann kam er.")]
    [InlineData("de", "Er sagte, äh, dass er kommt.", "Er sagte, dass er kommt.")]
    [InlineData("de", "Ich weiß, ähm, was du meinst.", "Ich weiß, was du meinst.")]
    [InlineData("de", "Es gibt, äh, Berichte und, ähm, Listen.", "Es gibt Berichte und Listen.")]
    [InlineData("de", "Er sagte, ähm, „komm nach Hause“.", "Er sagte, „komm nach Hause“.")]
    [InlineData("de", "Der, äh, der Bericht ist fertig.", "Der Bericht ist fertig.")]
    [InlineData("fr", "Euh, est-ce prêt ?", "Est-ce prêt ?")]
    [InlineData("fr", "Il est prêt, euh ?", "Il est prêt ?")]
    [InlineData("fr", "Il est prêt, euh, ?", "Il est prêt ?")]
    [InlineData("fr", "Il dit euh « viens ici ».", "Il dit « viens ici ».")]
    [InlineData("fr", "Il dit, euh, « viens ici ».", "Il dit « viens ici ».")]
    [InlineData("fr", "Bon ; euh ; on y va.", "Bon ; on y va.")]
    [InlineData("es", "¿Em, dónde está?", "¿Dónde está?")]
    [InlineData("es", "Mmm, ¿dónde está?", "¿Dónde está?")]
    [InlineData("es", "Bueno, um, ¿dónde está?", "Bueno, ¿dónde está?")]
    [InlineData("es", "¡Um, qué bien!", "¡Qué bien!")]
    [InlineData("es", "¿Dónde está, um?", "¿Dónde está?")]
    [InlineData("es", "¿El el informe está listo?", "¿El informe está listo?")]
    public void Marks_and_capitals_stay_right_around_what_is_taken_out(string language, string raw, string cleaned)
    {
        var turn = Cleaned.Turn(raw, language);
        turn.Text.ShouldBe(cleaned);
        Corrections.Apply(raw, turn.Corrections).ShouldBe(cleaned);
        Cleaned.Turn(cleaned, language).Corrections.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("so i think i'm late and i'll call", "so I think I'm late and I'll call")]
    [InlineData("um i have no idea what i’d say", "I have no idea what I’d say")]
    [InlineData("Yes, i know.", "Yes, I know.")]
    [InlineData("it's what i was told because i asked", "it's what I was told because I asked")]
    public void The_pronoun_is_a_capital(string raw, string cleaned)
    {
        var turn = Cleaned.Turn(raw);
        turn.Text.ShouldBe(cleaned);
        turn.Corrections.ShouldContain(correction => correction.Reason == CorrectionReasons.Casing && correction.Confidence == Confidence.High);
        Cleaned.Turn(cleaned).Corrections.ShouldBeEmpty();
        Cleaned.Turn(raw, level: CleaningLevel.None).Corrections.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("i")]
    [InlineData("part i of the book")]
    [InlineData("for i in range")]
    [InlineData("we moved to i b m last year")]
    [InlineData("option i is better")]
    [InlineData("see section 2 i have marked")]
    [InlineData("the i-th row")]
    [InlineData("set `i` to one")]
    public void A_letter_or_a_number_stays_small(string raw) => Cleaned.Turn(raw).Text.ShouldBe(raw);

    [Theory]
    [InlineData("de", "i have gesagt")]
    [InlineData("es", "i think que no")]
    public void The_pronoun_is_English_only(string language, string raw) => Cleaned.Turn(raw, language).Text.ShouldBe(raw);

    [Theory]
    [InlineData("en", "EBITDA", "our ebitda grew", "our EBITDA grew")]
    [InlineData("en", "iPhone", "my iphone is broken", "my iPhone is broken")]
    [InlineData("en", "de la Cruz", "ask maria de la cruz", "ask maria de la Cruz")]
    [InlineData("de", "DSGVO", "das regelt die dsgvo", "das regelt die DSGVO")]
    [InlineData("fr", "SNCF", "le train de la sncf est là", "le train de la SNCF est là")]
    [InlineData("es", "RENFE", "el tren de renfe llegó", "el tren de RENFE llegó")]
    public void A_trusted_term_is_written_as_it_is_given(string language, string term, string raw, string cleaned)
    {
        var turn = Cleaned.Turn(raw, language, state: Cleaned.Knowing(term));
        turn.Text.ShouldBe(cleaned);
        turn.Corrections.ShouldHaveSingleItem().Reason.ShouldBe(CorrectionReasons.Casing);
        Cleaned.Turn(cleaned, language, state: Cleaned.Knowing(term)).Corrections.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("en", "IT", "we think it is good")]
    [InlineData("en", "WHO", "tell me who came")]
    [InlineData("en", "EBITDA", "the evita song")]
    [InlineData("fr", "PAR", "il passe par là")]
    [InlineData("de", "DAS", "das ist gut")]
    public void An_ordinary_word_is_no_acronym_and_none_is_found_by_its_sound(string language, string term, string raw) =>
        Cleaned.Turn(raw, language, state: Cleaned.Knowing(term)).Corrections.ShouldBeEmpty();
}
