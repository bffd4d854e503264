using System.Text.Json;

namespace Voxbase.Capture;

/// <summary>
/// Reads the events of one OpenAI Realtime session, beta or GA, and says what conversation they make. A fold: what it holds depends on the
/// sequence of events and nothing else (no clock, no I/O, no randomness), so a stored log read again gives equal records.
/// An event costs O(1) amortised, memory is O(items + text); audio is counted and never kept.
/// Events must come in their order and without repetitions (<see cref="EventKeys"/>); a response or transcription that is reported twice
/// is charged once all the same. Nothing in an event makes it throw: unknown types are counted, and a field that cannot be right is
/// treated as absent and its event counted as anomalous. Not thread-safe.
/// </summary>
public sealed partial class OpenAiRealtimeReader : ProviderReader
{
    private readonly ItemOrder _order = new();
    private readonly Dictionary<string, RealtimeItem> _items = [];
    private readonly Dictionary<string, RealtimeResponse> _responsesById = [];
    private readonly List<RealtimeResponse> _responses = [];
    private readonly Dictionary<string, RealtimeCall> _callsById = [];
    private readonly List<RealtimeCall> _calls = [];
    private readonly HashSet<string> _settled = [];
    private readonly HashSet<string> _rootRequests = [];

    private double _outputBytesPerMs = 48;

    /// <summary>The ordinal of the event that brought the latest summary; -1 before the first.</summary>
    internal int SummaryOrdinal { get; private set; } = -1;

    // The end of the user's latest speech that no audio has answered yet.
    private int? _unansweredSpeechEnd;

    private protected override bool IsKnown(string type) => RealtimeEventTypes.IsKnown(type);

    private protected override bool IsServerType(string type) => RealtimeEventTypes.IsServer(type);

    private protected override bool HasEffect(string type, string direction) =>
        direction == EventDirections.Server ? HasEffect(type) : type == "conversation.item.create" && direction == EventDirections.Client;

    // Known events that say nothing the reader does not hear elsewhere; their payload is not even parsed.
    private static bool HasEffect(string type) => RealtimeEventTypes.IsServer(type) && type is not (
        "session.input_transcript.delta" or "session.output_transcript.delta" or "session.output_audio.delta"
        or "conversation.item.input_audio_transcription.segment" or "input_audio_buffer.cleared" or "response.output_audio.done"
        or "mcp_list_tools.in_progress" or "mcp_list_tools.completed" or "mcp_list_tools.failed");

    private protected override void ReadServer(string type, JsonElement e)
    {
        switch (type)
        {
            case "session.created" or "session.updated" or "transcription_session.created" or "transcription_session.updated":
                ReadSession(e);
                break;
            case "session.closed":
                End(_fields.Id(e, "reason") ?? "closed");
                break;
            case "conversation.created":
                if (_fields.Object(e, "conversation", out var conversation) && _fields.Id(conversation, "id") is { } conversationId)
                {
                    SetConversation(conversationId);
                }

                break;
            case "conversation.item.created" or "conversation.item.added" or "conversation.item.done":
                ReadItem(e, TextSource.Item, isDone: type == "conversation.item.done");
                break;
            case "conversation.item.retrieved":
                ReadItem(e, TextSource.Retrieved, isDone: false);
                break;
            case "conversation.item.deleted":
                if (ItemOf(e) is { } deleted && !deleted.IsDeleted)
                {
                    ItemOrder.Delete(deleted);
                    Touch(deleted);
                }

                break;
            case "conversation.item.truncated":
                ReadTruncated(e);
                break;
            case "conversation.item.input_audio_transcription.delta":
                if (UserItemOf(e) is { } heard && _fields.Text(e, "delta") is { } heardDelta && heard.Part(ContentIndex(e)).Stream(heardDelta))
                {
                    Touch(heard);
                }

                break;
            case "conversation.item.input_audio_transcription.completed":
                ReadTranscription(e);
                break;
            case "conversation.item.input_audio_transcription.failed":
                ReadTranscriptionFailure(e);
                break;
            case "input_audio_buffer.speech_started" or "input_audio_buffer.speech_stopped" or "input_audio_buffer.timeout_triggered":
                ReadSpeech(type, e);
                break;
            case "input_audio_buffer.committed":
                ReadCommitted(e);
                break;
            case "input_audio_buffer.dtmf_event_received":
                // The digit stays in the evidence: callers type card numbers and PINs.
                Put(new() { Key = $"dtmf:{EventRef}", EventType = "dtmf", Ordinal = _ordinal, OffsetMs = _now });
                break;
            case "output_audio_buffer.started" or "output_audio_buffer.stopped" or "output_audio_buffer.cleared":
                ReadPlayback(type, e);
                break;
            case "response.created":
                ReadResponseCreated(e);
                break;
            case "response.done":
                ReadResponseDone(e);
                break;
            case "response.output_item.added" or "response.output_item.done":
                if (_fields.Object(e, "item", out var output))
                {
                    ReadOutputItem(output, ResponseOf(e), isDone: type == "response.output_item.done");
                }

                break;
            case "response.content_part.added" or "response.content_part.done":
                if (OutputMessageOf(e) is { } message && _fields.Object(e, "part", out var part))
                {
                    ReadPart(message, part, ContentIndex(e), type == "response.content_part.done" ? TextSource.Final : TextSource.Streamed);
                }

                break;
            case "response.output_text.delta" or "response.output_audio_transcript.delta":
                if (OutputMessageOf(e) is { } streaming)
                {
                    Began(streaming, isAudio: type == "response.output_audio_transcript.delta");
                    if (_fields.Text(e, "delta") is { } delta && streaming.Part(ContentIndex(e)).Stream(delta))
                    {
                        Touch(streaming);
                    }
                }

                break;
            case "response.output_text.done":
                ReadFinalText(e, "text");
                break;
            case "response.output_audio_transcript.done":
                ReadFinalText(e, "transcript");
                break;
            case "response.output_audio.delta":
                ReadAudio(e);
                break;
            case "response.function_call_arguments.delta" or "response.function_call_arguments.done":
                ReadArguments(e, isMcp: false);
                break;
            case "response.mcp_call_arguments.delta" or "response.mcp_call_arguments.done":
                ReadArguments(e, isMcp: true);
                break;
            case "response.mcp_call.in_progress" or "response.mcp_call.completed" or "response.mcp_call.failed":
                ReadMcpProgress(type, e);
                break;
            case "rate_limits.updated":
                ReadRateLimits(e);
                break;
            case "error":
                ReadError(e);
                break;
        }
    }

    private void ReadSession(JsonElement e)
    {
        if (!_fields.Object(e, "session", out var session))
        {
            return;
        }

        var kind = _fields.Id(session, "type");
        if (kind == "translation" && _session is { SessionId: not null, Kind: not "translation" })
        {
            return;
        }

        _fields.Object(session, "audio", out var audio);
        _fields.Object(audio, "input", out var input);
        _fields.Object(audio, "output", out var output);
        var isFlat = audio.ValueKind != JsonValueKind.Object;
        var saysTranscription = Says(isFlat ? session : input, isFlat ? "input_audio_transcription" : "transcription");
        var saysDetection = Says(isFlat ? session : input, "turn_detection");
        _fields.Object(isFlat ? session : input, isFlat ? "input_audio_transcription" : "transcription", out var transcription);
        _fields.Object(isFlat ? session : input, "turn_detection", out var detection);
        _session = _session with
        {
            SessionId = _session.SessionId ?? _fields.Id(session, "id"),
            Kind = kind ?? _session.Kind,
            Model = _fields.Id(session, "model") ?? _session.Model,
            TranscriptionModel = saysTranscription ? _fields.Id(transcription, "model") : _session.TranscriptionModel,
            Language = kind == "translation"
                ? _fields.Id(output, "language")
                : saysTranscription ? _fields.Id(transcription, "language") : _session.Language,
            Voice = _fields.Id(isFlat ? session : output, "voice") ?? _session.Voice,
            Modalities = Modalities(session) ?? _session.Modalities,
            TurnDetection = saysDetection ? _fields.Id(detection, "type") : _session.TurnDetection,
            ExpiresAt = _fields.UnixSeconds(session, "expires_at") ?? _session.ExpiresAt,
        };
        _outputBytesPerMs = BytesPerMs(session) ?? _outputBytesPerMs;
        _changes.Session = true;
        PutSessionStart();
    }

    private static bool Says(JsonElement owner, string name) => owner.ValueKind == JsonValueKind.Object && owner.TryGetProperty(name, out _);

    private string[]? Modalities(JsonElement session)
    {
        if (!_fields.Array(session, Says(session, "output_modalities") ? "output_modalities" : "modalities", out var modalities))
        {
            return null;
        }

        return [.. modalities.EnumerateArray().Take(8).Where(m => m.ValueKind == JsonValueKind.String).Select(m => m.GetString()!)];
    }

    // 16-bit samples at 24 kHz unless told otherwise; the telephone formats are 8 bits at 8 kHz.
    private double? BytesPerMs(JsonElement owner)
    {
        if (_fields.Object(owner, "audio", out var audio)
            && _fields.Object(audio, "output", out var output)
            && _fields.Object(output, "format", out var format))
        {
            return _fields.Id(format, "type") switch
            {
                "audio/pcm" => (_fields.Count(format, "rate") is { } rate and > 0 ? rate : 24_000) * 2 / 1000.0,
                "audio/pcmu" or "audio/pcma" => 8,
                _ => null,
            };
        }

        return (Says(owner, "output_audio_format") ? _fields.Id(owner, "output_audio_format") : null) switch
        {
            "pcm16" => 48,
            "g711_ulaw" or "g711_alaw" => 8,
            _ => null,
        };
    }

    private void SetConversation(string conversationId)
    {
        if (_session.ConversationId is null)
        {
            _session = _session with { ConversationId = conversationId };
            _changes.Session = true;
        }
    }

    // Only what a client gives back to the model counts before the server confirms it: nobody else can know it sooner.
    private protected override void ReadClient(string type, JsonElement e)
    {
        if (!_fields.Object(e, "item", out var item))
        {
            return;
        }

        if (Says(e, "previous_item_id") && _fields.Id(e, "previous_item_id") == "root" && _fields.Id(item, "id") is { } id)
        {
            _rootRequests.Add(id);
        }

        if (_fields.Id(item, "type") == "function_call_output")
        {
            ReadOutputOfCall(item);
        }
    }

    private void ReadItem(JsonElement e, TextSource source, bool isDone)
    {
        if (!_fields.Object(e, "item", out var json) || Identify(json) is not { } item)
        {
            return;
        }

        if (ContextSummary.IsSummary(item.Id))
        {
            // Nobody said it: it stands for what was said, and has no place among the turns.
            ReadSummary(item, json);
        }

        if (item.IsOutOfBand)
        {
            // It is in the conversation after all.
            item.IsOutOfBand = false;
            if (item.Response is { } response)
            {
                response.OutOfBand = false;
                _changes.Response(response.Id);
            }

            _order.Renumber();
        }

        item.Role ??= RoleOf(json) ?? (item.Response is null ? "user" : "assistant");
        Announce(item);
        if (Says(e, "previous_item_id"))
        {
            Link(item, _fields.Id(e, "previous_item_id"));
        }

        ReadContent(item, json, source, isDone);
    }

    private void ReadSummary(RealtimeItem item, JsonElement json)
    {
        item.Role = "system";
        if (_fields.Array(json, "content", out var content) && content.GetArrayLength() > 0
            && _fields.Text(content[0], "text") is { } text && ContextSummary.TextOf(text) is { } summary && summary != _session.Summary)
        {
            _session = _session with { Summary = summary };
            SummaryOrdinal = _ordinal;
            _changes.Session = true;
        }
    }

    private void ReadOutputItem(JsonElement json, RealtimeResponse? response, bool isDone)
    {
        if (Identify(json) is not { } item)
        {
            return;
        }

        item.Role ??= RoleOf(json) ?? "assistant";
        Attach(item, response);
        ReadContent(item, json, TextSource.Item, isDone);
    }

    private RealtimeItem? Identify(JsonElement json)
    {
        if (_fields.Id(json, "id") is not { } id)
        {
            return null;
        }

        var kind = _fields.Id(json, "type") switch
        {
            "message" => RealtimeItemKind.Message,
            "function_call" => RealtimeItemKind.FunctionCall,
            "function_call_output" => RealtimeItemKind.FunctionCallOutput,
            null => Says(json, "role") ? RealtimeItemKind.Message : RealtimeItemKind.Unknown,
            "mcp_call" => RealtimeItemKind.FunctionCall,
            _ => RealtimeItemKind.Other,
        };
        kind = ContextSummary.IsSummary(id) ? RealtimeItemKind.Other : kind;
        var item = Item(id);
        SetKind(item, kind);
        return item;
    }

    private string? RoleOf(JsonElement json)
    {
        var role = _fields.Id(json, "role");
        if (role is null or "user" or "assistant" or "system")
        {
            return role;
        }

        _fields.Flag();
        return null;
    }

    private void ReadContent(RealtimeItem item, JsonElement json, TextSource source, bool isDone)
    {
        // Never back: an item that is told of late, or looked up, is not in progress again.
        var status = _fields.Id(json, "status") ?? (isDone ? "completed" : null);
        if (status is "completed" or "incomplete" && item.Status == "in_progress")
        {
            item.Status = status;
        }

        item.DoneAt ??= isDone ? _now : null;
        switch (item.Kind)
        {
            case RealtimeItemKind.Message:
                if (_fields.Array(json, "content", out var content))
                {
                    var index = 0;
                    foreach (var part in content.EnumerateArray())
                    {
                        ReadPart(item, part, index++, source);
                    }
                }

                Touch(item);
                break;
            case RealtimeItemKind.FunctionCall:
                ReadCall(item, json);
                break;
            case RealtimeItemKind.FunctionCallOutput:
                ReadOutputOfCall(json);
                break;
        }
    }

    private void ReadPart(RealtimeItem item, JsonElement part, int index, TextSource source)
    {
        if (part.ValueKind != JsonValueKind.Object)
        {
            _fields.Flag();
            return;
        }

        var type = _fields.Id(part, "type");
        if (type is "audio" or "output_audio")
        {
            HasAudio(item);
        }

        item.IsSpoken |= type == "input_audio";

        // An announced part is empty; what it will hold is streamed.
        var text = _fields.Text(part, "text") ?? _fields.Text(part, "transcript");
        if (text is not null && source != TextSource.Streamed && item.Part(index).Set(text, source))
        {
            Touch(item);
        }
    }

    private void ReadTruncated(JsonElement e)
    {
        if (ItemOf(e) is not { } item || !SetKind(item, RealtimeItemKind.Message))
        {
            return;
        }

        item.Role ??= "assistant";
        item.IsTruncated = true;
        item.TruncatedMs = _fields.Ms(e, "audio_end_ms") ?? item.TruncatedMs;
        Announce(item);
        Touch(item);
        Put(new()
        {
            Key = $"interruption:{item.Id}",
            EventType = "interruption",
            Ordinal = _ordinal,
            ItemId = item.Id,
            ResponseId = item.Response?.Id,
            AudioDurationMs = item.TruncatedMs,
            OffsetMs = _now,
        });
    }

    private void ReadSpeech(string type, JsonElement e)
    {
        var item = ItemOf(e);
        var (start, end) = (_fields.Ms(e, "audio_start_ms"), _fields.Ms(e, "audio_end_ms"));
        if (item is not null)
        {
            item.IsSpoken = true;
            item.AudioStartMs = start ?? item.AudioStartMs;
            item.AudioEndMs = end ?? item.AudioEndMs;
            if (type == "input_audio_buffer.speech_started")
            {
                item.SpeechStartedAt = _now;
            }
            else if (type == "input_audio_buffer.speech_stopped")
            {
                item.SpeechStoppedAt = _now;
            }

            Touch(item);
        }

        _unansweredSpeechEnd = type switch
        {
            "input_audio_buffer.speech_started" => null,
            "input_audio_buffer.speech_stopped" => _now,
            _ => _unansweredSpeechEnd,
        };
        var name = type == "input_audio_buffer.timeout_triggered" ? "idle_timeout" : type["input_audio_buffer.".Length..];
        Put(new()
        {
            Key = $"{name}:{EventRef}",
            EventType = name,
            Ordinal = _ordinal,
            ItemId = item?.Id,
            AudioDurationMs = name == "speech_started" ? null : Elapsed(item?.AudioStartMs, item?.AudioEndMs),
            OffsetMs = _now,
        });
    }

    private void ReadCommitted(JsonElement e)
    {
        if (UserItemOf(e) is not { } item)
        {
            return;
        }

        item.CommittedAt ??= _now;
        if (item.SpeechStoppedAt is null && item.AudioEndMs is null)
        {
            _unansweredSpeechEnd = _now;
        }

        if (Says(e, "previous_item_id"))
        {
            Link(item, _fields.Id(e, "previous_item_id"));
        }

        Touch(item);
    }

    private void ReadTranscription(JsonElement e)
    {
        if (UserItemOf(e) is not { } item)
        {
            return;
        }

        var index = ContentIndex(e);
        if (_fields.Text(e, "transcript") is { } transcript)
        {
            item.Part(index).Set(transcript, TextSource.Final);
        }

        item.Status = "completed";
        item.TranscriptionFailed = null;
        item.TranscribedAt ??= _now;
        Touch(item);
        var key = $"transcription:{item.Id}:{EventFields.Invariant(index)}";
        var record = new CapturedUsage
        {
            Key = key,
            EventType = "transcription",
            Ordinal = _ordinal,
            ItemId = item.Id,
            LatencyMs = Elapsed(item.CommittedAt ?? item.AnnouncedAt, _now),
            AudioDurationMs = Elapsed(item.AudioStartMs, item.AudioEndMs),
            OffsetMs = _now,
            Details = Details(("model", item.TranscriptionModel)),
        };
        if (_settled.Contains(key))
        {
            return;
        }

        if (!_fields.Object(e, "usage", out var usage))
        {
            Put(record);
            return;
        }

        _settled.Add(key);
        var isDuration = _fields.Id(usage, "type") is { } type ? type == "duration" : Says(usage, "seconds");
        if (isDuration)
        {
            var seconds = _fields.Seconds(usage, "seconds");
            Put(record with { Seconds = seconds });
            Charge(item, index, "stt.seconds", seconds ?? 0);
            return;
        }

        _fields.Object(usage, "input_token_details", out var details);
        var (text, audio) = (_fields.Count(details, "text_tokens"), _fields.Count(details, "audio_tokens"));
        var parts = TokenUsage.Sum(text, audio) ?? 0;
        var (input, output) = (_fields.Count(usage, "input_tokens"), _fields.Count(usage, "output_tokens"));
        Put(record with { InputTokens = input ?? (int)Math.Min(parts, int.MaxValue), OutputTokens = output });
        if (parts > input)
        {
            _fields.Flag();
            Charge(item, index, "stt.input.unsplit", input.Value);
        }
        else
        {
            Charge(item, index, "stt.input.text", text ?? 0);
            Charge(item, index, "stt.input.audio", audio ?? 0);
            Charge(item, index, "stt.input.unsplit", (input ?? parts) - parts);
        }

        Charge(item, index, "stt.output.text", output ?? 0);
    }

    private void ReadTranscriptionFailure(JsonElement e)
    {
        if (UserItemOf(e) is not { } item)
        {
            return;
        }

        _fields.Object(e, "error", out var error);
        var (code, type) = (_fields.Id(error, "code"), _fields.Id(error, "type"));
        if (item.TranscribedAt is null && item.Text() is null or "")
        {
            item.TranscriptionFailed = code ?? type ?? "failed";
        }

        Touch(item);
        Put(new()
        {
            Key = $"transcription_failed:{item.Id}:{EventFields.Invariant(ContentIndex(e))}",
            EventType = "transcription_failed",
            Ordinal = _ordinal,
            ItemId = item.Id,
            LatencyMs = Elapsed(item.CommittedAt ?? item.AnnouncedAt, _now),
            OffsetMs = _now,
            Details = Details(("code", code), ("type", type)),
        });
    }

    private void ReadPlayback(string type, JsonElement e)
    {
        if (ResponseOf(e) is not { } response)
        {
            return;
        }

        switch (type)
        {
            case "output_audio_buffer.started":
                response.PlaybackStartedAt ??= _now;
                FirstAudio(response, response.FirstMessage);
                break;
            case "output_audio_buffer.stopped":
                response.IsPlayedOut = true;
                response.PlaybackEndedAt ??= _now;
                break;
            default:
                response.PlaybackEndedAt ??= _now;
                response.IsCleared |= !response.IsPlayedOut;
                break;
        }

        Touch(response);
    }

    private void ReadResponseCreated(JsonElement e)
    {
        if (!_fields.Object(e, "response", out var json) || _fields.Id(json, "id") is not { } id)
        {
            return;
        }

        var response = Response(id);
        response.CreatedAt ??= _now;
        ReadResponse(response, json);
        Touch(response);
    }

    private void ReadResponse(RealtimeResponse response, JsonElement json)
    {
        response.Model = _fields.Id(json, "model") ?? response.Model ?? _session.Model;
        response.BytesPerMs = BytesPerMs(json) ?? response.BytesPerMs;
        if (_fields.Id(json, "conversation_id") is { } conversationId)
        {
            SetConversation(conversationId);
            response.OutOfBand = false;
        }
        else if (Says(json, "conversation_id") && response.Items.Count == 0 && json.GetProperty("conversation_id").ValueKind == JsonValueKind.Null)
        {
            response.OutOfBand = true;
        }
    }

    private void ReadResponseDone(JsonElement e)
    {
        if (!_fields.Object(e, "response", out var json) || _fields.Id(json, "id") is not { } id)
        {
            return;
        }

        var response = Response(id);
        ReadResponse(response, json);
        if (_fields.Array(json, "output", out var output))
        {
            foreach (var item in output.EnumerateArray())
            {
                if (item.ValueKind == JsonValueKind.Object)
                {
                    ReadOutputItem(item, response, isDone: true);
                }
                else
                {
                    _fields.Flag();
                }
            }
        }

        if (response.Status == "in_progress")
        {
            response.Status = _fields.Id(json, "status") is { } status and not "in_progress" ? status : "completed";
            if (_fields.Object(json, "status_details", out var details))
            {
                response.StatusReason = _fields.Id(details, "reason");
                if (_fields.Object(details, "error", out var error))
                {
                    (response.ErrorCode, response.ErrorType) = (_fields.Id(error, "code"), _fields.Id(error, "type"));
                }
            }

            response.DoneAt ??= _now;
            foreach (var item in response.Items)
            {
                item.DoneAt ??= _now;
                Touch(item);
                if (item.Call is { } call)
                {
                    Touch(call);
                }
            }
        }

        if (response.Usage is null && TokenUsage.Read(_fields, json) is { } usage)
        {
            response.Usage = usage;
            var turn = response.OutOfBand ? null : response.FirstMessage?.Id;
            foreach (var (meter, quantity) in usage.Meters())
            {
                Charge(new($"{id}:{meter}", "llm", meter, response.Model, quantity, id, turn, _ordinal));
            }
        }

        Touch(response);
    }

    private void ReadFinalText(JsonElement e, string name)
    {
        if (OutputMessageOf(e) is not { } item)
        {
            return;
        }

        if (name == "transcript")
        {
            HasAudio(item);
        }

        if (_fields.Text(e, name) is { } text && item.Part(ContentIndex(e)).Set(text, TextSource.Final))
        {
            Touch(item);
        }
    }

    private void ReadAudio(JsonElement e)
    {
        if (OutputMessageOf(e) is not { } item)
        {
            return;
        }

        Began(item, isAudio: true);
        item.AudioMs += _fields.Base64Bytes(e, "delta") / (item.Response?.BytesPerMs ?? _outputBytesPerMs);
        if (item.Response is { } response)
        {
            FirstAudio(response, item);
        }

        Touch(item);
    }

    private void ReadArguments(JsonElement e, bool isMcp)
    {
        var item = ItemOf(e);
        if (item is not null && SetKind(item, RealtimeItemKind.FunctionCall))
        {
            Attach(item, ResponseOf(e));
        }

        var call = CallOf(isMcp ? null : _fields.Id(e, "call_id"), item);
        if (call is null)
        {
            return;
        }

        call.Response ??= ResponseOf(e);
        call.Name = (Says(e, "name") ? _fields.Id(e, "name") : null) ?? call.Name;
        if (call.Response is { } response)
        {
            FirstToken(response);
        }

        if (_fields.Text(e, "arguments") is { } arguments)
        {
            call.SetArguments(arguments, _now);
        }
        else if (_fields.Text(e, "delta") is { } delta)
        {
            call.Stream(delta);
        }

        Touch(call);
    }

    private void ReadCall(RealtimeItem item, JsonElement json)
    {
        var isMcp = _fields.Id(json, "type") == "mcp_call";
        if (CallOf(isMcp ? null : _fields.Id(json, "call_id"), item) is not { } call)
        {
            return;
        }

        call.Response ??= item.Response;
        call.Name = _fields.Id(json, "name") ?? call.Name;
        if (item.Status != "in_progress" && _fields.Text(json, "arguments") is { Length: > 0 } arguments && item.Status == "completed")
        {
            call.SetArguments(arguments, _now);
        }

        if (isMcp)
        {
            call.ServerLabel = _fields.Id(json, "server_label") ?? call.ServerLabel;
            if (_fields.Text(json, "output") is { } output)
            {
                (call.Output, call.OutputAt) = (output, call.OutputAt ?? _now);
            }

            if (_fields.Object(json, "error", out var error))
            {
                call.Error = _fields.Text(error, "message") ?? _fields.Id(error, "code") ?? _fields.Id(error, "type") ?? "failed";
            }
        }

        Touch(call);
    }

    private void ReadOutputOfCall(JsonElement json)
    {
        if (_fields.Id(json, "call_id") is not { } callId || CallOf(callId, null) is not { } call)
        {
            return;
        }

        if (_fields.Text(json, "output") is { } output)
        {
            (call.Output, call.OutputAt) = (output, call.OutputAt ?? _now);
        }

        Touch(call);
    }

    private void ReadMcpProgress(string type, JsonElement e)
    {
        if (ItemOf(e) is not { } item || !SetKind(item, RealtimeItemKind.FunctionCall) || CallOf(null, item) is not { } call)
        {
            return;
        }

        switch (type)
        {
            case "response.mcp_call.in_progress":
                call.ReadyAt = _now ?? call.ReadyAt;
                break;
            case "response.mcp_call.completed":
                (call.IsCompleted, call.OutputAt) = (true, call.OutputAt ?? _now);
                break;
            default:
                (call.IsFailed, call.OutputAt) = (true, call.OutputAt ?? _now);
                break;
        }

        Touch(call);
    }

    private void ReadRateLimits(JsonElement e)
    {
        var details = new List<(string, object?)>();
        if (_fields.Array(e, "rate_limits", out var limits))
        {
            foreach (var limit in limits.EnumerateArray().Take(8))
            {
                if (_fields.Id(limit, "name") is { } name)
                {
                    details.Add(($"{name}_limit", _fields.Count(limit, "limit")));
                    details.Add(($"{name}_remaining", _fields.Count(limit, "remaining")));
                    details.Add(($"{name}_reset_seconds", _fields.Seconds(limit, "reset_seconds")));
                }
            }
        }

        Put(new()
        {
            Key = $"rate_limits:{EventRef}",
            EventType = "rate_limits",
            Ordinal = _ordinal,
            OffsetMs = _now,
            Details = Details([.. details]),
        });
    }

    private void ReadError(JsonElement e)
    {
        if (PutError(e) == "session_expired")
        {
            End("expired");
        }
    }
}
