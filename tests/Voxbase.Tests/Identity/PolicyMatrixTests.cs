using Npgsql;
using Voxbase.Cleaning;
using Voxbase.Data;
using Voxbase.Testing;

namespace Voxbase.Tests.Identity;

/// <summary>Every table × role × verb, tried against the real policies.</summary>
public sealed class PolicyMatrixTests(TestCluster cluster)
{
    // yes: it is done. none: nothing is found to do it to, and nobody is told why. no: refused.
    // Each cell means one row below (or of) a conversation that the owner owns and the participant takes part in; for users it is
    // the owner's own row, for prices one of the book.
    private const string Matrix =
        """
        table            verb     anon  owner  participant  stranger  admin  service

        users            select   no    yes    none         none      yes    yes
        users            insert   no    no     no           no        no     yes
        users            update   no    yes    none         none      yes    yes
        users            delete   no    no     no           no        no     yes

        audit_log        select   no    yes    none         none      yes    yes
        audit_log        insert   no    no     no           no        no     yes
        audit_log        update   no    no     no           no        no     no
        audit_log        delete   no    no     no           no        no     no

        conversations    select   no    yes    yes          none      yes    yes
        conversations    insert   no    yes    no           no        yes    yes
        conversations    update   no    yes    none         none      yes    yes
        conversations    delete   no    none   none         none      yes    yes

        participants     select   no    yes    yes          none      yes    yes
        participants     insert   no    yes    no           no        yes    yes
        participants     update   no    yes    none         none      yes    yes
        participants     delete   no    no     no           no        no     yes

        turns            select   no    yes    yes          none      yes    yes
        turns            insert   no    yes    no           no        yes    yes
        turns            update   no    yes    none         none      yes    yes
        turns            delete   no    no     no           no        no     no

        function_calls   select   no    yes    yes          none      yes    yes
        function_calls   insert   no    yes    no           no        yes    yes
        function_calls   update   no    yes    none         none      yes    yes
        function_calls   delete   no    no     no           no        no     no

        usage_events     select   no    yes    none         none      yes    yes
        usage_events     insert   no    yes    no           no        yes    yes
        usage_events     update   no    no     no           no        no     yes
        usage_events     delete   no    no     no           no        no     no

        provider_events  select   no    yes    none         none      yes    yes
        provider_events  insert   no    no     no           no        no     yes
        provider_events  update   no    no     no           no        no     no
        provider_events  delete   no    no     no           no        no     no

        recordings       select   no    yes    none         none      yes    yes
        recordings       insert   no    no     no           no        no     yes
        recordings       update   no    no     no           no        no     yes
        recordings       delete   no    no     no           no        no     yes

        livekit_inbox    select   no    no     no           no        no     yes
        livekit_inbox    insert   no    no     no           no        no     yes
        livekit_inbox    update   no    no     no           no        no     yes
        livekit_inbox    delete   no    no     no           no        no     yes

        prices           select   no    yes    yes          yes       yes    yes
        prices           insert   no    no     no           no        yes    yes
        prices           update   no    none   none         none      yes    yes
        prices           delete   no    none   none         none      yes    yes

        charges          select   no    yes    none         none      yes    yes
        charges          insert   no    no     no           no        no     yes
        charges          update   no    no     no           no        no     no
        charges          delete   no    no     no           no        no     no

        budget_window    select   no    yes    yes          yes       yes    yes
        budget_window    insert   no    no     no           no        no     no
        budget_window    update   no    none   none         none      yes    yes
        budget_window    delete   no    no     no           no        no     no

        budgets          select   no    yes    none         none      yes    yes
        budgets          insert   no    no     no           no        yes    yes
        budgets          update   no    none   none         none      yes    yes
        budgets          delete   no    none   none         none      yes    yes

        monthly_spend    select   no    yes    none         none      yes    yes
        monthly_spend    insert   no    no     no           no        no     no
        monthly_spend    update   no    no     no           no        no     no
        monthly_spend    delete   no    no     no           no        no     no

        reserved_spend   select   no    yes    none         none      yes    yes
        reserved_spend   insert   no    no     no           no        no     no
        reserved_spend   update   no    no     no           no        no     no
        reserved_spend   delete   no    no     no           no        no     no

        reservations     select   no    yes    none         none      yes    yes
        reservations     insert   no    no     no           no        no     no
        reservations     update   no    no     no           no        no     no
        reservations     delete   no    no     no           no        no     no

        alert_rules      select   no    none   none         none      yes    yes
        alert_rules      insert   no    no     no           no        yes    yes
        alert_rules      update   no    none   none         none      yes    yes
        alert_rules      delete   no    none   none         none      yes    yes

        alerts           select   no    yes    none         none      yes    yes
        alerts           insert   no    no     no           no        no     yes
        alerts           update   no    none   none         none      yes    yes
        alerts           delete   no    no     no           no        no     no

        alert_endpoints  select   no    none   none         none      yes    yes
        alert_endpoints  insert   no    no     no           no        yes    yes
        alert_endpoints  update   no    none   none         none      yes    yes
        alert_endpoints  delete   no    none   none         none      yes    yes

        alert_deliveries select   no    none   none         none      yes    yes
        alert_deliveries insert   no    no     no           no        no     yes
        alert_deliveries update   no    no     no           no        no     yes
        alert_deliveries delete   no    no     no           no        no     no

        usage_folds      select   no    yes    none         none      yes    yes
        usage_folds      insert   no    no     no           no        no     yes
        usage_folds      update   no    no     no           no        no     yes
        usage_folds      delete   no    no     no           no        no     yes

        usage_rollups    select   no    yes    none         none      yes    yes
        usage_rollups    insert   no    no     no           no        no     yes
        usage_rollups    update   no    no     no           no        no     yes
        usage_rollups    delete   no    no     no           no        no     no

        cleaning_settings select  no    no     no           no        no     yes
        cleaning_settings insert  no    no     no           no        no     no
        cleaning_settings update  no    no     no           no        no     yes
        cleaning_settings delete  no    no     no           no        no     no

        cleanings        select   no    yes    none         none      yes    yes
        cleanings        insert   no    no     no           no        no     no
        cleanings        update   no    yes    none         none      yes    yes
        cleanings        delete   no    no     no           no        no     no

        cleaned_versions select   no    yes    none         none      yes    yes
        cleaned_versions insert   no    yes    no           no        yes    yes
        cleaned_versions update   no    no     no           no        no     no
        cleaned_versions delete   no    no     no           no        no     no

        key_terms        select   no    yes    none         none      yes    yes
        key_terms        insert   no    yes    no           no        yes    yes
        key_terms        update   no    yes    none         none      yes    yes
        key_terms        delete   no    yes    none         none      yes    yes
        """;

    // $1 the conversation, $2 its owner. Each statement is one attempt; what it does is undone.
    internal static readonly Dictionary<(string Table, string Verb), string> Attempts = new()
    {
        [("users", "select")] = "select id from vox.users where id = $2 and $1 is not null",
        [("users", "insert")] = "insert into vox.users (email) select 'new@example.org' where ($1, $2) is not null",
        [("users", "update")] = "update vox.users set first_name = 'Changed' where id = $2 and $1 is not null",
        // Somebody without conversations, whom no key keeps.
        [("users", "delete")] = "delete from vox.users where email = 'nobody@example.org' and ($1, $2) is not null",

        [("audit_log", "select")] = "select id from vox.audit_log where actor_id = $2 and $1 is not null",
        [("audit_log", "insert")] = "insert into vox.audit_log (actor_id, actor_role, action) select $2, 'authenticated', 'forged' where $1 is not null",
        [("audit_log", "update")] = "update vox.audit_log set action = 'changed' where actor_id = $2 and $1 is not null",
        [("audit_log", "delete")] = "delete from vox.audit_log where actor_id = $2 and $1 is not null",

        [("conversations", "select")] = "select id from vox.conversations where id = $1 and $2 is not null",
        [("conversations", "insert")] = "insert into vox.conversations (kind, user_id) select 'call', $2 where $1 is not null",
        [("conversations", "update")] = "update vox.conversations set name = 'Changed' where id = $1 and $2 is not null",
        // One without charges, whom no key keeps.
        [("conversations", "delete")] = "delete from vox.conversations where session_id = 'unpaid' and ($1, $2) is not null",

        [("participants", "select")] = "select id from vox.participants where conversation_id = $1 and $2 is not null",
        [("participants", "insert")] = "insert into vox.participants (conversation_id, identity) select $1, 'another' where $2 is not null",
        [("participants", "update")] = "update vox.participants set is_muted = true where conversation_id = $1 and $2 is not null",
        [("participants", "delete")] = "delete from vox.participants where conversation_id = $1 and $2 is not null",

        [("turns", "select")] = "select id from vox.turns where conversation_id = $1 and $2 is not null",
        [("turns", "insert")] = "insert into vox.turns (conversation_id, role) select $1, 'user' where $2 is not null",
        [("turns", "update")] = "update vox.turns set raw_text = 'Changed' where conversation_id = $1 and $2 is not null",
        [("turns", "delete")] = "delete from vox.turns where conversation_id = $1 and $2 is not null",

        [("function_calls", "select")] = "select id from vox.function_calls where conversation_id = $1 and $2 is not null",
        [("function_calls", "insert")] = "insert into vox.function_calls (conversation_id, call_id) select $1, 'another' where $2 is not null",
        [("function_calls", "update")] = "update vox.function_calls set status = 'failed' where conversation_id = $1 and $2 is not null",
        [("function_calls", "delete")] = "delete from vox.function_calls where conversation_id = $1 and $2 is not null",

        [("usage_events", "select")] = "select id from vox.usage_events where conversation_id = $1 and $2 is not null",
        [("usage_events", "insert")] = "insert into vox.usage_events (conversation_id, event_type) select $1, 'error' where $2 is not null",
        [("usage_events", "update")] = "update vox.usage_events set latency_ms = 0 where conversation_id = $1 and $2 is not null",
        [("usage_events", "delete")] = "delete from vox.usage_events where conversation_id = $1 and $2 is not null",

        [("provider_events", "select")] = "select ordinal from vox.provider_events where conversation_id = $1 and $2 is not null",
        [("provider_events", "insert")] =
            """
            insert into vox.provider_events (conversation_id, ordinal, event_key, provider, direction, event_type, payload)
            select $1, 2, vox.uuid_v7(), 'openai', 'server', 'forged', '{}' where $2 is not null
            """,
        [("provider_events", "update")] = "update vox.provider_events set payload = '{}' where conversation_id = $1 and $2 is not null",
        [("provider_events", "delete")] = "delete from vox.provider_events where conversation_id = $1 and $2 is not null",

        [("recordings", "select")] = "select id from vox.recordings where conversation_id = $1 and $2 is not null",
        [("recordings", "insert")] = "insert into vox.recordings (conversation_id, source, status) select $1, 'egress', 'forged' where $2 is not null",
        [("recordings", "update")] = "update vox.recordings set status = 'failed' where conversation_id = $1 and $2 is not null",
        [("recordings", "delete")] = "delete from vox.recordings where conversation_id = $1 and $2 is not null",

        [("livekit_inbox", "select")] = "select id from vox.livekit_inbox where ($1, $2) is not null",
        [("livekit_inbox", "insert")] = "insert into vox.livekit_inbox (event_key, kind, payload) select $1, 'event', '' where $2 is not null",
        [("livekit_inbox", "update")] = "update vox.livekit_inbox set attempts = 1 where ($1, $2) is not null",
        [("livekit_inbox", "delete")] = "delete from vox.livekit_inbox where ($1, $2) is not null",

        [("prices", "select")] = "select id from vox.prices where ($1, $2) is not null limit 1",
        [("prices", "insert")] =
            """
            insert into vox.prices (provider, model, meter, unit_price_usd, valid_from)
            select 'forged', 'm', 'request', 0, now() where ($1, $2) is not null
            """,
        [("prices", "update")] = "update vox.prices set unit_price_usd = 0 where ($1, $2) is not null",
        [("prices", "delete")] = "delete from vox.prices where ($1, $2) is not null",

        [("charges", "select")] = "select id from vox.charges where conversation_id = $1 and $2 is not null",
        [("charges", "insert")] =
            """
            insert into vox.charges (conversation_id, stage, meter, provider, quantity, charged_at)
            select $1, 'llm', 'request', 'forged', 1, now() where $2 is not null
            """,
        [("charges", "update")] = "update vox.charges set quantity = 0 where conversation_id = $1 and $2 is not null",
        [("charges", "delete")] = "delete from vox.charges where conversation_id = $1 and $2 is not null",

        [("budget_window", "select")] = "select time_zone from vox.budget_window where ($1, $2) is not null",
        [("budget_window", "insert")] = "insert into vox.budget_window (time_zone) select 'UTC' where ($1, $2) is not null",
        [("budget_window", "update")] = "update vox.budget_window set time_zone = 'Europe/Berlin' where ($1, $2) is not null",
        [("budget_window", "delete")] = "delete from vox.budget_window where ($1, $2) is not null",

        [("budgets", "select")] = "select id from vox.budgets where user_id = $2 and $1 is not null",
        [("budgets", "insert")] =
            """
            insert into vox.budgets (user_id, limit_usd)
            select (select id from vox.users where email = 'nobody@example.org'), 1 where ($1, $2) is not null
            """,
        [("budgets", "update")] = "update vox.budgets set limit_usd = 1000000 where user_id = $2 and $1 is not null",
        [("budgets", "delete")] = "delete from vox.budgets where user_id = $2 and $1 is not null",

        [("monthly_spend", "select")] = "select month from vox.monthly_spend where user_id = $2 and $1 is not null",
        [("monthly_spend", "insert")] = "insert into vox.monthly_spend (user_id, month) select $2, '2020-01-01' where $1 is not null",
        [("monthly_spend", "update")] = "update vox.monthly_spend set amount_usd = 0 where user_id = $2 and $1 is not null",
        [("monthly_spend", "delete")] = "delete from vox.monthly_spend where user_id = $2 and $1 is not null",

        [("reserved_spend", "select")] = "select reserved_usd from vox.reserved_spend where user_id = $2 and $1 is not null",
        [("reserved_spend", "insert")] = "insert into vox.reserved_spend (user_id) select $1 where $2 is not null",
        [("reserved_spend", "update")] = "update vox.reserved_spend set reserved_usd = 0 where user_id = $2 and $1 is not null",
        [("reserved_spend", "delete")] = "delete from vox.reserved_spend where user_id = $2 and $1 is not null",

        [("reservations", "select")] = "select held_usd from vox.reservations where conversation_id = $1 and $2 is not null",
        [("reservations", "insert")] = "insert into vox.reservations (conversation_id, user_id, held_usd, lapses_at) select $2, $2, 1, now() where $1 is not null",
        [("reservations", "update")] = "update vox.reservations set held_usd = 0 where conversation_id = $1 and $2 is not null",
        [("reservations", "delete")] = "delete from vox.reservations where conversation_id = $1 and $2 is not null",

        [("alert_rules", "select")] = "select name from vox.alert_rules where ($1, $2) is not null",
        [("alert_rules", "insert")] = "insert into vox.alert_rules (name, description, measure, scope, threshold) select 'forged', 'f', 'm', 's', 1 where ($1, $2) is not null",
        [("alert_rules", "update")] = "update vox.alert_rules set is_enabled = false where ($1, $2) is not null",
        [("alert_rules", "delete")] = "delete from vox.alert_rules where ($1, $2) is not null",

        [("alerts", "select")] = "select id from vox.alerts where user_id = $2 and $1 is not null",
        [("alerts", "insert")] =
            """
            insert into vox.alerts (rule, subject, user_id, severity, value, threshold, message)
            select 'daily_tokens', 'forged', $2, 'info', 1, 1, 'forged' where $1 is not null
            """,
        [("alerts", "update")] = "update vox.alerts set acknowledged_at = now() where user_id = $2 and $1 is not null",
        [("alerts", "delete")] = "delete from vox.alerts where user_id = $2 and $1 is not null",

        [("alert_endpoints", "select")] = "select secret from vox.alert_endpoints where ($1, $2) is not null",
        [("alert_endpoints", "insert")] = "insert into vox.alert_endpoints (url, secret) select 'https://x.example', 'whsec_' || repeat('A', 44) where ($1, $2) is not null",
        [("alert_endpoints", "update")] = "update vox.alert_endpoints set is_enabled = false where ($1, $2) is not null",
        [("alert_endpoints", "delete")] = "delete from vox.alert_endpoints where ($1, $2) is not null",

        [("alert_deliveries", "select")] = "select id from vox.alert_deliveries where ($1, $2) is not null",
        [("alert_deliveries", "insert")] =
            """
            insert into vox.alert_deliveries (alert_id, endpoint_id, event)
            select alert_id, endpoint_id, 'alert.resolved' from vox.alert_deliveries where ($1, $2) is not null
            """,
        [("alert_deliveries", "update")] = "update vox.alert_deliveries set attempts = 0 where ($1, $2) is not null",
        [("alert_deliveries", "delete")] = "delete from vox.alert_deliveries where ($1, $2) is not null",

        [("usage_folds", "select")] = "select parts from vox.usage_folds where conversation_id = $1 and $2 is not null",
        [("usage_folds", "insert")] = "insert into vox.usage_folds (conversation_id, user_id, parts) select vox.uuid_v7(), $2, '{}' where $1 is not null",
        [("usage_folds", "update")] = "update vox.usage_folds set parts = '{}' where conversation_id = $1 and $2 is not null",
        [("usage_folds", "delete")] = "delete from vox.usage_folds where conversation_id = $1 and $2 is not null",

        [("usage_rollups", "select")] = "select conversations from vox.usage_rollups where scope = $2 and $1 is not null",
        [("usage_rollups", "insert")] =
            """
            insert into vox.usage_rollups (scope, dimension, by_month, period, key, provider, conversations)
            select $2, 'total', false, '2000-01-01', '', '', 1 where $1 is not null
            """,
        [("usage_rollups", "update")] = "update vox.usage_rollups set conversations = 0 where scope = $2 and $1 is not null",
        [("usage_rollups", "delete")] = "delete from vox.usage_rollups where scope = $2 and $1 is not null",

        [("cleaning_settings", "select")] = "select is_enabled from vox.cleaning_settings where ($1, $2) is not null",
        [("cleaning_settings", "insert")] = "insert into vox.cleaning_settings (is_enabled) select true where ($1, $2) is not null",
        [("cleaning_settings", "update")] = "update vox.cleaning_settings set is_enabled = true where ($1, $2) is not null",
        [("cleaning_settings", "delete")] = "delete from vox.cleaning_settings where ($1, $2) is not null",

        [("cleanings", "select")] = "select cleaned_through from vox.cleanings where conversation_id = $1 and $2 is not null",
        [("cleanings", "insert")] = "insert into vox.cleanings (conversation_id) select $1 where $2 is not null",
        // All that an owner may change of it.
        [("cleanings", "update")] = "update vox.cleanings set revision = revision + 1 where conversation_id = $1 and $2 is not null",
        [("cleanings", "delete")] = "delete from vox.cleanings where conversation_id = $1 and $2 is not null",

        [("cleaned_versions", "select")] = "select version from vox.cleaned_versions where conversation_id = $1 and $2 is not null",
        [("cleaned_versions", "insert")] =
            """
            insert into vox.cleaned_versions (conversation_id, turn_id, version, cleaning_applied, corrections, transcription_error_detected)
            select $1, vox.uuid_v7(), 1, false, '[]', false where $2 is not null
            """,
        [("cleaned_versions", "update")] = "update vox.cleaned_versions set cleaned_text = 'Changed' where conversation_id = $1 and $2 is not null",
        [("cleaned_versions", "delete")] = "delete from vox.cleaned_versions where conversation_id = $1 and $2 is not null",

        [("key_terms", "select")] = "select terms from vox.key_terms where conversation_id = $1 and $2 is not null",
        // The owner's own list.
        [("key_terms", "insert")] = "insert into vox.key_terms (user_id, terms) select $2, '{Voxbase}' where $1 is not null",
        [("key_terms", "update")] = "update vox.key_terms set terms = '{Changed}' where conversation_id = $1 and $2 is not null",
        [("key_terms", "delete")] = "delete from vox.key_terms where conversation_id = $1 and $2 is not null",
    };

    private static readonly string[] Verbs = ["select", "insert", "update", "delete"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> Tables => [.. Rows().Select(row => row.Table).Distinct()];

    [Theory]
    [MemberData(nameof(Tables))]
    public async Task Each_role_may_do_to_each_table_what_the_matrix_says_and_nothing_else(string table)
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var cast = await CastAsync(db);
        var faults = new List<string>();
        foreach (var (_, verb, expected) in Rows().Where(row => row.Table == table))
        {
            foreach (var (role, outcome) in expected)
            {
                var actual = await TryAsync(db, cast.As(role), Attempts[(table, verb)], cast.Conversation, cast.Owner.UserId!.Value);
                if (actual != outcome)
                    faults.Add($"{role} {verb} {table}: should be {outcome}, is {actual}");
            }
        }

        faults.ShouldBeEmpty();
    }

    [Fact]
    public async Task Every_table_of_the_schema_is_in_the_matrix_with_every_verb()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var tables = await ColumnAsync(
            db, "select relname::text from pg_class where relnamespace = 'vox'::regnamespace and relkind in ('r', 'p') and not relispartition order by 1");
        Rows().Select(row => row.Table).Distinct().Order(StringComparer.Ordinal).ShouldBe(tables);
        foreach (var table in tables)
            Rows().Where(row => row.Table == table).Select(row => row.Verb).ShouldBe(Verbs, table);
    }

    // Views run with their owner's rights unless told otherwise, and so pass every policy.
    [Fact]
    public async Task No_view_passes_by_the_policies()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        (await ColumnAsync(
            db,
            """
            select relname::text from pg_class
            where relnamespace = 'vox'::regnamespace
              and (relkind = 'm' or (relkind = 'v' and not coalesce(reloptions, '{}') && '{security_invoker=true,security_invoker=on}'))
            """)).ShouldBeEmpty();
    }

    private static async Task<string> TryAsync(TestDatabase db, Caller caller, string sql, Guid conversation, Guid owner)
    {
        try
        {
            await db.Database.InTransactionAsync<int>(
                caller,
                async transaction => throw new Undo(await transaction.QueryAsync(
                    new Statement(sql, Parameter.Uuid(conversation), Parameter.Uuid(owner)), RowsAsync, Cancel)),
                Cancel);
            return "unreachable";
        }
        catch (Undo e)
        {
            return e.Rows > 0 ? "yes" : "none";
        }
        catch (VoxbaseException e) when (e.Error == DataErrors.Forbidden)
        {
            return "no";
        }
        catch (VoxbaseException e)
        {
            return $"{e.Code} ({e.Message} {e.Details})";
        }

        static async Task<int> RowsAsync(NpgsqlDataReader results, CancellationToken ct)
        {
            var rows = 0;
            while (await results.ReadAsync(ct))
                rows++;
            await results.NextResultAsync(ct);
            return Math.Max(rows, results.RecordsAffected);
        }
    }

    internal static async Task<Cast> CastAsync(TestDatabase db)
    {
        var (owner, participant) = (await db.NewUserAsync(), await db.NewUserAsync());
        var conversation = (await db.Conversations.StartAsync(owner, new NewConversation { Status = ConversationStatus.Active }, Cancel)).Id;
        await db.Conversations.StartAsync(owner, new NewConversation { SessionId = "unpaid" }, Cancel);
        await db.Conversations.JoinAsync(owner, conversation, new NewParticipant { Identity = "guest", UserId = participant.UserId }, Cancel);
        await db.Conversations.AppendAsync(owner, conversation, new NewTurn { Role = TurnRole.User, RawText = "hello" }, Cancel);
        await db.Conversations.BeginFunctionCallAsync(owner, conversation, new NewFunctionCall { CallId = "call_1", Name = "f" }, Cancel);
        await db.Users.EnsureAsServiceAsync("nobody@example.org", Cancel);
        await db.ExecuteAsync(
            Caller.Service,
            "insert into vox.usage_events (conversation_id, event_type) values ($1, 'session_start')", Parameter.Uuid(conversation));
        await db.ExecuteAsync(
            Caller.Service,
            """
            insert into vox.provider_events (conversation_id, ordinal, event_key, provider, direction, event_type, payload)
            values ($1, 1, vox.uuid_v7(), 'openai', 'server', 'session.created', '{}')
            """,
            Parameter.Uuid(conversation));
        await db.ExecuteAsync(
            Caller.Service,
            "insert into vox.charges (conversation_id, stage, meter, provider, quantity, charged_at) values ($1, 'llm', 'request', 'openai', 1, now())",
            Parameter.Uuid(conversation));
        await db.ExecuteAsync(
            Caller.Service,
            "insert into vox.recordings (conversation_id, source, status) values ($1, 'egress', 'complete')", Parameter.Uuid(conversation));
        await db.ExecuteAsync(Caller.Service, "insert into vox.livekit_inbox (event_key, kind, payload) values (vox.uuid_v7(), 'event', '')");
        await db.ExecuteAsync(
            Caller.Service,
            "insert into vox.audit_log (actor_id, actor_role, action) values ($1, 'authenticated', 'user.login')", Parameter.Uuid(owner.UserId));
        await db.Budgets.SetAsync(Caller.Service, owner.UserId!.Value, new BudgetChange { LimitUsd = 100 }, Cancel);
        await db.Budgets.ReserveAsync(owner.UserId!.Value, conversation, Cancel);
        await db.ExecuteAsync(
            Caller.Service, "insert into vox.alert_endpoints (url, secret) values ('https://a.example', 'whsec_' || repeat('A', 44))");
        await db.ExecuteAsync(
            Caller.Service,
            """
            insert into vox.alerts (rule, subject, user_id, severity, value, threshold, message)
            values ('budget_alert', 'user/x', $1, 'info', 1, 1, 'm')
            """,
            Parameter.Uuid(owner.UserId));
        await db.ExecuteAsync(
            Caller.Service,
            "insert into vox.alert_deliveries (alert_id, endpoint_id, event) select a.id, e.id, 'alert.opened' from vox.alerts a, vox.alert_endpoints e");

        await db.Transcripts.PreferAsync(owner, conversation, new CleaningPreferences(), Cancel);
        await db.Transcripts.CleanAsync(owner, conversation, new CleaningRequest { Level = CleaningLevel.Light }, cancellationToken: Cancel);
        await db.Transcripts.CleanAsync(owner, conversation, cancellationToken: Cancel);
        await db.KeyTerms.SetAsync(owner, TermScope.Conversation(conversation), ["Agnes Kowalski"], Cancel);
        await db.ExecuteAsync(Caller.Service, "select vox_private.fold_usage(array[$1])", Parameter.Uuid(conversation));
        return new Cast(conversation, owner, participant, await db.NewUserAsync(), await db.NewUserAsync(isAdmin: true));
    }

    private static Task<List<string>> ColumnAsync(TestDatabase db, string sql) =>
        db.Database.RunAsync(
            Caller.Service,
            [new Statement(sql)],
            static async (results, ct) =>
            {
                var values = new List<string>();
                while (await results.ReadAsync(ct))
                    values.Add(results.GetString(0));
                return values;
            },
            Cancel);

    internal static IEnumerable<(string Table, string Verb, IEnumerable<(string Role, string Outcome)> Expected)> Rows()
    {
        var lines = Matrix.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToList();
        return lines.Skip(1).Select(cells => (cells[0], cells[1], lines[0].Zip(cells).Skip(2)));
    }

    internal sealed record Cast(Guid Conversation, Caller Owner, Caller Participant, Caller Stranger, Caller Admin)
    {
        public Caller As(string role) => role switch
        {
            "anon" => Caller.Anonymous,
            "owner" => Owner,
            "participant" => Participant,
            "stranger" => Stranger,
            "admin" => Admin,
            "service" => Caller.Service,
            _ => throw new ArgumentOutOfRangeException(nameof(role), role, null),
        };
    }

    /// <summary>Rolls the attempt back and carries out how many rows it concerned.</summary>
    private sealed class Undo(int rows) : Exception
    {
        public int Rows { get; } = rows;
    }
}
