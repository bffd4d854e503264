using System.CommandLine;
using Spectre.Console;
using Voxbase.Server.Terminal;

namespace Voxbase.Server.Commands;

/// <summary><c>voxbase keys</c>: the two long-lived keys of this installation.</summary>
internal static class KeysCommand
{
    public static Command Create(Shell shell)
    {
        var secret = new Option<bool>("--secret") { Description = "Also the secret that tokens are signed with; whoever knows it can be anybody" };
        var command = new Command("keys", "Print the keys anon and service_role, made at the first start.") { secret, shell.Json };
        command.SetAction(parsed =>
        {
            var settings = shell.SettingsOf(parsed);
            var keys = ServerKeys.ReadOrCreate(settings.Home, settings.Voxbase.Tokens);
            var shown = parsed.GetValue(secret) ? keys.Secret : null;
            if (parsed.GetValue(shell.Json))
                Output.WriteJson(new { Anon = keys.AnonKey, ServiceRole = keys.ServiceRoleKey, Publishable = keys.PublishableKey, Secret = keys.SecretKey, JwtSecret = shown });
            else
                Write(shell.Output, keys, shown);
        });
        return shell.WithExamples(command, "voxbase keys", "voxbase keys --json | jq -r .anon");
    }

    // A key stays on one line, whatever the width: it is there to be copied.
    private static void Write(Output output, ServerKeys keys, string? secret)
    {
        Line("anon", "for clients that nobody has signed in to; may be public", keys.AnonKey);
        Line("service_role", "passes every policy; for servers only", keys.ServiceRoleKey);
        if (secret is not null)
            Line("JWT secret", "signs tokens with HS256", secret);

        void Line(string name, string meaning, string value)
        {
            output.Standard.Write(new Text(name, new Style(decoration: Decoration.Bold)));
            output.Standard.WriteLine("  " + meaning, new Style(decoration: Decoration.Dim));
            Console.Out.WriteLine(value);
        }
    }
}
