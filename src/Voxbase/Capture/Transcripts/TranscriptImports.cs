using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Voxbase.Capture;

/// <summary>
/// Makes conversations of transcript files: WebVTT, SRT, plain text and JSON. Streams, so memory does not follow the size of the file.
/// The same content of the same owner is the same conversation: importing again, at once or after breaking off, adds only what is
/// missing.
/// </summary>
public sealed class TranscriptImports(Conversations conversations, TimeProvider time)
{
    /// <summary>The longest transcript: a year of speech.</summary>
    public const long MaxBytes = 256L << 20;

    // Of a batch, which is one statement: about what costs least a turn; and what bounds its memory where turns are long.
    internal const int TurnsPerAppend = 512;
    private const int CharactersPerAppend = 1 << 20;
    private const int ReportedFaults = 100;
    private const string EndReason = "transcript_imported";

    /// <summary>
    /// Imports a transcript: a conversation of kind <c>transcript</c>, a turn for each cue, a participant for each speaker. What cannot
    /// be read is reported with its line, and the rest is imported; nothing is made when there is no rest.
    /// </summary>
    /// <param name="caller">A user, for itself; or the service, for <see cref="TranscriptImport.UserId"/> or nobody.</param>
    /// <param name="transcript">
    /// UTF-8, or UTF-16 with a byte order mark; read from its beginning when it seeks, and left open. One that does not seek is kept in a
    /// temporary file while it is imported.
    /// </param>
    /// <param name="import">How; null for the defaults.</param>
    /// <param name="progress">Told after each commit.</param>
    /// <param name="cancellationToken">Stops between commits; importing again goes on from there.</param>
    /// <exception cref="VoxbaseException">
    /// <c>transcript_empty</c>, <c>transcript_format_unknown</c>, <c>transcript_unusable</c>, <c>transcript_too_large</c>,
    /// <c>capture_refused</c>, <c>user_not_found</c>, <c>input_invalid</c>.
    /// </exception>
    public async Task<TranscriptImportResult> ImportAsync(
        Caller caller,
        Stream transcript,
        TranscriptImport? import = null,
        IProgress<TranscriptProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        import ??= new TranscriptImport();
        Authorise(caller, import);
        await using var source = await TranscriptSource.OpenAsync(transcript, cancellationToken);
        var format = import.Format ?? await TranscriptReader.DetectAsync(source.Content, cancellationToken);
        if (source.Content.Length == 0)
            throw TranscriptErrors.Empty.With("The transcript is empty.");
        var run = new Run(conversations, caller, import, format, source.Hash, time);
        await foreach (var item in TranscriptReader.ReadAsync(source.Content, format, cancellationToken))
        {
            if (item.Fault is { } fault)
                run.Add(fault);
            else if (run.Add(item.Cue!))
                await FlushAsync();
        }

        await FlushAsync();
        return await run.FinishAsync(cancellationToken);

        async Task FlushAsync()
        {
            await run.AppendAsync(cancellationToken);
            progress?.Report(new TranscriptProgress(source.Content.Position, source.Content.Length, run.TurnCount));
        }
    }

    private static void Authorise(Caller caller, TranscriptImport import)
    {
        if (!caller.IsService && caller.UserId is null)
            throw CaptureErrors.CallerRefused.With("Importing needs a signed-in user or the service.");
        if (!caller.IsService && import.UserId is { } wanted && wanted != caller.UserId)
            throw CaptureErrors.CallerRefused.With($"User {caller.UserId} cannot import for user {wanted}.");
        if (import.StartedAt is { } startedAt && !TranscriptLimits.IsPlausible(startedAt))
            throw ConversationErrors.InputInvalid.With($"started_at must be between the years 1900 and 9998 (was {startedAt:O})");
        if (import.Language is { } language && (language.Length is 0 or > 35 || !language.All(c => char.IsAsciiLetterOrDigit(c) || c == '-')))
            throw ConversationErrors.InputInvalid.With("language must be a language tag such as en or pt-BR");
        foreach (var text in (ReadOnlySpan<string?>)[import.Name, import.FileName])
        {
            if (text is not null && (text.Length > 512 || text.Contains('\0', StringComparison.Ordinal)))
                throw ConversationErrors.InputInvalid.With("name must be at most 512 characters, none of them U+0000");
        }
    }

    /// <summary>One import: what is gathered, and what was counted.</summary>
    private sealed class Run(
        Conversations conversations, Caller caller, TranscriptImport import, TranscriptFormat format, byte[] hash, TimeProvider time)
    {
        private readonly List<TranscriptCue> pending = [];
        private readonly List<TranscriptFault> faults = [];
        private readonly Dictionary<string, Speaker> speakers = new(StringComparer.Ordinal);
        private readonly Guid? owner = caller.IsService ? import.UserId : caller.UserId;
        private Conversation? conversation;
        private bool isNew;
        private int characters;
        private int newTurns;
        private int assistantTurns;
        private int skipped;
        private int changed;
        private DateTimeOffset last;

        public int TurnCount { get; private set; }

        private string Hash => Convert.ToHexStringLower(hash);

        public void Add(TranscriptFault fault)
        {
            _ = fault.Skipped ? skipped++ : changed++;
            if (faults.Count < ReportedFaults)
                faults.Add(fault);
        }

        /// <summary>True when it is time to append.</summary>
        public bool Add(TranscriptCue cue)
        {
            pending.Add(cue);
            characters += cue.Text.Length;
            return pending.Count >= TurnsPerAppend || characters >= CharactersPerAppend;
        }

        public async Task AppendAsync(CancellationToken cancellationToken)
        {
            if (pending.Count == 0)
                return;
            conversation ??= await StartAsync(cancellationToken);
            var turns = pending.ConvertAll(TurnOf);
            foreach (var appended in await conversations.AppendAsync(caller, conversation.Id, turns, cancellationToken))
                newTurns += appended.Added ? 1 : 0;
            pending.Clear();
            characters = 0;
        }

        public async Task<TranscriptImportResult> FinishAsync(CancellationToken cancellationToken)
        {
            if (conversation is null)
            {
                throw TranscriptErrors.Unusable.With(
                    $"The transcript has no turn that can be read as {Name(format)}.",
                    faults.Count == 0 ? null : $"line {faults[0].Line}: {faults[0].Reason}");
            }

            foreach (var (name, speaker) in speakers)
            {
                var id = IdOf("participant", name);
                await conversations.JoinAsync(
                    caller,
                    conversation.Id,
                    new NewParticipant
                    {
                        Id = id,
                        Identity = name,
                        Name = name,
                        Type = speaker.Role == TurnRole.Assistant ? ParticipantType.Agent : ParticipantType.User,
                        JoinedAt = speaker.First,
                    },
                    cancellationToken);
                await conversations.LeaveAsync(caller, conversation.Id, id, leftAt: last, cancellationToken: cancellationToken);
            }

            var ended = await conversations.EndAsync(caller, conversation.Id, EndReason, endedAt: last, cancellationToken: cancellationToken);
            return new TranscriptImportResult
            {
                File = import.FileName,
                ConversationId = ended.Id,
                IsNew = isNew,
                Format = Name(format),
                ContentSha256 = Hash,
                StartedAt = ended.StartedAt,
                DurationSeconds = ended.DurationSeconds,
                TurnCount = TurnCount,
                NewTurns = newTurns,
                AssistantTurns = assistantTurns,
                Speakers = [.. speakers.Keys],
                SkippedCount = skipped,
                ChangedCount = changed,
                Faults = faults,
            };
        }

        private async Task<Conversation> StartAsync(CancellationToken cancellationToken)
        {
            var metadata = new Dictionary<string, string> { ["format"] = Name(format), ["content_sha256"] = Hash };
            if (import.FileName is { } file)
                metadata["file"] = file;
            var started = await conversations.StartOrFindAsync(
                caller,
                new NewConversation
                {
                    UserId = owner,
                    Kind = ConversationKind.Transcript,
                    SessionId = SessionId(),
                    Name = import.Name,
                    Status = ConversationStatus.Active,
                    StartedAt = import.StartedAt ?? pending.Min(cue => cue.At) ?? time.GetUtcNow(),
                    Metadata = JsonSerializer.SerializeToElement(metadata),
                },
                cancellationToken);
            isNew = started.IsNew;
            last = started.Conversation.StartedAt;
            return started.Conversation;
        }

        // Of content, owner and format: somebody else's import of the same file is another conversation, and so is the same file read
        // in another way.
        private string SessionId()
        {
            var digest = SHA256.HashData([.. hash, .. Encoding.UTF8.GetBytes($"{owner?.ToString() ?? "nobody"} {Name(format)}")]);
            return $"transcript_{Convert.ToHexStringLower(digest)}";
        }

        // A turn has its id by its place in the content, so it is there once however often it is imported.
        private Guid IdOf(string kind, object place) => CaptureRows.IdOf(conversation!.Id, kind, $"{Hash}:{place}");

        private NewTurn TurnOf(TranscriptCue cue)
        {
            var role = SpeakerNames.RoleOf(cue.Speaker, cue.Role, import.Assistants);
            var start = cue.At ?? Moment(cue.StartMs);
            var end = cue.At is null ? Moment(cue.EndMs) : null;
            TurnCount++;
            assistantTurns += role == TurnRole.Assistant ? 1 : 0;
            last = Latest(Latest(last, start), end);
            if (cue.Speaker is { } name && !speakers.ContainsKey(name))
            {
                if (speakers.Count < TranscriptLimits.Speakers)
                    speakers.Add(name, new Speaker(role, start ?? last));
                else
                    Add(new TranscriptFault(cue.Line, $"more than {TranscriptLimits.Speakers} speakers; this one becomes no participant", false));
            }

            return new NewTurn
            {
                Id = IdOf("turn", TurnCount),
                Role = role,
                Speaker = cue.Speaker,
                StartedAt = start,
                EndedAt = end,
                RawText = cue.Text,
                Language = cue.Language ?? import.Language,
            };
        }

        private DateTimeOffset? Moment(long? offsetMs) => offsetMs is { } ms ? conversation!.StartedAt.AddMilliseconds(ms) : null;

        private static DateTimeOffset Latest(DateTimeOffset one, DateTimeOffset? other) => other > one ? other.Value : one;

        private static string Name(TranscriptFormat format) => format.ToString().ToLowerInvariant();

        private readonly record struct Speaker(TurnRole Role, DateTimeOffset First);
    }
}
