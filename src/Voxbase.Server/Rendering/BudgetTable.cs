using System.Globalization;
using Spectre.Console;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Rendering;

/// <summary>Budgets, and where a user stands.</summary>
internal static class BudgetTable
{
    public static void Write(Output output, IReadOnlyList<Budget> budgets)
    {
        var table = Tables.New(output, "budget of", "limit a month>", "alert at>", "at the limit", "override");
        foreach (var budget in budgets)
        {
            table.AddRow(
                budget.Tier is { } tier ? Tables.Line(("tier ", Tables.Dim), (Format.Word(tier), Tables.Bold)) : Tables.Cell(budget.Email ?? budget.UserId.ToString()),
                Or(budget.LimitUsd, Format.Price),
                Or(budget.AlertRatio, Percent),
                budget.OnExceed is { } onExceed ? new Text(Format.Word(onExceed)) : Tables.Cell("as the tier", Tables.Dim),
                budget.OverrideUntil is { } until
                    ? Tables.Cell($"{Format.Price(budget.OverrideLimitUsd!.Value)} until {Format.Day(until)}{(budget.OverrideNote is { } note ? $": {note}" : "")}")
                    : new Text(""));
        }

        output.Standard.Write(table);

        static Text Or(decimal? value, Func<decimal, string> show) =>
            value is { } given ? new Text(show(given)) : new Text("as the tier", Tables.Dim);
    }

    public static void Write(Output output, BudgetPosition position)
    {
        var separator = $" {output.Signs.Separator} ";
        var left = Math.Max(0, position.LimitUsd - position.SpentUsd - position.ReservedUsd);
        var alarming = position.Ratio >= 1 ? new Style(Color.Red) : position.Ratio >= position.AlertRatio ? new Style(Color.Yellow) : new Style(Color.Green);
        output.Standard.Write(Tables.Line(
            (Plain.Text(position.Email ?? position.UserId.ToString()), Tables.Bold),
            (separator, Tables.Dim),
            ($"month from {position.Month.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}", null),
            (separator, Tables.Dim),
            ($"{Format.Money(position.SpentUsd)} of {Format.Price(position.LimitUsd)} spent ({Percent(position.Ratio)})", alarming)));
        output.Standard.WriteLine();
        string?[] details =
        [
            $"{Format.Money(position.ReservedUsd)} held by running calls",
            $"{Format.Money(left)} left",
            $"alert at {Percent(position.AlertRatio)}",
            $"then {Format.Word(position.OnExceed)}",
            position.OverrideUntil is { } until ? $"override until {Format.Minute(until)} UTC" : null,
            Format.Counted(position.Conversations, "conversation"),
            Format.Counted((long)position.Tokens, "token"),
        ];
        output.Standard.WriteLine("  " + string.Join(separator, details.Where(detail => detail is not null)), Tables.Dim);
    }

    public static void Write(Output output, BudgetWindow window) =>
        output.Standard.WriteLine($"A month begins on day {window.FirstDay} at midnight, {Plain.Text(window.TimeZone)}.");

    private static string Percent(decimal ratio) => (ratio * 100).ToString("0.#", CultureInfo.InvariantCulture) + " %";
}
