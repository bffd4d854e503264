using System.Text.Json;

namespace Voxbase.AspNetCore;

/// <summary>The two protocols of Phoenix's sockets.</summary>
internal enum PhoenixVersion
{
    /// <summary>1.0.0: objects, text alone.</summary>
    V1,

    /// <summary>2.0.0: arrays, and binary frames for broadcasts.</summary>
    V2,
}

/// <summary>A message of a client.</summary>
/// <param name="JoinRef">Which join of the topic it belongs to, as JSON; null for none.</param>
/// <param name="Ref">What a reply answers to, as JSON; null for none.</param>
/// <param name="Topic">The topic, with its prefix.</param>
/// <param name="Event">What it asks for.</param>
/// <param name="Payload">Undefined for a binary broadcast.</param>
/// <param name="Pushed">The broadcast of a binary frame.</param>
internal sealed record PhoenixMessage(string? JoinRef, string? Ref, string Topic, string Event, JsonElement Payload, PushedBroadcast? Pushed = null);

/// <summary>A broadcast that came as a binary frame.</summary>
/// <param name="Name">The event's name.</param>
/// <param name="Payload">JSON or bytes.</param>
/// <param name="IsBinary">Which.</param>
internal sealed record PushedBroadcast(string Name, ReadOnlyMemory<byte> Payload, bool IsBinary);

/// <summary>A frame for a client. Shared between all who get the same.</summary>
internal sealed record PhoenixFrame(ReadOnlyMemory<byte> Bytes, bool IsText)
{
    /// <summary>What a protocol has no form for.</summary>
    public static PhoenixFrame None { get; } = new(default, IsText: true);
}
