using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;
using Voxbase.Capture;

namespace Voxbase.AspNetCore;

/// <summary>One summary a conversation that a log held.</summary>
public sealed record CaptureAnswer(IReadOnlyList<CaptureSummary> Conversations);

/// <summary>Logs of providers, as they are.</summary>
internal sealed class CaptureEndpoints(Captures captures)
{
    // A day of calls, audio and all; it is read as it comes and never held.
    private const long MaxLogBytes = 1L << 30;

    public void Map(VoxbaseRoutes routes) =>
        routes.At("/v1/capture/openai")
            .Post(OpenAiAsync, new Operation("capture.openai", "Capture a log of OpenAI Realtime events: JSON lines, streamed, of any length up to 1 GiB; safe to repeat")
            {
                Query =
                {
                    ["user_id"] = (typeof(Guid), "Whose it becomes; the service may name anyone, a user only itself."),
                    ["session_id"] = (typeof(string), "Go on with this session, for a piece of a log that doesn't name its own."),
                    ["started_at"] = (typeof(DateTimeOffset), "When the log began, where it has no clock of its own; default now. Prices of that time apply."),
                    ["keep_open"] = (typeof(bool), "More of it is to come: the end of the log does not end the conversation; default false."),
                },
                Answers = { [200] = typeof(CaptureAnswer) },
                Errors = [CaptureErrors.LogEmpty, CaptureErrors.CallerRefused, ConversationErrors.SessionTaken],
            });

    private async Task OpenAiAsync(Request request)
    {
        var query = request.Query("user_id", "session_id", "started_at", "keep_open");
        var settings = new CaptureSettings
        {
            UserId = query.Uuid("user_id"),
            SessionId = query.Text("session_id"),
            StartedAt = query.Moment("started_at"),
            EndWhenRead = !query.Flag("keep_open"),
        };
        var http = request.Context.Request;
        if (http.ContentType is { } contentType
            && (!MediaTypeHeaderValue.TryParse(contentType, out var type) || !IsLog(type.MediaType.Value!)))
        {
            throw HttpErrors.ContentTypeUnsupported.With($"The content type '{Request.Shown(contentType)}' is none of application/x-ndjson, application/jsonl, application/json, text/plain and application/octet-stream.");
        }

        if (request.Context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = MaxLogBytes;
        var results = await captures.ReplayAsync(request.Caller, http.Body, settings, progress: null, request.Aborted);
        await Responses.WriteAsync(request.Context, new CaptureAnswer([.. results.Select(result => CaptureSummary.Of(result))]), VoxbaseJson.Types.CaptureAnswer);
    }

    private static bool IsLog(string mediaType) =>
        mediaType.ToLowerInvariant() is "application/x-ndjson" or "application/ndjson" or "application/jsonl" or "application/x-jsonlines"
            or "application/json" or "text/plain" or "application/octet-stream";
}
