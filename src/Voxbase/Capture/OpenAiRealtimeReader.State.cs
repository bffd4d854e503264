using System.Text.Json;

namespace Voxbase.Capture;

// What the events work on: items, responses, calls, and the records they add up to.
public sealed partial class OpenAiRealtimeReader
{
    // Assistant audio: OpenAI Realtime counts one output token for 50 ms.
    private const int MsPerOutputAudioToken = 50;

    private int ContentIndex(JsonElement e) => _fields.Count(e, "content_index") ?? 0;

    private RealtimeItem Item(string id)
    {
        if (!_items.TryGetValue(id, out var item))
        {
            _items.Add(id, item = new(id, _ordinal));
        }

        return item;
    }

    private RealtimeItem? ItemOf(JsonElement e) => _fields.Id(e, "item_id") is { } id ? Item(id) : null;

    private RealtimeItem? UserItemOf(JsonElement e)
    {
        if (ItemOf(e) is not { } item || !SetKind(item, RealtimeItemKind.Message))
        {
            return null;
        }

        item.Role ??= "user";
        item.IsSpoken = true;
        Announce(item);
        item.TranscriptionModel ??= _session.TranscriptionModel;
        return item;
    }

    private RealtimeItem? OutputMessageOf(JsonElement e)
    {
        if (ItemOf(e) is not { } item || !SetKind(item, RealtimeItemKind.Message))
        {
            return null;
        }

        item.Role ??= "assistant";
        Attach(item, ResponseOf(e));
        return item;
    }

    private bool SetKind(RealtimeItem item, RealtimeItemKind kind)
    {
        if (item.Kind == kind || kind == RealtimeItemKind.Unknown)
        {
            return true;
        }

        if (item.Kind != RealtimeItemKind.Unknown)
        {
            _fields.Flag();
            return false;
        }

        item.Kind = kind;
        if (item.IsAnnounced)
        {
            _order.Renumber();
            _changes.Order = true;
        }

        return true;
    }

    private void Announce(RealtimeItem item)
    {
        if (item.IsAnnounced)
        {
            return;
        }

        // Marks of the user's speech come before its item; the item begins with the event that announces it.
        item.Ordinal = _ordinal;
        item.AnnouncedAt = _now;
        if (item.Role == "user")
        {
            item.TranscriptionModel ??= _session.TranscriptionModel;
            item.Language ??= _session.Kind == "translation" ? null : _session.Language;
        }

        _changes.Order |= _order.Announce(item);
        Touch(item);
    }

    // Null, from beta and GA alike, is what the first item has, and an item whose predecessor the provider does not name: it goes to the
    // end. To the front goes only what was asked to ("root"), and a summary, which always is.
    private void Link(RealtimeItem item, string? previousId)
    {
        if (previousId == "root" || ContextSummary.IsSummary(item.Id) || (previousId is null && _rootRequests.Contains(item.Id)))
        {
            _changes.Order |= _order.PutAtFront(item);
        }
        else if (previousId is not null)
        {
            _changes.Order |= _order.Link(item, Item(previousId));
        }
    }

    private RealtimeResponse Response(string id)
    {
        if (!_responsesById.TryGetValue(id, out var response))
        {
            response = new(id, _ordinal) { Model = _session.Model };
            _responsesById.Add(id, response);
            _responses.Add(response);
            _changes.Response(id);
        }

        return response;
    }

    private RealtimeResponse? ResponseOf(JsonElement e) => _fields.Id(e, "response_id") is { } id ? Response(id) : null;

    private void Attach(RealtimeItem item, RealtimeResponse? response)
    {
        if (response is not null && item.Response is null)
        {
            item.Response = response;
            response.Items.Add(item);
            response.AudioMessages += item.HasAudio ? 1 : 0;
            item.IsOutOfBand = response.OutOfBand && !item.IsAnnounced;
        }

        if (item.Kind == RealtimeItemKind.Message && item.Response is { FirstMessage: null } owner)
        {
            owner.FirstMessage = item;
            item.FirstAudioAt ??= owner.FirstAudioAt;
            Touch(owner);
            foreach (var call in owner.Items.Select(sibling => sibling.Call).OfType<RealtimeCall>())
            {
                Touch(call);
            }
        }

        if (!item.IsOutOfBand)
        {
            Announce(item);
        }
    }

    private static void HasAudio(RealtimeItem item)
    {
        if (!item.HasAudio)
        {
            item.HasAudio = true;
            if (item.Response is { } response)
            {
                response.AudioMessages++;
            }
        }
    }

    private void Began(RealtimeItem item, bool isAudio)
    {
        item.FirstTextAt ??= _now;
        if (isAudio)
        {
            HasAudio(item);
        }

        if (item.Response is { } response)
        {
            FirstToken(response);
        }
    }

    private void FirstToken(RealtimeResponse response)
    {
        if (response.FirstTokenAt is null && _now is not null)
        {
            response.FirstTokenAt = _now;
            Touch(response);
        }
    }

    private void FirstAudio(RealtimeResponse response, RealtimeItem? item)
    {
        if (response.FirstAudioAt is null && _now is not null)
        {
            response.FirstAudioAt = _now;
            if (!response.OutOfBand)
            {
                response.EndToEndMs = Elapsed(_unansweredSpeechEnd, _now);
                _unansweredSpeechEnd = null;
            }

            Touch(response);
        }

        if (item is not null)
        {
            item.FirstAudioAt ??= _now;
        }
    }

    private RealtimeCall? CallOf(string? callId, RealtimeItem? item)
    {
        var id = item?.Call?.Id ?? callId ?? item?.Id;
        if (id is null)
        {
            return null;
        }

        if (!_callsById.TryGetValue(id, out var call))
        {
            call = new(id, _ordinal);
            _callsById.Add(id, call);
            _calls.Add(call);
        }

        if (item is not null)
        {
            item.Call ??= call;
            call.Item ??= item;
        }

        return call;
    }

    private void Touch(RealtimeItem item)
    {
        if (item.IsTurn)
        {
            _changes.Turn(item.Id);
        }
    }

    private void Touch(RealtimeResponse response)
    {
        _changes.Response(response.Id);
        if (response.FirstMessage is { } message)
        {
            Touch(message);
        }

        if (response.Status == "in_progress")
        {
            return;
        }

        Put(new()
        {
            Key = $"response:{response.Id}",
            EventType = "response",
            Ordinal = response.Ordinal,
            ResponseId = response.Id,
            ItemId = TurnOf(response)?.Id,
            InputTokens = response.Usage?.Input,
            OutputTokens = response.Usage?.Output,
            CachedTokens = response.Usage?.Cached,
            LatencyMs = Elapsed(response.CreatedAt, response.FirstAudioAt) ?? Elapsed(response.CreatedAt, response.FirstTokenAt),
            AudioDurationMs = TokenMs(response),
            OffsetMs = response.DoneAt,
            Details = Details(
                ("status", response.Status),
                ("reason", response.StatusReason),
                ("error_code", response.ErrorCode),
                ("error_type", response.ErrorType),
                ("model", response.Model),
                ("out_of_band", response.OutOfBand ? true : null),
                ("cached_split", response.Usage?.CachedSplit == CachedSplit.Unknown ? "unknown" : null)),
        });
    }

    private void Touch(RealtimeCall call)
    {
        _changes.FunctionCall(call.Id);
        Put(new()
        {
            Key = $"function_call:{call.Id}",
            EventType = "function_call",
            Ordinal = call.Ordinal,
            ResponseId = call.Response?.Id,
            ItemId = call.Item?.Id,
            LatencyMs = Elapsed(call.ReadyAt, call.OutputAt),
            OffsetMs = call.ReadyAt ?? call.OutputAt,
            Details = Details(("name", call.Name), ("status", call.Status), ("server_label", call.ServerLabel)),
        });
    }

    private void Charge(RealtimeItem item, int index, string meter, decimal quantity) =>
        Charge(new(
            $"{item.Id}:{EventFields.Invariant(index)}:{meter}", "asr", meter, item.TranscriptionModel, quantity, null, item.Id, _ordinal));

    private static RealtimeItem? TurnOf(RealtimeResponse response) =>
        response.FirstMessage is { IsTurn: true } message ? message : null;

    private static int? TokenMs(RealtimeResponse response) =>
        response.Usage?.AudioOutput is { } tokens and > 0 && (long)tokens * MsPerOutputAudioToken is var ms and <= int.MaxValue ? (int)ms : null;

    // A response's tokens are one message's only when it spoke no other.
    private static double? AudioMs(RealtimeItem item)
    {
        var tokenMs = item.HasAudio && item.Response is { AudioMessages: 1 } response ? TokenMs(response) : null;

        // A recorder that cuts audio short leaves fewer bytes than were played.
        return item.AudioMs > 0 && !(item.AudioMs < item.TruncatedMs && tokenMs is not null) ? item.AudioMs : tokenMs;
    }
}
