using System.Text.Json;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests;

/// <summary>32 writers at once: on one conversation, on 32, with copies, with faults, beside direct SQL.</summary>
public sealed class AppendConcurrencyTests(TestCluster cluster)
{
    private const int Writers = 32;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(32)]
    public async Task Every_turn_gets_a_number_of_its_own_without_a_gap_and_the_totals_are_exact(int conversations)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owners, ids) = await StartAsync(db, conversations);
        var answers = await Task.WhenAll(Enumerable.Range(0, Writers).Select(async n =>
        {
            var at = n % conversations;
            var caller = n % 3 == 0 ? Caller.Service : owners[at];
            var answers = new List<(Guid Conversation, AppendedTurn Turn)>();
            for (var i = 0; i < 12; i++)
            {
                var turns = Turns(1 + ((n + i) % 4));
                answers.AddRange((await db.Conversations.AppendAsync(caller, ids[at], turns, Cancel)).Select(turn => (ids[at], turn)));
            }

            return answers;
        }));

        var all = answers.SelectMany(a => a).ToList();
        all.ShouldAllBe(a => a.Turn.Added);
        await CheckAsync(db, all);
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.turns")).ShouldBe((long)all.Count);
        foreach (var id in ids)
            (await db.Conversations.FindAsync(Caller.Service, id, Cancel)).InputTokens.ShouldBe(10L * all.Count(a => a.Conversation == id));
    }

    [Fact]
    public async Task The_same_turns_from_many_writers_at_once_are_added_once_and_everyone_is_told_the_same_number()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owners, ids) = await StartAsync(db, 1);
        var (owner, id) = (owners[0], ids[0]);
        var turns = Turns(40);
        var answers = await Task.WhenAll(Enumerable.Range(0, Writers).Select(async n =>
        {
            var random = new Random(n);
            var mine = new List<AppendedTurn>();
            // Each writer sends all of them, in its own order and portions, some twice within a portion and some again later.
            var order = turns.Concat(turns.Take(10)).OrderBy(_ => random.Next()).ToList();
            foreach (var portion in order.Chunk(random.Next(1, 9)))
                mine.AddRange(await db.Conversations.AppendAsync(n % 2 == 0 ? owner : Caller.Service, id, [.. portion, portion[0]], Cancel));
            return mine;
        }));

        var all = answers.SelectMany(a => a).ToList();
        foreach (var turn in turns)
        {
            var told = all.Where(a => a.Id == turn.Id).ToList();
            told.Select(a => a.SequenceNumber).Distinct().Count().ShouldBe(1);
            told.Count(a => a.Added).ShouldBe(1, "one of them added it");
        }

        await CheckAsync(db, [.. all.Select(a => (id, a))]);
        (await db.Conversations.FindAsync(owner, id, Cancel)).TurnCount.ShouldBe(turns.Count);
    }

    // Each of these fails in its own way and place: before sending, while sending, at the policy, at a type, at a check.
    public static TheoryData<string, string> Faults => new()
    {
        { "foreign", "conversation_not_found" },
        { "absent", "conversation_not_found" },
        { "negative", "input_invalid" },
        { "nul", "value_invalid" },
        { "surrogate", "value_invalid" },
        { "surrogate in json", "value_invalid" },
        { "nul in json", "value_invalid" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_fault_fails_its_own_caller_and_nobody_else(string fault, string code)
    {
        await using var db = await cluster.CreateDatabaseAsync(options => options.Conversations.AppendLanes = 1);
        var (owners, ids) = await StartAsync(db, 4);
        var outcomes = await Task.WhenAll(Enumerable.Range(0, Writers).SelectMany(n => Enumerable.Range(0, 6).Select(async i =>
        {
            var (at, bad) = (n % 4, (n + i) % 5 == 0);
            var caller = n % 8 < 4 ? owners[at] : Caller.Service;
            var (target, turn) = bad ? Faulty(fault, ref caller, ids[at], owners[at]) : (ids[at], Turns(1)[0]);
            // What is good beside the fault in the same call goes with it.
            var turns = bad ? (NewTurn[])[Turns(1)[0], turn] : [turn];
            try
            {
                return (Bad: bad, Code: "", Answers: (await db.Conversations.AppendAsync(caller, target, turns, Cancel)).Select(a => (target, a)).ToList());
            }
            catch (VoxbaseException e)
            {
                return (bad, e.Code, []);
            }
        })));

        outcomes.Where(o => !o.Bad).Select(o => o.Code).Distinct().ShouldBe([""]);
        outcomes.Where(o => o.Bad).Select(o => o.Code).Distinct().ShouldBe([code]);
        var added = outcomes.SelectMany(o => o.Answers).ToList();
        await CheckAsync(db, added);
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.turns")).ShouldBe((long)added.Count);

        (Guid, NewTurn) Faulty(string kind, ref Caller caller, Guid conversation, Caller owner)
        {
            var turn = Turns(1)[0];
            switch (kind)
            {
                case "foreign":
                    caller = owner;
                    return (ids[(Array.IndexOf(ids, conversation) + 1) % ids.Length], turn);
                case "absent":
                    return (Guid.CreateVersion7(), turn);
                case "negative":
                    return (conversation, turn with { InputTokens = -1 });
                case "nul":
                    return (conversation, turn with { RawText = "a\0b" });
                case "surrogate":
                    return (conversation, turn with { RawText = "a\ud800b" });
                case "surrogate in json":
                    return (conversation, turn with { Metadata = JsonElement.Parse("""{"a":"\ud800"}""") });
                default:
                    return (conversation, turn with { Metadata = JsonElement.Parse("""{"a":"\u0000"}""") });
            }
        }
    }

    [Fact]
    public async Task Totals_equal_a_recount_after_any_mix_of_writes_through_the_library_and_beside_it()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        foreach (var seed in (int[])[1, 2, 3])
        {
            var (owners, ids) = await StartAsync(db, 3);
            await Task.WhenAll(Enumerable.Range(0, 12).Select(n => MixAsync(db, owners, ids, new Random((seed * 1000) + n))));
            (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty($"seed {seed}");
        }
    }

    [Fact]
    public async Task Appends_of_several_processes_keep_the_numbers_gapless()
    {
        await using var first = await cluster.CreateDatabaseAsync();
        await using var second = new TestDatabase(first.ConnectionString);
        await using var third = new TestDatabase(first.ConnectionString);
        var (owners, ids) = await StartAsync(first, 2);
        var answers = await Task.WhenAll(((TestDatabase[])[first, second, third]).SelectMany((db, p) => Enumerable.Range(0, 10).Select(async n =>
        {
            var answers = new List<(Guid, AppendedTurn)>();
            for (var i = 0; i < 10; i++)
            {
                var at = (n + i) % 2;
                var caller = (n + p) % 2 == 0 ? owners[at] : Caller.Service;
                answers.Add((ids[at], await db.Conversations.AppendAsync(caller, ids[at], Turns(1)[0], Cancel)));
            }

            return answers;
        })));
        await CheckAsync(first, [.. answers.SelectMany(a => a)]);
        (await first.ScalarAsync(Caller.Service, "select count(*) from vox.turns")).ShouldBe(300L);
    }

    private static async Task MixAsync(TestDatabase db, Caller[] owners, Guid[] ids, Random random)
    {
        for (var step = 0; step < 15; step++)
        {
            var at = random.Next(ids.Length);
            var caller = random.Next(2) == 0 ? owners[at] : Caller.Service;
            var id = Parameter.Uuid(ids[at]);
            switch (random.Next(8))
            {
                case 0 or 1 or 2:
                    await db.Conversations.AppendAsync(caller, ids[at], Turns(random.Next(1, 6), random), Cancel);
                    break;
                case 3:
                    await db.ExecuteAsync(
                        caller,
                        $"""
                        insert into vox.turns (conversation_id, role, input_tokens, output_tokens, confidence, interrupted, end_to_end_ms)
                        select $1, 'assistant', n, 2 * n, case n % 3 when 0 then 'HIGH' when 1 then 'LOW' end::vox.confidence, n % 2 = 0, nullif(n % 4, 0)
                        from generate_series(1, {random.Next(1, 5)}) n
                        """, id);
                    break;
                case 4:
                    await db.ExecuteAsync(
                        caller,
                        $"""
                        update vox.turns
                        set input_tokens = {Number(random)}, cached_tokens = {Number(random)}, confidence = nullif('{(random.Next(2) == 0 ? "MEDIUM" : "")}', '')::vox.confidence,
                          interrupted = not interrupted, end_to_end_ms = {Number(random)}, processing_ms = {Number(random)}
                        where conversation_id = $1 and sequence_number % {random.Next(1, 5)} = 0
                        """, id);
                    break;
                case 5:
                    await db.ExecuteAsync(
                        caller,
                        $"""
                        insert into vox.usage_events (conversation_id, event_type, turn_id, input_tokens, output_tokens, cached_tokens)
                        select $1, case when n = 1 then 'error' else 'response' end, case when n = 2 then vox.uuid_v7() end, n, {Number(random)}, 1
                        from generate_series(1, 3) n
                        """, id);
                    break;
                case 6:
                    await db.Conversations.BeginFunctionCallAsync(caller, ids[at], new NewFunctionCall { CallId = $"call_{random.Next(5)}", Name = "f" }, Cancel);
                    break;
                default:
                    var charge = new NewCharge
                    {
                        Id = Guid.CreateVersion7(),
                        ConversationId = ids[at],
                        Stage = "llm",
                        Meter = Meters.InputText,
                        Provider = "openai",
                        Model = random.Next(3) == 0 ? "unheard-of" : "gpt-realtime",
                        Quantity = random.Next(1000),
                        ChargedAt = DateTimeOffset.UtcNow,
                    };
                    await db.Charges.RecordAsServiceAsync([charge, charge with { Id = Guid.CreateVersion7() }], Cancel);
                    await db.Charges.RecordAsServiceAsync([charge], Cancel);
                    break;
            }
        }

        static string Number(Random random) => random.Next(4) == 0 ? "null" : random.Next(500).ToString();
    }

    private static async Task CheckAsync(TestDatabase db, IReadOnlyCollection<(Guid Conversation, AppendedTurn Turn)> answers)
    {
        (await Recount.FaultsAsync(db, Cancel)).ShouldBeEmpty();
        var rows = await db.Database.RunAsync(
            Caller.Service,
            [new Statement("select conversation_id, id, sequence_number from vox.turns")],
            static async (results, ct) =>
            {
                var rows = new Dictionary<(Guid, Guid), int>();
                while (await results.ReadAsync(ct))
                    rows.Add((results.GetGuid(0), results.GetGuid(1)), results.GetInt32(2));
                return rows;
            },
            Cancel);
        answers.Where(a => rows.GetValueOrDefault((a.Conversation, a.Turn.Id)) != a.Turn.SequenceNumber).ShouldBeEmpty("told another number than kept");
    }

    private static async Task<(Caller[] Owners, Guid[] Ids)> StartAsync(TestDatabase db, int count)
    {
        var owners = new Caller[count];
        var ids = new Guid[count];
        for (var i = 0; i < count; i++)
        {
            owners[i] = await db.NewUserAsync();
            ids[i] = (await db.Conversations.StartAsync(owners[i], new NewConversation(), Cancel)).Id;
        }

        return (owners, ids);
    }

    private static List<NewTurn> Turns(int count, Random? random = null) =>
    [
        .. Enumerable.Range(0, count).Select(_ => new NewTurn
        {
            Id = Guid.CreateVersion7(), Role = TurnRole.User, RawText = "said", InputTokens = 10, OutputTokens = random?.Next(50),
            Interrupted = random?.Next(3) == 0, EndToEndMs = random?.Next(2) == 0 ? random.Next(900) : null,
            Confidence = random is null ? null : (Confidence)random.Next(3), ProcessingMs = random?.Next(20),
        }),
    ];
}
