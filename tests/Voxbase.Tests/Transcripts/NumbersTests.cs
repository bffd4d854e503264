namespace Voxbase.Tests.Transcripts;

/// <summary>Numbers as they are written.</summary>
public sealed class NumbersTests
{
    [Theory]
    [InlineData("thirty eight", "38")]
    [InlineData("four thousand and seven", "4007")]
    [InlineData("minus nineteen point five", "-19.5")]
    [InlineData("two point three million", "2.3 million")]
    [InlineData("ninety second", "92nd")]
    [InlineData("the third of may", "3 may")]
    [InlineData("august ninth nineteen ninety one", "august 9 1991")]
    [InlineData("ten fifteen a m", "10:15 a.m.")]
    [InlineData("quarter to nine", "08:45")]
    [InlineData("eleven dollars and five cents", "$11.05")]
    [InlineData("forty two percent", "42%")]
    [InlineData("sixty five kilometers per hour", "65 km/h")]
    [InlineData("five five five two one two nine eight seven six", "555-212-9876")]
    [InlineData("j dot doe at example dot org", "j.doe@example.org")]
    [InlineData("one hundred twenty million three hundred thousand two hundred and eleven", "120300211")]
    public void A_turn_that_is_nothing_but_a_number_is_written_as_one(string raw, string written) => Cleaned.Text(raw).ShouldBe(written);

    [Theory]
    [InlineData("we sold twenty five thousand of them in two thousand nineteen", "we sold 25000 of them in 2019")]
    [InlineData("sales rose six point two percent to three hundred and twenty nine point three million dollars", "sales rose 6.2% to $329.3 million")]
    [InlineData("call me on march twenty second please", "call me on march 22 please")]
    public void Inside_a_sentence_only_what_is_clearly_a_number_is_written_so(string raw, string written) => Cleaned.Text(raw).ShouldBe(written);

    [Theory]
    [InlineData("meet me at three, not at four")]
    [InlineData("One of them said ten years is fine.")]
    [InlineData("There are 12 or thirteen of us.")]
    [InlineData("two of us are enough")]
    public void What_somebody_wrote_and_small_numbers_stay_words(string raw) => Cleaned.Text(raw).ShouldBe(raw);

    [Theory]
    [InlineData("de", "zwei hundert vier und fünfzig", "254")]
    [InlineData("de", "dreitausendsiebenhundertneunundzwanzig", "3729")]
    [InlineData("de", "minus neunzehn komma fünf", "-19,5")]
    [InlineData("de", "drei komma zwei millionen euro", "€3,2 millionen")]
    [InlineData("de", "zwölf euro und fünf cent", "€12,05")]
    [InlineData("de", "dritter mai neunzehn hundert neun und achtzig", "3. mai 1989")]
    [InlineData("de", "viertel nach neun", "09:15 Uhr")]
    [InlineData("de", "vierzehn uhr dreißig", "14:30 Uhr")]
    [InlineData("de", "siebzig kilometer pro stunde", "70 km/h")]
    [InlineData("de", "zwei fünftel", "2/5")]
    [InlineData("de", "a b at beispiel punkt org", "ab@beispiel.org")]
    [InlineData("fr", "quatre-vingt-dix-sept", "97")]
    [InlineData("fr", "soixante et onze", "71")]
    [InlineData("fr", "mille neuf cent quatre-vingt-deux", "1982")]
    [InlineData("fr", "trente-cinq euros vingt", "35,20 €")]
    [InlineData("fr", "six heures et demie du soir", "18 h 30")]
    [InlineData("fr", "onze heures moins le quart", "10 h 45")]
    [InlineData("fr", "le premier mai deux mille vingt", "le 1er mai 2020")]
    [InlineData("fr", "trente-deuxième", "32ᵉ")]
    [InlineData("fr", "zéro un quatre deux cinq six sept huit neuf zéro", "01 42 56 78 90")]
    [InlineData("es", "trescientos cuarenta y dos mil quince", "342015")]
    [InlineData("es", "siete dólares con ocho centavos", "$7,08")]
    [InlineData("es", "cuatro de mayo de dos mil nueve", "4 de mayo de 2009")]
    [InlineData("es", "las tres y media", "las 3:30")]
    [InlineData("es", "las cinco menos diez", "las 4:50")]
    [InlineData("es", "ana arroba ejemplo punto org", "ana@ejemplo.org")]
    public void German_French_and_Spanish_numbers_are_written_as_those_languages_write_them(string language, string raw, string written) =>
        Cleaned.Text(raw, language).ShouldBe(written);

    [Theory]
    [InlineData("de", "wir haben zweihundertvierzig stück verkauft", "wir haben 240 stück verkauft")]
    [InlineData("fr", "on a vendu deux cent quarante pièces", "on a vendu 240 pièces")]
    [InlineData("es", "entre dieciséis mil y dieciocho mil", "entre 16000 y 18000")]
    [InlineData("de", "ein haus und eine katze", "ein haus und eine katze")]
    [InlineData("de", "die eine sagt ja die andere nein", "die eine sagt ja die andere nein")]
    [InlineData("de", "der hunderteinundzwanzigste brief", "der hunderteinundzwanzigste brief")]
    [InlineData("fr", "un chat et une souris", "un chat et une souris")]
    [InlineData("fr", "la vingt-cinquième heure", "la vingt-cinquième heure")]
    [InlineData("es", "las tres personas que vinieron", "las tres personas que vinieron")]
    [InlineData("es", "una", "una")]
    public void Inside_a_sentence_of_theirs_too_only_what_is_clearly_a_number_is(string language, string raw, string written) =>
        Cleaned.Text(raw, language).ShouldBe(written);

    [Fact]
    public void Light_writes_no_numbers() => Cleaned.Text("thirty eight", level: CleaningLevel.Light).ShouldBe("thirty eight");
}
