namespace Voxbase;

/// <summary>Errors about prices and charges.</summary>
public static class SpendingErrors
{
    /// <summary>A price that cannot be one.</summary>
    public static ErrorCode PriceInvalid { get; } = new(
        "price_invalid", ErrorKind.Invalid,
        "A price has a negative amount, an unknown meter or a malformed model pattern; of several, none was set.",
        "Amounts are US dollars from 0 up; meters are those of `voxbase prices`; a model is an exact name, a prefix ending in *, or a /regular expression/ without counts and look-around.");

    /// <summary>Two prices for one time.</summary>
    public static ErrorCode PriceConflict { get; } = new(
        "price_conflict", ErrorKind.Conflict,
        "Another price is set, or given, for the same provider, model, meter and date; of several, none was set.",
        "Give the new price a later valid_from, or replace the old one with --replace (HTTP: ?replace=true); `voxbase prices reprice` then corrects past charges.");

    /// <summary>A charge that cannot be one.</summary>
    public static ErrorCode ChargeInvalid { get; } = new(
        "charge_invalid", ErrorKind.Invalid,
        "A charge has a negative quantity, an unknown meter or an unknown stage; of several, none was recorded.",
        "Quantities count from 0 up; meters are those of `voxbase prices`; stages are llm, asr, tts and session.");

    /// <summary>A period that holds nothing.</summary>
    public static ErrorCode PeriodInvalid { get; } = new(
        "period_invalid", ErrorKind.Invalid,
        "A period does not begin before it ends, or spans more than is answered at once.",
        "Its end is not part of it: the whole of May is from 05-01 to 06-01.");
}
