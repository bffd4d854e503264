using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.WebSockets;
using System.Text;
using Voxbase.Capture;

namespace Voxbase.Sideband;

/// <summary>What can be done with a call at OpenAI: accept it, hang it up, listen in.</summary>
public sealed class OpenAiCalls : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly OpenAiOptions options;
    private readonly HttpMessageInvoker http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, ConnectTimeout = Patience });

    /// <summary>Use <c>services.AddVoxbase(…)</c>.</summary>
    public OpenAiCalls(VoxbaseOptions options) => this.options = options.OpenAi;

    /// <summary>Answers an incoming call with this configuration of the session, a JSON object.</summary>
    /// <exception cref="VoxbaseException"><c>provider_not_configured</c>, <c>call_not_found</c>, <c>provider_refused</c>, <c>provider_unavailable</c>.</exception>
    public Task AcceptAsync(ProviderCall call, string session, CancellationToken cancellationToken = default) =>
        PostAsync(call, "accept", call.IsLive ? $$"""{"session":{{session}}}""" : session, cancellationToken);

    /// <summary>Hangs up; a call that is over already is no error.</summary>
    /// <exception cref="VoxbaseException"><c>provider_not_configured</c>, <c>provider_refused</c>, <c>provider_unavailable</c>.</exception>
    public async Task HangUpAsync(ProviderCall call, CancellationToken cancellationToken = default)
    {
        try
        {
            await PostAsync(call, "hangup", null, cancellationToken);
        }
        catch (VoxbaseException e) when (e.Error == SidebandErrors.CallNotFound)
        {
            // It hung up before us.
        }
    }

    /// <summary>Attaches to a running call. Whoever gets the socket disposes it.</summary>
    /// <exception cref="VoxbaseException"><c>provider_not_configured</c>, <c>call_not_found</c>, <c>provider_refused</c>, <c>provider_unavailable</c>.</exception>
    internal async Task<ClientWebSocket> AttachAsync(ProviderCall call, CancellationToken cancellationToken)
    {
        var socket = new ClientWebSocket();
        try
        {
            socket.Options.SetRequestHeader("Authorization", $"Bearer {Key()}");
            socket.Options.CollectHttpResponseDetails = true;
            // Half a minute without an answer to a ping is a connection that is gone without a word.
            socket.Options.KeepAliveInterval = TimeSpan.FromSeconds(15);
            socket.Options.KeepAliveTimeout = TimeSpan.FromSeconds(15);
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(Patience);
            // http → ws, https → wss.
            await socket.ConnectAsync(new Uri("ws" + options.BaseUrl["http".Length..] + call.SidebandPath), http, patience.Token);
            return socket;
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or HttpRequestException)
        {
            var status = socket.HttpStatusCode;
            socket.Dispose();
            cancellationToken.ThrowIfCancellationRequested();
            throw status == 0 ? ProviderErrors.Unavailable.With("The sideband cannot be reached.", inner: e) : ErrorOf(call, status, e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();

    private async Task PostAsync(ProviderCall call, string action, string? json, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, options.BaseUrl + call.PathOf(action));
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Key());
        request.Content = json is null ? null : new StringContent(json, Encoding.UTF8, "application/json");
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        HttpStatusCode status;
        try
        {
            using var response = await http.SendAsync(request, patience.Token);
            if (response.IsSuccessStatusCode)
                return;
            status = response.StatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw ProviderErrors.Unavailable.With($"OpenAI did not answer to {action}.", inner: e);
        }

        throw ErrorOf(call, status, null);
    }

    private string Key() => options.ApiKey ?? throw ProviderErrors.NotConfigured.With("OpenAi.ApiKey is not set.");

    // Not what the provider says beyond its status: an error may quote what was sent.
    private static VoxbaseException ErrorOf(ProviderCall call, HttpStatusCode status, Exception? inner)
    {
        var details = ((int)status).ToString(CultureInfo.InvariantCulture);
        return status switch
        {
            HttpStatusCode.NotFound or HttpStatusCode.Gone => SidebandErrors.CallNotFound.With($"OpenAI has no call {call.Id}.", details, inner),
            >= HttpStatusCode.InternalServerError or HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout =>
                ProviderErrors.Unavailable.With($"OpenAI answered with {details}.", details, inner),
            _ => ProviderErrors.Refused.With($"OpenAI answered with {details}.", details, inner),
        };
    }
}
