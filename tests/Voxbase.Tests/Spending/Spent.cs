using Npgsql;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Spending;

/// <summary>Charges of round amounts, and what the tables come to.</summary>
internal static class Spent
{
    /// <summary>What a unit costs.</summary>
    public const decimal Unit = 0.01m;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>A database whose model <c>unit</c> costs a cent a request.</summary>
    public static async Task<TestDatabase> DatabaseAsync(this TestCluster cluster, Action<SpendingOptions>? configure = null, TimeProvider? time = null, int pooled = 16)
    {
        var db = await cluster.CreateDatabaseAsync(options => configure?.Invoke(options.Spending), time, pooled);
        await db.Prices.SetAsync(
            Caller.Service,
            new Price { Provider = "test", Model = "unit", Meter = Meters.Requests, UnitPriceUsd = Unit, ValidFrom = DateTimeOffset.UnixEpoch },
            cancellationToken: Cancel);
        return db;
    }

    /// <summary>A running call of a user's.</summary>
    public static async Task<Guid> CallAsync(this TestDatabase db, Caller user) =>
        (await db.Conversations.StartAsync(user, new NewConversation { Status = ConversationStatus.Active }, Cancel)).Id;

    /// <summary>A charge of so many dollars.</summary>
    public static NewCharge Of(Guid conversationId, decimal usd, DateTimeOffset? at = null, Guid? id = null) => new()
    {
        Id = id ?? Guid.CreateVersion7(),
        ConversationId = conversationId,
        Stage = "llm",
        Meter = Meters.Requests,
        Provider = "test",
        Model = "unit",
        Quantity = usd / Unit,
        ChargedAt = at ?? DateTimeOffset.UtcNow,
    };

    public static Task ChargeAsync(this TestDatabase db, Guid conversationId, decimal usd, DateTimeOffset? at = null) =>
        db.Charges.RecordAsServiceAsync([Of(conversationId, usd, at)], Cancel);

    public static Task LimitAsync(this TestDatabase db, Caller user, decimal limit, OnExceed onExceed = OnExceed.Stop) =>
        db.Budgets.SetAsync(Caller.Service, user.UserId!.Value, new BudgetChange { LimitUsd = limit, OnExceed = onExceed }, Cancel);

    public static Task<BudgetPosition> PositionAsync(this TestDatabase db, Caller user) => db.Budgets.PositionAsync(user, user.UserId!.Value, Cancel);

    /// <summary>SQL as the owner of the tables, for what no caller may do: to move clocks.</summary>
    public static async Task AsOwnerAsync(this TestDatabase db, string sql, params NpgsqlParameter[] parameters)
    {
        await using var connection = await db.Database.OpenWithoutCallerAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection);
        command.Parameters.AddRange(parameters);
        await command.ExecuteNonQueryAsync(Cancel);
    }

    /// <summary>
    /// What kept sums and counted ones differ in, read in one snapshot; empty when they agree.
    /// </summary>
    public const string RecountText =
        """
        select format('month %s of %s: kept %s, charged %s', coalesce(m.month, c.month), coalesce(m.user_id, c.user_id), m.sums, c.sums)
        from (
          select user_id, month, row(amount_usd, tokens::numeric(18,6), conversations)::text as sums from vox.monthly_spend
        ) m
        full join (
          select user_id, vox_private.budget_month(charged_at) as month,
            row(coalesce(sum(amount_usd), 0)::numeric(18,9),
              coalesce(sum(quantity - coalesce(before_quantity, 0)) filter (where meter like '%.input.%' or meter like '%.output.%'), 0)::numeric(18,6),
              count(distinct conversation_id)::integer)::text as sums
          from vox.charges where user_id is not null group by 1, 2
        ) c using (user_id, month)
        where m.sums is distinct from c.sums
        union all
        select format('reserved of %s: kept %s, held %s', s.user_id, s.reserved_usd, r.held)
        from vox.reserved_spend s
        left join (select user_id, sum(held_usd) as held from vox.reservations group by user_id) r using (user_id)
        where s.reserved_usd <> coalesce(r.held, 0)
        union all
        select format('standing of %s: known %s, is %s', k.user_id, k.terms, p.terms)
        from (
          select user_id, row(month, spent_usd, limit_usd, alert_ratio, on_exceed)::text as terms from vox.reserved_spend where known_until > now()
        ) k
        join (
          select user_id, row(month, spent_usd::numeric(18,9), limit_usd::numeric(18,9), alert_ratio::numeric(5,4), on_exceed)::text as terms
          from vox.budget_positions
        ) p using (user_id)
        where k.terms <> p.terms
        """;

    public static Task<List<string>> RecountAsync(this TestDatabase db) => db.ColumnAsync(RecountText);

    /// <summary>The first column, as the service.</summary>
    public static Task<List<string>> ColumnAsync(this TestDatabase db, string sql, params NpgsqlParameter[] parameters) =>
        db.Database.RunAsync(
            Caller.Service,
            [new Statement(sql, parameters)],
            static async (results, ct) =>
            {
                var values = new List<string>();
                while (await results.ReadAsync(ct))
                    values.Add(results.GetString(0));
                return values;
            },
            Cancel);
}
