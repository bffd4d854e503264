using System.CommandLine;
using Spectre.Console;
using Voxbase.Server.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase prices reprice</c>: past charges at today's book.</summary>
internal static class PricesRepriceCommand
{
    public static Command Create(Shell shell)
    {
        var from = Arguments.Moment("--from", "The first moment of what was charged");
        var to = Arguments.Moment("--to", "The first moment beyond it");
        from.Required = to.Required = true;
        var dryRun = new Option<bool>("--dry-run") { Description = "Report the difference and write nothing" };
        var command = new Command(
            "reprice",
            "Correct past charges to what the price book says now, with new charges; none is edited. May be stopped and run again: it goes on where it was.")
        {
            from, to, dryRun, shell.Json,
        };
        command.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var report = await RunAsync(
                    shell.Output, session.Get<Repricing>(), parsed.GetValue(from)!.Value, parsed.GetValue(to)!.Value, parsed.GetValue(dryRun), ct);
                if (parsed.GetValue(shell.Json))
                    Output.WriteJson(report);
                else
                    Write(shell.Output, report);
                return 0;
            },
            ct));
        return shell.WithExamples(command, "voxbase prices reprice --from 2026-05-01 --to 2026-06-01 --dry-run");
    }

    private static async Task<RepricingReport> RunAsync(
        Output output, Repricing repricing, DateTimeOffset from, DateTimeOffset to, bool dryRun, CancellationToken cancellationToken)
    {
        if (!output.ErrorIsLive)
            return await repricing.RunAsServiceAsync(from, to, dryRun, cancellationToken: cancellationToken);
        return await output.Error.Progress()
            .AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(async progress =>
            {
                var task = progress.AddTask("conversations");
                return await repricing.RunAsServiceAsync(from, to, dryRun, new Reached(task), cancellationToken);
            });
    }

    private static void Write(Output output, RepricingReport report)
    {
        if (report.Models.Count > 0)
        {
            var table = Tables.New(output, "user", "provider", "model", "charges>", "unpriced before>", "before>", "after>", "difference>");
            foreach (var model in report.Models)
            {
                table.AddRow(
                    Tables.Cell(model.Email ?? model.UserId?.ToString() ?? "nobody"),
                    Tables.Cell(model.Provider),
                    Tables.Cell(model.Model),
                    new Text(Format.Count(model.Charges)),
                    new Text(Format.Count(model.FormerlyUnpriced)),
                    new Text(Format.Money(model.BeforeUsd)),
                    new Text(Format.Money(model.AfterUsd)),
                    new Text(Format.Money(model.DifferenceUsd), Tables.Money));
            }

            output.Standard.Write(table);
        }

        var charges = report.Models.Sum(model => model.Charges);
        output.Standard.WriteLine(
            charges == 0
                ? $"Every charge of {Format.Counted(report.Conversations, "conversation")} is as the price book says."
                : $"{(report.DryRun ? "Would correct" : "Corrected")} {Format.Counted(charges, "charge")} in {Format.Counted(report.Conversations, "conversation")}: {Format.Money(report.DifferenceUsd)}.");
    }

    // Not Progress<T>: that reports through the thread pool, later than it happens.
    private sealed class Reached(ProgressTask task) : IProgress<RepricingProgress>
    {
        public void Report(RepricingProgress value)
        {
            task.MaxValue = Math.Max(1, value.Of);
            task.Value = value.Of == 0 ? 1 : value.Done;
        }
    }
}
