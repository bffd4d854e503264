using Microsoft.Extensions.Logging;

namespace Voxbase.LiveKit;

internal static partial class Log
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "LiveKit delivery {Id} ({Kind}) could not be read: {Code}")]
    public static partial void DeliveryFailed(ILogger logger, Guid id, string kind, string code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "LiveKit's deliveries could not be read now ({Code}); they wait")]
    public static partial void ReadingFailed(ILogger logger, string code);

    [LoggerMessage(Level = LogLevel.Information, Message = "LiveKit was asked about {Asked} calls; {Changed} had changed unheard")]
    public static partial void Reconciled(ILogger logger, int asked, int changed);

    [LoggerMessage(Level = LogLevel.Warning, Message = "LiveKit could not be asked about its calls ({Code}); the next run tries again")]
    public static partial void ReconcilingFailed(ILogger logger, string code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The room of call {ConversationId} could not be closed ({Code}); the reconciler will")]
    public static partial void RoomLeft(ILogger logger, Guid conversationId, string code);
}
