using System.Text.Json;

namespace Voxbase.Server.Tests.Commands;

public sealed class BudgetsCommandTests(SharedHome shared)
{
    private readonly Cli cli = shared.Cli;

    [Fact]
    public async Task A_budget_is_set_overridden_shown_and_reset()
    {
        (await cli.RunAsync("token", "--user", "budget@example.org")).Succeeded();

        var set = (await cli.RunAsync("budgets", "set", "--user", "budget@example.org", "--limit", "50", "--on-exceed", "warn", "--json")).Succeeded().Json;
        (set.GetProperty("limit_usd").GetString(), set.GetProperty("on_exceed").GetString()).ShouldBe(("50.000000000", "warn"));
        (await cli.RunAsync("budgets", "override", "--user", "budget@example.org", "--limit", "2000", "--for", "7d", "--note", "launch")).Succeeded()
            .Output.ShouldContain("of $2,000.00 spent");
        var listed = (await cli.RunAsync("budgets")).Succeeded().Output;
        listed.ShouldContain("tier pro");
        listed.ShouldContain("launch");
        (await cli.RunAsync("budgets", "reset", "--user", "budget@example.org", "--json")).Succeeded().Json.GetProperty("limit_usd").GetString().ShouldBe("500.000000000");
        (await cli.RunAsync("budgets", "window")).Succeeded().Output.ShouldContain("day 1 at midnight, UTC");
    }

    [Fact]
    public async Task Alerts_have_rules_and_webhooks()
    {
        (await cli.RunAsync("alerts", "list", "--json")).Succeeded().Json.ValueKind.ShouldBe(JsonValueKind.Array);
        (await cli.RunAsync("alerts", "rules")).Succeeded().Output.ShouldContain("latency_p95");
        var rule = (await cli.RunAsync("alerts", "rules", "set", "of_models", "--measure", "failure_rate", "--scope", "model", "--threshold", "0.1", "--window", "2h", "--json")).Succeeded().Json;
        rule.GetProperty("window_minutes").GetInt32().ShouldBe(120);
        (await cli.RunAsync("alerts", "rules", "delete", "of_models")).Succeeded();

        var added = await cli.RunAsync("alerts", "webhooks", "add", "http://127.0.0.1:1/hook", "--rule", "budget_exceeded");
        added.Succeeded().Output.ShouldStartWith("whsec_");
        var test = await cli.RunAsync("alerts", "test", "--json");
        test.Code.ShouldBe(1, "nobody listens there");
        var id = test.Json[0].GetProperty("id").GetString()!;
        (await cli.RunAsync("alerts", "webhooks", "delete", id)).Succeeded();
    }

    [Theory]
    [InlineData("budgets", "set", "--limit", "5")]
    [InlineData("budgets", "set", "--user", "a@example.org", "--tier", "free", "--limit", "5")]
    [InlineData("budgets", "set", "--tier", "gold", "--limit", "5")]
    [InlineData("budgets", "set", "--tier", "free", "--limit", "NaN")]
    [InlineData("budgets", "set", "--tier", "free")]
    [InlineData("budgets", "override", "--user", "a@example.org", "--limit", "5")]
    [InlineData("budgets", "override", "--user", "a@example.org", "--limit", "5", "--until", "yesterday-ish")]
    [InlineData("budgets", "show")]
    [InlineData("alerts", "ack", "first")]
    [InlineData("alerts", "rules", "set", "x", "--severity", "dire")]
    public async Task Wrong_usage_ends_with_2_and_says_why(params string[] arguments)
    {
        var ran = await cli.RunAsync(arguments);

        ran.Code.ShouldBe(2, ran.Error);
        ran.Output.ShouldBeEmpty();
        ran.Error.ShouldContain("hint: ");
    }

    [Theory]
    [InlineData("budget_invalid", "budgets", "set", "--tier", "free", "--limit", "-5", "--json")]
    [InlineData("user_not_found", "budgets", "show", "--user", "nobody@example.org", "--json")]
    [InlineData("alert_endpoint_invalid", "alerts", "webhooks", "add", "not a url", "--json")]
    public async Task What_cannot_be_is_refused_with_its_code(string code, params string[] arguments)
    {
        var ran = await cli.RunAsync(arguments);

        ran.Code.ShouldBe(1, ran.Error);
        ran.ErrorJson.GetProperty("code").GetString().ShouldBe(code);
    }
}
