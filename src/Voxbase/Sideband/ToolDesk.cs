using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Voxbase.Capture;

namespace Voxbase.Sideband;

/// <summary>Answers the tools of one call, in either dialect. Never waits on the way of the events.</summary>
internal sealed class ToolDesk(
    Conversation conversation, ToolAnswers answers, Func<ReadOnlyMemory<byte>, CancellationToken, Task> send, ILogger logger)
{
    private const int MaxHeard = 8_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly HashSet<string> taken = [];
    private readonly Dictionary<string, List<ToolCall>> delegated = [];
    private readonly StringBuilder heard = new();

    /// <summary>Calls answered before: whatever the provider repeats, they are not answered again.</summary>
    public void Skip(IEnumerable<string> callIds) => taken.UnionWith(callIds);

    public void Seen(LoggedEvent e, CancellationToken cancellationToken)
    {
        if (e.Direction != EventDirections.Server
            || e.Type is not ("response.done" or "response.event" or "session.delegation.created" or "session.input_transcript.delta"))
        {
            return;
        }

        try
        {
            using var document = e.Parse();
            var fields = new EventFields();
            var root = document.RootElement;
            switch (e.Type)
            {
                case "response.done" when fields.Object(root, "response", out var response) && fields.Id(response, "status") == "completed":
                    if (fields.Array(response, "output", out var output))
                        Take([.. output.EnumerateArray().Select(item => CallOf(fields, item)).OfType<ToolCall>()], isLive: false, cancellationToken);
                    break;
                case "session.input_transcript.delta":
                    if (heard.Length < MaxHeard)
                        heard.Append(fields.Text(root, "delta"));
                    break;
                case "session.delegation.created" when fields.Object(root, "delegation", out var delegation) && fields.Id(delegation, "id") is { } id
                    && fields.Id(delegation, "target") is null or "client":
                    var said = heard.ToString().Trim();
                    heard.Clear();
                    if (answers.Find(ToolAnswers.Delegation) is { } tell && taken.Add(id))
                        Behind(() => TellAsync(tell, new ToolCall(conversation.Id, id, ToolAnswers.Delegation, said), cancellationToken));
                    break;
                case "response.event" when fields.Object(root, "event", out var inner):
                    SeenResponses(fields, inner, fields.Id(root, "delegation_id") ?? "", cancellationToken);
                    break;
            }
        }
        catch (Exception malformed) when (malformed is JsonException or InvalidOperationException)
        {
            // Kept as evidence; no call that anybody could answer.
        }
    }

    // A delegated response calls its tools one by one and is over before it waits for them.
    private void SeenResponses(EventFields fields, JsonElement e, string delegationId, CancellationToken cancellationToken)
    {
        switch (fields.Id(e, "type"))
        {
            case "response.output_item.done" when fields.Object(e, "item", out var item) && CallOf(fields, item) is { } call:
                if (!delegated.TryGetValue(delegationId, out var calls))
                    delegated.Add(delegationId, calls = []);
                calls.Add(call);
                break;
            case "response.completed" when delegated.Remove(delegationId, out var asked):
                Take(asked, isLive: true, cancellationToken);
                break;
        }
    }

    private ToolCall? CallOf(EventFields fields, JsonElement item) =>
        fields.Id(item, "type") == "function_call" && fields.Id(item, "call_id") is { } callId && fields.Id(item, "name") is { } name
            ? new ToolCall(conversation.Id, callId, name, fields.Text(item, "arguments") ?? "{}")
            : null;

    private void Take(IReadOnlyList<ToolCall> calls, bool isLive, CancellationToken cancellationToken)
    {
        var ours = calls.Where(call => answers.Find(call.Name) is not null && taken.Add(call.CallId)).ToList();
        if (ours.Count == 0)
            return;
        // Whoever answers the last tool of a response asks for the next response; with tools of others among them, they do.
        var isAll = calls.All(call => answers.Find(call.Name) is not null);
        Behind(async () =>
        {
            await Task.WhenAll(ours.Select(async call =>
            {
                var output = await RunAsync(answers.Find(call.Name)!, call, cancellationToken);
                var item = new { type = "function_call_output", call_id = call.CallId, output };
                await SendAsync(new { type = isLive ? "response.item.create" : "conversation.item.create", event_id = $"answer_{call.CallId}", item }, cancellationToken);
            }));
            if (isAll)
                await SendAsync(new { type = "response.create", event_id = $"after_{ours[0].CallId}" }, cancellationToken);
        });
    }

    private async Task TellAsync(Func<ToolCall, CancellationToken, Task<string>> answer, ToolCall call, CancellationToken cancellationToken)
    {
        var content = await RunAsync(answer, call, cancellationToken);
        await SendAsync(
            new { type = "session.commentary.append", event_id = $"answer_{call.CallId}", delegation_id = call.CallId, content }, cancellationToken);
    }

    private async Task<string> RunAsync(Func<ToolCall, CancellationToken, Task<string>> answer, ToolCall call, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            return await answer(call, patience.Token).WaitAsync(patience.Token);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The name is the application's own; what it says of its fault may hold anything.
            Log.ToolFailed(logger, conversation.Id, call.Name, e.GetType().Name);
            return """{"error":"the tool failed"}""";
        }
    }

    private static void Behind(Func<Task> work) => _ = Task.Run(async () =>
    {
        try
        {
            await work();
        }
        catch (Exception)
        {
            // The call is over: there is nobody to be told.
        }
    });

    private Task SendAsync<T>(T e, CancellationToken cancellationToken) => send(JsonSerializer.SerializeToUtf8Bytes(e), cancellationToken);
}
