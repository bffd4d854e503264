using Voxbase.Cleaning;
using Voxbase.Data;

namespace Voxbase;

/// <summary>A turn of a sliding window.</summary>
/// <param name="TurnId">The turn.</param>
/// <param name="SequenceNumber">Its number.</param>
/// <param name="Role">Who speaks.</param>
/// <param name="Speaker">By name.</param>
/// <param name="CleanedText">What was said; the raw text where it was not cleaned.</param>
/// <param name="ContextDetected">What the conversation was about.</param>
/// <param name="Confidence">Of the cleaning.</param>
/// <param name="CreatedAt">When it was written.</param>
public sealed record WindowTurn(
    Guid TurnId, int SequenceNumber, TurnRole Role, string? Speaker, string? CleanedText, string? ContextDetected, Confidence? Confidence, DateTimeOffset CreatedAt);

/// <summary>How much of a conversation was about something.</summary>
/// <param name="ContextDetected">About what; null for turns in which nothing stood out.</param>
/// <param name="TurnCount">How many turns.</param>
/// <param name="AverageProcessingMs">The cleaner's time; null where nothing was cleaned.</param>
/// <param name="HighConfidenceCount">How many of high confidence.</param>
public sealed record ContextShare(string? ContextDetected, int TurnCount, double? AverageProcessingMs, int HighConfidenceCount);

/// <summary>How many turns had a confidence.</summary>
/// <param name="Confidence">Which.</param>
/// <param name="Count">How many turns.</param>
/// <param name="Percentage">Of those that have one, with two decimals.</param>
public sealed record ConfidenceShare(Confidence Confidence, int Count, double Percentage);

/// <summary>How cleaning a conversation went.</summary>
/// <param name="ConversationId">The conversation.</param>
/// <param name="TotalTurns">All its turns.</param>
/// <param name="AverageProcessingMs">The cleaner's time a turn.</param>
/// <param name="AverageQueueMs">From a turn's arrival until the cleaner took it.</param>
/// <param name="AverageDeliveryMs">From commit to the subscriber.</param>
/// <param name="TurnsCleaned">How many differ from what was heard.</param>
/// <param name="ErrorsDetected">How many the recogniser misheard.</param>
public sealed record CleaningPerformance(
    Guid ConversationId, int TotalTurns, double? AverageProcessingMs, double? AverageQueueMs, double? AverageDeliveryMs, int TurnsCleaned, int ErrorsDetected);

/// <summary>An hour of cleaning.</summary>
/// <param name="Hour">Its beginning, UTC.</param>
/// <param name="TurnsProcessed">Turns that came in it and were cleaned.</param>
/// <param name="AverageProcessingMs">The cleaner's time a turn.</param>
/// <param name="AverageQueueMs">From a turn's arrival until the cleaner took it.</param>
/// <param name="HighConfidenceTurns">How many of high confidence.</param>
public sealed record CleaningHour(DateTimeOffset Hour, int TurnsProcessed, double? AverageProcessingMs, double? AverageQueueMs, int HighConfidenceTurns);

/// <summary>What cleaned transcripts tell. A caller sees what the policies let it see: users their own, admins and the service everything.</summary>
public sealed class TranscriptAnalysis(Database database, TimeProvider time)
{
    internal const string FindSql =
        """
        select from vox.conversations where id = $1
        """;

    internal const string WindowSql =
        """
        select id, sequence_number, role::text, speaker, coalesce(cleaned_text, raw_text), context_detected, confidence::text, created_at
        from vox.turns
        where conversation_id = $1 and sequence_number < $2
        order by sequence_number desc
        limit $3
        """;

    internal const string ContextsSql =
        """
        select context_detected, count(*)::integer, avg(processing_ms)::double precision, (count(*) filter (where confidence = 'HIGH'))::integer
        from vox.turns
        where conversation_id = $1
        group by context_detected
        order by count(*) desc, context_detected
        """;

    internal const string ConfidenceSql =
        """
        select confidence::text, count(*)::integer, round(count(*) * 100.0 / sum(count(*)) over (), 2)::double precision
        from vox.turns
        where conversation_id = $1 and confidence is not null
        group by confidence
        order by confidence
        """;

    internal const string PerformanceSql =
        """
        select count(*)::integer, avg(processing_ms)::double precision, avg(queue_ms)::double precision, avg(delivery_ms)::double precision,
          (count(*) filter (where cleaning_applied))::integer, (count(*) filter (where transcription_error_detected))::integer
        from vox.turns
        where conversation_id = $1
        """;

    // No index on turns by time, which every append would pay for: the id of a conversation holds when it began.
    internal const string HoursSql =
        """
        select date_trunc('hour', t.created_at, 'UTC'), count(*)::integer, avg(t.processing_ms)::double precision, avg(t.queue_ms)::double precision,
          (count(*) filter (where t.confidence = 'HIGH'))::integer
        from vox.conversations c
        join vox.turns t on t.conversation_id = c.id and t.created_at >= $1 and t.cleaning_level is not null
        where c.id >= vox.uuid_v7_floor($1::timestamptz - interval '1 day') and c.updated_at >= $1
        group by 1
        order by 1 desc
        """;

    private const int LongestWindow = 1_000;
    private const int MostHours = 168;

    /// <summary>The turns before another, as far as they are context: the last ones, the newest first.</summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>, <c>input_invalid</c>.</exception>
    public Task<IReadOnlyList<WindowTurn>> WindowAsync(
        Caller caller, Guid conversationId, int? before = null, int size = 20, CancellationToken cancellationToken = default)
    {
        if (size is < 1 or > LongestWindow)
            throw ConversationErrors.InputInvalid.With($"size must be between 1 and {LongestWindow} (was {size})");
        return OfAsync(
            caller, conversationId,
            new Statement(WindowSql, Parameter.Uuid(conversationId), Parameter.Integer(before ?? int.MaxValue), Parameter.Integer(size)),
            row =>
            {
                var at = new RowReader(row);
                return new WindowTurn(
                    at.Uuid()!.Value, at.Integer()!.Value, at.Enum<TurnRole>()!.Value, at.Text(), at.Text(), at.Text(), at.Enum<Confidence>(), at.Time()!.Value);
            },
            cancellationToken);
    }

    /// <summary>What a conversation was about, most of it first.</summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>.</exception>
    public Task<IReadOnlyList<ContextShare>> ContextsAsync(Caller caller, Guid conversationId, CancellationToken cancellationToken = default) => OfAsync(
        caller, conversationId, new Statement(ContextsSql, Parameter.Uuid(conversationId)),
        static row => new ContextShare(row.IsDBNull(0) ? null : row.GetString(0), row.GetInt32(1), row.IsDBNull(2) ? null : row.GetDouble(2), row.GetInt32(3)),
        cancellationToken);

    /// <summary>How sure the cleaner was of a conversation's turns.</summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>.</exception>
    public Task<IReadOnlyList<ConfidenceShare>> ConfidenceAsync(Caller caller, Guid conversationId, CancellationToken cancellationToken = default) => OfAsync(
        caller, conversationId, new Statement(ConfidenceSql, Parameter.Uuid(conversationId)),
        static row => new ConfidenceShare(Enum.Parse<Confidence>(row.GetString(0), ignoreCase: true), row.GetInt32(1), row.GetDouble(2)),
        cancellationToken);

    /// <summary>How cleaning a conversation went.</summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>.</exception>
    public async Task<CleaningPerformance> PerformanceAsync(Caller caller, Guid conversationId, CancellationToken cancellationToken = default) =>
        (await OfAsync(
            caller, conversationId, new Statement(PerformanceSql, Parameter.Uuid(conversationId)),
            row => new CleaningPerformance(
                conversationId, row.GetInt32(0), row.IsDBNull(1) ? null : row.GetDouble(1), row.IsDBNull(2) ? null : row.GetDouble(2),
                row.IsDBNull(3) ? null : row.GetDouble(3), row.GetInt32(4), row.GetInt32(5)),
            cancellationToken))[0];

    /// <summary>The last hours, the newest first; hours without turns are left out. Conversations that began more than a day before the first of them are not counted.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="hours">How many, from 1 to 168.</param>
    /// <param name="cancellationToken">Stops the query.</param>
    /// <exception cref="VoxbaseException"><c>input_invalid</c>.</exception>
    public async Task<IReadOnlyList<CleaningHour>> HoursAsync(Caller caller, int hours = 24, CancellationToken cancellationToken = default)
    {
        if (hours is < 1 or > MostHours)
            throw ConversationErrors.InputInvalid.With($"hours must be between 1 and {MostHours} (was {hours})");
        return await database.RunAsync(
            caller,
            [new Statement(HoursSql, Parameter.Time(time.GetUtcNow().AddHours(-hours)))],
            static (results, ct) => CleaningRows.AllAsync(
                results,
                row => new CleaningHour(
                    new DateTimeOffset(row.GetDateTime(0), TimeSpan.Zero), row.GetInt32(1), row.IsDBNull(2) ? null : row.GetDouble(2),
                    row.IsDBNull(3) ? null : row.GetDouble(3), row.GetInt32(4)),
                ct),
            cancellationToken);
    }

    private async Task<IReadOnlyList<T>> OfAsync<T>(
        Caller caller, Guid conversationId, Statement statement, Func<Npgsql.NpgsqlDataReader, T> read, CancellationToken cancellationToken) =>
        await database.RunAsync(
            caller,
            [new Statement(FindSql, Parameter.Uuid(conversationId)), statement],
            async (results, ct) =>
            {
                if (!await results.ReadAsync(ct))
                    throw ConversationErrors.NotFound.With($"There is no conversation {conversationId} for this caller.");
                await results.NextResultAsync(ct);
                return await CleaningRows.AllAsync(results, read, ct);
            },
            cancellationToken);
}
