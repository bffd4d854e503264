namespace Voxbase.Cleaning;

/// <summary>French numbers: sixty and ten, four twenties, and the tens that Belgians and the Swiss say.</summary>
internal static class FrenchNumbers
{
    public static NumberWords Words { get; } = new()
    {
        Parts = NumberWords.Table(
            (NumberPart.Unit, "zéro=0 un=1 une=1 deux=2 trois=3 quatre=4 cinq=5 six=6 sept=7 huit=8 neuf=9"),
            (NumberPart.Teen, "dix=10 onze=11 douze=12 treize=13 quatorze=14 quinze=15 seize=16"),
            (NumberPart.Tens, "vingt=20 vingts=20 trente=30 quarante=40 cinquante=50 soixante=60 septante=70 huitante=80 octante=80 nonante=90"),
            (NumberPart.Hundred, "cent=100 cents=100"),
            (NumberPart.Thousand, "mille=1000 mil=1000"),
            (NumberPart.Scale, "million=1e6 millions=1e6 milliard=1e9 milliards=1e9 billion=1e12 billions=1e12 billiard=1e15 billiards=1e15 trillion=1e18 trillions=1e18"),
            (NumberPart.And, "et=0")),
        Points = ["virgule"],
        Minus = ["moins"],
        Months = ["janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"],
        Currencies = NumberWords.Pairs("de dollars=de dollars\nd'euros=d'euros\ndollars=$\ndollar=$\neuros=€\neuro=€\nlivres=£\nlivre=£\nfrancs=CHF\nyens=¥\nwon=₩\nwons=₩"),
        Cents = NumberWords.Pairs("centimes=€\ncentime=€\ncents=$"),
        Units = NumberWords.Pairs("""
            par kilomètre carré=/km²
            par mètre carré=/m²
            kilomètres carrés=km²
            mètres carrés=m²
            mètres cubes=m³
            kilomètres heure=km/h
            kilomètres par heure=km/h
            mètres par seconde=m/s
            pour cent=%
            kilogrammes=kg
            kilogramme=kg
            kilos=kg
            grammes=g
            milligrammes=mg
            tonnes=t
            litres=l
            millilitres=ml
            kilomètres=km
            mètres=m
            centimètres=cm
            millimètres=mm
            micromètres=µm
            hectares=ha
            volts=V
            watts=W
            kilowatts=kW
            degrés celsius=°C
            """),
        Signs = NumberWords.Pairs("arobase=@\nat=@\npoint=.\nslash=/\nbarre oblique=/\ndeux points=:\ntiret=-\ntiret bas=_"),
        Amount = static (number, sign) => number + " " + sign,
        Telephone = static digits => digits.Length is 9 or 10 ? InPairs(digits.PadLeft(10, '0')) : digits,
        Moment = Moment,
    };

    private static string InPairs(string digits) => string.Join(' ', digits.Chunk(2).Select(pair => new string(pair)));

    private static string? Moment(SpokenNumbers numbers, TurnText turn) => Date(numbers, turn) ?? Time(numbers, turn) ?? Ordinal(numbers, turn);

    // vingt-et-unième, deux neuvièmes, un tiers
    private static string? Ordinal(SpokenNumbers numbers, TurnText turn)
    {
        if (turn.Count > 16)
            return null;
        var last = turn.Lower(turn.Count - 1);
        var plural = last.EndsWith("s");
        var above = turn.Count > 1 && (turn[1].Before & Gap.Dash) == 0 ? numbers.ValueOf(turn.Lower(0).ToString()) : -1;
        if (turn.Count == 2 && last is "tiers" && above is > 0 and < 10)
            return $"{above:0}/3";
        var stem = plural ? last[..^1] : last;
        if (!stem.EndsWith("ième") || stem.Length < 6)
            return null;
        stem = stem[..^4];
        var cardinal = stem switch
        {
            "cinqu" => "cinq",
            "neuv" => "neuf",
            "quatr" or "onz" or "douz" or "treiz" or "quatorz" or "quinz" or "seiz" or "trent" or "quarant" or "cinquant" or "soixant" or "septant" or "nonant" or "mill" => $"{stem}e",
            _ => stem.ToString(),
        };
        var from = above is > 0 and < 10 && (plural || above == 1) ? 1 : 0;
        var value = numbers.ValueOf(turn.Raw[turn[from].Start..turn[turn.Count - 1].Start] + cardinal);
        return value < 2 ? null : from == 1 ? $"{above:0}/{value:0}" : $"{value:0}ᵉ{(plural ? "ˢ" : "")}";
    }


    private static string? Date(SpokenNumbers numbers, TurnText turn)
    {
        var at = turn.Is(0, "le") ? 1 : 0;
        var length = turn.Is(at, "premier") ? 1 : numbers.Cardinal(turn, at, out _, out _);
        if (length == 0 || numbers.Month(turn, at + length) < 0)
            return null;
        var value = 1m;
        if (!turn.Is(at, "premier"))
            numbers.Cardinal(turn, at, out value, out _);
        if (value is < 1 or > 31)
            return null;
        var day = turn.Is(at, "premier") ? "1er" : value.ToString("0");
        var (article, month) = (at == 1 ? turn.Surface(0).ToString() + " " : "", turn.Surface(at + length).ToString());
        if (at + length + 1 == turn.Count)
            return $"{article}{day} {month}";
        return numbers.Year(turn, at + length + 1) is > 0 and var year ? $"{article}{day} {month} {year}" : null;
    }

    // huit heures sept, midi moins le quart, deux heures de l'après-midi
    private static string? Time(SpokenNumbers numbers, TurnText turn)
    {
        decimal hour;
        int i;
        if (turn.Count > 1 && turn.Lower(0) is "midi" or "minuit")
            (hour, i) = (turn.Is(0, "midi") ? 12 : 24, 1);
        else if (numbers.Cardinal(turn, 0, out hour, out _) is > 0 and var length && turn.Lower(length) is "heures" or "heure" && hour <= 24)
            i = length + 1;
        else
            return null;
        decimal minute = 0;
        if (turn.Is(i, "moins"))
        {
            var quarter = turn.Is(i + 1, "le") && turn.Is(i + 2, "quart");
            var taken = quarter ? 2 : numbers.Cardinal(turn, i + 1, out minute, out _);
            if (taken == 0 || minute > 59)
                return null;
            (hour, minute, i) = (hour - 1, 60 - (quarter ? 15 : minute), i + 1 + taken);
        }
        else if (turn.Is(i, "et") && turn.Lower(i + 1) is "quart" or "demie" or "demi")
        {
            minute = turn.Is(i + 1, "quart") ? 15 : 30;
            i += 2;
        }
        else if (i < turn.Count)
        {
            i += numbers.Cardinal(turn, i, out minute, out _);
            if (minute > 59)
                return null;
        }

        var rest = i < turn.Count ? turn.Raw[turn[i].Start..].Trim().ToLowerInvariant() : "";
        if (rest is "du soir" or "de l'après-midi")
            hour += hour < 12 ? 12 : 0;
        else if (rest is not ("" or "du matin"))
            return null;
        return minute > 0 ? $"{hour:0} h {minute:00}" : $"{hour:0} h";
    }
}
