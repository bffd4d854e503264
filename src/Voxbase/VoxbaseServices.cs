using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Voxbase.Capture;
using Voxbase.Cleaning;
using Voxbase.Data;
using Voxbase.DataApi;
using Voxbase.LiveKit;
using Voxbase.Realtime;
using Voxbase.Sideband;

namespace Voxbase;

/// <summary>Voxbase in a host of your own.</summary>
public static class VoxbaseServices
{
    /// <summary>
    /// Adds Voxbase's subjects (<see cref="Conversations"/>, <see cref="Users"/>, <see cref="Charges"/>, …) as singletons, brings the
    /// schema up to date when the host starts, and keeps its partitions ready. <see cref="VoxbaseOptions.Database"/> must be set.
    /// </summary>
    /// <exception cref="Microsoft.Extensions.Options.OptionsValidationException">An option is out of its range.</exception>
    public static IServiceCollection AddVoxbase(this IServiceCollection services, Action<VoxbaseOptions> configure)
    {
        var options = new VoxbaseOptions();
        configure(options);
        options.Validated();
        services.AddSingleton(options);
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(_ => new Database(options.Database ?? throw DataErrors.ConnectionStringInvalid.With("VoxbaseOptions.Database is not set."))
        {
            MaxComposedConnections = options.DataApi.MaxConnections,
        });
        services.AddSingleton<Migrator>();
        services.AddSingleton<Partitions>();
        services.AddSingleton<CleaningQueue>();
        services.AddSingleton<Conversations>();
        services.AddSingleton<Users>();
        services.AddSingleton(provider => new Tokens(options, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<PriceBook>();
        services.AddSingleton<Charges>();
        services.AddSingleton<Repricing>();
        services.AddSingleton<PriceCheck>();
        services.AddSingleton<Usage>();
        services.AddSingleton<UsageFold>();
        services.AddSingleton<RunningCalls>();
        services.AddSingleton<Budgets>();
        services.AddSingleton<BudgetWatch>();
        services.AddSingleton<WebhookSender>();
        services.AddSingleton<Alerts>();
        services.AddSingleton<CallAdmission>();
        services.AddSingleton<CleaningSpend>();
        services.AddSingleton(provider => LlmCleaner.Of(options, provider.GetRequiredService<TimeProvider>(), provider.GetService<IChatClient>()));
        services.AddSingleton<Captures>();
        services.AddSingleton<TranscriptImports>();
        services.AddSingleton<LiveRecorders>();
        services.AddSingleton<RealtimeSessions>();
        services.AddSingleton<OpenAiCalls>();
        services.AddSingleton<ToolAnswers>();
        services.AddSingleton<Sidebands>();
        services.AddSingleton<IncomingCalls>();
        services.AddSingleton<Transcripts>();
        services.AddSingleton<KeyTerms>();
        services.AddSingleton<TranscriptAnalysis>();
        services.AddSingleton<TranscriptCleaning>();
        services.AddSingleton<Feed>();
        services.AddSingleton<LiveConversations>();
        services.AddSingleton<SchemaCaches>();
        services.AddSingleton<RestApi>();
        services.AddLiveKit();
        services.AddSingleton<Channels>();
        services.AddSingleton<ChannelAccess>();
        services.AddSingleton<LiveCalls>();
        services.AddSingleton<ChannelMessages>();
        services.AddSingleton<DatabaseBroadcasts>();
        services.AddSingleton<ChannelPeers>();
        services.AddHostedService<MigrationAtStart>();
        services.AddHostedService<PartitionsJob>();
        // Before usage is folded: what a crash left behind is seen while it is still marked.
        services.AddHostedService<TranscriptCleaningJob>();
        services.AddHostedService<RecoveryJob>();
        services.AddHostedService<FeedJob>();
        services.AddHostedService<SidebandsJob>();
        services.AddHostedService<BudgetWatchJob>();
        services.AddHostedService<AlertsJob>();
        services.AddHostedService<UsageFoldJob>();
        services.AddHostedService<PriceCheckJob>();
        services.AddHostedService<SchemaCacheJob>();
        services.AddHostedService<LiveKitInboxJob>();
        services.AddHostedService<LiveKitReconcilerJob>();
        services.AddHostedService<MessageDaysJob>();
        return services;
    }

    // Hosted services start in the order of their registration and before the server listens: nobody meets an old schema.
    private sealed class MigrationAtStart(Migrator migrator, Partitions partitions, VoxbaseOptions options) : IHostedService
    {
        public async Task StartAsync(CancellationToken cancellationToken)
        {
            if (options.MigrateAtStart)
                await migrator.ApplyAsync(cancellationToken);
            await partitions.RunOnceAsync(cancellationToken);
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
