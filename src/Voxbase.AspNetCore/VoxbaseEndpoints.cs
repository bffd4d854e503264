using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Voxbase.Capture;
using Voxbase.Data;
using Voxbase.DataApi;
using Voxbase.LiveKit;
using Voxbase.Realtime;
using Voxbase.Sideband;

namespace Voxbase.AspNetCore;

/// <summary>Voxbase over HTTP, in an application of your own.</summary>
public static class VoxbaseEndpoints
{
    /// <summary>The longest body read, in bytes.</summary>
    public const int MaxBodyBytes = 10 * 1024 * 1024;

    /// <summary>Adds what <see cref="MapVoxbase"/> needs beside <see cref="VoxbaseServices.AddVoxbase"/>: the description of its API.</summary>
    public static IServiceCollection AddVoxbaseHttp(this IServiceCollection services) => ApiDescription.Add(services);

    /// <summary>
    /// Maps <c>/v1/…</c>, <c>/rest/v1/…</c> (the Data API), <c>/realtime/v1/…</c> (Supabase Realtime), <c>/observability/…</c> (LiveKit's agents),
    /// <c>/health</c>, <c>/ready</c> and <c>/openapi.json</c>. Callers are known by their tokens
    /// (<see cref="VoxbaseOptions.Tokens"/>); no other authentication of the application is asked.
    /// </summary>
    /// <exception cref="InvalidOperationException"><c>AddVoxbase</c> or <c>AddVoxbaseHttp</c> was not called.</exception>
    public static IEndpointRouteBuilder MapVoxbase(this IEndpointRouteBuilder endpoints)
    {
        var services = endpoints.ServiceProvider;
        var options = services.GetService<VoxbaseOptions>()
            ?? throw new InvalidOperationException("Call services.AddVoxbase(…) before app.MapVoxbase().");
        var logger = services.GetRequiredService<ILoggerFactory>().CreateLogger("Voxbase.Http");
        var routes = new VoxbaseRoutes(endpoints, services.GetRequiredService<Tokens>(), MaxBodyBytes, options.KeepAliveInterval, logger);
        new ConversationEndpoints(services.GetRequiredService<Conversations>(), options).Map(routes);
        new CaptureEndpoints(services.GetRequiredService<Captures>()).Map(routes);
        new TranscriptEndpoints(services.GetRequiredService<TranscriptImports>()).Map(routes);
        new CleaningEndpoints(
            services.GetRequiredService<Transcripts>(), services.GetRequiredService<KeyTerms>(), services.GetRequiredService<TranscriptAnalysis>(), options).Map(routes);
        new RealtimeEndpoints(
            services.GetRequiredService<RealtimeSessions>(), services.GetRequiredService<Conversations>(), services.GetRequiredService<CallAdmission>(),
            services.GetRequiredService<RunningCalls>(), services.GetRequiredService<LiveRecorders>(), options, services.GetService<IChatClient>(),
            services.GetRequiredService<IHostApplicationLifetime>(), services.GetRequiredService<TimeProvider>(), logger).Map(routes);
        new ChannelEndpoints(
            new ChannelParts(
                services.GetRequiredService<Channels>(), services.GetRequiredService<ChannelAccess>(), services.GetRequiredService<ChannelMessages>(),
                services.GetRequiredService<DatabaseBroadcasts>(), services.GetRequiredService<ChannelPeers>(),
                new ChannelWatch(
                    services.GetRequiredService<Feed>(), services.GetRequiredService<ChannelAccess>(), services.GetRequiredService<TimeProvider>(),
                    services.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping),
                new ChannelTokens(services.GetRequiredService<Tokens>(), services.GetRequiredService<TimeProvider>()),
                services.GetRequiredService<Feed>(), options.Channels, services.GetRequiredService<TimeProvider>(), logger),
            services.GetRequiredService<IHostApplicationLifetime>()).Map(routes);
        new SidebandEndpoints(services.GetRequiredService<IncomingCalls>(), services.GetRequiredService<Sidebands>()).Map(routes);
        new BudgetEndpoints(services.GetRequiredService<Budgets>()).Map(routes);
        new AlertEndpoints(services.GetRequiredService<Alerts>()).Map(routes);
        new PriceEndpoints(services.GetRequiredService<PriceBook>(), services.GetRequiredService<PriceCheck>()).Map(routes);
        new UsageEndpoints(services.GetRequiredService<Usage>()).Map(routes);
        new LiveKitEndpoints(
            services.GetRequiredService<LiveKitCalls>(), services.GetRequiredService<LiveKitRooms>(), services.GetRequiredService<LiveKitWebhooks>(),
            services.GetRequiredService<LiveKitUploads>(), services.GetRequiredService<Tokens>()).Map(routes);
        new ObservabilityEndpoints(services.GetRequiredService<LiveKitUploads>(), options, logger).Map(routes);
        new FeedEndpoints(
            services.GetRequiredService<Feed>(), services.GetRequiredService<LiveConversations>(), options,
            services.GetRequiredService<IHostApplicationLifetime>(), services.GetRequiredService<TimeProvider>()).Map(routes);
        new HealthEndpoints(services.GetRequiredService<Migrator>(), services.GetRequiredService<Feed>()).Map(routes);
        if (options.DataApi.Enabled)
            new DataApiEndpoints(services.GetRequiredService<RestApi>(), services.GetRequiredService<Tokens>(), MaxBodyBytes, logger).Map(routes);
        ApiDescription.Map(routes, services);
        routes.Close();
        return endpoints;
    }

    /// <summary>
    /// Answers 404 in Voxbase's shape, for <c>app.MapFallback</c>. <see cref="MapVoxbase"/> itself answers so only below <c>/v1</c>: other
    /// paths are the application's.
    /// </summary>
    public static Task PathNotFoundAsync(HttpContext context) => VoxbaseRoutes.PathNotFoundAsync(context);
}
