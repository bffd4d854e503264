using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Voxbase.Data;

namespace Voxbase.AspNetCore;

/// <summary>
/// Says what is wrong with a body that the serialiser refused, in the client's terms: which field, what it must be. Runs only then,
/// so it may take its time; it looks at the body again and trusts no message text.
/// </summary>
internal static class JsonFaults
{
    private static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 64 };

    private static readonly JsonDocumentOptions WithDuplicates = new() { MaxDepth = 64 };

    public static VoxbaseException Explain(ReadOnlyMemory<byte> body, JsonTypeInfo type, JsonException refused)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(body, WithDuplicates);
        }
        catch (JsonException e)
        {
            return HttpErrors.BodyInvalid.With(string.Create(
                CultureInfo.InvariantCulture, $"The body is not JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}."));
        }

        using (document)
        {
            if (Find(document.RootElement, type, "$") is { } fault)
                return fault;
        }

        try
        {
            JsonDocument.Parse(body, Strict).Dispose();
        }
        catch (JsonException)
        {
            return HttpErrors.BodyInvalid.With($"A field is there twice, at or below {Request.Shown(refused.Path)}.");
        }

        return ConversationErrors.InputInvalid.With($"{Request.Shown(refused.Path ?? "$")} is not of the right form");
    }

    /// <exception cref="VoxbaseException"><c>value_invalid</c> when a text or a name holds U+0000.</exception>
    public static void ThrowIfNul(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body);
        try
        {
            var name = "$";
            while (reader.Read())
            {
                if (reader.TokenType is not (JsonTokenType.String or JsonTokenType.PropertyName) || !reader.ValueIsEscaped)
                {
                    if (reader.TokenType == JsonTokenType.PropertyName)
                        name = reader.GetString()!;
                    continue;
                }

                var text = reader.GetString()!;
                if (text.Contains('\0', StringComparison.Ordinal))
                    throw DataErrors.ValueInvalid.With($"'{Request.Shown(name)}' holds the character U+0000, which no text may.");
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The parser proper will say so better.
        }
    }

    private static VoxbaseException? Find(JsonElement value, JsonTypeInfo type, string path) => type.Kind switch
    {
        JsonTypeInfoKind.Object => FindInObject(value, type, path),
        JsonTypeInfoKind.Enumerable => FindInArray(value, type, path),
        _ => Fits(value, type.Type) ? null : Wrong(path, Expected(type.Type), value),
    };

    private static VoxbaseException? FindInObject(JsonElement value, JsonTypeInfo type, string path)
    {
        if (value.ValueKind != JsonValueKind.Object)
            return Wrong(path, "an object", value);
        var known = type.Properties.ToDictionary(property => property.Name);
        foreach (var field in value.EnumerateObject())
        {
            if (!known.TryGetValue(field.Name, out var property))
            {
                return HttpErrors.FieldUnknown.With(
                    $"The field '{Request.Shown(field.Name)}' at {path} is unknown.", $"known: {string.Join(", ", known.Keys)}");
            }

            var fieldPath = $"{path}.{field.Name}";
            if (field.Value.ValueKind == JsonValueKind.Null)
            {
                if (!property.IsSetNullable || (property.PropertyType.IsValueType && Nullable.GetUnderlyingType(property.PropertyType) is null))
                    return Wrong(fieldPath, Expected(property.PropertyType), field.Value);
                continue;
            }

            if (Find(field.Value, type.Options.GetTypeInfo(property.PropertyType), fieldPath) is { } fault)
                return fault;
        }

        return type.Properties.FirstOrDefault(property => property.IsRequired && !value.TryGetProperty(property.Name, out _)) is { } missing
            ? ConversationErrors.InputInvalid.With($"{path}.{missing.Name} is missing; it must be {Expected(missing.PropertyType)}")
            : null;
    }

    private static VoxbaseException? FindInArray(JsonElement value, JsonTypeInfo type, string path)
    {
        if (value.ValueKind != JsonValueKind.Array)
            return Wrong(path, "an array", value);
        var element = type.Options.GetTypeInfo(type.ElementType!);
        var i = 0;
        foreach (var item in value.EnumerateArray())
        {
            if (Find(item, element, $"{path}[{i++}]") is { } fault)
                return fault;
        }

        return null;
    }

    private static bool Fits(JsonElement value, Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        try
        {
            if (type == typeof(JsonElement))
                return true;
            if (type == typeof(string))
                return value.ValueKind == JsonValueKind.String && value.GetString() is not null;
            if (type == typeof(bool))
                return value.ValueKind is JsonValueKind.True or JsonValueKind.False;
            if (type == typeof(int))
                return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out _);
            if (type == typeof(Guid))
                return value.ValueKind == JsonValueKind.String && value.TryGetGuid(out _);
            if (type.IsEnum)
                return value.ValueKind == JsonValueKind.String && VoxbaseJson.NamesOf(type).Contains(value.GetString());
            JsonSerializer.Deserialize(value, VoxbaseJson.Options.GetTypeInfo(type));
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    private static string Expected(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type == typeof(string) ? "a text of whole Unicode characters"
            : type == typeof(bool) ? "true or false"
            : type == typeof(int) ? "a whole number up to 2147483647"
            : type == typeof(Guid) ? "a UUID"
            : type == typeof(DateTimeOffset) ? "a time with its offset, like 2025-05-31T12:00:00Z"
            : type.IsEnum ? $"one of {string.Join(", ", VoxbaseJson.NamesOf(type))}"
            : type.IsPrimitive || type == typeof(decimal) ? "a number"
            : "an object";
    }

    // A value is shown only where it cannot be something that somebody said.
    private static VoxbaseException Wrong(string path, string expected, JsonElement value)
    {
        var was = value.ValueKind switch
        {
            JsonValueKind.String => "another text",
            JsonValueKind.Number => Request.Shown(value.GetRawText()),
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => "an array",
            var kind => kind.ToString().ToLowerInvariant(),
        };
        return ConversationErrors.InputInvalid.With($"{path} must be {expected} (was {was})");
    }
}
