namespace Voxbase.Cleaning;

/// <summary>Whether a model could have something to say about a turn: a call that would change nothing is the one not to make.</summary>
internal static class LlmNeed
{
    private const float Near = .25f;
    private const int LongestWindow = 3;

    /// <summary>Whether a segment has a word that nobody knows, or that sounds like a trusted name.</summary>
    public static bool IsThere(TurnText turn, Segment segment, IReadOnlyList<TermIndex> trusted)
    {
        for (var i = segment.First; i <= segment.Last; i++)
        {
            const Words known = Words.Function | Words.Common | Words.Ordinary | Words.Known | Words.Number | Words.Negation | Words.Filler;
            if (turn[i].Kind == TokenKind.Word && !turn[i].Has(known) && !IsOfTerm(turn, i, trusted))
                return true;
        }

        var near = false;
        foreach (var index in trusted)
            EachNear(turn, index, Near, (first, last, term) => near |= first >= segment.First && last <= segment.Last && !Is(turn, first, last, term));
        return near;
    }

    /// <summary>Tells which terms sound like which words of a turn.</summary>
    public static void EachNear(TurnText turn, TermIndex index, float most, Action<int, int, Term> tell)
    {
        if (index.Count == 0)
            return;
        index = index.In(turn.Language);
        Span<byte> sounds = stackalloc byte[Phonemes.Longest];
        var buffers = new NearBuffers();
        for (var first = 0; first < turn.Count; first++)
        {
            var (count, function) = (0, true);
            for (var last = first; last < Math.Min(turn.Count, first + LongestWindow); last++)
            {
                if (turn[last].Kind != TokenKind.Word || (last > first && LexiconMatcher.IsApart(turn, last)))
                    break;
                count += turn.Language.Sounds.Write(turn.Lower(last), sounds[count..]);
                function &= turn[last].Has(Words.Function);
                if (count >= Phonemes.Longest)
                    break;
                if (count < 3 || function)
                    continue;
                var (best, second, distance, secondDistance) = (-1, -1, float.MaxValue, float.MaxValue);
                index.Near(sounds[..count], SoundKeys.Of(sounds[..count]), most, buffers, ref best, ref distance, ref second, ref secondDistance);
                if (best >= 0)
                    tell(first, last, index[best]);
                if (second >= 0)
                    tell(first, last, index[second]);
            }
        }
    }

    /// <summary>Whether a token is part of a trusted term that stands there as it should.</summary>
    public static bool IsOfTerm(TurnText turn, int at, IReadOnlyList<TermIndex> trusted)
    {
        foreach (var index in trusted)
        {
            foreach (var t in index.WithWord(turn[at].Form))
            {
                var term = index[t];
                for (var first = Math.Max(0, at - term.Words.Length + 1); first <= at; first++)
                {
                    if (Is(turn, first, first + term.Words.Length - 1, term))
                        return true;
                }
            }
        }

        return false;
    }

    private static bool Is(TurnText turn, int first, int last, Term term)
    {
        if (last >= turn.Count || last - first + 1 != term.Words.Length)
            return false;
        for (var k = 0; k < term.Words.Length; k++)
        {
            if (!turn.Is(first + k, term.Words[k]))
                return false;
        }

        return true;
    }
}
