namespace Voxbase;

/// <summary>Where OpenAI is and who we are there.</summary>
public sealed class OpenAiOptions
{
    /// <summary>The API's base URL, without a slash at its end. Another one for a proxy or a compatible provider. Default <c>https://api.openai.com/v1</c>.</summary>
    public string BaseUrl { get; set; } = "https://api.openai.com/v1";

    /// <summary>The API key that calls are made with. Null (default): live calls are refused, recorded logs work all the same.</summary>
    public string? ApiKey { get; set; }

    internal void Validate(Action<string> fail)
    {
        if (!Uri.TryCreate(BaseUrl, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || BaseUrl.EndsWith('/'))
            fail($"OpenAi.BaseUrl must be an http or https URL without a slash at its end (was '{BaseUrl}')");
    }
}
