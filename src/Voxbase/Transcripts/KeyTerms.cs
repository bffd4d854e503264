using Voxbase.Cleaning;
using Voxbase.Data;

namespace Voxbase;

/// <summary>Whose key terms: the installation's, a user's or a conversation's.</summary>
public readonly record struct TermScope
{
    private TermScope(Guid? userId, Guid? conversationId) => (UserId, ConversationId) = (userId, conversationId);

    /// <summary>Those for all conversations. Everybody may read them, administrators and the service change them.</summary>
    public static TermScope Installation => default;

    /// <summary>The user, of a user's list.</summary>
    public Guid? UserId { get; }

    /// <summary>The conversation, of a conversation's list.</summary>
    public Guid? ConversationId { get; }

    /// <summary>Those for all conversations of a user.</summary>
    public static TermScope User(Guid userId) => new(userId, null);

    /// <summary>Those for one conversation.</summary>
    public static TermScope Conversation(Guid conversationId) => new(null, conversationId);
}

/// <summary>A list of key terms.</summary>
/// <param name="Terms">In the order in which they were given.</param>
/// <param name="UpdatedAt">When the list last changed; null for one that is empty.</param>
public sealed record KeyTermList(IReadOnlyList<string> Terms, DateTimeOffset? UpdatedAt);

/// <summary>
/// Names and terms as they are spelled, which the cleaner trusts. A change holds for the turns cleaned from then on; clean a conversation anew to
/// have it in those before.
/// </summary>
public sealed class KeyTerms(Database database)
{
    internal const string GetSql =
        """
        select terms, updated_at
        from vox.key_terms
        where ($2::uuid is not null and conversation_id = $2)
          or ($2::uuid is null and conversation_id is null and user_id is not distinct from $1::uuid)
        """;

    internal const string SetSql =
        """
        insert into vox.key_terms (user_id, conversation_id, terms) values ($1, $2, $3)
        on conflict on constraint key_terms_scope_key do update set terms = excluded.terms
        """;

    internal const string AddSql =
        """
        insert into vox.key_terms as k (user_id, conversation_id, terms) values ($1, $2, $3)
        on conflict on constraint key_terms_scope_key do update set
          terms = k.terms || array(select n.term from unnest(excluded.terms) with ordinality n(term, place) where n.term <> all (k.terms) order by n.place)
        """;

    internal const string RemoveSql =
        """
        update vox.key_terms set terms = array_remove(terms, $3)
        where $3 = any (terms) and (($2::uuid is not null and conversation_id = $2)
          or ($2::uuid is null and conversation_id is null and user_id is not distinct from $1::uuid))
        """;

    internal const string ConversationSql =
        """
        select from vox.conversations where id = $1
        """;

    private const int Longest = 200;
    private const int Most = 10_000;

    /// <summary>A list; empty where there is none.</summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>.</exception>
    public async Task<KeyTermList> GetAsync(Caller caller, TermScope scope, CancellationToken cancellationToken = default)
    {
        var statements = new List<Statement> { new(GetSql, Parameter.Uuid(scope.UserId), Parameter.Uuid(scope.ConversationId)) };
        if (scope.ConversationId is { } conversationId)
            statements.Insert(0, new Statement(ConversationSql, Parameter.Uuid(conversationId)));
        return await database.RunAsync(
            caller,
            statements,
            async (results, ct) =>
            {
                if (scope.ConversationId is { } id)
                {
                    if (!await results.ReadAsync(ct))
                        throw ConversationErrors.NotFound.With($"There is no conversation {id} for this caller.");
                    await results.NextResultAsync(ct);
                }

                return await results.ReadAsync(ct)
                    ? new KeyTermList(results.GetFieldValue<string[]>(0), new DateTimeOffset(results.GetDateTime(1), TimeSpan.Zero))
                    : new KeyTermList([], null);
            },
            cancellationToken);
    }

    /// <summary>Puts a list in the place of what is there.</summary>
    /// <exception cref="VoxbaseException"><c>key_terms_invalid</c>, <c>conversation_not_found</c>, <c>forbidden</c>.</exception>
    public Task<KeyTermList> SetAsync(Caller caller, TermScope scope, IReadOnlyList<string> terms, CancellationToken cancellationToken = default) =>
        WriteAsync(caller, scope, SetSql, terms, cancellationToken);

    /// <summary>Adds terms to the end; those that are there already stay where they are.</summary>
    /// <exception cref="VoxbaseException"><c>key_terms_invalid</c>, <c>conversation_not_found</c>, <c>forbidden</c>.</exception>
    public Task<KeyTermList> AddAsync(Caller caller, TermScope scope, IReadOnlyList<string> terms, CancellationToken cancellationToken = default) =>
        WriteAsync(caller, scope, AddSql, terms, cancellationToken);

    /// <summary>Takes a term out; one that is not there is no error.</summary>
    /// <exception cref="VoxbaseException"><c>conversation_not_found</c>, <c>forbidden</c>.</exception>
    public async Task<KeyTermList> RemoveAsync(Caller caller, TermScope scope, string term, CancellationToken cancellationToken = default)
    {
        var before = await GetAsync(caller, scope, cancellationToken);
        if (!before.Terms.Contains(term, StringComparer.Ordinal))
            return before;
        var changed = await database.RunAsync(
            caller,
            [new Statement(RemoveSql, Parameter.Uuid(scope.UserId), Parameter.Uuid(scope.ConversationId), Parameter.Text(term))],
            static (results, _) => Task.FromResult(results.RecordsAffected),
            cancellationToken);
        // Seen and not changed: another's, or gone meanwhile.
        var after = await GetAsync(caller, scope, cancellationToken);
        return changed > 0 || !after.Terms.Contains(term, StringComparer.Ordinal) ? after : throw DataErrors.Forbidden.With("The list is not the caller's to change.");
    }

    /// <summary>Terms as a list keeps them: without spaces around, each once.</summary>
    /// <exception cref="VoxbaseException"><c>key_terms_invalid</c>.</exception>
    public static IReadOnlyList<string> Checked(IReadOnlyList<string> terms)
    {
        var clean = terms.Select(term => term?.Trim() ?? "").Distinct(StringComparer.Ordinal).ToList();
        if (clean.Count > Most)
            throw CleaningErrors.TermsInvalid.With($"A list holds at most {Most} terms (were {clean.Count}).");
        return clean.FindIndex(term => term.Length is 0 or > Longest) is >= 0 and var at
            ? throw CleaningErrors.TermsInvalid.With($"Term {at + 1} must be 1 to {Longest} characters (was {clean[at].Length}).")
            : clean;
    }

    private async Task<KeyTermList> WriteAsync(Caller caller, TermScope scope, string sql, IReadOnlyList<string> terms, CancellationToken cancellationToken)
    {
        var clean = Checked(terms);
        // A list of somebody who cannot see the conversation would tell that it is there.
        await GetAsync(caller, scope, cancellationToken);
        try
        {
            await database.RunAsync(
                caller,
                [new Statement(sql, Parameter.Uuid(scope.UserId), Parameter.Uuid(scope.ConversationId), Parameter.Texts(clean, term => term))],
                cancellationToken);
        }
        catch (VoxbaseException e) when (e is { Details: "key_terms_count" })
        {
            throw CleaningErrors.TermsInvalid.With($"The list would have more than {Most} terms.", inner: e);
        }

        return await GetAsync(caller, scope, cancellationToken);
    }
}
