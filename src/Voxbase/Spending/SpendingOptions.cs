namespace Voxbase;

/// <summary>How calls are held to their budgets.</summary>
public sealed class SpendingOptions
{
    /// <summary>
    /// How many US dollars a call holds of its payer's budget. About what a response or two cost: concurrent calls never take spending
    /// beyond a limit by more than this, and no more calls run at once than the limit holds of it. Above 0 to 1,000; default 1.
    /// </summary>
    public decimal ReservationUsd { get; set; } = 1;

    /// <summary>
    /// How long a call that nobody hears of keeps what it holds. Running calls renew it; it matters after a crash. From 1 minute to 1 day;
    /// default 15 minutes.
    /// </summary>
    public TimeSpan ReservationLapse { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>
    /// How long a call goes on after its client was told that the budget is spent. 0 ends it at once; up to 10 minutes; default 5 seconds.
    /// </summary>
    public TimeSpan ExceededGrace { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How often running calls are looked at without being charged: that finds limits lowered meanwhile and what other servers spent. From
    /// 1 second to a third of <see cref="ReservationLapse"/>; default 15 seconds.
    /// </summary>
    public TimeSpan CheckEvery { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>Whether calls begin when the database cannot say if there is room. Default false: they are refused.</summary>
    public bool AdmitWhenUnavailable { get; set; }

    /// <summary>Whether running calls end when the database cannot say where they stand. Default false: they go on to their end.</summary>
    public bool EndWhenUnavailable { get; set; }

    internal void Validate(Action<string> fail)
    {
        if (ReservationUsd is <= 0 or > 1_000)
            fail($"Spending.ReservationUsd must be above 0 and at most 1000 (was {ReservationUsd})");
        Range(ReservationLapse, TimeSpan.FromMinutes(1), TimeSpan.FromDays(1), nameof(ReservationLapse));
        Range(ExceededGrace, TimeSpan.Zero, TimeSpan.FromMinutes(10), nameof(ExceededGrace));
        Range(CheckEvery, TimeSpan.FromSeconds(1), ReservationLapse / 3, nameof(CheckEvery));

        void Range(TimeSpan value, TimeSpan low, TimeSpan high, string name)
        {
            if (value < low || value > high)
                fail($"Spending.{name} must be between {low} and {high} (was {value})");
        }
    }
}
