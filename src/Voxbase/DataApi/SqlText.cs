using System.Globalization;
using System.Text;
using Npgsql;
using NpgsqlTypes;

namespace Voxbase.DataApi;

/// <summary>A statement in the making. Text comes from the catalogs and from this code; what a client sent can only become a parameter.</summary>
internal sealed class SqlText
{
    private readonly StringBuilder text = new(512);

    public List<NpgsqlParameter> Parameters { get; } = new(4);

    public SqlText Add(string sql)
    {
        text.Append(sql);
        return this;
    }

    /// <summary>A name, quoted. Names of the catalogs, and those that a client gives to columns of its answer.</summary>
    public SqlText Name(string name)
    {
        text.Append('"');
        if (name.Contains('"', StringComparison.Ordinal))
            text.Append(name.Replace("\"", "\"\"", StringComparison.Ordinal));
        else
            text.Append(name);
        text.Append('"');
        return this;
    }

    public SqlText Name(QName name) => name.Schema.Length == 0 ? Name(name.Name) : Name(name.Schema).Add(".").Name(name.Name);

    public SqlText Column(string row, string column) => column == "*" ? Name(row).Add(".*") : Name(row).Add(".").Name(column);

    /// <summary>A client's value, whose type PostgreSQL finds out from where it stands.</summary>
    public SqlText Value(string value) => Parameter(new NpgsqlParameter<string> { NpgsqlDbType = NpgsqlDbType.Unknown, TypedValue = value });

    public SqlText Value(long value) => Parameter(new NpgsqlParameter<long> { NpgsqlDbType = NpgsqlDbType.Bigint, TypedValue = value });

    public SqlText Value(string[] values) => Parameter(Data.Parameter.Texts(values, value => value));

    /// <summary>A body.</summary>
    public SqlText Value(ReadOnlyMemory<byte> value, NpgsqlDbType type) => Parameter(new NpgsqlParameter<ReadOnlyMemory<byte>> { NpgsqlDbType = type, TypedValue = value });

    /// <summary>A text of the catalogs as a literal.</summary>
    public SqlText Literal(string value) => Add(Literally(value));

    public SqlText Each<T>(IEnumerable<T> items, string separator, Action<T> write)
    {
        var isFirst = true;
        foreach (var item in items)
        {
            if (!isFirst)
                text.Append(separator);
            isFirst = false;
            write(item);
        }

        return this;
    }

    public override string ToString() => text.ToString();

    private SqlText Parameter(NpgsqlParameter parameter)
    {
        Parameters.Add(parameter);
        text.Append('$').Append(CultureInfo.InvariantCulture, $"{Parameters.Count}");
        return this;
    }

    private static string Literally(string value)
    {
        var quoted = value.Replace("'", "''", StringComparison.Ordinal);
        return value.Contains('\\', StringComparison.Ordinal) ? $"E'{quoted.Replace("\\", "\\\\", StringComparison.Ordinal)}'" : $"'{quoted}'";
    }
}
