using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Voxbase;

/// <summary>Standard Webhooks signatures: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.</summary>
public static class WebhookSignature
{
    private const string SecretPrefix = "whsec_";

    /// <summary>A new secret: <c>whsec_</c> and the base64 of 32 random bytes.</summary>
    public static string NewSecret() => SecretPrefix + Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    /// <summary>The header <c>webhook-signature</c>: <c>v1,</c> and the base64 of the HMAC-SHA256 of id, timestamp and body.</summary>
    /// <param name="secret">As <see cref="NewSecret"/> makes it.</param>
    /// <param name="id">The header <c>webhook-id</c>.</param>
    /// <param name="timestamp">The header <c>webhook-timestamp</c>, in Unix seconds.</param>
    /// <param name="body">The bytes sent.</param>
    public static string Sign(string secret, string id, long timestamp, ReadOnlySpan<byte> body)
    {
        var key = Convert.FromBase64String(secret.StartsWith(SecretPrefix, StringComparison.Ordinal) ? secret[SecretPrefix.Length..] : secret);
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        hmac.AppendData(Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{id}.{timestamp}.")));
        hmac.AppendData(body);
        return "v1," + Convert.ToBase64String(hmac.GetHashAndReset());
    }
}

/// <summary>What a webhook is sent: the same bytes at every attempt.</summary>
internal static class AlertEvent
{
    public static byte[] Of(string type, Alert alert) => Write(type, alert.ResolvedAt ?? alert.OpenedAt, new JsonObject
    {
        ["id"] = alert.Id.ToString(),
        ["rule"] = alert.Rule,
        ["subject"] = alert.Subject,
        ["user_id"] = alert.UserId?.ToString(),
        ["severity"] = alert.Severity.ToString().ToLowerInvariant(),
        ["value"] = alert.Value,
        ["threshold"] = alert.Threshold,
        ["message"] = alert.Message,
        ["opened_at"] = Moment(alert.OpenedAt),
        ["resolved_at"] = alert.ResolvedAt is { } resolved ? Moment(resolved) : null,
    });

    public static byte[] Test() => Write("alert.test", DateTimeOffset.UtcNow, new JsonObject { ["message"] = "Voxbase reaches this webhook." });

    private static byte[] Write(string type, DateTimeOffset at, JsonObject data) => JsonSerializer.SerializeToUtf8Bytes(
        new JsonObject { ["type"] = type, ["timestamp"] = Moment(at), ["data"] = data });

    private static string Moment(DateTimeOffset moment) => moment.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
}

/// <summary>
/// Posts signed events. Follows no redirect, sends no cookie, reads nothing of the answer but its status, and never connects to a link-local
/// address, whatever name led there.
/// </summary>
public sealed class WebhookSender : IDisposable
{
    private readonly VoxbaseOptions options;
    private readonly TimeProvider time;
    private readonly HttpClient http;

    /// <summary>A sender with the options' timeout.</summary>
    public WebhookSender(VoxbaseOptions options, TimeProvider time)
    {
        (this.options, this.time) = (options, time);
        http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            // Through a proxy it would be the proxy that looks names up.
            UseProxy = false,
            PooledConnectionLifetime = TimeSpan.FromMinutes(2),
            ConnectCallback = ConnectAsync,
        })
        {
            Timeout = options.Alerts.DeliveryTimeout,
        };
    }

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();

    /// <summary>Refuses a URL whose host is an address that is never called. Names are looked up when they are called.</summary>
    internal void Refuse(Uri url)
    {
        if (IPAddress.TryParse(url.DnsSafeHost, out var address) && !MayCall(address))
            throw AlertErrors.EndpointInvalid.With($"url must not lead to {address}");
    }

    /// <summary>One attempt. Failures are outcomes, not exceptions.</summary>
    internal async Task<DeliveryAttempt> SendAsync(string url, string secret, Guid id, byte[] body, CancellationToken cancellationToken)
    {
        var name = $"msg_{id:n}";
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        using var request = new HttpRequestMessage(HttpMethod.Post, url)
        {
            Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
        };
        request.Headers.Add("webhook-id", name);
        request.Headers.Add("webhook-timestamp", now.ToString(CultureInfo.InvariantCulture));
        request.Headers.Add("webhook-signature", WebhookSignature.Sign(secret, name, now, body));
        request.Headers.UserAgent.Add(new ProductInfoHeaderValue("voxbase", null));
        try
        {
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            return new DeliveryAttempt(response.IsSuccessStatusCode, ((int)response.StatusCode).ToString(CultureInfo.InvariantCulture));
        }
        catch (HttpRequestException e)
        {
            return new DeliveryAttempt(false, e.InnerException is AddressRefusedException ? "address refused" : e.HttpRequestError.ToString());
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new DeliveryAttempt(false, "no answer in time");
        }
    }

    // Checked where the connection is made: a name that changes its address between a check and a call gets by neither.
    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var addresses = await Dns.GetHostAddressesAsync(context.DnsEndPoint.Host, cancellationToken);
        var allowed = addresses.Where(MayCall).ToArray();
        if (allowed.Length == 0)
            throw new AddressRefusedException();
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, context.DnsEndPoint.Port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    private bool MayCall(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (address.IsIPv6LinkLocal || address.IsIPv6Multicast || address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any))
            return false;
        var isPrivate = IPAddress.IsLoopback(address) || address.IsIPv6UniqueLocal || address.IsIPv6SiteLocal;
        if (address.AddressFamily == AddressFamily.InterNetwork)
        {
            var bytes = address.GetAddressBytes();
            if (bytes[0] is 0 or >= 224 || (bytes[0], bytes[1]) is (169, 254))
                return false;
            isPrivate |= (bytes[0], bytes[1]) is (10, _) or (172, >= 16 and <= 31) or (192, 168) or (100, >= 64 and <= 127);
        }

        return !isPrivate || options.Alerts.PrivateAddresses;
    }

    private sealed class AddressRefusedException : IOException;
}
