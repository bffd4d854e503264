using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Voxbase.DataApi;

/// <summary>A column of a view and the relation's column that it shows.</summary>
internal readonly record struct ViewColumn(short Number, uint Table, short Column);

/// <summary>
/// Where the columns of views come from: PostgreSQL keeps with each output of a view the relation and column it was taken from, one
/// view deep. Followed through views of views down to tables.
/// </summary>
internal sealed class ViewColumns(Dictionary<uint, List<ViewColumn>> views)
{
    private static readonly SearchValues<char> Digits = SearchValues.Create("-0123456789");

    private readonly Dictionary<uint, Dictionary<(uint Table, short Column), List<short>>> resolved = [];

    /// <summary>Of each table's column that a view shows, the numbers of the view's columns that do.</summary>
    public IReadOnlyDictionary<(uint Table, short Column), List<short>> Of(uint view)
    {
        if (resolved.TryGetValue(view, out var known))
            return known;
        var shown = new Dictionary<(uint, short), List<short>>();
        // For itself while it is on its way: a view cannot contain itself, but rules can be made to say so.
        resolved[view] = shown;
        foreach (var column in views.GetValueOrDefault(view) ?? [])
        {
            Add((column.Table, column.Column), column.Number);
            if (!views.ContainsKey(column.Table) || column.Table == view)
                continue;
            foreach (var (origin, through) in Of(column.Table))
            {
                if (through.Contains(column.Column))
                    Add(origin, column.Number);
            }
        }

        return shown;

        void Add((uint, short) origin, short number)
        {
            var numbers = CollectionsMarshal.GetValueRefOrAddDefault(shown, origin, out _) ??= [];
            if (!numbers.Contains(number))
                numbers.Add(number);
        }
    }

    /// <summary>
    /// Reads the outputs of a stored query (<c>pg_rewrite.ev_action</c>), a list of nodes in braces with fields like <c>:resno 1</c>:
    /// those of the outermost query's target list, four levels down.
    /// </summary>
    public static List<ViewColumn> Read(ReadOnlySpan<char> tree)
    {
        var columns = new List<ViewColumn>();
        var (depth, isInTargets) = (0, false);
        var (number, table, column) = (0L, 0L, 0L);
        for (var i = 0; i < tree.Length; i++)
        {
            switch (tree[i])
            {
                case '\\':
                    i++;
                    break;
                case '{' or '(':
                    depth++;
                    if (depth == 4 && isInTargets)
                        (number, table, column) = (0, 0, 0);
                    break;
                case '}' or ')':
                    if (depth == 4 && isInTargets && number > 0 && table > 0 && column > 0)
                        columns.Add(new ViewColumn((short)number, (uint)table, (short)column));
                    depth--;
                    if (depth == 2 && isInTargets)
                        return columns;
                    break;
                case ':' when depth == 2 && tree[i..].StartsWith(":targetList "):
                    isInTargets = true;
                    break;
                case ':' when depth == 4 && isInTargets:
                    var rest = tree[(i + 1)..];
                    number = Value(rest, "resno ") ?? number;
                    table = Value(rest, "resorigtbl ") ?? table;
                    column = Value(rest, "resorigcol ") ?? column;
                    break;
            }
        }

        return columns;
    }

    private static long? Value(ReadOnlySpan<char> text, string field)
    {
        if (!text.StartsWith(field))
            return null;
        text = text[field.Length..];
        var end = text.IndexOfAnyExcept(Digits);
        return long.TryParse(end < 0 ? text : text[..end], CultureInfo.InvariantCulture, out var value) ? value : null;
    }
}
