using System.Text;
using System.Text.Json;
using Voxbase.Data;
using Voxbase.LiveKit;
using Voxbase.Testing;

namespace Voxbase.Tests.LiveKit;

public sealed class AgentUploadTests(TestCluster cluster)
{
    private static readonly JsonSerializerOptions Everything = new() { IncludeFields = true };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void A_report_becomes_turns_with_the_time_of_each_stage()
    {
        var session = Read(Report(AgentUploads.Report()));

        session.Turns.Select(turn => (turn.Role, turn.Text, turn.Interrupted)).ShouldBe(
            [("user", "Book a table", false), ("assistant", "Your table is\nbooked", true), ("user", "Thanks", false)]);
        session.Turns[0].Latencies.ShouldBe(new Dictionary<string, int> { ["asr_ms"] = 250, ["end_of_utterance_ms"] = 600, ["rag_ms"] = 12 }, ignoreOrder: true);
        session.Turns[1].Latencies.ShouldBe(
            new Dictionary<string, int> { ["llm_first_token_ms"] = 410, ["tts_first_byte_ms"] = 180, ["end_to_end_ms"] = 1800 }, ignoreOrder: true);
        (session.Turns[0].StartedAt?.ToUnixTimeMilliseconds(), session.Turns[0].EndedAt?.ToUnixTimeMilliseconds(), session.Turns[0].Model)
            .ShouldBe((1787074620100, 1787074621200, "nova-3"));
        var call = session.FunctionCalls.ShouldHaveSingleItem();
        (call.Name, call.Arguments, call.Output, call.Status, call.ExecutionMs).ShouldBe(("book", "{\"seats\":2}", "done", "completed", 500));
        session.Facts["agent_close_reason"].ShouldBe("participant_disconnected");
        session.Occurrences.ShouldHaveSingleItem().EventType.ShouldBe("error");
    }

    [Fact]
    public void Impossible_figures_are_kept_and_flagged_and_not_counted()
    {
        var session = Read(Report(AgentUploads.Report()));
        session.Turns[2].Latencies.ShouldBeEmpty();
        JsonElement.Parse(session.Turns[2].Metadata).GetProperty("impossible").GetRawText().ShouldBe("""{"asr_ms":-3000,"end_of_utterance_ms":99999000}""");
        session.FlaggedCount.ShouldBe(1);
    }

    // The ways in which versions of the SDKs spell one and the same.
    [Fact]
    public void Milliseconds_and_seconds_are_told_apart_by_their_source()
    {
        // Old JavaScript: created_at and metrics in milliseconds.
        One("""{"timestamp":1787074700000}""", """{"id":"i","type":"message","role":"user","content":["x"],"createdAt":1787074621500,"metrics":{"startedSpeakingAt":1787074620100,"transcriptionDelay":250}}""").ShouldBe(250);
        // JavaScript 1.3 to 1.8: created_at in milliseconds, metrics in seconds.
        One("""{"timestamp":1787074700000}""", """{"id":"i","type":"message","role":"user","content":["x"],"createdAt":1787074621500,"metrics":{"startedSpeakingAt":1787074620.1,"transcriptionDelay":0.25}}""").ShouldBe(250);
        // Nothing beside it, and absurd as seconds.
        One("""{"timestamp":1787074700000}""", """{"id":"i","type":"message","role":"user","content":["x"],"created_at":1787074621500,"metrics":{"transcription_delay":250}}""").ShouldBe(250);
        One("""{"timestamp":1787074700000}""", """{"id":"i","type":"message","role":"user","content":["x"],"created_at":1787074621500,"metrics":{"transcription_delay":0.25}}""").ShouldBe(250);
        // Python counts seconds, whatever they come to; a name that ends in Ms says so.
        One("""{"timestamp":1787074700.5}""", """{"id":"i","type":"message","role":"user","content":["x"],"created_at":1787074621.5,"metrics":{"transcription_delay":25}}""").ShouldBe(25_000);
        One("""{"timestamp":1787074700.5}""", """{"id":"i","type":"message","role":"user","content":["x"],"created_at":1787074621.5,"metrics":{"transcriptionDelayMs":250}}""").ShouldBe(250);

        static int One(string report, string item)
        {
            var fields = JsonElement.Parse(report);
            var turn = Read(Report($$$"""{"room_id":"RM_x","timestamp":{{{fields.GetProperty("timestamp").GetRawText()}}},"chat_history":{"items":[{{{item}}}]}}""")).Turns.ShouldHaveSingleItem();
            turn.CreatedAt.ShouldBe(DateTimeOffset.FromUnixTimeMilliseconds(1787074621500));
            return turn.Latencies["asr_ms"];
        }
    }

    [Fact]
    public void Logs_in_protobuf_and_in_json_and_the_report_say_the_same()
    {
        var expected = Told(Read(Report(AgentUploads.Report())));
        var protobuf = AgentUpload.OfLogs(AgentUploads.LogsProtobuf(), isJson: false).ShouldHaveSingleItem();
        (protobuf.RoomSid, protobuf.RoomName, protobuf.Records.Count).ShouldBe(("RM_agent", "agent-room", 6), "the ordinary log line is not kept");
        Told(Read(protobuf)).ShouldBe(expected);
        Told(Read(AgentUpload.OfLogs(Encoding.UTF8.GetBytes(AgentUploads.LogsJson()), isJson: true).ShouldHaveSingleItem())).ShouldBe(expected);

        static string Told(AgentSession session) => JsonSerializer.Serialize((
            session.Turns.Select(turn => (turn.ItemId, turn.Role, turn.Text, turn.StartedAt, turn.EndedAt, Latencies: string.Join(',', turn.Latencies.OrderBy(l => l.Key)))).ToList(),
            session.FunctionCalls, session.Usage.Select(u => (u.Key, u.Tokens)).ToList()), Everything);
    }

    [Fact]
    public void What_is_not_otlp_is_refused()
    {
        byte[][] broken = [[0xff], [0x0a, 0x05, 1], [0x08, 0x80], [0x00, 0x01], "not protobuf at all"u8.ToArray(), [.. AgentUploads.LogsProtobuf()[..^3]]];
        foreach (var bytes in broken)
        {
            foreach (var read in (Func<byte[], IReadOnlyList<AgentUpload>>[])[b => AgentUpload.OfLogs(b, false), b => AgentUpload.OfTraces(b, false), b => AgentUpload.OfMetrics(b, false)])
                Should.Throw<VoxbaseException>(() => read(bytes), Convert.ToHexString(bytes)).Code.ShouldBe("livekit_upload_invalid");
        }

        Should.Throw<VoxbaseException>(() => AgentUpload.OfLogs("[]"u8, true)).Code.ShouldBe("livekit_upload_invalid");
        Should.Throw<VoxbaseException>(() => AgentUpload.OfLogs("{"u8, true)).Code.ShouldBe("livekit_upload_invalid");
        // Random bytes come to an answer, not to a crash.
        var random = new Random(3);
        for (var i = 0; i < 2000; i++)
        {
            var bytes = AgentUploads.LogsProtobuf();
            for (var j = 0; j < 4; j++)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            try
            {
                _ = AgentUpload.OfLogs(bytes, isJson: false).Select(upload => AgentReader.Read(AgentUpload.Decode(upload.Encode()).Records)).ToList();
            }
            catch (VoxbaseException e)
            {
                e.Code.ShouldBe("livekit_upload_invalid");
            }
        }
    }

    [Fact]
    public void Counters_add_up_or_say_all_so_far_and_give_way_to_the_report()
    {
        // Two exports of what came since; of a counter that counts from a start on, two readings, and one after it began anew.
        AgentUpload[] exports =
        [
            .. Counted("llm_input_tokens", 1, (0, 30, 100), (30, 60, 40)), .. Counted("llm_input_cached_tokens", 1, (0, 30, 25)),
            .. Counted("tts_characters", 2, (0, 30, 100), (0, 60, 140), (70, 90, 5)), .. Counted("stt_audio_duration", 1, (0, 30, 12)),
        ];
        var usage = Read([.. exports, .. exports]).Usage;
        usage.Select(u => (u.EventType, u.Provider, u.Model, u.Tokens?.Input, u.Tokens?.Cached, u.AudioSeconds, u.Characters)).ShouldBe(
            [("llm_usage", "openai", "m", 140, 25, 0m, 0m), ("stt_usage", "openai", "m", null, null, 12m, 0m), ("tts_usage", "openai", "m", null, null, 0m, 145m)]);

        // How much of a realtime model's audio was cached is for the report to say.
        Read([.. exports, .. Counted("llm_input_audio_tokens", 1, (0, 30, 60))]).Usage[0].Tokens?.Meters().Sum(part => part.Quantity).ShouldBe(0);

        var report = AgentUpload.OfReport(
            """{"room_id":"RM_1","job_id":"AJ_1","usage":[{"type":"llm_usage","provider":"openai","model":"m","input_tokens":150}],"chat_history":{"items":[]}}"""u8.ToArray());
        Read([.. exports, report]).Usage.Select(u => (u.EventType, u.Tokens?.Input)).ShouldBe([("llm_usage", 150)]);

        static AgentSession Read(IEnumerable<AgentUpload> uploads) => AgentReader.Read(uploads.SelectMany(upload => AgentUpload.Decode(upload.Encode()).Records));

        static IReadOnlyList<AgentUpload> Counted(string counter, int temporality, params (int From, int To, int Value)[] points) => AgentUpload.OfMetrics(
            Encoding.UTF8.GetBytes($$$"""
                {"resourceMetrics":[{"resource":{"attributes":[{"key":"room_id","value":{"stringValue":"RM_1"}},{"key":"job_id","value":{"stringValue":"AJ_1"}}]},
                  "scopeMetrics":[{"scope":{"name":"livekit-agents"},"metrics":[{"name":"lk.agents.usage.{{{counter}}}","sum":{"aggregationTemporality":{{{temporality}}},"dataPoints":[
                  {{{string.Join(',', points.Select(p => $$$$"""
                      {"startTimeUnixNano":"17870746{{{{p.From:00}}}}000000000","timeUnixNano":"17870746{{{{p.To:00}}}}000000000","asInt":"{{{{p.Value}}}}",
                       "attributes":[{"key":"model_provider","value":{"stringValue":"api.openai.com"}},{"key":"model_name","value":{"stringValue":"m"}}]}
                      """))}}}]}}]}]}]}
                """),
            isJson: true);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"room_id":"RM_1"}""")]
    [InlineData("""{"room_id":"RM_1","chat_history":{"items":5}}""")]
    [InlineData("""{"chat_history":{"items":[]}}""")]
    [InlineData("""{"room_id":"RM_1","chat_history":{"items":[{"type":"message","id":"i","content":["\ud800"]}]}}""")]
    public void What_is_no_report_is_refused(string json) =>
        Should.Throw<VoxbaseException>(() => Report(json)).Code.ShouldBe("livekit_report_invalid");

    // Every way of upload, in two orders, and again: one set of turns, one set of charges.
    [Fact]
    public async Task All_uploads_of_one_session_in_any_order_are_one_record()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var inbox = LiveKitInboxTests.Inbox(db);
        var told = new List<string>();
        foreach (var (sid, isReversed) in ((string, bool)[])[("RM_one", false), ("RM_two", true)])
        {
            var history = JsonElement.Parse(AgentUploads.Report()).GetProperty("chat_history").GetRawText();
            var audio = "OggS and more"u8.ToArray();
            List<AgentUpload> uploads =
            [
                Report(AgentUploads.Report(sid)),
                .. AgentUpload.OfLogs(AgentUploads.LogsProtobuf(sid), isJson: false),
                .. AgentUpload.OfTraces(AgentUploads.Spans(sid), isJson: false),
                .. AgentUpload.OfMetrics(AgentUploads.Metrics(sid), isJson: false),
                AgentUpload.OfRecording(new Dictionary<string, ReadOnlyMemory<byte>>
                {
                    ["header"] = AgentUploads.Header(sid),
                    ["chat_history"] = Encoding.UTF8.GetBytes(history),
                    ["audio"] = audio,
                }),
            ];
            if (isReversed)
                uploads.Reverse();
            foreach (var upload in uploads.Concat(uploads))
            {
                await inbox.AcceptAsync(upload, Cancel);
                await inbox.RunOnceAsync(Cancel);
            }

            told.Add((string)(await db.ScalarAsync(
                Caller.Service,
                """
                select jsonb_build_object(
                  'call', (select to_jsonb(c) - 'id' - 'session_id' - 'created_at' - 'updated_at' - 'started_at' - 'metadata' - 'connected_at' from vox.conversations c where session_id = $1),
                  'turns', (select jsonb_agg(to_jsonb(t) - 'id' - 'conversation_id' - 'created_at' - 'updated_at' order by sequence_number)
                    from vox.turns t join vox.conversations c on c.id = t.conversation_id where c.session_id = $1),
                  'charges', (select jsonb_agg(to_jsonb(t) - 'id' - 'conversation_id' - 'created_at' - 'charged_at' order by t.meter, t.model)
                    from vox.charges t join vox.conversations c on c.id = t.conversation_id where c.session_id = $1),
                  'calls', (select jsonb_agg(jsonb_build_array(t.name, t.status, t.execution_ms, t.arguments, t.result))
                    from vox.function_calls t join vox.conversations c on c.id = t.conversation_id where c.session_id = $1),
                  'usage', (select jsonb_agg(jsonb_build_array(t.event_type, t.input_tokens, t.latency_ms, t.audio_duration_ms) order by t.event_type)
                    from vox.usage_events t join vox.conversations c on c.id = t.conversation_id where c.session_id = $1),
                  'recordings', (select jsonb_agg(jsonb_build_array(t.source, t.provider_id, t.duration_ms, t.size_bytes, encode(t.audio, 'escape')))
                    from vox.recordings t join vox.conversations c on c.id = t.conversation_id where c.session_id = $1))::text
                """,
                Parameter.Text(sid)))!);
        }

        var record = JsonElement.Parse(told[0]);
        record.GetProperty("turns").GetArrayLength().ShouldBe(3);
        record.GetProperty("calls").GetRawText().ShouldBe("""[["book", "completed", 333, {"seats": 2}, "done"]]""", "the span's time is exact");
        // 40 text at 4, 20 cached at 0.40, 40 audio at 32, out 10 text at 16 and 20 audio at 64 per million; a minute transcribed at 0.0045.
        record.GetProperty("call").GetProperty("cost_usd").GetDecimal().ShouldBe(0.000160m + 0.000008m + 0.001280m + 0.000160m + 0.001280m + 0.0045m);
        record.GetProperty("call").GetProperty("unpriced_count").GetInt32().ShouldBe(1, "Cartesia's characters");
        record.GetProperty("recordings").GetRawText().ShouldBe("""[["agent", "AJ_1", 80000, 13, "OggS and more"]]""");
        told[1].ShouldBe(told[0]);
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Turns_that_the_application_appended_keep_their_numbers()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var inbox = LiveKitInboxTests.Inbox(db);
        var conversation = await db.Conversations.StartAsync(
            Caller.Service, new NewConversation { Kind = ConversationKind.Call, SessionId = "RM_agent", Status = ConversationStatus.Active }, Cancel);
        await db.Conversations.AppendAsync(Caller.Service, conversation.Id, new NewTurn { Role = TurnRole.System, RawText = "welcome" }, Cancel);
        await db.Conversations.BeginFunctionCallAsync(Caller.Service, conversation.Id, new NewFunctionCall { CallId = "call_1", Name = "book" }, Cancel);
        for (var i = 0; i < 2; i++)
        {
            await inbox.AcceptAsync(Report(AgentUploads.Report()), Cancel);
            await inbox.RunOnceAsync(Cancel);
            await db.Conversations.AppendAsync(Caller.Service, conversation.Id, new NewTurn { Role = TurnRole.System, RawText = $"note {i}" }, Cancel);
        }

        var turns = await db.Conversations.TurnsAsync(Caller.Service, conversation.Id, cancellationToken: Cancel);
        (await db.ScalarAsync(Caller.Service, "select string_agg(name || ' ' || status, ', ') from vox.function_calls")).ShouldBe("book completed", "told twice, and one call");
        turns.Select(turn => turn.RawText![..5]).ShouldBe(["welco", "Book ", "Your ", "Thank", "note ", "note "]);
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public void Providers_are_named_as_the_price_book_names_them()
    {
        AgentReader.Provider("api.openai.com").ShouldBe("openai");
        AgentReader.Provider("OpenAI").ShouldBe("openai");
        AgentReader.Provider("Deepgram").ShouldBe("deepgram");
        AgentReader.Provider(null).ShouldBe("unknown");
    }

    private static AgentUpload Report(string json) => AgentUpload.OfReport(Encoding.UTF8.GetBytes(json));

    private static AgentSession Read(AgentUpload upload) => AgentReader.Read(AgentUpload.Decode(upload.Encode()).Records);
}
