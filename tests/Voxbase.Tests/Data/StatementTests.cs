using System.Reflection;
using Npgsql;
using Voxbase.Capture;
using Voxbase.Cleaning;
using Voxbase.Data;
using Voxbase.DataApi;
using Voxbase.LiveKit;
using Voxbase.Realtime;
using Voxbase.Sideband;
using Voxbase.Testing;

namespace Voxbase.Tests.Data;

/// <summary>Every statement of the library, prepared and explained against the schema as the role that runs it.</summary>
public sealed class StatementTests(TestCluster cluster)
{
    private const string Login = "";

    private const string Writer = "vox_writer";

    // Who runs the statements of a type, where it is not a user or the service.
    private static readonly Dictionary<Type, string[]> Runners = new()
    {
        [typeof(Users)] = [Caller.ServiceRole],
        [typeof(Charges)] = [Caller.ServiceRole],
        [typeof(Repricing)] = [Caller.ServiceRole],
        [typeof(UsageFold)] = [Caller.ServiceRole],
        [typeof(Captures)] = [Caller.ServiceRole],
        [typeof(CaptureRows)] = [Caller.ServiceRole],
        [typeof(Partitions)] = [Caller.ServiceRole],
        [typeof(Reservations)] = [Writer],
        [typeof(CleaningRows)] = [Caller.ServiceRole],
        [typeof(AlertRows)] = [Caller.ServiceRole],
        [typeof(AlertMeasures)] = [Caller.ServiceRole],
        [typeof(TurnRows)] = [Writer],
        [typeof(LiveKitCalls)] = [Caller.ServiceRole],
        [typeof(LiveKitInbox)] = [Caller.ServiceRole],
        [typeof(LiveKitRows)] = [Caller.ServiceRole],
        [typeof(LiveKitReconciler)] = [Caller.ServiceRole],
        [typeof(FeedSource)] = [Caller.ServiceRole],
        [typeof(Feed)] = [Caller.ServiceRole],
        [typeof(FeedAuthorizer)] = [Caller.UserRole],
        [typeof(FeedAsker)] = [Login],
        [typeof(ChannelAccess)] = [Caller.ServiceRole],
        [typeof(ChannelMessages)] = [Caller.ServiceRole],
        [typeof(DatabaseBroadcasts)] = [Caller.ServiceRole],
        [typeof(ChannelPeers)] = [Caller.ServiceRole],
        [typeof(SchemaCacheReader)] = [Login],
        [typeof(Migrator)] = [Login],
        [typeof(SchemaDump)] = [Login],
        [typeof(EmbeddedPostgres)] = [Login],
    };

    // PostgreSQL cannot tell what unnest($1, $2) takes; these do, by being built as the library builds them.
    private static readonly Dictionary<string, string> ParameterTypes = new Statement[]
    {
        new(TurnRows.FindSql, Parameter.Uuids<Guid>([], id => id), Parameter.Uuids<Guid>([], id => id)),
        Charges.Record([new NewCharge
        {
            Id = Guid.Empty, ConversationId = Guid.Empty, Stage = "llm", Meter = Meters.Requests, Provider = "p", Quantity = 1, ChargedAt = default,
        }]),
        CleaningRows.Write([], [], new HashSet<Guid>()),
        Voxbase.Transcripts.Replace(Guid.Empty, []),
        new(CleaningRows.RangesSql, Parameter.Uuids<Guid>([], id => id), Parameter.Integers<int>([], i => i), Parameter.Integers<int>([], i => i)),
        PriceBook.Set([], replace: false),
        PriceBook.Standing([]),
        CaptureRows.Events(Guid.Empty, "openai", []),
        CaptureRows.Turns(Guid.Empty, "openai", default, []),
        CaptureRows.FunctionCalls(Guid.Empty, default, []),
        CaptureRows.UsageEvents(Guid.Empty, default, [], new OpenAiRealtimeReader()),
        CaptureRows.Session(Guid.Empty, "openai", new OpenAiRealtimeReader().Session),
        LiveKitRows.Participants(Guid.Empty, []),
        LiveKitRows.Recordings(Guid.Empty, []),
        LiveKitRows.Turns(Guid.Empty, default, []),
        LiveKitRows.FunctionCalls(Guid.Empty, []),
        LiveKitRows.Call(Guid.Empty, LiveKitCallReader.Read([]), AgentReader.Read([])),
    }.ToDictionary(statement => statement.Sql, statement => string.Join(", ", statement.Parameters.Select(parameter => parameter.DataTypeName)));

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    // They repeat the index's own condition for that.
    [Fact]
    public async Task What_is_asked_of_the_calls_that_are_looked_after_reads_no_others()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        await using var connection = await db.Database.OpenWithoutCallerAsync(Cancel);
        await ExecuteAsync("insert into vox.conversations (id, kind, status, room_name) select vox.uuid_v7(), 'call', 'active', 'room ' || i from generate_series(1, 3000) i; analyze vox.conversations");
        await ExecuteAsync("set role service_role");
        foreach (var (sql, arguments) in new[]
        {
            (Sidebands.FindSql, "('rtc_1')"), (Sidebands.RunningSql, ""), (LiveKitReconciler.StuckSql, $"(now(), '{Guid.Empty}', 100)"),
        })
        {
            await ExecuteAsync($"prepare asked as {sql}");
            (await ExecuteAsync($"explain execute asked{arguments}")).ShouldContain("conversations_watched_idx", customMessage: sql);
            await ExecuteAsync("deallocate asked");
        }

        async Task<string> ExecuteAsync(string sql)
        {
            await using var command = new NpgsqlCommand(sql, connection);
            await using var rows = await command.ExecuteReaderAsync(Cancel);
            var lines = new List<string>();
            while (await rows.ReadAsync(Cancel))
                lines.Add(rows.GetString(0));
            return string.Join('\n', lines);
        }
    }

    [Fact]
    public async Task Every_statement_prepares_and_is_allowed_to_who_runs_it()
    {
        await using var db = await cluster.CreateDatabaseAsync();
        var name = new NpgsqlConnectionStringBuilder(db.ConnectionString).Database!;
        await using var login = new NpgsqlConnection(db.ConnectionString);
        // The embedded server looks after its roles as the superuser.
        await using var superuser = new NpgsqlConnection(cluster.SuperuserConnectionStringOf(name));
        await login.OpenAsync(Cancel);
        await superuser.OpenAsync(Cancel);
        var faults = new List<string>();
        foreach (var statement in All())
        {
            foreach (var role in Runners.GetValueOrDefault(statement.Type) ?? [Caller.UserRole, Caller.ServiceRole])
            {
                try
                {
                    await CheckAsync(statement.Type == typeof(EmbeddedPostgres) ? superuser : login, role, statement.Sql);
                }
                catch (PostgresException e)
                {
                    faults.Add($"{statement.Name} as {role}: {e.MessageText} ({e.SqlState})");
                }
            }
        }

        faults.ShouldBeEmpty();
    }

    [Fact]
    public void Every_statement_of_the_library_is_found()
    {
        All().Count().ShouldBeGreaterThan(40);
        ParameterTypes.Keys.ShouldBeSubsetOf(All().Select(statement => statement.Sql));
    }

    [Fact]
    public void Statements_name_their_tables_with_the_schema()
    {
        foreach (var (name, _, sql) in All())
        {
            foreach (var table in (string[])
                [
                    "conversations", "turns", "users", "participants", "charges", "prices", "function_calls", "usage_events", "provider_events",
                    "usage_folds", "usage_rollups", "budgets", "monthly_spend", "alerts", "alert_rules", "cleanings", "cleaned_versions", "key_terms",
                ])
            {
                sql.ShouldNotMatch($@"\b(from|join|into|update)\s+{table}\b", name);
            }
        }
    }

    private static async Task CheckAsync(NpgsqlConnection connection, string role, string sql)
    {
        await ExecuteAsync(connection, "deallocate all; reset role");
        if (role != Login)
            await ExecuteAsync(connection, $"set role {role}");
        var types = ParameterTypes.TryGetValue(sql, out var known) ? $" ({known})" : "";
        await ExecuteAsync(connection, $"prepare checked{types} as {sql}");
        var parameters = (int)(await ExecuteAsync(connection, "select cardinality(parameter_types) from pg_prepared_statements where name = 'checked'"))!;
        // Preparing asks for no rights; explaining does, without running it.
        var nulls = parameters == 0 ? "" : $"({string.Join(", ", Enumerable.Repeat("null", parameters))})";
        await ExecuteAsync(connection, $"explain execute checked{nulls}");
    }

    private static IEnumerable<(string Name, Type Type, string Sql)> All() =>
        from type in typeof(Database).Assembly.GetTypes()
        from field in type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
        where field.IsLiteral && field.FieldType == typeof(string) && field.Name.EndsWith("Sql", StringComparison.Ordinal)
        select ($"{type.Name}.{field.Name}", type, (string)field.GetRawConstantValue()!);

    private static async Task<object?> ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(Cancel);
    }
}
