using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Npgsql;
using Voxbase.Data;

namespace Voxbase;

/// <summary>Why an identity could not be answered for.</summary>
internal sealed record AskFault(VoxbaseException Error);

/// <summary>Which changes of a batch an identity may see, or why that could not be found out.</summary>
internal sealed class Verdict
{
    /// <summary>By index in what was asked.</summary>
    public HashSet<int> Allowed { get; } = [];

    public AskFault? Fault { get; set; }

    /// <summary>The slowest question, in milliseconds.</summary>
    public double ElapsedMs { get; set; }
}

/// <summary>
/// Decides who may see which changes, by asking the database's policies: per batch of changes, and per distinct identity, over several connections at once.
/// Keeps nothing of an answer: what is revoked is not seen in the next batch.
/// </summary>
internal sealed class FeedAuthorizer(Database database, VoxbaseOptions options, TimeProvider time) : IAsyncDisposable
{
    // What one call may take before it hands back those answered so far, and after which it is stopped: between the two, one identity alone can be at fault.
    private const double BudgetMs = 100;
    private const int GroupTimeoutMs = 400;
    private const int MaxRowsAsked = 1_000;

    private static readonly string[] OwnerColumns = ["user_id", "owner_id"];

    private readonly ConcurrentDictionary<uint, FeedTable> tables = new();
    private readonly Dictionary<uint, FeedType> types = [];
    private readonly SemaphoreSlim loading = new(1);
    private readonly Dictionary<string, Task<PublishedTables>> published = [];
    private readonly CancellationTokenSource ending = new();
    private readonly AskerPool group = new(database, options.Feed.Connections, GroupTimeoutMs);
    // What the catalogs say is asked with patience: nobody's policy is in it.
    private readonly AskerPool catalog = new(database, 1, 30_000);
    private readonly AskerPool single = new(database, 2, (int)options.Feed.PolicyTimeout.TotalMilliseconds);

    /// <summary>A table as it stands; read anew when <paramref name="relation"/> is another than the one known.</summary>
    public async ValueTask<FeedTable?> TableAsync(WalRelation relation, CancellationToken cancellationToken) =>
        tables.TryGetValue(relation.Oid, out var known) && ReferenceEquals(known.Relation, relation) ? known : await LoadAsync(relation, cancellationToken);

    /// <summary>What a role may do with a table, as of the table's stamp.</summary>
    public async ValueTask<FeedAccess> AccessAsync(FeedTable table, string role, CancellationToken cancellationToken)
    {
        if (table.AccessOf(role) is { } known)
            return known;
        using var asker = await catalog.TakeAsync(cancellationToken);
        return table.Remember(role, await asker.UseAsync(async one =>
        {
            var access = await one.AccessAsync(table.Relation.Oid, role, cancellationToken);
            return access.SeesAll ? access : access with { Condition = await one.ConditionAsync(table, role, cancellationToken) };
        }));
    }

    /// <summary>
    /// What is published: the columns of tables, and whether a role is told of them. All who ask before the question is sent share its answer: thousands may come back at once.
    /// </summary>
    public Task<PublishedTables> PublishedAsync(string role, CancellationToken cancellationToken)
    {
        lock (published)
            return (published.TryGetValue(role, out var next) ? next : published[role] = Task.Run(() => AskPublishedAsync(role), ending.Token)).WaitAsync(cancellationToken);
    }

    private async Task<PublishedTables> AskPublishedAsync(string role)
    {
        try
        {
            using var asker = await catalog.TakeAsync(ending.Token);
            Sent();
            return new PublishedTables(await asker.UseAsync(one => one.PublishedAsync(role, ending.Token)));
        }
        finally
        {
            Sent();
        }

        void Sent()
        {
            lock (published)
                published.Remove(role);
        }
    }

    /// <summary>
    /// Which of these changes, all of one table, each identity may see. <paramref name="wanted"/> says which of them are asked about, null for all. The table may have
    /// changed meanwhile: what is returned was asked with.
    /// </summary>
    public async Task<(FeedTable? Table, Verdict[] Verdicts)> AuthorizeAsync(
        WalRelation relation, IReadOnlyList<WalChange> changes, IReadOnlyList<AskedIdentity> identities, IReadOnlyList<IReadOnlyCollection<int>?> wanted,
        bool isAlone, CancellationToken cancellationToken)
    {
        for (var attempt = 0; ; attempt++)
        {
            var table = await TableAsync(relation, cancellationToken);
            var verdicts = new Verdict[identities.Count];
            for (var i = 0; i < verdicts.Length; i++)
                verdicts[i] = new Verdict();
            // Dropped since: nobody can be asked about it any more. One without a key has no rows that could be told apart.
            if (table is null || table.Key.Length == 0)
                return (table, verdicts);
            if (await TryAsync(table, changes, identities, wanted, verdicts, isAlone, cancellationToken))
                return (table, verdicts);
            tables.TryRemove(new KeyValuePair<uint, FeedTable>(relation.Oid, table));
            if (attempt > 20)
                await Task.Delay(TimeSpan.FromMilliseconds(10), time, cancellationToken);
        }
    }

    /// <summary>Makes the generated columns of changes that are not deletes, where they are not yet.</summary>
    public async Task GenerateAsync(FeedTable table, IEnumerable<WalChange> changes, CancellationToken cancellationToken)
    {
        var some = changes.Where(change => change.Kind != FeedChanges.Delete && !ReferenceEquals(change.Generated?.Of, table)).ToList();
        if (table.Generated.Length == 0 || some.Count == 0)
            return;
        using var asker = await catalog.TakeAsync(cancellationToken);
        try
        {
            await asker.UseAsync(async one =>
            {
                await one.GenerateAsync(table, some, cancellationToken);
                return true;
            });
        }
        catch (PostgresException e) when (DataErrors.From(e) is not { Error.Kind: ErrorKind.Unavailable })
        {
            // The table is another by now: these columns are named as not told.
            foreach (var change in some)
                change.Generated = null;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await ending.CancelAsync();
        await group.DisposeAsync();
        await catalog.DisposeAsync();
        await single.DisposeAsync();
        loading.Dispose();
        ending.Dispose();
    }

    private async Task<FeedTable?> LoadAsync(WalRelation relation, CancellationToken cancellationToken)
    {
        await loading.WaitAsync(cancellationToken);
        try
        {
            if (tables.TryGetValue(relation.Oid, out var known) && ReferenceEquals(known.Relation, relation))
                return known;
            using var pooled = await catalog.TakeAsync(cancellationToken);
            return await pooled.UseAsync(async asker =>
            {
                while (true)
                {
                    if (await asker.StampAsync(relation.Oid, cancellationToken) is not { } stamp
                        || await asker.TableAsync(relation.Oid, cancellationToken) is not { } described)
                        return null;
                    var service = await asker.AccessAsync(relation.Oid, Caller.ServiceRole, cancellationToken);
                    var generated = await asker.GeneratedAsync(relation, cancellationToken);
                    await asker.LoadTypesAsync(types, relation.Columns.Select(column => column.TypeOid).Concat(generated.Select(column => column.Type)), cancellationToken);
                    // Read in between of two equal stamps, all of it is of one state.
                    if (await asker.StampAsync(relation.Oid, cancellationToken) != stamp)
                        continue;
                    int[] IndexesOf(string[] names) =>
                        [.. names.Select(name => Array.FindIndex(relation.Columns, column => column.Name == name)).Where(i => i >= 0)];
                    var key = IndexesOf(described.Key);
                    var table = new FeedTable
                    {
                        Relation = relation,
                        Stamp = stamp,
                        Types = [.. relation.Columns.Select(column => types.GetValueOrDefault(column.TypeOid, FeedType.Unknown))],
                        Key = key.Length == described.Key.Length ? key : [],
                        KeyTypes = described.KeyTypes,
                        PolicyColumns = IndexesOf(described.PolicyColumns),
                        PolicyNamesWholeRow = described.NamesWholeRow,
                        Generated =
                        [
                            .. generated.Where(column => IndexesOf(column.Needs).Length == column.Needs.Length).Select(column => new GeneratedColumn(
                                column.Name, types.GetValueOrDefault(column.Type, FeedType.Unknown), column.Expression, [.. IndexesOf(column.Needs).Zip(column.Types)])),
                        ],
                        ServiceSeesAll = service.SeesAll && described.Key.Concat(described.PolicyColumns).All(service.Columns.Contains),
                    };
                    table.Remember(Caller.ServiceRole, service);
                    return tables[relation.Oid] = table;
                }
            });
        }
        finally
        {
            loading.Release();
        }
    }

    // False when the table is another meanwhile.
    private async Task<bool> TryAsync(
        FeedTable table, IReadOnlyList<WalChange> changes, IReadOnlyList<AskedIdentity> identities, IReadOnlyList<IReadOnlyCollection<int>?> wanted,
        Verdict[] verdicts, bool isAlone, CancellationToken cancellationToken)
    {
        var isCurrent = false;
        var restricted = new Dictionary<string, List<int>>();
        for (var i = 0; i < identities.Count; i++)
        {
            var access = await AccessAsync(table, identities[i].Role, cancellationToken);
            if (!access.MaySeeKey(table))
                continue;
            if (access.SeesAll)
                verdicts[i].Allowed.UnionWith(wanted[i] ?? Enumerable.Range(0, changes.Count));
            else if (restricted.TryGetValue(identities[i].Role, out var some))
                some.Add(i);
            else
                restricted[identities[i].Role] = [i];
        }

        // What nobody wants is not asked about.
        var anybodys = wanted.Contains(null) ? null : wanted.SelectMany(some => some!).ToHashSet();
        foreach (var (_, some) in restricted)
        {
            for (var begin = 0; begin < changes.Count; begin += MaxRowsAsked)
            {
                var slice = Enumerable.Range(begin, Math.Min(MaxRowsAsked, changes.Count - begin))
                    .Where(i => changes[i].Kind != FeedChanges.Delete && anybodys?.Contains(i) != false).ToArray();
                if (slice.Length == 0)
                    continue;
                var (rows, groupOf) = RowsOf(table, changes, slice);
                if (!await AskAllAsync(table, rows, groupOf, slice, identities, some, wanted, verdicts, isAlone, cancellationToken))
                    return false;
                isCurrent = true;
            }

            await DeletesAsync(table, changes, identities, some, wanted, verdicts, isAlone, cancellationToken);
        }

        // Nobody was asked whose answer would have shown it.
        return isCurrent || await IsCurrentAsync(table, cancellationToken);
    }

    private async Task<bool> IsCurrentAsync(FeedTable table, CancellationToken cancellationToken)
    {
        using var asker = await catalog.TakeAsync(cancellationToken);
        return await asker.UseAsync(one => one.StampAsync(table.Relation.Oid, cancellationToken)) == table.Stamp;
    }

    private static (AskedRows Rows, int[] GroupOf) RowsOf(FeedTable table, IReadOnlyList<WalChange> changes, int[] slice)
    {
        var keys = table.Key.Select(_ => new string[slice.Length]).ToArray();
        var policy = table.PolicyColumns.Select(_ => new string?[slice.Length]).ToArray();
        var groups = new int[slice.Length];
        var numbers = new Dictionary<string, int>();
        var transactions = new HashSet<long>();
        var text = new StringBuilder();
        for (var row = 0; row < slice.Length; row++)
        {
            var change = changes[slice[row]];
            transactions.Add(change.Transaction.Id);
            for (var i = 0; i < keys.Length; i++)
                keys[i][row] = Encoding.UTF8.GetString(change.Text(change.Values[table.Key[i]]));
            text.Clear();
            var isKnown = table.ServiceSeesAll;
            for (var i = 0; i < policy.Length; i++)
            {
                var value = change.Values[table.PolicyColumns[i]];
                policy[i][row] = value.Length switch
                {
                    WalValue.Null => null,
                    WalValue.Unchanged => AskedRows.Unknown,
                    _ => Encoding.UTF8.GetString(change.Text(value)),
                };
                isKnown &= value.Length != WalValue.Unchanged;
                text.Append(policy[i][row] is { } known ? known.Length.ToString(CultureInfo.InvariantCulture) + ":" + known : "null").Append('|');
            }

            // What policies name being equal, so is the answer; what is not known is equal to nothing.
            var name = isKnown ? text.ToString() : "#" + row.ToString(CultureInfo.InvariantCulture);
            if (!numbers.TryGetValue(name, out var number))
                numbers[name] = number = numbers.Count;
            groups[row] = number;
        }

        return (new AskedRows([.. transactions], keys, policy, groups), groups);
    }

    private async Task<bool> AskAllAsync(
        FeedTable table, AskedRows rows, int[] groupOf, int[] slice, IReadOnlyList<AskedIdentity> identities, List<int> some,
        IReadOnlyList<IReadOnlyCollection<int>?> wanted, Verdict[] verdicts, bool isAlone, CancellationToken cancellationToken)
    {
        var rowOf = new Dictionary<int, int>();
        for (var row = 0; row < slice.Length; row++)
            rowOf[slice[row]] = row;
        var asks = new List<(int Identity, int[]? Groups)>();
        foreach (var i in some)
        {
            if (wanted[i] is not { } changes)
                asks.Add((i, null));
            else if (changes.Where(rowOf.ContainsKey).Select(change => groupOf[rowOf[change]]).Distinct().ToArray() is { Length: > 0 } groups)
                asks.Add((i, groups));
        }

        if (asks.Count == 0)
            return true;
        var role = identities[asks[0].Identity].Role;
        var question = new Question(table, rows, (await AccessAsync(table, role, cancellationToken)).Condition, role);
        var rowsOf = Enumerable.Range(0, slice.Length).ToLookup(row => groupOf[row]);
        var lanes = isAlone ? 1 : Math.Clamp(asks.Count / 8, 1, options.Feed.Connections);
        // Several lanes share what the service says of the rows.
        var known = lanes > 1 ? await KnownAsync(question, cancellationToken) : null;
        if (lanes > 1 && known is null)
            return false;
        var isCurrent = true;
        await Task.WhenAll(Enumerable.Range(0, lanes).Select(async lane =>
        {
            var mine = asks.Where((_, i) => i % lanes == lane).ToList();
            if (!await AskLaneAsync(question, known, identities, mine, isAlone, Heard, cancellationToken))
                isCurrent = false;
        }));
        return isCurrent;

        void Heard(int identity, bool[] live, Answer answer)
        {
            var verdict = verdicts[identity];
            verdict.ElapsedMs = Math.Max(verdict.ElapsedMs, answer.ElapsedMs);
            if (answer.Fault is { } fault)
            {
                verdict.Fault ??= Fault(table, fault);
                return;
            }

            var only = wanted[identity];
            foreach (var row in answer.Groups.SelectMany(group => rowsOf[group]))
            {
                if (live[row] && (only is null || only.Contains(slice[row])))
                    verdict.Allowed.Add(slice[row]);
            }
        }
    }

    /// <summary>What is asked of all identities of a role.</summary>
    private sealed record Question(FeedTable Table, AskedRows Rows, PolicyCondition? Condition, string Role);

    /// <summary>Which of a question's rows are as they were told, and one of each group of these.</summary>
    private sealed record Known(AskedRows Chosen, bool[] Live)
    {
        public static Known Of(AskedRows rows, HashSet<int> live)
        {
            var isLive = new bool[rows.Groups.Length];
            foreach (var row in live)
                isLive[row - 1] = true;
            return new Known(rows.Chosen(live.Order()), isLive);
        }
    }

    // Null when the table is another meanwhile.
    private async Task<Known?> KnownAsync(Question question, CancellationToken cancellationToken)
    {
        while (true)
        {
            using var asker = await catalog.TakeAsync(cancellationToken);
            var (outcome, live, _) = await asker.UseAsync(one =>
                one.AskAsync(question.Table, question.Rows, question.Condition, isKnown: false, question.Role, [], [], isSafe: false, BudgetMs, cancellationToken));
            switch (outcome)
            {
                case AskOutcome.Answered:
                    return Known.Of(question.Rows, live);
                case AskOutcome.Stale:
                    return null;
                case AskOutcome.TooEarly:
                    await Task.Delay(TimeSpan.FromMilliseconds(1), time, cancellationToken);
                    break;
            }
        }
    }

    private static AskFault Fault(FeedTable table, string sqlState) => new(
        sqlState == PostgresErrorCodes.QueryCanceled
            ? FeedErrors.PolicySlow.With($"The policies of {table.Schema}.{table.Name} took too long for this subscriber.")
            : FeedErrors.PolicyFailed.With($"A policy of {table.Schema}.{table.Name} raised an error for this subscriber.", $"SQLSTATE {sqlState}"));

    // First all at once and without savepoints, which is what nearly always does. When a policy raises: again, telling who it is. When it takes too long: one by
    // one, so that only whose policy it is waits, and is told.
    private async Task<bool> AskLaneAsync(
        Question question, Known? known, IReadOnlyList<AskedIdentity> identities, List<(int Identity, int[]? Groups)> asks, bool isAlone,
        Action<int, bool[], Answer> heard, CancellationToken cancellationToken)
    {
        var (next, isSafe, oneByOne) = (0, isAlone, isAlone);
        var isPatient = isAlone;
        while (next < asks.Count)
        {
            var part = asks.GetRange(next, oneByOne ? 1 : asks.Count - next);
            using var asker = await (isPatient ? single : group).TakeAsync(cancellationToken);
            try
            {
                var (outcome, live, answers) = await asker.UseAsync(one => one.AskAsync(
                    question.Table, known?.Chosen ?? question.Rows, question.Condition, known is not null, question.Role,
                    [.. part.Select(ask => identities[ask.Identity])], [.. part.Select(ask => ask.Groups)], isSafe, BudgetMs, cancellationToken));
                switch (outcome)
                {
                    case AskOutcome.Stale:
                        return false;
                    case AskOutcome.TooEarly:
                        await Task.Delay(TimeSpan.FromMilliseconds(1), time, cancellationToken);
                        continue;
                    case AskOutcome.Moved:
                        known = null;
                        continue;
                }

                known ??= Known.Of(question.Rows, live);
                for (var i = 0; i < answers.Count; i++)
                    heard(part[i].Identity, known.Live, answers[i]);
                next += answers.Count;
                isPatient = isAlone;
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.QueryCanceled && !cancellationToken.IsCancellationRequested)
            {
                if (part.Count > 1)
                {
                    oneByOne = true;
                }
                else if (!isPatient)
                {
                    isPatient = true;
                }
                else
                {
                    heard(part[0].Identity, [], new Answer([], e.SqlState, double.MaxValue));
                    next++;
                    isPatient = isAlone;
                }
            }
            catch (PostgresException e) when (!isSafe && DataErrors.From(e) is not { Error.Kind: ErrorKind.Unavailable })
            {
                isSafe = true;
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedColumn
                or PostgresErrorCodes.UndefinedFunction or PostgresErrorCodes.DatatypeMismatch or "XX000")
            {
                // The table was altered or dropped under the question.
                return false;
            }
        }

        return true;
    }

    // No policy can see what is gone. So a delete, of which the key alone is told, goes to those of whom it is known that they saw the row: whose key it
    // names as the owner, who sees the conversation it belongs to, or saw it when it went in the same transaction; and to administrators.
    private async Task DeletesAsync(
        FeedTable table, IReadOnlyList<WalChange> changes, IReadOnlyList<AskedIdentity> identities, List<int> some,
        IReadOnlyList<IReadOnlyCollection<int>?> wanted, Verdict[] verdicts, bool isAlone, CancellationToken cancellationToken)
    {
        var deletes = Enumerable.Range(0, changes.Count).Where(i => changes[i].Kind == FeedChanges.Delete).ToArray();
        if (deletes.Length == 0)
            return;
        var isVox = table.Schema == "vox";
        var owners = (isVox && table.Name == "users" ? ["id"] : OwnerColumns)
            .Select(table.ColumnOf).Where(i => i >= 0 && table.PolicyColumns.Contains(i)).ToArray();
        var conversation = !isVox ? -1 : table.Name == "conversations" ? table.ColumnOf("id") : table.ColumnOf("conversation_id");
        foreach (var i in some)
        {
            if (Guid.TryParseExact(identities[i].Key, "D", out _) is false)
                continue;
            var user = identities[i].Key;
            var asked = new Dictionary<string, List<int>>();
            var unknown = new List<int>();
            foreach (var d in deletes)
            {
                if (wanted[i] is { } only && !only.Contains(d))
                    continue;
                var change = changes[d];
                var owned = owners.Any(column => TextOf(change, column) == user);
                var gone = conversation >= 0 && TextOf(change, conversation) is { } id ? change.Transaction.Gone?.GetValueOrDefault(id) : null;
                if (owned || gone?.Contains(user) == true)
                {
                    verdicts[i].Allowed.Add(d);
                    continue;
                }

                unknown.Add(d);
                if (gone is null && conversation >= 0 && TextOf(change, conversation) is { } standing)
                {
                    if (asked.TryGetValue(standing, out var of))
                        of.Add(d);
                    else
                        asked[standing] = [d];
                }
            }

            if (!isVox || unknown.Count == 0)
                continue;
            try
            {
                var (isAdmin, seen) = await SeenAsync(identities[i], [.. asked.Keys], isAlone, cancellationToken);
                verdicts[i].Allowed.UnionWith(isAdmin ? unknown : seen.SelectMany(id => asked[id]));
            }
            catch (VoxbaseException e) when (e.Error.Kind != ErrorKind.Unavailable || e.Error == DataErrors.TimedOut)
            {
                verdicts[i].Fault ??= new AskFault(FeedErrors.PolicyFailed.With($"A policy of vox.conversations could not be asked for this subscriber.", e.Code));
            }
        }
    }

    internal const string SeenSql =
        """
        select vox_private.is_admin(), array(select c.id::text from vox.conversations c where c.id = any($1::text[]::uuid[]))
        """;

    private async Task<(bool IsAdmin, string[] Seen)> SeenAsync(AskedIdentity identity, string[] conversations, bool isAlone, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(isAlone ? options.Feed.PolicyTimeout : TimeSpan.FromMilliseconds(GroupTimeoutMs));
        try
        {
            return await database.RunAsync(
                Caller.FromClaims(System.Text.Json.JsonElement.Parse(identity.Claims)),
                [new Statement(SeenSql, Parameter.Texts(conversations, static id => id))],
                static async (row, ct) => await row.ReadAsync(ct) ? (row.GetBoolean(0), row.GetFieldValue<string[]>(1)) : (false, []),
                patience.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw DataErrors.TimedOut.With("The policies of vox.conversations took too long.");
        }
    }

    private static string? TextOf(WalChange change, int column) =>
        change.Values[column].Length >= 0 ? Encoding.UTF8.GetString(change.Text(change.Values[column])) : null;

    /// <summary>Connections that ask, made when they are needed and anew when they broke.</summary>
    private sealed class AskerPool(Database database, int size, int timeoutMs) : IAsyncDisposable
    {
        private readonly SemaphoreSlim free = new(size);
        private readonly ConcurrentBag<FeedAsker> idle = [];

        public async Task<Lease> TakeAsync(CancellationToken cancellationToken)
        {
            await free.WaitAsync(cancellationToken);
            try
            {
                while (idle.TryTake(out var asker))
                {
                    if (asker.IsOpen)
                        return new Lease(this, asker);
                    await asker.DisposeAsync();
                }

                var connection = await database.OpenApartWithoutCallerAsync(
                    string.Create(CultureInfo.InvariantCulture, $"set statement_timeout = {timeoutMs}; set timezone = 'UTC'; set datestyle = 'ISO, YMD'; "
                        + $"set intervalstyle = 'postgres'; set extra_float_digits = 1; set bytea_output = 'hex'; set jit = off"),
                    cancellationToken);
                return new Lease(this, new FeedAsker(connection));
            }
            catch
            {
                free.Release();
                throw;
            }
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var asker in idle)
                await asker.DisposeAsync();
        }

        public sealed class Lease(AskerPool pool, FeedAsker asker) : IDisposable
        {
            public async Task<T> UseAsync<T>(Func<FeedAsker, Task<T>> use) => await use(asker);

            public void Dispose()
            {
                pool.idle.Add(asker);
                pool.free.Release();
            }
        }
    }
}
