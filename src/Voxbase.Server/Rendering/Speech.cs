using System.Text.Json;
using Spectre.Console;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Rendering;

/// <summary>What was said and done, as a line of text: what nobody heard is struck through.</summary>
internal static class Speech
{
    private const int ShownJson = 160;

    /// <summary>A turn's words.</summary>
    /// <param name="words">What was said, as far as it is known.</param>
    /// <param name="heard">For an interrupted turn: what was heard of it, or null when nobody knows.</param>
    /// <param name="interrupted">Whether it was cut short.</param>
    /// <param name="status">What to say where there are no words.</param>
    /// <param name="signs">The signs there are.</param>
    public static Paragraph Of(string? words, string? heard, bool interrupted, string? status, Signs signs)
    {
        var text = Plain.Text(words).Trim();
        var said = new Paragraph();
        if (text.Length == 0)
            return said.Append(status is null or "completed" ? signs.None : $"({Plain.Text(status)})", Tables.Dim);
        if (!interrupted)
            return said.Append(text);

        // Most often what was heard begins what was said, and one line can show both.
        var known = Plain.Text(heard).Trim();
        var mark = new Style(Color.Red);
        if (heard is null)
            return said.Append(text).Append($" {signs.Cut} interrupted, nobody knows where", mark);
        if (text.StartsWith(known, StringComparison.Ordinal))
            return said.Append(known).Append($" {signs.Cut} ", mark).Append(text[known.Length..].TrimStart(), new Style(decoration: Decoration.Dim | Decoration.Strikethrough));
        return said.Append(text).Append($"\n{signs.Cut} heard: ", mark).Append(known);
    }

    /// <summary>A tool call: name, arguments and what came of it.</summary>
    public static Paragraph OfCall(string? name, string? arguments, string status, string? outcome, Signs signs)
    {
        var said = Tables.Line(
            (Plain.Text(name ?? "unknown"), new Style(Color.Yellow)),
            ($"({Cut(arguments, signs)})", Tables.Dim));
        var result = Cut(outcome ?? (status == "completed" ? null : status), signs);
        return result.Length == 0 ? said : said.Append($" {signs.Arrow} {result}", status == "failed" ? new Style(Color.Red) : Tables.Dim);
    }

    /// <inheritdoc cref="OfCall(string?, string?, string, string?, Signs)"/>
    public static Paragraph OfCall(FunctionCall call, Signs signs) =>
        OfCall(call.Name, Json(call.Arguments), call.Status, call.ErrorMessage ?? Json(call.Result), signs);

    private static string Cut(string? text, Signs signs) => Plain.Cut(text, ShownJson, signs.Ellipsis);

    private static string? Json(JsonElement? json) => json?.GetRawText();
}
