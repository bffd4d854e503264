using Microsoft.Extensions.Logging;

namespace Voxbase;

internal static partial class UsageLog
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "Price book: {Problem}")]
    public static partial void PriceProblem(ILogger logger, string problem);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The price book could not be checked ({Code}); tomorrow's run tries again")]
    public static partial void PriceCheckFailed(ILogger logger, string code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Statistics could not be folded ({Code}); answers stay exact and the next run tries again")]
    public static partial void FoldFailed(ILogger logger, string code);
}
