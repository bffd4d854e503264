using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Voxbase.LiveKit;

/// <summary>A room to make.</summary>
public sealed record NewLiveKitRoom
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>How long it stays open before somebody joins; <see cref="LiveKitOptions.EmptyTimeout"/> when null.</summary>
    public TimeSpan? EmptyTimeout { get; init; }

    /// <summary>How long it stays open after the last one left; <see cref="LiveKitOptions.DepartureTimeout"/> when null.</summary>
    public TimeSpan? DepartureTimeout { get; init; }

    /// <summary>The most participants; 0 for no limit.</summary>
    public int MaxParticipants { get; init; }

    /// <summary>The room's metadata, which its participants see.</summary>
    public string? Metadata { get; init; }

    /// <summary>Agents to call into it, by name, each with metadata of its own.</summary>
    public IReadOnlyList<LiveKitAgentDispatch> Agents { get; init; } = [];
}

/// <summary>An agent to call into a room.</summary>
/// <param name="AgentName">The name its workers registered with.</param>
/// <param name="Metadata">What its job is given.</param>
public sealed record LiveKitAgentDispatch(string AgentName, string? Metadata = null);

/// <summary>A room as LiveKit has it.</summary>
/// <param name="Sid">LiveKit's id of this one.</param>
/// <param name="Name">Its name; a later room may have the same.</param>
/// <param name="CreatedAt">When it was made.</param>
/// <param name="ParticipantCount">How many are in it.</param>
/// <param name="Metadata">Its metadata.</param>
/// <param name="IsRecording">Whether it is being recorded.</param>
public sealed record LiveKitRoom(string Sid, string Name, DateTimeOffset? CreatedAt, int ParticipantCount, string? Metadata, bool IsRecording);

/// <summary>A participant as LiveKit has it.</summary>
/// <param name="Sid">LiveKit's id of this visit.</param>
/// <param name="Identity">Who it is.</param>
/// <param name="Name">A name for people.</param>
/// <param name="State">joining, joined, active or disconnected.</param>
/// <param name="Kind">standard, sip, agent, egress…</param>
/// <param name="JoinedAt">When it came.</param>
public sealed record LiveKitParticipant(string Sid, string Identity, string? Name, string State, string Kind, DateTimeOffset? JoinedAt);

/// <summary>A recording as LiveKit has it.</summary>
/// <param name="EgressId">LiveKit's id.</param>
/// <param name="RoomName">The room's name.</param>
/// <param name="Status">starting, active, ending, complete, failed, aborted, limit_reached.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="EndedAt">When it ended.</param>
/// <param name="Location">Where the file is, once there is one.</param>
/// <param name="Error">What went wrong.</param>
public sealed record LiveKitEgress(
    string EgressId, string? RoomName, string Status, DateTimeOffset? StartedAt, DateTimeOffset? EndedAt, string? Location, string? Error);

/// <summary>
/// LiveKit's room service and egress (Twirp, JSON). A request is tried again when it may be: all but those that would do something
/// twice, and these too when they surely did not arrive, or were answered <c>unavailable</c>.
/// </summary>
public sealed class LiveKitRooms : IDisposable
{
    private static readonly TimeSpan TokenLifetime = TimeSpan.FromMinutes(1);

    private readonly LiveKitOptions options;
    private readonly LiveKitTokens tokens;
    private readonly TimeProvider time;
    private readonly HttpClient http;

    /// <summary>Use <c>services.AddVoxbase(…)</c>.</summary>
    public LiveKitRooms(VoxbaseOptions options, LiveKitTokens tokens, TimeProvider time)
    {
        (this.options, this.tokens, this.time) = (options.LiveKit, tokens, time);
        // A redirect could lead the token anywhere.
        http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
        {
            Timeout = Timeout.InfiniteTimeSpan,
            MaxResponseContentBufferSize = 16 << 20,
        };
    }

    /// <summary>Makes a room; one of that name that is open already is returned as it is.</summary>
    /// <exception cref="VoxbaseException"><c>livekit_not_configured</c>, <c>livekit_unavailable</c>, <c>livekit_refused</c>.</exception>
    public async Task<LiveKitRoom> CreateAsync(NewLiveKitRoom room, CancellationToken cancellationToken = default)
    {
        var body = new JsonObject
        {
            ["name"] = room.Name,
            ["empty_timeout"] = (int)(room.EmptyTimeout ?? options.EmptyTimeout).TotalSeconds,
            ["departure_timeout"] = (int)(room.DepartureTimeout ?? options.DepartureTimeout).TotalSeconds,
        };
        if (room.MaxParticipants > 0)
            body["max_participants"] = room.MaxParticipants;
        if (room.Metadata is not null)
            body["metadata"] = room.Metadata;
        if (room.Agents.Count > 0)
        {
            body["agents"] = new JsonArray([.. room.Agents.Select(agent => (JsonNode)new JsonObject
            {
                ["agent_name"] = agent.AgentName,
                ["metadata"] = agent.Metadata ?? "",
            })]);
        }

        return Room(await SendAsync("RoomService/CreateRoom", new() { RoomCreate = true }, body, isRepeatable: true, cancellationToken));
    }

    /// <summary>Rooms that are open; those of the names given, or all.</summary>
    /// <exception cref="VoxbaseException"><c>livekit_not_configured</c>, <c>livekit_unavailable</c>, <c>livekit_refused</c>.</exception>
    public async Task<IReadOnlyList<LiveKitRoom>> ListAsync(IReadOnlyList<string>? names = null, CancellationToken cancellationToken = default)
    {
        var body = new JsonObject();
        if (names is not null)
            body["names"] = new JsonArray([.. names.Select(name => (JsonNode)name)]);
        var answer = await SendAsync("RoomService/ListRooms", new() { RoomList = true }, body, isRepeatable: true, cancellationToken);
        return [.. LiveKitJson.Items(answer, "rooms").Select(Room)];
    }

    /// <summary>Closes a room and sends everybody out. One that is gone already is no error.</summary>
    /// <returns>Whether there was one.</returns>
    /// <exception cref="VoxbaseException"><c>livekit_not_configured</c>, <c>livekit_unavailable</c>, <c>livekit_refused</c>.</exception>
    public Task<bool> DeleteAsync(string room, CancellationToken cancellationToken = default) =>
        FoundAsync(SendAsync("RoomService/DeleteRoom", new() { RoomCreate = true }, new() { ["room"] = room }, isRepeatable: true, cancellationToken));

    /// <summary>Who is in a room.</summary>
    /// <exception cref="VoxbaseException"><c>livekit_not_found</c>, <c>livekit_not_configured</c>, <c>livekit_unavailable</c>, <c>livekit_refused</c>.</exception>
    public async Task<IReadOnlyList<LiveKitParticipant>> ParticipantsAsync(string room, CancellationToken cancellationToken = default) =>
        [.. LiveKitJson.Items(await ParticipantsJsonAsync(room, cancellationToken), "participants").Select(Participant)];

    /// <summary>Sends a participant out. One who is gone already is no error. Its token still holds until it ends.</summary>
    /// <returns>Whether it was there.</returns>
    /// <exception cref="VoxbaseException"><c>livekit_not_configured</c>, <c>livekit_unavailable</c>, <c>livekit_refused</c>.</exception>
    public Task<bool> RemoveAsync(string room, string identity, CancellationToken cancellationToken = default) =>
        FoundAsync(SendAsync("RoomService/RemoveParticipant", Admin(room), new() { ["room"] = room, ["identity"] = identity }, isRepeatable: true, cancellationToken));

    /// <summary>Sends a text to everybody in a room, reliably, under a topic.</summary>
    /// <exception cref="VoxbaseException"><c>livekit_not_found</c>, <c>livekit_not_configured</c>, <c>livekit_unavailable</c>, <c>livekit_refused</c>.</exception>
    public Task SendAsync(string room, string topic, string text, CancellationToken cancellationToken = default) =>
        SendAsync(
            "RoomService/SendData", Admin(room),
            new()
            {
                ["room"] = room,
                ["data"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(text)),
                ["kind"] = "RELIABLE",
                ["topic"] = topic,
                // LiveKit drops a second one with the same nonce.
                ["nonce"] = Convert.ToBase64String(Guid.NewGuid().ToByteArray()),
            },
            isRepeatable: true, cancellationToken);

    /// <summary>Begins to record a room's sound into one Ogg file: the agent on one channel, everybody else on the other.</summary>
    /// <param name="room">Its name.</param>
    /// <param name="path">Where to, as the egress understands it; <see cref="LiveKitOptions.RecordingPath"/> when null.</param>
    /// <param name="mixed">All voices on both channels instead.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="VoxbaseException"><c>livekit_not_found</c>, <c>livekit_not_configured</c>, <c>livekit_unavailable</c>, <c>livekit_refused</c>.</exception>
    public async Task<LiveKitEgress> StartRecordingAsync(
        string room, string? path = null, bool mixed = false, CancellationToken cancellationToken = default) =>
        Egress(await SendAsync(
            "Egress/StartRoomCompositeEgress", new() { RoomRecord = true },
            new()
            {
                ["room_name"] = room,
                ["audio_only"] = true,
                ["audio_mixing"] = mixed ? "DEFAULT_MIXING" : "DUAL_CHANNEL_AGENT",
                ["file_outputs"] = new JsonArray(new JsonObject { ["file_type"] = "OGG", ["filepath"] = path ?? options.RecordingPath }),
            },
            // A second one would record a second time.
            isRepeatable: false, cancellationToken));

    /// <summary>Ends a recording. One that has ended already is no error.</summary>
    /// <exception cref="VoxbaseException"><c>livekit_not_found</c>, <c>livekit_not_configured</c>, <c>livekit_unavailable</c>, <c>livekit_refused</c>.</exception>
    public async Task<LiveKitEgress> StopRecordingAsync(string egressId, CancellationToken cancellationToken = default)
    {
        try
        {
            return Egress(await SendAsync(
                "Egress/StopEgress", new() { RoomRecord = true }, new() { ["egress_id"] = egressId }, isRepeatable: true, cancellationToken));
        }
        catch (VoxbaseException e) when (e.Error == LiveKitErrors.Refused && e.Details == "failed_precondition")
        {
            // Over already; so it is what it has come to.
            var known = await RecordingsAsync(egressId: egressId, cancellationToken: cancellationToken);
            return known.Count > 0 ? known[0] : throw LiveKitErrors.RoomNotFound.With($"There is no recording '{egressId}'.", inner: e);
        }
    }

    /// <summary>Recordings of a room, or the one of an id.</summary>
    /// <exception cref="VoxbaseException"><c>livekit_not_configured</c>, <c>livekit_unavailable</c>, <c>livekit_refused</c>.</exception>
    public async Task<IReadOnlyList<LiveKitEgress>> RecordingsAsync(
        string? room = null, string? egressId = null, CancellationToken cancellationToken = default) =>
        [.. (await RecordingsJsonAsync(room, egressId, cancellationToken)).Select(Egress)];

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();

    internal Task<JsonElement> ParticipantsJsonAsync(string room, CancellationToken cancellationToken) =>
        SendAsync("RoomService/ListParticipants", Admin(room), new() { ["room"] = room }, isRepeatable: true, cancellationToken);

    internal async Task<IReadOnlyList<JsonElement>> RecordingsJsonAsync(string? room, string? egressId, CancellationToken cancellationToken)
    {
        var body = new JsonObject();
        if (room is not null)
            body["room_name"] = room;
        if (egressId is not null)
            body["egress_id"] = egressId;
        return [.. LiveKitJson.Items(await SendAsync("Egress/ListEgress", new() { RoomRecord = true }, body, isRepeatable: true, cancellationToken), "items")];
    }

    private static LiveKitVideoGrant Admin(string room) => new() { RoomAdmin = true, Room = room };

    private static LiveKitRoom Room(JsonElement room) => new(
        LiveKitJson.Text(room, "sid") ?? "", LiveKitJson.Text(room, "name") ?? "",
        LiveKitJson.Time(room, "creationTimeMs") ?? LiveKitJson.Time(room, "creationTime"),
        (int)(LiveKitJson.Integer(room, "numParticipants") ?? 0), LiveKitJson.Text(room, "metadata"), LiveKitJson.Flag(room, "activeRecording"));

    private static LiveKitParticipant Participant(JsonElement participant) => new(
        LiveKitJson.Text(participant, "sid") ?? "", LiveKitJson.Text(participant, "identity") ?? "", LiveKitJson.Text(participant, "name"),
        LiveKitJson.Enum(participant, "state", LiveKitJson.ParticipantStates) ?? "joining",
        LiveKitJson.Enum(participant, "kind", LiveKitJson.ParticipantKinds) ?? "standard",
        LiveKitJson.Time(participant, "joinedAtMs") ?? LiveKitJson.Time(participant, "joinedAt"));

    private static LiveKitEgress Egress(JsonElement egress) => new(
        LiveKitJson.Text(egress, "egressId") ?? "", LiveKitJson.Text(egress, "roomName"),
        LiveKitJson.Enum(egress, "status", LiveKitJson.EgressStatuses) ?? "starting", LiveKitJson.Time(egress, "startedAt"),
        LiveKitJson.Time(egress, "endedAt"), EgressFile.Of(egress)?.Location, LiveKitJson.Text(egress, "error") is { Length: > 0 } error ? error : null);

    private static async Task<bool> FoundAsync(Task<JsonElement> request)
    {
        try
        {
            await request;
            return true;
        }
        catch (VoxbaseException e) when (e.Error == LiveKitErrors.RoomNotFound)
        {
            return false;
        }
    }

    private async Task<JsonElement> SendAsync(
        string method, LiveKitVideoGrant grant, JsonObject body, bool isRepeatable, CancellationToken cancellationToken)
    {
        if (options.Url is null)
            throw LiveKitErrors.NotConfigured.With("LiveKit.Url is not set.");
        // Clients speak WebSocket at the address where servers speak HTTP.
        var address = options.Url.StartsWith("ws", StringComparison.OrdinalIgnoreCase) ? "http" + options.Url[2..] : options.Url;
        var uri = new Uri($"{address.TrimEnd('/')}/twirp/livekit.{method}");
        var json = body.ToJsonString();
        for (var attempt = 1; ; attempt++)
        {
            var (answer, failure, mayRepeat) = await TryAsync(uri, method, grant, json, isRepeatable, cancellationToken);
            if (failure is null)
                return answer;
            if (!mayRepeat || attempt >= options.MaxAttempts)
                throw failure;
            // Half of the wait is chance: servers that failed together shall not come again together.
            var wait = options.RetryDelay * Math.Pow(2, attempt - 1);
            await Task.Delay(wait * (0.5 + Random.Shared.NextDouble() / 2), time, cancellationToken);
        }
    }

    private async Task<(JsonElement Answer, VoxbaseException? Failure, bool MayRepeat)> TryAsync(
        Uri uri, string method, LiveKitVideoGrant grant, string json, bool isRepeatable, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(options.RequestTimeout);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, uri) { Content = new StringContent(json, Encoding.UTF8, "application/json") };
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", tokens.Mint(new NewLiveKitToken { Video = grant, Lifetime = TokenLifetime }));
            using var response = await http.SendAsync(request, timeout.Token);
            var text = await response.Content.ReadAsStringAsync(timeout.Token);
            if (response.IsSuccessStatusCode)
            {
                return LiveKitJson.TryParse(text, out var answer)
                    ? (answer, null, false)
                    : (default, LiveKitErrors.Unavailable.With($"{method} was answered with something that is not JSON."), isRepeatable);
            }

            var code = LiveKitJson.TryParse(text, out var error) ? LiveKitJson.Text(error, "code") : null;
            return code switch
            {
                "unavailable" => (default, LiveKitErrors.Unavailable.With($"{method}: LiveKit is not available.", code), true),
                "not_found" => (default, LiveKitErrors.RoomNotFound.With($"{method}: there is no such thing at LiveKit.", code), false),
                "deadline_exceeded" or "internal" or "unknown" or "aborted" or "dataloss" =>
                    (default, LiveKitErrors.Unavailable.With($"{method}: LiveKit failed.", code), isRepeatable),
                { Length: > 0 and <= 64 } => (default, LiveKitErrors.Refused.With($"{method}: LiveKit refused.", code), false),
                // No answer of LiveKit's own: of something in front of it.
                _ => response.StatusCode >= HttpStatusCode.InternalServerError || response.StatusCode == HttpStatusCode.TooManyRequests
                    ? (default, LiveKitErrors.Unavailable.With($"{method} was answered {(int)response.StatusCode}."), isRepeatable)
                    : (default, LiveKitErrors.Refused.With($"{method} was answered {(int)response.StatusCode}."), false),
            };
        }
        catch (HttpRequestException e)
        {
            // Before there is a connection nothing has been sent.
            var unsent = e.HttpRequestError is HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError or HttpRequestError.SecureConnectionError;
            return (default, LiveKitErrors.Unavailable.With($"{method}: LiveKit cannot be reached.", e.HttpRequestError.ToString(), e), isRepeatable || unsent);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            return (default, LiveKitErrors.Unavailable.With($"{method}: LiveKit did not answer within {options.RequestTimeout}.", inner: e), isRepeatable);
        }
        catch (IOException e)
        {
            return (default, LiveKitErrors.Unavailable.With($"{method}: the connection broke.", inner: e), isRepeatable);
        }
    }
}
