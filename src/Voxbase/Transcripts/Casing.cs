namespace Voxbase.Cleaning;

/// <summary>Capitals that a language has for a word wherever it stands: the English "I".</summary>
internal static class Casing
{
    /// <summary>Proposes "I" for "i" where it can be the pronoun only: contracted, or before a verb or an adverb, and no letter, number or index.</summary>
    public static void Pronoun(TurnText turn)
    {
        if (turn.Language != Language.English)
            return;
        for (var i = 0; i < turn.Count; i++)
        {
            ref var token = ref turn[i];
            if (token.LowerLength > 4 || token.Capitalised || token.Gone || token.Kind != TokenKind.Word || turn.Raw[token.Start] != 'i')
                continue;
            if ((turn.Lower(i) is "i'm" or "i'll" or "i've" or "i'd" || (token.LowerLength == 1 && IsPronoun(turn, i))) && !IsReworded(turn, i))
                turn.Replace(i, i, token.LowerLength == 1 ? "I" : string.Concat("I", turn.Raw.AsSpan(token.Start + 1, token.End - token.Start - 1)), CorrectionReasons.Casing, Confidence.High, 0);
        }
    }

    private static bool IsPronoun(TurnText turn, int i)
    {
        var (before, next) = (i - 1, i + 1);
        while (next < turn.Count && (turn[next].Gone || turn.Is(next, "i")))
            next++;
        while (before >= 0 && (turn[before].Gone || turn.Is(before, "i")))
            before--;
        if (next >= turn.Count || turn[next].Kind != TokenKind.Word || (turn[next].Before & ~(Gap.Space | Gap.Comma)) != 0 || (turn[i].Before & (Gap.Dash | Gap.Other)) != 0
            || turn[i + 1].Before is not (Gap.Space or (Gap.Space | Gap.Comma)))
        {
            return false;
        }

        // "i b m", "plan i", "part i of", "for i in range".
        if (turn[next].LowerLength == 1 || (before >= 0 && (turn[before].LowerLength == 1 || turn[before].Has(Words.Number) || turn[before].Kind != TokenKind.Word)))
            return false;
        return (turn[next].Has(Words.Auxiliary | Words.Negation) && turn.Lower(next) is not ("is" or "has" or "does" or "are"))
            || (turn[next].Has(Words.Common) && !turn[next].Has(Words.Preposition | Words.Determiner | Words.Conjunction | Words.Pronoun)
                && (before < 0 || (turn[i].Before & (Gap.End | Gap.Comma)) != 0 || turn[before].Has(Words.Conjunction | Words.Question | Words.Pronoun | Words.Auxiliary)));
    }

    // A trusted term takes it in.
    private static bool IsReworded(TurnText turn, int i)
    {
        foreach (var proposal in turn.Proposals)
        {
            if (proposal.Text is not null && proposal.First <= i && i <= proposal.Last)
                return true;
        }

        return false;
    }
}
