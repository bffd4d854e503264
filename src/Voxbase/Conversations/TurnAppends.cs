using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Npgsql;
using Voxbase.Data;

namespace Voxbase;

/// <summary>
/// Gathers the turns that callers append at the same time and writes them with one statement in one transaction. Each caller is
/// answered after the commit that holds its turns.
/// </summary>
/// <remarks>
/// A lane writes one batch at a time. Whoever finds its lane free writes at once, so a lone writer never waits; whoever comes
/// while a batch is on its way joins the next one. The disk's own latency is the gathering time: no timer. A conversation always
/// takes the same lane, so two batches of one process never wait for each other's conversations.
/// </remarks>
internal sealed class TurnAppends(Database database, Partitions partitions, ConversationsOptions options)
{
    private readonly Lane[] lanes = [.. Enumerable.Range(0, options.AppendLanes).Select(_ => new Lane(database, partitions, options.AppendBatchTurns))];

    public Task<IReadOnlyList<AppendedTurn>> AppendAsync(
        Caller caller, Guid conversationId, IReadOnlyList<NewTurn> turns, CancellationToken cancellationToken)
    {
        var rows = new TurnInput[turns.Count];
        for (var i = 0; i < rows.Length; i++)
            rows[i] = new TurnInput(conversationId, turns[i].Id ?? Guid.CreateVersion7(), turns[i]);
        return lanes[(uint)conversationId.GetHashCode() % (uint)lanes.Length].AppendAsync(new Append(caller, rows), cancellationToken);
    }

    /// <summary>One caller's turns and the promise of their numbers.</summary>
    private sealed class Append(Caller caller, TurnInput[] rows)
    {
        private readonly TaskCompletionSource<IReadOnlyList<AppendedTurn>> done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Caller Caller { get; } = caller;

        public TurnInput[] Rows { get; } = rows;

        public Task<IReadOnlyList<AppendedTurn>> Done => done.Task;

        public void Succeed(IReadOnlyList<AppendedTurn> turns) => done.TrySetResult(turns);

        public void Fail(Exception error) => done.TrySetException(error);
    }

    private sealed class Lane(Database database, Partitions partitions, int batchTurns) : IThreadPoolWorkItem
    {
        private readonly Lock gate = new();
        private List<Append> waiting = [];
        private bool writing;

        public async Task<IReadOnlyList<AppendedTurn>> AppendAsync(Append append, CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            bool alone;
            lock (gate)
            {
                alone = !writing;
                writing = true;
                if (!alone)
                    waiting.Add(append);
            }

            if (alone)
            {
                await WriteAsync([append]);
                bool more;
                lock (gate)
                    more = writing = waiting.Count > 0;
                if (more)
                    ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
            }

            // Once queued it will be written: giving up here would leave the caller not knowing, so cancellation ends at the queue.
            return await append.Done;
        }

        void IThreadPoolWorkItem.Execute() => _ = WriteNextAsync();

        // One batch, and then to the back of the pool's queue: the callers just answered run first, and what they append at once is
        // gathered into the next batch instead of the one after.
        private async Task WriteNextAsync()
        {
            List<Append> batch;
            lock (gate)
            {
                if (waiting.Count == 0)
                {
                    writing = false;
                    return;
                }

                batch = Take();
            }

            await WriteAsync(batch);
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }

        private List<Append> Take()
        {
            var (count, turns) = (0, 0);
            while (count < waiting.Count && (count == 0 || turns + waiting[count].Rows.Length <= batchTurns))
                turns += waiting[count++].Rows.Length;
            var batch = waiting;
            if (count == waiting.Count)
            {
                waiting = [];
                return batch;
            }

            batch = waiting.GetRange(0, count);
            waiting.RemoveRange(0, count);
            return batch;
        }

        // Never throws: every append of the batch is answered.
        private async Task WriteAsync(List<Append> batch)
        {
            try
            {
                await WriteTogetherAsync(batch);
            }
            catch (Exception e) when (
                batch.Count > 1 || IsGone(e) || e is VoxbaseException v && (v.Error == DataErrors.AlreadyExists || v.Error == DataErrors.Unavailable))
            {
                // A turn of the batch exists already, a row of one caller is not acceptable, a month's partition has been dropped, or
                // the connection broke and nobody knows whether the commit came through.
                if (IsGone(e))
                    ForgetMonths(batch);
                foreach (var group in batch.GroupBy(append => append.Caller))
                    await WriteLookingFirstAsync([.. group]);
            }
            catch (Exception e)
            {
                foreach (var append in batch)
                    append.Fail(e);
            }
        }

        private async Task WriteTogetherAsync(List<Append> batch)
        {
            if (batch is [{ Rows: [var lone] } single] && single.Caller.IsWriter)
            {
                if (await TurnInserts.OneAsync(database, single.Caller, lone, MonthOf(single.Rows)) is { } given)
                    single.Succeed([new AppendedTurn(lone.Id, given, true)]);
                else
                    single.Fail(NotFound(lone.ConversationId));
                return;
            }

            var numbers = new Dictionary<(Guid, Guid), int>(batch.Count);
            var work = new List<(Caller, IReadOnlyList<Statement>)>();
            var written = new List<List<TurnInput>>();
            foreach (var group in batch.GroupBy(append => append.Caller))
            {
                var rows = group.SelectMany(append => append.Rows).ToList();
                written.Add(rows);
                work.Add((group.Key.AsWriter(), [TurnInserts.Many(rows, MonthOf(rows))]));
            }

            await database.RunAsync(
                work,
                async (results, ct) =>
                {
                    foreach (var rows in written)
                    {
                        await results.NextResultAsync(ct);
                        await NumberAsync(rows, results, numbers, ct);
                        await results.NextResultAsync(ct);
                    }

                    return 0;
                },
                CancellationToken.None);
            foreach (var append in batch)
                Answer(append, append.Rows, numbers, known: null);
        }

        // The month of all these turns, when its partition is known to be there.
        private DateOnly? MonthOf(IReadOnlyList<TurnInput> rows)
        {
            var month = partitions.ReadyMonthOf(rows[0].ConversationId);
            for (var i = 1; month is not null && i < rows.Count; i++)
            {
                if (rows[i].ConversationId != rows[i - 1].ConversationId && partitions.ReadyMonthOf(rows[i].ConversationId) != month)
                    return null;
            }

            return month;
        }

        private static bool IsGone(Exception e) => e.InnerException is PostgresException { SqlState: PostgresErrorCodes.UndefinedTable };

        private void ForgetMonths(List<Append> batch)
        {
            foreach (var row in batch.SelectMany(append => append.Rows))
            {
                if (partitions.ReadyMonthOf(row.ConversationId) is { } month)
                    partitions.Forget(month);
            }
        }

        // Appends of one caller: all together, and when that fails, each for itself.
        private async Task WriteLookingFirstAsync(List<Append> batch)
        {
            try
            {
                var rows = batch.SelectMany(append => append.Rows).DistinctBy(row => (row.ConversationId, row.Id)).ToArray();
                var known = new Dictionary<(Guid, Guid), int>();
                var numbers = new Dictionary<(Guid, Guid), int>();
                await database.InTransactionAsync(
                    batch[0].Caller.AsWriter(),
                    async transaction =>
                    {
                        transaction.Add(new Statement(TurnRows.LockSql, Parameter.Uuids(rows, row => row.ConversationId)));
                        // Under the lock this sees every turn that anybody has committed.
                        await transaction.QueryAsync(
                            new Statement(
                                TurnRows.FindSql, Parameter.Uuids(rows, row => row.ConversationId), Parameter.Uuids(rows, row => row.Id)),
                            (results, ct) => ReadKnownAsync(results, known, ct),
                            CancellationToken.None);
                        var fresh = rows.Where(row => !known.ContainsKey((row.ConversationId, row.Id))).ToArray();
                        if (fresh.Length > 0)
                        {
                            await transaction.QueryAsync(
                                TurnInserts.Many(fresh, month: null), (results, ct) => NumberAsync(fresh, results, numbers, ct), CancellationToken.None);
                        }

                        return 0;
                    },
                    CancellationToken.None);
                foreach (var append in batch)
                    Answer(append, append.Rows, numbers, known);
            }
            catch (Exception) when (batch.Count > 1)
            {
                foreach (var append in batch)
                    await WriteLookingFirstAsync([append]);
            }
            catch (Exception e)
            {
                batch[0].Fail(e);
            }
        }

        private static void Answer(
            Append append, TurnInput[] rows, Dictionary<(Guid, Guid), int> numbers, Dictionary<(Guid, Guid), int>? known)
        {
            var answer = new AppendedTurn[rows.Length];
            for (var i = 0; i < rows.Length; i++)
            {
                var key = (rows[i].ConversationId, rows[i].Id);
                if (numbers.Remove(key, out var number))
                {
                    answer[i] = new AppendedTurn(rows[i].Id, number, true);
                    // The same id twice in one call: the second is told that it was there.
                    (known ??= []).Add(key, number);
                }
                else if (known is not null && known.TryGetValue(key, out number))
                {
                    answer[i] = new AppendedTurn(rows[i].Id, number, false);
                }
                else
                {
                    append.Fail(NotFound(rows[i].ConversationId));
                    return;
                }
            }

            append.Succeed(answer);
        }

        private static VoxbaseException NotFound(Guid conversationId) =>
            ConversationErrors.NotFound.With($"There is no conversation {conversationId} for this caller.");

        // The statement tells each conversation's last number before; its turns follow in the order given.
        private static async Task<int> NumberAsync(
            IReadOnlyList<TurnInput> rows, NpgsqlDataReader results, Dictionary<(Guid, Guid), int> numbers, CancellationToken cancellationToken)
        {
            var last = new Dictionary<Guid, int>(rows.Count);
            while (await results.ReadAsync(cancellationToken))
                last[results.GetGuid(0)] = results.GetInt32(1);
            foreach (var row in rows)
            {
                ref var number = ref CollectionsMarshal.GetValueRefOrNullRef(last, row.ConversationId);
                if (!Unsafe.IsNullRef(ref number))
                    numbers[(row.ConversationId, row.Id)] = ++number;
            }

            return numbers.Count;
        }

        private static async Task<int> ReadKnownAsync(
            NpgsqlDataReader results, Dictionary<(Guid, Guid), int> known, CancellationToken cancellationToken)
        {
            while (await results.ReadAsync(cancellationToken))
                known[(results.GetGuid(2), results.GetGuid(0))] = results.GetInt32(1);
            return known.Count;
        }
    }
}
