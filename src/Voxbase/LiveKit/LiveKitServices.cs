using Microsoft.Extensions.DependencyInjection;
using Voxbase.Capture;

namespace Voxbase.LiveKit;

/// <summary>LiveKit's part of <see cref="VoxbaseServices.AddVoxbase"/>.</summary>
internal static class LiveKitServices
{
    public static void AddLiveKit(this IServiceCollection services)
    {
        services.AddSingleton<LiveKitTokens>();
        services.AddSingleton<LiveKitRooms>();
        services.AddSingleton<LiveKitInbox>();
        services.AddSingleton<LiveKitWebhooks>();
        services.AddSingleton<LiveKitUploads>();
        services.AddSingleton<LiveKitReconciler>();
        services.AddSingleton<LiveKitCalls>();
        // A call on LiveKit runs in no process, so that every process finds it. Asked for late: what is found here is made with it.
        services.AddSingleton<RunningCallSource>(provider =>
            (conversationId, cancellationToken) => provider.GetRequiredService<LiveKitCalls>().FindRunningAsync(conversationId, cancellationToken));
    }
}
