namespace Voxbase.Capture;

/// <summary>Why a live call ended, in <c>conversations.end_reason</c>, where the provider says nothing more exact.</summary>
public static class EndReasons
{
    /// <summary>The client closed its socket.</summary>
    public const string ClientClosed = "client_closed";

    /// <summary>The client's connection broke without a word.</summary>
    public const string ClientLost = "client_lost";

    /// <summary>The provider closed its socket.</summary>
    public const string UpstreamClosed = "upstream_closed";

    /// <summary>The provider's connection broke without a word. The conversation has failed.</summary>
    public const string UpstreamLost = "upstream_lost";

    /// <summary>The provider could not be reached, or refused the call, before it began. The conversation has failed.</summary>
    public const string UpstreamUnreachable = "upstream_unreachable";

    /// <summary>The server was stopped in the middle of the call, in an orderly way.</summary>
    public const string ServerStopped = "server_stopped";

    /// <summary>The server was killed in the middle of the call; what it had passed on was recorded afterwards. The conversation has failed.</summary>
    public const string ServerLost = "server_lost";

    /// <summary>Nobody said anything for too long.</summary>
    public const string Idle = "idle_timeout";

    /// <summary>Somebody sent a message that is longer than the relay passes on. The conversation has failed.</summary>
    public const string MessageTooLarge = "message_too_large";

    /// <summary>What was said could not be kept, such as on a full disk, and so was not passed on. The conversation has failed.</summary>
    public const string RecordingFailed = "recording_failed";

    /// <summary>Whether a call that ended so has failed.</summary>
    public static bool IsFailure(string reason) =>
        reason is UpstreamLost or UpstreamUnreachable or ServerLost or MessageTooLarge or RecordingFailed;
}
