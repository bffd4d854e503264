using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Voxbase.Data;

namespace Voxbase.Capture;

/// <summary>A realtime session to prepare.</summary>
public sealed record NewRealtimeSession
{
    /// <summary>The provider's model, such as <c>gpt-realtime</c>.</summary>
    public required string Model { get; init; }

    /// <summary>Whose conversation it becomes. A user prepares for itself; the service may name anyone, or nobody.</summary>
    public Guid? UserId { get; init; }

    /// <summary>OpenAI's session object (instructions, audio, tools…), passed on as it is; its model may be left out.</summary>
    public JsonElement? Session { get; init; }

    /// <summary>How long a call may be begun with the key, from 10 to 7,200 seconds; null for the provider's default.</summary>
    public int? ExpiresAfterSeconds { get; init; }

    /// <summary>A title for people.</summary>
    public string? Name { get; init; }

    /// <summary>More for people.</summary>
    public string? Description { get; init; }

    /// <summary>A JSON object of the application's own.</summary>
    public JsonElement? Metadata { get; init; }

    /// <summary>A JSON object of the user's preferences for it.</summary>
    public JsonElement? Preferences { get; init; }
}

/// <summary>A prepared session: what a client needs to begin its call.</summary>
public sealed record RealtimeSession
{
    /// <summary>The conversation, pending until its call begins.</summary>
    public required Guid ConversationId { get; init; }

    /// <summary>The provider's ephemeral key (<c>ek_…</c>), for a browser that speaks to the provider itself. Shown only here.</summary>
    public required string ClientSecret { get; init; }

    /// <summary>Until when a call may be begun with it.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>The model.</summary>
    public required string Model { get; init; }

    /// <summary>The provider's name of the session, where it gave one.</summary>
    public string? ProviderSessionId { get; init; }

    /// <summary>Where a browser posts its WebRTC offer, with the key as bearer.</summary>
    public required string CallsUrl { get; init; }

    /// <summary>Where a WebSocket client begins the same call through this server, with a token of this server.</summary>
    public required string RelayPath { get; init; }
}

/// <summary>Prepares realtime sessions: a pending conversation and the provider's ephemeral key for it, together or not at all.</summary>
public sealed class RealtimeSessions : IDisposable
{
    internal const string ClaimSql =
        """
        update vox.conversations
        set status = 'active', connected_at = $2, llm_provider = coalesce(llm_provider, $3), llm_model = coalesce(llm_model, $4), ai_agent_used = true
        where id = $1 and status = 'pending'
        """;

    private const int MaxAnswerBytes = 1 << 20;

    private readonly Database database;
    private readonly Conversations conversations;
    private readonly CallAdmission admission;
    private readonly OpenAiOptions openAi;
    private readonly TimeProvider time;
    private readonly HttpClient http;

    /// <summary>Use <c>services.AddVoxbase(…)</c>.</summary>
    public RealtimeSessions(Database database, Conversations conversations, CallAdmission admission, VoxbaseOptions options, TimeProvider time)
    {
        (this.database, this.conversations, this.admission, openAi, this.time) = (database, conversations, admission, options.OpenAi, time);
        http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = options.Relay.ConnectTimeout,
            // So that a provider that moves is followed.
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        })
        {
            Timeout = options.Relay.ConnectTimeout,
            MaxResponseContentBufferSize = MaxAnswerBytes,
        };
    }

    /// <summary>
    /// Asks whether the call may begin, has the provider make a key, and makes the conversation. The key comes first: when the conversation
    /// then fails, the key is forgotten unseen, and when the provider fails, there is no conversation to undo.
    /// </summary>
    /// <exception cref="VoxbaseException">
    /// <c>realtime_session_invalid</c>, <c>capture_refused</c>, <c>provider_not_configured</c>, <c>provider_rejected</c>, <c>provider_refused</c>,
    /// <c>provider_unavailable</c>, what admission says, and what <see cref="Conversations.StartAsync"/> says. Nothing remains.
    /// </exception>
    public async Task<RealtimeSession> CreateAsync(Caller caller, NewRealtimeSession session, CancellationToken cancellationToken = default)
    {
        var body = BodyOf(session);
        if (!caller.IsService && (caller.UserId is null || (session.UserId is { } wanted && wanted != caller.UserId)))
            throw CaptureErrors.CallerRefused.With("A user prepares sessions for itself alone.");
        var owner = caller.IsService ? session.UserId : caller.UserId;
        var id = Guid.CreateVersion7(time.GetUtcNow());
        await admission.AdmitAsync(owner, id, cancellationToken);
        try
        {
            var secret = await SecretAsync(body, cancellationToken);
            await conversations.StartAsync(
                caller,
                new NewConversation
                {
                    Id = id,
                    UserId = owner,
                    Kind = ConversationKind.Realtime,
                    Name = session.Name,
                    Description = session.Description,
                    LlmProvider = CaptureSession.Provider,
                    LlmModel = session.Model,
                    AiAgentUsed = true,
                    Metadata = session.Metadata,
                    Preferences = session.Preferences,
                },
                cancellationToken);
            return new RealtimeSession
            {
                ConversationId = id,
                ClientSecret = secret.Value,
                ExpiresAt = secret.ExpiresAt,
                Model = session.Model,
                ProviderSessionId = secret.SessionId,
                CallsUrl = $"{openAi.BaseUrl}/realtime/calls",
                RelayPath = $"/v1/realtime/relay?model={Uri.EscapeDataString(session.Model)}&conversation_id={id}",
            };
        }
        catch
        {
            // Whoever gave up asking does not stop this.
            await admission.ReleaseAsync(id, CancellationToken.None);
            throw;
        }
    }

    /// <summary>pending → active, for the one call that a conversation has: of many that try, one is told true.</summary>
    public async Task<bool> ClaimAsServiceAsync(Guid conversationId, string? model, CancellationToken cancellationToken = default) =>
        await database.RunAsync(
            Caller.Service,
            [
                new Statement(
                    ClaimSql, Parameter.Uuid(conversationId), Parameter.Time(time.GetUtcNow()), Parameter.Text(CaptureSession.Provider),
                    Parameter.Text(model)),
            ],
            static (results, _) => Task.FromResult(results.RecordsAffected),
            cancellationToken) > 0;

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();

    private static JsonObject BodyOf(NewRealtimeSession session)
    {
        if (session.Model is not { Length: >= 1 and <= 256 })
            throw ProviderErrors.SessionInvalid.With("model must be 1 to 256 characters");
        if (session.ExpiresAfterSeconds is < 10 or > 7_200)
            throw ProviderErrors.SessionInvalid.With($"expires_after_seconds must be from 10 to 7200 (was {session.ExpiresAfterSeconds})");
        JsonObject provided;
        if (session.Session is null or { ValueKind: JsonValueKind.Null or JsonValueKind.Undefined })
            provided = [];
        else if (session.Session is { ValueKind: JsonValueKind.Object } given)
            provided = JsonObject.Create(given)!;
        else
            throw ProviderErrors.SessionInvalid.With("session must be an object");
        if (provided["model"] is { } model && !(model is JsonValue value && value.TryGetValue(out string? named) && named == session.Model))
            throw ProviderErrors.SessionInvalid.With("session.model differs from model");
        provided["type"] ??= "realtime";
        provided["model"] = session.Model;
        var body = new JsonObject { ["session"] = provided };
        if (session.ExpiresAfterSeconds is { } seconds)
            body["expires_after"] = new JsonObject { ["anchor"] = "created_at", ["seconds"] = seconds };
        return body;
    }

    private async Task<Secret> SecretAsync(JsonObject body, CancellationToken cancellationToken)
    {
        var key = ProviderErrors.RequireKey(openAi);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{openAi.BaseUrl}/realtime/client_secrets")
        {
            Headers = { Authorization = new AuthenticationHeaderValue("Bearer", key) },
            Content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(body)) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
        };
        try
        {
            using var response = await http.SendAsync(request, cancellationToken);
            var answer = await response.Content.ReadAsByteArrayAsync(cancellationToken);
            if (!response.IsSuccessStatusCode)
                throw ProviderErrors.Of(response.StatusCode, WordsOf(answer, key));
            return Secret.Read(answer) ?? throw ProviderErrors.Unavailable.With("The provider's answer is no client secret.");
        }
        catch (HttpRequestException e)
        {
            throw ProviderErrors.Unavailable.With("The provider cannot be reached.", inner: e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw ProviderErrors.Unavailable.With("The provider did not answer in time.", inner: e);
        }
    }

    // OpenAI's {"error":{"code","message"}}, cut short, and never with our key in it.
    private static string? WordsOf(byte[] answer, string key)
    {
        try
        {
            using var document = JsonDocument.Parse(answer);
            if (!document.RootElement.TryGetProperty("error", out var error) || !error.TryGetProperty("message", out var message))
                return null;
            var words = (message.GetString() ?? "").Replace(key, "…", StringComparison.Ordinal);
            return words.Length <= 500 ? words : words[..500] + "…";
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private sealed record Secret(string Value, DateTimeOffset ExpiresAt, string? SessionId)
    {
        public static Secret? Read(byte[] answer)
        {
            try
            {
                using var document = JsonDocument.Parse(answer);
                var root = document.RootElement;
                var session = root.TryGetProperty("session", out var given) && given.ValueKind == JsonValueKind.Object ? given : default;
                return root.GetProperty("value").GetString() is { Length: > 0 } value
                    ? new Secret(
                        value, DateTimeOffset.FromUnixTimeSeconds(root.GetProperty("expires_at").GetInt64()),
                        session.ValueKind == JsonValueKind.Object && session.TryGetProperty("id", out var id) ? id.GetString() : null)
                    : null;
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or ArgumentOutOfRangeException)
            {
                return null;
            }
        }
    }
}
