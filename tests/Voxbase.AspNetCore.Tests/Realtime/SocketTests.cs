using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using Voxbase.AspNetCore.Tests.Capture;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests.Realtime;

/// <summary>The frames of Phoenix's protocols, and what is no frame.</summary>
public sealed class SocketTests(TestCluster cluster)
{
    private const string Topic = "realtime:any";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("1.0.0")]
    [InlineData("2.0.0")]
    public async Task A_channel_is_joined_left_and_joined_again_and_a_heartbeat_answered(string version)
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = await PhoenixClient.ConnectAsync(api, Caller.Anonymous, version);
        var heartbeat = await client.SendAsync("phoenix", "heartbeat", "{}");
        var alive = await client.ReplyAsync(heartbeat);
        (alive.Topic, alive.Status, alive.JoinRef).ShouldBe(("phoenix", "ok", null));
        alive.Response.EnumerateObject().ShouldBeEmpty();

        var joined = await client.JoinAsync(Topic);
        (joined.Topic, joined.Status, joined.JoinRef, joined.Ref).ShouldBe((Topic, "ok", "2", "2"));
        joined.Response.GetProperty("postgres_changes").GetArrayLength().ShouldBe(0);
        var state = (await client.ReceiveAsync())!;
        (state.Event, state.Topic, state.Ref).ShouldBe(("presence_state", Topic, null));
        state.Payload.EnumerateObject().ShouldBeEmpty();

        var leave = await client.SendAsync(Topic, "phx_leave", "{}", "2");
        (await client.ReplyAsync(leave)).Status.ShouldBe("ok");
        var close = (await client.ReceiveAsync())!;
        (close.Event, close.JoinRef, close.Ref, close.Topic).ShouldBe(("phx_close", "2", "2", Topic));
        (await client.ReplyAsync(await client.SendAsync(Topic, "phx_leave", "{}", "2"))).Status.ShouldBe("ok");
        (await client.JoinAsync(Topic)).Status.ShouldBe("ok");
    }

    [Fact]
    public async Task A_second_join_takes_the_place_of_the_first_and_stale_messages_are_passed_over()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = await PhoenixClient.ConnectAsync(api, Caller.Anonymous);
        await client.JoinedAsync(Topic, """{"presence":{"enabled":false},"broadcast":{"self":true}}""");
        var second = await client.SendAsync(Topic, "phx_join", """{"config":{"presence":{"enabled":false},"broadcast":{"self":true}}}""");
        var (close, reply) = (await client.ReceiveAsync(), await client.ReceiveAsync());
        (close!.Event, close.JoinRef, close.Ref).ShouldBe(("phx_close", "1", "1"));
        (reply!.Event, reply.Ref, reply.Status).ShouldBe(("phx_reply", second, "ok"));
        await client.SendAsync(Topic, "broadcast", """{"type":"broadcast","event":"old","payload":{}}""", "1");
        await client.SendAsync(Topic, "broadcast", """{"type":"broadcast","event":"new","payload":{}}""", second);
        var heard = (await client.ReceiveAsync())!;
        heard.Payload.GetProperty("event").GetString().ShouldBe("new");
        (await client.PendingAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task What_is_for_no_channel_is_answered_so()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = await PhoenixClient.ConnectAsync(api, Caller.Anonymous);
        foreach (var (topic, name, reason) in new[]
        {
            ("realtime:nowhere", "broadcast", "unmatched topic"),
            ("room:1", "phx_join", "unmatched topic"),
            ("realtime:", "phx_join", "TopicNameRequired: You must provide a topic name"),
        })
        {
            var reply = await client.ReplyAsync(await client.SendAsync(topic, name, "{}"));
            (reply.Status, reply.Response.GetProperty("reason").GetString()).ShouldBe(("error", reason));
        }
    }

    [Theory]
    [InlineData("", 401)]
    [InlineData("apikey=nonsense", 401)]
    [InlineData("apikey=EXPIRED", 401)]
    [InlineData("apikey=STRANGER", 401)]
    [InlineData("apikey=sb_publishable_of-another", 401)]
    [InlineData("apikey=NOROLE", 403)]
    [InlineData("apikey=GOOD&vsn=3.0.0", 400)]
    public async Task A_connection_is_refused_over_http(string query, int status)
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        using var stranger = new Tokens(new TokensOptions { Secret = new string('?', 32) }, TimeProvider.System);
        using var client = api.As(null);
        var answer = await client.RefusedAsync("/realtime/v1/websocket?" + query
            .Replace("EXPIRED", RelayClient.ExpiredTokenOf(user), StringComparison.Ordinal)
            .Replace("STRANGER", stranger.Mint(Caller.UserRole, user.UserId), StringComparison.Ordinal)
            .Replace("NOROLE", JwtOf(new { exp = DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeSeconds() }), StringComparison.Ordinal)
            .Replace("GOOD", api.Tokens.Mint(Caller.AnonymousRole), StringComparison.Ordinal));
        answer.Status.ShouldBe(status, answer.Body.ToString());
        answer["message"].GetString().ShouldNotBeNullOrEmpty();
        (await client.GetAsync($"/realtime/v1/websocket?apikey={api.Tokens.Mint(Caller.AnonymousRole)}")).ShouldFail(400, "upgrade_required");
    }

    [Fact]
    public async Task The_key_may_come_in_a_header()
    {
        await using var api = await Api.StartAsync(cluster);
        using var socket = new ClientWebSocket();
        socket.Options.SetRequestHeader("x-api-key", api.Tokens.Mint(Caller.AnonymousRole));
        await socket.ConnectAsync(new Uri($"ws://{api.Url.Authority}/realtime/v1/websocket"), Cancel);
        using var client = new PhoenixClient(socket, "1.0.0");
        (await client.JoinAsync(Topic)).Status.ShouldBe("ok");
    }

    public static TheoryData<string, string> NoFrames => new()
    {
        { "2.0.0", "{" }, { "2.0.0", "" }, { "2.0.0", "null" }, { "2.0.0", "[]" }, { "2.0.0", """{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"1"}""" },
        { "2.0.0", """["1","1","realtime:any","phx_join"]""" }, { "2.0.0", """[{},"1","realtime:any","phx_join",{}]""" }, { "2.0.0", """["1","1",7,"phx_join",{}]""" },
        { "2.0.0", """["1","1","realtime:\ud800","phx_join",{}]""" }, { "2.0.0", new string('[', 2000) }, { "1.0.0", "[]" }, { "1.0.0", """{"topic":"phoenix"}""" },
        { "1.0.0", """{"event":"heartbeat","topic":null}""" },
        { "2.0.0", "bytes:" }, { "2.0.0", "bytes:00" }, { "2.0.0", "bytes:07000000000001" }, { "2.0.0", "bytes:03FFFFFFFFFF01" }, { "2.0.0", "bytes:0301010C0400006131" },
        // Not UTF-8 in the header; JSON that is none.
        { "2.0.0", "bytes:03000002000000C328" }, { "2.0.0", "bytes:030000020000016161" + "7B" }, { "1.0.0", "bytes:0300000200000161617B7D" },
    };

    [Theory]
    [MemberData(nameof(NoFrames))]
    public async Task What_is_no_frame_closes_its_sender_alone_and_says_why(string version, string frame)
    {
        await using var api = await Api.StartAsync(cluster);
        using var other = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic, """{"broadcast":{"self":true},"presence":{"enabled":false}}""");
        using var client = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous, version)).JoinedAsync(Topic);
        if (frame.StartsWith("bytes:", StringComparison.Ordinal))
            await client.SendBytesAsync(Convert.FromHexString(frame.AsSpan(6)));
        else
            await client.SendTextAsync(frame);
        var (status, reason) = await client.ClosedAsync();
        status.ShouldBe(WebSocketCloseStatus.InvalidPayloadData);
        reason.ShouldNotBeNullOrEmpty();
        await other.SendAsync(Topic, "broadcast", """{"type":"broadcast","event":"still","payload":{}}""", "1");
        (await other.NextAsync("broadcast")).Payload.GetProperty("event").GetString().ShouldBe("still");
    }

    [Fact]
    public async Task Text_that_is_not_utf8_is_passed_on_to_nobody()
    {
        await using var api = await Api.StartAsync(cluster);
        using var other = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic);
        using var client = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic);
        byte[] frame = [.. """["1","2","realtime:any","broadcast",{"type":"broadcast","event":"x","payload":"?"}]"""u8];
        frame[Array.LastIndexOf(frame, (byte)'?')] = 0xC3;
        try
        {
            await client.Socket.SendAsync(frame, WebSocketMessageType.Text, endOfMessage: true, Cancel);
            (await client.ClosedAsync()).Status.ShouldBe(WebSocketCloseStatus.InvalidPayloadData);
        }
        catch (WebSocketException)
        {
            // Cut off earlier, by the server's own socket.
        }

        (await other.PendingAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_huge_frame_closes_its_sender_alone()
    {
        await using var api = await Api.StartAsync(cluster, options => options.Channels.MaxPayloadBytes = 64 << 10);
        using var other = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic);
        using var client = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic);
        await client.SendTextAsync($$"""["1","2","{{Topic}}","broadcast",{"type":"broadcast","event":"x","payload":"{{new string('x', 300_000)}}"}]""");
        (await client.ClosedAsync()).Status.ShouldBe(WebSocketCloseStatus.MessageTooBig);
        (await other.PendingAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_payload_that_is_too_long_is_not_sent_and_the_sender_told()
    {
        await using var api = await Api.StartAsync(cluster, options => options.Channels.MaxPayloadBytes = 64 << 10);
        using var client = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(
            Topic, """{"broadcast":{"ack":true,"self":true},"presence":{"enabled":false}}""");
        var large = JsonSerializer.SerializeToUtf8Bytes(new string('x', 70_000));
        var reply = await client.ReplyAsync(await client.PushAsync(Topic, "x", large, isJson: true));
        (reply.Status, reply.Response.GetProperty("error").GetString()).ShouldBe(("error", "payload_size_exceeded"));
        (await client.ReplyAsync(await client.PushAsync(Topic, "x", "{}"u8.ToArray(), isJson: true))).Status.ShouldBe("ok");
    }

    [Fact]
    public async Task A_flood_closes_the_channel_then_the_socket_and_others_go_on()
    {
        await using var api = await Api.StartAsync(cluster, options => options.Channels.MessagesPerSecond = 50);
        using var other = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(
            "realtime:quiet", """{"broadcast":{"self":true},"presence":{"enabled":false}}""");
        using var client = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic);
        try
        {
            for (var i = 0; i < 5_000; i++)
                await client.SendAsync(Topic, "broadcast", """{"type":"broadcast","event":"x","payload":{}}""", "1");
        }
        catch (WebSocketException)
        {
            // Cut off in the middle of it.
        }

        var seen = new List<Received>();
        try
        {
            while (await client.ReceiveAsync() is { } message)
                seen.Add(message);
            client.Socket.CloseStatus.ShouldBe(WebSocketCloseStatus.PolicyViolation);
        }
        catch (WebSocketException)
        {
            // The same.
        }

        var told = seen.FirstOrDefault(message => message.Event == "system");
        if (told is not null)
        {
            (told.Payload.GetProperty("message").GetString(), told.Payload.GetProperty("status").GetString()).ShouldBe(("Too many messages per second", "error"));
            seen.ShouldContain(message => message.Event == "phx_close");
        }

        await other.SendAsync("realtime:quiet", "broadcast", """{"type":"broadcast","event":"y","payload":{}}""", "1");
        (await other.NextAsync("broadcast")).Payload.GetProperty("event").GetString().ShouldBe("y");
    }

    [Fact]
    public async Task Too_many_messages_close_the_channel_and_it_can_be_joined_again()
    {
        await using var api = await Api.StartAsync(cluster, options => options.Channels.MessagesPerSecond = 20);
        using var client = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic);
        for (var i = 0; i < 30; i++)
            await client.SendAsync(Topic, "broadcast", """{"type":"broadcast","event":"x","payload":{}}""", "1");
        var told = await client.NextAsync("system");
        told.Payload.GetProperty("message").GetString().ShouldBe("Too many messages per second");
        (await client.NextAsync("phx_close")).Topic.ShouldBe(Topic);
        while ((await client.JoinAsync(Topic)).Status != "ok")
            await Task.Delay(50, Cancel);
    }

    [Fact]
    public async Task Channels_and_joins_are_limited()
    {
        await using var api = await Api.StartAsync(cluster, options => (options.Channels.MaxChannelsPerConnection, options.Channels.JoinsPerSecond) = (3, 6));
        using var client = await PhoenixClient.ConnectAsync(api, Caller.Anonymous);
        for (var i = 0; i < 3; i++)
            await client.JoinedAsync($"realtime:{i}");
        var reply = await client.JoinAsync("realtime:3");
        (reply.Status, reply.Response.GetProperty("reason").GetString()).ShouldBe(("error", "ChannelRateLimitReached: Too many channels"));
        await client.JoinedAsync("realtime:0");
        for (var i = 0; i < 10; i++)
            await client.SendAsync("realtime:0", "phx_join", "{}");
        await client.NextAsync(message => message.Status == "error" && message.Response.GetProperty("reason").GetString() == "ClientJoinRateLimitReached: Too many joins per second");
        (await client.ClosedAsync()).Status.ShouldBe(WebSocketCloseStatus.PolicyViolation);
    }

    [Fact]
    public async Task A_client_that_says_nothing_is_closed_and_one_with_heartbeats_is_not()
    {
        await using var api = await Api.StartAsync(cluster, options => options.Channels.IdleTimeout = TimeSpan.FromSeconds(2));
        using var quiet = await PhoenixClient.ConnectAsync(api, Caller.Anonymous);
        using var alive = await PhoenixClient.ConnectAsync(api, Caller.Anonymous);
        var closed = Task.Run(async () =>
        {
            try
            {
                await quiet.ClosedAsync();
            }
            catch (WebSocketException)
            {
                // Cut off.
            }
        }, Cancel);
        while (!closed.IsCompleted)
        {
            (await alive.PendingAsync()).ShouldBeEmpty();
            await Task.Delay(100, Cancel);
        }

        (await alive.PendingAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_client_that_does_not_read_is_cut_off_and_the_others_get_everything()
    {
        await using var api = await Api.StartAsync(cluster, options => (options.Channels.MaxQueuedBytes, options.Channels.MessagesPerSecond) = (256 << 10, 100_000));
        using var deaf = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic);
        using var hearing = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic);
        using var sender = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic);
        var text = new string('x', 30_000);
        var sent = 0;
        while (api.Logs.From(Microsoft.Extensions.Logging.LogLevel.Warning).All(line => !line.Contains("cut off", StringComparison.Ordinal)))
        {
            Cancel.ThrowIfCancellationRequested();
            await sender.SendAsync(Topic, "broadcast", $$"""{"type":"broadcast","event":"{{sent}}","payload":"{{text}}"}""", "1");
            (await hearing.NextAsync("broadcast")).Payload.GetProperty("event").GetString().ShouldBe($"{sent++}");
        }

        await sender.SendAsync(Topic, "broadcast", """{"type":"broadcast","event":"last","payload":1}""", "1");
        (await hearing.NextAsync("broadcast")).Payload.GetProperty("event").GetString().ShouldBe("last");
    }

    [Fact]
    public async Task When_the_server_stops_clients_are_told()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic);
        var stopping = api.StopAsync();
        (await client.ClosedAsync()).ShouldBe((WebSocketCloseStatus.EndpointUnavailable, "Server requested disconnect"));
        await client.Socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Cancel);
        await stopping;
    }

    /// <summary>A token of these claims, signed as the server's are.</summary>
    internal static string JwtOf(object claims)
    {
        var signed = $"{Encode("""{"alg":"HS256","typ":"JWT"}"""u8.ToArray())}.{Encode(JsonSerializer.SerializeToUtf8Bytes(claims))}";
        return $"{signed}.{Encode(System.Security.Cryptography.HMACSHA256.HashData(Encoding.UTF8.GetBytes(Api.Secret), Encoding.ASCII.GetBytes(signed)))}";

        static string Encode(byte[] bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);
    }
}
