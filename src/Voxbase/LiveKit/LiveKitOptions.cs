namespace Voxbase;

/// <summary>Where LiveKit is and who we are there. Without a key and a secret its endpoints refuse, and nothing else changes.</summary>
public sealed class LiveKitOptions
{
    /// <summary>
    /// LiveKit's address: <c>wss://</c>, <c>ws://</c>, <c>https://</c> or <c>http://</c>, as clients are given it; its API is at the same host.
    /// Null (default): webhooks and uploads are taken, tokens are made, and rooms cannot be reached.
    /// </summary>
    public string? Url { get; set; }

    /// <summary>The API key: the issuer of our tokens, and of the webhooks and uploads that are believed. Default null.</summary>
    public string? ApiKey { get; set; }

    /// <summary>The API secret that belongs to the key. Never logged or printed. Default null.</summary>
    public string? ApiSecret { get; set; }

    /// <summary>
    /// How long a token to join holds; a client that is in the room stays. Shorter limits what a leaked one can do. From 10 seconds to
    /// 24 hours; default 10 minutes.
    /// </summary>
    public TimeSpan TokenLifetime { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>How far LiveKit's clock and ours may differ. From 0 to 5 minutes; default 1 minute, as LiveKit's own.</summary>
    public TimeSpan Leeway { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long one request to LiveKit may take, before it is tried again where that is safe. From 100 milliseconds to 2 minutes; default 10 seconds.</summary>
    public TimeSpan RequestTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How often a request to LiveKit is tried in all, where trying again is safe. From 1 to 10; default 3.</summary>
    public int MaxAttempts { get; set; } = 3;

    /// <summary>The wait before the second attempt; it doubles with each. From 0 to 1 minute; default 250 milliseconds.</summary>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>How long a room of ours stays open before somebody joins. From 1 second to 1 day; default 5 minutes.</summary>
    public TimeSpan EmptyTimeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a room of ours stays open after the last one left. From 1 second to 1 day; default 20 seconds.</summary>
    public TimeSpan DepartureTimeout { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// Where LiveKit's egress puts recordings, as it understands file paths; <c>{room_name}</c> and <c>{time}</c> are its own placeholders.
    /// Default <c>recordings/{room_name}-{time}.ogg</c>.
    /// </summary>
    public string RecordingPath { get; set; } = "recordings/{room_name}-{time}.ogg";

    /// <summary>
    /// After how long without news an unfinished call is looked up at LiveKit, because a webhook may be lost. Shorter asks more.
    /// From 10 seconds to 1 day; default 3 minutes.
    /// </summary>
    public TimeSpan ReconcileAfter { get; set; } = TimeSpan.FromMinutes(3);

    /// <summary>How often that is done; zero (never) where another server does it. From 0 to 1 day; default 1 minute.</summary>
    public TimeSpan ReconcileEvery { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>The longest upload of an agent, in bytes: a recording of some hours. From 1,024 to 1,073,741,824; default 67,108,864.</summary>
    public int MaxUploadBytes { get; set; } = 64 << 20;

    /// <summary>
    /// How many uploads of agents are taken in at once; one more is told to come again. More needs more memory, up to
    /// <see cref="MaxUploadBytes"/> each. From 1 to 1,000; default 8.
    /// </summary>
    public int MaxUploads { get; set; } = 8;

    internal bool HasKey => ApiKey is not null && ApiSecret is not null;

    internal void Validate(Action<string> fail)
    {
        if (Url is not null && !(Uri.TryCreate(Url, UriKind.Absolute, out var url) && url.Scheme is "ws" or "wss" or "http" or "https"))
            fail($"LiveKit.Url must be a ws, wss, http or https URL (was '{Url}')");
        if (ApiKey is { Length: 0 })
            fail("LiveKit.ApiKey must be null or a text (was empty)");
        if (ApiSecret is { Length: 0 })
            fail("LiveKit.ApiSecret must be null or a text (was empty)");
        if (ApiKey is null != ApiSecret is null)
            fail("LiveKit.ApiKey and LiveKit.ApiSecret belong together: set both or neither");
        if (string.IsNullOrWhiteSpace(RecordingPath))
            fail("LiveKit.RecordingPath must be a path (was empty)");
        Range(TokenLifetime, TimeSpan.FromSeconds(10), TimeSpan.FromHours(24), nameof(TokenLifetime));
        Range(Leeway, TimeSpan.Zero, TimeSpan.FromMinutes(5), nameof(Leeway));
        Range(RequestTimeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(2), nameof(RequestTimeout));
        Range(RetryDelay, TimeSpan.Zero, TimeSpan.FromMinutes(1), nameof(RetryDelay));
        Range(EmptyTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), nameof(EmptyTimeout));
        Range(DepartureTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), nameof(DepartureTimeout));
        Range(ReconcileAfter, TimeSpan.FromSeconds(10), TimeSpan.FromDays(1), nameof(ReconcileAfter));
        Range(ReconcileEvery, TimeSpan.Zero, TimeSpan.FromDays(1), nameof(ReconcileEvery));
        if (MaxAttempts is < 1 or > 10)
            fail($"LiveKit.{nameof(MaxAttempts)} must be between 1 and 10 (was {MaxAttempts})");
        if (MaxUploadBytes is < 1024 or > 1 << 30)
            fail($"LiveKit.{nameof(MaxUploadBytes)} must be between 1024 and {1 << 30} (was {MaxUploadBytes})");
        if (MaxUploads is < 1 or > 1000)
            fail($"LiveKit.{nameof(MaxUploads)} must be between 1 and 1000 (was {MaxUploads})");

        void Range(TimeSpan value, TimeSpan low, TimeSpan high, string name)
        {
            if (value < low || value > high)
                fail($"LiveKit.{name} must be between {low} and {high} (was {value})");
        }
    }
}
