using System.Diagnostics;
using System.Text;

namespace Voxbase.Server.Tests;

/// <summary>A running <c>voxbase up</c>.</summary>
internal sealed class UpProcess : IAsyncDisposable
{
    private const string Ready = " is ready at ";

    private readonly Process process;
    private readonly StringBuilder output = new();
    private readonly StringBuilder errors = new();
    private readonly Task<string> error;
    private bool isDisposed;

    private UpProcess(Process process)
    {
        this.process = process;
        error = ReadErrorsAsync();
    }

    public string Url { get; private set; } = "";

    /// <summary>The names of its threads, on Linux.</summary>
    public IEnumerable<string> Threads => Directory.GetDirectories($"/proc/{process.Id}/task").Select(NameOf);

    /// <summary>What it has logged.</summary>
    public string Errors
    {
        get
        {
            lock (errors)
                return errors.ToString();
        }
    }

    public static Task<UpProcess> StartAsync(Cli cli, params string[] arguments) => StartAsync(cli, [], arguments);

    public static async Task<UpProcess> StartAsync(Cli cli, (string Name, string Value)[] environment, params string[] arguments)
    {
        var up = new UpProcess(cli.Start(environment, ["up", "--port", "0", .. arguments]));
        while (await up.process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            up.output.AppendLine(line);
            if (line.IndexOf(Ready, StringComparison.Ordinal) is >= 0 and var at)
            {
                up.Url = line[(at + Ready.Length)..].Split(' ')[0];
                return up;
            }
        }

        await up.process.WaitForExitAsync();
        throw new InvalidOperationException($"up ended with {up.process.ExitCode}: {await up.error}");
    }

    /// <summary>As a terminal's Ctrl-C would.</summary>
    public async Task<Ran> InterruptAsync()
    {
        Signal(process.Id, "INT");
        return await EndAsync();
    }

    /// <summary>Without a chance to clean up.</summary>
    public async Task KillAsync()
    {
        process.Kill();
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>Waits for it to end by itself.</summary>
    public async Task<Ran> EndAsync()
    {
        output.Append(await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return new Ran(process.ExitCode, output.ToString(), await error);
    }

    public async ValueTask DisposeAsync()
    {
        if (isDisposed)
            return;
        isDisposed = true;
        if (!process.HasExited)
        {
            Signal(process.Id, "TERM");
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            try
            {
                await process.WaitForExitAsync(patience.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill(entireProcessTree: true);
            }
        }

        process.Dispose();
    }

    private async Task<string> ReadErrorsAsync()
    {
        while (await process.StandardError.ReadLineAsync() is { } line)
        {
            lock (errors)
                errors.AppendLine(line);
        }

        return Errors;
    }

    /// <summary>The embedded server's process id, or null when it does not run.</summary>
    public static int? PostmasterOf(Cli cli)
    {
        var file = Path.Combine(cli.Home, "data", "postmaster.pid");
        string? first;
        try
        {
            // A server that is starting has the file, but nothing in it yet; one that stops removes it under us.
            first = File.ReadLines(file).FirstOrDefault();
        }
        catch (IOException)
        {
            return null;
        }

        return int.TryParse(first, out var id) && Directory.Exists($"/proc/{id}") ? id : null;
    }

    public static void Signal(int processId, string signal)
    {
        using var kill = Process.Start("/bin/kill", ["-" + signal, processId.ToString()]);
        kill.WaitForExit();
    }

    private static string NameOf(string thread)
    {
        try
        {
            return File.ReadAllText(thread + "/comm").TrimEnd();
        }
        catch (IOException)
        {
            // It ended meanwhile.
            return "";
        }
    }
}
