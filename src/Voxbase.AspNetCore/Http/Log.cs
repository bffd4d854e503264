using Microsoft.Extensions.Logging;

namespace Voxbase.AspNetCore;

internal static partial class Log
{
    // Types and frames only: a message may quote what was sent.
    [LoggerMessage(Level = LogLevel.Error, Message = "Trace {TraceId}: {Method} {Route} failed with {Fault}\n{Stack}")]
    public static partial void Failed(ILogger logger, string traceId, string method, string? route, string fault, string? stack);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Trace {TraceId}: {Method} {Route} answered {Status} {Code}")]
    public static partial void Unavailable(ILogger logger, string traceId, string method, string? route, int status, string code);

    [LoggerMessage(Level = LogLevel.Information, Message = "The relayed call of {Conversation} ended with {Reason} after {Events} events")]
    public static partial void Relayed(ILogger logger, Guid conversation, string reason, long events);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A client of channels was cut off: more than {Bytes} bytes waited for it")]
    public static partial void ClientTooSlow(ILogger logger, int bytes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A channel failed ({Fault})")]
    public static partial void ChannelFailed(ILogger logger, string fault);
}
