using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace Voxbase.AspNetCore.Tests.Realtime;

/// <summary>A message as it came, of either protocol.</summary>
internal sealed record Received(string? JoinRef, string? Ref, string Topic, string Event, JsonElement Payload, byte[]? Bytes = null)
{
    public string? Status => Payload.TryGetProperty("status", out var status) ? status.GetString() : null;

    public JsonElement Response => Payload.GetProperty("response");
}

/// <summary>A client of channels that speaks the protocol frame by frame.</summary>
internal sealed class PhoenixClient(ClientWebSocket socket, string version) : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private int refs;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ClientWebSocket Socket => socket;

    public static async Task<PhoenixClient> ConnectAsync(Api api, string token, string version = "2.0.0")
    {
        var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        await socket.ConnectAsync(new Uri($"ws://{api.Url.Authority}/realtime/v1/websocket?apikey={token}&vsn={version}"), Cancel);
        return new PhoenixClient(socket, version);
    }

    public static Task<PhoenixClient> ConnectAsync(Api api, Caller caller, string version = "2.0.0") =>
        ConnectAsync(api, api.Tokens.Mint(caller.Role, caller.UserId), version);

    public string NextRef() => (++refs).ToString(System.Globalization.CultureInfo.InvariantCulture);

    public async Task<string> SendAsync(string topic, string name, string payload, string? joinRef = null)
    {
        var reference = NextRef();
        joinRef ??= name == "phx_join" ? reference : null;
        var quoted = joinRef is null ? "null" : $"\"{joinRef}\"";
        await SendTextAsync(version == "1.0.0"
            ? $$"""{"topic":"{{topic}}","event":"{{name}}","payload":{{payload}},"ref":"{{reference}}","join_ref":{{quoted}}}"""
            : $"""[{quoted},"{reference}","{topic}","{name}",{payload}]""");
        return reference;
    }

    public Task SendTextAsync(string text) => socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, Cancel);

    public Task SendBytesAsync(byte[] bytes) => socket.SendAsync(bytes, WebSocketMessageType.Binary, endOfMessage: true, Cancel);

    /// <summary>Pushes a broadcast as a binary frame.</summary>
    public async Task<string> PushAsync(string topic, string name, byte[] payload, bool isJson, string joinRef = "1")
    {
        var reference = NextRef();
        byte[][] parts = [.. ((string[])[joinRef, reference, topic, name]).Select(Encoding.UTF8.GetBytes)];
        await SendBytesAsync([3, .. parts.Select(part => (byte)part.Length), 0, (byte)(isJson ? 1 : 0), .. parts.SelectMany(part => part), .. payload]);
        return reference;
    }

    /// <summary>Joins and gives the reply.</summary>
    public async Task<Received> JoinAsync(string topic, string config = "{}", string more = "")
    {
        var reference = await SendAsync(topic, "phx_join", $$"""{"config":{{config}}{{more}}}""");
        return await NextAsync(message => message.Event == "phx_reply" && message.Ref == reference);
    }

    public async Task<PhoenixClient> JoinedAsync(string topic, string config = """{"presence":{"enabled":false}}""", string more = "")
    {
        (await JoinAsync(topic, config, more)).Status.ShouldBe("ok");
        return this;
    }

    /// <summary>The reply to a message.</summary>
    public Task<Received> ReplyAsync(string reference) => NextAsync(message => message.Event == "phx_reply" && message.Ref == reference);

    /// <summary>The next message of an event; what comes before it is passed over.</summary>
    public Task<Received> NextAsync(string name) => NextAsync(message => message.Event == name);

    public async Task<Received> NextAsync(Func<Received, bool> wanted)
    {
        while (true)
        {
            var message = await ReceiveAsync() ?? throw new InvalidOperationException($"closed: {socket.CloseStatus} {socket.CloseStatusDescription}");
            if (wanted(message))
                return message;
        }
    }

    /// <summary>What comes until the reply to a heartbeat sent now: everything that was on its way.</summary>
    public async Task<List<Received>> PendingAsync()
    {
        var reference = await SendAsync("phoenix", "heartbeat", "{}");
        var seen = new List<Received>();
        while (true)
        {
            var message = await ReceiveAsync() ?? throw new InvalidOperationException($"closed: {socket.CloseStatus} {socket.CloseStatusDescription}");
            if (message.Topic == "phoenix" && message.Ref == reference)
                return seen;
            seen.Add(message);
        }
    }

    /// <summary>The next message, or null at the close.</summary>
    public async Task<Received?> ReceiveAsync()
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(Patience);
        using var frame = new MemoryStream();
        var buffer = new byte[64 * 1024];
        WebSocketReceiveResult got;
        do
        {
            got = await socket.ReceiveAsync(buffer, patience.Token);
            if (got.MessageType == WebSocketMessageType.Close)
                return null;
            frame.Write(buffer, 0, got.Count);
        }
        while (!got.EndOfMessage);
        return got.MessageType == WebSocketMessageType.Binary ? Broadcast(frame.ToArray()) : Message(Encoding.UTF8.GetString(frame.ToArray()));
    }

    /// <summary>Reads until the server closes; why it does.</summary>
    public async Task<(WebSocketCloseStatus? Status, string? Reason)> ClosedAsync()
    {
        while (await ReceiveAsync() is not null)
        {
        }

        return (socket.CloseStatus, socket.CloseStatusDescription);
    }

    public void Dispose() => socket.Dispose();

    private Received Message(string text)
    {
        var message = JsonElement.Parse(text);
        if (version == "1.0.0")
        {
            message.EnumerateObject().Select(property => property.Name).ShouldBe(["topic", "event", "payload", "ref", "join_ref"]);
            return new Received(Text(message.GetProperty("join_ref")), Text(message.GetProperty("ref")), message.GetProperty("topic").GetString()!,
                message.GetProperty("event").GetString()!, message.GetProperty("payload"));
        }

        message.GetArrayLength().ShouldBe(5);
        return new Received(Text(message[0]), Text(message[1]), message[2].GetString()!, message[3].GetString()!, message[4]);
    }

    private static Received Broadcast(byte[] frame)
    {
        frame[0].ShouldBe((byte)4);
        var (topicLength, nameLength, metaLength, isJson) = (frame[1], frame[2], frame[3], frame[4] == 1);
        var rest = frame.AsSpan(5);
        var topic = Encoding.UTF8.GetString(rest[..topicLength]);
        var name = Encoding.UTF8.GetString(rest.Slice(topicLength, nameLength));
        var meta = Encoding.UTF8.GetString(rest.Slice(topicLength + nameLength, metaLength));
        var payload = rest[(topicLength + nameLength + metaLength)..].ToArray();
        var json = $$"""{"event":{{JsonSerializer.Serialize(name)}},"type":"broadcast","payload":{{(isJson ? Encoding.UTF8.GetString(payload) : "null")}}{{(metaLength > 0 ? $",\"meta\":{meta}" : "")}}}""";
        return new Received(null, null, topic, "broadcast", JsonElement.Parse(json), payload);
    }

    private static string? Text(JsonElement reference) => reference.ValueKind == JsonValueKind.Null ? null : reference.GetString();
}
