using Spectre.Console;
using Voxbase.Server.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Tests.Rendering;

public sealed class RenderingTests
{
    [Theory]
    [InlineData("0.02245", "0.022450")]
    [InlineData("0.022450000", "0.022450")]
    [InlineData("0.0152976", "0.0152976")]
    [InlineData("0.000000001", "0.000000001")]
    [InlineData("12", "12.000000")]
    public void Amounts_have_six_to_nine_decimals(string amount, string shown) => Format.Amount(decimal.Parse(amount)).ShouldBe(shown);

    [Theory]
    [InlineData(840, "840 ms")]
    [InlineData(1240, "1.2 s")]
    [InlineData(81_000, "1 min 21 s")]
    [InlineData(7_500_000, "2 h 5 min")]
    public void Times_are_as_exact_as_they_are_short(int ms, string shown) => Format.Milliseconds(ms).ShouldBe(shown);

    [Fact]
    public void Words_of_others_cannot_move_the_cursor()
    {
        Plain.Text("a\u001b[2Jb\u0007\u202ec\nd").ShouldBe("a[2Jbc d");
        Plain.Text("👩‍👧 日本").ShouldBe("👩‍👧 日本");
    }

    [Theory]
    [InlineData("Hello there, friend", "Hello there,", "Hello there, ✂ friend")]
    [InlineData("Hello there", null, "Hello there ✂ interrupted, nobody knows where")]
    [InlineData("Hello there", "", "✂ Hello there")]
    [InlineData("Hello there", "Hullo", "Hello there\n✂ heard: Hullo")]
    public void An_interrupted_turn_shows_where_it_was_cut(string said, string? heard, string shown) =>
        Rendered(Speech.Of(said, heard, interrupted: true, "completed", Signs.Unicode)).ShouldBe(shown);

    [Fact]
    public void Markup_in_what_was_said_stays_what_was_said() =>
        Rendered(Speech.Of("[red]not red[/]", null, interrupted: false, null, Signs.Ascii)).ShouldBe("[red]not red[/]");

    private static string Rendered(Paragraph paragraph)
    {
        using var writer = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(writer), Ansi = AnsiSupport.No });
        console.Profile.Width = 200;
        console.Write(paragraph);
        return string.Join('\n', writer.ToString().TrimEnd().Split('\n').Select(line => line.Trim()));
    }
}
