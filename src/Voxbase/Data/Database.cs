using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Npgsql;
using Npgsql.Replication;
using NpgsqlTypes;

namespace Voxbase.Data;

/// <summary>
/// PostgreSQL with a caller's identity: the only way to user data. Role, claims and work travel in one round trip and one
/// transaction, so the policies of the database decide about every statement.
/// </summary>
/// <remarks>
/// Statements sent together without a BEGIN run in one implicit transaction that ends with the batch, and
/// <c>set_config(…, is_local => true)</c> ends with it: nothing of one caller is left on the pooled connection for the next.
/// </remarks>
public sealed class Database : IAsyncDisposable
{
    internal const string IdentifySql =
        """
        select set_config('role', $1, true), set_config('request.jwt.claims', $2, true), set_config('vox.caller', $3, true)
        """;

    // A plan is made once per connection and kept: planning an append anew costs more than running it. Such a plan may be made
    // while the tables are still empty, so it must not count on their being small: indexes, whatever the size. And their entries one by
    // one: a bitmap of a row that changes often gathers all its dead versions, each time, until a vacuum comes by.
    private const string PlanText = "set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set enable_bitmapscan = off";

    internal const int MostAttempts = 4;
    private const int MostLines = 32;

    // What a client composed: its plan depends on the values, its order on nothing but what it says, and its errors are told in full.
    internal const string ComposedSql =
        """
        select set_config('search_path', ($1::text[])[1], true), set_config('request.method', ($1::text[])[2], true),
          set_config('request.path', ($1::text[])[3], true), set_config('request.headers', ($1::text[])[4], true),
          set_config('request.cookies', ($1::text[])[5], true), set_config('request.jwt.claims', ($1::text[])[6], true),
          set_config('vox.caller', ($1::text[])[7], true), set_config('transaction_read_only', ($1::text[])[8], true)
        """;

    private const string ComposedRoleText = ComposedSql + ", set_config('role', ($1::text[])[9], true)";

    // By how many settings more there are.
    private static readonly ConcurrentDictionary<int, string> ComposedTexts = new();

    // PostgreSQL makes a plan for one role's policies and throws it away when another role comes with the same statement. So each
    // role has a statement text of its own.
    private readonly ConcurrentDictionary<(string Sql, string Role), string> texts = new();
    private readonly NpgsqlDataSource source;
    private readonly Lazy<NpgsqlDataSource> writers;
    private readonly ConcurrentStack<WriterLine> lines = new();
    private readonly SemaphoreSlim freeLines;
    private readonly string connectionString;
    private readonly Lazy<NpgsqlDataSource> composed;

    /// <summary>
    /// A database at <paramref name="connectionString"/> (Npgsql's keywords). Its login must be a member of the roles anon,
    /// authenticated and service_role, as the migrations make it.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>connection_string_invalid</c>.</exception>
    public Database(string connectionString)
    {
        NpgsqlConnectionStringBuilder settings;
        try
        {
            settings = ConnectionString.Parse(connectionString);
        }
        catch (ArgumentException e)
        {
            throw DataErrors.ConnectionStringInvalid.With("The connection string does not parse.", inner: e);
        }

        settings.ApplicationName ??= "voxbase";
        settings.MaxAutoPrepare = 512;
        settings.AutoPrepareMinUsages = 2;
        // Everything set is local to its transaction, so there is nothing to reset.
        settings.NoResetOnClose = true;
        settings.IncludeErrorDetail = false;
        this.connectionString = settings.ConnectionString;
        // A line keeps its connection: no more of them than there may be.
        freeLines = new SemaphoreSlim(Math.Min(MostLines, settings.MaxPoolSize));
        source = Source(settings.ConnectionString, PlanText);
        writers = new Lazy<NpgsqlDataSource>(() => Source(settings.ConnectionString, PlanText + "; set role vox_writer"));
        composed = new Lazy<NpgsqlDataSource>(() => new NpgsqlDataSourceBuilder(
            new NpgsqlConnectionStringBuilder(settings.ConnectionString)
            {
                IncludeErrorDetail = true,
                // An answer of a hundred rows comes in one read.
                ReadBufferSize = 32 * 1024,
                MaxPoolSize = MaxComposedConnections,
                MinPoolSize = 0,
            }.ConnectionString).Build());
    }

    /// <summary>The most connections that composed statements have at once; read when the first of them comes.</summary>
    internal int MaxComposedConnections { get; set; } = 20;

    /// <summary>The host and database it speaks to, without credentials.</summary>
    public string Target
    {
        get
        {
            var settings = new NpgsqlConnectionStringBuilder(source.ConnectionString);
            return $"{settings.Host}:{settings.Port}/{settings.Database}";
        }
    }

    /// <summary>A connection without a caller: no policy applies to what its login may do. For migrations and maintenance.</summary>
    internal async Task<NpgsqlConnection> OpenWithoutCallerAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await source.OpenConnectionAsync(cancellationToken);
        }
        catch (Exception e) when (DataErrors.From(e) is { } error)
        {
            throw error;
        }
    }

    /// <summary>
    /// A connection without a caller and outside of the pool, for whoever keeps one with settings of its own. Dispose it.
    /// </summary>
    internal async Task<NpgsqlConnection> OpenApartWithoutCallerAsync(string settings, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false, KeepAlive = 30 }.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
            await using var command = new NpgsqlCommand(PlanText + "; " + settings, connection);
            await command.ExecuteNonQueryAsync(cancellationToken);
            return connection;
        }
        catch (Exception e)
        {
            await connection.DisposeAsync();
            if (DataErrors.From(e) is { } error)
                throw error;
            throw;
        }
    }

    /// <summary>
    /// A connection for logical replication, not opened yet, to the server that <paramref name="host"/> and <paramref name="port"/> name (of several
    /// in the connection string, the one that takes writes).
    /// </summary>
    internal LogicalReplicationConnection CreateReplicationConnection(string host, int port) => new(new NpgsqlConnectionStringBuilder(connectionString)
    {
        Host = host,
        Port = port,
        TargetSessionAttributes = null,
        // Texts as JSON wants them, whatever the server's own settings are.
        Timezone = "UTC",
        Options = "-c DateStyle=ISO,YMD -c IntervalStyle=postgres -c extra_float_digits=1 -c bytea_output=hex",
        ApplicationName = "voxbase feed",
    }.ConnectionString);

    /// <summary>
    /// Runs statements as a caller, in one transaction and one round trip. <paramref name="read"/> starts at the first result set
    /// of the first statement that has one.
    /// </summary>
    internal Task<T> RunAsync<T>(
        Caller caller,
        IReadOnlyList<Statement> statements,
        Func<NpgsqlDataReader, CancellationToken, Task<T>> read,
        CancellationToken cancellationToken) =>
        RunAsync(
            [(caller, statements)],
            async (results, ct) =>
            {
                await results.NextResultAsync(ct);
                return await read(results, ct);
            },
            cancellationToken);

    /// <summary>Runs statements of several callers, each under its own identity, in one transaction and one round trip. The first
    /// result set of each caller is the identity's own.</summary>
    /// <remarks>
    /// What PostgreSQL undid because it met another transaction in a deadlock is repeated, a few times: nothing of it was done. So
    /// <paramref name="read"/> may be called again, and begins anew then.
    /// </remarks>
    internal Task<T> RunAsync<T>(
        IReadOnlyList<(Caller Caller, IReadOnlyList<Statement> Statements)> work,
        Func<NpgsqlDataReader, CancellationToken, Task<T>> read,
        CancellationToken cancellationToken) =>
        RunAsync(
            batch =>
            {
                foreach (var (caller, statements) in work)
                    Add(batch, caller, statements);
            },
            read,
            cancellationToken);

    /// <summary>
    /// Runs one statement as the library's own writer, for whoever <see cref="Caller.AsWriter"/> stands for, on the first line that is free. As
    /// <see cref="WriterLine.RunAsync"/>, which says what the statement must do.
    /// </summary>
    internal async Task<TResult> RunAsWriterAsync<TValues, TResult>(
        string sql, TValues values, Action<KeptParameters, TValues> fill,
        Func<NpgsqlDataReader, CancellationToken, Task<TResult>> read, CancellationToken cancellationToken)
    {
        await freeLines.WaitAsync(cancellationToken);
        if (!lines.TryPop(out var line))
            line = new WriterLine(writers.Value);
        try
        {
            return await line.RunAsync(sql, values, fill, read, cancellationToken);
        }
        catch (VoxbaseException e) when (e.Error == DataErrors.Unavailable)
        {
            // The server has gone, and with it most likely what other lines hold: one call finds that out, not one for each of them.
            while (lines.TryPop(out var other))
                await other.DisposeAsync();
            throw;
        }
        finally
        {
            // The one used last is the next: its statements are prepared.
            lines.Push(line);
            freeLines.Release();
        }
    }

    private async Task<T> RunAsync<T>(
        Action<NpgsqlBatch> fill, Func<NpgsqlDataReader, CancellationToken, Task<T>> read, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await source.OpenConnectionAsync(cancellationToken);
            for (var attempt = 1; ; attempt++)
            {
                await using var batch = new NpgsqlBatch(connection);
                fill(batch);
                try
                {
                    await using var results = await batch.ExecuteReaderAsync(cancellationToken);
                    var result = await read(results, cancellationToken);
                    // A statement that fails does so when its result is read: read them all before calling it done.
                    while (await results.NextResultAsync(cancellationToken))
                    {
                    }

                    return result;
                }
                catch (PostgresException e) when (attempt < MostAttempts && IsUndone(e))
                {
                    // A parameter belongs to one command at a time.
                    foreach (var command in batch.BatchCommands)
                        command.Parameters.Clear();
                }
                catch (PostgresException e) when (IsDataException(e))
                {
                    await ForgetPreparedAsync(connection);
                    throw;
                }
            }
        }
        catch (Exception e) when (DataErrors.From(e) is { } error)
        {
            throw error;
        }
    }

    /// <summary>Runs statements as a caller and expects no rows.</summary>
    internal Task RunAsync(Caller caller, IReadOnlyList<Statement> statements, CancellationToken cancellationToken) =>
        RunAsync(caller, statements, static (results, _) => Task.FromResult(results.RecordsAffected), cancellationToken);

    /// <summary>
    /// A transaction as a caller over several round trips, for work that must read before it knows what to write. Commits when
    /// <paramref name="work"/> returns, rolls back when it throws.
    /// </summary>
    internal async Task<T> InTransactionAsync<T>(Caller caller, Func<Transaction, Task<T>> work, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await source.OpenConnectionAsync(cancellationToken);
            try
            {
                await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
                var opened = new Transaction(this, connection, caller);
                var result = await work(opened);
                await opened.FlushAsync(cancellationToken);
                await transaction.CommitAsync(cancellationToken);
                return result;
            }
            catch (PostgresException e) when (IsDataException(e))
            {
                await ForgetPreparedAsync(connection);
                throw;
            }
        }
        catch (Exception e) when (DataErrors.From(e) is { } error)
        {
            throw error;
        }
    }

    /// <summary>
    /// Runs statements that a client composed, as a caller, in one transaction, and in one round trip unless <see cref="Composed.Decides"/>
    /// or an isolation is asked. <paramref name="read"/> starts at the first statement's result, with columns in their order, and says
    /// whether to commit. Errors of PostgreSQL come as they are.
    /// </summary>
    internal async Task<T> RunComposedAsync<T>(
        Caller caller, Composed work, Func<NpgsqlDataReader, CancellationToken, Task<(T Value, bool Commits)>> read, CancellationToken cancellationToken)
    {
        await using var connection = await composed.Value.OpenConnectionAsync(cancellationToken);
        try
        {
            await using var transaction = work.Isolation is { } isolation ? await connection.BeginTransactionAsync(isolation, cancellationToken)
                : work.Decides ? await connection.BeginTransactionAsync(cancellationToken)
                : null;
            var (value, commits) = await ReadComposedAsync(connection, caller, work, read, cancellationToken);
            if (transaction is not null && commits)
                await transaction.CommitAsync(cancellationToken);
            else if (transaction is not null)
                await transaction.RollbackAsync(cancellationToken);
            return value;
        }
        catch (PostgresException e) when (IsDataException(e))
        {
            await ForgetPreparedAsync(connection);
            throw;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (composed.IsValueCreated)
            await composed.Value.DisposeAsync();
        while (lines.TryPop(out var line))
            await line.DisposeAsync();
        freeLines.Dispose();
        if (writers.IsValueCreated)
            await writers.Value.DisposeAsync();
        await source.DisposeAsync();
    }

    private static async Task<(T Value, bool Commits)> ReadComposedAsync<T>(
        NpgsqlConnection connection, Caller caller, Composed work, Func<NpgsqlDataReader, CancellationToken, Task<(T Value, bool Commits)>> read,
        CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection) { BatchCommands = { Identity(caller, work) } };
        foreach (var statement in work.Statements)
        {
            var command = new NpgsqlBatchCommand(statement.Sql);
            foreach (var parameter in statement.Parameters)
                command.Parameters.Add(parameter);
            batch.BatchCommands.Add(command);
        }

        await using var results = await batch.ExecuteReaderAsync(System.Data.CommandBehavior.SequentialAccess, cancellationToken);
        await results.NextResultAsync(cancellationToken);
        var result = await read(results, cancellationToken);
        // A statement that fails does so when its result is read, and what is deferred fails at the end.
        while (await results.NextResultAsync(cancellationToken))
        {
        }

        return result;
    }

    // The role last: what a role may not set itself, its settings may still bring. One array costs less than as many parameters.
    private static NpgsqlBatchCommand Identity(Caller caller, Composed work)
    {
        const int fixedCount = 8;
        var values = new string[fixedCount + (2 * work.Settings.Count) + 1];
        (values[0], values[1], values[2], values[3]) = (work.SearchPath, work.Method, work.Path, work.Headers);
        (values[4], values[5], values[6], values[7]) = (work.Cookies, caller.Claims, caller.Key, work.IsReadOnly ? "on" : "off");
        values[^1] = caller.Role;
        for (var i = 0; i < work.Settings.Count; i++)
            (values[fixedCount + (2 * i)], values[fixedCount + (2 * i) + 1]) = (work.Settings[i].Key, work.Settings[i].Value);
        var text = work.Settings.Count == 0 ? ComposedRoleText : ComposedTexts.GetOrAdd(work.Settings.Count, static count =>
        {
            var (made, place) = (new StringBuilder(ComposedSql), fixedCount);
            for (; count > 0; count--)
                made.Append(CultureInfo.InvariantCulture, $", set_config(($1::text[])[{++place}], ($1::text[])[{++place}], true)");
            return made.Append(CultureInfo.InvariantCulture, $", set_config('role', ($1::text[])[{++place}], true)").ToString();
        });
        return new NpgsqlBatchCommand(text)
        {
            Parameters = { new NpgsqlParameter<string[]> { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text, TypedValue = values } },
        };
    }

    // Every connection is told so when it is made.
    private static NpgsqlDataSource Source(string connectionString, string settings) => new NpgsqlDataSourceBuilder(connectionString)
        .UsePhysicalConnectionInitializer(
            connection =>
            {
                using var command = new NpgsqlCommand(settings, connection);
                command.ExecuteNonQuery();
            },
            async connection =>
            {
                await using var command = new NpgsqlCommand(settings, connection);
                await command.ExecuteNonQueryAsync();
            })
        .Build();

    // It met another transaction; nothing of it was done.
    internal static bool IsUndone(PostgresException e) => e.SqlState is PostgresErrorCodes.DeadlockDetected or PostgresErrorCodes.SerializationFailure;

    private static bool IsDataException(PostgresException e) => e.SqlState.StartsWith("22", StringComparison.Ordinal);

    // A value that the server refuses while it binds the statement that is just being prepared leaves Npgsql 10.0 with a statement
    // that it takes for prepared and whose columns it doesn't know: its next use on this connection would break the protocol.
    private static async Task ForgetPreparedAsync(NpgsqlConnection connection)
    {
        try
        {
            // Npgsql has no asynchronous form of it.
            await Task.Run(connection.UnprepareAll);
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException)
        {
            // The connection is gone, and with it what was prepared.
        }
    }

    private void Add(NpgsqlBatch batch, Caller caller, IReadOnlyList<Statement> statements)
    {
        AddIdentity(batch, caller);
        foreach (var statement in statements)
            Add(batch, caller.Role, statement);
    }

    private static void AddIdentity(NpgsqlBatch batch, Caller caller) =>
        batch.BatchCommands.Add(new NpgsqlBatchCommand(IdentifySql)
        {
            Parameters = { Parameter.Text(caller.Role), Parameter.Text(caller.Claims), Parameter.Text(caller.Key) },
        });

    private void Add(NpgsqlBatch batch, string role, Statement statement)
    {
        var command = new NpgsqlBatchCommand(texts.GetOrAdd((statement.Sql, role), static key => $"{key.Sql} -- {key.Role}"));
        foreach (var parameter in statement.Parameters)
            command.Parameters.Add(parameter);
        batch.BatchCommands.Add(command);
    }

    /// <summary>What a client composed, and under which settings it runs.</summary>
    internal sealed class Composed
    {
        public required IReadOnlyList<Statement> Statements { get; init; }

        public required string SearchPath { get; init; }

        public required string Method { get; init; }

        public required string Path { get; init; }

        public required string Headers { get; init; }

        public required string Cookies { get; init; }

        public bool IsReadOnly { get; init; }

        /// <summary>Settings beyond these, of the role, of a function or of the request.</summary>
        public IReadOnlyList<KeyValuePair<string, string>> Settings { get; init; } = [];

        public System.Data.IsolationLevel? Isolation { get; init; }

        /// <summary>Whether only the result tells if the transaction may commit.</summary>
        public bool Decides { get; init; }
    }

    /// <summary>An open transaction of one caller. Statements without results are kept back and sent with the next that has one.</summary>
    internal sealed class Transaction(Database database, NpgsqlConnection connection, Caller caller)
    {
        private readonly List<Statement> pending = [];
        private bool identified;

        /// <summary>Adds a statement whose result nobody reads; it is sent with the next query, or before the commit.</summary>
        public void Add(Statement statement) => pending.Add(statement);

        /// <summary>Sends what is pending and this statement, and reads this statement's result.</summary>
        public async Task<T> QueryAsync<T>(
            Statement statement, Func<NpgsqlDataReader, CancellationToken, Task<T>> read, CancellationToken cancellationToken)
        {
            // A statement without rows has no result set of its own, so what is pending goes ahead by itself.
            await FlushAsync(cancellationToken);
            await using var batch = new NpgsqlBatch(connection);
            database.Add(batch, caller.Role, statement);
            await using var results = await batch.ExecuteReaderAsync(cancellationToken);
            return await read(results, cancellationToken);
        }

        /// <summary>Sends what is pending.</summary>
        public async Task FlushAsync(CancellationToken cancellationToken)
        {
            if (pending.Count == 0 && identified)
                return;
            await using var batch = new NpgsqlBatch(connection);
            if (!identified)
                AddIdentity(batch, caller);
            foreach (var statement in pending)
                database.Add(batch, caller.Role, statement);
            await batch.ExecuteNonQueryAsync(cancellationToken);
            identified = true;
            pending.Clear();
        }
    }
}
