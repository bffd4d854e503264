namespace Voxbase.AspNetCore;

/// <summary>Alerts, the newest first.</summary>
/// <param name="Data">Those the caller may see.</param>
/// <param name="Next">The <c>before</c> of the next page, or null.</param>
internal sealed record AlertPage(IReadOnlyList<Alert> Data, Guid? Next);

/// <summary>The alert rules, by name.</summary>
internal sealed record AlertRuleList(IReadOnlyList<AlertRule> Data);

/// <summary>The webhooks, without their secrets.</summary>
internal sealed record AlertEndpointList(IReadOnlyList<AlertEndpoint> Data);

/// <summary>Nothing more to say.</summary>
/// <param name="Id">What it was done to.</param>
internal sealed record AlertDone(string Id);

/// <summary><c>/v1/alerts</c>.</summary>
internal sealed class AlertEndpoints(Alerts alerts)
{
    private const int PageSize = 100;

    public void Map(VoxbaseRoutes routes)
    {
        routes.At("/v1/alerts")
            .Get(ListAsync, new Operation("alerts.list", "Open alerts, the newest first: all for admins, those that concern them for users")
            {
                Query =
                {
                    ["all"] = (typeof(bool), "Those resolved as well; default false."),
                    ["before"] = (typeof(Guid), "Only those before this one."),
                    ["limit"] = (typeof(int), "How many at most, from 1 to 1,000; default 100."),
                },
                Answers = { [200] = typeof(AlertPage) },
            });
        routes.At("/v1/alerts/{id}/acknowledge")
            .Post(AcknowledgeAsync, new Operation("alerts.acknowledge", "Take an alert on; the first who does is kept. Admins")
            {
                Answers = { [200] = typeof(AlertDone) },
                Errors = [AlertErrors.NotFound],
            });
        routes.At("/v1/alerts/rules")
            .Get(RulesAsync, new Operation("alerts.rules", "What is watched. Admins") { Answers = { [200] = typeof(AlertRuleList) } });
        routes.At("/v1/alerts/rules/{rule}")
            .Put(SetRuleAsync, new Operation("alerts.set_rule", "Change a rule, what is left out stays; or make one of a measure and a threshold. Admins")
            {
                Body = typeof(AlertRuleChange),
                Answers = { [200] = typeof(AlertRule) },
                Errors = [AlertErrors.RuleInvalid, AlertErrors.RuleNotFound, Data.DataErrors.Forbidden],
            })
            .Delete(DeleteRuleAsync, new Operation("alerts.delete_rule", "Take a rule and its alerts away. Admins")
            {
                Answers = { [200] = typeof(AlertDone) },
                Errors = [AlertErrors.RuleNotFound],
            });
        routes.At("/v1/alerts/webhooks")
            .Get(WebhooksAsync, new Operation("alerts.webhooks", "Where alerts are delivered to, without the secrets. Admins") { Answers = { [200] = typeof(AlertEndpointList) } })
            .Post(AddWebhookAsync, new Operation("alerts.add_webhook", "Deliver alerts to another webhook; the answer alone tells its secret. Admins")
            {
                Body = typeof(NewAlertEndpoint),
                Answers = { [201] = typeof(AlertEndpoint) },
                Errors = [AlertErrors.EndpointInvalid, Data.DataErrors.Forbidden],
            });
        routes.At("/v1/alerts/webhooks/{id}")
            .Delete(DeleteWebhookAsync, new Operation("alerts.delete_webhook", "Deliver no more to a webhook. Admins")
            {
                Answers = { [200] = typeof(AlertDone) },
                Errors = [AlertErrors.EndpointNotFound],
            });
        routes.At("/v1/alerts/webhooks/{id}/test")
            .Post(TestWebhookAsync, new Operation("alerts.test_webhook", "Send a webhook an alert.test now, once. Admins")
            {
                Answers = { [200] = typeof(DeliveryAttempt) },
                Errors = [AlertErrors.EndpointNotFound],
            });
    }

    private async Task ListAsync(Request request)
    {
        var query = request.Query("all", "before", "limit");
        var limit = query.Integer("limit") ?? PageSize;
        var data = await alerts.ListAsync(request.Caller, query.Flag("all"), query.Uuid("before"), limit, request.Aborted);
        await Responses.WriteAsync(request.Context, new AlertPage(data, data.Count == limit ? data[^1].Id : null), VoxbaseJson.Types.AlertPage);
    }

    private async Task AcknowledgeAsync(Request request)
    {
        await alerts.AcknowledgeAsync(request.Caller, request.Id("id"), request.Aborted);
        await DoneAsync(request, request.Text("id"));
    }

    private async Task RulesAsync(Request request)
    {
        request.Query();
        await Responses.WriteAsync(request.Context, new AlertRuleList(await alerts.RulesAsync(request.Caller, request.Aborted)), VoxbaseJson.Types.AlertRuleList);
    }

    private async Task SetRuleAsync(Request request)
    {
        var change = await request.BodyAsync(VoxbaseJson.Types.AlertRuleChange);
        await Responses.WriteAsync(
            request.Context, await alerts.SetRuleAsync(request.Caller, request.Text("rule"), change, request.Aborted), VoxbaseJson.Types.AlertRule);
    }

    private async Task DeleteRuleAsync(Request request)
    {
        await alerts.DeleteRuleAsync(request.Caller, request.Text("rule"), request.Aborted);
        await DoneAsync(request, request.Text("rule"));
    }

    private async Task WebhooksAsync(Request request)
    {
        request.Query();
        await Responses.WriteAsync(
            request.Context, new AlertEndpointList(await alerts.EndpointsAsync(request.Caller, request.Aborted)), VoxbaseJson.Types.AlertEndpointList);
    }

    private async Task AddWebhookAsync(Request request)
    {
        var added = await alerts.AddEndpointAsync(request.Caller, await request.BodyAsync(VoxbaseJson.Types.NewAlertEndpoint), request.Aborted);
        await Responses.WriteAsync(request.Context, added, VoxbaseJson.Types.AlertEndpoint, 201);
    }

    private async Task DeleteWebhookAsync(Request request)
    {
        await alerts.DeleteEndpointAsync(request.Caller, request.Id("id"), request.Aborted);
        await DoneAsync(request, request.Text("id"));
    }

    private async Task TestWebhookAsync(Request request) => await Responses.WriteAsync(
        request.Context, await alerts.TestEndpointAsync(request.Caller, request.Id("id"), request.Aborted), VoxbaseJson.Types.DeliveryAttempt);

    private static Task DoneAsync(Request request, string id) => Responses.WriteShortAsync(request.Context, new AlertDone(id), VoxbaseJson.Types.AlertDone);
}
