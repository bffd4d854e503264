using System.CommandLine;
using Voxbase.Server.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase list</c>: the conversations there are.</summary>
internal static class ListCommand
{
    public static Command Create(Shell shell)
    {
        var user = new Option<string?>("--user") { Description = "Only of this owner", HelpName = "email" };
        var status = new Option<ConversationStatus?>("--status") { Description = "Only of this status" };
        var kind = new Option<ConversationKind?>("--kind") { Description = "Only of this kind" };
        var limit = new Option<int>("--limit", "-n") { Description = "How many at most", DefaultValueFactory = _ => 20, HelpName = "count" };
        var before = new Option<Guid?>("--before") { Description = "Only those before this one: the last id of the page before", HelpName = "id" };
        Arguments.Between(limit, 1, int.MaxValue);
        var command = new Command("list", "List conversations, the newest first.") { user, status, kind, limit, before, shell.Json };
        command.SetAction((parsed, ct) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var owner = parsed.GetValue(user) is { } email ? await session.UserAsync(email, ct) : null;
                var conversations = await session.Get<Conversations>().ListAsync(
                    Caller.Service, owner?.Id, parsed.GetValue(status), parsed.GetValue(kind), parsed.GetValue(before), parsed.GetValue(limit), ct);
                if (parsed.GetValue(shell.Json))
                    Output.WriteJson(conversations);
                else
                    ConversationTable.Write(shell, conversations, mayHaveMore: conversations.Count == parsed.GetValue(limit));
                return 0;
            },
            ct));
        return shell.WithExamples(
            command,
            "voxbase list --status completed --limit 50",
            "voxbase list --user ada@example.org --json | jq -r '.[].id'");
    }
}
