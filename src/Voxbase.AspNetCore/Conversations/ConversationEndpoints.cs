using Microsoft.AspNetCore.Http;

namespace Voxbase.AspNetCore;

/// <summary><c>/v1/conversations</c> and what is below it.</summary>
internal sealed class ConversationEndpoints(Conversations conversations, VoxbaseOptions options)
{
    private const int DefaultConversations = 50;
    private const int DefaultTurns = 100;
    private const int DefaultContextTurns = 20;

    private static JsonTypes Json => VoxbaseJson.Types;

    public void Map(VoxbaseRoutes routes)
    {
        routes.At("/v1/conversations")
            .Post(StartAsync, new Operation("conversations.start", "Start a conversation, or find the one with the same session_id or id")
            {
                Body = typeof(NewConversation),
                Answers = { [200] = typeof(Conversation), [201] = typeof(Conversation) },
                Errors = [ConversationErrors.SessionTaken, IdentityErrors.UserNotFound, Data.DataErrors.Forbidden],
            })
            .Get(ListAsync, new Operation("conversations.list", "Conversations, newest first, a page at a time")
            {
                Query =
                {
                    ["user_id"] = (typeof(Guid), "Only this owner's. For a user the user itself, unless all is true."),
                    ["status"] = (typeof(ConversationStatus), "Only of this status."),
                    ["kind"] = (typeof(ConversationKind), "Only of this kind."),
                    ["before"] = (typeof(Guid), "Only older than this id: next of the page before."),
                    ["limit"] = (typeof(int), "How many, from 1; default 50."),
                    ["all"] = (typeof(bool), "Everything that the caller may see: for a user also those taken part in, for an admin everyone's."),
                },
                Answers = { [200] = typeof(ConversationPage) },
            });
        routes.At("/v1/conversations/{id}")
            .Get(GetAsync, new Operation("conversations.get", "The whole record: conversation, participants, turns, function calls, usage, charges")
            {
                Answers = { [200] = typeof(ConversationRecord) },
                Errors = [ConversationErrors.NotFound],
            });
        routes.At("/v1/conversations/{id}/turns")
            .Post(AppendAsync, new Operation("turns.append", "Append a turn, or an array of turns; durable when answered, and safe to repeat with the same ids")
            {
                Body = typeof(NewTurn),
                BodyMayBeArray = true,
                Answers = { [200] = typeof(AppendedTurn), [201] = typeof(AppendedTurn) },
                Errors = [ConversationErrors.NotFound],
            })
            .Get(TurnsAsync, new Operation("turns.list", "Turns in sequence, a page at a time")
            {
                Query =
                {
                    ["after"] = (typeof(int), "Only after this sequence number: next of the page before; default 0."),
                    ["limit"] = (typeof(int), "How many, from 1; default 100."),
                },
                Answers = { [200] = typeof(TurnPage) },
                Errors = [ConversationErrors.NotFound],
            });
        routes.At("/v1/conversations/{id}/participants")
            .Post(JoinAsync, new Operation("participants.join", "Add a participant")
            {
                Body = typeof(NewParticipant),
                Answers = { [201] = typeof(Participant) },
                Errors = [ConversationErrors.NotFound, Data.DataErrors.ReferenceNotFound],
            });
        routes.At("/v1/conversations/{id}/participants/leave")
            .Post(LeaveByIdentityAsync, new Operation("participants.leaveByIdentity", "The participant who joined last under an identity leaves")
            {
                Body = typeof(ParticipantLeaveByIdentity),
                Answers = { [200] = typeof(Participant) },
                Errors = [ConversationErrors.ParticipantNotFound],
            });
        routes.At("/v1/conversations/{id}/participants/{participant_id}/leave")
            .Post(LeaveAsync, new Operation("participants.leave", "A participant leaves; the first time counts")
            {
                Body = typeof(ParticipantLeave),
                BodyIsOptional = true,
                Answers = { [200] = typeof(Participant) },
                Errors = [ConversationErrors.ParticipantNotFound],
            });
        routes.At("/v1/conversations/{id}/function-calls")
            .Post(BeginFunctionCallAsync, new Operation("functionCalls.begin", "A tool call begins; the same call_id again returns the first")
            {
                Body = typeof(NewFunctionCall),
                Answers = { [201] = typeof(FunctionCall) },
                Errors = [ConversationErrors.NotFound],
            });
        routes.At("/v1/conversations/{id}/function-calls/{call_id}/finish")
            .Post(FinishFunctionCallAsync, new Operation("functionCalls.finish", "A tool call ended; the first end counts")
            {
                Body = typeof(FunctionCallEnd),
                BodyIsOptional = true,
                Answers = { [200] = typeof(FunctionCall) },
                Errors = [ConversationErrors.FunctionCallNotFound],
            });
        var state = new Operation("conversations.setState", "Move the live state")
        {
            Body = typeof(ConversationStateChange),
            Answers = { [200] = typeof(Conversation) },
            Errors = [ConversationErrors.NotFound, Data.DataErrors.StateMoveRefused],
        };
        routes.At("/v1/conversations/{id}/state").Put(SetStateAsync, state).Post(SetStateAsync, state with { Id = "conversations.moveState" });
        routes.At("/v1/conversations/{id}/activate")
            .Post(ActivateAsync, new Operation("conversations.activate", "pending becomes active; again is harmless")
            {
                Body = typeof(ConversationActivation),
                BodyIsOptional = true,
                Answers = { [200] = typeof(Conversation) },
                Errors = [ConversationErrors.NotFound],
            });
        routes.At("/v1/conversations/{id}/end")
            .Post(EndAsync, new Operation("conversations.end", "End a conversation; the first end counts")
            {
                Body = typeof(ConversationEnd),
                BodyIsOptional = true,
                Answers = { [200] = typeof(Conversation) },
                Errors = [ConversationErrors.NotFound],
            });
        routes.At("/v1/conversations/{id}/context")
            .Get(ContextAsync, new Operation("conversations.context", "What a language model should see next: the last turns that fit")
            {
                Query =
                {
                    ["max_turns"] = (typeof(int), "At most so many turns; default 20."),
                    ["max_tokens"] = (typeof(int), "At most so many estimated tokens; the last turn always comes."),
                },
                Answers = { [200] = typeof(ConversationContext) },
                Errors = [ConversationErrors.NotFound],
            });
    }

    private async Task StartAsync(Request request)
    {
        var started = await conversations.StartOrFindAsync(request.Caller, await request.BodyAsync(Json.NewConversation), request.Aborted);
        await Responses.WriteShortAsync(
            request.Context, started.Conversation, Json.Conversation, started.IsNew ? StatusCodes.Status201Created : StatusCodes.Status200OK);
    }

    private async Task ListAsync(Request request)
    {
        var query = request.Query("user_id", "status", "kind", "before", "limit", "all");
        var (userId, limit) = (query.Uuid("user_id"), query.Integer("limit") ?? DefaultConversations);
        if (userId is not null && query.Flag("all"))
            throw HttpErrors.QueryInvalid.With("user_id and all=true contradict each other.");
        if (!query.Flag("all") && !request.Caller.IsService)
            userId ??= request.Caller.UserId;
        var page = await conversations.ListAsync(
            request.Caller, userId, query.Enum<ConversationStatus>("status"), query.Enum<ConversationKind>("kind"), query.Uuid("before"), limit,
            request.Aborted);
        var full = page.Count == Math.Min(limit, options.Conversations.MaxPageSize);
        await Responses.WriteAsync(request.Context, new ConversationPage(page, full ? page[^1].Id : null), Json.ConversationPage);
    }

    private async Task GetAsync(Request request)
    {
        request.Query();
        var record = await conversations.GetAsync(request.Caller, request.ConversationId, request.Aborted);
        await Responses.WriteAsync(request.Context, record, Json.ConversationRecord);
    }

    private async Task AppendAsync(Request request)
    {
        var id = request.ConversationId;
        var (turns, isArray) = await request.OneOrManyAsync(Json.NewTurn, Json.ListNewTurn);
        var appended = await conversations.AppendAsync(request.Caller, id, turns, request.Aborted);
        var status = appended.Any(turn => turn.Added) ? StatusCodes.Status201Created : StatusCodes.Status200OK;
        await (isArray
            ? Responses.WriteAsync(request.Context, appended, Json.IReadOnlyListAppendedTurn, status)
            : Responses.WriteShortAsync(request.Context, appended[0], Json.AppendedTurn, status));
    }

    private async Task TurnsAsync(Request request)
    {
        var query = request.Query("after", "limit");
        var limit = query.Integer("limit") ?? DefaultTurns;
        var turns = await conversations.TurnsAsync(request.Caller, request.ConversationId, query.Integer("after") ?? 0, limit, request.Aborted);
        var full = turns.Count == Math.Min(limit, options.Conversations.MaxPageSize);
        await Responses.WriteAsync(request.Context, new TurnPage(turns, full ? turns[^1].SequenceNumber : null), Json.TurnPage);
    }

    private async Task JoinAsync(Request request)
    {
        var id = request.ConversationId;
        var participant = await conversations.JoinAsync(request.Caller, id, await request.BodyAsync(Json.NewParticipant), request.Aborted);
        await Responses.WriteShortAsync(request.Context, participant, Json.Participant, StatusCodes.Status201Created);
    }

    private async Task LeaveAsync(Request request)
    {
        var (id, participantId) = (request.ConversationId, request.Id("participant_id"));
        var leave = await request.BodyOrAsync(Json.ParticipantLeave, ParticipantLeave.Now);
        var participant = await conversations.LeaveAsync(request.Caller, id, participantId, leave.Reason, leave.LeftAt, request.Aborted);
        await Responses.WriteShortAsync(request.Context, participant, Json.Participant);
    }

    private async Task LeaveByIdentityAsync(Request request)
    {
        var id = request.ConversationId;
        var leave = await request.BodyAsync(Json.ParticipantLeaveByIdentity);
        var participant = await conversations.LeaveAsync(request.Caller, id, leave.Identity, leave.Reason, leave.LeftAt, request.Aborted);
        await Responses.WriteShortAsync(request.Context, participant, Json.Participant);
    }

    private async Task BeginFunctionCallAsync(Request request)
    {
        var id = request.ConversationId;
        var call = await conversations.BeginFunctionCallAsync(request.Caller, id, await request.BodyAsync(Json.NewFunctionCall), request.Aborted);
        await Responses.WriteShortAsync(request.Context, call, Json.FunctionCall, StatusCodes.Status201Created);
    }

    private async Task FinishFunctionCallAsync(Request request)
    {
        var (id, callId) = (request.ConversationId, request.TextBeforeLast("call_id"));
        var end = await request.BodyOrAsync(Json.FunctionCallEnd, new FunctionCallEnd());
        // Generated serialisers set every init property, also one that was not sent: its default is lost on the way.
        if (end.Status is null)
            end = end with { Status = new FunctionCallEnd().Status };
        var call = await conversations.FinishFunctionCallAsync(request.Caller, id, callId, end, request.Aborted);
        await Responses.WriteShortAsync(request.Context, call, Json.FunctionCall);
    }

    private async Task SetStateAsync(Request request)
    {
        var id = request.ConversationId;
        var change = await request.BodyAsync(Json.ConversationStateChange);
        var conversation = await conversations.SetStateAsync(request.Caller, id, change.State, request.Aborted);
        await Responses.WriteShortAsync(request.Context, conversation, Json.Conversation);
    }

    private async Task ActivateAsync(Request request)
    {
        var id = request.ConversationId;
        var activation = await request.BodyOrAsync(Json.ConversationActivation, ConversationActivation.Now);
        var conversation = await conversations.ActivateAsync(request.Caller, id, activation.ConnectedAt, request.Aborted);
        await Responses.WriteShortAsync(request.Context, conversation, Json.Conversation);
    }

    private async Task EndAsync(Request request)
    {
        var id = request.ConversationId;
        var end = await request.BodyOrAsync(Json.ConversationEnd, ConversationEnd.Now);
        if (end.Status is not (null or ConversationStatus.Completed or ConversationStatus.Failed))
            throw ConversationErrors.InputInvalid.With("$.status must be completed or failed");
        var conversation = await conversations.EndAsync(
            request.Caller, id, end.Reason, end.Status == ConversationStatus.Failed, end.EndedAt, request.Aborted);
        await Responses.WriteShortAsync(request.Context, conversation, Json.Conversation);
    }

    private async Task ContextAsync(Request request)
    {
        var query = request.Query("max_turns", "max_tokens");
        var window = await conversations.ContextAsync(
            request.Caller, request.ConversationId, query.Integer("max_turns") ?? DefaultContextTurns, query.Integer("max_tokens"), request.Aborted);
        await Responses.WriteAsync(request.Context, window, Json.ConversationContext);
    }
}
