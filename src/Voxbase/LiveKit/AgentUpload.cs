using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Voxbase.LiveKit;

/// <summary>
/// What an agent uploaded about one room, in one form whatever way it came: records, and perhaps the audio. A record is a JSON object
/// with <c>type</c>; it is what is kept as evidence.
/// </summary>
internal sealed record AgentUpload(string? RoomSid, string? RoomName, IReadOnlyList<JsonObject> Records, byte[] Audio)
{
    public const string ChatItem = "agent.chat_item";
    public const string Report = "agent.session_report";
    public const string Span = "agent.span";
    public const string Metric = "agent.metric";
    public const string Evaluation = "agent.evaluation";
    public const string Recording = "agent.recording";

    private const string AgentScope = "livekit-agents";

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 64 };

    /// <summary>As it waits to be read: the length of the records, the records, the audio.</summary>
    public byte[] Encode()
    {
        var records = Encoding.UTF8.GetBytes(new JsonArray([.. Records.Select(record => (JsonNode)record.DeepClone())]).ToJsonString());
        var bytes = new byte[4 + records.Length + Audio.Length];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, records.Length);
        records.CopyTo(bytes, 4);
        Audio.CopyTo(bytes, 4 + records.Length);
        return bytes;
    }

    /// <summary>The records, each as JSON, and the audio.</summary>
    public static (IReadOnlyList<string> Records, byte[] Audio) Decode(byte[] bytes)
    {
        var length = BinaryPrimitives.ReadInt32LittleEndian(bytes);
        using var document = JsonDocument.Parse(bytes.AsMemory(4, length), Options);
        return ([.. document.RootElement.EnumerateArray().Select(record => record.GetRawText())], bytes[(4 + length)..]);
    }

    /// <summary>
    /// Of OTLP logs: what the loggers of a session's report and of its evaluations wrote. An agent's ordinary log lines are not kept; they
    /// are anything, and a log belongs into a log.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>livekit_upload_invalid</c>.</exception>
    public static IReadOnlyList<AgentUpload> OfLogs(ReadOnlySpan<byte> bytes, bool isJson)
    {
        var records = new List<(JsonObject Origin, JsonObject Record)>();
        var index = 0;
        foreach (var log in Read(bytes, isJson, Otlp.Logs))
        {
            var logger = log.Origin.Scope is "chat_history" or "evaluations" ? log.Origin.Scope : Text(log.Attributes, "logger.name");
            var origin = Origin(log);
            switch (logger, log.Body)
            {
                case ("chat_history", "chat item") when log.Attributes["chat.item"] is JsonObject item:
                    records.Add((origin, ChatItemOf("otlp", Text(origin, "job_id"), index++, item, isMilliseconds: false)));
                    break;
                case ("chat_history", "session report"):
                    records.Add((origin, ReportOf(
                        "otlp", origin, log.Attributes["session.report_timestamp"], log.Attributes["usage"], null,
                        Text(log.Attributes, "agent_name"), Text(log.Attributes, "sdk_version"))));
                    break;
                case ("evaluations", not null):
                    records.Add((origin, new JsonObject
                    {
                        ["type"] = Evaluation,
                        ["job_id"] = Text(origin, "job_id"),
                        ["body"] = log.Body,
                        ["time"] = OtlpTime.Text(log.Time),
                        ["attributes"] = log.Attributes.DeepClone(),
                    }));
                    break;
            }
        }

        return ByRoom(records);
    }

    /// <summary>Of OTLP traces: the spans of the agents framework.</summary>
    /// <exception cref="VoxbaseException"><c>livekit_upload_invalid</c>.</exception>
    public static IReadOnlyList<AgentUpload> OfTraces(ReadOnlySpan<byte> bytes, bool isJson) => ByRoom(
    [
        .. Read(bytes, isJson, Otlp.Spans).Where(span => span.Origin.Scope == AgentScope).Select(span => (Origin(span), new JsonObject
        {
            ["type"] = Span,
            ["job_id"] = Text(Origin(span), "job_id"),
            ["name"] = span.Name,
            ["trace_id"] = span.TraceId,
            ["span_id"] = span.SpanId,
            ["parent_span_id"] = span.ParentSpanId,
            ["start"] = OtlpTime.Text(span.Start),
            ["end"] = OtlpTime.Text(span.Time),
            ["is_error"] = span.IsError,
            ["attributes"] = span.Attributes.DeepClone(),
        })),
    ]);

    /// <summary>Of OTLP metrics: the data points of the agents framework.</summary>
    /// <exception cref="VoxbaseException"><c>livekit_upload_invalid</c>.</exception>
    public static IReadOnlyList<AgentUpload> OfMetrics(ReadOnlySpan<byte> bytes, bool isJson) => ByRoom(
    [
        .. Read(bytes, isJson, Otlp.Metrics).Where(point => point.Name?.StartsWith("lk.", StringComparison.Ordinal) == true).Select(point => (Origin(point), new JsonObject
        {
            ["type"] = Metric,
            ["job_id"] = Text(Origin(point), "job_id"),
            ["name"] = point.Name,
            ["unit"] = point.Unit,
            ["start"] = OtlpTime.Text(point.Start),
            ["time"] = OtlpTime.Text(point.Time),
            ["cumulative"] = point.IsCumulative,
            ["value"] = point.Value,
            ["count"] = point.Count,
            ["sum"] = point.Sum,
            ["min"] = point.Min,
            ["max"] = point.Max,
            ["attributes"] = point.Attributes.DeepClone(),
        })),
    ]);

    /// <summary>Of the form that an agent sends at the end of a session: <c>header</c>, and perhaps <c>chat_history</c> and <c>audio</c>.</summary>
    /// <exception cref="VoxbaseException"><c>livekit_upload_invalid</c>.</exception>
    public static AgentUpload OfRecording(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> parts)
    {
        if (!parts.TryGetValue("header", out var headerBytes))
            throw LiveKitErrors.UploadInvalid.With("The form has no part named header.");
        var header = RecordingHeader.Read(headerBytes.Span);
        if (header.RoomId is null && header.RoomName is null)
            throw LiveKitErrors.UploadInvalid.With("The header names no room.");
        var records = new List<JsonObject>();
        if (parts.TryGetValue("chat_history", out var historyBytes) && historyBytes.Length > 0)
        {
            var history = Parse(historyBytes);
            // Some versions send the whole report in its place.
            if (LiveKitJson.Object(history, "chatHistory").ValueKind == JsonValueKind.Object)
                records.AddRange(OfReport(history, "recording").Records);
            else
                records.AddRange(Items(history, "recording", header.JobId, isMilliseconds: false));
        }

        var audio = parts.TryGetValue("audio", out var audioBytes) ? audioBytes.ToArray() : [];
        if (audio.Length > 0)
        {
            records.Add(new JsonObject
            {
                ["type"] = Recording,
                ["job_id"] = header.JobId,
                ["started_at"] = header.StartedAt?.ToUnixTimeMilliseconds(),
                ["duration_ms"] = header.DurationMs,
                ["size"] = audio.Length,
            });
        }

        return new AgentUpload(header.RoomId, header.RoomName, records, audio);
    }

    /// <summary>Of a session report in JSON, of JavaScript or Python agents.</summary>
    /// <exception cref="VoxbaseException"><c>livekit_report_invalid</c>.</exception>
    public static AgentUpload OfReport(ReadOnlyMemory<byte> json)
    {
        JsonElement report;
        try
        {
            report = Parse(json);
        }
        catch (VoxbaseException e)
        {
            throw LiveKitErrors.ReportInvalid.With("The body is not a JSON object in UTF-8.", inner: e);
        }

        return OfReport(report, "report");
    }

    private static AgentUpload OfReport(JsonElement report, string source)
    {
        var (sid, name) = (LiveKitJson.Text(report, "roomId"), LiveKitJson.Text(report, "room"));
        if (sid is null && name is null)
            throw LiveKitErrors.ReportInvalid.With("room_id or room must name the room.");
        var history = LiveKitJson.Object(report, "chatHistory");
        if (!LiveKitJson.Find(history, "items", out var items) || items.ValueKind != JsonValueKind.Array)
            throw LiveKitErrors.ReportInvalid.With("chat_history.items must be an array.");
        var origin = new JsonObject { ["room_id"] = sid, ["room"] = name, ["job_id"] = LiveKitJson.Text(report, "jobId") };
        var events = LiveKitJson.Items(report, "events")
            .Where(e => LiveKitJson.Text(e, "type") is "error" or "close")
            .Select(e => JsonNode.Parse(e.GetRawText())).ToList();
        var told = ReportOf(
            source, origin, Node(report, "timestamp"), Node(report, "usage"), new JsonArray([.. events]), LiveKitJson.Text(report, "agentName"),
            LiveKitJson.Text(report, "sdkVersion"));
        return new AgentUpload(sid, name, [told, .. Items(history, source, LiveKitJson.Text(report, "jobId"), IsMilliseconds(report, history))], []);
    }

    // JavaScript's clock counts milliseconds and Python's seconds. In which of them an agent of JavaScript gives durations changed
    // with its versions: the times beside them tell, and where there are none, whether all of them would be absurd as seconds.
    private static bool IsMilliseconds(JsonElement report, JsonElement history)
    {
        if (LiveKitJson.Number(report, "timestamp") is not >= 100_000_000_000)
            return false;
        var smallest = double.MaxValue;
        foreach (var item in LiveKitJson.Items(history, "items"))
        {
            var metrics = LiveKitJson.Object(item, "metrics");
            if ((LiveKitJson.Number(metrics, "startedSpeakingAt") ?? LiveKitJson.Number(metrics, "stoppedSpeakingAt")) is { } moment)
                return moment >= 100_000_000_000;
            foreach (var (name, _) in AgentReader.Latencies)
            {
                if (LiveKitJson.Number(metrics, name) is > 0 and var duration)
                    smallest = Math.Min(smallest, duration);
            }
        }

        return smallest is >= 20 and < double.MaxValue;
    }

    private static IEnumerable<JsonObject> Items(JsonElement history, string source, string? jobId, bool isMilliseconds) =>
        LiveKitJson.Items(history, "items").Where(item => item.ValueKind == JsonValueKind.Object)
            .Select((item, index) => ChatItemOf(source, jobId, index, (JsonObject)JsonNode.Parse(item.GetRawText())!, isMilliseconds));

    private static JsonObject ChatItemOf(string source, string? jobId, int index, JsonObject item, bool isMilliseconds) => new()
    {
        ["type"] = ChatItem,
        ["source"] = source,
        ["job_id"] = jobId,
        ["index"] = index,
        ["unit"] = isMilliseconds ? "ms" : "s",
        ["item"] = item.DeepClone(),
    };

    private static JsonObject ReportOf(
        string source, JsonObject origin, JsonNode? timestamp, JsonNode? usage, JsonArray? events, string? agentName, string? sdkVersion) => new()
        {
            ["type"] = Report,
            ["source"] = source,
            ["job_id"] = Text(origin, "job_id"),
            ["room_id"] = Text(origin, "room_id"),
            ["room"] = Text(origin, "room"),
            ["timestamp"] = timestamp?.DeepClone(),
            ["agent_name"] = agentName,
            ["sdk_version"] = sdkVersion,
            ["usage"] = usage?.DeepClone(),
            ["events"] = events,
        };

    // Attributes of the record go before those of its scope, and these before those of the process.
    private static JsonObject Origin(OtlpRecord record)
    {
        var origin = new JsonObject();
        foreach (var name in (ReadOnlySpan<string>)["room_id", "job_id", "room"])
            origin[name] = Text(record.Attributes, name) ?? Text(record.Origin.Attributes, name);
        origin["room_id"] ??= Text(record.Attributes, "lk.room_id");
        origin["job_id"] ??= Text(record.Attributes, "lk.job_id");
        origin["room"] ??= Text(record.Attributes, "lk.pii.room_name") ?? Text(record.Attributes, "lk.room_name");
        return origin;
    }

    private static List<AgentUpload> ByRoom(IReadOnlyList<(JsonObject Origin, JsonObject Record)> records) =>
    [
        .. records
            .GroupBy(r => (Sid: Text(r.Origin, "room_id"), Name: Text(r.Origin, "room")))
            .Where(room => room.Key.Sid is not null || room.Key.Name is not null)
            .Select(room => new AgentUpload(room.Key.Sid, room.Key.Name, [.. room.Select(r => r.Record)], [])),
    ];

    private static List<OtlpRecord> Read(ReadOnlySpan<byte> bytes, bool isJson, Reading read)
    {
        try
        {
            return read(bytes, isJson);
        }
        catch (FormatException e)
        {
            throw LiveKitErrors.UploadInvalid.With($"The body is not OTLP in {(isJson ? "JSON" : "protobuf")}: {e.Message}", inner: e);
        }
    }

    private static JsonElement Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            _ = new UTF8Encoding(false, throwOnInvalidBytes: true).GetCharCount(json.Span);
            using var document = JsonDocument.Parse(json, Options);
            if (document.RootElement.ValueKind == JsonValueKind.Object && LiveKitJson.IsText(document.RootElement))
                return document.RootElement.Clone();
        }
        catch (Exception e) when (e is JsonException or DecoderFallbackException)
        {
            // Answered below, without the text.
        }

        throw LiveKitErrors.UploadInvalid.With("It is not a JSON object in UTF-8.");
    }

    private static string? Text(JsonObject owner, string name) =>
        owner[name] is JsonValue value && value.TryGetValue<string>(out var text) && text is { Length: > 0 and <= LiveKitJson.MaxText } && !text.Contains('\0') ? text : null;

    private static JsonNode? Node(JsonElement owner, string name) =>
        LiveKitJson.Find(owner, name, out var value) ? JsonNode.Parse(value.GetRawText()) : null;

    private delegate List<OtlpRecord> Reading(ReadOnlySpan<byte> bytes, bool isJson);
}
