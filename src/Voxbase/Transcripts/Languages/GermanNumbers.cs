namespace Voxbase.Cleaning;

/// <summary>German numbers: ones before tens, whole numbers in one word or in several.</summary>
internal static class GermanNumbers
{
    private static readonly string[] Endings = ["ster", "stes", "sten", "stem", "ste", "ter", "tes", "ten", "tem", "te"];

    public static NumberWords Words { get; } = new()
    {
        Compounds = true,
        Parts = NumberWords.Table(
            (NumberPart.Unit, "null=0 ein=1 eins=1 eine=1 einen=1 einem=1 einer=1 zwei=2 zwo=2 drei=3 vier=4 fünf=5 sechs=6 sieben=7 acht=8 neun=9"),
            (NumberPart.Teen, "zehn=10 elf=11 zwölf=12 dreizehn=13 vierzehn=14 fünfzehn=15 sechzehn=16 siebzehn=17 achtzehn=18 neunzehn=19"),
            (NumberPart.Tens, "zwanzig=20 dreißig=30 dreissig=30 vierzig=40 fünfzig=50 sechzig=60 siebzig=70 achtzig=80 neunzig=90"),
            (NumberPart.Hundred, "hundert=100"),
            (NumberPart.Thousand, "tausend=1000"),
            (NumberPart.Scale, "million=1e6 millionen=1e6 milliarde=1e9 milliarden=1e9 billion=1e12 billionen=1e12 billiarde=1e15 billiarden=1e15 trillion=1e18 trillionen=1e18"),
            (NumberPart.And, "und=0")),
        Points = ["komma"],
        Minus = ["minus"],
        Months = ["januar", "februar", "märz", "april", "mai", "juni", "juli", "august", "september", "oktober", "november", "dezember"],
        Currencies = NumberWords.Pairs("us dollar=$\ndollar=$\neuro=€\npfund=£\nfranken=CHF\nyen=¥"),
        Cents = NumberWords.Pairs("cent=€\ncents=€\npence=£\npenny=£\nrappen=CHF"),
        Units = NumberWords.Pairs("""
            pro quadrat kilometer=/km²
            pro quadrat meter=/m²
            quadrat kilometer=km²
            quadratkilometer=km²
            quadrat meter=m²
            quadratmeter=m²
            kubik zentimeter=cm³
            kubik meter=m³
            kubikmeter=m³
            kilometer pro stunde=km/h
            meter pro sekunde=m/s
            prozent=%
            kilogramm=kg
            gramm=g
            milligramm=mg
            tonnen=t
            liter=l
            milliliter=ml
            kilometer=km
            meter=m
            zentimeter=cm
            millimeter=mm
            hektar=ha
            volt=V
            millivolt=mV
            watt=W
            kilowatt=kW
            kilowattstunden=kWh
            grad celsius=°C
            gigabyte=GB
            megabyte=MB
            """),
        Signs = NumberWords.Pairs("at=@\npunkt=.\nslash=/\nschrägstrich=/\ndoppelpunkt=:\nbindestrich=-\nminus=-\nunterstrich=_\nfragezeichen=?"),
        Amount = static (number, sign) => sign == "CHF" ? "CHF " + number : sign + number,
        Telephone = static digits => digits.Length switch
        {
            12 when digits[0] == '0' => $"({digits[..4]}) {digits[4..8]}-{digits[8..]}",
            _ => digits,
        },
        Moment = Moment,
    };

    private static string? Moment(SpokenNumbers numbers, TurnText turn) => Date(numbers, turn) ?? Time(numbers, turn) ?? Ordinal(numbers, turn);

    private static string? Date(SpokenNumbers numbers, TurnText turn)
    {
        if (numbers.Year(turn, 0) is > 1099 and var alone && turn.Count > 1)
            return alone.ToString();
        if (turn.Count > 1 && numbers.Month(turn, 0) >= 0 && numbers.Year(turn, 1) is > 0 and var bare)
            return $"{turn.Surface(0)} {bare}";
        for (var m = 1; m < Math.Min(turn.Count, 5); m++)
        {
            if (numbers.Month(turn, m) < 0)
                continue;
            var day = OrdinalOf(numbers, turn, 0, m);
            if (day is < 1 or > 31)
                return null;
            if (m + 1 == turn.Count)
                return $"{day}. {turn.Surface(m)}";
            return numbers.Year(turn, m + 1) is > 0 and var year ? $"{day}. {turn.Surface(m)} {year}" : null;
        }

        return null;
    }

    // zwei neuntel; vierundzwanzigster
    private static string? Ordinal(SpokenNumbers numbers, TurnText turn)
    {
        if (turn.Count > 8)
            return null;
        if (turn.Count > 1 && turn.Lower(turn.Count - 1).EndsWith("tel") && numbers.ValueOf(turn.Lower(0).ToString()) is > 0 and < 100 and var above
            && OrdinalOf(numbers, turn.Raw[turn[1].Start..(turn[turn.Count - 1].End - 1)]) is > 2 and var below)
        {
            return $"{above:0}/{below:0}";
        }

        return OrdinalOf(numbers, turn, 0, turn.Count) is >= 10 and var value ? $"{value:0}." : null;
    }

    private static decimal OrdinalOf(SpokenNumbers numbers, TurnText turn, int first, int end) =>
        OrdinalOf(numbers, turn.Raw[turn[first].Start..turn[end - 1].End]);

    // What an ordinal counts; -1 when the text is none.
    private static decimal OrdinalOf(SpokenNumbers numbers, string said)
    {
        switch (said)
        {
            case "erster" or "erste" or "ersten":
                return 1;
            case "dritter" or "dritte" or "dritten":
                return 3;
            case "siebter" or "siebte" or "siebten":
                return 7;
            case "achter" or "achte" or "achten":
                return 8;
        }

        foreach (var ending in Endings)
        {
            if (said.Length > ending.Length && said.EndsWith(ending, StringComparison.Ordinal) && numbers.ValueOf(said[..^ending.Length]) is >= 0 and var value
                && (value % 100 is > 0 and < 20 ? ending.Length <= 3 && ending[0] == 't' : ending[0] == 's'))
            {
                return value;
            }
        }

        return -1;
    }

    private static string? Time(SpokenNumbers numbers, TurnText turn)
    {
        for (var i = 1; i < turn.Count; i++)
        {
            if (turn.Is(i, "uhr"))
            {
                if (numbers.Cardinal(turn, 0, out var hour, out _) != i || hour > 24)
                    return null;
                if (i + 1 == turn.Count)
                    return $"{hour:0} Uhr";
                return numbers.Cardinal(turn, i + 1, out var minute, out _) == turn.Count - i - 1 && minute < 60 ? $"{hour:00}:{minute:00} Uhr" : null;
            }

            if (turn.Lower(i) is "vor" or "nach")
            {
                decimal minutes = 15;
                if (!(i == 1 && turn.Is(0, "viertel")) && numbers.Cardinal(turn, 0, out minutes, out _) != i)
                    return null;
                var length = numbers.Cardinal(turn, i + 1, out var hour, out _);
                if (length == 0 || minutes is < 1 or > 59 || hour is < 1 or > 24 || i + 1 + length != turn.Count)
                    return null;
                return turn.Is(i, "nach") ? $"{hour:00}:{minutes:00} Uhr" : $"{(hour == 1 ? 12 : hour - 1):00}:{60 - minutes:00} Uhr";
            }
        }

        return turn.Count == 2 && turn.Is(0, "halb") && numbers.Cardinal(turn, 1, out var half, out _) == 1 && half is > 0 and < 13
            ? $"{(half == 1 ? 12 : half - 1):00}:30 Uhr" : null;
    }
}
