using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Hosting;
using Voxbase.Realtime;

namespace Voxbase.AspNetCore;

/// <summary>The Supabase Realtime protocol: the socket, and broadcasts over HTTP for who has none.</summary>
internal sealed class ChannelEndpoints(ChannelParts parts, IHostApplicationLifetime lifetime)
{
    private const int MaxMessagesAtOnce = 1_000;

    private int connections;

    public void Map(VoxbaseRoutes routes)
    {
        routes.At("/realtime/v1/websocket").GetOpenSocket(ConnectAsync);
        routes.At("/realtime/v1/api/broadcast").PostOpen(SendManyAsync);
        routes.At("/realtime/v1/api/broadcast/{topic}/events/{event}").PostOpen(SendOneAsync);
    }

    // Everything about the connection is refused over HTTP; everything about a channel, in its reply.
    private async Task ConnectAsync(HttpContext context)
    {
        if (!context.WebSockets.IsWebSocketRequest)
            throw HttpErrors.UpgradeRequired.With("The request does not ask for a WebSocket.");
        var asked = context.Request.Query["vsn"].ToString();
        PhoenixVersion version;
        if (asked is "" or "1.0.0")
            version = PhoenixVersion.V1;
        else if (asked == "2.0.0")
            version = PhoenixVersion.V2;
        else
            throw HttpErrors.QueryInvalid.With($"The parameter 'vsn' must be 1.0.0 or 2.0.0 (was '{Request.Shown(asked)}').");
        if (await AuthenticateAsync(context, FirstOf(context.Request.Headers["x-api-key"], context.Request.Query["apikey"], context.Request.Headers["apikey"])) is not { } session)
            return;
        try
        {
            if (Interlocked.Increment(ref connections) > parts.Options.MaxConnections)
            {
                await RefuseAsync(context, StatusCodes.Status429TooManyRequests, new Refusal("ConnectionRateLimitReached", "Too many connected users"));
                return;
            }

            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            await new PhoenixSocket(socket, version, session, HeadersOf(context.Request), parts).RunAsync(lifetime.ApplicationStopping);
        }
        finally
        {
            Interlocked.Decrement(ref connections);
        }
    }

    private async Task SendManyAsync(HttpContext context)
    {
        if (await AuthenticateAsync(context, CredentialOf(context.Request)) is not { } session || await ReadAsync(context) is not { } body)
            return;
        parts.Peers.Start();
        JsonElement messages = default;
        if (PhoenixFrames.IsJson(body) && JsonElement.Parse(body) is { ValueKind: JsonValueKind.Object } root)
            messages = JoinRequest.Part(root, "messages");
        if (messages.ValueKind != JsonValueKind.Array)
        {
            await InvalidAsync(context, """{"errors":{"messages":["can't be blank"]}}""");
            return;
        }

        if (messages.GetArrayLength() > MaxMessagesAtOnce)
        {
            await RefuseAsync(
                context, StatusCodes.Status429TooManyRequests, new Refusal("TooManyRequests", "Too many messages to broadcast, please reduce the batch size"));
            return;
        }

        var read = messages.EnumerateArray().Select(each => MessageOf(each)).ToList();
        if (read.Any(each => each.Fault is not null))
        {
            await InvalidAsync(context, $$$"""{"errors":{"messages":[{{{string.Join(',', read.Select(each => each.Fault ?? "{}"))}}}]}}""");
            return;
        }

        // Who may not send to a private channel sends nothing and is not told, as it is over the socket.
        var allowed = new Dictionary<string, bool>(StringComparer.Ordinal);
        foreach (var (topic, message, _) in read)
        {
            if (topic.IsPrivate)
            {
                if (!allowed.TryGetValue(topic.Name, out var maySend))
                    allowed[topic.Name] = maySend = await MaySendAsync(session, topic, context);
                if (!maySend)
                    continue;
            }

            parts.Channels.Send(topic, message!);
        }

        context.Response.StatusCode = StatusCodes.Status202Accepted;
    }

    private async Task SendOneAsync(HttpContext context)
    {
        if (await AuthenticateAsync(context, CredentialOf(context.Request)) is not { } session || await ReadAsync(context) is not { } body)
            return;
        parts.Peers.Start();
        var isBinary = context.Request.ContentType?.StartsWith("application/octet-stream", StringComparison.OrdinalIgnoreCase) == true;
        var (topicName, name) = PathOf(context);
        var topic = new ChannelTopic(topicName, context.Request.Query["private"] == "true");
        if (!isBinary && !PhoenixFrames.IsJson(body))
        {
            await InvalidAsync(context, """{"errors":{"payload":["is not JSON"]}}""");
            return;
        }

        if (body.Length > parts.Options.MaxPayloadBytes)
        {
            await InvalidAsync(context, """{"errors":{"payload":["Payload size exceeds tenant limit"]}}""");
            return;
        }

        if (!topic.IsPrivate || await MaySendAsync(session, topic, context))
            parts.Channels.Send(topic, isBinary ? Broadcast.Binary(name, body) : Broadcast.Json(name, body));
        context.Response.StatusCode = StatusCodes.Status202Accepted;
    }

    private async Task<bool> MaySendAsync(ChannelSession session, ChannelTopic topic, HttpContext context) =>
        (await parts.Access.AskAsync(session.Caller, topic.Name, HeadersOf(context.Request), context.RequestAborted)).BroadcastWrite;

    private (ChannelTopic Topic, Broadcast? Message, string? Fault) MessageOf(JsonElement message)
    {
        var topic = JoinRequest.TextOf(JoinRequest.Part(message, "topic"));
        var name = JoinRequest.TextOf(JoinRequest.Part(message, "event"));
        var payload = JoinRequest.Part(message, "payload");
        var faults = new List<string>();
        if (string.IsNullOrEmpty(topic))
            faults.Add("""
                "topic":["can't be blank"]
                """);
        if (payload.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null)
            faults.Add("""
                "payload":["can't be blank"]
                """);
        if (string.IsNullOrEmpty(name))
            faults.Add("""
                "event":["can't be blank"]
                """);
        if (faults.Count > 0)
            return (default, null, $$"""{{{string.Join(',', faults)}}}""");
        var json = PhoenixFrames.RawOf(payload);
        return json.Length > parts.Options.MaxPayloadBytes
            ? (default, null, """{"payload":["Payload size exceeds tenant limit"]}""")
            : (new ChannelTopic(topic!, JoinRequest.Part(message, "private").ValueKind == JsonValueKind.True), Broadcast.Json(name!, json), null);
    }

    private async Task<ChannelSession?> AuthenticateAsync(HttpContext context, string? credential)
    {
        var (session, refusal) = await parts.Tokens.VerifyAsync(credential, context.RequestAborted);
        if (session is null)
        {
            await RefuseAsync(
                context, refusal!.Message.StartsWith("Fields", StringComparison.Ordinal) ? StatusCodes.Status403Forbidden : StatusCodes.Status401Unauthorized, refusal);
        }

        return session;
    }

    private static Task RefuseAsync(HttpContext context, int status, Refusal refusal) => WriteAsync(
        context, status, Encoding.UTF8.GetString(PhoenixFrames.Texts(("error", refusal.Message), ("message", refusal.Message), ("code", refusal.Code))));

    private static Task InvalidAsync(HttpContext context, string json) => WriteAsync(context, StatusCodes.Status422UnprocessableEntity, json);

    private static Task WriteAsync(HttpContext context, int status, string json)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json; charset=utf-8";
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers.XContentTypeOptions = "nosniff";
        return context.Response.WriteAsync(json, context.RequestAborted);
    }

    // Null when it is too long, and then it is answered.
    private async Task<byte[]?> ReadAsync(HttpContext context)
    {
        var longest = Math.Min(VoxbaseEndpoints.MaxBodyBytes, (MaxMessagesAtOnce * 64L * 1024) + parts.Options.MaxPayloadBytes);
        using var body = new MemoryStream();
        var buffer = new byte[16 * 1024];
        int read;
        while ((read = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0)
        {
            if (body.Length + read > longest)
            {
                await RefuseAsync(context, StatusCodes.Status413PayloadTooLarge, new Refusal("PayloadTooLarge", $"The body is longer than {longest} bytes."));
                return null;
            }

            body.Write(buffer, 0, read);
        }

        return body.ToArray();
    }

    private static string? CredentialOf(HttpRequest request)
    {
        const string scheme = "Bearer ";
        var authorization = request.Headers.Authorization.ToString();
        var bearer = authorization.StartsWith(scheme, StringComparison.OrdinalIgnoreCase) ? authorization[scheme.Length..].Trim() : null;
        // Where a client has no token it sends its key in both places.
        return bearer is not null && !ChannelTokens.IsKey(bearer) ? bearer : FirstOf(request.Headers["apikey"], request.Headers["x-api-key"]) ?? bearer;
    }

    private static string? FirstOf(params ReadOnlySpan<Microsoft.Extensions.Primitives.StringValues> values)
    {
        foreach (var value in values)
        {
            if (value.Count > 0)
                return value[0];
        }

        return null;
    }

    // From the request line: of all escapes the server leaves that of the slash, so it cannot be told from one that was escaped twice.
    private static (string Topic, string Name) PathOf(HttpContext context)
    {
        var path = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget.Split('?')[0].TrimEnd('/').Split('/');
        return (Uri.UnescapeDataString(path[^3]), Uri.UnescapeDataString(path[^1]));
    }

    // What a policy may look at: never a credential.
    private static string HeadersOf(HttpRequest request)
    {
        var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            foreach (var (name, value) in request.Headers)
            {
                if (name.StartsWith("x-", StringComparison.OrdinalIgnoreCase) && !name.Equals("x-api-key", StringComparison.OrdinalIgnoreCase))
                    writer.WriteString(name.ToLowerInvariant(), value.ToString());
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }
}
