using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Voxbase.Tests.Alerting;

/// <summary>Somebody's server that webhooks are posted to.</summary>
internal sealed class Receiver : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ConcurrentQueue<Received> received;

    private Receiver(WebApplication app, ConcurrentQueue<Received> received) => (this.app, this.received) = (app, received);

    public string Url => app.Urls.First() + "/hook";

    public IReadOnlyList<Received> Received => [.. received];

    /// <param name="answer">The status for the n-th request, from 1 on.</param>
    public static async Task<Receiver> StartAsync(Func<int, int>? answer = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var received = new ConcurrentQueue<Received>();
        app.MapPost("/{**path}", async (HttpContext context) =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            lock (received)
            {
                received.Enqueue(new Received(
                    context.Request.Headers.ToDictionary(header => header.Key.ToLowerInvariant(), header => header.Value.ToString()), body.ToArray()));
                context.Response.StatusCode = answer?.Invoke(received.Count) ?? 204;
            }

            if (context.Response.StatusCode is >= 300 and < 400)
                context.Response.Headers.Location = "/elsewhere";
        });
        await app.StartAsync();
        return new Receiver(app, received);
    }

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
    }
}

/// <summary>One request.</summary>
internal sealed record Received(Dictionary<string, string> Headers, byte[] Body)
{
    public JsonElement Json => JsonElement.Parse(Body);

    public string Id => Headers["webhook-id"];

    public string Type => Json.GetProperty("type").GetString()!;
}
