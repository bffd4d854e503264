using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Voxbase.Capture;
using Voxbase.Cleaning;
using Voxbase.Data;

namespace Voxbase.Testing;

/// <summary>A database of one test, with Voxbase's subjects over it.</summary>
public sealed class TestDatabase : IAsyncDisposable
{
    private readonly LlmCleaner llm;

    internal TestDatabase(string connectionString, Action<VoxbaseOptions>? configure = null, TimeProvider? time = null)
    {
        ConnectionString = connectionString;
        Options = new VoxbaseOptions { Database = connectionString };
        configure?.Invoke(Options);
        Time = time ?? TimeProvider.System;
        Database = new Database(connectionString);
        Partitions = new Partitions(Database, Options, Time);
        CleaningQueue = new CleaningQueue();
        Conversations = new Conversations(Database, Partitions, Options, Time, CleaningQueue);
        KeyTerms = new KeyTerms(Database);
        TranscriptAnalysis = new TranscriptAnalysis(Database, Time);
        Users = new Users(Database);
        Prices = new PriceBook(Database);
        Charges = new Charges(Database);
        llm = LlmCleaner.Of(Options, Time);
        var spend = new CleaningSpend(Database, Charges, Options);
        Transcripts = new Transcripts(Database, Options, CleaningQueue, llm, spend);
        TranscriptCleaning = new TranscriptCleaning(Database, CleaningQueue, Options, NullLogger<TranscriptCleaning>.Instance, llm, spend);
        Budgets = new Budgets(Database, Options, Time);
        Alerts = new Alerts(Database, new WebhookSender(Options, Time), [], Options, NullLogger<Alerts>.Instance);
        Repricing = new Repricing(Database);
        PriceCheck = new PriceCheck(Database, Time);
        Usage = new Usage(Database, Time);
        UsageFold = new UsageFold(Database, Options, Time);
        Captures = new Captures(Database, Conversations, Time);
        Feed = new Feed(Database, Options, Time, NullLogger<Feed>.Instance);
        Live = new LiveConversations(Database);
        Options.Recording.SpoolFolder ??= Path.Combine(Path.GetTempPath(), "voxbase-spool-" + Guid.NewGuid().ToString("n"));
        Recorders = new LiveRecorders(Captures, Conversations, new CallAdmission(new RunningCalls()), Options, Time);
    }

    /// <summary>How to reach it as the owner.</summary>
    public string ConnectionString { get; }

    /// <summary>Its options.</summary>
    public VoxbaseOptions Options { get; }

    /// <summary>Its clock.</summary>
    public TimeProvider Time { get; }

    /// <summary>The door that every subject uses.</summary>
    public Database Database { get; }

    /// <summary>Subjects.</summary>
    public Partitions Partitions { get; }

    /// <inheritdoc cref="Partitions"/>
    public Conversations Conversations { get; }

    /// <inheritdoc cref="Partitions"/>
    public CleaningQueue CleaningQueue { get; }

    /// <inheritdoc cref="Partitions"/>
    public Transcripts Transcripts { get; }

    /// <inheritdoc cref="Partitions"/>
    public KeyTerms KeyTerms { get; }

    /// <inheritdoc cref="Partitions"/>
    public TranscriptAnalysis TranscriptAnalysis { get; }

    /// <inheritdoc cref="Partitions"/>
    public TranscriptCleaning TranscriptCleaning { get; }

    /// <inheritdoc cref="Partitions"/>
    public Users Users { get; }

    /// <inheritdoc cref="Partitions"/>
    public PriceBook Prices { get; }

    /// <inheritdoc cref="Partitions"/>
    public Charges Charges { get; }

    /// <inheritdoc cref="Partitions"/>
    public Repricing Repricing { get; }

    /// <inheritdoc cref="Partitions"/>
    public PriceCheck PriceCheck { get; }

    /// <inheritdoc cref="Partitions"/>
    public Usage Usage { get; }

    /// <inheritdoc cref="Partitions"/>
    public UsageFold UsageFold { get; }

    /// <inheritdoc cref="Partitions"/>
    public Captures Captures { get; }

    /// <inheritdoc cref="Partitions"/>
    public LiveRecorders Recorders { get; }

    /// <inheritdoc cref="Partitions"/>
    public Budgets Budgets { get; }

    /// <inheritdoc cref="Partitions"/>
    public Alerts Alerts { get; }

    /// <inheritdoc cref="Partitions"/>
    public Feed Feed { get; }

    /// <inheritdoc cref="Partitions"/>
    public LiveConversations Live { get; }

    /// <summary>A new user.</summary>
    public async Task<Caller> NewUserAsync(bool isAdmin = false)
    {
        var email = $"user-{Guid.NewGuid():n}@example.org";
        var user = await Users.EnsureAsServiceAsync(email);
        if (isAdmin)
            await Users.SetRoleAsServiceAsync(user.Id, isAdmin: true);
        return Caller.User(user.Id, email);
    }

    /// <summary>Runs SQL as a caller and returns the first column of the first row, or null.</summary>
    public Task<object?> ScalarAsync(Caller caller, string sql, params NpgsqlParameter[] parameters) =>
        Database.RunAsync(
            caller,
            [new Statement(sql, parameters)],
            async (results, ct) => await results.ReadAsync(ct) ? await results.IsDBNullAsync(0, ct) ? null : results.GetValue(0) : null,
            CancellationToken.None);

    /// <summary>Runs SQL as a caller; returns how many rows it changed.</summary>
    public Task<int> ExecuteAsync(Caller caller, string sql, params NpgsqlParameter[] parameters) =>
        Database.RunAsync(
            caller,
            [new Statement(sql, parameters)],
            static async (results, ct) =>
            {
                while (await results.NextResultAsync(ct))
                {
                }

                return Math.Max(0, results.RecordsAffected);
            },
            CancellationToken.None);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Recorders.DisposeAsync();
        llm.Dispose();
        await Feed.DisposeAsync();
        if (Feed.Health.Slot is not null)
            await DropSlotsAsync();
        await Database.DisposeAsync();
        if (Directory.Exists(Options.Recording.SpoolFolder))
            Directory.Delete(Options.Recording.SpoolFolder, recursive: true);
    }

    /// <summary>Waits for this database's replication slots to be free and drops them: a cluster has few.</summary>
    public async Task DropSlotsAsync()
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database() and not active", connection);
        for (var attempt = 0; attempt < 100; attempt++)
        {
            await command.ExecuteNonQueryAsync();
            await using var left = new NpgsqlCommand("select count(*) from pg_replication_slots where database = current_database()", connection);
            if ((long)(await left.ExecuteScalarAsync())! == 0)
                return;
            await Task.Delay(50);
        }
    }
}
