using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Voxbase.Data;

namespace Voxbase;

/// <summary>
/// The server's own secret and the two keys made with it: one for clients that nobody has signed in to (<c>anon</c>), one for
/// trusted programs (<c>service_role</c>). A class and not a record, so that nothing prints them by accident.
/// </summary>
public sealed class ServerKeys
{
    /// <summary>The variable whose secret is used instead of the one in the home.</summary>
    public const string SecretVariable = "VOXBASE_JWT_SECRET";

    private const string FileName = "keys.json";

    private const int LockTimeoutMs = 10_000;

    private ServerKeys(string secret, DateTimeOffset issuedAt, TokensOptions? options)
    {
        Secret = secret;
        var signing = new TokensOptions { Secret = secret, Audience = options?.Audience, Issuer = options?.Issuer };
        AnonKey = Key(Caller.AnonymousRole);
        ServiceRoleKey = Key(Caller.ServiceRole);
        var opaque = new ApiKeys(secret);
        (PublishableKey, SecretKey) = (opaque.Publishable, opaque.Secret);

        string Key(string role) =>
            Tokens.Mint(signing, role, userId: null, email: null, issuedAt, issuedAt.AddYears(10) - issuedAt, extraClaims: null);
    }

    /// <summary>What tokens are signed with (<see cref="TokensOptions.Secret"/>). Whoever knows it can be anybody.</summary>
    public string Secret { get; }

    /// <summary>A token of the role <c>anon</c>, good for ten years. May be given to every browser.</summary>
    public string AnonKey { get; }

    /// <summary>A token of the role <c>service_role</c>, good for ten years. It passes every policy: for servers only.</summary>
    public string ServiceRoleKey { get; }

    /// <summary>The same as <see cref="AnonKey"/> in the short form that Supabase's clients know: <c>sb_publishable_…</c>.</summary>
    public string PublishableKey { get; }

    /// <summary>The same as <see cref="ServiceRoleKey"/> in the short form that Supabase's clients know: <c>sb_secret_…</c>. For servers only.</summary>
    public string SecretKey { get; }

    /// <summary>
    /// The keys of this installation. The secret is that of <c>VOXBASE_JWT_SECRET</c>; else that of <c>keys.json</c> in the home, made at
    /// the first start and readable by its owner alone. However many processes start at once, all get the same one.
    /// </summary>
    /// <param name="home">The folder of <see cref="EmbeddedPostgresOptions.Home"/>; null for the default one.</param>
    /// <param name="options">Whose audience and issuer the keys carry, so that they pass where these are asked.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="VoxbaseException"><c>jwt_secret_too_short</c>, <c>keys_file_unusable</c>.</exception>
    public static ServerKeys ReadOrCreate(string? home = null, TokensOptions? options = null, TimeProvider? time = null) =>
        ReadOrCreate(home, Environment.GetEnvironmentVariable(SecretVariable), options, time ?? TimeProvider.System);

    internal static ServerKeys ReadOrCreate(string? home, string? secretVariable, TokensOptions? options, TimeProvider time)
    {
        if (!string.IsNullOrEmpty(secretVariable))
        {
            var length = Encoding.UTF8.GetByteCount(secretVariable);
            if (length < Tokens.MinSecretBytes)
                throw TokenErrors.SecretTooShort.With($"The secret in {SecretVariable} has {length} bytes; it needs {Tokens.MinSecretBytes}.");
            // Nothing is stored, so the keys are those of the year: every start of it prints the same ones.
            return new ServerKeys(secretVariable, new DateTimeOffset(time.GetUtcNow().Year, 1, 1, 0, 0, 0, TimeSpan.Zero), options);
        }

        var folder = new EmbeddedPostgresOptions { Home = home }.ResolveHome();
        var path = Path.Combine(folder, FileName);
        try
        {
            MakeFolder(folder);
            var stored = Read(path) ?? CreateOnce(path, time.GetUtcNow());
            return new ServerKeys(stored.Secret, stored.CreatedAt, options);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw TokenErrors.KeysFileUnusable.With($"{path} cannot be read or written.", e.Message, e);
        }
    }

    private static void MakeFolder(string folder)
    {
        const UnixFileMode ownerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        if (Directory.Exists(folder))
            return;
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(folder);
        else
            // The same as the embedded server makes it: as root, its unprivileged account must be able to pass through.
            Directory.CreateDirectory(folder, HostCommand.IsRoot ? ownerOnly | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute : ownerOnly);
    }

    private static Stored? Read(string path)
    {
        byte[] json;
        try
        {
            json = File.ReadAllBytes(path);
        }
        catch (FileNotFoundException)
        {
            return null;
        }

        try
        {
            using var document = JsonDocument.Parse(json);
            var (secret, createdAt) = (document.RootElement.GetProperty("jwt_secret").GetString(), document.RootElement.GetProperty("created_at").GetDateTimeOffset());
            if (secret is not null && Encoding.UTF8.GetByteCount(secret) >= Tokens.MinSecretBytes)
                return new Stored(secret, createdAt);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            // Answered below, without the text: it may hold a secret.
        }

        throw TokenErrors.KeysFileUnusable.With($"{path} is damaged.");
    }

    // One maker at a time: a move that does not replace looks first and moves then, so two could both find nothing.
    private static Stored CreateOnce(string path, DateTimeOffset now)
    {
        var until = Environment.TickCount64 + LockTimeoutMs;
        while (true)
        {
            try
            {
                using var turn = new FileStream(path + ".lock", FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
                return Read(path) ?? Create(path, now);
            }
            catch (IOException) when (!File.Exists(path) && Environment.TickCount64 < until)
            {
                Thread.Sleep(5);
            }
            catch (IOException) when (File.Exists(path))
            {
                return Read(path)!;
            }
        }
    }

    private static Stored Create(string path, DateTimeOffset now)
    {
        var made = new Stored(Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(48)), DateTimeOffset.FromUnixTimeSeconds(now.ToUnixTimeSeconds()));
        var temporary = $"{path}.{Path.GetRandomFileName()}.tmp";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        try
        {
            using (var file = new FileStream(temporary, options))
            {
                file.Write(Encoding.UTF8.GetBytes(
                    $$"""{"jwt_secret":"{{made.Secret}}","created_at":"{{made.CreatedAt.ToString("O", CultureInfo.InvariantCulture)}}"}"""));
                file.Flush(flushToDisk: true);
            }

            // Whole or not at all.
            File.Move(temporary, path, overwrite: false);
            return made;
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private sealed record Stored(string Secret, DateTimeOffset CreatedAt)
    {
        public override string ToString() => nameof(Stored);
    }
}
