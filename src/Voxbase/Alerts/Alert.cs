using System.Text.Json.Serialization;

namespace Voxbase;

/// <summary>How bad an alert is.</summary>
public enum AlertSeverity
{
    /// <summary>Worth knowing.</summary>
    Info,

    /// <summary>Worth looking at.</summary>
    Warning,

    /// <summary>Worth being woken for.</summary>
    Critical,
}

/// <summary>A crossing of a rule's threshold.</summary>
public sealed record Alert
{
    /// <summary>Its id.</summary>
    public required Guid Id { get; init; }

    /// <summary>The rule's name.</summary>
    public required string Rule { get; init; }

    /// <summary>What it is about, for example <c>user/…/2026-11-01</c>.</summary>
    public required string Subject { get; init; }

    /// <summary>The user it concerns; null for the installation's.</summary>
    public Guid? UserId { get; init; }

    /// <summary>How bad.</summary>
    public required AlertSeverity Severity { get; init; }

    /// <summary>What was measured when it opened.</summary>
    public required decimal Value { get; init; }

    /// <summary>What it reached.</summary>
    public required decimal Threshold { get; init; }

    /// <summary>All that in a sentence.</summary>
    public required string Message { get; init; }

    /// <summary>When it opened.</summary>
    public required DateTimeOffset OpenedAt { get; init; }

    /// <summary>When the value had fallen well below; null while it is open.</summary>
    public DateTimeOffset? ResolvedAt { get; init; }

    /// <summary>When somebody took it on.</summary>
    public DateTimeOffset? AcknowledgedAt { get; init; }

    /// <summary>Who; null for the service.</summary>
    public Guid? AcknowledgedBy { get; init; }
}

/// <summary>What is watched.</summary>
public sealed record AlertRule
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>What it means when it fires.</summary>
    public required string Description { get; init; }

    /// <summary>What is measured; see <see cref="AlertMeasure"/>.</summary>
    public required string Measure { get; init; }

    /// <summary>What a value is taken for: installation, user, kind, model or conversation.</summary>
    public required string Scope { get; init; }

    /// <summary>An alert opens when a value reaches it.</summary>
    public required decimal Threshold { get; init; }

    /// <summary>It resolves below this part of the threshold.</summary>
    public decimal ResolveRatio { get; init; } = 0.9m;

    /// <summary>How far back is looked, where the measure looks back.</summary>
    public int WindowMinutes { get; init; } = 60;

    /// <summary>With fewer observations nothing is concluded.</summary>
    public int MinSamples { get; init; } = 1;

    /// <summary>How often it is due.</summary>
    public int EverySeconds { get; init; } = 60;

    /// <summary>How bad.</summary>
    public AlertSeverity Severity { get; init; } = AlertSeverity.Warning;

    /// <summary>Whether it is watched at all.</summary>
    public bool IsEnabled { get; init; } = true;

    /// <summary>When it was last evaluated.</summary>
    public DateTimeOffset? EvaluatedAt { get; init; }
}

/// <summary>What to change of a rule; what is left out stays as it is. A new rule needs its measure and threshold.</summary>
public sealed record AlertRuleChange
{
    /// <summary>What it means when it fires.</summary>
    public string? Description { get; init; }

    /// <summary>What is measured.</summary>
    public string? Measure { get; init; }

    /// <summary>What a value is taken for; a new rule's default is the first that its measure knows.</summary>
    public string? Scope { get; init; }

    /// <summary>An alert opens when a value reaches it. From 0 up.</summary>
    public decimal? Threshold { get; init; }

    /// <summary>It resolves below this part of the threshold. Above 0, at most 1.</summary>
    public decimal? ResolveRatio { get; init; }

    /// <summary>How far back is looked. From 1 to 44,640.</summary>
    public int? WindowMinutes { get; init; }

    /// <summary>With fewer observations nothing is concluded. From 1 up.</summary>
    public int? MinSamples { get; init; }

    /// <summary>How often it is due. From 0 to 86,400.</summary>
    public int? EverySeconds { get; init; }

    /// <summary>How bad.</summary>
    public AlertSeverity? Severity { get; init; }

    /// <summary>Whether it is watched at all.</summary>
    public bool? IsEnabled { get; init; }
}

/// <summary>A webhook that alerts are delivered to.</summary>
public sealed record AlertEndpoint
{
    /// <summary>Its id.</summary>
    public required Guid Id { get; init; }

    /// <summary>Where.</summary>
    public required string Url { get; init; }

    /// <summary>Alerts of these rules alone; null for all.</summary>
    public IReadOnlyList<string>? Rules { get; init; }

    /// <summary>Turned off when the receiver answers 410 Gone.</summary>
    public bool IsEnabled { get; init; } = true;

    /// <summary>The secret that deliveries are signed with: told once, when the endpoint is made.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Secret { get; init; }

    /// <summary>Deliveries that wait for their turn or their next attempt.</summary>
    public int Waiting { get; init; }

    /// <summary>Deliveries given up.</summary>
    public int Dead { get; init; }

    /// <summary>How the last attempt that failed ended; null when none waits or was given up.</summary>
    public string? LastError { get; init; }
}

/// <summary>A webhook to be.</summary>
public sealed record NewAlertEndpoint
{
    /// <summary>Where: http or https.</summary>
    public required string Url { get; init; }

    /// <summary>Alerts of these rules alone; null for all.</summary>
    public IReadOnlyList<string>? Rules { get; init; }
}

/// <summary>How an attempt ended.</summary>
/// <param name="Delivered">Whether the receiver took it.</param>
/// <param name="Outcome">The status, or the kind of failure.</param>
public sealed record DeliveryAttempt(bool Delivered, string Outcome);

/// <summary>What a run of <see cref="Alerts.RunOnceAsync"/> did.</summary>
/// <param name="Evaluated">Rules that were due.</param>
/// <param name="Opened">Alerts opened.</param>
/// <param name="Resolved">Alerts resolved.</param>
/// <param name="Delivered">Deliveries that were taken.</param>
/// <param name="Failed">Deliveries that were not, this time.</param>
public sealed record AlertsRun(int Evaluated, int Opened, int Resolved, int Delivered, int Failed);
