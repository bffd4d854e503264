using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace Voxbase.AspNetCore;

/// <summary>How every failure is answered, PostgREST's shape.</summary>
/// <param name="Code">Stable; programs branch on it. docs/reference/errors.md lists them all.</param>
/// <param name="Message">What happened, with the values at fault.</param>
/// <param name="Details">More about this occurrence, or null.</param>
/// <param name="Hint">What to do about it.</param>
public sealed record ErrorBody(string Code, string Message, string? Details, string? Hint);

/// <summary>What goes out.</summary>
internal static class Responses
{
    public static Task WriteAsync<T>(HttpContext context, T value, JsonTypeInfo<T> type, int status = StatusCodes.Status200OK)
    {
        Prepare(context.Response, status);
        return JsonSerializer.SerializeAsync(context.Response.BodyWriter, value, type, context.RequestAborted);
    }

    /// <summary>For answers known to be short: their length is known before the first byte, so they go out in one piece.</summary>
    public static Task WriteShortAsync<T>(HttpContext context, T value, JsonTypeInfo<T> type, int status = StatusCodes.Status200OK)
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(value, type);
        Prepare(context.Response, status);
        context.Response.ContentLength = json.Length;
        return context.Response.BodyWriter.WriteAsync(json, context.RequestAborted).AsTask();
    }

    /// <summary>The one place where a kind of error becomes a status.</summary>
    public static int StatusOf(ErrorCode error) =>
        error == HttpErrors.MethodNotAllowed ? StatusCodes.Status405MethodNotAllowed
        : error == HttpErrors.ContentTypeUnsupported ? StatusCodes.Status415UnsupportedMediaType
        : error.Kind switch
        {
            ErrorKind.Invalid => StatusCodes.Status400BadRequest,
            ErrorKind.Unauthenticated => StatusCodes.Status401Unauthorized,
            ErrorKind.Forbidden => StatusCodes.Status403Forbidden,
            ErrorKind.NotFound => StatusCodes.Status404NotFound,
            ErrorKind.Conflict => StatusCodes.Status409Conflict,
            ErrorKind.TooLarge => StatusCodes.Status413PayloadTooLarge,
            ErrorKind.Unavailable => StatusCodes.Status503ServiceUnavailable,
            _ => StatusCodes.Status500InternalServerError,
        };

    public static Task WriteErrorAsync(HttpContext context, ErrorCode error, string message, string? details = null) =>
        WriteErrorAsync(context, StatusOf(error), error, message, details);

    /// <summary>Answers for an exception. What a client did wrong it is told in full; what the server suffers it is told by name only.</summary>
    public static Task WriteErrorAsync(HttpContext context, Exception exception, ILogger logger)
    {
        // Nobody is there to be told, or half an answer is on its way already.
        if (context.RequestAborted.IsCancellationRequested || exception is ConnectionResetException or ConnectionAbortedException)
            return Task.CompletedTask;
        if (context.Response.HasStarted)
        {
            LogFailure(context, exception, logger);
            context.Abort();
            return Task.CompletedTask;
        }

        switch (exception)
        {
            case VoxbaseException { Error.Kind: ErrorKind.Internal or ErrorKind.Unavailable } e:
                var status = StatusOf(e.Error);
                Log.Unavailable(logger, TraceId(context), context.Request.Method, Route(context), status, e.Code);
                return WriteErrorAsync(context, status, e.Error, e.Error.Summary, $"trace {TraceId(context)}");
            case VoxbaseException e:
                return WriteErrorAsync(context, e.Error, e.Message, e.Details);
            case BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge }:
                return WriteErrorAsync(context, HttpErrors.BodyTooLarge, "The body is longer than the server accepts.");
            case BadHttpRequestException e:
                return WriteErrorAsync(context, e.StatusCode, HttpErrors.RequestInvalid, "The request is not complete or not well-formed.", null);
            default:
                LogFailure(context, exception, logger);
                return WriteErrorAsync(context, HttpErrors.Internal, "Something went wrong.", $"trace {TraceId(context)}");
        }
    }

    private static Task WriteErrorAsync(HttpContext context, int status, ErrorCode error, string message, string? details)
    {
        // RFC 6750, section 3: the challenge names the error only when a token came that did not do.
        if (status == StatusCodes.Status401Unauthorized)
        {
            context.Response.Headers.WWWAuthenticate = error == TokenErrors.Missing
                ? "Bearer"
                : "Bearer error=\"invalid_token\"";
        }

        return WriteShortAsync(context, new ErrorBody(error.Code, message, details, error.Hint), VoxbaseJson.Types.ErrorBody, status);
    }

    private static void Prepare(HttpResponse response, int status)
    {
        response.StatusCode = status;
        response.ContentType = "application/json; charset=utf-8";
        response.Headers.CacheControl = "no-store";
        response.Headers.XContentTypeOptions = "nosniff";
    }

    private static void LogFailure(HttpContext context, Exception exception, ILogger logger)
    {
        var kinds = new List<string>();
        for (var e = exception; e is not null; e = e.InnerException)
            kinds.Add(e.GetType().FullName ?? e.GetType().Name);
        Log.Failed(
            logger, TraceId(context), context.Request.Method, Route(context), string.Join(" < ", kinds),
            (exception.GetBaseException().StackTrace ?? "") + "\n" + exception.StackTrace);
    }

    // The pattern, not the path: what clients put into paths is theirs.
    private static string? Route(HttpContext context) => (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText;

    private static string TraceId(HttpContext context) => Activity.Current?.TraceId.ToHexString() ?? context.TraceIdentifier;
}
