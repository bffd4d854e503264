using System.CommandLine;
using Voxbase.Server.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase prices [list|set|import|check|reprice]</c>: what models cost, and from when.</summary>
internal static class PricesCommand
{
    public static Command Create(Shell shell)
    {
        var model = new Option<string?>("--model") { Description = "Only models whose name begins so", HelpName = "name" };
        var list = new Command("list", "List the price book.") { model, shell.Json };
        list.SetAction((parsed, ct) => ListAsync(shell, parsed, parsed.GetValue(model), ct));
        var replace = new Option<bool>("--replace") { Description = "Replace what is set for the same provider, model, meter and date" };
        var command = new Command("prices", "The price book: what each model costs by meter, from which date on.")
        {
            list, Set(shell, replace), PricesImportCommand.Create(shell, replace), PricesCheckCommand.Create(shell), PricesRepriceCommand.Create(shell), shell.Json,
        };
        command.SetAction((parsed, ct) => ListAsync(shell, parsed, null, ct));
        return shell.WithExamples(
            command,
            "voxbase prices list --model gpt-realtime",
            "voxbase prices set --model gpt-realtime --meter llm.input.audio --price 30 --per 1000000 --from 2026-06-01",
            "voxbase prices import contract.csv --dry-run",
            "voxbase prices reprice --from 2026-05-01 --to 2026-06-01 --dry-run");
    }

    private static Task<int> ListAsync(Shell shell, ParseResult parsed, string? model, CancellationToken cancellationToken) =>
        shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var prices = await session.Get<PriceBook>().ListAsync(Caller.Service, cancellationToken);
                if (model is not null)
                    prices = [.. prices.Where(price => price.Model.StartsWith(model, StringComparison.Ordinal))];
                if (parsed.GetValue(shell.Json))
                    Output.WriteJson(prices);
                else
                    PriceTable.Write(shell.Output, prices);
                return 0;
            },
            cancellationToken);

    private static Command Set(Shell shell, Option<bool> replace)
    {
        var provider = new Option<string>("--provider") { Description = "Who charges", DefaultValueFactory = _ => "openai", HelpName = "name" };
        var model = new Option<string>("--model") { Description = "The model's exact name, a prefix ending in *, or a /regular expression/", Required = true, HelpName = "name" };
        var meter = new Option<string>("--meter") { Description = "What is counted: " + string.Join(", ", Meters.Priced), Required = true, HelpName = "meter" };
        var price = Arguments.Amount("--price", "US dollars");
        price.Required = true;
        var per = new Option<int>("--per")
        {
            Description = "For how many units: 1000000 for a price per million tokens, 60 for one per minute",
            DefaultValueFactory = _ => 1,
            HelpName = "units",
        };
        var from = Arguments.Moment("--from", "From when it holds; now when left out");
        var note = new Option<string?>("--note") { Description = "Where it comes from", HelpName = "text" };
        var command = new Command("set", "Set a price of this installation. It wins over a shipped one; charges already recorded stay as they are.")
        {
            model, meter, price, per, from, provider, note, replace, shell.Json,
        };
        command.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var set = new Price
                {
                    Provider = parsed.GetValue(provider)!,
                    Model = parsed.GetValue(model)!,
                    Meter = parsed.GetValue(meter)!,
                    UnitPriceUsd = parsed.GetValue(price)!.Value,
                    Per = parsed.GetValue(per),
                    ValidFrom = parsed.GetValue(from) ?? DateTimeOffset.UtcNow,
                    Note = parsed.GetValue(note),
                };
                await session.Get<PriceBook>().SetAsync(Caller.Service, set, parsed.GetValue(replace), ct);
                if (parsed.GetValue(shell.Json))
                    Output.WriteJson(set);
                else
                    PriceTable.Write(shell.Output, [set]);
                return 0;
            },
            ct));
        return shell.WithExamples(
            command,
            "voxbase prices set --model my-tts --provider acme --meter tts.characters --price 15 --per 1000000 --note \"contract of May\"");
    }
}
