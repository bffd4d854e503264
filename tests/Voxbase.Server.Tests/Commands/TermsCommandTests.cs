namespace Voxbase.Server.Tests.Commands;

/// <summary>Key terms, and a conversation that is kept cleaned with them.</summary>
public sealed class TermsCommandTests(SharedHome shared)
{
    private readonly Cli cli = shared.Cli;

    [Fact]
    public async Task Terms_are_added_and_taken_out_and_a_conversation_is_cleaned_with_them()
    {
        (await cli.RunAsync("token", "--user", "terms@example.org")).Succeeded();
        (await cli.RunAsync("terms", "add", "Zephanta", "Agnes Kowalski", "--user", "terms@example.org", "--json")).Succeeded()
            .Json.GetProperty("terms").GetArrayLength().ShouldBe(2);
        (await cli.RunAsync("terms", "remove", "Agnes Kowalski", "--user", "terms@example.org")).Succeeded().Output.Trim().ShouldBe("Zephanta");
        (await cli.RunAsync("terms", "list", "--user", "terms@example.org", "--json")).Succeeded().Json.GetProperty("terms")[0].GetString().ShouldBe("Zephanta");

        var imported = (await cli.RunAsync(
            [], "Ada: um the zefanta office\nBo: that is all\n", "import", "-", "--user", "terms@example.org", "--json")).Succeeded().Json;
        var id = imported.GetProperty("conversation_id").GetString()!;
        var shown = (await cli.RunAsync("clean", id)).Succeeded().Output;
        shown.ShouldContain("[-um -]the [-zefanta-]{+Zephanta+} office");
        shown.ShouldContain("2 new results");
        var again = (await cli.RunAsync("clean", id, "--json")).Succeeded().Json;
        (again.GetProperty("written").GetInt32(), again.GetProperty("changed").GetInt32()).ShouldBe((0, 1));
        (await cli.RunAsync("clean", id, "--level", "none", "--json")).Succeeded().Json.GetProperty("written").GetInt32().ShouldBe(2);
    }

    [Fact]
    public async Task What_cannot_be_is_an_error_with_a_code_or_wrong_usage()
    {
        (await cli.RunAsync("clean", "01a1fb3e-4a71-725d-870d-455e2c7e460b", "--json")).ErrorJson.GetProperty("code").GetString().ShouldBe("conversation_not_found");
        (await cli.RunAsync("terms", "add", " ", "--json")).ErrorJson.GetProperty("code").GetString().ShouldBe("key_terms_invalid");
        (await cli.RunAsync("terms", "list", "--user", "nobody-there@example.org", "--json")).ErrorJson.GetProperty("code").GetString().ShouldBe("user_not_found");
        (await cli.RunAsync("terms", "add")).Code.ShouldBe(2);
        (await cli.RunAsync("terms", "list", "--user", "a@example.org", "--conversation", "01a1fb3e-4a71-725d-870d-455e2c7e460b")).Code.ShouldBe(2);
    }
}
