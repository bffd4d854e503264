using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Voxbase.Server.Tests;

/// <summary>What a run of the program came to.</summary>
internal sealed record Ran(int Code, string Output, string Error)
{
    /// <summary>The standard output as the one JSON document that it must be.</summary>
    public JsonElement Json => JsonElement.Parse(Output);

    /// <summary>The standard output as a JSON document a line.</summary>
    public List<JsonElement> JsonLines => [.. Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line))];

    /// <summary>The standard error as an error in JSON.</summary>
    public JsonElement ErrorJson => JsonElement.Parse(Error);

    public Ran Succeeded()
    {
        Code.ShouldBe(0, Error);
        return this;
    }
}

/// <summary>The built program as a child process, with a home of its own and nothing of this process's settings.</summary>
internal sealed class Cli(string home)
{
    /// <summary>The checkout.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>The log of the demo.</summary>
    public static string DemoLog { get; } = Path.Combine(Root, "src/Voxbase.Server/Demo/booking.jsonl");

    public string Home => home;

    public Task<Ran> RunAsync(params string[] arguments) => RunAsync([], null, arguments);

    public async Task<Ran> RunAsync((string Name, string Value)[] environment, string? input, params string[] arguments)
    {
        using var process = Start(environment, arguments);
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        if (input is not null)
            await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return new Ran(process.ExitCode, await output, await error);
    }

    public Process Start((string Name, string Value)[] environment, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Program, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(false),
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
            WorkingDirectory = Path.GetTempPath(),
        };
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("VOXBASE_", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        start.Environment["VOXBASE_HOME"] = home;
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    /// <summary>A home that is short, for the socket's path.</summary>
    public static string NewHome() => Path.Combine(Path.GetTempPath(), "vxs-" + Path.GetRandomFileName().Replace(".", "", StringComparison.Ordinal));

    /// <summary>The program's assembly.</summary>
    public static string Program
    {
        get
        {
            // …/tests/Voxbase.Server.Tests/bin/{configuration}/net10.0/
            var folder = new DirectoryInfo(AppContext.BaseDirectory);
            return Path.Combine(Root, "src/Voxbase.Server/bin", folder.Parent!.Name, folder.Name, "Voxbase.Server.dll");
        }
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Voxbase.slnx")))
            folder = folder.Parent ?? throw new InvalidOperationException("The tests are not in a checkout.");
        return folder.FullName;
    }
}
