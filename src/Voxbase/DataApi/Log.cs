using Microsoft.Extensions.Logging;

namespace Voxbase.DataApi;

internal static partial class DataApiLog
{
    [LoggerMessage(LogLevel.Warning, "The catalogs could not be read for the Data API: {Code}. What was read before goes on serving.")]
    public static partial void ReloadFailed(ILogger logger, string code);

    [LoggerMessage(LogLevel.Debug, "The Data API has read the catalogs.")]
    public static partial void Reloaded(ILogger logger);

    [LoggerMessage(LogLevel.Error, "The Data API failed: {Method} {Status} {Code}.")]
    public static partial void Failed(ILogger logger, string method, int status, string code);
}
