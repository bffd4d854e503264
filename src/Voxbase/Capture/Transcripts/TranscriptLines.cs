using System.Runtime.CompilerServices;
using System.Text;

namespace Voxbase.Capture;

/// <summary>A line without its end.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Text">What it holds; U+FFFF stands for what is not UTF-8.</param>
/// <param name="IsOverlong">Whether it was longer than <see cref="TranscriptLimits.LineBytes"/>; the text is empty then.</param>
internal readonly record struct TranscriptLine(int Number, string Text, bool IsOverlong)
{
    public bool IsBlank => string.IsNullOrWhiteSpace(Text) && !IsOverlong;
}

/// <summary>The first stage: bytes to lines. They end with a line feed, a carriage return, or both, whichever the file's maker used.</summary>
internal static class TranscriptLines
{
    /// <summary>
    /// Decodes what cannot be text to U+FFFF, which is no character either: wherever a turn is made of it, it is replaced and reported,
    /// and nowhere else. (U+FFFD may be in the file itself; U+0000 ends a decoder's replacement.)
    /// </summary>
    public static Encoding Utf8 { get; } = Encoding.GetEncoding("utf-8", EncoderFallback.ReplacementFallback, new DecoderReplacementFallback("\uFFFF"));

    public static async IAsyncEnumerable<TranscriptLine> ReadAsync(Stream utf8, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var buffer = new byte[64 << 10];
        var (start, end, number) = (0, 0, 0);
        var (overlong, atEnd, afterReturn) = (false, false, false);
        while (!atEnd)
        {
            if (end == buffer.Length)
            {
                if (start > 0)
                {
                    buffer.AsSpan(start, end - start).CopyTo(buffer);
                    (start, end) = (0, end - start);
                }
                else if (buffer.Length < TranscriptLimits.LineBytes)
                {
                    Array.Resize(ref buffer, buffer.Length * 2);
                }
                else
                {
                    (overlong, start, end) = (true, 0, 0);
                }
            }

            var searchFrom = end;
            var read = await utf8.ReadAsync(buffer.AsMemory(end), cancellationToken);
            end += read;
            atEnd = read == 0;
            while (true)
            {
                // The second half of a line's end that the last read, or the last line, broke in two.
                if (afterReturn && searchFrom < end)
                {
                    if (buffer[searchFrom] == '\n')
                        start = ++searchFrom;
                    afterReturn = false;
                }

                var found = buffer.AsSpan(searchFrom, end - searchFrom).IndexOfAny((byte)'\n', (byte)'\r');
                if (found < 0 && !(atEnd && (end > start || overlong)))
                    break;
                var lineEnd = found < 0 ? end : searchFrom + found;
                yield return new TranscriptLine(++number, overlong ? "" : Utf8.GetString(buffer, start, lineEnd - start), overlong);
                overlong = false;
                afterReturn = found >= 0 && buffer[lineEnd] == '\r';
                start = searchFrom = found < 0 ? end : lineEnd + 1;
            }
        }
    }
}
