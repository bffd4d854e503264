using System.Text.Json;
using Npgsql;

namespace Voxbase.Data;

/// <summary>Reads a row's columns one after the other, so that the order of a select list is the order of the code.</summary>
internal struct RowReader(NpgsqlDataReader row)
{
    private int column;

    public Guid? Uuid() => row.IsDBNull(column++) ? null : row.GetGuid(column - 1);

    public string? Text() => row.IsDBNull(column++) ? null : row.GetString(column - 1);

    public int? Integer() => row.IsDBNull(column++) ? null : row.GetInt32(column - 1);

    public long? Bigint() => row.IsDBNull(column++) ? null : row.GetInt64(column - 1);

    public decimal? Numeric() => row.IsDBNull(column++) ? null : row.GetDecimal(column - 1);

    public DateOnly Date() => row.GetFieldValue<DateOnly>(column++);

    public bool Boolean() => row.GetBoolean(column++);

    public DateTimeOffset? Time() =>
        row.IsDBNull(column++) ? null : new DateTimeOffset(row.GetDateTime(column - 1), TimeSpan.Zero);

    public T? Enum<T>()
        where T : struct, Enum =>
        row.IsDBNull(column++) ? null : System.Enum.Parse<T>(row.GetString(column - 1), ignoreCase: true);

    public JsonElement? Json()
    {
        if (row.IsDBNull(column++))
            return null;
        var text = row.GetString(column - 1);
        return text switch
        {
            // What nearly every row holds; parsed once.
            "{}" => EmptyObject,
            "[]" => EmptyArray,
            _ => JsonElement.Parse(text),
        };
    }

    private static JsonElement EmptyObject { get; } = JsonElement.Parse("{}");

    private static JsonElement EmptyArray { get; } = JsonElement.Parse("[]");
}
