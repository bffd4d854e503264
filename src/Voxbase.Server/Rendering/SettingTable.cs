using Spectre.Console;
using Voxbase.Server.Configuration;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Rendering;

/// <summary>A setting as it is shown.</summary>
internal sealed record SettingRow(string Name, string? Value, SettingSource Source, string Variable, string? Description);

/// <summary>Every setting with its meaning. Not a table: descriptions are sentences, and variables are there to be copied.</summary>
internal static class SettingTable
{
    public static void Write(Output output, IReadOnlyList<SettingRow> rows)
    {
        foreach (var row in rows)
        {
            output.Standard.Write(Tables.Line(
                (row.Name, Tables.Bold),
                (" = ", Tables.Dim),
                (row.Value is null ? "(none)" : Plain.Text(row.Value), row.Source == SettingSource.Default ? null : new Style(Color.Green)),
                ($"   {Format.Word(row.Source)} {output.Signs.Separator} {row.Variable}", Tables.Dim)));
            output.Standard.WriteLine();
            if (row.Description is not null)
                output.Standard.Write(new Padder(new Text(row.Description, Tables.Dim), new Padding(4, 0, 2, 0)));
        }
    }
}
