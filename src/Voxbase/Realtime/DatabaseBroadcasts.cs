using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Voxbase.Data;

namespace Voxbase.Realtime;

/// <summary>
/// Broadcasts from the database: rows inserted into <c>realtime.messages</c>, by <c>realtime.send</c> or otherwise, go to everyone in their channel once they are
/// committed. They come over the feed, on every server, from the first channel that is joined there on.
/// </summary>
public sealed class DatabaseBroadcasts(Database database, Feed feed, Channels channels, TimeProvider time, ILogger<DatabaseBroadcasts>? logger = null) : IAsyncDisposable
{
    internal const string PublishSql =
        """
        select vox_private.publish_messages()
        """;

    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(2);

    private readonly ILogger logger = logger ?? (ILogger)NullLogger.Instance;
    private readonly CancellationTokenSource over = new();
    private readonly TaskCompletionSource ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock gate = new();
    private Task? running;

    /// <summary>Done once messages arrive.</summary>
    public Task Ready => ready.Task;

    /// <summary>Begins to listen; once is enough.</summary>
    public void Start()
    {
        if (Volatile.Read(ref running) is not null)
            return;
        lock (gate)
            running ??= Task.Run(RunAsync);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await over.CancelAsync();
        if (running is not null)
            await running;
        over.Dispose();
    }

    private async Task RunAsync()
    {
        var request = new FeedRequest(
            [new FeedEntry("realtime", "messages", FeedChanges.Insert, Columns: ["id", "topic", "event", "payload", "binary_payload", "private", "extension"])]);
        string? said = null;
        while (!over.IsCancellationRequested)
        {
            try
            {
                await database.RunAsync(
                    Caller.Service, [new Statement(PublishSql)], static async (results, ct) => await results.ReadAsync(ct) && results.GetBoolean(0), over.Token);
                await using var subscription = feed.Subscribe(Caller.Service, request);
                await foreach (var happened in subscription.WithCancellation(over.Token))
                {
                    request = request with { After = happened.Position };
                    if (happened.Kind == FeedEventKind.Ready)
                    {
                        ready.TrySetResult();
                        said = null;
                    }
                    else if (happened.Kind == FeedEventKind.Change)
                    {
                        Tell(happened);
                    }
                    else if (happened.Kind == FeedEventKind.Resync)
                    {
                        Log.MessagesMissed(logger);
                    }
                    else if (happened is { Kind: FeedEventKind.Error, Error: { } error })
                    {
                        throw error;
                    }
                }
            }
            catch (OperationCanceledException) when (over.IsCancellationRequested)
            {
                return;
            }
            catch (VoxbaseException e) when (e.Error == FeedErrors.Off || e.Error == FeedErrors.RequestInvalid)
            {
                // It stays so until somebody changes the database.
                Log.NoMessages(logger, e.Code);
                return;
            }
            catch (Exception e)
            {
                var code = (e as VoxbaseException)?.Code ?? e.GetType().FullName!;
                if (said != code)
                    Log.MessagesLost(logger, said = code);
            }

            await Task.Delay(Retry, time, over.Token).ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    private void Tell(FeedEvent happened)
    {
        using var document = JsonDocument.Parse(happened.Record);
        var row = document.RootElement;
        if (Text(row, "extension") != "broadcast" || Text(row, "topic") is not { } topic)
            return;
        var where = new ChannelTopic(topic, row.TryGetProperty("private", out var isPrivate) && isPrivate.ValueKind == JsonValueKind.True);
        if (!channels.HasMembersHere(where) || !row.TryGetProperty("id", out var id) || !id.TryGetGuid(out var messageId))
            return;
        var name = Text(row, "event") ?? "";
        if (row.TryGetProperty("payload", out var payload) && payload.ValueKind != JsonValueKind.Null)
            channels.SendHere(where, Broadcast.Stored(name, System.Text.Encoding.UTF8.GetBytes(payload.GetRawText()), isBinary: false, messageId));
        else if (Text(row, "binary_payload") is { } hex && hex.StartsWith("\\x", StringComparison.Ordinal))
            channels.SendHere(where, Broadcast.Stored(name, Convert.FromHexString(hex.AsSpan(2)), isBinary: true, messageId));
    }

    private static string? Text(JsonElement row, string name) =>
        row.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
