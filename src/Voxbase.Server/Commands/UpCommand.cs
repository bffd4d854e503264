using System.CommandLine;
using System.Net;
using Voxbase.Server.Hosting;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase up</c>: database and server.</summary>
internal static class UpCommand
{
    public static Command Create(Shell shell)
    {
        var port = new Option<int>("--port", "-p") { Description = "The port to listen on; 0 takes a free one", DefaultValueFactory = _ => 8700, HelpName = "port" };
        var host = new Option<IPAddress>("--host")
        {
            Description = "The address to listen on; 0.0.0.0 opens it to the network, so put TLS in front",
            DefaultValueFactory = _ => IPAddress.Loopback,
            HelpName = "address",
            CustomParser = result =>
            {
                var text = result.Tokens[0].Value;
                if (text is "localhost")
                    return IPAddress.Loopback;
                if (!IPAddress.TryParse(text, out var address))
                    result.AddError($"'{text}' is not an address such as 127.0.0.1, 0.0.0.0 or ::1.");
                return address;
            },
        };
        var demo = new Option<bool>("--demo") { Description = "Also capture a recorded phone call, twenty times as fast as it was, and show its record" };
        var exit = new Option<bool>("--exit-after-demo") { Description = "Stop when the demo's record is shown, instead of going on serving" };
        Arguments.Between(port, 0, 65535);
        var command = new Command("up", "Start the database and the server, and keep them running until Ctrl-C.") { port, host, demo, exit };
        command.Validators.Add(result =>
        {
            if (result.GetResult(exit) is not null && result.GetResult(demo) is null)
                result.AddError("--exit-after-demo goes with --demo.");
        });
        command.SetAction((parsed, ct) => new RunningServer(shell, parsed).RunAsync(
            new IPEndPoint(parsed.GetValue(host)!, parsed.GetValue(port)), parsed.GetValue(demo), parsed.GetValue(exit), ct));
        return shell.WithExamples(
            command,
            "voxbase up --demo",
            "voxbase up --host 0.0.0.0 --port 80",
            "voxbase up --database \"Host=db.example.org;Database=calls;Username=app;Password=…\"");
    }
}
