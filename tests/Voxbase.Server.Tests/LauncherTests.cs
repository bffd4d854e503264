using System.Diagnostics;

namespace Voxbase.Server.Tests;

/// <summary>The launcher in a checkout of its own, with a <c>dotnet</c> that only writes down what it was asked for.</summary>
public sealed class LauncherTests : IDisposable
{
    private const string Dotnet = """
        #!/bin/sh
        case $1 in
            --version) echo "${FAKE_VERSION-10.0.100}" ;;
            build)
                echo "$*" >>"$FAKE_LOG"
                [ -z "${FAKE_FAILURE-}" ] || { echo "it does not compile"; exit 1; }
                sleep "${FAKE_SECONDS-0}"
                name=$(basename "$2")
                mkdir -p "$2/bin/Release/net10.0" "$2/obj"
                echo built >"$2/bin/Release/net10.0/$name.dll"
                ;;
            *) echo "ran $(basename "$1") $2 $3 as $VOXBASE_COMMAND" ;;
        esac
        """;

    private readonly string root = Directory.CreateTempSubdirectory("vxl-").FullName;
    private readonly Dictionary<string, string> environment = [];

    public LauncherTests()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The launcher is a POSIX shell script.");
        File.Copy(Path.Combine(Cli.Root, "voxbase"), Path.Combine(root, "voxbase"));
        foreach (var file in new[] { "src/Voxbase/One.cs", "src/Voxbase/Data/Two.cs", "src/Voxbase.Server/Program.cs", "bench/Voxbase.Bench/Program.cs", "global.json" })
            Write(file, "source");
        Write("fake/dotnet", Dotnet);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(Path.Combine(root, "fake/dotnet"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        environment["PATH"] = $"{root}/fake:{Environment.GetEnvironmentVariable("PATH")}";
        environment["FAKE_LOG"] = $"{root}/fake/log";
    }

    private List<string> Builds => File.Exists($"{root}/fake/log") ? [.. File.ReadLines($"{root}/fake/log")] : [];

    public void Dispose() => Directory.Delete(root, recursive: true);

    [Fact]
    public async Task It_builds_the_first_time_and_then_only_when_a_source_changed()
    {
        (await LaunchAsync("voxbase", "list", "--json")).Succeeded().Output.ShouldStartWith("ran Voxbase.Server.dll list --json");
        Builds.Count.ShouldBe(1);

        (await LaunchAsync("voxbase", "list")).Succeeded();
        Builds.Count.ShouldBe(1);

        Write("src/Voxbase/Data/Two.cs", "changed");
        (await LaunchAsync("voxbase", "list")).Succeeded();
        Builds.Count.ShouldBe(2);

        File.Delete($"{root}/src/Voxbase/Data/Two.cs");
        (await LaunchAsync("voxbase", "list")).Succeeded();
        Builds.Count.ShouldBe(3);

        Write("src/Voxbase/obj/generated.cs", "not a source");
        (await LaunchAsync("voxbase", "list")).Succeeded();
        Builds.Count.ShouldBe(3);

        Directory.Delete($"{root}/src/Voxbase.Server/bin", recursive: true);
        (await LaunchAsync("voxbase", "list")).Succeeded();
        Builds.Count.ShouldBe(4);
    }

    [Fact]
    public async Task It_works_through_links_and_from_any_folder_and_says_how_it_was_called()
    {
        Directory.CreateDirectory($"{root}/elsewhere");
        File.CreateSymbolicLink($"{root}/elsewhere/first", "../voxbase");
        File.CreateSymbolicLink($"{root}/elsewhere/second", "first");

        (await LaunchAsync("elsewhere/second", "up")).Succeeded().Output.Trim().ShouldEndWith($"as {root}/elsewhere/second");
    }

    [Fact]
    public async Task Two_at_once_build_once()
    {
        environment["FAKE_SECONDS"] = "1";

        var both = await Task.WhenAll(LaunchAsync("voxbase", "list"), LaunchAsync("voxbase", "list"));

        both.ShouldAllBe(ran => ran.Code == 0);
        Builds.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_lock_whose_holder_was_killed_holds_nobody_back()
    {
        Write("artifacts/launcher/lock/pid", "4194999");

        (await LaunchAsync("voxbase", "list")).Succeeded();

        Builds.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_build_that_fails_is_shown_and_tried_again()
    {
        environment["FAKE_FAILURE"] = "yes";
        var ran = await LaunchAsync("voxbase", "list");
        ran.Code.ShouldBe(1);
        ran.Output.ShouldBeEmpty();
        ran.Error.ShouldContain("it does not compile");

        environment.Remove("FAKE_FAILURE");
        (await LaunchAsync("voxbase", "list")).Succeeded();
        Builds.Count.ShouldBe(2);
    }

    [Theory]
    [InlineData("9.0.304")]
    [InlineData("")]
    public async Task A_dotnet_that_is_too_old_is_told_with_where_to_get_another(string version)
    {
        environment["FAKE_VERSION"] = version;

        var ran = await LaunchAsync("voxbase", "list");

        ran.Code.ShouldBe(1);
        ran.Error.ShouldContain(".NET SDK 10");
        ran.Error.ShouldContain("dot.net/download");
        Builds.ShouldBeEmpty();
    }

    [Fact]
    public async Task Benchmarks_are_a_program_of_their_own()
    {
        (await LaunchAsync("voxbase", "bench", "append", "--json")).Succeeded().Output.ShouldStartWith("ran Voxbase.Bench.dll append --json");
        Builds.ShouldHaveSingleItem().ShouldContain("bench/Voxbase.Bench");
    }

    private void Write(string file, string text)
    {
        var path = Path.Combine(root, file);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }

    private async Task<Ran> LaunchAsync(string launcher, params string[] arguments)
    {
        var start = new ProcessStartInfo("/bin/sh", [Path.Combine(root, launcher), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return new Ran(process.ExitCode, await output, await error);
    }
}
