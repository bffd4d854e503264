namespace Voxbase.Server.Tests.Commands;

/// <summary><c>voxbase clean</c>, which needs no database.</summary>
public sealed class CleanCommandTests
{
    private static readonly Cli Program = new(Path.Combine(Path.GetTempPath(), "voxbase-clean-tests"));

    [Fact]
    public async Task Lines_are_cleaned_with_their_conversation_and_told_with_their_corrections()
    {
        const string turns = """
            {"id": "1", "raw": "Welcome to Zephanta, what is your role?", "conversation": "c", "turn": 1, "speaker": "agent"}
            {"id": "2", "raw": "um I run the zefanta office", "conversation": "c", "turn": 2, "speaker": "user"}
            {"id": "3", "raw": "um the zefanta office", "conversation": "d"}
            {"id": "4", "raw": "I'm the vector of operations", "window": [{"speaker": "agent", "text": "What is your role?", "trusted": true}], "lexicon": []}
            """;
        var ran = (await Program.RunAsync([], turns, "clean", "--jsonl", "-", "--level", "full", "--lang", "en")).Succeeded();
        ran.JsonLines.Select(line => line.GetProperty("cleaned").GetString()).ShouldBe(
            ["Welcome to Zephanta, what is your role?", "I run the Zephanta office", "the zefanta office", "I'm the Director of operations"]);
        var name = ran.JsonLines[1].GetProperty("corrections").EnumerateArray().Last();
        name.GetProperty("reason").GetString().ShouldBe("lexicon");
        name.GetProperty("original").GetString().ShouldBe("zefanta");
        name.GetProperty("position").GetProperty("start").GetInt32().ShouldBe(13);
        ran.JsonLines[1].GetProperty("confidence").GetString().ShouldBe("HIGH");
        ran.JsonLines[3].GetProperty("context_detected").GetString().ShouldBe("identity_role");
    }

    [Theory]
    [InlineData("{\"id\": \"1\"}", "cleaning_line_invalid")]
    [InlineData("nonsense", "cleaning_line_invalid")]
    [InlineData("{\"id\": \"1\", \"raw\": \"a\", \"lang\": \"xx\"}", "cleaning_language_unknown")]
    public async Task A_line_that_cannot_be_read_is_an_error_with_a_code(string line, string code)
    {
        var ran = await Program.RunAsync([], line, "clean", "--jsonl", "-", "--json");
        ran.Code.ShouldBe(1);
        ran.ErrorJson.GetProperty("code").GetString().ShouldBe(code);
        ran.Output.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_transcript_is_shown_with_what_changed_and_a_summary()
    {
        const string transcript = "Ada: um I would like uh a table\nBo: that is all\n";
        var ran = (await Program.RunAsync([], transcript, "clean", "-")).Succeeded();
        ran.Output.ShouldContain("[-um -]I would like [-uh -]a table");
        ran.Output.ShouldNotContain("that is all");
        ran.Output.ShouldContain("2 turns");
        ran.Output.ShouldContain("1 changed");
        var json = (await Program.RunAsync([], transcript, "clean", "-", "--json")).Succeeded().JsonLines;
        json.Select(line => line.GetProperty("cleaned_text").GetString()).ShouldBe(["I would like a table", "that is all"]);
        json[0].GetProperty("speaker").GetString().ShouldBe("Ada");
        json[0].GetProperty("corrections")[0].GetProperty("status").GetString().ShouldBe("applied");
        var missing = await Program.RunAsync([], null, "clean", "/no/such/file", "--json");
        (missing.Code, missing.ErrorJson.GetProperty("code").GetString()).ShouldBe((1, "file_unreadable"));
        (await Program.RunAsync([], "", "clean", "-", "--json")).ErrorJson.GetProperty("code").GetString().ShouldBe("transcript_empty");
        (await Program.RunAsync("clean", "a.vtt", "--jsonl", "b")).Code.ShouldBe(2);
    }

    [Fact]
    public async Task Without_a_file_or_a_folder_the_call_is_wrong() => (await Program.RunAsync("clean")).Code.ShouldBe(2);
}
