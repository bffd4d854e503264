using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Voxbase.Server.Configuration;

namespace Voxbase.Server.Commands;

/// <summary>Options whose values need more than the parser's own conversions. A value that does not parse is wrong usage.</summary>
internal static class Arguments
{
    /// <summary>A moment: ISO 8601, UTC where no offset is given; a date alone is its first moment.</summary>
    public static Option<DateTimeOffset?> Moment(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "time",
        CustomParser = result => Parse<DateTimeOffset?>(
            result,
            DateTimeOffset.TryParse(
                Single(result), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var moment)
                ? moment
                : null,
            "is not a time such as 2026-05-01 or 2026-05-01T09:30:00Z"),
    };

    /// <summary>A duration such as 90s, 30m, 1h or 7d.</summary>
    public static Option<TimeSpan?> Duration(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "duration",
        CustomParser = result => Parse<TimeSpan?>(
            result,
            Durations.TryParse(Single(result), out var duration) && duration > TimeSpan.Zero ? duration : null,
            "is not a duration such as 90s, 30m, 1h or 7d"),
    };

    /// <summary>A decimal number, with a point whatever the machine's language.</summary>
    public static Option<decimal?> Amount(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "amount",
        CustomParser = result => Parse<decimal?>(
            result,
            decimal.TryParse(Single(result), NumberStyles.Float, CultureInfo.InvariantCulture, out var amount) ? amount : null,
            "is not a number such as 0.40"),
    };

    /// <summary>Refuses a number that is too small or too large. What is no number the parser refuses by itself.</summary>
    public static void Between(Option<int> option, int low, int high) => option.Validators.Add(result =>
    {
        if (result.Tokens is [var token] && long.TryParse(token.Value, out var number) && (number < low || number > high))
            result.AddError(high == int.MaxValue ? $"{option.Name} must be at least {low}." : $"{option.Name} must be between {low} and {high}.");
    });

    private static string Single(ArgumentResult result) => result.Tokens[0].Value;

    private static T Parse<T>(ArgumentResult result, T value, string otherwise)
    {
        if (value is null)
            result.AddError($"'{Single(result)}' {otherwise}.");
        return value;
    }
}
