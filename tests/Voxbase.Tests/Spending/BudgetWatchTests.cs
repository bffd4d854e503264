using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging.Abstractions;
using Voxbase.Capture;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Spending;

public sealed class BudgetWatchTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_is_warned_once_and_ended_with_its_reason_when_the_budget_is_spent()
    {
        await using var db = await cluster.DatabaseAsync(spending => spending.ExceededGrace = TimeSpan.Zero);
        var (calls, watch, admission) = Watch(db);
        var user = await db.NewUserAsync();
        await db.LimitAsync(user, 1);
        var id = await db.CallAsync(user);
        await admission.AdmitAsync(user.UserId, id, Cancel);
        await admission.AdmitAsync(user.UserId, id, Cancel);
        var call = new FakeCall();
        using var running = calls.Enter(id, call);

        await ChargedAsync(0.79m);
        call.Told.ShouldBeEmpty();
        await ChargedAsync(0.01m);
        await ChargedAsync(0.1m);
        call.Told.ShouldBe(["budget_alert"]);
        call.Ended.ShouldBeEmpty();
        (await OpenAsync(db, user)).ShouldBe(["budget_alert"]);

        await ChargedAsync(0.1m);
        call.Told.ShouldBe(["budget_alert", "budget_exceeded"]);
        call.Ended.ShouldBe(["budget_exceeded"]);
        await ChargedAsync(0.1m);
        call.Ended.ShouldHaveSingleItem("it ends once");
        (await OpenAsync(db, user)).ShouldBe(["budget_alert", "budget_exceeded"]);

        await admission.ReleaseAsync(id, Cancel);
        (await db.PositionAsync(user)).ReservedUsd.ShouldBe(0);
        (await Should.ThrowAsync<VoxbaseException>(admission.AdmitAsync(user.UserId, Guid.CreateVersion7(), Cancel).AsTask())).Code.ShouldBe("budget_exceeded");

        async Task ChargedAsync(decimal usd)
        {
            await db.ChargeAsync(id, usd);
            admission.Charged(id);
            admission.Charged(id);
            await watch.CheckWaitingAsync(Cancel);
            await watch.Endings;
        }
    }

    [Fact]
    public async Task Every_running_call_of_the_user_is_told_and_ended_whichever_spent_it_and_nobody_elses()
    {
        await using var db = await cluster.DatabaseAsync(spending => spending.ExceededGrace = TimeSpan.Zero);
        var (calls, watch, admission) = Watch(db);
        var (user, other) = (await db.NewUserAsync(), await db.NewUserAsync());
        await db.LimitAsync(user, 5);
        var mine = await StartAsync(user, user, user);
        var theirs = await StartAsync(other);

        await db.ChargeAsync(mine[0].Id, 5);
        admission.Charged(mine[0].Id);
        await watch.CheckWaitingAsync(Cancel);
        await watch.Endings;

        foreach (var (_, call) in mine)
        {
            call.Told.ShouldBe(["budget_alert", "budget_exceeded"]);
            call.Ended.ShouldBe(["budget_exceeded"]);
        }

        theirs[0].Call.Told.ShouldBeEmpty();

        async Task<List<(Guid Id, FakeCall Call)>> StartAsync(params Caller[] owners)
        {
            var started = new List<(Guid, FakeCall)>();
            foreach (var owner in owners)
            {
                var id = await db.CallAsync(owner);
                await admission.AdmitAsync(owner.UserId, id, Cancel);
                var call = new FakeCall();
                calls.Enter(id, call);
                started.Add((id, call));
            }

            return started;
        }
    }

    [Fact]
    public async Task In_the_grace_the_client_is_told_and_the_call_goes_on_and_a_raised_limit_keeps_it()
    {
        var clock = new HandClock();
        await using var db = await cluster.DatabaseAsync(spending => spending.ExceededGrace = TimeSpan.FromSeconds(30), clock);
        var (calls, watch, admission) = Watch(db);
        var user = await db.NewUserAsync();
        await db.LimitAsync(user, 1);
        var id = await db.CallAsync(user);
        await admission.AdmitAsync(user.UserId, id, Cancel);
        var call = new FakeCall();
        calls.Enter(id, call);

        await db.ChargeAsync(id, 1);
        await watch.RunOnceAsync(Cancel);
        await clock.UntilWaitingAsync(Cancel);
        call.Told.ShouldContain("budget_exceeded");
        call.Ended.ShouldBeEmpty();
        await db.LimitAsync(user, 100);
        clock.FireAll();
        await watch.Endings;
        call.Ended.ShouldBeEmpty("there is room again");

        await db.LimitAsync(user, 1);
        (await watch.RunOnceAsync(Cancel)).Ending.ShouldBe(1, "found by looking, nothing was charged");
        await clock.UntilWaitingAsync(Cancel);
        clock.FireAll();
        await watch.Endings;
        call.Ended.ShouldBe(["budget_exceeded"]);
    }

    [Fact]
    public async Task A_budget_that_warns_ends_nothing_and_nobodys_call_has_none()
    {
        await using var db = await cluster.DatabaseAsync(spending => spending.ExceededGrace = TimeSpan.Zero);
        var (calls, watch, admission) = Watch(db);
        var user = await db.NewUserAsync();
        await db.LimitAsync(user, 1, OnExceed.Warn);
        var id = await db.CallAsync(user);
        var nobodys = (await db.Conversations.StartAsync(Caller.Service, new NewConversation { Status = ConversationStatus.Active }, Cancel)).Id;
        await admission.AdmitAsync(user.UserId, id, Cancel);
        await admission.AdmitAsync(null, nobodys, Cancel);
        var (call, unpaid) = (new FakeCall(), new FakeCall());
        calls.Enter(id, call);
        calls.Enter(nobodys, unpaid);

        await db.ChargeAsync(id, 10);
        await db.ChargeAsync(nobodys, 1000);
        admission.Charged(id);
        admission.Charged(nobodys);
        (await watch.CheckWaitingAsync(Cancel)).Checked.ShouldBe(2);
        await watch.Endings;

        call.Told.ShouldBe(["budget_alert"]);
        call.Ended.ShouldBeEmpty();
        unpaid.Told.ShouldBeEmpty();
        (await OpenAsync(db, user)).ShouldBe(["budget_alert", "budget_exceeded"]);
    }

    [Fact]
    public async Task A_call_that_cannot_be_told_is_ended_all_the_same_and_one_that_cannot_be_ended_is_tried_again()
    {
        await using var db = await cluster.DatabaseAsync(spending => spending.ExceededGrace = TimeSpan.Zero);
        var (calls, watch, admission) = Watch(db);
        var user = await db.NewUserAsync();
        await db.LimitAsync(user, 1);
        var id = await db.CallAsync(user);
        await admission.AdmitAsync(user.UserId, id, Cancel);
        var call = new FakeCall { CannotBeTold = true, FailingEnds = 1 };
        calls.Enter(id, call);
        await db.ChargeAsync(id, 1);

        await watch.RunOnceAsync(Cancel);
        await watch.Endings;
        call.Ended.ShouldBeEmpty();
        await watch.RunOnceAsync(Cancel);
        await watch.Endings;
        call.Ended.ShouldBe(["budget_exceeded"]);
    }

    [Fact]
    public async Task Running_calls_are_renewed_and_forgotten_when_they_are_over()
    {
        await using var db = await cluster.DatabaseAsync();
        var (_, watch, admission) = Watch(db);
        var user = await db.NewUserAsync();
        var id = await db.CallAsync(user);
        await admission.AdmitAsync(user.UserId, id, Cancel);
        await db.AsOwnerAsync("update vox.reservations set lapses_at = now() + interval '1 second'");

        (await watch.RunOnceAsync(Cancel)).Checked.ShouldBe(1);
        (await db.ScalarAsync(Caller.Service, "select bool_and(lapses_at > now() + interval '10 minutes') from vox.reservations")).ShouldBe(true);

        await db.Conversations.EndAsync(user, id, "hung up", cancellationToken: Cancel);
        await watch.RunOnceAsync(Cancel);
        (await watch.RunOnceAsync(Cancel)).ShouldBe(new BudgetRound(0, 0, 0, 0));
    }

    [Fact]
    public async Task Without_an_answer_of_the_database_new_calls_are_refused_and_running_ones_go_on()
    {
        await using var db = await cluster.DatabaseAsync();
        await using var absent = Absent();
        var (calls, watch, admission) = Watch(db, new Budgets(absent, db.Options, db.Time));
        var call = new FakeCall();
        var id = Guid.CreateVersion7();
        calls.Enter(id, call);

        var refused = await Should.ThrowAsync<VoxbaseException>(admission.AdmitAsync(Guid.CreateVersion7(), id, Cancel).AsTask());
        (refused.Code, refused.Error.Kind).ShouldBe(("budget_unknown", ErrorKind.Unavailable));
        admission.Charged(id);
        (await watch.CheckWaitingAsync(Cancel)).Unanswered.ShouldBe(1);
        await watch.Endings;
        call.Ended.ShouldBeEmpty();
        await admission.ReleaseAsync(id, Cancel);
    }

    [Fact]
    public async Task Where_it_is_configured_calls_begin_unchecked_and_running_ones_end_without_an_answer()
    {
        await using var db = await cluster.DatabaseAsync(spending =>
        {
            spending.AdmitWhenUnavailable = true;
            spending.EndWhenUnavailable = true;
            spending.ExceededGrace = TimeSpan.Zero;
        });
        await using var absent = Absent();
        var (calls, watch, admission) = Watch(db, new Budgets(absent, db.Options, db.Time));
        var call = new FakeCall();
        var id = Guid.CreateVersion7();
        calls.Enter(id, call);

        await admission.AdmitAsync(Guid.CreateVersion7(), id, Cancel);
        admission.Charged(id);
        await watch.CheckWaitingAsync(Cancel);
        await watch.Endings;
        call.Ended.ShouldBe(["budget_unknown"]);
    }

    [Fact]
    public async Task The_job_looks_at_what_is_charged_by_itself()
    {
        await using var db = await cluster.DatabaseAsync(spending => spending.ExceededGrace = TimeSpan.Zero);
        var (calls, watch, admission) = Watch(db);
        using var job = new BudgetWatchJob(watch, db.Options, db.Time, NullLogger<BudgetWatchJob>.Instance);
        await job.StartAsync(Cancel);
        var user = await db.NewUserAsync();
        await db.LimitAsync(user, 1);
        var id = await db.CallAsync(user);
        await admission.AdmitAsync(user.UserId, id, Cancel);
        var call = new FakeCall();
        calls.Enter(id, call);
        await db.ChargeAsync(id, 1);
        admission.Charged(id);

        (await call.FirstEnd.WaitAsync(TimeSpan.FromSeconds(60), Cancel)).ShouldBe("budget_exceeded");
        await job.StopAsync(Cancel);
    }

    [Fact]
    public async Task Without_budgets_every_call_is_admitted()
    {
        var admission = new CallAdmission(new RunningCalls());
        await admission.AdmitAsync(Guid.CreateVersion7(), Guid.CreateVersion7(), Cancel);
        admission.Charged(Guid.CreateVersion7());
        await admission.ReleaseAsync(Guid.CreateVersion7(), Cancel);
    }

    // Port 1 of this machine: nobody listens there.
    private static Database Absent() => new("Host=127.0.0.1;Port=1;Database=none;Username=nobody;Timeout=5");

    private static (RunningCalls Calls, BudgetWatch Watch, CallAdmission Admission) Watch(TestDatabase db, Budgets? budgets = null)
    {
        var calls = new RunningCalls();
        var watch = new BudgetWatch(budgets ?? db.Budgets, db.Alerts, calls, db.Options, db.Time, NullLogger<BudgetWatch>.Instance);
        return (calls, watch, new CallAdmission(calls, watch));
    }

    private static Task<List<string>> OpenAsync(TestDatabase db, Caller user) =>
        db.ColumnAsync("select rule from vox.alerts where user_id = $1 order by rule", Parameter.Uuid(user.UserId));

    private sealed class FakeCall : IRunningCall
    {
        private readonly TaskCompletionSource<string> firstEnd = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int failingEnds;

        public ConcurrentQueue<string> Told { get; } = new();

        public ConcurrentQueue<string> Ended { get; } = new();

        public bool CannotBeTold { get; init; }

        public int FailingEnds { init => failingEnds = value; }

        public Task<string> FirstEnd => firstEnd.Task;

        public ValueTask TellAsync(string code, string message, CancellationToken cancellationToken)
        {
            if (CannotBeTold)
                throw new IOException("The client's connection is broken.");
            message.ShouldNotBeNullOrWhiteSpace();
            Told.Enqueue(code);
            return ValueTask.CompletedTask;
        }

        public ValueTask EndAsync(string endReason, CancellationToken cancellationToken)
        {
            if (Interlocked.Decrement(ref failingEnds) >= 0)
                throw new HttpRequestException("The provider does not answer.");
            Ended.Enqueue(endReason);
            firstEnd.TrySetResult(endReason);
            return ValueTask.CompletedTask;
        }
    }

    /// <summary>A clock whose timers go off by hand.</summary>
    private sealed class HandClock : TimeProvider
    {
        private readonly ConcurrentQueue<(TimerCallback Callback, object? State)> timers = new();
        private readonly Channel<bool> made = Channel.CreateUnbounded<bool>();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            timers.Enqueue((callback, state));
            made.Writer.TryWrite(true);
            return new Nothing();
        }

        public Task<bool> UntilWaitingAsync(CancellationToken cancellationToken) =>
            made.Reader.ReadAsync(cancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(60), cancellationToken);

        public void FireAll()
        {
            while (timers.TryDequeue(out var timer))
                timer.Callback(timer.State);
        }

        private sealed class Nothing : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }
}
