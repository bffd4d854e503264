using System.Threading.Channels;
using Voxbase.Capture;
using Voxbase.Sideband;

namespace Voxbase.AspNetCore;

/// <summary>
/// Lets <see cref="ContextUpkeep"/> see a relayed call from behind: what passes is copied, except audio, and read where nobody waits for it.
/// </summary>
internal sealed class RelayUpkeep(ContextUpkeep upkeep)
{
    private readonly Channel<(bool FromServer, byte[] Message)> passed = Channel.CreateUnbounded<(bool, byte[])>(new() { SingleReader = true });

    /// <summary>Takes a message in, in microseconds.</summary>
    public void Passed(bool fromServer, ReadOnlySpan<byte> message)
    {
        if (!RealtimeEventTypes.IsAudio(message))
            passed.Writer.TryWrite((fromServer, message.ToArray()));
    }

    /// <summary>Reads until the call is over.</summary>
    public async Task RunAsync(CancellationToken over)
    {
        try
        {
            await foreach (var (fromServer, message) in passed.Reader.ReadAllAsync(over))
            {
                if (ProviderLog.Parse(0, message)?.Event is { } e)
                    upkeep.Seen(e with { Direction = fromServer ? EventDirections.Server : EventDirections.Client }, over);
            }
        }
        catch (OperationCanceledException)
        {
            // The call is over.
        }

        await upkeep.Idle;
    }
}
