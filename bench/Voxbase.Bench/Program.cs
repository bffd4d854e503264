using System.Text.Json;
using Voxbase.Bench;

if (args is [RelayLoad.Argument])
    return await RelayLoad.RunAsync();

if (args is [BareStreams.Argument])
{
    await BareStreams.RunAsync();
    return 0;
}

// voxbase bench [NAME …] [--json] [--rounds N] [--write FILE]
var names = new List<string>();
var (asJson, rounds, write) = (false, 5, (string?)null);
for (var i = 0; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--json": asJson = true; break;
        case "--rounds" when i + 1 < args.Length && int.TryParse(args[i + 1], out var given) && given > 0: rounds = given; i++; break;
        case "--write" when i + 1 < args.Length: write = args[++i]; break;
        case var name when Benches.All.Any(b => b.Name.StartsWith(name, StringComparison.Ordinal)): names.Add(name); break;
        default:
            await Console.Error.WriteLineAsync($"'{args[i]}' is no bench. Usage: voxbase bench [NAME …] [--rounds N] [--json] [--write FILE]");
            await Console.Error.WriteLineAsync($"Benches: {string.Join(", ", Benches.All.Select(b => b.Name))}");
            return 2;
    }
}

var chosen = Benches.All.Where(b => names.Count == 0 || names.Any(n => b.Name.StartsWith(n, StringComparison.Ordinal))).ToList();
await using var environment = await BenchEnvironment.StartAsync();
var figures = new List<Figure>();
foreach (var bench in chosen)
{
    Report.Progress($"measuring {bench.Name} …");
    figures.AddRange(await bench.RunAsync(environment, rounds));
}

if (asJson)
    Console.WriteLine(JsonSerializer.Serialize(new { environment.Machine, Rounds = rounds, Figures = figures }, Report.Json));
else
    Report.Table(environment.Machine, rounds, figures);
if (write is not null)
    await File.WriteAllTextAsync(write, Report.Markdown(environment.Machine, rounds, figures, File.Exists(write) ? await File.ReadAllTextAsync(write) : ""));
return figures.All(f => f.IsMet) ? 0 : 1;
