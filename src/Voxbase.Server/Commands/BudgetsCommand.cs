using System.CommandLine;
using Voxbase.Server.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase budgets [list|show|set|override|reset|window]</c>: what may be spent in a month.</summary>
internal static class BudgetsCommand
{
    public static Command Create(Shell shell)
    {
        var list = new Command("list", "List the tiers' budgets, and those of users that differ.") { shell.Json };
        list.SetAction((parsed, ct) => ListAsync(shell, parsed, ct));
        var command = new Command("budgets", "Budgets: what may be spent in a month, by tier and by user.")
        {
            list, Show(shell), Set(shell), Override(shell), Reset(shell), Window(shell), shell.Json,
        };
        command.SetAction((parsed, ct) => ListAsync(shell, parsed, ct));
        return shell.WithExamples(
            command,
            "voxbase budgets show --user ada@example.org",
            "voxbase budgets set --tier free --limit 20 --on-exceed stop",
            "voxbase budgets override --user ada@example.org --limit 2000 --until 2026-12-01 --note \"launch week\"");
    }

    private static Task<int> ListAsync(Shell shell, ParseResult parsed, CancellationToken cancellationToken) => shell.WithDatabaseAsync(
        parsed,
        async session =>
        {
            var budgets = await session.Get<Budgets>().ListAsync(Caller.Service, cancellationToken);
            if (parsed.GetValue(shell.Json))
                Output.WriteJson(budgets);
            else
                BudgetTable.Write(shell.Output, budgets);
            return 0;
        },
        cancellationToken);

    private static Command Show(Shell shell)
    {
        var user = User();
        var command = new Command("show", "Show where a user stands this month: spent, reserved, left.") { user, shell.Json };
        command.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session => await ShowAsync(shell, parsed, session, await session.UserAsync(parsed.GetValue(user)!, ct), ct),
            ct));
        return shell.WithExamples(command, "voxbase budgets show --user ada@example.org");
    }

    private static Command Set(Shell shell)
    {
        var user = new Option<string?>("--user") { Description = "Of this user; what was never set follows the tier", HelpName = "email" };
        var tier = new Option<UserTier?>("--tier") { Description = "Of everybody in this tier: free, pro, enterprise" };
        var limit = Arguments.Amount("--limit", "US dollars a month");
        var ratio = Arguments.Amount("--alert-ratio", "From which part of the limit on an alert is raised, for example 0.8");
        var onExceed = new Option<OnExceed?>("--on-exceed") { Description = "stop: refuse and end calls; warn: only raise an alert" };
        var command = new Command("set", "Change a budget; what is left out stays as it is.") { user, tier, limit, ratio, onExceed, shell.Json };
        command.Validators.Add(result =>
        {
            if ((result.GetResult(user) is null) == (result.GetResult(tier) is null))
                result.AddError("Either --user or --tier is needed.");
            if (result.GetResult(limit) is null && result.GetResult(ratio) is null && result.GetResult(onExceed) is null)
                result.AddError("--limit, --alert-ratio or --on-exceed is needed.");
        });
        command.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var budgets = session.Get<Budgets>();
                var change = new BudgetChange
                {
                    LimitUsd = parsed.GetValue(limit),
                    AlertRatio = parsed.GetValue(ratio),
                    OnExceed = parsed.GetValue(onExceed),
                };
                if (parsed.GetValue(user) is { } email)
                {
                    var owner = await session.UserAsync(email, ct);
                    await budgets.SetAsync(Caller.Service, owner.Id, change, ct);
                    return await ShowAsync(shell, parsed, session, owner, ct);
                }

                await budgets.SetAsync(Caller.Service, parsed.GetValue(tier)!.Value, change, ct);
                return await ListAsync(shell, parsed, ct);
            },
            ct));
        return shell.WithExamples(
            command,
            "voxbase budgets set --tier pro --limit 1000",
            "voxbase budgets set --user ada@example.org --limit 50 --on-exceed warn");
    }

    private static Command Override(Shell shell)
    {
        var user = User();
        var limit = Arguments.Amount("--limit", "US dollars a month");
        var until = Arguments.Moment("--until", "When the ordinary limit holds again");
        var span = Arguments.Duration("--for", "The same as a duration from now: 12h, 7d");
        var note = new Option<string?>("--note") { Description = "Why", HelpName = "text" };
        var end = new Option<bool>("--end") { Description = "End the override now" };
        var command = new Command("override", "Give a user another limit for a time.") { user, limit, until, span, note, end, shell.Json };
        command.Validators.Add(result =>
        {
            var given = result.GetResult(limit) is not null && (result.GetResult(until) is null) != (result.GetResult(span) is null);
            var any = (result.GetResult(limit) ?? result.GetResult(until) ?? result.GetResult(span)) is not null;
            if (result.GetResult(end) is null ? !given : any)
                result.AddError("--limit with --until or --for is needed, or --end alone.");
        });
        command.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var owner = await session.UserAsync(parsed.GetValue(user)!, ct);
                var budgets = session.Get<Budgets>();
                if (parsed.GetValue(end))
                {
                    await budgets.EndOverrideAsync(Caller.Service, owner.Id, ct);
                }
                else
                {
                    await budgets.OverrideAsync(
                        Caller.Service,
                        owner.Id,
                        new BudgetOverride
                        {
                            LimitUsd = parsed.GetValue(limit)!.Value,
                            Until = parsed.GetValue(until) ?? DateTimeOffset.UtcNow + parsed.GetValue(span)!.Value,
                            Note = parsed.GetValue(note),
                        },
                        ct);
                }

                return await ShowAsync(shell, parsed, session, owner, ct);
            },
            ct));
        return shell.WithExamples(
            command,
            "voxbase budgets override --user ada@example.org --limit 2000 --for 7d --note \"launch week\"",
            "voxbase budgets override --user ada@example.org --end");
    }

    private static Command Reset(Shell shell)
    {
        var user = User();
        var command = new Command("reset", "Take a user's own budget and override away: the tier's holds.") { user, shell.Json };
        command.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var owner = await session.UserAsync(parsed.GetValue(user)!, ct);
                await session.Get<Budgets>().ResetAsync(Caller.Service, owner.Id, ct);
                return await ShowAsync(shell, parsed, session, owner, ct);
            },
            ct));
        return shell.WithExamples(command, "voxbase budgets reset --user ada@example.org");
    }

    private static Command Window(Shell shell)
    {
        var zone = new Option<string?>("--time-zone") { Description = "Whose midnight, for example UTC or Europe/Berlin", HelpName = "zone" };
        var day = new Option<int?>("--first-day") { Description = "The day of the month on which it begins, 1 to 28", HelpName = "day" };
        var command = new Command("window", "Show or change when a budget's month begins. Changing it counts every month again.") { zone, day, shell.Json };
        command.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var budgets = session.Get<Budgets>();
                var window = await budgets.WindowAsync(Caller.Service, ct);
                var wanted = new BudgetWindow(parsed.GetValue(zone) ?? window.TimeZone, parsed.GetValue(day) ?? window.FirstDay);
                if (wanted != window)
                    await budgets.SetWindowAsync(Caller.Service, wanted, ct);
                if (parsed.GetValue(shell.Json))
                    Output.WriteJson(wanted);
                else
                    BudgetTable.Write(shell.Output, wanted);
                return 0;
            },
            ct));
        return shell.WithExamples(command, "voxbase budgets window --time-zone Europe/Berlin --first-day 15");
    }

    private static Option<string> User() => new("--user") { Description = "Whose", HelpName = "email", Required = true };

    private static async Task<int> ShowAsync(Shell shell, ParseResult parsed, Session session, User user, CancellationToken cancellationToken)
    {
        var position = await session.Get<Budgets>().PositionAsync(Caller.Service, user.Id, cancellationToken);
        if (parsed.GetValue(shell.Json))
            Output.WriteJson(position);
        else
            BudgetTable.Write(shell.Output, position);
        return 0;
    }
}
