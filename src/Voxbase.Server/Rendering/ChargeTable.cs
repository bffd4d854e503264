using Spectre.Console;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Rendering;

/// <summary>What a conversation was charged, added up by model, meter and price.</summary>
internal static class ChargeTable
{
    public static void Write(Output output, IReadOnlyList<Charge> charges)
    {
        var table = Tables.New(output, "provider", "model", "meter", "quantity>", "price>", "amount>");
        // A series counts once: its last revision says how much at what price, and the amounts add up to it.
        var series = charges.GroupBy(charge => charge.Corrects ?? charge.Id).Select(s => (Last: s.MaxBy(charge => charge.Revision)!, AmountUsd: s.Sum(charge => charge.AmountUsd ?? 0)));
        foreach (var group in series
            .GroupBy(s => (s.Last.Provider, s.Last.Model, s.Last.Meter, s.Last.UnitPriceUsd, s.Last.Per))
            .OrderBy(group => group.Key.Provider).ThenBy(group => group.Key.Model).ThenBy(group => group.Key.Meter))
        {
            table.AddRow(
                Tables.Cell(group.Key.Provider),
                Tables.Cell(group.Key.Model ?? "unknown"),
                Tables.Cell(group.Key.Meter),
                new Text(Format.Count(group.Sum(s => s.Last.Quantity))),
                group.Key.UnitPriceUsd is { } price ? new Text(PriceTable.PerUnits(price, group.Key.Per)) : new Text("none", new Style(Color.Yellow)),
                new Text(group.Key.UnitPriceUsd is null ? output.Signs.None : Format.Money(group.Sum(s => s.AmountUsd))));
        }

        output.Standard.Write(table);
    }
}
