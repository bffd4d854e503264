using Voxbase.Cleaning;

namespace Voxbase.AspNetCore;

/// <summary>A turn to clean, kept nowhere. Those of an array are of one conversation, in their order.</summary>
internal sealed record CleanTurn
{
    /// <summary>The caller's own name of it, given back.</summary>
    public string? Id { get; init; }

    /// <summary>What the recogniser wrote.</summary>
    public required string RawText { get; init; }

    /// <summary>Whether a program wrote it or somebody typed it: then it is context, and stays as it is.</summary>
    public bool IsWritten { get; init; }

    /// <summary>How much may change; the server's setting when left out. The first turn's holds for those after it that say nothing.</summary>
    public CleaningLevel? Level { get; init; }

    /// <summary>Who speaks to whom; as level.</summary>
    public CleaningMode? Mode { get; init; }

    /// <summary>en, de, fr or es; detected when left out.</summary>
    public string? Language { get; init; }

    /// <summary>Names and terms as they are spelled; the first turn's hold for all.</summary>
    public IReadOnlyList<string>? Terms { get; init; }
}

/// <summary>A turn cleaned, kept nowhere.</summary>
internal sealed record CleanAnswer(
    string? Id, string CleanedText, CleaningLevel CleaningLevel, bool CleaningApplied, Confidence Confidence, IReadOnlyList<TurnCorrection> Corrections, string Language,
    string? ContextDetected, string? BusinessDomain, string? ConversationFlow, bool TranscriptionErrorDetected, int SlidingWindowSize, int ContextTurnsUsed)
{
    public static CleanAnswer Of(string? id, CleanedTurn turn) => new(
        id, turn.Text, turn.LevelApplied, turn.IsChanged, turn.Confidence, TurnCorrection.Of(turn), turn.Language, turn.ContextDetected, turn.BusinessDomain,
        turn.ConversationFlow, turn.TranscriptionErrorDetected, turn.WindowSize, turn.ContextTurnsUsed);
}

/// <summary>How to clean a conversation; what is left out is as its preferences say.</summary>
internal sealed record CleanConversation
{
    /// <summary>none, light or full.</summary>
    public CleaningLevel? Level { get; init; }

    /// <summary>conversation or assistant.</summary>
    public CleaningMode? Mode { get; init; }

    /// <summary>en, de, fr or es.</summary>
    public string? Language { get; init; }
}

/// <summary>Corrections by turn.</summary>
/// <param name="Data">Turns that have a result.</param>
/// <param name="Next">The <c>after</c> of the next page, or null.</param>
internal sealed record CorrectionPage(IReadOnlyList<CorrectedTurn> Data, int? Next);

/// <summary>What to undo.</summary>
/// <param name="Correction">The correction's place in the turn's list, from 0; null for all of them.</param>
internal sealed record UndoRequest(int? Correction = null);

/// <summary>What was undone.</summary>
/// <param name="ConversationId">The conversation.</param>
/// <param name="Turns">How many turns changed.</param>
internal sealed record Undone(Guid ConversationId, int Turns);

/// <summary>The results of a turn that others took the place of.</summary>
internal sealed record CleanedVersionList(IReadOnlyList<CleanedVersion> Data);

/// <summary>Key terms.</summary>
/// <param name="Terms">Names and terms as they are spelled.</param>
internal sealed record KeyTermBody(IReadOnlyList<string> Terms);

/// <summary>The context of a turn, the newest turn first.</summary>
internal sealed record WindowList(IReadOnlyList<WindowTurn> Data);

/// <summary>What a conversation was about.</summary>
internal sealed record ContextShareList(IReadOnlyList<ContextShare> Data);

/// <summary>How sure the cleaner was.</summary>
internal sealed record ConfidenceShareList(IReadOnlyList<ConfidenceShare> Data);

/// <summary>Cleaning by the hour.</summary>
internal sealed record CleaningHourList(IReadOnlyList<CleaningHour> Data);
