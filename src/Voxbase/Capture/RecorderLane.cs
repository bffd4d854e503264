using System.Collections.Concurrent;
using Voxbase.Data;

namespace Voxbase.Capture;

/// <summary>
/// The threads on which recorders read, fold and hand over to the database. Their own, so that a batch of a thousand events never stands
/// before a frame of audio in the queue of the thread pool; and where the system has priorities for threads, of a lower one.
/// </summary>
internal sealed class RecorderLane : TaskScheduler, IDisposable
{
    private readonly BlockingCollection<Task> waiting = [];
    private int started;

    /// <inheritdoc/>
    public override int MaximumConcurrencyLevel { get; } = Math.Max(1, Environment.ProcessorCount / 2);

    /// <summary>Runs something here, and what it does after its awaits too.</summary>
    public void Run(Func<Task> work)
    {
        if (Interlocked.Exchange(ref started, 1) == 0)
        {
            for (var i = 0; i < MaximumConcurrencyLevel; i++)
                new Thread(Work) { IsBackground = true, Name = "voxbase recorder", Priority = ThreadPriority.BelowNormal }.Start();
        }

        _ = Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.DenyChildAttach, this);
    }

    /// <summary>Ends the threads, once nothing is left to do. What awaits something still goes on in the thread pool.</summary>
    public void Dispose() => waiting.CompleteAdding();

    /// <inheritdoc/>
    protected override void QueueTask(Task task)
    {
        try
        {
            waiting.Add(task);
        }
        catch (InvalidOperationException)
        {
            // Closed meanwhile.
            ThreadPool.UnsafeQueueUserWorkItem(static state => state.Lane.TryExecuteTask(state.Task), (Lane: this, Task: task), preferLocal: false);
        }
    }

    /// <inheritdoc/>
    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

    /// <inheritdoc/>
    protected override IEnumerable<Task> GetScheduledTasks() => waiting;

    private void Work()
    {
        Scheduling.StandBehind();
        foreach (var task in waiting.GetConsumingEnumerable())
            TryExecuteTask(task);
    }
}
