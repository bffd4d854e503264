using System.Text.Json.Serialization;

namespace Voxbase.Capture;

/// <summary>How a transcript is to be imported. Everything is optional.</summary>
public sealed record TranscriptImport
{
    /// <summary>Whose conversation it becomes. A user imports for itself; the service may name anyone, or nobody.</summary>
    public Guid? UserId { get; init; }

    /// <summary>The conversation's title.</summary>
    public string? Name { get; init; }

    /// <summary>When it began: times in the file count from there. Null takes the file's own time of day, if it has one, else now.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>BCP 47, for turns whose language the file does not tell.</summary>
    public string? Language { get; init; }

    /// <summary>
    /// The speakers whose turns are the assistant's, without regard to case. Empty lets the names decide: agent, assistant, bot, chatbot,
    /// voicebot and ai, also as a word of a longer name.
    /// </summary>
    public IReadOnlyList<string> Assistants { get; init; } = [];

    /// <summary>The format; null lets the beginning of the file tell.</summary>
    public TranscriptFormat? Format { get; init; }

    /// <summary>The file's name, kept in the conversation's metadata.</summary>
    public string? FileName { get; init; }
}

/// <summary>How far an import is.</summary>
/// <param name="BytesRead">Of the transcript.</param>
/// <param name="Length">Of the transcript, in bytes.</param>
/// <param name="Turns">Read and kept.</param>
public readonly record struct TranscriptProgress(long BytesRead, long Length, int Turns);

/// <summary>What an import came to: the answer of the HTTP API and of <c>voxbase import --json</c>.</summary>
public sealed record TranscriptImportResult
{
    /// <summary>The file; left out where there is none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? File { get; init; }

    /// <summary>The conversation.</summary>
    public required Guid ConversationId { get; init; }

    /// <summary>Whether this import made it; false when the same content had been imported before.</summary>
    public required bool IsNew { get; init; }

    /// <summary>The format it was read in.</summary>
    public required string Format { get; init; }

    /// <summary>SHA-256 of the content, in hexadecimal.</summary>
    public required string ContentSha256 { get; init; }

    /// <summary>When the conversation began.</summary>
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Whole seconds from its beginning to the end of the last turn; 0 for a transcript without times.</summary>
    public int? DurationSeconds { get; init; }

    /// <summary>Turns that this content holds.</summary>
    public required int TurnCount { get; init; }

    /// <summary>How many of them were not there before.</summary>
    public required int NewTurns { get; init; }

    /// <summary>Turns of the assistant.</summary>
    public required int AssistantTurns { get; init; }

    /// <summary>The speakers, in the order in which they first speak.</summary>
    public required IReadOnlyList<string> Speakers { get; init; }

    /// <summary>How many cues or lines were left out.</summary>
    public required int SkippedCount { get; init; }

    /// <summary>How many were kept with a change: a time left out, a character replaced.</summary>
    public required int ChangedCount { get; init; }

    /// <summary>The first hundred of both, by line.</summary>
    public required IReadOnlyList<TranscriptFault> Faults { get; init; }
}
