using Voxbase.Capture;

namespace Voxbase.Tests.Capture;

public sealed class EventKeysTests
{
    [Fact]
    public void An_event_with_an_id_has_the_same_key_wherever_it_stands()
    {
        var e = Logs.Server("{'type':'error','event_id':'e1'}", t: 5);
        var keys = new EventKeys();
        keys.Next(Logs.Server("{'type':'error','event_id':'e0'}"));
        keys.Next(e).ShouldBe(EventKeys.KeyOf(e)!.Value);
        new EventKeys().Next(e with { OffsetMs = 900, Payload = """{ "type": "error",  "event_id" : "e1" }""" }).ShouldBe(EventKeys.KeyOf(e)!.Value);
    }

    [Fact]
    public void Events_that_share_an_id_but_differ_are_different_events()
    {
        LoggedEvent[] events =
        [
            Logs.Server("{'type':'output_audio_buffer.started','event_id':'e'}"),
            Logs.Server("{'type':'output_audio_buffer.stopped','event_id':'e'}"),
            Logs.Server("{'type':'output_audio_buffer.stopped','event_id':'e','response_id':'r'}"),
            Logs.Client("{'type':'output_audio_buffer.stopped','event_id':'e'}"),
            Logs.Server("{'type':'error','event_id':'e','x':'a b'}"),
            Logs.Server("{'type':'error','event_id':'e','x':'ab'}"),
        ];
        events.Select(EventKeys.KeyOf).Distinct().Count().ShouldBe(events.Length);
    }

    [Fact]
    public void The_same_thing_said_twice_without_ids_is_two_events_and_stays_two_when_replayed()
    {
        var say = Logs.Client("{'type':'response.create'}");
        LoggedEvent[] log = [say, say, Logs.Server("{'type':'error','event_id':'e1'}"), say];
        var store = new Store();
        store.Feed(log).ShouldBe(4);
        store.Feed(log).ShouldBe(0);
    }

    // Keys are stored: should one change, every log in a database would be stored a second time.
    [Fact]
    public void Keys_do_not_change_from_release_to_release()
    {
        var keys = new EventKeys();
        keys.Next(Logs.Client("{'type':'response.create'}", t: 3)).ShouldBe(Guid.Parse("a8b0976d-156a-8412-5f4e-bff270bdb1aa"));
        keys.Next(Logs.Server("{'type':'error','event_id':'e1'}")).ShouldBe(Guid.Parse("95658ce6-ecf2-0926-9d09-462b835a452f"));
        keys.Next(Logs.Client("{'type':'response.create'}")).ShouldBe(Guid.Parse("388ab511-78b6-5486-f992-5d53a84731e8"));
    }

    [Fact]
    public void A_log_in_any_consecutive_pieces_each_replayed_gives_the_events_of_the_whole()
    {
        var random = new Random(42);
        for (var run = 0; run < 3000; run++)
        {
            var log = RandomLog(random, withClock: false);
            var whole = new Store();
            whole.Feed(log);

            var pieces = new Store();
            foreach (var piece in Pieces(log, random, eachWithAnchor: true))
            {
                for (var times = random.Next(1, 4); times > 0; times--)
                {
                    pieces.Feed(piece);
                }
            }

            pieces.Keys.ShouldBe(whole.Keys);
            pieces.Feed(log);
            pieces.Keys.ShouldBe(whole.Keys);
        }
    }

    [Fact]
    public void A_clock_makes_even_pieces_without_any_id_unmistakable()
    {
        var random = new Random(43);
        for (var run = 0; run < 2000; run++)
        {
            var log = RandomLog(random, withClock: true);
            var whole = new Store();
            whole.Feed(log);

            var pieces = new Store();
            foreach (var piece in Pieces(log, random, eachWithAnchor: false))
            {
                pieces.Feed(piece);
                if (random.Next(2) == 0)
                {
                    pieces.Feed(piece);
                }
            }

            pieces.Keys.ShouldBe(whole.Keys);
        }
    }

    [Fact]
    public void A_log_that_broke_off_anywhere_and_comes_again_from_the_start_gives_the_events_of_the_whole()
    {
        var random = new Random(44);
        for (var run = 0; run < 2000; run++)
        {
            var log = RandomLog(random, withClock: false);
            var whole = new Store();
            whole.Feed(log);
            var broken = new Store();
            broken.Feed(log[..random.Next(log.Length + 1)]);
            broken.Feed(log);
            broken.Keys.ShouldBe(whole.Keys);
        }
    }

    [Fact]
    public async Task The_demo_split_anywhere_is_the_demo()
    {
        var log = (await Logs.EventsAsync(Logs.Demo())).ToArray();
        var whole = new Store();
        whole.Feed(log).ShouldBe(log.Length);
        for (var split = 0; split <= log.Length; split++)
        {
            var store = new Store();
            store.Feed(log[..split]);
            store.Feed(log[..split]);
            store.Feed(log[split..]);
            store.Feed(log[split..]);
            store.Keys.ShouldBe(whole.Keys);
            Logs.Whole(Logs.Read(store.Events)).ShouldBe(Logs.Whole(Logs.Read(log)));
        }
    }

    [Theory]
    [InlineData("openai/official-ga-examples.jsonl")]
    [InlineData("openai/official-beta-examples.jsonl")]
    [InlineData("openai/realtime-2025-05-interrupted.jsonl")]
    [InlineData("openai/function-round-trip.ga.jsonl")]
    [InlineData("openai/live-delegation.jsonl")]
    public async Task No_event_of_a_sample_is_taken_for_another(string sample)
    {
        var log = (await Logs.EventsAsync(Logs.Sample(sample))).ToArray();
        var store = new Store();
        store.Feed(log).ShouldBe(log.Length);
        store.Feed(log).ShouldBe(0);
    }

    private static LoggedEvent[] RandomLog(Random random, bool withClock)
    {
        var log = new LoggedEvent[random.Next(1, 14)];
        for (var i = 0; i < log.Length; i++)
        {
            var t = withClock ? i * 10 : (int?)null;
            log[i] = random.Next(5) switch
            {
                0 or 1 => Logs.Server($"{{'type':'error','event_id':'e{i}'}}", t),
                2 => Logs.Client($"{{'type':'response.cancel','event_id':'c{i}'}}", t),
                _ => Logs.Client($"{{'type':'response.create','n':{random.Next(2)}}}", t),
            };
        }

        return log;
    }

    private static IEnumerable<LoggedEvent[]> Pieces(LoggedEvent[] log, Random random, bool eachWithAnchor)
    {
        var start = 0;
        for (var i = 1; i <= log.Length; i++)
        {
            var isLast = i == log.Length;
            var rest = log[i..];
            if (isLast || (random.Next(3) == 0
                && (!eachWithAnchor || (log[start..i].Any(EventKeys.IsAnchor) && rest.Any(EventKeys.IsAnchor)))))
            {
                yield return log[start..i];
                start = i;
            }
        }
    }

    /// <summary>What a database does with the keys, in a list.</summary>
    private sealed class Store
    {
        private readonly List<(Guid Key, LoggedEvent Event)> _rows = [];
        private readonly HashSet<Guid> _keys = [];

        public IEnumerable<Guid> Keys => _rows.Select(r => r.Key);

        public IEnumerable<LoggedEvent> Events => _rows.Select(r => r.Event);

        public int Feed(LoggedEvent[] piece)
        {
            var anchor = Array.FindIndex(piece, EventKeys.IsAnchor);
            var leadIn = anchor < 0 ? piece : piece[..anchor];
            var stored = anchor < 0 ? -1 : _rows.FindIndex(r => r.Key == EventKeys.KeyOf(piece[anchor]));
            var keys = EventKeys.Resume(leadIn, anchor >= 0, stored < 0 ? null : Tail(stored), _rows.Count == 0 ? null : Tail(_rows.Count));
            var added = 0;
            foreach (var e in piece)
            {
                var key = keys.Next(e);
                if (_keys.Add(key))
                {
                    _rows.Add((key, e));
                    added++;
                }
            }

            return added;
        }

        private StoredTail Tail(int end)
        {
            var start = _rows[..end].FindLastIndex(r => EventKeys.IsAnchor(r.Event));
            var since = _rows[(start + 1)..end].Where(r => r.Event.EventId is null).Select(r => r.Key).ToHashSet();
            return new(start < 0 ? EventKeys.Start : _rows[start].Key, since);
        }
    }
}
