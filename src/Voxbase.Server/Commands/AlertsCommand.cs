using System.CommandLine;
using Spectre.Console;
using Voxbase.Server.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase alerts [list|ack|rules|webhooks|test]</c>: what crossed a threshold, what is watched, and who is told.</summary>
internal static class AlertsCommand
{
    public static Command Create(Shell shell)
    {
        var all = new Option<bool>("--all") { Description = "Those resolved as well" };
        var limit = new Option<int>("--limit", "-n") { Description = "How many at most", DefaultValueFactory = _ => 20, HelpName = "count" };
        Arguments.Between(limit, 1, 1_000);
        var list = new Command("list", "List alerts, the newest first.") { all, limit, shell.Json };
        list.SetAction((parsed, ct) => ListAsync(shell, parsed, parsed.GetValue(all), parsed.GetValue(limit), ct));
        var command = new Command("alerts", "Alerts: what crossed a threshold, what is watched, and who is told.")
        {
            list, Acknowledge(shell), Rules(shell), Webhooks(shell), Test(shell), shell.Json,
        };
        command.SetAction((parsed, ct) => ListAsync(shell, parsed, false, 20, ct));
        return shell.WithExamples(
            command,
            "voxbase alerts list --all",
            "voxbase alerts rules set latency_p95 --threshold 2000",
            "voxbase alerts webhooks add https://alerts.example.org/voxbase");
    }

    private static Task<int> ListAsync(Shell shell, ParseResult parsed, bool all, int limit, CancellationToken cancellationToken) =>
        shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var alerts = await session.Get<Alerts>().ListAsync(Caller.Service, all, limit: limit, cancellationToken: cancellationToken);
                if (parsed.GetValue(shell.Json))
                    Output.WriteJson(alerts);
                else
                    AlertTable.Write(shell.Output, alerts);
                return 0;
            },
            cancellationToken);

    private static Command Acknowledge(Shell shell)
    {
        var id = new Argument<Guid>("id") { Description = "The alert's id, as `voxbase alerts list` prints it" };
        var command = new Command("ack", "Acknowledge an alert: somebody takes it on.") { id, shell.Json };
        command.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                await session.Get<Alerts>().AcknowledgeAsync(Caller.Service, parsed.GetValue(id), ct);
                if (parsed.GetValue(shell.Json))
                    Output.WriteJson(new { Id = parsed.GetValue(id) });
                else
                    shell.Output.Error.WriteLine("Acknowledged.", Tables.Dim);
                return 0;
            },
            ct));
        return shell.WithExamples(command, "voxbase alerts ack 019a2f3c-5d1e-7a44-9c1b-0f6a5d2e8b31");
    }

    private static Command Rules(Shell shell)
    {
        var list = new Command("list", "List the rules and what can be measured.") { shell.Json };
        list.SetAction((parsed, ct) => ListRulesAsync(shell, parsed, ct));
        var name = new Argument<string>("name") { Description = "The rule's name" };
        var delete = new Command("delete", "Take a rule and its alerts away. A shipped one is better turned off.") { name, shell.Json };
        delete.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                await session.Get<Alerts>().DeleteRuleAsync(Caller.Service, parsed.GetValue(name)!, ct);
                return await ListRulesAsync(shell, parsed, ct);
            },
            ct));
        var command = new Command("rules", "What is watched.") { list, SetRule(shell), delete, shell.Json };
        command.SetAction((parsed, ct) => ListRulesAsync(shell, parsed, ct));
        return command;
    }

    private static Task<int> ListRulesAsync(Shell shell, ParseResult parsed, CancellationToken cancellationToken) => shell.WithDatabaseAsync(
        parsed,
        async session =>
        {
            var alerts = session.Get<Alerts>();
            var rules = await alerts.RulesAsync(Caller.Service, cancellationToken);
            if (parsed.GetValue(shell.Json))
                Output.WriteJson(rules);
            else
                AlertTable.Write(shell.Output, rules, alerts.Measures);
            return 0;
        },
        cancellationToken);

    private static Command SetRule(Shell shell)
    {
        var name = new Argument<string>("name") { Description = "The rule's name" };
        var measure = new Option<string?>("--measure") { Description = "What is measured; needed for a new rule", HelpName = "name" };
        var scope = new Option<string?>("--scope") { Description = "What a value is taken for: installation, user, kind, model or conversation", HelpName = "scope" };
        var threshold = Arguments.Amount("--threshold", "An alert opens when a value reaches it");
        var resolve = Arguments.Amount("--resolve-ratio", "It resolves below this part of the threshold, for example 0.9");
        var window = Arguments.Duration("--window", "How far back is looked: 15m, 1h, 1d");
        var every = Arguments.Duration("--every", "How often: 30s, 5m");
        var samples = new Option<int?>("--min-samples") { Description = "With fewer observations nothing is concluded", HelpName = "count" };
        var severity = new Option<AlertSeverity?>("--severity") { Description = "info, warning or critical" };
        var enabled = new Option<bool?>("--enabled") { Description = "Whether it is watched: true or false" };
        var description = new Option<string?>("--description") { Description = "What it means when it fires", HelpName = "text" };
        var command = new Command("set", "Change a rule, what is left out stays; or make one of a measure and a threshold.")
        {
            name, measure, scope, threshold, resolve, window, every, samples, severity, enabled, description, shell.Json,
        };
        command.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var alerts = session.Get<Alerts>();
                var change = new AlertRuleChange
                {
                    Description = parsed.GetValue(description),
                    Measure = parsed.GetValue(measure),
                    Scope = parsed.GetValue(scope),
                    Threshold = parsed.GetValue(threshold),
                    ResolveRatio = parsed.GetValue(resolve),
                    WindowMinutes = parsed.GetValue(window) is { } back ? (int)Math.Ceiling(back.TotalMinutes) : null,
                    MinSamples = parsed.GetValue(samples),
                    EverySeconds = parsed.GetValue(every) is { } often ? (int)Math.Ceiling(often.TotalSeconds) : null,
                    Severity = parsed.GetValue(severity),
                    IsEnabled = parsed.GetValue(enabled),
                };
                var rule = await alerts.SetRuleAsync(Caller.Service, parsed.GetValue(name)!, change, ct);
                if (parsed.GetValue(shell.Json))
                    Output.WriteJson(rule);
                else
                    AlertTable.Write(shell.Output, [rule], []);
                return 0;
            },
            ct));
        return shell.WithExamples(
            command,
            "voxbase alerts rules set latency_p95 --threshold 2000 --window 30m",
            "voxbase alerts rules set failures_by_model --measure failure_rate --scope model --threshold 0.1",
            "voxbase alerts rules set daily_tokens --enabled false");
    }

    private static Command Webhooks(Shell shell)
    {
        var list = new Command("list", "List the webhooks, without their secrets.") { shell.Json };
        list.SetAction((parsed, ct) => ListWebhooksAsync(shell, parsed, ct));
        var url = new Argument<string>("url") { Description = "Where to: http or https" };
        var rules = new Option<string[]>("--rule") { Description = "Alerts of this rule alone; may be given several times", HelpName = "name" };
        var add = new Command("add", "Deliver alerts to another webhook. Prints its secret, once.") { url, rules, shell.Json };
        add.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var wanted = new NewAlertEndpoint { Url = parsed.GetValue(url)!, Rules = parsed.GetValue(rules) is { Length: > 0 } given ? given : null };
                var added = await session.Get<Alerts>().AddEndpointAsync(Caller.Service, wanted, ct);
                if (parsed.GetValue(shell.Json))
                {
                    Output.WriteJson(added);
                    return 0;
                }

                shell.Output.Error.WriteLine($"Webhook {added.Id}. Its secret, shown this once:", Tables.Dim);
                Console.Out.WriteLine(added.Secret);
                return 0;
            },
            ct));
        var id = new Argument<Guid>("id") { Description = "The webhook's id" };
        var delete = new Command("delete", "Deliver no more to a webhook.") { id, shell.Json };
        delete.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                await session.Get<Alerts>().DeleteEndpointAsync(Caller.Service, parsed.GetValue(id), ct);
                return await ListWebhooksAsync(shell, parsed, ct);
            },
            ct));
        var command = new Command("webhooks", "Where alerts are delivered to.") { list, add, delete, shell.Json };
        command.SetAction((parsed, ct) => ListWebhooksAsync(shell, parsed, ct));
        return shell.WithExamples(command, "voxbase alerts webhooks add https://alerts.example.org/voxbase --rule budget_exceeded");
    }

    private static Task<int> ListWebhooksAsync(Shell shell, ParseResult parsed, CancellationToken cancellationToken) => shell.WithDatabaseAsync(
        parsed,
        async session =>
        {
            var endpoints = await session.Get<Alerts>().EndpointsAsync(Caller.Service, cancellationToken);
            if (parsed.GetValue(shell.Json))
                Output.WriteJson(endpoints);
            else
                AlertTable.Write(shell.Output, endpoints);
            return 0;
        },
        cancellationToken);

    private static Command Test(Shell shell)
    {
        var command = new Command("test", "Send every webhook a test event now, and say what each answered.") { shell.Json };
        command.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var alerts = session.Get<Alerts>();
                var results = new List<(AlertEndpoint Endpoint, DeliveryAttempt Attempt)>();
                foreach (var endpoint in await alerts.EndpointsAsync(Caller.Service, ct))
                    results.Add((endpoint, await alerts.TestEndpointAsync(Caller.Service, endpoint.Id, ct)));
                if (parsed.GetValue(shell.Json))
                    Output.WriteJson(results.Select(result => new { result.Endpoint.Id, result.Endpoint.Url, result.Attempt.Delivered, result.Attempt.Outcome }));
                else
                    AlertTable.Write(shell.Output, results);
                return results.All(result => result.Attempt.Delivered) ? 0 : 1;
            },
            ct));
        return shell.WithExamples(command, "voxbase alerts test");
    }
}
