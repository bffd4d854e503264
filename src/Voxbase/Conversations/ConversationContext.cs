using System.Text.Json;

namespace Voxbase;

/// <summary>One message of a context window.</summary>
/// <param name="Role">Who is speaking.</param>
/// <param name="Text">What the model should take as said.</param>
/// <param name="SequenceNumber">The turn.</param>
/// <param name="Tokens">Estimated.</param>
public sealed record ContextMessage(TurnRole Role, string Text, int SequenceNumber, int Tokens);

/// <summary>What a language model should see next.</summary>
/// <param name="ConversationId">The conversation.</param>
/// <param name="Summary">What came before, or null.</param>
/// <param name="Messages">The last turns that fit, oldest first. Turns without text are left out.</param>
/// <param name="Tokens">Estimated, all messages and the summary.</param>
/// <param name="OmittedTurns">How many earlier turns are not among the messages.</param>
public sealed record ConversationContext(
    Guid ConversationId, string? Summary, IReadOnlyList<ContextMessage> Messages, int Tokens, int OmittedTurns)
{
    // Four characters a token is what OpenAI's tokenizers come to for English; the envelope is the role and its separators.
    private const int CharactersPerToken = 4;
    private const int EnvelopeTokens = 4;

    /// <summary>Fits turns, given newest first, into a budget.</summary>
    internal static ConversationContext Of(Conversation conversation, IReadOnlyList<Turn> newestFirst, int? maxTokens)
    {
        var messages = new List<ContextMessage>(newestFirst.Count);
        var total = conversation.Summary is { } summary ? Estimate(summary) : 0;
        var oldest = conversation.TurnCount + 1;
        foreach (var turn in newestFirst)
        {
            // What was taken out of the model's context is in the summary.
            if (conversation.Summary is not null && IsDeleted(turn))
                continue;
            var text = Text(turn);
            var tokens = text is null ? 0 : Estimate(text);
            if (maxTokens is { } budget && messages.Count > 0 && total + tokens > budget)
                break;
            oldest = turn.SequenceNumber;
            if (text is null)
                continue;
            total += tokens;
            messages.Add(new ContextMessage(turn.Role, text, turn.SequenceNumber, tokens));
        }

        messages.Reverse();
        return new ConversationContext(conversation.Id, conversation.Summary, messages, total, Math.Max(0, oldest - 1));
    }

    private static bool IsDeleted(Turn turn) =>
        turn.Metadata is { ValueKind: JsonValueKind.Object } metadata && metadata.TryGetProperty("deleted", out var deleted) && deleted.ValueKind == JsonValueKind.True;

    // Of an interrupted turn the other side knows only what was heard; the model must not go on as if all had been said.
    private static string? Text(Turn turn)
    {
        var text = turn.Interrupted && turn.HeardText is not null ? turn.HeardText : turn.CleanedText ?? turn.RawText;
        return string.IsNullOrWhiteSpace(text) ? null : text;
    }

    private static int Estimate(string text) => ((text.Length + CharactersPerToken - 1) / CharactersPerToken) + EnvelopeTokens;
}
