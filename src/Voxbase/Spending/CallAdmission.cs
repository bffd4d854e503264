using Voxbase.Capture;

namespace Voxbase;

#pragma warning disable CA1822 // What decides comes with budgets.

/// <summary>
/// Whether a call may begin and go on, asked by everything that starts one: session tokens, the relay, LiveKit calls. The one place
/// where spending meets capture.
/// </summary>
public sealed class CallAdmission(RunningCalls calls)
{
    /// <summary>Asked before a conversation's call begins, and again harmlessly for the same conversation.</summary>
    /// <param name="userId">Who pays; null for nobody, who is always admitted.</param>
    /// <param name="conversationId">The conversation; it need not exist yet.</param>
    /// <param name="cancellationToken">Cancels the question.</param>
    /// <exception cref="VoxbaseException">The call may not begin; nothing is held.</exception>
    public ValueTask AdmitAsync(Guid? userId, Guid conversationId, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;

    /// <summary>Told after charges of a running call were committed. Never throws, and is quick: what follows happens behind it.</summary>
    public void Charged(Guid conversationId) => _ = calls;

    /// <summary>Told when a call is over, or never began. Harmless when repeated.</summary>
    public ValueTask ReleaseAsync(Guid conversationId, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;
}
