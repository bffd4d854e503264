using System.Text.Json;
using Voxbase.Sideband;

namespace Voxbase;

/// <summary>Where OpenAI is and who we are there.</summary>
public sealed class OpenAiOptions
{
    /// <summary>The API's base URL, without a slash at its end. Another one for a proxy or a compatible provider. Default <c>https://api.openai.com/v1</c>.</summary>
    public string BaseUrl { get; set; } = "https://api.openai.com/v1";

    /// <summary>The API key that calls are made with. Null (default): live calls are refused, recorded logs work all the same.</summary>
    public string? ApiKey { get; set; }

    /// <summary>The secret of the webhook endpoint at OpenAI, <c>whsec_…</c>. Null (default): its webhooks are refused.</summary>
    public string? WebhookSecret { get; set; }

    /// <summary>
    /// The session that an incoming Realtime call is answered with, as JSON, for example
    /// <c>{"type":"realtime","model":"gpt-realtime","instructions":"…"}</c>; its sideband is attached to then. Null (default): the
    /// application accepts the call and attaches.
    /// </summary>
    public string? AcceptRealtime { get; set; }

    /// <summary>The same for a Live call, for example <c>{"type":"live","model":"gpt-live-1","instructions":"…"}</c>. Null by default.</summary>
    public string? AcceptLive { get; set; }

    /// <summary>Whose the conversations of incoming calls become, a user's id. Null (default): nobody's, for admins and the service to see.</summary>
    public string? IncomingCallsUserId { get; set; }

    /// <summary>
    /// How long a sideband that was cut off tries to attach again, waiting longer from attempt to attempt, before the conversation ends as
    /// failed. From 1 second to 1 hour; default 2 minutes.
    /// </summary>
    public TimeSpan ReattachFor { get; set; } = TimeSpan.FromMinutes(2);

    internal void Validate(Action<string> fail)
    {
        if (!Uri.TryCreate(BaseUrl, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https") || BaseUrl.EndsWith('/'))
            fail($"OpenAi.BaseUrl must be an http or https URL without a slash at its end (was '{BaseUrl}')");
        if (WebhookSecret is { } secret && StandardWebhooks.KeyOf(secret) is null)
            fail("OpenAi.WebhookSecret must be whsec_ and base64");
        if (AcceptRealtime is { } realtime && !IsObject(realtime))
            fail("OpenAi.AcceptRealtime must be a JSON object");
        if (AcceptLive is { } live && !IsObject(live))
            fail("OpenAi.AcceptLive must be a JSON object");
        if (IncomingCallsUserId is { } user && !Guid.TryParseExact(user, "D", out _))
            fail($"OpenAi.IncomingCallsUserId must be a UUID (was '{user}')");
        if (ReattachFor < TimeSpan.FromSeconds(1) || ReattachFor > TimeSpan.FromHours(1))
            fail($"OpenAi.ReattachFor must be between 1 s and 1 h (was {ReattachFor})");
    }

    private static bool IsObject(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return document.RootElement.ValueKind == JsonValueKind.Object;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
