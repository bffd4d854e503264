using System.Runtime.InteropServices;
using Npgsql;
using Voxbase.Testing;

namespace Voxbase.Bench;

/// <summary>A fresh cluster with Voxbase's own settings, one database, and a raw door to the same.</summary>
internal sealed class BenchEnvironment : IAsyncDisposable
{
    private readonly TestCluster cluster;

    private BenchEnvironment(TestCluster cluster, TestDatabase database, NpgsqlDataSource raw) =>
        (this.cluster, Database, Raw) = (cluster, database, raw);

    public TestDatabase Database { get; }

    /// <summary>Npgsql as the superuser: no policies, no identity, nothing of Voxbase.</summary>
    public NpgsqlDataSource Raw { get; }

    public Caller User { get; private set; } = Caller.Service;

    public string Machine =>
        $"PostgreSQL {cluster.Postgres.ServerVersion}, .NET {Environment.Version}, {Environment.ProcessorCount} cores, " +
        $"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 30} GB, {RuntimeInformation.OSDescription.Split(' ')[0]}";

    public static async Task<BenchEnvironment> StartAsync()
    {
        var cluster = new TestCluster();
        await cluster.InitializeAsync();
        var database = await cluster.CreateDatabaseAsync();
        var name = new NpgsqlConnectionStringBuilder(database.ConnectionString).Database!;
        var raw = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(cluster.SuperuserConnectionStringOf(name)) { MaxPoolSize = 100, NoResetOnClose = true });
        var environment = new BenchEnvironment(cluster, database, raw) { User = await database.NewUserAsync() };
        await environment.ExecuteAsync(RawAppends.CreateTable);
        return environment;
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var command = Raw.CreateCommand(sql);
        command.CommandTimeout = 0;
        await command.ExecuteNonQueryAsync();
    }

    public async Task<Guid> NewConversationAsync() =>
        (await Database.Conversations.StartAsync(User, new NewConversation { Status = ConversationStatus.Active })).Id;

    public async ValueTask DisposeAsync()
    {
        await Raw.DisposeAsync();
        await Database.DisposeAsync();
        await cluster.DisposeAsync();
    }
}
