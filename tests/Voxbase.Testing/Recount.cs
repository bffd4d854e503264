using Npgsql;

namespace Voxbase.Testing;

/// <summary>Counts again what the database keeps as totals, and looks for gaps and copies in the numbers.</summary>
public static class Recount
{
    /// <summary>One line for each conversation whose totals or numbers are not what its rows say. Reads as the service.</summary>
    public const string Sql =
        """
        with kept as (
          select id, turn_count, last_sequence, input_tokens, output_tokens, cached_tokens, cost_usd, unpriced_count, processing_ms,
            latency_ms, latency_count, confidence_high_count, confidence_medium_count, confidence_low_count, interruption_count,
            function_call_count, error_count
          from vox.conversations
        ), of_turns as (
          select conversation_id, count(*) as turns, max(sequence_number) as last, count(distinct sequence_number) as numbers,
            count(distinct id) as ids, min(sequence_number) as first, sum(input_tokens) as input, sum(output_tokens) as output,
            sum(cached_tokens) as cached, sum(processing_ms) as processing, sum(end_to_end_ms) as latency,
            count(end_to_end_ms) as latencies, count(*) filter (where confidence = 'HIGH') as high,
            count(*) filter (where confidence = 'MEDIUM') as medium, count(*) filter (where confidence = 'LOW') as low,
            count(*) filter (where interrupted) as interruptions
          from vox.turns group by conversation_id
        ), of_events as (
          select conversation_id, sum(input_tokens) filter (where turn_id is null) as input,
            sum(output_tokens) filter (where turn_id is null) as output, sum(cached_tokens) filter (where turn_id is null) as cached,
            count(*) filter (where event_type = 'error') as errors
          from vox.usage_events group by conversation_id
        ), of_charges as (
          select conversation_id, sum(amount_usd) as cost, sum((unit_price_usd is null)::integer - (corrects is not null and before_usd is null)::integer) as unpriced
          from vox.charges group by conversation_id
        ), of_calls as (
          select conversation_id, count(*) as calls from vox.function_calls group by conversation_id
        ), counted as (
          select c.id, coalesce(t.turns, 0)::integer as turn_count, coalesce(t.last, 0) as last_sequence,
            coalesce(t.input, 0) + coalesce(e.input, 0) as input_tokens, coalesce(t.output, 0) + coalesce(e.output, 0) as output_tokens,
            coalesce(t.cached, 0) + coalesce(e.cached, 0) as cached_tokens, coalesce(p.cost, 0)::numeric(18,9) as cost_usd,
            coalesce(p.unpriced, 0)::integer as unpriced_count, coalesce(t.processing, 0) as processing_ms,
            coalesce(t.latency, 0) as latency_ms, coalesce(t.latencies, 0)::integer as latency_count,
            coalesce(t.high, 0)::integer as confidence_high_count, coalesce(t.medium, 0)::integer as confidence_medium_count,
            coalesce(t.low, 0)::integer as confidence_low_count, coalesce(t.interruptions, 0)::integer as interruption_count,
            coalesce(f.calls, 0)::integer as function_call_count, coalesce(e.errors, 0)::integer as error_count
          from vox.conversations c
          left join of_turns t on t.conversation_id = c.id
          left join of_events e on e.conversation_id = c.id
          left join of_charges p on p.conversation_id = c.id
          left join of_calls f on f.conversation_id = c.id
        )
        select 'totals ' || to_jsonb(k)::text || ' counted ' || to_jsonb(c)::text
        from kept k join counted c using (id)
        where to_jsonb(k) <> to_jsonb(c)
        union all
        select format('numbers of %s: %s turns, %s numbers, %s ids from %s to %s', conversation_id, turns, numbers, ids, first, last)
        from of_turns
        where (turns, turns, turns, 1) <> (numbers, ids, last, first)
        """;

    /// <summary>What <see cref="Sql"/> finds; empty when everything agrees.</summary>
    public static Task<List<string>> FaultsAsync(TestDatabase database, CancellationToken cancellationToken) =>
        database.Database.RunAsync(
            Caller.Service,
            [new Data.Statement(Sql)],
            static async (NpgsqlDataReader results, CancellationToken ct) =>
            {
                var faults = new List<string>();
                while (await results.ReadAsync(ct))
                    faults.Add(results.GetString(0));
                return faults;
            },
            cancellationToken);
}
