using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests;

/// <summary>Starts, joins, calls and ends, each by 32 callers at once; and every move of status and state there is.</summary>
public sealed class LifecycleTests(TestCluster cluster)
{
    private const int Callers = 32;

    private static readonly Dictionary<ConversationStatus, ConversationStatus[]> StatusMoves = new()
    {
        [ConversationStatus.Pending] = [ConversationStatus.Active, ConversationStatus.Failed],
        [ConversationStatus.Active] = [ConversationStatus.Completed, ConversationStatus.Failed],
        [ConversationStatus.Completed] = [],
        [ConversationStatus.Failed] = [],
    };

    private static readonly Dictionary<ConversationState, ConversationState[]> StateMoves = new()
    {
        [ConversationState.Idle] = [ConversationState.Listening, ConversationState.Error],
        [ConversationState.Listening] = [ConversationState.Processing, ConversationState.Error],
        [ConversationState.Processing] = [ConversationState.Speaking, ConversationState.Error],
        [ConversationState.Speaking] = [ConversationState.Idle, ConversationState.Interrupted, ConversationState.Error],
        [ConversationState.Interrupted] = [ConversationState.Listening, ConversationState.Idle, ConversationState.Error],
        [ConversationState.Error] = [ConversationState.Idle],
    };

    // How to get from a fresh conversation to each state.
    private static readonly Dictionary<ConversationState, ConversationState[]> Ways = new()
    {
        [ConversationState.Idle] = [],
        [ConversationState.Listening] = [ConversationState.Listening],
        [ConversationState.Processing] = [ConversationState.Listening, ConversationState.Processing],
        [ConversationState.Speaking] = [ConversationState.Listening, ConversationState.Processing, ConversationState.Speaking],
        [ConversationState.Interrupted] =
            [ConversationState.Listening, ConversationState.Processing, ConversationState.Speaking, ConversationState.Interrupted],
        [ConversationState.Error] = [ConversationState.Error],
    };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Many_who_start_one_session_at_once_all_get_the_same_conversation()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        for (var round = 0; round < 5; round++)
        {
            var owner = await db.NewUserAsync();
            var session = $"sess_{round}";
            var started = await AtOnceAsync(n => db.Conversations.StartAsync(
                n % 3 == 0 ? Caller.Service : owner, new NewConversation { SessionId = session, UserId = owner.UserId, Name = $"by {n}" }, Cancel));
            started.Select(c => (c.Id, c.Name)).Distinct().Count().ShouldBe(1);
        }

        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.conversations")).ShouldBe(5L);
    }

    [Fact]
    public async Task Of_many_users_who_start_one_session_at_once_one_gets_it_and_the_others_are_refused()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        // Unknown to the database so far: each becomes a user by this very write.
        var users = Enumerable.Range(0, Callers).Select(n => Caller.User(Guid.CreateVersion7(), $"new-{n}@example.org")).ToList();
        var outcomes = await AtOnceAsync(n => OutcomeAsync(() => db.Conversations.StartAsync(users[n], new NewConversation { SessionId = "contested" }, Cancel)));
        outcomes.Count(o => o == "done").ShouldBe(1);
        outcomes.Where(o => o != "done").Distinct().ShouldBe(["session_taken"]);
    }

    [Fact]
    public async Task A_user_whose_first_writes_come_all_at_once_is_one_user()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = Caller.User(Guid.CreateVersion7(), "first@example.org");
        await AtOnceAsync(_ => db.Conversations.StartAsync(user, new NewConversation(), Cancel));
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.users where email = 'first@example.org'")).ShouldBe(1L);
        (await db.ScalarAsync(user, "select count(*) from vox.conversations")).ShouldBe((long)Callers);
    }

    [Fact]
    public async Task One_address_from_many_makes_one_user()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var users = await AtOnceAsync(n => db.Users.EnsureAsServiceAsync(n % 2 == 0 ? "Ada@example.org" : "ada@EXAMPLE.org", Cancel));
        users.Select(u => u.Id).Distinct().Count().ShouldBe(1);
    }

    [Fact]
    public async Task Many_who_join_one_participant_at_once_add_one_and_its_leaving_counts_once()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, id) = await StartAsync(db);
        var participant = Guid.CreateVersion7();
        var joined = await AtOnceAsync(n => db.Conversations.JoinAsync(
            owner, id, new NewParticipant { Id = participant, Identity = "ada", Name = $"by {n}" }, Cancel));
        joined.Select(p => p.Name).Distinct().Count().ShouldBe(1);
        var left = await AtOnceAsync(n => db.Conversations.LeaveAsync(owner, id, participant, $"reason {n}", cancellationToken: Cancel));
        left.Select(p => (p.LeftAt, p.DisconnectReason)).Distinct().Count().ShouldBe(1);
        (await db.ScalarAsync(owner, "select count(*) from vox.participants")).ShouldBe(1L);
    }

    [Fact]
    public async Task A_call_begun_and_finished_by_many_at_once_is_begun_and_finished_once()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, id) = await StartAsync(db);
        var begun = await AtOnceAsync(n => db.Conversations.BeginFunctionCallAsync(
            n % 2 == 0 ? owner : Caller.Service, id, new NewFunctionCall { CallId = "call_1", Name = $"f{n}" }, Cancel));
        begun.Select(c => (c.Id, c.Name)).Distinct().Count().ShouldBe(1);
        var finished = await AtOnceAsync(n => db.Conversations.FinishFunctionCallAsync(
            owner, id, "call_1", new FunctionCallEnd { Status = n % 2 == 0 ? "completed" : "failed", ErrorMessage = $"{n}" }, Cancel));
        finished.Select(c => (c.Status, c.ErrorMessage, c.ExecutionMs)).Distinct().Count().ShouldBe(1);
        (await db.Conversations.FindAsync(owner, id, Cancel)).FunctionCallCount.ShouldBe(1);
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Many_ends_at_once_are_one_end()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, id) = await StartAsync(db, ConversationStatus.Active);
        var ended = await AtOnceAsync(n => db.Conversations.EndAsync(
            n % 2 == 0 ? owner : Caller.Service, id, $"reason {n}", failed: n % 3 == 0, cancellationToken: Cancel));
        ended.Select(c => (c.Status, c.EndReason, c.EndedAt, c.DurationSeconds)).Distinct().Count().ShouldBe(1);
        var again = await db.Conversations.EndAsync(owner, id, "later", cancellationToken: Cancel);
        (again.Status, again.EndReason, again.EndedAt).ShouldBe((ended[0].Status, ended[0].EndReason, ended[0].EndedAt));
    }

    [Fact]
    public async Task Turns_appended_while_a_conversation_ends_are_all_kept()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, id) = await StartAsync(db);
        await AtOnceAsync(async n => n % 4 == 0
            ? (await db.Conversations.EndAsync(owner, id, cancellationToken: Cancel)).TurnCount
            : (await db.Conversations.AppendAsync(owner, id, new NewTurn { Role = TurnRole.User }, Cancel)).SequenceNumber);
        (await db.Conversations.FindAsync(owner, id, Cancel)).TurnCount.ShouldBe(Callers * 3 / 4);
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Status_moves_as_its_table_says_and_no_other_way()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        foreach (var (from, allowed) in StatusMoves)
        {
            foreach (var to in Enum.GetValues<ConversationStatus>().Where(to => to != from))
            {
                var (owner, id) = await StartAsync(db, from == ConversationStatus.Pending ? ConversationStatus.Pending : ConversationStatus.Active);
                if (from is ConversationStatus.Completed or ConversationStatus.Failed)
                    await db.Conversations.EndAsync(owner, id, failed: from == ConversationStatus.Failed, cancellationToken: Cancel);
                foreach (var caller in (Caller[])[owner, Caller.Service])
                {
                    var outcome = await OutcomeAsync(() => db.ExecuteAsync(
                        caller, "update vox.conversations set status = $2::vox.conversation_status where id = $1", Parameter.Uuid(id),
                        Parameter.Text(to.ToString().ToLowerInvariant())));
                    outcome.ShouldBe(allowed.Contains(to) ? "done" : "status_move_refused", $"{caller.Role}: {from} to {to}");
                    if (outcome == "done")
                        break;
                }
            }
        }
    }

    [Fact]
    public async Task State_moves_as_its_table_says_and_no_other_way()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        foreach (var (from, allowed) in StateMoves)
        {
            foreach (var to in Enum.GetValues<ConversationState>())
            {
                var (owner, id) = await StartAsync(db, ConversationStatus.Active);
                foreach (var step in Ways[from])
                    await db.Conversations.SetStateAsync(owner, id, step, Cancel);
                var outcome = await OutcomeAsync(() => db.Conversations.SetStateAsync(owner, id, to, Cancel));
                outcome.ShouldBe(to == from || allowed.Contains(to) ? "done" : "state_move_refused", $"{from} to {to}");
                (await db.Conversations.FindAsync(owner, id, Cancel)).State.ShouldBe(outcome == "done" ? to : from);
            }
        }
    }

    [Fact]
    public async Task An_end_without_a_connection_is_a_failure_unless_somebody_spoke()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, silent) = await StartAsync(db);
        (await db.Conversations.EndAsync(owner, silent, cancellationToken: Cancel)).Status.ShouldBe(ConversationStatus.Failed);
        var spoken = (await db.Conversations.StartAsync(owner, new NewConversation(), Cancel)).Id;
        await db.Conversations.AppendAsync(owner, spoken, new NewTurn { Role = TurnRole.User }, Cancel);
        (await db.Conversations.EndAsync(owner, spoken, cancellationToken: Cancel)).Status.ShouldBe(ConversationStatus.Completed);
    }

    private static async Task<(Caller Owner, Guid Id)> StartAsync(TestDatabase db, ConversationStatus status = ConversationStatus.Pending)
    {
        var owner = await db.NewUserAsync();
        return (owner, (await db.Conversations.StartAsync(owner, new NewConversation { Status = status }, Cancel)).Id);
    }

    private static async Task<T[]> AtOnceAsync<T>(Func<int, Task<T>> act)
    {
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var all = Task.WhenAll(Enumerable.Range(0, Callers).Select(async n =>
        {
            await go.Task;
            return await act(n);
        }));
        go.SetResult();
        return await all;
    }

    private static async Task<string> OutcomeAsync<T>(Func<Task<T>> act)
    {
        try
        {
            await act();
            return "done";
        }
        catch (VoxbaseException e)
        {
            return e.Code;
        }
    }
}
