namespace Voxbase.Capture;

// What the events add up to.
public sealed partial class OpenAiRealtimeReader
{
    /// <inheritdoc/>
    /// <remarks>O(items + text).</remarks>
    public override CapturedConversation Snapshot(int malformedLines = 0)
    {
        var turns = new List<CapturedTurn>();
        foreach (var item in _order.Sorted())
        {
            if (item.IsTurn)
            {
                turns.Add(Record(item));
            }
        }

        List<CapturedResponse> responses = [.. _responses.Select(Record)];
        var counters = Count(turns, responses, _calls.Count, malformedLines);
        return new(_session, turns, responses, [.. _calls.Select(Record)], [.. _usage], [.. _quantities], counters, EndReason);
    }

    /// <inheritdoc/>
    /// <remarks>O(its text), but O(items) after <see cref="Changes.Order"/>.</remarks>
    public override CapturedTurn? Turn(string itemId)
    {
        if (!_items.TryGetValue(itemId, out var item) || !item.IsTurn)
        {
            return null;
        }

        _order.Sorted();
        return Record(item);
    }

    /// <inheritdoc/>
    public override CapturedResponse? ResponseRecord(string responseId) =>
        _responsesById.TryGetValue(responseId, out var response) ? Record(response) : null;

    /// <inheritdoc/>
    public override CapturedFunctionCall? FunctionCall(string callId)
    {
        _order.Sorted();
        return _callsById.TryGetValue(callId, out var call) ? Record(call) : null;
    }

    /// <summary>What the model has before it, in its order, deleted items left out. O(items + text).</summary>
    internal IReadOnlyList<ContextItem> ContextItems()
    {
        var items = new List<ContextItem>();
        foreach (var item in _order.Sorted())
        {
            if (!item.IsDeleted && !item.IsOutOfBand)
            {
                items.Add(new(
                    item.Id, item.IsTurn ? item.Role : null,
                    item.IsTurn ? Record(item) is var turn ? turn.HeardText ?? turn.RawText : null : null,
                    item.Kind == RealtimeItemKind.FunctionCall ? item.Call?.Name : null));
            }
        }

        return items;
    }

    private static CapturedTurn Record(RealtimeItem item)
    {
        var response = item.Response;
        var isFirst = response?.FirstMessage == item;
        var isUser = item.Role == "user";
        var text = item.Text();
        var isInterrupted = item.IsTruncated || response is { IsInterrupted: true };
        var heard = isInterrupted && text is not null ? Heard(item, text) : null;
        var audioMs = isUser ? Elapsed(item.AudioStartMs, item.AudioEndMs) : Whole(AudioMs(item));
        var started = isUser
            ? item.SpeechStartedAt ?? item.AnnouncedAt
            : (isFirst ? response?.PlaybackStartedAt : null) ?? item.FirstAudioAt ?? item.FirstTextAt ?? item.AnnouncedAt;
        return new()
        {
            ItemId = item.Id,
            Position = item.Position,
            Ordinal = item.Ordinal,
            Role = item.Role ?? "user",
            RawText = text,
            HeardText = heard,
            Interrupted = isInterrupted,
            TruncatedMs = item.TruncatedMs,
            HeardUnknown = isInterrupted && heard is null && !string.IsNullOrEmpty(text),
            Deleted = item.IsDeleted,
            Status = StatusOf(item),
            Model = isUser ? (item.IsSpoken ? item.TranscriptionModel : null) : response?.Model,
            ResponseId = response?.Id,
            Usage = isFirst ? response?.Usage : null,
            Language = isUser ? item.Language : null,
            AudioStartMs = item.AudioStartMs,
            AudioEndMs = item.AudioEndMs,
            StartedAtOffsetMs = started,
            EndedAtOffsetMs = isUser ? item.SpeechStoppedAt ?? item.CommittedAt ?? item.AnnouncedAt : Ended(item, isFirst, started, audioMs),
            AsrMs = Elapsed(item.CommittedAt ?? (isUser ? item.AnnouncedAt : null), item.TranscribedAt),
            LlmFirstTokenMs = isFirst ? Elapsed(response?.CreatedAt, response?.FirstTokenAt) : null,
            FirstAudioMs = isFirst ? Elapsed(response?.CreatedAt, response?.FirstAudioAt) : null,
            EndToEndMs = isFirst ? response?.EndToEndMs : null,
            AudioDurationMs = audioMs,
            TranscriptionFailed = item.TranscriptionFailed,
        };
    }

    private static string StatusOf(RealtimeItem item) => (item.Status, item.Response?.Status) switch
    {
        ("completed", _) => "completed",
        (_, "cancelled" or "failed" or "incomplete" or "completed") when item.Response is { } response =>
            response.Status == "completed" && item.Status == "incomplete" ? "incomplete" : response.Status,
        var (status, _) => status,
    };

    private static string? Heard(RealtimeItem item, string text)
    {
        var heardMs = item.TruncatedMs ?? PlayedMs(item);
        if (heardMs is null or 0 || text.Length == 0)
        {
            return heardMs is null ? null : "";
        }

        return AudioMs(item) is { } total and > 0 ? HeardText.Cut(text, heardMs.Value, total) : null;
    }

    // Playback that was cut off says how long it ran, where the provider plays the audio itself (WebRTC, SIP) and the log has a clock.
    private static int? PlayedMs(RealtimeItem item) =>
        item.Response is { IsCleared: true } response && response.FirstMessage == item
            ? Elapsed(response.PlaybackStartedAt, response.PlaybackEndedAt)
            : null;

    private static int? Ended(RealtimeItem item, bool isFirst, int? started, int? audioMs)
    {
        if (isFirst && item.Response?.PlaybackEndedAt is { } ended)
        {
            return ended;
        }

        var playedMs = item.TruncatedMs is { } truncated ? Math.Min(truncated, audioMs ?? truncated) : audioMs;
        return item.HasAudio && started is not null && playedMs is not null ? Whole((double)started + playedMs) : item.DoneAt;
    }

    private static int? Whole(double? ms) => ms is >= 0 and <= int.MaxValue ? (int)Math.Round(ms.Value) : null;

    private static CapturedResponse Record(RealtimeResponse response) => new()
    {
        ResponseId = response.Id,
        Ordinal = response.Ordinal,
        Status = response.Status,
        StatusReason = response.StatusReason,
        ErrorCode = response.ErrorCode,
        ErrorType = response.ErrorType,
        Model = response.Model,
        Usage = response.Usage,
        TurnItemId = TurnOf(response)?.Id,
        OutOfBand = response.OutOfBand,
        StartedAtOffsetMs = response.CreatedAt,
        EndedAtOffsetMs = response.DoneAt,
        FirstTokenMs = Elapsed(response.CreatedAt, response.FirstTokenAt),
        FirstAudioMs = Elapsed(response.CreatedAt, response.FirstAudioAt),
    };

    private static CapturedFunctionCall Record(RealtimeCall call)
    {
        var turn = (call.Response is { } response ? TurnOf(response) : null) ?? call.Item?.TurnBefore;
        return new()
        {
            CallId = call.Id,
            ItemId = call.Item?.Id,
            Ordinal = call.Ordinal,
            Name = call.Name,
            ServerLabel = call.ServerLabel,
            Arguments = call.Arguments,
            Output = call.Output,
            Error = call.Error,
            Status = call.Status,
            ResponseId = call.Response?.Id,
            TurnItemId = turn?.Id,
            TurnPosition = turn?.Position,
            StartedAtOffsetMs = call.ReadyAt,
            ExecutionMs = Elapsed(call.ReadyAt, call.OutputAt),
        };
    }
}
