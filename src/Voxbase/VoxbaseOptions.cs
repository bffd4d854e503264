using Microsoft.Extensions.Options;

namespace Voxbase;

/// <summary>Everything that can be set, one part a subject. Checked at the start; <c>voxbase config</c> prints what is in force.</summary>
public sealed class VoxbaseOptions
{
    /// <summary>
    /// The PostgreSQL to use, 15 or later, as <c>Host=…;Database=…</c> or <c>postgresql://…</c>. Null (default) lets the server start
    /// its own.
    /// </summary>
    public string? Database { get; set; }

    /// <summary>Whether starting brings the schema up to date. Turn it off where another login migrates. Default true.</summary>
    public bool MigrateAtStart { get; set; } = true;

    /// <summary>
    /// After how long of silence a connection that stays open, a stream of the feed or a WebSocket, is told that this server lives; a tenth later at most.
    /// Proxies close what is silent for longer, many after a minute. From 1 second to 1 hour; default 50 seconds.
    /// </summary>
    public TimeSpan KeepAliveInterval { get; set; } = TimeSpan.FromSeconds(50);

    /// <summary>How conversations are written and read.</summary>
    public ConversationsOptions Conversations { get; } = new();

    /// <summary>Whose tokens are believed.</summary>
    public TokensOptions Tokens { get; } = new();

    /// <summary>How statistics are kept.</summary>
    public UsageOptions Usage { get; } = new();

    /// <summary>Where OpenAI is and who we are there.</summary>
    public OpenAiOptions OpenAi { get; } = new();

    /// <summary>How running calls are recorded.</summary>
    public RecordingOptions Recording { get; } = new();

    /// <summary>The relay: calls whose audio goes through this server.</summary>
    public RelayOptions Relay { get; } = new();

    /// <summary>How the context of a long call is kept within its model's limit.</summary>
    public ContextUpkeepOptions Upkeep { get; } = new();

    /// <summary>How calls are held to their budgets.</summary>
    public SpendingOptions Spending { get; } = new();

    /// <summary>How alerts are evaluated and delivered.</summary>
    public AlertsOptions Alerts { get; } = new();

    /// <summary>The language model that may help to clean transcripts.</summary>
    public LlmCleaningOptions LlmCleaning { get; } = new();

    /// <summary>Where LiveKit is and who we are there.</summary>
    public LiveKitOptions LiveKit { get; } = new();

    /// <summary>How transcripts are cleaned as they come.</summary>
    public TranscriptsOptions Transcripts { get; } = new();
    /// <summary>Channels: broadcast, presence and changes of tables over the Supabase Realtime protocol.</summary>
    public ChannelsOptions Channels { get; } = new();

    /// <summary>How changes reach who follows them.</summary>
    public FeedOptions Feed { get; } = new();
    /// <summary>The Data API: tables and functions for supabase-js and other clients of PostgREST.</summary>
    public DataApiOptions DataApi { get; } = new();

    /// <exception cref="OptionsValidationException">Something is out of its range; the message names all that is.</exception>
    internal VoxbaseOptions Validated()
    {
        var faults = new List<string>();
        if (KeepAliveInterval < TimeSpan.FromSeconds(1) || KeepAliveInterval > TimeSpan.FromHours(1))
            faults.Add($"{nameof(KeepAliveInterval)} must be between {TimeSpan.FromSeconds(1)} and {TimeSpan.FromHours(1)} (was {KeepAliveInterval})");
        Conversations.Validate(faults.Add);
        Tokens.Validate(faults.Add);
        Usage.Validate(faults.Add);
        OpenAi.Validate(faults.Add);
        Recording.Validate(faults.Add);
        Relay.Validate(faults.Add);
        Upkeep.Validate(faults.Add);
        Spending.Validate(faults.Add);
        Alerts.Validate(faults.Add);
        LlmCleaning.Validate(faults.Add);
        LiveKit.Validate(faults.Add);
        Transcripts.Validate(faults.Add);
        Channels.Validate(faults.Add);
        Feed.Validate(faults.Add);
        DataApi.Validate(faults.Add);
        return faults.Count == 0 ? this : throw new OptionsValidationException(nameof(VoxbaseOptions), typeof(VoxbaseOptions), faults);
    }
}
