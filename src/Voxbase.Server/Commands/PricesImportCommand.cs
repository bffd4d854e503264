using System.CommandLine;
using Spectre.Console;
using Voxbase.Server.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase prices import FILE</c>: many prices, or none.</summary>
internal static class PricesImportCommand
{
    public static Command Create(Shell shell, Option<bool> replace)
    {
        var file = new Argument<string>("file") { Description = "CSV with the heading provider,model,meter,unit_price_usd,per,valid_from,note, or a JSON array of the same; - reads the standard input" };
        var dryRun = new Option<bool>("--dry-run") { Description = "Check everything and write nothing" };
        var command = new Command("import", "Set the prices of a file: all of them, or none when anything is wrong.") { file, replace, dryRun, shell.Json };
        command.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var name = parsed.GetValue(file)!;
                var prices = PriceFile.Parse(name, await ReadAsync(name, ct));
                var settings = new PriceImport
                {
                    Replace = parsed.GetValue(replace),
                    DryRun = parsed.GetValue(dryRun),
                    Place = index => $"line {prices.LineOf(index)}",
                };
                var result = await session.Get<PriceBook>().ImportAsync(Caller.Service, prices.Prices, settings, ct);
                if (parsed.GetValue(shell.Json))
                    Output.WriteJson(new { settings.DryRun, result.Added, result.Replaced, result.Unchanged });
                else
                    shell.Output.Standard.WriteLine($"{(settings.DryRun ? "Would set" : "Set")} {Format.Counted(prices.Prices.Count, "price")}: {result.Added} new, {result.Replaced} replaced, {result.Unchanged} unchanged.");
                return 0;
            },
            ct));
        return shell.WithExamples(
            command,
            "voxbase prices import contract.csv --dry-run",
            "voxbase prices list --json | jq '[.[] | select(.is_default | not)]' > ours.json && voxbase prices import ours.json --database \"Host=…\"");
    }

    private static async Task<string> ReadAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            return file == "-" ? await Console.In.ReadToEndAsync(cancellationToken) : await File.ReadAllTextAsync(file, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ServerErrors.FileUnreadable.With($"{file}: {(e is FileNotFoundException or DirectoryNotFoundException ? "there is no such file" : e.Message)}", inner: e);
        }
    }
}
