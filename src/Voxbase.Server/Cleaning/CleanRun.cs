using Spectre.Console;
using Voxbase.Capture;
using Voxbase.Cleaning;
using Voxbase.Server.Commands;
using Voxbase.Server.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Cleaning;

/// <summary>Cleans a transcript file, or a conversation that is kept, and shows what changed.</summary>
internal sealed class CleanRun(Output output, bool asJson)
{
    private const int PageTurns = 200;

    /// <summary>Cleans a transcript and keeps nothing.</summary>
    public async Task<int> FileAsync(string file, CleaningRequest request, TermIndex? terms, LlmCleaner? llm, CancellationToken cancellationToken)
    {
        var state = new CleaningState(terms);
        var cleaner = new TurnCleaner();
        var (number, changed, reported) = (0, 0, 0);
        var reasons = new Dictionary<string, int>(StringComparer.Ordinal);
        var engines = new Dictionary<LlmEngine, int>();
        try
        {
            await using var transcript = InputFile.Open(file);
            await foreach (var said in TranscriptFile.ReadAsync(transcript, cancellationToken))
            {
                var turn = llm is null ? cleaner.Clean(said.Text, state, request) : await llm.CleanAsync(said.Text, state, request, cancellationToken: cancellationToken);
                state.Add(turn, TurnTrust.Heard);
                if (turn.Llm is { } by)
                    engines[by.Engine] = engines.GetValueOrDefault(by.Engine) + 1;
                number++;
                changed += turn.IsChanged ? 1 : 0;
                reported += turn.Reported.Count;
                Count(reasons, turn.Corrections.Select(correction => correction.Reason));
                if (asJson)
                    Output.WriteJson(new FileTurn(number, said.Line, said.Speaker, said.Text, turn.Text, turn.Confidence, TurnCorrection.Of(turn), EngineOf(turn)));
                else if (turn.IsChanged)
                    CleanedText.Write(output, number, said.Speaker, said.Text, TurnCorrection.Of(turn));
            }
        }
        catch (VoxbaseException e) when (e.Error.Kind == ErrorKind.Invalid)
        {
            throw e.Error.With($"{file}: {e.Message}", e.Details, e);
        }

        if (!asJson)
            CleanedText.WriteSummary(output, number, changed, reported, reasons, Helped(engines));
        return 0;
    }

    private static string? EngineOf(CleanedTurn turn) => turn.Llm is { } by ? by.Engine.ToString().ToLowerInvariant() : null;

    // In how many turns a model was asked, and where it could not be.
    private static string? Helped(Dictionary<LlmEngine, int> engines)
    {
        (LlmEngine Engine, string Told)[] told =
            [(LlmEngine.Llm, "asked a model"), (LlmEngine.Fallback, "without the model that was asked"), (LlmEngine.Skipped, "needed none")];
        return engines.Count == 0
            ? null
            : string.Join(", ", told.Where(one => engines.ContainsKey(one.Engine)).Select(one => $"{Format.Count(engines[one.Engine])} {one.Told}"));
    }

    /// <summary>Cleans a conversation, keeps the results, and shows what they changed.</summary>
    public async Task<int> ConversationAsync(
        Session session, Guid id, Func<CleaningRequest, CleaningRequest> how, CancellationToken cancellationToken)
    {
        var transcripts = session.Get<Transcripts>();
        var turns = (await session.Get<Conversations>().FindAsync(Caller.Service, id, cancellationToken)).TurnCount;
        var summary = output.ErrorIsLive
            ? await output.Error.Progress()
                .AutoClear(true)
                .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
                .StartAsync(progress =>
                {
                    var task = progress.AddTask("cleaning", maxValue: Math.Max(1, turns));
                    return transcripts.CleanAsync(Caller.Service, id, how, new Reached(done => task.Value(done)), cancellationToken);
                })
            : await transcripts.CleanAsync(Caller.Service, id, how, cancellationToken: cancellationToken);
        if (asJson)
        {
            Output.WriteJson(summary);
            return 0;
        }

        var after = 0;
        while (true)
        {
            var page = await transcripts.CorrectionsAsync(Caller.Service, id, after, PageTurns, cancellationToken);
            foreach (var turn in page.Where(turn => turn.RawText is not null && turn.Corrections.Any(correction => correction.Status == CorrectionStatus.Applied)))
                CleanedText.Write(output, turn.SequenceNumber, null, turn.RawText!, turn.Corrections);
            if (page.Count < PageTurns)
                break;
            after = page[^1].SequenceNumber;
        }

        CleanedText.WriteSummary(output, summary.Turns, summary.Changed, summary.Reported, summary.Reasons, $"{Format.Count(summary.Written)} new results");
        return 0;
    }

    private static void Count(Dictionary<string, int> reasons, IEnumerable<string> made)
    {
        foreach (var reason in made)
            reasons[reason] = reasons.GetValueOrDefault(reason) + 1;
    }

    private sealed record FileTurn(
        int Number, int Line, string? Speaker, string RawText, string CleanedText, Confidence Confidence, IReadOnlyList<TurnCorrection> Corrections,
        string? Engine);

    // Not Progress<T>: that reports through the thread pool, later than it happens.
    private sealed class Reached(Action<int> report) : IProgress<int>
    {
        public void Report(int value) => report(value);
    }
}
