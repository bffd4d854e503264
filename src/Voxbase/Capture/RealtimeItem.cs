using System.Text;

namespace Voxbase.Capture;

internal enum RealtimeItemKind
{
    Unknown,
    Message,
    FunctionCall,
    FunctionCallOutput,
    Other,
}

/// <summary>The state of one conversation item while its events are read.</summary>
internal sealed class RealtimeItem(string id, int ordinal)
{
    public string Id { get; } = id;

    public int Ordinal { get; set; } = ordinal;

    public RealtimeItemKind Kind { get; set; }

    public string? Role { get; set; }

    public string Status { get; set; } = "in_progress";

    public RealtimeResponse? Response { get; set; }

    public bool IsOutOfBand { get; set; }

    public bool IsTurn => IsAnnounced && Kind == RealtimeItemKind.Message && !IsOutOfBand;

    public string? TranscriptionModel { get; set; }

    public string? Language { get; set; }

    public string? TranscriptionFailed { get; set; }

    public RealtimeCall? Call { get; set; }

    // Parts of the content by their index: nearly always one.
    public SortedList<int, TextPart>? Parts { get; set; }

    public bool HasAudio { get; set; }

    // By the user, as opposed to typed.
    public bool IsSpoken { get; set; }

    public double AudioMs { get; set; }

    public bool IsTruncated { get; set; }

    public int? TruncatedMs { get; set; }

    public int? AudioStartMs { get; set; }

    public int? AudioEndMs { get; set; }

    // By the log's clock.
    public int? AnnouncedAt { get; set; }

    public int? SpeechStartedAt { get; set; }

    public int? SpeechStoppedAt { get; set; }

    public int? CommittedAt { get; set; }

    public int? TranscribedAt { get; set; }

    public int? FirstTextAt { get; set; }

    public int? FirstAudioAt { get; set; }

    public int? DoneAt { get; set; }

    // The order: only ItemOrder writes these.
    public bool IsAnnounced { get; set; }

    public bool IsDeleted { get; set; }

    public bool IsAtFront { get; set; }

    public int Position { get; set; }

    // The turn in front of an item that is none itself, such as a function call.
    public RealtimeItem? TurnBefore { get; set; }

    public int Arrival { get; set; }

    public int SortedIn { get; set; }

    public int WalkedIn { get; set; }

    public int WalkedFrom { get; set; }

    public int IsCutIn { get; set; }

    public RealtimeItem? Previous { get; set; }

    public List<RealtimeItem>? Followers { get; set; }

    public RealtimeItem? DeletedFollower { get; set; }

    public TextPart Part(int index)
    {
        Parts ??= [];
        if (!Parts.TryGetValue(index, out var part))
        {
            Parts.Add(index, part = new());
        }

        return part;
    }

    public string? Text()
    {
        if (Parts is null)
        {
            return null;
        }

        var texts = Parts.Values.Select(part => part.Text).OfType<string>().ToList();
        return texts.Count == 0 ? null : string.Join('\n', texts);
    }
}

/// <summary>How sure a text is. A surer one replaces one less sure; an equal one replaces too, for the later word counts.</summary>
internal enum TextSource
{
    None,
    Streamed,
    Retrieved,
    Item,
    Final,
}

/// <summary>One part of a message: what was streamed until something final comes.</summary>
internal sealed class TextPart
{
    private StringBuilder? _streamed;
    private string? _text;
    private TextSource _source;

    public string? Text => _text ?? _streamed?.ToString();

    public bool Stream(string delta)
    {
        if (_source > TextSource.Streamed)
        {
            return false;
        }

        _source = TextSource.Streamed;
        (_streamed ??= new()).Append(delta);
        return true;
    }

    public bool Set(string text, TextSource source)
    {
        if (source < _source || (text.Length == 0 && source < TextSource.Final) || (source == _source && text == _text))
        {
            return false;
        }

        (_text, _source, _streamed) = (text, source, null);
        return true;
    }
}

/// <summary>The state of one response while its events are read.</summary>
internal sealed class RealtimeResponse(string id, int ordinal)
{
    public string Id { get; } = id;

    public int Ordinal { get; } = ordinal;

    public string Status { get; set; } = "in_progress";

    public string? StatusReason { get; set; }

    public string? ErrorCode { get; set; }

    public string? ErrorType { get; set; }

    public string? Model { get; set; }

    public TokenUsage? Usage { get; set; }

    public bool OutOfBand { get; set; }

    public RealtimeItem? FirstMessage { get; set; }

    public int AudioMessages { get; set; }

    public List<RealtimeItem> Items { get; } = [];

    public double? BytesPerMs { get; set; }

    public int? CreatedAt { get; set; }

    public int? FirstTokenAt { get; set; }

    public int? FirstAudioAt { get; set; }

    public int? EndToEndMs { get; set; }

    public int? DoneAt { get; set; }

    public int? PlaybackStartedAt { get; set; }

    public int? PlaybackEndedAt { get; set; }

    public bool IsCleared { get; set; }

    // A clearing after the audio had played out cuts nothing off.
    public bool IsPlayedOut { get; set; }

    // Every way of cancelling cuts the answer off: by the user's speech, by the application, or for a reason yet unknown.
    public bool IsInterrupted => IsCleared || Status == "cancelled";
}

/// <summary>The state of one function or tool call while its events are read.</summary>
internal sealed class RealtimeCall(string id, int ordinal)
{
    private StringBuilder? _streamed;
    private string? _arguments;

    public string Id { get; } = id;

    public int Ordinal { get; } = ordinal;

    public RealtimeItem? Item { get; set; }

    public RealtimeResponse? Response { get; set; }

    public string? Name { get; set; }

    public string? ServerLabel { get; set; }

    public string? Output { get; set; }

    public string? Error { get; set; }

    public bool IsCompleted { get; set; }

    public bool IsFailed { get; set; }

    public int? ReadyAt { get; set; }

    public int? OutputAt { get; set; }

    public string? Arguments => _arguments ?? _streamed?.ToString();

    public bool HasArguments => _arguments is not null;

    public string Status => this switch
    {
        { IsFailed: true } or { Error: not null } => "failed",
        { Output: not null } or { IsCompleted: true } => "completed",
        { HasArguments: false, Response.Status: "cancelled" } => "cancelled",
        { HasArguments: false, Response.Status: "failed" or "incomplete" } => "failed",
        _ => "in_progress",
    };

    public void Stream(string delta)
    {
        if (_arguments is null)
        {
            (_streamed ??= new()).Append(delta);
        }
    }

    public void SetArguments(string arguments, int? at)
    {
        ReadyAt ??= at;
        (_arguments, _streamed) = (arguments, null);
    }
}
