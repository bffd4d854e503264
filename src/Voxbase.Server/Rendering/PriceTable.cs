using Spectre.Console;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Rendering;

/// <summary>The price book, by model.</summary>
internal static class PriceTable
{
    public static void Write(Output output, IReadOnlyList<Price> prices)
    {
        if (prices.Count == 0)
        {
            output.Error.WriteLine("No prices.", Tables.Dim);
            return;
        }

        var table = Tables.New(output, "model", "meter", "price>", "from (UTC)", "note");
        table.Columns[0].NoWrap = table.Columns[1].NoWrap = table.Columns[3].NoWrap = true;
        (string, string)? before = null;
        foreach (var price in prices)
        {
            var model = (price.Provider, price.Model);
            if (before is not null && before != model)
                table.AddEmptyRow();
            table.AddRow(
                before == model ? new Text("") : Tables.Line((Plain.Text(price.Model), Tables.Bold), ($" {Plain.Text(price.Provider)}", Tables.Dim)),
                Tables.Cell(price.Meter),
                new Text(PerUnits(price.UnitPriceUsd, price.Per)),
                new Text(Format.Day(price.ValidFrom)),
                // Those that came with Voxbase are the rule; what was set here stands out.
                price.IsDefault ? Tables.Cell(price.Note, Tables.Dim) : Tables.Line(("set here", new Style(Color.Green)), ($" {Plain.Text(price.Note)}", null)));
            before = model;
        }

        output.Standard.Write(table);
    }

    /// <summary>For example <c>$32.00 / 1M</c>.</summary>
    public static string PerUnits(decimal price, int per) => per switch
    {
        1 => Format.Price(price),
        1_000_000 => $"{Format.Price(price)} / 1M",
        1_000 => $"{Format.Price(price)} / 1K",
        _ => $"{Format.Price(price)} / {Format.Count(per)}",
    };
}
