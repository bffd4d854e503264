namespace Voxbase.Cleaning;

/// <summary>Spanish numbers: hundreds in one word, and scales by the million.</summary>
internal static class SpanishNumbers
{
    public static NumberWords Words { get; } = new()
    {
        Parts = NumberWords.Table(
            (NumberPart.Unit, "cero=0 un=1 uno=1 una=1 dos=2 tres=3 cuatro=4 cinco=5 seis=6 siete=7 ocho=8 nueve=9"),
            (NumberPart.Teen, "diez=10 once=11 doce=12 trece=13 catorce=14 quince=15 dieciséis=16 diecisiete=17 dieciocho=18 diecinueve=19 veinte=20 veintiuno=21 veintiún=21 veintiuna=21 veintidós=22 veintitrés=23 veinticuatro=24 veinticinco=25 veintiséis=26 veintisiete=27 veintiocho=28 veintinueve=29"),
            (NumberPart.Tens, "treinta=30 cuarenta=40 cincuenta=50 sesenta=60 setenta=70 ochenta=80 noventa=90"),
            (NumberPart.Hundreds, "cien=100 ciento=100 doscientos=200 doscientas=200 trescientos=300 trescientas=300 cuatrocientos=400 cuatrocientas=400 quinientos=500 quinientas=500 seiscientos=600 seiscientas=600 setecientos=700 setecientas=700 ochocientos=800 ochocientas=800 novecientos=900 novecientas=900"),
            (NumberPart.Thousand, "mil=1000"),
            (NumberPart.Scale, "millón=1e6 millones=1e6 millardo=1e9 millardos=1e9 billón=1e12 billones=1e12 trillón=1e18 trillones=1e18"),
            (NumberPart.And, "y=0")),
        Points = ["coma", "punto"],
        Minus = ["menos"],
        Months = ["enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre"],
        Currencies = NumberWords.Pairs("dólares americanos=US$\ndólares estadounidenses=US$\npesos mexicanos=Mex$\ndólares=$\ndólar=$\neuros=€\neuro=€\nlibras=£\nlibra=£\nyenes=¥\nyen=¥\npesos=$"),
        Cents = NumberWords.Pairs("centavos=$\ncentavo=$\ncéntimos=€\ncéntimo=€\npeniques=£"),
        Units = NumberWords.Pairs("""
            por kilómetro cuadrado=/km²
            kilómetros cuadrados=km²
            metros cuadrados=m²
            metros cúbicos=m³
            kilómetros por hora=km/h
            metros por segundo=m/s
            por ciento=%
            kilogramos=kg
            kilos=kg
            gramos=g
            miligramos=mg
            toneladas=t
            litros=l
            mililitros=ml
            kilómetros=km
            metros=m
            centímetros=cm
            milímetros=mm
            hectáreas=ha
            voltios=V
            vatios=W
            kilovatios=kW
            grados celsius=°C
            """),
        Signs = NumberWords.Pairs("arroba=@\npunto=.\nbarra=/\ndos puntos=:\nguion bajo=_\nguion=-\nguión=-\ndoble ve=w"),
        Amount = static (number, sign) => sign + number,
        Telephone = static digits => digits.Length switch
        {
            8 => $"{digits[..4]}-{digits[4..]}",
            9 => $"{digits[..3]}-{digits[3..6]}-{digits[6..]}",
            10 => $"{digits[..3]}-{digits[3..6]}-{digits[6..]}",
            _ => digits,
        },
        Moment = Moment,
    };

    private static string? Moment(SpokenNumbers numbers, TurnText turn) => Date(numbers, turn) ?? Time(numbers, turn);

    private static string? Date(SpokenNumbers numbers, TurnText turn)
    {
        var at = turn.Is(0, "el") ? 1 : 0;
        decimal day = 1;
        var length = turn.Is(at, "primero") ? 1 : numbers.Cardinal(turn, at, out day, out _);
        var month = at + length + 1;
        if (length == 0 || day is < 1 or > 31 || !turn.Is(month - 1, "de") || numbers.Month(turn, month) < 0)
            return null;
        var text = $"{(at == 1 ? turn.Surface(0).ToString() + " " : "")}{day:0} de {turn.Surface(month)}";
        if (month + 1 == turn.Count)
            return text;
        return turn.Lower(month + 1) is "de" or "del" && numbers.Year(turn, month + 2) is > 0 and var year ? $"{text} {turn.Surface(month + 1)} {year}" : null;
    }

    // la una y cuarto, las dos menos veinte, cuarto para las dos, dos y media de la tarde
    private static string? Time(SpokenNumbers numbers, TurnText turn)
    {
        var i = 0;
        var before = 0m;
        if (turn.Is(1, "para") && (turn.Is(0, "cuarto") || numbers.Cardinal(turn, 0, out before, out _) == 1))
        {
            before = turn.Is(0, "cuarto") ? 15 : before;
            i = 2;
        }

        var article = turn.Lower(Math.Min(i, turn.Count)) is "la" or "las" && i < turn.Count ? turn.Lower(i++).ToString() + " " : "";
        // "treinta y cinco" is a number; an hour is one word, two from twenty-one on.
        var length = i < turn.Count && numbers.IsNumber(turn, i) ? 1 : 0;
        if (length == 0 || before is < 0 or > 59)
            return null;
        var hour = numbers.ValueOf(turn.Lower(i).ToString());
        if (hour is < 0 or > 24)
            return null;
        i++;
        var (minute, told) = (0m, before > 0);
        if (before > 0)
        {
            (hour, minute) = (hour == 1 ? 12 : hour - 1, 60 - before);
        }
        else if (turn.Is(i, "menos"))
        {
            var taken = turn.Is(i + 1, "cuarto") ? 1 : numbers.Cardinal(turn, i + 1, out minute, out _);
            minute = turn.Is(i + 1, "cuarto") ? 15 : minute;
            if (taken == 0 || minute is < 1 or > 59)
                return null;
            (hour, minute, i, told) = (hour == 1 ? 12 : hour - 1, 60 - minute, i + 1 + taken, true);
        }
        else if (turn.Is(i, "y") && turn.Lower(Math.Min(i + 1, turn.Count)) is "cuarto" or "media" && i + 1 < turn.Count)
        {
            (minute, i, told) = (turn.Is(i + 1, "cuarto") ? 15 : 30, i + 2, true);
        }
        else
        {
            var and = turn.Is(i, "y") ? 1 : 0;
            var taken = i + and < turn.Count ? numbers.Cardinal(turn, i + and, out minute, out _) : 0;
            if (taken > 0 && minute < 60)
                (i, told) = (i + and + taken, true);
            else
                minute = 0;
        }

        var rest = i < turn.Count ? turn.Raw[turn[i].Start..].Trim().ToLowerInvariant() : "";
        var half = rest switch
        {
            "" => "",
            "de la tarde" or "de la noche" or "pe eme" or "p m" => " p.m.",
            "de la mañana" or "a eme" or "a m" => " a.m.",
            _ => null,
        };
        // Without minutes and half of the day, "las tres" may be three of anything.
        if (half is null || (!told && half.Length == 0) || (article.Length == 0 && half.Length == 0))
            return null;
        if (article.Length > 0)
            article = hour == 1 ? "la " : "las ";
        return $"{article}{hour:0}:{minute:00}{half}";
    }
}
