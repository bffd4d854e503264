using System.Diagnostics;
using Xunit;

namespace Voxbase.Testing;

/// <summary>
/// The official npm clients of <c>tests/npm</c>, installed there once for each change of the lock file, and the Node that runs them.
/// </summary>
internal static class NpmClients
{
    private static readonly SemaphoreSlim Installing = new(1, 1);

    private static string Folder => Path.Combine(CommittedFile.Root, "tests/npm");

    /// <summary>
    /// Starts a script of <c>tests/npm</c> under the Node that the lock file names, with its three streams redirected. Skips the test where there is
    /// no npm, but not on the build server.
    /// </summary>
    public static async Task<Process> StartAsync(string script, params string[] arguments)
    {
        var hasNpm = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, "npm")));
        if (Environment.GetEnvironmentVariable("CI") is not "true")
            Assert.SkipUnless(hasNpm, "npm is not installed.");
        await InstallAsync();
        var own = Directory.EnumerateDirectories(Path.Combine(Folder, "node_modules"), "node-*").Select(folder => Path.Combine(folder, "bin/node")).FirstOrDefault(File.Exists);
        return Process.Start(new ProcessStartInfo(own ?? "node", [Path.Combine(Folder, script), .. arguments])
        {
            WorkingDirectory = Folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
    }

    /// <summary>What the script prints until it ends. It fails with what the script says to its standard error when it ends with another code than 0.</summary>
    public static async Task<string> RunAsync(string script, params string[] arguments)
    {
        var cancel = TestContext.Current.CancellationToken;
        using var node = await StartAsync(script, arguments);
        node.StandardInput.Close();
        try
        {
            var output = node.StandardOutput.ReadToEndAsync(cancel);
            var error = await node.StandardError.ReadToEndAsync(cancel);
            await node.WaitForExitAsync(cancel);
            Assert.True(node.ExitCode == 0, $"{script} ended with {node.ExitCode}.\n{error}\n{await output}");
            return await output;
        }
        finally
        {
            if (!node.HasExited)
                node.Kill();
        }
    }

    /// <summary>Runs a script that asks: each line it prints is answered with a line. It fails as <see cref="RunAsync"/> does.</summary>
    public static async Task AnswerAsync(string script, Func<string, Task<string>> answer, params string[] arguments)
    {
        var cancel = TestContext.Current.CancellationToken;
        using var node = await StartAsync(script, arguments);
        try
        {
            var error = node.StandardError.ReadToEndAsync(cancel);
            while (await node.StandardOutput.ReadLineAsync(cancel) is { } line)
            {
                await node.StandardInput.WriteLineAsync((await answer(line)).AsMemory(), cancel);
                await node.StandardInput.FlushAsync(cancel);
            }

            await node.WaitForExitAsync(cancel);
            Assert.True(node.ExitCode == 0, $"{script} ended with {node.ExitCode}.\n{await error}");
        }
        finally
        {
            if (!node.HasExited)
                node.Kill();
        }
    }

    private static async Task InstallAsync()
    {
        await Installing.WaitAsync();
        try
        {
            var wanted = await File.ReadAllTextAsync(Path.Combine(Folder, "package-lock.json"));
            var installed = Path.Combine(Folder, "node_modules/.voxbase-lock");
            if (File.Exists(installed) && await File.ReadAllTextAsync(installed) == wanted)
                return;
            using var npm = Process.Start(new ProcessStartInfo("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            {
                WorkingDirectory = Folder,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            var said = Task.WhenAll(npm.StandardOutput.ReadToEndAsync(), npm.StandardError.ReadToEndAsync());
            await npm.WaitForExitAsync();
            Assert.True(npm.ExitCode == 0, string.Join('\n', await said));
            await File.WriteAllTextAsync(installed, wanted);
        }
        finally
        {
            Installing.Release();
        }
    }
}
