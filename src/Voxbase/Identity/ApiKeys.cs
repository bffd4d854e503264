using System.Buffers.Text;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Voxbase;

/// <summary>
/// The short keys that Supabase's newer clients send in place of tokens, made of the server's secret: they end when it changes, and
/// nothing has to be stored.
/// </summary>
internal sealed class ApiKeys(string secret)
{
    /// <summary>How every such key begins.</summary>
    public const string Prefix = "sb_";

    /// <summary>Of a client that nobody has signed in to.</summary>
    public string Publishable { get; } = "sb_publishable_" + Derive(secret, "voxbase publishable key");

    /// <summary>Of a trusted program.</summary>
    public string Secret { get; } = "sb_secret_" + Derive(secret, "voxbase secret key");

    /// <summary>Who bears a key, or null when it is none of these.</summary>
    public Caller? Find(ReadOnlySpan<char> key) => Is(key, Publishable) ? Caller.Anonymous : Is(key, Secret) ? Caller.Service : null;

    private static bool Is(ReadOnlySpan<char> key, string own) =>
        CryptographicOperations.FixedTimeEquals(MemoryMarshal.AsBytes(key), MemoryMarshal.AsBytes(own.AsSpan()));

    private static string Derive(string secret, string use) =>
        Base64Url.EncodeToString(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(use)));
}
