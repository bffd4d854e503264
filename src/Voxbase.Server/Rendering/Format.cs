using System.Globalization;

namespace Voxbase.Server.Rendering;

/// <summary>Numbers as people read them.</summary>
internal static class Format
{
    /// <summary>US dollars to the millionth, and on to the billionth where there is something: 0.022450, 0.0152976.</summary>
    public static string Amount(decimal usd) => usd.ToString("0.000000###", CultureInfo.InvariantCulture);

    /// <summary>The same with the sign of the currency.</summary>
    public static string Money(decimal usd) => usd < 0 ? $"-${Amount(-usd)}" : $"${Amount(usd)}";

    /// <summary>A price: at least two decimals.</summary>
    public static string Price(decimal usd) => usd.ToString("$#,0.00#######", CultureInfo.InvariantCulture);

    /// <summary>With thousands apart.</summary>
    public static string Count(decimal number) => number.ToString("#,0.######", CultureInfo.InvariantCulture);

    /// <summary>One turn, two turns.</summary>
    public static string Counted(long number, string noun) => $"{Count(number)} {noun}{(number == 1 ? "" : "s")}";

    /// <summary>840 ms, 1.2 s, 12 s.</summary>
    public static string Milliseconds(int ms) => ms switch
    {
        < 1_000 => $"{ms} ms",
        < 10_000 => (ms / 1000m).ToString("0.0", CultureInfo.InvariantCulture) + " s",
        _ => Duration(ms / 1000),
    };

    /// <summary>45 s, 1 min 21 s, 2 h 5 min.</summary>
    public static string Duration(int seconds) => seconds switch
    {
        < 60 => $"{seconds} s",
        < 3600 => seconds % 60 == 0 ? $"{seconds / 60} min" : $"{seconds / 60} min {seconds % 60} s",
        _ => seconds / 60 % 60 == 0 ? $"{seconds / 3600} h" : $"{seconds / 3600} h {seconds / 60 % 60} min",
    };

    /// <summary>A moment to the second, in UTC.</summary>
    public static string Time(DateTimeOffset moment) => moment.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    /// <summary>A moment to the minute, in UTC.</summary>
    public static string Minute(DateTimeOffset moment) => moment.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);

    /// <summary>A day when it is the day's first moment, else to the second.</summary>
    public static string Day(DateTimeOffset moment) =>
        moment.UtcDateTime.TimeOfDay == TimeSpan.Zero ? moment.UtcDateTime.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture) : Time(moment);

    /// <summary>An enumeration's member as JSON and SQL write it.</summary>
    public static string Word<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();
}
