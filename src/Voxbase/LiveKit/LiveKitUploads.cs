namespace Voxbase.LiveKit;

/// <summary>What agents upload: OTLP logs, traces and metrics, recordings, session reports. Accepted by being kept, read afterwards.</summary>
public sealed class LiveKitUploads(LiveKitTokens tokens, LiveKitInbox inbox, Conversations conversations)
{
    /// <summary>Refuses whoever may not upload.</summary>
    /// <param name="token">A LiveKit token with the grant <c>observability.write</c>.</param>
    /// <exception cref="VoxbaseException"><c>livekit_token_invalid</c>, <c>livekit_not_configured</c>.</exception>
    public void Authorise(string? token) => tokens.Verify(token, "observability", "write");

    /// <summary>Whether a token says that it is LiveKit's and of our key; nothing is verified.</summary>
    public bool IsLiveKitToken(string? token) => token is not null && tokens.IsOurs(token);

    /// <summary>Keeps a session's log records: its chat items, its report, its evaluations.</summary>
    /// <exception cref="VoxbaseException"><c>livekit_upload_invalid</c>; nothing is kept.</exception>
    public Task LogsAsync(ReadOnlyMemory<byte> otlp, bool isJson, CancellationToken cancellationToken = default) =>
        KeepAsync(AgentUpload.OfLogs(otlp.Span, isJson), cancellationToken);

    /// <summary>Keeps a session's spans.</summary>
    /// <exception cref="VoxbaseException"><c>livekit_upload_invalid</c>; nothing is kept.</exception>
    public Task TracesAsync(ReadOnlyMemory<byte> otlp, bool isJson, CancellationToken cancellationToken = default) =>
        KeepAsync(AgentUpload.OfTraces(otlp.Span, isJson), cancellationToken);

    /// <summary>Keeps a session's metrics.</summary>
    /// <exception cref="VoxbaseException"><c>livekit_upload_invalid</c>; nothing is kept.</exception>
    public Task MetricsAsync(ReadOnlyMemory<byte> otlp, bool isJson, CancellationToken cancellationToken = default) =>
        KeepAsync(AgentUpload.OfMetrics(otlp.Span, isJson), cancellationToken);

    /// <summary>Keeps what an agent sends when its session is over.</summary>
    /// <param name="parts">The form's parts by name: <c>header</c>, and where there are any <c>chat_history</c> and <c>audio</c>.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VoxbaseException"><c>livekit_upload_invalid</c>; nothing is kept.</exception>
    public Task RecordingAsync(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> parts, CancellationToken cancellationToken = default) =>
        KeepAsync([AgentUpload.OfRecording(parts)], cancellationToken);

    /// <summary>Keeps a session report and reads it at once.</summary>
    /// <returns>The conversation; null when the report names its room by name alone and no room of that name is known yet.</returns>
    /// <exception cref="VoxbaseException"><c>livekit_report_invalid</c>; nothing is kept.</exception>
    public async Task<Conversation?> ReportAsync(ReadOnlyMemory<byte> json, CancellationToken cancellationToken = default)
    {
        var upload = AgentUpload.OfReport(json);
        var id = await inbox.AcceptAsync(upload, cancellationToken);
        return await inbox.ReadAsync(id, upload, cancellationToken) is { } conversationId
            ? await conversations.FindAsync(Caller.Service, conversationId, cancellationToken)
            : null;
    }

    private async Task KeepAsync(IReadOnlyList<AgentUpload> uploads, CancellationToken cancellationToken)
    {
        foreach (var upload in uploads.Where(upload => upload.Records.Count > 0))
            await inbox.AcceptAsync(upload, cancellationToken);
    }
}
