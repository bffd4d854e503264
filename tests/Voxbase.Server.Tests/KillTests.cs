using Voxbase.Testing;

namespace Voxbase.Server.Tests;

/// <summary>What tests need that kill the real server, or its database: a home, a PostgreSQL of their own, and tokens that the server believes.</summary>
public abstract class KillTests : IAsyncLifetime
{
    private const string Secret = "a secret for tests that is long enough";

    private readonly Cli cli = new(Cli.NewHome());

    protected TestCluster Cluster { get; } = new();

    protected string Home => cli.Home;

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => Cluster.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        await Cluster.DisposeAsync();
        if (Directory.Exists(cli.Home))
            Directory.Delete(cli.Home, recursive: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Starts <c>voxbase up</c> on a database of the cluster.</summary>
    private protected Task<UpProcess> StartAsync(TestDatabase db, params (string Name, string Value)[] settings) =>
        UpProcess.StartAsync(cli, [(ServerKeys.SecretVariable, Secret), .. settings], "--database", db.ConnectionString);

    protected static string TokenOf(Caller user)
    {
        using var tokens = new Tokens(new VoxbaseOptions { Tokens = { Secret = Secret } }, TimeProvider.System);
        return tokens.Mint(user.Role, user.UserId);
    }

    /// <summary>SIGKILL, and nothing is there any more.</summary>
    protected async Task KillDatabaseAsync()
    {
        UpProcess.Signal(Cluster.Postgres.ProcessId, "KILL");
        await Cluster.Postgres.WaitForExitAsync(Cancel);
    }
}
