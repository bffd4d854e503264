using System.CommandLine;
using Spectre.Console;
using Voxbase.Capture;
using Voxbase.Server.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase replay FILE…</c>: captures recorded logs.</summary>
internal static class ReplayCommand
{
    public static Command Create(Shell shell)
    {
        var files = new Argument<string[]>("file")
        {
            Description = "Logs of OpenAI Realtime events as JSON lines; - reads the standard input",
            Arity = ArgumentArity.OneOrMore,
        };
        var user = new Option<string?>("--user") { Description = "Whose conversations they become; the user is made when there is none", HelpName = "email" };
        var at = Arguments.Moment("--at", "When the logs began, for logs without a clock: prices of that time apply. Now when left out");
        var command = new Command("replay", "Capture recorded logs: turns, interruptions, tool calls, usage, latency and cost. Twice is the same as once.")
        {
            files, user, at, shell.Json,
        };
        command.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var owner = parsed.GetValue(user) is { } email ? await session.Get<Users>().EnsureAsServiceAsync(email, ct) : null;
                var settings = new CaptureSettings { UserId = owner?.Id, StartedAt = parsed.GetValue(at) };
                var replay = new Replay(shell.Output, session, settings, parsed.GetValue(shell.Json));
                var succeeded = true;
                foreach (var file in parsed.GetValue(files)!)
                    succeeded &= await replay.RunAsync(file, ct);
                return succeeded ? 0 : 1;
            },
            ct));
        return shell.WithExamples(
            command,
            "voxbase replay call.jsonl",
            "voxbase replay logs/*.jsonl --user ada@example.org --json > calls.jsonl",
            "ssh recorder cat call.jsonl | voxbase replay - --at 2026-05-01T09:30:00Z");
    }

    /// <summary>The replay of files one after the other; a file that cannot be read does not keep the others back.</summary>
    private sealed class Replay(Output output, Session session, CaptureSettings settings, bool asJson)
    {
        public async Task<bool> RunAsync(string file, CancellationToken cancellationToken)
        {
            try
            {
                foreach (var result in await CaptureAsync(file, cancellationToken))
                    await WriteAsync(file, result, cancellationToken);
                return true;
            }
            catch (VoxbaseException e)
            {
                ErrorReport.Write(output, e.Error.With($"{file}: {e.Message}", e.Details, e), asJson);
                return false;
            }
        }

        private async Task<IReadOnlyList<CaptureResult>> CaptureAsync(string file, CancellationToken cancellationToken)
        {
            await using var log = InputFile.Open(file);
            var captures = session.Get<Captures>();
            if (!output.ErrorIsLive || log is not FileStream { Length: > 0 } sized)
                return await captures.ReplayAsync(Caller.Service, log, settings, cancellationToken: cancellationToken);

            return await output.Error.Progress()
                .AutoClear(true)
                .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
                .StartAsync(async progress =>
                {
                    var task = progress.AddTask(Markup.Escape(Plain.Cut(Path.GetFileName(file), 40, output.Signs.Ellipsis)), maxValue: sized.Length);
                    return await captures.ReplayAsync(
                        Caller.Service, log, settings, new Reached(() => task.Value = sized.Position), cancellationToken);
                });
        }

        private async Task WriteAsync(string file, CaptureResult result, CancellationToken cancellationToken)
        {
            foreach (var line in result.Malformed)
                output.Error.WriteLine($"warning {file}: line {line.Number} skipped: {Plain.Text(line.Reason)}", new Style(Color.Yellow));
            if (result.MalformedCount > result.Malformed.Count)
                output.Error.WriteLine($"warning {file}: {result.MalformedCount - result.Malformed.Count} more lines skipped", new Style(Color.Yellow));
            foreach (var (provider, model) in new[] { (result.Conversation.LlmProvider, result.Conversation.LlmModel), (result.Conversation.AsrProvider, result.Conversation.AsrModel) })
            {
                // For a person; a program asks `prices check`.
                if (!asJson && ModelShutdowns.Find(provider, model) is { } shutdown)
                    output.Error.WriteLine($"warning {file}: {Plain.Text(model)} is switched off on {shutdown.On:yyyy-MM-dd}{(shutdown.Replacement is { } instead ? $"; use {instead}" : "")}", new Style(Color.Yellow));
            }

            if (asJson)
            {
                Output.WriteJson(CaptureSummary.Of(result, file));
                return;
            }

            RecordTable.Write(output, await session.Get<Conversations>().GetAsync(Caller.Service, result.Conversation.Id, cancellationToken));
            output.Standard.WriteLine("  " + Sum(result.Counters), Tables.Dim);
            output.Standard.WriteLine();
        }

        private string Sum(CaptureCounters counters)
        {
            var parts = new List<string> { Format.Counted(counters.Events, "event") };
            if (counters.Unknown > 0)
                parts.Add($"{counters.Unknown} of unknown type, kept ({Plain.Text(string.Join(", ", counters.UnknownByType.Keys))})");
            parts.Add(Format.Counted(counters.Responses, "response"));
            if (counters.CancelledResponses > 0)
                parts.Add($"{counters.CancelledResponses} cancelled");
            return string.Join($" {output.Signs.Separator} ", parts);
        }

        // Not Progress<T>: that reports through the thread pool, later than it happens.
        private sealed class Reached(Action report) : IProgress<int>
        {
            public void Report(int value) => report();
        }
    }
}
