using System.Runtime.CompilerServices;

namespace Voxbase.Capture;

/// <summary>What somebody said, as a transcript file has it.</summary>
/// <param name="Line">Where in the file, from 1.</param>
/// <param name="Role">Who, as far as the speaker's name tells.</param>
/// <param name="Speaker">By name; null where the file has none.</param>
/// <param name="Text">What.</param>
/// <param name="Language">BCP 47, where the file tells.</param>
public sealed record Utterance(int Line, TurnRole Role, string? Speaker, string Text, string? Language);

/// <summary>Transcript files read without importing them.</summary>
public static class TranscriptFile
{
    /// <summary>The utterances of a transcript in any format that can be imported, in its order. What cannot be read is left out.</summary>
    /// <exception cref="VoxbaseException"><c>transcript_empty</c>, <c>transcript_format_unknown</c>, <c>transcript_too_large</c>.</exception>
    public static async IAsyncEnumerable<Utterance> ReadAsync(Stream transcript, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await using var source = await TranscriptSource.OpenAsync(transcript, cancellationToken);
        var format = await TranscriptReader.DetectAsync(source.Content, cancellationToken);
        await foreach (var item in TranscriptReader.ReadAsync(source.Content, format, cancellationToken))
        {
            if (item.Cue is { } cue)
                yield return new Utterance(cue.Line, SpeakerNames.RoleOf(cue.Speaker, cue.Role, []), cue.Speaker, cue.Text, cue.Language);
        }
    }
}
