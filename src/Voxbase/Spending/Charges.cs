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
    /// <summary>
    /// Looks the price up and records, in one statement. Exact model before the longest prefix, a price of this installation before
    /// a shipped one, then the latest that had begun. Without a price the charge stays unpriced: never guessed.
    /// </summary>
    internal const string RecordSql =
        """
        insert into vox.charges (
          conversation_id, id, turn_id, stage, meter, provider, model, quantity, unit_price_usd, per, charged_at)
        select n.conversation_id, n.id, n.turn_id, n.stage, n.meter, n.provider, n.model, n.quantity, p.unit_price_usd,
          coalesce(p.per, 1), n.charged_at
        from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)
          as n(conversation_id, id, turn_id, stage, meter, provider, model, quantity, charged_at)
        left join lateral (
          select unit_price_usd, per
          from vox.prices p
          where p.provider = n.provider
            and p.meter = n.meter
            and p.valid_from <= n.charged_at
            and (p.model = n.model or (right(p.model, 1) = '*' and starts_with(n.model, left(p.model, -1))))
          order by (p.model = n.model) desc, length(p.model) desc, p.is_default, p.valid_from desc
          limit 1
        ) p on true
        on conflict (conversation_id, id) do nothing
        """;

    /// <summary>
    /// Records charges as the service; one recorded before, by its id, adds nothing. Totals of turn and conversation follow in the
    /// same transaction.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>charge_invalid</c>, <c>reference_not_found</c>; nothing is recorded.</exception>
    public Task RecordAsServiceAsync(IReadOnlyList<NewCharge> charges, CancellationToken cancellationToken = default) =>
        charges.Count == 0 ? Task.CompletedTask : database.RunAsync(Caller.Service, [Record(charges)], cancellationToken);

    /// <summary>The statement of <see cref="RecordAsServiceAsync"/>, for a larger transaction.</summary>
    internal static Statement Record(IReadOnlyList<NewCharge> charges)
    {
        foreach (var charge in charges)
        {
            if (charge.Quantity < 0)
                throw SpendingErrors.ChargeInvalid.With($"quantity must not be negative (was {charge.Quantity})");
            if (charge.Stage is not ("llm" or "asr" or "tts" or "session"))
                throw SpendingErrors.ChargeInvalid.With($"stage must be llm, asr, tts or session (was '{charge.Stage}')");
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
            Parameter.Numerics(charges, c => c.Quantity),
            Parameter.Times(charges, c => c.ChargedAt));
    }
}
