using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Voxbase.Data;

namespace Voxbase.DataApi;

/// <summary>
/// The present <see cref="SchemaCache"/>. Read when it is first needed, and again when the database says <c>notify pgrst, 'reload schema'</c>
/// (or <c>'reload config'</c>); meanwhile, and when reading fails, the old one goes on serving.
/// </summary>
internal sealed class SchemaCaches(Database database, VoxbaseOptions options) : IDisposable
{
    private readonly SemaphoreSlim turn = new(1, 1);
    private readonly TaskCompletionSource used = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile SchemaCache? current;

    /// <summary>Completes when somebody has asked for a cache: before that nobody needs to listen.</summary>
    public Task Used => used.Task;

    /// <summary>The present cache.</summary>
    /// <exception cref="ApiException">PGRST002: there has never been one.</exception>
    public async ValueTask<SchemaCache> GetAsync(CancellationToken cancellationToken)
    {
        if (current is { } cache)
            return cache;
        used.TrySetResult();
        try
        {
            await turn.WaitAsync(cancellationToken);
            try
            {
                return current ??= await new SchemaCacheReader(database, options.DataApi).ReadAsync(null, cancellationToken);
            }
            finally
            {
                turn.Release();
            }
        }
        catch (Exception e) when (e is VoxbaseException or NpgsqlException)
        {
            throw ApiFaults.NoSchemaCache();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => turn.Dispose();

    /// <summary>Reads the catalogs and takes what they say in place of the present cache.</summary>
    public async Task<SchemaCache> ReloadAsync(CancellationToken cancellationToken)
    {
        await turn.WaitAsync(cancellationToken);
        try
        {
            return current = await new SchemaCacheReader(database, options.DataApi).ReadAsync(current, cancellationToken);
        }
        finally
        {
            turn.Release();
        }
    }
}

/// <summary>Listens for changes of the schema, from the first request on.</summary>
internal sealed class SchemaCacheJob(Database database, SchemaCaches caches, TimeProvider time, ILogger<SchemaCacheJob> logger) : BackgroundService
{
    private static readonly TimeSpan Settle = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Probe = TimeSpan.FromSeconds(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await caches.Used.WaitAsync(stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await ListenAsync(stoppingToken);
            }
            catch (Exception e) when (e is VoxbaseException or NpgsqlException)
            {
                DataApiLog.ReloadFailed(logger, (e as VoxbaseException)?.Code ?? (e as PostgresException)?.SqlState ?? e.GetType().Name);
                await Task.Delay(Retry, time, stoppingToken);
            }
        }
    }

    private async Task ListenAsync(CancellationToken stoppingToken)
    {
        await using var connection = await database.OpenWithoutCallerAsync(stoppingToken);
        var isTold = true;
        connection.Notification += (_, notification) => isTold |= notification.Payload is "" or "reload schema" or "reload config";
        await ExecuteAsync(connection, "listen pgrst", stoppingToken);
        try
        {
            while (true)
            {
                // What changed before somebody listened is found, too.
                if (isTold)
                {
                    isTold = false;
                    await caches.ReloadAsync(stoppingToken);
                    DataApiLog.Reloaded(logger);
                }

                if (!await connection.WaitAsync(Probe, stoppingToken))
                    await ExecuteAsync(connection, "select 1", stoppingToken);
                else if (isTold)
                    // A migration says it once for many changes; many said at once are one as well.
                    await Task.Delay(Settle, time, stoppingToken);
            }
        }
        finally
        {
            if (connection.State == System.Data.ConnectionState.Open)
                await ExecuteAsync(connection, "unlisten *", CancellationToken.None);
        }
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
