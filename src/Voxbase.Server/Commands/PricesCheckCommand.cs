using System.CommandLine;
using Spectre.Console;
using Voxbase.Server.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase prices check</c>: whether every model in use has a price and a future.</summary>
internal static class PricesCheckCommand
{
    public static Command Create(Shell shell)
    {
        var days = new Option<int>("--days") { Description = "How many days back a model counts as in use", DefaultValueFactory = _ => 30, HelpName = "days" };
        Arguments.Between(days, 1, 3_650);
        var command = new Command("check", "Find models in use that have no price, or that their provider switches off. Ends with 1 when there is one without a price.") { days, shell.Json };
        command.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var findings = await session.Get<PriceCheck>().RunAsync(Caller.Service, parsed.GetValue(days), ct);
                if (parsed.GetValue(shell.Json))
                    Output.WriteJson(findings);
                else
                    Write(shell.Output, findings);
                return findings.Any(finding => finding.Problem is PriceProblem.NoPrice or PriceProblem.PricedSince) ? 1 : 0;
            },
            ct));
        return shell.WithExamples(command, "voxbase prices check", "voxbase prices check --days 90 --json");
    }

    private static void Write(Output output, IReadOnlyList<PriceFinding> findings)
    {
        if (findings.Count == 0)
            output.Standard.WriteLine("Every model in use has a price, and none is known to be switched off.");
        foreach (var finding in findings)
        {
            var colour = finding.Problem is PriceProblem.NoPrice or PriceProblem.PricedSince ? Color.Red : Color.Yellow;
            output.Standard.Write(Tables.Line(($"{Word(finding.Problem)} ", new Style(colour)), (Plain.Text(finding.Message), null)));
            output.Standard.WriteLine();
        }
    }

    private static string Word(PriceProblem problem) => problem switch
    {
        PriceProblem.NoPrice => "no price",
        PriceProblem.PricedSince => "priced since",
        PriceProblem.ShuttingDown => "shutdown",
        _ => "unknown",
    };
}
