using System.CommandLine;
using Spectre.Console;
using Voxbase.Data;
using Voxbase.Server.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase migrate [status|dump]</c>: the database's schema.</summary>
internal static class MigrateCommand
{
    public static Command Create(Shell shell)
    {
        var command = new Command("migrate", "Bring the database's schema up to date.") { Status(shell), Dump(shell), shell.Json };
        command.SetAction((parsed, ct) => RunAsync(
            shell,
            parsed,
            async session =>
            {
                var applied = await session.Get<Migrator>().ApplyAsync(ct);
                if (parsed.GetValue(shell.Json))
                {
                    Output.WriteJson(new { Applied = applied });
                    return;
                }

                foreach (var name in applied)
                    shell.Output.Standard.WriteLine($"applied {name}");
                shell.Output.Standard.WriteLine("The schema is up to date.");
            },
            ct));
        return shell.WithExamples(command, "voxbase migrate", "voxbase migrate status --database postgresql://app@db.example.org/calls");
    }

    private static Command Status(Shell shell)
    {
        var command = new Command("status", "Show which migrations the database has had.") { shell.Json };
        command.SetAction((parsed, ct) => RunAsync(
            shell,
            parsed,
            async session =>
            {
                var migrations = await session.Get<Migrator>().StatusAsync(ct);
                if (parsed.GetValue(shell.Json))
                    Output.WriteJson(migrations);
                else
                    Write(shell.Output, migrations);
            },
            ct));
        return command;
    }

    private static Command Dump(Shell shell)
    {
        var file = new Option<string?>("--output", "-o") { Description = "Where to write it; the standard output when left out", HelpName = "file" };
        var command = new Command("dump", "Write the schema as SQL, as it is in the database.") { file };
        command.SetAction((parsed, ct) => RunAsync(
            shell,
            parsed,
            async session =>
            {
                // Written when it is whole, so that a failure leaves the file as it was.
                using var text = new StringWriter();
                await SchemaDump.WriteAsync(session.Get<Database>(), text, ct);
                if (parsed.GetValue(file) is not { } path)
                    await Console.Out.WriteAsync(text.ToString());
                else
                    await WriteFileAsync(path, text.ToString(), ct);
            },
            ct));
        return shell.WithExamples(command, "voxbase migrate dump --output src/Voxbase/Migrations/schema.sql");
    }

    private static async Task WriteFileAsync(string path, string text, CancellationToken cancellationToken)
    {
        try
        {
            await File.WriteAllTextAsync(path, text, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw ServerErrors.FileUnwritable.With($"{path} cannot be written.", e.Message, e);
        }
    }

    private static void Write(Output output, IReadOnlyList<MigrationStatus> migrations)
    {
        var table = Tables.New(output, "migration", "applied (UTC)");
        foreach (var migration in migrations)
            table.AddRow(new Text(migration.Name), migration.AppliedAt is { } at ? new Text(Format.Time(at)) : new Text("to come", new Style(Color.Yellow)));
        output.Standard.Write(table);
    }

    private static async Task<int> RunAsync(Shell shell, ParseResult parsed, Func<Session, Task> work, CancellationToken cancellationToken)
    {
        await using var session = await Session.OpenAsync(shell.SettingsOf(parsed), SchemaUpdate.None, shell.Output, cancellationToken);
        await work(session);
        return 0;
    }
}
