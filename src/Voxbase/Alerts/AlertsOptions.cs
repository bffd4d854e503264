namespace Voxbase;

/// <summary>How alerts are evaluated and delivered.</summary>
public sealed class AlertsOptions
{
    /// <summary>
    /// How often rules that are due are evaluated and deliveries sent. A rule's own every_seconds says how often it is due. From 1 second to
    /// 1 hour; default 15 seconds.
    /// </summary>
    public TimeSpan Every { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a webhook may take to answer. From 1 second to 1 minute; default 10 seconds.</summary>
    public TimeSpan DeliveryTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How often a delivery is tried before it is given up. From 1 to 50; default 12, over about a day.</summary>
    public int DeliveryAttempts { get; set; } = 12;

    /// <summary>
    /// How long after a failure a delivery is tried again; three times longer after each, up to 6 hours, and a fifth more or less by chance.
    /// From 1 second to 1 hour; default 5 seconds.
    /// </summary>
    public TimeSpan DeliveryRetry { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Whether webhooks may be in private networks and on this machine. Turn it off where administrators of Voxbase are not those of the
    /// network it is in. Link-local addresses, where clouds keep their credentials, are never called. Default true.
    /// </summary>
    public bool PrivateAddresses { get; set; } = true;

    internal void Validate(Action<string> fail)
    {
        Range(Every, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1), nameof(Every));
        Range(DeliveryTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1), nameof(DeliveryTimeout));
        Range(DeliveryRetry, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1), nameof(DeliveryRetry));
        if (DeliveryAttempts is < 1 or > 50)
            fail($"Alerts.DeliveryAttempts must be between 1 and 50 (was {DeliveryAttempts})");

        void Range(TimeSpan value, TimeSpan low, TimeSpan high, string name)
        {
            if (value < low || value > high)
                fail($"Alerts.{name} must be between {low} and {high} (was {value})");
        }
    }
}
