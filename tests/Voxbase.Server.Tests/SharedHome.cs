[assembly: AssemblyFixture(typeof(Voxbase.Server.Tests.SharedHome))]

namespace Voxbase.Server.Tests;

/// <summary>One home with a running server, for the tests that need not start one; a command joins its database.</summary>
public sealed class SharedHome : IAsyncLifetime
{
    private UpProcess? up;

    internal Cli Cli { get; } = new(Cli.NewHome());

    internal string Url => up!.Url;

    public async ValueTask InitializeAsync() => up = await UpProcess.StartAsync(Cli);

    public async ValueTask DisposeAsync()
    {
        if (up is not null)
            await up.DisposeAsync();
        if (Directory.Exists(Cli.Home))
            Directory.Delete(Cli.Home, recursive: true);
    }
}
