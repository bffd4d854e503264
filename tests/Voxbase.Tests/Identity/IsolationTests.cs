using System.Text.Json;
using Npgsql;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Identity;

/// <summary>What cannot be done, whoever tries and however.</summary>
public sealed class IsolationTests(TestCluster cluster)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("update vox.conversations set cost_usd = 0 where id = $1")]
    [InlineData("update vox.conversations set turn_count = 0 where id = $1")]
    [InlineData("update vox.conversations set last_sequence = 7 where id = $1")]
    [InlineData("update vox.conversations set input_tokens = 0 where id = $1")]
    [InlineData("update vox.conversations set unpriced_count = 0 where id = $1")]
    [InlineData("update vox.conversations set duration_seconds = 1 where id = $1")]
    [InlineData("update vox.turns set llm_cost_usd = 0 where conversation_id = $1")]
    [InlineData("update vox.turns set cost_usd = 0 where conversation_id = $1")]
    [InlineData("update vox.turns set id = vox.uuid_v7() where conversation_id = $1")]
    [InlineData("update vox.turns set conversation_id = vox.uuid_v7() where conversation_id = $1")]
    [InlineData("update vox.turns set user_id = null where conversation_id = $1")]
    [InlineData("update vox.turns set created_at = now() where conversation_id = $1")]
    [InlineData("insert into vox.conversations (kind, cost_usd) select 'call', 1 where $1 is not null")]
    [InlineData("insert into vox.conversations (kind, turn_count) select 'call', 1 where $1 is not null")]
    [InlineData("insert into vox.turns (conversation_id, role, llm_cost_usd) values ($1, 'user', 1)")]
    [InlineData("update vox.function_calls set call_id = 'x' where conversation_id = $1")]
    [InlineData("update vox.participants set owner_id = null where conversation_id = $1")]
    [InlineData("delete from vox.turns where conversation_id = $1")]
    [InlineData("delete from vox.charges where conversation_id = $1")]
    [InlineData("truncate vox.turns")]
    [InlineData("select * from vox.turns_default")]
    [InlineData("alter table vox.turns disable row level security")]
    [InlineData("select vox_private.ensure_month('2031-01-01'::date) where false or $1 is null", false)]
    public async Task Totals_costs_keys_and_owners_are_the_databases_own(string sql, bool serviceToo = true)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var conversation = await StartAsync(db, owner);
        var before = await db.Conversations.GetAsync(owner, conversation, Cancel);
        foreach (var caller in (Caller[])[owner, await db.NewUserAsync(isAdmin: true), .. serviceToo ? [Caller.Service] : Array.Empty<Caller>()])
        {
            var error = await Should.ThrowAsync<VoxbaseException>(() => RunAsync(db, caller, sql, conversation), caller.Role);
            error.Code.ShouldBe("forbidden", $"{caller.Role}: {error.Message} {error.Details}");
        }

        (await db.Conversations.GetAsync(owner, conversation, Cancel)).Conversation.ShouldBe(before.Conversation);
    }

    [Theory]
    [InlineData("update vox.users set role = 'admin' where id = $1")]
    [InlineData("update vox.users set tier = 'enterprise' where id = $1")]
    [InlineData("update vox.users set is_active = true where id = $1")]
    [InlineData("update vox.users set email = 'else@example.org' where id = $1")]
    [InlineData("update vox.users set id = vox.uuid_v7() where id = $1")]
    [InlineData("update vox.users set deleted_at = null where id = $1")]
    [InlineData("insert into vox.users (id, role) select vox.uuid_v7(), 'admin' where $1 is not null")]
    [InlineData("insert into vox.users (id, role) values ($1, 'admin') on conflict (id) do update set role = 'admin'")]
    public async Task A_user_cannot_raise_itself(string sql)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var user = await db.NewUserAsync();
        (await Should.ThrowAsync<VoxbaseException>(() => RunAsync(db, user, sql, user.UserId!.Value))).Code.ShouldBe("forbidden");
        (await db.ScalarAsync(user, "select role::text || ' ' || tier::text from vox.users")).ShouldBe("user free");
    }

    [Theory]
    [InlineData("turns (conversation_id, role, user_id) values ($1, 'user', $2)")]
    [InlineData("turns (conversation_id, sequence_number, role, user_id) values ($1, 2, 'user', $2)")]
    [InlineData("function_calls (conversation_id, call_id, user_id) values ($1, 'mine', $2)")]
    [InlineData("usage_events (conversation_id, event_type, user_id, input_tokens) values ($1, 'response', $2, 1000)")]
    public async Task A_row_of_ones_own_cannot_be_put_into_somebody_elses_conversation(string insert)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, stranger) = (await db.NewUserAsync(), await db.NewUserAsync());
        var conversation = await StartAsync(db, owner);
        var error = await Should.ThrowAsync<VoxbaseException>(
            () => db.ExecuteAsync(stranger, "insert into vox." + insert, Parameter.Uuid(conversation), Parameter.Uuid(stranger.UserId)));
        error.Code.ShouldBe("reference_not_found", $"{error.Message} {error.Details}");
        (await db.Conversations.FindAsync(owner, conversation, Cancel)).ShouldSatisfyAllConditions(
            c => c.TurnCount.ShouldBe(1), c => c.InputTokens.ShouldBe(0), c => c.FunctionCallCount.ShouldBe(0));
    }

    [Fact]
    public async Task A_stranger_cannot_let_itself_in()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, stranger) = (await db.NewUserAsync(), await db.NewUserAsync());
        var conversation = await StartAsync(db, owner);
        var nobodys = (await db.Conversations.StartAsync(Caller.Service, new NewConversation(), Cancel)).Id;
        foreach (var target in (Guid[])[conversation, nobodys])
        {
            (await Should.ThrowAsync<VoxbaseException>(() => db.Conversations.JoinAsync(
                stranger, target, new NewParticipant { Identity = "me", UserId = stranger.UserId }, Cancel))).Code.ShouldBe("conversation_not_found");
            (await Should.ThrowAsync<VoxbaseException>(() => db.Conversations.AppendAsync(
                stranger, target, new NewTurn { Role = TurnRole.User }, Cancel))).Code.ShouldBe("conversation_not_found");
            (await Should.ThrowAsync<VoxbaseException>(() => db.Conversations.GetAsync(stranger, target, Cancel))).Code.ShouldBe("conversation_not_found");
            (await Should.ThrowAsync<VoxbaseException>(() => db.Conversations.EndAsync(stranger, target, cancellationToken: Cancel))).Code.ShouldBe("conversation_not_found");
        }

        (await db.Conversations.ListAsync(stranger, cancellationToken: Cancel)).ShouldBeEmpty();
        (await db.Conversations.ListAsync(stranger, userId: owner.UserId, cancellationToken: Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_participant_reads_and_changes_nothing_and_is_told_so()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, guest) = (await db.NewUserAsync(), await db.NewUserAsync());
        var conversation = await StartAsync(db, owner);
        await db.Conversations.JoinAsync(owner, conversation, new NewParticipant { Identity = "guest", UserId = guest.UserId }, Cancel);
        (await db.Conversations.GetAsync(guest, conversation, Cancel)).Turns.Count.ShouldBe(1);
        (await Should.ThrowAsync<VoxbaseException>(() => db.Conversations.AppendAsync(
            guest, conversation, new NewTurn { Role = TurnRole.User }, Cancel))).Code.ShouldBe("conversation_not_found");
        (await Should.ThrowAsync<VoxbaseException>(() => db.Conversations.EndAsync(guest, conversation, cancellationToken: Cancel))).Code.ShouldBe("conversation_not_found");
        (await Should.ThrowAsync<VoxbaseException>(() => db.Conversations.SetStateAsync(
            guest, conversation, ConversationState.Listening, Cancel))).Code.ShouldBe("conversation_not_found");
        (await db.Conversations.FindAsync(owner, conversation, Cancel)).Status.ShouldBe(ConversationStatus.Active);
    }

    [Fact]
    public async Task A_participant_who_is_removed_loses_sight()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, guest) = (await db.NewUserAsync(), await db.NewUserAsync());
        var conversation = await StartAsync(db, owner);
        var joined = await db.Conversations.JoinAsync(owner, conversation, new NewParticipant { Identity = "guest", UserId = guest.UserId }, Cancel);
        (await db.ScalarAsync(guest, "select count(*) from vox.turns")).ShouldBe(1L);
        (await db.ExecuteAsync(Caller.Service, "delete from vox.participants where id = $1", Parameter.Uuid(joined.Id))).ShouldBe(1);
        foreach (var table in (string[])["conversations", "participants", "turns", "function_calls"])
            (await db.ScalarAsync(guest, $"select count(*) from vox.{table}")).ShouldBe(0L, table);
    }

    [Theory]
    [InlineData("deleted_at = now()")]
    [InlineData("is_active = false")]
    [InlineData("role = 'user'")]
    public async Task An_admin_who_is_deleted_inactive_or_demoted_is_none(string change)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, admin) = (await db.NewUserAsync(), await db.NewUserAsync(isAdmin: true));
        await StartAsync(db, owner);
        (await db.ScalarAsync(admin, "select count(*) from vox.turns")).ShouldBe(1L);
        await RunAsync(db, Caller.Service, $"update vox.users set {change} where id = $1", admin.UserId!.Value);
        (await db.ScalarAsync(admin, "select count(*) from vox.turns")).ShouldBe(0L);
        (await db.ScalarAsync(admin, "select count(*) from vox.conversations")).ShouldBe(0L);
        (await Should.ThrowAsync<VoxbaseException>(() => db.Prices.SetAsync(
            admin, new Price { Provider = "p", Model = "m", Meter = Meters.Requests, UnitPriceUsd = 1, ValidFrom = DateTimeOffset.UnixEpoch }, cancellationToken: Cancel))).Code.ShouldBe("forbidden");
    }

    [Theory]
    [InlineData("""{"role":"anon","sub":"$"}""", "forbidden")]
    [InlineData("""{"role":"anon","sub":"$","app_metadata":{"role":"service_role"},"is_admin":true}""", "forbidden")]
    public async Task Without_a_role_of_its_own_a_token_sees_nothing_whatever_else_it_claims(string claims, string code)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var owner = await db.NewUserAsync();
        var conversation = await StartAsync(db, owner);
        var caller = Caller.FromClaims(JsonElement.Parse(claims.Replace("$", owner.UserId.ToString(), StringComparison.Ordinal)));
        (await Should.ThrowAsync<VoxbaseException>(() => db.ScalarAsync(caller, "select count(*) from vox.turns"))).Code.ShouldBe(code);
        foreach (var turns in (NewTurn[][])[[new NewTurn { Role = TurnRole.User }], [new NewTurn { Role = TurnRole.User }, new NewTurn { Role = TurnRole.User }]])
            (await Should.ThrowAsync<VoxbaseException>(() => db.Conversations.AppendAsync(caller, conversation, turns, Cancel))).Error.Kind.ShouldBe(ErrorKind.Forbidden);
        (await Should.ThrowAsync<VoxbaseException>(() => db.Conversations.StartAsync(caller, new NewConversation(), Cancel))).Code.ShouldBe(code);
        (await Should.ThrowAsync<VoxbaseException>(() => db.Conversations.EndAsync(caller, conversation, cancellationToken: Cancel))).Code.ShouldBe(code);
        (await db.Conversations.FindAsync(owner, conversation, Cancel)).TurnCount.ShouldBe(1);
    }

    [Theory]
    [InlineData("vox_writer")]
    [InlineData("postgres")]
    [InlineData("voxbase")]
    [InlineData("authenticator")]
    [InlineData("none")]
    [InlineData("")]
    [InlineData("SERVICE_ROLE")]
    public void A_token_names_one_of_the_three_roles(string role) =>
        Should.Throw<VoxbaseException>(() => Caller.FromClaims(JsonSerializer.SerializeToElement(new { role, sub = Guid.NewGuid() })))
            .Code.ShouldBe("token_claims_invalid");

    [Fact]
    public async Task The_database_role_decides_and_not_the_claim()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var (owner, stranger) = (await db.NewUserAsync(), await db.NewUserAsync());
        await StartAsync(db, owner);
        foreach (var claims in (string[])[
            """{"sub":"$","role":"service_role"}""", """{"sub":"$","role":"admin","user_role":"admin"}""", """{"sub":"$","role":"authenticated","role":"service_role"}"""])
            (await CountAsAsync(db, Caller.UserRole, claims.Replace("$", stranger.UserId.ToString(), StringComparison.Ordinal))).ShouldBe(0, claims);
        (await CountAsAsync(db, Caller.UserRole, "{}")).ShouldBe(0, "no subject, no rows");
        (await CountAsAsync(db, Caller.UserRole, "")).ShouldBe(0, "no claims, no rows");
    }

    [Theory]
    [InlineData("'; drop table vox.turns; --@x")]
    [InlineData("'||(select set_config('role','service_role',true))||'@x")]
    [InlineData("$$;reset role;$$@x")]
    [InlineData("\"}','role':'service_role@x")]
    public async Task What_claims_say_is_data_and_never_sql(string email)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await StartAsync(db, await db.NewUserAsync());
        var caller = Caller.User(Guid.CreateVersion7(), email);
        var own = await db.Conversations.StartAsync(caller, new NewConversation(), Cancel);
        (await db.Conversations.ListAsync(caller, cancellationToken: Cancel)).Select(c => c.Id).ShouldBe([own.Id]);
        (await db.ScalarAsync(caller, "select current_user::text || ' ' || (auth.jwt() ->> 'email')")).ShouldBe("authenticated " + email);
        (await db.ScalarAsync(Caller.Service, "select count(*) from vox.turns")).ShouldBe(1L);
    }

    [Theory]
    [InlineData("{019a0000-0000-7000-8000-000000000000}")]
    [InlineData("(019a0000-0000-7000-8000-000000000000)")]
    [InlineData(" 019a0000-0000-7000-8000-000000000000 ")]
    [InlineData("019a0000000070008000000000000000")]
    [InlineData("{0x019a0000,0x0000,0x7000,{0x80,0x00,0x00,0x00,0x00,0x00,0x00,0x00}}")]
    [InlineData("' or true --")]
    [InlineData("")]
    public void A_subject_is_a_uuid_in_its_one_form(string subject) =>
        Should.Throw<VoxbaseException>(() => Caller.FromClaims(JsonSerializer.SerializeToElement(new { role = "authenticated", sub = subject })))
            .Code.ShouldBe("token_claims_invalid");

    [Fact]
    public async Task Nothing_of_one_caller_is_left_on_the_connection_for_the_next()
    {
        await using var db = await cluster.CreateDatabaseAsync(pooled: 1);
        var (owner, stranger) = (await db.NewUserAsync(), await db.NewUserAsync());
        await StartAsync(db, owner);
        for (var i = 0; i < 10; i++)
        {
            (await db.ScalarAsync(owner, "select count(*) from vox.turns")).ShouldBe(1L);
            (await db.ScalarAsync(stranger, "select count(*) from vox.turns")).ShouldBe(0L);
            (await db.ScalarAsync(Caller.Service, "select count(*) from vox.turns")).ShouldBe(1L);
            await Should.ThrowAsync<VoxbaseException>(() => db.ScalarAsync(Caller.Service, "select 1 / 0"));
            await Should.ThrowAsync<VoxbaseException>(() => db.ScalarAsync(Caller.Anonymous, "select count(*) from vox.turns"));
        }
    }

    private static async Task<Guid> StartAsync(TestDatabase db, Caller owner)
    {
        var conversation = (await db.Conversations.StartAsync(owner, new NewConversation { Status = ConversationStatus.Active }, Cancel)).Id;
        await db.Conversations.AppendAsync(owner, conversation, new NewTurn { Role = TurnRole.User, RawText = "hello" }, Cancel);
        return conversation;
    }

    private static Task<int> RunAsync(TestDatabase db, Caller caller, string sql, Guid parameter) => sql.Contains("$1", StringComparison.Ordinal)
        ? db.ExecuteAsync(caller, sql, Parameter.Uuid(parameter))
        : db.ExecuteAsync(caller, sql);

    // Past Caller, which would not make such a one.
    private static async Task<long> CountAsAsync(TestDatabase db, string role, string claims)
    {
        await using var connection = new NpgsqlConnection(db.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using var transaction = await connection.BeginTransactionAsync(Cancel);
        await using var identify = new NpgsqlCommand("select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)", connection)
        {
            Parameters = { Parameter.Text(role), Parameter.Text(claims) },
        };
        await identify.ExecuteNonQueryAsync(Cancel);
        await using var count = new NpgsqlCommand("select count(*) from vox.turns", connection);
        return (long)(await count.ExecuteScalarAsync(Cancel))!;
    }
}
