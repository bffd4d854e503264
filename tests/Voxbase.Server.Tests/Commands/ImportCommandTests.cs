using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace Voxbase.Server.Tests.Commands;

public sealed partial class ImportCommandTests(SharedHome shared) : IDisposable
{
    private readonly Cli cli = shared.Cli;
    private readonly string folder = Directory.CreateTempSubdirectory("vxi-").FullName;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public async Task Files_are_imported_one_by_one_and_a_bad_one_keeps_no_other_back()
    {
        var good = Write("good.srt", "1\n00:00:01,000 --> 00:00:02,000\nAgent: Hello\n\n2\nno times\n\n3\n00:00:03,000 --> 00:00:04,500\nAda: Hi\n");
        var bad = Write("bad.bin", "\u0001\u0002\u0003\u0004");

        var ran = await cli.RunAsync("import", bad, good, Path.Combine(folder, "none.vtt"), "--user", "nora@example.org", "--at", "2026-05-01", "--json");

        ran.Code.ShouldBe(1);
        var result = ran.Json;
        result.GetProperty("file").GetString().ShouldBe("good.srt");
        result.GetProperty("format").GetString().ShouldBe("srt");
        result.GetProperty("turn_count").GetInt32().ShouldBe(2);
        result.GetProperty("new_turns").GetInt32().ShouldBe(2);
        result.GetProperty("assistant_turns").GetInt32().ShouldBe(1);
        result.GetProperty("duration_seconds").GetInt32().ShouldBe(4);
        ran.Error.ShouldContain("transcript_format_unknown");
        ran.Error.ShouldContain("file_unreadable");
        ran.Error.ShouldContain("line 5 skipped");
        var again = (await cli.RunAsync("import", good, "--user", "nora@example.org", "--json")).Succeeded().Json;
        again.GetProperty("new_turns").GetInt32().ShouldBe(0);
        again.GetProperty("conversation_id").GetString().ShouldBe(result.GetProperty("conversation_id").GetString());
        var listed = (await cli.RunAsync("list", "--user", "nora@example.org", "--json")).Succeeded().Json.EnumerateArray().ShouldHaveSingleItem();
        listed.GetProperty("name").GetString().ShouldBe("good.srt");
    }

    [Fact]
    public async Task The_standard_input_is_imported_and_told_without_colours_where_nobody_watches()
    {
        var ran = (await cli.RunAsync([], "Bob: one\nEve: two\n", "import", "-", "--assistant", "eve")).Succeeded();
        ran.Output.ShouldMatch(@"^● - → [0-9a-f-]{36} · text · 2 turns · 2 speakers\s*$");
        ran.Error.ShouldBeEmpty();
        (await cli.RunAsync("import", "-", "--format", "docx")).Code.ShouldBe(2);
    }

    // A heap that could not hold the file as text, or in a buffer that grew with it. VOXBASE_TRANSCRIPT_MB makes the file larger.
    [Theory]
    [InlineData("vtt")]
    [InlineData("json")]
    public async Task A_file_larger_than_the_memory_is_imported(string format)
    {
        var megabytes = int.TryParse(Environment.GetEnvironmentVariable("VOXBASE_TRANSCRIPT_MB"), out var asked) ? asked : 24;
        var path = Path.Combine(folder, "large." + format);
        var said = string.Concat(Enumerable.Repeat("all the same words again ", 800));
        var turns = 0;
        await using (var file = new StreamWriter(path))
        {
            await file.WriteAsync(format == "vtt" ? "WEBVTT\n\n" : "{\"segments\":[{\"text\":\"begin\"}");
            for (var written = 0L; written < (long)megabytes << 20; written += said.Length, turns++)
                await file.WriteAsync(format == "vtt" ? $"00:01.000 --> 00:02.000\n<v Ada>{said}\n\n" : $",\n{{\"speaker\":\"Ada\",\"text\":\"{said}\"}}");
            if (format == "json")
            {
                await file.WriteAsync("]}");
                turns++;
            }
        }

        (string, string)[] heap = [("DOTNET_GCHeapHardLimit", "0x2000000"), ("DOTNET_gcServer", "0")];
        var result = (await cli.RunAsync(heap, null, "import", path, "--json")).Succeeded().Json;

        result.GetProperty("new_turns").GetInt32().ShouldBe(turns);
        result.GetProperty("faults").GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task The_guide_s_commands_run_as_they_stand()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The guide's commands are for a shell.");
        Assert.SkipUnless(Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(path => File.Exists(Path.Combine(path, "curl"))), "curl is needed.");
        var guide = await File.ReadAllTextAsync(Path.Combine(Cli.Root, "docs/guides/import.md"), Cancel);
        var commands = new StringBuilder();
        foreach (Match block in ShellBlock().Matches(guide))
            commands.Append(block.Groups[1].Value).Append('\n');
        commands.ToString().ShouldContain("./voxbase import call.vtt");
        commands.Replace("./voxbase", $"dotnet '{Cli.Program}'").Replace("http://127.0.0.1:8700", shared.Url.TrimEnd('/'));
        var start = new ProcessStartInfo("sh", ["-eu", "-c", commands.ToString()])
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            Environment = { ["VOXBASE_HOME"] = cli.Home },
        };

        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(Cancel), process.StandardError.ReadToEndAsync(Cancel));
        await process.WaitForExitAsync(Cancel);

        process.ExitCode.ShouldBe(0, await error + await output);
        var printed = (await output).Replace("}{", "}\n{", StringComparison.Ordinal).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        printed[0].ShouldMatch("^● call.vtt → .* · vtt · 2 turns · 2 speakers · 6 s$");
        printed[^1].ShouldContain("\"new_turns\":0");
        printed.Count(line => line.Contains("\"is_new\":true", StringComparison.Ordinal)).ShouldBe(3);
    }

    private string Write(string name, string text)
    {
        var path = Path.Combine(folder, name);
        File.WriteAllText(path, text);
        return path;
    }

    [GeneratedRegex(@"```sh\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex ShellBlock();
}
