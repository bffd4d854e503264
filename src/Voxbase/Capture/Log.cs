using Microsoft.Extensions.Logging;

namespace Voxbase.Capture;

internal static partial class Log
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "Events of {Conversation} cannot be committed yet ({Code}); they wait in the spool")]
    public static partial void CommitDelayed(ILogger logger, Guid conversation, string code);

    [LoggerMessage(Level = LogLevel.Error, Message = "Events of {Conversation} cannot be committed ({Fault}); they stay in the spool")]
    public static partial void CommitFailed(ILogger logger, Guid conversation, string fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Conversation {Conversation} was deleted while it was recorded")]
    public static partial void ConversationGone(ILogger logger, Guid conversation);

    [LoggerMessage(Level = LogLevel.Information, Message = "Recovered the call {Conversation} of a server that is gone")]
    public static partial void CallRecovered(ILogger logger, Guid conversation);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The spool {Path} belongs to a conversation that is not in this database; it stays")]
    public static partial void SpoolUnknown(ILogger logger, string path);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Spools of servers that are gone could not be recovered ({Fault}); the next run tries again")]
    public static partial void RecoveryFailed(ILogger logger, string fault);
}
