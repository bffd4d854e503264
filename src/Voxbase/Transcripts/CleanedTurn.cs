namespace Voxbase.Cleaning;

/// <summary>Who was speaking to whom.</summary>
public enum CleaningMode
{
    /// <summary>People talking: a single "no" or "sorry" is part of what they say.</summary>
    Conversation,

    /// <summary>Somebody talking to a machine: single words too may take back what came before them.</summary>
    Assistant,
}

/// <summary>One change of a turn, in positions of the raw text.</summary>
/// <param name="Original">What stands in the raw text from <paramref name="Start"/> to <paramref name="End"/>.</param>
/// <param name="Corrected">What stands in its place in the cleaned text; empty for what was taken out.</param>
/// <param name="Confidence">How sure.</param>
/// <param name="Reason">Which rule: one of <see cref="CorrectionReasons"/>.</param>
/// <param name="Start">First UTF-16 position in the raw text.</param>
/// <param name="End">The position after the last one.</param>
/// <param name="ContextRelevance">How much the conversation spoke for it, from 0 (nothing: the words themselves did) to 1.</param>
public sealed record Correction(string Original, string Corrected, Confidence Confidence, string Reason, int Start, int End, double ContextRelevance);

/// <summary>Why a correction was made.</summary>
public static class CorrectionReasons
{
    /// <summary>A filled pause: um, äh, euh.</summary>
    public const string Filler = "filler";

    /// <summary>A word broken off.</summary>
    public const string PartialWord = "partial_word";

    /// <summary>The same words twice.</summary>
    public const string Repetition = "repetition";

    /// <summary>A beginning given up for another.</summary>
    public const string FalseStart = "false_start";

    /// <summary>Words that carry nothing: you know, I mean.</summary>
    public const string EditPhrase = "edit_phrase";

    /// <summary>What the speaker took back, with the words that took it back.</summary>
    public const string Repair = "repair";

    /// <summary>A trusted name or term that the recogniser misheard.</summary>
    public const string Lexicon = "lexicon";

    /// <summary>A fixed phrase of the topic talked about that the recogniser misheard.</summary>
    public const string Phrase = "phrase";

    /// <summary>A number, date, time, amount or address as it is written.</summary>
    public const string Number = "number";

    /// <summary>Upper and lower case.</summary>
    public const string Casing = "casing";

    /// <summary>Words that a language model hears otherwise, and that sound alike.</summary>
    public const string Model = "model";

    /// <summary>A mark that a language model missed.</summary>
    public const string Punctuation = "punctuation";
}

/// <summary>A turn after cleaning. The raw text is not in it: the turn has it.</summary>
public sealed record CleanedTurn
{
    /// <summary>The cleaned text: the raw text with <see cref="Corrections"/> applied.</summary>
    public required string Text { get; init; }

    /// <summary>What was applied, in the order of the text, never overlapping. Each can be undone without the others.</summary>
    public required IReadOnlyList<Correction> Corrections { get; init; }

    /// <summary>What was noticed and not applied: too uncertain, or more than the level allows.</summary>
    public required IReadOnlyList<Correction> Reported { get; init; }

    /// <summary>That of the least certain correction applied; high when nothing was.</summary>
    public required Confidence Confidence { get; init; }

    /// <summary>The level asked for.</summary>
    public required CleaningLevel Level { get; init; }

    /// <summary>The level that was applied: light instead of full when full would have taken out most of the turn.</summary>
    public required CleaningLevel LevelApplied { get; init; }

    /// <summary>The language cleaned in: en, de, fr or es.</summary>
    public required string Language { get; init; }

    /// <summary>What the conversation is about at this turn, for example <c>identity_role</c>; null when nothing stands out.</summary>
    public string? ContextDetected { get; init; }

    /// <summary>The trade the conversation belongs to, for example <c>finance</c>; null when nothing stands out.</summary>
    public string? BusinessDomain { get; init; }

    /// <summary>The topic of the last turn that had one, and this one's: <c>identity_role_to_scheduling</c>; null without both.</summary>
    public string? ConversationFlow { get; init; }

    /// <summary>Whether the recogniser misheard something, judging by lexicon and phrase corrections, applied or reported.</summary>
    public required bool TranscriptionErrorDetected { get; init; }

    /// <summary>How many turns the window may hold.</summary>
    public required int WindowSize { get; init; }

    /// <summary>How many it held.</summary>
    public required int ContextTurnsUsed { get; init; }

    /// <summary>What a language model had to do with it; null when none was to be asked.</summary>
    public LlmOutcome? Llm { get; init; }

    /// <summary>Whether the cleaned text differs from the raw text.</summary>
    public bool IsChanged => Corrections.Count > 0;
}
