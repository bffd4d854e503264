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
}
