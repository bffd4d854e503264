using System.Net.Http.Headers;
using System.Text;
using Voxbase.Realtime;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests.Realtime;

/// <summary>Messages between clients, in both protocols and over HTTP.</summary>
public sealed class BroadcastTests(TestCluster cluster)
{
    private const string Topic = "realtime:room";
    private const string Quiet = """{"presence":{"enabled":false}}""";
    private const string Message = """{"type":"broadcast","event":"said","payload":{"text":"grüß dich 🎈","n":1.50}}""";

    [Theory]
    [InlineData("1.0.0", "1.0.0")]
    [InlineData("1.0.0", "2.0.0")]
    [InlineData("2.0.0", "1.0.0")]
    [InlineData("2.0.0", "2.0.0")]
    public async Task A_message_reaches_the_others_as_it_was_sent(string senders, string receivers)
    {
        await using var api = await Api.StartAsync(cluster);
        using var sender = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous, senders)).JoinedAsync(Topic);
        using var receiver = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous, receivers)).JoinedAsync(Topic);
        using var elsewhere = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous, receivers)).JoinedAsync("realtime:other");
        await sender.SendAsync(Topic, "broadcast", Message, "1");
        var heard = await receiver.NextAsync("broadcast");
        (heard.Topic, heard.Ref, heard.JoinRef).ShouldBe((Topic, null, null));
        heard.Payload.GetRawText().ShouldBe(Message);
        (await sender.PendingAsync()).ShouldBeEmpty();
        (await elsewhere.PendingAsync()).ShouldBeEmpty();
        // What is no object is no message; what is one may hold anything.
        await sender.SendAsync(Topic, "broadcast", "7", "1");
        await sender.SendAsync(Topic, "broadcast", "{}", "1");
        (await receiver.NextAsync("broadcast")).Payload.GetRawText().ShouldBe("{}");
    }

    [Fact]
    public async Task A_binary_push_goes_out_in_each_protocols_form()
    {
        await using var api = await Api.StartAsync(cluster);
        using var sender = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic);
        using var old = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous, "1.0.0")).JoinedAsync(Topic);
        using var receiver = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic);
        var json = Encoding.UTF8.GetBytes("""{"text":"grüß dich 🎈"}""");
        await sender.PushAsync(Topic, "gesagt-ü", json, isJson: true);
        var heard = await receiver.NextAsync("broadcast");
        (heard.Topic, heard.Payload.GetProperty("event").GetString()).ShouldBe((Topic, "gesagt-ü"));
        heard.Bytes.ShouldBe(json);
        var text = await old.NextAsync("broadcast");
        (text.Payload.GetProperty("event").GetString(), text.Payload.GetProperty("type").GetString()).ShouldBe(("gesagt-ü", "broadcast"));
        text.Payload.GetProperty("payload").GetRawText().ShouldBe(Encoding.UTF8.GetString(json));

        byte[] bytes = [0xCA, 0xFE, 0x00, 0xFF];
        await sender.PushAsync(Topic, "bytes", bytes, isJson: false);
        (await receiver.NextAsync("broadcast")).Bytes.ShouldBe(bytes);
        (await old.PendingAsync()).ShouldBeEmpty("protocol 1.0.0 has no form for bytes");
    }

    [Theory]
    [InlineData("1.0.0")]
    [InlineData("2.0.0")]
    public async Task The_sender_gets_its_own_and_an_answer_where_it_asked_for_them(string version)
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous, version)).JoinedAsync(
            Topic, """{"broadcast":{"self":true,"ack":true},"presence":{"enabled":false}}""");
        var reference = await client.SendAsync(Topic, "broadcast", Message, "1");
        var first = (await client.ReceiveAsync())!;
        var second = (await client.ReceiveAsync())!;
        first.Payload.GetRawText().ShouldBe(Message);
        (second.Event, second.Ref, second.JoinRef, second.Status).ShouldBe(("phx_reply", reference, "1", "ok"));
        second.Response.EnumerateObject().ShouldBeEmpty();
    }

    [Fact]
    public async Task Messages_of_one_sender_come_in_their_order_and_all_of_them()
    {
        await using var api = await Api.StartAsync(cluster, options => options.Channels.MessagesPerSecond = 100_000);
        using var sender = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic);
        using var receiver = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic);
        for (var i = 0; i < 500; i++)
            await sender.SendAsync(Topic, "broadcast", $$"""{"event":"{{i}}"}""", "1");
        for (var i = 0; i < 500; i++)
            (await receiver.NextAsync("broadcast")).Payload.GetProperty("event").GetString().ShouldBe($"{i}");
    }

    [Fact]
    public async Task Over_http_many_messages_are_sent_at_once()
    {
        await using var api = await Api.StartAsync(cluster);
        using var room = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic);
        using var hall = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous, "1.0.0")).JoinedAsync("realtime:hall");
        using var http = api.As(Caller.Anonymous);
        var answer = await http.PostAsync(
            "/realtime/v1/api/broadcast",
            """{"messages":[{"topic":"room","event":"a","payload":{"n":1}},{"topic":"hall","event":"b","payload":{"n":2},"private":false},{"topic":"nobody","event":"c","payload":{}}]}""");
        answer.Status.ShouldBe(202);
        var (first, second) = (await room.NextAsync("broadcast"), await hall.NextAsync("broadcast"));
        (first.Payload.GetProperty("event").GetString(), first.Payload.GetProperty("payload").GetRawText()).ShouldBe(("a", """{"n":1}"""));
        second.Payload.GetRawText().ShouldBe("""{"event":"b","type":"broadcast","payload":{"n":2}}""");
    }

    [Fact]
    public async Task Over_http_one_message_is_sent_as_json_or_bytes()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync("realtime:a/b %C3");
        using var http = api.As(Caller.Anonymous);
        const string path = "/realtime/v1/api/broadcast/a%2Fb%20%25C3/events/an%20event";
        (await http.PostAsync(path, """{"n":1}""")).Status.ShouldBe(202);
        var heard = await client.NextAsync("broadcast");
        (heard.Topic, heard.Payload.GetProperty("event").GetString(), heard.Payload.GetProperty("payload").GetRawText())
            .ShouldBe(("realtime:a/b %C3", "an event", """{"n":1}"""));
        byte[] bytes = [0, 1, 2, 0xFF];
        (await http.PostAsync(path, new ByteArrayContent(bytes) { Headers = { ContentType = new MediaTypeHeaderValue("application/octet-stream") } })).Status.ShouldBe(202);
        (await client.NextAsync("broadcast")).Bytes.ShouldBe(bytes);
        (await http.PostAsync(path, "{")).Status.ShouldBe(422);
        (await client.PendingAsync()).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("""{}""", 422)]
    [InlineData("""{"messages":7}""", 422)]
    [InlineData("""nonsense""", 422)]
    [InlineData("""{"messages":[{"topic":"room","event":"a","payload":{}},{"topic":"room"}]}""", 422)]
    public async Task Over_http_a_body_of_another_form_sends_nothing(string body, int status)
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic);
        using var http = api.As(Caller.Anonymous);
        var answer = await http.PostAsync("/realtime/v1/api/broadcast", body);
        answer.Status.ShouldBe(status);
        answer["errors"].GetProperty("messages").GetArrayLength().ShouldBeGreaterThan(0);
        (await client.PendingAsync()).ShouldBeEmpty();
        using var nobody = api.As(null);
        (await nobody.PostAsync("/realtime/v1/api/broadcast", body)).Status.ShouldBe(401);
        using var liar = api.AsToken("nonsense");
        (await liar.PostAsync("/realtime/v1/api/broadcast/room/events/a", "{}")).Status.ShouldBe(401);
    }

    [Fact]
    public async Task The_library_sends_too()
    {
        await using var api = await Api.StartAsync(cluster);
        var channels = api.Get<Channels>();
        var topic = new ChannelTopic("room", IsPrivate: false);
        channels.HasMembers(topic).ShouldBeFalse();
        channels.Send(topic, Broadcast.Json("a", "1"u8.ToArray())).ShouldBe(0);
        using (var client = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic, Quiet))
        {
            channels.HasMembers(topic).ShouldBeTrue();
            channels.Send(topic, Broadcast.Json("a", "1"u8.ToArray())).ShouldBe(1);
            (await client.NextAsync("broadcast")).Payload.GetProperty("payload").GetInt32().ShouldBe(1);
            await client.SendAsync(Topic, "phx_leave", "{}", "1");
            await client.NextAsync("phx_close");
        }

        await Capture.RelayClient.EventuallyAsync(() => channels.Count == 0);
    }
}
