namespace Voxbase.Capture;

// What the events add up to.
public sealed partial class OpenAiLiveReader
{
    /// <inheritdoc/>
    public override CapturedConversation Snapshot(int malformedLines = 0)
    {
        List<CapturedTurn> turns = [.. _turns.Select(Record)];
        List<CapturedResponse> responses = [.. _responses.Select(Record)];
        return new(
            _session, turns, responses, [.. _calls.Select(Record)], [.. _usage], [.. _quantities],
            Count(turns, responses, _calls.Count, malformedLines), EndReason);
    }

    /// <inheritdoc/>
    public override CapturedTurn? Turn(string itemId) => _turnsById.TryGetValue(itemId, out var turn) ? Record(turn) : null;

    /// <inheritdoc/>
    public override CapturedResponse? ResponseRecord(string responseId) =>
        _responsesById.TryGetValue(responseId, out var response) ? Record(response) : null;

    /// <inheritdoc/>
    public override CapturedFunctionCall? FunctionCall(string callId) => _callsById.TryGetValue(callId, out var call) ? Record(call) : null;

    private CapturedTurn Record(LiveTurn turn)
    {
        var isUser = turn.Role == "user";
        var before = turn.Position > 1 ? _turns[turn.Position - 2] : null;
        return new()
        {
            ItemId = turn.Id,
            Position = turn.Position,
            Ordinal = turn.Ordinal,
            Role = turn.Role,
            RawText = turn.Text(),
            // Nothing says that a turn is over, and what was said was said.
            Status = "completed",
            Model = isUser ? null : _session.Model,
            AudioStartMs = isUser ? turn.Start : null,
            AudioEndMs = isUser ? turn.End : null,
            StartedAtOffsetMs = At(turn.Start),
            EndedAtOffsetMs = At(turn.End),
            EndToEndMs = !isUser && before?.Role == "user" ? Math.Max(0, turn.Start - before.End) : null,
            AudioDurationMs = turn.End - turn.Start,
        };
    }

    private static CapturedResponse Record(LiveResponse response) => new()
    {
        ResponseId = response.Id,
        Ordinal = response.Ordinal,
        Status = response.Status,
        StatusReason = response.StatusReason,
        ErrorCode = response.ErrorCode,
        Model = response.Model,
        Usage = response.Usage,
        OutOfBand = true,
        StartedAtOffsetMs = response.CreatedAt,
        EndedAtOffsetMs = response.DoneAt,
    };

    private CapturedFunctionCall Record(LiveCall call)
    {
        // Work is delegated out of what the user said last.
        var offset = call.OffsetMs ?? (call.DelegationId is { } id && _callsById.TryGetValue(id, out var delegation) ? delegation.OffsetMs : null);
        var turn = offset is { } at ? _turns.FindLast(t => t.Role == "user" && t.Start <= at) : null;
        return new()
        {
            CallId = call.Id,
            Ordinal = call.Ordinal,
            Name = call.Name,
            Arguments = call.Arguments,
            Output = call.Output,
            Status = call.Status,
            TurnItemId = turn?.Id,
            TurnPosition = turn?.Position,
            StartedAtOffsetMs = call.ReadyAt,
            ExecutionMs = Elapsed(call.ReadyAt, call.OutputAt),
        };
    }

    // The timeline has a clock even where the log has none.
    private int? At(int timelineMs) => (long)timelineMs + (_origin ?? 0) is var ms and <= int.MaxValue ? (int)ms : null;

    private sealed class LiveTurn(string id, string role, int ordinal, int start)
    {
        private readonly List<(int Start, int End, int Ordinal, string Text)> _fragments = [];

        public string Id { get; } = id;

        public string Role { get; } = role;

        public int Ordinal { get; } = ordinal;

        public int Start { get; private set; } = start;

        public int FirstEnd { get; private set; } = start;

        public int End { get; private set; } = start;

        public int Position { get; set; }

        public void Add(int start, int end, int ordinal, string text)
        {
            var place = _fragments.Count;
            while (place > 0 && (_fragments[place - 1].Start, _fragments[place - 1].Ordinal).CompareTo((start, ordinal)) > 0)
                place--;
            _fragments.Insert(place, (start, end, ordinal, text));
            Start = Math.Min(Start, start);
            End = Math.Max(End, end);
            FirstEnd = _fragments[0].End;
        }

        // The last fragment that begins no later.
        public (int Start, int End) Before(int start)
        {
            var place = _fragments.Count - 1;
            while (place > 0 && _fragments[place].Start > start)
                place--;
            return (_fragments[place].Start, _fragments[place].End);
        }

        // Words come with the space in front of them, which at the front of a turn separates nothing.
        public string Text() => string.Concat(_fragments.Select(fragment => fragment.Text)).Trim();
    }

    private sealed class LiveCall(string id, int ordinal)
    {
        public string Id { get; } = id;

        public int Ordinal { get; } = ordinal;

        public string? Name { get; set; }

        public string? Arguments { get; set; }

        public string? Output { get; set; }

        public string Status { get; set; } = "in_progress";

        public string? DelegationId { get; set; }

        public int? OffsetMs { get; set; }

        public int? ReadyAt { get; set; }

        public int? OutputAt { get; set; }
    }

    private sealed class LiveResponse(string id, int ordinal)
    {
        public string Id { get; } = id;

        public int Ordinal { get; } = ordinal;

        public string Status { get; set; } = "in_progress";

        public string? StatusReason { get; set; }

        public string? ErrorCode { get; set; }

        public string? Model { get; set; }

        public TokenUsage? Usage { get; set; }

        public int? CreatedAt { get; set; }

        public int? DoneAt { get; set; }
    }
}
