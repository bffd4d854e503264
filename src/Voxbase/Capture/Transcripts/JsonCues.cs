using System.Globalization;
using System.Text.Json;

namespace Voxbase.Capture;

/// <summary>
/// Cues of JSON tokens, as they come: a list of objects at the root, or under a name that transcripts use (<c>segments</c>,
/// <c>utterances</c>, <c>results.utterances</c>…); or, where there is no such list, the root object itself. Knows no input and holds
/// one cue.
/// </summary>
/// <remarks>
/// Of a cue it takes text, speaker, times and language under their usual names. Times are seconds, or text like 00:01:02.5;
/// milliseconds under names that say so and, whole numbers only, in a list <c>utterances</c> at the top, as AssemblyAI writes it.
/// A start may also be a date with its time.
/// </remarks>
internal sealed class JsonCues
{
    /// <summary>Deeper JSON is no transcript.</summary>
    public static readonly JsonReaderOptions Options = new()
    {
        MaxDepth = 64,
        CommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
        AllowMultipleValues = true,
    };

    private static readonly HashSet<string> ListNames = new(StringComparer.Ordinal)
    {
        "segments", "utterances", "transcript", "transcripts", "turns", "messages", "entries", "cues", "captions", "lines", "items",
        "monologues", "conversation", "dialogue",
    };

    private static readonly HashSet<string> WrapperNames = new(StringComparer.Ordinal) { "results", "result", "data", "response", "transcription" };

    private readonly Fields root = new();
    private readonly Fields cue = new();
    private string name = "";
    private string wrapper = "";
    private string? language;
    private int listDepth = -1;
    private bool inMilliseconds;
    private bool hasCues;
    private bool listTaken;

    /// <summary>Takes a token; adds the cue, or the fault, that it completes.</summary>
    /// <param name="reader">On the token.</param>
    /// <param name="line">The token's line.</param>
    /// <param name="isCut">Whether it is a string too long to be read, and empty now.</param>
    /// <param name="items">Where to add.</param>
    public void Read(ref Utf8JsonReader reader, int line, bool isCut, List<TranscriptItem> items)
    {
        var depth = reader.CurrentDepth;
        if (listDepth >= 0)
        {
            ReadInList(ref reader, line, depth, isCut, items);
            return;
        }

        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject when depth == 0:
                root.Clear(line);
                (hasCues, listTaken, wrapper, name) = (false, false, "", "");
                break;
            case JsonTokenType.EndObject when depth == 0:
                // An object a line, or an answer of the whole text alone.
                if (!hasCues)
                    root.Complete(line, language, isQuiet: listTaken, items);
                break;
            case JsonTokenType.StartArray when depth == 0:
                (listDepth, inMilliseconds) = (0, false);
                break;
            case JsonTokenType.StartObject when depth == 1:
                wrapper = WrapperNames.Contains(name) ? name : "";
                break;
            case JsonTokenType.EndObject when depth == 1:
                wrapper = "";
                break;
            case JsonTokenType.StartArray when IsList(depth):
                if (hasCues)
                {
                    items.Add(TranscriptItem.Changed(line, "a second list of turns is not read"));
                    break;
                }

                (listDepth, inMilliseconds, listTaken) = (depth, depth == 1 && name == "utterances", true);
                break;
            case JsonTokenType.PropertyName:
                if (depth == 1 || (depth == 2 && wrapper.Length > 0))
                    name = NameOf(ref reader);
                break;
            case JsonTokenType.StartArray or JsonTokenType.EndArray or JsonTokenType.StartObject or JsonTokenType.EndObject:
                break;
            default:
                if (depth == 1)
                    root.Set(name, ref reader, inMilliseconds: false, isCut);
                break;
        }

        if (depth == 1 && reader.TokenType == JsonTokenType.String && name is "language" or "languagecode")
            language = root.Language;
    }

    private bool IsList(int depth) => ListNames.Contains(name) && (depth == 1 || (depth == 2 && wrapper.Length > 0));

    private void ReadInList(ref Utf8JsonReader reader, int line, int depth, bool isCut, List<TranscriptItem> items)
    {
        var inner = depth - listDepth;
        switch (reader.TokenType)
        {
            case JsonTokenType.EndArray when inner == 0:
                (listDepth, name) = (-1, "");
                break;
            case JsonTokenType.StartObject when inner == 1:
                cue.Clear(line);
                name = "";
                break;
            case JsonTokenType.EndObject when inner == 1:
                hasCues |= cue.Complete(line, language, isQuiet: false, items);
                break;
            case JsonTokenType.PropertyName:
                if (inner == 2)
                    name = NameOf(ref reader);
                break;
            case JsonTokenType.StartArray or JsonTokenType.StartObject:
                if (inner == 1)
                    items.Add(TranscriptItem.Skipped(line, "an entry is not an object"));
                else if (inner == 2)
                    cue.Refuse(name);
                break;
            case JsonTokenType.EndArray or JsonTokenType.EndObject:
                break;
            default:
                if (inner == 2)
                    cue.Set(name, ref reader, inMilliseconds, isCut);
                else if (inner == 1)
                    items.Add(TranscriptItem.Skipped(line, "an entry is not an object"));
                break;
        }
    }

    // startTime, start_time and START-TIME are one name; what is too long or escaped is none that matters.
    private static string NameOf(ref Utf8JsonReader reader)
    {
        if (reader.HasValueSequence || reader.ValueIsEscaped || reader.ValueSpan.Length > 32)
            return "";
        Span<char> chars = stackalloc char[32];
        var length = 0;
        foreach (var b in reader.ValueSpan)
        {
            if (b is not ((byte)'_' or (byte)'-' or (byte)' '))
                chars[length++] = char.ToLowerInvariant((char)b);
        }

        return new string(chars[..length]);
    }

    /// <summary>What is known of a cue while its object is read.</summary>
    private sealed class Fields
    {
        private const double MaxMilliseconds = long.MaxValue / 4;

        private int line;
        private int textRank;
        private int speakerRank;
        private string? text;
        private string? speaker;
        private string? role;
        private string? textFault;
        private string? timeFault;
        private long? startMs;
        private long? endMs;
        private double? durationMs;
        private DateTimeOffset? at;

        public string? Language { get; private set; }

        public void Clear(int beginning)
        {
            (line, textRank, speakerRank, text, speaker, role, textFault, timeFault) = (beginning, 0, 0, null, null, null, null, null);
            (startMs, endMs, durationMs, at, Language) = (null, null, null, null, null);
        }

        public void Set(string name, ref Utf8JsonReader reader, bool inMilliseconds, bool isCut)
        {
            switch (name)
            {
                case "text" or "transcript" or "content" or "sentence" or "rawtext" or "body" or "message" or "caption":
                    SetText(name == "text" ? 3 : name == "transcript" ? 2 : 1, ref reader, isCut);
                    break;
                case "speaker" or "speakername":
                    SetSpeaker(3, ref reader);
                    break;
                case "speakerlabel" or "speakerid" or "author" or "participant" or "from":
                    SetSpeaker(2, ref reader);
                    break;
                case "name" or "channel":
                    SetSpeaker(1, ref reader);
                    break;
                case "role":
                    role = TextOf(ref reader);
                    break;
                case "start" or "starttime" or "begin" or "timestamp" or "time" or "offset" or "startseconds" or "startedat" or "createdat":
                    startMs = Time(ref reader, inMilliseconds) ?? startMs;
                    break;
                case "startms" or "offsetms" or "starttimems" or "beginms" or "startmilliseconds":
                    startMs = Time(ref reader, true) ?? startMs;
                    break;
                case "end" or "endtime" or "stop" or "endseconds":
                    endMs = Time(ref reader, inMilliseconds) ?? endMs;
                    break;
                case "endms" or "endtimems" or "endmilliseconds":
                    endMs = Time(ref reader, true) ?? endMs;
                    break;
                case "duration":
                    durationMs = Time(ref reader, inMilliseconds);
                    break;
                case "language" or "languagecode":
                    // Whisper's API writes the name in English here; only a code says the same to everybody.
                    Language = TextOf(ref reader) is { Length: >= 2 and <= 35 } code && code.Split('-', '_')[0] is { Length: 2 or 3 } ? code.Replace('_', '-') : null;
                    break;
            }
        }

        /// <summary>A field whose value is a list or an object, where a text was expected.</summary>
        public void Refuse(string name)
        {
            if (name == "text")
                textFault ??= "the text of a turn is no text";
        }

        public bool Complete(int end, string? language, bool isQuiet, List<TranscriptItem> items)
        {
            if (textFault is not null || text is null)
            {
                if (!isQuiet || textFault is not null)
                    items.Add(TranscriptItem.Skipped(line == 0 ? end : line, textFault ?? "a turn has no text"));
                return false;
            }

            if (string.IsNullOrWhiteSpace(text))
                return false;
            if (timeFault is not null)
                items.Add(TranscriptItem.Changed(line, timeFault));
            var ended = endMs ?? (startMs is { } from && durationMs is { } took ? (long)(from + took) : null);
            items.Add(TranscriptItem.Of(new TranscriptCue(line, startMs, ended, speaker ?? role, text.Trim())
            {
                Role = role,
                Language = Language ?? language,
                At = at,
            }));
            return true;
        }

        private void SetText(int rank, ref Utf8JsonReader reader, bool isCut)
        {
            if (rank < textRank || reader.TokenType == JsonTokenType.Null)
                return;
            if (isCut)
                textFault = "the text of a turn is too long";
            else if (reader.TokenType != JsonTokenType.String)
                textFault = "the text of a turn is no text";
            else if (TextOf(ref reader) is { } value)
                (text, textRank, textFault) = (value, rank, null);
            else
                textFault = "the text of a turn is not valid Unicode";
        }

        // Diarisation counts its speakers; a number alone would be nobody's name.
        private void SetSpeaker(int rank, ref Utf8JsonReader reader)
        {
            if (rank < speakerRank)
                return;
            var value = reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var number)
                ? string.Create(CultureInfo.InvariantCulture, $"Speaker {number}")
                : TextOf(ref reader)?.Trim();
            if (!string.IsNullOrEmpty(value))
                (speaker, speakerRank) = (value, rank);
        }

        private long? Time(ref Utf8JsonReader reader, bool inMilliseconds)
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.Null:
                    return null;
                case JsonTokenType.Number when reader.TryGetDouble(out var number):
                    return Milliseconds(number, inMilliseconds && reader.ValueSpan.IndexOfAny(".eE"u8) < 0);
                case JsonTokenType.String when TextOf(ref reader) is { } value:
                    if (Timestamps.TryRead(value, out var time, out var length, out _) && length == value.Length)
                        return time;
                    if (double.TryParse(value.TrimEnd('s'), NumberStyles.Float, CultureInfo.InvariantCulture, out var seconds))
                        return Milliseconds(seconds, inMilliseconds);
                    // A chat's messages have the time of day; the first one's is the conversation's.
                    if (value.Contains('T', StringComparison.Ordinal) && DateTimeOffset.TryParse(
                        value, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var moment)
                        && TranscriptLimits.IsPlausible(moment))
                    {
                        at ??= moment;
                        return null;
                    }

                    break;
            }

            timeFault ??= "a time cannot be read and is left out";
            return null;
        }

        private long? Milliseconds(double number, bool inMilliseconds)
        {
            var value = Math.Round(inMilliseconds ? number : number * 1000);
            if (double.IsNaN(value))
            {
                timeFault ??= "a time cannot be read and is left out";
                return null;
            }

            return (long)Math.Clamp(value, -MaxMilliseconds, MaxMilliseconds);
        }

        // Null when it is no text, or half of a surrogate pair.
        private static string? TextOf(ref Utf8JsonReader reader)
        {
            if (reader.TokenType != JsonTokenType.String)
                return null;
            if (!reader.ValueIsEscaped)
                return TranscriptLines.Utf8.GetString(reader.ValueSpan);
            try
            {
                return reader.GetString();
            }
            catch (InvalidOperationException)
            {
                return null;
            }
        }
    }
}
