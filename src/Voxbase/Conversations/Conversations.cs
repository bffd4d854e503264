using System.Globalization;
using System.Text.Json;
using Npgsql;
using Voxbase.Cleaning;
using Voxbase.Data;

namespace Voxbase;

/// <summary>
/// Conversations: start, append, read, end. Everything runs as the caller given, so the database's policies decide; what a caller
/// may not see answers <c>conversation_not_found</c>.
/// </summary>
public sealed class Conversations
{
    internal const string StartSql =
        """
        insert into vox.conversations (
          id, user_id, kind, session_id, room_name, name, description, status, started_at, asr_provider, asr_model, llm_provider,
          llm_model, tts_provider, tts_model, ai_agent_used, metadata, preferences, session_state)
        values (
          $1, $2, $3::vox.conversation_kind, $4, $5, $6, $7, $8::vox.conversation_status, $9, $10, $11, $12, $13, $14, $15, $16,
          $17, $18, $19)
        on conflict do nothing
        """;

    internal const string FindSql =
        $"""
        select {Columns}
        from vox.conversations
        where id = $1 or session_id = $2
        """;

    internal const string GetSql =
        $"""
        select {Columns}
        from vox.conversations
        where id = $1
        """;

    internal const string ListSql =
        $"""
        select {Columns}
        from vox.conversations
        where ($1::uuid is null or user_id = $1)
          and ($2::uuid is null or id < $2)
          and ($3::text is null or status = $3::vox.conversation_status)
          and ($4::text is null or kind = $4::vox.conversation_kind)
        order by id desc
        limit $5
        """;

    internal const string ListOfUserSql =
        $"""
        select {Columns}
        from vox.conversations
        where user_id = $1
          and ($2::uuid is null or id < $2)
          and ($3::text is null or status = $3::vox.conversation_status)
          and ($4::text is null or kind = $4::vox.conversation_kind)
        order by id desc
        limit $5
        """;

    internal const string ParticipantsSql =
        $"""
        select {ParticipantColumns}
        from vox.participants
        where conversation_id = $1
        order by joined_at, id
        """;

    internal const string AllTurnsSql =
        $"""
        select {TurnRows.Columns}
        from vox.turns
        where conversation_id = $1
        order by sequence_number
        """;

    internal const string TurnsAfterSql =
        $"""
        select {TurnRows.Columns}
        from vox.turns
        where conversation_id = $1 and sequence_number > $2
        order by sequence_number
        limit $3
        """;

    internal const string LastTurnsSql =
        $"""
        select {TurnRows.Columns}
        from vox.turns
        where conversation_id = $1
        order by sequence_number desc
        limit $2
        """;

    internal const string FunctionCallsSql =
        $"""
        select {FunctionCallColumns}
        from vox.function_calls
        where conversation_id = $1
        order by coalesce(started_at, created_at), id
        """;

    internal const string UsageEventsSql =
        """
        select id, event_type, turn_id, response_id, model, latency_ms, audio_duration_ms, input_tokens, output_tokens, cached_tokens,
          at, details
        from vox.usage_events
        where conversation_id = $1
        order by at, id
        """;

    internal const string ChargesSql =
        """
        select id, turn_id, stage, meter, provider, model, quantity, unit_price_usd, per, amount_usd, charged_at,
          corrects, revision, before_usd
        from vox.charges
        where conversation_id = $1
        order by charged_at, coalesce(corrects, id), revision
        """;

    internal const string AuditReadSql =
        """
        select vox_private.audit_read($1)
        """;

    internal const string ActivateSql =
        """
        update vox.conversations
        set status = 'active', connected_at = coalesce(connected_at, $2)
        where id = $1 and status = 'pending'
        """;

    // An end without a connection is a failure; but a conversation with turns did connect, whether anybody said so or not.
    internal const string ActivateSpokenSql =
        """
        update vox.conversations
        set status = 'active', connected_at = coalesce(connected_at, started_at)
        where id = $1 and status = 'pending' and turn_count > 0
        """;

    internal const string EndSql =
        """
        update vox.conversations
        set status = (case when status = 'pending' then 'failed' else $2 end)::vox.conversation_status,
          end_reason = coalesce($3, end_reason), ended_at = $4
        where id = $1 and status in ('pending', 'active')
        """;

    internal const string SetStateSql =
        """
        update vox.conversations set state = $2::vox.conversation_state where id = $1
        """;

    internal const string JoinSql =
        """
        insert into vox.participants (conversation_id, id, user_id, identity, name, type, kind, joined_at, is_muted, attributes)
        values ($1, $2, $3, $4, $5, $6::vox.participant_type, $7, $8, $9, $10)
        on conflict (conversation_id, id) do nothing
        """;

    internal const string ParticipantSql =
        $"""
        select {ParticipantColumns}
        from vox.participants
        where conversation_id = $1 and id = $2
        """;

    internal const string LeaveSql =
        """
        update vox.participants
        set left_at = greatest($3, joined_at), disconnect_reason = coalesce($4, disconnect_reason)
        where conversation_id = $1 and id = $2 and left_at is null
        """;

    internal const string PresentSql =
        """
        select id
        from vox.participants
        where conversation_id = $1 and identity = $2
        order by left_at is null desc, joined_at desc, id desc
        limit 1
        """;

    internal const string BeginFunctionCallSql =
        """
        insert into vox.function_calls (conversation_id, id, turn_id, call_id, name, arguments, started_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (conversation_id, call_id) do nothing
        """;

    internal const string FinishFunctionCallSql =
        """
        update vox.function_calls
        set status = $3, result = $4, error_message = $5,
          execution_ms = coalesce($6, greatest(0, floor(extract(epoch from ($7 - started_at)) * 1000)::integer))
        where conversation_id = $1 and call_id = $2 and status = 'in_progress'
        """;

    internal const string FunctionCallSql =
        $"""
        select {FunctionCallColumns}
        from vox.function_calls
        where conversation_id = $1 and call_id = $2
        """;

    private const string Columns =
        """
        id, user_id, kind::text, session_id, room_name, name, description, status::text, state::text, end_reason, started_at,
        connected_at, ended_at, duration_seconds, asr_provider, asr_model, llm_provider, llm_model, tts_provider, tts_model,
        ai_agent_used, turn_count, input_tokens, output_tokens, cached_tokens, cost_usd, unpriced_count, processing_ms,
        (latency_ms / nullif(latency_count, 0))::integer, confidence_high_count, confidence_medium_count, confidence_low_count,
        interruption_count, function_call_count, error_count, summary, metadata, preferences, session_state, archived_at,
        created_at, updated_at
        """;

    private const string ParticipantColumns =
        """
        conversation_id, id, user_id, identity, name, type::text, kind, joined_at, left_at, duration_seconds, is_muted,
        disconnect_reason, attributes
        """;

    private const string FunctionCallColumns =
        "conversation_id, id, turn_id, call_id, name, arguments, result, status, error_message, execution_ms, started_at, created_at";

    private readonly Database database;
    private readonly Partitions partitions;
    private readonly ConversationsOptions options;
    private readonly TimeProvider time;
    private readonly TurnAppends appends;
    private readonly CleaningQueue? cleaning;

    /// <summary>Use <c>services.AddVoxbase(…)</c>.</summary>
    public Conversations(Database database, Partitions partitions, VoxbaseOptions options, TimeProvider time, CleaningQueue? cleaning = null)
    {
        (this.database, this.partitions, this.options, this.time, this.cleaning) = (database, partitions, options.Conversations, time, cleaning);
        appends = new TurnAppends(database, partitions, options.Conversations);
    }

    /// <summary>
    /// Starts a conversation, or returns the one started before with the same session id or id, as it is now. Exact when many call
    /// it at once.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>session_taken</c>, <c>user_not_found</c>, <c>input_invalid</c>, <c>forbidden</c>.</exception>
    public async Task<Conversation> StartAsync(Caller caller, NewConversation conversation, CancellationToken cancellationToken = default) =>
        (await StartOrFindAsync(caller, conversation, cancellationToken)).Conversation;

    /// <summary>Like <see cref="StartAsync"/>, and tells which of the two it was.</summary>
    /// <exception cref="VoxbaseException"><c>session_taken</c>, <c>user_not_found</c>, <c>input_invalid</c>, <c>forbidden</c>.</exception>
    public async Task<StartedConversation> StartOrFindAsync(
        Caller caller, NewConversation conversation, CancellationToken cancellationToken = default)
    {
        Require(conversation.Status is ConversationStatus.Pending or ConversationStatus.Active, "status must be pending or active at the start");
        Require(conversation.SessionId is null or { Length: >= 1 and <= 512 }, "session_id must be 1 to 512 characters");
        RequireObject(conversation.Metadata, "metadata");
        RequireObject(conversation.Preferences, "preferences");
        if (CleaningPreferences.Read(conversation.Preferences) is not null && cleaning is not null)
            cleaning.IsListening = true;
        RequireObject(conversation.SessionState, "session_state");
        var now = time.GetUtcNow();
        // The month of a conversation that began in the past is the past: its rows belong together with its time. An id's time
        // begins in 1970.
        var idTime = conversation.StartedAt is { } startedAt && startedAt < now ? startedAt : now;
        var id = conversation.Id ?? Guid.CreateVersion7(idTime < DateTimeOffset.UnixEpoch ? DateTimeOffset.UnixEpoch : idTime);
        await partitions.EnsureForAsync(caller, id, cancellationToken);

        var started = await database.RunAsync(
            caller,
            [
                new Statement(
                    StartSql,
                    Parameter.Uuid(id), Parameter.Uuid(conversation.UserId), Parameter.Text(Lower(conversation.Kind)),
                    Parameter.Text(conversation.SessionId), Parameter.Text(conversation.RoomName), Parameter.Text(conversation.Name),
                    Parameter.Text(conversation.Description), Parameter.Text(Lower(conversation.Status)),
                    Parameter.Time(conversation.StartedAt ?? now), Parameter.Text(conversation.AsrProvider),
                    Parameter.Text(conversation.AsrModel), Parameter.Text(conversation.LlmProvider), Parameter.Text(conversation.LlmModel),
                    Parameter.Text(conversation.TtsProvider), Parameter.Text(conversation.TtsModel),
                    Parameter.Boolean(conversation.AiAgentUsed), Parameter.Json(conversation.Metadata?.GetRawText() ?? "{}"),
                    Parameter.Json(conversation.Preferences?.GetRawText() ?? "{}"),
                    Parameter.Json(conversation.SessionState?.GetRawText() ?? "{}")),
                // A second statement, because only a new snapshot sees the row that won.
                new Statement(FindSql, Parameter.Uuid(id), Parameter.Text(conversation.SessionId)),
            ],
            // So far only the insert can have affected a row.
            static async (results, ct) => await results.ReadAsync(ct) ? new StartedConversation(Read(results), results.RecordsAffected > 0) : null,
            cancellationToken);
        // An existing one that the caller only takes part in is visible, but not its to start.
        if (started is null || (!caller.IsService && caller.UserId is { } user && started.Conversation.UserId != user
            && conversation.UserId != started.Conversation.UserId))
            throw ConversationErrors.SessionTaken.With($"The session '{conversation.SessionId ?? id.ToString()}' belongs to another conversation.");
        return started;
    }

    /// <summary>
    /// Appends turns to the end, numbered without a gap, durably: when it returns, they are committed. A turn whose id is there
    /// already adds nothing and answers its number, so a retry is harmless. Turns of many callers share a transaction.
    /// </summary>
    /// <returns>One answer a turn, in the order given.</returns>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>, <c>input_invalid</c>, <c>value_invalid</c>; nothing is changed.</exception>
    public async Task<IReadOnlyList<AppendedTurn>> AppendAsync(
        Caller caller, Guid conversationId, IReadOnlyList<NewTurn> turns, CancellationToken cancellationToken = default)
    {
        if (turns.Count == 0)
        {
            Require(await ExistsAsync(caller, conversationId, cancellationToken), ConversationErrors.NotFound, NotFoundMessage(conversationId));
            return [];
        }

        Require(turns.Count <= options.MaxTurnsPerAppend, $"at most {options.MaxTurnsPerAppend} turns may be appended at once (were {turns.Count})");
        for (var i = 0; i < turns.Count; i++)
        {
            if (TurnRows.Fault(turns[i]) is { } fault)
                throw ConversationErrors.InputInvalid.With(turns.Count == 1 ? fault : $"turn {i + 1} of {turns.Count}: {fault}");
        }

        var appended = await appends.AppendAsync(caller, conversationId, turns, cancellationToken);
        cleaning?.Add(conversationId);
        return appended;
    }

    /// <inheritdoc cref="AppendAsync(Caller, Guid, IReadOnlyList{NewTurn}, CancellationToken)"/>
    public async Task<AppendedTurn> AppendAsync(Caller caller, Guid conversationId, NewTurn turn, CancellationToken cancellationToken = default) =>
        (await AppendAsync(caller, conversationId, [turn], cancellationToken))[0];

    /// <summary>
    /// The whole record in one call and one transaction. An admin or the service reading somebody else's leaves a row in the audit log.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>.</exception>
    public async Task<ConversationRecord> GetAsync(Caller caller, Guid conversationId, CancellationToken cancellationToken = default)
    {
        var id = Parameter.Uuid(conversationId);
        var record = await database.RunAsync(
            caller,
            [
                new Statement(GetSql, id),
                new Statement(ParticipantsSql, id.Clone()),
                new Statement(AllTurnsSql, id.Clone()),
                new Statement(FunctionCallsSql, id.Clone()),
                new Statement(UsageEventsSql, id.Clone()),
                new Statement(ChargesSql, id.Clone()),
                new Statement(AuditReadSql, id.Clone()),
            ],
            static async (results, ct) =>
            {
                if (!await results.ReadAsync(ct))
                    return null;
                var conversation = Read(results);
                return new ConversationRecord(
                    conversation,
                    await NextAsync(results, ReadParticipant, ct),
                    await NextAsync(results, TurnRows.Read, ct),
                    await NextAsync(results, ReadFunctionCall, ct),
                    await NextAsync(results, ReadUsageEvent, ct),
                    await NextAsync(results, ReadCharge, ct));
            },
            cancellationToken);
        return record ?? throw NotFound(conversationId);
    }

    /// <summary>The conversation and its totals, without what belongs to it.</summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>.</exception>
    public async Task<Conversation> FindAsync(Caller caller, Guid conversationId, CancellationToken cancellationToken = default) =>
        await database.RunAsync(
            caller,
            [new Statement(GetSql, Parameter.Uuid(conversationId))],
            static async (results, ct) => await results.ReadAsync(ct) ? Read(results) : null,
            cancellationToken) ?? throw NotFound(conversationId);

    /// <summary>
    /// The newest conversations first, a page at a time. <paramref name="before"/> is the id of the last one of the page before.
    /// A page costs the same wherever it lies.
    /// </summary>
    /// <param name="caller">Who asks. A user sees its own; an admin or the service everyone's unless <paramref name="userId"/> is given.</param>
    /// <param name="userId">Only this owner's. For a user it defaults to itself, which reads an index.</param>
    /// <param name="status">Only of this status.</param>
    /// <param name="kind">Only of this kind.</param>
    /// <param name="before">Only older than this id.</param>
    /// <param name="limit">From 1; capped by <see cref="ConversationsOptions.MaxPageSize"/>.</param>
    /// <param name="cancellationToken">Stops the query.</param>
    public Task<IReadOnlyList<Conversation>> ListAsync(
        Caller caller,
        Guid? userId = null,
        ConversationStatus? status = null,
        ConversationKind? kind = null,
        Guid? before = null,
        int limit = 50,
        CancellationToken cancellationToken = default)
    {
        Require(limit >= 1, $"limit must be at least 1 (was {limit})");
        return database.RunAsync<IReadOnlyList<Conversation>>(
            caller,
            [
                new Statement(
                    userId is null ? ListSql : ListOfUserSql,
                    Parameter.Uuid(userId), Parameter.Uuid(before), Parameter.Text(status is { } s ? Lower(s) : null),
                    Parameter.Text(kind is { } k ? Lower(k) : null), Parameter.Integer(Math.Min(limit, options.MaxPageSize))),
            ],
            static async (results, ct) => await AllAsync(results, Read, ct),
            cancellationToken);
    }

    /// <summary>Turns in sequence after a number (0 for the beginning), a page at a time.</summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>.</exception>
    public async Task<IReadOnlyList<Turn>> TurnsAsync(
        Caller caller, Guid conversationId, int after = 0, int limit = 100, CancellationToken cancellationToken = default)
    {
        Require(limit >= 1, $"limit must be at least 1 (was {limit})");
        Require(after >= 0, $"after must not be negative (was {after})");
        var turns = await database.RunAsync(
            caller,
            [
                new Statement(
                    TurnsAfterSql, Parameter.Uuid(conversationId), Parameter.Integer(after),
                    Parameter.Integer(Math.Min(limit, options.MaxPageSize))),
            ],
            static (results, ct) => AllAsync(results, TurnRows.Read, ct),
            cancellationToken);
        if (turns.Count == 0)
            Require(await ExistsAsync(caller, conversationId, cancellationToken), ConversationErrors.NotFound, NotFoundMessage(conversationId));
        return turns;
    }

    /// <summary>The last turns, oldest of them first. Costs the same however long the conversation is.</summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>.</exception>
    public async Task<IReadOnlyList<Turn>> LastTurnsAsync(
        Caller caller, Guid conversationId, int count = 20, CancellationToken cancellationToken = default)
    {
        Require(count >= 1, $"count must be at least 1 (was {count})");
        var turns = await database.RunAsync(
            caller,
            [new Statement(LastTurnsSql, Parameter.Uuid(conversationId), Parameter.Integer(Math.Min(count, options.MaxPageSize)))],
            static (results, ct) => AllAsync(results, TurnRows.Read, ct),
            cancellationToken);
        if (turns.Count == 0)
            Require(await ExistsAsync(caller, conversationId, cancellationToken), ConversationErrors.NotFound, NotFoundMessage(conversationId));
        turns.Reverse();
        return turns;
    }

    /// <summary>pending → active. Doing it again is harmless.</summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>.</exception>
    public Task<Conversation> ActivateAsync(
        Caller caller, Guid conversationId, DateTimeOffset? connectedAt = null, CancellationToken cancellationToken = default) =>
        ChangeAsync(
            caller, conversationId,
            [new Statement(ActivateSql, Parameter.Uuid(conversationId), Parameter.Time(connectedAt ?? time.GetUtcNow()))],
            cancellationToken);

    /// <summary>Moves the live state. Moving to the state it is in is harmless.</summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>, <c>state_move_refused</c>.</exception>
    public Task<Conversation> SetStateAsync(
        Caller caller, Guid conversationId, ConversationState state, CancellationToken cancellationToken = default) =>
        ChangeAsync(
            caller, conversationId,
            [new Statement(SetStateSql, Parameter.Uuid(conversationId), Parameter.Text(Lower(state)))],
            cancellationToken);

    /// <summary>
    /// Ends a conversation; the first end counts, and ending again is harmless. One that never became active and has no turns
    /// ends as failed, whatever is asked.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>.</exception>
    public Task<Conversation> EndAsync(
        Caller caller,
        Guid conversationId,
        string? reason = null,
        bool failed = false,
        DateTimeOffset? endedAt = null,
        CancellationToken cancellationToken = default) =>
        ChangeAsync(
            caller, conversationId,
            [
                new Statement(ActivateSpokenSql, Parameter.Uuid(conversationId)),
                new Statement(
                    EndSql, Parameter.Uuid(conversationId), Parameter.Text(failed ? "failed" : "completed"), Parameter.Text(reason),
                    Parameter.Time(endedAt ?? time.GetUtcNow())),
            ],
            cancellationToken);

    /// <summary>Adds a participant. With the same id again it adds nothing and returns the first.</summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>, <c>input_invalid</c>, <c>reference_not_found</c>.</exception>
    public async Task<Participant> JoinAsync(
        Caller caller, Guid conversationId, NewParticipant participant, CancellationToken cancellationToken = default)
    {
        Require(participant.Identity is { Length: >= 1 and <= 512 }, "identity must be 1 to 512 characters");
        RequireObject(participant.Attributes, "attributes");
        var id = participant.Id ?? Guid.CreateVersion7();
        return await AsOwnerAsync(conversationId, () => database.RunAsync(
            caller,
            [
                new Statement(
                    JoinSql, Parameter.Uuid(conversationId), Parameter.Uuid(id), Parameter.Uuid(participant.UserId),
                    Parameter.Text(participant.Identity), Parameter.Text(participant.Name), Parameter.Text(Lower(participant.Type)),
                    Parameter.Text(participant.Kind ?? "standard"), Parameter.Time(participant.JoinedAt ?? time.GetUtcNow()),
                    Parameter.Boolean(participant.IsMuted), Parameter.Json(participant.Attributes?.GetRawText() ?? "{}")),
                new Statement(ParticipantSql, Parameter.Uuid(conversationId), Parameter.Uuid(id)),
            ],
            static async (results, ct) => await results.ReadAsync(ct) ? ReadParticipant(results) : null,
            cancellationToken)) ?? throw NotFound(conversationId);
    }

    /// <summary>Marks a participant as gone; the first time counts.</summary>
    /// <exception cref="VoxbaseException"><c>participant_not_found</c>.</exception>
    public async Task<Participant> LeaveAsync(
        Caller caller,
        Guid conversationId,
        Guid participantId,
        string? reason = null,
        DateTimeOffset? leftAt = null,
        CancellationToken cancellationToken = default) =>
        await database.RunAsync(
            caller,
            [
                new Statement(
                    LeaveSql, Parameter.Uuid(conversationId), Parameter.Uuid(participantId), Parameter.Time(leftAt ?? time.GetUtcNow()),
                    Parameter.Text(reason)),
                new Statement(ParticipantSql, Parameter.Uuid(conversationId), Parameter.Uuid(participantId)),
            ],
            static async (results, ct) => await results.ReadAsync(ct) ? ReadParticipant(results) : null,
            cancellationToken)
        ?? throw ConversationErrors.ParticipantNotFound.With($"Conversation {conversationId} has no participant {participantId}.");

    /// <summary>Marks the participant who joined last under this identity as gone.</summary>
    /// <exception cref="VoxbaseException"><c>participant_not_found</c>.</exception>
    public async Task<Participant> LeaveAsync(
        Caller caller,
        Guid conversationId,
        string identity,
        string? reason = null,
        DateTimeOffset? leftAt = null,
        CancellationToken cancellationToken = default)
    {
        var participant = await database.RunAsync(
            caller,
            [new Statement(PresentSql, Parameter.Uuid(conversationId), Parameter.Text(identity))],
            static async (results, ct) => await results.ReadAsync(ct) ? results.GetGuid(0) : (Guid?)null,
            cancellationToken)
            ?? throw ConversationErrors.ParticipantNotFound.With($"Conversation {conversationId} has no participant '{identity}'.");
        return await LeaveAsync(caller, conversationId, participant, reason, leftAt, cancellationToken);
    }

    /// <summary>Records that a tool call begins. Beginning the same call_id again returns the first.</summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>, <c>input_invalid</c>.</exception>
    public async Task<FunctionCall> BeginFunctionCallAsync(
        Caller caller, Guid conversationId, NewFunctionCall call, CancellationToken cancellationToken = default)
    {
        Require(call.CallId is { Length: >= 1 and <= 512 }, "call_id must be 1 to 512 characters");
        Require(call.Name is { Length: >= 1 and <= 512 }, "name must be 1 to 512 characters");
        return await AsOwnerAsync(conversationId, () => database.RunAsync(
            caller,
            [
                new Statement(
                    BeginFunctionCallSql, Parameter.Uuid(conversationId), Parameter.Uuid(Guid.CreateVersion7()), Parameter.Uuid(call.TurnId),
                    Parameter.Text(call.CallId), Parameter.Text(call.Name), Parameter.Json(call.Arguments?.GetRawText()),
                    Parameter.Time(call.StartedAt ?? time.GetUtcNow())),
                new Statement(FunctionCallSql, Parameter.Uuid(conversationId), Parameter.Text(call.CallId)),
            ],
            static async (results, ct) => await results.ReadAsync(ct) ? ReadFunctionCall(results) : null,
            cancellationToken)) ?? throw NotFound(conversationId);
    }

    /// <summary>Records how a tool call ended; the first end counts.</summary>
    /// <exception cref="VoxbaseException"><c>function_call_not_found</c>, <c>input_invalid</c>.</exception>
    public async Task<FunctionCall> FinishFunctionCallAsync(
        Caller caller, Guid conversationId, string callId, FunctionCallEnd end, CancellationToken cancellationToken = default)
    {
        Require(end.Status is "completed" or "failed" or "cancelled", $"status must be completed, failed or cancelled (was '{end.Status}')");
        Require(end.ExecutionMs is null or >= 0, $"execution_ms must not be negative (was {end.ExecutionMs})");
        return await database.RunAsync(
            caller,
            [
                new Statement(
                    FinishFunctionCallSql, Parameter.Uuid(conversationId), Parameter.Text(callId), Parameter.Text(end.Status),
                    Parameter.Json(end.Result?.GetRawText()), Parameter.Text(end.ErrorMessage), Parameter.Integer(end.ExecutionMs),
                    Parameter.Time(time.GetUtcNow())),
                new Statement(FunctionCallSql, Parameter.Uuid(conversationId), Parameter.Text(callId)),
            ],
            static async (results, ct) => await results.ReadAsync(ct) ? ReadFunctionCall(results) : null,
            cancellationToken)
            ?? throw ConversationErrors.FunctionCallNotFound.With($"Conversation {conversationId} has no function call '{callId}'.");
    }

    /// <summary>
    /// The window a language model should see next: the summary of what came before, if there is one, and the last turns that fit
    /// a count and a token budget, oldest first. Cleaned text is preferred, and of an interrupted turn what was heard.
    /// </summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="conversationId">The conversation.</param>
    /// <param name="maxTurns">From 1; capped by <see cref="ConversationsOptions.MaxPageSize"/>.</param>
    /// <param name="maxTokens">
    /// The most tokens the texts may come to, or null. Estimated at one token for four characters, rounded up, plus four a turn for
    /// its envelope; the newest turn is always in.
    /// </param>
    /// <param name="cancellationToken">Stops the query.</param>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>, <c>input_invalid</c>.</exception>
    public async Task<ConversationContext> ContextAsync(
        Caller caller, Guid conversationId, int maxTurns = 20, int? maxTokens = null, CancellationToken cancellationToken = default)
    {
        Require(maxTurns >= 1, $"max_turns must be at least 1 (was {maxTurns})");
        Require(maxTokens is null or >= 1, $"max_tokens must be at least 1 (was {maxTokens})");
        var found = await database.RunAsync(
            caller,
            [
                new Statement(GetSql, Parameter.Uuid(conversationId)),
                new Statement(LastTurnsSql, Parameter.Uuid(conversationId), Parameter.Integer(Math.Min(maxTurns, options.MaxPageSize))),
            ],
            static async (results, ct) => await results.ReadAsync(ct)
                ? (Conversation: Read(results), Turns: await NextAsync(results, TurnRows.Read, ct))
                : default,
            cancellationToken);
        return found.Conversation is null
            ? throw NotFound(conversationId)
            : ConversationContext.Of(found.Conversation, found.Turns, maxTokens);
    }

    internal static Conversation Read(NpgsqlDataReader row)
    {
        var at = new RowReader(row);
        return new Conversation
        {
            Id = at.Uuid()!.Value,
            UserId = at.Uuid(),
            Kind = at.Enum<ConversationKind>()!.Value,
            SessionId = at.Text(),
            RoomName = at.Text(),
            Name = at.Text(),
            Description = at.Text(),
            Status = at.Enum<ConversationStatus>()!.Value,
            State = at.Enum<ConversationState>()!.Value,
            EndReason = at.Text(),
            StartedAt = at.Time()!.Value,
            ConnectedAt = at.Time(),
            EndedAt = at.Time(),
            DurationSeconds = at.Integer(),
            AsrProvider = at.Text(),
            AsrModel = at.Text(),
            LlmProvider = at.Text(),
            LlmModel = at.Text(),
            TtsProvider = at.Text(),
            TtsModel = at.Text(),
            AiAgentUsed = at.Boolean(),
            TurnCount = at.Integer()!.Value,
            InputTokens = at.Bigint()!.Value,
            OutputTokens = at.Bigint()!.Value,
            CachedTokens = at.Bigint()!.Value,
            CostUsd = at.Numeric()!.Value,
            UnpricedCount = at.Integer()!.Value,
            ProcessingMs = at.Bigint()!.Value,
            AverageLatencyMs = at.Integer(),
            ConfidenceHighCount = at.Integer()!.Value,
            ConfidenceMediumCount = at.Integer()!.Value,
            ConfidenceLowCount = at.Integer()!.Value,
            InterruptionCount = at.Integer()!.Value,
            FunctionCallCount = at.Integer()!.Value,
            ErrorCount = at.Integer()!.Value,
            Summary = at.Text(),
            Metadata = at.Json()!.Value,
            Preferences = at.Json()!.Value,
            SessionState = at.Json()!.Value,
            ArchivedAt = at.Time(),
            CreatedAt = at.Time()!.Value,
            UpdatedAt = at.Time()!.Value,
        };
    }

    private static Participant ReadParticipant(NpgsqlDataReader row)
    {
        var at = new RowReader(row);
        return new Participant
        {
            ConversationId = at.Uuid()!.Value,
            Id = at.Uuid()!.Value,
            UserId = at.Uuid(),
            Identity = at.Text()!,
            Name = at.Text(),
            Type = at.Enum<ParticipantType>()!.Value,
            Kind = at.Text()!,
            JoinedAt = at.Time()!.Value,
            LeftAt = at.Time(),
            DurationSeconds = at.Integer(),
            IsMuted = at.Boolean(),
            DisconnectReason = at.Text(),
            Attributes = at.Json()!.Value,
        };
    }

    private static FunctionCall ReadFunctionCall(NpgsqlDataReader row)
    {
        var at = new RowReader(row);
        return new FunctionCall
        {
            ConversationId = at.Uuid()!.Value,
            Id = at.Uuid()!.Value,
            TurnId = at.Uuid(),
            CallId = at.Text()!,
            Name = at.Text(),
            Arguments = at.Json(),
            Result = at.Json(),
            Status = at.Text()!,
            ErrorMessage = at.Text(),
            ExecutionMs = at.Integer(),
            StartedAt = at.Time(),
            CreatedAt = at.Time()!.Value,
        };
    }

    private static UsageEvent ReadUsageEvent(NpgsqlDataReader row)
    {
        var at = new RowReader(row);
        return new UsageEvent
        {
            Id = at.Uuid()!.Value,
            EventType = at.Text()!,
            TurnId = at.Uuid(),
            ResponseId = at.Text(),
            Model = at.Text(),
            LatencyMs = at.Integer(),
            AudioDurationMs = at.Integer(),
            InputTokens = at.Integer(),
            OutputTokens = at.Integer(),
            CachedTokens = at.Integer(),
            At = at.Time()!.Value,
            Details = at.Json()!.Value,
        };
    }

    private static Charge ReadCharge(NpgsqlDataReader row)
    {
        var at = new RowReader(row);
        return new Charge
        {
            Id = at.Uuid()!.Value,
            TurnId = at.Uuid(),
            Stage = at.Text()!,
            Meter = at.Text()!,
            Provider = at.Text()!,
            Model = at.Text(),
            Quantity = at.Numeric()!.Value,
            UnitPriceUsd = at.Numeric(),
            Per = at.Integer()!.Value,
            AmountUsd = at.Numeric(),
            ChargedAt = at.Time()!.Value,
            Corrects = at.Uuid(),
            Revision = at.Integer()!.Value,
            BeforeUsd = at.Numeric(),
        };
    }

    private async Task<Conversation> ChangeAsync(
        Caller caller, Guid conversationId, List<Statement> statements, CancellationToken cancellationToken) =>
        await database.RunAsync(
            caller,
            [.. statements, new Statement(GetSql, Parameter.Uuid(conversationId))],
            async (results, ct) =>
            {
                if (!await results.ReadAsync(ct))
                    return null;
                var conversation = Read(results);
                // Participants see the conversation; policies let them change nothing, and silence would look like success.
                return caller.IsService || conversation.UserId == caller.UserId || results.RecordsAffected > 0 ? conversation : null;
            },
            cancellationToken) ?? throw NotFound(conversationId);

    private Task<bool> ExistsAsync(Caller caller, Guid conversationId, CancellationToken cancellationToken) =>
        database.RunAsync(
            caller,
            [new Statement(GetSql, Parameter.Uuid(conversationId))],
            static (results, ct) => results.ReadAsync(ct),
            cancellationToken);

    // To write below a conversation that is not there, or not the caller's, is told as one and the same.
    private static async Task<T> AsOwnerAsync<T>(Guid conversationId, Func<Task<T>> write)
    {
        try
        {
            return await write();
        }
        catch (VoxbaseException e) when (
            e.InnerException is PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege }
                or PostgresException { SqlState: PostgresErrorCodes.ForeignKeyViolation, ConstraintName: not "participants_user_id_fkey" })
        {
            throw NotFound(conversationId);
        }
    }

    private static async Task<List<T>> AllAsync<T>(NpgsqlDataReader results, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken)
    {
        var rows = new List<T>();
        while (await results.ReadAsync(cancellationToken))
            rows.Add(read(results));
        return rows;
    }

    private static async Task<List<T>> NextAsync<T>(NpgsqlDataReader results, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken)
    {
        await results.NextResultAsync(cancellationToken);
        return await AllAsync(results, read, cancellationToken);
    }

    private static string Lower<T>(T value)
        where T : struct, Enum =>
        Enum.IsDefined(value)
            ? value.ToString().ToLower(CultureInfo.InvariantCulture)
            : throw ConversationErrors.InputInvalid.With($"{typeof(T).Name} has no value {value}");

    private static void RequireObject(JsonElement? value, string name) =>
        Require(value is null or { ValueKind: JsonValueKind.Object }, $"{name} must be an object");

    private static void Require(bool holds, string message) => Require(holds, ConversationErrors.InputInvalid, message);

    private static void Require(bool holds, ErrorCode error, string message)
    {
        if (!holds)
            throw error.With(message);
    }

    private static VoxbaseException NotFound(Guid conversationId) => ConversationErrors.NotFound.With(NotFoundMessage(conversationId));

    private static string NotFoundMessage(Guid conversationId) => $"There is no conversation {conversationId} for this caller.";
}
