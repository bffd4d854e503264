using Voxbase.Cleaning;

namespace Voxbase.Tests.Transcripts;

/// <summary>Cleaning in a line, for tests of what comes out.</summary>
internal static class Cleaned
{
    private static readonly TurnCleaner Cleaner = new();

    public static CleanedTurn Turn(
        string raw, string? language = "en", CleaningLevel level = CleaningLevel.Full, CleaningMode mode = CleaningMode.Conversation, CleaningState? state = null) =>
        Cleaner.Clean(raw, state ?? new CleaningState(), new CleaningRequest { Level = level, Language = language, Mode = mode });

    public static string Text(
        string raw, string? language = "en", CleaningLevel level = CleaningLevel.Full, CleaningMode mode = CleaningMode.Conversation, CleaningState? state = null) =>
        Turn(raw, language, level, mode, state).Text;

    public static CleaningState Knowing(params string[] terms) => new(new TermIndex(terms));

    public static CleaningState After(params (string Text, TurnTrust Trust)[] turns)
    {
        var state = new CleaningState();
        foreach (var (text, trust) in turns)
            state.Add(text, trust);
        return state;
    }
}
