using System.Text.Json;

namespace Voxbase.LiveKit;

/// <summary>
/// What a set of events about one room comes to. A pure function of the set: LiveKit delivers at most once, in no order between its
/// queues, late and repeatedly, so the events are put into the order in which they can have happened, and every rule below holds
/// whatever that order was taken to be.
/// </summary>
internal static class LiveKitCallReader
{
    // Events of one second, in the order in which they can have happened.
    private static readonly string[] Course =
    [
        "room_started", "ingress_started", "agent_job_started", "participant_joined", "track_published", "egress_started", "egress_updated",
        LiveKitEvent.Reconciled, "track_unpublished", "egress_ended", "agent_job_ended", "participant_connection_aborted", "participant_left",
        "ingress_ended", "room_finished",
    ];

    public static LiveKitCall Read(IEnumerable<LiveKitEvent> set)
    {
        var events = set.DistinctBy(e => e.Key)
            .OrderBy(e => e.At ?? DateTimeOffset.MinValue).ThenBy(e => Array.IndexOf(Course, e.Type))
            .ThenBy(e => e.Id, StringComparer.Ordinal).ThenBy(e => e.Key)
            .ToList();
        var created = CreatedAt(events);
        // Nothing else is known of a room whose events have no time at all.
        var earliest = created ?? events.Select(e => e.At).Min() ?? DateTimeOffset.UnixEpoch;
        var (endedAt, reason) = End(events, earliest);
        var visits = Visits(events, earliest, endedAt);
        var connectedAt = visits.Where(visit => visit.IsPerson).Select(visit => (DateTimeOffset?)visit.JoinedAt).Min();
        return new LiveKitCall
        {
            RoomSid = events.Select(e => e.Room.Sid).FirstOrDefault(sid => sid is not null),
            RoomName = events.Select(e => e.Room.Name).FirstOrDefault(name => name is not null),
            CreatedAt = created,
            ConnectedAt = connectedAt,
            EndedAt = endedAt,
            EndReason = reason is not null && connectedAt is null ? "nobody_joined" : reason,
            AgentUsed = visits.Any(visit => visit.Kind == "agent") || events.Any(e => e.Type is "agent_job_started" or "agent_job_ended"),
            Visits = visits,
            Recordings = Recordings(events),
            Occurrences = [.. events.SelectMany(Occurrences).DistinctBy(occurrence => occurrence.Key)],
            Dropped = events.Sum(e => Math.Clamp(LiveKitJson.Integer(e.Body, "numDropped") ?? 0, 0, int.MaxValue)),
        };
    }

    // Seconds: only some events have the milliseconds, and which of them came must not matter.
    private static DateTimeOffset? CreatedAt(List<LiveKitEvent> events) => events
        .Select(e => LiveKitJson.Time(LiveKitJson.Object(e.Body, "room"), "creationTime"))
        .Where(time => time is not null).Min();

    private static (DateTimeOffset? At, string? Reason) End(List<LiveKitEvent> events, DateTimeOffset earliest)
    {
        var finished = events.Where(e => e.Type == "room_finished").ToList();
        if (finished.Count > 0)
            return (Later(finished.Select(e => e.At).Min() ?? events.Max(e => e.At), earliest), "room_finished");
        // Found missing: it ended after the last that was heard of it, and nobody knows how long after.
        var gone = events.Any(e => e.Type == LiveKitEvent.Reconciled && LiveKitJson.Flag(e.Body, "roomGone"));
        return gone ? (Later(events.Where(e => e.Type != LiveKitEvent.Reconciled).Max(e => e.At), earliest), "room_gone") : (null, null);
    }

    private static List<LiveKitVisit> Visits(List<LiveKitEvent> events, DateTimeOffset earliest, DateTimeOffset? endedAt)
    {
        var visits = new Dictionary<string, VisitState>(StringComparer.Ordinal);
        foreach (var e in events)
        {
            if (e.Type == LiveKitEvent.Reconciled)
            {
                Reconcile(e);
                continue;
            }

            if (Visit(LiveKitJson.Object(e.Body, "participant"), e) is not { } visit)
                continue;
            switch (e.Type)
            {
                case "participant_left" or "participant_connection_aborted":
                    // The first time counts; an abort is told by the more exact of the two, if both come.
                    visit.LeftAt = Earlier(visit.LeftAt, e.At);
                    visit.IsGone = true;
                    visit.Reason = LiveKitJson.Enum(LiveKitJson.Object(e.Body, "participant"), "disconnectReason", LiveKitJson.DisconnectReasons)
                        ?? visit.Reason ?? (e.Type == "participant_left" ? null : "connection_aborted");
                    break;
                case "track_published" or "track_unpublished":
                    var track = LiveKitJson.Object(e.Body, "track");
                    if (LiveKitJson.Enum(track, "source", []) is "microphone" or "2")
                        visit.IsMuted = e.Type == "track_published" && LiveKitJson.Flag(track, "muted");
                    break;
            }
        }

        return
        [
            .. visits.Values.Select(visit =>
            {
                var joinedAt = visit.JoinedAt ?? visit.SeenAt ?? earliest;
                var leftAt = visit.IsGone ? visit.LeftAt ?? joinedAt : endedAt;
                return new LiveKitVisit
                {
                    Sid = visit.Sid,
                    Identity = visit.Identity,
                    Name = visit.Name,
                    Kind = visit.Kind ?? "standard",
                    JoinedAt = joinedAt,
                    // Joined is told in milliseconds and left in seconds.
                    LeftAt = leftAt is { } left ? Later(left, joinedAt) : null,
                    DisconnectReason = visit.Reason ?? (!visit.IsGone && endedAt is not null ? "room_closed" : null),
                    Attributes = visit.Attributes,
                    IsMuted = visit.IsMuted,
                };
            }).OrderBy(visit => visit.JoinedAt).ThenBy(visit => visit.Sid, StringComparer.Ordinal),
        ];

        VisitState? Visit(JsonElement participant, LiveKitEvent e)
        {
            if (LiveKitJson.Text(participant, "sid") is not { } sid || LiveKitJson.Text(participant, "identity") is not { } identity)
                return null;
            if (!visits.TryGetValue(sid, out var visit))
                visits.Add(sid, visit = new VisitState(sid, identity));
            visit.SeenAt = Earlier(visit.SeenAt, e.At);
            // Of one visit there is one beginning; seconds when nobody says it more exactly.
            var joinedAt = LiveKitJson.Time(participant, "joinedAtMs") ?? LiveKitJson.Time(participant, "joinedAt");
            if (visit.JoinedAt is null || (LiveKitJson.Time(participant, "joinedAtMs") is not null && !visit.IsExact))
                (visit.JoinedAt, visit.IsExact) = (joinedAt ?? visit.JoinedAt, LiveKitJson.Time(participant, "joinedAtMs") is not null);
            visit.Name = LiveKitJson.Text(participant, "name") ?? visit.Name;
            visit.Kind = LiveKitJson.Enum(participant, "kind", LiveKitJson.ParticipantKinds) ?? visit.Kind;
            visit.Attributes = Attributes(participant) ?? visit.Attributes;
            return visit;
        }

        // Who is there, by LiveKit's own word: others who are not known to have left did so unheard.
        void Reconcile(LiveKitEvent e)
        {
            if (!LiveKitJson.Find(e.Body, "participants", out var listed) || listed.ValueKind != JsonValueKind.Array)
                return;
            var present = new HashSet<string>(StringComparer.Ordinal);
            foreach (var participant in listed.EnumerateArray())
            {
                if (Visit(participant, e) is { } visit)
                    present.Add(visit.Sid);
            }

            foreach (var visit in visits.Values.Where(visit => !visit.IsGone && !present.Contains(visit.Sid) && visit.SeenAt < e.At))
                (visit.IsGone, visit.LeftAt) = (true, e.At);
        }
    }

    private static List<LiveKitRecording> Recordings(List<LiveKitEvent> events)
    {
        var recordings = new SortedDictionary<string, LiveKitRecording>(StringComparer.Ordinal);
        foreach (var e in events)
        {
            var listed = e.Type == LiveKitEvent.Reconciled ? LiveKitJson.Items(e.Body, "egresses") : [LiveKitJson.Object(e.Body, "egressInfo")];
            foreach (var egress in listed)
            {
                if (LiveKitJson.Text(egress, "egressId") is not { } id)
                    continue;
                var known = recordings.GetValueOrDefault(id);
                var file = EgressFile.Of(egress);
                var status = LiveKitJson.Enum(egress, "status", LiveKitJson.EgressStatuses) ?? "starting";
                var told = new LiveKitRecording
                {
                    EgressId = id,
                    // Its end is the last word, whatever comes after it.
                    Status = known is { IsOver: true } ? known.Status : status,
                    Location = file?.Location ?? known?.Location,
                    SizeBytes = file?.SizeBytes ?? known?.SizeBytes,
                    DurationMs = file?.DurationMs ?? known?.DurationMs,
                    StartedAt = LiveKitJson.Time(egress, "startedAt") ?? known?.StartedAt,
                    EndedAt = LiveKitJson.Time(egress, "endedAt") ?? known?.EndedAt,
                    Error = LiveKitJson.LongText(egress, "error") is { Length: > 0 } error ? error : known?.Error,
                };
                recordings[id] = told;
            }
        }

        return [.. recordings.Values];
    }

    private static IEnumerable<LiveKitOccurrence> Occurrences(LiveKitEvent e)
    {
        switch (e.Type)
        {
            case "agent_job_started" or "agent_job_ended":
                var job = LiveKitJson.Object(e.Body, "job");
                var state = LiveKitJson.Object(job, "state");
                var (startedAt, endedAt) = (LiveKitJson.Time(state, "startedAt"), LiveKitJson.Time(state, "endedAt"));
                var jobId = LiveKitJson.Text(job, "id");
                var status = LiveKitJson.Enum(state, "status", LiveKitJson.JobStatuses);
                var details = Details(
                    ("job_id", jobId), ("dispatch_id", LiveKitJson.Text(job, "dispatchId")), ("agent_name", LiveKitJson.Text(job, "agentName")),
                    ("type", LiveKitJson.Enum(job, "type", ["room", "publisher", "participant"])), ("status", status),
                    ("worker_id", LiveKitJson.Text(state, "workerId")), ("agent_id", LiveKitJson.Text(state, "agentId")),
                    ("participant_identity", LiveKitJson.Text(state, "participantIdentity")),
                    ("error", LiveKitJson.LongText(state, "error") is { Length: > 0 } error ? error : null));
                yield return new LiveKitOccurrence($"{e.Type}:{jobId ?? e.Key.ToString("n")}", e.Type, e.At, Milliseconds(startedAt, endedAt), details);
                if (status == "failed")
                    yield return new LiveKitOccurrence($"agent_job_failed:{jobId ?? e.Key.ToString("n")}", "error", e.At, null, details);
                break;
            case "track_published" or "track_unpublished":
                var track = LiveKitJson.Object(e.Body, "track");
                yield return new LiveKitOccurrence(
                    $"event:{e.Key:n}", e.Type, e.At, null,
                    Details(
                        ("participant_sid", LiveKitJson.Text(LiveKitJson.Object(e.Body, "participant"), "sid")),
                        ("track_sid", LiveKitJson.Text(track, "sid")), ("type", LiveKitJson.Enum(track, "type", ["audio", "video", "data"])),
                        ("source", LiveKitJson.Enum(track, "source", ["unknown", "camera", "microphone", "screen_share", "screen_share_audio"])),
                        ("mime_type", LiveKitJson.Text(track, "mimeType"))));
                break;
            case "ingress_started" or "ingress_ended":
                var ingress = LiveKitJson.Object(e.Body, "ingressInfo");
                yield return new LiveKitOccurrence(
                    $"event:{e.Key:n}", e.Type, e.At, null,
                    Details(
                        ("ingress_id", LiveKitJson.Text(ingress, "ingressId")), ("name", LiveKitJson.Text(ingress, "name")),
                        ("participant_identity", LiveKitJson.Text(ingress, "participantIdentity"))));
                break;
            case "room_started" or "room_finished" or "participant_connection_aborted":
                yield return new LiveKitOccurrence(
                    $"event:{e.Key:n}", e.Type, e.At, null,
                    Details(("participant_sid", LiveKitJson.Text(LiveKitJson.Object(e.Body, "participant"), "sid"))));
                break;
        }
    }

    private static string Details(params ReadOnlySpan<(string Name, string? Value)> facts)
    {
        var known = new Dictionary<string, string>();
        foreach (var (name, value) in facts)
        {
            if (value is not null)
                known[name] = value;
        }

        return JsonSerializer.Serialize(known);
    }

    private static string? Attributes(JsonElement participant)
    {
        var attributes = LiveKitJson.Object(participant, "attributes");
        if (attributes.ValueKind != JsonValueKind.Object)
            return null;
        var known = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var attribute in attributes.EnumerateObject())
        {
            if (LiveKitJson.Text(attribute.Value) is { } value && !attribute.Name.Contains('\0', StringComparison.Ordinal))
                known[attribute.Name] = value;
        }

        return known.Count == 0 ? null : JsonSerializer.Serialize(known);
    }

    private static int? Milliseconds(DateTimeOffset? from, DateTimeOffset? to) =>
        from is { } start && to is { } end && end >= start ? (int)Math.Min((end - start).TotalMilliseconds, int.MaxValue) : null;

    private static DateTimeOffset? Earlier(DateTimeOffset? one, DateTimeOffset? other) => one is null || other < one ? other ?? one : one;

    private static DateTimeOffset Later(DateTimeOffset? one, DateTimeOffset other) => one is { } time && time > other ? time : other;

    private sealed class VisitState(string sid, string identity)
    {
        public string Sid { get; } = sid;

        public string Identity { get; } = identity;

        public string? Name { get; set; }

        public string? Kind { get; set; }

        public DateTimeOffset? SeenAt { get; set; }

        public DateTimeOffset? JoinedAt { get; set; }

        public bool IsExact { get; set; }

        public DateTimeOffset? LeftAt { get; set; }

        public bool IsGone { get; set; }

        public string? Reason { get; set; }

        public string? Attributes { get; set; }

        public bool IsMuted { get; set; }
    }
}
