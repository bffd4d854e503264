namespace Voxbase;

/// <summary>A model that its provider will switch off.</summary>
/// <param name="Provider">Who.</param>
/// <param name="Model">An exact name, or a prefix ending in <c>*</c>.</param>
/// <param name="On">The day.</param>
/// <param name="Replacement">What the provider names instead, or null.</param>
/// <param name="Source">Where it is published.</param>
public sealed record ModelShutdown(string Provider, string Model, DateOnly On, string? Replacement, string Source);

/// <summary>The shutdown dates that providers have published, as of this version of Voxbase.</summary>
public static class ModelShutdowns
{
    private const string Deprecations = "developers.openai.com/api/docs/deprecations";

    private static readonly DateOnly Speech = new(2027, 1, 6);
    private static readonly DateOnly Realtime = new(2027, 1, 20);
    private static readonly DateOnly Transcription = new(2027, 2, 26);

    /// <summary>All of them.</summary>
    public static IReadOnlyList<ModelShutdown> All { get; } =
    [
        new("openai", "tts-1", Speech, null, Deprecations),
        new("openai", "tts-1-hd", Speech, null, Deprecations),
        new("openai", "gpt-4o-mini-tts", Speech, null, Deprecations),
        new("openai", "gpt-4o-mini-tts-20*", Speech, null, Deprecations),
        new("openai", "gpt-realtime", Realtime, null, Deprecations),
        // Snapshots by the prefix of their year: gpt-realtime-2 is another model.
        new("openai", "gpt-realtime-20*", Realtime, null, Deprecations),
        new("openai", "gpt-realtime-mini", Realtime, null, Deprecations),
        new("openai", "gpt-realtime-mini-20*", Realtime, null, Deprecations),
        new("openai", "gpt-4o-realtime*", Realtime, null, Deprecations),
        new("openai", "gpt-audio", Realtime, null, Deprecations),
        new("openai", "gpt-audio-20*", Realtime, null, Deprecations),
        new("openai", "whisper-1", Transcription, "gpt-transcribe or gpt-live-transcribe", Deprecations),
        new("openai", "gpt-4o-transcribe*", Transcription, "gpt-transcribe or gpt-live-transcribe", Deprecations),
        new("openai", "gpt-4o-mini-transcribe*", Transcription, "gpt-transcribe or gpt-live-transcribe", Deprecations),
    ];

    /// <summary>When a model will be, or was, switched off; null when no date is known.</summary>
    public static ModelShutdown? Find(string? provider, string? model) =>
        provider is null || model is null
            ? null
            : All.FirstOrDefault(s => s.Provider == provider && (s.Model == model
                || (s.Model[^1] == '*' && model.StartsWith(s.Model[..^1], StringComparison.Ordinal))));
}
