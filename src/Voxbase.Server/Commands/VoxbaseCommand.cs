using System.CommandLine;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase</c> itself: all its commands.</summary>
internal static class VoxbaseCommand
{
    public static Command Create(Shell shell) =>
        new("voxbase", "Voxbase: the system of record for voice AI, on PostgreSQL.")
        {
            UpCommand.Create(shell),
            ReplayCommand.Create(shell),
            ImportCommand.Create(shell),
            ShowCommand.Create(shell),
            ListCommand.Create(shell),
            CleanCommand.Create(shell),
            TermsCommand.Create(shell),
            PricesCommand.Create(shell),
            BudgetsCommand.Create(shell),
            AlertsCommand.Create(shell),
            TokenCommand.Create(shell),
            KeysCommand.Create(shell),
            MigrateCommand.Create(shell),
            ConfigCommand.Create(shell),
            BenchCommand.Create(shell),
            VersionCommand.Create(shell),
        };
}
