namespace Voxbase.AspNetCore;

/// <summary>The budgets that a caller may see.</summary>
/// <param name="Data">The tiers', then those of users that differ.</param>
internal sealed record BudgetList(IReadOnlyList<Budget> Data);

/// <summary><c>/v1/budgets</c>.</summary>
internal sealed class BudgetEndpoints(Budgets budgets)
{
    private static readonly ErrorCode[] Faults = [BudgetErrors.Invalid, IdentityErrors.UserNotFound, Data.DataErrors.Forbidden];

    public void Map(VoxbaseRoutes routes)
    {
        routes.At("/v1/budgets")
            .Get(ListAsync, new Operation("budgets.list", "The tiers' budgets, and those of users that differ: all for admins, their own for users") { Answers = { [200] = typeof(BudgetList) } });
        routes.At("/v1/budgets/position")
            .Get(PositionAsync, new Operation("budgets.position", "What is spent, reserved and left this month")
            {
                Query = { ["user_id"] = (typeof(Guid), "Whose; the caller's own when left out. Admins and the service ask for anyone's.") },
                Answers = { [200] = typeof(BudgetPosition) },
                Errors = [IdentityErrors.UserNotFound],
            });
        routes.At("/v1/budgets/window")
            .Get(WindowAsync, new Operation("budgets.window", "When a budget's month begins") { Answers = { [200] = typeof(BudgetWindow) } })
            .Put(SetWindowAsync, new Operation("budgets.set_window", "Change when a budget's month begins; every month is counted again. Admins")
            {
                Body = typeof(BudgetWindow),
                Answers = { [200] = typeof(BudgetWindow) },
                Errors = [BudgetErrors.Invalid, Data.DataErrors.Forbidden],
            });
        routes.At("/v1/budgets/tiers/{tier}")
            .Put(SetTierAsync, new Operation("budgets.set_tier", "Change a tier's budget; what is left out stays. Admins")
            {
                Body = typeof(BudgetChange),
                Answers = { [200] = typeof(BudgetList) },
                Errors = Faults,
            });
        routes.At("/v1/budgets/users/{id}")
            .Put(SetUserAsync, new Operation("budgets.set_user", "Change a user's budget; what was never set follows the tier. Admins")
            {
                Body = typeof(BudgetChange),
                Answers = { [200] = typeof(BudgetPosition) },
                Errors = Faults,
            })
            .Delete(ResetAsync, new Operation("budgets.reset_user", "Take a user's own budget away: the tier's holds. Admins")
            {
                Answers = { [200] = typeof(BudgetPosition) },
                Errors = [BudgetErrors.NotFound],
            });
        routes.At("/v1/budgets/users/{id}/override")
            .Put(OverrideAsync, new Operation("budgets.override", "Give a user another limit for a time. Admins")
            {
                Body = typeof(BudgetOverride),
                Answers = { [200] = typeof(BudgetPosition) },
                Errors = Faults,
            })
            .Delete(EndOverrideAsync, new Operation("budgets.end_override", "End a user's override before its time. Admins")
            {
                Answers = { [200] = typeof(BudgetPosition) },
                Errors = [BudgetErrors.NotFound],
            });
    }

    private async Task ListAsync(Request request)
    {
        request.Query();
        await Responses.WriteAsync(
            request.Context, new BudgetList(await budgets.ListAsync(request.Caller, request.Aborted)), VoxbaseJson.Types.BudgetList);
    }

    private async Task PositionAsync(Request request)
    {
        var userId = request.Query("user_id").Uuid("user_id") ?? request.Caller.UserId
            ?? throw HttpErrors.QueryInvalid.With("The service has no position of its own: name a user with user_id.");
        await AnswerAsync(request, userId);
    }

    private async Task WindowAsync(Request request)
    {
        request.Query();
        await Responses.WriteAsync(request.Context, await budgets.WindowAsync(request.Caller, request.Aborted), VoxbaseJson.Types.BudgetWindow);
    }

    private async Task SetWindowAsync(Request request)
    {
        await budgets.SetWindowAsync(request.Caller, await request.BodyAsync(VoxbaseJson.Types.BudgetWindow), request.Aborted);
        await Responses.WriteAsync(request.Context, await budgets.WindowAsync(request.Caller, request.Aborted), VoxbaseJson.Types.BudgetWindow);
    }

    private async Task SetTierAsync(Request request)
    {
        var text = request.Text("tier");
        var names = VoxbaseJson.NamesOf(typeof(UserTier));
        var index = Enumerable.Range(0, names.Count).FirstOrDefault(i => names[i] == text, -1);
        if (index < 0)
            throw BudgetErrors.Invalid.With($"'{Request.Shown(text)}' is not a tier; the tiers are {string.Join(", ", names)}");
        await budgets.SetAsync(request.Caller, Enum.GetValues<UserTier>()[index], await request.BodyAsync(VoxbaseJson.Types.BudgetChange), request.Aborted);
        await Responses.WriteAsync(
            request.Context, new BudgetList(await budgets.ListAsync(request.Caller, request.Aborted)), VoxbaseJson.Types.BudgetList);
    }

    private async Task SetUserAsync(Request request)
    {
        await budgets.SetAsync(request.Caller, request.Id("id"), await request.BodyAsync(VoxbaseJson.Types.BudgetChange), request.Aborted);
        await AnswerAsync(request, request.Id("id"));
    }

    private async Task ResetAsync(Request request)
    {
        await budgets.ResetAsync(request.Caller, request.Id("id"), request.Aborted);
        await AnswerAsync(request, request.Id("id"));
    }

    private async Task OverrideAsync(Request request)
    {
        await budgets.OverrideAsync(request.Caller, request.Id("id"), await request.BodyAsync(VoxbaseJson.Types.BudgetOverride), request.Aborted);
        await AnswerAsync(request, request.Id("id"));
    }

    private async Task EndOverrideAsync(Request request)
    {
        await budgets.EndOverrideAsync(request.Caller, request.Id("id"), request.Aborted);
        await AnswerAsync(request, request.Id("id"));
    }

    private async Task AnswerAsync(Request request, Guid userId) =>
        await Responses.WriteAsync(request.Context, await budgets.PositionAsync(request.Caller, userId, request.Aborted), VoxbaseJson.Types.BudgetPosition);
}
