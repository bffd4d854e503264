using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Spending;

public sealed class RepricingTests(TestCluster cluster)
{
    private static readonly DateTimeOffset May = new(2026, 5, 1, 0, 0, 0, TimeSpan.Zero);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Past_charges_are_corrected_by_new_ones_once_and_again_when_the_book_changes_again()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (user, conversation, turn) = await TurnAsync(db);
        await ChargeAsync(db, conversation, turn, "m1", 3, May.AddDays(1));
        await ChargeAsync(db, conversation, turn, "m2", 5, May.AddDays(1));
        await ChargeAsync(db, conversation, turn, "m1", 7, May.AddDays(40));
        var charged = await TextAsync(db, conversation);
        (await db.Conversations.FindAsync(user, conversation, Cancel)).UnpricedCount.ShouldBe(3);
        await SetAsync(db, "m1", 1m / 3, May);

        var preview = await db.Repricing.RunAsServiceAsync(May, May.AddMonths(1), dryRun: true, cancellationToken: Cancel);
        (await TextAsync(db, conversation)).ShouldBe(charged);
        var report = await db.Repricing.RunAsServiceAsync(May, May.AddMonths(1), cancellationToken: Cancel);
        report.Models.ShouldBe(preview.Models);
        var model = report.Models.ShouldHaveSingleItem();
        (model.UserId, model.Email, model.Model, model.Charges, model.FormerlyUnpriced, model.BeforeUsd, model.AfterUsd, report.Conversations)
            .ShouldBe((user.UserId, model.Email, "m1", 1L, 1L, 0m, 0.999999999m, 1));
        await ShouldBeAsync(db, user, conversation, 0.999999999m, unpriced: 2);

        (await db.Repricing.RunAsServiceAsync(May, May.AddMonths(1), cancellationToken: Cancel)).Models.ShouldBeEmpty();
        await SetAsync(db, "m1", 0.2m, May);
        (await db.Repricing.RunAsServiceAsync(May, May.AddMonths(1), cancellationToken: Cancel)).DifferenceUsd.ShouldBe(-0.399999999m);
        await ShouldBeAsync(db, user, conversation, 0.6m, unpriced: 2);
        (await db.Repricing.RunAsServiceAsync(May, May.AddMonths(2), cancellationToken: Cancel)).DifferenceUsd.ShouldBe(1.4m);
        await ShouldBeAsync(db, user, conversation, 2m, unpriced: 1);
        (await TextAsync(db, conversation)).ShouldStartWith(charged, customMessage: "nothing is edited");

        // A price that is gone takes nothing back.
        await db.ExecuteAsync(Caller.Service, "delete from vox.prices where provider = 'acme'");
        (await db.Repricing.RunAsServiceAsync(May, May.AddMonths(2), cancellationToken: Cancel)).Models.ShouldBeEmpty();
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.audit_log where action = 'prices.reprice'")).ShouldBe(5L);
    }

    [Fact]
    public async Task The_savings_of_the_cache_follow_the_corrected_prices()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (user, conversation, turn) = await TurnAsync(db);
        await db.Charges.RecordAsServiceAsync(
            [new NewCharge { Id = Guid.CreateVersion7(), ConversationId = conversation, TurnId = turn, Stage = "llm", Meter = Meters.InputAudioCached, Provider = "openai", Model = "gpt-realtime", Quantity = 1_000_000, ChargedAt = May }],
            Cancel);
        (await SavedAsync(db, user)).ShouldBe(31.6m);
        await db.Prices.SetAsync(Caller.Service, new Price { Provider = "openai", Model = "gpt-realtime", Meter = Meters.InputAudio, UnitPriceUsd = 20, Per = 1_000_000, ValidFrom = May }, cancellationToken: Cancel);
        (await db.Repricing.RunAsServiceAsync(May, May.AddDays(1), cancellationToken: Cancel)).DifferenceUsd.ShouldBe(0);
        (await SavedAsync(db, user)).ShouldBe(19.6m);
        (await db.Repricing.RunAsServiceAsync(May, May.AddDays(1), cancellationToken: Cancel)).Models.ShouldBeEmpty();
    }

    [Fact]
    public async Task Stopped_in_the_middle_it_goes_on_where_it_was_and_reports_how_far_it_is()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        for (var i = 0; i < 120; i++)
            await ChargeAsync(db, (await db.Conversations.StartAsync(user, new NewConversation(), Cancel)).Id, null, "m1", 1, May);
        await SetAsync(db, "m1", 2, May);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var seen = new List<RepricingProgress>();
        await Should.ThrowAsync<OperationCanceledException>(() => db.Repricing.RunAsServiceAsync(
            May, May.AddDays(1), progress: new Progress(p =>
            {
                seen.Add(p);
                if (p.Done > 0)
                    stop.Cancel();
            }),
            cancellationToken: stop.Token));
        seen.ShouldBe([new RepricingProgress(0, 120), new RepricingProgress(50, 120)]);
        (await db.ScalarAsync(Caller.Service, "select sum(cost_usd) from vox.conversations")).ShouldBe(100m);

        (await db.Repricing.RunAsServiceAsync(May, May.AddDays(1), cancellationToken: Cancel)).DifferenceUsd.ShouldBe(140m);
        (await db.ScalarAsync(Caller.Service, "select sum(cost_usd) from vox.conversations")).ShouldBe(240m);
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Several_at_once_and_calls_that_go_on_come_to_the_same()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        var (conversations, turns) = (new List<Guid>(), new List<Guid>());
        for (var i = 0; i < 6; i++)
        {
            conversations.Add((await db.Conversations.StartAsync(user, new NewConversation { Status = ConversationStatus.Active }, Cancel)).Id);
            turns.Add((await db.Conversations.AppendAsync(user, conversations[i], new NewTurn { Role = TurnRole.Assistant }, Cancel)).Id);
            await ChargeAsync(db, conversations[i], turns[i], "m1", 1, May);
        }

        var writers = conversations.Select(async (conversation, i) =>
        {
            for (var n = 0; n < 15; n++)
            {
                await ChargeAsync(db, conversation, turns[i], "m1", 1, May);
                await db.Conversations.AppendAsync(user, conversation, new NewTurn { Role = TurnRole.User, RawText = "on" }, Cancel);
            }
        });
        var repricers = Enumerable.Range(1, 3).Select(async n =>
        {
            await SetAsync(db, "m1", n, May);
            for (var i = 0; i < 3; i++)
                await db.Repricing.RunAsServiceAsync(May, May.AddDays(1), cancellationToken: Cancel);
        });
        await Task.WhenAll([.. writers, .. repricers]);
        await SetAsync(db, "m1", 5, May);
        await db.Repricing.RunAsServiceAsync(May, May.AddDays(1), cancellationToken: Cancel);

        (await db.ScalarAsync(Caller.Service, "select sum(cost_usd) from vox.conversations")).ShouldBe(6 * 16 * 5m);
        (await db.ScalarAsync(Caller.Service, "select sum(llm_cost_usd) from vox.turns")).ShouldBe(6 * 16 * 5m);
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_period_that_holds_nothing_is_refused()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        (await Should.ThrowAsync<VoxbaseException>(() => db.Repricing.RunAsServiceAsync(May, May, cancellationToken: Cancel))).Code.ShouldBe("period_invalid");
    }

    private static async Task<(Caller User, Guid Conversation, Guid Turn)> TurnAsync(TestDatabase db)
    {
        var user = await db.NewUserAsync();
        var conversation = (await db.Conversations.StartAsync(user, new NewConversation { Status = ConversationStatus.Active }, Cancel)).Id;
        return (user, conversation, (await db.Conversations.AppendAsync(user, conversation, new NewTurn { Role = TurnRole.Assistant }, Cancel)).Id);
    }

    private static Task SetAsync(TestDatabase db, string model, decimal price, DateTimeOffset from) => db.Prices.SetAsync(
        Caller.Service, new Price { Provider = "acme", Model = model, Meter = Meters.Requests, UnitPriceUsd = decimal.Round(price, 9), ValidFrom = from }, replace: true, Cancel);

    private static Task ChargeAsync(TestDatabase db, Guid conversation, Guid? turn, string model, decimal quantity, DateTimeOffset at) => db.Charges.RecordAsServiceAsync(
        [new NewCharge { Id = Guid.CreateVersion7(), ConversationId = conversation, TurnId = turn, Stage = "llm", Meter = Meters.Requests, Provider = "acme", Model = model, Quantity = quantity, ChargedAt = at }],
        Cancel);

    private static async Task ShouldBeAsync(TestDatabase db, Caller user, Guid conversation, decimal cost, int unpriced)
    {
        var record = await db.Conversations.GetAsync(user, conversation, Cancel);
        (record.Conversation.CostUsd, record.Conversation.UnpricedCount, record.Turns.Sum(t => t.CostUsd)).ShouldBe((cost, unpriced, cost));
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    private static async Task<decimal> SavedAsync(TestDatabase db, Caller user) =>
        (await db.Usage.ReadAsync(user, new UsageQuery { From = new DateOnly(2026, 5, 1), To = new DateOnly(2026, 6, 1) }, Cancel)).Total.CacheSavingsUsd;

    private static async Task<string> TextAsync(TestDatabase db, Guid conversation) => (string)(await db.ScalarAsync(
        Caller.Service, "select string_agg(c::text, E'\\n' order by revision, id) from vox.charges c where conversation_id = $1", Parameter.Uuid(conversation)))!;

    private sealed class Progress(Action<RepricingProgress> report) : IProgress<RepricingProgress>
    {
        public void Report(RepricingProgress value) => report(value);
    }
}
