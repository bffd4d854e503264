using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Voxbase.LiveKit;

namespace Voxbase.AspNetCore.Tests;

/// <summary>
/// LiveKit's room service and egress as they answer on the wire: Twirp in JSON, grants asked for, 64-bit numbers in quotes, zeros left
/// out. Fails as it is told.
/// </summary>
internal sealed class FakeLiveKit : IAsyncDisposable
{
    public const string Key = "devkey";
    public const string Secret = "secretsecretsecretsecretsecret32";

    private readonly WebApplication app;
    private readonly LiveKitTokens tokens = new(new VoxbaseOptions { LiveKit = { ApiKey = Key, ApiSecret = Secret } }, TimeProvider.System);
    private int made;

    private FakeLiveKit(WebApplication app) => this.app = app;

    public string Url => app.Urls.First();

    /// <summary>Rooms by name.</summary>
    public ConcurrentDictionary<string, JsonObject> Rooms { get; } = new();

    /// <summary>Participants by room.</summary>
    public ConcurrentDictionary<string, ConcurrentDictionary<string, JsonObject>> Participants { get; } = new();

    public ConcurrentDictionary<string, JsonObject> Egresses { get; } = new();

    /// <summary>What was asked: the method and its body.</summary>
    public ConcurrentQueue<(string Method, JsonElement Body)> Asked { get; } = new();

    /// <summary>Asked before anything is done. Answers in its place when it answers something.</summary>
    public Func<string, Task<(int Status, string Body)?>> Before { get; set; } = _ => Task.FromResult<(int, string)?>(null);

    /// <summary>Asked after it was done: the answer gets lost and another comes.</summary>
    public Func<string, Task<(int Status, string Body)?>> After { get; set; } = _ => Task.FromResult<(int, string)?>(null);

    public int Count(string method) => Asked.Count(a => a.Method == method);

    public async Task UntilAsync(Func<FakeLiveKit, bool> condition)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (!condition(this))
            await Task.Delay(10, patience.Token);
    }

    public static async Task<FakeLiveKit> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var fake = new FakeLiveKit(app);
        app.MapPost("/twirp/{service}/{method}", fake.AnswerAsync);
        await app.StartAsync();
        return fake;
    }

    public void Configure(VoxbaseOptions options)
    {
        (options.LiveKit.Url, options.LiveKit.ApiKey, options.LiveKit.ApiSecret) = (Url.Replace("http", "ws", StringComparison.Ordinal), Key, Secret);
        options.LiveKit.RetryDelay = TimeSpan.FromMilliseconds(1);
        // However busy the machine: a request that times out is tried again, and tests count.
        options.LiveKit.RequestTimeout = TimeSpan.FromMinutes(1);
        options.LiveKit.ReconcileEvery = TimeSpan.Zero;
    }

    /// <summary>Somebody joins.</summary>
    public void Join(string room, string identity, string sid) => (Participants.GetOrAdd(room, _ => new()))[identity] = new JsonObject
    {
        ["sid"] = sid,
        ["identity"] = identity,
        ["state"] = "ACTIVE",
        ["joinedAt"] = DateTimeOffset.UtcNow.ToUnixTimeSeconds().ToString(),
        ["kind"] = "STANDARD",
    };

    public async ValueTask DisposeAsync()
    {
        await app.StopAsync();
        await app.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var service = (string)context.Request.RouteValues["service"]!;
        var method = (string)context.Request.RouteValues["method"]!;
        using var document = await JsonDocument.ParseAsync(context.Request.Body);
        var body = document.RootElement.Clone();
        Asked.Enqueue((method, body));
        if (await Before(method) is { } instead)
        {
            await WriteAsync(context, instead.Status, instead.Body);
            return;
        }

        var (status, answer) = Do(service, method, body, context.Request.Headers.Authorization.ToString());
        if (await After(method) is { } lost)
            (status, answer) = (lost.Status, lost.Body);
        await WriteAsync(context, status, answer);
    }

    private (int Status, string Body) Do(string service, string method, JsonElement body, string authorization)
    {
        JsonElement grants;
        try
        {
            grants = tokens.Verify(authorization.Replace("Bearer ", "", StringComparison.Ordinal)).GetProperty("video");
        }
        catch (VoxbaseException)
        {
            return Error(401, "unauthenticated");
        }

        var room = LiveKitJson.Text(body, "room") ?? LiveKitJson.Text(body, "roomName") ?? LiveKitJson.Text(body, "name");
        var isAllowed = (service, method) switch
        {
            ("livekit.RoomService", "CreateRoom" or "DeleteRoom") => LiveKitJson.Flag(grants, "roomCreate"),
            ("livekit.RoomService", "ListRooms") => LiveKitJson.Flag(grants, "roomList"),
            ("livekit.RoomService", _) => LiveKitJson.Flag(grants, "roomAdmin") && LiveKitJson.Text(grants, "room") == room,
            _ => LiveKitJson.Flag(grants, "roomRecord"),
        };
        if (!isAllowed)
            return Error(403, "permission_denied");
        switch (method)
        {
            case "CreateRoom":
                return (200, Rooms.GetOrAdd(room!, name => new JsonObject
                {
                    ["sid"] = $"RM_fake{Interlocked.Increment(ref made)}_{Guid.NewGuid():n}"[..24],
                    ["name"] = name,
                    ["emptyTimeout"] = (int)(LiveKitJson.Integer(body, "emptyTimeout") ?? 0),
                    ["creationTime"] = DateTimeOffset.UtcNow.ToUnixTimeSeconds().ToString(),
                    ["turnPassword"] = "hush",
                    ["metadata"] = LiveKitJson.Text(body, "metadata") ?? "",
                }).ToJsonString());
            case "ListRooms":
                var names = LiveKitJson.Items(body, "names").Select(name => name.GetString()).ToHashSet();
                return (200, new JsonObject { ["rooms"] = new JsonArray([.. Rooms.Where(r => names.Count == 0 || names.Contains(r.Key)).Select(r => r.Value.DeepClone())]) }.ToJsonString());
            case "DeleteRoom":
                Participants.TryRemove(room!, out _);
                return Rooms.TryRemove(room!, out _) ? (200, "{}") : Error(404, "not_found");
            case "ListParticipants":
                return Rooms.ContainsKey(room!)
                    ? (200, new JsonObject { ["participants"] = new JsonArray([.. Participants.GetValueOrDefault(room!, []).Values.Select(p => p.DeepClone())]) }.ToJsonString())
                    : Error(404, "not_found");
            case "RemoveParticipant":
                return Participants.TryGetValue(room!, out var present) && present.TryRemove(LiveKitJson.Text(body, "identity")!, out _) ? (200, "{}") : Error(404, "not_found");
            case "SendData":
                return Rooms.ContainsKey(room!) ? (200, "{}") : Error(404, "not_found");
            case "StartRoomCompositeEgress":
                if (!Rooms.TryGetValue(room!, out var recorded))
                    return Error(404, "not_found");
                var egress = new JsonObject { ["egressId"] = $"EG_{Interlocked.Increment(ref made)}", ["roomName"] = room, ["roomId"] = recorded["sid"]!.DeepClone(), ["status"] = "EGRESS_STARTING", ["startedAt"] = "0" };
                Egresses[(string)egress["egressId"]!] = egress;
                return (200, egress.ToJsonString());
            case "ListEgress":
                var id = LiveKitJson.Text(body, "egressId");
                return (200, new JsonObject { ["items"] = new JsonArray([.. Egresses.Values.Where(e => id is null ? room is null || (string?)e["roomName"] == room : (string?)e["egressId"] == id).Select(e => e.DeepClone())]) }.ToJsonString());
            case "StopEgress":
                if (!Egresses.TryGetValue(LiveKitJson.Text(body, "egressId")!, out var known))
                    return Error(404, "not_found");
                if ((string?)known["status"] == "EGRESS_COMPLETE")
                    return Error(412, "failed_precondition");
                known["status"] = "EGRESS_COMPLETE";
                return (200, known.ToJsonString());
            default:
                return Error(404, "bad_route");
        }
    }

    public static (int Status, string Body) Error(int status, string code) => (status, $$"""{"code":"{{code}}","msg":"no"}""");

    private static Task WriteAsync(HttpContext context, int status, string body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(body);
    }
}
