using Microsoft.Extensions.Logging;

namespace Voxbase.Realtime;

internal static partial class Log
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "The days of realtime.messages could not be kept ({Code}); the next run tries again")]
    public static partial void MessageDaysFailed(ILogger logger, string code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Broadcasts from the database do not arrive for now ({Fault}); it is tried again")]
    public static partial void MessagesLost(ILogger logger, string fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Broadcasts from the database do not arrive here ({Code}); other broadcasts do")]
    public static partial void NoMessages(ILogger logger, string code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Other servers could not be told of what happens in channels ({Fault}); it is tried again")]
    public static partial void PeersNotTold(ILogger logger, string fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Broadcasts from the database were missed while the feed was behind")]
    public static partial void MessagesMissed(ILogger logger);
}
