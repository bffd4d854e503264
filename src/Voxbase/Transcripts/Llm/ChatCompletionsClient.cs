using System.Buffers;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.Extensions.AI;
using Voxbase.Capture;

namespace Voxbase.Cleaning;

/// <summary>
/// A chat model behind any endpoint that speaks OpenAI's chat completions: OpenAI, Gemini, vLLM, llama.cpp, Ollama. Text only, one answer at
/// a time; what Voxbase asks of a model needs no more.
/// </summary>
public sealed class ChatCompletionsClient : IChatClient
{
    // An answer larger than that is none of ours.
    private const int MostBytes = 256 * 1024;

    private readonly HttpMessageInvoker http = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        ConnectTimeout = TimeSpan.FromSeconds(10),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    });

    private readonly Uri address;
    private readonly string? apiKey;
    private readonly ChatClientMetadata metadata;

    /// <summary>A client of one model.</summary>
    /// <param name="baseUrl">Without a slash at its end; <c>/chat/completions</c> is added.</param>
    /// <param name="model">Used unless a request names another.</param>
    /// <param name="apiKey">Null for an endpoint that takes none.</param>
    /// <param name="provider">Who charges; for the metadata.</param>
    public ChatCompletionsClient(string baseUrl, string model, string? apiKey, string? provider = null)
    {
        address = new Uri(baseUrl + "/chat/completions");
        this.apiKey = apiKey;
        metadata = new ChatClientMetadata(provider, new Uri(baseUrl), model);
    }

    /// <inheritdoc/>
    /// <exception cref="VoxbaseException"><c>provider_rejected</c>, <c>provider_refused</c>, <c>provider_unavailable</c>.</exception>
    /// <exception cref="InvalidDataException">An answer that is no chat completion.</exception>
    public async Task<ChatResponse> GetResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, address) { Content = new ByteArrayContent(Body(messages, options)) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (apiKey is { Length: > 0 })
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", apiKey);
        try
        {
            using var response = await http.SendAsync(request, cancellationToken);
            // Not its words: an error may quote what was sent.
            if (!response.IsSuccessStatusCode)
                throw ProviderErrors.Of(response.StatusCode);
            var body = await ReadAsync(response.Content, cancellationToken);
            var header = response.Headers.TryGetValues("x-request-id", out var ids) ? ids.FirstOrDefault() : null;
            return Read(body, header);
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw ProviderErrors.Unavailable.With("The model's endpoint did not answer.", inner: e);
        }
    }

    /// <summary>Not offered: what is asked for is used whole or not at all.</summary>
    public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException("This client answers whole, not in pieces.");

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceKey is not null ? null : serviceType == typeof(ChatClientMetadata) ? metadata : serviceType.IsInstanceOfType(this) ? this : null;

    /// <inheritdoc/>
    public void Dispose() => http.Dispose();

    private byte[] Body(IEnumerable<ChatMessage> messages, ChatOptions? options)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("model", options?.ModelId ?? metadata.DefaultModelId);
            json.WriteStartArray("messages");
            foreach (var message in messages)
            {
                json.WriteStartObject();
                json.WriteString("role", message.Role.Value);
                json.WriteString("content", message.Text);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            if (options?.Temperature is { } temperature)
                json.WriteNumber("temperature", temperature);
            if (options?.MaxOutputTokens is { } most)
                json.WriteNumber("max_completion_tokens", most);
            if (options?.Reasoning?.Effort is { } effort)
                json.WriteString("reasoning_effort", effort.ToString().ToLowerInvariant());
            if (options?.ResponseFormat is ChatResponseFormatJson format)
                WriteFormat(json, format);
            json.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteFormat(Utf8JsonWriter json, ChatResponseFormatJson format)
    {
        json.WriteStartObject("response_format");
        json.WriteString("type", format.Schema is null ? "json_object" : "json_schema");
        if (format.Schema is { } schema)
        {
            json.WriteStartObject("json_schema");
            json.WriteString("name", format.SchemaName ?? "answer");
            json.WriteBoolean("strict", true);
            json.WritePropertyName("schema");
            schema.WriteTo(json);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    private static async Task<ReadOnlyMemory<byte>> ReadAsync(HttpContent content, CancellationToken cancellationToken)
    {
        await using var stream = await content.ReadAsStreamAsync(cancellationToken);
        var body = new MemoryStream();
        var buffer = new byte[16 * 1024];
        while (await stream.ReadAsync(buffer, cancellationToken) is var count and > 0)
        {
            if (body.Length + count > MostBytes)
                throw new InvalidDataException("The answer is larger than any that was asked for.");
            body.Write(buffer, 0, count);
        }

        return body.GetBuffer().AsMemory(0, (int)body.Length);
    }

    private static ChatResponse Read(ReadOnlyMemory<byte> body, string? requestId)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            var choice = root.GetProperty("choices")[0];
            var content = choice.GetProperty("message").TryGetProperty("content", out var text) ? Text(text) : null;
            return new ChatResponse(new ChatMessage(ChatRole.Assistant, content ?? ""))
            {
                ResponseId = Text(root, "id") ?? requestId,
                ModelId = Text(root, "model"),
                FinishReason = Text(choice, "finish_reason") is { Length: > 0 } reason ? new ChatFinishReason(reason) : null,
                Usage = root.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object ? ReadUsage(usage) : null,
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException)
        {
            throw new InvalidDataException("The answer is no chat completion.", e);
        }
    }

    private static UsageDetails ReadUsage(JsonElement usage)
    {
        var (input, output, total) = (Count(usage, "prompt_tokens"), Count(usage, "completion_tokens"), Count(usage, "total_tokens"));
        // Some endpoints leave what a model thought out of what it wrote, and count it in the total alone.
        if (total > (input ?? 0) + (output ?? 0))
            output = total - (input ?? 0);
        return new UsageDetails
        {
            InputTokenCount = input,
            OutputTokenCount = output,
            TotalTokenCount = total,
            CachedInputTokenCount = usage.TryGetProperty("prompt_tokens_details", out var details) ? Count(details, "cached_tokens") : null,
        };
    }

    private static long? Count(JsonElement owner, string name) =>
        owner.ValueKind == JsonValueKind.Object && owner.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number
            && value.TryGetInt64(out var count) && count is >= 0 and < 1_000_000_000 ? count : null;

    private static string? Text(JsonElement owner, string name) => owner.TryGetProperty(name, out var value) ? Text(value) : null;

    private static string? Text(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
