using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Voxbase.Realtime;

namespace Voxbase.Capture;

/// <summary>
/// The recorders of this process's running calls, and the recovery of those that a killed process left behind. Its meter,
/// <c>Voxbase.Recording</c>, counts events and shows how many calls are recorded and how far the database is behind.
/// </summary>
public sealed class LiveRecorders : IAsyncDisposable
{
    // Somebody is about to recover a spool and waits to capture its conversation.
    private static readonly TimeSpan OthersTurn = TimeSpan.FromMilliseconds(20);

    private readonly ConcurrentDictionary<LiveRecorder, bool> recorders = new();
    private readonly ConcurrentDictionary<Guid, bool> unknown = new();
    private readonly Conversations conversations;
    private readonly Meter meter = new("Voxbase.Recording");
    private readonly Counter<long> counted;
    private readonly string folder;

    /// <summary>Use <c>services.AddVoxbase(…)</c>.</summary>
    public LiveRecorders(
        Captures captures, Conversations conversations, CallAdmission admission, VoxbaseOptions options, TimeProvider time,
        ILogger<LiveRecorders>? logger = null, LiveCalls? live = null)
    {
        Live = live;
        (Captures, this.conversations, Admission, Options, Time) = (captures, conversations, admission, options.Recording, time);
        Logger = logger ?? NullLogger<LiveRecorders>.Instance;
        Writing = new SemaphoreSlim(Options.ResolvedWriters);
        folder = Options.ResolveFolder();
        counted = meter.CreateCounter<long>("voxbase.recording.events", "{event}", "Events recorded.");
        meter.CreateObservableUpDownCounter("voxbase.recording.calls", () => Count, "{call}", "Calls being recorded.");
        meter.CreateObservableUpDownCounter("voxbase.recording.spool", () => WaitingBytes, "By", "Recorded and not committed yet.");
    }

    /// <summary>How many calls are being recorded, those included that have ended and are not all committed.</summary>
    public int Count => recorders.Count;

    /// <summary>How many bytes wait in spools to be committed.</summary>
    public long WaitingBytes => recorders.Keys.Sum(each => each.WaitingBytes);

    internal Captures Captures { get; }

    internal CallAdmission Admission { get; }

    /// <summary>Who is told what is being said, or null.</summary>
    internal LiveCalls? Live { get; }

    internal RecordingOptions Options { get; }

    internal TimeProvider Time { get; }

    internal ILogger Logger { get; }

    internal SemaphoreSlim Writing { get; }

    private SemaphoreSlim Recovering { get; } = new(1);

    /// <summary>Where recorders run: not among what passes audio on.</summary>
    internal RecorderLane Lane { get; } = new();

    /// <summary>
    /// Starts recording a conversation, which its status leaves as it is. Waits until nobody else captures it, and until what others recorded
    /// of it before, in the same folder, is committed. The recorder writes as the service: whether the caller may record this conversation is
    /// asked before.
    /// </summary>
    /// <param name="conversation">As it is now. Milliseconds of its events count from its <see cref="Conversation.StartedAt"/>.</param>
    /// <param name="endsWithServer">
    /// Whether the call is over when this process is: true for one whose audio goes through here. False for one that goes on without us
    /// and may be attached to again; recovery then leaves it running.
    /// </param>
    /// <param name="cancellationToken">Stops waiting; nothing is recorded.</param>
    /// <exception cref="VoxbaseException"><c>recording_unavailable</c>, <c>database_unavailable</c>.</exception>
    public async Task<LiveRecorder> OpenAsync(Conversation conversation, bool endsWithServer = true, CancellationToken cancellationToken = default)
    {
        var session = await OpenAfterOthersAsync(conversation, cancellationToken);
        try
        {
            session.GoOnAfter(session.KeptEvents);
            var spool = Spool.Create(folder, conversation.Id, endsWithServer, session.KeptEvents);
            return Enter(new LiveRecorder(this, conversation, spool, session, isRecovery: false));
        }
        catch (Exception e)
        {
            await session.DisposeAsync();
            if (e is IOException or UnauthorizedAccessException)
                throw CaptureErrors.RecordingUnavailable.With("The spool cannot be written.", e.Message, e);
            throw;
        }
    }

    /// <summary>
    /// Commits what processes that are gone had recorded, and ends the calls that went with them. Safe to run at once in many processes; in
    /// one, a second waits for the first, so that nothing is left behind when it returns.
    /// </summary>
    /// <returns>How many calls were recovered.</returns>
    /// <exception cref="VoxbaseException"><c>database_unavailable</c>; what is left is found the next time.</exception>
    public async Task<int> RecoverAsync(CancellationToken cancellationToken = default)
    {
        await Recovering.WaitAsync(cancellationToken);
        try
        {
            return await RecoverAllAsync(cancellationToken);
        }
        finally
        {
            Recovering.Release();
        }
    }

    /// <summary>
    /// Waits until every call that has ended is committed, then lets go of the others. What is not committed by then stays in the spool and is
    /// recovered at the next start.
    /// </summary>
    public async Task StopAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            await Task.WhenAll(recorders.Keys.Where(each => each.HasEnded).Select(each => each.Completion)).WaitAsync(cancellationToken);
        }
        catch (Exception)
        {
            // Each said so itself.
        }

        await Task.WhenAll(recorders.Keys.Select(each => each.AbandonAsync()));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(new CancellationToken(canceled: true));
        meter.Dispose();
        Lane.Dispose();
    }

    internal void Counted(int events) => counted.Add(events);

    internal void Leave(LiveRecorder recorder) => recorders.TryRemove(recorder, out _);

    internal async Task FinishAsync(Conversation conversation, string reason, DateTimeOffset endedAt, CancellationToken cancellationToken)
    {
        await conversations.EndAsync(
            Caller.Service, conversation.Id, reason, EndReasons.IsFailure(reason), endedAt, cancellationToken);
        await Admission.ReleaseAsync(conversation.Id, cancellationToken);
    }

    // A call that is over without an end in the database holds nothing all the same.
    internal async Task ReleaseAsync(Guid conversationId)
    {
        try
        {
            await Admission.ReleaseAsync(conversationId, CancellationToken.None);
        }
        catch (VoxbaseException e)
        {
            Log.RecoveryFailed(Logger, e.Code);
        }
    }

    private async Task<int> RecoverAllAsync(CancellationToken cancellationToken)
    {
        if (!Directory.Exists(folder))
            return 0;
        var recovered = 0;
        Exception? failure = null;
        foreach (var path in Directory.EnumerateFiles(folder, "*" + Spool.Extension).Order(StringComparer.Ordinal))
        {
            if (Spool.Find(path) is not { } spool)
                continue;
            Conversation conversation;
            try
            {
                conversation = await conversations.FindAsync(Caller.Service, spool.ConversationId, cancellationToken);
            }
            catch (Exception e)
            {
                spool.Dispose();
                if (e is not VoxbaseException { Error.Kind: ErrorKind.NotFound })
                    throw;
                // Of another database, perhaps: not ours to delete.
                if (unknown.TryAdd(spool.ConversationId, true))
                    Log.SpoolUnknown(Logger, path);
                continue;
            }

            try
            {
                await RecoverCallAsync(conversation, spool, cancellationToken);
                recovered++;
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                // Said already. One that cannot be committed at all does not keep the others from it.
                failure ??= e;
            }
        }

        if (failure is not null)
            ExceptionDispatchInfo.Throw(failure);
        return recovered;
    }

    private async Task RecoverCallAsync(Conversation conversation, Spool spool, CancellationToken cancellationToken)
    {
        await Enter(new LiveRecorder(this, conversation, spool, session: null, isRecovery: true)).Completion.WaitAsync(cancellationToken);
        Log.CallRecovered(Logger, conversation.Id);
    }

    // Events are kept in the order in which they are committed. A spool that still waits to be recovered is older than what comes now.
    private async Task<CaptureSession> OpenAfterOthersAsync(Conversation conversation, CancellationToken cancellationToken)
    {
        while (true)
        {
            var session = await Captures.OpenAsServiceAsync(conversation, cancellationToken);
            // Who records or recovers it deletes its spool before it lets anybody else capture the conversation.
            if (Spool.PathsOf(folder, conversation.Id) is not [var path, ..])
                return session;
            await session.DisposeAsync();
            if (Spool.Find(path) is not { } spool)
            {
                await Task.Delay(OthersTurn, Time, cancellationToken);
                continue;
            }

            try
            {
                await RecoverCallAsync(conversation, spool, cancellationToken);
            }
            catch (Exception e) when (e is not (VoxbaseException or OperationCanceledException))
            {
                throw CaptureErrors.RecordingUnavailable.With("What was recorded of the conversation before cannot be committed.", e.GetType().Name, e);
            }
        }
    }

    private LiveRecorder Enter(LiveRecorder recorder)
    {
        recorders[recorder] = true;
        recorder.Start();
        return recorder;
    }
}

/// <summary>Runs <see cref="LiveRecorders.RecoverAsync"/> at the start and ever again, and stops the recorders with the host.</summary>
internal sealed class RecoveryJob(LiveRecorders recorders, VoxbaseOptions options, TimeProvider time, ILogger<RecoveryJob> logger) : BackgroundService
{
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await recorders.StopAsync(cancellationToken);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Recording.RecoveryInterval, time);
        do
        {
            try
            {
                await recorders.RecoverAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                Log.RecoveryFailed(logger, (e as VoxbaseException)?.Code ?? e.GetType().FullName!);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}
