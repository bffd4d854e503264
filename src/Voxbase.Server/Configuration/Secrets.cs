using System.Text.RegularExpressions;

namespace Voxbase.Server.Configuration;

/// <summary>What must not be shown.</summary>
internal static partial class Secrets
{
    public const string Mask = "••••••";

    /// <summary>Whether a setting of this name holds a secret.</summary>
    public static bool IsSecret(string name) =>
        name.Contains("Secret", StringComparison.OrdinalIgnoreCase) || name.Contains("Password", StringComparison.OrdinalIgnoreCase)
        || name.EndsWith("Key", StringComparison.OrdinalIgnoreCase);

    /// <summary>A connection string without its passwords, whatever its form and however broken.</summary>
    public static string MaskConnection(string connection) =>
        Keyword().Replace(UserInfo().Replace(connection, $"$1{Mask}@"), $"$1{Mask}");

    // Greedy: a password may itself hold an @.
    [GeneratedRegex(@"^(\w+://[^:/?#]*:).*@")]
    private static partial Regex UserInfo();

    [GeneratedRegex("""((?:password|passphrase|pwd)\s*=\s*)("[^"]*"|'[^']*'|[^;&]*)""", RegexOptions.IgnoreCase)]
    private static partial Regex Keyword();
}
