using System.Security.Cryptography;
using System.Text;

namespace Voxbase.Capture;

/// <summary>
/// The item by which the oldest turns of a provider's context are replaced: a system message whose id tells what it is, so that whoever
/// reads the log, now or later, knows the summary from what was said.
/// </summary>
public static class ContextSummary
{
    private const string Prefix = "voxsum_";
    private const string Preface = "Summary of the conversation so far:\n";

    /// <summary>Whether an item is a summary.</summary>
    public static bool IsSummary(string itemId) => itemId.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>The id of the summary that a response's usage asked for: at most 32 characters, which is what the provider takes.</summary>
    internal static string IdFor(string responseId) => Prefix + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(responseId)))[..24];

    internal static string ItemText(string summary) => Preface + summary;

    internal static string? TextOf(string itemText) => itemText.StartsWith(Preface, StringComparison.Ordinal) ? itemText[Preface.Length..] : null;
}

/// <summary>An item of the model's context.</summary>
/// <param name="Id">The provider's id.</param>
/// <param name="Role">Of a turn, who spoke; null for what is no turn.</param>
/// <param name="Text">Of a turn, what was heard of it.</param>
/// <param name="Tool">Of a tool's call, the tool.</param>
internal sealed record ContextItem(string Id, string? Role, string? Text, string? Tool);
