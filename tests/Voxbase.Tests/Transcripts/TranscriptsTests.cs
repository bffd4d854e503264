using Voxbase.Cleaning;
using Voxbase.Testing;

namespace Voxbase.Tests.Transcripts;

/// <summary>Cleaning what is kept: results, versions, undoing, key terms.</summary>
public sealed class TranscriptsTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Cleaning_a_conversation_gives_each_heard_turn_its_result_and_leaves_the_raw_text_alone()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var id = await Talk.StartAsync(db, owner);
        await Talk.SayAsync(db, owner, id, "um I, I would like uh a table for for two", "that is all");
        await db.Conversations.AppendAsync(owner, id, new NewTurn { Role = TurnRole.Assistant, RawText = "um, we, we have one" }, Cancel);

        var summary = await db.Transcripts.CleanAsync(owner, id, cancellationToken: Cancel);

        (summary.Turns, summary.Changed, summary.Written).ShouldBe((2, 1, 2));
        summary.Reasons.Keys.ShouldContain(CorrectionReasons.Filler);
        var turns = (await db.Conversations.GetAsync(owner, id, Cancel)).Turns;
        turns[0].RawText.ShouldBe("um I, I would like uh a table for for two");
        turns[0].CleanedText.ShouldBe("I would like a table for two");
        turns[0].CleaningApplied.ShouldBeTrue();
        turns[0].CleaningLevel.ShouldBe(CleaningLevel.Full);
        turns[0].CleanerModel.ShouldBe(TurnContexts.Model);
        turns[0].SlidingWindowSize.ShouldBe(20);
        turns[1].CleanedText.ShouldBe("that is all");
        turns[1].CleaningApplied.ShouldBeFalse();
        turns[1].ContextTurnsUsed.ShouldBe(1);
        // A program wrote it: there is nothing to clean.
        turns[2].CleaningLevel.ShouldBeNull();
        turns[2].CleanedText.ShouldBeNull();
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
        (await db.Conversations.ContextAsync(owner, id, cancellationToken: Cancel)).Messages[0].Text.ShouldBe("I would like a table for two");
    }

    [Fact]
    public async Task In_an_uploaded_transcript_both_sides_were_heard()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var id = (await db.Conversations.StartAsync(owner, new NewConversation { Kind = ConversationKind.Transcript }, Cancel)).Id;
        await db.Conversations.AppendAsync(owner, id, new NewTurn { Role = TurnRole.Assistant, RawText = "um, we have one" }, Cancel);
        (await db.Transcripts.CleanAsync(owner, id, cancellationToken: Cancel)).Changed.ShouldBe(1);
    }

    [Fact]
    public async Task Cleaning_again_changes_nothing_and_another_level_keeps_the_former_result_as_a_version()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var id = await Talk.StartAsync(db, owner);
        await Talk.SayAsync(db, owner, id, "um so you know, we go to the the station", "fine");
        await db.Transcripts.CleanAsync(owner, id, new CleaningRequest { Level = CleaningLevel.Light }, cancellationToken: Cancel);
        var light = (await db.Transcripts.CorrectionsAsync(owner, id, cancellationToken: Cancel))[0];

        (await db.Transcripts.CleanAsync(owner, id, new CleaningRequest { Level = CleaningLevel.Light }, cancellationToken: Cancel)).Written.ShouldBe(0);
        (await db.Transcripts.VersionsAsync(owner, id, light.TurnId, Cancel)).ShouldBeEmpty();
        light.Version.ShouldBe(1);

        (await db.Transcripts.CleanAsync(owner, id, cancellationToken: Cancel)).Written.ShouldBe(2);
        var full = (await db.Transcripts.CorrectionsAsync(owner, id, cancellationToken: Cancel))[0];
        (full.Version, full.CleaningLevel).ShouldBe((2, CleaningLevel.Full));
        var version = (await db.Transcripts.VersionsAsync(owner, id, light.TurnId, Cancel)).ShouldHaveSingleItem();
        (version.Version, version.CleanedText, version.CleaningLevel).ShouldBe((1, light.CleanedText, CleaningLevel.Light));
        version.Corrections.ShouldBe(light.Corrections);
        full.RawText.ShouldBe(light.RawText);
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_correction_is_undone_alone_and_all_of_them_give_the_raw_text_back()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var id = await Talk.StartAsync(db, owner);
        const string raw = "um I would like uh a table for for two";
        await Talk.SayAsync(db, owner, id, raw, raw);
        await db.Transcripts.CleanAsync(owner, id, cancellationToken: Cancel);
        var turns = await db.Transcripts.CorrectionsAsync(owner, id, cancellationToken: Cancel);
        var turn = turns[0];
        turn.Corrections.Count(c => c.Status == CorrectionStatus.Applied).ShouldBeGreaterThan(1);
        var first = turn.Corrections.First(c => c.Status == CorrectionStatus.Applied);
        var place = turn.Corrections.ToList().IndexOf(first);

        var undone = await db.Transcripts.UndoAsync(owner, id, turn.TurnId, place, Cancel);
        undone.CleanedText.ShouldBe(Voxbase.Cleaning.Corrections.Apply(
            raw, turn.Corrections.Where(c => c.Status == CorrectionStatus.Applied && c != first).Select(c => c.ToCorrection())));
        undone.CleanedText.ShouldNotBe(turn.CleanedText);
        foreach (var again in (CorrectedTurn[])
            [await db.Transcripts.UndoAsync(owner, id, turn.TurnId, place, Cancel), (await db.Transcripts.CorrectionsAsync(owner, id, cancellationToken: Cancel))[0]])
        {
            (again with { Corrections = undone.Corrections }).ShouldBe(undone);
            again.Corrections.ShouldBe(undone.Corrections);
        }


        (await db.Transcripts.UndoAsync(owner, id, turn.TurnId, cancellationToken: Cancel)).CleanedText.ShouldBe(raw);
        (await db.Transcripts.UndoAllAsync(owner, id, Cancel)).ShouldBe(1);
        (await db.Transcripts.UndoAllAsync(owner, id, Cancel)).ShouldBe(0);
        var kept = (await db.Conversations.GetAsync(owner, id, Cancel)).Turns;
        kept.ShouldAllBe(t => t.CleanedText == raw && t.RawText == raw && !t.CleaningApplied);
    }

    [Fact]
    public async Task Only_the_owner_an_admin_and_the_service_clean_and_undo()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, participant, stranger, admin) = (await db.NewUserAsync(), await db.NewUserAsync(), await db.NewUserAsync(), await db.NewUserAsync(isAdmin: true));
        var id = await Talk.StartAsync(db, owner);
        await db.Conversations.JoinAsync(owner, id, new NewParticipant { Identity = "guest", UserId = participant.UserId }, Cancel);
        await Talk.SayAsync(db, owner, id, "um hello there");
        await db.Transcripts.CleanAsync(admin, id, cancellationToken: Cancel);
        var turn = (await db.Transcripts.CorrectionsAsync(participant, id, cancellationToken: Cancel)).ShouldHaveSingleItem();

        foreach (var other in (Caller[])[participant, stranger, Caller.Anonymous])
        {
            foreach (var attempt in (Func<Task>[])
                [
                    () => db.Transcripts.CleanAsync(other, id, new CleaningRequest { Level = CleaningLevel.None }, cancellationToken: Cancel),
                    () => db.Transcripts.UndoAsync(other, id, turn.TurnId, cancellationToken: Cancel),
                    () => db.Transcripts.UndoAllAsync(other, id, Cancel),
                    () => db.Transcripts.PreferAsync(other, id, new CleaningPreferences(), Cancel),
                    () => db.KeyTerms.SetAsync(other, TermScope.Conversation(id), ["Mine"], Cancel),
                    () => db.KeyTerms.SetAsync(other, TermScope.User(owner.UserId!.Value), ["Mine"], Cancel),
                    () => db.KeyTerms.SetAsync(other, TermScope.Installation, ["Mine"], Cancel),
                ])
            {
                (await Should.ThrowAsync<VoxbaseException>(attempt)).Error.Kind.ShouldBeOneOf(ErrorKind.NotFound, ErrorKind.Forbidden);
            }
        }

        (await Should.ThrowAsync<VoxbaseException>(() => db.Transcripts.CorrectionsAsync(stranger, id, cancellationToken: Cancel))).Code
            .ShouldBe("conversation_not_found");
        (await db.Transcripts.CorrectionsAsync(owner, id, cancellationToken: Cancel))[0].ShouldBeEquivalentTo(turn);
        (await db.Transcripts.UndoAsync(Caller.Service, id, turn.TurnId, cancellationToken: Cancel)).CleanedText.ShouldBe("um hello there");
    }

    [Fact]
    public async Task Key_terms_of_installation_user_conversation_and_participants_correct_and_those_of_others_do_not()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, other) = (await db.NewUserAsync(), await db.NewUserAsync());
        async Task<string?> HeardAsync(Caller caller, params string[] participants)
        {
            var id = await Talk.StartAsync(db, caller);
            foreach (var name in participants)
                await db.Conversations.JoinAsync(caller, id, new NewParticipant { Identity = name, Name = name }, Cancel);
            await Talk.SayAsync(db, caller, id, "please ask agnes kovalsky about it");
            await db.Transcripts.CleanAsync(caller, id, cancellationToken: Cancel);
            return (await db.Conversations.GetAsync(caller, id, Cancel)).Turns[0].CleanedText;
        }

        (await HeardAsync(owner)).ShouldBe("please ask agnes kovalsky about it");
        (await HeardAsync(owner, "Agnes Kowalski")).ShouldBe("please ask Agnes Kowalski about it");
        await db.KeyTerms.AddAsync(owner, TermScope.User(owner.UserId!.Value), ["Agnes Kowalski"], Cancel);
        (await HeardAsync(owner)).ShouldBe("please ask Agnes Kowalski about it");
        (await HeardAsync(other)).ShouldBe("please ask agnes kovalsky about it");
        await db.KeyTerms.RemoveAsync(owner, TermScope.User(owner.UserId!.Value), "Agnes Kowalski", Cancel);
        (await HeardAsync(owner)).ShouldBe("please ask agnes kovalsky about it");
        await db.KeyTerms.SetAsync(Caller.Service, TermScope.Installation, ["Agnes Kowalski"], Cancel);
        (await HeardAsync(other)).ShouldBe("please ask Agnes Kowalski about it");
    }

    [Fact]
    public async Task Lists_of_terms_are_replaced_added_to_and_taken_from_by_many_at_once()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var scope = TermScope.User(owner.UserId!.Value);
        (await db.KeyTerms.GetAsync(owner, scope, Cancel)).ShouldBeEquivalentTo(new KeyTermList([], null));
        (await db.KeyTerms.SetAsync(owner, scope, ["Ada", " Bo ", "Ada"], Cancel)).Terms.ShouldBe(["Ada", "Bo"]);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => db.KeyTerms.AddAsync(owner, scope, [$"Term{i}", "Ada"], Cancel)));
        var list = await db.KeyTerms.GetAsync(owner, scope, Cancel);
        list.Terms.Take(2).ShouldBe(["Ada", "Bo"]);
        list.Terms.Skip(2).Order(StringComparer.Ordinal).ShouldBe(Enumerable.Range(0, 8).Select(i => $"Term{i}"));
        (await db.KeyTerms.RemoveAsync(owner, scope, "Bo", Cancel)).Terms.ShouldNotContain("Bo");
        (await db.KeyTerms.RemoveAsync(owner, scope, "Nobody", Cancel)).Terms.Count.ShouldBe(9);
        // Somebody known by their token alone.
        var fresh = Caller.User(Guid.NewGuid());
        (await db.KeyTerms.AddAsync(fresh, TermScope.User(fresh.UserId!.Value), ["Eve"], Cancel)).Terms.ShouldBe(["Eve"]);

        foreach (var bad in (IReadOnlyList<string>[])[["ok", " "], [new string('x', 201)], [.. Enumerable.Range(0, 10_001).Select(i => $"t{i}")]])
        {
            (await Should.ThrowAsync<VoxbaseException>(() => db.KeyTerms.SetAsync(owner, scope, bad, Cancel))).Code.ShouldBe("key_terms_invalid");
        }

        await db.KeyTerms.SetAsync(owner, scope, [.. Enumerable.Range(0, 9_999).Select(i => $"t{i}")], Cancel);
        (await Should.ThrowAsync<VoxbaseException>(() => db.KeyTerms.AddAsync(owner, scope, ["a", "b"], Cancel))).Code.ShouldBe("key_terms_invalid");
        (await db.KeyTerms.GetAsync(owner, scope, Cancel)).Terms.Count.ShouldBe(9_999);
        (await Should.ThrowAsync<VoxbaseException>(() => db.KeyTerms.GetAsync(owner, TermScope.Conversation(Guid.NewGuid()), Cancel))).Code.ShouldBe("conversation_not_found");
    }

    [Fact]
    public async Task Bad_input_is_refused_and_changes_nothing()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var id = await Talk.StartAsync(db, owner);
        await Talk.SayAsync(db, owner, id, "um hello there");
        var turn = (await db.Conversations.GetAsync(owner, id, Cancel)).Turns[0];
        async Task ShouldFailAsync(string code, Func<Task> attempt) => (await Should.ThrowAsync<VoxbaseException>(attempt)).Code.ShouldBe(code);

        await ShouldFailAsync("cleaning_language_unknown", () => db.Transcripts.CleanAsync(owner, id, new CleaningRequest { Language = "xx" }, cancellationToken: Cancel));
        await ShouldFailAsync("conversation_not_found", () => db.Transcripts.CleanAsync(owner, Guid.NewGuid(), cancellationToken: Cancel));
        await ShouldFailAsync("turn_not_cleaned", () => db.Transcripts.UndoAsync(owner, id, turn.Id!.Value, cancellationToken: Cancel));
        await ShouldFailAsync("turn_not_cleaned", () => db.Transcripts.VersionsAsync(owner, id, Guid.NewGuid(), Cancel));
        await ShouldFailAsync("input_invalid", () => db.Transcripts.CorrectionsAsync(owner, id, limit: 0, cancellationToken: Cancel));
        await ShouldFailAsync("input_invalid", () => db.Transcripts.PreferAsync(owner, id, new CleaningPreferences { WindowSize = 65 }, Cancel));
        await ShouldFailAsync("cleaning_language_unknown", () => db.Transcripts.PreferAsync(owner, id, new CleaningPreferences { Language = "tlh" }, Cancel));
        foreach (var preferences in (string[])["""{"cleaning":"yes"}""", """{"cleaning":{"level":"FULL"}}""", """{"cleaning":{"levle":"full"}}""", """{"cleaning":{"window_size":0}}"""])
        {
            await ShouldFailAsync(
                "input_invalid",
                () => db.Conversations.StartAsync(owner, new NewConversation { Preferences = System.Text.Json.JsonElement.Parse(preferences) }, Cancel));
        }

        (await db.Conversations.GetAsync(owner, id, Cancel)).Turns[0].ShouldBeEquivalentTo(turn);
        await db.Transcripts.CleanAsync(owner, id, cancellationToken: Cancel);
        await ShouldFailAsync("correction_not_found", () => db.Transcripts.UndoAsync(owner, id, turn.Id!.Value, 7, Cancel));
        await ShouldFailAsync("correction_not_found", () => db.Transcripts.UndoAsync(owner, id, turn.Id!.Value, -1, Cancel));
    }

    [Fact]
    public async Task Turns_that_are_kept_nowhere_share_their_context_in_the_order_given()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var cleaned = db.Transcripts.Clean(
        [
            new TurnToClean { RawText = "Um, Agnes Kowalski will call you, um", IsWritten = true },
            new TurnToClean { RawText = "um thanks agnes kovalsky" },
        ]);
        cleaned[0].Text.ShouldBe("Um, Agnes Kowalski will call you, um");
        cleaned[1].Text.ShouldContain("Agnes Kowalski");
        (cleaned[0].ContextTurnsUsed, cleaned[1].ContextTurnsUsed).ShouldBe((0, 1));
        Should.Throw<VoxbaseException>(() => db.Transcripts.Clean([new TurnToClean { RawText = "x", Language = "xx" }])).Code.ShouldBe("cleaning_language_unknown");
    }

    [Fact]
    public async Task What_cleaned_turns_tell_is_told_to_who_may_see_them()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, stranger, admin) = (await db.NewUserAsync(), await db.NewUserAsync(), await db.NewUserAsync(isAdmin: true));
        var id = await Talk.StartAsync(db, owner);
        await Talk.SayAsync(db, owner, id, "um my name is Ada and my role is director", "I want to, to pay the invoice", "fine");
        await db.Transcripts.CleanAsync(owner, id, cancellationToken: Cancel);

        var window = await db.TranscriptAnalysis.WindowAsync(owner, id, before: 3, size: 1, cancellationToken: Cancel);
        window.ShouldHaveSingleItem().CleanedText.ShouldBe("I want to pay the invoice");
        var contexts = await db.TranscriptAnalysis.ContextsAsync(owner, id, Cancel);
        contexts.Sum(c => c.TurnCount).ShouldBe(3);
        contexts.ShouldContain(c => c.ContextDetected == "identity_role");
        var confidence = await db.TranscriptAnalysis.ConfidenceAsync(owner, id, Cancel);
        confidence.Sum(c => c.Count).ShouldBe(3);
        confidence.Sum(c => c.Percentage).ShouldBe(100, 0.1);
        var performance = await db.TranscriptAnalysis.PerformanceAsync(owner, id, Cancel);
        (performance.TotalTurns, performance.TurnsCleaned).ShouldBe((3, 2));
        (await db.TranscriptAnalysis.HoursAsync(owner, cancellationToken: Cancel)).Sum(h => h.TurnsProcessed).ShouldBe(3);
        (await db.TranscriptAnalysis.HoursAsync(admin, cancellationToken: Cancel)).Sum(h => h.TurnsProcessed).ShouldBe(3);
        (await db.TranscriptAnalysis.HoursAsync(stranger, cancellationToken: Cancel)).ShouldBeEmpty();
        (await Should.ThrowAsync<VoxbaseException>(() => db.TranscriptAnalysis.ContextsAsync(stranger, id, Cancel))).Code.ShouldBe("conversation_not_found");
        (await Should.ThrowAsync<VoxbaseException>(() => db.TranscriptAnalysis.HoursAsync(owner, 169, Cancel))).Code.ShouldBe("input_invalid");
        (await Should.ThrowAsync<VoxbaseException>(() => db.TranscriptAnalysis.WindowAsync(owner, id, size: 0, cancellationToken: Cancel))).Code.ShouldBe("input_invalid");
    }
}

/// <summary>Conversations to clean.</summary>
internal static class Talk
{
    public static async Task<Guid> StartAsync(TestDatabase db, Caller owner, string? cleaning = null) =>
        (await db.Conversations.StartAsync(
            owner,
            new NewConversation
            {
                Kind = ConversationKind.Call,
                Status = ConversationStatus.Active,
                Preferences = cleaning is null ? null : System.Text.Json.JsonElement.Parse($$"""{"cleaning":{{cleaning}}}"""),
            },
            TestContext.Current.CancellationToken)).Id;

    public static Task SayAsync(TestDatabase db, Caller owner, Guid id, params string?[] texts) => db.Conversations.AppendAsync(
        owner, id, [.. texts.Select(text => new NewTurn { Role = TurnRole.User, RawText = text })], TestContext.Current.CancellationToken);
}
