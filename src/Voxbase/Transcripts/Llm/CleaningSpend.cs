using Voxbase.Capture;
using Voxbase.Cleaning;
using Voxbase.Data;

namespace Voxbase;

/// <summary>What cleaning with a language model costs: asked for before a call, and recorded after it.</summary>
public sealed class CleaningSpend(Database database, Charges charges, VoxbaseOptions options)
{
    // Room beyond what other calls hold: what this conversation's own call holds is there for it. No row: nobody pays.
    internal const string RoomSql =
        """
        select p.on_exceed = 'warn' or p.spent_usd + p.reserved_usd - coalesce(r.held_usd, 0) < p.limit_usd
        from vox.conversations c
        join vox.budget_positions p on p.user_id = c.user_id
        left join vox.reservations r on r.conversation_id = c.id and r.user_id = c.user_id and r.lapses_at > now()
        where c.id = $1
        """;

    /// <summary>
    /// Whether the payer's budget has room for a call of the model. Nothing is held for it: what cleaning may pass a limit by is the calls under
    /// way at that moment, fractions of a cent each. When the database cannot say, <see cref="SpendingOptions.AdmitWhenUnavailable"/> does.
    /// </summary>
    public async Task<bool> AdmitsAsync(Guid conversationId, CancellationToken cancellationToken = default)
    {
        try
        {
            return await database.RunAsync(
                Caller.Service,
                [new Statement(RoomSql, Parameter.Uuid(conversationId))],
                static async (results, ct) => !await results.ReadAsync(ct) || results.GetBoolean(0),
                cancellationToken);
        }
        catch (VoxbaseException e) when (e.Error.Kind == ErrorKind.Unavailable)
        {
            return options.Spending.AdmitWhenUnavailable;
        }
    }

    /// <summary>
    /// Records what the model's calls for a turn used; the same outcome again adds nothing. A call that its endpoint told no usage of is not charged.
    /// </summary>
    /// <exception cref="VoxbaseException"><c>reference_not_found</c>: there is no such conversation; nothing is recorded.</exception>
    public Task RecordAsServiceAsync(Guid conversationId, Guid turnId, LlmOutcome outcome, CancellationToken cancellationToken = default) =>
        charges.RecordAsServiceAsync(ChargesOf(conversationId, turnId, outcome), cancellationToken);

    /// <summary>The charges of <see cref="RecordAsServiceAsync"/>, to be recorded with the cleaned turn in one transaction.</summary>
    public static IReadOnlyList<NewCharge> ChargesOf(Guid conversationId, Guid turnId, LlmOutcome outcome)
    {
        var found = new List<NewCharge>();
        foreach (var call in outcome.Calls)
        {
            var cached = Math.Min(call.CachedTokens, call.InputTokens ?? 0);
            Add(call, Meters.InputText, (call.InputTokens ?? 0) - cached);
            Add(call, Meters.InputTextCached, cached);
            Add(call, Meters.OutputText, call.OutputTokens ?? 0);
        }

        return found;

        void Add(LlmCall call, string meter, long quantity)
        {
            if (quantity > 0)
            {
                found.Add(new NewCharge
                {
                    Id = CaptureRows.IdOf(conversationId, "cleaning", $"{call.Key}:{meter}"),
                    ConversationId = conversationId,
                    TurnId = turnId,
                    Stage = "llm",
                    Meter = meter,
                    Provider = call.Provider,
                    Model = call.Model,
                    Quantity = quantity,
                    ChargedAt = call.At,
                });
            }
        }
    }
}
