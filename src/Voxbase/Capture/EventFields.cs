using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Voxbase.Capture;

/// <summary>
/// Reads the fields of an event without believing it: a field of the wrong type, a negative or huge number, text that is no text is
/// absent, and <see cref="Anomalous"/> says that there was one. An absent field or a null is no anomaly.
/// </summary>
internal sealed class EventFields
{
    private const int MaxIdLength = 256;

    public bool Anomalous { get; private set; }

    public void Reset() => Anomalous = false;

    public void Flag() => Anomalous = true;

    public bool Object(JsonElement owner, string name, out JsonElement value) => Find(owner, name, JsonValueKind.Object, out value);

    public bool Array(JsonElement owner, string name, out JsonElement value) => Find(owner, name, JsonValueKind.Array, out value);

    /// <summary>An identifier, a name or a code: not empty, at most 256 characters, no NUL.</summary>
    public string? Id(JsonElement owner, string name)
    {
        var text = String(owner, name);
        if (text is null or "")
        {
            return null;
        }

        if (text.Length <= MaxIdLength && !text.Contains('\0'))
        {
            return text;
        }

        Anomalous = true;
        return null;
    }

    /// <summary>Text exactly as sent, but for U+0000, which PostgreSQL's text cannot hold: it becomes U+FFFD.</summary>
    public string? Text(JsonElement owner, string name)
    {
        var text = String(owner, name);
        if (text is null || !text.Contains('\0'))
        {
            return text;
        }

        Anomalous = true;
        return text.Replace('\0', '\uFFFD');
    }

    /// <summary>A count: a whole number from 0 to 2³¹−1.</summary>
    public int? Count(JsonElement owner, string name)
    {
        if (!Find(owner, name, JsonValueKind.Number, out var value))
        {
            return null;
        }

        if (value.TryGetDouble(out var number) && number is >= 0 and <= int.MaxValue && number == Math.Floor(number))
        {
            return (int)number;
        }

        Anomalous = true;
        return null;
    }

    /// <summary>Milliseconds: as <see cref="Count"/>, fractions rounded.</summary>
    public int? Ms(JsonElement owner, string name)
    {
        if (!Find(owner, name, JsonValueKind.Number, out var value))
        {
            return null;
        }

        if (value.TryGetDouble(out var number) && number is >= 0 and <= int.MaxValue)
        {
            return (int)Math.Round(number);
        }

        Anomalous = true;
        return null;
    }

    /// <summary>Seconds with their decimals, from 0 to 10⁹.</summary>
    public decimal? Seconds(JsonElement owner, string name)
    {
        if (!Find(owner, name, JsonValueKind.Number, out var value))
        {
            return null;
        }

        if (value.TryGetDouble(out var rough) && rough is >= 0 and <= 1e9 && value.TryGetDecimal(out var number))
        {
            return number;
        }

        Anomalous = true;
        return null;
    }

    /// <summary>A Unix time in seconds. 0 means "never" and is absent.</summary>
    public DateTimeOffset? UnixSeconds(JsonElement owner, string name)
    {
        if (!Find(owner, name, JsonValueKind.Number, out var value))
        {
            return null;
        }

        if (value.TryGetDouble(out var number) && number is >= 0 and < 253_402_300_800)
        {
            return number == 0 ? null : DateTimeOffset.FromUnixTimeSeconds((long)number);
        }

        Anomalous = true;
        return null;
    }

    /// <summary>The number of bytes a base64 text stands for, without decoding or copying it. Malformed base64 is rounded down.</summary>
    public long Base64Bytes(JsonElement owner, string name)
    {
        if (!Find(owner, name, JsonValueKind.String, out var value))
        {
            return 0;
        }

        var raw = JsonMarshal.GetRawUtf8Value(value)[1..^1];
        long characters = raw.Length;
        var padding = raw.EndsWith("=="u8) ? 2 : raw.EndsWith("="u8) ? 1 : 0;

        // Serialisers may escape "/" and "+": an escape is one character.
        for (var next = raw.IndexOf((byte)'\\'); next >= 0; next = raw.IndexOf((byte)'\\'))
        {
            var escape = Math.Min(raw.Length - next, raw[next + 1] == 'u' ? 6 : 2);
            characters -= escape - 1;
            raw = raw[(next + escape)..];
        }

        return characters * 3 / 4 - (characters % 4 == 0 ? padding : 0);
    }

    private string? String(JsonElement owner, string name)
    {
        if (!Find(owner, name, JsonValueKind.String, out var value))
        {
            return null;
        }

        try
        {
            return value.GetString();
        }
        catch (InvalidOperationException)
        {
            // An escape that makes no character, such as half a surrogate pair.
            Anomalous = true;
            return null;
        }
    }

    private bool Find(JsonElement owner, string name, JsonValueKind kind, out JsonElement value)
    {
        if (owner.ValueKind != JsonValueKind.Object || !owner.TryGetProperty(name, out value))
        {
            value = default;
            return false;
        }

        if (value.ValueKind != kind)
        {
            Anomalous |= value.ValueKind != JsonValueKind.Null;
            return false;
        }

        return true;
    }

    /// <summary>A number for a key or a detail, the same on every machine.</summary>
    public static string Invariant(int number) => number.ToString(CultureInfo.InvariantCulture);
}
