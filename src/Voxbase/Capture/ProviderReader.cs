using System.Text.Encodings.Web;
using System.Text.Json;

namespace Voxbase.Capture;

/// <summary>What the readers of one provider's dialects share: the envelope of an event, its clock, and what adds up.</summary>
public abstract class ProviderReader : IProviderReader
{
    private const int MaxUnknownTypes = 256;

    private static readonly JsonSerializerOptions DetailsOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private protected readonly EventFields _fields = new();
    private protected readonly List<CapturedUsage> _usage = [];
    private protected readonly List<CapturedQuantity> _quantities = [];
    private protected CapturedSession _session = new();

    // The event being read.
    private protected LoggedEvent _logged = null!;
    private protected int _ordinal;
    private protected int? _now;
    private protected Changes _changes = new();

    private readonly Dictionary<string, int> _usageByKey = [];
    private readonly Dictionary<string, int> _quantitiesByKey = [];
    private readonly SortedDictionary<string, int> _unknown = new(StringComparer.Ordinal);
    private int _events;
    private int _objects;
    private int _anomalous;
    private int _errors;

    private protected ProviderReader()
    {
    }

    /// <inheritdoc/>
    public CapturedSession Session => _session;

    /// <inheritdoc/>
    public string? SessionId => _session.SessionId;

    /// <inheritdoc/>
    public string? EndReason { get; private set; }

    /// <inheritdoc/>
    public bool IsEnded => EndReason is not null;

    private protected string EventRef => _logged.EventId is { Length: <= 128 } id && !id.Contains('\0') ? id : $"#{EventFields.Invariant(_ordinal)}";

    /// <inheritdoc/>
    public Changes Read(int ordinal, LoggedEvent e)
    {
        _events++;
        if (e.Direction == EventDirections.Object)
        {
            _objects++;
            return Changes.None;
        }

        var type = RealtimeEventTypes.Canonical(e.Type);
        if (!IsKnown(type))
        {
            var counted = _unknown.Count < MaxUnknownTypes || _unknown.ContainsKey(type) ? type : "(other)";
            _unknown[counted] = _unknown.GetValueOrDefault(counted) + 1;
            return Changes.None;
        }

        var isServer = e.Direction == EventDirections.Server;
        if (e.At is { } at && _session.StartedAt is null)
        {
            _session = _session with { StartedAt = at };
        }

        if (!HasEffect(type, e.Direction))
        {
            // Something only the one side says, in the mouth of the other.
            _anomalous += isServer != IsServerType(type) ? 1 : 0;
            return Changes.None;
        }

        (_logged, _ordinal, _now, _changes) = (e, ordinal, Offset(e), new());
        _fields.Reset();
        try
        {
            using var document = e.Parse();
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                _fields.Flag();
            }
            else if (isServer)
            {
                ReadServer(type, document.RootElement);
            }
            else
            {
                ReadClient(type, document.RootElement);
            }
        }
        catch (Exception malformed) when (malformed is JsonException or InvalidOperationException)
        {
            // A payload that is no JSON, or a name in it with an escape that makes no character.
            _fields.Flag();
        }

        _anomalous += _fields.Anomalous ? 1 : 0;
        return _changes.Any ? _changes : Changes.None;
    }

    /// <inheritdoc/>
    public abstract CapturedConversation Snapshot(int malformedLines = 0);

    /// <inheritdoc/>
    public abstract CapturedTurn? Turn(string itemId);

    /// <inheritdoc/>
    public abstract CapturedResponse? ResponseRecord(string responseId);

    /// <inheritdoc/>
    public abstract CapturedFunctionCall? FunctionCall(string callId);

    /// <inheritdoc/>
    public CapturedUsage? UsageEvent(string key) => _usageByKey.TryGetValue(key, out var index) ? _usage[index] : null;

    /// <inheritdoc/>
    public CapturedQuantity? Quantity(string key) => _quantitiesByKey.TryGetValue(key, out var index) ? _quantities[index] : null;

    private protected abstract bool IsKnown(string type);

    private protected abstract bool IsServerType(string type);

    /// <summary>Whether an event of a known type says something; the payload of the others is not even parsed.</summary>
    private protected abstract bool HasEffect(string type, string direction);

    private protected abstract void ReadServer(string type, JsonElement e);

    private protected abstract void ReadClient(string type, JsonElement e);

    private protected void End(string reason)
    {
        if (EndReason is null)
        {
            EndReason = reason;
            _changes.Ended = true;
        }
    }

    /// <summary>An error of the provider. Not its message: a message may quote what was said.</summary>
    /// <returns>Its code.</returns>
    private protected string? PutError(JsonElement e)
    {
        _fields.Object(e, "error", out var error);
        var code = _fields.Id(error, "code");
        _errors++;
        Put(new()
        {
            Key = $"error:{EventRef}",
            EventType = "error",
            Ordinal = _ordinal,
            OffsetMs = _now,
            Details = Details(
                ("type", _fields.Id(error, "type")),
                ("code", code),
                ("param", _fields.Id(error, "param")),
                ("event_id", _fields.Id(error, "event_id") ?? _fields.Id(error, "client_event_id"))),
        });
        return code;
    }

    private protected void PutSessionStart()
    {
        if (UsageEvent("session_start") is null)
        {
            Put(new()
            {
                Key = "session_start",
                EventType = "session_start",
                Ordinal = _ordinal,
                OffsetMs = _now,
                Details = Details(
                    ("model", _session.Model), ("transcription_model", _session.TranscriptionModel), ("voice", _session.Voice)),
            });
        }
    }

    private protected void Put(CapturedUsage usage)
    {
        if (_usageByKey.TryGetValue(usage.Key, out var index))
        {
            usage = usage with { Ordinal = _usage[index].Ordinal };
            if (usage == _usage[index])
            {
                return;
            }

            _usage[index] = usage;
        }
        else
        {
            _usageByKey.Add(usage.Key, _usage.Count);
            _usage.Add(usage);
        }

        _changes.UsageEvent(usage.Key);
    }

    private protected void Charge(CapturedQuantity quantity)
    {
        if (quantity.Quantity > 0 && _quantitiesByKey.TryAdd(quantity.Key, _quantities.Count))
        {
            _quantities.Add(quantity);
            _changes.Quantity(quantity.Key);
        }
    }

    private protected CaptureCounters Count(
        IReadOnlyList<CapturedTurn> turns, IReadOnlyList<CapturedResponse> responses, int functionCalls, int malformedLines) => new()
        {
            Events = _events,
            Objects = _objects,
            Malformed = malformedLines,
            Anomalous = _anomalous,
            Unknown = _unknown.Values.Sum(),
            UnknownByType = new Dictionary<string, int>(_unknown),
            Responses = responses.Count,
            CancelledResponses = responses.Count(r => r.Status == "cancelled"),
            Turns = turns.Count,
            UserTurns = turns.Count(t => t.Role == "user"),
            AssistantTurns = turns.Count(t => t.Role == "assistant"),
            InterruptedTurns = turns.Count(t => t.Interrupted),
            FunctionCalls = functionCalls,
            Errors = _errors,
            InputTokens = responses.Sum(r => (long)(r.Usage?.Input ?? 0)),
            OutputTokens = responses.Sum(r => (long)(r.Usage?.Output ?? 0)),
            CachedTokens = responses.Sum(r => (long)(r.Usage?.Cached ?? 0)),
        };

    private protected static string? Details(params ReadOnlySpan<(string Name, object? Value)> members)
    {
        var details = new Dictionary<string, object>();
        foreach (var (name, value) in members)
        {
            if (value is not null)
            {
                details[name] = value;
            }
        }

        return details.Count == 0 ? null : JsonSerializer.Serialize(details, DetailsOptions);
    }

    // A clock that runs backwards measures nothing.
    private protected static int? Elapsed(int? from, int? to) => to >= from ? to - from : null;

    private int? Offset(LoggedEvent e)
    {
        if (e.OffsetMs is not null || e.At is null || _session.StartedAt is null)
        {
            return e.OffsetMs;
        }

        return (e.At.Value - _session.StartedAt.Value).TotalMilliseconds is var ms and >= 0 and <= int.MaxValue ? (int)ms : null;
    }
}
