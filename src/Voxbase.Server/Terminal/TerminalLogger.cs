using Spectre.Console;

namespace Voxbase.Server.Terminal;

/// <summary>
/// What the embedded database reports, on the standard error: what somebody who waits wants to know, and warnings. The routine of
/// starting and stopping only with VOXBASE_DEBUG.
/// </summary>
internal sealed class TerminalLogger(Output output) : ILogger
{
    private readonly bool everything = !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("VOXBASE_DEBUG"));

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
    {
        var routine = eventId.Name is "PostgresStarted" or "PostgresJoined" or "PostgresStopped";
        var progress = logLevel == LogLevel.Information && output.Error.Profile.Capabilities.Ansi;
        if (everything || logLevel >= LogLevel.Warning || (progress && !routine))
            output.Error.WriteLine(Plain.Lines(formatter(state, exception)), new Style(decoration: Decoration.Dim));
    }
}
