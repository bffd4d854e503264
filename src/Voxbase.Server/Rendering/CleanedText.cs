using Spectre.Console;
using Voxbase.Cleaning;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Rendering;

/// <summary>What cleaning changed, to look at.</summary>
internal static class CleanedText
{
    private static readonly Style Gone = new(Color.Red, decoration: Decoration.Strikethrough);
    private static readonly Style Added = new(Color.Green, decoration: Decoration.Bold);

    /// <summary>One turn: what was taken out in red, what stands in its place in green; <c>[-out-]</c> and <c>{+in+}</c> where there are no colours.</summary>
    public static void Write(Output output, int number, string? speaker, string raw, IEnumerable<TurnCorrection> corrections)
    {
        var coloured = output.Standard.Profile.Capabilities.ColorSystem != ColorSystem.NoColors;
        var line = new Paragraph();
        line.Append($"{number,5}  ", Tables.Dim);
        if (speaker is not null)
            line.Append(Plain.Text(speaker) + "  ", Tables.Bold);
        var at = 0;
        foreach (var correction in corrections.Where(correction => correction.Status == CorrectionStatus.Applied))
        {
            line.Append(Plain.Text(raw[at..correction.Position.Start]));
            if (correction.Original.Length > 0)
                line.Append(Plain.Text(coloured ? correction.Original : $"[-{correction.Original}-]"), coloured ? Gone : null);
            if (correction.Corrected.Length > 0)
                line.Append(Plain.Text(coloured ? correction.Corrected : $"{{+{correction.Corrected}+}}"), coloured ? Added : null);
            at = correction.Position.End;
        }

        line.Append(Plain.Text(raw[at..]));
        output.Standard.Write(line);
        output.Standard.WriteLine();
    }

    /// <summary>How many turns and corrections, by reason.</summary>
    public static void WriteSummary(Output output, int turns, int changed, int reported, IEnumerable<KeyValuePair<string, int>> reasons, string? more = null)
    {
        var table = Tables.New(output, "corrections", "count>");
        var some = false;
        foreach (var (reason, count) in reasons.OrderByDescending(pair => pair.Value))
        {
            table.AddRow(Tables.Cell(reason.Replace('_', ' ')), Tables.Cell(Format.Count(count)));
            some = true;
        }

        if (some)
            output.Standard.Write(table);
        output.Standard.Write(new Text($"{output.Signs.Dot} ", new Style(Color.Green)));
        output.Standard.WriteLine(string.Join(
            $" {output.Signs.Separator} ",
            ((string?[])[Format.Counted(turns, "turn"), $"{Format.Count(changed)} changed", $"{Format.Count(reported)} noticed and left", more]).OfType<string>()));
    }
}
