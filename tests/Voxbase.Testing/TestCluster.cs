using Npgsql;
using Voxbase.Data;
using Xunit;

namespace Voxbase.Testing;

/// <summary>
/// A real PostgreSQL for a test assembly: one cluster, one migrated template, a clone of it for each test. Register it with
/// <c>[assembly: AssemblyFixture(typeof(TestCluster))]</c>.
/// </summary>
public sealed class TestCluster : IAsyncLifetime
{
    // Nobody may be connected to it while it is cloned, so no test ever is.
    private const string Template = "voxbase_template";

    private readonly string home = Path.Combine(Path.GetTempPath(), "voxbase-tests-" + Guid.NewGuid().ToString("n")[..12]);
    private EmbeddedPostgres? postgres;
    private int clones;

    /// <summary>
    /// The variable by which a test that runs its own assembly as a second process, and kills it, has it go without a cluster: nobody
    /// would stop that one.
    /// </summary>
    public const string WithoutCluster = "VOXBASE_TEST_WITHOUT_CLUSTER";

    /// <summary>The server.</summary>
    public EmbeddedPostgres Postgres => postgres ?? throw new InvalidOperationException("The cluster has not started.");

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (Environment.GetEnvironmentVariable(WithoutCluster) is not null)
            return;
        postgres = await EmbeddedPostgres.StartAsync(new EmbeddedPostgresOptions { Home = home });
        await ExecuteAsync($"create database {Template}");
        await using var database = new Database(ConnectionStringOf(Template));
        await new Migrator(database).ApplyAsync();
        await new Partitions(database, new VoxbaseOptions(), TimeProvider.System).RunOnceAsync();
    }

    /// <summary>A database of the caller's own, migrated and empty but for the price book. Dropped with the cluster.</summary>
    /// <param name="configure">Sets options.</param>
    /// <param name="time">Its clock.</param>
    /// <param name="pooled">At most so many connections at once.</param>
    public async Task<TestDatabase> CreateDatabaseAsync(Action<VoxbaseOptions>? configure = null, TimeProvider? time = null, int pooled = 16)
    {
        var name = $"test_{Interlocked.Increment(ref clones)}";
        await ExecuteAsync($"create database {name} template {Template} strategy wal_log");
        return new TestDatabase(
            new NpgsqlConnectionStringBuilder(ConnectionStringOf(name)) { MaxPoolSize = pooled }.ConnectionString, configure, time);
    }

    /// <summary>An empty database, not migrated.</summary>
    public async Task<string> CreateEmptyDatabaseAsync()
    {
        var name = $"test_{Interlocked.Increment(ref clones)}";
        await ExecuteAsync($"create database {name}");
        return ConnectionStringOf(name);
    }

    /// <summary>How to reach a database of the cluster as the owner, role voxbase.</summary>
    public string ConnectionStringOf(string database) =>
        new NpgsqlConnectionStringBuilder(Postgres.ConnectionString) { Database = database }.ConnectionString;

    /// <summary>How to reach a database of the cluster as the superuser.</summary>
    public string SuperuserConnectionStringOf(string database) =>
        new NpgsqlConnectionStringBuilder(Postgres.SuperuserConnectionString) { Database = database }.ConnectionString;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        if (postgres is not null)
            await postgres.DisposeAsync();
        if (Directory.Exists(home))
            Directory.Delete(home, recursive: true);
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(Postgres.ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        // A machine may be busy with others: a template takes what it takes.
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync();
    }
}
