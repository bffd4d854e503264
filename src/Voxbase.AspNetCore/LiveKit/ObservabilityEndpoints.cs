using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Logging;
using Microsoft.Net.Http.Headers;
using Voxbase.LiveKit;

namespace Voxbase.AspNetCore;

/// <summary>
/// <c>/observability</c>: what LiveKit's agents upload to <c>LIVEKIT_OBSERVABILITY_URL</c>. Taken in when kept, read afterwards. A failure
/// that will pass is answered as agents understand it: anything else would make them drop a recording for good.
/// </summary>
internal sealed class ObservabilityEndpoints(LiveKitUploads uploads, VoxbaseOptions options, ILogger logger) : IDisposable
{
    private const string Protobuf = "application/x-protobuf";

    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim places = new(options.LiveKit.MaxUploads);

    public void Map(VoxbaseRoutes routes)
    {
        routes.At("/observability/logs/otlp/v0").PostOpen(context => TakeAsync(context, () => OtlpAsync(context, uploads.LogsAsync)));
        routes.At("/observability/traces/otlp/v0").PostOpen(context => TakeAsync(context, () => OtlpAsync(context, uploads.TracesAsync)));
        routes.At("/observability/metrics/otlp/v0").PostOpen(context => TakeAsync(context, () => OtlpAsync(context, uploads.MetricsAsync)));
        routes.At("/observability/recordings/v0").PostOpen(context => TakeAsync(context, () => RecordingAsync(context)));
    }

    public void Dispose() => places.Dispose();

    private async Task TakeAsync(HttpContext context, Func<Task> take)
    {
        // Who may not upload is told so before anything is read.
        uploads.Authorise(RawBody.Bearer(context));
        if (!await places.WaitAsync(TimeSpan.Zero, context.RequestAborted))
        {
            await BusyAsync(context, LiveKitErrors.UploadsBusy);
            return;
        }

        try
        {
            await take();
        }
        catch (VoxbaseException e) when (e.Error.Kind == ErrorKind.Unavailable && !context.Response.HasStarted)
        {
            Log.Unavailable(logger, context.TraceIdentifier, context.Request.Method, context.Request.Path, StatusCodes.Status503ServiceUnavailable, e.Code);
            await BusyAsync(context, e.Error);
        }
        finally
        {
            places.Release();
        }
    }

    private async Task OtlpAsync(HttpContext context, Func<ReadOnlyMemory<byte>, bool, CancellationToken, Task> keep)
    {
        var isJson = MediaTypeOf(context) switch
        {
            "application/json" => true,
            Protobuf or "application/protobuf" or "application/octet-stream" => false,
            var other => throw HttpErrors.ContentTypeUnsupported.With($"The content type '{Request.Shown(other)}' is none of {Protobuf} and application/json."),
        };
        var body = await RawBody.ReadAsync(context, options.LiveKit.MaxUploadBytes, unzip: true);
        await keep(body, isJson, context.RequestAborted);
        // An empty answer message: everything was taken. In JSON that is an empty object.
        context.Response.ContentType = isJson ? "application/json" : Protobuf;
        await context.Response.Body.WriteAsync(isJson ? "{}"u8.ToArray() : ReadOnlyMemory<byte>.Empty, context.RequestAborted);
    }

    private async Task RecordingAsync(HttpContext context)
    {
        if (MediaTypeOf(context) != "multipart/form-data"
            || HeaderUtilities.RemoveQuotes(MediaTypeHeaderValue.Parse(context.Request.ContentType).Boundary).Value is not { Length: > 0 and <= 70 } boundary)
        {
            throw HttpErrors.ContentTypeUnsupported.With("The content type is not multipart/form-data with a boundary.");
        }

        var body = await RawBody.ReadAsync(context, options.LiveKit.MaxUploadBytes, unzip: true);
        await uploads.RecordingAsync(await PartsAsync(body, boundary, context.RequestAborted), context.RequestAborted);
        context.Response.StatusCode = StatusCodes.Status200OK;
    }

    private static async Task<Dictionary<string, ReadOnlyMemory<byte>>> PartsAsync(ReadOnlyMemory<byte> body, string boundary, CancellationToken cancellationToken)
    {
        var parts = new Dictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        try
        {
            var reader = new MultipartReader(boundary, new MemoryStream(body.ToArray(), writable: false));
            while (await reader.ReadNextSectionAsync(cancellationToken) is { } section)
            {
                if (!ContentDispositionHeaderValue.TryParse(section.ContentDisposition, out var disposition))
                    throw LiveKitErrors.UploadInvalid.With("A part of the form has no Content-Disposition.");
                var bytes = new MemoryStream();
                await section.Body.CopyToAsync(bytes, cancellationToken);
                var name = HeaderUtilities.RemoveQuotes(disposition.Name).Value ?? "";
                if (!parts.TryAdd(name, bytes.ToArray()))
                    throw LiveKitErrors.UploadInvalid.With($"The form has the part '{Request.Shown(name)}' twice.");
            }
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            throw LiveKitErrors.UploadInvalid.With("The form breaks off or is not well-formed.", inner: e);
        }

        return parts;
    }

    private static string MediaTypeOf(HttpContext context) =>
        MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var type) ? type.MediaType.Value!.ToLowerInvariant() : "";

    private static async Task BusyAsync(HttpContext context, ErrorCode error)
    {
        context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        context.Response.ContentType = Protobuf;
        context.Response.Headers.RetryAfter = ((int)RetryAfter.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        await context.Response.Body.WriteAsync(RpcStatus.Retry(error, RetryAfter), context.RequestAborted);
    }
}
