using System.Collections.Concurrent;
using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using Npgsql;
using Voxbase.Data;

namespace Voxbase;

/// <summary>
/// The statements that append turns. Each adds to the totals of its conversations, takes the numbers from there and inserts, each row
/// touched once. A conversation that the caller may not write is not among those updated, and so none of its turns is inserted. A turn
/// id that exists already fails the statement (unique_violation).
/// </summary>
/// <remarks>
/// A turn has some fifty columns and brings ten. A statement has only those that one of its turns brings: the others would cost a
/// third of it. The same few sets of columns come again and again, and so the same few prepared statements.
/// </remarks>
internal static class TurnInserts
{
    // What a turn may bring. Those in front come with turns as they are spoken; the rest a provider tells in detail, or a cleaner adds.
    private static readonly Column[] columns =
    [
        Text("speaker", t => t.Speaker),
        Time("started_at", t => t.StartedAt),
        Time("ended_at", t => t.EndedAt),
        Text("raw_text", t => t.RawText),
        Text("cleaned_text", t => t.CleanedText),
        Text("heard_text", t => t.HeardText),
        Flag("interrupted", t => t.Interrupted),
        Text("status", t => t.Status, "completed"),
        Text("language", t => t.Language),
        Text("provider", t => t.Provider),
        Text("model", t => t.Model),
        Text("response_id", t => t.ResponseId),
        Text("item_id", t => t.ItemId),
        Integer("input_tokens", t => t.InputTokens),
        Integer("output_tokens", t => t.OutputTokens),
        Integer("cached_tokens", t => t.CachedTokens),
        Integer("end_to_end_ms", t => t.EndToEndMs),
        Json("metadata", t => t.Metadata?.GetRawText(), "{}"),
        Integer("input_text_tokens", t => t.InputTextTokens),
        Integer("input_audio_tokens", t => t.InputAudioTokens),
        Integer("input_image_tokens", t => t.InputImageTokens),
        Integer("cached_text_tokens", t => t.CachedTextTokens),
        Integer("cached_audio_tokens", t => t.CachedAudioTokens),
        Integer("output_text_tokens", t => t.OutputTextTokens),
        Integer("output_audio_tokens", t => t.OutputAudioTokens),
        Integer("asr_ms", t => t.AsrMs),
        Integer("end_of_utterance_ms", t => t.EndOfUtteranceMs),
        Integer("rag_ms", t => t.RagMs),
        Integer("llm_first_token_ms", t => t.LlmFirstTokenMs),
        Integer("tts_first_byte_ms", t => t.TtsFirstByteMs),
        Integer("queue_ms", t => t.QueueMs),
        Integer("delivery_ms", t => t.DeliveryMs),
        Integer("audio_duration_ms", t => t.AudioDurationMs),
        Uuid("audio_file_id", t => t.AudioFileId),
        Text("cleaning_level", t => t.CleaningLevel is { } level ? TurnRows.Lower(level) : null, cast: "::vox.cleaning_level"),
        Flag("cleaning_applied", t => t.CleaningApplied),
        Text("confidence", t => t.Confidence is { } confidence ? TurnRows.Upper(confidence) : null, cast: "::vox.confidence"),
        Json("corrections", t => t.Corrections?.GetRawText(), "[]"),
        Text("context_detected", t => t.ContextDetected),
        Flag("transcription_error_detected", t => t.TranscriptionErrorDetected),
        Text("business_domain", t => t.BusinessDomain),
        Text("conversation_flow", t => t.ConversationFlow),
        Text("cleaner_model", t => t.CleanerModel),
        Text("cleaner_request_id", t => t.CleanerRequestId),
        Integer("processing_ms", t => t.ProcessingMs),
        Integer("sliding_window_size", t => t.SlidingWindowSize),
        Integer("context_turns_used", t => t.ContextTurnsUsed),
    ];

    // What a turn adds to its conversation's totals, and which column says so.
    private static readonly Sum[] sums =
    [
        new("input_tokens", Place("input_tokens"), t => t.InputTokens ?? 0, "{0}"),
        new("output_tokens", Place("output_tokens"), t => t.OutputTokens ?? 0, "{0}"),
        new("cached_tokens", Place("cached_tokens"), t => t.CachedTokens ?? 0, "{0}"),
        new("processing_ms", Place("processing_ms"), t => t.ProcessingMs ?? 0, "{0}"),
        new("latency_ms", Place("end_to_end_ms"), t => t.EndToEndMs ?? 0, "{0}"),
        new("latency_count", Place("end_to_end_ms"), t => t.EndToEndMs is null ? 0 : 1, "1"),
        new("confidence_high_count", Place("confidence"), t => t.Confidence == Confidence.High ? 1 : 0, "({0} = 'HIGH')::integer"),
        new("confidence_medium_count", Place("confidence"), t => t.Confidence == Confidence.Medium ? 1 : 0, "({0} = 'MEDIUM')::integer"),
        new("confidence_low_count", Place("confidence"), t => t.Confidence == Confidence.Low ? 1 : 0, "({0} = 'LOW')::integer"),
        new("interruption_count", Place("interrupted"), t => t.Interrupted ? 1 : 0, "1"),
    ];

    private static readonly ConcurrentDictionary<(ulong Columns, DateOnly? Month), string> ones = new();
    private static readonly ConcurrentDictionary<(ulong Columns, DateOnly? Month), string> manys = new();

    /// <summary>
    /// Appends one turn and returns its number, or null when the caller has no such conversation. The statement says itself who is asking. It
    /// goes to the partition of <paramref name="month"/>, which spares the search for it and the parent's triggers, or, when that is null, to
    /// wherever PostgreSQL finds it belongs.
    /// </summary>
    public static Task<int?> OneAsync(Database database, Caller caller, TurnInput row, DateOnly? month)
    {
        var given = Given(row.Turn);
        return database.RunAsWriterAsync(
            ones.GetOrAdd((given, month), static key => OneText(key.Columns, key.Month)),
            (given, caller, row),
            static (parameters, each) => FillOne(parameters, each.given, each.caller, each.row),
            static async (results, ct) => await results.ReadAsync(ct) ? results.GetInt32(0) : (int?)null,
            CancellationToken.None);
    }

    /// <summary>
    /// Appends turns of one caller, as <see cref="Caller.AsWriter"/>, no two of one id. Returns each conversation and its last number
    /// before: the turns follow in the order given. All of them are of <paramref name="month"/>, unless that is null.
    /// </summary>
    public static Statement Many(IReadOnlyList<TurnInput> rows, DateOnly? month)
    {
        var given = 0UL;
        // Of each row its conversation's place, in the order that they come in, and its own among that one's turns.
        var (places, ranks) = (new int[rows.Count], new int[rows.Count]);
        var counts = new int[rows.Count];
        var known = new Dictionary<Guid, int>();
        for (var i = 0; i < ranks.Length; i++)
        {
            given |= Given(rows[i].Turn);
            ref var place = ref CollectionsMarshal.GetValueRefOrAddDefault(known, rows[i].ConversationId, out var isKnown);
            if (!isKnown)
                place = known.Count - 1;
            places[i] = place;
            ranks[i] = ++counts[place];
        }

        // In the order of their ids, so that two writers never wait for each other crosswise.
        var conversations = known.OrderBy(each => each.Key).ToArray();
        var parameters = new List<NpgsqlParameter>
        {
            Parameter.Uuids(conversations, each => each.Key),
            Parameter.Integers(conversations, each => counts[each.Value]),
        };
        foreach (var sum in sums)
        {
            if ((given & sum.Source) == 0)
                continue;
            var added = new long[known.Count];
            for (var i = 0; i < places.Length; i++)
                added[places[i]] += sum.Of(rows[i].Turn);
            parameters.Add(Parameter.Bigints(conversations, each => added[each.Value]));
        }

        parameters.Add(Parameter.Uuids(rows, r => r.ConversationId));
        parameters.Add(Parameter.Uuids(rows, r => r.Id));
        parameters.Add(Parameter.Integers(ranks, rank => rank));
        parameters.Add(Parameter.Texts(rows, r => TurnRows.Lower(r.Turn.Role)));
        for (var left = given; left != 0; left &= left - 1)
            parameters.Add(columns[BitOperations.TrailingZeroCount(left)].Many(rows));
        return new Statement(manys.GetOrAdd((given, month), static key => ManyText(key.Columns, key.Month)), [.. parameters]);
    }

    private static void FillOne(KeptParameters parameters, ulong given, Caller caller, TurnInput row)
    {
        parameters.Uuid(row.ConversationId);
        parameters.Uuid(row.Id);
        parameters.Text(TurnRows.Lower(row.Turn.Role));
        parameters.Text(caller.Key);
        for (var left = given; left != 0; left &= left - 1)
            columns[BitOperations.TrailingZeroCount(left)].One(parameters, row.Turn);
    }

    // Who is asking is said where the conversation's key is worked out: before the first row is looked at, and so before the policy
    // asks. Were it ever said later, the policy would find nobody and refuse.
    private static string OneText(ulong given, DateOnly? month)
    {
        var (totals, names, values, place) = ("", "", "", 4);
        for (var left = given; left != 0; left &= left - 1)
        {
            var at = BitOperations.TrailingZeroCount(left);
            var parameter = string.Create(CultureInfo.InvariantCulture, $"${++place}");
            names += $", {columns[at].Name}";
            values += $", {parameter}{columns[at].Cast}";
            foreach (var sum in sums)
            {
                if (sum.Source == 1UL << at)
                    totals += $"{sum.Name} = {sum.Name} + {string.Format(CultureInfo.InvariantCulture, sum.OneExpression, parameter)}, ";
            }
        }

        return
            $"""
            with target as (
              update vox.conversations set turn_count = turn_count + 1, last_sequence = last_sequence + 1, {totals}usage_stale = true, updated_at = now()
              where id = (select case when set_config('vox.caller', $4, true) is not null then $1 end)
              returning user_id, last_sequence
            )
            insert into {Table(month)} (conversation_id, id, sequence_number, user_id, role{names})
            select $1, $2, t.last_sequence, t.user_id, $3::vox.turn_role{values}
            from target t
            returning sequence_number
            """;
    }

    private static string ManyText(ulong given, DateOnly? month)
    {
        var (totals, added, names, values) = ("", "", "", "");
        var (parameters, place) = ("$1, $2", 2);
        foreach (var sum in sums)
        {
            if ((given & sum.Source) == 0)
                continue;
            totals += $"{sum.Name} = c.{sum.Name} + a.{sum.Name}, ";
            added += $", {sum.Name}";
            parameters += string.Create(CultureInfo.InvariantCulture, $", ${++place}");
        }

        var rows = string.Create(CultureInfo.InvariantCulture, $"${++place}, ${++place}, ${++place}, ${++place}");
        for (var left = given; left != 0; left &= left - 1)
        {
            var column = columns[BitOperations.TrailingZeroCount(left)];
            names += $", {column.Name}";
            values += $", n.{column.Name}{column.Cast}";
            rows += string.Create(CultureInfo.InvariantCulture, $", ${++place}");
        }

        return
            $"""
            with target as (
              update vox.conversations c set
                turn_count = c.turn_count + a.turns, last_sequence = c.last_sequence + a.turns, {totals}usage_stale = true, updated_at = now()
              from unnest({parameters}) as a(conversation_id, turns{added})
              where c.id = a.conversation_id
              returning c.id, c.user_id, c.last_sequence - a.turns as last_sequence
            ), added as (
              insert into {Table(month)} (conversation_id, id, sequence_number, user_id, role{names})
              select n.conversation_id, n.id, t.last_sequence + n.rank, t.user_id, n.role::vox.turn_role{values}
              from unnest({rows}) as n(conversation_id, id, rank, role{names})
              join target t on t.id = n.conversation_id
            )
            select id, last_sequence from target
            """;
    }

    private static string Table(DateOnly? month) =>
        month is { } known ? string.Create(CultureInfo.InvariantCulture, $"vox.turns_{known:yyyy_MM}") : "vox.turns";

    private static ulong Given(NewTurn turn)
    {
        var given = 0UL;
        for (var i = 0; i < columns.Length; i++)
        {
            if (columns[i].IsGiven(turn))
                given |= 1UL << i;
        }

        return given;
    }

    private static ulong Place(string name) => 1UL << Array.FindIndex(columns, column => column.Name == name);

    // The absent value is the table's default: a batch needs it for the turns that don't bring the column.
    private static Column Text(string name, Func<NewTurn, string?> value, string? absent = null, string cast = "") => new(
        name, t => value(t) is not null, (p, t) => p.Text(value(t)!),
        rows => Parameter.Texts(rows, r => value(r.Turn) ?? absent), cast);

    private static Column Json(string name, Func<NewTurn, string?> value, string absent) => new(
        name, t => value(t) is not null, (p, t) => p.Json(value(t)!),
        rows => Parameter.Jsons(rows, r => value(r.Turn) ?? absent));

    private static Column Integer(string name, Func<NewTurn, int?> value) => new(
        name, t => value(t) is not null, (p, t) => p.Integer(value(t)!.Value),
        rows => Parameter.Integers(rows, r => value(r.Turn)));

    private static Column Time(string name, Func<NewTurn, DateTimeOffset?> value) => new(
        name, t => value(t) is not null, (p, t) => p.Time(value(t)!.Value),
        rows => Parameter.Times(rows, r => value(r.Turn)));

    private static Column Uuid(string name, Func<NewTurn, Guid?> value) => new(
        name, t => value(t) is not null, (p, t) => p.Uuid(value(t)!.Value),
        rows => Parameter.Uuids(rows, r => value(r.Turn)));

    private static Column Flag(string name, Func<NewTurn, bool> value) => new(
        name, value, (p, t) => p.Boolean(value(t)), rows => Parameter.Booleans(rows, r => value(r.Turn)));

    // One tells a lone turn's value, only where IsGiven.
    private sealed record Column(
        string Name,
        Func<NewTurn, bool> IsGiven,
        Action<KeptParameters, NewTurn> One,
        Func<IReadOnlyList<TurnInput>, NpgsqlParameter> Many,
        string Cast = "");

    private sealed record Sum(string Name, ulong Source, Func<NewTurn, long> Of, string OneExpression);
}
