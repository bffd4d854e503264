using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Voxbase.Testing;

namespace Voxbase.AspNetCore.Tests;

/// <summary>Voxbase in an application on a real port, over a database of one test.</summary>
internal sealed class Api : IAsyncDisposable
{
    public const string Secret = "a secret for tests that is long enough";

    private readonly WebApplication app;

    private Api(WebApplication app, TestDatabase database, Logs logs) => (this.app, Database, Logs) = (app, database, logs);

    public TestDatabase Database { get; }

    public Logs Logs { get; }

    public IServiceProvider Services => app.Services;

    public Tokens Tokens => app.Services.GetRequiredService<Tokens>();

    public T Get<T>()
        where T : notnull => app.Services.GetRequiredService<T>();

    public Uri Url => new(app.Urls.First());

    public static async Task<Api> StartAsync(TestCluster cluster, Action<VoxbaseOptions>? configure = null, string? connectionString = null)
    {
        var database = connectionString is null ? await cluster.CreateDatabaseAsync() : new TestDatabase(connectionString);
        var logs = new Logs();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Logging.AddProvider(logs);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Services.AddVoxbase(options =>
        {
            options.Database = database.ConnectionString;
            options.MigrateAtStart = false;
            options.Tokens.Secret = Secret;
            options.Recording.SpoolFolder = database.Options.Recording.SpoolFolder;
            configure?.Invoke(options);
        });
        builder.Services.AddVoxbaseHttp();
        // What the migration's start does needs a database; a test may do without.
        if (connectionString is not null)
            builder.Services.Remove(builder.Services.First(service => service.ImplementationType?.Name == "MigrationAtStart"));
        var app = builder.Build();
        app.MapVoxbase();
        app.MapFallback(VoxbaseEndpoints.PathNotFoundAsync);
        await app.StartAsync();
        return new Api(app, database, logs);
    }

    /// <summary>A client that sends the token of a caller, or none.</summary>
    public Client As(Caller? caller) => new(
        Url, caller is null ? null : Tokens.Mint(caller.Role, caller.UserId));

    public Client AsToken(string token) => new(Url, token);

    public Task StopAsync() => app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        var hasFed = Get<Feed>().Health.Slot is not null;
        await app.DisposeAsync();
        if (hasFed)
            await Database.DropSlotsAsync();
        await Database.DisposeAsync();
    }
}

/// <summary>What a server answered.</summary>
internal sealed record Answer(int Status, JsonElement Body, HttpResponseMessage Response)
{
    public string? Code => Body.ValueKind == JsonValueKind.Object && Body.TryGetProperty("code", out var code) ? code.GetString() : null;

    public string Message => Body.GetProperty("message").GetString()!;

    public JsonElement this[string name] => Body.GetProperty(name);

    public Guid Id => this["id"].GetGuid();

    public Answer ShouldBe(int status)
    {
        Status.ShouldBe(status, Body.ToString());
        return this;
    }

    /// <summary>An error of this status and code, in the one shape that errors have.</summary>
    public Answer ShouldFail(int status, string code)
    {
        (Status, Code).ShouldBe((status, code), Body.ToString());
        Body.EnumerateObject().Select(p => p.Name).ShouldBe(["code", "message", "details", "hint"]);
        Message.ShouldNotBeNullOrWhiteSpace();
        Message.ShouldNotContain("Voxbase.", Case.Sensitive, "no type names");
        this["hint"].GetString().ShouldNotBeNullOrWhiteSpace();
        return this;
    }
}

internal sealed class Client : IDisposable
{
    private readonly HttpClient http;

    public Client(Uri url, string? token)
    {
        http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = url, Timeout = TimeSpan.FromSeconds(60) };
        if (token is not null)
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public HttpRequestHeaders Headers => http.DefaultRequestHeaders;

    public Task<Answer> GetAsync(string path) => SendAsync(new HttpRequestMessage(HttpMethod.Get, path));

    public Task<Answer> PostAsync(string path, string? json = null) => SendAsync(HttpMethod.Post, path, json);

    public Task<Answer> PutAsync(string path, string? json = null) => SendAsync(HttpMethod.Put, path, json);

    public Task<Answer> SendAsync(HttpMethod method, string path, string? json = null) => SendAsync(new HttpRequestMessage(method, path)
    {
        Content = json is null ? null : new StringContent(json, Encoding.UTF8, "application/json"),
    });

    public Task<Answer> PostAsync(string path, HttpContent content) => SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = content });

    public async Task<Answer> SendAsync(HttpRequestMessage request)
    {
        using (request)
        {
            var response = await http.SendAsync(request, Cancel);
            var text = await response.Content.ReadAsStringAsync(Cancel);
            return new Answer((int)response.StatusCode, text.Length == 0 ? default : JsonElement.Parse(text), response);
        }
    }

    public async Task<Guid> StartAsync(string json = """{"kind":"call"}""") => (await PostAsync("/v1/conversations", json)).ShouldBe(201).Id;

    public void Dispose() => http.Dispose();
}

/// <summary>Everything that was logged.</summary>
internal sealed class Logs : ILoggerProvider, ILogger
{
    private readonly ConcurrentQueue<(LogLevel Level, string Text)> lines = new();

    public IEnumerable<string> From(LogLevel level) => lines.Where(line => line.Level >= level).Select(line => line.Text);

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        lines.Enqueue((logLevel, $"{formatter(state, exception)} {exception}"));

    public void Dispose()
    {
    }
}
