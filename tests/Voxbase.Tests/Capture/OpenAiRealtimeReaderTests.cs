using Voxbase.Capture;

namespace Voxbase.Tests.Capture;

public sealed class OpenAiRealtimeReaderTests
{
    private const string Usage =
        "{'total_tokens':150,'input_tokens':100,'output_tokens':50,'input_token_details':{'text_tokens':80,'audio_tokens':20,'cached_tokens':64,'cached_tokens_details':{'text_tokens':64,'audio_tokens':0}},'output_token_details':{'text_tokens':10,'audio_tokens':40}}";

    [Fact]
    public async Task The_recorded_session_gives_its_four_turns_its_interruption_and_its_price()
    {
        var log = await Logs.EventsAsync(Logs.Sample("openai/realtime-2025-05-interrupted.jsonl"));
        var read = Logs.Read(log);
        var spoken = Logs.Values(log, "response.audio_transcript.done", "transcript");

        read.Turns.Select(t => (t.Position, t.Role, t.RawText)).ShouldBe(
            [(1, "user", "Hello!"), (2, "assistant", spoken[0]), (3, "user", "Bye.\n"), (4, "assistant", spoken[1])]);
        read.Turns.Select(t => t.Interrupted).ShouldBe([false, true, false, false]);

        // 1860 of 5550 ms are 32 of its 96 characters, which is where its second sentence ends.
        read.Turns[1].HeardText.ShouldBe(spoken[0][..32]);
        read.Turns[1].TruncatedMs.ShouldBe(1860);
        read.Turns[1].AudioDurationMs.ShouldBe(111 * 50);
        read.Turns[2].AudioDurationMs.ShouldBe(620);
        read.Session.Model.ShouldBe("gpt-4o-realtime-preview-2024-12-17");
        read.Session.TranscriptionModel.ShouldBe("whisper-1");
        read.Session.SessionId.ShouldBe(Logs.Values(log, "session.created", "session", "id").Single());
        read.Session.ConversationId.ShouldBe(Logs.Values(log, "response.done", "response", "conversation_id")[0]);
        read.Responses.Count.ShouldBe(2);
        (read.Counters.Unknown, read.Counters.Anomalous, read.Counters.InterruptedTurns).ShouldBe((0, 0, 1));
        (read.Counters.InputTokens, read.Counters.OutputTokens, read.Counters.Events).ShouldBe((1764, 252, 76));
        Price(read, new()
        {
            ["llm.input.text"] = 5m,
            ["llm.input.text.cached"] = 2.5m,
            ["llm.output.text"] = 20m,
            ["llm.input.audio"] = 40m,
            ["llm.input.audio.cached"] = 2.5m,
            ["llm.output.audio"] = 80m,
        }).ShouldBe(0.022450m);
        Price(read, new()
        {
            ["llm.input.text"] = 4m,
            ["llm.input.text.cached"] = 0.4m,
            ["llm.output.text"] = 16m,
            ["llm.input.audio"] = 32m,
            ["llm.input.audio.cached"] = 0.4m,
            ["llm.output.audio"] = 64m,
        }).ShouldBe(0.0152976m);
    }

    [Theory]
    [InlineData("openai/official-ga-examples.jsonl", 75)]
    [InlineData("openai/official-beta-examples.jsonl", 50)]
    public async Task Every_official_example_is_known(string sample, int count)
    {
        var read = Logs.Read(await Logs.EventsAsync(Logs.Sample(sample)));
        read.Counters.Events.ShouldBe(count);
        read.Counters.UnknownByType.ShouldBeEmpty();
    }

    [Fact]
    public async Task Official_examples_that_contradict_themselves_are_the_only_anomalies()
    {
        Logs.Read(await Logs.EventsAsync(Logs.Sample("openai/official-ga-examples.jsonl"))).Counters.Anomalous.ShouldBe(0);

        // 384 cached of 127 input tokens.
        var beta = Logs.Read(await Logs.EventsAsync(Logs.Sample("openai/official-beta-examples.jsonl")));
        beta.Counters.Anomalous.ShouldBe(1);
        beta.Quantities.Where(q => q.ResponseId == "resp_001").Select(q => (q.Meter, q.Quantity)).ShouldBe(
            [("llm.input.unsplit", 127m), ("llm.output.text", 36m), ("llm.output.audio", 112m)]);
    }

    [Fact]
    public async Task The_function_round_trip_gives_call_output_answer_and_both_ways_to_bill_a_transcript()
    {
        var log = await Logs.EventsAsync(Logs.Sample("openai/function-round-trip.ga.jsonl"));
        var read = Logs.Read(log);
        var call = read.FunctionCalls.ShouldHaveSingleItem();
        call.Status.ShouldBe("completed");
        call.CallId.ShouldBe(Logs.Values(log, "conversation.item.create", "item", "call_id").Single());
        call.Output.ShouldBe(Logs.Values(log, "conversation.item.create", "item", "output").Single());
        var said = Logs.Values(log, "conversation.item.input_audio_transcription.completed", "transcript");
        read.Turns.Select(t => (t.Role, t.RawText)).ShouldBe(
            [("assistant", Logs.Values(log, "response.output_audio_transcript.done", "transcript").Single()), ("user", said[0]), ("user", said[1])]);
        read.Quantities.Select(q => (q.Meter, q.Quantity)).ShouldBe(
        [
            ("llm.input.text", 183m), ("llm.input.text.cached", 1024m), ("llm.input.audio", 15m), ("llm.input.audio.cached", 640m),
            ("llm.output.text", 18m), ("llm.output.audio", 55m),
            ("stt.input.audio", 15m), ("stt.output.text", 9m), ("stt.seconds", 2m),
        ]);
        (read.Counters.Unknown, read.Counters.Anomalous).ShouldBe((0, 0));
    }

    [Fact]
    public async Task The_demo_reads_as_it_was_written()
    {
        var read = Logs.Read(await Logs.EventsAsync(Logs.Demo()));
        (read.Counters.Unknown, read.Counters.Anomalous, read.Counters.Errors).ShouldBe((0, 0, 0));
        read.Turns.Count.ShouldBe(17);
        read.Turns.Select(t => t.Position).ShouldBe(Enumerable.Range(1, 17));
        read.Turns.Select(t => t.Role).ShouldBe(Enumerable.Range(0, 17).Select(i => i % 2 == 0 ? "assistant" : "user"));
        read.Turns.Where(t => t.Interrupted).Select(t => (t.Position, t.HeardText)).ShouldBe(
            [(5, "Welcome, then. A first visit takes fifty minutes: your physiotherapist takes your history, looks"), (11, "Four forty with Mira")]);
        read.Turns[10].Status.ShouldBe("cancelled");
        read.Turns.Where(t => t.TranscriptionFailed is not null).Select(t => (t.Position, t.TranscriptionFailed, t.RawText))
            .ShouldBe([(8, "audio_unintelligible", null)]);
        read.Turns.Where(t => t.Role == "user" && t.Position != 8).ShouldAllBe(t => t.AsrMs > 200 && t.RawText!.Length > 5);
        read.Turns.Where(t => t.Role == "assistant").ShouldAllBe(t => t.FirstAudioMs > 200 && t.LlmFirstTokenMs < 400 && t.EndedAtOffsetMs > t.StartedAtOffsetMs);
        read.Turns.Where(t => t.Role == "assistant").Skip(1).ShouldAllBe(t => t.EndToEndMs > 200);
        read.FunctionCalls.Select(c => (c.Name, c.Status, c.ExecutionMs, c.TurnPosition)).ShouldBe(
            [("find_slots", "completed", 412, 6), ("book_slot", "completed", 688, 14)]);
        read.Responses.Count(r => r.Status == "cancelled" && r.Usage!.Output > 0).ShouldBe(1);
        read.Responses.ShouldAllBe(r => r.Usage!.CachedSplit == CachedSplit.Known
            && r.Usage.Input == r.Usage.TextInput + r.Usage.AudioInput + r.Usage.ImageInput
            && r.Usage.Output == r.Usage.TextOutput + r.Usage.AudioOutput);
        read.Quantities.ShouldAllBe(q => q.Model != null && !q.Meter.EndsWith("unsplit"));
        read.Usage.Select(u => u.EventType).Distinct().Order().ShouldBe(
            ["function_call", "interruption", "rate_limits", "response", "session_start", "speech_started", "speech_stopped", "transcription", "transcription_failed"]);
    }

    [Fact]
    public async Task Reading_on_after_a_snapshot_is_reading_in_one_go()
    {
        var events = await Logs.EventsAsync(Logs.Demo());
        var reader = new OpenAiRealtimeReader();
        for (var i = 0; i < events.Count; i++)
        {
            reader.Read(i, events[i]);
            reader.Snapshot();
        }

        Logs.Whole(reader.Snapshot()).ShouldBe(Logs.Whole(Logs.Read(events)));
    }

    [Fact]
    public async Task What_changed_is_all_that_changed()
    {
        var events = await Logs.EventsAsync(Logs.Demo());
        var reader = new OpenAiRealtimeReader();
        var turns = new Dictionary<string, CapturedTurn>();
        var responses = new Dictionary<string, CapturedResponse>();
        var calls = new Dictionary<string, CapturedFunctionCall>();
        var usage = new Dictionary<string, CapturedUsage>();
        var quantities = new Dictionary<string, CapturedQuantity>();
        for (var i = 0; i < events.Count; i++)
        {
            var changes = reader.Read(i, events[i]);
            changes.Turns.ToList().ForEach(id => turns[id] = reader.Turn(id)!);
            changes.Responses.ToList().ForEach(id => responses[id] = reader.ResponseRecord(id)!);
            changes.FunctionCalls.ToList().ForEach(id => calls[id] = reader.FunctionCall(id)!);
            changes.Usage.ToList().ForEach(key => usage[key] = reader.UsageEvent(key)!);
            changes.Quantities.ToList().ForEach(key => quantities[key] = reader.Quantity(key)!);
            if (changes.Order)
            {
                reader.Snapshot().Turns.ToList().ForEach(t => turns[t.ItemId] = t);
                reader.Snapshot().FunctionCalls.ToList().ForEach(c => calls[c.CallId] = c);
            }

            var now = reader.Snapshot();
            turns.Values.OrderBy(t => t.Position).ShouldBe(now.Turns);
            responses.Values.ShouldBe(now.Responses);
            calls.Values.ShouldBe(now.FunctionCalls);
            usage.Values.ShouldBe(now.Usage);
            quantities.Values.ShouldBe(now.Quantities);
        }
    }

    [Fact]
    public void Turns_follow_the_links_between_items_and_not_their_arrival()
    {
        LoggedEvent[] events =
        [
            Logs.AssistantItem("a1", "u1", "One"), Logs.UserItem("u1", null, "Zero"),
            Logs.AssistantItem("a2", "u2", "Three"), Logs.UserItem("u2", "a1", "Two"), Logs.UserItem("u3", "a2", "Four"),
        ];
        string[] expected = ["Zero", "One", "Two", "Three", "Four"];
        Logs.Read(events).Turns.Select(t => t.RawText).ShouldBe(expected);

        // The first item is told first, as it always is; the others in any order.
        var random = new Random(3);
        for (var run = 0; run < 200; run++)
        {
            var shuffled = events.ToArray();
            random.Shuffle(shuffled);
            var read = Logs.Read([Logs.UserItem("u1", null, "Zero"), .. shuffled]);
            read.Turns.Select(t => t.RawText).ShouldBe(expected);
            read.Turns.Select(t => t.Position).ShouldBe([1, 2, 3, 4, 5]);
        }
    }

    [Fact]
    public void A_late_transcript_lands_on_its_turn()
    {
        var read = Logs.Read(
            Logs.Server("{'type':'input_audio_buffer.committed','item_id':'u1','previous_item_id':null}", t: 100),
            Logs.UserItem("u1", null),
            Logs.AssistantItem("a1", "u1", "Fine, thanks."),
            Logs.Server("{'type':'input_audio_buffer.committed','item_id':'u2','previous_item_id':'a1'}", t: 900),
            Logs.Server("{'type':'conversation.item.input_audio_transcription.delta','item_id':'u1','delta':'How are'}", t: 950),
            Logs.Server("{'type':'conversation.item.input_audio_transcription.completed','item_id':'u1','content_index':0,'transcript':'How are you?'}", t: 1000));
        read.Turns.Select(t => (t.ItemId, t.RawText, t.AsrMs)).ShouldBe([("u1", "How are you?", 900), ("a1", "Fine, thanks.", null), ("u2", null, null)]);
        read.Quantities.ShouldBeEmpty();
    }

    [Fact]
    public void A_transcript_of_an_item_nobody_announced_makes_its_turn_at_the_end()
    {
        var read = Logs.Read(
            Logs.UserItem("u1", null, "Hi"),
            Logs.Server("{'type':'conversation.item.input_audio_transcription.completed','item_id':'u9','transcript':''}"),
            Logs.AssistantItem("a1", "u9", "Yes?"));
        read.Turns.Select(t => (t.ItemId, t.Role, t.RawText)).ShouldBe([("u1", "user", "Hi"), ("u9", "user", ""), ("a1", "assistant", "Yes?")]);
    }

    [Fact]
    public void An_item_the_application_wants_first_comes_first_and_a_deleted_one_keeps_its_place()
    {
        var read = Logs.Read(
            Logs.UserItem("u1", null, "One"),
            Logs.AssistantItem("a1", "u1", "Two"),
            Logs.UserItem("u2", "a1", "Three"),
            Logs.Server("{'type':'conversation.item.deleted','item_id':'u2'}"),
            Logs.AssistantItem("a2", "a1", "Four"),
            Logs.Client("{'type':'conversation.item.create','previous_item_id':'root','item':{'id':'s1','type':'message','role':'system'}}"),
            Logs.Server("{'type':'conversation.item.added','previous_item_id':null,'item':{'id':'s1','type':'message','role':'system','content':[{'type':'input_text','text':'Zero'}]}}"));
        read.Turns.Select(t => (t.RawText, t.Deleted)).ShouldBe([("Zero", false), ("One", false), ("Two", false), ("Three", true), ("Four", false)]);
    }

    [Fact]
    public void Links_in_circles_end()
    {
        LoggedEvent[] events = [Logs.UserItem("a", "b", "1"), Logs.UserItem("b", "c", "2"), Logs.UserItem("c", "a", "3"), Logs.UserItem("d", "d", "4"), Logs.UserItem("e", "b", "5")];
        foreach (var deleted in new[] { "a", "b", "c", "d" })
        {
            var read = Logs.Read([.. events, Logs.Server($"{{'type':'conversation.item.deleted','item_id':'{deleted}'}}"), .. events]);
            read.Turns.Count.ShouldBe(5);
        }
    }

    [Fact]
    public void The_order_is_the_same_whether_or_not_it_was_asked_for_on_the_way()
    {
        var random = new Random(11);
        for (var run = 0; run < 3000; run++)
        {
            var events = Enumerable.Range(0, random.Next(2, 25)).Select(_ => random.Next(8) switch
            {
                0 => Logs.Server($"{{'type':'conversation.item.deleted','item_id':'i{random.Next(8)}'}}"),
                1 => Logs.Server($"{{'type':'response.output_item.added','response_id':'r','item':{{'id':'i{random.Next(8)}','type':'message','role':'assistant'}}}}"),
                2 => Logs.Server($"{{'type':'conversation.item.added','previous_item_id':'root','item':{{'id':'i{random.Next(8)}','type':'message','role':'user'}}}}"),
                3 => Logs.UserItem($"i{random.Next(8)}", null),
                _ => Logs.UserItem($"i{random.Next(8)}", $"i{random.Next(8)}"),
            }).ToList();
            var reader = new OpenAiRealtimeReader();
            for (var i = 0; i < events.Count; i++)
            {
                reader.Read(i, events[i]);
                if (random.Next(2) == 0)
                {
                    reader.Snapshot();
                }
            }

            Logs.Whole(reader.Snapshot()).ShouldBe(Logs.Whole(Logs.Read(events)));
        }
    }

    [Fact]
    public void A_barge_in_told_before_the_usage_is_cut_once_the_length_is_known()
    {
        const string item = "{'id':'a1','type':'message','status':'incomplete','role':'assistant','content':[{'type':'output_audio','transcript':'one two three four'}]}";
        var reader = Logs.Reader(
        [
            Logs.Server("{'type':'response.created','response':{'id':'r1','conversation_id':'conv_1'}}"),
            Logs.Server("{'type':'response.output_audio_transcript.delta','response_id':'r1','item_id':'a1','delta':'one two three four'}"),
            Logs.Client("{'type':'conversation.item.truncate','item_id':'a1','audio_end_ms':1}"),
        ]);
        reader.Snapshot().Turns[0].Interrupted.ShouldBeFalse();

        reader.Read(3, Logs.Server("{'type':'conversation.item.truncated','item_id':'a1','audio_end_ms':1000}"));
        var before = reader.Snapshot().Turns.ShouldHaveSingleItem();
        (before.Interrupted, before.TruncatedMs, before.HeardText, before.HeardUnknown).ShouldBe((true, 1000, null, true));

        // 40 tokens are 2000 ms: half of it was played.
        reader.Read(4, Logs.Done("r1", Usage, "cancelled", "{'type':'cancelled','reason':'turn_detected'}", item)).Turns.ShouldContain("a1");
        var after = reader.Snapshot();
        var turn = after.Turns.ShouldHaveSingleItem();
        (turn.HeardText, turn.RawText, turn.HeardUnknown, turn.Status, turn.AudioDurationMs).ShouldBe(("one two", "one two three four", false, "cancelled", 2000));
        turn.Usage!.Output.ShouldBe(50);
        after.Counters.CancelledResponses.ShouldBe(1);
        after.Quantities.Sum(q => q.Quantity).ShouldBe(150);
    }

    [Fact]
    public void The_length_comes_from_the_audio_where_it_is_logged()
    {
        // 4800 bytes are 100 ms of 16-bit samples at 24 kHz, and 600 ms of telephone audio.
        var audio = Convert.ToBase64String(new byte[4800]);
        LoggedEvent[] events =
        [
            Logs.Server($"{{'type':'response.audio.delta','response_id':'r1','item_id':'a1','delta':'{audio}'}}"),
            Logs.Server($"{{'type':'response.audio.delta','response_id':'r1','item_id':'a1','delta':'{audio.Replace("AA", "\\u0041A")}'}}"),
            Logs.Server("{'type':'response.audio_transcript.done','response_id':'r1','item_id':'a1','transcript':'aaaa bbbb'}"),
            Logs.Server("{'type':'conversation.item.truncated','item_id':'a1','audio_end_ms':100}"),
        ];
        var turn = Logs.Read(events).Turns.ShouldHaveSingleItem();
        (turn.AudioDurationMs, turn.HeardText).ShouldBe((200, "aaaa"));

        var phone = Logs.Server("{'type':'session.created','session':{'id':'s','audio':{'output':{'format':{'type':'audio/pcmu'}}}}}");
        Logs.Read([phone, .. events]).Turns[0].AudioDurationMs.ShouldBe(1200);
        var beta = Logs.Server("{'type':'session.created','session':{'id':'s','output_audio_format':'g711_ulaw'}}");
        Logs.Read([beta, .. events]).Turns[0].AudioDurationMs.ShouldBe(1200);
    }

    [Fact]
    public void Audio_cleared_while_it_plays_is_an_interruption_and_the_clock_says_how_much_was_heard()
    {
        LoggedEvent[] begin =
        [
            Logs.Server("{'type':'response.output_audio_transcript.done','response_id':'r1','item_id':'a1','transcript':'one two three four'}", t: 10),
            Logs.Server("{'type':'output_audio_buffer.started','response_id':'r1'}", t: 100),
            Logs.Done("r1", Usage),
        ];
        var cut = Logs.Read([.. begin, Logs.Server("{'type':'output_audio_buffer.cleared','response_id':'r1'}", t: 1100)]).Turns[0];
        (cut.Interrupted, cut.HeardText, cut.StartedAtOffsetMs, cut.EndedAtOffsetMs).ShouldBe((true, "one two", 100, 1100));

        var played = Logs.Read(
            [.. begin, Logs.Server("{'type':'output_audio_buffer.stopped','response_id':'r1'}", t: 2100), Logs.Server("{'type':'output_audio_buffer.cleared','response_id':'r1'}", t: 2200)]).Turns[0];
        (played.Interrupted, played.HeardText).ShouldBe((false, null));
    }

    [Theory]
    [InlineData("Hello there", 0, "")]
    [InlineData("Hello there", 1000, "Hello there")]
    [InlineData("Hello there", 5000, "Hello there")]
    [InlineData("Hello there", 200, "")]
    [InlineData("Hello there", 300, "Hello")]
    [InlineData("Hello there", 700, "Hello")]
    [InlineData("Hello there", 800, "Hello there")]
    [InlineData("こんにちは。", 500, "こんに")]
    [InlineData("", 500, "")]
    public void A_word_is_heard_when_half_of_it_was_played(string spoken, int heardMs, string heard) =>
        HeardText.Cut(spoken, heardMs, 1000).ShouldBe(heard);

    [Fact]
    public void Cancelled_and_failed_responses_keep_what_they_used()
    {
        var read = Logs.Read(
            Logs.Done("r1", Usage, "cancelled", "{'type':'cancelled','reason':'client_cancelled'}"),
            Logs.Done("r2", Usage.Replace("100", "0").Replace("50", "0").Replace("80", "0").Replace("20", "0").Replace("64", "0").Replace("10", "0").Replace("40", "0"), "cancelled"),
            Logs.Done("r3", Usage, "failed", "{'type':'failed','error':{'type':'server_error','code':'overloaded'}}"),
            Logs.Done("r4", "null", "failed"));
        read.Responses.Select(r => (r.Status, r.StatusReason, r.ErrorCode, r.Usage?.Input)).ShouldBe(
            [("cancelled", "client_cancelled", null, 100), ("cancelled", null, null, 0), ("failed", null, "overloaded", 100), ("failed", null, null, null)]);
        read.Quantities.GroupBy(q => q.ResponseId).Select(g => (g.Key, g.Sum(q => q.Quantity))).ShouldBe([("r1", 150m), ("r3", 150m)]);
        read.Turns.ShouldBeEmpty();
        (read.Counters.CancelledResponses, read.Counters.Anomalous).ShouldBe((2, 0));
    }

    [Fact]
    public void A_response_told_twice_is_charged_once()
    {
        var once = Logs.Read(Logs.Done("r1", Usage));
        var twice = Logs.Read(Logs.Done("r1", "null"), Logs.Done("r1", Usage), Logs.Done("r1", Usage.Replace("100", "900")), Logs.Done("r1", Usage, "failed"));
        twice.Quantities.Select(q => (q.Key, q.Quantity)).ShouldBe(once.Quantities.Select(q => (q.Key, q.Quantity)));
        twice.Responses.ShouldHaveSingleItem().Status.ShouldBe("completed");
    }

    [Theory]
    [InlineData("{'input_tokens':100,'output_tokens':7}", "llm.input.unsplit 100, llm.output.unsplit 7")]
    [InlineData("{'input_tokens':100,'input_token_details':{'text_tokens':80,'audio_tokens':20,'cached_tokens':64}}", "llm.input.unsplit 100")]
    [InlineData("{'input_tokens':100,'input_token_details':{'text_tokens':100,'audio_tokens':0,'cached_tokens':64}}", "llm.input.text 36, llm.input.text.cached 64")]
    [InlineData("{'input_tokens':100,'input_token_details':{'audio_tokens':100,'cached_tokens':64}}", "llm.input.audio 36, llm.input.audio.cached 64")]
    [InlineData("{'input_tokens':100,'input_token_details':{'text_tokens':80,'audio_tokens':20,'cached_tokens':0}}", "llm.input.text 80, llm.input.audio 20")]
    [InlineData("{'input_tokens':100,'input_token_details':{'text_tokens':80,'image_tokens':20,'cached_tokens':10,'cached_tokens_details':{'image_tokens':10}}}", "llm.input.text 80, llm.input.image 10, llm.input.image.cached 10")]
    [InlineData("{'input_tokens':100,'input_token_details':{'text_tokens':80}}", "llm.input.text 80, llm.input.unsplit 20")]
    [InlineData("{'output_tokens':60,'output_token_details':{'text_tokens':10,'audio_tokens':40}}", "llm.output.text 10, llm.output.audio 40, llm.output.unsplit 10")]
    [InlineData("{'input_tokens':100,'input_token_details':{'text_tokens':80,'audio_tokens':20,'cached_tokens':64,'cached_tokens_details':{'text_tokens':30,'audio_tokens':34}}}", "llm.input.unsplit 100", 1)]
    [InlineData("{'input_tokens':100,'input_token_details':{'text_tokens':80,'audio_tokens':20,'cached_tokens':64,'cached_tokens_details':{'text_tokens':60}}}", "llm.input.unsplit 100", 1)]
    [InlineData("{'input_tokens':100,'input_token_details':{'text_tokens':180}}", "llm.input.unsplit 100", 1)]
    [InlineData("{'input_tokens':-4,'input_token_details':{'text_tokens':'many','audio_tokens':1e400}}", "", 1)]
    public void Tokens_that_cannot_be_divided_are_charged_undivided(string usage, string quantities, int anomalous = 0)
    {
        var read = Logs.Read(Logs.Done("r1", usage));
        string.Join(", ", read.Quantities.Select(q => $"{q.Meter} {q.Quantity}")).ShouldBe(quantities);
        read.Counters.Anomalous.ShouldBe(anomalous);
    }

    [Fact]
    public void A_response_outside_the_conversation_costs_and_is_no_turn()
    {
        const string item = "{'id':'x1','type':'message','status':'completed','role':'assistant','content':[{'type':'output_text','text':'A summary.'}]}";
        var read = Logs.Read(
            Logs.Server("{'type':'response.created','response':{'id':'r1','conversation_id':null}}"),
            Logs.Server($"{{'type':'response.output_item.added','response_id':'r1','item':{item}}}"),
            Logs.Server("{'type':'response.output_text.delta','response_id':'r1','item_id':'x1','delta':'A summary.'}"),
            Logs.Done("r1", Usage, output: item, conversation: "null"));
        read.Turns.ShouldBeEmpty();
        read.Quantities.Sum(q => q.Quantity).ShouldBe(150);
        read.Quantities.ShouldAllBe(q => q.ItemId == null);
        read.Responses.ShouldHaveSingleItem().ShouldSatisfyAllConditions(r => r.OutOfBand.ShouldBeTrue(), r => r.TurnItemId.ShouldBeNull());
    }

    [Fact]
    public void Streamed_arguments_add_up_until_they_are_final()
    {
        var reader = Logs.Reader(
        [
            Logs.UserItem("u1", null, "Weather?"),
            Logs.Server("{'type':'response.output_item.added','response_id':'r1','item':{'id':'f1','type':'function_call','status':'in_progress','name':'weather','call_id':'c1','arguments':''}}"),
            Logs.Server("{'type':'conversation.item.added','previous_item_id':'u1','item':{'id':'f1','type':'function_call','status':'in_progress','name':'weather','call_id':'c1','arguments':''}}"),
            Logs.Server("{'type':'response.function_call_arguments.delta','response_id':'r1','item_id':'f1','call_id':'c1','delta':'[1,'}", t: 1),
            Logs.Server("{'type':'response.function_call_arguments.delta','response_id':'r1','item_id':'f1','call_id':'c1','delta':'2'}", t: 2),
        ]);
        var call = reader.FunctionCall("c1")!;
        (call.Arguments, call.Status, call.Name, call.TurnItemId).ShouldBe(("[1,2", "in_progress", "weather", "u1"));

        reader.Read(5, Logs.Server("{'type':'response.function_call_arguments.done','response_id':'r1','item_id':'f1','call_id':'c1','arguments':'[1,2]'}", t: 50));
        reader.Read(6, Logs.Client("{'type':'conversation.item.create','item':{'type':'function_call_output','call_id':'c1','output':'sun'}}", t: 250));
        reader.Read(7, Logs.Server("{'type':'conversation.item.added','previous_item_id':'f1','item':{'id':'o1','type':'function_call_output','call_id':'c1','output':'sun'}}", t: 300));
        reader.Read(8, Logs.Done("r1", Usage));
        call = reader.FunctionCall("c1")!;
        (call.Arguments, call.Output, call.Status, call.ExecutionMs).ShouldBe(("[1,2]", "sun", "completed", 200));
        reader.Snapshot().FunctionCalls.ShouldHaveSingleItem();

        // A response that only calls has no turn to carry its usage.
        reader.ResponseRecord("r1")!.TurnItemId.ShouldBeNull();
        reader.Snapshot().Turns.ShouldHaveSingleItem().Usage.ShouldBeNull();
    }

    [Fact]
    public void A_call_cut_off_in_its_arguments_is_cancelled()
    {
        var read = Logs.Read(
            Logs.Server("{'type':'response.function_call_arguments.delta','response_id':'r1','item_id':'f1','call_id':'c1','delta':'[1,'}"),
            Logs.Done("r1", Usage, "cancelled", output: "{'id':'f1','type':'function_call','status':'incomplete','call_id':'c1','name':'x','arguments':'[1,'}"));
        read.FunctionCalls.ShouldHaveSingleItem().ShouldSatisfyAllConditions(c => c.Status.ShouldBe("cancelled"), c => c.Arguments.ShouldBe("[1,"));
    }

    [Fact]
    public void Tool_calls_of_an_mcp_server_are_function_calls_too()
    {
        var read = Logs.Read(
            Logs.Server("{'type':'response.output_item.added','response_id':'r1','item':{'id':'m1','type':'mcp_call','server_label':'docs','name':'find','arguments':''}}"),
            Logs.Server("{'type':'response.mcp_call_arguments.done','response_id':'r1','item_id':'m1','arguments':'[]'}", t: 5),
            Logs.Server("{'type':'response.mcp_call.in_progress','item_id':'m1'}", t: 10),
            Logs.Server("{'type':'response.mcp_call.completed','item_id':'m1'}", t: 40),
            Logs.Server("{'type':'response.output_item.done','response_id':'r1','item':{'id':'m1','type':'mcp_call','server_label':'docs','name':'find','arguments':'[]','output':'found'}}"),
            Logs.Server("{'type':'response.mcp_call.failed','item_id':'m2'}"));
        read.FunctionCalls.Select(c => (c.CallId, c.Name, c.ServerLabel, c.Arguments, c.Output, c.Status, c.ExecutionMs)).ShouldBe(
            [("m1", "find", "docs", "[]", "found", "completed", 30), ("m2", null, null, null, null, "failed", null)]);
    }

    [Fact]
    public void Latency_runs_from_the_end_of_speech_to_the_first_audio_over_a_tool_call()
    {
        var read = Logs.Read(
            Logs.Server("{'type':'input_audio_buffer.speech_started','item_id':'u1','audio_start_ms':100}", t: 500),
            Logs.Server("{'type':'input_audio_buffer.speech_stopped','item_id':'u1','audio_end_ms':1100}", t: 1500),
            Logs.Server("{'type':'input_audio_buffer.committed','item_id':'u1','previous_item_id':null}", t: 1501),
            Logs.Server("{'type':'response.created','response':{'id':'r1'}}", t: 1510),
            Logs.Server("{'type':'response.function_call_arguments.done','response_id':'r1','item_id':'f1','call_id':'c1','arguments':'1'}", t: 1600),
            Logs.Server("{'type':'response.created','response':{'id':'r2'}}", t: 2000),
            Logs.Server("{'type':'response.output_audio_transcript.delta','response_id':'r2','item_id':'a1','delta':'Yes'}", t: 2200),
            Logs.Server("{'type':'response.output_audio.delta','response_id':'r2','item_id':'a1','delta':'AAAA'}", t: 2250),
            Logs.Server("{'type':'response.created','response':{'id':'r3'}}", t: 3000),
            Logs.Server("{'type':'response.output_audio.delta','response_id':'r3','item_id':'a2','delta':'AAAA'}", t: 3100));
        var (user, answer, more) = (read.Turns[0], read.Turns[1], read.Turns[2]);
        (user.StartedAtOffsetMs, user.EndedAtOffsetMs, user.AudioDurationMs).ShouldBe((500, 1500, 1000));
        (answer.EndToEndMs, answer.LlmFirstTokenMs, answer.FirstAudioMs).ShouldBe((750, 200, 250));
        (more.EndToEndMs, more.FirstAudioMs).ShouldBe((null, 100));
    }

    [Fact]
    public void A_clock_of_the_day_serves_as_well_as_one_from_the_start()
    {
        var at = new DateTimeOffset(2026, 5, 1, 12, 0, 0, TimeSpan.Zero);
        var read = Logs.Read(
            Logs.Server("{'type':'input_audio_buffer.committed','item_id':'u1'}") with { At = at },
            Logs.Server("{'type':'conversation.item.input_audio_transcription.completed','item_id':'u1','transcript':'Hi'}") with { At = at.AddMilliseconds(420) });
        read.Session.StartedAt.ShouldBe(at);
        read.Turns.ShouldHaveSingleItem().AsrMs.ShouldBe(420);
    }

    [Fact]
    public void Errors_and_limits_are_recorded_without_a_word_that_was_said()
    {
        var read = Logs.Read(
            Logs.Server("{'type':'error','event_id':'e1','error':{'type':'invalid_request_error','code':'bad','message':'You said secret words'}}", t: 4),
            Logs.Server("{'type':'rate_limits.updated','rate_limits':[{'name':'tokens','limit':100,'remaining':7,'reset_seconds':1.5}]}"),
            Logs.Server("{'type':'input_audio_buffer.dtmf_event_received','event':'9'}"),
            Logs.Server("{'type':'error','error':{'code':'session_expired'}}"));
        read.Usage.Select(u => (u.Key, u.Details)).ShouldBe(
        [
            ("error:e1", """{"type":"invalid_request_error","code":"bad"}"""),
            ("rate_limits:#1", """{"tokens_limit":100,"tokens_remaining":7,"tokens_reset_seconds":1.5}"""),
            ("dtmf:#2", null),
            ("error:#3", """{"code":"session_expired"}"""),
        ]);
        (read.EndReason, read.Counters.Errors).ShouldBe(("expired", 2));
    }

    [Fact]
    public void Unknown_events_are_counted_by_type()
    {
        var read = Logs.Read(Logs.Server("{'type':'new.thing'}"), Logs.Server("{'type':'new.thing'}"), Logs.Client("{'type':'other'}"));
        read.Counters.UnknownByType.ShouldBe(new Dictionary<string, int> { ["new.thing"] = 2, ["other"] = 1 });
        (read.Counters.Unknown, read.Counters.Anomalous).ShouldBe((3, 0));

        var flood = Logs.Read(Enumerable.Range(0, 5000).Select(i => Logs.Server($"{{'type':'flood.{i}'}}")));
        flood.Counters.UnknownByType.Count.ShouldBe(257);
        flood.Counters.Unknown.ShouldBe(5000);
    }

    [Theory]
    [InlineData("{'type':'session.created','session':{'id':'sess_2','type':'realtime'}}", "sess_1", true)]
    [InlineData("{'type':'session.created','session':{'id':'sess_2'}}", "sess_1", true)]
    [InlineData("{'type':'session.created','session':{'id':'sess_2','type':'translation'}}", "sess_1", false)]
    [InlineData("{'type':'session.created','session':{'id':'sess_1'}}", "sess_1", false)]
    [InlineData("{'type':'session.created','session':{'id':'sess_1'}}", null, false)]
    [InlineData("{'type':'session.updated','session':{'id':'sess_2'}}", "sess_1", false)]
    [InlineData("{'type':'session.created','session':7}", "sess_1", false)]
    public void Another_session_begins_with_another_id(string json, string? previous, bool begins) =>
        OpenAiReader.StartsNewSession(previous, Logs.Server(json)).ShouldBe(begins);

    [Fact]
    public void Text_of_several_parts_is_joined_and_a_final_text_wins_over_what_was_streamed()
    {
        var read = Logs.Read(
            Logs.Server("{'type':'response.text.delta','response_id':'r','item_id':'a','content_index':1,'delta':'wor'}"),
            Logs.Server("{'type':'response.text.delta','response_id':'r','item_id':'a','content_index':0,'delta':'Hel'}"),
            Logs.Server("{'type':'response.text.done','response_id':'r','item_id':'a','content_index':0,'text':'Hello'}"),
            Logs.Server("{'type':'response.text.delta','response_id':'r','item_id':'a','content_index':0,'delta':'late'}"),
            Logs.Server("{'type':'conversation.item.retrieved','item':{'id':'a','type':'message','content':[{'type':'text','text':'old'}]}}"));
        read.Turns.ShouldHaveSingleItem().RawText.ShouldBe("Hello\nwor");
    }

    private static decimal Price(CapturedConversation read, Dictionary<string, decimal> perMillion) =>
        read.Quantities.Sum(q => q.Quantity * perMillion[q.Meter] / 1_000_000m);
}
