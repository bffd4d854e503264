using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;
using Voxbase.Cleaning;

namespace Voxbase.Server.Cleaning;

/// <summary>A turn to clean, as a line of JSON.</summary>
internal sealed record CleaningLine
{
    public required string Id { get; init; }

    public required string Raw { get; init; }

    public string? Conversation { get; init; }

    public string? Speaker { get; init; }

    public string? Lang { get; init; }

    public bool? Trusted { get; init; }

    public IReadOnlyList<WindowLine>? Window { get; init; }

    public IReadOnlyList<string>? Lexicon { get; init; }

    public IReadOnlyList<string>? Alternatives { get; init; }
}

/// <summary>What was said before a turn.</summary>
internal sealed record WindowLine
{
    public required string Text { get; init; }

    public string? Speaker { get; init; }

    public bool? Trusted { get; init; }
}

/// <summary>The key terms of a conversation, as a line of JSON; of all of them when no conversation is named.</summary>
internal sealed record TermsLine
{
    public string? Conversation { get; init; }

    public required IReadOnlyList<JsonElement> Terms { get; init; }

    /// <summary>Each term is a string, or an object with its text.</summary>
    public IEnumerable<string> Texts => Terms.Select(term => term.ValueKind == JsonValueKind.String ? term.GetString()! : term.GetProperty("text").GetString()!);
}

/// <summary>A cleaned turn, as a line of JSON: the columns that a turn has for it.</summary>
internal sealed record CleanedLine(
    string Id, string Cleaned, string Confidence, IReadOnlyList<CorrectionLine> Corrections, IReadOnlyList<CorrectionLine> Reported, string CleaningLevel,
    bool CleaningApplied, string Language, string? ContextDetected, string? BusinessDomain, string? ConversationFlow, bool TranscriptionErrorDetected,
    int SlidingWindowSize, int ContextTurnsUsed, double ProcessingMs, string Engine, string? EngineReason, string? Model, string? RequestId,
    LlmTokens? Tokens);

/// <summary>What the model's calls for a turn used.</summary>
internal sealed record LlmTokens(long Input, long Cached, long Output);

/// <summary>A correction, as JSON.</summary>
internal sealed record CorrectionLine(string Original, string Corrected, string Confidence, string Reason, CorrectionPosition Position, double ContextRelevance)
{
    public static CorrectionLine Of(Correction correction) => new(
        correction.Original, correction.Corrected, correction.Confidence.ToString().ToUpperInvariant(), correction.Reason,
        new CorrectionPosition(correction.Start, correction.End), correction.ContextRelevance);
}

/// <summary>Where in the raw text, in UTF-16 units.</summary>
internal sealed record CorrectionPosition(int Start, int End);

/// <summary>Cleans lines one after the other; those of one conversation share what it has said so far.</summary>
internal sealed class CleaningLines(CleaningRequest request, IReadOnlyDictionary<string, TermIndex>? terms = null, LlmCleaner? llm = null)
{
    /// <summary>Under which a file's terms for every conversation stand.</summary>
    public const string Everywhere = "";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.Strict,
    };

    private readonly TurnCleaner cleaner = new();
    private readonly Dictionary<string, CleaningState> conversations = new(StringComparer.Ordinal);

    /// <summary>Reads a turn. Errors say which line it is.</summary>
    public static CleaningLine Read(string line, int number) => Parse<CleaningLine>(line, number);

    /// <summary>Reads key terms by conversation.</summary>
    public static async Task<IReadOnlyDictionary<string, TermIndex>> ReadTermsAsync(TextReader reader, CancellationToken cancellationToken)
    {
        var found = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        var number = 0;
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            var read = Parse<TermsLine>(line, number);
            var key = read.Conversation ?? Everywhere;
            if (!found.TryGetValue(key, out var list))
                found[key] = list = [];
            try
            {
                list.AddRange(read.Texts);
            }
            catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException)
            {
                throw CleaningErrors.LineInvalid.With($"line {number}: a term is a text, or an object with a text.", inner: e);
            }
        }

        var everywhere = found.GetValueOrDefault(Everywhere) ?? [];
        return found.ToDictionary(
            pair => pair.Key, pair => new TermIndex(pair.Key == Everywhere ? pair.Value : pair.Value.Concat(everywhere)), StringComparer.Ordinal);
    }

    /// <summary>Cleans a turn and keeps it in mind for the next of its conversation.</summary>
    public CleanedTurn Clean(CleaningLine line)
    {
        var state = StateOf(line);
        return Keep(line, state, cleaner.Clean(line.Raw, state, RequestOf(line)));
    }

    /// <summary>Cleans a turn and tells it with the time it took.</summary>
    public async Task<CleanedLine> AnswerAsync(CleaningLine line, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var state = StateOf(line);
        var turn = llm is null ? Clean(line) : Keep(line, state, await llm.CleanAsync(line.Raw, state, RequestOf(line), cancellationToken: cancellationToken));
        return new CleanedLine(
            line.Id, turn.Text, turn.Confidence.ToString().ToUpperInvariant(), [.. turn.Corrections.Select(CorrectionLine.Of)],
            [.. turn.Reported.Select(CorrectionLine.Of)], turn.LevelApplied.ToString().ToLowerInvariant(), turn.IsChanged, turn.Language,
            turn.ContextDetected, turn.BusinessDomain, turn.ConversationFlow, turn.TranscriptionErrorDetected, turn.WindowSize, turn.ContextTurnsUsed,
            Math.Round(Stopwatch.GetElapsedTime(started).TotalMilliseconds, 3), turn.Llm is { } by ? Word(by.Engine) : "deterministic",
            turn.Llm?.Reason is { } reason ? Word(reason) : null, turn.Llm?.Model, turn.Llm?.RequestId,
            turn.Llm is { Calls: { Count: > 0 } calls }
                ? new LlmTokens(calls.Sum(call => call.InputTokens ?? 0), calls.Sum(call => call.CachedTokens), calls.Sum(call => call.OutputTokens ?? 0))
                : null);
    }

    private static string Word<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.SnakeCaseLower.ConvertName(value.ToString());

    private CleaningRequest RequestOf(CleaningLine line) => (line.Lang is { Length: > 0 } language ? request with { Language = language } : request) with
    {
        Alternatives = line.Alternatives ?? [],
    };

    private static CleanedTurn Keep(CleaningLine line, CleaningState state, CleanedTurn turn)
    {
        if (line.Conversation is not null)
            state.Add(turn, TrustOf(line.Trusted, line.Speaker));
        return turn;
    }

    private CleaningState StateOf(CleaningLine line)
    {
        if (line.Window is null && line.Lexicon is null && line.Conversation is { } conversation)
        {
            if (!conversations.TryGetValue(conversation, out var known))
                conversations[conversation] = known = new CleaningState(TermsOf(conversation));
            return known;
        }

        var state = new CleaningState(line.Lexicon is { Count: > 0 } lexicon ? new TermIndex(lexicon) : TermsOf(line.Conversation ?? Everywhere));
        foreach (var turn in line.Window ?? [])
            state.Add(turn.Text, TrustOf(turn.Trusted, turn.Speaker));
        return state;
    }

    private TermIndex? TermsOf(string conversation) => terms?.GetValueOrDefault(conversation) ?? terms?.GetValueOrDefault(Everywhere);

    // An agent's words come from its own text, not from a recogniser.
    private static TurnTrust TrustOf(bool? trusted, string? speaker) =>
        trusted ?? speaker is "agent" or "assistant" ? TurnTrust.Written : TurnTrust.Heard;

    private static T Parse<T>(string line, int number)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(line, Json) ?? throw CleaningErrors.LineInvalid.With($"line {number} is null.");
        }
        catch (JsonException e)
        {
            throw CleaningErrors.LineInvalid.With($"line {number} cannot be read, at position {e.BytePositionInLine}.", inner: e);
        }
    }
}
