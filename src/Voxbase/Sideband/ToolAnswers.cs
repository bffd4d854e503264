using System.Collections.Concurrent;

namespace Voxbase.Sideband;

/// <summary>A tool that a model called.</summary>
/// <param name="ConversationId">In which conversation.</param>
/// <param name="CallId">The provider's id of the call.</param>
/// <param name="Name">The tool; <see cref="ToolAnswers.Delegation"/> for work that a Live session delegates to its client.</param>
/// <param name="Arguments">As the model wrote them: meant to be JSON. Of a delegation, what the user said since the last one.</param>
public sealed record ToolCall(Guid ConversationId, string CallId, string Name, string Arguments);

/// <summary>
/// The tools that this process answers in the calls it is attached to, by name. A tool of another name is left to the application's client.
/// </summary>
public sealed class ToolAnswers
{
    /// <summary>The name under which a Live session's delegation to its client is answered; the answer is spoken.</summary>
    public const string Delegation = "delegation.client";

    private readonly ConcurrentDictionary<string, Func<ToolCall, CancellationToken, Task<string>>> answers = new(StringComparer.Ordinal);

    /// <summary>
    /// Answers a tool from now on. What it throws is told to the model as a failure without its words; so is an answer that takes longer than
    /// half a minute. It may be called again for the same call after a crash.
    /// </summary>
    public void Answer(string name, Func<ToolCall, CancellationToken, Task<string>> answer) => answers[name] = answer;

    internal Func<ToolCall, CancellationToken, Task<string>>? Find(string name) => answers.GetValueOrDefault(name);
}
