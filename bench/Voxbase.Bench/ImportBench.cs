using System.Diagnostics;
using System.Text;
using Voxbase.Capture;

namespace Voxbase.Bench;

/// <summary>A transcript imported, beside its turns appended in batches of the same size.</summary>
internal static class ImportBench
{
    private const int Turns = 20_000;

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchEnvironment environment, int rounds)
    {
        var imports = new TranscriptImports(environment.Database.Conversations, TimeProvider.System);
        await AppendRateAsync(environment);
        await ImportRateAsync(environment, imports, "warm");
        var rates = new List<(double, double)>();
        for (var round = 0; round < rounds; round++)
        {
            var appended = await AppendRateAsync(environment);
            rates.Add((await ImportRateAsync(environment, imports, $"round {round}"), appended));
        }

        return [Figure.Of("import", "a WebVTT file of 20,000 cues", "turns/s", rates, "AppendAsync in the same batches", 0.7, atLeast: true)];
    }

    private static async Task<double> ImportRateAsync(BenchEnvironment environment, TranscriptImports imports, string round)
    {
        // Another content each time: the same one would be there already.
        var text = new StringBuilder($"WEBVTT - {round}\n\n");
        for (var i = 0; i < Turns; i++)
            text.Append($"{i / 3600:00}:{i / 60 % 60:00}:{i % 60:00}.000 --> {i / 3600:00}:{i / 60 % 60:00}:{i % 60:00}.900\n<v Ada>{RawAppends.Text}\n\n");
        var file = Encoding.UTF8.GetBytes(text.ToString());
        var watch = Stopwatch.StartNew();
        var result = await imports.ImportAsync(environment.User, new MemoryStream(file));
        return result.NewTurns == Turns ? Turns / watch.Elapsed.TotalSeconds : throw new InvalidOperationException($"{result.NewTurns} turns of {Turns} came.");
    }

    private static async Task<double> AppendRateAsync(BenchEnvironment environment)
    {
        var conversation = await environment.NewConversationAsync();
        var started = DateTimeOffset.UtcNow;
        var turns = Enumerable.Range(0, Turns).Select(i => new NewTurn
        {
            Id = Guid.CreateVersion7(),
            Role = TurnRole.User,
            Speaker = "Ada",
            RawText = RawAppends.Text,
            StartedAt = started.AddSeconds(i),
            EndedAt = started.AddSeconds(i + 0.9),
        }).Chunk(TranscriptImports.TurnsPerAppend).ToList();
        var watch = Stopwatch.StartNew();
        foreach (var batch in turns)
            await environment.Database.Conversations.AppendAsync(environment.User, conversation, batch);
        return Turns / watch.Elapsed.TotalSeconds;
    }
}
