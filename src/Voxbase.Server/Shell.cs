using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Diagnostics;
using Voxbase.Server.Configuration;
using Voxbase.Server.Terminal;

namespace Voxbase.Server;

/// <summary>What every command shares: the options for the database and the output, the examples in the help, and how errors end.</summary>
internal sealed class Shell
{
    private const int Failed = 1;
    private const int WrongUsage = 2;
    private const int Interrupted = 130;

    private readonly Dictionary<Command, string[]> examples = [];
    private readonly Stopwatch running = Stopwatch.StartNew();

    /// <summary>Where to write.</summary>
    public Output Output { get; } = new();

    /// <summary>Whose database.</summary>
    public Option<string?> Database { get; } = new("--database")
    {
        Description = "A PostgreSQL of your own, 15 or later: Host=…;Database=… or postgresql://…  [VOXBASE_DATABASE; default: the embedded one]",
        HelpName = "connection",
        Recursive = true,
    };

    /// <summary>Where the embedded database and the keys are.</summary>
    public Option<string?> Home { get; } = new("--home")
    {
        Description = "The folder of the embedded database and of the keys  [VOXBASE_HOME]",
        HelpName = "folder",
        Recursive = true,
    };

    /// <summary>For commands that print data.</summary>
    public Option<bool> Json { get; } = new("--json") { Description = "Print JSON and nothing else; errors as JSON on the standard error" };

    /// <summary>How the user called the program, for hints that can be pasted: <c>./voxbase</c> from the launcher.</summary>
    public string Command { get; } = Environment.GetEnvironmentVariable("VOXBASE_COMMAND") is { Length: > 0 } command ? command : "voxbase";

    /// <summary>How long the program has been running. Not the process: the launcher's may have begun with a build.</summary>
    public TimeSpan Elapsed => running.Elapsed;

    /// <summary>Adds examples to a command's help.</summary>
    public Command WithExamples(Command command, params string[] lines)
    {
        examples[command] = lines;
        return command;
    }

    /// <summary>What is in force for this call: defaults, then the environment, then flags.</summary>
    public Settings SettingsOf(ParseResult parsed) => Settings.Read(
        [new Flag("Database", "--database", parsed.GetValue(Database)), new Flag("Embedded.Home", "--home", parsed.GetValue(Home))]);

    /// <summary>Runs a command's work with the database, which is started for as long as it takes when nobody runs it.</summary>
    public async Task<int> WithDatabaseAsync(ParseResult parsed, Func<Session, Task<int>> work, CancellationToken cancellationToken)
    {
        await using var session = await Session.OpenAsync(SettingsOf(parsed), SchemaUpdate.WhereOurs, Output, cancellationToken);
        return await work(session);
    }

    /// <summary>Parses and runs; answers with the exit code: 0, 1 when something failed, 2 when the call was wrong, 130 after Ctrl-C.</summary>
    public async Task<int> RunAsync(Command root, string[] args)
    {
        var help = new HelpOption();
        help.Action = new HelpWithExamples((HelpAction)help.Action!, this);
        root.Add(Database);
        root.Add(Home);
        root.Add(help);
        root.Add(new VersionOption { Action = new VersionAction() });

        try
        {
            var parsed = root.Parse(args.Length == 0 ? ["--help"] : args);
            if (parsed.Action is ParseErrorAction wrong)
            {
                // The reason stays in sight, and the standard output empty.
                wrong.ShowHelp = false;
                await parsed.InvokeAsync(new InvocationConfiguration { Output = Console.Error });
                ErrorReport.WriteHint(Output, $"`{NameOf(parsed.CommandResult.Command)} --help` shows how it is called.");
                return WrongUsage;
            }

            // Stopping the embedded database may take longer than the two seconds that the parser would grant.
            return await parsed.InvokeAsync(new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = TimeSpan.FromMinutes(1),
            });
        }
        catch (OperationCanceledException)
        {
            return Interrupted;
        }
        catch (Exception e)
        {
            ErrorReport.Write(Output, e, args.Contains(Json.Name));
            return Failed;
        }
    }

    private string NameOf(Command command) =>
        command.Parents.OfType<Command>().FirstOrDefault() is { } parent ? $"{NameOf(parent)} {command.Name}" : Command;

    private sealed class HelpWithExamples(HelpAction help, Shell shell) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            var code = help.Invoke(parseResult);
            var output = parseResult.InvocationConfiguration.Output;
            if (shell.examples.TryGetValue(parseResult.CommandResult.Command, out var lines))
            {
                output.WriteLine("Examples:");
                foreach (var line in lines)
                    output.WriteLine("  " + line);
                output.WriteLine();
            }

            return code;
        }
    }

    private sealed class VersionAction : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            parseResult.InvocationConfiguration.Output.WriteLine(ProductVersion.Current.Text);
            return 0;
        }
    }
}
