using System.Collections.Concurrent;
using System.Globalization;
using Npgsql;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Spending;

/// <summary>
/// Random sequences of reserve, charge, retry, crash and release by 32 callers at once, while connections are killed and an observer counts
/// everything again in one snapshot after the other. <c>VOXBASE_BUDGET_ROUNDS</c> says how many calls each caller makes.
/// </summary>
public sealed class BudgetPropertyTests(TestCluster cluster)
{
    private const int Callers = 32;
    private const int Users = 3;
    private const decimal Limit = 10;
    private const decimal Reservation = 0.5m;

    // Spent plus what live reservations hold, of whoever is beyond the limit by more than one reservation.
    private const string OverspentText =
        """
        select format('%s: %s spent, %s reserved', p.user_id, p.spent_usd, p.reserved_usd)
        from vox.budget_positions p
        where p.spent_usd + p.reserved_usd > $1 + $2
        """;

    private readonly ConcurrentDictionary<Guid, decimal> acknowledged = new();
    private readonly ConcurrentDictionary<Guid, decimal> abandoned = new();
    private int admitted;
    private int refused;
    private int killed;
    private int deadlocks;
    private int failures;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static int Rounds => int.Parse(Environment.GetEnvironmentVariable("VOXBASE_BUDGET_ROUNDS") ?? "6", CultureInfo.InvariantCulture);

    [Fact]
    public async Task Whatever_callers_do_and_whatever_dies_nothing_is_overspent_lost_or_miscounted()
    {
        // Fewer connections than callers: they wait for one another there as well.
        await using var db = await cluster.DatabaseAsync(spending => spending.ReservationUsd = Reservation, pooled: 24);
        var users = new List<Caller>();
        for (var i = 0; i < Users; i++)
        {
            users.Add(await db.NewUserAsync());
            await db.LimitAsync(users[i], Limit);
        }

        using var over = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var observer = ObserveAsync(db, over.Token);
        var reaper = KillAsync(db, over.Token);
        await Task.WhenAll(Enumerable.Range(0, Callers).Select(n => Task.Run(() => CallAsync(db, users[n % Users], new Random(n)))));
        await over.CancelAsync();
        var observed = await observer;
        await reaper;

        // The pool may still hold connections that were killed as they finished.
        (await AnswerAsync(() => db.RecountAsync())).ShouldBeEmpty();
        (await AnswerAsync(() => Recount.FaultsAsync(db, Cancel))).ShouldBeEmpty();
        CheckCharges(await AnswerAsync(() => ChargesAsync(db)));
        deadlocks.ShouldBe(0);
        (admitted, refused).ShouldSatisfyAllConditions(() => admitted.ShouldBeGreaterThan(0), () => refused.ShouldBeGreaterThan(0));
        failures.ShouldBeGreaterThan(0, "no connection was killed in use, so nothing was tested");
        observed.ShouldBeGreaterThan(0);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{admitted} calls admitted, {refused} refused, {acknowledged.Count} charges, {abandoned.Count} abandoned, {killed} connections killed, {failures} failures met, counted again {observed} times");
    }

    private async Task CallAsync(TestDatabase db, Caller user, Random random)
    {
        for (var round = 0; round < Rounds; round++)
        {
            var call = Guid.CreateVersion7();
            await UntilDoneAsync(() => db.Conversations.StartAsync(
                Caller.Service, new NewConversation { Id = call, UserId = user.UserId, SessionId = $"s{call:n}", Status = ConversationStatus.Active }, Cancel));
            if (await ReserveAsync(db, user, call) is not { } held)
            {
                Interlocked.Increment(ref refused);
                continue;
            }

            Interlocked.Increment(ref admitted);
            for (var step = random.Next(6); step > 0; step--)
            {
                switch (random.Next(5))
                {
                    case 0:
                        // As a running call: it may be filled up, and what it holds is what it may spend.
                        held = (await AnswerAsync(() => db.Budgets.CheckAsServiceAsync(call, Cancel)))?.HeldUsd ?? 0;
                        break;
                    case 1:
                        held = await ReserveAsync(db, user, call) ?? 0;
                        break;
                    default:
                        held -= await ChargeAsync(db, call, held, random);
                        break;
                }
            }

            if (random.Next(4) == 0)
            {
                await CrashAsync(db, call, held, random);
                // Nobody renews it: sooner or later its time is over.
                await UntilDoneAsync(async () =>
                {
                    await db.AsOwnerAsync("update vox.reservations set lapses_at = now() where conversation_id = $1", Parameter.Uuid(call));
                    return 0;
                });
                if (random.Next(2) == 0)
                    await UntilDoneAsync(() => db.Budgets.ReleaseLapsedAsync(Cancel));
            }
            else
            {
                for (var times = random.Next(1, 3); times > 0; times--)
                    await UntilDoneAsync(async () =>
                    {
                        await db.Budgets.ReleaseAsync(call, Cancel);
                        return 0;
                    });
            }
        }
    }

    private async Task<decimal?> ReserveAsync(TestDatabase db, Caller user, Guid call)
    {
        try
        {
            return (await AnswerAsync(() => db.Budgets.ReserveAsync(user.UserId!.Value, call, Cancel))).HeldUsd;
        }
        catch (VoxbaseException e) when (e.Error == BudgetErrors.Exceeded)
        {
            return null;
        }
    }

    // One to three charges of no more than is held, again until they are acknowledged, and now and then once more after that.
    private async Task<decimal> ChargeAsync(TestDatabase db, Guid call, decimal held, Random random)
    {
        var charges = new List<NewCharge>();
        for (var count = random.Next(1, 4); count > 0; count--)
        {
            var cents = random.Next((int)(held / Spent.Unit) + 1);
            charges.Add(Spent.Of(call, cents * Spent.Unit));
            held -= cents * Spent.Unit;
        }

        for (var times = random.Next(4) == 0 ? 2 : 1; times > 0; times--)
        {
            await UntilDoneAsync(async () =>
            {
                await db.Charges.RecordAsServiceAsync(charges, Cancel);
                return 0;
            });
        }

        foreach (var charge in charges)
            acknowledged[charge.Id] = charge.Quantity * Spent.Unit;
        return charges.Sum(charge => charge.Quantity * Spent.Unit);
    }

    // Dies in the middle of a transaction that charges: before its commit, or with the commit on the way.
    private async Task CrashAsync(TestDatabase db, Guid call, decimal held, Random random)
    {
        var charge = Spent.Of(call, random.Next((int)(held / Spent.Unit) + 1) * Spent.Unit);
        abandoned[charge.Id] = charge.Quantity * Spent.Unit;
        try
        {
            if (random.Next(2) == 0)
            {
                await db.Database.InTransactionAsync<int>(
                    Caller.Service,
                    async transaction =>
                    {
                        transaction.Add(Charges.Record([charge]));
                        await transaction.FlushAsync(Cancel);
                        throw new InvalidOperationException("The process died.");
                    },
                    Cancel);
            }
            else
            {
                await db.Charges.RecordAsServiceAsync([charge], Cancel);
            }
        }
        catch (Exception e) when (e is InvalidOperationException or VoxbaseException)
        {
            Met(e);
        }
    }

    private async Task<int> ObserveAsync(TestDatabase db, CancellationToken over)
    {
        var observed = 0;
        while (!over.IsCancellationRequested)
        {
            (await AnswerAsync(() => db.RecountAsync())).ShouldBeEmpty();
            (await AnswerAsync(() => db.ColumnAsync(OverspentText, Parameter.Numeric(Limit), Parameter.Numeric(Reservation)))).ShouldBeEmpty();
            observed++;
        }

        return observed;
    }

    // Kills whatever works for this database, from outside, as a network or an administrator does.
    private async Task KillAsync(TestDatabase db, CancellationToken over)
    {
        var name = new NpgsqlConnectionStringBuilder(db.ConnectionString).Database!;
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(cluster.SuperuserConnectionStringOf("postgres")) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(Cancel);
        while (!over.IsCancellationRequested)
        {
            await using var kill = new NpgsqlCommand(
                """
                select count(pg_terminate_backend(pid)) from (
                  select pid from pg_stat_activity where datname = $1 and backend_type = 'client backend' and state in ('active', 'idle in transaction') order by random() limit 1
                ) one
                """,
                connection)
            { Parameters = { new() { Value = name } } };
            Interlocked.Add(ref killed, (int)(long)(await kill.ExecuteScalarAsync(Cancel))!);
            try
            {
                await Task.Delay(40, over);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task UntilDoneAsync<T>(Func<Task<T>> work) => await AnswerAsync(work);

    // Everything may be repeated; that is what is tested.
    private async Task<T> AnswerAsync<T>(Func<Task<T>> work)
    {
        while (true)
        {
            try
            {
                return await work();
            }
            catch (VoxbaseException e) when (e.Error.Kind == ErrorKind.Unavailable)
            {
                Met(e);
            }
            catch (NpgsqlException e)
            {
                // What goes around the library's own error mapping.
                Met(e);
            }
        }
    }

    private void Met(Exception e)
    {
        if (e is not InvalidOperationException)
            Interlocked.Increment(ref failures);
        for (var inner = e; inner is not null; inner = inner.InnerException)
        {
            if (inner is PostgresException { SqlState: PostgresErrorCodes.DeadlockDetected })
                Interlocked.Increment(ref deadlocks);
        }
    }

    private static Task<Dictionary<Guid, decimal>> ChargesAsync(TestDatabase db) =>
        db.Database.RunAsync(
            Caller.Service,
            [new Statement("select id, amount_usd from vox.charges")],
            static async (results, ct) =>
            {
                var charges = new Dictionary<Guid, decimal>();
                while (await results.ReadAsync(ct))
                    charges.Add(results.GetGuid(0), results.GetDecimal(1));
                return charges;
            },
            Cancel);

    private void CheckCharges(Dictionary<Guid, decimal> kept)
    {
        acknowledged.Where(charge => kept.GetValueOrDefault(charge.Key, -1) != charge.Value).ShouldBeEmpty("acknowledged and lost");
        kept.Keys.Where(id => !acknowledged.ContainsKey(id) && !abandoned.ContainsKey(id)).ShouldBeEmpty("charged and never asked for");
    }
}
