using Npgsql;
using NpgsqlTypes;

namespace Voxbase.Data;

/// <summary>
/// The parameters of a statement that is kept: told all of them, in order, each time it runs. The first time makes them, with their types; later
/// times only give them their values, which must be of the same types.
/// </summary>
internal sealed class KeptParameters(NpgsqlParameterCollection parameters)
{
    private int place;

    /// <summary>Begins again at $1.</summary>
    public void Begin() => place = 0;

    public void Uuid(Guid value) => Next(NpgsqlDbType.Uuid, value);

    public void Text(string value) => Next(NpgsqlDbType.Text, value);

    public void Json(string value) => Next(NpgsqlDbType.Jsonb, value);

    public void Integer(int value) => Next(NpgsqlDbType.Integer, value);

    public void Numeric(decimal value) => Next(NpgsqlDbType.Numeric, value);

    public void Boolean(bool value) => Next(NpgsqlDbType.Boolean, value);

    public void Time(DateTimeOffset value) => Next(NpgsqlDbType.TimestampTz, value.UtcDateTime);

    private void Next<T>(NpgsqlDbType type, T value)
    {
        if (place == parameters.Count)
            parameters.Add(new NpgsqlParameter<T> { NpgsqlDbType = type });
        ((NpgsqlParameter<T>)parameters[place++]).TypedValue = value;
    }
}
