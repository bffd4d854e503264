using Microsoft.Extensions.AI;
using Voxbase.Capture;

namespace Voxbase.Cleaning;

/// <summary>
/// The deterministic cleaner with a language model's help. The model is asked for edits of what the deterministic cleaner made of a turn, and a guard
/// judges each of them; without the model, for whatever reason, the result is the deterministic one and says so. Safe for use by several threads.
/// </summary>
public sealed class LlmCleaner : IDisposable
{
    private const int Attempts = 2;
    private const int MostSegments = 8;
    private const int MostReported = 50;

    private readonly TurnCleaner cleaner = new();
    private readonly IChatClient? chat;
    private readonly LlmCleaningOptions options;
    private readonly TimeProvider time;
    private readonly bool ownsChat;

    // An endpoint that takes no schema is asked without from then on.
    private volatile bool isPlain;

    /// <summary>A cleaner with any chat model.</summary>
    /// <param name="chat">The model; null cleans without one.</param>
    /// <param name="options">How long to wait, who charges and for which model.</param>
    /// <param name="time">The clock.</param>
    public LlmCleaner(IChatClient? chat, LlmCleaningOptions options, TimeProvider time)
        : this(chat, options, time, ownsChat: false)
    {
    }

    private LlmCleaner(IChatClient? chat, LlmCleaningOptions options, TimeProvider time, bool ownsChat) =>
        (this.chat, this.options, this.time, this.ownsChat) = (chat, options, time, ownsChat);

    /// <summary>Whether there is a model to ask.</summary>
    public bool IsConfigured => chat is not null;

    /// <summary>A cleaner with the model that the options name, or else the application's own.</summary>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">An option is out of its range.</exception>
    public static LlmCleaner Of(VoxbaseOptions options, TimeProvider time, IChatClient? own = null)
    {
        var llm = options.Validated().LlmCleaning;
        return llm.BaseUrl is null
            ? new LlmCleaner(own, llm, time)
            : new LlmCleaner(new ChatCompletionsClient(llm.BaseUrl, llm.Model!, llm.ApiKey, llm.ProviderName), llm, time, ownsChat: true);
    }

    /// <summary>
    /// Cleans one turn with what the conversation has said so far. The state is read before the model is asked, and not after. <see cref="CleanedTurn.Llm"/>
    /// says what came of the model; its calls are to be charged, whatever came of them.
    /// </summary>
    /// <param name="raw">The turn.</param>
    /// <param name="state">What has been said; not changed.</param>
    /// <param name="request">The level, and what else the recogniser may have heard.</param>
    /// <param name="admits">Asked just before the model is, and only then: false cleans without it.</param>
    /// <param name="cancellationToken">Cancels the cleaning as a whole.</param>
    public async Task<CleanedTurn> CleanAsync(
        string raw, CleaningState state, CleaningRequest? request = null, Func<CancellationToken, Task<bool>>? admits = null,
        CancellationToken cancellationToken = default)
    {
        request ??= new CleaningRequest();
        var started = time.GetTimestamp();
        var cleaned = cleaner.Clean(raw, state, request);
        if (request.Level != CleaningLevel.Full)
            return Without(LlmEngine.Skipped, LlmReason.Level);

        var turn = new TurnText();
        turn.Read(cleaned.Text);
        turn.Classify(Language.Find(cleaned.Language)!);
        var trusted = state.Trusted;
        var uncertain = cleaned.Reported.Any(correction => correction.Confidence == Confidence.Low) || request.Alternatives.Any(said => said != raw);
        var segments = Segment.Of(turn).Where(segment => uncertain || LlmNeed.IsThere(turn, segment, trusted)).Take(MostSegments).ToList();
        if (segments.Count == 0)
            return Without(LlmEngine.Skipped, LlmReason.NothingToFix);
        if (chat is null)
            return Without(LlmEngine.Fallback, LlmReason.NotConfigured);

        var terms = LlmPrompt.Terms(turn, trusted);
        string[] context = [.. state.Recent];
        if (admits is not null && !await admits(cancellationToken))
            return Without(LlmEngine.Fallback, LlmReason.OverBudget);

        // One deadline for the turn, however many calls it takes.
        using var deadline = new CancellationTokenSource(options.Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, deadline.Token);
        var answers = await Task.WhenAll(segments.Select(segment =>
            AskAsync(LlmPrompt.Messages(turn, segment, context, terms, cleaned.ContextDetected, request.Alternatives), deadline.Token, either.Token)));
        cancellationToken.ThrowIfCancellationRequested();
        LlmCall[] calls = [.. answers.SelectMany(answer => answer.Calls).OrderBy(call => call.At)];
        if (answers.FirstOrDefault(answer => answer.Edits is null) is { } failed)
            return Without(LlmEngine.Fallback, failed.Reason, calls);

        var guard = new LlmGuard(turn, trusted, [.. request.Alternatives.Select(Read)]);
        for (var i = 0; i < segments.Count; i++)
            guard.Judge(segments[i], answers[i].Edits!);
        return With(raw, cleaned, turn, guard, calls) is { } result
            ? result with { Llm = result.Llm! with { Elapsed = time.GetElapsedTime(started) } }
            : Without(LlmEngine.Fallback, LlmReason.InvalidAnswer, calls);

        CleanedTurn Without(LlmEngine engine, LlmReason reason, IReadOnlyList<LlmCall>? made = null) => cleaned with
        {
            Llm = new LlmOutcome { Engine = engine, Reason = reason, Calls = made ?? [], Elapsed = time.GetElapsedTime(started) },
        };

        TurnText Read(string said)
        {
            var text = new TurnText();
            text.Read(said);
            return text;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (ownsChat)
            chat?.Dispose();
    }

    private sealed record Answer(IReadOnlyList<LlmEdit>? Edits, LlmReason Reason, IReadOnlyList<LlmCall> Calls);

    // Never throws but for a fault of ours: whatever the endpoint does is a reason.
    private async Task<Answer> AskAsync(ChatMessage[] messages, CancellationToken deadline, CancellationToken either)
    {
        var calls = new List<LlmCall>();
        var (attempt, plain) = (0, isPlain);
        while (true)
        {
            var (at, begun) = (time.GetUtcNow(), time.GetTimestamp());
            try
            {
                // A client that does not heed the token is left behind.
                var response = await chat!.GetResponseAsync(messages, LlmPrompt.Options(options, plain), either).WaitAsync(either);
                isPlain = plain;
                calls.Add(CallOf(response, at, time.GetElapsedTime(begun)));
                if (LlmEdit.Read(response.Text) is { } edits)
                    return new Answer(edits, default, calls);
            }
            catch (OperationCanceledException)
            {
                return new Answer(null, deadline.IsCancellationRequested ? LlmReason.TimedOut : LlmReason.Unavailable, calls);
            }
            catch (InvalidDataException)
            {
                // Counts as an answer that cannot be read.
            }
            catch (VoxbaseException e) when (e.Error == ProviderErrors.Rejected && !plain)
            {
                plain = true;
                continue;
            }
            catch (VoxbaseException e)
            {
                return new Answer(null, e.Error == ProviderErrors.Unavailable ? LlmReason.Unavailable : LlmReason.Refused, calls);
            }
            catch (Exception e) when (e is not (OutOfMemoryException or NullReferenceException))
            {
                // Another client's own exceptions: of any kind, and none of them a reason to lose the turn.
                return new Answer(null, LlmReason.Unavailable, calls);
            }

            if (++attempt == Attempts)
                return new Answer(null, LlmReason.InvalidAnswer, calls);
        }
    }

    private LlmCall CallOf(ChatResponse response, DateTimeOffset at, TimeSpan elapsed)
    {
        var metadata = chat!.GetService(typeof(ChatClientMetadata)) as ChatClientMetadata;
        var model = response.ModelId ?? options.Model ?? metadata?.DefaultModelId;
        return new LlmCall(
            Guid.CreateVersion7(at), Short(response.ResponseId), options.Provider ?? metadata?.ProviderName ?? options.ProviderName,
            // Gemini's own way to write it.
            Short(model?.StartsWith("models/", StringComparison.Ordinal) == true ? model[7..] : model), at, elapsed,
            response.Usage?.InputTokenCount, response.Usage?.CachedInputTokenCount ?? 0, response.Usage?.OutputTokenCount);

        static string? Short(string? text) => text is { Length: > 200 } ? text[..200] : text;
    }

    // Null where a word that nothing may touch is not there as it was: the last net below the guard.
    private static CleanedTurn? With(string raw, CleanedTurn cleaned, TurnText turn, LlmGuard guard, IReadOnlyList<LlmCall> calls)
    {
        var (edits, total, unapplied) = (new List<TextEdit>(), new List<TextEdit>(), new List<TextEdit>());
        Emission.Write(turn, CleaningLevel.Full, edits, unapplied);
        var text = Emission.Apply(cleaned.Text, edits);
        if (!KeepsHeld(turn, text))
            return null;
        Emission.Compose(
            raw, cleaned.Text,
            [.. cleaned.Corrections.Select(c => new TextEdit(c.Start, c.End, c.Corrected, c.Reason, c.Confidence, c.ContextRelevance))], edits, total);
        var corrections = total.Select(edit => Told(raw, edit)).ToArray();
        var refused = guard.Refused.Where(one => one.First >= 0).Take(MostReported).Select(one =>
        {
            var (start, end) = InRaw(cleaned, turn[one.First].Start, turn[one.Last].End);
            return new Correction(raw[start..end], one.Text.Length <= 200 ? one.Text : one.Text[..200], Confidence.Low, CorrectionReasons.Model, start, end, 0);
        });
        var reported = cleaned.Reported.Where(one => !corrections.Any(done => done.Start < one.End && one.Start < done.End)).Concat(refused).ToArray();
        return cleaned with
        {
            Text = text,
            Corrections = corrections,
            Reported = reported,
            Confidence = corrections.Length == 0 ? Confidence.High : corrections.Min(correction => correction.Confidence),
            TranscriptionErrorDetected = cleaned.TranscriptionErrorDetected || guard.HasReworded,
            Llm = new LlmOutcome
            {
                Engine = LlmEngine.Llm,
                Calls = calls,
                Accepted = guard.Accepted,
                Refused = guard.Refused.CountBy(one => one.Rule).ToDictionary(),
                HasReworded = guard.HasReworded,
                Elapsed = TimeSpan.Zero,
            },
        };
    }

    private static Correction Told(string raw, in TextEdit edit) =>
        new(raw[edit.Start..edit.End], edit.Text, edit.Confidence, edit.Reason, edit.Start, edit.End, edit.Relevance);

    private static bool KeepsHeld(TurnText turn, string text)
    {
        var after = new TurnText();
        after.Read(text);
        after.Classify(turn.Language);
        return Held(turn).SequenceEqual(Held(after));

        static IEnumerable<string> Held(TurnText turn) =>
            Enumerable.Range(0, turn.Count).Where(i => LlmGuard.IsHeld(turn, i)).Select(i => turn.Lower(i).ToString());
    }

    // Where in the raw text a part of the cleaned one comes from; with the whole of each correction that it meets.
    private static (int Start, int End) InRaw(CleanedTurn cleaned, int start, int end)
    {
        var (from, to, shift) = (-1, -1, 0);
        foreach (var correction in cleaned.Corrections)
        {
            var (first, last) = (correction.Start - shift, correction.Start - shift + correction.Corrected.Length);
            if (first > end)
                break;
            if (from < 0 && start < last)
                from = start < first ? start + shift : correction.Start;
            if (to < 0 && end <= last)
                to = end <= first ? end + shift : correction.End;
            shift += correction.End - correction.Start - correction.Corrected.Length;
        }

        return (from < 0 ? start + shift : from, to < 0 ? end + shift : to);
    }
}
