using System.CommandLine;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase token</c>: a signed token to call the server with.</summary>
internal static class TokenCommand
{
    public static Command Create(Shell shell)
    {
        var user = new Option<string?>("--user") { Description = "Whose token; the user is made when there is none", HelpName = "email" };
        var role = new Option<string>("--role") { Description = "The database role that the token stands for", DefaultValueFactory = _ => Caller.UserRole };
        role.AcceptOnlyFromAmong(Caller.UserRole, Caller.ServiceRole, Caller.AnonymousRole);
        var expires = Arguments.Duration("--expires", "How long it holds: 90s, 30m, 1h (default), 7d");
        var admin = new Option<bool>("--admin") { Description = "Make the user an administrator, who sees and changes everyone's" };
        var command = new Command("token", "Print a signed token for a user or a role.") { user, role, expires, admin, shell.Json };
        command.Validators.Add(result =>
        {
            // By what was given: values, and defaults, are there only when all of it is right.
            var needsUser = result.GetResult(role) is not { Tokens: [{ Value: not Caller.UserRole }] };
            if (needsUser && result.GetResult(user) is null)
                result.AddError("--user is needed for a token of the role authenticated.");
            if (!needsUser && (result.GetResult(user) ?? result.GetResult(admin)) is not null)
                result.AddError("--user and --admin go with the role authenticated only.");
        });
        command.SetAction(async (parsed, ct) =>
        {
            var owner = parsed.GetValue(user) is { } email ? await EnsureUserAsync(shell, parsed, email, parsed.GetValue(admin), ct) : null;
            var settings = shell.SettingsOf(parsed);
            settings.Voxbase.Tokens.Secret = ServerKeys.ReadOrCreate(settings.Home, settings.Voxbase.Tokens).Secret;
            using var tokens = new Tokens(settings.Voxbase, TimeProvider.System);
            var lifetime = parsed.GetValue(expires) ?? TimeSpan.FromHours(1);
            var token = tokens.Mint(parsed.GetValue(role)!, owner?.Id, owner?.Email, lifetime);
            if (parsed.GetValue(shell.Json))
                Output.WriteJson(new { Token = token, Role = parsed.GetValue(role), UserId = owner?.Id, owner?.Email, ExpiresAt = DateTimeOffset.UtcNow + lifetime });
            else
                Console.Out.WriteLine(token);
            return 0;
        });
        return shell.WithExamples(
            command,
            "voxbase token --user ada@example.org",
            """curl -H "Authorization: Bearer $(voxbase token --user ada@example.org)" http://127.0.0.1:8700/v1/conversations""",
            "voxbase token --role service_role --expires 7d");
    }

    private static async Task<User> EnsureUserAsync(Shell shell, ParseResult parsed, string email, bool isAdmin, CancellationToken cancellationToken)
    {
        User? made = null;
        await shell.WithDatabaseAsync(
            parsed,
            async session =>
            {
                var users = session.Get<Users>();
                made = await users.EnsureAsServiceAsync(email, cancellationToken);
                if (isAdmin)
                    await users.SetRoleAsServiceAsync(made.Id, isAdmin: true, cancellationToken);
                return 0;
            },
            cancellationToken);
        return made!;
    }
}
