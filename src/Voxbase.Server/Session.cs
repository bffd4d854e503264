using Voxbase.Data;
using Voxbase.Server.Configuration;
using Voxbase.Server.Terminal;

namespace Voxbase.Server;

/// <summary>Whether opening a database may change its schema.</summary>
internal enum SchemaUpdate
{
    /// <summary>Never.</summary>
    None,

    /// <summary>The embedded database always; one of the user's own only when it is empty, as other servers may be using it.</summary>
    WhereOurs,

    /// <summary>Always, unless the option MigrateAtStart says no.</summary>
    Always,
}

/// <summary>
/// A database for the time of one command: the user's own, or the embedded one, joined when it runs and started when it doesn't, and
/// then stopped at the end.
/// </summary>
internal sealed class Session : IAsyncDisposable
{
    private readonly ServiceProvider services;

    private Session(Settings settings, EmbeddedPostgres? postgres, ServiceProvider services) =>
        (Settings, Postgres, this.services) = (settings, postgres, services);

    /// <summary>What is in force.</summary>
    public Settings Settings { get; }

    /// <summary>The embedded server; null for one of the user's own.</summary>
    public EmbeddedPostgres? Postgres { get; }

    /// <summary>A subject of the library.</summary>
    public T Get<T>()
        where T : notnull => services.GetRequiredService<T>();

    /// <summary>The user with this address.</summary>
    /// <exception cref="VoxbaseException"><c>user_not_found</c>.</exception>
    public async Task<User> UserAsync(string email, CancellationToken cancellationToken) =>
        await Get<Users>().FindAsServiceAsync(email, cancellationToken) ?? throw IdentityErrors.UserNotFound.With($"There is no user {email}.");

    /// <summary>Opens the database that the settings name.</summary>
    public static async Task<Session> OpenAsync(Settings settings, SchemaUpdate update, Output output, CancellationToken cancellationToken)
    {
        var postgres = settings.HasOwnDatabase
            ? null
            : await EmbeddedPostgres.StartAsync(settings.Embedded, new TerminalLogger(output), cancellationToken);
        try
        {
            settings.Voxbase.Database ??= postgres?.ConnectionString;
            var session = new Session(settings, postgres, Services(settings));
            await session.UpdateSchemaAsync(update, cancellationToken);
            return session;
        }
        catch
        {
            if (postgres is not null)
                await postgres.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await services.DisposeAsync();
        if (Postgres is not null)
            await Postgres.DisposeAsync();
    }

    private static ServiceProvider Services(Settings settings)
    {
        var services = new ServiceCollection();
        services.AddLogging();
        services.AddVoxbase(settings.Configure);
        return services.BuildServiceProvider();
    }

    private async Task UpdateSchemaAsync(SchemaUpdate update, CancellationToken cancellationToken)
    {
        if (update == SchemaUpdate.None)
            return;
        var migrator = Get<Migrator>();
        var known = await migrator.StatusAsync(cancellationToken);
        var missing = known.Count(migration => migration.AppliedAt is null);
        if (missing == 0)
            return;
        if (Postgres is not null || missing == known.Count || (update == SchemaUpdate.Always && Settings.Voxbase.MigrateAtStart))
            await migrator.ApplyAsync(cancellationToken);
        else
            throw ServerErrors.SchemaBehind.With($"The database {Get<Database>().Target} lacks {missing} of {known.Count} migrations.");
    }
}
