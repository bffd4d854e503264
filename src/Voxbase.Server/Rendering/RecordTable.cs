using Spectre.Console;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Rendering;

/// <summary>A conversation's record: who said what, what was heard of it, which tools were called, how long it took and what it cost.</summary>
internal static class RecordTable
{
    public static void Write(Output output, ConversationRecord record)
    {
        Header(output, record.Conversation);
        if (record.Turns.Count + record.FunctionCalls.Count > 0)
            output.Standard.Write(Rows(output, record));
        Notes(output, record);
    }

    private static void Header(Output output, Conversation conversation)
    {
        var separator = $" {output.Signs.Separator} ";
        output.Standard.Write(Tables.Line(
            (output.Signs.Dot + " ", Tables.Of(conversation.Status)),
            (conversation.Id.ToString(), Tables.Bold),
            (separator, Tables.Dim),
            (Format.Word(conversation.Status), Tables.Of(conversation.Status)),
            (separator, Tables.Dim),
            (conversation.LlmModel is { } model ? Plain.Text(model) : "model unknown", null),
            (conversation.DurationSeconds is { } seconds ? separator + Format.Duration(seconds) : "", null),
            (separator, Tables.Dim),
            (Format.Money(conversation.CostUsd), Tables.Money)));
        output.Standard.WriteLine();
        string?[] details =
        [
            Plain.Text(conversation.Name),
            Format.Word(conversation.Kind),
            $"started {Format.Time(conversation.StartedAt)} UTC",
            conversation.EndReason is { } reason ? $"ended: {Plain.Text(reason)}" : null,
            conversation.SessionId is { } session ? $"session {Plain.Text(session)}" : null,
        ];
        output.Standard.WriteLine("  " + string.Join(separator, details.Where(detail => !string.IsNullOrEmpty(detail))), Tables.Dim);
    }

    private static Table Rows(Output output, ConversationRecord record)
    {
        var table = Tables.New(output, "#>", "who", "said", "latency>", "tokens in/out>", "cost>");
        table.Columns[1].NoWrap = true;
        // Calls stand below their turn; those of no turn that is here come last.
        var turns = record.Turns.Select(turn => turn.Id).ToHashSet();
        var calls = record.FunctionCalls.ToLookup(call => call.TurnId is { } id && turns.Contains(id) ? id : Guid.Empty);
        foreach (var turn in record.Turns)
        {
            AddTurn(table, turn, output.Signs);
            foreach (var call in turn.Id is { } id ? calls[id] : [])
                AddCall(table, call, output.Signs);
        }

        foreach (var call in calls[Guid.Empty])
            AddCall(table, call, output.Signs);
        AddTotals(table, record.Conversation, output.Signs);
        return table;
    }

    private static void AddTurn(Table table, Turn turn, Signs signs) => table.AddRow(
        new Text(Format.Count(turn.SequenceNumber), Tables.Dim),
        Tables.Cell(turn.Speaker ?? Format.Word(turn.Role), Tables.Of(turn.Role)),
        Speech.Of(
            turn.CleanedText ?? turn.RawText, turn.HeardText, turn.Interrupted,
            turn.Role == TurnRole.User && turn.Status == "completed" ? "no transcript" : turn.Status, signs),
        new Text(turn.EndToEndMs is { } ms ? Format.Milliseconds(ms) : ""),
        new Text(turn.InputTokens is null && turn.OutputTokens is null
            ? ""
            : $"{Format.Count(turn.InputTokens ?? 0)} / {Format.Count(turn.OutputTokens ?? 0)}"),
        new Text(turn.CostUsd == 0 ? "" : Format.Money(turn.CostUsd)));

    private static void AddCall(Table table, FunctionCall call, Signs signs) => table.AddRow(
        new Text(""),
        new Text($"{signs.Tool} tool", new Style(Color.Yellow)),
        Speech.OfCall(call, signs),
        new Text(call.ExecutionMs is { } ms ? Format.Milliseconds(ms) : ""),
        new Text(""),
        new Text(""));

    private static void AddTotals(Table table, Conversation conversation, Signs signs)
    {
        var counts = new List<string> { Format.Counted(conversation.TurnCount, "turn") };
        if (conversation.InterruptionCount > 0)
            counts.Add($"{conversation.InterruptionCount} interrupted");
        if (conversation.FunctionCallCount > 0)
            counts.Add(Format.Counted(conversation.FunctionCallCount, "tool call"));
        if (conversation.ErrorCount > 0)
            counts.Add(Format.Counted(conversation.ErrorCount, "error"));
        table.Columns[2].Footer = new Text(string.Join($" {signs.Separator} ", counts), Tables.Bold);
        table.Columns[3].Footer = new Text(conversation.AverageLatencyMs is { } ms ? $"mean {Format.Milliseconds(ms)}" : "");
        table.Columns[4].Footer = new Text($"{Format.Count(conversation.InputTokens)} / {Format.Count(conversation.OutputTokens)}", Tables.Bold);
        table.Columns[5].Footer = new Text(Format.Money(conversation.CostUsd), Tables.Money);
    }

    private static void Notes(Output output, ConversationRecord record)
    {
        var conversation = record.Conversation;
        if (record.Turns.Any(turn => turn.Interrupted))
            Note($"{output.Signs.Cut} interrupted here: the rest was not heard", Tables.Dim);
        if (conversation.CachedTokens > 0)
            Note($"{Format.Count(conversation.CachedTokens)} of the input tokens came from the provider's cache", Tables.Dim);
        // Responses that only called a tool, transcriptions and the like are charged, but to no turn.
        if (conversation.CostUsd - record.Turns.Sum(turn => turn.CostUsd) is > 0 and var rest)
            Note($"{Format.Money(rest)} of the cost belongs to no turn, such as responses that only called a tool", Tables.Dim);
        if (conversation.UnpricedCount > 0)
        {
            var missing = record.Charges.GroupBy(charge => charge.Corrects ?? charge.Id).Select(series => series.MaxBy(charge => charge.Revision)!).Where(charge => charge.UnitPriceUsd is null).Select(charge => $"{charge.Model ?? "model unknown"} {charge.Meter}").Distinct();
            Note($"{Format.Counted(conversation.UnpricedCount, "charge")} without a price, not in the cost: {Plain.Text(string.Join(", ", missing))}", new Style(Color.Yellow));
        }

        void Note(string text, Style style) => output.Standard.Write(new Padder(new Text(text, style), new Padding(2, 0, 0, 0)));
    }
}
