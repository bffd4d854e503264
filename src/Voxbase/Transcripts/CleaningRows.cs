using System.Text.Json;
using Npgsql;
using Voxbase.Data;

namespace Voxbase.Cleaning;

/// <summary>A conversation that is cleaned as its turns come.</summary>
/// <param name="Id">The conversation.</param>
/// <param name="CleanedThrough">How far it is.</param>
/// <param name="IsEnabled">Whether it is to go on.</param>
/// <param name="Revision">Moves when texts that count as context changed.</param>
/// <param name="Awaited">Turns passed over because their text had not come.</param>
/// <param name="UserId">The owner.</param>
/// <param name="Kind">Who its turns were heard from.</param>
/// <param name="IsOver">Whether it has ended.</param>
/// <param name="LastSequence">The number of its last turn.</param>
/// <param name="Preferences">The conversation's.</param>
/// <param name="Names">Its participants' names.</param>
/// <param name="TermsVersion">Moves when a list of key terms that concerns it changes.</param>
internal sealed record CleaningHead(
    Guid Id, int CleanedThrough, bool IsEnabled, int Revision, Guid[] Awaited, Guid? UserId, ConversationKind Kind, bool IsOver, int LastSequence,
    JsonElement? Preferences, string[] Names, string TermsVersion);

/// <summary>A turn as far as cleaning it needs it.</summary>
internal sealed record HeardTurn(
    Guid ConversationId, int SequenceNumber, Guid Id, TurnRole Role, string? RawText, string? CleanedText, bool IsCleaned, string? CleanerModel, string? Language,
    DateTimeOffset UpdatedAt, int AgeMs)
{
    /// <summary>What was said, as far as it is known now.</summary>
    public string? Text => CleanedText ?? RawText;

    /// <summary>Whether a recogniser wrote it. Only of an uploaded transcript the assistant's words were heard too.</summary>
    public bool IsHeard(ConversationKind kind) => Role == TurnRole.User || (Role == TurnRole.Assistant && kind == ConversationKind.Transcript);

    /// <summary>How far it counts as context; null for what nobody said.</summary>
    public TurnTrust? Trust(ConversationKind kind) =>
        IsHeard(kind) ? TurnTrust.Heard : Role is TurnRole.Assistant or TurnRole.System ? TurnTrust.Written : null;
}

/// <summary>The result for a turn.</summary>
/// <param name="Turn">As it was read.</param>
/// <param name="Cleaned">What the cleaner made of it.</param>
/// <param name="Corrections">Applied and reported.</param>
/// <param name="Model">Which cleaner.</param>
/// <param name="RequestId">The request to a language model, if there was one.</param>
/// <param name="ProcessingMs">The cleaner's own time.</param>
internal sealed record TurnResult(HeardTurn Turn, CleanedTurn Cleaned, IReadOnlyList<TurnCorrection> Corrections, string Model, string? RequestId, int ProcessingMs);

/// <summary>How far a conversation comes with a batch.</summary>
internal sealed record CleaningAdvance(CleaningHead Head, int Through, IReadOnlyList<Guid> Awaited, bool IsOpen);

/// <summary>What cleaning turns as they come does to the tables: the service's statements.</summary>
internal static class CleaningRows
{
    public const string SettingsSql =
        """
        update vox.cleaning_settings set is_enabled = $1, updated_at = now() where is_enabled <> $1
        """;

    /// <summary>What needs no more looking at.</summary>
    public const string CloseSql =
        """
        update vox.cleanings k set is_open = false
        from vox.conversations c
        where k.is_open and c.id = k.conversation_id and (not k.is_enabled or (
          c.last_sequence <= k.cleaned_through and cardinality(k.awaited) = 0
          and (c.status in ('completed', 'failed') or c.updated_at < now() - interval '1 hour')))
        """;

    /// <summary>
    /// What is behind: of those open, and of those closed that got turns since usage was last folded. Both are few, whatever the age of the installation.
    /// </summary>
    public const string BehindSql =
        """
        (select k.conversation_id
        from vox.cleanings k
        join vox.conversations c on c.id = k.conversation_id
        where k.is_open and k.is_enabled and (c.last_sequence > k.cleaned_through or cardinality(k.awaited) > 0)
        limit $1)
        union all
        (select k.conversation_id
        from vox.conversations c
        join vox.cleanings k on k.conversation_id = c.id
        where c.usage_stale and not k.is_open and k.is_enabled and c.last_sequence > k.cleaned_through
        limit $1)
        """;

    public const string AnySql =
        """
        select exists (select from vox.cleanings)
        """;

    public const string HeadsSql =
        $"""
        select {HeadColumns}
        from vox.cleanings k
        join vox.conversations c on c.id = k.conversation_id
        where k.conversation_id = any($1)
        """;

    /// <summary>The turns not cleaned yet, the oldest first, and those awaited.</summary>
    public const string TailsSql =
        $"""
        select {TurnColumns}
        from vox.cleanings k
        cross join lateral (
          select * from vox.turns t
          where t.conversation_id = k.conversation_id and t.sequence_number > k.cleaned_through
          order by t.sequence_number
          limit $2
        ) t
        where k.conversation_id = any($1)
        union all
        select {TurnColumns}
        from vox.cleanings k
        join vox.turns t on t.conversation_id = k.conversation_id and t.id = any(k.awaited)
        where k.conversation_id = any($1) and cardinality(k.awaited) > 0
        """;

    /// <summary>Turns by their numbers, from and to inclusive.</summary>
    public const string RangesSql =
        $"""
        select {TurnColumns}
        from unnest($1, $2, $3) as n(conversation_id, first, last)
        join vox.turns t on t.conversation_id = n.conversation_id and t.sequence_number between n.first and n.last
        order by t.conversation_id, t.sequence_number
        """;

    /// <summary>Turns that have a text and no result, before a number: where turns were put before others.</summary>
    public const string MissedSql =
        $"""
        select {TurnColumns}
        from vox.turns t
        where t.conversation_id = $1 and t.sequence_number <= $2 and t.cleaning_level is null and t.raw_text is not null
          and (t.role = 'user' or t.role = 'assistant' and $4)
        order by t.sequence_number
        limit $3
        """;

    /// <summary>Key terms that concern conversations: the installation's, the owner's, their own.</summary>
    public const string TermsSql =
        """
        select k.conversation_id, k.user_id, k.terms
        from vox.key_terms k
        where (k.conversation_id is null and k.user_id is null)
          or (k.conversation_id is null and k.user_id = any($1))
          or k.conversation_id = any($2)
        """;

    // Cleaning can be done again: nobody waits for the disk, and no append for us.
    public const string RelaxedSql =
        """
        select set_config('synchronous_commit', 'off', true)
        """;

    // What a model was asked is paid for: that is not forgotten.
    public const string DurableSql =
        """
        select set_config('synchronous_commit', 'on', true)
        """;

    /// <summary>Takes a conversation for this server, as long as asking a model about some of its turns may take.</summary>
    public const string ClaimSql =
        """
        update vox.cleanings set claimed_by = $2, claimed_until = now() + make_interval(secs => $4)
        where conversation_id = $1 and cleaned_through = $3 and (claimed_until is null or claimed_until < now() or claimed_by = $2)
        """;

    /// <summary>
    /// Moves conversations on and writes the results of their turns, each conversation as a whole or not at all: not where another server was
    /// there first, nor where a turn changed meanwhile. Returns those written. Behind <see cref="TurnRows.LockSql"/>.
    /// </summary>
    public const string WriteSql =
        $"""
        with given as materialized (
          select * from unnest(
            $6::uuid[], $7::uuid[], $8::timestamptz[], $9::text[], $10::text[], $11::boolean[], $12::text[], $13::jsonb[], $14::text[], $15::text[], $16::text[],
            $17::boolean[], $18::text[], $19::text[], $20::integer[], $21::integer[], $22::integer[], $23::integer[]) as n(
            conversation_id, turn_id, read_at, {ResultColumns}, queue_ms)
        ), moved as (
          update vox.cleanings k set
            cleaned_through = a.through, awaited = a.awaited::uuid[], is_open = a.is_open, revision = k.revision + a.reread,
            claimed_until = null
          from unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[], $5::boolean[], $24::integer[])
            as a(conversation_id, expected, through, awaited, is_open, reread)
          where k.conversation_id = a.conversation_id and k.cleaned_through = a.expected and k.is_enabled
            and not exists (
              select from given n
              left join vox.turns t on t.conversation_id = n.conversation_id and t.id = n.turn_id and t.updated_at = n.read_at
              where n.conversation_id = a.conversation_id and t.id is null)
          returning k.conversation_id
        ), written as (
          update vox.turns t set {SetResult}, queue_ms = n.queue_ms
          from given n
          join moved m on m.conversation_id = n.conversation_id
          where t.conversation_id = n.conversation_id and t.id = n.turn_id
        )
        select conversation_id from moved
        """;

    /// <summary>The result's columns of a turn, in the order of <see cref="ResultParameters"/>.</summary>
    public const string ResultColumns =
        """
        cleaned_text, cleaning_level, cleaning_applied, confidence, corrections, context_detected, business_domain, conversation_flow,
          transcription_error_detected, cleaner_model, cleaner_request_id, processing_ms, sliding_window_size, context_turns_used
        """;

    public const string SetResult =
        """
        cleaned_text = n.cleaned_text, cleaning_level = n.cleaning_level::vox.cleaning_level, cleaning_applied = n.cleaning_applied,
            confidence = n.confidence::vox.confidence, corrections = n.corrections, context_detected = n.context_detected,
            business_domain = n.business_domain, conversation_flow = n.conversation_flow,
            transcription_error_detected = n.transcription_error_detected, cleaner_model = n.cleaner_model,
            cleaner_request_id = n.cleaner_request_id, processing_ms = n.processing_ms, sliding_window_size = n.sliding_window_size,
            context_turns_used = n.context_turns_used
        """;

    public const string HeadColumns =
        """
        c.id, coalesce(k.cleaned_through, 0), coalesce(k.is_enabled, false), coalesce(k.revision, 0), coalesce(k.awaited, '{}'), c.user_id, c.kind::text, c.status in ('completed', 'failed'), c.last_sequence,
          c.preferences,
          array(
            select p.name from vox.participants p where p.conversation_id = c.id and p.name is not null order by p.name limit 100),
          concat_ws(' ',
            (select extract(epoch from t.updated_at) from vox.key_terms t where t.conversation_id is null and t.user_id is null),
            'u', c.user_id, (select extract(epoch from t.updated_at) from vox.key_terms t where t.conversation_id is null and t.user_id = c.user_id),
            'c', (select t.id || ' ' || extract(epoch from t.updated_at) from vox.key_terms t where t.conversation_id = c.id limit 1))
        """;

    public const string TurnColumns =
        """
        t.conversation_id, t.sequence_number, t.id, t.role::text, t.raw_text, t.cleaned_text, t.cleaning_level is not null, t.cleaner_model, t.language,
          t.updated_at, least(greatest(0, extract(epoch from clock_timestamp() - t.created_at) * 1000), 2147483647)::integer
        """;

    public static Statement Write(IReadOnlyList<CleaningAdvance> advances, IReadOnlyList<TurnResult> results, IReadOnlySet<Guid> reread) => new(
        WriteSql,
        [
            Parameter.Uuids(advances, a => a.Head.Id),
            Parameter.Integers(advances, a => a.Head.CleanedThrough),
            Parameter.Integers(advances, a => a.Through),
            Parameter.Texts(advances, a => $"{{{string.Join(',', a.Awaited)}}}"),
            Parameter.Booleans(advances, a => a.IsOpen),
            Parameter.Uuids(results, r => r.Turn.ConversationId),
            .. ResultParameters(results),
            Parameter.Integers(results, r => r.Turn.AgeMs),
            Parameter.Integers(advances, a => reread.Contains(a.Head.Id) ? 1 : 0),
        ]);

    /// <summary>The turn, when it was read, and <see cref="ResultColumns"/>.</summary>
    public static NpgsqlParameter[] ResultParameters(IReadOnlyList<TurnResult> results) =>
    [
        Parameter.Uuids(results, r => r.Turn.Id),
        Parameter.Times(results, r => r.Turn.UpdatedAt),
        Parameter.Texts(results, r => r.Cleaned.Text),
        Parameter.Texts(results, r => r.Cleaned.LevelApplied.ToString().ToLowerInvariant()),
        Parameter.Booleans(results, r => r.Cleaned.IsChanged),
        Parameter.Texts(results, r => r.Cleaned.Confidence.ToString().ToUpperInvariant()),
        Parameter.Jsons(results, r => CleaningJson.Write(r.Corrections)),
        Parameter.Texts(results, r => r.Cleaned.ContextDetected),
        Parameter.Texts(results, r => r.Cleaned.BusinessDomain),
        Parameter.Texts(results, r => r.Cleaned.ConversationFlow),
        Parameter.Booleans(results, r => r.Cleaned.TranscriptionErrorDetected),
        Parameter.Texts(results, r => r.Model),
        Parameter.Texts(results, r => r.RequestId),
        Parameter.Integers(results, r => r.ProcessingMs),
        Parameter.Integers(results, r => r.Cleaned.WindowSize),
        Parameter.Integers(results, r => r.Cleaned.ContextTurnsUsed),
    ];

    public static CleaningHead ReadHead(NpgsqlDataReader row)
    {
        var at = new RowReader(row);
        return new CleaningHead(
            at.Uuid()!.Value, at.Integer()!.Value, at.Boolean(), at.Integer()!.Value, row.GetFieldValue<Guid[]>(4), row.IsDBNull(5) ? null : row.GetGuid(5),
            Enum.Parse<ConversationKind>(row.GetString(6), ignoreCase: true), row.GetBoolean(7), row.GetInt32(8), JsonElement.Parse(row.GetString(9)),
            row.GetFieldValue<string[]>(10), row.GetString(11));
    }

    public static HeardTurn ReadTurn(NpgsqlDataReader row)
    {
        var at = new RowReader(row);
        return new HeardTurn(
            at.Uuid()!.Value, at.Integer()!.Value, at.Uuid()!.Value, at.Enum<TurnRole>()!.Value, at.Text(), at.Text(), at.Boolean(), at.Text(), at.Text(),
            at.Time()!.Value, at.Integer()!.Value);
    }

    public static async Task<List<T>> AllAsync<T>(NpgsqlDataReader results, Func<NpgsqlDataReader, T> read, CancellationToken cancellationToken)
    {
        var rows = new List<T>();
        while (await results.ReadAsync(cancellationToken))
            rows.Add(read(results));
        return rows;
    }
}
