using System.Globalization;
using System.Text.Json;
using Npgsql;

namespace Voxbase.DataApi;

/// <summary>From an error of PostgreSQL to the answer, told by SQLSTATE.</summary>
internal static class PostgresFaults
{
    /// <summary>The answer for an exception, or null when it is none of the database.</summary>
    /// <param name="exception">What was thrown.</param>
    /// <param name="isAnonymous">Whether the caller could get further by signing in.</param>
    /// <param name="isOurs">Whether the statement is of our making alone: a function's or view's failure is the server's.</param>
    public static ApiException? From(Exception exception, bool isAnonymous, bool isOurs) => exception switch
    {
        ApiException e => e,
        PostgresException { SqlState: "PGRST" } e => Raised(e),
        PostgresException e => new ApiException(e.SqlState, Status(e, isAnonymous, isOurs), e.MessageText, e.Detail, e.Hint, e)
        {
            Headers = Status(e, isAnonymous, isOurs) == 401 ? [new("WWW-Authenticate", "Bearer")] : [],
            Reason = e.SqlState.StartsWith("PT", StringComparison.Ordinal) ? e.MessageText : null,
        },
        NpgsqlException { InnerException: TimeoutException } e => new ApiException("PGRST003", 504, "The database did not answer in time.", inner: e),
        NpgsqlException e when e.Message.Contains("pool", StringComparison.Ordinal) && e.InnerException is null =>
            new ApiException("PGRST003", 504, "Timed out acquiring connection from connection pool.", inner: e),
        NpgsqlException e => new ApiException("PGRST001", 503, "Database client error. Retrying the connection.", inner: e),
        System.Text.EncoderFallbackException e => new ApiException("22021", 400, "A text is not valid Unicode.", inner: e),
        _ => null,
    };

    private static int Status(PostgresException e, bool isAnonymous, bool isOurs)
    {
        var state = e.SqlState;
        switch (state)
        {
            case "23503" or "23505":
                return 409;
            case "25006":
                return 405;
            case "21000":
                // A body that names the same key twice is the client's; a function or view that answers too many rows is the server's.
                return (isOurs && e.MessageText.StartsWith("ON CONFLICT", StringComparison.Ordinal))
                    || e.MessageText.EndsWith("requires a WHERE clause", StringComparison.Ordinal) ? 400 : 500;
            case "22023" when e.MessageText.StartsWith("role", StringComparison.Ordinal) && e.MessageText.EndsWith("does not exist", StringComparison.Ordinal):
                return 401;
            case "42501":
                return isAnonymous ? 401 : 403;
            case "42883" or "42P01":
                return 404;
            case "42P17" or "53400":
                return 500;
            case "57P01" or "57P02" or "57P03":
                return 503;
            case "P0001":
                return 400;
        }

        if (state.StartsWith("PT", StringComparison.Ordinal))
        {
            return int.TryParse(state.AsSpan(2), NumberStyles.None, CultureInfo.InvariantCulture, out var chosen) && chosen is >= 100 and <= 999 ? chosen : 500;
        }

        return state[..2] switch
        {
            "08" or "53" => 503,
            "0L" or "0P" or "28" => 403,
            // A statement too long or too deep was made so by its request, unless it got there through functions that call each other.
            "54" => isOurs && e.Where?.Contains("function", StringComparison.Ordinal) != true ? 400 : 500,
            "09" or "25" or "2D" or "38" or "39" or "3B" or "40" or "55" or "57" or "58" or "F0" or "HV" or "P0" or "XX" => 500,
            _ => 400,
        };
    }

    // raise sqlstate 'PGRST' using message = '{…}', detail = '{…}': a function chooses the whole answer.
    private static ApiException Raised(PostgresException e)
    {
        string? code, text, details, hint;
        try
        {
            using var message = JsonDocument.Parse(e.MessageText);
            var root = message.RootElement;
            (code, text) = (root.GetProperty("code").GetString(), root.GetProperty("message").GetString());
            (details, hint) = (Text(root, "details"), Text(root, "hint"));
        }
        catch (Exception fault) when (fault is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return ApiFaults.RaisedMessage(e.MessageText);
        }

        if (code is null || text is null)
            return ApiFaults.RaisedMessage(e.MessageText);
        if (e.Detail is null)
            return ApiFaults.RaisedDetail(null);
        try
        {
            using var detail = JsonDocument.Parse(e.Detail);
            var root = detail.RootElement;
            var headers = root.GetProperty("headers").EnumerateObject().Select(header => KeyValuePair.Create(header.Name, header.Value.GetString()!)).ToList();
            return new ApiException(code, root.GetProperty("status").GetInt32(), text, details, hint, e)
            {
                Headers = headers,
                Reason = Text(root, "status_text"),
            };
        }
        catch (Exception fault) when (fault is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return ApiFaults.RaisedDetail(e.Detail);
        }

        static string? Text(JsonElement root, string name) =>
            root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }
}
