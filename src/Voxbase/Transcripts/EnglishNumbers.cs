using System.Globalization;
using System.Numerics;
using System.Text;

namespace Voxbase.Cleaning;

/// <summary>English numbers.</summary>
internal static class EnglishNumbers
{
    private const int LongestAnswer = 60;

    private static readonly string[] Digits = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    private static readonly string[] Teens = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"];
    private static readonly string[] Tens = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
    private static readonly string[] Scales = ["thousand", "million", "billion", "trillion", "quadrillion", "quintillion", "sextillion"];
    private static readonly string[] DigitOrdinals = ["zeroth", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"];
    private static readonly string[] TeenOrdinals = ["tenth", "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"];
    private static readonly string[] TensOrdinals = ["", "", "twentieth", "thirtieth", "fortieth", "fiftieth", "sixtieth", "seventieth", "eightieth", "ninetieth"];
    private static readonly string[] Decades = ["", "", "twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties", "nineties"];
    private static readonly string[] Months =
        ["january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"];

    private static readonly (NumberKind Kind, string[] Words)[] Kinds =
    [
        (NumberKind.Digit, Digits), (NumberKind.Teen, Teens), (NumberKind.Ten, Tens), (NumberKind.Scale, Scales), (NumberKind.DigitOrdinal, DigitOrdinals),
        (NumberKind.TeenOrdinal, TeenOrdinals), (NumberKind.TenOrdinal, TensOrdinals), (NumberKind.Decade, Decades), (NumberKind.Month, Months),
    ];

    // Longest first.
    private static readonly (string[] Words, string Sign)[] Units = Pairs("""
        kilograms force per square centimeter=kgf/cm²
        per square kilometer=/km²
        per square meter=/m²
        miles per hour=mph
        kilometers per hour=km/h
        meters per second=m/s
        square kilometers=km²
        square kilometer=km²
        square meters=m²
        square meter=m²
        square miles=sq mi
        square mile=sq mi
        square feet=sq ft
        square foot=sq ft
        cubic meters=m³
        cubic centimeters=cm³
        cubic feet=cu ft
        kilo watt hours=kWh
        kilowatt hours=kWh
        megawatt hours=MWh
        astronomical units=au
        kilo liters=kl
        milli volt=mV
        milli volts=mV
        peta bytes=PB
        mega siemens=MS
        c c=cc
        degrees celsius=°C
        degrees fahrenheit=°F
        percent=%
        grams=g
        gram=g
        kilograms=kg
        kilogram=kg
        milligrams=mg
        milliliters=ml
        liters=l
        liter=l
        foot=ft
        feet=ft
        inches=in
        yards=yd
        miles=mi
        mile=mi
        kilometers=km
        kilometer=km
        centimeters=cm
        millimeters=mm
        meters=m
        meter=m
        hectares=ha
        acres=ac
        ounces=oz
        pounds=lb
        tons=t
        kilobytes=KB
        megabytes=MB
        gigabytes=GB
        terabytes=TB
        petabytes=PB
        megawatts=MW
        kilowatts=kW
        gigawatts=GW
        watts=W
        volts=V
        volt=V
        hertz=Hz
        kilohertz=kHz
        megahertz=MHz
        gigahertz=GHz
        horsepower=hp
        """);

    // Hours as h only where the turn is nothing else: "two hours" is said and written.
    private static readonly (string[] Words, string Sign)[] SlotUnits = Pairs("hours=h\nhour=h\nminutes=min\nseconds=s");

    private static readonly (string[] Words, string Sign)[] Currencies = Pairs("""
        us dollars=$
        dollars=$
        dollar=$
        euros=€
        euro=€
        pounds sterling=£
        pounds=£
        pound=£
        yen=¥
        won=₩
        rupees=₹
        """);

    private static readonly (string[] Words, string Sign)[] Whitelist = Pairs("""
        s and p five hundred=S&P 500
        r t x=RTX
        c u d n n=cuDNN
        saint=St.
        misses=Mrs.
        missus=Mrs.
        mister=Mr.
        doctor=Dr.
        """);

    private static (string[] Words, string Sign)[] Pairs(string text) =>
        [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(line => line.Split('='))
            .Select(pair => (pair[0].Split(' '), pair[1]))
            .OrderByDescending(pair => pair.Item1.Length)];

    public static void Write(TurnText turn)
    {
        if (turn.Count == 0)
            return;
        if (!Numbers.IsSpoken(turn))
            return;
        var i = 0;
        while (i < turn.Count)
        {
            if (turn[i].Gone || !Starts(turn, i))
            {
                i++;
                continue;
            }

            var taken = Running(turn, i);
            i += Math.Max(1, taken);
        }
    }

    // Whether a number, a date or a code can begin here.
    private static bool Starts(TurnText turn, int i) =>
        turn[i].Has(Words.Number) || turn[i].Form.Number.Kind != NumberKind.None || turn.Lower(i) is "minus" or "point" or "a" or "hundredth" or "thousandth";

    /// <summary>Writes a turn that is nothing but a number, an address or a code, as the answer to a question is.</summary>
    public static bool WriteWhole(TurnText turn)
    {
        if (turn.Count == 0 || turn.Count > LongestAnswer || !Numbers.IsSpoken(turn))
            return false;
        var text = Slot(turn);
        if (text is null)
            return false;
        turn.Replace(0, turn.Count - 1, text, CorrectionReasons.Number, Confidence.High, 0);
        return true;
    }

    private static string? Slot(TurnText turn) =>
        Date(turn) ?? Time(turn) ?? Whole(turn) ?? Electronic(turn) ?? Telephone(turn) ?? Code(turn) ?? Listed(turn);

    private static string? Listed(TurnText turn)
    {
        foreach (var (words, sign) in Whitelist)
        {
            if (words.Length > 1 && words.Length == turn.Count && Follows(turn, 0, words))
                return sign;
        }

        return turn.Count == 2 && turn.Lower(0) is "misses" or "missus" ? "Mrs. " + turn.Surface(1).ToString()
            : turn.Count == 2 && turn.Is(0, "saint") ? "St. " + turn.Surface(1).ToString() : null;
    }

    // A number with its unit, sign or currency, and nothing else.
    private static string? Whole(TurnText turn)
    {
        var length = Quantity(turn, 0, slot: true, out var text);
        if (length == turn.Count)
            return text;
        var ordinal = Ordinal(turn, 0, out var value);
        if (ordinal == turn.Count)
            return WithSuffix(value);
        return null;
    }

    private static string? Date(TurnText turn)
    {
        var at = turn.Is(0, "the") ? 1 : 0;
        // the twenty fifth of july two thousand twelve
        var length = Ordinal(turn, at, out var day);
        if (length > 0 && turn.Is(at + length, "of") && Month(turn, at + length + 1) is { } month && IsDay(day))
        {
            var next = at + length + 2;
            if (next == turn.Count)
                return $"{day} {month}";
            if (Year(turn, next, out var year) == turn.Count - next)
                return $"{day} {month} {year}";
        }

        if (Month(turn, 0) is { } first)
        {
            length = Ordinal(turn, 1, out day);
            if (length == 0)
                length = Cardinal(turn, 1, out day);
            if (length > 0 && length == turn.Count - 1 && IsDay(day))
                return $"{first} {day}";
            if (Year(turn, 1, out var bare) == turn.Count - 1)
                return $"{first} {bare}";
            var ordinal = Ordinal(turn, 1, out day);
            if (ordinal > 0 && IsDay(day) && Year(turn, 1 + ordinal, out var year) == turn.Count - 1 - ordinal)
                return $"{first} {day} {year}";
            // march sixteen sixty five: a year of two halves was said, of which the reading as day and rest is never meant.
        }

        // nineteen eighties, seven fifty b c
        if (turn.Count == 2 && Teen(turn, 0) is var century and >= 10 && IndexOf(NumberKind.Decade, turn, 1) is var decade and > 1)
            return $"{(century * 100) + (decade * 10)}s";
        var last = turn.Count - 1;
        if (last >= 2 && turn.Is(last, "c") && turn.Is(last - 1, "b") && Year(turn, 0, out var before) == last - 1)
            return $"{before}BC";
        if (turn.Count is 2 or 3 && Year(turn, 0, out var only) == turn.Count && (only >= 1300 || turn.Is(0, "eleven")))
            return only.ToString(CultureInfo.InvariantCulture);
        return null;
    }

    private static string? Time(TurnText turn)
    {
        var (at, end, suffix, zone) = (0, turn.Count, "", "");
        if (end >= 3 && turn.Lower(end - 1) is "t" && turn.Lower(end - 2) is "m" or "s" && turn.Lower(end - 3) is "g" or "e" or "p" or "c")
        {
            zone = $" {turn.Lower(end - 3)}{turn.Lower(end - 2)}{turn.Lower(end - 1)}";
            end -= 3;
        }

        if (end >= 2 && turn.Is(end - 1, "m") && turn.Lower(end - 2) is "a" or "p")
        {
            suffix = turn.Is(end - 2, "a") ? " a.m." : " p.m.";
            end -= 2;
        }
        else if (end >= 1 && turn.Lower(end - 1) is "am" or "pm")
        {
            suffix = turn.Is(end - 1, "am") ? " a.m." : " p.m.";
            end--;
        }

        var clock = end > at && turn.Lower(end - 1) is "o'clock" or "oclock";
        if (clock)
            end--;
        if (end - at >= 3 && turn.Lower(end - 2) is "past" or "to" or "after" || (end - at >= 4 && turn.Lower(end - 2) is "past" or "to"))
        {
            var hour = (int)Small(turn, end - 1, out var hourLength);
            var middle = end - 2;
            var minutes = turn.Is(0, "half") ? 30 : turn.Is(0, "quarter") || (turn.Is(0, "a") && turn.Is(1, "quarter")) ? 15 : -1;
            var used = turn.Is(0, "a") ? 2 : 1;
            if (minutes < 0)
            {
                minutes = (int)Cardinal(turn, 0, out var value) > 0 ? (int)value : -1;
                used = Cardinal(turn, 0, out _);
            }

            if (used < middle && turn.Lower(used) is "min" or "minutes" or "minute" or "mins")
                used++;
            if (hourLength == 1 && hour is > 0 and < 13 && minutes is > 0 and < 60 && used == middle)
            {
                if (turn.Is(middle, "to"))
                    (hour, minutes) = (hour == 1 ? 12 : hour - 1, 60 - minutes);
                return $"{hour:00}:{minutes:00}{suffix}{zone}";
            }
        }

        var h = (int)Small(turn, at, out var length);
        if (length != 1 || h is < 1 or > 12)
            return null;
        if (end == at + 1)
            return clock || suffix.Length > 0 ? $"{h:00}:00{suffix}{zone}" : null;
        if (clock)
            return null;
        var m = Cardinal(turn, at + 1, out var minute);
        if (m == end - at - 1 && minute >= 10 && minute < 60 && (suffix.Length > 0 || zone.Length > 0 || h < 13 && end == turn.Count && !(h is 10 or 11)))
            return $"{h:00}:{(int)minute:00}{suffix}{zone}";
        if (end - at == 3 && turn.Lower(at + 1) is "o" or "oh" && (int)Small(turn, at + 2, out var one) is > 0 and < 10 && one == 1 && suffix.Length > 0)
            return $"{h:00}:0{(int)Small(turn, at + 2, out _)}{suffix}{zone}";
        return null;
    }

    private static string? Electronic(TurnText turn)
    {
        var (dots, at, slashes) = (0, -1, false);
        for (var i = 0; i < turn.Count; i++)
        {
            if (turn.Is(i, "dot"))
                dots++;
            else if (turn.Is(i, "at") && at < 0)
                at = i;
            else if (turn.Is(i, "slash"))
                slashes = true;
        }

        if (dots == 0 || turn.Count < 3 || (at <= 0 && (turn.Is(0, "dot") || turn.Is(turn.Count - 1, "dot"))))
            return null;
        var text = new StringBuilder();
        var longWords = 0;
        var digits = 0;
        for (var i = 0; i < turn.Count; i++)
        {
            var word = turn.Lower(i);
            if (word is "double" or "triple" && i + 1 < turn.Count && DigitOf(turn, i + 1) is >= 0 and var repeated)
            {
                text.Append((char)('0' + repeated), word is "double" ? 2 : 3);
                digits++;
                i++;
            }
            else if (i == at)
                text.Append('@');
            else if (word is "dot")
                text.Append('.');
            else if (word is "slash")
                text.Append('/');
            else if (word is "colon")
                text.Append(':');
            else if (word is "dash" or "hyphen")
                text.Append('-');
            else if (word is "underscore")
                text.Append('_');
            else if (DigitOf(turn, i) is >= 0 and var digit)
            {
                text.Append((char)('0' + digit));
                digits++;
            }
            else
            {
                longWords += word.Length > 1 ? 1 : 0;
                text.Append(word);
            }
        }

        // A sentence about a dot is none: an address has few whole words.
        return at > 0 || slashes || longWords <= dots + 1 ? text.ToString() : null;
    }

    private static string? Telephone(TurnText turn)
    {
        var at = 0;
        var prefix = "";
        if (turn.Lower(0) is "ssn")
            (prefix, at) = ("ssn ", 1);
        if (at == 1 && turn.Is(1, "is"))
            (prefix, at) = ("ssn is ", 2);
        var plus = turn.Is(at, "plus");
        if (plus)
            at++;
        var digits = DigitRun(turn, at, out var length);
        if (at + length != turn.Count || digits.Length < (prefix.Length > 0 ? 9 : 7))
            return null;
        if (prefix.Length > 0)
            return digits.Length == 9 ? $"{prefix}{digits[..3]}-{digits[3..5]}-{digits[5..]}" : null;
        return Grouped(digits, plus);
    }

    private static string Grouped(string digits, bool plus) => digits.Length switch
    {
        7 => $"{digits[..3]}-{digits[3..]}",
        > 10 or 10 when plus => $"+{digits[..^10]} {digits[^10..^7]}-{digits[^7..^4]}-{digits[^4..]}",
        10 => $"{digits[..3]}-{digits[3..6]}-{digits[6..]}",
        > 10 => $"{digits[..^10]} {digits[^10..^7]}-{digits[^7..^4]}-{digits[^4..]}",
        _ => digits,
    };

    // Letters and digits said one by one: a b nine, l g a eleven fifty.
    private static string? Code(TurnText turn)
    {
        if (turn.Count < 2)
            return null;
        var text = new StringBuilder();
        var (letters, digits, i) = (0, 0, 0);
        var spaced = false;
        while (i < turn.Count)
        {
            var word = turn.Lower(i);
            if (DigitOf(turn, i) is >= 0 and var digit && !(word is "o" && digits == 0))
            {
                if (Pair(turn, i, out var pairLength) is > 0 and var pair && pairLength > 1)
                {
                    text.Append(pair);
                    i += pairLength;
                }
                else
                {
                    text.Append((char)('0' + digit));
                    i++;
                }

                digits++;
            }
            else if (Pair(turn, i, out var length) is > 0 and var value)
            {
                if (length == 2 && Teen(turn, i) >= 10 && letters >= 3)
                    spaced = true;
                if (spaced && digits == 0)
                    text.Append(' ');
                text.Append(value);
                digits++;
                i += length;
            }
            else if (word.Length == 1)
            {
                text.Append(word);
                letters++;
                i++;
            }
            else
            {
                return null;
            }
        }

        if (letters == 0 || digits == 0 || (letters == 1 && turn.Lower(0) is "a" or "i" && digits < 2))
            return null;
        var written = text.ToString();
        return spaced ? written.ToUpperInvariant() : written;
    }

    // eighty six, eleven fifty, ten eighty: a number below a hundred, or two of them as one of four digits.
    private static int Pair(TurnText turn, int i, out int length)
    {
        length = Below100(turn, i, out var value);
        if (length == 0 || value < 10)
            return 0;
        var second = Below100(turn, i + length, out var rest);
        if (second > 0 && rest >= 10)
        {
            length += second;
            return (value * 100) + rest;
        }

        return value;
    }

    // ---- numbers inside a sentence

    private static int Running(TurnText turn, int i)
    {
        // july twenty fifth, the fifteenth of january
        if (Month(turn, i) is { } month)
        {
            var day = Ordinal(turn, i + 1, out var number);
            if (day > 0 && IsDay(number))
            {
                Put(turn, i, i + day, $"{month} {number}");
                return day + 1;
            }

            var year = Year(turn, i + 1, out var value);
            if (year >= 2 && !turn.Is(i, "may") && !turn.Is(i, "march") && value >= 1300)
            {
                Put(turn, i + 1, i + year, value.ToString(CultureInfo.InvariantCulture));
                return year + 1;
            }

            return 1;
        }

        var phone = DigitRun(turn, i, out var run);
        if (phone.Length >= 7)
        {
            Put(turn, i, i + run - 1, Grouped(phone, plus: false));
            return run;
        }

        var years = Year(turn, i, out var yearOf);
        var quantity = Quantity(turn, i, slot: false, out var text);
        if (years >= 2 && yearOf is >= 1800 and < 2100 && years >= quantity && Scaled(turn, i) <= years)
        {
            Put(turn, i, i + years - 1, yearOf.ToString(CultureInfo.InvariantCulture));
            return years;
        }

        if (quantity > 0)
        {
            if (IsWorthWriting(turn, i, quantity))
                Put(turn, i, i + quantity - 1, text);
            return quantity;
        }

        var ordinal = Ordinal(turn, i, out var ordinalValue);
        if (ordinal > 0 && ordinalValue >= 10)
        {
            Put(turn, i, i + ordinal - 1, WithSuffix(ordinalValue));
            return ordinal;
        }

        return Math.Max(ordinal, 1);
    }

    // Below ten alone stays a word, as in any book; so does one of several small ones in a row, which may be anything.
    private static bool IsWorthWriting(TurnText turn, int i, int length)
    {
        var plain = Cardinal(turn, i, out var value);
        if (plain < length)
            return true;
        if (value < 10 || (length == 1 && turn.Lower(i) is "hundred" or "thousand" or "million"))
            return false;
        // five oh two two; twenty twenty one: digits or a year in other words. Leave what is not understood.
        return !(i > 0 && turn[i - 1].Has(Words.Number)) && !(i + length < turn.Count && turn[i + length].Has(Words.Number));
    }

    private static void Put(TurnText turn, int first, int last, string text)
    {
        for (var i = first; i <= last; i++)
        {
            if (turn[i].Gone)
                return;
        }

        turn.Replace(first, last, text, CorrectionReasons.Number, Confidence.High, 0);
    }

    // minus, a number with its fraction, a scale kept as a word, a unit or a currency.
    private static int Quantity(TurnText turn, int start, bool slot, out string text)
    {
        text = "";
        var i = start;
        var negative = turn.Lower(Math.Min(i, turn.Count)) is "minus" or "negative" && i < turn.Count;
        if (negative)
            i++;
        // per square kilometer and the like need the number first.
        var length = Decimal(turn, i, out var number, out var scale);
        if (length == 0)
            return 0;
        i += length;
        var value = (negative ? "-" : "") + number;
        var scaled = scale.Length > 0 ? " " + scale : "";
        foreach (var (words, sign) in Currencies)
        {
            if (!Follows(turn, i, words) || (!slot && sign == "£" && words.Length == 1))
                continue;
            i += words.Length;
            var cents = Cents(turn, i, slot, out var hundredths);
            if (cents > 0 && scale.Length == 0 && !number.Contains('.', StringComparison.Ordinal))
            {
                text = $"{sign}{value}.{hundredths:00}";
                return i + cents - start;
            }

            text = $"{sign}{value}{scaled}";
            return i - start;
        }

        if (turn.Lower(Math.Min(i, turn.Count)) is "cent" or "cents" && i < turn.Count && slot && scale.Length == 0 && Cardinal(turn, start, out var amount) == i - start && amount < 100)
        {
            text = $"$0.{(int)amount:00}";
            return i + 1 - start;
        }

        if (Match(turn, i, Units, out var unit, out var unitLength) || (slot && Match(turn, i, SlotUnits, out unit, out unitLength)))
        {
            text = unit == "%" ? $"{value}{scaled}%" : $"{value}{scaled} {unit}";
            return i + unitLength - start;
        }

        if (slot && Match(turn, i, [(["yuan"], "yuan")], out unit, out unitLength))
        {
            text = $"{value}{scaled} {unit}";
            return i + unitLength - start;
        }

        text = value + scaled;
        return i - start;
    }

    private static int Cents(TurnText turn, int i, bool slot, out int hundredths)
    {
        hundredths = 0;
        var at = i;
        if (turn.Is(at, "and"))
            at++;
        var length = Below100(turn, at, out hundredths);
        if (length == 0)
            return 0;
        if (turn.Lower(Math.Min(at + length, turn.Count)) is "cents" or "cent" && at + length < turn.Count)
            return at + length + 1 - i;
        return slot && at == i && at + length == turn.Count ? length : 0;
    }

    // A cardinal, with point and digits, and million or more left as a word after it.
    private static int Decimal(TurnText turn, int i, out string number, out string scale)
    {
        scale = "";
        number = "";
        var start = i;
        var length = CardinalOrScale(turn, i, out var value, out scale);
        if (length > 0)
        {
            i += length;
            number = value.ToString(CultureInfo.InvariantCulture);
        }

        if (scale.Length == 0 && turn.Is(i, "point"))
        {
            var digits = new StringBuilder();
            var at = i + 1;
            while (at < turn.Count && DigitOf(turn, at) is >= 0 and var digit)
            {
                digits.Append((char)('0' + digit));
                at++;
            }

            if (digits.Length == 0 && Below100(turn, at, out var pair) is > 0 and var pairLength && pair >= 10)
            {
                digits.Append(pair);
                at += pairLength;
            }

            if (digits.Length > 0)
            {
                number += "." + digits;
                i = at;
                if (IndexOf(NumberKind.Scale, turn, i) is >= 0 and var named)
                {
                    scale = Scales[named];
                    i++;
                }
            }
        }

        return number.Length == 0 ? 0 : i - start;
    }

    // "fifty billion" keeps its scale as a word; "fifty billion three" does not.
    private static int CardinalOrScale(TurnText turn, int i, out BigInteger value, out string scale)
    {
        scale = "";
        var whole = Cardinal(turn, i, out value);
        var below = Below1000(turn, i, out var front);
        if (below > 0 && IndexOf(NumberKind.Scale, turn, i + below) is >= 1 and var named && whole == below + 1)
        {
            value = front;
            scale = Scales[named];
        }

        return whole;
    }

    private static int Scaled(TurnText turn, int i) => Cardinal(turn, i, out _);

    private static int Cardinal(TurnText turn, int i, out BigInteger value)
    {
        value = 0;
        var start = i;
        var last = Scales.Length;
        while (true)
        {
            var at = i;
            if (i > start && turn.Is(at, "and"))
                at++;
            var length = Below10000(turn, at, out var part);
            if (length == 0)
                break;
            var scale = IndexOf(NumberKind.Scale, turn, at + length);
            var indian = turn.Is(at + length, "crore") ? 10_000_000 : turn.Is(at + length, "lakh") ? 100_000 : 0;
            if (indian > 0)
            {
                value += (BigInteger)part * indian;
                i = at + length + 1;
                last = 1;
                continue;
            }

            if (scale >= 0 && scale < last)
            {
                value += part * BigInteger.Pow(1000, scale + 1);
                i = at + length + 1;
                last = scale;
                continue;
            }

            if (scale >= 0 || last == -1 || (i > start && part >= 1000))
                break;
            value += part;
            i = at + length;
            break;
        }

        return i - start;
    }

    // Up to ninety nine hundred.
    private static int Below10000(TurnText turn, int i, out int value)
    {
        var length = Below100(turn, i, out value);
        if (length > 0 && value is >= 10 and < 100 && turn.Is(i + length, "hundred"))
        {
            value *= 100;
            length++;
            return length + Rest(turn, i + length, ref value);
        }

        return Below1000(turn, i, out value);
    }

    private static int Below1000(TurnText turn, int i, out int value)
    {
        var length = Below100(turn, i, out value);
        if (length == 1 && value is > 0 and < 10 && turn.Is(i + 1, "hundred"))
        {
            value *= 100;
            return 2 + Rest(turn, i + 2, ref value);
        }

        if (length == 0 && turn.Is(i, "a") && turn.Is(i + 1, "hundred"))
        {
            value = 100;
            return 2 + Rest(turn, i + 2, ref value);
        }

        return length;
    }

    private static int Rest(TurnText turn, int i, ref int value)
    {
        var and = turn.Is(i, "and") ? 1 : 0;
        var length = Below100(turn, i + and, out var rest);
        if (length == 0)
            return 0;
        value += rest;
        return and + length;
    }

    private static int Below100(TurnText turn, int i, out int value)
    {
        value = IndexOf(NumberKind.Digit, turn, i);
        if (value >= 0)
            return 1;
        value = Teen(turn, i);
        if (value >= 10)
            return 1;
        var tens = IndexOf(NumberKind.Ten, turn, i);
        if (tens < 2)
        {
            value = 0;
            return 0;
        }

        value = tens * 10;
        var ones = IndexOf(NumberKind.Digit, turn, i + 1);
        if (ones <= 0)
            return 1;
        value += ones;
        return 2;
    }

    private static bool IsDay(BigInteger value) => value > 0 && value < 32;

    private static BigInteger Small(TurnText turn, int i, out int length)
    {
        length = Below100(turn, i, out var value);
        return value;
    }

    private static int Ordinal(TurnText turn, int i, out BigInteger value)
    {
        value = 0;
        // Words up to the ordinal one are a cardinal whose last part it is.
        var start = i;
        BigInteger sum = 0;
        var scale = new BigInteger(-1);
        for (var n = i; n < turn.Count && n < i + 12; n++)
        {
            var found = OrdinalAt(turn, n);
            if (found > 0 || turn.Is(n, "zeroth"))
            {
                if (n == start)
                {
                    value = found > 0 ? found : 0;
                    return 1;
                }

                var length = Cardinal(turn, start, out sum);
                if (turn.Is(n - 1, "and"))
                    length++;
                if (start + length != n || (sum % 100 != 0 && !(sum % 10 == 0 && found < 10 && sum % 100 >= 20)))
                    return 0;
                value = sum + found;
                return n - start + 1;
            }

            if (!turn[n].Has(Words.Number) && !turn.Is(n, "and"))
                return 0;
        }

        return 0;
    }

    private static int OrdinalAt(TurnText turn, int i)
    {
        var one = IndexOf(NumberKind.DigitOrdinal, turn, i);
        if (one > 0)
            return one;
        var teen = IndexOf(NumberKind.TeenOrdinal, turn, i);
        if (teen >= 0)
            return 10 + teen;
        var tens = IndexOf(NumberKind.TenOrdinal, turn, i);
        return tens > 1 ? tens * 10 : turn.Is(i, "hundredth") ? 100 : turn.Is(i, "thousandth") ? 1000 : 0;
    }

    private static string WithSuffix(BigInteger value)
    {
        var (tens, ones) = ((int)(value % 100), (int)(value % 10));
        return value + (tens is >= 11 and <= 13 ? "th" : ones switch { 1 => "st", 2 => "nd", 3 => "rd", _ => "th" });
    }

    // nineteen seventy six, twenty twelve, fifteen o six, two thousand nine, sixteen sixty five
    private static int Year(TurnText turn, int i, out int year)
    {
        year = 0;
        if (turn.Is(i, "two") || turn.Is(i, "one"))
        {
            var length = Cardinal(turn, i, out var value);
            year = value < 10000 ? (int)value : 0;
            return year is >= 1000 and < 2100 && length >= 2 ? length : 0;
        }

        var first = Below100(turn, i, out var century);
        if (first == 0)
            return 0;
        if (turn.Lower(Math.Min(i + first, turn.Count)) is "o" or "oh" && i + first < turn.Count && IndexOf(NumberKind.Digit, turn, i + first + 1) is > 0 and var one && century is >= 10 and < 21)
        {
            year = (century * 100) + one;
            return first + 2;
        }

        var second = Below100(turn, i + first, out var rest);
        if (second == 0 || rest < 10 || century >= 21)
            return 0;
        year = (century * 100) + rest;
        return first + second;
    }

    private static string? Month(TurnText turn, int i) => IndexOf(NumberKind.Month, turn, i) is >= 0 ? turn.Surface(i).ToString() : null;

    private static int Teen(TurnText turn, int i) => IndexOf(NumberKind.Teen, turn, i) is >= 0 and var teen ? teen + 10 : 0;

    private static int DigitOf(TurnText turn, int i) => i < turn.Count && turn.Lower(i) is "o" or "oh" ? 0 : IndexOf(NumberKind.Digit, turn, i);

    private static string DigitRun(TurnText turn, int i, out int length)
    {
        var start = i;
        length = 0;
        if (!(turn[i].Form.Number.Kind == NumberKind.Digit || turn.Lower(i) is "o" or "oh" or "double" or "triple"))
            return "";
        var digits = new StringBuilder();
        while (i < turn.Count)
        {
            var times = turn.Is(i, "double") ? 2 : turn.Is(i, "triple") ? 3 : 1;
            var digit = DigitOf(turn, i + (times > 1 ? 1 : 0));
            if (digit < 0 || turn[i].Gone)
                break;
            digits.Append((char)('0' + digit), times);
            i += times > 1 ? 2 : 1;
        }

        length = i - start;
        return digits.ToString();
    }

    private static bool Match(TurnText turn, int i, (string[] Words, string Sign)[] list, out string sign, out int length)
    {
        foreach (var (words, found) in list)
        {
            if (Follows(turn, i, words))
            {
                (sign, length) = (found, words.Length);
                return true;
            }
        }

        (sign, length) = ("", 0);
        return false;
    }

    private static bool Follows(TurnText turn, int i, string[] words)
    {
        if (i + words.Length > turn.Count)
            return false;
        for (var w = 0; w < words.Length; w++)
        {
            if (!turn.Is(i + w, words[w]) || turn[i + w].Gone)
                return false;
        }

        return true;
    }

    private static int IndexOf(NumberKind kind, TurnText turn, int i) =>
        i >= 0 && i < turn.Count && turn[i].Form.Number is var number && number.Kind == kind ? number.Index : -1;

    /// <summary>What a word is in a number.</summary>
    public static NumberWord ReadWord(string word)
    {
        foreach (var (kind, list) in Kinds)
        {
            if (word.Length > 0 && Array.IndexOf(list, word) is >= 0 and var index)
                return new NumberWord(kind, (byte)index);
        }

        return default;
    }
}

/// <summary>What a word can be in a number.</summary>
internal enum NumberKind : byte
{
    None,
    Digit,
    Teen,
    Ten,
    Scale,
    DigitOrdinal,
    TeenOrdinal,
    TenOrdinal,
    Decade,
    Month,
}

/// <summary>A word of a number, and which of its kind.</summary>
internal readonly record struct NumberWord(NumberKind Kind, byte Index);
