using System.CommandLine;
using Voxbase.Server.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase show ID</c>: everything about one conversation.</summary>
internal static class ShowCommand
{
    public static Command Create(Shell shell)
    {
        var id = new Argument<Guid>("id") { Description = "The conversation's id, as `voxbase list` prints it" };
        var charges = new Option<bool>("--charges") { Description = "Also what was charged, by model and meter" };
        var command = new Command("show", "Show one conversation: its turns, interruptions, tool calls, latency and cost.") { id, charges, shell.Json };
        command.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var record = await session.Get<Conversations>().GetAsync(Caller.Service, parsed.GetValue(id), ct);
                if (parsed.GetValue(shell.Json))
                {
                    Output.WriteJson(record);
                    return 0;
                }

                RecordTable.Write(shell.Output, record);
                if (parsed.GetValue(charges))
                    ChargeTable.Write(shell.Output, record.Charges);
                return 0;
            },
            ct));
        return shell.WithExamples(
            command,
            "voxbase show 019a2f3c-5d1e-7a44-9c1b-0f6a5d2e8b31 --charges",
            "voxbase show 019a2f3c-5d1e-7a44-9c1b-0f6a5d2e8b31 --json | jq -r '.turns[].raw_text'");
    }
}
