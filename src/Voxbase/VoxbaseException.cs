namespace Voxbase;

/// <summary>What kind of failure an error is; a transport maps it to its own status (HTTP: 400, 401, 403, 404, 409, 413, 503, 500).</summary>
public enum ErrorKind
{
    /// <summary>The input is wrong; the same call will fail again.</summary>
    Invalid,

    /// <summary>No credential, or one that does not hold.</summary>
    Unauthenticated,

    /// <summary>The caller is known and may not do this.</summary>
    Forbidden,

    /// <summary>There is no such thing, or the caller may not see it.</summary>
    NotFound,

    /// <summary>The present state does not allow it.</summary>
    Conflict,

    /// <summary>The input is larger than what is accepted.</summary>
    TooLarge,

    /// <summary>A resource is absent for now; the same call may succeed later.</summary>
    Unavailable,

    /// <summary>A fault of Voxbase itself.</summary>
    Internal,
}

/// <summary>
/// One kind of error a user can meet: a stable code, its kind and the way out. <c>docs/reference/errors.md</c> lists them all.
/// Each subject declares its own in a static class named <c>…Errors</c>, so that a test can find and document every one.
/// </summary>
/// <param name="Code">Stable, lower case with underscores; programs branch on it.</param>
/// <param name="Kind">How a transport should answer.</param>
/// <param name="Summary">One sentence for the reference page: when it happens.</param>
/// <param name="Hint">What to do about it.</param>
public sealed record ErrorCode(string Code, ErrorKind Kind, string Summary, string Hint)
{
    /// <summary>An exception of this kind. <paramref name="message"/> carries the values at fault, never a secret or a transcript.</summary>
    public VoxbaseException With(string message, string? details = null, Exception? inner = null) => new(this, message, details, inner);
}

/// <summary>An error with a stable code, a message with the values in it, and a hint with the way out.</summary>
public sealed class VoxbaseException(ErrorCode error, string message, string? details = null, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>The kind of error, with its stable code and hint.</summary>
    public ErrorCode Error { get; } = error;

    /// <summary>The stable code, for example <c>conversation_not_found</c>.</summary>
    public string Code => Error.Code;

    /// <summary>More about this occurrence, or null.</summary>
    public string? Details { get; } = details;

    /// <summary>What to do about it.</summary>
    public string Hint => Error.Hint;
}
