using Microsoft.Extensions.Logging.Abstractions;
using Voxbase.Data;
using Voxbase.Testing;
using Voxbase.Tests.Spending;

namespace Voxbase.Tests.Alerting;

public sealed class AlertsTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Budgets_alert_at_their_own_ratio_and_again_at_the_limit()
    {
        await using var db = await cluster.DatabaseAsync();
        var (careful, other) = (await db.NewUserAsync(), await db.NewUserAsync());
        await db.Budgets.SetAsync(Caller.Service, careful.UserId!.Value, new BudgetChange { LimitUsd = 10, AlertRatio = 0.5m }, Cancel);
        await db.LimitAsync(other, 10);
        var (mine, theirs) = (await db.CallAsync(careful), await db.CallAsync(other));
        await db.ChargeAsync(mine, 5);
        await db.ChargeAsync(theirs, 5);

        (await EvaluateAsync(db)).ShouldBe((1, 0));
        var alert = (await OpenAsync(db)).ShouldHaveSingleItem();
        (alert.Rule, alert.UserId, alert.Value, alert.Threshold, alert.Severity).ShouldBe(("budget_alert", careful.UserId, 0.5m, 0.5m, AlertSeverity.Warning));
        alert.Message.ShouldContain("50 %");

        await db.ChargeAsync(mine, 5);
        (await EvaluateAsync(db)).ShouldBe((1, 0));
        (await OpenAsync(db)).Select(one => one.Rule).ShouldBe(["budget_exceeded", "budget_alert"]);
        (await EvaluateAsync(db)).ShouldBe((0, 0));
        await db.LimitAsync(careful, 11);
        (await EvaluateAsync(db)).ShouldBe((0, 1));
    }

    [Fact]
    public async Task Failures_alert_over_the_rate_resolve_well_below_it_and_in_between_do_neither()
    {
        await using var db = await cluster.DatabaseAsync();
        var user = await db.NewUserAsync();
        await EndAsync(db, user, failed: 1, completed: 10);
        (await EvaluateAsync(db)).ShouldBe((0, 0), "too few to say");
        await EndAsync(db, user, failed: 0, completed: 9);
        (await EvaluateAsync(db)).ShouldBe((1, 0), "1 of 20");
        (await OpenAsync(db)).Single().Subject.ShouldBe("installation");
        await EndAsync(db, user, failed: 0, completed: 2);
        (await EvaluateAsync(db)).ShouldBe((0, 0), "1 of 22 is below 5 %, but not below 4 %");
        await EndAsync(db, user, failed: 0, completed: 4);
        (await EvaluateAsync(db)).ShouldBe((0, 1), "1 of 26");
        await EndAsync(db, user, failed: 1, completed: 0);
        (await EvaluateAsync(db)).ShouldBe((1, 0), "2 of 27: another crossing, another alert");
        (await db.Alerts.ListAsync(Caller.Service, all: true, cancellationToken: Cancel)).Count.ShouldBe(2);
    }

    [Fact]
    public async Task Rates_can_be_taken_by_user_kind_and_model()
    {
        await using var db = await cluster.DatabaseAsync();
        var (bad, good) = (await db.NewUserAsync(), await db.NewUserAsync());
        await EndAsync(db, bad, failed: 2, completed: 0);
        await EndAsync(db, good, failed: 0, completed: 2);
        await db.ExecuteAsync(Caller.Service, "update vox.conversations set llm_model = case when user_id = $1 then 'flaky' else 'solid' end", Parameter.Uuid(bad.UserId));
        foreach (var scope in (string[])["user", "kind", "model"])
            await db.Alerts.SetRuleAsync(Caller.Service, $"failures_by_{scope}", new AlertRuleChange { Measure = "failure_rate", Scope = scope, Threshold = 0.6m, MinSamples = 2 }, Cancel);

        (await EvaluateAsync(db)).ShouldBe((2, 0));
        (await OpenAsync(db)).Select(alert => alert.Subject).ShouldBe([$"user/{bad.UserId}", "model/flaky"], ignoreOrder: true);
    }

    [Fact]
    public async Task A_call_that_runs_for_two_hours_alerts_until_it_ends()
    {
        await using var db = await cluster.DatabaseAsync();
        var user = await db.NewUserAsync();
        var (old, young) = (await db.CallAsync(user), await db.CallAsync(user));
        await db.ExecuteAsync(Caller.Service, "update vox.conversations set connected_at = now() - interval '2 hours 1 minute' where id = $1", Parameter.Uuid(old));
        await db.ExecuteAsync(Caller.Service, "update vox.conversations set connected_at = now() - interval '1 hour' where id = $1", Parameter.Uuid(young));

        (await EvaluateAsync(db)).ShouldBe((1, 0));
        (await OpenAsync(db)).Single().ShouldSatisfyAllConditions(
            alert => alert.Subject.ShouldBe($"conversation/{old}"), alert => alert.UserId.ShouldBe(user.UserId), alert => alert.Message.ShouldContain("121 min"));
        await db.Conversations.EndAsync(user, old, "hung up", cancellationToken: Cancel);
        (await EvaluateAsync(db)).ShouldBe((0, 1));
    }

    [Fact]
    public async Task Slow_answers_alert_at_the_95th_percentile()
    {
        await using var db = await cluster.DatabaseAsync();
        var user = await db.NewUserAsync();
        var call = await db.CallAsync(user);
        await AnswerAsync(18, 500);
        await AnswerAsync(2, 9_000);
        (await EvaluateAsync(db)).ShouldBe((1, 0), "the 19th of 20");
        (await OpenAsync(db)).Single().Value.ShouldBe(9_000);
        await AnswerAsync(30, 500);
        (await EvaluateAsync(db)).ShouldBe((0, 1));

        Task AnswerAsync(int count, int ms) => db.Conversations.AppendAsync(
            user, call, [.. Enumerable.Range(0, count).Select(_ => new NewTurn { Role = TurnRole.Assistant, EndToEndMs = ms })], Cancel);
    }

    [Fact]
    public async Task A_days_tokens_alert_over_twice_the_mean_of_the_week_before()
    {
        await using var db = await cluster.DatabaseAsync();
        var startedOn = DateTimeOffset.UtcNow.UtcDateTime.Date;
        var (heavy, steady, fresh) = (await db.NewUserAsync(), await db.NewUserAsync(), await db.NewUserAsync());
        for (var day = 1; day <= 7; day++)
        {
            await UseAsync(heavy, day, 100_000);
            await UseAsync(steady, day, 100_000);
        }

        await UseAsync(heavy, 0, 200_000);
        await UseAsync(steady, 0, 199_999);
        await UseAsync(fresh, 0, 5_000_000);
        Assert.SkipUnless(DateTimeOffset.UtcNow.UtcDateTime.Date == startedOn, "Midnight passed meanwhile, and another day began.");
        (await EvaluateAsync(db)).ShouldBe((1, 0), "somebody without a past has no mean");
        (await OpenAsync(db)).Single().UserId.ShouldBe(heavy.UserId);

        async Task UseAsync(Caller user, int daysAgo, int tokens)
        {
            // By the middle of the day, so that it is the day meant whenever the test runs; today by its beginning.
            var today = new DateTimeOffset(startedOn, TimeSpan.Zero);
            var id = Guid.CreateVersion7(daysAgo == 0 ? today : today.AddDays(-daysAgo).AddHours(12));
            await db.Conversations.StartAsync(user, new NewConversation { Id = id }, Cancel);
            await db.Conversations.AppendAsync(user, id, new NewTurn { Role = TurnRole.User, InputTokens = tokens }, Cancel);
        }
    }

    [Fact]
    public async Task An_application_brings_a_measure_of_its_own_and_rules_name_it()
    {
        await using var db = await cluster.DatabaseAsync();
        var value = 5m;
        var measure = new AlertMeasure
        {
            Name = "queue_length",
            Summary = "Jobs that wait.",
            Unit = "jobs",
            Scopes = ["installation"],
            MeasureAsync = (rule, _) => Task.FromResult<IReadOnlyList<Measured>>([new Measured("queue/mail", null, value)]),
        };
        var alerts = new Alerts(db.Database, new WebhookSender(db.Options, db.Time), [measure], db.Options, NullLogger<Alerts>.Instance);
        await alerts.SetRuleAsync(Caller.Service, "queue_long", new AlertRuleChange { Measure = "queue_length", Threshold = 10, EverySeconds = 0 }, Cancel);
        (await alerts.RunOnceAsync(Cancel)).Opened.ShouldBe(0);
        value = 10;
        (await alerts.RunOnceAsync(Cancel)).Opened.ShouldBe(1);
        (await OpenAsync(db)).Single().Message.ShouldContain("10 jobs");
        value = 9;
        (await alerts.RunOnceAsync(Cancel)).Resolved.ShouldBe(0, "it resolves below nine tenths");
        value = 8.9m;
        (await alerts.RunOnceAsync(Cancel)).Resolved.ShouldBe(1);

        // A server that does not know the measure leaves the rule alone, and evaluates the others.
        await db.ExecuteAsync(Caller.Service, "update vox.alert_rules set evaluated_at = null");
        (await db.Alerts.RunOnceAsync(Cancel)).Evaluated.ShouldBe(7);
    }

    [Fact]
    public async Task A_rule_that_is_turned_off_watches_nothing_and_its_alerts_are_over()
    {
        await using var db = await cluster.DatabaseAsync();
        var user = await db.NewUserAsync();
        await db.LimitAsync(user, 1);
        await db.ChargeAsync(await db.CallAsync(user), 0.9m);
        (await EvaluateAsync(db)).ShouldBe((1, 0));
        await db.Alerts.SetRuleAsync(Caller.Service, "budget_alert", new AlertRuleChange { IsEnabled = false }, Cancel);
        (await EvaluateAsync(db)).ShouldBe((0, 0));
        (await OpenAsync(db)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Many_servers_that_evaluate_at_once_open_one_alert()
    {
        await using var db = await cluster.DatabaseAsync();
        await db.ExecuteAsync(Caller.Service, "update vox.alert_rules set every_seconds = 0");
        var user = await db.NewUserAsync();
        await db.LimitAsync(user, 1);
        await db.ChargeAsync(await db.CallAsync(user), 0.9m);

        var runs = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => db.Alerts.RunOnceAsync(Cancel))));

        runs.Sum(run => run.Opened).ShouldBe(1);
        runs.Sum(run => run.Resolved).ShouldBe(0);
        (await db.Alerts.ListAsync(Caller.Service, all: true, cancellationToken: Cancel)).Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_rule_is_evaluated_when_it_is_due_by_whoever_comes_first()
    {
        await using var db = await cluster.DatabaseAsync();
        (await db.Alerts.RunOnceAsync(Cancel)).Evaluated.ShouldBe(6);
        (await db.Alerts.RunOnceAsync(Cancel)).Evaluated.ShouldBe(0);
        await db.ExecuteAsync(Caller.Service, "update vox.alert_rules set evaluated_at = now() - interval '1 hour'");
        var runs = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => db.Alerts.RunOnceAsync(Cancel))));
        runs.Sum(run => run.Evaluated).ShouldBe(6);
    }

    [Fact]
    public async Task Users_see_what_concerns_them_and_admins_all_and_acknowledge()
    {
        await using var db = await cluster.DatabaseAsync();
        var (user, stranger, admin) = (await db.NewUserAsync(), await db.NewUserAsync(), await db.NewUserAsync(isAdmin: true));
        await db.LimitAsync(user, 1);
        await db.ChargeAsync(await db.CallAsync(user), 0.9m);
        await EvaluateAsync(db);

        var alert = (await db.Alerts.ListAsync(user, cancellationToken: Cancel)).ShouldHaveSingleItem();
        (await db.Alerts.ListAsync(stranger, cancellationToken: Cancel)).ShouldBeEmpty();
        (await db.Alerts.RulesAsync(user, Cancel)).ShouldBeEmpty();
        await ShouldFailAsync(db.Alerts.AcknowledgeAsync(user, alert.Id, Cancel), "alert_not_found");
        await db.Alerts.AcknowledgeAsync(admin, alert.Id, Cancel);
        await db.Alerts.AcknowledgeAsync(Caller.Service, alert.Id, Cancel);
        (await db.Alerts.ListAsync(admin, cancellationToken: Cancel)).Single().AcknowledgedBy.ShouldBe(admin.UserId, "the first who did");
        await ShouldFailAsync(db.Alerts.AcknowledgeAsync(admin, Guid.CreateVersion7(), Cancel), "alert_not_found");
        (await db.Alerts.ListAsync(Caller.Service, before: alert.Id, cancellationToken: Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_rule_that_cannot_be_one_is_refused_and_changes_nothing()
    {
        await using var db = await cluster.DatabaseAsync();
        var before = await db.Alerts.RulesAsync(Caller.Service, Cancel);
        (string Name, AlertRuleChange Change)[] unacceptable =
        [
            ("latency_p95", new AlertRuleChange { Measure = "no_such" }),
            ("latency_p95", new AlertRuleChange { Scope = "planet" }),
            ("latency_p95", new AlertRuleChange { Threshold = -1 }),
            ("latency_p95", new AlertRuleChange { Threshold = decimal.MaxValue }),
            ("latency_p95", new AlertRuleChange { ResolveRatio = 0 }),
            ("latency_p95", new AlertRuleChange { ResolveRatio = 1.1m }),
            ("latency_p95", new AlertRuleChange { WindowMinutes = 0 }),
            ("latency_p95", new AlertRuleChange { MinSamples = 0 }),
            ("latency_p95", new AlertRuleChange { EverySeconds = -1 }),
            ("latency_p95", new AlertRuleChange { Severity = (AlertSeverity)9 }),
            ("latency_p95", new AlertRuleChange { Description = "" }),
            ("Not a name", new AlertRuleChange { Measure = "failure_rate", Threshold = 1 }),
            ("new_one", new AlertRuleChange { Threshold = 1 }),
            ("new_one", new AlertRuleChange { Measure = "failure_rate" }),
        ];
        foreach (var (name, change) in unacceptable)
            await ShouldFailAsync(db.Alerts.SetRuleAsync(Caller.Service, name, change, Cancel), "alert_rule_invalid");
        (await db.Alerts.RulesAsync(Caller.Service, Cancel)).ShouldBe(before);
    }

    [Fact]
    public async Task Rules_are_the_admins()
    {
        await using var db = await cluster.DatabaseAsync();
        var (user, admin) = (await db.NewUserAsync(), await db.NewUserAsync(isAdmin: true));
        var wanted = new AlertRuleChange { Measure = "failure_rate", Threshold = 0.5m };
        await ShouldFailAsync(db.Alerts.SetRuleAsync(user, "mine", wanted, Cancel), "forbidden");
        (await db.Alerts.SetRuleAsync(admin, "mine", wanted, Cancel)).Scope.ShouldBe("installation");
        (await db.Alerts.SetRuleAsync(admin, "mine", new AlertRuleChange { Threshold = 0.6m }, Cancel)).Measure.ShouldBe("failure_rate");
        await ShouldFailAsync(db.Alerts.DeleteRuleAsync(user, "mine", Cancel), "alert_rule_not_found");
        await db.Alerts.DeleteRuleAsync(admin, "mine", Cancel);
        (await db.Alerts.RulesAsync(admin, Cancel)).Count.ShouldBe(6);
    }

    private static async Task<(int Opened, int Resolved)> EvaluateAsync(TestDatabase db)
    {
        await db.ExecuteAsync(Caller.Service, "update vox.alert_rules set evaluated_at = null");
        var run = await db.Alerts.RunOnceAsync(Cancel);
        return (run.Opened, run.Resolved);
    }

    private static Task<IReadOnlyList<Alert>> OpenAsync(TestDatabase db) => db.Alerts.ListAsync(Caller.Service, cancellationToken: Cancel);

    private static async Task EndAsync(TestDatabase db, Caller user, int failed, int completed)
    {
        for (var i = 0; i < failed + completed; i++)
        {
            var id = await db.CallAsync(user);
            await db.ExecuteAsync(
                Caller.Service, "update vox.conversations set status = $2::vox.conversation_status where id = $1",
                Parameter.Uuid(id), Parameter.Text(i < failed ? "failed" : "completed"));
        }
    }

    private static async Task ShouldFailAsync(Task task, string code) => (await Should.ThrowAsync<VoxbaseException>(task)).Code.ShouldBe(code);
}
