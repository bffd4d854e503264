using System.Text;
using System.Text.Json;
using Spectre.Console;

namespace Voxbase.Server.Terminal;

/// <summary>
/// Where a command writes: what was asked for to the standard output, everything about it to the standard error. Colours and movement
/// only on a terminal, never with <c>NO_COLOR</c>; when the output goes to a file or another program it is plain and as wide as it needs.
/// </summary>
internal sealed class Output
{
    private const int PlainWidth = 120;

    private readonly Lazy<IAnsiConsole> standard = new(() => Create(Console.Out, Console.IsOutputRedirected));
    private readonly Lazy<IAnsiConsole> error = new(() => Create(Console.Error, Console.IsErrorRedirected));

    /// <summary>The standard output.</summary>
    public IAnsiConsole Standard => standard.Value;

    /// <summary>The standard error.</summary>
    public IAnsiConsole Error => error.Value;

    /// <summary>Whether somebody watches the standard output on a terminal that can move its cursor.</summary>
    public bool IsLive => !Console.IsOutputRedirected && Standard.Profile.Capabilities.Ansi;

    /// <summary>The same of the standard error.</summary>
    public bool ErrorIsLive => !Console.IsErrorRedirected && Error.Profile.Capabilities.Ansi;

    /// <summary>The signs that the output's encoding has.</summary>
    public Signs Signs => Standard.Profile.Capabilities.Unicode ? Signs.Unicode : Signs.Ascii;

    /// <summary>One JSON document on one line, and nothing else.</summary>
    public static void WriteJson<T>(T value) => WriteJson(Console.Out, value);

    /// <summary>The same, to a stream of choice.</summary>
    public static void WriteJson<T>(TextWriter writer, T value)
    {
        writer.WriteLine(JsonSerializer.Serialize(value, OutputJson.Options));
        writer.Flush();
    }

    private static IAnsiConsole Create(TextWriter writer, bool redirected)
    {
        var plain = redirected || Environment.GetEnvironmentVariable("TERM") is "dumb";
        var colourless = plain || !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = plain ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = colourless ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
            Interactive = plain ? InteractionSupport.No : InteractionSupport.Detect,
        });
        console.Profile.Capabilities.Unicode = IsUnicode(writer.Encoding);
        if (WidthOf(redirected) is { } width)
            console.Profile.Width = width;
        return console;
    }

    private static int? WidthOf(bool redirected) =>
        int.TryParse(Environment.GetEnvironmentVariable("COLUMNS"), out var columns) && columns is >= 40 and <= 1000 ? columns
        : redirected ? PlainWidth
        : null;

    private static bool IsUnicode(Encoding encoding) => encoding.CodePage is 65001 or 1200 or 1201 or 12000 or 12001;
}

/// <summary>Signs beyond ASCII, and what stands for them where the encoding has none.</summary>
internal sealed record Signs(string Dot, string Cut, string Arrow, string None, string Separator, string Ellipsis, string Tool)
{
    public static Signs Unicode { get; } = new("●", "✂", "→", "–", "·", "…", "ƒ");

    public static Signs Ascii { get; } = new("*", "//", "->", "-", "-", "...", "f");
}
