using System.Collections.Frozen;
using System.Globalization;
using System.Text;

namespace Voxbase.Cleaning;

/// <summary>What a part of a number word counts for.</summary>
internal enum NumberPart : byte
{
    None,

    /// <summary>Zero to nine.</summary>
    Unit,

    /// <summary>Ten to nineteen, and what else is one word below a hundred.</summary>
    Teen,
    Tens,

    /// <summary>A hundred as a factor: zwei hundert.</summary>
    Hundred,

    /// <summary>A hundred or several in one word: doscientos.</summary>
    Hundreds,
    Thousand,

    /// <summary>A million and more.</summary>
    Scale,

    /// <summary>und, et, y: only between two others.</summary>
    And,
}

/// <summary>What a language says numbers with. The lists are written for Voxbase.</summary>
internal sealed record NumberWords
{
    /// <summary>The words of numbers and their parts.</summary>
    public required FrozenDictionary<string, (NumberPart Part, decimal Value)> Parts { get; init; }

    /// <summary>Whether numbers are written as one word: zweiundzwanzig.</summary>
    public bool Compounds { get; init; }

    /// <summary>Between a whole number and its fraction.</summary>
    public required string[] Points { get; init; }

    public required string[] Minus { get; init; }

    public required string[] Months { get; init; }

    /// <summary>The sign of a currency, after its name.</summary>
    public required (string[] Words, string Sign)[] Currencies { get; init; }

    /// <summary>A hundredth of a currency, and the currency that it belongs to when none is named.</summary>
    public required (string[] Words, string Sign)[] Cents { get; init; }

    public required (string[] Words, string Sign)[] Units { get; init; }

    /// <summary>What the signs of an address are called.</summary>
    public required (string[] Words, string Sign)[] Signs { get; init; }

    /// <summary>An amount, from its number and the sign of its currency.</summary>
    public required Func<string, string, string> Amount { get; init; }

    /// <summary>How many digits of a telephone number stand together, by their number; null when the digits are none.</summary>
    public required Func<string, string?> Telephone { get; init; }

    /// <summary>Reads a whole turn that is a time or a date; null when it is none.</summary>
    public required Func<SpokenNumbers, TurnText, string?> Moment { get; init; }

    public static (string[] Words, string Sign)[] Pairs(string text) =>
        [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(line => line.Split('='))
            .Select(pair => (pair[0].Split(' '), pair[1]))
            .OrderByDescending(pair => pair.Item1.Length)];

    public static FrozenDictionary<string, (NumberPart, decimal)> Table(params (NumberPart Part, string List)[] lists) => lists
        .SelectMany(list => list.List.Split(' ').Select(entry => entry.Split('=')).Select(entry => (Word: entry[0], list.Part, Value: decimal.Parse(entry[1], NumberStyles.Float, CultureInfo.InvariantCulture))))
        .ToFrozenDictionary(entry => entry.Word, entry => (entry.Part, entry.Value), StringComparer.Ordinal);
}

/// <summary>
/// Writes the numbers of a language that its tables describe: whole turns as the number, amount, date, time, telephone number or address that they are,
/// and inside a sentence what is clearly a number. What is not understood to its end stays words.
/// </summary>
internal sealed class SpokenNumbers(NumberWords words)
{
    private const int LongestAnswer = 60;
    private const int MostParts = 48;

    private readonly FrozenDictionary<string, (NumberPart Part, decimal Value)>.AlternateLookup<ReadOnlySpan<char>> parts =
        words.Parts.GetAlternateLookup<ReadOnlySpan<char>>();

    private readonly int longest = words.Parts.Keys.Max(word => word.Length);

    public static SpokenNumbers German { get; } = new(GermanNumbers.Words);

    public static SpokenNumbers French { get; } = new(FrenchNumbers.Words);

    public static SpokenNumbers Spanish { get; } = new(SpanishNumbers.Words);

    /// <summary>Those of a language; null for English, which has its own.</summary>
    public static SpokenNumbers? Of(Language language) =>
        language == Language.German ? German : language == Language.French ? French : language == Language.Spanish ? Spanish : null;

    /// <summary>Writes a turn that is nothing but one of these.</summary>
    public bool WriteWhole(TurnText turn)
    {
        if (turn.Count is 0 or > LongestAnswer || !Numbers.IsSpoken(turn))
            return false;
        var text = words.Moment(this, turn) ?? Address(turn) ?? Telephone(turn);
        if (text is null && (Quantity(turn, 0, out text, out var plain) != turn.Count || (plain is < 10 and >= 0 && turn.Count == 1)))
            return false;
        turn.Replace(0, turn.Count - 1, text, CorrectionReasons.Number, Confidence.High, 0);
        return true;
    }

    /// <summary>Writes the numbers inside a sentence: those of several words, and amounts.</summary>
    public void Write(TurnText turn)
    {
        if (turn.Count == 0 || !Numbers.IsSpoken(turn))
            return;
        var i = 0;
        while (i < turn.Count)
        {
            var length = Quantity(turn, i, out var text, out var plain);
            var free = length > 0;
            for (var k = i; k < i + length; k++)
                free &= !turn[k].Gone;
            // One of several numbers in a row may be anything, a small one alone is a word.
            var certain = plain < 0 || (plain >= 21 && (length > 1 || words.Compounds || plain >= 1000));
            var alone = !IsNumber(turn, i - 1) && !IsNumber(turn, i + length) && (turn[Math.Min(turn.Count, i + length)].Before & Gap.Dash) == 0;
            if (free && certain && alone)
                turn.Replace(i, i + length - 1, text, CorrectionReasons.Number, Confidence.High, 0);
            i += Math.Max(1, length);
        }
    }

    /// <summary>Whether a word is a number or begins with one.</summary>
    public bool IsNumber(TurnText turn, int i) => i >= 0 && i < turn.Count && parts.TryGetValue(turn.Lower(i), out var part) && part.Part != NumberPart.And;

    /// <summary>A number with its sign, fraction, scale, unit or currency. A plain one tells its value, anything else -1.</summary>
    public int Quantity(TurnText turn, int start, out string text, out decimal plain)
    {
        text = "";
        plain = -1;
        var i = start;
        var negative = Is(turn, i, words.Minus);
        if (negative)
            i++;
        var length = Cardinal(turn, i, out var value, out var scale);
        if (length == 0)
            return 0;
        i += length;
        var number = (negative ? "-" : "") + value.ToString("0", CultureInfo.InvariantCulture);
        var isPlain = !negative && scale.Length == 0;
        var point = scale.Length == 0 && Is(turn, i, words.Points) ? turn.Lower(i) is "punto" or "point" ? "." : "," : "";
        if (point.Length > 0 && Fraction(turn, i + 1, out var fraction) is > 0 and var fractionLength)
        {
            (number, isPlain) = (number + point + fraction, false);
            i += fractionLength + 1;
            if (i < turn.Count && parts.TryGetValue(turn.Lower(i), out var found) && found.Part == NumberPart.Scale)
                scale = turn.Lower(i++).ToString();
        }

        var scaled = scale.Length > 0 ? " " + scale : "";
        if (Match(turn, i, words.Currencies, out var sign, out var signLength))
        {
            i += signLength;
            text = words.Amount(number + scaled, sign);
            // Euro vier: what follows without a word for it is hundredths, unless it is a number of its own.
            if (isPlain && Cents(turn, i, out var cents) is > 0 and var centsLength)
            {
                text = words.Amount(number + "," + cents.ToString("00", CultureInfo.InvariantCulture), sign);
                i += centsLength;
            }

            return i - start;
        }

        if (isPlain && value < 100 && Match(turn, i, words.Cents, out sign, out signLength))
        {
            text = words.Amount("0," + value.ToString("00", CultureInfo.InvariantCulture), sign);
            return i + signLength - start;
        }

        if (Match(turn, i, words.Units, out sign, out signLength))
        {
            text = $"{number}{scaled} {sign}";
            return i + signLength - start;
        }

        text = number + scaled;
        plain = isPlain ? value : -1;
        return i - start;
    }

    private int Cents(TurnText turn, int i, out decimal cents)
    {
        cents = 0;
        var at = i;
        if (turn.Lower(Math.Min(at, turn.Count)) is "und" or "et" or "y" or "con" && at < turn.Count)
            at++;
        var length = Cardinal(turn, at, out cents, out var scale);
        if (length == 0 || cents >= 100 || scale.Length > 0)
            return 0;
        if (Match(turn, at + length, words.Cents, out _, out var named))
            return at + length + named - i;
        return at == i && at + length == turn.Count ? length : 0;
    }

    // After the point: digit by digit, or in groups said as numbers.
    private int Fraction(TurnText turn, int start, out string digits)
    {
        var text = new StringBuilder();
        var i = start;
        while (i < turn.Count)
        {
            var length = Cardinal(turn, i, out var value, out var scale);
            if (length == 0 || value >= 1000)
                break;
            text.Append(value.ToString("0", CultureInfo.InvariantCulture));
            i += length;
            // "komma zwei millionen": the scale is that of the whole.
            if (scale.Length > 0)
            {
                i--;
                break;
            }
        }

        digits = text.ToString();
        return i - start;
    }

    /// <summary>A whole number. One that ends with a scale and is nothing else keeps the scale as a word.</summary>
    public int Cardinal(TurnText turn, int start, out decimal value, out string scale)
    {
        (value, scale) = (0, "");
        Span<Part> read = stackalloc Part[MostParts];
        var count = Parts(turn, start, read);
        if (count == 0)
            return 0;
        read = read[..count];
        var (at, end) = (0, 0);
        var (sum, chunk, last, scales) = (0m, 0m, decimal.MaxValue, 0);
        var ends = false;
        while (at < count)
        {
            var from = at;
            if (at > 0 && words.Compounds && read[at].Kind == NumberPart.And)
                at++;
            var group = Group(read, ref at);
            // Another thousand is another number: entre dieciséis mil y dieciocho mil.
            if (at < count && read[at].Kind == NumberPart.Thousand && chunk > 0)
            {
                at = from;
                break;
            }

            if (at < count && read[at].Kind == NumberPart.Thousand && chunk == 0 && group != 0)
            {
                chunk = (group < 0 ? 1 : group) * 1000;
                at++;
            }
            else if (at < count && read[at].Kind == NumberPart.Scale && read[at].Value < last && (group > 0 || chunk > 0))
            {
                last = read[at].Value;
                sum += (chunk + Math.Max(0, group)) * last;
                (chunk, scales, ends) = (0, scales + 1, true);
                at++;
                end = at;
                continue;
            }
            else if (group >= 0 && (chunk == 0 || group < 1000))
            {
                chunk += group;
                (end, ends) = (at, false);
                // "mil ocho millones": a scale may follow; anything else begins a number of its own.
                if (at < count && read[at].Kind == NumberPart.Scale && read[at].Value < last)
                    continue;
                break;
            }
            else
            {
                at = from;
                break;
            }

            (end, ends) = (at, false);
        }

        if (end == 0 || !read[end - 1].EndsToken)
            return 0;
        value = sum + chunk;
        var tokens = read[end - 1].Token - start + 1;
        if (ends && scales == 1 && tokens > 1)
        {
            value /= last;
            scale = turn.Lower(read[end - 1].Token).ToString();
        }

        return tokens;
    }

    // Below a thousand, or dix-neuf cent; -1 when there is none.
    private int Group(ReadOnlySpan<Part> read, ref int at)
    {
        var value = 0;
        var below = BelowHundred(read, ref at);
        if (at < read.Length && read[at].Kind == NumberPart.Hundreds && below < 0)
        {
            value = (int)read[at++].Value;
        }
        else if (at < read.Length && read[at].Kind == NumberPart.Hundred && below != 0)
        {
            value = (below < 0 ? 1 : below) * 100;
            at++;
        }
        else
        {
            return below;
        }

        var from = at;
        if (at < read.Length && read[at].Kind == NumberPart.And && words.Compounds)
            at++;
        var rest = BelowHundred(read, ref at);
        // "zwei hundert drei tausend" and "cent mille" go on; zero after a hundred does not.
        if (rest > 0)
            return value + rest;
        at = from;
        return value;
    }

    private int BelowHundred(ReadOnlySpan<Part> read, ref int at)
    {
        if (at >= read.Length)
            return -1;
        var kind = read[at].Kind;
        if (kind is not (NumberPart.Unit or NumberPart.Teen or NumberPart.Tens))
            return -1;
        var value = (int)read[at].Value;
        if (kind == NumberPart.Unit)
        {
            if (words.Compounds && value > 0 && at + 2 < read.Length && read[at + 1].Kind == NumberPart.And && read[at + 2].Kind == NumberPart.Tens)
            {
                value += (int)read[at + 2].Value;
                at += 3;
                return value;
            }

            // quatre vingt dix sept
            if (this == French && value == 4 && at + 1 < read.Length && read[at + 1] is { Kind: NumberPart.Tens, Value: 20 })
            {
                at += 2;
                return 80 + Math.Max(0, UpTo(read, ref at, 19));
            }

            at++;
            return value;
        }

        if (kind == NumberPart.Teen)
        {
            at++;
            if (this == French && value == 10 && at < read.Length && read[at] is { Kind: NumberPart.Unit, Value: >= 7 })
                return 10 + (int)read[at++].Value;
            return value;
        }

        at++;
        if (words.Compounds)
            return value;
        var from = at;
        var and = at < read.Length && read[at].Kind == NumberPart.And;
        if (and)
            at++;
        else if (this == Spanish)
            return value;
        var rest = UpTo(read, ref at, this == French && value is 60 ? 19 : 9);
        if (rest > 0)
            return value + rest;
        at = from;
        return value;
    }

    private int UpTo(ReadOnlySpan<Part> read, ref int at, int most)
    {
        if (at >= read.Length || read[at].Kind is not (NumberPart.Unit or NumberPart.Teen) || read[at].Value > most || read[at].Value == 0)
            return -1;
        return BelowHundred(read, ref at);
    }

    // The parts of the words from a token on, as far as they are numbers.
    private int Parts(TurnText turn, int start, Span<Part> read)
    {
        var count = 0;
        for (var i = start; i < turn.Count && count < read.Length; i++)
        {
            var word = turn.Lower(i);
            if (turn[i].Kind != TokenKind.Word || (i > start && (turn[i].Before & ~(Gap.Space | Gap.Dash | Gap.Broken)) != 0))
                break;
            var before = count;
            while (!word.IsEmpty && count < read.Length)
            {
                var length = Math.Min(word.Length, longest);
                (NumberPart Part, decimal Value) found = default;
                while (length > 1 && !parts.TryGetValue(word[..length], out found))
                    length = words.Compounds ? length - 1 : 0;
                if (length <= 1 && !(word.Length == 1 && parts.TryGetValue(word, out found)))
                    break;
                word = word[Math.Max(1, length)..];
                read[count++] = new Part(found.Part, found.Value, i, word.IsEmpty);
            }

            if (!word.IsEmpty)
            {
                count = before;
                break;
            }
        }

        while (count > 0 && read[count - 1].Kind == NumberPart.And)
            count--;
        return count > 0 && read[0].Kind == NumberPart.And ? 0 : count;
    }

    /// <summary>Digits said one by one, from a token to the end of the turn; empty when there is anything else.</summary>
    public string Digits(TurnText turn, int start)
    {
        var text = new StringBuilder();
        for (var i = start; i < turn.Count; i++)
        {
            var times = turn.Lower(i) is "doble" or "doppel" or "double" ? 2 : turn.Lower(i) is "triple" or "dreifach" ? 3 : 1;
            i += times > 1 ? 1 : 0;
            if (i >= turn.Count || !parts.TryGetValue(turn.Lower(i), out var digit) || digit.Part != NumberPart.Unit)
                return "";
            text.Append((char)('0' + (int)digit.Value), times);
        }

        return text.ToString();
    }

    private string? Telephone(TurnText turn)
    {
        var digits = Digits(turn, 0);
        return digits.Length >= 7 ? words.Telephone(digits) : null;
    }

    // a b c at example punkt org
    private string? Address(TurnText turn)
    {
        var text = new StringBuilder();
        var (signs, dots, whole, letters, at) = (0, 0, 0, 0, false);
        for (var i = 0; i < turn.Count; i++)
        {
            if (i > 0 && Match(turn, i, words.Signs, out var sign, out var length) && i + length <= turn.Count)
            {
                text.Append(sign);
                signs++;
                dots += sign == "." ? 1 : 0;
                at |= sign is "@" or "/";
                i += length - 1;
            }
            else if (Match(turn, i, words.Signs, out sign, out length) && sign == "w")
            {
                text.Append('w');
                i += length - 1;
            }
            else if (parts.TryGetValue(turn.Lower(i), out var digit) && digit.Part != NumberPart.And)
            {
                if (digit.Part != NumberPart.Unit)
                    return null;
                text.Append((char)('0' + (int)digit.Value));
            }
            else
            {
                letters++;
                whole += turn.Lower(i).Length > 1 ? 1 : 0;
                text.Append(turn.Lower(i));
            }
        }

        // A sentence about a point is none: an address has few whole words.
        return dots > 0 && signs > 0 && letters > 0 && turn.Count >= 3 && (at || whole <= dots + 1) && whole <= dots + 3 && text[^1] != '.' ? text.ToString() : null;
    }

    /// <summary>What a text of its own comes to, when it is a whole number and nothing else; -1 when it is not.</summary>
    public decimal ValueOf(string text)
    {
        var turn = new TurnText();
        turn.Read(text);
        return turn.Count > 0 && Cardinal(turn, 0, out var value, out var scale) == turn.Count && scale.Length == 0 ? value : -1;
    }

    /// <summary>The month that a word names; -1 for none.</summary>
    public int Month(TurnText turn, int i)
    {
        for (var m = 0; m < words.Months.Length && i < turn.Count; m++)
        {
            if (turn.Is(i, words.Months[m]))
                return m;
        }

        return -1;
    }

    /// <summary>A year that is all of the rest of the turn; 0 when it is none.</summary>
    public int Year(TurnText turn, int i)
    {
        if (i >= turn.Count)
            return 0;
        var length = Cardinal(turn, i, out var value, out var scale);
        if (length == 0 || scale.Length > 0)
            return 0;
        if (i + length == turn.Count)
            return value is >= 1000 and < 2200 ? (int)value : 0;
        // neunzehn achtzig, zwanzig zwanzig
        var second = Cardinal(turn, i + length, out var rest, out scale);
        return value is >= 11 and <= 20 && rest is >= 10 and < 100 && scale.Length == 0 && i + length + second == turn.Count ? (int)((value * 100) + rest) : 0;
    }

    private static bool Is(TurnText turn, int i, string[] list)
    {
        foreach (var word in list)
        {
            if (turn.Is(i, word))
                return true;
        }

        return false;
    }

    private static bool Match(TurnText turn, int i, (string[] Words, string Sign)[] list, out string sign, out int length)
    {
        foreach (var (phrase, found) in list)
        {
            var same = i + phrase.Length <= turn.Count;
            for (var w = 0; w < phrase.Length && same; w++)
                same = turn.Is(i + w, phrase[w]);
            if (same)
            {
                (sign, length) = (found, phrase.Length);
                return true;
            }
        }

        (sign, length) = ("", 0);
        return false;
    }

    private readonly record struct Part(NumberPart Kind, decimal Value, int Token, bool EndsToken);
}
