namespace Voxbase.DataApi;

/// <summary>A request of the dialect, freed of HTTP.</summary>
internal sealed record ApiRequest
{
    /// <summary>In capitals.</summary>
    public required string Method { get; init; }

    /// <summary>Below the mount, decoded: empty, a table, or <c>rpc</c> and a function.</summary>
    public required IReadOnlyList<string> Path { get; init; }

    /// <summary>Below the mount, as it was asked, for <c>request.path</c>.</summary>
    public required string FullPath { get; init; }

    /// <summary>Without the question mark.</summary>
    public string Query { get; init; } = "";

    public string? Accept { get; init; }

    public IEnumerable<string?> Prefer { get; init; } = [];

    /// <summary>Accept-Profile or Content-Profile, as the method has it.</summary>
    public string? Profile { get; init; }

    public string? Range { get; init; }

    public string? ContentType { get; init; }

    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>The request's headers and cookies as JSON, for <c>request.headers</c> and <c>request.cookies</c>.</summary>
    public string Headers { get; init; } = "{}";

    public string Cookies { get; init; } = "{}";

    public bool IsHead => Method == "HEAD";

    public bool IsRpc => Path.Count == 2 && Path[0] == "rpc";
}
