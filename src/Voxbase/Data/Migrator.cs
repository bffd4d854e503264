using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace Voxbase.Data;

/// <summary>One migration: a file of SQL that runs once, in a transaction of its own.</summary>
/// <param name="Number">Its place in the order.</param>
/// <param name="Name">The file's name without <c>.sql</c>, for example <c>0003_conversations</c>.</param>
/// <param name="Sql">What it runs.</param>
/// <param name="Hash">SHA-256 of the file with line ends as LF, in hex.</param>
public sealed record Migration(int Number, string Name, string Sql, string Hash);

/// <summary>A migration and whether this database has it.</summary>
/// <param name="Name">The file's name.</param>
/// <param name="AppliedAt">Null while it is still to come.</param>
public sealed record MigrationStatus(string Name, DateTimeOffset? AppliedAt);

/// <summary>Errors about the schema's history.</summary>
public static class MigrationErrors
{
    /// <summary>A file changed after it was applied.</summary>
    public static ErrorCode HistoryChanged { get; } = new(
        "migration_changed", ErrorKind.Conflict,
        "The database applied a migration whose text differs from this version's.",
        "A released migration never changes: use the version of Voxbase that made this database, or restore the file.");

    /// <summary>The database is ahead of the program.</summary>
    public static ErrorCode SchemaNewer { get; } = new(
        "schema_newer", ErrorKind.Conflict,
        "The database has migrations that this version of Voxbase doesn't know.",
        "Update Voxbase to at least the version that migrated this database.");

    /// <summary>The server is older than 15.</summary>
    public static ErrorCode ServerTooOld { get; } = new(
        "postgres_too_old", ErrorKind.Conflict,
        "The PostgreSQL server is older than 15.",
        "Use PostgreSQL 15 or later.");

    /// <summary>A migration did not run.</summary>
    public static ErrorCode Failed { get; } = new(
        "migration_failed", ErrorKind.Internal,
        "A migration failed and was undone; those before it stay applied.",
        "The message names the migration and PostgreSQL's reason; the login needs to own the database and to be allowed to create roles.");
}

/// <summary>
/// Brings a database's schema up to date: forward only, each file in one transaction, recorded with its hash, one migrator at a
/// time whatever the number of servers that start together.
/// </summary>
public sealed class Migrator
{
    internal const string HistorySql =
        """
        select number, name, hash, applied_at from vox_private.migrations order by number
        """;

    private const string CreateHistory =
        """
        create schema if not exists vox_private;
        create table if not exists vox_private.migrations (
          number integer not null,
          name text not null,
          hash text not null,
          applied_at timestamptz not null default now(),
          constraint migrations_pkey primary key (number)
        );
        alter table vox_private.migrations enable row level security;
        comment on table vox_private.migrations is 'Which migrations this database has had, with the SHA-256 of each file.';
        """;

    private const string HistoryExists = "select to_regclass('vox_private.migrations') is not null";

    // Any constant will do, as long as nobody else in the database takes it.
    private const string TakeTurns = "select pg_advisory_xact_lock(7246130001)";

    private readonly Database database;

    /// <summary>The migrations that this version carries, applied to a database.</summary>
    public Migrator(Database database)
        : this(database, Shipped())
    {
    }

    /// <summary>For tests: other migrations than those shipped.</summary>
    internal Migrator(Database database, IReadOnlyList<Migration> migrations) => (this.database, Migrations) = (database, migrations);

    /// <summary>What this version knows, in order.</summary>
    public IReadOnlyList<Migration> Migrations { get; }

    /// <summary>Applies what is missing. Returns the names applied, none when the schema is current.</summary>
    /// <exception cref="VoxbaseException"><c>migration_changed</c>, <c>schema_newer</c>, <c>postgres_too_old</c>, <c>migration_failed</c>.</exception>
    public async Task<IReadOnlyList<string>> ApplyAsync(CancellationToken cancellationToken = default)
    {
        await using var connection = await database.OpenWithoutCallerAsync(cancellationToken);
        RequireSupported(connection.PostgreSqlVersion);
        var applied = new List<string>();
        try
        {
            while (await ApplyNextAsync(connection, cancellationToken) is { } name)
                applied.Add(name);
            // Whoever serves the schema, in this process or another, reads it anew.
            if (applied.Count > 0)
                await ExecuteAsync(connection, "notify pgrst, 'reload schema'", cancellationToken);
        }
        finally
        {
            // Prepared statements and cached types know the schema as it was.
            await connection.ReloadTypesAsync(cancellationToken);
        }

        return applied;
    }

    /// <summary>Every migration known, and when this database had it.</summary>
    /// <exception cref="VoxbaseException"><c>migration_changed</c>, <c>schema_newer</c>.</exception>
    public async Task<IReadOnlyList<MigrationStatus>> StatusAsync(CancellationToken cancellationToken = default)
    {
        await using var connection = await database.OpenWithoutCallerAsync(cancellationToken);
        var history = await HistoryAsync(connection, cancellationToken);
        return [.. Migrations.Select(m => new MigrationStatus(m.Name, history.TryGetValue(m.Number, out var at) ? at : null))];
    }

    internal static void RequireSupported(Version server)
    {
        if (server.Major < 15)
            throw MigrationErrors.ServerTooOld.With($"The server is PostgreSQL {server}.");
    }

    private async Task<string?> ApplyNextAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await ExecuteAsync(connection, TakeTurns, cancellationToken);
        var history = await HistoryAsync(connection, cancellationToken);
        var next = Migrations.FirstOrDefault(m => !history.ContainsKey(m.Number));
        if (next is null)
            return null;
        try
        {
            if (history.Count == 0)
                await ExecuteAsync(connection, CreateHistory, cancellationToken);
            await ExecuteAsync(connection, next.Sql, cancellationToken);
            await using var record = new NpgsqlCommand(
                "insert into vox_private.migrations (number, name, hash) values ($1, $2, $3)", connection)
            {
                Parameters = { Parameter.Integer(next.Number), Parameter.Text(next.Name), Parameter.Text(next.Hash) },
            };
            await record.ExecuteNonQueryAsync(cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }
        catch (PostgresException e)
        {
            throw MigrationErrors.Failed.With($"{next.Name}: {e.MessageText} ({e.SqlState})", e.Where, e);
        }

        return next.Name;
    }

    private async Task<Dictionary<int, DateTimeOffset>> HistoryAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var applied = new Dictionary<int, DateTimeOffset>();
        await using var exists = new NpgsqlCommand(HistoryExists, connection);
        if (await exists.ExecuteScalarAsync(cancellationToken) is not true)
            return applied;
        var known = Migrations.ToDictionary(m => m.Number);
        await using var read = new NpgsqlCommand(HistorySql, connection);
        await using var rows = await read.ExecuteReaderAsync(cancellationToken);
        while (await rows.ReadAsync(cancellationToken))
        {
            var (number, name, hash) = (rows.GetInt32(0), rows.GetString(1), rows.GetString(2));
            if (!known.TryGetValue(number, out var migration))
                throw MigrationErrors.SchemaNewer.With($"The database has {name}; this version knows {Migrations[^1].Name} as its last.");
            if (migration.Hash != hash)
                throw MigrationErrors.HistoryChanged.With($"{name} was applied with another text than this version's.");
            applied.Add(number, new DateTimeOffset(rows.GetDateTime(3), TimeSpan.Zero));
        }

        return applied;
    }

    // A file is many statements: the simple protocol takes them as one, so no parameters and nothing prepared.
    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static List<Migration> Shipped()
    {
        const string prefix = "Voxbase.Migrations.";
        var assembly = typeof(Migrator).Assembly;
        return
        [
            .. assembly.GetManifestResourceNames()
                .Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
                .Order(StringComparer.Ordinal)
                .Select(name => Read(assembly, name, name[prefix.Length..^".sql".Length])),
        ];
    }

    private static Migration Read(Assembly assembly, string resource, string name)
    {
        using var stream = assembly.GetManifestResourceStream(resource)!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return Of(name, reader.ReadToEnd());
    }

    /// <summary>A migration of this name and text.</summary>
    internal static Migration Of(string name, string sql)
    {
        var text = sql.ReplaceLineEndings("\n");
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
        return new Migration(int.Parse(name.AsSpan(0, 4), CultureInfo.InvariantCulture), name, text, hash);
    }
}
