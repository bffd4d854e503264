using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Voxbase.LiveKit;

/// <summary>One event about a room: a webhook's, or what was found when LiveKit was asked (<see cref="Reconciled"/>).</summary>
/// <param name="Key">Identifies it, however often it is delivered.</param>
/// <param name="Type">Its name, for example <c>participant_joined</c>.</param>
/// <param name="Id">LiveKit's id of it.</param>
/// <param name="At">When it happened, to the second.</param>
/// <param name="Body">The whole of it.</param>
internal sealed record LiveKitEvent(Guid Key, string Type, string? Id, DateTimeOffset? At, JsonElement Body)
{
    /// <summary>Type of an event that LiveKit did not send: what its API answered.</summary>
    public const string Reconciled = "voxbase.reconciled";

    private const int MaxTypeLength = 64;

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 64 };

    private static readonly string[] Parts = ["room", "participant", "track", "egressInfo", "ingressInfo", "job"];

    /// <summary>The room that it is about; either may be missing.</summary>
    public (string? Sid, string? Name) Room
    {
        get
        {
            var (sid, name) = Of("room", "sid", "name");
            foreach (var part in (ReadOnlySpan<(string Name, string Sid)>)[("egressInfo", "roomId"), ("ingressInfo", "")])
            {
                var info = LiveKitJson.Object(Body, part.Name);
                sid ??= part.Sid.Length == 0 ? null : LiveKitJson.Text(info, part.Sid);
                name ??= LiveKitJson.Text(info, "roomName");
            }

            var ofJob = LiveKitJson.Object(LiveKitJson.Object(Body, "job"), "room");
            return (sid ?? LiveKitJson.Text(ofJob, "sid"), name ?? LiveKitJson.Text(ofJob, "name"));
        }
    }

    /// <summary>Reads an event as it was kept.</summary>
    public static LiveKitEvent Of(Guid key, string payload)
    {
        using var document = JsonDocument.Parse(payload, Options);
        var body = document.RootElement.Clone();
        return new LiveKitEvent(
            key, LiveKitJson.Text(body, "event") is { Length: <= MaxTypeLength } type ? type : "(none)", LiveKitJson.Text(body, "id"),
            LiveKitJson.Time(body, "createdAt"), body);
    }

    /// <summary>
    /// Takes a signed body in. Its key follows from LiveKit's id, else from its bytes; secrets in it are taken out, and otherwise it stays
    /// as it is to the letter.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>livekit_webhook_invalid</c>.</exception>
    public static (LiveKitEvent Event, string Payload) Accept(ReadOnlySpan<byte> body)
    {
        string text;
        JsonNode? node;
        try
        {
            text = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(body);
            // Names given twice are told here: one reader takes the first, another the last.
            node = JsonNode.Parse(text, documentOptions: new JsonDocumentOptions { MaxDepth = 64, AllowDuplicateProperties = false });
        }
        catch (Exception e) when (e is JsonException or DecoderFallbackException)
        {
            throw LiveKitErrors.WebhookInvalid.With("The body is not a JSON object in UTF-8.", inner: e);
        }

        if (node is not JsonObject fields)
            throw LiveKitErrors.WebhookInvalid.With("The body is not a JSON object.");
        if (!LiveKitJson.TryParse(text, out var whole) || !LiveKitJson.IsText(whole))
            throw LiveKitErrors.WebhookInvalid.With("The body holds half of a surrogate pair.");
        if (LiveKitSecrets.Remove(fields))
            text = fields.ToJsonString();
        var read = Of(default, text);
        if (read.Type == "(none)" || read.Type == Reconciled)
            throw LiveKitErrors.WebhookInvalid.With($"event must be a name of 1 to {MaxTypeLength} characters.");
        foreach (var part in Parts)
        {
            if (LiveKitJson.Find(read.Body, part, out var value) && value.ValueKind != JsonValueKind.Object)
                throw LiveKitErrors.WebhookInvalid.With($"{part} must be an object.");
        }

        foreach (var name in (ReadOnlySpan<string>)["createdAt", "numDropped"])
        {
            if (LiveKitJson.Find(read.Body, name, out _) && LiveKitJson.Integer(read.Body, name) is null)
                throw LiveKitErrors.WebhookInvalid.With($"{name} must be a whole number.");
        }

        if (LiveKitJson.Find(read.Body, "id", out var id) && id.ValueKind != JsonValueKind.String)
            throw LiveKitErrors.WebhookInvalid.With("id must be a text.");
        return (read with { Key = read.Id is { } known ? KeyOf($"event:{known}") : KeyOf(body) }, text);
    }

    /// <summary>A key of what is named.</summary>
    public static Guid KeyOf(string name) => KeyOf(Encoding.UTF8.GetBytes(name));

    /// <summary>A key of bytes.</summary>
    public static Guid KeyOf(ReadOnlySpan<byte> bytes) => new(SHA256.HashData(bytes).AsSpan(0, 16), bigEndian: true);

    private (string? Sid, string? Name) Of(string part, string sid, string name)
    {
        var room = LiveKitJson.Object(Body, part);
        return (LiveKitJson.Text(room, sid), LiveKitJson.Text(room, name));
    }
}
