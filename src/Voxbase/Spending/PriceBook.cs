using System.Globalization;
using System.Text.Json.Serialization;
using Npgsql;
using Voxbase.Data;

namespace Voxbase;

/// <summary>What a unit of a meter costs from a date on.</summary>
public sealed record Price
{
    /// <summary>Who charges, for example <c>openai</c>.</summary>
    public required string Provider { get; init; }

    /// <summary>
    /// A model's exact name, a prefix ending in <c>*</c>, or a regular expression between slashes over the whole name. The exact name
    /// wins, then the longest prefix, then the longest expression.
    /// </summary>
    public required string Model { get; init; }

    /// <summary>What is counted; see <see cref="Meters"/>.</summary>
    public required string Meter { get; init; }

    /// <summary>US dollars for <see cref="Per"/> units.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public required decimal UnitPriceUsd { get; init; }

    /// <summary>How many units the price buys: 1,000,000 for tokens quoted per million, 60 for seconds quoted per minute.</summary>
    public int Per { get; init; } = 1;

    /// <summary>From when it holds, until a later one of the same provider, model and meter.</summary>
    public required DateTimeOffset ValidFrom { get; init; }

    /// <summary>Where it comes from.</summary>
    public string? Note { get; init; }

    /// <summary>Whether it came with Voxbase. One set by hand for the same provider, model and meter wins over it.</summary>
    public bool IsDefault { get; init; }
}

/// <summary>How prices are written.</summary>
public sealed record PriceImport
{
    /// <summary>Whether a price that is set already for the same provider, model, meter and date may be replaced by another. Default false.</summary>
    public bool Replace { get; init; }

    /// <summary>Whether to check everything, also against what is set, and write nothing. Default false.</summary>
    public bool DryRun { get; init; }

    /// <summary>How an error names the price at an index, for example <c>line 7</c>; null for <c>$[7]</c>.</summary>
    [JsonIgnore]
    public Func<int, string>? Place { get; init; }
}

/// <summary>What writing prices did.</summary>
/// <param name="Added">Prices that are new.</param>
/// <param name="Replaced">Prices that took the place of another of the same key and date.</param>
/// <param name="Unchanged">Prices that were set already.</param>
public sealed record PriceImportResult(int Added, int Replaced, int Unchanged);

/// <summary>Prices by provider, model, meter and date.</summary>
public sealed class PriceBook(Database database)
{
    // Which price holds is said here and nowhere else: `p` is a price, `n` what is to be priced (provider, model, charged_at). The meter
    // is compared where these are used. Null for a model that nobody named: no price.
    internal const string Holds =
        """
        p.provider = n.provider and p.valid_from <= n.charged_at
            and (p.model = n.model or (right(p.model, 1) = '*' and starts_with(n.model, left(p.model, -1))) or n.model ~ p.expression)
        """;

    // The exact name, the longest prefix, the longest expression, by name where two are as long; of one key this installation's own
    // before what came with Voxbase, then the latest that had begun.
    internal const string MostSpecific =
        """
        order by p.model = n.model desc, p.expression is null desc, length(p.model) desc, p.model collate "C", p.is_default,
              p.valid_from desc
            limit 1
        """;

    internal const string ListSql =
        """
        select provider, model, meter, unit_price_usd, per, valid_from, note, is_default
        from vox.prices
        order by provider, model, meter, valid_from, is_default desc
        """;

    internal const string StandingSql =
        """
        select n.index, p.unit_price_usd, p.per
        from unnest($1, $2, $3, $4, $5) as n(index, provider, model, meter, valid_from)
        join vox.prices p on p.provider = n.provider and p.model = n.model and p.meter = n.meter and p.valid_from = n.valid_from
          and not p.is_default
        """;

    // What differs from what stands is only taken when it may be: a row that is not returned is a conflict that came in between.
    internal const string SetSql =
        """
        insert into vox.prices as p (provider, model, meter, unit_price_usd, per, valid_from, note)
        select n.provider, n.model, n.meter, n.unit_price_usd, n.per, n.valid_from, n.note
        from unnest($1, $2, $3, $4, $5, $6, $7) as n(provider, model, meter, unit_price_usd, per, valid_from, note)
        on conflict (provider, model, meter, valid_from, is_default)
        do update set unit_price_usd = excluded.unit_price_usd, per = excluded.per, note = coalesce(excluded.note, p.note)
        where $8 or p.unit_price_usd * excluded.per = excluded.unit_price_usd * p.per
        returning 1
        """;

    private const int MaxPricesPerImport = 10_000;
    private const int ReportedFaults = 20;

    /// <summary>Every price, by provider, model, meter and date.</summary>
    public Task<IReadOnlyList<Price>> ListAsync(Caller caller, CancellationToken cancellationToken = default) =>
        database.RunAsync<IReadOnlyList<Price>>(
            caller,
            [new Statement(ListSql)],
            static async (results, ct) =>
            {
                var prices = new List<Price>();
                while (await results.ReadAsync(ct))
                    prices.Add(Read(results));
                return prices;
            },
            cancellationToken);

    /// <summary>
    /// Sets a price of this installation; it holds for what is used from <see cref="Price.ValidFrom"/> on and wins over a shipped one.
    /// Setting it again changes nothing; another price for the same key and date is refused unless <paramref name="replace"/> says so.
    /// Charges already recorded keep the price they copied until they are re-priced. Admins and the service only; leaves a row in the
    /// audit log.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>price_invalid</c>, <c>price_conflict</c>, <c>forbidden</c>.</exception>
    public Task SetAsync(Caller caller, Price price, bool replace = false, CancellationToken cancellationToken = default) =>
        ImportAsync(caller, [price], new PriceImport { Replace = replace, Place = static _ => "" }, cancellationToken);

    /// <summary>Sets many prices, as <see cref="SetAsync"/> does: all of them, or none.</summary>
    /// <exception cref="VoxbaseException">
    /// <c>price_invalid</c>, <c>price_conflict</c>, <c>forbidden</c>; the details name every price at fault, and nothing is written.
    /// </exception>
    public async Task<PriceImportResult> ImportAsync(
        Caller caller, IReadOnlyList<Price> prices, PriceImport? settings = null, CancellationToken cancellationToken = default)
    {
        settings ??= new PriceImport();
        var place = settings.Place ?? (static i => string.Create(CultureInfo.InvariantCulture, $"$[{i}]"));
        if (prices.Count > MaxPricesPerImport)
            throw SpendingErrors.PriceInvalid.With($"at most {MaxPricesPerImport} prices may be set at once (were {prices.Count})");
        RequireValid(prices, place);
        if (prices.Count == 0)
            return new PriceImportResult(0, 0, 0);
        try
        {
            return await database.InTransactionAsync(caller, WriteAsync, cancellationToken);
        }
        catch (TakeBack e)
        {
            return e.Result;
        }

        async Task<PriceImportResult> WriteAsync(Database.Transaction transaction)
        {
            var standing = await transaction.QueryAsync(Standing(prices), ReadStandingAsync, cancellationToken);
            var differing = prices.Index().Where(p => standing.TryGetValue(p.Index, out var other) && !IsSame(p.Item, other)).ToList();
            if (differing.Count > 0 && !settings.Replace)
            {
                throw Conflict(
                    [.. differing.Select(p => $"{Prefix(place(p.Index))}{Key(p.Item)} is {Amount(standing[p.Index])} already (was {Amount((p.Item.UnitPriceUsd, p.Item.Per))})")]);
            }

            // A dry run writes too, so that what only the database refuses is found, and takes it back.
            var written = await transaction.QueryAsync(Set(prices, settings.Replace), CountAsync, cancellationToken);
            if (written < prices.Count)
                throw Conflict([$"{prices.Count - written} of the prices were set to something else in the meantime"]);
            var result = new PriceImportResult(prices.Count - standing.Count, differing.Count, standing.Count - differing.Count);
            return settings.DryRun ? throw new TakeBack(result) : result;
        }
    }

    private static void RequireValid(IReadOnlyList<Price> prices, Func<int, string> place)
    {
        var (faults, conflicts) = (new List<string>(), new List<string>());
        var seen = new Dictionary<(string, string, string, DateTimeOffset), int>();
        foreach (var (i, price) in prices.Index())
        {
            if (Fault(price) is { } fault)
                faults.Add(Prefix(place(i)) + fault);
            else if (!seen.TryAdd((price.Provider, price.Model, price.Meter, price.ValidFrom), i))
                conflicts.Add($"{Prefix(place(i))}{Key(price)} is given twice, before at {place(seen[(price.Provider, price.Model, price.Meter, price.ValidFrom)])}");
        }

        if (faults.Count > 0)
            throw SpendingErrors.PriceInvalid.With(faults[0], Rest(faults));
        if (conflicts.Count > 0)
            throw Conflict(conflicts);
    }

    /// <summary>Why a price cannot be one, or null.</summary>
    private static string? Fault(Price price)
    {
        if (price.UnitPriceUsd < 0)
            return $"unit_price_usd must not be negative (was {price.UnitPriceUsd})";
        if (decimal.Round(price.UnitPriceUsd, 9) != price.UnitPriceUsd || price.UnitPriceUsd >= 1_000_000_000)
            return $"unit_price_usd has at most 9 decimals and is below 1,000,000,000 (was {price.UnitPriceUsd})";
        if (price.Per < 1)
            return $"per must be at least 1 (was {price.Per})";
        if (!Meters.All.Contains(price.Meter))
            return $"'{price.Meter}' is not a meter; the meters are {string.Join(", ", Meters.Priced)}";
        if (!Meters.Priced.Contains(price.Meter))
            return $"'{price.Meter}' counts what nobody divided, so it has no price";
        if (string.IsNullOrWhiteSpace(price.Provider) || price.Provider.Length > 512)
            return "provider must not be empty, nor longer than 512 characters";
        if (price.ValidFrom.Year is < 1970 or > 9000)
            return $"valid_from must be a date people live in (was {price.ValidFrom:O})";
        return ModelPattern.Fault(price.Model);
    }

    internal static Statement Standing(IReadOnlyList<Price> prices)
    {
        var index = 0;
        return new Statement(
            StandingSql, Parameter.Integers(prices, _ => index++), Parameter.Texts(prices, p => p.Provider), Parameter.Texts(prices, p => p.Model),
            Parameter.Texts(prices, p => p.Meter), Parameter.Times(prices, p => p.ValidFrom));
    }

    /// <summary>The statement that writes prices; it returns as many rows as it wrote.</summary>
    internal static Statement Set(IReadOnlyList<Price> prices, bool replace) => new(
        SetSql, Parameter.Texts(prices, p => p.Provider), Parameter.Texts(prices, p => p.Model), Parameter.Texts(prices, p => p.Meter),
        Parameter.Numerics(prices, p => p.UnitPriceUsd), Parameter.Integers(prices, p => p.Per), Parameter.Times(prices, p => p.ValidFrom),
        Parameter.Texts(prices, p => p.Note), Parameter.Boolean(replace));

    private static bool IsSame(Price price, (decimal UnitPriceUsd, int Per) other) => price.UnitPriceUsd * other.Per == other.UnitPriceUsd * price.Per;

    private static string Key(Price price) => $"{price.Provider} {price.Model} {price.Meter} from {price.ValidFrom.UtcDateTime:yyyy-MM-dd HH:mm:ss}";

    private static string Amount((decimal UnitPriceUsd, int Per) price) => string.Create(CultureInfo.InvariantCulture, $"{price.UnitPriceUsd:0.#########} per {price.Per}");

    private static string Prefix(string place) => place.Length == 0 ? "" : $"{place}: ";

    private static VoxbaseException Conflict(List<string> conflicts) => SpendingErrors.PriceConflict.With(conflicts[0], Rest(conflicts));

    // All that is at fault in one go, up to what somebody would read.
    private static string? Rest(List<string> faults) =>
        faults.Count < 2 ? null
        : string.Join("\n", faults.Skip(1).Take(ReportedFaults)) + (faults.Count > ReportedFaults + 1 ? $"\nand {faults.Count - ReportedFaults - 1} more" : "");

    private static async Task<Dictionary<int, (decimal UnitPriceUsd, int Per)>> ReadStandingAsync(NpgsqlDataReader results, CancellationToken cancellationToken)
    {
        var standing = new Dictionary<int, (decimal, int)>();
        while (await results.ReadAsync(cancellationToken))
            standing.Add(results.GetInt32(0), (results.GetDecimal(1), results.GetInt32(2)));
        return standing;
    }

    private static async Task<int> CountAsync(NpgsqlDataReader results, CancellationToken cancellationToken)
    {
        var count = 0;
        while (await results.ReadAsync(cancellationToken))
            count++;
        return count;
    }

    private static Price Read(NpgsqlDataReader row)
    {
        var at = new RowReader(row);
        return new Price
        {
            Provider = at.Text()!,
            Model = at.Text()!,
            Meter = at.Text()!,
            UnitPriceUsd = at.Numeric()!.Value,
            Per = at.Integer()!.Value,
            ValidFrom = at.Time()!.Value,
            Note = at.Text(),
            IsDefault = at.Boolean(),
        };
    }

    /// <summary>Rolls a dry run back and carries out what it would have done.</summary>
    private sealed class TakeBack(PriceImportResult result) : Exception
    {
        public PriceImportResult Result { get; } = result;
    }
}
