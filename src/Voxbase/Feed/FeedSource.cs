using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging;
using Npgsql;
using Npgsql.Replication;
using Npgsql.Replication.Internal;
using Npgsql.Replication.PgOutput;
using NpgsqlTypes;
using Voxbase.Data;

namespace Voxbase;

/// <summary>
/// Follows the database's write-ahead log into the <see cref="FeedLog"/>: one logical replication connection and one permanent slot per server. What the log still holds
/// is not acknowledged, so that a new process gets it again.
/// </summary>
internal sealed class FeedSource(Database database, VoxbaseOptions options, FeedLog log, TimeProvider time, FeedMetrics metrics, ILogger logger)
{
    internal const string SetupSql = "select vox_private.feed_setup()";

    internal const string SeenSql = "select vox_private.feed_seen($1, $2)";

    internal const string MarkSql = "select vox_private.feed_mark()::text";

    internal const string AbandonedSql = "select vox_private.feed_abandoned($1, $2)";

    internal const string ServerSql =
        """
        select current_setting('wal_level'), r.rolreplication or r.rolsuper, (select d.oid::bigint from pg_catalog.pg_database d where d.datname = current_database())
        from pg_catalog.pg_roles r
        where r.rolname = session_user
        """;

    internal const string SlotSql =
        """
        select s.active, coalesce(s.wal_status, 'lost'), (s.confirmed_flush_lsn - '0/0'::pg_lsn)::numeric, coalesce(pg_current_wal_lsn() - s.restart_lsn, 0)::numeric
        from pg_catalog.pg_replication_slots s
        where s.slot_name = $1 and s.database = current_database()
        """;

    internal const string CurrentSql =
        """
        select (pg_current_wal_lsn() - '0/0'::pg_lsn)::numeric
        """;

    internal const string DropSql =
        """
        select pg_drop_replication_slot(s.slot_name) from pg_catalog.pg_replication_slots s where s.slot_name = $1 and not s.active
        """;

    private const int MaxNames = 8;
    private const int MegaByte = 1024 * 1024;

    // A log that moves by less is not worth a mark: the mark itself moves it.
    private const ulong MarkEvery = 256 * 1024;

    private static readonly TimeSpan Upkeep = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan SlotPatience = TimeSpan.FromSeconds(15);

    private readonly TaskCompletionSource began = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long retained;

    public FeedState State { get; private set; } = FeedState.Starting;

    public string? Reason { get; private set; }

    public string? Slot { get; private set; }

    public long RetainedBytes => Volatile.Read(ref retained);

    /// <summary>When it follows the log for the first time.</summary>
    public Task Began => began.Task;

    /// <summary>Told what servers tell each other, in the log's order.</summary>
    public Action<ReadOnlyMemory<byte>>? Heard { get; set; }

    /// <summary>Told when it is turned off by the database's settings, and why.</summary>
    public Action<VoxbaseException>? TurnedOff { get; set; }

    /// <summary>The name of this server's slots in a database, but for a number.</summary>
    public static string PrefixOf(long databaseOid) => string.Create(CultureInfo.InvariantCulture, $"voxbase_{databaseOid}_");

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var delay = TimeSpan.FromMilliseconds(50);
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await FollowAsync(() => delay = TimeSpan.FromMilliseconds(50), cancellationToken);
            }
            catch (VoxbaseException e) when (e.Error == FeedErrors.Off)
            {
                if (State != FeedState.Off)
                    Log.FeedIsOff(logger, e.Message);
                (State, Reason) = (FeedState.Off, e.Message);
                TurnedOff?.Invoke(e);
                delay = TimeSpan.FromSeconds(30);
            }
            catch (SlotGivenUpException)
            {
                State = FeedState.Starting;
                continue;
            }
            catch (Exception) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                State = FeedState.Lost;
                // One that nobody thought of must not end the feed, which would say no more and look well.
                if (e is not (VoxbaseException or NpgsqlException or IOException or InvalidOperationException or TimeoutException or OperationCanceledException))
                    Log.FeedFaulted(logger, e);
                Log.FeedLost(logger, (e as PostgresException)?.SqlState ?? (e as VoxbaseException)?.Code ?? e.GetType().Name, log.End);
            }

            await Task.Delay(delay, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            delay = delay * 2 < TimeSpan.FromSeconds(3) ? delay * 2 : TimeSpan.FromSeconds(3);
        }
    }

    private async Task FollowAsync(Action connected, CancellationToken cancellationToken)
    {
        await using var control = await database.OpenApartWithoutCallerAsync("set lock_timeout = '10s'", cancellationToken);
        var (level, mayReplicate, databaseOid) = await ServerAsync(control, cancellationToken);
        if (level != "logical")
            throw FeedErrors.Off.With($"wal_level is '{level}'. Run `alter system set wal_level = logical` and restart PostgreSQL.");
        if (!mayReplicate)
        {
            var login = new NpgsqlConnectionStringBuilder(control.ConnectionString).Username;
            throw FeedErrors.Off.With($"The login may not replicate. Run `alter role \"{login}\" replication`.");
        }

        await database.RunAsync(Caller.Service, [new Statement(SetupSql)], cancellationToken);
        await using var stream = database.CreateReplicationConnection(control.Host!, control.Port);
        stream.WalReceiverStatusInterval = TimeSpan.FromSeconds(2);
        await stream.Open(cancellationToken);
        var system = await stream.IdentifySystem(cancellationToken);
        var epoch = BitConverter.ToUInt32(SHA256.HashData(Encoding.UTF8.GetBytes($"{system.SystemId}/{databaseOid}")));
        var prefix = PrefixOf(databaseOid);
        var slot = await ClaimAsync(control, stream, prefix, epoch, cancellationToken);
        await database.RunAsync(Caller.Service, [new Statement(SeenSql, Parameter.Text(slot), Parameter.Text(ServerName))], cancellationToken);

        Log.FeedReads(logger, slot, log.End);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var reading = ReadAsync(stream, slot, epoch, ending.Token);
        (Reason, Slot) = (null, slot);
        connected();
        var keeping = KeepAsync(control, stream, slot, prefix, ending.Token);
        var catchingUp = CatchUpAsync(epoch, ending.Token);
        var first = await Task.WhenAny(reading, keeping, catchingUp);
        if (first == catchingUp && catchingUp.IsCompletedSuccessfully)
            first = await Task.WhenAny(reading, keeping);
        await ending.CancelAsync();
        await Task.WhenAll(reading, keeping, catchingUp).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await stream.DisposeAsync();
        try
        {
            await first;
        }
        catch (SlotGivenUpException)
        {
            await DropAsync(control, slot, cancellationToken);
            log.Reset(default);
            throw;
        }
    }

    // A process that starts anew is sent all that its last one still held. That is for those who come back with a position; for all others "now" is behind it.
    private async Task CatchUpAsync(uint epoch, CancellationToken cancellationToken)
    {
        var mark = await database.RunAsync(
            Caller.Service, [new Statement(MarkSql)], static async (row, ct) => await row.ReadAsync(ct) ? NpgsqlLogSequenceNumber.Parse(row.GetString(0)) : default, cancellationToken);
        await log.WaitAsync(new FeedPosition(epoch, (ulong)mark, 0), cancellationToken);
        State = FeedState.Running;
        began.TrySetResult();
    }

    private string ServerName => options.Feed.ServerName ?? Environment.MachineName;

    private static async Task<(string Level, bool MayReplicate, long Database)> ServerAsync(NpgsqlConnection control, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(ServerSql, control);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        await row.ReadAsync(cancellationToken);
        return (row.GetString(0), row.GetBoolean(1), row.GetInt64(2));
    }

    // This server's own slot where it is free; while another process reads it (our own last one, not quite gone, or a second server of the same name), a while
    // of waiting, and then the next name.
    private async Task<string> ClaimAsync(
        NpgsqlConnection control, LogicalReplicationConnection stream, string prefix, uint epoch, CancellationToken cancellationToken)
    {
        for (var number = 1; number <= MaxNames; number++)
        {
            var slot = SlotOf(prefix, ServerName, number);
            var since = time.GetTimestamp();
            var isTold = false;
            while (await SlotAsync(control, slot, cancellationToken) is var found)
            {
                if (found is null)
                {
                    var made = await CreateAsync(stream, slot, cancellationToken);
                    log.Reset(new FeedPosition(epoch, made, FeedPosition.WholeTransaction));
                    return slot;
                }

                if (found is { Status: "lost", IsActive: false })
                {
                    Log.FeedSlotGivenUp(logger, slot, found.Retained / MegaByte);
                    await DropAsync(control, slot, cancellationToken);
                    continue;
                }

                if (!found.IsActive)
                {
                    // The same process goes on where it was; a new one begins where the last had let go.
                    if (log.End.Commit < found.Confirmed || log.End.Epoch != epoch)
                        log.Reset(new FeedPosition(epoch, found.Confirmed, FeedPosition.WholeTransaction));
                    return slot;
                }

                if (time.GetElapsedTime(since) > SlotPatience)
                    break;
                if (!isTold)
                    Log.FeedSlotBusy(logger, slot);
                isTold = true;
                await Task.Delay(TimeSpan.FromMilliseconds(100), time, cancellationToken);
            }
        }

        throw FeedErrors.Unavailable.With($"All {MaxNames} slots of the server '{ServerName}' are in use. Give each server a Feed.ServerName of its own.");
    }

    private static async Task<ulong> CreateAsync(LogicalReplicationConnection stream, string slot, CancellationToken cancellationToken)
    {
        try
        {
            var made = await stream.CreateLogicalReplicationSlot(slot, "pgoutput", slotSnapshotInitMode: LogicalSlotSnapshotInitMode.NoExport, cancellationToken: cancellationToken);
            return (ulong)made.ConsistentPoint;
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.ConfigurationLimitExceeded or PostgresErrorCodes.TooManyConnections)
        {
            throw FeedErrors.Off.With("No replication slot is free. Raise max_replication_slots and restart PostgreSQL, or drop slots that nobody reads.", inner: e);
        }
    }

    /// <summary>The name of a slot: lower case letters, digits and underscores, at most 63; a long server name is shortened to its hash.</summary>
    public static string SlotOf(string prefix, string server, int number)
    {
        var suffix = number == 1 ? "" : string.Create(CultureInfo.InvariantCulture, $"_{number}");
        var name = string.Concat(server.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '_'));
        // Two names may come to the same letters: what was changed or is too long carries a hash of the name itself.
        if (name != server || prefix.Length + name.Length + suffix.Length > 63)
        {
            var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(server)))[..8];
            name = name[..Math.Min(name.Length, 63 - prefix.Length - suffix.Length - 9)] + "_" + hash;
        }

        return prefix + name + suffix;
    }

    private static async Task<SlotStatus?> SlotAsync(NpgsqlConnection control, string slot, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(SlotSql, control) { Parameters = { Parameter.Text(slot) } };
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken)
            ? new SlotStatus(row.GetBoolean(0), row.GetString(1), row.IsDBNull(2) ? 0 : (ulong)row.GetDecimal(2), (long)row.GetDecimal(3))
            : null;
    }

    private static async Task DropAsync(NpgsqlConnection control, string slot, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(DropSql, control) { Parameters = { Parameter.Text(slot) } };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private async Task ReadAsync(LogicalReplicationConnection stream, string slot, uint epoch, CancellationToken cancellationToken)
    {
        var reader = new WalReader(epoch);
        var messages = stream.StartLogicalReplication(
            new PgOutputReplicationSlot(slot),
            cancellationToken,
            new NpgsqlLogSequenceNumber(log.End.Commit),
            [new("proto_version", "1"), new("publication_names", "\"voxbase_feed\""), new("messages", "true")],
            bypassingStream: false);
        var buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
        try
        {
            await foreach (var message in messages)
            {
                var length = (int)message.Data.Length;
                if (length > buffer.Length)
                {
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = ArrayPool<byte>.Shared.Rent(length);
                }

                await message.Data.ReadExactlyAsync(buffer.AsMemory(0, length), cancellationToken);
                if (reader.Read(buffer.AsSpan(0, length)) is not { } transaction)
                    continue;
                var isNew = log.Add(transaction);
                if (isNew)
                    metrics.Changes.Add(transaction.Changes.Count);
                // What was told before this process began is not for it.
                if (isNew && began.Task.IsCompleted)
                    reader.Heard.ForEach(Hear);
                reader.Heard.Clear();
                if (reader.Malformed is { } prefix)
                {
                    Log.FeedMessageMalformed(logger, prefix);
                    reader.Malformed = null;
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        throw FeedErrors.Unavailable.With("The database ended the stream.");
    }

    // Whoever may speak SQL may write such a message: one that cannot be read must not stop the changes behind it.
    private void Hear(byte[] message)
    {
        try
        {
            Heard?.Invoke(message);
        }
        catch (Exception e) when (WalReader.IsMalformed(e))
        {
            Log.FeedMessageMalformed(logger, Realtime.ChannelPeers.Prefix);
        }
    }

    // Acknowledges what the log has let go, moves the slot on when the log has nothing of ours, and looks after slots.
    private async Task KeepAsync(NpgsqlConnection control, LogicalReplicationConnection stream, string slot, string prefix, CancellationToken cancellationToken)
    {
        var bound = (long)options.Feed.MaxRetainedWalMegabytes * MegaByte;
        using var timer = new PeriodicTimer(Upkeep, time);
        for (var round = 0; ; round++)
        {
            var current = await CurrentAsync(control, cancellationToken);
            log.Trim(current > (ulong)bound / 2 ? current - ((ulong)bound / 2) : 0);
            stream.SetReplicationStatus(new NpgsqlLogSequenceNumber(log.Floor.Commit));
            if (current > log.End.Commit + MarkEvery)
                await database.RunAsync(Caller.Service, [new Statement(MarkSql)], cancellationToken);
            if (await SlotAsync(control, slot, cancellationToken) is not { } status)
                throw FeedErrors.Unavailable.With($"Slot {slot} is gone.");
            Volatile.Write(ref retained, status.Retained);
            if (status.Status == "lost" || status.Retained > bound)
            {
                Log.FeedSlotGivenUp(logger, slot, status.Retained / MegaByte);
                throw new SlotGivenUpException();
            }

            if (round % 15 == 0)
                await CleanAsync(control, slot, prefix, cancellationToken);
            await timer.WaitForNextTickAsync(cancellationToken);
        }
    }

    private async Task CleanAsync(NpgsqlConnection control, string slot, string prefix, CancellationToken cancellationToken)
    {
        await database.RunAsync(Caller.Service, [new Statement(SeenSql, Parameter.Text(slot), Parameter.Text(ServerName))], cancellationToken);
        var abandoned = await database.RunAsync(
            Caller.Service,
            [new Statement(AbandonedSql, Parameter.Text(prefix), new NpgsqlParameter<TimeSpan> { NpgsqlDbType = NpgsqlDbType.Interval, TypedValue = options.Feed.AbandonAfter })],
            static async (row, ct) =>
            {
                var names = new List<string>();
                while (await row.ReadAsync(ct))
                    names.Add(row.GetString(0));
                return names;
            },
            cancellationToken);
        foreach (var name in abandoned)
        {
            try
            {
                await DropAsync(control, name, cancellationToken);
                Log.FeedSlotDropped(logger, name);
            }
            catch (PostgresException)
            {
                // Another server did, or its own came back.
            }
        }
    }

    internal static async Task<ulong> CurrentAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(CurrentSql, connection);
        return (ulong)(decimal)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    private sealed record SlotStatus(bool IsActive, string Status, ulong Confirmed, long Retained);

    /// <summary>The slot held too much back, or the database has thrown away what it needs.</summary>
    private sealed class SlotGivenUpException : Exception;
}
