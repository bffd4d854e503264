namespace Voxbase;

/// <summary>The language model that may help to clean transcripts.</summary>
public sealed class LlmCleaningOptions
{
    /// <summary>
    /// The base URL of an OpenAI-compatible endpoint, without a slash at its end: <c>https://api.openai.com/v1</c>, Gemini's
    /// <c>https://generativelanguage.googleapis.com/v1beta/openai</c>, or a server of your own. Null (default): no model, unless the application
    /// brings its <c>IChatClient</c>.
    /// </summary>
    public string? BaseUrl { get; set; }

    /// <summary>The API key for it. Null (default) for an endpoint that takes none.</summary>
    public string? ApiKey { get; set; }

    /// <summary>The model, for example <c>gemini-2.5-flash-lite</c>. Needed with a base URL; null by default.</summary>
    public string? Model { get; set; }

    /// <summary>
    /// Who charges, as the price book names them. Null (default): <c>openai</c> or <c>google</c> by the base URL, and otherwise its host.
    /// </summary>
    public string? Provider { get; set; }

    /// <summary>How long a turn waits for the model before it is cleaned without. From 50 ms to 1 minute; default 1.5 seconds.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(1.5);

    /// <summary>
    /// How much the model may think before it answers: none, low, medium or high. Thinking takes too much out and costs time; say <c>none</c> to a
    /// model that thinks unasked. Null (default): nothing is said about it.
    /// </summary>
    public string? ReasoningEffort { get; set; }

    internal string ProviderName => Provider ?? HostOf(BaseUrl) switch
    {
        "api.openai.com" => "openai",
        "generativelanguage.googleapis.com" => "google",
        var host => host,
    };

    internal void Validate(Action<string> fail)
    {
        if (BaseUrl is not null && (!Uri.TryCreate(BaseUrl, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || BaseUrl.EndsWith('/')))
            fail($"LlmCleaning.BaseUrl must be an http or https URL without a slash at its end (was '{BaseUrl}')");
        if (BaseUrl is not null && string.IsNullOrWhiteSpace(Model))
            fail("LlmCleaning.Model must be set with LlmCleaning.BaseUrl");
        if (Provider is { } provider && string.IsNullOrWhiteSpace(provider))
            fail("LlmCleaning.Provider must not be empty");
        if (Timeout < TimeSpan.FromMilliseconds(50) || Timeout > TimeSpan.FromMinutes(1))
            fail($"LlmCleaning.Timeout must be between 50 ms and 1 min (was {Timeout})");
        if (ReasoningEffort is not (null or "none" or "low" or "medium" or "high"))
            fail($"LlmCleaning.ReasoningEffort must be none, low, medium or high (was '{ReasoningEffort}')");
    }

    private static string HostOf(string? url) => Uri.TryCreate(url, UriKind.Absolute, out var parsed) ? parsed.Host : "llm";
}
