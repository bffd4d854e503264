using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Voxbase.Cleaning;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Transcripts;

/// <summary>Turns cleaned as they come.</summary>
public sealed class TranscriptCleaningTests(TestCluster cluster)
{
    private static readonly string[] Sayings =
    [
        "um I am the, the director of of sales", "you know, we we go to the station", "please ask agnes kovalsky about it", "fine", "and what is uh your role there",
        "I would like uh a table for for two", "the invoice is is two hundred dollars", "thank you um very much",
    ];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Only_conversations_that_ask_for_it_are_cleaned_and_all_when_the_installation_does()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var (asked, silent) = (await Talk.StartAsync(db, owner, "true"), await Talk.StartAsync(db, owner));
        await Talk.SayAsync(db, owner, asked, "um hello", "uh yes");
        await Talk.SayAsync(db, owner, silent, "um hello");
        (await db.TranscriptCleaning.RunOnceAsync(Cancel)).ShouldBe(new CleaningRun(1, 2, 0));
        (await TextsAsync(db, asked)).ShouldBe(["hello", "yes"]);
        (await TextsAsync(db, silent)).ShouldBe([null]);

        await db.Transcripts.PreferAsync(owner, silent, new CleaningPreferences { Level = CleaningLevel.None }, Cancel);
        (await db.TranscriptCleaning.RunOnceAsync(Cancel)).Turns.ShouldBe(1);
        (await TextsAsync(db, silent)).ShouldBe(["um hello"]);
        await db.Transcripts.PreferAsync(owner, silent, new CleaningPreferences { Enabled = false }, Cancel);
        await Talk.SayAsync(db, owner, silent, "um not this");
        (await db.TranscriptCleaning.RunOnceAsync(Cancel)).ShouldBe(CleaningRun.Nothing);

        db.Options.Transcripts.Enabled = true;
        await db.TranscriptCleaning.ApplySettingsAsync(Cancel);
        var (later, refused) = (await Talk.StartAsync(db, owner), await Talk.StartAsync(db, owner, "false"));
        await Talk.SayAsync(db, owner, later, "um hello");
        await Talk.SayAsync(db, owner, refused, "um hello");
        (await db.TranscriptCleaning.RunOnceAsync(Cancel)).Turns.ShouldBe(1);
        (await TextsAsync(db, later)).ShouldBe(["hello"]);
        (await TextsAsync(db, refused)).ShouldBe([null]);
    }

    [Fact]
    public async Task Turns_appended_here_are_cleaned_without_being_looked_for_and_wait_no_longer_than_told()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var id = await Talk.StartAsync(db, owner, "true");
        await Talk.SayAsync(db, owner, id, "um hello");
        db.CleaningQueue.Count.ShouldBe(1);
        (await db.TranscriptCleaning.CleanWaitingAsync(Cancel)).Turns.ShouldBe(1);
        var turn = (await db.Conversations.GetAsync(owner, id, Cancel)).Turns[0];
        turn.QueueMs.ShouldNotBeNull();
        turn.ProcessingMs.ShouldNotBeNull();
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task An_append_leaves_no_mark_while_nothing_is_cleaned()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var id = await Talk.StartAsync(db, owner);
        await Talk.SayAsync(db, owner, id, "um hello");
        db.CleaningQueue.Count.ShouldBe(0);
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.cleanings")).ShouldBe(0L);
        // The hot path stays as it is: no trigger and no index of the turns knows of cleaning.
        (await db.ScalarAsync(
            Caller.Service,
            "select count(*) from pg_indexes where schemaname = 'vox' and tablename like 'turns%' and indexdef ~ 'clean'")).ShouldBe(0L);
    }

    // The same whether turns came one by one or all at once, whether one server cleaned them or another after each batch.
    [Fact]
    public async Task Context_is_made_of_the_turns_alone()
    {
        await using var db = await cluster.CreateDatabaseAsync(options => options.Transcripts.ContextsKept = 4);
        var owner = await db.NewUserAsync();
        var texts = Enumerable.Range(0, 300).Select(i => i % 7 == 3 && i < 150 ? "we will ask Agnes Kowalski" : Sayings[i % Sayings.Length]).ToList();
        var (atOnce, oneByOne, restarted, asked) = (
            await Talk.StartAsync(db, owner, "true"), await Talk.StartAsync(db, owner, "true"), await Talk.StartAsync(db, owner, "true"), await Talk.StartAsync(db, owner));
        await AppendAsync(atOnce, 0, 300);
        await AppendAsync(asked, 0, 300);
        await db.TranscriptCleaning.RunOnceAsync(Cancel);
        for (var i = 0; i < 300; i += 30)
        {
            for (var j = i; j < i + 30; j++)
            {
                await AppendAsync(oneByOne, j, 1);
                if (j % 3 == 0)
                    await db.TranscriptCleaning.CleanWaitingAsync(Cancel);
            }

            await AppendAsync(restarted, i, 30);
            await AnotherServer(db).RunOnceAsync(Cancel);
            await db.TranscriptCleaning.RunOnceAsync(Cancel);
        }

        await db.Transcripts.CleanAsync(owner, asked, cancellationToken: Cancel);
        var expected = await ResultsAsync(db, atOnce);
        expected.Count(result => result.Contains("Agnes Kowalski", StringComparison.Ordinal)).ShouldBeGreaterThan(20);
        (await ResultsAsync(db, oneByOne)).ShouldBe(expected);
        (await ResultsAsync(db, restarted)).ShouldBe(expected);
        (await ResultsAsync(db, asked)).ShouldBe(expected);

        Task AppendAsync(Guid id, int first, int count) => db.Conversations.AppendAsync(
            owner, id,
            [
                .. texts.Skip(first).Take(count).Select(text => new NewTurn
                {
                    Role = text.StartsWith("we will", StringComparison.Ordinal) ? TurnRole.Assistant : TurnRole.User, RawText = text,
                }),
            ],
            Cancel);
    }

    [Fact]
    public async Task Several_servers_and_writers_at_once_give_each_turn_one_result_in_its_order()
    {
        await using var db = await cluster.CreateDatabaseAsync(pooled: 24);
        var owner = await db.NewUserAsync();
        var ids = new List<Guid>();
        for (var i = 0; i < 12; i++)
            ids.Add(await Talk.StartAsync(db, owner, "true"));
        var writing = Task.WhenAll(ids.Select(async (id, n) =>
        {
            for (var i = 0; i < 120; i += 5)
                await Talk.SayAsync(db, owner, id, [.. Enumerable.Range(i, 5).Select(j => Sayings[(j + n) % Sayings.Length])]);
        }));
        var servers = Enumerable.Range(0, 3).Select(_ => AnotherServer(db)).Append(db.TranscriptCleaning).Select(server => Task.Run(
            async () =>
            {
                var turns = 0;
                while (!writing.IsCompleted)
                    turns += (await server.RunOnceAsync(Cancel)).Turns;
                return turns + (await server.RunOnceAsync(Cancel)).Turns;
            },
            Cancel)).ToList();
        await writing;
        var cleaned = (await Task.WhenAll(servers)).Sum();
        // What another was just writing when a server looked for the last time.
        cleaned += (await db.TranscriptCleaning.RunOnceAsync(Cancel)).Turns;

        cleaned.ShouldBe(12 * 120);
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.cleaned_versions")).ShouldBe(0L);
        await using var alone = await cluster.CreateDatabaseAsync();
        var other = await alone.NewUserAsync();
        for (var n = 0; n < ids.Count; n++)
        {
            var id = await Talk.StartAsync(alone, other, "true");
            await Talk.SayAsync(alone, other, id, [.. Enumerable.Range(0, 120).Select(j => Sayings[(j + n) % Sayings.Length])]);
            await alone.TranscriptCleaning.RunOnceAsync(Cancel);
            (await ResultsAsync(db, ids[n])).ShouldBe(await ResultsAsync(alone, id));
        }

        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Turns_behind_one_whose_text_is_awaited_wait_for_it_and_then_no_longer()
    {
        await using var db = await cluster.CreateDatabaseAsync(options => options.Transcripts.AwaitText = TimeSpan.FromMinutes(10));
        var owner = await db.NewUserAsync();
        var id = await Talk.StartAsync(db, owner, "true");
        await Talk.SayAsync(db, owner, id, "um apples", null, "um plums");
        (await db.TranscriptCleaning.RunOnceAsync(Cancel)).Turns.ShouldBe(1);
        (await TextsAsync(db, id)).ShouldBe(["apples", null, null]);

        db.Options.Transcripts.AwaitText = TimeSpan.Zero;
        (await db.TranscriptCleaning.RunOnceAsync(Cancel)).Turns.ShouldBe(1);
        (await TextsAsync(db, id)).ShouldBe(["apples", null, "plums"]);

        // It comes after all.
        await db.ExecuteAsync(owner, "update vox.turns set raw_text = 'um pears' where conversation_id = $1 and sequence_number = 2", Parameter.Uuid(id));
        (await db.TranscriptCleaning.RunOnceAsync(Cancel)).Turns.ShouldBe(1);
        (await TextsAsync(db, id)).ShouldBe(["apples", "pears", "plums"]);
        (await db.TranscriptCleaning.RunOnceAsync(Cancel)).ShouldBe(CleaningRun.Nothing);
        await Talk.SayAsync(db, owner, id, "um figs");
        await db.TranscriptCleaning.RunOnceAsync(Cancel);
        (await TextsAsync(db, id)).ShouldBe(["apples", "pears", "plums", "figs"]);
    }

    [Fact]
    public async Task A_turn_put_before_cleaned_ones_is_cleaned_too()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var id = await Talk.StartAsync(db, owner, "true");
        await Talk.SayAsync(db, owner, id, "um apples", "um plums");
        await db.TranscriptCleaning.RunOnceAsync(Cancel);
        await db.Database.InTransactionAsync(
            Caller.Service,
            async transaction =>
            {
                transaction.Add(new Statement("set constraints all deferred"));
                transaction.Add(new Statement("update vox.turns set sequence_number = 3 where conversation_id = $1 and sequence_number = 2", Parameter.Uuid(id)));
                transaction.Add(new Statement(
                    "insert into vox.turns (conversation_id, sequence_number, role, raw_text) values ($1, 2, 'user', 'um pears')", Parameter.Uuid(id)));
                await transaction.FlushAsync(Cancel);
                return 0;
            },
            Cancel);
        await db.TranscriptCleaning.RunOnceAsync(Cancel);
        (await TextsAsync(db, id)).ShouldBe(["apples", "pears", "plums"]);
        (await db.ScalarAsync(Caller.Service, "select cleaned_through from vox.cleanings where conversation_id = $1", Parameter.Uuid(id))).ShouldBe(3);
    }

    [Fact]
    public async Task What_the_application_cleaned_itself_stays_and_counts_as_context()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var id = await Talk.StartAsync(db, owner, "true");
        await db.Conversations.AppendAsync(
            owner, id, [new NewTurn { Role = TurnRole.User, RawText = "um mine", CleanedText = "My own.", CleaningLevel = CleaningLevel.Full, CleanerModel = "mine" }], Cancel);
        await Talk.SayAsync(db, owner, id, "um yours");
        (await db.TranscriptCleaning.RunOnceAsync(Cancel)).Turns.ShouldBe(1);
        (await TextsAsync(db, id)).ShouldBe(["My own.", "yours"]);
        (await db.Conversations.GetAsync(owner, id, Cancel)).Turns[1].ContextTurnsUsed.ShouldBe(1);
    }

    [Fact]
    public async Task Undoing_and_new_terms_are_context_for_what_comes_next()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var id = await Talk.StartAsync(db, owner, "true");
        await Talk.SayAsync(db, owner, id, "please ask agnes kovalsky");
        await db.TranscriptCleaning.RunOnceAsync(Cancel);
        await db.KeyTerms.AddAsync(owner, TermScope.Conversation(id), ["Agnes Kowalski"], Cancel);
        await Talk.SayAsync(db, owner, id, "please ask agnes kovalsky");
        await db.TranscriptCleaning.RunOnceAsync(Cancel);
        var turns = await db.Transcripts.CorrectionsAsync(owner, id, cancellationToken: Cancel);
        turns.Select(turn => turn.CleanedText).ShouldBe(["please ask agnes kovalsky", "please ask Agnes Kowalski"]);
        await db.Transcripts.UndoAsync(owner, id, turns[1].TurnId, cancellationToken: Cancel);
        await db.TranscriptCleaning.RunOnceAsync(Cancel);
        (await TextsAsync(db, id))[1].ShouldBe("please ask agnes kovalsky", "what was undone stays undone");
    }

    [Fact]
    public async Task A_conversation_that_is_over_is_closed_and_found_again_when_turns_come_late()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var id = await Talk.StartAsync(db, owner, "true");
        await Talk.SayAsync(db, owner, id, "um apples");
        await db.Conversations.EndAsync(owner, id, cancellationToken: Cancel);
        await db.TranscriptCleaning.RunOnceAsync(Cancel);
        await db.TranscriptCleaning.SweepAsync(Cancel);
        (await db.ScalarAsync(Caller.Service, "select is_open from vox.cleanings where conversation_id = $1", Parameter.Uuid(id))).ShouldBe(false);
        await Talk.SayAsync(db, owner, id, "um pears");
        // As after a crash: nobody here knows of it.
        (await AnotherServer(db).RunOnceAsync(Cancel)).Turns.ShouldBe(1);
        (await TextsAsync(db, id)).ShouldBe(["apples", "pears"]);
    }

    [Fact]
    public async Task Preferences_written_past_the_library_do_not_stop_anything()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var id = await Talk.StartAsync(db, owner);
        await Talk.SayAsync(db, owner, id, "um hello");
        foreach (var preferences in (string[])["""{"cleaning":{"level":7}}""", """{"cleaning":[]}""", """{"cleaning":{"enabled":"no"}}""", """{"cleaning":{}}"""])
        {
            await db.ExecuteAsync(owner, "update vox.conversations set preferences = $2 where id = $1", Parameter.Uuid(id), Parameter.Json(preferences));
            (await db.TranscriptCleaning.RunOnceAsync(Cancel)).Failed.ShouldBe(0);
        }

        (await TextsAsync(db, id)).ShouldBe(["hello"]);
    }

    [Fact]
    public async Task A_turn_at_the_end_of_a_long_conversation_reads_what_the_first_did()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var id = await Talk.StartAsync(db, owner, "true");
        await Talk.SayAsync(db, owner, id, [.. Enumerable.Range(0, 3_000).Select(i => Sayings[i % Sayings.Length])]);
        await db.TranscriptCleaning.RunOnceAsync(Cancel);
        await Talk.SayAsync(db, owner, id, "um the last");
        // By index, and no more than the two blocks that make its context.
        ContextWindow.First(3_000).ShouldBe(2_881);
        (3_000 - ContextWindow.First(3_000)).ShouldBeLessThan(2 * ContextWindow.BlockTurns);
        (await AnotherServer(db).RunOnceAsync(Cancel)).Turns.ShouldBe(1);
        (await TextsAsync(db, id))[^1].ShouldBe("the last");
    }

    [Fact]
    public async Task With_a_model_turns_say_what_cleaned_them_each_call_is_charged_once_and_no_two_servers_ask_about_the_same()
    {
        await using var endpoint = await FakeChatEndpoint.StartAsync();
        endpoint.Content = request => FakeChatEndpoint.Tokens(request).FirstOrDefault(token => token.Value == "vecter") is { Value: not null } heard
            ? $$"""{"edits":[{"from":{{heard.Key}},"to":{{heard.Key}},"text":"vector","reason":"misheard","confidence":"high"}]}"""
            : """{"edits":[]}""";
        await using var db = await cluster.CreateDatabaseAsync(options =>
        {
            (options.LlmCleaning.BaseUrl, options.LlmCleaning.ApiKey, options.LlmCleaning.Model) = (endpoint.BaseUrl, FakeChatEndpoint.Key, "gemini-2.5-flash-lite");
            (options.LlmCleaning.Provider, options.LlmCleaning.Timeout) = ("google", TimeSpan.FromMinutes(1));
        });
        using var llm = LlmCleaner.Of(db.Options, db.Time);
        var second = new TranscriptCleaning(
            db.Database, new CleaningQueue(), db.Options, NullLogger<TranscriptCleaning>.Instance, llm, new CleaningSpend(db.Database, db.Charges, db.Options));
        var owner = await db.NewUserAsync();
        var id = await Talk.StartAsync(db, owner, """{"engine":"llm"}""");
        await Talk.SayAsync(db, owner, id, [.. Enumerable.Repeat("um the vecter is here", 9), "um yes I will"]);
        var runs = await Task.WhenAll(Task.Run(() => db.TranscriptCleaning.RunOnceAsync(Cancel), Cancel), Task.Run(() => second.RunOnceAsync(Cancel), Cancel));
        (runs.Sum(run => run.Turns) + (await db.TranscriptCleaning.RunOnceAsync(Cancel)).Turns).ShouldBe(10);

        var record = await db.Conversations.GetAsync(owner, id, Cancel);
        (await TextsAsync(db, id)).ShouldBe([.. Enumerable.Repeat("the vector is here", 9), "yes I will"]);
        record.Turns.Take(9).ShouldAllBe(turn => turn.CleanerModel == "voxbase-2+gemini-2.5-flash-lite" && turn.CleanerRequestId!.StartsWith("chatcmpl-"));
        (record.Turns[9].CleanerModel, record.Turns[9].CleanerRequestId).ShouldBe((TurnContexts.Model, null));
        endpoint.Requests.Count.ShouldBe(9);
        record.Charges.Count.ShouldBe(27);
        record.Charges.ShouldAllBe(charge => charge.Stage == "llm" && charge.Provider == "google");
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();

        // Without room in the budget the deterministic result stands, and says so.
        await db.Budgets.SetAsync(Caller.Service, owner.UserId!.Value, new BudgetChange { LimitUsd = 0 }, Cancel);
        await Talk.SayAsync(db, owner, id, "um the vecter is there");
        await db.TranscriptCleaning.RunOnceAsync(Cancel);
        record = await db.Conversations.GetAsync(owner, id, Cancel);
        (record.Turns[10].CleanedText, record.Turns[10].CleanerModel).ShouldBe(("the vecter is there", TurnContexts.Model + " fallback:over_budget"));
        endpoint.Requests.Count.ShouldBe(9);
    }

    private static TranscriptCleaning AnotherServer(TestDatabase db) =>
        new(db.Database, new CleaningQueue(), db.Options, NullLogger<TranscriptCleaning>.Instance);

    private static async Task<List<string?>> TextsAsync(TestDatabase db, Guid id) =>
        [.. (await db.Conversations.GetAsync(Caller.Service, id, Cancel)).Turns.Select(turn => turn.CleanedText)];

    private static async Task<List<string>> ResultsAsync(TestDatabase db, Guid id) =>
        [.. (await db.Conversations.GetAsync(Caller.Service, id, Cancel)).Turns.Select(turn => JsonSerializer.Serialize(new
        {
            turn.SequenceNumber, turn.RawText, turn.CleanedText, turn.CleaningLevel, turn.CleaningApplied, turn.Confidence, turn.Corrections, turn.ContextDetected,
            turn.BusinessDomain, turn.ConversationFlow, turn.TranscriptionErrorDetected, turn.CleanerModel, turn.SlidingWindowSize, turn.ContextTurnsUsed,
        }))];
}

/// <summary>The context of a turn, wherever one begins to make it.</summary>
public sealed class ContextWindowTests
{
    [Fact]
    public void Made_anew_at_any_turn_it_is_the_one_carried_on_from_the_first()
    {
        var cleaner = new TurnCleaner();
        string[] texts = ["my name is Ada and my role is director", "we will ask Agnes Kowalski", "the invoice", "nothing", "a flight to the hotel", "ask agnes kovalsky"];
        var carried = new ContextWindow(TermIndex.Empty, 20);
        for (var through = 0; through < 400; through++)
        {
            var anew = new ContextWindow(TermIndex.Empty, 20);
            anew.Begin(through);
            for (var i = ContextWindow.First(through); i <= through; i++)
                anew.Add(i, texts[i * i % texts.Length], i % 3 == 0 ? TurnTrust.Written : TurnTrust.Heard);
            anew.Through.ShouldBe(through);
            var (one, other) = (cleaner.Clean("ask agnes kovalsky vector of marketing", carried.State), cleaner.Clean("ask agnes kovalsky vector of marketing", anew.State));
            one.ShouldBeEquivalentTo(other);
            carried.Add(through + 1, texts[(through + 1) * (through + 1) % texts.Length], (through + 1) % 3 == 0 ? TurnTrust.Written : TurnTrust.Heard);
        }

        Should.Throw<ArgumentOutOfRangeException>(() => carried.Add(7, "x", TurnTrust.Heard));
    }
}
