using System.Net.WebSockets;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Voxbase.Capture;
using Voxbase.Sideband;

namespace Voxbase.AspNetCore;

#pragma warning disable CA1001 // It lives as long as the application, and so does its invoker.

/// <summary>Realtime calls: session tokens for clients that speak to the provider themselves, and the relay for those that speak through here.</summary>
internal sealed class RealtimeEndpoints(
    RealtimeSessions sessions, Conversations conversations, CallAdmission admission, RunningCalls running, LiveRecorders recorders,
    VoxbaseOptions options, IChatClient? chat, IHostApplicationLifetime lifetime, TimeProvider time, ILogger logger)
{
    /// <summary>The subprotocol in which a browser, which cannot set headers, sends its token.</summary>
    public const string TokenSubprotocol = "openai-insecure-api-key.";

    private const string BetaSubprotocol = "openai-beta.";
    private const string BetaHeader = "OpenAI-Beta";

    private readonly HttpMessageInvoker invoker = new(
        new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false, ConnectTimeout = options.Relay.ConnectTimeout });

    private int relayed;

    public void Map(VoxbaseRoutes routes)
    {
        routes.At("/v1/realtime/sessions")
            .Post(CreateAsync, new Operation("realtime.sessions", "Prepare a realtime call: a pending conversation and the provider's ephemeral key for it, together or not at all")
            {
                Body = typeof(NewRealtimeSession),
                Answers = { [201] = typeof(RealtimeSession) },
                Errors =
                [
                    ProviderErrors.SessionInvalid, ProviderErrors.NotConfigured, ProviderErrors.Rejected, ProviderErrors.Refused, ProviderErrors.Unavailable,
                    CaptureErrors.CallerRefused, IdentityErrors.UserNotFound, Data.DataErrors.Forbidden,
                ],
            });
        routes.At("/v1/realtime/relay").GetSocket(RelayAsync, TokenSubprotocol);
        // Where OpenAI's own clients look for it, once their base URL is this server's.
        routes.At("/v1/realtime").GetSocket(RelayAsync, TokenSubprotocol);
    }

    private async Task CreateAsync(Request request)
    {
        var session = await request.BodyAsync(VoxbaseJson.Types.NewRealtimeSession);
        var created = await sessions.CreateAsync(request.Caller, session, request.Aborted);
        await Responses.WriteShortAsync(request.Context, created, VoxbaseJson.Types.RealtimeSession, StatusCodes.Status201Created);
    }

    // Everything that may be refused is refused over HTTP, before the client's socket is accepted.
    private async Task RelayAsync(Request request)
    {
        var context = request.Context;
        if (!context.WebSockets.IsWebSocketRequest)
            throw HttpErrors.UpgradeRequired.With("The request does not ask for a WebSocket.");
        var query = request.Query("model", "conversation_id", "intent", "user_id");
        var key = ProviderErrors.RequireKey(options.OpenAi);
        try
        {
            if (Interlocked.Increment(ref relayed) > options.Relay.MaxSessions || lifetime.ApplicationStopping.IsCancellationRequested)
                throw ProviderErrors.RelayFull.With($"{options.Relay.MaxSessions} calls are relayed already.");
            await RelayAsync(request, query, key);
        }
        finally
        {
            Interlocked.Decrement(ref relayed);
        }
    }

    private async Task RelayAsync(Request request, Query query, string key)
    {
        var (context, caller) = (request.Context, request.Caller);
        var named = query.Uuid("conversation_id") is { } id ? await FindAsync(caller, id, request.Aborted) : null;
        var model = query.Text("model") ?? named?.LlmModel;
        var intent = query.Text("intent");
        if (model is null && intent is null)
            throw HttpErrors.QueryInvalid.With("The parameter 'model' is missing.");
        var owner = named is not null ? named.UserId : caller.IsService ? query.Uuid("user_id") : caller.UserId;
        if (named is null && !caller.IsService && query.Uuid("user_id") is { } wanted && wanted != caller.UserId)
            throw CaptureErrors.CallerRefused.With("A user relays calls for itself alone.");

        var conversationId = named?.Id ?? Guid.CreateVersion7(time.GetUtcNow());
        await admission.AdmitAsync(owner, conversationId, request.Aborted);
        var isHandedOver = false;
        try
        {
            var conversation = named ?? await conversations.StartAsync(
                caller,
                new NewConversation
                {
                    Id = conversationId,
                    UserId = owner,
                    Kind = ConversationKind.Realtime,
                    LlmProvider = "openai",
                    LlmModel = model,
                    AiAgentUsed = true,
                },
                request.Aborted);
            using var upstream = await ConnectAsync(context.Request, conversation.Id, model, intent, key);
            if (!await sessions.ClaimAsServiceAsync(conversation.Id, model, CancellationToken.None))
                throw ProviderErrors.CallTaken.With($"The conversation {conversation.Id} is not pending any more.");
            LiveRecorder recorder;
            try
            {
                recorder = await recorders.OpenAsync(conversation, endsWithServer: true, CancellationToken.None);
            }
            catch
            {
                await FailAsync(conversation.Id, EndReasons.RecordingFailed);
                throw;
            }

            // From here on its end is the recorder's, and with it the release.
            isHandedOver = true;
            var reason = EndReasons.ClientLost;
            try
            {
                context.Response.Headers["X-Voxbase-Conversation"] = conversation.Id.ToString();
                using var client = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext { SubProtocol = SubprotocolOf(context) });
                var call = new RelayCall(client, upstream, recorder, options.Relay, Upkeep(conversation.Id, model));
                using var entry = running.Enter(conversation.Id, call);
                await using var stopping = lifetime.ApplicationStopping.Register(
                    () => _ = call.EndAsync(EndReasons.ServerStopped, CancellationToken.None).AsTask());
                reason = await call.RunAsync();
            }
            finally
            {
                // Durable at once, and committed behind this request's back.
                _ = recorder.EndAsync(reason, CancellationToken.None);
                Log.Relayed(logger, conversation.Id, reason, recorder.Events);
            }
        }
        finally
        {
            if (!isHandedOver)
                await admission.ReleaseAsync(conversationId, CancellationToken.None);
        }
    }

    // A Live session looks after its context itself.
    private Func<Func<ReadOnlyMemory<byte>, CancellationToken, Task>, ContextUpkeep>? Upkeep(Guid conversationId, string? model) =>
        !options.Upkeep.Enabled || model?.StartsWith("gpt-live", StringComparison.Ordinal) == true
            ? null
            : send => new ContextUpkeep(conversationId, options.Upkeep, send, chat, time, logger);

    // Its owner's, pending, and without a call: a participant may read a conversation, not speak in it.
    private async Task<Conversation> FindAsync(Caller caller, Guid id, CancellationToken cancellationToken)
    {
        var conversation = await conversations.FindAsync(caller, id, cancellationToken);
        if (!caller.IsService && conversation.UserId != caller.UserId)
            throw CaptureErrors.CallerRefused.With($"The conversation {id} is somebody else's.");
        if (conversation.Status != ConversationStatus.Pending)
            throw ProviderErrors.CallTaken.With($"The conversation {id} is not pending any more.");
        return conversation;
    }

    private async Task<WebSocket> ConnectAsync(HttpRequest request, Guid conversationId, string? model, string? intent, string key)
    {
        var target = new UriBuilder(options.OpenAi.BaseUrl + "/realtime");
        target.Scheme = target.Scheme == "https" ? "wss" : "ws";
        target.Query = string.Join('&', new[] { ("model", model), ("intent", intent) }
            .Where(pair => pair.Item2 is not null).Select(pair => $"{pair.Item1}={Uri.EscapeDataString(pair.Item2!)}"));
        var upstream = new ClientWebSocket();
        upstream.Options.CollectHttpResponseDetails = true;
        upstream.Options.SetRequestHeader("Authorization", $"Bearer {key}");
        if (BetaOf(request) is { } beta)
            upstream.Options.SetRequestHeader(BetaHeader, beta);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(request.HttpContext.RequestAborted);
        patience.CancelAfter(options.Relay.ConnectTimeout);
        try
        {
            await upstream.ConnectAsync(target.Uri, invoker, patience.Token);
            return upstream;
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or HttpRequestException or IOException)
        {
            var status = upstream.HttpStatusCode;
            upstream.Dispose();
            await FailAsync(conversationId, EndReasons.UpstreamUnreachable);
            request.HttpContext.RequestAborted.ThrowIfCancellationRequested();
            throw (int)status is >= 400 and < 600 ? ProviderErrors.Of(status) : ProviderErrors.Unavailable.With("The provider cannot be reached.", inner: e);
        }
    }

    private Task<Conversation> FailAsync(Guid conversationId, string reason) =>
        conversations.EndAsync(Caller.Service, conversationId, reason, failed: true, cancellationToken: CancellationToken.None);

    private static string? SubprotocolOf(HttpContext context)
    {
        var asked = context.WebSockets.WebSocketRequestedProtocols;
        // A browser insists on one of those that it named, and the others are credentials and switches.
        return asked.Contains("realtime") ? "realtime"
            : asked.FirstOrDefault(each => !each.StartsWith(TokenSubprotocol, StringComparison.Ordinal) && !each.StartsWith("openai-", StringComparison.Ordinal));
    }

    private static string? BetaOf(HttpRequest request)
    {
        if (request.Headers[BetaHeader] is [{ Length: > 0 and <= 256 } header, ..])
            return header;
        // openai-beta.realtime-v1 is how a browser says `OpenAI-Beta: realtime=v1`.
        return request.HttpContext.WebSockets.WebSocketRequestedProtocols.FirstOrDefault(each => each.StartsWith(BetaSubprotocol, StringComparison.Ordinal)) is { } asked
            && asked[BetaSubprotocol.Length..].LastIndexOf('-') is > 0 and var at
            ? $"{asked.Substring(BetaSubprotocol.Length, at)}={asked[(BetaSubprotocol.Length + at + 1)..]}"
            : null;
    }
}
