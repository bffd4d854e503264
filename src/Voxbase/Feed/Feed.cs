using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Voxbase.Data;

namespace Voxbase;

#pragma warning disable CA1001 // Disposed with the feed's tasks, in DisposeAsync.

/// <summary>
/// Every committed change, to everyone who may see it: read from the database's write-ahead log, authorised by its policies, in the order of commits.
/// </summary>
public sealed class Feed : IAsyncDisposable
{
    private const int MaxEntries = 64;

    private readonly Lock gate = new();
    private readonly Database database;
    private readonly VoxbaseOptions options;
    private readonly FeedLog log;
    private readonly FeedSource source;
    private readonly FeedAuthorizer authorizer;
    private readonly FeedDispatcher dispatcher;
    private readonly FeedMetrics metrics;
    private readonly ILogger logger;
    private readonly CancellationTokenSource ending = new();
    private readonly TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<VoxbaseException> turnedOff = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task? running;
    private bool isDisposed;
    private int pending;

    /// <summary>The feed of a database. It connects with the first subscription.</summary>
    public Feed(Database database, VoxbaseOptions options, TimeProvider time, ILogger<Feed> logger)
    {
        (this.database, this.options, this.logger) = (database, options, logger);
        metrics = new FeedMetrics(() => Health);
        log = new FeedLog((long)options.Feed.LogMegabytes * 1024 * 1024, options.Feed.LogFor, time);
        source = new FeedSource(database, options, log, time, metrics, logger);
        source.TurnedOff = error => turnedOff.TrySetResult(error);
        authorizer = new FeedAuthorizer(database, options, time);
        dispatcher = new FeedDispatcher(log, authorizer, options, time, metrics, logger);
    }

    /// <summary>How it is.</summary>
    public FeedHealth Health => new(
        !options.Feed.IsEnabled ? FeedState.Off : running is null ? FeedState.Idle : source.State,
        options.Feed.IsEnabled ? source.Reason : "Feed.IsEnabled is false.",
        source.Slot, source.RetainedBytes, log.Bytes, dispatcher.Count, dispatcher.Identities, dispatcher.SlowIdentities);

    /// <summary>
    /// Begins a subscription. Returns at once; <see cref="FeedEventKind.Ready"/> is the first event, when changes are followed. The caller's claims are
    /// asked as they are: who closes the subscription when its token expires, and opens one for a new token with the last position, is the one who calls.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>feed_off</c>, <c>feed_request_invalid</c>, <c>feed_full</c>.</exception>
    public FeedSubscription Subscribe(Caller caller, FeedRequest request)
    {
        if (Health is { State: FeedState.Off, Reason: var reason })
            throw FeedErrors.Off.With(reason ?? "The feed is off.");
        if (request.Entries.Count is 0 or > MaxEntries)
            throw FeedErrors.RequestInvalid.With($"A subscription has 1 to {MaxEntries} entries (was {request.Entries.Count}).");
        dispatcher.Clean();
        if (dispatcher.Count + Volatile.Read(ref pending) >= options.Feed.MaxSubscriptions)
            throw FeedErrors.TooMany.With($"There are {options.Feed.MaxSubscriptions} subscriptions already.");
        Start();
        var subscription = new FeedSubscription(caller, request, options.Feed, dispatcher.Forget);
        Interlocked.Increment(ref pending);
        _ = Task.Run(() => JoinAsync(subscription), CancellationToken.None);
        return subscription;
    }

    /// <summary>Whether a slot of this server is there from before, so that somebody may come back to it.</summary>
    internal async Task<bool> HasSlotAsync(CancellationToken cancellationToken) => await database.RunAsync(
        Caller.Service,
        [new Statement(OwnSlotSql, Parameter.Text(FeedSource.SlotOf("", options.Feed.ServerName ?? Environment.MachineName, 1)))],
        static async (row, ct) => await row.ReadAsync(ct) && row.GetBoolean(0),
        cancellationToken);

    internal const string OwnSlotSql =
        """
        select exists (
          select from pg_catalog.pg_replication_slots s
          where s.database = current_database() and starts_with(s.slot_name::text, 'voxbase_') and right(s.slot_name::text, length($1::text)) = $1::text)
        """;

    /// <summary>Told what the servers of the database tell each other through its log.</summary>
    internal Action<ReadOnlyMemory<byte>>? Heard
    {
        set => source.Heard = value;
    }

    /// <summary>Waits until the log is followed; false when the feed is off.</summary>
    internal async Task<bool> IsLiveAsync(CancellationToken cancellationToken)
    {
        await Task.WhenAny(begun.Task, turnedOff.Task).WaitAsync(cancellationToken);
        return begun.Task.IsCompleted;
    }

    /// <summary>Begins to follow the log, if it does not yet.</summary>
    internal void Start()
    {
        lock (gate)
            running ??= options.Feed.IsEnabled && !ending.IsCancellationRequested ? Task.Run(RunAsync, CancellationToken.None) : Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref isDisposed, true))
            return;
        await ending.CancelAsync();
        if (running is not null)
            await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await authorizer.DisposeAsync();
        metrics.Dispose();
    }

    private async Task RunAsync()
    {
        var following = source.RunAsync(ending.Token);
        await source.Began.WaitAsync(ending.Token);
        dispatcher.Begin();
        begun.TrySetResult();
        await Task.WhenAll(following, dispatcher.RunAsync(ending.Token));
    }

    private async Task JoinAsync(FeedSubscription subscription)
    {
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(ending.Token, subscription.Ending);
            if (await Task.WhenAny(begun.Task, turnedOff.Task).WaitAsync(either.Token) != begun.Task && !begun.Task.IsCompleted)
                throw await turnedOff.Task;
            await CheckAsync(subscription, either.Token);
            await dispatcher.JoinAsync(subscription, IsAheadAsync, either.Token);
        }
        catch (Exception) when (ending.IsCancellationRequested || subscription.Ending.IsCancellationRequested)
        {
            subscription.Fail(FeedErrors.Unavailable.With("The feed ends."));
        }
        catch (VoxbaseException e)
        {
            subscription.Fail(e);
        }
        catch (Exception e)
        {
            // Whatever it is, the subscriber is told: silence is what it could not tell from a quiet hour.
            if (DataErrors.From(e) is null)
                Log.FeedFaulted(logger, e);
            subscription.Fail(DataErrors.From(e) ?? FeedErrors.Unavailable.With("The subscription could not begin.", inner: e));
        }
        finally
        {
            Interlocked.Decrement(ref pending);
        }
    }

    // Whether a position lies behind all that the database has written: one of another database, or of one that was set back.
    private async Task<bool> IsAheadAsync(FeedPosition position)
    {
        await using var connection = await database.OpenWithoutCallerAsync(ending.Token);
        return position.Commit > await FeedSource.CurrentAsync(connection, ending.Token);
    }

    // What can be told wrong is told at once, rather than by silence.
    private async Task CheckAsync(FeedSubscription subscription, CancellationToken cancellationToken)
    {
        if (subscription.Request.Entries.All(entry => entry.Table == "*"))
            return;
        var published = await authorizer.PublishedAsync(subscription.Caller.Role, cancellationToken);
        foreach (var entry in subscription.Request.Entries.Where(entry => entry.Table != "*"))
        {
            var tables = published.Of(entry.Schema, entry.Table);
            if (tables.Count == 0)
                throw FeedErrors.RequestInvalid.With($"The feed does not publish {entry.Schema}.{entry.Table}.");
            foreach (var filter in entry.Filters ?? [])
            {
                if (tables.Select(table => table.GetValueOrDefault(filter.Column)).FirstOrDefault(column => column is { IsReadable: true }) is not { } compared)
                    throw FeedErrors.RequestInvalid.With($"{entry.Schema}.{entry.Table} has no column '{filter.Column}' that changes tell this subscriber of.");
                FilterTest.Make(filter, 0, compared.Type);
            }

            if (entry.Columns?.FirstOrDefault(column => !tables.Any(table => table.ContainsKey(column))) is { } unknown)
                throw FeedErrors.RequestInvalid.With($"{entry.Schema}.{entry.Table} has no column '{unknown}'.");
        }
    }
}

/// <summary>Follows the log from the start of a server whose subscribers may come back, and lets go of it in the end.</summary>
internal sealed class FeedJob(Feed feed, VoxbaseOptions options) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!options.Feed.IsEnabled)
            return;
        try
        {
            if (await feed.HasSlotAsync(stoppingToken))
                feed.Start();
        }
        catch (VoxbaseException)
        {
            // The first subscription begins it.
        }
    }
}
