using Npgsql;
using Voxbase.Data;
using Voxbase.Realtime;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests.Realtime;

/// <summary>Private channels: the policies of realtime.messages, and nothing else, say who may do what.</summary>
public sealed class PrivateChannelTests(TestCluster cluster)
{
    private const string Private = """{"private":true,"presence":{"enabled":false},"broadcast":{"ack":true}}""";
    private const string Message = """{"type":"broadcast","event":"said","payload":{}}""";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_channel_of_a_conversation_is_its_owners_and_its_participants_alone()
    {
        await using var api = await Api.StartAsync(cluster);
        var (owner, participant, stranger, admin) =
            (await api.Database.NewUserAsync(), await api.Database.NewUserAsync(), await api.Database.NewUserAsync(), await api.Database.NewUserAsync(isAdmin: true));
        var conversation = (await api.Database.Conversations.StartAsync(owner, new NewConversation(), Cancel)).Id;
        await api.Database.Conversations.JoinAsync(owner, conversation, new NewParticipant { Identity = "guest", UserId = participant.UserId }, Cancel);
        var topic = $"realtime:conversation:{conversation}";
        using var hearing = await (await PhoenixClient.ConnectAsync(api, owner)).JoinedAsync(topic, Private);
        foreach (var (caller, isAllowed) in new[] { (owner, true), (participant, true), (admin, true), (Caller.Service, true), (stranger, false), (Caller.Anonymous, false) })
        {
            using var client = await PhoenixClient.ConnectAsync(api, caller);
            var joined = await client.JoinAsync(topic, Private);
            joined.Status.ShouldBe(isAllowed ? "ok" : "error", caller.ToString());
            if (isAllowed)
            {
                (await client.ReplyAsync(await client.SendAsync(topic, "broadcast", Message, "1"))).Status.ShouldBe("ok");
                await hearing.NextAsync("broadcast");
            }
            else
            {
                joined.Response.GetProperty("reason").GetString()
                    .ShouldBe($"Unauthorized: You do not have permissions to read from this Channel topic: conversation:{conversation}");
            }
        }

        // Over HTTP the same.
        foreach (var (caller, isAllowed) in new[] { (participant, true), (stranger, false), (Caller.Anonymous, false), (Caller.Service, true) })
        {
            using var http = api.As(caller);
            var path = $"/realtime/v1/api/broadcast/conversation:{conversation}/events/posted?private=true";
            (await http.PostAsync(path, """{"by":"one"}""")).Status.ShouldBe(202);
            (await http.PostAsync(
                "/realtime/v1/api/broadcast", $$"""{"messages":[{"topic":"conversation:{{conversation}}","event":"posted","payload":{"by":"many"},"private":true}]}"""))
                .Status.ShouldBe(202);
            if (isAllowed)
            {
                await hearing.NextAsync("broadcast");
                await hearing.NextAsync("broadcast");
            }

            (await hearing.PendingAsync()).ShouldBeEmpty(caller.ToString());
        }

        (await CountAsync(api)).ShouldBe(0, "probes are undone");
    }

    [Fact]
    public async Task A_topic_without_a_policy_is_nobodys()
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        using var client = await PhoenixClient.ConnectAsync(api, user);
        foreach (var topic in new[] { "room", "conversation:", "conversation:nonsense", $"conversation:{Guid.NewGuid()}", $"conversation:{Guid.NewGuid()}x", "'; drop table vox.turns; --" })
            (await client.JoinAsync($"realtime:{topic}", Private)).Status.ShouldBe("error", topic);
    }

    [Fact]
    public async Task A_private_and_a_public_channel_of_one_name_have_nothing_in_common()
    {
        await using var api = await Api.StartAsync(cluster);
        var owner = await api.Database.NewUserAsync();
        var conversation = (await api.Database.Conversations.StartAsync(owner, new NewConversation(), Cancel)).Id;
        var topic = $"realtime:conversation:{conversation}";
        using var inside = await (await PhoenixClient.ConnectAsync(api, owner)).JoinedAsync(topic, """{"private":true}""");
        using var outside = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync(topic, """{"private":false}""");
        using var pretending = await (await PhoenixClient.ConnectAsync(api, Caller.Anonymous)).JoinedAsync($"realtime:private:conversation:{conversation}", "{}");
        await inside.SendAsync(topic, "presence", """{"event":"track","payload":{"secret":1}}""", "1");
        await inside.SendAsync(topic, "broadcast", Message, "1");
        await outside.SendAsync(topic, "broadcast", """{"event":"outside"}""", "1");
        api.Get<Channels>().Send(ChannelTopic.Of(conversation), Broadcast.Json("inside", "1"u8.ToArray())).ShouldBe(1);
        (await inside.NextAsync("broadcast")).Payload.GetProperty("event").GetString().ShouldBe("inside");
        foreach (var other in new[] { outside, pretending })
            (await other.PendingAsync()).ShouldAllBe(message => message.Event == "presence_state" && message.Payload.GetRawText() == "{}");
    }

    [Fact]
    public async Task Each_right_has_a_policy_of_its_own()
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        await ExecuteAsync(
            api,
            """
            create policy hear on realtime.messages for select to authenticated using (realtime.topic() in ('hear', 'both') and extension = 'broadcast');
            create policy see on realtime.messages for select to authenticated using (realtime.topic() in ('see', 'both') and extension = 'presence');
            create policy speak on realtime.messages for insert to authenticated with check (realtime.topic() in ('both') and extension = 'broadcast');
            create policy be on realtime.messages for insert to authenticated with check (realtime.topic() in ('both') and extension = 'presence');
            """);
        foreach (var (topic, hears, sees, speaks) in new[] { ("hear", true, false, false), ("see", false, true, false), ("both", true, true, true) })
        {
            using var service = await PhoenixClient.ConnectAsync(api, Caller.Service);
            await service.JoinedAsync($"realtime:{topic}", """{"private":true,"broadcast":{"ack":true},"presence":{"key":"service"}}""");
            using var client = await PhoenixClient.ConnectAsync(api, user);
            await client.JoinedAsync($"realtime:{topic}", """{"private":true,"broadcast":{"ack":true},"presence":{"key":"user"}}""");
            var ack = await client.ReplyAsync(await client.SendAsync($"realtime:{topic}", "broadcast", """{"event":"mine"}""", "1"));
            ack.Status.ShouldBe(speaks ? "ok" : "error", topic);
            var tracked = await client.ReplyAsync(await client.SendAsync($"realtime:{topic}", "presence", """{"event":"track","payload":{"a":1}}""", "1"));
            tracked.Status.ShouldBe(speaks ? "ok" : "error", topic);
            await service.ReplyAsync(await service.SendAsync($"realtime:{topic}", "broadcast", """{"event":"theirs"}""", "1"));
            await service.ReplyAsync(await service.SendAsync($"realtime:{topic}", "presence", """{"event":"track","payload":{"b":1}}""", "1"));
            var seen = await client.PendingAsync();
            seen.Any(message => message.Event == "broadcast").ShouldBe(hears, topic);
            seen.Any(message => message.Event == "presence_diff" && message.Payload.GetProperty("joins").TryGetProperty("service", out _)).ShouldBe(sees, topic);
        }
    }

    [Fact]
    public async Task Policies_see_claims_and_headers_and_one_that_raises_means_no()
    {
        await using var api = await Api.StartAsync(cluster);
        var user = await api.Database.NewUserAsync();
        await ExecuteAsync(
            api,
            """
            create policy by_claim on realtime.messages for select to authenticated
              using (realtime.topic() = 'claims' and auth.uid() is not null and (auth.jwt() ->> 'team') = 'blue' and current_setting('request.jwt.claim.sub') = auth.uid()::text);
            create policy by_header on realtime.messages for select to authenticated
              using (realtime.topic() = 'headers' and (current_setting('request.headers')::jsonb ->> 'x-region') = 'eu' and current_setting('request.headers') not like '%eyJ%');
            create policy poison on realtime.messages for select to authenticated using (case when realtime.topic() = 'poison' then 1 / (length(topic) - 6) = 1 else false end);
            """);
        var blue = api.Tokens.Mint(Caller.UserRole, user.UserId, extraClaims: new() { ["team"] = "blue" });
        using var socket = new System.Net.WebSockets.ClientWebSocket();
        socket.Options.SetRequestHeader("x-region", "eu");
        socket.Options.SetRequestHeader("x-api-key", blue);
        await socket.ConnectAsync(new Uri($"ws://{api.Url.Authority}/realtime/v1/websocket?vsn=2.0.0"), Cancel);
        using var client = new PhoenixClient(socket, "2.0.0");
        (await client.JoinAsync("realtime:claims", Private)).Status.ShouldBe("ok");
        (await client.JoinAsync("realtime:headers", Private)).Status.ShouldBe("ok");
        (await client.JoinAsync("realtime:poison", Private)).Response.GetProperty("reason").GetString().ShouldStartWith("Unauthorized:");
        using var other = await PhoenixClient.ConnectAsync(api, user);
        (await other.JoinAsync("realtime:claims", Private)).Status.ShouldBe("error");
        (await other.JoinAsync("realtime:headers", Private)).Status.ShouldBe("error");
    }

    [Fact]
    public async Task Who_is_taken_out_of_a_conversation_loses_its_channel_at_once()
    {
        await using var api = await Api.StartAsync(cluster);
        var (owner, participant) = (await api.Database.NewUserAsync(), await api.Database.NewUserAsync());
        var conversation = (await api.Database.Conversations.StartAsync(owner, new NewConversation(), Cancel)).Id;
        await api.Database.Conversations.JoinAsync(owner, conversation, new NewParticipant { Identity = "guest", UserId = participant.UserId }, Cancel);
        var topic = $"realtime:conversation:{conversation}";
        using var staying = await (await PhoenixClient.ConnectAsync(api, owner)).JoinedAsync(topic, Private);
        using var leaving = await (await PhoenixClient.ConnectAsync(api, participant)).JoinedAsync(topic, Private);
        await api.Database.ExecuteAsync(Caller.Service, "delete from vox.participants where conversation_id = $1", Parameter.Uuid(conversation));
        (await leaving.NextAsync("system")).Payload.GetProperty("message").GetString()
            .ShouldBe($"You do not have permissions to read from this Channel topic: conversation:{conversation}");
        await leaving.NextAsync("phx_close");
        (await staying.PendingAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Who_loses_a_right_by_a_table_of_ones_own_loses_its_channel()
    {
        await using var api = await Api.StartAsync(cluster);
        var (staying, leaving) = (await api.Database.NewUserAsync(), await api.Database.NewUserAsync());
        await ExecuteAsync(
            api,
            $"""
            create table public.members (room text, user_id uuid, primary key (room, user_id));
            grant select on public.members to authenticated, service_role;
            insert into public.members values ('den', '{staying.UserId}'), ('den', '{leaving.UserId}');
            create policy members on realtime.messages for select to authenticated
              using (exists (select from public.members m where m.room = realtime.topic() and m.user_id = (select auth.uid())));
            create publication voxbase_feed with (publish = 'insert, update, delete', publish_via_partition_root = true);
            alter publication voxbase_feed add table public.members;
            """);
        using var one = await (await PhoenixClient.ConnectAsync(api, staying)).JoinedAsync("realtime:den", Private);
        using var other = await (await PhoenixClient.ConnectAsync(api, leaving)).JoinedAsync("realtime:den", Private);
        await api.Get<Voxbase.Realtime.DatabaseBroadcasts>().Ready.WaitAsync(TimeSpan.FromSeconds(60), Cancel);
        await ExecuteAsync(api, $"delete from public.members where user_id = '{leaving.UserId}'");
        await other.NextAsync("phx_close");
        (await one.PendingAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Users_insert_and_read_messages_by_the_same_policies()
    {
        await using var api = await Api.StartAsync(cluster);
        var (owner, stranger) = (await api.Database.NewUserAsync(), await api.Database.NewUserAsync());
        var conversation = (await api.Database.Conversations.StartAsync(owner, new NewConversation(), Cancel)).Id;
        const string send = "insert into realtime.messages (topic, extension, event, payload, private) values ($1, 'broadcast', 'e', '{}', true)";
        var topic = Parameter.Text($"conversation:{conversation}");
        (await api.Database.ExecuteAsync(owner, send, topic.Clone())).ShouldBe(1);
        (await Should.ThrowAsync<VoxbaseException>(() => api.Database.ExecuteAsync(stranger, send, topic.Clone()))).Code.ShouldBe("forbidden");
        (await api.Database.ScalarAsync(owner, "select count(*) from realtime.messages")).ShouldBe(1L);
        (await api.Database.ScalarAsync(stranger, "select count(*) from realtime.messages")).ShouldBe(0L);
        (await Should.ThrowAsync<VoxbaseException>(() => api.Database.ScalarAsync(Caller.Anonymous, "select count(*) from realtime.messages"))).Code.ShouldBe("forbidden");
        (await Should.ThrowAsync<VoxbaseException>(() => api.Database.ExecuteAsync(owner, "delete from realtime.messages"))).Code.ShouldBe("forbidden");
        (await Should.ThrowAsync<VoxbaseException>(() => api.Database.ExecuteAsync(owner, "select vox_private.channel_access('t', 'service_role', '{}', '{}')"))).Code.ShouldBe("forbidden");
        // Sending through the function: a refusal warns and does not fail.
        await api.Database.ScalarAsync(stranger, $"select realtime.send('{{}}', 'e', 'conversation:{conversation}')");
        await api.Database.ScalarAsync(owner, $"select realtime.send('{{\"a\":1}}', 'e', 'conversation:{conversation}')");
        (await api.Database.ScalarAsync(owner, "select count(*) from realtime.messages")).ShouldBe(2L);
        (await api.Database.ScalarAsync(owner, "select payload ->> 'id' = id::text from realtime.messages where payload ? 'a'")).ShouldBe(true);
    }

    [Fact]
    public async Task Messages_that_were_missed_are_told_again_to_who_asks()
    {
        await using var api = await Api.StartAsync(cluster);
        var owner = await api.Database.NewUserAsync();
        var conversation = (await api.Database.Conversations.StartAsync(owner, new NewConversation(), Cancel)).Id;
        var topic = $"realtime:conversation:{conversation}";
        var before = DateTimeOffset.UtcNow.AddMinutes(-1).ToUnixTimeMilliseconds();
        for (var i = 0; i < 30; i++)
            await api.Database.ScalarAsync(Caller.Service, $"select realtime.send('{{\"n\":{i}}}', 'e', 'conversation:{conversation}')");
        await api.Database.ScalarAsync(Caller.Service, $"select realtime.send_binary('\\x0102', 'bytes', 'conversation:{conversation}')");
        foreach (var version in new[] { "1.0.0", "2.0.0" })
        {
            using var client = await PhoenixClient.ConnectAsync(api, owner, version);
            await client.JoinedAsync(topic, $$$$"""{"private":true,"presence":{"enabled":false},"broadcast":{"replay":{"since":{{{{before}}}} }}}""");
            for (var n = 6; n < 30; n++)
            {
                var told = await client.NextAsync("broadcast");
                told.Payload.GetProperty("payload").GetProperty("n").GetInt32().ShouldBe(n);
                told.Payload.GetProperty("meta").GetProperty("replayed").GetBoolean().ShouldBeTrue();
            }

            if (version == "2.0.0")
                (await client.NextAsync("broadcast")).Bytes.ShouldBe([1, 2]);
            await client.JoinedAsync(topic, $$$$"""{"private":true,"presence":{"enabled":false},"broadcast":{"replay":{"since":{{{{before}}}},"limit":2}}}""");
            (await client.NextAsync("broadcast")).Payload.GetProperty("payload").GetProperty("n").GetInt32().ShouldBe(29);
            foreach (var (config, reason) in new[]
            {
                ($$$$"""{"private":false,"broadcast":{"replay":{"since":{{{{before}}}} }}}""", "UnableToReplayMessages: Replay is not allowed for public channels"),
                ("""{"private":true,"broadcast":{"replay":{"since":"now"}}}""", "UnableToReplayMessages: Replay params are not valid"),
                ("""{"private":true,"broadcast":{"replay":{"since":1,"limit":26}}}""", "UnableToReplayMessages: Replay params are not valid"),
            })
            {
                var joined = await client.JoinAsync(topic, config);
                (joined.Status, joined.Response.GetProperty("reason").GetString()).ShouldBe(("error", reason));
            }
        }
    }

    [Fact]
    public async Task Days_are_made_ahead_and_dropped_when_they_are_over()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var messages = new ChannelMessages(db.Database, db.Options, db.Time);
        const string days = "select count(*) from pg_inherits where inhparent = 'realtime.messages'::regclass";
        var before = (long)(await db.ScalarAsync(Caller.Service, days))!;
        (await messages.RunOnceAsync(Cancel)).ShouldBe(4);
        (await messages.RunOnceAsync(Cancel)).ShouldBe(0);
        (await db.ScalarAsync(Caller.Service, days)).ShouldBe(before + 4);
        await using (var connection = await db.Database.OpenWithoutCallerAsync(Cancel))
        await using (var command = new NpgsqlCommand(
            """
            create table realtime.messages_2020_01_01 partition of realtime.messages for values from ('2020-01-01') to ('2020-01-02');
            insert into realtime.messages (topic, extension, inserted_at) values ('t', 'broadcast', '2020-01-01'), ('t', 'broadcast', '2020-01-05'), ('t', 'broadcast', now() at time zone 'utc');
            """, connection))
            await command.ExecuteNonQueryAsync(Cancel);
        (await messages.RunOnceAsync(Cancel)).ShouldBe(1);
        (await db.ScalarAsync(Caller.Service, "select count(*) from realtime.messages")).ShouldBe(1L);
        (await db.ScalarAsync(Caller.Service, "select bool_and(relrowsecurity) from pg_class where relnamespace = 'realtime'::regnamespace and relkind in ('r', 'p')")).ShouldBe(true);
    }

    [Fact]
    public async Task A_schema_that_supabase_made_is_used_as_it_is()
    {
        var connectionString = await cluster.CreateEmptyDatabaseAsync();
        await using (var superuser = new NpgsqlConnection(cluster.SuperuserConnectionStringOf(new NpgsqlConnectionStringBuilder(connectionString).Database!)))
        {
            await superuser.OpenAsync(Cancel);
            // Another's, without the binary payload of later versions, and open to the roles.
            await using var make = new NpgsqlCommand(
                """
                create schema realtime;
                grant usage on schema realtime to voxbase, anon, authenticated, service_role;
                create table realtime.messages (
                  topic text not null, extension text not null, payload jsonb, event text, private boolean default false,
                  updated_at timestamp not null default now(), inserted_at timestamp not null default now(), id uuid not null default gen_random_uuid(),
                  primary key (id, inserted_at)
                ) partition by range (inserted_at);
                create table realtime.messages_all partition of realtime.messages default;
                alter table realtime.messages enable row level security;
                grant select, insert on realtime.messages to anon, authenticated, service_role;
                create policy theirs on realtime.messages to service_role using (true) with check (true);
                create policy blue on realtime.messages for select to authenticated using (topic = 'blue');
                create function realtime.topic() returns text language sql stable as $$ select nullif(current_setting('realtime.topic', true), '')::text $$;
                create function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void language sql as $$ select $$;
                create function realtime.broadcast_changes(topic_name text, event_name text, operation text, table_name text, table_schema text, new record, old record, level text default 'ROW')
                  returns void language plpgsql as $$ begin end $$;
                """, superuser);
            await make.ExecuteNonQueryAsync(Cancel);
        }

        await using var db = new TestDatabase(connectionString);
        await new Migrator(db.Database).ApplyAsync(Cancel);
        await new Migrator(db.Database).ApplyAsync(Cancel);
        (await db.ScalarAsync(Caller.Service, "select count(*) from pg_policies where schemaname = 'realtime'")).ShouldBe(2L);
        var access = new ChannelAccess(db.Database);
        var user = await db.NewUserAsync();
        (await access.AskAsync(user, "blue", "{}", Cancel)).ShouldBe(new ChannelRights(true, false, true, false));
        (await access.AskAsync(user, "red", "{}", Cancel)).ShouldBe(default);
        (await access.AskAsync(Caller.Service, "red", "{}", Cancel)).ShouldBe(ChannelRights.All);
        (await new ChannelMessages(db.Database, db.Options, db.Time).RunOnceAsync(Cancel)).ShouldBe(0);
        (await db.ScalarAsync(Caller.Service, "select count(*) from realtime.messages")).ShouldBe(0L);
    }

    private static async Task<long> CountAsync(Api api) => (long)(await api.Database.ScalarAsync(Caller.Service, "select count(*) from realtime.messages"))!;

    internal static async Task ExecuteAsync(Api api, string sql)
    {
        await using var connection = new NpgsqlConnection(api.Database.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(Cancel);
    }
}
