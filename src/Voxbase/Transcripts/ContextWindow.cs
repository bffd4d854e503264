namespace Voxbase.Cleaning;

/// <summary>
/// The context in which the next turn of a conversation is cleaned, as a function of its turns and nothing else: what a server that was there
/// from the first turn holds, another makes anew of the last 64 to 128 turns, to the bit.
/// </summary>
/// <remarks>
/// <see cref="CleaningState"/> never quite forgets. So a state is begun at each block of turns and used in the block after it: at turn n it has
/// seen those from the beginning of the block before n's. Each turn is added to two states, and nothing grows with the conversation.
/// </remarks>
internal sealed class ContextWindow(TermIndex terms, int windowSize)
{
    /// <summary>How many turns a block has.</summary>
    public const int BlockTurns = 64;

    private CleaningState current = new(terms, windowSize);
    private CleaningState? next;

    /// <summary>The sequence number of the turn added last; 0 before the first.</summary>
    public int Through { get; private set; }

    /// <summary>What the turn after it is cleaned with.</summary>
    public CleaningState State => current;

    /// <summary>The first turn that a window which stands behind <paramref name="through"/> has seen.</summary>
    public static int First(int through) => (Math.Max(1, through / BlockTurns) - 1) * BlockTurns + 1;

    /// <summary>An empty window that goes on with <see cref="First"/>.</summary>
    public void Begin(int through) => Through = First(through) - 1;

    /// <summary>Adds the next turn. One without text, or of a tool, takes its place and says nothing.</summary>
    public void Add(int sequenceNumber, string? text, TurnTrust? trust)
    {
        if (sequenceNumber != Through + 1)
            throw new ArgumentOutOfRangeException(nameof(sequenceNumber), sequenceNumber, $"The turn after {Through} was expected.");
        if (text is not null && trust is { } believed)
        {
            current.Add(text, believed);
            next?.Add(text, believed);
        }

        Through = sequenceNumber;
        if (Through % BlockTurns == 0)
            (current, next) = (next ?? current, new CleaningState(terms, windowSize));
    }
}
