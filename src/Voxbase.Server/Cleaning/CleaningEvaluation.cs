using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Spectre.Console;
using Voxbase.Cleaning;
using Voxbase.Server.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Cleaning;

/// <summary>
/// Cleans the labelled sets of a folder and has its <c>score.py</c> judge them, at level full. What that scorer doesn't tell, how many corrections of
/// names were right, is counted here in the same way: by words, lower-cased and without punctuation.
/// </summary>
internal static class CleaningEvaluation
{
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly Set[] Sets =
    [
        new("fluent_guard", "hard"), new("handmade_traps"), new("context_cases", "kind"), new("disco_en"), new("disco_de"), new("disco_fr"),
        new("earnings22_clean", "deletion_only"), new("rev16_clean", "deletion_only"), new("disflqa"), new("disflqa", Mode: CleaningMode.Assistant),
        new("itn_en"), new("itn_de"), new("itn_fr"), new("itn_es"),
        new("earnings21_asr_google", Lexicon: true), new("earnings21_asr_kaldi", Lexicon: true), new("earnings21_asr_google"), new("earnings21_asr_kaldi"),
    ];

    public static async Task<int> RunAsync(Output output, string folder, bool asJson, CancellationToken cancellationToken)
    {
        var scorer = Path.Combine(folder, "score.py");
        if (!File.Exists(scorer))
            throw ServerErrors.FileUnreadable.With($"{scorer}: there is no such file");
        var scratch = Directory.CreateTempSubdirectory("voxbase-clean-");
        try
        {
            var table = Tables.New(output, "set", "turns>", "F1>", "P>", "R>", "exact>", "false words>", "changed, clean>", "better · same · worse", "broken/1,000>", "net words>");
            table.Columns[0].NoWrap = true;
            foreach (var set in Sets.Where(set => File.Exists(Path.Combine(folder, set.File))))
            {
                foreach (var figures in await MeasureAsync(folder, scorer, scratch.FullName, set, cancellationToken))
                {
                    if (asJson)
                        Output.WriteJson(figures);
                    else
                        Add(table, figures);
                }
            }

            if (!asJson)
                output.Standard.Write(table);
            return 0;
        }
        finally
        {
            scratch.Delete(recursive: true);
        }
    }

    private static async Task<IReadOnlyList<Figures>> MeasureAsync(string folder, string scorer, string scratch, Set set, CancellationToken cancellationToken)
    {
        IReadOnlyDictionary<string, TermIndex>? terms = null;
        if (set.Lexicon)
        {
            using var reader = new StreamReader(Path.Combine(folder, "earnings21_lexicon.jsonl"));
            terms = await CleaningLines.ReadTermsAsync(reader, cancellationToken);
        }

        var reference = Path.Combine(folder, set.File);
        var cleaned = Path.Combine(scratch, "cleaned.jsonl");
        var names = new NameCount();
        var lines = new CleaningLines(new CleaningRequest { Mode = set.Mode }, terms);
        await using (var writer = new StreamWriter(cleaned))
        {
            var number = 0;
            foreach (var line in File.ReadLines(reference))
            {
                var turn = CleaningLines.Read(line, ++number);
                var result = lines.Clean(turn);
                await writer.WriteLineAsync(JsonSerializer.Serialize(new { id = turn.Id, cleaned = result.Text }, Plain).AsMemory(), cancellationToken);
                if (set.Name.StartsWith("earnings21", StringComparison.Ordinal))
                    names.Add(turn.Raw, JsonElement.Parse(line).GetProperty("reference").GetString()!, result);
            }
        }

        var figures = new List<Figures>();
        foreach (var line in await ScoreAsync(scorer, reference, cleaned, set.By, cancellationToken))
        {
            var score = JsonElement.Parse(line);
            var part = set.By is { } by ? $" {by}={score.GetProperty(by).GetString()}" : "";
            var variant = (set.Mode == CleaningMode.Assistant ? " assistant" : "") + (set.Lexicon ? " lexicon" : "");
            figures.Add(new Figures(set.Name + variant + part, score, names.Edits > 0 ? names.Told() : null));
        }

        return figures;
    }

    private static async Task<IReadOnlyList<string>> ScoreAsync(string scorer, string reference, string cleaned, string? by, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("python3", [scorer, reference, cleaned, .. by is null ? Array.Empty<string>() : ["--by", by]])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        try
        {
            using var process = Process.Start(start)!;
            var (printed, complaint) = (process.StandardOutput.ReadToEndAsync(cancellationToken), process.StandardError.ReadToEndAsync(cancellationToken));
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode == 0
                ? (await printed).Split('\n', StringSplitOptions.RemoveEmptyEntries)
                : throw ServerErrors.ScoringFailed.With($"score.py ended with {process.ExitCode}.", (await complaint).Trim());
        }
        catch (Win32Exception e)
        {
            throw ServerErrors.ScoringFailed.With("python3 cannot be started.", inner: e);
        }
    }

    private static void Add(Table table, Figures figures)
    {
        var score = figures.Score;
        var names = figures.Names;
        table.AddRow(
            Markup.Escape(figures.Set), Number(score, "n"), Number(score, "delF1"), Number(score, "delP"), Number(score, "delR"), Number(score, "exact"),
            Number(score, "false_tok_pct") + " %", Number(score, "clean_changed_pct") + " %",
            names is null ? "" : $"{names.Better} · {names.Same} · {names.Worse}",
            names is null ? "" : names.BrokenPerThousand.ToString("0.000", CultureInfo.InvariantCulture),
            names is null ? "" : names.NetWords.ToString(CultureInfo.InvariantCulture));
    }

    private static string Number(JsonElement score, string name) => score.GetProperty(name).GetRawText();

    private sealed record Set(string Name, string? By = null, CleaningMode Mode = CleaningMode.Conversation, bool Lexicon = false)
    {
        public string File => Name + ".jsonl";
    }
}

/// <summary>What a set came to: the scorer's figures, and those about names.</summary>
internal sealed record Figures(string Set, JsonElement Score, NameFigures? Names);

/// <summary>Corrections of names, each judged alone against the reference.</summary>
internal sealed record NameFigures(int Edits, int Better, int Same, int Worse, double BetterShare, double BrokenPerThousand, int NetWords);

/// <summary>Counts what corrections of names did to the words of their turns.</summary>
internal sealed class NameCount
{
    private int better, same, worse, net, broken, words;

    public int Edits => better + same + worse;

    public void Add(string raw, string reference, CleanedTurn turn)
    {
        var said = Words(raw);
        words += said.Count;
        var names = turn.Corrections.Where(correction => correction.Reason == CorrectionReasons.Lexicon).ToList();
        if (names.Count == 0)
            return;
        var meant = Words(reference);
        var (errors, kept) = Compare(said, meant);
        foreach (var name in names)
        {
            var (after, keptAfter) = Compare(Words(Corrections.Apply(raw, [name])), meant);
            net += errors - after;
            broken += Math.Max(0, kept - keptAfter);
            if (after < errors)
                better++;
            else if (after == errors)
                same++;
            else
                worse++;
        }
    }

    public NameFigures Told() =>
        new(Edits, better, same, worse, Math.Round((double)better / Edits, 3), Math.Round(1000.0 * broken / Math.Max(1, words), 3), net);

    // score.py's words, as far as names need them.
    private static List<string> Words(string text)
    {
        var words = new List<string>();
        var start = -1;
        for (var i = 0; i <= text.Length; i++)
        {
            var inside = i < text.Length && (char.IsLetterOrDigit(text[i])
                || (start >= 0 && text[i] is '\'' or '’' or '.' && i + 1 < text.Length && char.IsLetterOrDigit(text[i + 1])));
            if (inside && start < 0)
                start = i;
            if (inside || start < 0)
                continue;
            words.Add(text[start..i].ToLowerInvariant().Replace('’', '\''));
            start = -1;
        }

        return words;
    }

    // Word errors, and the words that agree in a best alignment.
    private static (int Errors, int Kept) Compare(List<string> said, List<string> meant)
    {
        var row = new (int Errors, int Kept)[meant.Count + 1];
        for (var j = 0; j <= meant.Count; j++)
            row[j] = (j, 0);
        foreach (var word in said)
        {
            var diagonal = row[0];
            row[0] = (row[0].Errors + 1, 0);
            for (var j = 0; j < meant.Count; j++)
            {
                var equal = word == meant[j];
                var best = equal ? (diagonal.Errors, diagonal.Kept + 1) : (diagonal.Errors + 1, diagonal.Kept);
                diagonal = row[j + 1];
                best = Better(best, (row[j + 1].Errors + 1, row[j + 1].Kept));
                row[j + 1] = Better(best, (row[j].Errors + 1, row[j].Kept));
            }
        }

        return row[meant.Count];
    }

    private static (int Errors, int Kept) Better((int Errors, int Kept) one, (int Errors, int Kept) other) =>
        other.Errors < one.Errors || (other.Errors == one.Errors && other.Kept > one.Kept) ? other : one;
}
