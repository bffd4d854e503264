using System.CommandLine;
using Voxbase.Server.Commands;

namespace Voxbase.Server.Tests.Commands;

/// <summary>What holds for each command.</summary>
public sealed class VoxbaseCommandTests
{
    [Fact]
    public void An_option_without_its_value_is_wrong_usage()
    {
        var root = VoxbaseCommand.Create(new Shell());
        var tried = 0;
        foreach (var (path, command) in Leaves([], root))
        {
            foreach (var option in command.Options.Where(option => option.Arity.MinimumNumberOfValues > 0))
            {
                root.Parse([.. path, option.Name]).Errors.ShouldNotBeEmpty($"{string.Join(' ', path)} {option.Name}");
                tried++;
            }
        }

        tried.ShouldBeGreaterThan(30);
    }

    private static IEnumerable<(string[] Path, Command Command)> Leaves(string[] path, Command command) =>
        [(path, command), .. command.Subcommands.SelectMany(each => Leaves([.. path, each.Name], each))];
}
