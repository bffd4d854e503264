using System.Globalization;
using System.Text;

namespace Voxbase.Server.Terminal;

/// <summary>
/// Words of others, made safe for a terminal: control and direction-changing characters could move the cursor, change the title or
/// make one text look like another.
/// </summary>
internal static class Plain
{
    /// <summary>On one line.</summary>
    public static string Text(string? text) => Clean(text, keepLines: false);

    /// <summary>With its line breaks.</summary>
    public static string Lines(string? text) => Clean(text, keepLines: true);

    /// <summary>On one line, cut to so many characters.</summary>
    public static string Cut(string? text, int length, string ellipsis)
    {
        var clean = Text(text);
        return clean.Length <= length ? clean : string.Concat(clean.AsSpan(0, length - ellipsis.Length).TrimEnd(), ellipsis);
    }

    private static string Clean(string? text, bool keepLines)
    {
        if (string.IsNullOrEmpty(text))
            return "";
        var clean = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            if (rune.Value == '\n' && keepLines)
                clean.Append('\n');
            else if (rune.Value is '\n' or '\r' or '\t')
                clean.Append(' ');
            else if (Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Surrogate or UnicodeCategory.Format)
                || rune.Value is 0x200C or 0x200D)
                clean.Append(rune.ToString());
        }

        return clean.ToString();
    }
}
