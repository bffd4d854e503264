using System.Globalization;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Voxbase.Data;

namespace Voxbase;

/// <summary>What is wrong with the price of a model in use.</summary>
public enum PriceProblem
{
    /// <summary>It has no price: what it costs is not in any total.</summary>
    NoPrice,

    /// <summary>It had none when it was charged, and has one now: re-pricing would charge it.</summary>
    PricedSince,

    /// <summary>The provider did not name the model, or did not divide its tokens: no price can be found.</summary>
    Unknown,

    /// <summary>Its provider switches it off, or has.</summary>
    ShuttingDown,
}

/// <summary>One finding of a check of the price book.</summary>
public sealed record PriceFinding
{
    /// <summary>What is wrong.</summary>
    public required PriceProblem Problem { get; init; }

    /// <summary>Whose model.</summary>
    public required string Provider { get; init; }

    /// <summary>The model; null where the provider never named it.</summary>
    public string? Model { get; init; }

    /// <summary>The meter without a price; null when it is the model as a whole.</summary>
    public string? Meter { get; init; }

    /// <summary>How many charges, or conversations where the model as a whole is meant, of the period are concerned.</summary>
    public long Count { get; init; }

    /// <summary>The day it is switched off.</summary>
    public DateOnly? ShutdownOn { get; init; }

    /// <summary>What its provider names instead.</summary>
    public string? Replacement { get; init; }

    /// <summary>The finding in a sentence.</summary>
    public required string Message { get; init; }
}

/// <summary>Whether every model in use has a price and a future.</summary>
public sealed class PriceCheck(Database database, TimeProvider time)
{
    internal const string RequireAdminSql =
        """
        select vox_private.require_admin()
        """;

    /// <summary>Charges without a price by meter, and conversations by model (meter empty), of everyone since a day; from the rollups, and read live where they are behind.</summary>
    internal const string InUseSql =
        $"""
        with stale as (
          select coalesce(array_agg(id), array[]::uuid[]) as ids from vox.conversations where usage_stale
        ), facts as (
          select r.provider, r.key as model, u.meter, u.count
          from vox.usage_rollups r
          cross join lateral (
            select '' as meter, r.conversations as count
            union all
            select * from unnest(r.meters, r.meter_unpriced)
          ) u
          where r.scope = 'ffffffff-ffff-ffff-ffff-ffffffffffff' and r.dimension = 'model' and not r.by_month and r.period >= $1
          union all
          select (l.part).provider, (l.part).model, (l.part).meter, (l.part).count
          from vox_private.usage_parts((select ids from stale)) l
          where (l.part).measure in ('unpriced', 'conversation.model') and (l.part).day >= $1
          union all
          select k.provider, k.model, k.meter, -k.count
          from vox.usage_folds f
          cross join unnest(f.parts) k
          where f.conversation_id = any((select ids from stale)::uuid[]) and k.measure in ('unpriced', 'conversation.model') and k.day >= $1
        ), n as (
          select provider, nullif(model, '') as model, meter, sum(count)::bigint as count, $2::timestamptz as charged_at
          from facts
          group by provider, model, meter
          having sum(count) > 0
        )
        select n.provider, n.model, n.meter, n.count,
          exists (select from vox.prices p where (n.meter = '' or p.meter = n.meter) and {PriceBook.Holds})
        from n
        order by n.provider, n.model, n.meter
        """;

    private static readonly string[] Unsplit = [Meters.InputUnsplit, Meters.OutputUnsplit, Meters.TranscriptionUnsplit];

    /// <summary>Looks at what was used in the past days. Admins and the service only.</summary>
    /// <exception cref="VoxbaseException"><c>forbidden</c>.</exception>
    public async Task<IReadOnlyList<PriceFinding>> RunAsync(Caller caller, int days = 30, CancellationToken cancellationToken = default)
    {
        var now = time.GetUtcNow();
        var rows = await database.InTransactionAsync(
            caller,
            async transaction =>
            {
                await transaction.QueryAsync(new Statement(RequireAdminSql), static (_, _) => Task.FromResult(0), cancellationToken);
                return await transaction.QueryAsync(
                    new Statement(InUseSql, Parameter.Date(DateOnly.FromDateTime(now.UtcDateTime).AddDays(-days)), Parameter.Time(now)),
                    ReadAsync,
                    cancellationToken);
            },
            cancellationToken);
        return [.. Unpriced(rows), .. ShuttingDown(rows, DateOnly.FromDateTime(now.UtcDateTime))];
    }

    private static IEnumerable<PriceFinding> Unpriced(List<Row> rows)
    {
        foreach (var row in rows.Where(row => row.Meter.Length > 0))
        {
            var charges = string.Create(CultureInfo.InvariantCulture, $"{row.Count} {(row.Count == 1 ? "charge" : "charges")} of {row.Provider} {row.Model ?? "(model not named)"} {row.Meter}");
            var (problem, message) =
                row.Model is null ? (PriceProblem.Unknown, $"{charges}: the provider did not name the model, so there is no price")
                : Unsplit.Contains(row.Meter) ? (PriceProblem.Unknown, $"{charges}: the provider did not say how the tokens divide, so there is no price")
                : row.HasPrice ? (PriceProblem.PricedSince, $"{charges} had no price then; the book has one now, and `voxbase prices reprice` applies it where it held already")
                : (PriceProblem.NoPrice, $"{charges} have no price; `voxbase prices set` gives one, and `voxbase prices reprice` applies it");
            yield return new PriceFinding { Problem = problem, Provider = row.Provider, Model = row.Model, Meter = row.Meter, Count = row.Count, Message = message };
        }

        foreach (var row in rows.Where(row => row is { Meter.Length: 0, Model: not null, HasPrice: false }))
        {
            if (rows.Any(other => other.Meter.Length > 0 && (other.Provider, other.Model) == (row.Provider, row.Model)))
                continue;
            yield return new PriceFinding
            {
                Problem = PriceProblem.NoPrice,
                Provider = row.Provider,
                Model = row.Model,
                Count = row.Count,
                Message = string.Create(
                    CultureInfo.InvariantCulture,
                    $"{row.Count} {(row.Count == 1 ? "conversation" : "conversations")} used {(row.Provider.Length == 0 ? "a model of no named provider," : row.Provider)} {row.Model}, which has no price"),
            };
        }
    }

    private static IEnumerable<PriceFinding> ShuttingDown(List<Row> rows, DateOnly today)
    {
        foreach (var row in rows.Where(row => row.Meter.Length == 0))
        {
            if (ModelShutdowns.Find(row.Provider, row.Model) is not { } shutdown)
                continue;
            yield return new PriceFinding
            {
                Problem = PriceProblem.ShuttingDown,
                Provider = row.Provider,
                Model = row.Model,
                Count = row.Count,
                ShutdownOn = shutdown.On,
                Replacement = shutdown.Replacement,
                Message = string.Create(
                    CultureInfo.InvariantCulture,
                    $"{row.Provider} {row.Model} {(shutdown.On <= today ? "was to be" : "will be")} switched off on {shutdown.On:yyyy-MM-dd}{(shutdown.Replacement is { } instead ? $"; use {instead}" : "")} ({shutdown.Source})"),
            };
        }
    }

    private static async Task<List<Row>> ReadAsync(NpgsqlDataReader results, CancellationToken cancellationToken)
    {
        var rows = new List<Row>();
        while (await results.ReadAsync(cancellationToken))
        {
            var at = new RowReader(results);
            rows.Add(new Row(at.Text()!, at.Text(), at.Text()!, at.Bigint()!.Value, at.Boolean()));
        }

        return rows;
    }

    private sealed record Row(string Provider, string? Model, string Meter, long Count, bool HasPrice);
}

/// <summary>Warns of what <see cref="PriceCheck"/> finds, at the start and once a day.</summary>
internal sealed class PriceCheckJob(PriceCheck check, TimeProvider time, ILogger<PriceCheckJob> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromDays(1), time);
        do
        {
            try
            {
                foreach (var finding in await check.RunAsync(Caller.Service, cancellationToken: stoppingToken))
                    UsageLog.PriceProblem(logger, finding.Message);
            }
            catch (VoxbaseException e)
            {
                UsageLog.PriceCheckFailed(logger, e.Code);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}
