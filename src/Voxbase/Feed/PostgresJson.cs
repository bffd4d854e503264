using System.Buffers;

namespace Voxbase;

/// <summary>How a type is written in JSON.</summary>
internal enum JsonForm
{
    /// <summary>As a string.</summary>
    Text,
    Boolean,
    Number,
    Json,
    Timestamp,
    TimestampTz,
    Array,
    Composite,
}

/// <summary>A type, as far as writing its values in JSON needs it.</summary>
internal sealed class FeedType(string name, JsonForm form)
{
    public static FeedType Unknown { get; } = new("text", JsonForm.Text);

    public string Name { get; } = name;

    public JsonForm Form { get; } = form;

    /// <summary>What a domain is over, for comparing; the name itself otherwise.</summary>
    public string BaseName { get; set; } = name;

    /// <summary>Of an array's elements.</summary>
    public FeedType? Element { get; set; }

    public byte Delimiter { get; set; } = (byte)',';

    /// <summary>Of a composite type.</summary>
    public (byte[] Name, FeedType Type)[] Fields { get; set; } = [];
}

/// <summary>
/// Makes JSON of the texts in which PostgreSQL writes values (ISO dates, UTC), as its own to_json does.
/// </summary>
internal static class PostgresJson
{
    private static readonly SearchValues<byte> Escaped =
        SearchValues.Create([.. Enumerable.Range(0, 32).Select(i => (byte)i), (byte)'"', (byte)'\\']);

    public static void WriteName(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> name) => WriteString(output, name);

    public static void Write(ArrayBufferWriter<byte> output, FeedType type, ReadOnlySpan<byte> text)
    {
        switch (type.Form)
        {
            case JsonForm.Boolean:
                output.Write(text is [(byte)'t', ..] ? "true"u8 : "false"u8);
                break;
            case JsonForm.Number when IsNumber(text):
                output.Write(text);
                break;
            case JsonForm.Json:
                WriteJson(output, text);
                break;
            case JsonForm.Timestamp or JsonForm.TimestampTz:
                WriteTimestamp(output, text, type.Form == JsonForm.TimestampTz);
                break;
            case JsonForm.Array:
                var at = 0;
                // [0:2]={…} names bounds that JSON has no place for.
                if (text is [(byte)'[', ..])
                    at = text.IndexOf((byte)'=') + 1;
                WriteArray(output, type, text, ref at);
                break;
            case JsonForm.Composite:
                WriteComposite(output, type, text);
                break;
            default:
                WriteString(output, text);
                break;
        }
    }

    public static void WriteString(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> text)
    {
        Span<byte> code = stackalloc byte[6];
        Put(output, (byte)'"');
        while (text.IndexOfAny(Escaped) is >= 0 and var at)
        {
            output.Write(text[..at]);
            output.Write(text[at] switch
            {
                (byte)'"' => "\\\""u8,
                (byte)'\\' => "\\\\"u8,
                (byte)'\n' => "\\n"u8,
                (byte)'\r' => "\\r"u8,
                (byte)'\t' => "\\t"u8,
                (byte)'\b' => "\\b"u8,
                (byte)'\f' => "\\f"u8,
                var other => Unicode(code, other),
            });
            text = text[(at + 1)..];
        }

        output.Write(text);
        Put(output, (byte)'"');

        static ReadOnlySpan<byte> Unicode(Span<byte> code, byte value)
        {
            const string digits = "0123456789abcdef";
            "\\u00"u8.CopyTo(code);
            code[4] = (byte)digits[value >> 4];
            code[5] = (byte)digits[value & 15];
            return code;
        }
    }

    public static void Put(ArrayBufferWriter<byte> output, byte value)
    {
        output.GetSpan(1)[0] = value;
        output.Advance(1);
    }

    // NaN and Infinity are no JSON numbers.
    private static bool IsNumber(ReadOnlySpan<byte> text) =>
        text.Length > 0 && (text[^1] is >= (byte)'0' and <= (byte)'9') && (text[0] == (byte)'-' || text[0] is >= (byte)'0' and <= (byte)'9');

    // json keeps its layout; a line break in it would break streams of lines, and inside of strings JSON has none.
    private static void WriteJson(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> text)
    {
        while (text.IndexOfAny((byte)'\n', (byte)'\r') is >= 0 and var at)
        {
            output.Write(text[..at]);
            Put(output, (byte)' ');
            text = text[(at + 1)..];
        }

        output.Write(text);
    }

    private static void WriteTimestamp(ArrayBufferWriter<byte> output, ReadOnlySpan<byte> text, bool hasZone)
    {
        Put(output, (byte)'"');
        var space = text.IndexOf((byte)' ');
        if (space < 0)
        {
            // infinity
            output.Write(text);
        }
        else
        {
            output.Write(text[..space]);
            Put(output, (byte)'T');
            text = text[(space + 1)..];
            var era = text.IndexOf((byte)' ');
            var clock = era < 0 ? text : text[..era];
            output.Write(clock);
            if (hasZone && clock.LastIndexOfAny((byte)'+', (byte)'-') == clock.Length - 3)
                output.Write(":00"u8);
            if (era >= 0)
                output.Write(text[era..]);
        }

        Put(output, (byte)'"');
    }

    private static void WriteArray(ArrayBufferWriter<byte> output, FeedType type, ReadOnlySpan<byte> text, ref int at)
    {
        Put(output, (byte)'[');
        at++;
        var isFirst = true;
        while (at < text.Length && text[at] != (byte)'}')
        {
            if (!isFirst)
            {
                at++;
                Put(output, (byte)',');
            }

            isFirst = false;
            if (text[at] == (byte)'{')
            {
                WriteArray(output, type, text, ref at);
                continue;
            }

            var (value, isQuoted) = ReadQuotable(text, ref at, type.Delimiter, (byte)'}');
            if (!isQuoted && value.AsSpan().SequenceEqual("NULL"u8))
                output.Write("null"u8);
            else
                Write(output, type.Element ?? FeedType.Unknown, value);
        }

        at++;
        Put(output, (byte)']');
    }

    private static void WriteComposite(ArrayBufferWriter<byte> output, FeedType type, ReadOnlySpan<byte> text)
    {
        Put(output, (byte)'{');
        var at = 1;
        for (var i = 0; i < type.Fields.Length; i++)
        {
            if (i > 0)
            {
                at++;
                Put(output, (byte)',');
            }

            WriteString(output, type.Fields[i].Name);
            Put(output, (byte)':');
            var (value, isQuoted) = ReadQuotable(text, ref at, (byte)',', (byte)')');
            if (value.Length == 0 && !isQuoted)
                output.Write("null"u8);
            else
                Write(output, type.Fields[i].Type, value);
        }

        Put(output, (byte)'}');
    }

    // In quotes a backslash escapes, and in composites a doubled quote is one.
    private static (byte[] Value, bool IsQuoted) ReadQuotable(ReadOnlySpan<byte> text, ref int at, byte delimiter, byte end)
    {
        var value = new List<byte>();
        var (isQuoted, inQuotes) = (false, false);
        for (; at < text.Length; at++)
        {
            var c = text[at];
            if (c == (byte)'\\' && at + 1 < text.Length)
            {
                value.Add(text[++at]);
            }
            else if (c == (byte)'"')
            {
                if (inQuotes && at + 1 < text.Length && text[at + 1] == (byte)'"')
                {
                    value.Add(c);
                    at++;
                }
                else
                {
                    inQuotes = !inQuotes;
                    isQuoted = true;
                }
            }
            else if (!inQuotes && (c == delimiter || c == end))
            {
                break;
            }
            else
            {
                value.Add(c);
            }
        }

        return ([.. value], isQuoted);
    }
}
