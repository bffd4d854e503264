using System.Text.Json;
using Npgsql;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests.Realtime;

/// <summary>Supabase's own client, unmodified, in both protocols.</summary>
public sealed class SupabaseClientTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("1.0.0")]
    [InlineData("2.0.0")]
    public async Task It_broadcasts_is_present_and_uses_private_channels(string version)
    {
        await using var api = await Api.StartAsync(cluster);
        var (owner, participant, stranger) = (await api.Database.NewUserAsync(), await api.Database.NewUserAsync(), await api.Database.NewUserAsync());
        var conversation = (await api.Database.Conversations.StartAsync(owner, new NewConversation(), Cancel)).Id;
        await api.Database.Conversations.JoinAsync(owner, conversation, new NewParticipant { Identity = "guest", UserId = participant.UserId }, Cancel);
        var output = await NpmClients.RunAsync(
            "supabase/realtime-channels.mjs", api.Url.ToString().TrimEnd('/'), version, api.Tokens.Mint(Caller.AnonymousRole), TokenOf(owner, 1), TokenOf(owner, 2), TokenOf(participant, 1),
            TokenOf(stranger, 1), Api.Secret, owner.UserId.ToString()!, conversation.ToString());
        output.ShouldContain("done");

        string TokenOf(Caller caller, int hours) => api.Tokens.Mint(Caller.UserRole, caller.UserId, lifetime: TimeSpan.FromHours(hours));
    }

    [Theory]
    [InlineData("1.0.0")]
    [InlineData("2.0.0")]
    public async Task It_comes_with_the_short_keys(string version)
    {
        await using var api = await Api.StartAsync(cluster);
        var (keys, url, user) = (new ApiKeys(Api.Secret), api.Url.ToString().TrimEnd('/'), await api.Database.NewUserAsync());
        var conversation = (await api.Database.Conversations.StartAsync(user, new NewConversation(), Cancel)).Id;
        var output = await NpmClients.RunAsync(
            "supabase/realtime-keys.mjs", url, version, keys.Publishable, keys.Secret, api.Tokens.Mint(Caller.UserRole, user.UserId), conversation.ToString());
        output.ShouldContain("done");
    }

    [Theory]
    [InlineData("1.0.0")]
    [InlineData("2.0.0")]
    public async Task It_follows_rows_and_hears_what_the_database_sends(string version)
    {
        await using var api = await Api.StartAsync(cluster);
        var (owner, participant, stranger) = (await api.Database.NewUserAsync(), await api.Database.NewUserAsync(), await api.Database.NewUserAsync());
        var calls = new List<string>();
        foreach (var caller in new[] { owner, participant, stranger })
            calls.Add((await api.Database.Conversations.StartAsync(caller, new NewConversation(), Cancel)).Id.ToString());
        await api.Database.Conversations.JoinAsync(owner, Guid.Parse(calls[0]), new NewParticipant { Identity = "guest", UserId = participant.UserId }, Cancel);
        // The log is followed before anybody is in a channel, so messages are published while it is.
        await using (var subscription = api.Get<Feed>().Subscribe(Caller.Service, new FeedRequest([new FeedEntry("vox", "turns")])))
            (await subscription.WaitToReadAsync(Cancel)).ShouldBeTrue();
        await using var connection = new NpgsqlConnection(api.Database.ConnectionString);
        await connection.OpenAsync(Cancel);
        await NpmClients.AnswerAsync(
            "supabase/realtime-changes.mjs",
            async line =>
            {
                try
                {
                    await using var command = new NpgsqlCommand(JsonSerializer.Deserialize<string>(line), connection);
                    await command.ExecuteNonQueryAsync(Cancel);
                    return "ok";
                }
                catch (PostgresException e)
                {
                    return e.MessageText;
                }
            },
            [api.Url.ToString().TrimEnd('/'), version, api.Tokens.Mint(Caller.AnonymousRole), .. new[] { owner, participant, stranger }.Select(TokenOf),
                .. new[] { owner, participant, stranger }.Select(caller => caller.UserId.ToString()!), .. calls]);

        string TokenOf(Caller caller) => api.Tokens.Mint(Caller.UserRole, caller.UserId, lifetime: TimeSpan.FromHours(1));
    }
}
