using Microsoft.Extensions.Logging;

namespace Voxbase.Realtime;

internal static partial class Log
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "The days of realtime.messages could not be kept ({Code}); the next run tries again")]
    public static partial void MessageDaysFailed(ILogger logger, string code);
}
