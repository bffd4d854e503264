using Spectre.Console;
using Spectre.Console.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Rendering;

/// <summary>Conversations, a line each.</summary>
internal static class ConversationTable
{
    public static void Write(Shell shell, IReadOnlyList<Conversation> conversations, bool mayHaveMore)
    {
        var output = shell.Output;
        if (conversations.Count == 0)
        {
            output.Error.WriteLine($"No conversations. `{shell.Command} replay FILE` captures a log, `{shell.Command} up --demo` plays one.", Tables.Dim);
            return;
        }

        output.Standard.Write(Rows(output, conversations));
        if (mayHaveMore)
            output.Error.WriteLine($"Older ones: {shell.Command} list --before {conversations[^1].Id}", Tables.Dim);
    }

    // An id that wraps cannot be copied, so on a narrow terminal other columns go.
    private static Table Rows(Output output, IReadOnlyList<Conversation> conversations)
    {
        // What the other columns and the borders take, kinds aside.
        var modelWidth = Math.Min(22, output.Standard.Profile.Width - 110);
        var isWide = modelWidth >= 8;
        var hasKinds = isWide && conversations.Any(conversation => conversation.Kind != conversations[0].Kind);
        var table = Tables.New(
            output,
            [
                "id", "started (UTC)", "status",
                .. hasKinds ? ["kind"] : Array.Empty<string>(),
                .. isWide ? ["model", "turns>", "duration>"] : Array.Empty<string>(),
                "cost>",
            ]);
        foreach (var column in table.Columns)
            column.NoWrap = true;
        foreach (var conversation in conversations)
        {
            List<IRenderable> cells =
            [
                new Text(conversation.Id.ToString()),
                new Text(Format.Minute(conversation.StartedAt), Tables.Dim),
                new Text(Format.Word(conversation.Status), Tables.Of(conversation.Status)),
            ];
            if (hasKinds)
                cells.Add(new Text(Format.Word(conversation.Kind)));
            if (isWide)
            {
                cells.Add(new Text(Plain.Cut(conversation.LlmModel ?? output.Signs.None, modelWidth, output.Signs.Ellipsis)));
                cells.Add(new Text(Format.Count(conversation.TurnCount)));
                cells.Add(new Text(conversation.DurationSeconds is { } seconds ? Format.Duration(seconds) : output.Signs.None));
            }

            cells.Add(new Text(Format.Money(conversation.CostUsd)));
            table.AddRow(cells);
        }

        return table;
    }
}
