using Voxbase.Testing;

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
    public async Task With_a_model_each_line_says_what_came_of_it()
    {
        await using var endpoint = await FakeChatEndpoint.StartAsync();
        endpoint.Content = _ => """{"edits":[{"from":2,"to":2,"text":"vector","reason":"misheard","confidence":"high"}]}""";
        const string turns = """
            {"id": "1", "raw": "um the vecter is here"}
            {"id": "2", "raw": "um yes I will"}
            """;
        (string, string)[] environment = [("VOXBASE_LLMCLEANING__APIKEY", FakeChatEndpoint.Key), ("VOXBASE_LLMCLEANING__TIMEOUT", "00:01:00")];
        var ran = (await Program.RunAsync(
            environment, turns, "clean", "--jsonl", "-", "--engine", "llm", "--endpoint", endpoint.BaseUrl + "/", "--model", "gemini-2.5-flash-lite")).Succeeded();
        ran.JsonLines.Select(line => line.GetProperty("cleaned").GetString()).ShouldBe(["the vector is here", "yes I will"]);
        ran.JsonLines.Select(line => line.GetProperty("engine").GetString()).ShouldBe(["llm", "skipped"]);
        ran.JsonLines[0].GetProperty("request_id").GetString().ShouldBe("chatcmpl-1");
        ran.JsonLines[0].GetProperty("tokens").GetProperty("cached").GetInt32().ShouldBe(256);
        ran.JsonLines[1].GetProperty("engine_reason").GetString().ShouldBe("nothing_to_fix");
        ran.Output.ShouldNotContain(FakeChatEndpoint.Key);
    }

    [Fact]
    public async Task With_a_model_a_transcript_says_how_often_it_was_asked()
    {
        await using var endpoint = await FakeChatEndpoint.StartAsync();
        endpoint.Content = _ => """{"edits":[{"from":2,"to":2,"text":"vector","reason":"misheard","confidence":"high"}]}""";
        const string transcript = "Ada: um the vecter is here\nBo: um yes I will\n";
        (string, string)[] environment = [("VOXBASE_LLMCLEANING__APIKEY", FakeChatEndpoint.Key), ("VOXBASE_LLMCLEANING__TIMEOUT", "00:01:00")];
        string[] with = ["--engine", "llm", "--endpoint", endpoint.BaseUrl, "--model", "gemini-2.5-flash-lite"];
        var ran = (await Program.RunAsync(environment, transcript, ["clean", "-", .. with])).Succeeded();
        ran.Output.ShouldContain("[-um -]the vect[-e-]{+o+}r is here");
        ran.Output.ShouldContain("1 asked a model, 1 needed none");
        var json = (await Program.RunAsync(environment, transcript, ["clean", "-", "--json", .. with])).Succeeded().JsonLines;
        json.Select(line => line.GetProperty("cleaned_text").GetString()).ShouldBe(["the vector is here", "yes I will"]);
        json.Select(line => line.GetProperty("engine").GetString()).ShouldBe(["llm", "skipped"]);
        (await Program.RunAsync([], null, ["clean", Guid.NewGuid().ToString(), .. with])).Code.ShouldBe(2);
    }

    [Fact]
    public async Task A_model_without_an_endpoint_or_an_endpoint_without_a_model_is_an_error_with_a_code()
    {
        var ran = await Program.RunAsync([], "", "clean", "--jsonl", "-", "--json", "--engine", "llm");
        ran.Code.ShouldBe(1);
        ran.ErrorJson.GetProperty("code").GetString().ShouldBe("cleaning_model_missing");
        ran = await Program.RunAsync([], "", "clean", "--jsonl", "-", "--json", "--engine", "llm", "--endpoint", "http://localhost:1/v1");
        ran.ErrorJson.GetProperty("code").GetString().ShouldBe("setting_invalid");
        (await Program.RunAsync([], "", "clean", "--jsonl", "-", "--model", "m")).Code.ShouldBe(2);
    }

    [Fact]
    public async Task Without_a_file_or_a_folder_the_call_is_wrong() => (await Program.RunAsync("clean")).Code.ShouldBe(2);
}
