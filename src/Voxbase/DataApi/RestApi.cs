using System.Buffers;
using System.Data;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Npgsql;
using Voxbase.Data;

namespace Voxbase.DataApi;

/// <summary>
/// Answers requests of the dialect: parse, plan against the catalogs, one statement as the caller, and the answer of what it returned.
/// Every stage before the statement is pure.
/// </summary>
internal sealed class RestApi(Database database, SchemaCaches caches)
{
    // A body up to this long is read whole, so that its length goes ahead of it in one piece with the headers.
    private const int ShortBytes = 64 * 1024;

    // What a query may hold and be as an answer's own place would write it.
    private static readonly SearchValues<char> Plain =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~=");

    private const string DefaultProfile = "public";

    /// <summary>Answers a request.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="caller">Who asks.</param>
    /// <param name="answer">Writes the answer; a long body is read from the database meanwhile.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ApiException">What is wrong with the request, or with the database.</exception>
    public async Task AnswerAsync(ApiRequest request, Caller caller, Func<ApiAnswer, CancellationToken, Task> answer, CancellationToken cancellationToken)
    {
        var cache = await caches.GetAsync(cancellationToken);
        var (schema, isNegotiated) = SchemaOf(request, cache.Settings);
        if (request.Path.Count > 2 || (request.Path.Count == 2 && !request.IsRpc))
            throw ApiFaults.Path();
        if (request.Method == "OPTIONS")
            await answer(Options(request, cache, schema), cancellationToken);
        else if (request.Path.Count == 0)
            await answer(await RootAsync(request, caller, cache, schema, isNegotiated, cancellationToken), cancellationToken);
        else
            await RunAsync(request, caller, cache, schema, isNegotiated, answer, cancellationToken);
    }

    // supabase-js names public when nobody chose a schema. Where public is not served, that means the first one.
    private static (string Schema, bool IsNegotiated) SchemaOf(ApiRequest request, ApiSettings settings)
    {
        var profile = request.Profile;
        if (profile is null)
            return (settings.Schemas[0], settings.Schemas.Count > 1);
        if (settings.Schemas.Contains(profile))
            return (profile, true);
        return profile == DefaultProfile ? (settings.Schemas[0], true) : throw ApiFaults.Schema(profile, settings.Schemas);
    }

    private async Task RunAsync(
        ApiRequest request, Caller caller, SchemaCache cache, string schema, bool isNegotiated, Func<ApiAnswer, CancellationToken, Task> answer,
        CancellationToken cancellationToken)
    {
        var (plan, preferences, searchPath, statements) = Planned(request, caller.Role, cache, schema);
        var rollsBack = preferences.RollsBack ?? cache.Settings.RollsBack;
        var decides = rollsBack || (!plan.IsReadOnly
            && (plan.Media.IsSingular || plan.Operation == Operation.Upsert || preferences is { IsStrict: true, MaxAffected: not null }));
        var role = cache.Settings.Roles.GetValueOrDefault(caller.Role);
        var work = new Database.Composed
        {
            Statements = statements,
            SearchPath = searchPath,
            Method = request.Method,
            Path = request.FullPath,
            Headers = request.Headers,
            Cookies = request.Cookies,
            IsReadOnly = plan.IsReadOnly,
            Settings = Settings(role, plan, preferences),
            Isolation = Isolation(plan.Call?.Routine.Isolation ?? role?.Isolation),
            Decides = decides,
        };
        var outcome = new Outcome(request, schema, isNegotiated, plan, preferences, cache.Settings, rollsBack);
        try
        {
            // What changes something is only told when it is committed; what is read can be told while it is read.
            var held = await database.RunComposedAsync(
                caller, work,
                async (results, ct) =>
                {
                    var (made, error) = await outcome.ReadAsync(results, isHeld: !plan.IsReadOnly || rollsBack, ct);
                    if (error is not null)
                        return ((Answer: (ApiAnswer?)null, Error: (ApiException?)error), false);
                    if (made!.Stream is null)
                        return ((made, null), !rollsBack);
                    await answer(made, ct);
                    return ((null, null), !rollsBack);
                },
                cancellationToken);
            if (held.Error is not null)
                throw held.Error;
            if (held.Answer is { } kept)
            {
                using (kept)
                    await answer(kept, cancellationToken);
            }
        }
        catch (Exception e) when (e is not (ApiException or OperationCanceledException)
            && PostgresFaults.From(e, caller.Role == Caller.AnonymousRole, plan.Call is null) is { } fault)
        {
            throw fault;
        }
    }

    /// <summary>Plans a request; of a shape that came before only the values are looked at.</summary>
    internal static PlannedRequest Planned(ApiRequest request, string role, SchemaCache cache, string schema)
    {
        Span<char> space = stackalloc char[RequestShape.Size];
        if (!TryShape(request, schema, role, space, out var shape))
            return Plan(request, role, cache, schema);
        if (cache.Plans.Find(shape.Key) is { } template)
            return template.IsUsable ? template.Fill(shape.Values, shape.Payload) : Plan(request, role, cache, schema);
        var planned = Plan(request, role, cache, schema);
        cache.Plans.Add(shape.Key.ToString(), PlanTemplate.Of(request, shape.Values, planned, each => Plan(each, role, cache, schema)));
        return planned;
    }

    private static bool TryShape(ApiRequest request, string schema, string role, Span<char> space, out RequestShape shape)
    {
        try
        {
            return RequestShape.TryRead(request, schema, role, space, out shape);
        }
        catch (ApiException)
        {
            // Planning finds faults in their order.
            shape = default;
            return false;
        }
    }

    /// <summary>Plans a request from its text and the catalogs.</summary>
    internal static PlannedRequest Plan(ApiRequest request, string role, SchemaCache cache, string schema)
    {
        var preferences = Preferences.Parse(request.Prefer, cache.Settings.MayChooseEnd);
        var (plan, payload) = Planner.Plan(request, cache, schema, preferences);
        preferences.Check(cache.TimeZones);
        var searchPath = string.Join(", ", cache.Settings.SearchPath(schema).Select(Quoted));
        return new PlannedRequest(plan, preferences, searchPath, Statements(plan, payload, cache, preferences, role));
    }

    private static List<Statement> Statements(RequestPlan plan, Payload? payload, SchemaCache cache, Preferences preferences, string role)
    {
        var statements = new List<Statement>(1);
        if (cache.Settings.PreRequest is { } function)
            statements.Add(new Statement($"select {string.Join('.', function.Split('.').Select(Quoted))}()"));
        if (plan.Operation == Operation.Read && plan.Media.Kind != MediaKind.Plan && preferences.Count is Count.Planned or Count.Estimated)
            statements.Add(Made(StatementWriter.WriteEstimate(plan, cache, preferences)));
        if (plan.Media.Kind != MediaKind.Plan && (preferences.RollsBack ?? cache.Settings.RollsBack))
            statements.Add(new Statement("set constraints all immediate"));
        statements.Add(Made(StatementWriter.Write(plan, payload, cache, preferences)));
        return statements;

        // A plan is one role's, so each role has a text of its own.
        Statement Made(SqlText sql) => new(sql.Add(" -- ").Add(role).ToString(), [.. sql.Parameters]);
    }

    private static string Quoted(string name) => '"' + name.Replace("\"", "\"\"", StringComparison.Ordinal) + '"';

    private static IReadOnlyList<KeyValuePair<string, string>> Settings(RoleSettings? role, RequestPlan plan, Preferences preferences)
    {
        var ofFunction = plan.Call?.Routine.Settings ?? [];
        if (!preferences.IsZoneKnown && ofFunction.Count == 0)
            return role?.Settings ?? [];
        var settings = new List<KeyValuePair<string, string>>(role?.Settings ?? []);
        if (preferences.IsZoneKnown)
            settings.Add(new("timezone", preferences.TimeZone!));
        settings.AddRange(ofFunction);
        return settings;
    }

    private static IsolationLevel? Isolation(string? name) => name?.Trim('\'', '"').ToLowerInvariant() switch
    {
        "repeatable read" => IsolationLevel.RepeatableRead,
        "serializable" => IsolationLevel.Serializable,
        _ => null,
    };

    private static ApiAnswer Options(ApiRequest request, SchemaCache cache, string schema)
    {
        string allowed;
        if (request.Path.Count == 0)
        {
            allowed = "OPTIONS,GET,HEAD";
        }
        else if (request.IsRpc)
        {
            var overloads = cache.Overloads(new QName(schema, request.Path[1]));
            allowed = overloads.Any(routine => routine.Volatility != Volatility.Volatile) ? "OPTIONS,GET,HEAD,POST" : "OPTIONS,POST";
        }
        else
        {
            var name = new QName(schema, request.Path[0]);
            var table = cache.FindTable(name) ?? throw ApiFaults.Table(name, cache.SimilarTable(name));
            allowed = "OPTIONS,GET,HEAD" + (table.TakesInsert ? ",POST" : "")
                + (table is { TakesInsert: true, TakesUpdate: true, PrimaryKey.Length: > 0 } ? ",PUT" : "")
                + (table.TakesUpdate ? ",PATCH" : "") + (table.TakesDelete ? ",DELETE" : "");
        }

        var answer = new ApiAnswer();
        answer.Add("Allow", allowed);
        return answer;
    }

    private async Task<ApiAnswer> RootAsync(
        ApiRequest request, Caller caller, SchemaCache cache, string schema, bool isNegotiated, CancellationToken cancellationToken)
    {
        if (request.Method is not ("GET" or "HEAD"))
            throw ApiFaults.Method(request.Method);
        if (cache.Settings.OpenApiMode == "disabled")
            throw ApiFaults.OpenApiDisabled();
        var media = MediaType.NegotiateRoot(request.Accept);
        var body = await new OpenApiWriter(database, cache).WriteAsync(request, caller, schema, cancellationToken);
        var answer = new ApiAnswer { ContentType = media.ContentType, Body = request.IsHead ? default : body, HasNoBody = request.IsHead };
        if (isNegotiated)
            answer.Add("Content-Profile", schema);
        return answer;
    }

    /// <summary>From the rows of the statements to the answer.</summary>
    private sealed class Outcome(
        ApiRequest request, string schema, bool isNegotiated, RequestPlan plan, Preferences preferences, ApiSettings settings, bool rollsBack)
    {
        public async Task<(ApiAnswer? Answer, ApiException? Error)> ReadAsync(NpgsqlDataReader results, bool isHeld, CancellationToken cancellationToken)
        {
            if (settings.PreRequest is not null)
                await results.NextResultAsync(cancellationToken);
            if (plan.Media.Kind == MediaKind.Plan)
                return (await ExplainAsync(results, cancellationToken), null);
            var estimate = preferences.Count is Count.Planned or Count.Estimated && plan.Operation == Operation.Read
                ? await EstimateAsync(results, cancellationToken)
                : null;
            if (!await results.ReadAsync(cancellationToken))
                throw new DataException("The statement returned no row.");
            var total = Number(results, StatementWriter.Total);
            var rows = results.GetInt64(StatementWriter.Rows);
            var headers = Text(results, StatementWriter.Headers);
            var status = Text(results, StatementWriter.Status);
            var inserted = Number(results, StatementWriter.Inserted);
            var location = results.IsDBNull(StatementWriter.Location) ? null : results.GetFieldValue<string[,]>(StatementWriter.Location);
            if (Refusal(rows) is { } refusal)
                return (null, refusal);
            if (preferences.Count == Count.Planned)
                total = estimate ?? total;
            else if (preferences.Count == Count.Estimated && total > settings.MaxRows && estimate > total)
                total = estimate;
            var (code, range) = plan.Write is null ? Ranged(total, rows) : (Written(inserted), WrittenRange(rows));
            if (code == 416)
                return (null, ApiFaults.OutOfBounds(plan.Range.Offset, total ?? 0));
            var isEmpty = !plan.WritesBody || plan.Call?.Routine.ReturnsVoid == true;
            var (body, stream) = isEmpty ? default : await BodyAsync(results, isHeld, cancellationToken);
            var isHead = request.IsHead && plan.Call?.Routine.ReturnsVoid != true;
            var answer = new ApiAnswer
            {
                Status = code,
                Rented = body,
                Stream = stream,
                HasNoBody = isHead || code == 204,
                ContentType = isEmpty && !isHead ? null : plan.Media.ContentType,
            };
            answer.Add("Content-Range", range);
            if (plan.Operation == Operation.Read)
                answer.Add("Content-Location", Place());
            if (location is not null)
                answer.Add("Location", Place(location));
            if (isNegotiated && answer.ContentType is not null)
                answer.Add("Content-Profile", schema);
            answer.Add("Preference-Applied", preferences.Applied(plan.Operation, plan.Write?.Conflict.Count > 0));
            Override(answer, headers, status);
            return (answer, null);
        }

        private ApiException? Refusal(long rows) => plan switch
        {
            { Operation: Operation.Upsert } when rows != 1 => ApiFaults.PutPayload(),
            { Media.IsSingular: true } when rows != 1 => ApiFaults.NotSingular(rows),
            { Operation: Operation.Update or Operation.Delete or Operation.Call }
                when preferences is { IsStrict: true, MaxAffected: { } most } && rows > most => ApiFaults.MaxAffected(rows),
            _ => null,
        };

        private (int Status, string Range) Ranged(long? total, long rows)
        {
            var (lower, upper) = (plan.Range.Offset, plan.Range.Offset + rows - 1);
            var range = total != 0 && lower <= upper
                ? string.Create(CultureInfo.InvariantCulture, $"{lower}-{upper}/{Shown(total)}")
                : $"*/{Shown(total)}";
            var status = plan.Call?.Routine.ReturnsVoid == true ? 204
                : total is not { } all ? 200
                : lower > all ? 416
                : rows < all ? 206
                : 200;
            return (status, range);
        }

        private int Written(long? inserted) => plan.Operation switch
        {
            Operation.Insert => plan.Write is { MergesDuplicates: true, Conflict.Count: > 0 } && inserted is null or <= 0 ? 200 : 201,
            Operation.Upsert when plan.WritesBody => inserted > 0 ? 201 : 200,
            _ => plan.WritesBody ? 200 : 204,
        };

        private string? WrittenRange(long rows)
        {
            var total = preferences.Count is Count.Exact or Count.Estimated ? Shown(rows) : "*";
            return plan.Operation switch
            {
                Operation.Update when rows > 0 => string.Create(CultureInfo.InvariantCulture, $"0-{rows - 1}/{total}"),
                Operation.Upsert => null,
                _ => $"*/{total}",
            };
        }

        private static string Shown(long? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "*";

        private string Place()
        {
            // One parameter that needs no escaping stays as it is.
            var at = request.Query.Length == 0 || (!request.Query.AsSpan().ContainsAnyExcept(Plain) && request.Query.AsSpan().Count('=') == 1)
                ? request.Query : QueryReader.Canonical(request.Query);
            return at.Length == 0 ? $"/{Uri.EscapeDataString(request.Path[0])}" : $"/{Uri.EscapeDataString(request.Path[0])}?{at}";
        }

        private string Place(string[,] location)
        {
            var place = new StringBuilder("/").Append(Uri.EscapeDataString(request.Path[0]));
            for (var i = 0; i < location.GetLength(0); i++)
                place.Append(i == 0 ? '?' : '&').Append(Uri.EscapeDataString(location[i, 0])).Append('=').Append(Uri.EscapeDataString(location[i, 1]));
            return place.ToString();
        }

        private static async Task<(ArraySegment<byte> Rented, Stream? Stream)> BodyAsync(NpgsqlDataReader results, bool isHeld, CancellationToken cancellationToken)
        {
            if (results.IsDBNull(StatementWriter.Body))
                return default;
            var stream = await results.GetStreamAsync(StatementWriter.Body, cancellationToken);
            if (!isHeld && stream.Length > ShortBytes)
                return (default, stream);
            var length = (int)stream.Length;
            var body = ArrayPool<byte>.Shared.Rent(length);
            await stream.ReadExactlyAsync(body.AsMemory(0, length), cancellationToken);
            await stream.DisposeAsync();
            return (new ArraySegment<byte>(body, 0, length), null);
        }

        private async Task<ApiAnswer> ExplainAsync(NpgsqlDataReader results, CancellationToken cancellationToken)
        {
            var lines = new StringBuilder();
            while (await results.ReadAsync(cancellationToken))
                lines.Append(results.GetString(0)).Append('\n');
            var answer = new ApiAnswer
            {
                ContentType = plan.Media.ContentType,
                Body = request.IsHead ? default : Encoding.UTF8.GetBytes(lines.ToString()),
                HasNoBody = request.IsHead,
            };
            if (isNegotiated)
                answer.Add("Content-Profile", schema);
            if (rollsBack && preferences.RollsBack == true)
                answer.Add("Preference-Applied", "tx=rollback");
            return answer;
        }

        private static async Task<long?> EstimateAsync(NpgsqlDataReader results, CancellationToken cancellationToken)
        {
            long? rows = null;
            if (await results.ReadAsync(cancellationToken))
            {
                using var plan = JsonDocument.Parse(results.GetString(0));
                rows = (long)plan.RootElement[0].GetProperty("Plan").GetProperty("Plan Rows").GetDouble();
            }

            await results.NextResultAsync(cancellationToken);
            return rows;
        }

        // What a function or a trigger set goes before what we would say.
        private static void Override(ApiAnswer answer, string? headers, string? status)
        {
            if (status is not null)
            {
                if (!int.TryParse(status, NumberStyles.None, CultureInfo.InvariantCulture, out var chosen) || chosen is < 100 or > 999)
                    throw ApiFaults.StatusSetting();
                answer.Status = chosen;
            }

            if (headers is null)
                return;
            try
            {
                using var json = JsonDocument.Parse(headers);
                var chosen = new List<KeyValuePair<string, string>>();
                foreach (var item in json.RootElement.EnumerateArray())
                {
                    var property = item.EnumerateObject().Single();
                    chosen.Add(new(property.Name, property.Value.ValueKind == JsonValueKind.String ? property.Value.GetString()! : throw new JsonException()));
                }

                answer.Headers.RemoveAll(own => chosen.Exists(other => other.Key.Equals(own.Key, StringComparison.OrdinalIgnoreCase)));
                answer.Headers.AddRange(chosen);
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                throw ApiFaults.HeadersSetting();
            }
        }

        private static long? Number(NpgsqlDataReader results, int column) => results.IsDBNull(column) ? null : results.GetInt64(column);

        private static string? Text(NpgsqlDataReader results, int column) => results.IsDBNull(column) ? null : results.GetString(column);
    }
}
