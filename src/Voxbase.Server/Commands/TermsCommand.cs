using System.CommandLine;
using Spectre.Console;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase terms [list|add|remove]</c>: names and terms that the cleaner trusts.</summary>
internal static class TermsCommand
{
    public static Command Create(Shell shell)
    {
        var user = new Option<string?>("--user") { Description = "Of this user's conversations", HelpName = "email", Recursive = true };
        var conversation = new Option<Guid?>("--conversation") { Description = "Of this conversation; of all conversations when neither is given", HelpName = "id", Recursive = true };
        var list = new Command("list", "List the terms.") { shell.Json };
        list.SetAction((parsed, ct) => RunAsync(parsed, (terms, scope) => terms.GetAsync(Caller.Service, scope, ct), ct));
        var added = new Argument<string[]>("term") { Description = "Names and terms as they are spelled", Arity = ArgumentArity.OneOrMore };
        var add = new Command("add", "Add terms; those that are there stay.") { added, shell.Json };
        add.SetAction((parsed, ct) => RunAsync(parsed, (terms, scope) => terms.AddAsync(Caller.Service, scope, parsed.GetValue(added)!, ct), ct));
        var removed = new Argument<string[]>("term") { Description = "Terms, spelled as in the list", Arity = ArgumentArity.OneOrMore };
        var remove = new Command("remove", "Take terms out; those that are not there are no error.") { removed, shell.Json };
        remove.SetAction((parsed, ct) => RunAsync(
            parsed,
            async (terms, scope) =>
            {
                foreach (var term in parsed.GetValue(removed)!)
                    await terms.RemoveAsync(Caller.Service, scope, term, ct);
                return await terms.GetAsync(Caller.Service, scope, ct);
            },
            ct));
        var command = new Command("terms", "Key terms: names and words as they are spelled, for all conversations, a user's or one.")
        {
            list, add, remove, user, conversation, shell.Json,
        };
        foreach (var each in (Command[])[command, list, add, remove])
        {
            each.Validators.Add(result =>
            {
                if (result.GetResult(user) is not null && result.GetResult(conversation) is not null)
                    result.AddError("Either --user or --conversation, not both.");
            });
        }

        command.SetAction((parsed, ct) => RunAsync(parsed, (terms, scope) => terms.GetAsync(Caller.Service, scope, ct), ct));
        return shell.WithExamples(
            command,
            "voxbase terms add \"Agnes Kowalski\" Zephanta",
            "voxbase terms add Zephanta --user ada@example.org",
            "voxbase terms list --json");

        Task<int> RunAsync(ParseResult parsed, Func<KeyTerms, TermScope, Task<KeyTermList>> work, CancellationToken cancellationToken) => shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var scope = parsed.GetValue(conversation) is { } id ? TermScope.Conversation(id)
                    : parsed.GetValue(user) is { } email ? TermScope.User((await session.UserAsync(email, cancellationToken)).Id)
                    : TermScope.Installation;
                var terms = await work(session.Get<KeyTerms>(), scope);
                if (parsed.GetValue(shell.Json))
                    Output.WriteJson(terms);
                else if (terms.Terms.Count == 0)
                    shell.Output.Error.WriteLine("No terms yet: `voxbase terms add` adds some.");
                foreach (var term in parsed.GetValue(shell.Json) ? [] : terms.Terms)
                    shell.Output.Standard.WriteLine(Plain.Text(term));
                return 0;
            },
            cancellationToken);
    }
}
