namespace Voxbase;

/// <summary>What is counted and priced. A price book may hold others; these are the ones that capture records.</summary>
public static class Meters
{
    /// <summary>Text tokens read by a language or realtime model, not cached.</summary>
    public const string InputText = "llm.input.text";

    /// <summary>Text tokens that the provider had cached.</summary>
    public const string InputTextCached = "llm.input.text.cached";

    /// <summary>Audio tokens heard, not cached.</summary>
    public const string InputAudio = "llm.input.audio";

    /// <summary>Audio tokens that the provider had cached.</summary>
    public const string InputAudioCached = "llm.input.audio.cached";

    /// <summary>Image tokens seen, not cached.</summary>
    public const string InputImage = "llm.input.image";

    /// <summary>Image tokens that the provider had cached.</summary>
    public const string InputImageCached = "llm.input.image.cached";

    /// <summary>Text tokens made.</summary>
    public const string OutputText = "llm.output.text";

    /// <summary>Audio tokens made.</summary>
    public const string OutputAudio = "llm.output.audio";

    /// <summary>Input tokens whose modality or cached part the provider didn't say. Never has a price.</summary>
    public const string InputUnsplit = "llm.input.unsplit";

    /// <summary>Output tokens whose modality the provider didn't say. Never has a price.</summary>
    public const string OutputUnsplit = "llm.output.unsplit";

    /// <summary>Seconds of audio transcribed.</summary>
    public const string TranscribedSeconds = "stt.seconds";

    /// <summary>Text tokens of a transcription's prompt.</summary>
    public const string TranscriptionInputText = "stt.input.text";

    /// <summary>Audio tokens transcribed.</summary>
    public const string TranscriptionInputAudio = "stt.input.audio";

    /// <summary>Text tokens of a transcript.</summary>
    public const string TranscriptionOutputText = "stt.output.text";

    /// <summary>Transcribed tokens whose modality the provider didn't say. Never has a price.</summary>
    public const string TranscriptionUnsplit = "stt.input.unsplit";

    /// <summary>Characters spoken by a speech synthesiser; bytes where it bills bytes.</summary>
    public const string SpokenCharacters = "tts.characters";

    /// <summary>Text tokens read by a speech synthesiser that bills tokens.</summary>
    public const string SpeechInputText = "tts.input.text";

    /// <summary>Audio tokens made by a speech synthesiser that bills tokens.</summary>
    public const string SpeechOutputAudio = "tts.output.audio";

    /// <summary>Seconds of a session billed by time.</summary>
    public const string SessionSeconds = "session.seconds";

    /// <summary>Seconds that a session stood by, where they are billed otherwise than active ones.</summary>
    public const string StandbySeconds = "session.standby.seconds";

    /// <summary>Requests billed each.</summary>
    public const string Requests = "request";

    /// <summary>All that may have a price.</summary>
    public static IReadOnlyList<string> Priced { get; } =
    [
        InputText, InputTextCached, InputAudio, InputAudioCached, InputImage, InputImageCached, OutputText, OutputAudio, TranscribedSeconds,
        TranscriptionInputText, TranscriptionInputAudio, TranscriptionOutputText, SpokenCharacters, SpeechInputText, SpeechOutputAudio,
        SessionSeconds, StandbySeconds, Requests,
    ];

    /// <summary>All that may be charged: those with a price, and those that wait for one to be told apart.</summary>
    public static IReadOnlyList<string> All { get; } = [.. Priced, InputUnsplit, OutputUnsplit, TranscriptionUnsplit];
}
