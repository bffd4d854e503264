namespace Voxbase;

/// <summary>Errors about alerts.</summary>
public static class AlertErrors
{
    /// <summary>No such alert.</summary>
    public static ErrorCode NotFound { get; } = new(
        "alert_not_found", ErrorKind.NotFound,
        "There is no such alert, or the caller may not acknowledge it.",
        "`voxbase alerts list` shows them; administrators acknowledge.");

    /// <summary>A rule that cannot be one.</summary>
    public static ErrorCode RuleInvalid { get; } = new(
        "alert_rule_invalid", ErrorKind.Invalid,
        "An alert rule has an unknown measure, a scope its measure is not taken for, or a value out of its range.",
        "The message names the field and what it accepts; `voxbase alerts rules` shows the rules and measures there are.");

    /// <summary>No such rule.</summary>
    public static ErrorCode RuleNotFound { get; } = new(
        "alert_rule_not_found", ErrorKind.NotFound,
        "There is no alert rule of this name, or the caller may not change it.",
        "`voxbase alerts rules` shows them. A new one needs its measure and threshold.");

    /// <summary>An endpoint that cannot be one.</summary>
    public static ErrorCode EndpointInvalid { get; } = new(
        "alert_endpoint_invalid", ErrorKind.Invalid,
        "A webhook's URL is not absolute http or https, carries a login, or names rules that do not exist.",
        "Give a URL such as https://alerts.example.org/voxbase; who sends proves itself by the signature, not by a login.");

    /// <summary>No such endpoint.</summary>
    public static ErrorCode EndpointNotFound { get; } = new(
        "alert_endpoint_not_found", ErrorKind.NotFound,
        "There is no such webhook, or the caller may not see it.",
        "`voxbase alerts webhooks` shows them.");
}
