using Spectre.Console;
using Spectre.Console.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Rendering;

/// <summary>The look that tables share.</summary>
internal static class Tables
{
    public static readonly Style Dim = new(decoration: Decoration.Dim);

    public static readonly Style Bold = new(decoration: Decoration.Bold);

    public static readonly Style Money = new(Color.Green, decoration: Decoration.Bold);

    /// <summary>A table with these headings; one that ends in <c>&gt;</c> is for numbers, set to the right.</summary>
    public static Table New(Output output, params string[] headings)
    {
        var table = new Table
        {
            Border = output.Standard.Profile.Capabilities.Unicode ? TableBorder.Rounded : TableBorder.Ascii,
            BorderStyle = new Style(Color.Grey),
        };
        foreach (var heading in headings)
        {
            var isNumber = heading.EndsWith('>');
            table.AddColumn(new TableColumn(new Text(heading.TrimEnd('>'), Bold))
            {
                Alignment = isNumber ? Justify.Right : Justify.Left,
                NoWrap = isNumber,
            });
        }

        return table;
    }

    /// <summary>Words of others as a cell.</summary>
    public static IRenderable Cell(string? text, Style? style = null) => new Text(Plain.Text(text), style);

    /// <summary>Several texts on one line.</summary>
    public static Paragraph Line(params (string Text, Style? Style)[] parts)
    {
        var line = new Paragraph();
        foreach (var (text, style) in parts)
            line.Append(text, style);
        return line;
    }

    /// <summary>Who is speaking, in a colour of its own.</summary>
    public static Style Of(TurnRole role) => role switch
    {
        TurnRole.Assistant => new Style(Color.Aqua),
        TurnRole.User => Bold,
        _ => Dim,
    };

    /// <summary>How far a conversation is.</summary>
    public static Style Of(ConversationStatus status) => new(status switch
    {
        ConversationStatus.Completed => Color.Green,
        ConversationStatus.Failed => Color.Red,
        ConversationStatus.Active => Color.Aqua,
        _ => Color.Yellow,
    });
}
