using Voxbase.Data;

namespace Voxbase.Capture;

/// <summary>
/// The threads on which recorders read, fold and hand over to the database. Their own, so that a batch of a thousand events never stands
/// before a frame of audio in the queue of the thread pool; and where the system has priorities for threads, of a lower one.
/// </summary>
internal sealed class RecorderLane : TaskScheduler, IDisposable
{
    // Waited for with a monitor, which sleeps at once: what spins first takes the processor from the audio each time that the queue runs empty.
    private readonly object gate = new();
    private readonly Queue<Task> waiting = new();
    private int started;
    private bool isClosed;

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
    public void Dispose()
    {
        lock (gate)
        {
            isClosed = true;
            Monitor.PulseAll(gate);
        }
    }

    /// <inheritdoc/>
    protected override void QueueTask(Task task)
    {
        lock (gate)
        {
            if (!isClosed)
            {
                waiting.Enqueue(task);
                Monitor.Pulse(gate);
                return;
            }
        }

        ThreadPool.UnsafeQueueUserWorkItem(static state => state.Lane.TryExecuteTask(state.Task), (Lane: this, Task: task), preferLocal: false);
    }

    /// <inheritdoc/>
    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

    /// <inheritdoc/>
    protected override IEnumerable<Task> GetScheduledTasks()
    {
        lock (gate)
            return [.. waiting];
    }

    private void Work()
    {
        Scheduling.StandBehind();
        while (Take() is { } task)
            TryExecuteTask(task);
    }

    // Null when it is closed and nothing is left.
    private Task? Take()
    {
        lock (gate)
        {
            while (true)
            {
                if (waiting.TryDequeue(out var task))
                    return task;
                if (isClosed)
                    return null;
                Monitor.Wait(gate);
            }
        }
    }
}
