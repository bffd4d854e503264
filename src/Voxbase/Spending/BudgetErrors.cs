namespace Voxbase;

/// <summary>Errors about budgets.</summary>
public static class BudgetErrors
{
    /// <summary>There is no room for another call.</summary>
    public static ErrorCode Exceeded { get; } = new(
        "budget_exceeded", ErrorKind.Forbidden,
        "The month's budget is spent, or held by other running calls, and the budget says to stop there.",
        "`voxbase budgets show --user …` shows where it went; an administrator raises the limit, for a time with `voxbase budgets override`.");

    /// <summary>Whether there is room could not be found out.</summary>
    public static ErrorCode Unknown { get; } = new(
        "budget_unknown", ErrorKind.Unavailable,
        "The database did not say whether the budget allows the call, so it was not begun.",
        "Try again. Spending.AdmitWhenUnavailable lets calls begin unchecked instead.");

    /// <summary>A budget that cannot be one.</summary>
    public static ErrorCode Invalid { get; } = new(
        "budget_invalid", ErrorKind.Invalid,
        "A budget has a limit or an alert ratio out of its range, or an override that does not end in the future.",
        "Limits are US dollars from 0 to below 1,000,000,000 with at most 9 decimals; the alert ratio is above 0 and at most 1; an override ends within ten years.");

    /// <summary>There is no such budget of its own.</summary>
    public static ErrorCode NotFound { get; } = new(
        "budget_not_found", ErrorKind.NotFound,
        "The user has no budget or override of their own.",
        "Without one the tier's holds; `voxbase budgets list` shows them.");
}
