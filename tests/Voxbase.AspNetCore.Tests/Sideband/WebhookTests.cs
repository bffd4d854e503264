using System.Net;
using System.Text;
using System.Text.Json;
using Voxbase.Sideband;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests;

public sealed class WebhookTests(TestCluster cluster)
{
    private const string Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private const string Number = "+14155550123";

    private static readonly byte[] Key = StandardWebhooks.KeyOf(Secret)!;

    [Fact]
    public void The_signature_of_the_specification_is_ours()
    {
        const string signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        var body = """{"test": 2432232314}"""u8;
        StandardWebhooks.Sign(Key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body).ShouldBe(signature);
        var at = DateTimeOffset.FromUnixTimeSeconds(1614265330);
        foreach (var now in new[] { at, at.AddMinutes(5), at.AddMinutes(-5) })
            StandardWebhooks.Verify(Key, new WebhookHeaders("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", $"v1,bm9wZQ== v2,x {signature}"), body, now);
    }

    [Theory]
    [InlineData("whsec_", false)]
    [InlineData("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", false)]
    [InlineData("whsec_no*base64", false)]
    [InlineData(Secret, true)]
    public void A_secret_is_told_from_what_is_none(string secret, bool isOne) => (StandardWebhooks.KeyOf(secret) is not null).ShouldBe(isOne);

    [Theory]
    [InlineData("realtime.call.incoming", "call_id", "rtc_u1")]
    [InlineData("live.call.incoming", "session_id", "live_u1")]
    [InlineData("live.transport.incoming", "session_id", "live_u2")]
    public async Task An_incoming_call_becomes_a_pending_conversation_once(string type, string name, string id)
    {
        await using var api = await StartAsync();
        var owner = await api.Database.NewUserAsync(isAdmin: true);
        var body = Event(type, name, id);

        var first = (await PostAsync(api, body)).ShouldBe(200);
        var again = (await PostAsync(api, body)).ShouldBe(200);

        again.Body.ToString().ShouldBe(first.Body.ToString());
        (first["type"].GetString(), first["call_id"].GetString()).ShouldBe((type, id));
        using var client = api.As(owner);
        var conversation = (await client.GetAsync($"/v1/conversations/{first["conversation_id"].GetGuid()}")).ShouldBe(200)["conversation"];
        (conversation.GetProperty("kind").GetString(), conversation.GetProperty("status").GetString()).ShouldBe(("realtime", "pending"));
        conversation.GetProperty("session_id").GetString().ShouldBe(id);
        conversation.GetProperty("metadata").GetProperty("incoming").GetProperty("sip_headers")[0].GetProperty("value").GetString().ShouldBe($"sip:{Number}@sip.example.com");
        (await CountAsync(api)).ShouldBe(1);
        api.Logs.From(Microsoft.Extensions.Logging.LogLevel.Trace).ShouldAllBe(line => !line.Contains(Number, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Many_deliveries_at_once_make_one_conversation()
    {
        await using var api = await StartAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => PostAsync(api, Event())));
        answers.Select(answer => answer.ShouldBe(200)["conversation_id"].GetGuid()).Distinct().ShouldHaveSingleItem();
        (await CountAsync(api)).ShouldBe(1);
    }

    [Fact]
    public async Task What_is_not_signed_by_the_sender_now_is_refused_and_changes_nothing()
    {
        await using var api = await StartAsync();
        var body = Event();
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var other = StandardWebhooks.KeyOf("whsec_bm90IHRoZSBzZWNyZXQgb2YgdGhpcyBlbmRwb2ludA==")!;
        foreach (var (id, timestamp, signature, sent) in new[]
        {
            (null, $"{now}", Sign(body, "msg_1", now), body),
            ("msg_1", null, Sign(body, "msg_1", now), body),
            ("msg_1", $"{now}", null, body),
            ("msg_1", $"{now}", "", body),
            ("msg_1", $"{now}", "v1,", body),
            ("msg_1", $"{now}", "nonsense", body),
            // Of another body, another id, another time, another secret, another version.
            ("msg_1", $"{now}", Sign(body, "msg_1", now), body + " "),
            ("msg_2", $"{now}", Sign(body, "msg_1", now), body),
            ("msg_1", $"{now + 1}", Sign(body, "msg_1", now), body),
            ("msg_1", $"{now}", StandardWebhooks.Sign(other, "msg_1", $"{now}", Encoding.UTF8.GetBytes(body)), body),
            ("msg_1", $"{now}", "v2" + Sign(body, "msg_1", now)[2..], body),
            // Signed rightly, and too old or too far ahead, or at no time at all.
            ("msg_1", $"{now - 400}", Sign(body, "msg_1", now - 400), body),
            ("msg_1", $"{now + 400}", Sign(body, "msg_1", now + 400), body),
            ("msg_1", "99999999999999999999", StandardWebhooks.Sign(Key, "msg_1", "99999999999999999999", Encoding.UTF8.GetBytes(body)), body),
            ("msg_1", "soon", StandardWebhooks.Sign(Key, "msg_1", "soon", Encoding.UTF8.GetBytes(body)), body),
        })
        {
            (await PostAsync(api, sent, id, timestamp, signature)).ShouldFail(401, "webhook_refused");
        }

        (await CountAsync(api)).ShouldBe(0);
    }

    [Theory]
    [InlineData("", "webhook_invalid")]
    [InlineData("[]", "webhook_invalid")]
    [InlineData("{\"type\":3}", "webhook_invalid")]
    [InlineData("{\"type\":\"realtime.call.incoming\"}", "webhook_invalid")]
    [InlineData("{\"type\":\"realtime.call.incoming\",\"type\":\"x\",\"data\":{\"call_id\":\"rtc_1\"}}", "webhook_invalid")]
    [InlineData("{\"type\":\"realtime.call.incoming\",\"data\":{\"call_id\":7}}", "webhook_invalid")]
    [InlineData("{\"type\":\"realtime.call.incoming\",\"data\":{\"call_id\":\"rtc_\\ud800\"}}", "webhook_invalid")]
    [InlineData("{\"type\":\"realtime.call.incoming\",\"data\":{\"call_id\":\"rtc_1/../../x\"}}", "call_id_invalid")]
    [InlineData("{\"type\":\"realtime.call.incoming\",\"data\":{\"call_id\":\"rtc_1\",\"sip_headers\":{}}}", "webhook_invalid")]
    [InlineData("{\"type\":\"realtime.call.incoming\",\"data\":{\"call_id\":\"rtc_1\",\"sip_headers\":[{\"name\":1}]}}", "webhook_invalid")]
    public async Task A_signed_body_that_is_no_event_is_refused_and_changes_nothing(string body, string code)
    {
        await using var api = await StartAsync();
        (await PostAsync(api, body)).ShouldFail(400, code);
        (await CountAsync(api)).ShouldBe(0);
    }

    [Fact]
    public async Task A_webhook_about_something_else_is_accepted_and_changes_nothing()
    {
        await using var api = await StartAsync();
        var answer = (await PostAsync(api, """{"type":"response.completed","data":{"id":"resp_1"}}""")).ShouldBe(200);
        answer["conversation_id"].ValueKind.ShouldBe(JsonValueKind.Null);
        (await CountAsync(api)).ShouldBe(0);
    }

    [Fact]
    public async Task Without_a_secret_no_webhook_is_believed_and_a_long_one_not_read()
    {
        await using (var api = await Api.StartAsync(cluster))
            (await PostAsync(api, Event())).ShouldFail(503, "webhook_unavailable");
        await using (var api = await StartAsync())
            (await PostAsync(api, new string(' ', 300_000))).ShouldFail(413, "body_too_large");
    }

    [Fact]
    public async Task A_call_is_accepted_with_the_session_configured_and_its_sideband_attached()
    {
        await using var openai = await FakeCalls.StartAsync();
        await using var spool = new TemporaryFolder();
        openai.Call("rtc_u1").Greeting.Add("""{"type":"session.created","event_id":"e1","session":{"id":"sess_1","model":"gpt-realtime"}}""");
        await using var api = await StartAsync(options =>
        {
            (options.OpenAi.BaseUrl, options.OpenAi.ApiKey, options.Recording.SpoolFolder) = (openai.BaseUrl, FakeCalls.Key, spool.Path);
            options.OpenAi.AcceptRealtime = """{"type":"realtime","model":"gpt-realtime"}""";
        });

        var answer = (await PostAsync(api, Event())).ShouldBe(200);
        await openai.Call("rtc_u1").AttachedAsync();
        (await PostAsync(api, Event())).ShouldBe(200).Body.ToString().ShouldBe(answer.Body.ToString());

        openai.Posts.ShouldBe([("/v1/realtime/calls/rtc_u1/accept", """{"type":"realtime","model":"gpt-realtime"}""")]);
        await openai.EndAsync("rtc_u1");
        await Eventually.AsTrueAsync(async () => (string?)await api.Database.ScalarAsync(
            Caller.Service, "select status::text || ' ' || end_reason || ' ' || llm_model from vox.conversations") == "completed upstream_closed gpt-realtime");
    }

    [Fact]
    public async Task A_call_that_could_not_be_accepted_stays_pending_and_the_next_delivery_tries_again()
    {
        await using var openai = await FakeCalls.StartAsync();
        await using var spool = new TemporaryFolder();
        openai.Call("live_u1");
        openai.Answers = HttpStatusCode.ServiceUnavailable;
        await using var api = await StartAsync(options =>
        {
            (options.OpenAi.BaseUrl, options.OpenAi.ApiKey, options.Recording.SpoolFolder) = (openai.BaseUrl, FakeCalls.Key, spool.Path);
            options.OpenAi.AcceptLive = """{"type":"live","model":"gpt-live-1"}""";
        });
        var body = Event("live.transport.incoming", "session_id", "live_u1");

        (await PostAsync(api, body)).ShouldFail(503, "provider_unavailable");
        (await api.Database.ScalarAsync(Caller.Service, "select status::text from vox.conversations")).ShouldBe("pending");
        openai.Answers = HttpStatusCode.OK;
        (await PostAsync(api, body)).ShouldBe(200);

        (await api.Database.ScalarAsync(Caller.Service, "select status::text from vox.conversations")).ShouldBe("active");
        openai.Posts.Last().ShouldBe(("/v1/live/sessions/live_u1/accept", """{"session":{"type":"live","model":"gpt-live-1"}}"""));
        await openai.Call("live_u1").AttachedAsync();
    }

    private static string Event(string type = "realtime.call.incoming", string name = "call_id", string id = "rtc_u1") =>
        $$"""{"object":"event","id":"evt_1","type":"{{type}}","created_at":1750287018,"data":{"{{name}}":"{{id}}","sip_headers":[{"name":"From","value":"sip:{{Number}}@sip.example.com"}] } }""";

    private static string Sign(string body, string id, long timestamp) => StandardWebhooks.Sign(Key, id, $"{timestamp}", Encoding.UTF8.GetBytes(body));

    private static Task<Answer> PostAsync(Api api, string body)
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        return PostAsync(api, body, "msg_1", $"{now}", Sign(body, "msg_1", now));
    }

    private static async Task<Answer> PostAsync(Api api, string body, string? id, string? timestamp, string? signature)
    {
        using var client = api.As(null);
        var request = new HttpRequestMessage(HttpMethod.Post, "/v1/realtime/webhooks") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        foreach (var (name, value) in new[] { ("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature) })
        {
            if (value is not null)
                request.Headers.TryAddWithoutValidation(name, value);
        }

        return await client.SendAsync(request);
    }

    private static async Task<long> CountAsync(Api api) => (long)(await api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.conversations"))!;

    private Task<Api> StartAsync(Action<VoxbaseOptions>? configure = null) => Api.StartAsync(cluster, options =>
    {
        options.OpenAi.WebhookSecret = Secret;
        configure?.Invoke(options);
    });
}

/// <summary>A folder that goes with the test.</summary>
internal sealed class TemporaryFolder : IAsyncDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("voxbase-sideband-").FullName;

    public ValueTask DisposeAsync()
    {
        if (Directory.Exists(Path))
            Directory.Delete(Path, recursive: true);
        return ValueTask.CompletedTask;
    }
}

/// <summary>Waits for what happens behind an answer.</summary>
internal static class Eventually
{
    public static async Task AsTrueAsync(Func<Task<bool>> condition, string? because = null)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        try
        {
            while (!await condition())
                await Task.Delay(25, patience.Token);
        }
        catch (OperationCanceledException) when (!TestContext.Current.CancellationToken.IsCancellationRequested)
        {
            Assert.Fail($"It did not happen within a minute. {because}");
        }
    }
}
