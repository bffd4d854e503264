using System.Text;
using Voxbase.Capture;

namespace Voxbase.Tests.Capture;

/// <summary>Made-up transcripts, whole and damaged. <c>VOXBASE_FUZZ_ROUNDS</c> makes it a campaign.</summary>
public sealed class TranscriptFuzzTests
{
    private static int Rounds => int.TryParse(Environment.GetEnvironmentVariable("VOXBASE_FUZZ_ROUNDS"), out var rounds) ? rounds : 60;

    [Theory]
    [InlineData(TranscriptFormat.Vtt)]
    [InlineData(TranscriptFormat.Srt)]
    [InlineData(TranscriptFormat.Text)]
    [InlineData(TranscriptFormat.Json)]
    [InlineData(TranscriptFormat.Jsonl)]
    public async Task What_is_written_is_read_back(TranscriptFormat format)
    {
        var random = new Random(11);
        for (var round = 0; round < Rounds; round++)
        {
            var cues = Transcripts.Random(random, random.Next(1, 40));
            var (head, blocks, tail) = Transcripts.Write(format, cues, round % 2 == 0 ? "\n" : "\r\n");
            var read = await Transcripts.ReadAsync(head + string.Concat(blocks) + tail, format == TranscriptFormat.Jsonl && cues.Count == 1 ? format : null);
            read.Format.ShouldBe(format);
            read.Faults.ShouldBeEmpty();
            read.Cues.Select(Flat).ShouldBe(cues.Select(Flat));
        }
    }

    // A JSON document that is broken in the middle has no rest that anybody could tell.
    [Theory]
    [InlineData(TranscriptFormat.Vtt, "00:0?:01.000 --> 00:00:02.000\nbroken\n\n")]
    [InlineData(TranscriptFormat.Srt, "77\nno times\n\n")]
    [InlineData(TranscriptFormat.Json, ",\n{\"start\":1,\"words\":[{}]}")]
    [InlineData(TranscriptFormat.Jsonl, "{\"start\":1,\"text\":\"broken\n")]
    public async Task What_is_intact_is_read_beside_what_is_broken(TranscriptFormat format, string broken)
    {
        var random = new Random(12);
        for (var round = 0; round < Rounds; round++)
        {
            var cues = Transcripts.Random(random, random.Next(3, 30));
            var (head, blocks, tail) = Transcripts.Write(format, cues);
            var places = Enumerable.Range(0, random.Next(1, 4)).Select(_ => random.Next(1, blocks.Count)).OrderDescending().ToList();
            foreach (var place in places)
                blocks.Insert(place, broken);
            var text = head + string.Concat(blocks) + tail;
            var read = await Transcripts.ReadAsync(text);
            read.Cues.Select(Flat).ShouldBe(cues.Select(Flat));
            read.Faults.Count.ShouldBe(places.Count);
            var lines = text.Split('\n');
            read.Faults.ShouldAllBe(fault => fault.Skipped && broken.Contains(lines[fault.Line - 1].TrimEnd(','), StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData(TranscriptFormat.Vtt)]
    [InlineData(TranscriptFormat.Srt)]
    [InlineData(TranscriptFormat.Text)]
    [InlineData(TranscriptFormat.Json)]
    [InlineData(TranscriptFormat.Jsonl)]
    public async Task Damaged_files_are_read_or_refused_and_what_is_read_can_be_kept(TranscriptFormat format)
    {
        var random = new Random(13);
        for (var round = 0; round < Rounds * 5; round++)
        {
            var (head, blocks, tail) = Transcripts.Write(format, Transcripts.Random(random, random.Next(1, 25)));
            var damaged = Damage(Encoding.UTF8.GetBytes(head + string.Concat(blocks) + tail), random);
            foreach (var asked in new TranscriptFormat?[] { null, format })
            {
                try
                {
                    var read = await Transcripts.ReadAsync(damaged, asked);
                    read.Cues.ShouldAllBe(cue => CanBeKept(cue));
                    read.Faults.ShouldAllBe(fault => fault.Line >= 1 && fault.Reason.Length > 0);
                }
                catch (VoxbaseException e)
                {
                    asked.ShouldBeNull();
                    e.Code.ShouldBeOneOf("transcript_empty", "transcript_format_unknown");
                }
            }
        }
    }

    private static bool CanBeKept(TranscriptCue cue) =>
        IsText(cue.Text) && (cue.Speaker is null || (IsText(cue.Speaker) && cue.Speaker.Length <= 512)) && cue.StartMs is null or >= 0
        && cue.EndMs is null or >= 0 && !(cue.EndMs < cue.StartMs) && cue.Line >= 1;

    private static bool IsText(string text) => !string.IsNullOrWhiteSpace(text) && !text.Contains('\0', StringComparison.Ordinal)
        && text.EnumerateRunes().Sum(rune => rune.Utf16SequenceLength) == text.Length && Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) == text;

    private static (long?, long?, string?, string) Flat(TranscriptCue cue) => (cue.StartMs, cue.EndMs, cue.Speaker, cue.Text);

    private static byte[] Damage(byte[] file, Random random)
    {
        var bytes = file.ToList();
        ReadOnlySpan<byte> sharp = "<>-:\n\r\"\\{}[],&;\0\t 0129"u8;
        for (var i = random.Next(1, 30); i > 0 && bytes.Count > 0; i--)
        {
            var at = random.Next(bytes.Count);
            switch (random.Next(6))
            {
                case 0:
                    bytes[at] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes.Insert(at, sharp[random.Next(sharp.Length)]);
                    break;
                case 2:
                    bytes[at] = sharp[random.Next(sharp.Length)];
                    break;
                case 3:
                    bytes.RemoveRange(at, Math.Min(random.Next(1, 60), bytes.Count - at));
                    break;
                case 4:
                    bytes.InsertRange(at, bytes.GetRange(0, Math.Min(bytes.Count, random.Next(1, 80))));
                    break;
                case 5 when random.Next(8) == 0:
                    bytes.RemoveRange(at, bytes.Count - at);
                    break;
            }
        }

        return [.. bytes];
    }
}
