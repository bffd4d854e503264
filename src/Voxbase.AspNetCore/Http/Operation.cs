namespace Voxbase.AspNetCore;

/// <summary>What <c>/openapi.json</c> says about an endpoint, beside the code that it describes.</summary>
/// <param name="Id">Subject and verb, unique.</param>
/// <param name="Summary">One line.</param>
internal sealed record Operation(string Id, string Summary)
{
    /// <summary>What is sent.</summary>
    public Type? Body { get; init; }

    public bool BodyIsOptional { get; init; }

    /// <summary>An array of bodies does as well, and is answered with an array.</summary>
    public bool BodyMayBeArray { get; init; }

    /// <summary>Query parameters.</summary>
    public Dictionary<string, (Type Type, string Description)> Query { get; init; } = [];

    /// <summary>What is answered when it goes well, by status.</summary>
    public Dictionary<int, Type> Answers { get; init; } = [];

    /// <summary>What else may be answered, beyond what every endpoint may.</summary>
    public ErrorCode[] Errors { get; init; } = [];

    /// <summary>Whether a token is needed.</summary>
    public bool IsOpen { get; init; }

    public string Tag => Id.Split('.')[0];
}
