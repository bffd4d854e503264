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

    internal const string NamedTablesSql =
        """
        select distinct n.nspname::text, c.relname::text
        from pg_catalog.pg_policy p
        join pg_catalog.pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_class'::regclass and d.refobjid <> p.polrelid
        join pg_catalog.pg_class c on c.oid = d.refobjid
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        join pg_catalog.pg_publication_tables t on t.pubname = 'voxbase_feed' and t.schemaname = n.nspname and t.tablename = c.relname
        where p.polrelid = 'realtime.messages'::regclass and n.nspname <> 'vox'
        """;

    /// <summary>The tables outside of <c>vox</c> that the policies name and the feed publishes.</summary>
    internal Task<List<(string Schema, string Table)>> NamedTablesAsync(CancellationToken cancellationToken) =>
        database.RunAsync(
            Caller.Service,
            [new Statement(NamedTablesSql)],
            static async (results, ct) =>
            {
                var tables = new List<(string, string)>();
                while (await results.ReadAsync(ct))
                    tables.Add((results.GetString(0), results.GetString(1)));
                return tables;
            },
            cancellationToken);

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
