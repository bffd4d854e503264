using System.Buffers;

namespace Voxbase.DataApi;

/// <summary>An answer of the dialect, freed of HTTP.</summary>
internal sealed class ApiAnswer : IDisposable
{
    private ArraySegment<byte> rented;

    public int Status { get; set; } = 200;

    public string? Reason { get; init; }

    public List<KeyValuePair<string, string>> Headers { get; } = new(4);

    public string? ContentType { get; init; }

    /// <summary>The body when it is short.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>The body in an array of the shared pool, which gets it back when the answer is disposed.</summary>
    public ArraySegment<byte> Rented
    {
        get => rented;
        init => (rented, Body) = (value, value);
    }

    /// <summary>The body as it comes from the database, when it is long; read while the answer is written.</summary>
    public Stream? Stream { get; init; }

    /// <summary>Whether there is none, so that not even its length is told.</summary>
    public bool HasNoBody { get; init; }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (rented.Array is { Length: > 0 } array)
            ArrayPool<byte>.Shared.Return(array);
        rented = default;
    }

    public void Add(string name, string? value)
    {
        if (value is not null)
            Headers.Add(new(name, value));
    }
}
