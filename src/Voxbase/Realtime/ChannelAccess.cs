using Voxbase.Data;

namespace Voxbase.Realtime;

/// <summary>What a caller may do in a channel.</summary>
/// <param name="BroadcastRead">Hear messages.</param>
/// <param name="BroadcastWrite">Send messages.</param>
/// <param name="PresenceRead">See who is present.</param>
/// <param name="PresenceWrite">Be present.</param>
public readonly record struct ChannelRights(bool BroadcastRead, bool BroadcastWrite, bool PresenceRead, bool PresenceWrite)
{
    /// <summary>A public channel: anyone with a key.</summary>
    public static ChannelRights All { get; } = new(true, true, true, true);

    /// <summary>Whether there is anything to join for.</summary>
    public bool MayJoin => BroadcastRead || PresenceRead;
}

/// <summary>
/// Asks the policies of <c>realtime.messages</c>, the only gate of private channels, what a caller may do: a message of the topic is inserted, looked for
/// and inserted again as the caller, and everything is undone.
/// </summary>
public sealed class ChannelAccess(Database database)
{
    internal const string AskSql =
        """
        select broadcast_read, broadcast_write, presence_read, presence_write from vox_private.channel_access($1, $2, $3, $4)
        """;

    /// <summary>Asks; nothing of it stays. A policy that raises means no.</summary>
    /// <param name="caller">Who asks.</param>
    /// <param name="topic">The topic's name.</param>
    /// <param name="headers">The request's headers as a JSON object, for policies that look at them.</param>
    /// <param name="cancellationToken">Stops asking.</param>
    public Task<ChannelRights> AskAsync(Caller caller, string topic, string headers, CancellationToken cancellationToken) =>
        database.RunAsync(
            // The function goes on as the caller: from the service it may.
            Caller.Service,
            [new Statement(AskSql, Parameter.Text(topic), Parameter.Text(caller.Role), Parameter.Json(caller.Claims), Parameter.Text(headers))],
            static async (results, ct) =>
            {
                await results.ReadAsync(ct);
                return new ChannelRights(results.GetBoolean(0), results.GetBoolean(1), results.GetBoolean(2), results.GetBoolean(3));
            },
            cancellationToken);
}
