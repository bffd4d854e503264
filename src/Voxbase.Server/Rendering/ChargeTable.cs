using Spectre.Console;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Rendering;

/// <summary>What a conversation was charged, added up by model, meter and price.</summary>
internal static class ChargeTable
{
    public static void Write(Output output, IReadOnlyList<Charge> charges)
    {
        var table = Tables.New(output, "provider", "model", "meter", "quantity>", "price>", "amount>");
        foreach (var group in charges
            .GroupBy(charge => (charge.Provider, charge.Model, charge.Meter, charge.UnitPriceUsd, charge.Per))
            .OrderBy(group => group.Key.Provider).ThenBy(group => group.Key.Model).ThenBy(group => group.Key.Meter))
        {
            table.AddRow(
                Tables.Cell(group.Key.Provider),
                Tables.Cell(group.Key.Model ?? "unknown"),
                Tables.Cell(group.Key.Meter),
                new Text(Format.Count(group.Sum(charge => charge.Quantity))),
                group.Key.UnitPriceUsd is { } price ? new Text(PriceTable.PerUnits(price, group.Key.Per)) : new Text("none", new Style(Color.Yellow)),
                new Text(group.Key.UnitPriceUsd is null ? output.Signs.None : Format.Money(group.Sum(charge => charge.AmountUsd ?? 0))));
        }

        output.Standard.Write(table);
    }
}
