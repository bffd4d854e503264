using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Voxbase.Capture;
using Voxbase.Data;

namespace Voxbase.Sideband;

/// <summary>
/// The calls that run at OpenAI over WebRTC or SIP and that this process listens in on: their events are recorded as they happen, tools
/// are answered (<see cref="ToolAnswers"/>), and the context is kept within its limit. A call is attached to by one process at a time; when
/// that goes, the call goes on, and <see cref="ResumeAsync"/> of another attaches again.
/// </summary>
public sealed class Sidebands : IAsyncDisposable
{
    internal const string MarkSql =
        """
        update vox.conversations
        set metadata = metadata || jsonb_build_object('sideband', $2::text)
        where id = $1
        """;

    // What runs is asked for with the condition of its index (conversations_watched_idx), else every conversation would be read.
    internal const string FindSql =
        """
        select id
        from vox.conversations
        where status = 'active' and metadata ?| array['livekit', 'sideband'] and metadata ->> 'sideband' = $1
        order by id
        limit 1
        """;

    internal const string RunningSql =
        """
        select id, metadata ->> 'sideband'
        from vox.conversations
        where status = 'active' and metadata ?| array['livekit', 'sideband'] and metadata ->> 'sideband' is not null
        order by id
        """;

    internal const string AnsweredSql =
        """
        select call_id
        from vox.function_calls
        where conversation_id = $1 and status <> 'in_progress'
        """;

    // Another process holds the call; one that is going lets go of it within moments.
    private static readonly TimeSpan LeasePatience = TimeSpan.FromSeconds(5);

    private readonly Database database;
    private readonly Conversations conversations;
    private readonly LiveRecorders recorders;
    private readonly CallAdmission admission;
    private readonly RunningCalls running;
    private readonly OpenAiCalls calls;
    private readonly VoxbaseOptions options;
    private readonly TimeProvider time;
    private readonly ToolAnswers answers;
    private readonly IChatClient? chat;
    private readonly ILogger logger;
    private readonly CancellationTokenSource stopping = new();
    private readonly ConcurrentDictionary<string, (SidebandCall Call, Task Work)> attached = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim attaching = new(1);

    /// <summary>Use <c>services.AddVoxbase(…)</c>. A chat client, where the host has one, writes the summaries of long calls.</summary>
    public Sidebands(
        Database database, Conversations conversations, LiveRecorders recorders, CallAdmission admission, RunningCalls running,
        OpenAiCalls calls, VoxbaseOptions options, TimeProvider time, ToolAnswers answers, ILogger<Sidebands>? logger = null, IChatClient? chat = null) =>
        (this.database, this.conversations, this.recorders, this.admission, this.running, this.calls, this.options, this.time, this.answers, this.logger, this.chat) =
        (database, conversations, recorders, admission, running, calls, options, time, answers, logger ?? NullLogger<Sidebands>.Instance, chat);

    /// <summary>How many calls this process listens in on.</summary>
    public int Count => attached.Count;

    /// <summary>
    /// Attaches to a running call and records it from now on. Returns when it is attached; attaching again is harmless.
    /// </summary>
    /// <param name="caller">
    /// A user, for a call of its own; or the service. Whoever knows a call's id may record it, unless it belongs to somebody else's
    /// conversation: the provider gives the id to nobody but the call's own client and server.
    /// </param>
    /// <param name="callId"><c>rtc_…</c> or <c>live_…</c>.</param>
    /// <param name="settings">Null for the defaults.</param>
    /// <param name="cancellationToken">Stops attaching; what is attached stays.</param>
    /// <exception cref="VoxbaseException">
    /// <c>call_id_invalid</c>, <c>capture_refused</c>, <c>conversation_not_found</c>, <c>conversation_over</c>, <c>session_taken</c>,
    /// <c>call_not_found</c>, <c>call_attached_elsewhere</c>, <c>provider_not_configured</c>, <c>provider_refused</c>, <c>provider_unavailable</c>, or
    /// what admission says. Nothing has changed.
    /// </exception>
    public async Task<Conversation> AttachAsync(
        Caller caller, string callId, SidebandSettings? settings = null, CancellationToken cancellationToken = default)
    {
        settings ??= new SidebandSettings();
        var call = ProviderCall.Of(callId);
        if (!caller.IsService && caller.UserId is null)
            throw CaptureErrors.CallerRefused.With("Attaching needs a signed-in user or the service.");
        if (!caller.IsService && settings.UserId is { } wanted && wanted != caller.UserId)
            throw CaptureErrors.CallerRefused.With($"User {caller.UserId} cannot attach for user {wanted}.");
        await attaching.WaitAsync(cancellationToken);
        try
        {
            var found = await FindAsync(caller, call, settings, cancellationToken);
            if (found is not null && attached.ContainsKey(call.Id))
                return found;
            var id = found?.Id ?? Guid.CreateVersion7(time.GetUtcNow());
            var owner = found is not null ? found.UserId : caller.IsService ? settings.UserId : caller.UserId;
            await admission.AdmitAsync(owner, id, cancellationToken);
            ClientWebSocket? socket = null;
            try
            {
                // First the provider: without it there is nothing to record.
                socket = await calls.AttachAsync(call, cancellationToken);
                var conversation = found ?? await conversations.StartAsync(
                    caller,
                    new NewConversation
                    {
                        Id = id,
                        UserId = owner,
                        Kind = ConversationKind.Realtime,
                        SessionId = call.Id,
                        LlmProvider = "openai",
                        AiAgentUsed = true,
                    },
                    cancellationToken);
                return await ListenAsync(conversation, call, socket, Note(call, settings.Model), cancellationToken);
            }
            catch
            {
                socket?.Dispose();
                await admission.ReleaseAsync(id, CancellationToken.None);
                throw;
            }
        }
        finally
        {
            attaching.Release();
        }
    }

    /// <summary>Attaches again to every call that nobody listens in on any more, such as after a restart.</summary>
    /// <returns>How many were attached to, or found to be over.</returns>
    public async Task<int> ResumeAsync(CancellationToken cancellationToken = default)
    {
        if (options.OpenAi.ApiKey is null)
            return 0;
        // What the last process had recorded comes before what this one will.
        await recorders.RecoverAsync(cancellationToken);
        var resumed = 0;
        foreach (var (id, callId) in await RunningAsync(cancellationToken))
        {
            if (attached.ContainsKey(callId))
                continue;
            var conversation = await conversations.FindAsync(Caller.Service, id, cancellationToken);
            try
            {
                await AttachAsync(Caller.Service, callId, new SidebandSettings { ConversationId = id }, cancellationToken);
                resumed++;
            }
            catch (VoxbaseException e) when (e.Error == SidebandErrors.CallNotFound)
            {
                await conversations.EndAsync(Caller.Service, id, EndReasons.UpstreamClosed, cancellationToken: cancellationToken);
                await admission.ReleaseAsync(id, cancellationToken);
                resumed++;
            }
            catch (VoxbaseException e)
            {
                if (e.Error != SidebandErrors.AttachedElsewhere)
                    Log.NotAttached(logger, conversation.Id, e.Code);
            }
        }

        return resumed;
    }

    /// <summary>Lets all calls go on without this process.</summary>
    public async Task StopAsync()
    {
        await stopping.CancelAsync();
        await Task.WhenAll(attached.Values.Select(each => each.Work));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        stopping.Dispose();
    }

    /// <summary>Attaches to a call just accepted, and logs when it cannot.</summary>
    internal void AttachBehind(Conversation conversation, ProviderCall call, string session) => _ = Task.Run(async () =>
    {
        try
        {
            await AttachAsync(
                Caller.Service, call.Id, new SidebandSettings { ConversationId = conversation.Id, Model = ModelOf(session) }, stopping.Token);
        }
        catch (Exception e)
        {
            Log.NotAttached(logger, conversation.Id, e is VoxbaseException known ? known.Code : e.GetType().Name);
        }
    });

    private async Task<Conversation?> FindAsync(Caller caller, ProviderCall call, SidebandSettings settings, CancellationToken cancellationToken)
    {
        var known = await database.RunAsync(
            Caller.Service,
            [new Statement(FindSql, Parameter.Text(call.Id))],
            static async (results, ct) => await results.ReadAsync(ct) ? results.GetGuid(0) : (Guid?)null,
            cancellationToken);
        if (known is not null && settings.ConversationId is { } other && other != known)
            throw ConversationErrors.SessionTaken.With($"The call '{call.Id}' belongs to another conversation.");
        if ((known ?? settings.ConversationId) is not { } id)
            return null;
        Conversation conversation;
        try
        {
            conversation = await conversations.FindAsync(caller, id, cancellationToken);
        }
        catch (VoxbaseException e) when (e.Error == ConversationErrors.NotFound && known is not null)
        {
            throw ConversationErrors.SessionTaken.With($"The call '{call.Id}' belongs to another conversation.");
        }

        // Seeing a conversation is not owning it: participants and admins see it too.
        if (!caller.IsService && conversation.UserId != caller.UserId)
            throw ConversationErrors.NotFound.With($"There is no conversation {id}, or the caller may not see or change it.");
        return conversation.Status is ConversationStatus.Pending or ConversationStatus.Active
            ? conversation
            : throw SidebandErrors.ConversationOver.With($"Conversation {id} has ended.");
    }

    private async Task<Conversation> ListenAsync(
        Conversation conversation, ProviderCall call, ClientWebSocket socket, byte[]? note, CancellationToken cancellationToken)
    {
        if (conversation.Status is not (ConversationStatus.Pending or ConversationStatus.Active))
            throw SidebandErrors.ConversationOver.With($"Conversation {conversation.Id} has ended.");
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(LeasePatience);
        LiveRecorder recorder;
        try
        {
            recorder = await recorders.OpenAsync(conversation, endsWithServer: false, patience.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw SidebandErrors.AttachedElsewhere.With($"The call '{call.Id}' is recorded by another server.");
        }

        // From here on it is recorded, whoever waits for the answer.
        conversation = await conversations.ActivateAsync(Caller.Service, conversation.Id, cancellationToken: CancellationToken.None);
        await database.RunAsync(Caller.Service, [new Statement(MarkSql, Parameter.Uuid(conversation.Id), Parameter.Text(call.Id))], CancellationToken.None);
        var sideband = new SidebandCall(conversation, call, recorder, calls, options, time, answers, chat, logger);
        sideband.Restore(await KeptAsync(conversation.Id), await AnsweredAsync(conversation.Id));
        if (note is not null)
            sideband.Note(note);
        var entry = running.Enter(conversation.Id, sideband);
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        attached[call.Id] = (sideband, RunAsync());
        begun.SetResult();
        Log.Attached(logger, conversation.Id);
        return conversation;

        async Task RunAsync()
        {
            await begun.Task;
            try
            {
                await sideband.RunAsync(socket, stopping.Token);
            }
            catch (Exception e)
            {
                Log.NotAttached(logger, conversation.Id, e is VoxbaseException known ? known.Code : e.GetType().Name);
            }
            finally
            {
                entry.Dispose();
                attached.TryRemove(call.Id, out _);
            }
        }
    }

    private Task<List<LoggedEvent>> KeptAsync(Guid conversationId) => database.RunAsync(
        Caller.Service,
        [new Statement(CaptureRows.StoredEventsSql, Parameter.Uuid(conversationId))],
        static async (results, ct) =>
        {
            var events = new List<LoggedEvent>();
            while (await results.ReadAsync(ct))
            {
                var at = new RowReader(results);
                at.Integer();
                at.Uuid();
                events.Add(new LoggedEvent(at.Text()!, at.Text()!, EventId: at.Text(), At: at.Time(), OffsetMs: at.Integer(), Payload: at.Text()!));
            }

            return events;
        },
        CancellationToken.None);

    private Task<List<string>> AnsweredAsync(Guid conversationId) => database.RunAsync(
        Caller.Service,
        [new Statement(AnsweredSql, Parameter.Uuid(conversationId))],
        static async (results, ct) =>
        {
            var ids = new List<string>();
            while (await results.ReadAsync(ct))
                ids.Add(results.GetString(0));
            return ids;
        },
        CancellationToken.None);

    private Task<List<(Guid Id, string CallId)>> RunningAsync(CancellationToken cancellationToken) => database.RunAsync(
        Caller.Service,
        [new Statement(RunningSql)],
        static async (results, ct) =>
        {
            var found = new List<(Guid, string)>();
            while (await results.ReadAsync(ct))
                found.Add((results.GetGuid(0), results.GetString(1)));
            return found;
        },
        cancellationToken);

    // Only the model: the instructions of a session are not copied.
    private static byte[]? Note(ProviderCall call, string? model) => call.IsLive && model is not null
        ? JsonSerializer.SerializeToUtf8Bytes(new { type = LiveEventTypes.Accept, session = new { model } })
        : null;

    private static string? ModelOf(string session)
    {
        using var document = JsonDocument.Parse(session);
        return document.RootElement.TryGetProperty("model", out var model) && model.ValueKind == JsonValueKind.String ? model.GetString() : null;
    }
}

/// <summary>Runs <see cref="Sidebands.ResumeAsync"/> at the start and every half minute, and lets the calls go at the stop.</summary>
internal sealed class SidebandsJob(Sidebands sidebands, TimeProvider time, ILogger<SidebandsJob> logger) : BackgroundService
{
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await sidebands.StopAsync();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(30), time);
        do
        {
            try
            {
                await sidebands.ResumeAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                Log.ResumeFailed(logger, e is VoxbaseException known ? known.Code : e.GetType().Name);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}
