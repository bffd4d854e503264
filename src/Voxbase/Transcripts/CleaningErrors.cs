namespace Voxbase.Cleaning;

/// <summary>Errors about cleaning transcripts.</summary>
public static class CleaningErrors
{
    /// <summary>Corrections and text that do not belong together.</summary>
    public static ErrorCode CorrectionsForeign { get; } = new(
        "corrections_foreign", ErrorKind.Invalid,
        "Corrections were applied to a text, or undone in one, that they were not made for.",
        "Take the corrections and the text from the same result, all corrections in their order.");

    /// <summary>A language that the cleaner doesn't know.</summary>
    public static ErrorCode LanguageUnknown { get; } = new(
        "cleaning_language_unknown", ErrorKind.Invalid,
        "The language given is none that the cleaner knows.",
        "Give en, de, fr or es, with or without a region, or none: then it is detected.");

    /// <summary>No language model to clean with.</summary>
    public static ErrorCode ModelMissing { get; } = new(
        "cleaning_model_missing", ErrorKind.Invalid,
        "Cleaning with a language model was asked for, and none is configured.",
        "Give --endpoint and --model, or set VOXBASE_LLMCLEANING__BASEURL and VOXBASE_LLMCLEANING__MODEL; the key in VOXBASE_LLMCLEANING__APIKEY.");

    /// <summary>A line to clean that cannot be read.</summary>
    public static ErrorCode LineInvalid { get; } = new(
        "cleaning_line_invalid", ErrorKind.Invalid,
        "A line of a file to clean, or of its terms, is not a JSON object with the members that are needed.",
        "A turn is {\"id\": …, \"raw\": …}, with conversation, turn, speaker, lang, window and lexicon if wanted; terms are {\"conversation\": …, \"terms\": […]}.");

    /// <summary>A turn without a result.</summary>
    public static ErrorCode TurnNotCleaned { get; } = new(
        "turn_not_cleaned", ErrorKind.NotFound,
        "There is no such turn for the caller, or it was not cleaned.",
        "Clean the conversation first: POST /v1/conversations/{id}/clean. Turns that a program wrote are never cleaned.");

    /// <summary>No such correction.</summary>
    public static ErrorCode CorrectionNotFound { get; } = new(
        "correction_not_found", ErrorKind.NotFound,
        "The turn has no correction of this number that was applied.",
        "A correction's number is its place in the turn's list, from 0. What was only reported cannot be undone.");

    /// <summary>Key terms that cannot be any.</summary>
    public static ErrorCode TermsInvalid { get; } = new(
        "key_terms_invalid", ErrorKind.Invalid,
        "A key term is empty or longer than 200 characters, or a list would have more than 10,000 of them.",
        "Give names and words of a trade as they are spelled, one term each.");
}
