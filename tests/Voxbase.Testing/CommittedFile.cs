namespace Voxbase.Testing;

/// <summary>A file of the repository that is made from the code: a test keeps the two equal, and refreshes the file when asked to.</summary>
public static class CommittedFile
{
    private const string Update = "VOXBASE_UPDATE";

    /// <summary>The root of the repository, found upwards from the test's binaries.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Fails unless the file holds exactly this text; with <c>VOXBASE_UPDATE=1</c> it writes it instead.</summary>
    /// <param name="path">From the root of the repository.</param>
    /// <param name="text">What it must hold. Lines end in LF.</param>
    /// <param name="refresh">What to run to refresh it, when there is more than the variable.</param>
    public static async Task ShouldHoldAsync(string path, string text, string? refresh = null)
    {
        var file = Path.Combine(Root, path);
        if (Environment.GetEnvironmentVariable(Update) == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            await File.WriteAllTextAsync(file, text);
            return;
        }

        var kept = File.Exists(file) ? (await File.ReadAllTextAsync(file)).ReplaceLineEndings("\n") : "";
        if (kept == text)
            return;
        var (was, becomes) = (kept.Split('\n'), text.Split('\n'));
        var line = was.Zip(becomes).TakeWhile(pair => pair.First == pair.Second).Count();
        throw new InvalidOperationException(
            $"""
            {path} is not what the code says, from line {line + 1} on:
              committed: {was.ElementAtOrDefault(line) ?? "(end)"}
              now:       {becomes.ElementAtOrDefault(line) ?? "(end)"}
            Refresh it with {(refresh is null ? "" : $"`{refresh}`, or ")}{Update}=1 ./test, look at the difference and commit it.
            """);
    }

    private static string FindRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Voxbase.slnx")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("The tests run outside the repository.");
        return folder;
    }
}
