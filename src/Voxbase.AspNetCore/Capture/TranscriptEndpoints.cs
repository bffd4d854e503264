using System.Globalization;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;
using Voxbase.Capture;

namespace Voxbase.AspNetCore;

/// <summary>Transcript files, as they are.</summary>
internal sealed class TranscriptEndpoints(TranscriptImports imports)
{
    private static readonly string[] MediaTypes =
    [
        "text/vtt", "text/srt", "application/x-subrip", "text/plain", "application/json", "application/x-ndjson", "application/ndjson",
        "application/jsonl", "application/x-jsonlines", "application/octet-stream",
    ];

    public void Map(VoxbaseRoutes routes) =>
        routes.At("/v1/capture/transcripts")
            .Post(ImportAsync, new Operation(
                "capture.transcripts",
                "Import a transcript: WebVTT, SRT, plain text, JSON or JSON lines, streamed, of up to 256 MiB; the same content again adds nothing")
            {
                Query =
                {
                    ["user_id"] = (typeof(Guid), "Whose it becomes; the service may name anyone, a user only itself."),
                    ["name"] = (typeof(string), "The conversation's title."),
                    ["started_at"] = (typeof(DateTimeOffset), "When it began: times in the file count from there; default the file's own time of day, else now."),
                    ["language"] = (typeof(string), "BCP 47, for turns whose language the file does not tell."),
                    ["assistant"] = (typeof(string), "The speakers whose turns are the assistant's, separated by commas; default names such as agent, assistant and bot."),
                    ["format"] = (typeof(TranscriptFormat), "The format; default what the beginning of the file tells."),
                },
                Answers = { [200] = typeof(TranscriptImportResult) },
                Errors =
                [
                    TranscriptErrors.Empty, TranscriptErrors.FormatUnknown, TranscriptErrors.Unusable, TranscriptErrors.TooLarge,
                    CaptureErrors.CallerRefused, ConversationErrors.InputInvalid, IdentityErrors.UserNotFound, HttpErrors.ContentTypeUnsupported,
                ],
            });

    private async Task ImportAsync(Request request)
    {
        var query = request.Query("user_id", "name", "started_at", "language", "assistant", "format");
        var import = new TranscriptImport
        {
            UserId = query.Uuid("user_id"),
            Name = query.Text("name"),
            StartedAt = query.Moment("started_at"),
            Language = query.Text("language"),
            Assistants = Names(query.Text("assistant")),
            Format = query.Enum<TranscriptFormat>("format"),
        };
        var http = request.Context.Request;
        RequireTranscript(http.ContentType);
        if (http.Headers.ContentEncoding.Count > 0 && http.Headers.ContentEncoding != "identity")
            throw HttpErrors.ContentTypeUnsupported.With("The body is compressed.");
        if (http.ContentLength > TranscriptImports.MaxBytes)
        {
            throw TranscriptErrors.TooLarge.With(
                string.Create(CultureInfo.InvariantCulture, $"The transcript is longer than {TranscriptImports.MaxBytes >> 20} MiB."));
        }

        // One byte more, so that it is the import that says what is too long.
        if (request.Context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = TranscriptImports.MaxBytes + 1;
        var result = await imports.ImportAsync(request.Caller, http.Body, import, progress: null, request.Aborted);
        await Responses.WriteAsync(request.Context, result, VoxbaseJson.Types.TranscriptImportResult);
    }

    // A name may have a comma in it: the whole counts as well.
    private static IReadOnlyList<string> Names(string? names) =>
        names is null ? [] : [names, .. names.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)];

    private static void RequireTranscript(string? contentType)
    {
        if (contentType is null)
            return;
        if (!MediaTypeHeaderValue.TryParse(contentType, out var type) || !MediaTypes.Contains(type.MediaType.Value, StringComparer.OrdinalIgnoreCase))
        {
            throw HttpErrors.ContentTypeUnsupported.With(
                $"The content type '{Request.Shown(contentType)}' is none of {string.Join(", ", MediaTypes)}.");
        }

        // What the bytes are is told by them alone.
        if (type.Charset.HasValue && type.Charset.Value!.Trim('"').ToLowerInvariant() is not ("utf-8" or "us-ascii" or "utf-16"))
            throw HttpErrors.ContentTypeUnsupported.With($"The character set '{Request.Shown(type.Charset.Value)}' is none of utf-8 and utf-16.");
    }
}
