using System.Globalization;
using System.Text.Json.Serialization;
using Npgsql;
using Voxbase.Data;

namespace Voxbase;

/// <summary>What statistics are grouped by.</summary>
public enum UsageBy
{
    /// <summary>Nothing: the total alone.</summary>
    Total,

    /// <summary>Days, UTC.</summary>
    Day,

    /// <summary>Months, UTC.</summary>
    Month,

    /// <summary>Kinds of conversation.</summary>
    Kind,

    /// <summary>Providers and models. A conversation counts with each model that it used.</summary>
    Model,

    /// <summary>Stages: asr, rag, llm, tts, session. A conversation counts with each stage that it had.</summary>
    Stage,
}

/// <summary>Which statistics.</summary>
public sealed record UsageQuery
{
    /// <summary>Whose; null for the caller's own. Others' are for admins and the service.</summary>
    public Guid? UserId { get; init; }

    /// <summary>Everyone's together, conversations of nobody included. Admins and the service only.</summary>
    public bool Everyone { get; init; }

    /// <summary>The first day, UTC; null for the first of this month.</summary>
    public DateOnly? From { get; init; }

    /// <summary>The day after the last, UTC; null for tomorrow.</summary>
    public DateOnly? To { get; init; }

    /// <summary>The groups beside the total. Default none.</summary>
    public UsageBy By { get; init; }
}

/// <summary>Tokens of turns, and of responses that belong to no turn. What the provider didn't divide is only in the sums.</summary>
/// <param name="Input">All that was read.</param>
/// <param name="Output">All that was made.</param>
/// <param name="Cached">The part of the input that the provider had cached.</param>
/// <param name="InputText">Of the input, text.</param>
/// <param name="InputAudio">Of the input, audio.</param>
/// <param name="InputImage">Of the input, images.</param>
/// <param name="CachedText">Of the cached input, text.</param>
/// <param name="CachedAudio">Of the cached input, audio.</param>
/// <param name="OutputText">Of the output, text.</param>
/// <param name="OutputAudio">Of the output, audio.</param>
public sealed record UsageTokens(
    long Input, long Output, long Cached, long InputText, long InputAudio, long InputImage, long CachedText, long CachedAudio,
    long OutputText, long OutputAudio);

/// <summary>
/// How long callers waited: from the end of their speech to the first audio of the answer; by stage, what each stage took. Percentiles
/// are of the nearest rank and within 2 % of it; the mean is exact. Null where nothing was measured.
/// </summary>
/// <param name="Count">Turns measured.</param>
/// <param name="MeanMs">The mean.</param>
/// <param name="P50Ms">Half waited no longer.</param>
/// <param name="P95Ms">95 of 100 waited no longer.</param>
/// <param name="P99Ms">99 of 100 waited no longer.</param>
public sealed record UsageLatency(long Count, decimal? MeanMs, decimal? P50Ms, decimal? P95Ms, decimal? P99Ms);

/// <summary>Statistics of one group, or of all.</summary>
public sealed record UsageFigures
{
    /// <summary>The day, month, kind, model or stage; null for the total. Empty for what names none.</summary>
    public string? Key { get; init; }

    /// <summary>Whose model, by model.</summary>
    public string? Provider { get; init; }

    /// <summary>Conversations, on the day they began.</summary>
    public long Conversations { get; init; }

    /// <summary>Those of them that ended well. Not by model or stage.</summary>
    public long Completed { get; init; }

    /// <summary>Those that failed. Not by model or stage.</summary>
    public long Failed { get; init; }

    /// <summary>Those with an AI agent. Not by model or stage.</summary>
    public long AiConversations { get; init; }

    /// <summary>Seconds of conversations that are over.</summary>
    public long DurationSeconds { get; init; }

    /// <summary>The mean of those that ended well; null when none did.</summary>
    public decimal? MeanDurationSeconds { get; init; }

    /// <summary>Turns. Not by model or stage.</summary>
    public long Turns { get; init; }

    /// <summary>Turns that were interrupted. Not by model or stage.</summary>
    public long Interruptions { get; init; }

    /// <summary>Tool calls. Not by model or stage.</summary>
    public long FunctionCalls { get; init; }

    /// <summary>Errors that providers reported. Not by model or stage.</summary>
    public long Errors { get; init; }

    /// <summary>The cleaner's own milliseconds. Not by model or stage.</summary>
    public long ProcessingMs { get; init; }

    /// <summary>Turns cleaned with confidence HIGH. Not by model or stage.</summary>
    public long HighConfidenceTurns { get; init; }

    /// <summary>Tokens.</summary>
    public required UsageTokens Tokens { get; init; }

    /// <summary>What was charged, by meter: tokens, seconds, characters.</summary>
    public required IReadOnlyDictionary<string, decimal> Meters { get; init; }

    /// <summary>Charges; revisions are no charges of their own.</summary>
    public long Charges { get; init; }

    /// <summary>Charges without a price; they are not in the cost.</summary>
    public long Unpriced { get; init; }

    /// <summary>What it cost, corrections included.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public decimal CostUsd { get; init; }

    /// <summary>What the provider's cache saved against the same tokens uncached.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public decimal CacheSavingsUsd { get; init; }

    /// <summary>How long callers waited.</summary>
    public required UsageLatency Latency { get; init; }
}

/// <summary>Statistics of a period.</summary>
/// <param name="UserId">Whose; null for everyone's.</param>
/// <param name="From">The first day.</param>
/// <param name="To">The day after the last.</param>
/// <param name="By">What the groups are.</param>
/// <param name="Total">All together.</param>
/// <param name="Data">The groups, in order; days and months in which nothing happened are left out.</param>
public sealed record UsageReport(Guid? UserId, DateOnly From, DateOnly To, UsageBy By, UsageFigures Total, IReadOnlyList<UsageFigures> Data);

/// <summary>
/// What was used and what it cost. Read from rollups, and live where they are behind, in one snapshot: exact at every moment.
/// </summary>
public sealed class Usage(Database database, TimeProvider time)
{
    /// <summary>The longest period by day.</summary>
    public const int MaxDaysByDay = 400;

    // One statement, one snapshot: the groups are those of the total.
    internal const string ReadSql =
        """
        select t.* from vox.usage_stats($1, $2, $3, 'total') t
        union all
        select g.* from vox.usage_stats($1, $2, $3, $4) g where $4 <> 'total'
        """;

    internal const string AuditSql =
        """
        select vox_private.audit_usage($1)
        """;

    private static readonly UsageFigures Nothing = new()
    {
        Tokens = new UsageTokens(0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        Meters = new Dictionary<string, decimal>(),
        Latency = new UsageLatency(0, null, null, null, null),
    };

    /// <summary>Reads statistics. An admin or the service reading those of one other user leaves a row in the audit log.</summary>
    /// <exception cref="VoxbaseException"><c>period_invalid</c>, <c>forbidden</c>.</exception>
    public async Task<UsageReport> ReadAsync(Caller caller, UsageQuery? query = null, CancellationToken cancellationToken = default)
    {
        query ??= new UsageQuery();
        var today = DateOnly.FromDateTime(time.GetUtcNow().UtcDateTime);
        var from = query.From ?? new DateOnly(today.Year, today.Month, 1);
        var to = query.To ?? (today.AddDays(1) > from ? today.AddDays(1) : from.AddDays(1));
        Require(from < to, $"The period from {Day(from)} to {Day(to)} holds no day.");
        Require(from.Year >= 1970 && to.Year <= 9000, $"The period from {Day(from)} to {Day(to)} is not one people live in.");
        Require(
            query.By != UsageBy.Day || to.DayNumber - from.DayNumber <= MaxDaysByDay,
            $"By day at most {MaxDaysByDay} days are answered at once (were {to.DayNumber - from.DayNumber}).");
        Require(!query.Everyone || query.UserId is null, "Either one user's statistics or everyone's.");
        var user = query.Everyone ? null : query.UserId ?? caller.UserId;
        var rows = await database.RunAsync(
            caller,
            [
                new Statement(
                    ReadSql, Parameter.Uuid(user), Parameter.Date(from), Parameter.Date(to),
                    Parameter.Text(query.By.ToString().ToLowerInvariant())),
                new Statement(AuditSql, Parameter.Uuid(user)),
            ],
            static async (results, ct) =>
            {
                var figures = new List<UsageFigures>();
                while (await results.ReadAsync(ct))
                    figures.Add(Read(results));
                return figures;
            },
            cancellationToken);
        return new UsageReport(user, from, to, query.By, rows.Find(row => row.Key is null) ?? Nothing, [.. rows.Where(row => row.Key is not null)]);
    }

    private static void Require(bool holds, string message)
    {
        if (!holds)
            throw SpendingErrors.PeriodInvalid.With(message);
    }

    private static string Day(DateOnly day) => day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static UsageFigures Read(NpgsqlDataReader row)
    {
        var at = new RowReader(row);
        var (key, provider) = (at.Text(), at.Text());
        // The model is the key by model, and nothing else.
        at.Text();
        var (conversations, completed, failed, ai) = (Next(), Next(), Next(), Next());
        var (duration, completedSeconds) = (Next(), Next());
        return new UsageFigures
        {
            Key = key,
            Provider = provider,
            Conversations = conversations,
            Completed = completed,
            Failed = failed,
            AiConversations = ai,
            DurationSeconds = duration,
            MeanDurationSeconds = completed > 0 ? decimal.Round((decimal)completedSeconds / completed, 2) : null,
            Turns = Next(),
            Interruptions = Next(),
            FunctionCalls = Next(),
            Errors = Next(),
            ProcessingMs = Next(),
            HighConfidenceTurns = Next(),
            Tokens = new UsageTokens(Next(), Next(), Next(), Next(), Next(), Next(), Next(), Next(), Next(), Next()),
            Charges = Next(),
            Unpriced = Next(),
            CostUsd = at.Numeric()!.Value,
            CacheSavingsUsd = at.Numeric()!.Value,
            Meters = at.Json()!.Value.EnumerateObject().ToDictionary(p => p.Name, p => p.Value.GetDecimal()),
            Latency = new UsageLatency(Next(), at.Numeric(), at.Numeric(), at.Numeric(), at.Numeric()),
        };

        long Next() => at.Bigint()!.Value;
    }
}
