using System.Buffers;
using System.Text.Json;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using NpgsqlTypes;
using Voxbase.Data;

namespace Voxbase.Realtime;

/// <summary>
/// Channels across servers: what happens in a channel here is told to the other servers of the database, and what happens there comes here. It goes through the
/// write-ahead log, which each server's feed reads anyway: in one order for all, gathered while a commit is under way, and nothing at all while a server is alone.
/// Clients add nothing to it. A server that is gone is not present any more after some seconds.
/// </summary>
public sealed class ChannelPeers : IAsyncDisposable
{
    internal const string Prefix = "voxbase.channels";

    internal const string TellSql =
        """
        select vox_private.channels_tell($1)
        """;

    private const int MaxWaiting = 4_096;
    private const int MaxBatch = 256;
    private const int MaxBatchBytes = 4 << 20;

    private static readonly TimeSpan BeatEvery = TimeSpan.FromSeconds(3);

    private readonly Guid self = Guid.NewGuid();
    private readonly Database database;
    private readonly Feed feed;
    private readonly Channels channels;
    private readonly TimeProvider time;
    private readonly ILogger logger;
    private readonly Channel<byte[]> waiting = Channel.CreateBounded<byte[]>(
        new BoundedChannelOptions(MaxWaiting) { SingleReader = true, FullMode = BoundedChannelFullMode.DropOldest });

    private readonly CancellationTokenSource over = new();
    private readonly Lock gate = new();
    private readonly Dictionary<Guid, int> peers = [];
    private Task? running;

    // How many of its own beats have come back: what the others have sent before them has come as well.
    private int beats;
    private volatile bool mayHavePeers;

    /// <summary>Use <c>services.AddVoxbase(…)</c>.</summary>
    public ChannelPeers(Database database, Feed feed, Channels channels, TimeProvider time, ILogger<ChannelPeers>? logger = null)
    {
        (this.database, this.feed, this.channels, this.time, this.logger) = (database, feed, channels, time, logger ?? (ILogger)NullLogger.Instance);
        channels.Peers = this;
    }

    /// <summary>Whether other servers may have somebody in a channel.</summary>
    public bool MayHavePeers => mayHavePeers;

    /// <summary>How many other servers are there.</summary>
    public int Count
    {
        get
        {
            lock (gate)
                return peers.Count;
        }
    }

    /// <summary>Begins to tell and to listen; once is enough. Does nothing where the feed is off: then each server's channels are its own.</summary>
    public void Start()
    {
        if (Volatile.Read(ref running) is not null)
            return;
        lock (gate)
        {
            if (running is not null || over.IsCancellationRequested || feed.Health.State == FeedState.Off)
                return;
            mayHavePeers = true;
            feed.Heard = Hear;
            feed.Start();
            running = Task.Run(RunAsync);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await over.CancelAsync();
        if (running is null)
            return;
        await running;
        try
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
            await TellAsync([Written(Kind.Gone, default)], patience.Token);
        }
        catch (Exception e) when (e is VoxbaseException or NpgsqlException or OperationCanceledException or ObjectDisposedException)
        {
            // They notice.
        }
    }

    internal void Sent(ChannelTopic topic, Broadcast message)
    {
        if (mayHavePeers)
            waiting.Writer.TryWrite(Written(Kind.Broadcast, topic, message.Name, message));
    }

    internal void Tracked(ChannelMember member, PresenceMeta? meta)
    {
        if (mayHavePeers)
            waiting.Writer.TryWrite(Written(meta is null ? Kind.Untrack : Kind.Track, member.Topic, member.PresenceKey, null, member.Id, meta));
    }

    private enum Kind
    {
        Hello,
        Beat,
        Gone,
        Broadcast,
        Track,
        Untrack,
    }

    private async Task RunAsync()
    {
        var says = Kind.Hello;
        var said = time.GetTimestamp();
        var batch = new List<byte[]>();
        try
        {
            // The others answer a greeting at once: not before it can be heard.
            if (!await feed.IsLiveAsync(over.Token))
            {
                mayHavePeers = false;
                return;
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }

        while (!over.IsCancellationRequested)
        {
            try
            {
                if (says == Kind.Hello || time.GetElapsedTime(said) >= BeatEvery)
                {
                    batch.Add(Written(says, default));
                    if (says == Kind.Hello)
                        batch.AddRange(Present());
                    said = time.GetTimestamp();
                }

                for (var bytes = 0; batch.Count < MaxBatch && bytes < MaxBatchBytes && waiting.Reader.TryRead(out var next); bytes += next.Length)
                    batch.Add(next);
                if (batch.Count > 0)
                    await TellAsync(batch, over.Token);
                batch.Clear();
                says = Kind.Beat;
                using var patience = CancellationTokenSource.CreateLinkedTokenSource(over.Token);
                patience.CancelAfter(BeatEvery);
                try
                {
                    await waiting.Reader.WaitToReadAsync(patience.Token);
                }
                catch (OperationCanceledException) when (!over.IsCancellationRequested)
                {
                    // Time to say that it is there.
                }
            }
            catch (OperationCanceledException) when (over.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e) when (e is VoxbaseException or NpgsqlException or InvalidOperationException)
            {
                // What was to be told is lost, as a broadcast may be; who is present is told anew.
                Log.PeersNotTold(logger, (e as VoxbaseException)?.Code ?? e.GetType().Name);
                batch.Clear();
                says = Kind.Hello;
                await Task.Delay(TimeSpan.FromSeconds(1), time, over.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private Task TellAsync(IReadOnlyList<byte[]> messages, CancellationToken cancellationToken) => database.RunAsync(
        Caller.Service,
        [new Statement(TellSql, new NpgsqlParameter<byte[][]> { NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Bytea, TypedValue = [.. messages] })],
        cancellationToken);

    private IEnumerable<byte[]> Present() => channels.Tracking().Select(each =>
        Written(Kind.Track, each.Member.Topic, each.Member.PresenceKey, null, each.Member.Id, each.Meta));

    // One after the other, in the order of the log.
    private void Hear(ReadOnlyMemory<byte> message)
    {
        var end = message.Span.IndexOf((byte)'\n');
        using var head = JsonDocument.Parse(message[..end]);
        var root = head.RootElement;
        var (server, kind) = (root.GetProperty("server").GetGuid(), Enum.Parse<Kind>(root.GetProperty("kind").GetString()!));
        if (server == self)
        {
            if (kind is Kind.Beat or Kind.Hello)
                Came();
            return;
        }

        var isNew = false;
        lock (gate)
        {
            if (kind == Kind.Gone)
                peers.Remove(server);
            else if (!peers.TryGetValue(server, out _))
                isNew = true;
            if (kind != Kind.Gone)
                peers[server] = beats;
            mayHavePeers = true;
        }

        if (kind is Kind.Gone or Kind.Hello)
            channels.Forget(server);
        if ((isNew || kind == Kind.Hello) && kind != Kind.Gone)
        {
            // It knows as little of this one.
            foreach (var present in Present().Prepend(Written(Kind.Beat, default)))
                waiting.Writer.TryWrite(present);
        }

        if (kind < Kind.Broadcast)
            return;
        var topic = new ChannelTopic(root.GetProperty("topic").GetString()!, root.GetProperty("private").GetBoolean());
        var (name, body) = (root.GetProperty("name").GetString()!, message[(end + 1)..].ToArray());
        switch (kind)
        {
            case Kind.Broadcast:
                channels.SendHere(topic, root.GetProperty("form").GetString() switch
                {
                    "whole" => Broadcast.Object(body),
                    "binary" => Broadcast.Binary(name, body),
                    _ => Broadcast.Json(name, body),
                });
                break;
            case Kind.Track:
                channels.Track(topic, (server, root.GetProperty("member").GetInt64()), name, new PresenceMeta(root.GetProperty("ref").GetString()!, root.GetProperty("before").GetString(), body));
                break;
            case Kind.Untrack:
                channels.Track(topic, (server, root.GetProperty("member").GetInt64()), name, null);
                break;
        }
    }

    // Counted by its own beats, so that a time in which nothing came through is nobody's fault.
    private void Came()
    {
        List<Guid> gone;
        lock (gate)
        {
            beats++;
            gone = [.. peers.Where(peer => beats - peer.Value > 4).Select(peer => peer.Key)];
            foreach (var server in gone)
                peers.Remove(server);
            mayHavePeers = peers.Count > 0 || beats < 2;
        }

        foreach (var server in gone)
            channels.Forget(server);
    }

    private byte[] Written(Kind kind, ChannelTopic topic, string name = "", Broadcast? message = null, long member = 0, PresenceMeta? meta = null)
    {
        var body = meta?.Payload ?? (message is null ? default : message.Whole.IsEmpty ? message.Payload : message.Whole);
        var output = new ArrayBufferWriter<byte>(body.Length + 256);
        using (var writer = new Utf8JsonWriter(output))
        {
            writer.WriteStartObject();
            writer.WriteString("server", self);
            writer.WriteString("kind", kind.ToString());
            if (kind >= Kind.Broadcast)
            {
                writer.WriteString("topic", topic.Name);
                writer.WriteBoolean("private", topic.IsPrivate);
                writer.WriteString("name", name);
                writer.WriteString("form", message switch { { Whole.IsEmpty: false } => "whole", { IsBinary: true } => "binary", _ => "json" });
                writer.WriteNumber("member", member);
                writer.WriteString("ref", meta?.Reference);
                writer.WriteString("before", meta?.Before);
            }

            writer.WriteEndObject();
        }

        output.Write("\n"u8);
        output.Write(body.Span);
        return output.WrittenSpan.ToArray();
    }
}
