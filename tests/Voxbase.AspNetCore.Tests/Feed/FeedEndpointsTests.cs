using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests.Feeds;

/// <summary>The feed over HTTP: server-sent events and WebSockets.</summary>
public sealed class FeedEndpointsTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Server_sent_events_carry_changes_and_go_on_after_the_last_id()
    {
        await using var api = await Api.StartAsync(cluster);
        var (owner, stranger) = (await api.Database.NewUserAsync(), await api.Database.NewUserAsync());
        var call = (await StartAsync(api, owner)).Id;
        string last;
        await using (var stream = await EventStream.OpenAsync(api, owner, $"/v1/feed?tables=turns&conversation={call}&events=insert"))
        await using (var other = await EventStream.OpenAsync(api, stranger, "/v1/feed"))
        {
            (await stream.NextAsync()).Type.ShouldBe("ready");
            (await other.NextAsync()).Type.ShouldBe("ready");
            await SayAsync(api, owner, call, "hello\nworld");
            var change = await stream.NextAsync();
            change.Type.ShouldBe("change");
            change.Data.GetProperty("position").GetString().ShouldBe(change.Id);
            (change.Text("schema"), change.Text("table"), change.Text("event")).ShouldBe(("vox", "turns", "insert"));
            change.Data.GetProperty("record").GetProperty("raw_text").GetString().ShouldBe("hello\nworld");
            last = change.Id!;
            var own = (await StartAsync(api, stranger)).Id;
            (await other.NextAsync()).Data.GetProperty("record").GetProperty("id").GetGuid().ShouldBe(own);
        }

        await SayAsync(api, owner, call, "while away");
        await using (var again = await EventStream.OpenAsync(api, owner, $"/v1/feed?tables=turns&conversation={call}", last))
        {
            (await again.NextAsync()).Type.ShouldBe("ready");
            (await again.NextAsync()).Data.GetProperty("record").GetProperty("raw_text").GetString().ShouldBe("while away");
        }
    }

    [Fact]
    public async Task A_websocket_carries_the_same()
    {
        await using var api = await Api.StartAsync(cluster);
        var owner = await api.Database.NewUserAsync();
        var call = (await StartAsync(api, owner)).Id;
        using var socket = new ClientWebSocket();
        socket.Options.AddSubProtocol("voxbase.feed");
        socket.Options.AddSubProtocol("voxbase.token." + api.Tokens.Mint(owner.Role, owner.UserId));
        await socket.ConnectAsync(new UriBuilder(api.Url) { Scheme = "ws", Path = "/v1/feed", Query = "?tables=vox.turns,conversations&filter=user_id=eq." + owner.UserId }.Uri, Cancel);
        socket.SubProtocol.ShouldBe("voxbase.feed");
        (await ReceiveAsync(socket)).GetProperty("type").GetString().ShouldBe("ready");
        await SayAsync(api, owner, call, "hello");
        var tables = new[] { await ReceiveAsync(socket), await ReceiveAsync(socket) }.Select(message => message.GetProperty("table").GetString());
        tables.Order().ShouldBe(["conversations", "turns"]);
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Cancel);
    }

    [Theory]
    [InlineData("Accept: text/event-stream\r\n", "3\r\n:\n\n\r\n")]
    [InlineData("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "\u008a\0")]
    public async Task A_silent_stream_says_again_and_again_that_it_lives(string headers, string sign)
    {
        await using var api = await Api.StartAsync(cluster, options => options.KeepAliveInterval = TimeSpan.FromSeconds(1));
        var token = api.Tokens.Mint(Caller.UserRole, (await api.Database.NewUserAsync()).UserId);
        using var socket = new TcpClient();
        await socket.ConnectAsync(api.Url.Host, api.Url.Port, Cancel);
        await using var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET /v1/feed HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n{headers}\r\n"), Cancel);
        var (told, buffer) = ("", new byte[4096]);
        while (told.Split(sign).Length <= 2)
            told += Encoding.Latin1.GetString(buffer, 0, await stream.ReadAsync(buffer, Cancel) is > 0 and var more ? more : throw new IOException(told));
        told.ShouldContain("ready");
    }

    [Fact]
    public async Task A_live_conversation_is_a_snapshot_and_every_change_after_it_once()
    {
        await using var api = await Api.StartAsync(cluster);
        var owner = await api.Database.NewUserAsync();
        var call = (await StartAsync(api, owner)).Id;
        const int turns = 150;
        // While turns come, one after the other, clients come as well.
        var writing = Task.Run(
            async () =>
            {
                for (var i = 1; i <= turns; i++)
                    await SayAsync(api, owner, call, $"turn {i}");
            },
            Cancel);
        var clients = Enumerable.Range(0, 6).Select(async _ =>
        {
            await using var stream = await EventStream.OpenAsync(api, owner, $"/v1/conversations/{call}/live?turns=1000");
            (await stream.NextAsync()).Type.ShouldBe("ready");
            var snapshot = await stream.NextAsync();
            snapshot.Type.ShouldBe("snapshot");
            snapshot.Data.GetProperty("conversation").GetProperty("id").GetGuid().ShouldBe(call);
            var seen = snapshot.Data.GetProperty("turns").EnumerateArray().Select(turn => turn.GetProperty("sequence_number").GetInt32()).ToList();
            while (seen.Count == 0 || seen[^1] != turns)
            {
                var change = await stream.NextAsync();
                if (change.Type == "change" && change.Text("table") == "turns")
                    seen.Add(change.Data.GetProperty("record").GetProperty("sequence_number").GetInt32());
            }

            return seen;
        });
        var all = await Task.WhenAll(clients);
        await writing;
        foreach (var seen in all)
            seen.ShouldBe(Enumerable.Range(1, turns));
    }

    [Fact]
    public async Task Who_may_not_is_refused_before_anything_is_streamed()
    {
        await using var api = await Api.StartAsync(cluster);
        var (owner, stranger) = (await api.Database.NewUserAsync(), await api.Database.NewUserAsync());
        var call = (await StartAsync(api, owner)).Id;
        foreach (var path in new[] { "/v1/feed", $"/v1/conversations/{call}/live" })
        {
            using var nobody = api.As(null);
            (await nobody.GetAsync(path)).ShouldFail(401, "token_missing");
            using var anonymous = api.As(Caller.Anonymous);
            (await anonymous.GetAsync(path)).ShouldFail(401, "sign_in_required");
            using var old = new Tokens(new TokensOptions { Secret = Api.Secret }, new Clock(DateTimeOffset.UtcNow.AddHours(-2)));
            using var expired = api.AsToken(old.Mint(owner.Role, owner.UserId));
            (await expired.GetAsync(path)).ShouldFail(401, "token_expired");
            using var foreign = new Tokens(new TokensOptions { Secret = new string('?', 32) }, TimeProvider.System);
            using var forged = api.AsToken(foreign.Mint(owner.Role, owner.UserId));
            (await forged.GetAsync(path)).ShouldFail(401, "token_invalid");
        }

        using var other = api.As(stranger);
        (await other.GetAsync($"/v1/conversations/{call}/live")).ShouldFail(404, "conversation_not_found");
        (await other.GetAsync($"/v1/conversations/{Guid.NewGuid()}/live")).ShouldFail(404, "conversation_not_found");
        (await other.GetAsync("/v1/conversations/me/live")).ShouldFail(400, "id_invalid");
        (await other.GetAsync("/v1/feed?table=turns")).ShouldFail(400, "query_invalid");
        (await other.GetAsync("/v1/feed?events=truncate")).ShouldFail(400, "query_invalid");
        (await other.GetAsync("/v1/feed?filter=role")).ShouldFail(400, "feed_request_invalid");
        (await other.GetAsync("/v1/feed?after=yesterday")).ShouldFail(400, "feed_position_invalid");
        (await other.PostAsync("/v1/feed", "{}")).ShouldFail(405, "method_not_allowed");
        await using var stream = await EventStream.OpenAsync(api, stranger, "/v1/feed?tables=nothing");
        var error = await stream.NextAsync();
        (error.Type, error.Text("code")).ShouldBe(("error", "feed_request_invalid"));
        (await stream.TryNextAsync()).ShouldBeNull();
    }

    [Fact]
    public async Task A_token_that_expires_in_mid_stream_ends_it_with_a_code()
    {
        await using var api = await Api.StartAsync(cluster, options => options.Tokens.Leeway = TimeSpan.Zero);
        var owner = await api.Database.NewUserAsync();
        var token = api.Tokens.Mint(owner.Role, owner.UserId, lifetime: TimeSpan.FromSeconds(3));
        await using var stream = await EventStream.OpenAsync(api, token, "/v1/feed");
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("Authorization", "Bearer " + token);
        await socket.ConnectAsync(new UriBuilder(api.Url) { Scheme = "ws", Path = "/v1/feed" }.Uri, Cancel);
        var events = new List<ServerSentEvent>();
        while (await stream.TryNextAsync() is { } next)
            events.Add(next);
        events[^1].Text("code").ShouldBe("feed_token_expired");
        while (socket.State == WebSocketState.Open)
            await ReceiveAsync(socket);
        ((int)socket.CloseStatus!.Value, socket.CloseStatusDescription).ShouldBe((4401, "feed_token_expired"));
    }

    [Fact]
    public async Task Where_the_feed_is_off_it_says_so_and_the_rest_is_served()
    {
        await using var api = await Api.StartAsync(cluster, options => options.Feed.IsEnabled = false);
        using var client = api.As(await api.Database.NewUserAsync());
        (await client.GetAsync("/v1/feed")).ShouldFail(503, "feed_off");
        var check = (await client.GetAsync("/ready")).ShouldBe(200)["checks"].EnumerateArray().Single(check => check.GetProperty("name").GetString() == "feed");
        check.GetProperty("code").GetString().ShouldBe("feed_off");
        await client.StartAsync();
    }

    private static Task<Conversation> StartAsync(Api api, Caller owner) =>
        api.Database.Conversations.StartAsync(owner, new NewConversation { Kind = ConversationKind.Call }, Cancel);

    private static Task<AppendedTurn> SayAsync(Api api, Caller owner, Guid call, string text) =>
        api.Database.Conversations.AppendAsync(owner, call, new NewTurn { Role = TurnRole.User, RawText = text }, Cancel);

    private static async Task<JsonElement> ReceiveAsync(ClientWebSocket socket)
    {
        using var message = new MemoryStream();
        var buffer = new byte[4096];
        WebSocketReceiveResult got;
        do
        {
            got = await socket.ReceiveAsync(buffer, Cancel);
            message.Write(buffer, 0, got.Count);
        }
        while (!got.EndOfMessage);
        return got.MessageType == WebSocketMessageType.Close ? default : JsonElement.Parse(message.ToArray());
    }

    /// <summary>One event as a browser would read it.</summary>
    private sealed record ServerSentEvent(string? Id, string Type, JsonElement Data)
    {
        public string? Text(string name) => Data.GetProperty(name).GetString();
    }

    private sealed class EventStream(HttpClient client, HttpResponseMessage response, StreamReader reader) : IAsyncDisposable
    {
        public static Task<EventStream> OpenAsync(Api api, Caller caller, string path, string? after = null) =>
            OpenAsync(api, api.Tokens.Mint(caller.Role, caller.UserId), path, after);

        public static async Task<EventStream> OpenAsync(Api api, string token, string path, string? after = null)
        {
            var client = new HttpClient { BaseAddress = api.Url, Timeout = TimeSpan.FromMinutes(2) };
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
            if (after is not null)
                client.DefaultRequestHeaders.Add("Last-Event-ID", after);
            var response = await client.GetAsync(path, HttpCompletionOption.ResponseHeadersRead, Cancel);
            response.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
            return new EventStream(client, response, new StreamReader(await response.Content.ReadAsStreamAsync(Cancel), Encoding.UTF8));
        }

        public async Task<ServerSentEvent> NextAsync() => await TryNextAsync() ?? throw new InvalidOperationException("The stream has ended.");

        public async Task<ServerSentEvent?> TryNextAsync()
        {
            var (id, type, data) = ((string?)null, "message", "");
            while (await reader.ReadLineAsync(Cancel).AsTask().WaitAsync(TimeSpan.FromSeconds(60), Cancel) is { } line)
            {
                if (line.StartsWith("id: ", StringComparison.Ordinal))
                    id = line[4..];
                else if (line.StartsWith("event: ", StringComparison.Ordinal))
                    type = line[7..];
                else if (line.StartsWith("data: ", StringComparison.Ordinal))
                    data += line[6..];
                else if (line.Length == 0 && data.Length > 0)
                    return new ServerSentEvent(id, type, JsonElement.Parse(data));
            }

            return null;
        }

        public ValueTask DisposeAsync()
        {
            reader.Dispose();
            response.Dispose();
            client.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
