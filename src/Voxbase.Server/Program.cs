using System.CommandLine;
using Voxbase.Server;
using Voxbase.Server.Commands;

var shell = new Shell();
return await shell.RunAsync(
    new Command("voxbase", "Voxbase: the system of record for voice AI, on PostgreSQL.")
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
    },
    args);
