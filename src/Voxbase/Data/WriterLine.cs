using System.Data;
using Npgsql;

namespace Voxbase.Data;

/// <summary>
/// A connection of the library's own writer that stays open, and whose statements stay prepared with their parameters: to run one again is to
/// give these their values. For whoever writes one statement after the other, which would otherwise cost a tenth of a lone append more.
/// Not for several at once.
/// </summary>
/// <remarks>
/// Nothing goes ahead of a statement, so it must itself set <c>vox.caller</c> before a policy asks for it; one that does not is refused
/// every row, but for functions that work with their owner's rights.
/// </remarks>
internal sealed class WriterLine(NpgsqlDataSource source) : IAsyncDisposable
{
    private const int MostStatements = 256;

    // By the text's identity: whoever repeats a statement has its text at hand.
    private readonly Dictionary<string, (NpgsqlCommand Command, KeptParameters Parameters)> prepared = new(ReferenceEqualityComparer.Instance);
    private NpgsqlConnection? connection;

    /// <summary>Runs a statement. What PostgreSQL undid because it met another transaction is repeated, a few times.</summary>
    /// <param name="sql">Its text, the same object each time.</param>
    /// <param name="values">What the parameters come from.</param>
    /// <param name="fill">Tells all parameters, in order.</param>
    /// <param name="read">Reads the result. Called again when the statement is repeated, and begins anew then.</param>
    /// <param name="cancellationToken">Gives up; whether the statement was done is not known then.</param>
    /// <exception cref="VoxbaseException">As of any statement; the next call has a new connection if this one broke.</exception>
    public async Task<TResult> RunAsync<TValues, TResult>(
        string sql, TValues values, Action<KeptParameters, TValues> fill,
        Func<NpgsqlDataReader, CancellationToken, Task<TResult>> read, CancellationToken cancellationToken)
    {
        try
        {
            var isKept = prepared.TryGetValue(sql, out var statement);
            if (!isKept)
                statement = await NewAsync(sql, cancellationToken);
            var (command, parameters) = statement;
            parameters.Begin();
            fill(parameters, values);
            if (!isKept)
            {
                await command.PrepareAsync(cancellationToken);
                prepared[sql] = statement;
            }

            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    await using var results = await command.ExecuteReaderAsync(cancellationToken);
                    var result = await read(results, cancellationToken);
                    // It may still fail after its rows: read it all before calling it done.
                    while (await results.NextResultAsync(cancellationToken))
                    {
                    }

                    return result;
                }
                catch (PostgresException e) when (attempt < Database.MostAttempts && Database.IsUndone(e))
                {
                }
            }
        }
        catch (Exception e)
        {
            if (connection is { FullState: not ConnectionState.Open })
                await DisposeAsync();
            if (DataErrors.From(e) is { } error)
                throw error;
            throw;
        }
    }

    /// <summary>Closes the connection. The next statement opens another.</summary>
    public async ValueTask DisposeAsync()
    {
        prepared.Clear();
        if (Interlocked.Exchange(ref connection, null) is { } open)
            await open.DisposeAsync();
    }

    private async Task<(NpgsqlCommand Command, KeptParameters Parameters)> NewAsync(string sql, CancellationToken cancellationToken)
    {
        if (prepared.Count >= MostStatements)
            await DisposeAsync();
        connection ??= await source.OpenConnectionAsync(cancellationToken);
        var command = new NpgsqlCommand(sql, connection);
        return (command, new KeptParameters(command.Parameters));
    }
}
