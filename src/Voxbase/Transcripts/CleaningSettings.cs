using System.Text.Json;

namespace Voxbase.Cleaning;

/// <summary>What cleans.</summary>
public enum CleaningEngine
{
    /// <summary>Rules alone: offline, the same every time.</summary>
    Deterministic,

    /// <summary>Rules, and a language model where they leave something open.</summary>
    Llm,
}

/// <summary>How a conversation is to be cleaned as its turns come: what its preferences hold under <c>cleaning</c>.</summary>
public sealed record CleaningPreferences
{
    /// <summary>Whether it is; true when left out.</summary>
    public bool? Enabled { get; init; }

    /// <summary>What cleans; the installation's when left out.</summary>
    public CleaningEngine? Engine { get; init; }

    /// <summary>How much may change; the installation's when left out.</summary>
    public CleaningLevel? Level { get; init; }

    /// <summary>Who speaks to whom; the installation's when left out.</summary>
    public CleaningMode? Mode { get; init; }

    /// <summary>en, de, fr or es; each turn's own, or detected, when left out.</summary>
    public string? Language { get; init; }

    /// <summary>How many of the last turns count as context, from 1 to 64; the installation's when left out.</summary>
    public int? WindowSize { get; init; }

    /// <summary>As the preferences of a conversation hold it.</summary>
    internal string ToJson() => CleaningJson.Write(json =>
    {
        json.WriteStartObject();
        json.WriteBoolean("enabled", Enabled ?? true);
        if (Engine is { } engine)
            json.WriteString("engine", engine.ToString().ToLowerInvariant());
        if (Level is { } level)
            json.WriteString("level", level.ToString().ToLowerInvariant());
        if (Mode is { } mode)
            json.WriteString("mode", mode.ToString().ToLowerInvariant());
        if (Language is { } language)
            json.WriteString("language", language);
        if (WindowSize is { } size)
            json.WriteNumber("window_size", size);
        json.WriteEndObject();
    });

    /// <exception cref="VoxbaseException"><c>input_invalid</c>, <c>cleaning_language_unknown</c>.</exception>
    internal CleaningPreferences Validated()
    {
        if (WindowSize is < 1 or > CleaningSettings.LargestWindow)
            throw ConversationErrors.InputInvalid.With($"window_size must be between 1 and {CleaningSettings.LargestWindow} (was {WindowSize})");
        CleaningSettings.RequireLanguage(Language);
        return this;
    }

    /// <summary>What preferences say of cleaning; null when they say nothing.</summary>
    /// <exception cref="VoxbaseException"><c>input_invalid</c>, <c>cleaning_language_unknown</c>.</exception>
    internal static CleaningPreferences? Read(JsonElement? preferences)
    {
        if (preferences is not { ValueKind: JsonValueKind.Object } all || !all.TryGetProperty("cleaning", out var said))
            return null;
        return said.ValueKind switch
        {
            JsonValueKind.Null => null,
            JsonValueKind.True => new CleaningPreferences(),
            JsonValueKind.False => new CleaningPreferences { Enabled = false },
            JsonValueKind.Object => ReadObject(said).Validated(),
            _ => throw Invalid("cleaning must be true, false or an object"),
        };
    }

    private static CleaningPreferences ReadObject(JsonElement said)
    {
        var read = new CleaningPreferences();
        foreach (var member in said.EnumerateObject())
        {
            read = (member.Name, member.Value.ValueKind) switch
            {
                (_, JsonValueKind.Null) => read,
                ("enabled", JsonValueKind.True or JsonValueKind.False) => read with { Enabled = member.Value.GetBoolean() },
                ("engine", JsonValueKind.String) => read with { Engine = Named<CleaningEngine>(member) },
                ("level", JsonValueKind.String) => read with { Level = Named<CleaningLevel>(member) },
                ("mode", JsonValueKind.String) => read with { Mode = Named<CleaningMode>(member) },
                ("language", JsonValueKind.String) => read with { Language = member.Value.GetString() },
                ("window_size", JsonValueKind.Number) when member.Value.TryGetInt32(out var size) => read with { WindowSize = size },
                _ => throw Invalid($"cleaning.{(member.Name.Length > 64 ? member.Name[..64] : member.Name)} is unknown or of the wrong form"),
            };
        }

        return read;
    }

    private static T Named<T>(JsonProperty member)
        where T : struct, Enum
    {
        var name = member.Value.GetString()!;
        foreach (var value in Enum.GetValues<T>())
        {
            if (string.Equals(value.ToString().ToLowerInvariant(), name, StringComparison.Ordinal))
                return value;
        }

        throw Invalid($"cleaning.{member.Name} must be one of {string.Join(", ", Enum.GetNames<T>()).ToLowerInvariant()}");
    }

    private static VoxbaseException Invalid(string message) => ConversationErrors.InputInvalid.With("preferences: " + message);
}

/// <summary>How to clean the turns of one conversation.</summary>
internal sealed record CleaningSettings(CleaningRequest Request, int WindowSize, CleaningEngine Engine)
{
    /// <summary>What is read again of a conversation, at least, holds the largest window.</summary>
    public const int LargestWindow = ContextWindow.BlockTurns;

    /// <summary>The preferences where they say something that can be read, else the installation's.</summary>
    public static CleaningSettings Of(JsonElement? preferences, TranscriptsOptions options)
    {
        CleaningPreferences? said = null;
        try
        {
            said = CleaningPreferences.Read(preferences);
        }
        catch (VoxbaseException)
        {
            // Written past the library: the installation's settings are safer than guesses.
        }

        return new CleaningSettings(
            new CleaningRequest { Level = said?.Level ?? options.Level, Mode = said?.Mode ?? options.Mode, Language = said?.Language },
            said?.WindowSize ?? options.WindowSize,
            said?.Engine ?? options.Engine);
    }

    public static void RequireLanguage(string? language)
    {
        if (language is { Length: > 0 } && Cleaning.Language.Find(language) is null)
            throw CleaningErrors.LanguageUnknown.With($"'{(language.Length > 32 ? language[..32] : language)}' is no language that the cleaner knows.");
    }
}
