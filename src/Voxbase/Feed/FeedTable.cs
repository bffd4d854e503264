using System.Buffers;
using System.Collections.Concurrent;
using System.Text;

namespace Voxbase;

/// <summary>
/// A published table as it stood at one state of its definition, policies and privileges (<see cref="Stamp"/>).
/// </summary>
internal sealed class FeedTable
{
    private readonly ConcurrentDictionary<string, FeedAccess> access = new();
    private readonly ConcurrentDictionary<(string Role, string? Columns), FeedView> views = new();

    public required WalRelation Relation { get; init; }

    public required string Stamp { get; init; }

    /// <summary>Of each column of the relation.</summary>
    public required FeedType[] Types { get; init; }

    /// <summary>The primary key's columns, by index, and their types in SQL.</summary>
    public required int[] Key { get; init; }

    public required string[] KeyTypes { get; init; }

    /// <summary>The columns that policies for reading name, by index: what a row's visibility depends on beside other tables.</summary>
    public required int[] PolicyColumns { get; init; }

    /// <summary>Whether one of them looks at the row as a whole.</summary>
    public required bool PolicyNamesWholeRow { get; init; }

    /// <summary>Whether the service sees every row, so that it can be asked which of them are still as the change left them.</summary>
    public required bool ServiceSeesAll { get; init; }

    /// <summary>Columns that are not in the log, because they are made of others.</summary>
    public required GeneratedColumn[] Generated { get; init; }

    public string Schema => Relation.Schema;

    public string Name => Relation.Table;

    public FeedAccess? AccessOf(string role) => access.GetValueOrDefault(role);

    public FeedAccess Remember(string role, FeedAccess value) => access[role] = value;

    public int ColumnOf(string name)
    {
        for (var i = 0; i < Relation.Columns.Length; i++)
        {
            if (Relation.Columns[i].Name == name)
                return i;
        }

        return -1;
    }

    /// <summary>What a role sees of a row when it asks for these columns (null: all).</summary>
    public FeedView ViewOf(string role, FeedAccess of, IReadOnlyCollection<string>? columns) =>
        views.GetOrAdd((role, columns is null ? null : string.Join('\n', columns)), _ => new FeedView(this, of, columns));
}

/// <summary>A column that is made of others of its row.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type.</param>
/// <param name="Expression">In SQL, for whatever row source has the table's name.</param>
/// <param name="Needs">The columns it is made of, by index, and their types in SQL.</param>
internal sealed record GeneratedColumn(string Name, FeedType Type, string Expression, (int Column, string Type)[] Needs);

/// <summary>What a role may do with a table.</summary>
/// <param name="Columns">Those it may select.</param>
/// <param name="SeesAll">No policy holds it back: there are none, it passes them, or one says <c>true</c>.</param>
internal sealed record FeedAccess(HashSet<string> Columns, bool SeesAll)
{
    /// <summary>What its policies come to, where values are enough to ask them; null where it takes the table.</summary>
    public PolicyCondition? Condition { get; init; }

    public bool MaySeeKey(FeedTable table) => table.Key.Length > 0 && table.Key.All(i => Columns.Contains(table.Relation.Columns[i].Name));
}

/// <summary>The columns of a table that go out to a subscriber.</summary>
internal sealed class FeedView
{
    private readonly FeedTable table;
    private readonly int[] columns;
    private readonly byte[][] names;
    private readonly int[] generated;

    public FeedView(FeedTable table, FeedAccess access, IReadOnlyCollection<string>? wanted)
    {
        this.table = table;
        columns = [.. Enumerable.Range(0, table.Types.Length).Where(i =>
            access.Columns.Contains(table.Relation.Columns[i].Name)
            && (wanted is null || table.Key.Contains(i) || wanted.Contains(table.Relation.Columns[i].Name)))];
        names = [.. table.Relation.Columns.Select(column => Encoding.UTF8.GetBytes(column.Name))];
        generated = [.. Enumerable.Range(0, table.Generated.Length).Where(i =>
            access.Columns.Contains(table.Generated[i].Name) && wanted?.Contains(table.Generated[i].Name) != false)];
        Columns =
        [
            .. columns.Select(i => new FeedColumn(table.Relation.Columns[i].Name, table.Types[i].Name, table.Key.Contains(i))),
            .. generated.Select(i => new FeedColumn(table.Generated[i].Name, table.Generated[i].Type.Name)),
        ];
    }

    public IReadOnlyList<FeedColumn> Columns { get; }

    /// <summary>A change as whoever has this view is told of it.</summary>
    public FeedEvent Event(WalChange change, IReadOnlyList<int> matches)
    {
        List<string>? unchanged = null;
        var isDelete = change.Kind == FeedChanges.Delete;
        if (!isDelete)
        {
            foreach (var i in columns)
            {
                if (change.Values[i].Length == WalValue.Unchanged)
                    (unchanged ??= []).Add(table.Relation.Columns[i].Name);
            }

            foreach (var i in generated)
            {
                if (change.Generated is not { } made || ReferenceEquals(made.Values[i], GeneratedValues.Unknown))
                    (unchanged ??= []).Add(table.Generated[i].Name);
            }
        }

        return new FeedEvent
        {
            Kind = FeedEventKind.Change,
            Position = change.Position,
            CommittedAt = change.Transaction.CommittedAt,
            Matches = matches,
            Schema = table.Schema,
            Table = table.Name,
            Change = change.Kind,
            Columns = Columns,
            Record = isDelete ? Empty : Row(change, change.Values, columns, change.Generated),
            OldRecord = change.Kind == FeedChanges.Insert ? Empty
                : Row(change, change.Kind == FeedChanges.Update && change.Old is { } old && KeyMoved(change, old) ? old : change.Values, table.Key),
            Unchanged = unchanged ?? [],
            TransactionId = change.Transaction.Id,
            RowKey = RowKeyOf(change),
        };
    }

    private static ReadOnlyMemory<byte> Empty { get; } = "{}"u8.ToArray();

    private bool KeyMoved(WalChange change, WalValue[] old) =>
        table.Key.Any(i => old[i].Length >= 0 && !change.Text(old[i]).SequenceEqual(change.Values[i].Length >= 0 ? change.Text(change.Values[i]) : []));

    private string RowKeyOf(WalChange change)
    {
        var key = new StringBuilder(table.Relation.Oid.ToString(System.Globalization.CultureInfo.InvariantCulture));
        foreach (var i in table.Key)
            key.Append('\0').Append(change.Values[i].Length >= 0 ? Encoding.UTF8.GetString(change.Text(change.Values[i])) : "");
        return key.ToString();
    }

    private ReadOnlyMemory<byte> Row(WalChange change, WalValue[] values, int[] which, GeneratedValues? made = null)
    {
        var output = new ArrayBufferWriter<byte>(change.Data.Length + (which.Length * 24) + 16);
        PostgresJson.Put(output, (byte)'{');
        var isFirst = true;
        foreach (var i in which)
        {
            if (values[i].Length == WalValue.Unchanged)
                continue;
            if (!isFirst)
                PostgresJson.Put(output, (byte)',');
            isFirst = false;
            PostgresJson.WriteName(output, names[i]);
            PostgresJson.Put(output, (byte)':');
            if (values[i].Length == WalValue.Null)
                output.Write("null"u8);
            else
                PostgresJson.Write(output, table.Types[i], change.Text(values[i]));
        }

        foreach (var i in made is null ? [] : generated)
        {
            if (ReferenceEquals(made!.Values[i], GeneratedValues.Unknown))
                continue;
            if (!isFirst)
                PostgresJson.Put(output, (byte)',');
            isFirst = false;
            PostgresJson.WriteString(output, Encoding.UTF8.GetBytes(table.Generated[i].Name));
            PostgresJson.Put(output, (byte)':');
            if (made.Values[i] is { } text)
                PostgresJson.Write(output, table.Generated[i].Type, text);
            else
                output.Write("null"u8);
        }

        PostgresJson.Put(output, (byte)'}');
        return output.WrittenMemory;
    }
}
