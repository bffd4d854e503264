using System.CommandLine;
using System.Globalization;
using System.Net;
using Spectre.Console;
using Voxbase.Data;
using Voxbase.Server.Rendering;

namespace Voxbase.Server.Hosting;

/// <summary>What <c>voxbase up</c> says when it is ready.</summary>
internal static class Banner
{
    public static void Write(Shell shell, string url, EmbeddedPostgres? postgres, Database database, IPAddress address)
    {
        var output = shell.Output;
        var took = shell.Elapsed.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
        var where = postgres is null
            ? database.Target
            : $"PostgreSQL {postgres.ServerVersion}, embedded in {postgres.Home}{(postgres.Joined ? ", shared with another process" : "")}";
        if (!output.IsLive)
        {
            output.Standard.WriteLine($"Voxbase {ProductVersion.Current.Version} is ready at {url} after {took} s");
            output.Standard.WriteLine($"Database: {where}");
        }
        else
        {
            var rows = new Grid().AddColumn(new GridColumn { NoWrap = true, Padding = new Padding(0, 0, 3, 0) }).AddColumn(new GridColumn { Padding = new Padding(0) });
            Row("API", new Text(url, new Style(Color.Aqua, decoration: Decoration.Bold)));
            Row("Database", new Text(where));
            Row("Keys", new Text($"{shell.Command} keys"));
            Row("Stop", new Text("Ctrl-C"));
            output.Standard.Write(new Panel(rows)
            {
                Header = new PanelHeader($" [bold]Voxbase[/] {ProductVersion.Current.Version} [dim]ready in {took} s[/] "),
                Border = output.Standard.Profile.Capabilities.Unicode ? BoxBorder.Rounded : BoxBorder.Ascii,
                BorderStyle = new Style(Color.Grey),
                Padding = new Padding(2, 0, 2, 0),
            });

            void Row(string name, Text value) => rows.AddRow(new Text(name, Tables.Dim), value);
        }

        if (!IPAddress.IsLoopback(address))
            output.Error.WriteLine("Open to the network without encryption: put a proxy with TLS in front.", new Style(Color.Yellow));
    }

    /// <summary>How to go on after the demo.</summary>
    public static void WriteNextSteps(Shell shell, ParseResult parsed, string url, Guid conversationId, string user)
    {
        // What was said on this command line must be said again on the next, or it would look elsewhere.
        var command = string.Concat(
            shell.Command,
            parsed.GetValue(shell.Home) is { } home ? $" --home {home}" : "",
            parsed.GetValue(shell.Database) is not null ? " --database …" : "");
        var output = shell.Output.Standard;
        output.WriteLine();
        output.WriteLine("Read it again, over the command line or, as its owner, over HTTP:", Tables.Dim);
        // Unwrapped, so that they can be pasted.
        Console.Out.WriteLine($"  {command} show {conversationId} --charges");
        Console.Out.WriteLine($"  curl -H \"Authorization: Bearer $({command} token --user {user})\" {url}/v1/conversations/{conversationId}");
        output.WriteLine("Capture a log of your own:", Tables.Dim);
        Console.Out.WriteLine($"  {command} replay call.jsonl");
    }
}
