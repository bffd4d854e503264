using System.Diagnostics;
using Npgsql;
using NpgsqlTypes;

namespace Voxbase.Bench;

/// <summary>
/// What one would write without Voxbase: a prepared autocommit insert of the same turn into a plain table with the same columns, the
/// same checks and the same two unique indexes, but without owner, policies, totals, numbering, foreign key or partitions.
/// </summary>
internal static class RawAppends
{
    public const string CreateTable =
        """
        create table public.raw_turns (like vox.turns including defaults including constraints including generated);
        alter table public.raw_turns add primary key (conversation_id, id), add unique (conversation_id, sequence_number);
        """;

    public const string Text = "I would like to move my appointment to next Thursday afternoon, if that is possible at all.";

    public static NewTurn Turn() => new()
    {
        Id = Guid.CreateVersion7(),
        Role = TurnRole.User,
        RawText = Text,
        Model = "gpt-realtime",
        InputTokens = 120,
        OutputTokens = 30,
        EndToEndMs = 640,
    };

    /// <summary>Inserts that many turns into a conversation of its own; the time of each goes to <paramref name="times"/>.</summary>
    public static async Task LoopAsync(NpgsqlDataSource source, int turns, List<double>? times = null)
    {
        await using var connection = await source.OpenConnectionAsync();
        await using var command = new NpgsqlCommand(
            """
            insert into public.raw_turns (conversation_id, id, sequence_number, role, raw_text, model, input_tokens, output_tokens, end_to_end_ms)
            values ($1, $2, $3, 'user', $4, $5, $6, $7, $8)
            """,
            connection);
        var conversation = new NpgsqlParameter<Guid> { TypedValue = Guid.CreateVersion7() };
        var id = new NpgsqlParameter<Guid>();
        var number = new NpgsqlParameter<int>();
        NpgsqlParameter[] parameters =
        [
            conversation, id, number,
            new NpgsqlParameter<string> { TypedValue = Text, NpgsqlDbType = NpgsqlDbType.Text },
            new NpgsqlParameter<string> { TypedValue = "gpt-realtime", NpgsqlDbType = NpgsqlDbType.Text },
            new NpgsqlParameter<int> { TypedValue = 120 }, new NpgsqlParameter<int> { TypedValue = 30 }, new NpgsqlParameter<int> { TypedValue = 640 },
        ];
        command.Parameters.AddRange(parameters);
        await command.PrepareAsync();
        for (var i = 1; i <= turns; i++)
        {
            id.TypedValue = Guid.CreateVersion7();
            number.TypedValue = i;
            var started = Stopwatch.GetTimestamp();
            await command.ExecuteNonQueryAsync();
            times?.Add(Stopwatch.GetElapsedTime(started).TotalMicroseconds);
        }
    }
}
