using System.CommandLine;
using Voxbase.Server.Configuration;
using Voxbase.Server.Rendering;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase config</c>: every setting, its value in force and where that comes from.</summary>
internal static class ConfigCommand
{
    public static Command Create(Shell shell)
    {
        var command = new Command("config", "Print every setting: its value in force, where that comes from, and what it does.") { shell.Json };
        command.SetAction(parsed =>
        {
            var settings = shell.SettingsOf(parsed);
            var descriptions = new Descriptions();
            var rows = settings.All()
                .Select(setting => new SettingRow(
                    setting.Name, Effective(settings, setting), settings.SourceOf(setting), setting.Variable, descriptions.Of(setting.Declaration)))
                .ToList();
            if (parsed.GetValue(shell.Json))
                Output.WriteJson(rows);
            else
                SettingTable.Write(shell.Output, rows);
        });
        return shell.WithExamples(command, "voxbase config", "VOXBASE_CONVERSATIONS__APPENDLANES=4 voxbase config --json");
    }

    // The default of the home depends on the account, so it is worth more resolved.
    private static string? Effective(Settings settings, SettingProperty setting) =>
        setting.Name == "Embedded.Home" ? settings.Home : setting.Value;
}
