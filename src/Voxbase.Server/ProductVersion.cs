using System.Reflection;
using System.Runtime.InteropServices;

namespace Voxbase.Server;

/// <summary>Which Voxbase this is.</summary>
/// <param name="Version">For example 0.1.0.</param>
/// <param name="Commit">The commit it was built from, where that is known.</param>
/// <param name="Runtime">The .NET that runs it.</param>
internal sealed record ProductVersion(string Version, string? Commit, string Runtime)
{
    public static ProductVersion Current
    {
        get
        {
            var text = typeof(ProductVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0";
            var parts = text.Split('+', 2);
            return new ProductVersion(parts[0], parts.Length > 1 ? parts[1] : null, RuntimeInformation.FrameworkDescription);
        }
    }

    /// <summary>On one line.</summary>
    public string Text => Commit is null ? $"voxbase {Version}" : $"voxbase {Version} ({Commit[..Math.Min(10, Commit.Length)]})";
}
