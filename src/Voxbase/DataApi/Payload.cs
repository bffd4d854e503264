using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Voxbase.DataApi;

/// <summary>A body that is written, or given to a function.</summary>
/// <param name="Bytes">JSON, or what the function takes as it is.</param>
/// <param name="Keys">The columns or arguments it names.</param>
internal sealed record Payload(ReadOnlyMemory<byte> Bytes, IReadOnlyList<string> Keys)
{
    private static readonly JsonReaderOptions Lenient = new() { MaxDepth = 256 };

    /// <summary>Values of a form.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>>? Form { get; private init; }

    /// <summary>Whether it is handed on without being looked at.</summary>
    public bool IsRaw { get; private init; }

    public bool IsObject => Bytes.Span.TrimStart(" \t\r\n"u8) is [(byte)'{', ..];

    /// <summary>Reads a body as its content type says.</summary>
    /// <exception cref="ApiException">PGRST102.</exception>
    public static Payload Read(ApiRequest request, IReadOnlyList<string>? columns)
    {
        switch (BaseType(request.ContentType))
        {
            case "application/json":
                if (columns is not null)
                    return new Payload(request.Body, columns);
                if (request.Body.IsEmpty && request.IsRpc)
                    return new Payload("{}"u8.ToArray(), []);
                return KeysOf(request.Body);
            case "text/csv":
                return Csv(request.Body);
            case "application/x-www-form-urlencoded":
                return OfForm(request);
            case "text/plain" or "text/xml" or "application/octet-stream" when request.IsRpc:
                return new Payload(request.Body, []) { IsRaw = true };
            case var other:
                throw ApiFaults.Body($"Content-Type not acceptable: {other}");
        }
    }

    /// <summary>The content type without its parameters; JSON when there is none.</summary>
    public static string BaseType(string? contentType)
    {
        if (contentType is null or "" or "application/json")
            return "application/json";
        var end = contentType.IndexOf(';', StringComparison.Ordinal);
        return (end < 0 ? contentType : contentType[..end]).Trim().ToLowerInvariant();
    }

    // Reads no more of the JSON than the keys of its objects, which must all be the same.
    private static Payload KeysOf(ReadOnlyMemory<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body.Span, Lenient);
            reader.Read();
            var keys = new List<string>();
            if (reader.TokenType == JsonTokenType.StartObject)
            {
                ReadKeys(ref reader, keys);
                End(ref reader);
                return new Payload(body, keys);
            }

            if (reader.TokenType != JsonTokenType.StartArray)
            {
                reader.Skip();
                End(ref reader);
                return new Payload("[]"u8.ToArray(), []);
            }

            HashSet<string>? first = null;
            var each = new List<string>();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                if (reader.TokenType != JsonTokenType.StartObject)
                    throw ApiFaults.Body("All object keys must match");
                each.Clear();
                ReadKeys(ref reader, each);
                if (first is null)
                    (first, keys) = (each.ToHashSet(StringComparer.Ordinal), [.. each]);
                else if (!first.SetEquals(each))
                    throw ApiFaults.Body("All object keys must match");
            }

            End(ref reader);
            return new Payload(body, keys);
        }
        catch (JsonException)
        {
            throw ApiFaults.Body("Empty or invalid json");
        }
        catch (InvalidOperationException)
        {
            // A name with half of a surrogate pair.
            throw ApiFaults.Body("Empty or invalid json");
        }

        static void ReadKeys(ref Utf8JsonReader reader, List<string> keys)
        {
            while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
            {
                var name = reader.GetString()!;
                if (!keys.Contains(name))
                    keys.Add(name);
                reader.Read();
                reader.Skip();
            }
        }

        static void End(ref Utf8JsonReader reader)
        {
            if (reader.Read())
                throw new JsonException();
        }
    }

    private static Payload OfForm(ApiRequest request)
    {
        var values = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        foreach (var pair in Encoding.UTF8.GetString(request.Body.Span).Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = pair.Split('=', 2);
            var name = Decode(parts[0]);
            values[name] = [.. values.GetValueOrDefault(name) ?? [], parts.Length > 1 ? Decode(parts[1]) : ""];
        }

        if (request.IsRpc)
            return new Payload(default, [.. values.Keys]) { Form = values };
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            foreach (var (name, value) in values)
                json.WriteString(name, value[^1]);
            json.WriteEndObject();
        }

        return new Payload(buffer.WrittenMemory, [.. values.Keys]);

        static string Decode(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));
    }

    private static Payload Csv(ReadOnlyMemory<byte> body)
    {
        var lines = CsvLines(Encoding.UTF8.GetString(body.Span)).ToList();
        if (lines.Count == 0)
            throw ApiFaults.Body("parse error (not enough input) at \"\"");
        var buffer = new ArrayBufferWriter<byte>(body.Length * 2);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartArray();
            foreach (var line in lines.Skip(1))
            {
                if (line.Count != lines[0].Count)
                    throw ApiFaults.Body("All lines must have same number of fields");
                json.WriteStartObject();
                for (var i = 0; i < line.Count; i++)
                    json.WriteString(lines[0][i], line[i] == "NULL" ? null : line[i]);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        return new Payload(buffer.WrittenMemory, [.. lines[0].Distinct()]);
    }

    // RFC 4180.
    private static IEnumerable<List<string>> CsvLines(string text)
    {
        var (fields, field, quoted) = (new List<string>(), new StringBuilder(), false);
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (quoted)
            {
                if (c != '"')
                    field.Append(c);
                else if (i + 1 < text.Length && text[i + 1] == '"')
                    field.Append(text[i++]);
                else
                    quoted = false;
            }
            else if (c == '"' && field.Length == 0)
            {
                quoted = true;
            }
            else if (c is ',' or '\n')
            {
                fields.Add(field.ToString());
                field.Clear();
                if (c == '\n')
                {
                    yield return fields;
                    fields = [];
                }
            }
            else if (c != '\r')
            {
                field.Append(c);
            }
        }

        if (field.Length == 0 && fields.Count == 0)
            yield break;
        fields.Add(field.ToString());
        yield return fields;
    }
}
