using System.Text;
using System.Text.Json;
using Voxbase.LiveKit;
using Voxbase.Tests.Capture;

namespace Voxbase.Tests.LiveKit;

public sealed class LiveKitCallReaderTests
{
    [Fact]
    public void A_call_is_read_with_all_that_was_told_of_it()
    {
        var call = LiveKitCallReader.Read(Read(LiveKitStory.Events("a")));

        (call.RoomSid, call.RoomName, call.EndReason, call.AgentUsed, call.Dropped).ShouldBe(("RM_a", "support-a", "room_finished", true, 2));
        call.CreatedAt.ShouldBe(DateTimeOffset.FromUnixTimeSeconds(1787074610));
        call.ConnectedAt.ShouldBe(DateTimeOffset.FromUnixTimeMilliseconds(1787074612203), "the agent was there before, and is nobody who called");
        call.EndedAt.ShouldBe(DateTimeOffset.FromUnixTimeSeconds(1787074730));
        call.Visits.Select(visit => (visit.Identity, visit.Kind, visit.LeftAt?.ToUnixTimeSeconds(), visit.DisconnectReason)).ShouldBe(
        [
            ("agent-AJ", "agent", 1787074730, "room_closed"),
            (LiveKitStory.User, "standard", 1787074700, "client_initiated"),
            (LiveKitStory.User, "standard", 1787074730, "room_closed"),
            ("late", "standard", 1787074722, "connection_aborted"),
        ]);
        call.Visits[1].IsMuted.ShouldBeTrue();
        var recording = call.Recordings.ShouldHaveSingleItem();
        (recording.Status, recording.Location, recording.SizeBytes, recording.DurationMs).ShouldBe(("complete", "/rec/a.ogg", 834112, 112_000));
        recording.EndedAt.ShouldBe(DateTimeOffset.FromUnixTimeSeconds(1787074725));
        call.Occurrences.Select(o => o.EventType).ShouldBe(
            ["room_started", "agent_job_started", "track_published", "agent_job_ended", "error", "participant_connection_aborted", "room_finished"]);
        call.Occurrences.Single(o => o.EventType == "agent_job_ended").LatencyMs.ShouldBe(109_500);
    }

    // 7! orders of the events that decide most, each with one of them twice.
    [Fact]
    public void Every_order_of_the_same_events_comes_to_the_same()
    {
        var all = Read(LiveKitStory.Events("a"));
        List<LiveKitEvent> some = [all[0], all[3], all[4], all[5], all[6], all[11], all[12]];
        var expected = Told(LiveKitCallReader.Read(some));
        var orders = 0;
        foreach (var order in Permutations(some))
        {
            Told(LiveKitCallReader.Read([.. order, order[orders % order.Count]])).ShouldBe(expected);
            orders++;
        }

        orders.ShouldBe(5040);
    }

    [Fact]
    public void A_thousand_orders_of_all_events_with_repetitions_come_to_the_same()
    {
        var all = Read(LiveKitStory.Events("a"));
        var expected = Told(LiveKitCallReader.Read(all));
        var random = new Random(42);
        for (var i = 0; i < 1000; i++)
        {
            List<LiveKitEvent> delivered = [.. all, .. random.GetItems(all.ToArray(), 5)];
            random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(delivered));
            Told(LiveKitCallReader.Read(delivered)).ShouldBe(expected);
        }
    }

    [Fact]
    public void Parts_of_a_call_are_read_as_far_as_they_go()
    {
        var all = Read(LiveKitStory.Events("a"));
        LiveKitCallReader.Read([]).IsEnded.ShouldBeFalse();
        var ended = LiveKitCallReader.Read([all[12]]);
        (ended.EndReason, ended.IsConnected).ShouldBe(("nobody_joined", false));
        // Its leaving tells of its coming.
        var left = LiveKitCallReader.Read([all[6]]).Visits.ShouldHaveSingleItem();
        (left.JoinedAt.ToUnixTimeSeconds(), left.LeftAt?.ToUnixTimeSeconds()).ShouldBe((1787074612, 1787074700));
    }

    [Fact]
    public void A_room_found_missing_ended_with_the_last_that_was_heard_of_it()
    {
        var all = Read(LiveKitStory.Events("a"));
        var gone = LiveKitEvent.Of(Guid.NewGuid(), """{"event":"voxbase.reconciled","roomGone":true,"createdAt":1787080000}""");
        var call = LiveKitCallReader.Read([.. all.Take(4), gone]);
        (call.EndReason, call.EndedAt?.ToUnixTimeSeconds()).ShouldBe(("room_gone", 1787074612));
        // The room's own word, should it still come, is better.
        LiveKitCallReader.Read([.. all.Take(4), gone, all[12]]).EndReason.ShouldBe("room_finished");
    }

    [Fact]
    public void Who_LiveKit_no_longer_names_has_left_and_who_it_names_has_come()
    {
        var all = Read(LiveKitStory.Events("a"));
        var asked = LiveKitEvent.Of(Guid.NewGuid(), """{"event":"voxbase.reconciled","roomGone":false,"createdAt":1787075000,"participants":[{"sid":"PA_new","identity":"bo","joinedAt":"1787074900","kind":"SIP"}]}""");
        var call = LiveKitCallReader.Read([.. all.Take(4), asked]);
        call.IsEnded.ShouldBeFalse();
        call.Visits.Select(visit => (visit.Identity, visit.LeftAt?.ToUnixTimeSeconds())).ShouldBe([("agent-AJ", 1787075000), (LiveKitStory.User, 1787075000), ("bo", null)]);
    }

    [Fact]
    public void The_samples_are_read_whatever_their_spelling()
    {
        var calls = new List<LiveKitEvent>();
        foreach (var name in (string[])["01_participant_joined", "02_participant_left", "03_room_finished", "05_egress_ended_failed", "06_egress_ended_complete_no_file", "08_egress_ended_snake_case", "09_track_published", "10_egress_updated_unknown_status"])
        {
            var body = File.ReadAllBytes(Logs.Sample($"livekit/webhooks/{name}.json"));
            calls.Add(LiveKitEvent.Accept(Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(body).TrimEnd('\n'))).Event);
        }

        var call = LiveKitCallReader.Read(calls);
        var visit = call.Visits.ShouldHaveSingleItem();
        (visit.JoinedAt.ToUnixTimeMilliseconds(), visit.LeftAt?.ToUnixTimeSeconds(), visit.Name).ShouldBe((1787074611203, 1787078211, "Amit Sharma"));
        call.Recordings.Select(r => (r.EgressId[..4], r.Status, r.DurationMs, r.Location is not null)).ShouldBe(
            [("EG_b", "failed", null, false), ("EG_h", "complete", 52_000, true), ("EG_y", "complete", null, false)]);
        call.Recordings[0].Error.ShouldNotBeNullOrEmpty();
        call.Recordings[1].StartedAt.ShouldBe(DateTimeOffset.FromUnixTimeSeconds(1787074680), "nanoseconds");
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("1")]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("""{"event":12}""")]
    [InlineData("""{"event":""}""")]
    [InlineData("""{"event":"room_started","event":"room_finished"}""")]
    [InlineData("""{"event":"voxbase.reconciled","roomGone":true}""")]
    [InlineData("""{"event":"room_started","room":"x"}""")]
    [InlineData("""{"event":"room_started","participant":[{"identity":"x"}]}""")]
    [InlineData("""{"event":"egress_ended","egress_info":true}""")]
    [InlineData("""{"event":"room_started","createdAt":{"seconds":1}}""")]
    [InlineData("""{"event":"room_started","id":7}""")]
    [InlineData("""{"event":"room_started","numDropped":"many"}""")]
    [InlineData("{\"event\":\"room_started\",\"room\":{\"name\":\"\\ud800\"}}")]
    public void What_is_no_event_is_refused(string body) =>
        Should.Throw<VoxbaseException>(() => LiveKitEvent.Accept(Encoding.UTF8.GetBytes(body))).Code.ShouldBe("livekit_webhook_invalid");

    [Fact]
    public void An_event_without_id_is_known_by_its_bytes()
    {
        var one = LiveKitEvent.Accept("""{"event":"room_started"}"""u8).Event.Key;
        LiveKitEvent.Accept("""{"event":"room_started"}"""u8).Event.Key.ShouldBe(one);
        LiveKitEvent.Accept("""{"event":"room_started" }"""u8).Event.Key.ShouldNotBe(one);
    }

    [Fact]
    public void Units_of_time_are_told_by_their_magnitude()
    {
        var moment = DateTimeOffset.FromUnixTimeMilliseconds(1787074610000);
        foreach (var number in (string[])["1787074610", "\"1787074610\"", "1787074610.0", "1787074610000", "\"1787074610000000\"", "\"1787074610000000000\"", "\"2026-08-18T16:56:50Z\""])
        {
            var expected = number.Contains('T') ? DateTimeOffset.Parse("2026-08-18T16:56:50Z") : moment;
            LiveKitJson.Time(JsonElement.Parse($$"""{"created_at":{{number}}}"""), "createdAt").ShouldBe(expected, number);
        }

        LiveKitJson.Time(JsonElement.Parse("""{"startedAt":"0"}"""), "startedAt").ShouldBeNull();
        LiveKitJson.Time(JsonElement.Parse("""{"startedAt":-5}"""), "startedAt").ShouldBeNull();
        LiveKitJson.Time(JsonElement.Parse("""{"startedAt":1e300}"""), "startedAt").ShouldBeNull();
    }

    private static List<LiveKitEvent> Read(List<string> events) => [.. events.Select(e => LiveKitEvent.Accept(Encoding.UTF8.GetBytes(e)).Event)];

    private static string Told(LiveKitCall call) => JsonSerializer.Serialize(call);

    private static IEnumerable<List<T>> Permutations<T>(List<T> items)
    {
        if (items.Count <= 1)
        {
            yield return items;
            yield break;
        }

        for (var i = 0; i < items.Count; i++)
        {
            foreach (var rest in Permutations([.. items.Take(i), .. items.Skip(i + 1)]))
                yield return [items[i], .. rest];
        }
    }
}
