using System.Data;
using Npgsql;
using Voxbase.Data;

namespace Voxbase.Capture;

#pragma warning disable CA1001 // A SemaphoreSlim whose wait handle nobody asks for holds nothing.

/// <summary>
/// Who captures a conversation: one at a time, across processes. A queue of this process comes first; behind it, advisory locks of
/// PostgreSQL keep processes apart. All locks of a process are held by one connection, which goes back to the pool with the last of
/// them: hundreds of calls do not hold hundreds of connections.
/// </summary>
/// <remarks>
/// A lock that another process holds is waited for on a connection of its own, because on the shared one everybody else would wait too.
/// A connection that dies loses its locks; who captures the same conversation then meets the primary key of its events.
/// </remarks>
internal sealed class CaptureLeases(Database database)
{
    private const string TryLockText = "select pg_try_advisory_lock(hashtextextended('voxbase.capture:' || $1::text, 0))";
    private const string LockText = "select pg_advisory_lock(hashtextextended('voxbase.capture:' || $1::text, 0))";
    private const string UnlockText = "select pg_advisory_unlock(hashtextextended('voxbase.capture:' || $1::text, 0))";

    private readonly Dictionary<Guid, Queue> queues = [];
    private readonly SemaphoreSlim connecting = new(1);
    private NpgsqlConnection? shared;
    private int held;

    /// <summary>Waits until nobody else captures the conversation; disposing the result lets the next one.</summary>
    /// <exception cref="VoxbaseException"><c>database_unavailable</c>; nothing is held.</exception>
    public async Task<IAsyncDisposable> TakeAsync(Guid conversationId, CancellationToken cancellationToken)
    {
        var queue = Join(conversationId);
        var isFirst = false;
        try
        {
            await queue.Turn.WaitAsync(cancellationToken);
            isFirst = true;
            var connection = await TryAsync(conversationId) ?? await WaitAsync(conversationId, cancellationToken);
            return new Lease(this, conversationId, queue, connection);
        }
        catch (Exception e)
        {
            Leave(conversationId, queue, isFirst);
            if (DataErrors.From(e) is { } error)
                throw error;
            throw;
        }
    }

    // The shared connection, holding the lock now; null when another process holds it. Nothing cancels what is quick.
    private async Task<NpgsqlConnection?> TryAsync(Guid conversationId)
    {
        await connecting.WaitAsync(CancellationToken.None);
        try
        {
            if (shared is { FullState: not ConnectionState.Open } dead)
            {
                (shared, held) = (null, 0);
                await dead.DisposeAsync();
            }

            shared ??= await database.OpenWithoutCallerAsync(CancellationToken.None);
            await using var take = new NpgsqlCommand(TryLockText, shared) { Parameters = { Parameter.Uuid(conversationId) } };
            if ((bool)(await take.ExecuteScalarAsync())!)
            {
                held++;
                return shared;
            }

            await GiveBackAsync();
            return null;
        }
        catch
        {
            // A command that fails has its connection broken, or took no lock.
            await GiveBackAsync();
            throw;
        }
        finally
        {
            connecting.Release();
        }
    }

    private async Task<NpgsqlConnection> WaitAsync(Guid conversationId, CancellationToken cancellationToken)
    {
        var own = await database.OpenWithoutCallerAsync(cancellationToken);
        try
        {
            await using var take = new NpgsqlCommand(LockText, own) { CommandTimeout = 0, Parameters = { Parameter.Uuid(conversationId) } };
            await take.ExecuteNonQueryAsync(cancellationToken);
            return own;
        }
        catch
        {
            // Cancelled when it had just been taken, perhaps. Where it was not, letting go of it is a warning.
            await UnlockAsync(own, conversationId);
            await own.DisposeAsync();
            throw;
        }
    }

    private async Task ReleaseAsync(Guid conversationId, NpgsqlConnection connection)
    {
        await connecting.WaitAsync();
        try
        {
            // Not ours any more when the shared connection died and was replaced: then the lock died with it.
            if (connection == shared)
            {
                held--;
                await UnlockAsync(connection, conversationId);
                await GiveBackAsync();
                return;
            }
        }
        finally
        {
            connecting.Release();
        }

        await UnlockAsync(connection, conversationId);
        await connection.DisposeAsync();
    }

    private async Task GiveBackAsync()
    {
        if (held > 0 || shared is not { } idle)
            return;
        shared = null;
        await idle.DisposeAsync();
    }

    // A lock is the connection's, and the pool hands a connection on with all it holds: none goes back without this.
    private static async Task UnlockAsync(NpgsqlConnection connection, Guid conversationId)
    {
        try
        {
            await using var release = new NpgsqlCommand(UnlockText, connection) { Parameters = { Parameter.Uuid(conversationId) } };
            await release.ExecuteNonQueryAsync();
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
        {
            // The connection is gone, and the lock with it.
        }
    }

    private Queue Join(Guid conversationId)
    {
        lock (queues)
        {
            if (!queues.TryGetValue(conversationId, out var queue))
                queues.Add(conversationId, queue = new Queue());
            queue.Members++;
            return queue;
        }
    }

    private void Leave(Guid conversationId, Queue queue, bool isFirst)
    {
        lock (queues)
        {
            if (--queue.Members == 0)
                queues.Remove(conversationId);
        }

        if (isFirst)
            queue.Turn.Release();
    }

    /// <summary>Who captures, or waits to capture, a conversation in this process.</summary>
    private sealed class Queue
    {
        public SemaphoreSlim Turn { get; } = new(1);

        public int Members { get; set; }
    }

    private sealed class Lease(CaptureLeases owner, Guid conversationId, Queue queue, NpgsqlConnection connection) : IAsyncDisposable
    {
        private int isDisposed;

        public async ValueTask DisposeAsync()
        {
            if (Interlocked.Exchange(ref isDisposed, 1) != 0)
                return;
            try
            {
                await owner.ReleaseAsync(conversationId, connection);
            }
            finally
            {
                owner.Leave(conversationId, queue, isFirst: true);
            }
        }
    }
}
