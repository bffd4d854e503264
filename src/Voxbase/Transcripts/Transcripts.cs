using Npgsql;
using Voxbase.Cleaning;
using Voxbase.Data;

namespace Voxbase;

/// <summary>A turn to clean that is kept nowhere.</summary>
public sealed record TurnToClean
{
    /// <summary>What the recogniser wrote.</summary>
    public required string RawText { get; init; }

    /// <summary>Whether it was written by a program or typed: then it is context, and stays as it is. Default false.</summary>
    public bool IsWritten { get; init; }

    /// <summary>en, de, fr or es; the request's, or detected, when null.</summary>
    public string? Language { get; init; }
}

/// <summary>What cleaning a conversation came to.</summary>
/// <param name="ConversationId">The conversation.</param>
/// <param name="Turns">How many turns have a result now.</param>
/// <param name="Changed">How many of them differ from what was heard.</param>
/// <param name="Written">How many results are new: another text, level or cleaner, or other corrections. The results they replace are kept as versions.</param>
/// <param name="Reasons">How many corrections were applied, by reason.</param>
/// <param name="Reported">How many were noticed and not applied.</param>
public sealed record CleaningSummary(Guid ConversationId, int Turns, int Changed, int Written, IReadOnlyDictionary<string, int> Reasons, int Reported);

/// <summary>The corrections of a turn.</summary>
/// <param name="TurnId">The turn.</param>
/// <param name="SequenceNumber">Its number.</param>
/// <param name="RawText">What was heard.</param>
/// <param name="CleanedText">What was said.</param>
/// <param name="CleaningLevel">The level applied.</param>
/// <param name="Confidence">Of the least certain correction applied.</param>
/// <param name="Version">Which result it is, from 1.</param>
/// <param name="Corrections">Each is known by its place in this list, from 0.</param>
public sealed record CorrectedTurn(
    Guid TurnId, int SequenceNumber, string? RawText, string? CleanedText, CleaningLevel? CleaningLevel, Confidence? Confidence, int Version,
    IReadOnlyList<TurnCorrection> Corrections);

/// <summary>A result that another took the place of.</summary>
/// <param name="Version">From 1.</param>
/// <param name="CleanedText">Its text.</param>
/// <param name="CleaningLevel">Its level.</param>
/// <param name="Confidence">How sure it was.</param>
/// <param name="CleanerModel">Which cleaner.</param>
/// <param name="CleanerRequestId">The request to a language model, if there was one.</param>
/// <param name="Corrections">What it had corrected, as it stood then.</param>
/// <param name="ReplacedAt">When another took its place.</param>
public sealed record CleanedVersion(
    int Version, string? CleanedText, CleaningLevel? CleaningLevel, Confidence? Confidence, string? CleanerModel, string? CleanerRequestId,
    IReadOnlyList<TurnCorrection> Corrections, DateTimeOffset ReplacedAt);

/// <summary>
/// Cleaning transcripts: with nothing kept, or the turns of a conversation, whose corrections can be looked at and undone. The raw text of a turn
/// is never touched.
/// </summary>
public sealed class Transcripts(
    Database database, VoxbaseOptions options, CleaningQueue queue, LlmCleaner? llm = null, CleaningSpend? spend = null)
{
    internal const string HeadSql =
        $"""
        select {CleaningRows.HeadColumns}
        from vox.conversations c
        left join vox.cleanings k on k.conversation_id = c.id
        where c.id = $1
        """;

    internal const string PageSql =
        $"""
        select {CleaningRows.TurnColumns}
        from vox.turns t
        where t.conversation_id = $1 and t.sequence_number > $2
        order by t.sequence_number
        limit $3
        """;

    // All of a page or nothing: where a turn changed since it was read, the page is read again.
    internal const string ReplaceSql =
        $"""
        with given as materialized (
          select * from unnest(
            $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::boolean[], $7::text[], $8::jsonb[], $9::text[], $10::text[], $11::text[],
            $12::boolean[], $13::text[], $14::text[], $15::integer[], $16::integer[], $17::integer[]) as n(
            turn_id, read_at, {CleaningRows.ResultColumns})
        ), unchanged as materialized (
          select count(*) = (select count(*) from given) as all_of_them
          from given n
          join vox.turns t on t.conversation_id = $1 and t.id = n.turn_id and t.updated_at = n.read_at
        ), other as materialized (
          select n.*
          from given n
          join vox.turns t on t.conversation_id = $1 and t.id = n.turn_id
          where (select all_of_them from unchanged)
            and (t.cleaned_text, t.cleaning_level, t.cleaner_model, t.corrections::jsonb) is distinct from
              (n.cleaned_text, n.cleaning_level::vox.cleaning_level, n.cleaner_model, n.corrections)
        ), kept as (
          insert into vox.cleaned_versions (
            conversation_id, turn_id, version, cleaned_text, cleaning_level, cleaning_applied, confidence, corrections, context_detected,
            business_domain, conversation_flow, transcription_error_detected, cleaner_model, cleaner_request_id, processing_ms)
          select t.conversation_id, t.id,
            1 + coalesce((select max(v.version) from vox.cleaned_versions v where v.conversation_id = $1 and v.turn_id = t.id), 0),
            t.cleaned_text, t.cleaning_level, t.cleaning_applied, t.confidence, t.corrections, t.context_detected, t.business_domain,
            t.conversation_flow, t.transcription_error_detected, t.cleaner_model, t.cleaner_request_id, t.processing_ms
          from other n
          join vox.turns t on t.conversation_id = $1 and t.id = n.turn_id
          where t.cleaning_level is not null
        ), written as (
          update vox.turns t set {CleaningRows.SetResult}
          from other n
          where t.conversation_id = $1 and t.id = n.turn_id
          returning t.id
        )
        select (select all_of_them from unchanged), (select count(*) from written)::integer
        """;

    internal const string RevisedSql =
        """
        update vox.cleanings set revision = revision + 1 where conversation_id = $1
        """;

    internal const string CorrectionsSql =
        """
        select t.id, t.sequence_number, t.raw_text, t.cleaned_text, t.cleaning_level::text, t.confidence::text,
          1 + coalesce((select max(v.version) from vox.cleaned_versions v where v.conversation_id = $1 and v.turn_id = t.id), 0), t.corrections
        from vox.turns t
        where t.conversation_id = $1 and t.sequence_number > $2 and t.cleaning_level is not null
        order by t.sequence_number
        limit $3
        """;

    internal const string TurnSql =
        """
        select t.id, t.sequence_number, t.raw_text, t.cleaned_text, t.cleaning_level::text, t.confidence::text,
          1 + coalesce((select max(v.version) from vox.cleaned_versions v where v.conversation_id = $1 and v.turn_id = t.id), 0), t.corrections
        from vox.turns t
        where t.conversation_id = $1 and t.id = $2
        """;

    internal const string VersionsSql =
        """
        select version, cleaned_text, cleaning_level::text, confidence::text, cleaner_model, cleaner_request_id, corrections, replaced_at
        from vox.cleaned_versions
        where conversation_id = $1 and turn_id = $2
        order by version
        """;

    internal const string UndoSql =
        """
        update vox.turns set cleaned_text = $3, corrections = $4, cleaning_applied = $5
        where conversation_id = $1 and id = $2
        """;

    internal const string PreferSql =
        """
        update vox.conversations set preferences = preferences || jsonb_build_object('cleaning', $2::jsonb) where id = $1
        """;

    private const int PageTurns = 200;
    private const int AskedPageTurns = 8;
    private const int MostTries = 5;

    private readonly TurnContexts contexts = new(kept: 1, llm);
    private readonly TurnCleaner cleaner = new();

    /// <summary>
    /// Cleans turns that are kept nowhere, in the order given, each with those before it as context. Pure but for the time it takes.
    /// </summary>
    /// <param name="turns">Of one conversation.</param>
    /// <param name="request">How; full, between people and with the language detected when null.</param>
    /// <param name="terms">Names and terms as they are spelled.</param>
    /// <returns>One result a turn; of one that was written, its text as it is.</returns>
    /// <exception cref="VoxbaseException"><c>cleaning_language_unknown</c>.</exception>
    public IReadOnlyList<CleanedTurn> Clean(IReadOnlyList<TurnToClean> turns, CleaningRequest? request = null, TermIndex? terms = null)
    {
        var state = new CleaningState(terms, options.Transcripts.WindowSize);
        var results = new CleanedTurn[turns.Count];
        for (var i = 0; i < results.Length; i++)
            results[i] = Clean(turns[i], state, request);
        return results;
    }

    /// <summary>Cleans one turn in a context of the caller's own, and adds it to that.</summary>
    /// <exception cref="VoxbaseException"><c>cleaning_language_unknown</c>.</exception>
    public CleanedTurn Clean(TurnToClean turn, CleaningState state, CleaningRequest? request = null)
    {
        request ??= new CleaningRequest { Level = options.Transcripts.Level, Mode = options.Transcripts.Mode };
        if (turn.Language is { Length: > 0 } language)
            request = request with { Language = language };
        var cleaned = cleaner.Clean(turn.RawText, state, turn.IsWritten ? request with { Level = CleaningLevel.None } : request);
        state.Add(cleaned.Text, turn.IsWritten ? TurnTrust.Written : TurnTrust.Heard);
        return cleaned;
    }

    /// <summary>
    /// Cleans all turns of a conversation that were heard, from the first, and keeps the results. Where a result differs from the one that a turn
    /// has, that one is kept as a version. Doing it again changes nothing. What stopped half way is done up to there.
    /// </summary>
    /// <param name="caller">Who asks: the owner, an admin or the service.</param>
    /// <param name="conversationId">The conversation.</param>
    /// <param name="request">How; as its preferences, or else the options, say when null.</param>
    /// <param name="progress">Told how many turns are done.</param>
    /// <param name="cancellationToken">Stops after the page under way.</param>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>, <c>cleaning_language_unknown</c>.</exception>
    public Task<CleaningSummary> CleanAsync(
        Caller caller, Guid conversationId, CleaningRequest? request = null, IProgress<int>? progress = null, CancellationToken cancellationToken = default) =>
        CleanAsync(caller, conversationId, preferred => request ?? preferred, progress, cancellationToken);

    /// <inheritdoc cref="CleanAsync(Caller, Guid, CleaningRequest?, IProgress{int}?, CancellationToken)"/>
    /// <param name="caller">Who asks: the owner, an admin or the service.</param>
    /// <param name="conversationId">The conversation.</param>
    /// <param name="how">Given what the conversation's preferences, or else the options, say.</param>
    /// <param name="progress">Told how many turns are done.</param>
    /// <param name="cancellationToken">Stops after the page under way.</param>
    public async Task<CleaningSummary> CleanAsync(
        Caller caller, Guid conversationId, Func<CleaningRequest, CleaningRequest> how, IProgress<int>? progress = null,
        CancellationToken cancellationToken = default)
    {
        var head = await HeadAsync(caller, conversationId, cancellationToken);
        var settings = CleaningSettings.Of(head.Preferences, options.Transcripts);
        settings = settings with { Request = how(settings.Request) };
        CleaningSettings.RequireLanguage(settings.Request.Language);
        var lists = await TranscriptCleaning.TermListsAsync(database, caller, [head], cancellationToken);
        var terms = new TermIndex(TranscriptCleaning.TermsFor(head, lists).Concat(head.Names));
        var window = new ContextWindow(terms, settings.WindowSize);
        // A model may take seconds for a turn: what it was asked is kept soon.
        var most = settings.Engine == CleaningEngine.Llm ? AskedPageTurns : PageTurns;
        var (turns, changed, written, reported, tries) = (0, 0, 0, 0, 0);
        var reasons = new SortedDictionary<string, int>(StringComparer.Ordinal);
        while (true)
        {
            var from = window.Through;
            var page = await PageAsync(caller, conversationId, from, most, cancellationToken);
            var results = await CleanPageAsync(page, head, window, settings, cancellationToken);
            foreach (var result in results.Where(result => spend is not null && result.Cleaned.Llm is { Calls.Count: > 0 }))
                await spend!.RecordAsServiceAsync(conversationId, result.Turn.Id, result.Cleaned.Llm!, cancellationToken);
            if (await WriteAsync(caller, conversationId, results, cancellationToken) is not { } count)
            {
                if (++tries == MostTries)
                    throw DataErrors.Unavailable.With("The conversation's turns changed again and again while they were cleaned.");
                window = await WindowAsync(caller, head, terms, settings, from, cancellationToken);
                continue;
            }

            (tries, written, turns) = (0, written + count, turns + results.Count);
            foreach (var result in results)
            {
                changed += result.Cleaned.IsChanged ? 1 : 0;
                reported += result.Cleaned.Reported.Count;
                foreach (var correction in result.Cleaned.Corrections)
                    reasons[correction.Reason] = reasons.GetValueOrDefault(correction.Reason) + 1;
            }

            progress?.Report(window.Through);
            if (page.Count < most)
                return new CleaningSummary(conversationId, turns, changed, written, reasons, reported);
        }
    }

    /// <summary>The turns that have a result, in their order, a page at a time.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="conversationId">The conversation.</param>
    /// <param name="after">Only those after this sequence number.</param>
    /// <param name="limit">From 1; capped by <see cref="ConversationsOptions.MaxPageSize"/>.</param>
    /// <param name="cancellationToken">Stops the query.</param>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>, <c>input_invalid</c>.</exception>
    public async Task<IReadOnlyList<CorrectedTurn>> CorrectionsAsync(
        Caller caller, Guid conversationId, int after = 0, int limit = 100, CancellationToken cancellationToken = default)
    {
        if (limit < 1)
            throw ConversationErrors.InputInvalid.With($"limit must be at least 1 (was {limit})");
        return await database.RunAsync(
            caller,
            [
                new Statement(HeadSql, Parameter.Uuid(conversationId)),
                new Statement(
                    CorrectionsSql, Parameter.Uuid(conversationId), Parameter.Integer(after), Parameter.Integer(Math.Min(limit, options.Conversations.MaxPageSize))),
            ],
            async (results, ct) =>
            {
                if (!await results.ReadAsync(ct))
                    throw NotFound(conversationId);
                await results.NextResultAsync(ct);
                return await CleaningRows.AllAsync(results, ReadCorrected, ct);
            },
            cancellationToken);
    }

    /// <summary>The results of a turn that others took the place of, the first first.</summary>
    /// <exception cref="VoxbaseException"><c>turn_not_cleaned</c>.</exception>
    public Task<IReadOnlyList<CleanedVersion>> VersionsAsync(Caller caller, Guid conversationId, Guid turnId, CancellationToken cancellationToken = default) =>
        database.RunAsync<IReadOnlyList<CleanedVersion>>(
            caller,
            [
                new Statement(TurnSql, Parameter.Uuid(conversationId), Parameter.Uuid(turnId)),
                new Statement(VersionsSql, Parameter.Uuid(conversationId), Parameter.Uuid(turnId)),
            ],
            async (results, ct) =>
            {
                if (!await results.ReadAsync(ct))
                    throw NotCleaned(conversationId, turnId);
                await results.NextResultAsync(ct);
                return await CleaningRows.AllAsync(results, ReadVersion, ct);
            },
            cancellationToken);

    /// <summary>
    /// Takes a correction of a turn back, or all of them: the cleaned text is then the raw text with the others. Taking it back again changes nothing.
    /// Cleaning the conversation anew may apply it again.
    /// </summary>
    /// <param name="caller">Who asks: the owner, an admin or the service.</param>
    /// <param name="conversationId">The conversation.</param>
    /// <param name="turnId">The turn.</param>
    /// <param name="correction">Its place in <see cref="CorrectedTurn.Corrections"/>; null for all.</param>
    /// <param name="cancellationToken">Stops before the change.</param>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>, <c>turn_not_cleaned</c>, <c>correction_not_found</c>, <c>corrections_foreign</c>.</exception>
    public async Task<CorrectedTurn> UndoAsync(
        Caller caller, Guid conversationId, Guid turnId, int? correction = null, CancellationToken cancellationToken = default) =>
        await database.InTransactionAsync(
            caller,
            async transaction =>
            {
                await LockAsync(transaction, conversationId, cancellationToken);
                var turn = await transaction.QueryAsync(
                    new Statement(TurnSql, Parameter.Uuid(conversationId), Parameter.Uuid(turnId)),
                    static async (results, ct) => await results.ReadAsync(ct) ? ReadCorrected(results) : null,
                    cancellationToken);
                if (turn?.CleaningLevel is null || turn.RawText is null)
                    throw NotCleaned(conversationId, turnId);
                if (correction is { } place && (place < 0 || place >= turn.Corrections.Count || turn.Corrections[place].Status == CorrectionStatus.Reported))
                    throw CleaningErrors.CorrectionNotFound.With($"Turn {turnId} has no applied correction {place}.");
                var undone = Undo(turn, correction);
                transaction.Add(Change(conversationId, undone));
                transaction.Add(new Statement(RevisedSql, Parameter.Uuid(conversationId)));
                return undone;
            },
            cancellationToken);

    /// <summary>Takes all corrections of a conversation back: every cleaned text is then the raw text.</summary>
    /// <returns>How many turns changed.</returns>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>.</exception>
    public async Task<int> UndoAllAsync(Caller caller, Guid conversationId, CancellationToken cancellationToken = default)
    {
        var (after, changed) = (0, 0);
        while (true)
        {
            var page = await database.InTransactionAsync(
                caller,
                async transaction =>
                {
                    await LockAsync(transaction, conversationId, cancellationToken);
                    var turns = await transaction.QueryAsync(
                        new Statement(CorrectionsSql, Parameter.Uuid(conversationId), Parameter.Integer(after), Parameter.Integer(PageTurns)),
                        static (results, ct) => CleaningRows.AllAsync(results, ReadCorrected, ct),
                        cancellationToken);
                    foreach (var turn in turns.Where(turn => turn.Corrections.Any(c => c.Status == CorrectionStatus.Applied)))
                    {
                        transaction.Add(Change(conversationId, Undo(turn, null)));
                        changed++;
                    }

                    transaction.Add(new Statement(RevisedSql, Parameter.Uuid(conversationId)));
                    return turns;
                },
                cancellationToken);
            if (page.Count < PageTurns)
                return changed;
            after = page[^1].SequenceNumber;
        }
    }

    /// <summary>
    /// Has a conversation's turns cleaned as they come, those that are there already first, or no longer. What was cleaned stays cleaned.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>, <c>input_invalid</c>, <c>cleaning_language_unknown</c>.</exception>
    public async Task PreferAsync(Caller caller, Guid conversationId, CleaningPreferences preferences, CancellationToken cancellationToken = default)
    {
        var json = preferences.Validated().ToJson();
        await database.InTransactionAsync(
            caller,
            async transaction =>
            {
                await LockAsync(transaction, conversationId, cancellationToken);
                transaction.Add(new Statement(PreferSql, Parameter.Uuid(conversationId), Parameter.Json(json)));
                return 0;
            },
            cancellationToken);
        queue.IsListening = true;
        queue.Forget(conversationId);
        queue.Add(conversationId);
    }

    private Task<List<HeardTurn>> PageAsync(Caller caller, Guid conversationId, int after, int most, CancellationToken cancellationToken) =>
        database.RunAsync(
            caller,
            [new Statement(PageSql, Parameter.Uuid(conversationId), Parameter.Integer(after), Parameter.Integer(most))],
            static (results, ct) => CleaningRows.AllAsync(results, CleaningRows.ReadTurn, ct),
            cancellationToken);

    private async Task<List<TurnResult>> CleanPageAsync(
        List<HeardTurn> page, CleaningHead head, ContextWindow window, CleaningSettings settings, CancellationToken cancellationToken)
    {
        var results = new List<TurnResult>();
        foreach (var turn in page)
        {
            var text = turn.Text;
            if (turn.RawText is not null && turn.IsHeard(head.Kind))
            {
                results.Add(await contexts.CleanAsync(
                    turn, window, settings, spend is null ? null : ct => spend.AdmitsAsync(head.Id, ct), cancellationToken));
                text = results[^1].Cleaned.Text;
            }

            window.Add(turn.SequenceNumber, text, turn.Trust(head.Kind));
        }

        return results;
    }

    private async Task<ContextWindow> WindowAsync(
        Caller caller, CleaningHead head, TermIndex terms, CleaningSettings settings, int through, CancellationToken cancellationToken)
    {
        var window = new ContextWindow(terms, settings.WindowSize);
        window.Begin(through);
        if (through == 0)
            return window;
        var turns = await database.RunAsync(
            caller,
            [
                new Statement(
                    CleaningRows.RangesSql, Parameter.Uuids([head], h => h.Id), Parameter.Integers([head], _ => ContextWindow.First(through)),
                    Parameter.Integers([head], _ => through)),
            ],
            static (results, ct) => CleaningRows.AllAsync(results, CleaningRows.ReadTurn, ct),
            cancellationToken);
        foreach (var turn in turns)
            window.Add(turn.SequenceNumber, turn.Text, turn.Trust(head.Kind));
        return window;
    }

    // How many results are new; null when a turn changed since it was read, and nothing is written.
    private Task<int?> WriteAsync(Caller caller, Guid conversationId, List<TurnResult> results, CancellationToken cancellationToken) =>
        database.InTransactionAsync(
            caller,
            async transaction =>
            {
                await LockAsync(transaction, conversationId, cancellationToken);
                if (results.Count == 0)
                    return 0;
                var (whole, written) = await transaction.QueryAsync(
                    Replace(conversationId, results),
                    static async (rows, ct) => await rows.ReadAsync(ct) ? (rows.GetBoolean(0), rows.GetInt32(1)) : default,
                    cancellationToken);
                if (written > 0)
                    transaction.Add(new Statement(RevisedSql, Parameter.Uuid(conversationId)));
                return whole ? written : (int?)null;
            },
            cancellationToken);

    internal static Statement Replace(Guid conversationId, IReadOnlyList<TurnResult> results) =>
        new(ReplaceSql, [Parameter.Uuid(conversationId), .. CleaningRows.ResultParameters(results)]);

    // Who may not change the conversation gets no lock, and is told what whoever cannot see it is told.
    private static async Task LockAsync(Database.Transaction transaction, Guid conversationId, CancellationToken cancellationToken)
    {
        if (!await transaction.QueryAsync(
            new Statement(TurnRows.LockSql, Parameter.Uuids([conversationId], id => id)), static (rows, ct) => rows.ReadAsync(ct), cancellationToken))
        {
            throw NotFound(conversationId);
        }
    }

    private async Task<CleaningHead> HeadAsync(Caller caller, Guid conversationId, CancellationToken cancellationToken) =>
        await database.RunAsync(
            caller,
            [new Statement(HeadSql, Parameter.Uuid(conversationId))],
            static async (results, ct) => await results.ReadAsync(ct) ? CleaningRows.ReadHead(results) : null,
            cancellationToken) ?? throw NotFound(conversationId);

    private static CorrectedTurn Undo(CorrectedTurn turn, int? place)
    {
        var corrections = turn.Corrections
            .Select((c, i) => c.Status == CorrectionStatus.Applied && (place is null || place == i) ? c with { Status = CorrectionStatus.Undone } : c).ToList();
        var applied = corrections.Where(c => c.Status == CorrectionStatus.Applied).Select(c => c.ToCorrection());
        return turn with { Corrections = corrections, CleanedText = Corrections.Apply(turn.RawText!, applied) };
    }

    private static Statement Change(Guid conversationId, CorrectedTurn turn) => new(
        UndoSql, Parameter.Uuid(conversationId), Parameter.Uuid(turn.TurnId), Parameter.Text(turn.CleanedText),
        Parameter.Json(CleaningJson.Write(turn.Corrections)), Parameter.Boolean(turn.Corrections.Any(c => c.Status == CorrectionStatus.Applied)));

    private static CorrectedTurn ReadCorrected(NpgsqlDataReader row)
    {
        var at = new RowReader(row);
        return new CorrectedTurn(
            at.Uuid()!.Value, at.Integer()!.Value, at.Text(), at.Text(), at.Enum<CleaningLevel>(), at.Enum<Confidence>(), at.Integer()!.Value,
            CleaningJson.Read(at.Json()));
    }

    private static CleanedVersion ReadVersion(NpgsqlDataReader row)
    {
        var at = new RowReader(row);
        return new CleanedVersion(
            at.Integer()!.Value, at.Text(), at.Enum<CleaningLevel>(), at.Enum<Confidence>(), at.Text(), at.Text(), CleaningJson.Read(at.Json()),
            at.Time()!.Value);
    }

    private static VoxbaseException NotFound(Guid conversationId) =>
        ConversationErrors.NotFound.With($"There is no conversation {conversationId} for this caller.");

    private static VoxbaseException NotCleaned(Guid conversationId, Guid turnId) =>
        CleaningErrors.TurnNotCleaned.With($"Conversation {conversationId} has no cleaned turn {turnId} for this caller.");
}
