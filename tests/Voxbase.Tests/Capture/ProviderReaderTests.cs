using Voxbase.Capture;

namespace Voxbase.Tests.Capture;

/// <summary>What every reader promises, whatever it reads.</summary>
public sealed class ProviderReaderTests
{
    public static TheoryData<string> Readers => ["realtime", "live", "openai/realtime", "openai/live"];

    [Theory]
    [MemberData(nameof(Readers))]
    public async Task The_same_log_gives_the_same_records(string name)
    {
        var log = await LogAsync(name);
        Logs.Whole(Read(New(name), log)).ShouldBe(Logs.Whole(Read(New(name), log)));
    }

    [Theory]
    [MemberData(nameof(Readers))]
    public async Task What_the_changes_name_adds_up_to_everything(string name)
    {
        var reader = New(name);
        var turns = new Dictionary<string, CapturedTurn>();
        var responses = new Dictionary<string, CapturedResponse>();
        var calls = new Dictionary<string, CapturedFunctionCall>();
        var usage = new Dictionary<string, CapturedUsage>();
        var quantities = new Dictionary<string, CapturedQuantity>();
        var ordinal = 0;
        foreach (var e in await LogAsync(name))
        {
            var changes = reader.Read(++ordinal, e);
            if (changes.Order)
            {
                foreach (var turn in reader.Snapshot().Turns)
                    turns[turn.ItemId] = turn;
                foreach (var call in reader.Snapshot().FunctionCalls)
                    calls[call.CallId] = call;
            }

            foreach (var id in changes.Turns.Where(id => reader.Turn(id) is not null))
                turns[id] = reader.Turn(id)!;
            foreach (var id in changes.Responses)
                responses[id] = reader.ResponseRecord(id)!;
            foreach (var id in changes.FunctionCalls)
                calls[id] = reader.FunctionCall(id)!;
            foreach (var key in changes.Usage)
                usage[key] = reader.UsageEvent(key)!;
            foreach (var key in changes.Quantities)
                quantities[key] = reader.Quantity(key)!;
        }

        var whole = reader.Snapshot();
        turns.Values.OrderBy(t => t.Position).Select(t => t.ToString()).ShouldBe(whole.Turns.Select(t => t.ToString()));
        responses.Values.ShouldBe(whole.Responses, ignoreOrder: true);
        calls.Values.ShouldBe(whole.FunctionCalls, ignoreOrder: true);
        usage.Values.ShouldBe(whole.Usage, ignoreOrder: true);
        quantities.Values.ShouldBe(whole.Quantities, ignoreOrder: true);
    }

    [Theory]
    [MemberData(nameof(Readers))]
    public async Task Objects_and_unknown_events_are_counted_and_change_nothing(string name)
    {
        var log = await LogAsync(name);
        var decorated = new List<LoggedEvent>();
        foreach (var e in log)
        {
            decorated.Add(new(EventDirections.Object, "realtime.session", null, null, null, "{}"));
            decorated.Add(e);
            decorated.Add(new(EventDirections.Server, "session.something.new", null, null, null, "{}"));
        }

        var (plain, other) = (Read(New(name), log), Read(New(name), decorated));
        other.Counters.Objects.ShouldBe(log.Count);
        other.Counters.UnknownByType.ShouldHaveSingleItem().Value.ShouldBe(log.Count);
        other.Turns.Select(t => (t.Position, t.RawText, t.StartedAtOffsetMs)).ShouldBe(plain.Turns.Select(t => (t.Position, t.RawText, t.StartedAtOffsetMs)));
        other.Quantities.Select(q => (q.Key, q.Quantity)).ShouldBe(plain.Quantities.Select(q => (q.Key, q.Quantity)));
    }

    [Theory]
    [MemberData(nameof(Readers))]
    public async Task What_the_one_side_says_in_the_mouth_of_the_other_is_counted_and_believed_by_nobody(string name)
    {
        var log = await LogAsync(name);
        var foreign = log.Where(e => e.Direction == EventDirections.Server).Select(e => e with { Direction = EventDirections.Client }).ToList();
        var read = Read(New(name), foreign);
        read.Turns.ShouldBeEmpty();
        read.Quantities.ShouldBeEmpty();
        read.Counters.Anomalous.ShouldBeGreaterThan(0);
    }

    [Theory]
    [MemberData(nameof(Readers))]
    public async Task An_event_of_another_session_starts_it(string name)
    {
        var log = await LogAsync(name);
        var reader = New(name);
        var ordinal = 0;
        foreach (var e in log)
        {
            OpenAiReader.StartsNewSession(reader.SessionId, e).ShouldBeFalse();
            reader.Read(++ordinal, e);
        }

        log.Any(e => OpenAiReader.StartsNewSession("another", e)).ShouldBeTrue();
    }

    private static IProviderReader New(string name) => name switch
    {
        "realtime" => new OpenAiRealtimeReader(),
        "live" => new OpenAiLiveReader(),
        _ => new OpenAiReader(),
    };

    private static async Task<IReadOnlyList<LoggedEvent>> LogAsync(string name) =>
        name.EndsWith("live", StringComparison.Ordinal) ? LiveLogs.Call() : await Logs.EventsAsync(Logs.Demo());

    private static CapturedConversation Read(IProviderReader reader, IEnumerable<LoggedEvent> log)
    {
        var ordinal = 0;
        foreach (var e in log)
            reader.Read(++ordinal, e);
        return reader.Snapshot();
    }
}
