using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests;

/// <summary>LiveKit's official SDK for Node, as a process that is asked in lines of JSON. Installed once from the committed lock.</summary>
internal sealed class LiveKitSdk : IAsyncDisposable
{
    private static readonly SemaphoreSlim Installing = new(1, 1);

    private readonly Process node;

    private LiveKitSdk(Process node) => this.node = node;

    /// <summary>Skips the test where there is no npm, but not on the build server.</summary>
    public static async Task<LiveKitSdk> StartAsync()
    {
        var hasNpm = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, "npm")));
        if (Environment.GetEnvironmentVariable("CI") is not "true")
            Assert.SkipUnless(hasNpm, "npm is not installed.");
        var start = new ProcessStartInfo("node", ["sdk.mjs"]) { WorkingDirectory = await InstallAsync(), RedirectStandardInput = true, RedirectStandardOutput = true };
        return new LiveKitSdk(Process.Start(start)!);
    }

    /// <summary>What the SDK answers, or a failure with what it says.</summary>
    public async Task<JsonElement> AskAsync(object question)
    {
        await node.StandardInput.WriteLineAsync(JsonSerializer.Serialize(question));
        await node.StandardInput.FlushAsync();
        var line = await node.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(60));
        var answer = JsonElement.Parse(line ?? throw new InvalidOperationException("node ended."));
        return answer.TryGetProperty("result", out var result) ? result : throw new LiveKitSdkException(answer.GetProperty("error").GetString()!);
    }

    public async ValueTask DisposeAsync()
    {
        node.StandardInput.Close();
        await node.WaitForExitAsync();
        node.Dispose();
    }

    // Into the build's own folder, once for each lock.
    private static async Task<string> InstallAsync()
    {
        var source = Path.Combine(CommittedFile.Root, "tests/npm/livekit");
        var folder = Path.Combine(CommittedFile.Root, "artifacts/npm/livekit");
        await Installing.WaitAsync();
        try
        {
            Directory.CreateDirectory(folder);
            foreach (var file in (string[])["package.json", "package-lock.json", "sdk.mjs"])
                File.Copy(Path.Combine(source, file), Path.Combine(folder, file), overwrite: true);
            var stamp = Path.Combine(folder, "installed");
            var wanted = Convert.ToHexString(SHA256.HashData(await File.ReadAllBytesAsync(Path.Combine(source, "package-lock.json"))));
            if (File.Exists(stamp) && await File.ReadAllTextAsync(stamp) == wanted)
                return folder;
            using var npm = Process.Start(new ProcessStartInfo("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
            {
                WorkingDirectory = folder,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            var said = Task.WhenAll(npm.StandardOutput.ReadToEndAsync(), npm.StandardError.ReadToEndAsync());
            await npm.WaitForExitAsync();
            npm.ExitCode.ShouldBe(0, string.Join('\n', await said));
            await File.WriteAllTextAsync(stamp, wanted);
            return folder;
        }
        finally
        {
            Installing.Release();
        }
    }
}

/// <summary>The SDK said no.</summary>
internal sealed class LiveKitSdkException(string message) : Exception(message);
