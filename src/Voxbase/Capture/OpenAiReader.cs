using System.Text.Json;

namespace Voxbase.Capture;

/// <summary>
/// Reads a session of OpenAI's, Realtime or Live: the first event that only one of them has decides. Until then an event is read as
/// Realtime's, and read again if the session turns out to be Live.
/// </summary>
public sealed class OpenAiReader : IProviderReader
{
    // What comes before a session says what it is: a few errors, the audio of a connection that was attached late. Past that, Realtime.
    private const int MaxUndecided = 2_000;

    private IProviderReader reader = new OpenAiRealtimeReader();
    private List<(int Ordinal, LoggedEvent Event)>? undecided = [];

    /// <summary>Whether the session is one of the Live API.</summary>
    public bool IsLive => reader is OpenAiLiveReader;

    /// <inheritdoc/>
    public CapturedSession Session => reader.Session;

    /// <inheritdoc/>
    public string? SessionId => reader.SessionId;

    /// <inheritdoc/>
    public string? EndReason => reader.EndReason;

    /// <inheritdoc/>
    public bool IsEnded => reader.IsEnded;

    /// <summary>
    /// Whether an event begins another session than the one being read, so that a file that holds several is read as several
    /// conversations. A translation session is none: it runs beside the conversation it translates.
    /// </summary>
    public static bool StartsNewSession(string? previousSessionId, LoggedEvent e)
    {
        if (previousSessionId is null || e.Direction != EventDirections.Server
            || RealtimeEventTypes.Canonical(e.Type) is not ("session.created" or "session.started"))
        {
            return false;
        }

        try
        {
            using var document = e.Parse();
            var fields = new EventFields();
            return fields.Object(document.RootElement, "session", out var session)
                && fields.Id(session, "id") is { } id
                && id != previousSessionId
                && fields.Id(session, "type") != "translation";
        }
        catch (Exception malformed) when (malformed is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public Changes Read(int ordinal, LoggedEvent e)
    {
        if (undecided is not null && Decides(e) is { } isLive)
        {
            var before = undecided;
            undecided = null;
            if (isLive)
                return ReadAsLive(before, ordinal, e);
        }

        undecided?.Add((ordinal, e.Kept()));
        return reader.Read(ordinal, e);
    }

    /// <inheritdoc/>
    public CapturedConversation Snapshot(int malformedLines = 0) => reader.Snapshot(malformedLines);

    /// <inheritdoc/>
    public CapturedTurn? Turn(string itemId) => reader.Turn(itemId);

    /// <inheritdoc/>
    public CapturedResponse? ResponseRecord(string responseId) => reader.ResponseRecord(responseId);

    /// <inheritdoc/>
    public CapturedFunctionCall? FunctionCall(string callId) => reader.FunctionCall(callId);

    /// <inheritdoc/>
    public CapturedUsage? UsageEvent(string key) => reader.UsageEvent(key);

    /// <inheritdoc/>
    public CapturedQuantity? Quantity(string key) => reader.Quantity(key);

    private Changes ReadAsLive(List<(int Ordinal, LoggedEvent Event)> before, int ordinal, LoggedEvent e)
    {
        reader = new OpenAiLiveReader();
        var all = new Changes();
        foreach (var (earlier, read) in before)
            all.Add(reader.Read(earlier, read));
        all.Add(reader.Read(ordinal, e));
        return all;
    }

    private bool? Decides(LoggedEvent e)
    {
        if (e.Direction == EventDirections.Object)
            return null;
        var type = RealtimeEventTypes.Canonical(e.Type);
        if (LiveEventTypes.IsOwn(type) || OpenAiLiveReader.IsLiveTranscript(type, e.Payload))
            return true;
        return undecided!.Count >= MaxUndecided || (RealtimeEventTypes.IsKnown(type) && !LiveEventTypes.IsKnown(type)) ? false : null;
    }
}
