using System.Globalization;

namespace Voxbase.Cleaning;

/// <summary>
/// Cuts a text into words, in one pass. A word is letters and digits with an apostrophe inside; a hyphen parts words; an address, a file name, code
/// and what stands in quotation marks are protected. Everything else is the gap before the next word.
/// </summary>
internal static class Tokenizer
{
    /// <summary>Fills <paramref name="tokens"/>, which must have room for half the text's length and one more, and gives their number.</summary>
    public static int Read(string raw, Token[] tokens, char[] lower)
    {
        var (count, used, at) = (0, 0, 0);
        var gap = Gap.End;
        var closing = '\0';
        var quoteEnd = -1;
        // Closing marks that were looked for and do not follow: an unpaired one costs one search, not one each.
        Span<char> noneFollows = stackalloc char[4];
        var missing = 0;
        while (at < raw.Length)
        {
            var c = raw[at];
            if (closing == '\0' && Closing(c) is var close and not '\0' && !noneFollows[..missing].Contains(close))
            {
                var end = raw.IndexOf(close, at + 1);
                if (end > 0)
                    (closing, quoteEnd) = (close, end);
                else
                    noneFollows[missing++] = close;
            }

            if (at > quoteEnd)
                closing = '\0';
            if (!IsWordCharacter(c))
            {
                gap |= GapOf(raw, at);
                at++;
                continue;
            }

            var start = at;
            var kind = closing == '\0' ? TokenKind.Word : TokenKind.Protected;
            if (IsChunkStart(raw, at) && TechnicalEnd(raw, at) is var technical && technical > at)
            {
                kind = TokenKind.Protected;
                at = technical;
            }
            else
            {
                at = WordEnd(raw, at, ref kind);
                if (kind == TokenKind.Number && start > 0 && raw[start - 1] is '$' or '€' or '£' or '¥')
                    gap |= Gap.Space;
            }

            ref var token = ref tokens[count++];
            token = new Token
            {
                Start = start,
                End = at,
                LowerStart = used,
                Kind = kind,
                Before = gap,
                Capitalised = char.IsUpper(raw[start]),
            };
            var hash = Vocabulary.HashSeed;
            for (var i = start; i < at; i++)
            {
                var letter = raw[i];
                if (letter >= 128)
                    letter = letter == '’' ? '\'' : char.ToLowerInvariant(letter);
                else if (char.IsAsciiLetterUpper(letter))
                    letter = (char)(letter | 0x20);
                lower[used++] = letter;
                hash = Vocabulary.Hash(hash, letter);
            }

            token.LowerLength = used - token.LowerStart;
            token.Hash = hash;
            gap = Gap.None;
            if (at < raw.Length && raw[at] == '-' && (at + 1 == raw.Length || !IsWordCharacter(raw[at + 1])))
                gap = Gap.Broken;
        }

        if (count > 0)
            tokens[count] = new Token { Start = raw.Length, End = raw.Length, Before = gap | Gap.End, LowerStart = used };
        return count;
    }

    public static bool IsWordCharacter(char c)
    {
        if (c < 128)
            return char.IsAsciiLetterOrDigit(c);
        return char.IsLetterOrDigit(c) || CharUnicodeInfo.GetUnicodeCategory(c) is
            UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;
    }

    private static char Closing(char c) => c switch
    {
        '"' => '"',
        '“' or '„' => '”',
        '«' => '»',
        '`' => '`',
        _ => '\0',
    };

    private static bool IsChunkStart(string raw, int at) => at == 0 || !IsChunkCharacter(raw[at - 1]);

    // What an ASCII character is to an address or to code: looked at for every character of every turn.
    [Flags]
    private enum Sign : byte
    {
        None = 0,
        Chunk = 1,
        Technical = 2,
        Point = 4,
    }

    private static readonly Sign[] Ascii = [.. Enumerable.Range(0, 128).Select(c => SignOf((char)c))];

    private static Sign SignOf(char c) =>
        char.IsWhiteSpace(c) || c is '"' or '“' or '”' or '(' or '[' or ',' or '…' or '—' or '–' or '«' or '»' or '„' ? Sign.None
        : c is '@' or '_' or '\\' or '{' or '}' or '<' or '>' or '=' or '#' or '/' or '|' or '~' or '^' or '*' or '&' or '+' ? Sign.Chunk | Sign.Technical
        : c is '.' or ':' ? Sign.Chunk | Sign.Point : Sign.Chunk;

    private static bool IsChunkCharacter(char c) => (c < 128 ? Ascii[c] : SignOf(c)) != Sign.None;

    // The end of an address, a domain, a path or code that begins here; the beginning itself when it is none.
    private static int TechnicalEnd(string raw, int start)
    {
        var (end, signs) = (start, false);
        for (; end < raw.Length; end++)
        {
            var c = raw[end];
            var sign = c < 128 ? Ascii[c] : SignOf(c);
            if (sign == Sign.Chunk)
                continue;
            if (sign == Sign.None)
                break;
            signs |= (sign & Sign.Technical) != 0
                || (end > start && end + 1 < raw.Length && char.IsLetter(raw[end - 1]) && char.IsLetterOrDigit(raw[end + 1]));
        }

        if (!signs)
            return start;
        while (end > start && !IsWordCharacter(raw[end - 1]) && raw[end - 1] is not ('/' or '}' or '>' or '+' or '#'))
            end--;
        return end;
    }

    private static int WordEnd(string raw, int at, ref TokenKind kind)
    {
        var start = at;
        for (; at < raw.Length; at++)
        {
            var c = raw[at];
            if (char.IsAsciiLetter(c))
                continue;
            if (IsWordCharacter(c))
            {
                if (char.IsDigit(c) && kind == TokenKind.Word)
                    kind = TokenKind.Number;
                continue;
            }

            if (at + 1 >= raw.Length || at == start || !IsWordCharacter(raw[at + 1]))
                break;
            if (c is '\'' or '’')
                continue;
            if (c is '.' or ',' or ':' && char.IsDigit(raw[at - 1]) && char.IsDigit(raw[at + 1]))
                continue;
            break;
        }

        return at;
    }

    private static Gap GapOf(string raw, int at) => raw[at] switch
    {
        ' ' => Gap.Space,
        ',' => Gap.Comma,
        '.' when at + 1 < raw.Length && raw[at + 1] == '.' => Gap.Ellipsis,
        '.' when at > 0 && raw[at - 1] == '.' => Gap.Ellipsis,
        '.' or '!' or '?' or '\n' or '¿' or '¡' => Gap.End,
        '…' => Gap.Ellipsis,
        '-' or '–' or '—' => Gap.Dash,
        ';' or ':' => Gap.Pause,
        var c when char.IsWhiteSpace(c) => Gap.Space,
        _ => Gap.Other,
    };
}
