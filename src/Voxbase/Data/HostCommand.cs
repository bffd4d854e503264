using System.ComponentModel;
using System.Diagnostics;

namespace Voxbase.Data;

/// <summary>Runs the small programs that set up and control PostgreSQL, as another user where asked.</summary>
internal static class HostCommand
{
    public sealed record Result(int ExitCode, string Output, string Error)
    {
        /// <summary>The last lines the program wrote, for an error's details.</summary>
        public string Tail => LastLines(Error.Trim().Length > 0 ? Error : Output);
    }

    /// <summary>PostgreSQL refuses root only on Unix; on Windows its tools drop an administrator's rights by themselves.</summary>
    public static bool IsRoot => !OperatingSystem.IsWindows() && Environment.IsPrivilegedProcess;

    /// <exception cref="Win32Exception">The program is not there or may not be executed by that user.</exception>
    public static async Task<Result> RunAsync(
        string program, IEnumerable<string> arguments, string? user = null, string? folder = null, IReadOnlyDictionary<string, string>? environment = null,
        CancellationToken cancellationToken = default)
    {
        var start = StartInfo(program, arguments, user, folder);
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        var error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        try
        {
            await process.WaitForExitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return new Result(process.ExitCode, await output, await error);
    }

    public static ProcessStartInfo StartInfo(string program, IEnumerable<string> arguments, string? user, string? folder = null)
    {
        var start = new ProcessStartInfo(Locate(program), arguments)
        {
            UseShellExecute = false,
            CreateNoWindow = true,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,

            // The caller's own folder may be closed to the other user.
            WorkingDirectory = folder ?? Path.GetPathRoot(Environment.SystemDirectory is { Length: > 0 } system ? system : "/")!,
        };
        if (user is not null)
            start.UserName = user;

        // PGDATA, PGPORT, PGOPTIONS and their like are meant for somebody else's server; the messages are read by programs.
        foreach (var name in start.Environment.Keys.Where(k => k.StartsWith("PG", StringComparison.Ordinal)).ToList())
            start.Environment.Remove(name);
        start.Environment["LC_ALL"] = "C";
        return start;
    }

    // Process.Start looks into the program's own folder and the current one before PATH: as root, a file that somebody named chown
    // would run.
    private static string Locate(string program)
    {
        if (OperatingSystem.IsWindows() || program.Contains('/', StringComparison.Ordinal))
            return program;
        return (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
            .Where(Path.IsPathRooted)
            .Select(folder => Path.Combine(folder, program))
            .FirstOrDefault(File.Exists) ?? Path.Combine("/usr/bin", program);
    }

    public static string LastLines(string text, int count = 8) =>
        string.Join('\n', text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).TakeLast(count));
}
