using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests.DataApi;

/// <summary>The unmodified supabase-js, method by method, against tables of a user's own and against Voxbase's.</summary>
public sealed class SupabaseClientTests(TestCluster cluster)
{
    [Theory]
    [InlineData("read", 50)]
    [InlineData("embed", 20)]
    [InlineData("write", 25)]
    [InlineData("rpc", 20)]
    [InlineData("forms", 15)]
    public async Task Every_method_does_what_it_says(string suite, int atLeast)
    {
        await using var api = await Workshop.OpenAsync(cluster);
        await RunAsync(api, suite, (await api.Database.NewUserAsync()).UserId, atLeast);
    }

    [Fact]
    public async Task The_tables_of_voxbase_are_served_to_a_client_that_chose_nothing_but_the_address()
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        var conversation = await api.Database.Conversations.StartAsync(user, new NewConversation { Status = ConversationStatus.Active }, TestContext.Current.CancellationToken);
        await api.Database.Conversations.AppendAsync(user, conversation.Id, new NewTurn { Role = TurnRole.User, RawText = "hello" }, TestContext.Current.CancellationToken);
        await RunAsync(api, "vox", user.UserId, 4);
    }

    [Fact]
    public async Task What_the_guide_shows_is_what_happens()
    {
        var guide = await File.ReadAllTextAsync(Path.Combine(CommittedFile.Root, "docs", "guides", "data-api.md"), TestContext.Current.CancellationToken);
        var forms = guide[guide.IndexOf("## Forms of your own", StringComparison.Ordinal)..];
        await using var api = await Workshop.OpenAsync(cluster, Block("sql"));
        await RunAsync(api, "guide", (await api.Database.NewUserAsync()).UserId, 4, Block("js"));

        string Block(string language)
        {
            var start = forms.IndexOf($"```{language}\n", StringComparison.Ordinal) + language.Length + 4;
            return forms[start..forms.IndexOf("\n```", start, StringComparison.Ordinal)];
        }
    }

    private static async Task RunAsync(Api api, string suite, Guid? user, int atLeast, params string[] more)
    {
        var keys = new ApiKeys(Api.Secret);
        string[] arguments =
        [
            api.Url.ToString().TrimEnd('/'), api.Tokens.Mint(Caller.AnonymousRole), api.Tokens.Mint(Caller.ServiceRole),
            api.Tokens.Mint(Caller.UserRole, user), keys.Publishable, keys.Secret, .. more,
        ];
        var output = await NpmClients.RunAsync($"supabase/{suite}.mjs", arguments);
        var lines = output.Split('\n');
        lines.ShouldContain("done 0", output);
        lines.Count(line => line.StartsWith("ok ", StringComparison.Ordinal)).ShouldBeGreaterThanOrEqualTo(atLeast, output);
    }
}
