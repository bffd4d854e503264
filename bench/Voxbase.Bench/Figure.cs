namespace Voxbase.Bench;

/// <summary>One claim: what Voxbase does beside what the raw baseline does, both measured in turns in the same run.</summary>
/// <param name="Bench">The bench it comes from.</param>
/// <param name="Claim">What is claimed, in words.</param>
/// <param name="Unit">Of both values.</param>
/// <param name="Voxbase">Median over the rounds.</param>
/// <param name="Baseline">Median over the rounds.</param>
/// <param name="BaselineName">What the baseline is.</param>
/// <param name="Ratio">Median over the rounds of that round's Voxbase ÷ baseline.</param>
/// <param name="Bound">What the ratio must reach or not pass; null for a figure without a claim.</param>
/// <param name="AtLeast">Whether bound and limit are lower ones.</param>
/// <param name="Limit">What Voxbase's own value must reach or not pass, where the claim is not about the ratio.</param>
public sealed record Figure(
    string Bench, string Claim, string Unit, double Voxbase, double Baseline, string BaselineName, double Ratio, double? Bound, bool AtLeast, double? Limit = null)
{
    /// <summary>Whether bound and limit hold.</summary>
    public bool IsMet => Holds(Ratio, Bound) && Holds(Voxbase, Limit);

    /// <summary>A figure of rounds measured in turns.</summary>
    public static Figure Of(
        string bench, string claim, string unit, IReadOnlyList<(double Voxbase, double Baseline)> rounds, string baselineName, double? bound, bool atLeast) =>
        new(
            bench, claim, unit, Median(rounds.Select(r => r.Voxbase)), Median(rounds.Select(r => r.Baseline)), baselineName,
            Median(rounds.Select(r => r.Voxbase / r.Baseline)), bound, atLeast);

    /// <summary>A figure with a limit of its own, beside what the raw baseline does.</summary>
    public static Figure Limited(
        string bench, string claim, string unit, IReadOnlyList<(double Voxbase, double Baseline)> rounds, string baselineName, double limit, bool atLeast = false) =>
        Of(bench, claim, unit, rounds, baselineName, bound: null, atLeast) with { Limit = limit };

    private bool Holds(double value, double? bound) => bound is not { } given || (AtLeast ? value >= given : value <= given);

    /// <summary>The middle value.</summary>
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted.Count % 2 == 1 ? sorted[sorted.Count / 2] : (sorted[(sorted.Count / 2) - 1] + sorted[sorted.Count / 2]) / 2;
    }
}
