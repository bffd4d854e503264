using System.CommandLine;
using Spectre.Console;
using Voxbase.Capture;
using Voxbase.Server.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase import FILE…</c>: makes conversations of transcript files.</summary>
internal static class ImportCommand
{
    public static Command Create(Shell shell)
    {
        var files = new Argument<string[]>("file")
        {
            Description = "Transcripts: WebVTT, SRT, plain text, JSON or JSON lines; - reads the standard input",
            Arity = ArgumentArity.OneOrMore,
        };
        var user = new Option<string?>("--user") { Description = "Whose conversations they become; the user is made when there is none", HelpName = "email" };
        var at = Arguments.Moment("--at", "When the conversations began; times in the files count from there. Now when left out");
        var name = new Option<string?>("--name") { Description = "The conversations' title; the file's name when left out", HelpName = "text" };
        var assistant = new Option<string[]>("--assistant")
        {
            Description = "A speaker whose turns are the assistant's; may be repeated. Names such as agent, assistant and bot when left out",
            HelpName = "speaker",
        };
        var language = new Option<string?>("--language") { Description = "The language, where a file does not tell", HelpName = "tag" };
        var format = new Option<TranscriptFormat?>("--format") { Description = "How the files are written; told from their beginning when left out", HelpName = "vtt|srt|text|json|jsonl" };
        var command = new Command("import", "Import transcript files as conversations. Twice is the same as once.")
        {
            files, user, at, name, assistant, language, format, shell.Json,
        };
        command.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var owner = parsed.GetValue(user) is { } email ? await session.Get<Users>().EnsureAsServiceAsync(email, ct) : null;
                var import = new TranscriptImport
                {
                    UserId = owner?.Id,
                    StartedAt = parsed.GetValue(at),
                    Name = parsed.GetValue(name),
                    Assistants = parsed.GetValue(assistant) ?? [],
                    Language = parsed.GetValue(language),
                    Format = parsed.GetValue(format),
                };
                var run = new Run(shell.Output, session.Get<TranscriptImports>(), import, parsed.GetValue(shell.Json));
                var succeeded = true;
                foreach (var file in parsed.GetValue(files)!)
                    succeeded &= await run.ImportAsync(file, ct);
                return succeeded ? 0 : 1;
            },
            ct));
        return shell.WithExamples(
            command,
            "voxbase import meeting.vtt",
            "voxbase import calls/*.srt --user ada@example.org --assistant Mira --json > imported.jsonl",
            "ssh recorder cat call.txt | voxbase import - --at 2026-05-01T09:30:00Z");
    }

    /// <summary>Files one after the other; one that cannot be imported does not keep the others back.</summary>
    private sealed class Run(Output output, TranscriptImports imports, TranscriptImport import, bool asJson)
    {
        public async Task<bool> ImportAsync(string file, CancellationToken cancellationToken)
        {
            try
            {
                Write(file, await ReadAsync(file, cancellationToken));
                return true;
            }
            catch (VoxbaseException e)
            {
                ErrorReport.Write(output, e.Error.With($"{file}: {e.Message}", e.Details, e), asJson);
                return false;
            }
        }

        private async Task<TranscriptImportResult> ReadAsync(string file, CancellationToken cancellationToken)
        {
            await using var transcript = InputFile.Open(file);
            var named = file == "-" ? import : import with { FileName = Path.GetFileName(file), Name = import.Name ?? Path.GetFileName(file) };
            if (!output.ErrorIsLive)
                return await imports.ImportAsync(Caller.Service, transcript, named, cancellationToken: cancellationToken);

            return await output.Error.Progress()
                .AutoClear(true)
                .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
                .StartAsync(async progress =>
                {
                    var task = progress.AddTask(Markup.Escape(Plain.Cut(Path.GetFileName(file), 40, output.Signs.Ellipsis)));
                    return await imports.ImportAsync(
                        Caller.Service, transcript, named, new Reached(at => task.MaxValue(at.Length).Value(at.BytesRead)), cancellationToken);
                });
        }

        private void Write(string file, TranscriptImportResult result)
        {
            foreach (var fault in result.Faults)
                output.Error.WriteLine($"warning {file}: line {fault.Line} {(fault.Skipped ? "skipped" : "changed")}: {fault.Reason}", new Style(Color.Yellow));
            if (result.SkippedCount + result.ChangedCount - result.Faults.Count is > 0 and var more)
                output.Error.WriteLine($"warning {file}: {more} more lines skipped or changed", new Style(Color.Yellow));
            if (asJson)
            {
                Output.WriteJson(result);
                return;
            }

            var facts = new List<string>
            {
                $"{result.ConversationId}",
                result.Format,
                Format.Counted(result.TurnCount, "turn") + (result.NewTurns == result.TurnCount ? "" : $", {result.NewTurns} new"),
                Format.Counted(result.Speakers.Count, "speaker"),
            };
            if (result.DurationSeconds is > 0 and var seconds)
                facts.Add(Format.Duration(seconds));
            output.Standard.Write(new Text($"{output.Signs.Dot} ", new Style(Color.Green)));
            output.Standard.WriteLine($"{Plain.Text(file)} {output.Signs.Arrow} {string.Join($" {output.Signs.Separator} ", facts)}");
        }

        // Not Progress<T>: that reports through the thread pool, later than it happens.
        private sealed class Reached(Action<TranscriptProgress> report) : IProgress<TranscriptProgress>
        {
            public void Report(TranscriptProgress value) => report(value);
        }
    }
}
