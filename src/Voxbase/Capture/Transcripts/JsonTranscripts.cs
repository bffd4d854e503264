using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;

namespace Voxbase.Capture;

/// <summary>
/// One JSON document, read in a buffer that does not grow with it. What is read before an error in its syntax counts; behind one,
/// nothing can be told from anything.
/// </summary>
internal static class JsonTranscripts
{
    public static async IAsyncEnumerable<TranscriptItem> ReadAsync(Stream utf8, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var window = new Window(utf8);
        var items = new List<TranscriptItem>();
        while (true)
        {
            await window.FillAsync(cancellationToken);
            var isOver = window.Parse(items) || (window.IsStuck && !await window.SkipStringAsync(items, cancellationToken));
            foreach (var item in items)
                yield return item;
            items.Clear();
            if (isOver)
                yield break;
        }
    }

    /// <summary>The part of the document in memory, and how far it is read.</summary>
    private sealed class Window(Stream utf8)
    {
        // A token is read whole, so this is also the longest string; longer ones are passed over.
        private const int MaxBytes = 4 * TranscriptLimits.TextLength;

        private readonly JsonCues cues = new();
        private byte[] buffer = new byte[64 << 10];
        private int start;
        private int end;
        private int lines = 1;
        private bool atEnd;
        private bool isCut;
        private JsonReaderState state = new(JsonCues.Options);

        /// <summary>Whether the buffer is full of one token.</summary>
        public bool IsStuck => start == 0 && end == MaxBytes && !atEnd;

        public async Task FillAsync(CancellationToken cancellationToken)
        {
            if (start > 0)
            {
                buffer.AsSpan(start, end - start).CopyTo(buffer);
                (start, end) = (0, end - start);
            }

            if (end == buffer.Length && buffer.Length < MaxBytes)
                Array.Resize(ref buffer, buffer.Length * 2);
            // A long token is waited for before it is looked at again, or its beginning would be read over and over.
            do
            {
                var read = await utf8.ReadAsync(buffer.AsMemory(end), cancellationToken);
                (end, atEnd) = (end + read, read == 0);
            }
            while (!atEnd && end < buffer.Length);
        }

        /// <summary>Reads the tokens that are whole. True at the end of all.</summary>
        public bool Parse(List<TranscriptItem> items)
        {
            var reader = new Utf8JsonReader(buffer.AsSpan(start, end - start), atEnd, state);
            var counted = 0;
            try
            {
                while (reader.Read())
                {
                    var at = (int)reader.TokenStartIndex;
                    lines += buffer.AsSpan(start + counted, at - counted).Count((byte)'\n');
                    counted = at;
                    var wasCut = isCut && reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName;
                    isCut &= !wasCut;
                    cues.Read(ref reader, lines, wasCut, items);
                }
            }
            catch (JsonException e)
            {
                items.Add(TranscriptItem.Skipped((int)(e.LineNumber ?? 0) + 1, "the JSON is broken, or deeper than 64; what follows is not read"));
                return true;
            }

            var consumed = (int)reader.BytesConsumed;
            lines += buffer.AsSpan(start + counted, Math.Max(0, consumed - counted)).Count((byte)'\n');
            start += consumed;
            state = reader.CurrentState;
            return atEnd;
        }

        /// <summary>
        /// Takes the middle out of the string that fills the buffer: Whisper gives the whole text once more ahead of its segments, and
        /// nobody needs it then. False when it isn't a string.
        /// </summary>
        public async Task<bool> SkipStringAsync(List<TranscriptItem> items, CancellationToken cancellationToken)
        {
            // What the reader leaves begins with the token, or with the comma before it.
            var quote = buffer.AsSpan(0, end).IndexOfAnyExcept(" \t\r\n,"u8);
            if (quote < 0 || buffer[quote] != '"')
            {
                items.Add(TranscriptItem.Skipped(lines, "the JSON has something too long; what follows is not read"));
                return false;
            }

            var (at, isEscaped) = (quote + 1, false);
            while (true)
            {
                for (; at < end; at++)
                {
                    if (isEscaped)
                        isEscaped = false;
                    else if (buffer[at] == '\\')
                        isEscaped = true;
                    else if (buffer[at] == '"')
                        break;
                }

                if (at < end)
                    break;
                at = end = quote + 1;
                var read = await utf8.ReadAsync(buffer.AsMemory(end), cancellationToken);
                end += read;
                if (read == 0)
                {
                    items.Add(TranscriptItem.Skipped(lines, "the JSON breaks off"));
                    return false;
                }
            }

            buffer.AsSpan(at, end - at).CopyTo(buffer.AsSpan(quote + 1));
            end = quote + 1 + (end - at);
            isCut = true;
            return true;
        }
    }
}

/// <summary>A JSON object a line: a line that is broken costs only itself.</summary>
internal sealed class JsonLinesReader : TranscriptLineReader
{
    public override void Read(TranscriptLine next, List<TranscriptItem> items)
    {
        if (next.IsBlank)
            return;
        if (next.IsOverlong)
        {
            items.Add(TranscriptItem.Skipped(next.Number, "the line is too long"));
            return;
        }

        var before = items.Count;
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(next.Text.TrimStart('\uFEFF')), JsonCues.Options);
        // Each line on its own: half of one must not become part of the next.
        var cues = new JsonCues();
        try
        {
            while (reader.Read())
                cues.Read(ref reader, next.Number, isCut: false, items);
        }
        catch (JsonException)
        {
            items.RemoveRange(before, items.Count - before);
            items.Add(TranscriptItem.Skipped(next.Number, "the line is not JSON"));
        }
    }

    public override void End(List<TranscriptItem> items)
    {
    }
}
