using Npgsql;
using Voxbase.Data;

namespace Voxbase;

/// <summary>A user as the service sees one.</summary>
/// <param name="Id">The subject of the user's tokens.</param>
/// <param name="Email">Null for users known only by their token.</param>
/// <param name="Role"><c>user</c> or <c>admin</c>.</param>
/// <param name="Tier"><c>free</c>, <c>pro</c> or <c>enterprise</c>.</param>
public sealed record User(Guid Id, string? Email, string Role, string Tier);

/// <summary>The people and programs that own conversations.</summary>
public sealed class Users(Database database)
{
    internal const string EnsureSql =
        """
        insert into vox.users (id, email) values ($1, $2)
        on conflict (lower(email)) do nothing
        """;

    internal const string FindByEmailSql =
        """
        select id, email, role::text, tier::text
        from vox.users
        where lower(email) = lower($1) and deleted_at is null
        """;

    internal const string SetRoleSql =
        """
        update vox.users set role = $2::vox.user_role where id = $1 and deleted_at is null
        """;

    /// <summary>
    /// The user with this address, made when there is none. Runs as the service; idempotent, and exact when many call it at once.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>email_invalid</c>.</exception>
    public async Task<User> EnsureAsServiceAsync(string email, CancellationToken cancellationToken = default)
    {
        if (email.Length > 320 || email.AsSpan().Count('@') != 1 || email[0] == '@' || email[^1] == '@' || email.Any(char.IsWhiteSpace))
            throw IdentityErrors.EmailInvalid.With($"'{email}' is not an e-mail address.");
        return await database.RunAsync(
            Caller.Service,
            [
                new Statement(EnsureSql, Parameter.Uuid(Guid.CreateVersion7()), Parameter.Text(email)),
                new Statement(FindByEmailSql, Parameter.Text(email)),
            ],
            static async (results, ct) =>
            {
                await results.ReadAsync(ct);
                return Read(results);
            },
            cancellationToken);
    }

    /// <summary>The user with this address, or null. Runs as the service.</summary>
    public Task<User?> FindAsServiceAsync(string email, CancellationToken cancellationToken = default) =>
        database.RunAsync(
            Caller.Service,
            [new Statement(FindByEmailSql, Parameter.Text(email))],
            static async (results, ct) => await results.ReadAsync(ct) ? Read(results) : null,
            cancellationToken);

    /// <summary>Makes a user an admin, or an ordinary user again. Runs as the service.</summary>
    /// <exception cref="VoxbaseException"><c>user_not_found</c>.</exception>
    public async Task SetRoleAsServiceAsync(Guid userId, bool isAdmin, CancellationToken cancellationToken = default)
    {
        var changed = await database.RunAsync(
            Caller.Service,
            [new Statement(SetRoleSql, Parameter.Uuid(userId), Parameter.Text(isAdmin ? "admin" : "user"))],
            static (results, _) => Task.FromResult(results.RecordsAffected),
            cancellationToken);
        if (changed == 0)
            throw IdentityErrors.UserNotFound.With($"There is no user {userId}.");
    }

    private static User Read(NpgsqlDataReader row) =>
        new(row.GetGuid(0), row.IsDBNull(1) ? null : row.GetString(1), row.GetString(2), row.GetString(3));
}
