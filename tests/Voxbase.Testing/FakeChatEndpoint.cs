using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Voxbase.Testing;

/// <summary>An OpenAI-compatible chat endpoint on a local port, in the real wire format; a script plays the model.</summary>
public sealed class FakeChatEndpoint : IAsyncDisposable
{
    /// <summary>The one key it takes.</summary>
    public const string Key = "sk-chat-fake-key-of-tests-0123456789";

    private readonly WebApplication app;
    private readonly TaskCompletionSource closing = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private FakeChatEndpoint(WebApplication app) => this.app = app;

    /// <summary>What a base URL is set to.</summary>
    public string BaseUrl => app.Urls.First() + "/v1";

    /// <summary>The bodies it was asked with, in their order.</summary>
    public ConcurrentQueue<JsonElement> Requests { get; } = new();

    /// <summary>What it answers: by default the content of <see cref="Content"/> as a completion.</summary>
    public Func<HttpContext, JsonElement, Task>? Instead { get; set; }

    /// <summary>What the model says to a request.</summary>
    public Func<JsonElement, string> Content { get; set; } = _ => """{"edits":[]}""";

    /// <summary>What the model is called in answers.</summary>
    public string Model { get; set; } = "gemini-2.5-flash-lite";

    /// <summary>Starts it.</summary>
    public static async Task<FakeChatEndpoint> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var fake = new FakeChatEndpoint(app);
        app.Run(fake.AnswerAsync);
        await app.StartAsync();
        return fake;
    }

    /// <summary>Answers nothing until the client gives up.</summary>
    public async Task SilenceAsync(HttpContext context) =>
        await Task.WhenAny(closing.Task, Task.Delay(Timeout.Infinite, context.RequestAborted));

    /// <summary>Answers with an error, in OpenAI's form.</summary>
    public static Task ErrorAsync(HttpContext context, int status, string type)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(new { error = new { message = "What was sent: a secret transcript", type, param = (string?)null, code = (string?)null } });
    }

    /// <summary>The JSON object that the user's message holds.</summary>
    public static JsonElement Told(JsonElement request) =>
        JsonElement.Parse(request.GetProperty("messages").EnumerateArray().Last().GetProperty("content").GetString()!);

    /// <summary>The tokens in a request, without their numbers and marks, by number.</summary>
    public static IReadOnlyDictionary<int, string> Tokens(JsonElement request) => Told(request).GetProperty("tokens").EnumerateArray()
        .Select(token => token.GetString()!.Split(' ', 2)).ToDictionary(parts => int.Parse(parts[0]), parts => parts[1].TrimEnd(',', '.', '?', '!', '-'));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        closing.TrySetResult();
        await app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        if (context.Request.Path != "/v1/chat/completions" || context.Request.Method != "POST")
        {
            await ErrorAsync(context, 404, "invalid_request_error");
            return;
        }

        if (context.Request.Headers.Authorization != $"Bearer {Key}")
        {
            await ErrorAsync(context, 401, "invalid_request_error");
            return;
        }

        var request = await JsonSerializer.DeserializeAsync<JsonElement>(context.Request.Body);
        Requests.Enqueue(request);
        if (Instead is { } instead)
            await instead(context, request);
        else
            await CompleteAsync(context, Content(request));
    }

    /// <summary>Answers with a completion.</summary>
    public Task CompleteAsync(HttpContext context, string? content, string finish = "stop") => context.Response.WriteAsJsonAsync(new
    {
        id = $"chatcmpl-{Requests.Count}",
        @object = "chat.completion",
        created = 1_760_000_000,
        model = Model,
        choices = new[] { new { index = 0, message = new { role = "assistant", content, refusal = (string?)null }, logprobs = (object?)null, finish_reason = finish } },
        usage = new
        {
            prompt_tokens = 412,
            completion_tokens = 31,
            total_tokens = 443,
            prompt_tokens_details = new { cached_tokens = 256, audio_tokens = 0 },
            completion_tokens_details = new { reasoning_tokens = 0 },
        },
        service_tier = "default",
        system_fingerprint = (string?)null,
    });
}
