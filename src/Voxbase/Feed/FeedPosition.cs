using System.Buffers;
using System.Globalization;

namespace Voxbase;

/// <summary>
/// A place in the order of commits, the same for all servers of a database. Its text is opaque; the texts of one database order as the places do.
/// </summary>
/// <param name="Epoch">Which database's write-ahead log it is a place in.</param>
/// <param name="Commit">The end of the transaction in that log.</param>
/// <param name="Index">The change in the transaction, from 1; the last possible one stands for all of it.</param>
public readonly record struct FeedPosition(uint Epoch, ulong Commit, uint Index) : IComparable<FeedPosition>
{
    internal const uint WholeTransaction = uint.MaxValue;

    private const int Length = 8 + 1 + 16 + 1 + 8;

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out FeedPosition position)
    {
        position = default;
        if (text.Length != Length || text[8] != '-' || text[25] != '-'
            || text.IndexOfAnyExcept(Characters) >= 0
            || !uint.TryParse(text[..8], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var epoch)
            || !ulong.TryParse(text[9..25], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var commit)
            || !uint.TryParse(text[26..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var index))
        {
            return false;
        }

        position = new FeedPosition(epoch, commit, index);
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(FeedPosition other) => (Commit, Index).CompareTo((other.Commit, other.Index));

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Epoch:x8}-{Commit:x16}-{Index:x8}");

    /// <summary>Whether one comes before another.</summary>
    public static bool operator <(FeedPosition left, FeedPosition right) => left.CompareTo(right) < 0;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator >(FeedPosition left, FeedPosition right) => left.CompareTo(right) > 0;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator <=(FeedPosition left, FeedPosition right) => left.CompareTo(right) <= 0;

    /// <inheritdoc cref="op_LessThan"/>
    public static bool operator >=(FeedPosition left, FeedPosition right) => left.CompareTo(right) >= 0;

    private static SearchValues<char> Characters { get; } = SearchValues.Create("0123456789abcdef-");
}
