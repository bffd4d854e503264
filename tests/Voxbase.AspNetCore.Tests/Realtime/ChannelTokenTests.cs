using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests.Realtime;

/// <summary>Tokens of channels: at the join, renewed, and when they end.</summary>
public sealed class ChannelTokenTests(TestCluster cluster)
{
    private const string Topic = "realtime:any";
    private const string Quiet = """{"presence":{"enabled":false},"broadcast":{"self":true}}""";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("nonsense", "MalformedJWT: The token provided is not a valid JWT")]
    [InlineData("", "MalformedJWT: The token provided is not a valid JWT")]
    [InlineData("STRANGER", "JwtSignatureError: Failed to validate JWT signature")]
    [InlineData("EXPIRED", "InvalidJWTToken: Token has expired ")]
    [InlineData("NOROLE", "InvalidJWTToken: Fields `role` and `exp` are required in JWT")]
    [InlineData("NOEXP", "InvalidJWTToken: Fields `role` and `exp` are required in JWT")]
    public async Task A_join_with_a_token_that_does_not_hold_is_refused(string token, string reason)
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = await PhoenixClient.ConnectAsync(api, Caller.Anonymous);
        var joined = await client.JoinAsync(Topic, "{}", $",\"access_token\":\"{TokenOf(api, token)}\"");
        joined.Status.ShouldBe("error");
        joined.Response.GetProperty("reason").GetString()!.ShouldStartWith(reason);
        (await client.JoinAsync(Topic)).Status.ShouldBe("ok", "the key itself holds");
    }

    [Theory]
    [InlineData("nonsense", "The token provided is not a valid JWT")]
    [InlineData("", "The token provided is not a valid JWT")]
    [InlineData("STRANGER", "Failed to validate JWT signature")]
    [InlineData("EXPIRED", "Token has expired ")]
    [InlineData("NOROLE", "Fields `role` and `exp` are required in JWT")]
    public async Task A_new_token_that_does_not_hold_ends_the_channel_and_no_other(string token, string reason)
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(Topic, Quiet);
        await client.JoinedAsync("realtime:other", Quiet);
        await client.SendAsync(Topic, "access_token", $$"""{"access_token":"{{TokenOf(api, token)}}"}""", "1");
        var told = await client.NextAsync("system");
        told.Topic.ShouldBe(Topic);
        (told.Payload.GetProperty("extension").GetString(), told.Payload.GetProperty("status").GetString(), told.Payload.GetProperty("channel").GetString())
            .ShouldBe(("system", "error", "any"));
        told.Payload.GetProperty("message").GetString()!.ShouldStartWith(reason);
        var close = (await client.ReceiveAsync())!;
        (close.Event, close.Topic, close.Ref).ShouldBe(("phx_close", Topic, "1"));
        await client.SendAsync("realtime:other", "broadcast", """{"event":"alive"}""", "2");
        (await client.NextAsync("broadcast")).Topic.ShouldBe("realtime:other");
    }

    [Fact]
    public async Task Keys_nulls_and_the_same_token_are_no_news()
    {
        await using var api = await Api.StartAsync(cluster);
        var token = api.Tokens.Mint(Caller.AnonymousRole);
        using var client = await PhoenixClient.ConnectAsync(api, token);
        await client.JoinedAsync(Topic, Quiet, ",\"access_token\":\"sb_publishable_nothing\"");
        foreach (var same in new[] { "\"sb_secret_nothing\"", "null", $"\"{token}\"", "7" })
            await client.SendAsync(Topic, "access_token", $$"""{"access_token":{{same}}}""", "1");
        await client.SendAsync(Topic, "broadcast", """{"event":"alive"}""", "1");
        var heard = (await client.ReceiveAsync())!;
        heard.Event.ShouldBe("broadcast");
    }

    [Fact]
    public async Task When_a_token_ends_its_channel_ends_and_not_before()
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        using var client = await PhoenixClient.ConnectAsync(api, Caller.Anonymous);
        var ends = DateTimeOffset.UtcNow.AddSeconds(2);
        await client.JoinedAsync(Topic, Quiet, $",\"access_token\":\"{api.Tokens.Mint(Caller.UserRole, user.UserId, lifetime: TimeSpan.FromSeconds(2))}\"");
        var told = await client.NextAsync("system");
        told.Payload.GetProperty("message").GetString()!.ShouldStartWith("Token has expired ");
        DateTimeOffset.UtcNow.ShouldBeGreaterThanOrEqualTo(new DateTimeOffset(ends.Ticks - (ends.Ticks % TimeSpan.TicksPerSecond), TimeSpan.Zero));
        (await client.NextAsync("phx_close")).Topic.ShouldBe(Topic);
        await client.JoinedAsync(Topic, Quiet);
    }

    [Fact]
    public async Task A_renewed_token_keeps_the_channel_open()
    {
        await using var api = await Api.StartAsync(cluster);
        var owner = await api.Database.NewUserAsync();
        var conversation = (await api.Database.Conversations.StartAsync(owner, new NewConversation(), Cancel)).Id;
        var topic = $"realtime:conversation:{conversation}";
        using var client = await PhoenixClient.ConnectAsync(api, Caller.Anonymous);
        const string config = """{"private":true,"presence":{"enabled":false},"broadcast":{"self":true}}""";
        var first = api.Tokens.Mint(Caller.UserRole, owner.UserId, lifetime: TimeSpan.FromSeconds(3));
        await client.JoinedAsync(topic, config, $",\"access_token\":\"{first}\"");
        using var forgetful = await PhoenixClient.ConnectAsync(api, Caller.Anonymous);
        await forgetful.JoinedAsync(topic, config, $",\"access_token\":\"{first}\"");
        await client.SendAsync(topic, "access_token", $$"""{"access_token":"{{api.Tokens.Mint(Caller.UserRole, owner.UserId)}}"}""", "1");
        // Who did not renew it is told, and by then the other would have been as well.
        await forgetful.NextAsync("phx_close");
        await client.SendAsync(topic, "broadcast", """{"event":"alive"}""", "1");
        (await client.ReceiveAsync())!.Event.ShouldBe("broadcast");
    }

    [Fact]
    public async Task A_token_of_somebody_without_the_right_ends_a_private_channel()
    {
        await using var api = await Api.StartAsync(cluster);
        var (owner, stranger) = (await api.Database.NewUserAsync(), await api.Database.NewUserAsync());
        var conversation = (await api.Database.Conversations.StartAsync(owner, new NewConversation(), Cancel)).Id;
        var topic = $"realtime:conversation:{conversation}";
        using var client = await (await PhoenixClient.ConnectAsync(api, owner)).JoinedAsync(topic, """{"private":true,"presence":{"enabled":false}}""");
        await client.JoinedAsync(Topic, Quiet);
        var other = api.Tokens.Mint(Caller.UserRole, stranger.UserId);
        await client.SendAsync(Topic, "access_token", $$"""{"access_token":"{{other}}"}""", "2");
        await client.SendAsync(topic, "access_token", $$"""{"access_token":"{{other}}"}""", "1");
        var told = await client.NextAsync("system");
        (told.Topic, told.Payload.GetProperty("message").GetString())
            .ShouldBe((topic, $"You do not have permissions to read from this Channel topic: conversation:{conversation}"));
        (await client.NextAsync("phx_close")).Topic.ShouldBe(topic);
        await client.SendAsync(Topic, "broadcast", """{"event":"alive"}""", "2");
        (await client.NextAsync("broadcast")).Topic.ShouldBe(Topic, "a public channel is anyone's");
    }

    private static string TokenOf(Api api, string kind)
    {
        var user = Caller.User(Guid.NewGuid());
        using var stranger = new Tokens(new TokensOptions { Secret = new string('?', 32) }, TimeProvider.System);
        var later = DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeSeconds();
        return kind switch
        {
            "STRANGER" => stranger.Mint(Caller.UserRole, user.UserId),
            "EXPIRED" => Capture.RelayClient.ExpiredTokenOf(user),
            "NOROLE" => SocketTests.JwtOf(new { exp = later }),
            "NOEXP" => SocketTests.JwtOf(new { role = "anon" }),
            _ => kind,
        };
    }
}
