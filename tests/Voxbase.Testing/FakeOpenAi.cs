using System.Collections.Concurrent;
using System.Net;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Voxbase.Testing;

/// <summary>
/// OpenAI's Realtime API on a local port, in its real wire format: client secrets, and a WebSocket on which a script plays the model. It
/// takes the key <see cref="Key"/> and no other.
/// </summary>
public sealed class FakeOpenAi : IAsyncDisposable
{
    /// <summary>The one key it takes.</summary>
    public const string Key = "sk-proj-fake-key-of-tests-0123456789";

    private readonly WebApplication app;
    private readonly ConcurrentQueue<FakeOpenAiCall> calls = new();

    private FakeOpenAi(WebApplication app) => this.app = app;

    /// <summary>What <c>OpenAi.BaseUrl</c> is set to.</summary>
    public string BaseUrl => app.Urls.First() + "/v1";

    /// <summary>The calls so far, in their order.</summary>
    public IReadOnlyList<FakeOpenAiCall> Calls => [.. calls];

    /// <summary>The bodies that client secrets were asked for with.</summary>
    public ConcurrentQueue<JsonElement> SecretRequests { get; } = new();

    /// <summary>What it answers instead of a client secret or a call; null answers properly.</summary>
    public Func<HttpContext, Task>? Instead { get; set; }

    /// <summary>Starts it.</summary>
    /// <param name="script">Plays the model in each call, until the call is over.</param>
    public static async Task<FakeOpenAi> StartAsync(Func<FakeOpenAiCall, Task>? script = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var fake = new FakeOpenAi(app);
        app.UseWebSockets();
        app.Run(context => fake.AnswerAsync(context, script ?? FakeConversation.PlayAsync));
        await app.StartAsync();
        return fake;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var call in calls)
            call.Cut();
        await app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context, Func<FakeOpenAiCall, Task> script)
    {
        if (context.Request.Headers.Authorization != $"Bearer {Key}")
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            await context.Response.WriteAsync("""{"error":{"message":"Incorrect API key provided.","type":"invalid_request_error","code":"invalid_api_key"}}""");
        }
        else if (Instead is { } instead)
        {
            await instead(context);
        }
        else if (context.Request.Path == "/v1/realtime/client_secrets" && context.Request.Method == "POST")
        {
            var asked = await JsonSerializer.DeserializeAsync<JsonElement>(context.Request.Body);
            SecretRequests.Enqueue(asked);
            var session = JsonObject.Create(asked.GetProperty("session"))!;
            session["id"] = $"sess_{Guid.NewGuid():n}";
            session["object"] = "realtime.session";
            var expires = asked.TryGetProperty("expires_after", out var after) ? after.GetProperty("seconds").GetInt32() : 600;
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync(new JsonObject
            {
                ["value"] = $"ek_{Guid.NewGuid():n}",
                ["expires_at"] = DateTimeOffset.UtcNow.AddSeconds(expires).ToUnixTimeSeconds(),
                ["session"] = session,
            }.ToJsonString());
        }
        else if (context.Request.Path == "/v1/realtime" && context.WebSockets.IsWebSocketRequest)
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            var call = new FakeOpenAiCall(context, socket, calls.Count + 1);
            calls.Enqueue(call);
            try
            {
                await script(call);
            }
            catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException)
            {
                // The call is over, in one way or another.
            }
            catch (Exception e)
            {
                call.Done(e);
                throw;
            }

            call.Done();
        }
        else
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
        }
    }
}

/// <summary>One call, from the provider's side.</summary>
public sealed class FakeOpenAiCall
{
    private readonly HttpContext context;
    private readonly ConcurrentQueue<string> sent = new();
    private readonly ConcurrentQueue<string> received = new();
    private readonly TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int events;

    internal FakeOpenAiCall(HttpContext context, WebSocket socket, int number)
    {
        (this.context, Socket, Number) = (context, socket, number);
        Headers = context.Request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase);
        Query = context.Request.QueryString.Value ?? "";
    }

    /// <summary>The socket itself.</summary>
    public WebSocket Socket { get; }

    /// <summary>From 1.</summary>
    public int Number { get; }

    /// <summary>What the request said.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>The query, with its question mark.</summary>
    public string Query { get; }

    /// <summary>What was sent to the client, to the letter.</summary>
    public IReadOnlyList<string> Sent => [.. sent];

    /// <summary>What came from the client, to the letter.</summary>
    public IReadOnlyList<string> Received => [.. received];

    /// <summary>Done when the script is; fails when that made a mistake.</summary>
    public Task Over => done.Task;

    /// <summary>Sends an event; it gets an id.</summary>
    public Task SendAsync(string type, JsonObject? fields = null)
    {
        var e = new JsonObject { ["type"] = type, ["event_id"] = $"event_{Number}_{Interlocked.Increment(ref events)}" };
        foreach (var (name, value) in fields ?? [])
            e[name] = value?.DeepClone();
        return SendRawAsync(e.ToJsonString());
    }

    /// <summary>Sends a text as it is.</summary>
    public async Task SendRawAsync(string text)
    {
        await Socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
        sent.Enqueue(text);
    }

    /// <summary>The next message, or null when the client closes.</summary>
    public async Task<string?> ReceiveAsync()
    {
        using var message = new MemoryStream();
        var buffer = new byte[64 * 1024];
        while (true)
        {
            var got = await Socket.ReceiveAsync(buffer, CancellationToken.None);
            if (got.MessageType == WebSocketMessageType.Close)
                return null;
            message.Write(buffer, 0, got.Count);
            if (!got.EndOfMessage)
                continue;
            var text = Encoding.UTF8.GetString(message.ToArray());
            received.Enqueue(text);
            return text;
        }
    }

    /// <summary>Waits for an event of a type; others are kept and skipped.</summary>
    /// <exception cref="OperationCanceledException">The client closed first.</exception>
    public async Task<JsonElement> ExpectAsync(string type)
    {
        while (await ReceiveAsync() is { } text)
        {
            var e = JsonElement.Parse(text);
            if (e.GetProperty("type").GetString() == type)
                return e;
        }

        throw new OperationCanceledException("The client closed.");
    }

    /// <summary>Reads until the client closes, and answers that.</summary>
    public async Task UntilClosedAsync()
    {
        while (await ReceiveAsync() is not null)
        {
        }

        await Socket.CloseOutputAsync(Socket.CloseStatus ?? WebSocketCloseStatus.Empty, Socket.CloseStatusDescription, CancellationToken.None);
    }

    /// <summary>Cuts the connection without a word.</summary>
    public void Cut()
    {
        try
        {
            if (!Over.IsCompleted)
                context.Abort();
        }
        catch (ObjectDisposedException)
        {
            // It was over a moment ago.
        }
    }

    internal void Done(Exception? mistake = null)
    {
        if (mistake is null)
            done.TrySetResult();
        else
            done.TrySetException(mistake);
    }
}

/// <summary>
/// A whole conversation as the model plays it: the caller asks, a tool is called, the answer is interrupted, and the last one is heard to
/// the end. What the client must do, in its order: session.update, input_audio_buffer.append (any number), conversation.item.create with the
/// tool's output, response.create, then — at the first audio — input_audio_buffer.append and conversation.item.truncate, and close.
/// </summary>
public static class FakeConversation
{
    /// <summary>Plays it.</summary>
    public static async Task PlayAsync(FakeOpenAiCall call)
    {
        string Id(string name) => $"{name}_{call.Number}";
        var session = new JsonObject
        {
            ["type"] = "realtime", ["object"] = "realtime.session", ["id"] = Id("sess"), ["model"] = "gpt-realtime", ["output_modalities"] = new JsonArray("audio"),
            ["audio"] = new JsonObject
            {
                ["input"] = new JsonObject
                {
                    ["format"] = new JsonObject { ["type"] = "audio/pcm", ["rate"] = 24000 },
                    ["transcription"] = new JsonObject { ["model"] = "gpt-4o-mini-transcribe" },
                    ["turn_detection"] = new JsonObject { ["type"] = "server_vad" },
                },
                ["output"] = new JsonObject { ["format"] = new JsonObject { ["type"] = "audio/pcm", ["rate"] = 24000 }, ["voice"] = "marin" },
            },
        };
        await call.SendAsync("session.created", new() { ["session"] = session.DeepClone() });
        await call.ExpectAsync("session.update");
        await call.SendAsync("session.updated", new() { ["session"] = session.DeepClone() });
        await call.ExpectAsync("input_audio_buffer.append");

        // The caller asks; a tool is called.
        await SpeakAsync(call, Id("item_u1"), null, "What is the weather in Bergen?");
        await call.SendAsync("response.created", new() { ["response"] = Response(Id("resp_1"), "in_progress", []) });
        var tool = new JsonObject
        {
            ["id"] = Id("item_f1"), ["type"] = "function_call", ["status"] = "in_progress", ["name"] = "get_weather", ["call_id"] = Id("call_1"), ["arguments"] = "",
        };
        await ItemAsync(call, "response.output_item.added", Id("resp_1"), tool);
        await call.SendAsync("conversation.item.added", new() { ["previous_item_id"] = Id("item_u1"), ["item"] = tool.DeepClone() });
        const string arguments = """{"city":"Bergen"}""";
        await call.SendAsync("response.function_call_arguments.delta", Of(Id("resp_1"), Id("item_f1"), new() { ["call_id"] = Id("call_1"), ["delta"] = arguments }));
        await call.SendAsync("response.function_call_arguments.done", Of(Id("resp_1"), Id("item_f1"), new() { ["call_id"] = Id("call_1"), ["name"] = "get_weather", ["arguments"] = arguments }));
        tool["status"] = "completed";
        tool["arguments"] = arguments;
        await ItemAsync(call, "response.output_item.done", Id("resp_1"), tool);
        await call.SendAsync("response.done", new() { ["response"] = Response(Id("resp_1"), "completed", [tool.DeepClone()], Usage(200, 120, 80, 64, 20, 0)) });

        // The answer is interrupted.
        var output = await call.ExpectAsync("conversation.item.create");
        await call.SendAsync("conversation.item.added", new()
        {
            ["previous_item_id"] = Id("item_f1"),
            ["item"] = new JsonObject
            {
                ["id"] = Id("item_o1"), ["type"] = "function_call_output", ["call_id"] = Id("call_1"),
                ["output"] = output.GetProperty("item").GetProperty("output").GetString(), ["status"] = "completed",
            },
        });
        await call.ExpectAsync("response.create");
        const string said = "It rains in Bergen, as it nearly always does at this time of the year.";
        await AnswerAsync(call, Id("resp_2"), Id("item_a1"), Id("item_o1"), said, deltas: 20);
        await call.SendAsync("input_audio_buffer.speech_started", new() { ["audio_start_ms"] = 3000, ["item_id"] = Id("item_u2") });
        await call.SendAsync("response.done", new()
        {
            ["response"] = Response(Id("resp_2"), "cancelled", [Message(Id("item_a1"), "incomplete", said)], Usage(300, 200, 100, 128, 80, 60), "turn_detected"),
        });
        var truncate = await call.ExpectAsync("conversation.item.truncate");
        await call.SendAsync("conversation.item.truncated", new()
        {
            ["item_id"] = Id("item_a1"), ["content_index"] = 0, ["audio_end_ms"] = truncate.GetProperty("audio_end_ms").GetInt32(),
        });

        // The last one is heard to the end.
        await SpeakAsync(call, Id("item_u2"), Id("item_a1"), "And tomorrow?");
        await AnswerAsync(call, Id("resp_3"), Id("item_a2"), Id("item_u2"), "Rain again.", deltas: 5);
        var last = Message(Id("item_a2"), "completed", "Rain again.");
        await ItemAsync(call, "response.output_item.done", Id("resp_3"), last);
        await call.SendAsync("response.done", new() { ["response"] = Response(Id("resp_3"), "completed", [last.DeepClone()], Usage(400, 260, 140, 0, 30, 22)) });
        await call.SendAsync("rate_limits.updated", new() { ["rate_limits"] = new JsonArray(new JsonObject { ["name"] = "tokens", ["limit"] = 40000, ["remaining"] = 39000, ["reset_seconds"] = 0.5 }) });
        await call.UntilClosedAsync();
    }

    private static async Task SpeakAsync(FakeOpenAiCall call, string item, string? previous, string text)
    {
        if (previous is null)
            await call.SendAsync("input_audio_buffer.speech_started", new() { ["audio_start_ms"] = 0, ["item_id"] = item });
        await call.SendAsync("input_audio_buffer.speech_stopped", new() { ["audio_end_ms"] = 4000, ["item_id"] = item });
        await call.SendAsync("input_audio_buffer.committed", new() { ["previous_item_id"] = previous, ["item_id"] = item });
        await call.SendAsync("conversation.item.added", new()
        {
            ["previous_item_id"] = previous,
            ["item"] = new JsonObject { ["id"] = item, ["type"] = "message", ["status"] = "completed", ["role"] = "user", ["content"] = new JsonArray(new JsonObject { ["type"] = "input_audio", ["transcript"] = null }) },
        });
        await call.SendAsync("conversation.item.input_audio_transcription.completed", new()
        {
            ["item_id"] = item, ["content_index"] = 0, ["transcript"] = text,
            ["usage"] = new JsonObject { ["type"] = "tokens", ["total_tokens"] = 50, ["input_tokens"] = 40, ["output_tokens"] = 10, ["input_token_details"] = new JsonObject { ["text_tokens"] = 0, ["audio_tokens"] = 40 } },
        });
    }

    private static async Task AnswerAsync(FakeOpenAiCall call, string response, string item, string previous, string text, int deltas)
    {
        await call.SendAsync("response.created", new() { ["response"] = Response(response, "in_progress", []) });
        var message = new JsonObject { ["id"] = item, ["type"] = "message", ["status"] = "in_progress", ["role"] = "assistant", ["content"] = new JsonArray() };
        await ItemAsync(call, "response.output_item.added", response, message);
        await call.SendAsync("conversation.item.added", new() { ["previous_item_id"] = previous, ["item"] = message.DeepClone() });
        await call.SendAsync("response.content_part.added", Of(response, item, new() { ["content_index"] = 0, ["part"] = new JsonObject { ["type"] = "audio", ["transcript"] = "" } }));
        await call.SendAsync("response.output_audio_transcript.delta", Of(response, item, new() { ["content_index"] = 0, ["delta"] = text }));
        var audio = Convert.ToBase64String(new byte[4800]);
        for (var i = 0; i < deltas; i++)
            await call.SendAsync("response.output_audio.delta", Of(response, item, new() { ["content_index"] = 0, ["delta"] = audio }));
        await call.SendAsync("response.output_audio.done", Of(response, item, new() { ["content_index"] = 0 }));
        await call.SendAsync("response.output_audio_transcript.done", Of(response, item, new() { ["content_index"] = 0, ["transcript"] = text }));
    }

    private static Task ItemAsync(FakeOpenAiCall call, string type, string response, JsonObject item) =>
        call.SendAsync(type, new() { ["response_id"] = response, ["output_index"] = 0, ["item"] = item.DeepClone() });

    private static JsonObject Of(string response, string item, JsonObject fields)
    {
        fields["response_id"] = response;
        fields["item_id"] = item;
        fields["output_index"] = 0;
        return fields;
    }

    private static JsonObject Message(string id, string status, string transcript) => new()
    {
        ["id"] = id, ["type"] = "message", ["status"] = status, ["role"] = "assistant",
        ["content"] = new JsonArray(new JsonObject { ["type"] = "output_audio", ["transcript"] = transcript }),
    };

    private static JsonObject Response(string id, string status, JsonArray output, JsonObject? usage = null, string? reason = null) => new()
    {
        ["object"] = "realtime.response", ["id"] = id, ["status"] = status,
        ["status_details"] = reason is null ? null : new JsonObject { ["type"] = status, ["reason"] = reason },
        ["output"] = output, ["conversation_id"] = "conv_fake", ["output_modalities"] = new JsonArray("audio"), ["max_output_tokens"] = "inf", ["usage"] = usage,
    };

    private static JsonObject Usage(int input, int text, int audio, int cachedText, int output, int outputAudio) => new()
    {
        ["total_tokens"] = input + output, ["input_tokens"] = input, ["output_tokens"] = output,
        ["input_token_details"] = new JsonObject
        {
            ["text_tokens"] = text, ["audio_tokens"] = audio, ["image_tokens"] = 0, ["cached_tokens"] = cachedText,
            ["cached_tokens_details"] = new JsonObject { ["text_tokens"] = cachedText, ["audio_tokens"] = 0, ["image_tokens"] = 0 },
        },
        ["output_token_details"] = new JsonObject { ["text_tokens"] = output - outputAudio, ["audio_tokens"] = outputAudio },
    };
}
