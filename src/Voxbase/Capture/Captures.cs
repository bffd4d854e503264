using Voxbase.Data;

namespace Voxbase.Capture;

/// <summary>
/// Makes conversations of a provider's traffic. A recorded log and a live connection go the same way: raw events are kept, and a pure
/// reader makes turns, function calls, usage and charges of them. Recording an event twice records it once.
/// </summary>
public sealed class Captures(Database database, Conversations conversations, TimeProvider time)
{
    internal const string ByProviderConversationSql =
        """
        select session_id
        from vox.conversations
        where metadata ? 'provider_conversation_id' and metadata ->> 'provider_conversation_id' = $1
          and user_id is not distinct from $2 and session_id is not null
        order by id
        limit 1
        """;

    internal const string EndedSql =
        """
        update vox.conversations set ended_at = greatest(ended_at, $2)
        where id = $1 and status in ('completed', 'failed') and ended_at < $2
        """;

    // A session has one conversation: where its name is taken, by a log captured before perhaps, this one goes without.
    internal const string NameSql =
        """
        update vox.conversations set session_id = $2
        where id = $1 and session_id is null and not exists (select from vox.conversations where session_id = $2)
        """;

    // A session says its name in its first few events; past that many, a log is a piece that doesn't.
    private const int EventsBeforeName = 2_000;
    private const int EventsPerCommit = 500;
    private const int BytesPerCommit = 4 << 20;
    private const int ReportedLines = 100;

    private readonly CaptureLeases leases = new(database);

    /// <summary>
    /// Captures a log of OpenAI Realtime events, beta or GA, as JSON lines. Streams: memory follows what was said, not the size of the
    /// log. A log with several sessions becomes several conversations; a log captured before, or broken off, only adds what is missing.
    /// </summary>
    /// <param name="caller">A user, for itself; or the service, for <see cref="CaptureSettings.UserId"/> or nobody.</param>
    /// <param name="log">UTF-8.</param>
    /// <param name="settings">How; null for the defaults.</param>
    /// <param name="progress">Told the number of events after each commit.</param>
    /// <param name="cancellationToken">Stops between commits; what was committed stays, and capturing again goes on from there.</param>
    /// <returns>One result a conversation, in the order of the log.</returns>
    /// <exception cref="VoxbaseException"><c>log_empty</c>, <c>capture_refused</c>, <c>session_taken</c>, <c>user_not_found</c>.</exception>
    public async Task<IReadOnlyList<CaptureResult>> ReplayAsync(
        Caller caller,
        Stream log,
        CaptureSettings? settings = null,
        IProgress<int>? progress = null,
        CancellationToken cancellationToken = default)
    {
        settings ??= new CaptureSettings();
        Authorise(caller, settings);
        var results = new List<CaptureResult>();
        var malformed = new List<MalformedLine>();
        var (malformedCount, events, bytes) = (0, 0, 0);
        var pending = new List<LoggedEvent>();
        var scout = new OpenAiRealtimeReader();
        var sessionId = settings.SessionId;
        CaptureSession? session = null;
        try
        {
            await foreach (var line in ProviderLog.ReadAsync(log, cancellationToken))
            {
                if (line.Malformed is { } bad)
                {
                    malformedCount++;
                    if (malformed.Count < ReportedLines)
                        malformed.Add(bad);
                    continue;
                }

                var e = line.Event!;
                events++;
                if (OpenAiRealtimeReader.StartsNewSession(session?.Reader.SessionId ?? scout.SessionId, e))
                {
                    await FlushAsync();
                    results.Add(await FinishAsync(settings, session!, [], 0, cancellationToken));
                    await session!.DisposeAsync();
                    (session, scout, sessionId) = (null, new OpenAiRealtimeReader(), null);
                }

                pending.Add(e);
                bytes += e.Payload.Length;
                if (session is null)
                    scout.Read(pending.Count, e);
                var isNamed = session is not null || sessionId is not null || scout.SessionId is not null;
                if ((isNamed && (pending.Count >= EventsPerCommit || bytes >= BytesPerCommit)) || pending.Count >= EventsBeforeName)
                    await FlushAsync();
            }

            if (pending.Count > 0)
                await FlushAsync();
            if (session is null)
            {
                throw CaptureErrors.LogEmpty.With(
                    malformedCount == 0 ? "The log is empty." : $"None of the log's {malformedCount} lines is an event.",
                    malformed.Count == 0 ? null : $"line {malformed[0].Number}: {malformed[0].Reason}");
            }

            results.Add(await FinishAsync(settings, session, malformed, malformedCount, cancellationToken));
            return results;
        }
        finally
        {
            if (session is not null)
                await session.DisposeAsync();
        }

        async Task FlushAsync()
        {
            session ??= await OpenAsync(caller, settings, sessionId ?? await NameAsync(scout, pending, Owner(caller, settings), cancellationToken), pending[0].At, cancellationToken);
            await session.RecordAsync(pending, cancellationToken);
            pending.Clear();
            bytes = 0;
            progress?.Report(events);
        }
    }

    /// <summary>
    /// Opens a conversation for events as they come; <see cref="CaptureSession.RecordAsync"/> takes them. The same session id goes on
    /// with the same conversation.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>capture_refused</c>, <c>session_taken</c>, <c>user_not_found</c>.</exception>
    public Task<CaptureSession> OpenAsync(Caller caller, string sessionId, CaptureSettings? settings = null, CancellationToken cancellationToken = default)
    {
        settings ??= new CaptureSettings();
        Authorise(caller, settings);
        return OpenAsync(caller, settings, sessionId, null, cancellationToken);
    }

    /// <summary>Opens a conversation that is there, as the service.</summary>
    internal Task<CaptureSession> OpenAsServiceAsync(Conversation conversation, CancellationToken cancellationToken) =>
        CaptureSession.OpenAsync(database, leases, conversation, cancellationToken);

    /// <summary>Gives a conversation without one its provider's session id.</summary>
    internal async Task NameAsServiceAsync(Guid conversationId, string sessionId, CancellationToken cancellationToken)
    {
        try
        {
            await database.RunAsync(
                Caller.Service, [new Statement(NameSql, Parameter.Uuid(conversationId), Parameter.Text(sessionId))], cancellationToken);
        }
        catch (VoxbaseException e) when (e.Error == DataErrors.AlreadyExists)
        {
            // Two took the name at once, and the other one got it.
        }
    }

    /// <summary>Ends the conversation if the settings say so, and sums up.</summary>
    public Task<CaptureResult> FinishAsync(CaptureSession session, CaptureSettings? settings = null, CancellationToken cancellationToken = default) =>
        FinishAsync(settings ?? new CaptureSettings(), session, [], 0, cancellationToken);

    private async Task<CaptureSession> OpenAsync(
        Caller caller, CaptureSettings settings, string sessionId, DateTimeOffset? loggedAt, CancellationToken cancellationToken)
    {
        // The user starts it, so that the policies say whether it may; what follows is written by the service on its behalf.
        var conversation = await conversations.StartAsync(
            caller,
            new NewConversation
            {
                UserId = Owner(caller, settings),
                Kind = ConversationKind.Realtime,
                SessionId = sessionId,
                Status = ConversationStatus.Active,
                StartedAt = settings.StartedAt ?? loggedAt ?? time.GetUtcNow(),
                LlmProvider = CaptureSession.Provider,
                AiAgentUsed = true,
            },
            cancellationToken);
        // The service may go on with anybody's conversation, as long as it names nobody else.
        if (Owner(caller, settings) is { } owner && conversation.UserId != owner)
            throw ConversationErrors.SessionTaken.With($"The session '{sessionId}' belongs to another user's conversation.");
        return await CaptureSession.OpenAsync(database, leases, conversation, cancellationToken);
    }

    private async Task<CaptureResult> FinishAsync(
        CaptureSettings settings, CaptureSession session, IReadOnlyList<MalformedLine> malformed, int malformedCount, CancellationToken cancellationToken)
    {
        var captured = session.Reader.Snapshot(malformedCount);
        if (settings.EndWhenRead || session.Reader.IsEnded)
        {
            var endedAt = session.StartedAt.AddMilliseconds(LastOffsetMs(captured));
            await conversations.EndAsync(
                Caller.Service, session.ConversationId, session.Reader.EndReason ?? "log_ended", endedAt: endedAt, cancellationToken: cancellationToken);
            // A later piece of the log ends later.
            await database.RunAsync(
                Caller.Service,
                [new Statement(EndedSql, Parameter.Uuid(session.ConversationId), Parameter.Time(endedAt))],
                cancellationToken);
        }

        return new CaptureResult
        {
            Conversation = await conversations.FindAsync(Caller.Service, session.ConversationId, cancellationToken),
            Counters = captured.Counters,
            LogEvents = session.LogEvents,
            NewEvents = session.NewEvents,
            MalformedCount = malformedCount,
            Malformed = malformed,
        };
    }

    // The session's own name; else the conversation that a former piece gave the provider's name to; else what the log itself is.
    private async Task<string> NameAsync(
        OpenAiRealtimeReader scout, List<LoggedEvent> events, Guid? owner, CancellationToken cancellationToken)
    {
        if (scout.SessionId is { } sessionId)
            return sessionId;
        if (scout.Session.ConversationId is { } provider)
        {
            return await database.RunAsync(
                Caller.Service,
                [new Statement(ByProviderConversationSql, Parameter.Text(provider), Parameter.Uuid(owner))],
                static async (results, ct) => await results.ReadAsync(ct) ? results.GetString(0) : null,
                cancellationToken) ?? provider;
        }

        return $"log_{new EventKeys().Next(events[0]):n}";
    }

    private static void Authorise(Caller caller, CaptureSettings settings)
    {
        if (!caller.IsService && caller.UserId is null)
            throw CaptureErrors.CallerRefused.With("Capture needs a signed-in user or the service.");
        if (!caller.IsService && settings.UserId is { } wanted && wanted != caller.UserId)
            throw CaptureErrors.CallerRefused.With($"User {caller.UserId} cannot capture for user {wanted}.");
    }

    private static Guid? Owner(Caller caller, CaptureSettings settings) => caller.IsService ? settings.UserId : caller.UserId;

    private static int LastOffsetMs(CapturedConversation captured)
    {
        var last = 0;
        foreach (var turn in captured.Turns)
            last = Math.Max(last, Math.Max(turn.StartedAtOffsetMs ?? 0, turn.EndedAtOffsetMs ?? 0));
        foreach (var usage in captured.Usage)
            last = Math.Max(last, usage.OffsetMs ?? 0);
        foreach (var response in captured.Responses)
            last = Math.Max(last, response.EndedAtOffsetMs ?? 0);
        return last;
    }
}
