using System.Text.Json.Serialization;

namespace Voxbase;

/// <summary>What happens when a budget is spent.</summary>
public enum OnExceed
{
    /// <summary>No call begins, and those that run are ended.</summary>
    Stop,

    /// <summary>An alert is raised, and nothing else.</summary>
    Warn,
}

/// <summary>A user's tier.</summary>
public enum UserTier
{
    /// <summary>What users begin with.</summary>
    Free,

    /// <summary>Paying.</summary>
    Pro,

    /// <summary>By contract.</summary>
    Enterprise,
}

/// <summary>What may be spent in a month: a tier's default, or what differs from it for a user.</summary>
public sealed record Budget
{
    /// <summary>Whose; null for a tier's.</summary>
    public Guid? UserId { get; init; }

    /// <summary>The user's address, where it is known.</summary>
    public string? Email { get; init; }

    /// <summary>Which tier's default; null for a user's.</summary>
    public UserTier? Tier { get; init; }

    /// <summary>US dollars a month; null: as the tier.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public decimal? LimitUsd { get; init; }

    /// <summary>From which part of the limit on an alert is raised; null: as the tier.</summary>
    public decimal? AlertRatio { get; init; }

    /// <summary>What happens at the limit; null: as the tier.</summary>
    public OnExceed? OnExceed { get; init; }

    /// <summary>Another limit for a time.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public decimal? OverrideLimitUsd { get; init; }

    /// <summary>Until when.</summary>
    public DateTimeOffset? OverrideUntil { get; init; }

    /// <summary>Why.</summary>
    public string? OverrideNote { get; init; }
}

/// <summary>What to change of a budget; what is left out stays as it is.</summary>
public sealed record BudgetChange
{
    /// <summary>US dollars a month, from 0 up.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public decimal? LimitUsd { get; init; }

    /// <summary>Above 0, at most 1.</summary>
    public decimal? AlertRatio { get; init; }

    /// <summary>What happens at the limit.</summary>
    public OnExceed? OnExceed { get; init; }
}

/// <summary>Another limit for a time.</summary>
public sealed record BudgetOverride
{
    /// <summary>US dollars a month, from 0 up.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public required decimal LimitUsd { get; init; }

    /// <summary>When the ordinary limit holds again.</summary>
    public required DateTimeOffset Until { get; init; }

    /// <summary>Why; up to 1,000 characters.</summary>
    public string? Note { get; init; }
}

/// <summary>Where a user stands this month.</summary>
public sealed record BudgetPosition
{
    /// <summary>Whose.</summary>
    public required Guid UserId { get; init; }

    /// <summary>The user's address, where it is known.</summary>
    public string? Email { get; init; }

    /// <summary>The first day of the budget month.</summary>
    public required DateOnly Month { get; init; }

    /// <summary>The limit in force, US dollars.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public required decimal LimitUsd { get; init; }

    /// <summary>Until when an override makes that the limit; null without one.</summary>
    public DateTimeOffset? OverrideUntil { get; init; }

    /// <summary>From which part of the limit on an alert is raised.</summary>
    public required decimal AlertRatio { get; init; }

    /// <summary>What happens at the limit.</summary>
    public required OnExceed OnExceed { get; init; }

    /// <summary>The month's charges, US dollars.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public required decimal SpentUsd { get; init; }

    /// <summary>What running calls hold beside that, US dollars.</summary>
    [JsonNumberHandling(JsonNumberHandling.WriteAsString | JsonNumberHandling.AllowReadingFromString)]
    public required decimal ReservedUsd { get; init; }

    /// <summary>Tokens charged this month.</summary>
    public decimal Tokens { get; init; }

    /// <summary>Conversations charged this month.</summary>
    public int Conversations { get; init; }

    /// <summary>Spent by limit; 1 where something was spent of a limit of 0.</summary>
    public decimal Ratio => LimitUsd > 0 ? decimal.Round(SpentUsd / LimitUsd, 4) : SpentUsd > 0 ? 1 : 0;
}

/// <summary>When a budget's month begins.</summary>
/// <param name="TimeZone">Whose midnight: UTC, Europe/Berlin.</param>
/// <param name="FirstDay">The day of the month, 1 to 28.</param>
public sealed record BudgetWindow(string TimeZone, int FirstDay);

/// <summary>Where a call's payer stands, with the call's own reservation made or kept.</summary>
/// <param name="UserId">Who pays.</param>
/// <param name="Month">The first day of the budget month.</param>
/// <param name="LimitUsd">The limit in force.</param>
/// <param name="AlertRatio">From which part of the limit on an alert is raised.</param>
/// <param name="OnExceed">What happens at the limit.</param>
/// <param name="SpentUsd">The month's charges.</param>
/// <param name="ReservedUsd">What running calls hold, this one's included.</param>
/// <param name="HeldUsd">What this call holds; null when there was no room for it.</param>
public sealed record CallStanding(
    Guid UserId, DateOnly Month, decimal LimitUsd, decimal AlertRatio, OnExceed OnExceed, decimal SpentUsd, decimal ReservedUsd, decimal? HeldUsd)
{
    /// <summary>Whether the alerting part of the limit is spent.</summary>
    public bool IsAlerting => SpentUsd > 0 && SpentUsd >= LimitUsd * AlertRatio;

    /// <summary>Whether the limit is spent.</summary>
    public bool IsSpent => SpentUsd >= LimitUsd;

    /// <summary>
    /// Whether the call must end: the limit is spent, or what is left of it is held by other calls and this one's share is used up.
    /// </summary>
    public bool MustStop => OnExceed == OnExceed.Stop && (IsSpent || HeldUsd is null or 0);
}
