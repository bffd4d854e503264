using Voxbase.Data;

namespace Voxbase;

/// <summary>Something used that is to be charged.</summary>
public sealed record NewCharge
{
    /// <summary>Made by the caller from what is charged, so that recording it again adds nothing.</summary>
    public required Guid Id { get; init; }

    /// <summary>The conversation.</summary>
    public required Guid ConversationId { get; init; }

    /// <summary>The turn, or null for what belongs to none.</summary>
    public Guid? TurnId { get; init; }

    /// <summary>llm, asr, tts or session.</summary>
    public required string Stage { get; init; }

    /// <summary>See <see cref="Meters"/>.</summary>
    public required string Meter { get; init; }

    /// <summary>Who charges.</summary>
    public required string Provider { get; init; }

    /// <summary>The model; null where the provider never named it, and then there is no price.</summary>
    public string? Model { get; init; }

    /// <summary>How many units, from 0 up.</summary>
    public required decimal Quantity { get; init; }

    /// <summary>When it was used: the price of that moment counts.</summary>
    public required DateTimeOffset ChargedAt { get; init; }
}

/// <summary>What was used, at the price that held then.</summary>
public sealed class Charges(Database database)
{
    // The price of `n`, and where the provider had it cached, that of the same uncached.
    private const string PriceOfN =
        $"""
        left join lateral (
          select p.unit_price_usd, p.per
          from vox.prices p
          where p.meter = n.meter and {PriceBook.Holds}
          {PriceBook.MostSpecific}
        ) price on true
        left join lateral (
          select p.unit_price_usd, p.per
          from vox.prices p
          where n.meter like '%.cached' and p.meter = left(n.meter, -7) and {PriceBook.Holds}
          {PriceBook.MostSpecific}
        ) uncached on true
        """;

    // What caching saved of a quantity `n` at these prices; nothing where one of them is unknown.
    private const string SavedByN =
        """
        coalesce(round(n.quantity * uncached.unit_price_usd / uncached.per, 9) - round(n.quantity * price.unit_price_usd / price.per, 9), 0)
        """;

    /// <summary>Looks the price up and records, in one statement. Without a price the charge stays unpriced: never guessed.</summary>
    internal const string RecordSql =
        $"""
        insert into vox.charges (
          conversation_id, id, turn_id, stage, meter, provider, model, quantity, unit_price_usd, per, saved_usd, charged_at)
        select n.conversation_id, n.id, n.turn_id, n.stage, n.meter, n.provider, n.model, n.quantity, price.unit_price_usd,
          coalesce(price.per, 1), {SavedByN}, n.charged_at
        from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
          as n(conversation_id, id, turn_id, stage, meter, provider, model, quantity, charged_at)
        {PriceOfN}
        on conflict (conversation_id, id) do nothing
        """;

    // Held before a series is looked at, so that the next statement sees the last revision and two don't make the same one. Turns
    // before their conversation, as everything that changes a turn does.
    internal const string HoldTurnsSql =
        """
        select from vox.turns t
        where t.conversation_id = any($1)
          and t.id in (select c.turn_id from vox.charges c where c.conversation_id = any($1) and ($2::uuid is null or c.id = $2))
        order by t.conversation_id, t.id
        for no key update
        """;

    internal const string HoldSql =
        """
        select from vox.conversations where id = any($1) order by id for no key update
        """;

    // A revision's id follows from the charge it revises and its number: a UUIDv7 of the conversation's time, like every other.
    private const string RevisionId =
        """
        (left(l.conversation_id::text, 13) || '-7' || substr(h.digest, 1, 3) || '-8' || substr(h.digest, 4, 3) || '-'
            || substr(h.digest, 7, 12))::uuid
        """;

    private const string DigestOfRevision =
        """
        cross join lateral (
          select encode(sha256(convert_to(l.series_id::text || ':' || l.revision + 1, 'UTF8')), 'hex') as digest
        ) h
        """;

    internal const string RaiseSql =
        $"""
        with l as (
          select c.*, $2::uuid as series_id, c.amount_usd + coalesce(c.before_usd, 0) as total_usd,
            sum(c.saved_usd) over () as saved_so_far
          from vox.charges c
          where c.conversation_id = $1 and (c.id = $2 or c.corrects = $2)
          order by c.revision desc
          limit 1
        ), n as (
          select provider, model, meter, charged_at, $3::numeric as quantity from l
        )
        insert into vox.charges (
          conversation_id, id, turn_id, stage, meter, provider, model, quantity, unit_price_usd, per, charged_at, corrects, revision,
          before_quantity, before_usd, saved_usd)
        select l.conversation_id, {RevisionId}, l.turn_id, l.stage, l.meter, l.provider, l.model, $3,
          coalesce(l.unit_price_usd, price.unit_price_usd), case when l.unit_price_usd is null then coalesce(price.per, 1) else l.per end,
          l.charged_at, l.series_id, l.revision + 1, l.quantity, l.total_usd, {SavedByN} - l.saved_so_far
        from l
        cross join n
        {DigestOfRevision}
        {PriceOfN}
        where l.quantity < $3
        """;

    // The series of conversations whose first charge is of the period, each with what it would be at today's book. A price that is gone
    // takes nothing back: what was charged at a known price stays so.
    private const string Corrections =
        $"""
        with series as (
          select distinct on (c.conversation_id, coalesce(c.corrects, c.id))
            c.conversation_id, coalesce(c.corrects, c.id) as series_id, c.user_id, c.turn_id, c.stage, c.meter, c.provider, c.model,
            c.revision, c.quantity, c.unit_price_usd, c.per, c.charged_at,
            c.amount_usd + coalesce(c.before_usd, 0) as total_usd,
            sum(c.saved_usd) over (partition by c.conversation_id, coalesce(c.corrects, c.id)) as saved_usd
          from vox.charges c
          where c.conversation_id = any($1) and c.charged_at >= $2 and c.charged_at < $3
          order by c.conversation_id, coalesce(c.corrects, c.id), c.revision desc
        ), priced as (
          select n.*, price.unit_price_usd as new_price, price.per as new_per, {SavedByN} as new_saved
          from series n
          {PriceOfN}
        ), corrections as (
          select l.*, {RevisionId} as revision_id,
            round(l.quantity * l.new_price / l.new_per, 9)::numeric(18,9) as new_total
          from priced l
          {DigestOfRevision}
          where l.new_price is not null
            and (l.unit_price_usd is null or l.new_price * l.per <> l.unit_price_usd * l.new_per or l.new_saved <> l.saved_usd)
        )
        """;

    internal const string PreviewSql =
        $"""
        {Corrections}
        select user_id, provider, model, count(*), count(*) filter (where total_usd is null), coalesce(sum(total_usd), 0), sum(new_total)
        from corrections
        group by user_id, provider, model
        """;

    internal const string CorrectSql =
        $"""
        {Corrections}, written as (
          insert into vox.charges (
            conversation_id, id, turn_id, stage, meter, provider, model, quantity, unit_price_usd, per, saved_usd, charged_at, corrects,
            revision, before_quantity, before_usd)
          select conversation_id, revision_id, turn_id, stage, meter, provider, model, quantity, new_price, new_per, new_saved - saved_usd,
            charged_at, series_id, revision + 1, quantity, total_usd
          from corrections
          returning conversation_id, corrects
        )
        select user_id, provider, model, count(*), count(*) filter (where total_usd is null), coalesce(sum(total_usd), 0), sum(new_total)
        from corrections c
        join written w on w.conversation_id = c.conversation_id and w.corrects = c.series_id
        group by user_id, provider, model
        """;

    /// <summary>
    /// Records charges as the service; one recorded before, by its id, adds nothing. Totals of turn and conversation follow in the
    /// same transaction.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>charge_invalid</c>, <c>reference_not_found</c>; nothing is recorded.</exception>
    public Task RecordAsServiceAsync(IReadOnlyList<NewCharge> charges, CancellationToken cancellationToken = default) =>
        charges.Count == 0 ? Task.CompletedTask : database.RunAsync(Caller.Service, [Record(charges)], cancellationToken);

    /// <summary>
    /// Records the reading of a meter that only grows, such as the seconds of a session so far. <see cref="NewCharge.Id"/> names the
    /// meter, not the reading, and <see cref="NewCharge.Quantity"/> is all that was used so far: a higher reading adds the difference, a
    /// lower or equal one nothing, so readings may come twice and in any order. What the conversation is charged is always the highest
    /// reading at the price of the first, to the nano-dollar, however many readings there were.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>charge_invalid</c>, <c>reference_not_found</c>; nothing is recorded.</exception>
    public Task RecordReadingAsServiceAsync(NewCharge reading, CancellationToken cancellationToken = default) =>
        database.RunAsync(Caller.Service, RecordReadings([reading]), cancellationToken);

    /// <summary>The statements of <see cref="RecordReadingAsServiceAsync"/> for readings of one conversation, for a larger transaction.</summary>
    internal static IReadOnlyList<Statement> RecordReadings(IReadOnlyList<NewCharge> readings) => readings.Count == 0
        ? []
        :
        [
            .. Hold([readings[0].ConversationId], readings.Count == 1 ? readings[0].Id : null),
            Record(readings),
            .. readings.Select(reading => new Statement(
                RaiseSql, Parameter.Uuid(reading.ConversationId), Parameter.Uuid(reading.Id),
                Parameter.Numeric(decimal.Round(reading.Quantity, 6, MidpointRounding.AwayFromZero)))),
        ];

    /// <summary>The statements that let nobody else revise charges of these conversations, or one of them, until the transaction ends.</summary>
    internal static IReadOnlyList<Statement> Hold(IReadOnlyList<Guid> conversations, Guid? charge = null) =>
        [
            new(HoldTurnsSql, Parameter.Uuids(conversations, id => id), Parameter.Uuid(charge)),
            new(HoldSql, Parameter.Uuids(conversations, id => id)),
        ];

    /// <summary>The statement of <see cref="RecordAsServiceAsync"/>, for a larger transaction.</summary>
    internal static Statement Record(IReadOnlyList<NewCharge> charges)
    {
        foreach (var charge in charges)
        {
            if (charge.Quantity < 0)
                throw SpendingErrors.ChargeInvalid.With($"quantity must not be negative (was {charge.Quantity})");
            if (charge.Stage is not ("llm" or "asr" or "tts" or "session"))
                throw SpendingErrors.ChargeInvalid.With($"stage must be llm, asr, tts or session (was '{charge.Stage}')");
            if (!Meters.All.Contains(charge.Meter))
                throw SpendingErrors.ChargeInvalid.With($"'{charge.Meter}' is not a meter; the meters are {string.Join(", ", Meters.All)}");
        }

        return new Statement(
            RecordSql,
            Parameter.Uuids(charges, c => c.ConversationId),
            Parameter.Uuids(charges, c => c.Id),
            Parameter.Uuids(charges, c => c.TurnId),
            Parameter.Texts(charges, c => c.Stage),
            Parameter.Texts(charges, c => c.Meter),
            Parameter.Texts(charges, c => c.Provider),
            Parameter.Texts(charges, c => c.Model),
            Parameter.Numerics(charges, c => decimal.Round(c.Quantity, 6, MidpointRounding.AwayFromZero)),
            Parameter.Times(charges, c => c.ChargedAt));
    }
}
