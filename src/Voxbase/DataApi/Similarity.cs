namespace Voxbase.DataApi;

/// <summary>The name that somebody may have meant.</summary>
internal static class Similarity
{
    // Beyond that many nobody could have mistyped one for another, and comparing them all would take its time.
    private const int MaxNames = 5000;

    /// <summary>The most similar of <paramref name="names"/> when it is similar enough: 1 is equal but for case, 0 has nothing in common.</summary>
    public static string? Best(IEnumerable<string> names, string wanted, double atLeast)
    {
        string? best = null;
        var (bestScore, lower) = (0.0, wanted.ToLowerInvariant());
        foreach (var name in names.Take(MaxNames))
        {
            var candidate = name.ToLowerInvariant();
            var longest = Math.Max(candidate.Length, lower.Length);
            // Their lengths alone can rule it out.
            if (longest == 0 || longest > 256 || 1 - ((double)Math.Abs(candidate.Length - lower.Length) / longest) < Math.Max(atLeast, bestScore))
                continue;
            if (!HasCommonPair(candidate, lower))
                continue;
            var score = 1 - ((double)Distance(candidate, lower) / longest);
            if (score >= atLeast && (score > bestScore || (score == bestScore && string.CompareOrdinal(name, best) < 0)))
                (best, bestScore) = (name, score);
        }

        return best;
    }

    /// <summary>How many letters must be added, removed or replaced (Levenshtein).</summary>
    public static int Distance(string a, string b)
    {
        Span<int> row = b.Length < 256 ? stackalloc int[b.Length + 1] : new int[b.Length + 1];
        for (var j = 0; j <= b.Length; j++)
            row[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(above, row[j - 1]) + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[b.Length];
    }

    private static bool HasCommonPair(string a, string b)
    {
        for (var i = 0; i + 2 <= a.Length; i++)
        {
            if (b.AsSpan().Contains(a.AsSpan(i, 2), StringComparison.Ordinal))
                return true;
        }

        return a.Length < 2 || b.Length < 2;
    }
}
