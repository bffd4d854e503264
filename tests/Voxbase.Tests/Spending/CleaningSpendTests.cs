using Voxbase.Cleaning;
using Voxbase.Data;
using Voxbase.Testing;
using Voxbase.Tests.Transcripts;

namespace Voxbase.Tests.Spending;

/// <summary>What cleaning with a model costs is charged to the conversation, once, and held to the payer's budget.</summary>
public sealed class CleaningSpendTests(TestCluster cluster)
{
    private const string Misheard = "please ask um agnis kovalske about it";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_a_models_call_used_is_charged_to_the_turn_once_at_the_price_books_prices()
    {
        await using var db = await cluster.DatabaseAsync();
        await using var endpoint = await FakeChatEndpoint.StartAsync();
        endpoint.Content = _ => endpoint.Requests.Count == 1 ? "no json" : """{"edits":[]}""";
        using var cleaner = LlmCleanerTests.Cleaner(endpoint);
        var (spend, call, turnId) = (Of(db), await db.CallAsync(await db.NewUserAsync()), Guid.CreateVersion7());

        var turn = await cleaner.CleanAsync(Misheard, new CleaningState(), admits: ct => spend.AdmitsAsync(call, ct), cancellationToken: Cancel);
        for (var i = 0; i < 3; i++)
            await spend.RecordAsServiceAsync(call, turnId, turn.Llm!, Cancel);

        // Two answers of 412 tokens read, 256 of them cached, and 31 written; the book has no price for cached ones of this model.
        var charges = (await db.Conversations.GetAsync(Caller.Service, call, Cancel)).Charges;
        charges.Count.ShouldBe(6);
        charges.ShouldAllBe(charge => charge.Stage == "llm" && charge.Provider == "google" && charge.Model == "gemini-2.5-flash-lite" && charge.TurnId == turnId);
        charges.Where(charge => charge.Meter == Meters.InputText).ShouldAllBe(charge => charge.Quantity == 156 && charge.AmountUsd == 0.0000156m);
        charges.Where(charge => charge.Meter == Meters.InputTextCached).ShouldAllBe(charge => charge.Quantity == 256);
        charges.Where(charge => charge.Meter == Meters.OutputText).ShouldAllBe(charge => charge.Quantity == 31 && charge.AmountUsd == 0.0000124m);
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_spent_budget_cleans_without_the_model_and_says_so()
    {
        await using var db = await cluster.DatabaseAsync();
        await using var endpoint = await FakeChatEndpoint.StartAsync();
        using var cleaner = LlmCleanerTests.Cleaner(endpoint);
        var user = await db.NewUserAsync();
        var (spend, call) = (Of(db), await db.CallAsync(user));
        await db.LimitAsync(user, 1);
        (await spend.AdmitsAsync(call, Cancel)).ShouldBeTrue();

        await db.ChargeAsync(call, 1);
        (await spend.AdmitsAsync(call, Cancel)).ShouldBeFalse();
        var turn = await cleaner.CleanAsync(Misheard, new CleaningState(), admits: ct => spend.AdmitsAsync(call, ct), cancellationToken: Cancel);
        (turn.Llm!.Engine, turn.Llm.Reason).ShouldBe((LlmEngine.Fallback, LlmReason.OverBudget));
        endpoint.Requests.ShouldBeEmpty();

        await db.LimitAsync(user, 1, OnExceed.Warn);
        (await spend.AdmitsAsync(call, Cancel)).ShouldBeTrue();
    }

    [Fact]
    public async Task What_other_calls_hold_is_not_there_for_cleaning_and_what_its_own_call_holds_is()
    {
        await using var db = await cluster.DatabaseAsync();
        var user = await db.NewUserAsync();
        var (spend, call, another) = (Of(db), await db.CallAsync(user), await db.CallAsync(user));
        await db.LimitAsync(user, 1);
        await db.Budgets.ReserveAsync(user.UserId!.Value, call, Cancel);

        (await spend.AdmitsAsync(call, Cancel)).ShouldBeTrue();
        (await spend.AdmitsAsync(another, Cancel)).ShouldBeFalse();
        await db.Budgets.ReleaseAsync(call, Cancel);
        (await spend.AdmitsAsync(another, Cancel)).ShouldBeTrue();
    }

    [Fact]
    public async Task A_conversation_that_nobody_pays_for_is_cleaned()
    {
        await using var db = await cluster.DatabaseAsync();
        (await Of(db).AdmitsAsync(await db.CallAsync(Caller.Service), Cancel)).ShouldBeTrue();
        (await Of(db).AdmitsAsync(Guid.CreateVersion7(), Cancel)).ShouldBeTrue();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task When_the_database_cannot_say_the_setting_does(bool admit)
    {
        await using var db = await cluster.DatabaseAsync(spending => spending.AdmitWhenUnavailable = admit);
        await using var gone = new Database("Host=127.0.0.1;Port=1;Username=nobody;Password=none;Database=none");
        (await new CleaningSpend(gone, new Charges(gone), db.Options).AdmitsAsync(Guid.CreateVersion7(), Cancel)).ShouldBe(admit);
    }

    private static CleaningSpend Of(TestDatabase db) => new(db.Database, db.Charges, db.Options);
}
