using System.Globalization;
using System.Text;
using System.Text.Json;
using Spectre.Console;

namespace Voxbase.Bench;

/// <summary>Figures for people and for programs.</summary>
internal static class Report
{
    public static JsonSerializerOptions Json { get; } = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    /// <summary>What is under way; beside the figures, which alone go to the output.</summary>
    public static void Progress(string what) => Console.Error.WriteLine(what);

    /// <summary>A part of a long bench that is done. Not among the figures, so not on the standard output.</summary>
    public static void Step(string text) => Console.Error.WriteLine("  " + text);

    public static void Table(string machine, int rounds, IReadOnlyList<Figure> figures)
    {
        var table = new Table().RoundedBorder().AddColumns("bench", "claim", "Voxbase", "baseline", "ratio", "bound", "");
        foreach (var f in figures)
        {
            table.AddRow(
                f.Bench, Markup.Escape(f.Claim), $"{Number(f.Voxbase)} {Markup.Escape(f.Unit)}",
                $"{Number(f.Baseline)} [dim]{Markup.Escape(f.BaselineName)}[/]", $"{f.Ratio:F2}", Bound(f),
                f.Bound is null && f.Limit is null ? "" : f.IsMet ? "[green]met[/]" : "[red]missed[/]");
        }

        AnsiConsole.Write(table);
        AnsiConsole.MarkupLineInterpolated($"[dim]{machine} · medians of {rounds} rounds, Voxbase and baseline in turns[/]");
    }

    /// <summary>The page with these figures; rows of benches that were not run now stay as <paramref name="before"/> has them.</summary>
    public static string Markdown(string machine, int rounds, IReadOnlyList<Figure> figures, string before)
    {
        var text = new StringBuilder();
        text.AppendLine("# Benchmarks").AppendLine();
        text.AppendLine("Written by `./voxbase bench [NAME …] --write docs/benchmarks.md`, which replaces the rows of the benches that it runs. Voxbase and its raw");
        text.AppendLine("baseline are measured in turns in one run, on the same server; a ratio is the median of the rounds' ratios. Absolute figures say more about");
        text.AppendLine("the machine than about Voxbase.").AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"{machine}.").AppendLine();
        text.AppendLine("| bench | claim | Voxbase | baseline | ratio | bound | | rounds, day |").AppendLine("|---|---|---|---|---|---|---|---|");
        var absent = new List<string>();
        foreach (var bench in Benches.All)
        {
            var rows = figures.Where(f => f.Bench == bench.Name).Select(f => string.Create(
                CultureInfo.InvariantCulture,
                $"| {f.Bench} | {f.Claim} | {Number(f.Voxbase)} {f.Unit} | {Number(f.Baseline)} ({f.BaselineName}) | {f.Ratio:F2} | {Bound(f)} | {(f.Bound is null && f.Limit is null ? "" : f.IsMet ? "met" : "**missed**")} | {rounds}, {DateTime.UtcNow:yyyy-MM-dd} |")).ToList();
            if (rows.Count == 0)
                rows = [.. before.Split('\n').Where(line => line.StartsWith($"| {bench.Name} |", StringComparison.Ordinal))];
            if (rows.Count == 0)
                absent.Add(bench.Name);
            rows.ForEach(row => text.AppendLine(row));
        }

        if (absent.Count > 0)
            text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"Without figures here, as they were not run: {string.Join(", ", absent)}.");
        text.AppendLine().AppendLine("## What is measured").AppendLine();
        foreach (var bench in Benches.All)
            text.AppendLine(CultureInfo.InvariantCulture, $"- **{bench.Name}**: {bench.About}");
        return text.ToString();
    }

    private static string Bound(Figure f)
    {
        var sign = f.AtLeast ? "≥" : "≤";
        return f.Bound is { } bound ? $"{sign} {bound.ToString("0.##", CultureInfo.InvariantCulture)}"
            : f.Limit is { } limit ? $"{sign} {limit.ToString("#,0.##", CultureInfo.InvariantCulture)} {f.Unit}" : "";
    }

    private static string Number(double value) => value.ToString(value >= 100 ? "N0" : "N1", CultureInfo.InvariantCulture);
}
