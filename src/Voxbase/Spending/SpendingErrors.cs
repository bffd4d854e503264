namespace Voxbase;

/// <summary>Errors about prices and charges.</summary>
public static class SpendingErrors
{
    /// <summary>A price that cannot be one.</summary>
    public static ErrorCode PriceInvalid { get; } = new(
        "price_invalid", ErrorKind.Invalid,
        "A price has a negative amount, an unknown meter or a malformed model pattern.",
        "Amounts are US dollars from 0 up; meters are those of `voxbase prices`; a model is an exact name, or a prefix ending in *.");

    /// <summary>A charge that cannot be one.</summary>
    public static ErrorCode ChargeInvalid { get; } = new(
        "charge_invalid", ErrorKind.Invalid,
        "A charge has a negative quantity or a meter of the wrong form.",
        "Quantities count from 0 up; a correction is a charge of its own.");
}
