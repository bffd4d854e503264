using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;
using Npgsql;
using Voxbase.DataApi;

namespace Voxbase.AspNetCore;

/// <summary><c>/rest/v1</c>: HTTP around <see cref="RestApi"/>. Who asks, the request freed of HTTP, and its answer in the dialect's shape.</summary>
internal sealed class DataApiEndpoints(RestApi api, Tokens tokens, int maxBodyBytes, ILogger logger)
{
    private const string Mount = "/rest/v1";
    private const string ExposedHeaders =
        "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, Transfer-Encoding, Range-Unit, Preference-Applied";

    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    public void Map(VoxbaseRoutes routes) => routes.MapAll(Mount + "/{**path}", AnswerAsync);

    private async Task AnswerAsync(HttpContext context)
    {
        var headers = context.Response.Headers;
        if (context.Request.Headers.Origin.Count > 0)
        {
            headers.AccessControlAllowOrigin = "*";
            headers.AccessControlExposeHeaders = ExposedHeaders;
            if (context.Request.Method == "OPTIONS" && context.Request.Headers.AccessControlRequestMethod.Count > 0)
            {
                Preflight(context);
                return;
            }
        }

        try
        {
            var caller = await CallerAsync(context);
            var request = await RequestAsync(context);
            await api.AnswerAsync(request, caller, (answer, ct) => WriteAsync(context, answer, ct), context.RequestAborted);
        }
        catch (Exception e)
        {
            await FailAsync(context, e);
        }
    }

    private static void Preflight(HttpContext context)
    {
        var headers = context.Response.Headers;
        var asked = context.Request.Headers.AccessControlRequestHeaders.ToString();
        headers.AccessControlAllowMethods = "GET, POST, PATCH, PUT, DELETE, OPTIONS, HEAD";
        headers.AccessControlAllowHeaders = asked.Length == 0 ? "Authorization" : "Authorization, " + asked;
        headers.AccessControlMaxAge = "86400";
        context.Response.StatusCode = StatusCodes.Status200OK;
        context.Response.ContentLength = 0;
    }

    // A person's token goes before the key of the project, and without either it is nobody.
    private ValueTask<Caller> CallerAsync(HttpContext context)
    {
        const string scheme = "Bearer";
        var (authorization, apikey) = (context.Request.Headers.Authorization, context.Request.Headers["apikey"]);
        if (authorization.Count > 1 || apikey.Count > 1)
            throw TokenErrors.Invalid.With("The request has more than one credential of a kind.");
        if (authorization is [{ Length: > 0 } text] && text.StartsWith(scheme, StringComparison.OrdinalIgnoreCase)
            && (text.Length == scheme.Length || text[scheme.Length] == ' '))
        {
            var token = text.AsSpan(scheme.Length).Trim(' ');
            if (token.IsEmpty)
                throw ApiFaults.Unauthorized("PGRST301", "Empty JWT is sent in Authorization header");
            // Keys of their own form have no parts.
            if (!token.StartsWith("sb_", StringComparison.Ordinal) && token.Count('.') is not 2 and var dots)
                throw ApiFaults.Unauthorized("PGRST301", $"Expected 3 parts in JWT; got {dots + 1}");
            return tokens.VerifyAsync(token, context.RequestAborted);
        }

        return apikey is [{ Length: > 0 } key] ? tokens.VerifyAsync(key, context.RequestAborted) : ValueTask.FromResult(Caller.Anonymous);
    }

    private async ValueTask<ApiRequest> RequestAsync(HttpContext context)
    {
        var request = context.Request;
        var method = request.Method;
        var readsBody = method is not ("GET" or "HEAD" or "DELETE" or "OPTIONS");
        return new ApiRequest
        {
            Method = method,
            Path = PathOf(request),
            FullPath = BelowMount(request.Path.Value ?? ""),
            Query = request.QueryString.HasValue ? request.QueryString.Value![1..] : "",
            Accept = request.Headers.Accept.Count == 0 ? null : request.Headers.Accept.ToString(),
            Prefer = request.Headers["Prefer"],
            Profile = (method is "POST" or "PATCH" or "PUT" or "DELETE" ? request.Headers["Content-Profile"] : request.Headers["Accept-Profile"]) is [{ } profile] ? profile : null,
            Range = request.Headers.Range is [{ } range] ? range : null,
            ContentType = request.ContentType,
            Body = readsBody ? await BodyAsync(request, context.RequestAborted) : default,
            Headers = Json(request.Headers),
            Cookies = request.Headers.Cookie.Count == 0 ? "{}" : Json(request.Cookies),
        };
    }

    private static string BelowMount(string path)
    {
        var mount = path.IndexOf(Mount, StringComparison.OrdinalIgnoreCase);
        return mount < 0 ? path : path[(mount + Mount.Length)..];
    }

    private static string[] PathOf(HttpRequest request)
    {
        var path = (request.RouteValues["path"] as string ?? "").Trim('/');
        if (path.Length == 0)
            return [];
        var slash = path.IndexOf('/', StringComparison.Ordinal);
        return slash < 0 ? [path] : path.Split('/');
    }

    private async ValueTask<ReadOnlyMemory<byte>> BodyAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        if (request.ContentLength == 0)
            return default;
        if (request.Headers.ContentEncoding.Count > 0 && request.Headers.ContentEncoding != "identity")
            throw new ApiException("PGRST102", 415, "A compressed body is not read");
        if (request.ContentLength > maxBodyBytes)
            throw TooLarge();
        var reader = request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(cancellationToken);
            if (read.Buffer.Length > maxBodyBytes)
                throw TooLarge();
            if (read.IsCompleted)
            {
                var body = read.Buffer.ToArray();
                reader.AdvanceTo(read.Buffer.End);
                return body;
            }

            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private ApiException TooLarge() => new("PGRST102", 413, $"The body is longer than {maxBodyBytes} bytes");

    // All but the cookies, which are a setting of their own. Functions and policies read the caller's credentials here; no log of ours does.
    private static string Json(IHeaderDictionary headers)
    {
        var json = Scratch.Rent();
        json.Writer.WriteStartObject();
        foreach (var (name, value) in headers)
        {
            if (!name.Equals("Cookie", StringComparison.OrdinalIgnoreCase))
                json.WriteLower(name, value);
        }

        json.Writer.WriteEndObject();
        return json.Take();
    }

    private static string Json(IRequestCookieCollection cookies)
    {
        var json = Scratch.Rent();
        json.Writer.WriteStartObject();
        foreach (var (name, value) in cookies)
            json.Writer.WriteString(name, value);
        json.Writer.WriteEndObject();
        return json.Take();
    }

    /// <summary>A thread's JSON in the making; what it needs, it keeps for the next.</summary>
    private sealed class Scratch
    {
        private const int MostKept = 64 * 1024;

        [ThreadStatic]
        private static Scratch? own;

        private readonly ArrayBufferWriter<byte> buffer = new(1024);

        private Scratch() => Writer = new Utf8JsonWriter(buffer, Relaxed);

        public Utf8JsonWriter Writer { get; }

        public static Scratch Rent()
        {
            var scratch = own ??= new Scratch();
            // What failed half way is not continued.
            scratch.buffer.ResetWrittenCount();
            scratch.Writer.Reset(scratch.buffer);
            return scratch;
        }

        public void WriteLower(string name, StringValues value)
        {
            Span<char> lower = stackalloc char[128];
            if (name.Length > lower.Length)
            {
                Writer.WriteString(name.ToLowerInvariant(), value.ToString());
                return;
            }

            name.AsSpan().ToLowerInvariant(lower);
            Writer.WriteString(lower[..name.Length], value.ToString());
        }

        public string Take()
        {
            Writer.Flush();
            var text = Encoding.UTF8.GetString(buffer.WrittenSpan);
            if (buffer.Capacity > MostKept)
                own = null;
            return text;
        }
    }

    private static async Task WriteAsync(HttpContext context, ApiAnswer answer, CancellationToken cancellationToken)
    {
        var response = context.Response;
        response.StatusCode = answer.Status;
        SetReason(context, answer.Reason);
        foreach (var (name, value) in answer.Headers)
            Append(response.Headers, name, value);
        response.Headers.Vary = "Accept, Prefer, Range";
        if (answer.ContentType is not null && response.Headers.ContentType.Count == 0)
            response.ContentType = answer.ContentType;
        if (answer.HasNoBody || answer.Status is 204 or 304)
            return;
        if (answer.Stream is { } stream)
        {
            response.ContentLength = stream.Length;
            await stream.CopyToAsync(response.Body, cancellationToken);
            return;
        }

        response.ContentLength = answer.Body.Length;
        if (!answer.Body.IsEmpty)
            await response.BodyWriter.WriteAsync(answer.Body, cancellationToken);
    }

    private static void Append(IHeaderDictionary headers, string name, string value)
    {
        // What a function sets may be anything; what cannot be a header is none.
        if (name.Length == 0 || name.AsSpan().ContainsAny(" :\r\n\0") || value.AsSpan().IndexOfAnyExceptInRange(' ', '~') >= 0)
            return;
        headers[name] = StringValues.Concat(headers[name], value);
    }

    private static void SetReason(HttpContext context, string? reason)
    {
        if (reason is { Length: > 0 } && reason.AsSpan().IndexOfAnyExceptInRange(' ', '~') < 0 && context.Features.Get<IHttpResponseFeature>() is { } response)
            response.ReasonPhrase = reason;
    }

    private async Task FailAsync(HttpContext context, Exception exception)
    {
        if (context.RequestAborted.IsCancellationRequested || exception is ConnectionResetException or ConnectionAbortedException)
            return;
        var error = exception as ApiException ?? Translate(exception);
        if (context.Response.HasStarted || error is null)
        {
            // The rest goes the way of every other path: named, never quoted.
            await Responses.WriteErrorAsync(context, exception, logger);
            return;
        }

        if (error.Status >= 500)
            DataApiLog.Failed(logger, context.Request.Method, error.Status, error.Code);
        var body = error.ToJson();
        var response = context.Response;
        response.StatusCode = error.Status;
        SetReason(context, error.Reason);
        response.Headers["Proxy-Status"] = $"PostgREST; error={error.Code}";
        foreach (var (name, value) in error.Headers)
            Append(response.Headers, name, value);
        response.ContentType = "application/json; charset=utf-8";
        if (context.Request.Method == "HEAD" || error.Status is < 200 or 204 or 304)
            return;
        response.ContentLength = body.Length;
        await response.BodyWriter.WriteAsync(body, context.RequestAborted);
    }

    private static ApiException? Translate(Exception exception) => exception switch
    {
        VoxbaseException e when e.Error == TokenErrors.Expired => ApiFaults.Unauthorized("PGRST303", "JWT expired", e.Message),
        VoxbaseException e when e.Error == TokenErrors.NotYetValid => ApiFaults.Unauthorized("PGRST303", "JWT not yet valid", e.Message),
        VoxbaseException e when e.Error == IdentityErrors.ClaimsInvalid => ApiFaults.Unauthorized("PGRST303", "Parsing claims failed", e.Message),
        VoxbaseException e when e.Error == TokenErrors.Invalid || e.Error == TokenErrors.Missing => ApiFaults.Unauthorized("PGRST301", "JWT couldn't be decoded", e.Message),
        VoxbaseException e when e.Error == TokenErrors.KeysUnavailable => new ApiException("PGRST300", 503, e.Error.Summary, inner: e),
        BadHttpRequestException e => new ApiException("PGRST102", e.StatusCode, "The request is not complete or not well-formed.", inner: e),
        NpgsqlException e => new ApiException("PGRST001", 503, "Database client error. Retrying the connection.", inner: e),
        _ => null,
    };
}
