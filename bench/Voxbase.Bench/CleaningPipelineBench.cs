using System.Diagnostics;
using Npgsql;
using Voxbase.Cleaning;
using Voxbase.Data;

namespace Voxbase.Bench;

/// <summary>Cleaning end to end: in memory through the library, a backlog through the database, and what an append pays for it.</summary>
internal static class CleaningPipelineBench
{
    private const int Conversations = 32;
    private const int Turns = 250;
    private const int BatchTurns = 1_000;

    // What one would write without Voxbase: the cleaned texts, from arrays, a thousand turns a statement, into a table without policies or totals.
    private const string RawUpdate =
        """
        update public.raw_turns t set cleaned_text = n.cleaned_text, cleaning_level = 'full', cleaning_applied = true, confidence = 'HIGH',
          corrections = n.corrections, processing_ms = 0, sliding_window_size = 20, context_turns_used = 20, cleaner_model = 'raw'
        from unnest($1::uuid[], $2::uuid[], $3::text[], $4::jsonb[]) n(conversation_id, id, cleaned_text, corrections)
        where t.conversation_id = n.conversation_id and t.id = n.id
        """;

    private static readonly string[] Said =
    [
        "so um i would like to move the the appointment from thursday to friday if that is you know still possible please",
        "the invoice says two hundred and forty dollars but on the phone they told me it would be no more than two hundred dollars",
        "could you tell me whether the garden gate is open on sunday no wait on saturday because my sister wants to come over then",
        "that is fine thank you very much",
    ];

    public static async Task<IReadOnlyList<Figure>> RunAsync(BenchEnvironment environment, int rounds)
    {
        var (memory, pipeline, append) = (new List<(double, double)>(), new List<(double, double)>(), new List<(double, double)>());
        InMemory(environment.Database.Transcripts);
        await BacklogAsync(environment, Conversations / 4);
        for (var round = 0; round < rounds; round++)
        {
            memory.Add((InMemory(environment.Database.Transcripts), 30_000));
            var raw = await RawAsync(environment);
            pipeline.Add((await BacklogAsync(environment, Conversations), raw));
            append.Add(await AppendsAsync(environment));
        }

        return
        [
            Figure.Of("cleaning", "turns without terms through Transcripts, kept nowhere, on all cores", "turns/s", memory, "bound", 1, atLeast: true),
            Figure.Of("cleaning", "a backlog read, cleaned and written", "turns/s", pipeline, "raw update of a plain table", null, atLeast: true),
            Figure.Of("cleaning", "an append to a conversation that is cleaned as it goes", "µs", append, "one that is not", 1.2, atLeast: false),
        ];
    }

    private static double InMemory(Transcripts transcripts)
    {
        var turns = Enumerable.Range(0, Turns).Select(i => new TurnToClean { RawText = Said[i % Said.Length] }).ToList();
        var watch = Stopwatch.StartNew();
        Parallel.For(0, Conversations, _ => transcripts.Clean(turns));
        return Conversations * Turns / watch.Elapsed.TotalSeconds;
    }

    private static async Task<double> BacklogAsync(BenchEnvironment environment, int conversations)
    {
        var database = environment.Database;
        for (var c = 0; c < conversations; c++)
        {
            var id = (await database.Conversations.StartAsync(
                environment.User,
                new NewConversation { Status = ConversationStatus.Active, Preferences = System.Text.Json.JsonElement.Parse("""{"cleaning":true}""") })).Id;
            await database.Conversations.AppendAsync(
                environment.User, id, [.. Enumerable.Range(0, Turns).Select(i => RawAppends.Turn() with { RawText = Said[i % Said.Length] })]);
        }

        var watch = Stopwatch.StartNew();
        await database.TranscriptCleaning.SweepAsync(CancellationToken.None);
        var runs = await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Task.Run(() => database.TranscriptCleaning.CleanWaitingAsync(CancellationToken.None))));
        return runs.Sum(run => run.Turns) / watch.Elapsed.TotalSeconds;
    }

    private static async Task<double> RawAsync(BenchEnvironment environment)
    {
        var ids = new List<(Guid Conversation, Guid Id)>();
        await using var connection = await environment.Raw.OpenConnectionAsync();
        var conversation = Guid.CreateVersion7();
        await using (var insert = new NpgsqlCommand(
            """
            insert into public.raw_turns (conversation_id, id, sequence_number, role, raw_text)
            select $1, vox.uuid_v7(), n, 'user', $2 from generate_series(1, $3) n returning id
            """,
            connection)
        {
            Parameters = { Parameter.Uuid(conversation), Parameter.Text(Said[0]), Parameter.Integer(Conversations * Turns) },
        })
        {
            await using var rows = await insert.ExecuteReaderAsync();
            while (await rows.ReadAsync())
                ids.Add((conversation, rows.GetGuid(0)));
        }

        var corrections = CleaningJson.Write(TurnCorrection.Of(new TurnCleaner().Clean(Said[0], new CleaningState())));
        await using (var relaxed = new NpgsqlCommand("set synchronous_commit = off", connection))
            await relaxed.ExecuteNonQueryAsync();
        var watch = Stopwatch.StartNew();
        foreach (var batch in ids.Chunk(BatchTurns))
        {
            await using var update = new NpgsqlCommand(RawUpdate, connection)
            {
                Parameters =
                {
                    Parameter.Uuids(batch, row => row.Conversation), Parameter.Uuids(batch, row => row.Id), Parameter.Texts(batch, _ => Said[0]),
                    Parameter.Jsons(batch, _ => corrections),
                },
            };
            await update.ExecuteNonQueryAsync();
        }

        var rate = ids.Count / watch.Elapsed.TotalSeconds;
        await using (var strict = new NpgsqlCommand("reset synchronous_commit", connection))
            await strict.ExecuteNonQueryAsync();
        return rate;
    }

    private static async Task<(double Cleaned, double Plain)> AppendsAsync(BenchEnvironment environment)
    {
        var database = environment.Database;
        var cleaned = (await database.Conversations.StartAsync(
            environment.User,
            new NewConversation { Status = ConversationStatus.Active, Preferences = System.Text.Json.JsonElement.Parse("""{"cleaning":true}""") })).Id;
        var plain = await environment.NewConversationAsync();
        var (with, without) = (new List<double>(), new List<double>());
        // One to each in turns, now the one first and now the other, and what was appended is cleaned before the next two: at the pace of a conversation, and
        // whatever cleaning does to the machine, it does to both.
        for (var i = 0; i < 500; i++)
        {
            if (i % 2 == 0)
                without.AddRange(await TimeAsync(plain));
            with.AddRange(await TimeAsync(cleaned));
            if (i % 2 == 1)
                without.AddRange(await TimeAsync(plain));
            await database.TranscriptCleaning.CleanWaitingAsync(CancellationToken.None);
        }

        return (Figure.Median(with), Figure.Median(without));

        Task<List<double>> TimeAsync(Guid conversation) => Benches.TimesAsync(1, () => database.Conversations.AppendAsync(environment.User, conversation, RawAppends.Turn()));
    }
}
