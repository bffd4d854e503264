using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Voxbase.Capture;

namespace Voxbase.Bench;

/// <summary>What budgets cost.</summary>
internal static class BudgetBench
{
    private const int Slices = 10;
    private const int Each = 100;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchEnvironment environment, int rounds)
    {
        var db = environment.Database;
        await environment.ExecuteAsync("create table public.raw_balance (id integer primary key, amount numeric(18,9) not null) with (fillfactor = 50)");
        await environment.ExecuteAsync("insert into public.raw_balance values (1, 0)");
        await using var connection = await environment.Raw.OpenConnectionAsync();
        await using var update = new NpgsqlCommand("update public.raw_balance set amount = amount + $1 where id = $2", connection)
        {
            Parameters = { new NpgsqlParameter<decimal> { TypedValue = 0.000001m }, new NpgsqlParameter<int> { TypedValue = 1 } },
        };
        await update.PrepareAsync();
        var watch = new BudgetWatch(db.Budgets, db.Alerts, new RunningCalls(), db.Options, TimeProvider.System, NullLogger<BudgetWatch>.Instance);
        using var job = new BudgetWatchJob(watch, db.Options, TimeProvider.System, NullLogger<BudgetWatchJob>.Instance);
        await job.StartAsync(CancellationToken.None);
        var (watched, free) = (await environment.NewConversationAsync(), await environment.NewConversationAsync());
        await db.Budgets.ReserveAsync(environment.User.UserId!.Value, watched);

        var (reserving, appending, charging) = (new List<(double, double)>(), new List<(double, double)>(), new List<(double, double)>());
        for (var round = -1; round < rounds; round++)
        {
            var (reserve, raw, with, without, kept, unkept) =
                (new List<double>(), new List<double>(), new List<double>(), new List<double>(), new List<double>(), new List<double>());
            for (var slice = 0; slice < Slices; slice++)
            {
                raw.AddRange(await Benches.TimesAsync(Each, () => update.ExecuteNonQueryAsync()));
                reserve.AddRange(await Benches.TimesAsync(Each, () => ReserveAndSettleAsync(environment)));
                without.AddRange(await Benches.TimesAsync(Each, () => db.Conversations.AppendAsync(environment.User, free, RawAppends.Turn())));
                with.AddRange(await Benches.TimesAsync(Each, async () =>
                {
                    await db.Conversations.AppendAsync(environment.User, watched, RawAppends.Turn());
                    watch.Charged(watched);
                }));
            }

            // Once a round: turning a trigger off makes every plan anew.
            kept.AddRange(await ChargesAsync(environment, watched));
            await environment.ExecuteAsync("alter table vox.charges disable trigger charges_spent");
            unkept.AddRange(await ChargesAsync(environment, watched));
            await environment.ExecuteAsync("alter table vox.charges enable trigger charges_spent");
            if (round < 0)
                continue;
            reserving.Add((Figure.Median(reserve), Figure.Median(raw)));
            appending.Add((Figure.Median(with), Figure.Median(without)));
            charging.Add((Figure.Median(kept), Figure.Median(unkept)));
        }

        await job.StopAsync(CancellationToken.None);
        return
        [
            Figure.Of("budgets", "reserve and settle", "µs", reserving, "raw update of one row", 2, atLeast: false),
            Figure.Of("budgets", "an append with its budget watched", "µs", appending, "without", 1.1, atLeast: false),
            Figure.Of("budgets", "a charge kept by month", "µs", charging, "without", null, atLeast: false),
        ];
    }

    private static async Task ReserveAndSettleAsync(BenchEnvironment environment)
    {
        var call = Guid.CreateVersion7();
        await environment.Database.Budgets.ReserveAsync(environment.User.UserId!.Value, call);
        await environment.Database.Budgets.ReleaseAsync(call);
    }

    private static async Task<List<double>> ChargesAsync(BenchEnvironment environment, Guid conversation)
    {
        await Benches.TimesAsync(Each, ChargeAsync);
        return await Benches.TimesAsync(Each, ChargeAsync);

        Task ChargeAsync() => environment.Database.Charges.RecordAsServiceAsync(
        [
            new NewCharge
            {
                Id = Guid.CreateVersion7(), ConversationId = conversation, Stage = "llm", Meter = Meters.OutputText, Provider = "openai",
                Model = "gpt-realtime", Quantity = 1, ChargedAt = DateTimeOffset.UtcNow,
            },
        ]);
    }
}
