using System.Text.Json;

namespace Voxbase.Server.Tests.Commands;

public sealed class ReplayCommandTests(SharedHome shared)
{
    private static readonly string[] Contract =
    [
        "conversation_id", "status", "turn_count", "user_turns", "assistant_turns", "interrupted_turns", "function_calls", "responses",
        "cancelled_responses", "unknown_events", "input_tokens", "output_tokens", "cost_usd", "unpriced",
    ];

    private readonly Cli cli = shared.Cli;

    [Fact]
    public async Task Json_is_one_object_a_conversation_with_what_other_programs_count_on()
    {
        var first = (await cli.RunAsync("replay", Cli.DemoLog, Cli.DemoLog, "--json")).Succeeded().JsonLines;

        first.Count.ShouldBe(2);
        var report = first[0];
        foreach (var name in Contract)
            report.TryGetProperty(name, out _).ShouldBeTrue(name);
        report.GetProperty("status").GetString().ShouldBe("completed");
        report.GetProperty("turn_count").GetInt32().ShouldBe(17);
        report.GetProperty("user_turns").GetInt32().ShouldBe(8);
        report.GetProperty("assistant_turns").GetInt32().ShouldBe(9);
        report.GetProperty("interrupted_turns").GetInt32().ShouldBe(2);
        report.GetProperty("function_calls").GetInt32().ShouldBe(2);
        report.GetProperty("responses").GetInt32().ShouldBe(11);
        report.GetProperty("unknown_events").GetInt32().ShouldBe(0);
        report.GetProperty("cost_usd").GetString().ShouldNotBeNull().ShouldMatch(@"^\d+\.\d{6,9}$");
        // The second time adds nothing.
        first[1].GetProperty("conversation_id").GetGuid().ShouldBe(report.GetProperty("conversation_id").GetGuid());
        first[1].GetProperty("new_events").GetInt32().ShouldBe(0);
        first[1].GetProperty("cost_usd").GetString().ShouldBe(report.GetProperty("cost_usd").GetString());
    }

    [Fact]
    public async Task A_real_session_costs_what_its_provider_billed()
    {
        var log = Path.Combine(Cli.Root, "../shared/samples/openai/realtime-2025-05-interrupted.jsonl");
        Assert.SkipUnless(File.Exists(log), "The recorded session is no part of the project.");

        var report = (await cli.RunAsync("replay", log, "--json")).Succeeded().Json;

        report.GetProperty("cost_usd").GetString().ShouldBe("0.022450");
        report.GetProperty("responses").GetInt32().ShouldBe(2);
        report.GetProperty("interrupted_turns").GetInt32().ShouldBe(1);
        report.GetProperty("unknown_events").GetInt32().ShouldBe(0);
        report.GetProperty("unpriced").GetInt32().ShouldBe(0);
    }

    [Fact]
    public async Task The_table_shows_words_tools_and_interruptions_without_colours_where_nobody_watches()
    {
        var ran = (await cli.RunAsync("replay", Cli.DemoLog)).Succeeded();

        ran.Output.ShouldContain("find_slots");
        ran.Output.ShouldContain("17 turns");
        ran.Output.ShouldContain("2 interrupted");
        ran.Output.ShouldContain("✂");
        ran.Output.ShouldNotContain("\u001b");
        ran.Error.ShouldNotContain("\u001b");
        ran.Error.Trim().Split('\n').ShouldHaveSingleItem().ShouldContain("gpt-realtime is switched off on 2027-01-20");
    }

    [Fact]
    public async Task A_missing_file_is_told_and_the_others_are_still_captured()
    {
        var ran = await cli.RunAsync("replay", "/no/such/file.jsonl", Cli.DemoLog, "--json");

        ran.Code.ShouldBe(1);
        ran.JsonLines.Count.ShouldBe(1);
        ran.ErrorJson.GetProperty("code").GetString().ShouldBe("file_unreadable");
        ran.ErrorJson.GetProperty("message").GetString().ShouldNotBeNull().ShouldContain("/no/such/file.jsonl");
        ran.ErrorJson.GetProperty("hint").GetString().ShouldNotBeNullOrEmpty();
    }

    [Fact]
    public async Task A_folder_is_told_from_a_file()
    {
        var ran = await cli.RunAsync("replay", Path.GetTempPath());

        ran.Code.ShouldBe(1);
        ran.Error.ShouldContain("error file_unreadable");
        ran.Error.ShouldContain("folder");
        ran.Error.ShouldContain("hint: ");
        ran.Error.ShouldNotContain("   at ");
    }

    [Fact]
    public async Task A_log_comes_from_the_standard_input_and_its_bad_lines_are_told_by_number()
    {
        const string session = """{"type":"session.created","event_id":"event_1","session":{"id":"sess_stdin","model":"gpt-realtime"}}""";

        var ran = (await cli.RunAsync([], session + "\nnonsense\n", "replay", "-", "--json", "--at", "2026-05-01T09:30:00Z")).Succeeded();

        ran.Json.GetProperty("session_id").GetString().ShouldBe("sess_stdin");
        ran.Json.GetProperty("malformed_lines").GetInt32().ShouldBe(1);
        ran.Json.GetProperty("started_at").GetDateTimeOffset().ShouldBe(new DateTimeOffset(2026, 5, 1, 9, 30, 0, TimeSpan.Zero));
        ran.Error.ShouldContain("line 2");
    }

    [Fact]
    public async Task What_is_captured_for_a_user_is_listed_and_shown_as_theirs()
    {
        const string user = "lena@example.org";
        const string session = """{"type":"session.created","event_id":"event_1","session":{"id":"sess_of_lena","model":"gpt-realtime"}}""";
        var id = (await cli.RunAsync([], session, "replay", "-", "--user", user, "--json")).Succeeded().Json.GetProperty("conversation_id").GetString()!;

        var listed = (await cli.RunAsync("list", "--user", user, "--json")).Succeeded().Json.EnumerateArray().ToList();
        var shown = (await cli.RunAsync("show", id, "--json")).Succeeded().Json;

        listed.ShouldHaveSingleItem().GetProperty("id").GetString().ShouldBe(id);
        shown.GetProperty("conversation").GetProperty("id").GetString().ShouldBe(id);
        shown.GetProperty("conversation").GetProperty("user_id").ValueKind.ShouldBe(JsonValueKind.String);
        shown.GetProperty("turns").ValueKind.ShouldBe(JsonValueKind.Array);
    }

    [Fact]
    public async Task A_time_that_is_none_is_wrong_usage()
    {
        var ran = await cli.RunAsync("replay", Cli.DemoLog, "--at", "yesterday");

        ran.Code.ShouldBe(2);
        ran.Error.ShouldContain("yesterday");
    }
}
