using System.Globalization;
using System.Text;
using System.Text.Json;
using Voxbase.Capture;

namespace Voxbase.Tests.Capture;

/// <summary>What a transcript came to, short enough to compare.</summary>
internal sealed record ReadTranscript(TranscriptFormat Format, IReadOnlyList<TranscriptCue> Cues, IReadOnlyList<TranscriptFault> Faults)
{
    /// <summary>A line a cue: start-end|speaker|text, in milliseconds.</summary>
    public IEnumerable<string> Lines => Cues.Select(cue => $"{cue.StartMs}-{cue.EndMs}|{cue.Speaker}|{cue.Text}");
}

/// <summary>Transcripts to read, and transcripts made up.</summary>
internal static class Transcripts
{
    private static readonly string[] Names = ["Ada", "Grace Hopper", "Agent", "J. von Neumann", "Søren Å.", "李雷", "SPEAKER_01"];

    private static readonly string[] Words =
        ["hello", "I", "would", "like", "to", "move", "my", "appointment", "Thursday,", "please.", "größer", "再见", "👍🏽", "5 < 7", "Q&A", "well…"];

    private static readonly int[] Tokens = [50364, 2425];

    public static Task<ReadTranscript> ReadAsync(string text, TranscriptFormat? format = null) => ReadAsync(Encoding.UTF8.GetBytes(text), format);

    public static async Task<ReadTranscript> ReadAsync(byte[] bytes, TranscriptFormat? format = null)
    {
        // In pieces: where a read ends must not matter.
        await using var stream = new Pieces(bytes);
        var known = format ?? await TranscriptReader.DetectAsync(stream, TestContext.Current.CancellationToken);
        var (cues, faults) = (new List<TranscriptCue>(), new List<TranscriptFault>());
        await foreach (var item in TranscriptReader.ReadAsync(stream, known, TestContext.Current.CancellationToken))
        {
            (item.Cue is null).ShouldBe(item.Fault is not null);
            if (item.Cue is { } cue)
                cues.Add(cue);
            else
                faults.Add(item.Fault!);
        }

        return new ReadTranscript(known, cues, faults);
    }

    /// <summary>Cues as any format can hold them.</summary>
    public static List<TranscriptCue> Random(Random random, int count)
    {
        var cues = new List<TranscriptCue>();
        var at = 0L;
        for (var i = 0; i < count; i++)
        {
            var start = at + random.Next(3_000);
            var end = start + random.Next(1, 9_000);
            // The next may begin before this one ends.
            at = start + random.Next(8_000);
            var words = Enumerable.Range(0, random.Next(1, 12)).Select(_ => Words[random.Next(Words.Length)]);
            cues.Add(new TranscriptCue(0, start, end, Names[random.Next(Names.Length)], string.Join(' ', words)));
        }

        return cues;
    }

    /// <summary>Writes cues down, a block a cue, so that one can be broken by itself.</summary>
    public static (string Head, List<string> Blocks, string Tail) Write(TranscriptFormat format, IReadOnlyList<TranscriptCue> cues, string newline = "\n")
    {
        var blocks = cues.Select((cue, i) => (format switch
        {
            TranscriptFormat.Vtt => $"cue-{i}\n{Time(cue.StartMs, '.')} --> {Time(cue.EndMs, '.')} line:0\n<v {Escape(cue.Speaker!)}>{Escape(cue.Text)}</v>\n\n",
            TranscriptFormat.Srt => $"{i + 1}\n{Time(cue.StartMs, ',')} --> {Time(cue.EndMs, ',')}\n{cue.Speaker}: {cue.Text}\n\n",
            TranscriptFormat.Text => $"[{Time(cue.StartMs, '.')} - {Time(cue.EndMs, '.')}] {cue.Speaker}: {cue.Text}\n",
            TranscriptFormat.Jsonl => Json(cue) + "\n",
            _ => (i == 0 ? "" : ",\n") + Json(cue),
        }).Replace("\n", newline, StringComparison.Ordinal)).ToList();
        return format switch
        {
            TranscriptFormat.Vtt => ("WEBVTT" + newline + newline, blocks, ""),
            TranscriptFormat.Json => ("{\"task\":\"transcribe\",\"segments\":[", blocks, "]}"),
            _ => ("", blocks, ""),
        };
    }

    public static string Time(long? ms, char point)
    {
        var time = TimeSpan.FromMilliseconds(ms!.Value);
        return string.Create(CultureInfo.InvariantCulture, $"{(int)time.TotalHours:00}:{time.Minutes:00}:{time.Seconds:00}{point}{time.Milliseconds:000}");
    }

    private static string Escape(string text) => text.Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal);

    private static string Json(TranscriptCue cue) => JsonSerializer.Serialize(
        new { id = 7, start = cue.StartMs / 1000m, end = cue.EndMs / 1000m, speaker = cue.Speaker, text = cue.Text, tokens = Tokens });

    /// <summary>Gives out a few bytes at a time, never as many as asked.</summary>
    internal sealed class Pieces(byte[] bytes) : MemoryStream(bytes, writable: false)
    {
        private readonly Random random = new(1);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(Length > 100_000 ? buffer : buffer[..Math.Min(buffer.Length, random.Next(1, 40))], cancellationToken);
    }
}
