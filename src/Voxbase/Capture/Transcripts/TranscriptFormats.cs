using System.Text.Json;

namespace Voxbase.Capture;

/// <summary>Which format a transcript has, told from its beginning.</summary>
internal static class TranscriptFormats
{
    // A name or a time in a text of another kind is found sooner or later; a transcript shows one soon.
    private const int LinesLookedAt = 200;

    /// <param name="head">The first bytes, in UTF-8, without a byte order mark.</param>
    /// <param name="isWhole">Whether they are all there is.</param>
    /// <returns>Null when it is none.</returns>
    public static TranscriptFormat? Detect(ReadOnlySpan<byte> head, bool isWhole)
    {
        var trimmed = head.TrimStart(" \t\r\n"u8);
        if (trimmed.StartsWith("WEBVTT"u8))
            return TranscriptFormat.Vtt;
        if (trimmed is [(byte)'{' or (byte)'[', ..] && Json(trimmed, isWhole) is { } json)
            return json;

        var text = TranscriptLines.Utf8.GetString(head);
        if (IsBinary(text))
            return null;
        var isText = false;
        var looked = 0;
        foreach (var range in text.AsSpan().SplitAny('\n', '\r'))
        {
            // The last line may be cut.
            if (!isWhole && range.End.Value == text.Length && range.Start.Value > 0)
                break;
            var line = text.AsSpan()[range];
            if (line.IsWhiteSpace())
                continue;
            if (Timestamps.TryReadRange(line, out _, out _))
                return TranscriptFormat.Srt;
            if (looked++ == LinesLookedAt)
                break;
            isText = isText || PlainTextReader.IsHead(line.ToString());
        }

        return isText ? TranscriptFormat.Text : null;
    }

    // "[00:01:02] Ada: …" begins like JSON too, so its first tokens have to be some.
    private static TranscriptFormat? Json(ReadOnlySpan<byte> head, bool isWhole)
    {
        var reader = new Utf8JsonReader(head, isWhole, new JsonReaderState(JsonCues.Options));
        var tokens = 0;
        try
        {
            while (reader.Read())
            {
                tokens++;
                // An object that ends with its line, and something behind it.
                if (reader.CurrentDepth == 0 && reader.TokenType == JsonTokenType.EndObject)
                {
                    var ended = (int)reader.BytesConsumed;
                    return head[..ended].IndexOf((byte)'\n') < 0 && head[ended..].IndexOfAnyExcept(" \t\r\n"u8) >= 0
                        ? TranscriptFormat.Jsonl
                        : TranscriptFormat.Json;
                }
            }
        }
        catch (JsonException e)
        {
            // A first line that is broken, and a second that isn't.
            return e.LineNumber == 0 && head[0] == (byte)'{' && SecondLineIsObject(head) ? TranscriptFormat.Jsonl
                : tokens < 3 ? null
                : TranscriptFormat.Json;
        }

        return TranscriptFormat.Json;
    }

    private static bool SecondLineIsObject(ReadOnlySpan<byte> head)
    {
        var newline = head.IndexOf((byte)'\n');
        return newline >= 0 && head[(newline + 1)..].TrimStart(" \t\r\n"u8) is [(byte)'{', ..];
    }

    private static bool IsBinary(string text)
    {
        var strange = 0;
        foreach (var c in text)
        {
            if (c == '\uFFFF' || (char.IsControl(c) && c is not ('\n' or '\r' or '\t' or '\f')))
                strange++;
        }

        // Text in an encoding of one byte a letter has some bytes that are not UTF-8; binary data has nearly nothing else.
        return strange > text.Length / 10;
    }
}
