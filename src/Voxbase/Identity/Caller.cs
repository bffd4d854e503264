using System.Text.Json;
using System.Text.Json.Nodes;

namespace Voxbase;

/// <summary>
/// Who is asking: the database role and the claims under which a piece of work runs. PostgreSQL's policies decide with them what
/// the work may see and change. Two callers with equal role and claims are equal.
/// </summary>
public sealed record Caller
{
    /// <summary>Role of a request without a user. Sees nothing.</summary>
    public const string AnonymousRole = "anon";

    /// <summary>Role of a signed-in user: own rows, rows of conversations taken part in; everything when the user is an admin.</summary>
    public const string UserRole = "authenticated";

    /// <summary>Role of a trusted program. Policies let it see and write every row.</summary>
    public const string ServiceRole = "service_role";

    private Caller(string role, Guid? userId, string claims, string? key = null)
    {
        (Role, UserId, Claims) = (role, userId, claims);
        Key = key ?? (role == UserRole ? userId.ToString()! : role);
    }

    /// <summary>The database role: <c>anon</c>, <c>authenticated</c> or <c>service_role</c>.</summary>
    public string Role { get; }

    /// <summary>The user, or null for <c>anon</c> and for the service.</summary>
    public Guid? UserId { get; }

    /// <summary>The claims as a JSON object; what <c>auth.jwt()</c> returns.</summary>
    public string Claims { get; }

    /// <summary>A request without a user.</summary>
    public static Caller Anonymous { get; } = new(AnonymousRole, null, """{"role":"anon"}""");

    /// <summary>A trusted program. Its work passes every policy, so never hand it to code that serves a user's wish unchecked.</summary>
    public static Caller Service { get; } = new(ServiceRole, null, """{"role":"service_role"}""");

    /// <summary>A user. <paramref name="email"/> names the user when this is the first that the database hears of them.</summary>
    public static Caller User(Guid userId, string? email = null)
    {
        var claims = new JsonObject { ["sub"] = userId.ToString(), ["role"] = UserRole };
        if (email is not null)
            claims["email"] = email;
        return new Caller(UserRole, userId, claims.ToJsonString());
    }

    /// <summary>
    /// The caller that verified token claims name. <paramref name="claims"/> must be a JSON object whose <c>role</c> is one of the
    /// three roles; <c>authenticated</c> needs a <c>sub</c> that is a UUID.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>token_claims_invalid</c> when a claim is missing or of the wrong form.</exception>
    public static Caller FromClaims(JsonElement claims)
    {
        var role = Text(claims, "role") ?? throw IdentityErrors.ClaimsInvalid.With("The token has no claim 'role'.");
        if (role is not (AnonymousRole or UserRole or ServiceRole))
            throw IdentityErrors.ClaimsInvalid.With($"The token's role '{role}' is none of anon, authenticated and service_role.");
        var subject = Text(claims, "sub");
        if (subject is null && role != UserRole)
            return new Caller(role, null, claims.GetRawText());
        // Only the form that PostgreSQL reads too: with another, every statement of this caller would fail.
        if (subject is not { Length: 36 } || !Guid.TryParseExact(subject, "D", out var userId))
            throw IdentityErrors.ClaimsInvalid.With("The token's 'sub' is not a UUID.");
        return new Caller(role, userId, claims.GetRawText());
    }

    /// <summary>Whether policies let this caller see every row.</summary>
    public bool IsService => Role == ServiceRole;

    /// <summary>
    /// The same caller in the database role that the library appends turns as: its policies ask for <see cref="Key"/>, and it alone
    /// may add to a conversation's totals. No token can name it.
    /// </summary>
    // The writer's policies do not ask for a role, and an anonymous token may well name a subject: it stays what it is.
    internal Caller AsWriter() => IsWriter ? new("vox_writer", UserId, Claims, Key) : this;

    internal bool IsWriter => Role != AnonymousRole;

    /// <summary>What policies of the library's own role compare with: the user's id, or the role of a caller without one.</summary>
    internal string Key { get; }

    /// <summary>The role and the user; never the claims, which may hold personal data.</summary>
    public override string ToString() => UserId is null ? Role : $"{Role} {UserId}";

    private static string? Text(JsonElement claims, string name) =>
        claims.ValueKind == JsonValueKind.Object && claims.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;
}
