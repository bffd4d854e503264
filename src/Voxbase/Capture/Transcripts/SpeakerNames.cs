using System.Buffers;
using System.Globalization;

namespace Voxbase.Capture;

/// <summary>Who speaks, as far as a line of text tells; and on which side.</summary>
internal static class SpeakerNames
{
    // Longer, and it is a sentence with a colon in it.
    private const int MaxLength = 64;
    private const int MaxWords = 6;

    private static readonly SearchValues<char> Colons = SearchValues.Create(":：");

    private static readonly HashSet<string> Particles = new(StringComparer.Ordinal)
    {
        "al", "bin", "da", "das", "de", "del", "den", "der", "des", "di", "do", "dos", "du", "el", "la", "le", "of", "the", "van", "von", "y", "zu",
    };

    private static readonly HashSet<string> AssistantWords = new(StringComparer.OrdinalIgnoreCase)
    {
        "agent", "assistant", "bot", "chatbot", "voicebot", "ai",
    };

    /// <summary>Takes a text like <c>Ada Lovelace: good morning</c> apart.</summary>
    public static bool TrySplit(ReadOnlySpan<char> line, out string speaker, out ReadOnlySpan<char> text)
    {
        line = WithoutMarkers(line);
        var colon = line[..Math.Min(line.Length, MaxLength + 1)].IndexOfAny(Colons);
        if (colon > 0 && (line[colon] == '：' || colon + 1 == line.Length || char.IsWhiteSpace(line[colon + 1])) && IsName(line[..colon].Trim()))
        {
            speaker = line[..colon].Trim().ToString();
            text = line[(colon + 1)..].Trim();
            return true;
        }

        speaker = "";
        text = line;
        return false;
    }

    /// <summary>Captions mark a new speaker with <c>>></c> or a dash.</summary>
    public static ReadOnlySpan<char> WithoutMarkers(ReadOnlySpan<char> line)
    {
        line = line.Trim();
        var marker = line.IndexOfAnyExcept(">-–—");
        return marker > 0 && (line[0] == '>' || line[marker] == ' ') ? line[marker..].TrimStart() : line;
    }

    /// <summary>Whether it may be somebody's name, and not the beginning of a sentence.</summary>
    public static bool IsName(ReadOnlySpan<char> name)
    {
        if (name.Length is 0 or > MaxLength)
            return false;
        var (letters, commas) = (0, 0);
        foreach (var c in name)
        {
            if (char.IsLetter(c) || char.IsSurrogate(c))
                letters++;
            else if (c == ',')
                commas++;
            else if (!char.IsDigit(c) && !" .'’-_&/()@#+".Contains(c, StringComparison.Ordinal)
                && CharUnicodeInfo.GetUnicodeCategory(c) is not (UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark))
                return false;
        }

        if (letters == 0 || commas > 1)
            return false;
        var words = 0;
        var lower = 0;
        foreach (var range in name.Split(' '))
        {
            var word = name[range];
            if (word.IsEmpty)
                continue;
            words++;
            if (char.IsLower(word[0]) && !Particles.Contains(word.ToString()))
                lower++;
        }

        // "agent:" is a name; "and then she said:" is not.
        return words <= MaxWords && (lower == 0 || (words == 1 && commas == 0));
    }

    /// <summary>
    /// Whose turn it is. The names given as the assistant's decide alone; without any, a role that the file names, or a name with a word
    /// such as agent, assistant or bot.
    /// </summary>
    public static TurnRole RoleOf(string? speaker, string? role, IReadOnlyList<string> assistants)
    {
        if (assistants.Count > 0)
            return speaker is not null && assistants.Contains(speaker, StringComparer.OrdinalIgnoreCase) ? TurnRole.Assistant : TurnRole.User;
        return Known(role) ?? Known(speaker) ?? (speaker is not null && HasAssistantWord(speaker) ? TurnRole.Assistant : TurnRole.User);

        static TurnRole? Known(string? name) => name?.ToLowerInvariant() switch
        {
            "assistant" or "model" => TurnRole.Assistant,
            "user" or "human" => TurnRole.User,
            "system" => TurnRole.System,
            "tool" or "function" => TurnRole.Tool,
            _ => null,
        };

        static bool HasAssistantWord(string name) =>
            name.Split([' ', '_', '-', '.', '/', '(', ')'], StringSplitOptions.RemoveEmptyEntries).Any(AssistantWords.Contains);
    }
}
