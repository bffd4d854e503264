using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Voxbase.Capture;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests.Capture;

public sealed class RelayTests(TestCluster cluster)
{
    private const string Created = """{"type":"session.created","event_id":"e1","session":{"id":"sess_relay","model":"gpt-realtime"}}""";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_full_context_is_summarised_between_the_clients_own_events()
    {
        await using var openAi = await FakeOpenAi.StartAsync(async call =>
        {
            await call.SendRawAsync(Created);
            for (var i = 1; i <= 3; i++)
                await call.SendRawAsync(Message($"q{i}", i == 1 ? null : $"q{i - 1}", "user", $"Question {i}"));
            await call.SendRawAsync(Message("a3", "q3", "assistant", "Answer 3"));
            await call.SendRawAsync(
                """{"type":"response.done","event_id":"r3","response":{"id":"resp_3","conversation_id":"conv_1","status":"completed","output":[],"usage":{"total_tokens":910,"input_tokens":900,"output_tokens":10,"input_token_details":{"text_tokens":900},"output_token_details":{"text_tokens":10}}}}""");
            var asked = await call.ExpectAsync("response.create");
            asked.GetProperty("response").GetProperty("conversation").GetString().ShouldBe("none");
            await call.SendRawAsync(
                $$$"""{"type":"response.done","event_id":"s1","response":{"id":"resp_sum","conversation_id":null,"status":"completed","metadata":{{{asked.GetProperty("response").GetProperty("metadata")}}},"output":[{"id":"item_sum","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"They talked about questions."}]}],"usage":{"total_tokens":60,"input_tokens":50,"output_tokens":10,"input_token_details":{"text_tokens":50},"output_token_details":{"text_tokens":10} } } }""");
            var summary = (await call.ExpectAsync("conversation.item.create")).GetProperty("item");
            await call.SendRawAsync($$"""{"type":"conversation.item.added","event_id":"s2","previous_item_id":null,"item":{{summary}}}""");
            for (var i = 1; i <= 2; i++)
            {
                var id = (await call.ExpectAsync("conversation.item.delete")).GetProperty("item_id").GetString();
                await call.SendRawAsync($$"""{"type":"conversation.item.deleted","event_id":"d{{i}}","item_id":"{{id}}"}""");
            }

            await call.SendRawAsync("""{"type":"rate_limits.updated","event_id":"last","rate_limits":[]}""");
            await call.UntilClosedAsync();
        });
        await using var api = await Api.StartAsync(
            cluster, RelayClient.To(openAi, options => (options.Upkeep.MaxInputTokens, options.Upkeep.KeepTurns) = (1000, 2)));
        using var socket = await api.ConnectAsync(await api.Database.NewUserAsync());
        var id = socket.ConversationOf();
        // While it goes on the client speaks as ever.
        await socket.SendAsync("""{"type":"input_audio_buffer.append","audio":"AAAA"}""");
        while (await socket.ReceiveAsync() is { } text && !text.Contains("\"last\"", StringComparison.Ordinal))
        {
        }

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Cancel);
        await api.EndedAsync(id);
        await openAi.Calls.Single().Over.WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        var context = await api.Database.Conversations.ContextAsync(Caller.Service, id, cancellationToken: Cancel);
        context.Summary.ShouldBe("They talked about questions.");
        context.Messages.Select(m => m.Text).ShouldBe(["Question 3", "Answer 3"]);
        context.OmittedTurns.ShouldBe(2);
        await api.ShouldBeRecordedAsync(cluster, id, openAi.Calls.Single());

        static string Message(string id, string? after, string role, string text) =>
            $$$"""{"type":"conversation.item.added","event_id":"e_{{{id}}}","previous_item_id":{{{JsonSerializer.Serialize(after)}}},"item":{"id":"{{{id}}}","type":"message","role":"{{{role}}}","status":"completed","content":[{"type":"{{{(role == "user" ? "input_text" : "output_text")}}}","text":"{{{text}}}"}]}}""";
    }

    [Fact]
    public async Task Messages_pass_both_ways_to_the_byte_however_they_are_cut()
    {
        var echoed = new ConcurrentQueue<(WebSocketMessageType, bool, byte[])>();
        await using var openAi = await FakeOpenAi.StartAsync(async call =>
        {
            var buffer = new byte[32 * 1024];
            while (await call.Socket.ReceiveAsync(buffer, CancellationToken.None) is { MessageType: not WebSocketMessageType.Close } got)
            {
                echoed.Enqueue((got.MessageType, got.EndOfMessage, buffer[..got.Count]));
                await call.Socket.SendAsync(buffer.AsMemory(0, got.Count), got.MessageType, got.EndOfMessage, CancellationToken.None);
            }

            await call.Socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        });
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi));
        using var socket = await api.ConnectAsync(await api.Database.NewUserAsync());
        byte[][] messages =
        [
            Encoding.UTF8.GetBytes("""{"type":"input_audio_buffer.append","audio":"AAAA"}"""), [], RandomNumberGenerator.GetBytes(1),
            Encoding.ASCII.GetBytes(Convert.ToHexString(RandomNumberGenerator.GetBytes(3 << 20))), "\u2603 snow"u8.ToArray(),
        ];
        foreach (var (message, type) in messages.Select((message, i) => (message, i is 2 ? WebSocketMessageType.Binary : WebSocketMessageType.Text)))
        {
            // In three pieces, so that a message is more than one frame.
            var (third, back) = (message.Length / 3, new MemoryStream());
            await socket.SendAsync(message.AsMemory(0, third), type, endOfMessage: false, Cancel);
            await socket.SendAsync(message.AsMemory(third, third), type, endOfMessage: false, Cancel);
            await socket.SendAsync(message.AsMemory(2 * third), type, endOfMessage: true, Cancel);
            var buffer = new byte[64 * 1024];
            WebSocketReceiveResult got;
            do
            {
                got = await socket.ReceiveAsync(buffer, Cancel);
                got.MessageType.ShouldBe(type);
                back.Write(buffer, 0, got.Count);
            }
            while (!got.EndOfMessage);
            back.ToArray().AsSpan().SequenceEqual(message).ShouldBeTrue();
        }

        echoed.Count.ShouldBeGreaterThan(messages.Length, "a frame is passed on before its message is whole");
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, "done", Cancel);
        var ended = await api.EndedAsync(socket.ConversationOf());
        ended.EndReason.ShouldBe(EndReasons.ClientClosed);
        (await KeptRecord.EventsAsync(api.Database, ended.Id, Cancel)).Count.ShouldBe(2 * messages.Length);
    }

    [Fact]
    public async Task The_clients_close_reaches_the_provider_with_its_code_and_reason()
    {
        await using var openAi = await FakeOpenAi.StartAsync(async call =>
        {
            await call.SendRawAsync(Created);
            await call.UntilClosedAsync();
        });
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi));
        using var socket = await api.ConnectAsync(await api.Database.NewUserAsync());
        (await socket.ReceiveAsync()).ShouldBe(Created);
        await socket.CloseAsync((WebSocketCloseStatus)4001, "enough", Cancel);
        ((int?)socket.CloseStatus, socket.CloseStatusDescription).ShouldBe((4001, "enough"));

        var call = openAi.Calls.Single();
        await call.Over.WaitAsync(Cancel);
        ((int?)call.Socket.CloseStatus, call.Socket.CloseStatusDescription).ShouldBe((4001, "enough"));
        var ended = await api.EndedAsync(socket.ConversationOf());
        (ended.Status, ended.EndReason, ended.SessionId).ShouldBe((ConversationStatus.Completed, EndReasons.ClientClosed, "sess_relay"));
        await api.ShouldBeRecordedAsync(cluster, ended.Id, call);
        api.Get<RunningCalls>().Count.ShouldBe(0);
    }

    [Fact]
    public async Task The_providers_close_reaches_the_client_with_its_code_and_reason()
    {
        await using var openAi = await FakeOpenAi.StartAsync(async call =>
        {
            await call.SendRawAsync(Created);
            await call.SendAsync("error", new() { ["error"] = new System.Text.Json.Nodes.JsonObject { ["type"] = "invalid_request_error", ["code"] = "session_expired" } });
            await call.Socket.CloseAsync((WebSocketCloseStatus)4002, "session expired", CancellationToken.None);
        });
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi));
        using var socket = await api.ConnectAsync(await api.Database.NewUserAsync());
        while (await socket.ReceiveAsync() is not null)
        {
        }

        ((int?)socket.CloseStatus, socket.CloseStatusDescription).ShouldBe((4002, "session expired"));
        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, Cancel);
        var ended = await api.EndedAsync(socket.ConversationOf());
        (ended.Status, ended.EndReason).ShouldBe((ConversationStatus.Completed, "expired"), "the provider said more than its socket");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_connection_that_breaks_ends_the_call_and_loses_nothing(bool upstreamBreaks)
    {
        var heardAll = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var openAi = await FakeOpenAi.StartAsync(async call =>
        {
            for (var i = 0; i < 40; i++)
                await call.SendAsync("response.output_audio.delta", new() { ["item_id"] = "a", ["delta"] = "AAAA" });
            // What a socket that is reset had not handed over yet is nobody's.
            await heardAll.Task;
            if (upstreamBreaks)
                call.Cut();
            else
                await call.UntilClosedAsync();
        });
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi));
        using var socket = await api.ConnectAsync(await api.Database.NewUserAsync());
        for (var i = 0; i < 40; i++)
            (await socket.ReceiveAsync()).ShouldNotBeNull();
        heardAll.SetResult();
        if (upstreamBreaks)
        {
            (await socket.ReceiveAsync()).ShouldBeNull();
            (socket.CloseStatus, socket.CloseStatusDescription).ShouldBe((WebSocketCloseStatus.InternalServerError, EndReasons.UpstreamLost));
        }

        var id = socket.ConversationOf();
        socket.Abort();
        var ended = await api.EndedAsync(id);
        (ended.Status, ended.EndReason).ShouldBe(
            upstreamBreaks ? (ConversationStatus.Failed, EndReasons.UpstreamLost) : (ConversationStatus.Completed, EndReasons.ClientLost));
        (await KeptRecord.EventsAsync(api.Database, id, Cancel)).Select(e => e.Payload).ShouldBe(openAi.Calls.Single().Sent);
    }

    [Theory]
    [InlineData(401, 503, "provider_refused")]
    [InlineData(429, 503, "provider_refused")]
    [InlineData(404, 400, "provider_rejected")]
    [InlineData(500, 503, "provider_unavailable")]
    public async Task A_provider_that_refuses_is_told_before_the_socket_opens(int answers, int status, string code)
    {
        await using var openAi = await FakeOpenAi.StartAsync();
        openAi.Instead = context =>
        {
            context.Response.StatusCode = answers;
            return context.Response.WriteAsync($"no, not with {FakeOpenAi.Key}");
        };
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi));
        using var client = api.As(await api.Database.NewUserAsync());
        var refused = (await client.RefusedAsync("/v1/realtime/relay?model=gpt-realtime")).ShouldFail(status, code);
        refused.Body.ToString().ShouldNotContain(FakeOpenAi.Key);
        api.Logs.From(Microsoft.Extensions.Logging.LogLevel.Trace).ShouldNotContain(line => line.Contains(FakeOpenAi.Key, StringComparison.Ordinal));
        (await api.Database.ScalarAsync(Caller.Service, "select status || ' ' || end_reason from vox.conversations")).ShouldBe("failed upstream_unreachable");
    }

    [Fact]
    public async Task A_provider_that_is_not_there_or_not_configured_is_told()
    {
        await using var nowhere = await Api.StartAsync(cluster, options => (options.OpenAi.BaseUrl, options.OpenAi.ApiKey) = ("http://127.0.0.1:1/v1", "k"));
        using (var client = nowhere.As(await nowhere.Database.NewUserAsync()))
            (await client.RefusedAsync("/v1/realtime/relay?model=m")).ShouldFail(503, "provider_unavailable");
        await using var without = await Api.StartAsync(cluster);
        using (var client = without.As(await without.Database.NewUserAsync()))
        {
            (await client.RefusedAsync("/v1/realtime/relay?model=m")).ShouldFail(503, "provider_not_configured");
            (await client.GetAsync("/v1/realtime/relay?model=m")).ShouldFail(400, "upgrade_required");
        }

        (await without.Database.ScalarAsync(Caller.Service, "select count(*) from vox.conversations")).ShouldBe(0L);
    }

    [Fact]
    public async Task Without_a_good_credential_nobody_is_relayed()
    {
        await using var openAi = await FakeOpenAi.StartAsync();
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi));
        var user = await api.Database.NewUserAsync();
        using var other = new Tokens(new VoxbaseOptions { Tokens = { Secret = "another secret for tests that is long enough" } }, TimeProvider.System);
        foreach (var (token, code) in new[]
        {
            (null, "token_missing"),
            (other.Mint(Caller.UserRole, user.UserId), "token_invalid"),
            (RelayClient.ExpiredTokenOf(user), "token_expired"),
            (api.Tokens.Mint(Caller.AnonymousRole, null), "sign_in_required"),
        })
        {
            using var client = token is null ? api.As(null) : api.AsToken(token);
            (await client.RefusedAsync("/v1/realtime/relay?model=m")).ShouldFail(401, code);
            using var browser = api.As(null);
            if (token is not null)
            {
                browser.Headers.TryAddWithoutValidation("Sec-WebSocket-Protocol", $"realtime, openai-insecure-api-key.{token}");
                (await browser.RefusedAsync("/v1/realtime/relay?model=m")).ShouldFail(401, code);
            }
        }

        using var twice = api.As(user);
        twice.Headers.TryAddWithoutValidation("Sec-WebSocket-Protocol", $"realtime, openai-insecure-api-key.{api.Tokens.Mint(Caller.UserRole, user.UserId)}");
        (await twice.RefusedAsync("/v1/realtime/relay?model=m")).ShouldFail(401, "token_invalid");
        openAi.Calls.ShouldBeEmpty();
        (await api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.conversations")).ShouldBe(0L);
    }

    [Fact]
    public async Task A_browser_sends_its_token_as_a_subprotocol_and_the_provider_gets_ours()
    {
        await using var openAi = await FakeOpenAi.StartAsync(call => call.UntilClosedAsync());
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi));
        var user = await api.Database.NewUserAsync();
        using var socket = await api.ConnectAsync(
            user, "?model=gpt-4o%20mini", "realtime", "openai-insecure-api-key.TOKEN", "openai-beta.realtime-v1");
        socket.SubProtocol.ShouldBe("realtime");
        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Cancel);
        var call = openAi.Calls.Single();
        call.Query.ShouldBe("?model=gpt-4o%20mini");
        call.Headers["OpenAI-Beta"].ShouldBe("realtime=v1");
        call.Headers["Authorization"].ShouldBe($"Bearer {FakeOpenAi.Key}");
        var ended = await api.EndedAsync(socket.ConversationOf());
        (ended.UserId, ended.LlmModel).ShouldBe((user.UserId, "gpt-4o mini"));
    }

    [Fact]
    public async Task A_conversation_has_one_call_and_its_owner_alone_may_hold_it()
    {
        await using var openAi = await FakeOpenAi.StartAsync(call => call.UntilClosedAsync());
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi));
        var owner = await api.Database.NewUserAsync();
        using var client = api.As(owner);
        using var stranger = api.As(await api.Database.NewUserAsync());
        var path = (await client.PostAsync("/v1/realtime/sessions", """{"model":"gpt-realtime"}""")).ShouldBe(201)["relay_path"].GetString()!;
        (await stranger.RefusedAsync(path)).ShouldFail(404, "conversation_not_found");
        (await client.RefusedAsync("/v1/realtime/relay?conversation_id=nonsense")).ShouldFail(400, "query_invalid");

        var query = path[path.IndexOf('?', StringComparison.Ordinal)..];
        var attempts = await Task.WhenAll(Enumerable.Range(0, 6).Select(async _ =>
        {
            try
            {
                return await api.ConnectAsync(owner, query);
            }
            catch (WebSocketException)
            {
                return null;
            }
        }));
        using var won = attempts.Where(each => each is not null).ShouldHaveSingleItem();
        (await client.RefusedAsync(path)).ShouldFail(409, "call_taken");
        await won!.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Cancel);
        (await api.EndedAsync(won.ConversationOf())).EndReason.ShouldBe(EndReasons.ClientClosed);
        (await client.RefusedAsync(path)).ShouldFail(409, "call_taken");
        (await api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.conversations")).ShouldBe(1L);
    }

    [Fact]
    public async Task A_running_call_is_told_and_ended_from_within()
    {
        await using var openAi = await FakeOpenAi.StartAsync(async call =>
        {
            await call.SendRawAsync(Created);
            await call.UntilClosedAsync();
        });
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi));
        using var socket = await api.ConnectAsync(await api.Database.NewUserAsync());
        (await socket.ReceiveAsync()).ShouldBe(Created);
        var call = api.Get<RunningCalls>().Find(socket.ConversationOf()).ShouldNotBeNull();

        await call.TellAsync("budget_alert", "80 % of the month is spent.", Cancel);
        var told = JsonElement.Parse((await socket.ReceiveAsync())!);
        told.GetProperty("type").GetString().ShouldBe("error");
        told.GetProperty("error").GetProperty("code").GetString().ShouldBe("budget_alert");

        await Task.WhenAll(call.EndAsync("budget_exceeded", Cancel).AsTask(), call.EndAsync("another", Cancel).AsTask());
        (await socket.ReceiveAsync()).ShouldBeNull();
        (socket.CloseStatus, socket.CloseStatusDescription).ShouldBe((WebSocketCloseStatus.PolicyViolation, "budget_exceeded"));
        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, Cancel);
        var ended = await api.EndedAsync(socket.ConversationOf());
        (ended.Status, ended.EndReason).ShouldBe((ConversationStatus.Completed, "budget_exceeded"));
        (await KeptRecord.EventsAsync(api.Database, ended.Id, Cancel)).Select(e => e.Payload).ShouldBe([Created], "what we say is not the provider's");
        await call.TellAsync("late", "Nobody hears it.", Cancel);
    }

    [Fact]
    public async Task A_server_that_stops_ends_its_calls_and_commits_them()
    {
        await using var openAi = await FakeOpenAi.StartAsync(async call =>
        {
            await call.SendRawAsync(Created);
            await call.UntilClosedAsync();
        });
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi));
        using var socket = await api.ConnectAsync(await api.Database.NewUserAsync());
        (await socket.ReceiveAsync()).ShouldBe(Created);
        var stopping = api.StopAsync();
        (await socket.ReceiveAsync()).ShouldBeNull();
        socket.CloseStatus.ShouldBe(WebSocketCloseStatus.EndpointUnavailable);
        await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, Cancel);
        await stopping;
        var ended = await api.EndedAsync(socket.ConversationOf());
        (ended.Status, ended.EndReason).ShouldBe((ConversationStatus.Completed, EndReasons.ServerStopped));
        await api.ShouldBeRecordedAsync(cluster, ended.Id, openAi.Calls.Single());
    }

    [Fact]
    public async Task Silence_and_messages_without_an_end_end_the_call()
    {
        await using var openAi = await FakeOpenAi.StartAsync(call => call.UntilClosedAsync());
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi, options =>
            (options.Relay.IdleTimeout, options.Relay.MaxMessageBytes) = (TimeSpan.FromSeconds(1), 64 << 10)));
        var user = await api.Database.NewUserAsync();
        using var silent = await api.ConnectAsync(user);
        using var loud = await api.ConnectAsync(user);
        await loud.SendAsync(new byte[65 << 10], WebSocketMessageType.Text, endOfMessage: false, Cancel);
        (await loud.ReceiveAsync()).ShouldBeNull();
        loud.CloseStatus.ShouldBe(WebSocketCloseStatus.MessageTooBig);
        (await silent.ReceiveAsync()).ShouldBeNull();
        silent.CloseStatusDescription.ShouldBe(EndReasons.Idle);
        await silent.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, Cancel);
        await loud.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, Cancel);
        (await api.EndedAsync(loud.ConversationOf())).EndReason.ShouldBe(EndReasons.MessageTooLarge);
        (await api.EndedAsync(silent.ConversationOf())).EndReason.ShouldBe(EndReasons.Idle);
    }

    [Fact]
    public async Task More_calls_than_allowed_are_refused()
    {
        await using var openAi = await FakeOpenAi.StartAsync(call => call.UntilClosedAsync());
        await using var api = await Api.StartAsync(cluster, RelayClient.To(openAi, options => options.Relay.MaxSessions = 1));
        var user = await api.Database.NewUserAsync();
        using var first = await api.ConnectAsync(user);
        using var client = api.As(user);
        (await client.RefusedAsync("/v1/realtime/relay?model=m")).ShouldFail(503, "relay_full");
        await first.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Cancel);
    }
}
