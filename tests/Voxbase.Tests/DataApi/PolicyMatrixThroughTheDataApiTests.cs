using System.Globalization;
using System.Text;
using Voxbase.DataApi;
using Voxbase.Testing;
using Voxbase.Tests.Identity;

namespace Voxbase.Tests.DataApi;

/// <summary>The matrix of tables, roles and verbs again, each attempt a request of the Data API that is rolled back.</summary>
public sealed class PolicyMatrixThroughTheDataApiTests(TestCluster cluster)
{
    // What finds the rows of the matrix, what is inserted and what is changed. {c} is the conversation, {o} its owner, {n} somebody
    // without conversations, {a} an alert and {e} an endpoint.
    private static readonly Dictionary<string, (string Rows, string Insert, string Change)> Requests = new()
    {
        ["users"] = ("id=eq.{o}", """{"email":"new@example.org"}""", """{"first_name":"Changed"}"""),
        ["audit_log"] = ("actor_id=eq.{o}", """{"actor_id":"{o}","actor_role":"authenticated","action":"forged"}""", """{"action":"changed"}"""),
        ["conversations"] = ("id=eq.{c}", """{"kind":"call","user_id":"{o}"}""", """{"name":"Changed"}"""),
        ["participants"] = ("conversation_id=eq.{c}", """{"conversation_id":"{c}","identity":"another"}""", """{"is_muted":true}"""),
        ["turns"] = ("conversation_id=eq.{c}", """{"conversation_id":"{c}","role":"user"}""", """{"raw_text":"Changed"}"""),
        ["function_calls"] = ("conversation_id=eq.{c}", """{"conversation_id":"{c}","call_id":"another"}""", """{"status":"failed"}"""),
        ["usage_events"] = ("conversation_id=eq.{c}", """{"conversation_id":"{c}","event_type":"error"}""", """{"latency_ms":0}"""),
        ["provider_events"] = (
            "conversation_id=eq.{c}",
            """{"conversation_id":"{c}","ordinal":2,"event_key":"{o}","provider":"openai","direction":"server","event_type":"forged","payload":"{}"}""",
            """{"payload":"{}"}"""),
        ["recordings"] = ("conversation_id=eq.{c}", """{"conversation_id":"{c}","source":"egress","status":"forged"}""", """{"status":"failed"}"""),
        ["livekit_inbox"] = ("", """{"event_key":"{c}","kind":"event","payload":""}""", """{"attempts":1}"""),
        ["prices"] = ("", """{"provider":"forged","model":"m","meter":"request","unit_price_usd":0,"valid_from":"now"}""", """{"unit_price_usd":0}"""),
        ["charges"] = (
            "conversation_id=eq.{c}",
            """{"conversation_id":"{c}","stage":"llm","meter":"request","provider":"forged","quantity":1,"charged_at":"now"}""", """{"quantity":0}"""),
        ["budget_window"] = ("", """{"time_zone":"UTC"}""", """{"time_zone":"Europe/Berlin"}"""),
        ["budgets"] = ("user_id=eq.{o}", """{"user_id":"{n}","limit_usd":1}""", """{"limit_usd":1000000}"""),
        ["monthly_spend"] = ("user_id=eq.{o}", """{"user_id":"{o}","month":"2020-01-01"}""", """{"amount_usd":0}"""),
        ["reserved_spend"] = ("user_id=eq.{o}", """{"user_id":"{c}"}""", """{"reserved_usd":0}"""),
        ["reservations"] = (
            "conversation_id=eq.{c}", """{"conversation_id":"{o}","user_id":"{o}","held_usd":1,"lapses_at":"now"}""", """{"held_usd":0}"""),
        ["alert_rules"] = ("", """{"name":"forged","description":"f","measure":"m","scope":"s","threshold":1}""", """{"is_enabled":false}"""),
        ["alerts"] = (
            "user_id=eq.{o}",
            """{"rule":"daily_tokens","subject":"forged","user_id":"{o}","severity":"info","value":1,"threshold":1,"message":"forged"}""",
            """{"acknowledged_at":"now"}"""),
        ["alert_endpoints"] = (
            "", """{"url":"https://x.example","secret":"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}""", """{"is_enabled":false}"""),
        ["alert_deliveries"] = ("", """{"alert_id":"{a}","endpoint_id":"{e}","event":"alert.resolved"}""", """{"attempts":0}"""),
        ["usage_folds"] = ("conversation_id=eq.{c}", """{"conversation_id":"{o}","user_id":"{o}","parts":[]}""", """{"parts":[]}"""),
        ["usage_rollups"] = (
            "scope=eq.{o}",
            """
            {"scope":"{o}","dimension":"total","by_month":false,"period":"2000-01-01","key":"","provider":"","conversations":1}
            """,
            """{"conversations":0}"""),
        ["cleaning_settings"] = ("", """{"is_enabled":true}""", """{"is_enabled":true}"""),
        ["cleanings"] = ("conversation_id=eq.{c}", """{"conversation_id":"{c}"}""", """{"revision":1000}"""),
        ["cleaned_versions"] = (
            "conversation_id=eq.{c}",
            """
            {"conversation_id":"{c}","turn_id":"{o}","version":1,"cleaning_applied":false,"corrections":[],"transcription_error_detected":false}
            """,
            """{"cleaned_text":"Changed"}"""),
        ["key_terms"] = ("conversation_id=eq.{c}", """{"user_id":"{o}","terms":["Voxbase"]}""", """{"terms":["Changed"]}"""),
    };

    public static TheoryData<string> Tables => [.. PolicyMatrixTests.Rows().Select(row => row.Table).Distinct()];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Tables))]
    public async Task Each_role_may_do_through_the_data_api_what_the_matrix_says_and_nothing_else(string table)
    {
        await using var db = await cluster.CreateDatabaseAsync(options => options.DataApi.MayRollBack = true);
        var cast = await PolicyMatrixTests.CastAsync(db);
        var names = new Dictionary<string, object?>
        {
            ["{c}"] = cast.Conversation,
            ["{o}"] = cast.Owner.UserId,
            ["{n}"] = await db.ScalarAsync(Caller.Service, "select id from vox.users where email = 'nobody@example.org'"),
            ["{a}"] = await db.ScalarAsync(Caller.Service, "select id from vox.alerts limit 1"),
            ["{e}"] = await db.ScalarAsync(Caller.Service, "select id from vox.alert_endpoints limit 1"),
        };
        using var caches = new SchemaCaches(db.Database, db.Options);
        var api = new RestApi(db.Database, caches);
        var faults = new List<string>();
        foreach (var (_, verb, expected) in PolicyMatrixTests.Rows().Where(row => row.Table == table))
        {
            foreach (var (role, outcome) in expected)
            {
                var actual = await TryAsync(api, cast.As(role), table, verb, text => names.Aggregate(text, (each, name) =>
                    each.Replace(name.Key, Convert.ToString(name.Value, CultureInfo.InvariantCulture), StringComparison.Ordinal)));
                if (actual != outcome)
                    faults.Add($"{role} {verb} {table}: should be {outcome}, is {actual}");
            }
        }

        faults.ShouldBeEmpty();
    }

    private static async Task<string> TryAsync(RestApi api, Caller caller, string table, string verb, Func<string, string> fill)
    {
        var (rows, insert, change) = Requests[table];
        // The column that the statement of the other matrix reads: not everybody may read every column.
        var column = PolicyMatrixTests.Attempts[(table, "select")].Split(' ')[1];
        rows = (table, verb) switch
        {
            ("users", "delete") => "email=eq.nobody@example.org",
            ("conversations", "delete") => "session_id=eq.unpaid",
            _ => rows,
        };
        var request = new ApiRequest
        {
            Method = verb switch { "select" => "GET", "insert" => "POST", "update" => "PATCH", _ => "DELETE" },
            Path = [table],
            FullPath = "/" + table,
            Query = verb switch { "select" => $"select={column}&{fill(rows)}", "insert" => "", _ => fill(rows) },
            Prefer = ["tx=rollback, count=exact"],
            ContentType = "application/json",
            Body = Encoding.UTF8.GetBytes(verb == "insert" ? fill(insert) : verb == "update" ? fill(change) : ""),
        };
        try
        {
            var found = 0L;
            await api.AnswerAsync(
                request, caller,
                (answer, _) =>
                {
                    var range = answer.Headers.Single(header => header.Key == "Content-Range").Value;
                    found = long.Parse(range[(range.IndexOf('/', StringComparison.Ordinal) + 1)..], CultureInfo.InvariantCulture);
                    return Task.CompletedTask;
                },
                Cancel);
            return found > 0 ? "yes" : "none";
        }
        catch (ApiException e) when (e.Status is 401 or 403 || e.Code == "428C9")
        {
            return "no";
        }
        catch (ApiException e)
        {
            return $"{e.Status} {e.Code} {e.Message} {e.Details}";
        }
    }
}
