using Voxbase.Testing;

namespace Voxbase.Tests.Spending;

public sealed class ChargesTests(TestCluster cluster)
{
    private static readonly DateTimeOffset May = new(2026, 5, 1, 0, 0, 0, TimeSpan.Zero);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    // 1 s of gpt-live-1 is $0.000833333…: rounded second by second, an hour would be short by more than a thousand nano-dollars.
    [Fact]
    public async Task Readings_of_a_growing_meter_charge_the_highest_exactly_in_whatever_order_they_come()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (conversation, meter) = (await StartAsync(db), Guid.CreateVersion7());
        foreach (var seconds in new[] { 1m, 3, 2, 3, 7, 7, 4, 11.5m, 13, 1 })
            await db.Charges.RecordReadingAsServiceAsync(Reading(conversation, meter, seconds), Cancel);

        var record = await db.Conversations.GetAsync(Caller.Service, conversation, Cancel);
        record.Conversation.CostUsd.ShouldBe(0.010833333m);
        record.Charges.Select(c => c.Quantity).ShouldBe([1m, 3, 7, 11.5m, 13]);
        record.Charges.Select(c => c.Revision).ShouldBe([0, 1, 2, 3, 4]);
        record.Charges.Sum(c => c.AmountUsd).ShouldBe(0.010833333m);
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Sixteen_writers_of_the_same_readings_charge_them_once()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (conversation, meter) = (await StartAsync(db), Guid.CreateVersion7());
        await Task.WhenAll(Enumerable.Range(0, 16).Select(async writer =>
        {
            for (var seconds = 1; seconds <= 8; seconds++)
                await db.Charges.RecordReadingAsServiceAsync(Reading(conversation, meter, ((seconds * 5) + writer) % 60), Cancel);
        }));
        var record = await db.Conversations.GetAsync(Caller.Service, conversation, Cancel);
        record.Charges.Max(c => c.Quantity).ShouldBe(55);
        record.Conversation.CostUsd.ShouldBe(0.045833333m);
        record.Charges.Select(c => c.Revision).Order().ShouldBe(Enumerable.Range(0, record.Charges.Count));
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Readings_without_a_price_are_one_unpriced_charge_and_take_the_price_when_there_is_one()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (conversation, meter) = (await StartAsync(db), Guid.CreateVersion7());
        await db.Charges.RecordReadingAsServiceAsync(Reading(conversation, meter, 10) with { Model = "new-live" }, Cancel);
        await db.Charges.RecordReadingAsServiceAsync(Reading(conversation, meter, 20) with { Model = "new-live" }, Cancel);
        (await db.Conversations.FindAsync(Caller.Service, conversation, Cancel)).UnpricedCount.ShouldBe(1);
        await db.Prices.SetAsync(
            Caller.Service, new Price { Provider = "openai", Model = "new-live", Meter = Meters.SessionSeconds, UnitPriceUsd = 0.06m, Per = 60, ValidFrom = May }, cancellationToken: Cancel);
        await db.Charges.RecordReadingAsServiceAsync(Reading(conversation, meter, 30) with { Model = "new-live" }, Cancel);

        var found = await db.Conversations.FindAsync(Caller.Service, conversation, Cancel);
        (found.UnpricedCount, found.CostUsd).ShouldBe((0, 0.03m));
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(-1, "session.seconds", "session")]
    [InlineData(1, "apples", "session")]
    [InlineData(1, "session.seconds", "dinner")]
    public async Task What_cannot_be_charged_is_refused_with_all_that_came_with_it(int quantity, string meter, string stage)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var conversation = await StartAsync(db);
        var bad = Reading(conversation, Guid.CreateVersion7(), quantity) with { Meter = meter, Stage = stage };
        (await Should.ThrowAsync<VoxbaseException>(() => db.Charges.RecordAsServiceAsync([Reading(conversation, Guid.CreateVersion7(), 1), bad], Cancel))).Code.ShouldBe("charge_invalid");
        (await Should.ThrowAsync<VoxbaseException>(() => db.Charges.RecordReadingAsServiceAsync(bad, Cancel))).Code.ShouldBe("charge_invalid");
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.charges")).ShouldBe(0L);
    }

    [Fact]
    public async Task A_reading_of_a_conversation_that_is_not_there_is_refused()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        (await Should.ThrowAsync<VoxbaseException>(() => db.Charges.RecordReadingAsServiceAsync(Reading(Guid.CreateVersion7(), Guid.CreateVersion7(), 1), Cancel)))
            .Error.Kind.ShouldBeOneOf(ErrorKind.NotFound, ErrorKind.Conflict);
    }

    private static async Task<Guid> StartAsync(TestDatabase db) =>
        (await db.Conversations.StartAsync(Caller.Service, new NewConversation { UserId = (await db.NewUserAsync()).UserId, Status = ConversationStatus.Active }, Cancel)).Id;

    private static NewCharge Reading(Guid conversation, Guid meter, decimal seconds) =>
        new() { Id = meter, ConversationId = conversation, Stage = "session", Meter = Meters.SessionSeconds, Provider = "openai", Model = "gpt-live-1", Quantity = seconds, ChargedAt = May };
}
