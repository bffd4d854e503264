using System.Text.Json;

namespace Voxbase.Tests.LiveKit;

/// <summary>One session of an agent, as its SDKs upload it: four chat items, a tool call, usage.</summary>
internal static class AgentUploads
{
    public const long StartMs = 1787074620000;

    /// <summary>The session report of JavaScript agents: milliseconds on the clock, seconds in the metrics.</summary>
    public static string Report(string sid = "RM_agent") =>
        $$$$"""
        {
          "job_id":"AJ_1","room_id":"{{{{sid}}}}","room":"agent-room","timestamp":1787074700000,"sdk_version":"1.9.0",
          "events":[{"type":"user_state_changed","created_at":1787074620000},{"type":"error","created_at":1787074650000,"error":"secret words"},{"type":"close","reason":"participant_disconnected","created_at":1787074699000}],
          "chat_history":{"items":[
            {"id":"item_0","type":"agent_config_update","instructions":"be kind","created_at":1787074619},
            {"id":"item_1","type":"message","role":"user","content":["Book a table"],"interrupted":false,"created_at":1787074621.5,"transcript_confidence":0.97,
              "metrics":{"started_speaking_at":1787074620.1,"stopped_speaking_at":1787074621.2,"transcription_delay":0.25,"end_of_turn_delay":0.6,"on_user_turn_completed_delay":0.012,"stt_metadata":{"model_name":"nova-3","model_provider":"Deepgram"}}},
            {"id":"item_2","type":"function_call","call_id":"call_1","name":"book","arguments":"{\"seats\":2}","created_at":1787074622.1},
            {"id":"item_3","type":"function_call_output","call_id":"call_1","name":"book","output":"done","is_error":false,"created_at":1787074622.6},
            {"id":"item_4","type":"message","role":"assistant","content":["Your table is","booked"],"interrupted":true,"created_at":1787074623.9,
              "metrics":{"started_speaking_at":1787074623.0,"llm_node_ttft":0.41,"tts_node_ttfb":0.18,"e2e_latency":1.8,"playback_latency":0.004}},
            {"id":"item_5","type":"message","role":"user","content":["Thanks"],"interrupted":false,"created_at":1787074630,"metrics":{"transcription_delay":-3,"end_of_turn_delay":99999}}
          ]},
          "usage":[
            {"type":"llm_usage","provider":"api.openai.com","model":"gpt-realtime","input_tokens":100,"input_text_tokens":60,"input_audio_tokens":40,"input_cached_tokens":20,"input_cached_text_tokens":20,"output_tokens":30,"output_text_tokens":10,"output_audio_tokens":20},
            {"type":"stt_usage","provider":"openai","model":"gpt-transcribe","audio_duration":60.0},
            {"type":"tts_usage","provider":"Cartesia","model":"sonic","characters_count":120,"audio_duration":8.5}
          ]
        }
        """;

    /// <summary>The same session as Python's or JavaScript's OTLP logs tell it: protobuf's form, times in RFC 3339.</summary>
    public static (string Body, string ItemJson)[] Logs() =>
    [
        ("session report", ""),
        ("chat item", """{"message":{"id":"item_1","role":"USER","content":[{"text":"Book a table"}],"transcript_confidence":0.97,"metrics":{"started_speaking_at":"2026-08-18T17:37:00.100Z","stopped_speaking_at":"2026-08-18T17:37:01.200Z","transcription_delay":0.25,"end_of_turn_delay":0.6,"on_user_turn_completed_delay":0.012},"created_at":"2026-08-18T17:37:01.500Z"}}"""),
        ("chat item", """{"function_call":{"id":"item_2","call_id":"call_1","name":"book","arguments":"{\"seats\":2}","created_at":"2026-08-18T17:37:02.100Z"}}"""),
        ("chat item", """{"functionCallOutput":{"id":"item_3","callId":"call_1","name":"book","output":"done","createdAt":"2026-08-18T17:37:02.600Z"}}"""),
        ("chat item", """{"message":{"id":"item_4","role":"ASSISTANT","content":[{"text":"Your table is"},{"text":"booked"}],"interrupted":true,"metrics":{"started_speaking_at":"2026-08-18T17:37:03Z","llm_node_ttft":0.41,"tts_node_ttfb":0.18,"e2e_latency":1.8},"created_at":"2026-08-18T17:37:03.900Z"}}"""),
        ("chat item", """{"message":{"id":"item_5","role":"USER","content":[{"text":"Thanks"}],"metrics":{"transcription_delay":-3,"end_of_turn_delay":99999},"created_at":"2026-08-18T17:37:10Z"}}"""),
        ("a line of an ordinary logger with words that were said", ""),
    ];

    /// <summary>Those logs as an exporter writes them in protobuf.</summary>
    public static byte[] LogsProtobuf(string sid = "RM_agent")
    {
        var records = new ProtoWriter().Message(1, new ProtoWriter().Text(1, "chat_history").Message(3, Pair("room", Text("agent-room"))));
        foreach (var (body, item) in Logs())
        {
            var record = new ProtoWriter().Fixed64(1, StartMs * 1_000_000).Message(5, Text(body));
            if (item.Length > 0)
                record.Message(6, Pair("chat.item", Value(JsonElement.Parse(item))));
            if (body == "session report")
            {
                record.Message(6, Pair("session.report_timestamp", Value(JsonElement.Parse("1787074700.5"))));
                record.Message(6, Pair("usage", Value(JsonElement.Parse(Report()).GetProperty("usage"))));
            }

            records.Message(2, record.Fixed32(8, 1));
        }

        return new ProtoWriter()
            .Message(1, new ProtoWriter()
                .Message(2, records)
                .Message(1, new ProtoWriter().Message(1, Pair("room_id", Text(sid))).Message(1, Pair("job_id", Text("AJ_1")))))
            .Bytes;
    }

    /// <summary>The same in OTLP's JSON, as JavaScript agents send it.</summary>
    public static string LogsJson(string sid = "RM_agent")
    {
        var records = Logs().Select(log =>
        {
            var item = log.ItemJson.Length == 0 ? "" : $$"""{"key":"chat.item","value":{{Json(JsonElement.Parse(log.ItemJson))}}}""";
            if (log.Body == "session report")
                item = $$$"""{"key":"session.report_timestamp","value":{"intValue":"1787074700500"}},{"key":"usage","value":{{{Json(JsonElement.Parse(Report()).GetProperty("usage"))}}}}""";
            return $$$"""{"timeUnixNano":"1787074620000000000","body":{"stringValue":"{{{log.Body}}}"},"attributes":[{{{item}}}]}""";
        });
        return $$$"""
            {"resourceLogs":[{"resource":{"attributes":[{"key":"room_id","value":{"stringValue":"{{{sid}}}"}},{"key":"job_id","value":{"stringValue":"AJ_1"}}]},
             "scopeLogs":[{"scope":{"name":"chat_history","attributes":[{"key":"room","value":{"stringValue":"agent-room"}}]},"logRecords":[{{{string.Join(',', records)}}}]}]}]}
            """;
    }

    /// <summary>The header of an uploaded recording.</summary>
    public static byte[] Header(string sid = "RM_agent") => new ProtoWriter()
        .Text(1, sid).Varint(3, 80_000).Message(4, new ProtoWriter().Varint(1, 1787074620).Varint(2, 500_000_000))
        .Message(5, new ProtoWriter().Text(1, "k").Text(2, "v")).Text(6, "agent-room").Text(8, "AJ_1").Varint(9, 1).Bytes;

    /// <summary>A span of a tool's call, with its exact time.</summary>
    public static byte[] Spans(string sid = "RM_agent") => new ProtoWriter()
        .Message(1, new ProtoWriter()
            .Message(1, new ProtoWriter().Message(1, Pair("room_id", Text(sid))).Message(1, Pair("job_id", Text("AJ_1"))))
            .Message(2, new ProtoWriter()
                .Message(1, new ProtoWriter().Text(1, "livekit-agents"))
                .Message(2, new ProtoWriter()
                    .Message(1, new byte[16]).Message(2, new byte[8]).Text(5, "function_tool")
                    .Fixed64(7, 1787074622_100_000_000).Fixed64(8, 1787074622_433_000_000)
                    .Message(9, Pair("lk.function_tool.id", Text("call_1"))).Message(9, Pair("lk.function_tool.name", Text("book")))
                    .Message(15, new ProtoWriter().Varint(3, 1)))))
        .Bytes;

    /// <summary>A histogram of the session's turns, and a counter.</summary>
    public static byte[] Metrics(string sid = "RM_agent") => new ProtoWriter()
        .Message(1, new ProtoWriter()
            .Message(1, new ProtoWriter().Message(1, Pair("room_id", Text(sid))).Message(1, Pair("job_id", Text("AJ_1"))))
            .Message(2, new ProtoWriter()
                .Message(1, new ProtoWriter().Text(1, "livekit-agents"))
                .Message(2, new ProtoWriter().Text(1, "lk.agents.turn.e2e_latency").Text(3, "s")
                    .Message(9, new ProtoWriter().Message(1, new ProtoWriter().Fixed64(3, 1787074650_000_000_000).Fixed64(4, 4).Double(5, 6.0).Double(11, 1).Double(12, 2))))
                .Message(2, new ProtoWriter().Text(1, "lk.agents.usage.llm_input_tokens")
                    .Message(7, new ProtoWriter().Message(1, new ProtoWriter().Fixed64(3, 1787074650_000_000_000).Fixed64(6, 100)).Varint(2, 1)))))
        .Bytes;

    private static ProtoWriter Pair(string key, ProtoWriter value) => new ProtoWriter().Text(1, key).Message(2, value);

    private static ProtoWriter Text(string text) => new ProtoWriter().Text(1, text);

    private static ProtoWriter Value(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => Text(value.GetString()!),
        JsonValueKind.True or JsonValueKind.False => new ProtoWriter().Varint(2, value.GetBoolean() ? 1UL : 0),
        JsonValueKind.Number when value.TryGetInt64(out var whole) => new ProtoWriter().Varint(3, unchecked((ulong)whole)),
        JsonValueKind.Number => new ProtoWriter().Double(4, value.GetDouble()),
        JsonValueKind.Array => new ProtoWriter().Message(5, value.EnumerateArray().Aggregate(new ProtoWriter(), (list, item) => list.Message(1, Value(item)))),
        _ => new ProtoWriter().Message(6, value.EnumerateObject().Aggregate(new ProtoWriter(), (map, p) => map.Message(1, Pair(p.Name, Value(p.Value))))),
    };

    private static string Json(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => $$"""{"stringValue":{{value.GetRawText()}}}""",
        JsonValueKind.True or JsonValueKind.False => $$"""{"boolValue":{{value.GetRawText()}}}""",
        JsonValueKind.Number when value.TryGetInt64(out _) => $$"""{"intValue":"{{value.GetRawText()}}"}""",
        JsonValueKind.Number => $$"""{"doubleValue":{{value.GetRawText()}}}""",
        JsonValueKind.Array => $$$"""{"arrayValue":{"values":[{{{string.Join(',', value.EnumerateArray().Select(Json))}}}]}}""",
        _ => $$$"""{"kvlistValue":{"values":[{{{string.Join(',', value.EnumerateObject().Select(p => $$"""{"key":"{{p.Name}}","value":{{Json(p.Value)}}}"""))}}}]}}""",
    };
}
