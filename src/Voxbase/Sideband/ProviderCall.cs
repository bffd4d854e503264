namespace Voxbase.Sideband;

/// <summary>A call at OpenAI, by its id.</summary>
/// <param name="Id">As the provider gave it.</param>
/// <param name="IsLive">Whether it is a session of the Live API, and not a Realtime call.</param>
public sealed record ProviderCall(string Id, bool IsLive)
{
    private const int MaxLength = 200;

    /// <summary>The call of an id: <c>rtc_…</c> is Realtime's, <c>live_…</c> the Live API's.</summary>
    /// <exception cref="VoxbaseException"><c>call_id_invalid</c>.</exception>
    public static ProviderCall Of(string id)
    {
        var isLive = id.StartsWith("live_", StringComparison.Ordinal);
        // It goes into a URL with our key: nothing but what ids are made of.
        return id.Length <= MaxLength && (isLive || id.StartsWith("rtc_", StringComparison.Ordinal)) && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-')
            ? new ProviderCall(id, isLive)
            : throw SidebandErrors.CallIdInvalid.With($"'{(id.Length <= 64 ? id : id[..64] + "…")}' is no id of a call.");
    }

    /// <summary>The path of something to be done with it, below the base URL.</summary>
    internal string PathOf(string action) => $"/{(IsLive ? "live/sessions" : "realtime/calls")}/{Id}/{action}";

    /// <summary>The path of its sideband.</summary>
    internal string SidebandPath => IsLive ? PathOf("attach") : $"/realtime?call_id={Id}";
}
