using Microsoft.Extensions.DependencyInjection;
using Voxbase.Capture;
using Voxbase.Sideband;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests;

public sealed class SidebandTests(TestCluster cluster)
{
    private const string Created = """{"type":"session.created","event_id":"e1","session":{"id":"sess_1","type":"realtime","model":"gpt-realtime"}}""";
    private const string Asked = """{"type":"conversation.item.added","event_id":"e2","previous_item_id":null,"item":{"id":"item_1","type":"message","role":"user","status":"completed","content":[{"type":"input_text","text":"Anything on Thursday?"}]}}""";
    private const string Called = """{"type":"response.done","event_id":"e3","response":{"id":"resp_1","conversation_id":"conv_1","status":"completed","output":[{"id":"item_2","type":"function_call","status":"completed","call_id":"call_1","name":"find_slots","arguments":"{\"day\":\"thursday\"}"}],"usage":{"total_tokens":110,"input_tokens":100,"output_tokens":10,"input_token_details":{"text_tokens":100,"audio_tokens":0,"cached_tokens":0},"output_token_details":{"text_tokens":10,"audio_tokens":0}}}}""";
    private const string Answered = """{"type":"conversation.item.added","event_id":"e4","previous_item_id":"item_1","item":{"id":"item_3","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"At two fifteen."}]}}""";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_attached_to_is_recorded_to_its_end()
    {
        await using var bed = await Bed.StartAsync(cluster);
        var user = await bed.Api.Database.NewUserAsync();
        using var client = bed.Api.As(user);
        bed.Call.Greeting.Add(Created);

        var attached = (await client.PostAsync("/v1/realtime/calls/rtc_1/attach")).ShouldBe(200);
        attached["status"].GetString().ShouldBe("active");
        attached["session_id"].GetString().ShouldBe("rtc_1");
        attached["user_id"].GetGuid().ShouldBe(user.UserId!.Value);
        (await client.PostAsync("/v1/realtime/calls/rtc_1/attach", "{}")).ShouldBe(200).Id.ShouldBe(attached.Id, "attaching again is harmless");
        bed.Running.Find(attached.Id).ShouldNotBeNull();
        await bed.Call.SendAsync(Asked, Called, Answered);
        await bed.OpenAi.EndAsync("rtc_1");

        var record = await bed.EndedAsync(attached.Id);
        (record.Conversation.Status, record.Conversation.EndReason, record.Conversation.LlmModel).ShouldBe((ConversationStatus.Completed, EndReasons.UpstreamClosed, "gpt-realtime"));
        record.Turns.Select(t => t.RawText).ShouldBe(["Anything on Thursday?", "At two fifteen."]);
        record.Conversation.CostUsd.ShouldBe(0.00056m, "100 × 4 + 10 × 16 per million");
        bed.Running.Find(attached.Id).ShouldBeNull();
        (await bed.Api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe(4L);
    }

    [Fact]
    public async Task A_call_joins_the_conversation_that_its_token_was_made_for()
    {
        await using var bed = await Bed.StartAsync(cluster);
        using var client = bed.Api.As(await bed.Api.Database.NewUserAsync());
        var conversation = await client.StartAsync("""{"kind":"realtime","session_id":"sess_1"}""");
        (await client.PostAsync("/v1/realtime/calls/rtc_1/attach", $$"""{"conversation_id":"{{conversation}}"}""")).ShouldBe(200).Id.ShouldBe(conversation);
        await bed.OpenAi.EndAsync("rtc_1");
        await bed.EndedAsync(conversation);
        bed.OpenAi.Call("rtc_1");
        (await client.PostAsync("/v1/realtime/calls/rtc_1/attach", $$"""{"conversation_id":"{{conversation}}"}""")).ShouldFail(409, "conversation_over");
    }

    [Fact]
    public async Task Tools_of_this_process_are_answered_and_those_of_others_left_alone()
    {
        await using var bed = await Bed.StartAsync(cluster);
        var tools = bed.Api.Services.GetRequiredService<ToolAnswers>();
        tools.Answer("find_slots", (call, _) => Task.FromResult($$"""{"of":{{call.Arguments}}}"""));
        tools.Answer("broken", (_, _) => throw new InvalidOperationException("words of a secret"));
        var attached = await bed.Sidebands.AttachAsync(Caller.Service, "rtc_1", cancellationToken: Cancel);

        await bed.Call.SendAsync(Created, Asked, Called, Called);
        var output = (await bed.Call.ReceiveAsync("conversation.item.create")).GetProperty("item");
        (output.GetProperty("call_id").GetString(), output.GetProperty("output").GetString()).ShouldBe(("call_1", """{"of":{"day":"thursday"}}"""));
        await bed.Call.ReceiveAsync("response.create");
        await bed.Call.SendAsync(
            Called.Replace("e3", "e5").Replace("resp_1", "resp_2").Replace("call_1", "call_2").Replace("item_2", "item_5").Replace("find_slots", "of_the_browser"),
            Called.Replace("e3", "e6").Replace("resp_1", "resp_3").Replace("call_1", "call_3").Replace("item_2", "item_6").Replace("find_slots", "broken"));
        var failed = (await bed.Call.ReceiveAsync("conversation.item.create")).GetProperty("item");
        (failed.GetProperty("call_id").GetString(), failed.GetProperty("output").GetString()).ShouldBe(("call_3", """{"error":"the tool failed"}"""));
        await bed.Call.ReceiveAsync("response.create");
        await bed.OpenAi.EndAsync("rtc_1");

        var record = await bed.EndedAsync(attached.Id);
        record.FunctionCalls.Select(c => (c.CallId, c.Status)).ShouldBe([("call_1", "completed"), ("call_2", "in_progress"), ("call_3", "completed")], ignoreOrder: true);
        bed.Api.Logs.From(Microsoft.Extensions.Logging.LogLevel.Trace).ShouldAllBe(line => !line.Contains("words of a secret", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_sideband_that_is_cut_off_attaches_again_and_what_is_repeated_counts_once()
    {
        await using var bed = await Bed.StartAsync(cluster);
        var attached = await bed.Sidebands.AttachAsync(Caller.Service, "rtc_1", cancellationToken: Cancel);
        await bed.Call.AttachedAsync();
        await bed.Call.SendAsync(Created, Asked);
        bed.Call.Greeting.AddRange([Created, Asked, Called]);
        bed.Call.Cut();
        await bed.Call.AttachedAsync();
        bed.Call.Cut();
        await bed.Call.AttachedAsync();
        await bed.Call.SendAsync(Answered);
        await bed.OpenAi.EndAsync("rtc_1");

        var record = await bed.EndedAsync(attached.Id);
        (record.Conversation.Status, record.Conversation.EndReason).ShouldBe((ConversationStatus.Completed, EndReasons.UpstreamClosed));
        record.Turns.Select(t => t.RawText).ShouldBe(["Anything on Thursday?", "At two fifteen."]);
        record.Conversation.CostUsd.ShouldBe(0.00056m);
        (await bed.Api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe(4L);
    }

    [Fact]
    public async Task A_sideband_that_cannot_attach_again_ends_the_conversation_as_failed()
    {
        await using var bed = await Bed.StartAsync(cluster, options => options.OpenAi.ReattachFor = TimeSpan.FromSeconds(1));
        var attached = await bed.Sidebands.AttachAsync(Caller.Service, "rtc_1", cancellationToken: Cancel);
        await bed.Call.AttachedAsync();
        await bed.Call.SendAsync(Created, Asked);
        await Eventually.AsTrueAsync(async () => (long)(await bed.Api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events"))! == 2);
        bed.OpenAi.IsDown = true;
        bed.Call.Cut();

        var record = await bed.EndedAsync(attached.Id);
        (record.Conversation.Status, record.Conversation.EndReason).ShouldBe((ConversationStatus.Failed, EndReasons.UpstreamLost));
        record.Turns.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_call_outlives_the_server_and_the_next_one_goes_on_with_it()
    {
        await using var bed = await Bed.StartAsync(cluster);
        var attached = await bed.Sidebands.AttachAsync(Caller.Service, "rtc_1", cancellationToken: Cancel);
        await bed.Call.AttachedAsync();
        await bed.Call.SendAsync(Created, Asked);
        await bed.RestartAsync();
        (await bed.Api.Services.GetRequiredService<Conversations>().FindAsync(Caller.Service, attached.Id, Cancel)).Status.ShouldBe(ConversationStatus.Active);
        await bed.Call.AttachedAsync();
        await bed.Call.SendAsync(Created, Called, Answered);
        await bed.OpenAi.EndAsync("rtc_1");

        var record = await bed.EndedAsync(attached.Id);
        (record.Conversation.Status, record.Conversation.EndReason).ShouldBe((ConversationStatus.Completed, EndReasons.UpstreamClosed));
        record.Turns.Select(t => t.RawText).ShouldBe(["Anything on Thursday?", "At two fifteen."]);
        record.Conversation.CostUsd.ShouldBe(0.00056m);
    }

    [Fact]
    public async Task What_the_provider_sent_before_it_knew_that_the_server_stops_is_recorded()
    {
        await using var bed = await Bed.StartAsync(cluster);
        var attached = await bed.Sidebands.AttachAsync(Caller.Service, "rtc_1", cancellationToken: Cancel);
        await bed.Call.AttachedAsync();
        await bed.Call.SendAsync([Created, Asked, .. Enumerable.Range(0, 500).Select(i => $$"""{"type":"rate_limits.updated","event_id":"limits_{{i}}"}""")]);
        await bed.RestartAsync();
        await bed.Call.AttachedAsync();
        await bed.OpenAi.EndAsync("rtc_1");
        await bed.EndedAsync(attached.Id);
        (await bed.Api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe(502L);
    }

    [Fact]
    public async Task A_call_that_ended_while_no_server_ran_ends_at_the_next_start()
    {
        await using var bed = await Bed.StartAsync(cluster);
        var attached = await bed.Sidebands.AttachAsync(Caller.Service, "rtc_1", cancellationToken: Cancel);
        await bed.Call.AttachedAsync();
        await bed.Call.SendAsync(Created, Asked);
        await bed.RestartAsync(() => bed.OpenAi.EndAsync("rtc_1"));
        var record = await bed.EndedAsync(attached.Id);
        (record.Conversation.Status, record.Conversation.EndReason).ShouldBe((ConversationStatus.Completed, EndReasons.UpstreamClosed));
    }

    [Fact]
    public async Task A_budget_can_hang_up()
    {
        await using var bed = await Bed.StartAsync(cluster);
        var attached = await bed.Sidebands.AttachAsync(Caller.Service, "rtc_1", cancellationToken: Cancel);
        await bed.Call.AttachedAsync();
        await bed.Call.SendAsync(Created, Asked);
        var call = bed.Running.Find(attached.Id)!;
        await call.TellAsync("budget_alert", "80 %", Cancel);
        await Task.WhenAll(call.EndAsync("budget_exceeded", Cancel).AsTask(), call.EndAsync("budget_exceeded", Cancel).AsTask());

        var record = await bed.EndedAsync(attached.Id);
        record.Conversation.EndReason.ShouldBe("budget_exceeded");
        bed.OpenAi.Posts.Select(p => p.Path).Distinct().ShouldBe(["/v1/realtime/calls/rtc_1/hangup"]);
    }

    [Fact]
    public async Task A_live_call_is_closed_from_within_and_gives_its_last_word_on_the_seconds()
    {
        await using var bed = await Bed.StartAsync(cluster);
        var live = bed.OpenAi.Call("live_1");
        live.OnReceived = e => e.GetProperty("type").GetString() == "session.close"
            ? live.SendAsync("""{"type":"session.closed","event_id":"l9","reason":"close_requested","usage":{"seconds":41}}""")
            : Task.CompletedTask;
        var attached = await bed.Sidebands.AttachAsync(Caller.Service, "live_1", new SidebandSettings { Model = "gpt-live-1" }, Cancel);
        await live.AttachedAsync();
        await bed.Running.Find(attached.Id)!.EndAsync("budget_exceeded", Cancel);

        var record = await bed.EndedAsync(attached.Id);
        record.Conversation.EndReason.ShouldBe("budget_exceeded");
        record.Charges.Sum(c => c.Quantity).ShouldBe(41m);
        record.Conversation.Metadata.GetProperty("usage_final").GetBoolean().ShouldBeTrue();
        bed.OpenAi.Posts.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_call_that_cannot_be_hung_up_goes_on_and_so_does_its_record()
    {
        await using var bed = await Bed.StartAsync(cluster);
        var attached = await bed.Sidebands.AttachAsync(Caller.Service, "rtc_1", cancellationToken: Cancel);
        await bed.Call.AttachedAsync();
        bed.OpenAi.Answers = System.Net.HttpStatusCode.InternalServerError;
        await bed.Running.Find(attached.Id)!.EndAsync("budget_exceeded", Cancel);
        await bed.Call.SendAsync(Created, Asked);
        await bed.OpenAi.EndAsync("rtc_1");
        var record = await bed.EndedAsync(attached.Id);
        record.Conversation.EndReason.ShouldBe(EndReasons.UpstreamClosed);
        record.Turns.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_live_call_repeats_its_backlog_and_its_seconds_are_not_summed()
    {
        await using var bed = await Bed.StartAsync(cluster);
        bed.Api.Services.GetRequiredService<ToolAnswers>().Answer(ToolAnswers.Delegation, (call, _) => Task.FromResult($"You asked: {call.Arguments}"));
        string[] first =
        [
            """{"type":"session.input_transcript.delta","event_id":"l1","start_ms":100,"end_ms":900,"delta":"Is it open?"}""",
            """{"type":"session.delegation.created","event_id":"l2","offset_ms":900,"delegation":{"id":"item_d","type":"delegation","target":"client"}}""",
            """{"type":"session.usage.updated","event_id":"l3","usage":{"seconds":15}}""",
        ];
        var live = bed.OpenAi.Call("live_1");
        var attached = await bed.Sidebands.AttachAsync(Caller.Service, "live_1", new SidebandSettings { Model = "gpt-live-1" }, Cancel);
        await live.AttachedAsync();
        await live.SendAsync(first);
        (await live.ReceiveAsync("session.commentary.append")).GetProperty("content").GetString().ShouldBe("You asked: Is it open?");
        live.Greeting.AddRange(first);
        live.Cut();
        await live.AttachedAsync();
        await live.SendAsync(
            """{"type":"session.usage.updated","event_id":"l4","usage":{"seconds":30}}""",
            """{"type":"session.closed","event_id":"l5","reason":"remote_hangup","usage":{"seconds":33}}""");

        var record = await bed.EndedAsync(attached.Id);
        (record.Conversation.Status, record.Conversation.EndReason).ShouldBe((ConversationStatus.Completed, "remote_hangup"));
        record.Charges.Sum(c => c.Quantity).ShouldBe(33m);
        record.Conversation.UnpricedCount.ShouldBe(0);
        record.Conversation.CostUsd.ShouldBe(33 * 0.05m / 60, 0.000000002m);
        record.FunctionCalls.ShouldHaveSingleItem().Status.ShouldBe("completed");
        record.Turns.ShouldHaveSingleItem().RawText.ShouldBe("Is it open?");
    }

    [Fact]
    public async Task A_full_context_is_summarised_once_and_read_back_as_summary_and_recent_turns()
    {
        await using var bed = await Bed.StartAsync(cluster, options => (options.Upkeep.MaxInputTokens, options.Upkeep.KeepTurns) = (1000, 2));
        var asked = 0;
        bed.Call.OnReceived = async e =>
        {
            switch (e.GetProperty("type").GetString())
            {
                case "response.create":
                    asked++;
                    var metadata = e.GetProperty("response").GetProperty("metadata");
                    e.GetProperty("response").GetProperty("conversation").GetString().ShouldBe("none");
                    e.GetProperty("response").GetProperty("input")[0].GetProperty("content")[0].GetProperty("text").GetString()!.ShouldContain("user: Question 1");
                    await bed.Call.SendAsync(
                        $$$"""{"type":"response.done","event_id":"s1","response":{"id":"resp_sum","conversation_id":null,"status":"completed","metadata":{{{metadata}}},"output":[{"id":"item_sum","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"They talked about questions."}]}],"usage":{"total_tokens":60,"input_tokens":50,"output_tokens":10,"input_token_details":{"text_tokens":50},"output_token_details":{"text_tokens":10} } } }""");
                    break;
                case "conversation.item.create":
                    await bed.Call.SendAsync($$"""{"type":"conversation.item.added","event_id":"s2","previous_item_id":null,"item":{{e.GetProperty("item")}}}""");
                    break;
                case "conversation.item.delete":
                    var id = e.GetProperty("item_id").GetString();
                    await bed.Call.SendAsync($$"""{"type":"conversation.item.deleted","event_id":"d_{{id}}","item_id":"{{id}}"}""");
                    break;
            }
        };
        var attached = await bed.Sidebands.AttachAsync(Caller.Service, "rtc_1", cancellationToken: Cancel);
        await bed.Call.AttachedAsync();
        await bed.Call.SendAsync(Created);
        for (var i = 1; i <= 3; i++)
            await bed.Call.SendAsync(Turns(i, input: i == 3 ? 900 : 300));
        await Eventually.AsTrueAsync(async () => (string?)await bed.Api.Database.ScalarAsync(
            Caller.Service, "select summary || ' ' || (select count(*) from vox.turns where metadata ? 'deleted') from vox.conversations") == "They talked about questions. 4");
        await bed.Call.SendAsync(Turns(4, input: 200));
        await bed.OpenAi.EndAsync("rtc_1");
        await bed.EndedAsync(attached.Id);

        asked.ShouldBe(1);
        var context = await bed.Api.Database.Conversations.ContextAsync(Caller.Service, attached.Id, cancellationToken: Cancel);
        context.Summary.ShouldBe("They talked about questions.");
        context.Messages.Select(m => m.Text).ShouldBe(["Question 3", "Answer 3", "Question 4", "Answer 4"]);
        context.OmittedTurns.ShouldBe(4);
        var record = await bed.Api.Database.Conversations.GetAsync(Caller.Service, attached.Id, Cancel);
        record.Turns.Count.ShouldBe(8, "what was said stays recorded, and a summary was never said");
    }

    [Fact]
    public async Task Credentials_that_are_missing_old_forged_or_somebody_elses_attach_to_nothing()
    {
        await using var bed = await Bed.StartAsync(cluster);
        var (owner, stranger) = (await bed.Api.Database.NewUserAsync(), await bed.Api.Database.NewUserAsync());
        using var mine = bed.Api.As(owner);
        using var other = bed.Api.As(stranger);
        using var nobody = bed.Api.As(null);
        using var expired = bed.Api.AsToken(Tokens.Mint(
            new TokensOptions { Secret = Api.Secret }, Caller.UserRole, owner.UserId, null, DateTimeOffset.UtcNow.AddHours(-2), TimeSpan.FromHours(1), null));
        using var forged = bed.Api.AsToken(bed.Api.Tokens.Mint(Caller.UserRole, owner.UserId)[..^6] + "AAAAAA");
        using var anonymous = bed.Api.As(Caller.Anonymous);
        const string path = "/v1/realtime/calls/rtc_1/attach";
        (await nobody.PostAsync(path)).ShouldFail(401, "token_missing");
        (await expired.PostAsync(path)).ShouldFail(401, "token_expired");
        (await forged.PostAsync(path)).Status.ShouldBe(401);
        (await anonymous.PostAsync(path)).ShouldFail(401, "sign_in_required");
        (await mine.PostAsync(path, $$"""{"user_id":"{{stranger.UserId}}"}""")).ShouldFail(403, "capture_refused");
        (await mine.PostAsync(path, """{"conversation":"x"}""")).ShouldFail(400, "field_unknown");
        (await mine.PostAsync("/v1/realtime/calls/rtc_2/attach")).ShouldFail(404, "call_not_found");
        (await mine.PostAsync("/v1/realtime/calls/sess_1/attach")).ShouldFail(400, "call_id_invalid");
        (await mine.PostAsync("/v1/realtime/calls/rtc_1%2F..%2Fx/attach")).ShouldFail(400, "call_id_invalid");
        (await bed.Api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.conversations")).ShouldBe(0L);

        var conversation = await mine.StartAsync("""{"kind":"realtime"}""");
        (await other.PostAsync(path, $$"""{"conversation_id":"{{conversation}}"}""")).ShouldFail(404, "conversation_not_found");
        (await mine.PostAsync(path, $$"""{"conversation_id":"{{conversation}}"}""")).ShouldBe(200);
        (await other.PostAsync(path)).ShouldFail(409, "session_taken");
        var theirs = await other.StartAsync("""{"kind":"realtime"}""");
        (await other.PostAsync(path, $$"""{"conversation_id":"{{theirs}}"}""")).ShouldFail(409, "session_taken");
    }

    [Fact]
    public async Task A_provider_that_refuses_or_is_away_is_named_and_nothing_is_recorded()
    {
        await using (var bed = await Bed.StartAsync(cluster, options => options.OpenAi.ApiKey = null))
        {
            using var client = bed.Api.As(await bed.Api.Database.NewUserAsync());
            (await client.PostAsync("/v1/realtime/calls/rtc_1/attach")).ShouldFail(503, "provider_not_configured");
        }

        await using (var bed = await Bed.StartAsync(cluster, options => options.OpenAi.ApiKey = "sk-of-another-project"))
        {
            using var client = bed.Api.As(await bed.Api.Database.NewUserAsync());
            (await client.PostAsync("/v1/realtime/calls/rtc_1/attach")).ShouldFail(503, "provider_refused");
            bed.Api.Logs.From(Microsoft.Extensions.Logging.LogLevel.Trace).ShouldAllBe(line => !line.Contains("sk-of", StringComparison.Ordinal));
            (await bed.Api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.conversations")).ShouldBe(0L);
        }

        await using (var bed = await Bed.StartAsync(cluster))
        {
            bed.OpenAi.IsDown = true;
            using var client = bed.Api.As(await bed.Api.Database.NewUserAsync());
            (await client.PostAsync("/v1/realtime/calls/rtc_1/attach")).ShouldFail(503, "provider_unavailable");
            (await bed.Api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.conversations")).ShouldBe(0L);
        }
    }

    [Fact]
    public async Task Attaching_many_times_at_once_listens_once()
    {
        await using var bed = await Bed.StartAsync(cluster);
        var attached = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => bed.Sidebands.AttachAsync(Caller.Service, "rtc_1", cancellationToken: Cancel)));
        attached.Select(each => each.Id).Distinct().ShouldHaveSingleItem();
        bed.Sidebands.Count.ShouldBe(1);
        await bed.Call.SendAsync(Created, Asked);
        await bed.OpenAi.EndAsync("rtc_1");
        (await bed.EndedAsync(attached[0].Id)).Turns.ShouldHaveSingleItem();
    }

    private static string[] Turns(int i, int input) =>
    [
        $$$"""{"type":"conversation.item.added","event_id":"q{{{i}}}","previous_item_id":{{{(i == 1 ? "null" : $"\"a_{i - 1}\"")}}},"item":{"id":"q_{{{i}}}","type":"message","role":"user","status":"completed","content":[{"type":"input_text","text":"Question {{{i}}}"}]}}""",
        $$$"""{"type":"response.created","event_id":"c{{{i}}}","response":{"id":"resp_{{{i}}}","conversation_id":"conv_1","status":"in_progress","output":[]}}""",
        $$$"""{"type":"conversation.item.added","event_id":"a{{{i}}}","previous_item_id":"q_{{{i}}}","item":{"id":"a_{{{i}}}","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"Answer {{{i}}}"}]}}""",
        $$$"""{"type":"response.done","event_id":"r{{{i}}}","response":{"id":"resp_{{{i}}}","conversation_id":"conv_1","status":"completed","output":[],"usage":{"total_tokens":{{{input + 10}}},"input_tokens":{{{input}}},"output_tokens":10,"input_token_details":{"text_tokens":{{{input}}}},"output_token_details":{"text_tokens":10} } } }""",
    ];

    /// <summary>A server beside an OpenAI that runs one Realtime call, rtc_1.</summary>
    private sealed class Bed : IAsyncDisposable
    {
        private readonly TestCluster cluster;
        private readonly TemporaryFolder spool = new();
        private readonly Action<VoxbaseOptions>? configure;
        private Api api = null!;

        private Bed(TestCluster cluster, FakeCalls openAi, Action<VoxbaseOptions>? configure) => (this.cluster, OpenAi, this.configure) = (cluster, openAi, configure);

        public FakeCalls OpenAi { get; }

        public Api Api => api;

        public FakeCall Call => OpenAi.Call("rtc_1");

        public Sidebands Sidebands => api.Services.GetRequiredService<Sidebands>();

        public RunningCalls Running => api.Services.GetRequiredService<RunningCalls>();

        public static async Task<Bed> StartAsync(TestCluster cluster, Action<VoxbaseOptions>? configure = null)
        {
            var bed = new Bed(cluster, await FakeCalls.StartAsync(), configure);
            bed.OpenAi.Call("rtc_1");
            bed.api = await Api.StartAsync(cluster, bed.Configure);
            return bed;
        }

        /// <summary>Stops the server in mid-call and starts another on the same database.</summary>
        public async Task RestartAsync(Func<Task>? between = null)
        {
            var connectionString = api.Database.ConnectionString;
            await api.DisposeAsync();
            if (between is not null)
                await between();
            api = await Api.StartAsync(cluster, Configure, connectionString);
        }

        public async Task<ConversationRecord> EndedAsync(Guid conversationId)
        {
            var conversations = api.Services.GetRequiredService<Conversations>();
            await Eventually.AsTrueAsync(async () => (await conversations.FindAsync(Caller.Service, conversationId)).EndedAt is not null, "the conversation goes on");
            return await conversations.GetAsync(Caller.Service, conversationId, Cancel);
        }

        public async ValueTask DisposeAsync()
        {
            await api.DisposeAsync();
            await OpenAi.DisposeAsync();
            await spool.DisposeAsync();
        }

        private void Configure(VoxbaseOptions options)
        {
            (options.OpenAi.BaseUrl, options.OpenAi.ApiKey, options.Recording.SpoolFolder) = (OpenAi.BaseUrl, FakeCalls.Key, spool.Path);
            configure?.Invoke(options);
        }
    }
}
