namespace Voxbase;

/// <summary>How statistics are kept.</summary>
public sealed class UsageOptions
{
    /// <summary>
    /// How often conversations that are over are added to the rollups. Answers are exact whatever it is: what is not there yet is read
    /// live, which takes longer the more there is of it. From 1 second to 1 hour; default 5 seconds.
    /// </summary>
    public TimeSpan FoldInterval { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long a conversation that goes on must have been quiet before it is added too. Shorter makes statistics faster while many
    /// calls are under way, and the first turn after it a little slower. From 1 second to 1 day; default 1 minute.
    /// </summary>
    public TimeSpan FoldIdleAfter { get; set; } = TimeSpan.FromMinutes(1);

    internal void Validate(Action<string> fail)
    {
        Range(FoldInterval, TimeSpan.FromHours(1), nameof(FoldInterval));
        Range(FoldIdleAfter, TimeSpan.FromDays(1), nameof(FoldIdleAfter));

        void Range(TimeSpan value, TimeSpan high, string name)
        {
            if (value < TimeSpan.FromSeconds(1) || value > high)
                fail($"Usage.{name} must be between 1 second and {high} (was {value})");
        }
    }
}
