namespace Voxbase.AspNetCore;

/// <summary>The price book.</summary>
/// <param name="Data">By provider, model, meter and date.</param>
internal sealed record PriceList(IReadOnlyList<Price> Data);

/// <summary>What a check of the price book found.</summary>
/// <param name="Data">Empty when every model in use has a price and a future.</param>
internal sealed record PriceFindings(IReadOnlyList<PriceFinding> Data);

/// <summary><c>/v1/prices</c>.</summary>
internal sealed class PriceEndpoints(PriceBook prices, PriceCheck check)
{
    public void Map(VoxbaseRoutes routes)
    {
        routes.At("/v1/prices")
            .Get(ListAsync, new Operation("prices.list", "Every price, by provider, model, meter and date") { Answers = { [200] = typeof(PriceList) } })
            .Put(SetAsync, new Operation("prices.set", "Set one price of this installation, or an array of them: all or none. Admins only")
            {
                Body = typeof(List<Price>),
                Query =
                {
                    ["replace"] = (typeof(bool), "Whether another price of the same provider, model, meter and date may be replaced; default false."),
                    ["dry_run"] = (typeof(bool), "Check everything and write nothing; default false."),
                },
                Answers = { [200] = typeof(PriceImportResult) },
                Errors = [SpendingErrors.PriceInvalid, SpendingErrors.PriceConflict],
            });
        routes.At("/v1/prices/check")
            .Get(CheckAsync, new Operation("prices.check", "Models in use without a price, or that their provider switches off. Admins only")
            {
                Query = { ["days"] = (typeof(int), "How many days back a model counts as in use; 1 to 3650, default 30.") },
                Answers = { [200] = typeof(PriceFindings) },
            });
    }

    private async Task ListAsync(Request request)
    {
        request.Query();
        await Responses.WriteAsync(
            request.Context, new PriceList(await prices.ListAsync(request.Caller, request.Aborted)), VoxbaseJson.Types.PriceList);
    }

    private async Task SetAsync(Request request)
    {
        var query = request.Query("replace", "dry_run");
        var (replace, dryRun) = (query.Flag("replace"), query.Flag("dry_run"));
        var (items, isArray) = await request.OneOrManyAsync(VoxbaseJson.Types.Price, VoxbaseJson.Types.ListPrice);
        var settings = new PriceImport { Replace = replace, DryRun = dryRun, Place = isArray ? null : static _ => "" };
        var result = await prices.ImportAsync(request.Caller, items, settings, request.Aborted);
        await Responses.WriteShortAsync(request.Context, result, VoxbaseJson.Types.PriceImportResult);
    }

    private async Task CheckAsync(Request request)
    {
        var days = request.Query("days").Integer("days") ?? 30;
        if (days is < 1 or > 3_650)
            throw HttpErrors.QueryInvalid.With($"The parameter 'days' must be between 1 and 3650 (was {days}).");
        await Responses.WriteAsync(
            request.Context, new PriceFindings(await check.RunAsync(request.Caller, days, request.Aborted)), VoxbaseJson.Types.PriceFindings);
    }
}
