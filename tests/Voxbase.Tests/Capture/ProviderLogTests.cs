namespace Voxbase.Tests.Capture;

public sealed class ProviderLogTests
{
    [Fact]
    public async Task An_envelope_gives_its_direction_clock_and_the_event_byte_for_byte()
    {
        var lines = await Logs.LinesAsync(
            """{"t": 12.7, "dir": "client", "note": 1, "timestamp": "2026-03-01T10:00:00.250Z", "event": { "type" : "session.update", "event_id":"e1", "x": "\u00e9" }}""");
        var e = lines.ShouldHaveSingleItem().Event.ShouldNotBeNull();
        e.ShouldBe(new(
            "client", "session.update", "e1", 12, new(2026, 3, 1, 10, 0, 0, 250, TimeSpan.Zero),
            """{ "type" : "session.update", "event_id":"e1", "x": "\u00e9" }"""));
    }

    [Theory]
    [InlineData("""{"type":"response.cancel"}""", "client")]
    [InlineData("""{"type":"session.created"}""", "server")]
    [InlineData("""{"type":"something.new"}""", "server")]
    [InlineData("""{"event":{"type":"input_audio_buffer.append"}}""", "client")]
    [InlineData("""{"dir":"inwards","event":{"type":"rate_limits.updated"}}""", "server")]
    [InlineData("""{"type":"input_audio_buffer.dtmf_event_received","event":"9"}""", "server")]
    public async Task A_direction_that_is_not_given_follows_from_the_type(string line, string direction) =>
        (await Logs.LinesAsync(line)).ShouldHaveSingleItem().Event!.Direction.ShouldBe(direction);

    [Fact]
    public async Task Malformed_lines_are_reported_by_number_and_cost_nothing_but_themselves()
    {
        const string good = """{"dir":"server","event":{"type":"error"}}""";
        var deep = $$$"""{"dir":"server","event":{"type":"error","x":{{{new string('[', 5000)}}}{{{new string(']', 5000)}}}}}""";
        string[] lines =
        [
            "\uFEFF" + good, "", "   \r", "{not json", good, "[1,2]", "42", """{"dir":"server"}""", """{"dir":"server","event":7}""",
            """{"dir":"server","event":{"type":3}}""", """{"dir":"client","event":{}}""", good, deep, good + "x",
            """{"dir":"server","event":{"type":"\ud800"}}""", "{\"dir\":\"server\",\"event\":{\"type\":\"a\\u0000\"}}", good,
        ];
        var read = await Logs.LinesAsync(string.Join('\n', lines));
        read.Where(l => l.Event is not null).Select(l => l.Number).ShouldBe([1, 5, 12, 17]);
        read.Where(l => l.Malformed is not null).Select(l => l.Malformed!.Number).ShouldBe([4, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16]);
        read.ShouldAllBe(l => (l.Event == null) != (l.Malformed == null));
        read.Single(l => l.Number == 13).Malformed!.Reason.ShouldContain("deeper");
    }

    [Fact]
    public async Task Bytes_that_are_no_UTF_8_spoil_their_line_only()
    {
        byte[] log = [.. "{\"type\":\"error\",\"x\":\""u8, 0xC3, 0x28, .. "\"}\n{\"type\":\"error\"}\n"u8];
        var lines = await Logs.LinesAsync(new MemoryStream(log));
        lines.Count.ShouldBe(2);
        lines[0].Malformed!.Reason.ShouldBe("the line is not valid UTF-8");
        lines[1].Event.ShouldNotBeNull();
    }

    [Fact]
    public async Task A_long_line_is_read_whole_and_reads_may_come_a_byte_at_a_time()
    {
        var audio = new string('A', 3_000_000);
        var text = "{\"type\":\"error\"}\r\n{\"type\":\"response.output_audio.delta\",\"delta\":\"" + audio + "\"}\n\n{\"type\":\"error\"}";
        var lines = await Logs.LinesAsync(text);
        lines.Select(l => l.Number).ShouldBe([1, 2, 4]);
        lines[1].Event!.Payload.Length.ShouldBeGreaterThan(3_000_000);

        var drip = await Logs.LinesAsync(new Drip("{\"type\":\"a\"}\n\n{\"type\":\"é\"}\r\n{bad"u8.ToArray()));
        drip.Select(l => (l.Number, l.Event?.Type)).ShouldBe([(1, "a"), (3, "é"), (4, null)]);
    }

    [Theory]
    [InlineData("\"timestamp\":\"2026-03-01T10:00:00+02:00\"", "2026-03-01T08:00:00Z")]
    [InlineData("\"ts\":\"2026-03-01 10:00:00.5\"", "2026-03-01T10:00:00.5Z")]
    [InlineData("\"received_at\":1772359200123", "2026-03-01T10:00:00.123Z")]
    [InlineData("\"received_at\":1772359200", "2026-03-01T10:00:00Z")]
    [InlineData("\"timestamp\":\"2:30:35 PM\"", null)]
    [InlineData("\"timestamp\":{},\"ts\":1e300,\"t\":-4", null)]
    public async Task A_time_of_day_is_read_the_same_on_any_day_and_machine(string clock, string? expected)
    {
        var e = (await Logs.LinesAsync("{" + clock + ",\"event\":{\"type\":\"error\"}}")).ShouldHaveSingleItem().Event!;
        e.At.ShouldBe(expected is null ? null : DateTimeOffset.Parse(expected, System.Globalization.CultureInfo.InvariantCulture));
        e.OffsetMs.ShouldBeNull();
    }

    [Fact]
    public async Task Objects_are_kept_as_evidence_and_are_no_events()
    {
        var lines = await Logs.LinesAsync("""{"dir":"object","event":{"object":"realtime.session","id":"sess_1"}}""" + "\n" + """{"dir":"object","event":{}}""");
        lines.Select(l => (l.Event!.Direction, l.Event.Type)).ShouldBe([("object", "realtime.session"), ("object", "")]);
        var counters = Logs.Read(lines.Select(l => l.Event!)).Counters;
        (counters.Objects, counters.Unknown, counters.Anomalous).ShouldBe((2, 0, 0));
    }

    [Fact]
    public async Task Random_bytes_never_throw()
    {
        var random = new Random(7);
        for (var i = 0; i < 300; i++)
        {
            var log = new byte[random.Next(2000)];
            random.NextBytes(log);
            (await Logs.LinesAsync(new MemoryStream(log))).ShouldAllBe(l => l.Malformed != null);
        }
    }

    private sealed class Drip(byte[] bytes) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..1], cancellationToken);
    }
}
