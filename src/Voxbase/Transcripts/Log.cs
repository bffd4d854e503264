using Microsoft.Extensions.Logging;

namespace Voxbase.Cleaning;

internal static partial class Log
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "Turns of {ConversationId} could not be cleaned ({Fault}); the next sweep tries again")]
    public static partial void CleaningFailed(ILogger logger, Guid conversationId, string fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Conversations to clean could not be looked for ({Code}); the next sweep tries again")]
    public static partial void SweepFailed(ILogger logger, string code);
}
