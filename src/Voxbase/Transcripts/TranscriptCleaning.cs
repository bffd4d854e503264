using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Voxbase.Data;

namespace Voxbase.Cleaning;

/// <summary>What a round of cleaning did.</summary>
/// <param name="Conversations">How many conversations went on.</param>
/// <param name="Turns">How many turns got their result.</param>
/// <param name="Failed">How many conversations could not be cleaned; they are tried again.</param>
public sealed record CleaningRun(int Conversations, int Turns, int Failed)
{
    internal static CleaningRun Nothing { get; } = new(0, 0, 0);

    /// <summary>Both together.</summary>
    public static CleaningRun operator +(CleaningRun one, CleaningRun other) =>
        new(one.Conversations + other.Conversations, one.Turns + other.Turns, one.Failed + other.Failed);
}

/// <summary>
/// Cleans the turns of conversations as they come, each conversation's in their order. Any number of servers may do it at once, and one may die at
/// any moment: a conversation moves on together with the results of its turns, and only from where the server read it. So each turn gets one
/// result, and the same as if nobody had died, because its context is made of the turns before it alone.
/// </summary>
public sealed class TranscriptCleaning(
    Database database, CleaningQueue queue, VoxbaseOptions options, ILogger<TranscriptCleaning> logger, LlmCleaner? llm = null, CleaningSpend? spend = null)
{
    // What one transaction holds locked: about as long as an append may have to wait for it.
    private const int ConversationsAtOnce = 16;
    private const int TurnsAtOnce = 64;
    // Of a conversation whose turns a model is asked about, one after the other.
    private const int AskedAtOnce = 4;
    private const int MostAwaited = 100;
    private const int MostBehind = 10_000;

    private readonly TurnContexts contexts = new(options.Transcripts.ContextsKept, llm);
    private readonly Guid server = Guid.CreateVersion7();

    /// <summary>Looks for conversations that are behind, and cleans until none waits. Safe to run at once on many servers.</summary>
    public async Task<CleaningRun> RunOnceAsync(CancellationToken cancellationToken = default)
    {
        await SweepAsync(cancellationToken);
        return await CleanWaitingAsync(cancellationToken);
    }

    /// <summary>Says in the database whether new conversations are cleaned.</summary>
    internal Task ApplySettingsAsync(CancellationToken cancellationToken) => database.RunAsync(
        Caller.Service, [new Statement(CleaningRows.SettingsSql, Parameter.Boolean(options.Transcripts.Enabled))], cancellationToken);

    /// <summary>Puts into the queue what is behind.</summary>
    internal async Task SweepAsync(CancellationToken cancellationToken)
    {
        var (any, behind) = await database.RunAsync(
            Caller.Service,
            [new Statement(CleaningRows.CloseSql), new Statement(CleaningRows.AnySql), new Statement(CleaningRows.BehindSql, Parameter.Integer(MostBehind))],
            static async (results, ct) =>
            {
                await results.ReadAsync(ct);
                var some = results.GetBoolean(0);
                await results.NextResultAsync(ct);
                return (some, await CleaningRows.AllAsync(results, row => row.GetGuid(0), ct));
            },
            cancellationToken);
        queue.IsListening = any || options.Transcripts.Enabled;
        queue.Forget();
        foreach (var conversationId in behind)
            queue.Enqueue(conversationId);
    }

    /// <summary>Cleans until nobody waits.</summary>
    internal async Task<CleaningRun> CleanWaitingAsync(CancellationToken cancellationToken)
    {
        var run = CleaningRun.Nothing;
        while (queue.Take(ConversationsAtOnce) is { Count: > 0 } batch)
            run += await CleanAsync(batch, cancellationToken);
        return run;
    }

    // Never fails but by cancellation: what cannot be cleaned now is found by the next sweep.
    private async Task<CleaningRun> CleanAsync(List<Guid> batch, CancellationToken cancellationToken)
    {
        var more = new HashSet<Guid>();
        try
        {
            return await CleanBatchAsync(batch, more, cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // One of them may be at fault for all.
            var run = CleaningRun.Nothing;
            more.Clear();
            foreach (var conversationId in batch)
                contexts.Drop(conversationId);
            if (e is VoxbaseException { Error.Kind: ErrorKind.Unavailable } unavailable)
            {
                Log.CleaningFailed(logger, batch[0], unavailable.Code);
                return new CleaningRun(0, 0, batch.Count);
            }

            foreach (var conversationId in batch)
                run += await CleanAloneAsync(conversationId, more, cancellationToken);
            return run;
        }
        finally
        {
            foreach (var conversationId in batch)
                queue.GiveBack(conversationId, more.Contains(conversationId));
        }
    }

    private async Task<CleaningRun> CleanAloneAsync(Guid conversationId, HashSet<Guid> more, CancellationToken cancellationToken)
    {
        try
        {
            return await CleanBatchAsync([conversationId], more, cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            contexts.Drop(conversationId);
            Log.CleaningFailed(logger, conversationId, (e as VoxbaseException)?.Code ?? e.GetType().Name);
            return new CleaningRun(0, 0, 1);
        }
    }

    private async Task<CleaningRun> CleanBatchAsync(List<Guid> batch, HashSet<Guid> more, CancellationToken cancellationToken)
    {
        var ids = batch.ToArray();
        var (heads, turns) = await database.RunAsync(
            Caller.Service,
            [
                new Statement(CleaningRows.HeadsSql, Parameter.Uuids(ids, id => id)),
                new Statement(CleaningRows.TailsSql, Parameter.Uuids(ids, id => id), Parameter.Integer(TurnsAtOnce)),
            ],
            static async (results, ct) =>
            {
                var first = await CleaningRows.AllAsync(results, CleaningRows.ReadHead, ct);
                await results.NextResultAsync(ct);
                return (first, (await CleaningRows.AllAsync(results, CleaningRows.ReadTurn, ct)).DistinctBy(turn => turn.Id).ToLookup(turn => turn.ConversationId));
            },
            cancellationToken);
        foreach (var id in ids.Except(heads.Where(head => head.IsEnabled).Select(head => head.Id)))
            queue.PassBy(id);
        var jobs = heads.Where(head => head.IsEnabled).Select(head => new Job(head, CleaningSettings.Of(head.Preferences, options.Transcripts), [.. turns[head.Id]]))
            .Where(job => job.Fresh.Count > 0 || job.Head.Awaited.Length > 0).ToList();
        foreach (var job in jobs)
            await FindMissedAsync(job, cancellationToken);
        await PrepareAsync(jobs, cancellationToken);

        // Those that no model is asked about go first and together.
        var run = await CleanJobsAsync([.. jobs.Where(job => !job.IsAsked)], more, cancellationToken);
        foreach (var asked in await Task.WhenAll(jobs.Where(job => job.IsAsked).Select(job => CleanAskedAsync(job, more, cancellationToken))))
            run += asked;
        return run;
    }

    // A server that dies in between leaves the conversation to the others when its claim has run out.
    private async Task<CleaningRun> CleanAskedAsync(Job job, HashSet<Guid> more, CancellationToken cancellationToken)
    {
        var seconds = (AskedAtOnce * 2 * options.LlmCleaning.Timeout.TotalSeconds) + 10;
        var claimed = await database.RunAsync(
            Caller.Service,
            [
                new Statement(
                    CleaningRows.ClaimSql, Parameter.Uuid(job.Head.Id), Parameter.Uuid(server), Parameter.Integer(job.Head.CleanedThrough), Parameter.Double(seconds)),
            ],
            static (results, _) => Task.FromResult(results.RecordsAffected),
            cancellationToken);
        return claimed > 0 ? await CleanJobsAsync([job], more, cancellationToken) : CleaningRun.Nothing;
    }

    private async Task<CleaningRun> CleanJobsAsync(List<Job> jobs, HashSet<Guid> more, CancellationToken cancellationToken)
    {
        var (advances, results) = (new List<CleaningAdvance>(), new List<TurnResult>());
        var reread = new HashSet<Guid>();
        foreach (var job in jobs)
        {
            var before = results.Count;
            var advance = job.Late.Count > 0 ? await CleanLateAsync(job, results, cancellationToken) : await CleanFreshAsync(job, results, cancellationToken);
            if (job.Late.Count > 0)
                reread.Add(job.Head.Id);
            if (advance.Through > job.Head.CleanedThrough || results.Count > before || !advance.Awaited.SequenceEqual(job.Head.Awaited))
                advances.Add(advance);
        }

        if (advances.Count == 0)
            return CleaningRun.Nothing;
        var written = await WriteAsync(advances, results, reread, cancellationToken);
        foreach (var advance in advances)
        {
            var job = jobs.Find(job => job.Head.Id == advance.Head.Id)!;
            var isWritten = written.Contains(job.Head.Id);
            if (isWritten && job.Late.Count == 0)
                contexts.Keep(job.Head, job.Settings, job.Window!);
            else
                contexts.Drop(job.Head.Id);
            if (!isWritten || job.Late.Count > 0 || job.Fresh.Count >= TurnsAtOnce || (job.Fresh.Count > 0 && job.Fresh[^1].SequenceNumber > advance.Through && job.IsAsked))
            {
                lock (more)
                    more.Add(job.Head.Id);
            }
        }

        return new CleaningRun(written.Count, results.Count(result => written.Contains(result.Turn.ConversationId)), 0);
    }

    private async Task<CleaningAdvance> CleanFreshAsync(Job job, List<TurnResult> results, CancellationToken cancellationToken)
    {
        var (head, window) = (job.Head, job.Window!);
        // Who is over will not be told any more.
        var awaited = head.IsOver ? [] : head.Awaited.ToList();
        var waitMs = options.Transcripts.AwaitText.TotalMilliseconds;
        var asked = 0;
        foreach (var turn in job.Fresh)
        {
            var isHeard = turn.IsHeard(head.Kind) && !turn.IsCleaned;
            if (turn.SequenceNumber != window.Through + 1 || (isHeard && turn.RawText is null && !head.IsOver && turn.AgeMs < waitMs)
                || asked == AskedAtOnce)
            {
                break;
            }

            var text = turn.Text;
            if (isHeard && turn.RawText is not null)
            {
                asked += job.IsAsked ? 1 : 0;
                var result = job.IsAsked
                    ? await contexts.CleanAsync(turn, window, job.Settings, ct => AdmitsAsync(head.Id, ct), cancellationToken)
                    : contexts.Clean(turn, window, job.Settings);
                results.Add(result);
                text = result.Cleaned.Text;
            }
            else if (isHeard && !head.IsOver && !awaited.Contains(turn.Id))
            {
                awaited.Add(turn.Id);
            }

            window.Add(turn.SequenceNumber, text, turn.Trust(head.Kind));
        }

        return new CleaningAdvance(
            head, window.Through, awaited.Count > MostAwaited ? awaited[^MostAwaited..] : awaited, !head.IsOver || window.Through < head.LastSequence || awaited.Count > 0);
    }

    private Task<bool> AdmitsAsync(Guid conversationId, CancellationToken cancellationToken) =>
        spend?.AdmitsAsync(conversationId, cancellationToken) ?? Task.FromResult(true);

    // Text that came after its turn was passed by: cleaned where it stands, and from there on the context is another.
    private async Task<CleaningAdvance> CleanLateAsync(Job job, List<TurnResult> results, CancellationToken cancellationToken)
    {
        var head = job.Head;
        foreach (var turn in job.Late)
        {
            var window = await ReadWindowAsync(head, job.Settings, job.Terms!, turn.SequenceNumber - 1, cancellationToken);
            results.Add(contexts.Clean(turn, window, job.Settings));
        }

        var done = job.Late.Select(turn => turn.Id).ToHashSet();
        return new CleaningAdvance(head, head.CleanedThrough, [.. head.Awaited.Where(id => !done.Contains(id))], IsOpen: true);
    }

    private async Task<ContextWindow> ReadWindowAsync(
        CleaningHead head, CleaningSettings settings, TermIndex terms, int through, CancellationToken cancellationToken)
    {
        var window = new ContextWindow(terms, settings.WindowSize);
        window.Begin(through);
        if (through == 0)
            return window;
        foreach (var turn in await RangesAsync([(head.Id, ContextWindow.First(through), through)], cancellationToken))
            window.Add(turn.SequenceNumber, turn.Text, turn.Trust(head.Kind));
        return window;
    }

    // A turn of ours behind the place where we are: somebody put turns before it. Then what has no result is looked for from the beginning.
    private async Task FindMissedAsync(Job job, CancellationToken cancellationToken)
    {
        if (!job.Fresh.Exists(turn => turn.IsCleaned && turn.CleanerModel is { } model && model.StartsWith("voxbase", StringComparison.Ordinal)))
            return;
        var missed = await database.RunAsync(
            Caller.Service,
            [
                new Statement(
                    CleaningRows.MissedSql, Parameter.Uuid(job.Head.Id), Parameter.Integer(job.Head.CleanedThrough), Parameter.Integer(TurnsAtOnce),
                    Parameter.Boolean(job.Head.Kind == ConversationKind.Transcript)),
            ],
            static (results, ct) => CleaningRows.AllAsync(results, CleaningRows.ReadTurn, ct),
            cancellationToken);
        job.Late.AddRange(missed.Where(turn => job.Late.TrueForAll(late => late.Id != turn.Id)));
        contexts.Drop(job.Head.Id);
    }

    // Names and contexts that are not remembered, those of all conversations together.
    private async Task PrepareAsync(List<Job> jobs, CancellationToken cancellationToken)
    {
        foreach (var job in jobs)
            job.Terms = contexts.TermsOf(job.Head);
        var unknown = jobs.Where(job => job.Terms is null).ToList();
        if (unknown.Count > 0)
        {
            var lists = await TermListsAsync(database, Caller.Service, [.. unknown.Select(job => job.Head)], cancellationToken);
            foreach (var job in unknown)
                job.Terms = contexts.AddTerms(job.Head, TermsFor(job.Head, lists));
        }

        foreach (var job in jobs)
            job.Window = contexts.Find(job.Head, job.Settings);
        var anew = jobs.Where(job => job.Window is null).ToList();
        foreach (var job in anew)
        {
            job.Window = new ContextWindow(job.Terms!, job.Settings.WindowSize);
            job.Window.Begin(job.Head.CleanedThrough);
        }

        var ranges = anew.Where(job => job.Head.CleanedThrough > 0)
            .Select(job => (job.Head.Id, ContextWindow.First(job.Head.CleanedThrough), job.Head.CleanedThrough)).ToList();
        if (ranges.Count == 0)
            return;
        var known = (await RangesAsync(ranges, cancellationToken)).ToLookup(turn => turn.ConversationId);
        foreach (var job in anew)
        {
            foreach (var turn in known[job.Head.Id])
                job.Window!.Add(turn.SequenceNumber, turn.Text, turn.Trust(job.Head.Kind));
        }
    }

    private Task<List<HeardTurn>> RangesAsync(IReadOnlyList<(Guid Id, int First, int Last)> ranges, CancellationToken cancellationToken) =>
        database.RunAsync(
            Caller.Service,
            [
                new Statement(
                    CleaningRows.RangesSql, Parameter.Uuids(ranges, r => r.Id), Parameter.Integers(ranges, r => r.First), Parameter.Integers(ranges, r => r.Last)),
            ],
            static (results, ct) => CleaningRows.AllAsync(results, CleaningRows.ReadTurn, ct),
            cancellationToken);

    /// <summary>The lists of key terms that concern these conversations.</summary>
    internal static Task<List<(Guid? ConversationId, Guid? UserId, string[] Terms)>> TermListsAsync(
        Database database, Caller caller, IReadOnlyList<CleaningHead> heads, CancellationToken cancellationToken) =>
        database.RunAsync(
            caller,
            [new Statement(CleaningRows.TermsSql, Parameter.Uuids(heads, head => head.UserId), Parameter.Uuids(heads, head => head.Id))],
            static (results, ct) => CleaningRows.AllAsync(
                results,
                row => (row.IsDBNull(0) ? (Guid?)null : row.GetGuid(0), row.IsDBNull(1) ? (Guid?)null : row.GetGuid(1), row.GetFieldValue<string[]>(2)),
                ct),
            cancellationToken);

    /// <summary>Those of them that concern one.</summary>
    internal static IEnumerable<string> TermsFor(CleaningHead head, List<(Guid? ConversationId, Guid? UserId, string[] Terms)> lists) =>
        lists.Where(list => list.ConversationId == head.Id || (list.ConversationId is null && (list.UserId is null || list.UserId == head.UserId)))
            .SelectMany(list => list.Terms);

    private Task<HashSet<Guid>> WriteAsync(
        List<CleaningAdvance> advances, List<TurnResult> results, HashSet<Guid> reread, CancellationToken cancellationToken) =>
        database.RunAsync(
            Caller.Service,
            WriteStatements(advances, results, reread),
            static async (rows, ct) =>
            {
                await rows.NextResultAsync(ct);
                await rows.NextResultAsync(ct);
                return (await CleaningRows.AllAsync(rows, row => row.GetGuid(0), ct)).ToHashSet();
            },
            cancellationToken);

    // What was asked for is paid for, whoever's result is kept.
    private static Statement[] WriteStatements(List<CleaningAdvance> advances, List<TurnResult> results, HashSet<Guid> reread)
    {
        var charges = results.Where(result => result.Cleaned.Llm is { Calls.Count: > 0 })
            .SelectMany(result => CleaningSpend.ChargesOf(result.Turn.ConversationId, result.Turn.Id, result.Cleaned.Llm!)).ToList();
        return
        [
            .. charges.Count == 0 ? [new Statement(CleaningRows.RelaxedSql)] : (Statement[])[new Statement(CleaningRows.DurableSql)],
            new Statement(TurnRows.LockSql, Parameter.Uuids(advances, advance => advance.Head.Id)),
            CleaningRows.Write(advances, results, reread),
            .. charges.Count == 0 ? [] : (Statement[])[Charges.Record(charges)],
        ];
    }

    /// <summary>A conversation's part of a batch.</summary>
    private sealed class Job
    {
        public Job(CleaningHead head, CleaningSettings settings, List<HeardTurn> turns)
        {
            (Head, Settings) = (head, settings);
            Fresh = [.. turns.Where(turn => turn.SequenceNumber > head.CleanedThrough).OrderBy(turn => turn.SequenceNumber)];
            Late = [.. turns.Where(turn => turn.SequenceNumber <= head.CleanedThrough && turn is { RawText: not null, IsCleaned: false })];
        }

        public CleaningHead Head { get; }

        public CleaningSettings Settings { get; }

        /// <summary>Whether a language model is asked.</summary>
        public bool IsAsked => Settings.Engine == CleaningEngine.Llm;

        /// <summary>What comes next.</summary>
        public List<HeardTurn> Fresh { get; }

        /// <summary>What was passed by and has its text now.</summary>
        public List<HeardTurn> Late { get; }

        public TermIndex? Terms { get; set; }

        public ContextWindow? Window { get; set; }
    }
}

/// <summary>Cleans turns as they come, and looks from time to time for what other servers wrote or a crash left behind.</summary>
internal sealed class TranscriptCleaningJob(
    TranscriptCleaning cleaning, CleaningQueue queue, VoxbaseOptions options, TimeProvider time, ILogger<TranscriptCleaningJob> logger) : BackgroundService
{
    // Before the server listens: the first conversation that begins is taken on.
    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await cleaning.ApplySettingsAsync(cancellationToken);
            await cleaning.SweepAsync(cancellationToken);
        }
        catch (VoxbaseException e)
        {
            Log.SweepFailed(logger, e.Code);
        }

        await base.StartAsync(cancellationToken);
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll([FromTimeToTimeAsync(stoppingToken), .. Enumerable.Range(0, options.Transcripts.Lanes).Select(_ => AsTheyComeAsync(stoppingToken))]);

    private async Task AsTheyComeAsync(CancellationToken stoppingToken)
    {
        while (await queue.WaitAsync(stoppingToken))
            await cleaning.CleanWaitingAsync(stoppingToken);
    }

    private async Task FromTimeToTimeAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Transcripts.SweepEvery, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await cleaning.SweepAsync(stoppingToken);
            }
            catch (VoxbaseException e)
            {
                Log.SweepFailed(logger, e.Code);
            }
        }
    }
}
