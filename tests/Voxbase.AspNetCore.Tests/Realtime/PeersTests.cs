using System.Text.Json;
using Voxbase.Realtime;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests.Realtime;

/// <summary>Channels of two servers over one database.</summary>
public sealed class PeersTests(TestCluster cluster)
{
    private const string Topic = "realtime:room";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_sent_on_one_server_is_heard_on_the_other_once_and_in_order()
    {
        await using var one = await Api.StartAsync(cluster, options => options.Feed.ServerName = "one");
        await using var two = await Api.StartAsync(cluster, options => options.Feed.ServerName = "two", one.Database.ConnectionString);
        using var sender = await (await PhoenixClient.ConnectAsync(one, Caller.Anonymous)).JoinedAsync(Topic);
        using var near = await (await PhoenixClient.ConnectAsync(one, Caller.Anonymous)).JoinedAsync(Topic);
        using var far = await (await PhoenixClient.ConnectAsync(two, Caller.Anonymous, "1.0.0")).JoinedAsync(Topic);
        using var elsewhere = await (await PhoenixClient.ConnectAsync(two, Caller.Anonymous)).JoinedAsync("realtime:other");
        await MeetAsync(one, two);
        for (var i = 0; i < 20; i++)
            await sender.SendAsync(Topic, "broadcast", $$$"""{"type":"broadcast","event":"n","payload":{"n":{{{i}}},"text":"grüß\\ndich"}}""", "1");
        for (var i = 0; i < 20; i++)
            await near.NextAsync("broadcast");
        one.Get<Channels>().Send(new ChannelTopic("room", IsPrivate: false), Broadcast.Json("library", "20"u8.ToArray()));
        for (var i = 0; i < 20; i++)
            (await far.NextAsync("broadcast")).Payload.GetProperty("payload").GetProperty("n").GetInt32().ShouldBe(i);
        (await far.NextAsync("broadcast")).Payload.GetProperty("event").GetString().ShouldBe("library");
        (await near.PendingAsync()).Count(message => message.Event == "broadcast").ShouldBe(1);
        (await far.PendingAsync()).ShouldBeEmpty();
        (await elsewhere.PendingAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Who_is_present_on_one_server_is_present_on_the_other_until_it_goes_or_its_server_does()
    {
        await using var one = await Api.StartAsync(cluster, options => options.Feed.ServerName = "one");
        using var ada = await (await PhoenixClient.ConnectAsync(one, Caller.Anonymous)).JoinedAsync(Topic, """{"presence":{"key":"ada"}}""");
        await ada.ReplyAsync(await ada.SendAsync(Topic, "presence", """{"event":"track","payload":{"at":"one"}}""", "1"));
        await using var two = await Api.StartAsync(cluster, options => options.Feed.ServerName = "two", one.Database.ConnectionString);
        using var bob = await (await PhoenixClient.ConnectAsync(two, Caller.Anonymous)).JoinedAsync(Topic, """{"presence":{"key":"bob"}}""");
        // She was there before his server was.
        while (!(await bob.NextAsync(message => message.Event.StartsWith("presence_", StringComparison.Ordinal))).Payload.GetRawText().Contains("\"at\":\"one\"", StringComparison.Ordinal))
        {
        }

        await bob.ReplyAsync(await bob.SendAsync(Topic, "presence", """{"event":"track","payload":{"at":"two"}}""", "1"));
        var came = await ada.NextAsync(message => message.Event == "presence_diff" && message.Payload.GetProperty("joins").TryGetProperty("bob", out _));
        var reference = Meta(came, "joins").GetProperty("phx_ref").GetString();
        using var late = await (await PhoenixClient.ConnectAsync(one, Caller.Anonymous)).JoinedAsync(Topic, """{"presence":{"key":"late"}}""");
        (await late.NextAsync("presence_state")).Payload.EnumerateObject().Select(each => each.Name).Order().ShouldBe(["ada", "bob"]);
        await bob.ReplyAsync(await bob.SendAsync(Topic, "presence", """{"event":"track","payload":{"at":"two","n":2}}""", "1"));
        Meta(await ada.NextAsync("presence_diff"), "leaves").GetProperty("phx_ref").GetString().ShouldBe(reference);
        await two.Get<ChannelPeers>().DisposeAsync();
        var went = await ada.NextAsync("presence_diff");
        Meta(went, "leaves").GetProperty("n").GetInt32().ShouldBe(2);
        went.Payload.GetProperty("joins").EnumerateObject().ShouldBeEmpty();

        static JsonElement Meta(Received difference, string name) => difference.Payload.GetProperty(name).GetProperty("bob").GetProperty("metas")[0];
    }

    private static async Task MeetAsync(params Api[] servers)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        while (servers.Any(server => server.Get<ChannelPeers>().Count < servers.Length - 1))
            await Task.Delay(20, patience.Token);
    }
}
