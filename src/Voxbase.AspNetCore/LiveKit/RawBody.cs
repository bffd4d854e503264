using System.Globalization;
using System.IO.Compression;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Voxbase.LiveKit;

namespace Voxbase.AspNetCore;

/// <summary>Bodies that are not ours to shape: bytes, perhaps compressed, up to a length.</summary>
internal static class RawBody
{
    /// <summary>Reads a body whole.</summary>
    /// <exception cref="VoxbaseException"><c>body_too_large</c>, also of one that unpacks to more; <c>content_type_unsupported</c>, <c>livekit_upload_invalid</c>.</exception>
    public static async Task<ReadOnlyMemory<byte>> ReadAsync(HttpContext context, int maxBytes, bool unzip)
    {
        var request = context.Request;
        if (request.ContentLength > maxBytes)
            throw TooLarge(maxBytes);
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = (long)maxBytes + 1;
        var encoding = request.Headers.ContentEncoding.ToString();
        var isZipped = unzip && encoding.Equals("gzip", StringComparison.OrdinalIgnoreCase);
        if (!isZipped && encoding is not ("" or "identity"))
            throw HttpErrors.ContentTypeUnsupported.With($"The encoding '{Request.Shown(encoding)}' is not read here.");
        try
        {
            await using var unpacked = isZipped ? new GZipStream(request.Body, CompressionMode.Decompress, leaveOpen: true) : null;
            return await ReadAsync(unpacked ?? request.Body, maxBytes, context.RequestAborted);
        }
        catch (InvalidDataException e)
        {
            throw LiveKitErrors.UploadInvalid.With("The body is not gzip, as its header says.", inner: e);
        }
    }

    /// <summary>The bearer token, or null.</summary>
    public static string? Bearer(HttpContext context)
    {
        const string scheme = "Bearer ";
        var headers = context.Request.Headers;
        if (headers.Authorization.Count > 1)
            throw TokenErrors.Invalid.With("The request has more than one credential of a kind.");
        return headers.Authorization.Count == 1 && headers.Authorization[0] is { } text && text.StartsWith(scheme, StringComparison.OrdinalIgnoreCase)
            ? text[scheme.Length..].Trim(' ')
            : headers["apikey"] is [{ } key] ? key : null;
    }

    private static async Task<ReadOnlyMemory<byte>> ReadAsync(Stream stream, int maxBytes, CancellationToken cancellationToken)
    {
        var bytes = new MemoryStream();
        var buffer = new byte[64 * 1024];
        int count;
        while ((count = await stream.ReadAsync(buffer, cancellationToken)) > 0)
        {
            if (bytes.Length + count > maxBytes)
                throw TooLarge(maxBytes);
            bytes.Write(buffer, 0, count);
        }

        return bytes.GetBuffer().AsMemory(0, (int)bytes.Length);
    }

    private static VoxbaseException TooLarge(int maxBytes) =>
        HttpErrors.BodyTooLarge.With(string.Create(CultureInfo.InvariantCulture, $"The body is longer than {maxBytes:N0} bytes."));
}
