using Npgsql;
using NpgsqlTypes;

namespace Voxbase.Data;

/// <summary>One SQL statement with positional parameters ($1, $2, …).</summary>
internal readonly struct Statement(string sql, params NpgsqlParameter[] parameters)
{
    public string Sql { get; } = sql;

    public NpgsqlParameter[] Parameters { get; } = parameters;
}

/// <summary>Typed parameters: PostgreSQL never has to guess, and a null has a type too.</summary>
internal static class Parameter
{
    public static NpgsqlParameter Uuid(Guid? value) => Of(NpgsqlDbType.Uuid, value);

    public static NpgsqlParameter Text(string? value) => Of(NpgsqlDbType.Text, value);

    public static NpgsqlParameter Json(string? value) => Of(NpgsqlDbType.Jsonb, value);

    public static NpgsqlParameter Integer(int? value) => Of(NpgsqlDbType.Integer, value);

    public static NpgsqlParameter Numeric(decimal? value) => Of(NpgsqlDbType.Numeric, value);

    public static NpgsqlParameter Double(double? value) => Of(NpgsqlDbType.Double, value);

    public static NpgsqlParameter Boolean(bool? value) => Of(NpgsqlDbType.Boolean, value);

    public static NpgsqlParameter Date(DateOnly value) => Of<DateOnly>(NpgsqlDbType.Date, value);

    public static NpgsqlParameter Time(DateTimeOffset? value) => Of(NpgsqlDbType.TimestampTz, value?.UtcDateTime);

    public static NpgsqlParameter Uuids<T>(IReadOnlyList<T> rows, Func<T, Guid?> value) => Array(NpgsqlDbType.Uuid, rows, value);

    public static NpgsqlParameter Texts<T>(IReadOnlyList<T> rows, Func<T, string?> value) => Array(NpgsqlDbType.Text, rows, value);

    /// <summary>Texts that are UTF-8 already.</summary>
    public static NpgsqlParameter Utf8s<T>(IReadOnlyList<T> rows, Func<T, ReadOnlyMemory<byte>> value) => Array(NpgsqlDbType.Text, rows, value);

    public static NpgsqlParameter NoTexts() => Null(NpgsqlDbType.Array | NpgsqlDbType.Text);

    public static NpgsqlParameter Jsons<T>(IReadOnlyList<T> rows, Func<T, string?> value) => Array(NpgsqlDbType.Jsonb, rows, value);

    public static NpgsqlParameter Integers<T>(IReadOnlyList<T> rows, Func<T, int?> value) => Array(NpgsqlDbType.Integer, rows, value);

    public static NpgsqlParameter Bigints<T>(IReadOnlyList<T> rows, Func<T, long?> value) => Array(NpgsqlDbType.Bigint, rows, value);

    public static NpgsqlParameter Numerics<T>(IReadOnlyList<T> rows, Func<T, decimal?> value) => Array(NpgsqlDbType.Numeric, rows, value);

    public static NpgsqlParameter Booleans<T>(IReadOnlyList<T> rows, Func<T, bool> value) => Array(NpgsqlDbType.Boolean, rows, value);

    public static NpgsqlParameter Times<T>(IReadOnlyList<T> rows, Func<T, DateTimeOffset?> value) =>
        Array(NpgsqlDbType.TimestampTz, rows, row => value(row)?.UtcDateTime);

    // Typed where there is a value: Npgsql then neither boxes it nor looks its type up.
    private static NpgsqlParameter Of<T>(NpgsqlDbType type, T? value)
        where T : struct =>
        value is { } given ? new NpgsqlParameter<T> { NpgsqlDbType = type, TypedValue = given } : Null(type);

    private static NpgsqlParameter Of(NpgsqlDbType type, string? value) =>
        value is null ? Null(type) : new NpgsqlParameter<string> { NpgsqlDbType = type, TypedValue = value };

    private static NpgsqlParameter Null(NpgsqlDbType type) => new() { NpgsqlDbType = type, Value = DBNull.Value };

    private static NpgsqlParameter<TValue[]> Array<TRow, TValue>(NpgsqlDbType type, IReadOnlyList<TRow> rows, Func<TRow, TValue> value)
    {
        var values = new TValue[rows.Count];
        for (var i = 0; i < values.Length; i++)
            values[i] = value(rows[i]);
        return new NpgsqlParameter<TValue[]> { NpgsqlDbType = NpgsqlDbType.Array | type, TypedValue = values };
    }
}
