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
}
