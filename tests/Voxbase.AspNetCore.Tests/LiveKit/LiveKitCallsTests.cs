using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Voxbase.Capture;
using Voxbase.Data;
using Voxbase.LiveKit;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests;

public sealed class LiveKitCallsTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_call_is_its_record_its_room_and_a_token_that_opens_it()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, live.Configure);
        var user = await api.Database.NewUserAsync();
        using var client = api.As(user);

        var started = (await client.PostAsync(
            "/v1/livekit/calls",
            """{"name":"Support","metadata":{"ticket":7},"room_metadata":"m","max_participants":4,"participant_name":"Ada","agents":[{"agent_name":"helper","metadata":"hello"}]}""")).ShouldBe(201);

        var id = started["conversation"].GetProperty("id").GetGuid();
        var room = live.Rooms.ShouldHaveSingleItem().Value;
        room["name"]!.GetValue<string>().ShouldBe($"call_{id:n}");
        started["conversation"].GetProperty("session_id").GetString().ShouldBe(room["sid"]!.GetValue<string>());
        started["conversation"].GetProperty("status").GetString().ShouldBe("pending");
        started["conversation"].GetProperty("metadata").GetProperty("ticket").GetInt32().ShouldBe(7);
        started.Body.ToString().ShouldNotContain("hush");
        var asked = live.Asked.Single(a => a.Method == "CreateRoom").Body;
        asked.GetProperty("agents")[0].GetProperty("agent_name").GetString().ShouldBe("helper");
        (asked.GetProperty("empty_timeout").GetInt32(), asked.GetProperty("max_participants").GetInt32()).ShouldBe((300, 4));
        var access = started["access"];
        var claims = api.Services.GetRequiredService<LiveKitTokens>().Verify(access.GetProperty("token").GetString());
        claims.GetProperty("sub").GetString().ShouldBe(user.UserId.ToString());
        claims.GetProperty("video").GetRawText().ShouldBe($$"""{"roomJoin":true,"room":"call_{{id:n}}"}""");
        access.GetProperty("url").GetString().ShouldStartWith("ws://");

        using var stranger = api.As(await api.Database.NewUserAsync());
        (await stranger.PostAsync($"/v1/livekit/calls/{id}/end")).ShouldFail(404, "conversation_not_found");
        (await stranger.GetAsync($"/v1/livekit/calls/{id}/participants")).ShouldFail(404, "conversation_not_found");
        (await stranger.PostAsync($"/v1/livekit/calls/{id}/egress")).ShouldFail(404, "conversation_not_found");
        (await stranger.PostAsync($"/v1/livekit/calls/{id}/participants/remove", """{"identity":"x"}""")).ShouldFail(404, "conversation_not_found");
        (await stranger.PostAsync("/v1/livekit/tokens", $$"""{"conversation_id":"{{id}}"}""")).ShouldFail(404, "conversation_not_found");

        var ended = (await client.PostAsync($"/v1/livekit/calls/{id}/end", """{"reason":"enough"}""")).ShouldBe(200);
        ended["end_reason"].GetString().ShouldBe("enough");
        live.Rooms.ShouldBeEmpty();
        (await client.PostAsync($"/v1/livekit/calls/{id}/end")).ShouldBe(200)["end_reason"].GetString().ShouldBe("enough");
        (await client.PostAsync($"/v1/livekit/calls/{id}/egress")).ShouldFail(409, "livekit_call_over");
        (await client.PostAsync("/v1/livekit/tokens", $$"""{"conversation_id":"{{id}}"}""")).ShouldFail(409, "livekit_call_over");
    }

    [Theory]
    [InlineData(503, """{"code":"unavailable","msg":"busy"}""", 503, "livekit_unavailable")]
    [InlineData(500, """{"code":"internal","msg":"broke"}""", 503, "livekit_unavailable")]
    [InlineData(502, "<html>", 503, "livekit_unavailable")]
    [InlineData(200, "not json", 503, "livekit_unavailable")]
    [InlineData(200, "{}", 503, "livekit_unavailable")]
    [InlineData(403, """{"code":"permission_denied","msg":"no"}""", 409, "livekit_refused")]
    [InlineData(429, """{"code":"resource_exhausted","msg":"too many"}""", 409, "livekit_refused")]
    public async Task When_the_room_cannot_be_made_nothing_remains(int status, string body, int answered, string code)
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, live.Configure);
        using var client = api.As(await api.Database.NewUserAsync());
        // Whether LiveKit did it and the answer got lost, or did it not.
        foreach (var isDone in (bool[])[false, true])
        {
            Task<(int, string)?> Fail(string method) => Task.FromResult<(int, string)?>(method == "CreateRoom" ? (status, body) : null);
            if (isDone)
                (live.Before, live.After) = (_ => Task.FromResult<(int, string)?>(null), Fail);
            else
                live.Before = Fail;
            (await client.PostAsync("/v1/livekit/calls")).ShouldFail(answered, code);
            live.Rooms.ShouldBeEmpty();
            (await api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.conversations")).ShouldBe(0L);
        }
    }

    [Fact]
    public async Task What_fails_for_a_while_is_tried_again_where_that_is_safe()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, live.Configure);
        using var client = api.As(await api.Database.NewUserAsync());
        FailFirst("CreateRoom", (500, """{"code":"internal"}"""));
        var id = (await client.PostAsync("/v1/livekit/calls")).ShouldBe(201)["conversation"].GetProperty("id").GetGuid();
        live.Count("CreateRoom").ShouldBe(2);

        // What began a recording, perhaps, is not begun twice; what surely did not, is.
        FailFirst("StartRoomCompositeEgress", (500, """{"code":"internal"}"""));
        (await client.PostAsync($"/v1/livekit/calls/{id}/egress")).ShouldFail(503, "livekit_unavailable");
        live.Count("StartRoomCompositeEgress").ShouldBe(1);
        FailFirst("StartRoomCompositeEgress", (503, """{"code":"unavailable"}"""));
        (await client.PostAsync($"/v1/livekit/calls/{id}/egress")).ShouldBe(201);
        live.Count("StartRoomCompositeEgress").ShouldBe(3);

        void FailFirst(string method, (int, string) answer)
        {
            var failed = 0;
            live.Before = asked => Task.FromResult<(int, string)?>(asked == method && Interlocked.Exchange(ref failed, 1) == 0 ? answer : null);
        }
    }

    [Fact]
    public async Task A_LiveKit_that_hangs_or_is_not_there_is_given_up_on()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, options =>
        {
            live.Configure(options);
            options.LiveKit.RequestTimeout = TimeSpan.FromMilliseconds(200);
            options.LiveKit.MaxAttempts = 2;
        });
        using var client = api.As(await api.Database.NewUserAsync());
        var hold = new TaskCompletionSource<(int, string)?>();
        live.Before = _ => hold.Task;
        (await client.PostAsync("/v1/livekit/calls")).ShouldFail(503, "livekit_unavailable");
        hold.SetResult(null);
        await live.DisposeAsync();
        (await client.PostAsync("/v1/livekit/calls")).ShouldFail(503, "livekit_unavailable");
        (await api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.conversations")).ShouldBe(0L);
    }

    [Fact]
    public async Task Participants_are_listed_and_sent_out_and_recordings_begin_and_end()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, live.Configure);
        using var client = api.As(await api.Database.NewUserAsync());
        using var service = api.As(Caller.Service);
        var id = (await client.PostAsync("/v1/livekit/calls")).ShouldBe(201)["conversation"].GetProperty("id").GetGuid();
        live.Join($"call_{id:n}", "bo", "PA_1");

        (await client.GetAsync($"/v1/livekit/calls/{id}/participants")).ShouldBe(200)["data"][0].GetProperty("identity").GetString().ShouldBe("bo");
        (await client.PostAsync($"/v1/livekit/calls/{id}/participants/remove", """{"identity":"bo"}""")).ShouldBe(200)["removed"].GetBoolean().ShouldBeTrue();
        (await client.PostAsync($"/v1/livekit/calls/{id}/participants/remove", """{"identity":"bo"}""")).ShouldBe(200)["removed"].GetBoolean().ShouldBeFalse();

        var egress = (await client.PostAsync($"/v1/livekit/calls/{id}/egress")).ShouldBe(201)["egress_id"].GetString()!;
        var asked = live.Asked.Single(a => a.Method == "StartRoomCompositeEgress").Body;
        (asked.GetProperty("audio_only").GetBoolean(), asked.GetProperty("audio_mixing").GetString()).ShouldBe((true, "DUAL_CHANNEL_AGENT"));
        asked.GetProperty("file_outputs")[0].GetProperty("filepath").GetString().ShouldBe("recordings/{room_name}-{time}.ogg");
        (await client.PostAsync($"/v1/livekit/calls/{id}/egress", """{"path":"/etc/passwd"}""")).ShouldFail(403, "livekit_grant_refused");
        (await service.PostAsync($"/v1/livekit/calls/{id}/egress", """{"path":"elsewhere.ogg","mixed":true}""")).ShouldBe(201);
        (await client.GetAsync($"/v1/livekit/calls/{id}/egress")).ShouldBe(200)["data"].GetArrayLength().ShouldBe(2);
        (await client.PostAsync($"/v1/livekit/calls/{id}/egress/{egress}/stop")).ShouldBe(200)["status"].GetString().ShouldBe("complete");
        (await client.PostAsync($"/v1/livekit/calls/{id}/egress/{egress}/stop")).ShouldBe(200)["status"].GetString().ShouldBe("complete");
        (await client.PostAsync($"/v1/livekit/calls/{id}/egress/EG_other/stop")).ShouldFail(404, "livekit_not_found");
        (await client.GetAsync("/v1/livekit/rooms")).ShouldFail(403, "livekit_grant_refused");
        (await service.GetAsync("/v1/livekit/rooms")).ShouldBe(200)["data"].GetArrayLength().ShouldBe(1);
    }

    [Fact]
    public async Task A_user_gets_a_token_to_join_its_own_call_as_itself_and_nothing_more()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, live.Configure);
        var (owner, guest, admin) = (await api.Database.NewUserAsync(), await api.Database.NewUserAsync(), await api.Database.NewUserAsync(isAdmin: true));
        using var client = api.As(owner);
        var id = (await client.PostAsync("/v1/livekit/calls")).ShouldBe(201)["conversation"].GetProperty("id").GetGuid();
        string Body(string more) => $$"""{"conversation_id":"{{id}}"{{more}}}""";

        var narrowed = (await client.PostAsync("/v1/livekit/tokens", Body(""","video":{"can_publish":false,"can_publish_sources":["microphone"]},"name":"Ada","attributes":{"lang":"en"},"lifetime_seconds":60"""))).ShouldBe(201);
        Claims(narrowed).GetProperty("video").GetRawText().ShouldBe($$"""{"roomJoin":true,"room":"call_{{id:n}}","canPublish":false,"canPublishSources":["microphone"]}""");
        foreach (var wish in (string[])
        [
            ""","identity":"somebody" """, ""","video":{"room_admin":true}""", ""","video":{"room_create":true}""", ""","video":{"room_list":true}""",
            ""","video":{"room_record":true}""", ""","video":{"hidden":true}""", ""","video":{"recorder":true}""", ""","video":{"agent":true}""",
            ""","video":{"ingress_admin":true}""", ""","video":{"room":"another"}""", ""","video":{"destination_room":"another"}""",
            ""","video":{"can_update_own_metadata":true}""", ""","video":{"can_manage_agent_session":true}""", ""","sip":{"call":true}""", ""","agent":{"admin":true}""",
            ""","inference":{"perform":true}""", ""","observability":{"write":true}""", ""","kind":"agent" """, ""","kind_details":["x"]""",
            ""","room_preset":"x" """, ""","room_config":{"maxParticipants":1}""", ""","attributes":{"lk.agent.state":"x"}""", ""","lifetime_seconds":86400""",
        ])
            (await client.PostAsync("/v1/livekit/tokens", Body(wish))).ShouldFail(403, "livekit_grant_refused");
        (await client.PostAsync("/v1/livekit/tokens", Body(""","roomAdmin":true"""))).ShouldFail(400, "field_unknown");
        (await client.PostAsync("/v1/livekit/tokens", "{}")).ShouldFail(400, "input_invalid");

        // Who takes part joins as itself.
        using var other = api.As(guest);
        (await other.PostAsync("/v1/livekit/tokens", Body(""))).ShouldFail(404, "conversation_not_found");
        await api.Database.Conversations.JoinAsync(owner, id, new NewParticipant { Identity = "guest", UserId = guest.UserId }, Cancel);
        Claims((await other.PostAsync("/v1/livekit/tokens", Body(""))).ShouldBe(201)).GetProperty("sub").GetString().ShouldBe(guest.UserId.ToString());

        // A name that a user gave its own conversation opens nobody's room.
        var own = await client.StartAsync($$"""{"kind":"call","room_name":"call_{{Guid.NewGuid():n}}"}""");
        (await client.PostAsync("/v1/livekit/tokens", $$"""{"conversation_id":"{{own}}"}""")).ShouldFail(409, "livekit_no_room");
        (await client.PostAsync($"/v1/livekit/calls/{own}/end")).ShouldFail(409, "livekit_no_room");

        foreach (var trusted in (Caller[])[Caller.Service, admin])
        {
            using var caller = api.As(trusted);
            var claims = Claims((await caller.PostAsync("/v1/livekit/tokens", Body(""","identity":"robot","kind":"agent","video":{"room_join":true,"agent":true,"room_admin":true,"can_publish":true},"sip":{"call":true},"lifetime_seconds":3600"""))).ShouldBe(201));
            claims.GetProperty("video").GetRawText().ShouldBe($$"""{"roomAdmin":true,"roomJoin":true,"room":"call_{{id:n}}","canPublish":true,"agent":true}""");
            (await caller.PostAsync("/v1/livekit/tokens", Body(""","identity":"x","room_config":{"egress":{"room":{"file":{"s3":{"secret":"s"}}}}}"""))).ShouldFail(400, "livekit_token_not_mintable");
        }

        JsonElement Claims(Answer answer) => api.Services.GetRequiredService<LiveKitTokens>().Verify(answer["token"].GetString());
    }

    [Fact]
    public async Task Every_endpoint_refuses_a_missing_expired_wrongly_signed_and_anonymous_credential()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, live.Configure);
        var id = Guid.CreateVersion7();
        var user = await api.Database.NewUserAsync();
        var other = new Tokens(new VoxbaseOptions { Tokens = { Secret = "another secret that is long enough!!" } }, TimeProvider.System);
        var past = new Tokens(new VoxbaseOptions { Tokens = { Secret = Api.Secret } }, new PastTime());
        var ofLiveKit = api.Services.GetRequiredService<LiveKitTokens>().Mint(new NewLiveKitToken { Identity = "a", Video = new() { RoomAdmin = true, Room = "r" } });
        (string? Token, string Code)[] refused =
        [
            (null, "token_missing"), ("nonsense", "token_invalid"), (other.Mint(Caller.ServiceRole), "token_invalid"),
            (past.Mint(Caller.UserRole, user.UserId), "token_expired"), (ofLiveKit, "token_invalid"), (api.Tokens.Mint(Caller.AnonymousRole), "sign_in_required"),
        ];
        foreach (var (token, code) in refused)
        {
            using var client = new Client(api.Url, token);
            foreach (var path in (string[])["tokens", "calls", $"calls/{id}/end", $"calls/{id}/participants/remove", $"calls/{id}/egress", $"calls/{id}/egress/x/stop"])
                (await client.PostAsync($"/v1/livekit/{path}", "{}")).ShouldFail(401, code);
            foreach (var path in (string[])["rooms", $"calls/{id}/participants", $"calls/{id}/egress"])
                (await client.GetAsync($"/v1/livekit/{path}")).ShouldFail(401, code);
        }

        live.Asked.ShouldBeEmpty();
    }

    [Fact]
    public async Task Without_LiveKits_key_its_endpoints_say_so()
    {
        await using var api = await Api.StartAsync(cluster);
        using var client = api.As(await api.Database.NewUserAsync());
        (await client.PostAsync("/v1/livekit/calls")).ShouldFail(503, "livekit_not_configured");
        (await client.PostAsync("/v1/livekit/webhooks", "{}")).ShouldFail(503, "livekit_not_configured");
        (await api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.conversations")).ShouldBe(0L);
    }

    [Fact]
    public async Task A_running_call_is_found_told_and_ended_from_any_process()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, live.Configure);
        using var client = api.As(await api.Database.NewUserAsync());
        var id = (await client.PostAsync("/v1/livekit/calls")).ShouldBe(201)["conversation"].GetProperty("id").GetGuid();
        var calls = api.Services.GetRequiredService<RunningCalls>();
        calls.Find(id).ShouldBeNull("it runs in no process");

        var call = (await calls.FindAsync(id, Cancel)).ShouldNotBeNull();
        await call.TellAsync("budget_alert", "80 % of the budget is spent", Cancel);
        var told = live.Asked.Single(a => a.Method == "SendData").Body;
        told.GetProperty("topic").GetString().ShouldBe("voxbase");
        Convert.FromBase64String(told.GetProperty("data").GetString()!).ShouldBe("""{"type":"voxbase","code":"budget_alert","message":"80 % of the budget is spent"}"""u8.ToArray());
        await call.EndAsync("budget_exceeded", Cancel);
        await call.EndAsync("again", Cancel);
        await call.TellAsync("late", "nobody is there", Cancel);
        live.Rooms.ShouldBeEmpty();
        (await api.Database.Conversations.FindAsync(Caller.Service, id, Cancel)).EndReason.ShouldBe("budget_exceeded");
        (await calls.FindAsync(id, Cancel)).ShouldBeNull();
        (await calls.FindAsync(Guid.CreateVersion7(), Cancel)).ShouldBeNull();
    }

    [Fact]
    public async Task A_room_that_could_not_be_closed_is_closed_by_the_reconciler()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, live.Configure);
        using var client = api.As(await api.Database.NewUserAsync());
        var id = (await client.PostAsync("/v1/livekit/calls")).ShouldBe(201)["conversation"].GetProperty("id").GetGuid();
        live.Before = method => Task.FromResult<(int, string)?>(method == "DeleteRoom" ? FakeLiveKit.Error(503, "unavailable") : null);
        (await client.PostAsync($"/v1/livekit/calls/{id}/end", """{"reason":"enough"}""")).ShouldFail(503, "livekit_unavailable");
        (await api.Database.Conversations.FindAsync(Caller.Service, id, Cancel)).EndReason.ShouldBe("enough");
        live.Rooms.Count.ShouldBe(1);
        live.Before = _ => Task.FromResult<(int, string)?>(null);
        (await api.Services.GetRequiredService<LiveKitReconciler>().RunOnceAsync(Cancel)).ShouldBe((0, 1));
        live.Rooms.ShouldBeEmpty();
    }

    // The room was made and the answer got lost: LiveKit tells of a room whose call was taken back.
    [Fact]
    public async Task Events_of_a_call_that_was_taken_back_make_no_call()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, live.Configure);
        var name = $"call_{Guid.CreateVersion7():n}";
        foreach (var type in (string[])["room_started", "room_finished"])
        {
            var (e, payload) = LiveKitEvent.Accept(System.Text.Encoding.UTF8.GetBytes($$$"""{"event":"{{{type}}}","room":{"sid":"RM_lost","name":"{{{name}}}","creationTime":"1787074610"},"id":"EV_{{{type}}}","createdAt":"1787074610"}"""));
            await api.Services.GetRequiredService<LiveKitInbox>().AcceptAsync(e, payload, Cancel);
        }

        await ReadAsync(api);
        (await api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.conversations")).ShouldBe(0L);
        (await api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.livekit_inbox")).ShouldBe(2L, "they are kept all the same");
    }

    [Fact]
    public async Task The_reconciler_learns_what_was_not_heard_and_clears_what_a_dead_process_left()
    {
        await using var live = await FakeLiveKit.StartAsync();
        await using var api = await Api.StartAsync(cluster, options =>
        {
            live.Configure(options);
            options.LiveKit.ReconcileAfter = TimeSpan.FromHours(1);
        });
        var user = await api.Database.NewUserAsync();
        using var client = api.As(user);
        var (gone, open) = (await StartAsync(), await StartAsync());
        live.Join($"call_{open:n}", user.UserId.ToString()!, "PA_unheard");
        live.Rooms.TryRemove($"call_{gone:n}", out _);
        // Died between the record and the room's sid.
        var begun = Guid.CreateVersion7();
        await api.Database.Conversations.StartAsync(
            user, new NewConversation { Id = begun, Kind = ConversationKind.Call, RoomName = $"call_{begun:n}", Metadata = JsonElement.Parse("""{"livekit":{}}""") }, Cancel);
        await api.Services.GetRequiredService<LiveKitRooms>().CreateAsync(new NewLiveKitRoom { Name = $"call_{begun:n}" }, Cancel);
        var reconciler = new LiveKitReconciler(
            api.Services.GetRequiredService<Database>(), api.Services.GetRequiredService<LiveKitRooms>(), api.Services.GetRequiredService<LiveKitCalls>(),
            api.Services.GetRequiredService<LiveKitInbox>(), api.Services.GetRequiredService<VoxbaseOptions>(), new LaterTime());

        (await api.Services.GetRequiredService<LiveKitReconciler>().RunOnceAsync(Cancel)).ShouldBe((0, 0), "they had news a moment ago");
        (await reconciler.RunOnceAsync(Cancel)).ShouldBe((3, 3));
        await ReadAsync(api);
        (await Find(gone)).EndReason.ShouldBe("nobody_joined");
        (await Find(open)).Status.ShouldBe(ConversationStatus.Active);
        (await Should.ThrowAsync<VoxbaseException>(() => Find(begun))).Code.ShouldBe("conversation_not_found");
        live.Rooms.Keys.ShouldBe([$"call_{open:n}"]);
        (await reconciler.RunOnceAsync(Cancel)).ShouldBe((1, 0), "nothing is new, so nothing is told again");

        // A recording whose end was not heard.
        var egress = (await client.PostAsync($"/v1/livekit/calls/{open}/egress")).ShouldBe(201)["egress_id"].GetString()!;
        var (e, payload) = LiveKitEvent.Accept(System.Text.Encoding.UTF8.GetBytes(
            $$$"""{"event":"egress_started","egressInfo":{"egressId":"{{{egress}}}","roomId":"{{{live.Rooms.Single().Value["sid"]}}}","roomName":"call_{{{open:n}}}","status":"EGRESS_ACTIVE"},"id":"EV_e","createdAt":"1787074610"}"""));
        await api.Services.GetRequiredService<LiveKitInbox>().AcceptAsync(e, payload, Cancel);
        await ReadAsync(api);
        live.Egresses[egress]["status"] = "EGRESS_COMPLETE";
        (await reconciler.RunOnceAsync(Cancel)).Changed.ShouldBe(1);
        await ReadAsync(api);
        (await api.Database.ScalarAsync(Caller.Service, "select status from vox.recordings")).ShouldBe("complete");

        async Task<Guid> StartAsync() => (await client.PostAsync("/v1/livekit/calls")).ShouldBe(201)["conversation"].GetProperty("id").GetGuid();
        Task<Conversation> Find(Guid id) => api.Database.Conversations.FindAsync(Caller.Service, id, Cancel);
    }

    /// <summary>Waits until everything taken in has been read.</summary>
    internal static async Task ReadAsync(Api api)
    {
        await api.Services.GetRequiredService<LiveKitInbox>().RunOnceAsync(Cancel);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        // The host's own reader may have taken some of it.
        while ((long)(await api.Database.ScalarAsync(Caller.Service, "select count(*) from vox.livekit_inbox where read_at is null"))! > 0)
            await Task.Delay(20, patience.Token);
    }

    private sealed class PastTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UtcNow.AddDays(-1);
    }

    private sealed class LaterTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UtcNow.AddHours(2);
    }
}
