using System.Globalization;

namespace Voxbase.Server.Configuration;

/// <summary>Durations as people write them: 90s, 30m, 1h, 7d, 2w.</summary>
internal static class Durations
{
    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = default;
        if (text.Length < 2 || !int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return false;
        TimeSpan? parsed = char.ToLowerInvariant(text[^1]) switch
        {
            's' => TimeSpan.FromSeconds(number),
            'm' => TimeSpan.FromMinutes(number),
            'h' => TimeSpan.FromHours(number),
            'd' when number <= 36_500 => TimeSpan.FromDays(number),
            'w' when number <= 5_200 => TimeSpan.FromDays(7 * number),
            _ => null,
        };
        duration = parsed ?? default;
        return parsed is not null;
    }
}
