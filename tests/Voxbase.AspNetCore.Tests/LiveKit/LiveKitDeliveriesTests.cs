using System.IO.Compression;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Voxbase.LiveKit;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests;

public sealed class LiveKitDeliveriesTests(TestCluster cluster)
{
    private const string RoomStarted = """{"event":"room_started","room":{"sid":"RM_1","name":"lobby","creationTime":"1787074610","turnPassword":"hush"},"id":"EV_1","createdAt":"1787074610"}""";

    private const string Report =
        """
        {"job_id":"AJ_1","room_id":"RM_agent","room":"lobby","timestamp":1787074700000,
         "chat_history":{"items":[{"id":"item_1","type":"message","role":"user","content":["very private words"],"created_at":1787074621.5,"metrics":{"transcription_delay":0.25}}]},
         "usage":[{"type":"llm_usage","provider":"openai","model":"gpt-realtime","input_tokens":1000000}]}
        """;

    private static readonly string[] Uploads =
        ["/observability/logs/otlp/v0", "/observability/traces/otlp/v0", "/observability/metrics/otlp/v0", "/observability/recordings/v0"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_signed_webhook_is_kept_and_read_once_and_a_room_of_ours_finds_its_call()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, live.Configure);
        var user = await api.Database.NewUserAsync();
        using var client = api.As(user);
        var call = (await client.PostAsync("/v1/livekit/calls")).ShouldBe(201);
        var (id, sid, name) = (call["conversation"].GetProperty("id").GetGuid(), call["room"].GetProperty("sid").GetString(), call["room"].GetProperty("name").GetString());
        var room = $$"""{"sid":"{{sid}}","name":"{{name}}","creationTime":"1787074610","turnPassword":"hush"}""";
        var joined = $$$"""{"event":"participant_joined","room":{{{room}}},"participant":{"sid":"PA_1","identity":"{{{user.UserId}}}","joinedAt":"1787074612"},"id":"EV_2","createdAt":"1787074612"}""";
        var finished = $$"""{"event":"room_finished","room":{{room}},"id":"EV_3","createdAt":"1787074700"}""";
        using var http = new HttpClient { BaseAddress = api.Url };
        foreach (var body in (string[])[finished, joined, joined, finished])
            (await SendAsync(http, body, Sign(api, body))).Status.ShouldBe(200);
        await LiveKitCallsTests.ReadAsync(api);

        var record = (await client.GetAsync($"/v1/conversations/{id}")).ShouldBe(200);
        record["conversation"].GetProperty("status").GetString().ShouldBe("completed");
        (record["conversation"].GetProperty("end_reason").GetString(), record["conversation"].GetProperty("duration_seconds").GetInt32()).ShouldBe(("room_finished", 88));
        record["participants"].EnumerateArray().ShouldHaveSingleItem().GetProperty("user_id").GetGuid().ShouldBe(user.UserId!.Value);
        (await api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.provider_events")).ShouldBe(2L);
        (await api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.conversations")).ShouldBe(1L);
    }

    [Fact]
    public async Task Webhooks_that_LiveKit_did_not_sign_or_that_are_none_are_refused_and_change_nothing()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, live.Configure);
        using var http = new HttpClient { BaseAddress = api.Url };
        var (good, bytes) = (Sign(api, RoomStarted), Encoding.UTF8.GetBytes(RoomStarted));
        var hash = Convert.ToBase64String(SHA256.HashData(bytes));
        (string? Token, string Body)[] unsigned =
        [
            (null, RoomStarted), ("", RoomStarted), ($"Bearer {good}", RoomStarted), (good, RoomStarted + " "), (good, ""), (good[..^2], RoomStarted),
            (Mint(new NewLiveKitToken { Identity = "no hash" }), RoomStarted), (Mint(new NewLiveKitToken { Sha256 = "" }), RoomStarted),
            (Mint(new NewLiveKitToken { Sha256 = Convert.ToHexString(SHA256.HashData(bytes)) }), RoomStarted),
            (Mint(new NewLiveKitToken { Sha256 = hash }, key: "otherkey"), RoomStarted), (Mint(new NewLiveKitToken { Sha256 = hash }, secret: "another"), RoomStarted),
            (Mint(new NewLiveKitToken { Sha256 = hash, Lifetime = TimeSpan.FromMinutes(5) }, TimeSpan.FromMinutes(-10)), RoomStarted),
            (Mint(new NewLiveKitToken { Sha256 = hash }, TimeSpan.FromMinutes(10)), RoomStarted),
            (api.Tokens.Mint(Caller.ServiceRole), RoomStarted),
        ];
        foreach (var (token, body) in unsigned)
            (await SendAsync(http, body, token)).ShouldFail(401, "livekit_webhook_unsigned");
        foreach (var body in (string[])["", "[]", "null", "{", "{}", """{"event":12345,"room":"x","participant":[{"identity":"u-1"}],"egressInfo":true,"createdAt":{"seconds":1},"id":null}""", """{"event":"room_started","room":[]}"""])
            (await SendAsync(http, body, Sign(api, body))).ShouldFail(400, "livekit_webhook_invalid");
        var long1 = $$"""{"event":"{{new string('x', 1 << 20)}}"}""";
        (await SendAsync(http, long1, Sign(api, long1))).ShouldFail(413, "body_too_large");
        (await api.Database.ScalarAsync(Caller.Service, "select (select count(*) from vox.livekit_inbox) + (select count(*) from vox.conversations)")).ShouldBe(0L);
    }

    [Fact]
    public async Task A_session_report_is_read_at_once_and_again_changes_nothing()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, live.Configure);
        using var service = api.As(Caller.Service);
        using var agent = api.AsToken(Mint(Observing));
        var first = (await service.PostAsync("/v1/livekit/session-reports", Report)).ShouldBe(200)["conversation"];
        (first.GetProperty("turn_count").GetInt32(), first.GetProperty("cost_usd").GetString()).ShouldBe((1, "4.000000000"));
        var again = (await agent.PostAsync("/v1/livekit/session-reports", Report)).ShouldBe(200)["conversation"];
        (again.GetProperty("id").GetGuid(), again.GetProperty("turn_count").GetInt32(), again.GetProperty("cost_usd").GetString())
            .ShouldBe((first.GetProperty("id").GetGuid(), 1, "4.000000000"));
        (await Recount.FaultsAsync(api.Database, Cancel)).ShouldBeEmpty();

        using var user = api.As(await api.Database.NewUserAsync());
        (await user.PostAsync("/v1/livekit/session-reports", Report)).ShouldFail(403, "livekit_grant_refused");
        using var nobody = api.As(null);
        (await nobody.PostAsync("/v1/livekit/session-reports", Report)).ShouldFail(401, "token_missing");
        using var powerless = api.AsToken(Mint(new NewLiveKitToken { Identity = "a" }));
        (await powerless.PostAsync("/v1/livekit/session-reports", Report)).ShouldFail(401, "livekit_token_invalid");
        foreach (var body in (string[])["", "[]", "{}", """{"room_id":"RM_1","chat_history":5}"""])
            (await service.PostAsync("/v1/livekit/session-reports", body)).ShouldFail(400, "livekit_report_invalid");
        api.Logs.From(LogLevel.Trace).ShouldNotContain(line => line.Contains("very private words") || line.Contains(FakeLiveKit.Secret));
    }

    [Fact]
    public async Task A_recording_comes_as_a_form_with_its_history_and_its_sound()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, live.Configure);
        using var agent = api.AsToken(Mint(Observing));
        // room_id = RM_agent, job_id = AJ_1
        byte[] header = [0x0a, 8, .. "RM_agent"u8, 0x42, 4, .. "AJ_1"u8];
        var history = JsonElement.Parse(Report).GetProperty("chat_history").GetRawText();
        (await agent.PostAsync("/observability/recordings/v0", Form(header, history, [1, 2, 3]))).ShouldBe(200);
        await LiveKitCallsTests.ReadAsync(api);
        (await api.Database.ScalarAsync(Caller.Service, "select raw_text from vox.turns")).ShouldBe("very private words");
        (await api.Database.ScalarAsync(Caller.Service, "select encode(audio, 'hex') from vox.recordings")).ShouldBe("010203");

        (await agent.PostAsync("/observability/recordings/v0", Form(null, history, []))).ShouldFail(400, "livekit_upload_invalid");
        (await agent.PostAsync("/observability/recordings/v0", Form([0xff], null, []))).ShouldFail(400, "livekit_upload_invalid");
        (await agent.PostAsync("/observability/recordings/v0", Form([], null, []))).ShouldFail(400, "livekit_upload_invalid");
        (await agent.PostAsync("/observability/recordings/v0", Form(header, "{", []))).ShouldFail(400, "livekit_upload_invalid");
        (await agent.PostAsync("/observability/recordings/v0", new ByteArrayContent([1]) { Headers = { ContentType = new("application/json") } })).ShouldFail(415, "content_type_unsupported");
        var broken = new ByteArrayContent("--b\r\nContent-Disposition: form-data; name=\"header\"\r\n\r\nabc"u8.ToArray());
        broken.Headers.TryAddWithoutValidation("Content-Type", "multipart/form-data; boundary=b");
        (await agent.PostAsync("/observability/recordings/v0", broken)).ShouldFail(400, "livekit_upload_invalid");
    }

    [Fact]
    public async Task Otlp_is_taken_in_protobuf_and_json_zipped_and_plain_and_broken_it_is_refused()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, options =>
        {
            live.Configure(options);
            options.LiveKit.MaxUploadBytes = 64 * 1024;
        });
        using var agent = api.AsToken(Mint(Observing));
        foreach (var path in Uploads[..3])
        {
            var empty = await agent.SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = Bytes([], "application/x-protobuf") });
            (empty.Status, empty.Response.Content.Headers.ContentType?.MediaType).ShouldBe((200, "application/x-protobuf"));
            (await agent.PostAsync(path, Bytes([], "application/x-protobuf", zip: true))).ShouldBe(200);
            (await agent.PostAsync(path, "{}")).ShouldBe(200);
            (await agent.PostAsync(path, Bytes([0xff], "application/x-protobuf"))).ShouldFail(400, "livekit_upload_invalid");
            (await agent.PostAsync(path, Bytes([0xff], "application/x-protobuf", zip: true))).ShouldFail(400, "livekit_upload_invalid");
            (await agent.PostAsync(path, "[")).ShouldFail(400, "livekit_upload_invalid");
            (await agent.PostAsync(path, Bytes([], "text/plain"))).ShouldFail(415, "content_type_unsupported");
            var liar = Bytes([1, 2, 3], "application/x-protobuf");
            liar.Headers.ContentEncoding.Add("gzip");
            (await agent.PostAsync(path, liar)).ShouldFail(400, "livekit_upload_invalid");
            // Small on the wire, huge unpacked.
            (await agent.PostAsync(path, Bytes(new byte[50 << 20], "application/x-protobuf", zip: true))).ShouldFail(413, "body_too_large");
        }

        (await api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.livekit_inbox")).ShouldBe(0L);
    }

    [Fact]
    public async Task Uploads_without_the_right_are_refused_before_they_are_read()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, live.Configure);
        string?[] tokens =
        [
            null, "nonsense", Mint(new NewLiveKitToken { Identity = "a" }), Mint(new NewLiveKitToken { Observability = new(false) }), Mint(Observing, key: "otherkey"),
            Mint(Observing, secret: "another"), Mint(Observing with { Lifetime = TimeSpan.FromMinutes(1) }, TimeSpan.FromMinutes(-10)), api.Tokens.Mint(Caller.ServiceRole),
        ];
        foreach (var path in Uploads)
        {
            foreach (var token in tokens)
            {
                using var client = new Client(api.Url, token);
                var refused = (await client.PostAsync(path, "{}")).ShouldFail(401, "livekit_token_invalid");
                // Words by which an agent would stop uploading for good.
                refused.Body.ToString().ShouldNotContain("disabled");
            }
        }
    }

    [Fact]
    public async Task Under_overload_an_agent_is_told_to_come_again_as_it_understands_it()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, options =>
        {
            live.Configure(options);
            options.LiveKit.MaxUploads = 1;
        });
        using var http = new HttpClient { BaseAddress = api.Url, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Mint(Observing)) } };
        // The one that is taken in waits for the table; the other finds no place.
        await using var holder = new NpgsqlConnection(api.Database.ConnectionString);
        await holder.OpenAsync(Cancel);
        await using var held = await holder.BeginTransactionAsync(Cancel);
        await using (var hold = new NpgsqlCommand("lock table vox.livekit_inbox in access exclusive mode", holder))
            await hold.ExecuteNonQueryAsync(Cancel);
        var uploads = Enumerable.Range(1, 2)
            .Select(i => http.PostAsync("/observability/recordings/v0", Form([0x0a, 4, .. "RM_1"u8], null, [(byte)i]), Cancel)).ToList();
        var refused = await Task.WhenAny(uploads).WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        var answer = await refused;
        ((int)answer.StatusCode, answer.Content.Headers.ContentType?.MediaType, answer.Headers.RetryAfter?.ToString()).ShouldBe((503, "application/x-protobuf", "2"));
        RetryInfo(await answer.Content.ReadAsByteArrayAsync(Cancel)).ShouldBe((14UL, 2UL));
        await held.RollbackAsync(Cancel);
        (await uploads.Single(upload => upload != refused)).StatusCode.ShouldBe(System.Net.HttpStatusCode.OK);
        (await http.PostAsync("/observability/recordings/v0", Form([0x0a, 4, .. "RM_1"u8], null, [3]), Cancel)).StatusCode.ShouldBe(System.Net.HttpStatusCode.OK);
    }

    [Fact]
    public async Task Without_a_database_an_agent_is_told_to_come_again()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, live.Configure, "Host=127.0.0.1;Port=1;Database=none;Username=nobody;Timeout=2");
        using var http = new HttpClient { BaseAddress = api.Url, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Mint(Observing)) } };
        using var answer = await http.PostAsync("/observability/recordings/v0", Form([0x0a, 4, .. "RM_1"u8], null, [1]), Cancel);
        ((int)answer.StatusCode, RetryInfo(await answer.Content.ReadAsByteArrayAsync(Cancel)).Code).ShouldBe((503, 14UL));
    }

    [Fact]
    public async Task The_official_sdk_and_we_believe_each_other()
    {
        await using var sdk = await LiveKitSdk.StartAsync();
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, live.Configure);
        var tokens = api.Services.GetRequiredService<LiveKitTokens>();
        const string key = FakeLiveKit.Key, secret = FakeLiveKit.Secret;

        // Our tokens, by its verifier.
        var ours = tokens.Mint(new NewLiveKitToken
        {
            Identity = "ada",
            Name = "Ada",
            Metadata = "m",
            Attributes = new Dictionary<string, string> { ["a"] = "b" },
            Sip = new(Call: true),
            Video = new() { RoomJoin = true, Room = "r", CanPublish = false, CanPublishSources = ["microphone"] },
            Observability = new(Write: true),
        });
        var claims = await sdk.AskAsync(new { verb = "verify", key, secret, token = ours });
        JsonElement.DeepEquals(claims, tokens.Verify(ours)).ShouldBeTrue(claims.ToString());
        (await Should.ThrowAsync<LiveKitSdkException>(() => sdk.AskAsync(new { verb = "verify", key, secret = "another", token = ours }))).Message.ShouldContain("signature");

        // Its tokens, by ours, and by our endpoints.
        var theirs = (await sdk.AskAsync(new { verb = "mint", key, secret, options = new { ttl = "6h" }, observability = new { write = true } })).GetString();
        tokens.Verify(theirs, "observability", "write");
        using var agent = api.AsToken(theirs!);
        (await agent.PostAsync("/v1/livekit/session-reports", Report)).ShouldBe(200);

        // Webhooks that it signs; and ours, by its receiver.
        var sent = await sdk.AskAsync(new { verb = "webhook", key, secret, url = new Uri(api.Url, "/v1/livekit/webhooks").ToString(), body = RoomStarted });
        sent.GetProperty("status").GetInt32().ShouldBe(200, sent.ToString());
        var forged = await sdk.AskAsync(new { verb = "webhook", key, secret = "another", url = new Uri(api.Url, "/v1/livekit/webhooks").ToString(), body = RoomStarted });
        (forged.GetProperty("status").GetInt32(), forged.GetProperty("body").GetProperty("code").GetString()).ShouldBe((401, "livekit_webhook_unsigned"));
        (await sdk.AskAsync(new { verb = "receive", key, secret, body = RoomStarted, token = Sign(api, RoomStarted) })).GetProperty("event").GetString().ShouldBe("room_started");

        // The server that the other tests speak with is one that the official clients can speak with.
        var url = live.Url;
        (await sdk.AskAsync(new { verb = "rooms", method = "createRoom", key, secret, url, args = new object[] { new { name = "of the sdk", emptyTimeout = 60 } } }))
            .GetProperty("name").GetString().ShouldBe("of the sdk");
        live.Join("of the sdk", "bo", "PA_1");
        (await sdk.AskAsync(new { verb = "rooms", method = "listRooms", key, secret, url, args = Array.Empty<object>() })).GetArrayLength().ShouldBe(1);
        (await sdk.AskAsync(new { verb = "rooms", method = "listParticipants", key, secret, url, args = new object[] { "of the sdk" } }))[0].GetProperty("identity").GetString().ShouldBe("bo");
        await sdk.AskAsync(new { verb = "rooms", method = "removeParticipant", key, secret, url, args = new object[] { "of the sdk", "bo" } });
        (await sdk.AskAsync(new { verb = "egress", method = "listEgress", key, secret, url, args = new object[] { new { roomName = "of the sdk" } } })).GetArrayLength().ShouldBe(0);
        await sdk.AskAsync(new { verb = "rooms", method = "deleteRoom", key, secret, url, args = new object[] { "of the sdk" } });
        live.Rooms.ShouldBeEmpty();
    }

    private static NewLiveKitToken Observing { get; } = new() { Observability = new(Write: true) };

    private static string Mint(NewLiveKitToken token, TimeSpan? later = null, string key = FakeLiveKit.Key, string secret = FakeLiveKit.Secret) =>
        new LiveKitTokens(new VoxbaseOptions { LiveKit = { ApiKey = key, ApiSecret = secret } }, new ShiftedTime(later ?? TimeSpan.Zero)).Mint(token);

    private static string Sign(Api api, string body) => api.Services.GetRequiredService<LiveKitTokens>().Mint(
        new NewLiveKitToken { Sha256 = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(body))), Lifetime = TimeSpan.FromMinutes(5) });

    private static async Task<Answer> SendAsync(HttpClient http, string body, string? token)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/v1/livekit/webhooks") { Content = Bytes(Encoding.UTF8.GetBytes(body), "application/webhook+json") };
        if (token is not null)
            request.Headers.TryAddWithoutValidation("Authorization", token);
        var response = await http.SendAsync(request, Cancel);
        return new Answer((int)response.StatusCode, JsonElement.Parse(await response.Content.ReadAsStringAsync(Cancel)), response);
    }

    private static ByteArrayContent Bytes(byte[] bytes, string type, bool zip = false)
    {
        if (zip)
        {
            var zipped = new MemoryStream();
            using (var gzip = new GZipStream(zipped, CompressionLevel.Fastest, leaveOpen: true))
                gzip.Write(bytes);
            bytes = zipped.ToArray();
        }

        var content = new ByteArrayContent(bytes) { Headers = { ContentType = new(type) } };
        if (zip)
            content.Headers.ContentEncoding.Add("gzip");
        return content;
    }

    private static MultipartFormDataContent Form(byte[]? header, string? history, byte[] audio)
    {
        var form = new MultipartFormDataContent();
        if (header is not null)
            form.Add(Bytes(header, "application/protobuf"), "header", "header.binpb");
        if (history is not null)
            form.Add(new StringContent(history, Encoding.UTF8, "application/json"), "chat_history", "chat_history.json");
        if (audio.Length > 0)
            form.Add(Bytes(audio, "audio/ogg"), "audio", "recording.ogg");
        return form;
    }

    // google.rpc.Status { code = 1, details = 3 (Any { type_url = 1, value = 2 (RetryInfo { retry_delay = 1 (Duration { seconds = 1 }) }) }) }
    private static (ulong Code, ulong Delay) RetryInfo(byte[] status)
    {
        var (code, delay) = (0UL, 0UL);
        for (var field = new ProtoReader(status); field.Next();)
        {
            if (field.Field == 1)
            {
                code = field.Unsigned();
                continue;
            }

            if (field.Field != 3)
            {
                field.Skip();
                continue;
            }

            for (var any = new ProtoReader(field.Bytes()); any.Next();)
            {
                if (any.Field == 1)
                {
                    any.Text().ShouldBe("type.googleapis.com/google.rpc.RetryInfo");
                    continue;
                }

                var info = new ProtoReader(any.Bytes());
                info.Next().ShouldBeTrue();
                var duration = new ProtoReader(info.Bytes());
                duration.Next().ShouldBeTrue();
                delay = duration.Unsigned();
            }
        }

        return (code, delay);
    }

    private sealed class ShiftedTime(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UtcNow + by;
    }
}
