using Voxbase.Capture;

namespace Voxbase;

/// <summary>
/// Whether a call may begin and go on, asked by everything that starts one: session tokens, the relay, LiveKit calls. The one place
/// where spending meets capture.
/// </summary>
/// <param name="calls">The calls of this process.</param>
/// <param name="watch">What holds them to their budgets; null admits every call.</param>
public sealed class CallAdmission(RunningCalls calls, BudgetWatch? watch = null)
{
    /// <summary>The calls that this process can reach while they run.</summary>
    public RunningCalls Running => calls;

    /// <summary>Asked before a conversation's call begins, and again harmlessly for the same conversation.</summary>
    /// <param name="userId">Who pays; null for nobody, who is always admitted.</param>
    /// <param name="conversationId">The conversation; it need not exist yet.</param>
    /// <param name="cancellationToken">Cancels the question.</param>
    /// <exception cref="VoxbaseException"><c>budget_exceeded</c>, <c>budget_unknown</c>: the call may not begin; nothing is held.</exception>
    public ValueTask AdmitAsync(Guid? userId, Guid conversationId, CancellationToken cancellationToken = default) =>
        watch is null || userId is not { } payer ? ValueTask.CompletedTask : new ValueTask(watch.AdmitAsync(payer, conversationId, cancellationToken));

    /// <summary>Told after charges of a running call were committed. Never throws, and is quick: what follows happens behind it.</summary>
    public void Charged(Guid conversationId) => watch?.Charged(conversationId);

    /// <summary>Told when a call is over, or never began. Harmless when repeated.</summary>
    public ValueTask ReleaseAsync(Guid conversationId, CancellationToken cancellationToken = default) =>
        watch is null ? ValueTask.CompletedTask : new ValueTask(watch.ReleaseAsync(conversationId, cancellationToken));
}
