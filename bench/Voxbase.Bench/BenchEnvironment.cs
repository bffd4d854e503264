using System.Globalization;
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

    /// <summary>Seconds of processor time that the database's processes have taken, those that live now; 0 where the system does not tell.</summary>
    public double DatabaseSeconds()
    {
        if (!OperatingSystem.IsLinux())
            return 0;
        var (postmaster, ticks) = ($"{cluster.Postgres.ProcessId}", 0L);
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            try
            {
                // pid (name) state parent … user time 14th, system time 15th; a name may hold spaces and brackets.
                var stat = File.ReadAllText(Path.Combine(folder, "stat"));
                var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
                if (fields[1] == postmaster || Path.GetFileName(folder) == postmaster)
                    ticks += long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // No process, or no longer one.
            }
        }

        return ticks / 100.0;
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
