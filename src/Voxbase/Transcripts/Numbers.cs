namespace Voxbase.Cleaning;

/// <summary>
/// Writes spoken numbers, dates, times, amounts and addresses as they are written. Text that somebody wrote, with digits or the marks of sentences in
/// it, keeps its words: they were chosen. Small numbers alone in a sentence stay words; a turn that is nothing but a number is one.
/// </summary>
internal static class Numbers
{
    public static void Write(TurnText turn)
    {
        if (SpokenNumbers.Of(turn.Language) is { } numbers)
            numbers.Write(turn);
        else
            EnglishNumbers.Write(turn);
    }

    /// <summary>Writes a turn that is nothing but a number, an address or a code; answers whether it is.</summary>
    public static bool WriteWhole(TurnText turn) =>
        SpokenNumbers.Of(turn.Language) is { } numbers ? numbers.WriteWhole(turn) : EnglishNumbers.WriteWhole(turn);

    /// <summary>Whether a turn is as a recogniser gives it: no digits, no marks, no capitals but I and names.</summary>
    public static bool IsSpoken(TurnText turn)
    {
        if (turn[0].Capitalised && !turn.Is(0, "i"))
            return false;
        for (var i = 0; i < turn.Count; i++)
        {
            if (turn[i].Kind == TokenKind.Number || (i > 0 && (turn[i].Before & (Gap.Comma | Gap.End | Gap.Pause)) != 0))
                return false;
        }

        var rest = turn.Raw.AsSpan(turn[turn.Count - 1].End).Trim();
        return rest.IsEmpty;
    }
}
