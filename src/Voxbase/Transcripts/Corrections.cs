using System.Text;

namespace Voxbase.Cleaning;

/// <summary>Applying corrections, and undoing them.</summary>
public static class Corrections
{
    /// <summary>
    /// The raw text with these corrections, which must be in order, must not overlap, and must be of this text. Giving fewer than the cleaner
    /// made undoes the others; giving none gives the raw text.
    /// </summary>
    public static string Apply(string raw, IEnumerable<Correction> corrections)
    {
        var text = new StringBuilder(raw.Length);
        var at = 0;
        foreach (var correction in corrections)
        {
            if (correction.Start < at || correction.End < correction.Start || correction.End > raw.Length
                || !raw.AsSpan(correction.Start, correction.End - correction.Start).SequenceEqual(correction.Original))
            {
                throw CleaningErrors.CorrectionsForeign.With($"The correction at {correction.Start} to {correction.End} is not of this text.");
            }

            text.Append(raw, at, correction.Start - at).Append(correction.Corrected);
            at = correction.End;
        }

        return text.Append(raw, at, raw.Length - at).ToString();
    }

    /// <summary>The raw text back, from the cleaned text and all of its corrections.</summary>
    public static string UndoAll(string cleaned, IEnumerable<Correction> corrections)
    {
        var text = new StringBuilder(cleaned.Length);
        var (at, shift) = (0, 0);
        foreach (var correction in corrections)
        {
            var start = correction.Start - shift;
            if (start < at || start + correction.Corrected.Length > cleaned.Length
                || !cleaned.AsSpan(start, correction.Corrected.Length).SequenceEqual(correction.Corrected))
            {
                throw CleaningErrors.CorrectionsForeign.With($"The correction at {correction.Start} to {correction.End} did not make this text.");
            }

            text.Append(cleaned, at, start - at).Append(correction.Original);
            at = start + correction.Corrected.Length;
            shift += correction.Original.Length - correction.Corrected.Length;
        }

        return text.Append(cleaned, at, cleaned.Length - at).ToString();
    }
}
