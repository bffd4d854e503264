namespace Voxbase;

/// <summary>How the context of a long call is kept within its model's limit.</summary>
public sealed class ContextUpkeepOptions
{
    /// <summary>
    /// Whether the oldest turns are summarised when the context fills up. Off, the provider forgets them by its own rule. Default true.
    /// </summary>
    public bool Enabled { get; set; } = true;

    /// <summary>The part of the model's limit at which it happens. Earlier costs a summary more often, later risks being too late. From 0.1 to 1; default 0.8.</summary>
    public double Ratio { get; set; } = 0.8;

    /// <summary>How many of the last turns stay as they were said. From 2 to 1000; default 8.</summary>
    public int KeepTurns { get; set; } = 8;

    /// <summary>The most input tokens a model takes, for models that are not known. 0 (default): what is known of the model, else 28,224.</summary>
    public int MaxInputTokens { get; set; }

    /// <summary>How long a summary may take before the old context is kept and it is tried again later. From 1 second to 5 minutes; default 1 minute.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(1);

    internal void Validate(Action<string> fail)
    {
        if (!(Ratio >= 0.1 && Ratio <= 1))
            fail($"Upkeep.Ratio must be between 0.1 and 1 (was {Ratio})");
        if (KeepTurns is < 2 or > 1000)
            fail($"Upkeep.KeepTurns must be between 2 and 1000 (was {KeepTurns})");
        if (MaxInputTokens < 0)
            fail($"Upkeep.MaxInputTokens must not be negative (was {MaxInputTokens})");
        if (Timeout < TimeSpan.FromSeconds(1) || Timeout > TimeSpan.FromMinutes(5))
            fail($"Upkeep.Timeout must be between 1 s and 5 min (was {Timeout})");
    }
}
