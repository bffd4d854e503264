using System.CommandLine;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase bench</c>: run by the launcher of a checkout, which never gets here.</summary>
internal static class BenchCommand
{
    public static Command Create(Shell shell)
    {
        var name = new Argument<string?>("name") { Description = "One benchmark; all when left out", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("bench", "Measure this machine against raw PostgreSQL (from a checkout, through its launcher).") { name, shell.Json };
        command.SetAction(int (_) => throw ServerErrors.CheckoutNeeded.With("The benchmarks are in the source code only."));
        return shell.WithExamples(command, "./voxbase bench");
    }
}
