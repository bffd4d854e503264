using Microsoft.Extensions.Logging;

namespace Voxbase;

internal static partial class Log
{
    [LoggerMessage(Level = LogLevel.Information, Message = "The feed reads slot {Slot} from {Position}")]
    public static partial void FeedReads(ILogger logger, string slot, FeedPosition position);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The feed lost its connection ({Fault}); it begins again at {Position}")]
    public static partial void FeedLost(ILogger logger, string fault, FeedPosition position);

    // Without its message, which may quote a row.
    [LoggerMessage(Level = LogLevel.Error, Message = "The feed met a fault that it does not know, and goes on: {Fault} {Stack}")]
    private static partial void FeedFaulted(ILogger logger, string? fault, string? stack);

    public static void FeedFaulted(ILogger logger, Exception fault) => FeedFaulted(logger, fault.GetType().FullName, fault.StackTrace);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A message of the log under {Prefix} is not in the form that servers write; it is left out")]
    public static partial void FeedMessageMalformed(ILogger logger, string prefix);

    [LoggerMessage(Level = LogLevel.Error, Message = "The feed is off: {Reason}")]
    public static partial void FeedIsOff(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Gave up slot {Slot}: it held back {Megabytes} MB of the write-ahead log, or the database had dropped what it needs. Subscribers read anew")]
    public static partial void FeedSlotGivenUp(ILogger logger, string slot, long megabytes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Dropped slot {Slot}, whose server has not been there for long")]
    public static partial void FeedSlotDropped(ILogger logger, string slot);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Slot {Slot} is read by another process; waiting for it")]
    public static partial void FeedSlotBusy(ILogger logger, string slot);

    [LoggerMessage(Level = LogLevel.Error, Message = "The feed is past what it keeps; {Subscriptions} subscribers are told to read anew")]
    public static partial void FeedResync(ILogger logger, int subscriptions);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The feed could not ask the policies ({Code}); it tries again")]
    public static partial void FeedWaits(ILogger logger, string code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The policies of {Role} {Key} fail or are slow; they are asked apart from the others")]
    public static partial void FeedLaneOpened(ILogger logger, string role, string key);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Changes were left out for {Role} {Key}: {Code} {Details}")]
    public static partial void FeedPolicyFailed(ILogger logger, string role, string key, string code, string details);
}
