using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Spending;

public sealed class BudgetsTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Charges_use_up_what_a_call_holds_and_its_end_lets_go_of_the_rest()
    {
        await using var db = await cluster.DatabaseAsync();
        var user = await db.NewUserAsync();
        var call = await db.CallAsync(user);

        var standing = await db.Budgets.ReserveAsync(user.UserId!.Value, call, Cancel);
        (standing.LimitUsd, standing.SpentUsd, standing.ReservedUsd, standing.HeldUsd, standing.OnExceed).ShouldBe((500m, 0m, 1m, 1m, OnExceed.Stop));
        await db.ChargeAsync(call, 0.4m);
        var position = await db.PositionAsync(user);
        (position.SpentUsd, position.ReservedUsd, position.Conversations, position.Ratio).ShouldBe((0.4m, 0.6m, 1, 0.0008m));

        await db.ChargeAsync(call, 5);
        (await db.PositionAsync(user)).ReservedUsd.ShouldBe(0);
        await db.Budgets.ReleaseAsync(call, Cancel);
        await db.Budgets.ReleaseAsync(call, Cancel);
        position = await db.PositionAsync(user);
        (position.SpentUsd, position.ReservedUsd).ShouldBe((5.4m, 0m));
        (await db.RecountAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Reserving_again_holds_once_however_many_do_it_at_once()
    {
        await using var db = await cluster.DatabaseAsync();
        var user = await db.NewUserAsync();
        var call = Guid.CreateVersion7();

        var standings = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => db.Budgets.ReserveAsync(user.UserId!.Value, call, Cancel)));

        standings.ShouldAllBe(standing => standing.HeldUsd == 1);
        (await db.PositionAsync(user)).ReservedUsd.ShouldBe(1);
        (await db.RecountAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Of_calls_that_begin_at_once_as_many_are_admitted_as_the_limit_holds_and_one_for_the_rest()
    {
        await using var db = await cluster.DatabaseAsync();
        var user = await db.NewUserAsync();
        await db.LimitAsync(user, 2.5m);

        var outcomes = await Task.WhenAll(Enumerable.Range(0, 32).Select(async _ =>
        {
            try
            {
                await db.Budgets.ReserveAsync(user.UserId!.Value, Guid.CreateVersion7(), Cancel);
                return "admitted";
            }
            catch (VoxbaseException e)
            {
                return e.Code;
            }
        }));

        outcomes.CountBy(outcome => outcome).ToDictionary().ShouldBe(new Dictionary<string, int> { ["admitted"] = 3, ["budget_exceeded"] = 29 }, ignoreOrder: true);
        (await db.PositionAsync(user)).ReservedUsd.ShouldBe(3);
        (await db.RecountAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_call_is_refused_when_the_limit_is_spent_or_nothing_and_only_told_of_when_it_warns()
    {
        await using var db = await cluster.DatabaseAsync();
        var (spender, barred, warned) = (await db.NewUserAsync(), await db.NewUserAsync(), await db.NewUserAsync());
        foreach (var user in (Caller[])[spender, warned])
            await db.ChargeAsync(await db.CallAsync(user), 2);
        await db.LimitAsync(spender, 2);
        await db.LimitAsync(barred, 0);
        await db.LimitAsync(warned, 2, OnExceed.Warn);

        foreach (var user in (Caller[])[spender, barred])
        {
            var refused = await Should.ThrowAsync<VoxbaseException>(db.Budgets.ReserveAsync(user.UserId!.Value, Guid.CreateVersion7(), Cancel));
            refused.Code.ShouldBe("budget_exceeded");
            (await db.PositionAsync(user)).ReservedUsd.ShouldBe(0, "nothing is held");
        }

        (await db.Budgets.ReserveAsync(warned.UserId!.Value, Guid.CreateVersion7(), Cancel)).MustStop.ShouldBeFalse();
    }

    [Fact]
    public async Task A_running_call_is_filled_up_below_half_as_long_as_there_is_room()
    {
        await using var db = await cluster.DatabaseAsync();
        var user = await db.NewUserAsync();
        await db.LimitAsync(user, 1.5m);
        var call = await db.CallAsync(user);
        await db.Budgets.ReserveAsync(user.UserId!.Value, call, Cancel);

        await db.ChargeAsync(call, 0.5m);
        (await db.Budgets.CheckAsServiceAsync(call, Cancel))!.HeldUsd.ShouldBe(0.5m, "half is enough");
        await db.ChargeAsync(call, 0.1m);
        (await db.Budgets.CheckAsServiceAsync(call, Cancel))!.HeldUsd.ShouldBe(1m, "0.6 + 0.4 are below the limit");
        await db.ChargeAsync(call, 0.7m);
        var low = (await db.Budgets.CheckAsServiceAsync(call, Cancel))!;
        (low.HeldUsd, low.SpentUsd, low.MustStop).ShouldBe((0.3m, 1.3m, false), "1.3 + 0.3 are not");
        await db.ChargeAsync(call, 0.2m);
        (await db.Budgets.CheckAsServiceAsync(call, Cancel))!.MustStop.ShouldBeTrue();
        (await db.RecountAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_lapsed_reservation_counts_no_more_whether_or_not_anybody_takes_it_away()
    {
        await using var db = await cluster.DatabaseAsync();
        var user = await db.NewUserAsync();
        await db.LimitAsync(user, 1);
        await db.Budgets.ReserveAsync(user.UserId!.Value, Guid.CreateVersion7(), Cancel);
        await db.AsOwnerAsync("update vox.reservations set lapses_at = now() - interval '1 second'");

        (await db.PositionAsync(user)).ReservedUsd.ShouldBe(0);
        await db.Budgets.ReserveAsync(user.UserId!.Value, Guid.CreateVersion7(), Cancel);
        (await db.PositionAsync(user)).ReservedUsd.ShouldBe(1);

        await db.AsOwnerAsync("update vox.reservations set lapses_at = now() - interval '1 second'");
        (await db.Budgets.ReleaseLapsedAsync(Cancel)).ShouldBe(1);
        (await db.Budgets.ReleaseLapsedAsync(Cancel)).ShouldBe(0);
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.reservations")).ShouldBe(0L);
        (await db.RecountAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_call_that_is_over_holds_nothing_after_the_next_look()
    {
        await using var db = await cluster.DatabaseAsync();
        var user = await db.NewUserAsync();
        var call = await db.CallAsync(user);
        await db.Budgets.ReserveAsync(user.UserId!.Value, call, Cancel);
        await db.Conversations.EndAsync(user, call, "hung up", cancellationToken: Cancel);

        (await db.Budgets.CheckAsServiceAsync(call, Cancel)).ShouldBeNull();
        (await db.PositionAsync(user)).ReservedUsd.ShouldBe(0);
        (await db.Budgets.CheckAsServiceAsync(Guid.CreateVersion7(), Cancel)).ShouldBeNull("nobody pays for what nobody knows");
    }

    [Fact]
    public async Task Who_is_not_in_the_book_of_users_is_held_to_the_first_tier()
    {
        await using var db = await cluster.DatabaseAsync();
        await db.Budgets.SetAsync(Caller.Service, UserTier.Free, new BudgetChange { LimitUsd = 2 }, Cancel);
        var (unknown, deleted) = (Guid.CreateVersion7(), await db.NewUserAsync());
        await db.Budgets.ReserveAsync(unknown, Guid.CreateVersion7(), Cancel);
        await db.Budgets.ReserveAsync(unknown, Guid.CreateVersion7(), Cancel);
        await ShouldFailAsync(db.Budgets.ReserveAsync(unknown, Guid.CreateVersion7(), Cancel), "budget_exceeded");

        await db.ChargeAsync(await db.CallAsync(deleted), 2);
        await db.ExecuteAsync(Caller.Service, "update vox.users set deleted_at = now() where id = $1", Parameter.Uuid(deleted.UserId));
        await ShouldFailAsync(db.Budgets.ReserveAsync(deleted.UserId!.Value, Guid.CreateVersion7(), Cancel), "budget_exceeded");
    }

    // The month of a charge is that of its time; what a call holds is its user's, whatever the month.
    [Fact]
    public async Task A_call_across_a_month_boundary_is_charged_in_both_and_keeps_what_it_holds()
    {
        await using var db = await cluster.DatabaseAsync();
        var user = await db.NewUserAsync();
        var call = await db.CallAsync(user);
        await db.Budgets.ReserveAsync(user.UserId!.Value, call, Cancel);
        var month = (await db.PositionAsync(user)).Month;
        var midnight = new DateTimeOffset(month.ToDateTime(TimeOnly.MinValue), TimeSpan.Zero);

        await db.Charges.RecordAsServiceAsync([Spent.Of(call, 0.2m, midnight.AddTicks(-10)), Spent.Of(call, 0.3m, midnight)], Cancel);
        await db.ChargeAsync(call, 0.1m, midnight);
        await db.ChargeAsync(call, 0.1m, midnight.AddDays(-1));

        var position = await db.PositionAsync(user);
        (position.SpentUsd, position.ReservedUsd, position.Conversations).ShouldBe((0.4m, 0.3m, 1));
        (await db.ScalarAsync(user, "select amount_usd from vox.monthly_spend where month < $1", Parameter.Date(month))).ShouldBe(0.3m);
        (await db.RecountAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Corrections_lower_what_is_spent_and_leave_what_is_held()
    {
        await using var db = await cluster.DatabaseAsync();
        var user = await db.NewUserAsync();
        var call = await db.CallAsync(user);
        await db.Budgets.ReserveAsync(user.UserId!.Value, call, Cancel);
        await db.ChargeAsync(call, 0.5m);

        await db.ExecuteAsync(
            Caller.Service,
            """
            insert into vox.charges (conversation_id, stage, meter, provider, quantity, unit_price_usd, charged_at)
            values ($1, 'llm', 'request', 'test', 1, -0.2, now())
            """,
            Parameter.Uuid(call));

        var position = await db.PositionAsync(user);
        (position.SpentUsd, position.ReservedUsd).ShouldBe((0.3m, 0.5m));
        (await db.RecountAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Tokens_are_counted_whatever_their_kind_and_unpriced_ones_too()
    {
        await using var db = await cluster.DatabaseAsync();
        var user = await db.NewUserAsync();
        var call = await db.CallAsync(user);
        string[] meters = [Meters.InputText, Meters.OutputAudio, Meters.InputUnsplit, Meters.TranscriptionOutputText, Meters.TranscribedSeconds, Meters.Requests];
        await db.Charges.RecordAsServiceAsync(
            [.. meters.Select(meter => Spent.Of(call, 1) with { Meter = meter, Model = "priceless", Quantity = 100 })], Cancel);

        var position = await db.PositionAsync(user);
        (position.Tokens, position.SpentUsd).ShouldBe((400m, 0m));
        (await db.RecountAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_tier_says_what_the_user_does_not_and_an_override_ends_by_itself()
    {
        await using var db = await cluster.DatabaseAsync();
        var (user, other) = (await db.NewUserAsync(), await db.NewUserAsync());
        await db.Budgets.SetAsync(Caller.Service, UserTier.Free, new BudgetChange { LimitUsd = 20, AlertRatio = 0.5m }, Cancel);
        await db.Budgets.SetAsync(Caller.Service, user.UserId!.Value, new BudgetChange { OnExceed = OnExceed.Warn }, Cancel);
        await db.Budgets.SetAsync(Caller.Service, user.UserId!.Value, new BudgetChange { AlertRatio = 0.9m }, Cancel);
        Terms(await db.PositionAsync(user)).ShouldBe((20m, 0.9m, OnExceed.Warn));
        Terms(await db.PositionAsync(other)).ShouldBe((20m, 0.5m, OnExceed.Stop));

        await db.Budgets.OverrideAsync(
            Caller.Service, user.UserId!.Value, new BudgetOverride { LimitUsd = 1000, Until = DateTimeOffset.UtcNow.AddDays(1), Note = "launch" }, Cancel);
        (await db.PositionAsync(user)).LimitUsd.ShouldBe(1000);
        await db.AsOwnerAsync("update vox.budgets set override_until = now() where user_id is not null");
        (await db.PositionAsync(user)).LimitUsd.ShouldBe(20);
        (await db.PositionAsync(user)).OverrideUntil.ShouldBeNull();

        await db.Budgets.EndOverrideAsync(Caller.Service, user.UserId!.Value, Cancel);
        await db.Budgets.ResetAsync(Caller.Service, user.UserId!.Value, Cancel);
        Terms(await db.PositionAsync(user)).ShouldBe((20m, 0.5m, OnExceed.Stop));
        await ShouldFailAsync(db.Budgets.ResetAsync(Caller.Service, user.UserId!.Value, Cancel), "budget_not_found");
        await ShouldFailAsync(db.Budgets.EndOverrideAsync(Caller.Service, user.UserId!.Value, Cancel), "budget_not_found");

        static (decimal, decimal, OnExceed) Terms(BudgetPosition position) => (position.LimitUsd, position.AlertRatio, position.OnExceed);
    }

    [Fact]
    public async Task Users_see_their_own_position_and_admins_everybodys_and_only_they_change_budgets()
    {
        await using var db = await cluster.DatabaseAsync();
        var (user, stranger, admin) = (await db.NewUserAsync(), await db.NewUserAsync(), await db.NewUserAsync(isAdmin: true));
        var unknown = Caller.User(Guid.CreateVersion7());
        await db.LimitAsync(user, 42);
        await db.ChargeAsync(await db.CallAsync(user), 1);

        foreach (var caller in (Caller[])[user, admin, Caller.Service])
            (await db.Budgets.PositionAsync(caller, user.UserId!.Value, Cancel)).SpentUsd.ShouldBe(1);
        (await db.Budgets.PositionAsync(unknown, unknown.UserId!.Value, Cancel)).LimitUsd.ShouldBe(500, "known by the token alone");
        await ShouldFailAsync(db.Budgets.PositionAsync(stranger, user.UserId!.Value, Cancel), "user_not_found");
        (await db.Budgets.ListAsync(stranger, Cancel)).ShouldAllBe(budget => budget.UserId == null);
        (await db.Budgets.ListAsync(user, Cancel)).Single(budget => budget.UserId == user.UserId).LimitUsd.ShouldBe(42);

        var change = new BudgetChange { LimitUsd = 1_000_000 };
        await ShouldFailAsync(db.Budgets.SetAsync(user, user.UserId!.Value, change, Cancel), "forbidden");
        await ShouldFailAsync(db.Budgets.SetAsync(user, UserTier.Free, change, Cancel), "forbidden");
        await ShouldFailAsync(db.Budgets.OverrideAsync(user, user.UserId!.Value, new BudgetOverride { LimitUsd = 1, Until = DateTimeOffset.UtcNow.AddDays(1) }, Cancel), "forbidden");
        await ShouldFailAsync(db.Budgets.ResetAsync(user, user.UserId!.Value, Cancel), "budget_not_found");
        await ShouldFailAsync(db.Budgets.SetWindowAsync(user, new BudgetWindow("Europe/Berlin", 1), Cancel), "forbidden");
        await ShouldFailAsync(db.Budgets.SetAsync(admin, Guid.CreateVersion7(), change, Cancel), "user_not_found");
        (await db.PositionAsync(user)).LimitUsd.ShouldBe(42);

        await db.Budgets.SetAsync(admin, user.UserId!.Value, new BudgetChange { LimitUsd = 43 }, Cancel);
        (await db.ScalarAsync(
            Caller.Service, "select count(*) from vox.audit_log where actor_id = $1 and action like 'budget.%' and resource = 'budgets/' || $2::text",
            Parameter.Uuid(admin.UserId), Parameter.Uuid(user.UserId))).ShouldBe(1L);
    }

    [Fact]
    public async Task A_budget_that_cannot_be_one_is_refused_and_changes_nothing()
    {
        await using var db = await cluster.DatabaseAsync();
        var user = await db.NewUserAsync();
        BudgetChange[] unacceptable =
        [
            new() { LimitUsd = -1 }, new() { LimitUsd = 1_000_000_000 }, new() { LimitUsd = 0.0000000001m }, new() { LimitUsd = decimal.MaxValue },
            new() { AlertRatio = 0 }, new() { AlertRatio = 1.01m }, new() { AlertRatio = 0.12345m }, new() { OnExceed = (OnExceed)7 }, new(),
        ];
        foreach (var change in unacceptable)
        {
            await ShouldFailAsync(db.Budgets.SetAsync(Caller.Service, user.UserId!.Value, change, Cancel), "budget_invalid");
            await ShouldFailAsync(db.Budgets.SetAsync(Caller.Service, UserTier.Pro, change, Cancel), "budget_invalid");
        }

        (await db.Budgets.ListAsync(Caller.Service, Cancel)).Select(budget => (budget.Tier, budget.LimitUsd, budget.AlertRatio, budget.OnExceed)).ShouldBe(
            Enum.GetValues<UserTier>().Select(tier => ((UserTier?)tier, (decimal?)500m, (decimal?)0.8m, (OnExceed?)OnExceed.Stop)));
    }

    [Fact]
    public async Task Absurd_dates_tiers_and_windows_are_refused_and_change_nothing()
    {
        await using var db = await cluster.DatabaseAsync();
        var user = await db.NewUserAsync();
        foreach (var until in (DateTimeOffset[])[DateTimeOffset.MinValue, DateTimeOffset.UtcNow.AddSeconds(-1), DateTimeOffset.UtcNow.AddYears(11), DateTimeOffset.MaxValue])
            await ShouldFailAsync(db.Budgets.OverrideAsync(Caller.Service, user.UserId!.Value, new BudgetOverride { LimitUsd = 1, Until = until }, Cancel), "budget_invalid");
        await ShouldFailAsync(
            db.Budgets.OverrideAsync(Caller.Service, user.UserId!.Value, new BudgetOverride { LimitUsd = -1, Until = DateTimeOffset.UtcNow.AddDays(1) }, Cancel), "budget_invalid");
        await ShouldFailAsync(db.Budgets.SetAsync(Caller.Service, (UserTier)9, new BudgetChange { LimitUsd = 1 }, Cancel), "budget_invalid");
        await ShouldFailAsync(db.Budgets.SetWindowAsync(Caller.Service, new BudgetWindow("UTC", 29), Cancel), "budget_invalid");
        await ShouldFailAsync(db.Budgets.SetWindowAsync(Caller.Service, new BudgetWindow("Mars/Olympus", 1), Cancel), "value_invalid");
        // NaN is greater than every number: without an upper bound it would pass for a limit.
        await ShouldFailAsync(
            db.ExecuteAsync(Caller.Service, "insert into vox.budgets (user_id, limit_usd) values ($1, 'NaN')", Parameter.Uuid(user.UserId)), "value_invalid");
        (await db.Budgets.WindowAsync(user, Cancel)).ShouldBe(new BudgetWindow("UTC", 1));
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.budgets where user_id is not null")).ShouldBe(0L);
    }

    [Fact]
    public async Task Another_window_counts_every_month_again()
    {
        await using var db = await cluster.DatabaseAsync();
        var user = await db.NewUserAsync();
        var call = await db.CallAsync(user);
        // Five minutes to midnight in UTC is the next day in Berlin.
        foreach (var at in (string[])["2026-01-31T23:55:00Z", "2026-02-14T22:30:00Z", "2026-02-14T23:30:00Z", "2026-03-01T00:00:00Z"])
            await db.ChargeAsync(call, 1, DateTimeOffset.Parse(at, System.Globalization.CultureInfo.InvariantCulture));
        (await MonthsAsync()).ShouldBe(["2026-01-01 1", "2026-02-01 2", "2026-03-01 1"]);

        await db.Budgets.SetWindowAsync(Caller.Service, new BudgetWindow("Europe/Berlin", 15), Cancel);

        (await MonthsAsync()).ShouldBe(["2026-01-15 2", "2026-02-15 2"]);
        await db.ChargeAsync(call, 1, new DateTimeOffset(2026, 2, 14, 23, 0, 0, TimeSpan.Zero));
        (await MonthsAsync()).ShouldBe(["2026-01-15 2", "2026-02-15 3"]);
        (await db.RecountAsync()).ShouldBeEmpty();

        Task<List<string>> MonthsAsync() =>
            db.ColumnAsync("select to_char(month, 'YYYY-MM-DD') || ' ' || trim_scale(amount_usd) from vox.monthly_spend order by month");
    }

    [Fact]
    public async Task What_a_conversation_cost_follows_it_to_another_owner()
    {
        await using var db = await cluster.DatabaseAsync();
        var (from, to) = (await db.NewUserAsync(), await db.NewUserAsync());
        var call = await db.CallAsync(from);
        await db.ChargeAsync(call, 3);
        await db.ChargeAsync(await db.CallAsync(from), 1);

        await db.ExecuteAsync(
            Caller.Service, "update vox.conversations set user_id = $2 where id = $1", Parameter.Uuid(call), Parameter.Uuid(to.UserId));

        (await db.PositionAsync(from)).SpentUsd.ShouldBe(1);
        (await db.PositionAsync(to)).SpentUsd.ShouldBe(3);
        (await db.RecountAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Whatever_changes_what_a_user_may_spend_holds_for_the_next_reservation()
    {
        await using var db = await cluster.DatabaseAsync();
        var (user, other) = (await db.NewUserAsync(), await db.NewUserAsync());
        var id = user.UserId!.Value;
        (await StandingAsync()).ShouldBe((500m, 0m));

        await db.LimitAsync(user, 42);
        (await StandingAsync()).ShouldBe((42m, 0m));
        var until = DateTimeOffset.UtcNow.AddMinutes(1);
        await db.Budgets.OverrideAsync(Caller.Service, id, new BudgetOverride { LimitUsd = 99, Until = until }, Cancel);
        (await StandingAsync()).ShouldBe((99m, 0m));
        (await db.ColumnAsync("select (known_until <= $1)::text from vox.reserved_spend where user_id = $2", Parameter.Time(until), Parameter.Uuid(id)))
            .ShouldBe(["true"], "not longer than the override holds");
        await db.Budgets.ResetAsync(Caller.Service, id, Cancel);
        (await StandingAsync()).ShouldBe((500m, 0m));
        await db.Budgets.SetAsync(Caller.Service, UserTier.Free, new BudgetChange { LimitUsd = 30 }, Cancel);
        (await StandingAsync()).ShouldBe((30m, 0m));
        await db.ExecuteAsync(Caller.Service, "update vox.users set tier = 'pro' where id = $1", Parameter.Uuid(id));
        (await StandingAsync()).ShouldBe((500m, 0m));
        await db.ExecuteAsync(Caller.Service, "update vox.users set deleted_at = now() where id = $1", Parameter.Uuid(id));
        (await StandingAsync()).ShouldBe((30m, 0m));
        await db.ExecuteAsync(Caller.Service, "update vox.users set deleted_at = null where id = $1", Parameter.Uuid(id));

        var call = await db.CallAsync(user);
        await db.ChargeAsync(call, 2);
        (await StandingAsync()).ShouldBe((500m, 2m));
        await db.ChargeAsync(call, 1, DateTimeOffset.UtcNow.AddDays(-40));
        (await StandingAsync()).ShouldBe((500m, 2m), "that was another month");
        await db.Budgets.SetWindowAsync(Caller.Service, new BudgetWindow("Pacific/Kiritimati", 1), Cancel);
        (await StandingAsync()).ShouldBe((500m, (await db.PositionAsync(user)).SpentUsd));
        (await db.RecountAsync()).ShouldBeEmpty();
        await db.ExecuteAsync(
            Caller.Service, "update vox.conversations set user_id = $2 where id = $1", Parameter.Uuid(call), Parameter.Uuid(other.UserId));
        (await StandingAsync()).ShouldBe((500m, 0m));

        async Task<(decimal Limit, decimal Spent)> StandingAsync()
        {
            // Twice: one reads the terms anew, the other has them.
            await db.Budgets.ReserveAsync(id, Guid.CreateVersion7(), Cancel);
            var standing = await db.Budgets.ReserveAsync(id, Guid.CreateVersion7(), Cancel);
            return (standing.LimitUsd, standing.SpentUsd);
        }
    }

    [Fact]
    public async Task The_first_reservation_misses_nothing_that_happens_at_the_same_time()
    {
        await using var db = await cluster.DatabaseAsync();
        for (var round = 0; round < 25; round++)
        {
            var user = await db.NewUserAsync();
            var call = await db.CallAsync(user);
            await Task.WhenAll(
                Task.Run(() => db.Budgets.ReserveAsync(user.UserId!.Value, call, Cancel), Cancel),
                Task.Run(() => db.Budgets.ReserveAsync(user.UserId!.Value, Guid.CreateVersion7(), Cancel), Cancel),
                Task.Run(() => db.Budgets.CheckAsServiceAsync(call, Cancel), Cancel),
                Task.Run(() => db.ChargeAsync(call, 0.3m), Cancel),
                Task.Run(() => db.LimitAsync(user, 7), Cancel),
                Task.Run(() => db.ExecuteAsync(Caller.Service, "update vox.users set tier = 'pro' where id = $1", Parameter.Uuid(user.UserId)), Cancel),
                Task.Run(() => db.Budgets.SetAsync(Caller.Service, UserTier.Pro, new BudgetChange { AlertRatio = 0.5m + (0.01m * round) }, Cancel), Cancel),
                Task.Run(() => db.Budgets.ReleaseLapsedAsync(Cancel), Cancel));

            var standing = await db.Budgets.ReserveAsync(user.UserId!.Value, Guid.CreateVersion7(), Cancel);
            (standing.LimitUsd, standing.SpentUsd, standing.AlertRatio).ShouldBe((7m, 0.3m, 0.5m + (0.01m * round)));
            (await db.RecountAsync()).ShouldBeEmpty();
        }
    }

    private static async Task ShouldFailAsync(Task task, string code) => (await Should.ThrowAsync<VoxbaseException>(task)).Code.ShouldBe(code);
}
