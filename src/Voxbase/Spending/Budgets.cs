using Npgsql;
using Voxbase.Data;

namespace Voxbase;

/// <summary>What users may spend in a month, what they have spent, and what running calls hold of the rest.</summary>
/// <remarks>
/// A call reserves before it begins. Its charges use the reservation up, in the statement that records them; while it runs the
/// reservation is filled up again as long as there is room. So what is spent and reserved never passes a limit by more than one
/// reservation, however many calls there are.
/// </remarks>
public sealed class Budgets(Database database, VoxbaseOptions options, TimeProvider time)
{
    internal const string PositionSql =
        """
        select user_id, email, month, limit_usd, override_until, alert_ratio, on_exceed::text, spent_usd, reserved_usd, tokens, conversations
        from vox.budget_positions
        where user_id = $1
        """;

    // Somebody who never wrote anything: what the tier says that users begin with.
    internal const string FirstPositionSql =
        """
        select $1::uuid, null::text, vox_private.budget_month(now()), b.limit_usd, null::timestamptz, b.alert_ratio, b.on_exceed::text,
          0::numeric, coalesce((select r.reserved_usd from vox.reserved_spend r where r.user_id = $1), 0), 0::numeric, 0
        from vox.budgets b
        where b.tier = 'free'
        """;

    internal const string ListSql =
        """
        select b.user_id, u.email, b.tier::text, b.limit_usd, b.alert_ratio, b.on_exceed::text, b.override_limit_usd, b.override_until,
          b.override_note
        from vox.budgets b
        left join vox.users u on u.id = b.user_id
        where b.user_id is null or u.id is not null
        order by b.tier nulls last, u.email, b.user_id
        """;

    internal const string SetTierSql =
        """
        update vox.budgets
        set limit_usd = coalesce($2, limit_usd), alert_ratio = coalesce($3, alert_ratio), on_exceed = coalesce($4::vox.on_exceed, on_exceed)
        where tier = $1::vox.user_tier
        """;

    internal const string SetUserSql =
        """
        insert into vox.budgets (user_id, limit_usd, alert_ratio, on_exceed)
        values ($1, $2, $3, $4::vox.on_exceed)
        on conflict (user_id) do update set
          limit_usd = coalesce(excluded.limit_usd, budgets.limit_usd),
          alert_ratio = coalesce(excluded.alert_ratio, budgets.alert_ratio),
          on_exceed = coalesce(excluded.on_exceed, budgets.on_exceed)
        """;

    internal const string OverrideSql =
        """
        insert into vox.budgets (user_id, override_limit_usd, override_until, override_note)
        values ($1, $2, $3, $4)
        on conflict (user_id) do update set
          override_limit_usd = excluded.override_limit_usd,
          override_until = excluded.override_until,
          override_note = excluded.override_note
        """;

    internal const string EndOverrideSql =
        """
        update vox.budgets set override_limit_usd = null, override_until = null, override_note = null
        where user_id = $1 and override_until is not null
        """;

    internal const string ResetSql =
        """
        delete from vox.budgets where user_id = $1
        """;

    internal const string WindowSql =
        """
        select time_zone, first_day from vox.budget_window
        """;

    internal const string SetWindowSql =
        """
        update vox.budget_window set time_zone = $1, first_day = $2
        """;

    private const decimal LimitsBelow = 1_000_000_000;

    /// <summary>
    /// Holds a call's share of its payer's budget, or keeps and renews what it holds. Runs as the service; exact when many calls of a user
    /// reserve at once, and harmless when repeated.
    /// </summary>
    /// <param name="userId">Who pays.</param>
    /// <param name="conversationId">The call's conversation; it need not exist yet.</param>
    /// <param name="cancellationToken">Cancels.</param>
    /// <returns>Where the payer stands.</returns>
    /// <exception cref="VoxbaseException"><c>budget_exceeded</c>; nothing is held then.</exception>
    public async Task<CallStanding> ReserveAsync(Guid userId, Guid conversationId, CancellationToken cancellationToken = default)
    {
        var standing = (await database.RunAsWriterAsync(
            Reservations.ReserveSql,
            (conversationId, userId, options.Spending),
            static (parameters, of) =>
            {
                parameters.Uuid(of.conversationId);
                parameters.Uuid(of.userId);
                parameters.Numeric(of.Spending.ReservationUsd);
                parameters.Integer((int)of.Spending.ReservationLapse.TotalSeconds);
            },
            ReadStandingAsync,
            cancellationToken))!;
        return standing.HeldUsd is not null
            ? standing
            : throw BudgetErrors.Exceeded.With(
                FormattableString.Invariant($"Of the month's {standing.LimitUsd:0.00####} USD, {standing.SpentUsd:0.00####} are spent and {standing.ReservedUsd:0.00####} held by running calls."));
    }

    /// <summary>
    /// Where a running call stands; fills its reservation up when it runs low and there is room, and renews it. Runs as the service.
    /// </summary>
    /// <returns>Null for a conversation that nobody pays for.</returns>
    public Task<CallStanding?> CheckAsServiceAsync(Guid conversationId, CancellationToken cancellationToken = default) =>
        database.RunAsWriterAsync(
            Reservations.CheckSql,
            (conversationId, options.Spending),
            static (parameters, of) =>
            {
                parameters.Uuid(of.conversationId);
                parameters.Numeric(of.Spending.ReservationUsd);
                parameters.Integer((int)of.Spending.ReservationLapse.TotalSeconds);
            },
            ReadStandingAsync,
            cancellationToken);

    /// <summary>Lets go of what a call holds. Runs as the service; harmless when it holds nothing.</summary>
    public Task ReleaseAsync(Guid conversationId, CancellationToken cancellationToken = default) =>
        database.RunAsWriterAsync(
            Reservations.ReleaseSql,
            conversationId,
            static (parameters, id) => parameters.Uuid(id),
            static (_, _) => Task.FromResult(true),
            cancellationToken);

    /// <summary>
    /// Takes lapsed reservations away; they count no more since they lapsed, so this only keeps the table small. Returns how many.
    /// </summary>
    public Task<int> ReleaseLapsedAsync(CancellationToken cancellationToken = default) =>
        database.RunAsWriterAsync(
            Reservations.ReleaseLapsedSql,
            0,
            static (_, _) => { },
            static async (results, ct) => await results.ReadAsync(ct) ? results.GetInt32(0) : 0,
            cancellationToken);

    /// <summary>Where a user stands this month. A user asks for their own, admins and the service for anyone's; the cost does not grow with what was spent.</summary>
    /// <exception cref="VoxbaseException"><c>user_not_found</c>: there is none, or the caller may not see it.</exception>
    public async Task<BudgetPosition> PositionAsync(Caller caller, Guid userId, CancellationToken cancellationToken = default) =>
        await ReadPositionAsync(PositionSql, caller, userId, cancellationToken)
        ?? (caller.UserId == userId ? await ReadPositionAsync(FirstPositionSql, caller, userId, cancellationToken) : null)
        ?? throw IdentityErrors.UserNotFound.With($"There is no user {userId} for this caller.");

    /// <summary>The tiers' budgets, then the users' that differ, as far as the caller may see them.</summary>
    public Task<IReadOnlyList<Budget>> ListAsync(Caller caller, CancellationToken cancellationToken = default) =>
        database.RunAsync<IReadOnlyList<Budget>>(
            caller,
            [new Statement(ListSql)],
            static async (results, ct) =>
            {
                var budgets = new List<Budget>();
                while (await results.ReadAsync(ct))
                    budgets.Add(ReadBudget(results));
                return budgets;
            },
            cancellationToken);

    /// <summary>Changes a tier's default. Admins and the service only; holds for the next reservation on.</summary>
    /// <exception cref="VoxbaseException"><c>budget_invalid</c>, <c>forbidden</c>.</exception>
    public async Task SetAsync(Caller caller, UserTier tier, BudgetChange change, CancellationToken cancellationToken = default)
    {
        Validate(change);
        if (!Enum.IsDefined(tier))
            throw BudgetErrors.Invalid.With($"'{tier}' is not a tier; the tiers are free, pro and enterprise");
        var changed = await ChangedAsync(caller, Of(SetTierSql, Parameter.Text(Word(tier)), change), cancellationToken);
        if (changed == 0)
            throw DataErrors.Forbidden.With("Only an administrator changes budgets.");
    }

    /// <summary>Changes a user's budget; what was never set follows the tier. Admins and the service only.</summary>
    /// <exception cref="VoxbaseException"><c>budget_invalid</c>, <c>user_not_found</c>, <c>forbidden</c>.</exception>
    public async Task SetAsync(Caller caller, Guid userId, BudgetChange change, CancellationToken cancellationToken = default)
    {
        Validate(change);
        await OfUserAsync(caller, userId, Of(SetUserSql, Parameter.Uuid(userId), change), cancellationToken);
    }

    /// <summary>Gives a user another limit for a time; a former override ends. Admins and the service only.</summary>
    /// <exception cref="VoxbaseException"><c>budget_invalid</c>, <c>user_not_found</c>, <c>forbidden</c>.</exception>
    public async Task OverrideAsync(Caller caller, Guid userId, BudgetOverride given, CancellationToken cancellationToken = default)
    {
        ValidateLimit(given.LimitUsd);
        var now = time.GetUtcNow();
        if (given.Until <= now || given.Until > now.AddYears(10))
            throw BudgetErrors.Invalid.With($"until must be in the next ten years (was {given.Until.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z)");
        if (given.Note?.Length > 1000)
            throw BudgetErrors.Invalid.With($"note must have at most 1,000 characters (has {given.Note.Length})");
        await OfUserAsync(
            caller,
            userId,
            new Statement(
                OverrideSql, Parameter.Uuid(userId), Parameter.Numeric(given.LimitUsd), Parameter.Time(given.Until), Parameter.Text(given.Note)),
            cancellationToken);
    }

    /// <summary>Ends a user's override before its time. Admins and the service only.</summary>
    /// <exception cref="VoxbaseException"><c>budget_not_found</c>.</exception>
    public async Task EndOverrideAsync(Caller caller, Guid userId, CancellationToken cancellationToken = default)
    {
        if (await ChangedAsync(caller, new Statement(EndOverrideSql, Parameter.Uuid(userId)), cancellationToken) == 0)
            throw BudgetErrors.NotFound.With($"User {userId} has no override.");
    }

    /// <summary>Takes a user's own budget away, override included: the tier's holds. Admins and the service only.</summary>
    /// <exception cref="VoxbaseException"><c>budget_not_found</c>.</exception>
    public async Task ResetAsync(Caller caller, Guid userId, CancellationToken cancellationToken = default)
    {
        if (await ChangedAsync(caller, new Statement(ResetSql, Parameter.Uuid(userId)), cancellationToken) == 0)
            throw BudgetErrors.NotFound.With($"User {userId} has no budget of their own.");
    }

    /// <summary>When a budget's month begins.</summary>
    public Task<BudgetWindow> WindowAsync(Caller caller, CancellationToken cancellationToken = default) =>
        database.RunAsync(
            caller,
            [new Statement(WindowSql)],
            static async (results, ct) =>
            {
                await results.ReadAsync(ct);
                return new BudgetWindow(results.GetString(0), results.GetInt32(1));
            },
            cancellationToken);

    /// <summary>
    /// Sets when a budget's month begins and counts every month again from the charges, which wait meanwhile. Admins and the service only.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>budget_invalid</c>, <c>value_invalid</c> for an unknown time zone, <c>forbidden</c>.</exception>
    public async Task SetWindowAsync(Caller caller, BudgetWindow window, CancellationToken cancellationToken = default)
    {
        if (window.FirstDay is < 1 or > 28)
            throw BudgetErrors.Invalid.With($"first_day must be between 1 and 28 (was {window.FirstDay})");
        if (string.IsNullOrWhiteSpace(window.TimeZone))
            throw BudgetErrors.Invalid.With("time_zone must not be empty");
        if (await ChangedAsync(caller, new Statement(SetWindowSql, Parameter.Text(window.TimeZone), Parameter.Integer(window.FirstDay)), cancellationToken) == 0)
            throw DataErrors.Forbidden.With("Only an administrator changes budgets.");
    }

    private static async Task<CallStanding?> ReadStandingAsync(NpgsqlDataReader results, CancellationToken cancellationToken)
    {
        if (!await results.ReadAsync(cancellationToken))
            return null;
        var at = new RowReader(results);
        return new CallStanding(
            at.Uuid()!.Value, at.Date(), at.Numeric()!.Value, at.Numeric()!.Value, at.Enum<OnExceed>()!.Value,
            at.Numeric()!.Value, at.Numeric()!.Value, at.Numeric());
    }

    private Task<BudgetPosition?> ReadPositionAsync(string sql, Caller caller, Guid userId, CancellationToken cancellationToken) =>
        database.RunAsync(
            caller,
            [new Statement(sql, Parameter.Uuid(userId))],
            static async (results, ct) =>
            {
                if (!await results.ReadAsync(ct))
                    return null;
                var at = new RowReader(results);
                return new BudgetPosition
                {
                    UserId = at.Uuid()!.Value,
                    Email = at.Text(),
                    Month = at.Date(),
                    LimitUsd = at.Numeric()!.Value,
                    OverrideUntil = at.Time(),
                    AlertRatio = at.Numeric()!.Value,
                    OnExceed = at.Enum<OnExceed>()!.Value,
                    SpentUsd = at.Numeric()!.Value,
                    ReservedUsd = at.Numeric()!.Value,
                    Tokens = at.Numeric()!.Value,
                    Conversations = at.Integer()!.Value,
                };
            },
            cancellationToken);

    private async Task OfUserAsync(Caller caller, Guid userId, Statement statement, CancellationToken cancellationToken)
    {
        try
        {
            await ChangedAsync(caller, statement, cancellationToken);
        }
        catch (VoxbaseException e) when (e.Error == DataErrors.ReferenceNotFound)
        {
            throw IdentityErrors.UserNotFound.With($"There is no user {userId}.", inner: e);
        }
    }

    private Task<int> ChangedAsync(Caller caller, Statement statement, CancellationToken cancellationToken) =>
        database.RunAsync(caller, [statement], static (results, _) => Task.FromResult(results.RecordsAffected), cancellationToken);

    private static Statement Of(string sql, NpgsqlParameter owner, BudgetChange change) => new(
        sql, owner, Parameter.Numeric(change.LimitUsd), Parameter.Numeric(change.AlertRatio),
        Parameter.Text(change.OnExceed is { } onExceed ? Word(onExceed) : null));

    private static void Validate(BudgetChange change)
    {
        if (change.LimitUsd is { } limit)
            ValidateLimit(limit);
        if (change.AlertRatio is { } ratio && (ratio is <= 0 or > 1 || decimal.Round(ratio, 4) != ratio))
            throw BudgetErrors.Invalid.With($"alert_ratio must be above 0 and at most 1, with at most 4 decimals (was {ratio})");
        if (change.OnExceed is { } onExceed && !Enum.IsDefined(onExceed))
            throw BudgetErrors.Invalid.With($"on_exceed must be stop or warn (was '{onExceed}')");
        if (change is { LimitUsd: null, AlertRatio: null, OnExceed: null })
            throw BudgetErrors.Invalid.With("limit_usd, alert_ratio or on_exceed must be given");
    }

    private static void ValidateLimit(decimal limit)
    {
        if (limit is < 0 or >= LimitsBelow || decimal.Round(limit, 9) != limit)
            throw BudgetErrors.Invalid.With($"limit_usd must be from 0 to below 1,000,000,000 with at most 9 decimals (was {limit})");
    }

    private static string Word<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();

    private static Budget ReadBudget(NpgsqlDataReader row)
    {
        var at = new RowReader(row);
        return new Budget
        {
            UserId = at.Uuid(),
            Email = at.Text(),
            Tier = at.Enum<UserTier>(),
            LimitUsd = at.Numeric(),
            AlertRatio = at.Numeric(),
            OnExceed = at.Enum<OnExceed>(),
            OverrideLimitUsd = at.Numeric(),
            OverrideUntil = at.Time(),
            OverrideNote = at.Text(),
        };
    }
}

/// <summary>What running calls hold: the statements of the library's own writer.</summary>
internal static class Reservations
{
    // Not worth a flush of its own: the next durable commit, of the conversation or its first charge, carries it to the disk, and a crash
    // before that takes the call's beginning with it. What the first half does not do, for want of room, because the terms must be read
    // again or the call has its reservation already, the second does.
    internal const string ReserveSql =
        """
        with made as (
          insert into vox.reservations (conversation_id, user_id, held_usd, lapses_at)
          select $1, $2, $3, now() + make_interval(secs => $4)
          where set_config('synchronous_commit', 'off', true) is not null
          on conflict do nothing
          returning user_id, held_usd
        ), standing as (
          update vox.reserved_spend s set reserved_usd = s.reserved_usd + m.held_usd, updated_at = now()
          from made m
          where s.user_id = m.user_id and s.known_until > now() and (s.on_exceed = 'warn' or s.spent_usd + s.reserved_usd < s.limit_usd)
          returning s.user_id, s.month, s.limit_usd, s.alert_ratio, s.on_exceed::text, s.spent_usd, s.reserved_usd, m.held_usd
        )
        select * from standing
        union all
        select (c.standing).user_id, (c.standing).month, (c.standing).limit_usd, (c.standing).alert_ratio, (c.standing).on_exceed,
          (c.standing).spent_usd, (c.standing).reserved_usd, (c.standing).held_usd
        from (
          select vox_private.reserve_spend($1, $2, $3, make_interval(secs => $4), exists (select from made)) as standing
          where not exists (select from standing)
          offset 0
        ) c
        """;

    internal const string CheckSql =
        """
        select (s.standing).user_id, (s.standing).month, (s.standing).limit_usd, (s.standing).alert_ratio, (s.standing).on_exceed,
          (s.standing).spent_usd, (s.standing).reserved_usd, (s.standing).held_usd
        from (select vox_private.reserve_spend($1, null, $2, make_interval(secs => $3), false) as standing offset 0) s
        where (s.standing).user_id is not null
        """;

    internal const string ReleaseSql =
        """
        with gone as (
          delete from vox.reservations r
          where r.conversation_id = $1 and set_config('synchronous_commit', 'off', true) is not null
          returning r.user_id, r.held_usd
        )
        update vox.reserved_spend s set reserved_usd = s.reserved_usd - g.held_usd, updated_at = now()
        from gone g
        where s.user_id = g.user_id
        """;

    internal const string ReleaseLapsedSql =
        """
        select vox_private.release_lapsed()
        """;
}
