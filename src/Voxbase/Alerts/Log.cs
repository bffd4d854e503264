using Microsoft.Extensions.Logging;

namespace Voxbase;

internal static partial class Log
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "Call {ConversationId} begins unchecked: the database did not answer ({Code})")]
    public static partial void CallAdmittedUnchecked(ILogger logger, Guid conversationId, string code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The reservation of call {ConversationId} was not released ({Code}); it lapses")]
    public static partial void ReleaseFailed(ILogger logger, Guid conversationId, string code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Where call {ConversationId} stands could not be read ({Code})")]
    public static partial void CheckFailed(ILogger logger, Guid conversationId, string code);

    [LoggerMessage(Level = LogLevel.Information, Message = "Ended call {ConversationId}: {Reason}")]
    public static partial void CallEnded(ILogger logger, Guid conversationId, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Call {ConversationId} could not be ended ({Fault}); the next look tries again")]
    public static partial void EndFailed(ILogger logger, Guid conversationId, string fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The client of call {ConversationId} could not be told ({Fault})")]
    public static partial void TellingFailed(ILogger logger, Guid conversationId, string fault);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Running calls could not be looked at ({Code}); the next round tries again")]
    public static partial void WatchFailed(ILogger logger, string code);

    [LoggerMessage(Level = LogLevel.Information, Message = "Alerts: {Opened} opened, {Resolved} resolved, {Delivered} delivered, {Failed} not delivered")]
    public static partial void AlertsRan(ILogger logger, int opened, int resolved, int delivered, int failed);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Alert rule {Rule} could not be evaluated ({Code}); the next run tries again")]
    public static partial void RuleFailed(ILogger logger, string rule, string code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Alerts could not be evaluated ({Code}); the next run tries again")]
    public static partial void AlertsFailed(ILogger logger, string code);

    // The endpoint's id, not its URL: those carry keys in their paths.
    [LoggerMessage(Level = LogLevel.Error, Message = "Gave up delivering {Delivery} to endpoint {EndpointId} after {Attempts} attempts: {Fault}")]
    public static partial void DeliveryDead(ILogger logger, Guid delivery, Guid endpointId, int attempts, string fault);
}
