using Microsoft.Extensions.Logging;

namespace Voxbase.Sideband;

internal static partial class Log
{
    [LoggerMessage(Level = LogLevel.Information, Message = "Accepted the call of conversation {ConversationId}")]
    public static partial void CallAccepted(ILogger logger, Guid conversationId);

    [LoggerMessage(Level = LogLevel.Information, Message = "Attached to the call of conversation {ConversationId}")]
    public static partial void Attached(ILogger logger, Guid conversationId);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The sideband of conversation {ConversationId} was cut off ({Code}); attaching again")]
    public static partial void CutOff(ILogger logger, Guid conversationId, string code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The call of conversation {ConversationId} cannot be attached to ({Code})")]
    public static partial void NotAttached(ILogger logger, Guid conversationId, string code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The call of conversation {ConversationId} could not be hung up ({Code})")]
    public static partial void NotHungUp(ILogger logger, Guid conversationId, string code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The tool {Name} of conversation {ConversationId} failed ({Fault})")]
    public static partial void ToolFailed(ILogger logger, Guid conversationId, string name, string fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The context of conversation {ConversationId} could not be summarised ({Fault}); it is tried again later")]
    public static partial void NotSummarised(ILogger logger, Guid conversationId, string fault);

    [LoggerMessage(Level = LogLevel.Information, Message = "Summarised {Items} items of conversation {ConversationId}")]
    public static partial void Summarised(ILogger logger, Guid conversationId, int items);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Calls could not be looked for ({Code}); the next run tries again")]
    public static partial void ResumeFailed(ILogger logger, string code);
}
