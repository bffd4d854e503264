using System.Diagnostics;
using System.Text.Json;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests;

/// <summary>LiveKit's official SDK for Node, as a process that is asked in lines of JSON.</summary>
internal sealed class LiveKitSdk : IAsyncDisposable
{
    private readonly Process node;

    private LiveKitSdk(Process node) => this.node = node;

    public static async Task<LiveKitSdk> StartAsync() => new(await NpmClients.StartAsync("livekit/sdk.mjs"));

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
}

/// <summary>The SDK said no.</summary>
internal sealed class LiveKitSdkException(string message) : Exception(message);
