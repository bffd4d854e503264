using System.Text;
using System.Text.Json.Nodes;
using Voxbase.Capture;

namespace Voxbase.Tests.Capture;

public sealed class HostileLogTests
{
    private static readonly string[] Strange =
    [
        "null", "true", "-1", "1e308", "1e400", "9223372036854775808", "3.7", "\"\"", "\"x\"", "\"\\ud800\"", "\"\\u0000\"", "[]", "{}",
        "[[1]]", "[null,{\"type\":1}]", "{\"id\":{}}", "\"item_1\"", "\"root\"", "2147483647", "\"completed\"", "\"none\"",
    ];

    [Fact]
    public async Task Fifty_thousand_mutated_events_are_read_without_a_complaint()
    {
        var seeds = await Logs.EventsAsync(Logs.Demo());
        seeds.AddRange(await SamplesAsync());
        var random = new Random(20260301);
        var reader = new OpenAiRealtimeReader();
        var log = new List<LoggedEvent>();
        for (var i = 0; i < 50_000; i++)
        {
            var e = Mutated(seeds[random.Next(seeds.Count)], random);
            log.Add(e);
            reader.Read(i, e);
            OpenAiReader.StartsNewSession("sess", e);
            EventKeys.KeyOf(e);
            if (i % 5000 == 0)
            {
                Consistent(reader.Snapshot());
            }
        }

        var read = reader.Snapshot();
        Consistent(read);
        read.Counters.Events.ShouldBe(50_000);
        read.Counters.Anomalous.ShouldBeGreaterThan(1000);
        Logs.Whole(read).ShouldBe(Logs.Whole(Logs.Read(log)));
    }

    [Fact]
    public async Task Lines_with_bytes_flipped_are_read_or_reported()
    {
        var demo = await File.ReadAllBytesAsync(Logs.Demo(), TestContext.Current.CancellationToken);
        var lineCount = demo.Count(b => b == '\n');
        var random = new Random(5);
        for (var run = 0; run < 40; run++)
        {
            var log = demo.ToArray();
            for (var flips = 0; flips < 50; flips++)
            {
                var at = random.Next(log.Length);
                log[at] = log[at] == '\n' ? log[at] : (byte)random.Next(32, 256);
            }

            var lines = await Logs.LinesAsync(new MemoryStream(log));
            lines.Count.ShouldBe(lineCount);
            lines.Count(l => l.Malformed is not null).ShouldBeLessThanOrEqualTo(50);
            Consistent(Logs.Read(lines.Where(l => l.Event is not null).Select(l => l.Event!)));
        }
    }

    [Fact]
    public async Task Fields_nobody_knows_change_nothing()
    {
        var events = await Logs.EventsAsync(Logs.Demo());
        var random = new Random(9);
        var decorated = events.ConvertAll(e =>
        {
            var members = JsonNode.Parse(e.Payload)!.AsObject().Select(m => (m.Key, Value: m.Value?.DeepClone())).Append(("x_new", new JsonArray(1, "a"))).ToArray();
            random.Shuffle(members);
            return e with { Payload = new JsonObject(members.Select(m => KeyValuePair.Create(m.Item1, m.Item2))).ToJsonString() };
        });
        Logs.Whole(Logs.Read(decorated)).ShouldBe(Logs.Whole(Logs.Read(events)));
    }

    [Fact]
    public void A_conversation_of_a_hundred_thousand_items_is_read()
    {
        const int items = 100_000;

        // Backwards, so that every item arrives before the one it follows.
        var read = Logs.Read(Enumerable.Range(0, items).Select(i => items - 1 - i).Select(i => Logs.UserItem($"i{i}", i == 0 ? null : $"i{i - 1}", $"{i}")));
        read.Turns.Count.ShouldBe(items);
        read.Turns[0].RawText.ShouldBe("0");
        read.Turns[^1].RawText.ShouldBe($"{items - 1}");
        read.Turns[^1].Position.ShouldBe(items);
    }

    [Fact]
    public void A_turn_of_a_hundred_thousand_deltas_is_read()
    {
        var read = Logs.Read(Enumerable.Repeat(Logs.Server("{'type':'response.output_audio_transcript.delta','response_id':'r','item_id':'a','delta':'ab'}"), 100_000));
        read.Turns.ShouldHaveSingleItem().RawText!.Length.ShouldBe(200_000);
    }

    private static async Task<List<LoggedEvent>> SamplesAsync()
    {
        // More to mutate where the samples are; the demo alone does otherwise.
        var events = new List<LoggedEvent>();
        foreach (var sample in new[] { "openai/official-ga-examples.jsonl", "openai/official-beta-examples.jsonl", "openai/function-round-trip.ga.jsonl" })
        {
            if (Logs.SampleOrNull(sample) is { } file)
            {
                events.AddRange(await Logs.EventsAsync(file));
            }
        }

        return events;
    }

    private static LoggedEvent Mutated(LoggedEvent e, Random random)
    {
        var payload = e.Payload;
        for (var changes = random.Next(1, 4); changes > 0; changes--)
        {
            payload = random.Next(12) == 0 ? payload[..random.Next(payload.Length)] : Replaced(payload, random);
        }

        return e with
        {
            Payload = payload,
            OffsetMs = random.Next(4) == 0 ? random.Next() : e.OffsetMs,
            At = random.Next(8) == 0 ? DateTimeOffset.UnixEpoch.AddSeconds(random.Next()) : e.At,
            Type = random.Next(50) == 0 ? "response.done" : e.Type,
            Direction = random.Next(50) == 0 ? "client" : e.Direction,
        };
    }

    // Puts something else in the place of one value, by its text: the result is nearly always JSON, and never what was meant.
    private static string Replaced(string json, Random random)
    {
        var colons = new List<int>();
        for (var i = json.IndexOf(':'); i >= 0; i = json.IndexOf(':', i + 1))
        {
            colons.Add(i);
        }

        if (colons.Count == 0)
        {
            return json;
        }

        var start = colons[random.Next(colons.Count)] + 1;
        var (depth, inString, end) = (0, false, start);
        for (; end < json.Length; end++)
        {
            var c = json[end];
            if (c == '"' && json[end - 1] != '\\')
            {
                inString = !inString;
            }
            else if (!inString && c is '{' or '[')
            {
                depth++;
            }
            else if (!inString && c is '}' or ']' && --depth < 0)
            {
                break;
            }
            else if (!inString && c == ',' && depth == 0)
            {
                break;
            }
        }

        return new StringBuilder(json.Length).Append(json, 0, start).Append(Strange[random.Next(Strange.Length)]).Append(json, end, json.Length - end).ToString();
    }

    private static void Consistent(CapturedConversation read)
    {
        read.Turns.Select(t => t.Position).ShouldBe(Enumerable.Range(1, read.Turns.Count));
        read.Turns.Select(t => t.ItemId).Distinct().Count().ShouldBe(read.Turns.Count);
        read.Quantities.ShouldAllBe(q => q.Quantity > 0);
        read.Quantities.Select(q => q.Key).Distinct().Count().ShouldBe(read.Quantities.Count);
        read.Usage.Select(u => u.Key).Distinct().Count().ShouldBe(read.Usage.Count);
        read.Turns.ShouldAllBe(t => (t.RawText == null || !t.RawText.Contains('\0')) && (t.HeardText == null || t.RawText!.StartsWith(t.HeardText)));
        read.Turns.ShouldAllBe(t => !(t.EndToEndMs < 0) && !(t.AsrMs < 0) && !(t.FirstAudioMs < 0) && !(t.AudioDurationMs < 0));
    }
}
