using System.Text.Json.Serialization;
using Npgsql;
using Voxbase.Data;

namespace Voxbase;

/// <summary>What a unit of a meter costs from a date on.</summary>
public sealed record Price
{
    /// <summary>Who charges, for example <c>openai</c>.</summary>
    public required string Provider { get; init; }

    /// <summary>A model's exact name, or a prefix ending in <c>*</c>. The exact name wins, then the longest prefix.</summary>
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

/// <summary>Prices by provider, model, meter and date.</summary>
public sealed class PriceBook(Database database)
{
    internal const string ListSql =
        """
        select provider, model, meter, unit_price_usd, per, valid_from, note, is_default
        from vox.prices
        order by provider, model, meter, valid_from, is_default desc
        """;

    internal const string SetSql =
        """
        insert into vox.prices (provider, model, meter, unit_price_usd, per, valid_from, note)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (provider, model, meter, valid_from, is_default)
        do update set unit_price_usd = excluded.unit_price_usd, per = excluded.per, note = excluded.note
        """;

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
    /// Setting the same key and date again replaces it. Charges already recorded keep the price they copied. Admins and the service only.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>price_invalid</c>, <c>forbidden</c>.</exception>
    public Task SetAsync(Caller caller, Price price, CancellationToken cancellationToken = default)
    {
        if (price.UnitPriceUsd < 0)
            throw SpendingErrors.PriceInvalid.With($"unit_price_usd must not be negative (was {price.UnitPriceUsd})");
        if (decimal.Round(price.UnitPriceUsd, 9) != price.UnitPriceUsd || price.UnitPriceUsd >= 1_000_000_000)
            throw SpendingErrors.PriceInvalid.With($"unit_price_usd has at most 9 decimals and is below 1,000,000,000 (was {price.UnitPriceUsd})");
        if (price.Per < 1)
            throw SpendingErrors.PriceInvalid.With($"per must be at least 1 (was {price.Per})");
        if (!Meters.All.Contains(price.Meter))
            throw SpendingErrors.PriceInvalid.With($"'{price.Meter}' is not a meter; the meters are {string.Join(", ", Meters.All)}");
        var star = price.Model.IndexOf('*', StringComparison.Ordinal);
        if (price.Model.Length == 0 || price.Model.Any(char.IsWhiteSpace) || (star >= 0 && star != price.Model.Length - 1))
            throw SpendingErrors.PriceInvalid.With($"model '{price.Model}' is neither a name nor a prefix ending in *");
        if (string.IsNullOrWhiteSpace(price.Provider))
            throw SpendingErrors.PriceInvalid.With("provider must not be empty");
        return database.RunAsync(
            caller,
            [
                new Statement(
                    SetSql, Parameter.Text(price.Provider), Parameter.Text(price.Model), Parameter.Text(price.Meter),
                    Parameter.Numeric(price.UnitPriceUsd), Parameter.Integer(price.Per), Parameter.Time(price.ValidFrom),
                    Parameter.Text(price.Note)),
            ],
            cancellationToken);
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
}
