using Npgsql;
using Voxbase.Testing;

namespace Voxbase.Server.Tests;

/// <summary>The real server, killed in the middle of a cleaning backlog, and its database likewise.</summary>
public sealed class CleaningKillTests : KillTests
{
    private const int Conversations = 24;
    private const int TurnsARound = 200;
    private const int MostRounds = 12;

    private static readonly string[] Sayings =
    [
        "um I am the, the director of of sales", "you know, we we go to the station", "please ask agnes kovalsky about it", "fine", "and what is uh your role there",
        "I would like uh a table for for two", "the invoice is is two hundred dollars", "thank you um very much", "ask Agnes Kowalski",
    ];

    [Fact]
    public async Task Killed_again_and_again_each_turn_gets_the_one_result_of_an_uninterrupted_run()
    {
        await using var db = await Cluster.CreateDatabaseAsync();
        var (owner, ids) = await StartCallsAsync(db);
        var (rounds, interrupted, databaseKilled) = (0, 0, false);
        while (interrupted < 3)
        {
            rounds.ShouldBeLessThan(MostRounds, $"only {interrupted} kills met a backlog");

            // Two servers at once, of which the first dies in the thick of it.
            await using var second = await StartAsync(db);
            await using var first = await StartAsync(db);
            var target = await CountAsync(db) + 400;
            var talk = TalkAsync(db, owner, ids, rounds++);
            await EventuallyAsync(async () => await CountAsync(db) >= target);
            await first.KillAsync();
            if (interrupted == 2 && !databaseKilled)
            {
                await KillDatabaseAsync();
                await Cluster.Postgres.EnsureRunningAsync(Cancel);
                NpgsqlConnection.ClearAllPools();
                databaseKilled = true;
            }

            await second.KillAsync();
            await talk;
            interrupted += await CountAsync(db) < Conversations * TurnsARound * rounds ? 1 : 0;
        }

        databaseKilled.ShouldBeTrue();
        await using (await StartAsync(db))
            await EventuallyAsync(async () => await CountAsync(db) == Conversations * TurnsARound * rounds);

        await using var whole = await Cluster.CreateDatabaseAsync();
        var (other, others) = await StartCallsAsync(whole);
        for (var round = 0; round < rounds; round++)
            await TalkAsync(whole, other, others, round);
        await whole.TranscriptCleaning.RunOnceAsync(Cancel);
        for (var i = 0; i < ids.Count; i++)
            (await ResultsAsync(db, ids[i])).ShouldBe(await ResultsAsync(whole, others[i]));
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.cleaned_versions")).ShouldBe(0L);
        (await db.ScalarAsync(Caller.Service, $"select count(*) from vox.cleanings where cleaned_through <> {TurnsARound * rounds}")).ShouldBe(0L);
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    private static async Task<(Caller Owner, List<Guid> Ids)> StartCallsAsync(TestDatabase db)
    {
        var owner = await db.NewUserAsync();
        await db.KeyTerms.SetAsync(Caller.Service, TermScope.Installation, ["Zephanta"], Cancel);
        var ids = new List<Guid>();
        for (var c = 0; c < Conversations; c++)
        {
            var conversation = await db.Conversations.StartAsync(
                owner,
                new NewConversation { Kind = ConversationKind.Call, Status = ConversationStatus.Active, Preferences = System.Text.Json.JsonElement.Parse("""{"cleaning":true}""") },
                Cancel);
            ids.Add(conversation.Id);
        }

        return (owner, ids);
    }

    // A stretch of turns for every conversation, appended at once while servers clean; repeated until the database has taken it.
    private static Task TalkAsync(TestDatabase db, Caller owner, List<Guid> ids, int round) => Task.WhenAll(ids.Select(async (id, c) =>
    {
        List<NewTurn> turns =
        [
            .. Enumerable.Range(round * TurnsARound, TurnsARound).Select(i => new NewTurn
            {
                Id = Guid.CreateVersion7(),
                Role = (i + c) % Sayings.Length == Sayings.Length - 1 ? TurnRole.Assistant : TurnRole.User,
                RawText = Sayings[(i + c) % Sayings.Length],
            }),
        ];
        await EventuallyAsync(async () =>
        {
            try
            {
                await db.Conversations.AppendAsync(owner, id, turns, Cancel);
                return true;
            }
            catch (VoxbaseException e) when (e.Error.Kind == ErrorKind.Unavailable)
            {
                return false;
            }
        });
    }));

    private Task<UpProcess> StartAsync(TestDatabase db) => StartAsync(db, ("VOXBASE_TRANSCRIPTS__SWEEPEVERY", "1s"));

    // How far all conversations are together.
    private static async Task<int> CountAsync(TestDatabase db)
    {
        try
        {
            return Convert.ToInt32(await db.ScalarAsync(Caller.Service, "select sum(cleaned_through) from vox.cleanings"), System.Globalization.CultureInfo.InvariantCulture);
        }
        catch (VoxbaseException e) when (e.Error.Kind == ErrorKind.Unavailable)
        {
            // It is just coming back.
            return 0;
        }
    }

    private static async Task<List<string>> ResultsAsync(TestDatabase db, Guid id) =>
        [.. (await db.Conversations.GetAsync(Caller.Service, id, Cancel)).Turns.Select(turn => string.Join(
            '|', turn.SequenceNumber, turn.RawText, turn.CleanedText, turn.CleaningLevel, turn.CleaningApplied, turn.Confidence, turn.Corrections, turn.ContextDetected,
            turn.BusinessDomain, turn.ConversationFlow, turn.TranscriptionErrorDetected, turn.CleanerModel, turn.SlidingWindowSize, turn.ContextTurnsUsed))];

    private static async Task EventuallyAsync(Func<Task<bool>> condition)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        patience.CancelAfter(TimeSpan.FromMinutes(3));
        while (!await condition())
            await Task.Delay(5, patience.Token);
    }
}
