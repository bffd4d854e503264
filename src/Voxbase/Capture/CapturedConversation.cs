namespace Voxbase.Capture;

/// <summary>The session of a captured conversation, as the provider last described it. Its instructions are not copied.</summary>
public sealed record CapturedSession
{
    /// <summary>The provider's session id (<c>sess_…</c>): the first one seen.</summary>
    public string? SessionId { get; init; }

    /// <summary>The provider's conversation id (<c>conv_…</c>).</summary>
    public string? ConversationId { get; init; }

    /// <summary><c>realtime</c>, <c>transcription</c>, <c>translation</c> or <c>live</c>; null where the session does not say (beta).</summary>
    public string? Kind { get; init; }

    /// <summary>The model that answers.</summary>
    public string? Model { get; init; }

    /// <summary>The model that transcribes the user, or null when nothing does.</summary>
    public string? TranscriptionModel { get; init; }

    /// <summary>The language the transcription is told to expect.</summary>
    public string? Language { get; init; }

    /// <summary>The assistant's voice.</summary>
    public string? Voice { get; init; }

    /// <summary>What the assistant answers with: <c>audio</c>, <c>text</c>. In the provider's order.</summary>
    public IReadOnlyList<string> Modalities { get; init; } = [];

    /// <summary><c>server_vad</c>, <c>semantic_vad</c>, or null when the application decides when a turn ends.</summary>
    public string? TurnDetection { get; init; }

    /// <summary>
    /// Of a session billed by its seconds: whether the provider gave its last word on them. False while it runs, and for good when the
    /// connection was lost before the provider closed the session. Null where seconds are not what is billed.
    /// </summary>
    public bool? IsUsageFinal { get; init; }

    /// <summary>What stands for the turns that were taken out of the provider's context; see <see cref="ContextSummary"/>.</summary>
    public string? Summary { get; init; }

    /// <summary>When the provider will end the session.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>The time of the first event that has one, by the log's clock. Offsets of a log without <c>t</c> count from here.</summary>
    public DateTimeOffset? StartedAt { get; init; }
}

/// <summary>One utterance: an item of type message. Milliseconds named "offset" count from the start of the log, by the log's clock.</summary>
public sealed record CapturedTurn
{
    /// <summary>The provider's item id: the turn's identity.</summary>
    public required string ItemId { get; init; }

    /// <summary>From 1, gapless, in the order of the conversation, which is not the order of arrival. May grow when an earlier turn turns up.</summary>
    public required int Position { get; init; }

    /// <summary>The ordinal of the event that introduced the item.</summary>
    public required int Ordinal { get; init; }

    /// <summary><c>user</c>, <c>assistant</c> or <c>system</c>.</summary>
    public required string Role { get; init; }

    /// <summary>
    /// The text exactly as sent (U+0000 becomes U+FFFD), parts joined by a line break. Null when none has come, such as audio that was
    /// never transcribed; empty when the provider said that there was none. Of an interrupted turn it holds what was generated.
    /// </summary>
    public string? RawText { get; init; }

    /// <summary>
    /// What was heard of an interrupted turn. Null when the turn was not interrupted, and when it cannot be known
    /// (<see cref="HeardUnknown"/>).
    /// </summary>
    public string? HeardText { get; init; }

    /// <summary>
    /// Whether it was cut off: the server truncated it or cleared its audio while it played, or its response was cancelled by the user
    /// speaking or by the application. A client's request to do so proves nothing.
    /// </summary>
    public bool Interrupted { get; init; }

    /// <summary>How much of its audio was played, in ms, where the server said so.</summary>
    public int? TruncatedMs { get; init; }

    /// <summary>An interrupted turn with text of which nobody can say how much was heard.</summary>
    public bool HeardUnknown { get; init; }

    /// <summary>Taken out of the provider's context. It was said all the same.</summary>
    public bool Deleted { get; init; }

    /// <summary><c>in_progress</c>, <c>completed</c>, <c>incomplete</c>, <c>cancelled</c> or <c>failed</c>.</summary>
    public required string Status { get; init; }

    /// <summary>The model: of the response for the assistant, of the transcription for the user.</summary>
    public string? Model { get; init; }

    /// <summary>The response that made it.</summary>
    public string? ResponseId { get; init; }

    /// <summary>The usage of its response, on the response's first message only, so that turns can be summed. Null elsewhere.</summary>
    public TokenUsage? Usage { get; init; }

    /// <summary>The language the transcription was told to expect, for the user's turns.</summary>
    public string? Language { get; init; }

    /// <summary>Start of the speech in the input audio, on the provider's clock, its leading padding included.</summary>
    public int? AudioStartMs { get; init; }

    /// <summary>End of the speech in the input audio, on the provider's clock.</summary>
    public int? AudioEndMs { get; init; }

    /// <summary>When it began: the user's speech, the assistant's playback, else its first audio or text, else the item.</summary>
    public int? StartedAtOffsetMs { get; init; }

    /// <summary>When it ended: the user's speech; the assistant's playback, else its start plus the audio played, else its completion.</summary>
    public int? EndedAtOffsetMs { get; init; }

    /// <summary>From the commit of the user's audio to its transcript.</summary>
    public int? AsrMs { get; init; }

    /// <summary>From the start of the response to its first text, audio or argument.</summary>
    public int? LlmFirstTokenMs { get; init; }

    /// <summary>From the start of the response to its first audio (the first delta, or the start of playback where audio is not logged).</summary>
    public int? FirstAudioMs { get; init; }

    /// <summary>
    /// From the end of the user's speech to the first audio of the answer, tool calls in between included. The end is where voice detection
    /// reported it (or the commit without detection), so the silence it waits for is not part of this.
    /// </summary>
    public int? EndToEndMs { get; init; }

    /// <summary>Length of the audio, heard or not: the user's on the input clock; the assistant's from its bytes, else its tokens.</summary>
    public int? AudioDurationMs { get; init; }

    /// <summary>The code (else type) of the error when the user's speech could not be transcribed.</summary>
    public string? TranscriptionFailed { get; init; }
}

/// <summary>One response of the model.</summary>
public sealed record CapturedResponse
{
    /// <summary>The provider's response id.</summary>
    public required string ResponseId { get; init; }

    /// <summary>The ordinal of the event that introduced it.</summary>
    public required int Ordinal { get; init; }

    /// <summary><c>in_progress</c>, <c>completed</c>, <c>cancelled</c>, <c>failed</c> or <c>incomplete</c>.</summary>
    public required string Status { get; init; }

    /// <summary>Why it is not completed: <c>turn_detected</c>, <c>client_cancelled</c>, <c>max_output_tokens</c>, <c>content_filter</c>.</summary>
    public string? StatusReason { get; init; }

    /// <summary>The error's code.</summary>
    public string? ErrorCode { get; init; }

    /// <summary>The error's type.</summary>
    public string? ErrorType { get; init; }

    /// <summary>The session's model when the response began.</summary>
    public string? Model { get; init; }

    /// <summary>What it used, cancelled and failed or not; null when the provider has not said.</summary>
    public TokenUsage? Usage { get; init; }

    /// <summary>The turn that carries its usage: its first message. Null for function calls alone, and out of band.</summary>
    public string? TurnItemId { get; init; }

    /// <summary>Made outside the conversation (<c>conversation_id</c> null): it costs, but what it said is no turn.</summary>
    public bool OutOfBand { get; init; }

    /// <summary>When it began.</summary>
    public int? StartedAtOffsetMs { get; init; }

    /// <summary>When it was done.</summary>
    public int? EndedAtOffsetMs { get; init; }

    /// <summary>From its start to its first text, audio or argument.</summary>
    public int? FirstTokenMs { get; init; }

    /// <summary>From its start to its first audio.</summary>
    public int? FirstAudioMs { get; init; }
}

/// <summary>One call of a function or of an MCP tool.</summary>
public sealed record CapturedFunctionCall
{
    /// <summary>The provider's call id; the item id for an MCP call, which has no other.</summary>
    public required string CallId { get; init; }

    /// <summary>The item that holds the call.</summary>
    public string? ItemId { get; init; }

    /// <summary>The ordinal of the event that introduced it.</summary>
    public required int Ordinal { get; init; }

    /// <summary>The function's or tool's name.</summary>
    public string? Name { get; init; }

    /// <summary>The MCP server, or null for a function of the application.</summary>
    public string? ServerLabel { get; init; }

    /// <summary>The arguments as the model wrote them: meant to be JSON, not promised. What was streamed so far until they are final.</summary>
    public string? Arguments { get; init; }

    /// <summary>What it returned, as sent.</summary>
    public string? Output { get; init; }

    /// <summary>The MCP tool's error.</summary>
    public string? Error { get; init; }

    /// <summary>
    /// <c>in_progress</c> until its output is there, then <c>completed</c>; <c>failed</c> (MCP, or its response failed) or <c>cancelled</c>
    /// (its response was cancelled before the arguments were complete).
    /// </summary>
    public required string Status { get; init; }

    /// <summary>The response that called it.</summary>
    public string? ResponseId { get; init; }

    /// <summary>The turn it belongs to: the message of the same response, else the turn before it in the conversation.</summary>
    public string? TurnItemId { get; init; }

    /// <summary>That turn's position.</summary>
    public int? TurnPosition { get; init; }

    /// <summary>When the arguments were complete.</summary>
    public int? StartedAtOffsetMs { get; init; }

    /// <summary>From complete arguments to the first sight of the output.</summary>
    public int? ExecutionMs { get; init; }
}

/// <summary>Something that happened and is worth counting. Holds no word that was said.</summary>
public sealed record CapturedUsage
{
    /// <summary>
    /// Identity within the conversation, the same however often the log is read: <c>response:resp_…</c>, <c>transcription:item_…:0</c>,
    /// <c>error:event_…</c> (<c>#ordinal</c> where the event has no id).
    /// </summary>
    public required string Key { get; init; }

    /// <summary><c>session_start</c>, <c>response</c>, <c>transcription</c>, <c>transcription_failed</c>, <c>speech_started</c>,
    /// <c>speech_stopped</c>, <c>idle_timeout</c>, <c>dtmf</c>, <c>interruption</c>, <c>function_call</c>, <c>rate_limits</c>, <c>session_usage</c> or <c>error</c>.</summary>
    public required string EventType { get; init; }

    /// <summary>The ordinal of the event that introduced it.</summary>
    public required int Ordinal { get; init; }

    /// <summary>The response it is about.</summary>
    public string? ResponseId { get; init; }

    /// <summary>The item it is about.</summary>
    public string? ItemId { get; init; }

    /// <summary>Input tokens.</summary>
    public int? InputTokens { get; init; }

    /// <summary>Output tokens.</summary>
    public int? OutputTokens { get; init; }

    /// <summary>Cached input tokens.</summary>
    public int? CachedTokens { get; init; }

    /// <summary>Seconds billed by duration.</summary>
    public decimal? Seconds { get; init; }

    /// <summary>Response: to its first audio, else to its first token. Transcription: from the commit. Function call: its execution.</summary>
    public int? LatencyMs { get; init; }

    /// <summary>Length of the audio concerned; for an interruption, how much of it was played.</summary>
    public int? AudioDurationMs { get; init; }

    /// <summary>When, by the log's clock.</summary>
    public int? OffsetMs { get; init; }

    /// <summary>A small JSON object with what else is known: codes, statuses, limits.</summary>
    public string? Details { get; init; }
}

/// <summary>A quantity to be charged. Each appears once, however often its event does.</summary>
/// <param name="Key">Identity within the conversation, such as <c>resp_x:llm.output.audio</c> or <c>item_x:0:stt.seconds</c>.</param>
/// <param name="Stage"><c>llm</c>, <c>asr</c> or <c>session</c>.</param>
/// <param name="Meter">What is measured: <c>llm.*</c> and <c>stt.input.*</c>, <c>stt.output.*</c> in tokens, <c>stt.seconds</c> in seconds.
/// The meters <c>*.unsplit</c> hold tokens the provider did not divide; they never have a price.</param>
/// <param name="Model">The model that used it, or null when the log does not say.</param>
/// <param name="Quantity">More than zero.</param>
/// <param name="ResponseId">The response, for the stage <c>llm</c>.</param>
/// <param name="ItemId">The turn that carries it, if one does.</param>
/// <param name="Ordinal">The ordinal of the event that reported it.</param>
public sealed record CapturedQuantity(
    string Key, string Stage, string Meter, string? Model, decimal Quantity, string? ResponseId, string? ItemId, int Ordinal);

/// <summary>What was counted.</summary>
public sealed record CaptureCounters
{
    /// <summary>Events read, objects and unknown ones included.</summary>
    public int Events { get; init; }

    /// <summary>Lines that were no events but objects kept as evidence.</summary>
    public int Objects { get; init; }

    /// <summary>Lines that could not be read, as the caller reported them.</summary>
    public int Malformed { get; init; }

    /// <summary>Events with a field that cannot be right; the rest of the event was read.</summary>
    public int Anomalous { get; init; }

    /// <summary>Events of unknown type.</summary>
    public int Unknown { get; init; }

    /// <summary>Those by type, ordinally sorted. At most 256 types are told apart; the others are counted as <c>(other)</c>.</summary>
    public IReadOnlyDictionary<string, int> UnknownByType { get; init; } = new Dictionary<string, int>();

    /// <summary>Responses.</summary>
    public int Responses { get; init; }

    /// <summary>Responses that were cancelled.</summary>
    public int CancelledResponses { get; init; }

    /// <summary>Turns.</summary>
    public int Turns { get; init; }

    /// <summary>Turns of the user.</summary>
    public int UserTurns { get; init; }

    /// <summary>Turns of the assistant.</summary>
    public int AssistantTurns { get; init; }

    /// <summary>Turns that were interrupted.</summary>
    public int InterruptedTurns { get; init; }

    /// <summary>Calls of functions and tools.</summary>
    public int FunctionCalls { get; init; }

    /// <summary>Errors the provider reported.</summary>
    public int Errors { get; init; }

    /// <summary>Input tokens of all responses, out-of-band ones included.</summary>
    public long InputTokens { get; init; }

    /// <summary>Output tokens of all responses.</summary>
    public long OutputTokens { get; init; }

    /// <summary>Cached input tokens of all responses.</summary>
    public long CachedTokens { get; init; }
}

/// <summary>Everything a log says about one conversation.</summary>
/// <param name="Session">The session.</param>
/// <param name="Turns">In the order of the conversation.</param>
/// <param name="Responses">In the order they began.</param>
/// <param name="FunctionCalls">In the order they began.</param>
/// <param name="Usage">In the order they happened.</param>
/// <param name="Quantities">In the order they were reported.</param>
/// <param name="Counters">The counts.</param>
/// <param name="EndReason">Why the session ended; null while nothing says that it did.</param>
public sealed record CapturedConversation(
    CapturedSession Session,
    IReadOnlyList<CapturedTurn> Turns,
    IReadOnlyList<CapturedResponse> Responses,
    IReadOnlyList<CapturedFunctionCall> FunctionCalls,
    IReadOnlyList<CapturedUsage> Usage,
    IReadOnlyList<CapturedQuantity> Quantities,
    CaptureCounters Counters,
    string? EndReason);

/// <summary>What one event changed, by identity; the records themselves are the reader's to give.</summary>
public sealed class Changes
{
    /// <summary>Nothing.</summary>
    public static readonly Changes None = new();

    private Names _turns;
    private Names _responses;
    private Names _functionCalls;
    private Names _usage;
    private Names _quantities;

    internal Changes()
    {
    }

    /// <summary>The session.</summary>
    public bool Session { get; internal set; }

    /// <summary>Turns took other positions than they had: read all of them, and the turns that function calls belong to.</summary>
    public bool Order { get; internal set; }

    /// <summary>The session ended.</summary>
    public bool Ended { get; internal set; }

    /// <summary>Item ids of new and changed turns.</summary>
    public IReadOnlyCollection<string> Turns => _turns.All;

    /// <summary>Ids of new and changed responses.</summary>
    public IReadOnlyCollection<string> Responses => _responses.All;

    /// <summary>Call ids of new and changed function calls.</summary>
    public IReadOnlyCollection<string> FunctionCalls => _functionCalls.All;

    /// <summary>Keys of new and changed usage events.</summary>
    public IReadOnlyCollection<string> Usage => _usage.All;

    /// <summary>Keys of new quantities. A quantity never changes.</summary>
    public IReadOnlyCollection<string> Quantities => _quantities.All;

    /// <summary>Whether anything changed.</summary>
    public bool Any =>
        Session || Order || Ended || _turns.Any || _responses.Any || _functionCalls.Any || _usage.Any || _quantities.Any;

    /// <summary>Takes in what another event changed.</summary>
    internal void Add(Changes other)
    {
        Session |= other.Session;
        Order |= other.Order;
        Ended |= other.Ended;
        foreach (var id in other.Turns)
            Turn(id);
        foreach (var id in other.Responses)
            Response(id);
        foreach (var id in other.FunctionCalls)
            FunctionCall(id);
        foreach (var key in other.Usage)
            UsageEvent(key);
        foreach (var key in other.Quantities)
            Quantity(key);
    }

    internal void Turn(string itemId) => _turns.Add(itemId);

    internal void Response(string responseId) => _responses.Add(responseId);

    internal void FunctionCall(string callId) => _functionCalls.Add(callId);

    internal void UsageEvent(string key) => _usage.Add(key);

    internal void Quantity(string key) => _quantities.Add(key);

    // A set that is nearly always empty or of one: forty events a second of a call each make five.
    private struct Names
    {
        private string? first;
        private HashSet<string>? all;

        public readonly bool Any => first is not null;

        public readonly IReadOnlyCollection<string> All => all ?? (first is null ? [] : (IReadOnlyCollection<string>)(string[])[first]);

        public void Add(string name)
        {
            if (first is null)
                first = name;
            else if (all is not null || name != first)
                (all ??= [first]).Add(name);
        }
    }
}
