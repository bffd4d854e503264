using Voxbase.Capture;
using static Voxbase.Tests.Capture.LiveLogs;

namespace Voxbase.Tests.Capture;

public sealed class OpenAiLiveReaderTests
{
    [Fact]
    public async Task The_recorded_session_gives_its_turns_its_delegation_and_the_seconds_last_reported()
    {
        var log = await Logs.EventsAsync(Logs.Sample("openai/live-delegation.jsonl"));
        var read = Read(log);
        var heard = string.Concat(Logs.Values(log, "session.input_transcript.delta", "delta"));
        var said = Logs.Values(log, "session.output_transcript.delta", "delta");

        read.Turns.Select(t => (t.Role, t.RawText)).ShouldBe(
            [("user", heard), ("assistant", string.Concat(said[..3])), ("assistant", string.Concat(said[3..]))]);
        read.Turns.Select(t => (t.StartedAtOffsetMs, t.EndedAtOffsetMs)).ShouldBe(
            [(1123 + 600, 1123 + 4800), (1123 + 4800, 1123 + 5800), (1123 + 6800, 1123 + 7400)]);
        read.Turns[1].EndToEndMs.ShouldBe(0, "the answer began in the very step that ended the question");
        var call = read.FunctionCalls.ShouldHaveSingleItem();
        (call.Name, call.Status, call.TurnItemId).ShouldBe(("delegation.client", "completed", read.Turns[0].ItemId));
        read.Session.Model.ShouldBe("gpt-live-1");
        read.Session.SessionId.ShouldBe(Logs.Values(log, "session.started", "session", "id").Single());
        read.Session.IsUsageFinal.ShouldBe(false, "the socket closed without session.closed");
        read.EndReason.ShouldBeNull();
        var quantity = read.Quantities.ShouldHaveSingleItem();
        (quantity.Meter, quantity.Quantity, quantity.Model).ShouldBe(("session.seconds", 7m, "gpt-live-1"));
        (read.Counters.Unknown, read.Counters.Anomalous, read.Counters.Events).ShouldBe((0, 0, 30));
    }

    [Fact]
    public void A_call_reads_as_it_was_held()
    {
        var read = Read(Call());
        read.Turns.Select(t => (t.Role, t.RawText)).ShouldBe(
        [
            ("user", "Is the shop open on Sunday?"), ("assistant", "One moment."), ("assistant", "On Sunday we are open from ten to four."),
            ("user", "Thank you."),
        ]);
        read.Turns.Select(t => t.EndToEndMs).ShouldBe([null, 200, null, null]);
        read.FunctionCalls.ShouldHaveSingleItem().Output.ShouldBe("Open ten to four.");
        read.FunctionCalls[0].ExecutionMs.ShouldBe(5000 - 2650);
        read.EndReason.ShouldBe("remote_hangup");
        read.Session.IsUsageFinal.ShouldBe(true);
    }

    [Fact]
    public void Seconds_are_totals_and_never_summed()
    {
        var read = Read(Call());
        read.Quantities.Select(q => (q.Key, q.Quantity)).ShouldBe(
            [("session.seconds:7", 7m), ("session.seconds:15", 8m), ("session.seconds:21", 6m), ("session.seconds:22", 1m)]);
        read.Usage.Single(u => u.EventType == "session_usage").Seconds.ShouldBe(22m);
    }

    [Fact]
    public void A_total_lower_than_an_earlier_one_charges_nothing_and_takes_nothing_back()
    {
        var read = Read([Started(), Usage("a", 15), Usage("b", 7), Usage("c", 15.5m), Closed("d", 15.50m)]);
        read.Quantities.Sum(q => q.Quantity).ShouldBe(15.5m);
        read.Quantities.Count.ShouldBe(2);
    }

    [Fact]
    public void A_session_that_only_broke_off_has_usage_that_is_not_final()
    {
        Read([Started(), Usage("a", 15)]).Session.IsUsageFinal.ShouldBe(false);
        Read([Started()]).Session.IsUsageFinal.ShouldBe(false);
        Read([Started(), Closed("c", 15)]).Session.IsUsageFinal.ShouldBe(true);
        Read([Started(), Usage("a", 15)]).Usage.Single(u => u.EventType == "session_usage").Details!.ShouldContain("\"final\":false");
    }

    [Theory]
    [InlineData(999, 1)]
    [InlineData(1000, 2)]
    public void A_silence_of_a_second_ends_a_turn(int silence, int turns) =>
        Read([Started(), Heard("a", 0, 400, "Yes."), Heard("b", 400 + silence, 1800, " And no.")]).Turns.Count.ShouldBe(turns);

    [Fact]
    public void An_answer_in_a_silence_ends_a_turn_and_words_over_words_do_not()
    {
        Read([Started(), Heard("a", 0, 400, "Open?"), Said("b", 500, 700, "Yes."), Heard("c", 800, 1200, " Sunday?")])
            .Turns.Select(t => t.RawText).ShouldBe(["Open?", "Yes.", "Sunday?"]);
        Read([Started(), Heard("a", 0, 600, "I would"), Said("b", 500, 700, "Mhm."), Heard("c", 650, 1200, " like to")])
            .Turns.Select(t => t.RawText).ShouldBe(["I would like to", "Mhm."]);
    }

    [Fact]
    public void A_delegation_ends_what_is_being_said()
    {
        var read = Read([Started(), Heard("a", 0, 400, "Look it up."), Delegated("d", "item_d1", 200), Heard("b", 400, 800, " Please.")]);
        read.Turns.Select(t => t.RawText).ShouldBe(["Look it up.", "Please."]);
        read.FunctionCalls.ShouldHaveSingleItem().TurnPosition.ShouldBe(1);
        read.FunctionCalls[0].Status.ShouldBe("in_progress");
    }

    [Fact]
    public void A_fragment_that_comes_late_takes_its_place_by_its_time()
    {
        var read = Read(
        [
            Started(), Heard("c", 2000, 2200, " to four?"), Said("x", 4000, 4200, "Yes."), Heard("b", 1000, 1900, " from ten"),
            Heard("a", 0, 900, "Is it open"), Heard("z", 8000, 8400, " Fine."), Said("y", 5500, 5700, "Anything else?"),
        ]);
        read.Turns.Select(t => (t.Position, t.RawText)).ShouldBe(
            [(1, "Is it open from ten to four?"), (2, "Yes."), (3, "Anything else?"), (4, "Fine.")]);
    }

    [Fact]
    public void A_delegated_response_costs_the_tokens_of_its_own_model_and_is_no_turn()
    {
        var read = Read(
        [
            Started(), Heard("u", 0, 400, "Weather?"), Delegated("d", "item_d1", 300, target: "responses"),
            Responses("r1", "{'type':'response.created','response':{'id':'resp_1','model':'gpt-5.5'}}"),
            Responses("r2", "{'type':'response.output_item.done','item':{'type':'function_call','call_id':'call_1','name':'weather','arguments':'{}'}}"),
            Responses("r3", "{'type':'response.completed','response':{'id':'resp_1','model':'gpt-5.5','output':[{'type':'function_call','call_id':'call_1','name':'weather','arguments':'{}'}],'usage':{'input_tokens':100,'input_tokens_details':{'cached_tokens':64},'output_tokens':20,'total_tokens':120}}}"),
            Logs.Client("{'type':'response.item.create','item':{'type':'function_call_output','call_id':'call_1','output':'sunny'}}"),
            Responses("r4", "{'type':'response.completed','response':{'id':'resp_2','model':'gpt-5.5','output':[{'type':'message','content':[{'type':'output_text','text':'It is sunny.'}]}],'usage':{'input_tokens':130,'output_tokens':9,'total_tokens':139}}}"),
            Usage("s", 3),
        ]);
        read.Turns.ShouldHaveSingleItem();
        read.FunctionCalls.Select(c => (c.CallId, c.Name, c.Status, c.Output)).ShouldBe(
            [("item_d1", "delegation.responses", "completed", "It is sunny."), ("call_1", "weather", "completed", "sunny")]);
        read.Quantities.Select(q => (q.Meter, q.Model, q.Quantity)).ShouldBe(
        [
            ("llm.input.text", "gpt-5.5", 36m), ("llm.input.text.cached", "gpt-5.5", 64m), ("llm.output.text", "gpt-5.5", 20m),
            ("llm.input.text", "gpt-5.5", 130m), ("llm.output.text", "gpt-5.5", 9m), ("session.seconds", "gpt-live-1", 3m),
        ]);
        read.Responses.ShouldAllBe(r => r.OutOfBand && r.Status == "completed");
    }

    [Fact]
    public void A_backlog_repeated_after_attaching_again_changes_nothing()
    {
        var whole = Read(Call());
        var events = Call();
        var random = new Random(11);
        for (var round = 0; round < 200; round++)
        {
            // Cut anywhere; from anywhere before, all that came is repeated, then it goes on.
            var log = new List<LoggedEvent>();
            for (var at = 0; at < events.Count;)
            {
                var size = random.Next(1, events.Count - at + 1);
                log.AddRange(events.Skip(at).Take(size));
                at += size;
                log.AddRange(events.Take(at).Skip(random.Next(at)).Where(e => e.Direction == EventDirections.Server));
            }

            var read = Read(log);
            Said(read).ShouldBe(Said(whole));
            read.Quantities.Select(q => (q.Key, q.Quantity)).ShouldBe(whole.Quantities.Select(q => (q.Key, q.Quantity)));
            read.FunctionCalls.Count.ShouldBe(1);
        }

        static IEnumerable<object?> Said(CapturedConversation read) =>
            read.Turns.Select(t => (object?)(t.Position, t.Role, t.RawText, t.StartedAtOffsetMs, t.EndedAtOffsetMs));
    }

    [Fact]
    public void The_seconds_are_the_same_in_whatever_order_and_however_often_they_are_reported()
    {
        var random = new Random(3);
        for (var round = 0; round < 200; round++)
        {
            var totals = Enumerable.Range(0, random.Next(1, 20)).Select(_ => Math.Round((decimal)random.NextDouble() * 600, 3)).ToList();
            var reports = totals.SelectMany((total, i) => Enumerable.Range(0, random.Next(1, 3)).Select(n => Usage($"u{i}_{n}", total))).ToArray();
            random.Shuffle(reports);
            Read([Started(), .. reports]).Quantities.Sum(q => q.Quantity).ShouldBe(totals.Max());
        }
    }

    [Fact]
    public void A_session_attached_to_late_tells_its_own_time()
    {
        var read = Read([Heard("a", 60_000, 60_400, "Hello?", 1000), Said("b", 61_000, 61_500, "Yes?", 2000)]);
        read.Turns.Select(t => t.StartedAtOffsetMs).ShouldBe([0 + 60_000, 61_000]);
        read.Session.SessionId.ShouldBeNull();
    }

    [Fact]
    public void What_was_asked_for_when_a_call_was_accepted_names_its_model()
    {
        var accept = Logs.Client($"{{'type':'{LiveEventTypes.Accept}','session':{{'type':'live','model':'gpt-live-1'}}}}");
        Read([accept, Usage("u", 4)]).Quantities.ShouldHaveSingleItem().Model.ShouldBe("gpt-live-1");
    }

    private static CapturedConversation Read(IEnumerable<LoggedEvent> log)
    {
        var reader = new OpenAiReader();
        var ordinal = 0;
        foreach (var e in log)
            reader.Read(ordinal++, e);
        reader.IsLive.ShouldBeTrue();
        return reader.Snapshot();
    }
}
