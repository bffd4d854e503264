using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Voxbase.Data;

/// <summary>
/// The generated passwords of the embedded server's two roles, kept in <c>passwords.json</c> with mode 0600. A class and not a record, so
/// that nothing prints them by accident.
/// </summary>
internal sealed class PostgresPasswords
{
    private const int Iterations = 4096;

    public required string Superuser { get; init; }

    public required string Application { get; init; }

    /// <summary>
    /// Reads the file, or writes a new one when <paramref name="mayCreate"/>: passwords come before the data directory that they open, never after.
    /// </summary>
    public static PostgresPasswords ReadOrCreate(string path, bool mayCreate)
    {
        if (File.Exists(path))
        {
            try
            {
                if (JsonSerializer.Deserialize<PostgresPasswords>(File.ReadAllBytes(path)) is { Superuser.Length: > 0, Application.Length: > 0 } kept)
                    return kept;
            }
            catch (JsonException)
            {
                // Answered below, without the text: it may hold a password.
            }

            throw EmbeddedPostgresErrors.PasswordsLost.With($"{path} is damaged");
        }

        if (!mayCreate)
            throw EmbeddedPostgresErrors.PasswordsLost.With($"{path} is missing, although there is a data directory beside it");

        var made = new PostgresPasswords { Superuser = Generate(), Application = Generate() };
        WritePrivately(path, JsonSerializer.SerializeToUtf8Bytes(made));
        return made;
    }

    /// <summary>Replaces a file by a new one that its owner alone can read, on disk before it has its name.</summary>
    public static void WritePrivately(string path, byte[] content)
    {
        var temporary = path + ".tmp";
        File.Delete(temporary);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var file = new FileStream(temporary, options))
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>What PostgreSQL stores for a password (RFC 5803), so that the password itself is never part of a statement.</summary>
    public static string Verifier(string password) => Verifier(password, RandomNumberGenerator.GetBytes(16), Iterations);

    /// <summary>Whether a stored verifier is one of this password.</summary>
    public static bool Fits(string password, string? verifier)
    {
        // SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>
        if (verifier?.Split('$', ':') is not ["SCRAM-SHA-256", var iterations, var salt, _, _])
            return false;
        var expected = Verifier(password, Convert.FromBase64String(salt), int.Parse(iterations));
        return CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(expected), Encoding.ASCII.GetBytes(verifier));
    }

    private static string Verifier(string password, byte[] salt, int iterations)
    {
        var salted = Rfc2898DeriveBytes.Pbkdf2(password, salt, iterations, HashAlgorithmName.SHA256, 32);
        var stored = SHA256.HashData(HMACSHA256.HashData(salted, "Client Key"u8));
        var server = HMACSHA256.HashData(salted, "Server Key"u8);
        return $"SCRAM-SHA-256${iterations}:{Convert.ToBase64String(salt)}${Convert.ToBase64String(stored)}:{Convert.ToBase64String(server)}";
    }

    private static string Generate() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
}
