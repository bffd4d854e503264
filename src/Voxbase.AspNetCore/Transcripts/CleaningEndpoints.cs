using Voxbase.Cleaning;

namespace Voxbase.AspNetCore;

/// <summary>Cleaning transcripts, their corrections, key terms, and what cleaned transcripts tell.</summary>
internal sealed class CleaningEndpoints(Transcripts transcripts, KeyTerms terms, TranscriptAnalysis analysis, VoxbaseOptions options)
{
    private const int MostTurns = 1_000;
    private const int PageSize = 100;

    public void Map(VoxbaseRoutes routes)
    {
        MapCleaning(routes);
        MapCorrections(routes);
        MapTerms(routes, "/v1/terms", "terms.own", "your own conversations", request => TermScope.User(UserOf(request)));
        MapTerms(routes, "/v1/terms/installation", "terms.installation", "all conversations; administrators change them", _ => TermScope.Installation);
        MapTerms(routes, "/v1/conversations/{id}/terms", "terms.conversation", "one conversation", request => TermScope.Conversation(request.ConversationId));
        MapAnalysis(routes);
    }

    private void MapCleaning(VoxbaseRoutes routes)
    {
        routes.At("/v1/transcripts/clean")
            .Post(CleanTurnsAsync, new Operation("transcripts.clean", "Clean turns and keep nothing: one, or up to 1,000 of one conversation in their order")
            {
                Body = typeof(CleanTurn),
                BodyMayBeArray = true,
                Answers = { [200] = typeof(CleanAnswer) },
                Errors = [ConversationErrors.InputInvalid, CleaningErrors.LanguageUnknown, CleaningErrors.TermsInvalid],
            });
        routes.At("/v1/conversations/{id}/clean")
            .Post(CleanConversationAsync, new Operation("transcripts.clean_conversation", "Clean all turns of a conversation that were heard; results that differ replace the former ones, which are kept")
            {
                Body = typeof(CleanConversation),
                BodyIsOptional = true,
                Answers = { [200] = typeof(CleaningSummary) },
                Errors = [ConversationErrors.NotFound, ConversationErrors.InputInvalid, CleaningErrors.LanguageUnknown],
            });
        routes.At("/v1/conversations/{id}/cleaning")
            .Put(PreferAsync, new Operation("transcripts.prefer", "Have a conversation's turns cleaned as they come, those there already first; or no longer")
            {
                Body = typeof(CleaningPreferences),
                Answers = { [200] = typeof(CleaningPreferences) },
                Errors = [ConversationErrors.NotFound, ConversationErrors.InputInvalid, CleaningErrors.LanguageUnknown],
            });
    }

    private void MapCorrections(VoxbaseRoutes routes)
    {
        routes.At("/v1/conversations/{id}/corrections")
            .Get(CorrectionsAsync, new Operation("transcripts.corrections", "The turns that have a result, with what was corrected")
            {
                Query =
                {
                    ["after"] = (typeof(int), "Only turns after this sequence number."),
                    ["limit"] = (typeof(int), "How many turns at most; default 100."),
                },
                Answers = { [200] = typeof(CorrectionPage) },
                Errors = [ConversationErrors.NotFound, ConversationErrors.InputInvalid],
            });
        routes.At("/v1/conversations/{id}/undo")
            .Post(UndoAllAsync, new Operation("transcripts.undo_all", "Take all corrections of a conversation back")
            {
                Answers = { [200] = typeof(Undone) },
                Errors = [ConversationErrors.NotFound],
            });
        routes.At("/v1/conversations/{id}/turns/{turn_id}/undo")
            .Post(UndoAsync, new Operation("transcripts.undo", "Take one correction of a turn back, or all of them")
            {
                Body = typeof(UndoRequest),
                BodyIsOptional = true,
                Answers = { [200] = typeof(CorrectedTurn) },
                Errors = [ConversationErrors.NotFound, CleaningErrors.TurnNotCleaned, CleaningErrors.CorrectionNotFound, CleaningErrors.CorrectionsForeign],
            });
        routes.At("/v1/conversations/{id}/turns/{turn_id}/versions")
            .Get(VersionsAsync, new Operation("transcripts.versions", "The results of a turn that others took the place of")
            {
                Answers = { [200] = typeof(CleanedVersionList) },
                Errors = [CleaningErrors.TurnNotCleaned],
            });
    }

    private void MapTerms(VoxbaseRoutes routes, string path, string id, string whose, Func<Request, TermScope> scope)
    {
        ErrorCode[] errors = [ConversationErrors.NotFound, ConversationErrors.InputInvalid];
        ErrorCode[] writeErrors = [.. errors, CleaningErrors.TermsInvalid, Data.DataErrors.Forbidden];
        routes.At(path)
            .Get(
                async request =>
                {
                    request.Query();
                    await WriteAsync(request, await terms.GetAsync(request.Caller, scope(request), request.Aborted));
                },
                new Operation(id, $"Names and terms as they are spelled, for {whose}") { Answers = { [200] = typeof(KeyTermList) }, Errors = errors })
            .Put(
                async request => await WriteAsync(
                    request, await terms.SetAsync(request.Caller, scope(request), (await request.BodyAsync(VoxbaseJson.Types.KeyTermBody)).Terms, request.Aborted)),
                new Operation(id + "_set", $"Replace the terms for {whose}") { Body = typeof(KeyTermBody), Answers = { [200] = typeof(KeyTermList) }, Errors = writeErrors })
            .Post(
                async request => await WriteAsync(
                    request, await terms.AddAsync(request.Caller, scope(request), (await request.BodyAsync(VoxbaseJson.Types.KeyTermBody)).Terms, request.Aborted)),
                new Operation(id + "_add", $"Add terms for {whose}") { Body = typeof(KeyTermBody), Answers = { [200] = typeof(KeyTermList) }, Errors = writeErrors })
            .Delete(
                async request =>
                {
                    var term = request.Query("term").Text("term") ?? throw ConversationErrors.InputInvalid.With("term must be given");
                    await WriteAsync(request, await terms.RemoveAsync(request.Caller, scope(request), term, request.Aborted));
                },
                new Operation(id + "_remove", $"Take a term out of those for {whose}")
                {
                    Query = { ["term"] = (typeof(string), "The term.") },
                    Answers = { [200] = typeof(KeyTermList) },
                    Errors = [.. errors, Data.DataErrors.Forbidden],
                });

        static Task WriteAsync(Request request, KeyTermList list) => Responses.WriteAsync(request.Context, list, VoxbaseJson.Types.KeyTermList);
    }

    private void MapAnalysis(VoxbaseRoutes routes)
    {
        routes.At("/v1/conversations/{id}/window")
            .Get(WindowAsync, new Operation("transcripts.window", "The turns before another, as far as they are context, the newest first")
            {
                Query =
                {
                    ["before"] = (typeof(int), "Only turns before this sequence number; default the end."),
                    ["size"] = (typeof(int), "How many, from 1 to 1,000; default 20."),
                },
                Answers = { [200] = typeof(WindowList) },
                Errors = [ConversationErrors.NotFound, ConversationErrors.InputInvalid],
            });
        routes.At("/v1/conversations/{id}/analysis/contexts")
            .Get(
                async request => await Responses.WriteAsync(
                    request.Context, new ContextShareList(await analysis.ContextsAsync(request.Caller, Plain(request), request.Aborted)), VoxbaseJson.Types.ContextShareList),
                new Operation("transcripts.contexts", "What a conversation was about, most of it first")
                {
                    Answers = { [200] = typeof(ContextShareList) },
                    Errors = [ConversationErrors.NotFound],
                });
        routes.At("/v1/conversations/{id}/analysis/confidence")
            .Get(
                async request => await Responses.WriteAsync(
                    request.Context, new ConfidenceShareList(await analysis.ConfidenceAsync(request.Caller, Plain(request), request.Aborted)),
                    VoxbaseJson.Types.ConfidenceShareList),
                new Operation("transcripts.confidence", "How sure the cleaner was of a conversation's turns")
                {
                    Answers = { [200] = typeof(ConfidenceShareList) },
                    Errors = [ConversationErrors.NotFound],
                });
        routes.At("/v1/conversations/{id}/analysis/performance")
            .Get(
                async request => await Responses.WriteAsync(
                    request.Context, await analysis.PerformanceAsync(request.Caller, Plain(request), request.Aborted), VoxbaseJson.Types.CleaningPerformance),
                new Operation("transcripts.performance", "How cleaning a conversation went")
                {
                    Answers = { [200] = typeof(CleaningPerformance) },
                    Errors = [ConversationErrors.NotFound],
                });
        routes.At("/v1/transcripts/hours")
            .Get(
                async request => await Responses.WriteAsync(
                    request.Context,
                    new CleaningHourList(await analysis.HoursAsync(request.Caller, request.Query("hours").Integer("hours") ?? 24, request.Aborted)),
                    VoxbaseJson.Types.CleaningHourList),
                new Operation("transcripts.hours", "Turns cleaned by the hour, the newest first: all for admins, their own for users")
                {
                    Query = { ["hours"] = (typeof(int), "How many, from 1 to 168; default 24.") },
                    Answers = { [200] = typeof(CleaningHourList) },
                    Errors = [ConversationErrors.InputInvalid],
                });
    }

    private static Guid Plain(Request request)
    {
        request.Query();
        return request.ConversationId;
    }

    private static Guid UserOf(Request request) =>
        request.Caller.UserId ?? throw ConversationErrors.InputInvalid.With("the caller is no user and has no terms of its own");

    private async Task CleanTurnsAsync(Request request)
    {
        var (turns, isArray) = await request.OneOrManyAsync(VoxbaseJson.Types.CleanTurn, VoxbaseJson.Types.ListCleanTurn);
        if (turns.Count > MostTurns)
            throw ConversationErrors.InputInvalid.With($"at most {MostTurns} turns may be cleaned at once (were {turns.Count})");
        for (var i = 0; i < turns.Count; i++)
        {
            if (turns[i] is null)
                throw ConversationErrors.InputInvalid.With($"turn {i + 1} of {turns.Count} must be an object (was null)");
        }

        var first = turns.Count > 0 ? turns[0] : null;
        var index = first?.Terms is { Count: > 0 } given ? new TermIndex(KeyTerms.Checked(given)) : null;
        var state = new CleaningState(index, options.Transcripts.WindowSize);
        var answers = turns.ConvertAll(turn => CleanAnswer.Of(turn.Id, transcripts.Clean(
            new TurnToClean { RawText = turn.RawText, IsWritten = turn.IsWritten, Language = turn.Language ?? first!.Language },
            state,
            new CleaningRequest
            {
                Level = turn.Level ?? first!.Level ?? options.Transcripts.Level,
                Mode = turn.Mode ?? first!.Mode ?? options.Transcripts.Mode,
            })));
        await (isArray
            ? Responses.WriteAsync(request.Context, answers, VoxbaseJson.Types.ListCleanAnswer)
            : Responses.WriteAsync(request.Context, answers[0], VoxbaseJson.Types.CleanAnswer));
    }

    private async Task CleanConversationAsync(Request request)
    {
        var body = await request.BodyOrAsync(VoxbaseJson.Types.CleanConversation, new CleanConversation());
        var summary = await transcripts.CleanAsync(
            request.Caller, request.ConversationId,
            settings => settings with { Level = body.Level ?? settings.Level, Mode = body.Mode ?? settings.Mode, Language = body.Language ?? settings.Language },
            cancellationToken: request.Aborted);
        await Responses.WriteAsync(request.Context, summary, VoxbaseJson.Types.CleaningSummary);
    }

    private async Task PreferAsync(Request request)
    {
        var preferences = await request.BodyAsync(VoxbaseJson.Types.CleaningPreferences);
        await transcripts.PreferAsync(request.Caller, request.ConversationId, preferences, request.Aborted);
        await Responses.WriteAsync(request.Context, preferences with { Enabled = preferences.Enabled ?? true }, VoxbaseJson.Types.CleaningPreferences);
    }

    private async Task CorrectionsAsync(Request request)
    {
        var query = request.Query("after", "limit");
        var limit = query.Integer("limit") ?? PageSize;
        var data = await transcripts.CorrectionsAsync(request.Caller, request.ConversationId, query.Integer("after") ?? 0, limit, request.Aborted);
        var full = data.Count == Math.Min(limit, options.Conversations.MaxPageSize);
        await Responses.WriteAsync(request.Context, new CorrectionPage(data, full ? data[^1].SequenceNumber : null), VoxbaseJson.Types.CorrectionPage);
    }

    private async Task UndoAsync(Request request)
    {
        var body = await request.BodyOrAsync(VoxbaseJson.Types.UndoRequest, new UndoRequest());
        await Responses.WriteAsync(
            request.Context, await transcripts.UndoAsync(request.Caller, request.ConversationId, request.Id("turn_id"), body.Correction, request.Aborted),
            VoxbaseJson.Types.CorrectedTurn);
    }

    private async Task UndoAllAsync(Request request) => await Responses.WriteAsync(
        request.Context, new Undone(request.ConversationId, await transcripts.UndoAllAsync(request.Caller, request.ConversationId, request.Aborted)),
        VoxbaseJson.Types.Undone);

    private async Task VersionsAsync(Request request)
    {
        request.Query();
        await Responses.WriteAsync(
            request.Context, new CleanedVersionList(await transcripts.VersionsAsync(request.Caller, request.ConversationId, request.Id("turn_id"), request.Aborted)),
            VoxbaseJson.Types.CleanedVersionList);
    }

    private async Task WindowAsync(Request request)
    {
        var query = request.Query("before", "size");
        await Responses.WriteAsync(
            request.Context,
            new WindowList(await analysis.WindowAsync(request.Caller, request.ConversationId, query.Integer("before"), query.Integer("size") ?? 20, request.Aborted)),
            VoxbaseJson.Types.WindowList);
    }
}
