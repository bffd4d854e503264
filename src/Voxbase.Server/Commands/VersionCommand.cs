using System.CommandLine;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase version</c>.</summary>
internal static class VersionCommand
{
    public static Command Create(Shell shell)
    {
        var command = new Command("version", "Print the version.") { shell.Json };
        command.SetAction(parsed =>
        {
            var version = ProductVersion.Current;
            if (parsed.GetValue(shell.Json))
                Output.WriteJson(new { version.Version, version.Commit, version.Runtime });
            else
                Console.Out.WriteLine(version.Text);
        });
        return command;
    }
}
