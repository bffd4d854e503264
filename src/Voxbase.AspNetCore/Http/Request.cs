using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;

namespace Voxbase.AspNetCore;

/// <summary>A request and who sent it.</summary>
internal readonly struct Request(HttpContext context, Caller caller, int maxBodyBytes)
{
    public HttpContext Context { get; } = context;

    public Caller Caller { get; } = caller;

    public CancellationToken Aborted => Context.RequestAborted;

    /// <summary>The conversation that the path names.</summary>
    public Guid ConversationId => Id("id");

    /// <summary>An id of the path.</summary>
    public Guid Id(string name)
    {
        var text = Text(name);
        return Guid.TryParseExact(text, "D", out var id) ? id : throw HttpErrors.IdInvalid.With($"'{Shown(text)}' is not a UUID.");
    }

    /// <summary>A part of the path.</summary>
    public string Text(string name) => (string)Context.Request.RouteValues[name]!;

    /// <summary>The last part of the path but one, which may hold any character.</summary>
    public string TextBeforeLast(string name)
    {
        var text = Text(name);
        if (!text.Contains("%2F", StringComparison.OrdinalIgnoreCase))
            return text;
        // Of all escapes the server leaves that of the slash, so it cannot be told from one that was escaped twice: ask the request line.
        var path = Context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget.Split('?')[0].TrimEnd('/');
        return path.Split('/') is [.., var raw, _] ? Uri.UnescapeDataString(raw) : text;
    }

    /// <summary>The query, with no parameter beyond these.</summary>
    public Query Query(params ReadOnlySpan<string> known) => new(Context.Request.Query, known);

    public async Task<T> BodyAsync<T>(JsonTypeInfo<T> type)
        where T : class
    {
        using var body = await ReadAsync();
        return body.Length == 0 ? throw HttpErrors.BodyInvalid.With("The body is empty.") : body.Parse(type);
    }

    /// <summary>The body, or <paramref name="absent"/> when there is none.</summary>
    public async Task<T> BodyOrAsync<T>(JsonTypeInfo<T> type, T absent)
        where T : class
    {
        using var body = await ReadAsync();
        return body.Length == 0 ? absent : body.Parse(type);
    }

    /// <summary>The body: one, or an array of them. Tells which.</summary>
    public async Task<(List<T> Items, bool IsArray)> OneOrManyAsync<T>(JsonTypeInfo<T> one, JsonTypeInfo<List<T>> many)
        where T : class
    {
        using var body = await ReadAsync();
        if (body.Length == 0)
            throw HttpErrors.BodyInvalid.With("The body is empty.");
        if (!body.IsArray)
            return ([body.Parse(one)], false);
        var items = body.Parse(many);
        var missing = items.FindIndex(item => item is null);
        return missing < 0 ? (items, true) : throw ConversationErrors.InputInvalid.With($"$[{missing}] must be an object (was null)");
    }

    /// <summary>A client's text as an error may show it.</summary>
    public static string Shown(string? text) => text is null ? "" : text.Length <= 64 ? text : text[..64] + "…";

    private async ValueTask<RequestBody> ReadAsync()
    {
        var request = Context.Request;
        if (request.ContentLength > maxBodyBytes)
            throw TooLarge(maxBodyBytes);
        var canHaveBody = request.ContentLength is > 0 || (request.ContentLength is null && request.Headers.TransferEncoding.Count > 0)
            || (request.ContentLength is null && !HttpProtocol.IsHttp11(request.Protocol));
        if (canHaveBody)
            RequireJson(request);
        var reader = request.BodyReader;
        var first = await reader.ReadAsync(Aborted);
        if (first.IsCompleted && first.Buffer.IsSingleSegment)
        {
            // Nearly every request: whole in one buffer of the server's, and read from there.
            return first.Buffer.Length > maxBodyBytes
                ? throw TooLarge(maxBodyBytes)
                : new RequestBody(first.Buffer.First, reader, first.Buffer.End);
        }

        var rented = ArrayPool<byte>.Shared.Rent((int)Math.Min(request.ContentLength ?? 16 * 1024, maxBodyBytes) + 1);
        var length = 0;
        try
        {
            while (true)
            {
                var more = (int)Math.Min(first.Buffer.Length, int.MaxValue);
                if (length + (long)more > maxBodyBytes)
                    throw TooLarge(maxBodyBytes);
                if (length + more > rented.Length)
                    rented = Grow(rented, length, Math.Max(length + more, rented.Length * 2));
                first.Buffer.CopyTo(rented.AsSpan(length));
                length += more;
                reader.AdvanceTo(first.Buffer.End);
                if (first.IsCompleted)
                    return new RequestBody(rented.AsMemory(0, length), rented);
                first = await reader.ReadAsync(Aborted);
            }
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(rented);
            throw;
        }
    }

    private static byte[] Grow(byte[] rented, int length, int size)
    {
        var larger = ArrayPool<byte>.Shared.Rent(size);
        rented.AsSpan(0, length).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(rented);
        return larger;
    }

    private static void RequireJson(HttpRequest request)
    {
        if (request.Headers.ContentEncoding.Count > 0 && request.Headers.ContentEncoding != "identity")
            throw HttpErrors.ContentTypeUnsupported.With("The body is compressed.");
        // What nearly everybody sends.
        if (request.ContentType is "application/json" or "application/json; charset=utf-8")
            return;
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
            || !(type.MediaType.Equals("application/json", StringComparison.OrdinalIgnoreCase) || type.Suffix.Equals("json", StringComparison.OrdinalIgnoreCase)))
        {
            throw HttpErrors.ContentTypeUnsupported.With($"The content type '{Shown(request.ContentType)}' is not application/json.");
        }

        if (type.Charset.HasValue && !type.Charset.Value!.Trim('"').Equals("utf-8", StringComparison.OrdinalIgnoreCase))
            throw HttpErrors.ContentTypeUnsupported.With($"The character set '{Shown(type.Charset.Value)}' is not utf-8.");
    }

    private static VoxbaseException TooLarge(int maxBytes) =>
        HttpErrors.BodyTooLarge.With(string.Create(CultureInfo.InvariantCulture, $"The body is longer than {maxBytes:N0} bytes."));
}

/// <summary>A body's bytes, for as long as they are needed: the server's own buffer, or one rented.</summary>
internal readonly struct RequestBody : IDisposable
{
    private readonly ReadOnlyMemory<byte> json;
    private readonly PipeReader? reader;
    private readonly SequencePosition end;
    private readonly byte[]? rented;

    public RequestBody(ReadOnlyMemory<byte> json, PipeReader reader, SequencePosition end) => (this.json, this.reader, this.end) = (json, reader, end);

    public RequestBody(ReadOnlyMemory<byte> json, byte[] rented) => (this.json, this.rented) = (json, rented);

    public int Length => json.Length;

    public bool IsArray => json.Span.TrimStart(" \t\r\n"u8) is [(byte)'[', ..];

    public T Parse<T>(JsonTypeInfo<T> type)
        where T : class
    {
        // The parser takes what it doesn't decode as it is: bytes that are no text would pass inside of free-form fields.
        if (!Utf8.IsValid(json.Span))
            throw HttpErrors.BodyInvalid.With("The body is not valid UTF-8.");
        // An escaped U+0000 is JSON, but no text that PostgreSQL can keep; found here, it doesn't cost other callers' batch.
        if (json.Span.IndexOf("\\u0000"u8) >= 0)
            JsonFaults.ThrowIfNul(json.Span);
        try
        {
            return JsonSerializer.Deserialize(json.Span, type) ?? throw ConversationErrors.InputInvalid.With("$ must be an object (was null)");
        }
        catch (JsonException e)
        {
            throw JsonFaults.Explain(json, type, e);
        }
    }

    public void Dispose()
    {
        reader?.AdvanceTo(end);
        if (rented is not null)
            ArrayPool<byte>.Shared.Return(rented);
    }
}

/// <summary>A query whose every parameter is known and given once.</summary>
internal readonly struct Query
{
    private readonly IQueryCollection query;

    public Query(IQueryCollection query, ReadOnlySpan<string> known)
    {
        this.query = query;
        foreach (var (name, values) in query)
        {
            if (!known.Contains(name))
                throw HttpErrors.QueryInvalid.With($"The parameter '{Request.Shown(name)}' is unknown; known are: {string.Join(", ", known!)}.");
            if (values.Count != 1)
                throw HttpErrors.QueryInvalid.With($"The parameter '{name}' is given {values.Count} times.");
        }
    }

    public Guid? Uuid(string name) =>
        Of(name) is not { } text ? null
        : Guid.TryParseExact(text, "D", out var value) ? value
        : throw Wrong(name, text, "a UUID");

    public int? Integer(string name) =>
        Of(name) is not { } text ? null
        : int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) ? value
        : throw Wrong(name, text, "a whole number");

    public bool Flag(string name) => Of(name) switch
    {
        null or "false" => false,
        "true" => true,
        { } text => throw Wrong(name, text, "true or false"),
    };

    public T? Enum<T>(string name)
        where T : struct, Enum
    {
        if (Of(name) is not { } text)
            return null;
        var names = VoxbaseJson.NamesOf(typeof(T));
        for (var i = 0; i < names.Count; i++)
        {
            if (names[i] == text)
                return System.Enum.GetValues<T>()[i];
        }

        throw Wrong(name, text, $"one of {string.Join(", ", names)}");
    }

    public string? Text(string name) => Of(name) switch
    {
        "" => throw Wrong(name, "", "a text"),
        var text => text,
    };

    public DateTimeOffset? Moment(string name) =>
        Of(name) is not { } text ? null
        : (text.EndsWith('Z') || text.LastIndexOfAny(['+', '-']) > text.IndexOf('T', StringComparison.Ordinal))
            && DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, out var value) ? value
        : throw Wrong(name, text, "a time with its offset, like 2026-01-31T12:00:00Z");

    public DateOnly? Day(string name) =>
        Of(name) is not { } text ? null
        : DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var value) ? value
        : throw Wrong(name, text, "a day like 2026-01-31");

    private string? Of(string name) => query.TryGetValue(name, out var values) ? values[0] ?? "" : null;

    private static VoxbaseException Wrong(string name, string text, string expected) =>
        HttpErrors.QueryInvalid.With($"The parameter '{name}' must be {expected} (was '{Request.Shown(text)}').");
}
