using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;

namespace Voxbase.Cleaning;

/// <summary>Cleans the turns of a conversation one after the other, and remembers the contexts of the conversations cleaned last.</summary>
internal sealed class TurnContexts(int kept, LlmCleaner? llm = null)
{
    /// <summary>The deterministic cleaner, as results name it. Changes when its rules do.</summary>
    public const string Model = "voxbase-2";

    private const int MostTermLists = 500;

    private readonly ConcurrentDictionary<Guid, Kept> contexts = new();
    private readonly ConcurrentDictionary<string, TermIndex> terms = new(StringComparer.Ordinal);
    private readonly TurnCleaner cleaner = new();
    private long clock;

    /// <summary>What a conversation's context was made of, beside its turns.</summary>
    public static string KeyOf(CleaningHead head, CleaningSettings settings) => $"{head.Revision} {settings.WindowSize} {TermsKeyOf(head)}";

    /// <summary>What its trusted names are made of.</summary>
    public static string TermsKeyOf(CleaningHead head) => $"{head.TermsVersion} {string.Join('\n', head.Names)}";

    /// <summary>The context remembered, if it stands where the conversation does.</summary>
    public ContextWindow? Find(CleaningHead head, CleaningSettings settings) =>
        contexts.TryGetValue(head.Id, out var found) && found.Key == KeyOf(head, settings) && found.Window.Through == head.CleanedThrough ? found.Window : null;

    public void Keep(CleaningHead head, CleaningSettings settings, ContextWindow window)
    {
        contexts[head.Id] = new Kept(window, KeyOf(head, settings), Interlocked.Increment(ref clock));
        if (contexts.Count <= kept)
            return;
        // A tenth at once, so that it is not looked for at every turn.
        foreach (var (id, _) in contexts.OrderBy(pair => pair.Value.At).Take(1 + (kept / 10)).ToList())
            contexts.TryRemove(id, out _);
    }

    public void Drop(Guid conversationId) => contexts.TryRemove(conversationId, out _);

    public TermIndex? TermsOf(CleaningHead head) => terms.GetValueOrDefault(TermsKeyOf(head));

    /// <summary>Makes the trusted names of a conversation: of its lists, and its participants.</summary>
    public TermIndex AddTerms(CleaningHead head, IEnumerable<string> listed)
    {
        if (terms.Count >= MostTermLists)
            terms.Clear();
        return terms.GetOrAdd(TermsKeyOf(head), _ =>
        {
            var index = new TermIndex(listed.Concat(head.Names));
            return index.Count == 0 ? TermIndex.Empty : index;
        });
    }

    /// <summary>Cleans a turn in its context.</summary>
    public TurnResult Clean(HeardTurn turn, ContextWindow window, CleaningSettings settings)
    {
        var started = Stopwatch.GetTimestamp();
        return ResultOf(turn, cleaner.Clean(turn.RawText!, window.State, RequestFor(turn, settings)), started);
    }

    /// <summary>Cleans a turn in its context with the engine that the settings name.</summary>
    /// <param name="turn">The turn.</param>
    /// <param name="window">Its context.</param>
    /// <param name="settings">How.</param>
    /// <param name="admits">Whether the budget allows to ask a model.</param>
    /// <param name="cancellationToken">Cancels.</param>
    public async Task<TurnResult> CleanAsync(
        HeardTurn turn, ContextWindow window, CleaningSettings settings, Func<CancellationToken, Task<bool>>? admits, CancellationToken cancellationToken)
    {
        if (settings.Engine == CleaningEngine.Deterministic || llm is null)
            return Clean(turn, window, settings);
        var started = Stopwatch.GetTimestamp();
        return ResultOf(turn, await llm.CleanAsync(turn.RawText!, window.State, RequestFor(turn, settings), admits, cancellationToken), started);
    }

    private static CleaningRequest RequestFor(HeardTurn turn, CleaningSettings settings) => settings.Request with
    {
        Language = settings.Request.Language ?? (turn.Language is { Length: > 0 } tag && Language.Find(tag) is not null ? tag : null),
    };

    private static TurnResult ResultOf(HeardTurn turn, CleanedTurn cleaned, long started) => new(
        turn, cleaned, TurnCorrection.Of(cleaned), ModelOf(cleaned.Llm), cleaned.Llm is { Calls: [.., var last] } ? last.RequestId : null,
        (int)Math.Min(int.MaxValue, Math.Round(Stopwatch.GetElapsedTime(started).TotalMilliseconds)));

    // What cleaned the turn in the end, and why not the model where one was needed.
    private static string ModelOf(LlmOutcome? outcome) => outcome switch
    {
        { Engine: LlmEngine.Llm } => $"{Model}+{outcome.Calls[^1].Model ?? "llm"}",
        { Engine: LlmEngine.Fallback, Reason: { } reason } => $"{Model} fallback:{JsonNamingPolicy.SnakeCaseLower.ConvertName(reason.ToString())}",
        _ => Model,
    };

    private sealed record Kept(ContextWindow Window, string Key, long At);
}
