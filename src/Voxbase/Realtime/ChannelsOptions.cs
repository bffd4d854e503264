namespace Voxbase;

/// <summary>Channels: broadcast, presence and changes of tables over the Supabase Realtime protocol.</summary>
public sealed class ChannelsOptions
{
    /// <summary>How many sockets one server holds; more are refused. From 1 to 1,000,000; default 20,000.</summary>
    public int MaxConnections { get; set; } = 20_000;

    /// <summary>How many channels one socket may be in. From 1 to 10,000; default 100.</summary>
    public int MaxChannelsPerConnection { get; set; } = 100;

    /// <summary>How many channels one socket may join in a second, before it is closed. From 1 to 10,000; default 100.</summary>
    public int JoinsPerSecond { get; set; } = 100;

    /// <summary>How many messages one socket may send in a second, before its channel is closed. From 1 to 1,000,000; default 1,000.</summary>
    public int MessagesPerSecond { get; set; } = 1_000;

    /// <summary>The longest payload of a message, in bytes; a longer one is not sent on. From 1 KiB to 64 MiB; default 3,000,000.</summary>
    public int MaxPayloadBytes { get; set; } = 3_000_000;

    /// <summary>How often in <see cref="PresenceWindow"/> a client may say that it is present, before its channel is closed. From 1 to 100,000; default 5.</summary>
    public int PresenceCalls { get; set; } = 5;

    /// <summary>See <see cref="PresenceCalls"/>. From 1 second to 1 hour; default 30 seconds.</summary>
    public TimeSpan PresenceWindow { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How many bytes may wait for a client that reads slowly, before its socket is closed. From 64 KiB to 1 GiB; default 8 MiB.</summary>
    public int MaxQueuedBytes { get; set; } = 8 << 20;

    /// <summary>How long a client may send nothing, not even a heartbeat, before its socket is closed. From 1 second to 1 day; default 60 seconds.</summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>How often a private channel's policies are asked again, so that who lost a right loses the channel. From 1 second to 1 day; default 5 minutes.</summary>
    public TimeSpan RecheckInterval { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a join that waits for its changes of tables waits at most. From 1 second to 5 minutes; default 20 seconds.</summary>
    public TimeSpan MaxSubscribeWait { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>How long messages sent from the database are kept for who joins late. From 1 day to 1 year; default 3 days.</summary>
    public TimeSpan MessageRetention { get; set; } = TimeSpan.FromDays(3);

    internal void Validate(Action<string> fail)
    {
        Within(nameof(MaxConnections), MaxConnections, 1, 1_000_000);
        Within(nameof(MaxChannelsPerConnection), MaxChannelsPerConnection, 1, 10_000);
        Within(nameof(JoinsPerSecond), JoinsPerSecond, 1, 10_000);
        Within(nameof(MessagesPerSecond), MessagesPerSecond, 1, 1_000_000);
        Within(nameof(MaxPayloadBytes), MaxPayloadBytes, 1 << 10, 64 << 20);
        Within(nameof(PresenceCalls), PresenceCalls, 1, 100_000);
        Within(nameof(MaxQueuedBytes), MaxQueuedBytes, 64 << 10, 1 << 30);
        Lasts(nameof(PresenceWindow), PresenceWindow, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
        Lasts(nameof(IdleTimeout), IdleTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
        Lasts(nameof(RecheckInterval), RecheckInterval, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
        Lasts(nameof(MaxSubscribeWait), MaxSubscribeWait, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5));
        Lasts(nameof(MessageRetention), MessageRetention, TimeSpan.FromDays(1), TimeSpan.FromDays(366));

        void Within(string name, int value, int least, int most)
        {
            if (value < least || value > most)
                fail($"Channels.{name} must be between {least} and {most} (was {value})");
        }

        void Lasts(string name, TimeSpan value, TimeSpan least, TimeSpan most)
        {
            if (value < least || value > most)
                fail($"Channels.{name} must be between {least} and {most} (was {value})");
        }
    }
}
