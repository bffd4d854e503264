using Microsoft.Extensions.Options;
using Spectre.Console;

namespace Voxbase.Server.Terminal;

/// <summary>How an error is told: two or three lines, or one JSON object, on the standard error. Stack traces only on request.</summary>
internal static class ErrorReport
{
    public static void Write(Output output, Exception exception, bool asJson)
    {
        var error = exception switch
        {
            VoxbaseException known => known,
            OptionsValidationException options => ServerErrors.SettingInvalid.With(string.Join("; ", options.Failures), inner: options),
            _ => ServerErrors.Unexpected.With($"{exception.GetType().Name}: {exception.Message}", inner: exception),
        };
        if (asJson)
            Output.WriteJson(Console.Error, new { error.Code, error.Message, error.Details, error.Hint });
        else
            Write(output, error.Code, error.Message, error.Details, error.Hint);
        if (!string.IsNullOrEmpty(Environment.GetEnvironmentVariable("VOXBASE_DEBUG")))
            Console.Error.WriteLine(exception);
    }

    public static void Write(Output output, string code, string message, string? details, string hint)
    {
        var console = output.Error;
        WriteLine(console, "error ", new Style(Color.Red, decoration: Decoration.Bold), $"{code}: {message}");
        if (!string.IsNullOrWhiteSpace(details))
            WriteLine(console, "", null, details);
        WriteHint(output, hint);
    }

    public static void WriteHint(Output output, string hint) =>
        WriteLine(output.Error, "hint: ", new Style(decoration: Decoration.Dim), hint, new Style(decoration: Decoration.Dim));

    // Lines of an error stay whole, so that they can be searched and copied; a terminal wraps them by itself.
    private static void WriteLine(IAnsiConsole console, string label, Style? labelStyle, string text, Style? style = null)
    {
        if (console.Profile.Capabilities.Ansi)
        {
            console.Write(new Text(label, labelStyle));
            console.Write(new Text(Plain.Lines(text), style) { Overflow = Overflow.Fold });
            console.WriteLine();
        }
        else
        {
            Console.Error.WriteLine(label + Plain.Lines(text));
        }
    }
}
