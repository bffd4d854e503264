using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Voxbase;

/// <summary>All subscriptions that policies cannot tell apart: the same role and claims, but for a token's own id and times.</summary>
internal sealed class FeedIdentity(string name, AskedIdentity asked)
{
    public string Name { get; } = name;

    public AskedIdentity Asked { get; } = asked;

    public List<SubscriptionState> Subscriptions { get; } = [];

    /// <summary>Where it is asked when its policies raised or were slow, so that nobody else waits; null when all is well.</summary>
    public SlowLane? Lane { get; set; }

    public static string NameOf(Caller caller)
    {
        var claims = JsonNode.Parse(caller.Claims)!.AsObject();
        foreach (var own in (ReadOnlySpan<string>)["exp", "iat", "nbf", "jti"])
            claims.Remove(own);
        return caller.Role + "\n" + caller.Key + "\n" + new JsonObject(claims.OrderBy(claim => claim.Key, StringComparer.Ordinal)
            .Select(claim => KeyValuePair.Create(claim.Key, claim.Value?.DeepClone()))).ToJsonString();
    }
}

/// <summary>A subscription as the dispatcher sees it.</summary>
internal sealed class SubscriptionState(FeedSubscription subscription, FeedIdentity identity)
{
    private readonly ConcurrentDictionary<uint, CompiledTable> compiled = new();

    public FeedSubscription Subscription { get; } = subscription;

    public FeedIdentity Identity { get; } = identity;

    /// <summary>What it asks for of a table; null for nothing.</summary>
    public CompiledTable? Of(FeedTable table, FeedAccess access)
    {
        if (compiled.TryGetValue(table.Relation.Oid, out var known) && ReferenceEquals(known.Table, table))
            return known.Entries.Length == 0 ? null : known;
        CompiledTable made;
        try
        {
            made = CompiledTable.Make(table, access, Subscription);
        }
        catch (VoxbaseException e)
        {
            // A column that a filter names is gone, or is of another type now.
            Subscription.Fail(e);
            return null;
        }

        compiled[table.Relation.Oid] = made;
        return made.Entries.Length == 0 ? null : made;
    }
}

/// <summary>What a subscription asks for of a table.</summary>
internal sealed record CompiledTable(FeedTable Table, FeedView View, CompiledEntry[] Entries)
{
    private static readonly ConcurrentDictionary<ulong, int[]> Lists = new();

    /// <summary>Whether it wants changes whatever they hold.</summary>
    public bool IsUnfiltered { get; } = Entries.Any(entry => entry.Tests.Length == 0);

    public static CompiledTable Make(FeedTable table, FeedAccess access, FeedSubscription subscription)
    {
        var entries = new List<CompiledEntry>();
        HashSet<string>? columns = [];
        for (var i = 0; i < subscription.Request.Entries.Count; i++)
        {
            var entry = subscription.Request.Entries[i];
            if ((entry.Schema != "*" && entry.Schema != table.Schema) || (entry.Table != "*" && entry.Table != table.Name))
                continue;
            var tests = new List<FilterTest>();
            var canHold = true;
            foreach (var filter in entry.Filters ?? [])
            {
                var column = table.ColumnOf(filter.Column);
                if (column >= 0 && access.Columns.Contains(filter.Column))
                {
                    tests.Add(FilterTest.Make(filter, column, table.Types[column].BaseName));
                }
                else if (entry.Table == "*")
                {
                    // Of all tables, those that have the column.
                    canHold = false;
                }
                else
                {
                    throw FeedErrors.RequestInvalid.With($"{table.Schema}.{table.Name} has no column '{filter.Column}' that this subscriber may see.");
                }
            }

            if (!canHold)
                continue;
            entries.Add(new CompiledEntry(i, entry.Changes, [.. tests]));
            if (entry.Columns is null)
                columns = null;
            else
                columns?.UnionWith(entry.Columns);
        }

        return new CompiledTable(table, table.ViewOf(subscription.Caller.Role, access, columns?.Order(StringComparer.Ordinal).ToArray()), [.. entries]);
    }

    /// <summary>Which entries a change matches, as bits.</summary>
    public ulong Matches(WalChange change)
    {
        var bits = 0UL;
        foreach (var entry in Entries)
        {
            if (entry.Matches(change))
                bits |= 1UL << entry.Index;
        }

        return bits;
    }

    public static int[] ListOf(ulong bits) => Lists.GetOrAdd(bits, static bits => [.. Enumerable.Range(0, 64).Where(i => (bits >> i & 1) != 0)]);
}

/// <summary>An entry, with its filters made ready.</summary>
internal sealed record CompiledEntry(int Index, FeedChanges Changes, FilterTest[] Tests)
{
    public bool Matches(WalChange change)
    {
        if ((Changes & change.Kind) == 0)
            return false;
        foreach (var test in Tests)
        {
            if (!test.Holds(change))
                return false;
        }

        return true;
    }
}

/// <summary>Those that are told of a batch.</summary>
internal readonly record struct Audience(FeedIdentity Identity, SubscriptionState[] Subscriptions);

/// <summary>
/// Takes what the log has, batch by batch: finds who asked for it, has the policies asked about that, and puts it into the queues of those who may see it. The longer
/// a batch takes, the more changes the next one holds, and the less each costs.
/// </summary>
internal sealed class FeedDispatcher(FeedLog log, FeedAuthorizer authorizer, VoxbaseOptions options, TimeProvider time, FeedMetrics metrics, ILogger logger)
{
    private const int MaxBatch = 4_000;
    private const int MaxCatchUp = 500;
    private const double SlowMs = 60;

    private readonly Lock gate = new();
    private readonly Dictionary<string, FeedIdentity> identities = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<FeedSubscription> ended = new();
    private readonly Dictionary<uint, Interest> interests = [];
    private FeedPosition head;
    private Audience[]? audiences;
    private int version;
    private int count;

    /// <summary>How many subscriptions there are.</summary>
    public int Count => Volatile.Read(ref count);

    /// <summary>How many identities the policies are asked about.</summary>
    public int Identities
    {
        get
        {
            lock (gate)
                return identities.Count;
        }
    }

    /// <summary>Identities that are asked apart, because their policies raised or were slow.</summary>
    public int SlowIdentities
    {
        get
        {
            lock (gate)
                return identities.Values.Count(identity => identity.Lane is not null);
        }
    }

    /// <summary>Up to where subscriptions have been told.</summary>
    public FeedPosition Head
    {
        get
        {
            lock (gate)
                return head;
        }
    }

    /// <summary>Begins at the log's end.</summary>
    public void Begin()
    {
        lock (gate)
            head = log.End;
    }

    /// <summary>Notes that a subscription is over. Takes no lock: whoever ends it may hold its own.</summary>
    public void Forget(FeedSubscription subscription) => ended.Enqueue(subscription);

    public void Clean()
    {
        while (ended.TryDequeue(out var subscription))
        {
            lock (gate)
            {
                if (subscription.State is not { } state)
                    continue;
                subscription.State = null;
                if (!state.Identity.Subscriptions.Remove(state))
                    continue;
                count--;
                if (state.Identity.Subscriptions.Count == 0)
                {
                    state.Identity.Lane?.Stop();
                    identities.Remove(state.Identity.Name);
                }

                Changed();
            }
        }
    }

    /// <summary>Brings a subscription up to now, from its position or not at all, and then keeps it there.</summary>
    public async Task JoinAsync(FeedSubscription subscription, Func<FeedPosition, Task<bool>> isAhead, CancellationToken cancellationToken)
    {
        var alone = new FeedIdentity("", new AskedIdentity(subscription.Caller.Role, subscription.Caller.Claims, subscription.Caller.Key));
        var state = new SubscriptionState(subscription, alone);
        if (subscription.Request.After is not { } cursor)
        {
            Register(subscription, null);
            return;
        }

        if (cursor.Epoch != log.End.Epoch || (cursor > log.End && await isAhead(cursor)))
        {
            Register(subscription, null, isResync: true);
            return;
        }

        subscription.Add(new FeedEvent { Kind = FeedEventKind.Ready, Position = cursor });
        subscription.IsCatchingUp = true;
        var size = MaxCatchUp;
        while (!cancellationToken.IsCancellationRequested)
        {
            if (Register(subscription, cursor))
                return;
            if (log.Read(cursor, size, out var upTo) is not { } changes)
            {
                Register(subscription, null, isResync: true, isReady: true);
                return;
            }

            await RetriedAsync(() => DispatchAsync(changes, upTo, [new Audience(alone, [state])], isAlone: true, cancellationToken), cancellationToken);
            // Who wants little of what there is reads in greater strides: one that comes back again and again has to come nearer each time.
            size = subscription.Waiting * 2 > MaxCatchUp ? MaxCatchUp : Math.Min(size * 2, MaxBatch);
            await subscription.DrainedAsync(cancellationToken);
            if (subscription.Told < upTo)
                subscription.Add(new FeedEvent { Kind = FeedEventKind.Progress, Position = upTo });
            cursor = upTo;
        }
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var progressed = time.GetTimestamp();
        while (!cancellationToken.IsCancellationRequested)
        {
            using (var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken))
            {
                patience.CancelAfter(options.Feed.ProgressEvery);
                try
                {
                    await log.WaitAsync(Head, patience.Token);
                }
                catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
                {
                }
            }

            Clean();
            var changes = log.Read(Head, MaxBatch, out var upTo);
            if (changes is null)
            {
                ResyncAll();
                continue;
            }

            Audience[] told;
            int toldVersion;
            lock (gate)
            {
                head = upTo;
                toldVersion = version;
                told = audiences ??= [.. identities.Values.Select(identity => new Audience(identity, [.. identity.Subscriptions]))];
            }

            try
            {
                if (changes.Count > 0 && told.Length > 0)
                    await DispatchUntilDoneAsync(changes, upTo, told, toldVersion, cancellationToken);
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                // A fault that nobody thought of: these changes cannot be told, which everybody is told, and later ones follow.
                Log.FeedFaulted(logger, e);
                ResyncAll();
                continue;
            }

            if (time.GetElapsedTime(progressed) >= options.Feed.ProgressEvery)
            {
                progressed = time.GetTimestamp();
                TellProgress(upTo);
            }
        }
    }

    private void TellProgress(FeedPosition position)
    {
        lock (gate)
        {
            FeedEvent? progress = null;
            foreach (var state in identities.Values.Where(identity => identity.Lane is null).SelectMany(identity => identity.Subscriptions))
            {
                if (state.Subscription.Told < position && state.Subscription.Waiting == 0)
                    state.Subscription.Add(progress ??= new FeedEvent { Kind = FeedEventKind.Progress, Position = position });
            }
        }
    }

    private void ResyncAll()
    {
        metrics.Resyncs.Add(1);
        lock (gate)
        {
            head = log.End;
            Log.FeedResync(logger, count);
            foreach (var state in identities.Values.SelectMany(identity => identity.Subscriptions))
            {
                // What is still on its way in a lane of its own is of before.
                state.Identity.Lane?.Stop();
                state.Identity.Lane = null;
                state.Subscription.Add(Resync(head));
            }
        }
    }

    private static FeedEvent Resync(FeedPosition position) => new()
    {
        Kind = FeedEventKind.Resync,
        Position = position,
        Error = FeedErrors.Resync.With("Changes before this position are not kept any more, or were never known here."),
    };

    // False when there is more to catch up with first.
    private bool Register(FeedSubscription subscription, FeedPosition? cursor, bool isResync = false, bool isReady = false)
    {
        lock (gate)
        {
            if (cursor is { } at && at < head)
                return false;
            var name = FeedIdentity.NameOf(subscription.Caller);
            if (!identities.TryGetValue(name, out var identity))
            {
                identities[name] = identity = new FeedIdentity(
                    name, new AskedIdentity(subscription.Caller.Role, subscription.Caller.Claims, subscription.Caller.Key));
            }

            subscription.IsCatchingUp = false;
            var state = new SubscriptionState(subscription, identity);
            subscription.State = state;
            identity.Subscriptions.Add(state);
            count++;
            Changed();
            if (cursor is null)
            {
                if (!isReady)
                    subscription.Add(new FeedEvent { Kind = FeedEventKind.Ready, Position = head });
                if (isResync)
                    subscription.Add(Resync(head));
            }
        }

        // It ended before it began.
        if (subscription.Ending.IsCancellationRequested)
            Forget(subscription);
        return true;
    }

    private void Changed()
    {
        audiences = null;
        version++;
    }

    // What is committed is told, whatever the database does meanwhile.
    private async Task DispatchUntilDoneAsync(List<WalChange> changes, FeedPosition upTo, Audience[] told, int toldVersion, CancellationToken cancellationToken)
    {
        var quick = new List<Audience>(told.Length);
        foreach (var audience in told)
        {
            if (audience.Identity.Lane is not { } lane)
            {
                quick.Add(audience);
            }
            else if (lane.IsDone)
            {
                audience.Identity.Lane = null;
                quick.Add(audience);
            }
            else if (!lane.TryAdd(changes, upTo, audience))
            {
                Told(audience, upTo, FeedErrors.PolicySlow.With("The policies of this subscriber are slower than the changes they are asked about."));
            }
        }

        // Who asks is remembered from batch to batch, unless some are asked apart now.
        var slow = await RetriedAsync(
            () => DispatchAsync(changes, upTo, quick, isAlone: false, cancellationToken, quick.Count == told.Length ? toldVersion : null), cancellationToken);
        foreach (var identity in slow)
        {
            Log.FeedLaneOpened(logger, identity.Asked.Role, identity.Asked.Key);
            identity.Lane = new SlowLane((some, until, audience) => ApartAsync(some, until, audience, cancellationToken), cancellationToken);
        }
    }

    private async Task<List<FeedIdentity>> ApartAsync(List<WalChange> changes, FeedPosition upTo, Audience audience, CancellationToken cancellationToken)
    {
        try
        {
            return await RetriedAsync(() => DispatchAsync(changes, upTo, [audience], isAlone: true, cancellationToken), cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            Log.FeedFaulted(logger, e);
            Told(audience, upTo, FeedErrors.PolicyFailed.With("These changes could not be told to this subscriber."));
            return [audience.Identity];
        }
    }

    // What says that the database is away is tried until it is back. A connection that broke under a question may say so as an invalid operation, and so may a mistake.
    private async Task<List<FeedIdentity>> RetriedAsync(Func<Task<List<FeedIdentity>>> dispatch, CancellationToken cancellationToken)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                return await dispatch();
            }
            catch (Exception e) when (e is VoxbaseException or NpgsqlException or IOException || (e is InvalidOperationException && attempt < 20))
            {
                cancellationToken.ThrowIfCancellationRequested();
                Log.FeedWaits(logger, (e as VoxbaseException)?.Code ?? e.GetType().Name);
                await Task.Delay(TimeSpan.FromMilliseconds(Math.Min(10 << Math.Min(attempt, 7), 1_000)), time, cancellationToken);
            }
        }
    }

    /// <summary>Tells one batch to an audience; returns the identities whose policies raised or were slow.</summary>
    private async Task<List<FeedIdentity>> DispatchAsync(
        List<WalChange> changes, FeedPosition upTo, IReadOnlyList<Audience> told, bool isAlone, CancellationToken cancellationToken, int? cacheVersion = null)
    {
        var byTable = new Dictionary<WalRelation, List<int>>(ReferenceEqualityComparer.Instance);
        for (var i = 0; i < changes.Count; i++)
        {
            if (byTable.TryGetValue(changes[i].Relation, out var places))
                places.Add(i);
            else
                byTable[changes[i].Relation] = [i];
        }

        var parts = await Task.WhenAll(byTable.Select(part => PartAsync(part.Key, [.. part.Value], changes, told, isAlone, cacheVersion, cancellationToken)));
        var slow = new List<FeedIdentity>();
        // For each identity what it may see of all tables, in the order of commits.
        var visible = new Dictionary<FeedIdentity, (List<(int Place, Part Part)> Places, AskFault? Fault)>();
        foreach (var part in parts.OfType<Part>())
        {
            // Where all are slow, it is the machine.
            var slowAt = Math.Max(SlowMs, 5 * part.Verdicts.Average(verdict => Math.Min(verdict.ElapsedMs, SlowMs)));
            for (var i = 0; i < part.Asked.Count; i++)
            {
                var verdict = part.Verdicts[i];
                var (places, fault) = visible.GetValueOrDefault(part.Asked[i].Identity, ([], null));
                places.AddRange(verdict.Allowed.Select(local => (part.Places[local], part)));
                visible[part.Asked[i].Identity] = (places, fault ?? verdict.Fault);
                if ((verdict.Fault is not null || verdict.ElapsedMs > slowAt) && !slow.Contains(part.Asked[i].Identity))
                    slow.Add(part.Asked[i].Identity);
            }
        }

        var shared = new Dictionary<(int Place, FeedView View, ulong Matches), FeedEvent>();
        var delivered = 0;
        foreach (var audience in told)
        {
            if (!visible.TryGetValue(audience.Identity, out var seen))
                continue;
            seen.Places.Sort(static (one, other) => one.Place.CompareTo(other.Place));
            foreach (var state in audience.Subscriptions)
            {
                foreach (var (place, part) in seen.Places)
                {
                    var change = changes[place];
                    if (state.Of(part.Table, part.AccessOf(state)) is not { } compiled || compiled.Matches(change) is not (> 0 and var bits))
                        continue;
                    if (!shared.TryGetValue((place, compiled.View, bits), out var made))
                        shared[(place, compiled.View, bits)] = made = compiled.View.Event(change, CompiledTable.ListOf(bits));
                    state.Subscription.Add(made);
                    delivered++;
                }
            }

            if (seen.Fault is { } wrong)
            {
                Log.FeedPolicyFailed(logger, audience.Identity.Asked.Role, audience.Identity.Asked.Key, wrong.Error.Code, wrong.Error.Details ?? "");
                Told(audience, upTo, wrong.Error);
            }
        }

        metrics.Delivered.Add(delivered);
        return slow;
    }

    private void Told(Audience audience, FeedPosition position, VoxbaseException error)
    {
        metrics.Faults.Add(1);
        foreach (var state in audience.Subscriptions)
            state.Subscription.Add(new FeedEvent { Kind = FeedEventKind.Error, Position = position, Error = error });
    }

    private async Task<Part?> PartAsync(
        WalRelation relation, int[] places, List<WalChange> changes, IReadOnlyList<Audience> told, bool isAlone, int? cacheVersion, CancellationToken cancellationToken)
    {
        if (await authorizer.TableAsync(relation, cancellationToken) is not { } table)
            return null;
        var interest = await InterestAsync(table, told, cacheVersion, cancellationToken);
        if (interest.IsEmpty)
            return null;
        var own = places.Select(place => changes[place]).ToArray();
        var wanted = interest.Wanted(own);
        if (wanted.Count == 0)
            return null;
        var asked = wanted.Keys.ToList();
        var (current, verdicts) = await authorizer.AuthorizeAsync(
            relation, own, [.. asked.Select(audience => audience.Identity.Asked)], [.. asked.Select(audience => wanted[audience])], isAlone, cancellationToken);
        if (current is null)
            return null;
        await authorizer.GenerateAsync(current, verdicts.SelectMany(verdict => verdict.Allowed).Distinct().Select(local => own[local]), cancellationToken);
        var access = new Dictionary<string, FeedAccess>();
        foreach (var role in asked.Select(audience => audience.Identity.Asked.Role).Distinct())
            access[role] = await authorizer.AccessAsync(current, role, cancellationToken);
        return new Part(current, places, asked, verdicts, access);
    }

    private async Task<Interest> InterestAsync(FeedTable table, IReadOnlyList<Audience> told, int? cacheVersion, CancellationToken cancellationToken)
    {
        lock (interests)
        {
            if (cacheVersion is { } wanted && interests.TryGetValue(table.Relation.Oid, out var known) && known.Version == wanted && ReferenceEquals(known.Table, table))
                return known;
        }

        var access = new Dictionary<string, FeedAccess>();
        foreach (var role in told.Select(audience => audience.Identity.Asked.Role).Distinct())
            access[role] = await authorizer.AccessAsync(table, role, cancellationToken);
        var made = new Interest(table, told, access, cacheVersion ?? -1);
        if (cacheVersion is not null)
        {
            lock (interests)
                interests[table.Relation.Oid] = made;
        }

        return made;
    }

    /// <summary>A batch's changes of one table, and who may see them.</summary>
    private sealed record Part(FeedTable Table, int[] Places, List<Audience> Asked, Verdict[] Verdicts, Dictionary<string, FeedAccess> Access)
    {
        public FeedAccess AccessOf(SubscriptionState state) => Access[state.Subscription.Caller.Role];
    }

    /// <summary>Who asks for what of a table, so that a change finds them without asking each.</summary>
    private sealed class Interest
    {
        private readonly List<Audience> all = [];
        private readonly List<(Audience Audience, CompiledTable Compiled)> filtered = [];
        private readonly Dictionary<int, Dictionary<string, List<(Audience Audience, CompiledTable Compiled)>>> exact = [];

        public Interest(FeedTable table, IReadOnlyList<Audience> told, Dictionary<string, FeedAccess> access, int version)
        {
            (Table, Version) = (table, version);
            foreach (var audience in told)
            {
                var compiled = audience.Subscriptions.Select(state => state.Of(table, access[state.Subscription.Caller.Role])).OfType<CompiledTable>().ToList();
                if (compiled.Any(one => one.IsUnfiltered))
                {
                    all.Add(audience);
                    continue;
                }

                foreach (var one in compiled)
                {
                    if (one.Entries.All(entry => entry.Tests.Any(test => test.Exact is not null)))
                    {
                        foreach (var (column, text) in one.Entries.Select(entry => entry.Tests.First(test => test.Exact is not null).Exact!.Value))
                            Listed(column, text).Add((audience, one));
                    }
                    else
                    {
                        filtered.Add((audience, one));
                    }
                }
            }

            List<(Audience Audience, CompiledTable Compiled)> Listed(int column, string text)
            {
                if (!exact.TryGetValue(column, out var texts))
                    exact[column] = texts = new(StringComparer.Ordinal);
                if (!texts.TryGetValue(text, out var list))
                    texts[text] = list = [];
                return list;
            }
        }

        public FeedTable Table { get; }

        public int Version { get; }

        public bool IsEmpty => all.Count == 0 && filtered.Count == 0 && exact.Count == 0;

        /// <summary>For each identity the changes that its subscriptions' filters let through, null for all.</summary>
        public Dictionary<Audience, IReadOnlyCollection<int>?> Wanted(WalChange[] changes)
        {
            var wanted = new Dictionary<Audience, IReadOnlyCollection<int>?>();
            foreach (var audience in all)
                wanted[audience] = null;
            for (var i = 0; i < changes.Length; i++)
            {
                foreach (var (audience, compiled) in filtered)
                    Look(audience, compiled, i);
                foreach (var (column, texts) in exact)
                {
                    var value = changes[i].Values[column];
                    if (value.Length >= 0 && texts.TryGetValue(System.Text.Encoding.UTF8.GetString(changes[i].Text(value)), out var some))
                    {
                        foreach (var (audience, compiled) in some)
                            Look(audience, compiled, i);
                    }
                }
            }

            return wanted;

            void Look(Audience audience, CompiledTable compiled, int i)
            {
                if (compiled.Matches(changes[i]) == 0)
                    return;
                if (wanted.TryGetValue(audience, out var some))
                    (some as HashSet<int>)?.Add(i);
                else
                    wanted[audience] = new HashSet<int> { i };
            }
        }
    }
}

/// <summary>Where one identity is asked by itself, in order, behind the others. Done when its policies behave again.</summary>
internal sealed class SlowLane
{
    private const int Capacity = 256;
    private const int Enough = 20;
    private const double FastMs = 100;

    private readonly System.Threading.Channels.Channel<(List<WalChange> Changes, FeedPosition UpTo, Audience Audience)> waiting =
        System.Threading.Channels.Channel.CreateUnbounded<(List<WalChange>, FeedPosition, Audience)>();

    private int pending;
    private int streak;

    public SlowLane(Func<List<WalChange>, FeedPosition, Audience, Task<List<FeedIdentity>>> dispatch, CancellationToken cancellationToken) =>
        _ = Task.Run(() => RunAsync(dispatch, cancellationToken), CancellationToken.None);

    /// <summary>Nothing waits, and the last questions were answered quickly and well.</summary>
    public bool IsDone => Volatile.Read(ref pending) == 0 && Volatile.Read(ref streak) >= Enough;

    public bool TryAdd(List<WalChange> changes, FeedPosition upTo, Audience audience)
    {
        if (Volatile.Read(ref pending) >= Capacity)
            return false;
        Interlocked.Increment(ref pending);
        return waiting.Writer.TryWrite((changes, upTo, audience));
    }

    public void Stop() => waiting.Writer.TryComplete();

    private async Task RunAsync(Func<List<WalChange>, FeedPosition, Audience, Task<List<FeedIdentity>>> dispatch, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var (changes, upTo, audience) in waiting.Reader.ReadAllAsync(cancellationToken))
            {
                var begun = System.Diagnostics.Stopwatch.GetTimestamp();
                var slow = await dispatch(changes, upTo, audience);
                streak = slow.Count == 0 && System.Diagnostics.Stopwatch.GetElapsedTime(begun).TotalMilliseconds < FastMs ? streak + 1 : 0;
                Interlocked.Decrement(ref pending);
            }
        }
        catch (OperationCanceledException)
        {
            // The feed ends.
        }
    }
}
