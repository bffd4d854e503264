using System.Text.Json;
using System.Text.Json.Nodes;
using Voxbase.Capture;

namespace Voxbase.LiveKit;

/// <summary>A turn as agents report it.</summary>
internal sealed record AgentTurn
{
    public required string ItemId { get; init; }

    public required string Role { get; init; }

    public required DateTimeOffset? CreatedAt { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    public string? Text { get; init; }

    public bool Interrupted { get; init; }

    public string? Model { get; init; }

    /// <summary>Milliseconds, by the column they belong into.</summary>
    public required IReadOnlyDictionary<string, int> Latencies { get; init; }

    /// <summary>A JSON object.</summary>
    public required string Metadata { get; init; }
}

/// <summary>A tool call as agents report it.</summary>
internal sealed record AgentFunctionCall(
    string CallId, string? Name, string? Arguments, string? Output, bool IsError, DateTimeOffset? StartedAt, int? ExecutionMs)
{
    public string Status => IsError ? "failed" : Output is null && ExecutionMs is null ? "in_progress" : "completed";
}

/// <summary>What one model used over a whole session, or so far.</summary>
internal sealed record AgentUsage(
    string Key, string EventType, string Provider, string? Model, TokenUsage? Tokens, decimal AudioSeconds, decimal SessionSeconds, decimal Characters,
    DateTimeOffset? At, string Details);

/// <summary>What the agents' records about one room come to.</summary>
internal sealed record AgentSession(
    IReadOnlyList<AgentTurn> Turns,
    IReadOnlyList<AgentFunctionCall> FunctionCalls,
    IReadOnlyList<AgentUsage> Usage,
    IReadOnlyList<LiveKitOccurrence> Occurrences,
    IReadOnlyDictionary<string, string> Facts,
    bool IsReported,
    int FlaggedCount);

/// <summary>
/// What a set of agents' records comes to. A pure function of the set: a chat item that came in a log, in a recording's history and in
/// a report is one turn, told by the one that says most about it.
/// </summary>
internal static class AgentReader
{
    /// <summary>A message's metrics, in LiveKit's names, and the columns that they are.</summary>
    public static readonly (string Name, string Column)[] Latencies =
    [
        ("transcriptionDelay", "asr_ms"), ("endOfTurnDelay", "end_of_utterance_ms"), ("onUserTurnCompletedDelay", "rag_ms"),
        ("llmNodeTtft", "llm_first_token_ms"), ("ttsNodeTtfb", "tts_first_byte_ms"), ("e2eLatency", "end_to_end_ms"),
    ];

    // What the agents count while a session lasts, in the fields that their report has. Earlier versions said prompt and completion.
    private static readonly (string Name, string Type, string Field)[] Counters =
    [
        ("lk.agents.usage.llm_input_tokens", "llm_usage", "inputTokens"), ("lk.agents.usage.llm_prompt_tokens", "llm_usage", "inputTokens"),
        ("lk.agents.usage.llm_input_cached_tokens", "llm_usage", "inputCachedTokens"), ("lk.agents.usage.llm_prompt_cached_tokens", "llm_usage", "inputCachedTokens"),
        ("lk.agents.usage.llm_output_tokens", "llm_usage", "outputTokens"), ("lk.agents.usage.llm_completion_tokens", "llm_usage", "outputTokens"),
        ("lk.agents.usage.llm_input_text_tokens", "llm_usage", "inputTextTokens"), ("lk.agents.usage.llm_output_text_tokens", "llm_usage", "outputTextTokens"),
        ("lk.agents.usage.llm_input_audio_tokens", "llm_usage", "inputAudioTokens"), ("lk.agents.usage.llm_output_audio_tokens", "llm_usage", "outputAudioTokens"),
        ("lk.agents.usage.llm_session_duration", "llm_usage", "sessionDuration"),
        ("lk.agents.usage.stt_audio_duration", "stt_usage", "audioDuration"),
        ("lk.agents.usage.tts_characters", "tts_usage", "charactersCount"), ("lk.agents.usage.tts_audio_duration", "tts_usage", "audioDuration"),
    ];

    // No stage of an answer takes longer: somebody would have hung up.
    private const int LongestLatencyMs = 600_000;

    private static readonly string[] Roles = ["developer", "system", "user", "assistant"];

    public static AgentSession Read(IEnumerable<string> records)
    {
        var all = new List<(string Raw, string Type, JsonElement Record)>();
        foreach (var raw in records.Distinct().Order(StringComparer.Ordinal))
        {
            if (LiveKitJson.TryParse(raw, out var record) && LiveKitJson.Text(record, "type") is { } type)
                all.Add((raw, type, record));
        }

        var items = all.Where(r => r.Type == AgentUpload.ChatItem)
            .Select(r => new Item(r.Raw, r.Record)).Where(item => item.Id is not null)
            .GroupBy(item => (item.Form, item.Id)).Select(group => group.OrderByDescending(item => item.Weight).ThenBy(item => item.Raw, StringComparer.Ordinal).First())
            .OrderBy(item => item.CreatedAt ?? DateTimeOffset.MinValue).ThenBy(item => item.Index).ThenBy(item => item.Id, StringComparer.Ordinal)
            .ToList();
        var flagged = 0;
        var turns = items.Where(item => item.Form == "message").Select(item => Turn(item, ref flagged)).ToList();
        var reports = all.Where(r => r.Type == AgentUpload.Report).Select(r => r.Record).ToList();
        return new AgentSession(
            turns,
            FunctionCalls(items, [.. all.Where(r => r.Type == AgentUpload.Span).Select(r => r.Record)], ref flagged),
            Usage([.. Reported(reports), .. Counted(all.Where(r => r.Type == AgentUpload.Metric).Select(r => r.Record), reports)], ref flagged),
            [.. Occurrences(all, items, reports).DistinctBy(o => o.Key)],
            Facts(reports),
            reports.Count > 0,
            flagged);
    }

    private static AgentTurn Turn(Item item, ref int flagged)
    {
        var metrics = LiveKitJson.Object(item.Body, "metrics");
        var facts = new SortedDictionary<string, object>(StringComparer.Ordinal);
        var impossible = new SortedDictionary<string, object>(StringComparer.Ordinal);
        var latencies = new Dictionary<string, int>();
        foreach (var (name, column) in Latencies)
        {
            if (item.Milliseconds(metrics, name) is not { } duration)
                continue;
            if (duration is >= 0 and <= LongestLatencyMs)
                latencies[column] = (int)Math.Round(duration);
            else
                impossible[column] = duration;
        }

        var (startedAt, endedAt) = (LiveKitJson.Time(metrics, "startedSpeakingAt"), LiveKitJson.Time(metrics, "stoppedSpeakingAt"));
        if (endedAt < startedAt)
        {
            impossible["ended_before_started_ms"] = Math.Round((startedAt - endedAt).Value.TotalMilliseconds);
            endedAt = null;
        }

        if (impossible.Count > 0)
        {
            facts["impossible"] = impossible;
            flagged++;
        }

        if (item.Milliseconds(metrics, "playbackLatency") is { } playback)
            facts["playback_latency_ms"] = Math.Round(playback);
        if (LiveKitJson.Number(item.Body, "transcriptConfidence") is { } confidence)
            facts["transcript_confidence"] = confidence;
        var role = LiveKitJson.Enum(item.Body, "role", Roles) switch
        {
            "developer" => "system",
            ("user" or "assistant" or "system") and var known => known,
            // Protobuf leaves out what is zero: a message without a role is a developer's.
            _ => "system",
        };
        var model = LiveKitJson.Object(metrics, role == "user" ? "sttMetadata" : "llmMetadata");
        return new AgentTurn
        {
            ItemId = item.Id!,
            Role = role,
            CreatedAt = item.CreatedAt,
            StartedAt = startedAt ?? item.CreatedAt,
            EndedAt = endedAt,
            Text = Content(item.Body),
            Interrupted = LiveKitJson.Flag(item.Body, "interrupted"),
            Model = LiveKitJson.Text(model, "modelName"),
            Latencies = latencies,
            Metadata = JsonSerializer.Serialize(facts),
        };
    }

    private static string? Content(JsonElement message)
    {
        var texts = new List<string>();
        foreach (var part in LiveKitJson.Items(message, "content"))
        {
            var text = LiveKitJson.Text(part) ?? LiveKitJson.LongText(part, "text") ?? LiveKitJson.LongText(part, "transcript") ?? LiveKitJson.LongText(part, "audio");
            if (text is not null)
                texts.Add(text);
        }

        return texts.Count == 0 ? null : string.Join('\n', texts);
    }

    private static List<AgentFunctionCall> FunctionCalls(List<Item> items, List<JsonElement> spans, ref int flagged)
    {
        var calls = new Dictionary<string, AgentFunctionCall>(StringComparer.Ordinal);
        foreach (var item in items.Where(item => item.Form is "functionCall" or "functionCallOutput"))
        {
            if (LiveKitJson.Text(item.Body, "callId") is not { } callId)
                continue;
            var call = calls.GetValueOrDefault(callId) ?? new AgentFunctionCall(callId, null, null, null, false, null, null);
            var name = LiveKitJson.Text(item.Body, "name") ?? call.Name;
            if (item.Form == "functionCall")
            {
                calls[callId] = call with
                {
                    Name = name,
                    Arguments = LiveKitJson.LongText(item.Body, "arguments") ?? LiveKitJson.LongText(item.Body, "args") ?? call.Arguments,
                    StartedAt = item.CreatedAt ?? call.StartedAt,
                };
            }
            else
            {
                calls[callId] = call with
                {
                    Name = name,
                    // Protobuf leaves out what is empty.
                    Output = LiveKitJson.LongText(item.Body, "output") ?? "",
                    IsError = LiveKitJson.Flag(item.Body, "isError"),
                    ExecutionMs = call.StartedAt is { } start && item.CreatedAt is { } end ? Milliseconds(start, end, ref flagged) : null,
                };
            }
        }

        // Where a span measured a call, its time is exact; and it tells of calls also where the transcript is not uploaded.
        foreach (var span in spans)
        {
            var attributes = LiveKitJson.Object(span, "attributes");
            if (LiveKitJson.Text(attributes, "lk.function_tool.id") is not { } callId)
                continue;
            var call = calls.GetValueOrDefault(callId) ?? new AgentFunctionCall(callId, null, null, null, false, null, null);
            var (start, end) = (LiveKitJson.Time(span, "start"), LiveKitJson.Time(span, "end"));
            calls[callId] = call with
            {
                Name = call.Name ?? LiveKitJson.Text(attributes, "lk.function_tool.name"),
                Arguments = call.Arguments ?? LiveKitJson.LongText(attributes, "lk.pii.function_tool.arguments") ?? LiveKitJson.LongText(attributes, "lk.function_tool.arguments"),
                Output = call.Output ?? LiveKitJson.LongText(attributes, "lk.pii.function_tool.output") ?? LiveKitJson.LongText(attributes, "lk.function_tool.output"),
                IsError = call.IsError || LiveKitJson.Flag(attributes, "lk.function_tool.is_error"),
                StartedAt = call.StartedAt ?? start,
                ExecutionMs = start is { } from && end is { } to ? Milliseconds(from, to, ref flagged) ?? call.ExecutionMs : call.ExecutionMs,
            };
        }

        return [.. calls.Values.OrderBy(call => call.StartedAt).ThenBy(call => call.CallId, StringComparer.Ordinal)];
    }

    // A session's usage is told once and whole, whatever way it comes.
    private static IEnumerable<UsageRow> Reported(List<JsonElement> reports) =>
        from report in reports
        from row in LiveKitJson.Items(report, "usage")
        select new UsageRow(LiveKitJson.Text(report, "jobId"), LiveKitJson.Time(report, "timestamp"), row);

    // Until the report comes, what the counters have come to, in the report's form. Audio of a realtime model waits for the report: the
    // counters don't say how much of it was cached. And without a model there is nothing that a price could be found by.
    private static IEnumerable<UsageRow> Counted(IEnumerable<JsonElement> metrics, List<JsonElement> reports)
    {
        var isReported = reports.Select(report => LiveKitJson.Text(report, "jobId")).ToHashSet();
        var points =
            from point in metrics
            let name = LiveKitJson.Text(point, "name")
            let counter = Array.Find(Counters, counter => counter.Name == name)
            where counter.Name is not null && !isReported.Contains(LiveKitJson.Text(point, "jobId"))
            let attributes = LiveKitJson.Object(point, "attributes")
            let model = LiveKitJson.Text(attributes, "modelName")
            where model is not null && LiveKitJson.Number(point, "value") is > 0
            select (
                Key: (Job: LiveKitJson.Text(point, "jobId"), counter.Type, Provider: LiveKitJson.Text(attributes, "modelProvider"), Model: model),
                counter.Field, Point: point);
        foreach (var model in points.GroupBy(p => p.Key))
        {
            var row = new JsonObject { ["type"] = model.Key.Type, ["provider"] = model.Key.Provider, ["model"] = model.Key.Model };
            foreach (var counter in model.GroupBy(p => p.Field))
                row[counter.Key] = CountOf(counter.Select(p => p.Point));
            if (row.ContainsKey("inputAudioTokens") || row.ContainsKey("outputAudioTokens"))
            {
                foreach (var (_, _, field) in Counters.Where(counter => counter.Field.EndsWith("Tokens", StringComparison.Ordinal)))
                    row.Remove(field);
            }

            yield return new UsageRow(
                model.Key.Job, model.Min(p => LiveKitJson.Time(p.Point, "time")), JsonSerializer.SerializeToElement(row));
        }
    }

    // Points of a counter add up; those that count from a start on say all since then.
    private static double CountOf(IEnumerable<JsonElement> points) =>
        (from point in points
         let isCumulative = LiveKitJson.Flag(point, "cumulative")
         group LiveKitJson.Number(point, "value") ?? 0 by (isCumulative, isCumulative ? LiveKitJson.Time(point, "start") : null) into series
         select series.Key.isCumulative ? series.Max() : series.Sum()).Sum();

    private static List<AgentUsage> Usage(IReadOnlyList<UsageRow> rows, ref int flagged)
    {
        var usage = new SortedDictionary<string, AgentUsage>(StringComparer.Ordinal);
        foreach (var (job, at, row) in rows)
        {
            if (LiveKitJson.Text(row, "type") is not { } type)
                continue;
            var provider = Provider(LiveKitJson.Text(row, "provider"));
            var model = LiveKitJson.Text(row, "model");
            var key = $"{job}:{type}:{provider}:{model}";
            if (usage.ContainsKey(key))
                continue;
            var tokens = Tokens(row, type, out var isAnomalous);
            if (isAnomalous)
                flagged++;
            usage.Add(key, new AgentUsage(
                key, type, provider, model, tokens,
                Seconds(row, "audioDuration"), Seconds(row, "sessionDuration"), (decimal)Math.Clamp(LiveKitJson.Number(row, "charactersCount") ?? 0, 0, 1e11),
                at,
                isAnomalous ? """{"impossible":true}""" : "{}"));
        }

        return [.. usage.Values];
    }

    private static TokenUsage? Tokens(JsonElement row, string type, out bool isAnomalous)
    {
        isAnomalous = false;
        var (input, output, cached) = (Count(row, "inputTokens"), Count(row, "outputTokens"), Count(row, "inputCachedTokens"));
        if (type is not "llm_usage")
            return input is null && output is null ? null : new TokenUsage { Input = input, Output = output };
        var fields = new EventFields();
        var told = new TokenUsage
        {
            Input = input,
            Output = output,
            Cached = cached,
            TextInput = Count(row, "inputTextTokens"),
            AudioInput = Count(row, "inputAudioTokens"),
            ImageInput = Count(row, "inputImageTokens"),
            TextCached = Count(row, "inputCachedTextTokens"),
            AudioCached = Count(row, "inputCachedAudioTokens"),
            ImageCached = Count(row, "inputCachedImageTokens"),
            TextOutput = Count(row, "outputTextTokens"),
            AudioOutput = Count(row, "outputAudioTokens"),
        };
        // Models of text don't divide what is all text; only realtime models do.
        if ((told.TextInput, told.AudioInput, told.ImageInput, told.TextOutput, told.AudioOutput) is (null, null, null, null, null))
            told = told with { TextInput = input, TextCached = cached, TextOutput = output };
        var settled = told.Settled(fields);
        isAnomalous = fields.Anomalous;
        return settled;

        // Zeros are left out by those who write it.
        static int? Count(JsonElement row, string name) =>
            LiveKitJson.Number(row, name) is > 0 and <= int.MaxValue and var count ? (int)count : null;
    }

    // A name ending in Ms says its unit; else seconds, in every version that reports usage.
    private static decimal Seconds(JsonElement row, string name) =>
        LiveKitJson.Number(row, name + "Ms") is { } milliseconds ? (decimal)Math.Clamp(milliseconds, 0, 1e12) / 1000
        : (decimal)Math.Clamp(LiveKitJson.Number(row, name) ?? 0, 0, 1e9);

    /// <summary>
    /// A provider's name as the price book has it: lower case, and of a host (<c>api.openai.com</c>) the name in it.
    /// </summary>
    internal static string Provider(string? name)
    {
        if (string.IsNullOrWhiteSpace(name))
            return "unknown";
        var lower = name.Trim().ToLowerInvariant();
        return lower.Split('.') is [.., var domain, _] && !lower.Contains(' ', StringComparison.Ordinal) ? domain : lower;
    }

    private static IEnumerable<LiveKitOccurrence> Occurrences(
        List<(string Raw, string Type, JsonElement Record)> all, List<Item> items, List<JsonElement> reports)
    {
        foreach (var item in items.Where(item => item.Form is "agentHandoff"))
        {
            yield return new LiveKitOccurrence(
                $"agent_handoff:{item.Id}", "agent_handoff", item.CreatedAt, null,
                JsonSerializer.Serialize(new Dictionary<string, string?>
                {
                    ["old_agent_id"] = LiveKitJson.Text(item.Body, "oldAgentId"),
                    ["new_agent_id"] = LiveKitJson.Text(item.Body, "newAgentId"),
                }));
        }

        foreach (var report in reports)
        {
            foreach (var e in LiveKitJson.Items(report, "events").Where(e => LiveKitJson.Text(e, "type") == "error"))
            {
                var at = LiveKitJson.Time(e, "createdAt");
                yield return new LiveKitOccurrence(
                    $"agent_error:{LiveKitJson.Text(report, "jobId")}:{at?.ToUnixTimeMilliseconds()}", "error", at, null, """{"source":"agent"}""");
            }
        }

        foreach (var (raw, _, record) in all.Where(r => r.Type == AgentUpload.Evaluation))
        {
            yield return new LiveKitOccurrence(
                $"agent_evaluation:{LiveKitEvent.KeyOf(raw):n}", LiveKitJson.Text(record, "body") is ("evaluation" or "tag" or "outcome") and var kind ? $"agent_{kind}" : "agent_evaluation",
                LiveKitJson.Time(record, "time"), null, "{}");
        }

        // A histogram of the session's turns: its mean, and how many.
        foreach (var (raw, _, record) in all.Where(r => r.Type == AgentUpload.Metric))
        {
            if (LiveKitJson.Text(record, "name") is not { } name || !name.StartsWith("lk.agents.turn.", StringComparison.Ordinal)
                || LiveKitJson.Integer(record, "count") is not { } count || count <= 0 || LiveKitJson.Number(record, "sum") is not { } sum)
                continue;
            var mean = sum / count * (LiveKitJson.Text(record, "unit") == "ms" ? 1 : 1000);
            yield return new LiveKitOccurrence(
                $"agent_metric:{LiveKitEvent.KeyOf(raw):n}", "agent_latency", LiveKitJson.Time(record, "time"),
                mean is >= 0 and <= LongestLatencyMs ? (int)Math.Round(mean) : null,
                JsonSerializer.Serialize(new Dictionary<string, object> { ["name"] = name, ["count"] = count, ["mean_ms"] = Math.Round(mean, 3) }));
        }
    }

    private static SortedDictionary<string, string> Facts(List<JsonElement> reports)
    {
        var facts = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var report in reports)
        {
            foreach (var (name, field) in (ReadOnlySpan<(string, string)>)[("agent_name", "agentName"), ("agent_sdk_version", "sdkVersion"), ("agent_job_id", "jobId")])
            {
                if (LiveKitJson.Text(report, field) is { } value)
                    facts.TryAdd(name, value);
            }

            foreach (var e in LiveKitJson.Items(report, "events").Where(e => LiveKitJson.Text(e, "type") == "close"))
            {
                if (LiveKitJson.Text(e, "reason") is { } reason)
                    facts.TryAdd("agent_close_reason", reason);
            }
        }

        return facts;
    }

    private static int? Milliseconds(DateTimeOffset from, DateTimeOffset to, ref int flagged)
    {
        var duration = (to - from).TotalMilliseconds;
        if (duration is >= 0 and <= int.MaxValue)
            return (int)Math.Round(duration);
        flagged++;
        return null;
    }

    /// <summary>What a model used in one job of an agent, in the form of a session report.</summary>
    private sealed record UsageRow(string? Job, DateTimeOffset? At, JsonElement Row);

    /// <summary>
    /// A chat item, whether flat (<c>{"type":"message","role":…}</c>) as reports have it, or in protobuf's form
    /// (<c>{"message":{"role":…}}</c>) as logs do.
    /// </summary>
    private sealed class Item
    {
        private static readonly string[] Forms = ["message", "functionCall", "functionCallOutput", "agentHandoff", "agentConfigUpdate"];

        private readonly bool isMilliseconds;

        public Item(string raw, JsonElement record)
        {
            Raw = raw;
            Index = (int)Math.Clamp(LiveKitJson.Integer(record, "index") ?? int.MaxValue, 0, int.MaxValue);
            isMilliseconds = LiveKitJson.Text(record, "unit") == "ms";
            var item = LiveKitJson.Object(record, "item");
            var type = LiveKitJson.Text(item, "type");
            Form = Forms.FirstOrDefault(form => type is null ? LiveKitJson.Object(item, form).ValueKind == JsonValueKind.Object : JsonNamingPolicy.SnakeCaseLower.ConvertName(form) == type)
                ?? "unknown";
            Body = type is null && Form != "unknown" ? LiveKitJson.Object(item, Form) : item;
            // An output has an id of its own in some versions; calls and outputs are told apart by their form.
            Id = LiveKitJson.Text(Body, "id") ?? LiveKitJson.Text(Body, "callId");
            // Milliseconds are what every source has.
            CreatedAt = LiveKitJson.Time(Body, "createdAt") is { } at ? DateTimeOffset.FromUnixTimeMilliseconds(at.ToUnixTimeMilliseconds()) : null;
            Weight = LiveKitJson.Object(Body, "metrics") is { ValueKind: JsonValueKind.Object } metrics ? metrics.EnumerateObject().Count() : 0;
        }

        public string Raw { get; }

        public string Form { get; }

        public string? Id { get; }

        public JsonElement Body { get; }

        public int Index { get; }

        public int Weight { get; }

        public DateTimeOffset? CreatedAt { get; }

        public double? Milliseconds(JsonElement metrics, string name) =>
            LiveKitJson.Number(metrics, name + "Ms") ?? (LiveKitJson.Number(metrics, name) is { } number ? isMilliseconds ? number : number * 1000 : null);
    }
}
