using System.Globalization;

namespace Voxbase.DataApi;

/// <summary>What can be wrong with a request, as clients of the dialect know it.</summary>
internal static class ApiFaults
{
    public static ApiException Parse(string what, string text, int column, string details) =>
        new("PGRST100", 400, string.Create(CultureInfo.InvariantCulture, $"\"failed to parse {what} ({text})\" (line 1, column {column})"), details);

    public static ApiException RpcMethod(string method) => new("PGRST101", 405, $"Cannot use the {method} method on RPC");

    public static ApiException Body(string message) => new("PGRST102", 400, message);

    public static ApiException Range(string details) => new("PGRST103", 416, "Requested range not satisfiable", details);

    public static ApiException OutOfBounds(long offset, long total) =>
        new("PGRST103", 416, "Requested range not satisfiable",
            string.Create(CultureInfo.InvariantCulture, $"An offset of {offset} was requested, but there are only {total} rows."))
        {
            Headers = [new("Content-Range", string.Create(CultureInfo.InvariantCulture, $"*/{total}"))],
        };

    public static ApiException PutFilters() =>
        new("PGRST105", 405, "Filters must include all and only primary key columns with 'eq' operators");

    public static ApiException Schema(string schema, IEnumerable<string> exposed) =>
        new("PGRST106", 406, $"Invalid schema: {schema}", hint: $"Only the following schemas are exposed: {string.Join(", ", exposed)}");

    public static ApiException MediaType(IEnumerable<string> accepted) =>
        new("PGRST107", 406, $"None of these media types are available: {string.Join(", ", accepted)}");

    public static ApiException NotEmbedded(string name, (string Name, string Alias)? aliased = null) => aliased is { } known
        ? new("PGRST108", 400, $"'{name}' is not an embedded resource in this request",
            "Target names are not allowed in filters if they have an alias", $"Change '{known.Name}' to '{known.Alias}' in filters, orders or limits.")
        : new("PGRST108", 400, $"'{name}' is not an embedded resource in this request",
            hint: $"Verify that '{name}' is included in the 'select' query parameter.");

    public static ApiException HeadersSetting() =>
        new("PGRST111", 500, "response.headers guc must be a JSON array composed of objects with a single key and a string value");

    public static ApiException StatusSetting() => new("PGRST112", 500, "response.status guc must be a valid status code");

    public static ApiException PutLimit() => new("PGRST114", 400, "limit/offset querystring parameters are not allowed for PUT");

    public static ApiException PutPayload() => new("PGRST115", 400, "Payload values do not match URL in primary key column(s)");

    public static ApiException NotSingular(long rows) =>
        new("PGRST116", 406, "Cannot coerce the result to a single JSON object", string.Create(CultureInfo.InvariantCulture, $"The result contains {rows} rows"));

    public static ApiException Method(string method) => new("PGRST117", 405, $"Unsupported HTTP method: {method}");

    public static ApiException RelatedOrder(string origin, string target) => new(
        "PGRST118", 400, $"A related order on '{target}' is not possible",
        $"'{origin}' and '{target}' do not form a many-to-one or one-to-one relationship");

    public static ApiException RaisedMessage(string message) => new(
        "PGRST121", 500, "Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error", $"Invalid JSON value for MESSAGE: '{message}'",
        "MESSAGE must be a JSON object with obligatory keys: 'code', 'message' and optional keys: 'details', 'hint'.");

    public static ApiException RaisedDetail(string? detail) => new(
        "PGRST121", 500, "Could not parse JSON in the \"RAISE SQLSTATE 'PGRST'\" error",
        detail is null ? "DETAIL is missing in the RAISE statement" : $"Invalid JSON value for DETAIL: '{detail}'",
        "DETAIL must be a JSON object with obligatory keys: 'status', 'headers' and optional key: 'status_text'.");

    public static ApiException Preferences(IEnumerable<string> invalid) =>
        new("PGRST122", 400, "Invalid preferences given with handling=strict", $"Invalid preferences: {string.Join(", ", invalid)}");

    public static ApiException Aggregates() => new("PGRST123", 400, "Use of aggregate functions is not allowed");

    public static ApiException MaxAffected(long rows) =>
        new("PGRST124", 400, "Query result exceeds max-affected preference constraint", string.Create(CultureInfo.InvariantCulture, $"The query affects {rows} rows"));

    public static ApiException Path() => new("PGRST125", 404, "Invalid path specified in request URL");

    public static ApiException OpenApiDisabled() => new("PGRST126", 404, "Root endpoint metadata is disabled");

    public static ApiException NotImplemented(string what) => new("PGRST127", 400, "Feature not implemented", what);

    public static ApiException MaxAffectedSingle() =>
        new("PGRST128", 400, "Function must return SETOF or TABLE when max-affected preference is used with handling=strict");

    public static ApiException ColumnOf(string table, string column) =>
        new("PGRST204", 400, $"Could not find the '{column}' column of '{table}' in the schema cache");

    public static ApiException Table(QName name, string? suggestion) => new(
        "PGRST205", 404, $"Could not find the table '{name.Schema}.{name.Name}' in the schema cache",
        hint: suggestion is null ? null : $"Perhaps you meant the table '{name.Schema}.{suggestion}'");

    /// <summary>No catalog yet: the database could not be read since the start.</summary>
    public static ApiException NoSchemaCache() => new("PGRST002", 503, "Could not query the database for the schema cache. Retrying.");

    /// <summary>As PostgreSQL itself says it, without asking: the name would otherwise have to go into the statement.</summary>
    public static ApiException UndefinedColumn(string table, string column, string? suggestion) => new(
        "42703", 400, $"column {(table.Length == 0 ? "" : table + ".")}{column} does not exist",
        hint: suggestion is null ? null : $"Perhaps you meant to reference the column \"{(table.Length == 0 ? "" : table + ".")}{suggestion}\".");

    /// <inheritdoc cref="UndefinedColumn"/>
    public static ApiException DuplicateName(string name) => new("42712", 400, $"table name \"{name}\" specified more than once");

    /// <inheritdoc cref="UndefinedColumn"/>
    public static ApiException UndefinedType(string type) => new("42704", 400, $"type \"{type}\" does not exist");

    public static ApiException Unauthorized(string code, string message, string? details = null) => new(code, 401, message, details)
    {
        Headers = [new("WWW-Authenticate", $"Bearer error=\"invalid_token\", error_description=\"{message}\"")],
    };
}
