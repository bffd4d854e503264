using System.Text.Json;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging.Abstractions;
using Voxbase.Capture;
using Voxbase.Sideband;
using Voxbase.Tests.Capture;

namespace Voxbase.Tests.Sideband;

public sealed class ContextUpkeepTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static ContextUpkeepOptions Options => new() { MaxInputTokens = 1000, KeepTurns = 2 };

    [Theory]
    [InlineData("gpt-realtime", 28_224)]
    [InlineData("gpt-realtime-2025-08-28", 28_224)]
    [InlineData("gpt-realtime-mini", 28_224)]
    [InlineData("gpt-4o-realtime-preview-2024-12-17", 28_224)]
    [InlineData("gpt-realtime-2", 96_000)]
    [InlineData("gpt-realtime-2.1-mini", 96_000)]
    [InlineData(null, 28_224)]
    public void A_models_limit_is_its_context_less_its_answer(string? model, int limit) =>
        ContextNeed.Limit(model, new ContextUpkeepOptions()).ShouldBe(limit);

    [Theory]
    [InlineData(799, false)]
    [InlineData(800, true)]
    public void A_need_begins_at_the_ratio_of_the_limit(int input, bool isNeed) =>
        (ContextNeed.Of(Logs.Reader(Call(3, input)), Options) is not null).ShouldBe(isNeed);

    [Fact]
    public void A_need_is_about_everything_but_the_last_turns()
    {
        var need = ContextNeed.Of(Logs.Reader(Call(4, 900)), Options)!;
        need.ItemIds.ShouldBe(["q1", "a1", "q2", "a2", "q3", "a3"]);
        need.Transcript.ShouldBe(string.Join(Environment.NewLine, "user: Question 1", "assistant: Answer 1", "user: Question 2", "assistant: Answer 2", "user: Question 3", "assistant: Answer 3", ""));
        need.SummaryId.Length.ShouldBeLessThanOrEqualTo(32);
        ContextNeed.Of(Logs.Reader(Call(4, 900)), Options)!.ShouldBeEquivalentTo(need, "the same record asks the same");
    }

    [Fact]
    public void Nothing_is_needed_where_there_is_nothing_but_the_last_turns_or_no_usage()
    {
        ContextNeed.Of(Logs.Reader(Call(1, 900)), Options).ShouldBeNull();
        ContextNeed.Of(Logs.Reader([]), Options).ShouldBeNull();
        ContextNeed.Of(Logs.Reader([.. Call(4, 300), OutOfBand(900)]), Options).ShouldBeNull("what a response out of band read is not the context");
    }

    [Fact]
    public void A_tool_call_stays_with_the_question_that_it_answers()
    {
        List<LoggedEvent> log =
        [
            .. Call(2, 300), Logs.UserItem("q3", "a2", "Question 3"),
            Logs.Server("{'type':'conversation.item.added','previous_item_id':'q3','item':{'id':'f1','type':'function_call','status':'completed','call_id':'c1','name':'look_up','arguments':'{}'}}"),
            Logs.Server("{'type':'conversation.item.added','previous_item_id':'f1','item':{'id':'o1','type':'function_call_output','call_id':'c1','output':'{}'}}"),
            .. Answer("o1", 3, 900),
        ];
        ContextNeed.Of(Logs.Reader(log), new ContextUpkeepOptions { MaxInputTokens = 1000, KeepTurns = 2 })!.ItemIds.ShouldBe(["q1", "a1", "q2", "a2"]);
    }

    [Fact]
    public async Task A_summary_replaces_once_and_the_next_one_covers_it()
    {
        var provider = new Provider();
        var upkeep = provider.Host(new Chat("All about questions."));
        await provider.PlayAsync(upkeep, Call(4, 900));

        provider.Types.ShouldBe(["conversation.item.create", .. Enumerable.Repeat("conversation.item.delete", 6)]);
        provider.Reader.Session.Summary.ShouldBe("All about questions.");
        provider.Reader.ContextItems().Select(i => i.Id).Skip(1).ShouldBe(["q4", "a4"]);
        provider.Reader.Snapshot().Turns.Count.ShouldBe(8);
        provider.Reader.Snapshot().Turns.Count(t => t.Deleted).ShouldBe(6);

        // Below the ratio nothing more; above it again, the old summary goes into the new one.
        await provider.PlayAsync(upkeep, [.. Turn("a4", 5, 300), .. Turn("a5", 6, 300)]);
        provider.Types.Count.ShouldBe(7);
        await provider.PlayAsync(upkeep, Turn("a6", 7, 900));
        provider.Types.Count.ShouldBe(7 + 1 + 7);
        provider.Chat!.Asked[^1].ShouldStartWith("earlier: All about questions.");
        provider.Reader.ContextItems().Count.ShouldBe(3);
    }

    [Fact]
    public async Task Without_a_chat_client_the_calls_own_model_is_asked_out_of_band()
    {
        var provider = new Provider();
        var upkeep = provider.Host(null);
        await provider.PlayAsync(upkeep, Call(4, 900));
        provider.Types[0].ShouldBe("response.create");
        provider.Reader.Session.Summary.ShouldBe("By the model.");
        provider.Reader.Snapshot().Responses[^1].OutOfBand.ShouldBeTrue();
        provider.Reader.Snapshot().Turns.Count.ShouldBe(8);
    }

    [Theory]
    [InlineData("throws")]
    [InlineData("says nothing")]
    [InlineData("summary refused")]
    [InlineData("response refused")]
    public async Task A_failure_keeps_the_old_context_and_the_next_report_tries_again(string fault)
    {
        var provider = new Provider();
        var chat = fault switch
        {
            "throws" => new Chat(null),
            "says nothing" => new Chat("  "),
            "summary refused" => new Chat("All about questions."),
            _ => null,
        };
        var upkeep = provider.Host(chat);
        provider.Refuses = fault switch { "summary refused" => "conversation.item.create", "response refused" => "response.create", _ => null };
        await provider.PlayAsync(upkeep, Call(4, 900));
        provider.Reader.ContextItems().Count.ShouldBe(8, "nothing is deleted before its summary is there");
        provider.Types.ShouldNotContain("conversation.item.delete");

        provider.Refuses = null;
        chat?.Say("At last.");
        await provider.PlayAsync(upkeep, Turn("a4", 5, 900));
        provider.Reader.Session.Summary.ShouldBe(chat is null ? "By the model." : "At last.");
        provider.Reader.ContextItems().Select(i => i.Id).Skip(1).ShouldBe(["q5", "a5"]);
    }

    [Fact]
    public async Task What_was_recorded_before_a_restart_counts_and_asks_for_nothing()
    {
        var provider = new Provider();
        var upkeep = provider.Host(new Chat("All about questions."));
        upkeep.Restore(Call(4, 900));
        await upkeep.Idle;
        provider.Types.ShouldBeEmpty();
        foreach (var e in Call(4, 900))
            provider.Reader.Read(++provider.Ordinal, e);
        await provider.PlayAsync(upkeep, Turn("a4", 5, 950));
        provider.Reader.ContextItems().Select(i => i.Id).Skip(1).ShouldBe(["q5", "a5"]);
    }

    [Fact]
    public async Task Switched_off_it_does_nothing()
    {
        var provider = new Provider();
        var upkeep = provider.Host(new Chat("All about questions."), new ContextUpkeepOptions { Enabled = false, MaxInputTokens = 1000, KeepTurns = 2 });
        await provider.PlayAsync(upkeep, Call(4, 900));
        provider.Types.ShouldBeEmpty();
    }

    private static List<LoggedEvent> Call(int turns, int lastInput) =>
        [.. Enumerable.Range(1, turns).SelectMany(i => Turn(i == 1 ? null : $"a{i - 1}", i, i == turns ? lastInput : 300))];

    private static List<LoggedEvent> Turn(string? previous, int i, int input) => [Logs.UserItem($"q{i}", previous, $"Question {i}"), .. Answer($"q{i}", i, input)];

    private static List<LoggedEvent> Answer(string previous, int i, int input) =>
    [
        Logs.Server($$$"""{'type':'response.created','response':{'id':'resp_{{{i}}}','conversation_id':'conv','status':'in_progress','output':[]} }"""),
        Logs.Server($$$"""{'type':'conversation.item.added','previous_item_id':'{{{previous}}}','item':{'id':'a{{{i}}}','type':'message','role':'assistant','status':'completed','content':[{'type':'output_text','text':'Answer {{{i}}}'}]} }"""),
        Done($"resp_{i}", "'conv'", input),
    ];

    private static LoggedEvent OutOfBand(int input) => Done("resp_oob", "null", input);

    private static LoggedEvent Done(string id, string conversation, int input) => Logs.Server(
        $$$"""{'type':'response.done','response':{'id':'{{{id}}}','conversation_id':{{{conversation}}},'status':'completed','output':[],'usage':{'input_tokens':{{{input}}},'output_tokens':10,'input_token_details':{'text_tokens':{{{input}}}},'output_token_details':{'text_tokens':10} } } }""");

    /// <summary>The provider's side of one call, answering in its wire format what upkeep sends.</summary>
    private sealed class Provider
    {
        private ContextUpkeep upkeep = null!;

        public OpenAiRealtimeReader Reader { get; } = new();

        public int Ordinal { get; set; }

        public List<string> Types { get; } = [];

        public string? Refuses { get; set; }

        public Chat? Chat { get; private set; }

        public ContextUpkeep Host(Chat? chat, ContextUpkeepOptions? options = null) =>
            upkeep = new ContextUpkeep(Guid.NewGuid(), options ?? Options, SendAsync, Chat = chat, TimeProvider.System, NullLogger.Instance);

        public async Task PlayAsync(ContextUpkeep to, IEnumerable<LoggedEvent> events)
        {
            foreach (var e in events)
                Give(e);
            await to.Idle.WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        }

        private void Give(LoggedEvent e)
        {
            Reader.Read(++Ordinal, e);
            upkeep.Seen(e, Cancel);
        }

        private Task SendAsync(ReadOnlyMemory<byte> frame, CancellationToken cancellationToken)
        {
            var e = JsonElement.Parse(frame.Span);
            var type = e.GetProperty("type").GetString()!;
            Types.Add(type);
            if (type == Refuses)
            {
                Give(Event($$$"""{"type":"error","event_id":"x{{{Types.Count}}}","error":{"type":"invalid_request_error","code":"nope","event_id":"{{{e.GetProperty("event_id").GetString()}}}"} }"""));
                return Task.CompletedTask;
            }

            Give(type switch
            {
                "response.create" => Event($$$"""{"type":"response.done","event_id":"s{{{Types.Count}}}","response":{"id":"resp_s{{{Types.Count}}}","conversation_id":null,"status":"completed","metadata":{{{e.GetProperty("response").GetProperty("metadata")}}},"output":[{"id":"item_s{{{Types.Count}}}","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"By the model."}]}]} }"""),
                "conversation.item.create" => Event($$$"""{"type":"conversation.item.added","event_id":"i{{{Types.Count}}}","previous_item_id":null,"item":{{{e.GetProperty("item")}}} }"""),
                _ => Event($$$"""{"type":"conversation.item.deleted","event_id":"d{{{Types.Count}}}","item_id":"{{{e.GetProperty("item_id").GetString()}}}" }"""),
            });
            return Task.CompletedTask;
        }

        private static LoggedEvent Event(string json)
        {
            var e = JsonElement.Parse(json);
            return new LoggedEvent(EventDirections.Server, e.GetProperty("type").GetString()!, e.GetProperty("event_id").GetString(), null, null, json);
        }
    }

    private sealed class Chat(string? answer) : IChatClient
    {
        private string? answer = answer;

        public List<string> Asked { get; } = [];

        public void Say(string text) => answer = text;

        public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
        {
            Asked.Add(messages.Last().Text);
            return answer is null ? throw new InvalidOperationException() : Task.FromResult(new ChatResponse(new ChatMessage(ChatRole.Assistant, answer)));
        }

        public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
            throw new NotSupportedException();

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
        }
    }
}
