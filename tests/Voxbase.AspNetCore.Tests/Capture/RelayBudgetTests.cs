using System.Net.WebSockets;
using System.Text.Json;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests.Capture;

/// <summary>Budgets inside a relayed call, from the client's socket to the record.</summary>
public sealed class RelayBudgetTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_relayed_call_is_warned_and_ended_in_the_response_after_the_one_that_spent_its_budget()
    {
        await using var openAi = await FakeOpenAi.StartAsync(async call =>
        {
            await call.SendRawAsync("""{"type":"session.created","event_id":"e1","session":{"id":"sess_budget","model":"gpt-realtime"}}""");
            for (var n = 1; n <= 2; n++)
            {
                await call.ExpectAsync("response.create");
                await call.SendRawAsync(Response(n));
            }

            // The third is being thought about when the call is ended.
            await call.ExpectAsync("response.create");
            await call.UntilClosedAsync();
        });
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi, options => options.Spending.ExceededGrace = TimeSpan.Zero));
        var user = await api.Database.NewUserAsync();
        await api.Database.Budgets.SetAsync(Caller.Service, user.UserId!.Value, new BudgetChange { LimitUsd = 1 }, Cancel);
        using var socket = await api.ConnectAsync(user);
        var id = socket.ConversationOf();

        (await TypeAsync(socket)).ShouldBe("session.created");
        await socket.SendAsync("""{"type":"response.create"}""");
        (await TypeAsync(socket)).ShouldBe("response.done");
        (await TypeAsync(socket)).ShouldBe("budget_alert", "0.80 of 1.00");
        await socket.SendAsync("""{"type":"response.create"}""");
        (await TypeAsync(socket)).ShouldBe("response.done");
        await socket.SendAsync("""{"type":"response.create"}""");
        (await TypeAsync(socket)).ShouldBe("budget_exceeded", "1.60 of 1.00");
        (await TypeAsync(socket)).ShouldBeNull("it is closed");
        (socket.CloseStatus, socket.CloseStatusDescription).ShouldBe((WebSocketCloseStatus.PolicyViolation, "budget_exceeded"));
        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, Cancel);

        var ended = await api.EndedAsync(id);
        (ended.Status, ended.EndReason, ended.CostUsd).ShouldBe((ConversationStatus.Completed, "budget_exceeded", 1.6m));
        await openAi.Calls.Single().Over.WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        (await api.Database.Alerts.ListAsync(user, cancellationToken: Cancel)).Select(alert => alert.Rule).ShouldBe(["budget_exceeded", "budget_alert"]);
        (await api.Database.Budgets.PositionAsync(user, user.UserId!.Value, Cancel)).SpentUsd.ShouldBe(1.6m);

        using var client = api.As(user);
        (await client.RefusedAsync("/v1/realtime/relay?model=gpt-realtime")).ShouldFail(403, "budget_exceeded");
        openAi.Calls.Count.ShouldBe(1, "the provider was not called");
    }

    /// <summary>The code of what Voxbase says, the type of what the provider says, null at the close.</summary>
    private static async Task<string?> TypeAsync(WebSocket socket)
    {
        if (await socket.ReceiveAsync() is not { } text)
            return null;
        var e = JsonElement.Parse(text);
        return e.GetProperty("type").GetString() is not "error" and var type ? type : e.GetProperty("error").GetProperty("code").GetString();
    }

    // 50,000 tokens of text at 16 dollars a million.
    private static string Response(int n) =>
        """
        {"type":"response.done","event_id":"rN","response":{"id":"resp_N","conversation_id":"conv_1","status":"completed","output":[],"usage":{"total_tokens":50000,"input_tokens":0,"output_tokens":50000,"input_token_details":{"text_tokens":0,"audio_tokens":0,"cached_tokens":0},"output_token_details":{"text_tokens":50000,"audio_tokens":0}}}}
        """.Replace("N", n.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal);
}
