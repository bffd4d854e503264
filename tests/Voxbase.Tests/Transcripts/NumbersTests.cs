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

    [Fact]
    public void Light_writes_no_numbers() => Cleaned.Text("thirty eight", level: CleaningLevel.Light).ShouldBe("thirty eight");
}
