using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Npgsql;
using Voxbase.Data;

namespace Voxbase.DataApi;

/// <summary>Describes the tables and functions that a caller may use, as OpenAPI 2.0, from which generators make types.</summary>
internal sealed class OpenApiWriter(Database database, SchemaCache cache)
{
    internal const string UsableTablesSql =
        """
        select c.relname::text
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = $1 and c.relkind in ('r', 'p', 'v', 'm', 'f') and has_schema_privilege(n.oid, 'usage')
          and (has_table_privilege(c.oid, 'select, insert, update, delete') or has_any_column_privilege(c.oid, 'select, insert, update'))
        """;

    internal const string UsableRoutinesSql =
        """
        select p.proname::text
        from pg_catalog.pg_proc p
        join pg_catalog.pg_namespace n on n.oid = p.pronamespace
        where n.nspname = $1 and has_schema_privilege(n.oid, 'usage') and has_function_privilege(p.oid, 'execute')
        """;

    internal const string DescriptionSql =
        """
        select obj_description(oid, 'pg_namespace') from pg_catalog.pg_namespace where nspname = $1
        """;

    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly string[] Media =
        ["application/json", "application/vnd.pgrst.object+json;nulls=stripped", "application/vnd.pgrst.object+json", "text/csv"];

    public async Task<byte[]> WriteAsync(ApiRequest request, Caller caller, string schema, CancellationToken cancellationToken)
    {
        var (tables, routines, description) = await UsableAsync(request, caller, schema, cancellationToken);
        var buffer = new ArrayBufferWriter<byte>(16 * 1024);
        using (var json = new Utf8JsonWriter(buffer, Relaxed))
            Write(json, tables, routines, description);
        return buffer.WrittenSpan.ToArray();
    }

    private async Task<(List<Table> Tables, List<Routine> Routines, string? Description)> UsableAsync(
        ApiRequest request, Caller caller, string schema, CancellationToken cancellationToken)
    {
        var tables = cache.Tables.Where(table => table.Name.Schema == schema).OrderBy(table => table.Name.Name, StringComparer.Ordinal).ToList();
        var routines = cache.Routines.Where(routine => routine.Name.Schema == schema).OrderBy(routine => routine.Name.Name, StringComparer.Ordinal).ToList();
        var work = new Database.Composed
        {
            Statements =
            [
                new Statement(UsableTablesSql, Parameter.Text(schema)), new Statement(UsableRoutinesSql, Parameter.Text(schema)),
                new Statement(DescriptionSql, Parameter.Text(schema)),
            ],
            SearchPath = "pg_catalog",
            Method = request.Method,
            Path = request.FullPath,
            Headers = request.Headers,
            Cookies = request.Cookies,
            IsReadOnly = true,
        };
        try
        {
            return await database.RunComposedAsync(caller, work, ReadAsync, cancellationToken);
        }
        catch (NpgsqlException e) when (PostgresFaults.From(e, caller.Role == Caller.AnonymousRole, isOurs: true) is { } fault)
        {
            throw fault;
        }

        async Task<((List<Table>, List<Routine>, string?), bool)> ReadAsync(NpgsqlDataReader results, CancellationToken ct)
        {
            var usable = await NamesAsync(results, ct);
            var callable = await NamesAsync(results, ct);
            var description = await results.ReadAsync(ct) && !results.IsDBNull(0) ? results.GetString(0) : null;
            return cache.Settings.OpenApiMode == "ignore-privileges"
                ? ((tables, routines, description), true)
                : (([.. tables.Where(table => usable.Contains(table.Name.Name))], [.. routines.Where(routine => callable.Contains(routine.Name.Name))], description), true);
        }

        static async Task<HashSet<string>> NamesAsync(NpgsqlDataReader results, CancellationToken ct)
        {
            var names = new HashSet<string>(StringComparer.Ordinal);
            while (await results.ReadAsync(ct))
                names.Add(results.GetString(0));
            await results.NextResultAsync(ct);
            return names;
        }
    }

    private void Write(Utf8JsonWriter json, List<Table> tables, List<Routine> routines, string? description)
    {
        json.WriteStartObject();
        json.WriteString("swagger", "2.0");
        json.WriteStartObject("info");
        var (title, rest) = Told(description);
        json.WriteString("title", title ?? "Voxbase Data API");
        json.WriteString("description", rest ?? "Tables and functions over HTTP, in the dialect of PostgREST.");
        json.WriteString("version", "16");
        json.WriteEndObject();
        json.WriteString("basePath", "/rest/v1");
        Texts(json, "consumes", Media);
        Texts(json, "produces", Media);
        json.WriteStartObject("paths");
        json.WriteStartObject("/");
        Operation(json, "get", "Introspection", "OpenAPI description (this document)", [], "OK", 200, null);
        json.WriteEndObject();
        foreach (var table in tables)
            Paths(json, table);
        foreach (var overloads in routines.GroupBy(routine => routine.Name.Name))
            Paths(json, overloads.First());
        json.WriteEndObject();
        json.WriteStartObject("definitions");
        foreach (var table in tables)
            Definition(json, table);
        json.WriteEndObject();
        json.WriteStartObject("parameters");
        Shared(json);
        foreach (var table in tables)
            Parameters(json, table);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void Paths(Utf8JsonWriter json, Table table)
    {
        var name = table.Name.Name;
        var filters = table.Columns.Select(column => $"rowFilter.{name}.{column.Name}").ToList();
        json.WriteStartObject("/" + name);
        Operation(json, "get", name, table.Description, [.. filters, "select", "order", "range", "rangeUnit", "offset", "limit", "preferCount"], "OK", 200, name);
        if (table.TakesInsert)
            Operation(json, "post", name, table.Description, [$"body.{name}", "select", "preferPost"], "Created", 201, null);
        if (table.TakesUpdate)
            Operation(json, "patch", name, table.Description, [.. filters, $"body.{name}", "preferReturn"], "No Content", 204, null);
        if (table.TakesDelete)
            Operation(json, "delete", name, table.Description, [.. filters, "preferReturn"], "No Content", 204, null);
        json.WriteEndObject();
    }

    private static void Paths(Utf8JsonWriter json, Routine routine)
    {
        json.WriteStartObject("/rpc/" + routine.Name.Name);
        if (routine.Volatility != Volatility.Volatile)
            Call("get");
        Call("post");
        json.WriteEndObject();

        void Call(string method)
        {
            json.WriteStartObject(method);
            Texts(json, "tags", [$"(rpc) {routine.Name.Name}"]);
            Described(json, routine.Description);
            Texts(json, "produces", Media);
            json.WriteStartArray("parameters");
            if (method == "get")
            {
                foreach (var parameter in routine.Parameters.Where(parameter => parameter.Name.Length > 0))
                {
                    json.WriteStartObject();
                    json.WriteString("name", parameter.Name);
                    json.WriteString("in", "query");
                    json.WriteBoolean("required", parameter.IsRequired);
                    Argument(json, parameter);
                    json.WriteEndObject();
                }
            }
            else
            {
                json.WriteStartObject();
                json.WriteString("name", "args");
                json.WriteString("in", "body");
                json.WriteBoolean("required", true);
                json.WriteStartObject("schema");
                if (routine.Description is not null)
                    json.WriteString("description", routine.Description);
                json.WriteString("type", "object");
                Texts(json, "required", [.. routine.Parameters.Where(parameter => parameter.IsRequired).Select(parameter => parameter.Name)]);
                json.WriteStartObject("properties");
                foreach (var parameter in routine.Parameters.Where(parameter => parameter.Name.Length > 0))
                {
                    json.WriteStartObject(parameter.Name);
                    TypeOf(json, parameter.Type);
                    json.WriteEndObject();
                }

                json.WriteEndObject();
                json.WriteEndObject();
                json.WriteEndObject();
                Reference(json, "preferParams");
            }

            json.WriteEndArray();
            json.WriteStartObject("responses");
            json.WriteStartObject("200");
            json.WriteString("description", "OK");
            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteEndObject();
        }
    }

    private static void Operation(
        Utf8JsonWriter json, string method, string tag, string? summary, List<string> parameters, string said, int status, string? rows)
    {
        json.WriteStartObject(method);
        Texts(json, "tags", [tag]);
        Described(json, summary);
        json.WriteStartArray("parameters");
        foreach (var parameter in parameters)
            Reference(json, parameter);
        json.WriteEndArray();
        json.WriteStartObject("responses");
        json.WriteStartObject(status.ToString(CultureInfo.InvariantCulture));
        json.WriteString("description", said);
        if (rows is not null)
        {
            json.WriteStartObject("schema");
            json.WriteString("type", "array");
            json.WriteStartObject("items");
            json.WriteString("$ref", "#/definitions/" + rows);
            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteStartObject("206");
            json.WriteString("description", "Partial Content");
        }

        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private void Definition(Utf8JsonWriter json, Table table)
    {
        json.WriteStartObject(table.Name.Name);
        if (table.Description is not null)
            json.WriteString("description", table.Description);
        Texts(json, "required", [.. table.Columns.Where(column => !column.IsNullable).Select(column => column.Name)]);
        json.WriteStartObject("properties");
        foreach (var column in table.Columns)
        {
            json.WriteStartObject(column.Name);
            TypeOf(json, column.DataType);
            if (column.MaxLength is { } length)
                json.WriteNumber("maxLength", length);
            if (column.Labels.Length > 0)
                Texts(json, "enum", column.Labels);
            Default(json, column);
            var notes = new List<string>();
            if (table.PrimaryKey.Contains(column.Name))
                notes.Add("This is a Primary Key.<pk/>");
            // A table rather than a view of it.
            var leads = cache.RelationshipsOf(table.Name).Where(each => each is { Columns.Count: 1, IsInverse: false } && each.IsToOne && each.Columns[0].Own == column.Name)
                .OrderBy(each => each.IsTargetView).FirstOrDefault();
            if (leads is not null)
                notes.Add($"This is a Foreign Key to `{leads.Target.Name}.{leads.Columns[0].Theirs}`.<fk table='{leads.Target.Name}' column='{leads.Columns[0].Theirs}'/>");
            var note = notes.Count == 0 ? null : "Note:\n" + string.Join('\n', notes);
            if ((column.Description ?? note) is not null)
                json.WriteString("description", string.Join("\n\n", new[] { column.Description, note }.OfType<string>()));
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteString("type", "object");
        json.WriteEndObject();
    }

    // As JSON, where it is a value; of a text also an expression.
    private static void Default(Utf8JsonWriter json, Column column)
    {
        if (column.Default is not { } text)
            return;
        if (JsonType(column.DataType) == "string")
        {
            var cast = "::" + column.DataType;
            var isLiteral = text.StartsWith('\'') && text.EndsWith('\'' + cast, StringComparison.Ordinal);
            json.WriteString("default", isLiteral ? text[1..^(cast.Length + 1)].Replace("''", "'", StringComparison.Ordinal) : text);
        }
        else if (text is "true" or "false")
        {
            json.WriteBoolean("default", text == "true");
        }
        else if (decimal.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
        {
            json.WriteNumber("default", number);
        }
    }

    // The first line of a comment, and the others.
    private static (string? First, string? Others) Told(string? comment)
    {
        if (comment is null)
            return (null, null);
        var end = comment.IndexOf('\n', StringComparison.Ordinal);
        return end < 0 ? (comment, null) : (comment[..end], comment[end..].TrimStart('\n') is { Length: > 0 } rest ? rest : null);
    }

    private static void Described(Utf8JsonWriter json, string? comment)
    {
        var (summary, description) = Told(comment);
        if (summary is not null)
            json.WriteString("summary", summary);
        if (description is not null)
            json.WriteString("description", description);
    }

    private static void Parameters(Utf8JsonWriter json, Table table)
    {
        json.WriteStartObject($"body.{table.Name.Name}");
        json.WriteString("name", table.Name.Name);
        json.WriteString("description", table.Name.Name);
        json.WriteString("in", "body");
        json.WriteBoolean("required", false);
        json.WriteStartObject("schema");
        json.WriteString("$ref", "#/definitions/" + table.Name.Name);
        json.WriteEndObject();
        json.WriteEndObject();
        foreach (var column in table.Columns)
            Query(json, $"rowFilter.{table.Name.Name}.{column.Name}", column.Name, "query", column.Description);
    }

    private static void Shared(Utf8JsonWriter json)
    {
        Query(json, "preferParams", "Prefer", "header", "Preference");
        Query(json, "preferReturn", "Prefer", "header", "Preference", "return=representation", "return=minimal");
        Query(json, "preferCount", "Prefer", "header", "Preference", "count=exact", "count=planned", "count=estimated");
        Query(
            json, "preferPost", "Prefer", "header", "Preference",
            "return=representation", "return=minimal", "return=headers-only", "resolution=ignore-duplicates", "resolution=merge-duplicates");
        Query(json, "select", "select", "query", "Filtering Columns");
        Query(json, "on_conflict", "on_conflict", "query", "On Conflict");
        Query(json, "order", "order", "query", "Ordering");
        Query(json, "offset", "offset", "query", "Limiting and Pagination");
        Query(json, "limit", "limit", "query", "Limiting and Pagination");
        Query(json, "range", "Range", "header", "Limiting and Pagination");
        Query(json, "rangeUnit", "Range-Unit", "header", "Limiting and Pagination");
    }

    private static void Query(Utf8JsonWriter json, string key, string name, string place, string? description, params string[] values)
    {
        json.WriteStartObject(key);
        json.WriteString("name", name);
        json.WriteString("in", place);
        json.WriteBoolean("required", false);
        json.WriteString("type", "string");
        if (description is not null)
            json.WriteString("description", description);
        Texts(json, "enum", values);
        json.WriteEndObject();
    }

    private static void Reference(Utf8JsonWriter json, string name)
    {
        json.WriteStartObject();
        json.WriteString("$ref", "#/parameters/" + name);
        json.WriteEndObject();
    }

    private static void TypeOf(Utf8JsonWriter json, string type)
    {
        json.WriteString("format", type);
        if (type.EndsWith("[]", StringComparison.Ordinal))
        {
            json.WriteString("type", "array");
            json.WriteStartObject("items");
            if (JsonType(type[..^2]) is var item and not "any")
                json.WriteString("type", item);
            json.WriteEndObject();
        }
        else if (JsonType(type) is { } known and not "any")
        {
            json.WriteString("type", known);
        }
    }

    // In a query an array is its literal, and JSON its text; what takes the rest is said again and again.
    private static void Argument(Utf8JsonWriter json, RoutineParameter parameter)
    {
        if (parameter.IsVariadic)
        {
            json.WriteString("type", "array");
            json.WriteString("collectionFormat", "multi");
            json.WriteStartObject("items");
            json.WriteString("type", JsonType(parameter.Type[..^2]) is var item and not "any" ? item : "string");
            json.WriteString("format", parameter.Type[..^2]);
            json.WriteEndObject();
            return;
        }

        json.WriteString("format", parameter.Type);
        json.WriteString("type", !parameter.Type.EndsWith("[]", StringComparison.Ordinal) && JsonType(parameter.Type) is var known and not "any" ? known : "string");
    }

    private static string JsonType(string type) => type switch
    {
        "smallint" or "integer" or "bigint" => "integer",
        "real" or "double precision" or "numeric" => "number",
        "boolean" => "boolean",
        "json" or "jsonb" => "any",
        _ => "string",
    };

    private static void Texts(Utf8JsonWriter json, string name, string[] texts)
    {
        if (texts.Length == 0)
            return;
        json.WriteStartArray(name);
        foreach (var text in texts)
            json.WriteStringValue(text);
        json.WriteEndArray();
    }
}
