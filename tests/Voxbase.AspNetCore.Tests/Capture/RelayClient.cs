using System.Net.WebSockets;
using System.Text;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests.Capture;

/// <summary>Helpers around a relay under test.</summary>
internal static class RelayClient
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static Action<VoxbaseOptions> To(FakeOpenAi openAi, Action<VoxbaseOptions>? more = null) => options =>
    {
        (options.OpenAi.BaseUrl, options.OpenAi.ApiKey) = (openAi.BaseUrl, FakeOpenAi.Key);
        options.Relay.CloseTimeout = TimeSpan.FromSeconds(20);
        more?.Invoke(options);
    };

    public static string ExpiredTokenOf(Caller user)
    {
        using var past = new Tokens(new VoxbaseOptions { Tokens = { Secret = Api.Secret } }, new Clock(DateTimeOffset.UtcNow.AddHours(-2)));
        return past.Mint(Caller.UserRole, user.UserId);
    }

    public static Uri RelayUrl(this Api api, string query = "?model=gpt-realtime") => new($"ws://{api.Url.Authority}/v1/realtime/relay{query}");

    public static async Task<ClientWebSocket> ConnectAsync(this Api api, Caller caller, string query = "?model=gpt-realtime", params string[] subprotocols)
    {
        var socket = new ClientWebSocket();
        socket.Options.CollectHttpResponseDetails = true;
        var token = api.Tokens.Mint(caller.Role, caller.UserId);
        if (subprotocols.Length == 0)
            socket.Options.SetRequestHeader("Authorization", $"Bearer {token}");
        foreach (var subprotocol in subprotocols)
            socket.Options.AddSubProtocol(subprotocol.Replace("TOKEN", token, StringComparison.Ordinal));
        await socket.ConnectAsync(api.RelayUrl(query), Cancel);
        return socket;
    }

    /// <summary>Asks for the socket and gets an answer that is none.</summary>
    public static async Task<Answer> RefusedAsync(this Client client, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Connection.Add("Upgrade");
        request.Headers.Upgrade.ParseAdd("websocket");
        request.Headers.TryAddWithoutValidation("Sec-WebSocket-Version", "13");
        request.Headers.TryAddWithoutValidation("Sec-WebSocket-Key", Convert.ToBase64String(new byte[16]));
        return await client.SendAsync(request);
    }

    public static Guid ConversationOf(this ClientWebSocket socket) => Guid.Parse(socket.HttpResponseHeaders!["X-Voxbase-Conversation"].Single());

    public static Task SendAsync(this WebSocket socket, string text) =>
        socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, Cancel);

    /// <summary>The next message as text; null at the close.</summary>
    public static async Task<string?> ReceiveAsync(this WebSocket socket)
    {
        using var message = new MemoryStream();
        var buffer = new byte[64 * 1024];
        while (true)
        {
            var got = await socket.ReceiveAsync(buffer, Cancel);
            if (got.MessageType == WebSocketMessageType.Close)
                return null;
            message.Write(buffer, 0, got.Count);
            if (got.EndOfMessage)
                return Encoding.UTF8.GetString(message.ToArray());
        }
    }

    public static async Task<Conversation> EndedAsync(this Api api, Guid conversationId)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(Patience);
        while (true)
        {
            var conversation = await api.Database.Conversations.FindAsync(Caller.Service, conversationId, patience.Token);
            if (conversation.Status is ConversationStatus.Completed or ConversationStatus.Failed)
                return conversation;
            await Task.Delay(20, patience.Token);
        }
    }

    public static async Task EventuallyAsync(Func<bool> condition)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(Patience);
        while (!condition())
            await Task.Delay(10, patience.Token);
    }

    /// <summary>Everything that either side said is kept, to the letter and in its order, and replays to the record that there is.</summary>
    public static async Task ShouldBeRecordedAsync(this Api api, TestCluster cluster, Guid conversationId, FakeOpenAiCall call)
    {
        var kept = await KeptRecord.EventsAsync(api.Database, conversationId, Cancel);
        kept.Where(e => e.Direction == "server").Select(e => e.Payload).ShouldBe(call.Sent);
        kept.Where(e => e.Direction == "client").Select(e => e.Payload).ShouldBe(call.Received);
        await using var empty = await cluster.CreateDatabaseAsync();
        await KeptRecord.ShouldReplayToItselfAsync(api.Database, conversationId, empty, Cancel);
    }
}
