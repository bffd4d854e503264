using System.Text.Json;
using System.Text.Json.Serialization;
using Npgsql;
using Voxbase.Data;

namespace Voxbase;

/// <summary>What re-pricing changed for one model and user.</summary>
public sealed record RepricedModel
{
    /// <summary>Whose charges; null for conversations of nobody.</summary>
    public Guid? UserId { get; init; }

    /// <summary>The user's address, where known.</summary>
    public string? Email { get; init; }

    /// <summary>Who charges.</summary>
    public required string Provider { get; init; }

    /// <summary>The model.</summary>
    public required string Model { get; init; }

    /// <summary>Charges corrected.</summary>
    public long Charges { get; init; }

    /// <summary>Those of them that had no price before.</summary>
    public long FormerlyUnpriced { get; init; }

    /// <summary>What they came to.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public decimal BeforeUsd { get; init; }

    /// <summary>What they come to now.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public decimal AfterUsd { get; init; }

    /// <summary>After less before.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public decimal DifferenceUsd => AfterUsd - BeforeUsd;
}

/// <summary>What re-pricing did, or would do.</summary>
/// <param name="From">The first moment of what was looked at.</param>
/// <param name="To">The first moment beyond it.</param>
/// <param name="DryRun">Whether nothing was written.</param>
/// <param name="Conversations">How many conversations have charges in the period.</param>
/// <param name="Models">By model and user, the largest difference first; empty when every charge is as the book says.</param>
public sealed record RepricingReport(DateTimeOffset From, DateTimeOffset To, bool DryRun, int Conversations, IReadOnlyList<RepricedModel> Models)
{
    /// <summary>The whole difference.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public decimal DifferenceUsd => Models.Sum(model => model.DifferenceUsd);
}

/// <summary>How far re-pricing is.</summary>
/// <param name="Done">Conversations looked at.</param>
/// <param name="Of">Conversations in all.</param>
public readonly record struct RepricingProgress(int Done, int Of);

/// <summary>
/// Corrects past charges to what the price book says now: with new charges that revise old ones, never by editing. Charges of unpriced
/// use get their price; a charge whose price is gone from the book keeps it.
/// </summary>
public sealed class Repricing(Database database)
{
    internal const string CountSql =
        """
        select count(distinct conversation_id)::integer from vox.charges where charged_at >= $1 and charged_at < $2
        """;

    internal const string NextSql =
        """
        select conversation_id
        from vox.charges
        where conversation_id > $1 and charged_at >= $2 and charged_at < $3
        group by conversation_id
        order by conversation_id
        limit $4
        """;

    internal const string YieldSql =
        """
        select set_config('lock_timeout', '100ms', true)
        """;

    internal const string EmailsSql =
        """
        select id, email from vox.users where id = any($1)
        """;

    internal const string AuditSql =
        """
        insert into vox.audit_log (actor_role, action, resource, metadata) values ('service_role', 'prices.reprice', 'charges', $1)
        """;

    private const int ConversationsPerCommit = 50;
    private const int Attempts = 600;

    /// <summary>
    /// Re-prices what was charged from <paramref name="from"/> up to <paramref name="to"/>, each charge at the price of its own moment.
    /// Some conversations a commit: stopped or killed, it leaves the finished ones corrected and the others as they were, and running it
    /// again does the rest. Running it again after that changes nothing. Waits for calls under way, never the other way round.
    /// </summary>
    /// <param name="from">The first moment.</param>
    /// <param name="to">The first moment beyond.</param>
    /// <param name="dryRun">Whether only to report.</param>
    /// <param name="progress">Told after each commit.</param>
    /// <param name="cancellationToken">Stops between commits.</param>
    /// <exception cref="VoxbaseException"><c>period_invalid</c>.</exception>
    public async Task<RepricingReport> RunAsServiceAsync(
        DateTimeOffset from, DateTimeOffset to, bool dryRun = false, IProgress<RepricingProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        if (from >= to)
            throw SpendingErrors.PeriodInvalid.With($"The period from {from:O} to {to:O} holds nothing.");
        var total = await CountAsync(from, to, cancellationToken);
        var changed = new Dictionary<(Guid?, string, string), RepricedModel>();
        progress?.Report(new RepricingProgress(0, total));
        var (done, last) = (0, Guid.Empty);
        while (await NextAsync(last, from, to, cancellationToken) is { Count: > 0 } conversations)
        {
            foreach (var model in await CorrectAsync(conversations, from, to, dryRun, cancellationToken))
                Add(changed, model);
            (done, last) = (done + conversations.Count, conversations[^1]);
            // Calls go on meanwhile, and some come in.
            total = Math.Max(total, done);
            progress?.Report(new RepricingProgress(done, total));
        }

        var report = new RepricingReport(
            from, to, dryRun, done,
            [.. (await WithEmailsAsync([.. changed.Values], cancellationToken)).OrderByDescending(m => Math.Abs(m.DifferenceUsd)).ThenBy(m => m.Model, StringComparer.Ordinal)]);
        if (!dryRun)
            await AuditAsync(report, cancellationToken);
        return report;
    }

    private static void Add(Dictionary<(Guid?, string, string), RepricedModel> changed, RepricedModel model)
    {
        var key = (model.UserId, model.Provider, model.Model);
        changed[key] = changed.TryGetValue(key, out var so)
            ? so with
            {
                Charges = so.Charges + model.Charges,
                FormerlyUnpriced = so.FormerlyUnpriced + model.FormerlyUnpriced,
                BeforeUsd = so.BeforeUsd + model.BeforeUsd,
                AfterUsd = so.AfterUsd + model.AfterUsd,
            }
            : model;
    }

    private async Task<List<RepricedModel>> CorrectAsync(
        IReadOnlyList<Guid> conversations, DateTimeOffset from, DateTimeOffset to, bool dryRun, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                var correct = new Statement(
                    dryRun ? Charges.PreviewSql : Charges.CorrectSql,
                    Parameter.Uuids(conversations, id => id), Parameter.Time(from), Parameter.Time(to));
                return await database.InTransactionAsync(
                    Caller.Service,
                    async transaction =>
                    {
                        if (!dryRun)
                        {
                            // Sooner than PostgreSQL looks for deadlocks: a call that meets this one is never the one to be undone.
                            transaction.Add(new Statement(YieldSql));
                            foreach (var hold in Charges.Hold(conversations))
                                transaction.Add(hold);
                        }

                        return await transaction.QueryAsync(correct, ReadAsync, cancellationToken);
                    },
                    cancellationToken);
            }
            catch (VoxbaseException e) when (attempt < Attempts && e.InnerException is PostgresException { IsTransient: true } or PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable })
            {
                // Somebody is writing to one of them; nothing was changed.
            }
        }
    }

    private Task<int> CountAsync(DateTimeOffset from, DateTimeOffset to, CancellationToken cancellationToken) => database.RunAsync(
        Caller.Service,
        [new Statement(CountSql, Parameter.Time(from), Parameter.Time(to))],
        static async (results, ct) => await results.ReadAsync(ct) ? results.GetInt32(0) : 0,
        cancellationToken);

    private Task<List<Guid>> NextAsync(Guid after, DateTimeOffset from, DateTimeOffset to, CancellationToken cancellationToken) => database.RunAsync(
        Caller.Service,
        [new Statement(NextSql, Parameter.Uuid(after), Parameter.Time(from), Parameter.Time(to), Parameter.Integer(ConversationsPerCommit))],
        static async (results, ct) =>
        {
            var ids = new List<Guid>();
            while (await results.ReadAsync(ct))
                ids.Add(results.GetGuid(0));
            return ids;
        },
        cancellationToken);

    private async Task<IEnumerable<RepricedModel>> WithEmailsAsync(IReadOnlyList<RepricedModel> models, CancellationToken cancellationToken)
    {
        var emails = await database.RunAsync(
            Caller.Service,
            [new Statement(EmailsSql, Parameter.Uuids([.. models.Select(m => m.UserId).OfType<Guid>().Distinct()], id => id))],
            static async (results, ct) =>
            {
                var found = new Dictionary<Guid, string?>();
                while (await results.ReadAsync(ct))
                {
                    var at = new RowReader(results);
                    found.Add(at.Uuid()!.Value, at.Text());
                }

                return found;
            },
            cancellationToken);
        return models.Select(m => m with { Email = m.UserId is { } id ? emails.GetValueOrDefault(id) : null });
    }

    private Task AuditAsync(RepricingReport report, CancellationToken cancellationToken) => database.RunAsync(
        Caller.Service,
        [
            new Statement(AuditSql, Parameter.Json(JsonSerializer.Serialize(new Dictionary<string, object>
            {
                ["from"] = report.From,
                ["to"] = report.To,
                ["charges"] = report.Models.Sum(m => m.Charges),
                ["difference_usd"] = report.DifferenceUsd.ToString(System.Globalization.CultureInfo.InvariantCulture),
            }))),
        ],
        cancellationToken);

    private static async Task<List<RepricedModel>> ReadAsync(NpgsqlDataReader results, CancellationToken cancellationToken)
    {
        var models = new List<RepricedModel>();
        while (await results.ReadAsync(cancellationToken))
        {
            var at = new RowReader(results);
            models.Add(new RepricedModel
            {
                UserId = at.Uuid(),
                Provider = at.Text()!,
                Model = at.Text()!,
                Charges = at.Bigint()!.Value,
                FormerlyUnpriced = at.Bigint()!.Value,
                BeforeUsd = at.Numeric()!.Value,
                AfterUsd = at.Numeric()!.Value,
            });
        }

        return models;
    }
}
