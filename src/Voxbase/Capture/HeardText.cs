namespace Voxbase.Capture;

/// <summary>What of a spoken text was heard before it was cut off.</summary>
internal static class HeardText
{
    /// <summary>
    /// The beginning of <paramref name="spoken"/> that was played in <paramref name="heardMs"/> of <paramref name="totalMs"/>. Speech is
    /// taken to run evenly over the characters, which is right to within a word or two; a word counts as heard when at least half of it
    /// was. Scripts written without spaces are cut between characters. Everything when all of the audio was played.
    /// </summary>
    public static string Cut(string spoken, double heardMs, double totalMs)
    {
        if (heardMs >= totalMs)
        {
            return spoken;
        }

        var heardCharacters = spoken.Length * heardMs / totalMs;
        var (kept, at) = (0, 0);
        while (at < spoken.Length)
        {
            if (char.IsWhiteSpace(spoken[at]))
            {
                at++;
                continue;
            }

            var end = at + 1;
            if (!StandsAlone(spoken[at]))
            {
                while (end < spoken.Length && !char.IsWhiteSpace(spoken[end]) && !StandsAlone(spoken[end]))
                {
                    end++;
                }
            }

            if (heardCharacters < (at + end) / 2.0)
            {
                break;
            }

            (kept, at) = (end, end);
        }

        return spoken[..kept];
    }

    // Kana and Han, which take no spaces. Punctuation of these scripts follows the character before it.
    private static bool StandsAlone(char c) => c is (>= '\u3040' and <= '\u30FF') or (>= '\u3400' and <= '\u9FFF') or (>= '\uF900' and <= '\uFAFF');
}
