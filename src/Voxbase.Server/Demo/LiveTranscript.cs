using Spectre.Console;
using Voxbase.Capture;
using Voxbase.Server.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Demo;

/// <summary>
/// Prints turns and tool calls of a running capture as they land, each once. An assistant's turn lands when the next one has begun, as
/// only then nobody can interrupt it any more; a user's when its transcript has come.
/// </summary>
internal sealed class LiveTranscript(Output output)
{
    private readonly HashSet<string> shownCalls = [];
    private int shownTurns;

    public void Show(CapturedConversation captured, bool isOver)
    {
        var turns = captured.Turns;
        while (shownTurns < turns.Count && (isOver || HasLanded(turns[shownTurns], isLast: shownTurns == turns.Count - 1)))
        {
            Show(turns[shownTurns]);
            shownTurns++;
        }

        foreach (var call in captured.FunctionCalls)
        {
            if (call.Status != "in_progress" && (call.TurnPosition is null || isOver || call.TurnPosition <= shownTurns) && shownCalls.Add(call.CallId))
                Show(call);
        }
    }

    private static bool HasLanded(CapturedTurn turn, bool isLast) =>
        turn.Role == "user" ? turn.RawText is not null || turn.TranscriptionFailed is not null : !isLast;

    private void Show(CapturedTurn turn) => Write(
        turn.StartedAtOffsetMs,
        new Text(turn.Role, turn.Role == "assistant" ? Tables.Of(TurnRole.Assistant) : Tables.Of(TurnRole.User)),
        Speech.Of(turn.RawText, turn.HeardText, turn.Interrupted, turn.TranscriptionFailed is null ? turn.Status : "not transcribed", output.Signs));

    private void Show(CapturedFunctionCall call) => Write(
        call.StartedAtOffsetMs,
        new Text($"{output.Signs.Tool} tool", new Style(Color.Yellow)),
        Speech.OfCall(call.Name, call.Arguments, call.Status, call.Error ?? call.Output, output.Signs));

    private void Write(int? offsetMs, Text who, Paragraph said)
    {
        var at = TimeSpan.FromMilliseconds(offsetMs ?? 0);
        var line = new Grid()
            .AddColumn(new GridColumn { Width = 6, Alignment = Justify.Right, NoWrap = true })
            .AddColumn(new GridColumn { Width = 9, NoWrap = true })
            .AddColumn(new GridColumn());
        line.AddRow(new Text(offsetMs is null ? "" : $"{(int)at.TotalMinutes}:{at.Seconds:00}", Tables.Dim), who, said);
        output.Standard.Write(line);
    }
}
