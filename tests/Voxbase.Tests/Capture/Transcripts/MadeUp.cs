using System.Text;
using Voxbase.Capture;

namespace Voxbase.Tests.Capture;

/// <summary>A transcript of any length that is nowhere: its bytes are made as they are read.</summary>
internal sealed class MadeUp : Stream
{
    public static readonly string Text = string.Concat(Enumerable.Repeat("I would like to move my appointment. ", 12)).Trim();

    private readonly byte[] head;
    private readonly byte[] block;
    private readonly byte[] tail;

    public MadeUp(TranscriptFormat format, long length)
    {
        var (first, last) = format switch
        {
            TranscriptFormat.Vtt => ("WEBVTT\n\n", ""),
            TranscriptFormat.Json => ("[{\"text\":\"" + Text + "\"}", "]"),
            _ => ("", ""),
        };
        head = Encoding.UTF8.GetBytes(first);
        tail = Encoding.UTF8.GetBytes(last);
        block = Encoding.UTF8.GetBytes(format switch
        {
            TranscriptFormat.Vtt => $"00:00:01.000 --> 00:00:02.000\n<v Ada>{Text}\n\n",
            TranscriptFormat.Srt => $"1\n00:00:01,000 --> 00:00:02,000\n{Text}\n\n",
            TranscriptFormat.Text => $"Ada: {Text}\n",
            TranscriptFormat.Json => $",\n{{\"text\":\"{Text}\"}}",
            _ => $"{{\"text\":\"{Text}\"}}\n",
        });
        var count = length / block.Length;
        Blocks = (int)count + (format == TranscriptFormat.Json ? 1 : 0);
        Length = head.Length + (count * block.Length) + tail.Length;
    }

    /// <summary>How many cues there are.</summary>
    public int Blocks { get; }

    public override long Length { get; }

    public override long Position { get; set; }

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = 0;
        while (read < buffer.Length && Position < Length)
        {
            var piece = Position < head.Length ? head.AsMemory((int)Position)
                : Position >= Length - tail.Length ? tail.AsMemory((int)(Position - (Length - tail.Length)))
                : block.AsMemory((int)((Position - head.Length) % block.Length));
            var taken = Math.Min(piece.Length, buffer.Length - read);
            piece[..taken].CopyTo(buffer[read..]);
            read += taken;
            Position += taken;
        }

        return new ValueTask<int>(read);
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void Flush() => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
