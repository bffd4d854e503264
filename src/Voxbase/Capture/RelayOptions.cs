namespace Voxbase;

/// <summary>The relay: calls whose audio goes through this server.</summary>
public sealed class RelayOptions
{
    /// <summary>How many calls one server relays at once; more are refused. From 1 to 100,000; default 1,000.</summary>
    public int MaxSessions { get; set; } = 1_000;

    /// <summary>The longest message passed on, in bytes; a longer one ends the call. From 64 KiB to 64 MiB; default 16 MiB, a little above OpenAI's limit.</summary>
    public int MaxMessageBytes { get; set; } = 16 << 20;

    /// <summary>How long the provider may take to accept a call, or to make a session token. From 1 second to 2 minutes; default 10 seconds.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long both sides may say nothing before the call is ended. From 1 second to 1 day; default 10 minutes.</summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a side may take to answer a close, or to take what is still on its way. From 100 ms to 1 minute; default 3 seconds.</summary>
    public TimeSpan CloseTimeout { get; set; } = TimeSpan.FromSeconds(3);

    internal void Validate(Action<string> fail)
    {
        if (MaxSessions is < 1 or > 100_000)
            fail($"Relay.MaxSessions must be between 1 and 100000 (was {MaxSessions})");
        if (MaxMessageBytes is < 64 << 10 or > 64 << 20)
            fail($"Relay.MaxMessageBytes must be between 65536 and 67108864 (was {MaxMessageBytes})");
        if (ConnectTimeout < TimeSpan.FromSeconds(1) || ConnectTimeout > TimeSpan.FromMinutes(2))
            fail($"Relay.ConnectTimeout must be between 1 s and 2 min (was {ConnectTimeout})");
        if (IdleTimeout < TimeSpan.FromSeconds(1) || IdleTimeout > TimeSpan.FromDays(1))
            fail($"Relay.IdleTimeout must be between 1 s and 1 day (was {IdleTimeout})");
        if (CloseTimeout < TimeSpan.FromMilliseconds(100) || CloseTimeout > TimeSpan.FromMinutes(1))
            fail($"Relay.CloseTimeout must be between 100 ms and 1 min (was {CloseTimeout})");
    }
}
