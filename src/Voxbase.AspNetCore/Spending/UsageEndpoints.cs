namespace Voxbase.AspNetCore;

/// <summary><c>/v1/usage</c>.</summary>
internal sealed class UsageEndpoints(Usage usage)
{
    public void Map(VoxbaseRoutes routes) =>
        routes.At("/v1/usage")
            .Get(ReadAsync, new Operation("usage.read", "What was used and what it cost: conversations, duration, tokens, money and latency, in all and by group. One's own; others' and everyone's for admins")
            {
                Query =
                {
                    ["from"] = (typeof(DateOnly), "The first day, UTC; default the first of this month."),
                    ["to"] = (typeof(DateOnly), "The day after the last, UTC; default tomorrow."),
                    ["by"] = (typeof(UsageBy), "The groups beside the total; default total, which is none."),
                    ["user_id"] = (typeof(Guid), "Another user's, for admins and the service."),
                    ["everyone"] = (typeof(bool), "Everyone's together, for admins and the service, who gets them anyway unless it names a user; default false."),
                },
                Answers = { [200] = typeof(UsageReport) },
                Errors = [SpendingErrors.PeriodInvalid],
            });

    private async Task ReadAsync(Request request)
    {
        var query = request.Query("from", "to", "by", "user_id", "everyone");
        var report = await usage.ReadAsync(
            request.Caller,
            new UsageQuery
            {
                From = query.Day("from"),
                To = query.Day("to"),
                By = query.Enum<UsageBy>("by") ?? UsageBy.Total,
                UserId = query.Uuid("user_id"),
                Everyone = query.Flag("everyone"),
            },
            request.Aborted);
        await Responses.WriteAsync(request.Context, report, VoxbaseJson.Types.UsageReport);
    }
}
