namespace Voxbase.AspNetCore;

/// <summary>The price book.</summary>
/// <param name="Data">By provider, model, meter and date.</param>
internal sealed record PriceList(IReadOnlyList<Price> Data);

/// <summary><c>/v1/prices</c>.</summary>
internal sealed class PriceEndpoints(PriceBook prices)
{
    public void Map(VoxbaseRoutes routes) =>
        routes.At("/v1/prices")
            .Get(ListAsync, new Operation("prices.list", "Every price, by provider, model, meter and date") { Answers = { [200] = typeof(PriceList) } });

    private async Task ListAsync(Request request)
    {
        request.Query();
        await Responses.WriteAsync(
            request.Context, new PriceList(await prices.ListAsync(request.Caller, request.Aborted)), VoxbaseJson.Types.PriceList);
    }
}
