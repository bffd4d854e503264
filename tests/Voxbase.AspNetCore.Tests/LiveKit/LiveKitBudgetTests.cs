using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Voxbase.AspNetCore.Tests.Capture;
using Voxbase.LiveKit;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests;

/// <summary>Budgets inside a call that runs at LiveKit, from what its agent counts to the closed room.</summary>
public sealed class LiveKitBudgetTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_is_warned_and_its_room_closed_when_what_its_agent_counts_has_spent_the_budget()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, options =>
        {
            live.Configure(options);
            options.Spending.ExceededGrace = TimeSpan.Zero;
        });
        var user = await api.Database.NewUserAsync();
        await api.Database.Budgets.SetAsync(Caller.Service, user.UserId!.Value, new BudgetChange { LimitUsd = 1 }, Cancel);
        using var client = api.As(user);
        var started = (await client.PostAsync("/v1/livekit/calls")).ShouldBe(201);
        var id = started["conversation"].GetProperty("id").GetGuid();
        var sid = started["room"].GetProperty("sid").GetString()!;
        var token = api.Services.GetRequiredService<LiveKitTokens>().Mint(new NewLiveKitToken { Observability = new(Write: true) });
        using var agent = api.AsToken(token);

        var start = DateTimeOffset.UtcNow;
        // 50,000 tokens at 16 dollars a million; the same export again adds nothing.
        await CountAsync(api, agent, sid, start.AddSeconds(30), outputTokens: 50_000);
        await CountAsync(api, agent, sid, start.AddSeconds(30), outputTokens: 50_000);
        await live.UntilAsync(it => it.Count("SendData") > 0);
        Told(live).ShouldBe(["budget_alert"]);
        live.Rooms.Count.ShouldBe(1);

        await CountAsync(api, agent, sid, start.AddSeconds(60), outputTokens: 20_000);
        var ended = await api.EndedAsync(id);
        (ended.Status, ended.EndReason, ended.CostUsd).ShouldBe((ConversationStatus.Completed, "budget_exceeded", 1.12m));
        await live.UntilAsync(it => it.Rooms.IsEmpty);
        Told(live).ShouldBe(["budget_alert", "budget_exceeded"]);
        (await client.PostAsync("/v1/livekit/calls")).ShouldFail(403, "budget_exceeded");

        // The report of the session tells the whole once more, and a little that was counted after the last export.
        var report = $$"""
            {"room_id":"{{sid}}","job_id":"AJ_1","timestamp":{{start.AddSeconds(61).ToUnixTimeSeconds()}},"chat_history":{"items":[]},
             "usage":[{"type":"llm_usage","provider":"openai","model":"gpt-realtime","output_tokens":75000}]}
            """;
        (await agent.PostAsync("/v1/livekit/session-reports", report)).ShouldBe(200)["conversation"].GetProperty("cost_usd").GetString().ShouldBe("1.200000000");
        (await Recount.FaultsAsync(api.Database, Cancel)).ShouldBeEmpty();
    }

    private static IEnumerable<string> Told(FakeLiveKit live) =>
        live.Asked.Where(a => a.Method == "SendData").Select(a => JsonElement.Parse(Encoding.UTF8.GetString(Convert.FromBase64String(a.Body.GetProperty("data").GetString()!))).GetProperty("code").GetString()!);

    // As the agents framework exports its counters every half minute: what came since the export before.
    private static async Task CountAsync(Api api, Client agent, string sid, DateTimeOffset at, int outputTokens)
    {
        var time = at.ToUnixTimeSeconds() * 1_000_000_000;
        (await agent.PostAsync("/observability/metrics/otlp/v0", $$$"""
            {"resourceMetrics":[{"resource":{"attributes":[{"key":"room_id","value":{"stringValue":"{{{sid}}}"}},{"key":"job_id","value":{"stringValue":"AJ_1"}}]},
              "scopeMetrics":[{"scope":{"name":"livekit-agents"},"metrics":[{"name":"lk.agents.usage.llm_output_tokens","sum":{"aggregationTemporality":1,"isMonotonic":true,
                "dataPoints":[{"startTimeUnixNano":"{{{time - 30_000_000_000}}}","timeUnixNano":"{{{time}}}","asInt":"{{{outputTokens}}}",
                  "attributes":[{"key":"model_provider","value":{"stringValue":"openai"}},{"key":"model_name","value":{"stringValue":"gpt-realtime"}}]}]}}]}]}]}
            """)).ShouldBe(200);
        await LiveKitCallsTests.ReadAsync(api);
    }
}
