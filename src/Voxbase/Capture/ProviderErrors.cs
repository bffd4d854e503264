using System.Net;

namespace Voxbase.Capture;

/// <summary>Errors about calls to a provider, and about what the provider answers. None repeats a key.</summary>
public static class ProviderErrors
{
    /// <summary>There is no key.</summary>
    public static ErrorCode NotConfigured { get; } = new(
        "provider_not_configured", ErrorKind.Unavailable,
        "Live calls need the provider's API key, and the server has none.",
        "Set VOXBASE_OPENAI__APIKEY (OpenAi.ApiKey) and restart; recorded logs work without it.");

    /// <summary>The provider finds the request wrong.</summary>
    public static ErrorCode Rejected { get; } = new(
        "provider_rejected", ErrorKind.Invalid,
        "The provider finds the request wrong: an unknown model, perhaps, or a setting it doesn't take.",
        "The details are the provider's own words; correct the model or the session.");

    /// <summary>The provider refuses us.</summary>
    public static ErrorCode Refused { get; } = new(
        "provider_refused", ErrorKind.Unavailable,
        "The provider refuses this server: a wrong key, no right to the model, or a limit of its account.",
        "Check OpenAi.ApiKey, the account's limits at the provider and, for incoming calls, OpenAi.AcceptRealtime and OpenAi.AcceptLive; after a rate limit, try again later.");

    /// <summary>No answer.</summary>
    public static ErrorCode Unavailable { get; } = new(
        "provider_unavailable", ErrorKind.Unavailable,
        "The provider cannot be reached, failed, or did not answer in time.",
        "Try again. OpenAi.BaseUrl says where the provider is looked for, Relay.ConnectTimeout how long.");

    /// <summary>All places are taken.</summary>
    public static ErrorCode RelayFull { get; } = new(
        "relay_full", ErrorKind.Unavailable,
        "The server relays as many calls as it may.",
        "Try again later, use another server, or raise Relay.MaxSessions.");

    /// <summary>A conversation has one call.</summary>
    public static ErrorCode CallTaken { get; } = new(
        "call_taken", ErrorKind.Conflict,
        "The conversation has had its call, or has it now: only a pending one can be relayed.",
        "Ask POST /v1/realtime/sessions for a new conversation, or leave conversation_id out.");

    /// <summary>Something not to relay.</summary>
    public static ErrorCode SessionInvalid { get; } = new(
        "realtime_session_invalid", ErrorKind.Invalid,
        "What is asked for a realtime session is missing or out of range.",
        "model is required; expires_after_seconds is from 10 to 7200; session is an object of OpenAI's, whose model is the same.");

    /// <summary>What a provider's refusal means. Its words are passed on only where they are about what the client asked for.</summary>
    public static VoxbaseException Of(HttpStatusCode status, string? said = null) => (int)status switch
    {
        400 or 404 or 409 or 413 or 415 or 422 => Rejected.With($"The provider answered {(int)status}.", said),
        401 or 402 or 403 or 429 => Refused.With($"The provider answered {(int)status}."),
        _ => Unavailable.With($"The provider answered {(int)status}."),
    };

    /// <summary>The key that calls are made with.</summary>
    /// <exception cref="VoxbaseException"><c>provider_not_configured</c>.</exception>
    public static string RequireKey(OpenAiOptions openAi) =>
        openAi.ApiKey is { Length: > 0 } key ? key : throw NotConfigured.With("OpenAi.ApiKey is not set.");
}
