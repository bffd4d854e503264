using Voxbase.Testing;

namespace Voxbase.Tests;

public sealed class ConversationsTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Starting_again_with_the_same_session_id_returns_the_first()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        var first = await db.Conversations.StartAsync(user, new NewConversation { SessionId = "sess_1", Name = "first" }, Cancel);
        var second = await db.Conversations.StartAsync(user, new NewConversation { SessionId = "sess_1", Name = "second" }, Cancel);
        second.ShouldBe(first, "the second start changes nothing");
        first.UserId.ShouldBe(user.UserId);
    }

    [Fact]
    public async Task A_session_id_of_somebody_else_is_refused()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await db.Conversations.StartAsync(await db.NewUserAsync(), new NewConversation { SessionId = "sess_1" }, Cancel);
        var stranger = await db.NewUserAsync();
        var error = await Should.ThrowAsync<VoxbaseException>(() => db.Conversations.StartAsync(stranger, new NewConversation { SessionId = "sess_1" }, Cancel));
        error.Code.ShouldBe("session_taken");
    }

    [Fact]
    public async Task Appended_turns_are_numbered_from_one_and_a_retry_adds_nothing()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        var conversation = await db.Conversations.StartAsync(user, new NewConversation(), Cancel);
        var turns = Enumerable.Range(0, 5).Select(i => new NewTurn { Id = Guid.CreateVersion7(), Role = TurnRole.User, RawText = $"turn {i}", InputTokens = 10 }).ToList();

        var appended = await db.Conversations.AppendAsync(user, conversation.Id, turns, Cancel);
        var again = await db.Conversations.AppendAsync(user, conversation.Id, turns, Cancel);

        appended.Select(t => t.SequenceNumber).ShouldBe([1, 2, 3, 4, 5]);
        appended.ShouldAllBe(t => t.Added);
        again.ShouldBe(appended.Select(t => t with { Added = false }));
        var record = await db.Conversations.GetAsync(user, conversation.Id, Cancel);
        record.Turns.Select(t => t.RawText).ShouldBe(turns.Select(t => t.RawText));
        record.Conversation.TurnCount.ShouldBe(5);
        record.Conversation.InputTokens.ShouldBe(50);
    }

    [Fact]
    public async Task A_turn_appended_twice_in_one_call_is_added_once()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        var conversation = await db.Conversations.StartAsync(user, new NewConversation(), Cancel);
        var turn = new NewTurn { Id = Guid.CreateVersion7(), Role = TurnRole.User, RawText = "once" };
        var appended = await db.Conversations.AppendAsync(user, conversation.Id, [turn, turn], Cancel);
        appended.Select(t => (t.SequenceNumber, t.Added)).ShouldBe([(1, true), (1, false)]);
    }

    [Fact]
    public async Task Reading_somebody_elses_record_as_admin_or_service_leaves_a_row_and_as_owner_none()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, admin, stranger) = (await db.NewUserAsync(), await db.NewUserAsync(isAdmin: true), await db.NewUserAsync());
        var conversation = await db.Conversations.StartAsync(owner, new NewConversation(), Cancel);

        await db.Conversations.GetAsync(owner, conversation.Id, Cancel);
        await Should.ThrowAsync<VoxbaseException>(() => db.Conversations.GetAsync(stranger, conversation.Id, Cancel));
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.audit_log")).ShouldBe(0L);
        await db.Conversations.GetAsync(admin, conversation.Id, Cancel);
        await db.Conversations.GetAsync(Caller.Service, conversation.Id, Cancel);

        (await db.ScalarAsync(Caller.Service, "select string_agg(actor_role || ' ' || action || ' ' || resource, ', ' order by id) from vox.audit_log"))
            .ShouldBe($"authenticated conversation.read conversations/{conversation.Id}, service_role conversation.read conversations/{conversation.Id}");
        (await db.ScalarAsync(admin, "select actor_id from vox.audit_log")).ShouldBe(admin.UserId);
    }

    [Fact]
    public async Task The_context_prefers_cleaned_text_and_what_was_heard_and_fits_its_budget()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        var conversation = await db.Conversations.StartAsync(user, new NewConversation(), Cancel);
        await db.Conversations.AppendAsync(
            user,
            conversation.Id,
            [
                new NewTurn { Role = TurnRole.User, RawText = new string('a', 400) },
                new NewTurn { Role = TurnRole.User, RawText = "uh hello", CleanedText = "Hello." },
                new NewTurn { Role = TurnRole.Assistant, RawText = "Good morning, how can I help you today?", HeardText = "Good morning,", Interrupted = true },
                new NewTurn { Role = TurnRole.User },
                new NewTurn { Role = TurnRole.User, RawText = "Book a table" },
            ],
            Cancel);

        var context = await db.Conversations.ContextAsync(user, conversation.Id, maxTokens: 40, cancellationToken: Cancel);
        context.Messages.Select(m => m.Text).ShouldBe(["Hello.", "Good morning,", "Book a table"]);
        context.Messages.Select(m => m.SequenceNumber).ShouldBe([2, 3, 5]);
        context.OmittedTurns.ShouldBe(1);
        context.Tokens.ShouldBe(2 + 4 + 4 + 4 + 3 + 4);
        (await db.Conversations.ContextAsync(user, conversation.Id, maxTokens: 1, cancellationToken: Cancel)).Messages.ShouldHaveSingleItem().Text.ShouldBe("Book a table");
        (await db.Conversations.ContextAsync(user, conversation.Id, maxTurns: 2, cancellationToken: Cancel)).OmittedTurns.ShouldBe(3);
    }

    [Fact]
    public async Task Pages_of_conversations_and_of_turns_meet_without_overlap()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (user, other) = (await db.NewUserAsync(), await db.NewUserAsync());
        var started = new List<Guid>();
        for (var i = 0; i < 7; i++)
        {
            started.Add((await db.Conversations.StartAsync(user, new NewConversation { Kind = i % 2 == 0 ? ConversationKind.Call : ConversationKind.Agent }, Cancel)).Id);
            await db.Conversations.StartAsync(other, new NewConversation(), Cancel);
        }

        var pages = new List<Guid>();
        Guid? before = null;
        while (await db.Conversations.ListAsync(user, user.UserId, before: before, limit: 3, cancellationToken: Cancel) is { Count: > 0 } page)
        {
            pages.AddRange(page.Select(c => c.Id));
            before = page[^1].Id;
        }

        pages.ShouldBe(started.OrderDescending());
        (await db.Conversations.ListAsync(user, user.UserId, kind: ConversationKind.Call, cancellationToken: Cancel)).Count.ShouldBe(4);
        (await db.Conversations.ListAsync(other, user.UserId, cancellationToken: Cancel)).ShouldBeEmpty();
        await db.Conversations.AppendAsync(user, started[0], [.. Enumerable.Range(1, 10).Select(i => new NewTurn { Role = TurnRole.User, RawText = $"{i}" })], Cancel);
        (await db.Conversations.TurnsAsync(user, started[0], after: 4, limit: 3, cancellationToken: Cancel)).Select(t => t.SequenceNumber).ShouldBe([5, 6, 7]);
        (await db.Conversations.LastTurnsAsync(user, started[0], 2, Cancel)).Select(t => t.RawText).ShouldBe(["9", "10"]);
        (await Should.ThrowAsync<VoxbaseException>(() => db.Conversations.TurnsAsync(other, started[0], cancellationToken: Cancel))).Code.ShouldBe("conversation_not_found");
    }
}
