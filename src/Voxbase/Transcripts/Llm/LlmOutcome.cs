namespace Voxbase.Cleaning;

/// <summary>What cleaned a turn in the end.</summary>
public enum LlmEngine
{
    /// <summary>The model answered: what the guard let through is in the text.</summary>
    Llm,

    /// <summary>The model was not needed; the text is that of the deterministic cleaner.</summary>
    Skipped,

    /// <summary>The model was needed and of no use; the text is that of the deterministic cleaner.</summary>
    Fallback,
}

/// <summary>Why a model was not asked, or its answer not used.</summary>
public enum LlmReason
{
    /// <summary>Every word is known, no name sounds like what was said, nothing uncertain was left.</summary>
    NothingToFix,

    /// <summary>Below level full nothing of a model is applied.</summary>
    Level,

    /// <summary>There is no model.</summary>
    NotConfigured,

    /// <summary>The budget does not allow it.</summary>
    OverBudget,

    /// <summary>No answer in time.</summary>
    TimedOut,

    /// <summary>Twice no JSON of the form asked for.</summary>
    InvalidAnswer,

    /// <summary>The endpoint refuses: the key, the model, the request, or a limit of its account or its rate.</summary>
    Refused,

    /// <summary>The endpoint cannot be reached, or failed.</summary>
    Unavailable,
}

/// <summary>One call of the model that was answered, whatever the answer was good for.</summary>
/// <param name="Key">Ours, unlike that of any other call: what its charge is known by.</param>
/// <param name="RequestId">The endpoint's; null when it gave none.</param>
/// <param name="Provider">Who charges.</param>
/// <param name="Model">The model that answered, in the endpoint's words; the one asked for when it said none.</param>
/// <param name="At">When it was asked.</param>
/// <param name="Elapsed">How long it took.</param>
/// <param name="InputTokens">Tokens read, those from its cache included; null when it does not say.</param>
/// <param name="CachedTokens">Of these, from its cache.</param>
/// <param name="OutputTokens">Tokens written, those it thought with included; null when it does not say.</param>
public sealed record LlmCall(
    Guid Key, string? RequestId, string Provider, string? Model, DateTimeOffset At, TimeSpan Elapsed, long? InputTokens, long CachedTokens, long? OutputTokens);

/// <summary>What a language model had to do with the cleaning of a turn.</summary>
public sealed record LlmOutcome
{
    /// <summary>What cleaned the turn.</summary>
    public required LlmEngine Engine { get; init; }

    /// <summary>Why not the model; null when it did.</summary>
    public LlmReason? Reason { get; init; }

    /// <summary>The calls answered, in their order: none, one, or more for a long turn or a second attempt. Each is to be charged.</summary>
    public IReadOnlyList<LlmCall> Calls { get; init; } = [];

    /// <summary>How many of the model's edits are in the text.</summary>
    public int Accepted { get; init; }

    /// <summary>
    /// The model's edits that the guard refused, counted by the rule they broke. Those with a place in the turn are among
    /// <see cref="CleanedTurn.Reported"/>, as low.
    /// </summary>
    public IReadOnlyDictionary<string, int> Refused { get; init; } = new Dictionary<string, int>();

    /// <summary>Whether words stand in the text that a model put there.</summary>
    public bool HasReworded { get; init; }

    /// <summary>From the turn's arrival to its result, the deterministic part included.</summary>
    public required TimeSpan Elapsed { get; init; }

    /// <summary>The model that answered last; null when none did.</summary>
    public string? Model => Calls.Count > 0 ? Calls[^1].Model : null;

    /// <summary>The endpoint's id of its last answer; null when there is none.</summary>
    public string? RequestId => Calls.Count > 0 ? Calls[^1].RequestId : null;
}
