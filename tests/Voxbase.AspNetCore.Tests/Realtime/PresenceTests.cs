using System.Text.Json;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests.Realtime;

/// <summary>Who is present: the states and differences that Phoenix's clients merge.</summary>
public sealed class PresenceTests(TestCluster cluster)
{
    private const string Topic = "realtime:room";

    [Theory]
    [InlineData("1.0.0")]
    [InlineData("2.0.0")]
    public async Task Who_comes_changes_and_goes_is_told_to_all_who_follow(string version)
    {
        await using var api = await Api.StartAsync(cluster);
        using var ada = await ConnectAsync(api, version, "ada");
        (await ada.NextAsync("presence_state")).Payload.GetRawText().ShouldBe("{}");
        var track = await ada.SendAsync(Topic, "presence", """{"type":"presence","event":"TRACK","payload":{"name":"Ada","t":1814.7000000029802,"phx_ref":"mine"}}""", "1");
        var (joined, reply) = (await ada.ReceiveAsync(), await ada.ReceiveAsync());
        (reply!.Ref, reply.Status).ShouldBe((track, "ok"));
        joined!.Event.ShouldBe("presence_diff");
        var meta = Meta(joined, "joins", "ada");
        meta.GetProperty("name").GetString().ShouldBe("Ada");
        meta.GetProperty("t").GetRawText().ShouldBe("1814.7000000029802");
        var first = meta.GetProperty("phx_ref").GetString();
        first.ShouldNotBe("mine");
        joined.Payload.GetProperty("leaves").EnumerateObject().ShouldBeEmpty();

        using var bob = await ConnectAsync(api, version, "bob");
        var state = await bob.NextAsync("presence_state");
        state.Payload.GetProperty("ada").GetProperty("metas")[0].GetRawText().ShouldBe(meta.GetRawText());

        // The same again is no news; something else comes and the old goes.
        (await ada.ReplyAsync(await TrackAsync(ada, """{"name":"Ada","t":1814.7000000029802,"phx_ref":"mine"}"""))).Status.ShouldBe("ok");
        await TrackAsync(ada, """{"name":"Countess"}""");
        var changed = await bob.NextAsync("presence_diff");
        Meta(changed, "joins", "ada").GetProperty("name").GetString().ShouldBe("Countess");
        Meta(changed, "joins", "ada").GetProperty("phx_ref_prev").GetString().ShouldBe(first);
        Meta(changed, "leaves", "ada").GetProperty("phx_ref").GetString().ShouldBe(first);

        await ada.SendAsync(Topic, "presence", """{"type":"presence","event":"untrack"}""", "1");
        Meta(await bob.NextAsync("presence_diff"), "leaves", "ada").GetProperty("name").GetString().ShouldBe("Countess");
        await TrackAsync(ada, """{"name":"Ada"}""");
        await bob.NextAsync("presence_diff");
        ada.Socket.Abort();
        var gone = await bob.NextAsync("presence_diff");
        Meta(gone, "leaves", "ada").GetProperty("name").GetString().ShouldBe("Ada");
        gone.Payload.GetProperty("joins").EnumerateObject().ShouldBeEmpty();
        (await bob.PendingAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Two_of_one_key_are_two_and_leave_one_by_one()
    {
        await using var api = await Api.StartAsync(cluster);
        using var watcher = await ConnectAsync(api, "2.0.0", "watcher");
        using var phone = await ConnectAsync(api, "2.0.0", "ada");
        using var desk = await ConnectAsync(api, "2.0.0", "ada");
        await TrackAsync(phone, """{"on":"phone"}""");
        await TrackAsync(desk, """{"on":"desk"}""");
        await watcher.NextAsync("presence_diff");
        await watcher.NextAsync("presence_diff");
        using var late = await ConnectAsync(api, "1.0.0", "late");
        (await late.NextAsync("presence_state")).Payload.GetProperty("ada").GetProperty("metas").EnumerateArray()
            .Select(meta => meta.GetProperty("on").GetString()).Order(StringComparer.Ordinal).ShouldBe(["desk", "phone"]);
        await phone.SendAsync(Topic, "phx_leave", "{}", "1");
        Meta(await watcher.NextAsync("presence_diff"), "leaves", "ada").GetProperty("on").GetString().ShouldBe("phone");
    }

    [Fact]
    public async Task Who_does_not_follow_is_told_nothing_until_it_tracks()
    {
        await using var api = await Api.StartAsync(cluster);
        using var ada = await ConnectAsync(api, "2.0.0", "ada");
        await TrackAsync(ada, """{"name":"Ada"}""");
        using var bob = await PhoenixClient.ConnectAsync(api, Caller.Anonymous);
        await bob.JoinedAsync(Topic, """{"presence":{"enabled":false,"key":"bob"}}""");
        (await bob.PendingAsync()).ShouldBeEmpty();
        await TrackAsync(bob, """{"name":"Bob"}""");
        (await bob.NextAsync("presence_state")).Payload.TryGetProperty("ada", out _).ShouldBeTrue();
        Meta(await bob.NextAsync("presence_diff"), "joins", "bob").GetProperty("name").GetString().ShouldBe("Bob");
    }

    [Fact]
    public async Task Without_a_key_each_client_is_someone_else()
    {
        await using var api = await Api.StartAsync(cluster);
        using var watcher = await ConnectAsync(api, "2.0.0", "watcher");
        await watcher.NextAsync("presence_state");
        var keys = new HashSet<string>();
        for (var i = 0; i < 2; i++)
        {
            var client = await ConnectAsync(api, "2.0.0", "");
            await TrackAsync(client, """{}""");
            keys.Add((await watcher.NextAsync("presence_diff")).Payload.GetProperty("joins").EnumerateObject().Single().Name);
            client.Socket.Abort();
            await watcher.NextAsync("presence_diff");
        }

        keys.Count.ShouldBe(2);
    }

    [Fact]
    public async Task What_cannot_be_tracked_is_refused_and_too_often_closes_the_channel()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = await ConnectAsync(api, "2.0.0", "ada");
        await client.NextAsync("presence_state");
        var reply = await client.ReplyAsync(await TrackAsync(client, "7"));
        (reply.Status, reply.Response.GetProperty("reason").GetString()).ShouldBe(("error", "Presence track payload must be a map"));
        (await client.ReplyAsync(await client.SendAsync(Topic, "presence", """{"event":"dance"}""", "1"))).Status.ShouldBe("error");
        for (var i = 0; i < 3; i++)
            (await client.ReplyAsync(await TrackAsync(client, $$"""{"n":{{i}}}"""))).Status.ShouldBe("ok");
        await TrackAsync(client, """{"n":"one too many"}""");
        var told = await client.NextAsync("system");
        (told.Payload.GetProperty("extension").GetString(), told.Payload.GetProperty("message").GetString(), told.Payload.GetProperty("channel").GetString())
            .ShouldBe(("system", "Client presence rate limit exceeded", "room"));
        await client.NextAsync("phx_close");
    }

    [Fact]
    public async Task A_payload_that_is_too_long_closes_the_channel()
    {
        await using var api = await Api.StartAsync(cluster, options => options.Channels.MaxPayloadBytes = 1 << 10);
        using var client = await ConnectAsync(api, "2.0.0", "ada");
        await TrackAsync(client, $$"""{"name":"{{new string('a', 2_000)}}"}""");
        (await client.NextAsync("system")).Payload.GetProperty("message").GetString().ShouldBe("Track message size exceeded");
        await client.NextAsync("phx_close");
    }

    [Fact]
    public async Task However_many_come_and_go_at_once_everybody_ends_with_the_same_state()
    {
        await using var api = await Api.StartAsync(cluster, options => options.Channels.PresenceCalls = 1_000);
        var clients = new List<PhoenixClient>();
        for (var i = 0; i < 8; i++)
            clients.Add(await ConnectAsync(api, i % 2 == 0 ? "2.0.0" : "1.0.0", $"key{i % 5}"));
        await Task.WhenAll(clients.Select(async (client, i) =>
        {
            for (var n = 0; n < 20; n++)
            {
                await TrackAsync(client, $$"""{"i":{{i}},"n":{{n}}}""");
                if (n % 7 == 3)
                    await client.SendAsync(Topic, "presence", """{"event":"untrack"}""", "1");
            }
        }));
        // A heartbeat overtakes what a channel still works on: the reply to its last message does not.
        foreach (var client in clients)
            await client.ReplyAsync(await TrackAsync(client, """{"last":true}"""));
        using var late = await ConnectAsync(api, "2.0.0", "late");
        var state = (await late.NextAsync("presence_state")).Payload;
        state.EnumerateObject().SelectMany(key => key.Value.GetProperty("metas").EnumerateArray()).Count().ShouldBe(8);
        state.EnumerateObject().SelectMany(key => key.Value.GetProperty("metas").EnumerateArray()).ShouldAllBe(meta => meta.GetProperty("last").GetBoolean());
        foreach (var client in clients)
            client.Dispose();
    }

    private static Task<string> TrackAsync(PhoenixClient client, string payload) =>
        client.SendAsync(Topic, "presence", $$"""{"type":"presence","event":"track","payload":{{payload}}}""", "1");

    private static async Task<PhoenixClient> ConnectAsync(Api api, string version, string key) =>
        await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous, version)).JoinedAsync(Topic, $$$"""{"presence":{"key":"{{{key}}}","enabled":true}}""");

    private static JsonElement Meta(Received message, string part, string key) => message.Payload.GetProperty(part).GetProperty(key).GetProperty("metas")[0];
}
