using System.Text;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using Voxbase.Data;

namespace Voxbase.Realtime;

/// <summary>Messages that were sent from the database, as long as they are kept.</summary>
public sealed class ChannelMessages(Database database, VoxbaseOptions options, TimeProvider time)
{
    /// <summary>How many messages are told again at most.</summary>
    public const int MaxReplayed = 25;

    internal const string ReplaySql =
        """
        select m.id, m.event, m.payload::text, m.binary_payload
        from realtime.messages m
        where m.topic = $1 and m.extension = 'broadcast' and m.private and m.inserted_at > $2 at time zone 'utc'
        order by m.inserted_at desc
        limit $3
        """;

    internal const string KeepDaysSql =
        """
        select vox_private.keep_message_days($1, $2)
        """;

    /// <summary>Makes the partitions of the days to come and drops what is older than <see cref="ChannelsOptions.MessageRetention"/>; returns how many partitions changed.</summary>
    public Task<int> RunOnceAsync(CancellationToken cancellationToken = default) =>
        database.RunAsync(
            Caller.Service,
            [new Statement(KeepDaysSql, Parameter.Integer((int)Math.Ceiling(options.Channels.MessageRetention.TotalDays)), Parameter.Integer(3))],
            static async (results, ct) => await results.ReadAsync(ct) ? results.GetInt32(0) : 0,
            cancellationToken);

    /// <summary>
    /// The newest messages of a private channel since a moment, the oldest of them first. Passes the policies: whether the caller may listen is asked before.
    /// </summary>
    public Task<List<Broadcast>> ReplayAsServiceAsync(string topic, DateTimeOffset since, int limit, CancellationToken cancellationToken)
    {
        // What is older is gone, and partitions of days that nobody asks for need not be looked at.
        var oldest = time.GetUtcNow() - options.Channels.MessageRetention;
        return database.RunAsync(
            Caller.Service,
            [new Statement(ReplaySql, Parameter.Text(topic), Parameter.Time(since < oldest ? oldest : since), Parameter.Integer(Math.Clamp(limit, 1, MaxReplayed)))],
            static async (results, ct) =>
            {
                var messages = new List<Broadcast>();
                while (await results.ReadAsync(ct))
                {
                    if (await ReadAsync(results, ct) is { } message)
                        messages.Add(message);
                }

                messages.Reverse();
                return messages;
            },
            cancellationToken);
    }

    private static async Task<Broadcast?> ReadAsync(NpgsqlDataReader row, CancellationToken cancellationToken)
    {
        var (id, name) = (row.GetGuid(0), await row.IsDBNullAsync(1, cancellationToken) ? "" : row.GetString(1));
        if (!await row.IsDBNullAsync(2, cancellationToken))
            return Broadcast.Stored(name, Encoding.UTF8.GetBytes(row.GetString(2)), isBinary: false, id, isReplayed: true);
        return await row.IsDBNullAsync(3, cancellationToken)
            ? null
            : Broadcast.Stored(name, row.GetFieldValue<byte[]>(3), isBinary: true, id, isReplayed: true);
    }
}

/// <summary>Runs <see cref="ChannelMessages.RunOnceAsync"/> at the start and every hour.</summary>
internal sealed class MessageDaysJob(ChannelMessages messages, TimeProvider time, ILogger<MessageDaysJob> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromHours(1), time);
        do
        {
            try
            {
                await messages.RunOnceAsync(stoppingToken);
            }
            catch (VoxbaseException e)
            {
                Log.MessageDaysFailed(logger, e.Code);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }
}
