namespace Voxbase.Capture;

/// <summary>Times as transcripts write them: <c>00:01:02.345</c>, <c>01:02,345</c>, <c>1:02:03</c>.</summary>
internal static class Timestamps
{
    /// <summary>Reads the time at the beginning of a text. One too large to count is <see cref="long.MaxValue"/>.</summary>
    /// <param name="text">What begins with a digit, if it begins with a time.</param>
    /// <param name="milliseconds">From the beginning.</param>
    /// <param name="length">How many characters it takes.</param>
    /// <param name="hasHours">Whether it has all three parts.</param>
    public static bool TryRead(ReadOnlySpan<char> text, out long milliseconds, out int length, out bool hasHours)
    {
        (milliseconds, length, hasHours) = (0, 0, false);
        var first = Digits(text);
        var at = first;
        if (first == 0 || !Pair(text, ref at, out var second))
            return false;
        var third = 0;
        hasHours = Pair(text, ref at, out third);
        // A colon or digit left over: a date, an address, or minutes above 59.
        if (at < text.Length && (text[at] == ':' ? at + 1 < text.Length && char.IsAsciiDigit(text[at + 1]) : char.IsAsciiDigit(text[at])))
            return false;
        var fraction = 0;
        if (at + 1 < text.Length && text[at] is '.' or ',' && char.IsAsciiDigit(text[at + 1]))
        {
            var digits = Digits(text[++at..]);
            for (var i = 0; i < 3; i++)
                fraction = (fraction * 10) + (i < digits ? text[at + i] - '0' : 0);
            at += digits;
        }

        length = at;
        milliseconds = !long.TryParse(text[..first], out var leading) || leading > int.MaxValue ? long.MaxValue
            : hasHours ? (((((leading * 60) + second) * 60) + third) * 1000) + fraction
            : (((leading * 60) + second) * 1000) + fraction;
        return true;
    }

    /// <summary>Reads <c>start --> end</c>, and whatever settings follow.</summary>
    public static bool TryReadRange(ReadOnlySpan<char> line, out long startMs, out long endMs)
    {
        endMs = 0;
        line = line.TrimStart();
        if (!TryRead(line, out startMs, out var length, out _))
            return false;
        line = line[length..].TrimStart();
        if (!line.StartsWith("-->", StringComparison.Ordinal))
            return false;
        line = line[3..].TrimStart();
        return TryRead(line, out endMs, out length, out _) && (length == line.Length || char.IsWhiteSpace(line[length]));
    }

    private static int Digits(ReadOnlySpan<char> text)
    {
        var count = text.IndexOfAnyExceptInRange('0', '9');
        return count < 0 ? text.Length : count;
    }

    // A colon and two digits below 60.
    private static bool Pair(ReadOnlySpan<char> text, ref int at, out int value)
    {
        value = 0;
        if (at + 2 >= text.Length || text[at] != ':' || text[at + 1] is < '0' or > '5' || !char.IsAsciiDigit(text[at + 2]))
            return false;
        value = ((text[at + 1] - '0') * 10) + text[at + 2] - '0';
        at += 3;
        return true;
    }
}
