using System.Text.Json;

namespace Voxbase.Capture;

/// <summary>
/// Reads the events of one OpenAI Live session (gpt-live-1). Speech comes as fragments on the session's own timeline, and nothing says
/// where a turn ends: turns are cut where the speaker was silent for <see cref="TurnGapMs"/>, where the other side spoke in a silence,
/// and where work was delegated. A fragment that comes late takes its place by its time; a turn, once made, stays.
/// An event costs O(1) amortised, memory is O(turns + text). The server's events count once by their id: attaching again repeats them.
/// </summary>
public sealed partial class OpenAiLiveReader : ProviderReader
{
    /// <summary>A silence that ends a turn. Pauses inside a sentence, as the provider dates its words, come to 600 ms.</summary>
    public const int TurnGapMs = 1_000;

    private readonly HashSet<string> _seen = [];
    private readonly List<LiveTurn> _turns = [];
    private readonly Dictionary<string, LiveTurn> _turnsById = [];
    private readonly List<int> _boundaries = [];
    private readonly Dictionary<string, LiveCall> _callsById = [];
    private readonly List<LiveCall> _calls = [];
    private readonly Dictionary<string, LiveResponse> _responsesById = [];
    private readonly List<LiveResponse> _responses = [];

    // Where the session's timeline begins on the log's clock.
    private int? _origin;
    private int _timeline;
    private decimal _seconds;
    private bool _hasUsage;
    private bool _isFinal;
    private decimal? _contextRatio;
    private int? _usageAt;

    /// <summary>Whether a transcript is a Live session's: a translation session's, of the same name, has no start and end.</summary>
    internal static bool IsLiveTranscript(string type, string payload) =>
        type is "session.input_transcript.delta" or "session.output_transcript.delta" && payload.Contains("\"start_ms\"", StringComparison.Ordinal);

    private protected override bool IsKnown(string type) => LiveEventTypes.IsKnown(type);

    private protected override bool IsServerType(string type) => LiveEventTypes.IsServer(type);

    private protected override bool HasEffect(string type, string direction) => direction == EventDirections.Server
        ? type is "session.started" or "session.updated" or "session.closed" or "session.input_transcript.delta"
            or "session.output_transcript.delta" or "session.delegation.created" or "session.usage.updated" or "response.event" or "error"
        : direction == EventDirections.Client && type is "session.start" or LiveEventTypes.Accept or "session.commentary.append" or "response.item.create";

    private protected override void ReadServer(string type, JsonElement e)
    {
        if (_logged.EventId is { } id && !_seen.Add(id))
            return;
        switch (type)
        {
            case "session.started" or "session.updated":
                ReadSession(e, isServer: true);
                if (type == "session.started")
                    _origin ??= _now;
                break;
            case "session.input_transcript.delta":
                ReadFragment(e, "user");
                break;
            case "session.output_transcript.delta":
                ReadFragment(e, "assistant");
                break;
            case "session.delegation.created":
                ReadDelegation(e);
                break;
            case "response.event":
                if (_fields.Object(e, "event", out var inner))
                    ReadResponses(inner, _fields.Id(e, "delegation_id"));
                break;
            case "session.usage.updated":
                ReadUsage(e);
                break;
            case "session.closed":
                ReadSession(e, isServer: true);
                _isFinal = true;
                ReadUsage(e);
                End(_fields.Id(e, "reason") ?? "closed");
                break;
            case "error":
                if (PutError(e) == "session_expired")
                    End("expired");
                break;
        }
    }

    private protected override void ReadClient(string type, JsonElement e)
    {
        switch (type)
        {
            case "session.start" or LiveEventTypes.Accept:
                ReadSession(e, isServer: false);
                break;
            case "session.commentary.append":
                // What it was told is spoken next; nobody but the client knows it sooner.
                if (_fields.Id(e, "delegation_id") is { } delegationId && _fields.Text(e, "content") is { } content)
                {
                    var call = Call(delegationId);
                    call.Output = call.Output is null ? content : call.Output + "\n" + content;
                    (call.OutputAt, call.Status) = (call.OutputAt ?? _now, "completed");
                    Touch(call);
                }

                break;
            case "response.item.create":
                if (_fields.Object(e, "item", out var item) && _fields.Id(item, "type") == "function_call_output"
                    && _fields.Id(item, "call_id") is { } callId && _fields.Text(item, "output") is { } output)
                {
                    var call = Call(callId);
                    (call.Output, call.OutputAt, call.Status) = (output, call.OutputAt ?? _now, "completed");
                    Touch(call);
                }

                break;
        }
    }

    private void ReadSession(JsonElement e, bool isServer)
    {
        if (!_fields.Object(e, "session", out var session))
            return;
        _fields.Object(session, "audio", out var audio);
        _fields.Object(audio, "output", out var output);
        _session = _session with
        {
            // What a client asks for has no id yet.
            SessionId = _session.SessionId ?? (isServer ? _fields.Id(session, "id") : null),
            Kind = "live",
            Model = _fields.Id(session, "model") ?? _session.Model,
            Voice = _fields.Id(output, "voice") ?? _session.Voice,
            Modalities = ["audio"],
            IsUsageFinal = _session.IsUsageFinal ?? false,
            ExpiresAt = _fields.UnixSeconds(session, "expires_at") ?? _session.ExpiresAt,
        };
        _changes.Session = true;
        if (isServer)
            PutSessionStart();
    }

    private void ReadFragment(JsonElement e, string role)
    {
        if (_fields.Text(e, "delta") is not { } text)
            return;
        var start = _fields.Ms(e, "start_ms") ?? _timeline;
        var end = Math.Max(start, _fields.Ms(e, "end_ms") ?? start);
        // A session attached to late tells its own time: what is heard now was said up to now.
        _origin ??= _now is { } now ? Math.Max(0, now - end) : null;
        _timeline = Math.Max(_timeline, end);
        var turn = TurnFor(role, start, end) ?? Open(role, start);
        turn.Add(start, end, _ordinal, text);
        Touch(turn);
    }

    // The speaker's nearest turn that nothing separates from the fragment.
    private LiveTurn? TurnFor(string role, int start, int end)
    {
        var next = _turns.Count;
        while (next > 0 && _turns[next - 1].Start > start)
            next--;
        for (var i = next - 1; i >= 0; i--)
        {
            if (_turns[i].Role == role)
            {
                if (Joins(_turns[i], start, end))
                    return _turns[i];
                break;
            }
        }

        // A late fragment may be the beginning of a turn that is there.
        for (var i = next; i < _turns.Count; i++)
        {
            if (_turns[i].Role == role)
                return _turns[i].Start - end < TurnGapMs && !IsCut(start, _turns[i].Start) && !OtherSpoke(role, end, _turns[i].Start) ? _turns[i] : null;
        }

        return null;
    }

    private bool Joins(LiveTurn turn, int start, int end)
    {
        var before = turn.Before(start);
        return start - before.End < TurnGapMs && !IsCut(before.Start, start) && !OtherSpoke(turn.Role, before.End, start)
            && end >= turn.Start;
    }

    // Delegating ends what was being said: words up to it belong before, words that start after it behind.
    private bool IsCut(int from, int to)
    {
        for (var i = _boundaries.Count - 1; i >= 0; i--)
        {
            if (_boundaries[i] >= from && _boundaries[i] < to)
                return true;
        }

        return false;
    }

    // Whether the other side's words lie wholly in a silence. Words over each other cut nothing: people say "mhm".
    private bool OtherSpoke(string role, int from, int to)
    {
        for (var i = _turns.Count - 1; i >= 0 && from < to; i--)
        {
            var turn = _turns[i];
            if (turn.Role != role && turn.Start >= from && turn.Start < to && turn.FirstEnd <= to)
                return true;
            if (turn.End < from && turn.Role != role)
                break;
        }

        return false;
    }

    private LiveTurn Open(string role, int start)
    {
        var turn = new LiveTurn($"{(role == "user" ? "input" : "output")}:{EventRef}", role, _ordinal, start);
        var place = _turns.Count;
        while (place > 0 && _turns[place - 1].Start > start)
            place--;
        _turns.Insert(place, turn);
        _turnsById[turn.Id] = turn;
        if (place == _turns.Count - 1)
        {
            turn.Position = place + 1;
            return turn;
        }

        Renumber(place);
        return turn;
    }

    private void Renumber(int from)
    {
        for (var i = from; i < _turns.Count; i++)
            _turns[i].Position = i + 1;
        _changes.Order = true;
    }

    private void Touch(LiveTurn turn)
    {
        // A fragment in front of a turn may move it.
        var place = turn.Position - 1;
        while (place > 0 && _turns[place - 1].Start > turn.Start)
        {
            (_turns[place], _turns[place - 1]) = (_turns[place - 1], _turns[place]);
            place--;
        }

        if (place != turn.Position - 1)
            Renumber(place);
        _changes.Turn(turn.Id);
        // The wait of the answer counts from the end of this one.
        if (turn.Position < _turns.Count)
            _changes.Turn(_turns[turn.Position].Id);
    }

    private void ReadDelegation(JsonElement e)
    {
        if (_fields.Ms(e, "offset_ms") is { } offset)
        {
            _boundaries.Add(offset);
            _boundaries.Sort();
        }

        if (!_fields.Object(e, "delegation", out var delegation) || _fields.Id(delegation, "id") is not { } id)
            return;
        var call = Call(id);
        call.Name = $"delegation.{_fields.Id(delegation, "target") ?? "client"}";
        call.ReadyAt ??= _now;
        call.OffsetMs ??= _fields.Ms(e, "offset_ms");
        Touch(call);
    }

    // A delegated response is the Responses API's: it costs tokens of its own model, and what it says is told, not spoken.
    private void ReadResponses(JsonElement e, string? delegationId)
    {
        switch (_fields.Id(e, "type"))
        {
            case "response.created" or "response.in_progress":
                if (ResponseOf(e, out var created) is { } begun)
                {
                    begun.Model = _fields.Id(created, "model") ?? begun.Model;
                    begun.CreatedAt ??= _now;
                    _changes.Response(begun.Id);
                }

                break;
            case "response.output_item.done":
                if (_fields.Object(e, "item", out var item))
                    ReadOutput(item, delegationId);
                break;
            case "response.completed" or "response.incomplete" or "response.failed" or "response.cancelled":
                ReadResponseEnd(_fields.Id(e, "type")!["response.".Length..], e, delegationId);
                break;
        }
    }

    private LiveResponse? ResponseOf(JsonElement e, out JsonElement json)
    {
        if (!_fields.Object(e, "response", out json) || _fields.Id(json, "id") is not { } id)
            return null;
        if (!_responsesById.TryGetValue(id, out var response))
        {
            _responsesById.Add(id, response = new(id, _ordinal));
            _responses.Add(response);
        }

        return response;
    }

    private void ReadResponseEnd(string status, JsonElement e, string? delegationId)
    {
        if (ResponseOf(e, out var json) is not { } response)
            return;
        response.Model = _fields.Id(json, "model") ?? response.Model;
        if (response.Status == "in_progress")
        {
            (response.Status, response.DoneAt) = (status, _now);
            if (_fields.Object(json, "incomplete_details", out var incomplete))
                response.StatusReason = _fields.Id(incomplete, "reason");
            if (_fields.Object(json, "error", out var error))
                response.ErrorCode = _fields.Id(error, "code");
        }

        var (text, asks) = ("", false);
        if (_fields.Array(json, "output", out var output))
        {
            foreach (var item in output.EnumerateArray())
            {
                asks |= _fields.Id(item, "type") == "function_call";
                text += ReadOutput(item, delegationId);
            }
        }

        if (delegationId is not null && _callsById.TryGetValue(delegationId, out var delegation))
        {
            if (status == "completed" && !asks)
                (delegation.Status, delegation.Output, delegation.OutputAt) = ("completed", text.Length == 0 ? delegation.Output : text, delegation.OutputAt ?? _now);
            else if (status is "failed" or "cancelled")
                (delegation.Status, delegation.OutputAt) = (status, delegation.OutputAt ?? _now);
            Touch(delegation);
        }

        if (response.Usage is null && TokenUsage.ReadResponses(_fields, json) is { } usage)
        {
            response.Usage = usage;
            foreach (var (meter, quantity) in usage.Meters())
                Charge(new($"{response.Id}:{meter}", "llm", meter, response.Model, quantity, response.Id, null, _ordinal));
        }

        _changes.Response(response.Id);
        Put(new()
        {
            Key = $"response:{response.Id}",
            EventType = "response",
            Ordinal = response.Ordinal,
            ResponseId = response.Id,
            InputTokens = response.Usage?.Input,
            OutputTokens = response.Usage?.Output,
            CachedTokens = response.Usage?.Cached,
            LatencyMs = Elapsed(response.CreatedAt, response.DoneAt),
            OffsetMs = response.DoneAt,
            Details = Details(
                ("status", response.Status), ("reason", response.StatusReason), ("error_code", response.ErrorCode),
                ("model", response.Model), ("delegation_id", delegationId), ("out_of_band", true)),
        });
    }

    // Returns the words of a message.
    private string ReadOutput(JsonElement item, string? delegationId)
    {
        switch (_fields.Id(item, "type"))
        {
            case "function_call" when (_fields.Id(item, "call_id") ?? _fields.Id(item, "id")) is { } callId:
                var call = Call(callId);
                call.Name = _fields.Id(item, "name") ?? call.Name;
                call.Arguments = _fields.Text(item, "arguments") ?? call.Arguments;
                call.DelegationId = delegationId ?? call.DelegationId;
                call.ReadyAt ??= _now;
                Touch(call);
                return "";
            case "message" when _fields.Array(item, "content", out var content):
                return string.Concat(content.EnumerateArray().Select(part => _fields.Id(part, "type") == "output_text" ? _fields.Text(part, "text") : null));
            default:
                return "";
        }
    }

    private LiveCall Call(string id)
    {
        if (!_callsById.TryGetValue(id, out var call))
        {
            _callsById.Add(id, call = new(id, _ordinal));
            _calls.Add(call);
        }

        return call;
    }

    private void Touch(LiveCall call)
    {
        _changes.FunctionCall(call.Id);
        Put(new()
        {
            Key = $"function_call:{call.Id}",
            EventType = "function_call",
            Ordinal = call.Ordinal,
            LatencyMs = Elapsed(call.ReadyAt, call.OutputAt),
            OffsetMs = call.ReadyAt ?? call.OutputAt,
            Details = Details(("name", call.Name), ("status", call.Status), ("delegation_id", call.DelegationId)),
        });
    }

    // The seconds are a total, and a charge is for good: each report that is higher than all before it charges what it adds, under an id
    // that is the new total. Whatever is repeated, missed or late, the charges add up to the highest total reported.
    private void ReadUsage(JsonElement e)
    {
        if (_fields.Object(e, "context_window", out var context))
            _contextRatio = _fields.Seconds(context, "usage_ratio") ?? _contextRatio;
        if (_fields.Object(e, "usage", out var usage) && _fields.Seconds(usage, "seconds") is { } seconds)
        {
            _hasUsage = true;
            // To the precision of a charge, or what is added would be rounded away.
            seconds = Math.Round(seconds, 6);
            if (seconds > _seconds)
            {
                Charge(new(
                    FormattableString.Invariant($"session.seconds:{seconds / 1.000000000000000000m}"), "session", Meters.SessionSeconds,
                    _session.Model, seconds - _seconds, null, null, _ordinal));
                _seconds = seconds;
            }

            _usageAt = _now ?? _usageAt;
        }

        _session = _session with { IsUsageFinal = _isFinal && _hasUsage };
        _changes.Session = true;
        Put(new()
        {
            Key = "session_usage",
            EventType = "session_usage",
            Ordinal = _ordinal,
            Seconds = _hasUsage ? _seconds : null,
            OffsetMs = _usageAt,
            Details = Details(("seconds", _hasUsage ? _seconds : null), ("final", _isFinal && _hasUsage), ("context_usage_ratio", _contextRatio)),
        });
    }
}
