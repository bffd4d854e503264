using System.Collections.Concurrent;
using System.Text.Json;
using Voxbase.Realtime;

namespace Voxbase.AspNetCore;

/// <summary>
/// Sees the rows by which rights in private channels are lost, as they change, and has the channels ask again: those of a conversation when its participants change or
/// it goes, a user's own when the user changes, and all when a table changes that another policy of <c>realtime.messages</c> names and the feed publishes.
/// </summary>
internal sealed class ChannelWatch(Feed feed, ChannelAccess access, TimeProvider time, CancellationToken stopping)
{
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(2);

    // A change is in the log a moment before others see it; and it gathers what changes again and again.
    private static readonly TimeSpan Later = TimeSpan.FromSeconds(1);

    private static readonly FeedEntry[] Own =
    [
        new("vox", "participants", FeedChanges.Update | FeedChanges.Delete, Columns: ["conversation_id"]),
        new("vox", "users", FeedChanges.Update | FeedChanges.Delete, Columns: ["id"]),
        new("vox", "conversations", FeedChanges.Delete),
    ];

    private readonly ConcurrentDictionary<PhoenixChannel, byte> channels = new();
    private int isStarted;
    private int isPending;

    public void Add(PhoenixChannel channel)
    {
        channels[channel] = 0;
        if (Interlocked.Exchange(ref isStarted, 1) == 0)
            _ = Task.Run(RunAsync, CancellationToken.None);
    }

    public void Remove(PhoenixChannel channel) => channels.TryRemove(channel, out _);

    private async Task RunAsync()
    {
        FeedPosition? after = null;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var others = await access.NamedTablesAsync(stopping);
                await using var subscription = feed.Subscribe(
                    Caller.Service, new FeedRequest([.. Own, .. others.Select(table => new FeedEntry(table.Schema, table.Table, FeedChanges.Update | FeedChanges.Delete))], after));
                await foreach (var happened in subscription.WithCancellation(stopping))
                {
                    after = happened.Position;
                    if (happened.Kind == FeedEventKind.Change)
                        Look(happened);
                    else if (happened.Kind is FeedEventKind.Resync or FeedEventKind.Ready)
                        AskAll();
                }
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                return;
            }
            catch (VoxbaseException e) when (e.Error == FeedErrors.Off)
            {
                // Then the interval does.
                return;
            }
            catch (VoxbaseException)
            {
                // Tried again.
            }

            await Task.Delay(Retry, time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Look(FeedEvent happened)
    {
        if (happened.Matches[0] >= Own.Length)
        {
            AskAll();
            return;
        }

        var key = JsonElement.Parse(happened.OldRecord.Span);
        if (!key.TryGetProperty(happened.Table == "participants" ? "conversation_id" : "id", out var value) || !value.TryGetGuid(out var id))
            return;
        var topic = ChannelTopic.Of(id).Name;
        var meant = channels.Keys.Where(channel => happened.Table == "users" ? channel.UserId == id : channel.Topic == topic).ToList();
        meant.ForEach(channel => channel.Recheck());
        if (meant.Count > 0)
            _ = Task.Delay(Later, time, stopping).ContinueWith(_ => meant.ForEach(channel => channel.Recheck()), stopping, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
    }

    private void AskAll()
    {
        if (Interlocked.Exchange(ref isPending, 1) == 0)
            _ = Task.Delay(Later, time, stopping).ContinueWith(_ => All(), stopping, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);

        void All()
        {
            Volatile.Write(ref isPending, 0);
            foreach (var channel in channels.Keys)
                channel.Recheck();
        }
    }
}
